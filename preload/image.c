/* What a trace begins with: who is recorded, when, where; and where it goes. */
#include "preload/process.h"
#include "preload/attached.h"
#include "preload/first.h"
#include "preload/heaps.h"
#include "preload/hooks.h"
#include "preload/options.h"
#include "core/trace/name.h"
#include "core/trace/sys.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define COMMAND_MAX    16384
#define STATUS_MAX     4096 /* of /proc/self/status */
#define FEW_STRINGS_SZ (COMMAND_MAX + 2 * PATH_MAX + 1024)

size_t vt_image_read(char const *path, char *buf, size_t cap) {
  int fd = vt_sys_open(path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return 0;
  size_t sz = 0;
  for (long n; sz < cap && (n = vt_sys_read(fd, buf + sz, cap - sz)) > 0;) sz += (size_t)n;
  vt_sys_close(fd);
  return sz;
}

static void put_fixed(vt_message_t *m) {
  vt_process_t *p = &vt_process;
  vt_message_bytes(m, VT_MAGIC, VT_MAGIC_SZ);
  vt_message_u32(m, VT_FORMAT_VERSION | VT_FORMAT_VERSION << 16);
  vt_message_u32(m, 0); /* header size, set by header_finish */
  vt_message_u64(m, (vt_options.sample_period ? VT_REQUIRED_SAMPLED : 0) |
                        (vt_cxx_tells() && !p->sink.ring ? VT_REQUIRED_DELETES : 0));
  vt_message_u64(m, (vt_options.no_free_stacks ? VT_OPTIONAL_NO_FREE_STACKS : 0) |
                        (p->sink.ring ? 0 : VT_OPTIONAL_NO_COLLECTOR) | (vt_cxx_tells() ? VT_OPTIONAL_DELETES : 0) |
                        (vt_options.sample_period ? VT_OPTIONAL_SAMPLE_ALONE : 0));
#if defined(__x86_64__)
  vt_message_u32(m, EM_X86_64 | 1u << 16 | 8u << 24);
#else
  vt_message_u32(m, EM_AARCH64 | 1u << 16 | 8u << 24);
#endif
  vt_message_u32(m, 4096);
  vt_message_u32(m, p->sink.pid);
  vt_message_u32(m, p->ppid);
  vt_message_u64(m, p->sink.image);
  vt_message_u64(m, p->tick_hz);
  vt_message_u64(m, p->start_tick);
  vt_message_u64(m, p->start_unix_ns);
  vt_message_u64(m, vt_options.sample_period);
  vt_message_u32(m, vt_attached() ? VT_HEADER_FLAG_MID_LIFE : 0);
  vt_message_u32(m, 0); /* raw records have no time shift */
}

/* host_name, like put_strings and name_file, uses static memory: a process begins one image at a time,
   perhaps in a thread with a small stack. */
static char const *host_name(void) {
  static struct utsname host;
  vt_sys(SYS_uname, (long)&host, 0, 0, 0, 0, 0);
  return host.nodename;
}

static void put_strings(vt_message_t *m) {
  static char scratch[COMMAND_MAX];
  char const *host = host_name();
  vt_message_string(m, host, strlen(host));
  vt_message_string(m, scratch, vt_module_executable(scratch, PATH_MAX));
  size_t sz = vt_image_read("/proc/self/cmdline", scratch, COMMAND_MAX);
  vt_message_string(m, scratch, sz);
  char const *started = vt_module_started_as();
  vt_message_string(m, started ? started : "", started ? strnlen(started, PATH_MAX) : 0);
}

/* header_finish pads the header to `sz` and writes its size and hash. */
static void header_finish(vt_message_t *m, uint32_t sz) {
  memset(m->data + m->sz, 0, sz - m->sz);
  vt_store32(m->data + VT_HEADER_OFF_SZ, sz);
  vt_store64(m->data + sz - 8, XXH64(m->data, sz - 8, 0));
  m->sz = sz;
}

/* numbered finds the first free name of the form NAME.PID.N.EXT. */
static int numbered(char *out, char const *name, uint32_t pid) {
  struct stat st;
  for (uint32_t n = 1; n; n++) {
    if (vt_name_numbered(out, PATH_MAX, name, pid, n) < 0) return -1;
    if (vt_sys(SYS_newfstatat, AT_FDCWD, (long)out, (long)&st, AT_SYMLINK_NOFOLLOW, 0, 0)) return 0;
  }
  return -1;
}

/* make_room chooses between `name` and a numbered one for the file of this image. An earlier image
   of this process makes room; nobody else's file is touched, but for one of an earlier recording
   where the first process's is to be. */
static int make_room(char *path, char const *name, int usual) {
  static char aside[PATH_MAX];
  vt_file_owner_t owner = vt_first_owner(name);
  int first = !vt_process.forked && vt_first_is_me();
  if (!(first || usual) || owner == VT_FILE_LIVE || (owner == VT_FILE_OLD && !first))
    return numbered(path, name, vt_process.sink.pid);
  if (owner == VT_FILE_OWN && numbered(aside, name, vt_process.sink.pid) == 0)
    vt_sys_rename(name, aside);
  memcpy(path, name, PATH_MAX);
  return 0;
}

/* name_file chooses the path of this image's file: a pattern without %p names the last image of the
   first process, so that an earlier image of it is renamed and other processes get a number. */
static int name_file(char *path) {
  static char name[PATH_MAX], program[PATH_MAX];
  char const *pattern = vt_options.output ? vt_options.output : VT_NAME_DEFAULT;
  size_t at = 0;
  if (pattern[0] != '/') {
    long n = vt_sys_getcwd(name, sizeof name);
    if (n <= 0) return -1;
    at = (size_t)n;
    name[at - 1] = '/';
  }
  program[vt_module_executable(program, sizeof program - 1)] = '\0';
  char const *started = vt_module_started_as();
  if (vt_name_expand(name + at, sizeof name - at, pattern, vt_process.sink.pid,
                     started ? started : program, host_name()) < 0)
    return -1;
  return make_room(path, name, vt_name_has_pid(pattern));
}

static int open_file(char const **why) {
  vt_sink_t *sink = &vt_process.sink;
  *why = "the file name is too long or the current folder is gone";
  if (name_file(sink->path)) return -1;
  *why = "no memory for the header";
  uint8_t *buf = vt_sys_memory(VT_SINK_FILE_HEADER_SZ);
  if (!buf) return -1;
  vt_message_t m = {.data = buf, .cap = VT_SINK_FILE_HEADER_SZ - 8};
  put_fixed(&m);
  put_strings(&m);
  header_finish(&m, VT_SINK_FILE_HEADER_SZ);
  int err = vt_sink_open_file(sink, buf, m.sz);
  vt_sys_munmap(buf, VT_SINK_FILE_HEADER_SZ);
  *why = err == -ENOENT || err == -ENOTDIR ? "no such folder"
         : err == -EACCES || err == -EROFS ? "no permission"
         : err == -ENOSPC                  ? "no space on the device"
         : err == -EFBIG                   ? "the limit on the size of files is too low"
                                           : "the file system or a limit does not allow it";
  return err;
}

/* identify says who this image is, to itself and to the collector. A child forked behind a filter
   may not ask for its namespace, which need not be its parent's. */
static void identify(vt_process_t *p) {
  vt_sink_t *sink = &p->sink;
  sink->pid = (uint32_t)vt_sys_getpid();
  sink->space = p->filtered ? 0 : vt_sink_space();
  sink->follows = p->forked ? 0 : vt_options.follows;
  sink->follows_slot = vt_options.follows_slot;
  sink->image = ((uint64_t)sink->pid << 32 | (uint32_t)p->start_tick) ^ p->start_unix_ns << 8;
}

int vt_image_open(char const **why) {
  vt_process_t *p = &vt_process;
  vt_sink_t *sink = &p->sink;
  identify(p);
  int joined = sink->ring             ? vt_sink_join_ring(sink)
               : vt_options.collector ? vt_sink_open_ring(sink, vt_options.collector)
                                      : -1;
  if (joined == 0) { /* the clock is the collector's, which need not be the one chosen here */
    p->tick_hz = sink->ring->tick_hz;
    p->start_tick = vt_clock_tick(sink->clock);
    if (!p->filtered) vt_sink_sit(sink);
    return 0;
  }
  sink->ring = NULL;
  sink->paused = &vt_sink_never_paused;
  *why = "the collector's memory cannot be mapped";
  return vt_attached() ? -1 : open_file(why); /* the program's folder is not ours to write to */
}

/* begin_ring sends the header as a message: the collector writes the file. */
static int begin_ring(vt_stream_t *s) {
  vt_message_t m = vt_stream_blob_open(s, FEW_STRINGS_SZ + 256);
  if (!m.cap) return -1;
  put_fixed(&m);
  put_strings(&m);
  header_finish(&m, (uint32_t)vt_pad8(m.sz) + 8);
  vt_stream_blob_close(s, VT_CHUNK_IMAGE, &m);
  return 0;
}

void vt_image_process(vt_stream_t *s, vt_process_kind_t kind, uint32_t value, char const *text) {
  vt_message_t m = vt_stream_blob_open(s, 20 + (uint32_t)strlen(text));
  vt_message_u64(&m, vt_clock_tick(vt_process.sink.clock));
  vt_message_u32(&m, kind);
  vt_message_u32(&m, value);
  vt_message_string(&m, text, strlen(text));
  vt_stream_blob_close(s, VT_CHUNK_PROCESS, &m);
}

void vt_image_text(vt_stream_t *s, vt_chunk_type_t type, vt_thread_t const *thread,
                   char const *text, size_t sz) {
  vt_message_t m = vt_stream_blob_open(s, 20 + (uint32_t)sz);
  vt_message_u64(&m, vt_clock_tick(s->sink->clock));
  vt_message_u32(&m, vt_thread_tid(thread));
  vt_message_u32(&m, atomic_load_explicit(&thread->number, memory_order_relaxed));
  vt_message_string(&m, text, sz);
  vt_stream_blob_close(s, type, &m);
}

/* bytes_of is the number behind `key` in the text of /proc/self/status, in bytes; 0: not there. */
static uint64_t bytes_of(char const *status, char const *key) {
  char const *p = strstr(status, key);
  uint64_t kib = 0;
  for (p = p ? p + strlen(key) : ""; *p == ' ' || *p == '\t' || (*p >= '0' && *p <= '9'); p++)
    if (*p >= '0') kib = 10 * kib + (uint64_t)(*p - '0');
  return kib << 10;
}

/* The text is read to where the message will be: the stack may be a small one. */
void vt_image_memory(vt_stream_t *s, int last) {
  static char const *const keys[] = {"VmRSS:", "RssAnon:", "RssFile:", "RssShmem:", "VmSwap:"};
  uint64_t bytes[sizeof keys / sizeof *keys];
  vt_message_t m = vt_stream_blob_open(s, STATUS_MAX);
  char const *status = (char const *)m.data;
  if (!m.cap) return;
  m.data[vt_image_read("/proc/self/status", (char *)m.data, m.cap - 1)] = '\0';
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) bytes[i] = bytes_of(status, keys[i]);
  uint64_t peak = bytes_of(status, "VmHWM:");
  vt_sink_note(s->sink, VT_COUNTER_PEAK_RESIDENT, peak);
  vt_sink_note(s->sink, VT_COUNTER_PEAK_CERTAIN, peak && last);
  if (!bytes[0]) return;
  vt_message_u64(&m, vt_clock_tick(vt_process.sink.clock));
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) vt_message_u64(&m, bytes[i]);
  vt_stream_blob_close(s, VT_CHUNK_MEMORY, &m);
}

static void clock_pair(vt_stream_t *s) {
  vt_message_t m = vt_stream_blob_open(s, 24);
  vt_message_u64(&m, vt_clock_tick(vt_process.sink.clock));
  vt_message_u64(&m, vt_clock_ns(CLOCK_MONOTONIC));
  vt_message_u64(&m, vt_clock_ns(CLOCK_REALTIME));
  vt_stream_blob_close(s, VT_CHUNK_CLOCK, &m);
}

int vt_image_begin(vt_stream_t *s) {
  if (vt_process.sink.ring && begin_ring(s)) return -1;
  clock_pair(s);
  if (vt_process.forked)
    vt_image_process(s, VT_PROCESS_FORKED, vt_process.ppid, "");
  else if (vt_attached())
    vt_image_process(s, VT_PROCESS_ATTACHED, 0, "");
  else
    vt_image_process(s, VT_PROCESS_STARTED, 0, "");
  vt_module_flush(s);
  vt_heaps_write(s);
  return 0;
}
