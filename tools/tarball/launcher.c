/* bin/valtrace of the tarball: a static program that executes the real one with the loader and the libraries beside
   it, so that nothing of the system's is needed but the kernel.

   The loader is called runtime/valtrace, because the process has its name; the command then finds all that belongs
   to it, as when it is installed, beside the folder of its executable, which is the loader. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define LOADER  "/runtime/valtrace"
#define COMMAND "/runtime/valtrace.bin"
#define LIBS    "/runtime"
#define MORE    6 /* arguments before the caller's, with the name */

/* root_of is the folder above the one this program is in. */
static int root_of(char root[PATH_MAX]) {
  char const *given = (char const *)getauxval(AT_EXECFN);
  if (!realpath("/proc/self/exe", root) && (!given || !realpath(given, root))) return -1;
  for (int up = 0; up < 2; up++) *strrchr(root, '/') = '\0';
  return 0;
}

static char *in(char const *root, char const *place) {
  char *path = malloc(strlen(root) + strlen(place) + 1);
  return path ? strcat(strcpy(path, root), place) : NULL;
}

int main(int argc, char **argv) {
  char root[PATH_MAX];
  char **more = calloc((size_t)argc + MORE + 1, sizeof *more);
  if (!more || root_of(root)) return perror("valtrace"), 125;
  char *first[] = {argv[0], (char *)"--argv0", argv[0], (char *)"--library-path", in(root, LIBS), in(root, COMMAND)};
  memcpy(more, first, sizeof first);
  memcpy(more + sizeof first / sizeof *first, argv + 1, (size_t)argc * sizeof *argv);
  execv(in(root, LOADER), more);
  fprintf(stderr, "valtrace: %s%s: cannot be executed (unpack the whole archive)\n", root, LOADER);
  return 125;
}
