/* valtrace ctl: steers the recording of a running process through its collector (collector/control.h), whose socket the
   process's environment names. */
#include "analyzer/cli/cmd.h"
#include "analyzer/cli/options.h"
#include "analyzer/collector/ring.h"
#include "analyzer/util/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char const help[] =
    "usage: valtrace ctl PID snapshot|status|mark TEXT\n\n"
    "Steers the recording of process PID, by who records it or root.\n\n"
    "  snapshot     look at its memory now: which blocks are lost. Needs `run --snapshots`; the moment is\n"
    "               named by a marker, \"snapshot N\", for `report leaks --at`\n"
    "  status       say where its trace is and how many events it has\n"
    "  mark TEXT    set a marker of that name\n\n"
    "      --help   this text\n\n"
    "Exit status: 0 done, 1 not possible, 2 usage.\n";

static int usage_error(char const *what, char const *why) {
  vt_error_say(what, why, "see `valtrace ctl --help`");
  return VT_EXIT_USAGE;
}

/* socket_of finds the name of the collector's socket in the environment of a process: "FD:NAME:NONCE". */
static int socket_of(char const *pid, char *name, size_t cap) {
  char path[64], *variable = NULL;
  size_t room = 0;
  int found = 0;
  snprintf(path, sizeof path, "/proc/%.20s/environ", pid);
  FILE *file = fopen(path, "re");
  if (!file) return -1;
  while (!found && getdelim(&variable, &room, '\0', file) > 0)
    found = !strncmp(variable, VT_RING_ENV "=", sizeof VT_RING_ENV);
  fclose(file);
  errno = 0;
  char *from = found ? strchr(variable, ':') : NULL, *to = from ? strchr(from + 1, ':') : NULL;
  if (to) snprintf(name, cap, "%.*s" VT_CONTROL_SUFFIX, (int)(to - from - 1), from + 1);
  free(variable);
  return to ? 0 : -1;
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

/* ask sends one line and reads the answer; empty: there is none. */
static void ask(int fd, char const *pid, char const *command, char const *text, char *answer, size_t cap) {
  dprintf(fd, "%s %s%s%s\n", pid, command, text ? " " : "", text ? text : "");
  size_t n = 0;
  for (ssize_t got; n + 1 < cap && (got = read(fd, answer + n, cap - 1 - n)) > 0;) n += (size_t)got;
  answer[n] = '\0';
  answer[strcspn(answer, "\n")] = '\0';
}

int vt_cmd_ctl(int argc, char **argv) {
  char name[108], answer[4096];
  if (argc > 1 && !strcmp(argv[1], "--help")) return fputs(help, stdout) < 0 ? VT_EXIT_USAGE : VT_EXIT_OK;
  if (argc < 3) return usage_error("ctl", "needs a PID and a command");
  char const *pid = argv[1], *command = argv[2];
  if (!*pid || pid[strspn(pid, "0123456789")]) return usage_error(pid, "not the number of a process");
  int marks = !strcmp(command, "mark");
  if (!marks && strcmp(command, "snapshot") && strcmp(command, "status")) return usage_error(command, "no such command");
  if (argc != (marks ? 4 : 3)) return usage_error(command, marks ? "needs a text" : "takes nothing more");
  if (marks && (!*argv[3] || strchr(argv[3], '\n'))) return usage_error("mark", "needs a text of one line");
  int found = !socket_of(pid, name, sizeof name), error = errno;
  int fd = found ? connect_to(name) : -1;
  if (fd < 0) {
    vt_error_say(pid, found ? "its collector has ended" : error ? strerror(error) : "it is not recorded",
                 "start it with `valtrace run`");
    return 1;
  }
  ask(fd, pid, command, marks ? argv[3] : NULL, answer, sizeof answer);
  close(fd);
  if (answer[0] == '0' && answer[1]) return printf("%s\n", answer + 2) < 0 ? VT_EXIT_OUTPUT : VT_EXIT_OK;
  vt_error_say(pid, answer[0] ? answer + 2 : "no answer", "its recording belongs to who started it");
  return answer[0] == '2' ? VT_EXIT_USAGE : 1;
}
