/* What the collector and a traced process say to each other about patched function entries.

   Preloading does not reach an allocator that is linked into the executable, or into a library that
   is bound to its own functions. There the first bytes of each function become a jump to a *slot*:
   a stub that leads to the shim's hook with a descriptor in r9, and a copy of the displaced
   instructions that goes on in the rest of the function: the "real" function behind the hook. The
   collector finds, decodes and plans (analyzer/patch); the process maps the memory it is told to,
   and writes what it is sent (preload/patched.c). Both are of one build: the structures are sent as
   they are. */
#ifndef VT_CORE_TRACE_PATCH_H
#define VT_CORE_TRACE_PATCH_H

#include <stdint.h>

/* How a function takes and gives blocks. */
typedef enum {
  VT_SHAPE_ALLOC = 0, /* returns a block, or NULL */
  VT_SHAPE_REALLOC,   /* returns the block that takes the place of one */
  VT_SHAPE_FREE,
  VT_SHAPE_MEMALIGN, /* as posix_memalign: stores the block at its first argument, returns 0 */
  VT_SHAPE_NEW,      /* as operator new: may throw */
  VT_SHAPE_DELETE,
  VT_SHAPE_CNT
} vt_patch_shape_t;

#define VT_PATCH_ARGS 5 /* integer arguments that are passed on; the descriptor is the sixth */
#define VT_PATCH_NONE ((uint8_t)VT_PATCH_ARGS) /* there is no such argument */

/* What is known of a function: which of its arguments is what. */
typedef struct {
  uint8_t shape; /* vt_patch_shape_t */
  uint8_t api;   /* vt_api_t */
  uint8_t block, size, count, align; /* indices of arguments, or VT_PATCH_NONE; size * count bytes */
  uint8_t flags; /* index of jemalloc's flags, whose low six bits are the logarithm of the alignment */
  uint8_t zeroed;
  uint16_t aligned; /* alignment of every block; 0: the usual one */
  uint8_t keeps;    /* its callers may know which registers it leaves alone: keep all */
  uint8_t void_;    /* it returns nothing: rax is kept, too */
} vt_patch_kind_t;

/* The descriptor, in memory of the process. The stub jumps to *hook. */
typedef struct {
  void *hook;
  void *real; /* the copy */
  vt_patch_kind_t kind;
  uint8_t unused[36];
} vt_patch_descriptor_t;
_Static_assert(sizeof(vt_patch_descriptor_t) == 64, "stubs know where the next one is");

/* A slot: the stub at 0, the copy at VT_PATCH_COPY_OFF, at the end the two words they read. */
#define VT_PATCH_SLOT_SZ  128
#define VT_PATCH_COPY_OFF 24
#define VT_PATCH_WORD_OFF 112 /* return address that a displaced call pushes */
#define VT_PATCH_DESC_OFF 120 /* address of the descriptor that a stub which keeps registers pushes */
#define VT_PATCH_SZ_MAX   20  /* bytes displaced at most: 4 and an instruction */
#define VT_PATCH_INSN_MAX 5
#define VT_PATCH_SITES_MAX 16
#define VT_PATCH_NAME_SZ  64
#define VT_PATCH_WHY_SZ   96

/* One function. `why` not empty: it is not patched, for this reason; the rest is then zero but for
   address and name. */
typedef struct {
  uint64_t address; /* of the first byte that is replaced */
  uint64_t entry;   /* of the function: an endbr64 may come first */
  vt_patch_kind_t kind;
  uint8_t sz;                          /* bytes displaced */
  uint8_t before[VT_PATCH_SZ_MAX];     /* what they must be */
  uint8_t after[VT_PATCH_SZ_MAX];      /* what they become */
  uint8_t insn_cnt;                    /* displaced instructions: where they were and are now, */
  uint8_t insn_from[VT_PATCH_INSN_MAX]; /* relative to address */
  uint8_t insn_to[VT_PATCH_INSN_MAX];   /* and to the copy */
  uint8_t pushes; /* where in the copy a displaced call has pushed its return address; 0: there is none */
  uint8_t site_cnt; /* direct calls within the C library that go on to the copy: it frees what was freed */
  uint64_t sites[VT_PATCH_SITES_MAX]; /* where their distances of 4 bytes are */
  int32_t sites_before[VT_PATCH_SITES_MAX]; /* what these were; of a process that is attached to */
  uint8_t slot[VT_PATCH_SLOT_SZ];
  char name[VT_PATCH_NAME_SZ];
  char why[VT_PATCH_WHY_SZ];
} vt_patch_function_t;

/* One module's functions. Slot i and descriptor i belong to function i. */
typedef struct {
  uint64_t code, code_sz; /* memory to map for the slots, executable; 0 if nothing is patched */
  uint64_t data, data_sz; /* and for the descriptors, directly behind */
  uint32_t function_cnt;  /* vt_patch_function_t that follow */
  uint32_t covered;       /* 1: its malloc and free are patched */
  uint32_t executable;    /* 1: the module is the executable */
  char path[256];         /* as the process knows it, cut */
} vt_patch_module_t;

/* What who connects sends: which modules are meant. Of those that are named nothing has run yet, or they
   are the C library; without names all that are loaded are, but for the C library and the loader. */
#define VT_PATCH_NAMED_MAX 64
typedef struct {
  uint32_t named_cnt;
  uint32_t apart; /* they are not bound to preloaded functions: all their allocators count */
  uint32_t whole; /* without names: the C library, too */
  uint64_t named[VT_PATCH_NAMED_MAX]; /* an address in each */
} vt_patch_request_t;

/* The answer, behind VT_PATCH_ACK: this, then modules with their functions. */
typedef struct {
  uint64_t sz; /* of what follows */
  uint32_t module_cnt;
} vt_patch_answer_t;

/* The service listens on the name of the ring's socket with this behind it. Who connects sends a request;
   the first byte of the answer comes at once, the rest when the plan is made. */
#define VT_PATCH_SOCKET_SUFFIX "-patch"
#define VT_PATCH_ACK           'P'

#endif
