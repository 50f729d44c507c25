/* See static_symbol.h. The runtimes' own operator new comes from an archive member that is linked only
   where the program defines none; the table names the source file of each. */
#include "core/trace/static_symbol.h"
#include "core/trace/sys.h"

#include <elf.h>
#include <string.h>

#define SECTIONS_MAX 512 /* of more than that nothing is known */
#define PAGE         ((uint64_t)4096)

/* A part of the file, mapped. */
typedef struct {
  uint8_t *map;
  size_t map_sz;
  uint8_t const *data;
  size_t sz;
} part_t;

static part_t map_part(int fd, uint64_t off, uint64_t sz) {
  uint64_t from = off / PAGE * PAGE;
  part_t p = {.map_sz = sz + (off - from), .sz = sz};
  p.map = vt_sys_mmap(NULL, p.map_sz, PROT_READ, MAP_PRIVATE, fd, (off_t)from);
  if (!sz || vt_sys_failed(p.map)) return (part_t){0};
  p.data = p.map + (off - from);
  return p;
}

static void unmap_part(part_t const *p) {
  if (p->map) vt_sys_munmap(p->map, p->map_sz);
}

/* begins: does the string at `off` of the table begin so? Its first sz bytes are looked at. */
static int begins(part_t const *names, uint64_t off, char const *start, size_t sz) {
  return off < names->sz && names->sz - off >= sz && !memcmp(names->data + off, start, sz);
}

/* is_at: is the string at `off` this one? */
static int is_at(part_t const *names, uint64_t off, char const *name) {
  return begins(names, off, name, strlen(name) + 1);
}

/* is_runtime: is this the source or object file of libstdc++'s operator new, or of libc++abi's? */
static int is_runtime(part_t const *names, uint64_t off) {
  static char const gnu[] = "new_op.", llvm[] = "stdlib_new_delete.";
  return begins(names, off, gnu, sizeof gnu - 1) || begins(names, off, llvm, sizeof llvm - 1);
}

/* tells: do the symbols have an operator new, and know their source files, none of them a runtime's? */
static int tells(part_t const *symbols, part_t const *names) {
  Elf64_Sym const *s = (Elf64_Sym const *)symbols->data;
  int files = 0, defined = 0;
  for (size_t i = 1; i < symbols->sz / sizeof *s; i++) {
    int type = ELF64_ST_TYPE(s[i].st_info);
    if (type == STT_FILE && is_runtime(names, s[i].st_name)) return 0;
    files |= type == STT_FILE;
    defined |= type == STT_FUNC && s[i].st_shndx != SHN_UNDEF && is_at(names, s[i].st_name, "_Znwm");
  }
  return files && defined;
}

/* in_sections looks into the symbol table that the section headers name. */
static int in_sections(int fd, Elf64_Shdr const *sections, unsigned cnt) {
  int found = 0;
  for (unsigned i = 0; i < cnt; i++) {
    if (sections[i].sh_type != SHT_SYMTAB || sections[i].sh_link >= cnt) continue;
    Elf64_Shdr const *strings = &sections[sections[i].sh_link];
    part_t symbols = map_part(fd, sections[i].sh_offset, sections[i].sh_size);
    part_t names = map_part(fd, strings->sh_offset, strings->sh_size);
    found = symbols.data && names.data && tells(&symbols, &names);
    unmap_part(&symbols);
    unmap_part(&names);
  }
  return found;
}

/* has_exceptions: is there a table of them, as C++ programs have? Others are not looked through. */
static int has_exceptions(int fd, Elf64_Shdr const *sections, unsigned cnt, unsigned names_at) {
  if (names_at >= cnt) return 0;
  part_t names = map_part(fd, sections[names_at].sh_offset, sections[names_at].sh_size);
  int found = 0;
  for (unsigned i = 0; i < cnt && names.data; i++)
    found |= is_at(&names, sections[i].sh_name, ".gcc_except_table");
  unmap_part(&names);
  return found;
}

int vt_static_new(int fd) {
  Elf64_Ehdr eh;
  if (vt_sys_pread(fd, &eh, sizeof eh, 0) != (long)sizeof eh || memcmp(eh.e_ident, ELFMAG, SELFMAG) ||
      eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_shnum > SECTIONS_MAX)
    return 0;
  part_t table = map_part(fd, eh.e_shoff, eh.e_shnum * sizeof(Elf64_Shdr));
  Elf64_Shdr const *sections = (Elf64_Shdr const *)table.data;
  int found = sections && has_exceptions(fd, sections, eh.e_shnum, eh.e_shstrndx) &&
              in_sections(fd, sections, eh.e_shnum);
  unmap_part(&table);
  return found;
}
