/* How much room the processor needs to keep its vector registers (SSE, AVX, AVX-512), for
   patched_keep.S. The layout of the area is told by CPUID leaf 0xD (Intel SDM, volume 1, chapter 13);
   what the kernel has not switched on need not be kept. */
#include "preload/patched.h"
#include "preload/patched_keep.h"

#include <stddef.h>

#if defined(__x86_64__)
#include <cpuid.h>

#define LEGACY_SZ 576 /* with the header */
#define OSXSAVE   (1u << 27)
#define VECTORS   0xe6u /* SSE, AVX, and the three parts of AVX-512 */

_Static_assert(offsetof(vt_patch_descriptor_t, kind) + offsetof(vt_patch_kind_t, void_) == VT_KEEP_VOID,
               "patched_keep.S looks there");

uint64_t vt_keep_sz = LEGACY_SZ;
uint32_t vt_keep_mask; /* what xsave is to keep; 0: there is no xsave */

static uint32_t switched_on(void) {
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

void vt_patched_keep_init(void) {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE)) return;
  vt_keep_mask = switched_on() & VECTORS;
  for (uint32_t i = 2; i < 8; i++) {
    if (!(vt_keep_mask & 1u << i) || !__get_cpuid_count(0xd, i, &a, &b, &c, &d)) continue;
    if (a + b > vt_keep_sz) vt_keep_sz = a + b;
  }
}

#else /* nothing is patched on other processors */
void vt_patched_keep(void) {}
void vt_patched_keep_init(void) {}
#endif
