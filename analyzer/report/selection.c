/* Looking for what is asked for; see selection.h. Only a filter by function costs something, and
   only when none of the stacks that allocate has it: then those that free are looked through too.
 */
#include "analyzer/report/selection.h"
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/names.h"
#include "analyzer/report/term.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/nearest.h"

/* ---- moments ---- */

/* How long after the earliest trace a marker was set, in the first trace that has it. A program may call one of its own
   like that of a snapshot: that of the snapshot is meant, of several the last (of peaks, the highest). */
static int find_marker(vt_analysis_t const *analysis, char const *text, uint64_t *ns) {
  int found = 0, snapshot = 0;
  for (size_t t = 0; t < analysis->trace_cnt && !snapshot; t++) {
    size_t cnt;
    vt_trace_marker_t const *markers = vt_reader_markers(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++) {
      int judged = vt_reader_leaks_at(analysis->readers[t], markers[i].time) != NULL;
      if (strcmp(markers[i].text, text) || (found && !judged)) continue;
      *ns = vt_analysis_shift(analysis, t) + markers[i].time;
      found = 1;
      snapshot |= judged;
    }
  }
  return found ? 0 : -1;
}

uint64_t vt_selection_markers(vt_analysis_t const *analysis, char const *name) {
  uint64_t found = 0;
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt;
    vt_trace_marker_t const *markers = vt_reader_markers(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++) {
      uint64_t time = vt_analysis_shift(analysis, t) + markers[i].time;
      found +=
          !strcmp(markers[i].text, name) && time >= analysis->from_ns && time < analysis->to_ns;
    }
  }
  return found;
}

void vt_selection_advise_marker(vt_analysis_t const *analysis, char const *text, char out[160]) {
  vt_nearest_t nearest = vt_nearest_start(text);
  size_t used = 0;
  out[0] = 0;
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt;
    vt_trace_marker_t const *markers = vt_reader_markers(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++) {
      vt_nearest_offer(&nearest, markers[i].text, strlen(markers[i].text));
      if (used < 120)
        used += (size_t)snprintf(out + used, 160 - used, "%s%.36s",
                                 used ? ", " : "markers: ", markers[i].text);
    }
  }
  if (used >= 160) snprintf(out + 154, 6, "…");
  if (vt_nearest_get(&nearest))
    snprintf(out, 160, "did you mean \"%s\"?", vt_nearest_get(&nearest));
  if (!out[0]) snprintf(out, 160, "there are no markers");
}

int vt_selection_moment(vt_analysis_t const *analysis, char const *option, char const *text,
                        uint64_t *ns, vt_error_t *error) {
  char *end, advice[160], what[300];
  if (!text) return 0;
  double seconds = strtod(text, &end);
  if (end != text && !*end && seconds >= 0 && seconds < 1e10) {
    *ns = (uint64_t)(seconds * 1e9);
    return 0;
  }
  if (!find_marker(analysis, text, ns) || !vt_filter_duration(text, ns)) return 0;
  vt_selection_advise_marker(analysis, text, advice);
  snprintf(what, sizeof what, "%s %.200s", option, text);
  vt_error_set(error, what, "neither a time since the start nor a marker of this trace", advice);
  return -1;
}

/* ---- names ---- */

/* A name may have what means something in a pattern: [jit], [vdso]. */
static int is_named(char const *pattern, char const *name) {
  return !strcmp(pattern, name) || !fnmatch(pattern, name, 0);
}

int vt_selection_fits(vt_filter_t const *filter, vt_stack_frame_t const *frame) {
  char const *slash = strrchr(frame->module, '/');
  if (filter->function && fnmatch(filter->function, frame->function, 0)) return 0;
  return !filter->module || is_named(filter->module, frame->module) ||
         (slash && is_named(filter->module, slash + 1));
}

static int complain(vt_error_t *error, char const *option, char const *value, char const *why,
                    vt_nearest_t const *nearest, char const *otherwise) {
  char what[300], advice[160];
  char const *meant = vt_nearest_get(nearest);
  snprintf(what, sizeof what, "%s %.200s", option, value);
  if (meant)
    snprintf(advice, sizeof advice, "did you mean \"%s\"?", meant);
  else
    snprintf(advice, sizeof advice, "%s", otherwise);
  vt_error_set(error, what, why, advice);
  return 1;
}

static int no_thread(vt_analysis_t const *analysis, char const *wanted, vt_error_t *error) {
  vt_nearest_t nearest = vt_nearest_start(wanted);
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt;
    vt_trace_thread_t const *threads = vt_reader_threads(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++) {
      if (vt_trace_thread_matches(&threads[i], wanted)) return 0;
      vt_nearest_offer(&nearest, threads[i].name, strlen(threads[i].name));
    }
  }
  return complain(error, "--thread", wanted, "no thread has this number or name", &nearest,
                  "`valtrace report threads` lists them");
}

static int no_heap(vt_analysis_t const *analysis, char const *wanted, vt_error_t *error) {
  vt_nearest_t nearest = vt_nearest_start(wanted);
  size_t cnt;
  vt_model_heaps(analysis->model, &cnt);
  for (uint32_t i = 0; i < cnt; i++) {
    char buffer[32];
    char const *name = vt_analysis_heap_name(analysis, i, buffer);
    if (!fnmatch(wanted, name, 0)) return 0;
    vt_nearest_offer(&nearest, name, strlen(name));
  }
  return complain(error, "--heap", wanted, "no heap has this name", &nearest,
                  "`valtrace report heaps` lists them");
}

static int no_module(vt_analysis_t const *analysis, char const *wanted, vt_error_t *error) {
  vt_nearest_t nearest = vt_nearest_start(wanted);
  vt_filter_t filter = {.module = wanted};
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    size_t cnt;
    vt_trace_module_t const *modules = vt_reader_modules(analysis->readers[t], &cnt);
    for (size_t i = 0; i < cnt; i++) {
      vt_stack_frame_t frame = {.function = "", .module = modules[i].path};
      if (vt_selection_fits(&filter, &frame)) return 0;
      char const *slash = strrchr(modules[i].path, '/');
      char const *name = slash ? slash + 1 : modules[i].path;
      vt_nearest_offer(&nearest, name, strlen(name));
    }
    vt_stack_frame_t generated = {.function = "", .module = VT_STACKS_JIT};
    vt_reader_jit(analysis->readers[t], &cnt);
    if (cnt && vt_selection_fits(&filter, &generated)) return 0;
  }
  return complain(error, "--module", wanted, "no module has this name", &nearest,
                  "`valtrace report modules` lists them");
}

/* Is there a function that matches in the stacks known so far? Offers all of them. */
static int has_function(vt_analysis_t const *analysis, char const *wanted, vt_nearest_t *nearest) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  uint8_t *seen = vt_mem_new(vt_stacks_places_cnt(analysis->stacks), 1);
  int found = 0;
  for (uint32_t node = 1; node < vt_stacks_cnt(analysis->stacks) && !found; node++) {
    uint8_t *mark = &seen[vt_stacks_place(analysis->stacks, node)];
    size_t cnt = *mark ? 0 : vt_stacks_frames(analysis->stacks, node, 0, frames);
    *mark = 1;
    for (size_t i = 0; i < cnt && !found; i++) {
      size_t sz;
      found = !fnmatch(wanted, frames[i].function, 0);
      char const *base = vt_name_base(frames[i].function, &sz);
      vt_nearest_offer(nearest, base, sz);
    }
  }
  free(seen);
  return found;
}

/* Brings the stacks of frees in, too. */
static void add_all_stacks(vt_analysis_t *analysis) {
  for (size_t t = 0; t < analysis->trace_cnt; t++) {
    uint32_t ids = vt_reader_stacks(analysis->readers[t]).cnt;
    uint8_t *used = vt_mem_new((size_t)ids + 1, 1);
    memset(used, 1, ids);
    free(vt_stacks_add(analysis->stacks, analysis->readers[t], used));
    free(used);
  }
  vt_stacks_symbolize(analysis->stacks);
}

static int no_function(vt_analysis_t *analysis, char const *wanted, vt_error_t *error) {
  vt_nearest_t nearest = vt_nearest_start(wanted);
  if (has_function(analysis, wanted, &nearest)) return 0;
  add_all_stacks(analysis);
  if (has_function(analysis, wanted, &nearest)) return 0;
  return complain(error, "--function", wanted, "no function in any stack matches", &nearest,
                  "`valtrace report --by function` lists them; patterns may have * and ?");
}

static int no_time(vt_analysis_t const *analysis, char const *text, uint64_t from_ns,
                   vt_error_t *error) {
  uint64_t end = vt_analysis_end(analysis);
  if (from_ns <= end) return 0;
  char what[300];
  snprintf(what, sizeof what, "--from %.200s", text);
  vt_error_setf(error, what, "give an earlier time",
                "an empty span of time: the recording ends at %s", vt_time_text(end).text);
  return 1;
}

int vt_selection_occurs_nowhere(vt_analysis_t *analysis, vt_filter_t const *filter,
                                uint64_t from_ns, vt_error_t *error) {
  return (filter->from && no_time(analysis, filter->from, from_ns, error)) ||
         (filter->thread && no_thread(analysis, filter->thread, error)) ||
         (filter->heap && no_heap(analysis, filter->heap, error)) ||
         (filter->module && no_module(analysis, filter->module, error)) ||
         (filter->function && no_function(analysis, filter->function, error));
}
