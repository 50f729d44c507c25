/* Groove with real threads: random work with frees by other threads while volumes come and go, more
   joins than there are records, threads that share one join, racing frees of one object, and how
   much of a full groove is live data.  The thread sanitizer runs this one. */

#include "tests/groove/groove_tests.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define VOLUME_CNT 4UL
#define THREAD_CNT 4UL
#define SHARED_CNT 512UL

static fd_groove_data_shmem_t shdata[1];
static fd_groove_volume_t *   volume0;
static ulong                  shared[SHARED_CNT]; /* pointers, taken and put by exchange */
static ulong                  seed;
static ulong                  bad;
static pthread_barrier_t      barrier;

static void
expect( int cond ) {
  if( !cond ) __atomic_fetch_add( &bad, 1UL, __ATOMIC_RELAXED );
}

static void
join( fd_groove_data_t * data, ulong hint ) {
  FD_TEST( fd_groove_data_join( data, shdata, volume0, VOLUME_CNT, hint ) );
}

static void
groove_new( fd_groove_data_t * data, ulong volume_cnt ) {
  FD_TEST( fd_groove_data_new( shdata ) );
  join( data, 0UL );
  FD_TEST( !fd_groove_data_volume_add( data, volume0, volume_cnt << 30, NULL, 0UL ) );
  bad = 0UL;
}

/* All came back: every volume can be removed. */
static int
drains( fd_groove_data_t * data, ulong volume_cnt ) {
  int   good = verify_all( data, volume0, volume_cnt );
  ulong cnt  = 0UL;
  while( fd_groove_data_volume_remove( data ) ) cnt++;
  fd_groove_data_leave( data );
  return good && cnt == volume_cnt;
}

static void
run_threads( void * ( *body )( void * ), ulong cnt ) {
  pthread_t threads[128];
  for( ulong i = 0UL; i < cnt; i++ ) FD_TEST( !pthread_create( threads + i, NULL, body, (void *)i ) );
  for( ulong i = 0UL; i < cnt; i++ ) pthread_join( threads[i], NULL );
}

/* What is in an object: its size in its tag, its address and a mark at both ends. */
static void *
obj_new( fd_groove_data_t * data, ulong sz ) {
  ulong * p = (ulong *)fd_groove_data_alloc( data, 8UL, sz, sz ^ 5UL, NULL );
  if( !p ) return NULL;
  p[0] = (ulong)p ^ sz;
  p[sz / 8UL - 1UL] = (ulong)p ^ sz;
  return p;
}

static int
obj_delete( fd_groove_data_t * data, void * obj ) {
  ulong const * p  = (ulong const *)obj;
  ulong         sz = fd_groove_data_alloc_sz( p );
  expect( fd_groove_data_alloc_tag( p ) == ( sz ^ 5UL ) );
  expect( p[0] == ( (ulong)p ^ sz ) && p[sz / 8UL - 1UL] == ( (ulong)p ^ sz ) );
  return fd_groove_data_free( data, obj );
}

static ulong
random_sz( fd_rng_t * rng ) {
  return 8UL + fd_ulong_align_dn( fd_rng_ulong_roll( rng, 1UL << fd_rng_uint_roll( rng, 18U ) ), 8UL );
}

static void
mix( fd_groove_data_t * data, ulong idx, ulong op_cnt ) {
  fd_rng_t rng[1];
  fd_rng_new( rng, (uint)( seed + idx ), 0UL );
  for( ulong i = 0UL; i < op_cnt; i++ ) {
    void * mine = NULL;
    if( fd_rng_uint( rng ) & 1U ) expect( !!( mine = obj_new( data, random_sz( rng ) ) ) );
    ulong * at  = shared + fd_rng_uint_roll( rng, (uint)SHARED_CNT );
    void *  old = (void *)__atomic_exchange_n( at, (ulong)mine, __ATOMIC_ACQ_REL ); /* with itself */
    if( old ) expect( !obj_delete( data, old ) );
    if( !idx && !( i % 1024UL ) ) {
      void * volume = fd_groove_data_volume_remove( data );
      if( volume ) expect( !fd_groove_data_volume_add( data, volume, 1UL << 30, NULL, 0UL ) );
    }
  }
}

static void
free_shared( fd_groove_data_t * data ) {
  for( ulong i = 0UL; i < SHARED_CNT; i++ )
    if( shared[i] ) {
      expect( !obj_delete( data, (void *)shared[i] ) );
      shared[i] = 0UL;
    }
}

static void *
mix_own_join( void * arg ) {
  fd_groove_data_t data[1];
  join( data, (ulong)arg );
  mix( data, (ulong)arg, 30000UL );
  fd_groove_data_leave( data );
  return NULL;
}

static fd_groove_data_t shared_join[1];

static void *
mix_shared_join( void * arg ) {
  mix( shared_join, (ulong)arg, 10000UL );
  return NULL;
}

static void *
mix_few( void * arg ) {
  fd_groove_data_t data[1];
  join( data, (ulong)arg );
  mix( data, (ulong)arg, 100UL );
  pthread_barrier_wait( &barrier ); /* so that all joins exist at once */
  mix( data, (ulong)arg, 100UL );
  pthread_barrier_wait( &barrier );
  fd_groove_data_leave( data );
  return NULL;
}

static void
test_mix( void ) {
  fd_groove_data_t data[1];
  groove_new( data, VOLUME_CNT );
  run_threads( mix_own_join, THREAD_CNT );
  ok( !bad && verify_all( data, volume0, VOLUME_CNT ), "threads with a join each" );
  free_shared( data );
  ok( !bad && drains( data, VOLUME_CNT ), "nothing is left" );

  groove_new( data, VOLUME_CNT );
  join( shared_join, 0UL );
  run_threads( mix_shared_join, THREAD_CNT );
  fd_groove_data_leave( shared_join );
  free_shared( data );
  ok( !bad && drains( data, VOLUME_CNT ), "threads that share a join" );

  groove_new( data, VOLUME_CNT );
  pthread_barrier_init( &barrier, NULL, 100U );
  run_threads( mix_few, 100UL );
  free_shared( data );
  ok( !bad && drains( data, VOLUME_CNT ), "more joins than records" );
}

/* Racing frees of the same objects: each succeeds once. */

static ulong freed_cnt;

static void *
free_all( void * arg ) {
  fd_groove_data_t data[1];
  join( data, (ulong)arg );
  pthread_barrier_wait( &barrier );
  for( ulong i = 0UL; i < SHARED_CNT; i++ )
    if( !fd_groove_data_free( data, (void *)shared[i] ) )
      __atomic_fetch_add( &freed_cnt, 1UL, __ATOMIC_RELAXED );
  fd_groove_data_leave( data );
  return NULL;
}

static void
test_double_free( void ) {
  fd_groove_data_t data[1];
  groove_new( data, 1UL );
  pthread_barrier_init( &barrier, NULL, (uint)THREAD_CNT );
  for( ulong round = 0UL; round < 20UL; round++ ) {
    for( ulong i = 0UL; i < SHARED_CNT; i++ )
      shared[i] = (ulong)fd_groove_data_alloc( data, 0UL, 700UL * ( i % 30UL ), 0UL, NULL );
    run_threads( free_all, THREAD_CNT );
  }
  memset( shared, 0, sizeof( shared ) );
  is_ulong( freed_cnt, 20UL * SHARED_CNT, "of racing frees of one object one succeeds" );
  ok( drains( data, 1UL ), "nothing is left" );
}

/* Fills two volumes from several threads: what part of them is live data? */

static ulong live_sz;

static void *
fill( void * arg ) {
  fd_groove_data_t data[1];
  fd_rng_t         rng[1];
  ulong            fails = 0UL;
  join( data, (ulong)arg );
  fd_rng_new( rng, (uint)( seed + (ulong)arg ), 0UL );
  while( fails < 20UL ) {
    ulong sz  = fd_rng_ulong_roll( rng, 1UL << ( 9U + fd_rng_uint_roll( rng, 15U ) ) );
    int   err = 0;
    sz        = fd_ulong_min( sz, 10485760UL );
    if( fd_groove_data_alloc( data, 0UL, sz, 0UL, &err ) )
      __atomic_fetch_add( &live_sz, sz, __ATOMIC_RELAXED );
    else fails++;
    expect( !err || err == FD_GROOVE_ERR_FULL );
  }
  pthread_barrier_wait( &barrier ); /* all hold what they hold when the groove is full */
  fd_groove_data_leave( data );
  return NULL;
}

static void
test_fill( void ) {
  fd_groove_data_t data[1];
  groove_new( data, 2UL );
  pthread_barrier_init( &barrier, NULL, (uint)THREAD_CNT );
  run_threads( fill, THREAD_CNT );
  ulong percent = live_sz * 100UL / ( 2UL << 30 );
  ok( !bad && percent >= 50UL, "a full groove is %lu %% live data", percent );
  ok( verify_all( data, volume0, 2UL ), "and in order" );
  fd_groove_data_leave( data );
}

int
main( int argc, char ** argv ) {
  seed = argc > 1 ? strtoul( argv[1], NULL, 0 ) : (ulong)time( NULL );
  boot_quietly( argv[0] );
  printf( "# seed %lu\n", seed );
  volume0 = volumes_map( VOLUME_CNT );
  test_mix();
  test_double_free();
  test_fill();
  fd_halt();
  return done_testing();
}
