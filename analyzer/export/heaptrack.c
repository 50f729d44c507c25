/* heaptrack's interpreted text format: tables of strings, code addresses and traces, then every
   event in order. Numbers are hexadecimal without prefix. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/export/export.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/strings.h"

typedef struct {
  vt_export_t const *export;
  FILE *out;
  vt_strings_t *strings; /* indexes are heaptrack's: 0 is none */
  vt_strings_t *places;  /* interned keys of "i" lines */
  uint32_t *traces;      /* by node: number of its "t" line, … */
  uint32_t *visible;     /* … and without the allocators at its inner end */
  uint32_t trace_cnt;
  vt_strings_t *allocations; /* interned (size, trace); index - 1 is the number of its "a" line */
  uint64_t last_ms;
} heaptrack_t;

static uint32_t put_string(heaptrack_t *h, char const *text) {
  uint32_t before = vt_strings_cnt(h->strings), index = vt_strings_intern_cstr(h->strings, text);
  if (index < before) return index;
  fprintf(h->out, "s %zx ", strlen(text));
  for (; *text; text++) putc(*text == '\n' ? ' ' : *text, h->out);
  putc('\n', h->out);
  return index;
}

/* The functions of a node as they are to be shown, innermost first. */
static size_t frames_of(heaptrack_t const *h, uint32_t node, int hide, vt_stack_frame_t *frames) {
  size_t kept = 0, cnt = vt_stacks_frames(h->export->analysis->stacks, node, hide, frames);
  for (size_t i = 0; i < cnt; i++)
    if (!h->export->report->no_inlines || !frames[i].inlined) frames[kept++] = frames[i];
  return kept;
}

/* The "i" line of a node's code; returns its number. */
static uint32_t put_place(heaptrack_t *h, uint32_t node, int hide) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  char buffer[300];
  size_t cnt = frames_of(h, node, hide, frames);
  uint64_t key[3] = {frames[0].offset, put_string(h, frames[0].module), (uint64_t)hide};
  uint32_t before = vt_strings_cnt(h->places);
  uint32_t index = vt_strings_intern(h->places, (char const *)key, sizeof key);
  if (index < before) return index;
  for (size_t i = 0; i < cnt; i++) {
    put_string(h, vt_frame_name(&frames[i], buffer, sizeof buffer));
    put_string(h, frames[i].file);
  }
  fprintf(h->out, "i %" PRIx64 " %" PRIx64, frames[0].offset, key[1]);
  for (size_t i = 0; i < cnt; i++)
    fprintf(h->out, " %x %x %x", put_string(h, vt_frame_name(&frames[i], buffer, sizeof buffer)),
            put_string(h, frames[i].file), frames[i].line);
  putc('\n', h->out);
  return index;
}

static uint32_t put_trace(heaptrack_t *h, uint32_t node, int hide) {
  uint32_t place = put_place(h, node, hide);
  uint32_t caller = vt_stacks_parent(h->export->analysis->stacks, node);
  fprintf(h->out, "t %x %x\n", place, h->traces[caller]);
  return ++h->trace_cnt;
}

static void put_traces(heaptrack_t *h) {
  vt_stacks_t const *stacks = h->export->analysis->stacks;
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  int hide = !h->export->report->keep_allocators;
  h->traces = vt_mem_new(vt_stacks_cnt(stacks), sizeof *h->traces);
  h->visible = vt_mem_new(vt_stacks_cnt(stacks), sizeof *h->visible);
  for (uint32_t node = 1; node < vt_stacks_cnt(stacks); node++) {
    int same = !hide || frames_of(h, node, 0, frames) == frames_of(h, node, 1, frames);
    h->traces[node] = put_trace(h, node, 0);
    h->visible[node] = same ? h->traces[node] : put_trace(h, node, 1);
  }
}

/* heaptrack itself then takes what matches out of what leaked. */
static void put_suppressions(heaptrack_t const *h) {
  vt_suppressions_t const *suppressions = h->export->report->suppressions;
  for (size_t i = 0; suppressions && i < suppressions->items_cnt; i++)
    fprintf(h->out, "S leak:%s\n", suppressions->items[i].pattern);
}

static void put_time(heaptrack_t *h, uint64_t ns) {
  uint64_t ms = ns / 1000000;
  if (ms == h->last_ms) return;
  h->last_ms = ms;
  fprintf(h->out, "c %" PRIx64 "\n", ms);
}

/* Blocks of equal size and stack are one "a" line, which their "+" and "-" lines refer to. One of a sampled trace has as
   many of these as it stands for: the format has no other place for that. */
static void on_change(void *context, vt_model_change_t const *change) {
  heaptrack_t *h = context;
  uint32_t node = vt_export_change_node(h->export, change);
  uint64_t key[2] = {change->size, node ? h->visible[node] : 0};
  uint32_t before = vt_strings_cnt(h->allocations);
  uint32_t index = vt_strings_intern(h->allocations, (char const *)key, sizeof key);
  put_time(h, change->time);
  if (index >= before) fprintf(h->out, "a %" PRIx64 " %" PRIx64 "\n", key[0], key[1]);
  for (uint64_t i = 0; i < change->share.blocks; i++) fprintf(h->out, "%c %x\n", change->begins ? '+' : '-', index - 1);
}

void vt_export_heaptrack(vt_export_t const *export) {
  vt_reader_t *reader = export->analysis->readers[0];
  vt_trace_info_t const *info = vt_reader_info(reader);
  heaptrack_t h = {.export = export,
                   .out = export->out,
                   .strings = vt_strings_new(),
                   .places = vt_strings_new(),
                   .allocations = vt_strings_new()};
  size_t cnt;
  fputs("v 10400 3\n", h.out);
  if (export->analysis->sampled.period)
    fprintf(h.out, "# estimates from a sample: one block in %" PRIu64 " bytes was recorded\n", export->analysis->sampled.period);
  if (vt_export_unsure(export)) fputs("# " VT_EXPORT_UNSURE "\n", h.out);
  putc('X', h.out);
  for (uint32_t i = 0; i < info->argc; i++) {
    putc(' ', h.out);
    for (char const *p = info->argv[i]; *p; p++) putc(*p == '\n' ? ' ' : *p, h.out);
  }
  fprintf(h.out, "\nI %x %x\n", info->page_sz, 0);
  put_suppressions(&h);
  put_traces(&h);
  vt_analysis_replay(export->analysis, export->options,
                     &(vt_model_watch_t){.changed = on_change, .context = &h});
  put_time(&h, vt_reader_end_time(reader));
  vt_trace_memory_t const *samples = vt_reader_memory(reader, &cnt);
  if (cnt)
    fprintf(h.out, "R %" PRIx64 "\n",
            samples[cnt - 1].resident_bytes / (info->page_sz ? info->page_sz : 4096));
  vt_strings_delete(h.strings);
  vt_strings_delete(h.places);
  vt_strings_delete(h.allocations);
  free(h.traces);
  free(h.visible);
}
