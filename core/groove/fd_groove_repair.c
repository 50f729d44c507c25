/* Puts a groove in order whose processes may have been killed anywhere: the headers in the volumes
   say which objects exist, and everything else (masks, stacks, slots, pool) is made anew from them.
   An object taken but not yet headed, or no longer headed but not yet given back, is free again. */

#include "core/groove/fd_groove_private.h"

static int repair_superblock( fd_groove_data_t * d, ulong off, ulong szc );

/* 1 if what is at off is in use as object idx of a superblock of class szc.  Objects that are empty
   superblocks are taken apart. */
static int
repair_object( fd_groove_data_t * d, ulong off, ulong szc, ulong idx ) {
  fd_groove_data_hdr_t * hdr   = (fd_groove_data_hdr_t *)gv_ptr( d, off );
  ulong                  child = fd_groove_data_hdr_szc( *hdr );
  int                    used  = 0;
  if( fd_groove_data_hdr_idx( *hdr ) != idx ) {
    used = 0;
  } else if( fd_groove_data_hdr_type( *hdr ) == FD_GROOVE_DATA_HDR_TYPE_ALLOC ) {
    used = child == szc && gv_alloc_is_sane( *hdr, szc );
  } else if( child < FD_GROOVE_DATA_SZC_CNT &&
             (ulong)fd_groove_data_szc_cfg[child].parent_szc == szc &&
             hdr->bits == gv_superblock_hdr( child, idx ).bits ) {
    used = repair_superblock( d, off, child );
  }
  if( !used ) hdr->bits = 0UL;
  return used;
}

/* Remakes the mask of a superblock; lists it if it has a free object.  0 if all of it is free, and
   then it is not listed. */
static int
repair_superblock( fd_groove_data_t * d, ulong off, ulong szc ) {
  fd_groove_superblock_t * sb   = gv_superblock( d, off );
  ulong                    all  = gv_mask_all( szc );
  ulong                    mask = sb->mask & all;
  for( ulong i = 0UL; i < (ulong)fd_groove_data_szc_cfg[szc].obj_cnt; i++ ) {
    ulong obj = off + FD_GROOVE_BLOCK_FOOTPRINT + i * gv_szc_sz( szc );
    if( !( ( mask >> i ) & 1UL ) && !repair_object( d, obj, szc, i ) ) mask |= 1UL << i;
  }
  sb->mask = mask ? mask | GV_LISTED : 0UL;
  sb->home = 0UL;
  if( mask && mask != all ) gv_stack_push( d, d->shdata->szc[szc].stack, off );
  return mask != all;
}

/* Volumes that hold something stay in use, the other ones of this groove go to the pool. */
static int
repair_volume( fd_groove_data_t * d, ulong idx ) {
  fd_groove_volume_t * volume = fd_groove_volume_pool_ele( d->pool, idx );
  ulong                szc    = FD_GROOVE_DATA_SZC_CNT - 1UL;
  ulong                off    = (ulong)volume->data - (ulong)d->volume0;
  int                  used   = volume->magic == FD_GROOVE_VOLUME_MAGIC;
  if( !used && volume->magic != ~FD_GROOVE_VOLUME_MAGIC ) return FD_GROOVE_SUCCESS;
  if( volume->idx != idx || volume->info_sz > FD_GROOVE_VOLUME_INFO_MAX ) {
    FD_LOG_WARNING(( "groove repair: damaged volume header" ));
    return FD_GROOVE_ERR_CORRUPT;
  }
  used = used && gv_superblock( d, off )->hdr.bits == gv_superblock_hdr( szc, 0UL ).bits &&
         repair_superblock( d, off, szc );
  if( used ) return FD_GROOVE_SUCCESS;
  volume->magic = ~FD_GROOVE_VOLUME_MAGIC;
  fd_groove_volume_pool_release( d->pool, volume );
  return FD_GROOVE_SUCCESS;
}

/* Forgets what records hold; those of dead processes are free again. */
static void
reset_recs( fd_groove_data_t * d ) {
  for( ulong i = 0UL; i < d->shdata->rec_hi; i++ ) {
    fd_groove_data_private_rec_t * rec = d->shdata->rec + i;
    memset( rec->slot, 0, sizeof( rec->slot ) );
    rec->hazard = 0UL;
    rec->seq    = ( rec->seq + 1UL ) & ~1UL;
    if( rec->owner && fd_log_group_id_query( rec->owner ) == FD_LOG_GROUP_ID_QUERY_DEAD )
      rec->owner = 0UL;
  }
}

int
fd_groove_data_repair( fd_groove_data_t * d, ulong volume_cnt ) {
  int err = FD_GROOVE_SUCCESS;
  if( FD_UNLIKELY( !d || volume_cnt > d->volume_max ) ) {
    FD_LOG_WARNING(( "groove repair: NULL join or volume_cnt over its volume_max" ));
    return FD_GROOVE_ERR_INVAL;
  }
  reset_recs( d );
  for( ulong szc = 0UL; szc < FD_GROOVE_DATA_SZC_CNT; szc++ ) {
    d->shdata->szc[szc].stack[0].off = 0UL;
    d->shdata->szc[szc].stack[1].off = 0UL;
  }
  fd_groove_volume_pool_new( &d->shdata->pool );
  for( ulong idx = volume_cnt; idx; idx-- )
    err = fd_int_min( err, repair_volume( d, idx - 1UL ) );
  return err;
}
