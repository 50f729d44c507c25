/* Parsing what the reading commands have in common. */
#include "analyzer/cli/options.h"
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "analyzer/cli/installed.h"
#include "analyzer/util/nearest.h"

#define FILTER_HELP                                                                                \
  "  --from T, --to T       allocated between two moments, seen no further than --to\n"            \
  "  --at T                 the live set at a moment; T: time since start or a marker's name\n"    \
  "  --thread T             allocated by this thread: number or name pattern\n"                    \
  "                         (5012.2: the second thread that had number 5012)\n"                    \
  "  --heap NAME            in this heap (libc: the process's own)\n"                              \
  "  --function GLOB, --module GLOB   one frame of the stack matches\n"                            \
  "  --min-size B, --max-size B       of this size (suffixes k, M, G)\n"                           \
  "  --min-lifetime T, --max-lifetime T   freed after so long (times: seconds, or with ns, us, "   \
  "ms)\n"

char const vt_cli_filter_help[] = FILTER_HELP;

/* How the chosen is shown, with the lines of --help. */
static struct {
  int option;
  char const *help;
} const showing[] = {
    {VT_OPT_BY,
     "  --by function|line|module|site   what is shown together (report: thread, size too)\n"},
    {VT_OPT_LIMIT, "  --limit N              at most N entries\n"},
    {VT_OPT_SUPPRESSIONS, "  --suppressions FILE    known leaks, in LeakSanitizer's syntax\n"},
    {VT_OPT_NO_INLINES, "  --no-inlines           leave inlined functions out\n"},
    {VT_OPT_FULL_NAMES,
     "  --full-names           names of functions whole, with all template arguments\n"},
    {VT_OPT_NATIVE, "  --native               with the frames of interpreters between the code they run\n"},
    {VT_OPT_SHOW_RUNTIME,
     "  --show-runtime-frames  do not fold what runs inside run-time libraries\n"},
    {VT_OPT_SHOW_ALLOCATORS,
     "  --show-allocator-frames  do not hide malloc, operator new and the like\n"},
    {VT_OPT_HIDE_ALLOCATORS, "  --hide-allocator-frames  hide them (default)\n"},
    {VT_OPT_DEBUG_DIR,
     "  --debug-dir DIR        debug files are here, too, laid out as in /usr/lib/debug\n"},
    {VT_OPT_NO_DEBUGINFOD,
     "  --no-debuginfod        do not ask the servers in DEBUGINFOD_URLS for them\n"},
    {VT_OPT_JSON, "  --json                 machine-readable\n"}};

void vt_cli_help_shared(uint64_t without) {
  fputs("Choosing blocks:\n" FILTER_HELP "Showing them:\n", stdout);
  for (size_t i = 0; i < sizeof showing / sizeof *showing; i++)
    if (!(without & VT_CLI_SET(showing[i].option))) fputs(showing[i].help, stdout);
  fputs("  -h, --help             this text\n", stdout);
}

static struct option const long_options[] = {
    {"from", 1, 0, VT_OPT_FROM},
    {"to", 1, 0, VT_OPT_TO},
    {"at", 1, 0, VT_OPT_AT},
    {"thread", 1, 0, VT_OPT_THREAD},
    {"heap", 1, 0, VT_OPT_HEAP},
    {"function", 1, 0, VT_OPT_FUNCTION},
    {"module", 1, 0, VT_OPT_MODULE},
    {"min-size", 1, 0, VT_OPT_MIN_SIZE},
    {"max-size", 1, 0, VT_OPT_MAX_SIZE},
    {"min-lifetime", 1, 0, VT_OPT_MIN_LIFETIME},
    {"max-lifetime", 1, 0, VT_OPT_MAX_LIFETIME},
    {"by", 1, 0, VT_OPT_BY},
    {"limit", 1, 0, VT_OPT_LIMIT},
    {"suppressions", 1, 0, VT_OPT_SUPPRESSIONS},
    {"leak-kind", 1, 0, VT_OPT_LEAK_KIND},
    {"why", 0, 0, VT_OPT_WHY},
    {"no-inlines", 0, 0, VT_OPT_NO_INLINES},
    {"full-names", 0, 0, VT_OPT_FULL_NAMES},
    {"show-runtime-frames", 0, 0, VT_OPT_SHOW_RUNTIME},
    {"native", 0, 0, VT_OPT_NATIVE},
    {"show-allocator-frames", 0, 0, VT_OPT_SHOW_ALLOCATORS},
    {"hide-allocator-frames", 0, 0, VT_OPT_HIDE_ALLOCATORS},
    {"debug-dir", 1, 0, VT_OPT_DEBUG_DIR},
    {"no-debuginfod", 0, 0, VT_OPT_NO_DEBUGINFOD},
    {"json", 0, 0, VT_OPT_JSON},
    {"format", 1, 0, VT_OPT_FORMAT},
    {"metric", 1, 0, VT_OPT_METRIC},
    {"full", 0, 0, VT_OPT_FULL},
    {"no-source", 0, 0, VT_OPT_NO_SOURCE},
    {"per", 1, 0, VT_OPT_PER},
    {"fail-if", 1, 0, VT_OPT_FAIL_IF},
    {"output", 1, 0, 'o'},
    {"no-default-suppressions", 0, 0, VT_OPT_NO_DEFAULT_SUPPRESSIONS},
    {"max-lost", 1, 0, VT_OPT_MAX_LOST},
    {"max-lost-blocks", 1, 0, VT_OPT_MAX_LOST_BLOCKS},
    {"max-live", 1, 0, VT_OPT_MAX_LEAKED},
    {"max-live-blocks", 1, 0, VT_OPT_MAX_LEAKED_BLOCKS},
    {"max-leaked", 1, 0, VT_OPT_MAX_LEAKED}, /* the old names */
    {"max-leaked-blocks", 1, 0, VT_OPT_MAX_LEAKED_BLOCKS},
    {"max-peak", 1, 0, VT_OPT_MAX_PEAK},
    {"max-allocations", 1, 0, VT_OPT_MAX_ALLOCATIONS},
    {"max-temporary", 1, 0, VT_OPT_MAX_TEMPORARY},
    {"help", 0, 0, 'h'},
    {0, 0, 0, 0}};

int vt_cli_bytes(char const *text, uint64_t *bytes) {
  static char const units[] = "kMGT";
  char *end;
  double value = strtod(text, &end), scale = 1;
  if (end == text || !(value >= 0)) return -1;
  char const *unit = *end ? strchr(units, *end == 'K' ? 'k' : *end) : NULL;
  if (unit) {
    for (char const *u = units; u <= unit; u++) scale *= 1024;
    end++;
  }
  if (*end == 'i') end++;
  if (*end == 'B') end++;
  if (*end || value * scale > 1e18) return -1;
  *bytes = (uint64_t)(value * scale);
  return 0;
}

/* A maximum as the first value beyond it. */
static int parse_end(int (*parse)(char const *text, uint64_t *value), char const *text,
                     uint64_t *end) {
  if (parse(text, end)) return -1;
  ++*end;
  return 0;
}

/* By thread and by size are views of the report; other commands (extras) have no such thing. */
static int parse_by(vt_report_options_t *report, char const *text, int extras) {
  static char const *const names[] = {"function", "line", "module", "site"};
  for (int i = 0; i < 4; i++) {
    if (strcmp(text, names[i])) continue;
    report->by = (vt_by_t)i;
    report->by_given = 1;
    report->view = VT_VIEW_SUMMARY;
    return 0;
  }
  if (!(extras & VT_CLI_REPORT)) return -1;
  report->by_given = 0;
  if (!strcmp(text, "thread"))
    report->view = VT_VIEW_THREADS;
  else if (!strcmp(text, "size"))
    report->view = VT_VIEW_SIZES;
  else
    return -1;
  return 0;
}

static int parse_limit(size_t *limit, char const *text) {
  char *end;
  unsigned long long value = strtoull(text, &end, 10);
  if (end == text || *end || !value || *text == '-') return -1;
  *limit = value;
  return 0;
}

static int parse_count(uint64_t *count, char const *text) {
  char *end;
  *count = strtoull(text, &end, 10);
  return end == text || *end || *text == '-' ? -1 : 0;
}

static int parse_percent(double *percent, char const *text) {
  char *end;
  *percent = strtod(text, &end);
  if (*end == '%') end++;
  return end == text || *end || !(*percent >= 0) ? -1 : 0;
}

static int take_budget(vt_budget_t *budget, int option, char const *value) {
  switch (option) {
  case VT_OPT_MAX_LEAKED: return vt_cli_bytes(value, &budget->leaked_bytes);
  case VT_OPT_MAX_LEAKED_BLOCKS: return parse_count(&budget->leaked_blocks, value);
  case VT_OPT_MAX_LOST: return vt_cli_bytes(value, &budget->lost_bytes);
  case VT_OPT_MAX_LOST_BLOCKS: return parse_count(&budget->lost_blocks, value);
  case VT_OPT_MAX_PEAK: return vt_cli_bytes(value, &budget->peak_bytes);
  case VT_OPT_MAX_ALLOCATIONS: return parse_count(&budget->allocations, value);
  case VT_OPT_MAX_TEMPORARY: return parse_percent(&budget->temporary_percent, value);
  default: return -2;
  }
}

int vt_cli_folder(char const *path) {
  struct stat st;
  return stat(path, &st) || !S_ISDIR(st.st_mode) ? -1 : 0;
}

/* One option with its value; -1: the value makes no sense, -2: not an option of this command. */
static int take_option(vt_cli_options_t *options, int option, char *value, int extras) {
  vt_filter_t *filter = &options->analysis.filter;
  switch (option) {
  case VT_OPT_FROM: filter->from = value; return 0;
  case VT_OPT_TO: filter->to = value; return 0;
  case VT_OPT_AT: filter->at = value; return 0;
  case VT_OPT_THREAD: filter->thread = value; return 0;
  case VT_OPT_HEAP: filter->heap = value; return 0;
  case VT_OPT_FUNCTION: filter->function = value; return 0;
  case VT_OPT_MODULE: filter->module = value; return 0;
  case VT_OPT_MIN_SIZE: return vt_cli_bytes(value, &filter->min_size);
  case VT_OPT_MAX_SIZE: return parse_end(vt_cli_bytes, value, &filter->size_end);
  case VT_OPT_MIN_LIFETIME: return vt_filter_duration(value, &filter->min_lifetime);
  case VT_OPT_MAX_LIFETIME: return parse_end(vt_filter_duration, value, &filter->lifetime_end);
  case VT_OPT_BY: return parse_by(&options->report, value, extras);
  case VT_OPT_LIMIT: return parse_limit(&options->report.limit, value);
  case VT_OPT_SUPPRESSIONS: options->suppressions = value; return 0;
  case VT_OPT_NO_INLINES: options->report.no_inlines = options->analysis.no_inlines = 1; return 0;
  case VT_OPT_SHOW_ALLOCATORS:
    options->report.keep_allocators = options->analysis.keep_allocators = 1;
    return 0;
  case VT_OPT_HIDE_ALLOCATORS: return 0;
  case VT_OPT_FULL_NAMES: options->full_names = 1; return 0;
  case VT_OPT_NATIVE: options->analysis.native = 1; return 0;
  case VT_OPT_SHOW_RUNTIME: options->report.show_runtime = 1; return 0;
  case VT_OPT_DEBUG_DIR: return vt_cli_folder(options->analysis.search.folder = value);
  case VT_OPT_NO_DEBUGINFOD: options->analysis.search.debuginfod = 0; return 0;
  case VT_OPT_JSON: options->json = 1; return 0;
  case VT_OPT_FORMAT: options->format = value; return extras & VT_CLI_FORMAT ? 0 : -2;
  case VT_OPT_METRIC: options->metric = value; return extras & VT_CLI_METRIC ? 0 : -2;
  case VT_OPT_LEAK_KIND:
    options->report.leak_kind_given = 1;
    options->report.leak_kind = (vt_metric_t)vt_metric_by_leak_kind(value);
    if (!(extras & VT_CLI_REPORT)) return -2;
    return vt_metric_by_leak_kind(value) < 0 ? -1 : 0;
  case VT_OPT_WHY: options->why = 1; return extras & VT_CLI_REPORT ? 0 : -2;
  case VT_OPT_FULL: options->report.full = 1; return extras & VT_CLI_REPORT ? 0 : -2;
  case VT_OPT_NO_SOURCE: options->no_source = 1; return extras & VT_CLI_PAGE ? 0 : -2;
  case VT_OPT_PER: options->per = value; return extras & VT_CLI_DIFF ? 0 : -2;
  case VT_OPT_FAIL_IF:
    if (!(extras & VT_CLI_DIFF)) return -2;
    if (options->fail_if_cnt == VT_CLI_CONDITIONS) return -1;
    options->fail_if[options->fail_if_cnt++] = value;
    return 0;
  case 'o': options->output = value; return extras & VT_CLI_OUTPUT ? 0 : -2;
  case 'h': options->help = 1; return 0;
  case VT_OPT_NO_DEFAULT_SUPPRESSIONS: options->no_known = 1; return extras & VT_CLI_GATE ? 0 : -2;
  default: return extras & VT_CLI_BUDGET ? take_budget(&options->budget, option, value) : -2;
  }
}

/* note_filter adds an option to what the report says of itself. */
static void note_filter(vt_cli_options_t *options, char const *name, char const *value) {
  size_t used = strlen(options->filters), cap = sizeof options->filters;
  snprintf(options->filters + used, cap - used, "%s--%s %s", used ? " " : "", name, value);
  options->report.filters = options->filters;
}

static char const not_an_option[] = "no such option, or no value";

static int refuse(char const *command, char const *what, char const *why) {
  char advice[128];
  snprintf(advice, sizeof advice, "`valtrace %s --help` lists the options", command);
  vt_error_say(what, why, advice);
  return VT_EXIT_USAGE;
}

int vt_cli_bad_option(char *const *argv, struct option const *known) {
  char const *given = argv[optind - 1];
  char advice[128];
  vt_nearest_t nearest = vt_nearest_start(given + strspn(given, "-"));
  for (; known->name; known++) vt_nearest_offer(&nearest, known->name, strlen(known->name));
  if (!vt_nearest_get(&nearest)) return refuse(argv[0], given, not_an_option);
  snprintf(advice, sizeof advice, "did you mean --%s?", vt_nearest_get(&nearest));
  vt_error_say(given, not_an_option, advice);
  return VT_EXIT_USAGE;
}

static char const *name_of(int option) {
  size_t i = 0;
  while (long_options[i].val != option) i++;
  return long_options[i].name;
}

int vt_cli_refuse(vt_cli_options_t const *options, uint64_t set, char const *why,
                  char const *advice) {
  char name[40];
  if (!(options->given & set)) return 0;
  snprintf(name, sizeof name, "--%s", name_of(VT_OPT_FROM + __builtin_ctzll(options->given & set)));
  vt_error_say(name, why, advice);
  return VT_EXIT_USAGE;
}

int vt_cli_parse(vt_cli_options_t *options, int argc, char **argv, int extras) {
  *options = (vt_cli_options_t){
      .budget = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, -1},
      .gate = extras & VT_CLI_GATE};
  options->analysis.search.debuginfod = 1;
  char name[300];
  optind = 0;
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, "ho:", long_options, NULL)) != -1;) {
    int result = take_option(options, option, optarg, extras);
    if (result && option >= VT_OPT_FROM) {
      snprintf(name, sizeof name, result == -1 ? "--%s %.200s" : "--%s", name_of(option), optarg);
      return refuse(argv[0], name, result == -1 ? "not a value this option takes" : not_an_option);
    }
    if (result) return vt_cli_bad_option(argv, long_options);
    if (option >= VT_OPT_FROM) options->given |= VT_CLI_SET(option);
    if (option >= VT_OPT_FROM && option <= VT_OPT_MAX_LIFETIME)
      note_filter(options, name_of(option), optarg);
  }
  options->operands = argv + optind;
  options->operand_cnt = argc - optind;
  if (!options->analysis.filter.at) return 0;
  return vt_cli_refuse(options, VT_CLI_SET(VT_OPT_TO), "--at says until when already",
                       "give one of them");
}

int vt_cli_gate_format(vt_cli_options_t const *options, vt_gate_format_t *format) {
  int found = options->format ? vt_gate_format(options->format) : VT_GATE_TEXT;
  *format = (vt_gate_format_t)found;
  if (found >= 0 && !(options->json && options->format)) return VT_EXIT_OK;
  vt_error_say("--format", found < 0 ? "no such format" : "--json is a format of its own",
               found < 0 ? "one of " VT_GATE_FORMATS : "give one of them");
  return VT_EXIT_USAGE;
}

int vt_cli_add_known(vt_suppressions_t *suppressions, vt_error_t *error) {
  char path[PATH_MAX];
  if (!vt_installed_find("known.supp", path))
    return vt_suppressions_load(suppressions, path, 1, error) ? VT_EXIT_INPUT : VT_EXIT_OK;
  vt_error_set(error, "known.supp", "the list of what run-time libraries keep is not installed",
               "install valtrace completely, or give --no-default-suppressions");
  return VT_EXIT_INPUT;
}

uint8_t *vt_cli_known_sites(vt_analysis_t const *analysis) {
  vt_suppressions_t known = {0};
  vt_error_t error;
  uint8_t *marks = NULL;
  if (analysis->verdicts && !vt_cli_add_known(&known, &error))
    marks = vt_suppressions_match(&known, analysis);
  vt_suppressions_free(&known);
  return marks;
}

/* refuse_sample: what is asked for is not in an older one. */
static int refuse_sample(vt_analysis_t const *analysis, vt_error_t *error) {
  size_t t = 0;
  while (!vt_sampled_untold(analysis->readers[t])) t++;
  vt_error_set(error, vt_reader_info(analysis->readers[t])->path, "this cannot be told: " VT_SAMPLED_OLD, "record it anew");
  return VT_EXIT_INPUT;
}

int vt_cli_open_side(vt_cli_options_t *options, vt_analysis_t *analysis,
                     vt_suppressions_t *suppressions, vt_error_t *error) {
  int usage;
  if (vt_analysis_open(analysis, options->operands, (size_t)options->operand_cnt,
                       &options->analysis, error, &usage))
    return usage ? VT_EXIT_USAGE : VT_EXIT_INPUT;
  if (analysis->sampled.untold && options->ends) return refuse_sample(analysis, error);
  int known = options->gate && !options->no_known;
  if (!(options->suppressions || known) || analysis->nowhere) return VT_EXIT_OK;
  if (options->suppressions && vt_suppressions_load(suppressions, options->suppressions, 0, error))
    return VT_EXIT_INPUT;
  if (known && vt_cli_add_known(suppressions, error)) return VT_EXIT_INPUT;
  vt_suppressions_apply(suppressions, analysis);
  options->report.suppressions = suppressions;
  return VT_EXIT_OK;
}

int vt_cli_open(vt_cli_options_t *options, vt_analysis_t *analysis, vt_suppressions_t *suppressions,
                vt_error_t *error) {
  int status = vt_cli_open_side(options, analysis, suppressions, error);
  return status ? status : analysis->nowhere ? VT_EXIT_USAGE : VT_EXIT_OK;
}

vt_term_t vt_cli_term(vt_cli_options_t const *options) {
  vt_term_t term = vt_term_start(stdout);
  term.full_names = options->full_names;
  return term;
}

int vt_cli_finish(FILE *out, char const *name) {
  int failed = fflush(out) || ferror(out);
  if (out != stdout && fclose(out)) failed = 1;
  if (!failed) return VT_EXIT_OK;
  vt_error_say(name, strerror(errno), "make room, or write elsewhere");
  return VT_EXIT_OUTPUT;
}

FILE *vt_cli_output(vt_output_t *output, char const *path) {
  vt_error_t error;
  if (!path) return stdout;
  if (vt_output_open(output, path, VT_OUTPUT_STREAM, &error)) {
    vt_error_print(&error);
    return NULL;
  }
  FILE *out = vt_output_stream(output);
  if (out) return out;
  vt_error_say(path, strerror(errno), "close some files");
  vt_output_close(output, 0, &error);
  return NULL;
}

int vt_cli_close_output(vt_output_t *output, char const *path, int status) {
  vt_error_t error;
  if (!path || !vt_output_close(output, status == VT_EXIT_OK, &error) || status != VT_EXIT_OK)
    return status;
  vt_error_print(&error);
  return VT_EXIT_OUTPUT;
}
