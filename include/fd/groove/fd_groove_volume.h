#ifndef FD_GROOVE_FD_GROOVE_VOLUME_H
#define FD_GROOVE_FD_GROOVE_VOLUME_H

/* Volumes, the 1 GiB units a groove is made of, and the pool of empty ones.  The pool is a Treiber
   stack whose links are volume indices kept in the volume headers; only headers are ever touched,
   so a volume in the pool costs one page of memory.

   Unless said otherwise functions are lock free and may run concurrently in any threads of any
   processes that mapped the volumes; while somebody locks the pool, which nothing in groove does,
   acquire, release and what is built on them (add, remove, the first and last object of a volume)
   wait.  A popper reads the header of the volume on top, so a caller
   that removed a volume and wants to unmap it must first know that no acquire is still running. */

#include <stddef.h>
#include "fd_groove_base.h"

#define FD_GROOVE_VOLUME_ALIGN (4096UL)
#define FD_GROOVE_VOLUME_FOOTPRINT (1UL << 30)
#define FD_GROOVE_VOLUME_MAGIC (0xfd67007e701c3300UL)
#define FD_GROOVE_VOLUME_INFO_MAX (480UL)
#define FD_GROOVE_VOLUME_DATA_MAX ((1UL << 30) - 512UL)

struct __attribute__((aligned(4096))) fd_groove_volume {
  ulong magic;   /* MAGIC: holds objects, ~MAGIC: empty and ours, 0: removed, else not a volume */
  ulong idx;     /* (address - volume0) / 1 GiB, the same in every address space */
  ulong next;    /* index of the next volume in the pool */
  ulong info_sz; /* bytes of info in use */
  uchar info[FD_GROOVE_VOLUME_INFO_MAX];
  uchar data[FD_GROOVE_VOLUME_DATA_MAX];
};

typedef struct fd_groove_volume fd_groove_volume_t;

FD_STATIC_ASSERT( sizeof( fd_groove_volume_t ) == FD_GROOVE_VOLUME_FOOTPRINT, groove_volume );
FD_STATIC_ASSERT( alignof( fd_groove_volume_t ) == FD_GROOVE_VOLUME_ALIGN, groove_volume );
FD_STATIC_ASSERT( offsetof( fd_groove_volume_t, data ) == 512UL, groove_volume );

#define FD_POOL_SUCCESS (0)
#define FD_POOL_ERR_AGAIN (-1)
#define FD_POOL_ERR_CORRUPT (-2)

#define FD_GROOVE_VOLUME_POOL_MAGIC (0xfd67007e90010001UL)

/* ver_top packs, from the top, the lock bit, a 29-bit version and the 34-bit index of the volume on
   top.  The version changes with each push and pop: to be fooled a popper must sleep through a
   multiple of 2^29 of them, and each is the filling or emptying of a gigabyte, so even at one a
   microsecond it must sleep for exactly 9 minutes. */
struct __attribute__((aligned(128))) fd_groove_volume_pool_shmem {
  ulong magic;
  uchar pad0[56];
  ulong ver_top; /* on a line of its own: the only word that changes */
  uchar pad1[56];
};

typedef struct fd_groove_volume_pool_shmem fd_groove_volume_pool_shmem_t;

struct fd_groove_volume_pool {
  fd_groove_volume_pool_shmem_t * shpool;
  fd_groove_volume_t * shele;
  ulong ele_max;
};

typedef struct fd_groove_volume_pool fd_groove_volume_pool_t;

FD_PROTOTYPES_BEGIN

FD_FN_CONST static inline ulong
fd_groove_volume_pool_align( void ) { return alignof( fd_groove_volume_pool_shmem_t ); }

FD_FN_CONST static inline ulong
fd_groove_volume_pool_footprint( void ) { return sizeof( fd_groove_volume_pool_shmem_t ); }

FD_FN_CONST static inline ulong
fd_groove_volume_pool_ele_max_max( void ) { return ( 1UL << 34 ) - 1UL; }

/* Formats shmem as an empty pool and returns it.  NULL (logs) if shmem is NULL or misaligned.  Not
   to be run while anybody uses the pool; the same goes for delete. */
void * fd_groove_volume_pool_new( void * shmem );

/* Makes ljoin a join of the pool shpool over the volumes at shele.  Touches no volume.  Returns
   ljoin; NULL (logs): NULL or misaligned ljoin or shpool, bad magic, NULL shele with ele_max > 0,
   misaligned shele, ele_max > ele_max_max.  The join is read only from then on: threads may share
   it. */
fd_groove_volume_pool_t *
fd_groove_volume_pool_join( void * ljoin, void * shpool, void * shele, ulong ele_max );

/* Ends a join and returns its memory; NULL (logs) if join is NULL. */
void * fd_groove_volume_pool_leave( fd_groove_volume_pool_t * join );

/* Clears the magic and returns shpool; NULL (logs) if it is NULL, misaligned or no pool.  Volumes
   still in the pool revert to the caller. */
void * fd_groove_volume_pool_delete( void * shpool );

/* Accessors of a valid join. */

static inline void *
fd_groove_volume_pool_shpool( fd_groove_volume_pool_t * p ) { return p->shpool; }

static inline void const *
fd_groove_volume_pool_shpool_const( fd_groove_volume_pool_t const * p ) { return p->shpool; }

static inline void *
fd_groove_volume_pool_shele( fd_groove_volume_pool_t * p ) { return p->shele; }

static inline void const *
fd_groove_volume_pool_shele_const( fd_groove_volume_pool_t const * p ) { return p->shele; }

static inline ulong
fd_groove_volume_pool_ele_max( fd_groove_volume_pool_t const * p ) { return p->ele_max; }

/* Index and pointer of a volume.  What lies outside of the pool is the null index and NULL. */

FD_FN_CONST static inline ulong
fd_groove_volume_pool_idx_null( void ) { return ( 1UL << 34 ) - 1UL; }

FD_FN_CONST static inline int
fd_groove_volume_pool_idx_is_null( ulong idx ) { return idx == fd_groove_volume_pool_idx_null(); }

static inline ulong
fd_groove_volume_pool_idx( fd_groove_volume_pool_t const * p, fd_groove_volume_t const * ele ) {
  ulong idx = ( (ulong)ele - (ulong)p->shele ) / FD_GROOVE_VOLUME_FOOTPRINT;
  return fd_ulong_if( idx < p->ele_max, idx, fd_groove_volume_pool_idx_null() );
}

static inline fd_groove_volume_t *
fd_groove_volume_pool_ele( fd_groove_volume_pool_t * p, ulong idx ) {
  return idx < p->ele_max
    ? (fd_groove_volume_t *)( (ulong)p->shele + idx * FD_GROOVE_VOLUME_FOOTPRINT ) : NULL;
}

static inline fd_groove_volume_t const *
fd_groove_volume_pool_ele_const( fd_groove_volume_pool_t const * p, ulong idx ) {
  return idx < p->ele_max
    ? (fd_groove_volume_t const *)( (ulong)p->shele + idx * FD_GROOVE_VOLUME_FOOTPRINT ) : NULL;
}

/* The volume on top at some time during the call; NULL if the pool was empty. */
fd_groove_volume_t const * fd_groove_volume_pool_peek_const( fd_groove_volume_pool_t const * p );
fd_groove_volume_t * fd_groove_volume_pool_peek( fd_groove_volume_pool_t * p );

/* 1 if the pool was empty at some time during the call. */
static inline int
fd_groove_volume_pool_is_empty( fd_groove_volume_pool_t const * p ) {
  return !fd_groove_volume_pool_peek_const( p );
}

/* Pops the volume on top; the caller owns it.  NULL if the pool is empty or its top is damaged. */
fd_groove_volume_t * fd_groove_volume_pool_acquire( fd_groove_volume_pool_t * p );

/* As acquire, for the holder of the lock (or the only user of the pool): one plain exchange. */
fd_groove_volume_t * fd_groove_volume_pool_acquire_nolock( fd_groove_volume_pool_t * p );

/* Pushes ele, which the caller owned and which must be a volume of this pool. */
void fd_groove_volume_pool_release( fd_groove_volume_pool_t * p, fd_groove_volume_t * ele );

/* Pushes volumes that the caller owned and linked, head->next being the index of the second and so
   on to tail, whose next is set here.  All at once: head ends on top, tail above what was. */
void fd_groove_volume_pool_release_chain( fd_groove_volume_pool_t * p, fd_groove_volume_t * head,
                                          fd_groove_volume_t * tail );

/* Locks the pool, so that its volumes stay as they are but for what the caller does.  AGAIN if
   somebody else has locked it and blocking is 0; else waits for that (yields) and is SUCCESS.  Who
   holds the lock may peek, verify, acquire_nolock and reset, and must not acquire or release.  Not
   recursive, not fair.  The lock of a killed process is undone by unlock or by
   fd_groove_data_repair. */
int  fd_groove_volume_pool_lock( fd_groove_volume_pool_t * p, int blocking );
void fd_groove_volume_pool_unlock( fd_groove_volume_pool_t * p );

/* Forgets all volumes of the pool, untouched: they revert to the caller.  For the holder of the lock
   (or the only user of the pool). */
void fd_groove_volume_pool_reset( fd_groove_volume_pool_t * p );

/* SUCCESS if the join is sane and the links from the top end without leaving the pool or running
   in a circle; else CORRUPT (logs).  The pool must be idle.  Cost: one header per volume. */
int fd_groove_volume_pool_verify( fd_groove_volume_pool_t const * p );

/* The meaning of a FD_POOL_* code; as fd_groove_strerror. */
FD_FN_CONST char const * fd_groove_volume_pool_strerror( int err );

/* Gives [shmem,shmem+footprint) to the pool: whole volumes at whole gigabytes from volume0, each
   with a copy of info (up to 480 bytes; NULL is no info).  All at once; lowest index ends on top.
   footprint 0 is SUCCESS at once.  INVAL (logs, nothing added) for a NULL pool or a region that does not fit.
   Writes the volume headers only. */
int fd_groove_volume_pool_add( fd_groove_volume_pool_t * pool, void * shmem, ulong footprint,
                               void const * info, ulong info_sz );

/* Takes an empty volume out of the groove: pops one, sets its magic to 0 and returns it, the caller
   owns it.  NULL if there is none (silent), pool is NULL or the header is damaged (logs).  O(1). */
void * fd_groove_volume_pool_remove( fd_groove_volume_pool_t * pool );

FD_PROTOTYPES_END

#endif
