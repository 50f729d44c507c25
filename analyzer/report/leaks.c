/* See leaks.h. A snapshot knows blocks by their addresses; the model knows which cell has the block
   that lives at an address at the end. */
#include "analyzer/report/leaks.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
  vt_analysis_t *analysis;
  uint32_t missing; /* live blocks of traces without a verdict */
} judge_t;

static vt_leak_kind_t kind_of(uint8_t class) {
  switch (class) {
  case VT_CLASS_DEFINITE: return VT_LEAK_DEFINITE;
  case VT_CLASS_INDIRECT: return VT_LEAK_INDIRECT;
  case VT_CLASS_POSSIBLE: return VT_LEAK_POSSIBLE;
  case VT_CLASS_REACHABLE: return VT_LEAK_REACHABLE;
  default: return VT_LEAK_UNJUDGED;
  }
}

static void add(vt_verdict_t *to, vt_leak_kind_t kind, uint64_t bytes, uint64_t blocks) {
  to->bytes[kind] += bytes;
  to->blocks[kind] += blocks;
}

vt_trace_leaks_t const *vt_leaks_of(vt_analysis_t const *analysis, size_t trace) {
  vt_reader_t const *reader = analysis->readers[trace];
  if (analysis->at_ns == UINT64_MAX) return vt_reader_leaks(reader);
  return vt_reader_leaks_at(reader, analysis->at_ns - vt_analysis_shift(analysis, trace));
}

/* was_at_peak: is there a marker at a snapshot's time that is a peak's? */
static int was_at_peak(vt_reader_t const *reader, uint64_t time) {
  size_t cnt;
  vt_trace_marker_t const *markers = vt_reader_markers(reader, &cnt);
  for (size_t i = 0; i < cnt; i++)
    if (markers[i].time == time && !strcmp(markers[i].text, VT_MARKER_PEAK)) return 1;
  return 0;
}

vt_judged_t vt_leaks_moment(vt_analysis_t const *analysis, size_t trace, vt_trace_leaks_t const *leaks) {
  switch (leaks->kind) {
  case VT_SNAPSHOT_EXIT: return VT_JUDGED_EXIT;
  case VT_SNAPSHOT_EXEC: return VT_JUDGED_EXEC;
  case VT_SNAPSHOT_KILLED: return VT_JUDGED_KILLED;
  case VT_SNAPSHOT_REQUEST: break;
  default: return VT_JUDGED_UNKNOWN;
  }
  if (analysis->at_ns == UINT64_MAX) return VT_JUDGED_DETACH;
  return was_at_peak(analysis->readers[trace], leaks->time) ? VT_JUDGED_PEAK : VT_JUDGED_REQUEST;
}

vt_leak_kind_t vt_leaks_kind(vt_trace_leaks_t const *leaks, uint64_t address) {
  uint32_t at = leaks ? vt_leaks_find(leaks, address) : VT_NO_LEAK;
  return at == VT_NO_LEAK ? VT_LEAK_UNJUDGED : kind_of(leaks->classes[at]);
}

static void judge_block(void *context, vt_model_live_t const *block) {
  judge_t *j = context;
  vt_trace_leaks_t const *leaks = vt_leaks_of(j->analysis, block->trace);
  uint32_t site = j->analysis->cell_sites[block->cell];
  if (!leaks || leaks->why[0]) j->missing = 1;
  if (!leaks || leaks->why[0] || !site) return;
  vt_leak_kind_t kind = vt_leaks_kind(leaks, block->address);
  if (kind != VT_LEAK_UNJUDGED) add(&j->analysis->verdicts[site - 1], kind, block->size, 1);
}

/* sum_up: of each site what is live and was not judged; of all sites the sums. */
static void sum_up(vt_analysis_t *analysis) {
  for (size_t i = 0; i < analysis->sites_cnt; i++) {
    vt_site_t *site = &analysis->sites[i];
    vt_verdict_t *v = &analysis->verdicts[i];
    uint64_t bytes = 0, blocks = 0;
    for (int k = 0; k < VT_LEAK_UNJUDGED; k++) {
      bytes += v->bytes[k];
      blocks += v->blocks[k];
    }
    add(v, VT_LEAK_UNJUDGED, site->leaked_bytes - bytes, site->leaked_blocks - blocks);
    site->lost_bytes = vt_lost_bytes(v);
    site->lost_blocks = vt_lost_blocks(v);
    site->kinds = *v;
    for (int k = 0; k < VT_LEAK_KINDS && !site->nested; k++)
      add(&analysis->verdict, (vt_leak_kind_t)k, v->bytes[k], v->blocks[k]);
  }
}

int vt_leaks_was_killed(vt_reader_t const *reader) {
  size_t cnt;
  vt_trace_process_t const *process = vt_reader_process(reader, &cnt);
  for (size_t i = 0; i < cnt; i++)
    if (process[i].kind == VT_PROCESS_SIGNAL || process[i].kind == VT_PROCESS_VANISHED) return 1;
  return 0;
}

static char const *why_none(vt_analysis_t const *analysis) {
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    vt_reader_t const *reader = analysis->readers[t];
    vt_trace_leaks_t const *leaks = vt_leaks_of(analysis, t);
    size_t said;
    vt_reader_snapshots(reader, &said);
    if (leaks && leaks->why[0]) return leaks->why;
    if (analysis->at_ns != UINT64_MAX) return "it is about another moment than the end or a snapshot";
    if (!leaks && vt_leaks_was_killed(reader)) return "the process was killed, so that its memory is gone";
    if (!leaks && said)
      return "its memory could not be kept: is there a limit on processes, or was valtrace "
             "stopped?";
  }
  return "no snapshot was taken";
}

/* knows: is there a verdict for that moment of any trace? */
static int knows(vt_analysis_t const *analysis) {
  for (size_t t = 0; t < analysis->trace_cnt; t++)
    if (vt_leaks_of(analysis, t)) return 1;
  return 0;
}

void vt_leaks_judge(vt_analysis_t *analysis, uint64_t at_ns) {
  judge_t j = {.analysis = analysis};
  analysis->at_ns = at_ns;
  analysis->verdicts = vt_mem_new(analysis->sites_cnt + 1, sizeof *analysis->verdicts);
  if (analysis->sampled.period || (at_ns != UINT64_MAX && !knows(analysis)))
    j.missing = 1; /* also where no block of a sample lives */
  else
    vt_model_live(analysis->model, judge_block, &j);
  if (j.missing) {
    free(analysis->verdicts);
    analysis->verdicts = NULL;
    analysis->no_verdict = why_none(analysis);
  } else {
    sum_up(analysis);
  }
}
