/* See sampling.h. */
#include "preload/sampling.h"
#include "preload/record.h"

vt_members_t vt_sampled;

int vt_sampling_begin(void) {
  if (!vt_options.sample_period) return 0;
  if (vt_members_begin(&vt_sampled, vt_process_memory)) return -1;
  if (vt_tls.own) vt_sampling_thread(vt_tls.own);
  return 0;
}

/* Images have identities of their own, their states numbers: no two samplers get the same seed. */
void vt_sampling_thread(vt_thread_t *t) {
  uint64_t image = vt_process.sink.image;
  if (!vt_options.sample_period || t->sampler_image == image) return;
  uint64_t seed = vt_options.sample_seed ? vt_options.sample_seed : image;
  vt_sampler_seed(&t->sampler, seed * 0x9e3779b97f4a7c15u ^ t->id, vt_options.sample_period);
  t->sampler_image = image;
}

uint8_t *vt_sampling_claim(vt_thread_t *t) {
  if (vt_stream_claim(&t->stream)) vt_losing(t);
  return t->stream.segment;
}

/* put_missed_free records a free that was not seen, of a block whose address has been handed out again. */
static void put_missed_free(vt_thread_t *t, uint64_t key) {
  vt_stack_t none = {.prev_depth = VT_DEPTH_UNKNOWN};
  vt_record_t r = {.tick = vt_clock_stamp(t->stream.sink->clock)};
  if (key >> 63) {
    r.w0 = VT_KIND_HEAP_FREE | VT_API_OTHER << VT_W0_API_SHIFT | VT_W0_WIDE; /* it may be gone by an operation */
    r.words[0] = key << 1 >> 48;
    r.words[1] = key & (((uint64_t)1 << 47) - 1);
    r.word_cnt = 2;
  } else {
    r.w0 = VT_KIND_FREE | VT_API_FREE << VT_W0_API_SHIFT;
    r.words[0] = key;
    r.word_cnt = 1;
  }
  vt_put(t, &r, &none);
}

int vt_sampling_take_slow(vt_thread_t *t, uint64_t key, uint64_t bytes) {
  if (vt_sampling_forget(key)) put_missed_free(t, key);
  if (vt_sampler_passes(&t->sampler, bytes)) return 0;
  vt_sampler_next(&t->sampler, vt_options.sample_period);
  t->taken_key = key;
  t->taken_left = atomic_load_explicit(&t->sampler.left, memory_order_relaxed);
  if (!vt_members_add(&vt_sampled, key)) return 1;
  vt_sink_count(t->stream.sink, VT_COUNTER_LOST, 1);
  return 0;
}

/* count_realloc: the field is narrow; a segment that has so many is done. */
static void count_realloc(vt_thread_t *t, uint8_t *segment) {
  uint32_t cnt = vt_load32(segment + VT_SEGMENT_OFF_REALLOCS) + 1;
  vt_store32(segment + VT_SEGMENT_OFF_REALLOCS, cnt);
  if (VT_UNLIKELY(cnt == UINT32_MAX)) vt_stream_finish(&t->stream);
}

vt_sampled_realloc_t vt_sampling_realloc(vt_thread_t *t, int known, void const *old, void const *p, size_t sz) {
  uint8_t *segment = vt_sampling_segment(t);
  if (VT_UNLIKELY(!segment)) return VT_SAMPLED_NOTHING;
  if (!p && sz) {
    if (known && vt_members_add(&vt_sampled, (uint64_t)old))
      vt_sink_count(t->stream.sink, VT_COUNTER_LOST, 1);
    return known ? VT_SAMPLED_BOTH : VT_SAMPLED_NOTHING;
  }
  vt_sampling_add(segment, VT_SEGMENT_OFF_FREES, 1);
  if (!p) return known ? VT_SAMPLED_BOTH : VT_SAMPLED_NOTHING;
  vt_sampling_add(segment, VT_SEGMENT_OFF_ALLOCATIONS, 1);
  vt_sampling_add(segment, VT_SEGMENT_OFF_BYTES, sz);
  count_realloc(t, segment);
  if (vt_sampling_take(t, (uint64_t)p, sz)) return known ? VT_SAMPLED_BOTH : VT_SAMPLED_ALLOC;
  return known ? VT_SAMPLED_FREE : VT_SAMPLED_NOTHING;
}
