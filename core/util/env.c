/* Options from the command line and the environment: find the value text, then convert it. */

#include "fd/util/env/fd_env.h"

#include <stdlib.h>

/* Removes every `key value` pair and a trailing key; the last value, or NULL. */
static char const * strip_pairs(int * pargc, char *** pargv, char const * key) {
  if (!pargc || !pargv || !*pargv || !key) return NULL;
  char ** argv = *pargv;
  char const * val = NULL;
  int kept = 0;
  for (int i = 0; i < *pargc; i++) {
    if (strcmp(argv[i], key)) {
      argv[kept++] = argv[i];
    } else if (++i < *pargc) {
      val = argv[i];
    }
  }
  argv[kept] = NULL;
  *pargc = kept;
  return val;
}

static char const * find_option(int * pargc, char *** pargv, char const * key,
                                char const * env_key) {
  char const * val = strip_pairs(pargc, pargv, key);
  return val || !env_key || !env_key[0] ? val : getenv(env_key);
}

#define STRIP_CMDLINE(T, what)                                                 \
  T fd_env_strip_cmdline_##what(int * pargc, char *** pargv, char const * key, \
                                char const * env_key, T def) {                 \
    char const * val = find_option(pargc, pargv, key, env_key);                \
    return val ? fd_cstr_to_##what(val) : def;                                 \
  }
STRIP_CMDLINE(char const *, cstr)
STRIP_CMDLINE(char, char)
STRIP_CMDLINE(schar, schar)
STRIP_CMDLINE(short, short)
STRIP_CMDLINE(int, int)
STRIP_CMDLINE(long, long)
STRIP_CMDLINE(uchar, uchar)
STRIP_CMDLINE(ushort, ushort)
STRIP_CMDLINE(uint, uint)
STRIP_CMDLINE(ulong, ulong)
STRIP_CMDLINE(float, float)
#if FD_HAS_DOUBLE
STRIP_CMDLINE(double, double)
#endif

int fd_env_strip_cmdline_contains(int * pargc, char *** pargv, char const * key) {
  if (!pargc || !pargv || !*pargv || !key) return 0;
  char ** argv = *pargv;
  int kept = 0;
  for (int i = 0; i < *pargc; i++) {
    if (strcmp(argv[i], key)) argv[kept++] = argv[i];
  }
  int found = kept < *pargc;
  argv[kept] = NULL;
  *pargc = kept;
  return found;
}
