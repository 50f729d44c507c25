/* A server as a sampled recording sees it: from a hundred places, blocks of 32 bytes to 16 KiB, freed a while later.
   steady BYTES_PER_SECOND SECONDS */
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define HELD  20000
#define STEPS 100 /* a second */

static uint64_t state = 1;
static uint32_t draw(void) { return (uint32_t)((state = state * 6364136223846793005u + 1442695040888963407u) >> 33); }

/* Each depth of the recursion is a stack of its own. */
static __attribute__((noinline)) void *allocate(int depth, size_t sz) {
  void *volatile p = depth ? allocate(depth - 1, sz) : malloc(sz);
  return p;
}

int main(int argc, char **argv) {
  static void *held[HELD];
  uint64_t rate = argc > 1 ? strtoull(argv[1], NULL, 10) : 0, steps = STEPS * (argc > 2 ? strtoull(argv[2], NULL, 10) : 1);
  for (uint64_t i = 0; i < steps; i++) {
    for (uint64_t done = 0; done < rate / STEPS;) {
      size_t sz = (size_t)32 << draw() % 10, at = draw() % HELD;
      free(held[at]);
      held[at] = allocate((int)(draw() % 100), sz);
      done += sz;
    }
    nanosleep(&(struct timespec){.tv_nsec = 1000000000 / STEPS}, NULL);
  }
  return 0;
}
