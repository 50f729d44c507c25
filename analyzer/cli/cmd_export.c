/* valtrace export and valtrace flame: an analysis in other tools' formats. */
#include <string.h>
#include <unistd.h>
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/gate.h"
#include "analyzer/cli/options.h"
#include "analyzer/export/export.h"

typedef struct {
  char const *name;
  void (*write)(vt_export_t const *export);
  uint64_t out_of_place; /* the options it cannot obey */
} format_t;

#define BY    (VT_CLI_TEXT | VT_CLI_SET(VT_OPT_BY))
#define JSON  VT_CLI_SET(VT_OPT_JSON)
#define WHOLE (BY | JSON | VT_CLI_SET(VT_OPT_LIMIT))
#define ALL   (WHOLE | VT_CLI_SET(VT_OPT_METRIC))     /* every metric and everything of it */
#define LIVE  (ALL | VT_CLI_SET(VT_OPT_SUPPRESSIONS)) /* what was live, leaked or not */

static format_t const formats[] = {
    {"folded", vt_export_folded, BY},          {"pprof", vt_export_pprof, WHOLE},
    {"speedscope", vt_export_speedscope, ALL}, {"dhat", vt_export_dhat, ALL},
    {"callgrind", vt_export_callgrind, ALL},   {"massif", vt_export_massif, LIVE},
    {"heaptrack", vt_export_heaptrack, ALL},   {"firefox", vt_export_firefox, LIVE},
    {"csv", vt_export_csv, BY | JSON},         {"sqlite", NULL, ALL}};

static format_t const *find_format(char const *name) {
  for (size_t i = 0; name && i < sizeof formats / sizeof *formats; i++)
    if (!strcmp(name, formats[i].name)) return &formats[i];
  return NULL;
}

static int write_text(vt_export_t *export, format_t const *format, FILE *out, char const *name,
                      int json) {
  export->out = out;
  if (json)
    vt_export_folded_json(export);
  else
    format->write(export);
  return vt_cli_finish(out, name);
}

static int write_database(vt_export_t *export, char const *path) {
  vt_output_t output;
  vt_error_t error;
  int failed = vt_output_open(&output, path, VT_OUTPUT_DATABASE, &error);
  if (!failed) {
    int whole = !vt_export_sqlite(export, vt_output_path(&output), path, &error);
    failed = vt_output_close(&output, whole, &error);
  }
  if (failed) vt_error_print(&error);
  return failed ? VT_EXIT_OUTPUT : VT_EXIT_OK;
}

static int write_to_file(vt_export_t *export, format_t const *format, char const *path, int json) {
  vt_output_t output;
  if (!format->write) return write_database(export, path);
  FILE *out = vt_cli_output(&output, path);
  if (!out) return VT_EXIT_OUTPUT;
  int status = write_text(export, format, out, path ? path : "standard output", json);
  return vt_cli_close_output(&output, path, status);
}

/* warn_of_estimates: not every format has a place for it. */
static void warn_of_estimates(vt_analysis_t const *analysis, char const *path) {
  char what[120];
  if (!analysis->sampled.period) return;
  snprintf(what, sizeof what, "these are estimates, from one block in %s on average", vt_bytes_text(analysis->sampled.period).text);
  vt_error_say(path, what, "`valtrace report` tells their standard errors");
}

static int export_traces(vt_cli_options_t *options, format_t const *format, vt_metric_t metric) {
  vt_analysis_t analysis;
  vt_suppressions_t suppressions = {0};
  vt_error_t error;
  options->analysis.lifetimes = !strcmp(format->name, "dhat");
  options->analysis.timeline =
      !strcmp(format->name, "massif") || !strcmp(format->name, "firefox") || !format->write;
  options->ends = metric == VT_METRIC_TEMPORARY || metric == VT_METRIC_REALLOCS;
  options->analysis.whole = format->write != vt_export_folded && format->write != vt_export_pprof &&
                            format->write != vt_export_speedscope && format->write != vt_export_callgrind;
  int status = vt_cli_open(options, &analysis, &suppressions, &error);
  if (status)
    vt_error_print(&error);
  else {
    vt_completeness_t have = vt_analysis_completeness(&analysis);
    vt_gate_warn(options->operands[0], &have);
    vt_gate_warn_unsure(options->operands[0], &analysis);
    warn_of_estimates(&analysis, options->operands[0]);
    vt_export_t export = {&analysis, &options->analysis, &options->report, metric, NULL};
    status = write_to_file(&export, format, options->output, options->json);
  }
  vt_suppressions_free(&suppressions);
  vt_analysis_close(&analysis);
  return status;
}

static int usage_error(char const *what, char const *why, char const *advice) {
  vt_error_say(what, why, advice);
  return VT_EXIT_USAGE;
}

static int parse_metric(vt_cli_options_t const *options, vt_metric_t otherwise) {
  return options->metric ? vt_metric_by_name(options->metric) : (int)otherwise;
}

int vt_cmd_export(int argc, char **argv) {
  vt_cli_options_t options;
  if (vt_cli_parse(&options, argc, argv, VT_CLI_OUTPUT | VT_CLI_FORMAT | VT_CLI_METRIC))
    return VT_EXIT_USAGE;
  if (options.help) {
    printf(
        "usage: valtrace export --format FORMAT [-o FILE] [options] TRACE…\n\n"
        "Writes what a report is made of for other tools.\n\n"
        "  --format F   one of pprof, folded, speedscope, heaptrack, dhat, massif,\n"
        "               callgrind, firefox, csv, sqlite\n"
        "  -o, --output FILE  write FILE, not standard output\n"
        "  --metric M   live (default), peak, allocated, count, temporary: what folded and csv\n"
        "               list (csv: default allocated), and whether pprof's blocks in use are\n"
        "               the live ones or those of the peak\n\n");
    vt_cli_help_shared(BY);
    return VT_EXIT_OK;
  }
  format_t const *format = find_format(options.format);
  int all = format && format->write == vt_export_csv; /* every site was allocated */
  int metric = parse_metric(&options, all ? VT_METRIC_ALLOCATED : VT_METRIC_LEAKED);
  if (!format)
    return usage_error(options.format ? options.format : "export",
                       options.format ? "no such format" : "no format given",
                       "`valtrace export --help` lists them");
  if (metric < 0)
    return usage_error(options.metric, "no such metric",
                       "live, peak, allocated, count or temporary");
  if (!format->write && !options.output)
    return usage_error("export", "a database needs a file", "give -o FILE");
  if (format->write == vt_export_pprof && metric != VT_METRIC_LEAKED && metric != VT_METRIC_PEAK)
    return usage_error("--metric", "blocks in use are the live ones or those of the peak",
                       "give live or peak");
  if (format->write == vt_export_pprof && !options.output && isatty(STDOUT_FILENO))
    return usage_error("pprof", "is binary and would garble the terminal",
                       "give -o FILE, or send it through a pipe");
  if (vt_cli_refuse(&options, format->out_of_place, "this format has no place for it",
                    "leave it out; `man valtrace-export` says which have"))
    return VT_EXIT_USAGE;
  if (!options.operand_cnt) return usage_error("export", "no trace given", "name a .vtr file");
  return export_traces(&options, format, (vt_metric_t)metric);
}

int vt_cmd_flame(int argc, char **argv) {
  vt_cli_options_t options;
  if (vt_cli_parse(&options, argc, argv, VT_CLI_OUTPUT | VT_CLI_METRIC)) return VT_EXIT_USAGE;
  if (options.help) {
    printf("usage: valtrace flame [--metric M] [-o FILE] [options] TRACE…\n\n"
           "Prints folded stacks (`root;…;leaf N`) for flame graph tools.\n\n"
           "  --metric M   peak (default), live, allocated, count, temporary\n"
           "  -o, --output FILE  write FILE, not standard output\n\n");
    vt_cli_help_shared(BY);
    return VT_EXIT_OK;
  }
  int metric = parse_metric(&options, VT_METRIC_PEAK);
  if (metric < 0)
    return usage_error(options.metric, "no such metric",
                       "live, peak, allocated, count or temporary");
  if (vt_cli_refuse(&options, BY, "stacks are shown whole", "leave it out")) return VT_EXIT_USAGE;
  if (!options.operand_cnt) return usage_error("flame", "no trace given", "name a .vtr file");
  return export_traces(&options, find_format("folded"), (vt_metric_t)metric);
}
