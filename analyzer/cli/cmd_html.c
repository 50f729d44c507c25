/* valtrace html: the report as one self-contained page, or the data of it. */
#include <stdlib.h>
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/options.h"
#include "analyzer/page/html.h"
#include "analyzer/findings/show.h"

/* What the page has a switch or a filter of its own for. */
#define OUT_OF_PLACE                                                                               \
  (VT_CLI_TEXT | VT_CLI_SET(VT_OPT_BY) | VT_CLI_SET(VT_OPT_LIMIT) | VT_CLI_ALLOCATORS)

static void help(void) {
  printf("usage: valtrace html [options] TRACE -o FILE.html\n"
         "       valtrace html [options] BEFORE AFTER -o FILE.html\n\n"
         "Writes the report as one HTML file that needs no network; of two traces, what grew and\n"
         "shrank between them.\n\n"
         "The page has the source lines around the frames with most, of files that are here:\n"
         "whoever gets the page can read them.\n\n"
         "  -o, --output FILE  write FILE, not standard output; --json: the page's data\n"
         "  --no-source        no source lines in the page\n\n");
  vt_cli_help_shared(OUT_OF_PLACE);
}

/* What the page is made of. */
typedef struct {
  vt_analysis_t analyses[2];
  vt_suppressions_t suppressions[2];
  int sides, opened;
  vt_analysis_options_t const *options;
  vt_evidence_t *evidence; /* of findings; NULL: two traces have none */
  vt_findings_t findings;
} contents_t;

static void json_findings(void *context, vt_json_t *json) {
  contents_t const *contents = context;
  vt_findings_json(&contents->findings, &contents->analyses[0], NULL, json);
}

/* Writes the page. Returns VT_EXIT_OK, or VT_EXIT_OUTPUT after a line: it is too large. */
static int write_page(vt_page_contents_t const *contents, FILE *out) {
  char *page, why[64];
  size_t sz = vt_page_html(contents, &page);
  int too_large = sz > VT_PAGE_SIZE_MAX;
  if (too_large) {
    snprintf(why, sizeof why, "the page would have %zu bytes", sz);
    vt_error_say("html", why, "report this; --function or --from make it smaller");
  } else {
    fwrite(page, 1, sz, out);
  }
  free(page);
  return too_large ? VT_EXIT_OUTPUT : VT_EXIT_OK;
}

static int write_either(contents_t *contents, vt_cli_options_t const *options) {
  vt_output_t output;
  char const *path = options->output;
  vt_report_part_t findings = {NULL, json_findings, contents};
  vt_page_contents_t page = {(vt_analysis_t *[]){&contents->analyses[0], &contents->analyses[1]},
                             contents->sides, contents->options, contents->suppressions,
                             contents->evidence ? &findings : NULL, options->no_source};
  FILE *out = vt_cli_output(&output, path);
  if (!out) return VT_EXIT_OUTPUT;
  int status = VT_EXIT_OK;
  if (options->json)
    vt_page_tree_delete(vt_page_write(&page, out));
  else
    status = write_page(&page, out);
  int finished = vt_cli_finish(out, path ? path : "standard output");
  return vt_cli_close_output(&output, path, status ? status : finished);
}

static void find(contents_t *contents, vt_cli_options_t const *options) {
  vt_analysis_t *analysis = &contents->analyses[0];
  uint8_t *known = vt_cli_known_sites(analysis);
  vt_residences_t *residences = options->report.filters ? NULL : vt_residences_without_pass(analysis);
  contents->findings = vt_findings_make(analysis, contents->evidence, known, residences);
  vt_residences_delete(residences);
  free(known);
}

static int open_sides(contents_t *contents, vt_cli_options_t *options) {
  vt_error_t error;
  int status = VT_EXIT_OK, nowhere = 1;
  char **operands = options->operands;
  options->operand_cnt = 1;
  for (; contents->opened < contents->sides && !status; contents->opened++, options->operands++) {
    int i = contents->opened;
    status =
        vt_cli_open_side(options, &contents->analyses[i], &contents->suppressions[i], &error);
    nowhere &= contents->analyses[i].nowhere;
  }
  options->operands = operands;
  if (!status && nowhere) status = VT_EXIT_USAGE;
  if (status) vt_error_print(&error);
  return status;
}

static int make_page(vt_cli_options_t *options) {
  contents_t contents = {.sides = options->operand_cnt, .options = &options->analysis};
  if (contents.sides == 1) {
    contents.evidence = vt_evidence_new();
    options->analysis.watch = vt_evidence_watch(contents.evidence);
    options->analysis.span = vt_evidence_span;
    options->analysis.mappings = 1;
  }
  int status = open_sides(&contents, options);
  if (!status && contents.evidence) find(&contents, options);
  if (!status) status = write_either(&contents, options);
  vt_findings_free(&contents.findings);
  vt_evidence_free(contents.evidence);
  for (int i = 0; i < contents.opened; i++) {
    vt_suppressions_free(&contents.suppressions[i]);
    vt_analysis_close(&contents.analyses[i]);
  }
  return status;
}

int vt_cmd_html(int argc, char **argv) {
  vt_cli_options_t options;
  if (vt_cli_parse(&options, argc, argv, VT_CLI_OUTPUT | VT_CLI_PAGE)) return VT_EXIT_USAGE;
  if (options.help) {
    help();
    return VT_EXIT_OK;
  }
  if (vt_cli_refuse(&options, OUT_OF_PLACE, "the page has a switch of its own for it",
                    "leave it out"))
    return VT_EXIT_USAGE;
  if (options.operand_cnt != 1 && options.operand_cnt != 2) {
    vt_error_say("html", "needs one trace, or two to compare", "`valtrace html --help`");
    return VT_EXIT_USAGE;
  }
  options.analysis.whole = 1;
  options.analysis.lifetimes = options.analysis.sizes = options.analysis.threads = 1;
  options.analysis.timeline = VT_TIMELINE_FINE;
  return make_page(&options);
}
