/* `valtrace dump`: the events of a trace in order, one line each, for eyes and for scripts.

   A frame of a stack is shown once, when its id is first used; later events name the id. */
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/gate.h"
#include "analyzer/cli/error.h"
#include "analyzer/cli/interpreted.h"
#include "analyzer/cli/options.h"
#include "analyzer/memory/mappings.h"
#include "analyzer/report/chosen.h"
#include "analyzer/report/families.h"
#include "analyzer/report/json.h"
#include "analyzer/report/stacks.h"
#include "analyzer/report/term.h"
#include "analyzer/trace/folder.h"
#include "analyzer/trace/reader.h"
#include "analyzer/util/mem.h"
#include "analyzer/trace/summary.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char const usage[] =
    "usage: valtrace dump [options] TRACE\n\n"
    "Prints the events of TRACE in order of time, one line each, with the ids of their stack's "
    "frames,\n"
    "innermost first; a frame is described in a line of its own before its id is first used. TRACE "
    "may\n"
    "be a folder: of several traces, each begins with a line that names it.\n\n"
    "Choosing blocks (their allocations and frees are shown, a realloc whole):\n"
    "%s"
    "Showing them:\n"
    "  --limit N    at most N events\n"
    "  --json       each line is a JSON object\n"
    "  -h, --help   this text\n";

typedef struct {
  vt_reader_t *r;
  int json;
  vt_chosen_t *chosen; /* NULL: every event */
  uint64_t event;      /* the number of the next one */
  uint64_t left;       /* so many more may be shown */
  vt_interpreted_t interpreted;
  int by_interpreter; /* the event is of an interpreter's block */
  uint8_t *shown;      /* per trie node */
  size_t shown_sz;
  vt_trace_frame_t *frames;
  size_t frames_cap;
  vt_stacks_t *stacks; /* names of functions, … */
  uint32_t *nodes;     /* … by node of the reader's trie */
  uint64_t *old;       /* per thread: old block of its pending realloc */
  size_t old_cnt;
  vt_trace_mapping_t *mappings; /* copies, in order of time */
  size_t mappings_cnt, mappings_at; /* the next to be shown */
} dump_t;

static char const *kind_name(uint8_t kind) {
  switch (kind) {
  case VT_EVENT_ALLOC: return "alloc";
  case VT_EVENT_FREE: return "free";
  case VT_EVENT_REALLOC_INTENT: return "realloc_intent";
  case VT_EVENT_REALLOC_DONE: return "realloc";
  case VT_EVENT_HEAP_ALLOC: return "heap_alloc";
  case VT_EVENT_HEAP_FREE: return "heap_free";
  default: return "heap_free_interior";
  }
}

/* The functions of a frame, innermost inlined one first; how many. */
static size_t functions_of(dump_t const *d, uint32_t node, vt_stack_frame_t *functions) {
  size_t cnt = d->nodes[node] ? vt_stacks_frames(d->stacks, d->nodes[node], 0, functions) : 0;
  return cnt && functions[0].function[0] ? cnt : 0;
}

static void show_functions_text(dump_t const *d, uint32_t node) {
  vt_stack_frame_t functions[VT_STACKS_FRAMES_MAX];
  size_t cnt = functions_of(d, node, functions);
  for (size_t i = 0; i < cnt; i++) {
    vt_term_t term = {.out = stdout, .width = INT_MAX};
    fputs(i ? " < " : " ", stdout);
    vt_term_text(&term, functions[i].function, INT_MAX);
    if (!functions[i].file[0]) continue;
    putchar(' ');
    vt_term_text(&term, functions[i].file, INT_MAX);
    printf(":%u", functions[i].line);
  }
}

static void show_functions_json(dump_t const *d, uint32_t node) {
  vt_stack_frame_t functions[VT_STACKS_FRAMES_MAX];
  size_t cnt = functions_of(d, node, functions);
  printf(",\"functions\":[");
  for (size_t i = 0; i < cnt; i++) {
    printf("%s{\"function\":", i ? "," : "");
    vt_json_escape(stdout, functions[i].function, strlen(functions[i].function));
    printf(",\"file\":");
    vt_json_escape(stdout, functions[i].file, strlen(functions[i].file));
    printf(",\"line\":%u}", functions[i].line);
  }
  putchar(']');
}

static void show_frame(dump_t *d, vt_trace_frame_t const *f) {
  size_t cnt;
  vt_trace_module_t const *modules = vt_reader_modules(d->r, &cnt);
  char const *path = f->module < cnt ? modules[f->module].path : "";
  if (!d->json) {
    printf("frame %u: 0x%" PRIx64 " ", f->node, f->pc);
    vt_term_text(&(vt_term_t){.out = stdout, .width = INT_MAX}, *path ? path : "?", INT_MAX);
    if (*path) printf("+0x%" PRIx64, f->offset);
    show_functions_text(d, f->node);
    putchar('\n');
    return;
  }
  printf("{\"kind\":\"stack\",\"id\":%u,\"pc\":%" PRIu64 ",\"pc_hex\":\"0x%" PRIx64
         "\",\"module\":",
         f->node, f->pc, f->pc);
  vt_json_escape(stdout, path, strlen(path));
  if (*path) printf(",\"offset\":%" PRIu64, f->offset);
  show_functions_json(d, f->node);
  puts("}");
}

static int first_use(dump_t *d, uint32_t node) {
  if (node >= d->shown_sz) {
    size_t sz = node + node / 2 + 1024;
    d->shown = vt_mem_resize(d->shown, sz, 1);
    memset(d->shown + d->shown_sz, 0, sz - d->shown_sz);
    d->shown_sz = sz;
  }
  if (d->shown[node]) return 0;
  return d->shown[node] = 1;
}

/* show_frames expands a stack into d->frames and describes those that are new. */
static size_t show_frames(dump_t *d, uint32_t stack) {
  size_t cnt = vt_reader_expand(d->r, stack, d->frames, d->frames_cap);
  if (cnt > d->frames_cap) {
    d->frames_cap = cnt * 2;
    d->frames = vt_mem_resize(d->frames, d->frames_cap, sizeof *d->frames);
    cnt = vt_reader_expand(d->r, stack, d->frames, d->frames_cap);
  }
  for (size_t i = 0; i < cnt; i++)
    if (first_use(d, d->frames[i].node)) show_frame(d, &d->frames[i]);
  return cnt;
}

/* old_block remembers a realloc's old block until it is done. */
static uint64_t old_block(dump_t *d, vt_event_t const *e) {
  if (e->thread >= d->old_cnt) {
    d->old = vt_mem_resize(d->old, e->thread + 64, sizeof *d->old);
    memset(d->old + d->old_cnt, 0, (e->thread + 64 - d->old_cnt) * sizeof *d->old);
    d->old_cnt = e->thread + 64;
  }
  if (e->kind == VT_EVENT_REALLOC_INTENT) d->old[e->thread] = e->address;
  return d->old[e->thread];
}

/* The heap as report calls it. */
static char const *heap_name(dump_t const *d, vt_event_t const *e) {
  size_t cnt;
  vt_trace_heap_t const *heaps = vt_reader_heaps(d->r, &cnt);
  if (!e->heap) return d->by_interpreter ? "python" : "libc";
  for (size_t i = 0; i < cnt; i++)
    if (heaps[i].heap == e->heap && heaps[i].name[0]) return heaps[i].name;
  return "";
}

static void show_text(dump_t *d, vt_event_t const *e, vt_trace_thread_t const *thread, uint64_t old,
                      size_t frames) {
  printf("%" PRIu64 ".%09" PRIu64 " %s %s %s 0x%" PRIx64, e->time / 1000000000u,
         e->time % 1000000000u, vt_trace_thread_label(thread).text, kind_name(e->kind),
         vt_api_name(e->api), e->address);
  int has_size = e->kind < VT_EVENT_HEAP_FREE && (e->kind != VT_EVENT_FREE || e->size);
  if (has_size) printf(" size %" PRIu64, e->size);
  if (e->align) printf(" align %" PRIu64, e->align);
  if (d->by_interpreter) printf(" heap python");
  if (e->heap) printf(" heap %u", e->heap);
  if (e->tag) printf(" tag %" PRIu64, e->tag);
  if (e->kind == VT_EVENT_REALLOC_DONE) printf(" old 0x%" PRIx64, old);
  printf(" stack");
  for (size_t i = 0; i < frames; i++) printf("%c%u", i ? ',' : ' ', d->frames[i].node);
  putchar('\n');
}

static void show_json(dump_t *d, vt_event_t const *e, vt_trace_thread_t const *thread, uint64_t old,
                      size_t frames) {
  printf("{\"t_ns\":%" PRIu64 ",\"thread\":%u", e->time, thread->tid);
  if (thread->nth > 1) printf(",\"nth\":%u", thread->nth);
  printf(",\"kind\":\"%s\",\"api\":\"%s\",\"heap\":%u,\"address\":%" PRIu64
         ",\"address_hex\":\"0x%" PRIx64 "\"",
         kind_name(e->kind), vt_api_name(e->api), e->heap, e->address, e->address);
  printf(",\"heap_name\":");
  vt_json_escape(stdout, heap_name(d, e), strlen(heap_name(d, e)));
  if (e->kind != VT_EVENT_FREE && e->kind < VT_EVENT_HEAP_FREE)
    printf(",\"size\":%" PRIu64 ",\"align\":%" PRIu64, e->size, e->align);
  if (e->kind == VT_EVENT_FREE && e->size) printf(",\"said_size\":%" PRIu64, e->size);
  if (e->kind == VT_EVENT_FREE && e->align) printf(",\"said_align\":%" PRIu64, e->align);
  if (e->kind == VT_EVENT_HEAP_ALLOC) printf(",\"tag\":%" PRIu64, e->tag);
  if (e->kind == VT_EVENT_REALLOC_DONE)
    printf(",\"old_address\":%" PRIu64 ",\"old_address_hex\":\"0x%" PRIx64 "\"", old, old);
  printf(",\"stack\":[");
  for (size_t i = 0; i < frames; i++) printf("%s%u", i ? "," : "", d->frames[i].node);
  puts("]}");
}

/* ---- mappings: by calls of the program, between the events by their time ---- */

static char const *const mapping_kinds[] = {"?", "map", "unmap", "remap"};
static char const *const mapping_apis[] = {"mmap", "munmap", "mremap", "shmat", "shmdt", "sbrk", "brk"};
#define NAME_OF(names, i) ((size_t)(i) < sizeof names / sizeof *names ? names[i] : "?")

static void show_mapping_text(dump_t const *d, vt_trace_mapping_t const *m, size_t frames) {
  printf("%" PRIu64 ".%09" PRIu64 " %u %s %s 0x%" PRIx64 " size %" PRIu64, m->time / 1000000000u,
         m->time % 1000000000u, m->tid, NAME_OF(mapping_kinds, m->op), NAME_OF(mapping_apis, m->api),
         m->address, m->size);
  if (m->op == VT_MAPPING_REMAP) printf(" old 0x%" PRIx64 " old size %" PRIu64, m->old_address, m->old_size);
  if (m->by_allocator) printf(" by the allocator");
  printf(" stack");
  for (size_t i = 0; i < frames; i++) printf("%c%u", i ? ',' : ' ', d->frames[i].node);
  if (m->file[0]) printf(" file ");
  vt_term_text(&(vt_term_t){.out = stdout, .width = INT_MAX}, m->file, INT_MAX);
  putchar('\n');
}

static void show_mapping_json(dump_t const *d, vt_trace_mapping_t const *m, size_t frames) {
  printf("{\"t_ns\":%" PRIu64 ",\"thread\":%u,\"kind\":\"%s\",\"api\":\"%s\",\"address\":%" PRIu64
         ",\"address_hex\":\"0x%" PRIx64 "\",\"size\":%" PRIu64,
         m->time, m->tid, NAME_OF(mapping_kinds, m->op), NAME_OF(mapping_apis, m->api), m->address, m->address,
         m->size);
  if (m->op == VT_MAPPING_REMAP)
    printf(",\"old_address\":%" PRIu64 ",\"old_address_hex\":\"0x%" PRIx64 "\",\"old_size\":%" PRIu64,
           m->old_address, m->old_address, m->old_size);
  printf(",\"protection\":%u,\"by_allocator\":%s,\"file\":", m->prot, m->by_allocator ? "true" : "false");
  vt_json_escape(stdout, m->file, strlen(m->file));
  printf(",\"stack\":[");
  for (size_t i = 0; i < frames; i++) printf("%s%u", i ? "," : "", d->frames[i].node);
  puts("]}");
}

/* show_mappings shows those that came before `time`. Filters choose blocks, so with one there are none. */
static void show_mappings(dump_t *d, uint64_t time) {
  for (; d->mappings_at < d->mappings_cnt && d->left; d->mappings_at++) {
    vt_trace_mapping_t const *m = &d->mappings[d->mappings_at];
    if (m->time > time) break;
    size_t frames = show_frames(d, m->stack);
    d->left--;
    (d->json ? show_mapping_json : show_mapping_text)(d, m, frames);
  }
}

/* take_mappings copies them: a run over a raw trace gathers the reader's table anew. */
static void take_mappings(dump_t *d) {
  vt_trace_mapping_t const *all = vt_reader_mappings(d->r, &d->mappings_cnt);
  size_t *order = vt_mappings_ordered(all, d->mappings_cnt);
  d->mappings = vt_mem_new(d->mappings_cnt + 1, sizeof *d->mappings);
  for (size_t i = 0; i < d->mappings_cnt; i++) {
    d->mappings[i] = all[order[i]];
    d->mappings[i].file = vt_mem_copy(all[order[i]].file, strlen(all[order[i]].file));
  }
  free(order);
}

static void free_mappings(dump_t *d) {
  for (size_t i = 0; i < d->mappings_cnt; i++) free((char *)d->mappings[i].file);
  free(d->mappings);
}

static int on_events(void *context, vt_event_t const *events, size_t cnt) {
  dump_t *d = context;
  size_t thread_cnt;
  vt_trace_thread_t const *threads = vt_reader_threads(d->r, &thread_cnt);
  for (size_t i = 0; i < cnt && d->left; i++) {
    vt_event_t const *e = &events[i];
    uint64_t old = old_block(d, e);
    d->by_interpreter = vt_interpreted_has(&d->interpreted, e, old);
    if (d->chosen && !vt_chosen_has(d->chosen, d->event++)) continue;
    show_mappings(d, e->time);
    if (!d->left) break;
    d->left--;
    size_t frames = show_frames(d, e->stack);
    (d->json ? show_json : show_text)(d, e, &threads[e->thread], old, frames);
  }
  return !d->left || ferror(stdout);
}

static void on_heap_op(void *context, vt_trace_heap_op_t const *op) {
  static char const *const names[] = {"?", "reset", "tag_free", "restore", "place"};
  if (op->op == VT_HEAP_OP_GONE || op->op == VT_HEAP_OP_BASE) return;
  char const *name = names[op->op <= VT_HEAP_OP_PLACE ? op->op : 0];
  dump_t *d = context;
  if (!d->left || (d->chosen && !vt_chosen_has_op(d->chosen, op->time))) return;
  d->left--;
  if (d->json)
    printf("{\"t_ns\":%" PRIu64 ",\"kind\":\"heap_%s\",\"heap\":%u,\"tag\":%" PRIu64 "}\n",
           op->time, name, op->heap, op->tag);
  else
    printf("%" PRIu64 ".%09" PRIu64 " - heap_%s heap %u tag %" PRIu64 "\n", op->time / 1000000000u,
           op->time % 1000000000u, name, op->heap, op->tag);
}

static int skip_events(void *context, vt_event_t const *events, size_t cnt) {
  (void)context, (void)events, (void)cnt;
  return 0;
}

/* find_names looks up the functions of all stacks, which a raw trace has only after a run. */
static void find_names(dump_t *d, vt_symbols_search_t const *search) {
  if (vt_reader_info(d->r)->raw) vt_reader_run(d->r, &(vt_reader_sink_t){.events = skip_events});
  uint32_t cnt = vt_reader_stacks(d->r).cnt;
  uint8_t *used = vt_mem_new((size_t)cnt + 1, 1);
  memset(used, 1, cnt);
  d->stacks = vt_stacks_new(search);
  vt_stacks_native(d->stacks); /* each frame has its own node */
  vt_stacks_take_symbols(d->stacks, d->r);
  d->nodes = vt_stacks_add(d->stacks, d->r, used);
  vt_stacks_symbolize(d->stacks);
  free(used);
}

/* Of several traces each begins with its name; ids of frames are its own. */
static void show_trace(vt_reader_t const *r, int json) {
  vt_trace_info_t const *info = vt_reader_info(r);
  if (!json) {
    fputs("trace ", stdout);
    vt_term_text(&(vt_term_t){.out = stdout, .width = INT_MAX}, info->path, INT_MAX);
    printf(" pid %u\n", info->pid);
    return;
  }
  printf("{\"kind\":\"trace\",\"path\":");
  vt_json_escape(stdout, info->path, strlen(info->path));
  printf(",\"pid\":%u}\n", info->pid);
}

/* show_sample says of a sampled trace that there is more than is shown. */
static void show_sample(vt_reader_t const *r, int json) {
  uint64_t period = vt_reader_info(r)->sample_period;
  if (!period) return;
  printf(json ? "{\"kind\":\"sampled\",\"period_bytes\":%" PRIu64 "}\n"
              : "sampled: one block in %" PRIu64 " bytes on average is recorded; these are the events of the recorded ones\n",
         period);
}

/* Dumps at most *left events of a trace, which become fewer. */
static int dump(char *path, vt_cli_options_t const *options, int several, uint64_t *left) {
  vt_error_t error;
  int usage_error = 0;
  dump_t d = {.json = options->json, .left = *left};
  int filtered = (options->given & VT_CLI_FILTERS) != 0;
  if (filtered) d.chosen = vt_chosen_find(path, &options->analysis, &error, &usage_error);
  if (!filtered || d.chosen) d.r = vt_reader_open(path, &error);
  if (!d.r) {
    vt_error_print(&error);
    vt_chosen_free(d.chosen);
    return usage_error ? VT_EXIT_USAGE : VT_EXIT_INPUT;
  }
  find_names(&d, &options->analysis.search);
  d.interpreted = vt_interpreted_begin(d.r);
  if (several) show_trace(d.r, d.json);
  show_sample(d.r, d.json);
  if (!filtered) take_mappings(&d);
  vt_reader_run(d.r, &(vt_reader_sink_t){on_events, on_heap_op, &d});
  show_mappings(&d, UINT64_MAX);
  vt_completeness_t have = vt_completeness(d.r);
  vt_gate_warn(path, &have);
  if (vt_reader_summary(d.r))
    vt_error_say(path, "earlier events are not in it, only their sum (--keep)", "`valtrace check` tells how many");
  vt_reader_close(d.r);
  vt_interpreted_end(&d.interpreted);
  vt_chosen_free(d.chosen);
  vt_stacks_delete(d.stacks);
  free(d.nodes);
  free(d.shown);
  free(d.frames);
  free(d.old);
  free_mappings(&d);
  *left = d.left;
  return VT_EXIT_OK;
}

static int dump_all(vt_cli_options_t const *options) {
  vt_trace_list_t list = {0};
  vt_error_t error;
  uint64_t left = options->report.limit ? options->report.limit : UINT64_MAX;
  int status = VT_EXIT_OK;
  if (vt_trace_list(&list, options->operands, 1, &error)) {
    vt_error_print(&error);
    status = VT_EXIT_INPUT;
  }
  for (size_t i = 0; i < list.paths_cnt && left && !status; i++)
    status = dump(list.paths[i], options, list.paths_cnt > 1, &left);
  vt_trace_list_free(&list);
  int unwritten = vt_cli_finish(stdout, "standard output");
  return status ? status : unwritten;
}

/* What makes no sense for single events. */
#define OUT_OF_PLACE                                                                               \
  (VT_CLI_TEXT | VT_CLI_SET(VT_OPT_BY) | VT_CLI_SET(VT_OPT_SUPPRESSIONS) |                         \
   VT_CLI_SET(VT_OPT_NATIVE) | VT_CLI_SET(VT_OPT_NO_INLINES) | VT_CLI_ALLOCATORS)

int vt_cmd_dump(int argc, char **argv) {
  vt_cli_options_t options;
  if (vt_cli_parse(&options, argc, argv, 0)) return VT_EXIT_USAGE;
  if (options.help) {
    printf(usage, vt_cli_filter_help);
    return VT_EXIT_OK;
  }
  if (vt_cli_refuse(&options, OUT_OF_PLACE, "dump shows single events as they were recorded",
                    "leave it out, or use `valtrace report`"))
    return VT_EXIT_USAGE;
  if (options.operand_cnt != 1) {
    vt_error_say("dump", "exactly one trace is wanted", "valtrace dump TRACE");
    return VT_EXIT_USAGE;
  }
  return dump_all(&options);
}
