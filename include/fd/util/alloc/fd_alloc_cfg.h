#ifndef HEADER_fd_util_alloc_fd_alloc_cfg_h
#define HEADER_fd_util_alloc_fd_alloc_cfg_h

/* The size classes of fd_alloc.  A block of a class is cut from a superblock of block_cnt blocks;
   the superblock is itself a block of the parent class, or an allocation of the wksp if parent is
   the number
   of classes.  Consecutive sizes differ by at most 1/8 (8 bytes for small ones), and each parent
   was chosen to hold as many blocks as possible, at most 63, with less than 4 percent lost where
   possible.  Include it where needed: it defines a file-static table. */

#include "../fd_util_base.h"

typedef struct __attribute__((aligned(8))) {
  uint   block_footprint;  /* bytes of a block, multiple of FD_ALLOC_SUPERBLOCK_ALIGN */
  ushort parent_sizeclass; /* class whose blocks are this one's superblocks */
  uchar  block_cnt;        /* blocks in a superblock, in [2,63] */
  uchar  cgroup_mask;      /* concurrency groups of the class less 1 */
} fd_alloc_sizeclass_cfg_t;

#define FD_ALLOC_SUPERBLOCK_ALIGN (8UL)

/* Bytes at the start of each superblock that are not for blocks. */
#define FD_ALLOC_SUPERBLOCK_HDR_FOOTPRINT (24UL)

#define FD_ALLOC_SIZECLASS_CNT (66UL)

/* Steps of a binary search over the classes: 1 + find_msb( FD_ALLOC_SIZECLASS_CNT-1 ). */
#define FD_ALLOC_SIZECLASS_ITER_MAX (7)

#define FD_ALLOC_ROOT_SUPERBLOCK_FOOTPRINT (262144UL)

/* Largest footprint that is served from size classes. */
#define FD_ALLOC_FOOTPRINT_SMALL_THRESH (37440UL)

static fd_alloc_sizeclass_cfg_t const fd_alloc_sizeclass_cfg[ FD_ALLOC_SIZECLASS_CNT ] = {
  {      8U, 28, 61, 15 },
  {     16U, 34, 62, 15 },
  {     24U, 37, 59, 15 },
  {     32U, 40, 63, 15 },
  {     40U, 42, 63, 15 },
  {     48U, 43, 60, 15 },
  {     56U, 45, 63, 15 },
  {     64U, 46, 63, 15 },
  {     72U, 47, 63, 15 },
  {     80U, 48, 63, 15 },
  {     88U, 48, 59, 15 },
  {     96U, 49, 61, 15 },
  {    104U, 50, 63, 15 },
  {    112U, 50, 58, 15 },
  {    120U, 51, 61, 15 },
  {    128U, 52, 63, 15 },
  {    144U, 53, 63, 15 },
  {    160U, 53, 58, 15 },
  {    176U, 54, 59, 15 },
  {    192U, 55, 61, 15 },
  {    216U, 56, 61, 15 },
  {    240U, 57, 62, 15 },
  {    264U, 58, 63, 15 },
  {    296U, 59, 63, 15 },
  {    328U, 60, 63, 15 },
  {    368U, 61, 63, 15 },
  {    408U, 61, 58, 15 },
  {    456U, 62, 59, 15 },
  {    512U, 63, 59, 15 },
  {    576U, 65, 63, 15 },
  {    648U, 65, 57, 15 },
  {    728U, 65, 51, 15 },
  {    816U, 65, 45, 15 },
  {    912U, 65, 41, 15 },
  {   1024U, 65, 36, 15 },
  {   1152U, 65, 32, 15 },
  {   1296U, 65, 28, 15 },
  {   1456U, 65, 25, 15 },
  {   1632U, 63, 18, 15 },
  {   1832U, 65, 20, 15 },
  {   2056U, 65, 18, 15 },
  {   2312U, 65, 16, 15 },
  {   2600U, 65, 14, 15 },
  {   2920U, 62,  9, 15 },
  {   3280U, 65, 11, 15 },
  {   3688U, 65, 10, 15 },
  {   4144U, 66, 63,  3 },
  {   4656U, 66, 56,  3 },
  {   5232U, 66, 50,  3 },
  {   5880U, 66, 44,  3 },
  {   6608U, 66, 39,  3 },
  {   7432U, 66, 35,  3 },
  {   8360U, 66, 31,  3 },
  {   9400U, 66, 27,  3 },
  {  10568U, 66, 24,  3 },
  {  11888U, 66, 22,  3 },
  {  13368U, 66, 19,  3 },
  {  15032U, 66, 17,  3 },
  {  16904U, 66, 15,  3 },
  {  19016U, 66, 13,  3 },
  {  21392U, 66, 12,  3 },
  {  24064U, 66, 10,  3 },
  {  27072U, 66,  9,  3 },
  {  30456U, 66,  8,  3 },
  {  34256U, 66,  7,  3 },
  {  37440U, 66,  7,  3 },
};

#endif
