/* Delivering the events of several traces to one model in order of time. */
#ifndef VT_ANALYZER_REPORT_MERGE_H
#define VT_ANALYZER_REPORT_MERGE_H

#include "analyzer/model/model.h"
#include "analyzer/trace/reader.h"

/* vt_merge_resume begins with the summary of a trace, if it has one: before its events, once, when it is declared. */
void vt_merge_resume(vt_model_t *model, uint32_t trace, vt_reader_t const *reader);

/* Declares the heaps that a trace announces and the stretches that are not in it, before its events. */
void vt_merge_declare(vt_model_t *model, uint32_t trace, vt_reader_t const *reader);

/* Feeds all events of all readers into the model, whose traces 0 … cnt-1 they are, shifted by
   shifts[i] ns, and finishes it. */
void vt_merge_run(vt_model_t *model, vt_reader_t *const *readers, uint64_t const *shifts,
                  size_t cnt);

#endif
