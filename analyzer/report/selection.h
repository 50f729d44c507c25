/* What a filter asks for by name must occur somewhere: a mistyped function, module, thread, heap or
   marker, or a span of time in which nothing was recorded, would otherwise choose nothing, and a
   gate on nothing stays green for ever. A choice by size or lifetime may well be empty. */
#ifndef VT_ANALYZER_REPORT_SELECTION_H
#define VT_ANALYZER_REPORT_SELECTION_H

#include "analyzer/report/analysis.h"

/* Does one of a frame's two patterns, when given, not match it? */
int vt_selection_fits(vt_filter_t const *filter, vt_stack_frame_t const *frame);

/* What moment is meant by the value of an option ("--from"): seconds, the name of a marker, or a
   time with a unit. Returns 0, or -1 with *error filled, which lists the markers. A NULL text is 0.
 */
int vt_selection_moment(vt_analysis_t const *analysis, char const *option, char const *text,
                        uint64_t *ns, vt_error_t *error);

/* The markers there are, or the one that was probably meant by `text`, as advice. */
void vt_selection_advise_marker(vt_analysis_t const *analysis, char const *text, char out[160]);

/* How many markers with this name were set in the chosen span of time. */
uint64_t vt_selection_markers(vt_analysis_t const *analysis, char const *name);

/* Says of the first part of the filter that occurs nowhere in the traces of an analysis whose model
   and stacks are there: 1 with *error filled; 0: everything occurs. May add stacks to the
   analysis's. */
int vt_selection_occurs_nowhere(vt_analysis_t *analysis, vt_filter_t const *filter,
                                uint64_t from_ns, vt_error_t *error);

#endif
