/* valtrace annotations: tell a recording about blocks of your own allocator, and more.

   Header only. When the program runs without valtrace every call here is one load and one predicted
   branch; under valtrace it is recorded with the caller's full stack, beside the blocks of malloc.

     vt_heap_create( pool, pool_sz, VT_HEAP_CUSTOM, "my pool", NULL, NULL );
     void * p = my_alloc( pool, sz );
     vt_block_alloc( pool, p, sz, 0UL, 0UL );
     ...
     vt_block_free( pool, p );
     my_free( pool, p );

   A heap is named by the address of its memory in this process (its *base*). A heap in shared
   memory has a UUID, so that a block allocated by one process and freed by another, through a
   mapping at another address, is known to be the same: `valtrace report A.vtr B.vtr`.

   All functions are thread-safe and async-signal-safe, never fail, never block, keep errno, and do
   nothing for a heap that was not announced. Report an allocation after it is done and a free
   before it is done: then no other thread's reuse of the block can come first. */
#ifndef VALTRACE_ANNOTATE_H
#define VALTRACE_ANNOTATE_H

#ifdef __cplusplus
extern "C" {
#endif

/* What allocator manages a heap. */
#define VT_HEAP_WKSP   1
#define VT_HEAP_ALLOC  2
#define VT_HEAP_GROOVE 3
#define VT_HEAP_CUSTOM 4

/* The hooks, defined by libvaltrace.so and by nothing else. */
typedef struct {
  void (*heap_begin)(int op, void const *base, unsigned long sz, int kind, char const *name,
                     void const *uuid, void const *parent);
  void (*heap_end)(int op, void const *base);
  void (*heap_op)(void const *base, int op, unsigned long tag);
  void (*block_alloc)(void const *base, void const *block, unsigned long sz, unsigned long align,
                      unsigned long tag);
  void (*block_free)(void const *base, void const *block, int interior);
  void (*marker)(char const *text);
  void (*thread_name)(char const *name);
  void (*pause)(void);
  void (*resume)(void);
} vt_annotate_hooks_t;

#define VT_ANNOTATE_CALL inline __attribute__((always_inline, unused))

#if defined(__PIC__) || defined(__PIE__)
extern vt_annotate_hooks_t const vt_annotate_hooks_v1 __attribute__((weak));
static VT_ANNOTATE_CALL vt_annotate_hooks_t const *vt_annotate_hooks(void) {
  return &vt_annotate_hooks_v1;
}
#else
/* A weak reference is resolved to 0 when a non-PIC executable is linked: ask the dynamic linker. */
#include <dlfcn.h>
static inline __attribute__((unused)) vt_annotate_hooks_t const *vt_annotate_hooks(void) {
  static vt_annotate_hooks_t const *cached = (vt_annotate_hooks_t const *)1;
  if (__builtin_expect(cached == (vt_annotate_hooks_t const *)1, 0))
    cached = (vt_annotate_hooks_t const *)dlsym(RTLD_DEFAULT, "vt_annotate_hooks_v1");
  return cached;
}
#endif

#define VT_ANNOTATE(call)                                                                          \
  do {                                                                                             \
    vt_annotate_hooks_t const *vt_hooks_ = vt_annotate_hooks();                                    \
    if (__builtin_expect(vt_hooks_ != 0, 0)) vt_hooks_->call;                                      \
  } while (0)

/* vt_heap_create announces a heap this process has made: sz bytes at base, managed by an allocator
   of `kind`. uuid: 16 bytes that name the heap in every process (NULL: it is this process's alone).
   In a forked child a heap in private memory is a copy, and recorded as one whatever its UUID.
   parent: base of the announced heap in whose blocks this one lies (NULL: none); its blocks are
   then not counted a second time in totals; nor are those of a heap in memory of malloc, which need
   not be said. name is copied. Another heap at the base of an older
   one takes its place; the blocks a heap of this UUID had before are gone. */
static VT_ANNOTATE_CALL void vt_heap_create(void const *base, unsigned long sz, int kind,
                                            char const *name, void const *uuid,
                                            void const *parent) {
  VT_ANNOTATE(heap_begin(1, base, sz, kind, name, uuid, parent));
}

/* vt_heap_attach is vt_heap_create for a heap that existed: its blocks may have been allocated
   before this recording or by others. Announcing a heap again where it is only counts. */
static VT_ANNOTATE_CALL void vt_heap_attach(void const *base, unsigned long sz, int kind,
                                            char const *name, void const *uuid,
                                            void const *parent) {
  VT_ANNOTATE(heap_begin(2, base, sz, kind, name, uuid, parent));
}

/* vt_heap_detach takes one announcement back; after the last this process no longer uses the heap.
   Its blocks live on. */
static VT_ANNOTATE_CALL void vt_heap_detach(void const *base) { VT_ANNOTATE(heap_end(3, base)); }

/* vt_heap_delete: the heap and all its blocks are gone. */
static VT_ANNOTATE_CALL void vt_heap_delete(void const *base) { VT_ANNOTATE(heap_end(4, base)); }

/* vt_heap_reset: all blocks are freed at once. */
static VT_ANNOTATE_CALL void vt_heap_reset(void const *base) { VT_ANNOTATE(heap_op(base, 1, 0ul)); }

/* vt_heap_free_tag: all blocks with this tag are freed at once. */
static VT_ANNOTATE_CALL void vt_heap_free_tag(void const *base, unsigned long tag) {
  VT_ANNOTATE(heap_op(base, 2, tag));
}

/* vt_heap_restore: the heap's content was replaced; what lived in it is gone, what lives in it now
   was not allocated under this recording. */
static VT_ANNOTATE_CALL void vt_heap_restore(void const *base) {
  VT_ANNOTATE(heap_op(base, 3, 0ul));
}

/* vt_heap_place: the blocks of the heap lie in memory at `memory` instead of at base. For a heap
   whose memory is added after it was announced; to be said before its first block. */
static VT_ANNOTATE_CALL void vt_heap_place(void const *base, void const *memory) {
  VT_ANNOTATE(heap_op(base, 4, (unsigned long)memory));
}

/* vt_block_alloc: a block of sz bytes was allocated; align 0: the allocator's default. */
static VT_ANNOTATE_CALL void vt_block_alloc(void const *base, void const *block, unsigned long sz,
                                            unsigned long align, unsigned long tag) {
  VT_ANNOTATE(block_alloc(base, block, sz, align, tag));
}

/* vt_block_free: the block is about to be freed. */
static VT_ANNOTATE_CALL void vt_block_free(void const *base, void const *block) {
  VT_ANNOTATE(block_free(base, block, 0));
}

/* vt_block_free_interior: the block that contains `inside` is about to be freed. */
static VT_ANNOTATE_CALL void vt_block_free_interior(void const *base, void const *inside) {
  VT_ANNOTATE(block_free(base, inside, 1));
}

/* vt_marker names this moment; reports take the name for a time (`--from NAME`). Text is copied. */
static VT_ANNOTATE_CALL void vt_marker(char const *text) { VT_ANNOTATE(marker(text)); }

/* vt_thread_name names the calling thread in reports; without it, the name is the kernel's
   (pthread_setname_np), of at most 15 bytes. */
static VT_ANNOTATE_CALL void vt_thread_name(char const *name) { VT_ANNOTATE(thread_name(name)); }

/* vt_pause and vt_resume: the calling thread's events in between are not recorded. Pairs nest. A
   block allocated in a pause and freed outside shows as a free of a block never seen. */
static VT_ANNOTATE_CALL void vt_pause(void) { VT_ANNOTATE(pause()); }
static VT_ANNOTATE_CALL void vt_resume(void) { VT_ANNOTATE(resume()); }

#ifdef __cplusplus
}
#endif

#endif
