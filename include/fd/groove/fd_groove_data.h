#ifndef FD_GROOVE_FD_GROOVE_DATA_H
#define FD_GROOVE_FD_GROOVE_DATA_H

/* The data allocator: tagged objects of 0 B to 10 MiB from the volumes of a groove.

   Objects are whole 512-byte blocks, taken from superblocks of up to 52 objects of one size class,
   which are themselves objects of a larger class, up to the one superblock that fills a volume.  A
   superblock's free objects are one 64-bit mask.  A thread's join keeps a few superblocks of each
   small class, so that an allocation is one uncontended compare-and-swap of such a mask and a free
   is two (the header, which is what finds double frees, and the mask); see
   core/groove/fd_groove_data.c for the protocol and why it is safe. */

#include "fd_groove_volume.h"

#define FD_GROOVE_DATA_HDR_ALIGN (16UL)
#define FD_GROOVE_DATA_HDR_FOOTPRINT (16UL)

#define FD_GROOVE_DATA_HDR_TYPE_ALLOC (0xfd67UL)
#define FD_GROOVE_DATA_HDR_TYPE_SUPERBLOCK (0x0298UL)

#define FD_GROOVE_DATA_ALLOC_ALIGN_DEFAULT (16UL)
#define FD_GROOVE_DATA_ALLOC_ALIGN_MAX (512UL)
#define FD_GROOVE_DATA_ALLOC_FOOTPRINT_MAX (10486272UL) /* 10 MiB and one block for the header */

#define FD_GROOVE_DATA_SZC_CNT (32UL)
#define FD_GROOVE_DATA_SZC_CGROUP_MAX (64UL)

#define FD_GROOVE_DATA_ALIGN (128UL)
#define FD_GROOVE_DATA_FOOTPRINT() sizeof( fd_groove_data_shmem_t )
#define FD_GROOVE_DATA_MAGIC (0xfd67007eda7a36c0UL)

/* bits, from the lowest: type 16, idx 6, szc 7, align 10, sz 25.  info: the user's tag of an
   object, the link of a superblock. */
struct __attribute__((aligned(16))) fd_groove_data_hdr {
  ulong bits;
  ulong info;
};

typedef struct fd_groove_data_hdr fd_groove_data_hdr_t;

FD_STATIC_ASSERT( sizeof( fd_groove_data_hdr_t ) == FD_GROOVE_DATA_HDR_FOOTPRINT, groove_hdr );
FD_STATIC_ASSERT( alignof( fd_groove_data_hdr_t ) == FD_GROOVE_DATA_HDR_ALIGN, groove_hdr );

struct fd_groove_data_szc_cfg {
  uint obj_footprint; /* bytes, a multiple of 512 */
  uchar obj_cnt;      /* objects in a superblock */
  uchar cgroup_mask;  /* 0: all joins share the superblocks of this class */
  uchar parent_szc;   /* class a superblock is an object of; SZC_CNT: a volume's data region */
};

typedef struct fd_groove_data_szc_cfg fd_groove_data_szc_cfg_t;

/* Layout of the shared state, complete only so that its size is a constant; use the functions. */

#define FD_GROOVE_DATA_PRIVATE_SLOT_SZC_CNT (23UL)   /* classes whose superblocks joins keep */
#define FD_GROOVE_DATA_PRIVATE_SLOT_SZC_SMALL (12UL) /* of these, an empty one of each class */
#define FD_GROOVE_DATA_PRIVATE_SLOT_CNT (16UL)       /* superblocks a join keeps per class */
#define FD_GROOVE_DATA_PRIVATE_REC_KEPT_CNT (64UL)   /* records that joins keep */
#define FD_GROOVE_DATA_PRIVATE_REC_CNT (80UL)        /* the rest is taken for one operation each */
#define FD_GROOVE_DATA_PRIVATE_SZC_SMALL_MAX (160UL) /* blocks; szc by table up to here */

struct __attribute__((aligned(16))) fd_groove_data_private_stack {
  ulong ver; /* changes with each push and pop */
  ulong off; /* offset from volume0 of the superblock on top, 0 if empty */
};

typedef struct fd_groove_data_private_stack fd_groove_data_private_stack_t;

struct __attribute__((aligned(128))) fd_groove_data_private_szc {
  fd_groove_data_private_stack_t stack[2];
  ulong cold; /* which of the stacks is being swept of empty superblocks */
};

typedef struct fd_groove_data_private_szc fd_groove_data_private_szc_t;

struct __attribute__((aligned(128))) fd_groove_data_private_rec {
  ulong owner;  /* process id of the user, 0 if unused */
  ulong seq;    /* odd while the user may hold a superblock nobody else can see */
  ulong hazard; /* offset of a superblock the user may touch though it does not hold it */
  uchar cur[FD_GROOVE_DATA_PRIVATE_SLOT_SZC_CNT]; /* slot that allocated last; user only */
  uchar spare_szc;  /* class of the one empty superblock kept of larger classes; 0 none; user only */
  uchar spare_slot; /* its slot */
  uchar pad[15];
  ulong slot[FD_GROOVE_DATA_PRIVATE_SLOT_SZC_CNT][FD_GROOVE_DATA_PRIVATE_SLOT_CNT];
};

typedef struct fd_groove_data_private_rec fd_groove_data_private_rec_t;

struct __attribute__((aligned(128))) fd_groove_data_shmem {
  ulong magic;
  ulong rec_hi; /* records at or above this were never used; only grows */
  ulong heap_id; /* what tells it from other grooves in a recording of its objects */
  fd_groove_volume_pool_shmem_t pool;
  fd_groove_data_private_szc_t szc[FD_GROOVE_DATA_SZC_CNT];
  fd_groove_data_private_rec_t rec[FD_GROOVE_DATA_PRIVATE_REC_CNT];
};

typedef struct fd_groove_data_shmem fd_groove_data_shmem_t;

struct fd_groove_data {
  fd_groove_data_shmem_t * shdata;
  fd_groove_volume_t * volume0;
  ulong volume_max;
  ulong cgroup_hint;
  ulong thread;                       /* the thread that keeps rec, 0 before the first operation */
  fd_groove_data_private_rec_t * rec; /* NULL if there was none left to keep */
  ulong pid;                          /* process of that thread */
  fd_groove_volume_pool_t pool[1];
};

typedef struct fd_groove_data fd_groove_data_t;

FD_PROTOTYPES_BEGIN

extern fd_groove_data_szc_cfg_t const fd_groove_data_szc_cfg[FD_GROOVE_DATA_SZC_CNT];
extern uchar const fd_groove_data_private_szc_small[FD_GROOVE_DATA_PRIVATE_SZC_SMALL_MAX + 1UL];

/* Packing and unpacking of headers.  Unpacking and packing again restores any 128 bits. */

FD_FN_CONST static inline fd_groove_data_hdr_t
fd_groove_data_hdr( ulong type, ulong idx, ulong szc, ulong align, ulong sz, ulong info ) {
  fd_groove_data_hdr_t hdr;
  hdr.bits = type | ( idx << 16 ) | ( szc << 22 ) | ( align << 29 ) | ( sz << 39 );
  hdr.info = info;
  return hdr;
}

FD_FN_CONST static inline ulong
fd_groove_data_hdr_type( fd_groove_data_hdr_t hdr ) { return hdr.bits & 0xffffUL; }

FD_FN_CONST static inline ulong
fd_groove_data_hdr_idx( fd_groove_data_hdr_t hdr ) { return ( hdr.bits >> 16 ) & 0x3fUL; }

FD_FN_CONST static inline ulong
fd_groove_data_hdr_szc( fd_groove_data_hdr_t hdr ) { return ( hdr.bits >> 22 ) & 0x7fUL; }

FD_FN_CONST static inline ulong
fd_groove_data_hdr_align( fd_groove_data_hdr_t hdr ) { return ( hdr.bits >> 29 ) & 0x3ffUL; }

FD_FN_CONST static inline ulong
fd_groove_data_hdr_sz( fd_groove_data_hdr_t hdr ) { return hdr.bits >> 39; }

FD_FN_CONST static inline ulong
fd_groove_data_hdr_info( fd_groove_data_hdr_t hdr ) { return hdr.info; }

/* Where the header of the object is that obj points into the first block of (or to the very start
   of the second). */

FD_FN_CONST static inline fd_groove_data_hdr_t *
fd_groove_data_object_hdr( void * obj ) {
  return (fd_groove_data_hdr_t *)fd_ulong_align_dn( (ulong)obj - FD_GROOVE_DATA_HDR_FOOTPRINT,
                                                    FD_GROOVE_BLOCK_ALIGN );
}

FD_FN_CONST static inline fd_groove_data_hdr_t const *
fd_groove_data_object_hdr_const( void const * obj ) {
  return (fd_groove_data_hdr_t const *)fd_ulong_align_dn(
    (ulong)obj - FD_GROOVE_DATA_HDR_FOOTPRINT, FD_GROOVE_BLOCK_ALIGN );
}

/* The header of the superblock that holds obj, from what obj's own header says. */

FD_FN_CONST static inline fd_groove_data_hdr_t *
fd_groove_data_superblock_hdr( void * obj, ulong obj_szc, ulong parent_idx ) {
  return (fd_groove_data_hdr_t *)( (ulong)fd_groove_data_object_hdr( obj ) -
    parent_idx * (ulong)fd_groove_data_szc_cfg[obj_szc].obj_footprint -
    FD_GROOVE_BLOCK_FOOTPRINT );
}

FD_FN_CONST static inline fd_groove_data_hdr_t const *
fd_groove_data_superblock_hdr_const( void const * obj, ulong obj_szc, ulong parent_idx ) {
  return (fd_groove_data_hdr_t const *)( (ulong)fd_groove_data_object_hdr_const( obj ) -
    parent_idx * (ulong)fd_groove_data_szc_cfg[obj_szc].obj_footprint -
    FD_GROOVE_BLOCK_FOOTPRINT );
}

/* The smallest class whose objects have at least footprint bytes; the caller knows there is one.
   Small ones by table, others by five halvings without branches. */
FD_FN_PURE static inline ulong
fd_groove_data_szc( ulong footprint ) {
  ulong block_cnt = ( footprint + FD_GROOVE_BLOCK_FOOTPRINT - 1UL ) / FD_GROOVE_BLOCK_FOOTPRINT;
  ulong szc       = 0UL;
  if( FD_LIKELY( block_cnt <= FD_GROOVE_DATA_PRIVATE_SZC_SMALL_MAX ) )
    return (ulong)fd_groove_data_private_szc_small[block_cnt];
  for( ulong step = FD_GROOVE_DATA_SZC_CNT / 2UL; step; step /= 2UL )
    szc += step * (ulong)( (ulong)fd_groove_data_szc_cfg[szc + step - 1UL].obj_footprint <
                           footprint );
  return szc;
}

/* What the header of an allocated object says.  Any thread the object was passed to may ask. */

FD_FN_PURE static inline ulong
fd_groove_data_alloc_align( void const * obj ) {
  return fd_groove_data_hdr_align( *fd_groove_data_object_hdr_const( obj ) );
}

FD_FN_PURE static inline ulong
fd_groove_data_alloc_sz( void const * obj ) {
  return fd_groove_data_hdr_sz( *fd_groove_data_object_hdr_const( obj ) );
}

FD_FN_PURE static inline ulong
fd_groove_data_alloc_tag( void const * obj ) {
  return fd_groove_data_hdr_info( *fd_groove_data_object_hdr_const( obj ) );
}

/* [start,stop): all bytes the user may write, from just after the header to the object's end. */

FD_FN_PURE static inline void const *
fd_groove_data_alloc_start_const( void const * obj ) {
  return (void const *)( fd_groove_data_object_hdr_const( obj ) + 1 );
}

FD_FN_PURE static inline void const *
fd_groove_data_alloc_stop_const( void const * obj ) {
  fd_groove_data_hdr_t const * hdr = fd_groove_data_object_hdr_const( obj );
  return (void const *)( (ulong)hdr +
    (ulong)fd_groove_data_szc_cfg[fd_groove_data_hdr_szc( *hdr )].obj_footprint );
}

FD_FN_PURE static inline void *
fd_groove_data_alloc_start( void * obj ) {
  return (void *)( fd_groove_data_object_hdr( obj ) + 1 );
}

FD_FN_PURE static inline void *
fd_groove_data_alloc_stop( void * obj ) {
  return (void *)(ulong)fd_groove_data_alloc_stop_const( obj );
}

FD_FN_CONST static inline ulong
fd_groove_data_align( void ) { return FD_GROOVE_DATA_ALIGN; }

FD_FN_CONST static inline ulong
fd_groove_data_footprint( void ) { return FD_GROOVE_DATA_FOOTPRINT(); }

/* Formats shmem (aligned, footprint bytes) as a groove with no volumes and returns it.  NULL (logs)
   if it is NULL or misaligned.  Nobody may use the memory meanwhile. */
void * fd_groove_data_new( void * shmem );

/* Makes ljoin a join of shdata over the volumes mapped at volume0; volume_max 0 means as many as
   possible.  cgroup_hint is any number; it only spreads contention.  Returns ljoin.  NULL (logs,
   nothing changed): NULL or misaligned ljoin, shdata or volume0, bad magic, volume_max over 2^34-1.
   A join is small; at its first operation it takes one of 64 records in shdata and keeps the
   thread's superblocks there until leave.  Joins beyond, and a join used by a second thread or
   after fork, work too: they take a record for each operation, which is slower. */
fd_groove_data_t * fd_groove_data_join( void * ljoin, void * shdata, void * volume0,
                                        ulong volume_max, ulong cgroup_hint );

/* Ends a join, makes what it kept available to all, and returns its memory.  NULL (logs) for NULL.
   No operation may be running on the join. */
void * fd_groove_data_leave( fd_groove_data_t * data );

/* Clears the magic and returns shdata; NULL (logs): NULL, misaligned, no groove.  Volumes and
   objects revert to the caller.  Nobody may be using it. */
void * fd_groove_data_delete( void * shdata );

/* Parameters of a join. */

static inline void * fd_groove_data_shdata( fd_groove_data_t * d ) { return d->shdata; }
static inline void * fd_groove_data_volume0( fd_groove_data_t * d ) { return d->volume0; }
static inline void *
fd_groove_data_volume1( fd_groove_data_t * d ) {
  return (void *)( (ulong)d->volume0 + d->volume_max * FD_GROOVE_VOLUME_FOOTPRINT );
}

static inline void const *
fd_groove_data_shdata_const( fd_groove_data_t const * d ) { return d->shdata; }
static inline void const *
fd_groove_data_volume0_const( fd_groove_data_t const * d ) { return d->volume0; }
static inline void const *
fd_groove_data_volume1_const( fd_groove_data_t const * d ) {
  return (void const *)( (ulong)d->volume0 + d->volume_max * FD_GROOVE_VOLUME_FOOTPRINT );
}

static inline ulong
fd_groove_data_volume_max( fd_groove_data_t const * d ) { return d->volume_max; }
static inline ulong
fd_groove_data_cgroup_hint( fd_groove_data_t const * d ) { return d->cgroup_hint; }

/* Adds empty volumes; as fd_groove_volume_pool_add.  Any time, also while others allocate. */
int fd_groove_data_volume_add( fd_groove_data_t * d, void * volume, ulong footprint,
                               void const * info, ulong info_sz );

/* Takes out one empty volume; as fd_groove_volume_pool_remove.  If none is in the pool it first
   returns the empty superblocks that this join and idle records cache, so a volume whose objects
   were all freed can normally be removed.  NULL if there is none. */
void * fd_groove_data_volume_remove( fd_groove_data_t * d );

/* Allocates sz bytes aligned to align (a power of two up to 512, 0 is 16).  The caller owns them
   until free; they are not zeroed.  tag is any number.  sz 0 returns a unique pointer.

   NULL exactly if *opt_err is set to other than SUCCESS: INVAL (logs: NULL d, bad align, sz over
   10 MiB), FULL (silent: there was a moment of the call at which no object of the class was free
   and no volume empty; add a volume and try again), CORRUPT (logs).

   Lock free, fork safe, not for signal handlers that interrupt an operation on the same join.
   FULL alone may wait: while another thread is halfway through an operation that can free space,
   it yields, up to FD_GROOVE_DATA_PRIVATE_WAIT_MAX times, and not at all for a dead process. */
void * fd_groove_data_alloc( fd_groove_data_t * d, ulong align, ulong sz, ulong tag,
                             int * opt_err );

#define FD_GROOVE_DATA_PRIVATE_WAIT_MAX (4096UL)

/* Frees obj, whose header must be of type exp_type; see fd_groove_data_free. */
int fd_groove_data_private_free( fd_groove_data_t * d, void * obj, ulong exp_type );

/* Frees what alloc returned, from any join of any process.  SUCCESS, or INVAL with nothing changed:
   NULL d (logs), NULL obj (silent), no object of this groove, or one that is freed already (logs).
   Of two racing frees of one object exactly one succeeds.  CORRUPT (logs): the superblock was found
   damaged.  Lock free, fork safe, signals as alloc. */
static inline int
fd_groove_data_free( fd_groove_data_t * d, void * obj ) {
  return fd_groove_data_private_free( d, obj, FD_GROOVE_DATA_HDR_TYPE_ALLOC );
}

/* SUCCESS if the join, the pool, the size classes and every superblock in circulation are sane,
   else CORRUPT (logs).  The groove must be idle.  NULL is CORRUPT. */
int fd_groove_data_verify( fd_groove_data_t const * d );

/* SUCCESS if volume belongs to this groove and all headers in it agree with each other, else
   CORRUPT (logs).  The groove must be idle; volumes may be verified side by side. */
int fd_groove_data_volume_verify( fd_groove_data_t const * d, fd_groove_volume_t const * volume );

/* Brings a groove back to order after a process was killed in the middle of an operation: returns
   what it held, keeps every complete object, and rebuilds the pool and the stacks from the headers
   of the first volume_cnt volumes, which must be mapped.  The groove must be idle; joins stay
   valid.  SUCCESS; INVAL (logs: NULL, volume_cnt over volume_max); CORRUPT (logs: more than an
   interruption can explain). */
int fd_groove_data_repair( fd_groove_data_t * d, ulong volume_cnt );

FD_PROTOTYPES_END

#endif
