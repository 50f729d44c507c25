#ifndef HEADER_core_alloc_alloc_private_h
#define HEADER_core_alloc_alloc_private_h

/* Shared state of an alloc and the superblock.

   Who holds a superblock.  A superblock with free blocks is either in a slot or on a stack (there is
   one of each per size class and concurrency group), or held by the one thread that took it from
   there; only the holder takes blocks out of it or gives it up.  The holder has the blocks of local
   for itself; frees go to remote, from where the holder collects them when local is used up.  A
   superblock without any free block is detached: remote is marked, it is nowhere, and the free that
   takes the mark off becomes its holder.

   A slot is borrowed by exchanging SLOT_BUSY for its content.  Only a borrower stores anything
   else, so that it can give the superblock back with a plain release store.  Whoever finds
   SLOT_BUSY uses the stack instead. */

#include "fd/util/alloc/fd_alloc.h"
#include "fd/util/alloc/fd_alloc_cfg.h"

#define ALLOC_MAGIC      (0xfda110c0a110c001UL)
#define ALLOC_CGROUP_CNT (FD_ALLOC_JOIN_CGROUP_HINT_MAX + 1UL)
#define SLOT_EMPTY       (0UL)
#define SLOT_BUSY        (1UL)

/* What precedes the memory of a malloc: class (7 bits, CLASS_LARGE for an allocation of the wksp),
   block (6), offset of the memory in its superblock (18).  It has any alignment. */
#define ALLOC_HDR_SZ      (4UL)
#define ALLOC_CLASS_LARGE (127UL)

typedef struct {
  ulong link;  /* gaddr>>3 of the next superblock on the stack in the high 44 bits; in bits 6-9 the
                  concurrency group that held it last; in the low 6 the block of the parent superblock
                  that this one is */
  ulong local; /* bit per free block, the holder's */
  ulong remote; /* bit per freed block, and REMOTE_DETACHED */
} superblock_t;

#define REMOTE_DETACHED (1UL << 63)

/* The layout of fd_alloc_t. */
typedef struct __attribute__((aligned(128))) {
  ulong magic;
  ulong wksp_off;
  ulong tag;
  ulong heap_id; /* what tells it from other allocs in a recording of its blocks */
  /* Those of one concurrency group side by side, as one thread uses them.  A superblock goes to the
     stack of the group that held it last, whoever frees into it, so that threads seldom share one;
     a stack's word is version<<44 | gaddr>>3 of its top superblock. */
  ulong __attribute__((aligned(128)))
  slot[ALLOC_CGROUP_CNT][(FD_ALLOC_SIZECLASS_CNT + 15UL) & ~15UL];
  ulong stack[ALLOC_CGROUP_CNT][(FD_ALLOC_SIZECLASS_CNT + 15UL) & ~15UL];
  uchar class_of[FD_ALLOC_FOOTPRINT_SMALL_THRESH / 8UL + 1UL]; /* by footprint rounded up to 8 */
} alloc_t;

FD_STATIC_ASSERT(sizeof(alloc_t) <= sizeof(fd_alloc_t), alloc_layout_fits);
FD_STATIC_ASSERT(sizeof(superblock_t) == FD_ALLOC_SUPERBLOCK_HDR_FOOTPRINT, superblock_layout);
FD_STATIC_ASSERT(FD_ALLOC_ROOT_SUPERBLOCK_FOOTPRINT <= 1UL << 18, superblock_offset_fits);

#endif
