/* Small objects out of superblocks, without a lock; alloc_private.h says who holds a superblock
   when. The stack of a class is a Treiber stack whose top carries a version: 20 bits, so that a
   thread would have to sleep through an exact multiple of 2^20 changes to be fooled. */

#include <stdio.h>

#include "alloc_private.h"
#include "fd/util/log/fd_log.h"

static inline alloc_t *alloc_of(fd_alloc_t const *join) {
  return (alloc_t *)((ulong)join & ~FD_ALLOC_JOIN_CGROUP_HINT_MAX);
}
static inline fd_wksp_t *wksp_of(alloc_t const *alloc) {
  return (fd_wksp_t *)((ulong)alloc - alloc->wksp_off);
}
static inline superblock_t *superblock_at(alloc_t const *alloc, ulong gaddr) {
  return (superblock_t *)((ulong)alloc - alloc->wksp_off + gaddr);
}
static inline ulong gaddr_of(alloc_t const *alloc, void const *p) {
  return (ulong)p - (ulong)alloc + alloc->wksp_off;
}
static inline ulong blocks_all(ulong class) {
  return FD_ULONG_MASK_LSB(fd_alloc_sizeclass_cfg[class].block_cnt);
}

static inline uint hdr_pack(ulong class, ulong block, ulong off) {
  return (uint)(class | block << 7 | off << 13);
}
static inline ulong hdr_class(uint hdr) { return hdr & 127U; }
static inline ulong hdr_block(uint hdr) { return (hdr >> 7) & 63U; }
static inline ulong hdr_off(uint hdr) { return hdr >> 13; }

/* Stack of superblocks with free blocks **********************************************************/

static void stack_push(alloc_t *alloc, ulong class, ulong gaddr) {
  ulong *top = &alloc->stack[class];
  superblock_t *sb = superblock_at(alloc, gaddr);
  ulong old = __atomic_load_n(top, __ATOMIC_RELAXED);
  ulong new;
  do {
    __atomic_store_n(&sb->next, fd_ulong_extract_lsb(old, 44) << 3, __ATOMIC_RELAXED);
    new = (((old >> 44) + 1UL) << 44) | gaddr >> 3;
    /* linearization point; release pairs with the acquire of stack_pop */
  } while (!__atomic_compare_exchange_n(top, &old, new, 1, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

/* The caller holds the superblock returned; 0 if there is none. */
static ulong stack_pop(alloc_t *alloc, ulong class) {
  ulong *top = &alloc->stack[class];
  ulong old = __atomic_load_n(top, __ATOMIC_ACQUIRE);
  ulong new;
  ulong gaddr;
  do {
    gaddr = fd_ulong_extract_lsb(old, 44) << 3;
    if (!gaddr) return 0UL;
    /* it may be popped and reused meanwhile: then this reads anything and the version differs */
    ulong next = __atomic_load_n(&superblock_at(alloc, gaddr)->next, __ATOMIC_RELAXED);
    new = (((old >> 44) + 1UL) << 44) | fd_ulong_extract_lsb(next >> 3, 44);
    /* linearization point; acquire pairs with the release of stack_push */
  } while (!__atomic_compare_exchange_n(top, &old, new, 1, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE));
  return gaddr;
}

/* Blocks *****************************************************************************************/

static int block_alloc(alloc_t *alloc, ulong class, ulong cgroup, ulong *sb_gaddr, ulong *block);
static void block_free(alloc_t *alloc, ulong class, ulong sb_gaddr, ulong block);

/* Allocates from the wksp, without a log when it is full. */
static ulong wksp_alloc(alloc_t *alloc, ulong sz, ulong *hi) {
  int silent = fd_wksp_oom_silent;
  ulong lo;
  fd_wksp_oom_silent = 1;
  fd_wksp_alloc_at_least(wksp_of(alloc), FD_ALLOC_SUPERBLOCK_ALIGN, sz, alloc->tag, &lo, hi);
  fd_wksp_oom_silent = silent;
  return lo;
}

/* A new superblock held by the caller, all blocks free; 0 if there is no memory. */
static ulong superblock_new(alloc_t *alloc, ulong class, ulong cgroup) {
  ulong parent = fd_alloc_sizeclass_cfg[class].parent_sizeclass;
  ulong gaddr;
  uint hdr = 0U;
  if (parent >= FD_ALLOC_SIZECLASS_CNT) {
    ulong hi;
    gaddr = wksp_alloc(alloc, FD_ALLOC_ROOT_SUPERBLOCK_FOOTPRINT, &hi);
    if (FD_UNLIKELY(!gaddr)) return 0UL;
  } else {
    ulong sb_gaddr;
    ulong block;
    if (FD_UNLIKELY(!block_alloc(alloc, parent, cgroup, &sb_gaddr, &block))) return 0UL;
    gaddr =
        sb_gaddr + sizeof(superblock_t) + block * fd_alloc_sizeclass_cfg[parent].block_footprint;
    hdr = hdr_pack(parent, block, gaddr - sb_gaddr);
  }
  superblock_t *sb = superblock_at(alloc, gaddr);
  sb->hdr = hdr;
  __atomic_store_n(&sb->free_blocks, blocks_all(class), __ATOMIC_RELAXED);
  return gaddr;
}

/* Gives up a superblock the caller holds. */
static void superblock_delete(alloc_t *alloc, ulong class, ulong gaddr) {
  ulong parent = fd_alloc_sizeclass_cfg[class].parent_sizeclass;
  if (parent >= FD_ALLOC_SIZECLASS_CNT)
    fd_wksp_free(wksp_of(alloc), gaddr);
  else {
    uint hdr = superblock_at(alloc, gaddr)->hdr;
    block_free(alloc, parent, gaddr - hdr_off(hdr), hdr_block(hdr));
  }
}

/* Takes a block for the caller.  0 if there is no memory. */
static int block_alloc(alloc_t *alloc, ulong class, ulong cgroup, ulong *sb_gaddr, ulong *block) {
  ulong *slot = &alloc->slot[cgroup & fd_alloc_sizeclass_cfg[class].cgroup_mask][class];
  /* acquire pairs with the release stores of earlier borrowers */
  ulong borrowed = __atomic_exchange_n(slot, SLOT_BUSY, __ATOMIC_ACQUIRE);
  ulong gaddr = borrowed;
  if (FD_UNLIKELY(borrowed <= SLOT_BUSY)) {
    gaddr = stack_pop(alloc, class);
    if (!gaddr) gaddr = superblock_new(alloc, class, cgroup);
  }
  ulong left = 0UL;
  if (FD_LIKELY(gaddr)) {
    superblock_t *sb = superblock_at(alloc, gaddr);
    *sb_gaddr = gaddr;
    *block = (ulong)fd_ulong_find_lsb(__atomic_load_n(&sb->free_blocks, __ATOMIC_RELAXED));
    ulong bit = 1UL << *block;
    /* linearization point; acquire pairs with the release of block_free.  Bits only get set by
     * others. */
    left = __atomic_fetch_and(&sb->free_blocks, ~bit, __ATOMIC_ACQ_REL) & ~bit;
  }
  if (borrowed != SLOT_BUSY) /* pairs with the acquiring exchange of the next borrower */
    __atomic_store_n(slot, left ? gaddr : SLOT_EMPTY, __ATOMIC_RELEASE);
  else if (left)
    stack_push(alloc, class, gaddr);
  return !!gaddr;
}

/* After a superblock ran empty: deletes the top of the stack if it is unused, so that a class that
   shrinks returns its memory; what is in the slots stays for the next burst. */
static void stack_trim(alloc_t *alloc, ulong class) {
  ulong top = fd_ulong_extract_lsb(__atomic_load_n(&alloc->stack[class], __ATOMIC_ACQUIRE), 44)
              << 3;
  ulong all = blocks_all(class);
  /* a look without holding it, only to save the pop */
  if (!top || __atomic_load_n(&superblock_at(alloc, top)->free_blocks, __ATOMIC_RELAXED) != all)
    return;
  ulong gaddr = stack_pop(alloc, class);
  if (!gaddr) return;
  if (__atomic_load_n(&superblock_at(alloc, gaddr)->free_blocks, __ATOMIC_ACQUIRE) == all)
    superblock_delete(alloc, class, gaddr);
  else
    stack_push(alloc, class, gaddr);
}

static void block_free(alloc_t *alloc, ulong class, ulong sb_gaddr, ulong block) {
  superblock_t *sb = superblock_at(alloc, sb_gaddr);
  ulong bit = 1UL << block;
  /* linearization point; release publishes the last use of the block to the next one */
  ulong old = __atomic_fetch_or(&sb->free_blocks, bit, __ATOMIC_ACQ_REL);
  if (FD_UNLIKELY(!old))
    stack_push(alloc, class, sb_gaddr);
  else if (FD_UNLIKELY((old | bit) == blocks_all(class)))
    stack_trim(alloc, class);
}

/* Life cycle *************************************************************************************/

ulong fd_alloc_align(void) { return FD_ALLOC_ALIGN; }

ulong fd_alloc_footprint(void) { return FD_ALLOC_FOOTPRINT; }

static void *alloc_failed(char const *what) {
  FD_LOG_WARNING(("fd_alloc: %s", what));
  return NULL;
}

void *fd_alloc_new(void *shmem, ulong tag) {
  if (FD_UNLIKELY(!shmem || !fd_ulong_is_aligned((ulong)shmem, FD_ALLOC_ALIGN)))
    return alloc_failed("new: NULL or misaligned memory");
  fd_wksp_t *wksp = fd_wksp_containing(shmem);
  if (FD_UNLIKELY(!wksp || !tag)) return alloc_failed("new: memory in no wksp or tag 0");
  alloc_t *alloc = (alloc_t *)shmem;
  memset(shmem, 0, sizeof(fd_alloc_t));
  alloc->wksp_off = fd_wksp_gaddr_fast(wksp, shmem);
  alloc->tag = tag;
  ulong class = 0UL;
  for (ulong i = 0UL; i < sizeof(alloc->class_of); i++) {
    class += (ulong)(fd_alloc_sizeclass_cfg[class].block_footprint < i * 8UL);
    alloc->class_of[i] = (uchar) class;
  }
  __atomic_store_n(&alloc->magic, ALLOC_MAGIC, __ATOMIC_RELEASE); /* pairs with the load in join */
  return shmem;
}

static int is_alloc(void const *shalloc) {
  return shalloc && fd_ulong_is_aligned((ulong)shalloc, FD_ALLOC_ALIGN) &&
         __atomic_load_n(&((alloc_t const *)shalloc)->magic, __ATOMIC_ACQUIRE) == ALLOC_MAGIC;
}

fd_alloc_t *fd_alloc_join(void *shalloc, ulong cgroup_hint) {
  if (FD_UNLIKELY(!is_alloc(shalloc))) return alloc_failed("join: NULL, misaligned or bad magic");
  return fd_alloc_join_cgroup_hint_set((fd_alloc_t *)shalloc, cgroup_hint);
}

void *fd_alloc_leave(fd_alloc_t *join) {
  return FD_LIKELY(join) ? (void *)alloc_of(join) : alloc_failed("leave: NULL join");
}

fd_wksp_t *fd_alloc_wksp(fd_alloc_t *join) {
  return FD_LIKELY(join) ? wksp_of(alloc_of(join)) : NULL;
}

ulong fd_alloc_tag(fd_alloc_t *join) { return FD_LIKELY(join) ? alloc_of(join)->tag : 0UL; }

/* Deletes the superblock the caller holds if it is unused or force is set: 1 if so. */
static int compact_superblock(alloc_t *alloc, ulong class, ulong gaddr, int force) {
  ulong blocks = __atomic_load_n(&superblock_at(alloc, gaddr)->free_blocks, __ATOMIC_ACQUIRE);
  if (!force && blocks != blocks_all(class)) return 0;
  superblock_delete(alloc, class, gaddr);
  return 1;
}

static void compact_slots(alloc_t *alloc, ulong class, int force) {
  for (ulong cgroup = 0UL; cgroup <= fd_alloc_sizeclass_cfg[class].cgroup_mask; cgroup++) {
    ulong *slot = &alloc->slot[cgroup][class];
    ulong gaddr = __atomic_exchange_n(slot, SLOT_BUSY, __ATOMIC_ACQUIRE);
    if (gaddr == SLOT_BUSY) continue;
    if (gaddr && compact_superblock(alloc, class, gaddr, force)) gaddr = SLOT_EMPTY;
    __atomic_store_n(slot, gaddr,
                     __ATOMIC_RELEASE); /* pairs with the exchange of the next borrower */
  }
}

static void compact_stack(alloc_t *alloc, ulong class, int force) {
  ulong keep = 0UL; /* popped ones to put back, linked by next */
  for (ulong gaddr = stack_pop(alloc, class); gaddr; gaddr = stack_pop(alloc, class)) {
    if (compact_superblock(alloc, class, gaddr, force)) continue;
    superblock_at(alloc, gaddr)->next = keep;
    keep = gaddr;
  }
  while (keep) {
    ulong next = superblock_at(alloc, keep)->next;
    stack_push(alloc, class, keep);
    keep = next;
  }
}

/* Classes ascend, so superblocks of a class are gone before those they are cut from are looked at.
 */
static void compact(alloc_t *alloc, int force) {
  for (ulong class = 0UL; class < FD_ALLOC_SIZECLASS_CNT; class ++) {
    compact_slots(alloc, class, force);
    compact_stack(alloc, class, force);
  }
}

void fd_alloc_compact(fd_alloc_t *join) {
  if (FD_LIKELY(join)) compact(alloc_of(join), 0);
}

void *fd_alloc_delete(void *shalloc) {
  if (FD_UNLIKELY(!is_alloc(shalloc))) return alloc_failed("delete: NULL, misaligned or bad magic");
  alloc_t *alloc = (alloc_t *)shalloc;
  __atomic_store_n(&alloc->magic, 0UL, __ATOMIC_RELEASE);
  compact(alloc, 1);
  return shalloc;
}

int fd_alloc_is_empty(fd_alloc_t *join) {
  if (FD_UNLIKELY(!join)) return 0;
  alloc_t *alloc = alloc_of(join);
  compact(alloc, 0);
  fd_wksp_t *wksp = wksp_of(alloc);
  fd_wksp_tag_query_info_t info[2];
  ulong cnt = fd_wksp_tag_query(wksp, &alloc->tag, 1UL, info, 2UL);
  return !cnt ||
         (cnt == 1UL && info[0].gaddr_lo <= alloc->wksp_off && alloc->wksp_off < info[0].gaddr_hi);
}

/* malloc and free ********************************************************************************/

/* Puts hdr in front of the first aligned address of block [lo,hi) that leaves room for it. */
static inline void *malloc_finish(ulong lo, ulong hi, ulong align, ulong class, ulong block,
                                  ulong sb, ulong *max) {
  ulong p = fd_ulong_align_up(lo + ALLOC_HDR_SZ, align);
  uint hdr = hdr_pack(class, block, class == ALLOC_CLASS_LARGE ? 0UL : p - sb);
  memcpy((void *)(p - ALLOC_HDR_SZ), &hdr, ALLOC_HDR_SZ);
  *max = hi - p;
  return (void *)p;
}

static void *malloc_large(alloc_t *alloc, ulong align, ulong footprint, ulong *max) {
  ulong wksp = (ulong)wksp_of(alloc);
  ulong hi;
  ulong lo = wksp_alloc(alloc, footprint, &hi);
  if (FD_UNLIKELY(!lo)) {
    compact(alloc, 0); /* cached superblocks may be what is missing */
    lo = wksp_alloc(alloc, footprint, &hi);
  }
  if (FD_UNLIKELY(!lo)) return NULL;
  return malloc_finish(wksp + lo, wksp + hi, align, ALLOC_CLASS_LARGE, 0UL, 0UL, max);
}

void *fd_alloc_malloc_at_least(fd_alloc_t *join, ulong align, ulong sz, ulong *max) {
  *max = 0UL;
  align = fd_ulong_if(!align, FD_ALLOC_MALLOC_ALIGN_DEFAULT, align);
  /* blocks are 8 aligned, so the header and the alignment together cost at most this */
  ulong footprint = sz + fd_ulong_max(align, ALLOC_HDR_SZ);
  if (FD_UNLIKELY(!join || !fd_ulong_is_pow2(align) || !sz || footprint < sz)) return NULL;
  alloc_t *alloc = alloc_of(join);
  if (FD_UNLIKELY(footprint > FD_ALLOC_FOOTPRINT_SMALL_THRESH))
    return malloc_large(alloc, align, footprint, max);
  ulong class = alloc->class_of[(footprint + 7UL) >> 3];
  ulong cgroup = fd_alloc_join_cgroup_hint(join);
  ulong sb_gaddr;
  ulong block;
  if (FD_UNLIKELY(!block_alloc(alloc, class, cgroup, &sb_gaddr, &block))) {
    compact(alloc, 0);
    if (!block_alloc(alloc, class, cgroup, &sb_gaddr, &block)) return NULL;
  }
  ulong sb = (ulong)superblock_at(alloc, sb_gaddr);
  ulong lo = sb + sizeof(superblock_t) + block * fd_alloc_sizeclass_cfg[class].block_footprint;
  return malloc_finish(lo, lo + fd_alloc_sizeclass_cfg[class].block_footprint, align, class, block,
                       sb, max);
}

void fd_alloc_free(fd_alloc_t *join, void *laddr) {
  if (FD_UNLIKELY(!join || !laddr)) return;
  alloc_t *alloc = alloc_of(join);
  uint hdr;
  memcpy(&hdr, (uchar const *)laddr - ALLOC_HDR_SZ, ALLOC_HDR_SZ);
  ulong class = hdr_class(hdr);
  ulong gaddr = gaddr_of(alloc, laddr);
  if (FD_LIKELY(class < FD_ALLOC_SIZECLASS_CNT))
    block_free(alloc, class, gaddr - hdr_off(hdr), hdr_block(hdr));
  else
    fd_wksp_free(wksp_of(alloc), gaddr);
}

/* Diagnostics ************************************************************************************/

int fd_alloc_fprintf(fd_alloc_t *join, FILE *stream);

/* Counts the superblocks on a stack; they may move meanwhile, so the walk is bounded and the number
   a hint unless nobody else is in an operation. */
static ulong stack_cnt(alloc_t const *alloc, ulong class) {
  ulong cnt = 0UL;
  ulong gaddr = fd_ulong_extract_lsb(__atomic_load_n(&alloc->stack[class], __ATOMIC_ACQUIRE), 44)
                << 3;
  fd_wksp_t const *wksp = wksp_of(alloc);
  while (gaddr >= fd_wksp_gaddr_lo(wksp) && gaddr < fd_wksp_gaddr_hi(wksp) && cnt < 1000000UL) {
    gaddr = __atomic_load_n(&superblock_at(alloc, gaddr)->next, __ATOMIC_RELAXED);
    cnt++;
  }
  return cnt;
}

/* Prints one line per size class in use; returns the characters printed, always more than 0. */
int fd_alloc_fprintf(fd_alloc_t *join, FILE *stream) {
  if (FD_UNLIKELY(!join)) return fprintf(stream, "fd_alloc: NULL join\n");
  alloc_t const *alloc = alloc_of(join);
  int cnt =
      fprintf(stream, "fd_alloc gaddr %s:%lu tag %lu cgroup %lu\n", fd_wksp_name(wksp_of(alloc)),
              alloc->wksp_off, alloc->tag, fd_alloc_join_cgroup_hint(join));
  for (ulong class = 0UL; class < FD_ALLOC_SIZECLASS_CNT; class ++) {
    ulong active = 0UL;
    for (ulong i = 0UL; i < ALLOC_CGROUP_CNT; i++)
      active += (ulong)(__atomic_load_n(&alloc->slot[i][class], __ATOMIC_RELAXED) > SLOT_BUSY);
    ulong inactive = stack_cnt(alloc, class);
    if (active + inactive)
      cnt += fprintf(stream, "  class %lu (%u bytes): %lu active and %lu inactive superblocks\n",
                     class, fd_alloc_sizeclass_cfg[class].block_footprint, active, inactive);
  }
  return cnt;
}
