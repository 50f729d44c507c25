/* See following.h. */
#include "analyzer/collector/following.h"

#define MUCH      ((uint64_t)1 << 18) /* events; they are read in about 10 ms */
#define AT_A_TIME 4

static int is_followed(vt_image_t const *image) { return image->look.helper.pid && !image->look.looking; }

static unsigned followed(vt_drain_t const *d) {
  unsigned cnt = 0;
  for (size_t i = 0; i < d->images_cnt; i++) cnt += (unsigned)is_followed(d->images[i]);
  return cnt;
}

/* A trace of which only the last events are kept is replaced by other files, and is short; of a sample nothing is said. */
static int is_wanted(vt_drain_t const *d, vt_image_t const *image) {
  return image->open && !image->leaving && !image->follower_tried && image->packer.events >= MUCH && d->ring->heir_limit_ns &&
         !image->keep.max && !image->packer.header.sample_period;
}

void vt_following_mind(vt_drain_t const *d, vt_image_t *image) {
  if (!is_wanted(d, image) || followed(d) >= AT_A_TIME) return;
  image->follower_tried = 1;
  vt_helper_follow(&image->look.helper, d->end, image->path);
}

int vt_following_due(vt_image_t *image) {
  if (!is_followed(image) || image->packer.events - image->flushed_events < MUCH) return 0;
  if (!vt_helper_over(&image->look.helper)) return 1;
  vt_helper_end(&image->look.helper, NULL);
  return 0;
}
