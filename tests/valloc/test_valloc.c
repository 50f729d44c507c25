/* The valloc vtables: libc's limits, the shape, order and contiguity of the text log, what happens
   when stdout is slow or gone, stacked wrappers, and the adapters of the bundled allocators.  With
   the argument "leak" it is a program with a known leak instead, for the leak detector's test. */

#include "fd/util/valloc/fd_valloc_adapt.h"
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/unit/tap.h"

#define LOG_MAX ( 16UL << 20 )

static char * log_text;
static int    real_stdout;

/* Standard output goes to fd until log_end. */
static void
log_begin( int fd ) {
  fflush( stdout );
  real_stdout = dup( 1 );
  dup2( fd, 1 );
}

static void
log_end( void ) {
  dup2( real_stdout, 1 );
  close( real_stdout );
}

static int
log_file( void ) { return memfd_create( "log", 0U ); }

static void
log_load( int fd ) {
  long sz = pread( fd, log_text, LOG_MAX - 1UL, 0L );
  log_text[sz < 0L ? 0L : sz] = '\0';
}

/* Parses a whole log: 1 if it is records and nothing else and every free follows its allocation.
   Blocks that are not freed are counted in *live. */
static int
log_parse( char * text, ulong * alloc_cnt, ulong * free_cnt, ulong * live ) {
  static ulong addrs[65536];
  *alloc_cnt = *free_cnt = *live = 0UL;
  while( *text ) {
    ulong n, addr, align, sz, i = 0UL;
    int   len = 0;
    if( sscanf( text, "+++ ALLOC:%lu:0x%16lx:%lu:%lu\n%n", &n, &addr, &align, &sz, &len ) == 4 && len ) {
      ++*alloc_cnt;
      while( i < *live && addrs[i] != addr ) i++;
      if( addr && i < *live ) return 0;
      if( addr ) addrs[( *live )++] = addr;
    } else if( sscanf( text, "+++ FREE:%lu:0x%16lx\n%n", &n, &addr, &len ) == 2 && len ) {
      ++*free_cnt;
      while( i < *live && addrs[i] != addr ) i++;
      if( i < *live ) addrs[i] = addrs[--*live];
    } else return 0;
    text = strchr( text, '\n' ) + 1;
    for( ulong line = 0UL; line < n; line++ ) {
      char * end = strchr( text, '\n' );
      if( !end || end[-1] != ']' || text[0] == '+' || text[0] == '-' ) return 0;
      text = end + 1;
    }
    if( strncmp( text, "---\n", 4 ) ) return 0;
    text += 4;
  }
  return 1;
}

static void
test_libc( void ) {
  fd_valloc_t libc = fd_libc_alloc_virtual();
  int         good = 1;
  for( ulong align = 1UL; align <= 65536UL; align *= 2UL )
    for( ulong sz = 0UL; sz < 3000UL; sz += 997UL ) {
      void * p = fd_valloc_malloc( libc, align, sz );
      good &= p && fd_ulong_is_aligned( (ulong)p, align );
      if( p ) memset( p, 1, sz );
      fd_valloc_free( libc, p );
    }
  ok( good, "libc: aligned blocks of any size" );
  void * p = fd_valloc_malloc( libc, 0UL, 100UL );
  ok( p && fd_ulong_is_aligned( (ulong)p, 16UL ), "align 0 is malloc's" );
  fd_valloc_free( libc, p );
  ok( !fd_valloc_malloc( libc, 3UL, 10UL ) && !fd_valloc_malloc( libc, 48UL, 10UL ),
      "an align that is no power of two is refused" );
  ok( !fd_valloc_malloc( libc, 16UL, ULONG_MAX ) && !fd_valloc_malloc( libc, 1UL << 62, 1UL << 62 ) &&
      !fd_valloc_malloc( libc, 1UL << 63, 1UL ) && !fd_valloc_malloc( libc, 4096UL, ULONG_MAX - 4095UL ),
      "sizes that overflow are refused" );
  fd_valloc_free( libc, NULL );
  ok( fd_is_null_alloc_virtual( fd_null_alloc_virtual() ) && !fd_is_null_alloc_virtual( libc ),
      "the null allocator" );
}

/* Sanitizers put a frame of their own before backtrace's caller. */
#if defined( __SANITIZE_ADDRESS__ ) || defined( __SANITIZE_THREAD__ )
#define SKIPPED_FRAMES 3
#else
#define SKIPPED_FRAMES 2
#endif

/* An inner allocator that notes its stack, without itself and the wrapper, as glibc prints it. */
static int inner_fd;

static void *
noting_malloc( void * self, ulong align, ulong sz ) {
  void * trace[256];
  int    cnt = backtrace( trace, 256 );
  (void)self;
  backtrace_symbols_fd( trace + SKIPPED_FRAMES, cnt - SKIPPED_FRAMES, inner_fd );
  return fd_valloc_malloc( fd_libc_alloc_virtual(), align, sz );
}

static void
noting_free( void * self, void * p ) {
  (void)self;
  free( p );
}

static fd_valloc_vtable_t const noting_vtable = { .malloc = noting_malloc, .free = noting_free };

static void
test_shape( void ) {
  static char expected[65536], got[65536], head[64];
  fd_valloc_t inner   = { NULL, &noting_vtable };
  fd_valloc_t tracing = fd_backtracing_alloc_virtual( &inner );
  int         fd      = log_file();
  inner_fd            = log_file();
  log_begin( fd );
  void * p = fd_valloc_malloc( tracing, 32UL, 100UL );
  log_end();
  log_load( fd );
  long sz = pread( inner_fd, expected, sizeof( expected ) - 1UL, 0L );
  expected[fd_long_max( sz, 0L )] = '\0';

  ulong lines = (ulong)SKIPPED_FRAMES - 1UL;
  for( char const * c = expected; *c; c++ ) lines += *c == '\n';
  snprintf( head, sizeof( head ), "+++ ALLOC:%lu:0x%016lx:32:100\n", lines, (ulong)p );
  char * frame0 = strchr( log_text, '\n' ) + 1;
  char * frame1 = strchr( frame0, '\n' ) + 1;
  for( int i = 2; i < SKIPPED_FRAMES; i++ ) frame1 = strchr( frame1, '\n' ) + 1;
  snprintf( got, sizeof( got ), "%.*s%s", (int)( frame0 - log_text ), log_text, frame1 );
  ok( !strncmp( got, head, strlen( head ) ), "head of an ALLOC record" );
  size_t body = strlen( expected );
  ok( !strncmp( got + strlen( head ), expected, body ), "body is what backtrace_symbols_fd prints" );
  is_str( got + strlen( head ) + body, "---\n", "end of the record" );

  fd = log_file();
  log_begin( fd );
  fd_valloc_free( tracing, p );
  log_end();
  log_load( fd );
  snprintf( head, sizeof( head ), ":0x%016lx\n", (ulong)p );
  ok( !strncmp( log_text, "+++ FREE:", 9 ) && strstr( log_text, head ), "head of a FREE record" );
}

static void
test_failed_alloc( void ) {
  fd_valloc_t libc    = fd_libc_alloc_virtual();
  fd_valloc_t tracing = fd_backtracing_alloc_virtual( &libc );
  int         fd      = log_file();
  log_begin( fd );
  errno    = 77;
  void * p = fd_valloc_malloc( tracing, 3UL, 5UL );
  int    e = errno;
  log_end();
  log_load( fd );
  ok( !p && e == 77 && strstr( log_text, ":0x0000000000000000:3:5\n" ), "a failed allocation" );
}

static void *
churn( void * arg ) {
  fd_valloc_t tracing = *(fd_valloc_t *)arg;
  void *      blocks[16] = { NULL };
  for( uint i = 0U; i < 600U; i++ ) {
    uint at = ( i * 7U ) % 16U;
    if( blocks[at] ) fd_valloc_free( tracing, blocks[at] );
    blocks[at] = fd_valloc_malloc( tracing, 16UL, 100UL + i );
  }
  for( uint i = 0U; i < 16U; i++ ) fd_valloc_free( tracing, blocks[i] );
  return NULL;
}

static void
churn_threads( fd_valloc_t tracing ) {
  pthread_t threads[4];
  for( int i = 0; i < 4; i++ ) pthread_create( threads + i, NULL, churn, &tracing );
  for( int i = 0; i < 4; i++ ) pthread_join( threads[i], NULL );
}

static void
test_threads( void ) {
  fd_valloc_t libc    = fd_libc_alloc_virtual();
  fd_valloc_t tracing = fd_backtracing_alloc_virtual( &libc );
  ulong       allocs, frees, live;
  int         fd = log_file();
  log_begin( fd );
  churn_threads( tracing );
  log_end();
  log_load( fd );
  ok( log_parse( log_text, &allocs, &frees, &live ), "four threads: whole records, in a true order" );
  ok( allocs == 2400UL && frees == 2400UL && !live, "all of them" );

  fd_valloc_t twice = fd_backtracing_alloc_virtual( &tracing );
  fd = log_file();
  log_begin( fd );
  fd_valloc_free( twice, fd_valloc_malloc( twice, 16UL, 1UL ) );
  log_end();
  log_load( fd );
  allocs = 0UL;
  for( char * c = log_text; ( c = strstr( c, "+++ " ) ); c++ ) allocs++;
  is_ulong( allocs, 4UL, "a wrapper of a wrapper records twice" );
}

/* A pipe that takes little, does not block, and is read slowly. */
static void *
read_slowly( void * arg ) {
  ulong used = 0UL;
  for(;;) {
    long sz = read( *(int *)arg, log_text + used, 1000UL );
    if( sz <= 0L ) break;
    used += (ulong)sz;
    if( used < 20000UL ) usleep( 100 );
  }
  log_text[used] = '\0';
  return NULL;
}

static void
test_slow_stdout( void ) {
  fd_valloc_t libc    = fd_libc_alloc_virtual();
  fd_valloc_t tracing = fd_backtracing_alloc_virtual( &libc );
  ulong       allocs, frees, live;
  int         fds[2];
  pthread_t   reader;
  if( pipe( fds ) ) return;
  fcntl( fds[1], F_SETPIPE_SZ, 4096 );
  fcntl( fds[1], F_SETFL, O_NONBLOCK );
  pthread_create( &reader, NULL, read_slowly, fds );
  log_begin( fds[1] );
  churn( &tracing );
  log_end();
  close( fds[1] );
  pthread_join( reader, NULL );
  ok( log_parse( log_text, &allocs, &frees, &live ) && allocs == 600UL && frees == 600UL,
      "partial writes and a full non-blocking pipe lose nothing" );
}

static void
test_no_stdout( void ) {
  int status = 0;
  int pid    = fork();
  if( !pid ) {
    fd_valloc_t libc    = fd_libc_alloc_virtual();
    fd_valloc_t tracing = fd_backtracing_alloc_virtual( &libc );
    close( 1 );
    fd_valloc_malloc( tracing, 16UL, 16UL );
    _exit( 42 );
  }
  waitpid( pid, &status, 0 );
  ok( WIFEXITED( status ) && WEXITSTATUS( status ) == 1, "a closed stdout ends the process" );
}

static fd_groove_data_shmem_t shdata[1];

static void
test_groove( void ) {
  fd_groove_data_t data[1];
  ulong mem = (ulong)mmap( NULL, 2UL << 30, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0 );
  void * volume = (void *)fd_ulong_align_up( mem, 1UL << 30 );
  fd_groove_data_new( shdata );
  fd_groove_data_join( data, shdata, volume, 1UL, 0UL );
  fd_groove_data_volume_add( data, volume, 1UL << 30, NULL, 0UL );
  fd_groove_valloc_t self   = { data, 77UL };
  fd_valloc_t        valloc = fd_groove_virtual( &self );
  void *             p      = fd_valloc_malloc( valloc, 512UL, 1000UL );
  ok( p && fd_groove_data_alloc_tag( p ) == 77UL && fd_groove_data_alloc_sz( p ) == 1000UL,
      "a groove as valloc" );
  fd_valloc_free( valloc, p );
  ok( !fd_groove_data_verify( data ) && fd_groove_data_volume_remove( data ) == volume,
      "and nothing stays in it" );
  fd_groove_data_leave( data );
  munmap( (void *)mem, 2UL << 30 );
}

static void
test_wksp( void ) {
  fd_wksp_t *      wksp = fd_wksp_new_anonymous( FD_SHMEM_NORMAL_PAGE_SZ, 1024UL, 0UL, "valloc", 0UL );
  fd_wksp_valloc_t self = { wksp, 9UL };
  fd_valloc_t      valloc = fd_wksp_virtual( &self );
  void *           p      = fd_valloc_malloc( valloc, 256UL, 1000UL );
  ok( p && fd_wksp_tag( wksp, fd_wksp_gaddr( wksp, p ) ) == 9UL, "a wksp as valloc" );
  fd_valloc_free( valloc, p );
  ok( !fd_wksp_tag( wksp, fd_wksp_gaddr( wksp, p ) ), "free reaches it" );

  void *       mem   = fd_wksp_alloc_laddr( wksp, fd_alloc_align(), fd_alloc_footprint(), 5UL );
  fd_alloc_t * alloc = fd_alloc_join( fd_alloc_new( mem, 6UL ), 0UL );
  valloc             = fd_alloc_virtual( alloc );
  p                  = fd_valloc_malloc( valloc, 64UL, 100UL );
  ok( p && fd_ulong_is_aligned( (ulong)p, 64UL ), "an fd_alloc as valloc" );
  fd_valloc_free( valloc, p );
  fd_wksp_free_laddr( fd_alloc_delete( fd_alloc_leave( alloc ) ) );
  fd_wksp_delete_anonymous( wksp );
}

/* 10 blocks of 100 bytes leak from one place, 5 of 1000 do not from another. */
static int
leak( void ) {
  fd_valloc_t libc    = fd_libc_alloc_virtual();
  fd_valloc_t tracing = fd_backtracing_alloc_virtual( &libc );
  for( int i = 0; i < 10; i++ ) fd_valloc_malloc( tracing, 16UL, 100UL );
  for( int i = 0; i < 5; i++ ) fd_valloc_free( tracing, fd_valloc_malloc( tracing, 16UL, 1000UL ) );
  puts( "+++ not a record" );
  return 0;
}

int
main( int argc, char ** argv ) {
  if( argc == 2 && !strcmp( argv[1], "leak" ) ) return leak();
  char   log_path[] = "--log-path", none[] = "";
  char * boot_argv[] = { argv[0], log_path, none, NULL };
  char ** pargv = boot_argv;
  int     pargc = 3;
  fd_boot( &pargc, &pargv );
  log_text = (char *)malloc( LOG_MAX );
  test_libc();
  test_shape();
  test_failed_alloc();
  test_threads();
  test_slow_stdout();
  test_no_stdout();
  test_groove();
  test_wksp();
  free( log_text );
  fd_halt();
  return done_testing();
}
