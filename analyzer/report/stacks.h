/* Stacks of all traces of a report in one place: nodes that are equal (same code in the same file,
   same callers) in different traces, epochs or address space layouts are one node here.

   A node is one return address with its callers; it stands for one or more functions, since calls
   are inlined. Not thread safe. */
#ifndef VT_ANALYZER_REPORT_STACKS_H
#define VT_ANALYZER_REPORT_STACKS_H

#include <stddef.h>
#include <stdint.h>
#include "analyzer/symbols/symbols.h"
#include "analyzer/trace/reader.h"

typedef struct vt_stacks vt_stacks_t;

/* The module of generated code that has names. */
#define VT_STACKS_JIT "[jit]"

/* One function of a stack. Strings are owned by the symbol store. */
typedef struct {
  char const *function; /* "": unknown */
  char const *file;     /* "": unknown */
  uint32_t line;
  char const *module; /* path; "[jit]": generated code with a name; "": no module was mapped there */
  uint64_t offset;    /* in the module; the address itself when there is none, 0 for [jit] */
  int inlined;
  int allocator; /* malloc, operator new, the standard library's allocators, … */
  int runtime; /* the same, or a wrapper of one, or of a run-time library (the C and C++ libraries,
                  Rust's, the loader): sites are grouped under the first function that is not */
  int library; /* of a run-time library, or an interpreter's loop: folded in stacks */
  int start;   /* runs before main, or before a thread's function */
} vt_stack_frame_t;

/* search: where names are looked up that the traces do not have. */
vt_stacks_t *vt_stacks_new(vt_symbols_search_t const *search);
void vt_stacks_delete(vt_stacks_t *stacks);

/* vt_stacks_native: of traces added from here on the functions of an interpreter inside of the code that
   it runs are nodes, too. Without it they are left out (virtual_code.h). */
void vt_stacks_native(vt_stacks_t *stacks);

/* Takes the symbols that a trace has embedded. What is unknown in them stays unknown, but for
   modules without a single name: their file was not there, and is perhaps here. */
void vt_stacks_take_symbols(vt_stacks_t *stacks, vt_reader_t const *reader);

/* Adds the stacks of a trace of which used[id] is set (and their callers). Returns an array from
   the trace's ids to nodes (0: none), owned by the caller. */
uint32_t *vt_stacks_add(vt_stacks_t *stacks, vt_reader_t const *reader, uint8_t const *used);

/* Looks up the functions of all nodes that are not known yet. Returns how many modules could
   not be read. Call after the last vt_stacks_add. */
size_t vt_stacks_symbolize(vt_stacks_t *stacks);

/* The path of a module of the symbol store, why it has no names, and which file is missing (""), after
   vt_stacks_symbolize; NULL: there are no more. */
char const *vt_stacks_module(vt_stacks_t const *stacks, uint32_t module,
                             vt_symbols_problem_t *problem, char const **missing);

/* The nearest caller of a node (or itself) that is not an allocator function through and through:
   malloc, operator new, the standard library's allocators, … */
uint32_t vt_stacks_skip_allocators(vt_stacks_t const *stacks, uint32_t node);

/* The nearest caller of a node (or itself) with a function that is not run-time, with no_inlines
   one that is not inlined; 0: there is none. */
uint32_t vt_stacks_owner(vt_stacks_t const *stacks, uint32_t node, int no_inlines);

/* What a node stands for: a number below vt_stacks_places_cnt, the same for equal code whatever its
   callers. */
uint32_t vt_stacks_place(vt_stacks_t const *stacks, uint32_t node);
uint32_t vt_stacks_places_cnt(vt_stacks_t const *stacks);

/* What a node is: code of a module or of none (generated), or a mark in place of missing frames. */
typedef enum { VT_CODE_MODULE, VT_CODE_GENERATED, VT_CODE_TRUNCATED, VT_CODE_CUT } vt_code_t;
vt_code_t vt_stacks_code(vt_stacks_t const *stacks, uint32_t node);

uint32_t vt_stacks_parent(vt_stacks_t const *stacks, uint32_t node);
uint32_t vt_stacks_cnt(vt_stacks_t const *stacks);

/* The functions of a node, innermost inlined first; at most VT_STACKS_FRAMES_MAX. With
   hide_allocators, allocator functions at the inner end are left out. */
#define VT_STACKS_FRAMES_MAX 256
size_t vt_stacks_frames(vt_stacks_t const *stacks, uint32_t node, int hide_allocators,
                        vt_stack_frame_t *out);

/* All functions of a stack, however deep, innermost first. The array is the caller's: zeroed before the
   first call, used again by the next, released with free(frames). */
typedef struct {
  vt_stack_frame_t *frames;
  size_t frames_cnt, frames_cap;
} vt_expanded_t;

/* With hide_allocators the first node's allocators are left out, with no_inlines all but real functions.
 */
void vt_stacks_expand(vt_stacks_t const *stacks, uint32_t node, int hide_allocators, int no_inlines,
                      vt_expanded_t *out);

/* The name to show: the function, or module+0xoffset. */
char const *vt_frame_name(vt_stack_frame_t const *frame, char *buffer, size_t sz);

#endif
