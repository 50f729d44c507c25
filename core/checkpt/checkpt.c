/* The writing half of the codec (see fd_checkpt.h and chunk.h).  All output goes through put(),
   which knows the two media; compression always goes to a buffer of its own first, so what is
   written does not depend on the room left and both media get the same bytes. */

#include "chunk.h"

#include "fd/util/io/fd_io.h"
#include "fd/util/log/fd_log.h"

#if FD_HAS_LZ4
#include <lz4.h>
FD_STATIC_ASSERT(sizeof(((fd_checkpt_t *)0)->lz4) >= sizeof(LZ4_stream_t), lz4_state);
#endif

FD_STATIC_ASSERT(sizeof(fd_checkpt_t) == 196664UL && alignof(fd_checkpt_t) == 8UL, layout);

static int fail(fd_checkpt_t * ckpt, int err) {
  ckpt->frame_style = -1;
  return err;
}

static fd_checkpt_t * init(void * mem, int fd, void * buf, ulong buf_sz) {
  fd_checkpt_t * ckpt = (fd_checkpt_t *)mem;
  ckpt->fd = fd;
  ckpt->frame_style = 0;
  ckpt->buf = (uchar *)buf;
  ckpt->buf_sz = buf_sz;
  ckpt->buf_used = 0UL;
  ckpt->off = 0UL;
  return ckpt;
}

static int is_bad_mem(void const * mem) {
  if (mem && fd_ulong_is_aligned((ulong)mem, FD_CHECKPT_ALIGN)) return 0;
  FD_LOG_WARNING(("NULL or misaligned memory"));
  return 1;
}

fd_checkpt_t * fd_checkpt_init_stream(void * mem, int fd, void * wbuf, ulong wbuf_sz) {
  if (is_bad_mem(mem)) return NULL;
  if (fd < 0 || !wbuf || wbuf_sz < FD_CHECKPT_WBUF_MIN) {
    FD_LOG_WARNING(("bad descriptor or buffer"));
    return NULL;
  }
  return init(mem, fd, wbuf, wbuf_sz);
}

fd_checkpt_t * fd_checkpt_init_mmio(void * mem, void * mmio, ulong mmio_sz) {
  if (is_bad_mem(mem)) return NULL;
  if (!mmio && mmio_sz) {
    FD_LOG_WARNING(("NULL mmio"));
    return NULL;
  }
  return init(mem, -1, mmio, mmio_sz);
}

void * fd_checkpt_fini(fd_checkpt_t * ckpt) {
  if (ckpt && !fd_checkpt_in_frame(ckpt)) return ckpt;
  FD_LOG_WARNING(("NULL or in a frame"));
  if (ckpt) ckpt->frame_style = -1;
  return NULL;
}

static int flush(fd_checkpt_t * ckpt) {
  ulong put_sz;
  int err = fd_io_write(ckpt->fd, ckpt->buf, ckpt->buf_used, ckpt->buf_used, &put_sz);
  ckpt->off += ckpt->buf_used;
  ckpt->buf_used = 0UL;
  return err ? FD_CHECKPT_ERR_IO : FD_CHECKPT_SUCCESS;
}

/* Writes sz bytes; overflow is the error when memory has no room for them. */
static int put(fd_checkpt_t * ckpt, void const * src, ulong sz, int overflow) {
  ulong put_sz;
  if (sz > ckpt->buf_sz - ckpt->buf_used) {
    if (fd_checkpt_is_mmio(ckpt)) return overflow;
    if (flush(ckpt)) return FD_CHECKPT_ERR_IO;
    if (sz >= ckpt->buf_sz) {
      ckpt->off += sz;
      return fd_io_write(ckpt->fd, src, sz, sz, &put_sz) ? FD_CHECKPT_ERR_IO : FD_CHECKPT_SUCCESS;
    }
  }
  fd_memcpy(ckpt->buf + ckpt->buf_used, src, sz);
  ckpt->buf_used += sz;
  return FD_CHECKPT_SUCCESS;
}

#if FD_HAS_LZ4

/* Header and payload of a chunk; zsz 0: stored. */
static int put_chunk(fd_checkpt_t * ckpt, void const * plain, ulong sz, ulong zsz) {
  uchar hdr[CHUNK_HDR_MAX];
  void const * payload = zsz ? ckpt->out : plain;
  ulong payload_sz = zsz ? zsz : sz;
  uint code = zsz ? (uint)(zsz << 2) | (zsz >= 1UL << 14 ? 3U : 1U) : 0U;
  ulong code_sz = !zsz ? 1UL : zsz >= 1UL << 14 ? 3UL : 2UL;
  uint check = chunk_check(payload, payload_sz, sz, code);
  memcpy(hdr, &code, code_sz);
  memcpy(hdr + code_sz, &check, CHUNK_CHECK_SZ);
  int err = put(ckpt, hdr, code_sz + CHUNK_CHECK_SZ, FD_CHECKPT_ERR_COMP);
  return err ? err : put(ckpt, payload, payload_sz, FD_CHECKPT_ERR_COMP);
}

static int put_lz4(fd_checkpt_t * ckpt, void const * buf, ulong sz) {
  LZ4_stream_t * lz4 = (LZ4_stream_t *)(void *)ckpt->lz4;
  void const * src = buf;
  if (chunk_restarts(ckpt->window_used, sz)) {
    LZ4_resetStream_fast(lz4);
    ckpt->window_used = 0UL;
  }
  if (chunk_is_small(sz)) {
    src = memcpy(ckpt->window + ckpt->window_used, buf, sz);
    ckpt->window_used += sz;
  }
  int zsz = LZ4_compress_fast_continue(lz4, src, (char *)ckpt->out, (int)sz, (int)sz - 1, 1);
  if (zsz <= 0 || !chunk_is_small(sz)) { /* not smaller, or not to be referred to */
    LZ4_resetStream_fast(lz4);
    ckpt->window_used = 0UL;
  }
  return put_chunk(ckpt, src, sz, zsz > 0 ? (ulong)zsz : 0UL);
}

#else

static int put_lz4(fd_checkpt_t * ckpt, void const * buf, ulong sz) {
  (void)ckpt, (void)buf, (void)sz;
  return FD_CHECKPT_ERR_UNSUP;
}

#endif

int fd_checkpt_open_advanced(fd_checkpt_t * ckpt, int frame_style, ulong * off) {
  if (!ckpt) return FD_CHECKPT_ERR_INVAL;
  if (!fd_checkpt_can_open(ckpt) || !off) return fail(ckpt, FD_CHECKPT_ERR_INVAL);
  if (!frame_style) frame_style = FD_CHECKPT_FRAME_STYLE_DEFAULT;
  if (!checkpt_style_is_supported(frame_style)) return fail(ckpt, FD_CHECKPT_ERR_UNSUP);
#if FD_HAS_LZ4
  if (frame_style == FD_CHECKPT_FRAME_STYLE_LZ4) LZ4_initStream(ckpt->lz4, sizeof(ckpt->lz4));
#endif
  ckpt->frame_style = frame_style;
  ckpt->window_used = 0UL;
  *off = ckpt->off + ckpt->buf_used;
  return FD_CHECKPT_SUCCESS;
}

int fd_checkpt_close_advanced(fd_checkpt_t * ckpt, ulong * off) {
  if (!ckpt) return FD_CHECKPT_ERR_INVAL;
  if (!fd_checkpt_in_frame(ckpt) || !off) return fail(ckpt, FD_CHECKPT_ERR_INVAL);
  if (!fd_checkpt_is_mmio(ckpt) && flush(ckpt)) return fail(ckpt, FD_CHECKPT_ERR_IO);
  ckpt->frame_style = 0;
  *off = ckpt->off + ckpt->buf_used;
  return FD_CHECKPT_SUCCESS;
}

static int append(fd_checkpt_t * ckpt, void const * buf, ulong sz, ulong max) {
  if (!ckpt) return FD_CHECKPT_ERR_INVAL;
  if (!fd_checkpt_in_frame(ckpt)) return fail(ckpt, FD_CHECKPT_ERR_INVAL);
  if (!sz) return FD_CHECKPT_SUCCESS;
  if (sz > max || !buf) return fail(ckpt, FD_CHECKPT_ERR_INVAL);
  int err = FD_CHECKPT_SUCCESS;
  if (ckpt->frame_style == FD_CHECKPT_FRAME_STYLE_RAW) {
    err = put(ckpt, buf, sz, FD_CHECKPT_ERR_IO);
  } else {
    for (ulong off = 0UL; !err && off < sz; off += FD_CHECKPT_PRIVATE_CHUNK_MAX) {
      err = put_lz4(ckpt, (uchar const *)buf + off,
                    fd_ulong_min(sz - off, FD_CHECKPT_PRIVATE_CHUNK_MAX));
    }
  }
  return err ? fail(ckpt, err) : FD_CHECKPT_SUCCESS;
}

int fd_checkpt_meta(fd_checkpt_t * ckpt, void const * buf, ulong sz) {
  return append(ckpt, buf, sz, FD_CHECKPT_META_MAX);
}

int fd_checkpt_data(fd_checkpt_t * ckpt, void const * buf, ulong sz) {
  return append(ckpt, buf, sz, ULONG_MAX);
}

int fd_checkpt_frame_style_is_supported(int frame_style) {
  return checkpt_style_is_supported(frame_style ? frame_style : FD_CHECKPT_FRAME_STYLE_DEFAULT);
}

char const * fd_checkpt_strerror(int err) {
  switch (err) {
  case FD_CHECKPT_SUCCESS: return "success";
  case FD_CHECKPT_ERR_INVAL: return "bad input args";
  case FD_CHECKPT_ERR_UNSUP: return "unsupported on this target";
  case FD_CHECKPT_ERR_IO: return "io error";
  case FD_CHECKPT_ERR_COMP: return "compression error";
  default: return "unknown";
  }
}
