/* Random interleavings of attach, exec, fork, vfork, exit, kill and the reuse of process numbers (see
   identity_model.h). Each round follows from its seed, which a failure prints.
   Usage: test_identity [ROUNDS [SEED]]. */
#define LIMIT 192
#include "tests/collector/identity_model.h"

#define OPS_MAX 8
#define FREE_ONE_IN 64

static uint32_t switch_one_in, kill_one_in;
static uint64_t rng_state, round_seed;

static void print_round(void) { printf("test_identity 1 %llu", (unsigned long long)round_seed); }

static uint32_t rnd(uint32_t n) {
  uint64_t z = rng_state += 0x9e3779b97f4a7c15u; /* splitmix64, public domain: S. Vigna */
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (uint32_t)((z ^ z >> 31) % n);
}

/* The collector can always run. */
static task_t *pick(void) {
  task_t *ready[TASK_MAX + 1] = {&collector};
  uint32_t n = 1;
  for (int i = 0; i < TASK_MAX; i++)
    if (can_run(&tasks[i])) ready[n++] = &tasks[i];
  return ready[rnd(n)];
}

/* What is free says nothing to the collector, which looks at thousands of slots and segments: it is interrupted at the
   others, and sometimes there. */
static void interrupt(void const *at, int free) {
  (void)at;
  if (free && collecting() && rnd(FREE_ONE_IN)) return;
  if (!rnd(kill_one_in)) {
    proc_t *victim = &procs[rnd(proc_cnt)];
    kill_cnt += (uint64_t)victim->alive;
    end_proc(victim);
    if (!running->runnable) switch_to(pick());
  }
  if (!rnd(switch_one_in)) switch_to(pick());
}

/* What the tasks do */

static void task_main(void);

static void some_event(void) {
  event();
  if (!rnd(4)) vt_stream_finish(running->stream);
}

static void exec_now(void) {
  say(END);
  if (rnd(4))
    replace_image(1);
  else
    say(END_FAILED);
}

static void forked_main(void) {
  attach(NULL);
  task_main();
}

static void thread_main(void) {
  if (rnd(4)) some_event();
  task_main();
}

/* guest_main: an emulator's guest in the same process. */
static void guest_main(void) {
  attach(NULL);
  task_main();
}

/* vforked_main writes as its parent, whose stream it has, until it executes a program or ends. */
static void vforked_main(void) {
  if (!rnd(8)) kill_parent();
  for (uint32_t n = rnd(4); n; n--) some_event();
  if (rnd(2)) exit_proc();
  let_parent_go();
  attach(NULL);
  task_main();
}

static uint64_t some_space(void) { return rnd(3) ? running->proc->space : 1 + rnd(3); }

static void fork_now(void) {
  proc_t *p = new_proc(some_space());
  if (!new_task(p, NULL, forked_main) && p) end_proc(p);
}

static void task_main(void) {
  for (uint32_t ops = 1 + rnd(OPS_MAX); ops; ops--) {
    uint32_t what = rnd(20);
    if (what < 8) some_event();
    else if (what < 12) exec_now();
    else if (what < 13) replace_image(0);
    else if (what < 15) fork_now();
    else if (what < 17) fork_in_place(some_space(), vforked_main);
    else if (what < 19) new_task(running->proc, running->image, thread_main);
    else new_task(running->proc, running->image, guest_main);
  }
  if (rnd(3)) leave_task();
  if (rnd(2)) say(END);
  exit_proc();
}

/* The first image of a process that was started with nothing to follow. */
static void started_main(void) {
  attach(NULL);
  task_main();
}

static void collector_main(void) {
  for (int idle = 0; idle < IDLE_MAX; idle += !any_alive()) {
    reap();
    tell(!rnd(3));
    vt_drain_full(&drain);
    if (!rnd(4)) vt_drain_all(&drain);
    if (!rnd(2)) vt_drain_ended(&drain);
    if (!rnd(8)) vt_drain_leftovers(&drain);
    hook(NULL, 0);
  }
  for (int i = 0; i < 3; i++) vt_drain_leftovers(&drain);
  switch_to(NULL);
}

static void round_run(uint64_t seed) {
  round_seed = rng_state = seed;
  switch_one_in = 1u << (1 + rnd(6));
  kill_one_in = rnd(2) ? 1u << (6 + rnd(5)) : UINT32_MAX;
  world_run();
}

int main(int argc, char **argv) {
#if defined(__SANITIZE_THREAD__) || !defined(__x86_64__)
  puts("1..0 # SKIP one thread with stacks of its own");
  return argc == 0 || !argv;
#endif
  unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 2000;
  unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 0) : (unsigned long)time(NULL) << 24;
  world_begin();
  printf("# seeds %lu ... %lu\n", seed, seed + rounds - 1);
  for (unsigned long i = 0; i < rounds; i++) round_run(seed + i);
  ok(1, "%lu interleavings: no event lost or in another's trace, no writer cut off", rounds);
  ok(kill_cnt && exec_cnt && raw_cnt && shared_cnt,
     "%lu processes killed, %lu exec, %lu past the shim, %lu times memory was shared",
     (unsigned long)kill_cnt, (unsigned long)exec_cnt, (unsigned long)raw_cnt,
     (unsigned long)shared_cnt);
  printf("# %lu images, %lu events, %lu scheduling points\n", (unsigned long)image_cnt,
         (unsigned long)event_cnt, (unsigned long)hook_cnt);
  return done_testing();
}
