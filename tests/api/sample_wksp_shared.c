/* place: util/wksp */
/* Two processes and one named workspace: the parent makes it, hands positions to its child as
   text, the child finds the bytes, frees one of them and leaves one behind; a third attachment
   sees it. */

#include "fd_wksp.h"
#include "../fd_util.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/wait.h>

static void child_main( char const * name, char const * gaddr, ulong tag ) {
  uchar const * mem = (uchar const *)fd_wksp_map( gaddr );
  FD_TEST( mem );
  fd_wksp_t * wksp = fd_wksp_containing( mem );
  FD_TEST( wksp );
  FD_TEST( wksp == fd_wksp_attach( name ) );
  FD_TEST( !strcmp( fd_wksp_name( wksp ), name ) );
  FD_TEST( fd_wksp_cstr_tag( gaddr ) == tag );
  for( ulong i = 0UL; i < 1000UL; i++ ) FD_TEST( mem[i] == (uchar)i );
  fd_wksp_unmap( mem );
  fd_wksp_cstr_free( gaddr );
  FD_TEST( !fd_wksp_cstr_tag( gaddr ) );

  char cstr[FD_WKSP_CSTR_MAX];
  FD_TEST( fd_wksp_cstr_alloc( name, 64UL, 100UL, tag + 1UL, cstr ) == cstr );
  fd_wksp_cstr_memset( cstr, 0x42 );
  FD_LOG_NOTICE( ( "child left %s behind", cstr ) );
  FD_TEST( !fd_wksp_detach( wksp ) );
}

int main( int argc, char ** argv ) {
  char * self = argv[0];
  fd_boot( &argc, &argv );

  char const * name = fd_env_strip_cmdline_cstr( &argc, &argv, "--name", NULL, NULL );
  char const * gaddr = fd_env_strip_cmdline_cstr( &argc, &argv, "--gaddr", NULL, NULL );
  ulong tag = fd_env_strip_cmdline_ulong( &argc, &argv, "--tag", NULL, 1234UL );
  char const * _page_sz = fd_env_strip_cmdline_cstr( &argc, &argv, "--page-sz", NULL, "normal" );
  ulong page_cnt = fd_env_strip_cmdline_ulong( &argc, &argv, "--page-cnt", NULL, 256UL );
  ulong near_cpu = fd_env_strip_cmdline_ulong( &argc, &argv, "--near-cpu", NULL, fd_log_cpu_id() );
  ulong part_max = fd_env_strip_cmdline_ulong( &argc, &argv, "--part-max", NULL, 64UL );
  ulong mode =
      fd_cstr_to_ulong_octal( fd_env_strip_cmdline_cstr( &argc, &argv, "--mode", NULL, "0600" ) );

  if( gaddr ) {
    child_main( name, gaddr, tag );
    FD_LOG_NOTICE( ( "pass" ) );
    fd_halt();
    return 0;
  }

  char _name[FD_SHMEM_NAME_MAX];
  if( !name ) {
    FD_TEST( fd_cstr_printf_check( _name, FD_SHMEM_NAME_MAX, NULL, "sample-%lu-%lx",
                                   fd_log_group_id(), (ulong)fd_log_wallclock() & 0xffffffUL ) );
    name = _name;
  }
  FD_TEST( fd_shmem_name_len( name ) );

  ulong sub_page_cnt[1];
  sub_page_cnt[0] = page_cnt;
  ulong sub_cpu_idx[1];
  sub_cpu_idx[0] = near_cpu;
  int err = fd_wksp_new_named( name, fd_cstr_to_shmem_page_sz( _page_sz ), 1UL, sub_page_cnt,
                               sub_cpu_idx, mode, 0U, part_max );
  if( FD_UNLIKELY( err ) )
    FD_LOG_ERR( ( "fd_wksp_new_named failed (%i-%s)", err, fd_wksp_strerror( err ) ) );

  char cstr[FD_WKSP_CSTR_MAX];
  FD_TEST( fd_wksp_cstr_alloc( name, 0UL, 1000UL, tag, cstr ) );
  uchar * mem = (uchar *)fd_wksp_map( cstr );
  FD_TEST( mem );
  for( ulong i = 0UL; i < 1000UL; i++ ) mem[i] = (uchar)i;

  char tag_cstr[24];
  fd_cstr_printf( tag_cstr, 24UL, NULL, "%lu", tag );
  pid_t pid = fork();
  if( FD_UNLIKELY( pid < 0 ) ) FD_LOG_ERR( ( "fork failed (%i)", errno ) );
  if( !pid ) {
    execl( self, self, "--name", name, "--gaddr", cstr, "--tag", tag_cstr, (char *)NULL );
    _exit( 127 );
  }
  int status;
  FD_TEST( waitpid( pid, &status, 0 ) == pid );
  FD_TEST( WIFEXITED( status ) && !WEXITSTATUS( status ) );

  fd_wksp_t * wksp = fd_wksp_containing( mem );
  FD_TEST( wksp );
  FD_TEST( !fd_wksp_tag( wksp, fd_wksp_gaddr( wksp, mem ) ) );
  fd_wksp_tag_query_info_t info[2];
  ulong child_tag = tag + 1UL;
  FD_TEST( fd_wksp_tag_query( wksp, &child_tag, 1UL, info, 2UL ) == 1UL );
  uchar const * left = (uchar const *)fd_wksp_laddr( wksp, info[0].gaddr_lo );
  for( ulong i = 0UL; i < info[0].gaddr_hi - info[0].gaddr_lo; i++ )
    FD_TEST( left[i] == (uchar)0x42 );
  fd_wksp_unmap( mem );
  FD_TEST( !fd_wksp_delete_named( name ) );

  FD_LOG_NOTICE( ( "pass" ) );
  fd_halt();
  return 0;
}
