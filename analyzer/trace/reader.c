/* The outside of the reader: opening, clock, threads, modules and stacks. See reader.h. */
#include "analyzer/trace/reader_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void split_command(vt_reader_t *r) {
  char const *p = r->header.command, *end = p + r->header.command_sz;
  size_t cnt = 0, cap = 0;
  while (p < end) {
    size_t sz = strnlen(p, (size_t)(end - p));
    r->argv = vt_mem_room(r->argv, cnt, &cap, sizeof *r->argv);
    r->argv[cnt++] = vt_mem_copy(p, sz);
    p += sz + 1;
  }
  r->info.argc = (uint32_t)cnt;
  r->info.argv = (char const *const *)r->argv;
}

/* name_of is what people call the program: one file may have several names. */
static char const *name_of(vt_header_t const *h) {
  char const *path = h->started_sz ? h->started : h->executable;
  size_t sz = h->started_sz ? h->started_sz : h->executable_sz, from = sz;
  while (from && path[from - 1] != '/') from--;
  return vt_mem_copy(path + from, sz - from);
}

static void fill_info(vt_reader_t *r, char const *path) {
  vt_header_t const *h = &r->header;
  vt_trace_info_t *i = &r->info;
  i->path = vt_mem_copy(path, strlen(path));
  i->host = vt_mem_copy(h->host, h->host_sz);
  i->executable = vt_mem_copy(h->executable, h->executable_sz);
  i->name = name_of(h);
  i->pid = h->pid;
  i->ppid = h->ppid;
  i->image = h->image;
  i->tick_hz = h->tick_hz;
  i->start_tick = h->start_tick;
  i->start_unix_ns = h->start_unix_ns;
  i->sample_period = h->sample_period;
  i->required = h->required;
  i->optional = h->optional;
  i->flags = h->flags;
  i->time_shift = h->time_shift;
  i->arch = h->arch;
  i->pointer_sz = h->pointer_sz;
  i->endian = h->endian;
  i->page_sz = h->page_sz;
  i->writer_version = h->writer_version;
  split_command(r);
}

/* read_header reads and parses the header; -1 and *error on failure. */
static int read_header(vt_reader_t *r, char const *path, vt_error_t *error) {
  size_t sz = r->file_sz < VT_HEADER_MAX ? (size_t)r->file_sz : VT_HEADER_MAX;
  r->header_bytes = vt_mem_new(sz + 1, 1);
  for (size_t at = 0; at < sz;) {
    ssize_t n = pread(r->fd, r->header_bytes + at, sz - at, (off_t)at);
    if (n <= 0) {
      vt_error_set(error, path, n ? strerror(errno) : "the file shrinks", "give a readable file");
      return -1;
    }
    at += (size_t)n;
  }
  r->header_sz = vt_header_parse(&r->header, path, r->header_bytes, sz, error);
  return r->header_sz ? 0 : -1;
}

/* is_held: does somebody still write the file? Writers hold a lock on it. -1: the file system does not
   tell. */
static int is_held(int fd) {
  struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
  return fcntl(fd, F_OFD_GETLK, &whole) ? -1 : whole.l_type != F_UNLCK;
}

/* born_ns is when a file was made; 0: the file system does not tell. */
static uint64_t born_ns(int fd) {
  struct statx x;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &x) || !(x.stx_mask & STATX_BTIME)) return 0;
  return (uint64_t)x.stx_btime.tv_sec * 1000000000u + x.stx_btime.tv_nsec;
}

/* open_file opens a regular file; -1 and *error on failure. */
static int open_file(vt_reader_t *r, char const *path, vt_error_t *error) {
  struct stat st;
  r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  int held = r->fd < 0 ? -1 : is_held(r->fd); /* first: then the size is final */
  if (r->fd < 0 || fstat(r->fd, &st)) {
    vt_error_set(error, path, strerror(errno), "give a trace that exists and can be read");
    return -1;
  }
  if (!S_ISREG(st.st_mode)) {
    vt_error_set(error, path, "not a regular file", "give a file that valtrace has written");
    return -1;
  }
  r->integrity.recording = held == 1;
  r->file = (vt_file_id_t){st.st_ino, st.st_dev, born_ns(r->fd), held == 0};
  r->file_sz = (uint64_t)st.st_size;
  r->integrity.file_bytes = r->file_sz;
  return 0;
}

/* note_scan takes over what the scan has found. */
static void note_scan(vt_reader_t *r) {
  uint64_t stopped = r->tables.counters[VT_COUNTER_STOPPED_TICK];
  r->integrity.lost_events = r->tables.counters[VT_COUNTER_LOST];
  r->integrity.whole_until = vt_reader_ns(r, r->whole_until);
  r->integrity.stopped_time = stopped ? vt_reader_ns(r, stopped) : VT_TIME_NEVER;
  r->shown = r->integrity;
}

vt_reader_t *vt_reader_open(char const *path, vt_error_t *error) { return vt_reader_open_until(path, UINT64_MAX, error); }

vt_reader_t *vt_reader_open_until(char const *path, uint64_t sz, vt_error_t *error) {
  vt_reader_t *r = vt_mem_new(1, sizeof *r);
  r->fd = -1;
  vt_trie_init(&r->trie);
  vt_thread_ids_init(&r->thread_ids);
  if (open_file(r, path, error) || read_header(r, path, error)) {
    vt_reader_close(r);
    return NULL;
  }
  if (sz < r->file_sz) r->integrity.file_bytes = r->file_sz = sz;
  fill_info(r, path);
  r->scanned = r->header_sz;
  if (vt_scan_file(r, error)) {
    vt_reader_close(r);
    return NULL;
  }
  vt_ticks_settle(r);
  vt_tables_convert(r);
  note_scan(r);
  return r;
}

int vt_reader_grow(vt_reader_t *r, vt_error_t *error) {
  struct stat st;
  size_t jit_cnt = r->tables.jit_cnt;
  int held = is_held(r->fd); /* first: then the size is final */
  if (fstat(r->fd, &st) || (uint64_t)st.st_size < r->scanned) {
    vt_error_set(error, r->info.path, "the file has become shorter", "open it anew");
    return -1;
  }
  r->integrity.recording = held == 1;
  r->file.free = held == 0;
  r->integrity.file_bytes = r->file_sz = (uint64_t)st.st_size;
  if (vt_scan_file(r, error)) return -1;
  if (r->tables.jit_cnt != jit_cnt) vt_tables_sort_jit(r);
  note_scan(r);
  return 0;
}

int vt_reader_packed(vt_reader_t const *r) { return !(r->header.optional & VT_OPTIONAL_NO_COLLECTOR) && !r->info.raw; }

void vt_reader_close(vt_reader_t *r) {
  if (!r) return;
  if (r->fd >= 0) close(r->fd);
  vt_tables_clear(&r->tables);
  free(r->places);
  free(r->again);
  vt_trie_fini(&r->trie);
  for (size_t i = 0; i < r->streams_cnt; i++) free(r->streams[i].chunks);
  for (size_t i = 0; i < r->info.argc; i++) free(r->argv[i]);
  free(r->argv);
  free((char *)r->info.path);
  free((char *)r->info.host);
  free((char *)r->info.executable);
  free((char *)r->info.name);
  free(r->header_bytes);
  free(r->streams);
  free(r->symbol_chunks);
  free(r->threads);
  vt_thread_ids_fini(&r->thread_ids);
  free(r->known_threads);
  free(r->tid_table);
  vt_bytes_free(&r->scratch);
  vt_bytes_free(&r->unpacked);
  free(r);
}

void vt_reader_progress(vt_reader_t const *r, uint64_t *done, uint64_t *total) {
  *done = r->done_bytes;
  *total = r->total_bytes;
}

vt_trace_info_t const *vt_reader_info(vt_reader_t const *r) { return &r->info; }
vt_integrity_t const *vt_reader_integrity(vt_reader_t const *r) { return &r->shown; }

#define TABLE(type, function, owner, name)                                                         \
  type const *function(vt_reader_t const *r, size_t *cnt) {                                        \
    *cnt = r->owner name##_cnt;                                                                    \
    return r->owner name;                                                                          \
  }
TABLE(vt_trace_thread_t, vt_reader_threads, , threads)
TABLE(vt_trace_module_t, vt_reader_modules, tables., modules)
TABLE(vt_trace_process_t, vt_reader_process, tables., process)
TABLE(vt_trace_memory_t, vt_reader_memory, tables., memory)
TABLE(vt_trace_marker_t, vt_reader_markers, tables., markers)
TABLE(vt_trace_heap_t, vt_reader_heaps, tables., heaps)
TABLE(vt_trace_patched_t, vt_reader_patched, tables., patched)
TABLE(vt_trace_snapshot_t, vt_reader_snapshots, tables., snapshots)
TABLE(vt_trace_refusal_t, vt_reader_refusals, tables., refusals)
TABLE(vt_trace_mapping_t, vt_reader_mappings, tables., mappings)
TABLE(vt_trace_pages_t, vt_reader_pages, tables., pages)

size_t vt_reader_refused(vt_reader_t const *r, vt_trace_patched_t const **first) {
  size_t cnt = 0;
  for (size_t i = r->tables.patched_cnt; i--;) {
    if (r->tables.patched[i].flags & VT_PATCHED_RECORDED) continue;
    if (first) *first = &r->tables.patched[i];
    cnt++;
  }
  return cnt;
}

int vt_reader_interpreted(vt_reader_t const *r) {
  return r->tables.codes_cnt || vt_reader_refused(r, NULL) == r->tables.patched_cnt;
}

uint64_t vt_reader_time(vt_reader_t const *r, uint64_t tick) { return vt_reader_ns(r, tick); }

vt_trace_leaks_t const *vt_reader_leaks(vt_reader_t const *r) { return r->tables.leaks; }

uint64_t vt_reader_counter(vt_reader_t const *r, vt_counter_t counter) {
  return counter <= VT_COUNTER_MAX ? r->tables.counters[counter] : 0;
}

int vt_reader_exact(vt_reader_t const *r, vt_trace_exact_t *out) {
  uint64_t const *c = r->tables.counters;
  *out = (vt_trace_exact_t){c[VT_COUNTER_ALLOCATIONS], c[VT_COUNTER_ALLOCATED_BYTES], c[VT_COUNTER_FREES],
                            c[VT_COUNTER_REALLOCS]};
  return r->header.sample_period && r->tables.counters_known >> VT_COUNTER_ALLOCATIONS & 1 &&
         !r->integrity.recording && !(r->info.raw && (r->integrity.missing_chunks || r->integrity.damaged_chunks || r->integrity.torn_bytes));
}

/* said_end is when the process said that it ends, or executes another program; VT_TIME_NEVER: it did not. */
static uint64_t said_end(vt_reader_t const *r) {
  for (size_t i = r->tables.process_cnt; i--;) {
    vt_trace_process_t const *p = &r->tables.process[i];
    if (p->kind == VT_PROCESS_EXIT || p->kind == VT_PROCESS_EXEC) return p->time;
    if (p->kind != VT_PROCESS_STOPPED && p->kind != VT_PROCESS_PAUSED && p->kind != VT_PROCESS_RESUMED) break;
  }
  return VT_TIME_NEVER;
}

uint64_t vt_reader_end_time(vt_reader_t const *r) {
  uint64_t events = vt_reader_ns(r, r->end_ticks), end = said_end(r);
  if (end > r->tables.end_time) end = r->tables.end_time;
  return events > end ? events : end;
}

vt_trace_stacks_t vt_reader_stacks(vt_reader_t const *r) {
  return (vt_trace_stacks_t){r->trie.parent, r->trie.pc, r->trie.cnt};
}

/* root_epoch is the epoch a stack belongs to. Parents are smaller than children, so this ends. */
static uint32_t root_epoch(vt_reader_t const *r, uint32_t node) {
  while (r->trie.parent[node]) node = r->trie.parent[node];
  return (uint32_t)r->trie.pc[node];
}

static vt_trace_frame_t frame_of(vt_reader_t const *r, uint32_t node, uint32_t epoch) {
  uint64_t pc = r->trie.pc[node];
  vt_trace_frame_t f = {.pc = pc, .module = VT_NO_MODULE, .node = node};
  if (pc == VT_ADDRESS_TRUNCATED || pc == VT_ADDRESS_CUT || pc & VT_VIRTUAL_BIT) return f;
  f.module = vt_reader_code_at(r, epoch, pc, &f.offset);
  return f;
}

size_t vt_reader_expand(vt_reader_t const *r, uint32_t stack, vt_trace_frame_t *out, size_t cap) {
  size_t n = 0;
  if (!stack || stack >= r->trie.cnt) return 0;
  uint32_t epoch = root_epoch(r, stack);
  for (uint32_t node = stack; r->trie.parent[node]; node = r->trie.parent[node], n++)
    if (n < cap) out[n] = frame_of(r, node, epoch);
  return n;
}
