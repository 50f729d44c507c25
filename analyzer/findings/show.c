/* See show.h. Text is made in memory first, so that its lines can be counted. */
#include "analyzer/findings/show.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define INDENT 5
#define TRACES 2  /* of several, shown in the head */
#define FEET   5  /* lines at the end */
#define NARROW 80 /* columns where the output is no terminal */

/* Text that is kept back. */
typedef struct {
  vt_term_t term;
  char *text;
  size_t sz;
} draft_t;

static void begin_draft(draft_t *draft, vt_term_t const *term) {
  *draft = (draft_t){.term = *term};
  draft->term.out = open_memstream(&draft->text, &draft->sz);
  if (draft->term.width == INT_MAX) draft->term.width = NARROW;
}

/* Ends it and returns how many lines it has. */
static size_t end_draft(draft_t *draft) {
  size_t lines = 0;
  fclose(draft->term.out);
  for (size_t i = 0; i < draft->sz; i++) lines += draft->text[i] == '\n';
  return lines;
}

/* The command that shows more: with the paths of the traces if they fit. */
static void print_command(vt_term_t const *term, vt_analysis_t const *analysis, char const *view,
                          int columns) {
  char command[512];
  size_t used = (size_t)snprintf(command, sizeof command, "valtrace report %s", view);
  for (size_t t = 0; t < analysis->trace_cnt && used < sizeof command; t++) {
    char path[300];
    vt_text_quoted(vt_reader_info(analysis->readers[t])->path, path, sizeof path);
    used += (size_t)snprintf(command + used, sizeof command - used, " %s", path);
  }
  if (used >= (size_t)columns) snprintf(command, sizeof command, "valtrace report %s TRACE", view);
  vt_term_text(term, command, columns);
}

static void print_finding(vt_finding_t const *finding, vt_analysis_t const *analysis,
                          vt_term_t const *term, size_t rank) {
  char buffer[1024];
  fprintf(term->out, "\n%3zu. ", rank);
  if (finding->has_frame) {
    char const *name = vt_text_name(term, &finding->frame, buffer, sizeof buffer);
    int room = term->width - INDENT - 2;
    vt_text_group_name(term, &finding->frame, VT_BY_FUNCTION, 2 * room / 3);
    int used = (int)strlen(name) < 2 * room / 3 ? (int)strlen(name) : 2 * room / 3;
    if (term->colour) fputs("\033[32m", term->out);
    vt_text_behind(term, &finding->frame, room - used + 2);
    if (term->colour) fputs("\033[0m", term->out);
    fprintf(term->out, "\n%*s", INDENT, "");
  }
  vt_term_wrap(term, finding->text, INDENT);
  fprintf(term->out, "\n%*s", INDENT, "");
  if (term->colour) fputs("\033[2m", term->out);
  print_command(term, analysis, finding->see, term->width - INDENT);
  fputs(term->colour ? "\033[0m\n" : "\n", term->out);
}

/* Prints those that fit into `lines`; returns how many. */
static size_t print_fitting(vt_findings_t const *findings, vt_analysis_t const *analysis,
                            vt_report_options_t const *options, vt_term_t const *term,
                            size_t lines) {
  size_t shown = 0;
  for (; shown < findings->findings_cnt; shown++) {
    draft_t draft;
    begin_draft(&draft, term);
    print_finding(&findings->findings[shown], analysis, &draft.term, shown + 1);
    size_t here = end_draft(&draft);
    int fits = options->limit ? shown < options->limit : options->full || here <= lines;
    if (fits) fwrite(draft.text, 1, draft.sz, term->out);
    free(draft.text);
    if (!fits) break;
    lines -= here < lines ? here : lines;
  }
  return shown;
}

static void print_none(vt_findings_t const *findings, vt_term_t const *term) {
  if (findings->none_why)
    fprintf(term->out, "\n  None are looked for: %s.\n", findings->none_why);
  else
    fputs("\n  Nothing stands out.\n", term->out);
}

static void print_feet(vt_findings_t const *findings, size_t shown, vt_analysis_t const *analysis,
                       vt_term_t const *term) {
  if (!findings->findings_cnt) print_none(findings, term);
  if (shown < findings->findings_cnt)
    fprintf(term->out, "\n     and %s (--full shows all)\n",
            vt_counted(findings->findings_cnt - shown, "finding").text);
  fputs("\nAll sections: ", term->out);
  print_command(term, analysis, "--full", term->width - 14);
  fputs("\nOne of them: leaks, hot, peak, growth, frees, … (valtrace report --help)\n", term->out);
}

void vt_findings_text(vt_findings_t const *findings, vt_analysis_t const *analysis,
                      vt_report_options_t const *options, vt_term_t const *term) {
  draft_t head, feet;
  vt_term_t narrow = *term;
  if (narrow.width == INT_MAX) narrow.width = NARROW;
  begin_draft(&head, term);
  vt_text_head(analysis, options, &head.term, TRACES);
  putc('\n', head.term.out);
  vt_term_styled(&head.term, VT_STYLE_TITLE, "FINDINGS");
  fputs(": what stands out, the most urgent first\n", head.term.out);
  size_t used = end_draft(&head) + FEET;
  fwrite(head.text, 1, head.sz, term->out);
  free(head.text);
  size_t lines = used < VT_FINDINGS_LINES ? VT_FINDINGS_LINES - used : 0;
  size_t shown = print_fitting(findings, analysis, options, &narrow, lines);
  begin_draft(&feet, term);
  print_feet(findings, shown, analysis, &feet.term);
  end_draft(&feet);
  if (!options->full) fwrite(feet.text, 1, feet.sz, term->out);
  if (options->full && !findings->findings_cnt) print_none(findings, term);
  free(feet.text);
}

void vt_findings_json(vt_findings_t const *findings, vt_analysis_t const *analysis,
                      uint32_t const *ranked, vt_json_t *json) {
  vt_json_array(json, "findings");
  for (size_t i = 0; i < findings->findings_cnt; i++) {
    vt_finding_t const *finding = &findings->findings[i];
    char command[1200], path[1024];
    uint32_t rank =
        !ranked || finding->site == VT_FINDING_NO_SITE ? 0 : ranked[finding->site];
    vt_json_object(json, NULL);
    vt_json_string(json, "kind", finding->kind);
    vt_json_string(json, "text", finding->text);
    if (rank)
      vt_json_uint(json, "site", rank);
    else
      vt_json_null(json, "site");
    if (finding->has_frame) vt_json_group(json, &finding->frame, VT_BY_LINE);
    vt_json_object_line(json, "values");
    for (size_t k = 0; k < finding->values_cnt; k++)
      vt_json_double(json, finding->values[k].name, finding->values[k].value);
    vt_json_end_object(json);
    vt_json_array(json, "see");
    for (size_t t = 0; t < analysis->trace_cnt; t++) {
      vt_text_quoted(vt_reader_info(analysis->readers[t])->path, path, sizeof path);
      snprintf(command, sizeof command, "valtrace report %s %s", finding->see, path);
      vt_json_string(json, NULL, command);
    }
    vt_json_end_array(json);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
}
