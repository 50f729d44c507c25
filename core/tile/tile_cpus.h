#ifndef CORE_TILE_TILE_CPUS_H
#define CORE_TILE_TILE_CPUS_H

/* The --tile-cpus list. */

#include "fd/util/tile/fd_tile.h"

#define FD_TILE_CPU_FLOATING (ULONG_MAX - 1UL)

/* Parses a list into cpu[0..FD_TILE_MAX): the tile count, 0 with *fault set if malformed. */
ulong fd_tile_private_parse_cpus(char const * list, ulong * cpu, char const ** fault);

#endif
