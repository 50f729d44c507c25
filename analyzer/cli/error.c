/* See error.h. The line is built first and written at once, so that lines of several processes on
   one terminal do not mix. */
#include "analyzer/cli/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void copy(char *out, size_t cap, char const *s) { snprintf(out, cap, "%s", s); }

void vt_error_set(vt_error_t *e, char const *what, char const *why, char const *advice) {
  copy(e->what, sizeof e->what, what);
  copy(e->why, sizeof e->why, why);
  copy(e->advice, sizeof e->advice, advice);
}

void vt_error_setf(vt_error_t *e, char const *what, char const *advice, char const *why, ...) {
  va_list args;
  va_start(args, why);
  vsnprintf(e->why, sizeof e->why, why, args);
  va_end(args);
  copy(e->what, sizeof e->what, what);
  copy(e->advice, sizeof e->advice, advice);
}

void vt_error_say(char const *what, char const *why, char const *advice) {
  char line[1536];
  int n = snprintf(line, sizeof line - 1, "valtrace: %s: %s%s%s%s", what, why, *advice ? " (" : "",
                   advice, *advice ? ")" : "");
  size_t len = n < 0 ? 0 : (size_t)n < sizeof line - 1 ? (size_t)n : sizeof line - 2;
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)line[i] < ' ' || line[i] == 127) line[i] = '?';
  line[len++] = '\n';
  for (size_t at = 0; at < len;) {
    ssize_t put = write(STDERR_FILENO, line + at, len - at);
    if (put <= 0) return;
    at += (size_t)put;
  }
}

void vt_error_print(vt_error_t const *e) { vt_error_say(e->what, e->why, e->advice); }

int vt_error_usage(char const *command, char const *what, char const *why) {
  char advice[64];
  snprintf(advice, sizeof advice, "see `valtrace %s --help`", command);
  vt_error_say(what, why, advice);
  return VT_EXIT_USAGE;
}
