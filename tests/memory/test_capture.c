/* A process whose mappings grow and shrink while they are looked at: each must begin where the one before ended, or
   later, and have no more memory than room. */
#include "analyzer/memory/capture.h"
#include "tests/unit/tap.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "valtrace/trace_format.h"

#define SLOTS    200
#define PAGE     4096
#define CAPTURES 120

/* restless changes its mappings for ever; each slot has pages of which one joins its neighbour and leaves it. */
static void restless(char *slots) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (size_t i = 0;; i++)
    mprotect(slots + (i % SLOTS * 4 + 2) * PAGE, PAGE, i / SLOTS % 2 ? PROT_NONE : PROT_READ | PROT_WRITE);
}

static uint64_t varint(uint8_t const **at) {
  uint64_t v = 0;
  for (int shift = 0;; shift += 7) {
    v |= (uint64_t)(**at & 127) << shift;
    if (!(*(*at)++ & 128)) return v;
  }
}

/* odd returns how many mappings of a capture are before the end of the one before, or hold too much. */
static int odd(vt_bytes_t const *capture) {
  uint8_t const *at = capture->data + VT_PAGES_OFF_AREAS;
  uint32_t cnt, name_sz;
  int wrong = 0;
  memcpy(&cnt, at, sizeof cnt);
  at += sizeof cnt;
  for (uint32_t i = 0; i < cnt; i++) {
    wrong += varint(&at) >> 36 != 0;
    uint64_t pages = varint(&at);
    memcpy(&name_sz, ++at, sizeof name_sz);
    at += sizeof name_sz + name_sz;
    uint64_t resident = varint(&at), anonymous = varint(&at), swapped = varint(&at);
    wrong += resident + swapped > pages * (PAGE >> 10) || anonymous > resident;
    for (uint64_t runs = varint(&at); runs; runs--) {
      varint(&at);
      varint(&at);
    }
  }
  return wrong + (at != capture->data + capture->sz);
}

int main(void) {
  char *slots = mmap(NULL, SLOTS * 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < SLOTS; i++) {
    mprotect(slots + i * 4 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE);
    memset(slots + i * 4 * PAGE, 1, 2 * PAGE);
  }
  pid_t child = fork();
  if (!child) restless(slots);
  vt_bytes_t capture = {0};
  int taken = 0, wrong = 0;
  for (int i = 0; i < CAPTURES; i++) {
    capture.sz = 0;
    if (vt_capture_take(child, 0, VT_CLOCK_TSC, &capture)) continue;
    taken++;
    wrong += odd(&capture) != 0;
  }
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  vt_bytes_free(&capture);
  ok(taken == CAPTURES, "%d captures of a process that changes meanwhile", taken);
  ok(!wrong, "they lie one after the other (%d do not)", wrong);
  return done_testing();
}
