/* Files that are installed beside the program: in ../share/valtrace, or in tools/ of the tree that
   it was built in. */
#ifndef VT_ANALYZER_CLI_INSTALLED_H
#define VT_ANALYZER_CLI_INSTALLED_H

#include <limits.h>

/* vt_installed_folder is the folder that this program is in; where there is no /proc, the name it was executed
   by tells. Returns 0, or -1: unknown. */
int vt_installed_folder(char out[PATH_MAX]);

/* Finds one by its name below that folder. Returns 0, or -1 when it is not there. */
int vt_installed_find(char const *name, char path[PATH_MAX]);

#endif
