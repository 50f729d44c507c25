/* Blocks of which it is known who can still reach them when the program ends. Each is announced
   with the class that it must get; the addresses are kept with all bits turned round until all have
   been made, so that the announcement itself reaches nothing. The lines on standard output are
   "CLASS NAME ADDRESS". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define PAGE     4096
#define MAX      400

static struct {
  char const *class, *name;
  uintptr_t hidden;
} announced[MAX];
static int announced_cnt;

static NOINLINE void announce(char const *class, char const *name, void *p) {
  announced[announced_cnt].class = class;
  announced[announced_cnt].name = name;
  announced[announced_cnt++].hidden = ~(uintptr_t)p;
}

/* What calls leave in registers that they need not preserve. */
static inline void wipe_registers(void) {
#if defined(__x86_64__)
  __asm__ volatile("xor %%eax, %%eax\n\txor %%ecx, %%ecx\n\txor %%edx, %%edx\n\txor %%esi, %%esi\n\t"
                   "xor %%edi, %%edi\n\txor %%r8d, %%r8d\n\txor %%r9d, %%r9d\n\txor %%r10d, %%r10d\n\t"
                   "xor %%r11d, %%r11d\n\tpxor %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1\n\tpxor %%xmm2, %%xmm2\n\t"
                   "pxor %%xmm3, %%xmm3\n\tpxor %%xmm4, %%xmm4\n\tpxor %%xmm5, %%xmm5\n\tpxor %%xmm6, %%xmm6\n\t"
                   "pxor %%xmm7, %%xmm7"
                   :
                   :
                   : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3",
                     "xmm4", "xmm5", "xmm6", "xmm7");
#endif
}

/* What was on the stack before is of no further use. */
static NOINLINE void wipe(void) {
  char volatile dead[16384];
  memset((char *)dead, 0, sizeof dead);
  __asm__ volatile("" ::"r"(dead) : "memory");
  wipe_registers();
}

static NOINLINE void *block(char const *class, char const *name, size_t sz) {
  void *p = calloc(1, sz);
  announce(class, name, p);
  return p;
}
#define REACHABLE(name, sz) block("reachable", name, sz)
#define POSSIBLE(name, sz)  block("possible", name, sz)
#define INDIRECT(name, sz)  block("indirect", name, sz)
#define DEFINITE(name, sz)  block("definite", name, sz)

/* put stores a pointer where the compiler knows nothing of. */
static NOINLINE void put(void *where, void *p) { memcpy(where, &p, sizeof p); }
static NOINLINE void put_at(void *where, size_t at, void *p) { put((char *)where + at, p); }

/* ---- roots ---- */

static void *in_bss;
static void *in_data = &in_bss;
static __thread void *in_tls;
static void *table[64];
static pthread_key_t key;
static char own_path[4096];

static void *map(int flags, int fd) {
  return mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
}

static NOINLINE void plant_mappings(void) {
  put_at(map(MAP_PRIVATE | MAP_ANONYMOUS, -1), 128, REACHABLE("private mapping", 40));
  put_at(map(MAP_SHARED | MAP_ANONYMOUS, -1), 128, REACHABLE("shared mapping", 40));
  int fd = memfd_create("planted", 0);
  if (fd < 0 || ftruncate(fd, PAGE)) abort();
  put_at(map(MAP_SHARED, fd), 8, REACHABLE("memfd", 40));
  close(fd);
  int id = shmget(IPC_PRIVATE, PAGE, 0600 | IPC_CREAT);
  put_at(shmat(id, NULL, 0), 16, REACHABLE("System V segment", 40));
  shmctl(id, IPC_RMID, NULL);
  char *closed = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
  put_at(closed, 8, REACHABLE("page without access", 40));
  mprotect(closed, PAGE, PROT_NONE);
  put_at(sbrk(PAGE), 8, REACHABLE("program break", 40));
  int file = open(own_path, O_RDONLY);
  put_at(map(MAP_PRIVATE, file), 8, REACHABLE("private mapping of a file", 40));
  close(file);
  char *jit =
      mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  put_at(jit, 131, REACHABLE("in code, not aligned", 40));
}

static NOINLINE void plant_unmapped(void) {
  char *gone = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
  put(gone, DEFINITE("unmapped", 40));
  munmap(gone, PAGE);
}

static void on_end(int status, void *arg) { (void)status, (void)arg; }

static NOINLINE void plant_roots(void) {
  put(&in_bss, REACHABLE(".bss", 40));
  put(&in_data, REACHABLE(".data", 40));
  put(&in_tls, REACHABLE("thread-local variable", 40));
  pthread_setspecific(key, REACHABLE("thread-specific value", 40));
  on_exit(on_end, REACHABLE("argument of on_exit", 40));
  char *variable = REACHABLE("environment", 40);
  strcpy(variable, "PLANTED=1");
  putenv(variable);
  put(&table[0], REACHABLE("large block", 3 << 20));
  put_at(table[0], (3 << 20) - 8, REACHABLE("end of a large block", 40));
  void *aligned = NULL;
  if (posix_memalign(&aligned, 1 << 20, 100)) abort();
  memset(aligned, 0, 100);
  announce("reachable", "large alignment", aligned);
  put(&table[1], aligned);
  put(&table[2], REACHABLE("no bytes", 0));
  put(&table[3], (char *)REACHABLE("tag in the low bits", 40) + 3);
  char *grown = REACHABLE("grown", 40);
  announced_cnt--;
  grown = realloc(grown, 100000);
  memset(grown, 0, 100000);
  announce("reachable", "grown", grown);
  put(&table[4], grown);
}

/* Pointers that only the kernel has. */
static NOINLINE void plant_kernel(void) {
  int ready = epoll_create1(EPOLL_CLOEXEC), ends[2];
  struct epoll_event event = {.events = EPOLLIN};
  if (ready < 0 || pipe(ends)) abort();
  for (int i = 0; i < 2; i++) {
    event.data.ptr = REACHABLE("data of epoll", 40);
    if (epoll_ctl(ready, EPOLL_CTL_ADD, ends[i], &event)) abort();
  }
  struct sigevent expired = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  timer_t timer;
  expired.sigev_value.sival_ptr = REACHABLE("value of a timer", 40);
  if (timer_create(CLOCK_MONOTONIC, &expired, &timer)) abort();
  stack_t stack = {.ss_size = SIGSTKSZ, .ss_sp = REACHABLE("alternate signal stack", SIGSTKSZ)};
  if (sigaltstack(&stack, NULL)) abort();
}

/* The frame pointer, which is one register more for a compiler, is mixed with a secret in a jmp_buf. */
jmp_buf jump __attribute__((visibility("hidden")));
void set_jump(void *p);
#if defined(__x86_64__)
__asm__(".pushsection .text\n.globl set_jump\nset_jump:\n\t"
        "push %rbp\n\tpush %rbx\n\tsub $8, %rsp\n\t"
        "mov %rdi, %rbp\n\tlea jump(%rip), %rdi\n\tcall _setjmp@PLT\n\t"
        "add $8, %rsp\n\tpop %rbx\n\tpop %rbp\n\tret\n.popsection");
static NOINLINE void plant_jump(void) { set_jump(REACHABLE("register in a jmp_buf", 40)); }
#else
static void plant_jump(void) {}
#endif

static NOINLINE void plant_library(char const *path) {
  void *handle = dlopen(path, RTLD_NOW);
  void **keeps = handle ? dlsym(handle, "planted_keeps") : NULL;
  if (!keeps) abort();
  put(keeps, REACHABLE(".bss of a library loaded late", 40));
}

/* ---- structures ---- */

static NOINLINE void plant_lists(void) {
  void **list = REACHABLE("head of a list", 40);
  put(&table[10], list);
  for (int i = 0; i < 5; i++) {
    void **next = REACHABLE("node of a list", 40);
    put(list, next);
    list = next;
  }
  void **a = REACHABLE("cycle", 48), **b = REACHABLE("cycle", 56);
  put(a, b);
  put(b, a);
  put(&table[11], a);
  void **tree = REACHABLE("tree", 64);
  put(&table[12], tree);
  for (int i = 0; i < 4; i++) put(&tree[i], REACHABLE("child of a tree", 24));
}

static NOINLINE void plant_lost(void) {
  DEFINITE("lost", 40);
  DEFINITE("lost, no bytes", 0);
  DEFINITE("lost, large", 2 << 20);
  /* One of these lies across a multiple of 1 GiB, which an allocator has in its own thread-local storage. */
  for (int i = 0; i < 17; i++) announce("definite", "lost, of 64 MiB", malloc(64 << 20));
  put(DEFINITE("points to itself", 40), NULL);
  void **list = DEFINITE("head of a lost list", 40);
  for (int i = 0; i < 5; i++) {
    void **next = INDIRECT("node of a lost list", 40);
    put(list, next);
    list = next;
  }
  void **large = DEFINITE("largest of a lost cycle", 100), **small = INDIRECT("lost cycle", 50),
       **third = INDIRECT("lost cycle", 60);
  put(large, small);
  put(small, third);
  put(third, large);
  put(&third[1], INDIRECT("behind a lost cycle", 40));
  void **one = DEFINITE("parent", 40), **two = DEFINITE("other parent", 40),
       *child = INDIRECT("child of two", 40);
  put(one, child);
  put(two, child);
  void **weak = DEFINITE("lost, points into the middle", 40);
  put(weak, (char *)INDIRECT("middle of it", 100) + 50);
  char *self = DEFINITE("points to itself", 40);
  put(self, self);
}

/* More than all registers could hold. */
static NOINLINE void plant_many(void) {
  for (int i = 0; i < 200; i++) DEFINITE("lost by hundreds", 40);
}

/* ---- pointers of doubtful kinds ---- */

static NOINLINE void plant_interior(void) {
  put(&table[20], (char *)POSSIBLE("middle", 100) + 48);
  void **chain = POSSIBLE("middle, with a child", 100);
  put(chain, POSSIBLE("child of a possible one", 40));
  put(&table[21], (char *)chain + 40);
  uint64_t *length = REACHABLE("length in front", 100);
  length[0] = 92;
  put(&table[22], length + 1);
  uint64_t *cookie = REACHABLE("cookie of new[]", 8 + 24 * 4);
  cookie[0] = 4;
  put(&table[23], cookie + 1);
  uint64_t *string = REACHABLE("copy-on-write string", 25 + 60);
  string[0] = 5, string[1] = 60;
  put(&table[24], string + 3);
  char *by_hand = REACHABLE("aligned by hand", 300),
       *at = (char *)(((uintptr_t)by_hand + 127) & ~63ul);
  put(at - 8, by_hand);
  put(&table[25], at);
  static void *head[2];
  void **node = REACHABLE("node within an object", 120); /* head <-> node, at 64 */
  put(&head[0], &node[8]);
  put(&head[1], &node[8]);
  put(&node[8], head);
  put(&node[9], head);
}

static uintptr_t volatile mangled[3];

static NOINLINE void plant_hidden(void) {
  char *p = DEFINITE("one past the end", 64);
  put(&table[30], p + 64);
  p = DEFINITE("before the start", 64);
  put(&table[31], p - 8);
  p = DEFINITE("not aligned", 64);
  static char odd[32] __attribute__((aligned(16)));
  put(odd + 3, p);
  mangled[0] = (uintptr_t)DEFINITE("turned round", 64) ^ 0x5555555555555555ul;
  mangled[1] = (uintptr_t)DEFINITE("tag in the top bits", 64) | (uintptr_t)0xbeef << 48;
  void **freed = calloc(1, 64);
  put(&table[32], freed);
  put_at(freed, 32, DEFINITE("in a freed block", 64));
  free(freed);
  int ends[2];
  p = DEFINITE("in a pipe", 64);
  if (pipe(ends) || write(ends[1], &p, sizeof p) != sizeof p) abort();
}

/* ---- another thread, that lives on ---- */

__attribute__((visibility("hidden"))) int volatile thread_ready;
static __thread void *thread_tls;

static NOINLINE void thread_plants(void) {
  put(&thread_tls, REACHABLE("thread-local variable of another thread", 40));
  pthread_setspecific(key, REACHABLE("thread-specific value of another thread", 40));
  put(&table[40], REACHABLE("of another arena", 40));
  DEFINITE("of another arena, lost", 40);
}

/* Ends in pause(), with the pointer in a register that calls preserve and nowhere else. */
void in_register(void *hidden);
#if defined(__x86_64__)
__asm__(".pushsection .text\nin_register:\n\t"
        "not %rdi\n\tmov %rdi, %r12\n\txor %edi, %edi\n\tincl thread_ready(%rip)\n"
        "1:\tmov $34, %eax\n\tsyscall\n\tjmp 1b\n.popsection");
#else
void in_register(void *hidden) {
  void *volatile held = (void *)~(uintptr_t)hidden;
  for (thread_ready++; held;) pause();
}
#endif

static NOINLINE uintptr_t hidden_block(void) {
  return ~(uintptr_t)REACHABLE("register of another thread", 40);
}

static void *register_thread(void *arg) {
  (void)arg;
  uintptr_t hidden = hidden_block();
  wipe();
  in_register((void *)hidden);
  return NULL;
}

static void *thread(void *arg) {
  void *volatile local[2];
  put((void *)&local[0], REACHABLE("stack of another thread", 40));
  thread_plants();
  wipe();
  thread_ready++;
  for (;;) pause();
  return arg;
}

static NOINLINE void plant_thread(void) {
  pthread_t t;
  if (pthread_create(&t, NULL, thread, REACHABLE("argument of a thread", 40))) abort();
  while (thread_ready < 1) usleep(100);
  if (pthread_create(&t, NULL, register_thread, NULL)) abort();
  while (thread_ready < 2) usleep(100);
}

/* ---- the end ---- */

static NOINLINE void say_all(void) {
  for (int i = 0; i < announced_cnt; i++)
    if (dprintf(1, "%s\t%s\t%#lx\n", announced[i].class, announced[i].name, ~announced[i].hidden) <
        0)
      abort();
}

static void finish(char const *how) {
  void *volatile local[2];
  put((void *)&local[0], REACHABLE("stack", 40));
  say_all();
  wipe();
  if (!strcmp(how, "_exit")) _exit(0);
  while (!strcmp(how, "wait")) pause();
  if (!strcmp(how, "kill")) kill(getpid(), SIGKILL);
  if (!strcmp(how, "exec")) {
    execl("/bin/true", "true", (char *)NULL);
    abort();
  }
  exit(local[1] == (void *)1);
}

int main(int argc, char **argv) {
  if (argc < 3 || !realpath(argv[0], own_path)) return 2;
  pthread_key_create(&key, NULL);
  plant_roots();
  plant_mappings();
  plant_unmapped();
  plant_kernel();
  plant_jump();
  plant_library(argv[2]);
  plant_lists();
  plant_lost();
  plant_many();
  plant_interior();
  plant_hidden();
  if (argc > 3) plant_thread();
  wipe();
  finish(argv[1]);
}
