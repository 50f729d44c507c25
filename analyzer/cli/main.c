/* The valtrace command: finds the subcommand and hands over to analyzer/cli/cmd_NAME.c. */
#include "analyzer/collector/program.h"
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/options.h"
#include "analyzer/util/nearest.h"

#include <stdio.h>
#include <string.h>

typedef struct {
  char const *name;
  int (*run)(int argc, char **argv);
  char const *summary;
} command_t;

static command_t const commands[] = {
    {"run", vt_cmd_run, "record a program and the processes it starts"},
    {"attach", vt_cmd_attach, "record a process that runs already, and the children it forks"},
    {"detach", vt_cmd_detach, "end that"},
    {"ctl", vt_cmd_ctl, "steer a recording: pause, resume, take a snapshot, set a marker"},
    {"top", vt_cmd_top, "watch a process, or a trace, in the terminal"},
    {"ls", vt_cmd_ls, "list the traces in a folder as a tree of processes"},
    {"report", vt_cmd_report, "say what is wrong with memory, where, and what to look at next"},
    {"block", vt_cmd_block, "tell the history of the block at an address"},
    {"diff", vt_cmd_diff, "compare two traces, or two moments of one"},
    {"flame", vt_cmd_flame, "print folded stacks for flame graphs"},
    {"html", vt_cmd_html, "write the report as one HTML page"},
    {"export", vt_cmd_export, "write pprof, speedscope, heaptrack, DHAT, … for other tools"},
    {"check-budget", vt_cmd_check_budget, "fail when a trace leaks or uses too much (for CI)"},
    {"dump", vt_cmd_dump, "print the events of a trace in order"},
    {"check", vt_cmd_check, "verify the integrity of a trace"},
    {"pack", vt_cmd_pack, "compress a trace recorded with LD_PRELOAD and embed symbols"},
    {"import", vt_cmd_import, "make a trace from a backtracing-valloc text log"},
};
#define COMMAND_CNT (sizeof commands / sizeof commands[0])

static void usage(FILE *out) {
  fprintf(out,
          "usage: valtrace COMMAND [ARG…]\n\n"
          "Records every heap allocation of a program with its call stack, and reports on it.\n\n");
  for (size_t i = 0; i < COMMAND_CNT; i++)
    fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
  fprintf(out,
          "\n`valtrace COMMAND --help` explains a command; `valtrace --version` the version.\n");
}

static int no_such_command(char const *name) {
  char advice[128];
  vt_nearest_t nearest = vt_nearest_start(name);
  for (size_t i = 0; i < COMMAND_CNT; i++)
    vt_nearest_offer(&nearest, commands[i].name, strlen(commands[i].name));
  char const *meant = vt_nearest_get(&nearest);
  snprintf(advice, sizeof advice, meant ? "did you mean \"%s\"?" : "`valtrace --help` lists them",
           meant);
  vt_error_say(name, "no such command", advice);
  return VT_EXIT_USAGE;
}

static int run(int argc, char **argv) {
  if (argc < 2) {
    usage(stderr);
    return VT_EXIT_USAGE;
  }
  if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
    usage(stdout);
    return VT_EXIT_OK;
  }
  if (!strcmp(argv[1], "--version")) {
    printf("valtrace %s (%strace format %d)\n", VT_VERSION, VT_COMMIT, VT_FORMAT_VERSION);
    return VT_EXIT_OK;
  }
  for (size_t i = 0; i < COMMAND_CNT; i++)
    if (!strcmp(argv[1], commands[i].name)) return commands[i].run(argc - 1, argv + 1);
  return no_such_command(argv[1]);
}

int main(int argc, char **argv) {
  vt_program_endure_limits();
  int status = run(argc, argv);
  return status == VT_EXIT_OK ? vt_cli_finish(stdout, "standard output") : status;
}
