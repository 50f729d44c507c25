/* Thread pools.  Every tile has one worker slot, in static memory because a dispatcher may still
   look at it when the worker's stack is gone.  A slot's state goes FREE -> IDLE <-> EXEC -> HALT ->
   FREE; publishing EXEC hands a task over, publishing IDLE hands its results back.  Map/reduce
   dispatches down a binary tree, so its latency grows with the logarithm of the thread count. */

#include "fd/util/tpool/fd_tpool.h"

#include "../util/wait.h"
#include "fd/util/log/fd_log.h"

enum { STATE_FREE, STATE_IDLE, STATE_EXEC, STATE_HALT };

typedef struct __attribute__((aligned(128))) {
  fd_wait_t state;
  fd_tpool_t * tpool;
  ulong worker_idx;
  fd_tpool_task_v2_t task;
  ulong arg_cnt;
  ulong arg[FD_TPOOL_TASK_ARG_MAX];
} slot_t;

struct fd_tpool_private {
  ulong opt;
  ulong worker_max;
  ulong worker_cnt;
  slot_t * worker[]; /* [0] is unused */
};

FD_STATIC_ASSERT(sizeof(fd_tpool_t) <= 400UL, footprint);

static slot_t slot[FD_TILE_MAX];

ulong fd_tpool_align(void) { return FD_TPOOL_ALIGN; }

ulong fd_tpool_footprint(ulong worker_max) {
  return worker_max && worker_max <= FD_TILE_MAX ? FD_TPOOL_FOOTPRINT(worker_max) : 0UL;
}

fd_tpool_t * fd_tpool_init(void * mem, ulong worker_max, ulong opt) {
  if (!mem || !fd_ulong_is_aligned((ulong)mem, FD_TPOOL_ALIGN) || !fd_tpool_footprint(worker_max)) {
    FD_LOG_WARNING(("bad memory or worker_max"));
    return NULL;
  }
  fd_tpool_t * tpool = (fd_tpool_t *)mem;
  tpool->opt = opt;
  tpool->worker_max = worker_max;
  tpool->worker_cnt = 1UL;
  tpool->worker[0] = NULL;
  return tpool;
}

void * fd_tpool_fini(fd_tpool_t * tpool) {
  if (!tpool) {
    FD_LOG_WARNING(("NULL tpool"));
    return NULL;
  }
  while (tpool->worker_cnt > 1UL) {
    fd_tpool_wait(tpool, tpool->worker_cnt - 1UL);
    fd_tpool_worker_pop(tpool);
  }
  return tpool;
}

/* What a tile runs while it is a worker. */
static int worker_main(int argc, char ** argv) {
  slot_t * me = (slot_t *)(void *)argv;
  (void)argc;
  fd_wait_publish(&me->state, STATE_IDLE);
  for (;;) {
    fd_wait_while(&me->state, STATE_IDLE);
    if (fd_wait_word(&me->state) == STATE_HALT) break;
    me->task(me->tpool, me->worker_idx, me->arg_cnt, me->arg);
    fd_wait_publish(&me->state, STATE_IDLE);
  }
  __atomic_store_n(&me->state.word, STATE_FREE, __ATOMIC_RELEASE); /* the tile's end publishes it */
  return 0;
}

static int is_worker(fd_tpool_t const * tpool, slot_t const * s) {
  for (ulong i = 1UL; i < tpool->worker_cnt; i++) {
    if (tpool->worker[i] == s) return 1;
  }
  return 0;
}

static char const * push_fault(fd_tpool_t const * tpool, ulong tile_idx) {
  if (!tpool) return "NULL tpool";
  if (!tile_idx) return "tile 0 cannot be a worker";
  if (tile_idx == fd_tile_idx()) return "a tile cannot push itself";
  if (tile_idx >= fd_tile_cnt()) return "no such tile";
  if (is_worker(tpool, &slot[tile_idx])) return "tile is a worker already";
  return tpool->worker_cnt >= tpool->worker_max ? "too many workers" : NULL;
}

fd_tpool_t * fd_tpool_worker_push(fd_tpool_t * tpool, ulong tile_idx) {
  char const * fault = push_fault(tpool, tile_idx);
  slot_t * s = fault ? NULL : &slot[tile_idx];
  if (s && !fd_tile_exec_new(tile_idx, worker_main, 0, (char **)(void *)s)) fault = "tile is busy";
  if (fault) {
    FD_LOG_WARNING(("%s", fault));
    return NULL;
  }
  fd_wait_while(&s->state, STATE_FREE);
  s->tpool = tpool;
  s->worker_idx = tpool->worker_cnt;
  tpool->worker[tpool->worker_cnt++] = s;
  return tpool;
}

fd_tpool_t * fd_tpool_worker_pop(fd_tpool_t * tpool) {
  char const * fault = NULL;
  if (!tpool)
    fault = "NULL tpool";
  else if (tpool->worker_cnt < 2UL)
    fault = "no worker to pop";
  else if (!fd_tpool_worker_idle(tpool, tpool->worker_cnt - 1UL))
    fault = "worker is busy";
  if (fault) {
    FD_LOG_WARNING(("%s", fault));
    return NULL;
  }
  slot_t * s = tpool->worker[--tpool->worker_cnt];
  fd_wait_publish(&s->state, STATE_HALT);
  fd_tile_exec_delete(fd_tile_exec((ulong)(s - slot)), NULL);
  return tpool;
}

ulong fd_tpool_opt(fd_tpool_t const * tpool) { return tpool->opt; }
ulong fd_tpool_worker_cnt(fd_tpool_t const * tpool) { return tpool->worker_cnt; }
ulong fd_tpool_worker_max(fd_tpool_t const * tpool) { return tpool->worker_max; }

ulong fd_tpool_worker_tile_idx(fd_tpool_t const * tpool, ulong worker_idx) {
  return worker_idx ? (ulong)(tpool->worker[worker_idx] - slot) : 0UL;
}

int fd_tpool_worker_idle(fd_tpool_t const * tpool, ulong worker_idx) {
  return worker_idx && fd_wait_word(&tpool->worker[worker_idx]->state) == STATE_IDLE;
}

void fd_tpool_private_exec(fd_tpool_t * tpool, ulong worker_idx, fd_tpool_task_v2_t task,
                           ulong arg_cnt, ulong const * arg) {
  slot_t * s = tpool->worker[worker_idx];
  s->task = task;
  s->arg_cnt = arg_cnt;
  memcpy(s->arg, arg, arg_cnt * sizeof(ulong));
  fd_wait_publish(&s->state, STATE_EXEC);
}

void fd_tpool_wait(fd_tpool_t const * tpool, ulong worker_idx) {
  slot_t * s = tpool->worker[worker_idx];
  uint state;
  while ((state = fd_wait_word(&s->state)) != STATE_IDLE) fd_wait_while(&s->state, state);
}

/* A task with the twelve arguments, as a v2 task: its address comes first. */
static void run_v1(fd_tpool_t * tpool, ulong worker_idx, ulong arg_cnt, ulong const * a) {
  fd_tpool_task_t task = (fd_tpool_task_t)a[0];
  (void)tpool, (void)worker_idx, (void)arg_cnt;
  task((void *)a[1], a[2], a[3], (void *)a[4], (void *)a[5], a[6], a[7], a[8], a[9], a[10], a[11],
       a[12]);
}

void fd_tpool_exec(fd_tpool_t * tpool, ulong worker_idx, fd_tpool_task_t task, void * task_tpool,
                   ulong t0, ulong t1, void * args, void * reduce, ulong stride, ulong l0, ulong l1,
                   ulong m0, ulong m1, ulong n0, ulong n1) {
  ulong const a[13] = {(ulong)task, (ulong)task_tpool,
                       t0,          t1,
                       (ulong)args, (ulong)reduce,
                       stride,      l0,
                       l1,          m0,
                       m1,          n0,
                       n1};
  fd_tpool_private_exec(tpool, worker_idx, run_v1, 13UL, a);
}

void fd_tpool_private_run(fd_tpool_task_v2_t op, fd_tpool_t * tpool, ulong t0, ulong arg_cnt,
                          ulong const * arg) {
  op(tpool, t0, arg_cnt, arg);
}

struct fd_tpool_private_split fd_tpool_private_split(fd_tpool_t * tpool, ulong t0,
                                                     fd_tpool_task_v2_t op, ulong arg_cnt,
                                                     ulong const * arg, ulong partial) {
  ulong half[FD_TPOOL_TASK_ARG_MAX];
  struct fd_tpool_private_split split;
  ulong t1 = arg[0];
  long i0 = (long)arg[1], i1 = (long)arg[2];
  ulong left = (t1 - t0) >> 1;
  long share = (long)(((ulong)(i1 - i0) * left) / (t1 - t0));
  split.ts = t0 + left;
  split.is = fd_long_min(fd_long_max(i0 + share, i0 + 1L), i1 - 1L);
  memcpy(half, arg, arg_cnt * sizeof(ulong));
  half[1] = (ulong)split.is;
  if (partial) half[FD_TPOOL_PRIVATE_ARG_OFF] = partial;
  fd_tpool_private_exec(tpool, split.ts, op, arg_cnt, half);
  half[0] = split.ts;
  half[1] = arg[1];
  half[2] = (ulong)split.is;
  if (partial) half[FD_TPOOL_PRIVATE_ARG_OFF] = arg[FD_TPOOL_PRIVATE_ARG_OFF];
  op(tpool, t0, arg_cnt, half);
  fd_tpool_wait(tpool, split.ts);
  return split;
}
