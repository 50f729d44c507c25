/* The messages of a trace as tables. Every payload is hostile: a message that does not parse to its
   end is refused as a whole. */
#include "analyzer/trace/reader_private.h"
#include "analyzer/trace/summary.h"

#define RANGES_MAX      4096
#define MEMORY_KINDS_SZ 24 /* not in old traces */

void vt_tables_clear(vt_tables_t *t) {
  for (size_t i = 0; i < t->owned_cnt; i++) free(t->owned[i]);
  free(t->owned);
  free(t->modules);
  free(t->process);
  free(t->memory);
  free(t->markers);
  free(t->heaps);
  free(t->ops);
  free(t->mappings);
  free(t->patched);
  if (t->summary) vt_summary_free(t->summary);
  free(t->summary);
  free(t->snapshots);
  free(t->leaks_at);
  free(t->pages);
  free(t->jit);
  free(t->codes);
  free(t->refusals);
  *t = (vt_tables_t){0};
}

/* time_of converts the time a message begins with. */
static uint64_t time_of(vt_reader_t *r, vt_cursor_t *c) {
  uint64_t ns = vt_reader_ns(r, vt_cursor_u64(c));
  if (!c->bad && ns > r->tables.end_time) r->tables.end_time = ns;
  return ns;
}

static char *text_of(vt_reader_t *r, vt_cursor_t *c, uint32_t *sz) {
  uint8_t const *p = vt_cursor_string(c, sz);
  return vt_tables_text(&r->tables, p, *sz);
}

static vt_trace_range_t *ranges_of(vt_reader_t *r, vt_cursor_t *c, uint32_t cnt) {
  vt_trace_range_t *ranges = vt_tables_own(&r->tables, vt_mem_new(cnt ? cnt : 1, sizeof *ranges));
  for (uint32_t i = 0; i < cnt; i++) {
    uint64_t start = vt_cursor_u64(c), end = vt_cursor_u64(c);
    ranges[i] = (vt_trace_range_t){start, end, vt_cursor_u64(c)};
  }
  return ranges;
}

static int module(vt_reader_t *r, vt_cursor_t *c) {
  vt_trace_module_t m = {
      .load_time = time_of(r, c), .unload_time = VT_TIME_NEVER, .unload_epoch = UINT32_MAX};
  m.load_epoch = vt_cursor_u32(c);
  m.id = vt_cursor_u32(c);
  m.bias = vt_cursor_u64(c);
  m.start = vt_cursor_u64(c);
  m.end = vt_cursor_u64(c);
  m.flags = vt_cursor_u32(c);
  m.build_id = (uint8_t const *)text_of(r, c, &m.build_id_sz);
  m.path = text_of(r, c, &m.path_sz);
  m.range_cnt = vt_cursor_u32(c);
  if (c->bad || m.range_cnt > RANGES_MAX) return -1;
  m.ranges = ranges_of(r, c, m.range_cnt);
  if (!m.build_id_sz && vt_cursor_left(c) >= 8 * VT_MODULE_FILE_WORDS) { /* not in old traces */
    m.file_device = vt_cursor_u64(c);
    m.file_inode = vt_cursor_u64(c);
    m.file_size = vt_cursor_u64(c);
    m.file_mtime_ns = vt_cursor_u64(c);
  }
  if (!c->bad) VT_PUSH(r->tables.modules, m);
  return 0;
}

/* module_of_id is the latest module of that number: nearly always the one at that index. */
static vt_trace_module_t *module_of_id(vt_tables_t *t, uint32_t id) {
  if (id < t->modules_cnt && t->modules[id].id == id) return &t->modules[id];
  for (size_t i = t->modules_cnt; i-- > 0;)
    if (t->modules[i].id == id) return &t->modules[i];
  return NULL;
}

static int module_unload(vt_reader_t *r, vt_cursor_t *c) {
  uint64_t time = time_of(r, c);
  uint32_t epoch = vt_cursor_u32(c), id = vt_cursor_u32(c);
  if (c->bad) return -1;
  vt_trace_module_t *m = module_of_id(&r->tables, id);
  if (!m) return 0;
  m->unload_time = time;
  m->unload_epoch = epoch;
  return 0;
}

static int process(vt_reader_t *r, vt_cursor_t *c) {
  uint32_t sz;
  vt_trace_process_t p = {.time = time_of(r, c)};
  p.kind = (vt_process_kind_t)vt_cursor_u32(c);
  p.value = vt_cursor_u32(c);
  p.text = text_of(r, c, &sz);
  if (!c->bad) VT_PUSH(r->tables.process, p);
  return 0;
}

static int clock_pair(vt_reader_t *r, vt_cursor_t *c) {
  uint64_t tick = vt_cursor_u64(c), ns = vt_cursor_u64(c);
  vt_cursor_u64(c);
  if (!c->bad) vt_ticks_pair(r, tick, ns);
  return 0;
}

/* memory keeps samples in order of time. One without private bytes is the highest size so far, with
   which writers ended a trace before there was a counter for it. */
static int memory(vt_reader_t *r, vt_cursor_t *c) {
  vt_tables_t *t = &r->tables;
  vt_trace_memory_t m = {.time = time_of(r, c)};
  m.resident_bytes = vt_cursor_u64(c);
  m.private_bytes = vt_cursor_u64(c);
  if (c->bad) return 0;
  uint64_t *peak = &t->counters[VT_COUNTER_PEAK_RESIDENT];
  if (m.resident_bytes > *peak) *peak = m.resident_bytes;
  if (!m.private_bytes) return 0;
  m.kinds_known = vt_cursor_left(c) >= MEMORY_KINDS_SZ;
  if (m.kinds_known) {
    m.file_bytes = vt_cursor_u64(c);
    m.shared_bytes = vt_cursor_u64(c);
    m.swapped_bytes = vt_cursor_u64(c);
  }
  VT_PUSH(t->memory, m);
  for (size_t i = t->memory_cnt - 1; i && t->memory[i - 1].time > m.time; i--) {
    t->memory[i] = t->memory[i - 1];
    t->memory[i - 1] = m;
  }
  return 0;
}

static int marker(vt_reader_t *r, vt_cursor_t *c) {
  uint32_t sz;
  vt_trace_marker_t m = {.time = time_of(r, c)};
  m.tid = vt_cursor_u32(c);
  vt_cursor_u32(c);
  m.text = text_of(r, c, &sz);
  if (!c->bad) VT_PUSH(r->tables.markers, m);
  return 0;
}

static int thread_name(vt_reader_t *r, vt_cursor_t *c) {
  uint32_t sz;
  time_of(r, c);
  vt_thread_id_t who = {.tid = vt_cursor_u32(c)};
  who.number = vt_cursor_u32(c);
  char *name = text_of(r, c, &sz);
  if (c->bad) return -1;
  vt_threads_named(r, who, name);
  return 0;
}

/* add_heap keeps the table in order of time; messages come nearly sorted. */
static void add_heap(vt_tables_t *t, vt_trace_heap_t const *heap) {
  VT_PUSH(t->heaps, *heap);
  for (size_t i = t->heaps_cnt - 1; i && t->heaps[i - 1].time > heap->time; i--) {
    t->heaps[i] = t->heaps[i - 1];
    t->heaps[i - 1] = *heap;
  }
}

/* add_op does, too. The times of events are rounded down to units, so this one must be: what came
   after the operation would else be before it. */
static void add_op(vt_reader_t *r, vt_trace_heap_op_t op) {
  vt_tables_t *t = &r->tables;
  op.time = op.time >> r->header.time_shift << r->header.time_shift;
  VT_PUSH(t->ops, op);
  for (size_t i = t->ops_cnt - 1; i && t->ops[i - 1].time > op.time; i--) {
    t->ops[i] = t->ops[i - 1];
    t->ops[i - 1] = op;
  }
}

static int heap(vt_reader_t *r, vt_cursor_t *c) {
  uint32_t sz;
  vt_trace_heap_t h = {.time = time_of(r, c)};
  h.op = (vt_heap_event_t)vt_cursor_u32(c);
  h.heap = vt_cursor_u32(c);
  h.kind = (vt_heap_kind_t)vt_cursor_u32(c);
  h.parent = vt_cursor_u32(c);
  uint8_t const *uuid = vt_cursor_take(c, sizeof h.uuid);
  if (uuid) memcpy(h.uuid, uuid, sizeof h.uuid);
  h.base = vt_cursor_u64(c);
  h.size = vt_cursor_u64(c);
  h.name = text_of(r, c, &sz);
  if (c->bad) return 0;
  add_heap(&r->tables, &h);
  if (h.op == VT_HEAP_CREATE || h.op == VT_HEAP_DELETE)
    add_op(r, (vt_trace_heap_op_t){.time = h.time, .heap = h.heap, .op = VT_HEAP_OP_GONE});
  if ((h.op == VT_HEAP_CREATE || h.op == VT_HEAP_ATTACH) && !h.parent)
    add_op(r, (vt_trace_heap_op_t){h.time, h.heap, VT_HEAP_OP_BASE, h.base});
  return 0;
}

static int heap_op(vt_reader_t *r, vt_cursor_t *c) {
  vt_trace_heap_op_t op = {.time = time_of(r, c)};
  op.heap = vt_cursor_u32(c);
  op.op = (vt_heap_op_t)vt_cursor_u32(c);
  op.tag = vt_cursor_u64(c);
  if (c->bad) return -1;
  add_op(r, op);
  return 0;
}

static int counters(vt_reader_t *r, vt_cursor_t *c) {
  uint64_t cnt = vt_cursor_u64(c);
  if (cnt > vt_cursor_left(c) / 16) return -1;
  while (cnt--) {
    uint64_t id = vt_cursor_u64(c), value = vt_cursor_u64(c);
    if (id > VT_COUNTER_MAX) continue;
    r->tables.counters[id] = value;
    r->tables.counters_known |= (uint64_t)1 << id;
  }
  return 0;
}

int vt_tables_mapping(vt_reader_t *r, uint32_t stack, uint8_t const *payload, size_t sz) {
  vt_cursor_t cursor = vt_cursor(payload, sz), *c = &cursor;
  uint32_t file_sz;
  vt_trace_mapping_t m = {.time = time_of(r, c), .begun = vt_reader_ns(r, vt_cursor_u64(c))};
  m.op = (vt_mapping_op_t)vt_cursor_u32(c);
  m.api = (vt_mapping_api_t)vt_cursor_u32(c);
  m.tid = vt_cursor_u32(c);
  m.by_allocator = (vt_cursor_u32(c) & VT_MAPPING_BY_ALLOCATOR) != 0;
  m.address = vt_cursor_u64(c);
  m.size = vt_cursor_u64(c);
  m.old_address = vt_cursor_u64(c);
  m.old_size = vt_cursor_u64(c);
  m.prot = vt_cursor_u32(c);
  m.flags = vt_cursor_u32(c);
  m.offset = vt_cursor_u64(c);
  m.file = text_of(r, c, &file_sz);
  m.stack = stack;
  if (c->bad) return -1;
  VT_PUSH(r->tables.mappings, m);
  return 0;
}

/* mappings is a chunk of many of them. */
static int mappings(vt_reader_t *r, vt_cursor_t *c) {
  while (vt_cursor_left(c)) {
    uint32_t stack = vt_cursor_u32(c), sz;
    uint8_t const *payload = vt_cursor_string(c, &sz);
    if (c->bad || vt_tables_mapping(r, stack, payload, sz)) return -1;
  }
  return 0;
}

static int snapshot(vt_reader_t *r, vt_cursor_t *c) {
  vt_trace_snapshot_t s = {.time = time_of(r, c)};
  s.kind = (vt_snapshot_kind_t)vt_cursor_u32(c);
  s.flags = vt_cursor_u32(c);
  s.tid = vt_cursor_u32(c);
  s.range_cnt = vt_cursor_u32(c);
  s.sp = vt_cursor_u64(c);
  if (c->bad || s.range_cnt > vt_cursor_left(c) / 20) return -1;
  vt_trace_own_t *ranges = vt_tables_own(&r->tables, vt_mem_new(s.range_cnt + 1, sizeof *ranges));
  for (uint32_t i = 0; i < s.range_cnt; i++) {
    ranges[i].kind = (vt_range_kind_t)vt_cursor_u32(c);
    ranges[i].start = vt_cursor_u64(c);
    ranges[i].end = vt_cursor_u64(c);
  }
  s.ranges = ranges;
  VT_PUSH(r->tables.snapshots, s);
  return 0;
}

static int patched(vt_reader_t *r, vt_cursor_t *c) {
  vt_trace_patched_t p = {.time = time_of(r, c)};
  uint32_t sz;
  p.flags = vt_cursor_u32(c);
  p.address = vt_cursor_u64(c);
  p.name = text_of(r, c, &sz);
  p.module = text_of(r, c, &sz);
  p.why = text_of(r, c, &sz);
  if (c->bad) return -1;
  VT_PUSH(r->tables.patched, p);
  return 0;
}

int vt_tables_message(vt_reader_t *r, uint16_t type, uint8_t const *payload, size_t sz) {
  static int (*const parse[])(vt_reader_t *, vt_cursor_t *) = {
      [VT_CHUNK_MODULE] = module,      [VT_CHUNK_MODULE_UNLOAD] = module_unload,
      [VT_CHUNK_PROCESS] = process,    [VT_CHUNK_CLOCK] = clock_pair,
      [VT_CHUNK_MEMORY] = memory,      [VT_CHUNK_MARKER] = marker,
      [VT_CHUNK_THREAD] = thread_name, [VT_CHUNK_HEAP] = heap,
      [VT_CHUNK_HEAP_OP] = heap_op,    [VT_CHUNK_COUNTERS] = counters,
      [VT_CHUNK_MAPPING] = mappings,   [VT_CHUNK_SNAPSHOT] = snapshot,
      [VT_CHUNK_PATCHED] = patched,    [VT_CHUNK_SUMMARY] = vt_tables_summary,
      [VT_CHUNK_LEAKS] = vt_tables_leaks, [VT_CHUNK_LEAKS_AT] = vt_tables_leaks_at,
      [VT_CHUNK_PAGES] = vt_tables_pages,
      [VT_CHUNK_JIT] = vt_tables_jit,     [VT_CHUNK_VFRAMES] = vt_tables_vframes};
  if (type >= sizeof parse / sizeof parse[0] || !parse[type]) return 0;
  vt_cursor_t c = vt_cursor(payload, sz);
  return parse[type](r, &c) || c.bad ? -1 : 0;
}

int vt_reader_add_snapshot(vt_reader_t *r, uint8_t const *payload, size_t sz) {
  vt_cursor_t c = vt_cursor(payload, sz);
  if (snapshot(r, &c) || c.bad) return -1;
  vt_trace_snapshot_t *s = &r->tables.snapshots[r->tables.snapshots_cnt - 1];
  s->time = vt_reader_ns(r, s->time);
  return 0;
}

static void convert(vt_reader_t const *r, uint64_t *time) { *time = vt_reader_ns(r, *time); }

void vt_tables_convert(vt_reader_t *r) {
  vt_tables_t *t = &r->tables;
  for (size_t i = 0; i < t->modules_cnt; i++) {
    convert(r, &t->modules[i].load_time);
    if (t->modules[i].unload_time != VT_TIME_NEVER) convert(r, &t->modules[i].unload_time);
  }
  for (size_t i = 0; i < t->process_cnt; i++) convert(r, &t->process[i].time);
  for (size_t i = 0; i < t->memory_cnt; i++) convert(r, &t->memory[i].time);
  for (size_t i = 0; i < t->markers_cnt; i++) convert(r, &t->markers[i].time);
  for (size_t i = 0; i < t->heaps_cnt; i++) convert(r, &t->heaps[i].time);
  for (size_t i = 0; i < t->ops_cnt; i++) convert(r, &t->ops[i].time);
  for (size_t i = 0; i < t->mappings_cnt; i++) {
    convert(r, &t->mappings[i].time);
    convert(r, &t->mappings[i].begun);
  }
  for (size_t i = 0; i < t->patched_cnt; i++) convert(r, &t->patched[i].time);
  for (size_t i = 0; i < t->snapshots_cnt; i++) convert(r, &t->snapshots[i].time);
  for (size_t i = 0; i < t->leaks_at_cnt; i++) convert(r, &t->leaks_at[i]->time);
  for (size_t i = 0; i < t->pages_cnt; i++) {
    convert(r, &t->pages[i].time);
    convert(r, &t->pages[i].end_time);
  }
  for (size_t i = 0; i < t->jit_cnt; i++) convert(r, &t->jit[i].time);
  vt_tables_convert_summary(r);
  vt_tables_sort_jit(r);
  convert(r, &t->end_time);
}
