/* Superblocks: how an object is taken and given back, and how superblocks move between the places
   that answer for them.

   A superblock with a free object is in exactly one place: a slot of a record, a stack of its
   class, or the hands of one thread in the middle of an operation.  GV_LISTED in its mask says so;
   a full superblock that nobody answers for has a zero mask, and the thread whose compare-and-swap
   turns that into a listed one with a free object has it in its hands.  The linearization points of
   alloc and free are the compare-and-swaps of masks; each of them acquires what earlier ones
   released, so the memory of an object passes from its old user to its new one in order.

   Anyone may take objects from any superblock it can reach.  What must not happen is that it
   touches one that was meanwhile returned to its parent, or its volume removed.  Three rules keep
   the memory in place: the user of a record may touch what its slots hold (only it changes them);
   others first store the offset as their hazard and then look again whether the superblock is still
   where they found it; and whoever returns a superblock first takes it out of every place, empties
   its mask, and then keeps it if any record's hazard names it (M. M. Michael, "Hazard pointers",
   2004).  The stores and loads of these handshakes are sequentially consistent.

   A stack's top has a 64-bit version beside it, changed with every push and pop and compared in the
   same 16-byte compare-and-swap: at 10^9 changes a second it wraps after 584 years.

   FULL is decided in gv_object_take_slow: while a record's seq is odd its user may have something
   in its hands, so nothing is full until a look at every place found no free object and all seqs
   were even and unchanged before and after. */

#include "core/groove/fd_groove_hot.h"
#include "core/util/deepasan.h"

typedef fd_groove_data_private_rec_t   rec_t;
typedef fd_groove_data_private_stack_t stack_t_;

#define SLOT_CNT FD_GROOVE_DATA_PRIVATE_SLOT_CNT

/* seq is odd from here ... */
static void
hands_begin( rec_t * rec ) { gv_store_sc( &rec->seq, gv_peek( &rec->seq ) + 1UL ); }

/* ... to here. */
static void
hands_end( rec_t * rec ) { gv_store( &rec->seq, gv_peek( &rec->seq ) + 1UL ); /* for seq_sum */ }

/* The stacks of a class */

#if defined( __x86_64__ )
#define TARGET_CAS16 __attribute__((target( "cx16" )))
#else
#define TARGET_CAS16
#endif

__extension__ typedef unsigned __int128 gv_pair_t;

/* Sets stack from (ver,off) to (ver+1,off_new); 1 if it did. */
TARGET_CAS16 static int
stack_cas( stack_t_ * stack, ulong ver, ulong off, ulong off_new ) {
  gv_pair_t before = ( (gv_pair_t)off << 64 ) | ver;
  gv_pair_t after  = ( (gv_pair_t)off_new << 64 ) | ( ver + 1UL );
  FD_GROOVE_HOOK();
  return __sync_bool_compare_and_swap( (gv_pair_t *)fd_type_pun( stack ), before, after );
}

void
gv_stack_push( fd_groove_data_t * d, stack_t_ * stack, ulong off ) {
  fd_groove_superblock_t * sb = gv_superblock( d, off );
  for(;;) {
    ulong ver = gv_load( &stack->ver );
    ulong top = gv_load( &stack->off );
    gv_poke( &sb->hdr.info, top );
    if( FD_LIKELY( stack_cas( stack, ver, top, off ) ) ) return;
  }
}

/* The superblock on top, under rec's hazard so that it can be looked at; 0 if the stack is empty.
   *ver is what the stack's version was then. */
static ulong
stack_look( rec_t * rec, stack_t_ * stack, ulong * ver ) {
  for(;;) {
    *ver      = gv_load_sc( &stack->ver );
    ulong top = gv_load_sc( &stack->off );
    if( !top ) return 0UL;
    gv_store_sc( &rec->hazard, top );
    if( FD_LIKELY( gv_load_sc( &stack->ver ) == *ver && gv_load_sc( &stack->off ) == top ) )
      return top;
  }
}

static void
hazard_clear( rec_t * rec ) { gv_store( &rec->hazard, 0UL ); /* read by is_hazard */ }

static int
stack_pop_looked( fd_groove_data_t * d, stack_t_ * stack, ulong ver, ulong top ) {
  return stack_cas( stack, ver, top, gv_peek( &gv_superblock( d, top )->hdr.info ) );
}

/* Takes the superblock on top into the caller's hands; 0 if the stack is empty. */
static ulong
stack_pop( fd_groove_data_t * d, rec_t * rec, stack_t_ * stack ) {
  ulong ver, top;
  do top = stack_look( rec, stack, &ver );
  while( top && !stack_pop_looked( d, stack, ver, top ) );
  hazard_clear( rec );
  return top;
}

/* Two stacks a class: superblocks are put on the hot one and looked for there first; sweeps move
   them from the cold one to the hot one, and swap the names when the cold one is empty. */

static stack_t_ *
stack_cold( fd_groove_data_t * d, ulong szc ) {
  fd_groove_data_private_szc_t * s = d->shdata->szc + szc;
  return s->stack + ( gv_peek( &s->cold ) & 1UL );
}

static stack_t_ *
stack_hot( fd_groove_data_t * d, ulong szc ) {
  fd_groove_data_private_szc_t * s = d->shdata->szc + szc;
  return s->stack + ( ~gv_peek( &s->cold ) & 1UL );
}

static void
stack_swap( fd_groove_data_t * d, ulong szc ) {
  fd_groove_data_private_szc_t * s    = d->shdata->szc + szc;
  ulong                          cold = gv_peek( &s->cold );
  gv_cas( &s->cold, &cold, cold ^ 1UL );
}

/* Taking an object */

/* Takes a full superblock out of the caller's hands: nobody answers for it until an object of it is
   freed.  0 if it was not full after all, and then it still is in the caller's hands. */
static int
superblock_retire( fd_groove_data_t * d, ulong off ) {
  ulong listed = GV_LISTED;
  return gv_cas( &gv_superblock( d, off )->mask, &listed, 0UL );
}

/* Puts a superblock from the caller's hands where others find it. */
static void
superblock_list( fd_groove_data_t * d, ulong szc, ulong off ) {
  if( !superblock_retire( d, off ) ) gv_stack_push( d, stack_hot( d, szc ), off );
}

/* A superblock with a free object from the stacks of szc; 0 if there is none. */
static ulong
superblock_pop( fd_groove_data_t * d, rec_t * rec, ulong szc ) {
  for(;;) {
    ulong off = stack_pop( d, rec, stack_hot( d, szc ) );
    if( !off ) off = stack_pop( d, rec, stack_cold( d, szc ) );
    if( !off || !superblock_retire( d, off ) ) return off;
  }
}

/* Takes an object of the superblock on top of stack without taking the superblock.  Full ones are
   taken off on the way.  0 if nothing is left. */
static ulong
stack_take( fd_groove_data_t * d, rec_t * rec, stack_t_ * stack, ulong szc ) {
  ulong ver, off, obj = 0UL;
  while( ( off = stack_look( rec, stack, &ver ) ) ) {
    if( ( obj = gv_superblock_take( d, off, szc ) ) ) break;
    if( stack_pop_looked( d, stack, ver, off ) ) superblock_list( d, szc, off );
  }
  hazard_clear( rec );
  return obj;
}

static ulong superblock_new( fd_groove_data_t * d, rec_t * rec, ulong szc );
static ulong steal( fd_groove_data_t * d, rec_t * rec, ulong szc );

/* Takes an object of a superblock that nobody keeps. */
static ulong
shared_take( fd_groove_data_t * d, rec_t * rec, ulong szc ) {
  ulong obj = stack_take( d, rec, stack_hot( d, szc ), szc );
  if( !obj ) obj = stack_take( d, rec, stack_cold( d, szc ), szc );
  if( obj ) return obj;
  ulong off = superblock_new( d, rec, szc );
  if( !off ) return 0UL;
  obj = gv_superblock_take( d, off, szc );
  superblock_list( d, szc, off );
  return obj;
}

/* The memory of a new superblock of szc: an object of its parent class or a volume's data.  Joins
   do not keep what superblocks are made from, so that one that needs little takes little; what they
   keep of the parent class for its own sake is the last resort. */
static ulong
superblock_memory( fd_groove_data_t * d, rec_t * rec, ulong szc ) {
  ulong parent = (ulong)fd_groove_data_szc_cfg[szc].parent_szc;
  if( parent < FD_GROOVE_DATA_SZC_CNT ) {
    ulong obj = shared_take( d, rec, parent );
    return obj || !gv_is_slotted( parent ) ? obj : steal( d, rec, parent );
  }
  fd_groove_volume_t * volume = fd_groove_volume_pool_acquire( d->pool );
  if( !volume ) return 0UL;
  gv_store( &volume->magic, FD_GROOVE_VOLUME_MAGIC ); /* read by verify and repair */
  return (ulong)volume->data - (ulong)d->volume0;
}

/* A new superblock, all free, in the caller's hands; 0 if there is no space. */
static ulong
superblock_new( fd_groove_data_t * d, rec_t * rec, ulong szc ) {
  ulong obj = superblock_memory( d, rec, szc );
  if( !obj ) return 0UL;
  ulong                    off = obj & ~GV_OBJ_IDX_MASK;
  fd_groove_superblock_t * sb  = gv_superblock( d, off );
  deepasan_unpoison( sb, FD_GROOVE_BLOCK_FOOTPRINT );
  gv_poke( &sb->home, 0UL );
  gv_poke( &sb->hdr.info, 0UL );
  gv_poke( &sb->mask, gv_mask_all( szc ) | GV_LISTED );
  gv_store( &sb->hdr.bits, gv_superblock_hdr( szc, obj & GV_OBJ_IDX_MASK ).bits );
  return off;
}

/* Slots */

/* Empties slot k if what it holds is full. */
static int
slot_retire( fd_groove_data_t * d, rec_t * rec, ulong szc, ulong k ) {
  ulong off = gv_peek( &rec->slot[szc][k] );
  if( !off ) return 1;
  if( gv_peek( &gv_superblock( d, off )->mask ) != GV_LISTED ) return 0;
  gv_store_sc( &rec->slot[szc][k], 0UL ); /* first: who finds it in a slot may rely on it */
  if( superblock_retire( d, off ) ) return 1;
  gv_store_sc( &rec->slot[szc][k], off );
  return 0;
}

/* Puts a superblock from the caller's hands into a slot, or on a stack if no slot is to be had. */
static void
slots_keep( fd_groove_data_t * d, rec_t * rec, ulong szc, ulong off ) {
  ulong rec_idx = (ulong)( rec - d->shdata->rec );
  for( ulong i = 1UL; i <= SLOT_CNT; i++ ) {
    ulong k = ( (ulong)rec->cur[szc] + i ) % SLOT_CNT;
    if( !slot_retire( d, rec, szc, k ) ) continue;
    gv_poke( &gv_superblock( d, off )->home, ( ( rec_idx + 1UL ) << 8 ) | k );
    gv_store_sc( &rec->slot[szc][k], off ); /* read by steal */
    rec->cur[szc] = (uchar)k;
    return;
  }
  superblock_list( d, szc, off );
}

/* Takes an object of a class whose superblocks joins keep; 0 if all rec can reach are full. */
static ulong
kept_take( fd_groove_data_t * d, rec_t * rec, ulong szc ) {
  ulong off = superblock_pop( d, rec, szc );
  if( !off ) off = superblock_new( d, rec, szc );
  if( !off ) return 0UL;
  ulong obj = gv_superblock_take( d, off, szc );
  slots_keep( d, rec, szc, off );
  return obj;
}

/* Taking what others keep, and deciding FULL */

/* An object of a superblock in any slot of any record; 0 if there is none. */
static ulong
steal( fd_groove_data_t * d, rec_t * rec, ulong szc ) {
  ulong rec_hi = gv_load_sc( &d->shdata->rec_hi );
  ulong obj    = 0UL;
  for( ulong i = 0UL; i < rec_hi * SLOT_CNT && !obj; i++ ) {
    ulong const * slot = &d->shdata->rec[i / SLOT_CNT].slot[szc][i % SLOT_CNT];
    ulong         off  = gv_load_sc( slot );
    if( !off ) continue;
    gv_store_sc( &rec->hazard, off );
    if( gv_load_sc( slot ) == off ) obj = gv_superblock_take( d, off, szc );
  }
  hazard_clear( rec );
  return obj;
}

/* Tries every place once. */
static ulong
take_once( fd_groove_data_t * d, rec_t * rec, ulong szc ) {
  hands_begin( rec );
  ulong obj = gv_is_slotted( szc ) ? kept_take( d, rec, szc ) : shared_take( d, rec, szc );
  hands_end( rec );
  if( !obj && gv_is_slotted( szc ) ) obj = steal( d, rec, szc );
  return obj;
}

/* The sum of all seqs, which only grow; sets *busy if another record's user has its hands full. */
static ulong
seq_sum( fd_groove_data_t * d, int check_alive, int * busy ) {
  ulong rec_hi = gv_load_sc( &d->shdata->rec_hi );
  ulong sum    = rec_hi;
  for( ulong i = 0UL; i < rec_hi; i++ ) {
    rec_t * rec   = d->shdata->rec + i;
    ulong   seq   = gv_load_sc( &rec->seq );
    ulong   owner = gv_peek( &rec->owner );
    sum += seq;
    if( ( seq & 1UL ) &&
        !( check_alive && fd_log_group_id_query( owner ) == FD_LOG_GROUP_ID_QUERY_DEAD ) )
      *busy = 1;
  }
  return sum;
}

/* 1 if a slot has a free object of class szc. */
static int
slots_have( fd_groove_data_t * d, rec_t * rec, ulong szc ) {
  ulong rec_hi = gv_load_sc( &d->shdata->rec_hi );
  int   have   = 0;
  for( ulong i = 0UL; i < rec_hi * SLOT_CNT && !have; i++ ) {
    ulong const * slot = &d->shdata->rec[i / SLOT_CNT].slot[szc][i % SLOT_CNT];
    ulong         off  = gv_load_sc( slot );
    if( !off ) continue;
    gv_store_sc( &rec->hazard, off );
    if( gv_load_sc( slot ) == off )
      have = !!( gv_load( &gv_superblock( d, off )->mask ) & ~GV_LISTED );
  }
  hazard_clear( rec );
  return have;
}

/* 1 if there is any place left from which an object of szc might be taken. */
static int
any_left( fd_groove_data_t * d, rec_t * rec, ulong szc ) {
  for( ; szc < FD_GROOVE_DATA_SZC_CNT; szc = (ulong)fd_groove_data_szc_cfg[szc].parent_szc )
    if( ( gv_is_slotted( szc ) && slots_have( d, rec, szc ) ) ||
        gv_load_sc( &d->shdata->szc[szc].stack[0].off ) ||
        gv_load_sc( &d->shdata->szc[szc].stack[1].off ) ) return 1;
  return !fd_groove_volume_pool_is_empty( d->pool );
}

/* Takes an object of szc when rec keeps none: its offset and index, or 0 if full.  What rec keeps of
   other classes is given up first. */
ulong
gv_object_take_slow( fd_groove_data_t * d, rec_t * rec, ulong szc ) {
  ulong obj = take_once( d, rec, szc );
  if( FD_UNLIKELY( !obj ) ) {
    gv_rec_flush( d, rec );
    obj = take_once( d, rec, szc );
  }
  for( ulong wait = 0UL; !obj && wait < FD_GROOVE_DATA_PRIVATE_WAIT_MAX; ) {
    int   busy   = 0;
    int   alive  = !( ~wait & 63UL );
    ulong before = seq_sum( d, alive, &busy );
    if( any_left( d, rec, szc ) ) {
      obj = take_once( d, rec, szc );
      continue;
    }
    if( seq_sum( d, alive, &busy ) == before && !busy ) return 0UL;
    FD_GROOVE_WAIT();
    wait++;
  }
  return obj;
}

/* Giving an object back */

/* 1 if a user of another record may be touching the superblock at off. */
static int
is_hazard( fd_groove_data_t * d, ulong off ) {
  ulong rec_hi = gv_load_sc( &d->shdata->rec_hi );
  for( ulong i = 0UL; i < rec_hi; i++ )
    if( gv_load_sc( &d->shdata->rec[i].hazard ) == off ) return 1;
  return 0;
}

static int object_put( fd_groove_data_t * d, rec_t * rec, ulong off, ulong szc, ulong idx );

static void
superblock_return( fd_groove_data_t * d, rec_t * rec, ulong szc, ulong off ) {
  fd_groove_superblock_t * sb     = gv_superblock( d, off );
  ulong                    parent = (ulong)fd_groove_data_szc_cfg[szc].parent_szc;
  ulong                    idx    = fd_groove_data_hdr_idx( sb->hdr );
  gv_store( &sb->hdr.bits, 0UL ); /* so that a repair finds no superblock here */
  if( parent < FD_GROOVE_DATA_SZC_CNT ) {
    ulong parent_off = off - FD_GROOVE_BLOCK_FOOTPRINT - idx * gv_szc_sz( parent );
    if( FD_UNLIKELY( object_put( d, rec, parent_off, parent, idx ) ) )
      FD_LOG_WARNING(( "groove: a superblock's parent says it is free" ));
  } else {
    ulong                volume_off = off - offsetof( fd_groove_volume_t, data );
    fd_groove_volume_t * volume     = (fd_groove_volume_t *)gv_ptr( d, volume_off );
    gv_store( &volume->magic, ~FD_GROOVE_VOLUME_MAGIC );
    fd_groove_volume_pool_release( d->pool, volume );
  }
}

/* Returns the superblock in the caller's hands to its parent if all of it is free; 1 if so. */
static int
superblock_release( fd_groove_data_t * d, rec_t * rec, ulong szc, ulong off ) {
  fd_groove_superblock_t * sb  = gv_superblock( d, off );
  ulong                    all = gv_mask_all( szc ) | GV_LISTED;
  if( gv_peek( &sb->mask ) != all || !gv_cas( &sb->mask, &all, 0UL ) ) return 0;
  if( is_hazard( d, off ) ) {
    gv_store( &sb->mask, all ); /* somebody may try to take an object of it: keep it for now */
    return 0;
  }
  superblock_return( d, rec, szc, off );
  return 1;
}

/* Looks at up to max superblocks on the cold stack; returns those that are empty. */
static void
sweep( fd_groove_data_t * d, rec_t * rec, ulong szc, ulong max ) {
  for( ulong i = 0UL; i < max; i++ ) {
    ulong off = stack_pop( d, rec, stack_cold( d, szc ) );
    if( !off ) {
      stack_swap( d, szc );
      off = stack_pop( d, rec, stack_cold( d, szc ) );
    }
    if( !off ) return;
    if( !superblock_release( d, rec, szc, off ) ) superblock_list( d, szc, off );
  }
}

/* Takes the superblock in slot k into the caller's hands and returns it or gives it to all. */
static void
slot_release( fd_groove_data_t * d, rec_t * rec, ulong szc, ulong k ) {
  ulong off = gv_peek( &rec->slot[szc][k] );
  if( !off ) return;
  gv_store_sc( &rec->slot[szc][k], 0UL );
  if( !superblock_release( d, rec, szc, off ) ) superblock_list( d, szc, off );
}

/* Is what rec keeps in slot k, if anything, without an allocated object? */
static int
slot_has_empty( fd_groove_data_t * d, rec_t * rec, ulong szc, ulong k ) {
  ulong off = gv_peek( &rec->slot[szc][k] );
  return off && gv_peek( &gv_superblock( d, off )->mask ) == ( gv_mask_all( szc ) | GV_LISTED );
}

/* What rec keeps in slot k became empty: one such superblock of each small class is cached, ... */
static void
slot_is_empty_small( fd_groove_data_t * d, rec_t * rec, ulong szc, ulong k ) {
  for( ulong j = 0UL; j < SLOT_CNT; j++ ) {
    if( j == k || !slot_has_empty( d, rec, szc, j ) ) continue;
    slot_release( d, rec, szc, k );
    return;
  }
}

/* ... and the one that became empty last of all larger ones, so that a join keeps no more than
   2.6 MB of them from other classes. */
static void
slot_is_empty( fd_groove_data_t * d, rec_t * rec, ulong szc, ulong k ) {
  ulong spare_szc  = (ulong)rec->spare_szc;
  ulong spare_slot = (ulong)rec->spare_slot;
  if( szc < FD_GROOVE_DATA_PRIVATE_SLOT_SZC_SMALL ) {
    slot_is_empty_small( d, rec, szc, k );
    return;
  }
  rec->spare_szc  = (uchar)szc;
  rec->spare_slot = (uchar)k;
  if( !spare_szc || ( spare_szc == szc && spare_slot == k ) ) return;
  if( slot_has_empty( d, rec, spare_szc, spare_slot ) ) slot_release( d, rec, spare_szc, spare_slot );
}

/* A superblock that was full and nobody's is in the caller's hands: if it was rec's, it is again,
   so that a thread with more live objects than its slots cover does not share them all the time. */
static void
superblock_adopt( fd_groove_data_t * d, rec_t * rec, ulong szc, ulong off ) {
  ulong home = gv_peek( &gv_superblock( d, off )->home );
  if( gv_is_slotted( szc ) && ( home >> 8 ) == (ulong)( rec - d->shdata->rec ) + 1UL )
    slots_keep( d, rec, szc, off );
  else gv_stack_push( d, stack_hot( d, szc ), off );
}

/* All of a free, by a caller whose seq is odd. */
static int
object_put( fd_groove_data_t * d, rec_t * rec, ulong off, ulong szc, ulong idx ) {
  fd_groove_superblock_t * sb   = gv_superblock( d, off );
  ulong                    bit  = 1UL << idx;
  ulong                    all  = gv_mask_all( szc ) | GV_LISTED;
  int                      slot = gv_is_slotted( szc ) ? gv_slot_of( d, rec, szc, off ) : -1;
  ulong                    mask = gv_load( &sb->mask );
  do {
    if( FD_UNLIKELY( mask & bit ) ) return FD_GROOVE_ERR_CORRUPT;
  } while( !gv_cas( &sb->mask, &mask, mask | bit | GV_LISTED ) );
  if( !( mask & GV_LISTED ) )            superblock_adopt( d, rec, szc, off );
  else if( ( mask | bit ) != all )       return FD_GROOVE_SUCCESS;
  else if( slot >= 0 )                   slot_is_empty( d, rec, szc, (ulong)slot );
  else                                   sweep( d, rec, szc, 2UL );
  return FD_GROOVE_SUCCESS;
}

int
gv_object_put_slow( fd_groove_data_t * d, rec_t * rec, ulong off, ulong szc, ulong idx ) {
  hands_begin( rec );
  int err = object_put( d, rec, off, szc, idx );
  hands_end( rec );
  return err;
}

/* Makes all that rec keeps available to everybody. */
void
gv_rec_flush( fd_groove_data_t * d, rec_t * rec ) {
  hands_begin( rec );
  for( ulong szc = 0UL; szc < FD_GROOVE_DATA_PRIVATE_SLOT_SZC_CNT; szc++ )
    for( ulong k = 0UL; k < SLOT_CNT; k++ ) slot_release( d, rec, szc, k );
  hands_end( rec );
}

/* Looks at every superblock on the stacks of szc once, if others do not add more meanwhile. */
static void
sweep_all( fd_groove_data_t * d, rec_t * rec, ulong szc ) {
  for( ulong pass = 0UL; pass < 2UL; pass++ ) {
    while( gv_load( &stack_cold( d, szc )->off ) ) sweep( d, rec, szc, 1UL );
    stack_swap( d, szc );
  }
}

/* Returns all empty superblocks that are on stacks, kept by rec, or kept by records nobody uses. */
void
gv_trim( fd_groove_data_t * d, rec_t * rec ) {
  ulong rec_hi = gv_load_sc( &d->shdata->rec_hi );
  gv_rec_flush( d, rec );
  for( ulong i = 0UL; i < rec_hi; i++ ) {
    if( !gv_rec_try( d, i ) ) continue;
    gv_rec_flush( d, d->shdata->rec + i );
    gv_store( &d->shdata->rec[i].owner, 0UL ); /* read by the compare-and-swap in gv_rec_try */
  }
  hands_begin( rec );
  for( ulong szc = 0UL; szc < FD_GROOVE_DATA_SZC_CNT; szc++ ) sweep_all( d, rec, szc );
  hands_end( rec );
}
