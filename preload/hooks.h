/* The real allocator behind the hooks, and what the hooks offer the rest of the shim. */
#ifndef VT_PRELOAD_HOOKS_H
#define VT_PRELOAD_HOOKS_H

#include <stddef.h>

/* The next provider of each function in symbol order: libc, or jemalloc, tcmalloc, … when the
   program uses one. A function the provider lacks is NULL. */
typedef struct {
  void *(*malloc)(size_t);
  void *(*calloc)(size_t, size_t);
  void *(*realloc)(void *, size_t);
  void (*free)(void *);
  int (*posix_memalign)(void **, size_t, size_t);
  void *(*aligned_alloc)(size_t, size_t);
  void *(*memalign)(size_t, size_t);
  void *(*valloc)(size_t);
  void *(*pvalloc)(size_t);
  size_t (*malloc_usable_size)(void *);
  void (*free_sized)(void *, size_t);
  void (*free_aligned_sized)(void *, size_t, size_t);
} vt_real_t;
extern vt_real_t vt_real;

/* vt_real_find fills vt_real. While it runs, and in the resolver calls it makes, blocks come from a
   small static arena (vt_boot_alloc). Idempotent; called at the first event. */
void vt_real_find(void);

/* vt_boot_alloc takes zeroed memory from the arena; NULL when it is full. Such blocks are never
   given back. vt_boot_size is the size of one. */
void *vt_boot_alloc(size_t align, size_t sz);
size_t vt_boot_size(void const *p);
extern unsigned char vt_boot_arena[];
#define VT_BOOT_ARENA_SZ 65536
static inline int vt_boot_owns(void const *p) {
  return (size_t)((unsigned char const *)p - vt_boot_arena) < VT_BOOT_ARENA_SZ;
}

/* vt_hooks_reached: does the program's malloc resolve to ours? 0 when the executable defines one.
 */
int vt_hooks_reached(void);

#endif
