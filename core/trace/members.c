/* See members.h. A key is written by a compare-and-swap into a free place of its line or of one that hangs
   on it (where vt_members_add linearizes), and taken out by another (where vt_members_take does). */
#include "core/trace/members.h"
#include "core/trace/sys.h"

#define PAGE     4096
#define MARKS_SZ (VT_MEMBERS_MARKS * sizeof(uint32_t))
#define TABLE_SZ (MARKS_SZ + VT_MEMBERS_LINES * sizeof(vt_members_line_t))

int vt_members_begin(vt_members_t *m, void *(*memory)(size_t sz)) {
  if (m->marks) vt_sys_munmap((void *)m->marks, TABLE_SZ);
  uint8_t *table = memory(TABLE_SZ);
  m->marks = (_Atomic uint32_t *)table;
  m->lines = table ? (vt_members_line_t *)(table + MARKS_SZ) : NULL;
  m->memory = memory;
  atomic_store_explicit(&m->spare, 0, memory_order_relaxed);
  return table ? 0 : -1;
}

static vt_members_line_t *home(vt_members_t const *m, uint64_t key) {
  return &m->lines[key * 0x9e3779b97f4a7c15u >> (64 - __builtin_ctz(VT_MEMBERS_LINES))];
}

/* new_line is an unused line of the last page for such, or of a new one. */
static vt_members_line_t *new_line(vt_members_t *m) {
  uint64_t at = atomic_load_explicit(&m->spare, memory_order_relaxed);
  for (;;) {
    uint64_t fresh = at % PAGE ? 0 : (uint64_t)m->memory(PAGE);
    if (!(at % PAGE) && !fresh) return NULL;
    uint64_t line = fresh ? fresh : at;
    if (atomic_compare_exchange_weak_explicit(&m->spare, &at, line + sizeof(vt_members_line_t),
                                              memory_order_relaxed, memory_order_relaxed))
      return (vt_members_line_t *)line;
    if (fresh) vt_sys_munmap((void *)fresh, PAGE);
  }
}

/* next_line is the line behind this one, a new one if there is none; one that another thread was faster
   to hang up is lost. */
static vt_members_line_t *next_line(vt_members_t *m, vt_members_line_t *line) {
  vt_members_line_t *next = atomic_load_explicit(&line->next, memory_order_acquire);
  if (next) return next;
  vt_members_line_t *fresh = new_line(m);
  if (!fresh) return NULL;
  return atomic_compare_exchange_strong_explicit(&line->next, &next, fresh, memory_order_acq_rel,
                                                 memory_order_acquire)
             ? fresh
             : next;
}

/* swap replaces `from` in the line by `to`; returns whether it was there. */
static int swap(vt_members_line_t *line, uint64_t from, uint64_t to) {
  for (int i = 0; i < VT_MEMBERS_EACH; i++) {
    uint64_t is = atomic_load_explicit(&line->keys[i], memory_order_relaxed);
    if (is == from && atomic_compare_exchange_strong_explicit(&line->keys[i], &is, to, memory_order_acq_rel,
                                                              memory_order_relaxed))
      return 1;
  }
  return 0;
}

int vt_members_add(vt_members_t *m, uint64_t key) {
  vt_members_line_t *line = home(m, key);
  while (!swap(line, 0, key))
    if (!(line = next_line(m, line))) return -1;
  atomic_fetch_add_explicit(&m->marks[vt_members_mark(key)], 1, memory_order_release);
  return 0;
}

int vt_members_take(vt_members_t *m, uint64_t key) {
  vt_members_line_t *line = home(m, key);
  while (!swap(line, key, 0))
    if (!(line = atomic_load_explicit(&line->next, memory_order_acquire))) return 0;
  atomic_fetch_sub_explicit(&m->marks[vt_members_mark(key)], 1, memory_order_release);
  return 1;
}
