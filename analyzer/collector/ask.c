/* See ask.h. */
#include "analyzer/collector/ask.h"
#include "analyzer/attach/target.h"
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

#define PATIENCE_S 2 /* of a process that stands meanwhile */
#define ASKED_MAX  20 /* a machine on which we do not come to speak so often is a hung one */

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
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || len > sizeof addr.sun_path - 1) return -1;
  memcpy(addr.sun_path + 1, name, len);
  if (!connect(fd, (struct sockaddr *)&addr, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len))) return fd;
  close(fd);
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
  int said = line[0] >= '0' && line[0] <= '9' && line[1];
  answer->status = said ? line[0] - '0' : 1;
  snprintf(answer->text, sizeof answer->text, "%s", said ? line + 2 : "no answer");
}

/* hear reads a line of `step` bytes at a time. */
static void hear(int fd, size_t step, vt_answer_t *answer) {
  char line[sizeof answer->text + 2];
  size_t n = 0;
  while (n + 1 < sizeof line && !(n && line[n - 1] == '\n')) {
    size_t room = sizeof line - 1 - n;
    ssize_t got = read(fd, line + n, room < step ? room : step);
    if (got <= 0) break;
    n += (size_t)got;
  }
  line[n] = '\0';
  take(line, answer);
}

/* speak says the line to the collector of a process. Returns the connection, or one of VT_ASK_… below 0 and *why. */
static int speak(char const *pid, char const *command, char const *text, char const **why) {
  char name[108];
  int found = !socket_of(pid, name, sizeof name), error = errno;
  int fd = found ? connect_to(name) : -1;
  if (fd < 0) {
    *why = found                                ? "its collector has ended"
           : error == EACCES || error == EPERM ? "its environment may not be read"
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
  int fd = speak(pid, command, text, why);
  if (fd < 0) return fd;
  answer->collector = peer_of(fd);
  vt_control_hear(fd, answer);
  return 0;
}

int vt_control_begin(char const *pid, char const *command, char const *text, vt_answer_t *answer, char const **why) {
  struct timeval patience = {.tv_sec = PATIENCE_S}, none = {0};
  int fd = speak(pid, command, text, why);
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  hear(fd, 1, answer);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  return fd;
}

void vt_control_hear(int connection, vt_answer_t *answer) {
  hear(connection, SIZE_MAX, answer);
  close(connection);
}

void vt_control_tell(char const *pid, char const *command) {
  char name[108];
  int fd = socket_of(pid, name, sizeof name) ? -1 : connect_to(name);
  if (fd < 0) return;
  (void)!say(fd, pid, command, NULL);
  close(fd);
}
