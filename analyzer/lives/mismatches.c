/* See mismatches.h. For each address of each heap the last block there is kept, live or freed. */
#include "analyzer/lives/mismatches.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/model/blocks.h"
#include "analyzer/report/deletes.h"
#include "analyzer/report/families.h"
#include "analyzer/util/mem.h"

#define SHOWN 20 /* of text, unless --limit says how many */

typedef enum { OTHER_FAMILY, WRONG_SIZE, WRONG_ALIGNMENT, FREED_TWICE, INSIDE, UNKNOWN } kind_t;
static char const *const kind_names[] = {"mismatch",    "wrong-size",    "wrong-alignment",
                                         "double-free", "interior-free", "unknown-free"};

/* The free is of a live block, at its address. */
static int is_of_live(kind_t kind) { return kind <= WRONG_ALIGNMENT; }

/* A place where a block was allocated or freed. */
typedef struct {
  uint32_t trace, stack; /* trace: VT_NO_TRACE */
  uint32_t thread;
  uint8_t api;
  uint64_t time;
} point_t;
#define VT_NO_TRACE UINT32_MAX

/* The last block at an address. */
typedef struct {
  point_t allocated, freed;
  uint64_t size, align;
  int live;
} life_t;

/* Wrong frees of one kind with equal stacks. */
typedef struct {
  kind_t kind;
  uint64_t count, address;          /* of the first */
  uint64_t blocks;                  /* what they stand for, in a sampled trace, … */
  double variance;                  /* … and how far off that may be */
  point_t allocated, freed, before; /* before: the free that was right */
  uint64_t size, align;
  uint64_t said_size, said_align; /* what operator delete was told, where that is wrong */
} wrong_t;

struct vt_mismatches {
  vt_blocks_t *addresses; /* by heap; .time: the life */
  size_t addresses_cnt, addresses_cap;
  life_t *lives;
  size_t lives_cnt, lives_cap;
  wrong_t *wrongs;
  size_t wrongs_cnt, wrongs_cap;
  vt_analysis_t *analysis;
  vt_report_options_t const *options;
  uint32_t **nodes;
};

vt_mismatches_t *vt_mismatches_new(void) { return vt_mem_new(1, sizeof(vt_mismatches_t)); }

void vt_mismatches_delete(vt_mismatches_t *m) {
  if (!m) return;
  for (size_t i = 0; i < m->addresses_cnt; i++) vt_blocks_fini(&m->addresses[i]);
  for (size_t t = 0; m->nodes && t < m->analysis->trace_cnt; t++) free(m->nodes[t]);
  free(m->nodes);
  free(m->addresses);
  free(m->lives);
  free(m->wrongs);
  free(m);
}

static vt_blocks_t *addresses_of(vt_mismatches_t *m, uint32_t heap) {
  while (m->addresses_cnt <= heap) {
    vt_blocks_t blocks;
    vt_blocks_init(&blocks);
    VT_PUSH(m->addresses, blocks);
  }
  return &m->addresses[heap];
}

/* The life at an address, a new one if need be. */
static life_t *life_at(vt_mismatches_t *m, uint32_t heap, uint64_t address) {
  vt_blocks_t *blocks = addresses_of(m, heap);
  vt_block_t *slot = vt_blocks_find(blocks, address);
  if (slot->cell) return &m->lives[slot->time];
  vt_block_t block = {.address = address, .size = 1, .time = m->lives_cnt, .cell = 1};
  vt_blocks_insert(blocks, slot, block, 0);
  VT_PUSH(m->lives, ((life_t){.allocated.trace = VT_NO_TRACE, .freed.trace = VT_NO_TRACE}));
  return &m->lives[m->lives_cnt - 1];
}

static int same_point(point_t const *a, point_t const *b) {
  return a->trace == b->trace && a->stack == b->stack && a->api == b->api;
}

static void add_wrong(vt_mismatches_t *m, wrong_t const *wrong) {
  for (size_t i = 0; i < m->wrongs_cnt; i++) {
    wrong_t *have = &m->wrongs[i];
    if (have->kind != wrong->kind || !same_point(&have->allocated, &wrong->allocated) ||
        !same_point(&have->freed, &wrong->freed) || !same_point(&have->before, &wrong->before))
      continue;
    have->count++;
    have->blocks += wrong->blocks;
    have->variance += wrong->variance;
    return;
  }
  VT_PUSH(m->wrongs, *wrong);
}

/* ---- while the events go by ---- */

static point_t point_of(vt_model_change_t const *change, uint32_t trace) {
  return (point_t){trace, change->stack, change->thread, change->api, change->time};
}

/* Tells of a free of the live block, if it is wrong. */
static void judge(vt_mismatches_t *m, life_t const *life, vt_model_change_t const *change, point_t const *here) {
  vt_new_t block = {life->size, life->align, life->allocated.api};
  vt_delete_t fault = vt_delete_judge(&block, change);
  int differ = vt_families_differ(life->allocated.api, here->api);
  if (!differ && fault == VT_DELETE_RIGHT) return;
  wrong_t wrong = {.kind = differ ? OTHER_FAMILY : fault == VT_DELETE_WRONG_SIZE ? WRONG_SIZE : WRONG_ALIGNMENT,
                   .count = 1,
                   .blocks = change->share.blocks,
                   .variance = change->period ? vt_estimate_spread(change->period, change->size).blocks : 0,
                   .address = change->address,
                   .allocated = life->allocated,
                   .freed = *here,
                   .before.trace = VT_NO_TRACE,
                   .size = life->size,
                   .align = life->align};
  if (!differ) wrong.said_size = change->said, wrong.said_align = change->align;
  add_wrong(m, &wrong);
}

static void changed(void *context, vt_model_change_t const *change) {
  vt_mismatches_t *m = context;
  life_t *life = life_at(m, change->heap, change->address);
  point_t here = point_of(change, change->trace);
  if (change->begins) {
    *life = (life_t){.allocated = here,
                     .freed.trace = VT_NO_TRACE,
                     .size = change->size,
                     .align = change->align,
                     .live = 1};
    return;
  }
  if (change->thread != VT_MODEL_NO_THREAD && life->live) judge(m, life, change, &here);
  life->freed = here;
  life->live = 0;
}

/* The live block that the address is inside of; NULL: none. */
static life_t *around(vt_mismatches_t *m, uint32_t heap, uint64_t address) {
  vt_blocks_t const *blocks = addresses_of(m, heap);
  for (size_t i = 0; i <= blocks->mask; i++) {
    vt_block_t const *slot = &blocks->slots[i];
    if (!slot->cell || !m->lives[slot->time].live) continue;
    if (address > slot->address && address - slot->address < m->lives[slot->time].size)
      return &m->lives[slot->time];
  }
  return NULL;
}

static void unmatched(void *context, vt_model_unmatched_t const *free) {
  vt_mismatches_t *m = context;
  vt_block_t const *slot = vt_blocks_find(addresses_of(m, free->heap), free->address);
  life_t const *life = slot->cell ? &m->lives[slot->time] : NULL;
  wrong_t wrong = {.kind = FREED_TWICE,
                   .count = 1,
                   .address = free->address,
                   .allocated.trace = VT_NO_TRACE,
                   .before.trace = VT_NO_TRACE,
                   .freed = {free->trace, free->stack, free->thread, free->api, free->time}};
  if (!life) life = around(m, free->heap, free->address);
  if (!life)
    wrong.kind = UNKNOWN;
  else if (!slot->cell)
    wrong.kind = INSIDE;
  if (life) {
    wrong.allocated = life->allocated;
    wrong.before = life->freed;
    wrong.size = life->size;
  }
  add_wrong(m, &wrong);
}

vt_model_watch_t vt_mismatches_watch(vt_mismatches_t *m) {
  return (vt_model_watch_t){.changed = changed, .unmatched = unmatched, .context = m, .nested = 1};
}

/* ---- the view ---- */

static uint32_t node_of(vt_mismatches_t const *m, point_t const *point) {
  return point->trace == VT_NO_TRACE ? 0 : m->nodes[point->trace][point->stack];
}

static void text_point(vt_mismatches_t const *m, vt_term_t const *term, char const *what,
                       point_t const *point) {
  if (point->trace == VT_NO_TRACE) return;
  vt_term_styled(term, VT_STYLE_FAINT, "        %s by %s at %s in thread %s\n", what,
                 vt_api_name(point->api), vt_time_text(point->time).text,
                 vt_analysis_label(m->analysis, point->thread).text);
  vt_text_stack(m->analysis, m->options, term, node_of(m, point), 0);
}

/* How the block may have been allocated without our seeing it, which makes the free right; "": it cannot. What a
   forked child has seen freed its parent cannot have allocated since. */
static char const *unseen_text(vt_mismatches_t const *m, wrong_t const *wrong) {
  if (is_of_live(wrong->kind)) return "";
  vt_unseen_t unseen = vt_analysis_unseen(m->analysis, wrong->freed.trace);
  return wrong->kind == FREED_TWICE && unseen == VT_UNSEEN_PARENT ? "" : vt_unseen_text(unseen);
}

static void text_delete(vt_term_t const *term, wrong_t const *wrong, char const *times) {
  char text[128];
  vt_new_t block = {wrong->size, wrong->align, wrong->allocated.api};
  vt_delete_t fault = wrong->kind == WRONG_SIZE ? VT_DELETE_WRONG_SIZE : VT_DELETE_WRONG_ALIGNMENT;
  fprintf(term->out, "%s %s %s: 0x%" PRIx64 "\n", times, vt_api_name(wrong->freed.api),
          vt_delete_text(fault, &block, wrong->said_size, wrong->said_align, text), wrong->address);
}
static int is_sampled(vt_mismatches_t const *m) { return m->analysis->sampled.period != 0; }

static void text_wrong(vt_mismatches_t const *m, vt_term_t const *term, wrong_t const *wrong) {
  char const *times = wrong->count == 1 ? "" : " times, first";
  if (wrong->count > 1) fprintf(term->out, "%s", vt_count_text(wrong->count).text);
  switch (wrong->kind) {
  case OTHER_FAMILY:
    fprintf(term->out, "%s %s frees what %s allocated: 0x%" PRIx64 ", %s\n", times,
            vt_api_name(wrong->freed.api), vt_api_name(wrong->allocated.api), wrong->address,
            vt_bytes_text(wrong->size).text);
    break;
  case WRONG_SIZE:
  case WRONG_ALIGNMENT: text_delete(term, wrong, times); break;
  case FREED_TWICE:
    fprintf(term->out, "%s freed twice: 0x%" PRIx64 ", %s\n", times, wrong->address,
            vt_bytes_text(wrong->size).text);
    break;
  case INSIDE:
    fprintf(term->out, "%s free of 0x%" PRIx64 ", which is inside a block of %s\n", times,
            wrong->address, vt_bytes_text(wrong->size).text);
    break;
  default:
    fprintf(term->out, "%s free of 0x%" PRIx64 ", where no block was seen\n", times,
            wrong->address);
  }
  if (is_sampled(m) && wrong->blocks)
    fprintf(term->out, "        in all %s blocks\n", vt_count_estimate(wrong->blocks, vt_estimate_error(wrong->variance)).text);
  if (*unseen_text(m, wrong)) vt_term_styled(term, VT_STYLE_FAINT, "        %s\n", unseen_text(m, wrong));
  text_point(m, term, "allocated", &wrong->allocated);
  text_point(m, term, wrong->kind == FREED_TWICE ? "freed first" : "freed", &wrong->before);
  text_point(m, term, wrong->kind == FREED_TWICE ? "freed again" : "freed", &wrong->freed);
}

static void text(void *context, vt_term_t const *term) {
  vt_mismatches_t const *m = context;
  size_t limit = m->options->limit ? m->options->limit : SHOWN;
  putc('\n', term->out);
  vt_term_styled(term, VT_STYLE_TITLE, "MISMATCHES: wrong frees, with both stacks");
  putc('\n', term->out);
  if (is_sampled(m)) {
    fputs("≈ ", term->out);
    vt_term_wrap(term, "Of a sample: wrong frees of recorded blocks, and estimates of how many there are in all. A block that is freed twice is not seen.", 2);
    putc('\n', term->out);
  }
  for (size_t i = 0; i < m->wrongs_cnt && i < limit; i++) {
    fprintf(term->out, "\n%3zu. ", i + 1);
    text_wrong(m, term, &m->wrongs[i]);
  }
  if (!m->wrongs_cnt) fputs(is_sampled(m) ? "\n  none of a recorded block\n" : "\n  none\n", term->out);
  if (m->wrongs_cnt > limit)
    fprintf(term->out, "\n     and %zu more (--limit N shows more)\n", m->wrongs_cnt - limit);
}

static void json_point(vt_mismatches_t const *m, vt_json_t *json, char const *key,
                       point_t const *point) {
  if (point->trace == VT_NO_TRACE) {
    vt_json_null(json, key);
    return;
  }
  vt_json_object(json, key);
  vt_json_string(json, "api", vt_api_name(point->api));
  vt_json_uint(json, "t_ns", point->time);
  vt_json_thread(json, "thread", m->analysis, point->thread);
  vt_json_stack(json, m->analysis, m->options, node_of(m, point));
  vt_json_end_object(json);
}

/* Of a block that is deleted wrongly: what was asked for, what was told; 0: no alignment. */
static void json_said(vt_json_t *json, wrong_t const *wrong) {
  int deleted = wrong->kind == WRONG_SIZE || wrong->kind == WRONG_ALIGNMENT;
  vt_json_known(json, "align", deleted, wrong->align);
  vt_json_known(json, "said_size", deleted && wrong->said_size, wrong->said_size);
  vt_json_known(json, "said_align", deleted, wrong->said_align);
}

static void json(void *context, vt_json_t *json) {
  vt_mismatches_t const *m = context;
  vt_json_array(json, "mismatches");
  for (size_t i = 0; i < m->wrongs_cnt && (!m->options->limit || i < m->options->limit); i++) {
    wrong_t const *wrong = &m->wrongs[i];
    char hex[24];
    snprintf(hex, sizeof hex, "0x%" PRIx64, wrong->address);
    vt_json_object(json, NULL);
    vt_json_string(json, "kind", kind_names[wrong->kind]);
    vt_json_uint(json, "count", wrong->count);
    if (is_sampled(m) && wrong->blocks) {
      vt_json_uint(json, "estimate", wrong->blocks);
      vt_json_uint(json, "standard_error", vt_estimate_error(wrong->variance));
    }
    vt_json_uint(json, "address", wrong->address);
    vt_json_string(json, "address_hex", hex);
    vt_json_uint(json, "size", wrong->size);
    json_said(json, wrong);
    vt_json_text_or_null(json, "perhaps", unseen_text(m, wrong));
    json_point(m, json, "allocation", &wrong->allocated);
    json_point(m, json, "earlier_free", &wrong->before);
    json_point(m, json, "free", &wrong->freed);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
}

static void use(vt_mismatches_t const *m, uint32_t trace, point_t const *point, uint8_t *used) {
  uint32_t ids = vt_reader_stacks(m->analysis->readers[trace]).cnt;
  if (point->trace == trace && point->stack < ids) used[point->stack] = 1;
}

vt_report_part_t vt_mismatches_part(vt_mismatches_t *m, vt_analysis_t *analysis,
                                    vt_report_options_t const *options) {
  m->analysis = analysis;
  m->options = options;
  m->nodes = vt_mem_new(analysis->trace_cnt, sizeof *m->nodes);
  for (uint32_t t = 0; t < analysis->trace_cnt; t++) {
    uint8_t *used = vt_mem_new((size_t)vt_reader_stacks(analysis->readers[t]).cnt + 1, 1);
    for (size_t i = 0; i < m->wrongs_cnt; i++) {
      use(m, t, &m->wrongs[i].allocated, used);
      use(m, t, &m->wrongs[i].before, used);
      use(m, t, &m->wrongs[i].freed, used);
    }
    m->nodes[t] = vt_stacks_add(analysis->stacks, analysis->readers[t], used);
    free(used);
  }
  vt_stacks_symbolize(analysis->stacks);
  return (vt_report_part_t){text, json, m};
}
