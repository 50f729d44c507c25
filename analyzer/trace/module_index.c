/* Which module had code at an address in an epoch: modules in order of their start and, at one start,
   of their load, so that both are found by halving. Programs that load and unload have many modules
   at one start; others have few that overlap. Raw traces tell of modules while they are read: the
   index is made anew when there are more. */
#include "analyzer/trace/reader_private.h"

static int compare(void const *a, void const *b) {
  vt_module_place_t const *x = a, *y = b;
  if (x->start != y->start) return x->start < y->start ? -1 : 1;
  if (x->epoch != y->epoch) return x->epoch < y->epoch ? -1 : 1;
  return x->module < y->module ? -1 : x->module > y->module;
}

static void make_index(vt_reader_t *r) {
  size_t cnt = r->places_cnt = r->tables.modules_cnt;
  vt_module_place_t *places = r->places = vt_mem_resize(r->places, cnt, sizeof *places);
  for (size_t i = 0; i < cnt; i++) {
    vt_trace_module_t const *m = &r->tables.modules[i];
    places[i] = (vt_module_place_t){
        .start = m->start, .max_end = m->end, .epoch = m->load_epoch, .module = (uint32_t)i};
  }
  qsort(places, cnt, sizeof *places, compare);
  for (size_t i = 1; i < cnt; i++) {
    int same = places[i].start == places[i - 1].start;
    places[i].group = same ? places[i - 1].group : (uint32_t)i;
    if (places[i - 1].max_end > places[i].max_end) places[i].max_end = places[i - 1].max_end;
  }
}

/* last_before is how many places are not after (start, epoch). */
static size_t last_before(vt_module_place_t const *places, size_t from, size_t cnt, uint64_t start,
                          uint32_t epoch) {
  while (from < cnt) {
    size_t mid = from + (cnt - from) / 2;
    vt_module_place_t const *p = &places[mid];
    if (p->start < start || (p->start == start && p->epoch <= epoch))
      from = mid + 1;
    else
      cnt = mid;
  }
  return from;
}

static int holds(vt_trace_module_t const *m, uint32_t epoch, uint64_t address) {
  return address >= m->start && address < m->end && epoch >= m->load_epoch &&
         epoch < m->unload_epoch;
}

uint32_t vt_reader_module_at(vt_reader_t const *r, uint32_t epoch, uint64_t address) {
  if (r->places_cnt != r->tables.modules_cnt) make_index((vt_reader_t *)r);
  vt_module_place_t const *places = r->places;
  size_t at = last_before(places, 0, r->tables.modules_cnt, address, UINT32_MAX);
  while (at && places[at - 1].max_end > address) { /* a group of one start after the other */
    size_t group = places[at - 1].group;
    for (size_t i = last_before(places, group, at, places[group].start, epoch); i-- > group;) {
      vt_trace_module_t const *m = &r->tables.modules[places[i].module];
      if (holds(m, epoch, address)) return places[i].module;
      if (m->unload_epoch <= epoch) break; /* earlier loads there were unloaded before this one */
    }
    at = group;
  }
  return VT_NO_MODULE;
}
