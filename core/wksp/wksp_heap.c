/* A wksp as a heap of its own in a recording.  Its blocks are the allocations, at their gaddr; they
   are reported under the lock, so that the order recorded is the one in which they happened. */

#include "core/util/heap_id.h"
#include "wksp_internal.h"

/* Name and size beside the 32 random bits that the header has room for. */
static void heap_uuid(fd_wksp_t const *wksp, ulong uuid[2]) {
  uuid[0] = FD_WKSP_MAGIC;
  for (ulong i = 0UL; i < FD_SHMEM_NAME_MAX && wksp->name[i]; i++)
    uuid[0] = fd_ulong_hash(uuid[0] ^ (ulong)(uchar)wksp->name[i]);
  uuid[1] = fd_ulong_hash(wksp->gaddr_hi) ^ (ulong)wksp->heap_id;
}

uint wksp_heap_id_new(void const *shmem) { return (uint)(heap_id_new(shmem) >> 32); }

void wksp_heap_announce(fd_wksp_t const *wksp, int is_new) {
  if (FD_LIKELY(!heap_is_recorded())) return;
  ulong uuid[2];
  heap_uuid(wksp, uuid);
  if (is_new)
    vt_heap_create(wksp, wksp->gaddr_hi, VT_HEAP_WKSP, wksp->name, uuid, NULL);
  else
    vt_heap_attach(wksp, wksp->gaddr_hi, VT_HEAP_WKSP, wksp->name, uuid, NULL);
}
