/* The switches that make run-times say what code they make. */
#ifndef VT_ANALYZER_JIT_SWITCHES_H
#define VT_ANALYZER_JIT_SWITCHES_H

/* vt_jit_switches_set puts them into this process's environment, for the program to inherit: added to what
   is there, so that the program sees them. None keeps a run-time of another version from starting. */
void vt_jit_switches_set(void);

#endif
