/* The checkpoint codec: random sequences of frames written to both media must be the same bytes and
   come back from both; every error the contract names; every flipped bit of an LZ4 frame shows. */

#include "fd/util/fd_util.h"
#include "tests/unit/tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define AREA_SZ (8UL << 20)
#define OP_MAX  (400)

static fd_checkpt_t ckpt_mem[1];
static fd_restore_t restore_mem[1];
static uchar buf[FD_CHECKPT_WBUF_MIN];
static uchar mmio[AREA_SZ], file[AREA_SZ], plain[AREA_SZ], back[AREA_SZ];

typedef struct {
  int kind; /* 0 open, 1 close, 2 meta, 3 data */
  int style;
  ulong sz;
  ulong off; /* what open or close said */
} op_t;

static op_t op[OP_MAX];
static int op_cnt;
static ulong plain_sz;

static void make_plain(fd_rng_t * rng, ulong run_max) {
  for (ulong i = 0UL; i < AREA_SZ;) {
    ulong run = fd_ulong_min(1UL + fd_rng_ulong_roll(rng, run_max), AREA_SZ - i);
    memset(plain + i, fd_rng_uchar(rng), run);
    i += run;
  }
}

static ulong random_sz(fd_rng_t * rng, int kind) {
  ulong top = 1UL << fd_rng_ulong_roll(rng, kind == 2 ? 17UL : 19UL);
  ulong sz = fd_rng_ulong_roll(rng, top + 1UL);
  return sz < AREA_SZ / 2UL - plain_sz ? sz : 0UL;
}

static void make_ops(fd_rng_t * rng, int style) {
  int in_frame = 0;
  op_cnt = 0;
  plain_sz = 0UL;
  while (op_cnt < OP_MAX - 1 || in_frame) {
    op_t * o = &op[op_cnt++];
    memset(o, 0, sizeof(*o));
    if (!in_frame || op_cnt == OP_MAX || !fd_rng_uint_roll(rng, 8U)) {
      o->kind = in_frame;
      o->style = style ? style : 1 + (int)fd_rng_uint_roll(rng, 2U);
      in_frame ^= 1;
    } else {
      o->kind = 2 + (int)fd_rng_uint_roll(rng, 2U);
      o->sz = random_sz(rng, o->kind);
      plain_sz += o->sz;
    }
  }
}

static int write_ops(fd_checkpt_t * ckpt) {
  ulong pos = 0UL;
  int err = 0;
  for (op_t * o = op; !err && o < op + op_cnt; o++) {
    if (o->kind == 0) err = fd_checkpt_open_advanced(ckpt, o->style, &o->off);
    if (o->kind == 1) err = fd_checkpt_close_advanced(ckpt, &o->off);
    if (o->kind == 2) err = fd_checkpt_meta(ckpt, plain + pos, o->sz);
    if (o->kind == 3) err = fd_checkpt_data(ckpt, plain + pos, o->sz);
    pos += o->sz;
  }
  return err;
}

static int read_ops(fd_restore_t * restore) {
  ulong pos = 0UL, off = 0UL;
  int err = 0;
  for (op_t * o = op; !err && o < op + op_cnt; o++) {
    if (o->kind == 0) err = fd_restore_open_advanced(restore, o->style, &off);
    if (o->kind == 1) err = fd_restore_close_advanced(restore, &off);
    if (o->kind == 2) err = fd_restore_meta(restore, back + pos, o->sz);
    if (o->kind == 3) err = fd_restore_data(restore, back + pos, o->sz);
    if (!err && o->kind < 2 && off != o->off) err = 1;
    if (!err && memcmp(back + pos, plain + pos, o->sz)) err = 2;
    pos += o->sz;
  }
  return err;
}

static int temp_file(void) {
  char path[] = "/tmp/test_fd_checkpt.XXXXXX";
  int fd = mkstemp(path);
  unlink(path);
  return fd;
}

static void round_trip(fd_rng_t * rng, int style, char const * name) {
  int fd = temp_file();
  make_ops(rng, style);
  fd_checkpt_t * ckpt = fd_checkpt_init_mmio(ckpt_mem, mmio, AREA_SZ);
  int err = write_ops(ckpt);
  ok(!err && fd_checkpt_fini(ckpt) == ckpt_mem, "%s: written to memory", name);
  ulong sz = op[op_cnt - 1].off, got, len;
  ckpt = fd_checkpt_init_stream(ckpt_mem, fd, buf, sizeof(buf));
  err = write_ops(ckpt);
  ok(!err && fd_checkpt_fini(ckpt) == ckpt_mem, "%s: written to a file", name);
  fd_io_sz(fd, &len);
  fd_io_seek(fd, 0L, FD_IO_SEEK_TYPE_SET, &got);
  fd_io_read(fd, file, sz, AREA_SZ, &got);
  ok(len == sz && got == sz && !memcmp(file, mmio, sz), "%s: the same bytes in both", name);
  memset(back, 0, AREA_SZ);
  ok(!read_ops(fd_restore_init_mmio(restore_mem, file, sz)), "%s: read from memory", name);
  fd_io_seek(fd, 0L, FD_IO_SEEK_TYPE_SET, &got);
  ok(!read_ops(fd_restore_init_stream(restore_mem, fd, buf, sizeof(buf))), "%s: read from a file",
     name);
  close(fd);
}

/* Repetitive data in exactly its own size, compressed and raw mixed. */
static void test_tight(fd_rng_t * rng) {
  int fits = 1;
  make_plain(rng, 256UL);
  for (int i = 0; fits && i < 20; i++) {
    make_ops(rng, 0);
    fits = !write_ops(fd_checkpt_init_mmio(ckpt_mem, mmio, plain_sz));
  }
  ok(fits, "repetitive data fits in its raw size");
}

/* Buffers of the flip tests: small ones that share a window and large ones. */
static ulong const flip_part[5] = {10UL, 300UL, 5000UL, 20000UL, 70000UL};

/* 1 iff a frame that starts at the reader's position is refused. */
static int flip_refused(fd_restore_t * restore) {
  int err = fd_restore_open(restore, FD_CHECKPT_FRAME_STYLE_LZ4);
  for (ulong i = 0UL; !err && i < 5UL; i++) err = fd_restore_data(restore, back, flip_part[i]);
  return !!err;
}

/* Flips a bit of the file and of its image in memory. */
static void flip_bit(int fd, ulong bit) {
  uchar * at = mmio + bit / 8UL;
  *at = (uchar)(*at ^ (1U << bit % 8UL));
  if (pwrite(fd, at, 1UL, (off_t)(bit / 8UL)) != 1L) ok(0, "write to the file");
}

/* The same flips for both readers; a stream reads from a file and from where it stands. */
static void test_flips(fd_rng_t * rng) {
  ulong sz, missed = 0UL, missed_stream = 0UL, tried = 0UL, idx;
  int fd = temp_file();
  make_plain(rng, 40UL);
  fd_checkpt_t * ckpt = fd_checkpt_init_mmio(ckpt_mem, mmio, AREA_SZ);
  fd_checkpt_open(ckpt, FD_CHECKPT_FRAME_STYLE_LZ4);
  for (ulong i = 0UL; i < 5UL; i++) fd_checkpt_data(ckpt, plain, flip_part[i]);
  fd_checkpt_close_advanced(ckpt, &sz);
  ok(pwrite(fd, mmio, sz, 0L) == (ssize_t)sz, "the frame as a file");
  ulong step = fd_env_strip_cmdline_ulong(NULL, NULL, NULL, "CHECKPT_FLIP_STEP", 64UL);
  for (ulong bit = 0UL; bit < sz * 8UL; bit += 1UL + fd_rng_ulong_roll(rng, step)) {
    flip_bit(fd, bit);
    missed += !flip_refused(fd_restore_init_mmio(restore_mem, mmio, sz));
    fd_io_seek(fd, 0L, FD_IO_SEEK_TYPE_SET, &idx);
    missed_stream += !flip_refused(fd_restore_init_stream(restore_mem, fd, buf, sizeof(buf)));
    tried++;
    flip_bit(fd, bit);
  }
  printf("# %lu bits flipped in %lu bytes\n", tried, sz);
  is_ulong(missed, 0UL, "every flipped bit of an LZ4 frame is found in memory");
  is_ulong(missed_stream, 0UL, "every flipped bit of an LZ4 frame is found in a file");
  fd_io_seek(fd, 0L, FD_IO_SEEK_TYPE_SET, &idx);
  ok(!flip_refused(fd_restore_init_stream(restore_mem, fd, buf, sizeof(buf))),
     "the file without a flip is not refused");
  close(fd);
}

static void test_bad_init(void) {
  uchar * odd = (uchar *)ckpt_mem + 1;
  ok(!fd_checkpt_init_stream(NULL, 1, buf, sizeof(buf)), "NULL memory");
  ok(!fd_checkpt_init_stream(odd, 1, buf, sizeof(buf)), "misaligned memory");
  ok(!fd_checkpt_init_stream(ckpt_mem, -1, buf, sizeof(buf)), "bad descriptor");
  ok(!fd_checkpt_init_stream(ckpt_mem, 1, NULL, sizeof(buf)), "NULL buffer");
  ok(!fd_checkpt_init_stream(ckpt_mem, 1, buf, FD_CHECKPT_WBUF_MIN - 1UL), "small buffer");
  ok(!fd_checkpt_init_mmio(ckpt_mem, NULL, 1UL), "NULL mmio");
  ok(!!fd_checkpt_init_mmio(ckpt_mem, NULL, 0UL), "empty mmio");
  ok(!fd_restore_init_stream(restore_mem, 0, buf, FD_RESTORE_RBUF_MIN - 1UL), "small read buffer");
  ok(!fd_restore_init_mmio(restore_mem, NULL, 1UL), "NULL mmio to read");
  ok(!fd_checkpt_fini(NULL) && !fd_restore_fini(NULL), "fini of NULL");
}

static void test_states(void) {
  fd_checkpt_t * c = fd_checkpt_init_mmio(ckpt_mem, mmio, 100UL);
  ok(fd_checkpt_can_open(c) == 1 && fd_checkpt_in_frame(c) == 0 && fd_checkpt_is_mmio(c) == 1,
     "fresh");
  ok(fd_checkpt_fd(c) == -1 && !fd_checkpt_wbuf(c) && !fd_checkpt_wbuf_sz(c) &&
         fd_checkpt_mmio(c) == mmio && fd_checkpt_mmio_sz(c) == 100UL,
     "accessors");
  ok(fd_checkpt_meta(c, NULL, 0UL) == FD_CHECKPT_ERR_INVAL && !fd_checkpt_can_open(c),
     "meta outside a frame");
  ok(fd_checkpt_open(c, 1) == FD_CHECKPT_ERR_INVAL && fd_checkpt_fini(c) == c, "failed: only fini");
  c = fd_checkpt_init_mmio(ckpt_mem, mmio, 100UL);
  ok(fd_checkpt_open(c, 3) == FD_CHECKPT_ERR_UNSUP, "unknown style");
  c = fd_checkpt_init_mmio(ckpt_mem, mmio, 100UL);
  ok(!fd_checkpt_open(c, 0) && !fd_checkpt_fini(c) && fd_checkpt_fini(c) == c,
     "fini in a frame fails once");
  c = fd_checkpt_init_mmio(ckpt_mem, mmio, 100UL);
  ok(!fd_checkpt_open(c, 1) && !fd_checkpt_data(c, plain, 100UL), "filled to the last byte");
  ok(fd_checkpt_data(c, plain, 1UL) == FD_CHECKPT_ERR_IO && !fd_checkpt_in_frame(c),
     "one byte more");
  c = fd_checkpt_init_mmio(ckpt_mem, mmio, 100UL);
  ok(!fd_checkpt_open(c, 1) && fd_checkpt_meta(c, plain, 65537UL) == FD_CHECKPT_ERR_INVAL,
     "large meta");
  c = fd_checkpt_init_mmio(ckpt_mem, mmio, 10UL);
  ok(!fd_checkpt_open(c, 2) && fd_checkpt_data(c, "abcdefghijklm", 13UL) == FD_CHECKPT_ERR_COMP,
     "no room");
  ok(fd_checkpt_close(NULL) == FD_CHECKPT_ERR_INVAL &&
         fd_checkpt_data(NULL, NULL, 0UL) == FD_CHECKPT_ERR_INVAL,
     "NULL");
}

/* A device that is always full: the error shows no later than close. */
static void test_full(void) {
  int fd = open("/dev/full", O_WRONLY);
  fd_checkpt_t * c = fd_checkpt_init_stream(ckpt_mem, fd, buf, sizeof(buf));
  ok(!fd_checkpt_open(c, 1) && fd_checkpt_data(c, plain, 1UL << 20) == FD_CHECKPT_ERR_IO,
     "disk full at a large buffer");
  c = fd_checkpt_init_stream(ckpt_mem, fd, buf, sizeof(buf));
  ok(!fd_checkpt_open(c, 2) && !fd_checkpt_meta(c, plain, 100UL) &&
         fd_checkpt_close(c) == FD_CHECKPT_ERR_IO && !fd_checkpt_can_open(c),
     "disk full at close");
  close(fd);
}

static void test_restore_states(void) {
  fd_restore_t * r = fd_restore_init_mmio(restore_mem, mmio, 4UL);
  ok(!fd_restore_open(r, 2) && !fd_restore_data(r, NULL, 0UL) && !fd_restore_close(r),
     "empty frame over garbage");
  ok(!fd_restore_seek(r, 4UL) && fd_restore_seek(r, 5UL) == FD_CHECKPT_ERR_INVAL,
     "seek to the end, not past it");
  r = fd_restore_init_mmio(restore_mem, mmio, 4UL);
  ok(!fd_restore_open(r, 1) && fd_restore_data(r, back, 5UL) == FD_CHECKPT_ERR_IO, "past the end");
  r = fd_restore_init_mmio(restore_mem, mmio, 4UL);
  ok(!fd_restore_open(r, 1) && fd_restore_seek(r, 0UL) == FD_CHECKPT_ERR_INVAL, "seek in a frame");
  int pipe_fd[2];
  if (pipe(pipe_fd)) return;
  ok(write(pipe_fd[1], "hello", 5UL) == 5L, "pipe");
  r = fd_restore_init_stream(restore_mem, pipe_fd[0], buf, sizeof(buf));
  ok(fd_restore_sz(r) == ULONG_MAX && !fd_restore_open(r, 1) && !fd_restore_meta(r, back, 5UL) &&
         !memcmp(back, "hello", 5UL) && !fd_restore_close(r),
     "read from a pipe");
  ok(fd_restore_seek(r, 0UL) == FD_CHECKPT_ERR_INVAL, "a pipe cannot seek");
  close(pipe_fd[0]);
  close(pipe_fd[1]);
}

int main(int argc, char ** argv) {
  fd_rng_t rng[1];
  setenv("FD_LOG_PATH", "", 0); /* no litter in /tmp */
  fd_boot(&argc, &argv);
  uint seed = fd_env_strip_cmdline_uint(&argc, &argv, "--seed", NULL, (uint)fd_log_wallclock());
  printf("# --seed %u\n", seed);
  fd_rng_new(rng, seed, 0UL);
  fd_log_level_stderr_set(4);
  make_plain(rng, 3UL);
  round_trip(rng, FD_CHECKPT_FRAME_STYLE_RAW, "raw");
  round_trip(rng, FD_CHECKPT_FRAME_STYLE_LZ4, "lz4, noise");
  make_plain(rng, 256UL);
  round_trip(rng, FD_CHECKPT_FRAME_STYLE_LZ4, "lz4, runs");
  round_trip(rng, 0, "mixed");
  test_tight(rng);
  test_flips(rng);
  test_bad_init();
  test_states();
  test_full();
  test_restore_states();
  is_str(fd_checkpt_strerror(FD_CHECKPT_ERR_COMP), "compression error", "strerror");
  is_str(fd_checkpt_strerror(-9), "unknown", "strerror of nonsense");
  is_ulong(FD_CHECKPT_FOOTPRINT, 196664UL, "FD_CHECKPT_FOOTPRINT");
  is_ulong(FD_RESTORE_FOOTPRINT, 196680UL, "FD_RESTORE_FOOTPRINT");
  fd_halt();
  return done_testing();
}
