#ifndef HEADER_fd_src_util_tile_fd_tile_h
#define HEADER_fd_src_util_tile_fd_tile_h

/* Tiles: the process's threads of execution, made once at boot and bound to cpus as --tile-cpus
   says. The booter is tile 0; each other tile runs one task at a time for whoever asks.  An idle
   tile spins a few microseconds, then sleeps.  Between boot and halt everything is thread safe; not
   signal safe; tiles do not survive fork. */

#include "../fd_util_base.h"

#define FD_TILE_MAX (1024UL)

/* Usable stack of a tile; thread-local storage comes on top. */
#define FD_TILE_PRIVATE_STACK_SZ (8UL << 20)

/* A task: argc and argv are passed through without a look; the result goes to exec_delete. */
typedef int (*fd_tile_task_t)(int argc, char ** argv);

/* A task in execution on a tile. */
struct fd_tile_exec_private;
typedef struct fd_tile_exec_private fd_tile_exec_t;

FD_PROTOTYPES_BEGIN

/* The application's tiles have ids [id0,id1); id and idx=id-id0 are the caller's. */
ulong fd_tile_id0(void);
ulong fd_tile_id1(void);
ulong fd_tile_id(void);
ulong fd_tile_idx(void);
ulong fd_tile_cnt(void);

/* The cpu of a tile: ULONG_MAX if there is no such tile, ULONG_MAX-1 if it floats. */
ulong fd_tile_cpu_id(ulong tile_idx);

/* fd_tile_exec_new starts task on a tile and does not wait; the task sees all stores the caller
   made before.  NULL (silent) if the tile is the caller, 0, not there or busy. */
fd_tile_exec_t * fd_tile_exec_new(ulong tile_idx, fd_tile_task_t task, int argc, char ** argv);

/* fd_tile_exec_delete waits for the task to end and frees the tile; call once per exec_new.
   *opt_ret = its return value; the caller sees its stores.  NULL: ended normally, else the reason
   as an infinitely lived cstr. */
char const * fd_tile_exec_delete(fd_tile_exec_t * exec, int * opt_ret);

/* What a tile is executing (NULL if it idles, is tile 0 or not there), and about an execution. */
fd_tile_exec_t * fd_tile_exec(ulong tile_idx);
ulong fd_tile_exec_id(fd_tile_exec_t const * exec);
ulong fd_tile_exec_idx(fd_tile_exec_t const * exec);
fd_tile_task_t fd_tile_exec_task(fd_tile_exec_t const * exec);
int fd_tile_exec_argc(fd_tile_exec_t const * exec);
char ** fd_tile_exec_argv(fd_tile_exec_t const * exec);
int fd_tile_exec_done(fd_tile_exec_t const * exec);

/* The same by tile id. */
static inline fd_tile_exec_t * fd_tile_exec_by_id_new(ulong tile_id, fd_tile_task_t task, int argc,
                                                      char ** argv) {
  return fd_tile_exec_new(tile_id - fd_tile_id0(), task, argc, argv);
}

static inline fd_tile_exec_t * fd_tile_exec_by_id(ulong tile_id) {
  return fd_tile_exec(tile_id - fd_tile_id0());
}

/* The caller's stack [stack0,stack1), its size in bytes, and how much is in use and free about now.
 */
void const * fd_tile_stack0(void);
void const * fd_tile_stack1(void);
ulong fd_tile_stack_sz(void);
ulong fd_tile_stack_est_used(void);
ulong fd_tile_stack_est_free(void);

/* Called by fd_boot and fd_halt. */
void fd_tile_private_boot(int * pargc, char *** pargv);
void fd_tile_private_halt(void);

FD_PROTOTYPES_END

#endif
