/* See writer.h. */
#include "analyzer/trace/writer.h"
#include "analyzer/util/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define GATHER_SZ  ((size_t)256 << 10)
#define WORDS_SZ   8192 /* room for a few last words */
#define ZSTD_LEVEL 1
#define ZSTD_MIN   256

struct vt_writer {
  int fd;
  int failed;   /* errno of the first failed write */
  int dropping; /* chunks are counted but not written */
  uint64_t max;  /* size of the file; 0: no limit */
  int full;      /* it has been reached */
  uint32_t sequence;
  uint64_t written;  /* bytes in the file that are whole chunks */
  uint64_t kept;     /* of these, kept when there is no room for more: WORDS_SZ less, or some more */
  uint64_t next;     /* will be `kept` */
  vt_bytes_t gather; /* whole chunks not yet written */
  vt_bytes_t packed;
  ZSTD_CCtx *compressor;
  char *path;
};

/* lock tells readers that the file is still written, until it is closed or this process ends. */
static void lock(int fd) {
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  fcntl(fd, F_OFD_SETLK, &whole); /* a file system that cannot is no obstacle */
}

vt_writer_t *vt_writer_on(int fd, char const *path) {
  lock(fd);
  vt_writer_t *w = vt_mem_new(1, sizeof *w);
  w->fd = fd;
  w->path = vt_mem_copy(path, strlen(path));
  return w;
}

vt_writer_t *vt_writer_open(char const *path, vt_error_t *error) {
  int fd = vt_output_trace(path, error);
  return fd < 0 ? NULL : vt_writer_on(fd, path);
}

/* begins_at: what is there now is kept. */
static void begins_at(vt_writer_t *w, uint64_t bytes) { w->written = w->kept = w->next = bytes; }

vt_writer_t *vt_writer_append(char const *path, uint32_t sequence, vt_error_t *error) {
  struct stat st;
  int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 || fstat(fd, &st)) {
    vt_error_set(error, path, strerror(errno), "the trace stays as it is");
    return NULL;
  }
  vt_writer_t *w = vt_writer_on(fd, path);
  begins_at(w, (uint64_t)st.st_size);
  w->sequence = sequence;
  return w;
}

/* put writes all bytes at an offset; returns 0 or an errno value. */
static int put(int fd, uint8_t const *p, size_t sz, uint64_t off) {
  while (sz) {
    ssize_t n = pwrite(fd, p, sz, (off_t)off);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : ENOSPC;
    p += n;
    off += (uint64_t)n;
    sz -= (size_t)n;
  }
  return 0;
}

/* whole_chunks is how many of the first n gathered bytes are whole chunks. */
static size_t whole_chunks(vt_writer_t const *w, size_t n) {
  size_t at = 0;
  while (at + VT_CHUNK_HEADER_SZ <= n) {
    uint64_t sz = vt_pad8(vt_load64(w->gather.data + at + VT_CHUNK_OFF_SZ));
    if (at + VT_CHUNK_HEADER_SZ + sz > n) break;
    at += VT_CHUNK_HEADER_SZ + sz;
  }
  return at;
}

/* written_are: the file has so many bytes that are whole chunks. */
static void written_are(vt_writer_t *w, uint64_t bytes) {
  w->written = bytes;
  if (bytes - w->next < WORDS_SZ) return;
  w->kept = w->next;
  w->next = bytes;
}

/* give_up keeps what reached the file as whole chunks, the first time but for room for last words. */
static void give_up(vt_writer_t *w, int err) {
  struct stat st;
  size_t words = w->failed ? 0 : WORDS_SZ;
  if (!w->failed) w->failed = err;
  w->dropping = 1;
  if (fstat(w->fd, &st) == 0 && (uint64_t)st.st_size >= w->written && w->written) {
    size_t reached = (size_t)((uint64_t)st.st_size - w->written);
    if (reached > w->gather.sz) reached = w->gather.sz;
    begins_at(w, reached < words ? w->kept : w->written + whole_chunks(w, reached - words));
    if (ftruncate(w->fd, (off_t)w->written)) w->failed = errno;
  }
  w->gather.sz = 0;
}

void vt_writer_skip(vt_writer_t *w, uint32_t cnt) { w->sequence += cnt; }

void vt_writer_limit(vt_writer_t *w, uint64_t max) {
  w->max = max;
  w->full = 0;
}

int vt_writer_full(vt_writer_t const *w) { return w->full; }

void vt_writer_resume(vt_writer_t *w) { w->dropping = 0; }

void vt_writer_flush(vt_writer_t *w) {
  if (w->dropping || !w->gather.sz) return;
  int err = put(w->fd, w->gather.data, w->gather.sz, w->written);
  if (err) return give_up(w, err);
  written_are(w, w->written + w->gather.sz);
  w->gather.sz = 0;
}

void vt_writer_header(vt_writer_t *w, vt_header_t const *h) {
  vt_bytes_t b = {0};
  vt_header_encode(h, &b);
  if (vt_writer_bytes(w)) {
    vt_writer_flush(w);
    int err = w->failed ? 0 : put(w->fd, b.data, b.sz, 0);
    if (err) w->failed = err;
  } else {
    vt_bytes_put(&w->gather, b.data, b.sz);
    vt_writer_flush(w); /* an unwritable file is noticed now */
    begins_at(w, w->written);
  }
  vt_bytes_free(&b);
}

/* compress returns the smaller form of a payload and its flags. */
static uint8_t const *compress(vt_writer_t *w, uint8_t const *payload, size_t *sz,
                               uint16_t *flags) {
  uint16_t wanted = *flags & VT_CHUNK_FLAG_ZSTD;
  *flags &= (uint16_t)~VT_CHUNK_FLAG_ZSTD;
  if (!wanted || *sz < ZSTD_MIN) return payload;
  if (!w->compressor) w->compressor = ZSTD_createCCtx();
  size_t bound = ZSTD_compressBound(*sz);
  w->packed.sz = 0;
  vt_bytes_room(&w->packed, bound);
  size_t n = ZSTD_compressCCtx(w->compressor, w->packed.data, bound, payload, *sz, ZSTD_LEVEL);
  if (ZSTD_isError(n) || n >= *sz) return payload;
  *flags |= VT_CHUNK_FLAG_ZSTD;
  *sz = n;
  return w->packed.data;
}

void vt_writer_chunk(vt_writer_t *w, vt_chunk_type_t type, uint16_t flags, uint32_t stream,
                     uint8_t const *payload, size_t sz) {
  payload = compress(w, payload, &sz, &flags);
  vt_writer_copy(w, (uint16_t)type, flags, stream, payload, sz);
}

void vt_writer_copy(vt_writer_t *w, uint16_t type, uint16_t flags, uint32_t stream,
                    uint8_t const *payload, size_t sz) {
  size_t total = VT_CHUNK_HEADER_SZ + (size_t)vt_pad8(sz);
  if (sz > VT_CHUNK_PAYLOAD_MAX) return;
  w->full |= w->max && vt_writer_bytes(w) + total > w->max;
  if (w->full) return;
  if (w->dropping) {
    w->sequence++;
    return;
  }
  uint8_t *p = vt_bytes_room(&w->gather, total);
  memset(p, 0, VT_CHUNK_HEADER_SZ);
  vt_store32(p, VT_CHUNK_MAGIC);
  vt_store16(p + VT_CHUNK_OFF_TYPE, type);
  vt_store16(p + VT_CHUNK_OFF_FLAGS, flags);
  vt_store64(p + VT_CHUNK_OFF_SZ, sz);
  vt_store32(p + VT_CHUNK_OFF_SEQ, w->sequence++);
  vt_store32(p + VT_CHUNK_OFF_WRITER, stream);
  if (sz) memcpy(p + VT_CHUNK_HEADER_SZ, payload, sz);
  memset(p + VT_CHUNK_HEADER_SZ + sz, 0, total - VT_CHUNK_HEADER_SZ - sz);
  XXH64_state_t hash;
  XXH64_reset(&hash, 0);
  XXH64_update(&hash, p, VT_CHUNK_OFF_CHECKSUM);
  XXH64_update(&hash, p + VT_CHUNK_HEADER_SZ, sz);
  vt_store64(p + VT_CHUNK_OFF_CHECKSUM, XXH64_digest(&hash));
  w->gather.sz += total;
  if (w->gather.sz >= GATHER_SZ) vt_writer_flush(w);
}

int vt_writer_failed(vt_writer_t const *w) { return w->failed; }
uint64_t vt_writer_bytes(vt_writer_t const *w) { return w->written + w->gather.sz; }
char const *vt_writer_path(vt_writer_t const *w) { return w->path; }

int vt_writer_close(vt_writer_t *w) {
  vt_writer_flush(w);
  int failed = w->failed;
  if (close(w->fd) && !failed) failed = errno;
  vt_bytes_free(&w->gather);
  vt_bytes_free(&w->packed);
  ZSTD_freeCCtx(w->compressor);
  free(w->path);
  free(w);
  return failed;
}
