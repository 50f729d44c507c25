/* The history of the blocks at an address: allocated, resized, freed, when, by which thread, where.
 */
#ifndef VT_ANALYZER_LIVES_BLOCK_H
#define VT_ANALYZER_LIVES_BLOCK_H

#include "analyzer/report/report.h"

typedef struct vt_block_history vt_block_history_t;

/* Of the blocks that contain the address; if none ever did, of those that begin or end within 64
   bytes of it. at_ns: only the last block that began until then; UINT64_MAX: all. */
vt_block_history_t *vt_block_history_new(uint64_t address, uint64_t at_ns);
void vt_block_history_delete(vt_block_history_t *history);

/* What to give vt_analysis_open as options->watch. */
vt_model_watch_t vt_block_history_watch(vt_block_history_t *history);

/* After vt_analysis_open. How many blocks were found. */
size_t vt_block_history_find(vt_block_history_t *history, vt_analysis_t *analysis,
                             vt_report_options_t const *options);
void vt_block_history_text(vt_block_history_t const *history, vt_term_t const *term);
/* Schema valtrace-block, version 1. */
void vt_block_history_json(vt_block_history_t const *history, FILE *out);

#endif
