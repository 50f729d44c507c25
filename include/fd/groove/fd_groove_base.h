#ifndef FD_GROOVE_FD_GROOVE_BASE_H
#define FD_GROOVE_FD_GROOVE_BASE_H

/* What all of groove shares: error codes, the block size and fixed-size keys.  Everything here is
   thread, signal and fork safe, because nothing here has state. */

#include "../util/fd_util.h"

#define FD_GROOVE_SUCCESS (0)
#define FD_GROOVE_ERR_INVAL (-1)   /* bad argument */
#define FD_GROOVE_ERR_AGAIN (-2)   /* try again */
#define FD_GROOVE_ERR_CORRUPT (-3) /* shared state is damaged */
#define FD_GROOVE_ERR_EMPTY (-4)   /* nothing there */
#define FD_GROOVE_ERR_FULL (-5)    /* no space left */
#define FD_GROOVE_ERR_KEY (-6)     /* no such key */

/* 1: free also checks the header of the object's superblock before it changes anything. */
#ifndef FD_GROOVE_PARANOID
#define FD_GROOVE_PARANOID 1
#endif

#define FD_GROOVE_BLOCK_ALIGN (512UL)
#define FD_GROOVE_BLOCK_FOOTPRINT (512UL)

#define FD_GROOVE_KEY_ALIGN (8UL)
#define FD_GROOVE_KEY_FOOTPRINT (32UL)

union fd_groove_key {
  char c[32];
  uchar uc[32];
  ulong ul[4];
};

typedef union fd_groove_key fd_groove_key_t;

FD_PROTOTYPES_BEGIN

/* The meaning of a FD_GROOVE_* code.  Never NULL; lives for ever; "unknown" for other codes. */
FD_FN_CONST char const * fd_groove_strerror( int err );

/* Sets k to the first min(src_sz,32) bytes of src, zero padded.  src must not overlap k and may be
   NULL if src_sz is 0.  Returns k. */
static inline fd_groove_key_t *
fd_groove_key_init( fd_groove_key_t * k, void const * src, ulong src_sz ) {
  ulong sz = fd_ulong_min( src_sz, FD_GROOVE_KEY_FOOTPRINT );
  k->ul[0] = 0UL; k->ul[1] = 0UL; k->ul[2] = 0UL; k->ul[3] = 0UL;
  if( sz ) memcpy( k->uc, src, sz );
  return k;
}

/* Sets k from four words.  Returns k. */
static inline fd_groove_key_t *
fd_groove_key_init_ulong( fd_groove_key_t * k, ulong k0, ulong k1, ulong k2, ulong k3 ) {
  k->ul[0] = k0; k->ul[1] = k1; k->ul[2] = k2; k->ul[3] = k3;
  return k;
}

/* 1 if the keys hold the same bytes, 0 if not. */
FD_FN_PURE static inline int
fd_groove_key_eq( fd_groove_key_t const * a, fd_groove_key_t const * b ) {
  return !( ( a->ul[0] ^ b->ul[0] ) | ( a->ul[1] ^ b->ul[1] ) | ( a->ul[2] ^ b->ul[2] ) |
            ( a->ul[3] ^ b->ul[3] ) );
}

/* Well mixed 64-bit hash of (k,seed); not cryptographic.  Each word goes through a bijection of
   the state, so keys that differ in one word never collide for the same seed. */
FD_FN_PURE static inline ulong
fd_groove_key_hash( fd_groove_key_t const * k, ulong seed ) {
  ulong h = seed + 0x9e3779b97f4a7c15UL;
  for( int i = 0; i < 4; i++ ) h = fd_ulong_hash( h ^ k->ul[i] ) + 0x9e3779b97f4a7c15UL;
  return h;
}

FD_PROTOTYPES_END

FD_STATIC_ASSERT( sizeof( fd_groove_key_t ) == FD_GROOVE_KEY_FOOTPRINT, groove_key_layout );
FD_STATIC_ASSERT( alignof( fd_groove_key_t ) == FD_GROOVE_KEY_ALIGN, groove_key_layout );

#endif
