#ifndef FD_UTIL_VALLOC_FD_VALLOC_ADAPT_H
#define FD_UTIL_VALLOC_FD_VALLOC_ADAPT_H

/* The bundled allocators as fd_valloc_t (fd_alloc_virtual is in fd_alloc.h).  What self points to stays the caller's and must outlive
   the fd_valloc_t; thread safety, alignment limits and the cost are the allocator's own. */

#include "fd_valloc.h"
#include "../fd_util.h"
#include "../../groove/fd_groove.h"

/* A workspace: each block is an allocation of wksp with tag. */
struct fd_wksp_valloc {
  fd_wksp_t * wksp;
  ulong       tag; /* positive */
};

typedef struct fd_wksp_valloc fd_wksp_valloc_t;

/* A groove: each block is an object with tag.  Alignments up to 512. */
struct fd_groove_valloc {
  fd_groove_data_t * data;
  ulong              tag;
};

typedef struct fd_groove_valloc fd_groove_valloc_t;

FD_PROTOTYPES_BEGIN

extern const fd_valloc_vtable_t fd_wksp_vtable;
extern const fd_valloc_vtable_t fd_groove_vtable;

static inline fd_valloc_t
fd_wksp_virtual( fd_wksp_valloc_t * self ) {
  fd_valloc_t valloc = { self, &fd_wksp_vtable };
  return valloc;
}

static inline fd_valloc_t
fd_groove_virtual( fd_groove_valloc_t * self ) {
  fd_valloc_t valloc = { self, &fd_groove_vtable };
  return valloc;
}

FD_PROTOTYPES_END

#endif
