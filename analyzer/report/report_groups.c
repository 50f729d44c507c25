/* Groups of sites for people: each with its numbers, function, place in the source and the way there. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/report.h"
#include "analyzer/util/mem.h"

#define LINES_NAMED 3 /* of a function that allocates in several */

/* Prints line `number` of a source file when the file is there. */
static void print_source(vt_term_t const *term, char const *path, uint32_t number) {
  char line[512];
  FILE *file = number && path[0] == '/' ? fopen(path, "re") : NULL;
  if (!file) return;
  int whole = 1;
  for (uint32_t at = 1; at <= number && fgets(line, sizeof line, file);) {
    int ends = strchr(line, '\n') != NULL;
    if (at == number && whole) {
      line[strcspn(line, "\n")] = 0;
      char *text = line + strspn(line, " \t");
      vt_term_styled(term, VT_STYLE_FAINT, "        | ");
      vt_term_text(term, text, term->width == INT_MAX ? 200 : term->width - 10);
      putc('\n', term->out);
      break;
    }
    at += (uint32_t)ends;
    whole = ends;
  }
  fclose(file);
}

/* print_estimates: as print_values, of a sampled trace; whole 0: without the part of it. */
static void print_estimates(vt_term_t const *term, vt_metric_t metric, vt_site_t const *sum, uint64_t whole) {
  vt_spread_t spread = vt_metric_spread(metric, sum);
  vt_estimate_text_t bytes = vt_bytes_estimate(vt_metric_bytes(metric, sum), vt_estimate_error(spread.bytes));
  vt_estimate_text_t count = vt_count_estimate(vt_metric_blocks(metric, sum), vt_estimate_error(spread.blocks));
  int by_count = metric >= VT_METRIC_COUNT;
  vt_term_styled(term, VT_STYLE_TITLE, "%s%s", by_count ? count.text : bytes.text, by_count ? " blocks" : "");
  if (metric != VT_METRIC_REALLOCS) /* of old blocks that were not recorded the bytes are not known */
    fprintf(term->out, "  %s%s", by_count ? bytes.text : count.text, by_count ? "" : " blocks");
  if (whole) fprintf(term->out, "  ≈ %s  ", vt_percent_text(vt_metric_value(metric, sum), whole).text);
}

/* What the group is ranked by first, then the other. */
static void print_values(vt_term_t const *term, vt_metric_t metric, vt_site_t const *sum,
                         uint64_t whole) {
  uint64_t blocks = vt_metric_blocks(metric, sum);
  if (sum->sampled) {
    print_estimates(term, metric, sum, whole);
    return;
  }
  vt_number_t bytes = vt_bytes_text(vt_metric_bytes(metric, sum)), count = vt_count_text(blocks);
  if (metric >= VT_METRIC_COUNT) {
    vt_term_styled(term, VT_STYLE_TITLE, "%11s", count.text);
    fprintf(term->out, " block%s %10s", blocks == 1 ? " " : "s", bytes.text);
  } else {
    vt_term_styled(term, VT_STYLE_TITLE, "%10s", bytes.text);
    fprintf(term->out, " %11s block%s", count.text, blocks == 1 ? " " : "s");
  }
  fprintf(term->out, " %8s  ", vt_percent_text(vt_metric_value(metric, sum), whole).text);
}

void vt_text_group_name(vt_term_t const *term, vt_stack_frame_t const *frame, vt_by_t by,
                        int columns) {
  char buffer[1024];
  if (term->colour) fputs("\033[1;36m", term->out);
  if (by == VT_BY_MODULE)
    vt_term_text(term, frame->module[0] ? frame->module : "[no module]", columns);
  else
    vt_term_text(term, vt_text_name(term, frame, buffer, sizeof buffer), columns);
  if (term->colour) fputs("\033[0m", term->out);
}

/* The lines of a group's function that allocate, rising, but for the one that is shown; how many.
 */
static size_t other_lines(vt_analysis_t const *analysis, vt_group_t const *group,
                          uint32_t lines[LINES_NAMED + 2]) {
  uint8_t *seen = vt_mem_new(vt_stacks_places_cnt(analysis->stacks), 1);
  size_t cnt = 0;
  for (size_t i = 0; i < group->site_cnt && cnt <= LINES_NAMED; i++) {
    vt_site_t const *site = &analysis->sites[group->sites[i]];
    if (seen[site->owner]) continue;
    seen[site->owner] = 1;
    vt_stack_frame_t frame = vt_group_frame(analysis, site->node);
    size_t at = 0;
    if (frame.line == group->frame.line || frame.file != group->frame.file) continue;
    while (at < cnt && lines[at] < frame.line) at++;
    if (at < cnt && lines[at] == frame.line) continue;
    memmove(&lines[at + 1], &lines[at], (cnt - at) * sizeof *lines);
    lines[at] = frame.line;
    cnt++;
  }
  free(seen);
  return cnt;
}

static void print_other_lines(vt_analysis_t const *analysis, vt_term_t const *term,
                              vt_group_t const *group) {
  uint32_t lines[LINES_NAMED + 2];
  size_t cnt = group->frame.file[0] ? other_lines(analysis, group, lines) : 0;
  for (size_t i = 0; i < cnt && i < LINES_NAMED; i++)
    fprintf(term->out, "%s %u", i ? "," : " and", lines[i]);
  if (cnt > LINES_NAMED) fputs(", …", term->out);
}

static void print_group_place(vt_analysis_t const *analysis, vt_term_t const *term,
                              vt_group_t const *group, vt_by_t by) {
  vt_stack_frame_t const *frame = &group->frame;
  if (!vt_text_has_place(frame)) return;
  fputs("        ", term->out);
  if (term->colour) fputs("\033[32m", term->out);
  vt_text_place(term, frame, vt_term_room(term, 8 + 8 * LINES_NAMED));
  if (by == VT_BY_FUNCTION) print_other_lines(analysis, term, group);
  if (term->colour) fputs("\033[0m", term->out);
  putc('\n', term->out);
  print_source(term, frame->file, frame->line);
}

/* print_lost_kinds says which of a group's lost blocks are only behind others. */
static void print_lost_kinds(vt_term_t const *term, vt_verdict_t const *kinds) {
  if (!kinds->blocks[VT_LEAK_INDIRECT]) return;
  fprintf(term->out, "        %s in %s definite + %s in %s indirect\n",
          vt_bytes_text(kinds->bytes[VT_LEAK_DEFINITE]).text,
          vt_counted(kinds->blocks[VT_LEAK_DEFINITE], "block").text,
          vt_bytes_text(kinds->bytes[VT_LEAK_INDIRECT]).text,
          vt_counted(kinds->blocks[VT_LEAK_INDIRECT], "block").text);
}

static void print_group(vt_analysis_t const *analysis, vt_report_options_t const *options,
                        vt_term_t const *term, vt_metric_t metric, vt_group_t const *group,
                        size_t rank, uint64_t whole, int stacks_each) {
  char heap[32];
  vt_stack_frame_t const *frame = &group->frame;
  fprintf(term->out, "\n%3zu. ", rank);
  print_values(term, metric, &group->sum, whole);
  vt_text_group_name(term, frame, options->by, vt_term_room(term, 46));
  if (group->sum.nested) {
    fputs("  [nested heap ", term->out);
    vt_term_text(term, vt_analysis_heap_name(analysis, group->sum.heap, heap), INT_MAX);
    putc(']', term->out);
  }
  putc('\n', term->out);
  if (options->by != VT_BY_MODULE && (frame->function[0] || frame->file[0]))
    print_group_place(analysis, term, group, options->by);
  if (vt_metric_unsure(metric, &group->sum))
    fprintf(term->out, "        %s%s of these may have been freed while recording was paused\n",
            group->sum.sampled ? "≈ " : "", vt_bytes_text(vt_metric_unsure(metric, &group->sum)).text);
  if (metric == VT_METRIC_LOST) print_lost_kinds(term, &group->sum.kinds);
  vt_group_rank(analysis, metric, group, (size_t)stacks_each);
  for (size_t i = 0; i < group->site_cnt && (int)i < stacks_each; i++) {
    vt_site_t const *site = &analysis->sites[group->sites[i]];
    if (group->site_cnt > 1 && site->sampled) {
      vt_term_styled(term, VT_STYLE_FAINT, "        stack %zu of %zu: ", i + 1, group->site_cnt);
      print_estimates(term, metric, site, 0);
      putc('\n', term->out);
    } else if (group->site_cnt > 1)
      vt_term_styled(term, VT_STYLE_FAINT, "        stack %zu of %zu: %s in %s block%s\n", i + 1,
                     group->site_cnt, vt_bytes_text(vt_metric_bytes(metric, site)).text,
                     vt_count_text(vt_metric_blocks(metric, site)).text,
                     vt_metric_blocks(metric, site) == 1 ? "" : "s");
    vt_text_stack(analysis, options, term, site->node, 0);
  }
}

void vt_text_groups(vt_analysis_t const *analysis, vt_report_options_t const *options,
                    vt_term_t const *term, vt_metric_t metric, size_t limit, int stacks_each) {
  vt_groups_t groups = vt_groups_make(analysis, metric, options->by);
  for (size_t i = 0; i < groups.groups_cnt && i < limit; i++)
    print_group(analysis, options, term, metric, &groups.groups[i], i + 1, groups.whole,
                stacks_each);
  if (!groups.groups_cnt) fputs(analysis->sampled.period ? "  none of a recorded block\n" : "  none\n", term->out);
  if (groups.groups_cnt > limit) {
    vt_site_t rest = {0};
    char const *about = analysis->sampled.period ? "≈ " : "";
    for (size_t i = limit; i < groups.groups_cnt; i++) {
      rest.leaked_blocks += vt_metric_blocks(metric, &groups.groups[i].sum);
      rest.leaked_bytes += vt_metric_bytes(metric, &groups.groups[i].sum);
    }
    int only_count = metric == VT_METRIC_REALLOCS && analysis->sampled.period;
    vt_term_styled(term, VT_STYLE_FAINT, "\n     and %zu more: %s%s%s%s%s (--limit N shows more)\n", groups.groups_cnt - limit,
                   only_count ? "" : about, only_count ? "" : vt_bytes_text(rest.leaked_bytes).text, only_count ? "" : " in ",
                   about, vt_counted(rest.leaked_blocks, "block").text);
  }
  vt_groups_free(&groups);
}
