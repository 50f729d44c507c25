/* Blocks that pass between threads as fast as they can, in every usual way. Prints how many blocks
   it made and how many are left, by its own count; all have 300 to 999 bytes.

     handover slots|mutex|rings|queue|realloc THREADS ROUNDS */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS   4
#define RING    64
#define LINE    64
#define THREADS 8

typedef struct {
  _Alignas(LINE) _Atomic(void *) block;
} slot_t;

static slot_t slots[SLOTS], rings[THREADS][RING];
static void *queue[RING];
static unsigned queued;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t together;
static unsigned thread_cnt;
static long rounds;
static _Atomic long made;

static size_t size_of(unsigned *random) {
  *random = *random * 1103515245u + 12345u;
  return 300 + (*random >> 8) % 700;
}

/* Four slots, exchanged. */
static void way_slots(unsigned me) {
  unsigned random = me;
  for (long i = 0; i < rounds; i++) {
    void *mine = malloc(size_of(&random));
    free(atomic_exchange(&slots[random >> 30].block, mine));
  }
  made += rounds;
}

/* The same under a lock. */
static void way_mutex(unsigned me) {
  unsigned random = me;
  for (long i = 0; i < rounds; i++) {
    void *mine = malloc(size_of(&random)), *theirs;
    pthread_mutex_lock(&lock);
    theirs = queue[random >> 30];
    queue[random >> 30] = mine;
    pthread_mutex_unlock(&lock);
    free(theirs);
  }
  made += rounds;
}

static int fill(slot_t *slot, unsigned *random) {
  if (atomic_load_explicit(&slot->block, memory_order_acquire)) return 0;
  atomic_store_explicit(&slot->block, malloc(size_of(random)), memory_order_release);
  return 1;
}

static int empty(slot_t *slot) {
  void *block = atomic_load_explicit(&slot->block, memory_order_acquire);
  if (!block) return 0;
  free(block);
  atomic_store_explicit(&slot->block, NULL, memory_order_release);
  return 1;
}

/* Each thread fills its own ring and empties its neighbour's, by plain loads and stores: what a
   processor is free to reorder most. */
static void way_rings(unsigned me) {
  static _Atomic unsigned finished;
  slot_t *mine = rings[me], *theirs = rings[(me + 1) % thread_cnt];
  unsigned random = me, head = 0, tail = 0;
  for (long left = rounds; left || finished < thread_cnt;) {
    int filled = left && fill(&mine[head % RING], &random);
    int emptied = empty(&theirs[tail % RING]);
    head += (unsigned)filled;
    tail += (unsigned)emptied;
    if (filled && !--left) finished++;
    if (!filled && !emptied) sched_yield();
  }
  made += rounds;
}

/* A stack that producers push to and consumers pop from. */
static void way_queue(unsigned me) {
  unsigned random = me;
  for (long i = 0; i < rounds; i++) {
    void *block = me % 2 ? malloc(size_of(&random)) : NULL, *got = NULL;
    pthread_mutex_lock(&lock);
    if (block && queued < RING) {
      queue[queued++] = block;
      block = NULL;
    } else if (!block && queued) {
      got = queue[--queued];
    }
    pthread_mutex_unlock(&lock);
    free(block);
    free(got);
    made += me % 2;
  }
}

/* Slots whose blocks are resized between two exchanges. */
static void way_realloc(unsigned me) {
  unsigned random = me;
  for (long i = 0; i < rounds; i++) {
    void *block = atomic_exchange(&slots[random >> 30].block, NULL);
    block = realloc(block, size_of(&random));
    free(atomic_exchange(&slots[random >> 30].block, block));
  }
  made += rounds;
}

static void (*way)(unsigned);
static void *body(void *me) {
  pthread_barrier_wait(&together);
  way((unsigned)(uintptr_t)me);
  return NULL;
}

static long left(void) {
  long cnt = 0;
  for (unsigned i = 0; i < SLOTS; i++) cnt += slots[i].block != NULL;
  for (unsigned i = 0; i < RING; i++) cnt += way == way_queue ? i < queued : queue[i] != NULL;
  for (unsigned i = 0; i < THREADS * RING; i++) cnt += rings[i / RING][i % RING].block != NULL;
  return cnt;
}

int main(int argc, char **argv) {
  static struct {
    char const *name;
    void (*way)(unsigned);
  } const ways[] = {{"slots", way_slots},
                    {"mutex", way_mutex},
                    {"rings", way_rings},
                    {"queue", way_queue},
                    {"realloc", way_realloc}};
  pthread_t threads[THREADS];
  if (argc != 4 || (thread_cnt = (unsigned)atoi(argv[2])) > THREADS) return 2;
  rounds = atol(argv[3]);
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
    if (!strcmp(argv[1], ways[i].name)) way = ways[i].way;
  if (!way) return 2;
  pthread_barrier_init(&together, NULL, thread_cnt);
  for (unsigned i = 0; i < thread_cnt; i++)
    if (pthread_create(&threads[i], NULL, body, (void *)(uintptr_t)i)) return 9;
  for (unsigned i = 0; i < thread_cnt; i++) pthread_join(threads[i], NULL);
  printf("%ld %ld\n", made, left());
  return 0;
}
