/* Prints a checkpoint in growing detail. */

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fd/util/log/fd_log.h"
#include "wksp_ckpt.h"

/* Where to print and what it came to: characters, or -1 after an error. */
typedef struct {
  int fd;
  int cnt;
} out_t;

static void __attribute__((format(printf, 2, 3))) out_printf(out_t *out, char const *fmt, ...) {
  if (out->cnt < 0) return;
  va_list ap;
  va_start(ap, fmt);
  int n = vdprintf(out->fd, fmt, ap);
  va_end(ap);
  out->cnt = n < 0 ? -1 : out->cnt + n;
}

static void print_header(out_t *out, wksp_ckpt_header_t const *h) {
  out_printf(out, "style    %i\nname     %s\nseed     %u\npart_max %lu\ndata_max %lu\n", h->style,
             h->name, h->seed, h->part_max, h->data_max);
}

static void print_info(out_t *out, wksp_ckpt_t const *ckpt, int verbose) {
  wksp_ckpt_info_t id;
  char const *str[WKSP_CKPT_STR_CNT];
  memcpy(&id, ckpt->info, sizeof(id));
  char const *p = ckpt->info + sizeof(id);
  for (ulong i = 0UL; i < WKSP_CKPT_STR_CNT; i++) {
    str[i] = p;
    p += strlen(p) + 1UL;
  }
  char when[FD_LOG_WALLCLOCK_CSTR_BUF_SZ];
  out_printf(out, "magic    %016lx\nwallclock %s\nmode     0%lo\n", ckpt->header.magic,
             fd_log_wallclock_cstr(id.wallclock, when), id.mode);
  ulong const ids[6] = {id.app_id, id.thread_id, id.host_id, id.cpu_id, id.group_id, id.user_id};
  char const *what[6] = {"app", "thread", "host", "cpu", "group", "user"};
  for (ulong i = 0UL; i < 6UL; i++) out_printf(out, "%-8s %lu %s\n", what[i], ids[i], str[i]);
  out_printf(out, "tid      %lu\npath     %s\n", id.tid, str[6]);
  if (verbose > 1) out_printf(out, "build    %s\nuser info %s\n", str[8], str[9]);
}

static void print_summary(out_t *out, wksp_ckpt_t const *ckpt) {
  ulong largest = 0UL;
  for (ulong i = 0UL; i < ckpt->footer.alloc_cnt; i++)
    largest = fd_ulong_max(largest, ckpt->alloc[i].gaddr_hi - ckpt->alloc[i].gaddr_lo);
  out_printf(out,
             "used     %lu bytes in %lu blocks, largest %lu\nfree     %lu bytes\nframes   %lu\n",
             ckpt->footer.stream_sz, ckpt->footer.alloc_cnt, largest,
             ckpt->header.data_max - fd_ulong_min(ckpt->header.data_max, ckpt->footer.stream_sz),
             ckpt->footer.frame_cnt);
}

static void print_hex(out_t *out, uchar const *buf, ulong sz, ulong gaddr) {
  for (ulong row = 0UL; row < sz; row += 16UL) {
    char text[80];
    ulong len = 0UL;
    ulong cnt = fd_ulong_min(16UL, sz - row);
    for (ulong i = 0UL; i < cnt; i++) len += (ulong)sprintf(text + len, " %02x", buf[row + i]);
    text[len++] = ' ';
    for (ulong i = 0UL; i < cnt; i++)
      text[len++] = isprint(buf[row + i]) ? (char)buf[row + i] : '.';
    text[len] = '\0';
    out_printf(out, "  %012lx%s\n", gaddr + row, text);
  }
}

/* Prints the part of allocation [lo,hi) of stream offset at that frame k holds. */
static void print_frame_part(out_t *out, wksp_ckpt_t const *ckpt, ulong k, uchar const *raw,
                             ulong i) {
  ulong f0 = k * WKSP_CKPT_FRAME_SZ;
  ulong f1 = f0 + wksp_ckpt_frame_stream_sz(ckpt, k);
  ulong s0 = fd_ulong_max(ckpt->stream[i], f0);
  ulong s1 = fd_ulong_min(ckpt->stream[i + 1UL], f1);
  if (s0 < s1)
    print_hex(out, raw + (s0 - f0), s1 - s0, ckpt->alloc[i].gaddr_lo + (s0 - ckpt->stream[i]));
}

/* Reads frame k to scratch->raw: 0 or a status. */
static int load_frame(wksp_ckpt_t const *ckpt, ulong k, wksp_ckpt_scratch_t *scratch) {
  wksp_ckpt_frame_t const *frame = ckpt->frame + k;
  if (ckpt->header.frame_style == FD_CHECKPT_FRAME_STYLE_RAW)
    return wksp_ckpt_pread(ckpt->fd, scratch->raw, frame->sz, frame->off) ? FD_WKSP_ERR_CORRUPT : 0;
  if (wksp_ckpt_pread(ckpt->fd, scratch->packed, frame->sz, frame->off)) return FD_WKSP_ERR_CORRUPT;
  return wksp_ckpt_unpack(scratch, frame->sz, scratch->raw, wksp_ckpt_frame_stream_sz(ckpt, k));
}

/* One line per allocation, with hex its bytes.  Frames are loaded as the allocations reach them. */
static void print_allocs(out_t *out, wksp_ckpt_t const *ckpt, int hex) {
  wksp_ckpt_scratch_t *scratch = hex ? malloc(sizeof(*scratch)) : NULL;
  ulong loaded = ULONG_MAX;
  for (ulong i = 0UL; i < ckpt->footer.alloc_cnt; i++) {
    wksp_ckpt_alloc_t const *a = ckpt->alloc + i;
    out_printf(out, "alloc    [%lu,%lu) sz %lu tag %lu\n", a->gaddr_lo, a->gaddr_hi,
               a->gaddr_hi - a->gaddr_lo, a->tag);
    if (!scratch) continue;
    ulong last = (ckpt->stream[i + 1UL] - 1UL) / WKSP_CKPT_FRAME_SZ;
    for (ulong k = ckpt->stream[i] / WKSP_CKPT_FRAME_SZ; k <= last; k++) {
      if (k != loaded && load_frame(ckpt, k, scratch)) {
        out_printf(out, "frame %lu is corrupt\n", k);
        break;
      }
      loaded = k;
      print_frame_part(out, ckpt, k, scratch->raw, i);
    }
  }
  free(scratch);
}

int fd_wksp_printf(int fd, char const *path, int verbose) {
  if (verbose < 0) return 0;
  wksp_ckpt_t ckpt[1];
  int err = path ? wksp_ckpt_open(ckpt, path) : FD_WKSP_ERR_INVAL;
  if (FD_UNLIKELY(err)) {
    FD_LOG_WARNING(("fd_wksp_printf %s: %s", path ? path : "(null)", fd_wksp_strerror(err)));
    if (path) wksp_ckpt_close(ckpt);
    return err;
  }
  out_t out = {fd, 0};
  print_header(&out, &ckpt->header);
  if (verbose > 0) print_info(&out, ckpt, verbose);
  if (verbose > 2) print_summary(&out, ckpt);
  if (verbose > 3) print_allocs(&out, ckpt, verbose > 4);
  wksp_ckpt_close(ckpt);
  return out.cnt;
}
