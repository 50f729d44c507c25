/* See stretches.h. */
#include "analyzer/trace/stretches.h"
#include "analyzer/util/mem.h"

#include <string.h>

typedef struct {
  vt_stretch_t *stretches;
  size_t stretches_cnt, stretches_cap;
} list_t;

static void begin(list_t *l, vt_trace_process_t const *said) {
  vt_stretch_t stretch = {said->time, VT_TIME_NEVER, (vt_pause_t)said->value};
  int lasts = l->stretches_cnt && l->stretches[l->stretches_cnt - 1].to == VT_TIME_NEVER;
  if (!lasts) VT_PUSH(l->stretches, stretch);
}

static void end(list_t *l, uint64_t time) {
  vt_stretch_t *last = l->stretches_cnt ? &l->stretches[l->stretches_cnt - 1] : NULL;
  if (last && last->to == VT_TIME_NEVER && last->why != VT_PAUSE_SIZE) last->to = time < last->from ? last->from : time;
}

/* end_of is when the process said its end: what is paused later has no part in it. */
static uint64_t end_of(vt_trace_process_t const *said, size_t cnt) {
  for (size_t i = cnt; i-- > 0 && said[i].kind != VT_PROCESS_EXEC_FAILED;)
    if (said[i].kind == VT_PROCESS_EXIT || said[i].kind == VT_PROCESS_EXEC) return said[i].time;
  return VT_TIME_NEVER;
}

vt_stretch_t *vt_stretches(vt_reader_t const *reader, size_t *cnt) {
  list_t l = {0};
  size_t said_cnt;
  vt_trace_process_t const *said = vt_reader_process(reader, &said_cnt);
  uint64_t over = end_of(said, said_cnt);
  vt_stretch_t before = {0, 0, (vt_pause_t)0};
  if (vt_reader_info(reader)->flags & VT_HEADER_FLAG_MID_LIFE) VT_PUSH(l.stretches, before);
  for (size_t i = 0; i < said_cnt; i++) {
    if (said[i].kind == VT_PROCESS_PAUSED && said[i].time < over) begin(&l, &said[i]);
    if (said[i].kind == VT_PROCESS_RESUMED) end(&l, said[i].time);
  }
  *cnt = l.stretches_cnt;
  return l.stretches;
}
