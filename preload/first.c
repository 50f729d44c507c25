/* See first.h. A process is told from another of its number by the moment it was started and by its
   namespace of process numbers, both in /proc: the moment alone is a clock tick, in which many start.
   Without /proc the number alone must do. */
#include "preload/first.h"
#include "preload/options.h"
#include "preload/process.h"
#include "core/trace/name.h"
#include "core/trace/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define VARIABLE    "VALTRACE_FIRST_PID="
#define SLACK_NS    1000000000 /* the wall clock may have been set right since */
#define START_FIELD 20         /* of /proc/PID/stat, counted from behind the name */

static uint32_t first_pid;
static uint64_t first_start; /* 0: not told */
static uint64_t first_space; /* 0: not told */

/* digits reads a decimal number and moves on. */
static uint64_t digits(char const **p) {
  uint64_t n = 0;
  for (; **p >= '0' && **p <= '9'; ++*p) n = 10 * n + (uint64_t)(**p - '0');
  return n;
}

static char *put_digits(char *out, uint64_t n) {
  char reversed[20];
  size_t cnt = 0;
  do reversed[cnt++] = (char)('0' + n % 10);
  while (n /= 10);
  while (cnt) *out++ = reversed[--cnt];
  *out = '\0';
  return out;
}

#define SELF 0

/* start_of is when the process was started, in clock ticks since the machine was; 0: no such
   process, or no /proc. SELF is this process, which in a namespace of its own /proc need not show
   under its number. The name, in parentheses, may have any characters. */
static uint64_t start_of(uint32_t pid) {
  char path[64], stat[512];
  char const *pattern = pid == SELF ? "/proc/self/stat" : "/proc/%p/stat";
  if (vt_name_expand(path, sizeof path, pattern, pid, "", "") < 0) return 0;
  size_t sz = vt_image_read(path, stat, sizeof stat - 1);
  stat[sz] = '\0';
  char const *p = strrchr(stat, ')');
  for (int field = 0; p && field < START_FIELD; field++) p = strchr(p + 1, ' ');
  if (!p) return 0;
  p++;
  return digits(&p);
}

/* unix_ns is the wall clock's time at so many ticks after the machine was started. */
static uint64_t unix_ns(uint64_t ticks) {
  uint64_t hz = getauxval(AT_CLKTCK);
  return vt_clock_ns(CLOCK_REALTIME) - vt_clock_ns(CLOCK_BOOTTIME) +
         ticks * (1000000000u / (hz ? hz : 100));
}

int vt_first_read(char const *value) {
  char const *p = value;
  uint64_t pid = digits(&p), start = *p == '.' ? (p++, digits(&p)) : 0,
           space = *p == '.' ? (p++, digits(&p)) : 0;
  if (!pid || pid > INT32_MAX || *p) return 0;
  first_pid = (uint32_t)pid;
  first_start = start;
  first_space = space;
  return 1;
}

int vt_first_known(void) { return first_pid != 0; }

int vt_first_is_me(void) {
  if ((uint32_t)vt_sys_getpid() != first_pid) return 0;
  if (first_start && first_start != start_of(SELF)) return 0;
  uint64_t space = first_space ? vt_sink_space() : 0;
  return !space || space == first_space;
}

/* add_to_environment appends to a copy: the program's own array has no room. */
static void add_to_environment(char *variable) {
  size_t cnt = 0;
  while (environ[cnt]) cnt++;
  char **copy = vt_sys_memory((cnt + 2) * sizeof *copy);
  if (!copy) return;
  memcpy(copy, environ, cnt * sizeof *copy);
  copy[cnt] = variable;
  environ = copy;
}

void vt_first_tell(void) {
  static char variable[sizeof VARIABLE + 60] = VARIABLE;
  first_pid = (uint32_t)vt_sys_getpid();
  first_start = start_of(SELF);
  first_space = vt_sink_space();
  char *end = put_digits(variable + sizeof VARIABLE - 1, first_pid);
  *end++ = '.';
  end = put_digits(end, first_start);
  *end++ = '.';
  put_digits(end, first_space);
  vt_options_inherit(variable);
  add_to_environment(variable);
}

/* lives: does the process that began a trace at that time still live? */
static int lives(uint32_t pid, uint64_t begun_unix_ns) {
  uint64_t start = start_of(pid);
  if (start) return unix_ns(start) <= begun_unix_ns + SLACK_NS;
  return vt_sys(SYS_kill, (int)pid, 0, 0, 0, 0, 0) != -ESRCH &&
         start_of(SELF) == 0;
}

vt_file_owner_t vt_first_owner(char const *path) {
  uint8_t head[VT_HEADER_OFF_STRINGS];
  uint32_t own = (uint32_t)vt_sys_getpid();
  int fd = vt_sys_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
  if (fd == -ENOENT) return VT_FILE_NONE;
  if (fd < 0) return VT_FILE_OLD;
  long sz = vt_sys_read(fd, head, sizeof head);
  vt_sys_close(fd);
  if (sz != (long)sizeof head || memcmp(head, VT_MAGIC, VT_MAGIC_SZ)) return VT_FILE_OLD;
  uint32_t pid = vt_load32(head + VT_HEADER_OFF_PID);
  if (!lives(pid, vt_load64(head + VT_HEADER_OFF_START_UNIX_NS))) return VT_FILE_OLD;
  return pid == own ? VT_FILE_OWN : VT_FILE_LIVE;
}
