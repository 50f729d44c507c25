/* Acceptance and stress program of groove's data allocator: construction and its errors, header
   packing, the size class table, volumes, and then all tiles allocating, checking and freeing
   objects in shared slots, each object filled with a pattern of its own.

   --name NAME       use a named shared memory region (its size decides the number of volumes)
   --volume-cnt N    else make N private volumes (default 2) ...
   --page-sz SIZE    ... of such pages (default gigantic) ...
   --near-cpu CPU    ... near this cpu
   --alloc-cnt N     allocations per tile (default 1048576)
   --sz-max BYTES    largest allocation (default 10485760)
   --plant-leak N    at the end lose N objects of 1000 bytes, and with them the groove (default 0)
   and the options of boot (--tile-cpus to run more than one tile). */

#include "fd/groove/fd_groove.h"

FD_STATIC_ASSERT( FD_GROOVE_DATA_HDR_ALIGN == 16UL, test );
FD_STATIC_ASSERT( FD_GROOVE_DATA_HDR_FOOTPRINT == 16UL, test );
FD_STATIC_ASSERT( FD_GROOVE_DATA_HDR_TYPE_ALLOC == 0xfd67UL, test );
FD_STATIC_ASSERT( FD_GROOVE_DATA_HDR_TYPE_SUPERBLOCK == 0x0298UL, test );
FD_STATIC_ASSERT( FD_GROOVE_DATA_ALLOC_ALIGN_DEFAULT == 16UL, test );
FD_STATIC_ASSERT( FD_GROOVE_DATA_ALLOC_ALIGN_MAX == 512UL, test );
FD_STATIC_ASSERT( FD_GROOVE_DATA_ALLOC_FOOTPRINT_MAX == 10486272UL, test );
FD_STATIC_ASSERT( FD_GROOVE_DATA_SZC_CNT == 32UL, test );
FD_STATIC_ASSERT( FD_GROOVE_DATA_SZC_CGROUP_MAX == 64UL, test );
FD_STATIC_ASSERT( FD_GROOVE_DATA_ALIGN == 128UL, test );
FD_STATIC_ASSERT( FD_GROOVE_DATA_MAGIC == 0xfd67007eda7a36c0UL, test );
FD_STATIC_ASSERT( FD_GROOVE_VOLUME_MAGIC == 0xfd67007e701c3300UL, test );

#define SHMEM_MAX ( 1UL << 20 )
#define SLOT_MAX  8192UL /* shared by all tiles: a power of two */

static uchar shmem[SHMEM_MAX] __attribute__((aligned(4096)));
static ulong shmem_cnt;

static void *
shmem_alloc( ulong align, ulong sz ) {
  ulong addr = fd_ulong_align_up( (ulong)shmem + shmem_cnt, align );
  shmem_cnt  = addr + sz - (ulong)shmem;
  FD_TEST( shmem_cnt <= SHMEM_MAX );
  return (void *)addr;
}

/* Objects, each behind a lock that a tile tries and passes by if it is held. */
static struct __attribute__((aligned(128))) {
  int     lock;
  uchar * mem;
  ulong   align;
  ulong   sz;
  ulong   tag;
  ulong   pattern;
} slots[SLOT_MAX];

static ulong volume_avail; /* bit i: volume i is not the groove's */

static int          go;
static void *       g_shdata;
static void *       g_volume0;
static ulong        g_volume_cnt;
static ulong        g_alloc_cnt;
static ulong        g_sz_max;

/* What the program knows it has done, for comparison with a recording. */
static struct {
  ulong alloc_cnt, alloc_sz, free_cnt, free_sz;
} done;

static void
count( ulong * cnt, ulong * sum, ulong sz ) {
  __atomic_fetch_add( cnt, 1UL, __ATOMIC_RELAXED );
  __atomic_fetch_add( sum, sz, __ATOMIC_RELAXED );
}

/* Gives the groove one of the volumes it does not have, chosen at random. */
static int
grow( fd_groove_data_t * data, fd_rng_t * rng ) {
  ulong avail = FD_VOLATILE_CONST( volume_avail );
  ulong idx;
  do {
    if( !avail ) return FD_GROOVE_ERR_FULL;
    ulong skip = fd_rng_ulong_roll( rng, (ulong)fd_ulong_popcnt( avail ) );
    ulong rest = avail;
    while( skip-- ) rest = fd_ulong_pop_lsb( rest );
    idx = (ulong)fd_ulong_find_lsb( rest );
  } while( !__atomic_compare_exchange_n( &volume_avail, &avail, fd_ulong_clear_bit( avail, (int)idx ),
                                         0, __ATOMIC_RELAXED, __ATOMIC_RELAXED ) );
  FD_LOG_NOTICE(( "adding volume %lu", idx ));
  return fd_groove_data_volume_add( data, (fd_groove_volume_t *)g_volume0 + idx, 1UL << 30,
                                    "grown", 5UL );
}

/* A random size up to sz_max: a random number of halvings, few of which are small, then uniform.  All
   classes are used, and a full table holds about 140 MiB with the default maximum. */
static ulong
random_sz( fd_rng_t * rng ) {
  uint shift = fd_rng_uint_roll( rng, 24U );
  for( uint tries = 1U + ( fd_rng_uint( rng ) & 1U ); tries; tries-- )
    shift = fd_uint_max( shift, fd_rng_uint_roll( rng, 24U ) );
  return fd_rng_ulong_roll( rng, ( g_sz_max >> shift ) + 1UL );
}

/* Patterns are written at up to 16 places of an object. */
static ulong
pattern_step( ulong sz ) { return fd_ulong_max( fd_ulong_align_dn( sz / 16UL, 8UL ), 8UL ); }

static void
pattern_fill( ulong i ) {
  uchar * mem = slots[i].mem;
  ulong   sz  = slots[i].sz;
  if( sz < 16UL ) memset( mem, (int)slots[i].pattern, sz );
  else for( ulong at = 0UL; at + 8UL <= sz; at += pattern_step( sz ) )
    FD_STORE( ulong, mem + at, slots[i].pattern + at );
}

static void
pattern_check( ulong i ) {
  uchar const * mem = slots[i].mem;
  ulong         sz  = slots[i].sz;
  if( sz < 16UL ) for( ulong at = 0UL; at < sz; at++ ) FD_TEST( mem[at] == (uchar)slots[i].pattern );
  else for( ulong at = 0UL; at + 8UL <= sz; at += pattern_step( sz ) )
    FD_TEST( FD_LOAD( ulong, mem + at ) == slots[i].pattern + at );
}

static void
slot_check( ulong i ) {
  uchar * mem = slots[i].mem;
  FD_TEST( fd_ulong_is_aligned( (ulong)mem, slots[i].align ? slots[i].align : 16UL ) );
  FD_TEST( fd_groove_data_alloc_align( mem ) == ( slots[i].align ? slots[i].align : 16UL ) );
  FD_TEST( fd_groove_data_alloc_sz( mem ) == slots[i].sz );
  FD_TEST( fd_groove_data_alloc_tag( mem ) == slots[i].tag );
  FD_TEST( (ulong)fd_groove_data_alloc_start( mem ) <= (ulong)mem );
  FD_TEST( (ulong)mem + slots[i].sz <= (ulong)fd_groove_data_alloc_stop( mem ) );
  FD_TEST( fd_groove_data_alloc_start( mem ) == fd_groove_data_alloc_start_const( mem ) );
  FD_TEST( fd_groove_data_alloc_stop( mem ) == fd_groove_data_alloc_stop_const( mem ) );
  pattern_check( i );
}

static void
slot_alloc( fd_groove_data_t * data, fd_rng_t * rng, ulong i ) {
  ulong align = fd_rng_uint_roll( rng, 11U );
  align       = align == 10UL ? 0UL : 1UL << align;
  ulong sz    = random_sz( rng );
  ulong tag   = fd_rng_ulong( rng );
  int   err   = FD_GROOVE_ERR_FULL;
  void * mem;
  while( !( mem = fd_groove_data_alloc( data, align, sz, tag, &err ) ) ) {
    FD_TEST( err == FD_GROOVE_ERR_FULL );
    if( grow( data, rng ) ) FD_LOG_ERR(( "groove is full and all volumes are in use" ));
  }
  FD_TEST( err == FD_GROOVE_SUCCESS );
  count( &done.alloc_cnt, &done.alloc_sz, sz );
  slots[i].mem     = (uchar *)mem;
  slots[i].align   = align;
  slots[i].sz      = sz;
  slots[i].tag     = tag;
  slots[i].pattern = fd_ulong_hash( tag );
  pattern_fill( i );
}

static void
slot_free( fd_groove_data_t * data, ulong i ) {
  void * mem   = slots[i].mem;
  slots[i].mem = NULL;
  FD_TEST( !fd_groove_data_free( data, mem ) );
  count( &done.free_cnt, &done.free_sz, slots[i].sz );
}

static int
tile_main( int argc, char ** argv ) {
  (void)argc; (void)argv;
  ulong            idx = fd_tile_idx();
  fd_rng_t         _rng[1];
  fd_rng_t *       rng = fd_rng_join( fd_rng_new( _rng, (uint)idx, 0UL ) );
  fd_groove_data_t data[1];
  FD_TEST( fd_groove_data_join( data, g_shdata, g_volume0, g_volume_cnt, idx ) == data );
  if( !idx ) __atomic_store_n( &go, 1, __ATOMIC_RELEASE ); /* read below */
  while( !__atomic_load_n( &go, __ATOMIC_ACQUIRE ) ) FD_SPIN_PAUSE();

  for( ulong rem = 2UL * g_alloc_cnt; rem; ) {
    ulong i = fd_rng_ulong_roll( rng, SLOT_MAX );
    if( __atomic_exchange_n( &slots[i].lock, 1, __ATOMIC_ACQUIRE ) ) continue; /* releases below */
    rem--;
    if( !slots[i].mem ) {
      slot_alloc( data, rng, i );
    } else {
      slot_check( i );
      if( fd_rng_uint( rng ) & 3U ) slot_free( data, i );
    }
    __atomic_store_n( &slots[i].lock, 0, __ATOMIC_RELEASE );
    if( !( rem & 262143UL ) ) FD_LOG_NOTICE(( "tile %lu: %lu operations left", idx, rem ));
  }
  FD_TEST( fd_groove_data_leave( data ) == data );
  fd_rng_delete( fd_rng_leave( rng ) );
  return 0;
}

/* Parts that one tile tests alone */

static void
test_construction( fd_groove_data_t * data, void * mem ) {
  void *           bad = (void *)( (ulong)g_volume0 + 1UL );
  fd_groove_data_t other[1];
  FD_LOG_NOTICE(( "testing construction (warnings are expected)" ));
  FD_TEST( !fd_groove_data_new( NULL ) );
  FD_TEST( !fd_groove_data_new( (uchar *)mem + 1 ) );
  FD_TEST( !fd_groove_data_join( other, mem, g_volume0, g_volume_cnt, 0UL ) );
  FD_TEST( fd_groove_data_new( mem ) == mem );
  FD_TEST( !fd_groove_data_join( NULL, mem, g_volume0, g_volume_cnt, 0UL ) );
  FD_TEST( !fd_groove_data_join( (uchar *)other + 1, mem, g_volume0, g_volume_cnt, 0UL ) );
  FD_TEST( !fd_groove_data_join( other, NULL, g_volume0, g_volume_cnt, 0UL ) );
  FD_TEST( !fd_groove_data_join( other, (uchar *)mem + 1, g_volume0, g_volume_cnt, 0UL ) );
  FD_TEST( !fd_groove_data_join( other, mem, NULL, g_volume_cnt, 0UL ) );
  FD_TEST( !fd_groove_data_join( other, mem, bad, g_volume_cnt, 0UL ) );
  FD_TEST( !fd_groove_data_join( other, mem, g_volume0, 1UL << 34, 0UL ) );
  FD_TEST( fd_groove_data_join( other, mem, g_volume0, 0UL, 0UL ) == other );
  FD_TEST( fd_groove_data_volume_max( other ) == ( 1UL << 34 ) - 1UL );
  FD_TEST( fd_groove_data_leave( other ) == other && !fd_groove_data_leave( NULL ) );
  FD_TEST( fd_groove_data_join( data, mem, g_volume0, g_volume_cnt, 1234UL ) == data );
  FD_TEST( fd_groove_data_shdata( data ) == mem && fd_groove_data_shdata_const( data ) == mem );
  FD_TEST( fd_groove_data_volume0( data ) == g_volume0 );
  FD_TEST( fd_groove_data_volume0_const( data ) == g_volume0 );
  FD_TEST( fd_groove_data_volume_max( data ) == g_volume_cnt );
  FD_TEST( fd_groove_data_cgroup_hint( data ) == 1234UL );
  FD_TEST( fd_groove_data_volume1( data ) == (fd_groove_volume_t *)g_volume0 + g_volume_cnt );
  FD_TEST( fd_groove_data_volume1_const( data ) == fd_groove_data_volume1( data ) );
  FD_TEST( !fd_groove_data_verify( data ) && fd_groove_data_verify( NULL ) );
}

static void
test_hdr( fd_rng_t * rng ) {
  FD_LOG_NOTICE(( "testing headers" ));
  for( ulong iter = 0UL; iter < 1000000UL; iter++ ) {
    fd_groove_data_hdr_t h;
    h.bits = fd_rng_ulong( rng );
    h.info = fd_rng_ulong( rng );
    fd_groove_data_hdr_t g =
      fd_groove_data_hdr( fd_groove_data_hdr_type( h ), fd_groove_data_hdr_idx( h ),
                          fd_groove_data_hdr_szc( h ), fd_groove_data_hdr_align( h ),
                          fd_groove_data_hdr_sz( h ), fd_groove_data_hdr_info( h ) );
    FD_TEST( g.bits == h.bits && g.info == h.info );
  }
}

static void
test_szc( void ) {
  FD_LOG_NOTICE(( "testing size classes" ));
  for( ulong szc = 0UL; szc < FD_GROOVE_DATA_SZC_CNT; szc++ ) {
    fd_groove_data_szc_cfg_t c   = fd_groove_data_szc_cfg[szc];
    ulong                    max = FD_GROOVE_VOLUME_DATA_MAX;
    FD_TEST( fd_ulong_is_aligned( c.obj_footprint, 512UL ) && c.obj_footprint <= ( 1U << 25 ) );
    FD_TEST( !szc || c.obj_footprint > fd_groove_data_szc_cfg[szc - 1UL].obj_footprint );
    FD_TEST( 2 <= c.obj_cnt && c.obj_cnt <= 64 );
    FD_TEST( fd_ulong_is_pow2( c.cgroup_mask + 1UL ) && c.cgroup_mask < 64 );
    FD_TEST( szc < c.parent_szc && c.parent_szc <= FD_GROOVE_DATA_SZC_CNT );
    if( c.parent_szc < FD_GROOVE_DATA_SZC_CNT )
      max = fd_groove_data_szc_cfg[c.parent_szc].obj_footprint;
    FD_TEST( 512UL + (ulong)c.obj_cnt * c.obj_footprint <= max );
  }
  FD_TEST( fd_groove_data_szc_cfg[0].obj_footprint == 512U && !fd_groove_data_szc( 0UL ) );
  ulong want = 0UL;
  for( ulong sz = 1UL; sz <= FD_GROOVE_DATA_ALLOC_FOOTPRINT_MAX; sz++ ) {
    if( sz > fd_groove_data_szc_cfg[want].obj_footprint ) want++;
    FD_TEST( fd_groove_data_szc( sz ) == want );
  }
}

static void
test_volumes( fd_groove_data_t * data ) {
  fd_groove_volume_t * v = (fd_groove_volume_t *)g_volume0;
  FD_LOG_NOTICE(( "testing volumes (warnings are expected)" ));
  FD_TEST( !fd_groove_data_volume_remove( data ) && !fd_groove_data_volume_remove( NULL ) );
  FD_TEST( !fd_groove_data_volume_add( NULL, NULL, 0UL, NULL, 0UL ) );
  FD_TEST( fd_groove_data_volume_add( NULL, v, 1UL << 30, NULL, 0UL ) == FD_GROOVE_ERR_INVAL );
  FD_TEST( fd_groove_data_volume_add( data, NULL, 1UL << 30, NULL, 0UL ) == FD_GROOVE_ERR_INVAL );
  FD_TEST( fd_groove_data_volume_add( data, v, 4096UL, NULL, 0UL ) == FD_GROOVE_ERR_INVAL );
  FD_TEST( fd_groove_data_volume_add( data, v->info, 1UL << 30, NULL, 0UL ) == FD_GROOVE_ERR_INVAL );
  FD_TEST( fd_groove_data_volume_add( data, v, ( g_volume_cnt + 1UL ) << 30, NULL, 0UL ) ==
           FD_GROOVE_ERR_INVAL );
  FD_TEST( !fd_groove_data_volume_add( data, v, g_volume_cnt << 30, "information", 11UL ) );
  FD_TEST( !fd_groove_data_verify( data ) );
  for( ulong i = 0UL; i < g_volume_cnt; i++ ) {
    FD_TEST( v[i].magic == ~FD_GROOVE_VOLUME_MAGIC && v[i].idx == i && v[i].info_sz == 11UL );
    FD_TEST( !memcmp( v[i].info, "information", 12UL ) && !v[i].info[479] );
    FD_TEST( !fd_groove_data_volume_verify( data, v + i ) );
  }
  for( ulong i = 0UL; i < g_volume_cnt; i++ ) {
    FD_TEST( fd_groove_data_volume_remove( data ) == v + i );
    FD_TEST( !v[i].magic );
  }
  FD_TEST( !fd_groove_data_volume_remove( data ) );
}

static void
test_one_object( fd_groove_data_t * data, ulong align, ulong sz ) {
  int     err = 1;
  uchar * mem = (uchar *)fd_groove_data_alloc( data, align, sz, align ^ sz, &err );
  count( &done.alloc_cnt, &done.alloc_sz, sz );
  FD_TEST( mem && !err && fd_ulong_is_aligned( (ulong)mem, align ) );
  fd_groove_data_hdr_t const * hdr = fd_groove_data_object_hdr_const( mem );
  FD_TEST( (ulong)mem == (ulong)hdr + fd_ulong_align_up( 16UL, align ) );
  FD_TEST( fd_groove_data_hdr_type( *hdr ) == FD_GROOVE_DATA_HDR_TYPE_ALLOC );
  FD_TEST( fd_groove_data_hdr_align( *hdr ) == align && fd_groove_data_hdr_sz( *hdr ) == sz );
  FD_TEST( fd_groove_data_hdr_info( *hdr ) == ( align ^ sz ) );
  ulong szc = fd_groove_data_hdr_szc( *hdr );
  FD_TEST( szc == fd_groove_data_szc( fd_ulong_align_up( 16UL, align ) + sz ) );
  fd_groove_data_hdr_t const * sb =
    fd_groove_data_superblock_hdr_const( mem, szc, fd_groove_data_hdr_idx( *hdr ) );
  FD_TEST( fd_groove_data_hdr_type( *sb ) == FD_GROOVE_DATA_HDR_TYPE_SUPERBLOCK );
  FD_TEST( fd_groove_data_hdr_szc( *sb ) == szc );
  FD_TEST( !fd_groove_data_free( data, mem ) );
  count( &done.free_cnt, &done.free_sz, sz );
  FD_TEST( fd_groove_data_free( data, mem ) == FD_GROOVE_ERR_INVAL );
}

static void
test_objects( fd_groove_data_t * data, fd_rng_t * rng ) {
  int err;
  FD_LOG_NOTICE(( "testing objects (warnings are expected)" ));
  FD_TEST( !fd_groove_data_alloc( data, 1UL, 1UL, 0UL, &err ) && err == FD_GROOVE_ERR_FULL );
  FD_TEST( !fd_groove_data_alloc( data, 1UL, 1UL, 0UL, NULL ) );
  FD_TEST( !fd_groove_data_alloc( NULL, 1UL, 1UL, 0UL, &err ) && err == FD_GROOVE_ERR_INVAL );
  FD_TEST( !fd_groove_data_alloc( data, 3UL, 1UL, 0UL, &err ) && err == FD_GROOVE_ERR_INVAL );
  FD_TEST( !fd_groove_data_alloc( data, 1024UL, 1UL, 0UL, &err ) && err == FD_GROOVE_ERR_INVAL );
  FD_TEST( !fd_groove_data_alloc( data, 1UL, 10486257UL, 0UL, &err ) && err == FD_GROOVE_ERR_INVAL );
  FD_TEST( !fd_groove_data_alloc( data, 1UL, ULONG_MAX, 0UL, &err ) && err == FD_GROOVE_ERR_INVAL );
  FD_TEST( fd_groove_data_free( NULL, shmem ) == FD_GROOVE_ERR_INVAL );
  FD_TEST( fd_groove_data_free( data, NULL ) == FD_GROOVE_ERR_INVAL );
  FD_TEST( fd_groove_data_free( data, shmem + 16 ) == FD_GROOVE_ERR_INVAL );
  FD_TEST( !grow( data, rng ) );
  for( ulong align = 1UL; align <= 512UL; align *= 2UL ) {
    test_one_object( data, align, 0UL );
    test_one_object( data, align, 1UL );
    test_one_object( data, align, 512UL - fd_ulong_min( 496UL, fd_ulong_max( align, 16UL ) ) );
    test_one_object( data, align, 100000UL );
    test_one_object( data, align, 10485760UL );
  }
}

static void
verify_all( fd_groove_data_t const * data ) {
  FD_TEST( !fd_groove_data_verify( data ) );
  for( ulong i = 0UL; i < g_volume_cnt; i++ )
    if( !( ( volume_avail >> i ) & 1UL ) )
      FD_TEST( !fd_groove_data_volume_verify( data, (fd_groove_volume_t *)g_volume0 + i ) );
}

static void
test_tiles( fd_groove_data_t * data ) {
  fd_tile_exec_t * exec[FD_TILE_MAX];
  ulong            cnt = fd_tile_cnt();
  FD_LOG_NOTICE(( "testing %lu tiles", cnt ));
  for( ulong i = 1UL; i < cnt; i++ ) FD_TEST( ( exec[i] = fd_tile_exec_new( i, tile_main, 0, NULL ) ) );
  tile_main( 0, NULL );
  for( ulong i = 1UL; i < cnt; i++ ) FD_TEST( !fd_tile_exec_delete( exec[i], NULL ) );
  verify_all( data );

  ulong live_cnt = 0UL, live_sz = 0UL;
  for( ulong i = 0UL; i < SLOT_MAX; i++ )
    if( slots[i].mem ) {
      live_cnt++;
      live_sz += slots[i].sz;
      slot_check( i );
      slot_free( data, i );
    }
  FD_LOG_NOTICE(( "freed the last %lu objects of %lu bytes", live_cnt, live_sz ));
  verify_all( data );
}

static __attribute__((noinline)) void
plant_leak( fd_groove_data_t * data, ulong cnt ) {
  for( ulong i = 0UL; i < cnt; i++ ) {
    FD_TEST( fd_groove_data_alloc( data, 0UL, 1000UL, 1UL, NULL ) );
    count( &done.alloc_cnt, &done.alloc_sz, 1000UL );
  }
}

static void
test_destruction( fd_groove_data_t * data, void * mem ) {
  FD_LOG_NOTICE(( "testing destruction (warnings are expected)" ));
  ulong removed = 0UL;
  while( fd_groove_data_volume_remove( data ) ) removed++;
  FD_TEST( removed == g_volume_cnt - (ulong)fd_ulong_popcnt( volume_avail ) );
  FD_TEST( fd_groove_data_leave( data ) == data );
  FD_TEST( !fd_groove_data_delete( NULL ) && !fd_groove_data_delete( (uchar *)mem + 1 ) );
  FD_TEST( fd_groove_data_delete( mem ) == mem && !fd_groove_data_delete( mem ) );
  FD_TEST( !fd_groove_data_join( data, mem, g_volume0, g_volume_cnt, 0UL ) );
}

/* The region's volumes: a named region, as many as it has room for, or private pages. */
static void
region_obtain( char const * name, ulong volume_cnt, ulong page_sz, ulong near_cpu ) {
  if( name ) {
    fd_shmem_join_info_t info[1];
    FD_LOG_NOTICE(( "joining --name %s", name ));
    g_volume0 = fd_shmem_join( name, FD_SHMEM_JOIN_MODE_READ_WRITE, 0, NULL, NULL, info );
    if( FD_UNLIKELY( !g_volume0 ) ) FD_LOG_ERR(( "unable to join %s", name ));
    g_volume_cnt = info->page_sz * info->page_cnt >> 30;
  } else {
    FD_LOG_NOTICE(( "making %lu volumes of %s pages near cpu %lu", volume_cnt,
                    fd_shmem_page_sz_to_cstr( page_sz ), near_cpu ));
    if( FD_UNLIKELY( !page_sz ) ) FD_LOG_ERR(( "bad --page-sz" ));
    g_volume0    = fd_shmem_acquire( page_sz, ( volume_cnt << 30 ) / page_sz, near_cpu );
    g_volume_cnt = volume_cnt;
  }
  if( FD_UNLIKELY( !g_volume0 || !g_volume_cnt || g_volume_cnt > 64UL ) )
    FD_LOG_ERR(( "need 1 to 64 volumes of 1 GiB" ));
  volume_avail = fd_ulong_mask_lsb( (int)g_volume_cnt );
}

int
main( int argc, char ** argv ) {
  fd_boot( &argc, &argv );
  fd_rng_t         _rng[1];
  fd_rng_t *       rng        = fd_rng_join( fd_rng_new( _rng, 0U, 1UL << 60 ) );
  fd_groove_data_t data[1];
  char const *     name       = fd_env_strip_cmdline_cstr ( &argc, &argv, "--name", NULL, NULL );
  ulong            volume_cnt = fd_env_strip_cmdline_ulong( &argc, &argv, "--volume-cnt", NULL, 2UL );
  char const *     page_sz    = fd_env_strip_cmdline_cstr ( &argc, &argv, "--page-sz", NULL, "gigantic" );
  ulong            near_cpu   =
    fd_env_strip_cmdline_ulong( &argc, &argv, "--near-cpu", NULL, fd_log_cpu_id() );
  g_alloc_cnt = fd_env_strip_cmdline_ulong( &argc, &argv, "--alloc-cnt", NULL, 1048576UL );
  ulong leak_cnt = fd_env_strip_cmdline_ulong( &argc, &argv, "--plant-leak", NULL, 0UL );
  g_sz_max    = fd_env_strip_cmdline_ulong( &argc, &argv, "--sz-max", NULL, 10485760UL );
  if( FD_UNLIKELY( g_sz_max > 10485760UL ) ) FD_LOG_ERR(( "--sz-max is over 10 MiB" ));
  region_obtain( name, volume_cnt, fd_cstr_to_shmem_page_sz( page_sz ), near_cpu );

  FD_TEST( fd_ulong_is_pow2( fd_groove_data_align() ) );
  FD_TEST( fd_groove_data_footprint() == FD_GROOVE_DATA_FOOTPRINT() );
  FD_TEST( fd_ulong_is_aligned( fd_groove_data_footprint(), fd_groove_data_align() ) );
  g_shdata = shmem_alloc( fd_groove_data_align(), fd_groove_data_footprint() );

  test_construction( data, g_shdata );
  test_hdr( rng );
  test_szc();
  test_volumes( data );
  test_objects( data, rng );
  test_tiles( data );
  plant_leak( data, leak_cnt );
  if( !leak_cnt ) test_destruction( data, g_shdata );
  else FD_TEST( fd_groove_data_leave( data ) == data );

  if( name ) fd_shmem_leave( g_volume0, NULL, NULL );
  else {
    ulong sz = fd_cstr_to_shmem_page_sz( page_sz );
    FD_TEST( !fd_shmem_release( g_volume0, sz, ( volume_cnt << 30 ) / sz ) );
  }
  fd_rng_delete( fd_rng_leave( rng ) );
  FD_LOG_NOTICE(( "summary: allocations %lu bytes %lu frees %lu live %lu live bytes %lu",
                  done.alloc_cnt, done.alloc_sz, done.free_cnt, done.alloc_cnt - done.free_cnt,
                  done.alloc_sz - done.free_sz ));
  FD_LOG_NOTICE(( "pass" ));
  fd_halt();
  return 0;
}
