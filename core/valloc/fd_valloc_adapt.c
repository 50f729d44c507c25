/* The bundled allocators behind the vtable. */

#include "fd/util/valloc/fd_valloc_adapt.h"

static void *
fd_wksp_malloc_virtual( void * self, ulong align, ulong sz ) {
  fd_wksp_valloc_t * w = (fd_wksp_valloc_t *)self;
  return fd_wksp_alloc_laddr( w->wksp, align, sz, w->tag );
}

static void
fd_wksp_free_virtual( void * self FD_PARAM_UNUSED, void * ptr ) { fd_wksp_free_laddr( ptr ); }

static void *
fd_groove_malloc_virtual( void * self, ulong align, ulong sz ) {
  fd_groove_valloc_t * g = (fd_groove_valloc_t *)self;
  return fd_groove_data_alloc( g->data, align, sz, g->tag, NULL );
}

static void
fd_groove_free_virtual( void * self, void * ptr ) {
  fd_groove_data_free( ( (fd_groove_valloc_t *)self )->data, ptr ); /* logs what is wrong, if so */
}

static void *
fd_alloc_malloc_virtual( void * self, ulong align, ulong sz ) {
  return fd_alloc_malloc( (fd_alloc_t *)self, align, sz );
}

static void
fd_alloc_free_virtual( void * self, void * ptr ) { fd_alloc_free( (fd_alloc_t *)self, ptr ); }

const fd_valloc_vtable_t fd_wksp_vtable = { .malloc = fd_wksp_malloc_virtual,
                                            .free   = fd_wksp_free_virtual };
const fd_valloc_vtable_t fd_groove_vtable = { .malloc = fd_groove_malloc_virtual,
                                              .free   = fd_groove_free_virtual };
const fd_valloc_vtable_t fd_alloc_vtable = { .malloc = fd_alloc_malloc_virtual,
                                             .free   = fd_alloc_free_virtual };
