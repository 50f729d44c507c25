/* Blocks of which one in 64 stays: the allocator keeps whole pages that are free. Says on how many pages those
   lie that stay. With an argument malloc_trim is called, and how much it gave back is said. Blocks are too
   large for caches of free ones. */
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

static int later(void const *a, void const *b) {
  unsigned long x = *(unsigned long const *)a, y = *(unsigned long const *)b;
  return x < y ? -1 : x > y;
}

/* On how many pages do the blocks lie that stay? */
static int pages_held(void) {
  static unsigned long pages[2 * BLOCKS];
  size_t cnt = 0;
  int distinct = 0;
  for (int i = 0; i < BLOCKS; i += 64) {
    pages[cnt++] = (unsigned long)blocks[i] / 4096;
    pages[cnt++] = ((unsigned long)blocks[i] + 1999) / 4096;
  }
  qsort(pages, cnt, sizeof *pages, later); /* this few need no memory */
  for (size_t i = 0; i < cnt; i++) distinct += !i || pages[i] != pages[i - 1];
  return distinct;
}

int main(int argc, char **argv) {
  (void)argv;
  for (int i = 0; i < BLOCKS; i++) blocks[i] = make_block(i);
  for (int i = 0; i < BLOCKS; i++)
    if (i % 64) free(blocks[i]);
  if (argc < 2) {
    dprintf(1, "%d\n", pages_held());
    return 0;
  }
  long before = resident();
  malloc_trim(0);
  dprintf(1, "%ld\n", before - resident());
  return 0;
}
