/* Small objects out of superblocks, without a lock; alloc_private.h says who holds a superblock
   when. A stack of superblocks is a Treiber stack whose top carries a version: 20 bits, so that a
   thread would have to sleep through an exact multiple of 2^20 changes to be fooled. */

#include <stdio.h>

#include "alloc_private.h"
#include "core/util/deepasan.h"
#include "core/util/heap_id.h"
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
  return (1UL << fd_alloc_sizeclass_cfg[class].block_cnt) - 1UL; /* at most 63 */
}

/* Next on the stack as gaddr>>3.  Also of a superblock that is being given back, whose memory then
   may be poisoned. */
FD_FN_NO_ASAN static inline ulong link_next(superblock_t const *sb) {
  return __atomic_load_n(&sb->link, __ATOMIC_RELAXED) >> 20;
}
static inline void link_set(superblock_t *sb, ulong next) {
  ulong rest = fd_ulong_extract_lsb(__atomic_load_n(&sb->link, __ATOMIC_RELAXED), 20);
  __atomic_store_n(&sb->link, next << 20 | rest, __ATOMIC_RELAXED);
}
/* A hint for those who do not hold the superblock. */
FD_FN_NO_ASAN static inline ulong group_of(superblock_t const *sb) {
  return (__atomic_load_n(&sb->link, __ATOMIC_RELAXED) >> 6) & (ALLOC_CGROUP_CNT - 1UL);
}

static inline uint hdr_pack(ulong class, ulong block, ulong off) {
  return (uint)(class | block << 7 | off << 13);
}
static inline ulong hdr_class(uint hdr) { return hdr & 127U; }
static inline ulong hdr_block(uint hdr) { return (hdr >> 7) & 63U; }
static inline ulong hdr_off(uint hdr) { return hdr >> 13; }

/* Stacks of superblocks with free blocks *********************************************************/

static inline ulong *stack_of(alloc_t *alloc, ulong class, ulong cgroup) {
  return &alloc->stack[cgroup & fd_alloc_sizeclass_cfg[class].cgroup_mask][class];
}

/* On the stack of the group that held it last. */
static void stack_push(alloc_t *alloc, ulong class, ulong gaddr) {
  superblock_t *sb = superblock_at(alloc, gaddr);
  ulong *top = stack_of(alloc, class, group_of(sb));
  ulong old = __atomic_load_n(top, __ATOMIC_RELAXED);
  ulong new;
  do {
    link_set(sb, fd_ulong_extract_lsb(old, 44));
    new = (((old >> 44) + 1UL) << 44) | gaddr >> 3;
    /* linearization point; release pairs with the acquire of stack_pop */
  } while (!__atomic_compare_exchange_n(top, &old, new, 1, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static inline ulong stack_top(ulong const *stack) {
  return fd_ulong_extract_lsb(__atomic_load_n(stack, __ATOMIC_ACQUIRE), 44) << 3;
}

/* The caller holds the superblock returned; 0 if there is none. */
static ulong stack_pop(alloc_t *alloc, ulong *top) {
  ulong old = __atomic_load_n(top, __ATOMIC_ACQUIRE);
  ulong new;
  ulong gaddr;
  do {
    gaddr = fd_ulong_extract_lsb(old, 44) << 3;
    if (!gaddr) return 0UL;
    /* it may be popped and reused meanwhile: then this reads anything and the version differs */
    new = (((old >> 44) + 1UL) << 44) | link_next(superblock_at(alloc, gaddr));
    /* linearization point; acquire pairs with the release of stack_push */
  } while (!__atomic_compare_exchange_n(top, &old, new, 1, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE));
  return gaddr;
}

/* Blocks *****************************************************************************************/

/* A block and the superblock it is in; sb NULL if there is no memory. */
typedef struct {
  superblock_t *sb;
  ulong block;
} block_t;

static block_t block_alloc(alloc_t *alloc, ulong class, ulong cgroup);
static void block_free(alloc_t *alloc, ulong class, superblock_t *sb, ulong block);

static inline ulong block_off(ulong class, ulong block) {
  return sizeof(superblock_t) + block * fd_alloc_sizeclass_cfg[class].block_footprint;
}

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
  block_t from = {NULL, 0UL};
  if (parent >= FD_ALLOC_SIZECLASS_CNT) {
    ulong hi;
    gaddr = wksp_alloc(alloc, FD_ALLOC_ROOT_SUPERBLOCK_FOOTPRINT, &hi);
    if (FD_UNLIKELY(!gaddr)) return 0UL;
  } else {
    from = block_alloc(alloc, parent, cgroup);
    if (FD_UNLIKELY(!from.sb)) return 0UL;
    gaddr = gaddr_of(alloc, from.sb) + block_off(parent, from.block);
  }
  superblock_t *sb = superblock_at(alloc, gaddr);
  deepasan_unpoison(sb, sizeof(superblock_t));
  deepasan_poison(sb + 1,
                  block_off(class, fd_alloc_sizeclass_cfg[class].block_cnt) - sizeof(superblock_t));
  __atomic_store_n(&sb->link, from.block, __ATOMIC_RELAXED);
  __atomic_store_n(&sb->local, blocks_all(class), __ATOMIC_RELAXED);
  __atomic_store_n(&sb->remote, 0UL, __ATOMIC_RELAXED);
  return gaddr;
}

/* Gives up a superblock the caller holds. */
static void superblock_delete(alloc_t *alloc, ulong class, ulong gaddr) {
  ulong parent = fd_alloc_sizeclass_cfg[class].parent_sizeclass;
  if (parent >= FD_ALLOC_SIZECLASS_CNT) {
    fd_wksp_free(wksp_of(alloc), gaddr);
    return;
  }
  superblock_t *sb = superblock_at(alloc, gaddr);
  ulong block = __atomic_load_n(&sb->link, __ATOMIC_RELAXED) & 63UL;
  block_free(alloc, parent, (superblock_t *)((ulong)sb - block_off(parent, block)), block);
}

/* Makes remote's blocks local; the caller holds sb.  Returns all free blocks. */
static ulong collect(superblock_t *sb) {
  /* acquire pairs with the release of block_free */
  ulong freed = __atomic_exchange_n(&sb->remote, 0UL, __ATOMIC_ACQUIRE);
  ulong local = __atomic_load_n(&sb->local, __ATOMIC_RELAXED) | freed;
  __atomic_store_n(&sb->local, local, __ATOMIC_RELAXED);
  return local;
}

/* For a holder whose superblock has no local block left: 1 if there are remote ones, else detaches
   it and the caller is no longer its holder. */
static int refill_or_detach(superblock_t *sb) {
  ulong none = 0UL;
  /* linearization point of becoming full; release pairs with the acquire of the free that attaches
   */
  if (__atomic_compare_exchange_n(&sb->remote, &none, REMOTE_DETACHED, 0, __ATOMIC_RELEASE,
                                  __ATOMIC_RELAXED))
    return 0;
  return !!collect(sb);
}

/* Takes a block out of sb, which the caller holds and which has one.  *left is 0 if it was the
   last; then the caller holds it no longer. */
static inline ulong block_take(superblock_t *sb, int *left) {
  ulong local = __atomic_load_n(&sb->local, __ATOMIC_RELAXED);
  if (FD_UNLIKELY(!local)) local = collect(sb);
  ulong block = (ulong)fd_ulong_find_lsb(local);
  local = fd_ulong_pop_lsb(local);
  __atomic_store_n(&sb->local, local, __ATOMIC_RELAXED);
  *left = FD_LIKELY(local) ? 1 : refill_or_detach(sb);
  return block;
}

static inline ulong *slot_of(alloc_t *alloc, ulong class, ulong cgroup) {
  return &alloc->slot[cgroup & fd_alloc_sizeclass_cfg[class].cgroup_mask][class];
}

/* The free blocks of a superblock the caller does not hold, a hint; its memory may be given back
   meanwhile. */
FD_FN_NO_ASAN static ulong blocks_peek(superblock_t const *sb) {
  return __atomic_load_n(&sb->remote, __ATOMIC_RELAXED) |
         __atomic_load_n(&sb->local, __ATOMIC_RELAXED);
}

/* From the stack of another group, if at least min blocks of what is on top of it are free. */
static ulong stack_steal(alloc_t *alloc, ulong class, ulong cgroup, int min) {
  for (ulong i = 1UL; i <= fd_alloc_sizeclass_cfg[class].cgroup_mask; i++) {
    ulong *stack = stack_of(alloc, class, cgroup + i);
    ulong top = stack_top(stack);
    if (!top || fd_ulong_popcnt(blocks_peek(superblock_at(alloc, top))) < min) continue;
    ulong gaddr = stack_pop(alloc, stack);
    if (gaddr) return gaddr;
  }
  return 0UL;
}

/* A superblock with free blocks that the caller holds from now on; 0 if there is no memory.  Before
   the wksp is asked for more, one that another group hardly uses is taken over; any of theirs, where
   two threads then share its words, only when the wksp has no more. */
static ulong superblock_get(alloc_t *alloc, ulong class, ulong cgroup) {
  fd_alloc_sizeclass_cfg_t const *cfg = &fd_alloc_sizeclass_cfg[class];
  ulong gaddr = stack_pop(alloc, stack_of(alloc, class, cgroup));
  if (FD_LIKELY(gaddr)) return gaddr;
  if (cfg->parent_sizeclass >= FD_ALLOC_SIZECLASS_CNT)
    gaddr = stack_steal(alloc, class, cgroup, cfg->block_cnt / 2 + 1);
  if (!gaddr) gaddr = superblock_new(alloc, class, cgroup);
  if (!gaddr) gaddr = stack_steal(alloc, class, cgroup, 1);
  if (!gaddr) return 0UL;
  superblock_t *sb = superblock_at(alloc, gaddr);
  ulong link = __atomic_load_n(&sb->link, __ATOMIC_RELAXED) & ~((ALLOC_CGROUP_CNT - 1UL) << 6);
  __atomic_store_n(&sb->link, link | cgroup << 6, __ATOMIC_RELAXED);
  return gaddr;
}

/* What the slot is to get back, gaddr being held and having free blocks.  One of which at most
   a quarter is free would have the next mallocs collect a block or two each: it changes places with
   the top of its group's stack if a third of that is free, and gathers frees there. */
static ulong superblock_richer(alloc_t *alloc, ulong class, ulong cgroup, ulong gaddr) {
  superblock_t const *sb = superblock_at(alloc, gaddr);
  int cnt = (int)fd_alloc_sizeclass_cfg[class].block_cnt;
  if (fd_ulong_popcnt(__atomic_load_n(&sb->local, __ATOMIC_RELAXED)) > cnt / 4) return gaddr;
  ulong *stack = stack_of(alloc, class, cgroup);
  ulong top = stack_top(stack);
  if (!top || fd_ulong_popcnt(blocks_peek(superblock_at(alloc, top))) < cnt / 3) return gaddr;
  ulong richer = stack_pop(alloc, stack);
  if (FD_UNLIKELY(!richer)) return gaddr;
  stack_push(alloc, class, gaddr);
  return richer;
}

/* Takes a block, having borrowed what was in the slot. */
static block_t block_alloc_borrowed(alloc_t *alloc, ulong class, ulong cgroup, ulong *slot,
                                    ulong borrowed) {
  ulong gaddr = borrowed;
  block_t block = {NULL, 0UL};
  int left = 0;
  if (gaddr <= SLOT_BUSY) gaddr = superblock_get(alloc, class, cgroup);
  if (FD_LIKELY(gaddr)) {
    block.sb = superblock_at(alloc, gaddr);
    block.block = block_take(block.sb, &left);
  }
  if (FD_LIKELY(left)) gaddr = superblock_richer(alloc, class, cgroup, gaddr);
  if (borrowed != SLOT_BUSY) /* pairs with the acquiring exchange of the next borrower */
    __atomic_store_n(slot, left ? gaddr : SLOT_EMPTY, __ATOMIC_RELEASE);
  else if (left)
    stack_push(alloc, class, gaddr);
  return block;
}

static block_t block_alloc(alloc_t *alloc, ulong class, ulong cgroup) {
  ulong *slot = slot_of(alloc, class, cgroup);
  /* acquire pairs with the release stores of earlier borrowers */
  ulong borrowed = __atomic_exchange_n(slot, SLOT_BUSY, __ATOMIC_ACQUIRE);
  return block_alloc_borrowed(alloc, class, cgroup, slot, borrowed);
}

/* After a superblock of a group seems to have run empty: deletes the top of the group's stack if it
   is unused, so that a class that shrinks returns its memory; what is in the slots stays for the
   next burst. */
static __attribute__((noinline)) void stack_trim(alloc_t *alloc, ulong class, ulong cgroup) {
  ulong *stack = stack_of(alloc, class, cgroup);
  ulong top = stack_top(stack);
  if (!top) return;
  ulong all = blocks_all(class);
  if (blocks_peek(superblock_at(alloc, top)) != all) return;
  ulong gaddr = stack_pop(alloc, stack);
  if (!gaddr) return;
  if (collect(superblock_at(alloc, gaddr)) == all)
    superblock_delete(alloc, class, gaddr);
  else
    stack_push(alloc, class, gaddr);
}

/* The first free into a detached superblock makes it available again. */
static __attribute__((noinline)) void attach(alloc_t *alloc, ulong class, superblock_t *sb) {
  /* acquire pairs with the release of refill_or_detach; of several frees one finds the mark */
  if (__atomic_fetch_and(&sb->remote, ~REMOTE_DETACHED, __ATOMIC_ACQ_REL) & REMOTE_DETACHED)
    stack_push(alloc, class, gaddr_of(alloc, sb));
}

static inline __attribute__((always_inline)) void block_free_fast(alloc_t *alloc, ulong class,
                                                                  superblock_t *sb, ulong block) {
  ulong bit = 1UL << block;
  ulong local = __atomic_load_n(&sb->local, __ATOMIC_RELAXED); /* only a hint */
  /* linearization point; release publishes the last use of the block to the next one.  The bit is
     clear, so this is an or, but one that the processor has an instruction for. */
  ulong old = __atomic_fetch_add(&sb->remote, bit, __ATOMIC_RELEASE);
  if (FD_UNLIKELY(old & REMOTE_DETACHED))
    attach(alloc, class, sb);
  else if (FD_UNLIKELY((old | bit | local) == blocks_all(class)))
    stack_trim(alloc, class, group_of(sb));
}

static void block_free(alloc_t *alloc, ulong class, superblock_t *sb, ulong block) {
  block_free_fast(alloc, class, sb, block);
}

/* Life cycle *************************************************************************************/

ulong fd_alloc_align(void) { return FD_ALLOC_ALIGN; }

ulong fd_alloc_footprint(void) { return FD_ALLOC_FOOTPRINT; }

static void *alloc_failed(char const *what) {
  FD_LOG_WARNING(("fd_alloc: %s", what));
  return NULL;
}

/* Tells a recorder, if there is one, of a heap nested in the wksp's: its superblocks and large
   allocations are blocks of the wksp. */
static void heap_announce(alloc_t const *alloc, int is_new) {
  if (FD_LIKELY(!heap_is_recorded())) return;
  char name[FD_WKSP_CSTR_MAX];
  ulong uuid[2] = {alloc->heap_id, alloc->wksp_off};
  fd_cstr_printf(name, sizeof(name), NULL, "%s:%lu", fd_wksp_name(wksp_of(alloc)), alloc->wksp_off);
  if (is_new)
    vt_heap_create(alloc, sizeof(fd_alloc_t), VT_HEAP_ALLOC, name, uuid, wksp_of(alloc));
  else
    vt_heap_attach(alloc, sizeof(fd_alloc_t), VT_HEAP_ALLOC, name, uuid, wksp_of(alloc));
}

/* How a recorder is told of p: the offset from the alloc is to be p's gaddr. */
static inline void const *heap_block(alloc_t const *alloc, void const *p) {
  return (void const *)((ulong)alloc + gaddr_of(alloc, p));
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
  alloc->heap_id = heap_id_new(shmem);
  ulong class = 0UL;
  for (ulong i = 0UL; i < sizeof(alloc->class_of); i++) {
    class += (ulong)(fd_alloc_sizeclass_cfg[class].block_footprint < i * 8UL);
    alloc->class_of[i] = (uchar) class;
  }
  __atomic_store_n(&alloc->magic, ALLOC_MAGIC, __ATOMIC_RELEASE); /* pairs with the load in join */
  heap_announce(alloc, 1);
  return shmem;
}

static int is_alloc(void const *shalloc) {
  return shalloc && fd_ulong_is_aligned((ulong)shalloc, FD_ALLOC_ALIGN) &&
         __atomic_load_n(&((alloc_t const *)shalloc)->magic, __ATOMIC_ACQUIRE) == ALLOC_MAGIC;
}

fd_alloc_t *fd_alloc_join(void *shalloc, ulong cgroup_hint) {
  if (FD_UNLIKELY(!is_alloc(shalloc))) return alloc_failed("join: NULL, misaligned or bad magic");
  heap_announce((alloc_t const *)shalloc, 0);
  return fd_alloc_join_cgroup_hint_set((fd_alloc_t *)shalloc, cgroup_hint);
}

void *fd_alloc_leave(fd_alloc_t *join) {
  if (FD_UNLIKELY(!join)) return alloc_failed("leave: NULL join");
  vt_heap_detach(alloc_of(join));
  return alloc_of(join);
}

fd_wksp_t *fd_alloc_wksp(fd_alloc_t *join) {
  return FD_LIKELY(join) ? wksp_of(alloc_of(join)) : NULL;
}

ulong fd_alloc_tag(fd_alloc_t *join) { return FD_LIKELY(join) ? alloc_of(join)->tag : 0UL; }

/* Deletes the superblock the caller holds if it is unused or force is set: 1 if so. */
static int compact_superblock(alloc_t *alloc, ulong class, ulong gaddr, int force) {
  ulong blocks = collect(superblock_at(alloc, gaddr));
  if (!force && blocks != blocks_all(class)) return 0;
  superblock_delete(alloc, class, gaddr);
  return 1;
}

static void compact_slot(alloc_t *alloc, ulong class, ulong cgroup, int force) {
  ulong *slot = slot_of(alloc, class, cgroup);
  ulong gaddr = __atomic_exchange_n(slot, SLOT_BUSY, __ATOMIC_ACQUIRE);
  if (gaddr == SLOT_BUSY) return;
  if (gaddr && compact_superblock(alloc, class, gaddr, force)) gaddr = SLOT_EMPTY;
  /* pairs with the exchange of the next borrower */
  __atomic_store_n(slot, gaddr, __ATOMIC_RELEASE);
}

static void compact_stack(alloc_t *alloc, ulong class, ulong cgroup, int force) {
  ulong *stack = stack_of(alloc, class, cgroup);
  ulong keep = 0UL; /* popped ones to put back, linked like a stack */
  for (ulong gaddr = stack_pop(alloc, stack); gaddr; gaddr = stack_pop(alloc, stack)) {
    if (compact_superblock(alloc, class, gaddr, force)) continue;
    link_set(superblock_at(alloc, gaddr), keep >> 3);
    keep = gaddr;
  }
  while (keep) {
    ulong next = link_next(superblock_at(alloc, keep)) << 3;
    stack_push(alloc, class, keep);
    keep = next;
  }
}

/* Classes ascend, so superblocks of a class are gone before those they are cut from are looked at.
 */
static void compact(alloc_t *alloc, int force) {
  for (ulong class = 0UL; class < FD_ALLOC_SIZECLASS_CNT; class ++) {
    for (ulong cgroup = 0UL; cgroup <= fd_alloc_sizeclass_cfg[class].cgroup_mask; cgroup++) {
      compact_slot(alloc, class, cgroup, force);
      compact_stack(alloc, class, cgroup, force);
    }
  }
}

void fd_alloc_compact(fd_alloc_t *join) {
  if (FD_LIKELY(join)) compact(alloc_of(join), 0);
}

void *fd_alloc_delete(void *shalloc) {
  if (FD_UNLIKELY(!is_alloc(shalloc))) return alloc_failed("delete: NULL, misaligned or bad magic");
  alloc_t *alloc = (alloc_t *)shalloc;
  heap_announce(alloc, 0); /* it may have been left before */
  vt_heap_delete(alloc);
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

/* Puts hdr in front of p, which is followed by memory up to hi. */
static inline void *malloc_finish(ulong p, ulong hi, uint hdr, ulong *max) {
  memcpy((void *)(p - ALLOC_HDR_SZ), &hdr, ALLOC_HDR_SZ);
  *max = hi - p;
  return (void *)p;
}

/* Memory of block: its first aligned address that leaves room for the header. */
static inline void *malloc_in_block(superblock_t *sb, ulong class, ulong block, ulong align,
                                    ulong *max) {
  ulong lo = (ulong)sb + block_off(class, block);
  ulong p = fd_ulong_align_up(lo + ALLOC_HDR_SZ, align);
  deepasan_unpoison((void *)lo, fd_alloc_sizeclass_cfg[class].block_footprint);
  return malloc_finish(p, lo + fd_alloc_sizeclass_cfg[class].block_footprint,
                       hdr_pack(class, block, p - (ulong)sb), max);
}

static __attribute__((noinline)) void *malloc_large(alloc_t *alloc, ulong align, ulong footprint,
                                                    ulong *max) {
  ulong wksp = (ulong)wksp_of(alloc);
  ulong hi;
  ulong lo = wksp_alloc(alloc, footprint, &hi);
  if (FD_UNLIKELY(!lo)) {
    compact(alloc, 0); /* cached superblocks may be what is missing */
    lo = wksp_alloc(alloc, footprint, &hi);
  }
  if (FD_UNLIKELY(!lo)) return NULL;
  ulong p = fd_ulong_align_up(wksp + lo + ALLOC_HDR_SZ, align);
  return malloc_finish(p, wksp + hi, hdr_pack(ALLOC_CLASS_LARGE, 0UL, 0UL), max);
}

/* The rest of a malloc whose slot, from which borrowed was taken, has no superblock or none that
   has two blocks at hand. */
static __attribute__((noinline)) void *malloc_slow(alloc_t *alloc, ulong align, ulong class,
                                                   ulong cgroup, ulong *slot, ulong borrowed,
                                                   ulong *max) {
  block_t block = block_alloc_borrowed(alloc, class, cgroup, slot, borrowed);
  if (FD_UNLIKELY(!block.sb)) {
    compact(alloc, 0); /* gives unused superblocks of other classes back */
    block = block_alloc(alloc, class, cgroup);
    if (!block.sb) return NULL;
  }
  return malloc_in_block(block.sb, class, block.block, align, max);
}

static inline __attribute__((always_inline)) void *malloc_any(fd_alloc_t *join, ulong align,
                                                              ulong sz, ulong *max) {
  /* blocks are 8 aligned, so the header and the alignment together cost at most this */
  ulong footprint = sz + fd_ulong_max(align, ALLOC_HDR_SZ);
  if (FD_UNLIKELY(!join || !fd_ulong_is_pow2(align) || !sz || footprint < sz)) return NULL;
  alloc_t *alloc = alloc_of(join);
  if (FD_UNLIKELY(footprint > FD_ALLOC_FOOTPRINT_SMALL_THRESH))
    return malloc_large(alloc, align, footprint, max);
  ulong class = alloc->class_of[(footprint + 7UL) >> 3];
  ulong cgroup = fd_alloc_join_cgroup_hint(join);
  ulong *slot = slot_of(alloc, class, cgroup);
  /* acquire pairs with the release stores of earlier borrowers */
  ulong gaddr = __atomic_exchange_n(slot, SLOT_BUSY, __ATOMIC_ACQUIRE);
  if (FD_UNLIKELY(gaddr <= SLOT_BUSY))
    return malloc_slow(alloc, align, class, cgroup, slot, gaddr, max);
  superblock_t *sb = superblock_at(alloc, gaddr);
  ulong local = __atomic_load_n(&sb->local, __ATOMIC_RELAXED);
  ulong rest = fd_ulong_pop_lsb(local);
  if (FD_UNLIKELY(!rest)) return malloc_slow(alloc, align, class, cgroup, slot, gaddr, max);
  __atomic_store_n(&sb->local, rest, __ATOMIC_RELAXED);
  /* pairs with the acquiring exchange of the next borrower */
  __atomic_store_n(slot, gaddr, __ATOMIC_RELEASE);
  return malloc_in_block(sb, class, (ulong)fd_ulong_find_lsb(local), align, max);
}

/* malloc when a recorder listens. */
static __attribute__((noinline)) void *malloc_recorded(fd_alloc_t *join, ulong align, ulong sz,
                                                       ulong *max) {
  void *p = malloc_any(join, align, sz, max);
  if (FD_LIKELY(p)) {
    alloc_t const *alloc = alloc_of(join);
    vt_block_alloc(alloc, heap_block(alloc, p), sz, align, alloc->tag);
  }
  return p;
}

void *fd_alloc_malloc_at_least(fd_alloc_t *join, ulong align, ulong sz, ulong *max) {
  *max = 0UL;
  align = fd_ulong_if(!align, FD_ALLOC_MALLOC_ALIGN_DEFAULT, align);
  if (FD_UNLIKELY(heap_is_recorded())) return malloc_recorded(join, align, sz, max);
  return malloc_any(join, align, sz, max);
}

void fd_alloc_free(fd_alloc_t *join, void *laddr) {
  if (FD_UNLIKELY(!join || !laddr)) return;
  alloc_t *alloc = alloc_of(join);
  vt_block_free(alloc, heap_block(alloc, laddr));
  uint hdr;
  memcpy(&hdr, (uchar const *)laddr - ALLOC_HDR_SZ, ALLOC_HDR_SZ);
  ulong class = hdr_class(hdr);
  if (FD_LIKELY(class < FD_ALLOC_SIZECLASS_CNT)) {
    superblock_t *sb = (superblock_t *)((ulong)laddr - hdr_off(hdr));
    deepasan_poison((uchar *)sb + block_off(class, hdr_block(hdr)),
                    fd_alloc_sizeclass_cfg[class].block_footprint);
    block_free_fast(alloc, class, sb, hdr_block(hdr));
  } else {
    fd_wksp_free(wksp_of(alloc), gaddr_of(alloc, laddr));
  }
}

/* Diagnostics ************************************************************************************/

int fd_alloc_fprintf(fd_alloc_t *join, FILE *stream);

/* Counts the superblocks on a class's stacks; they may move meanwhile, so the walk is bounded and the
   number a hint unless nobody else is in an operation. */
static ulong stack_cnt(alloc_t const *alloc, ulong class) {
  ulong cnt = 0UL;
  fd_wksp_t const *wksp = wksp_of(alloc);
  for (ulong i = 0UL; i < ALLOC_CGROUP_CNT; i++) {
    ulong gaddr = stack_top(&alloc->stack[i][class]);
    while (gaddr >= fd_wksp_gaddr_lo(wksp) && gaddr < fd_wksp_gaddr_hi(wksp) && cnt < 1000000UL) {
      gaddr = link_next(superblock_at(alloc, gaddr)) << 3;
      cnt++;
    }
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
