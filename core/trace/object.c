/* See object.h. The loader's list of objects is its public interface for debuggers (link.h). */
#include "core/trace/object.h"
#include "core/trace/libc.h"
#include "core/trace/object_list.h"
#include "core/trace/symbol.h"
#include "core/trace/unwind_arch.h"

#include <link.h>
#include <stdatomic.h>
#include <stddef.h>

extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden"))); /* of the object we are in */

struct link_map *vt_object_first(void) {
  struct r_debug const *objects = vt_libc_objects();
  return objects ? objects->r_map : NULL;
}

struct link_map *vt_object_own(void) {
  static _Atomic(struct link_map *) own;
  struct link_map *map = atomic_load_explicit(&own, memory_order_relaxed);
  for (map = map ? map : vt_object_first(); map && map->l_ld != _DYNAMIC;) map = map->l_next;
  atomic_store_explicit(&own, map, memory_order_relaxed);
  return map;
}

/* glibc 2.35's; not with a type of its own, which older headers lack. */
typedef struct {
  uint64_t flags;
  void *start, *end;
  struct link_map *map;
  uint8_t const *eh_frame;
  uint64_t reserved[7];
} found_t;
typedef int find_t(void *address, found_t *result);

static int without_loader(void *address, found_t *result) {
  (void)address;
  (void)result;
  return -1;
}

/* The function is looked up and not linked, because a loader that lacks it would refuse the shim for its
   version alone. The C library has it, not the loader. */
static find_t *look_up(void) {
#ifndef VT_OWN_OBJECTS /* `make OWN_OBJECTS=1 …` tests the other way where both exist */
  struct link_map *libc = vt_object_first();
  while (libc && !vt_symbol_defined(libc, "gnu_get_libc_version")) libc = libc->l_next;
  void *function = libc ? vt_symbol_in(libc, "_dl_find_object") : NULL;
  if (function) return (find_t *)function;
#endif
  return without_loader;
}

static find_t *asked(void) {
  static _Atomic(find_t *) function;
  find_t *f = atomic_load_explicit(&function, memory_order_relaxed);
  if (f) return f;
  f = look_up();
  atomic_store_explicit(&function, f, memory_order_relaxed);
  return f;
}

int vt_object_find(uint64_t address, vt_object_t *out) {
  found_t found;
  find_t *ask = asked();
  if (ask == without_loader) return vt_object_list_find(address, out);
  if (ask((void *)address, &found)) return 0;
  *out = (vt_object_t){.start = (uint64_t)found.start,
                       .end = (uint64_t)found.end,
                       .bias = found.map->l_addr,
                       .map = found.map,
                       .eh_frame = found.eh_frame};
  return 1;
}

int vt_object_whole(struct link_map const *map) {
  vt_object_t object;
  if (asked() == without_loader) return vt_arch_readable((uint64_t)map->l_ld);
  return vt_object_find((uint64_t)map->l_ld, &object) && object.map == map;
}

void vt_object_start(struct dl_phdr_info const *info) {
  if (asked() == without_loader) vt_object_list_start(info);
}

void vt_object_freed(void const *block) {
  if (asked() == without_loader) vt_object_list_freed(block);
}

void vt_object_mapped(void) {
  if (asked() == without_loader) vt_object_list_mapped();
}
