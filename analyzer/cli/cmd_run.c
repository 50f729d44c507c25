/* `valtrace run`: records a program and every process it starts. */
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/error.h"
#include "analyzer/collector/collector.h"
#include "analyzer/util/mem.h"
#include "core/trace/name.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char const usage[] =
    "usage: valtrace run [-o PATTERN] [options] [--] PROGRAM [ARG…]\n\n"
    "Records PROGRAM and every process it forks or executes, one trace for each, and returns its\n"
    "status. The program's input and output are untouched.\n\n"
    "  -o PATTERN         name of the traces: %p pid, %n program, %h host, %% a percent sign;\n"
    "                     default " VT_NAME_DEFAULT ". Without %p it names the last image\n"
    "                     of PROGRAM, other processes get .PID.N before the extension\n"
    "  -q                 no note about what was written\n"
    "  --no-children      record PROGRAM only\n"
    "  --no-free-stacks   record no stacks of frees: faster, smaller\n"
    "  --max-depth N      keep N frames of each stack, at its root\n"
    "  --no-symbols       do not embed symbols\n"
    "  --report           print the text report at the end\n"
    "  --help             this text\n\n"
    "Exit status: PROGRAM's (128+signal if killed); 125 valtrace failed, 126 PROGRAM cannot be\n"
    "executed, 127 it was not found.\n";

enum { NO_CHILDREN = 256, NO_FREE_STACKS, MAX_DEPTH, NO_SYMBOLS, REPORT, HELP };

/* absolute_pattern makes the pattern independent of the folders programs change to. The folder's own
   percent signs are doubled. */
static char *absolute_pattern(char const *pattern) {
  char *cwd = *pattern == '/' ? NULL : getcwd(NULL, 0);
  if (!cwd) return vt_mem_copy(pattern, strlen(pattern));
  char *out = vt_mem_new(2 * strlen(cwd) + strlen(pattern) + 2, 1), *to = out;
  for (char const *p = cwd; *p; p++) {
    if (*p == '%') *to++ = '%';
    *to++ = *p;
  }
  *to++ = '/';
  strcpy(to, pattern);
  free(cwd);
  return out;
}

/* depth_of parses N of --max-depth; 0: it is none. */
static uint32_t depth_of(char const *text) {
  char *end;
  unsigned long n = strtoul(text, &end, 10);
  return *text < '0' || *text > '9' || *end || n >= UINT32_MAX ? 0 : (uint32_t)n;
}

/* parse fills the options. Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, vt_collect_t *o) {
  static struct option const options[] = {{"no-children", no_argument, NULL, NO_CHILDREN},
                                          {"no-free-stacks", no_argument, NULL, NO_FREE_STACKS},
                                          {"max-depth", required_argument, NULL, MAX_DEPTH},
                                          {"no-symbols", no_argument, NULL, NO_SYMBOLS},
                                          {"report", no_argument, NULL, REPORT},
                                          {"help", no_argument, NULL, HELP},
                                          {0}};
  for (int c; (c = getopt_long(argc, argv, "+o:q", options, NULL)) != -1;) {
    switch (c) {
    case 'o': o->pattern = optarg; break;
    case 'q': o->quiet = 1; break;
    case NO_CHILDREN: o->no_children = 1; break;
    case NO_FREE_STACKS: o->no_free_stacks = 1; break;
    case MAX_DEPTH:
      if ((o->max_depth = depth_of(optarg))) break;
      vt_error_say("--max-depth", "not a number of frames", "give a number from 1 up");
      return VT_EXIT_USAGE;
    case NO_SYMBOLS: o->no_symbols = 1; break;
    case REPORT: o->report = 1; break;
    case HELP: fputs(usage, stdout); return VT_EXIT_OK;
    default: return VT_EXIT_USAGE;
    }
  }
  if (optind < argc) return -1;
  vt_error_say("run", "no program given", "valtrace run [options] PROGRAM [ARG…]");
  return VT_EXIT_USAGE;
}

int vt_cmd_run(int argc, char **argv) {
  vt_collect_t o = {.pattern = VT_NAME_DEFAULT};
  int status = parse(argc, argv, &o);
  if (status >= 0) return status;
  char *pattern = absolute_pattern(o.pattern);
  o.pattern = pattern;
  o.argv = argv + optind;
  status = vt_collect(&o);
  free(pattern);
  return status;
}
