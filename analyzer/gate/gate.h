/* The outcome of a gate (`check-budget`, `diff --fail-if`, `run --fail-on-leak`) for the machines of
   continuous integration: which checks were made, which failed, and at which lines of the user's
   own code. The command adds checks, and the places that it holds responsible to those that failed;
   one writer a format (github.c, junit.c, sarif.c) puts them down. Knows no command. */
#ifndef VT_ANALYZER_GATE_GATE_H
#define VT_ANALYZER_GATE_GATE_H

#include <stdio.h>
#include "analyzer/report/metric.h"
#include "analyzer/trace/completeness.h"

typedef enum {
  VT_GATE_TEXT, /* for people: the command's own */
  VT_GATE_GITHUB,
  VT_GATE_JUNIT,
  VT_GATE_SARIF
} vt_gate_format_t;

/* What --help and errors call them. */
#define VT_GATE_FORMATS "text, github, junit, sarif"

/* vt_gate_format is the format of a name, or -1. */
int vt_gate_format(char const *name);

/* A line that is held responsible. */
typedef struct {
  char *file; /* below the current folder: relative to it; "": not known */
  uint32_t line;
  char *function; /* as shown */
  char *text;     /* what happened there, one line */
  vt_analysis_t const *analysis;
  uint32_t node; /* the stack in it that stands for the place */
  uint64_t bytes, blocks;
} vt_gate_place_t;

typedef struct {
  char *name; /* of the check: "lost bytes", or a condition */
  char *text; /* the value and what is allowed, one line */
  int failed;
  vt_gate_place_t *places; /* worst first */
  size_t places_cnt, places_cap;
} vt_gate_check_t;

typedef struct {
  char const *command; /* "check-budget", … */
  vt_analysis_t const *analysis; /* of the program that is judged */
  vt_gate_check_t *checks;
  size_t checks_cnt, checks_cap;
} vt_gate_t;

/* vt_gate_add adds a check; copies its texts. The result is valid until the next one is added. */
vt_gate_check_t *vt_gate_add(vt_gate_t *gate, char const *name, int failed, char const *text);

/* vt_gate_add_record adds the check that a record is complete, without which no other one means
   anything. */
void vt_gate_add_record(vt_gate_t *gate, vt_completeness_t const *have);

/* vt_gate_add_sites adds the places with most of a metric, at most `limit`; of nested heaps none.
   Lines that several sites have in common are one place. */
void vt_gate_add_sites(vt_gate_check_t *check, vt_analysis_t const *analysis, vt_metric_t metric,
                       size_t limit);

/* vt_gate_add_place adds the place of one stack; `text` is copied, and the function's name put
   behind it. */
void vt_gate_add_place(vt_gate_check_t *check, vt_analysis_t const *analysis, uint32_t node,
                       char const *text);

/* vt_gate_stack expands the stack of a place, without allocators at its inner end; the caller frees
   out->frames. */
void vt_gate_stack(vt_gate_place_t const *place, vt_expanded_t *out);

/* vt_gate_path is a source file's name for a machine that has the sources in the current folder:
   relative to it if it lies below. The caller frees it. */
char *vt_gate_path(char const *file);

/* vt_gate_write writes all checks. Errors of the stream are the caller's to see. Analyses of places
   must still be open. Not for VT_GATE_TEXT. */
void vt_gate_write(vt_gate_t const *gate, vt_gate_format_t format, FILE *out);

void vt_gate_free(vt_gate_t *gate);

/* ---- writers ---- */
void vt_gate_github(vt_gate_t const *gate, FILE *out);
void vt_gate_junit(vt_gate_t const *gate, FILE *out);
void vt_gate_sarif(vt_gate_t const *gate, FILE *out);

#endif
