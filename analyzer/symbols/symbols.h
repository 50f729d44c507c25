/* Symbols: what functions and source lines stand behind code addresses.

   A store of frames keyed by (module, offset). Frames come from ELF files on this machine
   (vt_symbols_resolve) or from a trace that has them embedded (vt_symbols_put). Modules with equal
   build-ids are one module, so that a build of 10,000 processes symbolizes libc once.
   ELF files are hostile input: they are read in forked worker processes, one per core, and a file
   that makes a worker crash or hang only costs its own names. Not thread safe; one store may be
   used by one thread at a time. Running out of memory ends the process (analyzer/util/mem.h). */
#ifndef VT_ANALYZER_SYMBOLS_SYMBOLS_H
#define VT_ANALYZER_SYMBOLS_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>
#include "analyzer/util/strings.h"

typedef struct vt_symbols vt_symbols_t;

/* One function at an address. An address has several frames when code was inlined there: innermost
   first, all but the last with `inlined` set. Strings are indexes into vt_symbols_strings(); 0, the
   empty string, means unknown. Functions are demangled (C++ and Rust). line 0 means unknown. */
typedef struct {
  uint32_t function;
  uint32_t file;
  uint32_t line;
  uint32_t inlined;
} vt_frame_t;

/* offset: address - load bias of the instruction to look up, that is, the address in the ELF file
   (for a return address: minus 1, as docs/trace-format.md says). */
typedef struct {
  uint32_t module;
  uint64_t offset;
} vt_symbols_query_t;

vt_symbols_t *vt_symbols_new(void);

/* Where debug information is looked for besides the usual places: in a folder laid out like
   /usr/lib/debug (NULL: none), which stays the caller's; on the servers in DEBUGINFOD_URLS. */
typedef struct {
  char const *folder;
  int debuginfod;
} vt_symbols_search_t;
void vt_symbols_search(vt_symbols_t *symbols, vt_symbols_search_t const *search);

void vt_symbols_delete(vt_symbols_t *symbols);

/* Which file a module is. Its names are used only when it is the one that was mapped: when its build-id
   is the same (otherwise a debug file of that build-id is looked for); without a build-id, when device,
   inode, size and time are the same; where these were not recorded, when it has not changed since. */
typedef struct {
  char const *path;
  int fd; /* an open descriptor of the file, taken over by vt_symbols_module, for files that may be gone
             or lie under another root when they are read; -1: `path` is opened when needed */
  void const *build_id;
  size_t build_id_sz;
  uint64_t device, inode, size, mtime_ns; /* without build-id; all 0: not recorded */
  uint64_t loaded_unix_ns;                /* when it was mapped; 0: not known, any file will do */
  char const *debug_file; /* NULL; the store sets it to a file of that build-id that a server had */
} vt_symbols_file_t;

/* Registers a module and returns its number in the store, the same number for a module that is
   already there (equal build-id; without: equal path, device, inode, size and time). */
uint32_t vt_symbols_module(vt_symbols_t *symbols, vt_symbols_file_t const *file);

/* Why a module has no names, or fewer; known after vt_symbols_resolve has looked for some. */
typedef enum {
  VT_SYMBOLS_FINE,        /* nothing was looked for, or all was there */
  VT_SYMBOLS_ABSENT,      /* its file is not there */
  VT_SYMBOLS_OTHER_BUILD, /* the file is another one than was recorded */
  VT_SYMBOLS_DAMAGED,     /* it cannot be read as ELF file, or crashed what reads it */
  VT_SYMBOLS_NO_DWO,      /* split debug information of some code, in a file that is not there */
  VT_SYMBOLS_DWP,         /* it is in a package (.dwp), which libdw reads from 0.191 on */
} vt_symbols_problem_t;

/* The path of a module; NULL: there are no more. */
char const *vt_symbols_path(vt_symbols_t const *symbols, uint32_t module);

/* *missing is the path of a file that would help, "" when there is none to name. */
vt_symbols_problem_t vt_symbols_problem(vt_symbols_t const *symbols, uint32_t module,
                                        char const **missing);

/* Looks up every query that is not in the store yet and stores the result, also "nothing known".
   Order and duplicates do not matter. Returns the number of modules that could not be read
   completely (file gone, another build-id, damaged); their addresses have no or fewer frames.
   Blocks until all is done; uses one process per core. */
size_t vt_symbols_resolve(vt_symbols_t *symbols, vt_symbols_query_t const *queries, size_t cnt);

/* Stores frames for one address (embedded symbols). Ignored when the address has frames already. */
void vt_symbols_put(vt_symbols_t *symbols, uint32_t module, uint64_t offset,
                    vt_frame_t const *frames, size_t cnt);

/* Number of frames of an address, 0 when nothing is known; *frames is valid until the next call
   that changes the store. */
size_t vt_symbols_frames(vt_symbols_t const *symbols, uint32_t module, uint64_t offset,
                         vt_frame_t const **frames);

/* Is the address in the store, even as "nothing known"? */
int vt_symbols_has(vt_symbols_t const *symbols, uint32_t module, uint64_t offset);

/* The strings frames refer to. Owned by the store; callers may intern more. */
vt_strings_t *vt_symbols_strings(vt_symbols_t *symbols);

#endif
