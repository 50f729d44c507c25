/* The process's decoding threads: one for each CPU but the caller's, shared by all readers.

   Tasks are queued ahead of their use. Whoever needs one does not wait idly: it runs the task
   itself when no thread has begun it, and other queued tasks while a thread works on it. So a
   machine with one CPU needs no threads, and no reader starves another. */
#ifndef VT_ANALYZER_TRACE_POOL_H
#define VT_ANALYZER_TRACE_POOL_H

#include "analyzer/trace/bytes.h"
#include "analyzer/trace/codec.h"

/* What one thread needs to decode; grows as needed. */
typedef struct {
  vt_codec_t *codec;
  vt_bytes_t payload, unpacked;
} vt_tools_t;

void vt_tools_init(vt_tools_t *tools);
void vt_tools_fini(vt_tools_t *tools);

typedef enum { VT_TASK_IDLE, VT_TASK_QUEUED, VT_TASK_BUSY, VT_TASK_READY } vt_task_state_t;

/* Owned by who queues it; lies still from vt_pool_queue to vt_pool_finish or vt_pool_cancel. `state`
   and `next` belong to the pool. */
typedef struct vt_task {
  void (*run)(struct vt_task *task, vt_tools_t *tools);
  struct vt_task *next;
  vt_task_state_t state;
} vt_task_t;

/* The threads run while someone has entered; entering and leaving nest and are thread safe. */
void vt_pool_enter(void);
void vt_pool_leave(void);

void vt_pool_queue(vt_task_t *task);

/* Returns when the task is READY, or IDLE because it was never queued; tools: the caller's, for its share. */
void vt_pool_finish(vt_task_t *task, vt_tools_t *tools);

/* Makes the task IDLE: unqueues it, or waits until who runs it is done. */
void vt_pool_cancel(vt_task_t *task);

#endif
