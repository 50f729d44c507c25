/* See thread_ids.h. Asked when the thread changes, never for each event. */
#include "analyzer/trace/thread_ids.h"
#include <stdlib.h>
#include "analyzer/util/mem.h"

void vt_thread_ids_init(vt_thread_ids_t *t) {
  *t = (vt_thread_ids_t){.lock = PTHREAD_MUTEX_INITIALIZER};
}

void vt_thread_ids_fini(vt_thread_ids_t *t) {
  free(t->ids);
  free(t->table);
  vt_thread_ids_init(t);
}

static size_t slot_of(vt_thread_ids_t const *t, vt_thread_id_t id) {
  size_t mask = t->table_sz - 1;
  size_t i = (id.tid * 0x9E3779B1u ^ id.number * 0x85EBCA77u) & mask;
  for (; t->table[i]; i = (i + 1) & mask) {
    vt_thread_id_t const *there = &t->ids[t->table[i] - 1];
    if (there->tid == id.tid && there->number == id.number) break;
  }
  return i;
}

static void grow(vt_thread_ids_t *t) {
  free(t->table);
  t->table_sz = t->table_sz ? 2 * t->table_sz : 64;
  t->table = vt_mem_new(t->table_sz, sizeof *t->table);
  for (size_t i = 0; i < t->ids_cnt; i++) t->table[slot_of(t, t->ids[i])] = (uint32_t)i + 1;
}

uint32_t vt_thread_ids_index(vt_thread_ids_t *t, vt_thread_id_t id) {
  pthread_mutex_lock(&t->lock);
  if (2 * t->ids_cnt >= t->table_sz) grow(t);
  size_t slot = slot_of(t, id);
  if (!t->table[slot]) {
    VT_PUSH(t->ids, id);
    t->table[slot] = (uint32_t)t->ids_cnt;
  }
  uint32_t index = t->table[slot] - 1;
  pthread_mutex_unlock(&t->lock);
  return index;
}

vt_thread_id_t vt_thread_ids_at(vt_thread_ids_t *t, uint32_t index) {
  pthread_mutex_lock(&t->lock);
  vt_thread_id_t id = t->ids[index];
  pthread_mutex_unlock(&t->lock);
  return id;
}
