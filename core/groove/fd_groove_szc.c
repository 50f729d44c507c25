/* The size classes.  Above 53 blocks footprints are halves and thirds (and halves and thirds of
   those) of a volume, less the header block of each superblock, so that superblocks fill the
   objects they are made from almost exactly; below, the steps are fine enough that an object wastes
   a ninth on average.  Superblocks of small classes are 27 to 107 KiB: large enough that a join
   seldom needs a new one, small enough that a thread that needs few objects keeps little. */

#include "core/groove/fd_groove_private.h"

#define BLOCKS( blocks, cnt, cgroup_mask, parent ) { blocks * 512U, cnt, cgroup_mask, parent }

fd_groove_data_szc_cfg_t const fd_groove_data_szc_cfg[FD_GROOVE_DATA_SZC_CNT] = {
  BLOCKS(     1, 52, 63, 13 ),
  BLOCKS(     2, 39, 63, 14 ),
  BLOCKS(     3, 35, 63, 15 ),
  BLOCKS(     4, 26, 63, 15 ),
  BLOCKS(     5, 42, 63, 17 ),
  BLOCKS(     6, 35, 63, 17 ),
  BLOCKS(     7, 30, 63, 17 ),
  BLOCKS(     8, 26, 63, 17 ),
  BLOCKS(    10, 21, 63, 17 ),
  BLOCKS(    13, 12, 63, 16 ),
  BLOCKS(    19,  8, 63, 16 ),
  BLOCKS(    26,  6, 63, 16 ),
  BLOCKS(    39,  8, 63, 18 ),
  BLOCKS(    53,  6, 63, 18 ),
  BLOCKS(    79,  4, 63, 18 ),
  BLOCKS(   106,  6, 63, 20 ),
  BLOCKS(   160,  4, 63, 20 ),
  BLOCKS(   213,  3, 63, 20 ),
  BLOCKS(   320,  4, 63, 22 ),
  BLOCKS(   427,  3, 63, 22 ),
  BLOCKS(   641,  4, 63, 24 ),
  BLOCKS(   856,  3, 63, 24 ),
  BLOCKS(  1284,  4, 63, 26 ),
  BLOCKS(  1712,  3,  0, 26 ),
  BLOCKS(  2569,  4,  0, 28 ),
  BLOCKS(  3426,  3,  0, 28 ),
  BLOCKS(  5139,  4,  0, 30 ),
  BLOCKS(  6852,  3,  0, 30 ),
  BLOCKS( 10279,  4,  0, 31 ),
  BLOCKS( 13706,  3,  0, 31 ),
  BLOCKS( 20559,  2,  0, 31 ),
  BLOCKS( 41120, 51,  0, 32 ),
};

/* Class by footprint in blocks. */
uchar const fd_groove_data_private_szc_small[FD_GROOVE_DATA_PRIVATE_SZC_SMALL_MAX + 1UL] = {
  0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 9, 9, 10, 10, 10, 10, 10, 10,
  11, 11, 11, 11, 11, 11, 11, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12,
  13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 13, 14, 14, 14, 14, 14, 14,
  14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14,
  15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
  15, 15, 15, 15, 15, 15, 15, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
  16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
  16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
  16,
};
