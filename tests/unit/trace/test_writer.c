/* A file that can grow no further, at each of many sizes: what is in it are whole chunks from the first on, and the last words
   find room behind them. The oracle walks the chunks itself. */
#include "analyzer/trace/writer.h"
#include "tests/unit/tap.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SMALL  20000
#define LARGE  700000
#define STEP   937
#define WORDS  1500
#define CHUNKS 200

static char path[64];
static uint8_t bytes[16384];

/* fill writes chunks of all sizes until there is no room for more, and then the last words; whether it failed in between. */
static int fill(uint64_t room, int flushes) {
  vt_error_t error;
  vt_header_t h = {.arch = 62, .endian = 1, .pointer_sz = 8, .page_sz = 4096, .tick_hz = 1, .host = "h", .host_sz = 1, .executable = "/x", .executable_sz = 2};
  vt_writer_t *w = vt_writer_open(path, &error);
  vt_writer_header(w, &h);
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){room, RLIM_INFINITY});
  for (int i = 0; i < CHUNKS; i++) {
    vt_writer_chunk(w, VT_CHUNK_EVENTS, 0, 1, bytes, (size_t)rand() % sizeof bytes);
    if (flushes && rand() % 4 == 0) vt_writer_flush(w);
  }
  vt_writer_flush(w);
  int failed = vt_writer_failed(w) != 0;
  vt_writer_resume(w);
  vt_writer_chunk(w, VT_CHUNK_COUNTERS, 0, 0, bytes, WORDS);
  vt_writer_close(w);
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
  return failed;
}

/* last is the type of the last chunk of the file, if all before it follow each other; -1. */
static int last(void) {
  FILE *file = fopen(path, "rb");
  uint8_t *data = malloc(LARGE * 2);
  size_t sz = fread(data, 1, LARGE * 2, file), at = vt_load32(data + VT_HEADER_OFF_SZ), wanted = 0;
  int type = -1;
  fclose(file);
  while (at + VT_CHUNK_HEADER_SZ <= sz) {
    uint32_t number = vt_load32(data + at + VT_CHUNK_OFF_SEQ);
    type = data[at + VT_CHUNK_OFF_TYPE];
    if (vt_load32(data + at) != VT_CHUNK_MAGIC || (number != wanted++ && type != VT_CHUNK_COUNTERS)) break;
    at += VT_CHUNK_HEADER_SZ + (size_t)vt_pad8(vt_load64(data + at + VT_CHUNK_OFF_SZ));
  }
  free(data);
  return at == sz ? type : -1;
}

int main(void) {
  unsigned seed = (unsigned)(getenv("SEED") ? atoi(getenv("SEED")) : (int)getpid());
  int tried = 0, whole = 0, failed = 0;
  printf("# SEED=%u\n", seed);
  srand(seed);
  signal(SIGXFSZ, SIG_IGN);
  snprintf(path, sizeof path, "/tmp/valtest-writer-%d.vtr", getpid());
  for (uint64_t room = SMALL; room < LARGE; room += STEP) {
    failed += fill(room, tried % 2);
    whole += last() == VT_CHUNK_COUNTERS;
    tried++;
  }
  unlink(path);
  is_ulong((unsigned long)whole, (unsigned long)tried, "whole chunks, and the last words");
  is_ulong((unsigned long)failed, (unsigned long)tried, "there was no room for all");
  return done_testing();
}
