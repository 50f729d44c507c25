/* Taking the recorder out of a process (place.h): all that it takes to know is in the area, so that anybody who
   may trace the process can do it, whatever has become of who put it there. */
#include "analyzer/attach/place.h"
#include "analyzer/attach/entries.h"
#include "analyzer/attach/remote.h"
#include "analyzer/attach/still.h"
#include "analyzer/attach/stop.h"

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ANSWER_MAX ((uint64_t)64 << 20)

/* is_whole: do the counts of an answer add up? The process can write to it. */
static int is_whole(vt_bytes_t const *answer) {
  size_t left = answer->sz - sizeof(vt_patch_answer_t);
  vt_patch_module_t *m = vt_entries_module(answer);
  for (uint32_t n = vt_entries_module_cnt(answer); n--; m = vt_entries_next(m)) {
    if (left < sizeof *m || (left - sizeof *m) / sizeof(vt_patch_function_t) < m->function_cnt) return 0;
    left -= sizeof *m + m->function_cnt * sizeof(vt_patch_function_t);
    vt_patch_function_t const *f = vt_entries_functions(m);
    for (uint32_t i = 0; i < m->function_cnt; i++)
      if (f[i].sz > VT_PATCH_SZ_MAX || f[i].site_cnt > VT_PATCH_SITES_MAX) return 0;
  }
  return 1;
}

int vt_place_read(vt_target_t const *t, vt_attach_t *d, vt_bytes_t *answer) {
  if (vt_target_read(t, t->area + VT_ATTACH_CODE_SZ, d, sizeof *d)) return -1;
  if (d->answer_sz < sizeof(vt_patch_answer_t) || d->answer_sz > ANSWER_MAX) return -1;
  if (vt_target_read(t, d->answer, vt_bytes_room(answer, d->answer_sz), d->answer_sz)) return -1;
  answer->sz = d->answer_sz;
  return is_whole(answer) ? 0 : -1;
}

static int write_word(vt_target_t const *t, uint64_t at, uint32_t word) { return vt_target_write(t, at, &word, sizeof word); }

/* undo: the gate is closed before the entries are what they were, and nobody runs meanwhile: all that is recorded is
   from before this moment, all else from after it. That it is done is said last: who is killed before can be followed by
   another. */
static int undo(vt_target_t const *t, uint64_t data, vt_attach_t *d, vt_bytes_t const *answer) {
  if (vt_target_read(t, data, d, sizeof *d)) return -1;
  if (d->gate && write_word(t, d->gate, VT_ATTACH_GATE_OFF)) return -1;
  return vt_entries_write(t, answer, 1) || write_word(t, data, VT_ATTACH_DETACHED) ? -1 : 0;
}

/* is_file: is that descriptor of the process still the file that it was given? */
static int is_file(vt_target_t const *t, uint32_t fd, uint64_t device, uint64_t inode) {
  char path[64];
  struct stat st;
  snprintf(path, sizeof path, "/proc/%d/fd/%u", t->pid, fd);
  return !stat(path, &st) && st.st_dev == device && st.st_ino == inode;
}

/* close_files: nothing has been loaded, so that nobody has closed what was handed over for that. */
static void close_files(vt_target_t const *t, vt_attach_t const *d, vt_stop_t const *stop) {
  vt_space_t space = {0};
  vt_remote_t remote = {.stop = stop, .mem = t->mem, .syscall = t->syscall, .sigreturn = t->sigreturn};
  if (!vt_space_read(&space, t->pid) && !vt_remote_begin(&remote, &space, VT_REMOTE_CALLS)) {
    if (is_file(t, d->shim_fd, d->shim_device, d->shim_inode)) VT_REMOTE_CALL(&remote, SYS_close, d->shim_fd);
    if (is_file(t, d->ring_fd, d->ring_device, d->ring_inode)) VT_REMOTE_CALL(&remote, SYS_close, d->ring_fd);
    vt_remote_end(&remote);
  }
  vt_space_free(&space);
}

int vt_place_leave(vt_target_t *t, uint64_t *pause_ns, vt_error_t *error) {
  static vt_attach_t d;
  vt_bytes_t answer = {0};
  vt_stop_t stop;
  uint64_t data = t->area + VT_ATTACH_CODE_SZ;
  if (!t->area || vt_place_read(t, &d, &answer) || d.state == VT_ATTACH_DETACHED) {
    vt_error_set(error, t->name, "it is not recorded by `valtrace attach`", "is the number right?");
    vt_bytes_free(&answer);
    return -1;
  }
  char const *why; /* there is no snapshot of the end, which is in the trace */
  uint32_t number;
  int snapshot = vt_still_ask(t, "end", &number, &why);
  int failed = vt_stop_all(&stop, t->pid, error);
  if (!failed && undo(t, data, &d, &answer)) {
    vt_error_set(error, t->name, "its code cannot be changed back", "it goes on unrecorded");
    failed = -1;
  }
  if (!failed && d.state == VT_ATTACH_WAITING) close_files(t, &d, &stop);
  if (!failed && snapshot >= 0) vt_still_copy(t, &d, &stop, number);
  if (!failed || stop.threads_cnt) *pause_ns = vt_stop_release(&stop);
  if (snapshot >= 0) close(snapshot);
  vt_bytes_free(&answer);
  return failed;
}

/* is_child: has process `pid` the same area, as only a fork can make it? The ring's number is in the options. */
static int is_child(vt_target_t const *t, vt_attach_t const *d, pid_t pid) {
  static vt_attach_t other;
  char path[64];
  vt_target_t c = {.pid = pid};
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  c.mem = open(path, O_RDONLY | O_CLOEXEC);
  if (c.mem < 0) return 0;
  int same = vt_place_state(&c, t->area, NULL) && vt_place_state(&c, t->area, NULL) != VT_ATTACH_DETACHED &&
             !vt_target_read(&c, t->area + VT_ATTACH_CODE_SZ, &other, sizeof other) &&
             other.options_sz == d->options_sz && !memcmp(other.options, d->options, sizeof d->options);
  close(c.mem);
  return same;
}

/* leave_children: one that ends meanwhile has nothing to be left. */
static void leave_children(vt_target_t const *t, vt_attach_t const *d) {
  DIR *dir = opendir("/proc");
  if (!dir) return;
  for (struct dirent const *entry; (entry = readdir(dir));) {
    pid_t pid = atoi(entry->d_name);
    vt_target_t child;
    vt_error_t ignored;
    uint64_t pause_ns;
    if (pid <= 0 || pid == t->pid || !is_child(t, d, pid)) continue;
    if (!vt_target_open(&child, pid, &ignored)) vt_place_leave(&child, &pause_ns, &ignored);
    vt_target_close(&child);
  }
  closedir(dir);
}

int vt_place_leave_all(vt_target_t *t, uint64_t *pause_ns, vt_error_t *error) {
  static vt_attach_t d;
  int known = t->area && !vt_target_read(t, t->area + VT_ATTACH_CODE_SZ, &d, sizeof d);
  int failed = vt_place_leave(t, pause_ns, error);
  if (known) leave_children(t, &d);
  return failed;
}
