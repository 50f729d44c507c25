/* All interleavings of small scenes with the collector, up to a number of interruptions (see identity_model.h).

   A scene is what one process does: its first thread, another one, and the child of a vfork. Left alone, a task
   runs until it ends or waits; the others then have their turn, and the collector has one after that. An
   interruption is a turn out of turn, before an operation on what both sides go by: the states of the segments,
   what is committed in them, the slots, or a question to the kernel. Any place and any other task is tried, and
   from each of the rounds that follow any second one, and so on.
   Usage: test_identity_small [INTERRUPTIONS [FIRST THREAD CHILD]]. */
#define LIMIT 6
#include "tests/collector/identity_model.h"

#define STEPS_MAX 4096
#define COLLECTOR TASK_MAX
#define PASSES    3 /* of the collector, when all have ended */

/* e an event, f the segment is handed over, t the other thread begins, k fork: the child does what
   else the other thread does, v vfork, F exec that fails, X exec, x one
   past the shim, q the end of the process, told; of the child: K it kills its parent, n it executes a program;
   c the collector's turn. */
typedef struct {
  char const *first, *thread, *child;
} scene_t;

static scene_t const scenes[] = {
    {"eXcX", "", ""},          {"etceX", "efv", "ee"},   {"efetcX", "efv", "ee"}, {"efetcq", "efv", "ee"},
    {"efetcx", "efv", "ene"},  {"efetcX", "v", "ee"},
    {"efetFX", "efv", "ee"},  {"eFcv", "", "Kee"},     {"evX", "", "ene"},
    {"k", "eFv", "Kee"},       {"k", "eveF", "Ken"},
};
#define SCENES (sizeof scenes / sizeof *scenes)

/* Whose turn is out of turn, and at which step. */
typedef struct {
  uint32_t step, task;
} turn_t;

static scene_t const *scene; /* that is played */
static turn_t turns[8];
static uint32_t turn_cnt, next_turn, step;
static uint32_t ready_at[STEPS_MAX]; /* who could have had the turn at each step, a bit each */
static unsigned long round_cnt;

static void print_round(void) {
  printf("test_identity_small %u '%s' '%s' '%s', turns (step:task)", turn_cnt, scene->first, scene->thread,
         scene->child);
  for (uint32_t i = 0; i < turn_cnt; i++) printf(" %u:%u", turns[i].step, turns[i].task);
}

static uint32_t rnd(uint32_t n) { return n - 1; }

static task_t *task(uint32_t i) { return i == COLLECTOR ? &collector : &tasks[i]; }

/* take_turn is who goes on at this step: `usual`, or whose turn is out of turn. */
static task_t *take_turn(task_t *usual) {
  MUST(step < STEPS_MAX);
  uint32_t ready = usual == &collector ? 0 : 1u << COLLECTOR, at = step++;
  for (uint32_t i = 0; i < TASK_MAX; i++)
    if (&tasks[i] != usual && can_run(&tasks[i])) ready |= 1u << i;
  ready_at[at] = ready;
  if (next_turn == turn_cnt || turns[next_turn].step != at) return usual;
  return task(turns[next_turn++].task);
}

static task_t *pick(void) {
  uint32_t i = 0;
  while (i < TASK_MAX && !can_run(&tasks[i])) i++;
  return take_turn(task(i));
}

static int within(void const *p, void const *from, size_t sz) {
  return (uint8_t const *)p >= (uint8_t const *)from && (uint8_t const *)p < (uint8_t const *)from + sz;
}

static int both_go_by(void const *p, int free) {
  if (!p || within(p, ring->state, sizeof ring->state)) return 1;
  if (free && collecting()) return 0;
  if (within(p, vt_ring_segment(ring, 0), (size_t)LIMIT * VT_SEGMENT_SZ)) return 1;
  if (!within(p, ring->images, sizeof ring->images)) return 0;
  size_t in_row = (size_t)((uint8_t const *)p - (uint8_t const *)ring->images) % sizeof ring->images[0];
  return in_row == offsetof(vt_ring_image_t, image) || in_row == offsetof(vt_ring_image_t, pid);
}

static void interrupt(void const *at, int free) {
  if (both_go_by(at, free)) switch_to(take_turn(running));
}

static void play(char const *script);

static void thread_main(void) {
  play(scene->thread);
  leave_task();
}

static void forked_main(void) {
  attach(NULL);
  play(scene->thread);
  exit_proc();
}

static void child_main(void) {
  play(scene->child);
  exit_proc();
}

static void started_main(void) {
  attach(NULL);
  play(scene->first);
  exit_proc();
}

static void act(char what) {
  switch (what) {
  case 'e': event(); break;
  case 'f': vt_stream_finish(running->stream); break;
  case 't': new_task(running->proc, running->image, thread_main); break;
  case 'k': new_task(new_proc(running->proc->space), NULL, forked_main); break;
  case 'v': fork_in_place(running->proc->space, child_main); break;
  case 'F': say(END), say(END_FAILED); break;
  case 'X': say(END), replace_image(1); break;
  case 'x': replace_image(0); break;
  case 'q': say(END), exit_proc(); break;
  case 'K': kill_parent(); break;
  case 'n': let_parent_go(), attach(NULL); break;
  case 'c': switch_to(&collector); break;
  default: fail("a scene has an unknown letter", __LINE__);
  }
}

static void play(char const *script) {
  while (*script) act(*script++);
}

static void collector_main(void) {
  for (int idle = 0; idle < PASSES; idle += !any_alive()) {
    reap();
    tell(1);
    vt_drain_full(&drain);
    vt_drain_ended(&drain);
    switch_to(pick());
  }
  vt_drain_leftovers(&drain);
  switch_to(NULL);
}

/* explore plays the scene with the turns so far, and then with each that can be added. */
static void explore(uint32_t more) {
  next_turn = step = 0;
  world_run();
  round_cnt++;
  if (!more) return;
  uint32_t steps = step, first = turn_cnt ? turns[turn_cnt - 1].step + 1 : 0;
  uint32_t *ready = malloc(steps * sizeof *ready);
  MUST(ready);
  memcpy(ready, ready_at, steps * sizeof *ready);
  turn_cnt++;
  for (uint32_t at = first; at < steps; at++)
    for (uint32_t who = 0; who <= COLLECTOR; who++) {
      if (!(ready[at] >> who & 1)) continue;
      turns[turn_cnt - 1] = (turn_t){at, who};
      explore(more - 1);
    }
  turn_cnt--;
  free(ready);
}

static void explore_all(scene_t const *of, uint32_t interruptions) {
  scene = of;
  round_cnt = 0;
  explore(interruptions);
  ok(1, "\"%s\", thread \"%s\", child \"%s\": %lu interleavings", of->first, of->thread, of->child, round_cnt);
}

int main(int argc, char **argv) {
#if defined(__SANITIZE_THREAD__) || !defined(__x86_64__)
  puts("1..0 # SKIP one thread with stacks of its own");
  return argc == 0 || !argv;
#endif
  uint32_t interruptions = argc > 1 ? (uint32_t)atoi(argv[1]) : 2;
  world_begin();
  if (argc > 4)
    explore_all(&(scene_t){argv[2], argv[3], argv[4]}, interruptions);
  for (size_t i = 0; i < SCENES && argc <= 4; i++) explore_all(&scenes[i], interruptions);
  return done_testing();
}
