/* Compares allocators on the same workloads: libc, jemalloc, tcmalloc and mimalloc (preloaded into
   a child process each, where installed) with wksp, fd_alloc and groove.  The children of one table
   row set live side by side and run short rounds in turn, so that whatever else the machine does
   hits all alike; what is printed is the best round's CPU time per operation (one allocation and
   one free), absolute and as a ratio to jemalloc's, the peak resident size, and the part of it that
   was not requested bytes.

   Usage: bench_allocators [ROUNDS [WORKLOAD [THREADS]]]   defaults: 15, all, 1 2 8

   BENCH_RECORDED names a file of record_workload.py for the workload "recorded", which is left out
   without it. */

#include "fd/util/valloc/fd_valloc_adapt.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREAD_MAX 8UL
#define LIVE_MAX   1024UL /* blocks a thread has */
#define VOLUME_CNT 8UL
#define WKSP_PAGES 262144UL

typedef struct {
  void * block;
  ulong  sz;
} recorded_block_t;

typedef struct {
  ulong  idx;
  ulong  seed;
  ulong  live_sz; /* requested bytes of the blocks in live */
  void * live[LIVE_MAX];
  ulong  live_szs[LIVE_MAX];
  ulong  op_cnt;
  recorded_block_t * recorded;    /* the workload's blocks, by slot */
  ulong              recorded_sz; /* requested bytes of them */
  fd_valloc_t valloc;
  pthread_t   thread;
} worker_t;

/* Workloads: one operation each, or a whole recording.  The work itself is a word written to the
   block. */

typedef struct {
  char const * name;
  void ( *op )( worker_t * w );
  ulong round_cnt; /* calls of op per thread and round */
  ulong thread_min;
} workload_t;

static worker_t          workers[THREAD_MAX];
static ulong             thread_cnt;
static workload_t const * workload;
static ulong             mailbox[THREAD_MAX][LIVE_MAX] __attribute__((aligned(128)));
static pthread_barrier_t barrier;

static inline ulong
rnd( worker_t * w ) {
  w->seed = w->seed * 6364136223846793005UL + 1442695040888963407UL;
  return w->seed >> 33;
}

static inline void *
block_new( worker_t * w, ulong sz ) {
  ulong * p = (ulong *)fd_valloc_malloc( w->valloc, 16UL, sz );
  if( FD_UNLIKELY( !p ) ) FD_LOG_ERR(( "out of memory" ));
  *p = sz;
  return p;
}

static inline void
replace( worker_t * w, ulong at, ulong sz ) {
  if( w->live[at] ) fd_valloc_free( w->valloc, w->live[at] );
  w->live_sz     += sz - w->live_szs[at];
  w->live_szs[at] = sz;
  w->live[at]     = block_new( w, sz );
}

/* 400 to 4500 bytes, all frees by the thread that allocated. */
static void
op_blocks( worker_t * w ) { replace( w, rnd( w ) % LIVE_MAX, 400UL + rnd( w ) % 4101UL ); }

/* The same, but half of the frees are of what another thread allocated: blocks are swapped with the
   next thread's mailbox. */
static void
op_cross( worker_t * w ) {
  ulong at = rnd( w ) % LIVE_MAX;
  if( rnd( w ) & 1UL ) {
    ulong * box = &mailbox[( w->idx + 1UL ) % thread_cnt][at];
    w->live[at] = (void *)__atomic_exchange_n( box, (ulong)w->live[at], __ATOMIC_ACQ_REL );
  }
  op_blocks( w );
}

/* Even threads only allocate, odd ones only free what their neighbour put into a ring of slots. */
static void
op_pipe( worker_t * w ) {
  ulong * slot = &mailbox[w->idx / 2UL][w->op_cnt++ % LIVE_MAX];
  if( w->idx & 1UL ) {
    ulong p;
    while( !( p = __atomic_exchange_n( slot, 0UL, __ATOMIC_ACQUIRE ) ) ) FD_YIELD();
    fd_valloc_free( w->valloc, (void *)p );
  } else {
    while( __atomic_load_n( slot, __ATOMIC_RELAXED ) ) FD_YIELD();
    void * p = block_new( w, 16UL + rnd( w ) % 2000UL );
    __atomic_store_n( slot, (ulong)p, __ATOMIC_RELEASE ); /* read by the exchange above */
  }
}

/* Many tiny to middling blocks, as programs have them: sizes double with falling probability. */
static void
op_tiny( worker_t * w ) {
  ulong shift = 4UL + (ulong)fd_ulong_find_lsb( rnd( w ) | ( 1UL << 11 ) );
  replace( w, rnd( w ) % LIVE_MAX, ( 1UL << shift ) + rnd( w ) % ( 1UL << shift ) );
}

/* test_groove_data's mix: 0 to 10 MiB, few large. */
static void
op_wide( worker_t * w ) {
  ulong shift = fd_ulong_max( rnd( w ) % 24UL, rnd( w ) % 24UL );
  shift       = fd_ulong_max( shift, rnd( w ) % 24UL );
  replace( w, rnd( w ) % LIVE_MAX, 8UL + rnd( w ) % ( ( 10485760UL >> shift ) + 1UL ) );
}

/* What a real program did; the next event of the recording. */
static uint const * recording; /* slots, events; see record_workload.py */
static ulong        recording_cnt;

static void
recorded_event( worker_t * w, uint event, ulong * slot_next ) {
  if( event & 1U ) {
    recorded_block_t * b = w->recorded + ( event >> 1 );
    fd_valloc_free( w->valloc, b->block );
    w->recorded_sz -= b->sz;
    b->block        = NULL;
    *slot_next      = fd_ulong_min( *slot_next, event >> 1 );
    return;
  }
  while( w->recorded[*slot_next].block ) ( *slot_next )++;
  uchar * p = (uchar *)block_new( w, event >> 1 );
  /* programs use their blocks */
  for( ulong off = 4096UL; off < event >> 1; off += 4096UL ) p[off] = 1;
  w->recorded[*slot_next] = ( recorded_block_t ){ p, event >> 1 };
  w->recorded_sz += event >> 1;
  w->live_sz      = fd_ulong_max( w->live_sz, w->recorded_sz ); /* its highest */
}

static void
op_recorded( worker_t * w ) {
  ulong slot_next = 0UL;
  for( ulong i = 0UL; i < recording_cnt; i++ ) recorded_event( w, recording[1UL + i], &slot_next );
}

static void
recording_load( void ) {
  char const * path = getenv( "BENCH_RECORDED" );
  struct stat  st;
  int          fd = path ? open( path, O_RDONLY | O_CLOEXEC ) : -1;
  if( fd < 0 || fstat( fd, &st ) || st.st_size < 8L ) return;
  void * map = mmap( NULL, (ulong)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0 );
  close( fd );
  if( map == MAP_FAILED ) return;
  recording     = (uint const *)map;
  recording_cnt = (ulong)st.st_size / sizeof( uint ) - 1UL;
}

static recorded_block_t *
recorded_slots( void ) {
  void * mem = mmap( NULL, recording[0] * sizeof( recorded_block_t ), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0 );
  FD_TEST( mem != MAP_FAILED );
  return (recorded_block_t *)mem;
}

static workload_t const workloads[] = {
  { "blocks", op_blocks, 100000UL, 1UL },
  { "cross",  op_cross,  100000UL, 1UL },
  { "pipe",   op_pipe,   50000UL,  2UL },
  { "tiny",   op_tiny,   100000UL, 1UL },
  { "wide",   op_wide,   20000UL,  1UL },
  { "recorded", op_recorded, 1UL,  1UL },
};

/* Allocators, in the child */

static void *
plain_malloc( void * self, ulong align, ulong sz ) {
  (void)self; (void)align;
  return malloc( sz );
}

static void
plain_free( void * self, void * p ) {
  (void)self;
  free( p );
}

static fd_valloc_vtable_t const plain_vtable = { .malloc = plain_malloc, .free = plain_free };

static void
use_plain( void ) {
  for( ulong i = 0UL; i < thread_cnt; i++ )
    workers[i].valloc = ( fd_valloc_t ){ NULL, &plain_vtable };
}

static fd_wksp_t *
wksp_make( void ) {
  fd_wksp_t * wksp =
    fd_wksp_new_anonymous( FD_SHMEM_NORMAL_PAGE_SZ, WKSP_PAGES, 0UL, "bench", 262144UL );
  if( FD_UNLIKELY( !wksp ) ) FD_LOG_ERR(( "no wksp" ));
  return wksp;
}

static void
use_wksp( void ) {
  static fd_wksp_valloc_t self;
  self = ( fd_wksp_valloc_t ){ wksp_make(), 1UL };
  for( ulong i = 0UL; i < thread_cnt; i++ ) workers[i].valloc = fd_wksp_virtual( &self );
}

static void
use_alloc( void ) {
  void * mem = fd_wksp_alloc_laddr( wksp_make(), fd_alloc_align(), fd_alloc_footprint(), 1UL );
  void * shm = fd_alloc_new( mem, 2UL );
  for( ulong i = 0UL; i < thread_cnt; i++ )
    workers[i].valloc = fd_alloc_virtual( fd_alloc_join( shm, i ) );
}

static void
use_groove( void ) {
  static fd_groove_data_shmem_t shdata[1];
  static fd_groove_data_t       joins[THREAD_MAX];
  static fd_groove_valloc_t     selves[THREAD_MAX];
  ulong mem = (ulong)mmap( NULL, ( VOLUME_CNT + 1UL ) << 30, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0 );
  void * volume0 = (void *)fd_ulong_align_up( mem, 1UL << 30 );
  FD_TEST( mem != ULONG_MAX && fd_groove_data_new( shdata ) );
  for( ulong i = 0UL; i < thread_cnt; i++ ) {
    FD_TEST( fd_groove_data_join( joins + i, shdata, volume0, VOLUME_CNT, i ) );
    selves[i]         = ( fd_groove_valloc_t ){ joins + i, i };
    workers[i].valloc = fd_groove_virtual( selves + i );
  }
  FD_TEST( !fd_groove_data_volume_add( joins, volume0, VOLUME_CNT << 30, NULL, 0UL ) );
}

static struct {
  char const * name;
  char const * preload; /* NULL: none */
  void ( *use )( void );
} const allocators[] = { /* the others are compared to the first */
  { "jemalloc", "libjemalloc.so.2",           use_plain  },
  { "libc",     NULL,                         use_plain  },
  { "tcmalloc", "libtcmalloc_minimal.so.4",   use_plain  },
  { "mimalloc", "libmimalloc.so.2",           use_plain  },
  { "wksp",     NULL,                         use_wksp   },
  { "fd_alloc", NULL,                         use_alloc  },
  { "groove",   NULL,                         use_groove },
};

#define ALLOCATOR_CNT ( sizeof( allocators ) / sizeof( allocators[0] ) )
#define WORKLOAD_CNT  ( sizeof( workloads ) / sizeof( workloads[0] ) )

/* The child: a round for every line it is asked. */

static double
cpu_ns( void ) {
  struct timespec t;
  clock_gettime( CLOCK_PROCESS_CPUTIME_ID, &t );
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *
worker_main( void * arg ) {
  worker_t * w = (worker_t *)arg;
  for(;;) {
    pthread_barrier_wait( &barrier );
    for( ulong i = 0UL; i < workload->round_cnt; i++ ) workload->op( w );
    pthread_barrier_wait( &barrier );
  }
  return NULL;
}

static ulong
status_kib( char const * key ) {
  char  line[256];
  ulong kib  = 0UL;
  FILE * file = fopen( "/proc/self/status", "r" );
  while( file && fgets( line, sizeof( line ), file ) )
    if( !strncmp( line, key, strlen( key ) ) ) kib = strtoul( line + strlen( key ), NULL, 10 );
  if( file ) fclose( file );
  return kib;
}

static int
child_main( ulong allocator, ulong which, ulong threads ) {
  char request;
  thread_cnt = threads;
  workload   = workloads + which;
  int  is_recorded = workload->op == op_recorded;
  for( ulong i = 0UL; is_recorded && i < threads; i++ ) workers[i].recorded = recorded_slots();
  ulong op_cnt = is_recorded ? recording_cnt / 2UL : workload->round_cnt;
  ulong base   = status_kib( "VmRSS:" );
  allocators[allocator].use();
  pthread_barrier_init( &barrier, NULL, (uint)threads + 1U );
  for( ulong i = 0UL; i < threads; i++ ) {
    workers[i].idx = i;
    workers[i].seed = 12345UL * ( i + 1UL );
    pthread_create( &workers[i].thread, NULL, worker_main, workers + i );
  }
  while( read( 0, &request, 1UL ) == 1L ) {
    double then = cpu_ns();
    pthread_barrier_wait( &barrier );
    pthread_barrier_wait( &barrier );
    double ns   = ( cpu_ns() - then ) / (double)( threads * op_cnt );
    ulong  live = 0UL;
    if( workload->op == op_pipe ) ns *= 2.; /* each thread does half of an operation */
    for( ulong i = 0UL; i < threads; i++ ) live += workers[i].live_sz;
    dprintf( 1, "%f %lu %lu\n", ns, status_kib( "VmHWM:" ) - base, live >> 10 );
  }
  _exit( 0 );
}

/* The parent */

typedef struct {
  pid_t  pid;
  int    to;
  FILE * from;
  double best_ns;
  ulong  peak_kib;
  ulong  live_kib;
} child_t;

static int
is_installed( char const * preload ) {
  char cmd[128];
  if( !preload ) return 1;
  snprintf( cmd, sizeof( cmd ), "ldconfig -p 2>/dev/null | grep -q '%s '", preload );
  return !system( cmd );
}

static int
child_start( child_t * c, ulong allocator, ulong which, ulong threads ) {
  int  to[2], from[2];
  char args[3][24];
  if( !is_installed( allocators[allocator].preload ) ) return 0;
  if( pipe2( to, 02000000 ) || pipe2( from, 02000000 ) ) return 0;
  snprintf( args[0], sizeof( args[0] ), "%lu", allocator );
  snprintf( args[1], sizeof( args[1] ), "%lu", which );
  snprintf( args[2], sizeof( args[2] ), "%lu", threads );
  c->pid = fork();
  if( !c->pid ) {
    dup2( to[0], 0 );
    dup2( from[1], 1 );
    if( allocators[allocator].preload ) setenv( "LD_PRELOAD", allocators[allocator].preload, 1 );
    execl( "/proc/self/exe", "bench_allocators", "--child", args[0], args[1], args[2], NULL );
    _exit( 127 );
  }
  close( to[0] );
  close( from[1] );
  c->to      = to[1];
  c->from    = fdopen( from[0], "r" );
  c->best_ns = 1e30;
  return 1;
}

static void
child_round( child_t * c ) {
  double ns;
  if( write( c->to, "x", 1UL ) != 1L ||
      fscanf( c->from, "%lf %lu %lu", &ns, &c->peak_kib, &c->live_kib ) != 3 ) {
    c->best_ns = 0.; /* died: shown as such */
    return;
  }
  if( ns < c->best_ns ) c->best_ns = ns;
}

static void
child_print( child_t const * c, ulong allocator, child_t const * reference ) {
  printf( "| %s | %s | %lu ", workload->name, allocators[allocator].name, thread_cnt );
  if( c->best_ns <= 0. ) {
    printf( "| failed | | | |\n" );
    return;
  }
  printf( "| %.1f | ", c->best_ns );
  if( reference->best_ns > 0. ) printf( "%.2f ", c->best_ns / reference->best_ns );
  printf( "| %.1f | %.0f |\n", (double)c->peak_kib / 1024.,
          100. * ( 1. - (double)fd_ulong_min( c->live_kib, c->peak_kib ) / (double)c->peak_kib ) );
  fflush( stdout );
}

static void
compare( ulong which, ulong threads, ulong rounds ) {
  child_t children[ALLOCATOR_CNT];
  int     running[ALLOCATOR_CNT];
  workload   = workloads + which;
  thread_cnt = threads;
  for( ulong a = 0UL; a < ALLOCATOR_CNT; a++ ) {
    memset( children + a, 0, sizeof( child_t ) );
    running[a] = child_start( children + a, a, which, threads );
  }
  for( ulong round = 0UL; round < rounds; round++ )
    for( ulong a = 0UL; a < ALLOCATOR_CNT; a++ )
      if( running[a] && children[a].best_ns > 0. ) child_round( children + a );
  for( ulong a = 0UL; a < ALLOCATOR_CNT; a++ ) {
    if( !running[a] ) continue;
    child_print( children + a, a, children );
    close( children[a].to );
    fclose( children[a].from );
    waitpid( children[a].pid, NULL, 0 );
  }
}

int
main( int argc, char ** argv ) {
  char   path[] = "--log-path", none[] = "";
  char * boot_argv[] = { argv[0], path, none, NULL };
  char ** pargv = boot_argv;
  int     pargc = 3;
  static ulong const threads[] = { 1UL, 2UL, 8UL };
  fd_boot( &pargc, &pargv );
  recording_load();
  if( argc == 5 && !strcmp( argv[1], "--child" ) )
    return child_main( fd_cstr_to_ulong( argv[2] ), fd_cstr_to_ulong( argv[3] ),
                       fd_cstr_to_ulong( argv[4] ) );
  ulong        rounds = argc > 1 ? fd_cstr_to_ulong( argv[1] ) : 15UL;
  char const * only   = argc > 2 ? argv[2] : "all";
  ulong        at     = argc > 3 ? fd_cstr_to_ulong( argv[3] ) : 0UL;
  if( !rounds ) {
    fputs( "usage: bench_allocators [ROUNDS [WORKLOAD|all [THREADS]]]\n", stderr );
    return 2;
  }
  printf( "| workload | allocator | threads | CPU ns per operation | / jemalloc | peak MiB | "
          "%% not requested |\n|---|---|--:|--:|--:|--:|--:|\n" );
  for( ulong w = 0UL; w < WORKLOAD_CNT; w++ )
    for( ulong t = 0UL; t < 3UL; t++ )
      if( ( !strcmp( only, "all" ) || !strcmp( only, workloads[w].name ) ) &&
          ( !at || at == threads[t] ) && threads[t] >= workloads[w].thread_min &&
          ( workloads[w].op != op_recorded || recording ) )
        compare( w, threads[t], rounds );
  fd_halt();
  return 0;
}
