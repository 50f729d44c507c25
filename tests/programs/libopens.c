/* A preloaded library that opens a file of its own before main, as libunwind does with a pipe. */
#include <fcntl.h>
#include <stdlib.h>

__attribute__((constructor)) static void open_own(void) {
  char const *path = getenv("VALTEST_OWN_FILE");
  if (path) (void)!open(path, O_RDONLY | O_CLOEXEC);
}
