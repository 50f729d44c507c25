/* What the keys of a live view do. */
#ifndef VT_ANALYZER_TOP_KEYS_H
#define VT_ANALYZER_TOP_KEYS_H

#include "analyzer/top/view.h"

/* vt_top_key does what a key says; returns 1 when that is to quit. */
int vt_top_key(vt_top_view_t *view, int key);

#endif
