/* CPython's frames, 3.8 to 3.14: which interpreter this process has, and which Python frames run.

   The structures are the interpreter's own and differ between versions (python_layout.c). A thread
   that holds the interpreter's lock sees a chain that is consistent whenever memory is allocated or
   freed. One that has let it go stands still: its frames can be read until the interpreter begins to
   end, when it frees them from another thread; see vt_python_ending. */
#ifndef VT_CORE_TRACE_FRAMES_PYTHON_H
#define VT_CORE_TRACE_FRAMES_PYTHON_H

#include <stdatomic.h>
#include <stdint.h>
#include "core/trace/frames/virtual.h"

/* Offsets, in bytes, in the structures of a version. */
typedef struct {
  uint16_t version;         /* 0x030b: 3.11 */
  uint16_t chain;           /* VT_PYTHON_… */
  uint16_t thread_frame;    /* of the current frame, or of the current cframe; */
  uint16_t root_cframe;     /* a cframe in the thread's state; */
  uint16_t cframe_current, cframe_previous;
  uint16_t back, code, instr;
  uint16_t owner;           /* who owns a frame; up to 3.10: its stack, of which a running one has none */
  uint16_t first_line, file, name, qualname, lines;
  uint16_t instructions;    /* 0: instr is an index, up to 3.9 in bytes, then in units of two */
  uint16_t code_sz;         /* tp_basicsize of code objects: without instructions from 3.11 */
  uint16_t ascii, compact;  /* where text begins */
  uint16_t finalizing;
  uint16_t own_thread, own_frame, own_code; /* see vt_python_layout_wrong; 0: the version says nothing of itself */
  uint16_t table;           /* VT_LINES_… */
} vt_python_layout_t;

/* How frames hang together. FRAMES: a list of objects in the heap, one for each call of the loop. CFRAMES: each call of the loop has
   an object on the C stack that has the innermost frame of its run. ENTRIES: each call has a frame
   of its own on the C stack, outside of those it runs; 3.12 has both. */
enum { VT_PYTHON_FRAMES, VT_PYTHON_CFRAMES, VT_PYTHON_CFRAME_ENTRIES, VT_PYTHON_ENTRIES };

/* The layout of a version (0x030b0200: 3.11.2); NULL: not known, *why says why. */
vt_python_layout_t const *vt_python_layout(uint32_t version, char const **why);

/* vt_python_layout_wrong compares the layout with what an interpreter says of itself to debuggers, from 3.13 on, at the
   beginning of its _PyRuntime (Include/internal/pycore_debug_offsets.h; in 3.13 pycore_runtime.h). NULL, or why it is not
   to be believed. */
char const *vt_python_layout_wrong(vt_python_layout_t const *layout, uint64_t const *own);

/* The interpreter of this process; layout NULL: there is none, or it was refused. */
typedef struct {
  vt_python_layout_t const *layout;
  uint64_t (*own)(void);     /* PyGILState_GetThisThreadState */
  uint64_t (*current)(void); /* PyThreadState_GetUnchecked or its older name */
  uint64_t code_type, text_type, bytes_type;
  uint64_t runtime;          /* _PyRuntime */
  uint64_t loop, loop_end;   /* _PyEval_EvalFrameDefault */
} vt_python_t;
extern vt_python_t vt_python;

/* vt_python_find looks for an interpreter from the object `first` on, in the order of loading, and makes it known if
   it is one whose frames can be read. Returns 1; 0 when there is none; -1 when it is refused, and *why says
   why. While no object of these can be unloaded, and no other thread can have anything of Python's. */
struct link_map;
int vt_python_find(struct link_map *first, char const **why);

/* vt_python_forget: the interpreter has been unloaded. No thread may walk from before that until the next is found.
   vt_python_forget_places does so for what the walk has learned. */
void vt_python_forget(void);
void vt_python_forget_places(void);

/* vt_python_walk makes v->memo the frames that the calling thread runs, in the native `stack`, and tells in
   v what of them is as it was. */
void vt_python_walk(vt_virtual_t *v, vt_stream_t *s, vt_caller_t const *caller, vt_stack_t const *stack);

/* vt_python_ending is to be called before any Python memory is freed: when the interpreter has begun
   to end, it sees to it that no thread reads frames that it does not own. Returns 1 in the call that
   found that it has begun. */
extern _Atomic uint32_t vt_python_ended;
int vt_python_ending_slow(void);
static inline int vt_python_ending(void) {
  if (!vt_python.layout) return 0;
  _Atomic uint64_t const *word = (_Atomic uint64_t const *)(vt_python.runtime + vt_python.layout->finalizing);
  return __builtin_expect(atomic_load_explicit(word, memory_order_relaxed) != 0, 0) &&
         !atomic_load_explicit(&vt_python_ended, memory_order_relaxed) && vt_python_ending_slow();
}

void vt_python_forked(void);

/* python_code.c: vt_python_pc is the virtual address for an instruction of a code object, described
   in s if it is seen for the first time; 0: it is no code object, or cannot be read. With `asks`
   nothing is read that was not asked for before. */
uint64_t vt_python_pc(vt_stream_t *s, uint64_t code, uint64_t instr, int asks);

/* vt_python_pc_moved is that for another instruction of the code that has the virtual address `pc`. */
uint64_t vt_python_pc_moved(uint64_t pc, uint64_t code, uint64_t instr);

/* vt_python_readable asks the kernel whether [at,at+sz) can be read, of less than a page. */
int vt_python_readable(uint64_t at, uint64_t sz);

#endif
