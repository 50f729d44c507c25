/* See import.h. Lines beginning "+++" start a record of a stated number of body lines
   "object(symbol+0xoffset)[0xaddress]", innermost first; everything else is ignored.

   Objects become modules that span the addresses seen in them. A line without symbol states the
   address relative to the load bias, so it tells the bias; names of an object whose file is not
   here are taken from the log. */
#include "analyzer/trace/import.h"
#include "analyzer/trace/embed.h"
#include "analyzer/symbols/elf_file.h"
#include "analyzer/trace/packer.h"
#include "analyzer/util/output.h"
#include "analyzer/util/strings.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define TICK_HZ        1000000000u
#define EVENT_TICKS    1000
#define FRAMES_MAX     65536
#define LOG_FRAMES_MAX 128 /* of a writer of the log */
#define THREAD_ID      1
#define PROGRAM_LINES  10000

typedef struct {
  uint32_t path; /* string */
  uint64_t lowest, highest, bias;
  int bias_known;
} object_t;

/* A distinct body line. */
typedef struct {
  uint64_t address;
  uint32_t object; /* index, UINT32_MAX: none */
  uint32_t symbol; /* string, 0: none */
} line_t;

typedef struct {
  FILE *in;
  char *text;
  size_t text_cap;
  vt_strings_t *strings; /* bodies, paths and symbols */
  uint32_t *line_of;     /* string -> index in lines + 1 */
  size_t line_of_sz;
  line_t *lines;
  size_t lines_cnt, lines_cap;
  object_t *objects;
  size_t objects_cnt, objects_cap;
  uint64_t frames[FRAMES_MAX];
  vt_packer_t out;
  vt_import_counts_t *counts;
  uint64_t events;
  uint64_t truncated; /* stacks */
} import_t;

/* next_line reads a line without its end; -1 at the end of the log. */
static ssize_t next_line(import_t *m) {
  ssize_t n = getline(&m->text, &m->text_cap, m->in);
  if (n > 0 && m->text[n - 1] == '\n') m->text[--n] = '\0';
  if (n < 0 && m->text) m->text[0] = '\0';
  return n;
}

static uint32_t object_of(import_t *m, char const *path, size_t sz) {
  uint32_t string = vt_strings_intern(m->strings, path, sz);
  for (size_t i = 0; i < m->objects_cnt; i++)
    if (m->objects[i].path == string) return (uint32_t)i;
  VT_PUSH(m->objects, ((object_t){.path = string, .lowest = UINT64_MAX}));
  return (uint32_t)m->objects_cnt - 1;
}

/* note_place uses what stands between the parentheses: symbol+0xoffset or +0xoffset. There are none
   around a code address of an object that is not relocated and has no symbol for it. */
static void note_place(import_t *m, line_t *line, char const *p, size_t sz) {
  object_t *o = &m->objects[line->object];
  char const *plus = sz ? memrchr(p, '+', sz) : NULL;
  size_t name_sz = plus ? (size_t)(plus - p) : sz;
  if (name_sz) {
    line->symbol = vt_strings_intern(m->strings, p, name_sz);
  } else if (!o->bias_known) {
    o->bias = plus ? line->address - strtoull(plus + 1, NULL, 16) : 0;
    o->bias_known = 1;
  }
  if (line->address < o->lowest) o->lowest = line->address;
  if (line->address > o->highest) o->highest = line->address;
}

/* A body line taken apart. */
typedef struct {
  char const *place; /* what stands between the parentheses; NULL: there are none */
  size_t object_sz;  /* the object's path is the line's beginning; 0: unknown */
  size_t place_sz;
  uint64_t address;
} parts_t;

/* split_line takes a body line apart: glibc writes no space before the bracket, but other writers
   of this format do. Returns -1 when it has no address. */
static int split_line(char const *text, parts_t *parts) {
  char const *bracket = strrchr(text, '[');
  if (!bracket || strncmp(bracket, "[0x", 3)) return -1;
  char const *end = bracket > text && bracket[-1] == ' ' ? bracket - 1 : bracket;
  char const *open = end > text && end[-1] == ')' ? memrchr(text, '(', (size_t)(end - text)) : NULL;
  *parts = (parts_t){.object_sz = (size_t)(end - text), .address = strtoull(bracket + 1, NULL, 16)};
  if (!open) return 0;
  parts->object_sz = (size_t)(open - text);
  parts->place = open + 1;
  parts->place_sz = (size_t)(end - open) - 2;
  return 0;
}

/* parse_line makes a line_t of a body line; -1: malformed. */
static int parse_line(import_t *m, char const *text, line_t *line) {
  parts_t parts;
  if (split_line(text, &parts)) return -1;
  *line = (line_t){.address = parts.address, .object = UINT32_MAX};
  if (!parts.object_sz) return 0;
  line->object = object_of(m, text, parts.object_sz);
  note_place(m, line, parts.place, parts.place_sz);
  return 0;
}

/* known_line is the index of a body line in `lines`; -1: it is malformed. */
static int64_t known_line(import_t *m, char const *text, size_t sz) {
  uint32_t string = vt_strings_intern(m->strings, text, sz);
  if (string >= m->line_of_sz) {
    size_t grown = 2 * (size_t)string + 1024;
    m->line_of = vt_mem_resize(m->line_of, grown, sizeof *m->line_of);
    memset(m->line_of + m->line_of_sz, 0, (grown - m->line_of_sz) * sizeof *m->line_of);
    m->line_of_sz = grown;
  }
  if (!m->line_of[string]) {
    line_t line;
    if (parse_line(m, text, &line)) return -1;
    VT_PUSH(m->lines, line);
    m->line_of[string] = (uint32_t)m->lines_cnt;
  }
  return (int64_t)m->line_of[string] - 1;
}

/* read_stack reads `cnt` body lines into the trie. Returns the stack, or -1 when they are cut. What
   lies above as many frames as a log holds is unknown. */
static int64_t read_stack(import_t *m, uint64_t cnt) {
  uint32_t node = 0;
  for (uint64_t i = 0; i < cnt; i++) {
    ssize_t sz = next_line(m);
    int64_t line = sz < 0 ? -1 : known_line(m, m->text, (size_t)sz);
    if (line < 0) return -1;
    m->frames[i] = m->lines[line].address;
  }
  if (cnt) node = vt_trie_child(&m->out.trie, 0, 0);
  if (cnt >= LOG_FRAMES_MAX) {
    node = vt_trie_child(&m->out.trie, node, VT_ADDRESS_TRUNCATED);
    m->truncated++;
  }
  while (cnt--) node = vt_trie_child(&m->out.trie, node, m->frames[cnt]);
  return node;
}

/* parse_head fills an event from a head line and *cnt, its number of body lines; -1: malformed. */
static int parse_head(char const *text, vt_event_t *e, uint64_t *cnt) {
  int end = 0;
  *e = (vt_event_t){.kind = VT_EVENT_ALLOC, .api = VT_API_MALLOC};
  if (sscanf(text, "+++ ALLOC:%" SCNu64 ":0x%" SCNx64 ":%" SCNu64 ":%" SCNu64 "%n", cnt,
             &e->address, &e->align, &e->size, &end) == 4 &&
      !text[end])
    return 0;
  *e = (vt_event_t){.kind = VT_EVENT_FREE, .api = VT_API_FREE};
  end = 0;
  return sscanf(text, "+++ FREE:%" SCNu64 ":0x%" SCNx64 "%n", cnt, &e->address, &end) == 2 &&
                 !text[end]
             ? 0
             : -1;
}

/* read_record reads the record whose head was read. Returns 1 if it is torn and the line read last
   begins another. */
static int read_record(import_t *m) {
  vt_event_t e;
  uint64_t cnt;
  int64_t stack = -1;
  int is_head = !parse_head(m->text, &e, &cnt) && cnt <= FRAMES_MAX;
  if (is_head) stack = read_stack(m, cnt);
  if (stack < 0) {
    m->counts->incomplete++;
    return is_head && !strncmp(m->text, "+++", 3);
  }
  if (!e.address) return 0; /* a failed allocation, or free(NULL) */
  e.stack = (uint32_t)stack;
  e.time = ++m->events * EVENT_TICKS;
  *vt_packer_room(&m->out, 1) = e;
  vt_packer_add(&m->out, 1, 1);
  if (e.kind == VT_EVENT_ALLOC)
    m->counts->allocations++;
  else
    m->counts->frees++;
  return 0;
}

/* put_modules writes the objects as modules. */
static void put_modules(import_t *m) {
  vt_bytes_t b = {0};
  for (size_t i = 0; i < m->objects_cnt; i++) {
    object_t const *o = &m->objects[i];
    size_t sz;
    char const *path = vt_strings_get(m->strings, o->path, &sz);
    b.sz = 0;
    vt_bytes_u64(&b, 0);
    vt_bytes_u32(&b, 0);
    vt_bytes_u32(&b, (uint32_t)i);
    vt_bytes_u64(&b, o->bias);
    vt_bytes_u64(&b, o->lowest - 1);
    vt_bytes_u64(&b, o->highest + 1);
    vt_bytes_u32(&b, 0);
    vt_bytes_string(&b, NULL, 0);
    vt_bytes_string(&b, path, sz);
    vt_bytes_u32(&b, 0);
    vt_packer_message(&m->out, VT_CHUNK_MODULE, 0, b.data, b.sz);
  }
  vt_bytes_free(&b);
}

static void put_counters(import_t *m) {
  uint64_t const counters[][2] = {{VT_COUNTER_LOST, m->counts->incomplete},
                                  {VT_COUNTER_TRUNCATED, m->truncated},
                                  {VT_COUNTER_EVENTS, m->events}};
  size_t cnt = sizeof counters / sizeof *counters;
  vt_bytes_t b = {0};
  vt_bytes_u64(&b, cnt);
  for (size_t i = 0; i < cnt; i++) {
    vt_bytes_u64(&b, counters[i][0]);
    vt_bytes_u64(&b, counters[i][1]);
  }
  vt_packer_message(&m->out, VT_CHUNK_COUNTERS, 0, b.data, b.sz);
  vt_bytes_free(&b);
}

/* name_missing enters the log's names for objects whose files say nothing. */
static void name_missing(import_t *m, vt_symbols_t *store) {
  for (size_t i = 0; i < m->lines_cnt; i++) {
    line_t const *line = &m->lines[i];
    if (line->object == UINT32_MAX || !line->symbol) continue;
    object_t const *o = &m->objects[line->object];
    char const *path = vt_strings_get(m->strings, o->path, NULL);
    if (o->bias_known && access(path, R_OK) == 0) continue;
    uint32_t module = vt_symbols_module(store, &(vt_symbols_file_t){.path = path, .fd = -1});
    char const *name = vt_strings_get(m->strings, line->symbol, NULL);
    vt_frame_t frame = {.function = vt_demangle_intern(vt_symbols_strings(store), name)};
    vt_symbols_put(store, module, line->address - 1 - o->bias, &frame, 1);
  }
}

/* find_program guesses the executable: the object of the outermost frame of an early record that is
   not a library. Nothing is known of a log that cannot be read twice. */
static void find_program(import_t *m, char *out, size_t cap) {
  parts_t parts;
  for (unsigned n = 0; n < PROGRAM_LINES && next_line(m) >= 0; n++) {
    int is_frame = m->text[0] != '+' && !split_line(m->text, &parts);
    if (is_frame && parts.object_sz && parts.object_sz < cap) {
      memcpy(out, m->text, parts.object_sz);
      out[parts.object_sz] = '\0';
    } else if (out[0] && strstr(out, ".so")) {
      out[0] = '\0';
    } else if (out[0]) {
      break;
    }
  }
  rewind(m->in);
}

static void open_output(import_t *m, vt_writer_t *writer, vt_codec_t *codec) {
  char host[256] = "", program[PATH_MAX] = "";
  if (!fseek(m->in, 0, SEEK_SET)) find_program(m, program, sizeof program);
  gethostname(host, sizeof host - 1);
  vt_header_t h = {.endian = 1,
                   .pointer_sz = 8,
                   .page_sz = 4096,
                   .tick_hz = TICK_HZ,
                   .host = host,
                   .host_sz = (uint32_t)strlen(host),
                   .executable = program,
                   .executable_sz = (uint32_t)strlen(program)};
  vt_packer_open(&m->out, writer, codec, &h);
  vt_thread_ids_index(&m->out.threads, (vt_thread_id_t){.tid = THREAD_ID}); /* index 0 */
}

/* finish completes the trace and embeds names. */
static int finish(import_t *m, char const *to, vt_error_t *error) {
  put_modules(m);
  put_counters(m);
  int failed = vt_packer_finish(&m->out, 1);
  if (failed) {
    vt_error_set(error, to, strerror(failed), "free some space or name another file with -o");
    return VT_EXIT_OUTPUT;
  }
  vt_symbols_t *store = vt_symbols_new();
  name_missing(m, store);
  int status = vt_embed_symbols(to, store, error) ? VT_EXIT_OUTPUT : VT_EXIT_OK;
  vt_symbols_delete(store);
  return status;
}

static void fini(import_t *m) {
  if (m->in && m->in != stdin) fclose(m->in);
  vt_strings_delete(m->strings);
  free(m->text);
  free(m->line_of);
  free(m->lines);
  free(m->objects);
  free(m);
}

/* copy_log turns the records into events; VT_EXIT_INPUT when the log has none. */
static int copy_log(import_t *m, char const *from, vt_error_t *error) {
  while (next_line(m) >= 0)
    while (!strncmp(m->text, "+++", 3) && read_record(m)) continue;
  if (ferror(m->in)) {
    vt_error_set(error, from, "cannot be read", "give a text file");
    return VT_EXIT_INPUT;
  }
  if (m->counts->allocations + m->counts->frees) return VT_EXIT_OK;
  vt_error_set(error, from, "has no record of a backtracing valloc",
               "give a log with lines that begin with +++ ALLOC");
  return VT_EXIT_INPUT;
}

static int import_to(import_t *m, char const *from, vt_output_t const *output,
                     vt_error_t *error) {
  vt_codec_t *codec = vt_codec_new();
  char const *to = vt_output_path(output);
  open_output(m, vt_writer_on(dup(output->fd), to), codec);
  int status = copy_log(m, from, error);
  if (status == VT_EXIT_OK)
    status = finish(m, to, error);
  else
    vt_packer_finish(&m->out, 0);
  vt_codec_delete(codec);
  return status;
}

int vt_import(char const *from, char const *to, vt_import_counts_t *counts, vt_error_t *error) {
  import_t *m = vt_mem_new(1, sizeof *m);
  vt_output_t output;
  *counts = (vt_import_counts_t){0};
  m->counts = counts;
  m->strings = vt_strings_new();
  m->in = strcmp(from, "-") ? fopen(from, "re") : stdin;
  int status = VT_EXIT_INPUT;
  if (!m->in) {
    vt_error_set(error, from, strerror(errno), "give a log that can be read");
  } else if (vt_output_open(&output, to, VT_OUTPUT_TRACE, error)) {
    status = VT_EXIT_OUTPUT;
  } else {
    status = import_to(m, from, &output, error);
    if (vt_output_close(&output, status == VT_EXIT_OK, error) && status == VT_EXIT_OK)
      status = VT_EXIT_OUTPUT;
  }
  fini(m);
  return status;
}
