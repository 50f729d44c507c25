/* See segments.h. */
#include "analyzer/snapshot/segments.h"

#include <elf.h>
#include <string.h>

#define HEADERS_MAX 64

typedef struct {
  Elf64_Phdr segments[HEADERS_MAX];
  uint32_t cnt;
  uint64_t bias;
} module_t;

static uint64_t page_of(uint64_t address) { return address & ~(VT_PAGE - 1); }

/* read_module returns 0, or -1: there is none. */
static int read_module(module_t *module, vt_memory_t const *m, uint64_t start) {
  Elf64_Ehdr eh;
  if (m->read(m->context, start, &eh, sizeof eh) || memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
      eh.e_phentsize != sizeof(Elf64_Phdr) || eh.e_phnum > HEADERS_MAX)
    return -1;
  if (m->read(m->context, start + eh.e_phoff, module->segments, eh.e_phnum * sizeof(Elf64_Phdr))) return -1;
  module->cnt = eh.e_phnum;
  for (uint32_t i = 0; i < module->cnt; i++) {
    if (module->segments[i].p_type != PT_LOAD) continue;
    module->bias = start - page_of(module->segments[i].p_vaddr);
    return 0;
  }
  return -1;
}

/* is_of: is the page of the module's file? */
static int is_of(vt_areas_t const *areas, vt_area_t const *first, uint64_t address) {
  vt_area_t const *a = vt_areas_find(areas, address);
  return a && a->flags & VT_AREA_FILE && !strcmp(a->path, first->path);
}

void vt_segments_beside(vt_memory_t const *memory, vt_areas_t const *areas, vt_area_t const *first, vt_segments_take_t *take,
                        void *context) {
  module_t module;
  if (!(first->flags & VT_AREA_FILE) || read_module(&module, memory, first->start)) return;
  for (Elf64_Phdr const *p = module.segments; p < module.segments + module.cnt; p++) {
    if (p->p_type != PT_LOAD || !(p->p_flags & PF_W)) continue;
    uint64_t start = module.bias + p->p_vaddr, end = start + p->p_filesz;
    if (is_of(areas, first, start)) take(context, page_of(start), start);
    if (p->p_filesz && p->p_memsz == p->p_filesz && is_of(areas, first, end - 1)) take(context, end, page_of(end + VT_PAGE - 1));
  }
}
