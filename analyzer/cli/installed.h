/* Files that are installed beside the program: in ../share/valtrace, or in tools/ of the tree that
   it was built in. */
#ifndef VT_ANALYZER_CLI_INSTALLED_H
#define VT_ANALYZER_CLI_INSTALLED_H

#include <limits.h>

/* Finds one by its name below that folder. Returns 0, or -1 when it is not there. */
int vt_installed_find(char const *name, char path[PATH_MAX]);

#endif
