/* Who the first process of a recording is, and whose trace lies where a new one is to be made.

   A pattern without %p names the first process's trace; a child must never take it for its own. The
   first process says who it is in VALTRACE_FIRST_PID, in its own environment too: libc's system and
   posix_spawn pass that on without coming by a hook. Where a child has another environment, the
   file itself tells who writes it. */
#ifndef VT_PRELOAD_FIRST_H
#define VT_PRELOAD_FIRST_H

#include <stdint.h>

/* vt_first_read takes the value of VALTRACE_FIRST_PID: "PID", "PID.START" or "PID.START.SPACE": START
   in the kernel's clock ticks since it was started, SPACE as vt_sink_space, 0 where one is not known.
   0: it is none of these, and nobody is first. */
int vt_first_read(char const *value);

/* vt_first_known: has anybody said who is first? vt_first_is_me: this process, and not one that has
   its number again or in another namespace. */
int vt_first_known(void);
int vt_first_is_me(void);

/* vt_first_tell says that this process is the first one: to the program's environment, which is
   copied for it, and to vt_options_inherited. To be called once, at start. */
void vt_first_tell(void);

/* Whose trace is the file at path? OWN: an earlier image of this process made it; LIVE: the process
   that writes it lives, as far as can be seen; OLD: none of these; NONE: there is no file. */
typedef enum { VT_FILE_NONE, VT_FILE_OLD, VT_FILE_OWN, VT_FILE_LIVE } vt_file_owner_t;
vt_file_owner_t vt_first_owner(char const *path);

#endif
