/* Which dynamic loader a program asks for. The shim is made for glibc's and musl's: another C library's
   loader that finds it in LD_PRELOAD does not start the program. */
#ifndef VT_CORE_TRACE_EXECUTABLE_H
#define VT_CORE_TRACE_EXECUTABLE_H

/* vt_executable_open opens the program `file` for reading, relative to the folder `dir`; if
   `search` (a PATH) is not NULL and the name has no slash, the first such file in one of its
   folders. Returns a descriptor, the caller's to close, or a negative errno value. */
int vt_executable_open(int dir, char const *file, char const *search);

/* vt_executable_foreign: is the program in the file behind fd, or the interpreter of the script in
   it, for another C library than these? 0 also when it cannot be read or is static. Neither moves
   the descriptor's position. Both are async-signal-safe and leave errno alone. */
int vt_executable_foreign(int fd);

/* vt_executable_is_loader: is this, by its name, one of their loaders, which can be executed itself and
   then loads the program it is given? */
int vt_executable_is_loader(char const *path);

#endif
