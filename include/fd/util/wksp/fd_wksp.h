#ifndef HEADER_fd_util_wksp_fd_wksp_h
#define HEADER_fd_util_wksp_fd_wksp_h

/* A workspace (wksp) is a relocatable memory region that any number of threads of any number of
   processes allocate from: header, table of partition records, data region.  A position is named by
   its gaddr (byte offset from the first byte of the wksp, the same for every joiner) or by its
   laddr (pointer in the caller's address space); 0 / NULL is nowhere.

   Concurrency: one owner word in the wksp is the only lock.  Operations marked "locks" take it;
   they spin briefly, then yield, then sleep.  A process killed at any instruction of an operation
   wedges nobody: the next one to wait finds the owner dead, verifies and if necessary rebuilds the
   auxiliary structures.  Completed allocations are never touched by that.  None of the functions is
   async signal safe, and fork is safe as long as no thread of the parent is inside an operation.
   Known limits: a dead owner whose process id the system has given to another process meanwhile
   looks alive, so does one in another pid namespace, and a process that execs inside an operation.

   Errors: "logs" means one WARNING; everything else is silent.  Messages of hot paths carry no
   per-call values, so that the log's duplicate suppression works on them. */

#include "../checkpt/fd_checkpt.h"
#include "../shmem/fd_shmem.h"
#include "../tpool/fd_tpool.h"

/* Status codes.  fd_wksp_strerror gives "success", "inval", "fail" and "corrupt". */

#define FD_WKSP_SUCCESS     (0)
#define FD_WKSP_ERR_INVAL   (-1) /* bad argument, nothing happened */
#define FD_WKSP_ERR_FAIL    (-2) /* could not be done, nothing happened */
#define FD_WKSP_ERR_CORRUPT (-3) /* inconsistent wksp or damaged checkpoint */

#define FD_WKSP_ALIGN         (128UL)
#define FD_WKSP_ALIGN_DEFAULT (4096UL) /* alignment of an allocation asked with align 0 */

/* Room for "name:gaddr" in any wksp, with the terminator. */
#define FD_WKSP_CSTR_MAX (FD_SHMEM_NAME_MAX + 21UL)

/* Constant expression form of fd_wksp_footprint, for arguments for which that is not 0: 128 bytes
   of header, 64 per partition, the data region and one byte so that gaddr_hi is inside as well. */
#define FD_WKSP_FOOTPRINT(part_max, data_max)                                                      \
  FD_ULONG_ALIGN_UP(128UL + 64UL * (ulong)(part_max) + (ulong)(data_max) + 1UL, FD_WKSP_ALIGN)

/* Checkpoint styles.  All of them are one container (docs/wksp-checkpoint.md): V1 and V2 hold the
   bytes as they are, V3 LZ4 compressed.  DEFAULT picks V3 if LZ4 is there, else V2. */

#define FD_WKSP_CHECKPT_STYLE_DEFAULT (0)
#define FD_WKSP_CHECKPT_STYLE_V1      (1)
#define FD_WKSP_CHECKPT_STYLE_V2      (2)
#define FD_WKSP_CHECKPT_STYLE_V3      (3)
#define FD_WKSP_CHECKPT_STYLE_RAW     FD_WKSP_CHECKPT_STYLE_V1

struct fd_wksp_private;
typedef struct fd_wksp_private fd_wksp_t;

/* Sizes in bytes, counts in partitions.  No padding: may be compared bytewise. */
struct fd_wksp_usage {
  ulong total_max; /* partitions there can be */
  ulong total_cnt; /* partitions there are, in [1,total_max] */
  ulong total_sz;  /* data_max */
  ulong free_cnt;  /* untagged partitions */
  ulong free_sz;
  ulong used_cnt; /* partitions whose tag is in the set asked for */
  ulong used_sz;
};
typedef struct fd_wksp_usage fd_wksp_usage_t;

/* One partition: bytes [gaddr_lo,gaddr_hi), 0 < gaddr_lo < gaddr_hi. */
struct fd_wksp_tag_query_info {
  ulong gaddr_lo;
  ulong gaddr_hi;
  ulong tag;
};
typedef struct fd_wksp_tag_query_info fd_wksp_tag_query_info_t;

/* What a checkpoint tells about the wksp it was made of; enough to create one like it.  style is
   that of the container: 1, or 2 for V2 and V3. */
struct fd_wksp_preview {
  int style;
  uint seed;
  ulong part_max;
  ulong data_max;
  char name[FD_SHMEM_NAME_MAX];
};
typedef struct fd_wksp_preview fd_wksp_preview_t;

FD_PROTOTYPES_BEGIN

/* Non-zero silences the out-of-space log of allocations made by this thread. */
extern FD_TL int fd_wksp_oom_silent;

/* Sizing
 * ******************************************************************************************/

/* Partitions to provision so that, in footprint bytes (rounded down to FD_WKSP_ALIGN), each has its
   record and sz_typical bytes.  At most 2^32-1.  0 if footprint is too small, sz_typical is 0 or
   record+sz_typical overflows.  Silent. */
FD_FN_CONST ulong fd_wksp_part_max_est(ulong footprint, ulong sz_typical);

/* Largest data_max with fd_wksp_footprint( part_max, data_max )<=footprint, 0 if there is none or
   part_max is not in [1,2^32-1].  Silent. */
FD_FN_CONST ulong fd_wksp_data_max_est(ulong footprint, ulong part_max);

/* Alignment and size in bytes of the memory a wksp needs.  footprint is 0 for part_max not in
   [1,2^32-1], data_max 0 or overflow.  Silent. */
FD_FN_CONST ulong fd_wksp_align(void);
FD_FN_CONST ulong fd_wksp_footprint(ulong part_max, ulong data_max);

/* Life cycle
 * **************************************************************************************/

/* Formats shmem (aligned, footprint bytes; the caller keeps owning it) as an empty wksp and returns
   shmem; nobody is joined.  O(part_max): the data region is not touched.  NULL (logs) for NULL or
   misaligned shmem, an invalid name or bad sizes. */
void *fd_wksp_new(void *shmem, char const *name, uint seed, ulong part_max, ulong data_max);

/* A join is the address of the wksp.  O(1).  NULL (logs) for NULL, misaligned or no wksp. */
fd_wksp_t *fd_wksp_join(void *shwksp);

/* Returns the memory of the join; NULL (logs) for NULL. */
void *fd_wksp_leave(fd_wksp_t *wksp);

/* Makes the memory no wksp any more (whatever state its metadata is in) and returns it to the
   caller; NULL (logs) for NULL, misaligned or no wksp.  Nobody should be joined. */
void *fd_wksp_delete(void *shwksp);

/* Facts of a joined wksp, lockless.  The seed is that of the creation or of the most recent
   rebuild, reset or restore.  owner is the group id of the thread group inside an operation,
   ULONG_MAX for none, 0 under construction.  0 < gaddr_lo, gaddr_hi==gaddr_lo+data_max.  A restore
   may lower part_max and gaddr_lo to make room (see fd_wksp_restore_tpool). */
FD_FN_PURE char const *fd_wksp_name(fd_wksp_t const *wksp);
FD_FN_PURE uint fd_wksp_seed(fd_wksp_t const *wksp);
FD_FN_PURE ulong fd_wksp_part_max(fd_wksp_t const *wksp);
FD_FN_PURE ulong fd_wksp_data_max(fd_wksp_t const *wksp);
FD_FN_PURE ulong fd_wksp_gaddr_lo(fd_wksp_t const *wksp);
FD_FN_PURE ulong fd_wksp_gaddr_hi(fd_wksp_t const *wksp);
ulong fd_wksp_owner(fd_wksp_t const *wksp);

/* Infinite lifetime text of a status code, "unknown" for anything else. */
FD_FN_CONST char const *fd_wksp_strerror(int err);

/* Full check of all metadata in O(part_max): partitions tile the data region in list order, no two
   free ones adjacent, used ones are exactly those indexed by address and free ones those indexed by
   size, every other record is idle, trees are ordered and heap ordered.  SUCCESS or CORRUPT (logs
   what and where).  Does not lock: the caller knows that there are no concurrent operations. */
int fd_wksp_verify(fd_wksp_t *wksp);

/* Makes everything but the allocation records anew from them, with priorities from seed.  Never
   changes range, tag or bytes of a completed allocation, even when it fails, and may be interrupted
   anywhere and started again.  CORRUPT (logs) if the header is insane, allocations are outside the
   data region or overlap, or there are too few partitions for the gaps.  Does not lock. */
int fd_wksp_rebuild(fd_wksp_t *wksp, uint seed);

/* Addresses
 * ***************************************************************************************/

/* gaddr -> laddr.  0 gives NULL silently; NULL wksp or gaddr not in [gaddr_lo,gaddr_hi] gives NULL
   (logs).  Lockless. */
void *fd_wksp_laddr(fd_wksp_t const *wksp, ulong gaddr);

/* The inverse: NULL gives 0 silently; NULL wksp or an outside laddr gives 0 (logs).  Lockless. */
ulong fd_wksp_gaddr(fd_wksp_t const *wksp, void const *laddr);

/* The same without any check. */
static inline ulong fd_wksp_gaddr_fast(fd_wksp_t const *wksp, void const *laddr) {
  return (ulong)laddr - (ulong)wksp;
}
static inline void *fd_wksp_laddr_fast(fd_wksp_t const *wksp, ulong gaddr) {
  return (void *)((ulong)wksp + gaddr);
}

/* Allocation
 * **************************************************************************************/

/* Returns r, aligned to align in gaddr space, with [r,r+sz) in [*lo,*hi), which now belongs to the
   caller alone under tag.  align is a power of 2 or 0 for FD_WKSP_ALIGN_DEFAULT.  It succeeds
   whenever an aligned range of sz bytes is free and there are partition records to trim what is
   left around it; best fit.  Failure gives 0 and *lo=*hi=0: silent for sz 0 (checked first), logs
   for NULL wksp, bad align, tag 0, sz+align-1 overflow and no space (unless fd_wksp_oom_silent).
   Locks; O(log n) expected while space is not scarce.  The memory is not cleared. */
ulong fd_wksp_alloc_at_least(fd_wksp_t *wksp, ulong align, ulong sz, ulong tag, ulong *lo,
                             ulong *hi);
static inline ulong fd_wksp_alloc(fd_wksp_t *wksp, ulong align, ulong sz, ulong tag) {
  ulong lo;
  ulong hi;
  return fd_wksp_alloc_at_least(wksp, align, sz, tag, &lo, &hi);
}

/* Frees the allocation that contains byte gaddr, whoever made it, and coalesces at once.  gaddr 0
   and a byte that no allocation contains: silent, no effect.  NULL wksp logs.  Locks, O(log n). */
void fd_wksp_free(fd_wksp_t *wksp, ulong gaddr);

/* Tag of the allocation that contains byte gaddr, 0 if none does.  Silent.  Locks, O(log n). */
ulong fd_wksp_tag(fd_wksp_t *wksp, ulong gaddr);

/* Counts the partitions whose tag is among tag[0,tag_cnt) (each once; a 0 there matches free ones)
   and describes the first min( count, info_max ) in ascending order.  tag_cnt 0 gives 0 silently;
   NULL wksp, NULL tag, NULL info with info_max>0 or a damaged list give 0 (logs).  Locks,
   O(partitions * tag_cnt). */
ulong fd_wksp_tag_query(fd_wksp_t *wksp, ulong const *tag, ulong tag_cnt,
                        fd_wksp_tag_query_info_t *info, ulong info_max);

/* Frees every allocation whose tag is among tag[0,tag_cnt), in one hold of the lock; 0 there
   matches nothing.  tag_cnt 0 silent; NULL wksp or NULL tag logs, as does a damaged list, behind
   which nothing is freed. */
void fd_wksp_tag_free(fd_wksp_t *wksp, ulong const *tag, ulong tag_cnt);

/* Fills the whole range [*lo,*hi) of the allocation that contains gaddr with byte c, atomically
   with respect to other operations.  NULL wksp or not an allocation: logs, no effect (gaddr 0
   silent). */
void fd_wksp_memset(fd_wksp_t *wksp, ulong gaddr, int c);

/* Frees everything; seed becomes current.  NULL logs.  Locks, O(part_max).  All or nothing if the
   caller is killed in it. */
void fd_wksp_reset(fd_wksp_t *wksp, uint seed);

/* Fills *usage with one atomic snapshot and returns usage (NULL gives NULL, logs).  used_* covers
   the partitions whose tag is in the set; a 0 in it counts the free ones there as well.  NULL wksp
   or NULL tag with tag_cnt>0 and a damaged list give all zeros (logs).  Locks,
   O(partitions * tag_cnt). */
fd_wksp_usage_t *fd_wksp_usage(fd_wksp_t *wksp, ulong const *tag, ulong tag_cnt,
                               fd_wksp_usage_t *usage);

/* Workspaces in shared memory
 * *********************************************************************/

/* Creates shared region name of sum( sub_page_cnt ) pages, each sub range near sub_cpu_idx, with
   mode, and formats it as wksp name with opt_part_max partitions (0: part_max_est for 64 KiB).
   INVAL for bad arguments, FAIL if the region could not be made; both log and leave nothing behind.
 */
int fd_wksp_new_named(char const *name, ulong page_sz, ulong sub_cnt, ulong const *sub_page_cnt,
                      ulong const *sub_cpu_idx, ulong mode, uint seed, ulong opt_part_max);

/* Deletes wksp name and unlinks its region.  FAIL (logs) if it cannot. */
int fd_wksp_delete_named(char const *name);

/* The same in pages of this process only, joined and known to fd_shmem under name.  NULL (logs) on
   any error.  The caller frees it with fd_wksp_delete_anon. */
fd_wksp_t *fd_wksp_new_anon(char const *name, ulong page_sz, ulong sub_cnt,
                            ulong const *sub_page_cnt, ulong const *sub_cpu_idx, uint seed,
                            ulong opt_part_max);

/* Logs and does nothing for NULL or anything that is not a current anonymous join; the handle
   itself is never read, as its pages may be gone. */
void fd_wksp_delete_anon(fd_wksp_t *wksp);

static inline fd_wksp_t *fd_wksp_new_anonymous(ulong page_sz, ulong page_cnt, ulong cpu_idx,
                                               char const *name, ulong opt_part_max) {
  return fd_wksp_new_anon(name, page_sz, 1UL, &page_cnt, &cpu_idx, 0U, opt_part_max);
}
static inline void fd_wksp_delete_anonymous(fd_wksp_t *wksp) { fd_wksp_delete_anon(wksp); }

/* Joins the named or anonymous wksp name; reference counted, one handle per process.  NULL (logs)
   on failure. */
fd_wksp_t *fd_wksp_attach(char const *name);

/* Gives one attachment back.  0, or non-zero (logs) for NULL or what is not attached. */
int fd_wksp_detach(fd_wksp_t *wksp);

/* The attached wksp that laddr points into, NULL if none.  Silent for any pointer. */
fd_wksp_t *fd_wksp_containing(void const *laddr);

/* fd_wksp_alloc / fd_wksp_free with pointers.  Freeing NULL is silent, a pointer that is in no wksp
   logs, a repeated free is harmless. */
void *fd_wksp_alloc_laddr(fd_wksp_t *wksp, ulong align, ulong sz, ulong tag);
void fd_wksp_free_laddr(void *laddr);

/* Positions as text "name:gaddr"
 * ******************************************************************/

/* Writes the text form to out (FD_WKSP_CSTR_MAX bytes) and returns out.  NULL (logs) if wksp or out
   is NULL, gaddr is neither 0 nor in [gaddr_lo,gaddr_hi], or laddr is in no wksp. */
char *fd_wksp_cstr(fd_wksp_t const *wksp, ulong gaddr, char *out);
char *fd_wksp_cstr_laddr(void const *laddr, char *out);

/* Attaches wksp name, allocates, detaches and writes the text form to out.  sz 0 writes "name:0".
   NULL (logs) and out untouched on failure. */
char *fd_wksp_cstr_alloc(char const *name, ulong align, ulong sz, ulong tag, char *out);

/* free / tag / memset of the position named by cstr.  Bad cstr or unknown wksp: logs, no effect /
 * 0. */
void fd_wksp_cstr_free(char const *cstr);
ulong fd_wksp_cstr_tag(char const *cstr);
void fd_wksp_cstr_memset(char const *cstr, int c);

/* laddr of the position named by cstr; holds one attachment until fd_wksp_unmap of any laddr in
   that wksp.  map: NULL (logs) on failure.  unmap: NULL silent, foreign pointer logs. */
void *fd_wksp_map(char const *cstr);
void fd_wksp_unmap(void const *laddr);

/* Objects named by a pod (../pod/fd_pod.h) that is at position cstr: attach joins the pod and holds
   one attachment of its wksp until detach, map does so for the object whose position is the cstr at
   path, until unmap.  Every failure is an FD_LOG_ERR, so none returns NULL. */
uchar const *fd_wksp_pod_attach(char const *cstr);
void fd_wksp_pod_detach(uchar const *pod);
void *fd_wksp_pod_map(uchar const *pod, char const *path);
void fd_wksp_pod_unmap(void *obj);

/* Makes the whole wksp read only (flag 1) or writable (flag 0) in this process.  Bad arguments log.
 */
void fd_wksp_mprotect(fd_wksp_t *wksp, int flag);

/* Checkpoint and restore
 * **************************************************************************/

/* Writes tag, exact range and bytes of every allocation to a new file path, which gets exactly mode
   (no umask) and appears under that name only when it is complete and on stable storage.  The
   calling thread is thread t0 of tpool, threads (t0,t1) are idle and help; tpool may be NULL if
   t1==t0+1. uinfo (NULL is "") is stored up to 16383 characters.  The wksp is locked while its
   bytes are read, not while the file is completed.  INVAL for NULL wksp or path, a mode that is no
   mode_t, an unsupported style or bad threads; CORRUPT for an inconsistent wksp; FAIL if path
   exists or for an I/O error.  Errors log and leave no file. */
int fd_wksp_checkpt_tpool(fd_tpool_t *tpool, ulong t0, ulong t1, fd_wksp_t *wksp, char const *path,
                          ulong mode, int style, char const *uinfo);
static inline int fd_wksp_checkpt(fd_wksp_t *wksp, char const *path, ulong mode, int style,
                                  char const *uinfo) {
  return fd_wksp_checkpt_tpool(NULL, 0UL, 1UL, wksp, path, mode, style, uinfo);
}

/* Replaces all allocations of wksp by those of the checkpoint at their gaddrs and rebuilds with
   seed. Threads as above, independent of those that wrote.  Page size, part_max and data_max may
   differ from the wksp the checkpoint was made of, as long as the ranges fit below gaddr_hi and
   there are enough partitions for allocations and gaps.  If an allocation lies below gaddr_lo,
   because wksp has more partition records, wksp permanently gives up as many of its records as
   overlap it.  INVAL for NULL or bad threads; FAIL: wksp untouched; CORRUPT: the checkpoint is
   damaged at the logged offset, wksp is now empty (untouched if fd_wksp_preview calls the file
   CORRUPT too).  Errors log.  A killed restore leaves an empty wksp. */
int fd_wksp_restore_tpool(fd_tpool_t *tpool, ulong t0, ulong t1, fd_wksp_t *wksp, char const *path,
                          uint seed);
static inline int fd_wksp_restore(fd_wksp_t *wksp, char const *path, uint seed) {
  return fd_wksp_restore_tpool(NULL, 0UL, 1UL, wksp, path, seed);
}

/* SUCCESS fills *opt_preview (may be NULL); INVAL NULL path, FAIL unreadable, CORRUPT not a
   checkpoint: *opt_preview unchanged.  Silent. */
int fd_wksp_preview(char const *path, fd_wksp_preview_t *opt_preview);

/* Prints what the checkpoint at path holds to file descriptor fd: verbose <0 nothing, 0 what
   preview tells, 1 also who wrote it when, 2 also build and user info, 3 also a summary, 4 also one
   line per allocation, >4 also a hex dump of each.  Returns characters printed or negative (logs).
 */
int fd_wksp_printf(int fd, char const *path, int verbose);

FD_PROTOTYPES_END

#endif
