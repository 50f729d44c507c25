/* See why.h. */
#include "analyzer/report/why.h"
#include "analyzer/report/leaks.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>
#include <string.h>

#define SITES_SHOWN 5
#define LINKS_SHOWN 16 /* of a chain */

/* Of each judged block of a trace, in the snapshot's order. */
typedef struct {
  uint32_t *sites; /* + 1; 0: filtered out */
  uint64_t *sizes;
} trace_blocks_t;

struct vt_why {
  vt_analysis_t *analysis;
  trace_blocks_t *traces;
  vt_metric_t metric;
  size_t limit;
};

static void note(void *context, vt_model_live_t const *block) {
  vt_why_t *w = context;
  vt_trace_leaks_t const *leaks = vt_leaks_of(w->analysis, block->trace);
  uint32_t at = leaks ? vt_leaks_find(leaks, block->address) : VT_NO_LEAK;
  if (at == VT_NO_LEAK) return;
  w->traces[block->trace].sites[at] = w->analysis->cell_sites[block->cell];
  w->traces[block->trace].sizes[at] = block->size;
}

vt_why_t *vt_why_make(vt_analysis_t *analysis) {
  if (!analysis->verdicts) return NULL;
  vt_why_t *w = vt_mem_new(1, sizeof *w);
  w->analysis = analysis;
  w->traces = vt_mem_new(analysis->trace_cnt, sizeof *w->traces);
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    vt_trace_leaks_t const *leaks = vt_leaks_of(analysis, t);
    size_t cnt = leaks ? leaks->cnt : 0;
    w->traces[t].sites = vt_mem_new(cnt + 1, sizeof *w->traces[t].sites);
    w->traces[t].sizes = vt_mem_new(cnt + 1, sizeof *w->traces[t].sizes);
  }
  vt_model_live(analysis->model, note, w);
  return w;
}

void vt_why_delete(vt_why_t *w) {
  for (size_t t = 0; w && t < w->analysis->trace_cnt; t++) {
    free(w->traces[t].sites);
    free(w->traces[t].sizes);
  }
  if (w) free(w->traces);
  free(w);
}

/* A block: of a trace, by its index in the snapshot. */
typedef struct {
  uint32_t trace, index;
} place_t;

static int is_of(vt_metric_t metric, uint8_t class) {
  switch (metric) {
  case VT_METRIC_DEFINITE: return class == VT_CLASS_DEFINITE;
  case VT_METRIC_INDIRECT: return class == VT_CLASS_INDIRECT;
  case VT_METRIC_POSSIBLE: return class == VT_CLASS_POSSIBLE;
  case VT_METRIC_REACHABLE: return class == VT_CLASS_REACHABLE;
  case VT_METRIC_LOST: return class == VT_CLASS_DEFINITE || class == VT_CLASS_INDIRECT;
  default: return 1;
  }
}

/* largest finds the largest block of a site that the metric is about; 0: there is none. */
static int largest(vt_why_t const *w, uint32_t site, place_t *out) {
  uint64_t best = 0;
  int found = 0;
  for (uint32_t t = 0; t < w->analysis->trace_cnt; t++) {
    vt_trace_leaks_t const *leaks = vt_leaks_of(w->analysis, t);
    for (uint32_t i = 0; leaks && i < leaks->cnt; i++) {
      if (w->traces[t].sites[i] != site + 1 || !is_of(w->metric, leaks->classes[i])) continue;
      if (found && w->traces[t].sizes[i] <= best) continue;
      best = w->traces[t].sizes[i];
      *out = (place_t){t, i};
      found = 1;
    }
  }
  return found;
}

static void text_block(vt_why_t const *w, vt_term_t const *term, place_t p) {
  uint32_t site = w->traces[p.trace].sites[p.index];
  char buffer[1024];
  fprintf(term->out, "%s of ", vt_bytes_text(w->traces[p.trace].sizes[p.index]).text);
  if (!site) {
    fputs("a site that was not chosen", term->out);
    return;
  }
  vt_stack_frame_t frame = vt_group_frame(w->analysis, w->analysis->sites[site - 1].node);
  vt_term_text(term, vt_text_name(term, &frame, buffer, sizeof buffer), vt_term_room(term, 40));
  if (frame.file[0])
    fprintf(term->out, "  %s:%u",
            strrchr(frame.file, '/') ? strrchr(frame.file, '/') + 1 : frame.file, frame.line);
}

/* module_at is the module with data at an address, NULL: none. */
static vt_trace_module_t const *module_at(vt_reader_t const *reader, uint64_t address) {
  size_t cnt;
  vt_trace_module_t const *modules = vt_reader_modules(reader, &cnt);
  for (size_t i = cnt; i-- > 0;)
    if (address >= modules[i].start && address < modules[i].end &&
        modules[i].unload_time == VT_TIME_NEVER)
      return &modules[i];
  return NULL;
}

static void text_root(vt_why_t const *w, vt_term_t const *term, uint32_t trace,
                      vt_trace_root_t const *r) {
  vt_trace_module_t const *m = module_at(w->analysis->readers[trace], r->location);
  if (m)
    fprintf(term->out, "a variable of %s, at 0x%llx\n", m->path,
            (unsigned long long)(r->location - m->bias));
  else if (!strcmp(r->path, "[stack]"))
    fprintf(term->out, "the main thread's stack\n");
  else
    fprintf(term->out, "memory mapped at 0x%llx%s%s\n", (unsigned long long)r->area,
            r->path[0] ? ": " : " (a thread's stack or storage, or a mapping)", r->path);
}

/* text_chain follows the holders of a block to the root, or to the block that nobody holds. */
static void text_chain(vt_why_t const *w, vt_term_t const *term, place_t p) {
  vt_trace_leaks_t const *leaks = vt_leaks_of(w->analysis, p.trace);
  uint32_t links = 0;
  text_block(w, term, p);
  for (uint32_t holder; (holder = leaks->holders[p.index]) < leaks->cnt; p.index = holder) {
    if (++links > leaks->cnt) return; /* a damaged trace: a circle */
    if (links > LINKS_SHOWN) continue;
    fputs("\n        held by ", term->out);
    text_block(w, term, (place_t){p.trace, holder});
  }
  if (links > LINKS_SHOWN)
    fprintf(term->out, "\n        … %u more, the last one", links - LINKS_SHOWN);
  uint32_t root = leaks->holders[p.index];
  if (root == VT_NO_LEAK || root < VT_LEAK_ROOT || root - VT_LEAK_ROOT >= leaks->root_cnt) {
    fputs(links ? ", which nothing holds\n" : "\n        nothing holds it\n", term->out);
    return;
  }
  fputs("\n        held by ", term->out);
  text_root(w, term, p.trace, &leaks->roots[root - VT_LEAK_ROOT]);
}

static void text(void *context, vt_term_t const *term) {
  vt_why_t const *w = context;
  size_t cnt, shown = 0;
  uint32_t *ranked = vt_metric_rank(w->analysis, w->metric, &cnt);
  putc('\n', term->out);
  vt_term_styled(term, VT_STYLE_TITLE, "WHY: who holds the largest block of a site");
  putc('\n', term->out);
  for (size_t i = 0; i < cnt && shown < w->limit; i++) {
    place_t p;
    if (!largest(w, ranked[i], &p)) continue;
    fprintf(term->out, "\n%3zu. ", ++shown);
    text_chain(w, term, p);
  }
  free(ranked);
}

static void json_block(vt_json_t *json, vt_why_t const *w, place_t p, uint64_t address) {
  uint32_t site = w->traces[p.trace].sites[p.index];
  char hex[24];
  snprintf(hex, sizeof hex, "0x%llx", (unsigned long long)address);
  vt_json_object_line(json, NULL);
  vt_json_string(json, "address", hex);
  vt_json_uint(json, "size", w->traces[p.trace].sizes[p.index]);
  if (site) {
    vt_stack_frame_t frame = vt_group_frame(w->analysis, w->analysis->sites[site - 1].node);
    vt_json_group(json, &frame, VT_BY_LINE);
  }
  vt_json_end_object(json);
}

static void json_chain(vt_json_t *json, vt_why_t const *w, place_t p) {
  vt_trace_leaks_t const *leaks = vt_leaks_of(w->analysis, p.trace);
  uint32_t links = 0, holder = p.index;
  char hex[24];
  vt_json_object(json, NULL);
  vt_json_uint(json, "trace", p.trace);
  vt_json_array(json, "chain");
  for (; holder < leaks->cnt && links++ < leaks->cnt; holder = leaks->holders[holder])
    json_block(json, w, (place_t){p.trace, holder}, leaks->addresses[holder]);
  vt_json_end_array(json);
  if (holder != VT_NO_LEAK && holder - VT_LEAK_ROOT < leaks->root_cnt) {
    vt_trace_root_t const *r = &leaks->roots[holder - VT_LEAK_ROOT];
    snprintf(hex, sizeof hex, "0x%llx", (unsigned long long)r->location);
    vt_json_object_line(json, "root");
    vt_json_string(json, "location", hex);
    vt_json_string(json, "path", r->path);
    vt_json_end_object(json);
  }
  vt_json_end_object(json);
}

static void json(void *context, vt_json_t *out) {
  vt_why_t const *w = context;
  size_t cnt, shown = 0;
  uint32_t *ranked = vt_metric_rank(w->analysis, w->metric, &cnt);
  vt_json_array(out, "why");
  for (size_t i = 0; i < cnt && shown < w->limit; i++) {
    place_t p;
    if (!largest(w, ranked[i], &p)) continue;
    shown++;
    json_chain(out, w, p);
  }
  vt_json_end_array(out);
  free(ranked);
}

vt_report_part_t vt_why_part(vt_why_t *w, vt_report_options_t const *options) {
  w->metric = options->leak_kind_given                     ? options->leak_kind
              : vt_lost_blocks(&w->analysis->verdict) != 0 ? VT_METRIC_LOST
                                                           : VT_METRIC_REACHABLE;
  w->limit = options->limit ? options->limit : SITES_SHOWN;
  return (vt_report_part_t){text, json, w};
}
