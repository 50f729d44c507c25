/* Code of a module that the program itself maps a second time, elsewhere, and runs there: V8 does so with the functions
   that are built into its executable, to have them near the code that it makes. The loader knows nothing of it, but
   the program's call is recorded (MAPPING), with the file and the place in it, which lead back to the module.

   Stacks do not tell when a frame was seen. So memory counts only if nothing was mapped there afterwards. */
#include <sys/mman.h>
#include "analyzer/trace/reader_private.h"

/* replaces: did `later` put something else where m was? That it went away does not matter. */
static int replaces(vt_trace_mapping_t const *later, vt_trace_mapping_t const *m) {
  return later->op != VT_MAPPING_UNMAP && later->time > m->time && later->address < m->address + m->size &&
         m->address < later->address + later->size;
}

#define LOOKED_AT_MAX 256 /* by one process that may have been made to ask for much work */

static int is_last(vt_tables_t const *t, vt_trace_mapping_t const *m) {
  for (size_t i = 0; i < t->mappings_cnt; i++)
    if (replaces(&t->mappings[i], m)) return 0;
  return 1;
}

static int is_of_module(vt_tables_t const *t, char const *file) {
  for (size_t i = 0; i < t->modules_cnt; i++)
    if (!strcmp(t->modules[i].path, file)) return 1;
  return 0;
}

static void make_index(vt_reader_t *r) {
  vt_tables_t const *t = &r->tables;
  size_t left = LOOKED_AT_MAX;
  r->again_cnt = 0;
  for (size_t i = 0; i < t->mappings_cnt && left; i++) {
    vt_trace_mapping_t const *m = &t->mappings[i];
    if (m->op != VT_MAPPING_MAP || !(m->prot & PROT_EXEC) || !m->file[0]) continue;
    left--;
    if (is_of_module(t, m->file) && is_last(t, m)) VT_PUSH(r->again, i);
  }
  r->again_of = t->mappings_cnt;
}

/* place_of finds what a module has of its file at `at`, as an address in the module. */
static int place_of(vt_trace_module_t const *m, uint64_t at, uint64_t *address) {
  for (uint32_t i = 0; i < m->range_cnt; i++) {
    vt_trace_range_t const *range = &m->ranges[i];
    if (at < range->file_off || at - range->file_off >= range->end - range->start) continue;
    *address = range->start + (at - range->file_off);
    return 1;
  }
  return 0;
}

static uint32_t module_of(vt_reader_t const *r, vt_trace_mapping_t const *m, uint32_t epoch, uint64_t *address) {
  for (uint32_t i = 0; i < r->tables.modules_cnt; i++) {
    vt_trace_module_t const *module = &r->tables.modules[i];
    if (epoch < module->load_epoch || epoch >= module->unload_epoch || strcmp(module->path, m->file)) continue;
    if (place_of(module, *address - m->address + m->offset, address)) return i;
  }
  return VT_NO_MODULE;
}

static uint32_t mapped_again(vt_reader_t const *r, uint32_t epoch, uint64_t *address) {
  if (r->again_of != r->tables.mappings_cnt) make_index((vt_reader_t *)r);
  for (size_t i = 0; i < r->again_cnt; i++) {
    vt_trace_mapping_t const *m = &r->tables.mappings[r->again[i]];
    if (*address - m->address < m->size) return module_of(r, m, epoch, address);
  }
  return VT_NO_MODULE;
}

uint32_t vt_reader_code_at(vt_reader_t const *r, uint32_t epoch, uint64_t pc, uint64_t *offset) {
  uint64_t address = pc - 1;
  uint32_t module = vt_reader_module_at(r, epoch, address);
  if (module == VT_NO_MODULE) module = mapped_again(r, epoch, &address);
  if (module != VT_NO_MODULE) *offset = address - r->tables.modules[module].bias;
  return module;
}
