/* Prints numbers whose definition the interface gives exactly (rng streams, hashes, svw codes,
   integer roots, partitions) for inputs drawn from the seed in argv[1]; values.t computes them
   again in Python.  One line each: what, arguments, results, all in hex unless the name says float.
 */

#include "fd/util/fd_util.h"
#include "fd/util/math/fd_sqrt.h"

#include <stdio.h>
#include <stdlib.h>

static fd_rng_t rng[1];

/* One result; a statement each, as the order of arguments of one call is not specified. */
#define PUT(x)  printf(" %lx", (ulong)(x))
#define PUTF(x) printf(" %a", (double)(x))

/* The stream of one generator: every method once per round, so that the slots they take count. */
static void print_stream(uint seq, ulong idx, uint n) {
  fd_rng_t r[1];
  fd_rng_join(fd_rng_new(r, seq, idx));
  printf("rng %x %lx %x", seq, idx, n);
  PUT(fd_rng_uchar(r));
  PUT(fd_rng_ushort(r));
  PUT(fd_rng_uint(r));
  PUT(fd_rng_ulong(r));
  PUT(fd_rng_schar(r));
  PUT(fd_rng_short(r));
  PUT(fd_rng_int(r));
  PUT(fd_rng_long(r));
  uint128 wide = fd_rng_uint128(r);
  PUT(wide >> 64);
  PUT(wide);
  PUT(fd_rng_uchar_roll(r, (uchar)(n | 1U)));
  PUT(fd_rng_ushort_roll(r, (ushort)(n | 1U)));
  PUT(fd_rng_uint_roll(r, n | 1U));
  PUT(fd_rng_ulong_roll(r, ((ulong)n << 32) | 5UL));
  PUT(fd_rng_schar_roll(r, (schar)((n & 127U) | 1U)));
  PUT(fd_rng_short_roll(r, (short)((n & 32767U) | 1U)));
  PUT(fd_rng_int_roll(r, (int)((n >> 1) | 1U)));
  PUT(fd_rng_long_roll(r, (long)(((ulong)n << 31) | 3UL)));
  PUT(fd_rng_coin_tosses(r));
  PUT(fd_rng_idx(r));
  PUT(fd_rng_seq(r));
  printf("\n");
}

static void print_floats(uint u, ulong w) {
  printf("float %x %lx %a %a %a %a", u, w, (double)fd_rng_uint_to_float_c0(u),
         (double)fd_rng_uint_to_float_c1(u), (double)fd_rng_uint_to_float_c(u),
         (double)fd_rng_uint_to_float_o(u));
  printf(" %a %a %a %a\n", fd_rng_ulong_to_double_c0(w), fd_rng_ulong_to_double_c1(w),
         fd_rng_ulong_to_double_c(w), fd_rng_ulong_to_double_o(w));
}

/* The generators by name are the conversions of the next draw. */
static void print_float_draws(uint seq) {
  fd_rng_t r[1];
  fd_rng_new(r, seq, 0UL);
  printf("draws %x", seq);
  PUTF(fd_rng_float_c0(r));
  PUTF(fd_rng_float_c1(r));
  PUTF(fd_rng_float_c(r));
  PUTF(fd_rng_float_o(r));
  PUTF(fd_rng_double_c0(r));
  PUTF(fd_rng_double_c1(r));
  PUTF(fd_rng_double_c(r));
  PUTF(fd_rng_double_o(r));
  printf("\n");
}

static void print_hashes(ulong x, ulong sz) {
  uchar buf[200], copy[200];
  for (ulong i = 0UL; i < sz; i++) buf[i] = (uchar)(x >> (i % 8UL) ^ i);
  printf("hash %lx %lx %x %lx", x, sz, fd_uint_hash((uint)x), fd_ulong_hash(x));
  printf(" %x %lx", fd_uint_hash_inverse(fd_uint_hash((uint)x)),
         fd_ulong_hash_inverse(fd_ulong_hash(x)));
  PUT(fd_hash(x, buf, sz));
  PUT(fd_hash_memcpy(x, copy, buf, sz));
  PUT(!memcmp(buf, copy, sz));
  printf("\n");
}

static void print_svw(ulong x) {
  uchar b[32];
  memset(b, 0x5a, sizeof(b));
  uchar * end = fd_ulong_svw_enc(b + 8, x);
  ulong sz = (ulong)(end - (b + 8)), fwd, back;
  uchar const * f = fd_ulong_svw_dec(b + 8, &fwd);
  uchar const * t = fd_ulong_svw_dec_tail(end, &back);
  printf("svw %lx %lx ", x, fd_ulong_svw_enc_sz(x));
  for (ulong i = 0UL; i < sz; i++) printf("%02x", (uint)b[8UL + i]);
  int whole = f == end && t == b + 8 && b[7] == 0x5a && *end == 0x5a &&
              fd_ulong_svw_dec_sz(b + 8) == sz && fd_ulong_svw_dec_tail_sz(end) == sz;
  printf(" %lx %lx %lx %x\n", fwd, back, fd_ulong_svw_dec_fixed(b + 8, sz), (uint)whole);
}

static void print_roots(ulong x) {
  printf("root %lx %lx %lx %lx %lx %lx %lx %lx %lx", x, fd_ulong_floor_sqrt(x),
         fd_ulong_round_sqrt(x), fd_ulong_ceil_sqrt(x), fd_ulong_approx_sqrt(x),
         fd_ulong_floor_cbrt(x), fd_ulong_round_cbrt(x), fd_ulong_ceil_cbrt(x),
         fd_ulong_approx_cbrt(x));
  printf(" %lx %x\n", fd_ulong_sqrt(x), fd_uint_sqrt((uint)x));
}

static void print_partition(ulong t0, ulong t1, ulong lanes, ulong w, ulong cnt) {
  ulong lo, hi;
  FD_TPOOL_PARTITION(t0, t1, lanes, w, cnt, lo, hi);
  printf("part %lx %lx %lx %lx %lx %lx %lx\n", t0, t1, lanes, w, cnt, lo, hi);
}

static ulong any_width(void) { return fd_rng_ulong(rng) >> fd_rng_int_roll(rng, 64); }

static void print_edges(void) {
  for (int b = 0; b < 64; b++) {
    ulong x = 1UL << b;
    for (ulong d = 0UL; d < 3UL; d++) print_svw(x + d - 1UL), print_roots(x + d - 1UL);
    ulong r = x & 0xffffffffUL;
    for (ulong d = 0UL; r && d < 5UL; d++)
      print_roots(r * r + d - 2UL), print_roots(r * r + r + d - 2UL);
    ulong c = x & 0x1fffffUL;
    for (ulong d = 0UL; c && d < 5UL; d++) print_roots((c + 1UL) * c * c + d - 2UL);
  }
  print_svw(ULONG_MAX);
  print_roots(ULONG_MAX);
  print_floats(0U, 0UL);
  print_floats(UINT_MAX, ULONG_MAX);
  for (ulong sz = 0UL; sz < 130UL; sz++) print_hashes(fd_rng_ulong(rng), sz);
}

int main(int argc, char ** argv) {
  fd_rng_new(rng, argc > 1 ? (uint)strtoul(argv[1], NULL, 0) : 0U, 0UL);
  print_edges();
  for (int i = 0; i < 300; i++) {
    print_stream(fd_rng_uint(rng), any_width(), fd_rng_uint(rng) | (i & 1 ? 1U << 31 : 0U));
    print_stream((uint)i, (ulong)i, 0xffffffffU);
    print_floats(fd_rng_uint(rng), fd_rng_ulong(rng));
    print_float_draws(fd_rng_uint(rng));
    print_svw(any_width());
    print_roots(any_width());
    ulong t0 = any_width(), t1 = t0 + any_width(), cnt = 1UL + fd_rng_ulong_roll(rng, 40UL);
    if (t1 < t0) t1 = ULONG_MAX;
    ulong lanes = 1UL + fd_rng_ulong_roll(rng, 9UL);
    for (ulong w = 0UL; w < cnt; w++) print_partition(t0, t1, lanes, w, cnt);
  }
  return 0;
}
