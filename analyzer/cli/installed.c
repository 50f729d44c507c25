/* The program's own path leads to them; see installed.h. */
#include "analyzer/cli/installed.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

int vt_installed_folder(char out[PATH_MAX]) {
  char const *given = (char const *)getauxval(AT_EXECFN);
  if (!realpath("/proc/self/exe", out) && (!given || !realpath(given, out))) return -1;
  *strrchr(out, '/') = '\0';
  return 0;
}

int vt_installed_find(char const *name, char path[PATH_MAX]) {
  static char const *const places[] = {"../share/valtrace", "../../tools", "../../../tools"};
  char program[PATH_MAX];
  if (vt_installed_folder(program)) return -1;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    int n = snprintf(path, PATH_MAX, "%s/%s/%s", program, places[i], name);
    if (n > 0 && n < PATH_MAX && !access(path, R_OK)) return 0;
  }
  return -1;
}
