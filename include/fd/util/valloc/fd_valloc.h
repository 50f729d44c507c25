#ifndef FD_UTIL_VALLOC_FD_VALLOC_H
#define FD_UTIL_VALLOC_FD_VALLOC_H

/* An allocator as a value: a pointer and a table of two functions.  libc's is one; the backtracing
   one wraps another and logs each call with its stack to standard output, in a text format that
   `valtrace import` and tools/leak_detector.py read. */

#include "../fd_util_base.h"
#include <stddef.h>

/* Returns sz bytes aligned to align, a power of two or 0 for malloc's own; NULL on failure. */
typedef void * (*fd_valloc_malloc_fn_t)( void * self, ulong align, ulong sz );

/* Gives back what malloc of the same allocator returned; NULL is nothing. */
typedef void (*fd_valloc_free_fn_t)( void * self, void * ptr );

struct fd_valloc_vtable {
  fd_valloc_malloc_fn_t malloc;
  fd_valloc_free_fn_t   free;
};

typedef struct fd_valloc_vtable fd_valloc_vtable_t;

struct fd_valloc {
  void *                     self;
  fd_valloc_vtable_t const * vt;
};

typedef struct fd_valloc fd_valloc_t;

FD_PROTOTYPES_BEGIN

/* libc: self is ignored.  An align that is no power of two, or a sz that overflows when rounded up
   to it, is refused with NULL.  Thread and fork safe as malloc is. */
extern const fd_valloc_vtable_t fd_libc_vtable;

static inline fd_valloc_t
fd_libc_alloc_virtual( void ) {
  fd_valloc_t valloc = { NULL, &fd_libc_vtable };
  return valloc;
}

/* The allocator that is none: not to be called. */
static inline fd_valloc_t
fd_null_alloc_virtual( void ) {
  fd_valloc_t valloc = { NULL, NULL };
  return valloc;
}

static inline int
fd_is_null_alloc_virtual( fd_valloc_t valloc ) { return !valloc.vt; }

#if FD_HAS_HOSTED

/* Backtracing: self is the fd_valloc_t of the inner allocator, which must outlive the wrapper.
   Returns exactly what the inner one does and keeps errno.  A record is

     +++ ALLOC:<lines>:0x<address, 16 hex digits>:<align>:<sz>     or
     +++ FREE:<lines>:0x<address>
     <lines> lines, innermost frame first, as backtrace_symbols_fd writes them
     ---

   and goes to file descriptor 1, not through stdio.  Records of threads do not mix: a lock is held
   while one is written, and only then, so wrappers may be stacked.  The record of a free is written
   before the inner free and that of an allocation after the inner malloc, so that in the log the
   free of an address always precedes its reuse.  If standard output cannot be written the process
   ends (FD_LOG_ERR).  Thread safe; a child may be forked at any time; not signal safe. */
extern const fd_valloc_vtable_t fd_backtracing_vtable;

static inline fd_valloc_t
fd_backtracing_alloc_virtual( fd_valloc_t * inner ) {
  fd_valloc_t valloc = { inner, &fd_backtracing_vtable };
  return valloc;
}

#endif

/* The two calls. */

static inline void *
fd_valloc_malloc( fd_valloc_t valloc, ulong align, ulong sz ) {
  return valloc.vt->malloc( valloc.self, align, sz );
}

static inline void
fd_valloc_free( fd_valloc_t valloc, void * ptr ) { valloc.vt->free( valloc.self, ptr ); }

FD_PROTOTYPES_END

#endif
