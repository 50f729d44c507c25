#ifndef HEADER_fd_src_util_fd_util_base_h
#define HEADER_fd_src_util_fd_util_base_h

/* The base environment: target capabilities, short type names, compiler and concurrency macros, and
   the few functions everything else needs (memory, hash, tick counter).  Every macro here works as
   a plain C17 or C++17 spelling so the headers stay clean under the strictest warning flags. */

#include <stdalign.h>
#include <string.h>
#include <limits.h>
#include <float.h>

/* Capabilities: always 0 or 1, for #if and for C expressions. */

#ifndef FD_HAS_THREADS
#define FD_HAS_THREADS 0
#endif
#if FD_HAS_THREADS /* threads need an operating system and atomics */
#undef FD_HAS_HOSTED
#define FD_HAS_HOSTED 1
#undef FD_HAS_ATOMIC
#define FD_HAS_ATOMIC 1
#endif
#ifndef FD_HAS_HOSTED
#define FD_HAS_HOSTED 0
#endif
#ifndef FD_HAS_ATOMIC
#define FD_HAS_ATOMIC 0
#endif
#ifndef FD_HAS_INT128
#define FD_HAS_INT128 0
#endif
#ifndef FD_HAS_DOUBLE
#define FD_HAS_DOUBLE 0
#endif
#ifndef FD_HAS_ALLOCA
#define FD_HAS_ALLOCA 0
#endif
#ifndef FD_HAS_X86
#define FD_HAS_X86 0
#endif
#ifndef FD_HAS_SSE
#define FD_HAS_SSE 0
#endif
#ifndef FD_HAS_AVX
#define FD_HAS_AVX 0
#endif
#ifndef FD_HAS_AVX512
#define FD_HAS_AVX512 0
#endif
#ifndef FD_HAS_ARM
#define FD_HAS_ARM 0
#endif
#ifndef FD_HAS_LZ4
#define FD_HAS_LZ4 0
#endif
#ifndef FD_HAS_ZSTD
#define FD_HAS_ZSTD 0
#endif
#ifndef FD_HAS_COVERAGE
#define FD_HAS_COVERAGE 0
#endif
#ifndef FD_HAS_ASAN
#define FD_HAS_ASAN 0
#endif
#ifndef FD_HAS_UBSAN
#define FD_HAS_UBSAN 0
#endif
#ifndef FD_HAS_MSAN
#define FD_HAS_MSAN 0
#endif
#ifndef FD_HAS_DEEPASAN
#define FD_HAS_DEEPASAN 0
#endif

/* Types.  The machine model is LP64, little endian, arithmetic right shift. */

typedef signed char schar;
typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;

#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;
#define UINT128_MAX (~(uint128)0)
#define INT128_MAX  ((int128)(UINT128_MAX >> 1))
#define INT128_MIN  (-INT128_MAX - (int128)1)
#endif

#define SHORT_MIN  SHRT_MIN
#define SHORT_MAX  SHRT_MAX
#define USHORT_MAX USHRT_MAX

/* A clock: returns a time in its own unit; args is whatever the clock was registered with. */
typedef long (*fd_clock_func_t)(void const * args);

/* Preprocessor helpers. */

#define FD_STRINGIFY(x)                    #x
#define FD_CONCAT2(a, b)                   a##b
#define FD_CONCAT3(a, b, c)                a##b##c
#define FD_CONCAT4(a, b, c, d)             a##b##c##d
#define FD_EXPAND_THEN_STRINGIFY(x)        FD_STRINGIFY(x)
#define FD_EXPAND_THEN_CONCAT2(a, b)       FD_CONCAT2(a, b)
#define FD_EXPAND_THEN_CONCAT3(a, b, c)    FD_CONCAT3(a, b, c)
#define FD_EXPAND_THEN_CONCAT4(a, b, c, d) FD_CONCAT4(a, b, c, d)

/* FD_VA_ARGS_SELECT(__VA_ARGS__,e32,...,e1) is en when __VA_ARGS__ has n arguments, n in [1,32].
   The extra argument keeps the selector's own "..." non-empty, as ISO C demands. */
#define FD_VA_ARGS_SELECT(...) FD_VA_ARGS_SELECT_PRIVATE(__VA_ARGS__, 0)
#define FD_VA_ARGS_SELECT_PRIVATE(_01, _02, _03, _04, _05, _06, _07, _08, _09, _10, _11, _12, _13, \
                                  _14, _15, _16, _17, _18, _19, _20, _21, _22, _23, _24, _25, _26, \
                                  _27, _28, _29, _30, _31, _32, selected, ...)                     \
  selected

#define FD_SRC_LOCATION __FILE__ "(" FD_EXPAND_THEN_STRINGIFY(__LINE__) ")"

#ifdef __cplusplus
#define FD_STATIC_ASSERT(c, token) static_assert(c, #token)
#define FD_PROTOTYPES_BEGIN        extern "C" {
#define FD_PROTOTYPES_END          }
#define FD_RESTRICT                __restrict
#else
#define FD_STATIC_ASSERT(c, token) _Static_assert(c, #token)
#define FD_PROTOTYPES_BEGIN
#define FD_PROTOTYPES_END
#define FD_RESTRICT restrict
#endif

/* The compiler warns where the address is taken; the check is off for just that spot. */
#define FD_ADDRESS_OF_PACKED_MEMBER(x)                                                             \
  (__extension__({                                                                                 \
    _Pragma("GCC diagnostic push")                                                                 \
    _Pragma("GCC diagnostic ignored \"-Waddress-of-packed-member\"")                               \
    __typeof__((x)) * _fd_packed_member = &(x);                                                    \
    _Pragma("GCC diagnostic pop")                                                                  \
    _fd_packed_member;                                                                             \
  }))

/* Compiler hints. */

#define FD_LIKELY(c)   __builtin_expect(!!(c), 1L)
#define FD_UNLIKELY(c) __builtin_expect(!!(c), 0L)

#ifndef FD_FN_PURE
#define FD_FN_PURE
#endif
#ifndef FD_FN_CONST
#define FD_FN_CONST
#endif

#define FD_FN_UNUSED    __attribute__((unused))
#define FD_PARAM_UNUSED __attribute__((unused))
#define FD_TYPE_PACKED  __attribute__((packed))
#define FD_WARN_UNUSED  __attribute__((warn_unused_result))
/* The empty statement is there for the label in front: an attribute alone is none in ISO C. */
#define FD_FALLTHRU                                                                                \
  (void)0;                                                                                         \
  __attribute__((fallthrough))

#if FD_HAS_UBSAN
#define FD_FN_UNSANITIZED __attribute__((no_sanitize("undefined")))
#else
#define FD_FN_UNSANITIZED
#endif
#if FD_HAS_ASAN
#define FD_FN_NO_ASAN __attribute__((no_sanitize("address")))
#else
#define FD_FN_NO_ASAN
#endif
#define FD_FN_SENSITIVE __attribute__((noinline))

/* The optimizer forgets what it knows about the value of v; UNPREDICTABLE may not be elided. */
#define FD_COMPILER_FORGET(v)        __asm__("" : "+r"(v))
#define FD_COMPILER_UNPREDICTABLE(v) __asm__ __volatile__("" : "+r"(v))

/* Embed a file at build time: `name` is its first byte, `name_sz` its size in bytes. */
#define FD_IMPORT_BINARY(name, path)                                                    \
  extern uchar const name[];                                                            \
  extern ulong const name##_sz;                                                         \
  __asm__(".pushsection .rodata,\"a\",@progbits\n.globl " #name "\n.balign 128\n" #name \
          ":\n.incbin \"" path "\"\n1:\n.balign 8\n.globl " #name "_sz\n" #name         \
          "_sz:\n.quad 1b-" #name "\n.popsection\n")
/* The same as a cstr: a NUL is appended and counted in `name_sz`. */
#define FD_IMPORT_CSTR(name, path)                                                       \
  extern char const name[];                                                              \
  extern ulong const name##_sz;                                                          \
  __asm__(".pushsection .rodata,\"a\",@progbits\n.globl " #name "\n.balign 128\n" #name  \
          ":\n.incbin \"" path "\"\n.byte 0\n1:\n.balign 8\n.globl " #name "_sz\n" #name \
          "_sz:\n.quad 1b-" #name "\n.popsection\n")

/* Fences and thread-related macros. */

#define FD_COMPILER_MFENCE() __asm__ __volatile__("" ::: "memory")

#if FD_HAS_X86
#define FD_HW_MFENCE()    __asm__ __volatile__("mfence" ::: "memory")
#define FD_HW_MFENCE_LD() __asm__ __volatile__("lfence" ::: "memory")
#define FD_HW_MFENCE_ST() __asm__ __volatile__("sfence" ::: "memory")
#define FD_SPIN_PAUSE()   __builtin_ia32_pause()
#else
#define FD_HW_MFENCE()    __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define FD_HW_MFENCE_LD() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define FD_HW_MFENCE_ST() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define FD_SPIN_PAUSE()   ((void)0)
#endif

#if FD_HAS_HOSTED
#define FD_YIELD() fd_yield()
#else
#define FD_YIELD() FD_SPIN_PAUSE()
#endif

#define FD_VOLATILE_CONST(x) (*((volatile const __typeof__((x)) *)&(x)))
#define FD_VOLATILE(x)       (*((volatile __typeof__((x)) *)&(x)))

#if FD_HAS_ATOMIC
#define FD_ATOMIC_FETCH_AND_ADD(p, v) __sync_fetch_and_add((p), (v))
#define FD_ATOMIC_FETCH_AND_SUB(p, v) __sync_fetch_and_sub((p), (v))
#define FD_ATOMIC_FETCH_AND_OR(p, v)  __sync_fetch_and_or((p), (v))
#define FD_ATOMIC_FETCH_AND_AND(p, v) __sync_fetch_and_and((p), (v))
#define FD_ATOMIC_FETCH_AND_XOR(p, v) __sync_fetch_and_xor((p), (v))
#define FD_ATOMIC_ADD_AND_FETCH(p, v) __sync_add_and_fetch((p), (v))
#define FD_ATOMIC_SUB_AND_FETCH(p, v) __sync_sub_and_fetch((p), (v))
#define FD_ATOMIC_OR_AND_FETCH(p, v)  __sync_or_and_fetch((p), (v))
#define FD_ATOMIC_AND_AND_FETCH(p, v) __sync_and_and_fetch((p), (v))
#define FD_ATOMIC_XOR_AND_FETCH(p, v) __sync_xor_and_fetch((p), (v))
#define FD_ATOMIC_CAS(p, c, s)        __sync_val_compare_and_swap((p), (c), (s))
#define FD_ATOMIC_XCHG(p, v)          __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#endif

#if FD_HAS_THREADS
#define FD_TL __thread
#else
#define FD_TL
#endif

/* FD_ONCE_BEGIN { ... } FD_ONCE_END; runs the block once per process; other threads yield until it
   is done.  FD_THREAD_ONCE_* once per thread. */
#define FD_ONCE_BEGIN                             \
  do {                                            \
    static int _fd_once_state = 0;                \
    if (fd_private_once_claim(&_fd_once_state)) { \
      do
#define FD_ONCE_END                      \
  while (0)                              \
    ;                                    \
  fd_private_once_done(&_fd_once_state); \
  }                                      \
  }                                      \
  while (0)

#define FD_THREAD_ONCE_BEGIN                   \
  do {                                         \
    static FD_TL int _fd_thread_once_done = 0; \
    if (FD_UNLIKELY(!_fd_thread_once_done)) {  \
      do
#define FD_THREAD_ONCE_END  \
  while (0)                 \
    ;                       \
  _fd_thread_once_done = 1; \
  }                         \
  }                         \
  while (0)

/* FD_TURNSTILE_BEGIN(blocking) {A} FD_TURNSTILE_BLOCKED {B} FD_TURNSTILE_END;  One lock per textual
   use: with it, run A; without it, run B and retry if blocking. */
#define FD_TURNSTILE_BEGIN(blocking)                         \
  do {                                                       \
    static int _fd_turnstile_lock = 0;                       \
    int const _fd_turnstile_retry = !!(blocking);            \
    for (;;) {                                               \
      if (fd_private_turnstile_enter(&_fd_turnstile_lock)) { \
        FD_COMPILER_MFENCE();                                \
        do
#define FD_TURNSTILE_BLOCKED                      \
  while (0)                                       \
    ;                                             \
  FD_COMPILER_MFENCE();                           \
  fd_private_turnstile_exit(&_fd_turnstile_lock); \
  break;                                          \
  }                                               \
  do
#define FD_TURNSTILE_END           \
  while (0)                        \
    ;                              \
  if (!_fd_turnstile_retry) break; \
  FD_SPIN_PAUSE();                 \
  }                                \
  }                                \
  while (0)

FD_PROTOTYPES_BEGIN

/* fd_yield gives the rest of the caller's time slice to another thread (sched_yield). */
void fd_yield(void);

/* The turnstile lock: enter is an acquire that pairs with the release in exit. */
static inline int fd_private_turnstile_enter(int * lock) {
#if FD_HAS_ATOMIC
  return !__atomic_load_n(lock, __ATOMIC_RELAXED) &&
         !__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE);
#else
  if (*lock) return 0;
  *lock = 1;
  return 1;
#endif
}

static inline void fd_private_turnstile_exit(int * lock) {
#if FD_HAS_ATOMIC
  __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
#else
  *lock = 0;
#endif
}

/* Once state: 0 nobody ran the block, 1 somebody does, 2 done.  claim returns 1 to the one who has
   to run it and 0, after acquiring the block's stores, to everyone else; done is the release. */
static inline int fd_private_once_claim(int * state) {
#if FD_HAS_ATOMIC
  int expect = 0;
  if (FD_LIKELY(__atomic_load_n(state, __ATOMIC_ACQUIRE) == 2)) return 0;
  if (__atomic_compare_exchange_n(state, &expect, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
    return 1;
  while (__atomic_load_n(state, __ATOMIC_ACQUIRE) != 2) FD_YIELD();
  return 0;
#else
  return *state == 0;
#endif
}

static inline void fd_private_once_done(int * state) {
#if FD_HAS_ATOMIC
  __atomic_store_n(state, 2, __ATOMIC_RELEASE);
#else
  *state = 2;
#endif
}

/* fd_type_pun returns p in a way the optimizer cannot see through, so that the result may be cast
   to a type that aliases what p points to. */
static inline void * fd_type_pun(void * p) {
  __asm__("" : "+r"(p)::"memory");
  return p;
}

static inline void const * fd_type_pun_const(void const * p) {
  __asm__("" : "+r"(p)::"memory");
  return p;
}

/* fd_memcpy and fd_memset behave as libc's and also accept any pointers when sz is 0. */
static inline void * fd_memcpy(void * FD_RESTRICT d, void const * FD_RESTRICT s, ulong sz) {
  return sz ? memcpy(d, s, sz) : d;
}

static inline void * fd_memset(void * d, int c, ulong sz) { return sz ? memset(d, c, sz) : d; }

/* fd_memzero_explicit zeroes memory even when nobody reads it afterwards (secrets). */
static inline void fd_memzero_explicit(void * d, ulong sz) {
  fd_memset(d, 0, sz);
  __asm__ __volatile__("" ::"r"(d) : "memory");
}

/* fd_memeq is 1 iff the two regions hold the same bytes. */
static inline int fd_memeq(void const * a, void const * b, ulong sz) {
  return !sz || !memcmp(a, b, sz);
}

/* fd_mem_iszero is 1 iff all sz bytes are zero. */
int fd_mem_iszero(uchar const * mem, ulong sz);

/* fd_hash is the 64-bit xxHash (XXH64) of sz bytes with the given seed.  fd_hash_memcpy returns the
   same value and copies the bytes on the way (no overlap).  Source: the published XXH64
   specification. */
ulong fd_hash(ulong seed, void const * buf, ulong sz);
ulong fd_hash_memcpy(ulong seed, void * FD_RESTRICT d, void const * FD_RESTRICT s, ulong sz);

/* fd_tickcount is a monotonic tick counter of unspecified rate: the time stamp counter on x86,
   nanoseconds elsewhere. _fd_tickcount is the same as an fd_clock_func_t. */
long _fd_tickcount(void const * args);
#if FD_HAS_X86
#define fd_tickcount() ((long)__builtin_ia32_rdtsc())
#else
#define fd_tickcount() _fd_tickcount(NULL)
#endif

FD_PROTOTYPES_END

#endif
