/* What the shim says and does when the memory of this process may be looked at after its end. */
#ifndef VT_PRELOAD_SNAPSHOT_H
#define VT_PRELOAD_SNAPSHOT_H

#include "preload/process.h"

/* vt_snapshot_wanted: is there a collector that looks at the memory, and may this process be
 * prepared? */
int vt_snapshot_wanted(void);

/* vt_snapshot_note writes the SNAPSHOT message. sp: below it the calling thread has nothing that a
   pointer could be in; its registers are above. */
void vt_snapshot_note(vt_stream_t *s, vt_snapshot_kind_t kind, uint64_t sp);

/* vt_snapshot_make leaves the memory to the collector, vt_snapshot_unmake takes it back. Call the
   first when nothing more will be recorded. */
void vt_snapshot_make(vt_snapshot_kind_t kind);
void vt_snapshot_unmake(void);

/* vt_snapshot_watch makes the image's sentinel if the run wants any, or this is a program of Go, which ends by a system
   call of its own and says nothing then; not in a process that was attached to, whose calls that would end it are not seen. vt_snapshot_unwatch ends it, before the process becomes another user's, confined,
   or less able: a way back into what it was must not stay. */
void vt_snapshot_watch(void);
void vt_snapshot_unwatch(void);

/* vt_snapshot_copy makes a copy of the memory for the collector, which waits for it, while all threads stand; see vt_copy_make.
   Returns 0, or a negative number: there can be none. Takes less than 8 KiB of stack, and no
   lock. */
int vt_snapshot_copy(uint32_t number, uint32_t unknown);

/* vt_snapshot_paused: events are left out on purpose, so that not all live blocks are known. */
void vt_snapshot_paused(void);

#endif
