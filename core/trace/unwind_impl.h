/* What the files of the unwinder share: the state of a thread, the packed rule, the row of a CFI
   program, and who calls whom: memo -> rules, general, bare, stack, libunwind; rules -> cfi -> expr,
   registered -> cfi; general -> cfi, expr, bare, stack; bare -> code -> stack. */
#ifndef VT_CORE_TRACE_UNWIND_IMPL_H
#define VT_CORE_TRACE_UNWIND_IMPL_H

#include <stdatomic.h>
#include "core/trace/hidden.h"
#include "core/trace/unwind.h"
#include "core/trace/unwind_arch.h"

#define VT_LIKELY(x)   __builtin_expect(!!(x), 1)
#define VT_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* ---- Bytes of unwind tables: a cursor that never reads at or behind end. ---- */

typedef struct {
  uint8_t const *p;
  uint8_t const *end;
  uint32_t bad; /* set once something did not fit or made no sense; reads give 0 from then on */
} vt_bytes_t;

/* Unsigned little-endian integer of sz (1, 2, 4, 8) bytes. */
uint64_t vt_bytes_uint(vt_bytes_t *b, uint32_t sz);
/* The same, sign-extended. */
int64_t vt_bytes_sint(vt_bytes_t *b, uint32_t sz);
uint64_t vt_bytes_uleb(vt_bytes_t *b);
int64_t vt_bytes_sleb(vt_bytes_t *b);
/* Moves on by sz bytes. */
void vt_bytes_skip(vt_bytes_t *b, uint64_t sz);

/* ---- A row of the CFI table: how to find the registers of the caller. ---- */

enum {
  VT_HOW_SAME = 0,
  VT_HOW_UNDEFINED,
  VT_HOW_OFFSET,     /* in memory at CFA + value */
  VT_HOW_VAL_OFFSET, /* is CFA + value */
  VT_HOW_REGISTER,   /* in register number value */
  VT_HOW_EXPR,       /* in memory at the address the expression at base + value gives */
  VT_HOW_VAL_EXPR    /* is what that expression gives */
};

typedef struct {
  int32_t value[VT_REG_CNT];
  uint8_t how[VT_REG_CNT];
  uint8_t cfa_how; /* VT_HOW_VAL_EXPR, else CFA = cfa_reg + cfa_value */
  uint8_t cfa_reg;
  int32_t cfa_value;
} vt_row_t;

#define VT_ROW_SAVED_MAX 16

/* Work area and result of vt_cfi_find. */
typedef struct {
  vt_row_t row; /* the result */
  vt_row_t initial;
  vt_row_t saved[VT_ROW_SAVED_MAX];
  uint8_t const *base;  /* expressions are at base + value */
  uint8_t const *start; /* the segment that holds base */
  uint8_t const *end;
  uint32_t saved_cnt;
  uint32_t signal; /* this frame was made by the kernel: its caller's pc is exact */
  uint32_t registered; /* base is a table that was registered, not an object's .eh_frame_hdr */
  uint64_t begin;      /* first pc of the function */
  uint64_t limit;      /* first pc behind it */
  vt_object_t object;
} vt_cfi_t;

/* NO_FDE: the object has no (sensible) row for pc. NOT_CALLED: no call leads back to pc, it is
   where a function begins; nobody called that function yet (the end of a coroutine's stack in
   glibc and in libraries that put the address of a function there). */
enum { VT_CFI_FOUND = 0, VT_CFI_NO_FDE, VT_CFI_NO_OBJECT, VT_CFI_NOT_CALLED };

/* Row for the frame at pc, a return address (the row of the call before it counts) or exact. */
int vt_cfi_find(vt_cfi_t *cfi, uint64_t pc, uint32_t exact);

/* Calls seen for each function that the table [start,end) has entries for. */
void vt_cfi_functions(uint8_t const *start, uint8_t const *end,
                      void (*seen)(void *context, uint64_t begin, uint64_t limit), void *context);

/* The table that was registered for code at pc: 1 and where it is, or 0. */
int vt_registered_find(uint64_t pc, uint8_t const **start, uint8_t const **end);

/* Bytes of the object's tables from addr on; bad if addr is not in the object. */
vt_bytes_t vt_cfi_bytes(vt_cfi_t const *cfi, uint64_t addr);

/* ---- Expressions (DWARF 5, 2.5) over known registers, or symbolically for packing. ---- */

enum { VT_BASE_NONE = 0, VT_BASE_RSP, VT_BASE_RBP, VT_BASE_AT_RSP, VT_BASE_AT_RBP };

/* v, register + v, or the 8 bytes in memory at register + v. */
typedef struct {
  uint64_t v;
  uint32_t base;
} vt_value_t;

typedef struct {
  vt_unwind_t *u;      /* whose stack is read; not used when symbolic */
  uint64_t const *reg; /* VT_REG_CNT values, or NULL: symbolic */
  uint64_t pc;         /* value of rip when symbolic */
} vt_expr_env_t;

/* Value of the length-prefixed expression at base + pos. push: initial stack entry or NULL. Returns
   1, or 0: malformed, unsupported, unreadable, or not expressible as a vt_value_t. */
int vt_expr_eval(vt_cfi_t const *cfi, int32_t pos, vt_expr_env_t const *env, vt_value_t const *push,
                 vt_value_t *result);

/* ---- Packed rule: one step out of a frame, for a given pc. ----
   bits 0-2 kind, 3 uses rbp, 4 restores rbp from its slot, 5 slot is rbp-relative or needs a check,
   6-19 unused (high epoch bits in the shared cache), 20-35 slot / 8 relative to CFA (or rbp),
   36-63 CFA offset / 8; both signed. */

enum {
  VT_RULE_RSP = 0,      /* CFA = rsp + offset */
  VT_RULE_RBP = 1,      /* CFA = rbp + offset */
  VT_RULE_AT_RBP = 2,   /* CFA = *(rbp + offset): a frame realigned by gcc (DRAP) */
  VT_RULE_SIGNAL = 3,   /* the kernel's signal frame */
  VT_RULE_GENERAL = 4,  /* anything else: needs all registers */
  VT_RULE_NO_FDE = 5,   /* code without CFI in an object */
  VT_RULE_ROOT = 6,     /* undefined return address: the outermost frame */
  VT_RULE_NO_OBJECT = 7 /* code in no object; never cached, an object may be mapped there later */
};
#define VT_RULE_KIND(rule)     ((uint32_t)(rule)&7u)
#define VT_RULE_USES           ((uint64_t)1 << 3)
#define VT_RULE_RESTORES       ((uint64_t)1 << 4)
#define VT_RULE_SLOT_CHECK     ((uint64_t)1 << 5)
#define VT_RULE_EPOCH_SHIFT    6
#define VT_RULE_EPOCH_MASK     ((uint64_t)0x3FFF << VT_RULE_EPOCH_SHIFT)
#define VT_RULE_PLAIN(rule)    (!((rule) & (6u | VT_RULE_SLOT_CHECK)))
#define VT_RULE_CFA_OFF(rule)  (((int64_t)(rule) >> 36) * 8)
#define VT_RULE_SLOT_OFF(rule) (((int64_t)((rule) << 28) >> 48) * 8)

/* ---- Flags of a memo frame (low 8 bits of info). ---- */

#define VT_FRAME_EXACT ((uint64_t)1) /* pc is the next instruction, not a return address */
#define VT_FRAME_BARRIER                                                                           \
  ((uint64_t)2)                           /* the step into this frame is redone, never verified    \
                                           */
#define VT_FRAME_DEREF      ((uint64_t)4) /* its sp was read from memory (VT_RULE_AT_RBP) */
#define VT_FRAME_USES       VT_RULE_USES
#define VT_FRAME_RESTORES   VT_RULE_RESTORES
#define VT_FRAME_LIVE       ((uint64_t)32)  /* rbp here matters to a step from here outwards */
#define VT_FRAME_CHECK      ((uint64_t)64)  /* more than the return address must be verified */
#define VT_FRAME_SET        ((uint64_t)128) /* rbp is from a general step, without a slot */
#define VT_FRAME_SLOT(info) ((info) >> 8)

/* ---- State ---- */

#define VT_L1_CNT        4096
#define VT_FRAMES_INLINE 576
#define VT_RANGE_CNT     4
#define VT_JIT_CNT       512
#define VT_CODE_CNT      16

typedef struct {
  uint64_t key; /* pc, VT_KEY_EXACT */
  uint64_t rule;
} vt_rule_slot_t;

#define VT_KEY_EXACT ((uint64_t)1 << 63)

/* Trails (unwind_trail.h), set-associative. */
#define VT_TRAIL_SETS 64
#define VT_TRAIL_WAYS 4
#define VT_TRAIL_MAX  7
#define VT_TRAIL_SEEN 512
#define VT_TRAIL_LUCK 1024

typedef struct {
  uint64_t pc; /* of the caller; 0: no trail */
  uint64_t sp;
  uint64_t outer_pc; /* of the outermost frame */
  uint64_t outer_sp;
} vt_trail_key_t;

typedef struct {
  uint32_t cnt;                        /* frames besides frames[0] */
  uint32_t joint;                      /* index that frames[0] had among the remembered ones */
  vt_frame_t frames[VT_TRAIL_MAX + 1]; /* the one outside them, then they, outermost first */
} vt_trail_t;

typedef struct {
  uint64_t lo;
  uint64_t hi;
} vt_range_t;

struct vt_unwind {
  vt_frame_t *frames; /* [0,depth): the previous capture; the top end is scratch of a capture */
  uint32_t cap;
  uint32_t depth;
  uint32_t memo;   /* depth, or 0: frames are good for comparing PCs only */
  uint32_t restep; /* the end of the stack was not a ROOT rule: look again instead of trusting it */
  uint64_t sp;     /* where the capture in progress starts */
  uint64_t own_lo, own_hi, own_read; /* the thread's own stack; of it [own_read,own_hi) is readable */
  uint64_t lo, hi; /* the contiguous readable range the walk is in; empty: hi == lo */
  uint64_t epoch;  /* epoch word for which l1, jit and memo hold */
  uint32_t bypass; /* code is being unloaded: nothing is cached */
  uint32_t truncated;
  uint32_t range_next;
  uint32_t trail_next; /* way to be replaced next, in whatever set */
  uint32_t trail_luck; /* trails found minus not found, at most VT_TRAIL_LUCK */
  uint32_t trail_rest; /* captures until trails are looked for again */
  uint32_t switches; /* stack switches in this walk: bounds cycles */
  vt_unwind_counters_t counters;
  vt_range_t range[VT_RANGE_CNT]; /* other ranges known readable */
  uint64_t jit[VT_JIT_CNT];       /* return addresses without CFI, above them what they are */
  uint64_t jit_code[VT_JIT_CNT];  /* of generated code whose beginning was looked for: vt_code_hash */
  vt_range_t code[VT_CODE_CNT];   /* executable mappings outside of objects */
  uint32_t code_next;
  uint32_t code_wait; /* questions left unasked until a mapping is asked for again */
  uint32_t unasked;   /* since the last check, if captures are checked */
  vt_cfi_t cfi;
  vt_rule_slot_t l1[VT_L1_CNT] __attribute__((aligned(64)));
  uint32_t trail_seen[VT_TRAIL_SEEN] __attribute__((aligned(64)));
  vt_trail_key_t trail_key[VT_TRAIL_SETS * VT_TRAIL_WAYS] __attribute__((aligned(64)));
  vt_trail_t trail[VT_TRAIL_SETS * VT_TRAIL_WAYS] __attribute__((aligned(64)));
  vt_frame_t inline_frames[VT_FRAMES_INLINE] __attribute__((aligned(64)));
};

_Static_assert(sizeof(struct vt_unwind) <= VT_UNWIND_STATE_SZ, "state fits what callers map");
_Static_assert(sizeof(vt_frame_t) == 32, "64 bytes a frame with as much scratch");

/* ---- rules ---- */

/* Rule for key where the caller's L1 has none. */
uint64_t vt_rule_miss(vt_unwind_t *u, uint64_t key);
/* Takes over a changed epoch word: forgets what it made void. */
void vt_rule_new_epoch(vt_unwind_t *u, uint64_t word);
/* Low 16 bits: brackets open; above: number of begins and ends. */
extern VT_HIDDEN _Atomic uint64_t vt_unwind_epoch_word;

/* Low bits only: the index is on the critical path of every step. */
static inline uint32_t vt_l1_index(uint64_t key) { return (uint32_t)key & (VT_L1_CNT - 1); }

static inline uint64_t vt_rule(vt_unwind_t *u, uint64_t key) {
  vt_rule_slot_t const *slot = &u->l1[vt_l1_index(key)];
  return VT_LIKELY(slot->key == key) ? slot->rule : vt_rule_miss(u, key);
}

static inline uint64_t vt_rule_key(uint64_t pc, uint64_t info) {
  return pc | ((info & VT_FRAME_EXACT) << 63);
}

/* ---- stack: which memory may be read ---- */

/* What captures may do. Relaxed: a thread that confines the process must itself know it, and others
   before they can be confined. */
extern VT_HIDDEN _Atomic uint32_t vt_unwind_calls;
static inline int vt_may(vt_unwind_calls_t most) {
  return atomic_load_explicit(&vt_unwind_calls, memory_order_relaxed) <= (uint32_t)most;
}

/* Makes the range that holds the 8 bytes at addr the current one. 1, or 0: not readable. */
int vt_stack_reach(vt_unwind_t *u, uint64_t addr);
void vt_stack_forget(vt_unwind_t *u);

static inline uint64_t vt_load(uint64_t addr) {
  uint64_t value;
  __builtin_memcpy(&value, (void const *)(uintptr_t)addr, sizeof(value));
  return value;
}

static inline int vt_stack_holds(vt_unwind_t const *u, uint64_t addr) {
  return addr >= u->lo && addr < u->hi && u->hi - addr >= 8;
}

/* *value = the 8 bytes at addr. 1, or 0: not readable. */
static inline int vt_stack_load(vt_unwind_t *u, uint64_t addr, uint64_t *value) {
  if (VT_UNLIKELY(!vt_stack_holds(u, addr)) && !vt_stack_reach(u, addr)) return 0;
  *value = vt_load(addr);
  return 1;
}

/* Can the page of addr be read, as far as it may be asked? */
static inline int vt_readable(uint64_t addr) {
  return vt_may(VT_UNWIND_NO_FILES) && vt_arch_readable(addr);
}

/* ---- code: what the instructions at a return address tell ---- */

#define VT_CODE_SZ 48

/* The 8 bytes before pc, the last one in the highest byte; zeros where they cannot be read. */
uint64_t vt_code_before(uint64_t pc);
/* The VT_CODE_SZ bytes from pc on; zeros from the page on that cannot be read. */
void vt_code_at(uint64_t pc, uint8_t code[VT_CODE_SZ]);

/* Does the straight way on from a return address lead to `ret`? Then what it does on it: the stack
   pointer before the `ret` and the place rbp is loaded from, relative to rsp as it is now (by_rbp:
   to rbp as it is now). */
typedef struct {
  int64_t sp;
  int64_t rbp_at;
  uint8_t by_rbp;
  uint8_t restores; /* rbp is loaded */
} vt_exit_t;
int vt_code_exits(uint8_t const code[VT_CODE_SZ], vt_exit_t *exit);

/* Looks back from a return address for the beginning of its function; where one returned in between it may
   have been another's. FRAMED: it makes rbp its frame pointer; SIZED: it pushes rbp and lowers rsp, by *frame_sz, and goes
   on using rbp for whatever it likes. *distance: how far back that is, at most VT_CODE_BACK. Costs up to
   some microseconds. */
enum { VT_BEGIN_UNKNOWN = 0, VT_BEGIN_FRAMED, VT_BEGIN_SIZED };
#define VT_CODE_BACK 16383
int vt_code_begin(uint64_t pc, uint32_t *distance, uint64_t *frame_sz);
/* A hash of the 64 bytes before pc, by which code is known again; 0: they cannot be read. */
uint64_t vt_code_hash(uint64_t pc);
/* What begins at an address, likewise. */
int vt_code_begins(uint64_t address, uint64_t *frame_sz);

/* Is this an address where a stack was made to begin: code that never returns, for a function to
   return to that nobody called? For addresses that follow no call. */
int vt_code_ends(uint64_t before, uint8_t const code[VT_CODE_SZ]);

/* Is this where Go's runtime.asmcgocall goes on after a call of C? SWITCHED: it goes back to the
   stack of the goroutine; STAYED: the call was made from the thread's own stack. */
enum { VT_GO_NONE = 0, VT_GO_SWITCHED, VT_GO_STAYED };
int vt_code_go(uint8_t const code[VT_CODE_SZ]);

/* ---- steps that are not plain ---- */

/* The pc that a signal interrupted, as unwind tables know it. */
static inline uint64_t vt_interrupted_pc(uint64_t pc) {
  return vt_unwind_moved ? vt_unwind_moved(pc) : pc;
}

/* BOGUS: the frame stepped from is none, its pc is not a return address. */
enum { VT_STEP_FRAME = 0, VT_STEP_ROOT, VT_STEP_LOST, VT_STEP_BOGUS };

/* Out of a frame without CFI: the kernel's signal frame under a restorer without CFI, as the code itself
   tells, else by the frame pointer. *slot: where rbp was read. *how: VT_BARE_CODE, the step is as good as
   one by CFI; the frame of a signal; or a guess, which is made anew each time. */
enum { VT_BARE_GUESS = 0, VT_BARE_SIGNAL, VT_BARE_CODE };
int vt_step_without_cfi(vt_unwind_t *u, vt_frame_t *frame, uint64_t *slot, uint32_t *how);

/* Registers of the frame that is nth outside caller (0: caller itself), and whether its pc is
 * exact. */
int vt_general_reach(vt_unwind_t *u, vt_caller_t const *caller, uint32_t nth,
                     uint64_t reg[VT_REG_CNT], uint32_t *exact);
/* One step with all registers, no cache. */
int vt_general_step(vt_unwind_t *u, uint64_t reg[VT_REG_CNT], uint32_t *exact);

/* Bound on steps of one walk that do not lead up the stack (changes of stack): bounds cycles. */
#define VT_SWITCHES_MAX 64

/* ---- memo ---- */

/* The same to users: pc and whether it is exact (vt_frame_pc). */
static inline int vt_frame_same(vt_frame_t const *a, vt_frame_t const *b) {
  return a->pc == b->pc && !((a->info ^ b->info) & VT_FRAME_EXACT);
}

/* Makes room for a frame between the previous capture and the scratch frames [*top,cap). 1, or 0.
 */
int vt_frames_grow(vt_unwind_t *u, uint32_t *top);
/* Makes the scratch frames [top,cap) the frames from index at on, and fills *out. */
void vt_frames_commit(vt_unwind_t *u, uint32_t top, uint32_t at, vt_stack_t *out);

/* ---- libunwind ---- */

extern VT_HIDDEN uint32_t vt_libunwind_captures; /* 1: captures go through libunwind */
/* 1, or 0: this thread (or one that shares its slot) is inside libunwind; capture without it. */
int vt_libunwind_capture(vt_unwind_t *u, vt_caller_t const *caller, vt_stack_t *out);
/* Frames of stack that libunwind sees differently, up to the first, and as far as unwind information leads: beyond
   that libunwind guesses, and reads whatever the guess leads to, also memory that is gone. */
uint32_t vt_libunwind_differs(vt_unwind_t *u, vt_caller_t const *caller, vt_stack_t const *stack);

#endif
