/* still THREADS: what a snapshot of it must find. A list whose head is from before anybody attached holds nodes that are
   allocated after; blocks that nothing points to any more; and in each thread a block whose address is in a register only.
   Orders are single bytes on standard input, each answered by one:

   a  ADDED nodes more, and LOST blocks of another size lost
   h  each thread holds a block in a register, and nowhere else, from now on
   e  exit; _  _exit */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ADDED 100
#define LOST  50
#define KEY   ((uint64_t)0x5555555555555555)

typedef struct node {
  struct node *next;
  char rest[40];
} node_t;

typedef struct {
  char before[64];
  node_t *first;
} head_t;

static head_t *head;
static atomic_int holding, held;
static int threads;

static __attribute__((noinline)) void add(void) {
  for (int i = 0; i < ADDED; i++) {
    node_t *n = calloc(1, sizeof *n);
    n->next = head->first;
    head->first = n;
  }
}

static __attribute__((noinline)) void lose(void) {
  for (int i = 0; i < LOST; i++) memset(malloc(1000), 1, 1000);
}

static __attribute__((noinline)) uint64_t hidden(void) { return (uint64_t)malloc(5000) ^ KEY; }

/* wipe overwrites what earlier calls left on the stack. */
static __attribute__((noinline)) void wipe(void) {
  char volatile room[8192];
  for (size_t i = 0; i < sizeof room; i++) room[i] = 0;
}

/* hold has the block's address in a register that nothing stores while it waits for ever. */
static void *hold(void *arg) {
  while (!atomic_load(&holding)) usleep(1000);
  uint64_t block = hidden();
  wipe();
  atomic_fetch_add(&held, 1);
#if defined(__x86_64__)
  __asm__ volatile("movq %1, %%rcx\n\txorq %%rcx, %0\n1:\tmovl %2, %%eax\n\tsyscall\n\tjmp 1b"
                   : "+b"(block)
                   : "i"(KEY), "i"(SYS_pause)
                   : "rax", "rcx", "r11", "memory");
#endif
  return arg;
}

int main(int argc, char **argv) {
  pthread_t thread;
  char order;
  threads = argc > 1 ? atoi(argv[1]) : 0;
  head = calloc(1, sizeof *head);
  for (int i = 0; i < threads; i++)
    if (pthread_create(&thread, NULL, hold, NULL)) return 1;
  while (read(0, &order, 1) == 1) {
    if (order == 'a') add(), lose();
    if (order == 'h') {
      atomic_store(&holding, 1);
      while (atomic_load(&held) < threads) usleep(1000);
    }
    wipe();
    if (order == 'e') exit(0);
    if (order == '_') _exit(0);
    if (write(1, &order, 1) != 1) return 1;
  }
  return 0;
}
