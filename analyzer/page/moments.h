/* The moments at which the HTML page divides time into stretches. They are few, so they lie where
   something happens: where the curve of live bytes bends, where there are many events, and some
   evenly in between, so that an hour of silence and 100 ms of trouble can both be looked into. */
#ifndef VT_ANALYZER_PAGE_MOMENTS_H
#define VT_ANALYZER_PAGE_MOMENTS_H

#include "analyzer/report/analysis.h"

#define VT_PAGE_STRETCHES_MAX 256

typedef struct {
  uint64_t ranked[VT_PAGE_STRETCHES_MAX]; /* ns, the most important first, all different, none 0 */
  size_t cnt;
  uint64_t end; /* after the last event, and after all of ranked */
} vt_page_moments_t;

/* Chooses moments for an analysis with a timeline. Any first n of them are a good choice of n. */
void vt_page_moments_choose(vt_page_moments_t *moments, vt_analysis_t const *analysis);

/* When the last of an analysis is over, and 1 ns more. */
uint64_t vt_page_moments_end(vt_analysis_t const *analysis);

/* Adds those of another analysis, so that both are divided alike: the best of each in turns. */
void vt_page_moments_join(vt_page_moments_t *moments, vt_page_moments_t const *other);

/* The borders of stretches made by the first n - 1 moments, rising: 0, …, end (n + 1 of them). */
void vt_page_moments_borders(vt_page_moments_t const *moments, size_t n, uint64_t *borders);

#endif
