/* Firefox's processed profile, as profiler.firefox.com and profiler-cli open it: tables by column,
   shared by all threads. Version 61 of the format is written: it is the last whose counters need no
   description of their looks, and readers upgrade it like any saved profile.

   The front end matches a deallocation with its allocation inside one thread's table, so the table of
   a thread has the life of each block it allocated, whoever freed it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/export/export.h"
#include "analyzer/util/mem.h"

#define VERSION       61
#define GECKO_VERSION 30
#define LIBRARY       1 /* the kind of a resource */

typedef struct {
  uint64_t time, address, size;
  uint32_t stack; /* number + 1 of its row in the table of stacks; 0: none */
  uint32_t thread : 31, begins : 1;
} row_t;

typedef struct {
  row_t *rows;
  size_t rows_cnt, rows_cap;
} events_t; /* of one thread */

/* The threads of a trace: first the process's main one, which also has what no thread did, whether
   or not it recorded anything; number i of the trace's table is number i + 1 here. */
typedef struct {
  events_t *threads;
  size_t cnt;
} process_t;

typedef struct {
  uint32_t prefix; /* row + 1; 0: a root */
  uint32_t frame;
} stack_row_t;

typedef struct {
  vt_export_t const *export;
  vt_frame_table_t frames;    /* code addresses … */
  vt_frame_table_t functions; /* … of these … */
  vt_frame_table_t files;     /* … in these files … */
  vt_frame_table_t modules;   /* … and modules */
  stack_row_t *stacks;
  size_t stacks_cnt, stacks_cap;
  uint32_t *whole;   /* by node: row + 1 of its stack, … */
  uint32_t *visible; /* … and without the allocators at its inner end */
  process_t *processes; /* by trace */
} firefox_t;

/* ---- tables ---- */

static uint32_t add_frames(firefox_t *f, uint32_t prefix, uint32_t node, int hide) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  size_t cnt = vt_stacks_frames(f->export->analysis->stacks, node, hide, frames);
  for (size_t i = cnt; i--;) {
    if (f->export->report->no_inlines && frames[i].inlined) continue;
    stack_row_t row = {prefix, vt_frame_table_add(&f->frames, &frames[i])};
    VT_PUSH(f->stacks, row);
    prefix = (uint32_t)f->stacks_cnt;
  }
  return prefix;
}

/* Callers come before their callees, so that their rows are known. */
static void add_stacks(firefox_t *f) {
  vt_stacks_t const *stacks = f->export->analysis->stacks;
  int hide = !f->export->report->keep_allocators;
  uint32_t cnt = vt_stacks_cnt(stacks);
  f->whole = vt_mem_new(cnt, sizeof *f->whole);
  f->visible = vt_mem_new(cnt, sizeof *f->visible);
  for (uint32_t node = 1; node < cnt; node++) {
    uint32_t caller = f->whole[vt_stacks_parent(stacks, node)];
    vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
    size_t all = vt_stacks_frames(stacks, node, 0, frames);
    int same = !hide || all == vt_stacks_frames(stacks, node, 1, frames);
    f->whole[node] = add_frames(f, caller, node, 0);
    f->visible[node] = same ? f->whole[node] : add_frames(f, caller, node, 1);
  }
}

static uint32_t function_of(firefox_t *f, vt_stack_frame_t frame) {
  frame.line = 0;
  frame.inlined = 0;
  return vt_frame_table_add(&f->functions, &frame);
}

static uint32_t file_of(firefox_t *f, vt_stack_frame_t const *frame) {
  vt_stack_frame_t file = {.function = frame->file, .file = frame->file};
  return vt_frame_table_add(&f->files, &file);
}

static uint32_t module_of(firefox_t *f, vt_stack_frame_t const *frame) {
  vt_stack_frame_t module = {.function = frame->module, .module = frame->module};
  return vt_frame_table_add(&f->modules, &module);
}

/* thread_of is a thread of the model in its trace's table; NULL: none. */
static vt_trace_thread_t const *thread_of(firefox_t const *f, uint32_t number, uint32_t *trace,
                                          uint32_t *index) {
  size_t cnt;
  if (number == VT_MODEL_NO_THREAD) return NULL;
  vt_model_thread_t const *thread = &vt_model_threads(f->export->analysis->model, &cnt)[number];
  vt_trace_thread_t const *threads =
      vt_reader_threads(f->export->analysis->readers[thread->trace], &cnt);
  *trace = thread->trace;
  *index = thread->index;
  return thread->index < cnt ? &threads[thread->index] : NULL;
}

static int is_main(vt_trace_thread_t const *thread, vt_trace_info_t const *info) {
  return thread->tid == info->pid && thread->nth == 1;
}

/* events_of is the table of the thread that allocated a block counted by a cell of that trace. */
static events_t *events_of(firefox_t const *f, uint32_t owner, uint32_t trace) {
  uint32_t index;
  vt_trace_thread_t const *thread = thread_of(f, owner, &trace, &index);
  vt_trace_info_t const *info = vt_reader_info(f->export->analysis->readers[trace]);
  process_t *process = &f->processes[trace];
  int other = thread && !is_main(thread, info) && index + 1 < process->cnt;
  return &process->threads[other ? index + 1 : 0];
}

static void on_change(void *context, vt_model_change_t const *change) {
  firefox_t *f = context;
  vt_analysis_t const *analysis = f->export->analysis;
  size_t cnt;
  vt_cell_t const *cell = &vt_model_cells(analysis->model, &cnt)[change->cell];
  uint32_t heap = cell->heap, node = vt_export_change_node(f->export, change);
  row_t row = {.time = change->time, .address = change->address, .size = change->share.bytes};
  /* Addresses are numbers of 53 bits; those of annotated heaps are offsets: keep them apart. */
  row.address ^= (uint64_t)(heap % 32) << 48;
  row.begins = change->begins & 1;
  if (change->begins && node) row.stack = f->visible[node];
  uint32_t trace, index;
  vt_trace_thread_t const *thread = thread_of(f, change->thread, &trace, &index);
  if (thread) row.thread = thread->tid & 0x7fffffff;
  events_t *events = events_of(f, change->owner, cell->trace);
  VT_PUSH(events->rows, row);
}

/* ---- writing ---- */

static void column(vt_json_t *json, char const *key, size_t cnt, int64_t value) {
  vt_json_array(json, key);
  for (size_t i = 0; i < cnt; i++) vt_json_int(json, NULL, value);
  vt_json_end_array(json);
}

static void null_column(vt_json_t *json, char const *key, size_t cnt) {
  vt_json_array(json, key);
  for (size_t i = 0; i < cnt; i++) vt_json_null(json, NULL);
  vt_json_end_array(json);
}

static void false_column(vt_json_t *json, char const *key, size_t cnt) {
  vt_json_array(json, key);
  for (size_t i = 0; i < cnt; i++) vt_json_bool(json, NULL, 0);
  vt_json_end_array(json);
}

static char const *base_name(char const *path) {
  char const *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static void put_meta(vt_json_t *json, vt_export_t const *export) {
  vt_trace_info_t const *info = vt_reader_info(export->analysis->readers[0]);
  vt_json_object(json, "meta");
  vt_json_uint(json, "version", GECKO_VERSION);
  vt_json_uint(json, "preprocessedProfileVersion", VERSION);
  vt_json_uint(json, "interval", 1);
  vt_json_ms(json, "startTime", info->start_unix_ns);
  vt_json_uint(json, "processType", 0);
  vt_json_uint(json, "stackwalk", 1);
  char product[500];
  int sampled = export->analysis->sampled.period != 0;
  snprintf(product, sizeof product, "%.255s%s%s", info->name, sampled ? " (estimates from a sample)" : "",
           vt_export_unsure(export) ? " (" VT_EXPORT_UNSURE ")" : "");
  vt_json_string(json, "product", product);
  vt_json_string(json, "importedFrom", "valtrace");
  vt_json_string(json, "platform", "Linux");
  vt_json_bool(json, "symbolicated", 1);
  vt_json_bool(json, "sourceCodeIsNotOnSearchfox", 1);
  vt_json_array(json, "markerSchema");
  vt_json_end_array(json);
  vt_json_array(json, "categories");
  vt_json_object_line(json, NULL);
  vt_json_string(json, "name", "Other");
  vt_json_string(json, "color", "grey");
  vt_json_array(json, "subcategories");
  vt_json_string(json, NULL, "Other");
  vt_json_end_array(json);
  vt_json_end_object(json);
  vt_json_end_array(json);
  vt_json_end_object(json);
}

static void put_libs(vt_json_t *json, firefox_t const *f) {
  vt_json_array(json, "libs");
  for (size_t i = 0; i < f->modules.frames_cnt; i++) {
    char const *path = f->modules.frames[i].module;
    vt_json_object_line(json, NULL);
    vt_json_string(json, "name", base_name(path));
    vt_json_string(json, "path", path);
    vt_json_string(json, "debugName", base_name(path));
    vt_json_string(json, "debugPath", path);
    vt_json_string(json, "breakpadId", "");
    vt_json_null(json, "codeId");
    vt_json_string(json, "arch", "");
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
}

static void put_stack_table(vt_json_t *json, firefox_t const *f) {
  vt_json_object_line(json, "stackTable");
  vt_json_array(json, "frame");
  for (size_t i = 0; i < f->stacks_cnt; i++) vt_json_uint(json, NULL, f->stacks[i].frame);
  vt_json_end_array(json);
  vt_json_array(json, "prefix");
  for (size_t i = 0; i < f->stacks_cnt; i++)
    if (f->stacks[i].prefix)
      vt_json_uint(json, NULL, f->stacks[i].prefix - 1);
    else
      vt_json_null(json, NULL);
  vt_json_end_array(json);
  vt_json_uint(json, "length", f->stacks_cnt);
  vt_json_end_object(json);
}

static void put_frame_table(vt_json_t *json, firefox_t *f) {
  size_t cnt = f->frames.frames_cnt;
  vt_stack_frame_t const *frames = f->frames.frames;
  vt_json_object_line(json, "frameTable");
  vt_json_array(json, "func");
  for (size_t i = 0; i < cnt; i++) vt_json_uint(json, NULL, function_of(f, frames[i]));
  vt_json_end_array(json);
  vt_json_array(json, "line");
  for (size_t i = 0; i < cnt; i++)
    if (frames[i].line)
      vt_json_uint(json, NULL, frames[i].line);
    else
      vt_json_null(json, NULL);
  vt_json_end_array(json);
  vt_json_array(json, "address");
  for (size_t i = 0; i < cnt; i++)
    vt_json_int(json, NULL, frames[i].module[0] ? (int64_t)(frames[i].offset & 0x7fffffff) : -1);
  vt_json_end_array(json);
  vt_json_array(json, "inlineDepth");
  for (size_t i = 0; i < cnt; i++) vt_json_uint(json, NULL, (uint64_t)frames[i].inlined);
  vt_json_end_array(json);
  column(json, "category", cnt, 0);
  column(json, "subcategory", cnt, 0);
  null_column(json, "nativeSymbol", cnt);
  null_column(json, "innerWindowID", cnt);
  null_column(json, "column", cnt);
  vt_json_uint(json, "length", cnt);
  vt_json_end_object(json);
}

/* Strings are the names of functions, then those of files, then those of modules. */
static void put_func_table(vt_json_t *json, firefox_t *f) {
  size_t cnt = f->functions.frames_cnt;
  vt_stack_frame_t const *functions = f->functions.frames;
  vt_json_object_line(json, "funcTable");
  vt_json_array(json, "name");
  for (size_t i = 0; i < cnt; i++) vt_json_uint(json, NULL, i);
  vt_json_end_array(json);
  vt_json_array(json, "resource");
  for (size_t i = 0; i < cnt; i++)
    vt_json_int(json, NULL, functions[i].module[0] ? (int64_t)module_of(f, &functions[i]) : -1);
  vt_json_end_array(json);
  vt_json_array(json, "source");
  for (size_t i = 0; i < cnt; i++)
    if (functions[i].file[0])
      vt_json_uint(json, NULL, file_of(f, &functions[i]));
    else
      vt_json_null(json, NULL);
  vt_json_end_array(json);
  false_column(json, "isJS", cnt);
  false_column(json, "relevantForJS", cnt);
  null_column(json, "lineNumber", cnt);
  null_column(json, "columnNumber", cnt);
  vt_json_uint(json, "length", cnt);
  vt_json_end_object(json);
}

static void put_sources(vt_json_t *json, firefox_t const *f) {
  size_t cnt = f->files.frames_cnt;
  vt_json_object_line(json, "sources");
  null_column(json, "id", cnt);
  vt_json_array(json, "filename");
  for (size_t i = 0; i < cnt; i++) vt_json_uint(json, NULL, f->functions.frames_cnt + i);
  vt_json_end_array(json);
  column(json, "startLine", cnt, 1);
  column(json, "startColumn", cnt, 1);
  null_column(json, "sourceMapURL", cnt);
  vt_json_uint(json, "length", cnt);
  vt_json_end_object(json);
}

static void put_resources(vt_json_t *json, firefox_t const *f) {
  size_t cnt = f->modules.frames_cnt;
  vt_json_object_line(json, "resourceTable");
  vt_json_array(json, "lib");
  for (size_t i = 0; i < cnt; i++) vt_json_uint(json, NULL, i);
  vt_json_end_array(json);
  vt_json_array(json, "name");
  for (size_t i = 0; i < cnt; i++)
    vt_json_uint(json, NULL, f->functions.frames_cnt + f->files.frames_cnt + i);
  vt_json_end_array(json);
  null_column(json, "host", cnt);
  column(json, "type", cnt, LIBRARY);
  vt_json_uint(json, "length", cnt);
  vt_json_end_object(json);
}

static void put_strings(vt_json_t *json, firefox_t const *f) {
  char buffer[300];
  vt_json_array(json, "stringArray");
  for (size_t i = 0; i < f->functions.frames_cnt; i++)
    vt_json_string(json, NULL, vt_frame_name(&f->functions.frames[i], buffer, sizeof buffer));
  for (size_t i = 0; i < f->files.frames_cnt; i++)
    vt_json_string(json, NULL, f->files.frames[i].file);
  for (size_t i = 0; i < f->modules.frames_cnt; i++)
    vt_json_string(json, NULL, base_name(f->modules.frames[i].module));
  vt_json_end_array(json);
}

static void put_shared(vt_json_t *json, firefox_t *f) {
  vt_json_object(json, "shared");
  put_stack_table(json, f);
  put_frame_table(json, f);
  put_func_table(json, f);
  put_sources(json, f);
  put_resources(json, f);
  vt_json_object_line(json, "nativeSymbols");
  static char const *const columns[] = {"libIndex", "address", "name", "functionSize"};
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) column(json, columns[i], 0, 0);
  vt_json_uint(json, "length", 0);
  vt_json_end_object(json);
  put_strings(json, f);
  vt_json_end_object(json);
}

static void put_allocations(vt_json_t *json, events_t const *events) {
  row_t const *rows = events->rows;
  size_t cnt = events->rows_cnt;
  vt_json_object_line(json, "nativeAllocations");
  vt_json_array(json, "time");
  for (size_t i = 0; i < cnt; i++) vt_json_ms(json, NULL, rows[i].time);
  vt_json_end_array(json);
  vt_json_array(json, "weight");
  for (size_t i = 0; i < cnt; i++)
    vt_json_int(json, NULL, rows[i].begins ? (int64_t)rows[i].size : -(int64_t)rows[i].size);
  vt_json_end_array(json);
  vt_json_string(json, "weightType", "bytes");
  vt_json_array(json, "stack");
  for (size_t i = 0; i < cnt; i++)
    if (rows[i].stack)
      vt_json_uint(json, NULL, rows[i].stack - 1);
    else
      vt_json_null(json, NULL);
  vt_json_end_array(json);
  vt_json_array(json, "memoryAddress");
  for (size_t i = 0; i < cnt; i++) vt_json_uint(json, NULL, rows[i].address);
  vt_json_end_array(json);
  vt_json_array(json, "threadId");
  for (size_t i = 0; i < cnt; i++) vt_json_uint(json, NULL, rows[i].thread);
  vt_json_end_array(json);
  vt_json_uint(json, "length", cnt);
  vt_json_end_object(json);
}

static void empty_table(vt_json_t *json, char const *key, char const *const *columns, size_t cnt) {
  vt_json_object_line(json, key);
  for (size_t i = 0; i < cnt; i++) column(json, columns[i], 0, 0);
  vt_json_uint(json, "length", 0);
  if (!strcmp(key, "samples")) vt_json_string(json, "weightType", "samples");
  vt_json_end_object(json);
}

/* put_pid tells apart the images of a process that executed another program: processes have equal
   names there only by mistake. */
static void put_pid(vt_json_t *json, vt_analysis_t const *analysis, size_t trace) {
  uint32_t pid = vt_reader_info(analysis->readers[trace])->pid;
  unsigned earlier = 0;
  char text[32];
  for (size_t i = 0; i < trace; i++) earlier += vt_reader_info(analysis->readers[i])->pid == pid;
  snprintf(text, sizeof text, earlier ? "%u.%u" : "%u", pid, earlier);
  vt_json_string(json, "pid", text);
}

static void put_thread(vt_json_t *json, firefox_t const *f, size_t trace, int main,
                       vt_trace_thread_t const *thread, events_t const *events) {
  static char const *const samples[] = {"stack", "time"};
  static char const *const markers[] = {"data",    "name",  "startTime",
                                        "endTime", "phase", "category"};
  vt_reader_t const *reader = f->export->analysis->readers[trace];
  vt_trace_info_t const *info = vt_reader_info(reader);
  char name[32];
  snprintf(name, sizeof name, "thread %s", vt_trace_thread_label(thread).text);
  vt_json_object(json, NULL);
  vt_json_string(json, "name",
                 thread->name[0] ? thread->name
                 : main          ? info->name
                                 : name);
  vt_json_string(json, "processName", info->name);
  vt_json_bool(json, "isMainThread", main);
  vt_json_string(json, "processType", "default");
  vt_json_uint(json, "processStartupTime", 0);
  vt_json_null(json, "processShutdownTime");
  vt_json_uint(json, "registerTime", 0);
  vt_json_null(json, "unregisterTime");
  vt_json_array(json, "pausedRanges");
  vt_json_end_array(json);
  put_pid(json, f->export->analysis, trace);
  if (thread->nth > 1)
    vt_json_string(json, "tid", vt_trace_thread_label(thread).text);
  else
    vt_json_uint(json, "tid", thread->tid);
  empty_table(json, "samples", samples, sizeof samples / sizeof *samples);
  empty_table(json, "markers", markers, sizeof markers / sizeof *markers);
  put_allocations(json, events);
  vt_json_end_object(json);
}

/* put_threads leaves threads out that allocated nothing of what is shown. */
static void put_threads(vt_json_t *json, firefox_t const *f, size_t trace) {
  size_t cnt;
  vt_reader_t const *reader = f->export->analysis->readers[trace];
  vt_trace_thread_t const *threads = vt_reader_threads(reader, &cnt);
  process_t const *process = &f->processes[trace];
  vt_trace_thread_t first = {.tid = vt_reader_info(reader)->pid, .nth = 1, .name = ""};
  for (size_t i = 0; i < cnt; i++)
    if (is_main(&threads[i], vt_reader_info(reader))) first = threads[i];
  put_thread(json, f, trace, 1, &first, &process->threads[0]);
  for (size_t i = 1; i < process->cnt && i <= cnt; i++)
    if (process->threads[i].rows_cnt)
      put_thread(json, f, trace, 0, &threads[i - 1], &process->threads[i]);
}

/* Live bytes over time, of all traces together, as differences. */
static void put_counter(vt_json_t *json, vt_analysis_t const *analysis) {
  size_t cnt;
  uint64_t step;
  vt_moment_t const *moments = vt_model_timeline(analysis->model, &cnt, &step);
  vt_json_array(json, "counters");
  vt_json_object(json, NULL);
  vt_json_string(json, "name", "malloc");
  vt_json_string(json, "category", "Memory");
  vt_json_string(json, "description", "bytes live in the heap");
  put_pid(json, analysis, 0);
  vt_json_uint(json, "mainThreadIndex", 0);
  vt_json_object_line(json, "samples");
  vt_json_array(json, "time");
  for (size_t i = 0; i < cnt; i++) vt_json_ms(json, NULL, i * step);
  vt_json_end_array(json);
  vt_json_array(json, "number");
  for (size_t i = 0; i < cnt; i++)
    vt_json_uint(json, NULL, moments[i].allocations + moments[i].frees);
  vt_json_end_array(json);
  vt_json_array(json, "count");
  for (size_t i = 0; i < cnt; i++)
    vt_json_int(json, NULL, (int64_t)(moments[i].end_bytes - (i ? moments[i - 1].end_bytes : 0)));
  vt_json_end_array(json);
  vt_json_uint(json, "length", cnt);
  vt_json_end_object(json);
  vt_json_end_object(json);
  vt_json_end_array(json);
}

/* Numbers everything that is referred to, before it is written. */
static void number_all(firefox_t *f) {
  add_stacks(f);
  for (size_t i = 0; i < f->frames.frames_cnt; i++) function_of(f, f->frames.frames[i]);
  for (size_t i = 0; i < f->functions.frames_cnt; i++) {
    if (f->functions.frames[i].file[0]) file_of(f, &f->functions.frames[i]);
    if (f->functions.frames[i].module[0]) module_of(f, &f->functions.frames[i]);
  }
}

static void add_processes(firefox_t *f) {
  vt_analysis_t const *analysis = f->export->analysis;
  f->processes = vt_mem_new(analysis->trace_cnt, sizeof *f->processes);
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    process_t *process = &f->processes[t];
    vt_reader_threads(analysis->readers[t], &process->cnt);
    process->cnt++;
    process->threads = vt_mem_new(process->cnt, sizeof *process->threads);
  }
}

static void delete_processes(firefox_t *f) {
  for (size_t t = 0; t < f->export->analysis->trace_cnt; t++) {
    for (size_t i = 0; i < f->processes[t].cnt; i++) free(f->processes[t].threads[i].rows);
    free(f->processes[t].threads);
  }
  free(f->processes);
}

void vt_export_firefox(vt_export_t const *export) {
  vt_analysis_t *analysis = export->analysis;
  firefox_t f = {.export = export};
  vt_frame_table_t *tables[] = {&f.frames, &f.functions, &f.files, &f.modules};
  for (size_t i = 0; i < 4; i++) vt_frame_table_init(tables[i], i == 0);
  number_all(&f);
  add_processes(&f);
  vt_analysis_replay(analysis, export->options,
                     &(vt_model_watch_t){.changed = on_change, .context = &f});
  vt_json_t json = vt_json_start(export->out);
  vt_json_object(&json, NULL);
  put_meta(&json, export);
  put_libs(&json, &f);
  vt_json_array(&json, "pages");
  vt_json_end_array(&json);
  put_shared(&json, &f);
  vt_json_array(&json, "threads");
  for (size_t t = 0; t < analysis->trace_cnt; t++) put_threads(&json, &f, t);
  vt_json_end_array(&json);
  put_counter(&json, analysis);
  vt_json_end_object(&json);
  vt_json_finish(&json);
  for (size_t i = 0; i < 4; i++) vt_frame_table_fini(tables[i]);
  delete_processes(&f);
  free(f.stacks);
  free(f.whole);
  free(f.visible);
}
