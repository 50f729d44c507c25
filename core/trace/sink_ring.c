/* The ring side of the sink: finding the collector, claiming segments, and bounded waiting.

   Back-pressure is bounded: a thread that finds no segment sleeps in short steps, and recording
   stops for this process after a second without a sign of life of the collector, or half a minute
   in which it lived but got nothing onto its disk. */
#include "core/trace/sink_private.h"
#include "core/trace/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define WAIT_STEP_NS   ((uint64_t)10 * 1000 * 1000)
#define DEAD_NS        ((uint64_t)1000 * 1000 * 1000)
#define STUCK_NS       (30 * DEAD_NS)
#define ANSWER_S       2 /* without an answer for so long, the process writes its own file */
#define INTERRUPTS_MAX 1000
/* After a pause of the whole machine the collector gets some steps to show itself again. */
#define DEAD_STEPS_MIN 20

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

/* ring_map maps the ring behind fd if it is the one with this nonce. */
static vt_ring_t *ring_map(int fd, uint64_t nonce) {
  uint64_t head[3]; /* magic, collector_pid and clock, nonce */
  if (vt_sys_pread(fd, head, sizeof head, 0) != (long)sizeof head) return NULL;
  if (head[0] != VT_RING_MAGIC || head[2] != nonce) return NULL;
  void *p =
      vt_sys_mmap(NULL, VT_RING_SZ, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (vt_sys_failed(p)) return NULL;
  vt_sys_madvise(p, VT_RING_SZ, MADV_DONTDUMP);
  return p;
}

/* receive_fd asks the collector's socket for the ring's descriptor; negative on failure, or when no
   answer comes: the collector may be stopped. */
static int receive_fd(char const *name) {
  struct sockaddr_un addr = {.sun_family = AF_UNIX};
  size_t len = strlen(name);
  memcpy(addr.sun_path + 1, name, len);
  int sock = vt_sys_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (sock < 0) return sock;
  int fd = -1;
  struct timeval answer = {.tv_sec = ANSWER_S};
  vt_sys_setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &answer, sizeof answer);
  vt_sys_setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &answer, sizeof answer); /* bounds connect */
  socklen_t addr_sz = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len);
  if (vt_sys_connect(sock, (struct sockaddr *)&addr, addr_sz) == 0) {
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
  atomic_store_explicit(&image->space, sink->space, memory_order_relaxed);
  atomic_store_explicit(&image->born, vt_clock_tick(sink->clock), memory_order_relaxed);
  atomic_store_explicit(&image->follows, sink->follows, memory_order_relaxed);
  atomic_store_explicit(&image->follows_slot, sink->follows_slot, memory_order_relaxed);
  /* Pairs with the collector's acquire load of pid: the slot is ready once pid is set. */
  atomic_store_explicit(&image->pid, sink->pid, memory_order_release);
}

int vt_sink_join_ring(vt_sink_t *sink, vt_ring_t *ring) {
  uint32_t first = sink->pid % VT_RING_IMAGES;
  for (uint32_t i = 0; i < VT_RING_IMAGES; i++) {
    uint32_t slot = (first + i) % VT_RING_IMAGES;
    uint64_t expected = 0;
    if (slot == 0) continue;
    vt_ring_image_t *image = &ring->images[slot];
    if (!atomic_compare_exchange_strong_explicit(&image->image, &expected, sink->image,
                                                 memory_order_acq_rel, memory_order_relaxed))
      continue;
    sink->ring = ring;
    sink->slot = slot;
    sink->clock = ring->clock == VT_CLOCK_TSC ? VT_CLOCK_TSC : VT_CLOCK_MONOTONIC;
    describe(sink, image);
    sink->counters = image->counters;
    sink->counter_stride = 1;
    return 0;
  }
  return -1;
}

int vt_sink_open_ring(vt_sink_t *sink, char const *spec_text) {
  spec_t spec;
  if (spec_parse(&spec, spec_text)) return -1;
  vt_ring_t *ring = ring_map(spec.fd, spec.nonce);
  if (!ring) {
    int fd = receive_fd(spec.socket);
    if (fd < 0) return -1;
    ring = ring_map(fd, spec.nonce);
    vt_sys_close(fd);
    if (!ring) return -1;
  }
  if (vt_sink_join_ring(sink, ring) == 0) return 0;
  vt_sys_munmap(ring, VT_RING_SZ);
  return -1;
}

/* try_claim takes the free segment with the lowest number, so that few stay warm. Linearizes at the
   compare-and-swap; its acquire pairs with the collector's release when it freed the segment. */
static uint8_t *try_claim(vt_sink_t *sink, uint32_t *index) {
  vt_ring_t *ring = sink->ring;
  uint32_t limit = atomic_load_explicit(&ring->limit, memory_order_relaxed);
  if (limit > VT_RING_SEGMENTS) limit = VT_RING_SEGMENTS;
  for (uint32_t i = 0; i < limit; i++) {
    uint64_t word = atomic_load_explicit(&ring->state[i], memory_order_relaxed);
    if (word != VT_SEGMENT_FREE) continue;
    if (!atomic_compare_exchange_strong_explicit(&ring->state[i], &word,
                                                 VT_SEGMENT_WORD(sink->slot, VT_SEGMENT_ACTIVE),
                                                 memory_order_acquire, memory_order_relaxed))
      continue;
    *index = i;
    return vt_ring_segment(ring, i);
  }
  return NULL;
}

/* What a thread that waits for a segment has seen of the collector. */
typedef struct {
  uint64_t since; /* when it began to wait without progress; 0: not waiting */
  uint64_t sign;  /* when the collector last showed that it lives */
  uint32_t steps; /* since then */
  uint32_t alive;
} patience_t;

/* wait_a_step sleeps until `progress` changes, for a short time. Returns 0 when it is time to give
   up. */
static int wait_a_step(vt_ring_t *ring, patience_t *p, uint32_t progress) {
  uint64_t now = vt_clock_ns(CLOCK_MONOTONIC);
  uint32_t alive = atomic_load_explicit(&ring->alive, memory_order_relaxed);
  if (!p->since) p->since = p->sign = now;
  if (alive != p->alive) p->sign = now, p->steps = 0;
  p->alive = alive;
  int is_dead = now - p->sign > DEAD_NS && p->steps++ > DEAD_STEPS_MIN;
  if (is_dead || now - p->since > STUCK_NS) return 0;
  atomic_fetch_add_explicit(&ring->waiting, 1, memory_order_seq_cst);
  vt_sys_futex_wait(&ring->progress, progress, WAIT_STEP_NS);
  atomic_fetch_sub_explicit(&ring->waiting, 1, memory_order_relaxed);
  if (atomic_load_explicit(&ring->progress, memory_order_relaxed) != progress) p->since = 0;
  return 1;
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
    uint8_t *segment = try_claim(sink, index);
    if (segment) return segment;
    if (sink->silent) {
      vt_sink_stop(sink, VT_STOPPED_OTHER);
      return NULL;
    }
    if (!wait_a_step(ring, &patience, progress)) {
      vt_sink_stop(sink, VT_STOPPED_COLLECTOR);
      return NULL;
    }
  }
}
