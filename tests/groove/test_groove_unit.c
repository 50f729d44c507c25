/* Groove alone in one thread: keys, the volume pool, errors of free, what a volume holds, that verify notices damage of
   every kind, two mappings of one groove, fork, and repair after a real SIGKILL. */

#include "tests/groove/groove_tests.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static fd_groove_data_shmem_t * shdata;
static fd_groove_volume_t *     volume0;

static void
test_keys( void ) {
  fd_groove_key_t a, b;
  char const *    text = "0123456789abcdefghijklmnopqrstuvwxyz";
  fd_groove_key_init( &a, text, 5UL );
  ok( !memcmp( a.c, "01234\0\0\0", 8UL ) && !a.ul[1] && !a.ul[2] && !a.ul[3], "short keys are padded" );
  ok( fd_groove_key_init( &a, text, 36UL ) == &a && !memcmp( a.c, text, 32UL ), "long ones are cut" );
  fd_groove_key_init_ulong( &b, a.ul[0], a.ul[1], a.ul[2], a.ul[3] );
  ok( fd_groove_key_eq( &a, &b ) == 1, "equal keys" );
  ok( fd_groove_key_hash( &a, 7UL ) == fd_groove_key_hash( &b, 7UL ) &&
      fd_groove_key_hash( &a, 7UL ) != fd_groove_key_hash( &a, 8UL ), "hash depends on key and seed" );
  ulong worst = 64UL;
  int   eq    = 0;
  for( ulong bit = 0UL; bit < 256UL; bit++ ) {
    b = a;
    b.ul[bit / 64UL] ^= 1UL << ( bit % 64UL );
    eq |= fd_groove_key_eq( &a, &b );
    ulong diff = fd_groove_key_hash( &a, 7UL ) ^ fd_groove_key_hash( &b, 7UL );
    worst = fd_ulong_min( worst, (ulong)fd_ulong_popcnt( diff ) );
  }
  ok( !eq, "keys that differ in a bit are not equal" );
  ok( worst >= 12UL, "and their hashes differ in many (least %lu)", worst );
  fd_groove_key_init( &a, NULL, 0UL );
  ok( fd_groove_key_hash( &a, 0UL ) != 0UL, "the empty key's hash is not 0" );
  int distinct = 1;
  for( int i = -6; i <= 1; i++ )
    for( int j = -6; j < i; j++ )
      distinct &= !!strcmp( fd_groove_strerror( i ), fd_groove_strerror( j ) );
  ok( distinct && !strcmp( fd_groove_strerror( 1 ), "unknown" ), "error texts" );
}

static void
test_pool( void ) {
  static fd_groove_volume_pool_shmem_t shmem[1];
  fd_groove_volume_pool_t              pool[1];
  ok( !fd_groove_volume_pool_new( NULL ) && !fd_groove_volume_pool_new( (uchar *)shmem + 64 ) &&
      fd_groove_volume_pool_new( shmem ) == shmem, "pool new" );
  ok( !fd_groove_volume_pool_join( NULL, shmem, volume0, 2UL ) &&
      !fd_groove_volume_pool_join( pool, NULL, volume0, 2UL ) &&
      !fd_groove_volume_pool_join( pool, shmem, NULL, 2UL ) &&
      !fd_groove_volume_pool_join( pool, shmem, volume0->info, 2UL ) &&
      !fd_groove_volume_pool_join( pool, shmem, volume0, 1UL << 34 ), "pool join's errors" );
  ok( fd_groove_volume_pool_join( pool, shmem, NULL, 0UL ) == pool, "a pool of nothing" );
  ok( fd_groove_volume_pool_join( pool, shmem, volume0, 2UL ) == pool &&
      fd_groove_volume_pool_shpool( pool ) == shmem && fd_groove_volume_pool_shele( pool ) == volume0 &&
      fd_groove_volume_pool_ele_max( pool ) == 2UL, "pool join" );
  ok( fd_groove_volume_pool_is_empty( pool ) && !fd_groove_volume_pool_acquire( pool ) &&
      !fd_groove_volume_pool_remove( pool ) && !fd_groove_volume_pool_remove( NULL ), "empty" );
  ok( fd_groove_volume_pool_add( pool, volume0, 3UL << 30, NULL, 0UL ) == FD_GROOVE_ERR_INVAL &&
      fd_groove_volume_pool_add( pool, volume0 - 1, 1UL << 30, NULL, 0UL ) == FD_GROOVE_ERR_INVAL &&
      fd_groove_volume_pool_add( pool, volume0, ULONG_MAX << 30, NULL, 0UL ) == FD_GROOVE_ERR_INVAL &&
      !fd_groove_volume_pool_add( NULL, NULL, 0UL, NULL, 0UL ), "pool add's errors" );
  char info[1000];
  memset( info, 'x', sizeof( info ) );
  ok( !fd_groove_volume_pool_add( pool, volume0, 2UL << 30, info, sizeof( info ) ) &&
      volume0[1].info_sz == 480UL && volume0[1].info[479] == 'x', "info is cut to 480 bytes" );
  ok( fd_groove_volume_pool_peek( pool ) == volume0 && !fd_groove_volume_pool_verify( pool ),
      "lowest on top" );
  volume0[1].next = 0UL;
  ok( fd_groove_volume_pool_verify( pool ) == FD_POOL_ERR_CORRUPT, "a circle is noticed" );
  volume0[1].next = 77UL;
  ok( fd_groove_volume_pool_verify( pool ) == FD_POOL_ERR_CORRUPT, "a link out of the pool too" );
  volume0[1].next = fd_groove_volume_pool_idx_null();
  int good = 1;
  for( ulong i = 0UL; i < 100000UL; i++ ) {
    good &= fd_groove_volume_pool_remove( pool ) == volume0;
    good &= fd_groove_volume_pool_remove( pool ) == volume0 + 1;
    good &= !fd_groove_volume_pool_add( pool, volume0, 2UL << 30, "i", 1UL );
  }
  ok( good && !fd_groove_volume_pool_verify( pool ), "10^5 rounds of add and remove" );
  ok( fd_groove_volume_pool_idx( pool, volume0 + 1 ) == 1UL &&
      fd_groove_volume_pool_idx_is_null( fd_groove_volume_pool_idx( pool, volume0 + 2 ) ) &&
      !fd_groove_volume_pool_ele( pool, 2UL ), "index and pointer" );
  volume0->magic = 5UL;
  ok( !fd_groove_volume_pool_remove( pool ), "a damaged header is not removed" );
  ok( fd_groove_volume_pool_leave( pool ) == pool && !fd_groove_volume_pool_leave( NULL ) &&
      fd_groove_volume_pool_delete( shmem ) == shmem && !fd_groove_volume_pool_delete( shmem ),
      "leave and delete" );
}

static fd_groove_volume_pool_t locked_pool[1];
static ulong                   pool_turns; /* changed by the holder of the lock only */

/* Two of these at a time: volumes change hands while the lock is free, none while it is held. */
static void *
pool_churn( void * arg ) {
  ulong bad = 0UL;
  (void)arg;
  for( ulong i = 0UL; i < 20000UL; i++ ) {
    fd_groove_volume_t * v = fd_groove_volume_pool_acquire( locked_pool );
    if( v ) fd_groove_volume_pool_release( locked_pool, v );
    if( i % 8UL ) continue;
    if( fd_groove_volume_pool_lock( locked_pool, 1 ) ) bad++;
    ulong before = __atomic_load_n( &locked_pool->shpool->ver_top, __ATOMIC_RELAXED );
    pool_turns++;
    fd_groove_volume_t * held = fd_groove_volume_pool_acquire_nolock( locked_pool );
    bad += !fd_groove_volume_pool_lock( locked_pool, 0 );
    bad += !held && before != __atomic_load_n( &locked_pool->shpool->ver_top, __ATOMIC_RELAXED );
    fd_groove_volume_pool_unlock( locked_pool );
    if( held ) fd_groove_volume_pool_release_chain( locked_pool, held, held );
  }
  return (void *)bad;
}

static void
test_pool_lock( void ) {
  static fd_groove_volume_pool_shmem_t shmem[1];
  fd_groove_volume_pool_t *            pool = locked_pool;
  fd_groove_volume_pool_new( shmem );
  fd_groove_volume_pool_join( pool, shmem, volume0, 2UL );
  fd_groove_volume_pool_add( pool, volume0, 2UL << 30, NULL, 0UL );
  ok( !fd_groove_volume_pool_lock( pool, 0 ) && !fd_groove_volume_pool_verify( pool ) &&
      fd_groove_volume_pool_lock( pool, 0 ) == FD_POOL_ERR_AGAIN, "the pool is locked once" );
  ok( fd_groove_volume_pool_peek( pool ) == volume0 &&
      fd_groove_volume_pool_acquire_nolock( pool ) == volume0 &&
      fd_groove_volume_pool_acquire_nolock( pool ) == volume0 + 1 &&
      !fd_groove_volume_pool_acquire_nolock( pool ), "its holder takes volumes" );
  fd_groove_volume_pool_unlock( pool );
  volume0->next = 1UL;
  fd_groove_volume_pool_release_chain( pool, volume0, volume0 + 1 );
  ok( !fd_groove_volume_pool_verify( pool ) && fd_groove_volume_pool_acquire( pool ) == volume0 &&
      fd_groove_volume_pool_acquire( pool ) == volume0 + 1 && fd_groove_volume_pool_is_empty( pool ),
      "a chain comes back in its order" );
  fd_groove_volume_pool_release( pool, volume0 );
  volume0[1].next = 77UL; /* set by release_chain */
  fd_groove_volume_pool_release_chain( pool, volume0 + 1, volume0 + 1 );
  ok( fd_groove_volume_pool_peek( pool ) == volume0 + 1 && volume0[1].next == 0UL, "above what was" );
  pthread_t thread[2];
  void *    bad[2];
  for( int i = 0; i < 2; i++ ) pthread_create( thread + i, NULL, pool_churn, NULL );
  for( int i = 0; i < 2; i++ ) pthread_join( thread[i], bad + i );
  ok( !bad[0] && !bad[1] && pool_turns == 2UL * 2500UL && !fd_groove_volume_pool_verify( pool ),
      "two threads exclude each other" );
  ok( fd_groove_volume_pool_remove( pool ) && fd_groove_volume_pool_remove( pool ) &&
      !fd_groove_volume_pool_remove( pool ), "and lose no volume" );
  fd_groove_volume_pool_add( pool, volume0, 2UL << 30, NULL, 0UL );
  fd_groove_volume_pool_lock( pool, 1 );
  fd_groove_volume_pool_reset( pool );
  ok( fd_groove_volume_pool_is_empty( pool ) && fd_groove_volume_pool_lock( pool, 0 ) &&
      volume0->magic == ~FD_GROOVE_VOLUME_MAGIC, "reset forgets the volumes, untouched" );
  fd_groove_volume_pool_unlock( pool );
  ok( !fd_groove_volume_pool_add( pool, volume0, 2UL << 30, NULL, 0UL ) &&
      !fd_groove_volume_pool_verify( pool ), "they can be added again" );
}

static void
groove_new( fd_groove_data_t * data, ulong volume_cnt ) {
  FD_TEST( fd_groove_data_new( shdata ) );
  FD_TEST( fd_groove_data_join( data, shdata, volume0, 2UL, 0UL ) );
  FD_TEST( !fd_groove_data_volume_add( data, volume0, volume_cnt << 30, NULL, 0UL ) );
}

static void
test_free_errors( void ) {
  fd_groove_data_t data[1];
  groove_new( data, 1UL );
  uchar * p = (uchar *)fd_groove_data_alloc( data, 0UL, 5000UL, 3UL, NULL );
  uchar * q = (uchar *)fd_groove_data_alloc( data, 0UL, 5000UL, 4UL, NULL );
  memset( q, 0x67, 5000UL );
  ok( fd_groove_data_free( data, q + 600 ) == FD_GROOVE_ERR_INVAL, "free of an inner pointer" );
  *(ulong *)( q + 512UL ) = 0xfd67UL | ( 63UL << 16 );
  *(ulong *)( q + 1008UL - 512UL ) = 0xfd67UL | ( 9UL << 22 );
  ok( fd_groove_data_free( data, q + 1024 ) == FD_GROOVE_ERR_INVAL, "free of an imitated header" );
  ok( fd_groove_data_free( data, volume0 ) == FD_GROOVE_ERR_INVAL &&
      fd_groove_data_free( data, volume0->info ) == FD_GROOVE_ERR_INVAL &&
      fd_groove_data_free( data, volume0->data + 16 ) == FD_GROOVE_ERR_INVAL &&
      fd_groove_data_free( data, (uchar *)volume0 - 100 ) == FD_GROOVE_ERR_INVAL,
      "free of what never was an object" );
  ok( !fd_groove_data_free( data, p ) && fd_groove_data_free( data, p ) == FD_GROOVE_ERR_INVAL,
      "second free" );
  ok( verify_all( data, volume0, 1UL ), "all of that changed nothing" );
  fd_groove_data_free( data, q );
  ok( fd_groove_data_volume_remove( data ) == volume0, "the volume comes back" );
  fd_groove_data_leave( data );
}

/* Flips a word, expects verify to notice, and flips it back. */
static void
expect_damage( fd_groove_data_t * data, ulong * word, ulong bits, char const * what ) {
  *word ^= bits;
  ok( !verify_all( data, volume0, 1UL ), "verify notices %s", what );
  *word ^= bits;
}

static void
test_verify( void ) {
  fd_groove_data_t data[1];
  groove_new( data, 1UL );
  uchar * p   = (uchar *)fd_groove_data_alloc( data, 64UL, 1000UL, 3UL, NULL );
  ulong * hdr = (ulong *)fd_groove_data_object_hdr( p );
  ulong   szc = ( hdr[0] >> 22 ) & 127UL;
  ulong * sb  = (ulong *)fd_groove_data_superblock_hdr( p, szc, ( hdr[0] >> 16 ) & 63UL );
  ok( verify_all( data, volume0, 1UL ), "a groove with an object" );
  expect_damage( data, hdr, 1UL, "an object's type" );
  expect_damage( data, hdr, 1UL << 16, "an object's index" );
  expect_damage( data, hdr, 1UL << 22, "an object's class" );
  expect_damage( data, hdr, 1UL << 29, "an align that is no power of two" );
  expect_damage( data, hdr, 1UL << 63, "a size that does not fit" );
  expect_damage( data, sb, 1UL << 22, "a superblock's class" );
  expect_damage( data, sb + 2, 1UL << 62, "a mask with too many objects" );
  expect_damage( data, sb + 2, 1UL << 63, "free objects nobody answers for" );
  expect_damage( data, sb + 2, 2UL, "an object said to be in use" );
  expect_damage( data, &volume0->magic, 1UL, "a volume's magic" );
  expect_damage( data, &volume0->idx, 1UL, "a volume's index" );
  expect_damage( data, &volume0->info_sz, 1UL << 20, "a volume's info_sz" );
  expect_damage( data, &shdata->magic, 1UL, "the groove's magic" );
  expect_damage( data, &data->rec->seq, 1UL, "an interrupted operation" );
  expect_damage( data, &shdata->szc[31].stack[1].off, 1536UL, "a bad offset on a stack" );
  ok( fd_groove_data_verify( NULL ) == FD_GROOVE_ERR_CORRUPT &&
      fd_groove_data_volume_verify( data, NULL ) == FD_GROOVE_ERR_CORRUPT &&
      fd_groove_data_volume_verify( data, volume0 + 7 ) == FD_GROOVE_ERR_CORRUPT, "verify's arguments" );
  ok( verify_all( data, volume0, 1UL ), "undone, all is well" );
  fd_groove_data_leave( data );
}

/* The same memory at another address: only offsets are stored. */
static void
test_relocation( void ) {
  fd_groove_data_t    here[1], there[1];
  fd_groove_volume_t * other = volumes_map( 1UL );
  groove_new( here, 1UL );
  void * p = fd_groove_data_alloc( here, 0UL, 100UL, 1UL, NULL );
  void * moved = mremap( volume0, 0UL, 1UL << 30, MREMAP_MAYMOVE | MREMAP_FIXED, other );
  ok( moved == other, "a second mapping" );
  FD_TEST( fd_groove_data_join( there, shdata, other, 1UL, 1UL ) );
  void * q = fd_groove_data_alloc( there, 0UL, 100UL, 2UL, NULL );
  ok( !fd_groove_data_free( there, (uchar *)p + ( (ulong)other - (ulong)volume0 ) ),
      "an object is freed through the other mapping" );
  ok( !fd_groove_data_free( here, (uchar *)q - ( (ulong)other - (ulong)volume0 ) ), "and back" );
  ok( fd_groove_data_verify( there ) == 0 && verify_all( here, volume0, 1UL ), "both agree" );
  fd_groove_data_leave( there );
  ok( fd_groove_data_volume_remove( here ) == volume0, "nothing is left" );
  fd_groove_data_leave( here );
  munmap( other, 1UL << 30 );
}

/* A child uses its copies of its parent's join while the parent does, too. */
static void
test_fork( void ) {
  fd_groove_data_t data[1];
  int              status, good = 1;
  void *           live[64];
  groove_new( data, 1UL );
  for( ulong i = 0UL; i < 64UL; i++ ) live[i] = fd_groove_data_alloc( data, 0UL, i * 50UL, i, NULL );
  int pid = fork();
  for( ulong i = 0UL; i < 20000UL; i++ ) {
    void * p = fd_groove_data_alloc( data, 0UL, ( i * 37UL ) % 5000UL, i, NULL );
    good &= p && !fd_groove_data_free( data, p );
  }
  if( !pid ) {
    for( ulong i = 0UL; i < 64UL; i += 2UL ) good &= !fd_groove_data_free( data, live[i] );
    fd_groove_data_leave( data );
    _exit( !good );
  }
  waitpid( pid, &status, 0 );
  for( ulong i = 1UL; i < 64UL; i += 2UL ) good &= !fd_groove_data_free( data, live[i] );
  ok( good && !status, "parent and child share a groove" );
  ok( verify_all( data, volume0, 1UL ) && fd_groove_data_volume_remove( data ) == volume0,
      "and all of it comes back" );
  fd_groove_data_leave( data );
}

static void
churn_for_ever( fd_groove_data_t * data, ulong seed ) {
  static void * live[256];
  for( ulong i = seed;; i++ ) {
    void ** at = live + fd_ulong_hash( i ) % 256UL;
    if( *at ) fd_groove_data_free( data, *at );
    *at = fd_groove_data_alloc( data, 0UL, fd_ulong_hash( ~i ) % 60000UL, i, NULL );
  }
}

/* Kills a child at a random time, often: what parents own survives, what it held can be had again. */
static void
test_kill( void ) {
  int   good = 1;
  ulong seed = (ulong)time( NULL );
  printf( "# seed %lu\n", seed );
  for( ulong round = 0UL; round < 60UL && good; round++ ) {
    fd_groove_data_t data[1];
    groove_new( data, 2UL );
    uchar * mine = (uchar *)fd_groove_data_alloc( data, 0UL, 3000UL, round, NULL );
    int     pid  = fork();
    if( !pid ) churn_for_ever( data, seed + round );
    usleep( (uint)( fd_ulong_hash( seed ^ round ) % 2000UL ) );
    kill( pid, SIGKILL );
    waitpid( pid, NULL, 0 );
    for( ulong i = 0UL; i < 100UL; i++ ) /* it is usable before any repair */
      good &= !fd_groove_data_free( data, fd_groove_data_alloc( data, 0UL, 100UL * i, 1UL, NULL ) );
    good &= !fd_groove_data_repair( data, 2UL ) && verify_all( data, volume0, 2UL );
    good &= fd_groove_data_alloc_tag( mine ) == round && !fd_groove_data_free( data, mine );
    fd_groove_data_leave( data );
    for( ulong i = 0UL; i < shdata->rec_hi; i++ ) good &= !shdata->rec[i].owner;
  }
  ok( good, "60 children killed, each time all was in order after a repair" );
}

static void * objs[4096];
static ulong  obj_cnt;

/* Allocates up to max objects of sz bytes; returns how many there were. */
static ulong
fill( fd_groove_data_t * join, ulong sz, ulong max ) {
  ulong  cnt = 0UL;
  void * p;
  for( ; cnt < max && ( p = fd_groove_data_alloc( join, 0UL, sz, 0UL, NULL ) ); cnt++ )
    objs[obj_cnt++] = p;
  return cnt;
}

static void
drain( fd_groove_data_t * join ) {
  while( obj_cnt ) fd_groove_data_free( join, objs[--obj_cnt] );
}

/* What a join keeps of some classes is there for its allocations of others, also when another join
   has freed the objects. */
static void
test_capacity( void ) {
  fd_groove_data_t user[1], cleaner[1];
  fd_groove_data_new( shdata );
  fd_groove_data_join( user, shdata, volume0, 1UL, 0UL );
  fd_groove_data_join( cleaner, shdata, volume0, 1UL, 1UL );
  fd_groove_data_volume_add( user, volume0, FD_GROOVE_VOLUME_FOOTPRINT, NULL, 0UL );
  ulong fresh = fill( user, 10000000UL, 4096UL );
  drain( user );
  for( ulong sz = 64000UL; sz < 600000UL; sz = sz * 4UL / 3UL ) fill( user, sz, 200UL );
  drain( cleaner );
  ulong again = fill( user, 10000000UL, 4096UL );
  ok( fresh > 90UL && again == fresh, "a volume holds %lu large objects, and again %lu", fresh, again );
  drain( user );
  fd_groove_data_leave( cleaner );
  ok( verify_all( user, volume0, 1UL ) && fd_groove_data_volume_remove( user ) == volume0,
      "and is whole when they are freed" );
  fd_groove_data_leave( user );
}

int
main( int argc, char ** argv ) {
  (void)argc;
  boot_quietly( argv[0] );
  volume0 = volumes_map( 2UL );
  shdata  = (fd_groove_data_shmem_t *)mmap( NULL, fd_groove_data_footprint(), PROT_READ | PROT_WRITE,
                                            MAP_SHARED | MAP_ANONYMOUS, -1, 0 );
  test_keys();
  test_pool();
  test_pool_lock();
  test_free_errors();
  test_capacity();
  test_verify();
  test_relocation();
  test_fork();
  test_kill();
  fd_halt();
  return done_testing();
}
