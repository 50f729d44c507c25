/* place: util/wksp */
/* A unit test as a user of the workspace writes it: tiles hammer one workspace with allocations
   that carry a pattern of their tag, while tile 0 watches usage and verifies at the end. */

#include "../fd_util.h"
#include "fd_wksp_private.h"

FD_STATIC_ASSERT( FD_WKSP_SUCCESS == 0, unit_test );
FD_STATIC_ASSERT( FD_WKSP_ERR_INVAL == -1, unit_test );
FD_STATIC_ASSERT( FD_WKSP_ALIGN == 128UL, unit_test );
FD_STATIC_ASSERT( FD_WKSP_CSTR_MAX == FD_SHMEM_NAME_MAX + 21UL, unit_test );

#define SLOT_MAX ( 256UL )

static FD_TL ulong slot_gaddr[SLOT_MAX];
static FD_TL ulong slot_sz[SLOT_MAX];
static FD_TL ulong slot_tag[SLOT_MAX];

static fd_wksp_t * shared_wksp;
static ulong shared_iter_max;
static ulong shared_sz_max;
static ulong shared_align_max;
static int volatile shared_go;

static void pattern_store( fd_wksp_t * wksp, ulong gaddr, ulong sz, ulong tag ) {
  uchar * p = (uchar *)fd_wksp_laddr_fast( wksp, gaddr );
  for( ulong i = 0UL; i < sz; i++ ) p[i] = (uchar)( tag + i );
}

static int pattern_test( fd_wksp_t * wksp, ulong gaddr, ulong sz, ulong tag ) {
  uchar const * p = (uchar const *)fd_wksp_laddr_fast( wksp, gaddr );
  for( ulong i = 0UL; i < sz; i++ )
    if( FD_UNLIKELY( p[i] != (uchar)( tag + i ) ) ) return 0;
  return 1;
}

static int tile_main( int argc, char ** argv FD_PARAM_UNUSED ) {
  ulong tile_idx = (ulong)(uint)argc;

  fd_rng_t _rng[1];
  fd_rng_t * rng = fd_rng_join( fd_rng_new( _rng, (uint)tile_idx, 0UL ) );

  fd_wksp_t * wksp = shared_wksp;
  int lg_align_max = fd_ulong_find_msb( shared_align_max );
  ulong cnt = 0UL;

  while( !FD_VOLATILE_CONST( shared_go ) ) FD_SPIN_PAUSE();

  for( ulong iter = 0UL; iter < shared_iter_max; iter++ ) {
    if( ( fd_rng_uint( rng ) & 1U ) && cnt < SLOT_MAX ) {
      ulong align = fd_ulong_if( fd_rng_uint_roll( rng, 8U ) == 0U, 0UL,
                                 1UL << fd_rng_uint_roll( rng, (uint)lg_align_max + 1U ) );
      ulong sz = fd_rng_ulong_roll( rng, shared_sz_max + 1UL );
      ulong tag = 1UL + ( ( iter << 10 ) | tile_idx );
      ulong lo, hi;
      ulong gaddr = fd_wksp_alloc_at_least( wksp, align, sz, tag, &lo, &hi );
      if( !sz ) {
        FD_TEST( !gaddr );
        continue;
      }
      if( FD_UNLIKELY( !gaddr ) ) continue; /* out of space is legal here */
      FD_TEST( fd_ulong_is_aligned( gaddr, align ? align : FD_WKSP_ALIGN_DEFAULT ) );
      FD_TEST( ( lo <= gaddr ) & ( gaddr + sz <= hi ) );
      pattern_store( wksp, gaddr, sz, tag );
      slot_gaddr[cnt] = gaddr;
      slot_sz[cnt] = sz;
      slot_tag[cnt] = tag;
      cnt++;
    } else if( cnt ) {
      ulong idx = fd_rng_ulong_roll( rng, cnt );
      ulong gaddr = slot_gaddr[idx];
      ulong sz = slot_sz[idx];
      FD_TEST( fd_wksp_tag( wksp, gaddr ) == slot_tag[idx] );
      FD_TEST( pattern_test( wksp, gaddr, sz, slot_tag[idx] ) );
      if( fd_rng_uint_roll( rng, 4U ) )
        fd_wksp_free( wksp, gaddr + fd_rng_ulong_roll( rng, sz ) );
      else
        fd_wksp_tag_free( wksp, &slot_tag[idx], 1UL );
      cnt--;
      fd_swap( slot_gaddr[idx], slot_gaddr[cnt] );
      slot_sz[idx] = slot_sz[cnt];
      slot_tag[idx] = slot_tag[cnt];
    }
  }

  while( cnt ) {
    cnt--;
    FD_TEST( pattern_test( wksp, slot_gaddr[cnt], slot_sz[cnt], slot_tag[cnt] ) );
    fd_wksp_free_laddr( fd_wksp_laddr( wksp, slot_gaddr[cnt] ) );
  }

  fd_rng_delete( fd_rng_leave( rng ) );
  return 0;
}

int main( int argc, char ** argv ) {
  fd_boot( &argc, &argv );

  char const * name = fd_env_strip_cmdline_cstr( &argc, &argv, "--wksp", NULL, NULL );
  char const * _page_sz = fd_env_strip_cmdline_cstr( &argc, &argv, "--page-sz", NULL, "gigantic" );
  ulong page_cnt = fd_env_strip_cmdline_ulong( &argc, &argv, "--page-cnt", NULL, 1UL );
  ulong near_cpu = fd_env_strip_cmdline_ulong( &argc, &argv, "--near-cpu", NULL, fd_log_cpu_id() );
  ulong iter_max = fd_env_strip_cmdline_ulong( &argc, &argv, "--alloc-cnt", NULL, 65536UL );
  ulong align_max = fd_env_strip_cmdline_ulong( &argc, &argv, "--align-max", NULL, 4096UL );
  ulong sz_max = fd_env_strip_cmdline_ulong( &argc, &argv, "--sz-max", NULL, 65536UL );
  uint seed = fd_env_strip_cmdline_uint( &argc, &argv, "--seed", NULL, (uint)fd_tickcount() );

  if( FD_UNLIKELY( argc > 1 ) ) FD_LOG_ERR( ( "unrecognized option \"%s\"", argv[1] ) );

  ulong page_sz = fd_cstr_to_shmem_page_sz( _page_sz );
  if( FD_UNLIKELY( !page_sz ) ) FD_LOG_ERR( ( "unsupported --page-sz" ) );

  fd_wksp_t * wksp;
  if( name ) {
    FD_LOG_NOTICE( ( "Attaching to --wksp %s", name ) );
    wksp = fd_wksp_attach( name );
  } else {
    FD_LOG_NOTICE( ( "--wksp not specified, using an anonymous workspace (--page-sz %s, --page-cnt "
                     "%lu, --near-cpu %lu)",
                     _page_sz, page_cnt, near_cpu ) );
    wksp = fd_wksp_new_anonymous( page_sz, page_cnt, near_cpu, "wksp", 4096UL );
  }
  if( FD_UNLIKELY( !wksp ) ) FD_LOG_ERR( ( "Unable to attach to wksp" ) );

  fd_wksp_reset( wksp, seed );
  FD_TEST( fd_wksp_seed( wksp ) == seed );

  shared_wksp = wksp;
  shared_iter_max = iter_max;
  shared_sz_max = sz_max;
  shared_align_max = align_max;
  FD_COMPILER_MFENCE();

  ulong tile_cnt = fd_tile_cnt();
  for( ulong tile_idx = 1UL; tile_idx < tile_cnt; tile_idx++ )
    FD_TEST( fd_tile_exec_new( tile_idx, tile_main, (int)tile_idx, NULL ) );

  FD_COMPILER_MFENCE();
  FD_VOLATILE( shared_go ) = 1;
  FD_COMPILER_MFENCE();
  FD_TEST( !tile_main( 0, NULL ) );

  for( ulong tile_idx = 1UL; tile_idx < tile_cnt; tile_idx++ ) {
    int ret;
    char const * err = fd_tile_exec_delete( fd_tile_exec( tile_idx ), &ret );
    if( FD_UNLIKELY( err ) ) FD_LOG_ERR( ( "tile %lu failed (%s)", tile_idx, err ) );
    FD_TEST( !ret );
  }

  fd_wksp_usage_t usage[1];
  FD_TEST( fd_wksp_usage( wksp, NULL, 0UL, usage ) == usage );
  FD_TEST( usage->free_cnt == 1UL && usage->free_sz == usage->total_sz );
  FD_TEST( !fd_wksp_verify( wksp ) );
  FD_TEST( fd_wksp_private_pinfo_idx_is_null( fd_wksp_private_pinfo_idx( wksp->part_used_cidx ) ) );

  if( name )
    FD_TEST( !fd_wksp_detach( wksp ) );
  else
    fd_wksp_delete_anonymous( wksp );

  FD_LOG_NOTICE( ( "pass" ) );
  fd_halt();
  return 0;
}
