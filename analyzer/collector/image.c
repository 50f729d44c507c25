/* See image.h. */
#include "analyzer/collector/image.h"
#include "analyzer/util/mem.h"
#include "core/trace/message.h"
#include "core/trace/name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* header_string reads the n-th string of a header; returns its size, or -1. */
static ssize_t header_string(uint8_t const *header, size_t sz, unsigned n, uint8_t const **out) {
  size_t at = VT_HEADER_OFF_STRINGS;
  for (;; n--) {
    if (at + 4 > sz) return -1;
    uint32_t len = vt_load32(header + at);
    if (len > sz - at - 4) return -1;
    *out = header + at + 4;
    if (!n) return (ssize_t)len;
    at += 4 + len;
  }
}

static void copy_string(char *out, size_t cap, uint8_t const *header, size_t sz, unsigned n) {
  uint8_t const *s = NULL;
  ssize_t len = header_string(header, sz, n, &s);
  if (len < 0) len = 0;
  if ((size_t)len >= cap) len = (ssize_t)cap - 1;
  if (len) memcpy(out, s, (size_t)len);
  out[len] = '\0';
}

static void make_parents(char const *path) {
  char folder[PATH_MAX];
  for (size_t i = 1; path[i] && i < sizeof folder; i++) {
    if (path[i] != '/') continue;
    memcpy(folder, path, i);
    folder[i] = '\0';
    mkdir(folder, 0777);
  }
}

static void numbered(char *out, char const *name, pid_t pid) {
  uint32_t n = 1;
  do
    if (vt_name_numbered(out, PATH_MAX, name, (uint32_t)pid, n++) < 0) return;
  while (access(out, F_OK) == 0);
}

/* choose_path applies the naming rules; an earlier image of this run that has the name makes room. */
static int choose_path(vt_image_t *image, vt_naming_t const *naming, vt_image_t **earlier,
                       size_t earlier_cnt, uint8_t const *header, size_t sz) {
  char program[PATH_MAX], host[256], name[PATH_MAX];
  copy_string(host, sizeof host, header, sz, 0);
  copy_string(program, sizeof program, header, sz, 1);
  if (vt_name_expand(name, sizeof name, naming->pattern, (uint32_t)image->pid, program, host) < 0)
    return -ENAMETOOLONG;
  if (!image->first && !vt_name_has_pid(naming->pattern)) {
    numbered(image->path, name, image->pid);
    return 0;
  }
  for (size_t i = 0; i < earlier_cnt; i++) {
    if (strcmp(earlier[i]->path, name)) continue;
    char aside[PATH_MAX];
    numbered(aside, name, earlier[i]->pid);
    if (rename(name, aside) == 0) strcpy(earlier[i]->path, aside);
  }
  strcpy(image->path, name);
  unlink(name);
  return 0;
}

/* on_message learns from the process's messages how it says it ended. */
static void on_message(void *context, uint32_t type, uint8_t const *payload, size_t sz) {
  vt_image_t *image = context;
  if (type != VT_CHUNK_PROCESS || sz < 16) return;
  uint32_t kind = vt_load32(payload + 8);
  if (kind == VT_PROCESS_EXIT || kind == VT_PROCESS_EXEC) image->said_end = (int)kind;
  if (kind == VT_PROCESS_EXEC_FAILED) image->said_end = 0;
}

vt_image_t *vt_image_new(vt_naming_t const *naming, vt_image_t **earlier, size_t earlier_cnt,
                         uint64_t id, uint32_t slot, uint8_t const *header, size_t sz) {
  vt_image_t *image = vt_mem_new(1, sizeof *image);
  image->id = id;
  image->slot = slot;
  image->pid = (pid_t)vt_load32(header + VT_HEADER_OFF_PID);
  image->first = image->pid == naming->first_pid;
  image->pidfd = (int)syscall(SYS_pidfd_open, image->pid, 0);
  image->error = choose_path(image, naming, earlier, earlier_cnt, header, sz);
  if (image->error) return image;
  image->writer = vt_trace_writer_new(image->path, header, sz);
  if (!image->writer && errno == ENOENT) {
    make_parents(image->path);
    image->writer = vt_trace_writer_new(image->path, header, sz);
  }
  if (image->writer) vt_trace_writer_on_message(image->writer, on_message, image);
  else image->error = -errno;
  return image;
}

uint32_t *vt_image_expected(vt_image_t *image, uint32_t stream) {
  while (image->next_number_cnt <= stream) VT_PUSH(image->next_number, 0);
  return &image->next_number[stream];
}

static void put_message(vt_image_t *image, uint32_t type, vt_message_t const *m) {
  if (image->writer) vt_trace_writer_message(image->writer, type, m->data, m->sz);
}

void vt_image_sample(vt_image_t *image, vt_clock_kind_t clock) {
  char path[64];
  uint8_t buf[24];
  unsigned long total, resident, shared;
  snprintf(path, sizeof path, "/proc/%d/statm", image->pid);
  FILE *file = fopen(path, "re");
  if (!file) return;
  int got = fscanf(file, "%lu %lu %lu", &total, &resident, &shared);
  fclose(file);
  if (got != 3) return;
  uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  vt_message_t m = {.data = buf, .cap = sizeof buf};
  vt_message_u64(&m, vt_clock_tick(clock));
  vt_message_u64(&m, resident * page);
  vt_message_u64(&m, (resident - shared) * page);
  put_message(image, VT_CHUNK_MEMORY, &m);
}

static void put_process(vt_image_t *image, uint64_t tick, vt_process_kind_t kind, uint32_t value) {
  uint8_t buf[20];
  vt_message_t m = {.data = buf, .cap = sizeof buf};
  vt_message_u64(&m, tick);
  vt_message_u32(&m, kind);
  vt_message_u32(&m, value);
  vt_message_string(&m, "", 0);
  put_message(image, VT_CHUNK_PROCESS, &m);
}

static void put_counters(vt_image_t *image, vt_ring_image_t *slot) {
  uint8_t buf[8 + 16 * VT_COUNTER_MAX];
  vt_message_t m = {.data = buf, .cap = sizeof buf};
  vt_message_u64(&m, VT_COUNTER_MAX);
  for (uint64_t c = 1; c <= VT_COUNTER_MAX; c++) {
    vt_message_u64(&m, c);
    vt_message_u64(&m, atomic_load_explicit(&slot->counters[c], memory_order_relaxed));
  }
  put_message(image, VT_CHUNK_COUNTERS, &m);
}

static void put_clock(vt_image_t *image, vt_clock_kind_t clock) {
  uint8_t buf[24];
  vt_message_t m = {.data = buf, .cap = sizeof buf};
  vt_message_u64(&m, vt_clock_tick(clock));
  vt_message_u64(&m, vt_clock_ns(CLOCK_MONOTONIC));
  vt_message_u64(&m, vt_clock_ns(CLOCK_REALTIME));
  put_message(image, VT_CHUNK_CLOCK, &m);
}

void vt_image_end(vt_image_t *image, vt_ring_image_t *slot, vt_clock_kind_t clock,
                  int wait_status) {
  uint64_t tick = vt_clock_tick(clock);
  uint32_t stopped = atomic_load_explicit(&slot->stopped, memory_order_relaxed);
  image->ended = 1;
  image->stopped = stopped;
  image->lost = atomic_load_explicit(&slot->counters[VT_COUNTER_LOST], memory_order_relaxed);
  if (image->pidfd >= 0) close(image->pidfd);
  image->pidfd = -1;
  if (!image->writer) return;
  if (wait_status >= 0 && WIFSIGNALED(wait_status))
    put_process(image, tick, VT_PROCESS_SIGNAL, (uint32_t)WTERMSIG(wait_status));
  else if (!image->said_end) put_process(image, tick, VT_PROCESS_VANISHED, 0);
  if (stopped) put_process(image, tick, VT_PROCESS_STOPPED, stopped);
  put_counters(image, slot);
  put_clock(image, clock);
  int error = vt_trace_writer_finish(image->writer);
  if (!image->error) image->error = error;
}

void vt_image_symbols(vt_image_t *image, vt_symbols_t *symbols) {
  if (!image->writer || image->error || image->symbolized) return;
  image->symbolized = 1;
  image->error = vt_trace_writer_symbols(image->writer, symbols);
}

void vt_image_delete(vt_image_t *image) {
  if (image->writer) vt_trace_writer_delete(image->writer);
  if (image->pidfd >= 0) close(image->pidfd);
  free(image->next_number);
  free(image);
}
