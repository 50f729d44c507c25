#ifndef HEADER_fd_src_util_sanitize_fd_asan_h
#define HEADER_fd_src_util_sanitize_fd_asan_h

/* Shims that let allocators tell AddressSanitizer which bytes are theirs.  Without FD_HAS_ASAN they
   do nothing: poison and unpoison return addr, test 0, query NULL. */

#include "../fd_util_base.h"

#define FD_ASAN_ALIGN (8UL)

FD_PROTOTYPES_BEGIN

#if FD_HAS_ASAN

void __asan_poison_memory_region(void const volatile * addr, size_t sz);
void __asan_unpoison_memory_region(void const volatile * addr, size_t sz);
int __asan_address_is_poisoned(void const volatile * addr);
void * __asan_region_is_poisoned(void * addr, size_t sz);

static inline void * fd_asan_poison(void * addr, ulong sz) {
  __asan_poison_memory_region(addr, sz);
  return addr;
}

static inline void * fd_asan_unpoison(void * addr, ulong sz) {
  __asan_unpoison_memory_region(addr, sz);
  return addr;
}

static inline int fd_asan_test(void * addr) { return __asan_address_is_poisoned(addr); }

static inline void * fd_asan_query(void * addr, ulong sz) {
  return __asan_region_is_poisoned(addr, sz);
}

#else

static inline void * fd_asan_poison(void * addr, ulong sz) {
  (void)sz;
  return addr;
}

static inline void * fd_asan_unpoison(void * addr, ulong sz) {
  (void)sz;
  return addr;
}

static inline int fd_asan_test(void * addr) {
  (void)addr;
  return 0;
}

static inline void * fd_asan_query(void * addr, ulong sz) {
  (void)addr;
  (void)sz;
  return NULL;
}

#endif

FD_PROTOTYPES_END

#endif
