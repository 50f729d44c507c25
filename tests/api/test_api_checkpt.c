/* The behaviour the checkpt codec table promises: errors and the failed state, accessors, framing
   of both styles over files, pipes and memory, split points, limits, interoperation of the media.
 */

#include "api.h"

#include <fcntl.h>

#define RAW   FD_CHECKPT_FRAME_STYLE_RAW
#define LZ4   FD_CHECKPT_FRAME_STYLE_LZ4
#define INVAL FD_CHECKPT_ERR_INVAL

static fd_checkpt_t ckpt_mem[1];
static fd_restore_t restore_mem[1];
static uchar buf[FD_CHECKPT_WBUF_MIN];
static uchar mmio[1UL << 20], data[1UL << 20], back[1UL << 20];
static fd_rng_t rng[1];

static fd_checkpt_t * in_memory(ulong sz) { return fd_checkpt_init_mmio(ckpt_mem, mmio, sz); }
static fd_restore_t * of_memory(ulong sz) { return fd_restore_init_mmio(restore_mem, mmio, sz); }

/* A failed object: nothing works but fini. */
static int has_failed(fd_checkpt_t * c) {
  ulong off;
  return !fd_checkpt_can_open(c) && !fd_checkpt_in_frame(c) &&
         fd_checkpt_open_advanced(c, RAW, &off) == INVAL &&
         fd_checkpt_meta(c, NULL, 0UL) == INVAL && fd_checkpt_data(c, data, 1UL) == INVAL &&
         fd_checkpt_close(c) == INVAL && fd_checkpt_fini(c) == c;
}
static int has_failed_restore(fd_restore_t * r) {
  return !fd_restore_can_open(r) && !fd_restore_in_frame(r) && fd_restore_open(r, RAW) == INVAL &&
         fd_restore_meta(r, NULL, 0UL) == INVAL && fd_restore_data(r, back, 1UL) == INVAL &&
         fd_restore_close(r) == INVAL && fd_restore_seek(r, 0UL) == INVAL &&
         fd_restore_fini(r) == r;
}

static void test_init(void) {
  void * odd = (uchar *)ckpt_mem + 1;
  LOGS(!fd_checkpt_init_stream(NULL, 0, buf, sizeof(buf)));
  LOGS(!fd_checkpt_init_stream(odd, 0, buf, sizeof(buf)));
  LOGS(!fd_checkpt_init_stream(ckpt_mem, -1, buf, sizeof(buf)));
  LOGS(!fd_checkpt_init_stream(ckpt_mem, 0, NULL, sizeof(buf)));
  LOGS(!fd_checkpt_init_stream(ckpt_mem, 0, buf, sizeof(buf) - 1UL));
  LOGS(!fd_checkpt_init_mmio(NULL, mmio, 1UL));
  LOGS(!fd_checkpt_init_mmio(odd, mmio, 1UL));
  LOGS(!fd_checkpt_init_mmio(ckpt_mem, NULL, 1UL));
  LOGS(!fd_restore_init_stream(NULL, 0, buf, sizeof(buf)));
  LOGS(!fd_restore_init_stream(odd, 0, buf, sizeof(buf)));
  LOGS(!fd_restore_init_stream(restore_mem, -1, buf, sizeof(buf)));
  LOGS(!fd_restore_init_stream(restore_mem, 0, NULL, sizeof(buf)));
  LOGS(!fd_restore_init_stream(restore_mem, 0, buf, sizeof(buf) - 1UL));
  LOGS(!fd_restore_init_mmio(NULL, mmio, 1UL));
  LOGS(!fd_restore_init_mmio(odd, mmio, 1UL));
  LOGS(!fd_restore_init_mmio(restore_mem, NULL, 1UL));
  SILENT(fd_checkpt_init_mmio(ckpt_mem, NULL, 0UL) == ckpt_mem &&
         fd_checkpt_fini(ckpt_mem) == ckpt_mem);
  SILENT(fd_restore_init_mmio(restore_mem, NULL, 0UL) == restore_mem &&
         fd_restore_fini(restore_mem) == restore_mem);
  IS(!fd_checkpt_fini(NULL) && !fd_restore_fini(NULL));
  api_logged();
  fd_checkpt_t * c = in_memory(9UL);
  fd_restore_t * r = of_memory(9UL);
  SILENT(fd_checkpt_is_mmio(c) == 1 && fd_checkpt_mmio(c) == mmio && fd_checkpt_mmio_sz(c) == 9UL &&
         fd_checkpt_can_open(c) == 1 && fd_checkpt_in_frame(c) == 0);
  SILENT(fd_restore_is_mmio(r) == 1 && fd_restore_mmio(r) == mmio && fd_restore_mmio_sz(r) == 9UL &&
         fd_restore_sz(r) == 9UL && fd_restore_can_open(r) == 1 && fd_restore_in_frame(r) == 0);
  c = fd_checkpt_init_stream(ckpt_mem, 3, buf, sizeof(buf));
  r = fd_restore_init_stream(restore_mem, 0, buf, sizeof(buf));
  SILENT(!fd_checkpt_is_mmio(c) && fd_checkpt_fd(c) == 3 && fd_checkpt_wbuf(c) == buf &&
         fd_checkpt_wbuf_sz(c) == sizeof(buf));
  SILENT(!fd_restore_is_mmio(r) && fd_restore_fd(r) == 0 && fd_restore_rbuf(r) == buf &&
         fd_restore_rbuf_sz(r) == sizeof(buf));
  SILENT(!strcmp(fd_checkpt_strerror(0), "success") &&
         !strcmp(fd_checkpt_strerror(-1), "bad input args") &&
         !strcmp(fd_checkpt_strerror(-2), "unsupported on this target") &&
         !strcmp(fd_checkpt_strerror(-3), "io error") &&
         !strcmp(fd_checkpt_strerror(-4), "compression error") &&
         !strcmp(fd_checkpt_strerror(1), "unknown") && !strcmp(fd_checkpt_strerror(-5), "unknown"));
  SILENT(fd_checkpt_frame_style_is_supported(RAW) == 1 &&
         fd_checkpt_frame_style_is_supported(LZ4) == FD_HAS_LZ4 &&
         fd_checkpt_frame_style_is_supported(3) == 0 &&
         fd_checkpt_frame_style_is_supported(-1) == 0);
}

static void test_states(void) {
  ulong off = 7UL;
  SILENT(fd_checkpt_open_advanced(NULL, RAW, &off) == INVAL &&
         fd_checkpt_close_advanced(NULL, &off) == INVAL && fd_checkpt_open(NULL, RAW) == INVAL &&
         fd_checkpt_meta(NULL, data, 1UL) == INVAL && fd_checkpt_data(NULL, data, 1UL) == INVAL);
  SILENT(fd_restore_open_advanced(NULL, RAW, &off) == INVAL &&
         fd_restore_close_advanced(NULL, &off) == INVAL &&
         fd_restore_meta(NULL, back, 1UL) == INVAL && fd_restore_data(NULL, back, 1UL) == INVAL &&
         fd_restore_seek(NULL, 0UL) == INVAL);
#define FAILS(err, call)                                                                           \
  do {                                                                                             \
    fd_checkpt_t * c = in_memory(100UL);                                                           \
    SILENT((call) == (err) && has_failed(c));                                                      \
  } while (0)
  FAILS(INVAL, fd_checkpt_meta(c, data, 1UL));
  FAILS(INVAL, fd_checkpt_meta(c, NULL, 0UL));
  FAILS(INVAL, fd_checkpt_data(c, NULL, 0UL));
  FAILS(INVAL, fd_checkpt_close(c));
  FAILS(INVAL, fd_checkpt_open_advanced(c, RAW, NULL));
  FAILS(FD_CHECKPT_ERR_UNSUP, fd_checkpt_open(c, 3));
  FAILS(FD_CHECKPT_ERR_UNSUP, fd_checkpt_open(c, -1));
  FAILS(INVAL, fd_checkpt_open(c, RAW) ? 0 : fd_checkpt_open(c, RAW));
  FAILS(INVAL, fd_checkpt_open(c, RAW) ? 0 : fd_checkpt_meta(c, NULL, 1UL));
  FAILS(INVAL, fd_checkpt_open(c, RAW) ? 0 : fd_checkpt_data(c, NULL, 1UL));
  FAILS(INVAL, fd_checkpt_open(c, RAW) ? 0 : fd_checkpt_meta(c, data, FD_CHECKPT_META_MAX + 1UL));
  FAILS(INVAL, fd_checkpt_open(c, RAW) ? 0 : fd_checkpt_close_advanced(c, NULL));
  FAILS(FD_CHECKPT_ERR_IO, fd_checkpt_open(c, RAW) || fd_checkpt_data(c, data, 100UL)
                               ? 0
                               : fd_checkpt_data(c, data, 1UL));
  FAILS(FD_CHECKPT_ERR_IO, fd_checkpt_open(c, RAW) ? 0 : fd_checkpt_meta(c, data, 101UL));
  int no_lz4 = FD_HAS_LZ4 ? 0 : FD_CHECKPT_ERR_UNSUP;
  FAILS(no_lz4 ? no_lz4 : FD_CHECKPT_ERR_COMP,
        fd_checkpt_open(c, LZ4) ? no_lz4 : fd_checkpt_data(c, data, 4096UL));
#define FAILS_RESTORE(err, call)                                                                   \
  do {                                                                                             \
    fd_restore_t * r = of_memory(100UL);                                                           \
    SILENT((call) == (err) && has_failed_restore(r));                                              \
  } while (0)
  FAILS_RESTORE(INVAL, fd_restore_meta(r, NULL, 0UL));
  FAILS_RESTORE(INVAL, fd_restore_close(r));
  FAILS_RESTORE(INVAL, fd_restore_open_advanced(r, RAW, NULL));
  FAILS_RESTORE(FD_CHECKPT_ERR_UNSUP, fd_restore_open(r, 9));
  FAILS_RESTORE(INVAL, fd_restore_open(r, RAW) ? 0 : fd_restore_seek(r, 0UL));
  FAILS_RESTORE(INVAL, fd_restore_seek(r, 101UL));
  FAILS_RESTORE(INVAL, fd_restore_open(r, RAW) ? 0 : fd_restore_data(r, NULL, 1UL));
  FAILS_RESTORE(INVAL,
                fd_restore_open(r, RAW) ? 0 : fd_restore_meta(r, back, FD_RESTORE_META_MAX + 1UL));
  FAILS_RESTORE(FD_CHECKPT_ERR_IO, fd_restore_open(r, RAW) ? 0 : fd_restore_data(r, back, 101UL));
  fd_checkpt_t * c = in_memory(100UL);
  IS(!fd_checkpt_open(c, 0) && fd_checkpt_in_frame(c) == 1 && !fd_checkpt_can_open(c) &&
     !fd_checkpt_meta(c, NULL, 0UL) && !fd_checkpt_data(c, NULL, 0UL));
  IS(!fd_checkpt_fini(c) && !fd_checkpt_in_frame(c) && !fd_checkpt_can_open(c) &&
     fd_checkpt_fini(c) == c);
  fd_restore_t * r = of_memory(100UL);
  IS(!fd_restore_open(r, 0) && !fd_restore_fini(r) && fd_restore_fini(r) == r);
  api_logged();
}

/* open, empty buffers and close touch nothing: at the end, over garbage, on an empty region. */
static void test_empty(void) {
  ulong lo, hi;
  for (int style = 0; style <= RAW + FD_HAS_LZ4; style++) {
    fd_checkpt_t * c = in_memory(0UL);
    IS(!fd_checkpt_open_advanced(c, style, &lo) && !fd_checkpt_close_advanced(c, &hi) && !lo &&
       !hi && fd_checkpt_fini(c));
    fd_restore_t * r = of_memory(0UL);
    IS(!fd_restore_open_advanced(r, style, &lo) && !fd_restore_meta(r, NULL, 0UL) &&
       !fd_restore_data(r, NULL, 0UL) && !fd_restore_close_advanced(r, &hi) && !lo && !hi &&
       fd_restore_fini(r));
    memset(mmio, 0xff, 64UL);
    r = of_memory(64UL);
    IS(!fd_restore_open(r, style) && !fd_restore_close(r) && !fd_restore_seek(r, 64UL) &&
       !fd_restore_open(r, style) && !fd_restore_close(r) && fd_restore_fini(r));
  }
}

/* A random checkpoint: frames of random styles of buffers of random sizes, all from data. */
typedef struct {
  int style;
  ulong cnt, sz[12], lo, hi;
} frame_t;
static frame_t frame[20];

static void plan(void) {
  for (ulong f = 0UL; f < 20UL; f++) {
    frame[f].style = 1 + fd_rng_int_roll(rng, 1 + FD_HAS_LZ4);
    frame[f].cnt = fd_rng_ulong_roll(rng, 13UL);
    for (ulong b = 0UL; b < frame[f].cnt; b++)
      frame[f].sz[b] = fd_rng_ulong_roll(rng, 65536UL) >> fd_rng_int_roll(rng, 17);
  }
}

static int is_meta(ulong b) { return b % 3UL == 0UL; }

static int write_all(fd_checkpt_t * c) {
  ulong at = 0UL;
  int err = 0;
  for (ulong f = 0UL; f < 20UL; f++) {
    err |= fd_checkpt_open_advanced(c, frame[f].style, &frame[f].lo);
    for (ulong b = 0UL; b < frame[f].cnt; b++) {
      err |= is_meta(b) ? fd_checkpt_meta(c, data + at, frame[f].sz[b])
                        : fd_checkpt_data(c, data + at, frame[f].sz[b]);
      at = (at + frame[f].sz[b]) % 300000UL;
    }
    err |= fd_checkpt_close_advanced(c, &frame[f].hi);
  }
  return err || fd_checkpt_fini(c) != c;
}

static int read_frame(fd_restore_t * r, ulong f, ulong at) {
  ulong lo, hi, pos = 0UL;
  int err = fd_restore_open_advanced(r, frame[f].style, &lo);
  for (ulong b = 0UL; b < frame[f].cnt; b++) {
    err |= is_meta(b) ? fd_restore_meta(r, back + pos, frame[f].sz[b])
                      : fd_restore_data(r, back + pos, frame[f].sz[b]);
    err |= !fd_memeq(back + pos, data + at, frame[f].sz[b]); /* there immediately */
    at = (at + frame[f].sz[b]) % 300000UL;
    pos += frame[f].sz[b] + 1UL; /* not contiguous */
  }
  err |= fd_restore_close_advanced(r, &hi);
  return err || lo != frame[f].lo || hi != frame[f].hi;
}

static ulong start_of(ulong f) { /* in data */
  ulong at = 0UL;
  for (ulong i = 0UL; i < f; i++) {
    for (ulong b = 0UL; b < frame[i].cnt; b++) at = (at + frame[i].sz[b]) % 300000UL;
  }
  return at;
}

static int read_all(fd_restore_t * r, int seek) {
  int err = 0;
  for (ulong i = 0UL; i < 20UL; i++) {
    ulong f = seek ? (i * 7UL) % 20UL : i;
    if (seek) err |= fd_restore_seek(r, frame[f].lo);
    err |= read_frame(r, f, start_of(f));
  }
  return err || fd_restore_fini(r) != r;
}

static void test_media(void) {
  int good = 1, fd = memfd_create("c", 0U);
  ulong sz, raw, pos;
  for (int round = 0; round < 12; round++) {
    for (ulong i = 0UL; i < 600000UL; i++)
      data[i] = (uchar)(round & 1 ? (int)fd_rng_uchar(rng) : (int)(i >> 6));
    plan();
    good &= !fd_io_truncate(fd, 0UL) && !lseek(fd, 0, SEEK_SET);
    good &= !write_all(fd_checkpt_init_stream(ckpt_mem, fd, buf, sizeof(buf)));
    frame_t kept[20];
    memcpy(kept, frame, sizeof(frame));
    good &= !write_all(in_memory(sizeof(mmio))) && !memcmp(kept, frame, sizeof(frame));
    good &= !fd_io_sz(fd, &sz) && sz == frame[19].hi &&
            !fd_io_seek(fd, 0L, FD_IO_SEEK_TYPE_CUR, &pos) && pos == sz;
    for (ulong f = 0UL; f < 20UL; f++) {
      raw = 0UL;
      for (ulong b = 0UL; b < frame[f].cnt; b++) raw += frame[f].sz[b];
      if (frame[f].style == RAW) good &= frame[f].hi - frame[f].lo == raw;
      good &= frame[f].lo == (f ? frame[f - 1UL].hi : 0UL) && (raw || frame[f].hi == frame[f].lo);
    }
    void const * map;
    good &= !fd_io_mmio_init(fd, 0, &map, &pos) && fd_memeq(map, mmio, sz); /* the same bytes */
    good &= !read_all(fd_restore_init_mmio(restore_mem, map, sz), 1);
    fd_io_mmio_fini(map, sz);
    good &= !lseek(fd, 0, SEEK_SET) &&
            !read_all(fd_restore_init_stream(restore_mem, fd, buf, sizeof(buf)), 0);
    good &= !lseek(fd, 0, SEEK_SET) &&
            !read_all(fd_restore_init_stream(restore_mem, fd, buf, sizeof(buf)), 1);
    good &= !read_all(of_memory(sizeof(mmio)), 0); /* bytes behind the last frame are ignored */
  }
  IS(good);
  fd_restore_t * r = fd_restore_init_stream(restore_mem, fd, buf, sizeof(buf));
  SILENT(fd_restore_sz(r) == sz && !fd_restore_seek(r, sz) &&
         fd_restore_seek(r, sz + 1UL) == INVAL);
  close(fd);
}

static void test_pipe(void) {
  int fd[2];
  uchar byte[3] = {1, 2, 3}, got[3];
  ulong off;
  IS(!pipe(fd) && write(fd[1], "xy", 2) == 2 && read(fd[0], got, 2) == 2);
  fd_checkpt_t * c = fd_checkpt_init_stream(ckpt_mem, fd[1], buf, sizeof(buf));
  IS(!fd_checkpt_open_advanced(c, RAW, &off) && !off && !fd_checkpt_data(c, byte, 3UL) &&
     !fd_checkpt_close_advanced(c, &off) && off == 3UL && fd_checkpt_fini(c) == c);
  fd_restore_t * r = fd_restore_init_stream(restore_mem, fd[0], buf, sizeof(buf));
  close(fd[1]);
  IS(fd_restore_sz(r) == ULONG_MAX && !fd_restore_open_advanced(r, RAW, &off) && !off &&
     !fd_restore_data(r, got, 3UL) && !memcmp(got, byte, 3UL));
  SILENT(!fd_restore_close_advanced(r, &off) && off == 3UL && fd_restore_seek(r, 0UL) == INVAL &&
         has_failed_restore(r));
  r = fd_restore_init_stream(restore_mem, fd[0], buf, sizeof(buf));
  SILENT(!fd_restore_open(r, RAW) && fd_restore_data(r, got, 1UL) == FD_CHECKPT_ERR_IO &&
         has_failed_restore(r));
  close(fd[0]);
}

/* A stream begins at the descriptor's position; offsets written are relative to it. */
static void test_position(void) {
  int fd = memfd_create("p", 0U);
  ulong off;
  IS(write(fd, "0123456789", 10) == 10);
  fd_checkpt_t * c = fd_checkpt_init_stream(ckpt_mem, fd, buf, sizeof(buf));
  IS(!fd_checkpt_open_advanced(c, RAW, &off) && off == 0UL && !fd_checkpt_data(c, "abc", 3UL) &&
     !fd_checkpt_close(c));
  lseek(fd, 10, SEEK_SET);
  fd_restore_t * r = fd_restore_init_stream(restore_mem, fd, buf, sizeof(buf));
  uchar got[3];
  IS(!fd_restore_open_advanced(r, RAW, &off) && off == 10UL && !fd_restore_data(r, got, 3UL) &&
     !memcmp(got, "abc", 3UL));
  IS(fd_restore_sz(r) == 13UL && !fd_restore_close(r) && !fd_restore_seek(r, 2UL) &&
     !fd_restore_open_advanced(r, RAW, &off) && off == 2UL && !fd_restore_data(r, got, 2UL) &&
     !memcmp(got, "23", 2UL));
  close(fd);
}

/* Callers give an area of the raw size for repetitive data in hundreds of buffers and tens of
 * frames. */
static void test_compresses(void) {
  int good = 1;
  for (int round = 0; round < 30 && FD_HAS_LZ4; round++) {
    ulong total = 0UL, at = 0UL, frame_cnt = 1UL + fd_rng_ulong_roll(rng, 40UL);
    for (ulong i = 0UL; i < sizeof(data); i++) data[i] = (uchar)(i >> 8);
    fd_checkpt_t * c = in_memory(sizeof(mmio) / 2UL);
    ulong end = 0UL;
    for (ulong f = 0UL; f < frame_cnt; f++) {
      good &= !fd_checkpt_open(c, f && fd_rng_uint_roll(rng, 2U) ? RAW : LZ4);
      for (ulong b = 1UL + fd_rng_ulong_roll(rng, 10UL); b; b--) {
        ulong sz = 200UL + fd_rng_ulong_roll(rng, 800UL);
        good &= !fd_checkpt_data(c, data + at, sz);
        at += sz;
        total += sz;
      }
      good &= !fd_checkpt_close_advanced(c, &end);
    }
    good &= end <= total && fd_checkpt_fini(c) == c;
  }
  IS(good);
  for (ulong i = 0UL; i < sizeof(data); i++) data[i] = fd_rng_uchar(rng);
  fd_checkpt_t * c = in_memory(sizeof(mmio));
  ulong sz = 700000UL, end = 0UL;
  IS(!FD_HAS_LZ4 || (!fd_checkpt_open(c, LZ4) && !fd_checkpt_data(c, data, sz) &&
                     !fd_checkpt_close_advanced(c, &end) && end <= sz + sz / 255UL + 19UL * 11UL &&
                     fd_checkpt_fini(c)));
}

int main(int argc, char ** argv) {
  uint seed = argc > 1 ? fd_cstr_to_uint(argv[1]) : (uint)fd_tickcount();
  api_boot("");
  printf("# seed %u\n", seed);
  fd_rng_new(rng, seed, 0UL);
  for (ulong i = 0UL; i < sizeof(data); i++) data[i] = fd_rng_uchar(rng);
  test_init();
  test_states();
  test_empty();
  test_media();
  test_pipe();
  test_position();
  test_compresses();
  fd_halt();
  return done_testing();
}
