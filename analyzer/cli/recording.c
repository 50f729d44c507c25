/* See recording.h. */
#include "analyzer/cli/recording.h"
#include "analyzer/cli/installed.h"
#include "analyzer/cli/options.h"
#include "analyzer/report/term.h"
#include "analyzer/util/output.h"
#include "analyzer/util/progress.h"
#include "core/trace/name.h"
#include "core/trace/sampler.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_MS 200
#define TELL_NS     10000000
#define TELL_TRIES  20
#define SIZE_MIN    ((uint64_t)1 << 20) /* of --max-size and --keep */

int vt_recording_shim(char *out, size_t cap) {
  char self[PATH_MAX];
  if (vt_installed_folder(self)) return -1;
  static char const *const places[] = {"../lib/libvaltrace.so", "../lib/valtrace/libvaltrace.so"};
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", self, places[i]);
    char *real = realpath(path, NULL);
    if (!real) continue;
    int fits = snprintf(out, cap, "%s", real) < (int)cap;
    free(real);
    return fits ? 0 : -1;
  }
  return -1;
}

/* append_name appends a name to a pattern, its percent signs doubled. Returns 0 or an errno value.
 */
static int append_name(char out[PATH_MAX], char const *name) {
  size_t n = strlen(out);
  for (; *name && n + 3 < PATH_MAX; name++) {
    if (*name == '%') out[n++] = '%';
    out[n++] = *name;
  }
  out[n] = '\0';
  return *name ? ENAMETOOLONG : 0;
}

static int append_pattern(char out[PATH_MAX], char const *pattern) {
  size_t n = strlen(out);
  return snprintf(out + n, PATH_MAX - n, "%s", pattern) < (int)(PATH_MAX - n) ? 0 : ENAMETOOLONG;
}

int vt_recording_pattern(char out[PATH_MAX], char const *output, char const *folder, char const **what) {
  char const *given = folder ? folder : output;
  char cwd[PATH_MAX];
  int error = 0;
  out[0] = '\0';
  *what = "the current folder";
  if (given[0] != '/') {
    if (!getcwd(cwd, sizeof cwd)) return errno;
    error = append_name(out, cwd);
    if (!error) error = append_pattern(out, "/");
  }
  if (error) return error;
  *what = given;
  if (!folder) return append_pattern(out, given);
  error = append_name(out, given);
  return error ? error : append_pattern(out, "/" VT_NAME_IN_FOLDER);
}

/* take_size: -1: it is none, or too little for a trace. */
static int take_size(char const *text, uint64_t *bytes) {
  return text && (vt_cli_bytes(text, bytes) || *bytes < SIZE_MIN) ? -1 : 0;
}

static int take_period(vt_recording_bounds_t *b) {
  uint64_t bytes;
  if (!b->sample) return 0;
  if (vt_cli_bytes(b->sample, &bytes) || !bytes || bytes > VT_SAMPLE_PERIOD_MAX) return -1;
  snprintf(b->period, sizeof b->period, "%llu", (unsigned long long)bytes);
  return 0;
}

char const *vt_recording_bounds(vt_recording_bounds_t *b, char const **what) {
  *what = "--max-size";
  if (take_size(b->max_size, &b->max_size_bytes)) return "not a size of at least 1M";
  *what = "--keep";
  if (take_size(b->keep, &b->keep_bytes)) return "not a size of at least 1M";
  if (b->keep && b->sample) return "a sample is small, and its errors are not told by a sum";
  if (b->keep && b->max_size) return "--max-size ends what --keep goes on with";
  *what = "--sample";
  return take_period(b) ? "not a number of bytes such as 524288, 512K or 1M" : NULL;
}

int vt_recording_collector(vt_ring_end_t *ring, vt_collector_options_t const *options) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) return -1;
  pid_t pid = fork();
  if (pid < 0) return -1;
  if (pid == 0) {
    setpgid(0, 0);
    close(pair[0]);
    unsetenv("LD_PRELOAD");
    vt_collector_serve(ring, pair[1], options);
    _exit(0);
  }
  ring->ring->collector_pid = (uint32_t)pid;
  close(pair[1]);
  return pair[0];
}

static void print_note(vt_collector_summary_t const *s, char const *program) {
  char size[32];
  char const *units[] = {"bytes", "KiB", "MiB", "GiB"};
  double n = (double)s->bytes;
  int u = 0;
  while (n >= 1024 && u < 3) n /= 1024, u++;
  snprintf(size, sizeof size, u ? "%.1f %s" : "%.0f %s", n, units[u]);
  if (s->living)
    fprintf(stderr, "valtrace: %s has ended; %u process%s of it live on and are still recorded\n",
            program, s->living, s->living == 1 ? "" : "es");
  if (s->unrecorded)
    fprintf(
        stderr,
        "valtrace: not recorded: %s, started where libvaltrace.so or the collector is out of reach "
        "(chroot, sandbox, another C library)\n",
        vt_counted(s->unrecorded, "program").text);
  if (s->skipped)
    fprintf(stderr, "valtrace: not recorded, as --children says: %s\n",
            vt_counted(s->skipped, "program").text);
  if (s->dropped)
    fprintf(stderr, "valtrace: dropped, with fewer events than --min-events: %s\n",
            vt_counted(s->dropped, "trace").text);
  if (s->traces == 1)
    fprintf(stderr, "valtrace: wrote %s (%s, %s)\n", s->first[0] ? s->first : "1 trace",
            vt_counted(s->events, "event").text, size);
  else if (s->traces)
    fprintf(stderr, "valtrace: wrote %u traces (%s, %s)%s%s, of the program itself %s\n", s->traces,
            vt_counted(s->events, "event").text, size, s->folder[0] ? " into " : "", s->folder,
            s->first[0] ? s->first : "none");
}

/* print_problems; explained: why the program is not recorded has been said. */
static void print_problems(vt_collector_summary_t const *s, char const *program, int explained) {
  char why[128];
  if (s->failed) {
    vt_error_print(&s->error);
  } else if (s->lost || s->stopped) {
    snprintf(why, sizeof why, "the record is incomplete: %s%llu event%s not recorded",
             s->stopped ? "recording stopped early, " : "", (unsigned long long)s->lost,
             s->lost == 1 ? " was" : "s were");
    vt_error_say(program, why, "valtrace check tells more");
  } else if (!s->first[0] && !explained) {
    vt_error_say(program, "the program itself was not recorded",
                 "it does not load libvaltrace.so: is it static, set-user-ID or sandboxed?");
  } else if (s->hidden == 2) {
    vt_error_say(program, "its allocator was loaded before libvaltrace.so, so that its calls are not seen",
                 "put libvaltrace.so first in LD_PRELOAD");
  } else if (s->hidden == 3) {
    vt_error_say(program, "it runs inside valgrind, whose tool replaces malloc, so that its calls are not seen",
                 "run it without valgrind");
  } else if (s->refused[0]) {
    vt_error_say(program, s->refused, "valtrace check tells more");
  } else if (s->hidden) {
    vt_error_say(program, "its allocator is inside the executable, and its functions cannot be patched",
                 "give them by --allocator, or link it as a shared library");
  }
}

/* wait_answer shows that something goes on while the collector looks up symbols. */
static ssize_t wait_answer(int control, vt_collector_summary_t *s) {
  struct pollfd p = {.fd = control, .events = POLLIN};
  vt_progress_t progress = vt_progress_start("embedding symbols");
  while (poll(&p, 1, PROGRESS_MS) == 0) vt_progress_show(&progress, 0, 0);
  vt_progress_end(&progress);
  return recv(control, s, sizeof *s, 0);
}

int vt_recording_tell(int control, vt_collector_order_t const *order) {
  for (int tries = 0; tries < TELL_TRIES; tries++) {
    if (send(control, order, sizeof *order, MSG_NOSIGNAL) == (ssize_t)sizeof *order) return 0;
    if (errno == EPIPE || errno == ECONNRESET) return -1;
    nanosleep(&(struct timespec){.tv_nsec = TELL_NS}, NULL);
  }
  return -1;
}

void vt_recording_finish(int control, vt_collector_order_t const *order, vt_recording_words_t const *words,
                         vt_collector_summary_t *s) {
  memset(s, 0, sizeof *s);
  if (vt_recording_tell(control, order) || wait_answer(control, s) != (ssize_t)sizeof *s) {
    vt_error_say(words->program, "the collector was killed", "what it had written is in the traces");
    return;
  }
  if (!words->quiet) print_note(s, words->program);
  print_problems(s, words->program, words->explained);
}

int vt_recording_trace(int control, char path[PATH_MAX]) {
  ssize_t sz = recv(control, path, PATH_MAX, 0);
  if (sz <= 0) return -1;
  path[sz - 1] = '\0';
  return 0;
}

static int is_folder(char const *pattern) {
  struct stat st;
  return pattern[strlen(pattern) - 1] == '/' || (!stat(pattern, &st) && S_ISDIR(st.st_mode));
}

/* follow_output makes the pattern's folder and follows a link, where these are known before a
   process has a number. Returns 0, or -1 and *error. */
static int follow_output(char pattern[PATH_MAX], vt_error_t *error) {
  char target[PATH_MAX];
  char const *name = strrchr(pattern, '/');
  if (memchr(pattern, '%', (size_t)(name - pattern))) return 0;
  if (strchr(name, '%')) return vt_output_prepare(pattern, error);
  if (vt_output_resolve(pattern, target, error) || vt_output_prepare(target, error)) return -1;
  if (!strchr(target, '%')) strcpy(pattern, target);
  return 0;
}

int vt_recording_possible(char pattern[PATH_MAX], char const *given) {
  vt_error_t error;
  if (is_folder(pattern))
    vt_error_set(&error, given, "is a folder", "use -d");
  else if (!follow_output(pattern, &error))
    return 1;
  vt_error_print(&error);
  return 0;
}
