/* Where the traces of a run go, and which processes have one.

   By default one process has a file in the current folder; when a second one appears, a folder is made
   and the files so far are moved into it, so that a program that starts eighty processes leaves one
   folder and not eighty files. Open descriptors do not notice. A trace that another process is looking
   at by its name stays until that has ended. */
#ifndef VT_ANALYZER_COLLECTOR_OUTPUTS_H
#define VT_ANALYZER_COLLECTOR_OUTPUTS_H

#include <limits.h>
#include <stdint.h>
#include "analyzer/collector/image.h"

/* Set by `run`; changed by the collector only. */
typedef struct vt_outputs {
  char pattern[PATH_MAX]; /* of the names; absolute */
  int gather;             /* a second process makes a folder */
  char const *children;   /* processes but the first need a name that matches this glob; NULL: all */
  uint64_t max_size;      /* of a trace, in bytes; 0: no limit */
  uint64_t keep;          /* bytes of the last events that a trace keeps; 0: all */
  uint64_t min_events;    /* traces with fewer are dropped; not the one with which the first process ends */
  char folder[PATH_MAX];  /* that was made; "": none */
  uint32_t skipped, dropped; /* processes without a trace for the two reasons */
} vt_outputs_t;

/* vt_outputs_wants: is an image of this program to have a trace? Counts those that are not. */
int vt_outputs_wants(vt_outputs_t *outputs, vt_image_place_t const *place, char const *program);

/* vt_outputs_admit prepares for the image `place`, which is to be added to `images`: makes the folder if
   it is of a second process. */
void vt_outputs_admit(vt_outputs_t *outputs, vt_image_place_t const *place, vt_image_t **images,
                      size_t cnt);

/* vt_outputs_collect moves what is not yet in the folder there, if there is one. */
void vt_outputs_collect(vt_outputs_t *outputs, vt_image_t **images, size_t cnt);

/* vt_outputs_drop removes the trace of an ended image if it is too small to be kept. One that lacks
   events is kept: nobody knows how many it would have. */
void vt_outputs_drop(vt_outputs_t *outputs, vt_image_t *image);

#endif
