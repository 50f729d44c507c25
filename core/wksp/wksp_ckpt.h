#ifndef HEADER_core_wksp_wksp_ckpt_h
#define HEADER_core_wksp_wksp_ckpt_h

/* The checkpoint container as docs/wksp-checkpoint.md describes it, what its writer, its reader and
   its printer share, and the table of the OS calls they make.

   The bytes of all allocations in ascending order are one stream, cut into frames of frame_sz
   bytes. So one thread has one frame at a time to do whatever the sizes of the allocations are, and
   which bytes of which allocations a frame holds follows from the allocation table alone. */

#include <sys/stat.h>
#include <sys/types.h>

#include "wksp_internal.h"

#define WKSP_CKPT_MAGIC    (0xfd77c4b17a90e101UL)
#define WKSP_CKPT_TRAILER  (0xfd77c4b17a90e1f1UL)
#define WKSP_CKPT_VERSION  (1U)
#define WKSP_CKPT_FRAME_SZ (1UL << 20)
#define WKSP_CKPT_CHUNK_SZ (1UL << 18) /* unit of checksums and of I/O */
#define WKSP_CKPT_STR_CNT  10UL
#define WKSP_CKPT_STR_MAX  16384UL /* of one string with its terminator */

typedef struct {
  ulong magic;
  uint version;
  int style;       /* FD_WKSP_CHECKPT_STYLE_V1 .. V3 */
  int frame_style; /* FD_CHECKPT_FRAME_STYLE_RAW or _LZ4 */
  uint seed;
  ulong part_max;
  ulong data_max;
  char name[FD_SHMEM_NAME_MAX];
  ulong info_sz;  /* of the info block, which follows */
  ulong frame_sz; /* bytes of the stream in each frame but the last */
  ulong reserved[3];
  ulong check; /* fd_hash( 0, all of the above ) */
} wksp_ckpt_header_t;

/* Info block: this, the strings app thread host cpu group user path name binfo uinfo each with its
   terminator, and fd_hash( 0, all that ). */
typedef struct {
  ulong mode;
  long wallclock;
  ulong app_id;
  ulong thread_id;
  ulong host_id;
  ulong cpu_id;
  ulong group_id;
  ulong tid;
  ulong user_id;
} wksp_ckpt_info_t;

typedef struct {
  ulong tag;
  ulong gaddr_lo;
  ulong gaddr_hi;
} wksp_ckpt_alloc_t;

typedef struct {
  ulong off;
  ulong sz;
  ulong check; /* of the stored bytes, chained over chunks */
} wksp_ckpt_frame_t;

/* The index (alloc_cnt allocations, then frame_cnt frames) ends where the footer begins. */
typedef struct {
  ulong alloc_cnt;
  ulong frame_cnt;
  ulong stream_sz;
  ulong index_off;
  ulong index_check;
  ulong file_sz;
  ulong trailer;
  ulong check; /* fd_hash( 0, all of the above ) */
} wksp_ckpt_footer_t;

FD_STATIC_ASSERT(sizeof(wksp_ckpt_header_t) == 128UL, ckpt_header);
FD_STATIC_ASSERT(sizeof(wksp_ckpt_info_t) == 72UL, ckpt_info);
FD_STATIC_ASSERT(sizeof(wksp_ckpt_alloc_t) == 24UL, ckpt_alloc);
FD_STATIC_ASSERT(sizeof(wksp_ckpt_frame_t) == 24UL, ckpt_frame);
FD_STATIC_ASSERT(sizeof(wksp_ckpt_footer_t) == 64UL, ckpt_footer);

#define WKSP_CKPT_CHECK_OFF(T) (sizeof(T) - sizeof(ulong))

/* The OS calls of checkpoint and restore; tests replace entries to make calls fail. */
typedef struct {
  int (*open)(char const *path, int flags, mode_t mode);
  int (*fchmod)(int fd, mode_t mode);
  ssize_t (*pread)(int fd, void *buf, size_t sz, off_t off);
  ssize_t (*pwrite)(int fd, void const *buf, size_t sz, off_t off);
  int (*fsync)(int fd);
  int (*rename_new)(char const *from, char const *to); /* fails if to exists */
  int (*unlink)(char const *path);
} wksp_os_t;
extern wksp_os_t wksp_os;

/* Transfer exactly sz bytes at off: 0, an errno, or -1 if the file ends before. */
int wksp_ckpt_pread(int fd, void *buf, ulong sz, ulong off);
int wksp_ckpt_pwrite(int fd, void const *buf, ulong sz, ulong off);

/* Checksum of a frame, from that of the chunks before. */
static inline ulong wksp_ckpt_chain(ulong check, void const *chunk, ulong sz) {
  return fd_hash(check, chunk, sz);
}

/* All that a checkpoint holds besides the bytes of the allocations. */
typedef struct {
  int fd;
  wksp_ckpt_header_t header;
  wksp_ckpt_footer_t footer;
  char *info;  /* info block: wksp_ckpt_info_t and strings */
  void *index; /* heap; the two tables are in it */
  wksp_ckpt_alloc_t *alloc;
  wksp_ckpt_frame_t *frame;
  ulong *stream; /* stream[i]: stream offset of allocation i; alloc_cnt+1 of them */
  ulong bad_off; /* where the first damage was met */
} wksp_ckpt_t;

/* Opens and checks a checkpoint: SUCCESS, FAIL or CORRUPT (bad_off tells where).  Silent.  To be
   closed in any case. */
int wksp_ckpt_open(wksp_ckpt_t *ckpt, char const *path);
void wksp_ckpt_close(wksp_ckpt_t *ckpt);

/* Fills ckpt->stream (heap) from the allocation table; 0 if there is no memory. */
int wksp_ckpt_stream_init(wksp_ckpt_t *ckpt);

/* Walks the pieces of allocations that make up stream range [off,off+sz). */
typedef struct {
  ulong alloc;
  ulong off;
  ulong rem;
} wksp_ckpt_walk_t;

void wksp_ckpt_walk_init(wksp_ckpt_walk_t *walk, wksp_ckpt_t const *ckpt, ulong off, ulong sz);

/* Next piece of at most max bytes: its gaddr, and its size in *sz. */
ulong wksp_ckpt_walk_next(wksp_ckpt_walk_t *walk, wksp_ckpt_t const *ckpt, ulong max, ulong *sz);

/* Bytes of the stream in frame k. */
static inline ulong wksp_ckpt_frame_stream_sz(wksp_ckpt_t const *ckpt, ulong k) {
  ulong off = k * ckpt->header.frame_sz;
  return fd_ulong_min(ckpt->header.frame_sz, ckpt->footer.stream_sz - off);
}

/* Frames handed out to threads one by one.  do_frame returns 0 or a status that stops all. */
typedef struct wksp_ckpt_job wksp_ckpt_job_t;
struct wksp_ckpt_job {
  wksp_ckpt_t *ckpt;
  fd_wksp_t *wksp;
  int (*do_frame)(wksp_ckpt_job_t *job, ulong k, void *scratch);
  ulong next;      /* next frame to hand out */
  ulong write_off; /* where the next compressed frame goes */
  ulong bad_frame; /* a frame that failed */
  int err;
};

/* Per-thread memory a job's do_frame gets. */
typedef struct {
  uchar raw[WKSP_CKPT_FRAME_SZ];
  uchar packed[WKSP_CKPT_FRAME_SZ + WKSP_CKPT_FRAME_SZ / 128UL + 4096UL];
  union {
    fd_checkpt_t checkpt;
    fd_restore_t restore;
  } codec;
} wksp_ckpt_scratch_t;

/* Decompresses packed_sz bytes of scratch->packed to exactly sz bytes at dst: 0 or CORRUPT. */
int wksp_ckpt_unpack(wksp_ckpt_scratch_t *scratch, ulong packed_sz, void *dst, ulong sz);

/* Does all frames on threads [t0,t1) of tpool, of which the caller is t0.  First error or 0. */
int wksp_ckpt_run(wksp_ckpt_job_t *job, fd_tpool_t *tpool, ulong t0, ulong t1);

/* 1 iff the thread range of a *_tpool function can be used. */
static inline int wksp_ckpt_threads_ok(fd_tpool_t const *tpool, ulong t0, ulong t1) {
  return t0 < t1 && (tpool || t1 - t0 == 1UL);
}

#endif
