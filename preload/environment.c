/* See environment.h. */
#include "preload/environment.h"
#include "preload/options.h"
#include "preload/process.h"
#include "core/trace/ring.h"
#include "core/trace/sys.h"

#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#define PRELOAD    "LD_PRELOAD="
#define PRELOAD_SZ (sizeof PRELOAD - 1)
#define OWN        "VALTRACE_"
#define MORE       40 /* pointers that a new program's environment has more, at most */

static int concealed; /* environ is the program's view */

static char const *shim_path(void) {
  struct link_map const *own = vt_object_own();
  return own ? own->l_name : "";
}

static size_t count(char *const *list) {
  size_t n = 0;
  while (list && list[n]) n++;
  return n;
}

static int is_preload(char const *variable) { return !strncmp(variable, PRELOAD, PRELOAD_SZ); }
static int is_own(char const *variable) { return !strncmp(variable, OWN, sizeof OWN - 1); }

/* same_name: do two "NAME=value" strings have the same name? */
static int same_name(char const *a, char const *b) {
  size_t n = strcspn(a, "=");
  return !strncmp(a, b, n + 1);
}

static int contains(char *const *env, char const *variable) {
  for (; env && *env; env++)
    if (same_name(variable, *env)) return 1;
  return 0;
}

static char const *preload_of(char *const *env) {
  for (; env && *env; env++)
    if (is_preload(*env)) return *env + PRELOAD_SZ;
  return NULL;
}

/* member finds the shim in a list of libraries, and how much of the list is its member with one
   separator; NULL: it is not in it. */
static char const *member(char const *list, size_t *sz) {
  size_t n = strlen(shim_path());
  for (char const *p = list; *p; p += strcspn(p, ": ")) {
    p += strspn(p, ": ");
    if (strcspn(p, ": ") != n || memcmp(p, shim_path(), n)) continue;
    *sz = n + (p[n] != '\0');
    if (p[n] || p == list) return p;
    *sz = n + 1;
    return p - 1;
  }
  return NULL;
}

/* without_shim writes the list as it was before the shim came into it. Returns where it ends. */
static char *without_shim(char *out, char const *list) {
  size_t sz = 0;
  char const *at = member(list, &sz);
  if (!at) return stpcpy(out, list);
  out = mempcpy(out, list, (size_t)(at - list));
  return stpcpy(out, at + sz);
}

/* is_shim_alone: did the list come with the shim? An empty one that was there before has a separator. */
static int is_shim_alone(char const *list) { return !strcmp(list, shim_path()); }

/* ---- what a new program needs ---- */

size_t vt_environment_pointers_sz(char *const *env) {
  return (count(env) + MORE) * sizeof(char *);
}

size_t vt_environment_text_sz(char *const *env) {
  char const *old = preload_of(env);
  return strlen(shim_path()) + (old ? strlen(old) : 0) + sizeof PRELOAD + sizeof VT_EXEC_OF + 64;
}

/* number_text writes a decimal number and returns where it ends. */
static char *number_text(char *out, uint32_t v) {
  char digits[12];
  size_t n = sizeof digits;
  digits[--n] = '\0';
  do digits[--n] = (char)('0' + v % 10);
  while (v /= 10);
  return stpcpy(out, digits + n);
}

/* exec_of_text writes "VALTRACE_EXEC_OF=SLOT:IMAGE" of this image. */
static void exec_of_text(char *out) {
  vt_sink_t const *sink = &vt_process.sink;
  out = number_text(stpcpy(out, VT_EXEC_OF), sink->slot);
  *out++ = ':';
  for (int shift = 60; shift >= 0; shift -= 4)
    *out++ = "0123456789abcdef"[sink->image >> shift & 15];
  *out = '\0';
}

static char *const *alone(char *const *env, char **out, char *text) {
  size_t n = 0;
  for (char *const *e = env; e && *e; e++) {
    if (!is_preload(*e)) {
      out[n++] = *e;
    } else if (!is_shim_alone(*e + PRELOAD_SZ)) {
      out[n++] = text;
      without_shim(stpcpy(text, PRELOAD), *e + PRELOAD_SZ);
    }
  }
  out[n] = NULL;
  return out;
}

/* preload_text writes LD_PRELOAD with the shim before the others, so that an allocator among them is
   behind the hooks. Returns where it ends. */
static char *preload_text(char *text, char const *old) {
  text = stpcpy(stpcpy(text, PRELOAD), shim_path());
  if (!old || is_shim_alone(old)) return text;
  *text++ = ':';
  return without_shim(text, old);
}

/* is_given_up: has the program, which sees what is ours, taken the shim out and left the rest? One that makes
   an environment anew has neither. */
static int is_given_up(char *const *env) {
  char const *list = preload_of(env);
  size_t sz;
  if (concealed || (list && member(list, &sz))) return 0;
  while (env && *env && !is_own(*env)) env++;
  return env && *env;
}

char *const *vt_environment_for(char *const *env, char **out, char *text, vt_start_t how) {
  char const *old = preload_of(env);
  size_t n = 0;
  if (!vt_environment_follows() || is_given_up(env)) return env;
  if (how == VT_START_ALONE) return alone(env, out, text);
  int foreign = concealed && contains(env, VT_RING_ENV "="); /* of a `run` that is recorded itself */
  int tells = how == VT_START_REPLACES && vt_process.sink.ring && !foreign;
  if (!old) out[n++] = text;
  for (char *const *e = env; e && *e; e++)
    if (!same_name(VT_EXEC_OF, *e)) out[n++] = is_preload(*e) ? text : *e;
  for (char const **v = vt_options_inherited; *v && !foreign; v++)
    if (!contains(env, *v)) out[n++] = (char *)*v;
  text = preload_text(text, old);
  if (tells) {
    out[n++] = ++text;
    exec_of_text(text);
  }
  out[n] = NULL;
  return out;
}

int vt_environment_follows(void) {
  uint32_t gate = atomic_load_explicit(&vt_gate.value, memory_order_relaxed);
  return concealed || gate == VT_GATE_RECORDING || gate == VT_GATE_STOPPED;
}

/* ---- the program's view ---- */

/* view_of is a copy of `env` without what is ours; NULL: no memory. It lives as long as the process: the
   program may have kept it. */
static char **view_of(char *const *env) {
  char const *old = preload_of(env);
  size_t n = 0, pointers_sz = (count(env) + 1) * sizeof(char *);
  char **view = vt_sys_memory(pointers_sz + PRELOAD_SZ + (old ? strlen(old) : 0) + 1);
  char *text = (char *)view + pointers_sz;
  if (!view) return NULL;
  for (char *const *e = env; *e; e++) {
    size_t sz;
    if (is_own(*e)) continue;
    if (!is_preload(*e) || !member(*e + PRELOAD_SZ, &sz)) {
      view[n++] = *e;
    } else if (!is_shim_alone(*e + PRELOAD_SZ)) {
      view[n++] = text;
      without_shim(stpcpy(text, PRELOAD), *e + PRELOAD_SZ);
    }
  }
  return view;
}

/* forget_predecessor: what made this image is not true of its children. Who reads the kernel's array gets
   another variable of ours in its place, twice: where the array ends, others look for more. */
static void forget_predecessor(char **env) {
  char **of = env;
  while (*of && !same_name(VT_EXEC_OF, *of)) of++;
  for (char **e = env; *of && *e; e++)
    if (is_own(*e) && e != of) *of = *e;
}

/* is_emulator: such a program puts another one into its own memory, with the environment that it sees
   itself. */
static int is_emulator(void) {
  static char const *const names[] = {"qemu-", "box64", "FEXInterpreter"};
  static char path[PATH_MAX];
  path[vt_module_executable(path, sizeof path - 1)] = '\0';
  char const *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strncmp(name, names[i], strlen(names[i]))) return 1;
  return 0;
}

void vt_environment_conceal(void) {
  char **view = vt_options.collector && !is_emulator() ? view_of(environ) : NULL;
  forget_predecessor(environ);
  if (!view) return;
  environ = view;
  concealed = 1;
}

/* ---- for functions that take `environ` ---- */

static _Atomic int lock;    /* held for a few instructions, but not by a vfork child's parent */
static uint32_t revealed;   /* calls that need it */
#define CALLERS 16
static pthread_t callers[CALLERS]; /* who makes them, of the first so many; 0: free */
static int shown;           /* `full` was put in the place of the program's array */
static char **view, **full; /* the program's array meanwhile, NULL if it cleared its own; the other */
static size_t full_sz;

static void lock_views(void) {
  while (atomic_exchange_explicit(&lock, 1, memory_order_acquire)) sched_yield();
}
static void unlock_views(void) { atomic_store_explicit(&lock, 0, memory_order_release); }

/* room makes `full` large enough. What it was stays mapped: others may look into it still. */
static int room(size_t sz) {
  if (sz <= full_sz) return 1;
  char **larger = vt_sys_memory(2 * sz);
  if (!larger) return 0;
  full = larger;
  full_sz = 2 * sz;
  return 1;
}

/* caller finds the thread's place among those who call; NULL: it is not there. */
static pthread_t *caller(pthread_t thread) {
  for (int i = 0; i < CALLERS; i++)
    if (callers[i] == thread) return &callers[i];
  return NULL;
}

static void replace_caller(pthread_t from, pthread_t to) {
  pthread_t *place = caller(from);
  if (place) *place = to;
}

void vt_environment_reveal(vt_start_t how) {
  if (!concealed) return;
  lock_views();
  replace_caller(0, pthread_self());
  size_t pointers_sz = vt_environment_pointers_sz(environ);
  if (!revealed++ && how != VT_START_ALONE &&
      room(pointers_sz + vt_environment_text_sz(environ))) {
    shown = 1;
    view = environ;
    environ = (char **)vt_environment_for(view, full, (char *)full + pointers_sz, how);
  }
  unlock_views();
}

/* put_back: the program's own array if it has not made another one meanwhile. */
static void put_back(void) {
  char **now = environ && environ != full ? view_of(environ) : NULL;
  if (shown && environ == full) environ = view;
  else if (shown && now) environ = now;
  shown = 0;
}

void vt_environment_cover(void) {
  if (!concealed) return;
  lock_views();
  replace_caller(pthread_self(), 0);
  if (!--revealed) put_back();
  unlock_views();
}

void vt_environment_forked(void) {
  if (!concealed) return;
  int ours = caller(pthread_self()) != NULL; /* the call forks, and will execute */
  if (revealed && !ours) put_back();
  revealed = (uint32_t)ours;
  memset(callers, 0, sizeof callers);
  unlock_views();
}
