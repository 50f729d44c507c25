/* Pods (see fd_pod.h): a header and, one behind the other, entries of two sizes, path and cstr,
   both with their terminators. */

#include "fd/util/pod/fd_pod.h"

#include "fd/util/bits/fd_bits.h"

#define POD_MAGIC (0xfd907007c57a0001UL)

typedef struct {
  ulong magic;
  ulong max;  /* bytes of the pod */
  ulong used; /* of them taken, this header included */
} pod_t;

FD_STATIC_ASSERT(sizeof(pod_t) == FD_POD_FOOTPRINT_MIN, pod_header);

#define ENTRY_HDR_SZ (2UL * sizeof(uint))

static pod_t * header(void const * shpod) {
  pod_t * pod = (pod_t *)(ulong)shpod;
  int good = pod && fd_ulong_is_aligned((ulong)pod, FD_POD_ALIGN) && pod->magic == POD_MAGIC;
  return good ? pod : NULL;
}

void * fd_pod_new(void * shmem, ulong max) {
  pod_t * pod = (pod_t *)shmem;
  if (!pod || !fd_ulong_is_aligned((ulong)pod, FD_POD_ALIGN) || max < sizeof(pod_t)) return NULL;
  pod->max = max;
  pod->used = sizeof(pod_t);
  pod->magic = POD_MAGIC;
  return pod;
}

uchar * fd_pod_join(void * shpod) { return (uchar *)header(shpod); }

void * fd_pod_leave(uchar const * pod) { return (void *)(ulong)pod; }

void * fd_pod_delete(void * shpod) {
  pod_t * pod = header(shpod);
  if (pod) pod->magic = 0UL;
  return pod;
}

char const * fd_pod_query_cstr(uchar const * pod, char const * path, char const * def) {
  if (!pod || !path) return def;
  ulong used = ((pod_t const *)(void const *)pod)->used;
  for (ulong at = sizeof(pod_t); at < used;) {
    ulong path_sz = (ulong)FD_LOAD(uint, pod + at);
    ulong cstr_sz = (ulong)FD_LOAD(uint, pod + at + sizeof(uint));
    char const * entry = (char const *)pod + at + ENTRY_HDR_SZ;
    if (!strcmp(entry, path)) return entry + path_sz;
    at += ENTRY_HDR_SZ + path_sz + cstr_sz;
  }
  return def;
}

int fd_pod_insert_cstr(uchar * pod, char const * path, char const * cstr) {
  if (!pod || !path || !cstr || fd_pod_query_cstr(pod, path, NULL)) return 0;
  pod_t * hdr = (pod_t *)(void *)pod;
  ulong path_sz = strlen(path) + 1UL, cstr_sz = strlen(cstr) + 1UL;
  ulong sz = ENTRY_HDR_SZ + path_sz + cstr_sz;
  if (path_sz > (ulong)UINT_MAX || cstr_sz > (ulong)UINT_MAX || sz > hdr->max - hdr->used) return 0;
  uchar * entry = pod + hdr->used;
  FD_STORE(uint, entry, (uint)path_sz);
  FD_STORE(uint, entry + sizeof(uint), (uint)cstr_sz);
  memcpy(entry + ENTRY_HDR_SZ, path, path_sz);
  memcpy(entry + ENTRY_HDR_SZ + path_sz, cstr, cstr_sz);
  hdr->used += sz;
  return 1;
}
