/* See nameless.h. */
#include "analyzer/report/nameless.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/mem.h"

/* By vt_symbols_problem_t: the word for programs, the sentence for people. */
static struct {
  char const *reason, *sentence;
} const problems[] = {
    [VT_SYMBOLS_ABSENT] = {"absent", "is not there any more: its functions have no names"},
    [VT_SYMBOLS_OTHER_BUILD] = {"other-build",
                                "is another build than the one that was recorded: its functions have "
                                "no names (record it again)"},
    [VT_SYMBOLS_DAMAGED] = {"damaged", "cannot be read as an ELF file: its functions have no names"},
    [VT_SYMBOLS_NO_DWO] = {"no-dwo", "lacks a file with debug information (build it again and keep it), so "
                                     "inlined functions have no names"},
    [VT_SYMBOLS_DWP] = {"dwp", "has debug information in a package that is not read here (keep the .dwo files "
                               "it was made of), so inlined functions have no names"},
};
#define PROBLEMS_CNT (sizeof problems / sizeof *problems)
#define FILES_NAMED  5 /* for each problem */

static char const *base_name(char const *path) {
  char const *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static void print_line(vt_term_t const *term, char const *text) {
  vt_term_styled(term, VT_STYLE_WARNING, "  ! ");
  vt_term_wrap(term, text, 4);
  putc('\n', term->out);
}

typedef struct {
  char const *path, *missing;
  vt_symbols_problem_t problem;
} module_t;

/* module_at is the i-th module; without path: there are no more. */
static module_t module_at(vt_stacks_t const *stacks, uint32_t i) {
  module_t m;
  m.path = vt_stacks_module(stacks, i, &m.problem, &m.missing);
  if (m.path && *m.path != '/') m.problem = VT_SYMBOLS_FINE; /* the vdso has no file */
  return m;
}

static int has_problem(vt_stacks_t const *stacks, char const *path) {
  module_t m;
  for (uint32_t i = 0; m = module_at(stacks, i), m.path; i++)
    if (m.problem && !strcmp(m.path, path)) return 1;
  return 0;
}

/* print_problem names the files of one problem: a few, and how many more. */
static void print_problem(vt_analysis_t const *analysis, vt_term_t const *term,
                          vt_symbols_problem_t kind) {
  char text[768];
  size_t files = 0;
  module_t m;
  for (uint32_t i = 0; m = module_at(analysis->stacks, i), m.path; i++) {
    if (m.problem != kind || ++files > FILES_NAMED) continue;
    snprintf(text, sizeof text, "%.200s %s%s%.300s", base_name(m.path), problems[kind].sentence,
             *m.missing ? ": " : "", m.missing);
    print_line(term, text);
  }
  if (files <= FILES_NAMED) return;
  snprintf(text, sizeof text, "the same is true of %zu more", files - FILES_NAMED);
  print_line(term, text);
}

/* Code of one module, by what is known of it: different addresses in all, those without a name. */
typedef struct {
  char const *module;
  size_t all, nameless;
} known_t;

#define MODULES_NAMED 16 /* one report has few; more are not told of */

/* count_known fills `modules` from all stacks, but for run-time libraries, whose inside nobody looks
   for; returns how many. */
static size_t count_known(vt_stacks_t const *stacks, known_t modules[MODULES_NAMED]) {
  uint8_t *seen = vt_mem_new(vt_stacks_places_cnt(stacks), 1);
  size_t used = 0;
  for (uint32_t node = 1; node < vt_stacks_cnt(stacks); node++) {
    vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
    uint8_t *mark = &seen[vt_stacks_place(stacks, node)];
    if (*mark) continue;
    *mark = 1;
    size_t cnt = vt_stacks_frames(stacks, node, 0, frames), i = 0;
    if (!cnt || frames[0].runtime || frames[0].module[0] != '/') continue;
    while (i < used && modules[i].module != frames[0].module) i++;
    if (i == MODULES_NAMED || has_problem(stacks, frames[0].module)) continue;
    if (i == used) modules[used++] = (known_t){.module = frames[0].module};
    modules[i].all++;
    modules[i].nameless += !frames[cnt - 1].function[0];
  }
  free(seen);
  return used;
}

/* print_unnamed tells of modules whose file was read, and has few names. */
static void print_unnamed(vt_analysis_t const *analysis, vt_term_t const *term) {
  known_t modules[MODULES_NAMED];
  char text[1024] = "";
  size_t cnt = count_known(analysis->stacks, modules), sz = 0;
  for (size_t i = 0; i < cnt; i++) {
    char const *slash = strrchr(modules[i].module, '/');
    if (4 * modules[i].nameless <= modules[i].all || sz > sizeof text / 2) continue;
    sz += (size_t)snprintf(text + sz, 128, "%s%.100s", sz ? ", " : "", slash + 1);
  }
  if (!sz) return;
  snprintf(text + sz, sizeof text - sz,
           ": functions without a name are shown as FILE+OFFSET (install the debug "
           "information, then `valtrace pack TRACE`)");
  vt_term_styled(term, VT_STYLE_WARNING, "  ! ");
  vt_term_wrap(term, text, 4);
  putc('\n', term->out);
}

void vt_text_nameless(vt_analysis_t const *analysis, vt_term_t const *term) {
  for (size_t kind = 0; kind < PROBLEMS_CNT; kind++)
    if (problems[kind].reason) print_problem(analysis, term, (vt_symbols_problem_t)kind);
  print_unnamed(analysis, term);
}

void vt_json_nameless(vt_json_t *json, vt_analysis_t const *analysis) {
  module_t m;
  vt_json_array(json, "nameless");
  for (uint32_t i = 0; m = module_at(analysis->stacks, i), m.path; i++) {
    if (!m.problem) continue;
    vt_json_object_line(json, NULL);
    vt_json_string(json, "module", m.path);
    vt_json_string(json, "reason", problems[m.problem].reason);
    if (*m.missing) vt_json_string(json, "missing", m.missing);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
}
