#ifndef HEADER_fd_src_util_rng_fd_rng_h
#define HEADER_fd_src_util_rng_fd_rng_h

/* A counter-based pseudo random number generator: 2^32 sequences of 2^64 slots, any slot reachable
   at once.  Slot idx of sequence seq is fd_ulong_hash( expand(seq) ^ idx ); streams are
   reproducible bit for bit on every machine.  An rng belongs to one thread at a time; nothing here
   can fail. */

#include "../bits/fd_bits.h"

#define FD_RNG_ALIGN     (16UL)
#define FD_RNG_FOOTPRINT (16UL)

struct __attribute__((aligned(16))) fd_rng_private {
  ulong seq; /* expanded */
  ulong idx; /* next slot */
};

typedef struct fd_rng_private fd_rng_t;

FD_PROTOTYPES_BEGIN

static inline ulong fd_rng_private_expand(uint seq) {
  return fd_ulong_hash(0x900df00d00000000UL ^ (ulong)seq);
}

static inline uint fd_rng_private_contract(ulong eseq) {
  return (uint)(0x900df00d00000000UL ^ fd_ulong_hash_inverse(eseq));
}

static inline ulong fd_rng_align(void) { return FD_RNG_ALIGN; }
static inline ulong fd_rng_footprint(void) { return FD_RNG_FOOTPRINT; }

/* new formats caller-owned memory; join, leave and delete are identities. */
static inline void * fd_rng_new(void * mem, uint seq, ulong idx) {
  fd_rng_t * rng = (fd_rng_t *)mem;
  rng->seq = fd_rng_private_expand(seq);
  rng->idx = idx;
  return mem;
}

static inline fd_rng_t * fd_rng_join(void * mem) { return (fd_rng_t *)mem; }
static inline void * fd_rng_leave(fd_rng_t * rng) { return (void *)rng; }
static inline void * fd_rng_delete(void * mem) { return mem; }

/* The sequence and the next slot; the setters return the old value.  Restoring both replays. */
static inline uint fd_rng_seq(fd_rng_t const * rng) { return fd_rng_private_contract(rng->seq); }
static inline ulong fd_rng_idx(fd_rng_t const * rng) { return rng->idx; }

static inline uint fd_rng_seq_set(fd_rng_t * rng, uint seq) {
  uint old = fd_rng_seq(rng);
  rng->seq = fd_rng_private_expand(seq);
  return old;
}

static inline ulong fd_rng_idx_set(fd_rng_t * rng, ulong idx) {
  ulong old = rng->idx;
  rng->idx = idx;
  return old;
}

static inline ulong fd_rng_private_next(fd_rng_t * rng) {
  return fd_ulong_hash(rng->seq ^ rng->idx++);
}

/* Uniform bits.  ulong and wider take two draws each half, high half first; the signed ones are
   their unsigned counterpart halved, so never negative. */
static inline uchar fd_rng_uchar(fd_rng_t * rng) { return (uchar)fd_rng_private_next(rng); }
static inline ushort fd_rng_ushort(fd_rng_t * rng) { return (ushort)fd_rng_private_next(rng); }
static inline uint fd_rng_uint(fd_rng_t * rng) { return (uint)fd_rng_private_next(rng); }

static inline ulong fd_rng_ulong(fd_rng_t * rng) {
  ulong hi = (ulong)fd_rng_uint(rng);
  return (hi << 32) | (ulong)fd_rng_uint(rng);
}

static inline schar fd_rng_schar(fd_rng_t * rng) { return (schar)(fd_rng_uchar(rng) >> 1); }
static inline short fd_rng_short(fd_rng_t * rng) { return (short)(fd_rng_ushort(rng) >> 1); }
static inline int fd_rng_int(fd_rng_t * rng) { return (int)(fd_rng_uint(rng) >> 1); }
static inline long fd_rng_long(fd_rng_t * rng) { return (long)(fd_rng_ulong(rng) >> 1); }

#if FD_HAS_INT128
static inline uint128 fd_rng_uint128(fd_rng_t * rng) {
  uint128 hi = (uint128)fd_rng_ulong(rng);
  return (hi << 64) | (uint128)fd_rng_ulong(rng);
}

static inline int128 fd_rng_int128(fd_rng_t * rng) { return (int128)(fd_rng_uint128(rng) >> 1); }
#endif

/* fd_rng_T_roll is uniform in [0,n), n positive: draws below 2^w mod n are rejected. */
static inline uint fd_rng_uint_roll(fd_rng_t * rng, uint n) {
  uint reject = (0U - n) % n;
  uint draw;
  do draw = fd_rng_uint(rng);
  while (FD_UNLIKELY(draw < reject));
  return draw % n;
}

static inline ulong fd_rng_ulong_roll(fd_rng_t * rng, ulong n) {
  ulong reject = (0UL - n) % n;
  ulong draw;
  do draw = fd_rng_ulong(rng);
  while (FD_UNLIKELY(draw < reject));
  return draw % n;
}

static inline uchar fd_rng_uchar_roll(fd_rng_t * rng, uchar n) {
  return (uchar)fd_rng_uint_roll(rng, (uint)n);
}
static inline ushort fd_rng_ushort_roll(fd_rng_t * rng, ushort n) {
  return (ushort)fd_rng_uint_roll(rng, (uint)n);
}
static inline schar fd_rng_schar_roll(fd_rng_t * rng, schar n) {
  return (schar)fd_rng_uint_roll(rng, (uint)n);
}
static inline short fd_rng_short_roll(fd_rng_t * rng, short n) {
  return (short)fd_rng_uint_roll(rng, (uint)n);
}
static inline int fd_rng_int_roll(fd_rng_t * rng, int n) {
  return (int)fd_rng_uint_roll(rng, (uint)n);
}
static inline long fd_rng_long_roll(fd_rng_t * rng, long n) {
  return (long)fd_rng_ulong_roll(rng, (ulong)n);
}

/* The number of fair coin tosses up to and including the first heads, so at least 1. */
static inline ulong fd_rng_coin_tosses(fd_rng_t * rng) {
  ulong cnt = 1UL;
  uint draw;
  while (FD_UNLIKELY(!(draw = fd_rng_uint(rng)))) cnt += 32UL;
  return cnt + (ulong)fd_uint_find_lsb(draw);
}

/* Floating point in the unit interval from the top 24 (53) bits: c0 in [0,1), c1 in (0,1],
   c in [0,1], o in (0,1). */
static inline float fd_rng_uint_to_float_c0(uint u) { return 0x1p-24f * (float)(int)(u >> 8); }
static inline float fd_rng_uint_to_float_c1(uint u) {
  return 0x1p-24f * (float)(int)((u >> 8) + 1U);
}
static inline float fd_rng_uint_to_float_c(uint u) {
  return 0x1p-24f * (float)(int)((u >> 8) + (u & 1U));
}
static inline float fd_rng_uint_to_float_o(uint u) {
  return 0x1p-24f * (float)(int)((u >> 8) | 1U);
}

static inline float fd_rng_float_c0(fd_rng_t * rng) {
  return fd_rng_uint_to_float_c0(fd_rng_uint(rng));
}
static inline float fd_rng_float_c1(fd_rng_t * rng) {
  return fd_rng_uint_to_float_c1(fd_rng_uint(rng));
}
static inline float fd_rng_float_c(fd_rng_t * rng) {
  return fd_rng_uint_to_float_c(fd_rng_uint(rng));
}
static inline float fd_rng_float_o(fd_rng_t * rng) {
  return fd_rng_uint_to_float_o(fd_rng_uint(rng));
}

#if FD_HAS_DOUBLE
static inline double fd_rng_ulong_to_double_c0(ulong u) {
  return 0x1p-53 * (double)(long)(u >> 11);
}
static inline double fd_rng_ulong_to_double_c1(ulong u) {
  return 0x1p-53 * (double)(long)((u >> 11) + 1UL);
}
static inline double fd_rng_ulong_to_double_c(ulong u) {
  return 0x1p-53 * (double)(long)((u >> 11) + (u & 1UL));
}
static inline double fd_rng_ulong_to_double_o(ulong u) {
  return 0x1p-53 * (double)(long)((u >> 11) | 1UL);
}

static inline double fd_rng_double_c0(fd_rng_t * rng) {
  return fd_rng_ulong_to_double_c0(fd_rng_ulong(rng));
}
static inline double fd_rng_double_c1(fd_rng_t * rng) {
  return fd_rng_ulong_to_double_c1(fd_rng_ulong(rng));
}
static inline double fd_rng_double_c(fd_rng_t * rng) {
  return fd_rng_ulong_to_double_c(fd_rng_ulong(rng));
}
static inline double fd_rng_double_o(fd_rng_t * rng) {
  return fd_rng_ulong_to_double_o(fd_rng_ulong(rng));
}
#endif

/* Other distributions: robust is uniform in (0,1) with a full mantissa however small the number, exp
   exponential with mean 1, norm normal with mean 0 and variance 1.  How many slots a call takes is not
   part of the contract. */
float fd_rng_float_robust(fd_rng_t * rng);
float fd_rng_float_exp(fd_rng_t * rng);
float fd_rng_float_norm(fd_rng_t * rng);
#if FD_HAS_DOUBLE
double fd_rng_double_robust(fd_rng_t * rng);
double fd_rng_double_exp(fd_rng_t * rng);
double fd_rng_double_norm(fd_rng_t * rng);
#endif

/* fd_rng_secure fills mem with sz bytes from the operating system's cryptographic generator.
   Returns mem, or NULL (logs) if that generator is not available. */
void * fd_rng_secure(void * mem, ulong sz);

FD_PROTOTYPES_END

#endif
