/* fd_tpool_exec_all_*: one job description on the caller's stack, shared by all its threads, and
   per style the function that tells a thread which calls are its. */

#include "fd/util/tpool/fd_tpool.h"

typedef struct {
  fd_tpool_task_t task;
  void * tpool;
  ulong t0;
  ulong t1;
  void * args;
  void * reduce;
  ulong stride;
  ulong l0;
  ulong l1;
  ulong next; /* taskq: elements handed out */
} job_t;

static void call(job_t * job, ulong t, ulong m0, ulong m1) {
  job->task(job->tpool, job->t0, job->t1, job->args, job->reduce, job->stride, job->l0, job->l1, m0,
            m1, t, t + 1UL);
}

static void rrobin(fd_tpool_t * tpool, ulong t, ulong arg_cnt, ulong const * arg) {
  job_t * job = (job_t *)arg[0];
  ulong cnt = job->l1 - job->l0, step = job->t1 - job->t0;
  (void)tpool, (void)arg_cnt;
  for (ulong i = t - job->t0; i < cnt;) {
    call(job, t, job->l0 + i, job->l0 + i + 1UL);
    if (cnt - i <= step) break;
    i += step;
  }
}

static void block(fd_tpool_t * tpool, ulong t, ulong arg_cnt, ulong const * arg) {
  job_t * job = (job_t *)arg[0];
  ulong m0, m1;
  (void)tpool, (void)arg_cnt;
  FD_TPOOL_PARTITION(job->l0, job->l1, 1UL, t - job->t0, job->t1 - job->t0, m0, m1);
  for (ulong m = m0; m < m1; m++) call(job, t, m, m + 1UL);
}

static void batch(fd_tpool_t * tpool, ulong t, ulong arg_cnt, ulong const * arg) {
  job_t * job = (job_t *)arg[0];
  ulong m0, m1;
  (void)tpool, (void)arg_cnt;
  FD_TPOOL_PARTITION(job->l0, job->l1, 1UL, t - job->t0, job->t1 - job->t0, m0, m1);
  call(job, t, m0, m1);
}

static void raw(fd_tpool_t * tpool, ulong t, ulong arg_cnt, ulong const * arg) {
  job_t * job = (job_t *)arg[0];
  (void)tpool, (void)arg_cnt;
  call(job, t, job->l0, job->l1);
}

/* Relaxed: the counter orders nothing but itself; the pool's hand-over orders the rest. */
static void taskq(fd_tpool_t * tpool, ulong t, ulong arg_cnt, ulong const * arg) {
  job_t * job = (job_t *)arg[0];
  ulong cnt = job->l1 - job->l0;
  (void)tpool, (void)arg_cnt;
  for (;;) {
    ulong i = __atomic_fetch_add(&job->next, 1UL, __ATOMIC_RELAXED);
    if (i >= cnt) return;
    call(job, t, job->l0 + i, job->l0 + i + 1UL);
  }
}

static void exec_all(fd_tpool_t * tpool, fd_tpool_task_v2_t style, job_t * job) {
  ulong arg = (ulong)job;
  for (ulong t = job->t0 + 1UL; t < job->t1; t++) fd_tpool_private_exec(tpool, t, style, 1UL, &arg);
  style(tpool, job->t0, 1UL, &arg);
  for (ulong t = job->t0 + 1UL; t < job->t1; t++) fd_tpool_wait(tpool, t);
}

#define EXEC_ALL(style)                                                                        \
  void fd_tpool_exec_all_##style(fd_tpool_t * tpool, ulong t0, ulong t1, fd_tpool_task_t task, \
                                 void * task_tpool, void * args, void * reduce, ulong stride,  \
                                 ulong l0, ulong l1) {                                         \
    job_t job = {task, task_tpool, t0, t1, args, reduce, stride, l0, l1, 0UL};                 \
    exec_all(tpool, style, &job);                                                              \
  }
EXEC_ALL(rrobin)
EXEC_ALL(block)
EXEC_ALL(taskq)
EXEC_ALL(batch)
EXEC_ALL(raw)
