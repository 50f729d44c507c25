/* Looks at an idle groove and says whether everything agrees: first what the shared state refers
   to, then, volume by volume, the tree of superblocks and objects.  Changes nothing. */

#include "core/groove/fd_groove_hot.h"

#define CHECK( cond, what )                                                                        \
  do {                                                                                             \
    if( FD_UNLIKELY( !( cond ) ) ) {                                                               \
      FD_LOG_WARNING(( "groove verify: %s", what ));                                               \
      return FD_GROOVE_ERR_CORRUPT;                                                                \
    }                                                                                              \
  } while( 0 )

#define TRY( check )                                                                               \
  do {                                                                                             \
    int try_err = ( check );                                                                       \
    if( FD_UNLIKELY( try_err ) ) return try_err;                                                   \
  } while( 0 )

static int
verify_szc( ulong szc ) {
  fd_groove_data_szc_cfg_t cfg    = fd_groove_data_szc_cfg[szc];
  ulong                    sz     = (ulong)cfg.obj_footprint;
  ulong                    parent = (ulong)cfg.parent_szc;
  ulong                    below  = szc ? gv_szc_sz( szc - 1UL ) : 0UL;
  ulong                    room   = FD_GROOVE_VOLUME_DATA_MAX;
  CHECK( sz % FD_GROOVE_BLOCK_FOOTPRINT == 0UL && sz > below && sz <= ( 1UL << 25 ), "footprint" );
  CHECK( cfg.obj_cnt >= 2 && cfg.obj_cnt < 63, "objects in a superblock" );
  CHECK( fd_ulong_is_pow2( (ulong)cfg.cgroup_mask + 1UL ), "cgroup mask" );
  CHECK( parent > szc && parent <= FD_GROOVE_DATA_SZC_CNT, "parent" );
  if( parent < FD_GROOVE_DATA_SZC_CNT ) room = gv_szc_sz( parent );
  CHECK( FD_GROOVE_BLOCK_FOOTPRINT + (ulong)cfg.obj_cnt * sz <= room, "superblock size" );
  return FD_GROOVE_SUCCESS;
}

static int
verify_join( fd_groove_data_t const * d ) {
  CHECK( d && fd_ulong_is_aligned( (ulong)d, alignof( fd_groove_data_t ) ), "join" );
  CHECK( d->shdata && fd_ulong_is_aligned( (ulong)d->shdata, FD_GROOVE_DATA_ALIGN ), "shdata" );
  CHECK( d->shdata->magic == FD_GROOVE_DATA_MAGIC, "magic" );
  CHECK( d->volume0, "volume0" );
  CHECK( fd_ulong_is_aligned( (ulong)d->volume0, FD_GROOVE_VOLUME_ALIGN ), "volume0's alignment" );
  CHECK( d->volume_max && d->volume_max <= fd_groove_volume_pool_ele_max_max(), "volume_max" );
  return FD_GROOVE_SUCCESS;
}

static int
verify_pool( fd_groove_data_t const * d ) {
  CHECK( !fd_groove_volume_pool_verify( d->pool ), "volume pool" );
  fd_groove_volume_t const * volume = fd_groove_volume_pool_peek_const( d->pool );
  for( ; volume; volume = fd_groove_volume_pool_ele_const( d->pool, volume->next ) ) {
    CHECK( volume->magic == ~FD_GROOVE_VOLUME_MAGIC, "magic of a volume in the pool" );
    CHECK( volume->idx == fd_groove_volume_pool_idx( d->pool, volume ), "index of a volume" );
    CHECK( volume->info_sz <= FD_GROOVE_VOLUME_INFO_MAX, "info_sz of a volume" );
  }
  return FD_GROOVE_SUCCESS;
}

/* 1 if a superblock of class szc can be at off. */
static int
off_is_sane( fd_groove_data_t const * d, ulong szc, ulong off ) {
  ulong in_vol = off % FD_GROOVE_VOLUME_FOOTPRINT;
  ulong sz     = FD_GROOVE_BLOCK_FOOTPRINT +
             (ulong)fd_groove_data_szc_cfg[szc].obj_cnt * gv_szc_sz( szc );
  return off % FD_GROOVE_BLOCK_FOOTPRINT == 0UL &&
         off / FD_GROOVE_VOLUME_FOOTPRINT < d->volume_max &&
         in_vol >= offsetof( fd_groove_volume_t, data ) &&
         in_vol + sz <= FD_GROOVE_VOLUME_FOOTPRINT;
}

/* A superblock that somebody answers for. */
static int
verify_listed( fd_groove_data_t const * d, ulong szc, ulong off ) {
  CHECK( off_is_sane( d, szc, off ), "offset of a superblock" );
  fd_groove_superblock_t const * sb     = gv_superblock( d, off );
  fd_groove_volume_t const *     volume =
    (fd_groove_volume_t const *)fd_ulong_align_dn( off, FD_GROOVE_VOLUME_FOOTPRINT );
  volume = (fd_groove_volume_t const *)gv_ptr( d, (ulong)volume );
  CHECK( volume->magic == FD_GROOVE_VOLUME_MAGIC, "a superblock in an unused volume" );
  CHECK( fd_groove_data_hdr_type( sb->hdr ) == FD_GROOVE_DATA_HDR_TYPE_SUPERBLOCK &&
         fd_groove_data_hdr_szc( sb->hdr ) == szc, "header of a superblock" );
  CHECK( ( sb->mask & GV_LISTED ) && !( sb->mask & ~GV_LISTED & ~gv_mask_all( szc ) ),
         "mask of a superblock in circulation" );
  return FD_GROOVE_SUCCESS;
}

/* As for the pool, a walker at half speed finds circles. */
static int
verify_stack( fd_groove_data_t const * d, ulong szc, ulong off ) {
  ulong slow = off;
  for( ulong step = 0UL; off; step++ ) {
    CHECK( !step || off != slow, "circle in a stack" );
    TRY( verify_listed( d, szc, off ) );
    off = gv_superblock( d, off )->hdr.info;
    if( step & 1UL ) slow = gv_superblock( d, slow )->hdr.info;
  }
  return FD_GROOVE_SUCCESS;
}

static int
verify_rec( fd_groove_data_t const * d, fd_groove_data_private_rec_t const * rec ) {
  CHECK( !( rec->seq & 1UL ) && !rec->hazard, "an operation is or was interrupted" );
  CHECK( rec->spare_szc < FD_GROOVE_DATA_PRIVATE_SLOT_SZC_CNT &&
         rec->spare_slot < FD_GROOVE_DATA_PRIVATE_SLOT_CNT, "spare superblock of a record" );
  for( ulong szc = 0UL; szc < FD_GROOVE_DATA_PRIVATE_SLOT_SZC_CNT; szc++ ) {
    CHECK( rec->cur[szc] < FD_GROOVE_DATA_PRIVATE_SLOT_CNT, "current slot of a record" );
    for( ulong k = 0UL; k < FD_GROOVE_DATA_PRIVATE_SLOT_CNT; k++ ) {
      ulong off = rec->slot[szc][k];
      if( !off ) continue;
      TRY( verify_listed( d, szc, off ) );
      CHECK( gv_slot_of( d, rec, szc, off ) == (int)k,
             "a superblock in a slot that is not its home" );
    }
  }
  return FD_GROOVE_SUCCESS;
}

int
fd_groove_data_verify( fd_groove_data_t const * d ) {
  TRY( verify_join( d ) );
  TRY( verify_pool( d ) );
  CHECK( d->shdata->rec_hi <= FD_GROOVE_DATA_PRIVATE_REC_CNT, "number of records" );
  for( ulong szc = 0UL; szc < FD_GROOVE_DATA_SZC_CNT; szc++ ) {
    TRY( verify_szc( szc ) );
    TRY( verify_stack( d, szc, d->shdata->szc[szc].stack[0].off ) );
    TRY( verify_stack( d, szc, d->shdata->szc[szc].stack[1].off ) );
  }
  for( ulong i = 0UL; i < d->shdata->rec_hi; i++ ) TRY( verify_rec( d, d->shdata->rec + i ) );
  return FD_GROOVE_SUCCESS;
}

/* Volumes */

static int verify_superblock( fd_groove_data_t const * d, ulong off, ulong szc, ulong idx );

/* An object that its superblock (of class szc) says is not free. */
static int
verify_object( fd_groove_data_t const * d, ulong off, ulong szc, ulong idx ) {
  fd_groove_data_hdr_t hdr   = *(fd_groove_data_hdr_t const *)gv_ptr( d, off );
  ulong                child = fd_groove_data_hdr_szc( hdr );
  CHECK( fd_groove_data_hdr_idx( hdr ) == idx, "index of an object" );
  if( fd_groove_data_hdr_type( hdr ) == FD_GROOVE_DATA_HDR_TYPE_SUPERBLOCK ) {
    CHECK( child < FD_GROOVE_DATA_SZC_CNT &&
           (ulong)fd_groove_data_szc_cfg[child].parent_szc == szc, "class of a superblock" );
    return verify_superblock( d, off, child, idx );
  }
  CHECK( fd_groove_data_hdr_type( hdr ) == FD_GROOVE_DATA_HDR_TYPE_ALLOC, "type of an object" );
  CHECK( child == szc, "class of an object" );
  CHECK( gv_alloc_is_sane( hdr, szc ), "align or size of an object" );
  return FD_GROOVE_SUCCESS;
}

static int
verify_superblock( fd_groove_data_t const * d, ulong off, ulong szc, ulong idx ) {
  fd_groove_superblock_t const * sb   = gv_superblock( d, off );
  ulong                          mask = sb->mask;
  CHECK( off_is_sane( d, szc, off ), "place of a superblock" );
  CHECK( sb->hdr.bits == gv_superblock_hdr( szc, idx ).bits, "header of a superblock" );
  CHECK( !( mask & ~GV_LISTED & ~gv_mask_all( szc ) ), "mask of a superblock" );
  CHECK( !mask || ( mask & GV_LISTED ), "a superblock with free objects that nobody answers for" );
  for( ulong i = 0UL; i < (ulong)fd_groove_data_szc_cfg[szc].obj_cnt; i++ )
    if( !( ( mask >> i ) & 1UL ) )
      TRY( verify_object( d, off + FD_GROOVE_BLOCK_FOOTPRINT + i * gv_szc_sz( szc ), szc, i ) );
  return FD_GROOVE_SUCCESS;
}

int
fd_groove_data_volume_verify( fd_groove_data_t const * d, fd_groove_volume_t const * volume ) {
  TRY( verify_join( d ) );
  ulong off = (ulong)volume - (ulong)d->volume0;
  CHECK( volume && (ulong)volume >= (ulong)d->volume0 && !( off % FD_GROOVE_VOLUME_FOOTPRINT ) &&
         off / FD_GROOVE_VOLUME_FOOTPRINT < d->volume_max, "address of a volume" );
  CHECK( volume->magic == FD_GROOVE_VOLUME_MAGIC || volume->magic == ~FD_GROOVE_VOLUME_MAGIC,
         "magic of a volume" );
  CHECK( volume->idx == off / FD_GROOVE_VOLUME_FOOTPRINT, "index of a volume" );
  CHECK( volume->info_sz <= FD_GROOVE_VOLUME_INFO_MAX, "info_sz of a volume" );
  if( volume->magic == ~FD_GROOVE_VOLUME_MAGIC ) return FD_GROOVE_SUCCESS;
  return verify_superblock( d, off + offsetof( fd_groove_volume_t, data ),
                            FD_GROOVE_DATA_SZC_CNT - 1UL, 0UL );
}
