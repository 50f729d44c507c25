/* TAP output for C test programs: ok(), is_ulong(), is_str(), and done_testing() as main's result.
   Header only; each program is one translation unit. */
#ifndef TESTS_UNIT_TAP_H
#define TESTS_UNIT_TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_run, tap_failed;

/* One test point; returns cond so that callers can stop or explain. */
__attribute__((format(printf, 2, 3), unused)) static int ok(int cond, char const *format, ...) {
  va_list args;
  printf("%sok %d - ", cond ? "" : "not ", ++tap_run);
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  putchar('\n');
  fflush(stdout);
  tap_failed += !cond;
  return cond;
}

__attribute__((unused)) static int is_ulong(unsigned long got, unsigned long expected,
                                            char const *name) {
  int same = ok(got == expected, "%s", name);
  if (!same) printf("#      got: %lu\n# expected: %lu\n", got, expected);
  return same;
}

__attribute__((unused)) static int is_str(char const *got, char const *expected, char const *name) {
  int same = ok(!strcmp(got, expected), "%s", name);
  if (!same) printf("#      got: '%s'\n# expected: '%s'\n", got, expected);
  return same;
}

/* Prints the plan; the exit status for main. */
__attribute__((unused)) static int done_testing(void) {
  printf("1..%d\n", tap_run);
  return tap_failed != 0;
}

#endif
