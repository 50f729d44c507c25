/* The program's own path leads to them; see installed.h. */
#include "analyzer/cli/installed.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int vt_installed_find(char const *name, char path[PATH_MAX]) {
  static char const *const places[] = {"../share/valtrace", "../../tools", "../../../tools"};
  char program[PATH_MAX];
  ssize_t sz = readlink("/proc/self/exe", program, sizeof program - 1);
  if (sz <= 0) return -1;
  program[sz] = 0;
  *strrchr(program, '/') = 0;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    int n = snprintf(path, PATH_MAX, "%s/%s/%s", program, places[i], name);
    if (n > 0 && n < PATH_MAX && !access(path, R_OK)) return 0;
  }
  return -1;
}
