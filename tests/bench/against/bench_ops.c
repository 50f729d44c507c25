/* One operation of the allocators again and again: CPU nanoseconds per operation on standard
   output.  tests/bench/against/bench links this file with the libfd.a of two commits.

   Usage: bench_ops WORKLOAD [ROUNDS]   the least of ROUNDS (default 9) rounds is printed

   groove-large     replace one of 64 objects of 64 to 500 kB
   groove-2threads  replace one of 1,024 objects of up to 64 KiB, on each of two threads
   treap-used       insert or remove a random one of 1,000 ranges, then query an address
   treap-free       the same in the index by size */

#include "fd/groove/fd_groove.h"
#include "fd/util/fd_util.h"
#include "fd/util/wksp/fd_wksp_private.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define LIVE_MAX 1024UL
#define REC_CNT  1000UL
#define VOLUMES  8UL

typedef struct {
  fd_groove_data_t join[1];
  void *           live[LIVE_MAX];
  ulong            live_cnt;
  ulong            sz_min;
  ulong            sz_range;
  ulong            seed;
  ulong            op_cnt;
  double           ns; /* CPU time of the round */
} worker_t;

static fd_groove_data_shmem_t shdata[1];
static void *                 volumes;
static fd_wksp_t *            wksp;
static ulong                  seed = 1UL;

static double
cpu_ns( void ) {
  struct timespec ts;
  clock_gettime( CLOCK_THREAD_CPUTIME_ID, &ts );
  return 1e9 * (double)ts.tv_sec + (double)ts.tv_nsec;
}

static inline ulong
rnd( ulong * s ) {
  *s = *s * 6364136223846793005UL + 1442695040888963407UL;
  return *s >> 33;
}

/* groove */

static void
groove_make( void ) {
  ulong sz = ( VOLUMES + 1UL ) * FD_GROOVE_VOLUME_FOOTPRINT;
  char * m = (char *)mmap( NULL, sz, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0 );
  volumes  = (void *)fd_ulong_align_up( (ulong)m, FD_GROOVE_VOLUME_ALIGN );
  fd_groove_data_new( shdata );
}

static void
worker_join( worker_t * w, ulong idx, ulong live_cnt, ulong sz_min, ulong sz_max, ulong op_cnt ) {
  *w          = ( worker_t ){ .live_cnt = live_cnt, .sz_min = sz_min, .op_cnt = op_cnt };
  w->sz_range = sz_max - sz_min + 1UL;
  w->seed     = idx + 7UL;
  FD_TEST( fd_groove_data_join( w->join, shdata, volumes, VOLUMES, idx ) );
}

static void *
worker_round( void * arg ) {
  worker_t * w  = (worker_t *)arg;
  double     t0 = cpu_ns();
  for( ulong i = 0UL; i < w->op_cnt; i++ ) {
    ulong at = rnd( &w->seed ) % w->live_cnt;
    if( w->live[at] ) fd_groove_data_free( w->join, w->live[at] );
    w->live[at] = fd_groove_data_alloc( w->join, 0UL, w->sz_min + rnd( &w->seed ) % w->sz_range,
                                        1UL, NULL );
    if( FD_UNLIKELY( !w->live[at] ) ) FD_LOG_ERR(( "full" ));
  }
  w->ns = cpu_ns() - t0;
  return NULL;
}

static double
groove_large( int first ) {
  static worker_t w;
  if( first ) {
    groove_make();
    worker_join( &w, 0UL, 64UL, 64000UL, 500000UL, 200000UL );
    FD_TEST( !fd_groove_data_volume_add( w.join, volumes, VOLUMES * FD_GROOVE_VOLUME_FOOTPRINT,
                                         NULL, 0UL ) );
  }
  worker_round( &w );
  return w.ns / (double)w.op_cnt;
}

static double
groove_2threads( int first ) {
  static worker_t  w[2];
  static pthread_t thread[2];
  if( first ) {
    groove_make();
    for( ulong i = 0UL; i < 2UL; i++ ) worker_join( w + i, i, LIVE_MAX, 1UL, 65536UL, 400000UL );
    FD_TEST( !fd_groove_data_volume_add( w->join, volumes, VOLUMES * FD_GROOVE_VOLUME_FOOTPRINT,
                                         NULL, 0UL ) );
  }
  for( ulong i = 0UL; i < 2UL; i++ ) pthread_create( thread + i, NULL, worker_round, w + i );
  for( ulong i = 0UL; i < 2UL; i++ ) pthread_join( thread[i], NULL );
  return ( w[0].ns + w[1].ns ) / (double)( w[0].op_cnt + w[1].op_cnt );
}

/* The bare treaps */

static void
treap_make( int by_size ) {
  wksp = fd_wksp_new_anonymous( FD_SHMEM_NORMAL_PAGE_SZ, 4096UL, 0UL, "bench", REC_CNT + 8UL );
  FD_TEST( wksp );
  fd_wksp_private_pinfo_t * p  = fd_wksp_private_pinfo( wksp );
  ulong                     lo = wksp->gaddr_lo;
  wksp->part_used_cidx = wksp->part_free_cidx =
    fd_wksp_private_pinfo_cidx( FD_WKSP_PRIVATE_PINFO_IDX_NULL );
  for( ulong i = 0UL; i < REC_CNT; i++ ) {
    p[i].gaddr_lo  = lo + ( by_size ? 0UL : i * 64UL );
    p[i].gaddr_hi  = p[i].gaddr_lo + 1UL + rnd( &seed ) % ( by_size ? 4000UL : 64UL );
    p[i].heap_prio = (uint)rnd( &seed ) & 0x7fffffffU;
  }
}

/* An index: how a record goes in and out, and what is asked of it. */
typedef struct {
  int ( *insert )( ulong, fd_wksp_t *, fd_wksp_private_pinfo_t * );
  int ( *remove )( ulong, fd_wksp_t *, fd_wksp_private_pinfo_t * );
  ulong ( *query )( ulong, fd_wksp_t *, fd_wksp_private_pinfo_t * );
  ulong key_min;
  ulong key_cnt;
} treap_t;

static double
treap_round( treap_t const * index ) {
  static uchar              in[REC_CNT];
  fd_wksp_private_pinfo_t * p   = fd_wksp_private_pinfo( wksp );
  ulong                     cnt = 1000000UL;
  ulong                     sum = 0UL;
  double                    t0  = cpu_ns();
  for( ulong n = 0UL; n < cnt; n++ ) {
    ulong i = rnd( &seed ) % REC_CNT;
    FD_TEST( !( in[i] ? index->remove : index->insert )( i, wksp, p ) );
    in[i] ^= 1;
    sum += index->query( index->key_min + rnd( &seed ) % index->key_cnt, wksp, p );
  }
  FD_COMPILER_FORGET( sum );
  return ( cpu_ns() - t0 ) / (double)cnt;
}

static double
treap_used( int first ) {
  if( first ) treap_make( 0 );
  return treap_round( &(treap_t){ fd_wksp_private_used_treap_insert,
                                  fd_wksp_private_used_treap_remove,
                                  fd_wksp_private_used_treap_query, wksp->gaddr_lo,
                                  REC_CNT * 64UL } );
}

static double
treap_free( int first ) {
  if( first ) treap_make( 1 );
  return treap_round( &(treap_t){ fd_wksp_private_free_treap_insert,
                                  fd_wksp_private_free_treap_remove,
                                  fd_wksp_private_free_treap_query, 0UL, 4000UL } );
}

static struct {
  char const * name;
  double ( *round )( int first );
} const workloads[] = { { "groove-large", groove_large },
                        { "groove-2threads", groove_2threads },
                        { "treap-used", treap_used },
                        { "treap-free", treap_free } };

int
main( int argc, char ** argv ) {
  fd_boot( &argc, &argv );
  ulong rounds = argc > 2 ? fd_cstr_to_ulong( argv[2] ) : 9UL;
  for( ulong i = 0UL; argc > 1 && i < sizeof( workloads ) / sizeof( *workloads ); i++ ) {
    if( strcmp( workloads[i].name, argv[1] ) ) continue;
    double best = workloads[i].round( 1 );
    for( ulong r = 1UL; r < rounds; r++ ) {
      double ns = workloads[i].round( 0 );
      best      = ns < best ? ns : best;
    }
    printf( "%.2f\n", best );
    fd_halt();
    return 0;
  }
  FD_LOG_ERR(( "usage: bench_ops groove-large|groove-2threads|treap-used|treap-free [ROUNDS]" ));
}
