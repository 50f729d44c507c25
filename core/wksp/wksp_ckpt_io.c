/* What writing and reading a checkpoint have in common: complete transfers, the walk over the
   pieces of a frame, and the distribution of frames over threads. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "wksp_ckpt.h"

static int os_open(char const *path, int flags, mode_t mode) { return open(path, flags, mode); }

static int os_rename_new(char const *from, char const *to) {
  if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE)) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  /* a file system without RENAME_NOREPLACE; link refuses an existing name as well */
  if (link(from, to)) return -1;
  unlink(from);
  return 0;
}

wksp_os_t wksp_os = {os_open, fchmod, pread, pwrite, fsync, os_rename_new, unlink};

int wksp_ckpt_pread(int fd, void *buf, ulong sz, ulong off) {
  for (ulong done = 0UL; done < sz;) {
    ssize_t n = wksp_os.pread(fd, (uchar *)buf + done, sz - done, (off_t)(off + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : -1;
    done += (ulong)n;
  }
  return 0;
}

int wksp_ckpt_pwrite(int fd, void const *buf, ulong sz, ulong off) {
  for (ulong done = 0UL; done < sz;) {
    ssize_t n = wksp_os.pwrite(fd, (uchar const *)buf + done, sz - done, (off_t)(off + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : EIO;
    done += (ulong)n;
  }
  return 0;
}

int wksp_ckpt_stream_init(wksp_ckpt_t *ckpt) {
  ulong cnt = ckpt->footer.alloc_cnt;
  ckpt->stream = malloc((cnt + 1UL) * sizeof(ulong));
  if (FD_UNLIKELY(!ckpt->stream)) return 0;
  ckpt->stream[0] = 0UL;
  for (ulong i = 0UL; i < cnt; i++)
    ckpt->stream[i + 1UL] = ckpt->stream[i] + ckpt->alloc[i].gaddr_hi - ckpt->alloc[i].gaddr_lo;
  return 1;
}

void wksp_ckpt_walk_init(wksp_ckpt_walk_t *walk, wksp_ckpt_t const *ckpt, ulong off, ulong sz) {
  ulong lo = 0UL;
  ulong hi = ckpt->footer.alloc_cnt;
  while (hi - lo > 1UL) { /* stream[ lo ]<=off<stream[ hi ] */
    ulong mid = lo + (hi - lo) / 2UL;
    if (ckpt->stream[mid] <= off)
      lo = mid;
    else
      hi = mid;
  }
  walk->alloc = lo;
  walk->off = off;
  walk->rem = sz;
}

ulong wksp_ckpt_walk_next(wksp_ckpt_walk_t *walk, wksp_ckpt_t const *ckpt, ulong max, ulong *sz) {
  ulong in_alloc = walk->off - ckpt->stream[walk->alloc];
  ulong n = fd_ulong_min(ckpt->stream[walk->alloc + 1UL] - walk->off, walk->rem);
  n = fd_ulong_min(n, max);
  ulong gaddr = ckpt->alloc[walk->alloc].gaddr_lo + in_alloc;
  walk->off += n;
  walk->rem -= n;
  if (walk->off == ckpt->stream[walk->alloc + 1UL]) walk->alloc++;
  *sz = n;
  return gaddr;
}

int wksp_ckpt_unpack(wksp_ckpt_scratch_t *scratch, ulong packed_sz, void *dst, ulong sz) {
  fd_restore_t *codec = fd_restore_init_mmio(&scratch->codec.restore, scratch->packed, packed_sz);
  int err = !codec || fd_restore_open(codec, FD_CHECKPT_FRAME_STYLE_LZ4) ||
            fd_restore_data(codec, dst, sz) || fd_restore_close(codec);
  fd_restore_fini(codec);
  return err ? FD_WKSP_ERR_CORRUPT : 0;
}

/* One thread's share: takes frames until there are none or something failed. */
static void job_thread(wksp_ckpt_job_t *job) {
  wksp_ckpt_scratch_t *scratch = malloc(sizeof(*scratch));
  int err = scratch ? 0 : FD_WKSP_ERR_FAIL;
  ulong k = 0UL;
  while (!err && !__atomic_load_n(&job->err, __ATOMIC_RELAXED)) {
    k = __atomic_fetch_add(&job->next, 1UL, __ATOMIC_RELAXED);
    if (k >= job->ckpt->footer.frame_cnt) break;
    err = job->do_frame(job, k, scratch);
  }
  int none = 0;
  /* the caller reads both after the pool's join; bad_frame is the winner's alone */
  if (FD_UNLIKELY(err) &&
      __atomic_compare_exchange_n(&job->err, &none, err, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    job->bad_frame = k;
  free(scratch);
}

static void job_task(void *tpool, ulong t0, ulong t1, void *args, void *reduce, ulong stride,
                     ulong l0, ulong l1, ulong m0, ulong m1, ulong n0, ulong n1) {
  (void)tpool, (void)t0, (void)t1, (void)reduce, (void)stride, (void)l0, (void)l1;
  (void)m0, (void)m1, (void)n0, (void)n1;
  job_thread((wksp_ckpt_job_t *)args);
}

int wksp_ckpt_run(wksp_ckpt_job_t *job, fd_tpool_t *tpool, ulong t0, ulong t1) {
  t1 = fd_ulong_min(t1, t0 + fd_ulong_max(job->ckpt->footer.frame_cnt, 1UL));
  if (t1 - t0 == 1UL)
    job_thread(job);
  else
    fd_tpool_exec_all_raw(tpool, t0, t1, job_task, tpool, job, NULL, 0UL, 0UL, 0UL);
  return job->err;
}
