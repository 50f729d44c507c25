/* See pack.h. A raw source is decoded stream by stream and packed; the chunks of a packed one are
   copied as they are. */
#include "analyzer/trace/pack.h"
#include "analyzer/trace/embed.h"
#include "analyzer/trace/packer.h"
#include "analyzer/trace/reader_private.h"
#include "analyzer/util/output.h"
#include "analyzer/util/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  vt_reader_t *r;
  vt_packer_t out;
  vt_codec_t *codec;
  vt_raw_sink_t sink;
  int damaged;
  int said_end;      /* a raw source has the process's last words */
  uint64_t next_seq; /* of a packed source */
  vt_progress_t progress;
  uint64_t done; /* chunks of events */
} pack_t;

static void on_message(void *context, uint16_t type, uint32_t stack, uint8_t const *payload,
                       uint32_t sz) {
  pack_t *p = context;
  uint32_t kind = type == VT_CHUNK_PROCESS && sz >= 12 ? vt_load32(payload + 8) : 0;
  if (kind == VT_PROCESS_EXIT || kind == VT_PROCESS_EXEC) p->said_end = 1;
  if ((type >= VT_CHUNK_MODULE && type < VT_CHUNK_SYMBOLS) || type == VT_CHUNK_MAPPING ||
      type == VT_CHUNK_PATCHED)
    vt_packer_message(&p->out, (vt_chunk_type_t)type, stack, payload, sz);
}

/* put_clock writes a calibration pair; the wall clock is the header's, carried on. */
static void put_clock(pack_t *p, uint64_t const pair[2]) {
  vt_bytes_t b = {0};
  vt_header_t const *h = &p->r->header;
  if (!pair[0]) return;
  vt_bytes_u64(&b, pair[0]);
  vt_bytes_u64(&b, pair[1]);
  vt_bytes_u64(&b, h->start_unix_ns + vt_reader_ns(p->r, pair[0]));
  vt_packer_message(&p->out, VT_CHUNK_CLOCK, 0, b.data, b.sz);
  vt_bytes_free(&b);
}

static void put_counters(pack_t *p) {
  vt_bytes_t b = {0};
  uint64_t const *counters = p->r->tables.counters;
  vt_bytes_u64(&b, VT_COUNTER_MAX);
  for (uint64_t id = 1; id <= VT_COUNTER_MAX; id++) {
    uint64_t value = counters[id];
    if (id == VT_COUNTER_EVENTS) value = p->out.events;
    if (id >= VT_COUNTER_FILE_INODE && id <= VT_COUNTER_FILE_DEVICE) value = 0; /* of that file */
    if (id == VT_COUNTER_LOST && p->sink.lost > value) value = p->sink.lost;
    vt_bytes_u64(&b, id);
    vt_bytes_u64(&b, value);
  }
  vt_packer_message(&p->out, VT_CHUNK_COUNTERS, 0, b.data, b.sz);
  vt_bytes_free(&b);
}

static void pack_segment(pack_t *p, vt_raw_stream_t *state, vt_chunk_t const *c) {
  uint32_t committed, at = 0;
  if (vt_chunk_segment(p->r, c, &p->r->scratch, &committed)) {
    p->damaged = 1;
    return;
  }
  vt_raw_begin(state, p->r->scratch.data);
  while (at < committed)
    vt_packer_add(&p->out, c->writer,
                  vt_raw_decode(state, &p->sink, p->r->scratch.data, &at, committed,
                                vt_packer_room(&p->out, c->writer), VT_PACKER_BATCH));
}

static void pack_stream(pack_t *p, vt_stream_ref_t const *s) {
  vt_raw_stream_t state = {0};
  for (size_t i = 0; i < s->chunks_cnt; i++) {
    vt_chunk_t c;
    if (vt_chunk_header(p->r, s->chunks[i].off, &c) == 0) pack_segment(p, &state, &c);
    vt_progress_show(&p->progress, ++p->done, p->r->integrity.event_chunks);
  }
  vt_raw_stream_fini(&state);
}

/* lacks tells how many chunks the source lacks as far as the scan found, at least 1 if any. */
static uint32_t lacks(vt_reader_t const *r) {
  vt_integrity_t const *in = &r->integrity;
  uint64_t cnt = in->missing_chunks + in->damaged_chunks;
  if (!cnt) return in->torn_bytes || in->recording;
  return cnt < UINT32_MAX ? (uint32_t)cnt : UINT32_MAX;
}

/* Why numbers are skipped: what comes after is then no proof that all is there, like the second CLOCK,
   or END. */
static int pack_raw(pack_t *p, vt_writer_t *writer) {
  p->codec = vt_codec_new();
  vt_packer_open(&p->out, writer, p->codec, &p->r->header);
  p->sink =
      (vt_raw_sink_t){.trie = &p->out.trie,
                      .threads = &p->out.threads,
                      .no_free_stacks = (p->r->header.optional & VT_OPTIONAL_NO_FREE_STACKS) != 0,
                      .message = on_message,
                      .context = p};
  put_clock(p, p->r->clock_first);
  vt_writer_skip(writer, lacks(p->r));
  for (size_t i = 0; i < p->r->streams_cnt; i++) pack_stream(p, &p->r->streams[i]);
  put_clock(p, p->r->clock_last);
  vt_packer_flush(&p->out);
  put_counters(p);
  int whole =
      !lacks(p->r) && !p->damaged && !p->sink.bad && (p->r->integrity.let_go || p->said_end);
  int failed = vt_packer_finish(&p->out, whole);
  vt_codec_delete(p->codec);
  return failed;
}

/* copy_chunk copies one chunk; END and symbols come again later. What is missing stays missing: the
   numbers tell. */
static void copy_chunk(pack_t *p, vt_writer_t *writer, vt_chunk_t const *c) {
  if (c->type == VT_CHUNK_END || c->type == VT_CHUNK_SYMBOLS) return;
  if (c->seq > p->next_seq) vt_writer_skip(writer, (uint32_t)(c->seq - p->next_seq));
  p->next_seq = (uint64_t)c->seq + 1;
  if (vt_chunk_payload(p->r, c, &p->r->scratch)) {
    vt_writer_skip(writer, 1);
    p->damaged = 1;
    return;
  }
  uint16_t kept = c->flags & (uint16_t)(VT_CHUNK_FLAG_REQUIRED | VT_CHUNK_FLAG_ZSTD);
  vt_writer_copy(writer, c->type, kept, c->writer, p->r->scratch.data, p->r->scratch.sz);
}

static int pack_packed(pack_t *p, vt_writer_t *writer) {
  vt_reader_t *r = p->r;
  vt_header_t header = r->header;
  header.optional &= ~VT_OPTIONAL_SYMBOLS;
  vt_writer_header(writer, &header);
  uint64_t off = r->header_sz;
  for (vt_chunk_t c; vt_chunk_header(r, off, &c) == 0;
       off = vt_chunk_end(&c)) {
    copy_chunk(p, writer, &c);
    vt_progress_show(&p->progress, off, r->integrity.file_bytes);
  }
  if (!p->damaged && r->integrity.ended) vt_writer_chunk(writer, VT_CHUNK_END, 0, 0, NULL, 0);
  return vt_writer_close(writer);
}

/* say_missing names one file that would have given better names. */
static void say_missing(vt_symbols_t const *store) {
  char why[256];
  char const *path, *missing;
  for (uint32_t i = 0; (path = vt_symbols_path(store, i)); i++) {
    vt_symbols_problem_t problem = vt_symbols_problem(store, i, &missing);
    if (problem != VT_SYMBOLS_NO_DWO && problem != VT_SYMBOLS_DWP) continue;
    int is_package = problem == VT_SYMBOLS_DWP;
    snprintf(why, sizeof why, "inlined functions have no names %s %s",
             is_package ? "from a package" : "without", missing);
    vt_error_say(path, why, is_package ? "keep the .dwo files it was made of, and pack the trace again"
                                       : "build it again, keep that file, and pack the trace again");
    return;
  }
}

/* embed looks up symbols; the packed trace is whole without them too, but not what was asked for. */
static int embed(char const *path, vt_symbols_search_t const *search, vt_error_t *error) {
  vt_symbols_t *store = vt_symbols_new();
  vt_symbols_search(store, search);
  int failed = vt_embed_symbols(path, store, error);
  say_missing(store);
  vt_symbols_delete(store);
  return failed;
}

static int pack_to(pack_t *p, vt_output_t const *output, vt_symbols_search_t const *search,
                   vt_error_t *error) {
  char const *to = vt_output_path(output);
  vt_writer_t *writer = vt_writer_on(dup(output->fd), to);
  p->progress = vt_progress_start("packing");
  int failed = p->r->info.raw ? pack_raw(p, writer) : pack_packed(p, writer);
  vt_progress_end(&p->progress);
  if (!failed) return search ? embed(to, search, error) : 0;
  vt_error_set(error, output->target, strerror(failed),
               "free some space or name another file with -o");
  return -1;
}

static int is_same(char const *a, char const *b) {
  struct stat x, y;
  return !strcmp(a, b) || (!stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

/* refuse_growing: whoever writes a trace would go on in a file that has no name any more. A copy lacks what comes later,
   and cannot tell by itself that more came. */
static int refuse_growing(vt_reader_t const *r, char const *from, char const *to, vt_error_t *error) {
  if (!r->integrity.recording) return 0;
  if (is_same(from, to)) {
    vt_error_set(error, from, "it is still being recorded, and cannot be replaced", "wait for its end, or give -o OUT for a copy of what is there");
    return 1;
  }
  vt_error_say(from, "it is still being recorded: the copy has what was there, and will be called incomplete", "pack it again when it has ended");
  return 0;
}

int vt_pack(char const *from, char const *to, vt_symbols_search_t const *search,
            vt_error_t *error) {
  pack_t p = {.r = vt_reader_open(from, error)};
  vt_output_t output;
  if (!p.r) return VT_EXIT_INPUT;
  if (refuse_growing(p.r, from, to, error)) {
    vt_reader_close(p.r);
    return VT_EXIT_USAGE;
  }
  int status = VT_EXIT_OUTPUT;
  if (!vt_output_open(&output, to, VT_OUTPUT_TRACE, error)) {
    int whole = !pack_to(&p, &output, search, error);
    if (!vt_output_close(&output, whole, error)) status = VT_EXIT_OK;
  }
  vt_reader_close(p.r);
  return status;
}
