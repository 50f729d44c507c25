/* See snapshot.h. The message tells the scanner what it cannot see from outside: which memory is
   the shim's (its tables hold addresses of everything), whose malloc it is, where the stack ends.
 */
#include "preload/snapshot.h"
#include "preload/attached.h"
#include "preload/heaps.h"
#include "preload/hooks.h"
#include "preload/options.h"
#include "core/trace/frames/codes.h"
#include "core/trace/libc.h"
#include "core/trace/snapshot.h"
#include "core/trace/sys.h"

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>
#include <string.h>

#define FIXED_SZ   64
#define RANGE_SZ   20
#define RANGES_MAX 1500
#define STATUS_SZ  2048

static _Atomic int paused;
static int other_threads; /* lived when vt_snapshot_wanted was asked */
static int is_watched;    /* this image was to have a sentinel */

void vt_snapshot_paused(void) { atomic_store_explicit(&paused, 1, memory_order_relaxed); }

/* unfiltered: no seccomp filter is in force, not even one from before this image began: it might
   forbid what we do. */
static int unfiltered(char const *status) {
  static char const key[] = "\nSeccomp:\t";
  char const *p = strstr(status, key);
  return p && p[sizeof key - 1] == '0';
}

static int has_threads(char const *status) {
  static char const key[] = "\nThreads:\t";
  char const *p = strstr(status, key);
  return !p || strncmp(p + sizeof key - 1, "1\n", 2);
}

int vt_snapshot_wanted(void) {
  vt_sink_t const *sink = &vt_process.sink;
  static char status[STATUS_SZ]; /* not of the caller's stack; threads that exec at once read the same */
  if (vt_options.sample_period) return 0; /* most blocks are not known: nothing can be said of the others */
  if (!sink->ring || !sink->ring->heir_limit_ns || sink->silent || vt_process.filtered) return 0;
  status[vt_image_read("/proc/self/status", status, sizeof status - 1)] = '\0';
  other_threads = has_threads(status);
  return unfiltered(status);
}

/* Ranges of addresses, of which neighbours of one kind become one. */
typedef struct {
  vt_message_t *m;
  uint64_t start, end;
  uint32_t kind; /* 0: none yet */
  uint32_t cnt;
  uint32_t cut;
} ranges_t;

static void flush(ranges_t *r) {
  if (r->kind && r->cnt < RANGES_MAX) {
    vt_message_u32(r->m, r->kind);
    vt_message_u64(r->m, r->start);
    vt_message_u64(r->m, r->end);
    r->cnt++;
  } else if (r->kind) {
    r->cut = 1;
  }
  r->kind = 0;
}

static void add(ranges_t *r, vt_range_kind_t kind, void const *at, size_t sz) {
  uint64_t start = (uint64_t)at, end = start + sz;
  if (!sz) return;
  if (r->kind == (uint32_t)kind && end == r->start) {
    r->start = start;
  } else if (r->kind == (uint32_t)kind && start == r->end) {
    r->end = end;
  } else {
    flush(r);
    r->kind = (uint32_t)kind;
    r->start = start;
    r->end = end;
  }
}

/* add_module adds the mapping of the module that a place is in. */
static void add_module(ranges_t *r, vt_range_kind_t kind, void const *at) {
  vt_object_t object;
  if (at && vt_object_find((uint64_t)at, &object))
    add(r, kind, (void const *)object.start, object.end - object.start);
}

/* module_of is where the module begins that a place is in. */
static uint64_t module_of(void const *at) {
  vt_object_t object;
  return at && vt_object_find((uint64_t)at, &object) ? object.bias : 0;
}

/* programs_malloc: where it is patched, what is called is its copy. */
static void const *programs_malloc(void) {
  uint64_t malloc = (uint64_t)vt_real.malloc;
  return (void const *)(vt_unwind_moved ? vt_unwind_moved(malloc) : malloc);
}

static int is_libc_malloc(void) {
  return vt_libc_is_glibc() && module_of(programs_malloc()) == module_of((void const *)gnu_get_libc_version);
}

/* Thread-local storage of the module that provides malloc is at the same distance from ours in each thread, as both were
   there at start. */
static struct {
  int64_t off;
  uint64_t sz; /* 0: it has none */
} malloc_tls;

static int note_malloc_tls(struct dl_phdr_info *info, size_t sz, void *bias) {
  if (info->dlpi_addr != *(uint64_t const *)bias) return 0;
  int told = sz >= offsetof(struct dl_phdr_info, dlpi_tls_data) + sizeof info->dlpi_tls_data && info->dlpi_tls_data;
  for (unsigned i = 0; told && i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type != PT_TLS) continue;
    malloc_tls.off = (int64_t)((uint64_t)info->dlpi_tls_data - (uint64_t)&vt_tls);
    malloc_tls.sz = info->dlpi_phdr[i].p_memsz;
  }
  return 1;
}

/* find_malloc_tls is for the start: it asks the loader, which locks. A forked child has what its parent had. */
static void find_malloc_tls(void) {
  static int found;
  uint64_t bias = module_of(programs_malloc());
  if (!found && !is_libc_malloc()) dl_iterate_phdr(note_malloc_tls, &bias);
  found = 1;
}

/* add_malloc_tls: where there are too many threads for the message, theirs stays a root. */
static void add_malloc_tls(ranges_t *r) {
  void const *state, *local;
  for (uint32_t id = 1; malloc_tls.sz && r->cnt < RANGES_MAX - 2 && vt_thread_memory(id, &state, &local); id++)
    if (local) add(r, VT_RANGE_MALLOC, (uint8_t const *)local + malloc_tls.off, malloc_tls.sz);
}

static void add_all(ranges_t *r) {
  size_t sz;
  void const *p;
  add_module(r, VT_RANGE_OWN, vt_boot_arena);
  add(r, VT_RANGE_BOOT, vt_boot_arena, VT_BOOT_ARENA_SZ);
  p = vt_heaps_memory(&sz);
  add(r, VT_RANGE_OWN, p, sz);
  void const *state, *local;
  for (uint32_t id = 1; vt_thread_memory(id, &state, &local); id++)
    add(r, VT_RANGE_OWN, state, state ? VT_THREAD_STATE_SZ : 0);
  for (uint32_t id = 1; vt_thread_memory(id, &state, &local); id++)
    add(r, VT_RANGE_OWN, local, local ? sizeof vt_tls : 0);
  for (uint32_t i = 0; (p = vt_virtual_memory(i, &sz)); i++) add(r, VT_RANGE_OWN, p, sz);
  p = vt_codes_memory(&sz);
  add(r, VT_RANGE_OWN, p, sz);
  p = vt_attached_memory(&sz);
  add(r, VT_RANGE_OWN, p, sz);
  add_module(r, VT_RANGE_MALLOC, programs_malloc());
  add_malloc_tls(r);
  flush(r);
}

static uint32_t flags_of(ranges_t const *r) {
  uint32_t flags = is_libc_malloc() ? VT_SNAPSHOT_LIBC_MALLOC : 0;
  if (atomic_load_explicit(&paused, memory_order_relaxed)) flags |= VT_SNAPSHOT_PAUSED;
  if (r->cut) flags |= VT_SNAPSHOT_CUT;
  if (other_threads) flags |= VT_SNAPSHOT_THREADS;
  if (vt_options.no_mappings) flags |= VT_SNAPSHOT_NO_MAPPINGS;
  return flags;
}

static void describe(vt_message_t *m, vt_snapshot_kind_t kind, uint32_t tid, uint64_t sp) {
  ranges_t ranges = {.m = m};
  vt_message_u64(m, vt_clock_tick(vt_process.sink.clock));
  vt_message_u32(m, kind);
  vt_message_u32(m, 0);
  vt_message_u32(m, tid);
  vt_message_u32(m, 0);
  vt_message_u64(m, sp);
  add_all(&ranges);
  vt_store32(m->data + 12, flags_of(&ranges));
  vt_store32(m->data + 20, ranges.cnt);
}

void vt_snapshot_note(vt_stream_t *s, vt_snapshot_kind_t kind, uint64_t sp) {
  vt_message_t m = vt_stream_blob_open(s, FIXED_SZ + RANGES_MAX * RANGE_SZ);
  if (m.overflow) return;
  describe(&m, kind, s->tid, sp);
  vt_stream_blob_close(s, VT_CHUNK_SNAPSHOT, &m);
}

/* layout is the sentinel's description. */
static uint64_t layout(uint8_t *buffer, uint64_t cap, vt_snapshot_kind_t kind, uint32_t *threads) {
  vt_message_t m = {.data = buffer, .cap = (uint32_t)cap};
  void const *state, *local;
  *threads = 0;
  for (uint32_t id = 1; vt_thread_memory(id, &state, &local); id++) *threads += local != NULL;
  other_threads = *threads > 1; /* the process itself sets it anew at its end */
  describe(&m, kind, 0, 0);
  return m.overflow ? 0 : m.sz;
}

void vt_snapshot_watch(void) {
  vt_sink_t *sink = &vt_process.sink;
  if (sink->ring) find_malloc_tls();
  int wanted = sink->ring && (sink->ring->sentinels || vt_module_program_is_go());
  is_watched = wanted && !vt_attached() && vt_snapshot_wanted();
  if (is_watched) vt_sentinel_make(sink->ring, &sink->ring->images[sink->slot], layout);
}

void vt_snapshot_unwatch(void) {
  vt_sink_t *sink = &vt_process.sink;
  if (is_watched && sink->pid == (uint32_t)vt_sys_getpid())
    vt_heir_end(&sink->ring->images[sink->slot]);
}

int vt_snapshot_copy(uint32_t number, uint32_t unknown) {
  vt_sink_t *sink = &vt_process.sink;
  if (sink->pid != (uint32_t)vt_sys_getpid() || !vt_snapshot_wanted()) return -1;
  return vt_copy_make(sink->ring, &sink->ring->images[sink->slot], layout, number, unknown);
}

/* stops_threads: not before exec, which may fail, nor where the handlers of the program come after ours. */
static int stops_threads(vt_snapshot_kind_t kind) { return kind == VT_SNAPSHOT_EXIT && !vt_attached(); }

void vt_snapshot_make(vt_snapshot_kind_t kind) {
  vt_sink_t *sink = &vt_process.sink;
  vt_heir_threads_t threads = !other_threads        ? VT_HEIR_NO_THREADS
                              : stops_threads(kind) ? VT_HEIR_STOPS_THREADS
                                                    : VT_HEIR_LEAVES_THREADS;
  vt_heir_make(sink->ring, &sink->ring->images[sink->slot], threads);
}

void vt_snapshot_unmake(void) {
  vt_sink_t *sink = &vt_process.sink;
  if (sink->ring) vt_heir_unmake(&sink->ring->images[sink->slot]);
}
