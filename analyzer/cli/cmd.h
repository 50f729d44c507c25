/* The subcommands. Each gets its own name as argv[0] and returns the exit status of the process. */
#ifndef VT_ANALYZER_CLI_CMD_H
#define VT_ANALYZER_CLI_CMD_H

#include "valtrace/trace_format.h"

int vt_cmd_run(int argc, char **argv);
int vt_cmd_attach(int argc, char **argv);
int vt_cmd_detach(int argc, char **argv);
int vt_cmd_ctl(int argc, char **argv);
int vt_cmd_top(int argc, char **argv);
int vt_cmd_ls(int argc, char **argv);
int vt_cmd_report(int argc, char **argv);
int vt_cmd_block(int argc, char **argv);
int vt_cmd_diff(int argc, char **argv);
int vt_cmd_flame(int argc, char **argv);
int vt_cmd_export(int argc, char **argv);
int vt_cmd_html(int argc, char **argv);
int vt_cmd_check_budget(int argc, char **argv);
int vt_cmd_dump(int argc, char **argv);
int vt_cmd_check(int argc, char **argv);
int vt_cmd_pack(int argc, char **argv);
int vt_cmd_import(int argc, char **argv);

#endif
