/* The names that threads have in the kernel. A thread is asked for its name at its first event and
   when it ends, those that still live when the process ends are looked up then; in between the
   ordinary ways to give a name are watched (prctl, syscall, pthread_setname_np), so that the
   threads of a process that is killed have theirs. Only a write to /proc is learned at the end.

   New threads have the name of the thread that made them, at last that of the program; the
   program's is not recorded, so that threads nobody named stay without one. */
#include "preload/hooks.h"
#include "preload/options.h"
#include "preload/process.h"
#include "core/trace/name.h"
#include "core/trace/sys.h"

#include <string.h>
#include <sys/prctl.h>

/* A name as the kernel keeps it, padded with zeros, so that it can be compared as two words. */
typedef union {
  char text[VT_COMM_SZ];
  uint64_t words[2];
} comm_t;

static comm_t program;

/* comm_of is what the kernel makes of a name of at most sz bytes; none if it is the program's. */
static comm_t comm_of(char const *name, size_t sz) {
  comm_t comm = {0};
  memcpy(comm.text, name, strnlen(name, sz < VT_COMM_SZ ? sz : VT_COMM_SZ - 1));
  return memcmp(&comm, &program, sizeof comm) ? comm : (comm_t){0};
}

static comm_t own_name(void) {
  char name[VT_COMM_SZ] = "";
  vt_sys(SYS_prctl, PR_GET_NAME, (long)name, 0, 0, 0, 0);
  return comm_of(name, sizeof name);
}

/* other_name fails when the thread has ended, and without /proc. */
static int other_name(comm_t *comm, uint32_t tid) {
  char path[64], name[VT_COMM_SZ];
  size_t sz = 0;
  if (vt_name_expand(path, sizeof path, "/proc/self/task/%p/comm", tid, "", "") > 0)
    sz = vt_image_read(path, name, sizeof name);
  if (!sz) return -1;
  *comm = comm_of(name, sz - 1); /* behind it is a newline */
  return 0;
}

/* tell writes the name of thread `of` with the stream of `t`, unless it is known. */
static void tell(vt_thread_t *t, vt_thread_t *of, comm_t const *comm) {
  uint32_t tid = vt_thread_tid(of);
  uint64_t news = 0;
  for (int i = 0; i < 2; i++) {
    uint64_t before = atomic_load_explicit(&of->comm[i], memory_order_relaxed);
    news |= before ^ comm->words[i];
    atomic_store_explicit(&of->comm[i], comm->words[i], memory_order_relaxed);
  }
  if (news && tid)
    vt_image_text(&t->stream, VT_CHUNK_THREAD, of, comm->text, strnlen(comm->text, VT_COMM_SZ - 1));
}

/* askable: may the kernel be asked, and is there a trace for the answer? */
static int askable(void) {
  return vt_options.text_fd < 0 && vt_process_may_ask();
}

void vt_names_init(void) { program = own_name(); }

void vt_names_thread_begins(vt_thread_t *t) {
  if (!askable()) return;
  comm_t comm = own_name();
  tell(t, t, &comm);
}

void vt_names_thread_ends(void) {
  vt_thread_t *t = askable() ? vt_enter(__builtin_frame_address(0)) : NULL;
  if (!t) return;
  comm_t comm = own_name();
  if (!atomic_load_explicit(&t->named, memory_order_relaxed)) tell(t, t, &comm);
  vt_leave(t);
}

void vt_names_process_ends(vt_thread_t *t) {
  vt_thread_t *of;
  if (!askable()) return;
  for (uint32_t id = 1; vt_thread_nameless(id, &of); id++) {
    comm_t comm;
    uint32_t tid = of ? vt_thread_tid(of) : 0;
    if (!tid) continue;
    if (tid == vt_thread_tid(t))
      comm = own_name();
    else if (other_name(&comm, tid))
      continue;
    tell(t, of, &comm);
  }
}

/* nameless_thread finds the state of a thread that has not told its name by an annotation. */
static vt_thread_t *nameless_thread(uint32_t tid) {
  vt_thread_t *of;
  for (uint32_t id = 1; vt_thread_nameless(id, &of); id++)
    if (of && vt_thread_tid(of) == tid) return of;
  return NULL;
}

void vt_names_given(uint32_t tid, char const *name) {
  /* Who has no state yet is asked for its name when it gets one. */
  int recorded = tid && vt_tls.own && vt_options.text_fd < 0;
  vt_thread_t *t = recorded ? vt_enter(__builtin_frame_address(0)) : NULL;
  if (!t) return;
  comm_t comm = comm_of(name, VT_COMM_SZ);
  vt_thread_t *of = vt_thread_tid(vt_tls.own) == tid ? vt_tls.own : nameless_thread(tid);
  if (of && !atomic_load_explicit(&of->named, memory_order_relaxed)) tell(t, of, &comm);
  vt_leave(t);
}

VT_EXPORT int pthread_setname_np(pthread_t thread, char const *name) {
  int error = vt_real_get()->pthread_setname_np(thread, name);
  if (!error) vt_names_given(vt_thread_number(thread), name);
  return error;
}
