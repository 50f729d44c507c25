/* Debug information from the servers in DEBUGINFOD_URLS: announced, and within a time limit. */
#ifndef VT_ANALYZER_SYMBOLS_DEBUGINFOD_H
#define VT_ANALYZER_SYMBOLS_DEBUGINFOD_H

#include <stddef.h>
#include <stdint.h>

/* One file to ask for. */
typedef struct {
  uint8_t const *build_id;
  size_t build_id_sz;
  char *path; /* out: where it lies now, in the library's cache; NULL: nobody has it. Caller frees. */
} vt_debuginfod_file_t;

/* Are there servers to be asked? */
int vt_debuginfod_wanted(void);

/* Asks for all files at once, in processes of their own, and shows progress on a terminal. All calls of
   this process together take no longer than ten seconds, or DEBUGINFOD_TIMEOUT; what has not come by then is given up, which
   one line on standard error says, as it does when the library is not there. Not thread safe. */
void vt_debuginfod_fetch(vt_debuginfod_file_t *files, size_t cnt);

#endif
