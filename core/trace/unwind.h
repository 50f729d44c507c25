/* Full call stacks of the calling thread, exactly, in tens of nanoseconds.

   Design: docs/unwinder.md. Rules reduced from .eh_frame are cached per return address; a verified
   memo of the previous capture lets unchanged outer frames be checked instead of unwound. A capture
   is handed out as a delta against the previous capture of the same state.

   Nothing here calls malloc, takes a lock, uses thread-local storage or touches errno. All calls
   are async-signal-safe as long as a state is used by one flow of control at a time: a signal
   handler that interrupts a capture uses another state. After fork the child may go on with its
   copy. */
#ifndef VT_CORE_TRACE_UNWIND_H
#define VT_CORE_TRACE_UNWIND_H

#include <stddef.h>
#include <stdint.h>
#include "core/trace/object.h"

/* Where a capture starts: the state of the code that called the hook, at its return address.
   pc: the return address; sp: the CFA of the hook's frame (rsp after the hook returned);
   rbp: the caller's rbp. A function that uses __builtin_frame_address(0) has them at
   fp[1], fp + 2 and fp[0]. */
typedef struct {
  uint64_t pc;
  uint64_t sp;
  uint64_t rbp;
} vt_caller_t;

/* One frame of a capture; only pc is meant for users, the rest is the memo's: the registers on
   entry to the step out of this frame, flags (low 8 bits of info) and, above them, the address rbp
   was loaded from (0: still the value of the next inner frame). */
typedef struct vt_frame {
  uint64_t pc;
  uint64_t sp;
  uint64_t rbp;
  uint64_t info;
} vt_frame_t;

/* Pseudo return address of the outermost frame of a stack whose real root could not be reached. */
#define VT_PC_TRUNCATED ((uint64_t)1)

/* A captured stack, valid until the next call with the same state. frames are root first; frames
   [0,keep) are the ones the previous capture of this state had at the same places. */
typedef struct {
  vt_frame_t const *frames;
  uint32_t keep;
  uint32_t depth;
  uint32_t prev_depth; /* of the previous capture; 0 after a reset or in a new epoch */
  uint32_t truncated;  /* 1: the root end is missing and frames[0].pc is VT_PC_TRUNCATED */
} vt_stack_t;

/* Return address of frame i (0: outermost): the address to look up for symbols is this minus 1. The
   frame that a signal interrupted has no return address: it has the address of the instruction to
   be executed next, plus 1 (bit 0 of info). */
static inline uint64_t vt_frame_pc(vt_stack_t const *stack, uint32_t i) {
  return stack->frames[i].pc + (stack->frames[i].info & 1);
}

/* Counters of one state since vt_unwind_new; only ever grow, except mapped. */
typedef struct {
  uint64_t captures;
  uint64_t misses;      /* rules reduced from .eh_frame because no cache had them */
  uint64_t generals;    /* steps that needed all registers */
  uint64_t truncations; /* captures whose root end is missing */
  uint64_t joins;       /* times the walk met a frame of the memo */
  uint64_t mismatches;  /* of these, times the frames outside it had changed */
  uint64_t trails;      /* captures that took a trail */
  uint64_t mapped;      /* bytes mapped for the memo besides the state itself */
} vt_unwind_counters_t;

typedef struct vt_unwind vt_unwind_t;

#define VT_UNWIND_STATE_SZ  ((size_t)172 << 10)
#define VT_UNWIND_GLOBAL_SZ ((size_t)256 << 10)
#define VT_UNWIND_GROWN_SZ  ((size_t)2 << 20)

/* Gives all threads' states a common rule cache in mem: zeroed, writable, 64-byte aligned, sz at
   least VT_UNWIND_GLOBAL_SZ, never unmapped. To be called once, before threads capture; without it
   captures work but each thread parses for itself. When it is full, it is replaced once by one of
   VT_UNWIND_GROWN_SZ, if that can be mapped. Returns 0, or -EINVAL without effect. */
int vt_unwind_global_init(void *mem, size_t sz);

/* vt_unwind_unlock undoes for the common rule cache what mlockall did. */
void vt_unwind_unlock(void);

/* Makes a state in mem: zeroed, writable, 64-byte aligned, VT_UNWIND_STATE_SZ bytes, owned by the
   caller, who may unmap it after vt_unwind_fini. Cannot fail, no system call. */
vt_unwind_t *vt_unwind_new(void *mem);

/* Unmaps what the state mapped itself (the memo of a deep stack); the state is as new afterwards.
 */
void vt_unwind_fini(vt_unwind_t *u);

/* Forgets the previous capture: the next one has keep = prev_depth = 0. For a state that serves
   another thread from now on, whose last capture was lost, or in which a capture was left by
   longjmp. */
void vt_unwind_reset(vt_unwind_t *u);

/* Captures the stack from caller outwards. caller must describe a live frame that (indirectly)
   called this function on the calling thread. *out is valid until the next call with u. Always
   succeeds: a stack that cannot be followed to its root, or for which no memory is left, is cut
   off, counted and marked. System calls only when the memo grows or the walk leads to pages never
   seen before that are not the thread's own stack. */
void vt_unwind_capture(vt_unwind_t *u, vt_caller_t const *caller, vt_stack_t *out);

/* Tells u the stack of the thread it serves: while the thread runs on it, all from its stack pointer
   up to hi is readable, and nobody needs to be asked. lo is the lowest address it can have; lo = hi:
   unknown. Forgotten by vt_unwind_fini only. */
void vt_unwind_own_stack(vt_unwind_t *u, uint64_t lo, uint64_t hi);
/* vt_unwind_own_end is that hi; 0: unknown. */
uint64_t vt_unwind_own_end(vt_unwind_t const *u);

/* What system calls captures may make from here on, in all threads. ASKS: any. NO_FILES: none that
   opens a file. NO_QUESTIONS: none but
   mmap and munmap, as an allocator makes: what is not known to be readable ends a walk. NO_CALLS:
   none, a stack deeper than the memo is cut, too. */
typedef enum {
  VT_UNWIND_ASKS = 0,
  VT_UNWIND_NO_FILES,
  VT_UNWIND_NO_QUESTIONS,
  VT_UNWIND_NO_CALLS
} vt_unwind_calls_t;
void vt_unwind_confine(vt_unwind_calls_t calls);
vt_unwind_calls_t vt_unwind_confined(void);

/* Brackets the unloading of code (dlclose, deregistration of generated code), in whatever thread;
   brackets may nest and overlap between threads. Rules and memos from before the end are never used
   again; captures in between use no cache. */
void vt_unwind_epoch_begin(void);
void vt_unwind_epoch_end(void);

/* Number of bracket ends and beginnings so far, modulo 2^32. */
uint32_t vt_unwind_epoch(void);

/* Makes known the unwind tables of generated code: what its maker passes to __register_frame, entries of
   an .eh_frame section up to one of length 0, which must stay as they are until the same address is
   passed to vt_unwind_deregister. Tables that make no sense are left alone, as are those that are not
   asked for whether they can be read (vt_unwind_confine), and more than 65,536 at a time. Reads the
   tables once; no lock. Deregistering is a bracket of its own, as unloading; unknown addresses have no
   effect. */
void vt_unwind_register(void const *section);
void vt_unwind_deregister(void const *section);

/* Called, if set, with the object of each PC for which a rule had to be parsed, in the thread that
   captures and inside the capture; must be async-signal-safe and not capture with the same state.
   Set it before threads capture. */
extern void (*vt_unwind_object_seen)(vt_object_t const *object);

/* Finds the mapping that holds addr: 1 and its bounds [*lo,*hi) if code in it can be
   executed, else 0. Called in the thread that captures and inside the capture, for return addresses
   outside of all objects that follow no call instruction; /proc/self/maps is asked. A test may set
   another one, or NULL: nobody is asked, before threads capture. */
extern int (*vt_unwind_executable)(uint64_t addr, uint64_t *lo, uint64_t *hi);

/* Tells, if set, where the instruction at pc, which a signal interrupted, was before it was moved; pc
   itself if it was not. Called inside captures; must be async-signal-safe. Set it before threads
   capture. */
extern uint64_t (*vt_unwind_moved)(uint64_t pc);

/* Counters of u; to be read by the owner of u. */
vt_unwind_counters_t const *vt_unwind_counters(vt_unwind_t const *u);

/* Captures go through libunwind.so.8 from now on. keep is then found by comparison; truncation is
   not known; interrupted frames are not marked as such; stack use, signal safety and speed are
   libunwind's. Captures it causes by its own allocations are made without it. Calls dlopen: not for
   hooks; to be called before threads capture. Returns 0, or -ENOENT (library or a symbol missing)
   without effect. */
int vt_unwind_use_libunwind(void);

/* Loads libunwind.so.8 for vt_unwind_check only. Otherwise as vt_unwind_use_libunwind. */
int vt_unwind_load_libunwind(void);

/* Unwinds again from caller, with all registers and without memo and caches, and also with
   libunwind if it is loaded, and returns how many frames of stack (captured from the same caller
   just before, in a function that has not returned yet) differ; missing and additional frames
   count. 0: exact. libunwind is asked as far as there is unwind information, and up to its first
   difference; where it alone is at odds (docs/unwinder.md has the known cases) the result includes
   it and *libunwind_cnt, if not NULL, is that part. Slow. */
uint32_t vt_unwind_check(vt_unwind_t *u, vt_caller_t const *caller, vt_stack_t const *stack,
                         uint32_t *libunwind_cnt);

#endif
