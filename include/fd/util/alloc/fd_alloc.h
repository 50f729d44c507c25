#ifndef HEADER_fd_util_alloc_fd_alloc_h
#define HEADER_fd_util_alloc_fd_alloc_h

/* A lock-free allocator of small objects inside a wksp, for any number of threads of any processes
   that joined the wksp.  Requests up to about 36 KiB are served in O(1) from superblocks of up to
   64 blocks of one size class; larger ones are allocations of the wksp under the alloc's tag, and
   so are the largest superblocks.  All state is in the wksp and position independent: what one
   process allocates another may free.

   A join is the address of the alloc with a concurrency group hint in its low bits; threads that
   use different hints rarely touch the same superblock.  A process killed inside an operation
   wedges nobody; at worst the superblock it held stays allocated. */

#include "../valloc/fd_valloc.h"
#include "../wksp/fd_wksp.h"

#define FD_ALLOC_ALIGN                (128UL)
#define FD_ALLOC_FOOTPRINT            (sizeof(fd_alloc_t))
#define FD_ALLOC_MALLOC_ALIGN_DEFAULT (16UL) /* alignment of a malloc asked with align 0 */
#define FD_ALLOC_JOIN_CGROUP_HINT_MAX (15UL)
#define FD_ALLOC_SIZECLASS_MAX        (240UL)

struct __attribute__((aligned(128))) fd_alloc_private {
  ulong magic;
  ulong wksp_off; /* gaddr of this */
  ulong tag;
  ulong mem[4093]; /* private */
};
typedef struct fd_alloc_private fd_alloc_t;

FD_STATIC_ASSERT(sizeof(fd_alloc_t) == 32768UL, fd_alloc_footprint_is_contract);

FD_PROTOTYPES_BEGIN

FD_FN_CONST ulong fd_alloc_align(void);
FD_FN_CONST ulong fd_alloc_footprint(void);

/* Formats shmem, which is inside a wksp this process has joined, as an alloc whose superblocks and
   large allocations get tag, and returns shmem.  NULL (logs): NULL, misaligned, in no wksp, tag 0.
 */
void *fd_alloc_new(void *shmem, ulong tag);

/* Joins with hint & 15.  NULL (logs): NULL, misaligned, no alloc.  leave and delete give shalloc
   back; NULL (logs) for bad input.  delete returns all superblocks it has hold of to the wksp, with
   whatever is still allocated in them, but no large allocation; nobody may be in an operation. */
fd_alloc_t *fd_alloc_join(void *shalloc, ulong cgroup_hint);
void *fd_alloc_leave(fd_alloc_t *join);
void *fd_alloc_delete(void *shalloc);

/* The hint of a join, and the same join with another hint. */
static inline ulong fd_alloc_join_cgroup_hint(fd_alloc_t *join) {
  return (ulong)join & FD_ALLOC_JOIN_CGROUP_HINT_MAX;
}
static inline fd_alloc_t *fd_alloc_join_cgroup_hint_set(fd_alloc_t *join, ulong cgroup_hint) {
  return (fd_alloc_t *)(((ulong)join & ~FD_ALLOC_JOIN_CGROUP_HINT_MAX) |
                        (cgroup_hint & FD_ALLOC_JOIN_CGROUP_HINT_MAX));
}

/* The wksp of a join and its tag; NULL / 0 for a NULL join. */
FD_FN_PURE fd_wksp_t *fd_alloc_wksp(fd_alloc_t *join);
FD_FN_PURE ulong fd_alloc_tag(fd_alloc_t *join);

/* Memory of *max>=sz bytes aligned to align (power of 2, 0 for the default), not cleared.  NULL
   with *max 0, silently, for NULL join, bad align, sz 0, overflow and no memory.  Lock-free up to
   the superblocks and large requests, which lock the wksp. */
void *fd_alloc_malloc_at_least(fd_alloc_t *join, ulong align, ulong sz, ulong *max);
static inline void *fd_alloc_malloc(fd_alloc_t *join, ulong align, ulong sz) {
  ulong max;
  return fd_alloc_malloc_at_least(join, align, sz, &max);
}

/* Frees what any join of this alloc allocated.  NULL join or laddr: no effect, silent. */
void fd_alloc_free(fd_alloc_t *join, void *laddr);

/* Returns every superblock without allocated block to the wksp.  Safe beside other operations,
   whose superblocks it then may miss. */
void fd_alloc_compact(fd_alloc_t *join);

/* 1 iff no malloc is outstanding (no partition has the tag except the one the alloc itself is in).
   Compacts.  0 for NULL.  Exact only without concurrent operations. */
int fd_alloc_is_empty(fd_alloc_t *join);

/* New capacity for a growing array of capacity max: at least needed, at least max+delta, about 5/4
   max; saturates at ULONG_MAX. */
FD_FN_CONST static inline ulong fd_alloc_max_expand(ulong max, ulong delta, ulong needed) {
  ulong t0 = max + delta;
  ulong t1 = max + (max >> 2) + (max >> 4);
  t0 = fd_ulong_if(t0 < max, ULONG_MAX, t0);
  t1 = fd_ulong_if(t1 < max, ULONG_MAX, t1);
  return fd_ulong_max(fd_ulong_max(t0, t1), needed);
}

/* A join as fd_valloc_t: fd_alloc_malloc and fd_alloc_free behind the vtable.  The join must outlive
   it. */
extern const fd_valloc_vtable_t fd_alloc_vtable;

static inline fd_valloc_t fd_alloc_virtual(fd_alloc_t *join) {
  fd_valloc_t valloc = {join, &fd_alloc_vtable};
  return valloc;
}

FD_PROTOTYPES_END

#endif
