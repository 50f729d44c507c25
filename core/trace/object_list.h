/* The way to objects that needs no loader: see object.h. */
#ifndef VT_CORE_TRACE_OBJECT_LIST_H
#define VT_CORE_TRACE_OBJECT_LIST_H

#include "core/trace/object.h"

/* The functions of object.h, and their promises, for a C library without _dl_find_object. */
int vt_object_list_find(uint64_t address, vt_object_t *out);
void vt_object_list_start(struct dl_phdr_info const *info);
void vt_object_list_freed(void const *block);
void vt_object_list_mapped(void);

#endif
