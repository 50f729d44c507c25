/* The code that loads the shim in a process that runs. See loader.c. */
#ifndef VT_ANALYZER_ATTACH_LOADER_H
#define VT_ANALYZER_ATTACH_LOADER_H

#include <stdint.h>
#include "core/trace/attach.h"

/* The page of code, to be copied to where its data is directly behind it; and where in it stubs of
   patched functions lead (plain), and those whose functions keep all registers. */
extern uint8_t const vt_loader_code[], vt_loader_code_end[], vt_loader_plain[], vt_loader_keep[];

/* vt_loader_vectors is what of the vector registers xsave is to keep on this machine; 0: there is no
   xsave. */
uint32_t vt_loader_vectors(void);

#endif
