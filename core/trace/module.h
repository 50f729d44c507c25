/* Which code is mapped where, versioned in time: the module messages of a trace.

   Modules are learned lazily: from dl_iterate_phdr once at start, and from then on whenever the
   unwinder meets code it has not seen (vt_module_seen). Unloading is noticed because ld.so frees
   the link map through the interposed free: see vt_module_freed. So neither dlopen nor dlclose
   is interposed and every way to unload is covered. */
#ifndef VT_CORE_TRACE_MODULE_H
#define VT_CORE_TRACE_MODULE_H

#include <stdint.h>
#include "core/trace/hidden.h"
#include "core/trace/object.h"
#include "core/trace/stream.h"

/* vt_module_init notes the loader's own code range and, through dl_iterate_phdr (which locks: never
   in a hook), all modules mapped now. `kind` is the clock of this process's events. Returns 0, or
   -1 without memory for the table; nothing else here may be called then. */
int vt_module_init(vt_clock_kind_t kind);

/* vt_module_started_as is the path by which this program was started, as given to exec (a script's own);
   NULL when that does not name it: a descriptor was executed, or the loader. No system call. */
char const *vt_module_started_as(void);

/* vt_module_program_is_go: was this process's program linked by Go, whose run-time ends it, and executes others, by
   system call instructions of its own? Reads the notes in memory. No system call. */
int vt_module_program_is_go(void);

/* vt_module_executable copies the path of this process's executable (no terminating zero) and
   returns its length, 0 if nobody knows: what /proc says or, where there is none, the name it was
   executed by. */
uint32_t vt_module_executable(char *out, size_t cap);

/* vt_module_seen records the object if it is new. Lock-free, async-signal-safe. */
void vt_module_seen(vt_object_t const *object);

/* vt_module_freed is told of each block that the dynamic linker frees, before it is freed: if it is a
   link map, the module is gone and a new epoch of code addresses begins. Constant time. */
void vt_module_freed(void const *block, uint64_t tick);

/* vt_module_flush writes the messages of modules not yet written to this image's trace. */
void vt_module_flush(vt_stream_t *s);

/* vt_module_restart: all modules are to be written again, to the trace of a forked child. */
void vt_module_restart(void);

/* vt_module_again does so for a trace that begins when nobody has looked for a while: what has gone since is noticed. */
void vt_module_again(uint64_t tick);

/* Where the latest module with CPython's state that vt_module_seen has recorded has that, _PyRuntime; 0: there was none since
   somebody took it from here. */
extern _Atomic uint64_t vt_module_interpreter;

extern VT_HIDDEN _Atomic uint32_t vt_module_pending; /* messages waiting for a flush */
extern VT_HIDDEN uint64_t vt_module_loader_start;
extern VT_HIDDEN uint64_t vt_module_loader_sz;

/* vt_module_is_loader: is pc in the dynamic linker's code? */
static inline int vt_module_is_loader(uint64_t pc) {
  return pc - vt_module_loader_start < vt_module_loader_sz;
}

#endif
