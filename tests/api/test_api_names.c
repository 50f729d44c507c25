/* Names, signatures, constants, types and layouts of the published interface: a mismatch does not
   compile.  layout.t also compiles this as C++ and with clang.  The order is that of the interface:
   base, bits, rng, cstr, env, io, log, shmem, tile, tpool, wksp, checkpt, alloc, groove, valloc. */

#include "fd/groove/fd_groove.h"
#include "fd/util/fd_util.h"
#include "fd/util/alloc/fd_alloc_cfg.h"
#include "fd/util/math/fd_sqrt.h"
#include "fd/util/wksp/fd_wksp_private.h"

#include <stddef.h>
#include <stdio.h>

typedef char const * cs;

/* Macros whose behaviour is tested elsewhere: each of them is there. */
#if !defined(FD_STRINGIFY) || !defined(FD_CONCAT2) || !defined(FD_CONCAT3) || \
    !defined(FD_CONCAT4) || !defined(FD_EXPAND_THEN_STRINGIFY) || \
    !defined(FD_EXPAND_THEN_CONCAT2) || !defined(FD_EXPAND_THEN_CONCAT3) || \
    !defined(FD_EXPAND_THEN_CONCAT4) || !defined(FD_VA_ARGS_SELECT) || \
    !defined(FD_SRC_LOCATION) || !defined(FD_STATIC_ASSERT) || \
    !defined(FD_ADDRESS_OF_PACKED_MEMBER) || !defined(FD_PROTOTYPES_BEGIN) || \
    !defined(FD_PROTOTYPES_END) || !defined(FD_RESTRICT) || !defined(FD_LIKELY) || \
    !defined(FD_UNLIKELY) || !defined(FD_FN_PURE) || !defined(FD_FN_CONST) || \
    !defined(FD_FN_UNUSED) || !defined(FD_PARAM_UNUSED) || !defined(FD_FN_UNSANITIZED) || \
    !defined(FD_FN_SENSITIVE) || !defined(FD_FN_NO_ASAN) || !defined(FD_TYPE_PACKED) || \
    !defined(FD_WARN_UNUSED) || !defined(FD_FALLTHRU) || !defined(FD_COMPILER_FORGET) || \
    !defined(FD_COMPILER_UNPREDICTABLE) || !defined(FD_IMPORT_BINARY) || \
    !defined(FD_IMPORT_CSTR)
#error "util 3: a macro is missing"
#endif
#if !defined(FD_COMPILER_MFENCE) || !defined(FD_HW_MFENCE) || !defined(FD_HW_MFENCE_LD) || \
    !defined(FD_HW_MFENCE_ST) || !defined(FD_SPIN_PAUSE) || !defined(FD_YIELD) || \
    !defined(FD_VOLATILE_CONST) || !defined(FD_VOLATILE) || !defined(FD_TL) || \
    !defined(FD_ONCE_BEGIN) || !defined(FD_ONCE_END) || !defined(FD_THREAD_ONCE_BEGIN) || \
    !defined(FD_THREAD_ONCE_END) || !defined(FD_TURNSTILE_BEGIN) || \
    !defined(FD_TURNSTILE_BLOCKED) || !defined(FD_TURNSTILE_END)
#error "util 4: a macro is missing"
#endif
#if FD_HAS_ATOMIC && (!defined(FD_ATOMIC_FETCH_AND_ADD) || !defined(FD_ATOMIC_FETCH_AND_SUB) || \
    !defined(FD_ATOMIC_FETCH_AND_OR) || !defined(FD_ATOMIC_FETCH_AND_AND) || \
    !defined(FD_ATOMIC_FETCH_AND_XOR) || !defined(FD_ATOMIC_ADD_AND_FETCH) || \
    !defined(FD_ATOMIC_SUB_AND_FETCH) || !defined(FD_ATOMIC_OR_AND_FETCH) || \
    !defined(FD_ATOMIC_AND_AND_FETCH) || !defined(FD_ATOMIC_XOR_AND_FETCH) || \
    !defined(FD_ATOMIC_CAS) || !defined(FD_ATOMIC_XCHG))
#error "util 4: an atomic is missing"
#endif
#if !defined(fd_swap) || !defined(fd_swap_if) || !defined(fd_ptr_if) || !defined(fd_is_pow2) || \
    !defined(fd_align_up) || !defined(fd_min) || !defined(fd_max) || \
    !defined(FD_SCRATCH_ALLOC_INIT) || !defined(FD_SCRATCH_ALLOC_APPEND) || \
    !defined(FD_SCRATCH_ALLOC_FINI) || !defined(FD_LOAD) || !defined(FD_STORE)
#error "util 6: a macro is missing"
#endif
#if !defined(fd_isalnum) || !defined(fd_isalpha) || !defined(fd_iscntrl) || \
    !defined(fd_isdigit) || !defined(fd_isgraph) || !defined(fd_islower) || \
    !defined(fd_isprint) || !defined(fd_ispunct) || !defined(fd_isspace) || \
    !defined(fd_isupper) || !defined(fd_isxdigit) || !defined(fd_isascii) || \
    !defined(fd_isblank)
#error "util 8: a macro is missing"
#endif
#if !defined(FD_LOG_DEBUG) || !defined(FD_LOG_INFO) || !defined(FD_LOG_NOTICE) || \
    !defined(FD_LOG_WARNING) || !defined(FD_LOG_ERR) || !defined(FD_LOG_CRIT) || \
    !defined(FD_LOG_ALERT) || !defined(FD_LOG_EMERG) || !defined(FD_LOG_STDOUT) || \
    !defined(FD_LOG_HEXDUMP_DEBUG) || !defined(FD_LOG_HEXDUMP_INFO) || \
    !defined(FD_LOG_HEXDUMP_NOTICE) || !defined(FD_LOG_HEXDUMP_WARNING) || \
    !defined(FD_LOG_HEXDUMP_ERR) || !defined(FD_LOG_HEXDUMP_CRIT) || \
    !defined(FD_LOG_HEXDUMP_ALERT) || !defined(FD_LOG_HEXDUMP_EMERG) || !defined(FD_TEST) || \
    !defined(FD_TEST_ERR) || !defined(FD_TEST_CRIT) || !defined(FD_CHECK_ERR) || \
    !defined(FD_CHECK_CRIT) || !defined(FD_DCHECK_CRIT) || !defined(FD_DCHECK_ALERT) || \
    !defined(FD_LOG_HEX16_FMT) || !defined(FD_LOG_HEX16_ARGS) || \
    !defined(FD_LOG_HEX16_FMT_ARGS) || !defined(FD_LOG_HEX20_FMT) || \
    !defined(FD_LOG_HEX20_ARGS) || !defined(FD_LOG_HEX20_FMT_ARGS)
#error "util 11: a macro is missing"
#endif
#if !defined(FD_TPOOL_PARTITION) || !defined(FD_FOR_ALL_PROTO) || !defined(FD_FOR_ALL_BEGIN) || \
    !defined(FD_FOR_ALL_END) || !defined(FD_FOR_ALL) || !defined(FD_MAP_REDUCE_PROTO) || \
    !defined(FD_MAP_REDUCE_BEGIN) || !defined(FD_MAP_END) || !defined(FD_REDUCE_END) || \
    !defined(FD_MAP_REDUCE)
#error "util 15: a macro is missing"
#endif
#if !defined(FD_ALLOC_SIZECLASS_ITER_MAX) || !defined(FD_ALLOC_ROOT_SUPERBLOCK_FOOTPRINT) || \
    !defined(FD_ALLOC_FOOTPRINT_SMALL_THRESH)
#error "wksp 10: a macro is missing"
#endif

/* fn exists with exactly this type. */
#define SIG(ret, fn, ...)                                                                          \
  extern ret (*const api_sig_##fn)(__VA_ARGS__) __attribute__((unused));                           \
  ret (*const api_sig_##fn)(__VA_ARGS__) = fn
/* A constant expression of this value. */
#define VAL(x, v) FD_STATIC_ASSERT((x) == (v), api_value)
/* Types as exact as constants get: same size and signedness by way of a typed pointer. */
#define FIELD(T, member, M)                                                                        \
  extern M * (*const api_field_##T##_##member)(T *)__attribute__((unused));                        \
  static M * api_at_##T##_##member(T * s) { return &s->member; }                                   \
  M * (*const api_field_##T##_##member)(T *) = api_at_##T##_##member

/* util 1, 2 */
VAL(FD_HAS_HOSTED | FD_HAS_ATOMIC | FD_HAS_THREADS | FD_HAS_INT128 | FD_HAS_DOUBLE | FD_HAS_ALLOCA |
        FD_HAS_X86,
    1);
VAL(FD_HAS_SSE + FD_HAS_AVX + FD_HAS_AVX512 + FD_HAS_ARM + FD_HAS_ZSTD + FD_HAS_COVERAGE +
        FD_HAS_MSAN + FD_HAS_DEEPASAN,
    0);
VAL((FD_HAS_LZ4 ? 1 : 0) + (FD_HAS_ASAN ? 0 : 0) + (FD_HAS_UBSAN ? 0 : 0), FD_HAS_LZ4);
VAL(sizeof(schar) + sizeof(uchar), 2UL);
VAL(sizeof(ushort) + sizeof(uint) + sizeof(ulong), 14UL);
VAL((uchar)-1 > 0 && (ushort)-1 > 0 && (uint)-1 > 0 && (ulong)-1 > 0 && (schar)-1 < 0, 1);
VAL(sizeof(int128) + sizeof(uint128), 32UL);
VAL(UINT128_MAX == (uint128)INT128_MAX * 2U + 1U && INT128_MIN == -INT128_MAX - 1, 1);
VAL(SHORT_MIN, SHRT_MIN);
VAL(SHORT_MAX, SHRT_MAX);
VAL(USHORT_MAX, USHRT_MAX);
SIG(long, _fd_tickcount, void const *);
static fd_clock_func_t const clock_func __attribute__((unused)) = _fd_tickcount;

/* util 5 */
SIG(void *, fd_memcpy, void * FD_RESTRICT, void const * FD_RESTRICT, ulong);
SIG(void *, fd_memset, void *, int, ulong);
SIG(void, fd_memzero_explicit, void *, ulong);
SIG(int, fd_memeq, void const *, void const *, ulong);
SIG(int, fd_mem_iszero, uchar const *, ulong);
SIG(ulong, fd_hash, ulong, void const *, ulong);
SIG(ulong, fd_hash_memcpy, ulong, void * FD_RESTRICT, void const * FD_RESTRICT, ulong);
SIG(void, fd_yield, void);
SIG(void *, fd_type_pun, void *);
SIG(void const *, fd_type_pun_const, void const *);

/* util 6 */
#define UNSIGNED_SIGS(T)                                                                           \
  SIG(int, fd_##T##_is_pow2, T);                                                                   \
  SIG(T, fd_##T##_pow2, int);                                                                      \
  SIG(T, fd_##T##_pow2_up, T);                                                                     \
  SIG(T, fd_##T##_pow2_dn, T);                                                                     \
  SIG(T, fd_##T##_mask_bit, int);                                                                  \
  SIG(T, fd_##T##_clear_bit, T, int);                                                              \
  SIG(T, fd_##T##_set_bit, T, int);                                                                \
  SIG(T, fd_##T##_flip_bit, T, int);                                                               \
  SIG(int, fd_##T##_extract_bit, T, int);                                                          \
  SIG(T, fd_##T##_insert_bit, T, int, int);                                                        \
  SIG(T, fd_##T##_mask_lsb, int);                                                                  \
  SIG(T, fd_##T##_clear_lsb, T, int);                                                              \
  SIG(T, fd_##T##_set_lsb, T, int);                                                                \
  SIG(T, fd_##T##_flip_lsb, T, int);                                                               \
  SIG(T, fd_##T##_extract_lsb, T, int);                                                            \
  SIG(T, fd_##T##_insert_lsb, T, int, T);                                                          \
  SIG(T, fd_##T##_mask, int, int);                                                                 \
  SIG(T, fd_##T##_clear, T, int, int);                                                             \
  SIG(T, fd_##T##_set, T, int, int);                                                               \
  SIG(T, fd_##T##_flip, T, int, int);                                                              \
  SIG(T, fd_##T##_extract, T, int, int);                                                           \
  SIG(T, fd_##T##_insert, T, int, int, T);                                                         \
  SIG(T, fd_##T##_lsb, T);                                                                         \
  SIG(T, fd_##T##_pop_lsb, T);                                                                     \
  SIG(int, fd_##T##_is_aligned, T, T);                                                             \
  SIG(T, fd_##T##_alignment, T, T);                                                                \
  SIG(T, fd_##T##_align_dn, T, T);                                                                 \
  SIG(T, fd_##T##_align_up, T, T);                                                                 \
  SIG(T, fd_##T##_blend, T, T, T);                                                                 \
  SIG(T, fd_##T##_if, int, T, T);                                                                  \
  SIG(void, fd_##T##_store_if, int, T *, T);                                                       \
  SIG(T, fd_##T##_abs, T);                                                                         \
  SIG(T, fd_##T##_min, T, T);                                                                      \
  SIG(T, fd_##T##_max, T, T);                                                                      \
  SIG(T, fd_##T##_shift_left, T, int);                                                             \
  SIG(T, fd_##T##_shift_right, T, int);                                                            \
  SIG(T, fd_##T##_rotate_left, T, int);                                                            \
  SIG(T, fd_##T##_rotate_right, T, int);                                                           \
  SIG(int, fd_##T##_popcnt, T);                                                                    \
  SIG(int, fd_##T##_find_lsb, T);                                                                  \
  SIG(int, fd_##T##_find_msb, T);                                                                  \
  SIG(int, fd_##T##_find_lsb_w_default, T, int);                                                   \
  SIG(int, fd_##T##_find_msb_w_default, T, int);                                                   \
  SIG(T, fd_##T##_bswap, T);                                                                       \
  SIG(ulong, fd_##T##_base10_dig_cnt, T)
UNSIGNED_SIGS(uchar);
UNSIGNED_SIGS(ushort);
UNSIGNED_SIGS(uint);
UNSIGNED_SIGS(ulong);
UNSIGNED_SIGS(uint128);
#define SIGNED_SIGS(T, UT)                                                                         \
  SIG(T, fd_##T##_if, int, T, T);                                                                  \
  SIG(void, fd_##T##_store_if, int, T *, T);                                                       \
  SIG(UT, fd_##T##_abs, T);                                                                        \
  SIG(T, fd_##T##_min, T, T);                                                                      \
  SIG(T, fd_##T##_max, T, T);                                                                      \
  SIG(T, fd_##T##_shift_left, T, int);                                                             \
  SIG(T, fd_##T##_shift_right, T, int);                                                            \
  SIG(T, fd_##T##_rotate_left, T, int);                                                            \
  SIG(T, fd_##T##_rotate_right, T, int);                                                           \
  SIG(UT, fd_##T##_zz_enc, T);                                                                     \
  SIG(T, fd_##T##_zz_dec, UT)
SIGNED_SIGS(schar, uchar);
SIGNED_SIGS(short, ushort);
SIGNED_SIGS(int, uint);
SIGNED_SIGS(long, ulong);
SIGNED_SIGS(int128, uint128);
#define FLOAT_SIGS(T)                                                                              \
  SIG(T, fd_##T##_if, int, T, T);                                                                  \
  SIG(void, fd_##T##_store_if, int, T *, T);                                                       \
  SIG(T, fd_##T##_abs, T);                                                                         \
  SIG(int, fd_##T##_eq, T, T)
FLOAT_SIGS(float);
FLOAT_SIGS(double);
SIG(char, fd_char_if, int, char, char);
SIG(void, fd_char_store_if, int, char *, char);
SIG(uint, fd_uint_hash, uint);
SIG(uint, fd_uint_hash_inverse, uint);
SIG(ulong, fd_ulong_hash, ulong);
SIG(ulong, fd_ulong_hash_inverse, ulong);
VAL(FD_ULONG_MASK_LSB(0), 0UL);
VAL(FD_ULONG_MASK_LSB(5), 31UL);
VAL(FD_ULONG_MASK_LSB(64), ULONG_MAX);
VAL(FD_ULONG_MASK_MSB(0), 0UL);
VAL(FD_ULONG_MASK_MSB(1), 1UL << 63);
VAL(FD_ULONG_MASK_MSB(64), ULONG_MAX);
VAL(FD_ULONG_ALIGN_UP(0UL, 8UL) + FD_ULONG_ALIGN_UP(1UL, 8UL) + FD_ULONG_ALIGN_UP(8UL, 8UL), 16UL);
VAL(FD_ULONG_IS_POW2(0UL) + FD_ULONG_IS_POW2(3UL), 0);
VAL(FD_ULONG_IS_POW2(1UL) + FD_ULONG_IS_POW2(1UL << 63), 2);
VAL(FD_LAYOUT_INIT, 0UL);
VAL(FD_LAYOUT_FINI(FD_LAYOUT_APPEND(FD_LAYOUT_APPEND(FD_LAYOUT_INIT, 1UL, 3UL), 8UL, 9UL), 16UL),
    32UL);
SIG(ulong, fd_ulong_load_1, void const *);
SIG(ulong, fd_ulong_load_2, void const *);
SIG(ulong, fd_ulong_load_3, void const *);
SIG(ulong, fd_ulong_load_4, void const *);
SIG(ulong, fd_ulong_load_5, void const *);
SIG(ulong, fd_ulong_load_6, void const *);
SIG(ulong, fd_ulong_load_7, void const *);
SIG(ulong, fd_ulong_load_8, void const *);
SIG(ulong, fd_ulong_svw_enc_sz, ulong);
SIG(uchar *, fd_ulong_svw_enc, uchar *, ulong);
SIG(uchar *, fd_ulong_svw_enc_fixed, uchar *, ulong, ulong);
SIG(ulong, fd_ulong_svw_dec_sz, uchar const *);
SIG(ulong, fd_ulong_svw_dec_tail_sz, uchar const *);
SIG(ulong, fd_ulong_svw_dec_fixed, uchar const *, ulong);
SIG(uchar const *, fd_ulong_svw_dec, uchar const *, ulong *);
SIG(uchar const *, fd_ulong_svw_dec_tail, uchar const *, ulong *);
SIG(ulong, fd_ulong_floor_sqrt, ulong);
SIG(ulong, fd_ulong_round_sqrt, ulong);
SIG(ulong, fd_ulong_ceil_sqrt, ulong);
SIG(ulong, fd_ulong_approx_sqrt, ulong);
SIG(ulong, fd_ulong_floor_cbrt, ulong);
SIG(ulong, fd_ulong_round_cbrt, ulong);
SIG(ulong, fd_ulong_ceil_cbrt, ulong);
SIG(ulong, fd_ulong_approx_cbrt, ulong);
SIG(uint, fd_uint_sqrt, uint);
SIG(ulong, fd_ulong_sqrt, ulong);

/* util 7 */
VAL(FD_RNG_ALIGN, 16UL);
VAL(FD_RNG_FOOTPRINT, 16UL);
VAL(sizeof(fd_rng_t), 16UL);
VAL(alignof(fd_rng_t), 16UL);
SIG(ulong, fd_rng_align, void);
SIG(ulong, fd_rng_footprint, void);
SIG(void *, fd_rng_new, void *, uint, ulong);
SIG(fd_rng_t *, fd_rng_join, void *);
SIG(void *, fd_rng_leave, fd_rng_t *);
SIG(void *, fd_rng_delete, void *);
SIG(uint, fd_rng_seq, fd_rng_t const *);
SIG(ulong, fd_rng_idx, fd_rng_t const *);
SIG(uint, fd_rng_seq_set, fd_rng_t *, uint);
SIG(ulong, fd_rng_idx_set, fd_rng_t *, ulong);
#define RNG_SIGS(T)                                                                                \
  SIG(T, fd_rng_##T, fd_rng_t *);                                                                  \
  SIG(T, fd_rng_##T##_roll, fd_rng_t *, T)
RNG_SIGS(uchar);
RNG_SIGS(ushort);
RNG_SIGS(uint);
RNG_SIGS(ulong);
RNG_SIGS(schar);
RNG_SIGS(short);
RNG_SIGS(int);
RNG_SIGS(long);
SIG(uint128, fd_rng_uint128, fd_rng_t *);
SIG(ulong, fd_rng_coin_tosses, fd_rng_t *);
#define UNIT_SIGS(k)                                                                               \
  SIG(float, fd_rng_uint_to_float_##k, uint);                                                      \
  SIG(double, fd_rng_ulong_to_double_##k, ulong);                                                  \
  SIG(float, fd_rng_float_##k, fd_rng_t *);                                                        \
  SIG(double, fd_rng_double_##k, fd_rng_t *)
UNIT_SIGS(c0);
UNIT_SIGS(c1);
UNIT_SIGS(c);
UNIT_SIGS(o);
SIG(float, fd_rng_float_robust, fd_rng_t *);
SIG(float, fd_rng_float_exp, fd_rng_t *);
SIG(float, fd_rng_float_norm, fd_rng_t *);
SIG(double, fd_rng_double_robust, fd_rng_t *);
SIG(double, fd_rng_double_exp, fd_rng_t *);
SIG(double, fd_rng_double_norm, fd_rng_t *);
SIG(void *, fd_rng_secure, void *, ulong);

/* util 8, 9 */
#define CSTR_SIGS(T, name)                                                                         \
  SIG(T, fd_cstr_to_##name, cs);                                                                   \
  SIG(T, fd_env_strip_cmdline_##name, int *, char ***, cs, cs, T)
CSTR_SIGS(cs, cstr);
CSTR_SIGS(char, char);
CSTR_SIGS(schar, schar);
CSTR_SIGS(short, short);
CSTR_SIGS(int, int);
CSTR_SIGS(long, long);
CSTR_SIGS(uchar, uchar);
CSTR_SIGS(ushort, ushort);
CSTR_SIGS(uint, uint);
CSTR_SIGS(ulong, ulong);
CSTR_SIGS(float, float);
CSTR_SIGS(double, double);
SIG(int, fd_env_strip_cmdline_contains, int *, char ***, cs);
SIG(ulong, fd_cstr_to_ulong_octal, cs);
SIG(ulong, fd_cstr_to_ulong_seq, cs, ulong *, ulong);
SIG(ulong, fd_cstr_hash, cs);
SIG(ulong, fd_cstr_hash_append, ulong, cs);
SIG(int, fd_cstr_casecmp, cs, cs);
SIG(ulong, fd_cstr_nlen, cs, ulong);
SIG(char *, fd_cstr_ncpy, char *, cs, ulong);
SIG(char *, fd_cstr_printf, char *, ulong, ulong *, cs, ...);
SIG(int, fd_cstr_printf_check, char *, ulong, ulong *, cs, ...);
SIG(char *, fd_cstr_init, char *);
SIG(char *, fd_cstr_fini, char *);
SIG(char *, fd_cstr_append_char, char *, char);
SIG(char *, fd_cstr_append_text, char *, cs, ulong);
SIG(char *, fd_cstr_append_cstr, char *, cs);
SIG(char *, fd_cstr_append_cstr_safe, char *, cs, ulong);
SIG(char *, fd_cstr_append_printf, char *, cs, ...);
SIG(char *, fd_cstr_append_utf8, char *, uint);
SIG(char *, fd_cstr_append_uchar_as_text, char *, char, char, uchar, ulong);
SIG(char *, fd_cstr_append_ushort_as_text, char *, char, char, ushort, ulong);
SIG(char *, fd_cstr_append_uint_as_text, char *, char, char, uint, ulong);
SIG(char *, fd_cstr_append_ulong_as_text, char *, char, char, ulong, ulong);
SIG(char *, fd_cstr_append_uint128_as_text, char *, char, char, uint128, ulong);
SIG(char *, fd_cstr_append_uint_as_hex, char *, char, uint, ulong);
SIG(char *, fd_cstr_append_ulong_as_hex, char *, char, ulong, ulong);
SIG(char *, fd_cstr_append_fxp10_as_text, char *, char, char, ulong, ulong, ulong);
SIG(ulong, fd_cstr_tokenize, char **, ulong, char *, char);

/* util 10 */
VAL(FD_IO_SEEK_TYPE_SET, 0);
VAL(FD_IO_SEEK_TYPE_CUR, 1);
VAL(FD_IO_SEEK_TYPE_END, 2);
VAL(FD_IO_MMIO_MODE_READ_ONLY, 0);
VAL(FD_IO_MMIO_MODE_READ_WRITE, 1);
SIG(int, fd_io_read, int, void *, ulong, ulong, ulong *);
SIG(int, fd_io_write, int, void const *, ulong, ulong, ulong *);
SIG(int, fd_io_sz, int, ulong *);
SIG(int, fd_io_truncate, int, ulong);
SIG(int, fd_io_seek, int, long, int, ulong *);
SIG(int, fd_io_buffered_read, int, void *, ulong, void *, ulong, ulong *, ulong *);
SIG(int, fd_io_buffered_skip, int, ulong, void *, ulong, ulong *, ulong *);
SIG(int, fd_io_buffered_write, int, void const *, ulong, void *, ulong, ulong *);
SIG(int, fd_io_mmio_init, int, int, void *, ulong *);
SIG(void, fd_io_mmio_fini, void const *, ulong);
SIG(cs, fd_io_strerror, int);

/* util 11, 12 */
VAL(FD_LOG_NAME_MAX, 40UL);
VAL(FD_LOG_WALLCLOCK_CSTR_BUF_SZ, 37UL);
VAL(FD_LOG_GROUP_ID_QUERY_LIVE, 1);
VAL(FD_LOG_GROUP_ID_QUERY_DEAD, 0);
VAL(FD_LOG_GROUP_ID_QUERY_INVAL, -1);
VAL(FD_LOG_GROUP_ID_QUERY_PERM, -2);
VAL(FD_LOG_GROUP_ID_QUERY_FAIL, -3);
VAL(FD_DCHECK_STYLE, 0);
#define LOG_WHO_SIGS(what)                                                                         \
  SIG(ulong, fd_log_##what##_id, void);                                                            \
  SIG(cs, fd_log_##what, void)
LOG_WHO_SIGS(app);
LOG_WHO_SIGS(thread);
LOG_WHO_SIGS(host);
LOG_WHO_SIGS(cpu);
LOG_WHO_SIGS(group);
LOG_WHO_SIGS(user);
SIG(ulong, fd_log_tid, void);
SIG(void, fd_log_thread_set, cs);
SIG(void, fd_log_cpu_set, cs);
SIG(int, fd_log_group_id_query, ulong);
static char const * const build_info __attribute__((unused)) = fd_log_build_info;
static ulong const * const build_info_sz __attribute__((unused)) = &fd_log_build_info_sz;
SIG(long, fd_log_wallclock, void);
SIG(long, fd_log_wallclock_host, void const *);
SIG(void, fd_log_wallclock_set, fd_clock_func_t, void const *);
SIG(char *, fd_log_wallclock_cstr, long, char *);
SIG(long, fd_log_sleep, long);
SIG(long, fd_log_wait_until, long);
SIG(void, fd_log_flush, void);
#define LOG_LEVEL_SIGS(what)                                                                       \
  SIG(int, fd_log_##what, void);                                                                   \
  SIG(void, fd_log_##what##_set, int)
LOG_LEVEL_SIGS(colorize);
LOG_LEVEL_SIGS(level_logfile);
LOG_LEVEL_SIGS(level_stderr);
LOG_LEVEL_SIGS(level_flush);
LOG_LEVEL_SIGS(level_core);
SIG(void, fd_boot, int *, char ***);
SIG(void, fd_halt, void);

/* util 13 */
VAL(FD_SHMEM_JOIN_MAX, 255UL);
VAL(FD_SHMEM_JOIN_MODE_READ_ONLY, 0);
VAL(FD_SHMEM_JOIN_MODE_READ_WRITE, 1);
VAL(FD_SHMEM_NUMA_MAX, 1024UL);
VAL(FD_SHMEM_CPU_MAX, 1024UL);
VAL(FD_SHMEM_UNKNOWN_LG_PAGE_SZ, -1);
VAL(FD_SHMEM_NORMAL_LG_PAGE_SZ, 12);
VAL(FD_SHMEM_HUGE_LG_PAGE_SZ, 21);
VAL(FD_SHMEM_GIGANTIC_LG_PAGE_SZ, 30);
VAL(FD_SHMEM_UNKNOWN_PAGE_SZ, 0UL);
VAL(FD_SHMEM_NORMAL_PAGE_SZ, 4096UL);
VAL(FD_SHMEM_HUGE_PAGE_SZ, 2097152UL);
VAL(FD_SHMEM_GIGANTIC_PAGE_SZ, 1073741824UL);
VAL(FD_SHMEM_NAME_MAX, 40UL);
VAL(FD_SHMEM_PAGE_SZ_CSTR_MAX, 9UL);
VAL(sizeof(fd_shmem_join_info_t), 88UL);
VAL(offsetof(fd_shmem_join_info_t, ref_cnt), 0UL);
VAL(offsetof(fd_shmem_join_info_t, join), 8UL);
VAL(offsetof(fd_shmem_join_info_t, shmem), 16UL);
VAL(offsetof(fd_shmem_join_info_t, page_sz), 24UL);
VAL(offsetof(fd_shmem_join_info_t, page_cnt), 32UL);
VAL(offsetof(fd_shmem_join_info_t, mode), 40UL);
VAL(offsetof(fd_shmem_join_info_t, hash), 44UL);
VAL(offsetof(fd_shmem_join_info_t, name), 48UL);
VAL(offsetof(fd_shmem_join_info_t, key), 48UL);
FIELD(fd_shmem_join_info_t, ref_cnt, long);
FIELD(fd_shmem_join_info_t, join, void *);
FIELD(fd_shmem_join_info_t, shmem, void *);
FIELD(fd_shmem_join_info_t, page_sz, ulong);
FIELD(fd_shmem_join_info_t, page_cnt, ulong);
FIELD(fd_shmem_join_info_t, mode, int);
FIELD(fd_shmem_join_info_t, hash, uint);
FIELD(fd_shmem_join_info_t, key, fd_shmem_private_key_t);
VAL(sizeof(fd_shmem_private_key_t), 40UL);
VAL(sizeof(fd_shmem_info_t), 16UL);
FIELD(fd_shmem_info_t, page_sz, ulong);
FIELD(fd_shmem_info_t, page_cnt, ulong);
static void * any_joinleave(void * context, fd_shmem_join_info_t const * info) {
  (void)info;
  return context;
}
static fd_shmem_joinleave_func_t const joinleave __attribute__((unused)) = any_joinleave;
SIG(void *, fd_shmem_join, cs, int, int, fd_shmem_joinleave_func_t, void *, fd_shmem_join_info_t *);
SIG(int, fd_shmem_leave, void *, fd_shmem_joinleave_func_t, void *);
SIG(int, fd_shmem_join_query_by_name, cs, fd_shmem_join_info_t *);
SIG(int, fd_shmem_join_query_by_join, void const *, fd_shmem_join_info_t *);
SIG(int, fd_shmem_join_query_by_addr, void const *, ulong, fd_shmem_join_info_t *);
SIG(int, fd_shmem_join_anonymous, cs, int, void *, void *, ulong, ulong);
SIG(int, fd_shmem_leave_anonymous, void *, fd_shmem_join_info_t *);
SIG(ulong, fd_shmem_numa_cnt, void);
SIG(ulong, fd_shmem_cpu_cnt, void);
SIG(ulong, fd_shmem_numa_idx, ulong);
SIG(ulong, fd_shmem_cpu_idx, ulong);
SIG(int, fd_shmem_numa_validate, void const *, ulong, ulong, ulong);
SIG(int, fd_shmem_create_multi, cs, ulong, ulong, ulong const *, ulong const *, ulong);
SIG(int, fd_shmem_update_multi, cs, ulong, ulong, ulong const *, ulong const *, ulong);
SIG(int, fd_shmem_create, cs, ulong, ulong, ulong, ulong);
SIG(int, fd_shmem_unlink, cs, ulong);
SIG(int, fd_shmem_info, cs, ulong, fd_shmem_info_t *);
SIG(void *, fd_shmem_acquire_multi, ulong, ulong, ulong const *, ulong const *);
SIG(void *, fd_shmem_acquire, ulong, ulong, ulong);
SIG(int, fd_shmem_release, void *, ulong, ulong);
SIG(ulong, fd_shmem_name_len, cs);
SIG(int, fd_shmem_is_page_sz, ulong);
SIG(int, fd_cstr_to_shmem_lg_page_sz, cs);
SIG(ulong, fd_cstr_to_shmem_page_sz, cs);
SIG(cs, fd_shmem_lg_page_sz_to_cstr, int);
SIG(cs, fd_shmem_page_sz_to_cstr, ulong);
SIG(fd_shmem_join_info_t const *, fd_shmem_iter_begin, void);
SIG(fd_shmem_join_info_t const *, fd_shmem_iter_next, fd_shmem_join_info_t const *);
SIG(int, fd_shmem_iter_done, fd_shmem_join_info_t const *);

/* util 14 */
VAL(FD_TILE_MAX, 1024UL);
VAL(FD_TILE_PRIVATE_STACK_SZ, 8UL << 20);
static int any_tile_task(int argc, char ** argv) { return argc + !argv; }
static fd_tile_task_t const tile_task __attribute__((unused)) = any_tile_task;
SIG(ulong, fd_tile_id0, void);
SIG(ulong, fd_tile_id1, void);
SIG(ulong, fd_tile_id, void);
SIG(ulong, fd_tile_idx, void);
SIG(ulong, fd_tile_cnt, void);
SIG(ulong, fd_tile_cpu_id, ulong);
SIG(fd_tile_exec_t *, fd_tile_exec_new, ulong, fd_tile_task_t, int, char **);
SIG(fd_tile_exec_t *, fd_tile_exec_by_id_new, ulong, fd_tile_task_t, int, char **);
SIG(cs, fd_tile_exec_delete, fd_tile_exec_t *, int *);
SIG(fd_tile_exec_t *, fd_tile_exec, ulong);
SIG(fd_tile_exec_t *, fd_tile_exec_by_id, ulong);
SIG(ulong, fd_tile_exec_id, fd_tile_exec_t const *);
SIG(ulong, fd_tile_exec_idx, fd_tile_exec_t const *);
SIG(fd_tile_task_t, fd_tile_exec_task, fd_tile_exec_t const *);
SIG(int, fd_tile_exec_argc, fd_tile_exec_t const *);
SIG(char **, fd_tile_exec_argv, fd_tile_exec_t const *);
SIG(int, fd_tile_exec_done, fd_tile_exec_t const *);
SIG(void const *, fd_tile_stack0, void);
SIG(void const *, fd_tile_stack1, void);
SIG(ulong, fd_tile_stack_sz, void);
SIG(ulong, fd_tile_stack_est_used, void);
SIG(ulong, fd_tile_stack_est_free, void);

/* util 15 */
VAL(FD_TPOOL_OPT_SLEEP, 1UL);
VAL(FD_TPOOL_TASK_ARG_MAX, 43UL);
VAL(FD_TPOOL_ALIGN, 128UL);
VAL(FD_TPOOL_FOOTPRINT(1), 512UL);
VAL(FD_TPOOL_FOOTPRINT(14UL), 512UL);
VAL(FD_TPOOL_FOOTPRINT(15UL), 640UL);
VAL(FD_TPOOL_FOOTPRINT(1024UL), 8704UL);
static fd_tpool_task_t const tpool_task __attribute__((unused)) = NULL;
static fd_tpool_task_v2_t const tpool_task_v2 __attribute__((unused)) = NULL;
#define TASK_ARGS void *, ulong, ulong, void *, void *, ulong, ulong, ulong
SIG(ulong, fd_tpool_align, void);
SIG(ulong, fd_tpool_footprint, ulong);
SIG(fd_tpool_t *, fd_tpool_init, void *, ulong, ulong);
SIG(void *, fd_tpool_fini, fd_tpool_t *);
SIG(fd_tpool_t *, fd_tpool_worker_push, fd_tpool_t *, ulong);
SIG(fd_tpool_t *, fd_tpool_worker_pop, fd_tpool_t *);
SIG(ulong, fd_tpool_opt, fd_tpool_t const *);
SIG(ulong, fd_tpool_worker_cnt, fd_tpool_t const *);
SIG(ulong, fd_tpool_worker_max, fd_tpool_t const *);
SIG(ulong, fd_tpool_worker_tile_idx, fd_tpool_t const *, ulong);
SIG(int, fd_tpool_worker_idle, fd_tpool_t const *, ulong);
SIG(void, fd_tpool_exec, fd_tpool_t *, ulong, fd_tpool_task_t, TASK_ARGS, ulong, ulong, ulong,
    ulong);
SIG(void, fd_tpool_wait, fd_tpool_t const *, ulong);
#define EXEC_ALL_SIG(how)                                                                          \
  SIG(void, fd_tpool_exec_all_##how, fd_tpool_t *, ulong, ulong, fd_tpool_task_t, void *, void *,  \
      void *, ulong, ulong, ulong)
EXEC_ALL_SIG(rrobin);
EXEC_ALL_SIG(block);
EXEC_ALL_SIG(taskq);
EXEC_ALL_SIG(batch);
EXEC_ALL_SIG(raw);

/* util 16 */
VAL(FD_ASAN_ALIGN, 8UL);
SIG(void *, fd_asan_poison, void *, ulong);
SIG(void *, fd_asan_unpoison, void *, ulong);
SIG(int, fd_asan_test, void *);
SIG(void *, fd_asan_query, void *, ulong);

/* wksp 1, 2 */
VAL(FD_WKSP_SUCCESS, 0);
VAL(FD_WKSP_ERR_INVAL, -1);
VAL(FD_WKSP_ERR_FAIL, -2);
VAL(FD_WKSP_ERR_CORRUPT, -3);
VAL(FD_WKSP_ALIGN, 128UL);
VAL(FD_WKSP_ALIGN_DEFAULT, 4096UL);
VAL(FD_WKSP_CSTR_MAX, 61UL);
VAL(FD_WKSP_CHECKPT_STYLE_DEFAULT, 0);
VAL(FD_WKSP_CHECKPT_STYLE_V1, 1);
VAL(FD_WKSP_CHECKPT_STYLE_V2, 2);
VAL(FD_WKSP_CHECKPT_STYLE_V3, 3);
VAL(FD_WKSP_CHECKPT_STYLE_RAW, 1);
VAL(FD_WKSP_FOOTPRINT(64UL, 8192UL) <= 16384UL, 1);
VAL(FD_WKSP_FOOTPRINT(1UL, 1UL) % FD_WKSP_ALIGN, 0UL);
VAL(FD_WKSP_FOOTPRINT(64UL, 1UL) <= 8192UL, 1);
VAL(sizeof(fd_wksp_usage_t), 56UL);
VAL(offsetof(fd_wksp_usage_t, total_max), 0UL);
VAL(offsetof(fd_wksp_usage_t, total_cnt), 8UL);
VAL(offsetof(fd_wksp_usage_t, total_sz), 16UL);
VAL(offsetof(fd_wksp_usage_t, free_cnt), 24UL);
VAL(offsetof(fd_wksp_usage_t, free_sz), 32UL);
VAL(offsetof(fd_wksp_usage_t, used_cnt), 40UL);
VAL(offsetof(fd_wksp_usage_t, used_sz), 48UL);
FIELD(fd_wksp_usage_t, total_max, ulong);
FIELD(fd_wksp_usage_t, used_sz, ulong);
FIELD(fd_wksp_tag_query_info_t, gaddr_lo, ulong);
FIELD(fd_wksp_tag_query_info_t, gaddr_hi, ulong);
FIELD(fd_wksp_tag_query_info_t, tag, ulong);
FIELD(fd_wksp_preview_t, style, int);
FIELD(fd_wksp_preview_t, seed, uint);
FIELD(fd_wksp_preview_t, part_max, ulong);
FIELD(fd_wksp_preview_t, data_max, ulong);
VAL(sizeof(((fd_wksp_preview_t *)NULL)->name), 40UL);

/* wksp 3 */
SIG(ulong, fd_wksp_part_max_est, ulong, ulong);
SIG(ulong, fd_wksp_data_max_est, ulong, ulong);
SIG(ulong, fd_wksp_align, void);
SIG(ulong, fd_wksp_footprint, ulong, ulong);
SIG(void *, fd_wksp_new, void *, cs, uint, ulong, ulong);
SIG(fd_wksp_t *, fd_wksp_join, void *);
SIG(void *, fd_wksp_leave, fd_wksp_t *);
SIG(void *, fd_wksp_delete, void *);
SIG(cs, fd_wksp_name, fd_wksp_t const *);
SIG(uint, fd_wksp_seed, fd_wksp_t const *);
SIG(ulong, fd_wksp_part_max, fd_wksp_t const *);
SIG(ulong, fd_wksp_data_max, fd_wksp_t const *);
SIG(ulong, fd_wksp_gaddr_lo, fd_wksp_t const *);
SIG(ulong, fd_wksp_gaddr_hi, fd_wksp_t const *);
SIG(ulong, fd_wksp_owner, fd_wksp_t const *);
SIG(cs, fd_wksp_strerror, int);
SIG(int, fd_wksp_verify, fd_wksp_t *);
SIG(int, fd_wksp_rebuild, fd_wksp_t *, uint);

/* wksp 4 */
SIG(void *, fd_wksp_laddr, fd_wksp_t const *, ulong);
SIG(ulong, fd_wksp_gaddr, fd_wksp_t const *, void const *);
SIG(ulong, fd_wksp_gaddr_fast, fd_wksp_t const *, void const *);
SIG(void *, fd_wksp_laddr_fast, fd_wksp_t const *, ulong);
SIG(ulong, fd_wksp_alloc_at_least, fd_wksp_t *, ulong, ulong, ulong, ulong *, ulong *);
SIG(ulong, fd_wksp_alloc, fd_wksp_t *, ulong, ulong, ulong);
SIG(void, fd_wksp_free, fd_wksp_t *, ulong);
SIG(ulong, fd_wksp_tag, fd_wksp_t *, ulong);
SIG(ulong, fd_wksp_tag_query, fd_wksp_t *, ulong const *, ulong, fd_wksp_tag_query_info_t *, ulong);
SIG(void, fd_wksp_tag_free, fd_wksp_t *, ulong const *, ulong);
SIG(void, fd_wksp_memset, fd_wksp_t *, ulong, int);
SIG(void, fd_wksp_reset, fd_wksp_t *, uint);
SIG(fd_wksp_usage_t *, fd_wksp_usage, fd_wksp_t *, ulong const *, ulong, fd_wksp_usage_t *);
static int * oom_silent(void) { return &fd_wksp_oom_silent; }
SIG(int, fd_wksp_new_named, cs, ulong, ulong, ulong const *, ulong const *, ulong, uint, ulong);
SIG(int, fd_wksp_delete_named, cs);
SIG(fd_wksp_t *, fd_wksp_new_anon, cs, ulong, ulong, ulong const *, ulong const *, uint, ulong);
SIG(void, fd_wksp_delete_anon, fd_wksp_t *);
SIG(fd_wksp_t *, fd_wksp_new_anonymous, ulong, ulong, ulong, cs, ulong);
SIG(void, fd_wksp_delete_anonymous, fd_wksp_t *);
SIG(fd_wksp_t *, fd_wksp_attach, cs);
SIG(int, fd_wksp_detach, fd_wksp_t *);
SIG(fd_wksp_t *, fd_wksp_containing, void const *);
SIG(void *, fd_wksp_alloc_laddr, fd_wksp_t *, ulong, ulong, ulong);
SIG(void, fd_wksp_free_laddr, void *);
SIG(char *, fd_wksp_cstr, fd_wksp_t const *, ulong, char *);
SIG(char *, fd_wksp_cstr_laddr, void const *, char *);
SIG(char *, fd_wksp_cstr_alloc, cs, ulong, ulong, ulong, char *);
SIG(void, fd_wksp_cstr_free, cs);
SIG(ulong, fd_wksp_cstr_tag, cs);
SIG(void, fd_wksp_cstr_memset, cs, int);
SIG(void *, fd_wksp_map, cs);
SIG(void, fd_wksp_unmap, void const *);
SIG(void, fd_wksp_mprotect, fd_wksp_t *, int);
SIG(uchar const *, fd_wksp_pod_attach, cs);
SIG(void, fd_wksp_pod_detach, uchar const *);
SIG(void *, fd_wksp_pod_map, uchar const *, cs);
SIG(void, fd_wksp_pod_unmap, void *);
SIG(int, fd_wksp_checkpt_tpool, fd_tpool_t *, ulong, ulong, fd_wksp_t *, cs, ulong, int, cs);
SIG(int, fd_wksp_checkpt, fd_wksp_t *, cs, ulong, int, cs);
SIG(int, fd_wksp_restore_tpool, fd_tpool_t *, ulong, ulong, fd_wksp_t *, cs, uint);
SIG(int, fd_wksp_restore, fd_wksp_t *, cs, uint);
SIG(int, fd_wksp_preview, cs, fd_wksp_preview_t *);
SIG(int, fd_wksp_printf, int, cs, int);

/* wksp 7 */
VAL(FD_WKSP_PRIVATE_PINFO_ALIGN, 64UL);
VAL(FD_WKSP_PRIVATE_PINFO_FOOTPRINT, 64UL);
VAL(FD_WKSP_PRIVATE_PINFO_IDX_NULL, (ulong)UINT_MAX);
VAL(FD_WKSP_LOCK_RECLAIM, 1);
VAL(FD_WKSP_CHECKPT_V1_BINFO_MAX, 16384UL);
VAL(FD_WKSP_CHECKPT_V1_UINFO_MAX, 16384UL);
VAL(FD_WKSP_CHECKPT_V2_BINFO_MAX, 16384UL);
VAL(FD_WKSP_CHECKPT_V2_UINFO_MAX, 16384UL);
typedef struct fd_wksp_private wksp_private_t;
FIELD(wksp_private_t, magic, ulong);
FIELD(wksp_private_t, part_max, ulong);
FIELD(wksp_private_t, data_max, ulong);
FIELD(wksp_private_t, gaddr_lo, ulong);
FIELD(wksp_private_t, gaddr_hi, ulong);
FIELD(wksp_private_t, part_used_cidx, uint);
FIELD(wksp_private_t, part_free_cidx, uint);
FIELD(fd_wksp_private_pinfo_t, gaddr_lo, ulong);
FIELD(fd_wksp_private_pinfo_t, gaddr_hi, ulong);
FIELD(fd_wksp_private_pinfo_t, tag, ulong);
static ulong in_same(fd_wksp_private_pinfo_t const * pinfo) { return (ulong)pinfo->in_same; }
SIG(fd_wksp_private_pinfo_t *, fd_wksp_private_pinfo, fd_wksp_t *);
SIG(fd_wksp_private_pinfo_t const *, fd_wksp_private_pinfo_const, fd_wksp_t const *);
SIG(uint, fd_wksp_private_pinfo_cidx, ulong);
SIG(ulong, fd_wksp_private_pinfo_idx, uint);
SIG(int, fd_wksp_private_pinfo_idx_is_null, ulong);
SIG(ulong, fd_wksp_private_pinfo_sz, fd_wksp_private_pinfo_t const *);
SIG(ulong, fd_wksp_private_pinfo_off, void);
SIG(ulong, fd_wksp_private_data_off, ulong);
SIG(int, fd_wksp_private_lock, fd_wksp_t *);
SIG(void, fd_wksp_private_unlock, fd_wksp_t *);
#define INDEX_TAIL fd_wksp_t *, fd_wksp_private_pinfo_t *
SIG(ulong, fd_wksp_private_used_treap_query, ulong, INDEX_TAIL);
SIG(int, fd_wksp_private_used_treap_insert, ulong, INDEX_TAIL);
SIG(int, fd_wksp_private_used_treap_remove, ulong, INDEX_TAIL);
SIG(ulong, fd_wksp_private_free_treap_query, ulong, INDEX_TAIL);
SIG(int, fd_wksp_private_free_treap_insert, ulong, INDEX_TAIL);
SIG(int, fd_wksp_private_free_treap_remove, ulong, INDEX_TAIL);
SIG(int, fd_wksp_private_free_treap_same_is_empty, ulong, INDEX_TAIL);
SIG(ulong, fd_wksp_private_free_treap_same_remove, ulong, INDEX_TAIL);
SIG(int, fd_wksp_private_idle_stack_is_empty, fd_wksp_t const *);
SIG(ulong, fd_wksp_private_idle_stack_pop, INDEX_TAIL);
SIG(void, fd_wksp_private_idle_stack_push, ulong, INDEX_TAIL);
VAL(FD_WKSP_MAGIC != 0UL, 1);
#define IO_RANGE fd_tpool_t *, ulong, ulong, fd_wksp_t *, cs
SIG(int, fd_wksp_private_checkpt_v1, IO_RANGE, ulong, cs);
SIG(int, fd_wksp_private_checkpt_v2, IO_RANGE, ulong, cs, int);
SIG(int, fd_wksp_private_restore_v1, IO_RANGE, uint);
SIG(int, fd_wksp_private_restore_v2, IO_RANGE, uint);
SIG(int, fd_wksp_private_printf_v1, int, cs, int);
SIG(int, fd_wksp_private_printf_v2, int, cs, int);

/* wksp 9 */
VAL(FD_CHECKPT_SUCCESS, 0);
VAL(FD_CHECKPT_ERR_INVAL, -1);
VAL(FD_CHECKPT_ERR_UNSUP, -2);
VAL(FD_CHECKPT_ERR_IO, -3);
VAL(FD_CHECKPT_ERR_COMP, -4);
VAL(FD_CHECKPT_FRAME_STYLE_RAW, 1);
VAL(FD_CHECKPT_FRAME_STYLE_LZ4, 2);
VAL(FD_CHECKPT_FRAME_STYLE_DEFAULT, 1);
VAL(FD_CHECKPT_META_MAX, 65536UL);
VAL(FD_RESTORE_META_MAX, 65536UL);
VAL(FD_CHECKPT_WBUF_MIN, 69632UL);
VAL(FD_RESTORE_RBUF_MIN, 69632UL);
VAL(FD_CHECKPT_ALIGN, 8UL);
VAL(FD_CHECKPT_FOOTPRINT, 196664UL);
VAL(FD_RESTORE_ALIGN, 8UL);
VAL(FD_RESTORE_FOOTPRINT, 196680UL);
VAL(sizeof(fd_checkpt_t) + sizeof(fd_restore_t), 196664UL + 196680UL);
SIG(fd_checkpt_t *, fd_checkpt_init_stream, void *, int, void *, ulong);
SIG(fd_checkpt_t *, fd_checkpt_init_mmio, void *, void *, ulong);
SIG(void *, fd_checkpt_fini, fd_checkpt_t *);
SIG(int, fd_checkpt_is_mmio, fd_checkpt_t const *);
SIG(int, fd_checkpt_can_open, fd_checkpt_t const *);
SIG(int, fd_checkpt_in_frame, fd_checkpt_t const *);
SIG(int, fd_checkpt_fd, fd_checkpt_t const *);
SIG(void *, fd_checkpt_wbuf, fd_checkpt_t *);
SIG(ulong, fd_checkpt_wbuf_sz, fd_checkpt_t const *);
SIG(void *, fd_checkpt_mmio, fd_checkpt_t *);
SIG(ulong, fd_checkpt_mmio_sz, fd_checkpt_t const *);
SIG(int, fd_checkpt_open_advanced, fd_checkpt_t *, int, ulong *);
SIG(int, fd_checkpt_open, fd_checkpt_t *, int);
SIG(int, fd_checkpt_close_advanced, fd_checkpt_t *, ulong *);
SIG(int, fd_checkpt_close, fd_checkpt_t *);
SIG(int, fd_checkpt_meta, fd_checkpt_t *, void const *, ulong);
SIG(int, fd_checkpt_data, fd_checkpt_t *, void const *, ulong);
SIG(fd_restore_t *, fd_restore_init_stream, void *, int, void *, ulong);
SIG(fd_restore_t *, fd_restore_init_mmio, void *, void const *, ulong);
SIG(void *, fd_restore_fini, fd_restore_t *);
SIG(int, fd_restore_is_mmio, fd_restore_t const *);
SIG(int, fd_restore_can_open, fd_restore_t const *);
SIG(int, fd_restore_in_frame, fd_restore_t const *);
SIG(int, fd_restore_fd, fd_restore_t const *);
SIG(void *, fd_restore_rbuf, fd_restore_t *);
SIG(ulong, fd_restore_rbuf_sz, fd_restore_t const *);
SIG(void const *, fd_restore_mmio, fd_restore_t const *);
SIG(ulong, fd_restore_mmio_sz, fd_restore_t const *);
SIG(ulong, fd_restore_sz, fd_restore_t const *);
SIG(int, fd_restore_open_advanced, fd_restore_t *, int, ulong *);
SIG(int, fd_restore_open, fd_restore_t *, int);
SIG(int, fd_restore_close_advanced, fd_restore_t *, ulong *);
SIG(int, fd_restore_close, fd_restore_t *);
SIG(int, fd_restore_meta, fd_restore_t *, void *, ulong);
SIG(int, fd_restore_data, fd_restore_t *, void *, ulong);
SIG(int, fd_restore_seek, fd_restore_t *, ulong);
SIG(int, fd_checkpt_frame_style_is_supported, int);
SIG(cs, fd_checkpt_strerror, int);

/* wksp 10 */
VAL(FD_ALLOC_ALIGN, 128UL);
VAL(FD_ALLOC_FOOTPRINT, 32768UL);
VAL(sizeof(fd_alloc_t), 32768UL);
VAL(alignof(fd_alloc_t), 128UL);
VAL(FD_ALLOC_MALLOC_ALIGN_DEFAULT, 16UL);
VAL(FD_ALLOC_JOIN_CGROUP_HINT_MAX, 15UL);
VAL(FD_ALLOC_SIZECLASS_MAX, 240UL);
VAL(FD_ALLOC_SUPERBLOCK_ALIGN, 8UL);
VAL(FD_ALLOC_SIZECLASS_CNT <= FD_ALLOC_SIZECLASS_MAX, 1);
VAL(alignof(fd_alloc_sizeclass_cfg_t), 8UL);
FIELD(fd_alloc_sizeclass_cfg_t, block_footprint, uint);
FIELD(fd_alloc_sizeclass_cfg_t, parent_sizeclass, ushort);
FIELD(fd_alloc_sizeclass_cfg_t, block_cnt, uchar);
FIELD(fd_alloc_sizeclass_cfg_t, cgroup_mask, uchar);
SIG(ulong, fd_alloc_align, void);
SIG(ulong, fd_alloc_footprint, void);
SIG(void *, fd_alloc_new, void *, ulong);
SIG(fd_alloc_t *, fd_alloc_join, void *, ulong);
SIG(void *, fd_alloc_leave, fd_alloc_t *);
SIG(void *, fd_alloc_delete, void *);
SIG(ulong, fd_alloc_join_cgroup_hint, fd_alloc_t *);
SIG(fd_alloc_t *, fd_alloc_join_cgroup_hint_set, fd_alloc_t *, ulong);
SIG(fd_wksp_t *, fd_alloc_wksp, fd_alloc_t *);
SIG(ulong, fd_alloc_tag, fd_alloc_t *);
SIG(void *, fd_alloc_malloc_at_least, fd_alloc_t *, ulong, ulong, ulong *);
SIG(void *, fd_alloc_malloc, fd_alloc_t *, ulong, ulong);
SIG(void, fd_alloc_free, fd_alloc_t *, void *);
SIG(void, fd_alloc_compact, fd_alloc_t *);
SIG(int, fd_alloc_is_empty, fd_alloc_t *);
SIG(ulong, fd_alloc_max_expand, ulong, ulong, ulong);
FD_PROTOTYPES_BEGIN
int fd_alloc_fprintf(fd_alloc_t * join, FILE * stream); /* no header has it */
FD_PROTOTYPES_END
SIG(int, fd_alloc_fprintf, fd_alloc_t *, FILE *);

/* groove 1, 2 */
VAL(FD_GROOVE_SUCCESS, 0);
VAL(FD_GROOVE_ERR_INVAL, -1);
VAL(FD_GROOVE_ERR_AGAIN, -2);
VAL(FD_GROOVE_ERR_CORRUPT, -3);
VAL(FD_GROOVE_ERR_EMPTY, -4);
VAL(FD_GROOVE_ERR_FULL, -5);
VAL(FD_GROOVE_ERR_KEY, -6);
VAL(FD_GROOVE_PARANOID, 1);
VAL(FD_GROOVE_BLOCK_ALIGN, 512UL);
VAL(FD_GROOVE_BLOCK_FOOTPRINT, 512UL);
VAL(FD_GROOVE_KEY_ALIGN, 8UL);
VAL(FD_GROOVE_KEY_FOOTPRINT, 32UL);
VAL(alignof(fd_groove_key_t), 8UL);
VAL(sizeof(fd_groove_key_t), 32UL);
VAL(sizeof(((fd_groove_key_t *)NULL)->c), 32UL);
VAL(sizeof(((fd_groove_key_t *)NULL)->uc), 32UL);
VAL(sizeof(((fd_groove_key_t *)NULL)->ul) / sizeof(ulong), 4UL);
SIG(cs, fd_groove_strerror, int);
SIG(fd_groove_key_t *, fd_groove_key_init, fd_groove_key_t *, void const *, ulong);
SIG(fd_groove_key_t *, fd_groove_key_init_ulong, fd_groove_key_t *, ulong, ulong, ulong, ulong);
SIG(int, fd_groove_key_eq, fd_groove_key_t const *, fd_groove_key_t const *);
SIG(ulong, fd_groove_key_hash, fd_groove_key_t const *, ulong);
VAL(FD_GROOVE_VOLUME_ALIGN, 4096UL);
VAL(FD_GROOVE_VOLUME_FOOTPRINT, 1UL << 30);
VAL(FD_GROOVE_VOLUME_MAGIC, 0xfd67007e701c3300UL);
VAL(FD_GROOVE_VOLUME_INFO_MAX, 480UL);
VAL(FD_GROOVE_VOLUME_DATA_MAX, (1UL << 30) - 512UL);
VAL(alignof(fd_groove_volume_t), 4096UL);
VAL(sizeof(fd_groove_volume_t), 1UL << 30);
VAL(offsetof(fd_groove_volume_t, magic), 0UL);
VAL(offsetof(fd_groove_volume_t, idx), 8UL);
VAL(offsetof(fd_groove_volume_t, next), 16UL);
VAL(offsetof(fd_groove_volume_t, info_sz), 24UL);
VAL(offsetof(fd_groove_volume_t, info), 32UL);
VAL(offsetof(fd_groove_volume_t, data), 512UL);
FIELD(fd_groove_volume_t, magic, ulong);
FIELD(fd_groove_volume_t, idx, ulong);
FIELD(fd_groove_volume_t, next, ulong);
FIELD(fd_groove_volume_t, info_sz, ulong);
VAL(FD_POOL_SUCCESS, 0);
VAL(FD_POOL_ERR_AGAIN, -1);
VAL(FD_POOL_ERR_CORRUPT, -2);
VAL(alignof(fd_groove_volume_pool_shmem_t), 128UL);
#define VPOOL  fd_groove_volume_pool_t *
#define VPOOLC fd_groove_volume_pool_t const *
SIG(ulong, fd_groove_volume_pool_align, void);
SIG(ulong, fd_groove_volume_pool_footprint, void);
SIG(ulong, fd_groove_volume_pool_ele_max_max, void);
SIG(void *, fd_groove_volume_pool_new, void *);
SIG(VPOOL, fd_groove_volume_pool_join, void *, void *, void *, ulong);
SIG(void *, fd_groove_volume_pool_leave, VPOOL);
SIG(void *, fd_groove_volume_pool_delete, void *);
SIG(void *, fd_groove_volume_pool_shpool, VPOOL);
SIG(void const *, fd_groove_volume_pool_shpool_const, VPOOLC);
SIG(void *, fd_groove_volume_pool_shele, VPOOL);
SIG(void const *, fd_groove_volume_pool_shele_const, VPOOLC);
SIG(ulong, fd_groove_volume_pool_ele_max, VPOOLC);
SIG(ulong, fd_groove_volume_pool_idx_null, void);
SIG(int, fd_groove_volume_pool_idx_is_null, ulong);
SIG(ulong, fd_groove_volume_pool_idx, VPOOLC, fd_groove_volume_t const *);
SIG(fd_groove_volume_t *, fd_groove_volume_pool_ele, VPOOL, ulong);
SIG(fd_groove_volume_t const *, fd_groove_volume_pool_ele_const, VPOOLC, ulong);
SIG(fd_groove_volume_t *, fd_groove_volume_pool_peek, VPOOL);
SIG(fd_groove_volume_t const *, fd_groove_volume_pool_peek_const, VPOOLC);
SIG(fd_groove_volume_t *, fd_groove_volume_pool_acquire, VPOOL);
SIG(void, fd_groove_volume_pool_release, VPOOL, fd_groove_volume_t *);
SIG(fd_groove_volume_t *, fd_groove_volume_pool_acquire_nolock, VPOOL);
SIG(void, fd_groove_volume_pool_release_chain, VPOOL, fd_groove_volume_t *, fd_groove_volume_t *);
SIG(int, fd_groove_volume_pool_is_empty, VPOOLC);
SIG(int, fd_groove_volume_pool_lock, VPOOL, int);
SIG(void, fd_groove_volume_pool_unlock, VPOOL);
SIG(void, fd_groove_volume_pool_reset, VPOOL);
SIG(int, fd_groove_volume_pool_verify, VPOOLC);
SIG(cs, fd_groove_volume_pool_strerror, int);
SIG(int, fd_groove_volume_pool_add, VPOOL, void *, ulong, void const *, ulong);
SIG(void *, fd_groove_volume_pool_remove, VPOOL);

/* groove 3 to 6 */
#define HDR  fd_groove_data_hdr_t
#define DATA fd_groove_data_t *
VAL(FD_GROOVE_DATA_HDR_ALIGN, 16UL);
VAL(FD_GROOVE_DATA_HDR_FOOTPRINT, 16UL);
VAL(alignof(HDR), 16UL);
VAL(sizeof(HDR), 16UL);
VAL(FD_GROOVE_DATA_HDR_TYPE_ALLOC, 0xfd67UL);
VAL(FD_GROOVE_DATA_HDR_TYPE_SUPERBLOCK, 0x0298UL);
VAL(FD_GROOVE_DATA_ALLOC_ALIGN_DEFAULT, 16UL);
VAL(FD_GROOVE_DATA_ALLOC_ALIGN_MAX, 512UL);
VAL(FD_GROOVE_DATA_ALLOC_FOOTPRINT_MAX, 10486272UL);
VAL(FD_GROOVE_DATA_SZC_CNT, 32UL);
VAL(FD_GROOVE_DATA_SZC_CGROUP_MAX, 64UL);
VAL(FD_GROOVE_DATA_ALIGN, 128UL);
VAL(FD_GROOVE_DATA_FOOTPRINT(), sizeof(fd_groove_data_shmem_t));
VAL(FD_GROOVE_DATA_FOOTPRINT() <= 512UL << 10, 1);
VAL(FD_GROOVE_DATA_MAGIC, 0xfd67007eda7a36c0UL);
VAL(alignof(fd_groove_data_t) >= 2UL, 1);
FIELD(fd_groove_data_shmem_t, magic, ulong);
FIELD(fd_groove_data_hdr_t, bits, ulong);
FIELD(fd_groove_data_hdr_t, info, ulong);
FIELD(fd_groove_data_szc_cfg_t, obj_footprint, uint);
FIELD(fd_groove_data_szc_cfg_t, obj_cnt, uchar);
FIELD(fd_groove_data_szc_cfg_t, cgroup_mask, uchar);
FIELD(fd_groove_data_szc_cfg_t, parent_szc, uchar);
VAL(sizeof(fd_groove_data_szc_cfg) / sizeof(fd_groove_data_szc_cfg[0]), 32UL);
SIG(HDR, fd_groove_data_hdr, ulong, ulong, ulong, ulong, ulong, ulong);
SIG(ulong, fd_groove_data_hdr_type, HDR);
SIG(ulong, fd_groove_data_hdr_idx, HDR);
SIG(ulong, fd_groove_data_hdr_szc, HDR);
SIG(ulong, fd_groove_data_hdr_align, HDR);
SIG(ulong, fd_groove_data_hdr_sz, HDR);
SIG(ulong, fd_groove_data_hdr_info, HDR);
SIG(HDR *, fd_groove_data_object_hdr, void *);
SIG(HDR const *, fd_groove_data_object_hdr_const, void const *);
SIG(HDR *, fd_groove_data_superblock_hdr, void *, ulong, ulong);
SIG(HDR const *, fd_groove_data_superblock_hdr_const, void const *, ulong, ulong);
SIG(ulong, fd_groove_data_szc, ulong);
SIG(ulong, fd_groove_data_alloc_align, void const *);
SIG(ulong, fd_groove_data_alloc_sz, void const *);
SIG(ulong, fd_groove_data_alloc_tag, void const *);
SIG(void *, fd_groove_data_alloc_start, void *);
SIG(void *, fd_groove_data_alloc_stop, void *);
SIG(void const *, fd_groove_data_alloc_start_const, void const *);
SIG(void const *, fd_groove_data_alloc_stop_const, void const *);
SIG(ulong, fd_groove_data_align, void);
SIG(ulong, fd_groove_data_footprint, void);
SIG(void *, fd_groove_data_new, void *);
SIG(DATA, fd_groove_data_join, void *, void *, void *, ulong, ulong);
SIG(void *, fd_groove_data_leave, DATA);
SIG(void *, fd_groove_data_delete, void *);
SIG(void *, fd_groove_data_shdata, DATA);
SIG(void *, fd_groove_data_volume0, DATA);
SIG(void *, fd_groove_data_volume1, DATA);
SIG(void const *, fd_groove_data_shdata_const, fd_groove_data_t const *);
SIG(void const *, fd_groove_data_volume0_const, fd_groove_data_t const *);
SIG(void const *, fd_groove_data_volume1_const, fd_groove_data_t const *);
SIG(ulong, fd_groove_data_volume_max, fd_groove_data_t const *);
SIG(ulong, fd_groove_data_cgroup_hint, fd_groove_data_t const *);
SIG(int, fd_groove_data_volume_add, DATA, void *, ulong, void const *, ulong);
SIG(void *, fd_groove_data_volume_remove, DATA);
SIG(void *, fd_groove_data_alloc, DATA, ulong, ulong, ulong, int *);
SIG(int, fd_groove_data_free, DATA, void *);
SIG(int, fd_groove_data_private_free, DATA, void *, ulong);
SIG(int, fd_groove_data_verify, fd_groove_data_t const *);
SIG(int, fd_groove_data_volume_verify, fd_groove_data_t const *, fd_groove_volume_t const *);

/* valloc, by way of fd_util.h */
static void * any_malloc(void * self, ulong align, ulong sz) {
  (void)self;
  (void)align, (void)sz;
  return NULL;
}
static void any_free(void * self, void * ptr) { (void)self, (void)ptr; }
static fd_valloc_malloc_fn_t const malloc_fn __attribute__((unused)) = any_malloc;
static fd_valloc_free_fn_t const free_fn __attribute__((unused)) = any_free;
FIELD(fd_valloc_vtable_t, malloc, fd_valloc_malloc_fn_t);
FIELD(fd_valloc_vtable_t, free, fd_valloc_free_fn_t);
FIELD(fd_valloc_t, self, void *);
FIELD(fd_valloc_t, vt, fd_valloc_vtable_t const *);
VAL(sizeof(struct fd_valloc_vtable) + sizeof(struct fd_valloc), 32UL);
static fd_valloc_vtable_t const * const vtables[3] = {&fd_libc_vtable, &fd_backtracing_vtable,
                                                      &fd_alloc_vtable};
SIG(fd_valloc_t, fd_libc_alloc_virtual, void);
SIG(fd_valloc_t, fd_null_alloc_virtual, void);
SIG(int, fd_is_null_alloc_virtual, fd_valloc_t);
SIG(fd_valloc_t, fd_backtracing_alloc_virtual, fd_valloc_t *);
SIG(void *, fd_valloc_malloc, fd_valloc_t, ulong, ulong);
SIG(void, fd_valloc_free, fd_valloc_t, void *);
SIG(fd_valloc_t, fd_alloc_virtual, fd_alloc_t *);

int main(void) {
  fd_wksp_private_pinfo_t pinfo[1];
  memset(pinfo, 0, sizeof(pinfo));
  pinfo->in_same = 1;
  int good = !*oom_silent() && in_same(pinfo) == 1UL && vtables[0]->malloc && vtables[2]->free;
  printf("%sok 1 - names, types and constants\n1..1\n", good ? "" : "not ");
  return !good;
}
