/* See watch.h. A signal handler may come in between and allocate: its own calls are over when it
   returns, so that nothing it noted is needed any more, and it may grow the list, which is why an outgrown
   one stays mapped. */
#include "preload/watch.h"

#include <string.h>

/* clear forgets what was noted: stale addresses would keep lost blocks alive for a snapshot. */
static void clear(void) {
  vt_thread_t *t = vt_tls.own;
  if (t) memset(t->recorded, 0, vt_tls.recorded_cnt * sizeof *t->recorded);
  vt_tls.recorded_cnt = 0;
  vt_tls.last_recorded = NULL;
}

uint32_t vt_watch_begin(void const *frame) {
  if (!vt_tls.own) { /* the list is the state's */
    vt_thread_t *t = vt_enter(frame);
    if (t) vt_leave(t);
  }
  if (vt_tls.watch && (uint64_t)frame >= vt_tls.watch && !vt_on_signal_stack()) {
    clear(); /* an exception ended that call */
    vt_tls.watch = 0;
  }
  if (!vt_tls.watch) vt_tls.watch = (uint64_t)frame;
  return vt_tls.recorded_cnt;
}

void vt_watch_end(void const *frame) {
  if (vt_tls.watch != (uint64_t)frame) return;
  clear();
  vt_tls.watch = 0;
}

/* grow makes room in the list; returns 0 where there is no memory to be had. */
static int grow(vt_thread_t *t) {
  uint32_t cap = t->recorded_cap;
  void **old = t->recorded, **more = NULL;
  if (cap <= UINT32_MAX / 2) more = vt_process_memory(2 * (size_t)cap * sizeof *more);
  if (!more) return 0;
  memcpy(more, old, cap * sizeof *more);
  t->recorded = more;
  t->recorded_cap = 2 * cap;
  memset(old, 0, cap * sizeof *old);
  return 1;
}

void vt_recorded_slow(void *p) {
  vt_thread_t *t = vt_tls.own;
  if (p == vt_tls.freeing) vt_tls.freeing = NULL; /* it has been freed, and is another block now */
  vt_tls.last_recorded = p;
  if (!t) return;
  if (vt_tls.recorded_cnt == t->recorded_cap && !grow(t)) return;
  t->recorded[vt_tls.recorded_cnt++] = p;
}

int vt_watch_recorded(uint32_t mark, void const *p) {
  vt_thread_t const *t = vt_tls.own;
  if (!t) return vt_tls.last_recorded == p;
  for (uint32_t i = vt_tls.recorded_cnt; i > mark; i--)
    if (t->recorded[i - 1] == p) return 1;
  return 0;
}
