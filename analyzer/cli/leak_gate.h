/* run --fail-on-leak: does a program that ended well leave lost blocks behind? */
#ifndef VT_ANALYZER_CLI_LEAK_GATE_H
#define VT_ANALYZER_CLI_LEAK_GATE_H

/* Looks at a trace. suppressions: a file of them, or NULL; no_known: also what run-time libraries
   keep by design counts. Returns VT_EXIT_OK; VT_EXIT_BUDGET when something is lost, or when that
   cannot be known although blocks are live; another status when the trace or the file cannot be
   read. All but VT_EXIT_OK has been said in a line on standard error. */
int vt_leak_gate(char const *path, char const *suppressions, int no_known);

#endif
