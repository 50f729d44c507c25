/* Boot and halt: the services of the library in dependency order. */

#include "fd/util/fd_util.h"

void fd_boot(int * pargc, char *** pargv) {
  fd_log_private_boot(pargc, pargv);
  fd_shmem_private_boot(pargc, pargv);
  fd_tile_private_boot(pargc, pargv);
}

void fd_halt(void) {
  fd_tile_private_halt();
  fd_shmem_private_halt();
  fd_log_private_halt();
}
