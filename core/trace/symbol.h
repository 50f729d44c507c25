/* Looking up functions of other objects by reading their symbol tables, as the loader does, but
   without asking it: dlsym would forget the program's dlerror(), allocate, free and lock. */
#ifndef VT_CORE_TRACE_SYMBOL_H
#define VT_CORE_TRACE_SYMBOL_H

#include <link.h>
#include "core/trace/object.h"

/* vt_symbol_from is the default definition of `name` in the first object that has one, `map` and
   those loaded after it, in the order of loading, which is that of symbol lookup; NULL: none.
   *where, if not NULL, is that object. An indirect function is resolved. Only reads; errno stays.
   No object may be unloaded meanwhile: to be called at start, before there are threads, or by
   vt_symbol_locked. */
void *vt_symbol_from(struct link_map *map, char const *name, struct link_map **where);

/* vt_symbol_in is the same in one object only. */
void *vt_symbol_in(struct link_map const *map, char const *name);

/* vt_symbol_defined: has the object a definition that vt_symbol_in would find? Nothing is resolved, so
   that the object need not be relocated yet. */
int vt_symbol_defined(struct link_map const *map, char const *name);

/* vt_symbol_size is the size of the object's own definition of `name`, 0: it has none. As
   vt_symbol_from. */
uint64_t vt_symbol_size(struct link_map const *map, char const *name);

/* vt_symbol_object_begins: does the object's file name, without folders, begin with `start`? */
int vt_symbol_object_begins(struct link_map const *map, char const *start);

/* vt_symbol_locked calls `look` while no object can be loaded or unloaded; for a later time than
   start, but not on the event path. */
void vt_symbol_locked(void (*look)(void));

#endif
