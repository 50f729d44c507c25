/* See entries.h. */
#include "analyzer/attach/entries.h"
#include "analyzer/attach/loader.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STACK_PIECE ((size_t)65536)
#define STACK_MAX   ((uint64_t)64 << 20) /* a stack may lie in a heap of any size */

vt_patch_module_t *vt_entries_module(vt_bytes_t const *answer) {
  return (vt_patch_module_t *)(answer->data + sizeof(vt_patch_answer_t));
}

vt_patch_function_t *vt_entries_functions(vt_patch_module_t *module) {
  return (vt_patch_function_t *)(module + 1);
}

vt_patch_module_t *vt_entries_next(vt_patch_module_t *module) {
  return (vt_patch_module_t *)(vt_entries_functions(module) + module->function_cnt);
}

uint32_t vt_entries_module_cnt(vt_bytes_t const *answer) {
  return ((vt_patch_answer_t const *)answer->data)->module_cnt;
}

/* Calls `each` with every function that is patched, until it returns other than 0, which is returned. */
static int for_each(vt_bytes_t const *answer, int (*each)(void *, vt_patch_module_t *, uint32_t), void *context) {
  vt_patch_module_t *m = vt_entries_module(answer);
  int result = 0;
  for (uint32_t n = vt_entries_module_cnt(answer); n-- && !result; m = vt_entries_next(m))
    for (uint32_t i = 0; m->code && i < m->function_cnt && !result; i++)
      if (!vt_entries_functions(m)[i].why[0]) result = each(context, m, i);
  return result;
}

static uint64_t copy_of(vt_patch_module_t const *m, uint32_t i) {
  return m->code + (uint64_t)i * VT_PATCH_SLOT_SZ + VT_PATCH_COPY_OFF;
}

void vt_entries_refuse(vt_patch_module_t *m, char const *why) {
  vt_patch_function_t *f = vt_entries_functions(m);
  for (uint32_t i = 0; i < m->function_cnt; i++)
    if (!f[i].why[0]) memcpy(f[i].why, why, strlen(why) + 1);
  m->covered = 0;
  m->code = 0;
}

int vt_entries_as_planned(vt_target_t const *t, vt_patch_module_t *m) {
  uint8_t now[VT_PATCH_SZ_MAX];
  vt_patch_function_t *f = vt_entries_functions(m);
  for (uint32_t i = 0; i < m->function_cnt; i++) {
    if (f[i].why[0]) continue;
    if (vt_target_read(t, f[i].address, now, f[i].sz) || memcmp(now, f[i].before, f[i].sz)) return 0;
    for (uint32_t s = 0; s < f[i].site_cnt; s++)
      if (vt_target_read(t, f[i].sites[s], &f[i].sites_before[s], 4)) return 0;
  }
  return 1;
}

int vt_entries_place(vt_target_t const *t, vt_patch_module_t *m, uint64_t code) {
  vt_patch_function_t const *f = vt_entries_functions(m);
  for (uint32_t i = 0; i < m->function_cnt; i++) {
    if (f[i].why[0]) continue;
    uint64_t hook = code + (uint64_t)((f[i].kind.keeps ? vt_loader_keep : vt_loader_plain) - vt_loader_code);
    vt_patch_descriptor_t d = {.hook = (void *)hook, .real = (void *)copy_of(m, i), .kind = f[i].kind};
    if (vt_target_write(t, m->data + i * sizeof d, &d, sizeof d) ||
        vt_target_write(t, m->code + (uint64_t)i * VT_PATCH_SLOT_SZ, f[i].slot, sizeof f[i].slot))
      return -1;
  }
  return 0;
}

/* ---- who is inside ---- */

static int holds(void *context, vt_patch_module_t *m, uint32_t i) {
  vt_patch_function_t const *f = &vt_entries_functions(m)[i];
  uint64_t word = *(uint64_t const *)context;
  return word > f->address && word < f->address + f->sz;
}

/* The extent of all that is to be replaced: most words are outside. */
typedef struct {
  uint64_t low, high;
} extent_t;

static int widen(void *context, vt_patch_module_t *m, uint32_t i) {
  extent_t *e = context;
  vt_patch_function_t const *f = &vt_entries_functions(m)[i];
  if (f->address < e->low) e->low = f->address;
  if (f->address + f->sz > e->high) e->high = f->address + f->sz;
  return 0;
}

static int words_hold(vt_bytes_t const *answer, extent_t const *e, uint64_t *words, size_t cnt) {
  for (size_t i = 0; i < cnt; i++)
    if (words[i] - e->low < e->high - e->low && for_each(answer, holds, &words[i])) return 1;
  return 0;
}

/* stack_holds looks at a stack from the stack pointer up to the end of its mapping. */
static int stack_holds(vt_target_t const *t, vt_space_t const *space, uint64_t sp, vt_bytes_t const *answer,
                       extent_t const *e) {
  static uint64_t words[STACK_PIECE / 8];
  uint64_t at = sp & ~(uint64_t)7, end = 0;
  for (size_t i = 0; i < space->parts_cnt; i++)
    if (at - space->parts[i].start < space->parts[i].end - space->parts[i].start) end = space->parts[i].end;
  if (end > at + STACK_MAX) end = at + STACK_MAX;
  for (ssize_t n; at < end; at += (uint64_t)n) {
    size_t sz = end - at < STACK_PIECE ? end - at : STACK_PIECE;
    n = pread(t->mem, words, sz, (off_t)at) & ~(ssize_t)7;
    if (n <= 0) return 0;
    if (words_hold(answer, e, words, (size_t)n / 8)) return 1;
  }
  return 0;
}

int vt_entries_returned_to(vt_target_t const *t, vt_stop_t const *stop, vt_space_t const *space,
                           vt_bytes_t const *answer) {
  extent_t e = {.low = UINT64_MAX};
  for_each(answer, widen, &e);
  for (size_t i = 0; i < stop->threads_cnt; i++)
    if (stack_holds(t, space, stop->threads[i].regs.rsp, answer, &e)) return 1;
  return 0;
}

/* moved is where in the copy the instruction is that a program counter stands at, inside of an entry. */
static int move(void *context, vt_patch_module_t *m, uint32_t i) {
  vt_registers_t *regs = context;
  vt_patch_function_t const *f = &vt_entries_functions(m)[i];
  if (regs->rip <= f->address || regs->rip >= f->address + f->sz) return 0;
  for (uint32_t k = 0; k < f->insn_cnt; k++)
    if (f->address + f->insn_from[k] == regs->rip) {
      regs->rip = copy_of(m, i) + f->insn_to[k];
      return 1;
    }
  return -1;
}

int vt_entries_move_out(vt_stop_t *stop, vt_bytes_t const *answer) {
  for (size_t i = 0; i < stop->threads_cnt; i++) {
    vt_stop_thread_t *thread = &stop->threads[i];
    int moved = for_each(answer, move, &thread->regs);
    if (moved < 0 || (moved && vt_stop_set(thread->tid, &thread->regs))) return -1;
  }
  return 0;
}

/* ---- the entries ---- */

typedef struct {
  vt_target_t const *t;
  int back;
} writing_t;

/* exchange writes bytes in the place of others: of those only, as somebody may have changed them since, or taken their
   memory away, or have done it already. */
static int exchange(vt_target_t const *t, uint64_t at, void const *from, void const *to, size_t sz) {
  uint8_t now[VT_PATCH_SZ_MAX];
  if (vt_target_read(t, at, now, sz) || memcmp(now, from, sz)) return 0;
  return vt_target_write(t, at, to, sz);
}

static int write_entry(void *context, vt_patch_module_t *m, uint32_t i) {
  writing_t const *w = context;
  vt_patch_function_t const *f = &vt_entries_functions(m)[i];
  int failed = exchange(w->t, f->address, w->back ? f->after : f->before, w->back ? f->before : f->after, f->sz);
  for (uint32_t s = 0; s < f->site_cnt; s++) {
    int32_t before = f->sites_before[s], after = (int32_t)(copy_of(m, i) - (f->sites[s] + 4));
    failed |= exchange(w->t, f->sites[s], w->back ? &after : &before, w->back ? &before : &after, sizeof after);
  }
  return failed ? -1 : 0;
}

int vt_entries_write(vt_target_t const *t, vt_bytes_t const *answer, int back) {
  writing_t w = {t, back};
  return for_each(answer, write_entry, &w);
}
