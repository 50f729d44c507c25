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

static int add_line(vt_suppressions_t *suppressions, char *line) {
  while (*line == ' ' || *line == '\t') line++;
  size_t sz = strcspn(line, "\r\n");
  while (sz && (line[sz - 1] == ' ' || line[sz - 1] == '\t')) sz--;
  line[sz] = 0;
  if (!sz || *line == '#') return 0;
  if (strncmp(line, "leak:", 5) || !line[5]) return -1;
  vt_suppression_t item = {.pattern = vt_mem_copy(line + 5, sz - 5)};
  VT_PUSH(suppressions->items, item);
  return 0;
}

int vt_suppressions_load(vt_suppressions_t *suppressions, char const *path, vt_error_t *error) {
  *suppressions = (vt_suppressions_t){0};
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
    bad = add_line(suppressions, line);
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

static vt_suppression_t *find(vt_suppressions_t *suppressions, vt_analysis_t const *analysis,
                              uint32_t node) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  for (uint32_t at = node; at; at = vt_stacks_parent(analysis->stacks, at)) {
    size_t cnt = vt_stacks_frames(analysis->stacks, at, 0, frames);
    for (size_t i = 0; i < cnt; i++)
      for (size_t k = 0; k < suppressions->items_cnt; k++) {
        char const *pattern = suppressions->items[k].pattern;
        if (vt_suppression_matches(pattern, frames[i].function) ||
            vt_suppression_matches(pattern, frames[i].file) ||
            vt_suppression_matches(pattern, frames[i].module))
          return &suppressions->items[k];
      }
  }
  return NULL;
}

/* Sets the leaked counters of matching sites to 0. Returns, by node, whether it was suppressed. */
static uint8_t *suppress_sites(vt_suppressions_t *suppressions, vt_analysis_t *analysis) {
  uint8_t *suppressed = vt_mem_new(vt_stacks_cnt(analysis->stacks), 1);
  for (size_t i = 0; i < analysis->sites_cnt; i++) {
    vt_site_t *site = &analysis->sites[i];
    vt_suppression_t *found = site->leaked_blocks ? find(suppressions, analysis, site->node) : NULL;
    if (!found) continue;
    found->sites++;
    found->blocks += site->leaked_blocks;
    found->bytes += site->leaked_bytes;
    site->leaked_bytes = site->leaked_blocks = 0;
    suppressed[site->node] = 1;
  }
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
