/* The text report for other commands (`run --report`). */
#ifndef VT_ANALYZER_CLI_CMD_REPORT_H
#define VT_ANALYZER_CLI_CMD_REPORT_H

/* Prints the summary of a trace on standard output, as `valtrace report PATH` does. Returns the
   exit status; what went wrong was said on standard error. */
int vt_report_print(char const *path);

#endif
