/* Writing a checkpoint.  It grows under a temporary name whose header is written last, and gets its
   name when it is on stable storage, so that nothing unfinished can be taken for a checkpoint.  The
   wksp is locked from the snapshot of the allocation table until the last frame has left memory. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fd/util/io/fd_io.h"
#include "fd/util/log/fd_log.h"
#include "wksp_ckpt.h"

#define TMP_PATH_MAX 4200UL

static int checkpt_failed(int err, char const *what, char const *path, int os_err) {
  if (os_err)
    FD_LOG_WARNING(("wksp checkpt %s: %s (%i-%s)", path ? path : "(null)", what, os_err,
                    fd_io_strerror(os_err)));
  else
    FD_LOG_WARNING(("wksp checkpt %s: %s", path ? path : "(null)", what));
  return err;
}

/* Splits path into the folder (with slash) it names a file in and makes a name there that is free
   of collisions between processes and between calls of one process. */
static int checkpt_tmp_path(char const *path, char *tmp) {
  static ulong call_cnt;
  char const *slash = strrchr(path, '/');
  int dir = slash ? (int)(slash + 1 - path) : 0;
  int len = snprintf(tmp, TMP_PATH_MAX, "%.*s.wksp-checkpt.%lu.%lu.tmp", dir, path,
                     fd_log_group_id(), __atomic_fetch_add(&call_cnt, 1UL, __ATOMIC_RELAXED));
  return len > 0 && (ulong)len < TMP_PATH_MAX;
}

/* Creates the temporary file; a leftover of a killed process with our id is in the way at most
 * once. */
static int checkpt_create(char const *path, char *tmp, ulong mode) {
  struct stat st;
  if (FD_UNLIKELY(!lstat(path, &st))) {
    checkpt_failed(0, "file exists", path, EEXIST);
    return -1;
  }
  int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
  int fd = -1;
  for (int try = 0; try < 16 && fd < 0; try++) {
    if (FD_UNLIKELY(!checkpt_tmp_path(path, tmp)))
      errno = ENAMETOOLONG;
    else
      fd = wksp_os.open(tmp, flags, (mode_t)0600);
    if (fd < 0 && errno != EEXIST) break;
  }
  if (FD_UNLIKELY(fd < 0))
    checkpt_failed(0, "can not create", path, errno);
  else if (FD_UNLIKELY(wksp_os.fchmod(fd, (mode_t)mode))) {
    checkpt_failed(0, "can not set mode", path, errno);
    close(fd);
    wksp_os.unlink(tmp);
    fd = -1;
  }
  return fd;
}

static char *checkpt_append_str(char *p, char const *str) {
  ulong len = str ? fd_cstr_nlen(str, WKSP_CKPT_STR_MAX - 1UL) : 0UL;
  memcpy(p, str ? str : "", len);
  p[len] = '\0';
  return p + len + 1UL;
}

/* The info block on the heap, its size in *sz. */
static char *checkpt_info(fd_wksp_t const *wksp, char const *path, ulong mode, char const *uinfo,
                          ulong *sz) {
  char *info =
      malloc(sizeof(wksp_ckpt_info_t) + WKSP_CKPT_STR_CNT * WKSP_CKPT_STR_MAX + sizeof(ulong));
  if (FD_UNLIKELY(!info)) return NULL;
  wksp_ckpt_info_t id = {mode,
                         fd_log_wallclock(),
                         fd_log_app_id(),
                         fd_log_thread_id(),
                         fd_log_host_id(),
                         fd_log_cpu_id(),
                         fd_log_group_id(),
                         fd_log_tid(),
                         fd_log_user_id()};
  char const *str[WKSP_CKPT_STR_CNT] = {
      fd_log_app(), fd_log_thread(), fd_log_host(),     fd_log_cpu(), fd_log_group(), fd_log_user(),
      path,         wksp->name,      fd_log_build_info, uinfo};
  memcpy(info, &id, sizeof(id));
  char *p = info + sizeof(id);
  for (ulong i = 0UL; i < WKSP_CKPT_STR_CNT; i++) p = checkpt_append_str(p, str[i]);
  ulong check = fd_hash(0UL, info, (ulong)(p - info));
  memcpy(p, &check, sizeof(check));
  *sz = (ulong)(p - info) + sizeof(check);
  return info;
}

/* Copies the allocation table; the wksp has been verified. */
static int checkpt_snapshot(wksp_ckpt_t *ckpt, fd_wksp_t *wksp) {
  fd_wksp_private_pinfo_t const *pinfo = fd_wksp_private_pinfo(wksp);
  ulong cnt = 0UL;
  ulong sz = 0UL;
  for (ulong i = wksp_part_first(wksp); i < wksp->part_max; i = wksp_part_next(wksp, pinfo, i)) {
    cnt += (ulong) !!pinfo[i].tag;
    sz += pinfo[i].tag ? fd_wksp_private_pinfo_sz(pinfo + i) : 0UL;
  }
  ulong frame_cnt = (sz + WKSP_CKPT_FRAME_SZ - 1UL) / WKSP_CKPT_FRAME_SZ;
  ckpt->footer.alloc_cnt = cnt;
  ckpt->footer.frame_cnt = frame_cnt;
  ckpt->footer.stream_sz = sz;
  ckpt->index = calloc(cnt + frame_cnt + 1UL, sizeof(wksp_ckpt_alloc_t));
  if (FD_UNLIKELY(!ckpt->index)) return 0;
  ckpt->alloc = (wksp_ckpt_alloc_t *)ckpt->index;
  ckpt->frame = (wksp_ckpt_frame_t *)(ckpt->alloc + cnt);
  wksp_ckpt_alloc_t *out = ckpt->alloc;
  for (ulong i = wksp_part_first(wksp); i < wksp->part_max; i = wksp_part_next(wksp, pinfo, i)) {
    fd_wksp_private_pinfo_t const *rec = pinfo + i;
    if (rec->tag) *out++ = (wksp_ckpt_alloc_t){rec->tag, rec->gaddr_lo, rec->gaddr_hi};
  }
  return wksp_ckpt_stream_init(ckpt);
}

/* Copies the next sz bytes of the stream to buf.  The checksum is made of this copy, as the owner
   of an allocation may go on writing to it. */
static void gather(wksp_ckpt_job_t *job, wksp_ckpt_walk_t *walk, uchar *buf, ulong sz) {
  while (sz) {
    ulong n;
    ulong gaddr = wksp_ckpt_walk_next(walk, job->ckpt, sz, &n);
    memcpy(buf, fd_wksp_laddr_fast(job->wksp, gaddr), n);
    buf += n;
    sz -= n;
  }
}

static ulong frames_off(wksp_ckpt_t const *ckpt) {
  return sizeof(wksp_ckpt_header_t) + ckpt->header.info_sz;
}

static int write_raw_frame(wksp_ckpt_job_t *job, ulong k, void *_scratch) {
  wksp_ckpt_scratch_t *scratch = (wksp_ckpt_scratch_t *)_scratch;
  wksp_ckpt_frame_t *frame = job->ckpt->frame + k;
  ulong off = k * WKSP_CKPT_FRAME_SZ;
  wksp_ckpt_walk_t walk;
  frame->off = frames_off(job->ckpt) + off;
  frame->sz = wksp_ckpt_frame_stream_sz(job->ckpt, k);
  wksp_ckpt_walk_init(&walk, job->ckpt, off, frame->sz);
  for (ulong done = 0UL; done < frame->sz;) {
    ulong n = fd_ulong_min(frame->sz - done, WKSP_CKPT_CHUNK_SZ);
    gather(job, &walk, scratch->raw, n);
    frame->check = wksp_ckpt_chain(frame->check, scratch->raw, n);
    if (FD_UNLIKELY(wksp_ckpt_pwrite(job->ckpt->fd, scratch->raw, n, frame->off + done)))
      return FD_WKSP_ERR_FAIL;
    done += n;
  }
  return 0;
}

/* Compresses sz bytes of scratch->raw to scratch->packed; 0 or the compressed size. */
static ulong pack(wksp_ckpt_scratch_t *scratch, ulong sz) {
  fd_checkpt_t *codec =
      fd_checkpt_init_mmio(&scratch->codec.checkpt, scratch->packed, sizeof(scratch->packed));
  ulong lo = 0UL;
  ulong hi = 0UL;
  int err = !codec || fd_checkpt_open_advanced(codec, FD_CHECKPT_FRAME_STYLE_LZ4, &lo) ||
            fd_checkpt_data(codec, scratch->raw, sz) || fd_checkpt_close_advanced(codec, &hi);
  fd_checkpt_fini(codec);
  return err ? 0UL : hi - lo;
}

static int write_lz4_frame(wksp_ckpt_job_t *job, ulong k, void *_scratch) {
  wksp_ckpt_scratch_t *scratch = (wksp_ckpt_scratch_t *)_scratch;
  wksp_ckpt_frame_t *frame = job->ckpt->frame + k;
  ulong sz = wksp_ckpt_frame_stream_sz(job->ckpt, k);
  wksp_ckpt_walk_t walk;
  wksp_ckpt_walk_init(&walk, job->ckpt, k * WKSP_CKPT_FRAME_SZ, sz);
  gather(job, &walk, scratch->raw, sz);
  frame->sz = pack(scratch, sz);
  if (FD_UNLIKELY(!frame->sz)) return FD_WKSP_ERR_FAIL;
  for (ulong done = 0UL; done < frame->sz; done += WKSP_CKPT_CHUNK_SZ)
    frame->check = wksp_ckpt_chain(frame->check, scratch->packed + done,
                                   fd_ulong_min(frame->sz - done, WKSP_CKPT_CHUNK_SZ));
  frame->off = __atomic_fetch_add(&job->write_off, frame->sz, __ATOMIC_RELAXED);
  return wksp_ckpt_pwrite(job->ckpt->fd, scratch->packed, frame->sz, frame->off) ? FD_WKSP_ERR_FAIL
                                                                                 : 0;
}

/* Index, footer, info and last the header: 0 or an errno. */
static int checkpt_write_meta(wksp_ckpt_t *ckpt, ulong frames_end) {
  wksp_ckpt_footer_t *footer = &ckpt->footer;
  wksp_ckpt_header_t *header = &ckpt->header;
  ulong index_sz = (footer->alloc_cnt + footer->frame_cnt) * sizeof(wksp_ckpt_alloc_t);
  footer->index_off = frames_end;
  footer->index_check = fd_hash(0UL, ckpt->index, index_sz);
  footer->file_sz = frames_end + index_sz + sizeof(*footer);
  footer->trailer = WKSP_CKPT_TRAILER;
  footer->check = fd_hash(0UL, footer, WKSP_CKPT_CHECK_OFF(wksp_ckpt_footer_t));
  header->check = fd_hash(0UL, header, WKSP_CKPT_CHECK_OFF(wksp_ckpt_header_t));
  int err = wksp_ckpt_pwrite(ckpt->fd, ckpt->index, index_sz, frames_end);
  if (!err) err = wksp_ckpt_pwrite(ckpt->fd, footer, sizeof(*footer), frames_end + index_sz);
  if (!err) err = wksp_ckpt_pwrite(ckpt->fd, ckpt->info, header->info_sz, sizeof(*header));
  if (!err) err = wksp_ckpt_pwrite(ckpt->fd, header, sizeof(*header), 0UL);
  if (!err && wksp_os.fsync(ckpt->fd)) err = errno;
  return err;
}

/* Makes the new name itself durable; a file system that can not is not an error. */
static void checkpt_sync_dir(char const *path) {
  char dir[TMP_PATH_MAX];
  char const *slash = strrchr(path, '/');
  if (slash && (ulong)(slash - path) >= sizeof(dir) - 2UL) return;
  snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash + 1 - path) : 1, slash ? path : ".");
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  wksp_os.fsync(fd);
  close(fd);
}

static void checkpt_header(wksp_ckpt_t *ckpt, fd_wksp_t const *wksp, int style) {
  wksp_ckpt_header_t *header = &ckpt->header;
  header->magic = WKSP_CKPT_MAGIC;
  header->version = WKSP_CKPT_VERSION;
  header->style = style;
  header->frame_style =
      style == FD_WKSP_CHECKPT_STYLE_V3 ? FD_CHECKPT_FRAME_STYLE_LZ4 : FD_CHECKPT_FRAME_STYLE_RAW;
  header->seed = wksp->seed;
  header->part_max = wksp->part_max;
  header->data_max = wksp->data_max;
  header->frame_sz = WKSP_CKPT_FRAME_SZ;
  memcpy(header->name, wksp->name, sizeof(header->name));
}

/* The part under the lock: snapshot and frames.  *end is where the frames end in the file. */
static int checkpt_frames(wksp_ckpt_t *ckpt, fd_wksp_t *wksp, int style, fd_tpool_t *tpool,
                          ulong t0, ulong t1, ulong *end) {
  if (FD_UNLIKELY(fd_wksp_private_lock(wksp))) return FD_WKSP_ERR_CORRUPT;
  int err = fd_wksp_verify(wksp);
  if (FD_LIKELY(!err)) {
    checkpt_header(ckpt, wksp, style);
    int lz4 = ckpt->header.frame_style == FD_CHECKPT_FRAME_STYLE_LZ4;
    wksp_ckpt_job_t job = {.ckpt = ckpt,
                           .wksp = wksp,
                           .write_off = frames_off(ckpt),
                           .do_frame = lz4 ? write_lz4_frame : write_raw_frame};
    err = checkpt_snapshot(ckpt, wksp) ? wksp_ckpt_run(&job, tpool, t0, t1) : FD_WKSP_ERR_FAIL;
    *end = lz4 ? job.write_off : frames_off(ckpt) + ckpt->footer.stream_sz;
  }
  fd_wksp_private_unlock(wksp);
  return err;
}

/* 0 for a style that can not be written, else the concrete style. */
static int checkpt_style(int style) {
  if (style == FD_WKSP_CHECKPT_STYLE_DEFAULT)
    return FD_HAS_LZ4 ? FD_WKSP_CHECKPT_STYLE_V3 : FD_WKSP_CHECKPT_STYLE_V2;
  if (style < FD_WKSP_CHECKPT_STYLE_V1 || style > FD_WKSP_CHECKPT_STYLE_V3) return 0;
  return style == FD_WKSP_CHECKPT_STYLE_V3 && !FD_HAS_LZ4 ? 0 : style;
}

/* Fills the temporary file and gives it its name. */
static int checkpt_write(wksp_ckpt_t *ckpt, fd_wksp_t *wksp, int style, fd_tpool_t *tpool, ulong t0,
                         ulong t1, char const *tmp, char const *path) {
  ulong end = 0UL;
  int err = checkpt_frames(ckpt, wksp, style, tpool, t0, t1, &end);
  if (FD_UNLIKELY(err == FD_WKSP_ERR_CORRUPT))
    return checkpt_failed(err, "inconsistent wksp", path, 0);
  if (FD_UNLIKELY(err)) return checkpt_failed(err, "can not write", path, 0);
  int os_err = checkpt_write_meta(ckpt, end);
  if (FD_UNLIKELY(os_err)) return checkpt_failed(FD_WKSP_ERR_FAIL, "can not write", path, os_err);
  if (FD_UNLIKELY(wksp_os.rename_new(tmp, path)))
    return checkpt_failed(FD_WKSP_ERR_FAIL, "can not rename", path, errno);
  checkpt_sync_dir(path);
  return FD_WKSP_SUCCESS;
}

int fd_wksp_checkpt_tpool(fd_tpool_t *tpool, ulong t0, ulong t1, fd_wksp_t *wksp, char const *path,
                          ulong mode, int style, char const *uinfo) {
  style = checkpt_style(style);
  if (FD_UNLIKELY(!wksp || !path || (ulong)(mode_t)mode != mode || !style ||
                  !wksp_ckpt_threads_ok(tpool, t0, t1)))
    return checkpt_failed(FD_WKSP_ERR_INVAL, "bad argument", path, 0);
  char tmp[TMP_PATH_MAX];
  wksp_ckpt_t ckpt[1] = {{.fd = checkpt_create(path, tmp, mode)}};
  if (FD_UNLIKELY(ckpt->fd < 0)) return FD_WKSP_ERR_FAIL;
  ckpt->info = checkpt_info(wksp, path, mode, uinfo, &ckpt->header.info_sz);
  int err = ckpt->info ? checkpt_write(ckpt, wksp, style, tpool, t0, t1, tmp, path)
                       : checkpt_failed(FD_WKSP_ERR_FAIL, "out of memory", path, 0);
  if (FD_UNLIKELY(err)) wksp_os.unlink(tmp);
  wksp_ckpt_close(ckpt);
  return err;
}
