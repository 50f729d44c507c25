/* See pieces.h. The word of a piece is written once, by the compare-and-swap that publishes it; who
   loses that race unmaps its own copy. */
#include "core/trace/pieces.h"
#include "core/trace/sys.h"

/* Tickets of a piece used in order: one for each segment, and one for the piece mapped from it. */
#define TICKETS ((uint64_t)VT_PIECE_SEGMENTS + 1)
#define GONE    ((uint64_t)1) /* all tickets are in, and nothing is mapped */
/* Pieces that are mapped from the start where they cannot be later: 256 MiB. */
#define BEFOREHAND ((uint64_t)512)

static uint64_t top_of(vt_pieces_t const *p) {
  return atomic_load_explicit(&p->top, memory_order_acquire);
}

void vt_pieces_forget(vt_pieces_t *p) {
  for (uint64_t k = 0; k < top_of(p); k++)
    atomic_store_explicit(&p->piece[k], 0, memory_order_relaxed);
  atomic_store_explicit(&p->top, 0, memory_order_relaxed);
  p->base = NULL;
}

void vt_pieces_end(vt_pieces_t *p) {
  for (uint64_t k = 0; k < top_of(p); k++)
    if (vt_pieces_mapped(p, k)) vt_sys_munmap(vt_pieces_mapped(p, k), VT_PIECE_SZ);
  if (p->base) vt_sys_munmap(p->base, p->base_sz);
  vt_pieces_forget(p);
}

/* duplicate maps sz bytes from piece k on once more: from the last segment of the nearest lower
   piece, less what lies between. */
static uint8_t *duplicate(vt_pieces_t *p, uint64_t k, uint64_t sz) {
  uint64_t j = k < top_of(p) ? k : top_of(p);
  while (j && !vt_pieces_mapped(p, j - 1)) j--;
  uint8_t *end = j ? vt_pieces_mapped(p, j - 1) + VT_PIECE_SZ : p->base + p->base_sz;
  uint64_t gap = VT_SEGMENT_SZ + (k - j) * VT_PIECE_SZ;
  uint8_t *made = vt_sys_mremap(end - VT_SEGMENT_SZ, 0, gap + sz, MREMAP_MAYMOVE);
  if (vt_sys_failed(made)) return NULL;
  vt_sys_munmap(made, gap);
  return made + gap;
}

/* publish makes `made` piece k; returns 0 if another thread was faster. Linearizes at the
   compare-and-swap; its release pairs with the acquire in vt_pieces_mapped. */
static int publish(vt_pieces_t *p, uint64_t k, uint8_t *made) {
  uint64_t none = 0, top = top_of(p);
  while (top <= k && !atomic_compare_exchange_weak_explicit(&p->top, &top, k + 1,
                                                            memory_order_acq_rel,
                                                            memory_order_acquire))
    continue;
  if (atomic_compare_exchange_strong_explicit(&p->piece[k], &none, (uint64_t)made,
                                              memory_order_acq_rel, memory_order_relaxed))
    return 1;
  vt_sys_munmap(made, VT_PIECE_SZ);
  return 0;
}

static uint8_t *map_file(int fd, uint64_t from, uint64_t sz) {
  return vt_sys_mmap(NULL, sz, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, (off_t)from);
}

/* can_duplicate: user-mode emulators (QEMU 7.2) do not map once more what is mapped shared. */
static int can_duplicate(vt_pieces_t const *p) {
  void *probe = vt_sys_mremap(p->base, 0, VT_SEGMENT_SZ, MREMAP_MAYMOVE);
  if (vt_sys_failed(probe)) return 0;
  vt_sys_munmap(probe, VT_SEGMENT_SZ);
  return 1;
}

int vt_pieces_begin(vt_pieces_t *p, int fd, uint64_t base_sz) {
  void *base = map_file(fd, 0, base_sz);
  if (vt_sys_failed(base)) return (int)(long)base;
  vt_sys_madvise(base, base_sz, MADV_DONTDUMP);
  p->base = base;
  p->base_sz = base_sz;
  if (can_duplicate(p)) return 0;
  uint8_t *made = map_file(fd, base_sz, BEFOREHAND * VT_PIECE_SZ);
  for (uint64_t k = 0; k < BEFOREHAND && !vt_sys_failed(made); k++)
    publish(p, k, made + k * VT_PIECE_SZ);
  return 0;
}

uint8_t *vt_pieces_map(vt_pieces_t *p, uint64_t k) {
  uint8_t *mapped = vt_pieces_mapped(p, k);
  if (mapped || k >= VT_PIECES_MAX) return mapped;
  uint8_t *made = duplicate(p, k, VT_PIECE_SZ);
  if (made) publish(p, k, made);
  return vt_pieces_mapped(p, k);
}

/* A lower piece that another thread unmaps meanwhile does no harm: then the piece behind it is
   mapped, and what was made of it loses in publish. */
uint8_t *vt_pieces_map_next(vt_pieces_t *p, uint64_t k) {
  if (k >= VT_PIECES_MAX) return NULL;
  while (!atomic_load_explicit(&p->piece[k], memory_order_acquire)) {
    uint64_t j = k;
    while (j && !atomic_load_explicit(&p->piece[j - 1], memory_order_acquire)) j--;
    uint8_t *made = duplicate(p, j, VT_PIECE_SZ);
    if (made && publish(p, j, made) && j) vt_pieces_done(p, j - 1);
    if (!made && !atomic_load_explicit(&p->piece[j], memory_order_acquire)) return NULL;
  }
  return vt_pieces_mapped(p, k);
}

void vt_pieces_done(vt_pieces_t *p, uint64_t k) {
  /* The last ticket's acquire sees all uses of the piece before their releases. */
  uint64_t word = atomic_fetch_add_explicit(&p->piece[k], 1, memory_order_acq_rel) + 1;
  if ((word & 4095) != TICKETS) return;
  atomic_store_explicit(&p->piece[k], GONE, memory_order_release);
  vt_sys_munmap((uint8_t *)(word & ~(uint64_t)4095), VT_PIECE_SZ);
}

void vt_pieces_ahead(vt_pieces_t *p, uint64_t k, uint64_t cnt) {
  while (k < VT_PIECES_MAX && vt_pieces_mapped(p, k)) k++;
  if (cnt > VT_PIECES_MAX - k) cnt = VT_PIECES_MAX - k;
  for (uint8_t *made; cnt; cnt /= 2) {
    if (!(made = duplicate(p, k, cnt * VT_PIECE_SZ))) continue;
    for (uint64_t i = 0; i < cnt; i++) publish(p, k + i, made + i * VT_PIECE_SZ);
    return;
  }
}

void vt_pieces_unlock(vt_pieces_t *p) {
  if (p->base) vt_sys_munlock(p->base, p->base_sz);
  for (uint64_t k = 0; k < top_of(p); k++)
    if (vt_pieces_mapped(p, k)) vt_sys_munlock(vt_pieces_mapped(p, k), VT_PIECE_SZ);
}
