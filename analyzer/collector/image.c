/* See image.h. */
#include "analyzer/collector/image.h"
#include "analyzer/cli/error.h"
#include "core/trace/name.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static void on_message(void *context, uint16_t type, uint8_t const *payload, uint32_t sz);

vt_image_t *vt_image_new(vt_run_t *run, uint64_t id, uint32_t slot, uint32_t pid) {
  vt_image_t *image = vt_mem_new(1, sizeof *image);
  image->id = id;
  image->slot = slot;
  image->pid = pid;
  image->run = run;
  image->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  image->sink = (vt_raw_sink_t){.trie = &image->packer.trie,
                                .message = on_message,
                                .context = image};
  vt_trie_init(&image->packer.trie);
  return image;
}

vt_image_stream_t *vt_image_stream(vt_image_t *image, uint32_t writer) {
  for (size_t i = 0; i < image->streams_cnt; i++)
    if (image->streams[i].writer == writer) return &image->streams[i];
  VT_PUSH(image->streams, (vt_image_stream_t){.writer = writer});
  return &image->streams[image->streams_cnt - 1];
}

/* output_with finds a trace of this run with this path; SIZE_MAX: none. */
static size_t output_with(vt_run_t const *run, char const *path) {
  for (size_t i = run->outputs_cnt; i-- > 0;)
    if (!strcmp(run->outputs[i].path, path)) return i;
  return SIZE_MAX;
}

/* number_path finds the first NAME.PID.N.EXT that this run has not used. */
static int number_path(vt_run_t const *run, char *out, char const *path, uint32_t pid) {
  for (uint32_t n = 1; n; n++) {
    if (vt_name_numbered(out, PATH_MAX, path, pid, n) < 0) return -1;
    if (output_with(run, out) == SIZE_MAX) return 0;
  }
  return -1;
}

/* set_aside gives an earlier trace of this name a number: the name is the last image's. */
static void set_aside(vt_run_t *run, char const *path) {
  char aside[PATH_MAX];
  size_t i = output_with(run, path);
  if (i == SIZE_MAX || number_path(run, aside, path, run->outputs[i].pid)) return;
  if (rename(path, aside)) return;
  free(run->outputs[i].path);
  run->outputs[i].path = vt_mem_copy(aside, strlen(aside));
}

/* choose_path names an image's trace as the command line contract says. */
static int choose_path(vt_image_t *image, char const *program, char *path) {
  vt_run_t *run = image->run;
  char name[PATH_MAX];
  if (vt_name_expand(name, sizeof name, run->pattern, image->pid, program, run->host) < 0)
    return -1;
  if (!vt_name_has_pid(run->pattern) && image->pid != run->first_pid)
    return number_path(run, path, name, image->pid);
  set_aside(run, name);
  memcpy(path, name, sizeof name);
  return 0;
}

static void put_clock(vt_image_t *image) {
  vt_bytes_t b = {0};
  vt_bytes_u64(&b, vt_clock_tick(image->run->clock));
  vt_bytes_u64(&b, vt_clock_ns(CLOCK_MONOTONIC));
  vt_bytes_u64(&b, vt_clock_ns(CLOCK_REALTIME));
  vt_packer_message(&image->packer, VT_CHUNK_CLOCK, b.data, b.sz);
  vt_bytes_free(&b);
}

/* open_trace creates the file when the image has said who it is. */
static void open_trace(vt_image_t *image, uint8_t const *payload, uint32_t sz) {
  vt_header_t header;
  vt_error_t error;
  char path[PATH_MAX], program[PATH_MAX];
  vt_run_t *run = image->run;
  if (image->opened || run->failed || !vt_header_parse(&header, "image", payload, sz, &error))
    return;
  snprintf(program, sizeof program, "%.*s", (int)header.executable_sz, header.executable);
  if (choose_path(image, program, path)) {
    run->failed = ENAMETOOLONG;
    return vt_error_say(run->pattern, "the name becomes too long", "use a shorter -o PATTERN");
  }
  vt_writer_t *writer = vt_writer_open(path, &error);
  if (!writer) {
    run->failed = errno ? errno : EIO;
    return vt_error_print(&error);
  }
  vt_trie_fini(&image->packer.trie);
  for (size_t i = 0; i < image->streams_cnt; i++) image->streams[i].raw.depth = 0;
  vt_packer_open(&image->packer, writer, run->codec, &header);
  image->sink.no_free_stacks = (header.optional & VT_OPTIONAL_NO_FREE_STACKS) != 0;
  image->opened = 1;
  image->output = run->outputs_cnt;
  VT_PUSH(run->outputs, ((vt_output_t){.path = vt_mem_copy(path, strlen(path)), .pid = image->pid}));
  put_clock(image);
  vt_image_sample(image);
}

static int first_sight(vt_run_t *run, uint8_t const *build_id, uint32_t sz) {
  uint64_t hash = 14695981039346656037u; /* FNV-1a */
  for (uint32_t i = 0; i < sz; i++) hash = (hash ^ build_id[i]) * 1099511628211u;
  for (size_t i = 0; i < run->seen_modules_cnt; i++)
    if (run->seen_modules[i] == hash) return 0;
  VT_PUSH(run->seen_modules, hash);
  return 1;
}

/* keep_module opens a module's file through the process's own root while it is there: it may be gone,
   or never have been visible from here, when symbols are looked up. */
static void keep_module(vt_image_t *image, uint8_t const *payload, uint32_t sz) {
  vt_cursor_t c = vt_cursor(payload, sz);
  uint32_t id_sz, path_sz;
  char path[PATH_MAX], through[PATH_MAX + 32];
  vt_cursor_take(&c, 44);
  uint8_t const *id = vt_cursor_string(&c, &id_sz);
  uint8_t const *p = vt_cursor_string(&c, &path_sz);
  if (!image->run->symbols || c.bad || !id_sz || path_sz >= sizeof path || !path_sz) return;
  if (!first_sight(image->run, id, id_sz)) return;
  memcpy(path, p, path_sz);
  path[path_sz] = '\0';
  snprintf(through, sizeof through, "/proc/%u/root%s", image->pid, path);
  int fd = open(through, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  vt_symbols_module(image->run->symbols, path, fd, id, id_sz);
}

static void note_process(vt_image_t *image, uint8_t const *payload, uint32_t sz) {
  if (sz < 16) return;
  switch (vt_load32(payload + 8)) {
  case VT_PROCESS_EXEC:
  case VT_PROCESS_EXIT:
  case VT_PROCESS_SIGNAL: image->ended = 1; break;
  case VT_PROCESS_EXEC_FAILED: image->ended = 0; break;
  default: break;
  }
}

static void on_message(void *context, uint16_t type, uint8_t const *payload, uint32_t sz) {
  vt_image_t *image = context;
  if (type == VT_CHUNK_IMAGE) return open_trace(image, payload, sz);
  if (!image->opened || type < VT_CHUNK_MODULE || type >= VT_CHUNK_SYMBOLS) return;
  if (type == VT_CHUNK_MODULE) keep_module(image, payload, sz);
  if (type == VT_CHUNK_PROCESS) note_process(image, payload, sz);
  vt_packer_message(&image->packer, (vt_chunk_type_t)type, payload, sz);
}

/* note_failure remembers the first write of the run that failed and says so once. */
static void note_failure(vt_image_t *image, int err) {
  if (!err || image->run->failed) return;
  image->run->failed = err;
  vt_error_say(image->run->outputs[image->output].path, strerror(err),
               "recording has stopped, the program runs on; what was written is kept");
}

/* introduce decodes what comes before the trace is open: the IMAGE message, which every image sends
   first. Anything else is lost. */
static void introduce(vt_image_t *image, vt_image_stream_t *stream, uint8_t const *segment,
                      uint32_t *at, uint32_t committed) {
  vt_event_t dropped[1];
  uint8_t const *p = segment + VT_SEGMENT_RECORDS_OFF + *at;
  if (committed - *at >= 16 && (vt_load64(p) & 15) == VT_KIND_BLOB) {
    uint64_t end = *at + 16 + vt_pad8(vt_load64(p + 8) >> 32);
    if (end < committed) committed = (uint32_t)end;
  }
  size_t cnt = vt_raw_decode(&stream->raw, &image->sink, segment, at, committed, dropped, 1);
  image->sink.lost += cnt;
}

void vt_image_decode(vt_image_t *image, vt_image_stream_t *stream, uint8_t const *segment,
                     uint32_t *at, uint32_t committed) {
  uint32_t writer = stream->writer;
  while (*at < committed) {
    if (!image->opened) {
      introduce(image, stream, segment, at, committed);
      continue;
    }
    vt_event_t *room = vt_packer_room(&image->packer, writer);
    vt_packer_add(&image->packer, writer,
                  vt_raw_decode(&stream->raw, &image->sink, segment, at, committed, room,
                                VT_PACKER_BATCH));
  }
  if (image->opened) note_failure(image, vt_writer_failed(image->packer.writer));
}

void vt_image_sample(vt_image_t *image) {
  char path[64], text[128];
  unsigned long pages, resident, shared;
  if (!image->opened) return;
  snprintf(path, sizeof path, "/proc/%u/statm", image->pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  text[n > 0 ? n : 0] = '\0';
  if (sscanf(text, "%lu %lu %lu", &pages, &resident, &shared) != 3 || !resident) return;
  vt_bytes_t b = {0};
  uint64_t page_sz = (uint64_t)sysconf(_SC_PAGESIZE);
  vt_bytes_u64(&b, vt_clock_tick(image->run->clock));
  vt_bytes_u64(&b, resident * page_sz);
  vt_bytes_u64(&b, resident > shared ? (resident - shared) * page_sz : 0);
  vt_packer_message(&image->packer, VT_CHUNK_MEMORY, b.data, b.sz);
  vt_bytes_free(&b);
}

void vt_image_flush(vt_image_t *image) {
  if (!image->opened) return;
  vt_packer_flush(&image->packer);
  note_failure(image, vt_writer_failed(image->packer.writer));
}

static void put_process(vt_image_t *image, vt_process_kind_t kind, uint32_t value) {
  vt_bytes_t b = {0};
  vt_bytes_u64(&b, vt_clock_tick(image->run->clock));
  vt_bytes_u32(&b, kind);
  vt_bytes_u32(&b, value);
  vt_bytes_string(&b, NULL, 0);
  vt_packer_message(&image->packer, VT_CHUNK_PROCESS, b.data, b.sz);
  vt_bytes_free(&b);
}

static void put_counters(vt_image_t *image, vt_ring_image_t *slot) {
  vt_bytes_t b = {0};
  vt_bytes_u64(&b, VT_COUNTER_MAX);
  for (uint64_t id = 1; id <= VT_COUNTER_MAX; id++) {
    uint64_t value = atomic_load_explicit(&slot->counters[id], memory_order_relaxed);
    if (id == VT_COUNTER_EVENTS) value = image->packer.events;
    if (id == VT_COUNTER_LOST && image->sink.lost > value) value = image->sink.lost;
    vt_bytes_u64(&b, id);
    vt_bytes_u64(&b, value);
  }
  vt_packer_message(&image->packer, VT_CHUNK_COUNTERS, b.data, b.sz);
  vt_bytes_free(&b);
}

static void close_trace(vt_image_t *image, vt_ring_image_t *slot, vt_process_kind_t kind,
                        uint32_t value) {
  uint32_t stopped = atomic_load_explicit(&slot->stopped, memory_order_relaxed);
  vt_output_t *output = &image->run->outputs[image->output];
  vt_packer_flush(&image->packer);
  if (stopped) put_process(image, VT_PROCESS_STOPPED, stopped);
  if (!image->ended) put_process(image, kind, value);
  put_clock(image);
  put_counters(image, slot);
  output->events = image->packer.events;
  output->bytes = vt_writer_bytes(image->packer.writer);
  output->finished = 1;
  note_failure(image, vt_packer_finish(&image->packer, !image->sink.bad));
}

void vt_image_finish(vt_image_t *image, vt_ring_image_t *slot, vt_process_kind_t kind,
                     uint32_t value) {
  if (image->opened) close_trace(image, slot, kind, value);
  else vt_trie_fini(&image->packer.trie);
  if (image->pidfd >= 0) close(image->pidfd);
  for (size_t i = 0; i < image->streams_cnt; i++) vt_raw_stream_fini(&image->streams[i].raw);
  free(image->streams);
  free(image);
}
