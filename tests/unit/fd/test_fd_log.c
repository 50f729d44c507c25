/* Logging, identity, boot options and how a program ends: each case runs in a child whose stderr,
   log file and exit status are looked at. */

#include "fd/util/fd_util.h"
#include "tests/unit/tap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char err_text[65536], log_text[65536];
static char log_path[64];

static void slurp(int fd, char * text) {
  ulong sz;
  fd_io_read(fd, text, 65535UL, 65535UL, &sz);
  text[sz] = '\0';
  close(fd);
}

static ulong count(char const * text, char const * what) {
  ulong cnt = 0UL;
  for (char const * p = text; (p = strstr(p, what)); p++) cnt++;
  return cnt;
}

/* Boots in a child with some options and runs f there; its wait status. */
static int run(void (*f)(void), char const * opt, char const * val) {
  int pipe_fd[2], status = -1;
  char * args[] = {
      (char *)(ulong) "prog", (char *)(ulong) "--log-path", log_path, (char *)(ulong) "keep",
      (char *)(ulong)opt,     (char *)(ulong)val,           NULL};
  char ** argv = args;
  int argc = opt ? 6 : 4;
  unlink(log_path);
  if (pipe(pipe_fd)) return -1;
  fflush(stdout);
  pid_t pid = fork();
  if (!pid) {
    dup2(pipe_fd[1], STDERR_FILENO);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    fd_boot(&argc, &argv);
    if (argc != 2 || strcmp(argv[1], "keep")) _exit(99);
    f();
    fd_halt();
    _exit(0);
  }
  close(pipe_fd[1]);
  slurp(pipe_fd[0], err_text);
  waitpid(pid, &status, 0);
  slurp(open(log_path, O_RDONLY), log_text);
  return status;
}

static void all_levels(void) {
  FD_LOG_DEBUG(("one %d", 1));
  FD_LOG_INFO(("two"));
  FD_LOG_NOTICE(("three"));
  FD_LOG_WARNING(("four"));
}

static void repeat(void) {
  for (int i = 0; i < 100000; i++) FD_LOG_WARNING(("again and again"));
  FD_LOG_NOTICE(("other"));
}

static void repeat_little(void) {
  for (int i = 0; i < 200; i++) FD_LOG_WARNING(("again and again"));
}

static void end_err(void) { FD_LOG_ERR(("the end %d", 1)); }
static void end_crit(void) { FD_LOG_CRIT(("the end")); }
static void end_test(void) { FD_TEST(1 + 1 == 3); }
static void nothing(void) {}
static void hexdump(void) { FD_LOG_HEXDUMP_WARNING(("tag", "0123456789abcdefXYZ", 19UL)); }

static void count_tiles(void) {
  ulong cnt = fd_tile_cnt();
  FD_LOG_NOTICE(("tiles %lu cpu1 %lu", cnt, fd_tile_cpu_id(1UL)));
}

static int exits(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }

static void test_streams(void) {
  ok(exits(run(all_levels, NULL, NULL), 0), "exit status 0");
  ok(!count(err_text, "one") && !count(err_text, "two") && count(err_text, "three") == 1UL &&
         count(err_text, "four") == 1UL,
     "stderr from NOTICE");
  ok(!count(log_text, "one") && count(log_text, "two") == 1UL && count(log_text, "four") == 1UL,
     "log file from INFO");
  run(all_levels, "--log-level-stderr", "0");
  ok(count(err_text, "one 1") == 1UL, "--log-level-stderr");
  run(repeat, NULL, NULL);
  ok(count(err_text, "again") >= 3UL && count(err_text, "again") < 100UL &&
         count(err_text, "repeating (") && count(err_text, "other") == 1UL,
     "repeats are suppressed and counted");
  run(repeat_little, "--log-dedup", "0");
  ok(count(log_text, "again and again") == 200UL, "--log-dedup 0");
  run(hexdump, NULL, NULL);
  ok(count(err_text, "58 59 5a") == 1UL && count(err_text, "0123456789abcdef") == 1UL, "hex dump");
}

static void test_ends(void) {
  ok(exits(run(end_err, NULL, NULL), 1) && count(err_text, "the end 1") &&
         count(log_text, "the end 1"),
     "ERR: logged, exit 1");
  int status = run(end_crit, NULL, NULL);
  ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && count(err_text, "the end") &&
         count(err_text, "test_fd_log"),
     "CRIT: backtrace and abort");
  ok(exits(run(end_test, NULL, NULL), 1) && count(err_text, "FAIL: 1 + 1 == 3"), "FD_TEST");
}

static void test_tile_cpus(void) {
  static char const * const bad[] = {"x",  "0,",    ",0",    "0-",    "3-1",  "0,0",
                                     "f0", "1-2/0", "0-1,1", "f2000", "4096", "0h3"};
  run(count_tiles, "--tile-cpus", "f3");
  ok(count(err_text, "tiles 3 cpu1 18446744073709551614") == 1UL, "floating tiles");
  run(count_tiles, "--tile-cpus", "f,0,f2");
  ok(count(err_text, "tiles 4 cpu1 0") == 1UL, "a fixed one among them");
  int good = 1;
  for (ulong i = 0UL; i < sizeof(bad) / sizeof(bad[0]); i++) {
    if (exits(run(nothing, "--tile-cpus", bad[i]), 1)) continue;
    printf("# accepted: %s\n", bad[i]);
    good = 0;
  }
  ok(good, "malformed lists are errors");
}

static long fake_clock(void const * args) { return *(long const *)args; }

static void test_identity(void) {
  char b[FD_LOG_WALLCLOCK_CSTR_BUF_SZ];
  long t = 1234567890123456789L, before = fd_log_wallclock();
  ok(fd_log_group_id() == (ulong)getpid() && fd_log_user_id() == (ulong)getuid() &&
         fd_log_tid() == (ulong)getpid(),
     "ids");
  char const * name[6] = {fd_log_app(), fd_log_thread(), fd_log_host(),
                          fd_log_cpu(), fd_log_group(),  fd_log_user()};
  int good = 1;
  for (int i = 0; i < 6; i++) good &= name[i][0] && strlen(name[i]) < FD_LOG_NAME_MAX;
  ok(good, "names have a length");
  fd_log_thread_set("me");
  ok(!strcmp(fd_log_thread(), "me") && (fd_log_thread_set(NULL), !strcmp(fd_log_thread(), "0")),
     "thread name");
  setenv("TZ", "UTC+6", 1);
  is_str(fd_log_wallclock_cstr(t, b), "2009-02-13 17:31:30.123456789 GMT-06", "wallclock text");
  is_ulong(strlen(b) + 1UL, FD_LOG_WALLCLOCK_CSTR_BUF_SZ, "and its size");
  fd_log_wallclock_set(fake_clock, &t);
  ok(fd_log_wallclock() == t, "clock replaced");
  fd_log_wallclock_set(fd_log_wallclock_host, NULL);
  ok(fd_log_wait_until(before + 1000000L) >= before + 1000000L && !fd_log_sleep(-1L), "waiting");
}

static void test_query(void) {
  ok(fd_log_group_id_query(fd_log_group_id()) == FD_LOG_GROUP_ID_QUERY_LIVE, "oneself lives");
  ok(fd_log_group_id_query(0UL) == FD_LOG_GROUP_ID_QUERY_INVAL &&
         fd_log_group_id_query(ULONG_MAX) == FD_LOG_GROUP_ID_QUERY_INVAL,
     "no process id");
  pid_t pid = fork();
  if (!pid) {
    if (fd_log_group_id() != (ulong)getpid()) _exit(1);
    pause();
  }
  ok(fd_log_group_id_query((ulong)pid) == FD_LOG_GROUP_ID_QUERY_LIVE, "a child lives");
  kill(pid, SIGKILL);
  siginfo_t si;
  waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT);
  ok(fd_log_group_id_query((ulong)pid) == FD_LOG_GROUP_ID_QUERY_DEAD, "a zombie is dead");
  ok(si.si_code == CLD_KILLED, "the child knew its own id after fork");
  waitpid(pid, NULL, 0);
  ok(fd_log_group_id_query((ulong)pid) == FD_LOG_GROUP_ID_QUERY_DEAD, "so is one waited for");
}

int main(int argc, char ** argv) {
  fd_cstr_printf(log_path, sizeof(log_path), NULL, "/tmp/test_fd_log.%d", (int)getpid());
  test_streams();
  test_ends();
  test_tile_cpus();
  setenv("FD_LOG_PATH", "", 1);
  fd_boot(&argc, &argv);
  test_identity();
  test_query();
  fd_halt();
  unlink(log_path);
  return done_testing();
}
