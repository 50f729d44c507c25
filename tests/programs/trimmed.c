/* Blocks of which one in 64 stays: the allocator keeps whole pages that are free. With an argument malloc_trim
   is called, and how much it gave back is said. Blocks are too large for caches of free ones. */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS 6000
static void *blocks[BLOCKS];

__attribute__((noinline)) static void *make_block(int i) { return memset(malloc(2000), i, 2000); }

static long resident(void) {
  char text[128];
  int fd = open("/proc/self/statm", O_RDONLY);
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) _exit(9);
  text[n] = '\0';
  return strtol(strchr(text, ' '), NULL, 10) * 4096;
}

int main(int argc, char **argv) {
  (void)argv;
  for (int i = 0; i < BLOCKS; i++) blocks[i] = make_block(i);
  for (int i = 0; i < BLOCKS; i++)
    if (i % 64) free(blocks[i]);
  if (argc < 2) return 0;
  long before = resident();
  malloc_trim(0);
  dprintf(1, "%ld\n", before - resident());
  return 0;
}
