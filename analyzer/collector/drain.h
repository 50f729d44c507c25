/* Taking segments out of the ring in the order of their streams. */
#ifndef VT_ANALYZER_COLLECTOR_DRAIN_H
#define VT_ANALYZER_COLLECTOR_DRAIN_H

#include "analyzer/collector/image.h"
#include "analyzer/collector/outputs.h"
#include "analyzer/collector/pause.h"
#include "analyzer/collector/ring.h"
#include "analyzer/collector/slots.h"

typedef struct {
  vt_ring_t *ring;
  vt_ring_end_t *end;    /* of that ring */
  vt_outputs_t *outputs; /* where traces go */
  int first_awaited;     /* `run` will tell of its end, which it may see later than we do */
  int first_status;      /* waitpid's status of the first process; -1: not told */
  int detached;          /* the processes are not recorded any more */
  int detacher;          /* connection that waits for their traces; 0: none */
  int high_tags;         /* pointers of these programs have tags in the top 16 bits */
  uint64_t first_peak;   /* highest resident bytes of the first process; 0: not known */
  vt_codec_t *codec;     /* shared by all images */
  vt_symbols_t *symbols; /* NULL: not wanted */
  vt_image_t **images;   /* all of the run, in order of appearance */
  size_t images_cnt, images_cap;
  vt_slots_t slots;
  vt_pauses_t pauses;
  int cutting; /* a file is being cut, see keep.c */
  vt_image_t *by_slot[VT_RING_IMAGES]; /* the living ones */
  uint8_t replaced[VT_RING_IMAGES];    /* exec has replaced the image of this slot */
  int replacements;                    /* some are to be ended */
  uint16_t slot_of[VT_RING_IMAGES];    /* where a process was found last, by its number's rest */
  uint32_t
      consumed[VT_RING_SEGMENTS]; /* bytes of records already taken from an unfinished segment */
} vt_drain_t;

/* vt_drain_full takes all finished segments; returns how many. Images that appear are added, those
   that exec has replaced are ended. */
size_t vt_drain_full(vt_drain_t *d);

/* vt_drain_all takes everything that is committed when it is called, of unfinished segments too, so
   that a collector that is killed has lost little. Returns that moment. */
vt_moment_of_clocks_t vt_drain_all(vt_drain_t *d);

/* vt_drain_doubt: whether a process lives on in the memory of another is asked anew, not remembered. Who was
   about to end, and had not told of its heir yet, looked like one. */
void vt_drain_doubt(vt_drain_t *d);

/* vt_drain_ended ends the images whose process is gone: takes what they left, finished or not, and
   frees their segments and slots. One that is awaited stays. */
void vt_drain_ended(vt_drain_t *d);

/* vt_drain_awaited: is this an image whose end `run` will tell of? */
int vt_drain_awaited(vt_drain_t const *d, vt_image_t const *image);

/* vt_drain_last is the image with which the first process ended, NULL if it was not recorded. */
vt_image_t *vt_drain_last(vt_drain_t const *d);

/* vt_drain_leftovers frees what was claimed by images that ended before they said who they are, and
   looks again at those that others live on in. Costs a look at each slot. */
void vt_drain_leftovers(vt_drain_t *d);

/* vt_drain_kept is how many resident bytes are kept of processes to be looked at. */
uint64_t vt_drain_kept(vt_drain_t const *d);

/* vt_drain_pause and vt_drain_resume pause and resume the run (pause.h) and write what has been recorded and the marks
   into the traces. Of what was recorded while they ran, more may come. */
void vt_drain_pause(vt_drain_t *d, vt_pause_t why);
void vt_drain_resume(vt_drain_t *d);

/* vt_drain_write takes everything that is committed and writes it into the traces, for their readers. */
void vt_drain_write(vt_drain_t *d);

/* vt_drain_end completes an image's trace, but if it left its memory to be looked at only after that. wait_status: how its
   process ended, as of vt_drain_status. */
void vt_drain_end(vt_drain_t *d, vt_image_t *image, int wait_status);

/* vt_drain_status is how the process of an image ended, as of waitpid: as `run` has told of the first one's last image
   (`last`, see vt_drain_last), else as far as the kernel knows; -1: nobody does. */
int vt_drain_status(vt_drain_t *d, vt_image_t const *image, vt_image_t const *last);

/* vt_drain_settle takes the looks at memory that are over, and completes the traces of images that have ended. Does not
   block. */
void vt_drain_settle(vt_drain_t *d);

#endif
