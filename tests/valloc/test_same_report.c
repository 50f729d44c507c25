/* What tests/valloc/same_report.t records in different ways: the same allocations through a
   fd_valloc_t, which is libc's ("plain") or the backtracing one around it ("log").  It calls nothing
   else that allocates, so that both ways there is nothing but these blocks.

     test_same_report plain|log [deep|odd|threads]... */

#include <pthread.h>
#include <string.h>
#include "fd/util/valloc/fd_valloc.h"

#define APART __attribute__((noinline))

static fd_valloc_t va;

/* The blocks' sizes are multiples of their alignment unless said: libc's vtable rounds up. */
static APART void *
take( ulong align, ulong sz ) {
  void * p = fd_valloc_malloc( va, align, sz );
  FD_COMPILER_MFENCE(); /* no tail call */
  return p;
}

static APART void
drop( void * p ) {
  fd_valloc_free( va, p );
  FD_COMPILER_MFENCE();
}

static APART void
leak( void ) {
  for( ulong i = 0UL; i < 10UL; i++ ) take( 16UL, 96UL + 16UL * i );
  FD_COMPILER_MFENCE();
}

static APART void
leak_aligned( void ) {
  take( 4096UL, 8192UL );
  FD_COMPILER_MFENCE();
}

/* 500 blocks, each freed before the next is allocated. */
static APART void
churn( void ) {
  for( ulong i = 0UL; i < 500UL; i++ ) drop( take( 32UL, 32UL * ( 1UL + i % 9UL ) ) );
  FD_COMPILER_MFENCE();
}

/* The peak: 100 blocks live at once. */
static APART void
swell( void ) {
  static void * block[100];
  for( ulong i = 0UL; i < 100UL; i++ ) block[i] = take( 64UL, 64UL * i + 64UL );
  for( ulong i = 0UL; i < 100UL; i++ ) drop( block[i] );
  FD_COMPILER_MFENCE();
}

/* A block from each depth; every third stays. */
static APART void
recurse( ulong depth ) {
  void * p = take( 16UL, 160UL );
  if( depth ) recurse( depth - 1UL );
  if( depth % 3UL ) drop( p );
  FD_COMPILER_MFENCE();
}

/* 7 blocks of 20 bytes aligned to 16: 32 each for aligned_alloc. */
static APART void
odd( void ) {
  for( ulong i = 0UL; i < 7UL; i++ ) take( 16UL, 20UL );
  FD_COMPILER_MFENCE();
}

/* What is no block: an allocation that fails, a free of NULL. */
static APART void
nothing( void ) {
  take( 3UL, 10UL );
  take( 16UL, ULONG_MAX );
  drop( NULL );
  FD_COMPILER_MFENCE();
}

static void *
thread_main( void * arg ) {
  for( ulong i = 0UL; i < 200UL; i++ ) drop( take( 16UL, 48UL ) );
  *(void **)arg = take( 16UL, 112UL ); /* another thread frees it */
  FD_COMPILER_MFENCE();
  return NULL;
}

static APART void
threads( void ) {
  pthread_t thread[4];
  void *    block[4];
  for( ulong i = 0UL; i < 4UL; i++ ) pthread_create( thread + i, NULL, thread_main, block + i );
  for( ulong i = 0UL; i < 4UL; i++ ) {
    pthread_join( thread[i], NULL );
    drop( block[i] );
  }
}

int
main( int argc, char ** argv ) {
  if( argc < 2 ) return 2;
  static fd_valloc_t libc;
  libc = fd_libc_alloc_virtual();
  va   = strcmp( argv[1], "log" ) ? libc : fd_backtracing_alloc_virtual( &libc );
  take( 16UL, 1024UL ); /* backtrace loads a library at its first use: here and not below */
  leak();
  leak_aligned();
  churn();
  swell();
  recurse( 50UL );
  nothing();
  for( int i = 2; i < argc; i++ ) {
    if( !strcmp( argv[i], "deep" ) ) recurse( 300UL );
    if( !strcmp( argv[i], "odd" ) ) odd();
    if( !strcmp( argv[i], "threads" ) ) threads();
  }
  return 0;
}
