/* The names that threads have in the kernel, whoever gave them: pthread_setname_np, prctl, a write
   to /proc. They are not watched, which would need more functions to be taken over, but asked for
   when a thread ends and, of those that still live, when the process ends.

   New threads have the name of the thread that made them, at last that of the program; the
   program's is not recorded, so that threads nobody named stay without one. */
#include "preload/options.h"
#include "preload/process.h"
#include "core/trace/name.h"
#include "core/trace/sys.h"

#include <string.h>
#include <sys/prctl.h>

#define COMM_SZ 16 /* of the kernel, with the terminating zero */

static char program_name[COMM_SZ];

static void own_name(char name[COMM_SZ]) {
  name[0] = '\0';
  vt_sys(SYS_prctl, PR_GET_NAME, (long)name, 0, 0, 0, 0);
}

/* other_name is empty when the thread has ended, or without /proc. */
static void other_name(char name[COMM_SZ], uint32_t tid) {
  char path[64];
  size_t sz = 0;
  if (vt_name_expand(path, sizeof path, "/proc/self/task/%p/comm", tid, "", "") > 0)
    sz = vt_image_read(path, name, COMM_SZ - 1);
  if (sz && name[sz - 1] == '\n') sz--;
  name[sz] = '\0';
}

static void write_name(vt_thread_t *t, uint32_t tid, char const *name) {
  if (name[0] && strcmp(name, program_name))
    vt_image_text(&t->stream, VT_CHUNK_THREAD, tid, name, strlen(name));
}

/* askable: may the kernel be asked, and is there a trace for the answer? */
static int askable(void) {
  return vt_options.text_fd < 0 && !vt_process.filtered && !vt_process.sink.silent;
}

void vt_names_init(void) { own_name(program_name); }

void vt_names_thread_ends(void) {
  char name[COMM_SZ];
  vt_thread_t *t = askable() ? vt_enter(__builtin_frame_address(0)) : NULL;
  if (!t) return;
  own_name(name);
  if (!atomic_load_explicit(&t->named, memory_order_relaxed)) write_name(t, vt_thread_tid(t), name);
  vt_leave(t);
}

void vt_names_process_ends(vt_thread_t *t) {
  char name[COMM_SZ];
  uint32_t tid;
  if (!askable()) return;
  for (uint32_t id = 1; vt_thread_nameless(id, &tid); id++) {
    if (!tid) continue;
    if (tid == vt_thread_tid(t))
      own_name(name);
    else
      other_name(name, tid);
    write_name(t, tid, name);
  }
}
