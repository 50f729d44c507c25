/* What the C library's allocator says of the memory of another process: each block that was freed is free, wherever it
   is kept; none that lives is; and the chunks of the first arena fill [heap]. */
#include "analyzer/snapshot/chunks.h"
#include "analyzer/snapshot/process.h"
#include "tests/unit/tap.h"

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS 4000

/* Shared with the other process; all even ones are freed there. */
typedef struct {
  void *p[BLOCKS];
  size_t sz[BLOCKS];
} table_t;
static table_t *tables; /* of its two threads */
static int ready[2];

static void make(table_t *t) {
  for (size_t i = 0; i < BLOCKS; i++) {
    t->sz[i] = i % 7 ? 1 + i % 300 : 1 + 37 * (i % 100);
    t->p[i] = i % 31 ? malloc(t->sz[i]) : memalign(64, t->sz[i]);
    memset(t->p[i], 1, t->sz[i]);
  }
  for (size_t i = 0; i < BLOCKS; i += 2) free(t->p[i]);
}

static void *other(void *context) {
  make(&tables[1]);
  (void)!write(ready[1], "x", 1);
  for (;;) pause();
  return context;
}

static void be_looked_at(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, other, NULL);
  make(&tables[0]);
  (void)!write(ready[1], "x", 1);
  for (;;) pause();
}

static pid_t start(void) {
  char c;
  if (pipe(ready)) exit(2);
  pid_t pid = fork();
  if (pid == 0) be_looked_at();
  for (int i = 0; i < 2; i++)
    if (read(ready[0], &c, 1) != 1) exit(2);
  return pid;
}

typedef struct {
  vt_chunks_t *chunks;
  uint64_t free_in_heap, free_elsewhere;
  vt_area_t const *heap;
  uint64_t live_told_free;
} sums_t;

static int overlaps(table_t const *t, size_t i, uint64_t start, uint64_t end) {
  uint64_t at = (uint64_t)t->p[i];
  return at < end && at + t->sz[i] > start;
}

static void note(void *context, uint64_t start, uint64_t end) {
  sums_t *s = context;
  *(start >= s->heap->start && end <= s->heap->end ? &s->free_in_heap : &s->free_elsewhere) += end - start;
  for (size_t i = 1; i < BLOCKS; i += 2)
    s->live_told_free += (uint64_t)(overlaps(&tables[0], i, start, end) + overlaps(&tables[1], i, start, end));
}

static vt_area_t const *heap_of(vt_areas_t const *areas) {
  for (size_t i = 0; i < areas->areas_cnt; i++)
    if (!strcmp(areas->areas[i].path, "[heap]")) return &areas->areas[i];
  return NULL;
}

/* wrong counts the blocks with an index of that parity of which the answer is not `gone`. */
static size_t wrong(vt_chunks_t *c, table_t const *t, size_t parity, int gone) {
  size_t n = 0;
  for (size_t i = parity; i < BLOCKS; i += 2) n += vt_chunks_gone(c, (uint64_t)t->p[i], t->sz[i]) != gone;
  return n;
}

static void check(pid_t pid) {
  char const *why;
  vt_frozen_t *frozen = vt_frozen_open(pid, 0, &why);
  vt_memory_t memory = vt_frozen_memory(frozen);
  sums_t s = {.heap = heap_of(vt_frozen_areas(frozen)),
              .chunks = vt_chunks_learn(&memory, vt_frozen_areas(frozen))};
  for (int t = 0; t < 2; t++) {
    ok(!wrong(s.chunks, &tables[t], 1, 0), "no live block of thread %d is free for the allocator", t);
    /* One that was freed may have been joined with others, and its place be another chunk's by now. */
    ok(!wrong(s.chunks, &tables[t], 0, 1), "every freed block of thread %d is", t);
  }
  uint64_t walked = vt_chunks_walk(s.chunks, note, &s);
  ok(walked > s.heap->end - s.heap->start && s.free_elsewhere, "another arena was walked, too");
  ok(s.free_in_heap && s.free_in_heap < s.heap->end - s.heap->start, "[heap] has free chunks");
  ok(!s.live_told_free, "no live block overlaps a free chunk");
  vt_chunks_delete(s.chunks);
  vt_frozen_close(frozen);
}

int main(void) {
  tables = mmap(NULL, 2 * sizeof *tables, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pid = start();
  check(pid);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  return done_testing();
}
