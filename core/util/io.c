/* Blocking file I/O with one return convention: 0, negative at end of file, positive errno.
   Buffered streams bypass their buffer for requests that would fill it anyway. */

#include "fd/util/io/fd_io.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define IO_EOF   (-1)
#define CALL_MAX (1UL << 30) /* read(2) and write(2) move less than 2 GiB at a time */

/* What to do about a failed call: 0 try again, else the error to return. */
static int call_error(int err, ulong min) {
  if (err == EINTR) return 0;
  if (err != EAGAIN && err != EWOULDBLOCK) return err;
  if (!min) return EAGAIN;
  fd_yield();
  return 0;
}

int fd_io_read(int fd, void * dst, ulong min, ulong max, ulong * _sz) {
  ulong sz = 0UL;
  *_sz = 0UL;
  if (!max) return 0;
  do {
    ssize_t got = read(fd, (uchar *)dst + sz, fd_ulong_min(max - sz, CALL_MAX));
    if (FD_UNLIKELY(got < 0)) {
      int err = call_error(errno, min);
      if (err) return err;
      continue;
    }
    if (FD_UNLIKELY(!got)) {
      *_sz = sz;
      return IO_EOF;
    }
    sz += (ulong)got;
  } while (sz < min || !sz);
  *_sz = sz;
  return 0;
}

int fd_io_write(int fd, void const * src, ulong min, ulong max, ulong * _sz) {
  ulong sz = 0UL;
  *_sz = 0UL;
  if (!max) return 0;
  do {
    ssize_t put = write(fd, (uchar const *)src + sz, fd_ulong_min(max - sz, CALL_MAX));
    if (FD_UNLIKELY(put < 0)) {
      int err = call_error(errno, min);
      if (err) return err;
      continue;
    }
    sz += (ulong)put;
  } while (sz < min);
  *_sz = sz;
  return 0;
}

int fd_io_sz(int fd, ulong * _sz) {
  struct stat st;
  *_sz = 0UL;
  if (fstat(fd, &st)) return errno;
  *_sz = (ulong)st.st_size;
  return 0;
}

int fd_io_truncate(int fd, ulong sz) {
  if (sz > (ulong)LONG_MAX) return EINVAL;
  while (ftruncate(fd, (off_t)sz)) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

int fd_io_seek(int fd, long off, int type, ulong * _idx) {
  static int const whence[3] = {SEEK_SET, SEEK_CUR, SEEK_END};
  *_idx = 0UL;
  if (type < 0 || type > 2) return EINVAL;
  off_t idx = lseek(fd, (off_t)off, whence[type]);
  if (idx < 0) return errno;
  *_idx = (ulong)idx;
  return 0;
}

int fd_io_buffered_read(int fd, void * dst, ulong sz, void * rbuf, ulong rbuf_sz, ulong * lo,
                        ulong * ready) {
  ulong have = fd_ulong_min(sz, *ready);
  ulong got;
  fd_memcpy(dst, (uchar const *)rbuf + *lo, have);
  *lo += have;
  *ready -= have;
  dst = (uchar *)dst + have;
  sz -= have;
  if (!sz) return 0;
  if (sz >= rbuf_sz) return fd_io_read(fd, dst, sz, sz, &got);
  *lo = 0UL;
  int err = fd_io_read(fd, rbuf, sz, rbuf_sz, ready);
  if (err) return err;
  memcpy(dst, rbuf, sz);
  *lo = sz;
  *ready -= sz;
  return 0;
}

int fd_io_buffered_skip(int fd, ulong sz, void * rbuf, ulong rbuf_sz, ulong * lo, ulong * ready) {
  for (;;) {
    ulong have = fd_ulong_min(sz, *ready);
    *lo += have;
    *ready -= have;
    sz -= have;
    if (!sz) return 0;
    if (!rbuf_sz) return EINVAL; /* nowhere to read to */
    *lo = 0UL;
    int err = fd_io_read(fd, rbuf, 1UL, rbuf_sz, ready);
    if (err) return err;
  }
}

int fd_io_buffered_write(int fd, void const * src, ulong sz, void * wbuf, ulong wbuf_sz,
                         ulong * used) {
  ulong put;
  if (sz > wbuf_sz - *used) {
    int err = fd_io_write(fd, wbuf, *used, *used, &put);
    if (err) return err;
    *used = 0UL;
  }
  if (sz >= wbuf_sz) return fd_io_write(fd, src, sz, sz, &put);
  fd_memcpy((uchar *)wbuf + *used, src, sz);
  *used += sz;
  return 0;
}

int fd_io_buffered_istream_fetch(fd_io_buffered_istream_t * in) {
  ulong got;
  memmove(in->rbuf, in->rbuf + in->rbuf_lo, in->rbuf_ready);
  in->rbuf_lo = 0UL;
  int err = fd_io_read(in->fd, in->rbuf + in->rbuf_ready, 1UL, in->rbuf_sz - in->rbuf_ready, &got);
  in->rbuf_ready += got;
  return err;
}

int fd_io_buffered_ostream_flush(fd_io_buffered_ostream_t * out) {
  ulong put;
  int err = fd_io_write(out->fd, out->wbuf, out->wbuf_used, out->wbuf_used, &put);
  out->wbuf_used = 0UL;
  return err;
}

int fd_io_mmio_init(int fd, int mode, void * _mmio, ulong * _sz) {
  void * mmio = NULL;
  ulong sz;
  memcpy(_mmio, &mmio, sizeof(void *));
  *_sz = 0UL;
  if (mode != FD_IO_MMIO_MODE_READ_ONLY && mode != FD_IO_MMIO_MODE_READ_WRITE) return EINVAL;
  int err = fd_io_sz(fd, &sz);
  if (err || !sz) return err;
  int prot = mode == FD_IO_MMIO_MODE_READ_ONLY ? PROT_READ : PROT_READ | PROT_WRITE;
  mmio = mmap(NULL, sz, prot, MAP_SHARED, fd, (off_t)0);
  if (mmio == MAP_FAILED) return errno;
  memcpy(_mmio, &mmio, sizeof(void *));
  *_sz = sz;
  return 0;
}

void fd_io_mmio_fini(void const * mmio, ulong sz) {
  if (mmio && sz) munmap((void *)(ulong)mmio, sz);
}

char const * fd_io_strerror(int err) {
  if (!err) return "success";
  if (err < 0) return "end of file";
  char const * text = strerrordesc_np(err);
  return text ? text : "unknown";
}
