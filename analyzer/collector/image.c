/* See image.h. */
#include "analyzer/collector/image.h"
#include "analyzer/collector/module.h"
#include "analyzer/collector/outputs.h"
#include "analyzer/collector/sampling.h"
#include "analyzer/snapshot/verdict.h"
#include "analyzer/trace/bytes.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/output.h"
#include "core/trace/message.h"
#include "core/trace/name.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAST_WORDS_SZ ((uint64_t)65536) /* how the process ended, counters: of these are a few hundred bytes */

static void copy_string(char *out, size_t cap, char const *p, uint32_t sz) {
  size_t n = sz < cap ? sz : cap - 1;
  if (n) memcpy(out, p, n);
  out[n] = '\0';
}

static void numbered(char *out, char const *name, pid_t pid) {
  uint32_t n = 1;
  do
    if (vt_name_numbered(out, PATH_MAX, name, (uint32_t)pid, n++) < 0) return;
  while (faccessat(AT_FDCWD, out, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
}

/* make_room moves an image of this run that has the wanted name aside, if it started earlier. Returns
   whether the name is free now. */
static int make_room(vt_image_t const *image, vt_image_t *other, char const *name) {
  char aside[PATH_MAX];
  if (other->start_tick > image->start_tick) return 0;
  numbered(aside, name, other->pid);
  if (rename(name, aside) == 0) strcpy(other->path, aside);
  return 1;
}

/* program_of is the path that names the program. */
static void program_of(char program[PATH_MAX], vt_header_t const *h) {
  if (h->started_sz)
    copy_string(program, PATH_MAX, h->started, h->started_sz);
  else
    copy_string(program, PATH_MAX, h->executable, h->executable_sz);
}

/* choose_path applies the naming rules. Returns 0, or -1 and image->error. */
static int choose_path(vt_image_t *image, char const *pattern, vt_image_t **others,
                       size_t others_cnt, vt_header_t const *h) {
  char program[PATH_MAX], host[256], name[PATH_MAX], wanted[PATH_MAX];
  copy_string(host, sizeof host, h->host, h->host_sz);
  program_of(program, h);
  if (vt_name_expand(name, sizeof name, pattern, (uint32_t)image->pid, program, host) < 0) {
    vt_error_set(&image->error, pattern, "the name is too long", "use a shorter -o");
    return -1;
  }
  int has_name = image->place.first || vt_name_has_pid(pattern);
  if (has_name && vt_output_resolve(name, wanted, &image->error)) return -1;
  for (size_t i = 0; i < others_cnt && has_name; i++)
    if (!strcmp(others[i]->path, wanted)) has_name = make_room(image, others[i], wanted);
  if (has_name)
    strcpy(image->path, wanted);
  else
    numbered(image->path, name, image->pid);
  return 0;
}

/* on_end learns from the process's message how it says it ended. */
static void on_end(vt_image_t *image, uint8_t const *payload, uint32_t sz) {
  if (sz < 16) return;
  uint32_t kind = vt_load32(payload + 8);
  if (kind == VT_PROCESS_EXIT || kind == VT_PROCESS_EXEC) image->said_end = (int)kind;
  image->said_value = vt_load32(payload + 12);
  if (kind == VT_PROCESS_EXEC_FAILED) image->said_end = 0;
}

/* on_mapping: a run-time maps its jitdump file to say where it is. */
static void on_mapping(vt_image_t *image, uint8_t const *payload, uint32_t sz) {
  vt_cursor_t c = vt_cursor(payload, sz);
  uint32_t path_sz;
  vt_cursor_take(&c, VT_MAPPING_OFF_FILE);
  uint8_t const *path = vt_cursor_string(&c, &path_sz);
  if (path_sz) vt_jit_watch_mapped(&image->jit, image->place.process, (char const *)path, path_sz);
}

/* on_patched remembers the first function whose calls are not seen, and why. */
static void on_patched(vt_image_t *image, uint8_t const *payload, uint32_t sz) {
  vt_cursor_t c = vt_cursor(payload, sz);
  uint32_t name_sz, why_sz, path_sz;
  vt_cursor_take(&c, 8);
  uint32_t flags = vt_cursor_u32(&c);
  vt_cursor_take(&c, 8);
  char const *name = (char const *)vt_cursor_string(&c, &name_sz);
  vt_cursor_string(&c, &path_sz);
  char const *why = (char const *)vt_cursor_string(&c, &why_sz);
  if (c.bad || flags & VT_PATCHED_RECORDED || image->refused[0]) return;
  snprintf(image->refused, sizeof image->refused, "calls of %.*s are not recorded: %.*s", (int)name_sz,
           name, (int)why_sz, why);
}

/* on_message copies a message of the process into the file. */
static void on_message(void *context, uint16_t type, uint32_t stack, uint8_t const *payload,
                       uint32_t sz) {
  vt_image_t *image = context;
  if (type == VT_CHUNK_IMAGE) return;
  if (type == VT_CHUNK_PROCESS) on_end(image, payload, sz);
  if (type == VT_CHUNK_MAPPING) on_mapping(image, payload, sz);
  if (type == VT_CHUNK_PATCHED) on_patched(image, payload, sz);
  if (type == VT_CHUNK_MODULE && image->symbols)
    vt_module_arrives(image->symbols, image->place.process, &image->packer.header, payload, sz);
  vt_packer_message(&image->packer, (vt_chunk_type_t)type, stack, payload, sz);
}

vt_image_t *vt_image_new(vt_outputs_t *outputs, vt_image_t **others, size_t others_cnt,
                         vt_image_place_t const *place, uint8_t const *header, size_t sz,
                         vt_codec_t *codec, vt_symbols_t *symbols) {
  vt_image_t *image = vt_mem_new(1, sizeof *image);
  vt_header_t h;
  image->place = *place;
  image->symbols = symbols;
  vt_jit_watch_begin(&image->jit, 0, 0, 0);
  if (!vt_header_parse(&h, "a process", header, sz, &image->error)) return image;
  image->pid = (pid_t)h.pid;
  image->start_tick = h.start_tick;
  char program[PATH_MAX];
  program_of(program, &h);
  image->skipped = !vt_outputs_wants(outputs, place, program);
  if (image->skipped) return image;
  vt_outputs_admit(outputs, place, others, others_cnt);
  if (choose_path(image, outputs->pattern, others, others_cnt, &h)) return image;
  vt_jit_watch_begin(&image->jit, place->process, h.pid, h.start_unix_ns);
  vt_writer_t *writer = vt_writer_open(image->path, &image->error);
  if (!writer) return image;
  image->open = 1;
  image->max_size = outputs->max_size;
  image->keep.max = outputs->keep;
  image->whole_tick = h.start_tick;
  vt_packer_open(&image->packer, writer, codec, &h);
  if (image->max_size) vt_writer_limit(writer, image->max_size - LAST_WORDS_SZ);
  return image;
}

vt_image_stream_t *vt_image_stream(vt_image_t *image, uint32_t stream) {
  while (image->streams_cnt <= stream) VT_PUSH(image->streams, (vt_image_stream_t){0});
  return &image->streams[stream];
}

static void mind_size(vt_image_t *image) {
  int little = image->max_size && vt_writer_bytes(image->packer.writer) > image->max_size / 4 * 3;
  if (little && image->room == VT_ROOM_PLENTY) image->room = VT_ROOM_LITTLE;
}

void vt_image_records(vt_image_t *image, uint32_t stream, uint8_t const *segment, uint32_t from,
                      uint32_t to) {
  vt_raw_stream_t *raw = &vt_image_stream(image, stream)->raw;
  if (!image->open) return;
  vt_raw_sink_t sink = {.trie = &image->packer.trie,
                        .threads = &image->packer.threads,
                        .no_free_stacks =
                            !!(image->packer.header.optional & VT_OPTIONAL_NO_FREE_STACKS),
                        .message = on_message,
                        .context = image};
  if (from == 0) vt_raw_begin(raw, segment);
  while (from < to) {
    uint32_t before = from;
    vt_event_t *room = vt_packer_room(&image->packer, stream);
    size_t n = vt_raw_decode(raw, &sink, segment, &from, to, room, VT_PACKER_BATCH);
    vt_packer_add(&image->packer, stream, n);
    if (from == before && !n) break;
  }
  mind_size(image);
}

void vt_image_close(vt_image_t *image, uint64_t tick) {
  image->room = VT_ROOM_CLOSED;
  image->closed_tick = tick;
}

/* say_size marks where the record ends: at the closing of the gate, or before what had no room any more. */
static void say_size(vt_image_t *image) {
  vt_writer_t *writer = image->packer.writer;
  int full = vt_writer_full(writer);
  if (image->size_said || (!full && image->room != VT_ROOM_CLOSED)) return;
  image->size_said = 1;
  if (full) vt_writer_limit(writer, image->max_size);
  vt_image_process(image, full ? image->whole_tick : image->closed_tick, VT_PROCESS_PAUSED, VT_PAUSE_SIZE);
  if (full) vt_writer_limit(writer, vt_writer_bytes(writer)); /* nothing more */
}

static void put_message(vt_image_t *image, vt_chunk_type_t type, vt_message_t const *m) {
  if (image->open) vt_packer_message(&image->packer, type, 0, m->data, m->sz);
}

void vt_image_process(vt_image_t *image, uint64_t tick, vt_process_kind_t kind, uint32_t value) {
  uint8_t buf[20];
  vt_message_t m = {.data = buf, .cap = sizeof buf};
  vt_message_u64(&m, tick);
  vt_message_u32(&m, kind);
  vt_message_u32(&m, value);
  vt_message_string(&m, "", 0);
  put_message(image, VT_CHUNK_PROCESS, &m);
}

void vt_image_totals(vt_image_t *image, uint8_t const *segment) {
  image->totals.allocations += vt_load64(segment + VT_SEGMENT_OFF_ALLOCATIONS);
  image->totals.allocated_bytes += vt_load64(segment + VT_SEGMENT_OFF_BYTES);
  image->totals.frees += vt_load64(segment + VT_SEGMENT_OFF_FREES);
  image->totals.reallocs += vt_load32(segment + VT_SEGMENT_OFF_REALLOCS);
}

static uint64_t told(vt_ring_image_t *slot, vt_counter_t c) {
  return atomic_load_explicit(&slot->counters[c], memory_order_relaxed);
}

/* counter is a counter's last value: some the collector knows better than the process. */
static uint64_t counter(vt_image_t const *image, vt_ring_image_t *slot, uint64_t c) {
  if (c == VT_COUNTER_EVENTS) return image->packer.events;
  if (c == VT_COUNTER_STOPPED) return image->stopped;
  if (c == VT_COUNTER_PEAK_RESIDENT) return image->peak_resident;
  if (c == VT_COUNTER_PEAK_CERTAIN && image->peak_certain) return 1;
  if (c == VT_COUNTER_ALLOCATIONS) return image->totals.allocations;
  if (c == VT_COUNTER_ALLOCATED_BYTES) return image->totals.allocated_bytes;
  if (c == VT_COUNTER_FREES) return image->totals.frees;
  if (c == VT_COUNTER_REALLOCS) return image->totals.reallocs;
  return told(slot, (vt_counter_t)c);
}

static void put_counters(vt_image_t *image, vt_ring_image_t *slot) {
  uint8_t buf[8 + 16 * VT_COUNTER_MAX];
  vt_message_t m = {.data = buf, .cap = sizeof buf};
  vt_message_u64(&m, VT_COUNTER_MAX);
  for (uint64_t c = 1; c <= VT_COUNTER_MAX; c++) {
    vt_message_u64(&m, c);
    vt_message_u64(&m, counter(image, slot, c));
  }
  put_message(image, VT_CHUNK_COUNTERS, &m);
}

static void put_moment(vt_image_t *image, vt_moment_of_clocks_t const *at) {
  uint8_t buf[24];
  vt_message_t m = {.data = buf, .cap = sizeof buf};
  vt_message_u64(&m, at->tick);
  vt_message_u64(&m, at->monotonic_ns);
  vt_message_u64(&m, at->real_ns);
  put_message(image, VT_CHUNK_CLOCK, &m);
}

static void note_failure(vt_image_t *image, int error) {
  if (!error || image->error.what[0]) return;
  vt_error_setf(&image->error, image->path, "make room or choose another place",
                "%s: the record is incomplete", strerror(error));
}

static void put_jit(vt_image_t *image, vt_moment_of_clocks_t const *now) {
  vt_jit_clock_t clock = {now->tick, now->monotonic_ns, image->packer.header.tick_hz};
  vt_jit_names_t names = {0};
  for (int more = 1; more;) {
    more = vt_jit_watch_look(&image->jit, &clock, &names);
    vt_image_chunk(image, VT_CHUNK_JIT, vt_jit_names_payload(&names));
    vt_jit_names_clear(&names);
  }
  vt_bytes_free(&names.bytes);
}

void vt_image_flush(vt_image_t *image, vt_moment_of_clocks_t const *whole_until) {
  if (!image->open) return;
  if (!image->size_said) put_jit(image, whole_until);
  vt_packer_flush(&image->packer);
  mind_size(image);
  say_size(image);
  if (!image->size_said) put_moment(image, whole_until);
  if (!image->size_said) image->whole_tick = whole_until->tick;
  vt_writer_flush(image->packer.writer);
  image->flushed_events = image->packer.events;
  if (!image->look.looking) vt_helper_tell(&image->look.helper);
  note_failure(image, vt_writer_failed(image->packer.writer));
}

void vt_image_chunk(vt_image_t *image, vt_chunk_type_t type, vt_bytes_t const *payload) {
  if (image->open && payload->sz)
    vt_packer_message(&image->packer, type, 0, payload->data, payload->sz);
}

void vt_image_leaks(vt_image_t *image, vt_bytes_t const *payload) {
  vt_image_chunk(image, VT_CHUNK_LEAKS, payload);
  image->no_leaks = image->open && vt_writer_full(image->packer.writer);
}

void vt_image_seen(vt_image_t *image, vt_heir_seen_t const *seen) {
  vt_image_chunk(image, VT_CHUNK_PAGES, &seen->pages);
  vt_image_leaks(image, &seen->leaks);
}

void vt_image_mark(vt_image_t *image, uint64_t tick, char const *text) {
  vt_bytes_t m = {0};
  vt_bytes_u64(&m, tick);
  vt_bytes_u32(&m, 0); /* no thread's */
  vt_bytes_u32(&m, 0);
  vt_bytes_string(&m, text, strlen(text));
  vt_image_chunk(image, VT_CHUNK_MARKER, &m);
  vt_bytes_free(&m);
}

static void put_end(vt_image_t *image, uint64_t tick, int wait_status) {
  if (image->left) return vt_image_process(image, tick, image->left, 0);
  if (image->said_end && vt_writer_failed(image->packer.writer)) /* what it said is not in the file */
    vt_image_process(image, tick, (vt_process_kind_t)image->said_end, image->said_value);
  if (image->said_end == VT_PROCESS_EXEC) return; /* what became of its successor is not its end */
  if (wait_status >= 0 && WIFSIGNALED(wait_status))
    vt_image_process(image, tick, VT_PROCESS_SIGNAL, (uint32_t)WTERMSIG(wait_status));
  else if (image->said_end)
    return;
  else if (wait_status >= 0)
    vt_image_process(image, tick, VT_PROCESS_EXIT, (uint32_t)WEXITSTATUS(wait_status));
  else
    vt_image_process(image, tick, VT_PROCESS_VANISHED, 0);
}

static void put_no_leaks(vt_image_t *image) {
  vt_bytes_t b = {0};
  vt_verdict_none("the file is as large as --max-size allows", &b);
  vt_image_chunk(image, VT_CHUNK_LEAKS, &b);
  vt_bytes_free(&b);
}

/* put_stop writes that recording stopped before the process's end, if it did. */
static void put_stop(vt_image_t *image, vt_ring_image_t *slot, uint64_t now) {
  uint64_t tick = told(slot, VT_COUNTER_STOPPED_TICK);
  if (vt_writer_failed(image->packer.writer)) {
    image->stopped = VT_STOPPED_SPACE;
    vt_writer_resume(image->packer.writer); /* last words */
  }
  if (image->stopped)
    vt_image_process(image, tick && tick < now ? tick : now, VT_PROCESS_STOPPED, image->stopped);
}

void vt_image_end(vt_image_t *image, vt_ring_image_t *slot, vt_clock_kind_t clock,
                  int wait_status) {
  vt_moment_of_clocks_t now = vt_image_now(clock);
  image->ended = 1;
  image->stopped = atomic_load_explicit(&slot->stopped, memory_order_relaxed);
  image->lost = told(slot, VT_COUNTER_LOST) + told(slot, VT_COUNTER_NESTED_LOST) +
                told(slot, VT_COUNTER_BEFORE_START);
  uint64_t peak = told(slot, VT_COUNTER_PEAK_RESIDENT);
  if (peak > image->peak_resident) image->peak_resident = peak;
  image->hidden = (int)told(slot, VT_COUNTER_ALLOCATOR_IN_EXECUTABLE);
  if (!image->open) return;
  vt_packer_flush(&image->packer);
  say_size(image);
  if (image->max_size) vt_writer_limit(image->packer.writer, image->max_size);
  put_stop(image, slot, image->end_tick);
  if (image->no_leaks) put_no_leaks(image);
  if (!image->size_said && !vt_writer_failed(image->packer.writer)) vt_sampling_put(image); /* last words are to be few */
  put_end(image, image->end_tick, wait_status);
  put_counters(image, slot);
  put_moment(image, &now);
  vt_writer_flush(image->packer.writer);
  if (!vt_writer_failed(image->packer.writer)) image->events = image->packer.events;
  image->bytes = vt_writer_bytes(image->packer.writer);
  note_failure(image, vt_packer_finish(&image->packer, !vt_writer_failed(image->packer.writer)));
  image->open = 0;
  vt_jit_watch_end(&image->jit);
}

void vt_image_delete(vt_image_t *image) {
  free(image->keep.cuts);
  vt_jit_watch_end(&image->jit);
  for (size_t i = 0; i < image->streams_cnt; i++) vt_raw_stream_fini(&image->streams[i].raw);
  free(image->streams);
  vt_bytes_free(&image->sampling.capture);
  free(image);
}
