/* What the two kinds of sink implement; sink.c chooses between them. */
#ifndef VT_CORE_TRACE_SINK_PRIVATE_H
#define VT_CORE_TRACE_SINK_PRIVATE_H

#include "core/trace/sink.h"

uint8_t *vt_sink_claim_ring(vt_sink_t *sink, uint32_t *index);
uint8_t *vt_sink_claim_file(vt_sink_t *sink, uint32_t *index);
void vt_sink_confine_ring(vt_sink_t *sink);
void vt_sink_confine_file(vt_sink_t *sink);
void vt_sink_forked_file(vt_sink_t *sink);
void vt_sink_reserve_file(vt_sink_t *sink);
void vt_sink_finish_file(vt_sink_t *sink, uint8_t *segment, uint32_t index);

#endif
