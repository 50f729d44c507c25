/* `valtrace check`: decodes a whole trace and says what is intact, lost and damaged. */
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/error.h"
#include "analyzer/cli/options.h"
#include "analyzer/report/report.h"
#include "analyzer/util/progress.h"
#include "analyzer/trace/folder.h"
#include "analyzer/trace/reader.h"
#include "analyzer/trace/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static char const usage[] =
    "usage: valtrace check [--json] TRACE…\n\n"
    "Decodes each TRACE (of a folder: all in it) and prints what it holds, what was lost while\n"
    "recording, and where it is damaged or torn. Exit status 0: everything that happened is there;\n"
    "3: something is damaged or missing, or the trace is still being recorded.\n\n"
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

static char const *state_of(vt_completeness_t const *have) {
  return have->complete    ? "intact"
         : have->recording ? "recording"
         : have->damaged   ? "damaged"
                           : "incomplete";
}

static void print_missing(vt_completeness_t const *have) {
  for (size_t i = 0; i < have->reason_cnt; i++) printf("  %s\n", have->reasons[i]);
  if (have->complete || have->recording) return;
  if (have->missing_events == VT_MISSING_UNKNOWN)
    printf("  how many events are missing is not known");
  else
    printf("  missing events: %" PRIu64, have->missing_events);
  if (have->missing_since != VT_TIME_NEVER)
    printf("; all before %" PRIu64 ".%09" PRIu64 " s is there", have->missing_since / 1000000000u,
           have->missing_since % 1000000000u);
  putchar('\n');
}

/* print_unwinding tells what VALTRACE_UNWIND_CHECK counted. */
static void print_unwinding(vt_reader_t const *r) {
  uint64_t checked = vt_reader_counter(r, VT_COUNTER_UNWIND_CHECKED);
  if (!checked) return;
  printf("  call stacks unwound once more: %" PRIu64 "; frames that were not the same: %" PRIu64
         ", to libunwind alone: %" PRIu64 "\n",
         checked, vt_reader_counter(r, VT_COUNTER_UNWIND_DIFFERENCES),
         vt_reader_counter(r, VT_COUNTER_LIBUNWIND_DIFFERENCES));
}

static void print_text(vt_reader_t const *r, vt_completeness_t const *have) {
  vt_integrity_t const *in = vt_reader_integrity(r);
  printf("%s: %s\n", vt_reader_info(r)->path, state_of(have));
  printf("  %" PRIu64 " bytes, %" PRIu64 " chunk%s (%" PRIu64 " with events), %" PRIu64 " event%s",
         in->file_bytes, in->chunks, in->chunks == 1 ? "" : "s", in->event_chunks, in->events,
         in->events == 1 ? "" : "s");
  if (in->events) printf(", %.2f bytes per event", (double)in->file_bytes / (double)in->events);
  if (vt_reader_info(r)->sample_period)
    printf("\n  sampled: one block in %" PRIu64 " bytes on average is recorded", vt_reader_info(r)->sample_period);
  printf("\n  process %u ended: %s; file %s\n", vt_reader_info(r)->pid, have->ended,
         have->complete ? "complete" : "not complete");
  if (have->mid_life) puts("  recording began in mid-life: what had been allocated before is not in it");
  print_missing(have);
  if (vt_reader_summary(r))
    printf("  %" PRIu64 " earlier events are kept as their sum (--keep)\n", vt_reader_summary(r)->totals[VT_SUMMARY_EVENTS]);
  print_unwinding(r);
  if (in->unknown_chunks)
    printf("  chunks of unknown optional types that were skipped: %" PRIu64 "\n",
           in->unknown_chunks);
}

static void print_json(vt_json_t *j, vt_reader_t const *r, vt_completeness_t const *have) {
  vt_integrity_t const *in = vt_reader_integrity(r);
  vt_json_object(j, NULL);
  vt_json_string(j, "path", vt_reader_info(r)->path);
  vt_json_bool(j, "intact", !have->damaged && !in->missing_chunks);
  vt_json_bool(j, "complete", have->complete);
  vt_json_string(j, "ended", have->ended);
  vt_json_missing(j, have);
  vt_json_uint(j, "bytes", in->file_bytes);
  vt_json_uint(j, "chunks", in->chunks);
  vt_json_uint(j, "event_chunks", in->event_chunks);
  vt_json_uint(j, "events", in->events);
  vt_json_uint(j, "sampled", vt_reader_info(r)->sample_period);
  vt_json_uint(j, "summarized_events", vt_reader_summary(r) ? vt_reader_summary(r)->totals[VT_SUMMARY_EVENTS] : 0);
  vt_json_uint(j, "lost_events", have->dropped_events);
  vt_json_uint(j, "damaged_chunks", in->damaged_chunks);
  vt_json_uint(j, "damage_offset", in->damage_off);
  vt_json_uint(j, "missing_chunks", in->missing_chunks);
  vt_json_uint(j, "torn_tail_bytes", in->torn_bytes);
  vt_json_uint(j, "torn_tail_offset", in->torn_off);
  vt_json_uint(j, "unknown_chunks", in->unknown_chunks);
  vt_json_uint(j, "stacks_checked", vt_reader_counter(r, VT_COUNTER_UNWIND_CHECKED));
  vt_json_uint(j, "frames_different", vt_reader_counter(r, VT_COUNTER_UNWIND_DIFFERENCES));
  vt_json_uint(j, "frames_different_libunwind",
               vt_reader_counter(r, VT_COUNTER_LIBUNWIND_DIFFERENCES));
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
  vt_completeness_t have = vt_completeness(r);
  if (j)
    print_json(j, r, &have);
  else
    print_text(r, &have);
  vt_reader_close(r);
  return have.complete ? VT_EXIT_OK : VT_EXIT_INPUT;
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
