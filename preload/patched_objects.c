/* When functions are patched: at start, before the program's first instruction, and whenever the loader
   has mapped further objects and nothing of them has run yet. It tells debuggers of that by calling an
   empty function (_dl_debug_state, link.h), which becomes a jump to us when the program first opens an
   object: its one instruction is replaced, and what is behind it was never executed, so nobody can be
   inside. What is opened with RTLD_DEEPBIND passes preloaded functions by and calls the C library's:
   then that is patched, unless other threads may be in its code. */
#include "preload/patched.h"
#include "preload/options.h"
#include "preload/process.h"
#include "preload/python.h"
#include "core/trace/debugged.h"
#include "core/trace/libc.h"
#include "core/trace/object.h"
#include "core/trace/symbol.h"
#include "core/trace/sys.h"

#include <dlfcn.h>
#include <elf.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>

#define SECTIONS_SZ 8192
#define SPACES_MAX  16 /* namespaces of dlmopen */

/* has_names: does the file have more symbols than those of dynamic linking? */
static int has_names(char const *path) {
  static uint8_t sections[SECTIONS_SZ];
  Elf64_Ehdr eh;
  int fd = vt_sys_open(path, O_RDONLY | O_CLOEXEC, 0), found = 0;
  if (fd < 0) return 0;
  long n = vt_sys_pread(fd, &eh, sizeof eh, 0);
  if (n == (long)sizeof eh && eh.e_shentsize == sizeof(Elf64_Shdr))
    n = vt_sys_pread(fd, sections, sizeof sections, (off_t)eh.e_shoff);
  else
    n = 0;
  vt_sys_close(fd);
  for (long at = 0; at + (long)sizeof(Elf64_Shdr) <= n && at / 64 < eh.e_shnum && !found; at += 64)
    found = ((Elf64_Shdr const *)(sections + at))->sh_type == SHT_SYMTAB;
  return found;
}

/* may_bind: may this object's own allocator be out of reach? `apart`: preloaded functions do not come
   before those of the C library that it is with. */
static int may_bind(struct link_map *map, char const *file, int apart) {
  if (map == vt_object_own() || vt_symbol_object_begins(map, "ld-linux")) return 0;
  if (vt_symbol_object_begins(map, "libc.so")) return apart;
  return vt_symbol_defined(map, "malloc") || has_names(file);
}

static int wanted(void) {
  struct link_map *map = vt_object_first();
  if (vt_options.allocator || !map || vt_symbol_defined(map, "_Znwm")) return 1;
  if (may_bind(map, "/proc/self/exe", 0)) return 1;
  while ((map = map->l_next))
    if (may_bind(map, map->l_name, 0)) return 1;
  return 0;
}

/* ---- objects that are loaded later ---- */

typedef struct {
  struct r_debug base;
  void const *next; /* of the next namespace; glibc 2.35 (r_version 2) */
} debug_t;

static int usable; /* there is a collector that may be asked */
static int can_watch;
static debug_t const *debug;
static uint32_t known[SPACES_MAX]; /* objects of each namespace that have been looked at */
static _Atomic int deep; /* something was or is to be opened with RTLD_DEEPBIND */

static debug_t const *next_space(debug_t const *d) {
  return d->base.r_version >= 2 ? (debug_t const *)d->next : NULL;
}

static void ask(vt_patch_request_t *request) {
  if (request->named_cnt) vt_patched_ask(request, 1);
  request->named_cnt = 0;
}

/* look_at asks about the objects from `map` on, of which nothing has run yet. */
static void look_at(struct link_map *map, int apart) {
  vt_patch_request_t request = {.apart = (uint32_t)apart};
  for (; map; map = map->l_next) {
    if (!may_bind(map, map->l_name, apart)) continue;
    request.named[request.named_cnt++] = (uint64_t)map->l_ld;
    if (request.named_cnt == VT_PATCH_NAMED_MAX) ask(&request);
  }
  ask(&request);
}

/* write_news writes what was done to the trace; if this thread cannot now, the end of the process will. */
static void write_news(void) {
  vt_thread_t *t = vt_options.text_fd < 0 ? vt_enter(__builtin_frame_address(0)) : NULL;
  if (!t) return;
  vt_patched_write(&t->stream, 0);
  vt_leave(t);
}

/* take_stock looks at what a namespace's list has at its end that was not there before. The loader
   appends to it, and tells of what it takes out. */
static void take_stock(debug_t const *d, int i) {
  struct link_map *map = d->base.r_map;
  uint32_t cnt = 0;
  for (; map && cnt < known[i]; cnt++) map = map->l_next;
  if (map && vt_process_may_ask())
    look_at(map, i || atomic_load_explicit(&deep, memory_order_relaxed));
  for (; map; cnt++) map = map->l_next;
  known[i] = cnt;
}

/* on_change is called by the loader, under its lock, when objects have been mapped or unmapped. */
static void on_change(void) {
  debug_t const *d = debug;
  vt_python_objects(d->base.r_map, d->base.r_state == RT_DELETE);
  vt_debugged_objects(d->base.r_map);
  if (!usable) return;
  for (int i = 0; d && i < SPACES_MAX; d = next_space(d), i++)
    if (d->base.r_state == RT_CONSISTENT) take_stock(d, i);
  write_news();
}

/* is_padding: is what lies at p never executed, four bytes of it? */
static int is_padding(uint8_t const *p) {
  for (uint8_t const *end = p + 4; p < end;) {
    int many = p[0] == 0x0f && p[1] == 0x1f; /* nop with an operand, which only tells its length */
    static uint8_t const distance[] = {0, 1, 4, 0};
    if (!many && *p != 0x90 && *p != 0xcc && *p != 0x66 && *p != 0x2e) return 0;
    p += many ? 3 + ((p[2] & 7) == 4) + distance[p[2] >> 6] : 1;
  }
  return 1;
}

/* watch makes the loader call on_change. The jump's distance is written first, where nothing is ever
   executed, then its first byte over the only instruction there is. */
static void watch(void) {
  static uint8_t const endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
  debug = vt_symbol_from(vt_object_own(), "_r_debug", NULL);
  uint8_t *p = debug ? (uint8_t *)debug->base.r_brk : NULL;
  if (p && !memcmp(p, endbr64, sizeof endbr64)) p += sizeof endbr64;
  if (!p || *p != 0xc3 || !is_padding(p + 1)) return;
  for (struct link_map *map = debug->base.r_map; map; map = map->l_next) known[0]++;
  int64_t far = (int64_t)on_change - (int64_t)(p + 5);
  int32_t distance = (int32_t)far;
  int fd = distance == far ? vt_sys_open("/proc/self/mem", O_RDWR | O_CLOEXEC, 0) : -1;
  if (fd < 0) return;
  if (vt_sys(SYS_pwrite64, fd, (long)&distance, 4, (long)(p + 1), 0, 0) == 4)
    vt_sys(SYS_pwrite64, fd, (long)"\xe9", 1, (long)p, 0, 0);
  vt_sys_close(fd);
}

/* unreachable: why the C library cannot be patched now; NULL: it can. What lies between preloaded functions
   and its own calls these in turn, and would be recorded twice. */
static char const *unreachable(void) {
  vt_object_t libc, provider;
  if (!vt_object_find((uint64_t)gnu_get_libc_version, &libc) ||
      !vt_object_find((uint64_t)vt_real.malloc, &provider) || provider.map != libc.map)
    return "another library provides malloc to the program, and may call it";
  return vt_patched_alone() ? NULL : VT_PATCHED_THREADS;
}

/* reach_libc patches the C library that the program uses; preloaded functions go on to the copies. */
static void reach_libc(void) {
  static _Atomic int done;
  vt_patch_request_t request = {
      .named_cnt = 1, .apart = 1, .named = {(uint64_t)gnu_get_libc_version}};
  if (atomic_exchange_explicit(&done, 1, memory_order_relaxed)) return;
  char const *why = unreachable();
  if (why)
    vt_patched_refuse("malloc (for what is opened with RTLD_DEEPBIND)", why);
  else
    vt_patched_ask(&request, 0);
  write_news();
}

static __attribute__((noinline)) void before_open(int is_deep) {
  static _Atomic int watched;
  vt_real_get();
  if (!can_watch || !vt_process_may_ask()) return;
  if (!atomic_exchange_explicit(&watched, 1, memory_order_relaxed)) watch();
  if (!is_deep || !usable) return;
  atomic_store_explicit(&deep, 1, memory_order_relaxed);
  reach_libc();
}

/* The caller is known to dlopen by its return address: these jump. */
VT_EXPORT void *dlopen(char const *file, int mode) {
  before_open(mode & RTLD_DEEPBIND);
  return vt_real.dlopen(file, mode);
}
VT_EXPORT void *dlmopen(Lmid_t space, char const *file, int mode) {
  before_open(mode & RTLD_DEEPBIND);
  if (!vt_real.dlmopen) return NULL; /* musl has no namespaces */
  return vt_real.dlmopen(space, file, mode);
}

/* ---- start ---- */

/* The plans are made for this processor. */
#if defined(__x86_64__)
#define IS_PLANNED_FOR 1
#else
#define IS_PLANNED_FOR 0
#endif

/* is_confined: a filter that the program was started under may end it for a call it does not expect. */
static int is_confined(void) {
  return vt_process.filtered || vt_sys(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0, 0) > 0;
}

void vt_patched_begin(void) {
  vt_patch_request_t everything = {0};
  if (!vt_options.collector && vt_hooks_reached() == VT_HOOKS_BEHIND_EXECUTABLE)
    vt_say("the program's allocator is inside its executable", "preloading does not reach it",
           "record it with `valtrace run`");
  can_watch = IS_PLANNED_FOR && vt_options.text_fd < 0 && !is_confined();
  usable = can_watch && vt_options.collector;
  if (usable && wanted()) vt_patched_ask(&everything, 0);
}
