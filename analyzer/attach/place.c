/* See place.h. While all threads stand: memory is mapped by calls that one of them makes, the copies are written,
   then, if nobody is inside, the entries. Each of these steps leaves a process that works if it is the last.

   The descriptors of the ring and of the shim's file are sent to the process over a pair of sockets that it
   makes for that (pidfd_getfd gives us the other one), so that nothing is opened by a name in it, whatever it
   sees of file systems and networks. All is done before it runs on: it sees no other numbers for its own. */
#include "analyzer/attach/place.h"
#include "analyzer/attach/entries.h"
#include "analyzer/attach/loader.h"
#include "analyzer/attach/remote.h"
#include "analyzer/attach/shim_file.h"
#include "analyzer/attach/stop.h"
#include "analyzer/patch/service.h"
#include "core/trace/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE      ((uint64_t)4096)
#define TRIES     500
#define PAUSE_NS  1000000 /* between two of them, for a signal handler to return */
#define HIGH_FD   1000
#define PLANS_MAX 8    /* while others take the room beside the modules before it is used */
#define SHIM      "libvaltrace.so"
#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

typedef struct {
  vt_target_t *t;
  vt_place_options_t const *options;
  vt_shim_file_t shim;
  vt_bytes_t answer;
  vt_attach_t data;
  uint64_t area, area_sz, answer_off;
  vt_stop_t stop;
  vt_space_t space; /* as it is while all stand */
  vt_remote_t remote;
  int again;       /* the area, and what is mapped beside the modules, is there from an earlier time */
  int plans;       /* that were made */
  int lacking;     /* the latest one's room was not free any more */
  char const *why; /* NULL: nothing has gone wrong */
} placing_t;

static uint64_t pages(uint64_t sz) { return (sz + PAGE - 1) & ~(PAGE - 1); }

static int is_bad(long result) { return result < 0 && result > -4096; }

/* ---- memory and descriptors ---- */

static int map_area(placing_t *p) {
  p->answer_off = VT_ATTACH_CODE_SZ + pages(sizeof p->data);
  p->area_sz = p->answer_off + pages(p->answer.sz) + VT_ATTACH_STACK_SZ + VT_ATTACH_REGISTERS_SZ;
  long at = VT_REMOTE_CALL(&p->remote, SYS_mmap, 0, p->area_sz, PROT_READ | PROT_EXEC, ANONYMOUS, UINT64_MAX, 0);
  p->why = "it lets no memory be mapped that has code";
  if (is_bad(at)) return -1;
  p->area = (uint64_t)at;
  at = VT_REMOTE_CALL(&p->remote, SYS_mmap, p->area + VT_ATTACH_CODE_SZ, p->area_sz - VT_ATTACH_CODE_SZ,
                      PROT_READ | PROT_WRITE, ANONYMOUS | MAP_FIXED, UINT64_MAX, 0);
  p->why = is_bad(at) ? "it lets no memory be mapped" : NULL;
  return p->why ? -1 : 0;
}

/* send_files sends the two descriptors over the process's socket `theirs`. */
static int send_files(placing_t *p, int theirs) {
  int files[2] = {p->shim.fd, p->options->ring}, failed = -1;
  char byte = 0;
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof files)];
  } control = {0};
  struct iovec iov = {&byte, 1};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof files), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(c), files, sizeof files);
  int process = (int)syscall(SYS_pidfd_open, p->t->pid, 0);
  int socket = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, theirs, 0);
  if (socket >= 0) failed = sendmsg(socket, &msg, MSG_NOSIGNAL) == 1 ? 0 : -1;
  if (socket >= 0) close(socket);
  if (process >= 0) close(process);
  return failed;
}

/* What the process reads its message into, in its data, where nothing else is of use until it is written. */
typedef struct {
  int pair[2];
  struct msghdr msg;
  struct iovec iov;
  char byte, unused[15];
  char control[CMSG_SPACE(2 * sizeof(int))];
} letter_t;
_Static_assert(sizeof(letter_t) <= VT_ATTACH_TEXT_SZ, "it lies there");

/* receive_files makes the process take what was sent. */
static int receive_files(placing_t *p, uint64_t at, letter_t *letter, int files[2]) {
  letter->iov = (struct iovec){(void *)(at + offsetof(letter_t, byte)), 1};
  letter->msg = (struct msghdr){.msg_iov = (void *)(at + offsetof(letter_t, iov)),
                                .msg_iovlen = 1,
                                .msg_control = (void *)(at + offsetof(letter_t, control)),
                                .msg_controllen = sizeof letter->control};
  if (vt_target_write(p->t, at, letter, sizeof *letter)) return -1;
  long n = VT_REMOTE_CALL(&p->remote, SYS_recvmsg, (uint64_t)letter->pair[0], at + offsetof(letter_t, msg),
                          MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (n != 1 || vt_target_read(p->t, at, letter, sizeof *letter)) return -1;
  struct cmsghdr const *c = (struct cmsghdr const *)letter->control;
  if (c->cmsg_len != CMSG_LEN(2 * sizeof(int)) || c->cmsg_type != SCM_RIGHTS) return -1;
  memcpy(files, CMSG_DATA(c), 2 * sizeof(int));
  return 0;
}

static void close_there(placing_t *p, int fd) { VT_REMOTE_CALL(&p->remote, SYS_close, (uint64_t)fd); }

/* move_high gives a descriptor of the process a number few programs use. */
static int move_high(placing_t *p, int fd) {
  struct rlimit limit;
  uint64_t least = HIGH_FD;
  if (!prlimit(p->t->pid, RLIMIT_NOFILE, NULL, &limit) && limit.rlim_cur <= HIGH_FD + 24)
    least = limit.rlim_cur > 32 ? limit.rlim_cur - 16 : 3;
  long high = VT_REMOTE_CALL(&p->remote, SYS_fcntl, (uint64_t)fd, F_DUPFD_CLOEXEC, least);
  if (is_bad(high)) return fd;
  close_there(p, fd);
  return (int)high;
}

static void tell_files(placing_t *p, int const files[2]) {
  struct stat st;
  vt_attach_t *d = &p->data;
  d->shim_fd = (uint32_t)files[0];
  d->ring_fd = (uint32_t)files[1];
  snprintf(d->shim, sizeof d->shim, "/proc/self/fd/%d", files[0]);
  if (!fstat(p->shim.fd, &st)) d->shim_device = st.st_dev, d->shim_inode = st.st_ino;
  if (!fstat(p->options->ring, &st)) d->ring_device = st.st_dev, d->ring_inode = st.st_ino;
}

static int hand_over(placing_t *p) {
  letter_t letter = {0};
  uint64_t at = p->area + VT_ATTACH_CODE_SZ + VT_ATTACH_OFF_TEXT;
  int files[2];
  p->why = "the recorder cannot be handed to it (this takes Linux 5.6, and two free descriptors in it)";
  if (is_bad(VT_REMOTE_CALL(&p->remote, SYS_socketpair, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, at)) ||
      vt_target_read(p->t, at, letter.pair, sizeof letter.pair))
    return -1;
  int failed = send_files(p, letter.pair[1]) || receive_files(p, at, &letter, files);
  close_there(p, letter.pair[0]);
  close_there(p, letter.pair[1]);
  if (failed) return -1;
  files[0] = move_high(p, files[0]);
  files[1] = move_high(p, files[1]);
  tell_files(p, files);
  p->why = NULL;
  return 0;
}

static int map_there(placing_t *p, uint64_t at, uint64_t sz, int prot) {
  long got = VT_REMOTE_CALL(&p->remote, SYS_mmap, at, sz, (uint64_t)prot,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, UINT64_MAX, 0);
  return got == (long)at ? 0 : -1;
}

static int map_beside(placing_t *p, vt_patch_module_t const *m) {
  if (map_there(p, m->code, m->code_sz, PROT_READ | PROT_EXEC)) return -1;
  if (!map_there(p, m->data, m->data_sz, PROT_READ | PROT_WRITE)) return 0;
  VT_REMOTE_CALL(&p->remote, SYS_munmap, m->code, m->code_sz);
  return -1;
}

/* reason is why nothing is patched: the first function's will do. */
static char const *reason(vt_bytes_t const *answer) {
  vt_patch_module_t *m = vt_entries_module(answer);
  return vt_entries_module_cnt(answer) && m->function_cnt ? vt_entries_functions(m)->why : "nothing in it allocates";
}

/* map_modules maps memory beside each module, where the plan says, before anything else takes it; what cannot be
   patched is refused, and says why. Returns 0, or -1: nothing can, or another plan may find room for all. */
static int map_modules(placing_t *p) {
  static char const no_room[] = "there is no memory beside its code";
  int good = 0;
  vt_patch_module_t *m = vt_entries_module(&p->answer);
  for (uint32_t n = vt_entries_module_cnt(&p->answer); n--; m = vt_entries_next(m)) {
    if (!m->code) continue;
    if (!vt_entries_as_planned(p->t, m))
      vt_entries_refuse(m, "its code in memory is not that of the file");
    else if (map_beside(p, m)) {
      vt_entries_refuse(m, no_room);
      p->lacking = 1;
    }
    good |= m->code != 0;
  }
  p->why = good ? no_room : reason(&p->answer);
  return good && !(p->lacking && p->plans < PLANS_MAX) ? 0 : -1;
}

static int place_modules(placing_t *p) {
  vt_patch_module_t *m = vt_entries_module(&p->answer);
  for (uint32_t n = vt_entries_module_cnt(&p->answer); n--; m = vt_entries_next(m))
    if (m->code && vt_entries_place(p->t, m, p->area)) return -1;
  return 0;
}

/* ---- what the area says ---- */

static int add_option(vt_attach_t *d, char const *name, char const *value) {
  size_t sz = strlen(name) + strlen(value) + 1;
  if (sz > sizeof d->options - d->options_sz) return -1;
  snprintf(d->options + d->options_sz, sz, "%s%s", name, value);
  d->options_sz += sz;
  return 0;
}

/* add_collector tells the ring by the number that it has there. */
static int add_collector(placing_t *p) {
  char value[160];
  char const *rest = strchr(p->options->spec, ':');
  snprintf(value, sizeof value, "%u%s", p->data.ring_fd, rest ? rest : "");
  return add_option(&p->data, VT_RING_ENV "=", value);
}

static void add_range(vt_attach_t *d, uint64_t start, uint64_t end) {
  if (d->range_cnt == VT_ATTACH_RANGES_MAX) return;
  d->ranges[d->range_cnt][0] = start;
  d->ranges[d->range_cnt++][1] = end;
}

static int fill_data(placing_t *p) {
  vt_target_t const *t = p->t;
  vt_attach_t *d = &p->data;
  char first[64];
  snprintf(first, sizeof first, "%u", t->own_pid);
  d->pid = t->own_pid;
  d->stack = p->area + p->area_sz - VT_ATTACH_REGISTERS_SZ;
  d->dlopen = t->dlopen;
  d->dlerror = t->dlerror;
  d->pthread_create = t->pthread_create && t->pthread_detach ? t->pthread_create : 0;
  d->pthread_detach = t->pthread_detach;
  d->errno_location = t->errno_location;
  d->iterate = t->iterate;
  d->iterate_end = t->iterate_end;
  d->vectors = vt_loader_vectors();
  d->python = (uint64_t)vt_target_has_module(t, "libpython");
  strcpy(d->tasks, "/proc/self/task");
  add_range(d, t->libc_start, t->libc_end);
  add_range(d, t->loader_start, t->loader_end);
  d->answer = p->area + p->answer_off;
  d->answer_sz = p->answer.sz;
  int failed = add_collector(p) || add_option(d, "VALTRACE_FIRST_PID=", first);
  for (char const *const *o = p->options->options; *o && !failed; o++) failed = add_option(d, *o, "");
  if (failed) p->why = "the options are too long";
  return failed;
}

/* write_answer leaves the head of one that the shim has to it, which keeps its list there. */
static int write_answer(placing_t *p) {
  size_t head = p->data.restart ? sizeof(vt_patch_answer_t) : 0;
  return vt_target_write(p->t, p->area + p->answer_off + head, p->answer.data + head, p->answer.sz - head);
}

static int write_area(placing_t *p) {
  if (fill_data(p)) return -1;
  p->why = "its memory cannot be written to";
  if (vt_shim_file_seal(&p->shim, p->area + VT_ATTACH_CODE_SZ)) return -1;
  if (place_modules(p) || write_answer(p) ||
      vt_target_write(p->t, p->area + VT_ATTACH_CODE_SZ, &p->data, sizeof p->data))
    return -1;
  /* The last, as it is what the area is known by. */
  if (vt_target_write(p->t, p->area, vt_loader_code, (size_t)(vt_loader_code_end - vt_loader_code))) return -1;
  p->why = NULL;
  return 0;
}

/* ---- stopping, and patching ---- */

/* check_modules refuses what has changed since the process was attached to before. */
static int check_modules(placing_t *p) {
  int good = 0;
  vt_patch_module_t *m = vt_entries_module(&p->answer);
  for (uint32_t n = vt_entries_module_cnt(&p->answer); n--; m = vt_entries_next(m)) {
    if (m->code && !vt_entries_as_planned(p->t, m)) vt_entries_refuse(m, "its code in memory is not that of the file");
    good |= m->code != 0;
  }
  if (!good) p->why = reason(&p->answer);
  return good ? 0 : -1;
}

/* take_back unmaps what was mapped, before anything leads there. */
static void take_back(placing_t *p) {
  vt_patch_module_t *m = vt_entries_module(&p->answer);
  if (p->data.shim_fd) close_there(p, (int)p->data.shim_fd);
  if (p->data.ring_fd) close_there(p, (int)p->data.ring_fd);
  if (p->again) return;
  for (uint32_t n = vt_entries_module_cnt(&p->answer); n--; m = vt_entries_next(m))
    if (m->code) VT_REMOTE_CALL(&p->remote, SYS_munmap, m->code, m->code_sz + m->data_sz);
  if (p->area) VT_REMOTE_CALL(&p->remote, SYS_munmap, p->area, p->area_sz);
}

static int prepare(placing_t *p) {
  p->remote = (vt_remote_t){.stop = &p->stop, .mem = p->t->mem, .syscall = p->t->syscall, .sigreturn = p->t->sigreturn};
  p->why = "no thread of it is on a stack of its own with room on it";
  if (vt_remote_begin(&p->remote, &p->space, VT_REMOTE_CALLS)) return -1;
  int failed = (p->again ? check_modules(p) : map_modules(p) || map_area(p)) || hand_over(p) || write_area(p);
  if (failed) take_back(p);
  vt_remote_end(&p->remote);
  return failed ? -1 : 0;
}

static int stop_all(placing_t *p, vt_place_result_t *result, vt_error_t *error) {
  if (vt_stop_all(&p->stop, p->t->pid, error)) return -1;
  vt_space_free(&p->space);
  vt_space_read(&p->space, p->t->pid);
  result->threads = (uint32_t)p->stop.threads_cnt;
  result->stops++;
  return 0;
}

static void arm(placing_t *p) {
  uint32_t waiting = VT_ATTACH_WAITING;
  vt_target_write(p->t, p->area + VT_ATTACH_CODE_SZ, &waiting, sizeof waiting);
}

/* patch returns 0, 1: somebody is inside of what changes and may be out soon, or -1. */
static int patch(placing_t *p) {
  if (vt_entries_returned_to(p->t, &p->stop, &p->space, &p->answer)) return 1;
  p->why = "a thread stands where it cannot be moved from";
  if (vt_entries_move_out(&p->stop, &p->answer)) return -1;
  arm(p);
  p->why = "its code cannot be changed";
  if (vt_entries_write(p->t, &p->answer, 0)) {
    vt_entries_write(p->t, &p->answer, 1);
    return -1;
  }
  p->why = NULL;
  return 0;
}

static void release(placing_t *p, vt_place_result_t *result) {
  uint64_t ns = vt_stop_release(&p->stop);
  if (ns > result->pause_ns) result->pause_ns = ns;
}

static int place(placing_t *p, vt_place_result_t *result, vt_error_t *error) {
  int state = 1;
  if (stop_all(p, result, error)) return -1;
  if (prepare(p)) state = -1;
  for (int tries = 0; state > 0 && tries < TRIES; tries++) {
    state = patch(p);
    if (state <= 0) break;
    release(p, result);
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    if (stop_all(p, result, error)) return -1;
  }
  release(p, result);
  if (!state) return 0;
  if (state > 0) p->why = "a signal handler in it never returns to the allocator that it interrupted";
  vt_error_set(error, p->t->name, p->why, "it goes on as it was");
  return -1;
}

/* is_sanitizers: a sanitizer's run-time is the allocator, and must not be changed. */
static int is_sanitizers(vt_patch_module_t *m) {
  for (uint32_t i = 0; i < m->function_cnt; i++)
    if (strstr(vt_entries_functions(m)[i].why, "sanitizer")) return 1;
  return 0;
}

/* has_plan: is there anything to patch? The first reason why not, else. */
static int has_plan(placing_t *p, vt_error_t *error) {
  char const *why = NULL;
  int usable = 0, sanitized = 0;
  vt_patch_module_t *m = vt_entries_module(&p->answer);
  for (uint32_t n = vt_entries_module_cnt(&p->answer); n--; m = vt_entries_next(m)) {
    usable |= m->covered && m->code;
    sanitized |= is_sanitizers(m);
    if (!why && m->function_cnt && vt_entries_functions(m)->why[0]) why = vt_entries_functions(m)->why;
  }
  if (sanitized)
    vt_error_set(error, p->t->name, "a sanitizer watches its memory", "record it from its start, with `valtrace run`");
  else if (!usable)
    vt_error_set(error, p->t->name, why ? why : "no function in it is known to allocate",
                 "give its allocator's functions by --allocator");
  return usable && !sanitized;
}

static int is_recorded(vt_target_t const *t, vt_error_t *error) {
  int state = t->area ? vt_place_state(t, t->area, NULL) : 0;
  int is = state ? state != VT_ATTACH_DETACHED : vt_target_has_file(t, VT_RING_FILE) || vt_target_has_module(t, SHIM);
  if (is) vt_error_set(error, t->name, "it is recorded already", "`valtrace ctl` steers it, `valtrace detach` ends what `attach` began");
  return is;
}

/* find_plan takes the plan of an earlier time, with which the shim is loaded, or makes one. */
static int find_plan(placing_t *p, vt_error_t *error) {
  vt_target_t const *t = p->t;
  vt_patch_request_t everything = {.apart = 1, .whole = 1};
  p->plans++;
  p->lacking = 0;
  if (!t->area) {
    p->answer.sz = 0;
    vt_patch_tell(&p->answer, t->pid, &everything, p->options->givens);
    return has_plan(p, error) ? 0 : -1;
  }
  p->again = 1;
  p->area = t->area;
  if (!vt_place_read(t, &p->data, &p->answer)) {
    p->area_sz = p->data.stack + VT_ATTACH_REGISTERS_SZ - p->area;
    p->answer_off = p->data.answer - p->area;
    p->data = (vt_attach_t){.restart = p->data.restart, .gate = p->data.gate};
    return 0;
  }
  vt_error_set(error, t->name, "what an earlier recording left in it makes no sense", "start it again");
  return -1;
}

int vt_place(vt_target_t *t, vt_place_options_t const *options, vt_place_result_t *result, vt_error_t *error) {
  placing_t p = {.t = t, .options = options, .shim = {.fd = -1}};
  *result = (vt_place_result_t){0};
  if (is_recorded(t, error)) return -1;
  int failed = vt_shim_file_make(&p.shim, options->shim);
  if (failed) vt_error_set(error, options->shim, strerror(errno), "is it installed beside this program?");
  while (!failed) {
    failed = find_plan(&p, error) || place(&p, result, error);
    if (!failed || !p.lacking || p.plans == PLANS_MAX) break;
    failed = 0;
  }
  if (!failed) t->area = p.area;
  if (p.shim.fd >= 0) close(p.shim.fd);
  vt_bytes_free(&p.answer);
  vt_space_free(&p.space);
  return failed ? -1 : 0;
}

int vt_place_state(vt_target_t const *t, uint64_t area, char *text) {
  char magic[VT_ATTACH_MAGIC_SZ];
  uint32_t state;
  uint64_t data = area + VT_ATTACH_CODE_SZ;
  if (vt_target_read(t, area, magic, sizeof magic) || memcmp(magic, VT_ATTACH_MAGIC, sizeof magic) ||
      vt_target_read(t, data, &state, sizeof state))
    return 0;
  if (text && !vt_target_read(t, data + offsetof(vt_attach_t, text), text, VT_ATTACH_TEXT_SZ))
    text[VT_ATTACH_TEXT_SZ - 1] = '\0';
  return (int)state;
}
