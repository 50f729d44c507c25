/* valtrace attach and detach: recording a process that runs, until it ends, or somebody says so.

   As for `run`, the collector is a process of its own. This one puts the recorder into the other process, waits, and
   takes it out again (analyzer/attach). When it is killed, the collector goes on to the other's end, and
   `detach` does the rest. */
#include "analyzer/attach/place.h"
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/options.h"
#include "analyzer/cli/recording.h"
#include "analyzer/collector/ask.h"
#include "analyzer/collector/owner.h"
#include "analyzer/patch/service.h"
#include "analyzer/util/kernel.h"
#include "core/trace/clock.h"
#include "core/trace/name.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define LOOK_MS 50 /* between two looks whether the recorder is loaded */
#define SNAPSHOT_NS ((uint64_t)10000000000)
#define IDLE_NS ((uint64_t)1000000000) /* after which it is said that the process does not allocate */

typedef struct {
  char const *output, *folder, *max_depth, *min_events, *allocator, *duration;
  vt_recording_bounds_t bounds;
  uint64_t duration_ns; /* 0: no limit */
  char const *timeout;  /* --snapshot-timeout */
  uint64_t snapshot_ns; /* time limit of a snapshot; 0: none */
  int start_paused, quiet, no_children, no_free_stacks, no_symbols, high_tags, gather;
} options_t;

static char const attach_help[] =
    "usage: valtrace attach [-o PATTERN | -d DIR] [options] PID\n\n"
    "Records process PID from now on, and the children that it forks, until it ends, `--duration` is over, Ctrl-C or\n"
    "`valtrace detach PID`; then the process is as it was. Its user's or root's to do. What it had\n"
    "allocated before is not known: the trace says so, and frees of that are no errors.\n\n"
    "  -o, --output PATTERN  name of the traces, as for `valtrace run`: default " VT_NAME_DEFAULT "\n"
    "  -d, --directory DIR   all traces in the folder DIR, named %n.%p.vtr\n"
    "      --duration T      end after this time (10, 500ms)\n"
    "      --start-paused    record nothing until `valtrace ctl PID start`\n"
    "      --max-size BYTES  keep each trace below this size (suffix k, M, G; at least 1M): its process is paused\n"
    "                        for good before; it goes on\n"
    "      --keep BYTES      of each trace keep the last so many bytes of events (suffix k, M, G; at least 1M); older\n"
    "                        ones become a summary, from which totals, sites and live blocks are as ever\n"
    "  -q, --quiet           no note of what was written\n"
    "      --no-children     not the children that it forks\n"
    "      --min-events N    no traces of children with fewer events\n"
    "      --no-free-stacks  no call stacks on frees: cheaper\n"
    "      --max-depth N     keep the N outermost frames of each stack (default: all)\n"
    "      --allocator NAME[@ADDRESS],...  functions of the program that allocate, besides those that\n"
    "                        have the usual names\n"
    "      --sample BYTES    record only a sample of the blocks, one in so many bytes (512K, 1M) on average:\n"
    "                        sums are estimates, shown with their standard error\n"
    "      --no-symbols      do not embed symbols: they are looked up when a report is made\n"
    "      --no-snapshot     do not look at its memory, neither when recording ends nor when `valtrace ctl` asks:\n"
    "                        leaks are not told from what is still reachable\n"
    "      --snapshot-timeout T   give such a look up after this time (default: 10 s)\n"
    "      --high-tags       the program keeps tags in the top 16 bits of pointers\n"
    "      --help            this text\n\n"
    "Exit status: 0 done; 2 usage; 125 the process cannot be recorded.\n";

static char const detach_help[] =
    "usage: valtrace detach PID\n\n"
    "Ends the recording of a process that `valtrace attach` began. The process goes on as it was.\n\n"
    "      --help   this text\n\n"
    "Exit status: 0 done, 1 it is not recorded, or not by this user, 2 usage.\n";

enum {
  OPT_DURATION = 256,
  OPT_START_PAUSED,
  OPT_MAX_SIZE,
  OPT_KEEP,
  OPT_SAMPLE,
  OPT_NO_CHILDREN,
  OPT_MIN_EVENTS,
  OPT_NO_FREE_STACKS,
  OPT_MAX_DEPTH,
  OPT_ALLOCATOR,
  OPT_NO_SYMBOLS,
  OPT_NO_SNAPSHOT,
  OPT_SNAPSHOT_TIMEOUT,
  OPT_HIGH_TAGS,
  OPT_HELP
};

static struct option const long_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"directory", required_argument, NULL, 'd'},
    {"quiet", no_argument, NULL, 'q'},
    {"duration", required_argument, NULL, OPT_DURATION},
    {"start-paused", no_argument, NULL, OPT_START_PAUSED},
    {"max-size", required_argument, NULL, OPT_MAX_SIZE},
    {"keep", required_argument, NULL, OPT_KEEP},
    {"sample", required_argument, NULL, OPT_SAMPLE},
    {"no-children", no_argument, NULL, OPT_NO_CHILDREN},
    {"min-events", required_argument, NULL, OPT_MIN_EVENTS},
    {"no-free-stacks", no_argument, NULL, OPT_NO_FREE_STACKS},
    {"max-depth", required_argument, NULL, OPT_MAX_DEPTH},
    {"allocator", required_argument, NULL, OPT_ALLOCATOR},
    {"no-symbols", no_argument, NULL, OPT_NO_SYMBOLS},
    {"no-snapshot", no_argument, NULL, OPT_NO_SNAPSHOT},
    {"snapshot-timeout", required_argument, NULL, OPT_SNAPSHOT_TIMEOUT},
    {"high-tags", no_argument, NULL, OPT_HIGH_TAGS},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static int is_number(char const *text, size_t digits) {
  return *text && !text[strspn(text, "0123456789")] && strlen(text) <= digits;
}

/* judge checks the values; returns -1 to go on, else the exit status. */
static int judge(options_t *o) {
  char const *me = "attach";
  if (o->max_depth && (!is_number(o->max_depth, 9) || !strtoul(o->max_depth, NULL, 10)))
    return vt_error_usage(me, "--max-depth", "not a number of frames from 1 up");
  if (o->min_events && !is_number(o->min_events, 18)) return vt_error_usage(me, "--min-events", "not a number of events");
  if (o->output && o->folder) return vt_error_usage(me, "-d", "-o says where already");
  if (o->duration && (vt_filter_duration(o->duration, &o->duration_ns) || !o->duration_ns))
    return vt_error_usage(me, "--duration", "not a time such as 10 or 500ms");
  uint64_t limit = o->snapshot_ns;
  if (o->timeout && (vt_filter_duration(o->timeout, &limit) || !limit))
    return vt_error_usage(me, "--snapshot-timeout", "not a time such as 10 or 500ms");
  if (o->snapshot_ns) o->snapshot_ns = limit;
  char const *what, *why = vt_recording_bounds(&o->bounds, &what);
  if (why) return vt_error_usage(me, what, why);
  o->gather = !o->folder && (!o->output || !*o->output);
  if (o->gather) o->output = VT_NAME_DEFAULT;
  return -1;
}

/* parse fills o; returns -1 to go on, else the exit status. */
static int parse(options_t *o, int argc, char **argv) {
  opterr = 0;
  for (int c; (c = getopt_long(argc, argv, ":o:d:q", long_options, NULL)) != -1;) {
    switch (c) {
    case 'o': o->output = optarg; break;
    case 'd': o->folder = optarg; break;
    case 'q': o->quiet = 1; break;
    case OPT_DURATION: o->duration = optarg; break;
    case OPT_START_PAUSED: o->start_paused = 1; break;
    case OPT_MAX_SIZE: o->bounds.max_size = optarg; break;
    case OPT_KEEP: o->bounds.keep = optarg; break;
    case OPT_SAMPLE: o->bounds.sample = optarg; break;
    case OPT_NO_CHILDREN: o->no_children = 1; break;
    case OPT_MIN_EVENTS: o->min_events = optarg; break;
    case OPT_NO_FREE_STACKS: o->no_free_stacks = 1; break;
    case OPT_MAX_DEPTH: o->max_depth = optarg; break;
    case OPT_ALLOCATOR: o->allocator = optarg; break;
    case OPT_NO_SYMBOLS: o->no_symbols = 1; break;
    case OPT_NO_SNAPSHOT: o->snapshot_ns = 0; break;
    case OPT_SNAPSHOT_TIMEOUT: o->timeout = optarg; break;
    case OPT_HIGH_TAGS: o->high_tags = 1; break;
    case OPT_HELP: fputs(attach_help, stdout); return VT_EXIT_OK;
    case ':': return vt_error_usage("attach", argv[optind - 1], "needs a value");
    default: return vt_error_usage("attach", argv[optind - 1], "no such option");
    }
  }
  if (optind + 1 != argc) return vt_error_usage("attach", "attach", "needs the number of one process");
  if (!is_number(argv[optind], 9)) return vt_error_usage("attach", argv[optind], "not the number of a process");
  return judge(o);
}

static int failed(char const *what, int error) {
  vt_error_say(what, strerror(error), "the process is as it was");
  return VT_EXIT_RUN_FAILED;
}

/* ---- what the recorder is told ---- */

#define VARIABLES_MAX 8

typedef struct {
  char depth[32], sample[48];
  char const *all[VARIABLES_MAX];
} variables_t;

static void set_variables(options_t const *o, variables_t *v) {
  char const **out = v->all;
  size_t n = 0;
  out[n++] = "VALTRACE_NO_PYTHON=1"; /* its interpreter has begun long ago */
  if (o->no_free_stacks) out[n++] = "VALTRACE_NO_FREE_STACKS=1";
  if (o->no_children) out[n++] = "VALTRACE_NO_CHILDREN=1";
  snprintf(v->depth, sizeof v->depth, "VALTRACE_MAX_DEPTH=%s", o->max_depth ? o->max_depth : "");
  if (o->max_depth) out[n++] = v->depth;
  snprintf(v->sample, sizeof v->sample, "VALTRACE_SAMPLE=%s", o->bounds.period);
  if (o->bounds.sample) out[n++] = v->sample;
  out[n] = NULL;
}

static int take_allocators(options_t const *o, vt_collector_options_t *options, char const *pid) {
  char path[64];
  if (!o->allocator) return 0;
  snprintf(path, sizeof path, "/proc/%s/exe", pid);
  char *bad = vt_patch_givens_parse(&options->allocators, o->allocator, path);
  if (!bad) return 0;
  vt_error_say(bad, "not NAME or NAME@ADDRESS with a NAME that ends as a function of malloc's family",
               "--allocator pool_malloc,pool_free or malloc@0x1234,free@0x1250");
  free(bad);
  return -1;
}

/* ---- waiting ---- */

typedef struct {
  options_t const *options;
  char const *name; /* of the process: its number */
  vt_target_t *target;
  int control, process, signals;
  uint64_t begun;   /* CLOCK_MONOTONIC, ns */
  int told;         /* that it is recorded, or not yet */
} attached_t;

typedef enum { GOES_ON, HAS_ENDED, IS_OVER, IS_DETACHED, IS_REPLACED } why_t;

static void tell_begun(attached_t const *a) {
  if (a->options->start_paused)
    fprintf(stderr, "valtrace: %s is recorded from `valtrace ctl %s start` on; Ctrl-C ends that\n", a->name, a->name);
  else
    fprintf(stderr, "valtrace: %s is being recorded; Ctrl-C ends that\n", a->name);
}

/* tell_state says once when recording has begun, or that it has to wait for the process. */
static why_t tell_state(attached_t *a) {
  char why[VT_ATTACH_TEXT_SZ] = "";
  int state = vt_place_state(a->target, a->target->area, why);
  int waits = state == VT_ATTACH_WAITING || state == VT_ATTACH_LOADING;
  if (state == VT_ATTACH_DETACHED) return IS_DETACHED;
  if (!state) return vt_owner_has_memory(a->target->pid) ? IS_REPLACED : GOES_ON; /* to its end, which is near */
  if (state == VT_ATTACH_FAILED) {
    vt_error_say(a->name, why, "it goes on unrecorded");
    return IS_OVER;
  }
  if (waits && a->told < 1 && vt_clock_ns(CLOCK_MONOTONIC) - a->begun > IDLE_NS) {
    a->told = 1;
    if (!a->options->quiet) fprintf(stderr, "valtrace: %s does not allocate now: its next allocation begins the recording\n", a->name);
  }
  if (state == VT_ATTACH_RECORDING && a->told < 2) {
    a->told = 2;
    if (!a->options->quiet) tell_begun(a);
  }
  return GOES_ON;
}

static int timeout_of(attached_t const *a) {
  uint64_t now = vt_clock_ns(CLOCK_MONOTONIC), end = a->begun + a->options->duration_ns;
  int look = a->told < 2 ? LOOK_MS : 1000;
  if (!a->options->duration_ns || end > now + (uint64_t)look * 1000000) return look;
  return end > now ? (int)((end - now) / 1000000) + 1 : 0;
}

static why_t wait_for_end(attached_t *a) {
  for (why_t why = tell_state(a); ; why = tell_state(a)) {
    struct pollfd fds[] = {{.fd = a->control, .events = POLLIN},
                           {.fd = a->process, .events = POLLIN},
                           {.fd = a->signals, .events = POLLIN}};
    int n = poll(fds, 3, why == GOES_ON ? timeout_of(a) : 0);
    if (n > 0 && fds[1].revents) return HAS_ENDED;
    if (why != GOES_ON) return why;
    if (n < 0 && errno != EINTR) return IS_OVER;
    if (n > 0 && fds[0].revents) return IS_DETACHED; /* the collector has an answer, or is gone */
    if (n > 0 && fds[2].revents) return IS_OVER;
    if (a->options->duration_ns && vt_clock_ns(CLOCK_MONOTONIC) >= a->begun + a->options->duration_ns) return IS_OVER;
  }
}

static void block_signals(sigset_t *ours) {
  sigset_t set;
  sigemptyset(ours);
  sigaddset(ours, SIGINT);
  sigaddset(ours, SIGTERM);
  sigaddset(ours, SIGHUP);
  set = *ours;
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
}

static void leave(attached_t const *a) {
  vt_error_t error;
  uint64_t pause_ns;
  if (vt_place_leave_all(a->target, &pause_ns, &error))
    vt_error_print(&error);
  else if (!a->options->quiet)
    fprintf(stderr, "valtrace: %s stood still for %.1f ms, and is as it was\n", a->name, (double)pause_ns / 1e6);
}

/* record puts the recorder in, waits, takes it out and lets the collector finish. */
static int record(attached_t *a, vt_place_options_t const *place, vt_ring_end_t *ring) {
  vt_place_result_t result;
  vt_error_t error;
  vt_collector_order_t order = {.first_pid = a->target->pid};
  vt_collector_summary_t summary;
  if (vt_recording_tell(a->control, &order)) return failed("the collector", EPIPE);
  if (vt_place(a->target, place, &result, &error)) {
    vt_error_print(&error);
    return VT_EXIT_RUN_FAILED;
  }
  vt_ring_leave(ring); /* whoever holds it is served */
  if (!a->options->quiet)
    fprintf(stderr, "valtrace: %s stood still for %.1f ms (%u thread%s)\n", a->name, (double)result.pause_ns / 1e6,
            result.threads, result.threads == 1 ? "" : "s");
  a->begun = vt_clock_ns(CLOCK_MONOTONIC);
  why_t why = wait_for_end(a);
  if (why == IS_OVER) leave(a);
  order.ended = 1;
  order.detached = why == IS_OVER || why == IS_DETACHED;
  order.replaced = why == IS_REPLACED;
  order.wait_status = -1;
  vt_recording_words_t words = {.program = a->name, .quiet = a->options->quiet, .explained = 1};
  vt_recording_finish(a->control, &order, &words, &summary);
  if (!a->options->quiet && !summary.traces && !summary.failed)
    fprintf(stderr, "valtrace: %s has not allocated meanwhile: there is no trace\n", a->name);
  return VT_EXIT_OK;
}

static int attach(options_t const *o, vt_target_t *target, vt_collector_options_t *options, char const *name) {
  char shim[PATH_MAX], pattern[PATH_MAX];
  char const *what;
  variables_t variables;
  sigset_t ours;
  vt_ring_end_t ring = {.fd = -1, .socket = -1, .patches = -1};
  if (vt_recording_shim(shim, sizeof shim)) return failed("libvaltrace.so", ENOENT);
  int error = vt_recording_pattern(pattern, o->output, o->folder, &what);
  if (error) return failed(what, error);
  if (!vt_recording_possible(pattern, o->output)) return VT_EXIT_RUN_FAILED;
  vt_outputs_t outputs = {.gather = o->gather,
                          .max_size = o->bounds.max_size_bytes,
                          .keep = o->bounds.keep_bytes,
                          .min_events = o->min_events ? strtoull(o->min_events, NULL, 10) : 0};
  strcpy(outputs.pattern, pattern);
  options->outputs = &outputs;
  error = vt_ring_make(&ring);
  if (error) return failed("shared memory for the recording", -error);
  options->pauses.ring = ring.ring;
  ring.ring->heir_limit_ns = o->snapshot_ns;
  if (o->start_paused) vt_pauses_begin(&options->pauses, VT_PAUSE_ASKED, 0);
  block_signals(&ours);
  attached_t a = {.options = o, .name = name, .target = target};
  a.control = vt_recording_collector(&ring, options);
  a.process = vt_kernel_process(target->pid);
  a.signals = signalfd(-1, &ours, SFD_CLOEXEC);
  if (a.control < 0 || a.process < 0 || a.signals < 0) return failed("attach", errno);
  set_variables(o, &variables);
  vt_place_options_t place = {.shim = shim, .ring = ring.fd, .spec = ring.spec, .options = variables.all, .givens = &options->allocators};
  return record(&a, &place, &ring);
}

int vt_cmd_attach(int argc, char **argv) {
  options_t o = {.snapshot_ns = SNAPSHOT_NS};
  vt_target_t target;
  vt_error_t error;
  int status = parse(&o, argc, argv);
  if (status >= 0) return status;
  char const *name = argv[optind];
  vt_collector_options_t options = {.symbols = !o.no_symbols, .children = !o.no_children, .high_tags = o.high_tags};
  if (take_allocators(&o, &options, name)) return VT_EXIT_USAGE;
  if (vt_target_open(&target, atoi(name), &error)) {
    vt_error_print(&error);
    status = VT_EXIT_RUN_FAILED;
  } else {
    status = attach(&o, &target, &options, name);
  }
  vt_target_close(&target);
  return status;
}

int vt_cmd_detach(int argc, char **argv) {
  vt_target_t target;
  vt_error_t error;
  vt_answer_t answer;
  char const *why;
  sigset_t ours;
  uint64_t pause_ns;
  if (argc > 1 && !strcmp(argv[1], "--help")) return fputs(detach_help, stdout) < 0 ? VT_EXIT_OUTPUT : VT_EXIT_OK;
  if (argc != 2) return vt_error_usage("detach", "detach", "needs the number of one process");
  if (!is_number(argv[1], 9)) return vt_error_usage("detach", argv[1], "not the number of a process");
  block_signals(&ours);
  int failed_to = vt_target_open(&target, atoi(argv[1]), &error) || vt_place_leave_all(&target, &pause_ns, &error);
  vt_target_close(&target);
  if (failed_to) vt_error_print(&error);
  if (failed_to) return 1;
  int nobody = vt_control_ask(argv[1], "detached", NULL, &answer, &why); /* then nothing is left to be done */
  if (nobody || !*answer.advice) return VT_EXIT_OK;
  vt_error_say(argv[1], answer.text, answer.advice);
  return 1;
}
