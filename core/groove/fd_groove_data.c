/* The data allocator's interface: life cycle of the shared state and of joins, and the checks and
   headers around taking and giving back objects, which fd_groove_superblock.c does. */

#include "core/groove/fd_groove_hot.h"
#include "core/util/deepasan.h"
#include "core/util/heap_id.h"
#include "fd/util/wksp/fd_wksp.h"
#include <unistd.h>

static int
is_shdata( fd_groove_data_shmem_t * shdata ) {
  return shdata && fd_ulong_is_aligned( (ulong)shdata, FD_GROOVE_DATA_ALIGN ) &&
         gv_load( &shdata->magic ) == FD_GROOVE_DATA_MAGIC;
}

/* Tells a recorder, if there is one, of the groove's objects.  The heap is known by shdata and its
   blocks are at their offset from volume0, as both are the same for all joiners; it is nested in the
   wksp its volumes lie in, if they do. */
static void
heap_announce( fd_groove_data_shmem_t const * shdata, void const * volume0, int is_new ) {
  if( FD_LIKELY( !heap_is_recorded() ) ) return;
  fd_wksp_t const * wksp    = fd_wksp_containing( volume0 );
  ulong             uuid[2] = { FD_GROOVE_DATA_MAGIC, shdata->heap_id };
  char              name[ FD_WKSP_CSTR_MAX ] = "groove";
  if( wksp ) fd_wksp_cstr_laddr( volume0, name );
  if( is_new ) vt_heap_create( shdata, sizeof( *shdata ), VT_HEAP_GROOVE, name, uuid, wksp );
  else         vt_heap_attach( shdata, sizeof( *shdata ), VT_HEAP_GROOVE, name, uuid, wksp );
}

static inline void const *
heap_block( fd_groove_data_t const * d, ulong obj ) {
  return (void const *)( (ulong)d->shdata + obj - (ulong)d->volume0 );
}

void *
fd_groove_data_new( void * shmem ) {
  fd_groove_data_shmem_t * shdata = (fd_groove_data_shmem_t *)shmem;
  if( FD_UNLIKELY( !shmem || !fd_ulong_is_aligned( (ulong)shmem, FD_GROOVE_DATA_ALIGN ) ) ) {
    FD_LOG_WARNING(( "groove new: NULL or misaligned shmem" ));
    return NULL;
  }
  memset( shdata, 0, sizeof( *shdata ) );
  fd_groove_volume_pool_new( &shdata->pool );
  shdata->heap_id = heap_id_new( shmem );
  gv_store( &shdata->magic, FD_GROOVE_DATA_MAGIC ); /* read by is_shdata */
  heap_announce( shdata, NULL, 1 ); /* its volumes are not known yet */
  return shmem;
}

/* What is wrong with the arguments of join; NULL if nothing. */
static char const *
join_error( void * ljoin, void * shdata, void * volume0, ulong volume_max ) {
  if( !ljoin || !fd_ulong_is_aligned( (ulong)ljoin, alignof( fd_groove_data_t ) ) )
    return "NULL or misaligned ljoin";
  if( !is_shdata( (fd_groove_data_shmem_t *)shdata ) )
    return "shdata is NULL, misaligned or no groove";
  if( !volume0 || !fd_ulong_is_aligned( (ulong)volume0, FD_GROOVE_VOLUME_ALIGN ) )
    return "NULL or misaligned volume0";
  if( volume_max > fd_groove_volume_pool_ele_max_max() ) return "volume_max too large";
  return NULL;
}

fd_groove_data_t *
fd_groove_data_join( void * ljoin, void * shdata, void * volume0, ulong volume_max,
                     ulong cgroup_hint ) {
  fd_groove_data_t * d     = (fd_groove_data_t *)ljoin;
  char const *       error = join_error( ljoin, shdata, volume0, volume_max );
  if( FD_UNLIKELY( error ) ) {
    FD_LOG_WARNING(( "groove join: %s", error ));
    return NULL;
  }
  memset( d, 0, sizeof( *d ) );
  d->shdata      = (fd_groove_data_shmem_t *)shdata;
  d->volume0     = (fd_groove_volume_t *)volume0;
  d->volume_max  = volume_max ? volume_max : fd_groove_volume_pool_ele_max_max();
  d->cgroup_hint = cgroup_hint;
  fd_groove_volume_pool_join( d->pool, &d->shdata->pool, volume0, d->volume_max );
  heap_announce( d->shdata, volume0, 0 );
  return d;
}

/* A forked child leaves its copy of the join only: the record is its parent's. */
void *
fd_groove_data_leave( fd_groove_data_t * d ) {
  if( FD_UNLIKELY( !d ) ) {
    FD_LOG_WARNING(( "groove leave: NULL join" ));
    return NULL;
  }
  if( d->rec && d->pid == (ulong)getpid() ) {
    gv_rec_flush( d, d->rec );
    gv_store( &d->rec->owner, 0UL ); /* read by the compare-and-swap in gv_rec_try */
    d->rec = NULL;
  }
  vt_heap_detach( d->shdata );
  return d;
}

void *
fd_groove_data_delete( void * shmem ) {
  fd_groove_data_shmem_t * shdata = (fd_groove_data_shmem_t *)shmem;
  if( FD_UNLIKELY( !is_shdata( shdata ) ) ) {
    FD_LOG_WARNING(( "groove delete: shdata is NULL, misaligned or no groove" ));
    return NULL;
  }
  heap_announce( shdata, NULL, 0 ); /* it may have been left before */
  vt_heap_delete( shdata );
  gv_store( &shdata->magic, 0UL ); /* read by is_shdata */
  return shmem;
}

int
fd_groove_data_volume_add( fd_groove_data_t * d, void * volume, ulong footprint, void const * info,
                           ulong info_sz ) {
  if( FD_LIKELY( d ) ) vt_heap_place( d->shdata, volume ); /* before its blocks can be reported */
  return fd_groove_volume_pool_add( d ? d->pool : NULL, volume, footprint, info, info_sz );
}

void *
fd_groove_data_volume_remove( fd_groove_data_t * d ) {
  if( FD_UNLIKELY( !d ) ) {
    FD_LOG_WARNING(( "groove volume remove: NULL join" ));
    return NULL;
  }
  if( fd_groove_volume_pool_is_empty( d->pool ) ) {
    fd_groove_data_private_rec_t * rec = gv_rec_enter( d );
    gv_trim( d, rec );
    gv_rec_exit( d, rec );
  }
  return fd_groove_volume_pool_remove( d->pool );
}

/* Alloc */

static void *
alloc_fail( int * opt_err, int err, char const * why ) {
  if( why ) FD_LOG_WARNING(( "groove alloc: %s", why ));
  if( opt_err ) *opt_err = err;
  return NULL;
}

void *
fd_groove_data_alloc( fd_groove_data_t * d, ulong align, ulong sz, ulong tag, int * opt_err ) {
  align       = fd_ulong_if( !!align, align, FD_GROOVE_DATA_ALLOC_ALIGN_DEFAULT );
  ulong start = fd_ulong_max( align, FD_GROOVE_DATA_HDR_FOOTPRINT );
  if( FD_UNLIKELY( !d ) ) return alloc_fail( opt_err, FD_GROOVE_ERR_INVAL, "NULL join" );
  if( FD_UNLIKELY( !fd_ulong_is_pow2( align ) || align > FD_GROOVE_DATA_ALLOC_ALIGN_MAX ) )
    return alloc_fail( opt_err, FD_GROOVE_ERR_INVAL, "bad align" );
  if( FD_UNLIKELY( sz > FD_GROOVE_DATA_ALLOC_FOOTPRINT_MAX - start ) )
    return alloc_fail( opt_err, FD_GROOVE_ERR_INVAL, "sz too large" );

  ulong                          szc = fd_groove_data_szc( start + sz );
  fd_groove_data_private_rec_t * rec = gv_rec_enter( d );
  ulong                          obj = gv_object_take( d, rec, szc );
  gv_rec_exit( d, rec );
  if( FD_UNLIKELY( !obj ) ) return alloc_fail( opt_err, FD_GROOVE_ERR_FULL, NULL );

  ulong                  off = fd_ulong_align_dn( obj, FD_GROOVE_BLOCK_ALIGN );
  fd_groove_data_hdr_t * hdr = (fd_groove_data_hdr_t *)gv_ptr( d, off );
  deepasan_unpoison( hdr, gv_szc_sz( szc ) );
  gv_poke( &hdr->info, tag );
  gv_store( &hdr->bits, fd_groove_data_hdr( FD_GROOVE_DATA_HDR_TYPE_ALLOC, obj - off, szc, align,
                                            sz, tag ).bits ); /* read by a free, if a wrong one */
  if( opt_err ) *opt_err = FD_GROOVE_SUCCESS;
  vt_block_alloc( d->shdata, heap_block( d, (ulong)hdr + start ), sz, align, tag );
  return (void *)( (ulong)hdr + start );
}

/* Free */

static int
free_fail( int err, char const * why ) {
  FD_LOG_WARNING(( "groove free: %s", why ));
  return err;
}

/* The offset of the superblock of the object whose header is at off and says bits; 0 if there can
   be no such object.  Looks at nothing outside of the object's volume. */
static ulong
free_superblock( fd_groove_data_t * d, ulong off, fd_groove_data_hdr_t hdr ) {
  ulong szc      = fd_groove_data_hdr_szc( hdr );
  ulong idx      = fd_groove_data_hdr_idx( hdr );
  ulong data_off = offsetof( fd_groove_volume_t, data ) + FD_GROOVE_BLOCK_FOOTPRINT;
  ulong in_vol   = off % FD_GROOVE_VOLUME_FOOTPRINT;
  if( szc >= FD_GROOVE_DATA_SZC_CNT ) return 0UL;
  if( idx >= (ulong)fd_groove_data_szc_cfg[szc].obj_cnt ) return 0UL;
  if( in_vol < data_off + idx * gv_szc_sz( szc ) ||
      in_vol + gv_szc_sz( szc ) > FD_GROOVE_VOLUME_FOOTPRINT ) return 0UL;
  ulong sb_off = off - idx * gv_szc_sz( szc ) - FD_GROOVE_BLOCK_FOOTPRINT;
#if FD_GROOVE_PARANOID
  fd_groove_data_hdr_t sb_hdr = { gv_load( &gv_superblock( d, sb_off )->hdr.bits ), 0UL };
  if( fd_groove_data_hdr_type( sb_hdr ) != FD_GROOVE_DATA_HDR_TYPE_SUPERBLOCK ||
      fd_groove_data_hdr_szc( sb_hdr ) != szc ) return 0UL;
#else
  (void)d;
#endif
  return sb_off;
}

/* The swap of the header decides which of several frees of one object is the right one: from then
   on the object is the caller's alone, and its superblock stays until the object is put back. */
int
fd_groove_data_private_free( fd_groove_data_t * d, void * obj, ulong exp_type ) {
  if( FD_UNLIKELY( !d ) ) return free_fail( FD_GROOVE_ERR_INVAL, "NULL join" );
  if( FD_UNLIKELY( !obj ) ) return FD_GROOVE_ERR_INVAL;
  ulong                  addr = (ulong)fd_groove_data_object_hdr( obj );
  ulong                  off  = addr - (ulong)d->volume0;
  fd_groove_data_hdr_t * ptr  = (fd_groove_data_hdr_t *)addr;
  if( FD_UNLIKELY( addr < (ulong)d->volume0 || off / FD_GROOVE_VOLUME_FOOTPRINT >= d->volume_max ) )
    return free_fail( FD_GROOVE_ERR_INVAL, "not in a volume" );

  fd_groove_data_hdr_t hdr = { gv_load( &ptr->bits ), 0UL };
  if( FD_UNLIKELY( fd_groove_data_hdr_type( hdr ) != exp_type ) )
    return free_fail( FD_GROOVE_ERR_INVAL, "no such object, or freed already" );
  ulong szc    = fd_groove_data_hdr_szc( hdr );
  ulong idx    = fd_groove_data_hdr_idx( hdr );
  ulong sb_off = free_superblock( d, off, hdr );
  if( FD_UNLIKELY( !sb_off ) ) return free_fail( FD_GROOVE_ERR_INVAL, "impossible header" );
  if( FD_UNLIKELY( !gv_cas( &ptr->bits, &hdr.bits, 0UL ) ) )
    return free_fail( FD_GROOVE_ERR_INVAL, "freed at the same time by somebody else" );
  /* the object is ours and not free yet; to the header, as obj need not be what alloc returned */
  ulong start = fd_ulong_max( fd_groove_data_hdr_align( hdr ), FD_GROOVE_DATA_HDR_FOOTPRINT );
  if( FD_LIKELY( exp_type == FD_GROOVE_DATA_HDR_TYPE_ALLOC ) )
    vt_block_free( d->shdata, heap_block( d, addr + start ) );
  /* not the header: it is what finds a second free */
  deepasan_poison( ptr + 1, gv_szc_sz( szc ) - FD_GROOVE_DATA_HDR_FOOTPRINT );

  fd_groove_data_private_rec_t * rec = gv_rec_enter( d );
  int                            err = gv_object_put( d, rec, sb_off, szc, idx );
  gv_rec_exit( d, rec );
  if( FD_UNLIKELY( err ) ) return free_fail( err, "the superblock says the object is free" );
  return FD_GROOVE_SUCCESS;
}
