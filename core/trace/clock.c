/* See clock.h. */
#include "core/trace/clock.h"

uint64_t vt_clock_frozen;
uint32_t vt_clock_shared;
