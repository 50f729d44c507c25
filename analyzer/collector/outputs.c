/* See outputs.h. */
#include "analyzer/collector/outputs.h"
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "core/trace/name.h"

#define EXTENSION ".vtr"
#define PREFIX    "valtrace." /* of the default name; not of those in the folder */

int vt_outputs_wants(vt_outputs_t *outputs, vt_image_place_t const *place, char const *program) {
  char name[PATH_MAX];
  if (!outputs->children || place->first) return 1;
  if (vt_name_expand(name, sizeof name, "%n", 0, program, "") < 0) return 1;
  if (!fnmatch(outputs->children, name, 0)) return 1;
  outputs->skipped++;
  return 0;
}

/* Who was gone before it could be looked at has no number: it is not the first. */
static int same_process(vt_image_place_t const *a, vt_image_place_t const *b) {
  if (a->first || b->first) return a->first && b->first;
  return a->process && a->process == b->process;
}

/* The image the folder is named after: the one the first process has come to, else the earliest. */
static vt_image_t const *eponym(vt_image_t **images, size_t cnt) {
  vt_image_t const *found = NULL;
  for (size_t i = 0; i < cnt; i++) {
    vt_image_t const *image = images[i];
    if (image->skipped) continue;
    if (!found || (image->place.first && (!found->place.first || image->start_tick > found->start_tick)))
      found = image;
  }
  return found;
}

/* A folder of this name may be there, of another run. */
static int make_folder(char out[PATH_MAX], char const *name) {
  int sz = (int)(strlen(name) - strlen(EXTENSION));
  for (unsigned n = 1;; n++) {
    int used = n == 1 ? snprintf(out, PATH_MAX, "%.*s", sz, name)
                      : snprintf(out, PATH_MAX, "%.*s.%u", sz, name, n);
    if (used >= PATH_MAX) return -1;
    if (!mkdir(out, 0777)) return 0;
    if (errno != EEXIST) return -1;
  }
}

/* The folder's name as a pattern, its percent signs doubled, with the names in it. */
static int pattern_in(char out[PATH_MAX], char const *folder) {
  size_t n = 0;
  for (; *folder && n + 3 < PATH_MAX; folder++) {
    if (*folder == '%') out[n++] = '%';
    out[n++] = *folder;
  }
  if (*folder) return -1;
  return snprintf(out + n, PATH_MAX - n, "/%s", VT_NAME_IN_FOLDER) < (int)(PATH_MAX - n) ? 0 : -1;
}

void vt_outputs_admit(vt_outputs_t *outputs, vt_image_place_t const *place, vt_image_t **images,
                      size_t cnt) {
  char pattern[PATH_MAX];
  vt_image_t const *first = eponym(images, cnt);
  if (!outputs->gather || !first || same_process(&first->place, place)) return;
  outputs->gather = 0;
  if (make_folder(outputs->folder, first->path) || pattern_in(pattern, outputs->folder)) {
    outputs->folder[0] = '\0';
    return;
  }
  strcpy(outputs->pattern, pattern);
  vt_outputs_collect(outputs, images, cnt);
}

static void move(vt_outputs_t const *outputs, vt_image_t *image) {
  char wanted[PATH_MAX];
  size_t sz = strlen(outputs->folder);
  char const *name = strrchr(image->path, '/');
  if (!name || ((size_t)(name - image->path) == sz && !memcmp(image->path, outputs->folder, sz)))
    return;
  name++;
  if (!strncmp(name, PREFIX, strlen(PREFIX))) name += strlen(PREFIX);
  if (snprintf(wanted, sizeof wanted, "%s/%s", outputs->folder, name) >= (int)sizeof wanted) return;
  if (!rename(image->path, wanted)) strcpy(image->path, wanted);
}

void vt_outputs_collect(vt_outputs_t *outputs, vt_image_t **images, size_t cnt) {
  for (size_t i = 0; i < cnt && outputs->folder[0]; i++)
    if (!images[i]->skipped && !images[i]->leaving) move(outputs, images[i]);
}

void vt_outputs_drop(vt_outputs_t *outputs, vt_image_t *image) {
  if (image->skipped || image->error.what[0] || image->events >= outputs->min_events) return;
  if (image->place.first && image->said_end != VT_PROCESS_EXEC) return;
  if (image->lost || image->stopped || unlink(image->path)) return;
  image->skipped = 1;
  image->events = image->bytes = 0;
  outputs->dropped++;
}
