/* A process's memory through /proc: its mappings, its pages, their content. The process must not
   change meanwhile: it is a snapshot's. */
#ifndef VT_ANALYZER_SNAPSHOT_PROCESS_H
#define VT_ANALYZER_SNAPSHOT_PROCESS_H

#include <sys/types.h>
#include "analyzer/snapshot/memory.h"

typedef struct vt_frozen vt_frozen_t;

/* vt_frozen_open opens the memory of process `pid`. living: of a copy, a process with the memory that it is a copy of, as
   shared memory goes on to be one and the same; else 0. Returns NULL, and *why a static text, when this
   process may not look into it or it is gone. Release with vt_frozen_close. */
vt_frozen_t *vt_frozen_open(pid_t pid, pid_t living, char const **why);
void vt_frozen_close(vt_frozen_t *frozen);

vt_areas_t const *vt_frozen_areas(vt_frozen_t const *frozen);
vt_memory_t vt_frozen_memory(vt_frozen_t *frozen);

#endif
