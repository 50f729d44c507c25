/* Images of a recording that was attached to, which their processes survive: recording ends, or the process executes
   another program, of which no hook tells there. */
#ifndef VT_ANALYZER_COLLECTOR_SURVIVED_H
#define VT_ANALYZER_COLLECTOR_SURVIVED_H

#include "analyzer/collector/drain.h"

/* vt_survived_detached ends all images, whose processes live on: their gates are closed. `asker`, if not 0, is a
   connection that is told when their traces are complete, and closed. */
void vt_survived_detached(vt_drain_t *d, int asker);

/* vt_survived_first ends the image of the first process, which has executed another program that is not recorded. */
void vt_survived_first(vt_drain_t *d);

/* vt_survived_look does so for the children of one that was attached to, when another program is seen in them. Costs a look
   at the mappings of each. */
void vt_survived_look(vt_drain_t *d);

#endif
