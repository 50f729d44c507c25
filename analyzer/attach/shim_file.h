/* The copy of the recorder's file that a process is given. */
#ifndef VT_ANALYZER_ATTACH_SHIM_FILE_H
#define VT_ANALYZER_ATTACH_SHIM_FILE_H

#include <stdint.h>

typedef struct {
  int fd;          /* a file in memory */
  uint64_t symbol; /* where in it VT_ATTACH_SYMBOL is */
} vt_shim_file_t;

/* vt_shim_file_make copies the file at `path`. Returns 0, or -1 (errno); to be closed by the caller. */
int vt_shim_file_make(vt_shim_file_t *shim, char const *path);

/* vt_shim_file_seal tells the copy where the area's data is, after which nobody can change it. 0, or -1. */
int vt_shim_file_seal(vt_shim_file_t const *shim, uint64_t data);

#endif
