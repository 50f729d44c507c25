/* libc behind the vtable. */

#include "fd/util/valloc/fd_valloc.h"
#include "fd/util/bits/fd_bits.h"
#include <limits.h>
#include <stdlib.h>

static void *
fd_libc_malloc_virtual( void * self FD_PARAM_UNUSED, ulong align, ulong sz ) {
  if( FD_UNLIKELY( !align ) ) align = alignof( max_align_t );
  if( FD_UNLIKELY( !fd_ulong_is_pow2( align ) || align > LONG_MAX ) ) return NULL;
  if( FD_UNLIKELY( sz > (ulong)LONG_MAX - align ) ) return NULL;
  align = fd_ulong_max( align, sizeof( void * ) ); /* the least aligned_alloc must take */
  return aligned_alloc( align, fd_ulong_align_up( sz, align ) );
}

static void
fd_libc_free_virtual( void * self FD_PARAM_UNUSED, void * ptr ) { free( ptr ); }

const fd_valloc_vtable_t fd_libc_vtable = { .malloc = fd_libc_malloc_virtual,
                                            .free   = fd_libc_free_virtual };
