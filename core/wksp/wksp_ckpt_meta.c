/* Opening a checkpoint: everything but the bytes of the allocations is read and checked here,
   before anything is done with it. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "wksp_ckpt.h"

#define INFO_SZ_MAX                                                                                \
  (sizeof(wksp_ckpt_info_t) + WKSP_CKPT_STR_CNT * WKSP_CKPT_STR_MAX + sizeof(ulong))

static int corrupt_at(wksp_ckpt_t *ckpt, ulong off) {
  ckpt->bad_off = off;
  return FD_WKSP_ERR_CORRUPT;
}

/* Reads exactly sz bytes at off; a file that ends before is damaged. */
static int read_at(wksp_ckpt_t *ckpt, void *buf, ulong sz, ulong off) {
  int err = wksp_ckpt_pread(ckpt->fd, buf, sz, off);
  if (FD_UNLIKELY(err < 0)) return corrupt_at(ckpt, off);
  return err ? FD_WKSP_ERR_FAIL : FD_WKSP_SUCCESS;
}

static int read_header(wksp_ckpt_t *ckpt) {
  wksp_ckpt_header_t *h = &ckpt->header;
  int err = read_at(ckpt, h, sizeof(*h), 0UL);
  if (FD_UNLIKELY(err)) return err;
  int lz4 = h->frame_style == FD_CHECKPT_FRAME_STYLE_LZ4;
  int ok = h->magic == WKSP_CKPT_MAGIC &&
           h->check == fd_hash(0UL, h, WKSP_CKPT_CHECK_OFF(wksp_ckpt_header_t)) &&
           h->version == WKSP_CKPT_VERSION && h->style >= FD_WKSP_CHECKPT_STYLE_V1 &&
           h->style <= FD_WKSP_CHECKPT_STYLE_V3 &&
           (lz4 || h->frame_style == FD_CHECKPT_FRAME_STYLE_RAW) && fd_shmem_name_len(h->name) &&
           fd_wksp_footprint(h->part_max, h->data_max) &&
           h->info_sz >= sizeof(wksp_ckpt_info_t) + sizeof(ulong) && h->info_sz <= INFO_SZ_MAX &&
           h->frame_sz == WKSP_CKPT_FRAME_SZ && !(h->reserved[0] | h->reserved[1] | h->reserved[2]);
  return ok ? FD_WKSP_SUCCESS : corrupt_at(ckpt, 0UL);
}

static int read_info(wksp_ckpt_t *ckpt) {
  ulong sz = ckpt->header.info_sz;
  ckpt->info = malloc(sz);
  if (FD_UNLIKELY(!ckpt->info)) return FD_WKSP_ERR_FAIL;
  int err = read_at(ckpt, ckpt->info, sz, sizeof(wksp_ckpt_header_t));
  if (FD_UNLIKELY(err)) return err;
  ulong check;
  memcpy(&check, ckpt->info + sz - sizeof(check), sizeof(check));
  ulong str_cnt = 0UL;
  for (ulong i = sizeof(wksp_ckpt_info_t); i < sz - sizeof(check); i++) str_cnt += !ckpt->info[i];
  if (FD_UNLIKELY(check != fd_hash(0UL, ckpt->info, sz - sizeof(check)) ||
                  str_cnt != WKSP_CKPT_STR_CNT))
    return corrupt_at(ckpt, sizeof(wksp_ckpt_header_t));
  return FD_WKSP_SUCCESS;
}

/* The footer, and that the file has exactly the size it tells. */
static int read_footer(wksp_ckpt_t *ckpt) {
  wksp_ckpt_footer_t *f = &ckpt->footer;
  ulong min = sizeof(wksp_ckpt_header_t) + ckpt->header.info_sz + sizeof(*f);
  struct stat st;
  if (FD_UNLIKELY(fstat(ckpt->fd, &st))) return FD_WKSP_ERR_FAIL;
  ulong file_sz = (ulong)st.st_size;
  if (FD_UNLIKELY(file_sz < min)) return corrupt_at(ckpt, file_sz);
  ulong off = file_sz - sizeof(*f);
  int err = read_at(ckpt, f, sizeof(*f), off);
  if (FD_UNLIKELY(err)) return err;
  ulong entry_max = file_sz / sizeof(wksp_ckpt_alloc_t);
  if (FD_UNLIKELY(f->trailer != WKSP_CKPT_TRAILER || f->file_sz != file_sz ||
                  f->check != fd_hash(0UL, f, WKSP_CKPT_CHECK_OFF(wksp_ckpt_footer_t)) ||
                  f->alloc_cnt > entry_max || f->frame_cnt > entry_max ||
                  f->index_off < min - sizeof(*f) || f->index_off > off ||
                  off - f->index_off != (f->alloc_cnt + f->frame_cnt) * sizeof(wksp_ckpt_alloc_t)))
    return corrupt_at(ckpt, off);
  return FD_WKSP_SUCCESS;
}

/* 1 iff allocations ascend without overlap and make up the stream, and frames lie where frames can.
 */
static int index_is_sane(wksp_ckpt_t const *ckpt) {
  wksp_ckpt_footer_t const *f = &ckpt->footer;
  ulong end = 1UL;
  ulong sum = 0UL;
  for (ulong i = 0UL; i < f->alloc_cnt; i++) {
    wksp_ckpt_alloc_t const *a = ckpt->alloc + i;
    if (!a->tag || a->gaddr_lo < end || a->gaddr_hi <= a->gaddr_lo) return 0;
    end = a->gaddr_hi;
    sum += a->gaddr_hi - a->gaddr_lo;
  }
  ulong lo = sizeof(wksp_ckpt_header_t) + ckpt->header.info_sz;
  ulong stored = 0UL;
  for (ulong k = 0UL; k < f->frame_cnt; k++) {
    wksp_ckpt_frame_t const *frame = ckpt->frame + k;
    if (frame->off < lo || frame->off > f->index_off || frame->sz > f->index_off - frame->off)
      return 0;
    if (frame->sz > sizeof(((wksp_ckpt_scratch_t *)0)->packed)) return 0;
    if (ckpt->header.frame_style == FD_CHECKPT_FRAME_STYLE_RAW &&
        frame->sz != wksp_ckpt_frame_stream_sz(ckpt, k))
      return 0;
    stored += frame->sz;
  }
  return sum == f->stream_sz && stored == f->index_off - lo &&
         f->frame_cnt == (sum + WKSP_CKPT_FRAME_SZ - 1UL) / WKSP_CKPT_FRAME_SZ;
}

static int read_index(wksp_ckpt_t *ckpt) {
  wksp_ckpt_footer_t *f = &ckpt->footer;
  ulong sz = (f->alloc_cnt + f->frame_cnt) * sizeof(wksp_ckpt_alloc_t);
  ckpt->index = malloc(sz + 1UL);
  if (FD_UNLIKELY(!ckpt->index)) return FD_WKSP_ERR_FAIL;
  ckpt->alloc = (wksp_ckpt_alloc_t *)ckpt->index;
  ckpt->frame = (wksp_ckpt_frame_t *)(ckpt->alloc + f->alloc_cnt);
  int err = read_at(ckpt, ckpt->index, sz, f->index_off);
  if (FD_UNLIKELY(err)) return err;
  if (FD_UNLIKELY(f->index_check != fd_hash(0UL, ckpt->index, sz) || !index_is_sane(ckpt)))
    return corrupt_at(ckpt, f->index_off);
  return wksp_ckpt_stream_init(ckpt) ? FD_WKSP_SUCCESS : FD_WKSP_ERR_FAIL;
}

int wksp_ckpt_open(wksp_ckpt_t *ckpt, char const *path) {
  memset(ckpt, 0, sizeof(*ckpt));
  ckpt->fd = wksp_os.open(path, O_RDONLY | O_CLOEXEC, (mode_t)0);
  if (FD_UNLIKELY(ckpt->fd < 0)) return FD_WKSP_ERR_FAIL;
  int err = read_header(ckpt);
  if (!err) err = read_info(ckpt);
  if (!err) err = read_footer(ckpt);
  if (!err) err = read_index(ckpt);
  return err;
}

void wksp_ckpt_close(wksp_ckpt_t *ckpt) {
  if (ckpt->fd >= 0) close(ckpt->fd);
  free(ckpt->info);
  free(ckpt->index);
  free(ckpt->stream);
}

int fd_wksp_preview(char const *path, fd_wksp_preview_t *opt_preview) {
  if (FD_UNLIKELY(!path)) return FD_WKSP_ERR_INVAL;
  wksp_ckpt_t ckpt[1];
  int err = wksp_ckpt_open(ckpt, path);
  if (!err && opt_preview) {
    wksp_ckpt_header_t const *h = &ckpt->header;
    memset(opt_preview, 0, sizeof(*opt_preview));
    opt_preview->style = h->style == FD_WKSP_CHECKPT_STYLE_V3 ? FD_WKSP_CHECKPT_STYLE_V2 : h->style;
    opt_preview->seed = h->seed;
    opt_preview->part_max = h->part_max;
    opt_preview->data_max = h->data_max;
    memcpy(opt_preview->name, h->name, sizeof(opt_preview->name));
  }
  wksp_ckpt_close(ckpt);
  return err;
}
