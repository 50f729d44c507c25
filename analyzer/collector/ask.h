/* The other side of control.h: asking the collector of a process. Its socket is named in the environment that the
   process was started with. */
#ifndef VT_ANALYZER_COLLECTOR_ASK_H
#define VT_ANALYZER_COLLECTOR_ASK_H

#include <sys/types.h>

typedef struct {
  int status;         /* the exit status that the collector gives; 1 when it says nothing, or will not */
  char text[4096];    /* for people, or what was asked for */
  char const *advice; /* what to do when it will not, or cannot now; "": nothing is known of that */
  pid_t collector; /* as the kernel tells who answers; 0: it does not */
} vt_answer_t;

/* What vt_control_ask returns when there is nobody to ask: the process is not recorded; or it is not there, not ours, or
   its collector has ended. */
#define VT_ASK_NOBODY       -1
#define VT_ASK_NOT_RECORDED -2

/* vt_control_ask asks about process `pid` (a number as text): "COMMAND[ TEXT]", and waits for the answer: as long as a snapshot
   takes, else a minute at most, and not for a collector that is stopped by a signal. Returns 0, or one of the above and
   *why, which stays valid until the next call. */
int vt_control_ask(char const *pid, char const *command, char const *text, vt_answer_t *answer, char const **why);

/* vt_control_begin asks likewise, and takes the first line of an answer that has two; it gives up after two seconds. Returns
   the connection, or -1 and *why. vt_control_hear takes the rest, waits for it, and closes the connection. */
int vt_control_begin(char const *pid, char const *command, char const *text, vt_answer_t *answer, char const **why);
void vt_control_hear(int connection, vt_answer_t *answer);

/* vt_control_advice is what to do when there is nobody to ask: `result` is one of the above. */
char const *vt_control_advice(int result);

/* vt_control_tell has the collector of process `pid` do something, and waits for no answer. "status" makes it write what it
   has. */
void vt_control_tell(char const *pid, char const *command);

#endif
