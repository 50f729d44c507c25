/* The lines of a live view as text: the screen and the file that `w` writes show the same ones. */
#ifndef VT_ANALYZER_TOP_FACE_H
#define VT_ANALYZER_TOP_FACE_H

#include "analyzer/top/view.h"

#define VT_FACE_HEAD  4 /* lines of totals */
#define VT_FACE_WIDTH 1024

/* vt_face_head writes one line of the totals, 0 … VT_FACE_HEAD - 1. */
void vt_face_head(vt_top_view_t const *view, int line, char *out, size_t cap);

/* vt_face_choice says what the table shows. */
void vt_face_choice(vt_top_view_t const *view, char *out, size_t cap);

/* The names of the columns, and the numbers of a row up to its name. `wide`: with two columns more. */
void vt_face_columns(vt_top_view_t const *view, int wide, char *out, size_t cap);
void vt_face_row(vt_top_view_t const *view, vt_top_row_t const *row, int wide, char *out, size_t cap);

/* vt_face_state says how the process is: "recording", or how it ended. */
void vt_face_state(vt_top_view_t const *view, char *out, size_t cap);

#endif
