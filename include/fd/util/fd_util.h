#ifndef HEADER_fd_src_util_fd_util_h
#define HEADER_fd_src_util_fd_util_h

/* Everything a program needs with one include. */

#include "fd_util_base.h"
#include "bits/fd_bits.h"
#include "rng/fd_rng.h"
#include "cstr/fd_cstr.h"
#include "env/fd_env.h"
#include "io/fd_io.h"
#include "log/fd_log.h"
#include "sanitize/fd_asan.h"
#include "shmem/fd_shmem.h"
#include "tile/fd_tile.h"
#include "tpool/fd_tpool.h"
#include "checkpt/fd_checkpt.h"
#include "wksp/fd_wksp.h"
#include "alloc/fd_alloc.h"
#include "valloc/fd_valloc.h"

FD_PROTOTYPES_BEGIN

/* fd_boot starts the library: once, first thing in main, by the thread that becomes tile 0. Options
   of the library are removed from the command line, others stay; a malformed one is an FD_LOG_ERR.
   fd_halt, by the same thread and last, ends what boot started; tasks still running are waited for.
 */
void fd_boot(int * pargc, char *** pargv);
void fd_halt(void);

FD_PROTOTYPES_END

#endif
