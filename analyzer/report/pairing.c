/* See pairing.h. Names of functions tell sites apart; modules only stand for code without names and
   for groups by module, so that a few simple rules are enough. */
#include "analyzer/report/pairing.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/util/mem.h"

static char const *file_name(char const *path) {
  char const *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* Are two names equal when digits, and the points and dashes beside them, do not count? */
static int same_but_version(char const *a, char const *b) {
  for (;; a++, b++) {
    while (*a && strchr("0123456789.-_", *a)) a++;
    while (*b && strchr("0123456789.-_", *b)) b++;
    if (*a != *b) return 0;
    if (!*a) return 1;
  }
}

static int has_module(vt_analysis_t const *analysis, char const *name) {
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt;
    vt_trace_module_t const *modules = vt_reader_modules(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++)
      if (!strcmp(file_name(modules[i].path), name)) return 1;
  }
  return 0;
}

static int is_paired(vt_pairing_t const *pairing, char const *path) {
  for (size_t i = 0; i < pairing->pairs_cnt; i++)
    if (!strcmp(file_name(pairing->pairs[i].before), file_name(path)) ||
        !strcmp(file_name(pairing->pairs[i].after), file_name(path)))
      return 1;
  return 0;
}

/* The module of `after` that is `name` but for its version and has no namesake before; NULL: none.
 */
static char const *other_version(vt_pairing_t const *pairing, vt_analysis_t const *before,
                                 vt_analysis_t const *after, char const *name) {
  for (size_t t = 0; t < after->trace_cnt; t++) {
    size_t cnt;
    vt_trace_module_t const *modules = vt_reader_modules(after->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++) {
      char const *other = file_name(modules[i].path);
      if (*other && same_but_version(name, other) && !has_module(before, other) &&
          !is_paired(pairing, other))
        return modules[i].path;
    }
  }
  return NULL;
}

static char const *executable(vt_analysis_t const *analysis) {
  return vt_reader_info(analysis->readers[0])->executable;
}

vt_pairing_t vt_pairing_make(vt_analysis_t const *before, vt_analysis_t const *after) {
  vt_pairing_t out = {0};
  for (size_t t = 0; t < before->trace_cnt; t++) {
    size_t cnt;
    vt_trace_module_t const *modules = vt_reader_modules(before->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++) {
      char const *name = file_name(modules[i].path);
      if (!*name || has_module(after, name) || is_paired(&out, name)) continue;
      char const *other = other_version(&out, before, after, name);
      if (other) VT_PUSH(out.pairs, ((vt_module_pair_t){modules[i].path, other}));
    }
  }
  char const *a = executable(before), *b = executable(after);
  if (strcmp(file_name(a), file_name(b)) && !is_paired(&out, a) && !is_paired(&out, b) &&
      !has_module(after, file_name(a)) && !has_module(before, file_name(b)))
    VT_PUSH(out.pairs, ((vt_module_pair_t){a, b}));
  return out;
}

void vt_pairing_free(vt_pairing_t *pairing) { free(pairing->pairs); }

char const *vt_pairing_name(vt_pairing_t const *pairing, char const *path) {
  char const *name = file_name(path);
  for (size_t i = 0; i < pairing->pairs_cnt; i++)
    if (!strcmp(file_name(pairing->pairs[i].after), name))
      return file_name(pairing->pairs[i].before);
  return name;
}
