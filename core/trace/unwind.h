/* Full call stacks of the calling thread, exactly, in tens of nanoseconds.

   Design: docs/unwinder.md. Rules reduced from .eh_frame are cached per return address; a verified
   memo of the previous capture lets unchanged outer frames be checked instead of unwound. A capture
   is handed out as a delta against the previous capture of the same state. */
#ifndef VT_CORE_TRACE_UNWIND_H
#define VT_CORE_TRACE_UNWIND_H

#include <stddef.h>
#include <stdint.h>

/* Where a capture starts: the state of the code that called the hook, at its return address.
   pc: the return address; sp: the CFA of the hook's frame (rsp after the hook returned);
   rbp: the caller's rbp. A function that uses __builtin_frame_address(0) has them at
   fp[1], fp + 2 and fp[0]. */
typedef struct {
  uint64_t pc;
  uint64_t sp;
  uint64_t rbp;
} vt_caller_t;

/* One frame of a capture; only pc is meant for users, the rest is the memo's. */
typedef struct vt_frame vt_frame_t;

/* Pseudo return address of the outermost frame of a stack whose real root could not be reached. */
#define VT_PC_TRUNCATED ((uint64_t)1)

/* A captured stack, valid until the next call with the same state. frames are root first; frames
   [0,keep) are the ones the previous capture of this state had at the same places. */
typedef struct {
  vt_frame_t const *frames;
  uint32_t keep;
  uint32_t depth;
  uint32_t prev_depth; /* depth of the previous capture (0 after a reset) */
  uint32_t truncated;  /* 1: the root end is missing and frames[0].pc is VT_PC_TRUNCATED */
} vt_stack_t;
