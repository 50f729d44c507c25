/* See early.h. Before recording there is one thread, so nothing here is shared. */
#include "preload/early.h"
#include "preload/process.h"
#include "preload/sampling.h"

#define EARLY_MAX 256

typedef struct {
  uint64_t address, sz, pc;
  uint8_t kind, api;
} early_t;

static early_t early[EARLY_MAX];
static uint32_t early_cnt, not_kept;

static void keep(vt_kind_t kind, void *p, size_t sz, vt_api_t api, void const *frame) {
  if (early_cnt == EARLY_MAX) {
    not_kept++;
    return;
  }
  early[early_cnt++] = (early_t){.address = (uint64_t)p,
                                 .sz = sz,
                                 .pc = ((uint64_t const *)frame)[1],
                                 .kind = (uint8_t)kind,
                                 .api = (uint8_t)api};
}

static int keeping(void) { return !vt_tls.quiet && vt_process_waiting(); }

void vt_early_alloc(void *p, size_t sz, vt_api_t api, void const *frame) {
  if (keeping()) keep(VT_KIND_ALLOC, p, sz, api, frame);
}

void vt_early_free(void *p, vt_api_t api, void const *frame) {
  if (keeping()) keep(VT_KIND_FREE, p, 0, api, frame);
}

void vt_early_realloc(vt_kind_t half, void *p, size_t sz, vt_api_t api, void const *frame) {
  if (keeping()) keep(half, p, sz, api, frame);
}

/* The old block of the realloc under way. */
typedef struct {
  void *block;
  int known; /* it was recorded */
} old_block_t;

/* is_wanted: in a sampled recording most are not, and all are counted. A realloc may become something else. */
static int is_wanted(vt_thread_t *t, early_t *e, old_block_t *old) {
  void *p = (void *)e->address;
  if (!vt_sampling()) return 1;
  switch (e->kind) {
  case VT_KIND_ALLOC: return vt_sampling_alloc(t, p, e->sz);
  case VT_KIND_FREE: return vt_sampling_free(t, p);
  case VT_KIND_REALLOC_INTENT:
    *old = (old_block_t){p, vt_sampling_forget(e->address)};
    return old->known;
  default: break;
  }
  vt_sampled_realloc_t now = vt_sampling_realloc(t, old->known, old->block, p, e->sz);
  if (now == VT_SAMPLED_FREE) e->address = e->sz = 0;
  if (now == VT_SAMPLED_ALLOC) e->kind = VT_KIND_ALLOC;
  return now != VT_SAMPLED_NOTHING;
}

/* write_one writes a kept event, stamped with the time its stream is at. */
static void write_one(vt_thread_t *t, early_t const *e) {
  vt_frame_t frame = {.pc = e->pc};
  vt_stack_t stack = {.frames = &frame, .depth = 1};
  uint64_t wide = e->kind == VT_KIND_ALLOC ? VT_W0_WIDE : 0;
  vt_record_t r = {.w0 = e->kind | (uint64_t)e->api << VT_W0_API_SHIFT | wide,
                   .tick = t->stream.last_tick,
                   .words = {e->address, e->sz, 0},
                   .word_cnt = e->kind == VT_KIND_ALLOC  ? 3
                               : e->kind == VT_KIND_FREE ? 1
                                                         : 2};
  vt_stream_put_slow(&t->stream, &r, &stack);
}

void vt_early_replay(void) {
  vt_thread_t *t = vt_paused() ? NULL : vt_enter(__builtin_frame_address(0));
  if (!t) return;
  old_block_t old = {0};
  for (uint32_t i = 0; i < early_cnt && !t->text; i++)
    if (is_wanted(t, &early[i], &old)) write_one(t, &early[i]);
  t->stream.depth = VT_DEPTH_UNKNOWN;
  vt_unwind_reset(t->stream.unwind);
  vt_sink_count(t->stream.sink, VT_COUNTER_BEFORE_START, not_kept);
  vt_leave(t);
}
