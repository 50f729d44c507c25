/* A set of 64-bit keys that threads ask, add to and take from without locks: how a free finds out whether
   its block is one that was recorded.

   The question is asked by every free, and the answer is nearly always no: marks are counters by a hash
   that keeps neighbours together, so that blocks of one neighbourhood ask the same few cache lines; a
   mark of 0 means no. Where it is not, lines of seven keys each tell exactly, chained where one is not
   enough; lines stay, keys come and go. A key is in the set from the return of vt_members_add, seen
   by whoever got it by a synchronization of the program's own, until one vt_members_take returns 1. */
#ifndef VT_CORE_TRACE_MEMBERS_H
#define VT_CORE_TRACE_MEMBERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define VT_MEMBERS_MARKS ((uint32_t)1 << 15) /* 128 KiB: what it takes for one in eight to be in vain with
                                                4,096 keys */
#define VT_MEMBERS_LINES ((uint32_t)1 << 15)
#define VT_MEMBERS_EACH  7

typedef struct vt_members_line {
  _Alignas(64) _Atomic uint64_t keys[VT_MEMBERS_EACH]; /* 0: free */
  struct vt_members_line *_Atomic next;
} vt_members_line_t;

typedef struct {
  _Atomic uint32_t *marks; /* VT_MEMBERS_MARKS of them, then the lines; NULL: an empty set of no memory */
  vt_members_line_t *lines;
  _Atomic uint64_t spare; /* the next unused line of the last page for further ones; a multiple of a page: none */
  void *(*memory)(size_t sz); /* zeroed pages, or NULL; thread and signal safe */
} vt_members_t;

/* vt_members_begin makes the set empty: of its own memory, in a forked child again. The memory it had, if
   any, is given back but for further lines. Returns 0, or -1 without memory. Nobody else may use it meanwhile. */
int vt_members_begin(vt_members_t *m, void *(*memory)(size_t sz));

/* vt_members_add puts a key other than 0 in; a key that is there is there twice then. -1: no memory. */
int vt_members_add(vt_members_t *m, uint64_t key);

/* vt_members_take takes a key out; returns 1, or 0 if it was not there. */
int vt_members_take(vt_members_t *m, uint64_t key);

static inline uint32_t vt_members_mark(uint64_t key) {
  return (uint32_t)(key >> 4 ^ key >> 19) & (VT_MEMBERS_MARKS - 1);
}

/* vt_members_maybe: may the key be in the set? 0: it is not. */
static inline int vt_members_maybe(vt_members_t const *m, uint64_t key) {
  return atomic_load_explicit(&m->marks[vt_members_mark(key)], memory_order_relaxed) != 0;
}

#endif
