/* See output.h. */
#include "analyzer/util/output.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* the kernel's own limit */
#define NAME_KEPT 200 /* of the target's name in the temporary one: both must fit in 255 bytes */

/* What a name leads to. */
typedef enum { NOTHING, REGULAR, FOLDER, DEVICE, DESCRIPTOR } kind_t;

static char const advice[] = "name a file that can be created with -o";

static int fail(vt_error_t *error, char const *path, int err) {
  vt_error_set(error, path, strerror(err), err == ENOSPC ? "make room, or write elsewhere" : advice);
  return -1;
}

/* ---- names ---- */

static size_t folder_sz(char const *path) {
  char const *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) + 1 : 0;
}

/* step replaces the link at `path` by what it holds. Returns 0 or an errno value. */
static int step(char path[PATH_MAX]) {
  char link[PATH_MAX];
  ssize_t sz = readlink(path, link, sizeof link);
  if (sz < 0) return errno;
  size_t folder = link[0] == '/' ? 0 : folder_sz(path);
  if (folder + (size_t)sz >= PATH_MAX) return ENAMETOOLONG;
  memcpy(path + folder, link, (size_t)sz);
  path[folder + (size_t)sz] = '\0';
  return 0;
}

/* on_proc: a link of /proc's is an open descriptor rather than a name (/dev/stdout leads to one). */
static int on_proc(struct stat const *st) {
  struct stat proc;
  return stat("/proc/self", &proc) == 0 && st->st_dev == proc.st_dev;
}

static kind_t kind_of(struct stat const *st) {
  return S_ISREG(st->st_mode) ? REGULAR : S_ISDIR(st->st_mode) ? FOLDER : DEVICE;
}

/* follow resolves the links at the end of `target`. Returns a kind_t, or -1 and *error. */
static int follow(char target[PATH_MAX], struct stat *st, vt_error_t *error) {
  for (int links = 0; lstat(target, st) == 0; links++) {
    if (!S_ISLNK(st->st_mode)) return (int)kind_of(st);
    if (st->st_uid && st->st_uid != geteuid()) {
      vt_error_set(error, target, "a link of another user is not followed", "name the file itself");
      return -1;
    }
    if (on_proc(st)) return stat(target, st) ? fail(error, target, errno) : (int)DESCRIPTOR;
    int err = links < LINKS_MAX ? step(target) : ELOOP;
    if (err) return fail(error, target, err);
  }
  return errno == ENOENT ? (int)NOTHING : fail(error, target, errno);
}

/* resolve copies `path` and follows it; a name that ends in a slash is a folder's. */
static int resolve(char const *path, char target[PATH_MAX], struct stat *st, vt_error_t *error) {
  size_t sz = strlen(path);
  if (!sz || sz >= PATH_MAX) return fail(error, path, sz ? ENAMETOOLONG : ENOENT);
  memcpy(target, path, sz + 1);
  return path[sz - 1] == '/' ? (int)FOLDER : follow(target, st, error);
}

static int refuse_kind(char const *path, kind_t kind, vt_output_use_t use, vt_error_t *error) {
  if (kind == FOLDER) return fail(error, path, EISDIR);
  vt_error_set(error, path,
               use == VT_OUTPUT_TRACE ? "a trace is not written to a device or pipe"
                                      : "a database is not written to a device or pipe",
               advice);
  return -1;
}

int vt_output_resolve(char const *path, char target[PATH_MAX], vt_error_t *error) {
  struct stat st;
  int kind = resolve(path, target, &st, error);
  if (kind < 0 || kind == NOTHING || kind == REGULAR) return kind < 0 ? -1 : 0;
  return refuse_kind(path, (kind_t)kind, VT_OUTPUT_TRACE, error);
}

static void make_parents(char const *path) {
  char folder[PATH_MAX];
  for (size_t i = 1; path[i] && i < sizeof folder; i++) {
    if (path[i] != '/') continue;
    memcpy(folder, path, i);
    folder[i] = '\0';
    mkdir(folder, 0777);
  }
}

/* anothers: is there a file that only another user may remove, as in /tmp? */
static int anothers(char const *folder, char const *path) {
  struct stat in, there;
  uid_t user = geteuid();
  if (!user || stat(folder, &in) || !(in.st_mode & S_ISVTX) || in.st_uid == user) return 0;
  return !lstat(path, &there) && there.st_uid != user;
}

int vt_output_prepare(char const *path, vt_error_t *error) {
  char folder[PATH_MAX] = ".";
  size_t sz = folder_sz(path);
  if (sz >= sizeof folder) return fail(error, path, ENAMETOOLONG);
  if (sz) {
    memcpy(folder, path, sz);
    folder[sz] = '\0';
  }
  make_parents(path);
  if (access(folder, W_OK | X_OK)) return fail(error, path, errno);
  return anothers(folder, path) ? fail(error, path, EPERM) : 0;
}

/* ---- temporary files ---- */

static char pending[PATH_MAX + 32]; /* the temporary file there is */
static pid_t pending_owner;
static int const ending_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { COUNT_ENDS = sizeof ending_signals / sizeof *ending_signals };

/* A worker process has the handler too, but not the file. */
static void on_end(int signal_number) {
  if (getpid() == pending_owner) unlink(pending);
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

static void remove_at_end(char const *path) {
  strcpy(pending, path);
  pending_owner = getpid();
  for (size_t i = 0; i < COUNT_ENDS; i++) {
    struct sigaction now;
    if (sigaction(ending_signals[i], NULL, &now) || now.sa_handler != SIG_DFL) continue;
    sigaction(ending_signals[i], &(struct sigaction){.sa_handler = on_end}, NULL);
  }
}

static mode_t usual_mode(void) {
  mode_t mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

/* make_temporary makes the file with the signals held that end us: one that comes between the file's
   birth and its being noted down would leave it behind. */
static int make_temporary(char *path) {
  sigset_t ends, before;
  sigemptyset(&ends);
  for (size_t i = 0; i < COUNT_ENDS; i++) sigaddset(&ends, ending_signals[i]);
  sigprocmask(SIG_BLOCK, &ends, &before);
  int fd = mkostemp(path, O_CLOEXEC), err = errno;
  if (fd >= 0) remove_at_end(path);
  sigprocmask(SIG_SETMASK, &before, NULL);
  errno = err;
  return fd;
}

/* open_temporary: `old` is what will be replaced, NULL if nothing. */
static int open_temporary(vt_output_t *output, struct stat const *old, vt_output_use_t use,
                          vt_error_t *error) {
  size_t folder = folder_sz(output->target);
  if (old && access(output->target, W_OK)) return fail(error, output->target, errno);
  snprintf(output->temporary, sizeof output->temporary, "%.*s.%.*s.XXXXXX", (int)folder,
           output->target, NAME_KEPT, output->target + folder);
  output->fd = make_temporary(output->temporary);
  if (output->fd < 0) return fail(error, output->target, errno);
  if (use != VT_OUTPUT_TRACE && fchmod(output->fd, old ? old->st_mode & 0777 : usual_mode()))
    return vt_output_close(output, 0, error), fail(error, output->target, errno);
  return 0;
}

/* same_file: does descriptor `fd` stand for what `st` is of? */
static int same_file(int fd, struct stat const *st) {
  struct stat have;
  return fstat(fd, &have) == 0 && have.st_dev == st->st_dev && have.st_ino == st->st_ino;
}

/* open_in_place: a descriptor of our own is duplicated, for it has a position in the file. */
static int open_in_place(vt_output_t *output, kind_t kind, struct stat const *st,
                         vt_error_t *error) {
  int own = kind == DESCRIPTOR ? atoi(output->target + folder_sz(output->target)) : -1;
  int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY;
  output->temporary[0] = '\0';
  output->fd = own >= 0 && same_file(own, st) ? fcntl(own, F_DUPFD_CLOEXEC, 0)
                                              : open(output->target, flags);
  return output->fd < 0 ? fail(error, output->target, errno) : 0;
}

int vt_output_open(vt_output_t *output, char const *path, vt_output_use_t use, vt_error_t *error) {
  struct stat st;
  int kind = resolve(path, output->target, &st, error);
  if (kind < 0) return -1;
  if (kind == NOTHING || kind == REGULAR) {
    if (use == VT_OUTPUT_TRACE) make_parents(output->target);
    return open_temporary(output, kind == REGULAR ? &st : NULL, use, error);
  }
  if (kind == FOLDER || use != VT_OUTPUT_STREAM)
    return refuse_kind(path, (kind_t)kind, use, error);
  return open_in_place(output, (kind_t)kind, &st, error);
}

char const *vt_output_path(vt_output_t const *output) {
  return output->temporary[0] ? output->temporary : output->target;
}

FILE *vt_output_stream(vt_output_t const *output) {
  int fd = fcntl(output->fd, F_DUPFD_CLOEXEC, 0);
  FILE *stream = fd < 0 ? NULL : fdopen(fd, "w");
  if (fd >= 0 && !stream) close(fd);
  return stream;
}

int vt_output_close(vt_output_t *output, int whole, vt_error_t *error) {
  int failed = close(output->fd) && whole ? errno : 0;
  if (output->temporary[0]) {
    if (whole && !failed && rename(output->temporary, output->target)) failed = errno;
    if (!whole || failed) unlink(output->temporary);
    pending_owner = 0;
  }
  if (failed) return fail(error, output->target, failed);
  return whole ? 0 : -1;
}

/* ---- traces that are recorded ---- */

static int remove_regular(char const *path) {
  struct stat st;
  return lstat(path, &st) == 0 && S_ISREG(st.st_mode) ? unlink(path) : 0;
}

int vt_output_trace(char const *target, vt_error_t *error) {
  int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  (void)remove_regular(target); /* what remains stops open */
  make_parents(target);
  int fd = open(target, flags, 0600);
  return fd < 0 ? fail(error, target, errno) : fd;
}
