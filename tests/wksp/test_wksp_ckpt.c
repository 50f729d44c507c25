/* Checkpoint and restore: return values, what is left behind, every flipped bit, every failing OS
   call, every byte a file may be cut at, other geometries, and threads. */

#include <errno.h>

#include "core/wksp/wksp_ckpt.h"
#include "wksp_tests.h"

static fd_rng_t rng[1];
static model_t model[1];

#define LOGS(c)   (logged(), ok(!!(c) && logged() == 1, "%s (logs)", #c))
#define SILENT(c) (logged(), ok(!!(c) && logged() == 0, "%s (silent)", #c))

static void fill(fd_wksp_t *wksp, ulong cnt, ulong sz_max) {
  model_init(model, wksp);
  for (ulong i = 0UL; i < cnt; i++) {
    ulong lo, hi;
    ulong sz = 1UL + fd_rng_ulong_roll(rng, sz_max);
    if (!fd_wksp_alloc_at_least(wksp, 1UL << fd_rng_ulong_roll(rng, 8UL), sz, 1UL + i, &lo, &hi))
      break;
    int c = (int)fd_rng_uint_roll(rng, 256U);
    fd_wksp_memset(wksp, lo, c);
    model_insert(model, (model_alloc_t){lo, hi, 1UL + i, c});
    if (i % 5UL == 4UL) {
      fd_wksp_free(wksp, model->alloc[i / 5UL].lo);
      model_remove(model, i / 5UL);
    }
  }
}

static void test_args(fd_wksp_t *w) {
  char const *path = test_path("args");
  LOGS(fd_wksp_checkpt(NULL, path, 0600UL, 0, NULL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_checkpt(w, NULL, 0600UL, 0, NULL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_checkpt(w, path, 1UL << 40, 0, NULL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_checkpt(w, path, 0600UL, 4, NULL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_checkpt(w, path, 0600UL, -1, NULL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_checkpt(w, test_path("no/such/dir"), 0600UL, 0, NULL) == FD_WKSP_ERR_FAIL);
  LOGS(fd_wksp_restore(NULL, path, 0U) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_restore(w, NULL, 0U) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_restore(w, path, 0U) == FD_WKSP_ERR_FAIL);
  SILENT(fd_wksp_preview(NULL, NULL) == FD_WKSP_ERR_INVAL);
  SILENT(fd_wksp_preview(path, NULL) == FD_WKSP_ERR_FAIL);
  LOGS(fd_wksp_printf(1, path, 0) < 0);
  SILENT(fd_wksp_printf(1, path, -1) == 0);
  mode_t old = umask(077);
  SILENT(!fd_wksp_checkpt(w, path, 0646UL, 0, "me"));
  umask(old);
  struct stat st;
  ok(!stat(path, &st) && (st.st_mode & 07777) == 0646, "exactly the mode asked for");
  LOGS(fd_wksp_checkpt(w, path, 0600UL, 0, NULL) == FD_WKSP_ERR_FAIL);
  ok(!fd_wksp_preview(path, NULL), "an existing file is not touched");
  fd_wksp_preview_t p;
  SILENT(!fd_wksp_preview(path, &p) && p.part_max == fd_wksp_part_max(w) &&
         p.data_max == fd_wksp_data_max(w) && p.seed == fd_wksp_seed(w) &&
         !strcmp(p.name, fd_wksp_name(w)) && p.style == 2);
  int fd = open("/dev/null", O_WRONLY);
  SILENT(fd_wksp_printf(fd, path, 9) > fd_wksp_printf(fd, path, 0));
  close(fd);
  unlink(path);
}

static ulong file_cnt(void) {
  char cmd[96];
  ulong cnt = 0UL;
  snprintf(cmd, sizeof(cmd), "ls -A '%s' | wc -l", test_dir);
  FILE *f = popen(cmd, "r");
  if (!f || fscanf(f, "%lu", &cnt) != 1) cnt = ULONG_MAX;
  if (f) pclose(f);
  return cnt;
}

/* Who restores damaged files: threads [0,threads) of the pool. */
static fd_tpool_t *tpool;
static ulong threads = 1UL;

/* Restoring a damaged file: CORRUPT, and the workspace is empty or as before. */
static int damaged(fd_wksp_t *w, char const *path) {
  int untouched = fd_wksp_preview(path, NULL) == FD_WKSP_ERR_CORRUPT;
  int err = fd_wksp_restore_tpool(tpool, 0UL, threads, w, path, 1U);
  if (err != FD_WKSP_ERR_CORRUPT || fd_wksp_verify(w)) return 0;
  if (untouched) return model_agrees(model, w);
  fd_wksp_usage_t u;
  return fd_wksp_usage(w, NULL, 0UL, &u)->free_cnt == u.total_cnt;
}

static void refill(fd_wksp_t *w, char const *good) {
  if (fd_wksp_restore(w, good, 1U)) ok(0, "restore of the good file");
}

static ulong load(uchar const *p) {
  ulong x;
  memcpy(&x, p, sizeof(x));
  return x;
}

/* Where the part of the file that byte off is in begins, by docs/wksp-checkpoint.md. */
static ulong part_off(uchar const *file, ulong sz, ulong off) {
  ulong footer = sz - 64UL;
  ulong index = load(file + footer + 24UL);
  if (off >= footer) return footer;
  if (off >= index) return index;
  if (off < 128UL) return 0UL;
  uchar const *frame = file + index + 24UL * load(file + footer);
  for (ulong k = 0UL; k < load(file + footer + 8UL); k++, frame += 24) {
    if (off >= load(frame) && off < load(frame) + load(frame + 8)) return load(frame);
  }
  return 128UL;
}

/* The offset told last in the log, ULONG_MAX if none was. */
static ulong logged_off(void) {
  char path[96];
  char buf[513];
  fd_log_flush();
  snprintf(path, sizeof(path), "%s/log", test_dir);
  int fd = open(path, O_RDONLY);
  off_t end = lseek(fd, 0, SEEK_END);
  long n = pread(fd, buf, 512UL, end > 512 ? end - 512 : 0);
  close(fd);
  buf[n > 0 ? n : 0] = '\0';
  char const *at = NULL;
  for (char const *p = buf; (p = strstr(p, "corrupt at offset ")); p++) at = p + 18;
  return at ? strtoul(at, NULL, 10) : ULONG_MAX;
}

static uchar file_buf[4UL << 20];

static ulong file_read(char const *path) {
  int in = open(path, O_RDONLY);
  ulong sz = (ulong)read(in, file_buf, sizeof(file_buf));
  close(in);
  return sz;
}

/* Writes the file with one bit of byte off flipped: 1 iff that is found, and where. */
static int flip_bit(fd_wksp_t *w, char const *bad, ulong sz, ulong off, uint shift) {
  ulong want = part_off(file_buf, sz, off);
  int out = open(bad, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  uchar bit = (uchar)(1U << shift);
  file_buf[off] ^= bit;
  int n = write(out, file_buf, sz) == (long)sz;
  file_buf[off] ^= bit;
  close(out);
  int found = n && damaged(w, bad) && logged_off() == want;
  if (!found) printf("# byte %lu: told %lu, is in the part at %lu\n", off, logged_off(), want);
  return found;
}

/* Likewise a random bit. */
static int flip(fd_wksp_t *w, char const *bad, ulong sz, ulong off) {
  return flip_bit(w, bad, sz, off, fd_rng_uint_roll(rng, 8U));
}

/* Every bit of the checkpoint of a small workspace (every step-th byte), restored by one and by two
   threads. */
static void test_flips_all(int style, ulong step) {
  fd_wksp_t *w = test_wksp(16UL, 8000UL);
  char const *good = test_path("good");
  char const *bad = test_path("bad");
  fill(w, 6UL, 60UL);
  int err = fd_wksp_checkpt(w, good, 0600UL, style, "u");
  ulong sz = err ? 0UL : file_read(good);
  ulong found = 0UL, tried = 0UL;
  for (ulong off = 0UL; off < sz; off += step) {
    for (uint bit = 0U; bit < 8U; bit++) {
      for (threads = 1UL; threads < 3UL; threads++) {
        tried++;
        found += (ulong)flip_bit(w, bad, sz, off, bit);
        refill(w, good);
      }
    }
  }
  threads = 1UL;
  printf("# %lu bits of %lu bytes\n", tried / 2UL, sz);
  ok(tried && found == tried, "flipped bits, by one and by two threads, style %i", style);
  unlink(good);
  unlink(bad);
  test_wksp_free(w);
}

/* Every byte of header and tables, and every step-th of the rest (1: all). */
static void test_flips(fd_wksp_t *w, int style, ulong step) {
  char const *good = test_path("good");
  char const *bad = test_path("bad");
  fill(w, 40UL, 700UL);
  if (!ok(!fd_wksp_checkpt(w, good, 0600UL, style, "x"), "checkpoint of style %i", style)) return;
  ulong sz = file_read(good);
  ulong frames = 128UL + load(file_buf + 80);
  ulong index = load(file_buf + sz - 40UL);
  ulong found = 0UL, cut = 0UL, tried = 0UL, cuts = 0UL;
  for (ulong off = 0UL; off < sz; off++) {
    if (off >= frames && off < index) off = fd_ulong_min(off + fd_rng_ulong_roll(rng, step), index);
    tried++;
    found += (ulong)flip(w, bad, sz, off);
    refill(w, good);
    if (tried % 8UL) continue;
    cuts++;
    cut += (ulong)(!truncate(bad, (off_t)off) && damaged(w, bad) && model_agrees(model, w));
  }
  is_ulong(found, tried, "every flipped bit is found and its place told");
  is_ulong(cut, cuts, "every shortened file is found, the workspace untouched");
  ok(model_agrees(model, w), "the good file still restores");
  unlink(good);
  unlink(bad);
}

/* A file of several frames: first and last byte of each and random ones. */
static void test_flips_frames(int style) {
  fd_wksp_t *w = test_wksp(10UL, 3UL << 20);
  char const *good = test_path("good");
  char const *bad = test_path("bad");
  ulong g = fd_wksp_alloc(w, 1UL, (5UL << 19) + 3UL, 7UL);
  ulong *p = (ulong *)fd_wksp_laddr(w, fd_ulong_align_up(g, 8UL));
  for (ulong i = 0UL; i < 5UL << 16; i++) p[i] = i % 3UL ? i : fd_ulong_hash(i);
  int err = fd_wksp_checkpt(w, good, 0600UL, style, NULL);
  ulong sz = err ? 0UL : file_read(good);
  ulong found = 0UL, tried = 0UL, frame_cnt = 0UL;
  ulong off = 128UL + load(file_buf + 80);
  ulong index = load(file_buf + sz - 40UL);
  while (!err && off < index) {
    ulong at = part_off(file_buf, sz, off);
    frame_cnt++;
    threads = 3UL - threads;
    found += (ulong)(at == off && flip(w, bad, sz, off));
    while (off < index && part_off(file_buf, sz, off) == at) off++;
    ulong inside = at + fd_rng_ulong_roll(rng, off - at);
    found += (ulong)(flip(w, bad, sz, off - 1UL) && flip(w, bad, sz, inside));
    tried += 2UL;
  }
  threads = 1UL;
  ok(frame_cnt == 3UL && found == tried, "flips in each of 3 frames are found, style %i", style);
  unlink(good);
  unlink(bad);
  test_wksp_free(w);
}

/* Failing OS calls: the nth of a kind fails once. */
static wksp_os_t os_real;
static ulong fail_at;
static ulong fail_cnt;

static int fail_now(int err) {
  if (++fail_cnt != fail_at) return 0;
  errno = err;
  return 1;
}
static int bad_open(char const *p, int f, mode_t m) {
  return fail_now(EMFILE) ? -1 : os_real.open(p, f, m);
}
static int bad_fchmod(int fd, mode_t m) { return fail_now(EPERM) ? -1 : os_real.fchmod(fd, m); }
static ssize_t bad_pread(int fd, void *b, size_t n, off_t o) {
  return fail_now(EIO) ? -1 : os_real.pread(fd, b, n, o);
}
static ssize_t bad_pwrite(int fd, void const *b, size_t n, off_t o) {
  return fail_now(ENOSPC) ? -1 : os_real.pwrite(fd, b, n, o);
}
static int bad_fsync(int fd) { return fail_now(EIO) ? -1 : os_real.fsync(fd); }
static int bad_rename(char const *a, char const *b) {
  return fail_now(EEXIST) ? -1 : os_real.rename_new(a, b);
}

static void test_os(fd_wksp_t *w, int style) {
  char const *path = test_path("os");
  char const *good = test_path("os-good");
  fill(w, 40UL, 700UL);
  fd_wksp_checkpt(w, good, 0600UL, style, NULL);
  ulong files = file_cnt();
  os_real = wksp_os;
  wksp_os = (wksp_os_t){bad_open,  bad_fchmod, bad_pread,     bad_pwrite,
                        bad_fsync, bad_rename, os_real.unlink};
  int clean = 1;
  ulong n = 0UL;
  int err = FD_WKSP_ERR_FAIL;
  while (err && n < 100UL) {
    fail_at = ++n;
    fail_cnt = 0UL;
    err = fd_wksp_checkpt(w, path, 0600UL, style, NULL);
    if (err) clean &= err == FD_WKSP_ERR_FAIL && file_cnt() == files && model_agrees(model, w);
  }
  ok(clean && !err && n > 6UL, "style %i: %lu failing calls of a checkpoint leave nothing behind",
     style, n - 1UL);
  unlink(path);
  n = 0UL;
  err = FD_WKSP_ERR_FAIL;
  while (err && n < 100UL) {
    fail_at = ++n;
    fail_cnt = 0UL;
    err = fd_wksp_restore(w, good, 5U);
    fd_wksp_usage_t u;
    int empty = fd_wksp_usage(w, NULL, 0UL, &u)->free_cnt == u.total_cnt;
    if (err)
      clean &=
          err == FD_WKSP_ERR_CORRUPT ? empty : err == FD_WKSP_ERR_FAIL && model_agrees(model, w);
  }
  wksp_os = os_real;
  ok(clean && !err && n > 3UL,
     "style %i: %lu failing calls of a restore leave it empty or untouched", style, n - 1UL);
  ok(model_agrees(model, w), "and the one without failure restores");
  unlink(good);
}

/* Tells the model the bounds of v; the number of partitions its allocations then make. */
static ulong model_move(fd_wksp_t const *v) {
  model->lo = fd_wksp_gaddr_lo(v);
  model->hi = fd_wksp_gaddr_hi(v);
  model->part_max = fd_wksp_part_max(v);
  return model_part_cnt(model);
}

/* The 48 allocations make at most 97 partitions with their gaps; how many depends on the seed. */
static void test_geometry(void) {
  char const *path = test_path("geo");
  fd_wksp_t *w = test_wksp(100UL, 200000UL);
  fill(w, 60UL, 3000UL);
  fd_wksp_checkpt(w, path, 0600UL, 0, NULL);
  fd_wksp_t *v = test_wksp(97UL, 250000UL);
  ulong need = model_move(v);
  test_wksp_free(v);
  ulong part_max[4] = {100UL, 1000UL, 3000UL, need};
  ulong data_max[4] = {400000UL, 900000UL, 200000UL, 250000UL};
  for (ulong i = 0UL; i < 4UL; i++) {
    v = test_wksp(part_max[i], data_max[i]);
    ulong footprint = fd_wksp_footprint(part_max[i], data_max[i]);
    fd_wksp_alloc(v, 1UL, 100UL, 1UL);
    int err = fd_wksp_restore(v, path, 3U);
    model_move(v);
    ok(!err && model_agrees(model, v), "restore into part_max %lu data_max %lu", part_max[i],
       data_max[i]);
    munmap(v, footprint);
  }
  v = test_wksp(need - 1UL, 250000UL);
  LOGS(fd_wksp_restore(v, path, 3U) == FD_WKSP_ERR_FAIL); /* too few partitions */
  test_wksp_free(v);
  v = test_wksp(100UL, 8000UL);
  ulong g = fd_wksp_alloc(v, 1UL, 5UL, 8UL);
  LOGS(fd_wksp_restore(v, path, 3U) == FD_WKSP_ERR_FAIL); /* too little space */
  ok(fd_wksp_tag(v, g) == 8UL && !fd_wksp_verify(v), "untouched");
  fd_wksp_reset(v, 1U);
  unlink(path);
  ok(!fd_wksp_checkpt(v, path, 0600UL, 0, NULL) && !fd_wksp_restore(w, path, 4U),
     "no allocations at all");
  model_init(model, w);
  ok(model_agrees(model, w), "empty afterwards");
  fd_wksp_private_pinfo(w)->gaddr_hi ^= 1UL;
  unlink(path);
  ulong files = file_cnt();
  LOGS(fd_wksp_checkpt(w, path, 0600UL, 0, NULL) == FD_WKSP_ERR_CORRUPT);
  ok(file_cnt() == files, "no file of an inconsistent workspace");
}

/* One allocation of many frames and many small ones, over all thread ranges. */
static void test_threads(void) {
  fd_wksp_t *w = test_wksp(3000UL, 48UL << 20);
  fill(w, 2000UL, 300UL);
  ulong lo, hi;
  fd_wksp_alloc_at_least(w, 1UL, (20UL << 20) + 12345UL, 99999UL, &lo, &hi);
  uchar *p = (uchar *)fd_wksp_laddr(w, lo);
  for (ulong i = 0UL; i < hi - lo; i++) p[i] = (uchar)(i * 2654435761UL >> 13);
  ulong hash = fd_hash(0UL, p, hi - lo);
  for (int style = 1; style < 4; style++) {
    for (ulong t = 0UL; t < 4UL; t++) {
      char const *path = test_path("threads");
      ulong w0 = t % 2UL, w1 = t < 2UL ? 3UL : w0 + 1UL;
      int err = fd_wksp_checkpt_tpool(tpool, w0, w1, w, path, 0600UL, style, NULL);
      memset(p, 0, hi - lo);
      if (!err) err = fd_wksp_restore_tpool(tpool, 0UL, 1UL + t % 3UL, w, path, 9U);
      ok(!err && fd_hash(0UL, p, hi - lo) == hash && fd_wksp_tag(w, hi - 1UL) == 99999UL &&
             !fd_wksp_verify(w),
         "style %i written by threads [%lu,%lu), read by [0,%lu)", style, w0, w1, 1UL + t % 3UL);
      unlink(path);
    }
  }
  LOGS(fd_wksp_checkpt_tpool(NULL, 0UL, 2UL, w, "/tmp/x", 0600UL, 1, NULL) == FD_WKSP_ERR_INVAL);
  LOGS(fd_wksp_restore_tpool(NULL, 0UL, 2UL, w, "/tmp/x", 1U) == FD_WKSP_ERR_INVAL);
}

static int start_tpool(void) {
  static uchar mem[FD_TPOOL_FOOTPRINT(3UL)] __attribute__((aligned(FD_TPOOL_ALIGN)));
  tpool = fd_tpool_init(mem, 3UL, 0UL);
  return tpool && fd_tpool_worker_push(tpool, 1UL) && fd_tpool_worker_push(tpool, 2UL);
}

int main(void) {
  test_boot("test_wksp_ckpt");
  fd_rng_join(fd_rng_new(rng, test_seed(), 0UL));
  fd_wksp_t *w = test_wksp(64UL, 60000UL);
  ulong step = test_cnt("WKSP_FLIP_STEP", 200UL);
  if (!ok(start_tpool(), "thread pool")) return test_halt();
  fill(w, 10UL, 700UL);
  test_args(w);
  for (int style = 1; style < 4; style += 2) {
    fd_wksp_reset(w, 1U);
    test_flips(w, style, step);
    test_flips_all(style, fd_ulong_min(step, 40UL));
    test_flips_frames(style);
    fd_wksp_reset(w, 1U);
    test_os(w, style);
  }
  test_geometry();
  test_threads();
  fd_tpool_fini(tpool);
  return test_halt();
}
