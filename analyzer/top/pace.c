/* See pace.h. */
#include "analyzer/top/pace.h"
#include <sys/resource.h>
#include <time.h>

#define SHARE      100 /* the time between looks is that many times what they take */
#define LEAST_NS   ((uint64_t)1000000000)
#define MOST_NS    (10 * LEAST_NS) /* of looks at what is new: older numbers are of little use */
#define ACCOUNT_NS ((int64_t)500000000)
#define RECENT_NS  (60 * LEAST_NS)

static uint64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* children_ns: names are read by helpers. */
static uint64_t children_ns(void) {
  struct rusage used;
  getrusage(RUSAGE_CHILDREN, &used);
  return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000u +
         (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000u;
}

static uint64_t cpu_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID) + children_ns(); }

void vt_pace_begin(vt_pace_t *pace) {
  uint64_t now = clock_ns(CLOCK_MONOTONIC), passed = pace->wait_ns ? now - pace->wall_ns : 0;
  pace->account_ns += (int64_t)(passed / SHARE);
  if (pace->account_ns > ACCOUNT_NS) pace->account_ns = ACCOUNT_NS;
  pace->recent_ns += passed;
  pace->cpu_ns = cpu_ns();
  pace->wall_ns = now;
}

/* remember adds what a look took, and forgets half of what is older than a minute. */
static void remember(vt_pace_t *pace, uint64_t spent) {
  pace->recent_cpu += spent;
  if (pace->recent_ns < RECENT_NS) return;
  pace->recent_cpu /= 2;
  pace->recent_ns /= 2;
}

void vt_pace_end(vt_pace_t *pace, int whole) {
  uint64_t spent = cpu_ns() - pace->cpu_ns;
  if (pace->wait_ns) {
    pace->account_ns -= (int64_t)spent;
    remember(pace, spent);
  } else {
    pace->account_ns = ACCOUNT_NS;
  }
  if (!whole && pace->account_ns < -(int64_t)(MOST_NS / SHARE)) pace->account_ns = -(int64_t)(MOST_NS / SHARE);
  pace->wait_ns = pace->account_ns < 0 ? SHARE * (uint64_t)-pace->account_ns : 0;
  if (pace->wait_ns < LEAST_NS) pace->wait_ns = LEAST_NS;
}

uint64_t vt_pace_left(vt_pace_t const *pace) {
  uint64_t due = pace->wall_ns + pace->wait_ns, now = clock_ns(CLOCK_MONOTONIC);
  return due > now ? due - now : 0;
}

uint64_t vt_pace_lasts(vt_pace_t const *pace) { return clock_ns(CLOCK_MONOTONIC) - pace->wall_ns; }

double vt_pace_share(vt_pace_t const *pace) {
  uint64_t passed = pace->recent_ns + pace->wait_ns;
  return passed ? 100.0 * (double)pace->recent_cpu / (double)passed : 0;
}
