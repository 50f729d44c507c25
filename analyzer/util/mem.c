/* Memory for the analyzer; see mem.h for the policy on exhaustion. */
#include "analyzer/util/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LINE_SZ ((size_t)64)
#define HUGE_SZ ((size_t)2 << 20)

static void *check(void *p, size_t cnt, size_t sz) {
  if (p || !cnt || !sz) return p;
  fprintf(
      stderr,
      "valtrace: out of memory: %zu elements of %zu bytes (use filters, or a machine with more)\n",
      cnt, sz);
  _Exit(4);
}

void *vt_mem_new(size_t cnt, size_t sz) { return check(calloc(cnt, sz), cnt, sz); }

void *vt_mem_resize(void *p, size_t cnt, size_t sz) {
  return check(reallocarray(p, cnt ? cnt : 1, sz), cnt ? cnt : 1, sz);
}

static void *small_table(size_t bytes) {
  void *table = aligned_alloc(LINE_SZ, (bytes + LINE_SZ - 1) & -LINE_SZ);
  return table ? memset(table, 0, bytes) : NULL;
}

/* The kernel aligns only mappings that are a multiple of huge pages, and others get few of them. */
static size_t huge_multiple(size_t bytes) { return (bytes + HUGE_SZ - 1) & -HUGE_SZ; }

static void *big_table(size_t bytes) {
  bytes = huge_multiple(bytes);
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void *table = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (table == MAP_FAILED) return NULL;
  madvise(table, bytes, MADV_HUGEPAGE);
  return table;
}

void *vt_mem_table(size_t cnt, size_t sz) {
  size_t bytes = cnt * sz;
  return check(bytes < HUGE_SZ ? small_table(bytes) : big_table(bytes), cnt, sz);
}

void vt_mem_table_free(void *table, size_t cnt, size_t sz) {
  if (cnt * sz < HUGE_SZ)
    free(table);
  else
    munmap(table, huge_multiple(cnt * sz));
}

/* mremap moves huge pages as they are. */
void *vt_mem_table_grow(void *table, size_t cnt, size_t new_cnt, size_t sz) {
  size_t bytes = cnt * sz, new_bytes = huge_multiple(new_cnt * sz);
  if (bytes >= HUGE_SZ) {
    void *grown = mremap(table, huge_multiple(bytes), new_bytes, MREMAP_MAYMOVE);
    return check(grown == MAP_FAILED ? NULL : grown, new_cnt, sz);
  }
  void *grown = vt_mem_table(new_cnt, sz);
  if (bytes) memcpy(grown, table, bytes);
  free(table);
  return grown;
}

char *vt_mem_copy(void const *p, size_t sz) {
  char *copy = vt_mem_new(sz + 1, 1);
  if (sz) memcpy(copy, p, sz);
  return copy;
}

void *vt_mem_room(void *p, size_t used, size_t *cap, size_t sz) {
  if (used < *cap) return p;
  *cap = *cap ? 2 * *cap : 16;
  return vt_mem_resize(p, *cap, sz);
}
