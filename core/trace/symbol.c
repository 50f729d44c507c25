/* See symbol.h. The list of objects and the tables of each are the loader's public interface for
   debuggers (link.h); the hash tables are described in the gABI and, for GNU's, by the linkers that
   write them: a Bloom filter, buckets, and a chain of hash values whose last one has bit 0 set. */
#include "core/trace/symbol.h"

#include <stddef.h>
#include <stdint.h>

#define VERSION_HIDDEN 0x8000 /* a definition that only its version's name finds */

typedef struct {
  ElfW(Sym) const *symbols;
  char const *names;
  uint16_t const *versions; /* NULL: none has one */
  uint32_t const *gnu_hash, *hash;
} tables_t;

/* begins: does `text` begin with `start`, or is it equal? Not with libc's functions: a sanitizer
   has others in their place, which crash before it is set up. */
static int begins(char const *text, char const *start, int whole) {
  for (; *start; text++, start++)
    if (*text != *start) return 0;
  return !whole || !*text;
}

/* place is where a table is: some loaders leave addresses in the dynamic section as in the file. */
static void const *place(struct link_map const *map, ElfW(Addr) address) {
  return (void const *)(address < map->l_addr ? address + map->l_addr : address);
}

static tables_t tables_of(struct link_map const *map) {
  tables_t t = {0};
  for (ElfW(Dyn) const *d = map->l_ld; d && d->d_tag != DT_NULL; d++) {
    void const *p = place(map, d->d_un.d_ptr);
    switch (d->d_tag) {
    case DT_SYMTAB: t.symbols = p; break;
    case DT_STRTAB: t.names = p; break;
    case DT_VERSYM: t.versions = p; break;
    case DT_GNU_HASH: t.gnu_hash = p; break;
    case DT_HASH: t.hash = p; break;
    default: break;
    }
  }
  return t;
}

/* is_wanted: is symbol i the default definition of a function or object of this name? */
static int is_wanted(tables_t const *t, uint32_t i, char const *name) {
  ElfW(Sym) const *s = &t->symbols[i];
  unsigned char type = ELF64_ST_TYPE(s->st_info);
  return s->st_shndx != SHN_UNDEF && s->st_value && ELF64_ST_BIND(s->st_info) != STB_LOCAL &&
         type != STT_TLS && !(t->versions && t->versions[i] & VERSION_HIDDEN) &&
         begins(t->names + s->st_name, name, 1);
}

static ElfW(Sym) const *by_gnu_hash(tables_t const *t, char const *name) {
  uint32_t h = 5381, cnt = t->gnu_hash[0], first = t->gnu_hash[1], bloom = t->gnu_hash[2];
  for (unsigned char const *p = (unsigned char const *)name; *p; p++) h = 33 * h + *p;
  uint32_t const *buckets = t->gnu_hash + 4 + bloom * (sizeof(ElfW(Addr)) / 4);
  uint32_t i = cnt ? buckets[h % cnt] : 0;
  for (uint32_t const *chain = buckets + cnt - first; i; i++) {
    if ((chain[i] | 1) == (h | 1) && is_wanted(t, i, name)) return &t->symbols[i];
    if (chain[i] & 1) break;
  }
  return NULL;
}

/* by_table looks at each symbol: the old hash table tells how many there are. */
static ElfW(Sym) const *by_table(tables_t const *t, char const *name) {
  for (uint32_t i = 1; i < t->hash[1]; i++)
    if (is_wanted(t, i, name)) return &t->symbols[i];
  return NULL;
}

static ElfW(Sym) const *find(struct link_map const *map, char const *name) {
  tables_t t = tables_of(map);
  if (!t.symbols || !t.names || !(t.gnu_hash || t.hash)) return NULL;
  return t.gnu_hash ? by_gnu_hash(&t, name) : by_table(&t, name);
}

int vt_symbol_defined(struct link_map const *map, char const *name) { return find(map, name) != NULL; }

void *vt_symbol_in(struct link_map const *map, char const *name) {
  ElfW(Sym) const *s = find(map, name);
  if (!s) return NULL;
  ElfW(Addr) address = s->st_shndx == SHN_ABS ? s->st_value : map->l_addr + s->st_value;
  if (ELF64_ST_TYPE(s->st_info) != STT_GNU_IFUNC) return (void *)address;
  return ((void *(*)(void))address)();
}

void *vt_symbol_from(struct link_map *map, char const *name, struct link_map **where) {
  for (; map; map = map->l_next) {
    void *p = vt_object_whole(map) ? vt_symbol_in(map, name) : NULL;
    if (!p) continue;
    if (where) *where = map;
    return p;
  }
  return NULL;
}

uint64_t vt_symbol_size(struct link_map const *map, char const *name) {
  ElfW(Sym) const *s = find(map, name);
  return s ? s->st_size : 0;
}

int vt_symbol_object_begins(struct link_map const *map, char const *start) {
  char const *name = map->l_name;
  for (char const *p = name; *p; p++)
    if (*p == '/') name = p + 1;
  return begins(name, start, 0);
}

/* The loader holds its lock on the list of objects while it calls back. */
static int call_once(struct dl_phdr_info *info, size_t sz, void *look) {
  (void)info;
  (void)sz;
  (*(void (**)(void))look)();
  return 1;
}

void vt_symbol_locked(void (*look)(void)) { dl_iterate_phdr(call_once, &look); }
