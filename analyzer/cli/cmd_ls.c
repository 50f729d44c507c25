/* valtrace ls: the traces of a folder as a tree of processes. A trace's parent is the one of its
   parent process that had begun last before it; the images that exec gave a process one after the
   other are siblings. Each trace is read whole, one at a time. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/options.h"
#include "analyzer/trace/folder.h"
#include "analyzer/util/mem.h"

#define NAME_COLUMNS_MIN 7  /* "program" */
#define NAME_COLUMNS_MAX 48 /* with its indentation */
#define INDENT           2
#define INDENT_MAX       32 /* leaves room for a name */
#define NO_PARENT        SIZE_MAX

static char const usage[] =
    "usage: valtrace ls [--json] [DIR|TRACE…]\n\n"
    "Lists the traces in DIR (default: the current folder) as a tree of processes: program, pid, "
    "when it\n"
    "began, events, what was live at the end and how much of it was lost, and how it ended.\n\n"
    "  --json   one JSON document\n"
    "  --help   this text\n";

/* What is kept of a trace. */
typedef struct {
  char const *path; /* the list's */
  char *host, *program, *name;
  char **argv;
  uint32_t argc, pid, ppid;
  uint64_t start_ns, duration_ns, events;
  uint64_t live_bytes, live_blocks, lost_bytes, lost_blocks;
  uint64_t sampled; /* period; live bytes and blocks are estimates then */
  int lost_known;
  vt_completeness_t completeness;
  size_t parent; /* its index, NO_PARENT: not among the traces */
  unsigned depth;
} row_t;

typedef struct {
  row_t *rows;
  size_t rows_cnt, rows_cap;
} rows_t;

/* ---- reading ---- */

static char *copy(char const *text) { return vt_mem_copy(text, strlen(text)); }

static void take_info(row_t *row, vt_trace_info_t const *info) {
  row->host = copy(info->host);
  row->program = copy(info->executable);
  row->name = copy(info->name);
  row->argc = info->argc;
  row->argv = vt_mem_new(info->argc + 1, sizeof *row->argv);
  for (uint32_t i = 0; i < info->argc; i++) row->argv[i] = copy(info->argv[i]);
  row->pid = info->pid;
  row->ppid = info->ppid;
  row->start_ns = info->start_unix_ns;
}

static row_t row_of(char const *path, vt_analysis_t const *analysis) {
  row_t row = {.path = path, .parent = NO_PARENT};
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  take_info(&row, vt_reader_info(analysis->readers[0]));
  row.duration_ns = vt_reader_end_time(analysis->readers[0]);
  row.events = vt_reader_integrity(analysis->readers[0])->events;
  row.live_bytes = totals->live_bytes;
  row.live_blocks = totals->live_blocks;
  row.sampled = analysis->sampled.period;
  row.lost_known = analysis->verdicts || (!totals->live_blocks && !row.sampled);
  row.lost_bytes = vt_lost_bytes(&analysis->verdict);
  row.lost_blocks = vt_lost_blocks(&analysis->verdict);
  row.completeness = vt_analysis_completeness(analysis);
  return row;
}

/* Traces that cannot be read are said and left out; the last such status is returned. */
static int read_rows(rows_t *out, vt_trace_list_t const *list) {
  int status = VT_EXIT_OK;
  for (size_t i = 0; i < list->paths_cnt; i++) {
    vt_analysis_t analysis;
    vt_analysis_options_t plain = {0};
    vt_error_t error;
    int usage_error;
    if (vt_analysis_open(&analysis, &list->paths[i], 1, &plain, &error, &usage_error)) {
      vt_error_print(&error);
      status = VT_EXIT_INPUT;
    } else
      VT_PUSH(out->rows, row_of(list->paths[i], &analysis));
    vt_analysis_close(&analysis);
  }
  return status;
}

/* ---- the tree ---- */

static int by_start(void const *a, void const *b) {
  row_t const *x = a, *y = b;
  return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* The last of the rows before `i` that is of process `pid` on the same host. */
static size_t latest(rows_t const *all, size_t i, uint32_t pid) {
  for (size_t k = i; k--;)
    if (all->rows[k].pid == pid && !strcmp(all->rows[k].host, all->rows[i].host)) return k;
  return NO_PARENT;
}

/* Needs the rows in order of start. */
static void find_parents(rows_t *all) {
  if (all->rows) qsort(all->rows, all->rows_cnt, sizeof *all->rows, by_start);
  for (size_t i = 0; i < all->rows_cnt; i++) {
    row_t *row = &all->rows[i];
    size_t before = latest(all, i, row->pid);
    if (before != NO_PARENT && !strcmp(all->rows[before].completeness.ended, "exec"))
      row->parent = all->rows[before].parent;
    else
      row->parent = latest(all, i, row->ppid);
    if (row->parent != NO_PARENT) row->depth = all->rows[row->parent].depth + 1;
  }
}

/* Puts the indexes of the descendants of `parent` into order, each before its own. */
static size_t walk(rows_t const *all, size_t parent, size_t *order, size_t used) {
  for (size_t i = parent == NO_PARENT ? 0 : parent + 1; i < all->rows_cnt; i++) {
    if (all->rows[i].parent != parent) continue;
    order[used++] = i;
    used = walk(all, i, order, used);
  }
  return used;
}

/* ---- text ---- */

static int name_columns(rows_t const *all) {
  size_t widest = NAME_COLUMNS_MIN;
  for (size_t i = 0; i < all->rows_cnt; i++) {
    size_t columns = INDENT * all->rows[i].depth + strlen(all->rows[i].name);
    if (columns > widest) widest = columns;
  }
  return widest < NAME_COLUMNS_MAX ? (int)widest : NAME_COLUMNS_MAX;
}

static void print_row(vt_term_t const *term, row_t const *row, int columns) {
  char when[40];
  time_t start = (time_t)(row->start_ns / 1000000000u);
  strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime(&start));
  int indent = INDENT * (int)row->depth;
  if (indent > INDENT_MAX) indent = INDENT_MAX;
  int used = fprintf(term->out, "%*s", indent, "");
  used += vt_term_text(term, row->name, columns - used);
  vt_estimate_text_t live = vt_bytes_estimate(row->live_bytes, 0);
  if (!row->sampled) memcpy(live.text, vt_bytes_text(row->live_bytes).text, sizeof(vt_number_t));
  fprintf(term->out, row->sampled ? "%*s  %7u  %7u  %s  %13s  %12s  %10s  %s%s\n" /* one character is of three bytes */
                                  : "%*s  %7u  %7u  %s  %13s  %10s  %10s  %s%s\n", columns - used, "", row->pid,
          row->ppid, when, vt_count_text(row->events).text, live.text,
          row->lost_known ? vt_bytes_text(row->lost_bytes).text : "not known",
          row->completeness.ended, row->completeness.complete ? "" : ", incomplete");
}

static void print_text(rows_t const *all, size_t const *order) {
  vt_term_t term = vt_term_start(stdout);
  int columns = name_columns(all);
  vt_term_styled(&term, VT_STYLE_FAINT, "%-*s  %7s  %7s  %-19s  %13s  %10s  %10s  %s\n", columns,
                 "program", "pid", "parent", "started", "events", "live", "lost", "ended");
  for (size_t i = 0; i < all->rows_cnt; i++) print_row(&term, &all->rows[order[i]], columns);
}

/* ---- JSON ---- */

static void json_lost(vt_json_t *json, char const *key, row_t const *row, uint64_t value) {
  if (row->lost_known)
    vt_json_uint(json, key, value);
  else
    vt_json_null(json, key);
}

static void json_row(vt_json_t *json, rows_t const *all, row_t const *row) {
  vt_json_object(json, NULL);
  vt_json_string(json, "path", row->path);
  vt_json_string(json, "program", row->program);
  vt_json_string(json, "name", row->name);
  vt_json_array(json, "command");
  for (uint32_t i = 0; i < row->argc; i++) vt_json_string(json, NULL, row->argv[i]);
  vt_json_end_array(json);
  vt_json_string(json, "host", row->host);
  vt_json_uint(json, "pid", row->pid);
  vt_json_uint(json, "parent_pid", row->ppid);
  vt_json_uint(json, "depth", row->depth);
  if (row->parent == NO_PARENT)
    vt_json_null(json, "parent_path");
  else
    vt_json_string(json, "parent_path", all->rows[row->parent].path);
  vt_json_uint(json, "start_unix_ns", row->start_ns);
  vt_json_uint(json, "duration_ns", row->duration_ns);
  vt_json_uint(json, "events", row->events);
  vt_json_uint(json, "sampled", row->sampled);
  vt_json_uint(json, "live_bytes", row->live_bytes);
  vt_json_uint(json, "live_blocks", row->live_blocks);
  json_lost(json, "lost_bytes", row, row->lost_bytes);
  json_lost(json, "lost_blocks", row, row->lost_blocks);
  vt_json_string(json, "ended", row->completeness.ended);
  vt_json_bool(json, "complete", row->completeness.complete);
  vt_json_end_object(json);
}

static void print_json(rows_t const *all, size_t const *order) {
  vt_json_t json = vt_json_start(stdout);
  vt_json_object(&json, NULL);
  vt_json_string(&json, "schema", "valtrace-ls");
  vt_json_uint(&json, "version", 1);
  vt_json_array(&json, "traces");
  for (size_t i = 0; i < all->rows_cnt; i++) json_row(&json, all, &all->rows[order[i]]);
  vt_json_end_array(&json);
  vt_json_end_object(&json);
  vt_json_finish(&json);
}

/* ---- the command ---- */

static void free_rows(rows_t *all) {
  for (size_t i = 0; i < all->rows_cnt; i++) {
    row_t *row = &all->rows[i];
    for (uint32_t k = 0; k < row->argc; k++) free(row->argv[k]);
    free(row->argv);
    free(row->host);
    free(row->program);
    free(row->name);
  }
  free(all->rows);
}

static int list(vt_cli_options_t const *options) {
  static char current[] = ".";
  char *here[] = {current, NULL};
  vt_trace_list_t traces = {0};
  vt_error_t error;
  rows_t all = {0};
  int given = options->operand_cnt > 0, status = VT_EXIT_INPUT;
  if (vt_trace_list(&traces, given ? options->operands : here,
                    given ? (size_t)options->operand_cnt : 1, &error))
    vt_error_print(&error);
  else {
    status = read_rows(&all, &traces);
    find_parents(&all);
    size_t *order = vt_mem_new(all.rows_cnt + 1, sizeof *order);
    walk(&all, NO_PARENT, order, 0);
    (options->json ? print_json : print_text)(&all, order);
    free(order);
  }
  free_rows(&all);
  vt_trace_list_free(&traces);
  int unwritten = vt_cli_finish(stdout, "standard output");
  return status ? status : unwritten;
}

int vt_cmd_ls(int argc, char **argv) {
  vt_cli_options_t options;
  if (vt_cli_parse(&options, argc, argv, 0) ||
      vt_cli_refuse(&options, ~VT_CLI_SET(VT_OPT_JSON), "ls lists whole traces",
                    "leave it out; `valtrace report` chooses"))
    return VT_EXIT_USAGE;
  if (!options.help) return list(&options);
  fputs(usage, stdout);
  return VT_EXIT_OK;
}
