/* Which memory may be read. The thread's own stack is, from its stack pointer up. Of other memory a
   state remembers contiguous ranges known to be readable; the kernel is asked once per page that a
   walk reaches beyond them, so a wild frame pointer or damaged stack ends a walk and never faults. */
#include "core/trace/unwind_impl.h"

_Atomic uint32_t vt_unwind_calls = VT_UNWIND_ASKS;

void vt_unwind_confine(vt_unwind_calls_t calls) {
  atomic_store_explicit(&vt_unwind_calls, calls, memory_order_relaxed);
}

vt_unwind_calls_t vt_unwind_confined(void) {
  return (vt_unwind_calls_t)atomic_load_explicit(&vt_unwind_calls, memory_order_relaxed);
}

/* Up to this distance a new page is joined to the current range, asking for each page between. */
#define JOIN_MAX ((uint64_t)1 << 20)

static int fits(vt_range_t const *range, uint64_t addr) {
  return addr >= range->lo && addr < range->hi && range->hi - addr >= 8;
}

static int extend_up(vt_unwind_t *u, uint64_t addr) {
  while (u->hi < addr + 8) {
    if (!vt_readable(u->hi)) return 0;
    u->hi += VT_PROBE_PAGE;
  }
  return 1;
}

static int extend_down(vt_unwind_t *u, uint64_t addr) {
  while (u->lo > addr) {
    if (!vt_readable(u->lo - VT_PROBE_PAGE)) return 0;
    u->lo -= VT_PROBE_PAGE;
  }
  return 1;
}

/* A range of whole pages, not the mark of a slot that cannot be read. */
static int is_known(vt_range_t range) {
  return range.hi > range.lo && !((range.lo | range.hi) & (VT_PROBE_PAGE - 1));
}

static void put_aside(vt_unwind_t *u, vt_range_t *where) {
  vt_range_t range = {u->lo, u->hi};
  *where = is_known(range) ? range : (vt_range_t){0, 0};
}

/* Stores the current range among the others and starts one with the page of addr. */
static int begin_range(vt_unwind_t *u, uint64_t addr) {
  uint64_t page = addr & ~(VT_PROBE_PAGE - 1);
  if (!vt_readable(page)) return 0;
  put_aside(u, &u->range[u->range_next++ % VT_RANGE_CNT]);
  u->lo = page;
  u->hi = page + VT_PROBE_PAGE;
  return extend_up(u, addr);
}

static int recall_range(vt_unwind_t *u, uint64_t addr) {
  for (uint32_t i = 0; i < VT_RANGE_CNT; i++) {
    vt_range_t found = u->range[i];
    if (!fits(&found, addr)) continue;
    put_aside(u, &u->range[i]);
    u->lo = found.lo;
    u->hi = found.hi;
    return 1;
  }
  return 0;
}

/* Extends the current range to addr if that is not far. */
static int join_range(vt_unwind_t *u, uint64_t addr) {
  if (addr >= u->lo) return addr + 8 - u->hi <= JOIN_MAX && extend_up(u, addr);
  return u->lo - addr <= JOIN_MAX && extend_down(u, addr) && extend_up(u, addr);
}

void vt_unwind_own_stack(vt_unwind_t *u, uint64_t lo, uint64_t hi) {
  u->own_lo = lo;
  u->own_hi = u->own_read = hi;
}

uint64_t vt_unwind_own_end(vt_unwind_t const *u) { return u->own_lo < u->own_hi ? u->own_hi : 0; }

/* Makes the thread's own stack, as far as it is in use, the current range. */
static int own_range(vt_unwind_t *u, uint64_t addr) {
  uint64_t slot = u->sp + (uint64_t)VT_RA_OFF; /* has the return address of who captures */
  if (slot - u->own_lo < u->own_hi - u->own_lo && slot < u->own_read)
    u->own_read = slot & ~(VT_PROBE_PAGE - 1);
  vt_range_t own = {u->own_read, u->own_hi};
  if (!fits(&own, addr)) return 0;
  if (u->lo > own.hi || u->hi < own.lo || u->lo == u->hi) { /* comes from another stack */
    if (u->lo != u->hi && u->switches++ >= VT_SWITCHES_MAX) return 0;
    put_aside(u, &u->range[u->range_next++ % VT_RANGE_CNT]);
    u->lo = own.lo;
    u->hi = own.hi;
  }
  if (own.lo < u->lo) u->lo = own.lo;
  if (own.hi > u->hi) u->hi = own.hi;
  return 1;
}

int vt_stack_reach(vt_unwind_t *u, uint64_t addr) {
  if (addr < VT_PROBE_PAGE || addr > (uint64_t)INT64_MAX - VT_PROBE_PAGE) return 0;
  if (vt_stack_holds(u, addr) || own_range(u, addr)) return 1;
  if (is_known((vt_range_t){u->lo, u->hi}) && join_range(u, addr)) return 1;
  if (u->switches++ >= VT_SWITCHES_MAX) return 0;
  return recall_range(u, addr) || begin_range(u, addr);
}

void vt_stack_forget(vt_unwind_t *u) {
  memset(u->range, 0, sizeof(u->range));
  u->lo = u->hi = 0;
}
