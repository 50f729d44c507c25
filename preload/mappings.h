/* The memory mappings of this process: those the kernel tells of, and those the program makes. */
#ifndef VT_PRELOAD_MAPPINGS_H
#define VT_PRELOAD_MAPPINGS_H

#include <stdint.h>

typedef struct {
  uint64_t start, end;
  int is_executable;
  int is_private; /* a forked child gets a copy of its own */
} vt_mapping_t;

/* vt_mapping_find finds the mapping at an address in /proc/self/maps. Returns 0, or -1 when there
   is none or /proc cannot be read. Opens and closes a descriptor; allocates nothing;
   async-signal-safe. Costs a microsecond per mapping below the address. */
int vt_mapping_find(uint64_t address, vt_mapping_t *out);

/* vt_mapping_executable is that for vt_unwind_executable; leaves errno alone. */
int vt_mapping_executable(uint64_t address, uint64_t *start, uint64_t *end);

/* vt_mappings_init finds the functions that mmap, munmap, … pass on to, before a signal handler may
   need them. */
void vt_mappings_init(void);

#endif
