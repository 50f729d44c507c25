/* See owner.h. */
#include "analyzer/collector/owner.h"
#include "analyzer/util/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS                ((uint64_t)1000000000)
#define LOOK_AGAIN_NS     ((uint64_t)200000000)
#define SPACE_KIND(space) ((space) >> 32)

static uint64_t kernel_ticks(uint64_t ns) { return ns / (NS / (uint64_t)sysconf(_SC_CLK_TCK)); }

/* space_of is the namespace of process `pid` ("self" for 0); 0: not to be seen. */
static uint64_t space_of(pid_t pid) {
  char path[48] = "/proc/self/ns/pid";
  struct stat st;
  if (pid) snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)pid);
  return stat(path, &st) ? 0 : (uint64_t)st.st_dev << 32 | (uint32_t)st.st_ino;
}

uint64_t vt_owner_space(void) { return space_of(0); }

static int no_proc(void) { return access("/proc/self", F_OK) != 0; }

uint64_t vt_owner_started(pid_t pid) {
  char path[32], line[512] = "";
  unsigned long long start = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *file = fopen(path, "re");
  if (!file) return 0;
  char *p = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
  fclose(file);
  for (int field = 2; p && field < 22; field++) p = strchr(p + 1, ' ');
  if (p) start = strtoull(p, NULL, 10);
  return start;
}

typedef enum { RING_NO, RING_YES, RING_UNSEEN } has_ring_t;

/* maps_ring: does process `pid` map the ring, or its first page at `seat` if that is not 0? Not if it
   has ended; UNSEEN if we may not look. */
static has_ring_t maps_ring(vt_ring_end_t const *end, pid_t pid, uint64_t seat) {
  char path[32], line[PATH_MAX + 128];
  struct stat ring;
  if (fstat(end->fd, &ring) || vt_owner_started(pid) < end->made_at) return RING_NO;
  snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
  FILE *file = fopen(path, "re");
  if (!file) return errno == EACCES || errno == EPERM ? RING_UNSEEN : RING_NO;
  has_ring_t has = RING_NO;
  while (has == RING_NO && fgets(line, sizeof line, file)) {
    unsigned long long from = 0, to = 0, inode = 0;
    char name[32] = "";
    int got = sscanf(line, "%llx-%llx %*s %*s %*s %llu %31s", &from, &to, &inode, name);
    if (got != 4 || inode != ring.st_ino || !vt_kernel_is_file(name, VT_RING_FILE)) continue;
    if (!seat || (seat == from && to - from == VT_RING_SEAT_SZ)) has = RING_YES;
  }
  fclose(file);
  return has;
}

/* inner_pid is the number that process `pid` has in its own namespace. */
static uint32_t inner_pid(pid_t pid) {
  char path[32], line[256];
  int inner = 0;
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  FILE *file = fopen(path, "re");
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, "NSpid:", 6)) inner = atoi(strrchr(line, '\t') + 1);
  if (file) fclose(file);
  return (uint32_t)inner;
}

/* latest_start is the last kernel tick in which a process may have begun that lived at `tick` of
   the ring's clock. The conversion may err by less than a kernel tick. */
static uint64_t latest_start(vt_ring_end_t const *end, uint64_t tick) {
  uint64_t now = vt_clock_tick((vt_clock_kind_t)end->ring->clock), hz = end->ring->tick_hz;
  uint64_t ago = tick < now && hz ? (uint64_t)((unsigned __int128)(now - tick) * NS / hz) : 0;
  uint64_t boot = vt_clock_ns(CLOCK_BOOTTIME);
  return kernel_ticks(boot > ago ? boot - ago : 0) + 1;
}

/* is_hidden: another user's process, where /proc shows only one's own. */
static int is_hidden(pid_t pid) { return kill(pid, 0) && errno == EPERM; }

/* may_be: can process `pid` be the one? Where its namespace or the wanted one is not known, it must
   have the ring. */
static int may_be(vt_ring_end_t const *end, vt_identity_t const *who, uint64_t latest, pid_t pid) {
  uint64_t space = space_of(pid);
  if (who->space && space && space != who->space) return 0;
  uint64_t start = vt_owner_started(pid);
  if (!start) return is_hidden(pid);
  if (start > latest || inner_pid(pid) != who->pid) return 0;
  return (who->space && space) || maps_ring(end, pid, who->seat) != RING_NO;
}

static int ended(int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0) > 0;
}

/* consider makes process `pid` the owner if it can be. The descriptor comes first: what is then seen
   of the number is of that process, unless it has ended. */
static void consider(vt_ring_end_t const *end, vt_owner_t *owner, uint64_t latest, pid_t pid) {
  int fd = vt_kernel_process(pid);
  if (may_be(end, &owner->who, latest, pid) && (fd < 0 || !ended(fd))) {
    if (owner->pid) owner->several = 1;
    vt_owner_leave(owner);
    owner->pid = pid;
    owner->fd = fd;
    owner->start = vt_owner_started(pid);
  } else if (fd >= 0) {
    close(fd);
  }
}

static void consider_all(vt_ring_end_t const *end, vt_owner_t *owner, uint64_t latest) {
  DIR *proc = opendir("/proc");
  for (struct dirent *e; proc && (e = readdir(proc));)
    if (atoi(e->d_name) > 0) consider(end, owner, latest, atoi(e->d_name));
  if (proc) closedir(proc);
}

vt_owner_t vt_owner_find(vt_ring_end_t const *end, vt_identity_t const *who) {
  static uint64_t ours;
  vt_owner_t owner = {.who = *who, .fd = -1, .looked = vt_clock_ns(CLOCK_MONOTONIC)};
  uint64_t latest = latest_start(end, who->tick);
  if (!ours) ours = vt_owner_space();
  /* What is not on the file system of namespaces is somebody's imitation of /proc. */
  if (SPACE_KIND(who->space) != SPACE_KIND(ours)) owner.who.space = 0;
  if (no_proc()) {
    owner.pid = (pid_t)who->pid;
    owner.fd = vt_kernel_process(owner.pid);
  } else if (owner.who.space && owner.who.space == ours) {
    consider(end, &owner, latest, (pid_t)who->pid);
  } else {
    consider_all(end, &owner, latest);
  }
  if (owner.pid && !owner.who.space && !who->seat && !no_proc()) owner.several = 1;
  if (!owner.several) return owner;
  vt_owner_leave(&owner);
  owner.pid = 0;
  return owner;
}

int vt_owner_gone(vt_ring_end_t const *end, vt_owner_t *owner) {
  if (owner->fd >= 0) return ended(owner->fd);
  if (owner->several) {
    if (vt_clock_ns(CLOCK_MONOTONIC) - owner->looked < LOOK_AGAIN_NS) return 0;
    vt_identity_t who = owner->who;
    *owner = vt_owner_find(end, &who);
    return !owner->several && !owner->pid;
  }
  if (!owner->pid) return 1;
  if (owner->start) return vt_owner_started(owner->pid) != owner->start; /* no pidfd */
  return kill(owner->pid, 0) && errno == ESRCH;
}

int vt_owner_has_memory(pid_t pid) {
  char path[32];
  unsigned long pages = 0;
  snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
  FILE *file = fopen(path, "re");
  if (file && fscanf(file, "%lu", &pages) != 1) pages = 0;
  if (file) fclose(file);
  return pages != 0;
}

int vt_owner_without_ring(vt_ring_end_t const *end, vt_owner_t *owner) {
  return owner->pid && maps_ring(end, owner->pid, 0) == RING_NO && vt_owner_has_memory(owner->pid) && !vt_owner_gone(end, owner);
}

int vt_owner_shared(vt_ring_end_t const *end, vt_owner_t *owner, vt_ring_image_t const *row,
                    int (*known)(void *context, pid_t pid), void *context) {
  uint64_t now = vt_clock_ns(CLOCK_MONOTONIC);
  uint64_t seat = atomic_load_explicit(&row->seat, memory_order_relaxed);
  if (owner->shared && now - owner->looked < LOOK_AGAIN_NS) return 1;
  owner->looked = now;
  owner->shared = 0;
  DIR *proc = seat ? opendir("/proc") : NULL;
  for (struct dirent *e; proc && !owner->shared && (e = readdir(proc));) {
    pid_t pid = atoi(e->d_name);
    if (pid <= 0 || pid == getpid() || known(context, pid)) continue;
    owner->shared = maps_ring(end, pid, seat) == RING_YES;
  }
  if (proc) closedir(proc);
  return owner->shared;
}

void vt_owner_leave(vt_owner_t *owner) {
  if (owner->fd >= 0) close(owner->fd);
  owner->fd = -1;
}

/* holds_descriptor: is the ring open in process `pid` under the number it was inherited by? */
static int holds_descriptor(vt_ring_end_t const *end, pid_t pid) {
  struct stat ours, theirs;
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, end->fd);
  return fstat(end->fd, &ours) == 0 && stat(path, &theirs) == 0 && theirs.st_ino == ours.st_ino &&
         theirs.st_dev == ours.st_dev;
}

unsigned vt_owner_holders(vt_ring_end_t const *end) {
  unsigned holders = 0;
  DIR *proc = opendir("/proc");
  for (struct dirent *e; proc && (e = readdir(proc));) {
    pid_t pid = atoi(e->d_name);
    if (pid <= 0 || pid == getpid()) continue;
    holders += holds_descriptor(end, pid) || maps_ring(end, pid, 0) == RING_YES;
  }
  if (proc) closedir(proc);
  return holders;
}
