/* See embed.h. */
#include "analyzer/trace/embed.h"
#include "analyzer/trace/reader_private.h"
#include "analyzer/trace/writer.h"

#include <unistd.h>

#define TRACES_MAX 64 /* open at one time: each has its stacks in memory */

typedef struct {
  vt_symbols_query_t *queries;
  size_t queries_cnt, queries_cap;
} queries_t;

typedef struct {
  vt_reader_t *r;
  vt_symbols_t *store;
  vt_symbols_query_t *queries; /* module: index in the trace's table */
  size_t queries_cnt, queries_cap;
  uint32_t *number;  /* module index -> number in the store */
  uint32_t *string;  /* store's string -> index in the chunk + 1 */
  uint32_t *strings; /* index in the chunk -> store's string */
  size_t strings_cnt, strings_cap;
  vt_bytes_t out;
} embed_t;

static int by_address(void const *a, void const *b) {
  vt_symbols_query_t const *x = a, *y = b;
  if (x->module != y->module) return x->module < y->module ? -1 : 1;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* collect makes the sorted list of distinct code addresses. */
static void collect(embed_t *e) {
  vt_trie_t const *t = &e->r->trie;
  uint32_t *epoch = vt_mem_new(t->cnt, sizeof *epoch);
  for (uint32_t node = 1; node < t->cnt; node++) {
    uint64_t pc = t->pc[node];
    epoch[node] = t->parent[node] ? epoch[t->parent[node]] : (uint32_t)pc;
    if (!t->parent[node] || pc == VT_ADDRESS_TRUNCATED || pc == VT_ADDRESS_CUT ||
        pc & VT_VIRTUAL_BIT)
      continue;
    vt_symbols_query_t q = {0};
    q.module = vt_reader_code_at(e->r, epoch[node], pc, &q.offset);
    if (q.module == VT_NO_MODULE) continue;
    VT_PUSH(e->queries, q);
  }
  free(epoch);
  size_t kept = 0;
  if (e->queries_cnt) qsort(e->queries, e->queries_cnt, sizeof *e->queries, by_address);
  for (size_t i = 0; i < e->queries_cnt; i++)
    if (!kept || by_address(&e->queries[kept - 1], &e->queries[i]))
      e->queries[kept++] = e->queries[i];
  e->queries_cnt = kept;
}

/* Files on another machine say nothing of this one's. */
static int recorded_here(vt_trace_info_t const *info) {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  return !strcmp(host, info->host);
}

uint32_t vt_embed_module(vt_symbols_t *store, vt_reader_t const *r, size_t i) {
  size_t cnt;
  vt_trace_info_t const *info = vt_reader_info(r);
  vt_trace_module_t const *m = &vt_reader_modules(r, &cnt)[i];
  vt_symbols_file_t file = {.path = m->path,
                            .fd = -1,
                            .build_id = m->build_id,
                            .build_id_sz = m->build_id_sz,
                            .device = m->file_device,
                            .inode = m->file_inode,
                            .size = m->file_size,
                            .mtime_ns = m->file_mtime_ns};
  if (info->start_unix_ns) /* else an import, of a log that does not tell */
    file.loaded_unix_ns = recorded_here(info) ? info->start_unix_ns + m->load_time : 1;
  return vt_symbols_module(store, &file);
}

/* number gives the modules their numbers in the store and adds the addresses to those it is asked for. */
static void number(embed_t *e, queries_t *asked) {
  e->number = vt_mem_new(e->r->tables.modules_cnt, sizeof *e->number);
  for (size_t i = 0; i < e->r->tables.modules_cnt; i++)
    e->number[i] = vt_embed_module(e->store, e->r, i);
  for (size_t i = 0; i < e->queries_cnt; i++) {
    vt_symbols_query_t q = {e->number[e->queries[i].module], e->queries[i].offset};
    VT_PUSH(asked->queries, q);
  }
}

static uint32_t string_index(embed_t *e, uint32_t string) {
  if (!e->string[string]) {
    VT_PUSH(e->strings, string);
    e->string[string] = (uint32_t)e->strings_cnt;
  }
  return e->string[string] - 1;
}

static void put_symbol(embed_t *e, vt_symbols_query_t const *q) {
  vt_frame_t const *frames;
  size_t cnt = vt_symbols_frames(e->store, e->number[q->module], q->offset, &frames);
  if (cnt > UINT16_MAX) cnt = UINT16_MAX;
  vt_bytes_u32(&e->out, e->r->tables.modules[q->module].id);
  vt_bytes_u64(&e->out, q->offset);
  vt_bytes_u16(&e->out, (uint16_t)cnt);
  for (size_t i = 0; i < cnt; i++) {
    vt_bytes_u32(&e->out, string_index(e, frames[i].function));
    vt_bytes_u32(&e->out, string_index(e, frames[i].file));
    vt_bytes_u32(&e->out, frames[i].line);
  }
}

static void encode(embed_t *e) {
  vt_strings_t const *strings = vt_symbols_strings(e->store);
  e->string = vt_mem_new(vt_strings_cnt(strings) + 1, sizeof *e->string);
  string_index(e, 0);
  vt_bytes_u32(&e->out, (uint32_t)e->queries_cnt);
  for (size_t i = 0; i < e->queries_cnt; i++) put_symbol(e, &e->queries[i]);
  vt_bytes_u32(&e->out, (uint32_t)e->strings_cnt);
  for (size_t i = 0; i < e->strings_cnt; i++) {
    size_t sz;
    char const *s = vt_strings_get(strings, e->strings[i], &sz);
    vt_bytes_string(&e->out, s, sz);
  }
}

/* append writes the chunk behind the last one and sets the header's bit. */
static int append(embed_t *e, char const *path, uint64_t max, vt_error_t *error) {
  vt_writer_t *w = vt_writer_append(path, (uint32_t)e->r->last_seq, error);
  if (!w) return -1;
  vt_writer_limit(w, max);
  e->r->header.optional |= VT_OPTIONAL_SYMBOLS;
  vt_writer_chunk(w, VT_CHUNK_SYMBOLS, VT_CHUNK_FLAG_ZSTD, 0, e->out.data, e->out.sz);
  vt_writer_flush(w);
  if (!vt_writer_failed(w) && !vt_writer_full(w)) vt_writer_header(w, &e->r->header);
  int failed = vt_writer_close(w);
  if (failed) vt_error_set(error, path, strerror(failed), "the trace has no symbols embedded");
  return failed ? -1 : 0;
}

/* begin reads a trace's addresses. Nothing is asked for in a damaged one. */
static void begin(embed_t *e, vt_embed_t *trace, vt_symbols_t *store, queries_t *asked) {
  e->store = store;
  e->r = vt_reader_open(trace->path, &trace->error);
  trace->failed = !e->r;
  if (!e->r || e->r->integrity.torn_bytes) return;
  collect(e);
  number(e, asked);
}

static void finish(embed_t *e, vt_embed_t *trace) {
  if (e->number && e->queries_cnt) {
    encode(e);
    trace->failed = append(e, trace->path, trace->max, &trace->error);
  }
  vt_reader_close(e->r);
  vt_bytes_free(&e->out);
  free(e->queries);
  free(e->number);
  free(e->string);
  free(e->strings);
}

/* embed_some asks once for all addresses of some traces. */
static void embed_some(vt_embed_t *traces, size_t cnt, vt_symbols_t *store) {
  embed_t work[TRACES_MAX] = {0};
  queries_t asked = {0};
  for (size_t i = 0; i < cnt; i++) begin(&work[i], &traces[i], store, &asked);
  vt_symbols_resolve(store, asked.queries, asked.queries_cnt);
  for (size_t i = 0; i < cnt; i++) finish(&work[i], &traces[i]);
  free(asked.queries);
}

void vt_embed_traces(vt_embed_t *traces, size_t cnt, vt_symbols_t *store) {
  for (size_t i = 0; i < cnt; i += TRACES_MAX)
    embed_some(traces + i, cnt - i < TRACES_MAX ? cnt - i : TRACES_MAX, store);
}

int vt_embed_symbols(char const *path, vt_symbols_t *store, vt_error_t *error) {
  vt_embed_t trace = {.path = path};
  vt_embed_traces(&trace, 1, store);
  if (trace.failed) *error = trace.error;
  return trace.failed ? -1 : 0;
}
