/* Worker processes of the symbolizer.

   The queries reach the workers by fork; each takes the next item off a shared counter and writes
   one message per item into its pipe. A worker that dies or runs out of its time is missed by its
   parent as an end of file without the closing message; the item it was at stays undone and another
   worker takes the rest. */
#include "analyzer/symbols/workers.h"
#include "analyzer/util/progress.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "analyzer/symbols/elf_file.h"
#include "analyzer/util/mem.h"
#include "valtrace/trace_format.h"

#define PROGRESS_MS     200
#define PROCESSES_MAX   8
#define ITEM_SECONDS    60 /* a worker that needs longer for one item is taken to hang */
#define WORKER_DATA_MAX ((rlim_t)4 << 30) /* beyond what it starts with */
#define MESSAGE_MAX     ((uint64_t)1 << 30)

typedef struct {
  uint8_t *p;
  size_t p_cnt, p_cap;
} buffer_t;

typedef struct {
  pid_t pid;
  int fd;
  buffer_t in;
} worker_t;

typedef struct {
  vt_worker_item_t *items;
  size_t cnt;
  vt_workers_how_t const *how;
  atomic_size_t *next; /* shared with the workers */
  vt_strings_t *strings;
  vt_worker_sink_t sink;
  void *context;
} job_t;

/* ---- in the worker ---- */

static void put(buffer_t *out, void const *p, size_t sz) {
  if (out->p_cap - out->p_cnt < sz) {
    out->p_cap = 2 * out->p_cap + sz;
    out->p = vt_mem_resize(out->p, out->p_cap, 1);
  }
  if (sz) memcpy(out->p + out->p_cnt, p, sz);
  out->p_cnt += sz;
}

static void put32(buffer_t *out, uint32_t value) { put(out, &value, sizeof value); }

static void write_all(int fd, uint8_t const *p, size_t sz) {
  while (sz) {
    ssize_t written = write(fd, p, sz);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) _exit(1);
    p += written;
    sz -= (size_t)written;
  }
}

/* Message: size of the rest, item, problem, DWARF?, what is missing, strings, then per offset a count and frames. */
static void send_item(int fd, size_t index, vt_worker_item_t const *item, vt_elf_file_t *file,
                      vt_symbols_problem_t problem) {
  vt_frame_t frames[VT_ELF_FRAMES_MAX];
  buffer_t body = {0}, out = {0};
  file->strings = vt_strings_new();
  if (file->dwarf) vt_dwarf_set_strings(file->dwarf, file->strings);
  for (size_t i = 0; !problem && i < item->offsets_cnt; i++) {
    size_t cnt = vt_elf_file_lookup(file, item->offsets[i], frames);
    put32(&body, (uint32_t)cnt);
    put(&body, frames, cnt * sizeof *frames);
  }
  uint64_t size = 0;
  put(&out, &size, sizeof size);
  put32(&out, (uint32_t)index);
  put32(&out, (uint32_t)problem);
  put32(&out, file->dwarf != NULL);
  put32(&out, file->dwarf ? vt_dwarf_missing(file->dwarf) : 0);
  put32(&out, vt_strings_cnt(file->strings));
  for (uint32_t i = 0; i < vt_strings_cnt(file->strings); i++) {
    size_t sz;
    char const *string = vt_strings_get(file->strings, i, &sz);
    put32(&out, (uint32_t)sz);
    put(&out, string, sz);
  }
  put(&out, body.p, body.p_cnt);
  size = out.p_cnt - sizeof size;
  memcpy(out.p, &size, sizeof size);
  write_all(fd, out.p, out.p_cnt);
  vt_strings_delete(file->strings);
  free(body.p);
  free(out.p);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static rlim_t data_sz(void) {
  unsigned long pages = 0;
  FILE *statm = fopen("/proc/self/statm", "re");
  if (statm && fscanf(statm, "%*u %*u %*u %*u %*u %lu", &pages) != 1) pages = 0;
  if (statm) fclose(statm);
  return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void limit_data(void) {
  rlim_t data_max = data_sz() + WORKER_DATA_MAX;
  setrlimit(RLIMIT_DATA, &(struct rlimit){data_max, data_max});
}
#else
static void limit_data(void) {} /* the sanitizer's shadow counts as data */
#endif

/* Without DEBUGINFOD_URLS libdwfl looks on this machine only: it would ask a server for every module
   without debug information, for 90 seconds each, and nobody would know what takes so long. */
static void limit_self(void) {
  unsetenv("DEBUGINFOD_URLS");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  limit_data();
  int const crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM};
  for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) signal(crashes[i], SIG_DFL);
}

/* Two builds may have been at one path. */
static int same_file(vt_symbols_file_t const *a, vt_symbols_file_t const *b) {
  return a->path == b->path && a->fd == b->fd && a->build_id == b->build_id &&
         a->device == b->device && a->inode == b->inode && a->size == b->size &&
         a->mtime_ns == b->mtime_ns && a->loaded_unix_ns == b->loaded_unix_ns;
}

static _Noreturn void worker_main(job_t *job, int fd, atomic_size_t *current) {
  limit_self();
  vt_elf_file_search(job->how->debug_folder);
  vt_elf_file_t file = {0};
  vt_symbols_file_t open_file = {0};
  vt_symbols_problem_t problem = VT_SYMBOLS_FINE;
  for (;;) {
    size_t index = atomic_fetch_add_explicit(job->next, 1, memory_order_relaxed);
    if (index >= job->cnt) break;
    vt_worker_item_t const *item = &job->items[index];
    if (item->result != VT_WORKER_BROKE) continue;
    atomic_store_explicit(current, index + 1, memory_order_relaxed);
    alarm(ITEM_SECONDS);
    if (!same_file(&item->file, &open_file)) {
      vt_elf_file_close(&file);
      problem = vt_elf_file_open(&file, &item->file, job->how->want_dwarf, NULL);
      open_file = item->file;
    }
    send_item(fd, index, item, &file, problem);
    atomic_store_explicit(current, 0, memory_order_relaxed);
  }
  _exit(0);
}

/* ---- in the parent ---- */

typedef struct {
  uint8_t const *p, *end;
} cursor_t;

static int get(cursor_t *in, void *p, size_t sz) {
  if ((size_t)(in->end - in->p) < sz) return -1;
  memcpy(p, in->p, sz);
  in->p += sz;
  return 0;
}

/* Interns the message's strings; NULL when it is malformed. */
static uint32_t *read_strings(job_t *job, cursor_t *in, uint32_t *cnt) {
  if (get(in, cnt, 4) || *cnt > (size_t)(in->end - in->p) / 4) return NULL;
  uint32_t *map = vt_mem_new(*cnt ? *cnt : 1, sizeof *map);
  for (uint32_t i = 0; i < *cnt; i++) {
    uint32_t sz;
    if (get(in, &sz, 4) || sz > (size_t)(in->end - in->p)) {
      free(map);
      return NULL;
    }
    map[i] = vt_strings_intern(job->strings, (char const *)in->p, sz);
    in->p += sz;
  }
  return map;
}

static int read_frames(job_t *job, size_t index, cursor_t *in, uint32_t const *map, uint32_t cnt) {
  vt_worker_item_t *item = &job->items[index];
  vt_frame_t frames[VT_ELF_FRAMES_MAX];
  for (size_t i = 0; i < item->offsets_cnt; i++) {
    uint32_t n;
    if (get(in, &n, 4) || n > VT_ELF_FRAMES_MAX || get(in, frames, n * sizeof *frames)) return -1;
    for (uint32_t f = 0; f < n; f++) {
      frames[f].function = frames[f].function < cnt ? map[frames[f].function] : 0;
      frames[f].file = frames[f].file < cnt ? map[frames[f].file] : 0;
    }
    job->sink(job->context, index, item->offsets[i], frames, n);
  }
  return 0;
}

static void take_message(job_t *job, cursor_t in) {
  uint32_t index, problem, has_dwarf, missing, cnt;
  if (get(&in, &index, 4) || get(&in, &problem, 4) || get(&in, &has_dwarf, 4) ||
      get(&in, &missing, 4))
    return;
  if (index >= job->cnt) return;
  job->items[index].has_dwarf = has_dwarf != 0;
  if (problem) {
    job->items[index].result = VT_WORKER_FAILED;
    job->items[index].problem = (vt_symbols_problem_t)problem;
    return;
  }
  uint32_t *map = read_strings(job, &in, &cnt);
  if (map && missing < cnt) job->items[index].missing = map[missing];
  if (map && !read_frames(job, index, &in, map, cnt)) job->items[index].result = VT_WORKER_DONE;
  free(map);
}

/* Uses all complete messages that have arrived; -1 when the worker sends nonsense. */
static int take_messages(job_t *job, buffer_t *in) {
  size_t used = 0;
  uint64_t size;
  while (in->p_cnt - used >= sizeof size) {
    memcpy(&size, in->p + used, sizeof size);
    if (size > MESSAGE_MAX) return -1;
    if (in->p_cnt - used - sizeof size < size) break;
    uint8_t const *p = in->p + used + sizeof size;
    take_message(job, (cursor_t){p, p + size});
    used += sizeof size + size;
  }
  if (used) memmove(in->p, in->p + used, in->p_cnt - used);
  in->p_cnt -= used;
  return 0;
}

/* Reads what there is; 0 at the end of the worker. */
static int pump(job_t *job, worker_t *worker) {
  buffer_t *in = &worker->in;
  if (in->p_cap - in->p_cnt < 65536) {
    in->p_cap = 2 * in->p_cap + 65536;
    in->p = vt_mem_resize(in->p, in->p_cap, 1);
  }
  ssize_t got = read(worker->fd, in->p + in->p_cnt, in->p_cap - in->p_cnt);
  if (got < 0 && errno == EINTR) return 1;
  if (got <= 0) return 0;
  in->p_cnt += (size_t)got;
  return !take_messages(job, in);
}

static int start_worker(job_t *job, worker_t *workers, int slot, atomic_size_t *current) {
  int ends[2];
  if (pipe(ends)) return -1;
  workers[slot] = (worker_t){.fd = ends[0], .pid = fork()};
  if (!workers[slot].pid) {
    for (int i = 0; i <= slot; i++) close(workers[i].fd);
    worker_main(job, ends[1], current);
  }
  close(ends[1]);
  if (workers[slot].pid > 0) return 0;
  close(ends[0]);
  return -1;
}

static void pump_all(job_t *job, worker_t *workers, int cnt, vt_progress_t *progress) {
  struct pollfd polls[PROCESSES_MAX];
  for (int i = 0; i < cnt; i++) polls[i] = (struct pollfd){.fd = workers[i].fd, .events = POLLIN};
  for (int open_cnt = cnt; open_cnt;) {
    if (poll(polls, (nfds_t)cnt, PROGRESS_MS) < 0 && errno != EINTR) break;
    vt_progress_show(progress, atomic_load_explicit(job->next, memory_order_relaxed), job->cnt);
    for (int i = 0; i < cnt; i++) {
      if (polls[i].fd < 0 || !polls[i].revents || pump(job, &workers[i])) continue;
      polls[i].fd = -1;
      open_cnt--;
    }
  }
  for (int i = 0; i < cnt; i++) {
    close(workers[i].fd);
    free(workers[i].in.p);
    while (waitpid(workers[i].pid, NULL, 0) < 0 && errno == EINTR) continue;
  }
}

/* One round of workers. Returns nonzero when one of them died inside an item and work is left. */
static int run_round(job_t *job, int processes, atomic_size_t *shared, vt_progress_t *progress) {
  worker_t workers[PROCESSES_MAX];
  int cnt = 0;
  for (int i = 0; i < processes; i++) {
    atomic_store_explicit(&shared[1 + i], 0, memory_order_relaxed);
    if (!start_worker(job, workers, cnt, &shared[1 + i])) cnt++;
  }
  pump_all(job, workers, cnt, progress);
  int died = 0;
  for (int i = 0; i < processes; i++)
    died |= atomic_load_explicit(&shared[1 + i], memory_order_relaxed) != 0;
  return cnt && died && atomic_load_explicit(job->next, memory_order_relaxed) < job->cnt;
}

void vt_workers_run(vt_worker_item_t *items, size_t cnt, vt_workers_how_t const *how,
                    vt_strings_t *strings, vt_worker_sink_t sink, void *context) {
  if (!cnt) return;
  size_t shared_sz = (1 + PROCESSES_MAX) * sizeof(atomic_size_t);
  atomic_size_t *shared =
      mmap(NULL, shared_sz, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return;
  job_t job = {items, cnt, how, &shared[0], strings, sink, context};
  int processes = how->processes;
  if (processes > PROCESSES_MAX) processes = PROCESSES_MAX;
  if ((size_t)processes > cnt) processes = (int)cnt;
  vt_progress_t progress = vt_progress_start("looking up symbols");
  while (run_round(&job, processes < 1 ? 1 : processes, shared, &progress)) continue;
  vt_progress_end(&progress);
  munmap(shared, shared_sz);
}
