/* The memory mappings that the program makes itself. */
#ifndef VT_PRELOAD_MAPPINGS_H
#define VT_PRELOAD_MAPPINGS_H

/* vt_mappings_init finds the functions that mmap, munmap, … pass on to, before a signal handler may
   need them. */
void vt_mappings_init(void);

#endif
