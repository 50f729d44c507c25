/* See block.h. Every change of a block near the address is kept; blocks are put together from them
   afterwards. */
#include "analyzer/lives/block.h"
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/deletes.h"
#include "analyzer/report/families.h"
#include "analyzer/util/mem.h"

#define NEAR   64
#define BLOCKS 10 /* of text, unless --limit says how many: the last ones */

/* One life of a block. */
typedef struct {
  vt_model_change_t begins, ends;
  int ended, resized_from; /* the block before it in the list became this one by realloc */
} life_t;

struct vt_block_history {
  uint64_t address, at_ns;
  vt_model_change_t *changes;
  size_t changes_cnt, changes_cap;
  vt_model_unmatched_t *unmatched;
  size_t unmatched_cnt, unmatched_cap;
  life_t *lives;
  size_t lives_cnt, lives_cap;
  int near; /* none contains the address */
  vt_analysis_t *analysis;
  vt_report_options_t const *options;
  uint32_t **nodes;
  size_t nodes_cnt;
};

vt_block_history_t *vt_block_history_new(uint64_t address, uint64_t at_ns) {
  vt_block_history_t *h = vt_mem_new(1, sizeof *h);
  h->address = address;
  h->at_ns = at_ns;
  return h;
}

void vt_block_history_delete(vt_block_history_t *h) {
  if (!h) return;
  for (size_t t = 0; t < h->nodes_cnt; t++) free(h->nodes[t]);
  free(h->nodes);
  free(h->changes);
  free(h->unmatched);
  free(h->lives);
  free(h);
}

static int contains(vt_model_change_t const *change, uint64_t address) {
  uint64_t inside = address - change->address;
  return inside == 0 || inside < change->size;
}

static void changed(void *context, vt_model_change_t const *change) {
  vt_block_history_t *h = context;
  uint64_t low = change->address > NEAR ? change->address - NEAR : 0;
  if (h->address < low || h->address > change->address + change->size + NEAR) return;
  VT_PUSH(h->changes, *change);
}

static void unmatched(void *context, vt_model_unmatched_t const *free) {
  vt_block_history_t *h = context;
  if (free->address == h->address) VT_PUSH(h->unmatched, *free);
}

vt_model_watch_t vt_block_history_watch(vt_block_history_t *h) {
  return (vt_model_watch_t){.changed = changed, .unmatched = unmatched, .context = h, .nested = 1};
}

/* ---- putting together ---- */

static void end_life(vt_block_history_t *h, vt_model_change_t const *change) {
  for (size_t i = h->lives_cnt; i-- > 0;) {
    life_t *life = &h->lives[i];
    if (life->ended || life->begins.address != change->address ||
        life->begins.heap != change->heap || life->begins.trace != change->trace)
      continue;
    life->ends = *change;
    life->ended = 1;
    return;
  }
}

static void make_lives(vt_block_history_t *h) {
  int inside = 0;
  for (size_t i = 0; i < h->changes_cnt; i++) inside |= contains(&h->changes[i], h->address);
  h->near = !inside;
  for (size_t i = 0; i < h->changes_cnt; i++) {
    vt_model_change_t const *change = &h->changes[i];
    if (inside && !contains(change, h->address)) continue;
    if (!change->begins) {
      end_life(h, change);
      continue;
    }
    life_t const *last = h->lives_cnt ? &h->lives[h->lives_cnt - 1] : NULL;
    int resized = last && last->ended && last->ends.event == change->event;
    VT_PUSH(h->lives, ((life_t){.begins = *change, .resized_from = resized}));
  }
}

/* Leaves the last one that began until h->at_ns. */
static void choose_moment(vt_block_history_t *h) {
  size_t cnt = 0;
  while (cnt < h->lives_cnt && h->lives[cnt].begins.time <= h->at_ns) cnt++;
  if (cnt > 1) h->lives[0] = h->lives[cnt - 1];
  h->lives_cnt = cnt ? 1 : 0;
  for (size_t i = 0; i < h->lives_cnt; i++) h->lives[i].resized_from = 0;
}

static void use(vt_analysis_t const *analysis, uint32_t trace, uint32_t of, uint32_t stack,
                uint8_t *used) {
  if (of == trace && stack < vt_reader_stacks(analysis->readers[trace]).cnt) used[stack] = 1;
}

static void find_nodes(vt_block_history_t *h) {
  vt_analysis_t *analysis = h->analysis;
  h->nodes = vt_mem_new(analysis->trace_cnt, sizeof *h->nodes);
  h->nodes_cnt = analysis->trace_cnt;
  for (uint32_t t = 0; t < analysis->trace_cnt; t++) {
    uint8_t *used = vt_mem_new((size_t)vt_reader_stacks(analysis->readers[t]).cnt + 1, 1);
    for (size_t i = 0; i < h->changes_cnt; i++)
      use(analysis, t, h->changes[i].trace, h->changes[i].stack, used);
    for (size_t i = 0; i < h->unmatched_cnt; i++)
      use(analysis, t, h->unmatched[i].trace, h->unmatched[i].stack, used);
    h->nodes[t] = vt_stacks_add(analysis->stacks, analysis->readers[t], used);
    free(used);
  }
  vt_stacks_symbolize(analysis->stacks);
}

size_t vt_block_history_find(vt_block_history_t *h, vt_analysis_t *analysis,
                             vt_report_options_t const *options) {
  h->analysis = analysis;
  h->options = options;
  make_lives(h);
  if (h->at_ns != UINT64_MAX) choose_moment(h);
  find_nodes(h);
  return h->lives_cnt + h->unmatched_cnt;
}

/* ---- text ---- */

static void text_point(vt_block_history_t const *h, vt_term_t const *term, char const *what,
                       vt_model_change_t const *change) {
  if (change->unseen) {
    fprintf(term->out, "    freed, not known when and by whom (recording was paused), before %s\n", vt_time_text(change->time).text);
    return;
  }
  vt_term_styled(term, VT_STYLE_FAINT, "    %s at %s", what, vt_time_text(change->time).text);
  if (change->thread == VT_MODEL_NO_THREAD) {
    fputs(" with its heap\n", term->out);
    return;
  }
  vt_term_styled(term, VT_STYLE_FAINT, " by thread %s with %s\n",
                 vt_analysis_label(h->analysis, change->thread).text, vt_api_name(change->api));
  vt_text_stack(h->analysis, h->options, term, h->nodes[change->trace][change->stack], 0);
}

static vt_delete_t fault_of(life_t const *life) {
  vt_new_t block = {life->begins.size, life->begins.align, life->begins.api};
  return life->ended ? vt_delete_judge(&block, &life->ends) : VT_DELETE_RIGHT;
}

static void text_fault(vt_term_t const *term, life_t const *life) {
  char text[128];
  vt_new_t block = {life->begins.size, life->begins.align, life->begins.api};
  vt_delete_t fault = fault_of(life);
  if (fault == VT_DELETE_RIGHT) return;
  fprintf(term->out, "    wrong: %s %s\n", vt_api_name(life->ends.api),
          vt_delete_text(fault, &block, life->ends.said, life->ends.align, text));
}

static void text_life(vt_block_history_t const *h, vt_term_t const *term, size_t number) {
  life_t const *life = &h->lives[number];
  char heap[32];
  int next = number + 1 < h->lives_cnt && h->lives[number + 1].resized_from;
  putc('\n', term->out);
  vt_term_styled(term, VT_STYLE_TITLE, "  0x%" PRIx64 ", %s", life->begins.address,
                 vt_bytes_text(life->begins.size).text);
  fputs(", heap ", term->out);
  vt_term_text(term, vt_analysis_heap_name(h->analysis, life->begins.heap, heap), INT_MAX);
  putc('\n', term->out);
  text_point(h, term, life->resized_from ? "resized" : "allocated", &life->begins);
  if (!life->ended)
    fputs("    live at the end\n", term->out);
  else if (!next || h->lives[number + 1].begins.event != life->ends.event)
    text_point(h, term,
               life->ends.intent == life->ends.event ? "freed" : "moved or freed by realloc",
               &life->ends);
  text_fault(term, life);
}

/* say_sampled: of a sample it is not the whole history. */
static void say_sampled(vt_block_history_t const *h, vt_term_t const *term) {
  if (!h->analysis->sampled.period) return;
  vt_term_wrap(term, "The trace is a sample: blocks that were not recorded may have been here, too, before, between and after these.", 0);
  putc('\n', term->out);
}

void vt_block_history_text(vt_block_history_t const *h, vt_term_t const *term) {
  size_t limit = h->options->limit ? h->options->limit : BLOCKS;
  size_t first = h->lives_cnt > limit ? h->lives_cnt - limit : 0;
  say_sampled(h, term);
  if (h->near)
    fprintf(term->out, "no block contains 0x%" PRIx64 "; within %d bytes:\n", h->address, NEAR);
  if (first)
    fprintf(term->out, "%s before these (--limit N shows more)\n", vt_counted(first, "block").text);
  for (size_t i = first; i < h->lives_cnt; i++) text_life(h, term, i);
  for (size_t i = 0; i < h->unmatched_cnt && i < limit; i++) {
    vt_model_unmatched_t const *wrong = &h->unmatched[i];
    char const *unseen = vt_unseen_text(vt_analysis_unseen(h->analysis, wrong->trace));
    fprintf(term->out, "\n  freed at %s by thread %s with %s, though no block was live there%s%s\n",
            vt_time_text(wrong->time).text, vt_analysis_label(h->analysis, wrong->thread).text,
            vt_api_name(wrong->api), *unseen ? ": " : "", unseen);
    vt_text_stack(h->analysis, h->options, term, h->nodes[wrong->trace][wrong->stack], 0);
  }
}

/* ---- JSON ---- */

static void json_point(vt_block_history_t const *h, vt_json_t *json, char const *key,
                       vt_model_change_t const *change) {
  vt_json_object(json, key);
  vt_json_uint(json, "t_ns", change->time);
  if (change->thread == VT_MODEL_NO_THREAD)
    vt_json_null(json, "thread");
  else
    vt_json_thread(json, "thread", h->analysis, change->thread);
  vt_json_string(json, "api", vt_api_name(change->api));
  vt_json_bool(json, "realloc", change->intent != change->event);
  if (change->unseen) vt_json_bool(json, "unseen", 1);
  vt_json_stack(json, h->analysis, h->options, h->nodes[change->trace][change->stack]);
  vt_json_end_object(json);
}

static void json_address(vt_json_t *json, uint64_t address) {
  char hex[24];
  snprintf(hex, sizeof hex, "0x%" PRIx64, address);
  vt_json_uint(json, "address", address);
  vt_json_string(json, "address_hex", hex);
}

/* What is wrong with its deletion: the names of report mismatches, and what was told (0: no alignment). */
static void json_fault(vt_json_t *json, life_t const *life) {
  static char const *const names[] = {NULL, "wrong-size", "wrong-alignment"};
  vt_delete_t fault = fault_of(life);
  vt_json_text_or_null(json, "fault", fault ? names[fault] : "");
  vt_json_known(json, "said_size", fault && life->ends.said, life->ends.said);
  vt_json_known(json, "said_align", fault != VT_DELETE_RIGHT, life->ends.align);
}

static void json_life(vt_block_history_t const *h, vt_json_t *json, life_t const *life) {
  char heap[32];
  vt_json_object(json, NULL);
  json_address(json, life->begins.address);
  vt_json_uint(json, "size", life->begins.size);
  vt_json_string(json, "heap", vt_analysis_heap_name(h->analysis, life->begins.heap, heap));
  vt_json_bool(json, "resized", life->resized_from);
  json_point(h, json, "allocation", &life->begins);
  if (life->ended)
    json_point(h, json, "free", &life->ends);
  else
    vt_json_null(json, "free");
  json_fault(json, life);
  vt_json_end_object(json);
}

void vt_block_history_json(vt_block_history_t const *h, FILE *out) {
  vt_json_t json = vt_json_start(out);
  size_t limit = h->options->limit ? h->options->limit : SIZE_MAX;
  size_t first = h->lives_cnt > limit ? h->lives_cnt - limit : 0;
  vt_json_object(&json, NULL);
  vt_json_string(&json, "schema", "valtrace-block");
  vt_json_uint(&json, "version", 1);
  json_address(&json, h->address);
  vt_json_bool(&json, "contained", !h->near);
  vt_json_uint(&json, "sampled", h->analysis->sampled.period);
  vt_json_array(&json, "blocks");
  for (size_t i = first; i < h->lives_cnt; i++) json_life(h, &json, &h->lives[i]);
  vt_json_end_array(&json);
  vt_json_array(&json, "wrong_frees");
  for (size_t i = 0; i < h->unmatched_cnt; i++) {
    vt_model_unmatched_t const *wrong = &h->unmatched[i];
    vt_json_object(&json, NULL);
    vt_json_uint(&json, "t_ns", wrong->time);
    vt_json_thread(&json, "thread", h->analysis, wrong->thread);
    vt_json_string(&json, "api", vt_api_name(wrong->api));
    vt_json_text_or_null(&json, "perhaps", vt_unseen_text(vt_analysis_unseen(h->analysis, wrong->trace)));
    vt_json_stack(&json, h->analysis, h->options, h->nodes[wrong->trace][wrong->stack]);
    vt_json_end_object(&json);
  }
  vt_json_end_array(&json);
  vt_json_end_object(&json);
  vt_json_finish(&json);
}
