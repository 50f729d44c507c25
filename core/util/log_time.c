/* Time for logs and programs: a replaceable wall clock, its text form, sleeping. */

#include "fd/util/log/fd_log.h"

#include <errno.h>
#include <time.h>

#define NS_PER_S (1000000000L)

static fd_clock_func_t clock_func = fd_log_wallclock_host;
static void const * clock_args;

long fd_log_wallclock_host(void const * args) {
  struct timespec ts;
  (void)args;
  clock_gettime(CLOCK_REALTIME, &ts);
  return (long)ts.tv_sec * NS_PER_S + (long)ts.tv_nsec;
}

/* args is published before the function that uses it: release here, acquire in fd_log_wallclock. */
void fd_log_wallclock_set(fd_clock_func_t clock, void const * args) {
  __atomic_store_n(&clock_args, args, __ATOMIC_RELAXED);
  __atomic_store_n(&clock_func, clock, __ATOMIC_RELEASE);
}

long fd_log_wallclock(void) {
  fd_clock_func_t func = __atomic_load_n(&clock_func, __ATOMIC_ACQUIRE);
  return func(__atomic_load_n(&clock_args, __ATOMIC_RELAXED));
}

char * fd_log_wallclock_cstr(long now, char * buf) {
  long ns = now % NS_PER_S;
  time_t s = (time_t)(now / NS_PER_S);
  struct tm tm;
  if (ns < 0L) {
    ns += NS_PER_S;
    s--;
  }
  if (!localtime_r(&s, &tm)) memset(&tm, 0, sizeof(tm));
  char date[20];
  if (!strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm)) date[0] = '\0';
  long hours = tm.tm_gmtoff / 3600L;
  fd_cstr_printf(buf, FD_LOG_WALLCLOCK_CSTR_BUF_SZ, NULL, "%s.%09ld GMT%c%02ld", date, ns,
                 hours < 0L ? '-' : '+', hours < 0L ? -hours : hours);
  return buf;
}

long fd_log_sleep(long ns) {
  struct timespec req, rem;
  if (ns <= 0L) {
    fd_yield();
    return 0L;
  }
  req.tv_sec = (time_t)(ns / NS_PER_S);
  req.tv_nsec = ns % NS_PER_S;
  if (nanosleep(&req, &rem) && errno == EINTR)
    return (long)rem.tv_sec * NS_PER_S + (long)rem.tv_nsec;
  return 0L;
}

long fd_log_wait_until(long then) {
  long now;
  while ((now = fd_log_wallclock()) < then) fd_log_sleep(then - now);
  return now;
}
