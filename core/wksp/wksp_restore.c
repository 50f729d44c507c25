/* Reading a checkpoint back.  Whether it can be restored into this wksp at all is settled first.
   From then on the wksp's records are void (fd_wksp_private.discard) until all bytes are in place
   and the new records are complete, so that a failed or killed restore leaves an empty wksp. */

#include "fd/util/log/fd_log.h"
#include "valtrace/annotate.h"
#include "wksp_ckpt.h"

static int restore_failed(int err, char const *what, char const *path) {
  FD_LOG_WARNING(("wksp restore %s: %s", path ? path : "(null)", what));
  return err;
}

static int restore_corrupt(ulong off, char const *path) {
  FD_LOG_WARNING(("wksp restore %s: corrupt at offset %lu", path, off));
  return FD_WKSP_ERR_CORRUPT;
}

/* Reads chunk [done,done+n) of a frame to buf and adds it to the checksum: 0 or a status. */
static int read_chunk(wksp_ckpt_job_t *job, wksp_ckpt_frame_t const *frame, void *buf, ulong done,
                      ulong n, ulong *check) {
  int err = wksp_ckpt_pread(job->ckpt->fd, buf, n, frame->off + done);
  if (FD_UNLIKELY(err)) return err < 0 ? FD_WKSP_ERR_CORRUPT : FD_WKSP_ERR_FAIL;
  *check = wksp_ckpt_chain(*check, buf, n);
  return 0;
}

static void scatter(wksp_ckpt_job_t *job, wksp_ckpt_walk_t *walk, uchar const *buf, ulong sz) {
  while (sz) {
    ulong n;
    ulong gaddr = wksp_ckpt_walk_next(walk, job->ckpt, sz, &n);
    memcpy(fd_wksp_laddr_fast(job->wksp, gaddr), buf, n);
    buf += n;
    sz -= n;
  }
}

/* Where the next sz bytes of the stream go if they go to one place, else NULL. */
static void *one_place(wksp_ckpt_job_t *job, wksp_ckpt_walk_t *walk, ulong sz) {
  wksp_ckpt_walk_t save = *walk;
  ulong n;
  ulong gaddr = wksp_ckpt_walk_next(walk, job->ckpt, sz, &n);
  if (n == sz) return fd_wksp_laddr_fast(job->wksp, gaddr);
  *walk = save;
  return NULL;
}

static int read_raw_frame(wksp_ckpt_job_t *job, ulong k, void *_scratch) {
  wksp_ckpt_scratch_t *scratch = (wksp_ckpt_scratch_t *)_scratch;
  wksp_ckpt_frame_t const *frame = job->ckpt->frame + k;
  ulong check = 0UL;
  wksp_ckpt_walk_t walk;
  wksp_ckpt_walk_init(&walk, job->ckpt, k * WKSP_CKPT_FRAME_SZ, frame->sz);
  for (ulong done = 0UL; done < frame->sz;) {
    ulong n = fd_ulong_min(frame->sz - done, WKSP_CKPT_CHUNK_SZ);
    void *dst = one_place(job, &walk, n);
    int err = read_chunk(job, frame, dst ? dst : scratch->raw, done, n, &check);
    if (FD_UNLIKELY(err)) return err;
    if (!dst) scatter(job, &walk, scratch->raw, n);
    done += n;
  }
  return check == frame->check ? 0 : FD_WKSP_ERR_CORRUPT;
}

static int read_lz4_frame(wksp_ckpt_job_t *job, ulong k, void *_scratch) {
  wksp_ckpt_scratch_t *scratch = (wksp_ckpt_scratch_t *)_scratch;
  wksp_ckpt_frame_t const *frame = job->ckpt->frame + k;
  ulong sz = wksp_ckpt_frame_stream_sz(job->ckpt, k);
  ulong check = 0UL;
  for (ulong done = 0UL; done < frame->sz; done += WKSP_CKPT_CHUNK_SZ) {
    ulong n = fd_ulong_min(frame->sz - done, WKSP_CKPT_CHUNK_SZ);
    int err = read_chunk(job, frame, scratch->packed + done, done, n, &check);
    if (FD_UNLIKELY(err)) return err;
  }
  if (FD_UNLIKELY(check != frame->check)) return FD_WKSP_ERR_CORRUPT;
  wksp_ckpt_walk_t walk;
  wksp_ckpt_walk_init(&walk, job->ckpt, k * WKSP_CKPT_FRAME_SZ, sz);
  void *dst = one_place(job, &walk, sz);
  int err = wksp_ckpt_unpack(scratch, frame->sz, dst ? dst : scratch->raw, sz);
  if (!err && !dst) scatter(job, &walk, scratch->raw, sz);
  return err;
}

/* Partitions the wksp will have: its own number, or as many records as end below the lowest
   allocation. 0 if the allocations do not fit into the wksp. */
static ulong restore_part_max(wksp_ckpt_t const *ckpt, fd_wksp_t const *wksp) {
  ulong alloc_cnt = ckpt->footer.alloc_cnt;
  ulong part_max = wksp->part_max;
  if (!alloc_cnt) return part_max;
  ulong lo = ckpt->alloc[0].gaddr_lo;
  if (lo < fd_wksp_private_data_off(1UL) || ckpt->alloc[alloc_cnt - 1UL].gaddr_hi > wksp->gaddr_hi)
    return 0UL;
  part_max =
      fd_ulong_min(part_max, (lo - fd_wksp_private_pinfo_off()) / FD_WKSP_PRIVATE_PINFO_FOOTPRINT);
  ulong need = alloc_cnt;
  ulong end = fd_wksp_private_data_off(part_max);
  for (ulong i = 0UL; i < alloc_cnt; i++) {
    need += (ulong)(ckpt->alloc[i].gaddr_lo > end);
    end = ckpt->alloc[i].gaddr_hi;
  }
  need += (ulong)(end < wksp->gaddr_hi);
  return need <= part_max ? part_max : 0UL;
}

/* Under the lock: from the point of no return on.  0 or what the frames failed with. */
static int restore_replace(wksp_ckpt_job_t *job, ulong part_max, uint seed, fd_tpool_t *tpool,
                           ulong t0, ulong t1) {
  fd_wksp_t *wksp = job->wksp;
  wksp_ckpt_t *ckpt = job->ckpt;
  vt_heap_restore(wksp);
  wksp_discard_begin(wksp, part_max);
  wksp_discard_apply(wksp);
  wksp_unpoison(wksp, wksp->gaddr_lo, wksp->gaddr_hi); /* to be written */
  int err = wksp_ckpt_run(job, tpool, t0, t1);
  if (FD_LIKELY(!err)) {
    fd_wksp_private_pinfo_t *pinfo = fd_wksp_private_pinfo(wksp);
    for (ulong i = 0UL; i < ckpt->footer.alloc_cnt; i++) {
      pinfo[i].gaddr_lo = ckpt->alloc[i].gaddr_lo;
      pinfo[i].gaddr_hi = ckpt->alloc[i].gaddr_hi;
      pinfo[i].tag = ckpt->alloc[i].tag;
    }
    wksp_discard_end(wksp);
  }
  int rebuild_err = fd_wksp_rebuild(wksp, seed);
  return err ? err : rebuild_err;
}

static int restore_locked(wksp_ckpt_t *ckpt, fd_wksp_t *wksp, char const *path, uint seed,
                          fd_tpool_t *tpool, ulong t0, ulong t1) {
  if (FD_UNLIKELY(!fd_wksp_private_header_is_sane(wksp)))
    return restore_failed(FD_WKSP_ERR_FAIL, "bad wksp header", path);
  ulong part_max = restore_part_max(ckpt, wksp);
  if (FD_UNLIKELY(!part_max))
    return restore_failed(FD_WKSP_ERR_FAIL, "allocations do not fit into this wksp", path);
  int lz4 = ckpt->header.frame_style == FD_CHECKPT_FRAME_STYLE_LZ4;
  wksp_ckpt_job_t job = {
      .ckpt = ckpt, .wksp = wksp, .do_frame = lz4 ? read_lz4_frame : read_raw_frame};
  int err = restore_replace(&job, part_max, seed, tpool, t0, t1);
  if (FD_LIKELY(!err)) return FD_WKSP_SUCCESS;
  if (job.err == FD_WKSP_ERR_CORRUPT) return restore_corrupt(ckpt->frame[job.bad_frame].off, path);
  return restore_failed(FD_WKSP_ERR_CORRUPT, "can not read; wksp is empty now", path);
}

int fd_wksp_restore_tpool(fd_tpool_t *tpool, ulong t0, ulong t1, fd_wksp_t *wksp, char const *path,
                          uint seed) {
  if (FD_UNLIKELY(!wksp || !path || !wksp_ckpt_threads_ok(tpool, t0, t1)))
    return restore_failed(FD_WKSP_ERR_INVAL, "bad argument", path);
  wksp_ckpt_t ckpt[1];
  int err = wksp_ckpt_open(ckpt, path);
  if (FD_UNLIKELY(err == FD_WKSP_ERR_CORRUPT))
    restore_corrupt(ckpt->bad_off, path);
  else if (FD_UNLIKELY(err))
    restore_failed(err, "can not open or read", path);
  else if (FD_UNLIKELY(!FD_HAS_LZ4 && ckpt->header.frame_style == FD_CHECKPT_FRAME_STYLE_LZ4))
    err = restore_failed(FD_WKSP_ERR_FAIL, "LZ4 is not supported", path);
  else if (FD_UNLIKELY(fd_wksp_private_lock(wksp)))
    err = restore_failed(FD_WKSP_ERR_FAIL, "wksp can not be repaired", path);
  else {
    err = restore_locked(ckpt, wksp, path, seed, tpool, t0, t1);
    fd_wksp_private_unlock(wksp);
  }
  wksp_ckpt_close(ckpt);
  return err;
}
