/* Names of generated code that its maker has told debuggers: GDB's interface for JITs ("JIT Compilation
   Interface" in GDB's manual). Each piece of code is an ELF file in the process's memory, in a list that begins at
   __jit_debug_descriptor. Makers of code tell of changes by calling an empty function, which nobody can intercept: so
   the list is read when code in no module is met for the first time, and at the end. */
#ifndef VT_CORE_TRACE_DEBUGGED_H
#define VT_CORE_TRACE_DEBUGGED_H

#include "core/trace/stream.h"

struct link_map;

/* vt_debugged_objects looks for lists in the loaded objects, as far as they export them. To be called by one thread at
   a time, while none of them can be unloaded. */
void vt_debugged_objects(struct link_map const *list);

/* vt_debugged_met: the unwinder has met code that is in no module. It is then told at the next vt_module_flush. */
void vt_debugged_met(void);

/* vt_debugged_tell writes to s what is in the lists and has not been told. Makes system calls, one when nothing is new
   and three for each new file; vt_debugged_tell_met does so if there is a need (vt_debugged_met). What cannot be read, and what is no ELF file, is left out. */
void vt_debugged_tell(vt_stream_t *s);
void vt_debugged_tell_met(vt_stream_t *s);

/* vt_debugged_forked: all is to be told again. */
void vt_debugged_forked(void);

#endif
