/* How much stack each hook uses: every way runs in a thread on a stack that was painted before, and the
   lowest byte that changed tells. Prints "WAY BYTES" a line; the test compares with a run without the shim.

   A way that ends the process, or replaces it, runs in a child whose thread has a stack that is shared
   with us; of a forked child the handlers and first events count, too, on its copy of the stack. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "valtrace/annotate.h"

#define STACK_SZ (256 << 10)
#define PAINT    0xA5

static unsigned char *stack;
static uintptr_t volatile *top; /* frame of the thread's function; shared with children */
static char const *folder;
static int report[2];

static size_t used(void) {
  size_t clean = 0;
  while (clean < STACK_SZ && stack[clean] == PAINT) clean++;
  return *top - (uintptr_t)(stack + clean);
}

static void touch(void) {
  void *volatile p = malloc(100);
  free(p);
}

static void way_nothing(void) {}
static void way_malloc(void) { touch(); }
static void way_calloc(void) { free(calloc(3, 5)); }
static void way_realloc(void) {
  void *volatile p = realloc(NULL, 10);
  p = realloc(p, 5000);
  free(p);
}
static void way_aligned(void) {
  void *p;
  if (posix_memalign(&p, 64, 100)) exit(9);
  free(p);
  free(aligned_alloc(64, 128));
}
static void way_segments(void) { /* many: more than are in flight, so that some are waited for */
  for (int i = 0; i < 200000; i++) touch();
}

static __attribute__((noipa)) void deeper(int n) {
  char volatile here = (char)n;
  if (n)
    deeper(n - 1);
  else
    *top = (uintptr_t)__builtin_frame_address(0), touch();
  (void)here;
}
static void way_deep(void) { deeper(1000); }

static void unload(void) {
  char path[4200];
  touch();
  snprintf(path, sizeof path, "%s/libplugin_a.so", folder);
  dlclose(dlopen(path, RTLD_NOW));
}
static __attribute__((noinline)) void paint_again(void) {
  unsigned char *volatile end = (unsigned char *)__builtin_frame_address(0) - 256;
  for (unsigned char *volatile p = stack; p < end; p++) *p = PAINT;
}
static void way_epoch(void) { /* code is unloaded, so all rules are forgotten */
  unload();
  paint_again();
  touch();
}

static void way_prctl(void) { prctl(PR_SET_NAME, "painted"); }
static void way_name(void) { pthread_setname_np(pthread_self(), "painted"); }
static void way_mmap(void) {
  void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(p, 4096);
}
static char pool[4096];
static void way_annotate(void) {
  vt_block_alloc(pool, pool + 64, 64, 0, 0);
  vt_block_free(pool, pool + 64);
  vt_heap_create(pool + 1024, 64, VT_HEAP_CUSTOM, "inner", NULL, pool);
  vt_heap_delete(pool + 1024);
  vt_marker("here");
}
static void way_exec_failed(void) { execl("/dev/null/none", "none", NULL); }

static void tell(void) {
  size_t n = used();
  if (write(report[1], &n, sizeof n) != sizeof n) _exit(9);
  _exit(0);
}
static void way_fork(void) {
  touch();
  pid_t child = fork();
  if (!child) {
    touch();
    tell();
  }
  waitpid(child, NULL, 0);
}
static void way_clone(void) {
  touch();
  long child = syscall(SYS_clone, 17 /* SIGCHLD */, 0, 0, 0, 0);
  if (!child) {
    touch();
    tell();
  }
  waitpid((pid_t)child, NULL, 0);
}

static void way_exit(void) { exit(0); }
static void way_exit_now(void) { _exit(0); }
static void way_quick_exit(void) { quick_exit(0); }
static void way_exec(void) { execl("/bin/true", "true", NULL); }

typedef struct {
  char const *name;
  void (*way)(void);
  enum { HERE, FORKS, ENDS } kind;
} way_t;
static way_t const ways[] = {{"nothing", way_nothing, HERE},
                             {"malloc", way_malloc, HERE},
                             {"calloc", way_calloc, HERE},
                             {"realloc", way_realloc, HERE},
                             {"aligned", way_aligned, HERE},
                             {"segments", way_segments, HERE},
                             {"deep", way_deep, HERE},
                             {"epoch", way_epoch, HERE},
                             {"prctl", way_prctl, HERE},
                             {"name", way_name, HERE},
                             {"mmap", way_mmap, HERE},
                             {"annotate", way_annotate, HERE},
                             {"exec-failed", way_exec_failed, HERE},
                             {"fork", way_fork, FORKS},
                             {"clone", way_clone, FORKS},
                             {"exit", way_exit, ENDS},
                             {"exit-now", way_exit_now, ENDS},
                             {"quick-exit", way_quick_exit, ENDS},
                             {"exec", way_exec, ENDS}};

static void *body(void *arg) {
  way_t const *w = arg;
  *top = (uintptr_t)__builtin_frame_address(0);
  w->way();
  return NULL;
}

/* run_on runs a way in a thread on the painted stack; `sharing` of it with children. */
static void run_on(way_t const *w, int sharing) {
  pthread_t thread;
  pthread_attr_t attr;
  stack = mmap(NULL, STACK_SZ, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
  memset(stack, PAINT, STACK_SZ);
  pthread_attr_init(&attr);
  if (pthread_attr_setstack(&attr, stack, STACK_SZ)) exit(8);
  pid_t child = w->kind == ENDS ? fork() : 0;
  if (!child) {
    if (pthread_create(&thread, &attr, body, (void *)w)) exit(7);
    pthread_join(thread, NULL);
  } else {
    waitpid(child, NULL, 0);
  }
}

int main(int argc, char **argv) {
  folder = argc > 1 ? argv[1] : ".";
  setvbuf(stdout, NULL, _IONBF, 0);
  top = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (pipe(report)) return 6;
  vt_heap_create(pool, sizeof pool, VT_HEAP_CUSTOM, "pool", NULL, NULL); /* forked children look it up */
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    way_t const *w = &ways[i];
    run_on(w, w->kind == ENDS ? MAP_SHARED : MAP_PRIVATE);
    size_t n = used();
    if (w->kind == FORKS && read(report[0], &n, sizeof n) != sizeof n) return 5;
    printf("%s %zu\n", w->name, n);
  }
  return 0;
}
