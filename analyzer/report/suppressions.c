/* Suppressions; see suppressions.h. */
#include "analyzer/report/suppressions.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/mem.h"

/* Does the pattern (a '*' matches any text) match at the start of text, up to its end if `whole`?
 */
static int match_here(char const *pattern, char const *text) {
  char const *star = NULL, *retry = NULL;
  for (;;) {
    if (*pattern == '*') {
      star = ++pattern;
      retry = text;
    } else if (!*pattern || (*pattern == '$' && !pattern[1] && !*text))
      return 1;
    else if (*text && *pattern == *text)
      pattern++, text++;
    else if (star && *retry) {
      pattern = star;
      text = ++retry;
    } else
      return 0;
  }
}

int vt_suppression_matches(char const *pattern, char const *text) {
  if (*pattern == '^') return match_here(pattern + 1, text);
  for (;; text++) {
    if (match_here(pattern, text)) return 1;
    if (!*text) return 0;
  }
}

static int add_line(vt_suppressions_t *suppressions, char *line, int known) {
  while (*line == ' ' || *line == '\t') line++;
  size_t sz = strcspn(line, "\r\n");
  while (sz && (line[sz - 1] == ' ' || line[sz - 1] == '\t')) sz--;
  line[sz] = 0;
  if (!sz || *line == '#') return 0;
  int first = !strncmp(line, "first:", 6);
  size_t prefix = first ? 6 : 5;
  if ((!first && strncmp(line, "leak:", 5)) || !line[prefix]) return -1;
  vt_suppression_t item = {
      .pattern = vt_mem_copy(line + prefix, sz - prefix), .first = first, .known = known};
  VT_PUSH(suppressions->items, item);
  return 0;
}

int vt_suppressions_load(vt_suppressions_t *suppressions, char const *path, int known,
                         vt_error_t *error) {
  FILE *file = fopen(path, "re");
  if (!file) {
    vt_error_set(error, path, strerror(errno), "name a readable file of suppressions");
    return -1;
  }
  char *line = NULL;
  size_t cap = 0, number = 0;
  int bad = 0;
  while (!bad && getline(&line, &cap, file) >= 0) {
    number++;
    bad = add_line(suppressions, line, known);
  }
  if (bad) vt_error_setf(error, path, "write `leak:PATTERN`", "line %zu is no suppression", number);
  free(line);
  fclose(file);
  return bad;
}

void vt_suppressions_free(vt_suppressions_t *suppressions) {
  for (size_t i = 0; i < suppressions->items_cnt; i++) free(suppressions->items[i].pattern);
  free(suppressions->items);
}

static int frame_matches(char const *pattern, vt_stack_frame_t const *frame) {
  return vt_suppression_matches(pattern, frame->function) ||
         vt_suppression_matches(pattern, frame->file) ||
         vt_suppression_matches(pattern, frame->module);
}

/* A walk along the patterns of `first:`. */
typedef struct {
  char const *next; /* what is left of them; NULL: a frame did not match */
  char pattern[256];
  int used; /* a frame has matched `pattern` */
} walk_t;

static void next_pattern(walk_t *walk) {
  size_t sz = strcspn(walk->next, "<");
  snprintf(walk->pattern, sizeof walk->pattern, "%.*s", (int)sz, walk->next);
  walk->next += sz + (walk->next[sz] == '<');
  walk->used = 0;
}

/* Takes one frame; 1 when every pattern has had its frame. */
static int step(walk_t *walk, vt_stack_frame_t const *frame) {
  int fits = frame_matches(walk->pattern, frame);
  if (!fits && walk->used && *walk->next) {
    next_pattern(walk);
    fits = frame_matches(walk->pattern, frame);
  }
  walk->used |= fits;
  if (!fits) walk->next = NULL;
  return fits && !*walk->next;
}

static int first_match(char const *patterns, vt_analysis_t const *analysis, uint32_t node) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  walk_t walk = {.next = patterns};
  next_pattern(&walk);
  for (uint32_t at = node; at; at = vt_stacks_parent(analysis->stacks, at)) {
    size_t cnt = vt_stacks_frames(analysis->stacks, at, at == node, frames);
    for (size_t i = 0; i < cnt; i++) {
      if (step(&walk, &frames[i])) return 1;
      if (!walk.next) return 0;
    }
  }
  return 0;
}

/* A look for suppressions. Whether a frame matches depends on its place alone, of which there are far fewer than
   frames on stacks. */
typedef struct {
  vt_suppressions_t *suppressions;
  vt_analysis_t const *analysis;
  uint32_t *of_place; /* number of the item that matches it, plus 1; 0: not looked yet */
} search_t;
#define NO_ITEM UINT32_MAX

static search_t start_search(vt_suppressions_t *suppressions, vt_analysis_t const *analysis) {
  return (search_t){suppressions, analysis, vt_mem_new((size_t)vt_stacks_places_cnt(analysis->stacks) + 1, sizeof(uint32_t))};
}

static uint32_t match_place(search_t const *search, uint32_t node) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  vt_suppression_t const *items = search->suppressions->items;
  size_t cnt = vt_stacks_frames(search->analysis->stacks, node, 0, frames);
  for (size_t i = 0; i < cnt; i++)
    for (size_t k = 0; k < search->suppressions->items_cnt; k++)
      if (!items[k].first && frame_matches(items[k].pattern, &frames[i])) return (uint32_t)k + 1;
  return NO_ITEM;
}

static vt_suppression_t *find(search_t const *search, uint32_t node) {
  vt_suppressions_t *suppressions = search->suppressions;
  for (size_t k = 0; k < suppressions->items_cnt; k++)
    if (suppressions->items[k].first && first_match(suppressions->items[k].pattern, search->analysis, node))
      return &suppressions->items[k];
  for (uint32_t at = node; at; at = vt_stacks_parent(search->analysis->stacks, at)) {
    uint32_t *item = &search->of_place[vt_stacks_place(search->analysis->stacks, at)];
    if (!*item) *item = match_place(search, at);
    if (*item != NO_ITEM) return &suppressions->items[*item - 1];
  }
  return NULL;
}

static uint8_t *mark(vt_suppressions_t *suppressions, vt_analysis_t const *analysis, int all) {
  uint8_t *marks = vt_mem_new(analysis->sites_cnt + 1, 1);
  search_t search = start_search(suppressions, analysis);
  for (size_t i = 0; i < analysis->sites_cnt; i++)
    marks[i] = (all || analysis->sites[i].leaked_blocks) && find(&search, analysis->sites[i].node) != NULL;
  free(search.of_place);
  return marks;
}

uint8_t *vt_suppressions_match(vt_suppressions_t *suppressions, vt_analysis_t const *analysis) {
  return mark(suppressions, analysis, 0);
}

uint8_t *vt_suppressions_cover(vt_suppressions_t *suppressions, vt_analysis_t const *analysis) {
  return mark(suppressions, analysis, 1);
}

vt_suppression_t vt_suppressions_sum(vt_suppressions_t const *suppressions, int known) {
  vt_suppression_t sum = {.known = known};
  for (size_t i = 0; i < suppressions->items_cnt; i++) {
    vt_suppression_t const *item = &suppressions->items[i];
    if (item->known != known) continue;
    sum.sites += item->sites;
    sum.blocks += item->blocks;
    sum.bytes += item->bytes;
  }
  return sum;
}

/* What the site of a number has lost or kept is not told of any more. */
static void forget_verdict(vt_analysis_t *analysis, size_t site) {
  if (!analysis->verdicts) return;
  vt_verdict_t *verdict = &analysis->verdicts[site];
  for (int i = 0; i < VT_LEAK_KINDS && !analysis->sites[site].nested; i++) {
    analysis->verdict.bytes[i] -= verdict->bytes[i];
    analysis->verdict.blocks[i] -= verdict->blocks[i];
  }
  *verdict = (vt_verdict_t){{0}, {0}};
}

/* Sets the leaked counters of matching sites to 0. Returns, by node, whether it was suppressed. */
static uint8_t *suppress_sites(vt_suppressions_t *suppressions, vt_analysis_t *analysis) {
  uint8_t *suppressed = vt_mem_new(vt_stacks_cnt(analysis->stacks), 1);
  search_t search = start_search(suppressions, analysis);
  for (size_t i = 0; i < analysis->sites_cnt; i++) {
    vt_site_t *site = &analysis->sites[i];
    vt_suppression_t *found = site->leaked_blocks ? find(&search, site->node) : NULL;
    if (!found) continue;
    found->sites++;
    found->blocks += site->leaked_blocks;
    found->bytes += site->leaked_bytes;
    site->leaked_bytes = site->leaked_blocks = site->lost_bytes = site->lost_blocks = 0;
    site->kinds = (vt_verdict_t){{0}, {0}};
    forget_verdict(analysis, i);
    suppressed[site->node] = 1;
  }
  free(search.of_place);
  return suppressed;
}

void vt_suppressions_apply(vt_suppressions_t *suppressions, vt_analysis_t *analysis) {
  size_t cnt;
  vt_cell_t const *cells = vt_model_cells(analysis->model, &cnt);
  uint8_t *suppressed = suppress_sites(suppressions, analysis), *marks = vt_mem_new(cnt, 1);
  for (size_t i = VT_CELL_FIRST; i < cnt; i++)
    marks[i] = suppressed[vt_analysis_cell_node(analysis, &cells[i], analysis->keep_allocators)];
  vt_model_suppress(analysis->model, marks);
  free(suppressed);
  free(marks);
}
