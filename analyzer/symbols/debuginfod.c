/* See debuginfod.h. The library waits in ways that nobody can bound (name servers, TLS, retries), so
   it runs in child processes, which are killed when the time is over. */
#include "analyzer/symbols/debuginfod.h"
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "analyzer/cli/error.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/progress.h"

#define SECONDS     10
#define GRACE_PART  8 /* of the limit: then the library is told to stop, and can tidy up */
#define PROGRESS_MS 200
#define PROCESSES   4
#define PATH_KEPT   2048

/* What a child tells of a file; shorter than PIPE_BUF, so that messages of several do not mix. */
typedef struct {
  uint32_t index;
  char path[PATH_KEPT]; /* "": nobody has it */
} answer_t;

typedef struct {
  void *(*begin)(void);
  int (*find)(void *client, unsigned char const *build_id, int build_id_sz, char **path);
  void (*progress)(void *client, int (*fn)(void *client, long a, long b));
} library_t;

static uint64_t used_ns; /* of the limit, by calls before; UINT64_MAX: no more calls */
static uint64_t stop_ns; /* when the library is to stop, in a child */

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* limit_s is how long all calls together may take, in seconds: DEBUGINFOD_TIMEOUT, but not longer than we
   say. */
static uint64_t limit_s(void) {
  char const *text = getenv("DEBUGINFOD_TIMEOUT");
  long seconds = text ? strtol(text, NULL, 10) : 0;
  return seconds > 0 && seconds < SECONDS ? (uint64_t)seconds : SECONDS;
}

int vt_debuginfod_wanted(void) {
  char const *urls = getenv("DEBUGINFOD_URLS");
  return urls && urls[strspn(urls, " \t")];
}

static int open_library(library_t *library) {
  void *handle = dlopen("libdebuginfod.so.1", RTLD_NOW);
  if (!handle) return -1;
  *(void **)&library->begin = dlsym(handle, "debuginfod_begin");
  *(void **)&library->find = dlsym(handle, "debuginfod_find_debuginfo");
  *(void **)&library->progress = dlsym(handle, "debuginfod_set_progressfn");
  return library->begin && library->find && library->progress ? 0 : -1;
}

/* ---- in a child ---- */

static int is_time(void *client, long a, long b) {
  (void)client, (void)a, (void)b;
  return now_ns() >= stop_ns;
}

static _Noreturn void ask(library_t const *library, vt_debuginfod_file_t const *files, size_t cnt,
                          size_t first, int out) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  void *client = library->begin();
  if (!client) _exit(1);
  library->progress(client, is_time);
  for (size_t i = first; i < cnt; i += PROCESSES) {
    answer_t answer = {.index = (uint32_t)i};
    char *path = NULL;
    int fd = library->find(client, files[i].build_id, (int)files[i].build_id_sz, &path);
    if (now_ns() >= stop_ns) break;
    if (fd >= 0 && path && strlen(path) < sizeof answer.path) strcpy(answer.path, path);
    if (fd >= 0) close(fd);
    if (write(out, &answer, sizeof answer) != (ssize_t)sizeof answer) break;
  }
  _exit(0);
}

/* ---- in the parent ---- */

static void start(library_t const *library, vt_debuginfod_file_t const *files, size_t cnt, int out,
                  pid_t pids[PROCESSES]) {
  for (size_t i = 0; i < PROCESSES; i++) {
    pids[i] = i < cnt ? fork() : -1;
    if (!pids[i]) ask(library, files, cnt, i, out);
  }
}

/* take reads answers until all children are done or the time is over; returns how many came. */
static size_t take(vt_debuginfod_file_t *files, size_t cnt, int in, uint64_t end_ns) {
  vt_progress_t progress = vt_progress_start("fetching debug information");
  size_t done = 0;
  answer_t answer;
  while (now_ns() < end_ns) {
    struct pollfd ready = {.fd = in, .events = POLLIN};
    vt_progress_show(&progress, done, cnt);
    if (poll(&ready, 1, PROGRESS_MS) <= 0) continue;
    ssize_t got = read(in, &answer, sizeof answer);
    if (got < 0 && errno == EINTR) continue;
    if (got != (ssize_t)sizeof answer) break;
    done++;
    answer.path[sizeof answer.path - 1] = '\0';
    if (answer.index < cnt && answer.path[0] && !files[answer.index].path)
      files[answer.index].path = vt_mem_copy(answer.path, strlen(answer.path));
  }
  vt_progress_end(&progress);
  return done;
}

static void stop(pid_t const pids[PROCESSES]) {
  for (size_t i = 0; i < PROCESSES; i++) {
    if (pids[i] <= 0) continue;
    kill(pids[i], SIGKILL);
    while (waitpid(pids[i], NULL, 0) < 0 && errno == EINTR) continue;
  }
}

/* fetch returns how many answers came. */
static size_t fetch(library_t const *library, vt_debuginfod_file_t *files, size_t cnt,
                    uint64_t begin_ns) {
  pid_t pids[PROCESSES];
  int ends[2];
  uint64_t limit_ns = limit_s() * 1000000000u, end_ns = begin_ns + limit_ns - used_ns;
  if (pipe(ends)) return 0;
  stop_ns = end_ns - limit_ns / GRACE_PART;
  start(library, files, cnt, ends[1], pids);
  close(ends[1]);
  size_t done = take(files, cnt, ends[0], end_ns);
  stop(pids);
  close(ends[0]);
  return done;
}

void vt_debuginfod_fetch(vt_debuginfod_file_t *files, size_t cnt) {
  library_t library;
  char why[160];
  if (!cnt || used_ns >= limit_s() * 1000000000u) return;
  if (open_library(&library)) {
    used_ns = UINT64_MAX; /* said once */
    vt_error_say("DEBUGINFOD_URLS", "libdebuginfod.so.1 cannot be loaded",
                 "install libdebuginfod1, or use --no-debuginfod");
    return;
  }
  uint64_t begin_ns = now_ns();
  size_t done = fetch(&library, files, cnt, begin_ns);
  used_ns += now_ns() - begin_ns;
  if (done == cnt) return;
  used_ns = UINT64_MAX; /* who did not answer now will not the next time */
  snprintf(why, sizeof why, "no answer within %d s: %zu of %zu files go without debug information",
           (int)limit_s(), cnt - done, cnt);
  vt_error_say("debuginfod", why, "--no-debuginfod asks nobody");
}
