/* The pool of empty volumes: a Treiber stack (R. K. Treiber, "Systems programming: coping with
   parallelism", 1986) of volume indices with a version beside the index of the top. */

#include "core/util/deepasan.h"
#include "core/groove/fd_groove_private.h"

#define IDX_LG  34
#define IDX_MAX ( ( 1UL << IDX_LG ) - 1UL ) /* also the null index */
#define LOCKED  ( 1UL << 63 )

/* The word after ver_top when idx comes to the top: a new version, locked as it was. */
static ulong
ver_top_next( ulong ver_top, ulong idx ) {
  ulong ver = ( ver_top + ( 1UL << IDX_LG ) ) & ~( LOCKED | IDX_MAX );
  return ( ver_top & LOCKED ) | ver | idx;
}

/* ver_top is what was seen; returns what is there when nobody holds the lock. */
static ulong
ver_top_unlocked( fd_groove_volume_pool_t const * p, ulong ver_top ) {
  while( FD_UNLIKELY( ver_top & LOCKED ) ) {
    FD_GROOVE_WAIT();
    ver_top = gv_load( &p->shpool->ver_top );
  }
  return ver_top;
}

void *
fd_groove_volume_pool_new( void * shmem ) {
  fd_groove_volume_pool_shmem_t * shpool = (fd_groove_volume_pool_shmem_t *)shmem;
  if( FD_UNLIKELY( !shmem ||
                   !fd_ulong_is_aligned( (ulong)shmem, fd_groove_volume_pool_align() ) ) ) {
    FD_LOG_WARNING(( "volume pool: NULL or misaligned shmem" ));
    return NULL;
  }
  memset( shpool, 0, sizeof( *shpool ) );
  shpool->ver_top = fd_groove_volume_pool_idx_null();
  gv_store( &shpool->magic, FD_GROOVE_VOLUME_POOL_MAGIC ); /* read by join */
  return shmem;
}

/* What is wrong with the arguments of join; NULL if nothing. */
static char const *
join_error( void * ljoin, fd_groove_volume_pool_shmem_t * shpool, void * shele, ulong ele_max ) {
  if( !ljoin || !fd_ulong_is_aligned( (ulong)ljoin, alignof( fd_groove_volume_pool_t ) ) )
    return "NULL or misaligned ljoin";
  if( !shpool || !fd_ulong_is_aligned( (ulong)shpool, fd_groove_volume_pool_align() ) )
    return "NULL or misaligned shpool";
  if( gv_load( &shpool->magic ) != FD_GROOVE_VOLUME_POOL_MAGIC ) return "bad magic";
  if( !shele && ele_max ) return "NULL shele";
  if( !fd_ulong_is_aligned( (ulong)shele, FD_GROOVE_VOLUME_ALIGN ) ) return "misaligned shele";
  if( ele_max > fd_groove_volume_pool_ele_max_max() ) return "ele_max too large";
  return NULL;
}

fd_groove_volume_pool_t *
fd_groove_volume_pool_join( void * ljoin, void * shpool, void * shele, ulong ele_max ) {
  fd_groove_volume_pool_t * join = (fd_groove_volume_pool_t *)ljoin;
  char const * error =
    join_error( ljoin, (fd_groove_volume_pool_shmem_t *)shpool, shele, ele_max );
  if( FD_UNLIKELY( error ) ) {
    FD_LOG_WARNING(( "volume pool join: %s", error ));
    return NULL;
  }
  join->shpool  = (fd_groove_volume_pool_shmem_t *)shpool;
  join->shele   = (fd_groove_volume_t *)shele;
  join->ele_max = ele_max;
  return join;
}

void *
fd_groove_volume_pool_leave( fd_groove_volume_pool_t * join ) {
  if( FD_UNLIKELY( !join ) ) FD_LOG_WARNING(( "volume pool leave: NULL join" ));
  return join;
}

void *
fd_groove_volume_pool_delete( void * shpool ) {
  fd_groove_volume_pool_shmem_t * pool = (fd_groove_volume_pool_shmem_t *)shpool;
  if( FD_UNLIKELY( !pool || !fd_ulong_is_aligned( (ulong)pool, fd_groove_volume_pool_align() ) ||
                   pool->magic != FD_GROOVE_VOLUME_POOL_MAGIC ) ) {
    FD_LOG_WARNING(( "volume pool delete: not a pool" ));
    return NULL;
  }
  gv_store( &pool->magic, 0UL ); /* read by join */
  return shpool;
}

fd_groove_volume_t const *
fd_groove_volume_pool_peek_const( fd_groove_volume_pool_t const * p ) {
  return fd_groove_volume_pool_ele_const( p, gv_load_sc( &p->shpool->ver_top ) & IDX_MAX );
}

fd_groove_volume_t *
fd_groove_volume_pool_peek( fd_groove_volume_pool_t * p ) {
  return fd_groove_volume_pool_ele( p, gv_load( &p->shpool->ver_top ) & IDX_MAX );
}

/* Linearizes at the successful compare-and-swap, which acquires what the pusher's released. */
fd_groove_volume_t *
fd_groove_volume_pool_acquire( fd_groove_volume_pool_t * p ) {
  ulong ver_top = gv_load( &p->shpool->ver_top );
  for(;;) {
    ver_top = ver_top_unlocked( p, ver_top );
    fd_groove_volume_t * ele = fd_groove_volume_pool_ele( p, ver_top & IDX_MAX );
    if( !ele ) return NULL;
    ulong next = ver_top_next( ver_top, gv_load( &ele->next ) & IDX_MAX );
    if( FD_LIKELY( gv_cas( &p->shpool->ver_top, &ver_top, next ) ) ) return ele;
  }
}

/* While the lock is held only its holder writes ver_top. */
fd_groove_volume_t *
fd_groove_volume_pool_acquire_nolock( fd_groove_volume_pool_t * p ) {
  ulong                ver_top = gv_load( &p->shpool->ver_top );
  fd_groove_volume_t * ele     = fd_groove_volume_pool_ele( p, ver_top & IDX_MAX );
  if( ele )
    gv_store( &p->shpool->ver_top, ver_top_next( ver_top, ele->next & IDX_MAX ) );
  return ele;
}

/* Linearizes at the successful compare-and-swap, which releases what the popper's acquires. */
void
fd_groove_volume_pool_release_chain( fd_groove_volume_pool_t * p, fd_groove_volume_t * head,
                                     fd_groove_volume_t * tail ) {
  ulong idx     = fd_groove_volume_pool_idx( p, head );
  ulong ver_top = gv_load( &p->shpool->ver_top );
  do {
    ver_top = ver_top_unlocked( p, ver_top );
    gv_poke( &tail->next, ver_top & IDX_MAX );
  } while( !gv_cas( &p->shpool->ver_top, &ver_top, ver_top_next( ver_top, idx ) ) );
}

void
fd_groove_volume_pool_release( fd_groove_volume_pool_t * p, fd_groove_volume_t * ele ) {
  fd_groove_volume_pool_release_chain( p, ele, ele );
}

/* The compare-and-swap acquires what unlock releases, and what pushers released before. */
int
fd_groove_volume_pool_lock( fd_groove_volume_pool_t * p, int blocking ) {
  ulong ver_top = gv_load( &p->shpool->ver_top );
  for(;;) {
    if( FD_UNLIKELY( !blocking && ( ver_top & LOCKED ) ) ) return FD_POOL_ERR_AGAIN;
    ver_top = ver_top_unlocked( p, ver_top );
    if( FD_LIKELY( gv_cas( &p->shpool->ver_top, &ver_top, ver_top | LOCKED ) ) ) break;
  }
  return FD_POOL_SUCCESS;
}

void
fd_groove_volume_pool_unlock( fd_groove_volume_pool_t * p ) {
  gv_store( &p->shpool->ver_top, gv_peek( &p->shpool->ver_top ) & ~LOCKED ); /* acquired by all */
}

void
fd_groove_volume_pool_reset( fd_groove_volume_pool_t * p ) {
  ulong ver_top = gv_peek( &p->shpool->ver_top );
  gv_store( &p->shpool->ver_top, ver_top_next( ver_top, fd_groove_volume_pool_idx_null() ) );
}

/* The index after idx on the way down the pool; null at its end. */
static ulong
next_idx( fd_groove_volume_pool_t const * p, ulong idx ) {
  fd_groove_volume_t const * ele = fd_groove_volume_pool_ele_const( p, idx );
  return ele ? ele->next : fd_groove_volume_pool_idx_null();
}

static int
idx_is_valid( fd_groove_volume_pool_t const * p, ulong idx ) {
  return idx < p->ele_max || fd_groove_volume_pool_idx_is_null( idx );
}

/* A second walker at half the speed meets the first if and only if the links form a circle. */
int
fd_groove_volume_pool_verify( fd_groove_volume_pool_t const * p ) {
  if( FD_UNLIKELY( !p || !p->shpool || p->shpool->magic != FD_GROOVE_VOLUME_POOL_MAGIC ||
                   p->ele_max > fd_groove_volume_pool_ele_max_max() ) ) {
    FD_LOG_WARNING(( "volume pool verify: bad join" ));
    return FD_POOL_ERR_CORRUPT;
  }
  ulong idx  = gv_load( &p->shpool->ver_top ) & IDX_MAX;
  ulong slow = idx;
  for( ulong step = 0UL; !fd_groove_volume_pool_idx_is_null( idx ); step++ ) {
    if( FD_UNLIKELY( !idx_is_valid( p, idx ) || ( step && idx == slow ) ) ) {
      FD_LOG_WARNING(( "volume pool verify: bad link" ));
      return FD_POOL_ERR_CORRUPT;
    }
    idx = next_idx( p, idx );
    if( step & 1UL ) slow = next_idx( p, slow );
  }
  return FD_POOL_SUCCESS;
}

char const *
fd_groove_volume_pool_strerror( int err ) {
  switch( err ) {
  case FD_POOL_SUCCESS:     return "success";
  case FD_POOL_ERR_AGAIN:   return "try again";
  case FD_POOL_ERR_CORRUPT: return "pool is corrupt";
  default:                  return "unknown";
  }
}

/* 1 if [off,off+footprint) is a positive number of whole volumes of the pool. */
static int
region_is_valid( fd_groove_volume_pool_t const * p, ulong addr, ulong footprint ) {
  ulong off = addr - (ulong)p->shele;
  ulong idx = off / FD_GROOVE_VOLUME_FOOTPRINT;
  return addr >= (ulong)p->shele && addr + footprint - 1UL >= addr &&
         !( ( off | footprint ) % FD_GROOVE_VOLUME_FOOTPRINT ) && idx < p->ele_max &&
         footprint / FD_GROOVE_VOLUME_FOOTPRINT <= p->ele_max - idx;
}

/* A popper that is late may still read next. */
static void
volume_init( fd_groove_volume_t * volume, ulong idx, void const * info, ulong info_sz ) {
  gv_store( &volume->magic, 0UL );
  gv_poke( &volume->next, idx + 1UL );
  volume->idx     = idx;
  volume->info_sz = info_sz;
  if( info_sz ) memcpy( volume->info, info, info_sz );
  memset( volume->info + info_sz, 0, FD_GROOVE_VOLUME_INFO_MAX - info_sz );
  gv_store( &volume->magic, ~FD_GROOVE_VOLUME_MAGIC ); /* last: a volume is complete or not one */
}

int
fd_groove_volume_pool_add( fd_groove_volume_pool_t * pool, void * shmem, ulong footprint,
                           void const * info, ulong info_sz ) {
  if( FD_UNLIKELY( !footprint ) ) return FD_GROOVE_SUCCESS;
  if( FD_UNLIKELY( !pool || !shmem || !region_is_valid( pool, (ulong)shmem, footprint ) ) ) {
    FD_LOG_WARNING(( "volume pool add: NULL pool or not whole volumes of it" ));
    return FD_GROOVE_ERR_INVAL;
  }
  info_sz = info ? fd_ulong_min( info_sz, FD_GROOVE_VOLUME_INFO_MAX ) : 0UL;
  fd_groove_volume_t * head = (fd_groove_volume_t *)shmem;
  ulong                cnt  = footprint / FD_GROOVE_VOLUME_FOOTPRINT;
  for( ulong i = 0UL; i < cnt; i++ )
    volume_init( head + i, fd_groove_volume_pool_idx( pool, head + i ), info, info_sz );
  fd_groove_volume_pool_release_chain( pool, head, head + cnt - 1UL );
  return FD_GROOVE_SUCCESS;
}

void *
fd_groove_volume_pool_remove( fd_groove_volume_pool_t * pool ) {
  if( FD_UNLIKELY( !pool ) ) {
    FD_LOG_WARNING(( "volume pool remove: NULL pool" ));
    return NULL;
  }
  fd_groove_volume_t * volume = fd_groove_volume_pool_acquire( pool );
  if( !volume ) return NULL;
  if( FD_UNLIKELY( volume->magic != ~FD_GROOVE_VOLUME_MAGIC ||
                   volume->idx != fd_groove_volume_pool_idx( pool, volume ) ) ) {
    FD_LOG_WARNING(( "volume pool remove: damaged volume header" ));
    return NULL;
  }
  deepasan_unpoison( volume, FD_GROOVE_VOLUME_FOOTPRINT );
  gv_store( &volume->magic, 0UL );
  return volume;
}
