/* Who a thread is: the number it has in its trace, with the kernel's number as a label that threads
   may have one after the other. Events carry the index of that pair while they are decoded and
   encoded. */
#ifndef VT_ANALYZER_TRACE_THREAD_IDS_H
#define VT_ANALYZER_TRACE_THREAD_IDS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint32_t tid;
  uint32_t number; /* counts from 1 in its image; 0: an older writer, threads are their tids */
} vt_thread_id_t;

typedef struct {
  pthread_mutex_t lock;
  vt_thread_id_t *ids;
  size_t ids_cnt, ids_cap;
  uint32_t *table; /* index + 1, open addressing */
  size_t table_sz;
} vt_thread_ids_t;

void vt_thread_ids_init(vt_thread_ids_t *t);
void vt_thread_ids_fini(vt_thread_ids_t *t);

/* vt_thread_ids_index is the index of a thread, the next free one when it is new. Thread-safe. */
uint32_t vt_thread_ids_index(vt_thread_ids_t *t, vt_thread_id_t id);

/* vt_thread_ids_at is the thread of an index that was given out. Thread-safe. */
vt_thread_id_t vt_thread_ids_at(vt_thread_ids_t *t, uint32_t index);

#endif
