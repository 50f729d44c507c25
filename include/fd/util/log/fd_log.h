#ifndef HEADER_fd_src_util_log_fd_log_h
#define HEADER_fd_src_util_log_fd_log_h

/* Logging and the identity of the caller.  A message goes to stderr in one short line (ephemeral)
   and to the log file in one detailed line, each written at once so that lines of threads and
   processes do not mix.  Works before boot and after halt too, then without a log file.  Everything
   is thread safe; nothing is async signal safe. */

#include "../cstr/fd_cstr.h"

/* FD_LOG_<LEVEL>(( fmt, ... )): printf style.  ERR exits with status 1, CRIT and above print a
   backtrace and abort (so do lower ones at or above --log-level-core). */
#define FD_LOG_DEBUG(a)   FD_LOG_PRIVATE(0, a)
#define FD_LOG_INFO(a)    FD_LOG_PRIVATE(1, a)
#define FD_LOG_NOTICE(a)  FD_LOG_PRIVATE(2, a)
#define FD_LOG_WARNING(a) FD_LOG_PRIVATE(3, a)
#define FD_LOG_ERR(a)     FD_LOG_PRIVATE_FATAL(4, a)
#define FD_LOG_CRIT(a)    FD_LOG_PRIVATE_FATAL(5, a)
#define FD_LOG_ALERT(a)   FD_LOG_PRIVATE_FATAL(6, a)
#define FD_LOG_EMERG(a)   FD_LOG_PRIVATE_FATAL(7, a)

/* FD_LOG_HEXDUMP_<LEVEL>(( tag, mem, sz )): the first bytes of a memory region. */
#define FD_LOG_HEXDUMP_DEBUG(a)   FD_LOG_PRIVATE_HEXDUMP(fd_log_private_1, 0, a)
#define FD_LOG_HEXDUMP_INFO(a)    FD_LOG_PRIVATE_HEXDUMP(fd_log_private_1, 1, a)
#define FD_LOG_HEXDUMP_NOTICE(a)  FD_LOG_PRIVATE_HEXDUMP(fd_log_private_1, 2, a)
#define FD_LOG_HEXDUMP_WARNING(a) FD_LOG_PRIVATE_HEXDUMP(fd_log_private_1, 3, a)
#define FD_LOG_HEXDUMP_ERR(a)     FD_LOG_PRIVATE_HEXDUMP(fd_log_private_2, 4, a)
#define FD_LOG_HEXDUMP_CRIT(a)    FD_LOG_PRIVATE_HEXDUMP(fd_log_private_2, 5, a)
#define FD_LOG_HEXDUMP_ALERT(a)   FD_LOG_PRIVATE_HEXDUMP(fd_log_private_2, 6, a)
#define FD_LOG_HEXDUMP_EMERG(a)   FD_LOG_PRIVATE_HEXDUMP(fd_log_private_2, 7, a)

/* FD_LOG_STDOUT(( fmt, ... )) prints to stdout, undecorated, in one write. */
#define FD_LOG_STDOUT(a) fd_log_private_stdout a

#define FD_LOG_PRIVATE(level, a)                                                              \
  do {                                                                                        \
    long _fd_log_now = fd_log_wallclock();                                                    \
    fd_log_private_1((level), _fd_log_now, __FILE__, __LINE__, __func__, fd_log_private_0 a); \
  } while (0)
#define FD_LOG_PRIVATE_FATAL(level, a)                                                        \
  do {                                                                                        \
    long _fd_log_now = fd_log_wallclock();                                                    \
    fd_log_private_2((level), _fd_log_now, __FILE__, __LINE__, __func__, fd_log_private_0 a); \
  } while (0)
#define FD_LOG_PRIVATE_HEXDUMP(sink, level, a)                                          \
  do {                                                                                  \
    long _fd_log_now = fd_log_wallclock();                                              \
    sink((level), _fd_log_now, __FILE__, __LINE__, __func__, fd_log_private_hexdump a); \
  } while (0)

/* Checks: evaluate c once; a false one ends the program. */
#define FD_TEST_ERR(c)                                   \
  do {                                                   \
    if (FD_UNLIKELY(!(c))) FD_LOG_ERR(("FAIL: %s", #c)); \
  } while (0)
#define FD_TEST_CRIT(c)                                   \
  do {                                                    \
    if (FD_UNLIKELY(!(c))) FD_LOG_CRIT(("FAIL: %s", #c)); \
  } while (0)
/* Not by way of FD_TEST_ERR: the text is that of c as written, macros in it not expanded. */
#define FD_TEST(c)                                       \
  do {                                                   \
    if (FD_UNLIKELY(!(c))) FD_LOG_ERR(("FAIL: %s", #c)); \
  } while (0)
#define FD_CHECK_ERR(c, m)                                         \
  do {                                                             \
    if (FD_UNLIKELY(!(c))) FD_LOG_ERR(("FAIL: %s (%s)", #c, (m))); \
  } while (0)
#define FD_CHECK_CRIT(c, m)                                         \
  do {                                                              \
    if (FD_UNLIKELY(!(c))) FD_LOG_CRIT(("FAIL: %s (%s)", #c, (m))); \
  } while (0)
#define FD_CHECK_ALERT(c, m)                                         \
  do {                                                               \
    if (FD_UNLIKELY(!(c))) FD_LOG_ALERT(("FAIL: %s (%s)", #c, (m))); \
  } while (0)

/* Developer checks: FD_DCHECK_STYLE 1 asserts, 0 lets CRIT evaluate c for its side effects, -1 lets
   the optimizer assume c. */
#ifndef FD_DCHECK_STYLE
#define FD_DCHECK_STYLE 0
#endif
#if FD_DCHECK_STYLE > 0
#define FD_DCHECK_CRIT(c, m)  FD_CHECK_CRIT(c, m)
#define FD_DCHECK_ALERT(c, m) FD_CHECK_ALERT(c, m)
#elif FD_DCHECK_STYLE == 0
#define FD_DCHECK_CRIT(c, m)  ((void)(c))
#define FD_DCHECK_ALERT(c, m) ((void)0)
#else
#define FD_DCHECK_CRIT(c, m)           \
  do {                                 \
    if (!(c)) __builtin_unreachable(); \
  } while (0)
#define FD_DCHECK_ALERT(c, m) FD_DCHECK_CRIT(c, m)
#endif

/* Size of a name buffer, NUL included. */
#define FD_LOG_NAME_MAX (40UL)

/* printf format and arguments for a row of 16 or 20 bytes in hex. */
#define FD_LOG_HEX16_FMT \
  "%02x %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x"
#define FD_LOG_HEX16_ARGS(b)                                                       \
  FD_LOG_PRIVATE_HEX4(b, 0), FD_LOG_PRIVATE_HEX4(b, 4), FD_LOG_PRIVATE_HEX4(b, 8), \
      FD_LOG_PRIVATE_HEX4(b, 12)
#define FD_LOG_HEX20_FMT     FD_LOG_HEX16_FMT " %02x %02x %02x %02x"
#define FD_LOG_HEX20_ARGS(b) FD_LOG_HEX16_ARGS(b), FD_LOG_PRIVATE_HEX4(b, 16)
/* Other names of the two. */
#define FD_LOG_HEX16_FMT_ARGS(b) FD_LOG_HEX16_ARGS(b)
#define FD_LOG_HEX20_FMT_ARGS(b) FD_LOG_HEX20_ARGS(b)
#define FD_LOG_PRIVATE_HEX4(b, i)                                       \
  (uint)((uchar const *)(b))[(i)], (uint)((uchar const *)(b))[(i) + 1], \
      (uint)((uchar const *)(b))[(i) + 2], (uint)((uchar const *)(b))[(i) + 3]

#define FD_LOG_GROUP_ID_QUERY_LIVE  (1)
#define FD_LOG_GROUP_ID_QUERY_DEAD  (0)
#define FD_LOG_GROUP_ID_QUERY_INVAL (-1)
#define FD_LOG_GROUP_ID_QUERY_PERM  (-2)
#define FD_LOG_GROUP_ID_QUERY_FAIL  (-3)

#define FD_LOG_WALLCLOCK_CSTR_BUF_SZ (37UL)

FD_PROTOTYPES_BEGIN

/* Who the caller is, as numbers: application and host as configured, thread (tile index plus
   --log-thread-id), lowest cpu of the caller's affinity, thread group = process id, user id, kernel
   thread id. */
ulong fd_log_app_id(void);
ulong fd_log_thread_id(void);
ulong fd_log_host_id(void);
ulong fd_log_cpu_id(void);
ulong fd_log_group_id(void);
ulong fd_log_user_id(void);
ulong fd_log_tid(void);

/* The same as names, of length [1,FD_LOG_NAME_MAX); they live until changed. */
char const * fd_log_app(void);
char const * fd_log_thread(void);
char const * fd_log_host(void);
char const * fd_log_cpu(void);
char const * fd_log_group(void);
char const * fd_log_user(void);

/* Rename the calling thread or the cpu it reports; NULL or "" resets to the default. */
void fd_log_thread_set(char const * name);
void fd_log_cpu_set(char const * name);

/* fd_log_group_id_query tells whether a process lives: FD_LOG_GROUP_ID_QUERY_*.  A zombie is dead,
   another user's process is PERM.  Asking about oneself takes no system call. */
int fd_log_group_id_query(ulong group_id);

/* What was built, where, by what; a cstr and its size with the NUL. */
extern char const fd_log_build_info[];
extern ulong const fd_log_build_info_sz;

/* fd_log_wallclock is the time in ns since the UNIX epoch by the clock last set (the default is
   fd_log_wallclock_host). */
long fd_log_wallclock(void);
long fd_log_wallclock_host(void const * args);
void fd_log_wallclock_set(fd_clock_func_t clock, void const * args);

/* Formats a time as "YYYY-MM-DD hh:mm:ss.nnnnnnnnn GMT+TZ" into buf, which has
   FD_LOG_WALLCLOCK_CSTR_BUF_SZ bytes.  Returns buf. */
char * fd_log_wallclock_cstr(long now, char * buf);

/* fd_log_sleep sleeps ns nanoseconds (yields for ns<=0) and returns what is left when a signal cut
   it short; fd_log_wait_until returns the time it saw at or after then. */
long fd_log_sleep(long ns);
long fd_log_wait_until(long then);

/* fd_log_flush writes out what the log file still buffers. */
void fd_log_flush(void);

/* Settings: color on stderr, and the lowest level that goes to the log file, to stderr, that
   flushes, that dumps core. */
int fd_log_colorize(void);
int fd_log_level_logfile(void);
int fd_log_level_stderr(void);
int fd_log_level_flush(void);
int fd_log_level_core(void);
void fd_log_colorize_set(int mode);
void fd_log_level_logfile_set(int level);
void fd_log_level_stderr_set(int level);
void fd_log_level_flush_set(int level);
void fd_log_level_core_set(int level);

/* Behind the macros: format into a per-thread buffer; deliver a message; deliver and end. */
char const * fd_log_private_0(char const * fmt, ...) __attribute__((format(printf, 1, 2)));
char const * fd_log_private_hexdump(char const * tag, void const * mem, ulong sz);
void fd_log_private_1(int level, long now, char const * file, int line, char const * func,
                      char const * msg);
void fd_log_private_2(int level, long now, char const * file, int line, char const * func,
                      char const * msg) __attribute__((noreturn));
void fd_log_private_stdout(char const * fmt, ...) __attribute__((format(printf, 1, 2)));

/* For the tile module: the thread id of a new tile. */
void fd_log_private_thread_id_set(ulong id);

/* Called by fd_boot and fd_halt. */
void fd_log_private_boot(int * pargc, char *** pargv);
void fd_log_private_halt(void);

FD_PROTOTYPES_END

#endif
