/* See sampling.h. Fields: proc_pid_status(5). */
#include "analyzer/collector/sampling.h"
#include "analyzer/memory/capture.h"

#include <stdio.h>

#define SAMPLE_NS        ((uint64_t)100000000)
#define SAMPLE_MIN_NS    ((uint64_t)5000000)
#define SAMPLES_IN_A_AGE 16
#define CAPTURE_GROWTH   20 /* more by this part than at the capture before */
#define CAPTURE_SHARE    20 /* of the process's life that captures may take */
#define CAPTURE_FREE_NS  ((uint64_t)10000000) /* and so much more */
#define CAPTURE_AGE_NS   ((uint64_t)20000000) /* what ends earlier is looked at when it has ended */

static void take_sample(vt_image_t *image, vt_clock_kind_t clock) {
  vt_sampling_t *s = &image->sampling;
  char path[64], line[128];
  unsigned long long peak = 0, resident = 0, private = 0, file = 0, shared = 0, swapped = 0;
  snprintf(path, sizeof path, "/proc/%d/status", image->place.process);
  FILE *status = fopen(path, "re");
  while (status && fgets(line, sizeof line, status)) {
    if (line[0] != 'V' && line[0] != 'R') continue;
    sscanf(line, "VmHWM: %llu", &peak);
    sscanf(line, "VmRSS: %llu", &resident);
    sscanf(line, "RssAnon: %llu", &private);
    sscanf(line, "RssFile: %llu", &file);
    sscanf(line, "RssShmem: %llu", &shared);
    sscanf(line, "VmSwap: %llu", &swapped);
  }
  if (status) fclose(status);
  s->tick = vt_clock_tick(clock);
  s->peak = peak << 10;
  s->resident = resident << 10;
  s->private = private << 10;
  s->file = file << 10;
  s->shared = shared << 10;
  s->swapped = swapped << 10;
}

static int wants_capture(vt_sampling_t const *s, uint64_t now) {
  return s->resident > s->captured + s->captured / CAPTURE_GROWTH && now - s->begun >= CAPTURE_AGE_NS &&
         s->spent_ns <= (now - s->begun) / CAPTURE_SHARE + CAPTURE_FREE_NS;
}

static void take_capture(vt_image_t *image, vt_clock_kind_t clock) {
  vt_sampling_t *s = &image->sampling;
  uint64_t start = vt_clock_ns(CLOCK_MONOTONIC);
  if (vt_capture_take(image->place.process, 0, clock, &s->capture)) return;
  s->captured = s->resident;
  s->spent_ns += vt_clock_ns(CLOCK_MONOTONIC) - start;
}

int vt_sampling_look(vt_image_t *image, vt_clock_kind_t clock, uint64_t now) {
  vt_sampling_t *s = &image->sampling;
  if (now < s->due) return 0;
  if (!s->begun) s->begun = now;
  vt_sampling_put(image);
  take_sample(image, clock);
  if (image->open && wants_capture(s, now)) take_capture(image, clock);
  uint64_t step = (now - s->begun) / SAMPLES_IN_A_AGE, most = SAMPLE_NS;
  if (image->packer.header.sample_period) most = VT_IMAGE_SPARSE_NS;
  if (step < SAMPLE_MIN_NS) step = SAMPLE_MIN_NS;
  s->due = now + (step < most ? step : most);
  return 1;
}

static void put_sample(vt_image_t *image) {
  vt_sampling_t const *s = &image->sampling;
  uint64_t const fields[] = {s->tick, s->resident, s->private, s->file, s->shared, s->swapped};
  vt_bytes_t b = {0};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) vt_bytes_u64(&b, fields[i]);
  vt_image_chunk(image, VT_CHUNK_MEMORY, &b);
  vt_bytes_free(&b);
}

void vt_sampling_put(vt_image_t *image) {
  vt_sampling_t *s = &image->sampling;
  if (s->resident && image->said_end != VT_PROCESS_EXEC) {
    if (s->peak > image->peak_resident) image->peak_resident = s->peak;
    put_sample(image);
    vt_image_chunk(image, VT_CHUNK_PAGES, &s->capture);
  }
  s->resident = 0;
  s->capture.sz = 0;
}
