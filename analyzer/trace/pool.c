/* The decoding threads; see pool.h. A task is a piece of work of about a millisecond, so one lock
   for the queue and all states is enough. */
#include "analyzer/trace/pool.h"

#include <pthread.h>
#include <sched.h>

#define THREADS_MAX 8

static struct {
  pthread_mutex_t life; /* guards entering and leaving; taken before `lock` */
  unsigned users, threads_cnt;
  pthread_t threads[THREADS_MAX];
  pthread_mutex_t lock; /* guards all below and the state of every task */
  pthread_cond_t work;  /* a task was queued, or stop */
  pthread_cond_t done;  /* a task is ready */
  vt_task_t *first, **last;
  int stop;
} pool = {.life = PTHREAD_MUTEX_INITIALIZER,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .work = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER,
          .last = &pool.first};

void vt_tools_init(vt_tools_t *tools) { *tools = (vt_tools_t){.codec = vt_codec_new()}; }

void vt_tools_fini(vt_tools_t *tools) {
  vt_codec_delete(tools->codec);
  vt_bytes_free(&tools->payload);
  vt_bytes_free(&tools->unpacked);
}

/* unqueue takes a queued task out of the queue; called with the lock. */
static void unqueue(vt_task_t *task) {
  vt_task_t **at = &pool.first;
  while (*at != task) at = &(*at)->next;
  if (!(*at = task->next)) pool.last = at;
}

/* run_queued runs a queued task; called and returns with the lock. */
static void run_queued(vt_task_t *task, vt_tools_t *tools) {
  unqueue(task);
  task->state = VT_TASK_BUSY;
  pthread_mutex_unlock(&pool.lock);
  task->run(task, tools);
  pthread_mutex_lock(&pool.lock);
  task->state = VT_TASK_READY;
  pthread_cond_broadcast(&pool.done);
}

static void *work(void *unused) {
  vt_tools_t tools;
  vt_tools_init(&tools);
  pthread_mutex_lock(&pool.lock);
  while (!pool.stop) {
    if (pool.first)
      run_queued(pool.first, &tools);
    else
      pthread_cond_wait(&pool.work, &pool.lock);
  }
  pthread_mutex_unlock(&pool.lock);
  vt_tools_fini(&tools);
  return unused;
}

/* How many threads run beside the caller's. */
static unsigned threads_wanted(void) {
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof cpus, &cpus)) return 1;
  unsigned cnt = (unsigned)CPU_COUNT(&cpus) - 1;
  return cnt < THREADS_MAX ? cnt : THREADS_MAX;
}

void vt_pool_enter(void) {
  pthread_mutex_lock(&pool.life);
  if (pool.users++ == 0) {
    unsigned want = threads_wanted();
    pool.stop = 0;
    while (pool.threads_cnt < want &&
           !pthread_create(&pool.threads[pool.threads_cnt], NULL, work, NULL))
      pool.threads_cnt++;
  }
  pthread_mutex_unlock(&pool.life);
}

void vt_pool_leave(void) {
  pthread_mutex_lock(&pool.life);
  if (--pool.users == 0) {
    pthread_mutex_lock(&pool.lock);
    pool.stop = 1;
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);
    while (pool.threads_cnt) pthread_join(pool.threads[--pool.threads_cnt], NULL);
  }
  pthread_mutex_unlock(&pool.life);
}

void vt_pool_queue(vt_task_t *task) {
  pthread_mutex_lock(&pool.lock);
  task->state = VT_TASK_QUEUED;
  task->next = NULL;
  *pool.last = task;
  pool.last = &task->next;
  pthread_cond_signal(&pool.work);
  pthread_mutex_unlock(&pool.lock);
}

void vt_pool_finish(vt_task_t *task, vt_tools_t *tools) {
  pthread_mutex_lock(&pool.lock);
  while (task->state == VT_TASK_QUEUED || task->state == VT_TASK_BUSY) {
    if (task->state == VT_TASK_QUEUED)
      run_queued(task, tools);
    else if (pool.first)
      run_queued(pool.first, tools);
    else
      pthread_cond_wait(&pool.done, &pool.lock);
  }
  pthread_mutex_unlock(&pool.lock);
}

void vt_pool_cancel(vt_task_t *task) {
  pthread_mutex_lock(&pool.lock);
  if (task->state == VT_TASK_QUEUED) unqueue(task);
  while (task->state == VT_TASK_BUSY) pthread_cond_wait(&pool.done, &pool.lock);
  task->state = VT_TASK_IDLE;
  pthread_mutex_unlock(&pool.lock);
}
