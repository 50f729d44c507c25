#ifndef HEADER_fd_src_util_tpool_fd_tpool_h
#define HEADER_fd_src_util_tpool_fd_tpool_h

/* Thread pools: worker 0 is whoever calls, the others are tiles.  An idle worker spins a few
   microseconds, then sleeps, and so does a caller that waits.  One thread at a time uses a pool or
   a range of its workers; tasks may dispatch to workers of the range they were given.  Argument
   errors of init, fini, push and pop are logged; the rest trusts its caller.  Not signal safe; does
   not survive fork. */

#include "../bits/fd_bits.h"
#include "../tile/fd_tile.h"

/* Options are stored and reported; idle workers sleep with and without this one. */
#define FD_TPOOL_OPT_SLEEP (1UL)

#define FD_TPOOL_TASK_ARG_MAX (43UL)

#define FD_TPOOL_ALIGN                 (128UL)
#define FD_TPOOL_FOOTPRINT(worker_max) FD_ULONG_ALIGN_UP(400UL + 8UL * (ulong)(worker_max), 128UL)

struct fd_tpool_private;
typedef struct fd_tpool_private fd_tpool_t;

/* A task: all arguments are opaque to the pool. */
typedef void (*fd_tpool_task_t)(void * tpool, ulong t0, ulong t1, void * args, void * reduce,
                                ulong stride, ulong l0, ulong l1, ulong m0, ulong m1, ulong n0,
                                ulong n1);
typedef void (*fd_tpool_task_v2_t)(fd_tpool_t * tpool, ulong worker_idx, ulong arg_cnt,
                                   ulong const * arg);

FD_PROTOTYPES_BEGIN

/* Alignment and size of the memory of a pool; 0 unless worker_max is in [1,FD_TILE_MAX]. */
ulong fd_tpool_align(void);
ulong fd_tpool_footprint(ulong worker_max);

/* fd_tpool_init makes a pool of up to worker_max workers, worker 0 present, in caller-owned memory.
   fini frees all workers and returns that memory.  NULL (logs) for bad arguments. */
fd_tpool_t * fd_tpool_init(void * mem, ulong worker_max, ulong opt);
void * fd_tpool_fini(fd_tpool_t * tpool);

/* push makes a tile the newest worker and returns when it idles; pop frees the newest worker's
   tile. Both return tpool, or NULL (logs): no pool, tile 0, the caller's tile, no such tile,
   already pushed, full, tile busy; no worker left or worker busy. */
fd_tpool_t * fd_tpool_worker_push(fd_tpool_t * tpool, ulong tile_idx);
fd_tpool_t * fd_tpool_worker_pop(fd_tpool_t * tpool);

ulong fd_tpool_opt(fd_tpool_t const * tpool);
ulong fd_tpool_worker_cnt(fd_tpool_t const * tpool);
ulong fd_tpool_worker_max(fd_tpool_t const * tpool);
ulong fd_tpool_worker_tile_idx(fd_tpool_t const * tpool, ulong worker_idx);

/* 1 if the worker idles, 0 if it works; worker 0 always works. */
int fd_tpool_worker_idle(fd_tpool_t const * tpool, ulong worker_idx);

/* fd_tpool_exec starts a task on an idle worker>0 and does not wait; it sees the caller's stores.
   fd_tpool_wait returns when the worker idles, with the worker's stores visible. */
void fd_tpool_exec(fd_tpool_t * tpool, ulong worker_idx, fd_tpool_task_t task, void * task_tpool,
                   ulong t0, ulong t1, void * args, void * reduce, ulong stride, ulong l0, ulong l1,
                   ulong m0, ulong m1, ulong n0, ulong n1);
void fd_tpool_wait(fd_tpool_t const * tpool, ulong worker_idx);

/* fd_tpool_exec_all_* run task over elements [l0,l1) on threads [t0,t1): the caller as t0, idle
   workers (t0,t1); they return when all is done.  A call gets n0=t, n1=t+1 and for
   rrobin: m=[l,l+1) for every l, by thread t0+((l-l0) mod (t1-t0));
   block: the same, by the owner of l's share of an even partition;
   taskq: the same, by whoever is free;
   batch: m = the thread's whole share, one call per thread, also for an empty one;
   raw: m=[l0,l1) for every thread. */
#define FD_TPOOL_PRIVATE_DECL(style)                                                           \
  void fd_tpool_exec_all_##style(fd_tpool_t * tpool, ulong t0, ulong t1, fd_tpool_task_t task, \
                                 void * task_tpool, void * args, void * reduce, ulong stride,  \
                                 ulong l0, ulong l1);
FD_TPOOL_PRIVATE_DECL(rrobin)
FD_TPOOL_PRIVATE_DECL(block)
#if FD_HAS_ATOMIC
FD_TPOOL_PRIVATE_DECL(taskq)
#endif
FD_TPOOL_PRIVATE_DECL(batch)
FD_TPOOL_PRIVATE_DECL(raw)

/* Starts a v2 task with up to FD_TPOOL_TASK_ARG_MAX arguments (copied) on an idle worker>0. */
void fd_tpool_private_exec(fd_tpool_t * tpool, ulong worker_idx, fd_tpool_task_v2_t task,
                           ulong arg_cnt, ulong const * arg);

/* Worker worker_idx's share [*out0,*out1) of tasks [task0,task1): whole lanes spread evenly, the
   remainders of lanes to the first workers, the last worker also gets what fills no lane. */
static inline void fd_tpool_private_partition(ulong task0, ulong task1, ulong lane_cnt,
                                              ulong worker_idx, ulong worker_cnt, ulong * out0,
                                              ulong * out1) {
  ulong blocks = (task1 - task0) / lane_cnt;
  ulong each = blocks / worker_cnt;
  ulong extra = blocks % worker_cnt;
  ulong lo = task0 + lane_cnt * (each * worker_idx + fd_ulong_min(worker_idx, extra));
  ulong hi = lo + lane_cnt * (each + (ulong)(worker_idx < extra));
  *out0 = lo;
  *out1 = worker_idx == worker_cnt - 1UL ? task1 : hi;
}

#define FD_TPOOL_PARTITION(task0, task1, lane_cnt, worker_idx, worker_cnt, out0, out1)   \
  do {                                                                                   \
    ulong _fd_tpool_out0, _fd_tpool_out1;                                                \
    fd_tpool_private_partition((task0), (task1), (lane_cnt), (worker_idx), (worker_cnt), \
                               &_fd_tpool_out0, &_fd_tpool_out1);                        \
    (out0) = _fd_tpool_out0;                                                             \
    (out1) = _fd_tpool_out1;                                                             \
  } while (0)

/* Map/reduce.  An op is one function with the signature of a v2 task whose arguments are t1, i0, i1
   and then the user's.  It runs MAP if there is nothing to split; otherwise it starts itself for
   the right half of threads and elements on the first right thread, runs itself for the left half,
   waits, and folds the right half's partial result, which lives on its own stack, into the left
   one's with REDUCE.  See FD_FOR_ALL_BEGIN and FD_MAP_REDUCE_BEGIN below for what users write. */

#define FD_TPOOL_PRIVATE_ARG_OFF (3UL)

struct fd_tpool_private_split {
  ulong ts; /* first right thread */
  long is;  /* first right element */
};

/* Whether a range splits at all: more than one thread, more elements than the threshold, and never
   into an empty half. */
static inline int fd_tpool_private_is_leaf(ulong t0, ulong t1, long cnt, long thresh) {
  return t1 - t0 < 2UL || cnt <= thresh || cnt < 2L;
}

/* Splits threads in the middle and elements in proportion; starts op on the right half, runs it on
   the left half and returns the split when both are done.  partial, if non-zero, replaces the right
   half's first user argument. */
struct fd_tpool_private_split fd_tpool_private_split(fd_tpool_t * tpool, ulong t0,
                                                     fd_tpool_task_v2_t op, ulong arg_cnt,
                                                     ulong const * arg, ulong partial);

/* Runs op as thread t0. */
void fd_tpool_private_run(fd_tpool_task_v2_t op, fd_tpool_t * tpool, ulong t0, ulong arg_cnt,
                          ulong const * arg);

FD_PROTOTYPES_END

/* Prototypes of ops; may be prefixed with static. */
#define FD_MAP_REDUCE_PROTO(op) \
  void op(fd_tpool_t * tpool, ulong tpool_t0, ulong _reduce_arg_cnt, ulong const * _reduce_arg)
#define FD_FOR_ALL_PROTO(op) FD_MAP_REDUCE_PROTO(op)

/* Defines op; may be prefixed with static; no trailing semicolon.
     FD_MAP_REDUCE_BEGIN(op,block_thresh,reduce_align,reduce_sz,reduce_cnt) { MAP } FD_MAP_END {
   REDUCE } FD_REDUCE_END FD_FOR_ALL_BEGIN(op,block_thresh) { MAP } FD_FOR_ALL_END MAP handles
   elements [block_i0,block_i1) as thread tpool_t0 and sees tpool, tpool_t0, tpool_t1, block_i0,
   block_i1, block_cnt, block_thresh, reduce_align, reduce_sz, reduce_cnt, arg_cnt, arg.  If
   reduce_cnt>0, arg[0] is this leaf's own output, uninitialized.  REDUCE sees tpool_ts, block_is
   and _r1 besides, and folds what is at _r1 into arg[0].  break ends a block; return is not
   allowed. */
#define FD_MAP_REDUCE_BEGIN(op, BLOCK_THRESH, REDUCE_ALIGN, REDUCE_SZ, REDUCE_CNT)         \
  FD_MAP_REDUCE_PROTO(op) {                                                                \
    ulong const tpool_t1 FD_FN_UNUSED = _reduce_arg[0];                                    \
    long const block_i0 FD_FN_UNUSED = (long)_reduce_arg[1];                               \
    long const block_i1 FD_FN_UNUSED = (long)_reduce_arg[2];                               \
    long const block_cnt FD_FN_UNUSED = block_i1 - block_i0;                               \
    ulong const arg_cnt FD_FN_UNUSED = _reduce_arg_cnt - FD_TPOOL_PRIVATE_ARG_OFF;         \
    ulong const * const arg FD_FN_UNUSED = _reduce_arg + FD_TPOOL_PRIVATE_ARG_OFF;         \
    long const block_thresh FD_FN_UNUSED = (BLOCK_THRESH);                                 \
    ulong const _reduce_align_arg = (REDUCE_ALIGN);                                        \
    ulong const reduce_align FD_FN_UNUSED = _reduce_align_arg ? _reduce_align_arg : 128UL; \
    ulong const reduce_sz FD_FN_UNUSED = (REDUCE_SZ);                                      \
    long const reduce_cnt FD_FN_UNUSED = (REDUCE_CNT);                                     \
    fd_tpool_task_v2_t const _reduce_op = op;                                              \
    if (fd_tpool_private_is_leaf(tpool_t0, tpool_t1, block_cnt, block_thresh)) {           \
      do

#define FD_MAP_END                                                                              \
  while (0)                                                                                     \
    ;                                                                                           \
  }                                                                                             \
  else {                                                                                        \
    ulong _r1 FD_FN_UNUSED = 0UL;                                                               \
    if (reduce_cnt > 0L) {                                                                      \
      _r1 = FD_ULONG_ALIGN_UP(                                                                  \
          (ulong)__builtin_alloca((ulong)reduce_cnt * reduce_sz + reduce_align), reduce_align); \
    }                                                                                           \
    struct fd_tpool_private_split const _reduce_split =                                         \
        fd_tpool_private_split(tpool, tpool_t0, _reduce_op, _reduce_arg_cnt, _reduce_arg, _r1); \
    ulong const tpool_ts FD_FN_UNUSED = _reduce_split.ts;                                       \
    long const block_is FD_FN_UNUSED = _reduce_split.is;                                        \
    do

#define FD_REDUCE_END \
  while (0)           \
    ;                 \
  }                   \
  }

#define FD_FOR_ALL_BEGIN(op, BLOCK_THRESH) FD_MAP_REDUCE_BEGIN(op, BLOCK_THRESH, 1UL, 0UL, 0L)
#define FD_FOR_ALL_END \
  FD_MAP_END {}        \
  FD_REDUCE_END

/* FD_FOR_ALL( op, tpool, t0, t1, i0, i1, a0 ... a25 ) runs op on threads [t0,t1), the caller being
   t0, over elements [i0,i1) with up to 26 arguments, each cast to ulong.  FD_MAP_REDUCE is the
   same. */
#define FD_MAP_REDUCE(...)                                                                        \
  FD_TPOOL_PRIVATE_RUN(FD_VA_ARGS_SELECT(__VA_ARGS__, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, \
                                         15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, x, \
                                         x, x, x, x),                                             \
                       __VA_ARGS__)
#define FD_FOR_ALL(...) FD_MAP_REDUCE(__VA_ARGS__)

#define FD_TPOOL_PRIVATE_RUN(n, ...) FD_EXPAND_THEN_CONCAT2(FD_TPOOL_PRIVATE_RUN_, n)(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, ...)                                \
  do {                                                                               \
    ulong const _fd_tpool_arg[] = {__VA_ARGS__};                                     \
    FD_COMPILER_MFENCE();                                                            \
    fd_tpool_private_run((op), (tpool), (t0), sizeof(_fd_tpool_arg) / sizeof(ulong), \
                         _fd_tpool_arg);                                             \
    FD_COMPILER_MFENCE();                                                            \
  } while (0)
#define FD_TPOOL_PRIVATE_RANGE(t1, i0, i1) (ulong)(t1), (ulong)(long)(i0), (ulong)(long)(i1)

#define FD_TPOOL_PRIVATE_CAST_1(a)       (ulong)(a)
#define FD_TPOOL_PRIVATE_CAST_2(a, ...)  (ulong)(a), FD_TPOOL_PRIVATE_CAST_1(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_3(a, ...)  (ulong)(a), FD_TPOOL_PRIVATE_CAST_2(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_4(a, ...)  (ulong)(a), FD_TPOOL_PRIVATE_CAST_3(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_5(a, ...)  (ulong)(a), FD_TPOOL_PRIVATE_CAST_4(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_6(a, ...)  (ulong)(a), FD_TPOOL_PRIVATE_CAST_5(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_7(a, ...)  (ulong)(a), FD_TPOOL_PRIVATE_CAST_6(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_8(a, ...)  (ulong)(a), FD_TPOOL_PRIVATE_CAST_7(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_9(a, ...)  (ulong)(a), FD_TPOOL_PRIVATE_CAST_8(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_10(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_9(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_11(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_10(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_12(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_11(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_13(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_12(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_14(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_13(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_15(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_14(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_16(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_15(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_17(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_16(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_18(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_17(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_19(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_18(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_20(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_19(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_21(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_20(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_22(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_21(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_23(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_22(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_24(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_23(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_25(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_24(__VA_ARGS__)
#define FD_TPOOL_PRIVATE_CAST_26(a, ...) (ulong)(a), FD_TPOOL_PRIVATE_CAST_25(__VA_ARGS__)

#define FD_TPOOL_PRIVATE_RUN_0(op, tpool, t0, t1, i0, i1) \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1))
#define FD_TPOOL_PRIVATE_RUN_1(op, tpool, t0, t1, i0, i1, ...)                 \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_1(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_2(op, tpool, t0, t1, i0, i1, ...)                 \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_2(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_3(op, tpool, t0, t1, i0, i1, ...)                 \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_3(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_4(op, tpool, t0, t1, i0, i1, ...)                 \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_4(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_5(op, tpool, t0, t1, i0, i1, ...)                 \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_5(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_6(op, tpool, t0, t1, i0, i1, ...)                 \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_6(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_7(op, tpool, t0, t1, i0, i1, ...)                 \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_7(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_8(op, tpool, t0, t1, i0, i1, ...)                 \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_8(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_9(op, tpool, t0, t1, i0, i1, ...)                 \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_9(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_10(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_10(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_11(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_11(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_12(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_12(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_13(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_13(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_14(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_14(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_15(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_15(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_16(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_16(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_17(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_17(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_18(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_18(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_19(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_19(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_20(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_20(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_21(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_21(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_22(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_22(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_23(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_23(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_24(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_24(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_25(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_25(__VA_ARGS__))
#define FD_TPOOL_PRIVATE_RUN_26(op, tpool, t0, t1, i0, i1, ...)                \
  FD_TPOOL_PRIVATE_RUN_ARGS(op, tpool, t0, FD_TPOOL_PRIVATE_RANGE(t1, i0, i1), \
                            FD_TPOOL_PRIVATE_CAST_26(__VA_ARGS__))

#endif
