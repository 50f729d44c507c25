/* See follow.h. */
#include "analyzer/report/follow.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "analyzer/report/merge.h"
#include "analyzer/util/mem.h"

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static vt_reader_t *reader_of(vt_follow_t const *f) { return f->analysis.trace_cnt ? f->analysis.readers[0] : NULL; }

static int is_recorded(vt_follow_t const *f) { return vt_reader_integrity(reader_of(f))->recording; }

/* read_whole reads the file as every report does. If it cannot, what had been read stays. */
static int read_whole(vt_follow_t *f, vt_error_t *error) {
  char *operands[] = {f->path, NULL};
  vt_analysis_t whole;
  int usage;
  vt_analysis_options_t options = {.timeline = 1, .threads = 1};
  if (vt_analysis_open(&whole, operands, 1, &options, error, &usage)) {
    vt_analysis_close(&whole);
    return -1;
  }
  if (f->pass) vt_pass_end(f->pass);
  f->pass = NULL;
  vt_analysis_close(&f->analysis);
  f->analysis = whole;
  f->now_ns = vt_reader_end_time(reader_of(f));
  f->over = !is_recorded(f);
  return 0;
}

/* announce tells of heaps, of pauses and since when events may be missing, before the events of that time. What is told
   again changes nothing. */
static void announce(vt_follow_t *f) {
  size_t heaps, said, patched;
  vt_model_partial(f->analysis.model, 0, vt_completeness(reader_of(f)).missing_since);
  vt_reader_heaps(reader_of(f), &heaps);
  vt_reader_process(reader_of(f), &said);
  vt_reader_patched(reader_of(f), &patched);
  size_t all = heaps + said + patched;
  if (all != f->announced) vt_merge_declare(f->analysis.model, 0, reader_of(f));
  f->announced = all;
}

static void begin(vt_follow_t *f) {
  vt_analysis_t *analysis = &f->analysis;
  analysis->stacks = vt_stacks_new(&(vt_symbols_search_t){0});
  analysis->nodes = vt_mem_new(1, sizeof *analysis->nodes);
  analysis->at_ns = analysis->to_ns = UINT64_MAX;
  analysis->no_verdict = "the trace was read while it grew";
  vt_stacks_take_symbols(analysis->stacks, reader_of(f));
  analysis->model = vt_model_new(&(vt_model_options_t){.timeline = 1, .threads = 1});
  vt_model_add_trace(analysis->model, 0);
  announce(f);
  vt_merge_resume(analysis->model, 0, reader_of(f));
  f->pass = vt_pass_follow(reader_of(f));
}

int vt_follow_open(vt_follow_t *f, char const *path, vt_error_t *error) {
  *f = (vt_follow_t){.fd = -1, .name = vt_mem_copy(path, strlen(path))};
  vt_reader_t *reader = vt_reader_open(path, error);
  if (!reader) return -1;
  f->fd = open(path, O_RDONLY | O_CLOEXEC); /* the trace may be renamed, its collector's root may go */
  snprintf(f->path, sizeof f->path, "/proc/self/fd/%d", f->fd);
  f->whole = !vt_reader_packed(reader);
  if (f->whole) {
    vt_reader_close(reader);
    return read_whole(f, error);
  }
  f->analysis.readers = vt_mem_new(1, sizeof *f->analysis.readers);
  f->analysis.readers[0] = reader;
  f->analysis.trace_cnt = 1;
  f->more = 1;
  begin(f);
  return 0;
}

void vt_follow_close(vt_follow_t *f) {
  if (f->pass) vt_pass_end(f->pass);
  vt_analysis_close(&f->analysis);
  if (f->fd >= 0) close(f->fd);
  free(f->name);
  *f = (vt_follow_t){.fd = -1};
}

/* is_replaced: does the name lead to another file by now? */
static int is_replaced(vt_follow_t const *f) {
  struct stat named, ours;
  if (stat(f->name, &named) || fstat(f->fd, &ours)) return 0;
  return named.st_ino != ours.st_ino || named.st_dev != ours.st_dev;
}

static int is_same_image(vt_reader_t const *a, vt_reader_t const *b) {
  vt_trace_info_t const *x = vt_reader_info(a), *y = vt_reader_info(b);
  return x->pid == y->pid && x->image == y->image && x->start_tick == y->start_tick && x->start_unix_ns == y->start_unix_ns;
}

/* take_over goes on with the file that has the name now; 0 when that is another process's. */
static int take_over(vt_follow_t *f) {
  vt_follow_t next;
  vt_error_t error;
  int ours = !vt_follow_open(&next, f->name, &error) && is_same_image(reader_of(f), reader_of(&next));
  if (ours) {
    next.anew = f->anew + 1;
    vt_follow_close(f);
    *f = next;
  } else {
    vt_follow_close(&next);
  }
  return ours;
}

int vt_follow_look(vt_follow_t *f, vt_error_t *error) {
  if (f->over) return 0;
  f->strange = is_replaced(f);
  if (f->strange && take_over(f)) return 0;
  if (f->whole) return read_whole(f, error);
  if (vt_pass_grow(f->pass, error)) return -1;
  announce(f);
  f->more = 1;
  return 0;
}

int vt_follow_read(vt_follow_t *f, uint64_t for_ns) {
  vt_batch_t batch;
  uint64_t until = now_ns() + for_ns;
  if (!f->pass) return 0;
  do {
    f->more = vt_pass_next(f->pass, &batch);
    if (!f->more) return 0;
    if (batch.op)
      vt_model_heap_op(f->analysis.model, 0, batch.op->heap, batch.op->op, batch.op->tag, batch.op->time);
    else
      vt_model_events(f->analysis.model, 0, batch.events, batch.cnt);
  } while (now_ns() < until);
  return 1;
}

static void refresh(vt_follow_t *f) {
  vt_analysis_t *analysis = &f->analysis;
  vt_analysis_refresh(analysis);
  analysis->sampled = vt_sampled_of(analysis->readers, 1, analysis->model, 1);
}

/* end_pass: the trace is read to its end. Does it have one, and was everything in its place? */
static int end_pass(vt_follow_t *f, vt_error_t *error) {
  if (!vt_pass_orderly(f->pass) || !vt_reader_integrity(reader_of(f))->ended) return read_whole(f, error);
  vt_pass_end(f->pass);
  f->pass = NULL;
  f->over = 1;
  vt_model_finish(f->analysis.model, f->now_ns);
  refresh(f);
  return 0;
}

int vt_follow_settle(vt_follow_t *f, vt_error_t *error) {
  if (!f->pass) return 0;
  f->now_ns = vt_pass_time(f->pass);
  int may_go_on = !vt_reader_integrity(reader_of(f))->ended && !f->strange && is_replaced(f);
  if (!f->more && !is_recorded(f)) return may_go_on ? 0 : end_pass(f, error);
  vt_model_settle(f->analysis.model, f->now_ns);
  refresh(f);
  return 0;
}

unsigned vt_follow_progress(vt_follow_t const *f) {
  uint64_t done, total;
  vt_reader_progress(reader_of(f), &done, &total);
  return total && f->pass ? (unsigned)(100 * done / total) : 100;
}
