/* Writing what a live view shows to a file. */
#ifndef VT_ANALYZER_TOP_SAVE_H
#define VT_ANALYZER_TOP_SAVE_H

#include "analyzer/top/view.h"

/* vt_top_save writes totals and all rows to a file, which is there when it is whole. Returns 0, or -1 and *error. */
int vt_top_save(vt_top_view_t const *view, char const *path, vt_error_t *error);

#endif
