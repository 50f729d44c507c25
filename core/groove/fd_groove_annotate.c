/* Tells a recording about the grooves this process has joined: each is a heap of its own, however
   many joins it has, known in all processes by a UUID made with it.  Without a recording nothing
   here does anything but make the UUID. */

#include "core/groove/fd_groove_private.h"
#include "valtrace/annotate.h"
#include <pthread.h>
#include <sys/random.h>

#define HEAP_MAX 64UL

typedef struct {
  fd_groove_data_shmem_t * shdata;
  void *                   volume0;
  ulong                    join_cnt;
} heap_t;

static heap_t          heaps[HEAP_MAX];
static pthread_mutex_t heaps_lock = PTHREAD_MUTEX_INITIALIZER;

void
gv_heap_new( fd_groove_data_shmem_t * shdata ) {
  if( getrandom( shdata->uuid, sizeof( shdata->uuid ), 0U ) != (long)sizeof( shdata->uuid ) ) {
    shdata->uuid[0] = fd_ulong_hash( (ulong)fd_log_wallclock() );
    shdata->uuid[1] = fd_ulong_hash( fd_log_group_id() ^ (ulong)shdata );
  }
}

/* The entry of (shdata,volume0), or an unused one if there is none; NULL if all are used. */
static heap_t *
heap_find( fd_groove_data_shmem_t * shdata, void * volume0 ) {
  heap_t * unused = NULL;
  for( ulong i = 0UL; i < HEAP_MAX; i++ ) {
    heap_t * h = heaps + i;
    if( h->join_cnt && h->shdata == shdata && h->volume0 == volume0 ) return h;
    if( !h->join_cnt && !unused ) unused = h;
  }
  return unused;
}

/* Bytes of address space the volumes can take. */
static ulong
heap_sz( fd_groove_data_t const * d ) {
  return fd_ulong_min( d->volume_max * FD_GROOVE_VOLUME_FOOTPRINT, ULONG_MAX - (ulong)d->volume0 );
}

void
gv_heap_join( fd_groove_data_t * d ) {
  int first = !__atomic_fetch_add( &d->shdata->join_cnt, 1UL, __ATOMIC_RELAXED );
  if( FD_LIKELY( !vt_annotate_hooks() ) ) return;
  pthread_mutex_lock( &heaps_lock );
  heap_t * h = heap_find( d->shdata, d->volume0 );
  if( h && !h->join_cnt++ ) {
    h->shdata  = d->shdata;
    h->volume0 = d->volume0;
    if( first )
      vt_heap_create( d->volume0, heap_sz( d ), VT_HEAP_GROOVE, "groove", d->shdata->uuid,
                      fd_wksp_containing( d->volume0 ) );
    else
      vt_heap_attach( d->volume0, heap_sz( d ), VT_HEAP_GROOVE, "groove", d->shdata->uuid,
                      fd_wksp_containing( d->volume0 ) );
  }
  pthread_mutex_unlock( &heaps_lock );
}

void
gv_heap_leave( fd_groove_data_t * d ) {
  if( FD_LIKELY( !vt_annotate_hooks() ) ) return;
  pthread_mutex_lock( &heaps_lock );
  heap_t * h = heap_find( d->shdata, d->volume0 );
  if( h && h->join_cnt && !--h->join_cnt ) vt_heap_detach( d->volume0 );
  pthread_mutex_unlock( &heaps_lock );
}

/* Joins that were not left end here. */
void
gv_heap_delete( fd_groove_data_shmem_t * shdata ) {
  if( FD_LIKELY( !vt_annotate_hooks() ) ) return;
  pthread_mutex_lock( &heaps_lock );
  for( ulong i = 0UL; i < HEAP_MAX; i++ )
    if( heaps[i].join_cnt && heaps[i].shdata == shdata ) {
      vt_heap_delete( heaps[i].volume0 );
      heaps[i].join_cnt = 0UL;
    }
  pthread_mutex_unlock( &heaps_lock );
}
