#ifndef CORE_SHMEM_SHMEM_PRIVATE_H
#define CORE_SHMEM_SHMEM_PRIVATE_H

/* What the parts of the shmem module share: argument checks, page placement, and files. */

#include "fd/util/shmem/fd_shmem.h"

/* The one warning about stand-in pages. */
void fd_shmem_private_warn_fallback(void);

/* Checks the arguments of create and acquire; the total number of pages, 0 (logs) if bad. */
ulong fd_shmem_private_check_multi(ulong page_sz, ulong sub_cnt, ulong const * sub_page_cnt,
                                   ulong const * sub_cpu_idx);

/* Reserves sz bytes of address space aligned to page_sz (no access); NULL if there is none. */
void * fd_shmem_private_reserve(ulong page_sz, ulong sz);

/* Maps sz bytes at fixed reserved addresses; fd -1 is private memory.  MAP_FAILED on failure. */
void * fd_shmem_private_map(void * at, ulong page_sz, ulong sz, int prot, int fd);

/* Asks for the parts of mem to be near their cpus and makes them resident there.  Does nothing on a
   host with one node; a refusal is no error. */
void fd_shmem_private_place(void * mem, ulong page_sz, ulong sub_cnt, ulong const * sub_page_cnt,
                            ulong const * sub_cpu_idx);

/* Opens the file of an existing region: a descriptor and *_sz, or minus errno. */
int fd_shmem_private_open(char const * name, ulong page_sz, int flags, ulong * _sz);

/* fd_shmem_info of valid arguments without its log. */
int fd_shmem_private_info(char const * name, ulong page_sz, fd_shmem_info_t * opt_info);

#endif
