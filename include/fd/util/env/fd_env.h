#ifndef HEADER_fd_src_util_env_fd_env_h
#define HEADER_fd_src_util_env_fd_env_h

/* Options from the command line and the environment. */

#include "../cstr/fd_cstr.h"

FD_PROTOTYPES_BEGIN

/* fd_env_strip_cmdline_T returns the value of an option: the last `key value` pair of the command
   line, else the environment variable env_key, else def.  All pairs are removed from the command
   line, a trailing key without value too, and argv[argc] is NULL again; a cstr result points into
   argv, the environment or is def.  NULL pargc, pargv or key: no command line; NULL or "" env_key:
   no environment.  Cannot fail, logs nothing; not thread safe with respect to the same argv. */
#define FD_ENV_PRIVATE_DECL(T, what)                                           \
  T fd_env_strip_cmdline_##what(int * pargc, char *** pargv, char const * key, \
                                char const * env_key, T def);
FD_ENV_PRIVATE_DECL(char const *, cstr)
FD_ENV_PRIVATE_DECL(char, char)
FD_ENV_PRIVATE_DECL(schar, schar)
FD_ENV_PRIVATE_DECL(short, short)
FD_ENV_PRIVATE_DECL(int, int)
FD_ENV_PRIVATE_DECL(long, long)
FD_ENV_PRIVATE_DECL(uchar, uchar)
FD_ENV_PRIVATE_DECL(ushort, ushort)
FD_ENV_PRIVATE_DECL(uint, uint)
FD_ENV_PRIVATE_DECL(ulong, ulong)
FD_ENV_PRIVATE_DECL(float, float)
#if FD_HAS_DOUBLE
FD_ENV_PRIVATE_DECL(double, double)
#endif

/* fd_env_strip_cmdline_contains is 1 iff key is on the command line; every occurrence is removed.
 */
int fd_env_strip_cmdline_contains(int * pargc, char *** pargv, char const * key);

FD_PROTOTYPES_END

#endif
