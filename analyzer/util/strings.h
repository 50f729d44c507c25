/* Interned strings: equal strings get equal, dense indexes; index 0 is the empty string. */
#ifndef VT_ANALYZER_UTIL_STRINGS_H
#define VT_ANALYZER_UTIL_STRINGS_H

#include <stddef.h>
#include <stdint.h>

typedef struct vt_strings vt_strings_t;

vt_strings_t *vt_strings_new(void);
void vt_strings_delete(vt_strings_t *strings);

/* The index of the sz bytes at p (any bytes, zero bytes too), which are copied. Not thread safe. */
uint32_t vt_strings_intern(vt_strings_t *strings, char const *p, size_t sz);
uint32_t vt_strings_intern_cstr(vt_strings_t *strings, char const *cstr);

/* The string of an index, followed by a zero byte; valid until vt_strings_delete. *sz may be NULL.
   An index never handed out gives the empty string. */
char const *vt_strings_get(vt_strings_t const *strings, uint32_t index, size_t *sz);

/* Number of strings; indexes are 0 … count-1. */
uint32_t vt_strings_cnt(vt_strings_t const *strings);

#endif
