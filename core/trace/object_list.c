/* Objects found from the mappings and the ELF headers in memory, for C libraries that have no lock-free
   question to their loader.

   What was found once is kept in a table of ranges: of objects, and of addresses outside of all objects.
   An entry is believed as long as its stamp is that of now: within the epoch in which it was found (epochs
   change when code is unloaded), and until something new is mapped: the loader's list, which grows at its
   end, has a new end, or the program maps executable memory by itself. After that an object's header is
   read again, and a range without object is looked up again.

   Memory that might be gone is read only after the kernel has been asked, as in unwind_stack.c. */
#include "core/trace/object_list.h"
#include "core/trace/maps.h"
#include "core/trace/sys.h"
#include "core/trace/unwind_impl.h"

#include <elf.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>

#define PAGE        ((uint64_t)4096)
#define PHDRS_MAX   64
#define OBJECTS_MAX 65536 /* in the loader's list; more is taken for a loop */

/* What the table has of a range; header: where its object's ELF header is, 0: the range is in no object. */
typedef struct {
  vt_object_t object;
  uint64_t header, stamp;
} known_t;
#define WORDS (sizeof(known_t) / sizeof(uint64_t))
_Static_assert(sizeof(known_t) % sizeof(uint64_t) == 0, "copied by words");

/* The version goes up by one when writing begins and when it ends; its bit 0: being written. A reader that
   saw the same even version before and after has a whole copy; `end` 0: free. */
typedef struct {
  _Atomic uint32_t version;
  _Atomic uint64_t word[WORDS];
} entry_t;

#define FIRST  ((uint32_t)64)
#define BLOCKS 16
static entry_t first_block[FIRST];
static _Atomic(entry_t *) blocks[BLOCKS] = {first_block};

static _Atomic(struct link_map *) last; /* of the loader's list, as far as it was seen; NULL: unknown */
static _Atomic uint64_t changes;        /* times something new was mapped */

/* ---- the table ---- */

/* at finds entry i and, if asked, maps the block it is in. */
static entry_t *at(uint32_t i, int make) {
  uint32_t b = 31 - (uint32_t)__builtin_clz(i / FIRST + 1), from = FIRST * ((1u << b) - 1);
  if (b >= BLOCKS) return NULL;
  entry_t *block = atomic_load_explicit(&blocks[b], memory_order_acquire), *none = NULL;
  if (!block && make && (block = vt_sys_memory((FIRST << b) * sizeof *block)) &&
      !atomic_compare_exchange_strong_explicit(&blocks[b], &none, block, memory_order_acq_rel,
                                               memory_order_acquire)) {
    vt_sys_munmap(block, (FIRST << b) * sizeof *block);
    block = none;
  }
  return block ? &block[i - from] : NULL;
}

/* copy reads an entry; 0: it is free or being written. Linearization: the second load of the version. */
static int copy(entry_t *e, known_t *out, uint32_t *version) {
  uint64_t word[WORDS];
  /* Pairs with the release in put. */
  *version = atomic_load_explicit(&e->version, memory_order_acquire);
  if (*version & 1) return 0;
  for (size_t i = 0; i < WORDS; i++)
    word[i] = atomic_load_explicit(&e->word[i], memory_order_acquire);
  if (atomic_load_explicit(&e->version, memory_order_relaxed) != *version) return 0;
  memcpy(out, word, sizeof *out);
  return out->object.end != 0;
}

/* put writes an entry unless it has changed since `version`. */
static void put(entry_t *e, uint32_t version, known_t const *known) {
  uint64_t word[WORDS];
  memcpy(word, known, sizeof word);
  if (!atomic_compare_exchange_strong_explicit(&e->version, &version, version + 1,
                                               memory_order_acquire, memory_order_relaxed))
    return;
  for (size_t i = 0; i < WORDS; i++) /* release: not before the odd version */
    atomic_store_explicit(&e->word[i], word[i], memory_order_release);
  atomic_store_explicit(&e->version, version + 2, memory_order_release);
}

/* add writes to the first free entry. Two threads may add the same. */
static void add(known_t const *known) {
  known_t have;
  uint32_t version;
  entry_t *e;
  for (uint32_t i = 0; (e = at(i, 1)); i++)
    if (!copy(e, &have, &version) && !(version & 1)) return put(e, version, known);
}

static void drop(entry_t *e, uint32_t version) { put(e, version, &(known_t){0}); }

/* ---- the loader's list ---- */

static int readable(uint64_t from, uint64_t sz) {
  if (!vt_may(VT_UNWIND_NO_FILES)) return 0;
  for (uint64_t page = from & ~(PAGE - 1); page < from + sz; page += PAGE)
    if (!vt_arch_readable(page)) return 0;
  return 1;
}

/* next is the next of the list after `map`, NULL the first; one that has gone ends it. */
static struct link_map *next(struct link_map *map) {
  map = map ? map->l_next : vt_object_first();
  return map && !((uint64_t)map & 7) && readable((uint64_t)map, sizeof *map) ? map : NULL;
}

/* map_of is the loader's entry for the object with this dynamic section. */
static struct link_map *map_of(uint64_t dynamic, uint64_t bias) {
  struct link_map *map = next(NULL);
  for (uint32_t i = 0; map && i < OBJECTS_MAX; i++, map = next(map))
    if ((uint64_t)map->l_ld == dynamic && map->l_addr == bias) return map;
  return NULL;
}

static void changed(void) { atomic_fetch_add_explicit(&changes, 1, memory_order_acq_rel); }

/* follow_list: has the loader loaded something since this was asked before? When in doubt, yes. */
static void follow_list(void) {
  struct link_map *end = atomic_load_explicit(&last, memory_order_acquire), *map = end;
  if ((end && !end->l_next) || !vt_may(VT_UNWIND_NO_FILES)) return;
  if (!map) map = next(NULL);
  for (uint32_t i = 0; map && map->l_next && i < OBJECTS_MAX; i++) map = next(map);
  changed(); /* first: nobody sees the new end and believes what is older */
  atomic_compare_exchange_strong_explicit(&last, &end, map, memory_order_release,
                                          memory_order_relaxed);
}

static uint64_t stamp_now(void) {
  follow_list();
  uint64_t word = atomic_load_explicit(&vt_unwind_epoch_word, memory_order_acquire);
  return word + (atomic_load_explicit(&changes, memory_order_acquire) << 48);
}

/* is_of_now: while code is being unloaded nothing is; where nothing may be asked everything is. */
static int is_of_now(uint64_t stamp, uint64_t now) {
  return (stamp == now && !(now & 0xFFFF)) || !vt_may(VT_UNWIND_NO_FILES);
}

/* ---- ELF headers ---- */

/* What is asked of an ELF header at `header`, and what was found. */
typedef struct {
  uint64_t header, address;
  ElfW(Phdr) const *phdr;
  uint32_t cnt;
} image_t;

static uint64_t page_of(uint64_t address) { return address & ~(PAGE - 1); }
static uint64_t page_after(uint64_t address) { return page_of(address + PAGE - 1); }

/* bias_of: the segment that begins the file is mapped where the header is. */
static int bias_of(image_t const *image, uint64_t *bias) {
  for (uint32_t i = 0; i < image->cnt; i++) {
    ElfW(Phdr) const *ph = &image->phdr[i];
    if (ph->p_type != PT_LOAD || page_of(ph->p_offset)) continue;
    *bias = image->header - page_of(ph->p_vaddr);
    return 1;
  }
  return 0;
}

/* run_of is the run of segments without gap that the address is in. Between two runs other objects may
   be mapped. */
static int run_of(image_t const *image, vt_object_t *o) {
  o->start = o->end = 0;
  for (uint32_t i = 0; i < image->cnt; i++) {
    ElfW(Phdr) const *ph = &image->phdr[i];
    if (ph->p_type != PT_LOAD) continue;
    uint64_t start = page_of(o->bias + ph->p_vaddr);
    if (start > o->end) {
      if (image->address - o->start < o->end - o->start) break;
      o->start = start;
    }
    o->end = page_after(o->bias + ph->p_vaddr + ph->p_memsz);
  }
  return image->address - o->start < o->end - o->start;
}

/* describe tells the object of an image, and all but its entry in the loader's list. */
static int describe(image_t const *image, vt_object_t *o, uint64_t *dynamic) {
  *o = (vt_object_t){0};
  *dynamic = 0;
  if (!bias_of(image, &o->bias) || !run_of(image, o)) return 0;
  for (uint32_t i = 0; i < image->cnt; i++) {
    ElfW(Phdr) const *ph = &image->phdr[i];
    if (ph->p_type == PT_GNU_EH_FRAME) o->eh_frame = (uint8_t const *)(o->bias + ph->p_vaddr);
    if (ph->p_type == PT_DYNAMIC) *dynamic = o->bias + ph->p_vaddr;
  }
  return 1;
}

/* read_image finds the program headers of the ELF header in memory at image->header. */
static int read_image(image_t *image) {
  ElfW(Ehdr) const *eh = (ElfW(Ehdr) const *)image->header;
  if (!readable(image->header, sizeof *eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) ||
      eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_phentsize != sizeof(ElfW(Phdr)) ||
      eh->e_phnum > PHDRS_MAX || eh->e_phoff > PAGE * 16 || eh->e_phoff & 7)
    return 0;
  image->phdr = (ElfW(Phdr) const *)(image->header + eh->e_phoff);
  image->cnt = eh->e_phnum;
  return readable((uint64_t)image->phdr, eh->e_phnum * sizeof(ElfW(Phdr)));
}

/* examine tells whether the address is in the object whose header is in memory at `header`. */
static int examine(uint64_t header, uint64_t address, known_t *out) {
  image_t image = {.header = header, .address = address};
  uint64_t dynamic;
  if (!read_image(&image) || !describe(&image, &out->object, &dynamic)) return 0;
  out->header = header;
  if (dynamic) out->object.map = map_of(dynamic, out->object.bias);
  return 1;
}

/* ---- the mappings ---- */

typedef struct {
  uint64_t address;
  known_t *out;
} search_t;

/* is_image: may a file's ELF header be there? Devices are not touched. */
static int is_image(vt_maps_line_t const *line) {
  if (line->offset || line->perms[0] != 'r') return 0;
  return !strcmp(line->name, "[vdso]") ||
         (line->inode && (memcmp(line->name, "/dev/", 5) || !memcmp(line->name, "/dev/shm/", 9)));
}

enum { GO_ON = 0, FOUND, NO_OBJECT };

static int visit(vt_maps_line_t const *line, void *arg) {
  search_t *s = arg;
  vt_object_t *o = &s->out->object;
  if (is_image(line) && line->start <= s->address && examine(line->start, s->address, s->out))
    return FOUND;
  if (line->end <= s->address) return GO_ON;
  uint64_t page = page_of(s->address);
  *s->out = (known_t){.object = {.start = page, .end = page + PAGE}};
  if (line->start <= s->address) { /* else nothing is mapped there */
    o->start = line->start;
    o->end = line->end;
  }
  return NO_OBJECT;
}

/* look_up asks the kernel and keeps the answer. */
static int look_up(uint64_t address, uint64_t stamp, known_t *out) {
  search_t search = {.address = address, .out = out};
  *out = (known_t){0};
  if (!vt_may(VT_UNWIND_ASKS)) return 0;
  int result = vt_maps_walk(visit, &search);
  out->stamp = stamp;
  if (result > 0 && !(stamp & 0xFFFF)) add(out);
  return result == FOUND;
}

/* still: is an entry's range what it was? An object's header is read again for that. */
static int still(entry_t *e, uint32_t version, uint64_t address, uint64_t stamp, known_t *known) {
  if (is_of_now(known->stamp, stamp)) return 1;
  if (known->header && examine(known->header, address, known)) {
    known->stamp = stamp;
    put(e, version, known);
    return 1;
  }
  drop(e, version);
  return 0;
}

int vt_object_list_find(uint64_t address, vt_object_t *out) {
  uint64_t stamp = stamp_now();
  known_t known;
  uint32_t version;
  entry_t *e;
  for (uint32_t i = 0; (e = at(i, 0)); i++) {
    if (!copy(e, &known, &version)) continue;
    if (address - known.object.start >= known.object.end - known.object.start) continue;
    if (!still(e, version, address, stamp, &known)) continue;
    *out = known.object;
    return known.header != 0;
  }
  if (!look_up(address, stamp, &known)) return 0;
  *out = known.object;
  return 1;
}

/* header_of is where the loader has the ELF header: it is in the segment that begins the file. */
static uint64_t header_of(struct dl_phdr_info const *info) {
  for (uint32_t i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_LOAD && !page_of(info->dlpi_phdr[i].p_offset))
      return page_of(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
  return 0;
}

void vt_object_list_start(struct dl_phdr_info const *info) {
  uint64_t header = header_of(info), stamp = stamp_now();
  for (uint32_t i = 0; header && i < info->dlpi_phnum; i++) {
    ElfW(Phdr) const *ph = &info->dlpi_phdr[i];
    known_t known = {.stamp = stamp};
    if (ph->p_type == PT_LOAD && ph->p_flags & PF_X &&
        examine(header, info->dlpi_addr + ph->p_vaddr, &known))
      add(&known);
  }
}

/* An object's entry in the loader's list is freed when the object is unloaded. Of objects that are not in
   the list nothing is known but that something happens. */
void vt_object_list_freed(void const *block) {
  struct link_map *end = atomic_load_explicit(&last, memory_order_acquire);
  known_t known;
  uint32_t version;
  entry_t *e;
  if (end == block)
    atomic_compare_exchange_strong_explicit(&last, &end, NULL, memory_order_release,
                                            memory_order_relaxed);
  int strange = 0;
  for (uint32_t i = 0; (e = at(i, 0)); i++) {
    if (!copy(e, &known, &version) || !known.header) continue;
    if (known.object.map == block) drop(e, version);
    strange |= !known.object.map;
  }
  if (strange) changed();
}

void vt_object_list_mapped(void) { changed(); }
