/* Modules that a test assembles: from a text to a file, of which nothing stays behind. */
#ifndef TESTS_PATCH_ASSEMBLED_H
#define TESTS_PATCH_ASSEMBLED_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* assembled is the file that a compiler makes of assembler text; the descriptor is the caller's. Whoever it fails
   for cannot go on. */
static int assembled(char const *compiler, char const *options, char const *text) {
  char command[512];
  int fd = memfd_create("assembled", 0);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
  snprintf(command, sizeof command,
           "set -e; t=$(mktemp -d); trap 'rm -r \"$t\"' EXIT; cat >\"$t/t.s\"; "
           "%s -nostartfiles -o \"$t/t\" \"$t/t.s\" %s; cat \"$t/t\" >%s", compiler, options, path);
  FILE *p = popen(command, "w");
  if (!p || fputs(text, p) < 0 || pclose(p)) {
    printf("Bail out! %s %s\n", compiler, options);
    exit(1);
  }
  return fd;
}

#endif
