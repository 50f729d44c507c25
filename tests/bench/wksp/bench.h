#ifndef TESTS_BENCH_WKSP_BENCH_H
#define TESTS_BENCH_WKSP_BENCH_H

/* What the benches of wksp share: what is compared runs in turn within a round, each round gives a
   ratio, and the median over the rounds is held against the target. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fd/util/fd_util.h"

#define ROUND_MAX 64UL

/* CPU time of the calling thread in ns. */
static inline double bench_cpu_ns(void) {
  struct timespec ts;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
  return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static inline int bench_order(void const *a, void const *b) {
  double x = *(double const *)a;
  double y = *(double const *)b;
  return (x > y) - (x < y);
}

/* Median of v, which gets sorted. */
static inline double bench_median(double *v, ulong cnt) {
  qsort(v, cnt, sizeof(*v), bench_order);
  return cnt % 2UL ? v[cnt / 2UL] : (v[cnt / 2UL - 1UL] + v[cnt / 2UL]) / 2.;
}

/* One line: what, target, measured median and range, met or not.  unit: of target and values. */
static inline void bench_verdict(char const *what, char const *relation, double limit,
                                 char const *unit, double *v, ulong cnt) {
  double got = bench_median(v, cnt);
  int met = relation[0] == '>' ? got >= limit : got <= limit;
  printf("%-46s | target %s %6.2f%s | measured %7.2f%s (%.2f to %.2f, %lu rounds) | %s\n", what,
         relation, limit, unit, got, unit, v[0], v[cnt - 1UL], cnt, met ? "met" : "MISSED");
}

/* The same for what has no target. */
static inline void bench_note(char const *what, double *v, ulong cnt) {
  double got = bench_median(v, cnt);
  printf("%-46s | %-14s | measured %7.2f (%.2f to %.2f, %lu rounds) |\n", what, "", got, v[0],
         v[cnt - 1UL], cnt);
}

#endif
