/* `valtrace check`: decodes a whole trace and says what is intact, lost and damaged. */
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/error.h"
#include "analyzer/cli/options.h"
#include "analyzer/report/json.h"
#include "analyzer/util/progress.h"
#include "analyzer/trace/folder.h"
#include "analyzer/trace/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static char const usage[] =
    "usage: valtrace check [--json] TRACE…\n\n"
    "Decodes each TRACE (of a folder: all in it) and prints what it holds, what was lost while\n"
    "recording, and where it is damaged or torn. Exit status 0: everything could be read; 3: "
    "something\n"
    "is damaged or missing.\n\n"
    "  --json   one JSON document\n"
    "  --help   this text\n";

typedef struct {
  vt_reader_t *r;
  vt_progress_t progress;
} watch_t;

static int on_events(void *context, vt_event_t const *events, size_t cnt) {
  watch_t *w = context;
  uint64_t done, total;
  (void)events;
  (void)cnt;
  vt_reader_progress(w->r, &done, &total);
  vt_progress_show(&w->progress, done, total);
  return 0;
}

static char const *ended_as(vt_reader_t const *r, char *buf, size_t cap) {
  size_t cnt;
  vt_trace_process_t const *p = vt_reader_process(r, &cnt);
  for (size_t i = cnt; i-- > 0;) {
    switch (p[i].kind) {
    case VT_PROCESS_EXIT: snprintf(buf, cap, "exit status %u", p[i].value); return buf;
    case VT_PROCESS_SIGNAL: snprintf(buf, cap, "signal %u", p[i].value); return buf;
    case VT_PROCESS_EXEC: return "exec";
    case VT_PROCESS_VANISHED: return "killed";
    case VT_PROCESS_STOPPED: return "recording stopped";
    default: break;
    }
  }
  return "unknown";
}

static int is_good(vt_integrity_t const *in) {
  return !in->damaged_chunks && !in->torn_bytes && !in->bad_events && !in->missing_chunks;
}

static void print_text(vt_reader_t const *r) {
  vt_integrity_t const *in = vt_reader_integrity(r);
  char end[64];
  printf("%s: %s\n", vt_reader_info(r)->path, is_good(in) ? "intact" : "damaged");
  printf("  %" PRIu64 " bytes, %" PRIu64 " chunks (%" PRIu64 " with events), %" PRIu64 " events",
         in->file_bytes, in->chunks, in->event_chunks, in->events);
  if (in->events) printf(", %.2f bytes per event", (double)in->file_bytes / (double)in->events);
  printf("\n  process %u ended: %s; file %s\n", vt_reader_info(r)->pid,
         ended_as(r, end, sizeof end), in->ended ? "complete" : "without end mark");
  if (in->lost_events) printf("  %" PRIu64 " events were not recorded\n", in->lost_events);
  if (in->damaged_chunks)
    printf("  %" PRIu64 " damaged chunks, the first at byte %" PRIu64 "\n", in->damaged_chunks,
           in->damage_off);
  if (in->missing_chunks) printf("  %" PRIu64 " chunks are missing\n", in->missing_chunks);
  if (in->torn_bytes)
    printf("  torn tail of %" PRIu64 " bytes at byte %" PRIu64 "\n", in->torn_bytes, in->torn_off);
  if (in->unknown_chunks)
    printf("  %" PRIu64 " chunks of unknown optional types were skipped\n", in->unknown_chunks);
}

static void print_json(vt_json_t *j, vt_reader_t const *r) {
  vt_integrity_t const *in = vt_reader_integrity(r);
  char end[64];
  vt_json_object(j, NULL);
  vt_json_string(j, "path", vt_reader_info(r)->path);
  vt_json_bool(j, "intact", is_good(in));
  vt_json_bool(j, "complete", in->ended);
  vt_json_string(j, "ended", ended_as(r, end, sizeof end));
  vt_json_uint(j, "bytes", in->file_bytes);
  vt_json_uint(j, "chunks", in->chunks);
  vt_json_uint(j, "event_chunks", in->event_chunks);
  vt_json_uint(j, "events", in->events);
  vt_json_uint(j, "lost_events", in->lost_events);
  vt_json_uint(j, "damaged_chunks", in->damaged_chunks);
  vt_json_uint(j, "damage_offset", in->damage_off);
  vt_json_uint(j, "missing_chunks", in->missing_chunks);
  vt_json_uint(j, "torn_tail_bytes", in->torn_bytes);
  vt_json_uint(j, "torn_tail_offset", in->torn_off);
  vt_json_uint(j, "unknown_chunks", in->unknown_chunks);
  vt_json_end_object(j);
}

static int check(char const *path, vt_json_t *j) {
  vt_error_t error;
  vt_reader_t *r = vt_reader_open(path, &error);
  if (!r) {
    vt_error_print(&error);
    return VT_EXIT_INPUT;
  }
  watch_t watch = {r, vt_progress_start("checking")};
  vt_reader_run(r, &(vt_reader_sink_t){.events = on_events, .context = &watch});
  vt_progress_end(&watch.progress);
  if (j)
    print_json(j, r);
  else
    print_text(r);
  int good = is_good(vt_reader_integrity(r));
  vt_reader_close(r);
  return good ? VT_EXIT_OK : VT_EXIT_INPUT;
}

static int check_all(vt_cli_options_t const *options) {
  vt_trace_list_t list = {0};
  vt_error_t error;
  int status = VT_EXIT_OK;
  if (vt_trace_list(&list, options->operands, (size_t)options->operand_cnt, &error)) {
    vt_error_print(&error);
    status = VT_EXIT_INPUT;
  }
  vt_json_t j = vt_json_start(stdout);
  if (options->json) vt_json_array(&j, NULL);
  for (size_t i = 0; i < list.paths_cnt; i++) {
    int result = check(list.paths[i], options->json ? &j : NULL);
    if (result) status = result;
  }
  if (options->json) {
    vt_json_end_array(&j);
    vt_json_finish(&j);
  }
  vt_trace_list_free(&list);
  return status;
}

int vt_cmd_check(int argc, char **argv) {
  vt_cli_options_t options;
  if (vt_cli_parse(&options, argc, argv, 0) ||
      vt_cli_refuse(&options, ~VT_CLI_SET(VT_OPT_JSON), "check looks at the whole file",
                    "leave it out; `valtrace report` chooses"))
    return VT_EXIT_USAGE;
  if (options.help) {
    fputs(usage, stdout);
    return VT_EXIT_OK;
  }
  if (!options.operand_cnt) {
    vt_error_say("check", "no trace given", "valtrace check TRACE…");
    return VT_EXIT_USAGE;
  }
  int status = check_all(&options);
  int unwritten = vt_cli_finish(stdout, "standard output");
  return unwritten ? unwritten : status;
}
