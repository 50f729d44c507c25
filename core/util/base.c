/* The functions of fd_util_base.h that are not worth inlining: XXH64, zero test, tick counter,
   yield, secure random bytes. */

#include "fd/util/log/fd_log.h"
#include "fd/util/rng/fd_rng.h"

#include <sched.h>
#include <sys/random.h>
#include <time.h>

#define P1 (0x9e3779b185ebca87UL)
#define P2 (0xc2b2ae3d27d4eb4fUL)
#define P3 (0x165667b19e3779f9UL)
#define P4 (0x85ebca77c2b2ae63UL)
#define P5 (0x27d4eb2f165667c5UL)

void fd_yield(void) { sched_yield(); }

long _fd_tickcount(void const * args) {
  (void)args;
#if FD_HAS_X86
  return fd_tickcount();
#else
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (long)ts.tv_sec * 1000000000L + (long)ts.tv_nsec;
#endif
}

int fd_mem_iszero(uchar const * mem, ulong sz) {
  ulong any = 0UL;
  for (; sz >= 8UL; mem += 8UL, sz -= 8UL) any |= FD_LOAD(ulong, mem);
  for (; sz; mem++, sz--) any |= (ulong)*mem;
  return !any;
}

static inline ulong xxh_round(ulong acc, ulong lane) {
  return fd_ulong_rotate_left(acc + lane * P2, 31) * P1;
}

static inline ulong xxh_merge(ulong hash, ulong acc) {
  return (hash ^ xxh_round(0UL, acc)) * P1 + P4;
}

/* The stripes of 32 bytes, four lanes each; *_p ends at the first byte not consumed. */
static inline ulong xxh_stripes(ulong seed, uchar const ** _p, ulong sz) {
  uchar const * p = *_p;
  ulong a0 = seed + P1 + P2, a1 = seed + P2, a2 = seed, a3 = seed - P1;
  for (; sz >= 32UL; p += 32UL, sz -= 32UL) {
    a0 = xxh_round(a0, FD_LOAD(ulong, p));
    a1 = xxh_round(a1, FD_LOAD(ulong, p + 8));
    a2 = xxh_round(a2, FD_LOAD(ulong, p + 16));
    a3 = xxh_round(a3, FD_LOAD(ulong, p + 24));
  }
  *_p = p;
  ulong hash = fd_ulong_rotate_left(a0, 1) + fd_ulong_rotate_left(a1, 7) +
               fd_ulong_rotate_left(a2, 12) + fd_ulong_rotate_left(a3, 18);
  return xxh_merge(xxh_merge(xxh_merge(xxh_merge(hash, a0), a1), a2), a3);
}

static inline ulong xxh_tail(ulong hash, uchar const * p, ulong sz) {
  for (; sz >= 8UL; p += 8UL, sz -= 8UL) {
    hash = fd_ulong_rotate_left(hash ^ xxh_round(0UL, FD_LOAD(ulong, p)), 27) * P1 + P4;
  }
  if (sz >= 4UL) {
    hash = fd_ulong_rotate_left(hash ^ ((ulong)FD_LOAD(uint, p) * P1), 23) * P2 + P3;
    p += 4UL;
    sz -= 4UL;
  }
  for (; sz; p++, sz--) hash = fd_ulong_rotate_left(hash ^ ((ulong)*p * P5), 11) * P1;
  hash = (hash ^ (hash >> 33)) * P2;
  hash = (hash ^ (hash >> 29)) * P3;
  return hash ^ (hash >> 32);
}

ulong fd_hash(ulong seed, void const * buf, ulong sz) {
  uchar const * p = (uchar const *)buf;
  ulong hash = sz >= 32UL ? xxh_stripes(seed, &p, sz) : seed + P5;
  return xxh_tail(hash + sz, p, sz & 31UL);
}

ulong fd_hash_memcpy(ulong seed, void * FD_RESTRICT d, void const * FD_RESTRICT s, ulong sz) {
  fd_memcpy(d, s, sz);
  return fd_hash(seed, d, sz);
}

void * fd_rng_secure(void * mem, ulong sz) {
  for (ulong done = 0UL; done < sz;) {
    long got = getrandom((uchar *)mem + done, fd_ulong_min(sz - done, 256UL), 0U);
    if (got < 0L) {
      FD_LOG_WARNING(("no random bytes from the system"));
      return NULL;
    }
    done += (ulong)got;
  }
  return mem;
}
