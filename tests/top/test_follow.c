/* A trace that is followed while it grows gives the numbers of one that is read as a whole.

   The trace (argv[1]) is copied piece by piece, cut at any byte, into a file that is held like one that is still
   recorded; whatever is there is read; at the end all counters of all cells must be those of a plain analysis. Then the
   same with a second trace (argv[2]), in which the events of a thread that ended early are moved to the end of the file:
   they come too late, and must be put right. Of both the live blocks, as a look at the memory needs them, are followed
   in the same way. */
#include "analyzer/report/follow.h"
#include "analyzer/snapshot/replay.h"
#include "analyzer/trace/reader_private.h"
#include "analyzer/trace/writer.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/progress.h"
#include "tests/unit/tap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  uint8_t *data;
  size_t sz;
} bytes_t;

static bytes_t read_file(char const *path) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &st)) exit(2);
  bytes_t bytes = {vt_mem_new((size_t)st.st_size, 1), (size_t)st.st_size};
  if (read(fd, bytes.data, bytes.sz) != (ssize_t)bytes.sz) exit(2);
  close(fd);
  return bytes;
}

static void analyse(vt_analysis_t *analysis, char *path) {
  vt_error_t error;
  int usage;
  char *operands[] = {path, NULL};
  vt_analysis_options_t options = {.timeline = 1, .threads = 1};
  if (vt_analysis_open(analysis, operands, 1, &options, &error, &usage)) exit(2);
}

static void hold(int fd, short type) {
  struct flock whole = {.l_type = type, .l_whence = SEEK_SET};
  if (fcntl(fd, F_OFD_SETLK, &whole)) exit(2);
}

static int looks, early; /* at the file; those that had events before the trace was over */

static void look(void *context) {
  vt_follow_t *follow = context;
  vt_error_t error;
  if (vt_follow_look(follow, &error)) {
    printf("# %s: %s\n", error.what, error.why);
    exit(2);
  }
  while (vt_follow_read(follow, 1)) continue;
  if (vt_follow_settle(follow, &error)) exit(2);
  looks++;
  early += !follow->over && vt_model_totals(follow->analysis.model)->events > 0;
}

/* Who follows: opens the file of that name, and reads what is there. */
typedef struct {
  void (*open)(void *context, char const *path);
  void (*look)(void *context);
  void *context;
} reader_t;

/* feed copies the trace in pieces into a file that is held, all but `rest` bytes. Returns the file. */
static int feed(reader_t const *reader, bytes_t trace, char const *path, unsigned seed, size_t rest) {
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  hold(fd, F_WRLCK);
  size_t at = trace.sz < 4096 ? trace.sz : 4096; /* the header at least is there from the first byte */
  if (fd < 0 || write(fd, trace.data, at) != (ssize_t)at) exit(2);
  reader->open(reader->context, path);
  while (at < trace.sz - rest) {
    reader->look(reader->context);
    seed = seed * 1103515245u + 12345u;
    size_t sz = 1 + (seed >> 8) % (trace.sz / 40);
    if (sz > trace.sz - rest - at) sz = trace.sz - rest - at;
    if (write(fd, trace.data + at, sz) != (ssize_t)sz) exit(2);
    at += sz;
  }
  return fd;
}

static void open_follow(void *follow, char const *path) {
  vt_error_t error;
  looks = early = 0;
  if (vt_follow_open(follow, path, &error)) exit(2);
}

/* grow follows the trace to its end. */
static void grow(vt_follow_t *follow, bytes_t trace, char const *path, unsigned seed) {
  reader_t reader = {open_follow, look, follow};
  int fd = feed(&reader, trace, path, seed, 0);
  hold(fd, F_UNLCK);
  look(follow);
  close(fd);
}

static void open_replay(void *replay, char const *path) {
  if (!(*(vt_replay_t **)replay = vt_replay_open(path))) exit(2);
}

static int never(void *context) { return context == NULL; }

static void follow_replay(void *replay) {
  if (vt_replay_follow(*(vt_replay_t **)replay, never, replay)) exit(2);
}

static int by_address(void const *a, void const *b) {
  vt_live_block_t const *x = a, *y = b;
  return x->start < y->start ? -1 : x->start > y->start;
}

/* finish tells what lives, in the order of addresses. */
static vt_replayed_t finish(vt_replay_t *replay) {
  if (!vt_replay_whole(replay)) exit(2);
  vt_replayed_t live = vt_replay_finish(replay, 0, 0);
  free(live.origins);
  qsort(live.blocks, live.blocks_cnt, sizeof *live.blocks, by_address);
  return live;
}

static int same_blocks(vt_replayed_t const *a, vt_replayed_t const *b) {
  return a->missed == b->missed && a->blocks_cnt == b->blocks_cnt &&
         !memcmp(a->blocks, b->blocks, a->blocks_cnt * sizeof *a->blocks);
}

/* check_live follows the live blocks of a trace whose END is not written yet, as when a process has just ended. anew: are
   they to be found only by reading all of it? */
static void check_live(bytes_t trace, char const *path, unsigned seed, int anew) {
  vt_replay_t *followed, *read;
  reader_t reader = {open_replay, follow_replay, &followed};
  int fd = feed(&reader, trace, path, seed, VT_CHUNK_HEADER_SZ);
  open_replay(&read, path);
  vt_replayed_t a = finish(followed), b = finish(read);
  ok(b.blocks_cnt > 0 && same_blocks(&a, &b), "seed %u: %zu live blocks, followed or not", seed, b.blocks_cnt);
  ok(vt_replay_anew(followed) == anew, "seed %u: they were found %s", seed, anew ? "by reading all once more" : "by following");
  free(a.blocks);
  free(b.blocks);
  vt_replay_close(followed);
  vt_replay_close(read);
  close(fd);
}

static int same_cells(vt_model_t const *a, vt_model_t const *b) {
  size_t a_cnt, b_cnt;
  vt_cell_t const *x = vt_model_cells(a, &a_cnt), *y = vt_model_cells(b, &b_cnt);
  if (a_cnt != b_cnt) return 0;
  for (size_t i = VT_CELL_FIRST; i < a_cnt; i++)
    if (x[i].stack != y[i].stack || x[i].heap != y[i].heap || x[i].allocations != y[i].allocations ||
        x[i].allocated_bytes != y[i].allocated_bytes || x[i].frees != y[i].frees ||
        x[i].freed_bytes != y[i].freed_bytes || x[i].temporary != y[i].temporary ||
        x[i].peak_bytes != y[i].peak_bytes || x[i].peak_blocks != y[i].peak_blocks || x[i].reallocs != y[i].reallocs ||
        x[i].cross_thread_frees != y[i].cross_thread_frees || x[i].unsure_blocks != y[i].unsure_blocks)
      return 0;
  return 1;
}

static void show(char const *name, vt_model_totals_t const *t) {
  printf("# %s: %lu allocations, %lu frees, %lu temporary, peak %lu, %lu unmatched, %lu reordered, %lu missed, %lu unsure, "
         "%lu unseen, %lu unknown, %lu events\n",
         name, t->allocations, t->frees, t->temporary, t->peak_bytes, t->unmatched_frees, t->reordered, t->missed_frees,
         t->unsure_blocks, t->ended_unseen, t->unknown_frees, t->events);
}

/* same_totals: times are by a clock that was known a little less well at first. */
static int same_totals(vt_model_totals_t a, vt_model_totals_t b) {
  a.peak_time_ns = b.peak_time_ns = a.end_time_ns = b.end_time_ns = 0;
  int same = !memcmp(&a, &b, sizeof a);
  if (!same) show("followed", &a);
  if (!same) show("whole", &b);
  return same;
}

static int same_threads(vt_model_t const *a, vt_model_t const *b) {
  size_t a_cnt, b_cnt;
  vt_model_thread_t const *x = vt_model_threads(a, &a_cnt), *y = vt_model_threads(b, &b_cnt);
  if (a_cnt != b_cnt) return 0;
  for (size_t i = 0; i < a_cnt; i++)
    if (x[i].index != y[i].index || x[i].allocations != y[i].allocations || x[i].frees != y[i].frees ||
        x[i].temporary != y[i].temporary || x[i].leaked_bytes != y[i].leaked_bytes)
      return 0;
  return 1;
}

static void check_growth(vt_analysis_t const *whole, bytes_t trace, char const *path, unsigned seed) {
  vt_follow_t follow;
  grow(&follow, trace, path, seed);
  vt_model_t const *model = follow.analysis.model;
  ok(follow.over, "seed %u: the trace is over", seed);
  ok(early > 3, "seed %u: %d of %d looks saw events before the end", seed, early, looks);
  ok(follow.analysis.cells_known != 0, "seed %u: it was not read a second time", seed);
  ok(same_totals(*vt_model_totals(model), *vt_model_totals(whole->model)), "seed %u: totals", seed);
  ok(same_cells(model, whole->model), "seed %u: every cell", seed);
  ok(same_threads(model, whole->model), "seed %u: every thread", seed);
  ok(follow.analysis.sites_cnt == whole->sites_cnt, "seed %u: as many sites", seed);
  vt_follow_close(&follow);
}

/* is_last: has the stream of an event chunk no other behind it? */
static int is_last(vt_reader_t const *reader, vt_chunk_t const *chunk) {
  vt_chunk_t c;
  for (uint64_t off = vt_chunk_end(chunk); !vt_chunk_header(reader, off, &c); off = vt_chunk_end(&c))
    if (c.type == VT_CHUNK_EVENTS && c.writer == chunk->writer) return 0;
  return 1;
}

/* rewrite writes the trace anew, with a clock of which a second is short: how long it took to record has no part in what
   is waited for. late: the events that a thread wrote last are behind all others, just before END. */
static void rewrite(char const *from, char const *to, int late) {
  vt_error_t error;
  bytes_t trace = read_file(from);
  vt_reader_t *reader = vt_reader_open(from, &error);
  vt_writer_t *writer = vt_writer_open(to, &error);
  vt_chunk_t c, moved = {0};
  if (!reader || !writer) exit(2);
  reader->header.tick_hz = 100000;
  vt_writer_header(writer, &reader->header);
  for (uint64_t off = reader->header_sz; !vt_chunk_header(reader, off, &c); off = vt_chunk_end(&c)) {
    if (late && c.type == VT_CHUNK_EVENTS && !moved.type && is_last(reader, &c)) {
      moved = c;
      continue;
    }
    if (late && c.type == VT_CHUNK_END)
      vt_writer_copy(writer, moved.type, moved.flags, moved.writer, trace.data + moved.off + VT_CHUNK_HEADER_SZ, moved.sz);
    vt_writer_copy(writer, c.type, c.flags, c.writer, trace.data + off + VT_CHUNK_HEADER_SZ, c.sz);
  }
  vt_reader_close(reader);
  free(trace.data);
  if (vt_writer_close(writer)) exit(2);
}

/* check_replaced: half-way, a whole copy takes the name of the file, as when old events are dropped. */
static void check_replaced(vt_analysis_t const *whole, bytes_t trace, char const *path) {
  vt_follow_t follow;
  vt_error_t error;
  char other[4200];
  snprintf(other, sizeof other, "%s.other", path);
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), copy = open(other, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  hold(fd, F_WRLCK);
  hold(copy, F_WRLCK);
  if (write(fd, trace.data, trace.sz / 2) < 0 || vt_follow_open(&follow, path, &error)) exit(2);
  look(&follow);
  if (write(copy, trace.data, trace.sz - 1000) < 0 || rename(other, path)) exit(2);
  close(fd);
  look(&follow);
  ok(!follow.over && follow.anew == 1, "a file that takes the name is followed");
  if (pwrite(copy, trace.data + trace.sz - 1000, 1000, (off_t)trace.sz - 1000) != 1000) exit(2);
  close(copy);
  look(&follow);
  ok(follow.over && same_cells(follow.analysis.model, whole->model), "to its end");
  vt_follow_close(&follow);
}

/* check_damage: a byte of events is wrong, then the file is cut. */
static void check_damage(bytes_t trace, char *path) {
  vt_analysis_t whole;
  vt_follow_t follow;
  vt_error_t error;
  trace.data[trace.sz / 2] ^= 0x55;
  grow(&follow, trace, path, 5);
  analyse(&whole, path);
  ok(follow.over && same_cells(follow.analysis.model, whole.model), "a damaged trace: what a report makes of it");
  vt_analysis_close(&whole);
  vt_follow_close(&follow);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  hold(fd, F_WRLCK);
  if (ftruncate(fd, (off_t)trace.sz - 2000) || vt_follow_open(&follow, path, &error) || ftruncate(fd, 5000)) exit(2);
  ok(vt_follow_look(&follow, &error) < 0, "a file that was cut is told of");
  vt_follow_close(&follow);
  close(fd);
}

int main(int argc, char **argv) {
  char grown[4096], made[4096];
  vt_analysis_t whole;
  if (argc != 3) return 2;
  vt_progress_disable();
  snprintf(grown, sizeof grown, "%.4000s.grown", argv[1]);
  snprintf(made, sizeof made, "%.4000s.made", argv[1]);
  rewrite(argv[1], made, 0);
  bytes_t trace = read_file(made);
  analyse(&whole, made);
  for (unsigned seed = 1; seed <= 3; seed++) check_growth(&whole, trace, grown, seed);
  for (unsigned seed = 1; seed <= 3; seed++) check_live(trace, grown, seed, 0);
  check_replaced(&whole, trace, grown);
  vt_analysis_close(&whole);
  free(trace.data);
  rewrite(argv[2], made, 1);
  trace = read_file(made);
  analyse(&whole, made);
  vt_follow_t follow;
  grow(&follow, trace, grown, 4);
  ok(follow.over && follow.analysis.cells_known == 0, "events that come late: the file is read once more");
  ok(same_cells(follow.analysis.model, whole.model), "events that come late: every cell");
  vt_follow_close(&follow);
  vt_analysis_close(&whole);
  check_live(trace, grown, 4, 1);
  check_damage(trace, grown);
  free(trace.data);
  unlink(grown);
  unlink(made);
  return done_testing();
}
