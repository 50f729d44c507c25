/* See drain.h. The content of the ring is hostile: it is copied before it is looked at, and nothing
   found in it is used as an index or a size unchecked. */
#include "analyzer/collector/drain.h"

#include <sys/mman.h>

/* Passes a segment waits for the one before it in its stream, before that counts as lost. */
#define WAIT_PASSES 8

/* A segment with records, as seen in one look at the ring. */
typedef struct {
  uint64_t image;
  uint32_t writer, number;
  uint32_t index;
  uint32_t slot;
  uint32_t committed;
  uint32_t full;
} found_t;

static int by_stream(void const *a, void const *b) {
  found_t const *x = a, *y = b;
  if (x->image != y->image) return x->image < y->image ? -1 : 1;
  if (x->writer != y->writer) return x->writer < y->writer ? -1 : 1;
  return x->number < y->number ? -1 : x->number > y->number;
}

static void give_back(vt_drain_t *d, uint32_t index) {
  vt_ring_t *ring = d->channel->ring;
  d->segments[index] = (vt_drain_segment_t){0};
  /* A segment whose committed is 0 has no valid header yet: see look. */
  vt_store64(vt_ring_segment(ring, index) + VT_SEGMENT_OFF_COMMITTED, 0);
  /* Pairs with the acquire of the compare-and-swap that claims it. */
  atomic_store_explicit(&ring->state[index], VT_SEGMENT_FREE, memory_order_release);
}

/* look reads state and header of a segment. Returns 0 when it has records. */
static int look(vt_drain_t *d, uint32_t index, found_t *f) {
  vt_ring_t *ring = d->channel->ring;
  uint8_t *segment = vt_ring_segment(ring, index);
  /* Pairs with the release in vt_sink_finish. */
  uint64_t word = atomic_load_explicit(&ring->state[index], memory_order_acquire);
  if ((word & VT_SEGMENT_STATE_MASK) == VT_SEGMENT_FREE) return -1;
  f->index = index;
  f->slot = VT_SEGMENT_OWNER(word);
  f->full = (word & VT_SEGMENT_STATE_MASK) == VT_SEGMENT_FULL;
  /* Pairs with the release in vt_stream_commit: header and records are visible. */
  uint64_t committed = VT_LE64(atomic_load_explicit(
      (_Atomic uint64_t *)(segment + VT_SEGMENT_OFF_COMMITTED), memory_order_acquire));
  f->committed = committed < VT_SEGMENT_RECORDS_MAX ? (uint32_t)committed : VT_SEGMENT_RECORDS_MAX;
  f->image = vt_load64(segment + VT_SEGMENT_OFF_IMAGE);
  f->writer = vt_load32(segment + VT_SEGMENT_OFF_WRITER);
  f->number = vt_load32(segment + VT_SEGMENT_OFF_NUMBER);
  return f->committed ? 0 : -1;
}

static vt_image_t *known_image(vt_drain_t *d, uint64_t id) {
  for (size_t i = d->images_cnt; i-- > 0;)
    if (d->images[i]->id == id) return d->images[i];
  return NULL;
}

/* image_of is the image a segment belongs to, made when its slot says so; NULL: none that lives. */
static vt_image_t *image_of(vt_drain_t *d, found_t const *f) {
  vt_image_t *image = known_image(d, f->image);
  if (image) return image;
  if (!f->slot || f->slot >= VT_RING_IMAGES || !f->image) return NULL;
  vt_ring_image_t *slot = &d->channel->ring->images[f->slot];
  /* Pairs with the release that publishes the slot in vt_sink_join_ring. */
  uint32_t pid = atomic_load_explicit(&slot->pid, memory_order_acquire);
  if (atomic_load_explicit(&slot->image, memory_order_relaxed) != f->image) return NULL;
  for (size_t i = 0; i < d->images_cnt; i++)
    if (d->images[i]->pid == pid) d->images[i]->gone = 1; /* exec */
  image = vt_image_new(d->run, f->image, f->slot, pid);
  VT_PUSH(d->images, image);
  return image;
}

/* must_wait: is the segment before this one in its stream still to come? */
static int must_wait(vt_drain_t *d, found_t const *f, vt_image_stream_t const *s) {
  return f->number > s->next && d->segments[f->index].waited++ < WAIT_PASSES;
}

/* take_over decodes what is new in a segment. */
static void take_over(vt_drain_t *d, found_t const *f, vt_image_t *image, vt_image_stream_t *s) {
  vt_drain_segment_t *seg = &d->segments[f->index];
  uint8_t const *from = vt_ring_segment(d->channel->ring, f->index);
  int begun = seg->image == f->image && seg->writer == f->writer && seg->number == f->number;
  if (!begun) {
    *seg = (vt_drain_segment_t){f->image, f->writer, f->number, 0, 0};
    memcpy(d->copy, from, VT_SEGMENT_RECORDS_OFF);
    vt_raw_begin(&s->raw, d->copy);
  }
  if (f->committed <= seg->at) return;
  memcpy(d->copy + VT_SEGMENT_RECORDS_OFF + seg->at, from + VT_SEGMENT_RECORDS_OFF + seg->at,
         f->committed - seg->at);
  d->bytes += f->committed - seg->at;
  vt_image_decode(image, s, d->copy, &seg->at, f->committed);
}

static unsigned drain_one(vt_drain_t *d, found_t const *f) {
  vt_image_t *image = image_of(d, f);
  if (image) {
    vt_image_stream_t *s = vt_image_stream(image, f->writer);
    if (must_wait(d, f, s)) return 0;
    s->next = f->number + (f->full != 0);
    take_over(d, f, image, s);
  }
  if (!f->full) return 0;
  give_back(d, f->index);
  return 1;
}

unsigned vt_drain_pass(vt_drain_t *d, int active) {
  static found_t found[VT_RING_SEGMENTS];
  size_t cnt = 0;
  unsigned freed = 0;
  for (uint32_t i = 0; i < VT_RING_SEGMENTS; i++) {
    found_t f;
    uint64_t word = atomic_load_explicit(&d->channel->ring->state[i], memory_order_relaxed);
    if (word == VT_SEGMENT_FREE) continue;
    int empty = look(d, i, &f);
    if (!empty && (f.full || active)) found[cnt++] = f;
    else if (empty && (word & VT_SEGMENT_STATE_MASK) == VT_SEGMENT_FULL) give_back(d, i);
  }
  qsort(found, cnt, sizeof *found, by_stream);
  for (size_t i = 0; i < cnt; i++) freed += drain_one(d, &found[i]);
  if (freed) vt_channel_progress(d->channel);
  return freed;
}

void vt_drain_end(vt_drain_t *d, size_t index, vt_process_kind_t kind, uint32_t value) {
  vt_image_t *image = d->images[index];
  vt_ring_t *ring = d->channel->ring;
  vt_ring_image_t *slot = &ring->images[image->slot];
  for (unsigned i = 0; i <= WAIT_PASSES; i++) vt_drain_pass(d, 1);
  for (uint32_t i = 0; i < VT_RING_SEGMENTS; i++) {
    uint64_t word = atomic_load_explicit(&ring->state[i], memory_order_acquire);
    if (word != VT_SEGMENT_FREE && VT_SEGMENT_OWNER(word) == image->slot) give_back(d, i);
  }
  vt_channel_progress(d->channel);
  for (index = 0; d->images[index] != image;) index++;
  d->images[index] = d->images[--d->images_cnt];
  vt_image_finish(image, slot, kind, value);
  atomic_store_explicit(&slot->pid, 0, memory_order_relaxed);
  /* Pairs with the acquire of the compare-and-swap in vt_sink_join_ring. */
  atomic_store_explicit(&slot->image, 0, memory_order_release);
}

static uint32_t taken(vt_drain_t const *d) {
  uint32_t cnt = 0;
  for (uint32_t i = 0; i < VT_RING_SEGMENTS; i++)
    cnt += atomic_load_explicit(&d->channel->ring->state[i], memory_order_relaxed) !=
           VT_SEGMENT_FREE;
  return cnt;
}

int vt_drain_pressing(vt_drain_t const *d) {
  uint32_t limit = atomic_load_explicit(&d->channel->ring->limit, memory_order_relaxed);
  for (uint32_t i = limit / 2; i < limit && i < VT_RING_SEGMENTS; i++)
    if (atomic_load_explicit(&d->channel->ring->state[i], memory_order_relaxed) ==
        VT_SEGMENT_FULL)
      return 1;
  return 0;
}

/* release_memory gives the pages of free segments from `first` on back to the system. */
static void release_memory(vt_drain_t *d, uint32_t first, uint32_t end) {
  vt_ring_t *ring = d->channel->ring;
  for (uint32_t i = first; i < end; i++) {
    uint64_t word = VT_SEGMENT_FREE;
    if (!atomic_compare_exchange_strong_explicit(&ring->state[i], &word,
                                                 VT_SEGMENT_WORD(0, VT_SEGMENT_ACTIVE),
                                                 memory_order_acquire, memory_order_relaxed))
      continue;
    madvise(vt_ring_segment(ring, i), VT_SEGMENT_SZ, MADV_REMOVE);
    atomic_store_explicit(&ring->state[i], VT_SEGMENT_FREE, memory_order_release);
  }
}

void vt_drain_adjust(vt_drain_t *d) {
  vt_ring_t *ring = d->channel->ring;
  uint32_t limit = atomic_load_explicit(&ring->limit, memory_order_relaxed);
  uint32_t wanted = taken(d) + VT_RING_SPARE;
  if (wanted > VT_RING_SEGMENTS) wanted = VT_RING_SEGMENTS;
  if (limit > VT_RING_SEGMENTS) limit = VT_RING_SEGMENTS; /* a traced process wrote there */
  if (limit < wanted - VT_RING_SPARE / 2) {
    atomic_store_explicit(&ring->limit, wanted, memory_order_relaxed);
    vt_channel_progress(d->channel);
  } else if (limit > 2 * wanted) {
    atomic_store_explicit(&ring->limit, wanted, memory_order_relaxed);
    release_memory(d, wanted, limit);
  }
}
