#ifndef HEADER_fd_src_util_io_fd_io_h
#define HEADER_fd_src_util_io_fd_io_h

/* Blocking file I/O without surprises: retries what the system interrupts, one return convention
   for all (0 success, negative end of file, positive errno, never EWOULDBLOCK), buffered streams
   and memory mapping on top.  Nothing here logs; all functions are thread safe as far as their file
   descriptor and buffers are not shared. */

#include "../bits/fd_bits.h"

#define FD_IO_SEEK_TYPE_SET (0)
#define FD_IO_SEEK_TYPE_CUR (1)
#define FD_IO_SEEK_TYPE_END (2)

#define FD_IO_MMIO_MODE_READ_ONLY  (0)
#define FD_IO_MMIO_MODE_READ_WRITE (1)

/* Buffered streams over caller-owned buffers.  A stream belongs to one thread and does not own fd.
 */

struct fd_io_buffered_istream_private {
  int fd;
  uchar * rbuf;
  ulong rbuf_sz;
  ulong rbuf_lo;    /* offset of the first byte not yet consumed */
  ulong rbuf_ready; /* bytes behind it */
};

typedef struct fd_io_buffered_istream_private fd_io_buffered_istream_t;

struct fd_io_buffered_ostream_private {
  int fd;
  uchar * wbuf;
  ulong wbuf_sz;
  ulong wbuf_used;
};

typedef struct fd_io_buffered_ostream_private fd_io_buffered_ostream_t;

FD_PROTOTYPES_BEGIN

/* fd_io_read reads [min,max] bytes: each system call asks for all that is left up to max, and the
   loop stops at min or more.  *_sz = bytes read; at end of file returns negative with what there
   was, on error errno with *_sz 0 (EAGAIN only for min 0 on a non-blocking descriptor). fd_io_write
   likewise. */
int fd_io_read(int fd, void * dst, ulong min, ulong max, ulong * _sz);
int fd_io_write(int fd, void const * src, ulong min, ulong max, ulong * _sz);

/* Size of the file (0 with an error), and setting it. */
int fd_io_sz(int fd, ulong * _sz);
int fd_io_truncate(int fd, ulong sz);

/* fd_io_seek moves the file position; *_idx = the new position, 0 on failure. */
int fd_io_seek(int fd, long off, int type, ulong * _idx);

/* Buffered primitives; *lo and *ready (*used) describe the buffered bytes and are updated also when
   an error cuts the operation short.  _read needs all sz bytes: end of file is negative. */
int fd_io_buffered_read(int fd, void * dst, ulong sz, void * rbuf, ulong rbuf_sz, ulong * lo,
                        ulong * ready);
int fd_io_buffered_skip(int fd, ulong sz, void * rbuf, ulong rbuf_sz, ulong * lo, ulong * ready);
int fd_io_buffered_write(int fd, void const * src, ulong sz, void * wbuf, ulong wbuf_sz,
                         ulong * used);

/* fd_io_mmio_init maps the whole file (shared; mode READ_ONLY or READ_WRITE) and stores its address
   at _mmio (a void const ** or void **) and its size; both are 0 for an empty file and on failure.
   EINVAL: bad mode.  fini unmaps; silent for NULL. */
int fd_io_mmio_init(int fd, int mode, void * _mmio, ulong * _sz);
void fd_io_mmio_fini(void const * mmio, ulong sz);

/* Text for a return value of this module; never NULL, lives for ever, thread safe. */
char const * fd_io_strerror(int err);

/* Input stream. init: rbuf_sz>0 bytes at rbuf belong to the stream until fini, which returns in.
   peek is the first unconsumed byte, peek_sz how many follow; fetch reads more into the room left;
   seek consumes sz bytes that are already there. */
static inline fd_io_buffered_istream_t *
fd_io_buffered_istream_init(fd_io_buffered_istream_t * in, int fd, void * rbuf, ulong rbuf_sz) {
  in->fd = fd;
  in->rbuf = (uchar *)rbuf;
  in->rbuf_sz = rbuf_sz;
  in->rbuf_lo = 0UL;
  in->rbuf_ready = 0UL;
  return in;
}

static inline void * fd_io_buffered_istream_fini(fd_io_buffered_istream_t * in) { return in; }
static inline int fd_io_buffered_istream_fd(fd_io_buffered_istream_t const * in) { return in->fd; }
static inline void * fd_io_buffered_istream_rbuf(fd_io_buffered_istream_t * in) { return in->rbuf; }
static inline void const * fd_io_buffered_istream_rbuf_const(fd_io_buffered_istream_t const * in) {
  return in->rbuf;
}
static inline ulong fd_io_buffered_istream_rbuf_sz(fd_io_buffered_istream_t const * in) {
  return in->rbuf_sz;
}
static inline void const * fd_io_buffered_istream_peek(fd_io_buffered_istream_t const * in) {
  return in->rbuf + in->rbuf_lo;
}
static inline ulong fd_io_buffered_istream_peek_sz(fd_io_buffered_istream_t const * in) {
  return in->rbuf_ready;
}
static inline void fd_io_buffered_istream_seek(fd_io_buffered_istream_t * in, ulong sz) {
  in->rbuf_lo += sz;
  in->rbuf_ready -= sz;
}
static inline int fd_io_buffered_istream_read(fd_io_buffered_istream_t * in, void * dst, ulong sz) {
  return fd_io_buffered_read(in->fd, dst, sz, in->rbuf, in->rbuf_sz, &in->rbuf_lo, &in->rbuf_ready);
}
static inline int fd_io_buffered_istream_skip(fd_io_buffered_istream_t * in, ulong sz) {
  return fd_io_buffered_skip(in->fd, sz, in->rbuf, in->rbuf_sz, &in->rbuf_lo, &in->rbuf_ready);
}
int fd_io_buffered_istream_fetch(fd_io_buffered_istream_t * in);

/* Output stream, the mirror image.  fini does not flush.  peek is where the next byte goes, peek_sz
   the room there; seek declares sz bytes written there. */
static inline fd_io_buffered_ostream_t *
fd_io_buffered_ostream_init(fd_io_buffered_ostream_t * out, int fd, void * wbuf, ulong wbuf_sz) {
  out->fd = fd;
  out->wbuf = (uchar *)wbuf;
  out->wbuf_sz = wbuf_sz;
  out->wbuf_used = 0UL;
  return out;
}

static inline void * fd_io_buffered_ostream_fini(fd_io_buffered_ostream_t * out) { return out; }
static inline int fd_io_buffered_ostream_fd(fd_io_buffered_ostream_t const * out) {
  return out->fd;
}
static inline void * fd_io_buffered_ostream_wbuf(fd_io_buffered_ostream_t * out) {
  return out->wbuf;
}
static inline void const * fd_io_buffered_ostream_wbuf_const(fd_io_buffered_ostream_t const * out) {
  return out->wbuf;
}
static inline ulong fd_io_buffered_ostream_wbuf_sz(fd_io_buffered_ostream_t const * out) {
  return out->wbuf_sz;
}
static inline ulong fd_io_buffered_ostream_wbuf_used(fd_io_buffered_ostream_t const * out) {
  return out->wbuf_used;
}
static inline void * fd_io_buffered_ostream_peek(fd_io_buffered_ostream_t * out) {
  return out->wbuf + out->wbuf_used;
}
static inline ulong fd_io_buffered_ostream_peek_sz(fd_io_buffered_ostream_t const * out) {
  return out->wbuf_sz - out->wbuf_used;
}
static inline void fd_io_buffered_ostream_seek(fd_io_buffered_ostream_t * out, ulong sz) {
  out->wbuf_used += sz;
}
static inline int fd_io_buffered_ostream_write(fd_io_buffered_ostream_t * out, void const * src,
                                               ulong sz) {
  return fd_io_buffered_write(out->fd, src, sz, out->wbuf, out->wbuf_sz, &out->wbuf_used);
}
int fd_io_buffered_ostream_flush(fd_io_buffered_ostream_t * out);

FD_PROTOTYPES_END

#endif
