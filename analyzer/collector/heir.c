/* See heir.h. */
#include "analyzer/collector/heir.h"
#include "analyzer/collector/memory_limits.h"
#include "analyzer/util/kernel.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define END_MS 1000 /* a killed process ends long before */

static char const too_late[] = "the time for the snapshot was over (--snapshot-timeout gives more)";

static uint64_t now_ns(void) { return vt_clock_ns(CLOCK_MONOTONIC); }

static int is_over(int fd, int timeout_ms) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, timeout_ms) > 0;
}

static uint32_t load(_Atomic uint32_t const *word) { return atomic_load_explicit(word, memory_order_acquire); }

static _Atomic uint32_t *number_of(vt_heir_look_t const *look, vt_ring_image_t *row) {
  return look->of_copy ? &row->copy : &row->heir;
}

static _Atomic uint32_t *state_of(vt_heir_look_t const *look) {
  return look->of_copy ? &look->row->copy_state : &look->row->heir_state;
}

static void set_state(_Atomic uint32_t *word, uint32_t state) {
  /* Pairs with the acquire in the heir's sleep. */
  atomic_store_explicit(word, state, memory_order_release);
  syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void vt_heir_look_for(vt_heir_look_t *look, vt_ring_end_t *end, vt_ring_image_t *row) {
  vt_identity_t who = {.space = atomic_load_explicit(&row->space, memory_order_relaxed),
                       .pid = load(number_of(look, row)),
                       .seat = atomic_load_explicit(&row->seat, memory_order_relaxed)};
  if (!who.pid || look->heir.who.pid == who.pid) return;
  if (look->heir.who.pid) vt_owner_leave(&look->heir); /* a sentinel that was ended */
  who.tick = vt_clock_tick((vt_clock_kind_t)end->ring->clock);
  look->heir = vt_owner_find(end, &who);
}

/* order_of is what the helper must know, which has no ring to look into. A copy lacks the pages of files that are clean: the
   sentinel has the process's own memory. */
static vt_helper_order_t order_of(vt_heir_look_t const *look) {
  vt_ring_image_t *row = look->row;
  vt_helper_order_t order = {.kind = look->kind, .clock = (vt_clock_kind_t)look->end->ring->clock};
  vt_verdict_case_t *of = &order.of;
  order.pages_of = look->of_copy && look->living ? look->living : look->heir.pid;
  of->frozen = look->heir.pid;
  of->living = look->living;
  of->high_tags = look->high_tags;
  for (uint32_t c = 0; c <= VT_COUNTER_MAX; c++)
    of->counters[c] = atomic_load_explicit(&row->counters[c], memory_order_relaxed);
  of->registers_unknown = load(look->of_copy ? &row->copy_registers_unknown : &row->registers_unknown);
  of->pointer_guard = atomic_load_explicit(&row->pointer_guard, memory_order_relaxed);
  of->layout = atomic_load_explicit(look->of_copy ? &row->copy_layout : &row->layout, memory_order_relaxed);
  of->layout_sz = load(look->of_copy ? &row->copy_layout_sz : &row->layout_sz);
  if (!look->of_copy) return order;
  of->begun = atomic_load_explicit(&row->copy_begun, memory_order_relaxed);
  of->made = atomic_load_explicit(&row->copy_made, memory_order_relaxed);
  return order;
}

static void start_helper(vt_heir_look_t *look) {
  vt_helper_order_t order = order_of(look);
  look->looking = !vt_helper_order(&look->helper, &order) || !vt_helper_start(&look->helper, look->end, look->path, &order);
  if (!look->looking) look->given_up = "no process to look at its memory";
}

/* start: what a process has not said because it was killed its sentinel tells first. */
static void start(vt_heir_look_t *look) {
  look->asked = load(state_of(look)) == VT_HEIR_WATCHING;
  if (!look->asked) {
    start_helper(look);
    return;
  }
  look->kind = VT_SNAPSHOT_KILLED;
  set_state(state_of(look), VT_HEIR_DESCRIBE);
}

int vt_heir_look_begin(vt_heir_look_t *look, vt_ring_end_t *end, vt_ring_image_t *row,
                       char const *path, uint64_t kept, int high_tags) {
  look->end = end;
  look->row = row;
  look->high_tags = high_tags;
  look->path = path;
  vt_heir_look_for(look, end, row);
  if (!look->heir.who.pid) return 0;
  look->deadline = now_ns() + end->ring->heir_limit_ns;
  look->bytes = vt_memory_resident(look->heir.pid);
  if (load(state_of(look)) == VT_HEIR_OVER)
    look->given_up = too_late;
  else if (!look->heir.pid)
    look->given_up = "its memory is gone";
  else if (!path)
    look->given_up = "it has no trace";
  else if (look->bytes + kept > vt_memory_spare() || vt_memory_tight(look->heir.pid))
    look->given_up = "memory is too scarce to keep that of an ended process";
  else
    start(look);
  return 1;
}

char const *vt_heir_copy_expect(vt_heir_look_t *look, vt_ring_end_t *end, vt_ring_image_t *row, char const *path,
                                pid_t living, uint64_t kept, int high_tags) {
  if (!end->ring->heir_limit_ns) return "this recording has none";
  *look = (vt_heir_look_t){.end = end, .row = row, .path = path, .high_tags = high_tags, .of_copy = 1, .asked = 1};
  look->kind = VT_SNAPSHOT_REQUEST;
  look->heir.fd = -1;
  look->deadline = now_ns() + end->ring->heir_limit_ns;
  look->living = living;
  look->bytes = living ? vt_memory_resident(living) : 0;
  int scarce = look->bytes + kept > vt_memory_spare() || (living && vt_memory_tight(living));
  if (scarce) return "memory is too scarce to keep a copy of it";
  atomic_store_explicit(&row->copy, 0, memory_order_relaxed);
  atomic_fetch_add_explicit(&row->copy_number, 1, memory_order_relaxed);
  atomic_store_explicit(&row->copy_state, VT_HEIR_STARTING, memory_order_release);
  return NULL;
}

void vt_heir_copy_forget(vt_heir_look_t *look, char const *why) {
  uint32_t starting = VT_HEIR_STARTING;
  if (atomic_compare_exchange_strong(&look->row->copy_state, &starting, VT_HEIR_NONE)) look->given_up = why;
}

char const *vt_heir_copy_begin(vt_heir_look_t *look, vt_ring_end_t *end, vt_ring_image_t *row, char const *path,
                               uint64_t kept, int high_tags) {
  uint32_t watching = VT_HEIR_WATCHING;
  if (!load(&row->heir) && !end->ring->sentinels) return "start with --snapshots, which is `valtrace run`'s";
  if (!load(&row->heir)) return "its sentinel has ended: it has changed its user, its namespaces or what it may do";
  vt_heir_look_t sentinel = {.heir.fd = -1};
  vt_heir_look_for(&sentinel, end, row);
  char const *why = vt_heir_copy_expect(look, end, row, path, sentinel.heir.pid, kept, high_tags);
  vt_owner_leave(&sentinel.heir);
  if (why) return why;
  if (!atomic_compare_exchange_strong(&row->heir_state, &watching, VT_HEIR_COPY)) return "it is about to end";
  syscall(SYS_futex, &row->heir_state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
  return NULL;
}

int vt_heir_copy_made(vt_heir_look_t *look) {
  if (!look->asked || load(&look->row->copy_state) != VT_HEIR_READY || !load(&look->row->copy)) return 0;
  vt_heir_look_for(look, look->end, look->row);
  return 1;
}

void vt_heir_copy_go(vt_heir_look_t *look) {
  look->asked = 0;
  start_helper(look);
}

/* end_heir: memory must be free again, and the process not be counted as one that is recorded. */
static void end_heir(vt_heir_look_t *look) {
  set_state(state_of(look), VT_HEIR_NONE);
  atomic_store_explicit(number_of(look, look->row), 0, memory_order_relaxed);
  if (look->heir.fd >= 0) {
    vt_kernel_kill(look->heir.fd, look->heir.pid);
    is_over(look->heir.fd, END_MS);
  }
  /* It wakes and ends by itself, too; without a descriptor its number alone is no reason to kill. */
  for (int ms = 0; look->heir.who.pid && look->heir.fd < 0 && ms < END_MS && !vt_owner_gone(look->end, &look->heir); ms++)
    usleep(1000);
  vt_owner_leave(&look->heir);
}

/* is_done: is the helper over? It is started when the sentinel has answered. */
static int is_done(vt_heir_look_t *look) {
  if (look->asked && !look->of_copy && load(state_of(look)) == VT_HEIR_READY) {
    look->asked = 0;
    start_helper(look);
  }
  return look->looking && vt_helper_over(&look->helper);
}

int vt_heir_look_settle(vt_heir_look_t *look, vt_heir_seen_t *seen) {
  int over = is_done(look) || look->given_up;
  /* An heir that has ended meanwhile was not seen whole, whatever the helper says. */
  if (load(state_of(look)) == VT_HEIR_OVER || (!over && now_ns() > look->deadline))
    look->given_up = too_late;
  else if (!over && look->heir.pid && vt_memory_tight(look->heir.pid))
    look->given_up = "memory was too scarce to keep that of an ended process";
  else if (!over && look->of_copy && load(state_of(look)) == VT_HEIR_NONE)
    look->given_up = "no process could be made to keep its memory: is there a limit?";
  if (!over && !look->given_up) return 0;
  end_heir(look);
  int failed = vt_helper_end(&look->helper, seen);
  if (look->given_up || failed) {
    seen->leaks.sz = 0;
    vt_verdict_none(look->given_up ? look->given_up : "the look at its memory failed", &seen->leaks);
  }
  return 1;
}
