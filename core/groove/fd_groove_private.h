#ifndef CORE_GROOVE_FD_GROOVE_PRIVATE_H
#define CORE_GROOVE_FD_GROOVE_PRIVATE_H

/* The shared words of a groove and the few atomic operations all of its code uses.  Each operation
   is preceded by FD_GROOVE_HOOK, which is nothing here; the interleaving test compiles these
   sources with a hook that may run another thread instead. */

#include "fd/groove/fd_groove.h"

#ifndef FD_GROOVE_HOOK
#define FD_GROOVE_HOOK() ((void)0)
#endif

/* While waiting for another thread. */
#ifndef FD_GROOVE_WAIT
#define FD_GROOVE_WAIT() FD_YIELD()
#endif

static inline ulong
gv_load( ulong const * p ) { FD_GROOVE_HOOK(); return __atomic_load_n( p, __ATOMIC_ACQUIRE ); }

/* Loads that take part in the store-then-look handshakes (hazards, seq). */
static inline ulong
gv_load_sc( ulong const * p ) { FD_GROOVE_HOOK(); return __atomic_load_n( p, __ATOMIC_SEQ_CST ); }

/* For words only this thread writes, or whose value is checked by a later compare-and-swap. */
static inline ulong
gv_peek( ulong const * p ) { return __atomic_load_n( p, __ATOMIC_RELAXED ); }

static inline void
gv_poke( ulong * p, ulong v ) { __atomic_store_n( p, v, __ATOMIC_RELAXED ); }

static inline void
gv_store( ulong * p, ulong v ) { FD_GROOVE_HOOK(); __atomic_store_n( p, v, __ATOMIC_RELEASE ); }

static inline void
gv_store_sc( ulong * p, ulong v ) {
  FD_GROOVE_HOOK();
  __atomic_store_n( p, v, __ATOMIC_SEQ_CST );
}

/* 1 if *p was *expected and is now v; else 0 and *expected is what it was. */
static inline int
gv_cas( ulong * p, ulong * expected, ulong v ) {
  FD_GROOVE_HOOK();
  return __atomic_compare_exchange_n( p, expected, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE );
}

/* A superblock starts with this.  Its first object starts one block later. */
struct fd_groove_superblock {
  fd_groove_data_hdr_t hdr; /* info: the link while on a stack */
  ulong mask;               /* bit i: object i is free; and LISTED */
  ulong home;               /* hint: where it was last kept, record << 8 | slot; 0 nowhere */
};

typedef struct fd_groove_superblock fd_groove_superblock_t;

/* Set while somebody (a slot, a stack, or a thread in the middle of an operation) answers for the
   superblock; clear only if it has no free object, and then whoever frees one sets it again. */
#define GV_LISTED ( 1UL << 63 )

/* What a slot, a stack or a record refers to is an offset from volume0. */

static inline void *
gv_ptr( fd_groove_data_t const * d, ulong off ) { return (void *)( (ulong)d->volume0 + off ); }

static inline fd_groove_superblock_t *
gv_superblock( fd_groove_data_t const * d, ulong off ) {
  return (fd_groove_superblock_t *)gv_ptr( d, off );
}

/* The mask of a superblock of class szc all of whose objects are free. */
static inline ulong
gv_mask_all( ulong szc ) { return ( 1UL << fd_groove_data_szc_cfg[szc].obj_cnt ) - 1UL; }

static inline ulong
gv_szc_sz( ulong szc ) { return (ulong)fd_groove_data_szc_cfg[szc].obj_footprint; }

static inline int
gv_is_slotted( ulong szc ) { return szc < FD_GROOVE_DATA_PRIVATE_SLOT_SZC_CNT; }

/* Bytes between a superblock of class szc and its end, without its own first 16; saturated. */
static inline ulong
gv_superblock_sz( ulong szc ) {
  ulong parent = (ulong)fd_groove_data_szc_cfg[szc].parent_szc;
  ulong sz     = parent == FD_GROOVE_DATA_SZC_CNT ? FD_GROOVE_VOLUME_DATA_MAX : gv_szc_sz( parent );
  return fd_ulong_min( sz - FD_GROOVE_DATA_HDR_FOOTPRINT, ( 1UL << 25 ) - 1UL );
}

static inline fd_groove_data_hdr_t
gv_superblock_hdr( ulong szc, ulong idx ) {
  return fd_groove_data_hdr( FD_GROOVE_DATA_HDR_TYPE_SUPERBLOCK, idx, szc,
                             FD_GROOVE_DATA_HDR_ALIGN, gv_superblock_sz( szc ), 0UL );
}

/* 1 if the (size) of an object of class szc can be what header bits say an allocation is. */
static inline int
gv_alloc_is_sane( fd_groove_data_hdr_t hdr, ulong szc ) {
  ulong align = fd_groove_data_hdr_align( hdr );
  if( !fd_ulong_is_pow2( align ) || align > FD_GROOVE_DATA_ALLOC_ALIGN_MAX ) return 0;
  ulong start = fd_ulong_align_up( FD_GROOVE_DATA_HDR_FOOTPRINT, align );
  return start + fd_groove_data_hdr_sz( hdr ) <= gv_szc_sz( szc );
}

/* fd_groove_rec.c */

extern fd_groove_data_private_rec_t * gv_rec_enter_slow( fd_groove_data_t * d );
extern ulong fd_groove_thread_new( void );
extern FD_TL ulong fd_groove_thread;

/* The record this operation uses; nobody else does until gv_rec_exit. */
static inline fd_groove_data_private_rec_t *
gv_rec_enter( fd_groove_data_t * d ) {
  if( FD_LIKELY( gv_peek( &d->thread ) == fd_groove_thread && d->rec ) ) return d->rec;
  return gv_rec_enter_slow( d );
}

static inline void
gv_rec_exit( fd_groove_data_t * d, fd_groove_data_private_rec_t * rec ) {
  if( FD_UNLIKELY( rec >= d->shdata->rec + FD_GROOVE_DATA_PRIVATE_REC_KEPT_CNT ) )
    gv_store( &rec->owner, 0UL ); /* read by the compare-and-swap in gv_rec_try */
}

int gv_rec_try( fd_groove_data_t * d, ulong idx );

/* fd_groove_superblock.c */

void gv_rec_flush( fd_groove_data_t * d, fd_groove_data_private_rec_t * rec );
void gv_trim( fd_groove_data_t * d, fd_groove_data_private_rec_t * rec );
void gv_stack_push( fd_groove_data_t * d, fd_groove_data_private_stack_t * stack, ulong off );

#endif
