/* See elf_code.h. Functions without a symbol are known by the search table of .eh_frame_hdr (LSB
   Core, "Exception Frames"): pairs of signed 32-bit numbers, relative to the table's section. */
#include "analyzer/patch/elf_code.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/search.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HDR_ENCODINGS 0x3b031b01u /* version 1; pcrel sdata4, udata4, datarel sdata4 */
#define HDR_TABLE     12

/* at is what the file has at [address,address+sz), which is read; NULL: nothing. It is not mapped, as somebody
   may make the file shorter meanwhile. */
static uint8_t const *at(vt_elf_code_t const *code, uint64_t address, uint64_t sz) {
  for (size_t i = 0; i < code->loads_cnt; i++) {
    GElf_Phdr const *ph = &code->loads[i];
    uint64_t off = address - ph->p_vaddr;
    if (address < ph->p_vaddr || off > ph->p_filesz || sz > ph->p_filesz - off) continue;
    if (ph->p_offset > code->file_sz || off > code->file_sz - ph->p_offset ||
        sz > code->file_sz - ph->p_offset - off)
      return NULL;
    Elf_Data *data = elf_getdata_rawchunk(code->elf, (int64_t)(ph->p_offset + off), sz, ELF_T_BYTE);
    return data && data->d_size == sz ? data->d_buf : NULL;
  }
  return NULL;
}

/* read_table adds the functions of .eh_frame_hdr. */
static void read_table(vt_elf_code_t *code, GElf_Phdr const *ph) {
  uint8_t const *p = at(code, ph->p_vaddr, HDR_TABLE);
  uint32_t head, cnt;
  if (!p) return;
  memcpy(&head, p, 4);
  memcpy(&cnt, p + 8, 4);
  p = head == HDR_ENCODINGS ? at(code, ph->p_vaddr + HDR_TABLE, 8 * (uint64_t)cnt) : NULL;
  for (uint32_t i = 0; p && i < cnt; i++, p += 8) {
    int32_t start;
    memcpy(&start, p, 4);
    VT_PUSH(code->starts, ph->p_vaddr + (uint64_t)(int64_t)start);
  }
}

static void read_dynamic(vt_elf_code_t *code, GElf_Phdr const *ph) {
  Elf64_Dyn d;
  uint8_t const *p = at(code, ph->p_vaddr, ph->p_filesz);
  for (uint64_t off = 0; p && off + sizeof d <= ph->p_filesz; off += sizeof d) {
    memcpy(&d, p + off, sizeof d);
    if (d.d_tag == DT_NULL) return;
    code->relocated |= d.d_tag == DT_TEXTREL || (d.d_tag == DT_FLAGS && d.d_un.d_val & DF_TEXTREL);
    code->symbolic |= d.d_tag == DT_SYMBOLIC || (d.d_tag == DT_FLAGS && d.d_un.d_val & DF_SYMBOLIC);
  }
}

/* read_segments returns -1 if nothing is mapped. */
static int read_segments(vt_elf_code_t *code) {
  size_t cnt;
  GElf_Phdr ph;
  if (elf_getphdrnum(code->elf, &cnt)) return -1;
  code->low = UINT64_MAX;
  for (size_t i = 0; i < cnt; i++) {
    if (!gelf_getphdr(code->elf, (int)i, &ph) || ph.p_type != PT_LOAD) continue;
    VT_PUSH(code->loads, ph);
    if (ph.p_vaddr < code->low) code->low = ph.p_vaddr;
    if (ph.p_vaddr + ph.p_memsz > code->high) code->high = ph.p_vaddr + ph.p_memsz;
  }
  for (size_t i = 0; i < cnt; i++) {
    if (!gelf_getphdr(code->elf, (int)i, &ph)) continue;
    if (ph.p_type == PT_GNU_EH_FRAME) code->table = ph;
    if (ph.p_type == PT_DYNAMIC) read_dynamic(code, &ph);
  }
  return code->low < code->high ? 0 : -1;
}

/* Sections do not overlap: what is more than the file is none of its code. */
static void read_sections(vt_elf_code_t *code) {
  size_t strings;
  uint64_t left = code->file_sz;
  if (elf_getshdrstrndx(code->elf, &strings)) return;
  for (Elf_Scn *scn = NULL; (scn = elf_nextscn(code->elf, scn));) {
    GElf_Shdr sh;
    if (!gelf_getshdr(scn, &sh) || !(sh.sh_flags & SHF_EXECINSTR) || sh.sh_type != SHT_PROGBITS)
      continue;
    char const *name = elf_strptr(code->elf, strings, sh.sh_name);
    if (!sh.sh_size || sh.sh_size > left) continue;
    left -= sh.sh_size;
    vt_code_section_t s = {.start = sh.sh_addr,
                           .end = sh.sh_addr + sh.sh_size,
                           .linkage = name && !strncmp(name, ".plt", 4)};
    VT_PUSH(code->sections, s);
  }
}

static void add_start(void *context, char const *name, GElf_Sym const *symbol, int exported) {
  vt_elf_code_t *code = context;
  (void)name;
  (void)exported;
  VT_PUSH(code->starts, symbol->st_value);
}

static int by_address(void const *a, void const *b) {
  uint64_t x = *(uint64_t const *)a, y = *(uint64_t const *)b;
  return (x > y) - (x < y);
}

static void sort_starts(vt_elf_code_t *code) {
  size_t kept = 0;
  if (code->starts_cnt) qsort(code->starts, code->starts_cnt, sizeof *code->starts, by_address);
  for (size_t i = 0; i < code->starts_cnt; i++)
    if (!kept || code->starts[i] != code->starts[kept - 1]) code->starts[kept++] = code->starts[i];
  code->starts_cnt = kept;
}

int vt_elf_code_open(vt_elf_code_t *code, int fd) {
  GElf_Ehdr eh;
  *code = (vt_elf_code_t){0};
  elf_version(EV_CURRENT);
  code->elf = elf_begin(fd, ELF_C_READ, NULL);
  if (!code->elf || !gelf_getehdr(code->elf, &eh) || eh.e_machine != EM_X86_64 ||
      eh.e_ident[EI_CLASS] != ELFCLASS64)
    return -1;
  struct stat st;
  if (fstat(fd, &st)) return -1;
  code->file_sz = (size_t)st.st_size;
  if (read_segments(code)) return -1;
  read_sections(code);
  return code->sections_cnt ? 0 : -1;
}

int vt_elf_code_read(vt_elf_code_t *code) {
  size_t kept = 0;
  for (size_t i = 0; i < code->sections_cnt; i++) {
    vt_code_section_t s = code->sections[i];
    s.bytes = at(code, s.start, s.end - s.start);
    if (s.bytes) code->sections[kept++] = s;
  }
  code->sections_cnt = kept;
  if (code->table.p_type == PT_GNU_EH_FRAME) read_table(code, &code->table);
  vt_elf_code_symbols(code, add_start, code);
  sort_starts(code);
  return kept ? 0 : -1;
}

void vt_elf_code_close(vt_elf_code_t *code) {
  free(code->loads);
  free(code->sections);
  free(code->starts);
  if (code->elf) elf_end(code->elf);
  *code = (vt_elf_code_t){0};
}

vt_code_section_t const *vt_elf_code_section(vt_elf_code_t const *code, uint64_t address) {
  for (size_t i = 0; i < code->sections_cnt; i++)
    if (address >= code->sections[i].start && address < code->sections[i].end)
      return &code->sections[i];
  return NULL;
}

/* above is the index of the first start above an address. */
static size_t above(vt_elf_code_t const *code, uint64_t address) {
  return VT_FIRST_NOT(code->starts_cnt, i, code->starts[i] <= address);
}

uint64_t vt_elf_code_next(vt_elf_code_t const *code, uint64_t address) {
  vt_code_section_t const *s = vt_elf_code_section(code, address);
  size_t i = above(code, address);
  if (!s) return address;
  return i < code->starts_cnt && code->starts[i] < s->end ? code->starts[i] : s->end;
}

uint64_t vt_elf_code_begin(vt_elf_code_t const *code, uint64_t address) {
  vt_code_section_t const *s = vt_elf_code_section(code, address);
  size_t i = above(code, address);
  if (!s) return address;
  return i && code->starts[i - 1] > s->start ? code->starts[i - 1] : s->start;
}

int vt_elf_code_is_start(vt_elf_code_t const *code, uint64_t address) {
  size_t i = above(code, address);
  return i && code->starts[i - 1] == address;
}

static int is_function(vt_elf_code_t const *code, GElf_Sym const *s) {
  int type = GELF_ST_TYPE(s->st_info);
  return s->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_NOTYPE) &&
         vt_elf_code_section(code, s->st_value);
}

void vt_elf_code_symbols(vt_elf_code_t const *code,
                         void (*visit)(void *context, char const *name, GElf_Sym const *symbol,
                                       int exported),
                         void *context) {
  for (Elf_Scn *scn = NULL; (scn = elf_nextscn(code->elf, scn));) {
    GElf_Shdr sh;
    GElf_Sym s;
    if (!gelf_getshdr(scn, &sh) || (sh.sh_type != SHT_SYMTAB && sh.sh_type != SHT_DYNSYM)) continue;
    Elf_Data *data = elf_getdata(scn, NULL);
    size_t cnt = data && sh.sh_entsize ? sh.sh_size / sh.sh_entsize : 0;
    for (size_t i = 1; i < cnt && gelf_getsym(data, (int)i, &s); i++) {
      char const *name = is_function(code, &s) ? elf_strptr(code->elf, sh.sh_link, s.st_name) : NULL;
      int exported = sh.sh_type == SHT_DYNSYM && GELF_ST_BIND(s.st_info) != STB_LOCAL &&
                     GELF_ST_VISIBILITY(s.st_other) == STV_DEFAULT;
      if (name) visit(context, name, &s, exported);
    }
  }
}
