/* Reading the VALTRACE_… variables; see options.h. */
#include "preload/options.h"
#include "preload/first.h"
#include "core/trace/sampler.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INHERITED_MAX 32
#define COPY_SZ       16384

vt_options_t vt_options = {.text_fd = -1, .max_depth = UINT32_MAX};
char const *vt_options_inherited[INHERITED_MAX + 1];

/* Copies of our variables: programs overwrite their environment block (setproctitle). */
static char copies[COPY_SZ];

static int is_predecessor(char const *variable) {
  return !strncmp(variable, VT_EXEC_OF, sizeof VT_EXEC_OF - 1);
}

static void copy_variables(char *const *from) {
  size_t n = 0, used = 0;
  for (char *const *e = from; *e && n < INHERITED_MAX; e++) {
    size_t sz = strlen(*e) + 1;
    if (strncmp(*e, "VALTRACE_", 9) || is_predecessor(*e) || sz > COPY_SZ - used) continue;
    vt_options_inherited[n++] = memcpy(copies + used, *e, sz);
    used += sz;
  }
  vt_options_inherited[n] = NULL;
}

void vt_options_inherit(char const *variable) {
  size_t n = 0;
  while (vt_options_inherited[n]) n++;
  if (n < INHERITED_MAX) vt_options_inherited[n] = variable;
}

static char const *value(char const *name) {
  size_t len = strlen(name);
  for (char const **v = vt_options_inherited; *v; v++)
    if (!strncmp(*v, name, len) && (*v)[len] == '=' && (*v)[len + 1]) return *v + len + 1;
  return NULL;
}

static int flag(char const *name) {
  char const *v = value(name);
  return v && strcmp(v, "0") != 0;
}

/* number parses a decimal number; returns -1 for anything else. */
static long number(char const *text) {
  char *end;
  long n = strtol(text, &end, 10);
  return end == text || *end || n < 0 ? -1 : n;
}

/* read_predecessor learns whose place this image took. */
static void read_predecessor(vt_options_t *o, char *const *e) {
  char *end = NULL;
  while (*e && !is_predecessor(*e)) e++;
  unsigned long slot = *e ? strtoul(*e + sizeof VT_EXEC_OF - 1, &end, 10) : 0;
  if (!end || *end != ':' || slot > UINT32_MAX) return;
  o->follows = strtoull(end + 1, NULL, 16);
  o->follows_slot = (uint32_t)slot;
}

char const *vt_options_read(char *const *from) {
  vt_options_t all = {.text_fd = -1, .max_depth = UINT32_MAX}, *o = &all; /* who is attached to again reads others */
  char const *error = NULL;
  char const *v;
  copy_variables(from);
  read_predecessor(o, from);
  o->collector = value("VALTRACE_COLLECTOR");
  o->output = value("VALTRACE_OUTPUT");
  o->no_free_stacks = flag("VALTRACE_NO_FREE_STACKS");
  o->no_children = flag("VALTRACE_NO_CHILDREN");
  o->no_mappings = flag("VALTRACE_NO_MAPPINGS");
  o->allocator = flag("VALTRACE_ALLOCATOR");
  o->no_python = flag("VALTRACE_NO_PYTHON");
  o->unwind_check = flag("VALTRACE_UNWIND_CHECK");
  if ((v = value("VALTRACE_MAX_DEPTH"))) {
    long n = number(v);
    if (n < 1 || n >= UINT32_MAX)
      error = "VALTRACE_MAX_DEPTH: not a number of frames from 1 up";
    else
      o->max_depth = (uint32_t)n;
  }
  if ((v = value("VALTRACE_SAMPLE"))) {
    long n = number(v);
    if (o->text_fd >= 0)
      error = "VALTRACE_SAMPLE: a text log cannot be sampled";
    else if (n < 1 || n > (long)VT_SAMPLE_PERIOD_MAX)
      error = "VALTRACE_SAMPLE: not a number of bytes from 1 to 2^40";
    else
      o->sample_period = (uint64_t)n;
  }
  if ((v = value("VALTRACE_SAMPLE_SEED"))) o->sample_seed = (uint64_t)number(v);
  if ((v = value("VALTRACE_FIRST_PID")) && !vt_first_read(v))
    error = "VALTRACE_FIRST_PID: not PID[.START[.SPACE]]";
  if ((v = value("VALTRACE_SINK"))) {
    o->text_fd = strncmp(v, "text:", 5) ? -1 : (int)number(v + 5);
    if (o->text_fd < 0) error = "VALTRACE_SINK: not of the form text:FD";
  }
  if ((v = value("VALTRACE_UNWINDER"))) {
    o->libunwind = !strcmp(v, "libunwind");
    if (!o->libunwind && strcmp(v, "own")) error = "VALTRACE_UNWINDER: neither own nor libunwind";
  }
  vt_options = all;
  return error;
}
