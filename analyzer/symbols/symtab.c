/* Function symbols of a module, sorted once so that a lookup is a binary search (libdwfl's own
   lookup walks the whole table for each address). libdwfl merges .symtab, .dynsym and the xz
   compressed .gnu_debugdata. */
#include <stdlib.h>
#include "analyzer/symbols/elf_file.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/search.h"

typedef struct {
  uint64_t start, end; /* end == start: size unknown */
  char const *name;
  int weight; /* which of two symbols at one address is shown: the heavier */
} symbol_t;

struct vt_symtab {
  symbol_t *symbols;
  size_t symbols_cnt, symbols_cap;
};

static int weight_of(GElf_Sym const *sym, char const *name) {
  int binding = GELF_ST_BIND(sym->st_info);
  int weight = binding == STB_GLOBAL ? 4 : binding == STB_WEAK ? 3 : 2;
  if (sym->st_size) weight += 8;
  if (name[0] == '_' && name[1] == '_') weight--;
  return weight;
}

static int compare(void const *a, void const *b) {
  symbol_t const *x = a, *y = b;
  if (x->start != y->start) return x->start < y->start ? -1 : 1;
  return y->weight - x->weight;
}

static int is_code(GElf_Sym const *sym) {
  int type = GELF_ST_TYPE(sym->st_info);
  if (sym->st_shndx == SHN_UNDEF || type == STT_TLS || type == STT_SECTION) return 0;
  return type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE;
}

static void add_symbol(struct vt_symtab *symtab, Dwfl_Module *module, int i) {
  GElf_Sym sym;
  GElf_Addr address;
  char const *name = dwfl_module_getsym_info(module, i, &sym, &address, NULL, NULL, NULL);
  if (!name || !name[0] || name[0] == '$' || !is_code(&sym)) return;
  uint64_t end = address + sym.st_size < address ? UINT64_MAX : address + sym.st_size;
  symbol_t symbol = {address, end, name, weight_of(&sym, name)};
  VT_PUSH(symtab->symbols, symbol);
}

struct vt_symtab *vt_symtab_new(Dwfl_Module *module) {
  struct vt_symtab *symtab = vt_mem_new(1, sizeof *symtab);
  int cnt = dwfl_module_getsymtab(module);
  for (int i = 1; i < cnt; i++) add_symbol(symtab, module, i);
  if (symtab->symbols_cnt) qsort(symtab->symbols, symtab->symbols_cnt, sizeof(symbol_t), compare);
  return symtab;
}

void vt_symtab_delete(struct vt_symtab *symtab) {
  if (symtab) free(symtab->symbols);
  free(symtab);
}

/* Last symbol whose start is not above offset; NULL when there is none. */
static symbol_t const *last_before(struct vt_symtab const *symtab, uint64_t offset) {
  size_t lo = VT_FIRST_NOT(symtab->symbols_cnt, i, symtab->symbols[i].start <= offset);
  return lo ? &symtab->symbols[lo - 1] : NULL;
}

char const *vt_symtab_lookup(struct vt_symtab const *symtab, uint64_t offset) {
  symbol_t const *last = last_before(symtab, offset), *best = NULL;
  /* Symbols may overlap (aliases, entry points inside a function): a few steps back find the one
     that contains the address; a symbol without size counts only when it is the nearest. */
  for (int back = 0; last && back < 16 && last - back >= symtab->symbols; back++) {
    symbol_t const *symbol = last - back;
    int contains =
        offset < symbol->end || (symbol->end == symbol->start && symbol->start == last->start);
    if (!contains) continue;
    if (best && best->start != symbol->start) break;
    if (!best || symbol->weight > best->weight) best = symbol;
  }
  return best ? best->name : NULL;
}
