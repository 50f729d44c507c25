/* See watch.h. */
#include "analyzer/jit/watch.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_SZ ((size_t)4 << 20)
#define SLACK_NS ((uint64_t)10000000) /* a file's time is that of a timer tick, which is earlier */

static int same_folder(int other) {
  struct stat ours, theirs;
  return !stat("/tmp", &ours) && !fstat(other, &theirs) && ours.st_dev == theirs.st_dev &&
         ours.st_ino == theirs.st_ino;
}

void vt_jit_watch_begin(vt_jit_watch_t *watch, pid_t process, uint32_t pid, uint64_t since_ns) {
  char path[64];
  struct stat st;
  *watch = (vt_jit_watch_t){
      .pid = pid, .since_ns = since_ns, .tmp = VT_JIT_TMP_UNKNOWN, .map = -1, .dump = -1};
  snprintf(path, sizeof path, "/proc/%d", (int)process);
  if (process <= 0 || stat(path, &st)) return;
  watch->user = st.st_uid;
  snprintf(path, sizeof path, "/proc/%d/root/tmp", (int)process);
  int tmp = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (tmp < 0) return;
  watch->tmp = same_folder(tmp) ? VT_JIT_TMP_OURS : tmp;
  if (watch->tmp != tmp) close(tmp);
}

/* is_good: is this a file that the image's process, or root, has written? */
static int is_good(vt_jit_watch_t const *watch, int fd) {
  struct stat st;
  if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (st.st_uid != watch->user && st.st_uid)) return 0;
  uint64_t written = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
  return written + SLACK_NS >= watch->since_ns;
}

static int open_good(vt_jit_watch_t const *watch, int folder, char const *path) {
  int fd = openat(folder, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0 || is_good(watch, fd)) return fd;
  close(fd);
  return -1;
}

/* open_map opens the perf map, again if another file has its name now. */
static void open_map(vt_jit_watch_t *watch) {
  char path[64];
  struct stat now, have;
  int folder = watch->tmp >= 0 ? watch->tmp : AT_FDCWD;
  if (watch->tmp == VT_JIT_TMP_UNKNOWN) return;
  snprintf(path, sizeof path, "%sperf-%u.map", watch->tmp >= 0 ? "" : "/tmp/", watch->pid);
  if (watch->map >= 0) {
    int gone = fstatat(folder, path, &now, AT_SYMLINK_NOFOLLOW) || fstat(watch->map, &have);
    int same = !gone && now.st_ino == have.st_ino && now.st_dev == have.st_dev &&
               (uint64_t)now.st_size >= watch->map_off;
    if (gone || same) return;
    close(watch->map);
  }
  watch->map_off = 0;
  watch->map = open_good(watch, folder, path);
}

void vt_jit_watch_mapped(vt_jit_watch_t *watch, pid_t process, char const *path, size_t sz) {
  char name[32], full[PATH_MAX + 32];
  int name_sz = snprintf(name, sizeof name, "/jit-%u.dump", watch->pid);
  if (watch->dump >= 0 || sz >= PATH_MAX || (int)sz < name_sz ||
      memcmp(path + sz - name_sz, name, (size_t)name_sz) != 0)
    return;
  snprintf(full, sizeof full, "/proc/%d/root%.*s", (int)process, (int)sz, path);
  watch->dump = open_good(watch, AT_FDCWD, full);
  if (watch->dump < 0 && watch->tmp == VT_JIT_TMP_OURS) /* it may have ended meanwhile */
    watch->dump = open_good(watch, AT_FDCWD, full + strlen(full) - sz);
}

static int read_map(vt_jit_watch_t *watch, char *text, vt_jit_clock_t const *clock,
                    vt_jit_names_t *names) {
  ssize_t sz = watch->map < 0 ? 0 : pread(watch->map, text, PIECE_SZ, (off_t)watch->map_off);
  if (sz <= 0) return 0;
  size_t done = vt_perf_map_read(names, text, (size_t)sz, clock->tick);
  if (!done && (size_t)sz == PIECE_SZ) done = PIECE_SZ; /* no line is that long */
  watch->map_off += done;
  return done > 0 && (size_t)sz == PIECE_SZ;
}

static int read_dump(vt_jit_watch_t *watch, uint8_t *data, vt_jit_clock_t const *clock,
                     vt_jit_names_t *names) {
  ssize_t sz = watch->dump < 0 ? 0 : pread(watch->dump, data, PIECE_SZ, (off_t)watch->dump_off);
  if (sz <= 0) return 0;
  size_t done = vt_jitdump_read(&watch->reader, names, data, (size_t)sz, clock);
  watch->dump_off += done;
  return done > 0 && (size_t)sz == PIECE_SZ;
}

int vt_jit_watch_look(vt_jit_watch_t *watch, vt_jit_clock_t const *clock, vt_jit_names_t *names) {
  open_map(watch);
  if (watch->map < 0 && watch->dump < 0) return 0;
  char *piece = vt_mem_new(PIECE_SZ, 1);
  int more = read_map(watch, piece, clock, names);
  more |= read_dump(watch, (uint8_t *)piece, clock, names);
  free(piece);
  return more;
}

void vt_jit_watch_end(vt_jit_watch_t *watch) {
  if (watch->tmp >= 0) close(watch->tmp);
  if (watch->map >= 0) close(watch->map);
  if (watch->dump >= 0) close(watch->dump);
  watch->tmp = VT_JIT_TMP_UNKNOWN;
  watch->map = watch->dump = -1;
  vt_jitdump_free(&watch->reader);
}
