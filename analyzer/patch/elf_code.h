/* The code of an ELF file: its sections of instructions, where functions begin, and its symbols. */
#ifndef VT_ANALYZER_PATCH_ELF_CODE_H
#define VT_ANALYZER_PATCH_ELF_CODE_H

#include <gelf.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses are the file's. */
typedef struct {
  uint64_t start, end;
  uint8_t const *bytes; /* NULL: not read yet */
  int linkage; /* a procedure linkage table: what is called there is in another module */
} vt_code_section_t;

typedef struct {
  Elf *elf;
  size_t file_sz;
  GElf_Phdr *loads;
  size_t loads_cnt, loads_cap;
  vt_code_section_t *sections;
  size_t sections_cnt, sections_cap;
  GElf_Phdr table; /* that of .eh_frame_hdr, p_type 0: there is none */
  uint64_t *starts; /* sorted: where functions or other named code begins */
  size_t starts_cnt, starts_cap;
  uint64_t low, high; /* extent of what is mapped */
  int relocated;      /* the loader writes into the code (DT_TEXTREL) */
  int symbolic;       /* the loader binds its calls to itself first (DT_SYMBOLIC) */
} vt_elf_code_t;

/* vt_elf_code_open reads what an x86-64 ELF file has to say of itself, vt_elf_code_read also its code and where functions
   begin: of a large program that takes far longer, and most files have no function that matters. The descriptor stays the
   caller's and must outlive it. Both return 0, or -1: it is none, or makes no sense. The file is not trusted. */
int vt_elf_code_open(vt_elf_code_t *code, int fd);
int vt_elf_code_read(vt_elf_code_t *code);
void vt_elf_code_close(vt_elf_code_t *code);

/* vt_elf_code_section is the section that holds an address; NULL: none. */
vt_code_section_t const *vt_elf_code_section(vt_elf_code_t const *code, uint64_t address);

/* vt_elf_code_next is the lowest start above an address, or the end of its section. */
uint64_t vt_elf_code_next(vt_elf_code_t const *code, uint64_t address);

/* vt_elf_code_begin is the highest start at or below an address of a section, or the section's start. */
uint64_t vt_elf_code_begin(vt_elf_code_t const *code, uint64_t address);

/* vt_elf_code_is_start: does something known begin at this address? */
int vt_elf_code_is_start(vt_elf_code_t const *code, uint64_t address);

/* vt_elf_code_symbols calls `visit` with each defined function's name and symbol; `exported`: other
   modules' calls may be bound to another definition of it. */
void vt_elf_code_symbols(vt_elf_code_t const *code,
                         void (*visit)(void *context, char const *name, GElf_Sym const *symbol,
                                       int exported),
                         void *context);

#endif
