/* The traces that the operands of a reading command name: files as they are, and for a folder all
   *.vtr in it, in the order in which they were started. */
#ifndef VT_ANALYZER_TRACE_FOLDER_H
#define VT_ANALYZER_TRACE_FOLDER_H

#include <stddef.h>
#include <stdint.h>
#include "analyzer/cli/error.h"

/* Which file a path leads to; inode 0: it cannot be looked at. */
typedef struct {
  uint64_t device, inode;
} vt_trace_file_t;

typedef struct {
  char **paths;
  size_t paths_cnt, paths_cap;
  vt_trace_file_t *files; /* of each path */
  size_t files_cnt, files_cap;
} vt_trace_list_t;

/* vt_trace_list adds to an empty list what the operands name. Folders within a folder are not
   looked into. A file that is named twice, by whatever names, is in the list once: its blocks would
   count twice. Returns 0; or -1 and *error when a folder cannot be read or has no trace. A file
   need not exist or be a trace: who opens it says so. vt_trace_list_free in both cases. */
int vt_trace_list(vt_trace_list_t *list, char *const *operands, size_t cnt, vt_error_t *error);
void vt_trace_list_free(vt_trace_list_t *list);

#endif
