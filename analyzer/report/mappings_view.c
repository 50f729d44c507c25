/* See mappings_view.h. */
#include "analyzer/report/mappings_view.h"
#include "analyzer/memory/mappings.h"
#include "analyzer/util/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SITES_SHOWN 20

/* One distinct stack that maps. */
typedef struct {
  uint32_t node;
  int by_allocator;
  uint64_t end_bytes, reserved_bytes; /* at the end; of these, what can never be accessed */
  uint64_t all_bytes, calls;          /* ever */
  char const *file;                   /* of the last mapping; "": none */
} site_t;

struct vt_mappings_view {
  vt_analysis_t const *analysis;
  vt_report_options_t const *options;
  site_t *sites;
  size_t sites_cnt, sites_cap;
  uint64_t peak_bytes; /* sum of the traces' */
};

static site_t *site_of(vt_mappings_view_t *v, uint32_t node) {
  for (size_t i = 0; i < v->sites_cnt; i++)
    if (v->sites[i].node == node) return &v->sites[i];
  VT_PUSH(v->sites, ((site_t){.node = node, .file = ""}));
  return &v->sites[v->sites_cnt - 1];
}

static uint32_t node_of(vt_analysis_t const *analysis, size_t trace, uint32_t stack) {
  uint32_t ids = vt_reader_stacks(analysis->readers[trace]).cnt;
  return stack < ids ? analysis->nodes[trace][stack] : 0;
}

static void add_trace(vt_mappings_view_t *v, size_t t) {
  size_t cnt;
  vt_trace_mapping_t const *records = vt_reader_mappings(v->analysis->readers[t], &cnt);
  vt_mappings_t m = vt_mappings_run(records, cnt);
  for (size_t i = 0; i < cnt; i++) {
    if (records[i].op == VT_MAPPING_UNMAP) continue;
    site_t *site = site_of(v, node_of(v->analysis, t, records[i].stack));
    site->calls++;
    site->all_bytes += records[i].size;
    site->by_allocator |= records[i].by_allocator;
    if (records[i].file[0]) site->file = records[i].file;
  }
  for (size_t i = 0; i < m.pieces_cnt; i++) {
    vt_trace_mapping_t const *r = &records[m.pieces[i].record];
    site_t *site = site_of(v, node_of(v->analysis, t, r->stack));
    site->end_bytes += m.pieces[i].end - m.pieces[i].start;
    if (!m.pieces[i].counted && !r->by_allocator)
      site->reserved_bytes += m.pieces[i].end - m.pieces[i].start;
  }
  v->peak_bytes += m.peak_bytes;
  vt_mappings_free(&m);
}

static int by_bytes(void const *a, void const *b) {
  site_t const *x = a, *y = b;
  if (x->end_bytes != y->end_bytes) return x->end_bytes < y->end_bytes ? 1 : -1;
  if (x->all_bytes != y->all_bytes) return x->all_bytes < y->all_bytes ? 1 : -1;
  return x->node < y->node ? -1 : x->node > y->node;
}

vt_mappings_view_t *vt_mappings_view_make(vt_analysis_t const *analysis) {
  vt_mappings_view_t *v = vt_mem_new(1, sizeof *v);
  v->analysis = analysis;
  for (size_t t = 0; t < analysis->trace_cnt; t++) add_trace(v, t);
  if (v->sites) qsort(v->sites, v->sites_cnt, sizeof *v->sites, by_bytes);
  return v;
}

void vt_mappings_view_delete(vt_mappings_view_t *v) {
  if (v) free(v->sites);
  free(v);
}

static void text_site(vt_mappings_view_t const *v, vt_term_t const *term, site_t const *s,
                      size_t rank) {
  fprintf(term->out, "\n%3zu. %10s at the end, %s in all by %s", rank,
          vt_bytes_text(s->end_bytes).text, vt_bytes_text(s->all_bytes).text,
          vt_counted(s->calls, "call").text);
  if (s->reserved_bytes)
    fprintf(term->out, "; %s only reserved", vt_bytes_text(s->reserved_bytes).text);
  if (s->by_allocator) fputs("; memory of the allocator", term->out);
  putc('\n', term->out);
  if (s->file[0]) {
    fputs("        file ", term->out);
    vt_term_text(term, s->file, vt_term_room(term, 13));
    putc('\n', term->out);
  }
  vt_text_stack(v->analysis, v->options, term, s->node, 0);
}

static void text(void *context, vt_term_t const *term) {
  vt_mappings_view_t const *v = context;
  size_t limit = v->options->limit ? v->options->limit : SITES_SHOWN;
  putc('\n', term->out);
  vt_term_styled(
      term, VT_STYLE_TITLE,
      "MAPPINGS: address space mapped by the program's own calls, most at the end first");
  fprintf(term->out, "\n  at most %s at a time\n", vt_bytes_text(v->peak_bytes).text);
  for (size_t i = 0; i < v->sites_cnt && i < limit; i++) text_site(v, term, &v->sites[i], i + 1);
  if (!vt_analysis_knows_mappings(v->analysis))
    fputs("  not known: a text log does not tell, nor does --no-mappings\n", term->out);
  else if (!v->sites_cnt)
    fputs("  none\n", term->out);
  if (v->sites_cnt > limit)
    fprintf(term->out, "\n     and %zu more (--limit N shows more)\n", v->sites_cnt - limit);
}

static void json(void *context, vt_json_t *out) {
  vt_mappings_view_t const *v = context;
  vt_json_array(out, "mappings");
  for (size_t i = 0; i < v->sites_cnt && (!v->options->limit || i < v->options->limit); i++) {
    site_t const *s = &v->sites[i];
    vt_json_object(out, NULL);
    vt_json_uint(out, "end_bytes", s->end_bytes);
    vt_json_uint(out, "reserved_bytes", s->reserved_bytes);
    vt_json_uint(out, "mapped_bytes", s->all_bytes);
    vt_json_uint(out, "calls", s->calls);
    vt_json_bool(out, "by_allocator", s->by_allocator);
    vt_json_string(out, "file", s->file);
    vt_json_stack(out, v->analysis, v->options, s->node);
    vt_json_end_object(out);
  }
  vt_json_end_array(out);
}

vt_report_part_t vt_mappings_view_part(vt_mappings_view_t *v, vt_report_options_t const *options) {
  v->options = options;
  return (vt_report_part_t){text, json, v};
}
