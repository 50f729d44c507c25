/* Options that all reading commands share: filters, suppressions and the like. */
#ifndef VT_ANALYZER_CLI_OPTIONS_H
#define VT_ANALYZER_CLI_OPTIONS_H

#include "analyzer/report/analysis.h"
#include "analyzer/report/report.h"

/* Limits of check-budget; UINT64_MAX: none. */
typedef struct {
  uint64_t leaked_bytes, leaked_blocks, peak_bytes, allocations;
  double temporary_percent; /* negative: none */
} vt_budget_t;

typedef struct {
  vt_analysis_options_t analysis;
  vt_report_options_t report;
  char const *suppressions; /* file */
  char const *output;       /* -o */
  char const *format;       /* --format */
  char const *metric;       /* --metric */
  int json, help;
  vt_budget_t budget;
  char **operands;
  int operand_cnt;
} vt_cli_options_t;

/* Which options beyond the shared ones a command takes. */
enum { VT_CLI_OUTPUT = 1, VT_CLI_FORMAT = 2, VT_CLI_METRIC = 4, VT_CLI_BUDGET = 8 };

/* Parses argv[1…]; options and operands may be mixed. Returns 0, or VT_EXIT_USAGE after saying what
   is wrong. operands is argv's own memory, reordered. */
int vt_cli_parse(vt_cli_options_t *options, int argc, char **argv, int extras);

/* Says that the option getopt has just refused is none of this command's (argv[0]) or lacks its
   value. Returns VT_EXIT_USAGE. */
int vt_cli_bad_option(char *const *argv);

/* Parses "4096", "64k", "1.5M", "2GiB" into bytes. Returns 0 or -1. */
int vt_cli_bytes(char const *text, uint64_t *bytes);

/* Opens the analysis the options ask for and applies suppressions. Returns 0 or the exit status
   with error filled; the analysis is to be closed in both cases. */
int vt_cli_open(vt_cli_options_t *options, vt_analysis_t *analysis, vt_suppressions_t *suppressions,
                vt_error_t *error);

/* The part of --help that describes the shared options; of that, the lines on filters. */
extern char const vt_cli_shared_help[], vt_cli_filter_help[];

/* Flushes `out`, closes it unless it is standard output; returns VT_EXIT_OUTPUT after a line that
   calls it `name` when something could not be written. */
int vt_cli_finish(FILE *out, char const *name);

#endif
