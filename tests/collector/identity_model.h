/* A model of the kernel, and of the processes and traces of a run, around the real code of both sides of
   the ring, for tests of the protocol of attach, exec, fork, vfork, exit and kill.

   Before every atomic operation of that code interrupt() is called with what it is on (NULL: the kernel
   is asked), and whether that is zero, at which the test may go on with
   another task or the collector (all are coroutines of one thread), or kill a process. What is
   simulated is the kernel: processes, the numbers they have in three namespaces, and what of them
   owner.h lets the collector see. The trace of an image is a fake too: it checks that it gets the
   image's events, all of them, in order and no others, and that nobody lives who can write as the
   image when it is ended. In the end every slot and segment is free.

   Who includes this defines LIMIT, the segments there are; rnd(n), a number below n; pick(), who runs when the running task cannot;
   interrupt(); and collector_main and started_main, what the collector and the first process do. */
#ifndef TESTS_COLLECTOR_IDENTITY_MODEL_H
#define TESTS_COLLECTOR_IDENTITY_MODEL_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

static void hook(void const *at, int free);
static int collecting(void);

/* The operations as they are, under names of their own. */
#define OPERATIONS(bits)                                                                           \
  static uint##bits##_t load##bits(_Atomic uint##bits##_t *p, memory_order order) {                \
    hook(p, !*p);                                                                                  \
    return atomic_load_explicit(p, order);                                                         \
  }                                                                                                \
  static void store##bits(_Atomic uint##bits##_t *p, uint##bits##_t v, memory_order order) {       \
    hook(p, 0);                                                                                    \
    atomic_store_explicit(p, v, order);                                                            \
  }                                                                                                \
  static int swap##bits(_Atomic uint##bits##_t *p, uint##bits##_t *old, uint##bits##_t v,          \
                        memory_order yes, memory_order no) {                                       \
    hook(p, 0);                                                                                    \
    return atomic_compare_exchange_strong_explicit(p, old, v, yes, no);                            \
  }
OPERATIONS(32)
OPERATIONS(64)

#include "core/trace/stream.h"
#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_compare_exchange_strong_explicit
#define WIDTH(p, name) _Generic((p), _Atomic uint32_t *: name##32, default: name##64)
#define atomic_load_explicit(p, order) WIDTH(p, load)(p, order)
#define atomic_store_explicit(p, v, order) WIDTH(p, store)(p, v, order)
#define atomic_compare_exchange_strong_explicit(p, old, v, yes, no)                                \
  WIDTH(p, swap)(p, old, v, yes, no)

/* All processes have the ring mapped as a whole, at one place. */
static uint8_t *ring_piece(uint64_t k);
#define vt_pieces_mapped(pieces, k) ((void)(pieces), ring_piece(k))

#include "core/trace/sink.c"
#include "core/trace/sink_ring.c"
#define vt_frame_t vt_named_frame_t /* the analyzer has a type of this name too */
#define describe describe_slot /* and sink_ring.c a function of this one */
#include "analyzer/collector/slots.c"
#include "analyzer/collector/drain.c"

#include "tests/groove/coroutine.h"
#include "tests/unit/tap.h"

#define TASK_MAX   16
#define PROC_MAX   64
#define IMAGE_MAX  48
#define WRITER_MAX 4
#define STACK_SZ   65536
#define IDLE_MAX   50
#define EVENT      ((vt_chunk_type_t)4711)
#define END        ((vt_chunk_type_t)4712)
#define END_FAILED ((vt_chunk_type_t)4713)

/* A process. Its first namespace is the collector's. */
typedef struct {
  int alive;
  uint64_t space;  /* 1, 2, 3 */
  uint32_t number; /* in the collector's namespace */
  uint32_t inner;  /* in its own */
  uint64_t since;
} proc_t;

/* An image as its processes know it, and what its trace has been given. The sink comes last, because
   it is large and not cleared. */
typedef struct {
  proc_t *proc; /* that began it */
  vt_stream_t stream[WRITER_MAX];
  uint32_t streams;
  uint64_t written[WRITER_MAX], received[WRITER_MAX];
  int seen, ended;
  vt_sink_t sink;
} model_t;

typedef struct {
  void *sp;
  int runnable, blocked; /* blocked: its process has made another with vfork */
  proc_t *proc;
  model_t *image; /* whose memory it runs in; NULL: its own, which has none yet */
  vt_stream_t *stream;
  uint32_t writer;
  proc_t *child; /* of its vfork */
  uint8_t stack[STACK_SZ] __attribute__((aligned(16)));
} task_t;

static task_t tasks[TASK_MAX], collector;
static proc_t procs[PROC_MAX];
static model_t models[IMAGE_MAX];
static uint32_t proc_cnt, model_cnt;
static task_t *running; /* NULL outside of a simulation */
static void *main_sp;
static vt_ring_t *ring;
static vt_ring_end_t ring_end = {.limit = LIMIT};
static vt_drain_t drain;
static uint64_t hook_cnt, kill_cnt, exec_cnt, raw_cnt, shared_cnt, event_cnt, image_cnt;

static uint32_t rnd(uint32_t n);
static task_t *pick(void);
static void interrupt(void const *at, int free);
static void collector_main(void), started_main(void);
static void print_round(void); /* what makes this round happen again */

static void fail(char const *what, int line) {
  printf("Bail out! ");
  print_round();
  printf(": %s (line %d)\n", what, line);
  fflush(stdout);
  abort();
}
#define MUST(c)                                                                                    \
  do {                                                                                             \
    if (!(c)) fail(#c, __LINE__);                                                                  \
  } while (0)

static uint8_t *ring_piece(uint64_t k) {
  return vt_ring_segment(ring, (uint32_t)k * VT_PIECE_SEGMENTS);
}

/* The scheduler */

static void switch_to(task_t *next) {
  task_t *self = running;
  if (next == self) return;
  running = next;
  coroutine_switch(self ? &self->sp : &main_sp, next ? next->sp : main_sp);
}

static int can_run(task_t *t) {
  if (t->blocked && !t->child->alive) t->blocked = 0;
  return t->runnable && !t->blocked;
}

static void end_proc(proc_t *p) {
  p->alive = 0;
  for (int i = 0; i < TASK_MAX; i++)
    if (tasks[i].proc == p) tasks[i].runnable = 0;
}

static int collecting(void) { return running == &collector; }

static void hook(void const *at, int free) {
  if (!running) return;
  hook_cnt++;
  interrupt(at, free);
}

long vt_sys_fault(long nr) {
  if (nr != SYS_futex || !running) return 0;
  switch_to(&collector); /* a thread that waits for the collector */
  return -EAGAIN;
}

/* The kernel: numbers are given again as soon as they are free, but the first process's not before
   its end was told. */

static int taken(uint64_t space, uint32_t number) {
  for (uint32_t i = 0; i < proc_cnt; i++) {
    proc_t const *p = &procs[i];
    int waited_for = i == 0 && !drain.slots.first_over;
    if (!p->alive && !waited_for) continue;
    if (space == 1 ? p->number == number : p->space == space && p->inner == number) return 1;
  }
  return 0;
}

static uint32_t free_number(uint64_t space) {
  uint32_t number = 1 + rnd(3);
  while (taken(space, number)) number++;
  return number;
}

static proc_t *new_proc(uint64_t space) {
  if (proc_cnt == PROC_MAX) return NULL;
  proc_t *p = &procs[proc_cnt];
  uint32_t number = free_number(1);
  *p = (proc_t){.alive = 1, .space = space, .number = number, .inner = number};
  if (space != 1) p->inner = free_number(space);
  p->since = vt_clock_tick(VT_CLOCK_TSC);
  proc_cnt++;
  return p;
}

/* A killed task left its frames, which AddressSanitizer still guards. */
static void forget_frames(task_t *t) {
#if defined(__SANITIZE_ADDRESS__)
  __asan_unpoison_memory_region(t->stack, sizeof t->stack);
#else
  (void)t;
#endif
}

static task_t *new_task(proc_t *p, model_t *image, void (*entry)(void)) {
  for (int i = 0; p && i < TASK_MAX; i++) {
    task_t *t = &tasks[i];
    if (t->runnable || t == running) continue;
    memset(t, 0, offsetof(task_t, stack));
    t->runnable = 1;
    t->proc = p;
    t->image = image;
    forget_frames(t);
    t->sp = coroutine_new(t->stack + STACK_SZ, entry);
    return t;
  }
  return NULL;
}

/* What owner.h lets the collector see of it */

/* A seat is one more than the index of the process here. */
static int may_be_it(vt_identity_t const *who, proc_t const *p) {
  return p->alive && p->inner == who->pid && p->since <= who->tick &&
         (who->space ? who->space == p->space : !who->seat || who->seat == (uint64_t)(p - procs) + 1);
}

static uint32_t candidates(vt_identity_t const *who, uint32_t *which) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < proc_cnt; i++)
    if (may_be_it(who, &procs[i])) *which = i, n++;
  return n;
}

/* An owner's descriptor is the index of its process. */
vt_owner_t vt_owner_find(vt_ring_end_t const *end, vt_identity_t const *who) {
  vt_owner_t owner = {.who = *who, .fd = -1};
  uint32_t which = 0, n = candidates(who, &which);
  (void)end;
  hook(NULL, 0);
  owner.several = n && !who->space && !who->seat;
  MUST(n <= 1 || owner.several);
  if (n != 1 || owner.several) return owner;
  owner.pid = (pid_t)procs[which].number;
  owner.fd = (int)which;
  return owner;
}

int vt_owner_gone(vt_ring_end_t const *end, vt_owner_t *owner) {
  uint32_t which;
  (void)end;
  hook(NULL, 0);
  if (owner->fd >= 0) return !procs[owner->fd].alive;
  return !owner->several || !candidates(&owner->who, &which);
}

static model_t *model_of(uint64_t id) {
  MUST(id && id <= model_cnt);
  return &models[id - 1];
}

int vt_owner_shared(vt_ring_end_t const *end, vt_owner_t *owner, vt_ring_image_t const *row,
                    int (*known)(void *, pid_t), void *context) {
  model_t *m = model_of(row->image);
  (void)end, (void)owner, (void)known, (void)context;
  for (int i = 0; i < TASK_MAX; i++)
    if (tasks[i].runnable && tasks[i].image == m && tasks[i].proc != m->proc) {
      shared_cnt++;
      return 1;
    }
  return 0;
}

void vt_owner_leave(vt_owner_t *owner) { (void)owner; }
uint64_t vt_owner_space(void) { return 1; }

void vt_ring_give_back(vt_ring_t *r, uint32_t i) {
  vt_store64(vt_ring_segment(r, i) + VT_SEGMENT_OFF_COMMITTED, 0);
  atomic_store_explicit(&r->state[i], VT_SEGMENT_FREE, memory_order_release);
  if (r->hint > i) r->hint = i;
}

void vt_ring_raise_limit(vt_ring_end_t *end, uint32_t active) { (void)end, (void)active; }
void vt_ring_drained(vt_ring_t *r, uint32_t i, uint32_t from, uint32_t to) {
  (void)r, (void)i, (void)from, (void)to;
}
void vt_ring_leave(vt_ring_end_t *end) { (void)end; } /* nobody looks at memory here */

/* The trace of an image */

vt_image_t *vt_image_new(vt_outputs_t *outputs, vt_image_t **others, size_t others_cnt,
                         vt_image_place_t const *place, uint8_t const *header, size_t sz,
                         vt_codec_t *codec, vt_symbols_t *symbols) {
  vt_image_t *image = calloc(1, sizeof *image);
  model_t *m = model_of(place->id);
  (void)outputs, (void)others, (void)others_cnt, (void)codec, (void)symbols;
  MUST(sz == VT_HEADER_OFF_STRINGS && vt_load64(header) == place->id);
  MUST(!m->seen && m->sink.slot == place->slot);
  MUST(!place->first || m->proc == &procs[0]);
  MUST(place->first || m->proc != &procs[0] || !m->sink.space);
  MUST(!place->process || place->process == (pid_t)m->proc->number);
  MUST(place->process || !m->proc->alive ||
       (!m->sink.space && !ring->images[place->slot].seat));
  m->seen = 1;
  image->place = *place;
  image->open = 1;
  image->start_tick = vt_load64(header + 8);
  return image;
}

void vt_image_flush(vt_image_t *image, vt_moment_of_clocks_t const *whole_until) {
  (void)image, (void)whole_until;
}
void vt_image_totals(vt_image_t *image, uint8_t const *segment) { (void)image, (void)segment; }
void vt_image_chunk(vt_image_t *image, vt_chunk_type_t type, vt_bytes_t const *payload) {
  (void)image, (void)type, (void)payload;
}

void vt_image_process(vt_image_t *image, uint64_t tick, vt_process_kind_t kind, uint32_t value) {
  (void)image, (void)tick, (void)kind, (void)value;
}

void vt_image_seen(vt_image_t *image, vt_heir_seen_t const *seen) { (void)image, (void)seen; }
void vt_image_close(vt_image_t *image, uint64_t tick) { (void)image, (void)tick; }

int vt_copies_adopt(vt_drain_t *of, vt_image_t *image) { return of == NULL || image == NULL; }
void vt_copies_settle(vt_drain_t *of, vt_image_t *image) { (void)of, (void)image; }
void vt_copies_end(vt_drain_t *of, vt_image_t *image, int all) { (void)of, (void)image, (void)all; }

vt_image_stream_t *vt_image_stream(vt_image_t *image, uint32_t stream) {
  while (image->streams_cnt <= stream) VT_PUSH(image->streams, (vt_image_stream_t){0});
  return &image->streams[stream];
}

void vt_image_records(vt_image_t *image, uint32_t stream, uint8_t const *segment, uint32_t from,
                      uint32_t to) {
  model_t *m = model_of(image->place.id);
  MUST(stream < WRITER_MAX && vt_load64(segment + VT_SEGMENT_OFF_IMAGE) == image->place.id);
  for (uint8_t const *p = segment + VT_SEGMENT_RECORDS_OFF; from < to;) {
    uint64_t w1 = vt_load64(p + from + 8);
    MUST((vt_load64(p + from) & 15) == VT_KIND_BLOB);
    if ((w1 & 0xffff) == EVENT) {
      MUST(vt_load64(p + from + 16) == image->place.id);
      MUST(vt_load64(p + from + 24) == m->received[stream]++);
    }
    if ((w1 & 0xffff) == END) image->said_end = 1;
    if ((w1 & 0xffff) == END_FAILED) image->said_end = 0;
    from += 16 + (uint32_t)vt_pad8(w1 >> 32);
  }
  MUST(from == to);
}

int vt_sampling_look(vt_image_t *image, vt_clock_kind_t clock, uint64_t now) {
  (void)image, (void)clock, (void)now;
  return 0;
}

static uint32_t writers(model_t const *m) {
  uint32_t n = 0;
  for (int i = 0; i < TASK_MAX; i++) n += tasks[i].runnable && tasks[i].image == m;
  return n;
}

void vt_image_end(vt_image_t *image, vt_ring_image_t *slot, vt_clock_kind_t clock, int status) {
  model_t *m = model_of(image->place.id);
  (void)clock, (void)status;
  MUST(!m->ended && slot == &ring->images[m->sink.slot] && slot->image == image->place.id);
  MUST(!writers(m));
  MUST(!memcmp(m->written, m->received, sizeof m->written));
  MUST(status < 0 || image == vt_drain_last(&drain));
  m->ended = image->ended = 1;
}

/* What the tasks do */

static void leave_task(void) {
  running->runnable = 0;
  switch_to(pick());
  fail("an ended task ran", __LINE__);
}

static void exit_proc(void) {
  end_proc(running->proc);
  leave_task();
}

/* begin_writer gives the running task a stream of its image. */
static void begin_writer(void) {
  model_t *m = running->image;
  if (m->streams + 1 == WRITER_MAX) leave_task();
  running->writer = ++m->streams;
  running->stream = &m->stream[running->writer];
  *running->stream = (vt_stream_t){.sink = &m->sink, .writer = running->writer, .max_depth = 100};
}

/* attach makes a new image of the running task's process; old: whom its environment says it follows. */
static void attach(model_t const *old) {
  if (model_cnt == IMAGE_MAX) exit_proc();
  model_t *m = &models[model_cnt++];
  proc_t *p = running->proc;
  memset(m, 0, offsetof(model_t, sink));
  m->proc = p;
  m->sink.ring = ring;
  m->sink.stopped = 0;
  m->sink.image = model_cnt;
  m->sink.pid = p->inner;
  m->sink.space = rnd(8) ? p->space : 0;
  m->sink.follows = old ? old->sink.image : 0;
  m->sink.follows_slot = old ? old->sink.slot : 0;
  running->image = m;
  MUST(!vt_sink_join_ring(&m->sink));
  hook(NULL, 0);
  if (rnd(2)) ring->images[m->sink.slot].seat = (uint64_t)(p - procs) + 1;
  begin_writer();
  vt_message_t b = vt_stream_blob_open(running->stream, VT_HEADER_OFF_STRINGS);
  uint8_t header[VT_HEADER_OFF_STRINGS] = {0};
  vt_store64(header, m->sink.image);
  vt_store64(header + 8, vt_clock_tick(VT_CLOCK_TSC));
  vt_message_bytes(&b, header, sizeof header);
  vt_stream_blob_close(running->stream, VT_CHUNK_IMAGE, &b);
  image_cnt++;
}

/* Nothing comes between the commit, which is the last thing that closing does, and the count. */
static void event(void) {
  model_t *m = running->image;
  if (!running->stream) begin_writer();
  vt_message_t b = vt_stream_blob_open(running->stream, 16);
  MUST(b.cap);
  vt_message_u64(&b, m->sink.image);
  vt_message_u64(&b, m->written[running->writer]);
  vt_stream_blob_close(running->stream, EVENT, &b);
  m->written[running->writer]++;
  event_cnt++;
}

/* has_threads: are there other threads, as the C library knows it? */
static int has_threads(void) {
  for (int i = 0; i < TASK_MAX; i++)
    if (tasks[i].runnable && &tasks[i] != running && tasks[i].proc == running->proc) return 1;
  return 0;
}

/* say hands the task's records over with a word of the end. */
static void say(vt_chunk_type_t what) {
  if (!running->stream) begin_writer();
  vt_sink_threaded(&running->image->sink, has_threads());
  vt_message_t b = vt_stream_blob_open(running->stream, 0);
  vt_stream_blob_close(running->stream, what, &b);
  vt_stream_finish(running->stream);
}

/* replace_image is exec: by one of the shim's functions it tells whom the new image follows, past them
   it does not. All other threads of the process end. */
static void replace_image(int told) {
  model_t *old = running->image;
  *(told ? &exec_cnt : &raw_cnt) += 1;
  for (int i = 0; i < TASK_MAX; i++)
    if (tasks[i].proc == running->proc && &tasks[i] != running) tasks[i].runnable = 0;
  running->image = NULL;
  hook(NULL, 0);
  attach(told ? old : NULL);
}

static void kill_parent(void) {
  for (int i = 0; i < TASK_MAX; i++)
    if (tasks[i].runnable && tasks[i].blocked && tasks[i].child == running->proc)
      end_proc(tasks[i].proc);
  kill_cnt++;
}

/* let_parent_go: the running task leaves the memory that it had of the parent that made it with vfork. */
static void let_parent_go(void) {
  for (int i = 0; i < TASK_MAX; i++)
    if (tasks[i].blocked && tasks[i].child == running->proc) tasks[i].blocked = 0;
  running->image = NULL;
  hook(NULL, 0);
}

/* fork_in_place is vfork: the child, which begins at `entry`, writes as its parent, whose stream it has. */
static void fork_in_place(uint64_t space, void (*entry)(void)) {
  proc_t *p = new_proc(space);
  task_t *t = new_task(p, running->image, entry);
  if (!t) {
    if (p) end_proc(p);
    return;
  }
  t->stream = running->stream;
  t->writer = running->writer;
  running->child = p;
  running->blocked = 1;
  switch_to(pick());
}

static int any_alive(void) {
  int n = 0;
  for (int i = 0; i < TASK_MAX; i++) n += tasks[i].runnable;
  return n;
}

/* `run` tells of the first process and, some time after it is over, of its end. */
static void tell(int of_end) {
  drain.slots.first_pid = (pid_t)procs[0].number;
  if (procs[0].alive || !drain.first_awaited || !of_end) return;
  drain.slots.first_over = vt_clock_tick(VT_CLOCK_TSC);
  drain.first_awaited = 0;
  drain.first_status = 0;
}

/* A process without tasks has ended. */
static void reap(void) {
  for (uint32_t i = 0; i < proc_cnt; i++) {
    int n = 0;
    for (int k = 0; k < TASK_MAX; k++) n += tasks[k].runnable && tasks[k].proc == &procs[i];
    if (!n) procs[i].alive = 0;
  }
}

static void check_free(void) {
  for (uint32_t i = 0; i < model_cnt; i++) MUST(models[i].ended == models[i].seen);
  for (uint32_t i = 0; i < model_cnt; i++)
    for (int w = 0; w < WRITER_MAX; w++) MUST(models[i].received[w] == models[i].written[w]);
  for (uint32_t i = 0; i < VT_RING_IMAGES; i++) MUST(!ring->images[i].image || !ring->images[i].pid);
  for (uint32_t i = 0; i < LIMIT; i++) MUST(ring->state[i] == VT_SEGMENT_FREE);
}

/* world_run simulates from the start of the first process until all have ended and are seen. */
static void world_run(void) {
  proc_cnt = model_cnt = 0;
  memset(ring->images, 0, sizeof ring->images);
  ring->hint = 0;
  memset(&drain, 0, sizeof drain);
  static vt_outputs_t outputs; /* all images have a trace, nothing is moved */
  drain.pauses.ring = ring;
  drain.outputs = &outputs;
  drain.ring = ring;
  drain.end = &ring_end;
  drain.slots.ring = ring;
  drain.slots.end = &ring_end;
  drain.first_awaited = 1;
  drain.first_status = -1;
  for (int i = 0; i < TASK_MAX; i++) tasks[i].runnable = tasks[i].blocked = 0;
  forget_frames(&collector);
  collector.sp = coroutine_new(collector.stack + STACK_SZ, collector_main);
  new_task(new_proc(1), NULL, started_main);
  switch_to(&collector);
  check_free();
  for (size_t i = 0; i < drain.images_cnt; i++) {
    free(drain.images[i]->streams);
    free(drain.images[i]);
  }
  free(drain.images);
}

static void world_begin(void) {
  ring = mmap(NULL, VT_RING_SZ(LIMIT), PROT_READ | PROT_WRITE,
              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  MUST(ring != MAP_FAILED);
  ring->clock = VT_CLOCK_TSC;
  ring->limit = ring->segments = LIMIT;
}

#endif
