/* The codes of interpreted languages: a number for each, by which virtual addresses name them.

   A code is found by its address while it lives, and by a hash of all that is said of it when it is
   new: programs that compile the same text again and again have one number for it. The language
   tells when a code is freed (vt_codes_freed), so that an address never means two codes. All calls
   are lock-free and async-signal-safe; tables have a fixed size and nothing is found or kept
   beyond. */
#ifndef VT_CORE_TRACE_FRAMES_CODES_H
#define VT_CORE_TRACE_FRAMES_CODES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define VT_CODES_FILTER_BITS 16

/* One bit for each hash of the address of a code that was seen. */
extern _Atomic uint64_t vt_codes_filter[(1u << VT_CODES_FILTER_BITS) / 64];
/* How many codes were freed: what was derived from addresses of codes before is void. */
extern _Atomic uint64_t vt_codes_voided;

/* vt_codes_init maps the tables; 0, or -1 without memory. vt_codes_forked empties them: a forked
   child says everything anew. */
int vt_codes_init(void);
void vt_codes_forked(void);

/* vt_codes_find is the number of the code at an address, 0: unknown. `print` is a hash of what tells
   it from another code that might have been there before. */
uint32_t vt_codes_find(uint64_t code, uint32_t print);

/* vt_codes_add gives the code at an address the number that codes of this content have; *is_new: it
   is the first of them, and is to be described. 0: there is no room. */
uint32_t vt_codes_add(uint64_t code, uint32_t print, uint64_t content, int *is_new);

void vt_codes_freed_slow(uint64_t code);

static inline uint32_t vt_codes_hash(uint64_t code) {
  return (uint32_t)((code >> 3) * 0x9e3779b97f4a7c15u >> 32); /* Fibonacci hashing */
}

/* vt_codes_maybe: may this block be a code that was seen? */
static inline int vt_codes_maybe(void const *block) {
  uint32_t bit = vt_codes_hash((uint64_t)block) >> (32 - VT_CODES_FILTER_BITS);
  return atomic_load_explicit(&vt_codes_filter[bit / 64], memory_order_relaxed) >> bit % 64 & 1;
}

/* vt_codes_freed is told of each block the language frees, before it is freed. */
static inline void vt_codes_freed(void const *block) {
  if (__builtin_expect(vt_codes_maybe(block), 0)) vt_codes_freed_slow((uint64_t)block);
}

/* vt_codes_memory is the memory of the tables, NULL: there is none. */
void const *vt_codes_memory(size_t *sz);

#endif
