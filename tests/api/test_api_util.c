/* The behaviour the util tables promise, row by row: base functions, cstr, env, io, log.  Numbers
   with an exact definition are in values.t, names and constants in test_api_names.c. */

#include "api.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#define PICK(...)                                                                                  \
  FD_VA_ARGS_SELECT(__VA_ARGS__, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17,   \
                    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)
#define AB 7

static void test_macros(void) {
  int one = 1, evaluated = 0;
  IS(!strcmp(FD_STRINGIFY(AB), "AB") && !strcmp(FD_EXPAND_THEN_STRINGIFY(AB), "7"));
  IS(FD_CONCAT2(1, 2) == 12 && FD_CONCAT3(1, 2, 3) == 123 && FD_CONCAT4(1, 2, 3, 4) == 1234);
  IS(FD_EXPAND_THEN_CONCAT2(1, AB) == 17 && FD_EXPAND_THEN_CONCAT3(AB, AB, AB) == 777 &&
     FD_EXPAND_THEN_CONCAT4(AB, 1, AB, 1) == 7171);
  IS(PICK(a) == 1 && PICK(a, b, c) == 3);
  IS(PICK(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
          26, 27, 28, 29, 30, 31, 32) == 32);
  IS(strstr(FD_SRC_LOCATION, "test_api_util.c(") &&
     FD_SRC_LOCATION[strlen(FD_SRC_LOCATION) - 1] == ')');
  IS(FD_LIKELY(5) == 1L && FD_UNLIKELY(-7L) == 1L && FD_LIKELY(0) == 0L);
  IS(sizeof(FD_LIKELY(1)) == sizeof(long));
  FD_COMPILER_FORGET(one);
  FD_COMPILER_UNPREDICTABLE(one);
  IS(one == 1 && FD_VOLATILE_CONST(one) == 1);
  FD_VOLATILE(one) = 2;
  IS(one == 2);
  ulong a = 1UL, b = 2UL;
  fd_swap(a, b);
  fd_swap_if(0, a, b);
  if (1)
    fd_swap_if(1, a, b); /* one statement */
  else
    evaluated++;
  IS(a == 1UL && b == 2UL && !evaluated);
  IS(fd_ptr_if(2, &a, &b) == &a && fd_ptr_if(0, &a, &b) == &b);
  ulong word = 0x8877665544332211UL;
  uchar * p = (uchar *)&word;
  IS(FD_LOAD(ushort, p + 1) == 0x3322 && fd_ulong_load_3(p + 1) == 0x443322UL &&
     fd_ulong_load_5(p) == 0x5544332211UL && fd_ulong_load_7(p) == 0x77665544332211UL);
  FD_STORE(uint, p + 1, 0U);
  IS(word == 0x8877660000000011UL);
}

static void test_atomics(void) {
  ulong x = 5UL;
  ushort volatile h = 7;
  schar c = -1;
  int i = 0;
  void * volatile ptr = &x;
  ulong * typed = &x;
  IS(FD_ATOMIC_FETCH_AND_ADD(&x, 2UL) == 5UL && FD_ATOMIC_FETCH_AND_SUB(&x, 1UL) == 7UL &&
     x == 6UL);
  IS(FD_ATOMIC_FETCH_AND_OR(&x, 9UL) == 6UL && FD_ATOMIC_FETCH_AND_AND(&x, 12UL) == 15UL);
  IS(FD_ATOMIC_FETCH_AND_XOR(&x, 15UL) == 12UL && x == 3UL);
  IS(FD_ATOMIC_ADD_AND_FETCH(&x, 2UL) == 5UL && FD_ATOMIC_SUB_AND_FETCH(&x, 1UL) == 4UL);
  IS(FD_ATOMIC_OR_AND_FETCH(&x, 3UL) == 7UL && FD_ATOMIC_AND_AND_FETCH(&x, 5UL) == 5UL &&
     FD_ATOMIC_XOR_AND_FETCH(&x, 4UL) == 1UL);
  IS(FD_ATOMIC_CAS(&h, 7, 8) == 7 && h == 8 && FD_ATOMIC_CAS(&h, 7, 9) == 8 && h == 8);
  IS(FD_ATOMIC_CAS(&c, -1, 3) == -1 && c == 3 && FD_ATOMIC_CAS(&i, 1, 2) == 0 && !i);
  IS(FD_ATOMIC_CAS(&ptr, (void *)&x, NULL) == &x && !ptr);
  IS(FD_ATOMIC_CAS(&typed, &x, NULL) == &x && !typed);
  IS(FD_ATOMIC_XCHG(&ptr, (void *)&i) == NULL && FD_ATOMIC_XCHG(&x, 0UL) == 1UL && !x);
  FD_COMPILER_MFENCE();
  FD_HW_MFENCE();
  FD_HW_MFENCE_LD();
  FD_HW_MFENCE_ST();
  FD_SPIN_PAUSE();
  FD_YIELD();
}

static int once_cnt, thread_once_cnt, turn_cnt, blocked_cnt, turn_inside, turn_overlap;

static void once(void) {
  FD_ONCE_BEGIN {
    fd_log_sleep(5000000L);
    once_cnt++;
    if (once_cnt) break;
    once_cnt += 100;
  }
  FD_ONCE_END;
  FD_THREAD_ONCE_BEGIN { FD_ATOMIC_FETCH_AND_ADD(&thread_once_cnt, 1); }
  FD_THREAD_ONCE_END;
}

static void turn(void) {
  FD_TURNSTILE_BEGIN(1) {
    turn_overlap |= turn_inside;
    turn_inside = 1;
    turn_cnt++;
    turn_inside = 0;
    if (turn_cnt & 1) continue; /* leaves this block only */
    if (turn_cnt & 2) break;
  }
  FD_TURNSTILE_BLOCKED {
    FD_ATOMIC_FETCH_AND_ADD(&blocked_cnt, 1);
    continue;
  }
  FD_TURNSTILE_END;
}

static int turn_go, once_early;

static void * contender(void * arg) {
  once();
  if (once_cnt != 1) FD_ATOMIC_FETCH_AND_ADD(&once_early, 1); /* begun, but not done */
  once();
  while (!__atomic_load_n(&turn_go, __ATOMIC_ACQUIRE)) FD_YIELD();
  for (int i = 0; i < 20000; i++) turn();
  return arg;
}

/* A use of the same turnstile from within its A block finds it held. */
static int nest(int depth) {
  int result = 0;
  FD_TURNSTILE_BEGIN(0) { result = depth ? 10 + nest(depth - 1) : 1; }
  FD_TURNSTILE_BLOCKED { result = 2; }
  FD_TURNSTILE_END;
  return result;
}

static void test_threads(void) {
  pthread_t thread[3];
  for (int i = 0; i < 3; i++) pthread_create(&thread[i], NULL, contender, NULL);
  __atomic_store_n(&turn_go, 1, __ATOMIC_RELEASE);
  for (int i = 0; i < 3; i++) pthread_join(thread[i], NULL);
  IS(once_cnt == 1 && !once_early && thread_once_cnt == 3);
  ok(turn_cnt == 60000 && !turn_overlap, "turnstile: %d turns, blocked %d", turn_cnt, blocked_cnt);
  IS(nest(1) == 12 && nest(0) == 1);
}

static void test_memory(void) {
  uchar a[40], b[40];
  IS(!fd_memcpy(NULL, NULL, 0UL) && !fd_memset(NULL, 0, 0UL));
  IS(fd_memset(a, 7, 40UL) == a && fd_memcpy(b, a, 40UL) == b && b[39] == 7);
  IS(fd_memeq(a, b, 40UL) == 1 && (b[39] = 8) && fd_memeq(a, b, 40UL) == 0 &&
     fd_memeq(a, b, 39UL) == 1);
  IS(fd_memeq(NULL, NULL, 0UL) == 1 && fd_mem_iszero(NULL, 0UL) == 1);
  fd_memzero_explicit(a + 1, 38UL);
  IS(a[0] == 7 && a[39] == 7 && fd_mem_iszero(a + 1, 38UL) == 1 && fd_mem_iszero(a, 39UL) == 0 &&
     fd_mem_iszero(a + 1, 39UL) == 0);
  long t = fd_tickcount();
  IS(_fd_tickcount(NULL) - t >= 0L);
  IS(fd_hash(0UL, NULL, 0UL) == 0xef46db3751d8e999UL); /* of nothing, as published for XXH64 */
  IS(fd_asan_poison(b, 8UL) == b && fd_asan_unpoison(b, 8UL) == b && !fd_asan_test(b) &&
     !fd_asan_query(b, 8UL));
}

static void test_bits_edges(void) {
  IS(fd_ulong_pow2_up(0UL) == 0UL && fd_ulong_pow2_up(1UL) == 1UL && fd_ulong_pow2_up(5UL) == 8UL &&
     fd_ulong_pow2_up((1UL << 63) + 1UL) == 0UL);
  IS(fd_ulong_pow2_dn(0UL) == 1UL && fd_ulong_pow2_dn(5UL) == 4UL && fd_uchar_pow2(8) == 0);
  IS(fd_ulong_align_up(ULONG_MAX, 8UL) == 0UL && fd_uchar_align_up(255, 2) == 0);
  IS(fd_ulong_mask_lsb(0) == 0UL && fd_ulong_mask_lsb(64) == ULONG_MAX &&
     fd_uchar_mask_lsb(8) == 255 && fd_ulong_mask(0, 63) == ULONG_MAX &&
     fd_uint_mask(31, 31) == 1U << 31);
  IS(fd_uchar_shift_left(1, 8) == 0 && fd_uint_shift_right(~0U, 32) == 0U &&
     fd_long_shift_right(-2L, 1000) == -1L && fd_schar_shift_right(64, 7) == 0 &&
     fd_int_shift_left(1, 32) == 0);
  IS(fd_uchar_rotate_left(0x81, -1) == 0xc0 && fd_ulong_rotate_right(1UL, 65) == 1UL << 63 &&
     fd_ushort_rotate_left(0x8001, 16) == 0x8001);
  IS(fd_long_abs(LONG_MIN) == 1UL << 63 && fd_schar_abs(-128) == 128 && fd_int_zz_enc(-1) == 1U &&
     fd_int_zz_enc(INT_MIN) == UINT_MAX && fd_int_zz_dec(UINT_MAX) == INT_MIN);
  IS(fd_uint_find_lsb_w_default(0U, -7) == -7 && fd_uint_find_msb_w_default(0U, 9) == 9 &&
     fd_ulong_find_msb(ULONG_MAX) == 63 && fd_uchar_find_lsb(128) == 7);
  IS(fd_ulong_base10_dig_cnt(0UL) == 1UL && fd_uchar_base10_dig_cnt(100) == 3UL &&
     fd_ulong_base10_dig_cnt(9999999999UL) == 10UL &&
     fd_ulong_base10_dig_cnt(10000000000UL) == 11UL);
  IS(fd_ulong_lsb(0UL) == 0UL && fd_ulong_pop_lsb(0UL) == 0UL && fd_ulong_lsb(12UL) == 4UL);
  float nan = nanf("");
  IS(fd_float_eq(nan, nan) == 1 && fd_double_eq(0., -0.) == 0 && signbit(fd_double_abs(-0.)) == 0);
  ulong kept = 3UL;
  fd_ulong_store_if(0, NULL, 9UL); /* not touched */
  fd_ulong_store_if(-1, &kept, 9UL);
  IS(kept == 9UL && fd_char_if(256, 'a', 'b') == 'a');
  IS(fd_is_pow2(8UL) && !fd_is_pow2(0) && fd_align_up(9UL, 8UL) == 16UL && fd_min(-1, 1) == -1 &&
     fd_max(2UL, 3UL) == 3UL);
  uchar mem[256];
  FD_SCRATCH_ALLOC_INIT(l, mem);
  uchar * p0 = (uchar *)FD_SCRATCH_ALLOC_APPEND(l, 1UL, 3UL);
  uchar * p1 = (uchar *)FD_SCRATCH_ALLOC_APPEND(l, 64UL, 8UL);
  IS(p0 == mem && (ulong)p1 == fd_ulong_align_up((ulong)mem + 3UL, 64UL));
  IS((ulong)FD_SCRATCH_ALLOC_FINI(l, 64UL) == (ulong)p1 + 64UL);
}

static void test_rng_state(void) {
  fd_rng_t mem[1];
  IS(fd_rng_new(mem, 0xfeedU, 3UL) == mem && fd_rng_join(mem) == mem);
  IS(fd_rng_seq(mem) == 0xfeedU && fd_rng_idx(mem) == 3UL);
  uint first = fd_rng_uint(mem);
  IS(fd_rng_idx_set(mem, 3UL) == 4UL && fd_rng_uint(mem) == first);
  IS(fd_rng_seq_set(mem, 1U) == 0xfeedU && fd_rng_seq(mem) == 1U && fd_rng_idx(mem) == 4UL);
  IS(fd_rng_leave(mem) == mem && fd_rng_delete(mem) == mem && fd_rng_align() == 16UL);
  IS(fd_rng_uint_roll(mem, 1U) == 0U && fd_rng_idx(mem) == 5UL);
  uchar bytes[600] = {0};
  IS(fd_rng_secure(bytes, 600UL) == bytes && !fd_mem_iszero(bytes + 560, 40UL));
  int in_range = 1;
  for (int i = 0; i < 1000; i++) {
    float f = fd_rng_float_robust(mem);
    double d = fd_rng_double_robust(mem);
    in_range &= f > 0.f && f < 1.f && d > 0. && d < 1. && fd_rng_double_exp(mem) >= 0. &&
                fd_rng_float_exp(mem) >= 0.f && isfinite(fd_rng_double_norm(mem)) &&
                isfinite(fd_rng_float_norm(mem));
  }
  IS(in_range);
}

static int seq_is(char const * text, ulong want_cnt, char const * want) {
  ulong seq[8];
  char got[256], *p = fd_cstr_init(got);
  ulong cnt = fd_cstr_to_ulong_seq(text, seq, 8UL);
  for (ulong i = 0UL; i < cnt && i < 8UL; i++) p = fd_cstr_append_printf(p, "%lu ", seq[i]);
  fd_cstr_fini(p);
  return cnt == want_cnt && !strcmp(got, want);
}

static void test_cstr_parse(void) {
  IS(fd_cstr_to_cstr("x")[0] == 'x' && !fd_cstr_to_cstr(NULL) && fd_cstr_to_char("yz") == 'y');
  IS(fd_cstr_to_int("-12x") == -12 && fd_cstr_to_uint("0x10") == 16U &&
     fd_cstr_to_ulong("010") == 8UL);
  IS(fd_cstr_to_uchar("257") == 1 && fd_cstr_to_schar("200") == -56 &&
     fd_cstr_to_ushort("-1") == 65535);
  IS(fd_cstr_to_ulong("18446744073709551615") == ULONG_MAX &&
     fd_cstr_to_long("-9223372036854775808") == LONG_MIN);
  IS(fd_cstr_to_float("0.5") == 0.5f && fd_cstr_to_double("-1e3") == -1000. &&
     fd_cstr_to_short("  7") == 7);
  IS(fd_cstr_to_ulong_octal("0600") == 0600UL && fd_cstr_to_ulong_octal("777") == 0777UL);
  IS(seq_is("3", 1UL, "3 ") && seq_is("1,2,9-11", 5UL, "1 2 9 10 11 "));
  IS(seq_is("0-6/3,7-9:2", 5UL, "0 3 6 7 9 ") && seq_is("5-5", 1UL, "5 "));
  IS(seq_is("0-99", 100UL, "0 1 2 3 4 5 6 7 "));
  IS(seq_is(" -2 - -1", 2UL, "18446744073709551614 18446744073709551615 ") &&
     seq_is("+1,\t0x10 - 0x1F / +010 , ", 3UL, "1 16 24 ") && seq_is("1,", 1UL, "1 "));
  IS(!fd_cstr_to_ulong_seq("", NULL, 0UL) && !fd_cstr_to_ulong_seq("1,,", NULL, 0UL) &&
     !fd_cstr_to_ulong_seq("a", NULL, 0UL) && !fd_cstr_to_ulong_seq("2-1", NULL, 0UL) &&
     !fd_cstr_to_ulong_seq("1-2/0", NULL, 0UL) && !fd_cstr_to_ulong_seq("1 2", NULL, 0UL) &&
     !fd_cstr_to_ulong_seq(NULL, NULL, 0UL));
  IS(fd_cstr_to_ulong_seq("1-3", NULL, 0UL) == 3UL);
  IS(fd_cstr_hash("") == 5381UL && fd_cstr_hash(NULL) == 5381UL &&
     fd_cstr_hash("a") == ((5381UL * 33UL) ^ 'a') &&
     fd_cstr_hash_append(fd_cstr_hash("ab"), "c") == fd_cstr_hash("abc") &&
     fd_cstr_hash("\xff") == ((5381UL * 33UL) ^ 255UL));
  IS(!fd_cstr_casecmp("AbC", "aBc") && fd_cstr_casecmp("a", "b") < 0);
  IS(fd_cstr_nlen("abc", 2UL) == 2UL && fd_cstr_nlen("abc", 9UL) == 3UL);
  char text[] = "a=,b, c,", *tok[8];
  ulong cnt = fd_cstr_tokenize(tok, 8UL, text, ',');
  IS(cnt == 3UL && !strcmp(tok[0], "a=") && !strcmp(tok[1], "b") && !strcmp(tok[2], "c"));
  IS(fd_isalnum('z') == 1 && fd_isdigit('9') == 1 && fd_isspace('x') == 0 && fd_isalpha('1') == 0);
  IS(fd_isascii(0x7f) == 1 && !fd_isascii(0x80) && fd_isblank('\t') == 1 && !fd_isblank('\n'));
}

static char field[64];

/* The cursor moved by exactly n and the n characters are those of want. */
static int field_is(char * end, char const * want) {
  int same = (ulong)(end - field) == strlen(want) && !strncmp(field, want, strlen(want));
  memset(field, '#', sizeof(field));
  return same;
}

static void test_cstr_print(void) {
  char buf[8];
  ulong len = 9UL;
  memset(buf, 'x', 8UL);
  IS(fd_cstr_ncpy(buf, "ab", 8UL) == buf && !memcmp(buf, "ab\0\0\0\0\0\0", 8UL));
  IS(!memcmp(fd_cstr_ncpy(buf, "abcdefghij", 8UL), "abcdefg", 8UL));
  IS(fd_mem_iszero((uchar *)fd_cstr_ncpy(buf, NULL, 8UL), 8UL));
  IS(fd_cstr_printf(buf, 8UL, &len, "%d", 12345678) == buf && len == 7UL &&
     !strcmp(buf, "1234567"));
  IS(fd_cstr_printf(buf, 8UL, NULL, "%d", 5) == buf && !strcmp(buf, "5"));
  IS(fd_cstr_printf_check(buf, 8UL, &len, "%s", "1234567") == 1 && len == 7UL);
  IS(fd_cstr_printf_check(buf, 8UL, &len, "%s", "12345678") == 0 && len == 7UL);
  char * p = fd_cstr_init(field);
  p = fd_cstr_append_char(p, 'a');
  p = fd_cstr_append_text(p, "bcd", 2UL);
  p = fd_cstr_append_cstr(p, "de");
  p = fd_cstr_append_cstr_safe(p, "fghi", 2UL);
  p = fd_cstr_append_printf(p, "%u", 7U);
  IS(fd_cstr_fini(p) == p && !strcmp(field, "abcdefg7"));
  IS(field_is(fd_cstr_append_uchar_as_text(field, ' ', '\0', 7, 3UL), "  7"));
  IS(field_is(fd_cstr_append_ushort_as_text(field, '0', '\0', 65535, 6UL), "065535"));
  IS(field_is(fd_cstr_append_uint_as_text(field, ' ', '-', 42U, 5UL), "  -42"));
  IS(field_is(fd_cstr_append_ulong_as_text(field, ' ', '+', 0UL, 2UL), "+0"));
  IS(field_is(fd_cstr_append_ulong_as_text(field, ' ', '\0', ULONG_MAX, 20UL),
              "18446744073709551615"));
  IS(field_is(fd_cstr_append_uint128_as_text(field, ' ', '\0', UINT128_MAX, 40UL),
              " 340282366920938463463374607431768211455"));
  IS(field_is(fd_cstr_append_uint_as_hex(field, '0', 0xabcU, 8UL), "00000abc"));
  IS(field_is(fd_cstr_append_ulong_as_hex(field, ' ', 0xffUL, 4UL), "  ff"));
  IS(field_is(fd_cstr_append_fxp10_as_text(field, ' ', '-', 2UL, 12345UL, 8UL), " -123.45"));
  IS(field_is(fd_cstr_append_fxp10_as_text(field, ' ', '\0', 3UL, 5UL, 6UL), " 0.005"));
  IS(field_is(fd_cstr_append_fxp10_as_text(field, ' ', '\0', 0UL, 12UL, 4UL), " 12."));
  IS(field_is(fd_cstr_append_utf8(field, 0x41U), "A") &&
     field_is(fd_cstr_append_utf8(field, 0xe9U), "\xc3\xa9"));
  IS(field_is(fd_cstr_append_utf8(field, 0x20acU), "\xe2\x82\xac") &&
     field_is(fd_cstr_append_utf8(field, 0x1f600U), "\xf0\x9f\x98\x80"));
}

static void test_env(void) {
  char text[] = "prog,--a,1,x,--a,2,--b,-0x10,--c,y,--a", *all[12];
  char ** argv = all;
  int argc = (int)fd_cstr_tokenize(all, 12UL, text, ',');
  all[argc] = NULL;
  setenv("API_TEST", "77", 1);
  IS(fd_env_strip_cmdline_int(&argc, &argv, "--a", "API_TEST", 5) == 2);
  IS(argc == 6 && !argv[6] && !strcmp(argv[1], "x") && !strcmp(argv[2], "--b"));
  IS(fd_env_strip_cmdline_int(&argc, &argv, "--a", "API_TEST", 5) == 77 &&
     fd_env_strip_cmdline_int(&argc, &argv, "--a", "", 5) == 5 &&
     fd_env_strip_cmdline_int(&argc, &argv, "--a", NULL, 6) == 6 && argc == 6);
  IS(fd_env_strip_cmdline_long(&argc, &argv, "--b", NULL, 5L) == -16L && argc == 4);
  IS(fd_env_strip_cmdline_contains(&argc, &argv, "--c") == 1 && argc == 3 && !argv[3] &&
     fd_env_strip_cmdline_contains(&argc, &argv, "--c") == 0);
  IS(fd_env_strip_cmdline_ulong(NULL, &argv, "x", "API_TEST", 1UL) == 77UL &&
     fd_env_strip_cmdline_ulong(&argc, NULL, "x", NULL, 1UL) == 1UL &&
     fd_env_strip_cmdline_ulong(&argc, &argv, NULL, NULL, 2UL) == 2UL && argc == 3);
  char const * def = "def";
  IS(fd_env_strip_cmdline_cstr(&argc, &argv, "--z", NULL, def) == def &&
     !fd_env_strip_cmdline_cstr(&argc, &argv, "--z", "API_NONE", NULL));
  IS(fd_env_strip_cmdline_double(NULL, NULL, NULL, "API_TEST", 1.) == 77. &&
     fd_env_strip_cmdline_char(NULL, NULL, NULL, "API_TEST", 'c') == '7');
  setenv("API_TEST", "", 1);
  IS(!fd_env_strip_cmdline_cstr(&argc, &argv, "--z", "API_TEST", "def")[0]);
}

static void test_io_files(void) {
  char buf[32], path[] = "/tmp/api_ioXXXXXX";
  ulong sz = 99UL, idx = 99UL;
  int fd = mkstemp(path);
  unlink(path);
  IS(!fd_io_write(fd, "0123456789", 10UL, 10UL, &sz) && sz == 10UL);
  IS(!fd_io_sz(fd, &sz) && sz == 10UL && !fd_io_truncate(fd, 8UL) && !fd_io_sz(fd, &sz) &&
     sz == 8UL);
  IS(!fd_io_seek(fd, 2L, FD_IO_SEEK_TYPE_SET, &idx) && idx == 2UL);
  IS(!fd_io_read(fd, buf, 1UL, 4UL, &sz) && sz == 4UL && !memcmp(buf, "2345", 4UL));
  IS(!fd_io_read(fd, buf, 1UL, 32UL, &sz) && sz == 2UL);
  IS(fd_io_read(fd, buf, 1UL, 4UL, &sz) < 0 && sz == 0UL);
  IS(!fd_io_seek(fd, -3L, FD_IO_SEEK_TYPE_END, &idx) && idx == 5UL);
  IS(fd_io_read(fd, buf, 8UL, 8UL, &sz) < 0 && sz == 3UL && !memcmp(buf, "567", 3UL));
  IS(!fd_io_read(fd, NULL, 0UL, 0UL, &sz) && !sz && !fd_io_write(-1, NULL, 0UL, 0UL, &sz) && !sz);
  IS(fd_io_seek(fd, -1L, FD_IO_SEEK_TYPE_SET, &idx) == EINVAL && idx == 0UL);
  IS(fd_io_seek(fd, 0L, 3, &idx) > 0 && !fd_io_seek(fd, 1L, FD_IO_SEEK_TYPE_CUR, &idx) &&
     idx == 9UL);
  IS(fd_io_read(-1, buf, 1UL, 2UL, &sz) == EBADF && !sz && fd_io_sz(-1, &sz) == EBADF &&
     fd_io_write(-1, buf, 1UL, 2UL, &sz) == EBADF && !sz && fd_io_truncate(-1, 1UL) > 0);
  void const * mem = buf;
  IS(!fd_io_mmio_init(fd, FD_IO_MMIO_MODE_READ_ONLY, &mem, &sz) && sz == 8UL &&
     !memcmp(mem, "0123", 4UL));
  fd_io_mmio_fini(mem, sz);
  IS(!fd_io_mmio_init(fd, FD_IO_MMIO_MODE_READ_WRITE, &mem, &sz) && (*(char *)(ulong)mem = 'x'));
  fd_io_mmio_fini(mem, sz);
  IS(pread(fd, buf, 1, 0) == 1 && buf[0] == 'x' && !fd_io_truncate(fd, 0UL));
  IS(!fd_io_mmio_init(fd, FD_IO_MMIO_MODE_READ_ONLY, &mem, &sz) && !mem && !sz);
  IS(fd_io_mmio_init(fd, 2, &mem, &sz) > 0 && fd_io_mmio_init(-1, 0, &mem, &sz) == EBADF && !mem &&
     !sz);
  fd_io_mmio_fini(NULL, 0UL);
  IS(fd_io_strerror(0) && strcmp(fd_io_strerror(-1), fd_io_strerror(0)) && fd_io_strerror(-7) &&
     fd_io_strerror(ENOENT) && fd_io_strerror(123456));
  close(fd);
}

static void test_io_pipes(void) {
  char buf[16], in_buf[4], out_buf[4];
  ulong sz;
  int fd[2];
  IS(!pipe2(fd, O_NONBLOCK));
  IS(fd_io_read(fd[0], buf, 0UL, 4UL, &sz) == EAGAIN && !sz);
  fd_io_buffered_ostream_t out[1];
  fd_io_buffered_istream_t in[1];
  IS(fd_io_buffered_ostream_init(out, fd[1], out_buf, 4UL) == out);
  IS(!fd_io_buffered_ostream_write(out, "abc", 3UL) &&
     fd_io_read(fd[0], buf, 0UL, 4UL, &sz) == EAGAIN);
  IS(!fd_io_buffered_ostream_write(out, "defghi", 6UL) &&
     !fd_io_buffered_ostream_write(out, "j", 1UL));
  IS(fd_io_buffered_ostream_wbuf_used(out) == 1UL && fd_io_buffered_ostream_peek_sz(out) == 3UL);
  IS(!fd_io_buffered_ostream_flush(out) && fd_io_buffered_ostream_fini(out));
  IS(fd_io_buffered_istream_init(in, fd[0], in_buf, 4UL) == in &&
     !fd_io_buffered_istream_peek_sz(in));
  IS(!fd_io_buffered_istream_read(in, buf, 2UL) && !memcmp(buf, "ab", 2UL));
  IS(!fd_io_buffered_istream_fetch(in) && fd_io_buffered_istream_peek_sz(in) == 4UL &&
     !memcmp(fd_io_buffered_istream_peek(in), "cdef", 4UL));
  fd_io_buffered_istream_seek(in, 1UL);
  IS(!fd_io_buffered_istream_skip(in, 4UL) && !fd_io_buffered_istream_read(in, buf, 2UL) &&
     !memcmp(buf, "hi", 2UL));
  close(fd[1]);
  IS(fd_io_buffered_istream_read(in, buf, 2UL) < 0 && fd_io_buffered_istream_skip(in, 9UL) < 0);
  fd_io_buffered_istream_init(in, fd[0], NULL, 0UL);
  IS(fd_io_buffered_istream_skip(in, 1UL) && !fd_io_buffered_istream_skip(in, 0UL));
  fd_io_buffered_istream_fini(in);
  close(fd[0]);
}

static int evaluations;
static char const * evaluate(void) {
  evaluations++;
  return "x";
}
static void ends_with_err(void * arg) { FD_LOG_ERR(("%s", (char const *)arg)); }
static void ends_with_crit(void * arg) { FD_LOG_CRIT(("%s", (char const *)arg)); }
static void ends_with_alert(void * arg) { FD_LOG_ALERT(("%s", (char const *)arg)); }
static void ends_with_emerg(void * arg) { FD_LOG_EMERG(("%s", (char const *)arg)); }
/* No return behind it: the compiler knows that it does not come back. */
static int noreturn_err(int x) {
  if (x) return x;
  FD_LOG_ERR(("never"));
}
static int noreturn_emerg(int x) {
  switch (x) {
  case 1: return 1;
  default: FD_LOG_EMERG(("never"));
  }
}
#define LIMIT (3)
static void fails_test(void * arg) { FD_TEST(arg && LIMIT % 2 == 0); }
static void fails_crit(void * arg) { FD_TEST_CRIT(!arg); }
static void fails_check(void * arg) { FD_CHECK_ERR(!arg, "why"); }
static void fails_check_crit(void * arg) { FD_CHECK_CRIT(!arg, "why"); }

static char msg[] = "msg";
#define EXITS(task, code) (api_child(task, msg) == (code) << 8)
#define ABORTS(task)      (WTERMSIG(api_child(task, msg)) == SIGABRT)
#define LOGGED(text)      (!!strstr(api_log_text, text))

static void test_log_levels(void) {
  FD_LOG_DEBUG(("%s", evaluate()));
  FD_LOG_INFO(("%s", evaluate()));
  FD_LOG_NOTICE(("%s %d", evaluate(), 5));
  FD_LOG_WARNING(("%s", evaluate()));
  IS(evaluations == 4 && api_logged() == 1UL && LOGGED("NOTICE") && LOGGED("x 5") &&
     LOGGED("test_api_util.c("));
  IS(!LOGGED("INFO") && !LOGGED("DEBUG"));
  FD_LOG_HEXDUMP_WARNING(("tag", "0123456789abcdefXYZ", 19UL));
  IS(api_logged() == 1UL && LOGGED("tag") && LOGGED("30 31 32") && LOGGED("XYZ"));
  uchar row[20] = {1, 2, 255};
  FD_LOG_WARNING(
      (FD_LOG_HEX16_FMT "|" FD_LOG_HEX20_FMT, FD_LOG_HEX16_FMT_ARGS(row),
       FD_LOG_HEX20_FMT_ARGS(row)));
  IS(api_logged() == 1UL && LOGGED("01 02 ff 00"));
  FD_TEST(evaluate());
  FD_TEST_CRIT(evaluate());
  FD_CHECK_ERR(evaluate(), "m");
  FD_CHECK_CRIT(evaluate(), "m");
  FD_DCHECK_CRIT(evaluate(), "m");
  FD_DCHECK_ALERT(evaluate(), "m");
  if (evaluations)
    FD_TEST(1);
  else
    FD_LOG_ERR(("not here"));
  SILENT(evaluations == 9 && noreturn_err(1) == 1 && noreturn_emerg(1) == 1);
  IS(EXITS(ends_with_err, 1) && LOGGED("ERR") && LOGGED(": msg\n"));
  IS(ABORTS(ends_with_crit) && LOGGED("CRIT") && LOGGED("test_api_util("));
  IS(ABORTS(ends_with_alert) && ABORTS(ends_with_emerg));
  IS(EXITS(fails_test, 1) && LOGGED("FAIL: arg && LIMIT % 2 == 0\n"));
  IS(ABORTS(fails_crit) && LOGGED("FAIL: !arg") && EXITS(fails_check, 1) && LOGGED("FAIL: !arg") &&
     LOGGED("why") && ABORTS(fails_check_crit));
  IS(fd_log_level_logfile() == 1 && fd_log_level_stderr() == 2 && fd_log_level_flush() == 3 &&
     fd_log_level_core() == 5);
  fd_log_level_stderr_set(4);
  FD_LOG_WARNING(("hidden"));
  SILENT(fd_log_level_stderr() == 4);
  fd_log_level_stderr_set(2);
}

static int in_range(char const * name) { return strlen(name) >= 1UL && strlen(name) < 40UL; }
static long fixed_clock(void const * args) { return *(long const *)args; }

static void sleeping_child(void * arg) {
  (void)arg;
  _exit(0);
}

static void test_log_identity(void) {
  IS(in_range(fd_log_app()) && in_range(fd_log_thread()) && in_range(fd_log_host()) &&
     in_range(fd_log_cpu()) && in_range(fd_log_group()) && in_range(fd_log_user()));
  IS(fd_log_group_id() == (ulong)getpid() && fd_log_user_id() == (ulong)getuid() && fd_log_tid());
  char thread[40];
  strcpy(thread, fd_log_thread());
  fd_log_thread_set("0123456789012345678901234567890123456789x");
  IS(strlen(fd_log_thread()) == 39UL);
  fd_log_thread_set(NULL);
  IS(!strcmp(fd_log_thread(), thread));
  fd_log_cpu_set("c7");
  IS(!strcmp(fd_log_cpu(), "c7"));
  fd_log_cpu_set("");
  IS(strcmp(fd_log_cpu(), "c7") && in_range(fd_log_cpu()));
  IS(fd_log_group_id_query((ulong)getpid()) == 1 && fd_log_group_id_query(0UL) == -1 &&
     fd_log_group_id_query(ULONG_MAX) == -1 && fd_log_group_id_query((ulong)getppid()) == 1);
  pid_t pid = fork();
  if (!pid) sleeping_child(NULL);
  waitpid(pid, NULL, 0);
  IS(fd_log_group_id_query((ulong)pid) == 0);
  IS(fd_log_build_info_sz == strlen(fd_log_build_info) + 1UL);
}

static void test_log_time(void) {
  char text[FD_LOG_WALLCLOCK_CSTR_BUF_SZ];
  long fixed = 1234567890123456789L;
  setenv("TZ", "UTC", 1);
  tzset();
  IS(!strcmp(fd_log_wallclock_cstr(fixed, text), "2009-02-13 23:31:30.123456789 GMT+00"));
  IS(!strcmp(fd_log_wallclock_cstr(-1L, text), "1969-12-31 23:59:59.999999999 GMT+00"));
  setenv("TZ", "XXX5", 1);
  tzset();
  IS(!strcmp(fd_log_wallclock_cstr(0L, text), "1969-12-31 19:00:00.000000000 GMT-05"));
  fd_log_wallclock_set(fixed_clock, &fixed);
  IS(fd_log_wallclock() == fixed);
  fd_log_wallclock_set(fd_log_wallclock_host, NULL);
  long now = fd_log_wallclock_host(NULL);
  IS(fd_log_wallclock() >= now && now > 1700000000000000000L);
  IS(fd_log_sleep(0L) == 0L && fd_log_sleep(-5L) == 0L && fd_log_sleep(1000L) == 0L);
  IS(fd_log_wait_until(now + 2000000L) >= now + 2000000L && fd_log_wait_until(0L) > now);
}

/* Suppression: many identical messages are three, and a different one ends the run. */
static void repeats(void * arg) {
  (void)arg;
  for (int i = 0; i < 1000; i++) FD_LOG_WARNING(("again"));
  FD_LOG_WARNING(("other"));
}

static void repeats_deduped(void * arg) {
  char name[] = "x", path[] = "--log-path", none[] = "", *argv[] = {name, path, none, NULL};
  char ** pargv = argv;
  int argc = 3;
  fd_halt();
  fd_boot(&argc, &pargv);
  repeats(arg);
}

/* The log file: given by the environment, gets INFO too, with more detail, and all of it by halt.
 */
static void logs_to_file(void * arg) {
  char name[] = "x", *argv[] = {name, NULL}, **pargv = argv;
  int argc = 1;
  fd_halt();
  setenv("FD_LOG_PATH", (char const *)arg, 1);
  setenv("FD_LOG_APP", "env-app", 1);
  setenv("FD_LOG_LEVEL_STDERR", "4", 1);
  fd_boot(&argc, &pargv);
  FD_LOG_DEBUG(("at debug"));
  FD_LOG_INFO(("at info"));
  FD_LOG_WARNING(("at warning"));
  fd_halt();
}

static void test_log_file(void) {
  static char text[4096];
  ulong sz;
  char path[] = "/tmp/api_logXXXXXX";
  int fd = mkstemp(path);
  IS(!api_child(logs_to_file, path) && !LOGGED("at warning") && !LOGGED("at info"));
  fd_io_read(fd, text, 0UL, sizeof(text) - 1UL, &sz);
  text[sz] = '\0';
  IS(strstr(text, "INFO") && strstr(text, "at info\n") && strstr(text, "at warning\n") &&
     !strstr(text, "at debug"));
  IS(strstr(text, "env-app") && strstr(text, "test_api_util.c(") && strstr(text, "logs_to_file"));
  close(fd);
  unlink(path);
}

static void test_log_dedup(void) {
  ulong cnt = 0UL;
  api_child(repeats, NULL);
  for (char * p = api_log_text; (p = strstr(p, "again")); p++) cnt++;
  IS(cnt >= 900UL || strlen(api_log_text) > 60000UL); /* dedup is off here */
  api_child(repeats_deduped, NULL);
  cnt = 0UL;
  for (char * p = api_log_text; (p = strstr(p, ": again")); p++) cnt++;
  ok(cnt == 3UL && LOGGED("other") && LOGGED("repeating"), "identical messages: %lu shown", cnt);
}

int main(void) {
  api_boot("");
  test_macros();
  test_atomics();
  test_threads();
  test_memory();
  test_bits_edges();
  test_rng_state();
  test_cstr_parse();
  test_cstr_print();
  test_env();
  test_io_files();
  test_io_pipes();
  test_log_levels();
  test_log_identity();
  test_log_time();
  test_log_file();
  test_log_dedup();
  fd_halt();
  return done_testing();
}
