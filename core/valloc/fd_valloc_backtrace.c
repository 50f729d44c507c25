/* The allocator that logs.  The stack and the names of its frames are looked up before the lock is
   taken, because the dynamic loader has locks of its own; under the lock a record is only put
   together and written, so that it is contiguous. */

#include "fd/util/valloc/fd_valloc.h"
#include "fd/util/log/fd_log.h"

#if FD_HAS_HOSTED

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define FRAME_MAX 128

typedef struct {
  char const * object; /* NULL or "": unknown */
  char const * symbol; /* NULL: none, base is the object's */
  ulong        addr;
  ulong        base;
  int          has_base;
} frame_t;

/* The bytes of a record on their way to stdout. */
typedef struct {
  ulong used;
  int   err;
  char  buf[4096];
} out_t;

static uint  lock_word;
static out_t out[1]; /* of the holder of the lock */

static void
lock( void ) {
  while( __atomic_exchange_n( &lock_word, 1U, __ATOMIC_ACQUIRE ) ) /* releases in unlock */
    while( __atomic_load_n( &lock_word, __ATOMIC_RELAXED ) ) FD_SPIN_PAUSE();
}

static void
unlock( void ) { __atomic_store_n( &lock_word, 0U, __ATOMIC_RELEASE ); }

/* A child forked in the middle of another thread's record would find the lock taken for ever. */
static void
watch_fork( void ) { pthread_atfork( lock, unlock, unlock ); }

static void
out_flush( void ) {
  for( ulong done = 0UL; done < out->used && !out->err; ) {
    long sz = write( STDOUT_FILENO, out->buf + done, out->used - done );
    if( FD_LIKELY( sz >= 0L ) ) {
      done += (ulong)sz;
    } else if( errno == EAGAIN ) {
      struct pollfd ready = { .fd = STDOUT_FILENO, .events = POLLOUT };
      poll( &ready, 1, -1 );
    } else if( errno != EINTR ) {
      out->err = errno;
    }
  }
  out->used = 0UL;
}

static void
out_cstr( char const * cstr ) {
  for( ; *cstr; cstr++ ) {
    if( FD_UNLIKELY( out->used == sizeof( out->buf ) ) ) out_flush();
    out->buf[out->used++] = *cstr;
  }
}

static void
out_hex( char const * prefix, ulong value, char const * suffix ) {
  char digits[32];
  snprintf( digits, sizeof( digits ), "%s%lx%s", prefix, value, suffix );
  out_cstr( digits );
}

/* One line, as backtrace_symbols_fd has it: object(symbol+0xoffset)[0xaddress]. */
static void
out_frame( frame_t const * frame ) {
  if( frame->object && frame->object[0] ) {
    out_cstr( frame->object );
    if( frame->has_base ) {
      int before = frame->addr < frame->base;
      out_cstr( "(" );
      if( frame->symbol ) out_cstr( frame->symbol );
      out_hex( before ? "-0x" : "+0x",
               before ? frame->base - frame->addr : frame->addr - frame->base, ")" );
    }
  }
  out_hex( "[0x", frame->addr, "]\n" );
}

static void
frame_lookup( frame_t * frame, void * addr ) {
  Dl_info           info;
  struct link_map * map = NULL;
  *frame = (frame_t){ .addr = (ulong)addr };
  if( !dladdr1( addr, &info, (void **)&map, RTLD_DL_LINKMAP ) ) return;
  frame->object   = info.dli_fname;
  frame->symbol   = info.dli_sname;
  frame->base     = info.dli_sname ? (ulong)info.dli_saddr : map ? (ulong)map->l_addr : 0UL;
  frame->has_base = info.dli_sname || frame->base;
}

/* Writes the record whose first line is head and then the count of trace; head_fmt ends it. */
static void
record( char const * kind, char const * rest, void * const * trace, int cnt ) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  frame_t               frames[FRAME_MAX];
  char                  head[32];
  pthread_once( &once, watch_fork );
  for( int i = 0; i < cnt; i++ ) frame_lookup( frames + i, trace[i] );
  snprintf( head, sizeof( head ), "+++ %s:%d:", kind, cnt );

  lock();
  out_cstr( head );
  out_cstr( rest );
  for( int i = 0; i < cnt; i++ ) out_frame( frames + i );
  out_cstr( "---\n" );
  out_flush();
  int err = out->err;
  unlock();
  if( FD_UNLIKELY( err ) ) FD_LOG_ERR(( "writing a backtrace to stdout failed (%d)", err ));
}

/* The vtable's functions call backtrace themselves: they are frame 0.  Reports hide functions named
   fd_*_malloc_virtual as they hide malloc. */

static void *
fd_backtracing_malloc_virtual( void * self, ulong align, ulong sz ) {
  void * trace[FRAME_MAX];
  char   rest[80];
  void * ptr       = fd_valloc_malloc( *(fd_valloc_t *)self, align, sz );
  int    errno_now = errno;
  int    cnt       = backtrace( trace, FRAME_MAX );
  snprintf( rest, sizeof( rest ), "0x%016lx:%lu:%lu\n", (ulong)ptr, align, sz );
  record( "ALLOC", rest, trace, cnt );
  errno = errno_now;
  return ptr;
}

static void
fd_backtracing_free_virtual( void * self, void * ptr ) {
  void * trace[FRAME_MAX];
  char   rest[32];
  int    errno_now = errno;
  int    cnt       = backtrace( trace, FRAME_MAX );
  snprintf( rest, sizeof( rest ), "0x%016lx\n", (ulong)ptr );
  record( "FREE", rest, trace, cnt );
  errno = errno_now;
  fd_valloc_free( *(fd_valloc_t *)self, ptr );
}

const fd_valloc_vtable_t fd_backtracing_vtable = { .malloc = fd_backtracing_malloc_virtual,
                                                   .free   = fd_backtracing_free_virtual };

#endif
