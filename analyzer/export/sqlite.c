/* An SQLite database with the tables Perfetto uses for native heap profiles, and the totals. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/export/export.h"

static char const schema[] =
    "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;"
    "CREATE TABLE stack_profile_mapping(id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
    "CREATE TABLE stack_profile_frame(id INTEGER PRIMARY KEY, name TEXT, mapping INT, rel_pc INT,"
    " source_file TEXT, line_number INT, inlined INT);"
    "CREATE TABLE stack_profile_callsite(id INTEGER PRIMARY KEY, depth INT, parent_id INT, "
    "frame_id INT);"
    "CREATE TABLE heap_profile_allocation(id INTEGER PRIMARY KEY, ts INT, upid INT, heap_name TEXT,"
    " callsite_id INT, count INT, size INT, frees INT, freed_size INT, temporary INT,"
    " peak_count INT, peak_size INT, leaked_count INT, leaked_size INT, nested INT);"
    "CREATE TABLE totals(name TEXT PRIMARY KEY, value INT);";

typedef struct {
  sqlite3 *db;
  sqlite3_stmt *mapping, *mapping_id, *frame, *callsite, *allocation, *total;
  int64_t frame_cnt, callsite_cnt;
  int64_t *callsites; /* by node: the callsite of its innermost function; 0: none yet */
} database_t;

static void step(sqlite3_stmt *statement) {
  sqlite3_step(statement);
  sqlite3_reset(statement);
}

static int64_t mapping_of(database_t *db, char const *path) {
  sqlite3_bind_text(db->mapping, 1, path, -1, SQLITE_STATIC);
  step(db->mapping);
  sqlite3_bind_text(db->mapping_id, 1, path, -1, SQLITE_STATIC);
  int64_t id =
      sqlite3_step(db->mapping_id) == SQLITE_ROW ? sqlite3_column_int64(db->mapping_id, 0) : 0;
  sqlite3_reset(db->mapping_id);
  return id;
}

static int64_t add_callsite(database_t *db, vt_stack_frame_t const *frame, int64_t parent,
                            int64_t depth) {
  char buffer[300];
  sqlite3_bind_int64(db->frame, 1, ++db->frame_cnt);
  sqlite3_bind_text(db->frame, 2, vt_frame_name(frame, buffer, sizeof buffer), -1,
                    SQLITE_TRANSIENT);
  sqlite3_bind_int64(db->frame, 3, mapping_of(db, frame->module));
  sqlite3_bind_int64(db->frame, 4, (int64_t)frame->offset);
  sqlite3_bind_text(db->frame, 5, frame->file, -1, SQLITE_STATIC);
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

static void add_site(database_t *db, vt_export_t const *export, vt_site_t const *site) {
  char heap[32];
  sqlite3_stmt *s = db->allocation;
  uint64_t const values[] = {site->allocations,     site->allocated_bytes, site->frees,
                             site->freed_bytes,     site->temporary,       site->peak_blocks,
                             site->peak_bytes,      site->leaked_blocks,   site->leaked_bytes,
                             (uint64_t)site->nested};
  sqlite3_bind_int64(s, 1, (int64_t)vt_reader_end_time(export->analysis->readers[site->trace]));
  sqlite3_bind_int64(s, 2, vt_reader_info(export->analysis->readers[site->trace])->pid);
  sqlite3_bind_text(s, 3, vt_analysis_heap_name(export->analysis, site->heap, heap), -1,
                    SQLITE_TRANSIENT);
  sqlite3_bind_int64(s, 4, callsite_of(db, export, site->node));
  for (int i = 0; i < (int)(sizeof values / sizeof *values); i++)
    sqlite3_bind_int64(s, 5 + i, (int64_t)values[i]);
  step(s);
}

static void add_total(database_t *db, char const *name, uint64_t value) {
  sqlite3_bind_text(db->total, 1, name, -1, SQLITE_STATIC);
  sqlite3_bind_int64(db->total, 2, (int64_t)value);
  step(db->total);
}

static void add_totals(database_t *db, vt_model_totals_t const *totals) {
  add_total(db, "allocations", totals->allocations);
  add_total(db, "allocated_bytes", totals->allocated_bytes);
  add_total(db, "frees", totals->frees);
  add_total(db, "temporary", totals->temporary);
  add_total(db, "peak_bytes", totals->peak_bytes);
  add_total(db, "leaked_bytes", totals->live_bytes);
  add_total(db, "leaked_blocks", totals->live_blocks);
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
                    "INSERT INTO heap_profile_allocation VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
                   {&db->total, "INSERT INTO totals VALUES(?,?)"}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (sqlite3_prepare_v2(db->db, all[i].text, -1, all[i].statement, NULL)) return -1;
  return 0;
}

static int fill(database_t *db, vt_export_t const *export) {
  if (sqlite3_exec(db->db, schema, NULL, NULL, NULL) || prepare(db)) return -1;
  db->callsites = calloc(vt_stacks_cnt(export->analysis->stacks), sizeof *db->callsites);
  if (!db->callsites) return -1;
  add_callsites(db, export);
  for (size_t i = 0; i < export->analysis->sites_cnt; i++)
    add_site(db, export, &export->analysis->sites[i]);
  add_totals(db, vt_model_totals(export->analysis->model));
  return sqlite3_exec(db->db, "COMMIT", NULL, NULL, NULL);
}

int vt_export_sqlite(vt_export_t const *export, char const *path, char const *name,
                     vt_error_t *error) {
  database_t db = {0};
  int failed = sqlite3_open(path, &db.db) || fill(&db, export);
  if (failed) vt_error_set(error, name, sqlite3_errmsg(db.db), "write elsewhere");
  sqlite3_stmt *all[] = {db.mapping, db.mapping_id, db.frame, db.callsite, db.allocation, db.total};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) sqlite3_finalize(all[i]);
  sqlite3_close(db.db);
  free(db.callsites);
  return failed ? -1 : 0;
}
