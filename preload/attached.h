/* The recorder in a process that was running already (core/trace/attach.h). */
#ifndef VT_PRELOAD_ATTACHED_H
#define VT_PRELOAD_ATTACHED_H

#include <stddef.h>
#include "core/trace/attach.h"

/* In the file: NULL. In the copy that a process was given when it was attached to: its area's data. */
extern vt_attach_t *vt_attach_v1;

/* vt_attached: was this process attached to, and not started with the shim? */
static inline int vt_attached(void) { return vt_attach_v1 != NULL; }

/* vt_attached_over: it was, and recording has been ended from outside. */
int vt_attached_over(void);

/* vt_attached_idle: it was, and is not recorded (yet, again, or any more). vt_attached_changes: another thread is about
   to change that, so that what belongs to a recording may be as it was, as it will be, or neither. */
int vt_attached_idle(void);
int vt_attached_changes(void);

/* vt_attached_options are the variables that the command would have put into the environment. */
char *const *vt_attached_options(void);

/* vt_attached_patch leads the entries that are patched to the hooks. While recording is set up. */
void vt_attached_patch(void);

/* vt_attached_say lets who attached say why this process is not recorded. */
void vt_attached_say(char const *why);

/* vt_attached_ready is to be called when recording is set up, or that has failed, and before the gate opens; returns
   whether it must stay closed. vt_attached_begun then says so to who attached. */
int vt_attached_ready(int failed);
void vt_attached_begun(int failed);

/* vt_attached_memory is the area's memory that can be written to, of *sz bytes (0: there is none): none of the
   program's, but for the registers behind it. */
void const *vt_attached_memory(size_t *sz);

#endif
