/* See completeness.h. */
#include "analyzer/trace/completeness.h"
#include "analyzer/trace/stretches.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void because(vt_completeness_t *c, char const *format,
                                                          ...) {
  va_list args;
  if (c->reason_cnt == VT_REASONS_MAX) return;
  va_start(args, format);
  vsnprintf(c->reasons[c->reason_cnt++], sizeof c->reasons[0], format, args);
  va_end(args);
}

static char const *plural(uint64_t cnt) { return cnt == 1 ? "" : "s"; }

/* How the process ended, and whether recording had stopped before. */
typedef struct {
  vt_process_kind_t kind; /* VT_PROCESS_STARTED: it began and said no more; 0: it said nothing */
  uint32_t value;
  uint32_t stopped; /* vt_stopped_t */
  uint64_t stopped_time;
} last_words_t;

static last_words_t last_words(vt_reader_t const *reader) {
  size_t cnt;
  vt_trace_process_t const *process = vt_reader_process(reader, &cnt);
  last_words_t said = {.stopped = (uint32_t)vt_reader_counter(reader, VT_COUNTER_STOPPED),
                       .stopped_time = vt_reader_integrity(reader)->stopped_time};
  for (size_t i = 0; i < cnt; i++) {
    switch (process[i].kind) {
    case VT_PROCESS_STOPPED:
      said.stopped = process[i].value;
      said.stopped_time = process[i].time;
      break;
    case VT_PROCESS_ATTACHED: /* by a thread that may be later heard of than the one that ends the process */
      if (!said.kind) said.kind = VT_PROCESS_STARTED;
      break;
    case VT_PROCESS_STARTED:
    case VT_PROCESS_FORKED:
    case VT_PROCESS_EXEC_FAILED: said.kind = VT_PROCESS_STARTED; break;
    case VT_PROCESS_EXEC:
    case VT_PROCESS_EXIT:
    case VT_PROCESS_SIGNAL:
    case VT_PROCESS_VANISHED:
    case VT_PROCESS_DETACHED:
      said.kind = process[i].kind;
      said.value = process[i].value;
      break;
    default: break;
    }
  }
  return said;
}

static int is_raw(vt_reader_t const *reader) {
  return (vt_reader_info(reader)->optional & VT_OPTIONAL_NO_COLLECTOR) != 0;
}

/* A process that ended without a word is killed if the file is whole and there was room for its word.
   Whoever collects says VANISHED of one whose status nobody knows. */
static void set_ended(vt_completeness_t *c, last_words_t const *said, int whole) {
  char const *how = "unknown";
  if (said->kind == VT_PROCESS_EXIT) how = "exit";
  if (said->kind == VT_PROCESS_EXEC) how = "exec";
  if (said->kind == VT_PROCESS_DETACHED) how = "detached";
  if (said->kind == VT_PROCESS_STARTED && c->recording) how = "running";
  if (said->kind == VT_PROCESS_STARTED && whole && !said->stopped) how = "killed";
  if (said->kind == VT_PROCESS_SIGNAL)
    snprintf(c->ended, sizeof c->ended, "signal:%" PRIu32, said->value);
  else
    strcpy(c->ended, how);
}

static char const *stop_reason(uint32_t stopped) {
  return stopped == VT_STOPPED_COLLECTOR ? "the collector was stopped or killed"
         : stopped == VT_STOPPED_SPACE   ? "no space, or a limit on the size of files"
         : stopped == VT_STOPPED_LIMIT   ? "a limit on memory was reached"
         : stopped == VT_STOPPED_CONFINED
             ? "what had been set aside before a seccomp filter, or strict mode, was used up"
             : "it could not go on";
}

/* has_end: does the file say that it has all, or at least that the process had no more to say? A raw
   file has an end if the process has said one, or has let the file go: a copy may have been made before. */
static int has_end(vt_reader_t const *reader, last_words_t const *said) {
  vt_integrity_t const *in = vt_reader_integrity(reader);
  if (!is_raw(reader)) return in->ended;
  return in->let_go || said->kind == VT_PROCESS_EXIT || said->kind == VT_PROCESS_EXEC;
}

/* judge_file adds what the file lacks; returns 1 if it lacks nothing. */
static int judge_file(vt_completeness_t *c, vt_reader_t const *reader, last_words_t const *said) {
  vt_integrity_t const *in = vt_reader_integrity(reader);
  char const *piece = is_raw(reader) ? "segment" : "chunk";
  c->damaged = in->damaged_chunks || in->torn_bytes || in->bad_events;
  if (in->damaged_chunks)
    because(c, "%" PRIu64 " chunk%s of the file %s damaged, the first at byte %" PRIu64, in->damaged_chunks,
            plural(in->damaged_chunks), in->damaged_chunks == 1 ? "is" : "are", in->damage_off);
  if (in->torn_bytes)
    because(c, "the file has a torn tail at byte %" PRIu64 " (%" PRIu64 " byte%s)", in->torn_off,
            in->torn_bytes, plural(in->torn_bytes));
  if (in->missing_chunks)
    because(c, "%" PRIu64 " %s%s missing from the file", in->missing_chunks, piece,
            in->missing_chunks == 1 ? " is" : "s are");
  if (has_end(reader, said)) return !c->damaged && !in->missing_chunks;
  if (said->stopped == VT_STOPPED_SPACE || (is_raw(reader) && said->stopped))
    return 0; /* that is why there is no end mark */
  if (is_raw(reader) && in->counted)
    because(c, "the process had not said its end, and in a copy of its file it cannot be seen whether it lived on");
  else if (is_raw(reader))
    because(c, "the file does not tell how much it should hold, and the process has not said its end");
  else
    because(c, "the file has no end mark: the collector was killed, or the file was cut, or copied before its end");
  return 0;
}

/* judge_losses adds what the process could not record. */
static void judge_losses(vt_completeness_t *c, vt_reader_t const *reader) {
  c->dropped_events = vt_reader_integrity(reader)->lost_events +
                      vt_reader_counter(reader, VT_COUNTER_NESTED_LOST) +
                      vt_reader_counter(reader, VT_COUNTER_BEFORE_START);
  if (c->dropped_events)
    because(c, "%" PRIu64 " event%s not recorded", c->dropped_events,
            c->dropped_events == 1 ? " was" : "s were");
  uint64_t allocator = vt_reader_counter(reader, VT_COUNTER_ALLOCATOR_IN_EXECUTABLE);
  if (allocator == 1)
    because(c, "the executable has an allocator of its own that preloading cannot see");
  vt_trace_patched_t const *refused;
  size_t more = vt_reader_refused(reader, &refused);
  if (more == 1) because(c, "calls of %s are not recorded: %s", refused->name, refused->why);
  if (more > 1)
    because(c, "calls of %s and %zu more are not recorded: %s", refused->name, more - 1, refused->why);
  if (allocator == 2)
    because(c, "an allocator is preloaded before libvaltrace.so, which belongs first");
  if (allocator == 3) because(c, "the program ran inside valgrind, whose tool replaces malloc");
}

static void add_refused(vt_completeness_t *c, vt_refused_t const *one) {
  for (size_t i = 0; i < c->refused_cnt; i++)
    if (c->refused[i].what == one->what) return;
  c->refused[c->refused_cnt++] = *one;
}

/* judge_reach adds what the program has that no hook reaches. How often it was called nobody knows. */
static void judge_reach(vt_completeness_t *c, vt_reader_t const *reader) {
  static vt_refused_t const known[VT_REFUSED_MAX] = {
      {"operator new of the executable",
       "blocks that it does not take from malloc are not seen"},
      {"operator new of a library loaded before libvaltrace.so",
       "blocks that it does not take from malloc are not seen"}};
  size_t cnt;
  vt_trace_refusal_t const *refusals = vt_reader_refusals(reader, &cnt);
  for (size_t i = 0; i < cnt; i++) because(c, "%s are not recorded: %s", refusals[i].what, refusals[i].why);
  uint64_t which = vt_reader_counter(reader, VT_COUNTER_NEW_BEFORE);
  if (!which || which > VT_REFUSED_MAX) return;
  add_refused(c, &known[which - 1]);
  because(c, "%s: %s", known[which - 1].what, known[which - 1].reason);
}

/* say_pauses names the stretches that are not recorded; returns when the first begins. */
static uint64_t say_pauses(vt_completeness_t *c, vt_stretch_t const *s, size_t cnt) {
  uint64_t first = VT_TIME_NEVER;
  size_t pauses = 0, last = 0;
  char until[48] = " on";
  for (size_t i = 0; i < cnt; i++) {
    if (!s[i].why) continue;
    if (!pauses++) first = s[i].from;
    last = i;
  }
  if (!pauses) return first;
  if (s[last].to != VT_TIME_NEVER) snprintf(until, sizeof until, " to %.3f s", (double)s[last].to / 1e9);
  char const *why = s[last].why == VT_PAUSE_DURATION ? ", when the time that --duration gives was over"
                    : s[last].why == VT_PAUSE_SIZE   ? ", when the file had the size that --max-size gives"
                                                     : "";
  because(c, "recording was paused from %.3f s%s%s", (double)s[last].from / 1e9, until, why);
  if (pauses > 1)
    because(c, "recording was paused %zu time%s before that, since %.3f s", pauses - 1, pauses == 2 ? "" : "s",
            (double)first / 1e9);
  return first;
}

/* judge_pauses: events are missing that nobody has counted. */
static void judge_pauses(vt_completeness_t *c, vt_reader_t const *reader) {
  size_t cnt;
  vt_stretch_t *stretches = vt_stretches(reader, &cnt);
  uint64_t first = say_pauses(c, stretches, cnt);
  free(stretches);
  if (first == VT_TIME_NEVER) return;
  c->paused = 1;
  c->missing_events = VT_MISSING_UNKNOWN;
  if (first < c->missing_since) c->missing_since = first;
}

/* fewer is how many events the file has fewer than were counted when they were written, which is told
   at the end of a trace with collector; VT_MISSING_UNKNOWN when it is not told. */
static uint64_t fewer(vt_reader_t const *reader) {
  uint64_t counted = vt_reader_counter(reader, VT_COUNTER_EVENTS);
  uint64_t have = vt_reader_integrity(reader)->events;
  if (!counted) return VT_MISSING_UNKNOWN;
  return counted > have ? counted - have : 0;
}

static void set_missing(vt_completeness_t *c, vt_reader_t const *reader, last_words_t const *said,
                        int whole) {
  vt_integrity_t const *in = vt_reader_integrity(reader);
  uint64_t lacking = whole ? 0 : fewer(reader);
  size_t refusals;
  vt_reader_refusals(reader, &refusals);
  int unseen = c->refused_cnt || refusals || vt_reader_refused(reader, NULL) ||
               vt_reader_counter(reader, VT_COUNTER_ALLOCATOR_IN_EXECUTABLE);
  if (unseen) lacking = VT_MISSING_UNKNOWN;
  c->missing_events = lacking == VT_MISSING_UNKNOWN ? lacking : lacking + c->dropped_events;
  c->missing_since = VT_TIME_NEVER;
  if (!whole && !in->bad_events) c->missing_since = in->whole_until;
  if (said->stopped && said->stopped_time < c->missing_since && !in->bad_events)
    c->missing_since = said->stopped_time;
  if (!c->recording && !c->missing_events && !said->stopped) c->missing_since = VT_TIME_NEVER; /* it lacks something else */
}

vt_completeness_t vt_completeness(vt_reader_t const *reader) {
  vt_completeness_t c = {.recording = vt_reader_integrity(reader)->recording,
                         .mid_life = (vt_reader_info(reader)->flags & VT_HEADER_FLAG_MID_LIFE) != 0};
  last_words_t said = last_words(reader);
  if (c.recording) because(&c, "it is still being recorded");
  if (said.stopped) because(&c, "recording stopped early: %s", stop_reason(said.stopped));
  int whole = c.recording ? 0 : judge_file(&c, reader, &said);
  set_ended(&c, &said, whole);
  judge_losses(&c, reader);
  judge_reach(&c, reader);
  set_missing(&c, reader, &said, whole);
  judge_pauses(&c, reader);
  c.complete = !c.reason_cnt;
  return c;
}

vt_reasons_t vt_completeness_why(vt_completeness_t const *have) {
  vt_reasons_t out = {""};
  size_t used = 0, room = sizeof out.text - sizeof "; and 12 more";
  for (size_t i = 0; i < have->reason_cnt; i++) {
    if (i && used + strlen(have->reasons[i]) + 2 > room) {
      snprintf(out.text + used, sizeof out.text - used, "; and %zu more", have->reason_cnt - i);
      break;
    }
    used += (size_t)snprintf(out.text + used, sizeof out.text - used, "%s%s", i ? "; " : "", have->reasons[i]);
  }
  return out;
}

static int lacks_events(vt_completeness_t const *c) {
  return !c->complete && (c->missing_events || c->missing_since != VT_TIME_NEVER);
}

void vt_completeness_add(vt_completeness_t *sum, vt_completeness_t const *one) {
  int lacking = lacks_events(sum), more = lacks_events(one);
  if (more && (!lacking || sum->missing_since == VT_TIME_NEVER || one->missing_since == VT_TIME_NEVER))
    sum->missing_since = lacking ? VT_TIME_NEVER : one->missing_since;
  else if (more && one->missing_since < sum->missing_since)
    sum->missing_since = one->missing_since;
  sum->complete &= one->complete;
  sum->recording |= one->recording;
  sum->paused |= one->paused;
  sum->mid_life |= one->mid_life;
  sum->damaged |= one->damaged;
  sum->dropped_events += one->dropped_events;
  if (one->missing_events == VT_MISSING_UNKNOWN || sum->missing_events == VT_MISSING_UNKNOWN)
    sum->missing_events = VT_MISSING_UNKNOWN;
  else
    sum->missing_events += one->missing_events;
  for (size_t i = 0; i < one->reason_cnt && sum->reason_cnt < VT_REASONS_MAX; i++)
    memcpy(sum->reasons[sum->reason_cnt++], one->reasons[i], sizeof sum->reasons[0]);
  for (size_t i = 0; i < one->refused_cnt; i++) add_refused(sum, &one->refused[i]);
}
