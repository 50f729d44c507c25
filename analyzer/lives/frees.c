/* See frees.h. While the events go by, blocks are counted by (cell, freeing stack, both threads);
   names come afterwards, when rows with equal names are put together. */
#include "analyzer/lives/frees.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/mem.h"

#define ROWS  20 /* of text, unless --limit says how many */
#define PAIRS 3  /* of threads, named for each */

typedef struct {
  uint32_t cell, stack, owner, freer; /* freer: VT_MODEL_NO_THREAD, a heap was emptied; UNSEEN */
  uint64_t blocks, bytes;
  vt_spread_t spread; /* of a sampled trace */
} entry_t;
#define UNSEEN (VT_MODEL_NO_THREAD - 1) /* recording was paused, and has not told by whom */

/* What one allocation site and one freeing site have. */
typedef struct {
  vt_stack_frame_t from, to; /* the functions they are grouped under */
  uint32_t nodes[2];         /* the stacks of its largest entry */
  uint64_t largest;
  uint64_t blocks, bytes, other_thread;
  vt_spread_t spread;
  size_t entries, entry_cnt; /* in the order of `sorted` */
} row_t;

struct vt_frees {
  entry_t *entries;
  size_t entries_cnt, entries_cap;
  uint32_t *slots; /* entry + 1; 0: free */
  size_t mask;
  vt_analysis_t *analysis;
  vt_report_options_t const *options;
  uint32_t **nodes; /* by trace, by stack: of those that free */
  row_t *rows;
  size_t rows_cnt, rows_cap;
  row_t *sorted; /* one for each entry, equal ones side by side; entries: the entry */
};

vt_frees_t *vt_frees_new(void) {
  vt_frees_t *f = vt_mem_new(1, sizeof *f);
  f->mask = 4095;
  f->slots = vt_mem_new(f->mask + 1, sizeof *f->slots);
  return f;
}

void vt_frees_delete(vt_frees_t *f) {
  if (!f) return;
  for (size_t t = 0; f->nodes && t < f->analysis->trace_cnt; t++) free(f->nodes[t]);
  free(f->nodes);
  free(f->entries);
  free(f->slots);
  free(f->rows);
  free(f->sorted);
  free(f);
}

/* ---- counting ---- */

static size_t hash(entry_t const *key) {
  uint64_t a = (uint64_t)key->cell << 32 | key->stack, b = (uint64_t)key->owner << 32 | key->freer;
  a = (a ^ b * 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;
  return (size_t)(a ^ a >> 32);
}

static int same(entry_t const *a, entry_t const *b) {
  return a->cell == b->cell && a->stack == b->stack && a->owner == b->owner && a->freer == b->freer;
}

static uint32_t *find(vt_frees_t const *f, entry_t const *key) {
  size_t at = hash(key) & f->mask;
  while (f->slots[at] && !same(&f->entries[f->slots[at] - 1], key)) at = (at + 1) & f->mask;
  return &f->slots[at];
}

static void grow(vt_frees_t *f) {
  free(f->slots);
  f->mask = 2 * f->mask + 1;
  f->slots = vt_mem_new(f->mask + 1, sizeof *f->slots);
  for (uint32_t i = 0; i < f->entries_cnt; i++) *find(f, &f->entries[i]) = i + 1;
}

/* A realloc that moves or enlarges a block is no free; one to size 0 is. */
static void changed(void *context, vt_model_change_t const *change) {
  vt_frees_t *f = context;
  if (change->begins) return;
  entry_t key = {.cell = change->cell, .stack = change->stack, .owner = change->owner,
                 .freer = change->unseen ? UNSEEN : change->thread};
  uint32_t *slot = find(f, &key);
  if (!*slot) {
    VT_PUSH(f->entries, key);
    *slot = (uint32_t)f->entries_cnt;
    if (2 * f->entries_cnt > f->mask) {
      grow(f);
      slot = find(f, &key);
    }
  }
  entry_t *entry = &f->entries[*slot - 1];
  entry->blocks += change->share.blocks;
  entry->bytes += change->share.bytes;
  if (!change->period) return;
  vt_spread_t one = vt_estimate_spread(change->period, change->size);
  vt_spread_add(&entry->spread, &one, 1);
}

vt_model_watch_t vt_frees_watch(vt_frees_t *f) {
  return (vt_model_watch_t){.changed = changed, .context = f};
}

/* ---- names ---- */

static int compare_text(char const *a, char const *b) { return a < b ? -1 : a > b; }

static int compare_frames(vt_stack_frame_t const *a, vt_stack_frame_t const *b, vt_by_t by) {
  int order = compare_text(a->module, b->module);
  if (order || by == VT_BY_MODULE) return order;
  order = compare_text(a->function, b->function);
  if (!order && !a->function[0]) order = a->offset < b->offset ? -1 : a->offset > b->offset;
  if (order || by == VT_BY_FUNCTION) return order;
  order = compare_text(a->file, b->file);
  return order ? order : a->line < b->line ? -1 : a->line > b->line;
}

static int compare_rows(void const *a, void const *b, void *context) {
  row_t const *x = a, *y = b;
  vt_by_t by = *(vt_by_t *)context;
  if (by == VT_BY_SITE) {
    for (int i = 0; i < 2; i++)
      if (x->nodes[i] != y->nodes[i]) return x->nodes[i] < y->nodes[i] ? -1 : 1;
    return 0;
  }
  int order = compare_frames(&x->from, &y->from, by);
  return order ? order : compare_frames(&x->to, &y->to, by);
}

static int compare_blocks(void const *a, void const *b) {
  row_t const *x = a, *y = b;
  if (x->blocks != y->blocks) return x->blocks > y->blocks ? -1 : 1;
  return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

static row_t row_of(vt_frees_t const *f, uint32_t number) {
  entry_t const *entry = &f->entries[number];
  size_t cnt;
  vt_cell_t const *cell = &vt_model_cells(f->analysis->model, &cnt)[entry->cell];
  row_t row = {.blocks = entry->blocks, .bytes = entry->bytes, .spread = entry->spread, .entries = number, .entry_cnt = 1};
  row.nodes[0] = vt_analysis_cell_node(f->analysis, cell, f->options->keep_allocators);
  row.nodes[1] = f->nodes[cell->trace][entry->stack];
  row.from = vt_group_frame(f->analysis, row.nodes[0]);
  row.to = vt_group_frame(f->analysis, row.nodes[1]);
  row.largest = entry->blocks;
  if (entry->owner != entry->freer && entry->freer != UNSEEN) row.other_thread = entry->blocks;
  return row;
}

/* Brings the stacks that free into the analysis. */
static void find_nodes(vt_frees_t *f) {
  size_t cnt;
  vt_cell_t const *cells = vt_model_cells(f->analysis->model, &cnt);
  f->nodes = vt_mem_new(f->analysis->trace_cnt, sizeof *f->nodes);
  for (uint32_t t = 0; t < f->analysis->trace_cnt; t++) {
    uint8_t *used = vt_mem_new((size_t)vt_reader_stacks(f->analysis->readers[t]).cnt + 1, 1);
    for (size_t i = 0; i < f->entries_cnt; i++)
      if (cells[f->entries[i].cell].trace == t) used[f->entries[i].stack] = 1;
    f->nodes[t] = vt_stacks_add(f->analysis->stacks, f->analysis->readers[t], used);
    free(used);
  }
  vt_stacks_symbolize(f->analysis->stacks);
}

static void make_rows(vt_frees_t *f) {
  vt_by_t by = f->options->by;
  f->sorted = vt_mem_new(f->entries_cnt + 1, sizeof *f->sorted);
  for (uint32_t i = 0; i < f->entries_cnt; i++) f->sorted[i] = row_of(f, i);
  if (f->entries_cnt) qsort_r(f->sorted, f->entries_cnt, sizeof *f->sorted, compare_rows, &by);
  for (size_t i = 0; i < f->entries_cnt; i++) {
    row_t *last = f->rows_cnt ? &f->rows[f->rows_cnt - 1] : NULL, *here = &f->sorted[i];
    if (!last || compare_rows(last, here, &by)) {
      row_t row = *here;
      row.entries = i;
      VT_PUSH(f->rows, row);
      continue;
    }
    last->blocks += here->blocks;
    last->bytes += here->bytes;
    vt_spread_add(&last->spread, &here->spread, 1);
    last->other_thread += here->other_thread;
    last->entry_cnt++;
    if (here->largest <= last->largest) continue;
    last->largest = here->largest;
    memcpy(last->nodes, here->nodes, sizeof last->nodes);
    last->from = here->from;
    last->to = here->to;
  }
  if (f->rows_cnt) qsort(f->rows, f->rows_cnt, sizeof *f->rows, compare_blocks);
}

/* ---- pairs of threads ---- */

typedef struct {
  uint32_t owner, freer;
  uint64_t blocks, bytes;
} pair_t;

static int compare_pairs(void const *a, void const *b) {
  pair_t const *x = a, *y = b;
  if (x->blocks != y->blocks) return x->blocks > y->blocks ? -1 : 1;
  return x->owner != y->owner ? (x->owner < y->owner ? -1 : 1) : x->freer < y->freer ? -1 : 1;
}

static int compare_threads(void const *a, void const *b) {
  pair_t const *x = a, *y = b;
  if (x->owner != y->owner) return x->owner < y->owner ? -1 : 1;
  return x->freer < y->freer ? -1 : x->freer > y->freer;
}

/* The pairs of a row, those with most blocks first; the caller frees them. */
static pair_t *pairs_of(vt_frees_t const *f, row_t const *row, size_t *cnt) {
  pair_t *pairs = vt_mem_new(row->entry_cnt, sizeof *pairs);
  *cnt = 0;
  for (size_t i = 0; i < row->entry_cnt; i++) {
    entry_t const *entry = &f->entries[f->sorted[row->entries + i].entries];
    pairs[i] = (pair_t){entry->owner, entry->freer, entry->blocks, entry->bytes};
  }
  qsort(pairs, row->entry_cnt, sizeof *pairs, compare_threads);
  for (size_t i = 0; i < row->entry_cnt; i++) {
    if (*cnt && !compare_threads(&pairs[*cnt - 1], &pairs[i])) {
      pairs[*cnt - 1].blocks += pairs[i].blocks;
      pairs[*cnt - 1].bytes += pairs[i].bytes;
    } else
      pairs[(*cnt)++] = pairs[i];
  }
  qsort(pairs, *cnt, sizeof *pairs, compare_pairs);
  return pairs;
}

/* ---- text ---- */

static int is_sampled(vt_frees_t const *f) { return f->analysis->sampled.period != 0; }

static void text_side(vt_frees_t const *f, vt_term_t const *term, char const *label,
                      vt_stack_frame_t const *frame, uint32_t node) {
  char buffer[1024];
  fprintf(term->out, "        %-10s ", label);
  if (f->options->by == VT_BY_MODULE) {
    vt_term_path(term, frame->module[0] ? frame->module : "[no module]", vt_term_room(term, 19));
    putc('\n', term->out);
    return;
  }
  int room = vt_term_room(term, 21);
  int used = vt_term_text(term, vt_text_name(term, frame, buffer, sizeof buffer),
                          room > 200 ? 200 : room / 2);
  vt_text_behind(term, frame, vt_term_room(term, 19 + used));
  putc('\n', term->out);
  if (f->options->by == VT_BY_SITE) vt_text_stack(f->analysis, f->options, term, node, 0);
}

static void text_threads(vt_frees_t const *f, vt_term_t const *term, row_t const *row) {
  size_t cnt;
  pair_t *pairs = pairs_of(f, row, &cnt);
  fputs("        threads   ", term->out);
  for (size_t i = 0; i < cnt && i < PAIRS; i++) {
    pair_t const *pair = &pairs[i];
    fprintf(term->out, "%s%s%s ", i ? ", " : " ", is_sampled(f) ? "≈ " : "", vt_count_text(pair->blocks).text);
    if (pair->freer == VT_MODEL_NO_THREAD)
      fputs("with their heap", term->out);
    else if (pair->freer == UNSEEN)
      fputs("not known by whom (recording was paused)", term->out);
    else if (pair->owner == pair->freer)
      fprintf(term->out, "all by %s", vt_analysis_label(f->analysis, pair->owner).text);
    else
      fprintf(term->out, "%s -> %s", vt_analysis_label(f->analysis, pair->owner).text,
              vt_analysis_label(f->analysis, pair->freer).text);
  }
  if (cnt > PAIRS) fprintf(term->out, ", … %zu pairs", cnt);
  putc('\n', term->out);
  free(pairs);
}

static void text_amount(vt_frees_t const *f, vt_term_t const *term, row_t const *row) {
  vt_estimate_text_t blocks = vt_count_estimate(row->blocks, vt_estimate_error(row->spread.blocks));
  if (is_sampled(f)) {
    vt_term_styled(term, VT_STYLE_TITLE, "%s blocks", blocks.text);
    fprintf(term->out, "  %s", vt_bytes_estimate(row->bytes, vt_estimate_error(row->spread.bytes)).text);
    return;
  }
  vt_term_styled(term, VT_STYLE_TITLE, "%20s", vt_counted(row->blocks, "block").text);
  fprintf(term->out, " %10s", vt_bytes_text(row->bytes).text);
}

static void text(void *context, vt_term_t const *term) {
  vt_frees_t const *f = context;
  size_t limit = f->options->limit ? f->options->limit : ROWS;
  putc('\n', term->out);
  vt_term_styled(term, VT_STYLE_TITLE, "FREES: where blocks are allocated and freed, most first");
  putc('\n', term->out);
  for (size_t i = 0; i < f->rows_cnt && i < limit; i++) {
    row_t const *row = &f->rows[i];
    fprintf(term->out, "\n%3zu. ", i + 1);
    text_amount(f, term, row);
    if (row->other_thread)
      fprintf(term->out, "  %s%s by another thread", is_sampled(f) ? "≈ " : "",
              vt_percent_text(row->other_thread, row->blocks).text);
    putc('\n', term->out);
    text_side(f, term, "allocated", &row->from, row->nodes[0]);
    text_side(f, term, "freed", &row->to, row->nodes[1]);
    text_threads(f, term, row);
  }
  if (!f->rows_cnt) fputs("\n  none\n", term->out);
  if (f->rows_cnt > limit)
    fprintf(term->out, "\n     and %zu more (--limit N shows more)\n", f->rows_cnt - limit);
}

/* ---- JSON ---- */

static void json_side(vt_frees_t const *f, vt_json_t *json, char const *key,
                      vt_stack_frame_t const *frame, uint32_t node) {
  vt_json_object(json, key);
  vt_json_group(json, frame, f->options->by == VT_BY_MODULE ? VT_BY_MODULE : VT_BY_LINE);
  vt_json_stack(json, f->analysis, f->options, node);
  vt_json_end_object(json);
}

static void json_thread(vt_frees_t const *f, vt_json_t *json, char const *key, uint32_t thread) {
  if (thread >= UNSEEN)
    vt_json_null(json, key);
  else
    vt_json_thread(json, key, f->analysis, thread);
}

static void json(void *context, vt_json_t *json) {
  vt_frees_t const *f = context;
  vt_json_array(json, "frees");
  for (size_t i = 0; i < f->rows_cnt && (!f->options->limit || i < f->options->limit); i++) {
    row_t const *row = &f->rows[i];
    size_t cnt;
    pair_t *pairs = pairs_of(f, row, &cnt);
    vt_json_object(json, NULL);
    vt_json_uint(json, "rank", i + 1);
    vt_json_uint(json, "blocks", row->blocks);
    vt_json_uint(json, "bytes", row->bytes);
    vt_json_uint(json, "other_thread_blocks", row->other_thread);
    if (is_sampled(f)) {
      vt_json_object_line(json, "standard_error");
      vt_json_uint(json, "blocks", vt_estimate_error(row->spread.blocks));
      vt_json_uint(json, "bytes", vt_estimate_error(row->spread.bytes));
      vt_json_end_object(json);
    }
    json_side(f, json, "allocation", &row->from, row->nodes[0]);
    json_side(f, json, "free", &row->to, row->nodes[1]);
    vt_json_array(json, "threads");
    for (size_t k = 0; k < cnt; k++) {
      vt_json_object_line(json, NULL);
      json_thread(f, json, "allocated_by", pairs[k].owner);
      json_thread(f, json, "freed_by", pairs[k].freer);
      vt_json_uint(json, "blocks", pairs[k].blocks);
      vt_json_uint(json, "bytes", pairs[k].bytes);
      vt_json_end_object(json);
    }
    vt_json_end_array(json);
    vt_json_end_object(json);
    free(pairs);
  }
  vt_json_end_array(json);
}

vt_report_part_t vt_frees_part(vt_frees_t *f, vt_analysis_t *analysis,
                               vt_report_options_t const *options) {
  f->analysis = analysis;
  f->options = options;
  find_nodes(f);
  make_rows(f);
  return (vt_report_part_t){text, json, f};
}
