/* run --fail-on-leak: does a program that ended well leave lost blocks behind? */
#ifndef VT_ANALYZER_CLI_LEAK_GATE_H
#define VT_ANALYZER_CLI_LEAK_GATE_H

#include "analyzer/gate/gate.h"

/* Looks at a trace. suppressions: a file of them, or NULL; no_known: also what run-time libraries
   keep by design counts. The verdict is told on standard error, for people or in GitHub's form; as
   JUnit and SARIF it is a file beside the trace, with `.junit.xml` or `.sarif` for its extension, since
   the program's streams are its own. Returns VT_EXIT_OK; VT_EXIT_BUDGET when something is lost, or
   when that cannot be known although blocks are live; another status when the trace or the file
   cannot be read, or the verdict not written. All but VT_EXIT_OK has been said in a line on standard
   error. */
int vt_leak_gate(char const *path, char const *suppressions, int no_known, vt_gate_format_t format);

#endif
