/* The ring side of the sink: finding the collector, claiming segments, and bounded waiting.

   Back-pressure is bounded: a thread that finds no segment sleeps in steps, and recording stops for
   this process after a second without a sign of life of the collector, or once its threads have
   waited half a minute in total while it lived but got nothing onto its disk. The more threads
   wait, the longer are the steps, so that their number costs the machine little: as a rule a thread
   is woken when there is a segment for it. */
#include "core/trace/sink_private.h"
#include "core/trace/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define WAIT_STEP_NS   ((uint64_t)10 * 1000 * 1000)
#define WAIT_EACH_NS   ((uint64_t)50 * 1000) /* longer for each thread that waits already */
#define WAIT_MAX_NS    ((uint64_t)250 * 1000 * 1000)
#define DEAD_NS        ((uint64_t)1000 * 1000 * 1000)
#define STUCK_NS       (30 * DEAD_NS)
#define ANSWER_S       2 /* without an answer for so long, the process writes its own file */
#define INTERRUPTS_MAX 1000
/* A step that took longer than this was a pause of the whole machine, or of this process: as much of
   it counts, and the collector gets time to show itself again. */
#define PAUSE_NS(step) (2 * (step))
/* Mapped at once for a process that will have to do with them: 256 MiB. */
#define AHEAD_PIECES   512

typedef struct {
  int fd;
  uint64_t nonce;
  char socket[64];
} spec_t;

/* spec_parse splits "FD:SOCKET:NONCE". */
static int spec_parse(spec_t *out, char const *spec) {
  char *end;
  long fd = strtol(spec, &end, 10);
  if (end == spec || *end != ':' || fd < 0 || fd > INT_MAX) return -1;
  char const *name = end + 1;
  char const *colon = strchr(name, ':');
  if (!colon || (size_t)(colon - name) >= sizeof out->socket) return -1;
  memcpy(out->socket, name, (size_t)(colon - name));
  out->socket[colon - name] = '\0';
  out->fd = (int)fd;
  out->nonce = strtoull(colon + 1, &end, 16);
  return end == colon + 1 ? -1 : 0;
}

/* ring_map maps the tables of the ring behind fd if it is the one with this nonce. */
static int ring_map(vt_sink_t *sink, int fd, uint64_t nonce) {
  uint64_t head[3]; /* magic, collector_pid and clock, nonce */
  if (vt_sys_pread(fd, head, sizeof head, 0) != (long)sizeof head) return -1;
  if (head[0] != VT_RING_MAGIC || head[2] != nonce) return -1;
  if (vt_pieces_begin(&sink->pieces, fd, VT_RING_SEGMENTS_OFF)) return -1;
  sink->ring = (vt_ring_t *)sink->pieces.base;
  return 0;
}

/* connect_to connects to the abstract socket NAME, SUFFIX; sending and receiving then fail after
   ANSWER_S, as does connecting: the collector may be stopped. Negative on failure. */
static int connect_to(char const *name, char const *suffix) {
  struct sockaddr_un addr = {.sun_family = AF_UNIX};
  size_t len = strlen(name), more = strlen(suffix);
  if (1 + len + more > sizeof addr.sun_path) return -ENAMETOOLONG;
  memcpy(addr.sun_path + 1, name, len);
  memcpy(addr.sun_path + 1 + len, suffix, more);
  int sock = vt_sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (sock < 0) return sock;
  struct timeval answer = {.tv_sec = ANSWER_S};
  vt_sys_setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &answer, sizeof answer);
  vt_sys_setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &answer, sizeof answer); /* bounds connect */
  socklen_t addr_sz = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len + more);
  long error = vt_sys_connect(sock, (struct sockaddr *)&addr, addr_sz);
  if (error == 0) return sock;
  vt_sys_close(sock);
  return (int)error;
}

int vt_sink_connect(char const *spec_text, char const *suffix) {
  spec_t spec;
  return spec_parse(&spec, spec_text) ? -EINVAL : connect_to(spec.socket, suffix);
}

/* receive_fd asks the collector's socket for the ring's descriptor; negative on failure, or when no
   answer comes. */
static int receive_fd(char const *name) {
  int fd = -1, sock = connect_to(name, "");
  if (sock < 0) return sock;
  char byte;
  struct iovec iov = {.iov_base = &byte, .iov_len = 1};
  union {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr msg = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = sizeof control.space};
  long got = -EINTR;
  for (int tries = 0; got == -EINTR && tries < INTERRUPTS_MAX; tries++)
    got = vt_sys_recvmsg(sock, &msg, 0);
  if (got == 1) {
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
      memcpy(&fd, CMSG_DATA(c), sizeof fd);
  }
  vt_sys_close(sock);
  return fd;
}

uint64_t vt_sink_space(void) {
  struct stat st;
  if (vt_sys(SYS_newfstatat, AT_FDCWD, (long)"/proc/self/ns/pid", (long)&st, 0, 0, 0)) return 0;
  return (uint64_t)st.st_dev << 32 | (uint32_t)st.st_ino;
}

/* describe fills a slot just claimed. */
static void describe(vt_sink_t const *sink, vt_ring_image_t *image) {
  for (uint32_t c = 0; c <= VT_COUNTER_MAX; c++)
    atomic_store_explicit(&image->counters[c], 0, memory_order_relaxed);
  atomic_store_explicit(&image->stopped, 0, memory_order_relaxed);
  atomic_store_explicit(&image->heir, 0, memory_order_relaxed);
  atomic_store_explicit(&image->heir_state, VT_HEIR_NONE, memory_order_relaxed);
  atomic_store_explicit(&image->layout, 0, memory_order_relaxed);
  atomic_store_explicit(&image->layout_sz, 0, memory_order_relaxed);
  atomic_store_explicit(&image->copy, 0, memory_order_relaxed);
  atomic_store_explicit(&image->copy_state, VT_HEIR_NONE, memory_order_relaxed);
  atomic_store_explicit(&image->space, sink->space, memory_order_relaxed);
  atomic_store_explicit(&image->born, vt_clock_tick(sink->clock), memory_order_relaxed);
  atomic_store_explicit(&image->follows, sink->follows, memory_order_relaxed);
  atomic_store_explicit(&image->follows_slot, sink->follows_slot, memory_order_relaxed);
  atomic_store_explicit(&image->seat, 0, memory_order_relaxed);
  atomic_store_explicit(&image->threaded, 0, memory_order_relaxed);
  /* Pairs with the collector's acquire load of pid: the slot is ready once pid is set. */
  atomic_store_explicit(&image->pid, sink->pid, memory_order_release);
}

int vt_sink_join_ring(vt_sink_t *sink) {
  vt_ring_t *ring = sink->ring;
  uint32_t first = sink->pid % VT_RING_IMAGES;
  for (uint32_t i = 0; i < VT_RING_IMAGES; i++) {
    uint32_t slot = (first + i) % VT_RING_IMAGES;
    uint64_t expected = 0;
    if (slot == 0) continue;
    vt_ring_image_t *image = &ring->images[slot];
    if (!atomic_compare_exchange_strong_explicit(&image->image, &expected, sink->image,
                                                 memory_order_acq_rel, memory_order_relaxed))
      continue;
    sink->slot = slot;
    sink->clock = ring->clock == VT_CLOCK_TSC ? VT_CLOCK_TSC : VT_CLOCK_MONOTONIC;
    describe(sink, image);
    sink->counters = image->counters;
    sink->paused = &image->paused;
    sink->counter_stride = 1;
    return 0;
  }
  return -1;
}

void vt_sink_sit(vt_sink_t *sink) {
  void *seat = vt_sys_mremap(sink->ring, 0, VT_RING_SEAT_SZ, MREMAP_MAYMOVE);
  if (vt_sys_failed(seat)) return;
  if (vt_sys_madvise(seat, VT_RING_SEAT_SZ, MADV_DONTFORK)) {
    vt_sys_munmap(seat, VT_RING_SEAT_SZ);
    return;
  }
  sink->seat = seat;
  atomic_store_explicit(&sink->ring->images[sink->slot].seat, (uint64_t)seat, memory_order_relaxed);
}

void vt_sink_leave_ring(vt_sink_t *sink) {
  if (sink->seat) vt_sys_munmap(sink->seat, VT_RING_SEAT_SZ);
  sink->seat = NULL;
  vt_pieces_end(&sink->pieces);
  sink->ring = NULL;
}

void vt_sink_forget_ring(vt_sink_t *sink) {
  vt_pieces_forget(&sink->pieces);
  sink->paused = &vt_sink_never_paused;
  sink->ring = NULL;
}

int vt_sink_open_ring(vt_sink_t *sink, char const *spec_text) {
  spec_t spec;
  if (spec_parse(&spec, spec_text)) return -1;
  if (ring_map(sink, spec.fd, spec.nonce)) {
    int fd = receive_fd(spec.socket);
    if (fd < 0) return -1;
    int failed = ring_map(sink, fd, spec.nonce);
    vt_sys_close(fd);
    if (failed) return -1;
  }
  if (vt_sink_join_ring(sink) == 0) return 0;
  vt_pieces_end(&sink->pieces);
  sink->ring = NULL;
  return -1;
}

void vt_sink_confine_ring(vt_sink_t *sink) { vt_pieces_ahead(&sink->pieces, 0, AHEAD_PIECES); }

/* A look for a free segment. */
typedef struct {
  int full;       /* one was met that the collector will drain and that can be used then */
  int unmappable; /* one was free, but there is no room to map it: then only what is mapped counts */
} look_t;

static uint8_t *mapped(vt_sink_t *sink, uint32_t i) {
  uint8_t *piece = vt_pieces_mapped(&sink->pieces, i / VT_PIECE_SEGMENTS);
  return piece ? piece + (uint64_t)(i % VT_PIECE_SEGMENTS) * VT_SEGMENT_SZ : NULL;
}

/* reach is where segment i is mapped, NULL if it is not and cannot be. */
static uint8_t *reach(vt_sink_t *sink, look_t *look, uint32_t i) {
  uint8_t *segment = mapped(sink, i);
  if (segment || look->unmappable) return segment;
  if (!sink->silent && !sink->confined) vt_pieces_map(&sink->pieces, i / VT_PIECE_SEGMENTS);
  segment = mapped(sink, i);
  look->unmappable = !segment;
  return segment;
}

/* take claims segment i if it is free and can be mapped. Linearizes at the compare-and-swap; its
   acquire pairs with the collector's release when it freed the segment. */
static uint8_t *take(vt_sink_t *sink, look_t *look, uint32_t i) {
  _Atomic uint64_t *state = &sink->ring->state[i];
  uint64_t word = atomic_load_explicit(state, memory_order_relaxed);
  if ((word & VT_SEGMENT_STATE_MASK) == VT_SEGMENT_FULL)
    look->full |= !look->unmappable || mapped(sink, i);
  uint8_t *segment = word == VT_SEGMENT_FREE ? reach(sink, look, i) : NULL;
  return segment && atomic_compare_exchange_strong_explicit(
                        state, &word, VT_SEGMENT_WORD(sink->slot, VT_SEGMENT_ACTIVE),
                        memory_order_acquire, memory_order_relaxed)
             ? segment
             : NULL;
}

/* try_claim takes the first free segment from where one is likely, which is the lowest as a rule, so
   that few stay warm. */
static uint8_t *try_claim(vt_sink_t *sink, look_t *look, uint32_t *index) {
  vt_ring_t *ring = sink->ring;
  uint32_t limit = atomic_load_explicit(&ring->limit, memory_order_relaxed);
  if (limit > VT_RING_SEGMENTS) limit = VT_RING_SEGMENTS;
  uint32_t hint = atomic_load_explicit(&ring->hint, memory_order_relaxed);
  for (uint32_t n = 0, i = hint < limit ? hint : 0; n < limit; n++, i = i + 1 < limit ? i + 1 : 0) {
    uint8_t *segment = take(sink, look, i);
    if (!segment) continue;
    /* Fails if the collector has freed a lower one since. */
    atomic_compare_exchange_strong_explicit(&ring->hint, &hint, i + 1, memory_order_relaxed,
                                            memory_order_relaxed);
    *index = i;
    return segment;
  }
  return NULL;
}

/* hopeless: no segment will become free by waiting, as threads hold all that can be had. */
static int hopeless(vt_ring_t *ring, look_t const *look) {
  int more = atomic_load_explicit(&ring->limit, memory_order_relaxed) < ring->segments;
  return !look->full && (look->unmappable || !more);
}

/* What a thread that waits for a segment has seen of the collector. */
typedef struct {
  uint64_t silent_ns; /* waited since it last showed that it lives */
  uint64_t total_ns;  /* waited for this segment */
  uint32_t alive;     /* as of the last look; 0: none yet */
} patience_t;

/* stalled adds a wait of ns that ended now to what the threads of this process have waited without
   progress; returns the total. What several threads wait at a time counts once. */
static uint64_t stalled(vt_sink_t *sink, uint64_t now, uint64_t ns) {
  uint64_t to = atomic_load_explicit(&sink->stalled_to, memory_order_relaxed);
  uint64_t from = to > now - ns ? to : now - ns;
  if (from < now && atomic_compare_exchange_strong_explicit(
                        &sink->stalled_to, &to, now, memory_order_relaxed, memory_order_relaxed))
    atomic_fetch_add_explicit(&sink->stalled_ns, now - from, memory_order_relaxed);
  return atomic_load_explicit(&sink->stalled_ns, memory_order_relaxed);
}

/* sleep_a_step waits until `progress` changes, for a short time; returns the time it took, as far as
   it counts. */
static uint64_t sleep_a_step(vt_ring_t *ring, uint32_t progress, uint64_t *now) {
  uint64_t waiting = atomic_fetch_add_explicit(&ring->waiting, 1, memory_order_seq_cst);
  uint64_t step = WAIT_STEP_NS + waiting * WAIT_EACH_NS;
  if (step > WAIT_MAX_NS) step = WAIT_MAX_NS;
  uint64_t before = vt_clock_ns(CLOCK_MONOTONIC);
  vt_sys_futex_wait(&ring->progress, progress, step);
  atomic_fetch_sub_explicit(&ring->waiting, 1, memory_order_relaxed);
  *now = vt_clock_ns(CLOCK_MONOTONIC);
  uint64_t took = *now - before;
  return took < PAUSE_NS(step) ? took : PAUSE_NS(step);
}

/* wait_a_step returns 0 when it is time to give up. */
static int wait_a_step(vt_sink_t *sink, patience_t *p, uint32_t progress) {
  vt_ring_t *ring = sink->ring;
  uint64_t now, ns = sleep_a_step(ring, progress, &now);
  uint32_t alive = atomic_load_explicit(&ring->alive, memory_order_relaxed);
  p->total_ns += ns;
  if (atomic_load_explicit(&ring->progress, memory_order_relaxed) != progress)
    return p->total_ns <= STUCK_NS; /* others were faster, for so long */
  p->silent_ns = alive == p->alive ? p->silent_ns + ns : 0;
  p->alive = alive;
  return p->silent_ns <= DEAD_NS && stalled(sink, now, ns) <= STUCK_NS;
}

uint8_t *vt_sink_claim_ring(vt_sink_t *sink, uint32_t *index) {
  vt_ring_t *ring = sink->ring;
  patience_t patience = {0};
  for (;;) {
    uint32_t stop = atomic_load_explicit(&ring->stop, memory_order_relaxed);
    if (stop) {
      vt_sink_stop(sink, (vt_stopped_t)stop);
      return NULL;
    }
    uint32_t progress = atomic_load_explicit(&ring->progress, memory_order_acquire);
    look_t look = {0};
    uint8_t *segment = try_claim(sink, &look, index);
    if (segment) return segment;
    if (sink->silent || hopeless(ring, &look)) {
      vt_sink_stop(sink, sink->silent || sink->confined ? VT_STOPPED_CONFINED : VT_STOPPED_LIMIT);
      return NULL;
    }
    if (!wait_a_step(sink, &patience, progress)) {
      vt_sink_stop(sink, VT_STOPPED_COLLECTOR);
      return NULL;
    }
  }
}
