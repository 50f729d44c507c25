/* See control.h. */
#include "analyzer/collector/control.h"
#include "analyzer/collector/copies.h"
#include "analyzer/collector/survived.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 50
#define LINE_MAX_SZ 4096 /* in; out there may be a path, too */

static int is_ours(int connection) {
  struct ucred peer;
  socklen_t sz = sizeof peer;
  return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &sz) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

/* hear reads a line; -1: there was none. */
static int hear(int connection, char line[LINE_MAX_SZ]) {
  struct pollfd p = {.fd = connection, .events = POLLIN};
  if (poll(&p, 1, PATIENCE_MS) <= 0) return -1;
  ssize_t n = recv(connection, line, LINE_MAX_SZ - 1, MSG_DONTWAIT);
  if (n <= 0) return -1;
  line[n] = '\0';
  line[strcspn(line, "\n")] = '\0';
  return 0;
}

/* image_of is the image that process `pid` is now. */
static vt_image_t *image_of(vt_drain_t *d, pid_t pid) {
  for (size_t i = d->images_cnt; i-- > 0;) {
    vt_image_t *image = d->images[i];
    if (image->place.process == pid && !image->ended && !image->leaving) return image;
  }
  return NULL;
}

/* status_of tells how the recording of a process goes. */
static void status_of(vt_drain_t *d, vt_image_t *image, vt_moment_of_clocks_t const *now, char *out, size_t cap) {
  vt_image_flush(image, now); /* what is recorded is counted when it is packed */
  char const *state = vt_pauses_on(&d->pauses) ? "paused" : "recording";
  vt_ring_image_t *row = &d->ring->images[image->place.slot];
  int sentinel = atomic_load_explicit(&row->heir, memory_order_relaxed) != 0;
  uint32_t stopped = atomic_load_explicit(&row->stopped, memory_order_relaxed);
  snprintf(out, cap, "0 %s: %s, %llu events, snapshots %s\n", image->skipped ? "no trace" : image->path,
           stopped ? "stopped" : image->room == VT_ROOM_CLOSED ? "full" : state, (unsigned long long)(image->open ? image->packer.events : 0),
           sentinel ? "possible" : "not possible");
}

/* names_snapshot: is it what the marker of a snapshot is called? */
static int names_snapshot(char const *text) {
  int sz = 0;
  if (!strcmp(text, VT_MARKER_PEAK)) return 1;
  return sscanf(text, VT_MARKER_SNAPSHOT "%*u%n", &sz) == 0 && sz && !text[sz];
}

/* obey writes the answer; empty: it comes later, on the connection. */
static void obey(vt_drain_t *d, int connection, char *line, char *out, size_t cap) {
  char *command = strchr(line, ' '), *text = command ? strchr(command + 1, ' ') : NULL, *end;
  if (command) *command++ = '\0';
  if (text) *text++ = '\0';
  long pid = strtol(line, &end, 10);
  vt_moment_of_clocks_t now = vt_drain_all(d); /* it may not have been seen yet */
  vt_image_t *image = command && !*end ? image_of(d, (pid_t)pid) : NULL;
  if (!image) {
    snprintf(out, cap, "1 this process is not recorded any more\n");
  } else if (!strcmp(command, "status")) {
    status_of(d, image, &now, out, cap);
  } else if (!strcmp(command, "where")) {
    snprintf(out, cap, image->open ? "0 %s\n" : "1 it has no trace\n", image->path);
  } else if (!strcmp(command, "mark") && text && names_snapshot(text)) {
    snprintf(out, cap, "2 %.40s: such markers are set by snapshots\n", text);
  } else if (!strcmp(command, "mark") && text && *text) {
    vt_image_mark(image, now.tick, text);
    vt_drain_write(d);
    snprintf(out, cap, "0 marked\n");
  } else if (!strcmp(command, "stop")) {
    vt_drain_pause(d, VT_PAUSE_ASKED);
    snprintf(out, cap, "0 paused\n");
  } else if (!strcmp(command, "start")) {
    vt_drain_resume(d);
    snprintf(out, cap, image->room == VT_ROOM_CLOSED ? "1 its trace is as large as it may be\n" : "0 recording\n");
  } else if (!strcmp(command, "detached")) {
    vt_survived_detached(d, connection);
  } else if (!strcmp(command, "snapshot")) {
    char const *why = vt_copies_ask(d, image, VT_SNAPSHOT_FOR_MOMENT, connection);
    if (why) snprintf(out, cap, "1 no snapshot: %s\n", why);
  } else if (!strcmp(command, "take")) {
    char const *why = vt_copies_ask(d, image, text ? VT_SNAPSHOT_FOR_END : VT_SNAPSHOT_FOR_STILL, connection);
    if (why) snprintf(out, cap, "1 no snapshot: %s\n", why);
  } else {
    snprintf(out, cap, "2 no such command\n");
  }
}

void vt_control_serve(vt_drain_t *d) {
  if (d->end->steering < 0 || !d->slots.first_pid) return; /* who asks waits until it is known whom we record */
  for (int c; (c = accept4(d->end->steering, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
    char line[LINE_MAX_SZ], out[LINE_MAX_SZ + 256] = "";
    if (!is_ours(c))
      snprintf(out, sizeof out, "%c its recording is another user's\n", VT_CONTROL_REFUSED);
    else if (!hear(c, line)) {
      obey(d, c, line, out, sizeof out);
      if (!*out) continue;
    }
    (void)!send(c, out, strlen(out), MSG_NOSIGNAL | MSG_DONTWAIT);
    close(c);
  }
}
