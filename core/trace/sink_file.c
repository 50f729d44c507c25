/* The file side of the sink: segments are pieces of the trace file, mapped shared, so that what is
   committed is the kernel's and survives the process. A lock of the open file, which the mapping
   holds as well as the descriptor does, tells readers that the file is still written.

   The file is sparse and grows in large steps: only a step needs a descriptor, and a host that
   closed ours is no obstacle while the path leads to the file. It is mapped piece by piece
   (pieces.h), and pieces that are written are unmapped. A store into a mapped page of a full disk would raise SIGBUS, so the pages of
   a segment are obtained beforehand with MADV_POPULATE_WRITE (Linux 5.14), which returns an error
   instead; on older kernels fallocate on the descriptor does. Residual case: a disk that becomes
   full between reservation and write-back on a file system that reserves nothing at fault time. */
#include "core/trace/sink_private.h"
#include "core/trace/sys.h"

#include <errno.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define FILE_MAX        (VT_SEGMENT_SZ + VT_PIECES_MAX * VT_PIECE_SZ)
#define FILE_MIN        ((uint64_t)1 << 20)
#define FILE_FIRST      ((uint64_t)256 << 20)
#define FD_HIGH         900
#define INTERRUPTS_MAX  100
/* What a process that enters strict seccomp can still write. */
#define SILENT_SEGMENTS 64
/* Mapped at once for a process that will have to do with them: 1 GiB. */
#define AHEAD_PIECES    2048
/* Room left for threads that still run while the process exits. */
#define CLOSING_SLACK   ((uint64_t)16 * VT_SEGMENT_SZ)

/* file_limit is the largest file the host's limits allow us to make. */
static uint64_t file_limit(void) {
  uint64_t limit = FILE_MAX;
  struct rlimit r;
  if (vt_sys_getrlimit(RLIMIT_FSIZE, &r) == 0 && r.rlim_cur < limit) limit = r.rlim_cur;
  return limit / VT_SEGMENT_SZ * VT_SEGMENT_SZ;
}

/* make_parents uses static memory: a process opens one file at a time, perhaps on a small stack. */
static void make_parents(char const *path) {
  static char folder[PATH_MAX];
  for (size_t i = 1; path[i] && i < sizeof folder; i++) {
    if (path[i] != '/') continue;
    memcpy(folder, path, i);
    folder[i] = '\0';
    vt_sys_mkdir(folder, 0777);
  }
}

/* remove_old unlinks a file that is in the way, but never /dev/null or the like; nor a link, which
   anybody may have laid there: it makes the open fail. */
static void remove_old(char const *path) {
  struct stat st;
  int fd = vt_sys_open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
  if (fd < 0) return;
  int known = !vt_sys_fstat(fd, &st);
  vt_sys_close(fd);
  if (known && S_ISREG(st.st_mode)) vt_sys_unlink(path);
}

/* open_new creates the file and returns a descriptor out of the host's way, or -errno. */
static int open_new(vt_sink_t *sink) {
  remove_old(sink->path);
  int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  int fd = vt_sys_open(sink->path, flags, 0600);
  if (fd == -ENOENT) {
    make_parents(sink->path);
    fd = vt_sys_open(sink->path, flags, 0600);
  }
  if (fd < 0) return fd;
  int high = vt_sys_dup_high(fd, FD_HIGH, 1);
  if (high < 0) return fd; /* RLIMIT_NOFILE below FD_HIGH */
  vt_sys_close(fd);
  return high;
}

/* allocate is fallocate, which a signal interrupts on some file systems: a host may have a timer.
 */
static long allocate(int fd, long off, long sz) {
  long err;
  for (int tries = 0; (err = vt_sys(SYS_fallocate, fd, 0, off, sz, 0, 0)) == -EINTR; tries++)
    if (tries == INTERRUPTS_MAX) break;
  return err;
}

/* reserve obtains the pages of the segment at p, which is at `off` in the file, so that stores to
   them cannot fault. */
static int reserve(vt_sink_t *sink, uint8_t *p, uint64_t off) {
  long err = vt_sys_madvise(p, VT_SEGMENT_SZ, MADV_POPULATE_WRITE);
  if (err == -EINVAL) err = allocate(sink->fd, (long)off, VT_SEGMENT_SZ);
  return err ? -1 : 0;
}

/* size_new sizes the new file, halving the wish until file system and limits agree. */
static int size_new(vt_sink_t *sink) {
  long err = -EFBIG;
  for (uint64_t sz = file_limit(); sz >= FILE_MIN; sz = sz / 2 / VT_SEGMENT_SZ * VT_SEGMENT_SZ) {
    uint64_t file_sz = sz < FILE_FIRST ? sz : FILE_FIRST;
    err = vt_sys_ftruncate(sink->fd, (off_t)file_sz);
    if (err) continue;
    sink->file_max = sz;
    atomic_store_explicit(&sink->file_sz, file_sz, memory_order_relaxed);
    return 0;
  }
  return (int)err;
}

/* map_new maps the new file's header. */
static int map_new(vt_sink_t *sink) {
  int err = size_new(sink);
  vt_pieces_end(&sink->pieces); /* of a ring that had no room for this image */
  if (!err) err = vt_pieces_begin(&sink->pieces, sink->fd, VT_SEGMENT_SZ);
  if (!err) vt_sys_madvise(sink->pieces.base, VT_SEGMENT_SZ, MADV_DONTFORK);
  return err;
}

static void chunk_header(uint8_t *p, vt_chunk_type_t type, uint16_t flags, uint64_t sz,
                         uint32_t seq, uint32_t writer) {
  vt_store16(p + VT_CHUNK_OFF_TYPE, (uint16_t)type);
  vt_store16(p + VT_CHUNK_OFF_FLAGS, flags);
  vt_store64(p + VT_CHUNK_OFF_SZ, sz);
  vt_store32(p + VT_CHUNK_OFF_SEQ, seq);
  vt_store32(p + VT_CHUNK_OFF_WRITER, writer);
  /* Last: a kill, or a signal handler that jumps away, leaves a chunk or none, never half a header. */
  atomic_signal_fence(memory_order_seq_cst);
  vt_store32(p, VT_CHUNK_MAGIC);
}

/* seal writes the checksum over the header and `sz` payload bytes, and only then clears the open flag,
   with which the checksum does not count: a kill in between loses nothing. */
static void seal(uint8_t *chunk, uint64_t sz) {
  XXH64_state_t hash;
  uint8_t head[VT_CHUNK_OFF_CHECKSUM];
  uint16_t flags = (uint16_t)(vt_load16(chunk + VT_CHUNK_OFF_FLAGS) & ~VT_CHUNK_FLAG_OPEN);
  memcpy(head, chunk, sizeof head);
  vt_store16(head + VT_CHUNK_OFF_FLAGS, flags);
  XXH64_reset(&hash, 0);
  XXH64_update(&hash, head, sizeof head);
  XXH64_update(&hash, chunk + VT_CHUNK_HEADER_SZ, sz);
  vt_store64(chunk + VT_CHUNK_OFF_CHECKSUM, XXH64_digest(&hash));
  atomic_signal_fence(memory_order_seq_cst); /* a killed process's stores are all seen in order */
  vt_store16(chunk + VT_CHUNK_OFF_FLAGS, flags);
}

/* write_counters lays out the COUNTERS chunk, whose values are then updated in place. */
static void write_counters(vt_sink_t *sink) {
  uint8_t *chunk = sink->pieces.base + VT_SINK_FILE_HEADER_SZ;
  uint8_t *payload = chunk + VT_CHUNK_HEADER_SZ;
  chunk_header(chunk, VT_CHUNK_COUNTERS, VT_CHUNK_FLAG_OPEN,
               VT_SINK_FILE_COUNTERS_SZ - VT_CHUNK_HEADER_SZ, 0, 0);
  vt_store64(payload, VT_COUNTER_MAX);
  for (uint64_t c = 1; c <= VT_COUNTER_MAX; c++) vt_store64(payload + 16 * c - 8, c);
  /* Counter c is at payload + 16 c, so that index c with stride 2 words finds it. */
  sink->counters = (_Atomic uint64_t *)payload;
  sink->counter_stride = 2;
}

/* write_identity says which file this is, so that a reader knows a copy: only of the file itself the
   lock tells that its process has ended. A file that cannot be locked has none. What else is asked than
   fstat tells a filter may not expect. */
static void write_identity(vt_sink_t *sink) {
  struct statx more = {0};
  if (!sink->confined) vt_sys_statx(sink->fd, STATX_BTIME, &more);
  uint64_t born = more.stx_mask & STATX_BTIME ? (uint64_t)more.stx_btime.tv_sec * 1000000000u +
                                                    more.stx_btime.tv_nsec
                                              : 0;
  vt_sink_note(sink, VT_COUNTER_FILE_BORN_NS, born);
  vt_sink_note(sink, VT_COUNTER_FILE_DEVICE, sink->dev);
  vt_sink_note(sink, VT_COUNTER_FILE_INODE, sink->ino);
}

int vt_sink_open_file(vt_sink_t *sink, uint8_t const *header, size_t header_sz) {
  sink->fd = open_new(sink);
  if (sink->fd < 0) return sink->fd;
  int locked = !vt_sys_lock(sink->fd);
  struct stat st = {0};
  int err = (int)vt_sys_fstat(sink->fd, &st);
  sink->dev = st.st_dev;
  sink->ino = st.st_ino;
  if (!err) err = map_new(sink);
  if (!err && reserve(sink, sink->pieces.base, 0)) err = -ENOSPC;
  if (err) {
    vt_pieces_end(&sink->pieces);
    vt_sys_unlink(sink->path);
    vt_sys_close(sink->fd);
    return err;
  }
  memcpy(sink->pieces.base, header, header_sz);
  write_counters(sink);
  if (locked) write_identity(sink);
  atomic_store_explicit(&sink->used, VT_SEGMENT_SZ, memory_order_relaxed);
  return 0;
}

/* owns_fd: has the host left the trace's descriptor alone? */
static int owns_fd(vt_sink_t const *sink, int fd) {
  struct stat st;
  return vt_sys_fstat(fd, &st) == 0 && st.st_dev == sink->dev && st.st_ino == sink->ino;
}

/* our_fd is the trace's descriptor, or a new one when the host took it, or negative. */
static int our_fd(vt_sink_t *sink) {
  if (owns_fd(sink, sink->fd)) return sink->fd;
  int fd = vt_sys_open(sink->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
  if (fd < 0 || owns_fd(sink, fd)) return fd;
  vt_sys_close(fd);
  return -1;
}

/* grow makes the file at least `end` long. fallocate, unlike ftruncate, never makes a file shorter
   that another thread has made longer meanwhile. */
static int grow(vt_sink_t *sink, uint64_t end) {
  uint64_t sz = atomic_load_explicit(&sink->file_sz, memory_order_acquire);
  if (end <= sz) return 0;
  if (sink->confined) return -1;
  uint64_t wanted = 2 * sz < sink->file_max ? 2 * sz : sink->file_max;
  while (wanted < end && wanted < sink->file_max)
    wanted = 2 * wanted < sink->file_max ? 2 * wanted : sink->file_max;
  int fd = wanted < end ? -1 : our_fd(sink);
  if (fd < 0) return -1;
  long err = allocate(fd, (long)(wanted - 4096), 4096);
  if (fd != sink->fd) vt_sys_close(fd);
  if (err) return -1;
  while (sz < wanted &&
         !atomic_compare_exchange_weak_explicit(&sink->file_sz, &sz, wanted, memory_order_release,
                                                memory_order_relaxed))
    continue;
  return 0;
}

/* piece_of is the number of the piece that a segment lies in. */
static uint64_t piece_of(uint64_t off) { return (off - VT_SEGMENT_SZ) / VT_PIECE_SZ; }

/* at is where the segment at `off` is mapped; NULL: it is not, and cannot be. */
static uint8_t *at(vt_sink_t *sink, uint64_t off) {
  uint64_t k = piece_of(off);
  uint8_t *piece = vt_pieces_mapped(&sink->pieces, k);
  if (!piece && !sink->silent && !sink->confined) piece = vt_pieces_map_next(&sink->pieces, k);
  return piece ? piece + (off - VT_SEGMENT_SZ) % VT_PIECE_SZ : NULL;
}

/* is_beyond: does the segment that ends there lie behind what was set aside for a process that may not
   ask for more? */
static int is_beyond(vt_sink_t const *sink, uint64_t end) {
  return sink->silent ? end > sink->reserved
                      : sink->confined && end > atomic_load_explicit(&sink->file_sz, memory_order_acquire);
}

/* obtain makes the segment at `off` of the file safe to write to. Returns 0, or why there is none. */
static uint32_t obtain(vt_sink_t *sink, uint64_t off, uint8_t **segment) {
  uint64_t end = off + VT_SEGMENT_SZ;
  if (is_beyond(sink, end)) return VT_STOPPED_CONFINED;
  if (!sink->silent && (end > sink->file_max || grow(sink, end))) return VT_STOPPED_SPACE;
  *segment = at(sink, off);
  if (!*segment) return sink->silent || sink->confined ? VT_STOPPED_CONFINED : VT_STOPPED_LIMIT;
  return !sink->silent && reserve(sink, *segment, off) ? VT_STOPPED_SPACE : 0;
}

void vt_sink_confine_file(vt_sink_t *sink) {
  uint64_t off = atomic_load_explicit(&sink->used, memory_order_relaxed);
  uint64_t end = off + AHEAD_PIECES * VT_PIECE_SZ;
  grow(sink, end < sink->file_max ? end : sink->file_max);
  vt_pieces_ahead(&sink->pieces, piece_of(off), AHEAD_PIECES);
}

void vt_sink_reserve_file(vt_sink_t *sink) {
  uint64_t off = atomic_load_explicit(&sink->used, memory_order_relaxed);
  uint8_t *segment;
  for (unsigned i = 0; i < SILENT_SEGMENTS && !obtain(sink, off, &segment); i++) off += VT_SEGMENT_SZ;
  sink->reserved = off;
}

uint8_t *vt_sink_claim_file(vt_sink_t *sink, uint32_t *index) {
  uint64_t off = atomic_fetch_add_explicit(&sink->used, VT_SEGMENT_SZ, memory_order_relaxed);
  uint8_t *segment;
  uint32_t why = obtain(sink, off, &segment);
  if (why) {
    atomic_fetch_sub_explicit(&sink->used, VT_SEGMENT_SZ, memory_order_relaxed);
    vt_sink_stop(sink, (vt_stopped_t)why);
    return NULL;
  }
  *index = (uint32_t)(off / VT_SEGMENT_SZ);
  chunk_header(segment, VT_CHUNK_SEGMENT, VT_CHUNK_FLAG_OPEN, VT_SEGMENT_SZ - VT_CHUNK_HEADER_SZ,
               *index, 0);
  /* Counted when it is there and before it has records: a reader that finds as many has all. */
  atomic_signal_fence(memory_order_seq_cst); /* a killed process's stores are all seen in order */
  vt_sink_count(sink, VT_COUNTER_SEGMENTS, 1);
  return segment;
}

void vt_sink_finish_file(vt_sink_t *sink, uint8_t *segment, uint32_t index) {
  uint64_t committed = vt_load64(segment + VT_SEGMENT_OFF_COMMITTED);
  seal(segment, VT_SEGMENT_RECORDS_OFF - VT_CHUNK_HEADER_SZ + committed);
  if (sink->silent) return;
  vt_sys_madvise(segment, VT_SEGMENT_SZ, MADV_DONTNEED);
  vt_pieces_done(&sink->pieces, piece_of((uint64_t)index * VT_SEGMENT_SZ));
}

/* resize sets the file's length, if the file can still be reached. */
static void resize(vt_sink_t *sink, uint64_t sz) {
  int fd = our_fd(sink);
  if (fd < 0) return;
  if (vt_sys_ftruncate(fd, (off_t)sz) == 0)
    atomic_store_explicit(&sink->file_sz, sz, memory_order_release);
  if (fd != sink->fd) vt_sys_close(fd);
}

void vt_sink_close_file(vt_sink_t *sink) {
  uint64_t used = atomic_load_explicit(&sink->used, memory_order_relaxed) + CLOSING_SLACK;
  if (used < atomic_load_explicit(&sink->file_sz, memory_order_relaxed)) resize(sink, used);
}

void vt_sink_forked_file(vt_sink_t *sink) {
  if (sink->pieces.base && owns_fd(sink, sink->fd)) vt_sys_close(sink->fd);
  vt_pieces_forget(&sink->pieces); /* MADV_DONTFORK */
}
