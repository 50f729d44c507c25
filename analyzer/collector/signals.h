/* Signals that reach `valtrace run` are meant for the program: they are noted here and passed on. */
#ifndef VT_ANALYZER_COLLECTOR_SIGNALS_H
#define VT_ANALYZER_COLLECTOR_SIGNALS_H

#include <signal.h>
#include <sys/types.h>

/* vt_signals_install catches the signals that are passed on; `wake` is called in the handler. */
void vt_signals_install(void (*wake)(void));

/* vt_signals_restore gives a child the dispositions and mask this process was started with. */
void vt_signals_restore(void);

/* vt_signals_forward passes on to `pid` what arrived since the last call. A signal the terminal sent
   went to the program as well, so only others are passed. A stop request stops this process too, once
   the program had its turn. */
void vt_signals_forward(pid_t pid);

/* vt_signals_pending tells whether vt_signals_forward has something to do, or a child has ended. */
int vt_signals_pending(void);

/* vt_signals_ignore makes a collector without program deaf to all of them. */
void vt_signals_ignore(void);

#endif
