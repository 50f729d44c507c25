/* See drain.h. Ring content is hostile input: a segment is copied out, its committed length
   checked, before anything of it is decoded.

   Segments of a stream are numbered. A scan may meet a later one first, because it looks at the
   states one after the other while threads go on: it waits for its predecessor until the next scan.

   When is an image over? Its slot and segments are given to others then, so nobody may be able to
   write as it any more. Two things tell: its process has ended (vt_owner_gone), or an image of the
   same process says that exec put it in its place (`follows`), which it could not if it did not
   run. Nothing follows from the order in which images are seen, nor from a number that two of them
   have: they may be of two namespaces, or an emulator and its guest in one process. An image that
   was replaced past our hooks is over when its process is. */
#include "analyzer/collector/drain.h"
#include "analyzer/collector/copies.h"
#include "analyzer/collector/ending.h"
#include "analyzer/collector/keep.h"
#include "analyzer/collector/ring.h"
#include "analyzer/collector/sampling.h"
#include "analyzer/snapshot/verdict.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD_HEAD        16 /* w0 and w1 of a BLOB */
#define ONE_THREAD_STREAMS 2  /* number 0 is not used */

static uint64_t state_of(vt_ring_t *ring, uint32_t i) {
  /* Pairs with the release that marks a segment full, or with the claim. */
  return atomic_load_explicit(&ring->state[i], memory_order_acquire);
}

static uint32_t committed_of(vt_ring_t *ring, uint32_t i) {
  _Atomic uint64_t *p = (_Atomic uint64_t *)(vt_ring_segment(ring, i) + VT_SEGMENT_OFF_COMMITTED);
  /* Pairs with the release store of vt_stream_commit. */
  uint64_t committed = atomic_load_explicit(p, memory_order_acquire);
  return committed > VT_SEGMENT_RECORDS_MAX ? 0 : (uint32_t)(committed & ~(uint64_t)7);
}

/* header_in copies the IMAGE message that a segment may begin with; returns its size or 0. */
static size_t header_in(vt_ring_t *ring, uint32_t i, uint8_t *out, size_t cap) {
  uint8_t const *p = vt_ring_segment(ring, i) + VT_SEGMENT_RECORDS_OFF;
  uint32_t committed = committed_of(ring, i);
  if (committed < RECORD_HEAD || (vt_load64(p) & 15) != VT_KIND_BLOB) return 0;
  uint64_t w1 = vt_load64(p + 8);
  size_t sz = w1 >> 32;
  if ((w1 & 0xffff) != VT_CHUNK_IMAGE || sz > cap || sz > committed - RECORD_HEAD ||
      sz < VT_HEADER_OFF_STRINGS)
    return 0;
  memcpy(out, p + RECORD_HEAD, sz);
  return sz;
}

/* owns: does segment i belong to the image in `slot`? */
static int owns(vt_drain_t *d, uint32_t slot, uint32_t i) {
  uint64_t word = state_of(d->ring, i);
  return word != VT_SEGMENT_FREE && VT_SEGMENT_OWNER(word) == slot;
}

/* find_header looks for the IMAGE message of the image in `slot`: the first record of its first
   segment, which may still be unfinished while other threads' segments are full. */
static size_t find_header(vt_drain_t *d, uint32_t slot, uint8_t *out, size_t cap) {
  for (uint32_t i = 0; i < d->end->limit; i++) {
    if (!owns(d, slot, i)) continue;
    size_t sz = header_in(d->ring, i, out, cap);
    if (sz) return sz;
  }
  return 0;
}

/* image_of is the living image that owns a segment, made at first sight; NULL while its header has
   not been written or `run` has not yet said which process is the first. */
static vt_image_t *image_of(vt_drain_t *d, uint32_t slot) {
  static uint8_t header[VT_SEGMENT_SZ];
  if (!slot || slot >= VT_RING_IMAGES || !d->slots.first_pid) return NULL;
  if (d->by_slot[slot]) return d->by_slot[slot];
  size_t sz = find_header(d, slot, header, sizeof header);
  uint64_t id = vt_slots_image(&d->slots, slot);
  if (!sz || !id) return NULL;
  vt_image_place_t place = {.id = id,
                            .slot = slot,
                            .process = vt_slots_owner(&d->slots, slot)->pid,
                            .first = vt_slots_first(&d->slots, slot)};
  vt_image_t *image =
      vt_image_new(d->outputs, d->images, d->images_cnt, &place, header, sz, d->codec, d->symbols);
  VT_PUSH(d->images, image);
  vt_pauses_mark(&d->pauses, image);
  if (!d->replaced[slot])
    vt_sampling_look(image, (vt_clock_kind_t)d->ring->clock, vt_clock_ns(CLOCK_MONOTONIC));
  uint32_t before = vt_slots_predecessor(&d->slots, slot);
  if (before) d->replaced[before] = d->replacements = 1;
  return d->by_slot[slot] = image;
}

static uint32_t stream_of(vt_drain_t *d, uint32_t i) {
  uint32_t stream = vt_load32(vt_ring_segment(d->ring, i) + VT_SEGMENT_OFF_WRITER);
  return stream < 65536 ? stream : 0;
}

/* feed hands the records [consumed,committed) of segment i to the image's file. */
static void feed(vt_drain_t *d, vt_image_t *image, uint32_t i) {
  static uint8_t copy[VT_SEGMENT_SZ];
  uint32_t committed = committed_of(d->ring, i), from = d->consumed[i];
  if (committed <= from || !image->open) return;
  uint8_t const *segment = vt_ring_segment(d->ring, i);
  memcpy(copy, segment, VT_SEGMENT_RECORDS_OFF);
  memcpy(copy + VT_SEGMENT_RECORDS_OFF + from, segment + VT_SEGMENT_RECORDS_OFF + from,
         committed - from);
  vt_image_records(image, stream_of(d, i), copy, from, committed);
  d->consumed[i] = committed;
}

/* release gives a segment back that nobody writes to any more, and takes what was counted in it; image NULL: there
   is no trace it belongs to. */
static void release(vt_drain_t *d, vt_image_t *image, uint32_t i) {
  uint8_t *segment = vt_ring_segment(d->ring, i);
  if (image) vt_image_totals(image, segment);
  memset(segment + VT_SEGMENT_OFF_REALLOCS, 0, VT_SEGMENT_RECORDS_OFF - VT_SEGMENT_OFF_REALLOCS);
  d->consumed[i] = 0;
  vt_ring_give_back(d->ring, i);
}

static uint32_t number_of(vt_drain_t *d, uint32_t i) {
  return vt_load32(vt_ring_segment(d->ring, i) + VT_SEGMENT_OFF_NUMBER);
}

/* take_full takes segment i if it is full and its stream's next. */
static int take_full(vt_drain_t *d, uint32_t i) {
  uint64_t word = state_of(d->ring, i);
  if (word == VT_SEGMENT_FREE) return 0;
  vt_image_t *image = image_of(d, VT_SEGMENT_OWNER(word));
  if (!image || (word & VT_SEGMENT_STATE_MASK) != VT_SEGMENT_FULL) return 0;
  vt_image_stream_t *stream = vt_image_stream(image, stream_of(d, i));
  if (number_of(d, i) != stream->next_number) return 0;
  stream->next_number++;
  feed(d, image, i);
  release(d, image, i);
  return 1;
}

static uint32_t active(vt_drain_t const *d) {
  uint32_t cnt = 0;
  for (uint32_t i = 0; i < d->end->limit; i++)
    cnt += (state_of(d->ring, i) & VT_SEGMENT_STATE_MASK) == VT_SEGMENT_ACTIVE;
  return cnt;
}

/* A segment that an ended image left, and its number in its stream. */
typedef struct {
  uint32_t i, number;
} left_t;

static int by_number(void const *a, void const *b) {
  left_t const *x = a, *y = b;
  return x->number < y->number ? -1 : x->number > y->number;
}

/* what_is_left gathers the segments of the image in `slot` in the order of their streams. */
static left_t *what_is_left(vt_drain_t *d, uint32_t slot, size_t *cnt) {
  left_t *left = NULL;
  size_t left_cnt = 0, left_cap = 0;
  for (uint32_t i = 0; i < d->end->limit; i++) {
    if (!owns(d, slot, i)) continue;
    VT_PUSH(left, ((left_t){i, number_of(d, i)}));
  }
  if (left) qsort(left, left_cnt, sizeof *left, by_number);
  *cnt = left_cnt;
  return left;
}

/* take_rest takes what the image of a slot left; image NULL: there is no trace it belongs to. */
static void take_rest(vt_drain_t *d, uint32_t slot, vt_image_t *image) {
  size_t cnt;
  left_t *left = what_is_left(d, slot, &cnt);
  for (size_t k = 0; k < cnt; k++) {
    if (image) feed(d, image, left[k].i);
    release(d, image, left[k].i);
  }
  free(left);
}

static void free_slot(vt_drain_t *d, uint32_t slot) {
  d->replaced[slot] = 0;
  d->by_slot[slot] = NULL;
  vt_pauses_reset(&d->pauses, slot);
  vt_slots_free(&d->slots, slot);
}

static int is_in(vt_drain_t *d, uint32_t slot, pid_t pid) {
  vt_image_t *image = d->by_slot[slot];
  if (image) vt_heir_look_for(&image->look, d->end, &d->ring->images[slot]);
  if (image && (image->look.heir.pid == pid || (image->copying.on && image->copying.look.heir.pid == pid))) return 1;
  return d->slots.owner[slot].pid == pid;
}

/* no_stranger: process `pid` has an image, or is the heir of one, which may not have been looked for
   yet: its seat may lie where that of the image in question does, if one was forked by the other. */
static int no_stranger(void *context, pid_t pid) {
  vt_drain_t *d = context;
  uint16_t *last = &d->slot_of[(uint32_t)pid % VT_RING_IMAGES]; /* each look at /proc asks for all of them */
  if (is_in(d, *last, pid)) return 1;
  for (uint16_t slot = 1; slot < VT_RING_IMAGES; slot++) {
    if (!is_in(d, slot, pid)) continue;
    *last = slot;
    return 1;
  }
  return 0;
}

/* has_segments: are segments of the image in `slot` in the ring that have not been taken? */
static int has_segments(vt_drain_t *d, uint32_t slot) {
  uint32_t i = 0;
  while (i < d->end->limit && !owns(d, slot, i)) i++;
  return i < d->end->limit;
}

/* outlived: may a process that shares the memory of the ended or replaced image still write as it?
   Not if the only thread said that it ends: it would have waited for a vfork child. The look for
   such processes costs more than most images do. What is in the ring may be newer than that word: another
   thread's first records, or that it was not the end after all. */
static int outlived(vt_drain_t *d, uint32_t slot) {
  vt_image_t *image = d->by_slot[slot];
  if (image) vt_heir_look_for(&image->look, d->end, &d->ring->images[slot]);
  int look = !image || !image->said_end || image->streams_cnt > ONE_THREAD_STREAMS;
  look |= atomic_load_explicit(&d->ring->images[slot].threaded, memory_order_relaxed) != 0;
  return (look || has_segments(d, slot)) && vt_owner_shared(d->end, vt_slots_owner(&d->slots, slot), &d->ring->images[slot],
                                 no_stranger, d);
}

static void complete(vt_drain_t *d, vt_image_t *image) {
  uint32_t slot = image->place.slot;
  image->leaving = 0;
  vt_helper_end(&image->look.helper, NULL);
  vt_image_end(image, &d->ring->images[slot], (vt_clock_kind_t)d->ring->clock, image->wait_status);
  vt_outputs_drop(d->outputs, image);
  vt_outputs_collect(d->outputs, &image, 1); /* what was looked at by its name */
  free_slot(d, slot);
}

uint64_t vt_drain_kept(vt_drain_t const *d) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < d->images_cnt; i++)
    bytes += (d->images[i]->leaving ? d->images[i]->look.bytes : 0) +
             (d->images[i]->copying.on ? d->images[i]->copying.look.bytes : 0);
  return bytes;
}

void vt_drain_write(vt_drain_t *d) {
  vt_moment_of_clocks_t now = vt_drain_all(d);
  for (size_t i = 0; i < d->images_cnt; i++) {
    if (d->images[i]->ended || d->images[i]->leaving) continue;
    vt_pauses_mark(&d->pauses, d->images[i]);
    vt_image_flush(d->images[i], &now);
  }
}

void vt_drain_pause(vt_drain_t *d, vt_pause_t why) {
  vt_pauses_begin(&d->pauses, why, VT_PAUSE_NOW);
  vt_drain_write(d);
}

void vt_drain_resume(vt_drain_t *d) {
  vt_pauses_end(&d->pauses);
  vt_drain_write(d);
}

void vt_drain_end(vt_drain_t *d, vt_image_t *image, int wait_status) {
  uint32_t slot = image->place.slot;
  d->replaced[slot] = 0;
  int adopted = vt_copies_adopt(d, image);
  vt_copies_end(d, image, 0);
  take_rest(d, slot, image);
  vt_moment_of_clocks_t now = vt_image_now((vt_clock_kind_t)d->ring->clock);
  image->wait_status = wait_status;
  image->end_tick = now.tick;
  vt_image_flush(image, &now);
  vt_keep_end(d, image);
  if (!adopted) image->look.kind = image->said_end == VT_PROCESS_EXEC ? VT_SNAPSHOT_EXEC : VT_SNAPSHOT_EXIT;
  image->leaving = adopted || vt_heir_look_begin(&image->look, d->end, &d->ring->images[slot],
                                      image->open ? image->path : NULL, vt_drain_kept(d), d->high_tags);
  if (image->leaving) return;
  vt_copies_end(d, image, 1);
  complete(d, image);
}

/* tell_detached: all that was recorded is complete. */
static void tell_detached(vt_drain_t *d) {
  for (size_t i = 0; i < d->images_cnt; i++)
    if (d->images[i]->leaving) return;
  static char const line[] = "0 the trace is complete\n";
  (void)!send(d->detacher, line, sizeof line - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  close(d->detacher);
  d->detacher = 0;
}

void vt_drain_settle(vt_drain_t *d) {
  vt_heir_seen_t seen = {0};
  for (size_t i = 0; i < d->images_cnt; i++) {
    vt_image_t *image = d->images[i];
    vt_copies_settle(d, image);
    seen.pages.sz = seen.leaks.sz = 0;
    if (!image->leaving || image->copying.on || !vt_heir_look_settle(&image->look, &seen)) continue;
    vt_image_seen(image, &seen);
    complete(d, image);
  }
  if (d->detacher) tell_detached(d);
  vt_bytes_free(&seen.pages);
  vt_bytes_free(&seen.leaks);
}

/* end_replaced ends the images that exec has replaced. The one that says so may have been seen
   first: what they had written is in the ring. */
static void end_replaced(vt_drain_t *d) {
  while (d->replacements) {
    d->replacements = 0;
    for (uint32_t slot = 1; slot < VT_RING_IMAGES; slot++) {
      vt_image_t *image = d->replaced[slot] ? image_of(d, slot) : NULL;
      if (image && !image->leaving && !outlived(d, slot)) vt_drain_end(d, image, -1);
    }
  }
}

/* close_gates: images whose files are nearly as large as they may be are recorded no further. */
static void close_gates(vt_drain_t *d) {
  for (uint32_t slot = 1; d->outputs->max_size && slot < VT_RING_IMAGES; slot++) {
    vt_image_t *image = d->by_slot[slot];
    if (image && image->room == VT_ROOM_LITTLE) vt_image_close(image, vt_pauses_close(&d->pauses, slot));
  }
}

/* What a drain waits for: segments that were full when it began. Others become full all the time, and there are other
   things to do. */
static uint8_t awaited[VT_RING_SEGMENTS];

static void await_full(vt_drain_t *d) {
  for (uint32_t i = 0; i < d->end->limit; i++)
    awaited[i] = (state_of(d->ring, i) & VT_SEGMENT_STATE_MASK) == VT_SEGMENT_FULL;
}

static int is_awaiting(vt_drain_t const *d) {
  return memchr(awaited, 1, d->end->limit) != NULL;
}

size_t vt_drain_full(vt_drain_t *d) {
  size_t total = 0, got;
  await_full(d);
  vt_ring_raise_limit(d->end, active(d));
  do {
    got = 0;
    for (uint32_t i = 0; i < d->end->limit; i++) {
      if (!take_full(d, i)) continue;
      awaited[i] = 0;
      got++;
    }
    total += got;
    close_gates(d);
    for (size_t i = 0; d->outputs->keep && i < d->images_cnt; i++)
      if (!d->images[i]->ended && !d->images[i]->leaving) vt_keep_mind(d, d->images[i]);
    end_replaced(d);
  } while (got && is_awaiting(d));
  return total;
}

static void take_partial(vt_drain_t *d) {
  for (uint32_t i = 0; i < d->end->limit; i++) {
    uint64_t word = state_of(d->ring, i);
    if ((word & VT_SEGMENT_STATE_MASK) != VT_SEGMENT_ACTIVE || !committed_of(d->ring, i)) continue;
    vt_image_t *image = image_of(d, VT_SEGMENT_OWNER(word));
    if (!image || number_of(d, i) != vt_image_stream(image, stream_of(d, i))->next_number) continue;
    uint32_t from = d->consumed[i];
    feed(d, image, i);
    vt_ring_drained(d->ring, i, from, d->consumed[i]);
  }
}

/* Why everything: a segment that is unfinished when partial ones are looked at has its predecessors
   taken, unless they became full after the first look, and so after `now`. One that became full
   meanwhile is taken by the second look. */
vt_moment_of_clocks_t vt_drain_all(vt_drain_t *d) {
  vt_moment_of_clocks_t now = vt_image_now((vt_clock_kind_t)d->ring->clock);
  vt_drain_full(d);
  take_partial(d);
  vt_drain_full(d);
  return now;
}

int vt_drain_awaited(vt_drain_t const *d, vt_image_t const *image) {
  return image->place.first && d->first_awaited;
}

vt_image_t *vt_drain_last(vt_drain_t const *d) {
  vt_image_t *last = NULL;
  for (size_t i = 0; i < d->images_cnt; i++) {
    vt_image_t *image = d->images[i];
    if (image->place.first && (!last || image->start_tick > last->start_tick)) last = image;
  }
  return last;
}

int vt_drain_status(vt_drain_t *d, vt_image_t const *image, vt_image_t const *last) {
  vt_owner_t const *owner = vt_slots_owner(&d->slots, image->place.slot);
  if (image == last && d->first_status >= 0) return d->first_status;
  return vt_ending_status(owner->pid, owner->fd, owner->start);
}

/* note_peak takes what the kernel has told of the first process's memory for its last image, unless an
   earlier one had as much. */
static void note_peak(vt_drain_t const *d, vt_image_t *last) {
  for (size_t i = 0; i < d->images_cnt; i++)
    if (d->images[i]->place.first && d->images[i] != last &&
        d->images[i]->peak_resident >= d->first_peak)
      return;
  if (d->first_peak < last->peak_resident || !d->first_peak || last->said_end == VT_PROCESS_EXEC)
    return;
  last->peak_resident = d->first_peak;
  last->peak_certain = 1;
}

void vt_drain_doubt(vt_drain_t *d) {
  for (uint32_t slot = 1; slot < VT_RING_IMAGES; slot++) d->slots.owner[slot].shared = 0;
}

void vt_drain_ended(vt_drain_t *d) {
  vt_drain_full(d);
  vt_image_t const *last = vt_drain_last(d);
  for (uint32_t slot = 1; slot < VT_RING_IMAGES; slot++) {
    vt_image_t *image = d->by_slot[slot];
    if (!image || image->leaving || vt_drain_awaited(d, image)) continue;
    if (!vt_owner_gone(d->end, vt_slots_owner(&d->slots, slot)) || outlived(d, slot)) continue;
    if (image == last) note_peak(d, image);
    vt_drain_end(d, image, vt_drain_status(d, image, last));
  }
}

void vt_drain_leftovers(vt_drain_t *d) {
  for (uint32_t slot = 1; slot < VT_RING_IMAGES && d->slots.first_pid; slot++) {
    d->replacements |= d->replaced[slot];
    if (d->by_slot[slot] || !vt_slots_image(&d->slots, slot)) continue;
    int over = d->replaced[slot] || vt_owner_gone(d->end, vt_slots_owner(&d->slots, slot));
    if (!over || outlived(d, slot)) continue;
    if (image_of(d, slot)) continue; /* what it had written is seen now */
    take_rest(d, slot, NULL);
    free_slot(d, slot);
  }
  vt_drain_ended(d);
}
