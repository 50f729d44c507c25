/* inside first|signal|vfork: a program whose threads are in the wrong place as often as can be: in the first bytes of a
   function that allocates, or interrupted there by a signal whose handler dwells, or waiting for a child of vfork. Ends with status 0 when a byte
   comes on standard input, or it is closed. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 2
static _Atomic int over;
static pthread_t threads[THREADS];

/* An allocator of the program's own. A thread that is interrupted stands behind a slow instruction as a rule: here that is in
   the middle of the first bytes. */
void *je_malloc(size_t sz);
void je_free(void *p);
__asm__(".text\n"
        ".globl je_malloc\n.type je_malloc, @function\n"
        "je_malloc: pause; movq %rdi, %rdi; jmp malloc@PLT\n"
        ".size je_malloc, . - je_malloc\n"
        ".globl je_free\n.type je_free, @function\n"
        "je_free: pause; movq %rdi, %rdi; jmp free@PLT\n"
        ".size je_free, . - je_free\n");

static void *first(void *arg) {
  (void)arg;
  while (!atomic_load_explicit(&over, memory_order_relaxed))
    for (int i = 0; i < 100; i++) je_free(je_malloc(10));
  return NULL;
}

static void dwell(int number) {
  (void)number;
  nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
}

static void *signals(void *arg) {
  (void)arg;
  while (!atomic_load(&over)) {
    for (int i = 0; i < THREADS; i++) pthread_kill(threads[i], SIGUSR1);
    nanosleep(&(struct timespec){.tv_nsec = 400000}, NULL);
  }
  return NULL;
}

/* A child of vfork shares memory, and its parent's thread waits for it. */
static void *vforks(void *arg) {
  (void)arg;
  while (!atomic_load(&over)) {
    pid_t pid = vfork();
    if (!pid) {
      usleep(20000);
      _exit(0);
    }
    waitpid(pid, NULL, 0);
    free(malloc(100));
  }
  return NULL;
}

int main(int argc, char **argv) {
  char c, *how = argc > 1 ? argv[1] : argv[0];
  pthread_t signaller;
  int with_signals = !strcmp(how, "signal");
  struct sigaction action = {.sa_handler = dwell, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, !strcmp(how, "vfork") ? vforks : first, NULL);
  if (with_signals) pthread_create(&signaller, NULL, signals, NULL);
  if (write(1, ".", 1) < 0) return 1;
  while (read(0, &c, 1) == 1 && c == 'a') free(malloc(10));
  atomic_store(&over, 1);
  if (with_signals) pthread_join(signaller, NULL);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  return 0;
}
