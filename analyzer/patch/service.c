/* See service.h. */
#include "analyzer/patch/service.h"
#include "analyzer/patch/space.h"
#include "analyzer/trace/bytes.h"
#include "analyzer/util/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

/* Plans, by the file and the way it is loaded; they stay. */
typedef struct planned {
  struct planned *next;
  struct stat file;
  vt_plan_way_t way;
  vt_plan_t plan;
} planned_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static planned_t *all;
static vt_patch_givens_t const no_givens, *given = &no_givens;

static int same_file(struct stat const *a, struct stat const *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static vt_plan_t const *plan_for(int fd, vt_plan_way_t way, int executable) {
  struct stat st;
  planned_t *p;
  if (fstat(fd, &st) || !S_ISREG(st.st_mode)) return NULL;
  pthread_mutex_lock(&lock);
  for (p = all; p && (p->way != way || !same_file(&p->file, &st)); p = p->next) continue;
  if (!p) {
    int here = executable && given->inode == st.st_ino && given->device == st.st_dev;
    p = vt_mem_new(1, sizeof *p);
    *p = (planned_t){.next = all, .file = st, .way = way};
    p->plan = vt_plan_make(fd, way, given, here);
    all = p;
  }
  pthread_mutex_unlock(&lock);
  return &p->plan;
}

static int begins(char const *path, char const *start) {
  return !strncmp(strrchr(path, '/') + 1, start, strlen(start));
}

static int is_libc(char const *path) { return begins(path, "libc.so") || begins(path, "libc-"); }

/* is_beyond: the loader is never patched, nor is the shim. */
static int is_beyond(char const *path) { return begins(path, "ld-") || begins(path, "libvaltrace.so"); }

/* One process that is answered. */
typedef struct {
  pid_t pid;
  vt_patch_request_t request;
  vt_space_t space;
  char executable[PATH_MAX];
  vt_bytes_t out;
  uint32_t module_cnt;
} client_t;

static void put_refused(vt_patch_function_t *f, vt_planned_t const *p, uint64_t bias, char const *why) {
  *f = (vt_patch_function_t){.address = p->entry + bias, .entry = p->entry + bias};
  snprintf(f->name, sizeof f->name, "%s", p->name);
  snprintf(f->why, sizeof f->why, "%s", why);
}

static void put_function(vt_patch_function_t *f, vt_planned_t const *p, uint64_t bias, size_t i,
                         vt_patch_module_t const *module) {
  *f = (vt_patch_function_t){.entry = p->entry + bias, .kind = p->what.kind};
  snprintf(f->name, sizeof f->name, "%s", p->name);
  char const *why = p->why;
  if (!*why && !module->code) why = "no memory is to be had within reach of its code";
  if (!*why)
    why = vt_copy_write(&p->displaced, &p->what.kind, bias, module->code + VT_PATCH_SLOT_SZ * i,
                        module->data + sizeof(vt_patch_descriptor_t) * i, f);
  if (why && *why) put_refused(f, p, bias, why);
  f->site_cnt = f->why[0] ? 0 : (uint8_t)p->sites_cnt;
  for (uint32_t s = 0; s < f->site_cnt; s++) f->sites[s] = p->sites[s] + bias;
}

static uint64_t pages(uint64_t sz) { return (sz + PAGE - 1) & ~(PAGE - 1); }

static void put_module(client_t *c, vt_plan_t const *plan, vt_space_part_t const *first, int executable) {
  uint64_t bias = first->start - (plan->low & ~(PAGE - 1)), cnt = plan->functions_cnt;
  vt_patch_module_t module = {.code_sz = pages(cnt * VT_PATCH_SLOT_SZ),
                              .data_sz = pages(cnt * sizeof(vt_patch_descriptor_t)),
                              .function_cnt = (uint32_t)cnt,
                              .covered = (uint32_t)plan->covered,
                              .executable = (uint32_t)executable};
  snprintf(module.path, sizeof module.path, "%s", first->path);
  module.code = vt_space_room(&c->space, plan->low + bias, plan->high + bias,
                              module.code_sz + module.data_sz);
  module.data = module.code ? module.code + module.code_sz : 0;
  vt_bytes_put(&c->out, &module, sizeof module);
  for (size_t i = 0; i < cnt; i++) {
    vt_patch_function_t f;
    put_function(&f, &plan->functions[i], bias, i, &module);
    vt_bytes_put(&c->out, &f, sizeof f);
  }
  c->module_cnt++;
}

/* open_module opens the file through the process's own root; the executable may have been removed. */
static int open_module(client_t const *c, char const *path, int executable) {
  char name[PATH_MAX + 64];
  snprintf(name, sizeof name, executable ? "/proc/%d/exe" : "/proc/%d/root%s", c->pid, path);
  return open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static void look_at(client_t *c, vt_space_part_t const *first) {
  vt_space_part_t part = *first; /* making room moves the list */
  int executable = !strcmp(part.path, c->executable);
  vt_plan_way_t way = is_libc(part.path)                ? VT_PLAN_LIBC
                      : executable || c->request.apart ? VT_PLAN_FIRST
                                                       : VT_PLAN_REACHED;
  int fd = is_beyond(part.path) ? -1 : open_module(c, part.path, executable);
  if (fd < 0) return;
  vt_plan_t const *plan = plan_for(fd, way, executable);
  close(fd);
  if (plan && plan->functions_cnt) put_module(c, plan, &part, executable);
}

/* is_meant: does the request name the module that lies from `first` to `end`? */
static int is_meant(client_t const *c, vt_space_part_t const *first, uint64_t end) {
  vt_patch_request_t const *r = &c->request;
  if (!r->named_cnt) return r->whole || !is_libc(first->path);
  for (uint32_t i = 0; i < r->named_cnt && i < VT_PATCH_NAMED_MAX; i++)
    if (r->named[i] - first->start < end - first->start) return 1;
  return 0;
}

static void look_through(client_t *c) {
  char name[64];
  int has_code;
  snprintf(name, sizeof name, "/proc/%d/exe", c->pid);
  ssize_t n = readlink(name, c->executable, sizeof c->executable - 1);
  c->executable[n > 0 ? n : 0] = '\0';
  vt_space_t modules; /* as they are before room is taken */
  if (vt_space_read(&modules, c->pid) || vt_space_read(&c->space, c->pid)) return;
  vt_space_part_t const *first;
  for (size_t i = 0; (first = vt_space_module(&modules, &i, &has_code));)
    if (has_code && is_meant(c, first, modules.parts[i - 1].end)) look_at(c, first);
  vt_space_free(&modules);
}

static int send_all(int fd, void const *p, size_t sz) {
  for (size_t done = 0; done < sz;) {
    ssize_t n = send(fd, (char const *)p + done, sz - done, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    done += (size_t)n;
  }
  return 0;
}

void vt_patch_tell(vt_bytes_t *out, pid_t pid, vt_patch_request_t const *request,
                   vt_patch_givens_t const *givens) {
  client_t c = {.pid = pid, .request = *request};
  if (givens) given = givens;
  look_through(&c);
  vt_patch_answer_t head = {.sz = c.out.sz, .module_cnt = c.module_cnt};
  vt_bytes_put(out, &head, sizeof head);
  vt_bytes_put(out, c.out.data, c.out.sz);
  vt_space_free(&c.space);
  vt_bytes_free(&c.out);
}

static void *answer(void *argument) {
  int fd = (int)(intptr_t)argument;
  vt_patch_request_t request;
  vt_bytes_t out = {0};
  struct ucred peer;
  socklen_t sz = sizeof peer;
  char ack = VT_PATCH_ACK;
  if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &sz) && peer.pid > 0 &&
      (peer.uid == geteuid() || geteuid() == 0) &&
      recv(fd, &request, sizeof request, MSG_WAITALL) == (ssize_t)sizeof request &&
      !send_all(fd, &ack, 1)) {
    vt_patch_tell(&out, peer.pid, &request, NULL);
    send_all(fd, out.data, out.sz);
  }
  vt_bytes_free(&out);
  close(fd);
  return NULL;
}

static void *serve(void *argument) {
  int socket = (int)(intptr_t)argument;
  for (;;) {
    struct timeval limit = {.tv_sec = 10};
    pthread_t thread;
    struct pollfd ready = {.fd = socket, .events = POLLIN};
    int fd = poll(&ready, 1, -1) > 0 ? accept4(socket, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (fd < 0 && errno == EAGAIN) continue; /* who had come has gone */
    if (fd < 0) {
      nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL); /* no descriptor is left: a while */
      continue;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (pthread_create(&thread, NULL, answer, (void *)(intptr_t)fd))
      close(fd);
    else
      pthread_detach(thread);
  }
  return NULL;
}

int vt_patch_serve(int socket, vt_patch_givens_t const *givens) {
  pthread_t thread;
  sigset_t every, before;
  given = givens;
  sigfillset(&every);
  pthread_sigmask(SIG_BLOCK, &every, &before);
  int error = pthread_create(&thread, NULL, serve, (void *)(intptr_t)socket);
  if (!error) pthread_detach(thread);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

/* parse_one reads NAME or NAME@ADDRESS. */
static int parse_one(vt_patch_given_t *g, char const *text) {
  char const *at = strchr(text, '@');
  size_t sz = at ? (size_t)(at - text) : strlen(text);
  vt_patch_name_t what;
  char *end;
  if (!sz || sz >= sizeof g->name) return -1;
  *g = (vt_patch_given_t){.has_address = at != NULL};
  memcpy(g->name, text, sz);
  if (vt_patch_name_find(g->name, 1, &what)) return -1;
  if (!at) return 0;
  g->address = strtoull(at + 1, &end, 0);
  return !at[1] || *end ? -1 : 0;
}

char *vt_patch_givens_parse(vt_patch_givens_t *givens, char const *text, char const *path) {
  char *copy = vt_mem_copy(text, strlen(text)), *rest = copy, *bad = NULL;
  struct stat st;
  *givens = (vt_patch_givens_t){.list = vt_mem_new(strlen(text) + 1, sizeof *givens->list)};
  for (char *one; !bad && (one = strsep(&rest, ","));)
    if (parse_one(&givens->list[givens->cnt++], one)) bad = vt_mem_copy(one, strlen(one));
  free(copy);
  if (path && !stat(path, &st)) {
    givens->device = st.st_dev;
    givens->inode = st.st_ino;
  }
  return bad;
}
