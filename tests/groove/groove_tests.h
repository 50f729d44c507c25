#ifndef TESTS_GROOVE_GROOVE_TESTS_H
#define TESTS_GROOVE_GROOVE_TESTS_H

/* What groove's test programs share: a range of volumes and quiet logging. */

#include "fd/groove/fd_groove.h"
#include <sys/mman.h>
#include "tests/unit/tap.h"

/* Shared memory for volume_cnt volumes, aligned to 1 GiB; costs what is touched. */
static inline fd_groove_volume_t *
volumes_map( ulong volume_cnt ) {
  void * mem = mmap( NULL, ( volume_cnt + 1UL ) << 30, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0 );
  if( mem == MAP_FAILED ) FD_LOG_ERR(( "mmap failed" ));
  return (fd_groove_volume_t *)fd_ulong_align_up( (ulong)mem, 1UL << 30 );
}

/* Boots without a log file and with only errors on stderr. */
static inline void
boot_quietly( char * name ) {
  char   path[] = "--log-path", none[] = "", level[] = "--log-level-stderr", four[] = "4";
  char * args[] = { name, path, none, level, four, NULL };
  char ** pargv = args;
  int     pargc = 5;
  fd_boot( &pargc, &pargv );
}

static inline int
verify_all( fd_groove_data_t const * data, fd_groove_volume_t const * volume0, ulong cnt ) {
  int err = fd_groove_data_verify( data );
  for( ulong i = 0UL; i < cnt && !err; i++ ) err = fd_groove_data_volume_verify( data, volume0 + i );
  return !err;
}

#endif
