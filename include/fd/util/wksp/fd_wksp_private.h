#ifndef HEADER_fd_util_wksp_fd_wksp_private_h
#define HEADER_fd_util_wksp_fd_wksp_private_h

/* Layout of a wksp and the operations on its indices, for the implementation, its tests and tools.

   The partition records with tag!=0 are the only truth.  Everything else (list of partitions in
   address order, index of used partitions by address, index of free partitions by size, stack of
   idle records) is derived from them and can be rebuilt.  Both indices are treaps threaded through
   the records, with parent links so that removal needs no descent.  Records of equal size hang off
   the one that is in the free treap in a list ("same list"). */

#include "fd_wksp.h"

/* 1: a waiter takes the lock over from a dead owner.  0: it waits for ever. */
#ifndef FD_WKSP_LOCK_RECLAIM
#define FD_WKSP_LOCK_RECLAIM 1
#endif

#define FD_WKSP_MAGIC (0xfd3c9a51774b5001UL) /* fd wksp version 1 */

/* Bytes of the build and user info a checkpoint keeps, terminators included. */
#define FD_WKSP_CHECKPT_V1_BINFO_MAX (16384UL)
#define FD_WKSP_CHECKPT_V1_UINFO_MAX (16384UL)
#define FD_WKSP_CHECKPT_V2_BINFO_MAX (16384UL)
#define FD_WKSP_CHECKPT_V2_UINFO_MAX (16384UL)

#define FD_WKSP_PRIVATE_PINFO_ALIGN     (64UL)
#define FD_WKSP_PRIVATE_PINFO_FOOTPRINT (64UL)
#define FD_WKSP_PRIVATE_PINFO_IDX_NULL  ((ulong)UINT_MAX)
#define FD_WKSP_PRIVATE_PART_MAX        ((ulong)UINT_MAX)

/* A partition record.  [gaddr_lo,gaddr_hi) and tag mean something if the record is in the partition
   list, links only in the structure the record is in. */
struct __attribute__((aligned(64))) fd_wksp_private_pinfo {
  ulong gaddr_lo;
  ulong gaddr_hi;
  ulong tag;        /* 0 free; the store that makes it non-zero completes an allocation */
  uint in_same : 1; /* 1: member but not head of a same list */
  uint heap_prio : 31;
  uint prev_cidx; /* partition list */
  uint next_cidx;
  uint left_cidx; /* treap; left holds the smaller keys */
  uint right_cidx;
  uint same_cidx;   /* next of the same list */
  uint parent_cidx; /* treap parent, or predecessor in the same list */
  uint stack_cidx;  /* next idle record */
  ulong cycle_tag;  /* mark of the most recent verify */
};
typedef struct fd_wksp_private_pinfo fd_wksp_private_pinfo_t;

struct __attribute__((aligned(128))) fd_wksp_private {
  ulong magic;
  ulong part_max;
  ulong data_max;
  ulong gaddr_lo;
  ulong gaddr_hi;
  char name[FD_SHMEM_NAME_MAX];
  uint seed;
  uint idle_top_cidx;
  uint part_head_cidx;
  uint part_tail_cidx;
  uint part_used_cidx; /* root of the index by address */
  uint part_free_cidx; /* root of the index by size */
  ulong cycle_tag;     /* last mark handed out */
  ulong owner;         /* the lock: ULONG_MAX free, else group id of the owner */
  uint discard; /* != 0: all records are void and the wksp is to have so many partitions; this
                   makes reset and restore all-or-nothing for a killed process */
  uint heap_id; /* drawn by new: what tells this wksp from others in a recording of its blocks */
};

FD_STATIC_ASSERT(sizeof(struct fd_wksp_private) == 128UL, wksp_header_layout);
FD_STATIC_ASSERT(sizeof(fd_wksp_private_pinfo_t) == FD_WKSP_PRIVATE_PINFO_FOOTPRINT,
                 wksp_pinfo_layout);

FD_PROTOTYPES_BEGIN

/* Offsets in bytes from the start of the wksp. */
static inline ulong fd_wksp_private_pinfo_off(void) { return sizeof(struct fd_wksp_private); }
static inline ulong fd_wksp_private_data_off(ulong part_max) {
  return fd_wksp_private_pinfo_off() + part_max * FD_WKSP_PRIVATE_PINFO_FOOTPRINT;
}

/* The record array, part_max of them. */
static inline fd_wksp_private_pinfo_t *fd_wksp_private_pinfo(fd_wksp_t *wksp) {
  return (fd_wksp_private_pinfo_t *)((ulong)wksp + fd_wksp_private_pinfo_off());
}
static inline fd_wksp_private_pinfo_t const *fd_wksp_private_pinfo_const(fd_wksp_t const *wksp) {
  return (fd_wksp_private_pinfo_t const *)((ulong)wksp + fd_wksp_private_pinfo_off());
}

/* Record indices as ulong and, in memory, as uint. */
static inline uint fd_wksp_private_pinfo_cidx(ulong idx) { return (uint)idx; }
static inline ulong fd_wksp_private_pinfo_idx(uint cidx) { return (ulong)cidx; }
static inline int fd_wksp_private_pinfo_idx_is_null(ulong idx) {
  return idx == FD_WKSP_PRIVATE_PINFO_IDX_NULL;
}

/* Bytes of a partition. */
static inline ulong fd_wksp_private_pinfo_sz(fd_wksp_private_pinfo_t const *pinfo) {
  return pinfo->gaddr_hi - pinfo->gaddr_lo;
}

/* Stack of idle records; caller holds the lock or is alone, silent.  is_empty: 1 iff pop would find
   none.  pop: the index of a record taken off, IDX_NULL if there is none or the top is damaged; its
   fields are the caller's to set.  push: gives record i < part_max back, as free and without a
   range.  O(1). */
static inline int fd_wksp_private_idle_stack_is_empty(fd_wksp_t const *wksp) {
  return fd_wksp_private_pinfo_idx(wksp->idle_top_cidx) >= wksp->part_max;
}
static inline ulong fd_wksp_private_idle_stack_pop(fd_wksp_t *wksp,
                                                   fd_wksp_private_pinfo_t *pinfo) {
  if (FD_UNLIKELY(fd_wksp_private_idle_stack_is_empty(wksp))) return FD_WKSP_PRIVATE_PINFO_IDX_NULL;
  ulong i = fd_wksp_private_pinfo_idx(wksp->idle_top_cidx);
  wksp->idle_top_cidx = pinfo[i].stack_cidx;
  return i;
}
static inline void fd_wksp_private_idle_stack_push(ulong i, fd_wksp_t *wksp,
                                                   fd_wksp_private_pinfo_t *pinfo) {
  pinfo[i].gaddr_lo = 0UL;
  pinfo[i].gaddr_hi = 0UL;
  pinfo[i].tag = 0UL;
  pinfo[i].stack_cidx = wksp->idle_top_cidx;
  wksp->idle_top_cidx = fd_wksp_private_pinfo_cidx(i);
}

/* Takes the lock, from a dead owner if need be.  SUCCESS, or CORRUPT (logs) if the wksp of a dead
   owner could not be repaired; the lock is then not held. */
int fd_wksp_private_lock(fd_wksp_t *wksp);

/* Gives the lock back; publishes everything done under it. */
void fd_wksp_private_unlock(fd_wksp_t *wksp);

/* 1 iff sizes and offsets in the header fit each other. */
int fd_wksp_private_header_is_sane(fd_wksp_t const *wksp);

/* Index by address.  Caller holds the lock or is alone; silent.  None looks at the tag or needs the
   record to be in the partition list.  Membership means reachable from the root; insert rewrites
   links left from other structures.

   query: the record with gaddr_lo<=gaddr<gaddr_hi or IDX_NULL.  insert: SUCCESS, or CORRUPT with
   the index unmodified if n>=part_max, the range is empty or outside the data region, or n or a
   record that overlaps it is present.  remove: SUCCESS, or CORRUPT with the index unmodified if
   d>=part_max or d is not present.  CORRUPT also if damaged links were met.  O(log n) expected. */
ulong fd_wksp_private_used_treap_query(ulong gaddr, fd_wksp_t *wksp,
                                       fd_wksp_private_pinfo_t *pinfo);
int fd_wksp_private_used_treap_insert(ulong n, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo);
int fd_wksp_private_used_treap_remove(ulong d, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo);

/* Index by size, likewise.  query: a record of the smallest size >= sz, IDX_NULL if there is none
   or sz is 0.  insert takes equal sizes; inserting a present record is CORRUPT unless it is in_same
   (undetected then).  remove of the head of a same list gives its place and priority to the next.
 */
ulong fd_wksp_private_free_treap_query(ulong sz, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo);
int fd_wksp_private_free_treap_insert(ulong n, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo);
int fd_wksp_private_free_treap_remove(ulong d, fd_wksp_t *wksp, fd_wksp_private_pinfo_t *pinfo);

/* The same list behind record d, d < part_max being in the index by size.  is_empty: 1 iff no record
   of d's size follows d.  remove: takes the one that follows off the index and returns its index;
   IDX_NULL, with nothing changed, if there is none or the links are damaged.  O(1). */
int fd_wksp_private_free_treap_same_is_empty(ulong d, fd_wksp_t *wksp,
                                             fd_wksp_private_pinfo_t *pinfo);
ulong fd_wksp_private_free_treap_same_remove(ulong d, fd_wksp_t *wksp,
                                             fd_wksp_private_pinfo_t *pinfo);

/* The I/O API of fd_wksp.h for files of one version, with its results and logs.  v1: style V1; v2:
   V2 and V3, which differ in the style of their frames (FD_CHECKPT_FRAME_STYLE_RAW or _LZ4, the
   latter INVAL without LZ4).  A file of the other version is FAIL (logs) to restore and -1 (logs)
   to printf, the workspace untouched. */
int fd_wksp_private_checkpt_v1(fd_tpool_t *tpool, ulong t0, ulong t1, fd_wksp_t *wksp,
                               char const *path, ulong mode, char const *uinfo);
int fd_wksp_private_checkpt_v2(fd_tpool_t *tpool, ulong t0, ulong t1, fd_wksp_t *wksp,
                               char const *path, ulong mode, char const *uinfo,
                               int frame_style_compressed);
int fd_wksp_private_restore_v1(fd_tpool_t *tpool, ulong t0, ulong t1, fd_wksp_t *wksp,
                               char const *path, uint seed);
int fd_wksp_private_restore_v2(fd_tpool_t *tpool, ulong t0, ulong t1, fd_wksp_t *wksp,
                               char const *path, uint seed);
int fd_wksp_private_printf_v1(int fd, char const *path, int verbose);
int fd_wksp_private_printf_v2(int fd, char const *path, int verbose);

FD_PROTOTYPES_END

#endif
