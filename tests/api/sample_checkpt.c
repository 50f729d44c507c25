/* place: util/wksp */
/* Checkpoints of every style by every number of workers: allocations are filled, tested and their
   bytes summed with the thread pool; besides, frames of both styles by hand over a file and
   memory. */

#include "../fd_util.h"

#include <errno.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/stat.h>

struct info {
  ulong gaddr_lo;
  ulong gaddr_hi;
  ulong tag;
};

typedef struct info info_t;

static FD_FOR_ALL_BEGIN( info_fill, 1L ) {
  fd_wksp_t * wksp = (fd_wksp_t *)arg[0];
  info_t const * info = (info_t const *)arg[1];
  for( long idx = block_i0; idx < block_i1; idx++ ) {
    int c = 1 + (int)( info[idx].tag % 255UL );
    fd_memset( fd_wksp_laddr_fast( wksp, info[idx].gaddr_lo ), c,
               info[idx].gaddr_hi - info[idx].gaddr_lo );
  }
}
FD_FOR_ALL_END

static FD_FOR_ALL_BEGIN( info_test, 1L ) {
  fd_wksp_t * wksp = (fd_wksp_t *)arg[0];
  info_t const * info = (info_t const *)arg[1];
  for( long idx = block_i0; idx < block_i1; idx++ ) {
    uchar c = (uchar)( 1UL + info[idx].tag % 255UL );
    uchar const * p = (uchar const *)fd_wksp_laddr_fast( wksp, info[idx].gaddr_lo );
    for( ulong i = 0UL; i < info[idx].gaddr_hi - info[idx].gaddr_lo; i++ ) FD_TEST( p[i] == c );
    FD_TEST( fd_wksp_tag( wksp, info[idx].gaddr_lo ) == info[idx].tag );
  }
}
FD_FOR_ALL_END

FD_MAP_REDUCE_PROTO( info_sum );
FD_MAP_REDUCE_BEGIN( info_sum, 4L, alignof( ulong ), sizeof( ulong ), 1L ) {
  info_t const * info = (info_t const *)arg[1];
  ulong sum = 0UL;
  for( long idx = block_i0; idx < block_i1; idx++ ) sum += info[idx].gaddr_hi - info[idx].gaddr_lo;
  *(ulong *)arg[0] = sum;
}
FD_MAP_END { *(ulong *)arg[0] += *(ulong const *)_r1; }
FD_REDUCE_END

#define INFO_MAX ( 64UL )
static info_t info[INFO_MAX];
static uchar tpool_mem[FD_TPOOL_FOOTPRINT( FD_TILE_MAX )]
    __attribute__( ( aligned( FD_TPOOL_ALIGN ) ) );

static fd_checkpt_t checkpt_mem[1];
static fd_restore_t restore_mem[1];
static uchar wbuf[FD_CHECKPT_WBUF_MIN];
static uchar mmio[1UL << 17];
static uchar data[50000UL];
static uchar back[50000UL];

static void frames_write( fd_checkpt_t * checkpt, ulong * off ) {
  FD_TEST( checkpt );
  for( int style = FD_CHECKPT_FRAME_STYLE_RAW; style <= FD_CHECKPT_FRAME_STYLE_LZ4; style++ ) {
    if( FD_UNLIKELY( !fd_checkpt_frame_style_is_supported( style ) ) ) continue;
    FD_TEST( !fd_checkpt_open_advanced( checkpt, style, &off[2 * style] ) );
    FD_TEST( !fd_checkpt_meta( checkpt, &style, sizeof( int ) ) );
    FD_TEST( !fd_checkpt_data( checkpt, data, sizeof( data ) ) );
    int err = fd_checkpt_close_advanced( checkpt, &off[2 * style + 1] );
    if( FD_UNLIKELY( err ) )
      FD_LOG_ERR( ( "close failed (%i-%s)", err, fd_checkpt_strerror( err ) ) );
  }
  FD_TEST( fd_checkpt_fini( checkpt ) == checkpt );
}

static void frames_read( fd_restore_t * restore, ulong const * off ) {
  FD_TEST( restore );
  for( int style = FD_CHECKPT_FRAME_STYLE_LZ4; style >= FD_CHECKPT_FRAME_STYLE_RAW;
       style-- ) { /* any order */
    if( FD_UNLIKELY( !fd_checkpt_frame_style_is_supported( style ) ) ) continue;
    int got;
    ulong lo, hi;
    FD_TEST( !fd_restore_seek( restore, off[2 * style] ) );
    FD_TEST( !fd_restore_open_advanced( restore, style, &lo ) );
    FD_TEST( !fd_restore_meta( restore, &got, sizeof( int ) ) && got == style );
    fd_memset( back, 0, sizeof( back ) );
    FD_TEST( !fd_restore_data( restore, back, sizeof( back ) ) );
    FD_TEST( fd_memeq( back, data, sizeof( data ) ) );
    FD_TEST( !fd_restore_close_advanced( restore, &hi ) );
    FD_TEST( lo == off[2 * style] && hi == off[2 * style + 1] );
  }
  FD_TEST( fd_restore_fini( restore ) == restore );
}

static void frames( char const * path ) {
  ulong off[6], off2[6], sz;
  for( ulong i = 0UL; i < sizeof( data ); i++ ) data[i] = (uchar)( i >> 8 );
  int fd = open( path, O_CREAT | O_EXCL | O_RDWR, 0600 );
  if( FD_UNLIKELY( fd < 0 ) )
    FD_LOG_ERR( ( "open(%s) failed (%i-%s)", path, errno, fd_io_strerror( errno ) ) );
  frames_write( fd_checkpt_init_stream( checkpt_mem, fd, wbuf, FD_CHECKPT_WBUF_MIN ), off );
  frames_write( fd_checkpt_init_mmio( checkpt_mem, mmio, sizeof( mmio ) ), off2 );
  FD_TEST( !fd_io_sz( fd, &sz ) );
  FD_TEST( off[2] == 0UL && off[5] == sz && fd_memeq( off + 2, off2 + 2, 4UL * sizeof( ulong ) ) );
  ulong idx;
  FD_TEST( !fd_io_seek( fd, 0L, FD_IO_SEEK_TYPE_SET, &idx ) );
  frames_read( fd_restore_init_stream( restore_mem, fd, wbuf, FD_RESTORE_RBUF_MIN ), off );
  frames_read( fd_restore_init_mmio( restore_mem, mmio, sz ), off );
  void const * map;
  FD_TEST( !fd_io_mmio_init( fd, FD_IO_MMIO_MODE_READ_ONLY, &map, &sz ) );
  FD_TEST( fd_memeq( map, mmio, sz ) );
  fd_io_mmio_fini( map, sz );
  if( FD_UNLIKELY( close( fd ) ) ) FD_LOG_WARNING( ( "close failed" ) );
  FD_TEST( !unlink( path ) );
}

int main( int argc, char ** argv ) {
  fd_boot( &argc, &argv );

  char const * path = fd_env_strip_cmdline_cstr( &argc, &argv, "--path", NULL, NULL );
  char const * _mode = fd_env_strip_cmdline_cstr( &argc, &argv, "--mode", NULL, "0600" );
  int keep = fd_env_strip_cmdline_int( &argc, &argv, "--keep", NULL, 0 );
  ulong worker_cnt =
      fd_env_strip_cmdline_ulong( &argc, &argv, "--worker-cnt", NULL, fd_tile_cnt() );
  char const * _page_sz = fd_env_strip_cmdline_cstr( &argc, &argv, "--page-sz", NULL, "gigantic" );
  ulong page_cnt = fd_env_strip_cmdline_ulong( &argc, &argv, "--page-cnt", NULL, 1UL );
  ulong near_cpu = fd_env_strip_cmdline_ulong( &argc, &argv, "--near-cpu", NULL, fd_log_cpu_id() );
  ulong iter_max = fd_env_strip_cmdline_ulong( &argc, &argv, "--iter-max", NULL, 10UL );

  char _path[128];
  if( !path )
    path = fd_cstr_printf( _path, 128UL, NULL, "/tmp/sample_checkpt.%lu.%li", fd_log_group_id(),
                           fd_log_wallclock() );
  ulong mode = fd_cstr_to_ulong_octal( _mode );

  frames( path );

  fd_tpool_t * tpool = fd_tpool_init( tpool_mem, worker_cnt, FD_TPOOL_OPT_SLEEP );
  FD_TEST( tpool );
  for( ulong worker_idx = 1UL; worker_idx < worker_cnt; worker_idx++ )
    if( FD_UNLIKELY( !fd_tpool_worker_push( tpool, worker_idx ) ) )
      FD_LOG_ERR( ( "fd_tpool_worker_push failed" ) );

  fd_rng_t _rng[1];
  fd_rng_t * rng = fd_rng_join( fd_rng_new( _rng, 0U, 0UL ) );
  fd_wksp_t * wksp = fd_wksp_new_anonymous( fd_cstr_to_shmem_page_sz( _page_sz ), page_cnt,
                                            near_cpu, "sample", 256UL );
  if( FD_UNLIKELY( !wksp ) ) FD_LOG_ERR( ( "no workspace" ) );

  for( ulong iter = 0UL; iter < iter_max; iter++ ) {
    fd_wksp_reset( wksp, fd_rng_uint( rng ) );
    ulong cnt = fd_rng_ulong_roll( rng, INFO_MAX + 1UL );
    ulong sum = 0UL;
    for( ulong idx = 0UL; idx < cnt; idx++ ) {
      ulong align = 1UL << fd_rng_int_roll( rng, 13 );
      ulong sz = 1UL + fd_rng_ulong_roll( rng, 20000UL );
      info[idx].tag = idx + 1UL;
      FD_TEST( fd_wksp_alloc_at_least( wksp, align, sz, info[idx].tag, &info[idx].gaddr_lo,
                                       &info[idx].gaddr_hi ) );
      sum += info[idx].gaddr_hi - info[idx].gaddr_lo;
    }
    long n = (long)cnt;
    ulong total;
    FD_FOR_ALL( info_fill, tpool, 0UL, worker_cnt, 0L, n, wksp, info );
    FD_MAP_REDUCE( info_sum, tpool, 0UL, worker_cnt, 0L, n, &total, info );
    FD_TEST( total == sum );

    unlink( path );
    int style = fd_rng_int_roll( rng, 4 );
    ulong t1 = 1UL + fd_rng_ulong_roll( rng, worker_cnt );
    int err = fd_wksp_checkpt_tpool( tpool, 0UL, t1, wksp, path, mode, style, "sample" );
    if( FD_UNLIKELY( err ) )
      FD_LOG_ERR( ( "checkpt failed (%i-%s)", err, fd_wksp_strerror( err ) ) );

    fd_wksp_preview_t preview[1];
    FD_TEST( !fd_wksp_preview( path, preview ) );
    FD_TEST( preview->part_max == fd_wksp_part_max( wksp ) && !strcmp( preview->name, "sample" ) );

    ulong const zero = 0UL;
    fd_wksp_tag_free( wksp, &zero, 1UL );
    for( ulong idx = 0UL; idx < cnt; idx++ ) fd_wksp_memset( wksp, info[idx].gaddr_lo, 0 );

    ulong t0 = fd_rng_ulong_roll( rng, worker_cnt );
    err = fd_wksp_restore_tpool( tpool, t0, t0 + 1UL, wksp, path, fd_rng_uint( rng ) );
    if( FD_UNLIKELY( err ) )
      FD_LOG_ERR( ( "restore failed (%i-%s)", err, fd_wksp_strerror( err ) ) );
    FD_FOR_ALL( info_test, tpool, 0UL, worker_cnt, 0L, n, wksp, info );
    FD_TEST( !fd_wksp_verify( wksp ) );
  }

  if( !keep && FD_UNLIKELY( unlink( path ) ) )
    FD_LOG_WARNING( ( "unlink(%s) failed (%i)", path, errno ) );
  fd_wksp_delete_anonymous( wksp );
  fd_rng_delete( fd_rng_leave( rng ) );
  FD_TEST( fd_tpool_fini( tpool ) == (void *)tpool_mem );

  FD_LOG_NOTICE( ( "pass" ) );
  fd_halt();
  return 0;
}
