/* What a report for people begins with: whose trace it is, totals, and what the record lacks. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "analyzer/report/nameless.h"
#include "analyzer/report/report.h"
#include "analyzer/report/roots.h"
#include "analyzer/util/mem.h"
#include "analyzer/report/totals.h"

void vt_text_quoted(char const *text, char *out, size_t cap) {
  static char const plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "_@%+=:,./-";
  size_t used = 0;
  int control = 0, bare = text[0] && !text[strspn(text, plain)];
  for (char const *p = text; *p; p++) control |= (unsigned char)*p < 0x20 || *p == 0x7f;
  if (!bare) used = (size_t)snprintf(out, cap, "%s", control ? "$'" : "'");
  for (; *text && used + 8 < cap; text++) {
    unsigned char c = (unsigned char)*text;
    char const *form = control && c == '\n'                  ? "\\n"
                       : control && c == '\t'                ? "\\t"
                       : control && (c < 0x20 || c == 0x7f)  ? "\\x%02x"
                       : control && (c == '\'' || c == '\\') ? "\\%c"
                       : c == '\''                           ? "'\\''"
                                                             : "%c";
    used += (size_t)snprintf(out + used, cap - used, form, c);
  }
  snprintf(out + used, cap - used, "%s%s", *text ? "…" : "", bare ? "" : "'");
}

static void print_command(vt_term_t const *term, vt_trace_info_t const *info) {
  int left = term->width == INT_MAX ? 200 : term->width - 13;
  char argument[4096];
  vt_term_styled(term, VT_STYLE_FAINT, "  command  ");
  for (uint32_t i = 0; i < info->argc && left > 8; i++) {
    vt_text_quoted(info->argv[i], argument, sizeof argument);
    putc(' ', term->out);
    left -= 1 + vt_term_text(term, argument, left);
  }
  putc('\n', term->out);
}

static void print_trace(vt_analysis_t const *analysis, vt_term_t const *term, size_t index) {
  vt_reader_t const *reader = analysis->readers[index];
  vt_trace_info_t const *info = vt_reader_info(reader);
  size_t threads, modules;
  vt_reader_threads(reader, &threads);
  vt_reader_modules(reader, &modules);
  char when[40];
  time_t start = (time_t)(info->start_unix_ns / 1000000000u);
  strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime(&start));
  char rest[512];
  vt_term_name(term, VT_STYLE_TITLE, info->name, INT_MAX);
  snprintf(rest, sizeof rest, "pid %u on %s, started %s, ran %s, %zu thread%s, %zu module%s",
           info->pid, info->host, when, vt_time_text(vt_reader_end_time(reader)).text, threads,
           threads == 1 ? "" : "s", modules, modules == 1 ? "" : "s");
  fputs("  ", term->out);
  vt_term_wrap(term, rest, (int)strlen(info->name) + 2);
  putc('\n', term->out);
  print_command(term, info);
}

static char const *plural(uint64_t count) { return count == 1 ? "" : "s"; }

static void total_line(vt_term_t const *term, char const *label, char const *value,
                       char const *rest) {
  vt_term_styled(term, VT_STYLE_FAINT, "  %-12s", label);
  int unseen = 0; /* bytes beyond one of a character */
  for (char const *p = value; *p; p++) unseen += ((unsigned char)*p & 0xc0) == 0x80;
  vt_term_styled(term, VT_STYLE_TITLE, "%*s", 14 + unseen, value);
  fputs("  ", term->out);
  vt_term_wrap(term, rest, 30);
  putc('\n', term->out);
}

char const *vt_text_when_live(vt_analysis_t const *analysis) {
  if (analysis->at_ns != UINT64_MAX) return "live at that moment";
  vt_completeness_t have = vt_analysis_completeness(analysis);
  if (!strcmp(have.ended, "detached")) return "live when recording ended";
  return have.recording ? "live so far" : "live at the end";
}

/* lives_on: what is live has not leaked, as the program goes on. */
static int lives_on(vt_analysis_t const *analysis) {
  vt_completeness_t have = vt_analysis_completeness(analysis);
  return have.recording || !strcmp(have.ended, "detached");
}

/* print_python says how much of the totals is an interpreter's own heap. */
static void print_python(vt_analysis_t const *analysis, vt_term_t const *term) {
  size_t cnt;
  vt_model_heap_t const *heaps = vt_model_heaps(analysis->model, &cnt);
  uint64_t allocations = 0, live = 0;
  char rest[160];
  for (size_t i = 0; i < cnt; i++) {
    if (heaps[i].kind != VT_HEAP_KIND_PYTHON) continue;
    allocations += heaps[i].allocations;
    live += heaps[i].live_bytes;
  }
  if (!allocations) return;
  snprintf(rest, sizeof rest, "of these by Python's own allocator (heap python), %s %s",
           vt_bytes_text(live).text, vt_text_when_live(analysis));
  total_line(term, "python", vt_count_text(allocations).text, rest);
}

static void print_peak_rss(vt_analysis_t const *analysis, vt_term_t const *term) {
  int certain;
  uint64_t peak_rss = vt_analysis_peak_rss(analysis, &certain);
  if (peak_rss)
    total_line(term, "peak RSS", vt_bytes_text(peak_rss).text,
               certain ? "resident memory of the process, code and stacks included"
                       : "at least: the last that was seen of a process that was killed or lives on");
}

/* print_sampled says what the figures below are. */
static void print_sampled(vt_analysis_t const *analysis, vt_term_t const *term) {
  char rest[300];
  snprintf(rest, sizeof rest,
           "bytes on average between two recorded blocks%s: figures with ≈ are estimates of all blocks, ± their standard error%s",
           analysis->sampled.mixed ? " in the trace with the fewest, others have more or all of them" : "",
           analysis->sampled.exact ? "; the others are exact" : "");
  total_line(term, "sampled", vt_bytes_text(analysis->sampled.period).text, rest);
}

static void print_allocations_of_sample(vt_analysis_t const *analysis, vt_term_t const *term) {
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  vt_sampled_t const *sampled = &analysis->sampled;
  char rest[160];
  print_sampled(analysis, term);
  if (sampled->exact) {
    snprintf(rest, sizeof rest, "%s %s, %s by realloc%s", vt_count_text(sampled->totals.frees).text,
             sampled->frees_of_others ? "frees" : "freed", vt_count_text(sampled->totals.reallocs).text,
             sampled->frees_of_others ? ": also of blocks that were allocated where nothing was recorded" : "");
    total_line(term, "allocations", vt_count_text(sampled->totals.allocations).text, rest);
    total_line(term, "allocated", vt_bytes_text(sampled->totals.allocated_bytes).text, "");
    return;
  }
  snprintf(rest, sizeof rest, "± %s, ≈ %s freed", vt_count_text(vt_estimate_error(totals->allocated_spread.blocks)).text,
           vt_count_text(totals->frees).text);
  total_line(term, "allocations", vt_count_estimate(totals->allocations, 0).text, rest);
  snprintf(rest, sizeof rest, "± %s", vt_bytes_text(vt_estimate_error(totals->allocated_spread.bytes)).text);
  total_line(term, "allocated", vt_bytes_estimate(totals->allocated_bytes, 0).text, rest);
}

/* at_most bounds a peak after a pause, for the line that tells it; else it is empty. */
typedef struct {
  char text[64];
} bound_t;
static bound_t at_most(vt_model_totals_t const *totals) {
  bound_t out = {""};
  if (totals->peak_at_most)
    snprintf(out.text, sizeof out.text, "at most, at least %s; ", vt_bytes_text(totals->peak_at_least).text);
  return out;
}

/* print_unseen tells a total of which nothing was recorded; 0: it is another one. */
static int print_unseen(vt_term_t const *term, char const *label, vt_total_t const *total, int bytes, char const *what) {
  char most[48], rest[200];
  if (!vt_total_unseen(total)) return 0;
  uint64_t bound = vt_total_bound(total);
  snprintf(most, sizeof most, "≤ %s", (bytes ? vt_bytes_text(bound) : vt_count_text(bound)).text);
  snprintf(rest, sizeof rest, "but for one time in a thousand: no block that was recorded was %s", what);
  total_line(term, label, most, rest);
  return 1;
}

static void print_temporary_of_sample(vt_analysis_t const *analysis, vt_term_t const *term) {
  vt_total_t temporary = vt_total(analysis, VT_TOTAL_TEMPORARY);
  uint64_t all = vt_model_totals(analysis->model)->allocations; /* estimated alike, so that no part is more than all */
  char rest[160];
  if (temporary.known && print_unseen(term, "temporary", &temporary, 0, "freed before the same thread allocated again")) return;
  snprintf(rest, sizeof rest, "± %s, ≈ %s of all allocations: freed before the same thread allocated again",
           vt_count_text((uint64_t)(temporary.error + 0.5)).text, vt_percent_text(temporary.value, all).text);
  if (temporary.known)
    total_line(term, "temporary", vt_count_estimate(temporary.value, 0).text, rest);
  else
    total_line(term, "temporary", "not known", VT_SAMPLED_OLD);
}

static void print_live_of_sample(vt_analysis_t const *analysis, vt_term_t const *term) {
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  vt_total_t live = vt_total(analysis, VT_TOTAL_LIVE);
  char rest[160];
  if (print_unseen(term, "live", &live, 1, vt_text_when_live(analysis))) return;
  snprintf(rest, sizeof rest, "± %s, in %s blocks %s", vt_bytes_text(vt_estimate_error(totals->live_spread.bytes)).text,
           vt_count_estimate(totals->live_blocks, vt_estimate_error(totals->live_spread.blocks)).text,
           vt_text_when_live(analysis));
  total_line(term, "live", vt_bytes_estimate(totals->live_bytes, 0).text, rest);
}

static void print_peak_of_sample(vt_analysis_t const *analysis, vt_term_t const *term) {
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  vt_total_t peak = vt_total(analysis, VT_TOTAL_PEAK);
  char rest[280];
  if (print_unseen(term, "peak heap", &peak, 1, "live at any time")) return;
  snprintf(rest, sizeof rest, "± %s, %sin ≈ %s, %s after the start; the highest of many estimates is somewhat too high",
           vt_bytes_text(vt_estimate_error(totals->peak_spread.bytes)).text, at_most(totals).text,
           vt_counted(totals->peak_blocks, "block").text, vt_time_text(totals->peak_time_ns).text);
  total_line(term, "peak heap", vt_bytes_estimate(totals->peak_bytes, 0).text, rest);
}

/* print_totals_of_sample: what is not known of a sample is not here. */
static void print_totals_of_sample(vt_analysis_t const *analysis, vt_term_t const *term) {
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  char rest[280];
  print_allocations_of_sample(analysis, term);
  print_temporary_of_sample(analysis, term);
  print_peak_of_sample(analysis, term);
  print_peak_rss(analysis, term);
  print_live_of_sample(analysis, term);
  snprintf(rest, sizeof rest, "of these, in ≈ %s that may have been freed while recording was paused",
           vt_counted(totals->unsure_blocks, "block").text);
  if (totals->unsure_blocks) total_line(term, "not known", vt_bytes_estimate(totals->unsure_bytes, 0).text, rest);
  total_line(term, "lost", "not known", VT_SAMPLED_WHY);
}

static void print_totals(vt_analysis_t const *analysis, vt_term_t const *term) {
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  char rest[200];
  if (analysis->sampled.period) {
    print_totals_of_sample(analysis, term);
    return;
  }
  snprintf(rest, sizeof rest, "%s freed, %s by realloc", vt_count_text(totals->frees).text,
           vt_count_text(totals->reallocs).text);
  total_line(term, "allocations", vt_count_text(totals->allocations).text, rest);
  print_python(analysis, term);
  snprintf(rest, sizeof rest, "from %s distinct stack%s", vt_count_text(analysis->sites_cnt).text,
           plural(analysis->sites_cnt));
  total_line(term, "allocated", vt_bytes_text(totals->allocated_bytes).text, rest);
  snprintf(rest, sizeof rest, "%s of all allocations: freed before the same thread allocated again",
           vt_percent_text(totals->temporary, totals->allocations).text);
  total_line(term, "temporary", vt_count_text(totals->temporary).text, rest);
  snprintf(rest, sizeof rest, "%sin %s, %s after the start", at_most(totals).text,
           vt_counted(totals->peak_blocks, "block").text, vt_time_text(totals->peak_time_ns).text);
  total_line(term, "peak heap", vt_bytes_text(totals->peak_bytes).text, rest);
  print_peak_rss(analysis, term);
  int at_end = analysis->at_ns == UINT64_MAX && !lives_on(analysis);
  snprintf(rest, sizeof rest, "in %s block%s %s%s", vt_count_text(totals->live_blocks).text,
           plural(totals->live_blocks), at_end ? "still " : "", vt_text_when_live(analysis));
  total_line(term, "live", vt_bytes_text(totals->live_bytes).text, rest);
  if (!totals->live_blocks) return;
  if (totals->unsure_blocks) {
    snprintf(rest, sizeof rest, "of these, in %s that may have been freed while recording was paused",
             vt_counted(totals->unsure_blocks, "block").text);
    total_line(term, "not known", vt_bytes_text(totals->unsure_bytes).text, rest);
  }
  if (analysis->verdicts) {
    vt_verdict_t const *v = &analysis->verdict;
    snprintf(rest, sizeof rest, "of these, in %s that nothing reaches any more",
             vt_counted(vt_lost_blocks(v), "block").text);
    total_line(term, "lost", vt_bytes_text(vt_lost_bytes(v)).text, rest);
  } else {
    total_line(term, "lost", "not known", analysis->no_verdict);
  }
}

static void warn(vt_term_t const *term, uint64_t count, char const *what) {
  if (!count) return;
  char text[160];
  vt_term_styled(term, VT_STYLE_WARNING, "  ! ");
  snprintf(text, sizeof text, "%s %s", vt_count_text(count).text, what);
  vt_term_wrap(term, text, 4);
  putc('\n', term->out);
}

static void print_end(vt_term_t const *term, vt_completeness_t const *have) {
  char const *ended = have->ended;
  int number = strncmp(ended, "signal:", 7) ? 0 : atoi(ended + 7);
  char const *name = number ? sigdescr_np(number) : NULL;
  if (number)
    fprintf(term->out, "signal %d (%s) ended the program\n", number, name ? name : "?");
  else
    fprintf(term->out, "%s\n",
            !strcmp(ended, "exit")     ? "the program ended by itself"
            : !strcmp(ended, "exec")   ? "the program executed another one"
            : !strcmp(ended, "killed")  ? "the program was killed, or ended without telling"
            : !strcmp(ended, "running") ? "the program still runs"
            : !strcmp(ended, "detached") ? "recording was ended; the program goes on"
            : have->mid_life             ? "the program, or one that it executed, ended without telling how"
                                         : "the program ended without telling how");
}

/* One of the ways in which several processes ended, in words that fit any number. */
static void print_one_end(vt_term_t const *term, char const *ended, size_t cnt) {
  int number = strncmp(ended, "signal:", 7) ? 0 : atoi(ended + 7);
  char const *name = number ? sigdescr_np(number) : NULL;
  char const *how = !strcmp(ended, "exit")       ? "by itself"
                    : !strcmp(ended, "exec")     ? "by exec of another program"
                    : !strcmp(ended, "killed")   ? "killed, or without telling"
                    : !strcmp(ended, "running")  ? "not yet"
                    : !strcmp(ended, "detached") ? "not, but recording did"
                                                 : "without telling how";
  fprintf(term->out, "%zu ", cnt);
  if (number)
    fprintf(term->out, "by signal %d (%s)", number, name ? name : "?");
  else
    fputs(how, term->out);
}

/* print_ends says how the processes of several traces ended, in the order in which the ways occur. */
static void print_ends(vt_analysis_t const *analysis, vt_term_t const *term) {
  vt_completeness_t *all = vt_mem_new(analysis->trace_cnt, sizeof *all);
  for (size_t t = 0; t < analysis->trace_cnt; t++) all[t] = vt_completeness(analysis->readers[t]);
  fputs("ended:", term->out);
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    size_t first = 0, cnt = 0;
    while (strcmp(all[first].ended, all[t].ended)) first++;
    for (size_t i = t; i < analysis->trace_cnt; i++) cnt += !strcmp(all[i].ended, all[t].ended);
    if (first < t) continue;
    fputs(t ? ", " : " ", term->out);
    print_one_end(term, all[t].ended, cnt);
  }
  putc('\n', term->out);
  free(all);
}

static void print_warning(vt_term_t const *term, char const *text) {
  vt_term_styled(term, VT_STYLE_WARNING, "  ! ");
  vt_term_wrap(term, text, 4);
  putc('\n', term->out);
}

/* print_missing says why the record is not complete, and what that means. */
static void print_missing(vt_term_t const *term, vt_completeness_t const *have) {
  char text[160];
  for (size_t i = 0; i < have->reason_cnt; i++) print_warning(term, have->reasons[i]);
  if (have->complete || have->recording) return;
  int known = have->missing_events != VT_MISSING_UNKNOWN;
  if (have->missing_since == VT_TIME_NEVER && (!known || !have->missing_events)) return;
  known &= have->missing_events != 0; /* recording stopped: then nobody counted */
  snprintf(text, sizeof text, "%s event%s missing%s%s",
           known ? vt_count_text(have->missing_events).text : "an unknown number of",
           known && have->missing_events == 1 ? " is" : "s are",
           have->missing_since == VT_TIME_NEVER ? "" : ", all later than ",
           have->missing_since == VT_TIME_NEVER ? "" : vt_time_text(have->missing_since).text);
  print_warning(term, text);
}

/* How stacks end that do not end at a root, or may not. */
static void print_roots(vt_analysis_t const *analysis, vt_term_t const *term, uint64_t truncated) {
  vt_roots_t roots = vt_analysis_roots(analysis);
  char text[120] = "stacks could not be followed to their root";
  if (roots.cut_cnt) {
    char const *module = roots.cut[0].module, *slash = strrchr(module, '/');
    snprintf(text, sizeof text, "stacks could not be followed to their root, most of them in %.50s",
             slash       ? slash + 1
             : module[0] ? module
                         : "generated code");
  }
  warn(term, truncated, text);
  warn(term, roots.uncertain,
       "allocations through generated code: its callers are found by frame pointers and may be "
       "wrong");
  free(roots.cut);
}

/* print_late says what it means for the numbers that recording began in mid-life. */
static void print_late(vt_term_t const *term, vt_model_totals_t const *totals) {
  char text[240];
  int n = snprintf(text, sizeof text, VT_MID_LIFE_WHY);
  if (totals->unknown_frees)
    snprintf(text + n, sizeof text - (size_t)n, ", nor %s %s of blocks that are not known",
             totals->unknown_frees == 1 ? "is" : "are", vt_counted(totals->unknown_frees, "free").text);
  print_warning(term, text);
}

/* print_paused says what the pauses mean for the numbers. */
static void print_paused(vt_term_t const *term, vt_model_totals_t const *totals, int late) {
  print_warning(term, "what was allocated while recording was paused is in no number here");
  if (totals->peak_at_most)
    print_warning(term, VT_PEAK_WHY);
  warn(term, totals->ended_unseen,
       totals->ended_unseen == 1 ? "block that lived through a pause has ended, it is not known when and by whom"
                                 : "blocks that lived through a pause have ended, it is not known when and by whom");
  warn(term, late ? 0 : totals->unknown_frees,
       totals->unknown_frees == 1 ? "free of a block that is not known: allocated in a pause, or a wrong free"
                                  : "frees of blocks that are not known: allocated in a pause, or wrong frees");
}

/* print_kept says what is left of older events. */
static void print_kept(vt_term_t const *term, vt_analysis_t const *analysis) {
  char text[200];
  if (!analysis->kept_ns) return;
  snprintf(text, sizeof text, analysis->without_summary ? "blocks from before %s are left out: of them only the sum is kept (--keep)"
                                                        : "events before %s are kept as their sum (--keep): totals, sites, live blocks and the peak are those of all",
           vt_time_text(analysis->kept_ns).text);
  print_warning(term, text);
}

static void print_completeness(vt_analysis_t const *analysis, vt_term_t const *term) {
  vt_completeness_t have = vt_analysis_completeness(analysis);
  vt_model_totals_t const *totals = vt_model_totals(analysis->model);
  vt_term_styled(term, VT_STYLE_FAINT, "  %-12s", "record");
  fprintf(term->out, "%14s  ",
          have.complete    ? "complete"
          : have.recording ? "recording"
                           : "incomplete");
  if (analysis->trace_cnt > 1)
    print_ends(analysis, term);
  else
    print_end(term, &have);
  print_missing(term, &have);
  print_kept(term, analysis);
  print_roots(analysis, term, vt_analysis_counter(analysis, VT_COUNTER_TRUNCATED));
  char unmatched[160];
  char const *unseen = vt_unseen_text(vt_analysis_unseen(analysis, VT_ALL_TRACES));
  snprintf(unmatched, sizeof unmatched, "free%s of an address where no block was live%s%s",
           totals->unmatched_frees == 1 ? "" : "s", *unseen ? ": " : "", unseen);
  warn(term, totals->unmatched_frees, unmatched);
  warn(term, totals->missed_frees,
       totals->missed_frees == 1 ? "block whose address was handed out again without a free"
                                 : "blocks whose address was handed out again without a free");
  if (have.mid_life) print_late(term, totals);
  if (have.paused) print_paused(term, totals, have.mid_life);
  vt_text_nameless(analysis, term);
}


void vt_text_head(vt_analysis_t const *analysis, vt_report_options_t const *options,
                  vt_term_t const *term, size_t traces_max) {
  for (size_t t = 0; t < analysis->trace_cnt && t < traces_max; t++) print_trace(analysis, term, t);
  if (analysis->trace_cnt > traces_max)
    fprintf(term->out, "and %s more\n", vt_counted(analysis->trace_cnt - traces_max, "trace").text);
  if (options->filters) {
    vt_term_styled(term, VT_STYLE_WARNING, "  chosen    ");
    vt_term_text(term, options->filters, vt_term_room(term, 12));
    putc('\n', term->out);
  }
  putc('\n', term->out);
  print_totals(analysis, term);
  print_completeness(analysis, term);
}
