/* Delivery of log messages: thresholds, suppression of repeats, the two streams, and what ends the
   program.  A message is formatted in a per-thread buffer and handed to the system in one call, so
   threads need no lock among each other; the log file is buffered by stdio, which locks per call.
 */

#include "log_private.h"

#include "fd/util/env/fd_env.h"
#include "fd/util/io/fd_io.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MSG_MAX     (16384UL)          /* longer messages are cut */
#define LINE_MAX_SZ (MSG_MAX + 1024UL) /* with decoration */
#define NS_PER_MS   (1000000L)

fd_log_config_t fd_log_private_config = {.dedup = 1,
                                         .backtrace = 1,
                                         .level_logfile = 1,
                                         .level_stderr = 2,
                                         .level_flush = 3,
                                         .level_core = 5};

char const fd_log_build_info[] = "compiler " __VERSION__
#ifdef __OPTIMIZE__
                                 ", optimized"
#endif
    ;
ulong const fd_log_build_info_sz = sizeof(fd_log_build_info);

static FILE * logfile; /* NULL: none */
static char logfile_path[1024];

static FD_TL char msg_buf[MSG_MAX];
static FD_TL char line_buf[LINE_MAX_SZ];

static char const * const level_name[8] = {"DEBUG", "INFO", "NOTICE", "WARNING",
                                           "ERR",   "CRIT", "ALERT",  "EMERG"};
static char const * const level_color[8] = {"",         "",         "\033[32m", "\033[93m",
                                            "\033[31m", "\033[91m", "\033[91m", "\033[91m"};

int fd_log_colorize(void) { return fd_log_private_config.colorize; }
int fd_log_level_logfile(void) { return fd_log_private_config.level_logfile; }
int fd_log_level_stderr(void) { return fd_log_private_config.level_stderr; }
int fd_log_level_flush(void) { return fd_log_private_config.level_flush; }
int fd_log_level_core(void) { return fd_log_private_config.level_core; }
void fd_log_colorize_set(int mode) { fd_log_private_config.colorize = mode; }
void fd_log_level_logfile_set(int level) { fd_log_private_config.level_logfile = level; }
void fd_log_level_stderr_set(int level) { fd_log_private_config.level_stderr = level; }
void fd_log_level_flush_set(int level) { fd_log_private_config.level_flush = level; }
void fd_log_level_core_set(int level) { fd_log_private_config.level_core = level; }

char const * fd_log_private_0(char const * fmt, ...) {
  va_list args;
  va_start(args, fmt);
  if (vsnprintf(msg_buf, MSG_MAX, fmt, args) < 0) msg_buf[0] = '\0';
  va_end(args);
  return msg_buf;
}

/* One row of a hex dump: offset, 16 bytes, their printable characters. */
static char * append_hex_row(char * p, uchar const * mem, ulong off, ulong cnt) {
  p = fd_cstr_append_printf(p, "\n\t%04lx: ", off);
  for (ulong i = 0UL; i < 16UL; i++) {
    p = i < cnt ? fd_cstr_append_printf(p, " %02x", mem[off + i]) : fd_cstr_append_cstr(p, "   ");
  }
  p = fd_cstr_append_cstr(p, "  ");
  for (ulong i = 0UL; i < cnt; i++) {
    uchar c = mem[off + i];
    p = fd_cstr_append_char(p, c >= 0x20 && c < 0x7f ? (char)c : '.');
  }
  return p;
}

char const * fd_log_private_hexdump(char const * tag, void const * mem, ulong sz) {
  ulong shown = mem ? fd_ulong_min(sz, 2048UL) : 0UL;
  ulong len;
  fd_cstr_printf(msg_buf, 1024UL, &len, "HEXDUMP \"%s\" (%lu bytes at %p%s)", tag ? tag : "", sz,
                 mem, shown < sz ? ", cut" : "");
  char * p = msg_buf + len;
  for (ulong off = 0UL; off < shown; off += 16UL) {
    p = append_hex_row(p, (uchar const *)mem, off, fd_ulong_min(shown - off, 16UL));
  }
  fd_cstr_fini(p);
  return msg_buf;
}

void fd_log_private_stdout(char const * fmt, ...) {
  ulong put;
  va_list args;
  va_start(args, fmt);
  int len = vsnprintf(msg_buf, MSG_MAX, fmt, args);
  va_end(args);
  if (len > 0)
    fd_io_write(STDOUT_FILENO, msg_buf, fd_ulong_min((ulong)len, MSG_MAX - 1UL),
                fd_ulong_min((ulong)len, MSG_MAX - 1UL), &put);
}

static char const * base_name(char const * path) {
  char const * slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static void to_stderr(int level, long now, char const * file, int line, char const * msg) {
  char when[FD_LOG_WALLCLOCK_CSTR_BUF_SZ];
  int color = fd_log_private_config.colorize;
  ulong len, put;
  fd_log_wallclock_cstr(now, when);
  when[26] = '\0'; /* month to microseconds will do */
  fd_cstr_printf(line_buf, LINE_MAX_SZ, &len, "%s%-7s%s %s %-4s %s(%d): %s\n",
                 color ? level_color[level] : "", level_name[level], color ? "\033[0m" : "",
                 when + 5, fd_log_thread(), base_name(file), line, msg);
  fd_io_write(STDERR_FILENO, line_buf, len, len, &put);
}

static void to_logfile(int level, long now, char const * file, int line, char const * func,
                       char const * msg) {
  char when[FD_LOG_WALLCLOCK_CSTR_BUF_SZ];
  ulong len;
  fd_cstr_printf(line_buf, LINE_MAX_SZ, &len, "%s %-7s %s:%s %s:%s %lu:%lu %s %s(%d)[%s]: %s\n",
                 fd_log_wallclock_cstr(now, when), level_name[level], fd_log_app(), fd_log_group(),
                 fd_log_host(), fd_log_cpu(), fd_log_group_id(), fd_log_tid(), fd_log_thread(),
                 file, line, func, msg);
  fwrite(line_buf, 1UL, len, logfile);
  if (level >= fd_log_private_config.level_flush) fflush(logfile);
}

static void deliver(int level, long now, char const * file, int line, char const * func,
                    char const * msg) {
  if (logfile && level >= fd_log_private_config.level_logfile)
    to_logfile(level, now, file, line, func, msg);
  if (level >= fd_log_private_config.level_stderr) to_stderr(level, now, file, line, msg);
}

/* Suppression of repeats, per thread: identical messages closer together than DEDUP_NS are shown
   DEDUP_SHOWN times, then counted and reported about once a second. */
#define DEDUP_NS        (20L * NS_PER_MS)
#define DEDUP_SHOWN     (3UL)
#define DEDUP_REPORT_NS (1000L * NS_PER_MS)

static FD_TL struct {
  ulong hash;
  ulong run;        /* how often in a row */
  ulong suppressed; /* not reported yet */
  long last;
  long report;
} dedup;

static void report_repeats(int level, long now, char const * file, int line, char const * func,
                           char const * text) {
  char msg[64];
  if (dedup.suppressed) {
    fd_cstr_printf(msg, sizeof(msg), NULL, "%s (%lu)", text, dedup.suppressed);
    deliver(level, now, file, line, func, msg);
  }
  dedup.suppressed = 0UL;
  dedup.report = now + DEDUP_REPORT_NS;
}

/* 1 if this message shall not be shown. */
static int is_repeat(int level, long now, char const * file, int line, char const * func,
                     char const * msg) {
  ulong place = fd_ulong_hash((ulong)file ^ fd_ulong_hash((ulong)line ^ ((ulong)level << 32)));
  ulong hash = fd_hash(place, msg, strlen(msg));
  long since = now - dedup.last;
  dedup.last = now;
  if (hash != dedup.hash || since < 0L || since > DEDUP_NS) {
    report_repeats(level, now, file, line, func, "stopped repeating");
    dedup.hash = hash;
    dedup.run = 1UL;
    return 0;
  }
  if (++dedup.run <= DEDUP_SHOWN) return 0;
  dedup.suppressed++;
  if (now >= dedup.report) report_repeats(level, now, file, line, func, "repeating");
  return 1;
}

void fd_log_private_1(int level, long now, char const * file, int line, char const * func,
                      char const * msg) {
  int err = errno; /* callers log in the middle of reporting an error of their own */
  int shown = level >= fd_log_private_config.level_stderr ||
              (logfile && level >= fd_log_private_config.level_logfile);
  if (shown && !(fd_log_private_config.dedup && is_repeat(level, now, file, line, func, msg))) {
    deliver(level, now, file, line, func, msg);
  }
  if (FD_UNLIKELY(level >= fd_log_private_config.level_core)) {
    fd_log_flush();
    abort();
  }
  errno = err;
}

static void print_backtrace(void) {
  void * frame[64];
  int cnt = backtrace(frame, 64);
  backtrace_symbols_fd(frame, cnt, STDERR_FILENO);
  if (logfile) backtrace_symbols_fd(frame, cnt, fileno(logfile));
}

void fd_log_private_2(int level, long now, char const * file, int line, char const * func,
                      char const * msg) {
  deliver(level, now, file, line, func, msg);
  fd_log_flush();
  if (level < fd_log_private_config.level_core) exit(1);
  if (fd_log_private_config.backtrace) print_backtrace();
  abort();
}

void fd_log_flush(void) {
  if (logfile) fflush(logfile);
}

/* Opens the log file at path: NULL makes a fresh one under /tmp, "" none, "-" is stdout. */
static void open_logfile(char const * path) {
  int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  int generated = !path;
  if (generated) {
    fd_cstr_printf(logfile_path, sizeof(logfile_path), NULL, "/tmp/fd-0.0.0_%lu_%s_%s_%ld",
                   fd_log_group_id(), fd_log_user(), fd_log_group(), fd_log_wallclock());
    flags |= O_EXCL;
  } else {
    fd_cstr_ncpy(logfile_path, path, sizeof(logfile_path));
  }
  if (!logfile_path[0]) return;
  int fd = strcmp(logfile_path, "-") ? open(logfile_path, flags, 0644) : dup(STDOUT_FILENO);
  FILE * file = fd >= 0 ? fdopen(fd, "a") : NULL;
  if (!file && generated)
    FD_LOG_WARNING(("no log file: %s (%s)", logfile_path, fd_io_strerror(errno)));
  else if (!file)
    FD_LOG_ERR(("cannot open --log-path %s (%s)", logfile_path, fd_io_strerror(errno)));
  logfile = file;
}

static int color_wanted(int * pargc, char *** pargv) {
  char const * term = getenv("TERM");
  int def = isatty(STDERR_FILENO) && term && strcmp(term, "dumb");
  return fd_env_strip_cmdline_int(pargc, pargv, "--log-colorize", "FD_LOG_COLORIZE", def);
}

void fd_log_private_boot(int * pargc, char *** pargv) {
  fd_log_config_t * c = &fd_log_private_config;
  fd_log_private_identity_boot(pargc, pargv);
  char const * path = fd_env_strip_cmdline_cstr(pargc, pargv, "--log-path", "FD_LOG_PATH", NULL);
  c->dedup = fd_env_strip_cmdline_int(pargc, pargv, "--log-dedup", "FD_LOG_DEDUP", 1);
  c->backtrace = fd_env_strip_cmdline_int(pargc, pargv, "--log-backtrace", "FD_LOG_BACKTRACE", 1);
  c->colorize = color_wanted(pargc, pargv);
  c->level_logfile =
      fd_env_strip_cmdline_int(pargc, pargv, "--log-level-logfile", "FD_LOG_LEVEL_LOGFILE", 1);
  c->level_stderr =
      fd_env_strip_cmdline_int(pargc, pargv, "--log-level-stderr", "FD_LOG_LEVEL_STDERR", 2);
  c->level_flush =
      fd_env_strip_cmdline_int(pargc, pargv, "--log-level-flush", "FD_LOG_LEVEL_FLUSH", 3);
  c->level_core =
      fd_env_strip_cmdline_int(pargc, pargv, "--log-level-core", "FD_LOG_LEVEL_CORE", 5);
  open_logfile(path);
  if (logfile && !path) FD_LOG_NOTICE(("log at \"%s\"", logfile_path));
}

void fd_log_private_halt(void) {
  FILE * file = logfile;
  report_repeats(2, fd_log_wallclock(), __FILE__, __LINE__, __func__, "stopped repeating");
  logfile = NULL;
  if (file) fclose(file);
}
