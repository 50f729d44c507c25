/* The other side of control.h: asking the collector of a process. Its socket is named in the environment that the
   process was started with. */
#ifndef VT_ANALYZER_COLLECTOR_ASK_H
#define VT_ANALYZER_COLLECTOR_ASK_H

#include <sys/types.h>

typedef struct {
  int status;      /* the exit status that the collector gives; 1 when it says nothing */
  char text[4096]; /* for people, or what was asked for */
  pid_t collector; /* as the kernel tells who answers; 0: it does not */
} vt_answer_t;

/* vt_control_ask asks about process `pid` (a number as text): "COMMAND[ TEXT]", and waits for the answer. Returns 0;
   1 when it is not recorded, or -1 when there is nobody to ask, and *why, which stays valid until the next call. */
int vt_control_ask(char const *pid, char const *command, char const *text, vt_answer_t *answer, char const **why);

#endif
