/* The collector's side of `valtrace ctl`: one line "PID COMMAND[ TEXT]" comes in on a connection, one line goes out: a
   digit, the exit status, and a text for people. Who neither runs the collector nor is root gets VT_CONTROL_REFUSED at once. To
   "take", from who has the process stand still, there are two answers: the number of the copy of its memory that may be made, and
   the result. */
#ifndef VT_ANALYZER_COLLECTOR_CONTROL_H
#define VT_ANALYZER_COLLECTOR_CONTROL_H

#include "analyzer/collector/drain.h"

#define VT_CONTROL_REFUSED '3'

/* vt_control_serve answers those that wait. One who says nothing delays it by 50 ms at most. */
void vt_control_serve(vt_drain_t *drain);

#endif
