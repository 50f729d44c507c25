/* An SQLite database with the tables Perfetto uses for native heap profiles, the totals, and what
   they come from: every block with its beginning and end, the threads, and how it went on in time.
 */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/export/export.h"
#include "analyzer/model/blocks.h"
#include "analyzer/report/totals.h"
#include "analyzer/util/mem.h"

static char const schema[] =
    "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;"
    "CREATE TABLE stack_profile_mapping(id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
    "CREATE TABLE stack_profile_frame(id INTEGER PRIMARY KEY, name TEXT, mapping INT, rel_pc INT,"
    " source_file TEXT, line_number INT, inlined INT);"
    "CREATE TABLE stack_profile_callsite(id INTEGER PRIMARY KEY, depth INT, parent_id INT, "
    "frame_id INT);"
    "CREATE TABLE heap_profile_allocation(id INTEGER PRIMARY KEY, ts INT, upid INT, heap_name TEXT,"
    " callsite_id INT, count INT, size INT, frees INT, freed_size INT, temporary INT,"
    " peak_count INT, peak_size INT, leaked_count INT, leaked_size INT, nested INT,"
    " lost_count INT, lost_size INT, possible_count INT, possible_size INT, reachable_count INT,"
    " reachable_size INT, unsure_size INT, peak_unsure_size INT, count_error INT, size_error INT, temporary_error INT,"
    " peak_count_error INT, peak_size_error INT, leaked_count_error INT, leaked_size_error INT);"
    "CREATE TABLE thread(id INTEGER PRIMARY KEY, upid INT, tid INT, nth INT, name TEXT);"
    "CREATE TABLE block(id INTEGER PRIMARY KEY, address INT, size INT, heap_name TEXT, site_id INT,"
    " alloc_ts INT, alloc_thread INT, free_ts INT, free_thread INT, free_callsite_id INT,"
    " resized INT, stands_for_count INT, stands_for_size INT);"
    "CREATE TABLE timeline(ts INT, max_bytes INT, end_bytes INT, end_blocks INT, allocations INT,"
    " allocated_bytes INT, frees INT, max_at_least_bytes INT);"
    "CREATE TABLE mapping(ts INT, upid INT, op INT, api INT, address INT, size INT);"
    "CREATE TABLE memory(ts INT, upid INT, resident_bytes INT);"
    "CREATE TABLE totals(name TEXT PRIMARY KEY, value INT);";

typedef struct {
  sqlite3 *db;
  sqlite3_stmt *mapping, *mapping_id, *frame, *callsite, *allocation, *total;
  sqlite3_stmt *thread, *block, *timeline, *memory, *range;
  int64_t frame_cnt, callsite_cnt;
  vt_export_t const *export;
  uint32_t **nodes;  /* by trace, by stack, also of those that free */
  vt_blocks_t *live; /* by heap, during the replay */
  size_t live_cnt, live_cap;
  int64_t *callsites; /* by node: the callsite of its innermost function; 0: none yet */
} database_t;

static void step(sqlite3_stmt *statement) {
  sqlite3_step(statement);
  sqlite3_reset(statement);
}

/* bind_text binds a name; SQLite takes any bytes for UTF-8, and who reads them trips over them. */
static void bind_text(sqlite3_stmt *statement, int at, char const *text) {
  sqlite3_bind_text(statement, at, vt_json_utf8(text, strlen(text), NULL), -1, free);
}

static int64_t mapping_of(database_t *db, char const *path) {
  bind_text(db->mapping, 1, path);
  step(db->mapping);
  bind_text(db->mapping_id, 1, path);
  int64_t id =
      sqlite3_step(db->mapping_id) == SQLITE_ROW ? sqlite3_column_int64(db->mapping_id, 0) : 0;
  sqlite3_reset(db->mapping_id);
  return id;
}

static int64_t add_callsite(database_t *db, vt_stack_frame_t const *frame, int64_t parent,
                            int64_t depth) {
  char buffer[300];
  sqlite3_bind_int64(db->frame, 1, ++db->frame_cnt);
  bind_text(db->frame, 2, vt_frame_name(frame, buffer, sizeof buffer));
  sqlite3_bind_int64(db->frame, 3, mapping_of(db, frame->module));
  sqlite3_bind_int64(db->frame, 4, (int64_t)frame->offset);
  bind_text(db->frame, 5, frame->file);
  sqlite3_bind_int64(db->frame, 6, frame->line);
  sqlite3_bind_int(db->frame, 7, frame->inlined);
  step(db->frame);
  sqlite3_bind_int64(db->callsite, 1, ++db->callsite_cnt);
  sqlite3_bind_int64(db->callsite, 2, depth);
  if (parent)
    sqlite3_bind_int64(db->callsite, 3, parent);
  else
    sqlite3_bind_null(db->callsite, 3);
  sqlite3_bind_int64(db->callsite, 4, db->frame_cnt);
  step(db->callsite);
  return db->callsite_cnt;
}

/* The callsites of a node's functions below those of its caller; returns the innermost one. */
static int64_t add_node(database_t *db, vt_export_t const *export, uint32_t node, int hide) {
  vt_stacks_t const *stacks = export->analysis->stacks;
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  int64_t at = db->callsites[vt_stacks_parent(stacks, node)], depth = 0;
  size_t cnt = vt_stacks_frames(stacks, node, hide, frames);
  for (uint32_t up = vt_stacks_parent(stacks, node); up; up = vt_stacks_parent(stacks, up)) depth++;
  while (cnt--)
    if (!export->report->no_inlines || !frames[cnt].inlined)
      at = add_callsite(db, &frames[cnt], at, depth);
  return at;
}

/* Callers come before callees, so parents are there. */
static void add_callsites(database_t *db, vt_export_t const *export) {
  for (uint32_t node = 1; node < vt_stacks_cnt(export->analysis->stacks); node++)
    db->callsites[node] = add_node(db, export, node, 0);
}

/* Where a site allocates: without the allocators inlined at its inner end, unless they are wanted.
 */
static int64_t callsite_of(database_t *db, vt_export_t const *export, uint32_t node) {
  vt_stacks_t const *stacks = export->analysis->stacks;
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  if (!node || export->report->keep_allocators ||
      vt_stacks_frames(stacks, node, 0, frames) == vt_stacks_frames(stacks, node, 1, frames))
    return db->callsites[node];
  return add_node(db, export, node, 1);
}

/* bind_kinds binds what became of the live blocks; NULL without a verdict. */
static void bind_kinds(sqlite3_stmt *s, int at, vt_analysis_t const *analysis, vt_site_t const *site) {
  static vt_metric_t const kinds[] = {VT_METRIC_LOST, VT_METRIC_POSSIBLE, VT_METRIC_REACHABLE};
  for (int k = 0; k < 3; k++) {
    if (analysis->verdicts) {
      sqlite3_bind_int64(s, at + 2 * k, (int64_t)vt_metric_blocks(kinds[k], site));
      sqlite3_bind_int64(s, at + 2 * k + 1, (int64_t)vt_metric_bytes(kinds[k], site));
    } else {
      sqlite3_bind_null(s, at + 2 * k);
      sqlite3_bind_null(s, at + 2 * k + 1);
    }
  }
}

/* bind_errors binds the standard errors of a sampled trace's estimates; 0: it was counted. */
static void bind_errors(sqlite3_stmt *s, int at, vt_site_t const *site) {
  vt_cell_spread_t const *spread = &site->spread;
  double const variances[] = {spread->allocated.blocks, spread->allocated.bytes, spread->temporary.blocks, spread->peak.blocks,
                              spread->peak.bytes,       spread->live.blocks,     spread->live.bytes};
  for (int i = 0; i < (int)(sizeof variances / sizeof *variances); i++)
    sqlite3_bind_int64(s, at + i, (int64_t)vt_estimate_error(variances[i]));
}

static void add_site(database_t *db, vt_export_t const *export, vt_site_t const *site) {
  char heap[32];
  sqlite3_stmt *s = db->allocation;
  uint64_t const values[] = {site->allocations,     site->allocated_bytes, site->frees,
                             site->freed_bytes,     site->temporary,       site->peak_blocks,
                             site->peak_bytes,      site->leaked_blocks,   site->leaked_bytes,
                             (uint64_t)site->nested};
  sqlite3_bind_int64(s, 1, (int64_t)vt_reader_end_time(export->analysis->readers[site->trace]));
  sqlite3_bind_int64(s, 2, vt_reader_info(export->analysis->readers[site->trace])->pid);
  bind_text(s, 3, vt_analysis_heap_name(export->analysis, site->heap, heap));
  sqlite3_bind_int64(s, 4, callsite_of(db, export, site->node));
  for (int i = 0; i < (int)(sizeof values / sizeof *values); i++)
    sqlite3_bind_int64(s, 5 + i, (int64_t)values[i]);
  if (site->untold) sqlite3_bind_null(s, 9); /* temporary */
  int at = 5 + (int)(sizeof values / sizeof *values);
  bind_kinds(s, at, export->analysis, site);
  sqlite3_bind_int64(s, at + 6, (int64_t)site->unsure_bytes);
  sqlite3_bind_int64(s, at + 7, (int64_t)site->peak_unsure_bytes);
  bind_errors(s, at + 8, site);
  step(s);
}

static void add_total(database_t *db, char const *name, uint64_t value) {
  sqlite3_bind_text(db->total, 1, name, -1, SQLITE_STATIC);
  sqlite3_bind_int64(db->total, 2, (int64_t)value);
  step(db->total);
}

static void add_kinds(database_t *db, vt_analysis_t const *analysis) {
  vt_verdict_t const *v = &analysis->verdict;
  if (!analysis->verdicts) return;
  add_total(db, "lost_bytes", vt_lost_bytes(v));
  add_total(db, "lost_blocks", vt_lost_blocks(v));
  add_total(db, "possible_bytes", v->bytes[VT_LEAK_POSSIBLE]);
  add_total(db, "possible_blocks", v->blocks[VT_LEAK_POSSIBLE]);
  add_total(db, "reachable_bytes", v->bytes[VT_LEAK_REACHABLE]);
  add_total(db, "reachable_blocks", v->blocks[VT_LEAK_REACHABLE]);
}

/* add_totals: of a sampled trace each has its standard error beside it, and those that were counted are that. */
static void add_totals(database_t *db, vt_analysis_t const *analysis) {
  static struct {
    vt_total_name_t total;
    char const *name, *error;
  } const rows[] = {{VT_TOTAL_ALLOCATIONS, "allocations", "allocations_error"},
                    {VT_TOTAL_ALLOCATED, "allocated_bytes", "allocated_bytes_error"},
                    {VT_TOTAL_FREES, "frees", "frees_error"},
                    {VT_TOTAL_TEMPORARY, "temporary", "temporary_error"},
                    {VT_TOTAL_PEAK, "peak_bytes", "peak_bytes_error"},
                    {VT_TOTAL_LIVE, "leaked_bytes", "leaked_bytes_error"},
                    {VT_TOTAL_LIVE_BLOCKS, "leaked_blocks", "leaked_blocks_error"}};
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    vt_total_t total = vt_total(analysis, rows[i].total);
    if (total.known) add_total(db, rows[i].name, total.value);
    if (total.known && analysis->sampled.period) add_total(db, rows[i].error, (uint64_t)(total.error + 0.5));
  }
  add_total(db, "peak_at_least_bytes", totals->peak_at_least);
  add_total(db, "unsure_bytes", totals->unsure_bytes);
  add_total(db, "unsure_blocks", totals->unsure_blocks);
  if (analysis->sampled.period) add_total(db, "sampled", analysis->sampled.period);
}

static int prepare(database_t *db) {
  struct {
    sqlite3_stmt **statement;
    char const *text;
  } const all[] = {{&db->mapping, "INSERT OR IGNORE INTO stack_profile_mapping(name) VALUES(?)"},
                   {&db->mapping_id, "SELECT id FROM stack_profile_mapping WHERE name=?"},
                   {&db->frame, "INSERT INTO stack_profile_frame VALUES(?,?,?,?,?,?,?)"},
                   {&db->callsite, "INSERT INTO stack_profile_callsite VALUES(?,?,?,?)"},
                   {&db->allocation,
                    "INSERT INTO heap_profile_allocation VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
                   {&db->total, "INSERT INTO totals VALUES(?,?)"},
                   {&db->thread, "INSERT INTO thread VALUES(?,?,?,?,?)"},
                   {&db->block, "INSERT INTO block VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?)"},
                   {&db->timeline, "INSERT INTO timeline VALUES(?,?,?,?,?,?,?,?)"},
                   {&db->memory, "INSERT INTO memory VALUES(?,?,?)"},
                   {&db->range, "INSERT INTO mapping VALUES(?,?,?,?,?,?)"}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (sqlite3_prepare_v2(db->db, all[i].text, -1, all[i].statement, NULL)) return -1;
  return 0;
}

/* ---- blocks ---- */

static void bind_thread(sqlite3_stmt *s, int at, uint32_t thread) {
  if (thread == VT_MODEL_NO_THREAD)
    sqlite3_bind_null(s, at);
  else
    sqlite3_bind_int64(s, at, (int64_t)thread + 1);
}

/* share_of is what a block stands for: of a sampled trace, others that were not recorded, too. */
static vt_share_t share_of(vt_analysis_t const *analysis, vt_cell_t const *cell, vt_block_t const *block) {
  uint64_t period = vt_reader_info(analysis->readers[cell->trace])->sample_period;
  return period ? vt_estimate_share(period, block->size, vt_estimate_identity(block->address, block->time))
                : (vt_share_t){1, block->size};
}

/* Writes a block; ends: NULL, it is live at the end. */
static void add_block(database_t *db, vt_block_t const *block, vt_model_change_t const *ends) {
  char heap[32];
  size_t cnt;
  vt_analysis_t const *analysis = db->export->analysis;
  vt_cell_t const *cell = &vt_model_cells(analysis->model, &cnt)[block->cell];
  sqlite3_stmt *s = db->block;
  sqlite3_bind_int64(s, 1, (int64_t)block->address);
  sqlite3_bind_int64(s, 2, (int64_t)block->size);
  bind_text(s, 3, vt_analysis_heap_name(analysis, cell->heap, heap));
  sqlite3_bind_int64(s, 4, analysis->cell_sites[block->cell]);
  sqlite3_bind_int64(s, 5, (int64_t)block->time);
  bind_thread(s, 6, block->thread);
  sqlite3_bind_null(s, 7);
  sqlite3_bind_null(s, 8);
  sqlite3_bind_null(s, 9);
  sqlite3_bind_int(s, 10, ends && ends->intent != ends->event);
  vt_share_t share = share_of(analysis, cell, block);
  sqlite3_bind_int64(s, 11, (int64_t)share.blocks);
  sqlite3_bind_int64(s, 12, (int64_t)share.bytes);
  if (ends) {
    sqlite3_bind_int64(s, 7, (int64_t)ends->time);
    bind_thread(s, 8, ends->thread);
    if (ends->stack) sqlite3_bind_int64(s, 9, db->callsites[db->nodes[ends->trace][ends->stack]]);
  }
  step(s);
}

static vt_blocks_t *live_of(database_t *db, uint32_t heap) {
  while (db->live_cnt <= heap) {
    vt_blocks_t blocks;
    vt_blocks_init(&blocks);
    VT_PUSH(db->live, blocks);
  }
  return &db->live[heap];
}

static void changed(void *context, vt_model_change_t const *change) {
  database_t *db = context;
  vt_blocks_t *live = live_of(db, change->heap);
  vt_block_t *slot = vt_blocks_find(live, change->address);
  if (!change->begins) {
    add_block(db, slot, change);
    vt_blocks_remove(live, slot);
    return;
  }
  vt_block_t block = {change->address, change->size, change->time, change->cell, change->owner};
  vt_blocks_insert(live, slot, block, 0);
}

static void add_blocks(database_t *db) {
  vt_model_watch_t watch = {.changed = changed, .context = db, .nested = 1};
  vt_analysis_replay(db->export->analysis, db->export->options, &watch);
  for (size_t heap = 0; heap < db->live_cnt; heap++) {
    for (size_t i = 0; i <= db->live[heap].mask; i++)
      if (db->live[heap].slots[i].cell) add_block(db, &db->live[heap].slots[i], NULL);
    vt_blocks_fini(&db->live[heap]);
  }
  free(db->live);
}

/* Stacks that free are known to the analysis only now. */
static void find_nodes(database_t *db) {
  vt_analysis_t *analysis = db->export->analysis;
  db->nodes = vt_mem_new(analysis->trace_cnt, sizeof *db->nodes);
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    uint32_t cnt = vt_reader_stacks(analysis->readers[t]).cnt;
    uint8_t *used = vt_mem_new((size_t)cnt + 1, 1);
    memset(used, 1, cnt);
    db->nodes[t] = vt_stacks_add(analysis->stacks, analysis->readers[t], used);
    free(used);
  }
  vt_stacks_symbolize(analysis->stacks);
}

/* ---- threads and time ---- */

static void add_threads(database_t *db) {
  vt_analysis_t const *analysis = db->export->analysis;
  size_t cnt;
  vt_model_thread_t const *threads = vt_model_threads(analysis->model, &cnt);
  for (uint32_t i = 0; i < cnt; i++) {
    vt_trace_thread_t info = vt_analysis_thread(analysis, i);
    sqlite3_bind_int64(db->thread, 1, (int64_t)i + 1);
    sqlite3_bind_int64(db->thread, 2, vt_reader_info(analysis->readers[threads[i].trace])->pid);
    sqlite3_bind_int64(db->thread, 3, info.tid);
    sqlite3_bind_int64(db->thread, 4, info.nth);
    bind_text(db->thread, 5, info.name);
    step(db->thread);
  }
}

static void add_timeline(database_t *db) {
  size_t cnt;
  uint64_t width;
  vt_moment_t const *moments = vt_model_timeline(db->export->analysis->model, &cnt, &width);
  for (size_t i = 0; i < cnt; i++) {
    uint64_t const values[] = {i * width,
                               moments[i].max_bytes,
                               moments[i].end_bytes,
                               moments[i].end_blocks,
                               moments[i].allocations,
                               moments[i].allocated_bytes,
                               moments[i].frees,
                               moments[i].sure_bytes};
    for (int k = 0; k < (int)(sizeof values / sizeof *values); k++) sqlite3_bind_int64(db->timeline, k + 1, (int64_t)values[k]);
    step(db->timeline);
  }
}

static void add_memory(database_t *db) {
  vt_analysis_t const *analysis = db->export->analysis;
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt;
    vt_trace_memory_t const *samples = vt_reader_memory(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++) {
      sqlite3_bind_int64(db->memory, 1,
                         (int64_t)(vt_analysis_shift(analysis, t) + samples[i].time));
      sqlite3_bind_int64(db->memory, 2, vt_reader_info(analysis->readers[t])->pid);
      sqlite3_bind_int64(db->memory, 3, (int64_t)samples[i].resident_bytes);
      step(db->memory);
    }
  }
}

/* What the program mapped by calls of its own, where that was recorded. */
static void add_mappings(database_t *db) {
  vt_analysis_t const *analysis = db->export->analysis;
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt;
    vt_trace_mapping_t const *mappings = vt_reader_mappings(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++) {
      uint64_t const values[] = {vt_analysis_shift(analysis, t) + mappings[i].time,
                                 vt_reader_info(analysis->readers[t])->pid,
                                 mappings[i].op,
                                 mappings[i].api,
                                 mappings[i].address,
                                 mappings[i].size};
      for (int k = 0; k < 6; k++) sqlite3_bind_int64(db->range, k + 1, (int64_t)values[k]);
      step(db->range);
    }
  }
}

static int fill(database_t *db, vt_export_t const *export) {
  if (sqlite3_exec(db->db, schema, NULL, NULL, NULL) || prepare(db)) return -1;
  db->export = export;
  find_nodes(db);
  db->callsites = calloc(vt_stacks_cnt(export->analysis->stacks), sizeof *db->callsites);
  if (!db->callsites) return -1;
  add_callsites(db, export);
  for (size_t i = 0; i < export->analysis->sites_cnt; i++)
    add_site(db, export, &export->analysis->sites[i]);
  add_totals(db, export->analysis);
  add_kinds(db, export->analysis);
  add_threads(db);
  add_timeline(db);
  add_memory(db);
  add_mappings(db);
  add_blocks(db);
  return sqlite3_exec(db->db, "COMMIT", NULL, NULL, NULL);
}

int vt_export_sqlite(vt_export_t const *export, char const *path, char const *name,
                     vt_error_t *error) {
  database_t db = {0};
  int failed = sqlite3_open(path, &db.db) || fill(&db, export);
  if (failed) vt_error_set(error, name, sqlite3_errmsg(db.db), "write elsewhere");
  sqlite3_stmt *all[] = {db.mapping,    db.mapping_id, db.frame,  db.callsite,
                         db.allocation, db.total,      db.thread, db.block,
                         db.timeline,   db.memory,     db.range};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sqlite3_finalize(all[i]);
  sqlite3_close(db.db);
  free(db.callsites);
  for (size_t t = 0; db.nodes && t < export->analysis->trace_cnt; t++) free(db.nodes[t]);
  free(db.nodes);
  return failed ? -1 : 0;
}
