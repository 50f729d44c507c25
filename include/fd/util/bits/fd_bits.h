#ifndef HEADER_fd_src_util_bits_fd_bits_h
#define HEADER_fd_src_util_bits_fd_bits_h

/* Bit twiddling on every integer type: fd_<T>_<op> inline functions generated from one description
   per signedness, plus the constant-expression and type-generic macro forms.  All are pure
   functions of their arguments without any failure mode; bit indices are ints in [0,w). */

#include "../fd_util_base.h"

/* Constant-expression forms. */

#define FD_ULONG_MASK_LSB(n)    ((n) < 64 ? ((1UL << ((n)&63)) - 1UL) : ULONG_MAX)
#define FD_ULONG_MASK_MSB(n)    (~FD_ULONG_MASK_LSB(64 - (n)))
#define FD_ULONG_ALIGN_UP(x, a) (((x) + ((a)-1UL)) & (~((a)-1UL)))
#define FD_ULONG_IS_POW2(n)     ((n) > 0UL && !((n) & ((n)-1UL)))

/* Footprint builder: INIT, then APPEND each member, then FINI with the overall alignment. */

#define FD_LAYOUT_INIT                 (0UL)
#define FD_LAYOUT_APPEND(l, align, sz) (FD_ULONG_ALIGN_UP((l), (align)) + (ulong)(sz))
#define FD_LAYOUT_FINI(l, align)       FD_ULONG_ALIGN_UP((l), (align))

/* Run-time analogue: carve aligned pieces out of memory at base.  APPEND is the piece's address,
   FINI the first address behind everything. */

#define FD_SCRATCH_ALLOC_INIT(id, base) ulong _fd_scratch_##id = (ulong)(base)
#define FD_SCRATCH_ALLOC_APPEND(id, align, sz)                                   \
  (__extension__({                                                               \
    ulong _fd_scratch_ptr = FD_ULONG_ALIGN_UP(_fd_scratch_##id, (ulong)(align)); \
    _fd_scratch_##id = _fd_scratch_ptr + (ulong)(sz);                            \
    (void *)_fd_scratch_ptr;                                                     \
  }))
#define FD_SCRATCH_ALLOC_FINI(id, align) \
  (_fd_scratch_##id = FD_ULONG_ALIGN_UP(_fd_scratch_##id, (ulong)(align)))

/* Unaligned loads and stores of any trivially copyable type. */

#define FD_LOAD(T, p)                                    \
  (__extension__({                                       \
    T _fd_load_val;                                      \
    memcpy(&_fd_load_val, (void const *)(p), sizeof(T)); \
    _fd_load_val;                                        \
  }))
#define FD_STORE(T, p, v)                           \
  (__extension__({                                  \
    T _fd_store_val = (v);                          \
    memcpy((void *)(p), &_fd_store_val, sizeof(T)); \
  }))

/* Unsigned types.  mask_lsb and friends take n in [0,w]; ranges l,h are inclusive; a is a power of
   two; align_up wraps; shifts by w or more give 0; rotates take any n. */

/* Decimal digits of x; 0 has one. */
static inline ulong fd_bits_private_dig_cnt(ulong x) {
  ulong cnt = 1UL;
  while (x >= 10UL) {
    x /= 10UL;
    cnt++;
  }
  return cnt;
}

/* The width-specific part: popcnt, find_{lsb,msb} (x non-zero) and bswap. */

#define FD_BITS_PRIVATE_COUNT(T)                                                     \
  static inline int fd_##T##_popcnt(T x) { return __builtin_popcountl((ulong)x); }   \
  static inline int fd_##T##_find_lsb(T x) { return __builtin_ctzl((ulong)x); }      \
  static inline int fd_##T##_find_msb(T x) { return 63 - __builtin_clzl((ulong)x); } \
  static inline ulong fd_##T##_base10_dig_cnt(T x) { return fd_bits_private_dig_cnt((ulong)x); }

#define FD_BITS_PRIVATE_UNSIGNED(T, w)                                                           \
  static inline int fd_##T##_is_pow2(T x) { return !!x & !(x & (T)(x - (T)1)); }                 \
  static inline T fd_##T##_pow2(int n) { return n < w ? (T)((T)1 << (n & (w - 1))) : (T)0; }     \
  static inline T fd_##T##_mask_bit(int b) { return (T)((T)1 << b); }                            \
  static inline T fd_##T##_clear_bit(T x, int b) { return (T)(x & ~fd_##T##_mask_bit(b)); }      \
  static inline T fd_##T##_set_bit(T x, int b) { return (T)(x | fd_##T##_mask_bit(b)); }         \
  static inline T fd_##T##_flip_bit(T x, int b) { return (T)(x ^ fd_##T##_mask_bit(b)); }        \
  static inline int fd_##T##_extract_bit(T x, int b) { return (int)((x >> b) & (T)1); }          \
  static inline T fd_##T##_insert_bit(T x, int b, int y) {                                       \
    return (T)(fd_##T##_clear_bit(x, b) | (T)((T)y << b));                                       \
  }                                                                                              \
  static inline T fd_##T##_mask_lsb(int n) {                                                     \
    return n < w ? (T)((T)((T)1 << (n & (w - 1))) - (T)1) : (T) ~(T)0;                           \
  }                                                                                              \
  static inline T fd_##T##_clear_lsb(T x, int n) { return (T)(x & ~fd_##T##_mask_lsb(n)); }      \
  static inline T fd_##T##_set_lsb(T x, int n) { return (T)(x | fd_##T##_mask_lsb(n)); }         \
  static inline T fd_##T##_flip_lsb(T x, int n) { return (T)(x ^ fd_##T##_mask_lsb(n)); }        \
  static inline T fd_##T##_extract_lsb(T x, int n) { return (T)(x & fd_##T##_mask_lsb(n)); }     \
  static inline T fd_##T##_insert_lsb(T x, int n, T y) {                                         \
    return (T)(fd_##T##_clear_lsb(x, n) | y);                                                    \
  }                                                                                              \
  static inline T fd_##T##_mask(int l, int h) { return (T)(fd_##T##_mask_lsb(h - l + 1) << l); } \
  static inline T fd_##T##_clear(T x, int l, int h) { return (T)(x & ~fd_##T##_mask(l, h)); }    \
  static inline T fd_##T##_set(T x, int l, int h) { return (T)(x | fd_##T##_mask(l, h)); }       \
  static inline T fd_##T##_flip(T x, int l, int h) { return (T)(x ^ fd_##T##_mask(l, h)); }      \
  static inline T fd_##T##_extract(T x, int l, int h) {                                          \
    return (T)((x >> l) & fd_##T##_mask_lsb(h - l + 1));                                         \
  }                                                                                              \
  static inline T fd_##T##_insert(T x, int l, int h, T y) {                                      \
    return (T)(fd_##T##_clear(x, l, h) | (T)(y << l));                                           \
  }                                                                                              \
  static inline T fd_##T##_lsb(T x) { return (T)(x ^ (x & (T)(x - (T)1))); }                     \
  static inline T fd_##T##_pop_lsb(T x) { return (T)(x & (T)(x - (T)1)); }                       \
  static inline int fd_##T##_is_aligned(T x, T a) { return !(x & (T)(a - (T)1)); }               \
  static inline T fd_##T##_alignment(T x, T a) { return (T)(x & (T)(a - (T)1)); }                \
  static inline T fd_##T##_align_dn(T x, T a) { return (T)(x & ~(T)(a - (T)1)); }                \
  static inline T fd_##T##_align_up(T x, T a) {                                                  \
    return (T)((T)(x + (T)(a - (T)1)) & ~(T)(a - (T)1));                                         \
  }                                                                                              \
  static inline T fd_##T##_blend(T m, T t, T f) { return (T)((t & m) | (f & ~m)); }              \
  static inline T fd_##T##_if(int c, T t, T f) { return c ? t : f; }                             \
  static inline void fd_##T##_store_if(int c, T * p, T v) {                                      \
    if (c) *p = v;                                                                               \
  }                                                                                              \
  static inline T fd_##T##_abs(T x) { return x; }                                                \
  static inline T fd_##T##_min(T x, T y) { return x < y ? x : y; }                               \
  static inline T fd_##T##_max(T x, T y) { return x > y ? x : y; }                               \
  static inline T fd_##T##_shift_left(T x, int n) { return n < w ? (T)(x << n) : (T)0; }         \
  static inline T fd_##T##_shift_right(T x, int n) { return n < w ? (T)(x >> n) : (T)0; }        \
  static inline T fd_##T##_rotate_left(T x, int n) {                                             \
    return (T)((T)(x << (n & (w - 1))) | (T)(x >> (-n & (w - 1))));                              \
  }                                                                                              \
  static inline T fd_##T##_rotate_right(T x, int n) {                                            \
    return (T)((T)(x >> (n & (w - 1))) | (T)(x << (-n & (w - 1))));                              \
  }                                                                                              \
  static inline int fd_##T##_find_lsb_w_default(T x, int d) {                                    \
    return x ? fd_##T##_find_lsb(x) : d;                                                         \
  }                                                                                              \
  static inline int fd_##T##_find_msb_w_default(T x, int d) {                                    \
    return x ? fd_##T##_find_msb(x) : d;                                                         \
  }                                                                                              \
  static inline T fd_##T##_pow2_up(T x) {                                                        \
    return x ? fd_##T##_pow2(fd_##T##_find_msb_w_default((T)(x - (T)1), -1) + 1) : (T)0;         \
  }                                                                                              \
  static inline T fd_##T##_pow2_dn(T x) { return fd_##T##_pow2(fd_##T##_find_msb_w_default(x, 0)); }

FD_BITS_PRIVATE_COUNT(uchar)
FD_BITS_PRIVATE_COUNT(ushort)
FD_BITS_PRIVATE_COUNT(uint)
FD_BITS_PRIVATE_COUNT(ulong)
FD_BITS_PRIVATE_UNSIGNED(uchar, 8)
FD_BITS_PRIVATE_UNSIGNED(ushort, 16)
FD_BITS_PRIVATE_UNSIGNED(uint, 32)
FD_BITS_PRIVATE_UNSIGNED(ulong, 64)

static inline uchar fd_uchar_bswap(uchar x) { return x; }
static inline ushort fd_ushort_bswap(ushort x) { return __builtin_bswap16(x); }
static inline uint fd_uint_bswap(uint x) { return __builtin_bswap32(x); }
static inline ulong fd_ulong_bswap(ulong x) { return __builtin_bswap64(x); }

#if FD_HAS_INT128
static inline int fd_uint128_popcnt(uint128 x) {
  return __builtin_popcountl((ulong)x) + __builtin_popcountl((ulong)(x >> 64));
}
static inline int fd_uint128_find_lsb(uint128 x) {
  return (ulong)x ? __builtin_ctzl((ulong)x) : 64 + __builtin_ctzl((ulong)(x >> 64));
}
static inline int fd_uint128_find_msb(uint128 x) {
  ulong hi = (ulong)(x >> 64);
  return hi ? 127 - __builtin_clzl(hi) : 63 - __builtin_clzl((ulong)x);
}
static inline ulong fd_uint128_base10_dig_cnt(uint128 x) {
  ulong cnt = 0UL;
  while (x >> 64) {
    x /= 10;
    cnt++;
  }
  return cnt + fd_bits_private_dig_cnt((ulong)x);
}
static inline uint128 fd_uint128_bswap(uint128 x) {
  return (uint128)__builtin_bswap64((ulong)x) << 64 | (uint128)__builtin_bswap64((ulong)(x >> 64));
}
FD_BITS_PRIVATE_UNSIGNED(uint128, 128)
#endif

/* Signed types.  abs and zz_enc give the unsigned type; shift_right extends the sign, by w or more
   bits too; zz_* is the zig-zag coding that makes small magnitudes small numbers. */

#define FD_BITS_PRIVATE_SIGNED(T, UT, w)                                                          \
  static inline T fd_##T##_if(int c, T t, T f) { return c ? t : f; }                              \
  static inline void fd_##T##_store_if(int c, T * p, T v) {                                       \
    if (c) *p = v;                                                                                \
  }                                                                                               \
  static inline UT fd_##T##_abs(T x) { return x < (T)0 ? (UT)((UT)0 - (UT)x) : (UT)x; }           \
  static inline T fd_##T##_min(T x, T y) { return x < y ? x : y; }                                \
  static inline T fd_##T##_max(T x, T y) { return x > y ? x : y; }                                \
  static inline T fd_##T##_shift_left(T x, int n) { return (T)fd_##UT##_shift_left((UT)x, n); }   \
  static inline T fd_##T##_shift_right(T x, int n) { return (T)(x >> (n < w ? n : w - 1)); }      \
  static inline T fd_##T##_rotate_left(T x, int n) { return (T)fd_##UT##_rotate_left((UT)x, n); } \
  static inline T fd_##T##_rotate_right(T x, int n) {                                             \
    return (T)fd_##UT##_rotate_right((UT)x, n);                                                   \
  }                                                                                               \
  static inline UT fd_##T##_zz_enc(T x) {                                                         \
    return (UT)(fd_##UT##_shift_left((UT)x, 1) ^ (UT)(x >> (w - 1)));                             \
  }                                                                                               \
  static inline T fd_##T##_zz_dec(UT x) { return (T)((UT)(x >> 1) ^ (UT)((UT)0 - (x & (UT)1))); }

FD_BITS_PRIVATE_SIGNED(schar, uchar, 8)
FD_BITS_PRIVATE_SIGNED(short, ushort, 16)
FD_BITS_PRIVATE_SIGNED(int, uint, 32)
FD_BITS_PRIVATE_SIGNED(long, ulong, 64)
#if FD_HAS_INT128
FD_BITS_PRIVATE_SIGNED(int128, uint128, 128)
#endif

static inline char fd_char_if(int c, char t, char f) { return c ? t : f; }
static inline void fd_char_store_if(int c, char * p, char v) {
  if (c) *p = v;
}

/* Floating point: eq compares the bits, so a NaN equals itself and 0 differs from -0. */

static inline float fd_float_if(int c, float t, float f) { return c ? t : f; }
static inline void fd_float_store_if(int c, float * p, float v) {
  if (c) *p = v;
}
static inline float fd_float_abs(float x) { return __builtin_fabsf(x); }
static inline int fd_float_eq(float x, float y) { return !memcmp(&x, &y, sizeof(float)); }

#if FD_HAS_DOUBLE
static inline double fd_double_if(int c, double t, double f) { return c ? t : f; }
static inline void fd_double_store_if(int c, double * p, double v) {
  if (c) *p = v;
}
static inline double fd_double_abs(double x) { return __builtin_fabs(x); }
static inline int fd_double_eq(double x, double y) { return !memcmp(&x, &y, sizeof(double)); }
#endif

/* Hashes: the finalizers of MurmurHash3 (public domain, Austin Appleby).  Bijections with 0 -> 0.
 */

static inline uint fd_uint_hash(uint x) {
  x ^= x >> 16;
  x *= 0x85ebca6bU;
  x ^= x >> 13;
  x *= 0xc2b2ae35U;
  return x ^ (x >> 16);
}

static inline uint fd_uint_hash_inverse(uint x) {
  x ^= x >> 16;
  x *= 0x7ed1b41dU;
  x ^= (x >> 13) ^ (x >> 26);
  x *= 0xa5cb9243U;
  return x ^ (x >> 16);
}

static inline ulong fd_ulong_hash(ulong x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdUL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53UL;
  return x ^ (x >> 33);
}

static inline ulong fd_ulong_hash_inverse(ulong x) {
  x ^= x >> 33;
  x *= 0x9cb4b2f8129337dbUL;
  x ^= x >> 33;
  x *= 0x4f74430c22a54005UL;
  return x ^ (x >> 33);
}

/* fd_ulong_load_N reads N little-endian bytes from any address and extends with zeros. */

#define FD_BITS_PRIVATE_LOAD(n)                           \
  static inline ulong fd_ulong_load_##n(void const * p) { \
    ulong x = 0UL;                                        \
    memcpy(&x, p, n##UL);                                 \
    return x;                                             \
  }

FD_BITS_PRIVATE_LOAD(1)
FD_BITS_PRIVATE_LOAD(2)
FD_BITS_PRIVATE_LOAD(3)
FD_BITS_PRIVATE_LOAD(4)
FD_BITS_PRIVATE_LOAD(5)
FD_BITS_PRIVATE_LOAD(6)
FD_BITS_PRIVATE_LOAD(7)
FD_BITS_PRIVATE_LOAD(8)

/* Integer roots, exact for every x: the largest integer not above the root, the nearest one (a root
   is never half way between two), the smallest not below it.  approx promises an error below 1 and
   is the nearest one too. */

/* Newton's iteration from a power of two that is not below the root descends to it monotonically.
 */
static inline ulong fd_ulong_floor_sqrt(ulong x) {
  if (x < 2UL) return x;
  ulong root = 1UL << ((fd_ulong_find_msb(x) >> 1) + 1);
  for (;;) {
    ulong next = (root + x / root) >> 1;
    if (next >= root) return root;
    root = next;
  }
}

static inline ulong fd_ulong_round_sqrt(ulong x) {
  ulong root = fd_ulong_floor_sqrt(x);
  return root + (ulong)(x - root * root > root);
}

static inline ulong fd_ulong_ceil_sqrt(ulong x) {
  ulong root = fd_ulong_floor_sqrt(x);
  return root + (ulong)(root * root != x);
}

static inline ulong fd_ulong_approx_sqrt(ulong x) { return fd_ulong_round_sqrt(x); }

/* Digit by digit: each step doubles the root and adds one if (2 root+1)^3 still fits.  Source: the
   hardware cube root of Hacker's Delight. */
static inline ulong fd_ulong_floor_cbrt(ulong x) {
  ulong root = 0UL;
  for (int s = 63; s >= 0; s -= 3) {
    root *= 2UL;
    ulong more = 3UL * root * (root + 1UL) + 1UL;
    if ((x >> s) >= more) {
      x -= more << s;
      root++;
    }
  }
  return root;
}

static inline ulong fd_ulong_round_cbrt(ulong x) {
  ulong root = fd_ulong_floor_cbrt(x);
  ulong rest = x - root * root * root;
  return root + (ulong)(8UL * rest > 12UL * root * root + 6UL * root + 1UL);
}

static inline ulong fd_ulong_ceil_cbrt(ulong x) {
  ulong root = fd_ulong_floor_cbrt(x);
  return root + (ulong)(root * root * root != x);
}

static inline ulong fd_ulong_approx_cbrt(ulong x) { return fd_ulong_round_cbrt(x); }

/* Symmetric variable width (svw) coding: x in 1, 2, 3, 4, 5, 8 or 9 bytes, the fewest that hold it.
   The lowest bits of the first byte and, mirrored, the highest of the last one tell the size, so a
   sequence can be read from either end; x is between them, little endian. */

static inline ulong fd_ulong_svw_enc_sz(ulong x) {
  return x < 1UL << 6    ? 1UL
         : x < 1UL << 10 ? 2UL
         : x < 1UL << 18 ? 3UL
         : x < 1UL << 24 ? 4UL
         : x < 1UL << 32 ? 5UL
         : x < 1UL << 56 ? 8UL
                         : 9UL;
}

/* Bits the size takes at either end of an encoding of sz bytes. */
static inline int fd_ulong_svw_private_tag_width(ulong sz) {
  return sz == 1UL ? 1 : sz < 4UL ? 3 : 4;
}

/* Encodes x, which must fit, in exactly sz bytes at b; returns the byte behind. */
static inline uchar * fd_ulong_svw_enc_fixed(uchar * b, ulong sz, ulong x) {
  static uchar const head[10] = {0, 0, 1, 5, 3, 0xb, 0, 0, 7, 0xf};
  static uchar const tail[10] = {0, 0, 4, 5, 0xc, 0xd, 0, 0, 0xe, 0xf};
  int width = fd_ulong_svw_private_tag_width(sz);
  ulong low = (ulong)head[sz] | (x << width);
  ulong high = (ulong)tail[sz] << (8 - width);
  if (sz == 9UL) {
    memcpy(b, &low, 8UL);
    b[8] = (uchar)(high | (x >> 60));
    return b + 9;
  }
  low |= high << (8 * (int)(sz - 1UL));
  memcpy(b, &low, sz);
  return b + sz;
}

static inline uchar * fd_ulong_svw_enc(uchar * b, ulong x) {
  return fd_ulong_svw_enc_fixed(b, fd_ulong_svw_enc_sz(x), x);
}

/* Size in bytes of the encoding that starts at b, and of the one that ends before b. */
static inline ulong fd_ulong_svw_dec_sz(uchar const * b) {
  static uchar const sz[16] = {1, 2, 1, 4, 1, 3, 1, 8, 1, 2, 1, 5, 1, 3, 1, 9};
  return (ulong)sz[b[0] & 15];
}

static inline ulong fd_ulong_svw_dec_tail_sz(uchar const * b) {
  static uchar const sz[16] = {1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 3, 4, 5, 8, 9};
  return (ulong)sz[b[-1] >> 4];
}

/* Decodes the sz bytes at b. */
static inline ulong fd_ulong_svw_dec_fixed(uchar const * b, ulong sz) {
  ulong low = 0UL;
  int width = fd_ulong_svw_private_tag_width(sz);
  memcpy(&low, b, sz < 8UL ? sz : 8UL);
  if (sz == 9UL) return (low >> 4) | ((ulong)b[8] << 60);
  return (low >> width) & FD_ULONG_MASK_LSB(8 * (int)sz - 2 * width);
}

/* Decode the encoding that starts at b, returning the byte behind it, or the one that ends before
   b, returning its first byte. */
static inline uchar const * fd_ulong_svw_dec(uchar const * b, ulong * x) {
  ulong sz = fd_ulong_svw_dec_sz(b);
  *x = fd_ulong_svw_dec_fixed(b, sz);
  return b + sz;
}

static inline uchar const * fd_ulong_svw_dec_tail(uchar const * b, ulong * x) {
  ulong sz = fd_ulong_svw_dec_tail_sz(b);
  *x = fd_ulong_svw_dec_fixed(b - sz, sz);
  return b - sz;
}

/* Statement and type-generic forms; each argument is evaluated once. */

#define fd_swap(a, b)                   \
  do {                                  \
    __typeof__((a)) _fd_swap_tmp = (a); \
    (a) = (b);                          \
    (b) = _fd_swap_tmp;                 \
  } while (0)

#define fd_swap_if(c, a, b) \
  do {                      \
    if (c) fd_swap(a, b);   \
  } while (0)

#define fd_ptr_if(c, t, f) ((__typeof__((t)))fd_ulong_if(!!(c), (ulong)(t), (ulong)(f)))

#define fd_is_pow2(x)                                             \
  (__extension__({                                                \
    __typeof__(x) _fd_is_pow2_x = (x);                            \
    (_fd_is_pow2_x > 0) & !(_fd_is_pow2_x & (_fd_is_pow2_x - 1)); \
  }))
#define fd_pop_lsb(x)                                     \
  (__extension__({                                        \
    __typeof__(x) _fd_pop_lsb_x = (x);                    \
    (__typeof__(x))(_fd_pop_lsb_x & (_fd_pop_lsb_x - 1)); \
  }))
#define fd_is_aligned(x, a)                              \
  (__extension__({                                       \
    __typeof__(x) _fd_is_aligned_x = (x);                \
    __typeof__(x) _fd_is_aligned_y = (__typeof__(x))(a); \
    !(_fd_is_aligned_x & (_fd_is_aligned_y - 1));        \
  }))
#define fd_alignment(x, a)                                    \
  (__extension__({                                            \
    __typeof__(x) _fd_alignment_x = (x);                      \
    __typeof__(x) _fd_alignment_y = (__typeof__(x))(a);       \
    (__typeof__(x))(_fd_alignment_x & (_fd_alignment_y - 1)); \
  }))
#define fd_align_dn(x, a)                                    \
  (__extension__({                                           \
    __typeof__(x) _fd_align_dn_x = (x);                      \
    __typeof__(x) _fd_align_dn_y = (__typeof__(x))(a);       \
    (__typeof__(x))(_fd_align_dn_x & ~(_fd_align_dn_y - 1)); \
  }))
#define fd_align_up(x, a)                                                             \
  (__extension__({                                                                    \
    __typeof__(x) _fd_align_up_x = (x);                                               \
    __typeof__(x) _fd_align_up_y = (__typeof__(x))(a);                                \
    (__typeof__(x))((_fd_align_up_x + (_fd_align_up_y - 1)) & ~(_fd_align_up_y - 1)); \
  }))
#define fd_min(x, y)                               \
  (__extension__({                                 \
    __typeof__(x) _fd_min_x = (x);                 \
    __typeof__(x) _fd_min_y = (__typeof__(x))(y);  \
    _fd_min_x < _fd_min_y ? _fd_min_x : _fd_min_y; \
  }))
#define fd_max(x, y)                               \
  (__extension__({                                 \
    __typeof__(x) _fd_max_x = (x);                 \
    __typeof__(x) _fd_max_y = (__typeof__(x))(y);  \
    _fd_max_x > _fd_max_y ? _fd_max_x : _fd_max_y; \
  }))

#endif
