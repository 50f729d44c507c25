/* See attached.h. The shim has been loaded by an allocation of the program's (analyzer/attach/loader.c): by that
   thread, or by one of our own that ends when all is ready. The entries are patched already, and threads pass by:
   they are led here while the gate is closed, and the moment at which it opens is the one at which recording
   begins. An allocation that is recorded is so after it: whoever frees that block is, too. */
#include "preload/attached.h"
#include "preload/patched.h"
#include "preload/process.h"
#include "preload/snapshot.h"
#include "core/trace/sys.h"

#include <stdatomic.h>
#include <string.h>

#define OPTIONS_MAX 32
#define TRIES       200
#define PAUSE_NS    1000000

_Static_assert(VT_GATE_OFF == VT_ATTACH_GATE_OFF, "who detaches closes the gate");

/* It is in the file, so that the file's copy can be given another value: not in memory that begins as zero. */
VT_EXPORT __attribute__((section(".data"))) vt_attach_t *vt_attach_v1 = NULL;

/* state is 0 for a process that was not attached to. */
static uint32_t state(void) { return vt_attached() ? atomic_load_explicit(&vt_attach_v1->state, memory_order_acquire) : 0; }

int vt_attached_over(void) { return state() == VT_ATTACH_DETACHED; }
int vt_attached_idle(void) { return vt_attached() && state() != VT_ATTACH_RECORDING; }
int vt_attached_changes(void) { return state() == VT_ATTACH_LOADING; }

char *const *vt_attached_options(void) {
  static char *variables[OPTIONS_MAX + 1];
  vt_attach_t *d = vt_attach_v1;
  size_t n = 0;
  memset(variables, 0, sizeof variables);
  for (uint64_t at = 0; at < d->options_sz && at < sizeof d->options && n < OPTIONS_MAX;) {
    variables[n++] = d->options + at;
    at += strlen(d->options + at) + 1;
  }
  return variables;
}

void vt_attached_patch(void) {
  vt_patched_adopt((void *)vt_attach_v1->answer, vt_attach_v1->answer_sz);
}

/* close_if closes a descriptor that is still what we were given. */
static void close_if(uint32_t fd, uint64_t device, uint64_t inode) {
  struct stat st;
  if (vt_sys(SYS_fstat, fd, (long)&st, 0, 0, 0, 0) || st.st_dev != device || st.st_ino != inode) return;
  vt_sys_close((int)fd);
}

void vt_attached_say(char const *why) {
  vt_attach_t *d = vt_attach_v1;
  if (!d->text[0]) memcpy(d->text, why, strnlen(why, sizeof d->text - 1));
}

static int is_out_soon(void) {
  for (int i = 0; i < TRIES; i++) {
    if (vt_thread_all_out()) return 1;
    vt_sys(SYS_nanosleep, (long)&(struct timespec){.tv_nsec = PAUSE_NS}, 0, 0, 0, 0, 0);
  }
  return 0;
}

/* restart is called by the loader when the process is attached to again. */
static void restart(vt_attach_t *d) {
  (void)d;
  int failed = !is_out_soon();
  if (failed)
    vt_attached_say("a thread of it is still in the recorder of an earlier time");
  else
    failed = vt_process_again();
  if (!failed) vt_patched_lead();
  failed = vt_attached_ready(failed);
  if (!failed) vt_process_open_gate();
  vt_attached_begun(failed);
}

/* copy is run by who attached, in a thread that stands as all others do. */
static void copy(vt_attach_t *d) { d->copied = vt_process_ending() ? -1 : vt_snapshot_copy(d->number, d->unknown); }

void const *vt_attached_memory(size_t *sz) {
  *sz = vt_attached() ? vt_attach_v1->stack - (uint64_t)vt_attach_v1 : 0;
  return vt_attach_v1;
}

int vt_attached_ready(int failed) {
  vt_attach_t *d = vt_attach_v1;
  close_if(d->shim_fd, d->shim_device, d->shim_inode);
  close_if(d->ring_fd, d->ring_device, d->ring_inode);
  if (failed) vt_attached_say("recording cannot be set up in it");
  d->gate = (uint64_t)&vt_gate.value;
  d->restart = (uint64_t)restart;
  d->copy = (uint64_t)copy;
  return failed || vt_attached_over();
}

/* Who detaches meanwhile finds no gate, or closes it; the state then says so. */
void vt_attached_begun(int failed) {
  uint32_t loading = VT_ATTACH_LOADING;
  atomic_compare_exchange_strong_explicit(&vt_attach_v1->state, &loading, failed ? VT_ATTACH_FAILED : VT_ATTACH_RECORDING,
                                          memory_order_release, memory_order_relaxed);
  if (vt_attached_over()) atomic_store_explicit(&vt_gate.value, VT_GATE_OFF, memory_order_relaxed);
}
