/* Deterministic interleavings of groove's real code: its sources are compiled here with a hook before
   every atomic operation, at which a seeded scheduler may run another of two or three threads (all
   are coroutines of one).  Each round builds a groove in a random state close to full or empty, runs
   a few operations per thread, sometimes kills a thread in the middle, and then checks the result
   with verify, with a walker of its own that knows only the layout, and by freeing everything, after
   which every volume must come back.  Usage: test_groove_interleave [ROUNDS [SEED]]. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static void hook( void );
static void hook_wait( void );
#define FD_GROOVE_HOOK() hook()
#define FD_GROOVE_WAIT() hook_wait()

#include "fd/groove/fd_groove.h"
#include <pthread.h>
#include <unistd.h>

static int  sim_pid( void );
static int  sim_query( ulong pid );
#undef FD_LOG_WARNING /* racing frees are refused on purpose, millions of times */
#define FD_LOG_WARNING( args ) do { if( 0 ) printf args; } while( 0 )
#define getpid() sim_pid()
#define fd_log_group_id_query( pid ) sim_query( pid )

#include "core/groove/fd_groove_base.c"
#include "core/groove/fd_groove_volume.c"
#include "core/groove/fd_groove_szc.c"
#include "core/groove/fd_groove_rec.c"
#include "core/groove/fd_groove_superblock.c"
#undef SLOT_CNT
#define is_shdata data_is_shdata
#define join_error data_join_error
#include "core/groove/fd_groove_data.c"
#include "core/groove/fd_groove_verify.c"
#include "core/groove/fd_groove_repair.c"

#include "tests/groove/coroutine.h"
#include "tests/unit/tap.h"

#define VOLUME_MAX 4UL
#define THREAD_MAX 3UL
#define OBJ_MAX    2048UL
#define STACK_SZ   65536UL
#define OP_MAX     6UL

typedef struct {
  void * sp;
  int    runnable;   /* neither finished nor killed */
  ulong  thread;     /* what fd_groove_thread and thread_pid are while it runs */
  ulong  pid;
  ulong  kill_step;  /* killed at this hook of its own, 0 never */
  ulong  step;
  fd_groove_data_t join[1];
  uchar  stack[STACK_SZ] __attribute__((aligned(16)));
} co_t;

/* An object is put here when alloc returned it and taken out before free is called. */
typedef struct {
  uchar * ptr;
  ulong   sz;
  ulong   tag;
} obj_t;

static fd_groove_data_shmem_t shdata[1];
static uchar *                volume0;
static ulong                  volume_cnt; /* of this round */
static co_t                   co[THREAD_MAX];
static ulong                  co_cnt;
static co_t *                 running; /* NULL outside of a simulation */
static void *                 main_sp;
static ulong                  main_thread;
static ulong                  main_pid = 1000UL;
static ulong                  killed_pid;
static ulong                  switch_mask; /* a hook switches if these bits of a random are 0 */
static obj_t                  objs[OBJ_MAX];
static ulong                  obj_cnt;
static ulong                  tag_next;
static ulong                  alloc_budget; /* allocations that must succeed */
static ulong                  volume_own;   /* bit i: volume i is the test's, not the groove's */
static ulong                  hook_cnt, full_cnt, kill_cnt;

static ulong rng_state;

static ulong
rnd( ulong n ) {
  rng_state += 0x9e3779b97f4a7c15UL;
  return fd_ulong_hash( rng_state ) % n;
}

static ulong round_seed;

static void
fail( char const * what, int line ) {
  printf( "Bail out! round seed %lu: %s (line %d)\n", round_seed, what, line );
  fflush( stdout );
  abort();
}

#define MUST( c ) do { if( !( c ) ) fail( #c, __LINE__ ); } while( 0 )

/* The scheduler */

static int
sim_pid( void ) { return (int)( running ? running->pid : main_pid ); }

static int
sim_query( ulong pid ) { return pid == killed_pid ? FD_LOG_GROUP_ID_QUERY_DEAD : 1; }

/* Runs the coroutine next, or main if NULL, from where it left off. */
static void
switch_to( co_t * next ) {
  co_t * self = running;
  if( next == self ) return;
  *( self ? &self->thread : &main_thread ) = fd_groove_thread;
  running          = next;
  fd_groove_thread = next ? next->thread : main_thread;
  thread_pid       = next ? next->pid : main_pid;
  coroutine_switch( self ? &self->sp : &main_sp, next ? next->sp : main_sp );
}

static co_t *
pick( void ) {
  ulong cnt = 0UL;
  for( ulong i = 0UL; i < co_cnt; i++ ) cnt += (ulong)co[i].runnable;
  if( !cnt ) return NULL;
  ulong at = rnd( cnt );
  for( ulong i = 0UL;; i++ )
    if( co[i].runnable && !at-- ) return co + i;
}

static void
hook( void ) {
  if( !running ) return;
  hook_cnt++;
  if( ++running->step == running->kill_step ) {
    running->runnable = 0;
    killed_pid        = running->pid;
    kill_cnt++;
    switch_to( pick() );
  }
  if( !rnd( switch_mask ) ) switch_to( pick() );
}

/* A waiting thread gives way until somebody else ran. */
static void
hook_wait( void ) {
  if( running ) switch_to( pick() );
}

/* Operations */

static ulong const sizes[] = { 0UL, 100UL, 2500UL, 13000UL, 19000UL, 600000UL, 10485760UL };

static void
obj_check( obj_t const * o ) {
  MUST( fd_groove_data_alloc_sz( o->ptr ) == o->sz );
  MUST( fd_groove_data_alloc_tag( o->ptr ) == o->tag );
  for( ulong i = 0UL; i < fd_ulong_min( o->sz, 8UL ); i++ )
    MUST( o->ptr[i] == (uchar)( o->tag + i ) && o->ptr[o->sz - 1UL - i] == (uchar)( o->tag + i ) );
}

static int
op_alloc( fd_groove_data_t * d, ulong sz ) {
  int   err;
  ulong tag = ++tag_next;
  uchar * p = (uchar *)fd_groove_data_alloc( d, 0UL, sz, tag, &err );
  MUST( !p == !!err );
  if( !p ) {
    MUST( err == FD_GROOVE_ERR_FULL );
    full_cnt++;
    return 0;
  }
  MUST( obj_cnt < OBJ_MAX );
  for( ulong j = 0UL; j < fd_ulong_min( sz, 8UL ); j++ )
    p[j] = p[sz - 1UL - j] = (uchar)( tag + j );
  if( sz < 16UL )
    for( ulong j = 0UL; j < sz; j++ ) p[j] = (uchar)( tag + j );
  objs[obj_cnt++] = (obj_t){ p, sz, tag };
  return 1;
}

/* Takes object i out of the table. */
static void *
obj_pop( ulong i ) {
  obj_check( objs + i );
  void * p = objs[i].ptr;
  objs[i]  = objs[--obj_cnt];
  return p;
}

static void
op_free( fd_groove_data_t * d ) {
  if( obj_cnt ) MUST( !fd_groove_data_free( d, obj_pop( rnd( obj_cnt ) ) ) );
}

/* Nobody is given a volume that somebody has. */
static void
volume_taken( void * v ) {
  ulong bit = 1UL << ( (ulong)( (uchar *)v - volume0 ) >> 30 );
  MUST( !( volume_own & bit ) );
  volume_own |= bit;
}

static void
op_volume_remove( fd_groove_data_t * d ) {
  void * v = fd_groove_data_volume_remove( d );
  if( v ) volume_taken( v );
}

/* Adds one volume, or all that lie side by side. */
static void
op_volume_add( fd_groove_data_t * d ) {
  if( !volume_own ) return;
  ulong idx  = (ulong)fd_ulong_find_lsb( volume_own );
  ulong most = (ulong)fd_ulong_find_lsb( ~( volume_own >> idx ) );
  ulong cnt  = 1UL + rnd( most );
  volume_own &= ~( ( ( 1UL << cnt ) - 1UL ) << idx );
  MUST( !fd_groove_data_volume_add( d, volume0 + ( idx << 30 ), cnt << 30, "info", 4UL ) );
}

static void
op_volume( fd_groove_data_t * d ) {
  ( volume_own ? op_volume_add : op_volume_remove )( d );
}

/* What the threads of this round do. */
enum { MIX, BUDGET, DOUBLE_FREE, VOLUMES, KINDS };
static ulong  kind;
static ulong  kind_cnt[KINDS];
static void * double_ptr;
static ulong  double_ok;

/* What is given back counts again only after free returned. */
static void
op_budget( fd_groove_data_t * d ) {
  if( alloc_budget ) {
    alloc_budget--;
    MUST( op_alloc( d, 100UL ) );
  }
  if( obj_cnt && objs[obj_cnt - 1UL].sz == 100UL && !rnd( 2UL ) ) {
    MUST( !fd_groove_data_free( d, obj_pop( obj_cnt - 1UL ) ) );
    alloc_budget++;
  }
}

/* While the pool is locked nothing changes but by who locked it, who may take volumes.  A killed
   thread would keep the lock for ever, so this is not for rounds that kill. */
static void
op_volume_lock( fd_groove_data_t * d ) {
  if( co[0].kill_step ) return;
  MUST( !fd_groove_volume_pool_lock( d->pool, 1 ) );
  for( ulong cnt = rnd( 3UL ); cnt; cnt-- ) {
    fd_groove_volume_t * v = fd_groove_volume_pool_acquire_nolock( d->pool );
    if( !v ) break;
    v->magic = 0UL;
    volume_taken( v );
  }
  ulong ver_top = shdata->pool.ver_top;
  hook();
  MUST( fd_groove_volume_pool_lock( d->pool, 0 ) == FD_POOL_ERR_AGAIN );
  MUST( !fd_groove_volume_pool_verify( d->pool ) && shdata->pool.ver_top == ver_top );
  fd_groove_volume_pool_unlock( d->pool );
}

/* Volumes come and go, by hand and as the first and last object in them do. */
static void
op_volumes( fd_groove_data_t * d ) {
  ulong what = rnd( 16UL );
  if( what < 7UL )        op_volume_remove( d );
  else if( what == 7UL )  op_volume_lock( d );
  else if( what < 14UL )  op_volume_add( d );
  else if( what == 14UL ) op_alloc( d, 10485760UL );
  else                    op_free( d );
}

static void
thread_ops( fd_groove_data_t * d ) {
  if( kind == DOUBLE_FREE ) {
    double_ok += !fd_groove_data_free( d, double_ptr );
    return;
  }
  for( ulong op = 1UL + rnd( kind == VOLUMES ? 3UL * OP_MAX : OP_MAX ); op; op-- ) {
    if( kind == BUDGET || kind == VOLUMES ) {
      ( kind == BUDGET ? op_budget : op_volumes )( d );
      continue;
    }
    ulong what = rnd( 16UL );
    if( what < 8UL )       op_alloc( d, sizes[rnd( sizeof( sizes ) / sizeof( sizes[0] ) )] );
    else if( what < 15UL ) op_free( d );
    else                   op_volume( d );
  }
}

static void
thread_main( void ) {
  co_t * self = running;
  thread_ops( self->join );
  if( !rnd( 2UL ) ) {
    fd_groove_data_leave( self->join );
    MUST( fd_groove_data_join( self->join, shdata, volume0, volume_cnt, rnd( 8UL ) ) );
  }
  self->runnable = 0;
  switch_to( pick() );
  fail( "a finished thread ran", __LINE__ );
}

/* States to start from */

/* Fills all volumes with 10 MiB objects and frees cnt of them. */
static void
fill( fd_groove_data_t * d, ulong cnt ) {
  while( op_alloc( d, 10485760UL ) );
  while( cnt-- ) op_free( d );
}

/* Frees the newest cnt objects of size sz. */
static void
free_some( fd_groove_data_t * d, ulong sz, ulong cnt ) {
  for( ulong i = obj_cnt; i && cnt; i-- )
    if( objs[i - 1UL].sz == sz ) {
      MUST( !fd_groove_data_free( d, obj_pop( i - 1UL ) ) );
      cnt--;
    }
  MUST( !cnt );
}

/* Leaves room for few objects of 100 B and nothing else, and says for how many: free ones of one
   superblock, or one free object that such a superblock can be made of. */
static ulong
fill_but_few( fd_groove_data_t * d ) {
  ulong cnt = rnd( 3UL ) ? 1UL + rnd( 4UL ) : 0UL;
  op_alloc( d, 100UL );
  op_alloc( d, 27000UL );
  fill( d, 0UL );
  for( ulong i = 0UL; i < sizeof( sizes ) / sizeof( sizes[0] ); i++ ) {
    ulong sz = 1UL << ( 23UL - 2UL * i );
    while( sz > 1024UL && op_alloc( d, sz ) );
  }
  while( op_alloc( d, 100UL ) );
  free_some( d, 100UL, cnt );
  if( cnt ) return cnt;
  free_some( d, 27000UL, 1UL );
  return fd_groove_data_szc_cfg[0].obj_cnt;
}

static void
start_state( fd_groove_data_t * d ) {
  ulong state = rnd( 4UL );
  if( kind == BUDGET ) {
    alloc_budget = fill_but_few( d );
    return;
  }
  if( kind == VOLUMES ) return;
  if( state == 0UL ) fill( d, rnd( 4UL ) );
  for( ulong i = rnd( 3UL * state + 1UL ); i; i-- ) op_alloc( d, sizes[rnd( 5UL )] );
  if( kind == DOUBLE_FREE ) {
    if( !obj_cnt ) op_alloc( d, sizes[rnd( 3UL )] );
    double_ptr = obj_pop( rnd( obj_cnt ) );
    double_ok  = 0UL;
  }
}

/* Checks */

static ulong walk_listed, walk_alloc;

/* Counts what the masks under the superblock at off say, from the documented layout alone. */
static void
walk( uchar const * sb, ulong szc ) {
  fd_groove_data_szc_cfg_t const * cfg  = fd_groove_data_szc_cfg + szc;
  ulong                            mask = ( (ulong const *)sb )[2];
  walk_listed += !!( mask << 1 ) || ( mask >> 63 );
  MUST( !( mask << 1 ) || ( mask >> 63 ) );
  for( ulong i = 0UL; i < cfg->obj_cnt; i++ ) {
    uchar const * obj = sb + 512UL + i * cfg->obj_footprint;
    ulong         hdr = ( (ulong const *)obj )[0];
    if( ( mask >> i ) & 1UL ) continue;
    MUST( ( ( hdr >> 16 ) & 63UL ) == i );
    if( ( hdr & 0xffffUL ) == FD_GROOVE_DATA_HDR_TYPE_SUPERBLOCK ) walk( obj, ( hdr >> 22 ) & 127UL );
    else {
      MUST( ( hdr & 0xffffUL ) == FD_GROOVE_DATA_HDR_TYPE_ALLOC );
      walk_alloc++;
    }
  }
}

/* Superblocks that slots and stacks refer to. */
static ulong
count_listed( void ) {
  ulong cnt = 0UL;
  for( ulong i = 0UL; i < shdata->rec_hi; i++ )
    for( ulong s = 0UL; s < FD_GROOVE_DATA_PRIVATE_SLOT_SZC_CNT; s++ )
      for( ulong k = 0UL; k < FD_GROOVE_DATA_PRIVATE_SLOT_CNT; k++ )
        cnt += !!shdata->rec[i].slot[s][k];
  for( ulong s = 0UL; s < FD_GROOVE_DATA_SZC_CNT; s++ )
    for( ulong k = 0UL; k < 2UL; k++ )
      for( ulong off = shdata->szc[s].stack[k].off; off; off = ( (ulong *)( volume0 + off ) )[1] ) {
        MUST( cnt < 100000UL );
        cnt++;
      }
  return cnt;
}

static ulong
check_state( fd_groove_data_t const * d ) {
  MUST( !fd_groove_data_verify( d ) );
  walk_listed = walk_alloc = 0UL;
  for( ulong i = 0UL; i < volume_cnt; i++ ) {
    fd_groove_volume_t const * v = (fd_groove_volume_t const *)( volume0 + ( i << 30 ) );
    if( ( volume_own >> i ) & 1UL ) continue;
    MUST( !fd_groove_data_volume_verify( d, v ) );
    if( v->magic == FD_GROOVE_VOLUME_MAGIC ) walk( v->data, 31UL );
  }
  MUST( walk_listed == count_listed() );
  for( ulong i = 0UL; i < obj_cnt; i++ ) obj_check( objs + i );
  return walk_alloc - obj_cnt;
}

/* Frees whatever has a header and is not the test's: what a killed thread was about to return. */
static void
free_orphans( fd_groove_data_t * d, uchar * sb, ulong szc ) {
  fd_groove_data_szc_cfg_t const * cfg  = fd_groove_data_szc_cfg + szc;
  ulong                            mask = ( (ulong const *)sb )[2];
  for( ulong i = 0UL; i < cfg->obj_cnt; i++ ) {
    uchar * obj = sb + 512UL + i * cfg->obj_footprint;
    ulong   hdr = ( (ulong const *)obj )[0];
    if( ( mask >> i ) & 1UL ) continue;
    if( ( hdr & 0xffffUL ) == FD_GROOVE_DATA_HDR_TYPE_SUPERBLOCK )
      free_orphans( d, obj, ( hdr >> 22 ) & 127UL );
    else if( ( hdr & 0xffffUL ) == FD_GROOVE_DATA_HDR_TYPE_ALLOC )
      MUST( !fd_groove_data_free( d, obj + 16 ) );
    if( ( (fd_groove_volume_t *)fd_ulong_align_dn( (ulong)sb, 1UL << 30 ) )->magic !=
        FD_GROOVE_VOLUME_MAGIC ) return;
  }
}

static void
check_drains( fd_groove_data_t * d, int orphans ) {
  while( obj_cnt ) MUST( !fd_groove_data_free( d, obj_pop( obj_cnt - 1UL ) ) );
  for( ulong i = 0UL; orphans && i < volume_cnt; i++ ) {
    fd_groove_volume_t * v = (fd_groove_volume_t *)( volume0 + ( i << 30 ) );
    if( v->magic == FD_GROOVE_VOLUME_MAGIC ) free_orphans( d, v->data, 31UL );
  }
  for( ulong i = 0UL; i < co_cnt; i++ ) {
    main_pid = co[i].pid; /* leave looks whether it is in the process that joined */
    if( co[i].pid != killed_pid ) fd_groove_data_leave( co[i].join );
  }
  main_pid = 1000UL;
  for( uchar * v; ( v = (uchar *)fd_groove_data_volume_remove( d ) ); )
    volume_own |= 1UL << ( (ulong)( v - volume0 ) >> 30 );
  MUST( volume_own == ( 1UL << volume_cnt ) - 1UL );
  MUST( !count_listed() );
}

/* Rounds */

static void
round_init( fd_groove_data_t * d ) {
  killed_pid = 0UL;
  ulong which = rnd( 16UL );
  kind        = which < 8UL ? MIX : which < 12UL ? VOLUMES : which < 15UL ? BUDGET : DOUBLE_FREE;
  volume_cnt  = kind == VOLUMES ? 1UL + rnd( VOLUME_MAX ) : 2UL;
  volume_own  = ( 1UL << volume_cnt ) - 1UL;
  kind_cnt[kind]++;
  MUST( fd_groove_data_new( shdata ) );
  MUST( fd_groove_data_join( d, shdata, volume0, volume_cnt, 7UL ) );
  for( ulong n = kind == MIX || kind == VOLUMES ? rnd( volume_cnt + 1UL ) : 1UL; n; n-- )
    op_volume_add( d );
  start_state( d );
  if( rnd( 2UL ) ) {
    fd_groove_data_leave( d );
    fd_groove_data_join( d, shdata, volume0, volume_cnt, 7UL );
  }
}

static void
threads_init( void ) {
  int kill    = ( kind == MIX || kind == VOLUMES ) && !rnd( 4UL );
  co_cnt      = 2UL + rnd( THREAD_MAX - 1UL );
  switch_mask = 1UL << ( 1UL + rnd( 5UL ) );
  for( ulong i = 0UL; i < co_cnt; i++ ) {
    co[i].runnable  = 1;
    co[i].thread    = 0UL;
    co[i].pid       = 2000UL + i;
    co[i].step      = 0UL;
    co[i].kill_step = kill && !i ? 1UL + rnd( 100UL ) : 0UL;
    fd_asan_unpoison( co[i].stack, STACK_SZ ); /* a killed thread left its frames */
    co[i].sp        = coroutine_new( co[i].stack + STACK_SZ, thread_main );
    MUST( fd_groove_data_join( co[i].join, shdata, volume0, volume_cnt, rnd( 4UL ) ) );
  }
}

static void
round_run( ulong seed ) {
  fd_groove_data_t d[1];
  round_seed = rng_state = seed;
  round_init( d );
  threads_init();
  switch_to( pick() );
  if( kind == DOUBLE_FREE ) MUST( double_ok == 1UL );
  if( killed_pid ) {
    for( ulong i = 0UL; i < volume_cnt; i++ ) /* volumes the dead took are still the test's to give */
      if( ( volume_own >> i ) & 1UL ) *(ulong *)( volume0 + ( i << 30 ) ) = 0UL;
    MUST( !fd_groove_data_repair( d, volume_cnt ) );
    volume_own = 0UL;
    for( ulong i = 0UL; i < volume_cnt; i++ )
      if( !*(ulong *)( volume0 + ( i << 30 ) ) ) volume_own |= 1UL << i;
    MUST( check_state( d ) <= 1UL );
  } else MUST( !check_state( d ) );
  check_drains( d, !!killed_pid );
}

int
main( int argc, char ** argv ) {
#if defined( __SANITIZE_THREAD__ ) || !defined( __x86_64__ )
  puts( "1..0 # SKIP one thread with stacks of its own" );
  return argc == 0 || !argv;
#endif
  ulong rounds = argc > 1 ? strtoul( argv[1], NULL, 0 ) : 20000UL;
  ulong seed   = argc > 2 ? strtoul( argv[2], NULL, 0 ) : (ulong)time( NULL ) << 24;
  void * mem   = mmap( NULL, ( VOLUME_MAX + 1UL ) << 30, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0 );
  if( mem == MAP_FAILED ) fail( "mmap", __LINE__ );
  volume0 = (uchar *)fd_ulong_align_up( (ulong)mem, 1UL << 30 );
  printf( "# seeds %lu ... %lu\n", seed, seed + rounds - 1UL );
  for( ulong i = 0UL; i < rounds; i++ ) round_run( seed + i );
  ok( 1, "%lu interleavings", rounds );
  ok( full_cnt && kill_cnt, "%lu allocations found it full, %lu threads were killed", full_cnt, kill_cnt );
  printf( "# rounds: %lu mixed, %lu close to full, %lu double frees, %lu of volumes\n", kind_cnt[MIX],
          kind_cnt[BUDGET], kind_cnt[DOUBLE_FREE], kind_cnt[VOLUMES] );
  printf( "# %lu scheduling points\n", hook_cnt );
  return done_testing();
}
