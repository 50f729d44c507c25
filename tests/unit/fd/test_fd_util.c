/* Bits, hashes, rng streams, cstr, env and io.  Oracles: bit-by-bit definitions over all 8-bit
   values and random wider ones, libxxhash, numbers computed by an independent Python model of the
   rng, and libc. */

#include "fd/util/fd_util.h"
#include "fd/util/math/fd_sqrt.h"
#include "tests/unit/tap.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

FD_STATIC_ASSERT(FD_ULONG_ALIGN_UP(5UL, 8UL) == 8UL && FD_ULONG_MASK_LSB(64) == ULONG_MAX &&
                     FD_ULONG_MASK_MSB(1) == 1UL << 63,
                 constants);
FD_STATIC_ASSERT(FD_LAYOUT_FINI(FD_LAYOUT_APPEND(FD_LAYOUT_APPEND(FD_LAYOUT_INIT, 8UL, 3UL), 16UL,
                                                 20UL),
                                32UL) == 64UL,
                 layout);

/* Slow definitions on the widest type. */
static int bit(uint128 x, int b) { return (int)(x >> b & 1U); }
static uint128 range_mask(int l, int h) {
  uint128 m = 0U;
  for (int b = l; b <= h; b++) m |= (uint128)1U << b;
  return m;
}

/* Checks every op of type T on x and y; evaluates to 1 if all agree. */
#define DEFINE_CHECK(T, w)                                                                         \
  static int check_##T(T x, T y, int n) {                                                          \
    int good = 1, pop = 0, lo = -1, hi = -1, b = n % w, l = n % w,                                 \
        h = l + (int)((uint)y % (uint)(w - l));                                                    \
    T rot = x, back = x, swapped = 0;                                                              \
    for (int i = 0; i < w; i++) {                                                                  \
      pop += bit(x, i);                                                                            \
      if (bit(x, i)) hi = i;                                                                       \
      if (bit(x, i) && lo < 0) lo = i;                                                             \
    }                                                                                              \
    for (int i = 0; i < b; i++) rot = (T)((T)(rot << 1) | (T)bit(rot, w - 1));                     \
    for (int i = 0; i < b; i++) back = (T)((T)(back >> 1) | (T)((T)bit(back, 0) << (w - 1)));      \
    for (int i = 0; i < w; i += 8)                                                                 \
      swapped = (T)(swapped | (T)((T)((x >> i) & 255U) << (w - 8 - i)));                           \
    T rm = (T)range_mask(l, h), a = (T)((T)1 << b);                                                \
    good &= fd_##T##_popcnt(x) == pop && fd_##T##_is_pow2(x) == (pop == 1);                        \
    good &= fd_##T##_find_lsb_w_default(x, -1) == lo && fd_##T##_find_msb_w_default(x, -1) == hi;  \
    good &= fd_##T##_lsb(x) == (T)(lo < 0 ? 0 : (T)1 << lo) &&                                     \
            fd_##T##_pop_lsb(x) == (T)(x ^ fd_##T##_lsb(x));                                       \
    good &= fd_##T##_rotate_left(x, b) == rot && fd_##T##_rotate_right(x, b) == back;              \
    good &= fd_##T##_rotate_left(x, b - 2 * w) == rot && fd_##T##_rotate_right(x, b + w) == back;  \
    good &= fd_##T##_bswap(x) == swapped;                                                          \
    good &= fd_##T##_mask(l, h) == rm && fd_##T##_clear(x, l, h) == (T)(x & (T)~rm);               \
    good &= fd_##T##_set(x, l, h) == (T)(x | rm) && fd_##T##_flip(x, l, h) == (T)(x ^ rm);         \
    good &= fd_##T##_extract(x, l, h) == (T)((T)(x & rm) >> l);                                    \
    good &= fd_##T##_insert(x, l, h, fd_##T##_extract(y, l, h)) == (T)((x & (T)~rm) | (y & rm));   \
    good &= fd_##T##_mask_lsb(b) == (T)(b ? range_mask(0, b - 1) : 0U) &&                          \
            fd_##T##_mask_lsb(w) == (T) ~(T)0;                                                     \
    good &= fd_##T##_insert_lsb(x, b, fd_##T##_extract_lsb(y, b)) ==                               \
            fd_##T##_blend(fd_##T##_mask_lsb(b), y, x);                                            \
    good &= fd_##T##_extract_bit(x, b) == bit(x, b) && fd_##T##_insert_bit(x, b, 1) == (T)(x | a); \
    good &= fd_##T##_insert_bit(x, b, 0) == fd_##T##_clear_bit(x, b) &&                            \
            fd_##T##_flip_bit(x, b) == (T)(x ^ a);                                                 \
    good &= fd_##T##_align_dn(x, a) == (T)(x - x % a) && fd_##T##_alignment(x, a) == x % a;        \
    good &= fd_##T##_align_up(x, a) == (T)(x % a ? (T)(x - x % a + a) : x);                        \
    good &=                                                                                        \
        fd_##T##_is_aligned(x, a) == !(x % a) && fd_##T##_min(x, y) + fd_##T##_max(x, y) == x + y; \
    good &= fd_##T##_shift_left(x, w) == 0 && fd_##T##_shift_right(x, w + 1) == 0;                 \
    good &= fd_##T##_shift_left(x, b) == (T)(x << b) && fd_##T##_shift_right(x, b) == (T)(x >> b); \
    good &= fd_##T##_pow2(b) == a && fd_##T##_pow2(w) == 0;                                        \
    good &= fd_##T##_pow2_dn(x) == (T)((T)1 << (hi < 0 ? 0 : hi));                                 \
    good &= fd_##T##_pow2_up(x) == (T)(pop < 2 ? x : hi == w - 1 ? 0 : (T)2 << hi);                \
    good &= fd_##T##_if(2, x, y) == x && fd_##T##_if(0, x, y) == y;                                \
    return good;                                                                                   \
  }
DEFINE_CHECK(uchar, 8)
DEFINE_CHECK(ushort, 16)
DEFINE_CHECK(uint, 32)
DEFINE_CHECK(ulong, 64)
DEFINE_CHECK(uint128, 128)

#define SIGNED_OK(T, UT, w, x, n)                                                       \
  (fd_##T##_shift_right((x), (n)) == (T)((n) >= w ? ((x) < 0 ? -1 : 0) : (x) >> (n)) && \
   fd_##T##_zz_dec(fd_##T##_zz_enc(x)) == (x) &&                                        \
   fd_##T##_abs(x) == (UT)((x) < 0 ? -(UT)(x) : (UT)(x)) &&                             \
   fd_##T##_zz_enc(x) == (UT)((x) < 0 ? ~((UT)(x) << 1) : (UT)(x) << 1) &&              \
   (UT)fd_##T##_rotate_left((x), (n)) == fd_##UT##_rotate_left((UT)(x), (n)))

static void test_bits(fd_rng_t * rng) {
  int good[6] = {1, 1, 1, 1, 1, 1};
  for (int x = 0; x < 256; x++) {
    for (int n = 0; n < 8; n++) good[0] &= check_uchar((uchar)x, fd_rng_uchar(rng), n);
    for (int n = 0; n < 12; n++) good[5] &= SIGNED_OK(schar, uchar, 8, (schar)x, n);
  }
  for (int i = 0; i < 20000; i++) {
    int s = (int)fd_rng_uint_roll(rng, 128U), n = (int)fd_rng_uint_roll(rng, 128U);
    uint128 x = fd_rng_uint128(rng) >> s, y = fd_rng_uint128(rng);
    good[1] &= check_ushort((ushort)x, (ushort)y, n);
    good[2] &= check_uint((uint)x, (uint)y, n);
    good[3] &= check_ulong((ulong)x, (ulong)y, n);
    good[4] &= check_uint128(x, y, n);
    good[5] &= SIGNED_OK(short, ushort, 16, (short)y, n) && SIGNED_OK(int, uint, 32, (int)y, n) &&
               SIGNED_OK(long, ulong, 64, (long)y, n) &&
               SIGNED_OK(int128, uint128, 128, (int128)y, n);
  }
  static char const * const name[6] = {"uchar", "ushort", "uint", "ulong", "uint128", "signed"};
  for (int i = 0; i < 6; i++) ok(good[i], "bit operations on %s", name[i]);
  ok(fd_ulong_base10_dig_cnt(0UL) == 1UL && fd_ulong_base10_dig_cnt(ULONG_MAX) == 20UL &&
         fd_uint128_base10_dig_cnt(UINT128_MAX) == 39UL,
     "decimal digits");
  ok(fd_double_eq(0. / 1., 0.) && !fd_double_eq(0., -0.) && fd_float_abs(-1.f) == 1.f,
     "floating point");
  ulong a = 1UL, b = 2UL;
  fd_swap(a, b);
  fd_swap_if(0, a, b);
  ok(a == 2UL && b == 1UL && fd_max(fd_min(3, 4), 2) == 3 && fd_align_up(9UL, 8UL) == 16UL &&
         fd_is_pow2(8) && !fd_is_pow2(0),
     "generic forms");
  ok(fd_ptr_if(1, &a, NULL) == &a &&
         FD_VA_ARGS_SELECT(x, y, z, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17,
                           16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1) == 3,
     "pointer select, argument count");
}

static void test_sqrt(fd_rng_t * rng) {
  int good = fd_ulong_sqrt(0UL) == 0UL && fd_ulong_sqrt(ULONG_MAX) == 0xffffffffUL &&
             fd_uint_sqrt(UINT_MAX) == 65535U;
  for (int i = 0; i < 20000; i++) {
    ulong x = fd_rng_ulong(rng) >> fd_rng_uint_roll(rng, 64U);
    if (i & 1) x = (x >> 32) * (x >> 32) - (ulong)(i >> 1 & 1);
    ulong r = fd_ulong_sqrt(x);
    good &= (uint128)r * r <= x && (uint128)(r + 1UL) * (r + 1UL) > x;
  }
  ok(good, "square roots");
}

static void test_hash(fd_rng_t * rng) {
  static uchar buf[5000], copy[5000];
  int good = 1, inverse = 1;
  for (ulong i = 0UL; i < sizeof(buf); i++) buf[i] = fd_rng_uchar(rng);
  for (int i = 0; i < 3000; i++) {
    ulong sz = fd_rng_ulong_roll(rng, i & 1 ? 100UL : 4000UL), off = fd_rng_ulong_roll(rng, 900UL),
          seed = fd_rng_ulong(rng);
    ulong want = XXH64(buf + off, sz, seed);
    good &= fd_hash(seed, buf + off, sz) == want &&
            fd_hash_memcpy(seed, copy, buf + off, sz) == want && fd_memeq(copy, buf + off, sz);
    inverse &= fd_ulong_hash_inverse(fd_ulong_hash(seed)) == seed &&
               fd_uint_hash_inverse(fd_uint_hash((uint)seed)) == (uint)seed;
  }
  ok(good, "fd_hash is XXH64");
  ok(inverse && !fd_ulong_hash(0UL) && !fd_uint_hash(0U), "inverses");
  memset(copy, 0, 100UL);
  ok(fd_mem_iszero(copy, 99UL) && (copy[98] = 1) && !fd_mem_iszero(copy, 99UL) &&
         fd_mem_iszero(copy, 0UL),
     "zero test");
}

static void test_rng(void) {
  fd_rng_t r[1];
  ulong s = 0UL;
  ok(fd_rng_join(fd_rng_new(r, 1234U, 5UL)) == r && fd_rng_seq(r) == 1234U && fd_rng_idx(r) == 5UL,
     "new, join");
  ok(fd_rng_uint(r) == 0x28d1766fU && fd_rng_uint(r) == 0x69cec33aU &&
         fd_rng_uint(r) == 0x844b069U && fd_rng_uint(r) == 0xca727aedU,
     "uints of a known stream");
  ok(fd_rng_ulong(r) == 0x86350cd2da884e9UL && fd_rng_uchar(r) == 0x8b &&
         fd_rng_ushort(r) == 0xe08f && fd_rng_idx(r) == 13UL,
     "other widths");
  fd_rng_new(r, 7U, 0UL);
  for (int i = 0; i < 1000; i++) s = s * 31UL + (ulong)fd_rng_uint_roll(r, 3000000000U);
  ok(s == 1532810153185035306UL && fd_rng_idx(r) == 1428UL, "uint rolls");
  fd_rng_new(r, 8U, s = 0UL);
  for (int i = 0; i < 1000; i++) s = s * 31UL + fd_rng_ulong_roll(r, (1UL << 63) + 1UL);
  ok(s == 5783687796963053600UL && fd_rng_idx(r) == 4126UL, "ulong rolls");
  fd_rng_new(r, 9U, ULONG_MAX - 3UL);
  s = 0UL;
  for (int i = 0; i < 1000; i++) s = s * 31UL + fd_rng_coin_tosses(r);
  ok(s == 5210444036911312153UL && fd_rng_idx(r) == 996UL, "coin tosses");
  ok(fd_rng_seq_set(r, 3U) == 9U && fd_rng_idx_set(r, 4UL) == 996UL && fd_rng_seq(r) == 3U, "set");
  ok(fd_rng_uint_to_float_c0(UINT_MAX) < 1.f && fd_rng_uint_to_float_c1(UINT_MAX) == 1.f &&
         fd_rng_uint_to_float_c(UINT_MAX) == 1.f && fd_rng_uint_to_float_o(0U) == 0x1p-24f,
     "floats");
  ok(fd_rng_ulong_to_double_c0(ULONG_MAX) < 1. && fd_rng_ulong_to_double_c1(0UL) == 0x1p-53 &&
         fd_rng_ulong_to_double_c(0UL) == 0. && fd_rng_ulong_to_double_o(ULONG_MAX) < 1.,
     "doubles");
  double sum = 0., exp_sum = 0., norm_sum = 0., norm_sq = 0.;
  fd_rng_new(r, 10U, 0UL);
  for (int i = 0; i < 100000; i++) {
    double norm = i & 1 ? fd_rng_double_norm(r) : (double)fd_rng_float_norm(r);
    sum += i & 1 ? fd_rng_double_robust(r) : (double)fd_rng_float_robust(r);
    exp_sum += i & 1 ? fd_rng_double_exp(r) : (double)fd_rng_float_exp(r);
    norm_sum += norm;
    norm_sq += norm * norm;
  }
  ok(fd_double_abs(sum / 1e5 - 0.5) < 0.01 && fd_double_abs(exp_sum / 1e5 - 1.) < 0.02 &&
         fd_double_abs(norm_sum / 1e5) < 0.02 && fd_double_abs(norm_sq / 1e5 - 1.) < 0.03,
     "moments of the other distributions");
  ok(fd_rng_secure(r, sizeof(r)) == r, "secure");
}

static void test_cstr(void) {
  char b[64], text[] = " a,, b,";
  char * tok[4];
  ulong len, seq[8];
  ok(fd_cstr_to_int("-0x10") == -16 && fd_cstr_to_ulong("010") == 8UL &&
         fd_cstr_to_uchar("257") == 1 && !fd_cstr_to_long("x") &&
         fd_cstr_to_ulong_octal("0600") == 0600UL && fd_cstr_to_char("q") == 'q',
     "numbers");
  ok(fd_cstr_to_ulong_seq("1,3-5,10-20/5", seq, 8UL) == 7UL && seq[3] == 5UL && seq[6] == 20UL &&
         fd_cstr_to_ulong_seq("0-99:1", seq, 8UL) == 100UL,
     "sequences");
  ok(!fd_cstr_to_ulong_seq("5-3", seq, 8UL) && !fd_cstr_to_ulong_seq("1,,", seq, 8UL) &&
         !fd_cstr_to_ulong_seq("", seq, 8UL) && !fd_cstr_to_ulong_seq("1-5/0", seq, 8UL) &&
         !fd_cstr_to_ulong_seq(NULL, seq, 8UL),
     "malformed sequences");
  ok(fd_cstr_hash("hello") == 210631454183UL && fd_cstr_hash(NULL) == 5381UL &&
         fd_cstr_hash_append(fd_cstr_hash("he"), "llo") == fd_cstr_hash("hello"),
     "hash");
  ok(!fd_cstr_casecmp("AbC", "aBc") && fd_cstr_nlen("abc", 2UL) == 2UL && !fd_cstr_nlen(NULL, 2UL),
     "compare, length");
  memset(b, 'x', sizeof(b));
  ok(!strcmp(fd_cstr_ncpy(b, "abcdef", 4UL), "abc") &&
         !memcmp(fd_cstr_ncpy(b, NULL, 8UL), "\0\0\0\0\0\0\0\0x", 9UL),
     "bounded copy");
  ok(fd_cstr_printf(b, 5UL, &len, "%s", "abcdef") == b && len == 4UL && !strcmp(b, "abcd") &&
         !fd_cstr_printf_check(b, 5UL, &len, "12345") &&
         fd_cstr_printf_check(b, 6UL, &len, "12345"),
     "printf");
  char * p = fd_cstr_init(b);
  p = fd_cstr_append_char(p, '<');
  p = fd_cstr_append_ulong_as_text(p, ' ', '-', 42UL, 6UL);
  p = fd_cstr_append_uint_as_hex(p, '0', 0xbeefU, 6UL);
  p = fd_cstr_append_fxp10_as_text(p, ' ', '+', 3UL, 12345UL, 9UL);
  p = fd_cstr_append_uint128_as_text(p, '*', '\0', (uint128)1000U, 5UL);
  p = fd_cstr_append_cstr_safe(p, "abcdef", 3UL);
  p = fd_cstr_append_utf8(p, 0x20acU);
  p = fd_cstr_append_utf8(p, 0x1f600U);
  p = fd_cstr_append_utf8(p, 0xe9U);
  p = fd_cstr_append_printf(p, "%d", 7);
  fd_cstr_fini(p);
  is_str(b,
         "<   -4200beef  +12.345*1000abc\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9"
         "7",
         "appends");
  is_ulong(fd_cstr_tokenize(tok, 4UL, text, ','), 3UL, "tokens");
  ok(!strcmp(tok[0], "a") && !strcmp(tok[1], "") && !strcmp(tok[2], "b"), "the tokens");
  ok(fd_isdigit('7') == 1 && fd_isspace('x') == 0, "character classes");
}

static void test_env(void) {
  char * args[] = {(char *)(ulong) "prog",   (char *)(ulong) "--a", (char *)(ulong) "1",
                   (char *)(ulong) "x",      (char *)(ulong) "--a", (char *)(ulong) "2",
                   (char *)(ulong) "--flag", (char *)(ulong) "--a", NULL};
  char ** argv = args;
  int argc = 8;
  setenv("FD_TEST_ENV", "77", 1);
  ok(fd_env_strip_cmdline_ulong(&argc, &argv, "--a", "FD_TEST_ENV", 5UL) == 2UL && argc == 3 &&
         !argv[3] && !strcmp(argv[1], "x"),
     "last pair wins, all are stripped");
  ok(fd_env_strip_cmdline_ulong(&argc, &argv, "--a", "FD_TEST_ENV", 5UL) == 77UL &&
         fd_env_strip_cmdline_int(&argc, &argv, "--a", "", 5) == 5 && argc == 3,
     "environment, default");
  ok(fd_env_strip_cmdline_cstr(NULL, NULL, NULL, NULL, NULL) == NULL, "nothing at all");
  ok(fd_env_strip_cmdline_contains(&argc, &argv, "--flag") && argc == 2 &&
         !fd_env_strip_cmdline_contains(&argc, &argv, "--flag"),
     "flag");
}

static void test_io(void) {
  char path[] = "/tmp/test_fd_util.XXXXXX", b[16];
  int fd = mkstemp(path);
  ulong sz, rbuf[2];
  unlink(path);
  ok(!fd_io_write(fd, "hello world", 11UL, 11UL, &sz) && sz == 11UL && !fd_io_sz(fd, &sz) &&
         sz == 11UL,
     "write, size");
  ok(!fd_io_seek(fd, -5L, FD_IO_SEEK_TYPE_END, &sz) && sz == 6UL &&
         !fd_io_read(fd, b, 1UL, 16UL, &sz) && sz == 5UL,
     "seek, read what there is");
  ok(fd_io_read(fd, b, 1UL, 16UL, &sz) < 0 && !sz && !fd_io_read(fd, b, 0UL, 0UL, &sz),
     "end of file, nothing wanted");
  ok(fd_io_seek(fd, -5L, FD_IO_SEEK_TYPE_SET, &sz) == EINVAL && !sz &&
         fd_io_seek(fd, 0L, 7, &sz) == EINVAL,
     "bad seeks");
  ok(fd_io_read(-1, b, 1UL, 1UL, &sz) == EBADF && fd_io_write(-1, b, 1UL, 1UL, &sz) == EBADF &&
         fd_io_sz(-1, &sz) == EBADF,
     "bad descriptor");
  fd_io_seek(fd, 0L, FD_IO_SEEK_TYPE_SET, &sz);
  fd_io_buffered_istream_t in[1];
  fd_io_buffered_istream_init(in, fd, rbuf, 8UL);
  ok(!fd_io_buffered_istream_read(in, b, 3UL) && !fd_io_buffered_istream_skip(in, 4UL) &&
         !fd_io_buffered_istream_read(in, b + 3, 4UL) && !memcmp(b, "helorld", 7UL),
     "buffered read");
  ok(fd_io_buffered_istream_read(in, b, 1UL) < 0, "buffered end of file");
  fd_io_buffered_ostream_t out[1];
  fd_io_buffered_ostream_init(out, fd, rbuf, 8UL);
  ok(!fd_io_buffered_ostream_write(out, "12345", 5UL) &&
         !fd_io_buffered_ostream_write(out, "6789012345", 10UL) &&
         !fd_io_buffered_ostream_flush(out) && !fd_io_sz(fd, &sz) && sz == 26UL,
     "buffered write");
  void const * mmio;
  ok(!fd_io_mmio_init(fd, FD_IO_MMIO_MODE_READ_ONLY, &mmio, &sz) && sz == 26UL &&
         !memcmp(mmio, "hello world123456789012345", 26UL),
     "mmio");
  fd_io_mmio_fini(mmio, sz);
  ok(!fd_io_truncate(fd, 0UL) && !fd_io_mmio_init(fd, 0, &mmio, &sz) && !mmio && !sz &&
         fd_io_mmio_init(fd, 2, &mmio, &sz) == EINVAL,
     "mmio of an empty file, bad mode");
  int pipe_fd[2];
  if (pipe2(pipe_fd, O_NONBLOCK)) return;
  ok(fd_io_read(pipe_fd[0], b, 0UL, 4UL, &sz) == EAGAIN && !sz, "EAGAIN only for min 0");
  ok(fd_io_strerror(0) && fd_io_strerror(-1) && fd_io_strerror(EIO) && fd_io_strerror(123456),
     "texts");
  close(fd);
}

static int turnstile_locked(int blocking) {
  int ran = 0;
  FD_TURNSTILE_BEGIN(blocking) {
    ran = 1;
    if (blocking) break;
    ran = 3;
  }
  FD_TURNSTILE_BLOCKED { ran = 2; }
  FD_TURNSTILE_END;
  return ran;
}

static int once_count(void) {
  static int count;
  for (int i = 0; i < 3; i++) {
    FD_ONCE_BEGIN { count++; }
    FD_ONCE_END;
    FD_THREAD_ONCE_BEGIN { count += 10; }
    FD_THREAD_ONCE_END;
  }
  return count;
}

static void test_macros(void) {
  ulong x = 5UL;
  ulong * p = &x;
  ulong volatile v = 1UL;
  ok(FD_ATOMIC_CAS(&x, 5UL, 6UL) == 5UL && FD_ATOMIC_CAS(&x, 5UL, 7UL) == 6UL && x == 6UL &&
         FD_ATOMIC_XCHG(&x, 1UL) == 6UL,
     "cas, xchg");
  ok(FD_ATOMIC_CAS(&p, &x, NULL) == &x && !p && FD_ATOMIC_FETCH_AND_OR(&v, 6UL) == 1UL &&
         FD_ATOMIC_SUB_AND_FETCH(&v, 2UL) == 5UL,
     "pointers, volatiles");
  ok(turnstile_locked(0) == 3 && turnstile_locked(1) == 1 && turnstile_locked(1) == 1, "turnstile");
  is_ulong((ulong)once_count(), 11UL, "once");
  ok(FD_LOAD(ushort, "ab") == 0x6261 && fd_ulong_load_3("abcd") == 0x636261UL, "loads");
  is_str(FD_EXPAND_THEN_STRINGIFY(FD_EXPAND_THEN_CONCAT3(a, b, c)), "abc", "paste");
}

int main(int argc, char ** argv) {
  fd_rng_t rng[1];
  setenv("FD_LOG_PATH", "", 0); /* no litter in /tmp */
  fd_boot(&argc, &argv);
  uint seed = fd_env_strip_cmdline_uint(&argc, &argv, "--seed", NULL, (uint)fd_log_wallclock());
  printf("# --seed %u\n", seed);
  fd_rng_new(rng, seed, 0UL);
  test_bits(rng);
  test_sqrt(rng);
  test_hash(rng);
  test_rng();
  test_cstr();
  test_env();
  test_io();
  test_macros();
  fd_halt();
  return done_testing();
}
