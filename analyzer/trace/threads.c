/* The threads of a trace: an index for each, in order of their first events, and names. */
#include "analyzer/trace/reader_private.h"

#include <fnmatch.h>
#include <stdio.h>

/* The entry of a thread's identity, made if need be. */
static vt_known_thread_t *known(vt_reader_t *r, uint32_t id) {
  while (r->known_threads_cnt <= id) VT_PUSH(r->known_threads, (vt_known_thread_t){.name = ""});
  return &r->known_threads[id];
}

void vt_threads_named(vt_reader_t *r, vt_thread_id_t who, char *name) {
  vt_known_thread_t *thread = known(r, vt_thread_ids_index(&r->thread_ids, who));
  thread->name = name;
  if (thread->place) r->threads[thread->place - 1].name = name;
}

void vt_threads_forget_names(vt_reader_t *r) {
  for (size_t i = 0; i < r->known_threads_cnt; i++) r->known_threads[i].name = "";
  for (size_t i = 0; i < r->threads_cnt; i++) r->threads[i].name = "";
}

static size_t tid_slot(vt_reader_t const *r, uint32_t tid) {
  size_t i = (tid * 0x9E3779B1u) & (r->tid_table_sz - 1);
  while (r->tid_table[i] && r->threads[r->tid_table[i] - 1].tid != tid)
    i = (i + 1) & (r->tid_table_sz - 1);
  return i;
}

static void grow_tids(vt_reader_t *r) {
  free(r->tid_table);
  r->tid_table_sz = r->tid_table_sz ? 2 * r->tid_table_sz : 64;
  r->tid_table = vt_mem_new(r->tid_table_sz, sizeof *r->tid_table);
  for (size_t i = 0; i < r->threads_cnt; i++)
    r->tid_table[tid_slot(r, r->threads[i].tid)] = (uint32_t)i + 1;
}

uint32_t vt_threads_index(vt_reader_t *r, uint32_t id) {
  vt_known_thread_t *thread = known(r, id);
  if (thread->place) return thread->place - 1;
  if (2 * r->threads_cnt >= r->tid_table_sz) grow_tids(r);
  vt_trace_thread_t new = {
      .tid = vt_thread_ids_at(&r->thread_ids, id).tid, .nth = 1, .name = thread->name};
  size_t slot = tid_slot(r, new.tid);
  if (r->tid_table[slot]) new.nth = r->threads[r->tid_table[slot] - 1].nth + 1;
  VT_PUSH(r->threads, new);
  return (thread->place = r->tid_table[slot] = (uint32_t)r->threads_cnt) - 1;
}

vt_thread_label_t vt_trace_thread_label(vt_trace_thread_t const *thread) {
  vt_thread_label_t label;
  if (thread->nth > 1)
    snprintf(label.text, sizeof label.text, "%u.%u", thread->tid, thread->nth);
  else
    snprintf(label.text, sizeof label.text, "%u", thread->tid);
  return label;
}

int vt_trace_thread_matches(vt_trace_thread_t const *thread, char const *wanted) {
  return !strcmp(vt_trace_thread_label(thread).text, wanted) || !fnmatch(wanted, thread->name, 0);
}
