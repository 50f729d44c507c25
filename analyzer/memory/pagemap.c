/* See pagemap.h. PAGEMAP_SCAN and the words of pagemap: kernel,
   Documentation/admin-guide/mm/pagemap.rst; the request is newer than the headers of many systems. */
#include "analyzer/memory/pagemap.h"

#include <errno.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <unistd.h>

typedef struct {
  uint64_t size, flags, start, end, walk_end, regions, regions_max, pages_max;
  uint64_t inverted, all_of, any_of, told;
} scan_request_t;
typedef struct {
  uint64_t start, end, categories;
} scan_region_t;
#define SCAN         _IOWR('f', 16, scan_request_t)
#define IS_PRESENT   ((uint64_t)1 << 3)
#define IS_SWAPPED   ((uint64_t)1 << 4)
#define IS_ZERO_PAGE ((uint64_t)1 << 5)
#define REGIONS      512

#define WORDS          2048 /* of pagemap that are read together */
#define WORD_PRESENT   ((uint64_t)1 << 63)
#define WORD_SWAPPED   ((uint64_t)1 << 62)
#define BY_WORDS_MAX   ((uint64_t)64 << 30)

typedef struct {
  int pagemap;
  void (*found)(void *context, vt_page_run_t const *run);
  void *context;
} look_t;

/* by_request: 0 when all was told, -1 else; *start is how far it got. */
static int by_request(look_t const *look, uint64_t *start, uint64_t end) {
  scan_region_t regions[REGIONS];
  while (*start < end) {
    scan_request_t r = {.size = sizeof r,
                        .start = *start,
                        .end = end,
                        .regions = (uint64_t)(uintptr_t)regions,
                        .regions_max = REGIONS,
                        .inverted = IS_ZERO_PAGE,
                        .all_of = IS_ZERO_PAGE,
                        .any_of = IS_PRESENT | IS_SWAPPED,
                        .told = IS_PRESENT | IS_SWAPPED};
    int n = ioctl(look->pagemap, SCAN, &r);
    if (n < 0 || r.walk_end <= *start) return -1;
    for (int i = 0; i < n; i++) {
      vt_page_run_t run = {regions[i].start, regions[i].end, !(regions[i].categories & IS_PRESENT)};
      look->found(look->context, &run);
    }
    *start = r.walk_end;
  }
  return 0;
}

static void grow(look_t const *look, vt_page_run_t *run, uint64_t page, uint64_t word) {
  int there = (word & (WORD_PRESENT | WORD_SWAPPED)) != 0, swapped = !(word & WORD_PRESENT);
  if (there && run->end == page && run->swapped == swapped && run->end > run->start) {
    run->end += VT_PAGEMAP_PAGE;
    return;
  }
  if (run->end > run->start) look->found(look->context, run);
  *run = there ? (vt_page_run_t){page, page + VT_PAGEMAP_PAGE, swapped} : (vt_page_run_t){0};
}

static int by_words(look_t const *look, uint64_t start, uint64_t end) {
  uint64_t words[WORDS];
  vt_page_run_t run = {0};
  if (end - start > BY_WORDS_MAX) return -1;
  while (start < end) {
    uint64_t wanted = (end - start) / VT_PAGEMAP_PAGE;
    if (wanted > WORDS) wanted = WORDS;
    ssize_t n = pread(look->pagemap, words, wanted * sizeof *words,
                      (off_t)(start / VT_PAGEMAP_PAGE * sizeof *words));
    if (n < (ssize_t)sizeof *words) break;
    for (size_t i = 0; i < (size_t)n / sizeof *words; i++, start += VT_PAGEMAP_PAGE)
      grow(look, &run, start, words[i]);
  }
  if (run.end > run.start) look->found(look->context, &run);
  return start < end ? -1 : 0;
}

int vt_pagemap_runs(int pagemap, uint64_t start, uint64_t end,
                    void (*found)(void *context, vt_page_run_t const *run), void *context) {
  look_t look = {pagemap, found, context};
  if (!by_request(&look, &start, end)) return 0;
  return errno == ENOTTY || errno == EINVAL ? by_words(&look, start, end) : -1;
}
