#ifndef HEADER_core_ctl_ctl_h
#define HEADER_core_ctl_ctl_h

/* What the control programs share: commands with a fixed number of arguments, run one after the
   other from the command line, until one fails.  An error is one line; the library's own messages
   and log file are off unless boot options ask for them. */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fd/util/fd_util.h"

typedef struct {
  char const *name;
  char const *args;     /* one letter each: s text, n number, o octal number, p page size or 0 */
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

/* 1 iff all of cstr is an unsigned number. */
static inline int ctl_is_number(char const *cstr, int base) {
  char *end;
  errno = 0;
  strtoul(cstr, &end, base);
  return isdigit((uchar)cstr[0]) && !*end && !errno;
}

/* What is wrong with an argument, NULL if nothing is. */
static inline char const *ctl_fault(char kind, char const *arg) {
  if (kind == 'n' && !ctl_is_number(arg, 0)) return "not a number";
  if (kind == 'o' && !ctl_is_number(arg, 8)) return "not an octal number";
  if (kind == 'p' && strcmp(arg, "0") && !fd_cstr_to_shmem_page_sz(arg))
    return "not a page size (normal, huge, gigantic)";
  return NULL;
}

static inline ctl_command_t const *ctl_find(char const *name) {
  for (ulong i = 0UL; i < ctl.command_cnt; i++)
    if (!strcmp(name, ctl.command[i].name)) return ctl.command + i;
  return NULL;
}

/* Runs the command at a[0] of cnt words left; *used is how many it took. */
static inline int ctl_run(char **a, int cnt, int *used) {
  ctl_command_t const *command = ctl_find(a[0]);
  if (FD_UNLIKELY(!command)) return ctl_failed("unknown command", a[0], "see --help");
  int arg_cnt = (int)strlen(command->args);
  *used = 1 + arg_cnt;
  if (FD_UNLIKELY(cnt < *used)) return ctl_failed(a[0], "needs more arguments", "see --help");
  for (int i = 0; i < arg_cnt; i++) {
    char const *fault = ctl_fault(command->args[i], a[1 + i]);
    if (FD_UNLIKELY(fault)) return ctl_failed(a[0], a[1 + i], fault);
  }
  return command->run(a);
}

/* Boots with the defaults of a command line tool in front, where given options override them. */
static inline void ctl_boot(int *argc, char ***argv) {
  static char defaults[4][20] = {"--log-path", "", "--log-level-stderr", "4"};
  int cnt = (int)(sizeof(defaults) / sizeof(defaults[0]));
  char **all = calloc((ulong)(*argc + cnt) + 1UL, sizeof(*all)); /* lives as long as the program */
  if (FD_UNLIKELY(!all)) exit(1);
  all[0] = (*argv)[0];
  for (int i = 0; i < cnt; i++) all[1 + i] = defaults[i];
  memcpy(all + 1 + cnt, *argv + 1, (ulong)(*argc - 1) * sizeof(*all));
  *argc += cnt;
  *argv = all;
  fd_boot(argc, argv);
}

static inline int ctl_main(int argc, char **argv) {
  ctl_boot(&argc, &argv);
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
