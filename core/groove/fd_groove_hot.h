#ifndef CORE_GROOVE_FD_GROOVE_HOT_H
#define CORE_GROOVE_FD_GROOVE_HOT_H

/* The inner part of alloc and free: taking an object of a superblock that the record keeps, and
   giving one back to a superblock that stays where it is.  What is not so common, and the reasons
   why this is safe, are in fd_groove_superblock.c. */

#include "core/groove/fd_groove_private.h"

/* While an object is on its way, its index in its superblock is in the bits its offset has free. */
#define GV_OBJ_IDX_MASK 63UL

/* fd_groove_superblock.c */

ulong gv_object_take_slow( fd_groove_data_t * d, fd_groove_data_private_rec_t * rec, ulong szc );
int gv_object_put_slow( fd_groove_data_t * d, fd_groove_data_private_rec_t * rec, ulong off,
                        ulong szc, ulong idx );

/* Takes an object of a superblock the caller may touch: its offset and index, or 0 if none. */
static inline ulong
gv_superblock_take( fd_groove_data_t * d, ulong off, ulong szc ) {
  fd_groove_superblock_t * sb   = gv_superblock( d, off );
  ulong                    mask = gv_load( &sb->mask );
  for(;;) {
    ulong free_mask = mask & ~GV_LISTED;
    if( !free_mask ) return 0UL;
    if( FD_LIKELY( gv_cas( &sb->mask, &mask, mask & ( mask - 1UL ) ) ) ) {
      ulong idx = (ulong)fd_ulong_find_lsb( free_mask );
      return ( off + FD_GROOVE_BLOCK_FOOTPRINT + idx * gv_szc_sz( szc ) ) | idx;
    }
  }
}

/* Takes an object of what rec keeps; the slot it came from is tried first next time. */
static inline ulong
gv_slots_take( fd_groove_data_t * d, fd_groove_data_private_rec_t * rec, ulong szc ) {
  ulong k = (ulong)rec->cur[szc];
  for( ulong rem = FD_GROOVE_DATA_PRIVATE_SLOT_CNT; rem; rem-- ) {
    ulong off = gv_peek( &rec->slot[szc][k] );
    ulong obj = FD_LIKELY( off ) ? gv_superblock_take( d, off, szc ) : 0UL;
    if( FD_LIKELY( obj ) ) {
      rec->cur[szc] = (uchar)k;
      return obj;
    }
    k = k ? k - 1UL : FD_GROOVE_DATA_PRIVATE_SLOT_CNT - 1UL;
  }
  return 0UL;
}

/* Takes an object of szc for the user of rec: its offset and index, or 0 if full. */
static inline ulong
gv_object_take( fd_groove_data_t * d, fd_groove_data_private_rec_t * rec, ulong szc ) {
  ulong obj = gv_is_slotted( szc ) ? gv_slots_take( d, rec, szc ) : 0UL;
  return FD_LIKELY( obj ) ? obj : gv_object_take_slow( d, rec, szc );
}

/* Is off in a slot of rec?  home says where to look; -1 if not. */
static inline int
gv_slot_of( fd_groove_data_t const * d, fd_groove_data_private_rec_t const * rec, ulong szc,
            ulong off ) {
  ulong home = gv_peek( &gv_superblock( d, off )->home );
  ulong k    = home & 255UL;
  if( ( home >> 8 ) != (ulong)( rec - d->shdata->rec ) + 1UL ) return -1;
  if( FD_UNLIKELY( k >= FD_GROOVE_DATA_PRIVATE_SLOT_CNT ) ) return -1;
  return gv_peek( &rec->slot[szc][k] ) == off ? (int)k : -1;
}

/* The common half of a free: the superblock is listed and stays in use.  1 if done, 0 if that is
   not so (nothing done), negative if the object was free (nothing done). */
static inline int
gv_object_put_fast( fd_groove_superblock_t * sb, ulong szc, ulong idx ) {
  ulong bit  = 1UL << idx;
  ulong all  = gv_mask_all( szc ) | GV_LISTED;
  ulong mask = gv_load( &sb->mask );
  for(;;) {
    ulong after = mask | bit;
    if( FD_UNLIKELY( mask & bit ) ) return FD_GROOVE_ERR_CORRUPT;
    if( FD_UNLIKELY( !( mask & GV_LISTED ) || after == all ) ) return 0;
    if( FD_LIKELY( gv_cas( &sb->mask, &mask, after ) ) ) return 1;
  }
}

/* Gives back object idx of the superblock at off, which the caller owned.  CORRUPT if free. */
static inline int
gv_object_put( fd_groove_data_t * d, fd_groove_data_private_rec_t * rec, ulong off, ulong szc,
               ulong idx ) {
  if( gv_is_slotted( szc ) ) {
    int k = gv_slot_of( d, rec, szc, off );
    if( k >= 0 ) rec->cur[szc] = (uchar)k; /* what was freed last is still in the cache */
  }
  int done = gv_object_put_fast( gv_superblock( d, off ), szc, idx );
  if( FD_LIKELY( done ) ) return fd_int_min( done, 0 );
  return gv_object_put_slow( d, rec, off, szc, idx );
}

#endif
