/* See keep.h. */
#include "analyzer/collector/keep.h"
#include "analyzer/trace/copy.h"
#include "analyzer/util/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUFFIX ".keep" /* of the file that is to replace a trace */

static void beside(char out[PATH_MAX + 8], vt_image_t const *image) { snprintf(out, PATH_MAX + 8, "%s" SUFFIX, image->path); }

/* cut divides the file where it ends. */
static void cut(vt_drain_t *d, vt_image_t *image) {
  vt_cut_t here = {.tick = vt_clock_tick_ordered((vt_clock_kind_t)d->ring->clock)};
  vt_packer_hold(&image->packer);
  d->cutting = 1;
  vt_drain_all(d);
  d->cutting = 0;
  vt_packer_cut(&image->packer, here.tick);
  vt_writer_flush(image->packer.writer);
  here.off = vt_writer_bytes(image->packer.writer);
  VT_PUSH(image->keep.cuts, here);
}

/* put_off: what cannot be folded now, for want of room or processes, is tried again with the next cut. */
static void put_off(vt_keep_t *k) {
  k->cuts[0] = k->cuts[k->cuts_cnt - 1];
  k->cuts_cnt = 1;
}

/* start_helper has folded what is before the last cut but one. */
static void start_helper(vt_drain_t *d, vt_image_t *image) {
  vt_keep_t *k = &image->keep;
  vt_cut_t const *last = &k->cuts[k->cuts_cnt - 1];
  vt_fold_t fold = {image->path, last[-1].off, last[-1].tick, last->off};
  k->end = *last;
  char to[PATH_MAX + 8];
  beside(to, image);
  k->result = mmap(NULL, sizeof *k->result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (k->result == MAP_FAILED) return put_off(k);
  k->helper = fork();
  if (k->helper == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    vt_ring_leave(d->end); /* who has it counts as one that is recorded */
    vt_fold_write(&fold, to, k->result);
    _exit(0);
  }
  if (k->helper < 0) k->helper = 0;
  k->done = k->helper ? vt_kernel_process(k->helper) : -1;
  if (k->helper) return;
  munmap(k->result, sizeof *k->result);
  put_off(k);
}

/* is_over: without a descriptor it is waited for. */
static int is_over(vt_keep_t const *k) {
  struct pollfd p = {.fd = k->done, .events = POLLIN};
  if (k->done >= 0) return poll(&p, 1, 0) > 0;
  return waitpid(k->helper, NULL, WNOHANG) != 0;
}

/* move_cuts: where the helper stopped copying is now at `size`, and what is behind that moves with it. */
static void move_cuts(vt_keep_t *k, uint64_t size) {
  size_t kept = 0;
  for (size_t i = 0; i < k->cuts_cnt; i++)
    if (k->cuts[i].off >= k->end.off)
      k->cuts[kept++] = (vt_cut_t){size + (k->cuts[i].off - k->end.off), k->cuts[i].tick};
  k->cuts_cnt = kept;
}

/* put_in_place lets the new file catch up and gives it the trace's name. */
static void put_in_place(vt_image_t *image, vt_folded_t const *result) {
  vt_keep_t *k = &image->keep;
  vt_writer_t *old = image->packer.writer;
  vt_error_t error;
  char from[PATH_MAX + 8];
  beside(from, image);
  vt_writer_flush(old);
  int fd = open(image->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  vt_writer_t *new = fd < 0 ? NULL : vt_writer_append(from, (uint32_t)result->chunks, &error);
  int failed = !new || vt_copy_chunks(fd, k->end.off, vt_writer_bytes(old), new, NULL, NULL);
  if (new) vt_writer_flush(new);
  if (fd >= 0) close(fd);
  if (failed || vt_writer_failed(new) || vt_writer_failed(old) || rename(from, image->path)) {
    if (new) vt_writer_close(new);
    unlink(from);
    put_off(k);
    return;
  }
  vt_writer_close(old);
  image->packer.writer = new;
  move_cuts(k, result->size);
}

/* settle waits for the helper and takes what it has made, if that is whole. */
static void settle(vt_image_t *image) {
  vt_keep_t *k = &image->keep;
  char from[PATH_MAX + 8];
  if (k->done >= 0) poll(&(struct pollfd){.fd = k->done, .events = POLLIN}, 1, -1);
  while (waitpid(k->helper, NULL, 0) < 0 && errno == EINTR) continue;
  vt_folded_t result = *k->result;
  if (k->done >= 0) close(k->done);
  munmap(k->result, sizeof *k->result);
  k->helper = 0;
  if (result.whole) {
    put_in_place(image, &result);
    return;
  }
  beside(from, image);
  unlink(from);
  put_off(k);
}

static uint64_t since_cut(vt_image_t const *image) {
  vt_keep_t const *k = &image->keep;
  return vt_writer_bytes(image->packer.writer) - (k->cuts_cnt ? k->cuts[k->cuts_cnt - 1].off : 0);
}

void vt_keep_mind(vt_drain_t *d, vt_image_t *image) {
  vt_keep_t *k = &image->keep;
  if (!k->max || !image->open || d->cutting) return;
  if (k->helper && is_over(k)) settle(image);
  if (since_cut(image) >= k->max / 2) cut(d, image);
  if (!k->helper && k->cuts_cnt > 1) start_helper(d, image);
}

void vt_keep_end(vt_drain_t *d, vt_image_t *image) {
  vt_keep_t *k = &image->keep;
  if (k->helper) settle(image);
  if (k->max && image->open && since_cut(image) >= k->max / 2) cut(d, image);
  if (!image->open || k->cuts_cnt < 2) return;
  start_helper(d, image);
  if (k->helper) settle(image);
}
