/* place: groove */
/* Objects of a groove, volumes that come when an allocation finds none and go when all is freed,
   and the same work through the allocator vtable. */

#include "fd_groove.h"
#include "../util/valloc/fd_valloc.h"

FD_STATIC_ASSERT( FD_GROOVE_DATA_HDR_FOOTPRINT == sizeof( fd_groove_data_hdr_t ), unit_test );

#define OBJ_MAX ( 512UL )

static uchar shmem[1UL << 20] __attribute__( ( aligned( FD_GROOVE_DATA_ALIGN ) ) );
static uchar * volume;
static ulong volume_cnt;
static ulong volume_used; /* bit i: volume i is in the groove */
static ulong alloc_cnt;
static ulong sz_max;
static int go;

static int grow( fd_groove_data_t * data ) {
  ulong const all = fd_ulong_mask_lsb( (int)volume_cnt );
  for( ;; ) {
    ulong used = FD_VOLATILE_CONST( volume_used );
    if( FD_UNLIKELY( used == all ) ) return 0;
    int idx = fd_ulong_find_lsb( ~used );
    if( FD_LIKELY( FD_ATOMIC_CAS( &volume_used, used, fd_ulong_set_bit( used, idx ) ) == used ) ) {
      FD_TEST( !fd_groove_data_volume_add( data,
                                           volume + ( (ulong)idx ) * FD_GROOVE_VOLUME_FOOTPRINT,
                                           FD_GROOVE_VOLUME_FOOTPRINT, "sample", 7UL ) );
      return 1;
    }
    FD_SPIN_PAUSE();
  }
}

static int tile_main( int argc, char ** argv ) {
  (void)argv;
  ulong tile_idx = (ulong)argc;
  fd_rng_t _rng[1];
  fd_rng_t * rng = fd_rng_join( fd_rng_new( _rng, (uint)argc, 0UL ) );
  fd_groove_data_t _data[1];
  fd_groove_data_t * data = fd_groove_data_join( _data, shmem, volume, volume_cnt, tile_idx );
  FD_TEST( data );

  static FD_TL uchar * obj[OBJ_MAX];
  ulong cnt = 0UL;
  while( !FD_VOLATILE_CONST( go ) ) FD_YIELD();

  for( ulong rem = alloc_cnt; rem; ) {
    if( cnt < OBJ_MAX && fd_rng_uint_roll( rng, 16U ) < 9U ) {
      ulong align = fd_rng_uint_roll( rng, 2U ) ? 0UL : 1UL << fd_rng_int_roll( rng, 10 );
      ulong sz = fd_rng_ulong_roll( rng, sz_max ) >> fd_rng_coin_tosses( rng );
      ulong tag = fd_rng_ulong( rng );
      int err;
      void * p = fd_groove_data_alloc( data, align, sz, tag, &err );
      if( FD_UNLIKELY( !p ) ) {
        FD_TEST( err == FD_GROOVE_ERR_FULL );
        if( FD_LIKELY( grow( data ) ) ) continue;
        FD_TEST( cnt );
      } else {
        FD_TEST( !err );
        FD_TEST( fd_groove_data_alloc_sz( p ) == sz && fd_groove_data_alloc_tag( p ) == tag );
        FD_TEST(
            fd_ulong_is_aligned( (ulong)p, align ? align : FD_GROOVE_DATA_ALLOC_ALIGN_DEFAULT ) );
        uchar * start = (uchar *)fd_groove_data_alloc_start( p );
        uchar * stop = (uchar *)fd_groove_data_alloc_stop( p );
        FD_TEST( start <= (uchar *)p && (uchar *)p + sz <= stop );
        fd_memset( p, (int)( tag & 255UL ), sz );
        obj[cnt++] = (uchar *)p;
        rem--;
        continue;
      }
    }
    if( !cnt ) continue;
    ulong idx = fd_rng_ulong_roll( rng, cnt );
    uchar * p = obj[idx];
    ulong sz = fd_groove_data_alloc_sz( p );
    uchar c = (uchar)fd_groove_data_alloc_tag( p );
    FD_TEST( !sz || ( p[0] == c && p[sz - 1UL] == c ) );
    FD_TEST( !fd_groove_data_free( data, p ) );
    obj[idx] = obj[--cnt];
  }
  while( cnt ) FD_TEST( fd_groove_data_free( data, obj[--cnt] ) == FD_GROOVE_SUCCESS );

  FD_TEST( fd_groove_data_leave( data ) == _data );
  fd_rng_delete( fd_rng_leave( rng ) );
  return 0;
}

/* What takes an allocator by value works with any. */
static ulong valloc_use( fd_valloc_t valloc ) {
  ulong sum = 0UL;
  for( ulong i = 0UL; i < 16UL; i++ ) {
    ulong align = 1UL << ( i % 8UL );
    uchar * p = (uchar *)fd_valloc_malloc( valloc, align, 1UL + 100UL * i );
    FD_TEST( p && fd_ulong_is_aligned( (ulong)p, align ) );
    fd_memset( p, (int)i, 1UL + 100UL * i );
    sum += p[100UL * i];
    fd_valloc_free( valloc, p );
  }
  return sum;
}

static void * bump_malloc( void * self, ulong align, ulong sz ) {
  ulong * cur = (ulong *)self;
  ulong p = fd_ulong_align_up( *cur, align );
  *cur = p + sz;
  return (void *)p;
}
static void bump_free( void * self FD_PARAM_UNUSED, void * ptr FD_PARAM_UNUSED ) {}
static fd_valloc_vtable_t const bump_vtable = { .malloc = bump_malloc, .free = bump_free };

int main( int argc, char ** argv ) {
  fd_boot( &argc, &argv );

  char const * name = fd_env_strip_cmdline_cstr( &argc, &argv, "--name", NULL, NULL );
  char const * _page_sz = fd_env_strip_cmdline_cstr( &argc, &argv, "--page-sz", NULL, "gigantic" );
  ulong near_cpu = fd_env_strip_cmdline_ulong( &argc, &argv, "--near-cpu", NULL, fd_log_cpu_id() );
  volume_cnt = fd_env_strip_cmdline_ulong( &argc, &argv, "--volume-cnt", NULL, 2UL );
  alloc_cnt = fd_env_strip_cmdline_ulong( &argc, &argv, "--alloc-cnt", NULL, 20000UL );
  sz_max = fd_env_strip_cmdline_ulong( &argc, &argv, "--sz-max", NULL, 1048576UL );

  ulong page_sz = fd_cstr_to_shmem_page_sz( _page_sz );
  ulong page_cnt = volume_cnt * FD_GROOVE_VOLUME_FOOTPRINT / page_sz;
  volume =
      (uchar *)( name ? fd_shmem_join( name, FD_SHMEM_JOIN_MODE_READ_WRITE, 1, NULL, NULL, NULL )
                      : fd_shmem_acquire( page_sz, page_cnt, near_cpu ) );
  if( FD_UNLIKELY( !volume ) ) FD_LOG_ERR( ( "no volumes" ) );

  FD_TEST( fd_groove_data_footprint() <= sizeof( shmem ) );
  FD_TEST( fd_groove_data_new( shmem ) == shmem );
  fd_groove_data_t _data[1];
  fd_groove_data_t * data = fd_groove_data_join( _data, shmem, volume, volume_cnt, 0UL );
  FD_TEST( data && fd_groove_data_shdata( data ) == shmem &&
           fd_groove_data_volume0( data ) == volume );
  FD_TEST( !fd_groove_data_verify( data ) );

  for( ulong i = 1UL; i < fd_tile_cnt(); i++ )
    FD_TEST( fd_tile_exec_new( i, tile_main, (int)i, NULL ) );
  FD_VOLATILE( go ) = 1;
  tile_main( 0, NULL );
  for( ulong i = 1UL; i < fd_tile_cnt(); i++ )
    FD_TEST( !fd_tile_exec_delete( fd_tile_exec( i ), NULL ) );

  FD_TEST( !fd_groove_data_verify( data ) );
  ulong removed = 0UL;
  for( void * v; ( v = fd_groove_data_volume_remove( data ) ); removed++ ) {
    fd_groove_volume_t const * vol = (fd_groove_volume_t const *)v;
    FD_TEST( !vol->magic && !strcmp( (char const *)vol->info, "sample" ) && vol->info_sz == 7UL );
  }
  FD_TEST( removed == (ulong)fd_ulong_popcnt( volume_used ) );
  FD_TEST( fd_groove_data_delete( fd_groove_data_leave( data ) ? shmem : NULL ) == shmem );

  ulong bump = (ulong)shmem;
  fd_valloc_t bump_valloc = { .self = &bump, .vt = &bump_vtable };
  FD_TEST( valloc_use( bump_valloc ) == 120UL );
  FD_TEST( valloc_use( fd_libc_alloc_virtual() ) == 120UL );
  fd_valloc_t inner = fd_libc_alloc_virtual();
  FD_TEST( valloc_use( fd_backtracing_alloc_virtual( &inner ) ) == 120UL );
  FD_TEST( fd_is_null_alloc_virtual( fd_null_alloc_virtual() ) &&
           !fd_is_null_alloc_virtual( inner ) );

  if( name )
    FD_TEST( !fd_shmem_leave( volume, NULL, NULL ) );
  else
    FD_TEST( !fd_shmem_release( volume, page_sz, page_cnt ) );

  FD_LOG_NOTICE( ( "pass" ) );
  fd_halt();
  return 0;
}
