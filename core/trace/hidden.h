/* Data that all of the recorder reads on the event path. -fvisibility=hidden is about what a file defines; what it only
   declares it would look up in the table of addresses (GOT), which is one more instruction each time, unless
   told that it is in the same object. */
#ifndef VT_CORE_TRACE_HIDDEN_H
#define VT_CORE_TRACE_HIDDEN_H

#define VT_HIDDEN __attribute__((visibility("hidden")))

#endif
