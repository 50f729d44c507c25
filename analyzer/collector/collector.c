/* See collector.h. One thread polls: the ring for full segments, processes for their end, the
   socket for processes that ask for the ring, and `run` for orders. */
#include "analyzer/collector/collector.h"
#include "analyzer/collector/control.h"
#include "analyzer/collector/copies.h"
#include "analyzer/collector/drain.h"
#include "analyzer/collector/following.h"
#include "analyzer/collector/keep.h"
#include "analyzer/collector/sampling.h"
#include "analyzer/collector/survived.h"
#include "analyzer/patch/service.h"
#include "analyzer/util/progress.h"
#include "analyzer/trace/embed.h"
#include "analyzer/util/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_MAX_MS     5
#define FLUSH_NS        ((uint64_t)1000000000)
#define USERS_NS        ((uint64_t)200000000)
#define SIGN_OF_LIFE_NS 100000000

typedef struct {
  vt_drain_t drain;
  vt_ring_end_t *end;
  vt_collector_options_t const *options;
  int control;     /* -1: answered, or run is gone */
  int deaf; /* the socket could not be served: it stays ready, so wait without it */
  struct pollfd *fds;
  size_t fds_cnt, fds_cap;
  uint64_t next_flush, next_users;
  unsigned users; /* processes that may still come, as of the last look */
  uint64_t begun; /* CLOCK_MONOTONIC when something began to be recorded; 0: nothing has */
  int timed;      /* the time that is to be recorded is over */
} collector_t;

static size_t living(collector_t const *c) {
  size_t n = 0;
  for (size_t i = 0; i < c->drain.images_cnt; i++) n += !c->drain.images[i]->ended;
  return n;
}

static size_t leaving(collector_t const *c) {
  size_t n = 0;
  for (size_t i = 0; i < c->drain.images_cnt; i++) n += (size_t)c->drain.images[i]->leaving;
  return n;
}

/* expected tells how many processes live that hold the ring but have not told of themselves yet: a
   daemon forks and leaves its child behind before that has run one instruction. */
static unsigned expected(collector_t *c) {
  uint64_t now = vt_clock_ns(CLOCK_MONOTONIC);
  if (!c->options->children) return 0;
  if (now < c->next_users) return c->users;
  c->next_users = now + USERS_NS;
  return c->users = vt_owner_holders(c->end);
}

/* serving: is there a process that is recorded, or may be? */
static int serving(collector_t *c) {
  return c->drain.first_awaited || living(c) || (!c->drain.detached && expected(c));
}

/* put_nothing makes a standard descriptor one that says nothing and takes nothing. It must not become
   free: the next file opened, a trace, would be what stray output goes to. */
static void put_nothing(int fd) {
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing < 0) nothing = open("/", O_RDONLY | O_CLOEXEC);
  if (nothing < 0 || nothing == fd) return;
  dup2(nothing, fd);
  close(nothing);
}

static int served(collector_t const *c, int fd) {
  return fd == c->end->fd || fd == c->end->socket || fd == c->end->steering || fd == c->control;
}

/* close_inherited closes what came to `run` through exec: that has no FD_CLOEXEC. What has it was
   opened in this process, by a library before main, too (libunwind in a preloaded allocator has a pipe, and
   would later close whatever has its number). */
static void close_inherited(collector_t const *c) {
  DIR *dir = opendir("/proc/self/fd");
  if (!dir) return;
  for (struct dirent const *entry; (entry = readdir(dir));) {
    int fd = atoi(entry->d_name);
    if (fd > STDERR_FILENO && !served(c, fd) && fcntl(fd, F_GETFD) == 0) close(fd);
  }
  closedir(dir);
}

/* let_go gives up what was inherited from whoever started `run`: who reads a pipe to its end, waits for
   a lock or unmounts a file system does not wait for processes that live on. Standard error stays as
   long as `run` does. */
static void let_go(collector_t const *c) {
  close_inherited(c);
  put_nothing(STDIN_FILENO);
  put_nothing(STDOUT_FILENO);
  (void)!chdir("/");
}

/* hang_up ends the conversation with `run`, which may return now. */
static void hang_up(collector_t *c) {
  close(c->control);
  c->control = -1;
  put_nothing(STDERR_FILENO);
}

static void take_order(collector_t *c) {
  vt_collector_order_t order;
  ssize_t n = recv(c->control, &order, sizeof order, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n != (ssize_t)sizeof order) { /* run was killed: serve the program to its end */
    hang_up(c);
    c->drain.first_awaited = 0;
    if (!c->drain.slots.first_pid) c->drain.slots.first_pid = -1;
    return;
  }
  c->drain.slots.first_pid = order.first_pid;
  if (!order.ended) return;
  c->drain.slots.first_over = vt_clock_tick((vt_clock_kind_t)c->end->ring->clock);
  c->drain.first_awaited = 0;
  c->drain.first_status = order.wait_status;
  c->drain.first_peak = order.peak_resident;
  if (order.detached) vt_survived_detached(&c->drain, 0);
  if (order.replaced) vt_survived_first(&c->drain);
  vt_drain_doubt(&c->drain);
}

static void add_fd(collector_t *c, int fd) {
  if (fd >= 0) VT_PUSH(c->fds, ((struct pollfd){.fd = fd, .events = POLLIN}));
}

/* The descriptor of a process that is gone stays ready: not looked at while that is `run`'s to
   tell, which may be stopped. */
static void wait_for_work(collector_t *c, int timeout_ms) {
  c->fds_cnt = 0;
  add_fd(c, c->control);
  if (!c->deaf) add_fd(c, c->end->socket);
  add_fd(c, c->end->steering);
  for (size_t i = 0; i < c->drain.images_cnt; i++) {
    vt_image_t const *image = c->drain.images[i];
    if (image->copying.on && image->copying.look.looking) add_fd(c, image->copying.look.helper.done);
    if (image->leaving) {
      if (image->look.looking) add_fd(c, image->look.helper.done);
      continue;
    }
    vt_owner_t const *owner = &c->drain.slots.owner[image->place.slot];
    if (image->ended || vt_drain_awaited(&c->drain, image) || owner->shared) continue;
    add_fd(c, owner->fd);
  }
  if (poll(c->fds, c->fds_cnt, timeout_ms) <= 0 && !c->deaf) return;
  if (c->control >= 0) take_order(c);
  c->deaf = vt_ring_answer(c->end);
  vt_control_serve(&c->drain);
  vt_drain_ended(&c->drain);
}

/* lives_on: something of the program goes on, beyond the looks at what has ended. */
static int lives_on(collector_t *c) { return !leaving(c) && serving(c); }

/* mind_time pauses the run when the time that is to be recorded is over. It begins with the first process, or the first
   `ctl start`. */
static void mind_time(collector_t *c, uint64_t now) {
  if (!c->options->duration_ns || c->timed) return;
  if (!c->begun && c->drain.images_cnt && !vt_pauses_on(&c->drain.pauses)) c->begun = now;
  if (!c->begun || now - c->begun < c->options->duration_ns) return;
  c->timed = 1;
  vt_drain_pause(&c->drain, VT_PAUSE_DURATION);
}

/* is_due: is an image's turn to be flushed? A sampled one goes on for weeks, and each flush takes room in its file. */
static int is_due(vt_image_t *image, uint64_t now) {
  if (!image->packer.header.sample_period) return 1;
  if (now < image->next_flush) return 0;
  image->next_flush = now + VT_IMAGE_SPARSE_NS;
  return 1;
}

/* look_after does what is due from time to time: flushing, sampling memory, noticing a full disk.
 */
static void look_after(collector_t *c) {
  uint64_t now = vt_clock_ns(CLOCK_MONOTONIC);
  mind_time(c, now);
  int flush = now >= c->next_flush, some = flush;
  vt_moment_of_clocks_t whole_until;
  for (size_t i = 0; i < c->drain.images_cnt; i++) some |= vt_following_due(c->drain.images[i]);
  if (some) whole_until = vt_drain_all(&c->drain);
  if (flush) vt_drain_leftovers(&c->drain);
  if (flush) vt_survived_look(&c->drain);
  for (size_t i = 0; i < c->drain.images_cnt; i++) {
    vt_image_t *image = c->drain.images[i];
    if (image->ended || image->leaving) continue;
    vt_keep_mind(&c->drain, image); /* a helper may be over */
    if (!image->size_said && vt_sampling_look(image, (vt_clock_kind_t)c->end->ring->clock, now))
      vt_copies_mind(&c->drain, image, now);
    vt_following_mind(&c->drain, image);
    if ((flush && is_due(image, now)) || (some && vt_following_due(image))) vt_image_flush(image, &whole_until);
    if (image->error.what[0])
      atomic_store_explicit(&c->end->ring->stop, VT_STOPPED_SPACE, memory_order_relaxed);
  }
  if (flush) c->next_flush = now + FLUSH_NS;
}

static int wants_symbols(collector_t const *c, vt_image_t const *image) {
  return c->drain.symbols && image->ended && !image->symbolized && !image->skipped && !image->error.what[0];
}

static void embed_symbols(collector_t *c) {
  vt_embed_t *traces = vt_mem_new(c->drain.images_cnt + 1, sizeof *traces);
  vt_image_t **images = vt_mem_new(c->drain.images_cnt + 1, sizeof *images);
  size_t cnt = 0;
  for (size_t i = 0; i < c->drain.images_cnt; i++) {
    vt_image_t *image = c->drain.images[i];
    if (!wants_symbols(c, image)) continue;
    images[cnt] = image;
    traces[cnt++] = (vt_embed_t){.path = image->path, .max = image->max_size};
  }
  vt_embed_traces(traces, cnt, c->drain.symbols);
  for (size_t i = 0; i < cnt; i++) {
    struct stat st;
    images[i]->symbolized = 1;
    if (traces[i].failed) images[i]->error = traces[i].error;
    if (stat(images[i]->path, &st) == 0) images[i]->bytes = (uint64_t)st.st_size;
  }
  free(images);
  free(traces);
}

/* recorded tells how many living processes have a trace, or may come to have one. */
static size_t recorded(collector_t *c) {
  size_t n = 0;
  for (size_t i = 0; i < c->drain.images_cnt; i++)
    n += !c->drain.images[i]->ended && !c->drain.images[i]->skipped;
  return living(c) ? n : c->drain.detached ? 0 : expected(c);
}

/* summary is what the ring tells. */
static vt_collector_summary_t summary(collector_t *c) {
  return (vt_collector_summary_t){
      .living = (uint32_t)recorded(c),
      .unrecorded = atomic_load_explicit(&c->end->ring->unrecorded, memory_order_relaxed)};
}

/* tell_traces names the traces that are complete, one in a message. */
static void tell_traces(collector_t *c) {
  for (size_t i = 0; i < c->drain.images_cnt; i++) {
    vt_image_t const *image = c->drain.images[i];
    if (!image->ended || !image->events) continue;
    if (send(c->control, image->path, strlen(image->path) + 1, MSG_NOSIGNAL) < 0) return;
  }
}

/* answer tells `run` what was written, too. */
static void answer(collector_t *c, vt_collector_summary_t s) {
  vt_image_t const *last = vt_drain_last(&c->drain);
  s.skipped = c->options->outputs->skipped;
  s.dropped = c->options->outputs->dropped;
  strcpy(s.folder, c->options->outputs->folder);
  for (size_t i = 0; i < c->drain.images_cnt; i++) {
    vt_image_t *image = c->drain.images[i];
    if (image->error.what[0] && !s.failed++) s.error = image->error;
    if (image == last) { /* the rest is 0 if others live on in its memory */
      strcpy(s.first, image->path);
      s.stopped = image->stopped;
      s.lost = image->lost;
      s.hidden = image->hidden;
      strcpy(s.refused, image->refused);
    }
    if (!image->ended || !image->events) continue;
    s.traces++;
    s.events += image->events;
    s.bytes += image->bytes;
  }
  if (c->control >= 0) {
    (void)!send(c->control, &s, sizeof s, MSG_NOSIGNAL);
    tell_traces(c);
    hang_up(c);
  }
}

/* answer_early lets run return while processes live on: a child names the code in the complete
   traces, which takes too long for the ring to wait, and answers. */
static void answer_early(collector_t *c) {
  vt_collector_summary_t s = summary(c);
  c->options->outputs->gather = 0; /* the names that are told stay */
  pid_t child = fork();
  if (child == 0) {
    vt_ring_leave(c->end); /* who holds it counts as one that may still be recorded */
    embed_symbols(c);
    answer(c, s);
    _exit(0);
  }
  hang_up(c);
  for (size_t i = 0; child > 0 && i < c->drain.images_cnt; i++)
    c->drain.images[i]->symbolized |= c->drain.images[i]->ended;
}

/* show_life lets waiting threads tell a collector that waits for its disk from a stopped one. */
static void *show_life(void *context) {
  vt_ring_t *ring = context;
  for (;;) {
    atomic_fetch_add_explicit(&ring->alive, 1, memory_order_relaxed);
    nanosleep(&(struct timespec){.tv_nsec = SIGN_OF_LIFE_NS}, NULL);
  }
  return NULL;
}

/* Without the thread a slow disk counts as a dead collector after a second. */
static void start_showing_life(vt_ring_t *ring) {
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  if (!pthread_create(&thread, NULL, show_life, ring)) pthread_detach(thread);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void vt_collector_serve(vt_ring_end_t *end, int control, vt_collector_options_t const *options) {
  static collector_t c;
  c = (collector_t){.end = end, .options = options, .control = control};
  let_go(&c);
  c.drain.first_awaited = 1;
  c.drain.first_status = -1;
  c.drain.ring = end->ring;
  c.drain.end = end;
  c.drain.slots.ring = end->ring;
  c.drain.slots.end = end;
  c.drain.outputs = options->outputs;
  c.drain.pauses = options->pauses;
  c.drain.pauses.ring = end->ring;
  c.drain.high_tags = options->high_tags;
  c.drain.codec = vt_codec_new();
  c.drain.symbols = options->symbols ? vt_symbols_new() : NULL;
  vt_progress_disable(); /* `run` waits for us and tells, as long as it does */
  start_showing_life(end->ring);
  if (end->steering >= 0) listen(end->steering, SOMAXCONN); /* again: the kernel tells who asks that it is we who listen */
  if (end->patches >= 0) vt_patch_serve(end->patches, &options->allocators);
  int idle_ms = 0;
  while (serving(&c)) {
    idle_ms = vt_drain_full(&c.drain) ? 0 : idle_ms + 1;
    if (idle_ms > POLL_MAX_MS) idle_ms = POLL_MAX_MS;
    look_after(&c);
    wait_for_work(&c, idle_ms);
    vt_drain_settle(&c.drain);
    if (c.drain.first_awaited) continue;
    vt_drain_full(&c.drain);
    vt_drain_ended(&c.drain);
    if (c.control >= 0 && lives_on(&c)) answer_early(&c);
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
  }
  if (c.drain.detached) vt_ring_empty(end);
  embed_symbols(&c);
  answer(&c, summary(&c));
  for (size_t i = 0; i < c.drain.images_cnt; i++) vt_image_delete(c.drain.images[i]);
  free(c.drain.pauses.spans);
  vt_codec_delete(c.drain.codec);
  if (c.drain.symbols) vt_symbols_delete(c.drain.symbols);
}
