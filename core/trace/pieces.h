/* A large shared file of which a process maps only the pieces it uses.

   A limit on address space, or mlockall, compares or locks whatever is mapped; so the ring and the
   trace file are mapped piece by piece. The first bytes of the file are mapped as long as the
   process lives. A piece is made by mremap with an old size of 0, which maps the same file once
   more (mremap(2)): from a lower piece, so that no descriptor is needed (the host may have closed
   it), and with the flags of that piece, so that mlockall(MCL_FUTURE) does not lock it.

   All calls are thread- and signal-safe and lock-free; they make system calls only to map and unmap.
   A forked child may go on with its copy, unless the base was mapped with MADV_DONTFORK. */
#ifndef VT_CORE_TRACE_PIECES_H
#define VT_CORE_TRACE_PIECES_H

#include <stdatomic.h>
#include <stdint.h>
#include "valtrace/trace_format.h"

#define VT_PIECE_SEGMENTS 8
#define VT_PIECE_SZ       ((uint64_t)VT_PIECE_SEGMENTS * VT_SEGMENT_SZ)
#define VT_PIECES_MAX     32768

typedef struct {
  uint8_t *base;    /* [0,base_sz) of the file, whole segments; NULL: nothing is mapped */
  uint64_t base_sz; /* piece k begins at base_sz + k * VT_PIECE_SZ */
  _Atomic uint64_t top; /* pieces from here on have never been mapped */
  /* Where piece k is; in the low bits how much of it is done with. 0: not mapped yet. */
  _Atomic uint64_t piece[VT_PIECES_MAX];
} vt_pieces_t;

/* vt_pieces_begin maps the first base_sz bytes of the file behind fd. Returns 0 or a negative errno
   value; then nothing has changed. */
int vt_pieces_begin(vt_pieces_t *p, int fd, uint64_t base_sz);

/* vt_pieces_end unmaps everything; vt_pieces_forget only forgets it, in a forked child that never had
   it. No other call may be in progress. */
void vt_pieces_end(vt_pieces_t *p);
void vt_pieces_forget(vt_pieces_t *p);

/* vt_pieces_mapped is piece k if it is mapped, else NULL; no system call. */
static inline uint8_t *vt_pieces_mapped(vt_pieces_t const *p, uint64_t k) {
  uint64_t word = k < VT_PIECES_MAX ? atomic_load_explicit(&p->piece[k], memory_order_acquire) : 0;
  return (uint8_t *)(word & ~(uint64_t)4095);
}

/* vt_pieces_map is piece k, which it maps if it is not; NULL: there is no room. For pieces that are
   never done with: those in between are left out. */
uint8_t *vt_pieces_map(vt_pieces_t *p, uint64_t k);

/* vt_pieces_map_next is the same for a file that is used from the beginning to the end: it maps the
   pieces in between, too. */
uint8_t *vt_pieces_map_next(vt_pieces_t *p, uint64_t k);

/* vt_pieces_done says that a segment of piece k is done with. A piece is unmapped when its segments
   are, if vt_pieces_map_next has mapped the one behind it. */
void vt_pieces_done(vt_pieces_t *p, uint64_t k);

/* vt_pieces_ahead maps pieces from k on that are not mapped, at most cnt and as many as can be had
   at once, for a process that will not be able to. */
void vt_pieces_ahead(vt_pieces_t *p, uint64_t k, uint64_t cnt);

/* vt_pieces_unlock undoes for all of them what mlockall did. */
void vt_pieces_unlock(vt_pieces_t *p);

#endif
