/* Checks and the lines they hold responsible; see gate.h. The line is that of the innermost frame
   that is the user's own and has a line: code of his without debug information is passed over, since
   a machine can only point at lines. */
#include "analyzer/gate/gate.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "analyzer/report/term.h"
#include "analyzer/util/mem.h"

#define NAME_SZ 512

static char const *const names[] = {"text", "github", "junit", "sarif"};

int vt_gate_format(char const *name) {
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strcmp(names[i], name)) return (int)i;
  return -1;
}

static char *copy(char const *text) { return vt_mem_copy(text, strlen(text)); }

vt_gate_check_t *vt_gate_add(vt_gate_t *gate, char const *name, int failed, char const *text) {
  VT_PUSH(gate->checks,
          ((vt_gate_check_t){.name = copy(name), .text = copy(text), .failed = failed}));
  return &gate->checks[gate->checks_cnt - 1];
}

void vt_gate_add_record(vt_gate_t *gate, vt_completeness_t const *have) {
  char text[NAME_SZ];
  snprintf(text, sizeof text, "the record is incomplete: %s", vt_completeness_why(have).text);
  vt_gate_add(gate, "complete record", !have->complete,
              have->complete ? "the record is complete" : text);
}

char *vt_gate_path(char const *file) {
  char here[PATH_MAX];
  while (file[0] == '.' && file[1] == '/') file += 2;
  size_t sz = getcwd(here, sizeof here) ? strlen(here) : 0;
  if (sz > 1 && !strncmp(file, here, sz) && file[sz] == '/') file += sz + 1;
  return copy(file);
}

void vt_gate_stack(vt_gate_place_t const *place, vt_expanded_t *out) {
  vt_stacks_expand(place->analysis->stacks, place->node, 1, 0, out);
}

static int is_users(vt_stack_frame_t const *frame) {
  return !frame->allocator && !frame->runtime && !frame->library && !frame->start;
}

/* The frame to point at; without a line of the user's, the one that reports name. */
static vt_stack_frame_t frame_of(vt_gate_place_t const *place) {
  vt_expanded_t stack = {0};
  vt_stack_frame_t found = vt_group_frame(place->analysis, place->node);
  vt_gate_stack(place, &stack);
  for (size_t i = 0; i < stack.frames_cnt; i++) {
    vt_stack_frame_t const *frame = &stack.frames[i];
    if (!is_users(frame) || !frame->file[0] || !frame->line) continue;
    found = *frame;
    break;
  }
  if (!is_users(&found)) found.file = "";
  free(stack.frames);
  return found;
}

static vt_gate_place_t place_of(vt_analysis_t const *analysis, uint32_t node) {
  char buffer[NAME_SZ];
  vt_gate_place_t place = {.analysis = analysis, .node = node};
  vt_stack_frame_t frame = frame_of(&place);
  place.file = vt_gate_path(frame.file);
  place.line = place.file[0] ? frame.line : 0;
  place.function = copy(vt_frame_name(&frame, buffer, sizeof buffer));
  return place;
}

static void free_place(vt_gate_place_t *place) {
  free(place->file);
  free(place->function);
  free(place->text);
}

void vt_gate_add_place(vt_gate_check_t *check, vt_analysis_t const *analysis, uint32_t node,
                       char const *text) {
  vt_gate_place_t place = place_of(analysis, node);
  char line[NAME_SZ * 2];
  snprintf(line, sizeof line, "%s in %s", text, place.function);
  place.text = copy(line);
  VT_PUSH(check->places, place);
}

/* ---- places of sites ---- */

/* "3.2 KiB in 2 blocks lost". */
static void describe(vt_gate_place_t *place, vt_metric_t metric) {
  static char const *const what[] = {
      [VT_METRIC_LEAKED] = "%s in %s live at the end", [VT_METRIC_PEAK] = "%s in %s live at the peak",
      [VT_METRIC_ALLOCATED] = "%s in %s allocated",    [VT_METRIC_LOST] = "%s in %s lost",
      [VT_METRIC_COUNT] = "%s in %s allocated",        [VT_METRIC_TEMPORARY] = "%s in %s temporary",
      [VT_METRIC_REALLOCS] = "%s in %s resized"};
  char text[128], line[NAME_SZ * 2];
  snprintf(text, sizeof text, what[metric], vt_bytes_text(place->bytes).text,
           vt_counted(place->blocks, "block").text);
  snprintf(line, sizeof line, "%s in %s", text, place->function);
  place->text = copy(line);
}

/* The place of the check with the same line, or the same function where there is none. */
static vt_gate_place_t *same_place(vt_gate_check_t *check, vt_gate_place_t const *place) {
  for (size_t i = 0; i < check->places_cnt; i++) {
    vt_gate_place_t *other = &check->places[i];
    if (strcmp(other->file, place->file) || other->line != place->line) continue;
    if (place->file[0] || !strcmp(other->function, place->function)) return other;
  }
  return NULL;
}

/* How much more than what is shown is looked at for sites of a line that is shown. */
#define LOOK 64

void vt_gate_add_sites(vt_gate_check_t *check, vt_analysis_t const *analysis, vt_metric_t metric,
                       size_t limit) {
  vt_groups_t groups = vt_groups_make(analysis, metric, VT_BY_LINE);
  for (size_t i = 0; i < groups.groups_cnt && i < limit + LOOK; i++) {
    vt_group_t const *group = &groups.groups[i];
    if (group->sum.nested) continue;
    vt_gate_place_t place = place_of(analysis, analysis->sites[group->best].node);
    vt_gate_place_t *same = same_place(check, &place);
    if (same || check->places_cnt == limit)
      free_place(&place);
    else {
      VT_PUSH(check->places, place);
      same = &check->places[check->places_cnt - 1];
    }
    if (!same) continue;
    same->bytes += vt_metric_bytes(metric, &group->sum);
    same->blocks += vt_metric_blocks(metric, &group->sum);
  }
  for (size_t i = 0; i < check->places_cnt; i++) describe(&check->places[i], metric);
  vt_groups_free(&groups);
}

/* ---- life ---- */

void vt_gate_write(vt_gate_t const *gate, vt_gate_format_t format, FILE *out) {
  if (format == VT_GATE_GITHUB) vt_gate_github(gate, out);
  if (format == VT_GATE_JUNIT) vt_gate_junit(gate, out);
  if (format == VT_GATE_SARIF) vt_gate_sarif(gate, out);
}

void vt_gate_free(vt_gate_t *gate) {
  for (size_t i = 0; i < gate->checks_cnt; i++) {
    vt_gate_check_t *check = &gate->checks[i];
    for (size_t k = 0; k < check->places_cnt; k++) free_place(&check->places[k]);
    free(check->places);
    free(check->name);
    free(check->text);
  }
  free(gate->checks);
  *gate = (vt_gate_t){0};
}
