/* The real functions behind the hooks, and what the hooks offer the rest of the shim. */
#ifndef VT_PRELOAD_HOOKS_H
#define VT_PRELOAD_HOOKS_H

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <wordexp.h>
#include "core/trace/hidden.h"
#include "valtrace/trace_format.h"

/* X(name, result, parameters): what the hooks pass calls on to. */
#define VT_REAL_FUNCTIONS(X)                                                                       \
  X(malloc, void *, (size_t))                                                                      \
  X(calloc, void *, (size_t, size_t))                                                              \
  X(realloc, void *, (void *, size_t))                                                             \
  X(free, void, (void *))                                                                          \
  X(posix_memalign, int, (void **, size_t, size_t))                                                \
  X(aligned_alloc, void *, (size_t, size_t))                                                       \
  X(memalign, void *, (size_t, size_t))                                                            \
  X(valloc, void *, (size_t))                                                                      \
  X(pvalloc, void *, (size_t))                                                                     \
  X(malloc_usable_size, size_t, (void *))                                                          \
  X(free_sized, void, (void *, size_t))                                                            \
  X(free_aligned_sized, void, (void *, size_t, size_t))                                            \
  X(execve, int, (char const *, char *const[], char *const[]))                                     \
  X(execvpe, int, (char const *, char *const[], char *const[]))                                    \
  X(fexecve, int, (int, char *const[], char *const[]))                                             \
  X(execveat, int, (int, char const *, char *const[], char *const[], int))                         \
  X(posix_spawn, int,                                                                              \
    (pid_t *, char const *, posix_spawn_file_actions_t const *, posix_spawnattr_t const *,         \
     char *const[], char *const[]))                                                                \
  X(posix_spawnp, int,                                                                             \
    (pid_t *, char const *, posix_spawn_file_actions_t const *, posix_spawnattr_t const *,         \
     char *const[], char *const[]))                                                                \
  X(pidfd_spawn, int,                                                                              \
    (int *, char const *, posix_spawn_file_actions_t const *, posix_spawnattr_t const *,           \
     char *const[], char *const[]))                                                                \
  X(pidfd_spawnp, int,                                                                             \
    (int *, char const *, posix_spawn_file_actions_t const *, posix_spawnattr_t const *,           \
     char *const[], char *const[]))                                                                \
  X(system, int, (char const *))                                                                   \
  X(popen, FILE *, (char const *, char const *))                                                   \
  X(wordexp, int, (char const *, wordexp_t *, int))                                                \
  X(dlopen, void *, (char const *, int))                                                           \
  X(dlmopen, void *, (Lmid_t, char const *, int))                                                  \
  X(mlockall, int, (int))                                                                          \
  X(munlockall, int, (void))                                                                       \
  X(prctl, int, (int, ...))                                                                        \
  X(pthread_setname_np, int, (pthread_t, char const *))                                            \
  X(sigaltstack, int, (stack_t const *, stack_t *))                                                \
  X(setuid, int, (uid_t))                                                                          \
  X(seteuid, int, (uid_t))                                                                         \
  X(setreuid, int, (uid_t, uid_t))                                                                 \
  X(setresuid, int, (uid_t, uid_t, uid_t))                                                         \
  X(setgid, int, (gid_t))                                                                          \
  X(setegid, int, (gid_t))                                                                         \
  X(setregid, int, (gid_t, gid_t))                                                                 \
  X(setresgid, int, (gid_t, gid_t, gid_t))                                                         \
  X(setgroups, int, (size_t, gid_t const *))                                                       \
  X(unshare, int, (int))                                                                           \
  X(setns, int, (int, int))                                                                        \
  X(chroot, int, (char const *))                                                                   \
  X(capset, int, (void *, void const *))                                                           \
  X(quick_exit, void, (int))                                                                       \
  X(syscall, long, (long, long, long, long, long, long, long))                                     \
  X(mmap, void *, (void *, size_t, int, int, int, off_t))                                          \
  X(munmap, int, (void *, size_t))                                                                 \
  X(mremap, void *, (void *, size_t, size_t, int, ...))                                            \
  X(shmat, void *, (int, void const *, int))                                                       \
  X(shmdt, int, (void const *))                                                                    \
  X(sbrk, void *, (intptr_t))                                                                      \
  X(brk, int, (void *))

/* The next provider of each function in symbol order: libc, or jemalloc, tcmalloc, … when the
   program uses one. A function the provider lacks is NULL. */
typedef struct {
#define X(name, result, parameters) result(*name) parameters;
  VT_REAL_FUNCTIONS(X)
#undef X
} vt_real_t;
extern VT_HIDDEN vt_real_t vt_real;

/* vt_real_find fills vt_real, once, at the first call of any hook; blocks that are asked for
   meanwhile come from a small static arena (vt_boot_alloc). It asks the loader nothing. */
void vt_real_find(void);

/* lacking.c: puts what serves instead where a provider lacks something, or does it otherwise than glibc. */
void vt_real_complete(vt_real_t *real);

/* vt_real_get is for hooks off the event path: vt_real, found if need be. */
static inline vt_real_t const *vt_real_get(void) {
  if (!vt_real.malloc) vt_real_find();
  return &vt_real;
}

/* vt_boot_alloc takes zeroed memory from the arena; NULL when it is full. Such blocks are never
   given back. vt_boot_size is the size of one. */
void *vt_boot_alloc(size_t align, size_t sz);
size_t vt_boot_size(void const *p);
extern VT_HIDDEN unsigned char vt_boot_arena[];
#define VT_BOOT_ARENA_SZ 65536
static inline int vt_boot_owns(void const *p) {
  return (size_t)((unsigned char const *)p - vt_boot_arena) < VT_BOOT_ARENA_SZ;
}

/* vt_internal_block serves an allocation of the shim's own: from the arena, or unrecorded when that
   is full. */
static inline void *vt_internal_block(size_t align, size_t sz) {
  void *p = vt_boot_alloc(align, sz);
  return p || !vt_real.aligned_alloc ? p : vt_real.aligned_alloc(align < 16 ? 16 : align, sz);
}

/* vt_hooks_loader_freed: the loader frees what it knew of an object that it has just unloaded. */
void vt_hooks_loader_freed(void const *p);

/* vt_hooks_moved: the function at `from` is from now on to be called at `to`. */
void vt_hooks_moved(void *from, void *to);

/* cxx.c: vt_cxx_find finds the providers of operator new and delete when vt_real is filled;
   vt_cxx_sweep is told when the loader has unloaded something. */
void vt_cxx_find(void);
void vt_cxx_sweep(void);
void vt_cxx_moved(void *from, void *to);

/* What surrounds the call of a provider of operator new or delete that need not call malloc or free;
   family, block and size are the call's. vt_cxx_before_new notes the family for a hook that the
   provider reaches and returns the mark for vt_cxx_after_new, which records the block p it returned
   unless a hook has. vt_cxx_before_delete records the free and the alignment it was told (0: none), unless the function
   that called this one has, and returns what vt_cxx_after_delete is to be told. `frame` is the same before and after. An
   exception may leave the provider. */
uint32_t vt_cxx_before_new(vt_api_t family, size_t sz, void const *frame);
void vt_cxx_after_new(void *p, size_t sz, size_t align, vt_api_t family, uint32_t mark,
                      void const *frame);
void *vt_cxx_before_delete(void *p, vt_api_t family, size_t align, void const *frame);
void vt_cxx_after_delete(void *before, void const *frame);

/* vt_cxx_tells: is what every operator delete is told recorded? Not where the C++ runtime is not there from the start, or
   a provider may serve larger blocks than it was asked for. To be called when vt_real is filled. */
int vt_cxx_tells(void);

/* vt_cxx_before: whose operator new comes before the hooks and need not call malloc? The values of
   VT_COUNTER_NEW_BEFORE; 0: nobody's. To be called at start. */
int vt_cxx_before(void);

/* vt_hooks_reached: whose malloc does the program's resolve to? Ours, one of the executable, one
   of a library that is preloaded before the shim, or, inside valgrind, one of its tool, to which valgrind leads
   all calls whatever they resolve to. The values of VT_COUNTER_ALLOCATOR_IN_EXECUTABLE.
 */
typedef enum {
  VT_HOOKS_FIRST = 0,
  VT_HOOKS_BEHIND_EXECUTABLE = 1,
  VT_HOOKS_BEHIND_LIBRARY = 2,
  VT_HOOKS_BEHIND_VALGRIND = 3
} vt_hooks_order_t;
vt_hooks_order_t vt_hooks_reached(void);

#endif
