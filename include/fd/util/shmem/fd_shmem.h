#ifndef HEADER_fd_src_util_shmem_fd_shmem_h
#define HEADER_fd_src_util_shmem_fd_shmem_h

/* Named shared memory regions, process-private page-aligned memory, NUMA topology, and the table of
   what this process has joined.  A region is a file <shmem-path>/.<normal|huge|gigantic>/<name>;
   where the machine has no pages of the wanted size (or no such directory), normal pages stand in
   for them, aligned to the wanted size, with one WARNING per process; all reported sizes stay as
   asked for. All functions are thread safe; none is signal safe; a child of fork inherits the
   joins. */

#include "../log/fd_log.h"

#define FD_SHMEM_JOIN_MAX (255UL)

#define FD_SHMEM_JOIN_MODE_READ_ONLY  (0)
#define FD_SHMEM_JOIN_MODE_READ_WRITE (1)

#define FD_SHMEM_NUMA_MAX (1024UL)
#define FD_SHMEM_CPU_MAX  (1024UL)

#define FD_SHMEM_UNKNOWN_LG_PAGE_SZ  (-1)
#define FD_SHMEM_NORMAL_LG_PAGE_SZ   (12)
#define FD_SHMEM_HUGE_LG_PAGE_SZ     (21)
#define FD_SHMEM_GIGANTIC_LG_PAGE_SZ (30)

#define FD_SHMEM_UNKNOWN_PAGE_SZ  (0UL)
#define FD_SHMEM_NORMAL_PAGE_SZ   (4096UL)
#define FD_SHMEM_HUGE_PAGE_SZ     (2097152UL)
#define FD_SHMEM_GIGANTIC_PAGE_SZ (1073741824UL)

#define FD_SHMEM_NAME_MAX         FD_LOG_NAME_MAX
#define FD_SHMEM_PAGE_SZ_CSTR_MAX (9UL)

struct fd_shmem_private_key {
  char cstr[FD_SHMEM_NAME_MAX];
};

typedef struct fd_shmem_private_key fd_shmem_private_key_t;

/* A current join.  Bytewise comparable: unused bytes of the name are zero. */
struct fd_shmem_join_info {
  long ref_cnt; /* joins not yet left; -1 while the first join's function runs */
  void * join;  /* what that function returned, NULL while it runs */
  void * shmem; /* first byte of the region here */
  ulong page_sz;
  ulong page_cnt;
  int mode;  /* of the first join */
  uint hash; /* (uint)fd_hash( 0UL, name, FD_SHMEM_NAME_MAX ) */
  union {
    char name[FD_SHMEM_NAME_MAX];
    fd_shmem_private_key_t key;
  };
};

typedef struct fd_shmem_join_info fd_shmem_join_info_t;

struct fd_shmem_info {
  ulong page_sz;
  ulong page_cnt;
};

typedef struct fd_shmem_info fd_shmem_info_t;

/* Called by the first join (returns the handle to cache, NULL to fail) and by the last leave. */
typedef void * (*fd_shmem_joinleave_func_t)(void * context, fd_shmem_join_info_t const * info);

FD_PROTOTYPES_BEGIN

/* fd_shmem_join joins the region of this name (the largest page size that has it) and returns the
   handle func made of it (NULL func: the first byte).  Only the first join maps and calls func,
   which may join other regions; later ones count and return the same handle whatever mode they ask
   for. dump 0 keeps the memory out of core dumps.  *opt_info = state after this call.  NULL on
   failure (logs): bad name or mode, no such region, too many joins, func joins its own region or
   fails. */
void * fd_shmem_join(char const * name, int mode, int dump, fd_shmem_joinleave_func_t func,
                     void * context, fd_shmem_join_info_t * opt_info);

/* fd_shmem_leave undoes one join; the last one calls func (may be NULL) and unmaps.  0 on success,
   non-zero (logs) if join is not a current join or the last one of an anonymous region.  join
   itself is never dereferenced. */
int fd_shmem_leave(void * join, fd_shmem_joinleave_func_t func, void * context);

/* Look up a current join by name, handle, or any byte of [addr,addr+sz).  Silent: 0 with *opt_info
   filled, EINVAL (bad name, NULL, wrapping range), ENOENT (also for sz 0). */
int fd_shmem_join_query_by_name(char const * name, fd_shmem_join_info_t * opt_info);
int fd_shmem_join_query_by_join(void const * join, fd_shmem_join_info_t * opt_info);
int fd_shmem_join_query_by_addr(void const * addr, ulong sz, fd_shmem_join_info_t * opt_info);

/* fd_shmem_join_anonymous enters caller-owned memory into the table under a name (it then shadows a
   file of that name) with one join.  leave_anonymous removes it when that is the only join left,
   and must be the one to do so; *opt_info = the former join with ref_cnt 0.  0, or EINVAL (logs).
 */
int fd_shmem_join_anonymous(char const * name, int mode, void * join, void * mem, ulong page_sz,
                            ulong page_cnt);
int fd_shmem_leave_anonymous(void * join, fd_shmem_join_info_t * opt_info);

/* Iterate over the current joins while no one joins or leaves; NULL ends. */
fd_shmem_join_info_t const * fd_shmem_iter_begin(void);
fd_shmem_join_info_t const * fd_shmem_iter_next(fd_shmem_join_info_t const * iter);
static inline int fd_shmem_iter_done(fd_shmem_join_info_t const * iter) { return !iter; }

/* Topology of the host (not of the affinity mask): nodes with cpus, numbered densely, and cpus.
   numa_idx and cpu_idx (the node's lowest cpu) give ULONG_MAX for what does not exist. */
ulong fd_shmem_numa_cnt(void);
ulong fd_shmem_cpu_cnt(void);
ulong fd_shmem_numa_idx(ulong cpu_idx);
ulong fd_shmem_cpu_idx(ulong numa_idx);

/* fd_shmem_numa_validate is 0 iff all pages are on cpu's node, else an errno.  On a host with one
   node, or where asking is not allowed, readable memory is fine. */
int fd_shmem_numa_validate(void const * mem, ulong page_sz, ulong page_cnt, ulong cpu_idx);

/* fd_shmem_create_multi makes a new region of sub_cnt consecutive parts, part i of sub_page_cnt[i]
   pages near cpu sub_cpu_idx[i], file mode `mode`.  update_multi resizes and re-places an existing
   one. 0, EINVAL (bad name, size, count, cpu, mode), EEXIST, or another errno (logs all). */
int fd_shmem_create_multi(char const * name, ulong page_sz, ulong sub_cnt,
                          ulong const * sub_page_cnt, ulong const * sub_cpu_idx, ulong mode);
int fd_shmem_update_multi(char const * name, ulong page_sz, ulong sub_cnt,
                          ulong const * sub_page_cnt, ulong const * sub_cpu_idx, ulong mode);

/* fd_shmem_unlink removes the name; memory lives on until its last user leaves.  0 or errno (logs).
 */
int fd_shmem_unlink(char const * name, ulong page_sz);

/* fd_shmem_info describes a region; page_sz 0 looks for gigantic, huge, normal in this order.
   0, EINVAL (logs), ENOENT (silent), errno (logs). */
int fd_shmem_info(char const * name, ulong page_sz, fd_shmem_info_t * opt_info);

/* fd_shmem_acquire_multi gets zeroed private pages, aligned to page_sz, placed as for create.  NULL
   on failure (logs).  release gives back all or some of them; 0, or -1 (logs). */
void * fd_shmem_acquire_multi(ulong page_sz, ulong sub_cnt, ulong const * sub_page_cnt,
                              ulong const * sub_cpu_idx);
int fd_shmem_release(void * mem, ulong page_sz, ulong page_cnt);

/* fd_shmem_name_len is the length of a valid name ([1,FD_SHMEM_NAME_MAX), an alphanumeric, then
   also _ - .), else 0. Silent; NULL is fine. */
ulong fd_shmem_name_len(char const * name);

/* Page sizes and their names.  Silent; unknown ones give 0, -1, FD_SHMEM_UNKNOWN_PAGE_SZ,
 * "unknown". */
int fd_shmem_is_page_sz(ulong page_sz);
int fd_cstr_to_shmem_lg_page_sz(char const * cstr);
ulong fd_cstr_to_shmem_page_sz(char const * cstr);
char const * fd_shmem_lg_page_sz_to_cstr(int lg_page_sz);
char const * fd_shmem_page_sz_to_cstr(ulong page_sz);

/* The single-part forms. */
static inline int fd_shmem_create(char const * name, ulong page_sz, ulong page_cnt, ulong cpu_idx,
                                  ulong mode) {
  return fd_shmem_create_multi(name, page_sz, 1UL, &page_cnt, &cpu_idx, mode);
}

static inline int fd_shmem_update(char const * name, ulong page_sz, ulong page_cnt, ulong cpu_idx,
                                  ulong mode) {
  return fd_shmem_update_multi(name, page_sz, 1UL, &page_cnt, &cpu_idx, mode);
}

static inline void * fd_shmem_acquire(ulong page_sz, ulong page_cnt, ulong cpu_idx) {
  return fd_shmem_acquire_multi(page_sz, 1UL, &page_cnt, &cpu_idx);
}

/* Called by fd_boot and fd_halt. */
void fd_shmem_private_boot(int * pargc, char *** pargv);
void fd_shmem_private_halt(void);

FD_PROTOTYPES_END

#endif
