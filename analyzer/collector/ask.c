/* See ask.h. */
#include "analyzer/collector/ask.h"
#include "analyzer/attach/target.h"
#include "analyzer/collector/control.h"
#include "analyzer/collector/ring.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S 2  /* of a process that stands meanwhile */
#define ANSWER_S   60 /* in which one comes to everything but a request for a snapshot */
#define NO_LIMIT   0
#define ASKED_MAX  20 /* a machine on which we do not come to speak so often is a hung one */
#define OWNERS     "who started a recording, and root, may steer and watch it"

/* take_name takes the socket's name out of "FD:NAME:NONCE". */
static int take_name(char const *spec, char *name, size_t cap) {
  char *from = strchr(spec, ':'), *to = from ? strchr(from + 1, ':') : NULL;
  if (to) snprintf(name, cap, "%.*s" VT_CONTROL_SUFFIX, (int)(to - from - 1), from + 1);
  return to ? 0 : -1;
}

/* socket_of finds the name of the collector's socket: what a recorder was told that came later, else in the
   environment of the process. */
static int socket_of(char const *pid, char *name, size_t cap) {
  char path[64], told[128], *variable = NULL;
  size_t room = 0;
  int found = 0;
  if (!vt_target_told(atoi(pid), VT_RING_ENV "=", told, sizeof told)) return take_name(told, name, cap);
  snprintf(path, sizeof path, "/proc/%.20s/environ", pid);
  FILE *file = fopen(path, "re");
  if (!file) return -1;
  while (!found && getdelim(&variable, &room, '\0', file) > 0)
    found = !strncmp(variable, VT_RING_ENV "=", sizeof VT_RING_ENV);
  fclose(file);
  errno = 0;
  int failed = found ? take_name(variable, name, cap) : -1;
  free(variable);
  return failed;
}

static int connect_to(char const *name) {
  struct sockaddr_un addr = {.sun_family = AF_UNIX};
  size_t len = strlen(name);
  struct timeval second = {.tv_sec = 1}; /* after which we look whether there will be an answer */
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || len > sizeof addr.sun_path - 1) return -1;
  memcpy(addr.sun_path + 1, name, len);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
  if (!connect(fd, (struct sockaddr *)&addr, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len))) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static pid_t peer_of(int fd) {
  struct ucred peer;
  socklen_t sz = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &sz) ? 0 : peer.pid;
}

/* say: not by dprintf, as the signal of a closed connection would end us. */
static int say(int fd, char const *pid, char const *command, char const *text) {
  char *line;
  int sz = asprintf(&line, "%s %s%s%s\n", pid, command, text ? " " : "", text ? text : "");
  if (sz < 0) return -1;
  ssize_t sent = send(fd, line, (size_t)sz, MSG_NOSIGNAL);
  free(line);
  return sent == sz ? 0 : -1;
}

/* take makes an answer of a line, a digit and a text. */
static void take(char *line, vt_answer_t *answer) {
  line[strcspn(line, "\n")] = '\0';
  int said = line[0] >= '0' && line[0] <= '9' && line[1], refused = line[0] == VT_CONTROL_REFUSED;
  answer->status = said && !refused ? line[0] - '0' : 1;
  answer->advice = refused ? OWNERS : "";
  snprintf(answer->text, sizeof answer->text, "%s", said ? line + 2 : "its collector gave no answer");
}

/* is_stopped: by a signal, so that it answers nobody until another one lets it go on. */
static int is_stopped(pid_t pid) {
  char path[32], line[512] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *file = fopen(path, "re");
  char const *p = file && fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
  if (file) fclose(file);
  return p && p[1] == ' ' && (p[2] == 'T' || p[2] == 't');
}

/* give_up makes it the answer that none comes. */
static void give_up(pid_t collector, vt_answer_t *answer) {
  int stopped = is_stopped(collector);
  answer->status = 1;
  answer->advice = stopped ? "`kill -CONT` that process" : "it may be waiting for a disk";
  snprintf(answer->text, sizeof answer->text, stopped ? "its collector, process %d, is stopped by a signal: it may do this when it goes on"
                                                      : "its collector, process %d, does not answer", (int)collector);
}

/* hear reads a line of `step` bytes at a time, and waits for it so many seconds. Returns 0; or -1: the collector has hung up
   before it took what was said, and has done nothing. */
static int hear(int fd, size_t step, int limit_s, vt_answer_t *answer) {
  char line[sizeof answer->text + 2];
  size_t n = 0;
  int stopped = 0;
  for (int waited = 0; n + 1 < sizeof line && !(n && line[n - 1] == '\n');) {
    size_t room = sizeof line - 1 - n;
    ssize_t got = read(fd, line + n, room < step ? room : step);
    if (got > 0) n += (size_t)got;
    if (got > 0 || (got < 0 && errno == EINTR)) continue;
    if (got < 0 && errno == ECONNRESET && !n) return -1;
    if (got == 0 || errno != EAGAIN) break;
    stopped = is_stopped(peer_of(fd)) ? stopped + 1 : 0;
    if (stopped > 1 || ++waited == limit_s) return give_up(peer_of(fd), answer), 0;
  }
  line[n] = '\0';
  take(line, answer);
  return 0;
}

/* speak says the line to the collector of a process. Returns the connection, or one of VT_ASK_… below 0 and *why. */
static int speak(char const *pid, char const *command, char const *text, char const **why) {
  char name[108];
  int found = !socket_of(pid, name, sizeof name), error = errno;
  int fd = found ? connect_to(name) : -1;
  if (fd < 0) {
    *why = found && errno == EAGAIN            ? "its collector does not answer"
           : found                             ? "its collector has ended"
           : error == EACCES || error == EPERM ? "its environment may not be read, as it is another user's or protects itself"
           : error == ENOENT || error == ESRCH ? "there is no such process"
           : error                             ? strerror(error)
                                               : "it is not recorded";
    return found || error ? VT_ASK_NOBODY : VT_ASK_NOT_RECORDED;
  }
  /* A collector waits for the line for a moment only: to whom it did not listen, it has done nothing. */
  for (int asked = 0; say(fd, pid, command, text) && asked < ASKED_MAX; asked++) {
    int again = connect_to(name);
    if (again < 0) break;
    close(fd);
    fd = again;
  }
  return fd;
}

int vt_control_ask(char const *pid, char const *command, char const *text, vt_answer_t *answer, char const **why) {
  int limit_s = strcmp(command, "snapshot") ? ANSWER_S : NO_LIMIT;
  *answer = (vt_answer_t){.status = 1, .text = "its collector gave no answer", .advice = ""};
  for (int asked = 0; asked < ASKED_MAX; asked++) {
    int fd = speak(pid, command, text, why);
    if (fd < 0) return fd;
    answer->collector = peer_of(fd);
    int unheard = hear(fd, SIZE_MAX, limit_s, answer);
    close(fd);
    if (!unheard) break;
  }
  return 0;
}

int vt_control_begin(char const *pid, char const *command, char const *text, vt_answer_t *answer, char const **why) {
  int fd = speak(pid, command, text, why);
  if (fd < 0) return -1;
  *answer = (vt_answer_t){.status = 1, .text = "its collector gave no answer", .advice = ""};
  hear(fd, 1, PATIENCE_S, answer);
  return fd;
}

void vt_control_hear(int connection, vt_answer_t *answer) {
  hear(connection, SIZE_MAX, NO_LIMIT, answer);
  close(connection);
}

char const *vt_control_advice(int result) {
  return result == VT_ASK_NOT_RECORDED ? "start it with `valtrace run`, or `valtrace attach` it"
                                       : "`valtrace ls` shows traces; " OWNERS;
}

void vt_control_tell(char const *pid, char const *command) {
  char const *why;
  int fd = speak(pid, command, NULL, &why);
  if (fd >= 0) close(fd);
}
