/* Options that all reading commands share: filters, suppressions and the like. */
#ifndef VT_ANALYZER_CLI_OPTIONS_H
#define VT_ANALYZER_CLI_OPTIONS_H

#include "analyzer/gate/gate.h"
#include "analyzer/report/analysis.h"
#include "analyzer/report/report.h"
#include "analyzer/util/output.h"

/* Limits of check-budget; UINT64_MAX: none. */
typedef struct {
  uint64_t leaked_bytes, leaked_blocks, lost_bytes, lost_blocks, peak_bytes, allocations;
  double temporary_percent; /* negative: none */
} vt_budget_t;

#define VT_CLI_CONDITIONS 32
typedef struct {
  vt_analysis_options_t analysis;
  vt_report_options_t report;
  char const *suppressions;               /* file */
  char const *output;                     /* -o */
  char const *format;                     /* --format */
  char const *metric;                     /* --metric */
  char const *per;                        /* --per */
  char const *fail_if[VT_CLI_CONDITIONS]; /* --fail-if, each time it was given */
  size_t fail_if_cnt;
  int ends; /* what is asked for rests on which blocks were temporary or reallocated, which older samples do not tell */
  int json, help;
  int why; /* of leaks: who holds them */
  int view_given; /* of the report */
  int full_names;
  int no_source; /* of the page */
  int gate,
      no_known;   /* known suppressions count, if the command is a gate; not if the user says so */
  uint64_t given; /* which options there were, a set of vt_cli_option_t */
  vt_budget_t budget;
  char **operands;
  int operand_cnt;
  char filters[1024]; /* the filters given, as text; report.filters points here */
} vt_cli_options_t;

/* The options that have a long name only; up to MAX_LIFETIME filters. */
typedef enum {
  VT_OPT_FROM = 256,
  VT_OPT_TO,
  VT_OPT_AT,
  VT_OPT_THREAD,
  VT_OPT_HEAP,
  VT_OPT_FUNCTION,
  VT_OPT_MODULE,
  VT_OPT_MIN_SIZE,
  VT_OPT_MAX_SIZE,
  VT_OPT_MIN_LIFETIME,
  VT_OPT_MAX_LIFETIME,
  VT_OPT_BY,
  VT_OPT_LIMIT,
  VT_OPT_SUPPRESSIONS,
  VT_OPT_NO_INLINES,
  VT_OPT_SHOW_ALLOCATORS,
  VT_OPT_HIDE_ALLOCATORS,
  VT_OPT_DEBUG_DIR,
  VT_OPT_NO_DEBUGINFOD,
  VT_OPT_JSON,
  VT_OPT_FORMAT,
  VT_OPT_METRIC,
  VT_OPT_MAX_LEAKED,
  VT_OPT_MAX_LEAKED_BLOCKS,
  VT_OPT_MAX_LOST,
  VT_OPT_MAX_LOST_BLOCKS,
  VT_OPT_MAX_PEAK,
  VT_OPT_MAX_ALLOCATIONS,
  VT_OPT_MAX_TEMPORARY,
  VT_OPT_NO_DEFAULT_SUPPRESSIONS,
  VT_OPT_FULL_NAMES,
  VT_OPT_SHOW_RUNTIME,
  VT_OPT_PER,
  VT_OPT_FAIL_IF,
  VT_OPT_LEAK_KIND,
  VT_OPT_WHY,
  VT_OPT_FULL,
  VT_OPT_NO_SOURCE,
  VT_OPT_NATIVE
} vt_cli_option_t;
#define VT_CLI_SET(option) ((uint64_t)1 << ((option)-VT_OPT_FROM))
#define VT_CLI_FILTERS     (VT_CLI_SET(VT_OPT_BY) - 1)
#define VT_CLI_TEXT        (VT_CLI_SET(VT_OPT_FULL_NAMES) | VT_CLI_SET(VT_OPT_SHOW_RUNTIME))
#define VT_CLI_ALLOCATORS  (VT_CLI_SET(VT_OPT_SHOW_ALLOCATORS) | VT_CLI_SET(VT_OPT_HIDE_ALLOCATORS))

/* Which options beyond the shared ones a command takes. */
enum {
  VT_CLI_OUTPUT = 1,
  VT_CLI_FORMAT = 2,
  VT_CLI_METRIC = 4,
  VT_CLI_BUDGET = 8,
  VT_CLI_GATE = 16,
  VT_CLI_DIFF = 32,
  VT_CLI_REPORT = 64,
  VT_CLI_PAGE = 128
};

/* Parses argv[1…]; options and operands may be mixed. Returns 0, or VT_EXIT_USAGE after saying what
   is wrong. operands is argv's own memory, reordered. */
int vt_cli_parse(vt_cli_options_t *options, int argc, char **argv, int extras);

/* For options that a command cannot obey: says of the first given one of a set why, and what to do.
   Returns VT_EXIT_USAGE then; 0 when none was given. */
int vt_cli_refuse(vt_cli_options_t const *options, uint64_t set, char const *why,
                  char const *advice);

/* Says that the option getopt has just refused is none of this command's (argv[0]) or lacks its
   value, and which of the known ones was probably meant. Returns VT_EXIT_USAGE. */
struct option;
int vt_cli_bad_option(char *const *argv, struct option const *known);

/* Reads the --format of a gate (text without one). Returns 0, or VT_EXIT_USAGE after a line: there is no
   such format, or --json asks for another one. */
int vt_cli_gate_format(vt_cli_options_t const *options, vt_gate_format_t *format);

/* Is there such a folder? Returns 0 or -1. */
int vt_cli_folder(char const *path);

/* Parses "4096", "64k", "1.5M", "2GiB" into bytes. Returns 0 or -1. */
int vt_cli_bytes(char const *text, uint64_t *bytes);

/* Opens the analysis the options ask for and applies suppressions. Returns 0 or the exit status
   with error filled (also when what is asked for occurs nowhere); the analysis is to be closed in
   both cases. */
int vt_cli_open(vt_cli_options_t *options, vt_analysis_t *analysis, vt_suppressions_t *suppressions,
                vt_error_t *error);

/* The same for one of several sides of a comparison: what is asked for may be in another one, so
   that with analysis->nowhere error is filled and 0 is returned. */
int vt_cli_open_side(vt_cli_options_t *options, vt_analysis_t *analysis,
                     vt_suppressions_t *suppressions, vt_error_t *error);

/* Adds what run-time libraries keep until the end to the suppressions. Returns 0, or the exit
   status with *error filled when the list is not installed. */
int vt_cli_add_known(vt_suppressions_t *suppressions, vt_error_t *error);
/* By site: do run-time libraries keep its live blocks by design? For findings; the caller frees it.
   NULL: nobody knows, as there is no verdict or no list. */
uint8_t *vt_cli_known_sites(vt_analysis_t const *analysis);

/* Prints the part of --help that describes the shared options, but for some that show what was
   chosen. */
void vt_cli_help_shared(uint64_t without);
/* Of that, the lines on filters. */
extern char const vt_cli_filter_help[];

/* A stream to the file `path`, or standard output when it is NULL; NULL after a line when there can
   be none. */
FILE *vt_cli_output(vt_output_t *output, char const *path);

/* Gives the file its name if `status` is VT_EXIT_OK, else removes it; after vt_cli_finish. Returns
   status, or VT_EXIT_OUTPUT after a line. */
int vt_cli_close_output(vt_output_t *output, char const *path, int status);

/* The terminal, or file, to which the options want text. */
vt_term_t vt_cli_term(vt_cli_options_t const *options);

/* Flushes `out`, closes it unless it is standard output; returns VT_EXIT_OUTPUT after a line that
   calls it `name` when something could not be written. */
int vt_cli_finish(FILE *out, char const *name);

#endif
