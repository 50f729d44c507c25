/* To be preloaded: when the program ends, copies what the kernel says of its mappings to a file of the
   folder SMAPS that is named after the process. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((destructor)) static void say(void) {
  static char part[65536];
  char path[512];
  char const *folder = getenv("SMAPS");
  int from = folder ? open("/proc/self/smaps", O_RDONLY | O_CLOEXEC) : -1;
  if (from < 0) return;
  snprintf(path, sizeof path, "%s/%d", folder, (int)getpid());
  int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  for (ssize_t n; to >= 0 && (n = read(from, part, sizeof part)) > 0;)
    if (write(to, part, (size_t)n) != n) break;
  close(to);
  close(from);
}
