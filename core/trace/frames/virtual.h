/* Virtual frames: functions of an interpreted language, between the native frames of a stack.

   An interpreter's loop is one native function whatever it runs. What it runs is told by structures
   of its own, which the file of that language (python.h) walks at each capture; merge.c puts the
   frames found at their place in the native stack. A virtual frame is recorded as an address like
   any other (docs/trace-format.md, "Virtual addresses"): language, number of the code, position in
   it. What the numbers stand for is said once each (codes.h).

   Nothing here allocates but by mmap, takes a lock or touches errno. */
#ifndef VT_CORE_TRACE_FRAMES_VIRTUAL_H
#define VT_CORE_TRACE_FRAMES_VIRTUAL_H

#include <stddef.h>
#include <stdint.h>
#include "core/trace/stream.h"
#include "core/trace/unwind.h"

/* A stack that has more virtual frames than this shows none of them but a mark (code 0). */
#define VT_VIRTUAL_MAX  4096
#define VT_VIRTUAL_RUNS VT_VIRTUAL_MAX

/* A frame: where it is, which code it runs and where in that it is, as the language knows them; and
   the address to record. */
typedef struct {
  uint64_t frame, code, instr, pc;
} vt_virtual_frame_t;

/* Frames that one native frame runs, a call of the interpreter's loop: the native frame's index in
   the stack, an address in the frame by which it is known again, and how many frames there are up to
   the end of this run. */
typedef struct {
  uint64_t anchor;
  uint32_t native;
  uint32_t end;
} vt_virtual_run_t;

/* Frames and the runs they belong to. */
typedef struct {
  uint32_t frame_cnt, run_cnt;
  vt_virtual_run_t runs[VT_VIRTUAL_RUNS];
  vt_virtual_frame_t frames[VT_VIRTUAL_MAX + 1];
} vt_virtual_frames_t;

/* The state of a thread. */
typedef struct vt_virtual vt_virtual_t;
struct vt_virtual {
  vt_virtual_t *next;           /* in the list of all states */
  _Atomic uint32_t reading;     /* the thread reads frames that another one could free */
  uint32_t captures;            /* how many walks there were, up to a few */
  /* Of the latest walk against the one before: outermost frames and runs that are the same, and the native
     frame that ran the first run that is not (UINT32_MAX: none did). */
  uint32_t same_frames, same_runs, native_before;
  uint32_t named;  /* so many of memo.frames have the pc that belongs to their code, also beyond frame_cnt; */
  uint64_t voided; /* when vt_codes_voided was this */
  /* The merged stack of the capture before. */
  vt_frame_t *frames;
  uint32_t cap, depth;
  uint32_t exact; /* lowest index of a native frame that a signal interrupted, or UINT32_MAX */
  vt_virtual_frames_t memo;  /* what the latest walk found, outermost first */
  vt_virtual_frames_t fresh; /* what it met that was not there before, innermost first */
};

/* vt_virtual_capture puts the virtual frames of the calling thread into a stack that was captured
   from `caller` with s->unwind; *stack then describes the merged one, as vt_unwind_capture does, and
   is valid until the next call with the same state. *state is made at the first call (NULL) and
   never freed. What is to be said of codes seen for the first time is written to s. Where frames
   cannot be told for certain the stack stays a native one. */
void vt_virtual_capture(vt_virtual_t **state, vt_stream_t *s, vt_caller_t const *caller,
                        vt_stack_t *stack);

/* vt_virtual_forget: the next capture with the state has nothing in common with the one before. */
void vt_virtual_forget(vt_virtual_t *v);

/* vt_virtual_forget_all does so for all states. No thread may be in a capture. */
void vt_virtual_forget_all(void);

/* vt_virtual_forked: this is a forked child, which has one thread and says everything anew. */
void vt_virtual_forked(void);

/* vt_virtual_quiesce returns when no other thread reads frames any more, or after a bounded time. */
void vt_virtual_quiesce(void);

/* vt_virtual_refused writes to s that something of a language is not recorded, and why. */
void vt_virtual_refused(vt_stream_t *s, vt_language_t language, char const *what, char const *why);

/* vt_virtual_memory is the nth piece of memory of all states, NULL beyond the last; *sz its size, which
   may be 0. */
void const *vt_virtual_memory(uint32_t nth, size_t *sz);

#endif
