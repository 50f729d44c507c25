/* See switches.h. Each run-time's documentation names its variable; docs/unwinder.md has what each switch
   gives. */
#include "analyzer/jit/switches.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX_SZ 65536

static struct {
  char const *variable, *value;
  int added; /* to what the variable has: it holds a list of options */
} const switches[] = {
    {"NODE_OPTIONS", "--perf-basic-prof --interpreted-frames-native-stack", 1},
    {"JAVA_TOOL_OPTIONS",
     "-XX:+IgnoreUnrecognizedVMOptions -XX:+UnlockDiagnosticVMOptions -XX:+DumpPerfMapAtExit", 1},
    {"MONO_ENV_OPTIONS", "--jitmap", 1},
    {"PYTHONPERFSUPPORT", "1", 0}, /* 3.12 and later */
    {"DOTNET_PerfMapEnabled", "1", 0},
};

static void set(char const *variable, char const *value, int added) {
  static char text[VALUE_MAX_SZ];
  char const *have = getenv(variable);
  if (!have || !*have) {
    setenv(variable, value, 1);
  } else if (added) {
    int sz = snprintf(text, sizeof text, "%s %s", have, value);
    if (sz < (int)sizeof text) setenv(variable, text, 1);
  }
}

void vt_jit_switches_set(void) {
  for (size_t i = 0; i < sizeof switches / sizeof *switches; i++)
    set(switches[i].variable, switches[i].value, switches[i].added);
}
