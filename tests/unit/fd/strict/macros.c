/* Uses every macro of the base headers the way strict user code does; headers.t compiles it as C
   and C++ and runs it.  An FD_TEST that fails ends it with status 1. */

#include "fd/util/fd_util.h"
#include <ctype.h>
FD_IMPORT_BINARY(blob, "Makefile");
FD_IMPORT_CSTR(blobc, "Makefile");
struct FD_TYPE_PACKED pk {
  char a;
  int b;
};
static FD_TL ulong tl[10];
FD_WARN_UNUSED static int f(int x FD_PARAM_UNUSED) {
  switch (x) {
  case 1: FD_FALLTHRU;
  case 2: return 3;
  default: break;
  }
  return 0;
}
static FD_FN_UNUSED int g(void) { return 1; }
FD_STATIC_ASSERT(alignof(ulong) == 8UL, foo);
static FD_FOR_ALL_BEGIN(op, 1L) { (void)0; }
FD_FOR_ALL_END
FD_FOR_ALL_PROTO(op2);
FD_FOR_ALL_BEGIN(op2, (long)arg_cnt) {
  if (tpool_t0 > 1000UL) break;
}
FD_FOR_ALL_END
int main(int argc, char ** argv) {
  fd_boot(&argc, &argv);
  struct pk p;
  p.b = 1;
  int * q = FD_ADDRESS_OF_PACKED_MEMBER(p.b);
  if (!q) return 1;
  int v = 1;
  int vc = FD_VOLATILE_CONST(v);
  FD_VOLATILE(v) = 2;
  FD_COMPILER_FORGET(v);
  FD_COMPILER_UNPREDICTABLE(vc);
  ulong x = 1UL;
  ulong volatile y = 2UL;
  ulong * px = &x;
  void * volatile pv = NULL;
  schar c8 = 1;
  ushort u16 = 1;
  FD_TEST(FD_ATOMIC_CAS(&y, 2UL, 3UL) == 2UL);
  FD_TEST(FD_ATOMIC_CAS(&px, &x, (ulong *)NULL) == &x);
  FD_TEST(!FD_ATOMIC_CAS(&pv, (void *)NULL, (void *)&x));
  FD_TEST(FD_ATOMIC_CAS(&c8, (schar)1, (schar)2) == 1);
  FD_TEST(FD_ATOMIC_FETCH_AND_ADD(&u16, (ushort)1) == 1);
  FD_TEST(FD_ATOMIC_XCHG(&y, 5UL) == 3UL);
  FD_TEST(FD_ATOMIC_XCHG(&pv, (void *)NULL) == (void *)&x);
  while (FD_UNLIKELY(FD_VOLATILE_CONST(x) != 1UL)) FD_SPIN_PAUSE();
  FD_ONCE_BEGIN { tl[0]++; }
  FD_ONCE_END;
  FD_THREAD_ONCE_BEGIN { tl[0]++; }
  FD_THREAD_ONCE_END;
  FD_TURNSTILE_BEGIN(0) { tl[1]++; }
  FD_TURNSTILE_BLOCKED { tl[2]++; }
  FD_TURNSTILE_END;
  if (x)
    FD_TEST(x);
  else
    FD_LOG_ERR(("no"));
  FD_LOG_NOTICE(("%s " FD_LOG_HEX16_FMT, FD_SRC_LOCATION, FD_LOG_HEX16_ARGS(argv[0] - 16)));
  FD_LOG_STDOUT(("hello %d\n", f(1) + g()));
  FD_CHECK_ERR(1, "x");
  FD_CHECK_CRIT(1, "y");
  FD_DCHECK_CRIT(x, "z");
  FD_DCHECK_ALERT(1, "z");
  FD_TEST_CRIT(1);
  FD_SCRATCH_ALLOC_INIT(l, tl);
  ulong * s0 = (ulong *)FD_SCRATCH_ALLOC_APPEND(l, 8UL, 16UL);
  FD_SCRATCH_ALLOC_FINI(l, 64UL);
  FD_TEST(s0 == tl);
  fd_swap(x, x);
  ulong lo, hi;
  FD_TPOOL_PARTITION(0UL, 10UL, 1UL, 0UL, 2UL, lo, hi);
  FD_TEST(hi - lo == 5UL);
  long now = fd_tickcount();
  fd_clock_func_t fn = _fd_tickcount;
  FD_TEST(fn(NULL) >= now);
  FD_YIELD();
  FD_HW_MFENCE();
  FD_HW_MFENCE_LD();
  FD_HW_MFENCE_ST();
  FD_COMPILER_MFENCE();
  static uchar mem[FD_TPOOL_FOOTPRINT(4)] __attribute__((aligned(128)));
  fd_tpool_t * tp = fd_tpool_init(mem, 4UL, 0UL);
  FD_FOR_ALL(op, tp, 0UL, 1UL, 0, 3);
  FD_MAP_REDUCE(op2, tp, 0UL, 1UL, 0L, 3L, tp, 1, 'c');
  FD_STORE(uint, mem, 7U);
  FD_TEST(FD_LOAD(uint, mem) == 7U);
  FD_TEST(blob_sz + 1UL == blobc_sz && blobc[blob_sz] == '\0' && blob[0]);
  FD_TEST(FD_HAS_LZ4 ? fd_isalnum('c') : 0);
  FD_TEST(fd_ptr_if(1, argv, NULL) == argv);
  FD_TEST(fd_type_pun(mem) == mem);
  fd_halt();
  return 0;
}
