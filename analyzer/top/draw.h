/* Drawing a live view on the screen. */
#ifndef VT_ANALYZER_TOP_DRAW_H
#define VT_ANALYZER_TOP_DRAW_H

#include "analyzer/top/view.h"

void vt_top_draw(vt_top_view_t *view);

/* Rows of the table that the screen has room for. */
int vt_top_room(void);

#endif
