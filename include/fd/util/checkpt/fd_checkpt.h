#ifndef HEADER_fd_src_util_checkpt_fd_checkpt_h
#define HEADER_fd_src_util_checkpt_fd_checkpt_h

/* The checkpoint codec: writes buffers as a sequence of independent frames to a file descriptor or
   into memory and reads them back by the same sequence of calls.  A RAW frame is exactly the bytes
   of its buffers.  An LZ4 frame is a sequence of chunks of up to 64 KiB, each with 24 bits of
   checksum over its stored bytes, so damage shows as ERR_COMP.  Nothing marks where a frame starts;
   an empty frame has no bytes.  Both media hold identical bytes and each can be read as the other.

   An object belongs to one thread at a time.  Any error but a NULL handle makes it fail for good:
   then only fini works.  init and fini log what is wrong with their arguments; everything else is
   silent. */

#include "../bits/fd_bits.h"

#define FD_CHECKPT_SUCCESS   (0)
#define FD_CHECKPT_ERR_INVAL (-1) /* bad arguments, or not now */
#define FD_CHECKPT_ERR_UNSUP (-2) /* frame style not supported on this target */
#define FD_CHECKPT_ERR_IO    (-3) /* read, write, end of file or of memory */
#define FD_CHECKPT_ERR_COMP  (-4) /* damaged compressed data, or no room for it */

#define FD_CHECKPT_FRAME_STYLE_RAW     (1)
#define FD_CHECKPT_FRAME_STYLE_LZ4     (2)
#define FD_CHECKPT_FRAME_STYLE_DEFAULT FD_CHECKPT_FRAME_STYLE_RAW

#define FD_CHECKPT_META_MAX (65536UL)
#define FD_RESTORE_META_MAX (65536UL)

#define FD_CHECKPT_WBUF_MIN (69632UL)
#define FD_RESTORE_RBUF_MIN (69632UL)

#define FD_CHECKPT_ALIGN     alignof(fd_checkpt_t)
#define FD_CHECKPT_FOOTPRINT sizeof(fd_checkpt_t)
#define FD_RESTORE_ALIGN     alignof(fd_restore_t)
#define FD_RESTORE_FOOTPRINT sizeof(fd_restore_t)

/* Sizes inside the codec: plain bytes per chunk, and of the window that gives small chunks history.
 */
#define FD_CHECKPT_PRIVATE_CHUNK_MAX (65536UL)
#define FD_CHECKPT_PRIVATE_WINDOW_SZ (65536UL)

struct fd_checkpt_private {
  int fd;          /* -1: memory */
  int frame_style; /* 0: not in a frame, -1: failed */
  uchar * buf;     /* write buffer, or the memory */
  ulong buf_sz;
  ulong buf_used;
  ulong off;         /* bytes flushed to fd so far */
  ulong window_used; /* history of the current frame */
  ulong lz4[2056];   /* state of the compressor */
  uchar window[FD_CHECKPT_PRIVATE_WINDOW_SZ];
  uchar out[FD_CHECKPT_PRIVATE_CHUNK_MAX];
  uchar pad[49096];
};

typedef struct fd_checkpt_private fd_checkpt_t;

struct fd_restore_private {
  int fd;          /* -1: memory */
  int frame_style; /* 0: not in a frame, -1: failed */
  uchar * buf;     /* read buffer, or the memory */
  ulong buf_sz;
  ulong buf_lo;    /* first byte not consumed */
  ulong buf_ready; /* bytes behind it */
  ulong off;       /* offset of the first byte not consumed */
  ulong sz;        /* of the file or memory, ULONG_MAX if not known */
  ulong window_used;
  uchar window[FD_CHECKPT_PRIVATE_WINDOW_SZ];
  uchar in[FD_CHECKPT_PRIVATE_CHUNK_MAX];
  uchar pad[65544];
};

typedef struct fd_restore_private fd_restore_t;

FD_PROTOTYPES_BEGIN

/* fd_checkpt_init_* make a writer in caller-owned memory.  stream: to fd at its position, through a
   buffer of wbuf_sz>=FD_CHECKPT_WBUF_MIN bytes; mmio: into mmio_sz bytes at mmio.  Both stay the
   caller's.  Return mem, or NULL (logs). */
fd_checkpt_t * fd_checkpt_init_stream(void * mem, int fd, void * wbuf, ulong wbuf_sz);
fd_checkpt_t * fd_checkpt_init_mmio(void * mem, void * mmio, ulong mmio_sz);

/* fd_checkpt_fini ends a writer and returns its memory.  In a frame it logs, fails the writer and
   returns NULL; so does NULL. */
void * fd_checkpt_fini(fd_checkpt_t * ckpt);

/* What it is and whether open (or meta, data, close) may come next, exactly 0 or 1; what it was
   made of, with -1, NULL and 0 for the other medium. */
static inline int fd_checkpt_is_mmio(fd_checkpt_t const * ckpt) { return ckpt->fd < 0; }
static inline int fd_checkpt_can_open(fd_checkpt_t const * ckpt) { return ckpt->frame_style == 0; }
static inline int fd_checkpt_in_frame(fd_checkpt_t const * ckpt) { return ckpt->frame_style > 0; }
static inline int fd_checkpt_fd(fd_checkpt_t const * ckpt) { return ckpt->fd; }
static inline void * fd_checkpt_wbuf(fd_checkpt_t * ckpt) {
  return ckpt->fd >= 0 ? ckpt->buf : NULL;
}
static inline ulong fd_checkpt_wbuf_sz(fd_checkpt_t const * ckpt) {
  return ckpt->fd >= 0 ? ckpt->buf_sz : 0UL;
}
static inline void * fd_checkpt_mmio(fd_checkpt_t * ckpt) {
  return ckpt->fd < 0 ? ckpt->buf : NULL;
}
static inline ulong fd_checkpt_mmio_sz(fd_checkpt_t const * ckpt) {
  return ckpt->fd < 0 ? ckpt->buf_sz : 0UL;
}

/* open starts a frame (style 0: the default), close ends it; *off = where it starts, and one past
   its end, relative to the checkpoint's start.  After close a stream has everything written out. */
int fd_checkpt_open_advanced(fd_checkpt_t * ckpt, int frame_style, ulong * off);
int fd_checkpt_close_advanced(fd_checkpt_t * ckpt, ulong * off);

static inline int fd_checkpt_open(fd_checkpt_t * ckpt, int frame_style) {
  ulong off;
  return fd_checkpt_open_advanced(ckpt, frame_style, &off);
}

static inline int fd_checkpt_close(fd_checkpt_t * ckpt) {
  ulong off;
  return fd_checkpt_close_advanced(ckpt, &off);
}

/* Append a buffer to the frame: meta of up to FD_CHECKPT_META_MAX bytes, reusable at once; data of
   any size, to be left unchanged until close.  Zero bytes are fine and cost nothing. */
int fd_checkpt_meta(fd_checkpt_t * ckpt, void const * buf, ulong sz);
int fd_checkpt_data(fd_checkpt_t * ckpt, void const * buf, ulong sz);

/* The mirror images for reading: the same calls with the same styles and sizes in each frame. Bytes
   are in place when a call returns; data destinations are to be left unchanged until close.  A
   seekable stream starts at the descriptor's position.  Offsets are relative to the start of the
   file or memory, or for a stream that cannot seek to where it was at init. */
fd_restore_t * fd_restore_init_stream(void * mem, int fd, void * rbuf, ulong rbuf_sz);
fd_restore_t * fd_restore_init_mmio(void * mem, void const * mmio, ulong mmio_sz);
void * fd_restore_fini(fd_restore_t * restore);

static inline int fd_restore_is_mmio(fd_restore_t const * restore) { return restore->fd < 0; }
static inline int fd_restore_can_open(fd_restore_t const * restore) {
  return restore->frame_style == 0;
}
static inline int fd_restore_in_frame(fd_restore_t const * restore) {
  return restore->frame_style > 0;
}
static inline int fd_restore_fd(fd_restore_t const * restore) { return restore->fd; }
static inline void * fd_restore_rbuf(fd_restore_t * restore) {
  return restore->fd >= 0 ? restore->buf : NULL;
}
static inline ulong fd_restore_rbuf_sz(fd_restore_t const * restore) {
  return restore->fd >= 0 ? restore->buf_sz : 0UL;
}
static inline void const * fd_restore_mmio(fd_restore_t const * restore) {
  return restore->fd < 0 ? restore->buf : NULL;
}
static inline ulong fd_restore_mmio_sz(fd_restore_t const * restore) {
  return restore->fd < 0 ? restore->buf_sz : 0UL;
}

/* Size of the memory or file as of init; ULONG_MAX if it cannot seek. */
static inline ulong fd_restore_sz(fd_restore_t const * restore) { return restore->sz; }

int fd_restore_open_advanced(fd_restore_t * restore, int frame_style, ulong * off);
int fd_restore_close_advanced(fd_restore_t * restore, ulong * off);

static inline int fd_restore_open(fd_restore_t * restore, int frame_style) {
  ulong off;
  return fd_restore_open_advanced(restore, frame_style, &off);
}

static inline int fd_restore_close(fd_restore_t * restore) {
  ulong off;
  return fd_restore_close_advanced(restore, &off);
}

int fd_restore_meta(fd_restore_t * restore, void * buf, ulong sz);
int fd_restore_data(fd_restore_t * restore, void * buf, ulong sz);

/* fd_restore_seek makes off in [0,sz] the place of the next frame; INVAL in a frame, past the end,
   or if it cannot seek. */
int fd_restore_seek(fd_restore_t * restore, ulong off);

/* 1 iff frames of this style (0: the default) can be written and read here; the text of a result.
 */
int fd_checkpt_frame_style_is_supported(int frame_style);
char const * fd_checkpt_strerror(int err);

FD_PROTOTYPES_END

#endif
