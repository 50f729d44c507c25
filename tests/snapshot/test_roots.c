/* What of a module's pages is its data: a module that is made up, with words beside its segments that look like pointers. */
#include "analyzer/snapshot/roots.h"
#include "tests/unit/tap.h"

#include <elf.h>
#include <string.h>

#define START UINT64_C(0x7f1200340000)
#define PAGES 6

static uint8_t module[PAGES * VT_PAGE];

static int read_module(void *context, uint64_t address, void *buffer, size_t sz) {
  (void)context;
  if (address < START || address + sz > START + sizeof module) return -1;
  memcpy(buffer, module + (address - START), sz);
  return 0;
}

static int all(void *context, uint64_t *start, uint64_t *end) { return (void)context, *start < *end; }

/* Code, then data that begins at 0xd38 in its page and, if zeros follow it, at 0x110 behind a page's beginning ends. */
static void make(uint64_t zeros) {
  Elf64_Ehdr eh = {.e_ident = ELFMAG, .e_phoff = sizeof eh, .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 3};
  Elf64_Phdr const ph[] = {{.p_type = PT_PHDR},
                           {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = 2 * VT_PAGE, .p_memsz = 2 * VT_PAGE},
                           {.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_offset = 2 * VT_PAGE + 0xd38, .p_vaddr = 3 * VT_PAGE + 0xd38,
                            .p_filesz = 0x3d8, .p_memsz = 0x3d8 + zeros}};
  eh.e_ident[EI_CLASS] = ELFCLASS64;
  memcpy(module, &eh, sizeof eh);
  memcpy(module + sizeof eh, ph, sizeof ph);
}

static int is_root(vt_roots_t const *roots, uint64_t address) {
  for (size_t i = 0; i < roots->roots_cnt; i++)
    if (address >= roots->roots[i].start && address < roots->roots[i].end) return 1;
  return 0;
}

static void check(uint64_t zeros, char const *name) {
  vt_area_t parts[] = {{START, START + 2 * VT_PAGE, VT_AREA_PRIVATE | VT_AREA_FILE | VT_AREA_EXECUTABLE, "/lib/m.so"},
                       {START + 3 * VT_PAGE, START + 4 * VT_PAGE, VT_AREA_PRIVATE | VT_AREA_FILE, "/lib/m.so"},
                       {START + 4 * VT_PAGE, START + 5 * VT_PAGE, VT_AREA_PRIVATE | VT_AREA_FILE | VT_AREA_WRITABLE, "/lib/m.so"},
                       {START + 5 * VT_PAGE, START + 6 * VT_PAGE, VT_AREA_PRIVATE | VT_AREA_WRITABLE, ""}};
  vt_areas_t areas = {.areas = parts, .areas_cnt = 4};
  vt_memory_t memory = {.read = read_module, .next_run = all};
  vt_live_t live = {0};
  vt_mappings_t mappings = {0};
  vt_trace_snapshot_t said = {.flags = VT_SNAPSHOT_LIBC_MALLOC};
  make(zeros);
  vt_roots_t roots = vt_roots_find(&(vt_roots_from_t){.memory = &memory, .areas = &areas, .live = &live, .snapshot = &said, .mappings = &mappings});
  uint64_t data = START + 3 * VT_PAGE + 0xd38, end = START + 4 * VT_PAGE + 0x110;
  ok(is_root(&roots, data) && is_root(&roots, end - 8) && is_root(&roots, START + 5 * VT_PAGE), "%s: data is a root", name);
  ok(!is_root(&roots, data - 8) && !is_root(&roots, START + 3 * VT_PAGE), "%s: not what the file has before it", name);
  ok(is_root(&roots, end) == (zeros != 0), "%s: behind it only what the loader has cleared", name);
  vt_roots_free(&roots);
}

int main(void) {
  check(0, "no zeros");
  check(16, "zeros");
  memset(module, 0xff, sizeof(Elf64_Ehdr));
  vt_area_t part = {START, START + VT_PAGE, VT_AREA_PRIVATE | VT_AREA_FILE, "/a"};
  vt_roots_t roots = vt_roots_find(&(vt_roots_from_t){.memory = &(vt_memory_t){.read = read_module, .next_run = all},
                                                      .areas = &(vt_areas_t){.areas = &part, .areas_cnt = 1},
                                                      .live = &(vt_live_t){0},
                                                      .snapshot = &(vt_trace_snapshot_t){.flags = VT_SNAPSHOT_LIBC_MALLOC},
                                                      .mappings = &(vt_mappings_t){0}});
  ok(is_root(&roots, START), "another file is one whole");
  vt_roots_free(&roots);
  return done_testing();
}
