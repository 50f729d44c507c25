/* The threads of a trace: an index for each kernel number, and names. */
#include "analyzer/trace/reader_private.h"

void vt_threads_name(vt_reader_t *r, size_t index) {
  vt_tables_t const *t = &r->tables;
  r->threads[index].name = "";
  for (size_t i = t->names_cnt; i-- > 0;) {
    if (t->names[i].tid != r->threads[index].tid) continue;
    r->threads[index].name = t->names[i].name;
    return;
  }
}

void vt_threads_named(vt_reader_t *r, uint32_t tid, char *name) {
  vt_tables_t *t = &r->tables;
  t->names = vt_mem_room(t->names, t->names_cnt, &t->names_cap, sizeof *t->names);
  t->names[t->names_cnt].tid = tid;
  t->names[t->names_cnt++].name = name;
  for (size_t i = 0; i < r->threads_cnt; i++)
    if (r->threads[i].tid == tid) r->threads[i].name = name;
}

static size_t thread_slot(vt_reader_t const *r, uint32_t tid) {
  size_t i = (tid * 0x9E3779B1u) & (r->thread_table_sz - 1);
  while (r->thread_table[i] && r->threads[r->thread_table[i] - 1].tid != tid)
    i = (i + 1) & (r->thread_table_sz - 1);
  return i;
}

static void grow_threads(vt_reader_t *r) {
  free(r->thread_table);
  r->thread_table_sz = r->thread_table_sz ? 2 * r->thread_table_sz : 64;
  r->thread_table = vt_mem_new(r->thread_table_sz, sizeof *r->thread_table);
  for (size_t i = 0; i < r->threads_cnt; i++)
    r->thread_table[thread_slot(r, r->threads[i].tid)] = (uint32_t)i + 1;
}

uint32_t vt_threads_index(vt_reader_t *r, uint32_t tid) {
  if (tid == UINT32_MAX) return 0; /* no thread has this id */
  if (2 * r->threads_cnt >= r->thread_table_sz) grow_threads(r);
  size_t slot = thread_slot(r, tid);
  if (!r->thread_table[slot]) {
    VT_PUSH(r->threads, ((vt_trace_thread_t){.tid = tid, .name = ""}));
    vt_threads_name(r, r->threads_cnt - 1);
    r->thread_table[slot] = (uint32_t)r->threads_cnt;
  }
  return r->thread_table[slot] - 1;
}
