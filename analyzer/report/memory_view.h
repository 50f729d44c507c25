/* The view of what the resident memory of each process consists of: one account that adds up to what the
   kernel says, at the highest moment, at the end and at each snapshot. */
#ifndef VT_ANALYZER_REPORT_MEMORY_VIEW_H
#define VT_ANALYZER_REPORT_MEMORY_VIEW_H

#include "analyzer/report/report.h"
#include "analyzer/report/residence.h"

typedef struct vt_memory_view vt_memory_view_t;

/* vt_memory_view_make borrows `residences`. */
vt_memory_view_t *vt_memory_view_make(vt_residences_t *residences, vt_report_options_t const *options);
void vt_memory_view_delete(vt_memory_view_t *view);

vt_report_part_t vt_memory_view_part(vt_memory_view_t *view);

typedef struct {
  char text[40];
} vt_moment_name_t;

/* vt_memory_view_moment is what a moment is called: "highest", "at the end", "when killed", "snapshot 2", … */
vt_moment_name_t vt_memory_view_moment(vt_captured_t const *moment);

/* Why nothing is known of a trace's pages, in words. */
char const *vt_memory_view_why_none(vt_reader_t const *reader);

#endif
