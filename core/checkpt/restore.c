/* The reading half of the codec (see fd_checkpt.h and chunk.h).  All input comes through get(); the
   compressed data is taken for hostile, so every size is checked before use. */

#include "chunk.h"

#include "fd/util/io/fd_io.h"
#include "fd/util/log/fd_log.h"

#if FD_HAS_LZ4
#include <lz4.h>
#endif

FD_STATIC_ASSERT(sizeof(fd_restore_t) == 196680UL && alignof(fd_restore_t) == 8UL, layout);

static int fail(fd_restore_t * restore, int err) {
  restore->frame_style = -1;
  return err;
}

static fd_restore_t * init(void * mem, int fd, void const * buf, ulong buf_sz, ulong ready) {
  fd_restore_t * restore = (fd_restore_t *)mem;
  restore->fd = fd;
  restore->frame_style = 0;
  restore->buf = (uchar *)(ulong)buf;
  restore->buf_sz = buf_sz;
  restore->buf_lo = 0UL;
  restore->buf_ready = ready;
  restore->off = 0UL;
  restore->sz = buf_sz;
  return restore;
}

static int is_bad_mem(void const * mem) {
  if (mem && fd_ulong_is_aligned((ulong)mem, FD_RESTORE_ALIGN)) return 0;
  FD_LOG_WARNING(("NULL or misaligned memory"));
  return 1;
}

fd_restore_t * fd_restore_init_stream(void * mem, int fd, void * rbuf, ulong rbuf_sz) {
  if (is_bad_mem(mem)) return NULL;
  if (fd < 0 || !rbuf || rbuf_sz < FD_RESTORE_RBUF_MIN) {
    FD_LOG_WARNING(("bad descriptor or buffer"));
    return NULL;
  }
  fd_restore_t * restore = init(mem, fd, rbuf, rbuf_sz, 0UL);
  restore->sz = ULONG_MAX;
  ulong off, sz;
  if (!fd_io_seek(fd, 0L, FD_IO_SEEK_TYPE_CUR, &off) && !fd_io_sz(fd, &sz)) {
    restore->off = off;
    restore->sz = sz;
  }
  return restore;
}

fd_restore_t * fd_restore_init_mmio(void * mem, void const * mmio, ulong mmio_sz) {
  if (is_bad_mem(mem)) return NULL;
  if (!mmio && mmio_sz) {
    FD_LOG_WARNING(("NULL mmio"));
    return NULL;
  }
  return init(mem, -1, mmio, mmio_sz, mmio_sz);
}

void * fd_restore_fini(fd_restore_t * restore) {
  if (restore && !fd_restore_in_frame(restore)) return restore;
  FD_LOG_WARNING(("NULL or in a frame"));
  if (restore) restore->frame_style = -1;
  return NULL;
}

/* Reads the next sz bytes. */
static int get(fd_restore_t * restore, void * dst, ulong sz) {
  restore->off += sz;
  if (!fd_restore_is_mmio(restore)) {
    int err = fd_io_buffered_read(restore->fd, dst, sz, restore->buf, restore->buf_sz,
                                  &restore->buf_lo, &restore->buf_ready);
    return err ? FD_CHECKPT_ERR_IO : FD_CHECKPT_SUCCESS;
  }
  if (sz > restore->buf_ready) return FD_CHECKPT_ERR_IO;
  fd_memcpy(dst, restore->buf + restore->buf_lo, sz);
  restore->buf_lo += sz;
  restore->buf_ready -= sz;
  return FD_CHECKPT_SUCCESS;
}

#if FD_HAS_LZ4

/* Reads a chunk's header: its code and check. */
static int get_header(fd_restore_t * restore, uint * code, uint * check) {
  uchar * byte = (uchar *)code;
  *code = *check = 0U;
  int err = get(restore, byte, 1UL);
  if (err) return err;
  if (*code & 1U)
    err = get(restore, byte + 1, *code & 2U ? 2UL : 1UL);
  else if (*code)
    err = FD_CHECKPT_ERR_COMP;
  return err ? err : get(restore, check, CHUNK_CHECK_SZ);
}

/* Reads a chunk of sz plain bytes to dst, behind `history` bytes directly in front of dst. */
static int get_chunk(fd_restore_t * restore, uchar * dst, ulong sz, ulong history, int * stored) {
  uint code, check;
  int err = get_header(restore, &code, &check);
  if (err) return err;
  ulong zsz = (ulong)(code >> 2);
  *stored = !code;
  if (!*stored && (!zsz || zsz >= sz)) return FD_CHECKPT_ERR_COMP;
  uchar * payload = *stored ? dst : restore->in;
  ulong payload_sz = *stored ? sz : zsz;
  err = get(restore, payload, payload_sz);
  if (err) return err;
  if (chunk_check(payload, payload_sz, sz, code) != check) return FD_CHECKPT_ERR_COMP;
  if (*stored) return FD_CHECKPT_SUCCESS;
  int got = LZ4_decompress_safe_usingDict((char *)payload, (char *)dst, (int)zsz, (int)sz,
                                          (char *)(dst - history), (int)history);
  return got == (int)sz ? FD_CHECKPT_SUCCESS : FD_CHECKPT_ERR_COMP;
}

static int get_lz4(fd_restore_t * restore, uchar * dst, ulong sz) {
  int stored = 0;
  if (chunk_restarts(restore->window_used, sz)) restore->window_used = 0UL;
  if (!chunk_is_small(sz)) return get_chunk(restore, dst, sz, 0UL, &stored);
  uchar * at = restore->window + restore->window_used;
  int err = get_chunk(restore, at, sz, restore->window_used, &stored);
  if (err) return err;
  memcpy(dst, at, sz);
  restore->window_used = stored ? 0UL : restore->window_used + sz;
  return FD_CHECKPT_SUCCESS;
}

#else

static int get_lz4(fd_restore_t * restore, uchar * dst, ulong sz) {
  (void)restore, (void)dst, (void)sz;
  return FD_CHECKPT_ERR_UNSUP;
}

#endif

int fd_restore_open_advanced(fd_restore_t * restore, int frame_style, ulong * off) {
  if (!restore) return FD_CHECKPT_ERR_INVAL;
  if (!fd_restore_can_open(restore) || !off) return fail(restore, FD_CHECKPT_ERR_INVAL);
  if (!frame_style) frame_style = FD_CHECKPT_FRAME_STYLE_DEFAULT;
  if (!checkpt_style_is_supported(frame_style)) return fail(restore, FD_CHECKPT_ERR_UNSUP);
  restore->frame_style = frame_style;
  restore->window_used = 0UL;
  *off = restore->off;
  return FD_CHECKPT_SUCCESS;
}

int fd_restore_close_advanced(fd_restore_t * restore, ulong * off) {
  if (!restore) return FD_CHECKPT_ERR_INVAL;
  if (!fd_restore_in_frame(restore) || !off) return fail(restore, FD_CHECKPT_ERR_INVAL);
  restore->frame_style = 0;
  *off = restore->off;
  return FD_CHECKPT_SUCCESS;
}

static int extract(fd_restore_t * restore, void * buf, ulong sz, ulong max) {
  if (!restore) return FD_CHECKPT_ERR_INVAL;
  if (!fd_restore_in_frame(restore)) return fail(restore, FD_CHECKPT_ERR_INVAL);
  if (!sz) return FD_CHECKPT_SUCCESS;
  if (sz > max || !buf) return fail(restore, FD_CHECKPT_ERR_INVAL);
  int err = FD_CHECKPT_SUCCESS;
  if (restore->frame_style == FD_CHECKPT_FRAME_STYLE_RAW) {
    err = get(restore, buf, sz);
  } else {
    for (ulong off = 0UL; !err && off < sz; off += FD_CHECKPT_PRIVATE_CHUNK_MAX) {
      err = get_lz4(restore, (uchar *)buf + off,
                    fd_ulong_min(sz - off, FD_CHECKPT_PRIVATE_CHUNK_MAX));
    }
  }
  return err ? fail(restore, err) : FD_CHECKPT_SUCCESS;
}

int fd_restore_meta(fd_restore_t * restore, void * buf, ulong sz) {
  return extract(restore, buf, sz, FD_RESTORE_META_MAX);
}

int fd_restore_data(fd_restore_t * restore, void * buf, ulong sz) {
  return extract(restore, buf, sz, ULONG_MAX);
}

int fd_restore_seek(fd_restore_t * restore, ulong off) {
  ulong idx;
  if (!restore) return FD_CHECKPT_ERR_INVAL;
  if (!fd_restore_can_open(restore) || restore->sz == ULONG_MAX || off > restore->sz) {
    return fail(restore, FD_CHECKPT_ERR_INVAL);
  }
  restore->off = off;
  restore->buf_lo = fd_restore_is_mmio(restore) ? off : 0UL;
  restore->buf_ready = fd_restore_is_mmio(restore) ? restore->buf_sz - off : 0UL;
  if (fd_restore_is_mmio(restore)) return FD_CHECKPT_SUCCESS;
  int err = fd_io_seek(restore->fd, (long)off, FD_IO_SEEK_TYPE_SET, &idx);
  return err ? fail(restore, FD_CHECKPT_ERR_IO) : FD_CHECKPT_SUCCESS;
}
