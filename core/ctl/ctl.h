#ifndef HEADER_core_ctl_ctl_h
#define HEADER_core_ctl_ctl_h

/* What the control programs share: commands with a fixed number of arguments, run one after the
   other from the command line, until one fails. */

#include <stdio.h>

#include "fd/util/fd_util.h"

typedef struct {
  char const *name;
  int arg_cnt;
  int (*run)(char **a); /* a[0] is the command; 0 or exit status */
} ctl_command_t;

typedef struct {
  char const *program;
  char const *help;
  ctl_command_t const *command;
  ulong command_cnt;
} ctl_t;

extern ctl_t const ctl; /* each program defines its own */

/* Prints "PROGRAM: COMMAND WHAT: WHY" and returns 1. */
static inline int ctl_failed(char const *cmd, char const *what, char const *why) {
  fprintf(stderr, "%s: %s %s: %s\n", ctl.program, cmd, what, why);
  return 1;
}

/* Runs the command at a[0] of cnt words left; *used is how many it took. */
static inline int ctl_run(char **a, int cnt, int *used) {
  for (ulong i = 0UL; i < ctl.command_cnt; i++) {
    ctl_command_t const *command = ctl.command + i;
    if (strcmp(a[0], command->name)) continue;
    *used = 1 + command->arg_cnt;
    if (FD_UNLIKELY(cnt < *used)) return ctl_failed(a[0], "", "too few arguments (see --help)");
    return command->run(a);
  }
  return ctl_failed(a[0], "", "unknown command (see --help)");
}

static inline int ctl_main(int argc, char **argv) {
  fd_boot(&argc, &argv);
  int wants_help = fd_env_strip_cmdline_contains(&argc, &argv, "--help");
  if (wants_help || argc < 2) {
    fputs(ctl.help, wants_help ? stdout : stderr);
    return !wants_help;
  }
  int err = 0;
  for (int i = 1, used = 0; i < argc && !err; i += used) err = ctl_run(argv + i, argc - i, &used);
  fflush(stdout);
  fd_halt();
  return err;
}

#endif
