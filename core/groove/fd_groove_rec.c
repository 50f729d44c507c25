/* Records: the part of the shared state that one operation at a time owns.  A join takes a record
   at its first operation and keeps it, bound to the thread that did it, so that the hot path has no
   ownership to negotiate; every other case (more joins than records, a join used by another thread
   or after fork) borrows one of the remaining records for the length of one operation. */

#include "core/groove/fd_groove_private.h"
#include <pthread.h>
#include <unistd.h>

#define KEPT_CNT FD_GROOVE_DATA_PRIVATE_REC_KEPT_CNT
#define REC_CNT  FD_GROOVE_DATA_PRIVATE_REC_CNT

/* Names the calling thread in its process; 0 until its first operation.  A forked child gets a new
   name, so that it does not mistake the records of its parent's joins for its own. */
FD_TL ulong fd_groove_thread;

static FD_TL ulong thread_pid;
static ulong       thread_cnt;

static void
after_fork( void ) { fd_groove_thread = 0UL; }

static void
watch_fork( void ) { pthread_atfork( NULL, NULL, after_fork ); }

ulong
fd_groove_thread_new( void ) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once( &once, watch_fork );
  thread_pid       = (ulong)getpid();
  fd_groove_thread = __atomic_add_fetch( &thread_cnt, 1UL, __ATOMIC_RELAXED );
  return fd_groove_thread;
}

/* The record must count before its hazard can matter, hence before the operation goes on. */
static void
raise_rec_hi( fd_groove_data_shmem_t * shdata, ulong cnt ) {
  ulong hi = gv_load_sc( &shdata->rec_hi );
  while( hi < cnt && !gv_cas( &shdata->rec_hi, &hi, cnt ) );
}

/* Takes record idx if it is unused: 1 if it is the caller's now. */
int
gv_rec_try( fd_groove_data_t * d, ulong idx ) {
  fd_groove_data_private_rec_t * rec   = d->shdata->rec + idx;
  ulong                          owner = 0UL;
  if( gv_peek( &rec->owner ) || !gv_cas( &rec->owner, &owner, thread_pid ) ) return 0;
  raise_rec_hi( d->shdata, idx + 1UL );
  return 1;
}

/* Takes record idx from a dead process.  Its slots are valid at every instruction of their owner;
   what else it held is unreachable until a repair. */
static int
rec_inherit( fd_groove_data_t * d, ulong idx ) {
  fd_groove_data_private_rec_t * rec   = d->shdata->rec + idx;
  ulong                          owner = gv_peek( &rec->owner );
  if( !owner || fd_log_group_id_query( owner ) != FD_LOG_GROUP_ID_QUERY_DEAD ||
      !gv_cas( &rec->owner, &owner, thread_pid ) ) return 0;
  gv_store( &rec->hazard, 0UL );
  gv_store_sc( &rec->seq, ( gv_peek( &rec->seq ) + 1UL ) & ~1UL );
  return 1;
}

/* Takes the first obtainable record of the cnt ones from lo, looking from hint on; NULL if none. */
static fd_groove_data_private_rec_t *
rec_find( fd_groove_data_t * d, ulong lo, ulong cnt,
          int ( *take )( fd_groove_data_t * d, ulong idx ) ) {
  for( ulong i = 0UL; i < cnt; i++ ) {
    ulong idx = lo + ( d->cgroup_hint + i ) % cnt;
    if( take( d, idx ) ) return d->shdata->rec + idx;
  }
  return NULL;
}

/* Makes the calling thread the one that keeps a record with d. */
static void
join_bind( fd_groove_data_t * d ) {
  fd_groove_data_private_rec_t * rec = rec_find( d, 0UL, KEPT_CNT, gv_rec_try );
  if( !rec ) rec = rec_find( d, 0UL, KEPT_CNT, rec_inherit );
  d->pid = thread_pid;
  d->rec = rec;
}

fd_groove_data_private_rec_t *
gv_rec_enter_slow( fd_groove_data_t * d ) {
  ulong self    = fd_groove_thread ? fd_groove_thread : fd_groove_thread_new();
  ulong unbound = 0UL;
  if( gv_cas( &d->thread, &unbound, self ) ) {
    join_bind( d );
    if( d->rec ) return d->rec;
  }
  for(;;) {
    fd_groove_data_private_rec_t * rec = rec_find( d, KEPT_CNT, REC_CNT - KEPT_CNT, gv_rec_try );
    if( !rec ) rec = rec_find( d, KEPT_CNT, REC_CNT - KEPT_CNT, rec_inherit );
    if( rec ) return rec;
    FD_GROOVE_WAIT(); /* all borrowers are in the middle of an operation */
  }
}
