/* The error paths of the util tables, and of the codec and alloc tables, that the programs of those
   topics leave out: what io returns for each way a call can fail, text that is no list of numbers,
   processes one may not ask about, regions nobody can make, join or leave, busy and missing tiles,
   the failed state of the codec on streams, and an alloc whose workspace is full. */

#include "api.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#define NORMAL FD_SHMEM_NORMAL_PAGE_SZ
#define NOBODY (65534U)

static char name[40], base[] = "/dev/shm/api_errorsXXXXXX";
static uchar *page; /* two pages, the second of which nobody may touch */

/* cstr and env
 * ************************************************************************************/

static void test_cstr(void) {
  char const *malformed[] = {",",
                             "1,,2",
                             "1-",
                             "1-2/",
                             "1-2:",
                             "1-2/x",
                             "1-2:0",
                             "5-1/1",
                             " ",
                             "1-2-3",
                             "1/2",
                             "x1",
                             "1;2",
                             ",1",
                             "- 1",
                             "1-2//",
                             "1,2-1,3",
                             "0-18446744073709551615",
                             "5,6,0-18446744073709551614"};
  ulong seq[2] = {7UL, 7UL};
  for (ulong i = 0UL; i < sizeof(malformed) / sizeof(malformed[0]); i++)
    ok(api_held(!fd_cstr_to_ulong_seq(malformed[i], NULL, 0UL), 0UL), "no list: %s", malformed[i]);
  SILENT(fd_cstr_to_ulong_seq("1-3,9", seq, 1UL) == 4UL && seq[0] == 1UL && seq[1] == 7UL);
  SILENT(fd_cstr_hash_append(77UL, NULL) == 77UL && fd_cstr_hash_append(77UL, "") == 77UL);
  char buf[4] = "xyz", text[] = "a,b,c", *tok[2] = {buf, buf};
  SILENT(fd_cstr_ncpy(buf, "abc", 0UL) == buf && !strcmp(buf, "xyz"));
  SILENT(!strcmp(fd_cstr_ncpy(buf, "abc", 1UL), "") && buf[1] == 'y' &&
         !strcmp(fd_cstr_ncpy(buf, "", 4UL), "") && !buf[3]);
  ulong len = 9UL;
  SILENT(fd_cstr_printf(buf, 1UL, &len, "%d", 5) == buf && !buf[0] && !len);
  SILENT(!fd_cstr_printf_check(buf, 1UL, &len, "x") && !len &&
         fd_cstr_printf_check(buf, 1UL, NULL, "%s", "") == 1);
  SILENT(fd_cstr_tokenize(tok, 1UL, text, ',') == 3UL && tok[0] == text && tok[1] == buf);
}

#define TYPED(T, what)                                                                             \
  SILENT(fd_env_strip_cmdline_##what(NULL, &argv, "--x", "API_E", (T)3) == (T)7 &&                 \
         fd_env_strip_cmdline_##what(&argc, NULL, "--x", NULL, (T)3) == (T)3 &&                    \
         fd_env_strip_cmdline_##what(&argc, &argv, NULL, "", (T)3) == (T)3 && argc == 4)

static void test_env(void) {
  char prog[] = "p", key[] = "--x", val[] = "5", *all[] = {prog, key, val, key, NULL};
  char **argv = all;
  int argc = 4;
  setenv("API_E", "7", 1);
  TYPED(schar, schar);
  TYPED(short, short);
  TYPED(int, int);
  TYPED(long, long);
  TYPED(uchar, uchar);
  TYPED(ushort, ushort);
  TYPED(uint, uint);
  TYPED(ulong, ulong);
  SILENT(fd_env_strip_cmdline_float(NULL, &argv, "--x", "API_E", 3.f) > 6.9f &&
         fd_env_strip_cmdline_double(&argc, NULL, "--x", NULL, 3.) < 3.1);
  SILENT(fd_env_strip_cmdline_char(&argc, &argv, NULL, "", 'c') == 'c' && argc == 4);
  SILENT(!fd_env_strip_cmdline_contains(NULL, &argv, "--x") &&
         !fd_env_strip_cmdline_contains(&argc, NULL, "--x") &&
         !fd_env_strip_cmdline_contains(&argc, &argv, NULL) && argc == 4);
  SILENT(fd_env_strip_cmdline_int(&argc, &argv, "--x", "API_E", 3) == 5 && argc == 1 && !argv[1]);
}

/* io
 * **********************************************************************************************/

static void on_alarm(int sig) { (void)sig; }

/* Signals every two milliseconds that interrupt system calls, or none any more. */
static void alarms(int on) {
  struct sigaction act = {.sa_handler = on_alarm};
  struct itimerval every = {{0, on ? 2000 : 0}, {0, on ? 2000 : 0}};
  sigaction(SIGALRM, &act, NULL);
  setitimer(ITIMER_REAL, &every, NULL);
}

/* Writes a byte to the pipe from another process, a little later. */
static pid_t late_writer(int fd) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid) return pid;
  struct timespec ts = {0, 10000000L};
  nanosleep(&ts, NULL);
  _exit(write(fd, "x", 1UL) != 1L);
}

/* Interrupted and not ready are no errors to one who wants a byte. */
static void test_io_waits(void) {
  ulong sz;
  char c = '\0';
  int fd[2];
  for (int nonblock = 0; nonblock < 2; nonblock++) {
    IS(!pipe2(fd, nonblock ? O_NONBLOCK : 0));
    pid_t pid = late_writer(fd[1]);
    alarms(!nonblock);
    int err = fd_io_read(fd[0], &c, 1UL, 1UL, &sz);
    alarms(0);
    ok(api_held(!err && sz == 1UL && c == 'x', 0UL), "waits for a byte, nonblock %d", nonblock);
    waitpid(pid, NULL, 0);
    close(fd[0]);
    close(fd[1]);
  }
}

static void test_io_read(void) {
  ulong sz = 9UL;
  uchar buf[8];
  int fd[2], dir = open(base, O_RDONLY), file = memfd_create("f", 0U);
  IS(!pipe2(fd, O_DIRECT) && write(fd[1], "abcd", 4UL) == 4L && write(fd[1], "efgh", 4UL) == 4L);
  SILENT(fd_io_read(fd[0], page + 4092, 8UL, 8UL, &sz) == EFAULT && !sz); /* after 4 bytes */
  IS(!memcmp(page + 4092, "abcd", 4UL) && (sz = 9UL));
  SILENT(fd_io_read(dir, buf, 0UL, 8UL, &sz) == EISDIR && !sz && (sz = 9UL));
  SILENT(fd_io_read(fd[1], buf, 1UL, 8UL, &sz) == EBADF && !sz && (sz = 9UL));
  SILENT(fd_io_read(file, buf, 0UL, 8UL, &sz) < 0 && !sz && (sz = 9UL)); /* an empty file */
  SILENT(fd_io_read(file, buf, 1UL, 8UL, &sz) < 0 && !sz && (sz = 9UL));
  SILENT(!fd_io_read(-1, NULL, 0UL, 0UL, &sz) && !sz);
  close(fd[0]);
  close(fd[1]);
  close(dir);
  close(file);
}

static void write_limited(void *arg) {
  struct rlimit limit = {6UL, 6UL};
  ulong sz = 9UL;
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  int err = fd_io_write(*(int *)arg, "0123456789", 10UL, 10UL, &sz); /* six bytes, then not */
  _exit(err == EFBIG && !sz && fd_io_truncate(*(int *)arg, 10UL) == EFBIG ? 0 : 1);
}

static void test_io_write(void) {
  ulong sz = 9UL, total;
  int fd[2], full = open("/dev/full", O_WRONLY), file = open(base, O_TMPFILE | O_RDWR, 0600);
  int ro = open("/dev/null", O_RDONLY);
  IS(!pipe2(fd, O_NONBLOCK));
  while (!fd_io_write(fd[1], page, 0UL, 4096UL, &sz)) {
  }
  SILENT(fd_io_write(fd[1], page, 0UL, 4096UL, &sz) == EAGAIN && !sz && (sz = 9UL));
  close(fd[0]);
  signal(SIGPIPE, SIG_IGN);
  SILENT(fd_io_write(fd[1], page, 1UL, 1UL, &sz) == EPIPE && !sz && (sz = 9UL));
  SILENT(fd_io_write(full, page, 1UL, 1UL, &sz) == ENOSPC && !sz && (sz = 9UL));
  SILENT(fd_io_write(ro, page, 1UL, 1UL, &sz) == EBADF && !sz && (sz = 9UL));
  SILENT(fd_io_write(file, page + 4096, 1UL, 1UL, &sz) == EFAULT && !sz);
  SILENT(!fd_io_write(-1, NULL, 0UL, 0UL, &sz) && !sz);
  int status = api_child(write_limited, &file);
  SILENT(!status && !fd_io_sz(file, &total) && total == 6UL);
  SILENT(fd_io_truncate(file, ULONG_MAX) == EINVAL && fd_io_truncate(ro, 1UL) == EINVAL &&
         fd_io_truncate(-1, 0UL) == EBADF && fd_io_sz(-1, &sz) == EBADF);
  close(fd[1]);
  close(full);
  close(file);
  close(ro);
}

static void test_io_seek_map(void) {
  ulong x = 9UL, sz = 9UL;
  int fd[2], file = open(base, O_TMPFILE | O_RDWR, 0600);
  char path[64];
  IS(!pipe2(fd, 0) && write(file, "abc", 3UL) == 3L);
  SILENT(fd_io_seek(fd[0], 0L, FD_IO_SEEK_TYPE_CUR, &x) == ESPIPE && !x && (x = 9UL));
  SILENT(fd_io_seek(-1, 0L, FD_IO_SEEK_TYPE_SET, &x) == EBADF && !x && (x = 9UL));
  SILENT(fd_io_seek(file, -1L, FD_IO_SEEK_TYPE_SET, &x) == EINVAL && !x && (x = 9UL));
  SILENT(fd_io_seek(file, -4L, FD_IO_SEEK_TYPE_END, &x) == EINVAL && !x && (x = 9UL));
  SILENT(fd_io_seek(file, 0L, 3, &x) == EINVAL && !x && (x = 9UL));
  SILENT(fd_io_seek(file, 0L, -1, &x) == EINVAL && !x);
  SILENT(!fd_io_seek(file, 0L, FD_IO_SEEK_TYPE_CUR, &x) && x == 3UL); /* all without effect */
  fd_cstr_printf(path, sizeof(path), NULL, "/proc/self/fd/%d", file);
  int ro = open(path, O_RDONLY), wo = open(path, O_WRONLY);
  void *mmio = page;
#define MAP_FAILS(fd, mode, err)                                                                   \
  SILENT(fd_io_mmio_init(fd, mode, &mmio, &sz) == (err) && !mmio && !sz && (mmio = page) &&        \
         (sz = 9UL))
  MAP_FAILS(ro, FD_IO_MMIO_MODE_READ_WRITE, EACCES);
  MAP_FAILS(wo, FD_IO_MMIO_MODE_READ_ONLY, EACCES);
  MAP_FAILS(-1, FD_IO_MMIO_MODE_READ_ONLY, EBADF);
  MAP_FAILS(file, 2, EINVAL);
  MAP_FAILS(file, -1, EINVAL);
  close(ro);
  close(wo);
  close(file);
  close(fd[0]);
  close(fd[1]);
}

static void test_io_buffered(void) {
  uchar buf[16], mem[4];
  fd_io_buffered_istream_t in[1];
  fd_io_buffered_ostream_t out[1];
  int full = open("/dev/full", O_WRONLY), dir = open(base, O_RDONLY), file = memfd_create("f", 0U);
  IS(write(file, "abc", 3UL) == 3L && !lseek(file, 0, SEEK_SET));
  fd_io_buffered_ostream_init(out, full, mem, 4UL);
  SILENT(!fd_io_buffered_ostream_write(out, "ab", 2UL) &&
         fd_io_buffered_ostream_write(out, "cdefg", 5UL) == ENOSPC);
  fd_io_buffered_ostream_init(out, full, mem, 4UL);
  SILENT(fd_io_buffered_ostream_write(out, "abcdefg", 7UL) == ENOSPC);
  fd_io_buffered_ostream_init(out, full, mem, 4UL);
  SILENT(!fd_io_buffered_ostream_write(out, "ab", 2UL) &&
         fd_io_buffered_ostream_flush(out) == ENOSPC);
  fd_io_buffered_ostream_fini(out);
  fd_io_buffered_istream_init(in, dir, mem, 4UL);
  SILENT(fd_io_buffered_istream_read(in, buf, 2UL) == EISDIR &&
         fd_io_buffered_istream_read(in, buf, 9UL) == EISDIR &&
         fd_io_buffered_istream_skip(in, 2UL) == EISDIR &&
         fd_io_buffered_istream_fetch(in) == EISDIR && !fd_io_buffered_istream_peek_sz(in));
  fd_io_buffered_istream_init(in, file, mem, 4UL);
  SILENT(!fd_io_buffered_istream_read(in, buf, 2UL) &&
         fd_io_buffered_istream_read(in, buf, 2UL) < 0);
  fd_io_buffered_istream_init(in, file, mem, 4UL);
  SILENT(fd_io_buffered_istream_fetch(in) < 0 && fd_io_buffered_istream_skip(in, 1UL) < 0 &&
         fd_io_buffered_istream_read(in, buf, 16UL) < 0 && !fd_io_buffered_istream_skip(in, 0UL));
  fd_io_buffered_istream_fini(in);
  int good = 1;
  for (int err = -200; err < 400; err++) good &= fd_io_strerror(err) && fd_io_strerror(err)[0];
  SILENT(good && fd_io_strerror(INT_MAX) && !strcmp(fd_io_strerror(INT_MIN), fd_io_strerror(-1)) &&
         strcmp(fd_io_strerror(ENOENT), fd_io_strerror(-1)));
  close(full);
  close(dir);
  close(file);
}

/* log and boot
 * ************************************************************************************/

/* Gives root's rights up; 0 where there were none. */
static int become_nobody(void) { return !geteuid() && !setgid(NOBODY) && !setuid(NOBODY); }

static void query_others(void *arg) {
  (void)arg;
  ulong other = become_nobody() ? (ulong)getppid() : 1UL;
  int may = !kill((pid_t)other, 0) || errno != EPERM; /* a container whose first process is ours */
  _exit(may ? 2 : fd_log_group_id_query(other) != FD_LOG_GROUP_ID_QUERY_PERM);
}

static void test_log(void) {
  char thread[40], cpu[40];
  int status = api_child(query_others, NULL);
  ok(status == 0 || status == 2 << 8, "a process of another user: PERM%s",
     status ? " (there is none to ask about)" : "");
  ulong const no_id[] = {0UL, 1UL << 31, (1UL << 32) + 1UL, (1UL << 32) + (ulong)getpid(),
                         ULONG_MAX};
  for (ulong i = 0UL; i < 5UL; i++)
    SILENT(fd_log_group_id_query(no_id[i]) == FD_LOG_GROUP_ID_QUERY_INVAL);
  SILENT(fd_log_group_id_query(INT_MAX) == FD_LOG_GROUP_ID_QUERY_DEAD); /* beyond any there is */
  strcpy(thread, fd_log_thread());
  strcpy(cpu, fd_log_cpu());
  for (int null = 0; null < 2; null++) {
    fd_log_thread_set("t");
    fd_log_cpu_set("0123456789012345678901234567890123456789");
    SILENT(!strcmp(fd_log_thread(), "t") && strlen(fd_log_cpu()) == 39UL);
    fd_log_thread_set(null ? NULL : "");
    fd_log_cpu_set(null ? NULL : "");
    SILENT(!strcmp(fd_log_thread(), thread) && !strcmp(fd_log_cpu(), cpu));
  }
  long hours = 3600L * 1000000000L;
  alarms(1);
  long rest = fd_log_sleep(1000L * hours);
  alarms(0);
  SILENT(rest > 999L * hours && rest < 1000L * hours); /* what was left when it was interrupted */
  SILENT(fd_log_sleep(LONG_MIN) == 0L && fd_log_wait_until(LONG_MIN) > 0L);
}

typedef struct {
  char const *option;
  char const *value;
} option_t;

/* Boots anew without rights and exits with the number of tiles. */
static void boot_nobody(void *arg) {
  option_t const *o = (option_t const *)arg;
  char prog[] = "p", opt[40], val[80], *all[] = {prog, opt, val, NULL}, **argv = all;
  int argc = 3;
  fd_halt();
  fd_cstr_ncpy(opt, o->option, sizeof(opt));
  fd_cstr_ncpy(val, o->value, sizeof(val));
  setenv("FD_LOG_PATH", "", 1);
  become_nobody();
  fd_boot(&argc, &argv);
  int cnt = (int)fd_tile_cnt();
  fd_halt();
  _exit(cnt);
}

static void test_boot(void) {
  char one[40];
  fd_cstr_printf(one, sizeof(one), NULL, "%lu,f", fd_log_cpu_id());
  int status = api_child(boot_nobody, &(option_t){"--tile-cpus", one});
  ok(status == 2 << 8 && !strstr(api_log_text, "ERR "), "no right to a priority is no error");
  if (fd_shmem_cpu_cnt() < 1000UL) {
    status = api_child(boot_nobody, &(option_t){"--tile-cpus", "1000,f,1001"});
    ok(status == 3 << 8 && strstr(api_log_text, "WARNING ") && !strstr(api_log_text, "ERR "),
       "cpus that are not there: warnings only");
  }
  char const *bad[] = {"1024", "0-1024", "f1025", "f1024,f", "ff",
                       "0h1",  "h",      "0-f",   "0,,1",    "0/2,f",
                       "0:2",  "f0",     "f-1",   "-",       "/",
                       ",",    "f,",     "0-2:0", "0-1,1h",  "18446744073709551616"};
  for (ulong i = 0UL; i < sizeof(bad) / sizeof(bad[0]); i++) {
    status = api_child(boot_nobody, &(option_t){"--tile-cpus", bad[i]});
    ok(status == 1 << 8 && strstr(api_log_text, "ERR "), "--tile-cpus %s: ERR", bad[i]);
  }
  status = api_child(boot_nobody, &(option_t){"--log-path", "/no/such/dir/log"});
  ok(status == 1 << 8 && strstr(api_log_text, "ERR "), "a log file that cannot be made: ERR");
}

/* shmem
 * *******************************************************************************************/

static ulong const one[2] = {1UL, 0UL}, none[2] = {0UL, 0UL}, cpu0[2] = {0UL, 0UL};
static ulong const sum_wraps[2] = {ULONG_MAX, 2UL}, bytes_wrap[1] = {1UL << 52};
static ulong const too_large[1] = {1UL << 51}, both[2] = {1UL, 1UL};
static ulong no_cpu[2], no_second_cpu[2];

static struct {
  char const *what;
  int of_pages; /* what acquire checks as well */
  char const *name;
  ulong page_sz, sub_cnt;
  ulong const *page_cnt, *cpu;
  ulong mode;
} const bad_region[] = {
    {"NULL name", 0, NULL, NORMAL, 1UL, one, cpu0, 0600UL},
    {"empty name", 0, "", NORMAL, 1UL, one, cpu0, 0600UL},
    {"name with a slash", 0, "a/b", NORMAL, 1UL, one, cpu0, 0600UL},
    {"long name", 0, "a123456789b123456789c123456789d123456789", NORMAL, 1UL, one, cpu0, 0600UL},
    {"mode", 0, name, NORMAL, 1UL, one, cpu0, 1UL << 32},
    {"mode ULONG_MAX", 0, name, NORMAL, 1UL, one, cpu0, ULONG_MAX},
    {"page size 0", 1, name, 0UL, 1UL, one, cpu0, 0600UL},
    {"page size 8192", 1, name, 8192UL, 1UL, one, cpu0, 0600UL},
    {"no parts", 1, name, NORMAL, 0UL, one, cpu0, 0600UL},
    {"NULL counts", 1, name, NORMAL, 1UL, NULL, cpu0, 0600UL},
    {"NULL cpus", 1, name, NORMAL, 1UL, one, NULL, 0600UL},
    {"no pages", 1, name, NORMAL, 2UL, none, cpu0, 0600UL},
    {"page counts overflow", 1, name, NORMAL, 2UL, sum_wraps, cpu0, 0600UL},
    {"bytes overflow", 1, name, NORMAL, 1UL, bytes_wrap, cpu0, 0600UL},
    {"bytes are no off_t", 1, name, NORMAL, 1UL, too_large, cpu0, 0600UL},
    {"no such cpu", 1, name, NORMAL, 1UL, one, no_cpu, 0600UL},
    {"no such second cpu", 1, name, NORMAL, 2UL, both, no_second_cpu, 0600UL},
};

static void test_region_args(void) {
  IS(!fd_shmem_create("there", NORMAL, 2UL, 0UL, 0640UL));
  for (ulong i = 0UL; i < sizeof(bad_region) / sizeof(bad_region[0]); i++) {
    char const *n = bad_region[i].name;
    ulong page_sz = bad_region[i].page_sz, sub_cnt = bad_region[i].sub_cnt;
    ulong const *cnt = bad_region[i].page_cnt, *cpu = bad_region[i].cpu;
    int err = fd_shmem_create_multi(n, page_sz, sub_cnt, cnt, cpu, bad_region[i].mode);
    ok(api_held(err == EINVAL, 1UL), "create, %s: EINVAL", bad_region[i].what);
    if (n == name) n = "there";
    err = fd_shmem_update_multi(n, page_sz, sub_cnt, cnt, cpu, bad_region[i].mode);
    ok(api_held(err == EINVAL, 1UL), "update, %s: EINVAL", bad_region[i].what);
    if (!bad_region[i].of_pages) continue;
    void *mem = fd_shmem_acquire_multi(page_sz, sub_cnt, cnt, cpu);
    ok(api_held(!mem, 1UL), "acquire, %s: NULL, logs", bad_region[i].what);
  }
  fd_shmem_info_t info;
  SILENT(fd_shmem_info(name, 0UL, &info) == ENOENT && !fd_shmem_info("there", 0UL, &info) &&
         info.page_cnt == 2UL);
  LOGS(fd_shmem_update_multi(name, NORMAL, 1UL, one, cpu0, 0600UL) == ENOENT);
  void *mem = fd_shmem_acquire_multi(NORMAL, 2UL, one, no_second_cpu); /* of an empty part */
  SILENT(mem && !fd_shmem_release(mem, NORMAL, 1UL));
  LOGS(!fd_shmem_acquire(NORMAL, 1UL << 46, 0UL)); /* more than there are addresses */
  LOGS(!fd_shmem_acquire(FD_SHMEM_GIGANTIC_PAGE_SZ, 1UL << 32, 0UL));
}

static void test_region_looks(void) {
  fd_shmem_info_t info = {7UL, 8UL};
  char const *no_name[] = {NULL, "", "a/b", "_a"};
  for (ulong i = 0UL; i < 4UL; i++) {
    LOGS(fd_shmem_info(no_name[i], 0UL, &info) == EINVAL);
    LOGS(fd_shmem_unlink(no_name[i], NORMAL) == EINVAL);
    LOGS(!fd_shmem_join(no_name[i], 1, 1, NULL, NULL, NULL));
    SILENT(fd_shmem_join_query_by_name(no_name[i], NULL) == EINVAL);
  }
  LOGS(fd_shmem_info("there", 8192UL, &info) == EINVAL);
  LOGS(fd_shmem_unlink("there", 0UL) == EINVAL);
  LOGS(fd_shmem_unlink("missing", NORMAL) == ENOENT);
  LOGS(!fd_shmem_join("there", -1, 1, NULL, NULL, NULL));
  SILENT(fd_shmem_info("missing", 0UL, &info) == ENOENT && info.page_sz == 7UL &&
         info.page_cnt == 8UL && fd_shmem_info("there", FD_SHMEM_HUGE_PAGE_SZ, &info) == ENOENT);
  SILENT(!fd_shmem_iter_begin() && !fd_shmem_iter_next(NULL) && fd_shmem_iter_done(NULL) == 1);
  SILENT(fd_shmem_join_query_by_addr(NULL, 0UL, NULL) == ENOENT &&
         fd_shmem_join_query_by_addr((void *)ULONG_MAX, 0UL, NULL) == ENOENT &&
         fd_shmem_join_query_by_addr(NULL, ULONG_MAX, NULL) == ENOENT &&
         fd_shmem_join_query_by_addr((void *)(ulong)-8L, 8UL, NULL) == ENOENT &&
         fd_shmem_join_query_by_addr((void *)1, ULONG_MAX, NULL) == ENOENT &&
         fd_shmem_join_query_by_addr((void *)2, ULONG_MAX, NULL) == EINVAL);
  SILENT(fd_shmem_name_len("a\xff") == 0UL && fd_shmem_name_len("a\t") == 0UL);
  SILENT(!strcmp(fd_shmem_page_sz_to_cstr(0UL), "unknown") &&
         !strcmp(fd_shmem_page_sz_to_cstr(ULONG_MAX), "unknown") &&
         !strcmp(fd_shmem_lg_page_sz_to_cstr(0), "unknown") &&
         !strcmp(fd_shmem_lg_page_sz_to_cstr(INT_MIN), "unknown"));
}

/* A region that is there, and that this process may not read; nothing comes of a full limit. */
static void join_forbidden(void *arg) {
  (void)arg;
  int good = 1;
  if (become_nobody()) {
    good &= !fd_shmem_join("forbidden", 1, 1, NULL, NULL, NULL) && api_logged() == 1UL;
    good &= fd_shmem_info("forbidden", 0UL, NULL) == EACCES && api_logged() == 1UL;
    good &= !fd_shmem_join("read-only", 1, 1, NULL, NULL, NULL) && api_logged() == 1UL;
    good &= !!fd_shmem_join("read-only", 0, 1, NULL, NULL, NULL) && api_logged() == 0UL;
    good &= fd_shmem_unlink("read-only", NORMAL) == EACCES && api_logged() == 1UL;
  }
  _exit(!good);
}

static void create_limited(void *arg) {
  struct rlimit limit = {4096UL, 4096UL};
  (void)arg;
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &limit);
  int good = fd_shmem_create(name, NORMAL, 2UL, 0UL, 0600UL) == EFBIG && api_logged() == 1UL &&
             fd_shmem_info(name, 0UL, NULL) == ENOENT &&
             fd_shmem_update("there", NORMAL, 3UL, 0UL, 0600UL) == EFBIG && api_logged() == 1UL &&
             fd_wksp_new_named(name, NORMAL, 1UL, &(ulong){2UL}, cpu0, 0600UL, 0U, 0UL) ==
                 FD_WKSP_ERR_FAIL &&
             api_logged() == 1UL && fd_shmem_info(name, 0UL, NULL) == ENOENT;
  _exit(!good);
}

static void test_refused_by_system(void) {
  IS(!chmod(base, 0755) && !fd_shmem_create("forbidden", NORMAL, 1UL, 0UL, 0600UL) &&
     !fd_shmem_create("read-only", NORMAL, 1UL, 0UL, 0644UL));
  IS(!api_child(join_forbidden, NULL));
  IS(!api_child(create_limited, NULL));
  SILENT(!fd_shmem_unlink("forbidden", NORMAL) && !fd_shmem_unlink("read-only", NORMAL));
}

static void test_anonymous(void) {
  uchar *mem = (uchar *)fd_shmem_acquire(NORMAL, 4UL, 0UL);
  fd_shmem_join_info_t info, kept;
  memset(&info, 0x5a, sizeof(info));
  kept = info;
  uchar *there = (uchar *)fd_shmem_join("there", 1, 1, NULL, NULL, NULL);
  LOGS(fd_shmem_join_anonymous("there", 1, mem, mem, NORMAL, 1UL) == EINVAL); /* joined by name */
  LOGS(fd_shmem_join_anonymous("b", 1, there, mem, NORMAL, 1UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous("b", 1, mem, there + NORMAL, NORMAL, 1UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous("b", -1, mem, mem, NORMAL, 1UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous("b", 1, mem, mem, 0UL, 1UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous("b", 1, mem, (void *)(ulong)-4096L, NORMAL, 2UL) == EINVAL);
  LOGS(fd_shmem_join_anonymous("", 1, mem, mem, NORMAL, 1UL) == EINVAL);
  LOGS(fd_shmem_leave_anonymous(there, &info) == EINVAL); /* not anonymous */
  LOGS(fd_shmem_leave_anonymous(mem, &info) == EINVAL);
  SILENT(!fd_shmem_join_anonymous("b", 0, mem + 7, mem, NORMAL, 4UL));
  LOGS(fd_shmem_leave_anonymous(mem, &info) == EINVAL); /* the memory is not the join */
  LOGS(fd_shmem_leave(mem, NULL, NULL));
  SILENT(fd_shmem_join_query_by_join(mem, &info) == ENOENT && !memcmp(&info, &kept, sizeof(info)));
  SILENT(!fd_shmem_leave_anonymous(mem + 7, NULL) && !fd_shmem_leave(there, NULL, NULL));
  SILENT(!fd_shmem_iter_begin());
  LOGS(fd_shmem_leave(there, NULL, NULL)); /* unmapped by now */
  LOGS(fd_shmem_release(mem, 0UL, 4UL) == -1);
  LOGS(fd_shmem_release(mem, 8192UL, 2UL) == -1);
  LOGS(fd_shmem_release(mem, NORMAL, 0UL) == -1);
  LOGS(fd_shmem_release(mem + 1, NORMAL, 1UL) == -1);
  LOGS(fd_shmem_release(mem, NORMAL, ULONG_MAX) == -1);
  IS(fd_shmem_numa_validate(mem, NORMAL, 0UL, 0UL) == EINVAL &&
     fd_shmem_numa_validate(mem, NORMAL, ULONG_MAX, 0UL) == EINVAL &&
     fd_shmem_numa_validate(mem, NORMAL, 4UL, ULONG_MAX) == EINVAL &&
     fd_shmem_numa_validate(page, NORMAL, 2UL, 0UL) > 0); /* the second may not be touched */
  mem[0] = 1;                                             /* still there */
  api_logged();
  SILENT(!fd_shmem_release(mem, NORMAL, 4UL));
}

/* Tiles and pools
 * *********************************************************************************/

static uchar pool_mem[FD_TPOOL_FOOTPRINT(8UL)] __attribute__((aligned(FD_TPOOL_ALIGN)));
static fd_tpool_t *pool;

static int push_self(int argc, char **argv) {
  (void)argv;
  return !fd_tpool_worker_push(pool, fd_tile_idx()) && !fd_tpool_worker_push(pool, 0UL) ? argc : -1;
}

static int task(int argc, char **argv) { return (void)argv, argc; }

static void test_tiles(void) {
  int ret = 0;
  SILENT(fd_tile_cpu_id(3UL) == ULONG_MAX && fd_tile_cpu_id(ULONG_MAX) == ULONG_MAX);
  SILENT(!fd_tile_exec_by_id_new(fd_tile_id0(), task, 0, NULL) &&
         !fd_tile_exec_by_id_new(fd_tile_id1(), task, 0, NULL) &&
         !fd_tile_exec_by_id_new(fd_tile_id0() - 1UL, task, 0, NULL) &&
         !fd_tile_exec_new(3UL, task, 0, NULL));
  SILENT(!fd_tile_exec(0UL) && !fd_tile_exec(3UL) && !fd_tile_exec(1UL) &&
         !fd_tile_exec_by_id(fd_tile_id1()));
  pool = fd_tpool_init(pool_mem, 8UL, 0UL);
  fd_tile_exec_t *exec = fd_tile_exec_new(1UL, push_self, 6, NULL);
  IS(!fd_tile_exec_delete(exec, &ret) && ret == 6 && api_logged() == 2UL);
  LOGS(!fd_tpool_worker_push(pool, ULONG_MAX));
  LOGS(!fd_tpool_worker_push(NULL, 0UL));
  SILENT(fd_tpool_worker_cnt(pool) == 1UL && fd_tpool_worker_push(pool, 2UL) == pool &&
         !fd_tile_exec_new(2UL, task, 0, NULL)); /* a worker is busy */
  LOGS(!fd_tpool_init(pool_mem, ULONG_MAX, 0UL));
  LOGS(!fd_tpool_init(pool_mem + 1, 1UL, 0UL));
  SILENT(!fd_tpool_footprint(ULONG_MAX) && !fd_tpool_footprint(FD_TILE_MAX + 1UL) &&
         fd_tpool_fini(pool) == pool_mem);
}

/* Codec
 * *******************************************************************************************/

static fd_checkpt_t ckpt_mem[1];
static fd_restore_t restore_mem[1];
static uchar stream_buf[FD_CHECKPT_WBUF_MIN], data[1UL << 18];

/* A stream on fd: what its calls return until one fails, and it stays failed. */
static void test_codec_stream(void) {
  ulong off;
  int full = open("/dev/full", O_WRONLY), ro = open("/dev/null", O_RDONLY);
  for (int style = 1; style < 2 + FD_HAS_LZ4; style++) {
    for (int fd = 0; fd < 2; fd++) {
      fd_checkpt_t *c =
          fd_checkpt_init_stream(ckpt_mem, fd ? ro : full, stream_buf, sizeof(stream_buf));
      IS(c && !fd_checkpt_open(c, style) && !fd_checkpt_data(c, data, 10UL));
      SILENT(fd_checkpt_close_advanced(c, &off) == FD_CHECKPT_ERR_IO && !fd_checkpt_can_open(c) &&
             !fd_checkpt_in_frame(c) && fd_checkpt_open(c, style) == FD_CHECKPT_ERR_INVAL &&
             fd_checkpt_fini(c) == c);
    }
    fd_restore_t *r = fd_restore_init_stream(restore_mem, full, stream_buf, sizeof(stream_buf));
    IS(r && !fd_restore_open(r, style));
    SILENT(fd_restore_data(r, data, 10UL) == FD_CHECKPT_ERR_IO && !fd_restore_can_open(r) &&
           !fd_restore_in_frame(r) && fd_restore_seek(r, 0UL) == FD_CHECKPT_ERR_INVAL &&
           fd_restore_fini(r) == r);
    r = fd_restore_init_mmio(restore_mem, data, 0UL);
    IS(r && !fd_restore_open(r, style));
    SILENT(fd_restore_meta(r, data, 1UL) == FD_CHECKPT_ERR_IO && !fd_restore_can_open(r));
  }
  close(full);
  close(ro);
}

#define FAILS(err, call)                                                                           \
  do {                                                                                             \
    fd_restore_t *r = fd_restore_init_mmio(restore_mem, data, 100UL);                              \
    SILENT((call) == (err) && !fd_restore_can_open(r) && !fd_restore_in_frame(r) &&                \
           fd_restore_open(r, 1) == FD_CHECKPT_ERR_INVAL && fd_restore_fini(r) == r);              \
  } while (0)

static void test_codec_states(void) {
  ulong off;
  FAILS(FD_CHECKPT_ERR_INVAL, fd_restore_open(r, 1) ? 0 : fd_restore_open(r, 1));
  FAILS(FD_CHECKPT_ERR_INVAL, fd_restore_open(r, 1) ? 0 : fd_restore_close_advanced(r, NULL));
  FAILS(FD_CHECKPT_ERR_INVAL, fd_restore_open(r, 1) ? 0 : fd_restore_meta(r, NULL, 1UL));
  FAILS(FD_CHECKPT_ERR_INVAL, fd_restore_data(r, NULL, 0UL));
  FAILS(FD_CHECKPT_ERR_INVAL, fd_restore_meta(r, data, 1UL));
  FAILS(FD_CHECKPT_ERR_UNSUP, fd_restore_open(r, 3));
  FAILS(FD_CHECKPT_ERR_UNSUP, fd_restore_open(r, -1));
  FAILS(FD_CHECKPT_ERR_INVAL, fd_restore_seek(r, ULONG_MAX));
  if (!FD_HAS_LZ4) FAILS(FD_CHECKPT_ERR_UNSUP, fd_restore_open(r, 2));
  SILENT(fd_restore_open(NULL, 1) == FD_CHECKPT_ERR_INVAL &&
         fd_restore_close(NULL) == FD_CHECKPT_ERR_INVAL &&
         fd_checkpt_close(NULL) == FD_CHECKPT_ERR_INVAL &&
         fd_restore_close_advanced(NULL, &off) == FD_CHECKPT_ERR_INVAL &&
         fd_checkpt_meta(NULL, NULL, 0UL) == FD_CHECKPT_ERR_INVAL &&
         fd_restore_data(NULL, NULL, 0UL) == FD_CHECKPT_ERR_INVAL);
}

/* alloc
 * *******************************************************************************************/

static void test_alloc(void) {
  fd_wksp_t *w = fd_wksp_new_anonymous(NORMAL, 256UL, 0UL, name, 64UL);
  void *shmem = fd_wksp_alloc_laddr(w, FD_ALLOC_ALIGN, FD_ALLOC_FOOTPRINT, 7UL);
  fd_alloc_t *join = fd_alloc_join(fd_alloc_new(shmem, 7UL), 0UL);
  static ulong live[16384];
  ulong const sz[] = {100UL, 5000UL, 60000UL};
  int good = 1;
  api_logged();
  for (ulong i = 0UL; i < 3UL; i++) { /* each size until no more goes in */
    ulong max = 9UL, cnt = 0UL;
    while (cnt < 16384UL && (live[cnt] = (ulong)fd_alloc_malloc_at_least(join, 0UL, sz[i], &max)))
      good &= max >= sz[i], cnt++;
    ok(api_held(good && cnt < 16384UL && !max, 0UL), "no memory for %lu more", sz[i]);
    while (cnt--) fd_alloc_free(join, (void *)live[cnt]);
  }
  LOGS(!fd_wksp_alloc(w, 1UL, 1UL << 30, 1UL)); /* it is silent for itself only */
  ulong max = 9UL;
  SILENT(!fd_alloc_malloc_at_least(join, 0UL, ULONG_MAX - 15UL, &max) && !max && (max = 9UL));
  SILENT(!fd_alloc_malloc_at_least(join, ULONG_MAX, 1UL, &max) && !max && (max = 9UL));
  SILENT(!fd_alloc_malloc_at_least(join, 1UL << 63, 1UL, &max) && !max && (max = 9UL));
  SILENT(!fd_alloc_malloc_at_least(NULL, 3UL, 0UL, &max) && !max && fd_alloc_is_empty(join) == 1);
  SILENT(!fd_wksp_verify(w));
  LOGS(!fd_alloc_new((uchar *)w + 128, 0UL));
  SILENT(fd_alloc_delete(fd_alloc_leave(join)) == shmem);
  LOGS(!fd_alloc_join(shmem, 0UL));
  fd_wksp_delete_anonymous(w);
  static uchar outside[FD_ALLOC_FOOTPRINT] __attribute__((aligned(FD_ALLOC_ALIGN)));
  LOGS(!fd_alloc_new(outside, 1UL));
  LOGS(!fd_alloc_delete(outside));
}

int main(void) {
  char option[120], dir[80];
  if (!mkdtemp(base)) return 1;
  fd_cstr_printf(option, sizeof(option), NULL, "--shmem-path %s", base);
  api_boot(option); /* without tiles, whose threads the children would lack */
  fd_cstr_printf(name, sizeof(name), NULL, "apiu%d", (int)getpid());
  page = (uchar *)mmap(NULL, 8192UL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(page + 4096, 4096UL, PROT_NONE);
  no_cpu[0] = no_cpu[1] = no_second_cpu[1] = fd_shmem_cpu_cnt();
  test_cstr();
  test_env();
  test_io_waits();
  test_io_read();
  test_io_write();
  test_io_seek_map();
  test_io_buffered();
  test_log();
  test_boot();
  test_region_args();
  test_region_looks();
  test_refused_by_system();
  test_anonymous();
  SILENT(!fd_shmem_unlink("there", NORMAL));
  test_codec_stream();
  test_codec_states();
  test_alloc();
  fd_halt();
  api_boot("--tile-cpus f3");
  test_tiles();
  fd_halt();
  IS(!rmdir(fd_cstr_printf(dir, sizeof(dir), NULL, "%s/.normal", base)) && !rmdir(base));
  return done_testing();
}
