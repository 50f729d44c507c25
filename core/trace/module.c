/* Noticing modules and the messages about them; see module.h for how changes are noticed. */
#include "core/trace/module.h"
#include "core/trace/debugged.h"
#include "core/trace/executable.h"
#include "core/trace/libc.h"
#include "core/trace/maps.h"
#include "core/trace/message.h"
#include "core/trace/module_table.h"
#include "core/trace/symbol.h"
#include "core/trace/sys.h"

#include <elf.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

_Atomic uint32_t vt_module_pending;
_Atomic uint64_t vt_module_interpreter;
uint64_t vt_module_loader_start, vt_module_loader_sz;

static vt_clock_kind_t clock_kind;
static _Atomic uint32_t first_unwritten; /* entries below have their load messages written */
static _Atomic uint32_t gone_list;       /* index + 1 of the first, 0: empty */
static _Atomic uint32_t strangers;       /* loaded modules that the loader does not list */

/* absolute stores the path a relative one had when the module was seen. */
static uint32_t absolute(char *out, size_t cap, char const *path) {
  size_t len = strlen(path), cwd_sz = 0;
  if (path[0] != '/' && strchr(path, '/')) { /* the vdso's name is no path */
    long n = vt_sys_getcwd(out, cap);
    if (n > 0 && (size_t)n < cap) {
      cwd_sz = (size_t)n;
      out[cwd_sz - 1] = '/';
    }
  }
  if (len > cap - cwd_sz) len = cap - cwd_sz;
  memcpy(out + cwd_sz, path, len);
  return (uint32_t)(cwd_sz + len);
}

char const *vt_module_started_as(void) {
  char const *given = (char const *)getauxval(AT_EXECFN);
  return given && strncmp(given, "/dev/fd/", 8) && !vt_executable_is_loader(given) ? given : NULL;
}

uint32_t vt_module_executable(char *out, size_t cap) {
  long n = vt_sys_readlink("/proc/self/exe", out, cap);
  char const *given = n > 0 ? NULL : (char const *)getauxval(AT_EXECFN);
  return n > 0 ? (uint32_t)n : given ? absolute(out, cap, given) : 0;
}

/* find_note is the descriptor of the note in [p,p+sz) that has a type and a name of 4 bytes; NULL: there is none. */
static uint8_t const *find_note(uint8_t const *p, uint64_t sz, uint32_t type, char const name_of[4], uint32_t *desc_sz) {
  while (sz >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) n;
    memcpy(&n, p, sizeof n);
    uint64_t name = (n.n_namesz + 3u) & ~(uint64_t)3, desc = (n.n_descsz + 3u) & ~(uint64_t)3;
    if (name > sz || desc > sz || sizeof n + name + desc > sz) return NULL;
    if (n.n_type == type && n.n_namesz == 4 && !memcmp(p + sizeof n, name_of, 4)) {
      *desc_sz = n.n_descsz;
      return p + sizeof n + name;
    }
    p += sizeof n + name + desc;
    sz -= sizeof n + name + desc;
  }
  return NULL;
}

/* find_build_id copies the descriptor of the GNU build-id note in [p,p+sz). */
static void find_build_id(vt_module_t *m, uint8_t const *p, uint64_t sz) {
  uint32_t desc_sz;
  uint8_t const *desc = find_note(p, sz, NT_GNU_BUILD_ID, "GNU", &desc_sz);
  if (!desc) return;
  m->id_sz = desc_sz < sizeof m->id_bytes ? desc_sz : sizeof m->id_bytes;
  memcpy(m->id_bytes, desc, m->id_sz);
}

#define NT_GO_BUILD_ID 4 /* of notes called "Go", by which `go version` knows its programs (cmd/internal/buildid) */

int vt_module_program_is_go(void) {
  ElfW(Phdr) const *phdr = (ElfW(Phdr) const *)getauxval(AT_PHDR);
  size_t phnum = getauxval(AT_PHNUM);
  uint64_t bias = 0;
  uint32_t desc_sz;
  for (size_t i = 0; phdr && i < phnum; i++) {
    if (phdr[i].p_type == PT_PHDR) bias = (uint64_t)phdr - phdr[i].p_vaddr;
    if (phdr[i].p_type == PT_NOTE &&
        find_note((uint8_t const *)(bias + phdr[i].p_vaddr), phdr[i].p_memsz, NT_GO_BUILD_ID, "Go\0", &desc_sz))
      return 1;
  }
  return 0;
}

static void add_range(vt_module_t *m, ElfW(Phdr) const *ph) {
  if (!(ph->p_flags & PF_X) || m->range_cnt == VT_MODULE_RANGES_MAX) return;
  m->range[m->range_cnt].start = m->bias + ph->p_vaddr;
  m->range[m->range_cnt].end = m->bias + ph->p_vaddr + ph->p_memsz;
  m->range[m->range_cnt].off = ph->p_offset;
  m->range_cnt++;
}

/* describe fills a module from its program headers in memory. */
static void describe(vt_module_t *m, ElfW(Phdr) const *phdr, size_t phnum) {
  for (size_t i = 0; i < phnum; i++) {
    if (phdr[i].p_type == PT_NOTE && !m->id_sz)
      find_build_id(m, (uint8_t const *)(m->bias + phdr[i].p_vaddr), phdr[i].p_memsz);
    if (phdr[i].p_type != PT_LOAD) continue;
    add_range(m, &phdr[i]);
    uint64_t end = m->bias + phdr[i].p_vaddr + phdr[i].p_memsz;
    if (end > m->end) m->end = end; /* the loader may know it as several mappings */
  }
}

#define VDSO "linux-vdso.so.1" /* musl's loader has no name for it */

/* name_of the module in the loader's list. The recorder that a process was handed as a descriptor has a name there that
   means nothing elsewhere, and as which no reader would know its frames. */
static char const *name_of(vt_module_t const *m, struct link_map const *map) {
  int own = (uint64_t)name_of >= m->start && (uint64_t)name_of < m->end;
  if (own && !strncmp(map->l_name, "/proc/self/fd/", 14)) return "libvaltrace.so";
  return map->l_name[0] ? map->l_name : VDSO;
}

/* name_module; map: NULL if the loader does not know the module. */
static void name_module(vt_module_t *m, struct link_map const *map) {
  if (map && map != vt_object_first()) {
    char const *name = name_of(m, map);
    m->path_sz = absolute(m->path, sizeof m->path - 1, name);
    if (!strncmp(name, VDSO, 10)) m->flags |= VT_MODULE_FLAG_VDSO;
    return;
  }
  /* The kernel's executable is the loader if that was executed itself, to load the program. */
  if (!map || !getauxval(AT_BASE))
    m->path_sz = vt_maps_path(m->start, m->path, sizeof m->path - 1);
  if (!map) return;
  if (!m->path_sz) m->path_sz = vt_module_executable(m->path, sizeof m->path - 1);
  m->flags |= VT_MODULE_FLAG_EXECUTABLE;
}

/* key_of is what the module of an object is found by: the loader's entry, or where it is mapped if the
   loader does not know it. */
static void const *key_of(vt_object_t const *object) {
  return object->map ? (void const *)object->map : (void const *)object->start;
}

/* known tells whether the object's module is in the table already. */
static int known(vt_object_t const *object) {
  uint32_t index;
  vt_module_t *m = vt_module_table_find(key_of(object), &index);
  return m && m->start == object->start &&
         atomic_load_explicit(&m->state, memory_order_acquire) != VT_MODULE_GONE;
}

static void add_module(vt_object_t const *object, ElfW(Phdr) const *phdr, size_t phnum) {
  uint32_t index;
  vt_module_t *m = vt_module_table_claim(&index);
  if (!m) return;
  m->start = object->start;
  m->end = object->end;
  m->key = key_of(object);
  m->bias = object->bias;
  m->load_epoch = vt_unwind_epoch();
  m->load_tick = vt_clock_tick(clock_kind);
  name_module(m, object->map);
  describe(m, phdr, phnum);
  /* Pairs with the acquire loads in known and write_loads. */
  atomic_store_explicit(&m->state, VT_MODULE_LOADED, memory_order_release);
  vt_module_table_enter(index);
  if (!object->map) atomic_fetch_add_explicit(&strangers, 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&vt_module_pending, 1, memory_order_release);
}

/* elf_header is where the module's ELF header is mapped, if it is: at the load bias of a shared
   object. The loader's own notion of a mapping may begin at a later segment. */
static ElfW(Ehdr) const *elf_header(vt_object_t const *object) {
  uint64_t start = object->start, bias = object->bias;
  ElfW(Ehdr) const *eh = (ElfW(Ehdr) const *)(bias && bias < start ? bias : start);
  return memcmp(eh->e_ident, ELFMAG, SELFMAG) || eh->e_phentsize != sizeof(ElfW(Phdr)) ? NULL : eh;
}

void vt_module_seen(vt_object_t const *object) {
  if (known(object)) return;
  ElfW(Ehdr) const *eh = elf_header(object);
  if (!eh) return;
  void *interpreter = object->map ? vt_symbol_in(object->map, "_PyRuntime") : NULL;
  if (interpreter) atomic_store_explicit(&vt_module_interpreter, (uint64_t)interpreter, memory_order_relaxed);
  add_module(object, (ElfW(Phdr) const *)((uint8_t const *)eh + eh->e_phoff), eh->e_phnum);
}

/* note_at_start takes the program headers from the loader: those of a program that is not position
   independent need not be where its code is. */
static int note_at_start(struct dl_phdr_info *info, size_t sz, void *arg) {
  (void)sz;
  (void)arg;
  vt_object_start(info);
  for (size_t i = 0; i < info->dlpi_phnum; i++) {
    ElfW(Phdr) const *ph = &info->dlpi_phdr[i];
    vt_object_t o;
    if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X)) continue;
    if (!vt_object_find(info->dlpi_addr + ph->p_vaddr, &o)) continue;
    add_module(&o, info->dlpi_phdr, info->dlpi_phnum);
    break;
  }
  return 0;
}

int vt_module_init(vt_clock_kind_t kind) {
  clock_kind = kind;
  vt_object_t loader;
  dl_iterate_phdr(note_at_start, NULL);
  /* musl's loader is its libc, whose frees mean nothing: it unloads nothing. */
  if (vt_libc_is_glibc() && vt_object_find(vt_libc_objects()->r_ldbase, &loader)) {
    vt_module_loader_start = loader.start;
    vt_module_loader_sz = loader.end - loader.start;
  }
  return vt_module_table_at(0) ? 0 : -1;
}

/* same_id: is the build-id in the object's memory the module's? */
static int same_id(vt_module_t const *m, vt_object_t const *object) {
  vt_module_t now = {.bias = object->bias};
  ElfW(Ehdr) const *eh = elf_header(object);
  ElfW(Phdr) const *ph = eh ? (ElfW(Phdr) const *)((uint8_t const *)eh + eh->e_phoff) : NULL;
  for (size_t i = 0; eh && i < eh->e_phnum && !now.id_sz; i++)
    if (ph[i].p_type == PT_NOTE)
      find_build_id(&now, (uint8_t const *)(now.bias + ph[i].p_vaddr), ph[i].p_memsz);
  return now.id_sz == m->id_sz && !memcmp(now.id_bytes, m->id_bytes, m->id_sz);
}

/* gone: this code is no longer known, or another object there. */
static int gone(vt_module_t const *m) {
  vt_object_t object;
  if (!vt_object_find(m->start, &object)) return 1;
  return object.start != m->start || key_of(&object) != m->key || !same_id(m, &object);
}

/* list_gone adds an entry to those whose unload is to be written. */
static void list_gone(vt_module_t *m, uint32_t index) {
  m->next_gone = atomic_load_explicit(&gone_list, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(&gone_list, &m->next_gone, index + 1,
                                                memory_order_release, memory_order_relaxed))
    continue;
}

/* unload notes that module `index` has gone. */
static void unload(vt_module_t *m, uint32_t index, uint64_t tick) {
  vt_unwind_epoch_begin();
  vt_unwind_epoch_end();
  m->unload_epoch = vt_unwind_epoch();
  m->unload_tick = tick;
  uint32_t loaded = VT_MODULE_LOADED;
  if (!atomic_compare_exchange_strong_explicit(&m->state, &loaded, VT_MODULE_GONE,
                                               memory_order_acq_rel, memory_order_relaxed))
    return;
  if (m->key == (void const *)m->start)
    atomic_fetch_sub_explicit(&strangers, 1, memory_order_relaxed);
  list_gone(m, index);
  atomic_fetch_add_explicit(&vt_module_pending, 1, memory_order_release);
}

static int is_loaded(vt_module_t const *m) {
  return m && atomic_load_explicit(&m->state, memory_order_acquire) == VT_MODULE_LOADED;
}

/* sweep looks after the modules that the loader does not list; they are few. */
static void sweep(uint64_t tick) {
  uint32_t cnt = vt_module_table_cnt();
  for (uint32_t i = 0; i < cnt; i++) {
    vt_module_t *m = vt_module_table_at(i);
    if (is_loaded(m) && m->key == (void const *)m->start && gone(m)) unload(m, i, tick);
  }
}

void vt_module_freed(void const *block, uint64_t tick) {
  uint32_t index;
  vt_object_freed(block);
  vt_module_t *m = vt_module_table_find(block, &index);
  if (is_loaded(m) && gone(m)) return unload(m, index, tick);
  if (atomic_load_explicit(&strangers, memory_order_relaxed)) sweep(tick);
}

/* ask_file notes which file was mapped when no build-id tells; where a filter may forbid the call it
   stays unknown. */
static void ask_file(vt_module_t *m, vt_sink_t const *sink) {
  struct stat st;
  if (m->file_asked || m->id_sz || sink->silent || sink->confined) return;
  m->file_asked = 1;
  if (m->path[0] != '/' && !(m->flags & VT_MODULE_FLAG_EXECUTABLE)) return; /* the vdso, the recorder that was handed in */
  if (vt_sys_stat(m->flags & VT_MODULE_FLAG_EXECUTABLE ? "/proc/self/exe" : m->path, &st)) return;
  m->file[0] = (uint64_t)st.st_dev;
  m->file[1] = (uint64_t)st.st_ino;
  m->file[2] = (uint64_t)st.st_size;
  m->file[3] = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
}

static void write_load(vt_stream_t *s, vt_module_t const *m, uint32_t id) {
  vt_message_t msg = vt_stream_blob_open(s, 128 + m->id_sz + m->path_sz + 24 * m->range_cnt);
  vt_message_u64(&msg, m->load_tick);
  vt_message_u32(&msg, m->load_epoch);
  vt_message_u32(&msg, id);
  vt_message_u64(&msg, m->bias);
  vt_message_u64(&msg, m->start);
  vt_message_u64(&msg, m->end);
  vt_message_u32(&msg, m->flags);
  vt_message_string(&msg, m->id_bytes, m->id_sz);
  vt_message_string(&msg, m->path, m->path_sz);
  vt_message_u32(&msg, m->range_cnt);
  for (uint32_t i = 0; i < m->range_cnt; i++) {
    vt_message_u64(&msg, m->range[i].start);
    vt_message_u64(&msg, m->range[i].end);
    vt_message_u64(&msg, m->range[i].off);
  }
  for (int i = 0; i < VT_MODULE_FILE_WORDS && !m->id_sz; i++) vt_message_u64(&msg, m->file[i]);
  vt_stream_blob_close(s, VT_CHUNK_MODULE, &msg);
}

static void write_unload(vt_stream_t *s, vt_module_t const *m, uint32_t id) {
  vt_message_t msg = vt_stream_blob_open(s, 16);
  vt_message_u64(&msg, m->unload_tick);
  vt_message_u32(&msg, m->unload_epoch);
  vt_message_u32(&msg, id);
  vt_stream_blob_close(s, VT_CHUNK_MODULE_UNLOAD, &msg);
}

/* write_once writes an entry's load message if nobody has. */
static void write_once(vt_stream_t *s, vt_module_t *m, uint32_t index) {
  if (atomic_fetch_or_explicit(&m->written, 1, memory_order_relaxed) & 1) return;
  ask_file(m, s->sink);
  write_load(s, m, index);
}

static void write_loads(vt_stream_t *s) {
  uint32_t from = atomic_load_explicit(&first_unwritten, memory_order_relaxed), whole = from;
  uint32_t cnt = vt_module_table_cnt();
  for (uint32_t i = from; i < cnt; i++) {
    vt_module_t *m = vt_module_table_at(i);
    int ready = m && atomic_load_explicit(&m->state, memory_order_acquire) >= VT_MODULE_LOADED;
    if (ready) write_once(s, m, i);
    if (whole == i && ready) whole++;
  }
  while (from < whole &&
         !atomic_compare_exchange_weak_explicit(&first_unwritten, &from, whole,
                                                memory_order_relaxed, memory_order_relaxed))
    continue;
}

static void write_unloads(vt_stream_t *s) {
  /* Pairs with the release in list_gone. */
  uint32_t next = atomic_exchange_explicit(&gone_list, 0, memory_order_acquire);
  while (next) {
    uint32_t index = next - 1;
    vt_module_t *m = vt_module_table_at(index);
    next = m->next_gone;
    write_once(s, m, index);
    if (!(atomic_fetch_or_explicit(&m->written, 2, memory_order_relaxed) & 2))
      write_unload(s, m, index);
  }
}

void vt_module_flush(vt_stream_t *s) {
  atomic_store_explicit(&vt_module_pending, 0, memory_order_relaxed);
  write_loads(s);
  write_unloads(s);
  vt_debugged_tell_met(s);
}

void vt_module_restart(void) {
  uint32_t cnt = vt_module_table_cnt();
  atomic_store_explicit(&first_unwritten, 0, memory_order_relaxed);
  atomic_store_explicit(&gone_list, 0, memory_order_relaxed);
  for (uint32_t i = 0; i < cnt; i++) {
    vt_module_t *m = vt_module_table_at(i);
    if (!m) continue;
    atomic_store_explicit(&m->written, 0, memory_order_relaxed);
    if (atomic_load_explicit(&m->state, memory_order_relaxed) == VT_MODULE_GONE) list_gone(m, i);
  }
  atomic_fetch_add_explicit(&vt_module_pending, 1, memory_order_relaxed);
}

void vt_module_again(uint64_t tick) {
  uint32_t cnt = vt_module_table_cnt();
  for (uint32_t i = 0; i < cnt; i++) {
    vt_module_t *m = vt_module_table_at(i);
    if (is_loaded(m) && gone(m)) unload(m, i, tick);
  }
  vt_module_restart();
}
