/* run --fail-on-leak: does a process of a program that ended well leave lost blocks behind? */
#ifndef VT_ANALYZER_CLI_LEAK_GATE_H
#define VT_ANALYZER_CLI_LEAK_GATE_H

#include "analyzer/gate/gate.h"

typedef struct vt_leak_gate vt_leak_gate_t;

/* suppressions: a file of them, or NULL; no_known: also what run-time libraries keep by design counts. The verdict is
   told on standard error, for people or in GitHub's form; as JUnit and SARIF it is a file beside the first trace, with
   `.junit.xml` or `.sarif` for its extension, since the program's streams are its own. */
vt_leak_gate_t *vt_leak_gate_begin(char const *suppressions, int no_known, vt_gate_format_t format);

/* vt_leak_gate_judge looks at a trace. What is wrong is said in a line on standard error, which names the process. */
void vt_leak_gate_judge(vt_leak_gate_t *gate, char const *path);

/* vt_leak_gate_end writes what a machine wants and frees the gate. Returns VT_EXIT_OK; VT_EXIT_BUDGET when something is
   lost, or when that cannot be known although blocks are live; another status when a trace cannot be read, or the
   verdict not written. */
int vt_leak_gate_end(vt_leak_gate_t *gate);

#endif
