/* The run: start, drain, notice ends, hand over, note. See collector.h. */
#include "analyzer/collector/collector.h"
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/error.h"
#include "analyzer/collector/channel.h"
#include "analyzer/collector/diagnose.h"
#include "analyzer/collector/drain.h"
#include "analyzer/collector/launch.h"
#include "analyzer/collector/signals.h"
#include "analyzer/trace/embed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS ((uint64_t)1000000)
#define SLEEP_MIN_NS (1 * MS)
#define SLEEP_MAX_NS (20 * MS)
#define LIVES_EVERY_NS (5 * MS)
#define SAMPLE_EVERY_NS (100 * MS)
#define FLUSH_EVERY_NS (1000 * MS)
/* Records drained since the last flush that bring the next one forward: bounds gathered events. */
#define FLUSH_BYTES ((uint64_t)64 << 20)

typedef struct {
  vt_collect_t const *options;
  vt_channel_t channel;
  vt_run_t run;
  vt_drain_t drain;
  pid_t program; /* 0: has ended, or this process serves descendants */
  int status;    /* of the program, as waitpid gives it */
  uint64_t next_lives, next_sample, next_flush, flushed_bytes;
  uint64_t sleep_ns;
} collector_t;

static collector_t collector;

static void wake(void) { vt_channel_wake(&collector.channel); }

static uint64_t now_ns(void) { return vt_clock_ns(CLOCK_MONOTONIC); }

static void reap(collector_t *c) {
  int status;
  if (c->program <= 0 || waitpid(c->program, &status, WNOHANG) != c->program) return;
  if (!WIFEXITED(status) && !WIFSIGNALED(status)) return;
  c->status = status;
  c->program = 0;
}

/* note_lives marks the images whose process has ended. */
static void note_lives(collector_t *c) {
  for (size_t i = 0; i < c->drain.images_cnt; i++) {
    vt_image_t *image = c->drain.images[i];
    struct pollfd p = {.fd = image->pidfd, .events = POLLIN};
    if (image->pidfd >= 0 ? poll(&p, 1, 0) > 0 : kill((pid_t)image->pid, 0) && errno == ESRCH)
      image->gone = 1;
  }
}

/* end_of says how a process that is gone ended, when it did not tell itself. */
static vt_process_kind_t end_of(collector_t const *c, vt_image_t const *image, uint32_t *value) {
  *value = 0;
  for (size_t i = 0; i < c->drain.images_cnt; i++)
    if (c->drain.images[i] != image && c->drain.images[i]->pid == image->pid)
      return VT_PROCESS_EXEC;
  if (image->pid != c->run.first_pid || c->program > 0) return VT_PROCESS_VANISHED;
  *value = WIFSIGNALED(c->status) ? (uint32_t)WTERMSIG(c->status) : (uint32_t)WEXITSTATUS(c->status);
  return WIFSIGNALED(c->status) ? VT_PROCESS_SIGNAL : VT_PROCESS_EXIT;
}

static void end_gone(collector_t *c) {
  for (size_t i = 0; i < c->drain.images_cnt;) {
    vt_image_t *image = c->drain.images[i];
    uint32_t value;
    if (!image->gone) {
      i++;
      continue;
    }
    vt_process_kind_t kind = end_of(c, image, &value);
    vt_drain_end(&c->drain, i, kind, value);
    i = 0;
  }
}

static void sample_all(collector_t *c) {
  for (size_t i = 0; i < c->drain.images_cnt; i++) vt_image_sample(c->drain.images[i]);
}

static void flush_all(collector_t *c) {
  for (size_t i = 0; i < c->drain.images_cnt; i++) vt_image_flush(c->drain.images[i]);
}

/* release_slots frees the slots of processes that ended before they wrote anything. */
static void release_slots(collector_t *c) {
  for (uint32_t i = 1; i < VT_RING_IMAGES; i++) {
    vt_ring_image_t *slot = &c->channel.ring->images[i];
    uint64_t id = atomic_load_explicit(&slot->image, memory_order_relaxed);
    uint32_t pid = atomic_load_explicit(&slot->pid, memory_order_acquire);
    if (!id || !pid || !kill((pid_t)pid, 0) || errno != ESRCH) continue;
    int known = 0;
    for (size_t k = 0; k < c->drain.images_cnt; k++) known |= c->drain.images[k]->id == id;
    if (known) continue;
    atomic_store_explicit(&slot->pid, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->image, 0, memory_order_release);
  }
}

/* stop_if_failed tells the traced processes that nothing can be written any more. */
static void stop_if_failed(collector_t *c) {
  if (c->run.failed)
    atomic_store_explicit(&c->channel.ring->stop, VT_STOPPED_SPACE, memory_order_relaxed);
}

static int due(uint64_t *next, uint64_t now, uint64_t every) {
  if (now < *next) return 0;
  *next = now + every;
  return 1;
}

/* step is one turn of the loop. */
static void step(collector_t *c) {
  uint64_t now = now_ns();
  vt_signals_forward(c->program);
  reap(c);
  int flush = due(&c->next_flush, now, FLUSH_EVERY_NS) ||
              c->drain.bytes - c->flushed_bytes > FLUSH_BYTES;
  unsigned freed = vt_drain_pass(&c->drain, flush);
  if (due(&c->next_lives, now, LIVES_EVERY_NS) || !c->program) {
    vt_channel_serve(&c->channel);
    note_lives(c);
    end_gone(c);
  }
  if (due(&c->next_sample, now, SAMPLE_EVERY_NS)) sample_all(c);
  if (flush) {
    flush_all(c);
    release_slots(c);
    c->flushed_bytes = c->drain.bytes;
  }
  stop_if_failed(c);
  vt_drain_adjust(&c->drain);
  c->sleep_ns = freed                           ? SLEEP_MIN_NS
                : c->sleep_ns < SLEEP_MAX_NS / 2 ? 2 * c->sleep_ns
                                                 : SLEEP_MAX_NS;
}

static void rest(collector_t *c) {
  atomic_store_explicit(&c->channel.ring->idle, 1, memory_order_seq_cst);
  if (vt_signals_pending() || vt_drain_pressing(&c->drain)) vt_channel_wake(&c->channel);
  vt_channel_sleep(&c->channel, c->sleep_ns);
}

static int live_on(collector_t const *c) {
  return !c->options->no_children && (c->drain.images_cnt || vt_channel_users(&c->channel));
}

static void embed_all(collector_t *c) {
  vt_error_t error;
  for (size_t i = 0; i < c->run.outputs_cnt && c->run.symbols; i++) {
    vt_output_t *o = &c->run.outputs[i];
    if (!o->finished || o->settled) continue;
    if (!c->run.failed && vt_embed_symbols(o->path, c->run.symbols, &error))
      vt_error_print(&error);
    o->settled = 1;
  }
}

/* serve_descendants goes on in the background until the last recorded process has ended. */
static _Noreturn void serve_descendants(collector_t *c) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  setsid();
  vt_signals_ignore();
  for (int fd = 0; fd < 3 && null >= 0; fd++) dup2(null, fd);
  c->channel.ring->collector_pid = (uint32_t)getpid();
  for (size_t i = 0; i < c->run.outputs_cnt; i++)
    c->run.outputs[i].settled = c->run.outputs[i].finished;
  for (;;) {
    step(c);
    if (!c->drain.images_cnt && !vt_channel_users(&c->channel)) break;
    rest(c);
  }
  embed_all(c);
  _exit(0);
}

/* hand_over leaves descendants to a process in the background; returns its pid, 0 when not needed. */
static pid_t hand_over(collector_t *c) {
  if (!live_on(c)) return 0;
  pid_t pid = fork();
  if (pid == 0) serve_descendants(c);
  if (pid < 0) vt_error_say("descendants", strerror(errno), "they are not recorded any further");
  return pid > 0 ? pid : 0;
}

/* first_output is the trace of the program's last image; NULL: there is none. */
static vt_output_t const *first_output(collector_t const *c) {
  vt_output_t const *found = NULL;
  for (size_t i = 0; i < c->run.outputs_cnt; i++)
    if (c->run.outputs[i].pid == c->run.first_pid) found = &c->run.outputs[i];
  return found;
}

static char const *short_name(char const *path) {
  static char cwd[PATH_MAX];
  if (!*cwd && !getcwd(cwd, sizeof cwd)) return path;
  size_t n = strlen(cwd);
  return n > 1 && !strncmp(path, cwd, n) && path[n] == '/' ? path + n + 1 : path;
}

static void print_note(collector_t const *c, pid_t background) {
  vt_output_t const *first = first_output(c);
  uint64_t events = 0, bytes = 0;
  size_t cnt = 0;
  for (size_t i = 0; i < c->run.outputs_cnt; i++) {
    if (!c->run.outputs[i].finished) continue;
    events += c->run.outputs[i].events;
    bytes += c->run.outputs[i].bytes;
    cnt++;
  }
  if (cnt == 1 && first)
    fprintf(stderr, "valtrace: wrote %s: %" PRIu64 " events, %.1f MB", short_name(first->path),
            events, (double)bytes / 1e6);
  else
    fprintf(stderr, "valtrace: wrote %zu traces%s%s: %" PRIu64 " events, %.1f MB", cnt,
            first ? ", the program's is " : "", first ? short_name(first->path) : "", events,
            (double)bytes / 1e6);
  if (background)
    fprintf(stderr, "; processes it started live on, recorded by %d in the background", background);
  fputc('\n', stderr);
}

static void report(collector_t const *c) {
  vt_output_t const *first = first_output(c);
  if (!first || !vt_cmd_report) return;
  char *argv[] = {(char *)"report", first->path, NULL};
  fflush(stdout);
  optind = 1;
  vt_cmd_report(2, argv);
}

/* conclude does what remains when the program has ended. */
static int conclude(collector_t *c) {
  vt_error_t error;
  pid_t background = hand_over(c);
  if (!background)
    for (size_t i = 0; i < c->drain.images_cnt; i++) c->drain.images[i]->gone = 1;
  if (!background) end_gone(c);
  embed_all(c);
  if (!first_output(c) && !c->run.failed) {
    vt_diagnose(c->options->argv[0], &error);
    vt_error_print(&error);
  }
  if (!c->options->quiet && c->run.outputs_cnt) print_note(c, background);
  if (c->options->report) report(c);
  return WIFSIGNALED(c->status) ? 128 + WTERMSIG(c->status) : WEXITSTATUS(c->status);
}

static int start(collector_t *c, vt_collect_t const *o, vt_error_t *error) {
  static struct utsname host;
  static char shim[PATH_MAX];
  int status = VT_EXIT_RUN_FAILED;
  uname(&host);
  c->options = o;
  if (vt_launch_shim(shim, sizeof shim, error) || vt_channel_open(&c->channel, error))
    return status;
  c->run = (vt_run_t){.pattern = o->pattern,
                      .host = host.nodename,
                      .clock = (vt_clock_kind_t)c->channel.ring->clock,
                      .codec = vt_codec_new(),
                      .symbols = o->no_symbols ? NULL : vt_symbols_new()};
  c->drain.channel = &c->channel;
  c->drain.run = &c->run;
  vt_signals_install(wake);
  vt_launch_t launch = {.argv = o->argv,
                        .shim = shim,
                        .ring = c->channel.env,
                        .pattern = o->pattern,
                        .no_free_stacks = o->no_free_stacks,
                        .no_children = o->no_children,
                        .max_depth = o->max_depth};
  c->program = vt_launch(&launch, &status, error);
  c->run.first_pid = (uint32_t)c->program;
  return c->program > 0 ? 0 : status;
}

int vt_collect(vt_collect_t const *options) {
  collector_t *c = &collector;
  vt_error_t error;
  int status = start(c, options, &error);
  if (status) {
    vt_error_print(&error);
    return status;
  }
  c->sleep_ns = SLEEP_MIN_NS;
  for (;;) {
    step(c);
    if (!c->program) break;
    rest(c);
  }
  step(c); /* what the program's last moment left */
  return conclude(c);
}
