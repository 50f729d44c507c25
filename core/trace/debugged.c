/* See debugged.h. Other threads may change the lists meanwhile: all is read by a system call that fails where there is
   nothing, and believed only if it is whole. */
#include "core/trace/debugged.h"
#include "core/trace/module.h"
#include "core/trace/symbol.h"
#include "core/trace/sys.h"

#include <elf.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/uio.h>

#define LISTS_MAX    8
#define ENTRIES_MAX  100000
#define FILE_MAX_SZ  ((uint64_t)64 << 20)
#define NAME_MAX_SZ  4096
#define MESSAGE_SZ   16384
#define TOLD_BITS    14
#define TOLD_CNT     ((uint32_t)1 << TOLD_BITS)

/* struct jit_descriptor and struct jit_code_entry of GDB's manual. */
typedef struct {
  uint32_t version, action;
  uint64_t relevant, first;
} list_t;
typedef struct {
  uint64_t next, previous, file, file_sz;
} entry_t;

static _Atomic uint64_t lists[LISTS_MAX];
static entry_t newest[LISTS_MAX]; /* the first entry of each list that was told */
static _Atomic int busy, met;
static uint64_t *told; /* hashes of what was told; a full table tells twice */

void vt_debugged_objects(struct link_map const *list) {
  uint32_t cnt = 0;
  for (; list && cnt < LISTS_MAX; list = list->l_next) {
    void *p = vt_symbol_defined(list, "__jit_debug_descriptor") ? vt_symbol_in(list, "__jit_debug_descriptor") : NULL;
    if (p) atomic_store_explicit(&lists[cnt++], (uint64_t)p, memory_order_relaxed);
  }
  while (cnt < LISTS_MAX) atomic_store_explicit(&lists[cnt++], 0, memory_order_relaxed);
}

static int read_own(uint64_t at, void *to, uint64_t sz) {
  struct iovec local = {to, sz}, remote = {(void *)at, sz};
  return vt_sys(SYS_process_vm_readv, vt_sys_getpid(), (long)&local, 1, (long)&remote, 1, 0) == (long)sz;
}

static int first_of(uint32_t i, uint64_t *first) {
  list_t list;
  uint64_t at = atomic_load_explicit(&lists[i], memory_order_relaxed);
  *first = 0;
  if (!at || !read_own(at, &list, sizeof list) || list.version != 1) return 0;
  *first = list.first;
  return 1;
}

static int any(void) { return atomic_load_explicit(&lists[0], memory_order_relaxed) != 0; }

void vt_debugged_met(void) {
  if (!any()) return;
  atomic_store_explicit(&met, 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&vt_module_pending, 1, memory_order_relaxed);
}

void vt_debugged_forked(void) {
  atomic_store_explicit(&busy, 0, memory_order_relaxed);
  memset(newest, 0, sizeof newest);
  if (told) memset(told, 0, TOLD_CNT * sizeof *told);
}

/* is_new notes a file; 0: it was told. FNV-1a over its words. */
static int is_new(entry_t const *e, uint8_t const *file) {
  uint64_t h = e->file ^ 0xcbf29ce484222325u;
  for (uint64_t i = 0; i + 8 <= e->file_sz; i += 8) h = (h ^ vt_load64(file + i)) * 0x100000001b3u;
  if (!told) told = vt_sys_memory(TOLD_CNT * sizeof *told);
  for (uint32_t i = 0; told && i < 32; i++) {
    uint64_t *slot = &told[((h >> 32) + i) % TOLD_CNT];
    if (*slot == h) return 0;
    if (*slot) continue;
    *slot = h;
    return 1;
  }
  return 1;
}

/* An ELF file and its table of symbols, all of it within the file. */
typedef struct {
  uint8_t const *data;
  uint64_t sz;
  Elf64_Ehdr const *head;
  Elf64_Shdr const *sections;
  Elf64_Shdr const *symbols, *names;
} file_t;

static int lies_in(file_t const *f, uint64_t at, uint64_t sz) { return at <= f->sz && sz <= f->sz - at; }

static int open_file(file_t *f) {
  f->head = (Elf64_Ehdr const *)f->data;
  if (f->sz < sizeof *f->head || memcmp(f->head->e_ident, ELFMAG, SELFMAG) || f->head->e_ident[EI_CLASS] != ELFCLASS64 ||
      f->head->e_shentsize != sizeof *f->sections || f->head->e_shoff % 8 ||
      !lies_in(f, f->head->e_shoff, (uint64_t)f->head->e_shnum * sizeof *f->sections))
    return 0;
  f->sections = (Elf64_Shdr const *)(f->data + f->head->e_shoff);
  for (uint32_t i = 0; i < f->head->e_shnum; i++) {
    Elf64_Shdr const *s = &f->sections[i];
    if (s->sh_type != SHT_SYMTAB || s->sh_link >= f->head->e_shnum || s->sh_offset % 8) continue;
    f->symbols = s;
    f->names = &f->sections[s->sh_link];
    return lies_in(f, s->sh_offset, s->sh_size) && lies_in(f, f->names->sh_offset, f->names->sh_size);
  }
  return 0;
}

/* address_of: a file that was to be linked has been placed section by section. */
static uint64_t address_of(file_t const *f, Elf64_Sym const *s) {
  if (f->head->e_type != ET_REL) return s->st_value;
  return s->st_shndx < f->head->e_shnum ? f->sections[s->st_shndx].sh_addr + s->st_value : 0;
}

/* name_of is the length of a symbol's name; 0: it has none that ends. */
static uint64_t name_of(file_t const *f, Elf64_Sym const *s, char const **name) {
  uint64_t left = s->st_name < f->names->sh_size ? f->names->sh_size - s->st_name : 0;
  *name = (char const *)f->data + f->names->sh_offset + s->st_name;
  uint64_t sz = strnlen(*name, left);
  return sz == left ? 0 : sz < NAME_MAX_SZ ? sz : NAME_MAX_SZ;
}

/* The message that is being written: a JIT chunk's payload. */
typedef struct {
  vt_stream_t *s;
  vt_message_t m;
  uint32_t cnt;
} out_t;

static void close_message(out_t *out) {
  if (!out->cnt) return;
  vt_store32(out->m.data, out->cnt);
  vt_stream_blob_close(out->s, VT_CHUNK_JIT, &out->m);
  out->cnt = 0;
}

static void put(out_t *out, uint64_t address, uint64_t sz, char const *name, uint64_t name_sz) {
  if (out->cnt && out->m.cap - out->m.sz < 28 + name_sz) close_message(out);
  if (!out->cnt) {
    out->m = vt_stream_blob_open(out->s, MESSAGE_SZ);
    if (!out->m.cap) return;
    vt_message_u32(&out->m, 0);
  }
  out->cnt++;
  vt_message_u64(&out->m, vt_clock_tick(out->s->sink->clock));
  vt_message_u64(&out->m, address);
  vt_message_u64(&out->m, sz);
  vt_message_string(&out->m, name, name_sz);
}

static void tell_file(out_t *out, file_t *f) {
  if (!open_file(f)) return;
  Elf64_Sym const *s = (Elf64_Sym const *)(f->data + f->symbols->sh_offset);
  for (uint64_t cnt = f->symbols->sh_size / sizeof *s; cnt > 0; cnt--, s++) {
    char const *name;
    uint64_t name_sz = name_of(f, s, &name), address = address_of(f, s);
    if (ELF64_ST_TYPE(s->st_info) == STT_FUNC && s->st_size && name_sz && address && s->st_size < FILE_MAX_SZ)
      put(out, address, s->st_size, name, name_sz);
  }
}

static void tell_entry(out_t *out, entry_t const *e) {
  if (e->file_sz > FILE_MAX_SZ || !e->file_sz) return;
  uint8_t *data = vt_sys_memory(e->file_sz);
  if (!data) return;
  file_t f = {.data = data, .sz = e->file_sz};
  if (read_own(e->file, data, e->file_sz) && is_new(e, data)) tell_file(out, &f);
  vt_sys_munmap(data, e->file_sz);
}

static int same(entry_t const *a, entry_t const *b) { return a->file == b->file && a->file_sz == b->file_sz; }

/* tell_list tells what is before the entry that was the first one last time: makers of code add theirs there. */
static void tell_list(out_t *out, uint64_t at, entry_t *first) {
  entry_t e, until = *first;
  for (uint32_t i = 0; at && i < ENTRIES_MAX && read_own(at, &e, sizeof e); i++, at = e.next) {
    if (!i) *first = e;
    if (i && same(&e, &until)) return;
    tell_entry(out, &e); /* the first one always: another file may lie where the one before was */
    if (same(&e, &until)) return;
  }
}

void vt_debugged_tell(vt_stream_t *s) {
  out_t out = {.s = s};
  uint64_t first;
  if (!any() || s->sink->confined || atomic_exchange_explicit(&busy, 1, memory_order_acquire)) return;
  for (uint32_t i = 0; i < LISTS_MAX && first_of(i, &first); i++) tell_list(&out, first, &newest[i]);
  close_message(&out);
  atomic_store_explicit(&busy, 0, memory_order_release);
}

void vt_debugged_tell_met(vt_stream_t *s) {
  if (atomic_exchange_explicit(&met, 0, memory_order_relaxed)) vt_debugged_tell(s);
}
