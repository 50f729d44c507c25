/* See copies.h. */
#include "analyzer/collector/copies.h"
#include "analyzer/snapshot/verdict.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROWTH 8  /* more by this part than at the look before */
#define STILL  64 /* less than this part more than at the sample before: it has stopped growing */
#define SHARE  8  /* of the process's life that looks may take */
#define AGE_NS ((uint64_t)200000000)

static uint64_t now_ns(void) { return vt_clock_ns(CLOCK_MONOTONIC); }

/* lack says at the end of recording why there is no snapshot of it. */
static void lack(vt_image_t *image, char const *why) {
  vt_bytes_t none = {0};
  vt_verdict_none(why, &none);
  vt_image_leaks(image, &none);
  vt_bytes_free(&none);
}

static int is_made_by_asker(vt_snapshot_for_t what_for) {
  return what_for == VT_SNAPSHOT_FOR_STILL || what_for == VT_SNAPSHOT_FOR_END;
}

static void answer(int asker, int status, char const *text) {
  char line[256];
  int n = snprintf(line, sizeof line, "%d %s\n", status, text);
  if (asker) (void)!send(asker, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static char const *begin(vt_drain_t *d, vt_image_t *image, vt_snapshot_for_t what_for, int asker) {
  vt_copying_t *c = &image->copying;
  vt_ring_image_t *row = &d->ring->images[image->place.slot];
  char const *path = image->open ? image->path : NULL;
  char const *why = is_made_by_asker(what_for)
                        ? vt_heir_copy_expect(&c->look, d->end, row, path, image->place.process, vt_drain_kept(d), d->high_tags)
                        : vt_heir_copy_begin(&c->look, d->end, row, path, vt_drain_kept(d), d->high_tags);
  if (why && what_for == VT_SNAPSHOT_FOR_END) lack(image, why);
  if (why) return why;
  c->on = 1;
  c->what_for = what_for;
  c->asker = asker;
  c->begun = now_ns();
  char number[16];
  snprintf(number, sizeof number, "%u", atomic_load_explicit(&row->copy_number, memory_order_relaxed));
  if (is_made_by_asker(what_for)) answer(asker, 0, number);
  return NULL;
}

static void hang_up(int *asker) {
  if (*asker) close(*asker);
  *asker = 0;
}

static void refuse(int *asker, char const *why) {
  char text[200];
  snprintf(text, sizeof text, "no snapshot: %s", why);
  answer(*asker, 1, text);
  hang_up(asker);
}

char const *vt_copies_ask(vt_drain_t *d, vt_image_t *image, vt_snapshot_for_t what_for, int asker) {
  vt_copying_t *c = &image->copying;
  if (c->on) vt_copies_settle(d, image); /* who asked for it may be gone */
  if (!c->on) return begin(d, image, what_for, asker);
  if (what_for != VT_SNAPSHOT_FOR_MOMENT || c->what_for != VT_SNAPSHOT_FOR_PEAK || c->next) return "one is being taken already";
  c->next = asker;
  return NULL;
}

/* is_high: is it the moment for a look? */
static int is_high(vt_image_t const *image, uint64_t now) {
  vt_copying_t const *c = &image->copying;
  uint64_t resident = image->sampling.resident, age = now - image->sampling.begun;
  int stopped = resident <= c->before + c->before / STILL;
  if (resident <= c->highest + c->highest / GROWTH || !(stopped || resident > 2 * c->highest)) return 0;
  return age >= AGE_NS && c->spent_ns <= age / SHARE;
}

/* What was tried and failed is not tried again before there is more. */
void vt_copies_mind(vt_drain_t *d, vt_image_t *image, uint64_t now) {
  vt_copying_t *c = &image->copying;
  int look = d->ring->sentinels && !c->on && !vt_pauses_on(&d->pauses) && is_high(image, now);
  c->before = image->sampling.resident;
  if (!look) return;
  c->highest = image->sampling.resident;
  begin(d, image, VT_SNAPSHOT_FOR_PEAK, 0);
}

/* put writes a look to the trace, with a marker that names its moment. */
static void put(vt_image_t *image, uint64_t tick, vt_heir_seen_t const *seen, char const *name) {
  vt_bytes_t at = {0};
  vt_bytes_u64(&at, tick);
  vt_bytes_put(&at, seen->leaks.data, seen->leaks.sz);
  vt_image_chunk(image, VT_CHUNK_PAGES, &seen->pages);
  vt_image_chunk(image, VT_CHUNK_LEAKS_AT, &at);
  vt_image_mark(image, tick, name);
  vt_bytes_free(&at);
}

static void write_all(vt_drain_t *d, vt_image_t *image) {
  vt_moment_of_clocks_t now = vt_drain_all(d);
  vt_image_flush(image, &now);
}

/* go_on: what was recorded until the copy was made must be in the trace before that is read. Who was to have it made
   may have been killed. */
static void go_on(vt_drain_t *d, vt_image_t *image) {
  vt_copying_t *c = &image->copying;
  char byte;
  if (vt_heir_copy_made(&c->look)) {
    write_all(d, image);
    vt_heir_copy_go(&c->look);
  } else if (c->look.asked && is_made_by_asker(c->what_for) && !recv(c->asker, &byte, 1, MSG_DONTWAIT)) {
    vt_heir_copy_forget(&c->look, "its process could not be made to stand still");
  }
}

/* settle_asked: the snapshot is in the trace before it is said to be there. */
static void settle_asked(vt_drain_t *d, vt_image_t *image, uint64_t tick, vt_heir_seen_t const *seen) {
  vt_copying_t *c = &image->copying;
  char name[32], text[128];
  if (c->look.given_up) {
    refuse(&c->asker, c->look.given_up);
    return;
  }
  snprintf(name, sizeof name, VT_MARKER_SNAPSHOT "%u", ++c->cnt);
  put(image, tick, seen, name);
  write_all(d, image);
  snprintf(text, sizeof text, "%s: report leaks --at \"%s\"", name, name);
  answer(c->asker, 0, text);
  hang_up(&c->asker);
}

static void settle_peak(vt_image_t *image, uint64_t tick, vt_heir_seen_t const *seen) {
  vt_copying_t *c = &image->copying;
  if (!c->look.given_up) put(image, tick, seen, VT_MARKER_PEAK);
  c->spent_ns += seen->cpu_ns ? seen->cpu_ns : now_ns() - c->begun;
}

static void settle(vt_drain_t *d, vt_image_t *image, vt_heir_seen_t const *seen) {
  vt_copying_t *c = &image->copying;
  uint64_t tick = atomic_load_explicit(&c->look.row->copy_made, memory_order_relaxed);
  c->on = 0;
  if (c->what_for == VT_SNAPSHOT_FOR_END) {
    hang_up(&c->asker);
    vt_image_seen(image, seen);
  } else if (c->what_for == VT_SNAPSHOT_FOR_PEAK) {
    settle_peak(image, tick, seen);
  } else {
    settle_asked(d, image, tick, seen);
  }
}

/* begin_next serves who asked meanwhile. */
static void begin_next(vt_drain_t *d, vt_image_t *image) {
  int asker = image->copying.next;
  image->copying.next = 0;
  char const *why = asker ? begin(d, image, VT_SNAPSHOT_FOR_MOMENT, asker) : NULL;
  if (why) refuse(&asker, why);
}

void vt_copies_settle(vt_drain_t *d, vt_image_t *image) {
  vt_copying_t *c = &image->copying;
  vt_heir_seen_t seen = {0};
  if (!c->on) return;
  if (!c->look.given_up) go_on(d, image);
  if (vt_heir_look_settle(&c->look, &seen)) {
    settle(d, image, &seen);
    begin_next(d, image);
  }
  vt_bytes_free(&seen.pages);
  vt_bytes_free(&seen.leaks);
}

int vt_copies_adopt(vt_drain_t *d, vt_image_t *image) {
  vt_copying_t *c = &image->copying;
  if (c->on) go_on(d, image);
  if (!c->on || c->what_for != VT_SNAPSHOT_FOR_END || c->look.asked) return 0;
  if (image->look.heir.who.pid) vt_owner_leave(&image->look.heir);
  vt_helper_end(&image->look.helper, NULL);
  image->look = c->look;
  c->on = 0;
  hang_up(&c->asker);
  return 1;
}

void vt_copies_end(vt_drain_t *d, vt_image_t *image, int all) {
  static char const why[] = "the process has ended meanwhile";
  vt_copying_t *c = &image->copying;
  if (c->next) refuse(&c->next, why);
  if (!c->on || !(all || c->look.asked)) return;
  c->look.given_up = why;
  vt_copies_settle(d, image);
}
