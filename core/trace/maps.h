/* Reading /proc/self/maps: what the kernel says is mapped. Nothing is kept, so that a line of any length
   needs no room, and the caller's stack may be a small one. */
#ifndef VT_CORE_TRACE_MAPS_H
#define VT_CORE_TRACE_MAPS_H

#include <stddef.h>
#include <stdint.h>

#define VT_MAPS_NAME_SZ 12

typedef struct {
  uint64_t start, end, offset, inode;
  char perms[4];              /* "rwxp", '-' for what is not allowed */
  char name[VT_MAPS_NAME_SZ]; /* how the file's path or "[vdso]" begins; "": anonymous */
} vt_maps_line_t;

/* vt_maps_walk calls `visit` with each mapping in the order of addresses until it returns other than 0,
   which is then the result; 0: none did; -1: /proc cannot be read. Opens and closes a descriptor;
   allocates nothing; errno stays; async-signal-safe. About a microsecond a mapping. */
int vt_maps_walk(int (*visit)(vt_maps_line_t const *line, void *arg), void *arg);

/* vt_maps_find finds the mapping that holds an address. Returns 0, or -1: none, or unreadable. Costs
   and safety as above. */
int vt_maps_find(uint64_t address, vt_maps_line_t *out);

/* vt_maps_path copies what is at most `cap` bytes of the path of the file that is mapped at an address
   (no terminating zero), and returns their number; 0: no file, or unreadable. Costs and safety as above. */
uint32_t vt_maps_path(uint64_t address, char *out, size_t cap);

#endif
