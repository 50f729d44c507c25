/* exec and spawn: the new image must find the shim and the collector even when the caller replaces
   the environment, and the old image's trace must say how it ended.

   Everything is built on the caller's stack: after vfork the parent's memory must not change. */
#include "preload/hooks.h"
#include "preload/options.h"
#include "preload/process.h"
#include "core/trace/executable.h"
#include "core/trace/symbol.h"
#include "core/trace/sys.h"

#include <alloca.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRELOAD "LD_PRELOAD="

static char const *shim_path(void) {
  struct link_map const *own = vt_object_own();
  return own ? own->l_name : "";
}

static int following(void) {
  uint32_t gate = atomic_load_explicit(&vt_gate.value, memory_order_relaxed);
  return gate == VT_GATE_RECORDING || gate == VT_GATE_STOPPED;
}

static size_t count(char *const *list) {
  size_t n = 0;
  while (list && list[n]) n++;
  return n;
}

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
    if (!strncmp(*env, PRELOAD, sizeof PRELOAD - 1)) return *env + sizeof PRELOAD - 1;
  return NULL;
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

/* Room the enlarged environment needs: pointers, and text for two variables. */
#define ENV_MORE          40
#define ENV_POINTERS(env) ((count(env) + ENV_MORE) * sizeof(char *))
#define ENV_TEXT(env)                                                                              \
  (strlen(shim_path()) + (preload_of(env) ? strlen(preload_of(env)) : 0) + sizeof PRELOAD +        \
   sizeof VT_EXEC_OF + 64)

/* own_image: false in a vfork child, which shares memory with the image that goes on, and may have
   the same number in a namespace of its own. */
static int own_image(void) {
  vt_sink_t const *sink = &vt_process.sink;
  return sink->pid == (uint32_t)vt_sys_getpid() &&
         (vt_process.filtered || !sink->space || sink->space == vt_sink_space());
}

/* shim_hidden: can the loader not open the shim from here? So it is after chroot, or in a sandbox
   with other mounts; it would say so on the program's standard error. */
static int shim_hidden(void) {
  return following() && !vt_process.filtered &&
         vt_sys(SYS_faccessat, AT_FDCWD, (long)shim_path(), R_OK, 0, 0, 0) != 0;
}

/* is_foreign: is the program for another C library, whose loader would fail with the shim? */
static int is_foreign(int dir, char const *file, char const *search) {
  if (!following() || vt_process.filtered) return 0;
  int fd = vt_executable_open(dir, file, search);
  if (fd < 0) return 0;
  int foreign = vt_executable_foreign(fd);
  vt_sys_close(fd);
  return foreign;
}

/* search_path is where a name without a slash is looked for. */
static char const *search_path(void) {
  for (char **e = environ; e && *e; e++)
    if (!strncmp(*e, "PATH=", 5)) return *e + 5;
  return "/bin:/usr/bin";
}

/* without_shim writes the other members of a list of libraries and returns where it ends. */
static char *without_shim(char *out, char const *list) {
  char *begin = out;
  for (size_t n; list += strspn(list, ": "), (n = strcspn(list, ": ")); list += n) {
    if (n == strlen(shim_path()) && !memcmp(list, shim_path(), n)) continue;
    if (out > begin) *out++ = ':';
    out = mempcpy(out, list, n);
  }
  *out = '\0';
  return out;
}

/* for_hidden writes to `out` the environment `env` less the shim. */
static char *const *for_hidden(char *const *env, char **out, char *text) {
  char const *old = preload_of(env);
  char *list = stpcpy(text, PRELOAD);
  size_t n = 0;
  for (char *const *e = env; e && *e; e++)
    if (strncmp(*e, PRELOAD, sizeof PRELOAD - 1)) out[n++] = *e;
  if (old && without_shim(list, old) > list) out[n++] = text;
  out[n] = NULL;
  return out;
}

/* with_shim writes to `out` the environment `env` with what recording needs added where missing.
   replaces: the new image takes this one's place, and is told of whom. */
static char *const *with_shim(char *const *env, char **out, char *text, int hidden, int replaces) {
  char const *old = preload_of(env);
  size_t n = 0;
  if (!following()) return env;
  if (hidden) return for_hidden(env, out, text);
  replaces = replaces && vt_process.sink.ring;
  for (char *const *e = env; e && *e; e++)
    if (strncmp(*e, PRELOAD, sizeof PRELOAD - 1) && !(replaces && same_name(VT_EXEC_OF, *e)))
      out[n++] = *e;
  out[n++] = text;
  /* First, so that an allocator among the others is behind the hooks. */
  text = stpcpy(stpcpy(text, PRELOAD), shim_path());
  char *others = stpcpy(text, ":");
  if (old && without_shim(others, old) > others)
    text += strlen(text);
  else
    *text = '\0';
  for (char const **v = vt_options_inherited; *v; v++)
    if (!contains(env, *v)) out[n++] = (char *)*v;
  if (replaces) {
    out[n++] = ++text;
    exec_of_text(text);
  }
  out[n] = NULL;
  return out;
}

#define WITH_SHIM(env, hidden, replaces)                                                           \
  with_shim(env, alloca(ENV_POINTERS(env)), alloca(ENV_TEXT(env)), hidden, replaces)

/* REPLACE calls exec with the environment `more`; when it returns it has failed, and recording goes
   on. */
#define REPLACE(path, env, foreign, call)                                                          \
  do {                                                                                             \
    int own = own_image(), hidden = shim_hidden() || (foreign);                                    \
    char *const *more = WITH_SHIM(env, hidden, own);                                               \
    if (own) vt_process_exec(path);                                                                \
    if (hidden) vt_sink_unrecorded(&vt_process.sink, 1);                                           \
    call;                                                                                          \
    if (hidden) vt_sink_unrecorded(&vt_process.sink, -1);                                          \
    if (own) vt_process_exec_failed();                                                             \
    return -1;                                                                                     \
  } while (0)

VT_EXPORT int execve(char const *path, char *const argv[], char *const env[]) {
  REPLACE(path, env, is_foreign(AT_FDCWD, path, NULL), vt_real_get()->execve(path, argv, more));
}
VT_EXPORT int execv(char const *path, char *const argv[]) { return execve(path, argv, environ); }

VT_EXPORT int execvpe(char const *file, char *const argv[], char *const env[]) {
  REPLACE(file, env, is_foreign(AT_FDCWD, file, search_path()),
          vt_real_get()->execvpe(file, argv, more));
}
VT_EXPORT int execvp(char const *file, char *const argv[]) { return execvpe(file, argv, environ); }

VT_EXPORT int fexecve(int fd, char *const argv[], char *const env[]) {
  REPLACE("(descriptor)", env, following() && vt_executable_foreign(fd),
          vt_real_get()->fexecve(fd, argv, more));
}
VT_EXPORT int execveat(int dir, char const *path, char *const argv[], char *const env[],
                       int flags) {
  REPLACE(path, env,
          *path ? is_foreign(dir, path, NULL) : following() && vt_executable_foreign(dir),
          vt_real_get()->execveat(dir, path, argv, more, flags));
}

/* LIST turns the arguments of an execl… function into an array on the stack. */
#define LIST(argv, args, arg)                                                                      \
  size_t argc_ = 1;                                                                                \
  va_list args;                                                                                    \
  va_start(args, arg);                                                                             \
  while (va_arg(args, char *)) argc_++;                                                            \
  va_end(args);                                                                                    \
  char **argv = alloca((argc_ + 1) * sizeof(char *));                                              \
  argv[0] = (char *)arg;                                                                           \
  va_start(args, arg);                                                                             \
  for (size_t i_ = 1; i_ <= argc_; i_++) argv[i_] = va_arg(args, char *)

VT_EXPORT int execl(char const *path, char const *arg, ...) {
  LIST(argv, args, arg);
  va_end(args);
  return execve(path, argv, environ);
}
VT_EXPORT int execlp(char const *file, char const *arg, ...) {
  LIST(argv, args, arg);
  va_end(args);
  return execvpe(file, argv, environ);
}
VT_EXPORT int execle(char const *path, char const *arg, ...) {
  LIST(argv, args, arg);
  char *const *env = va_arg(args, char *const *);
  va_end(args);
  return execve(path, argv, env);
}

/* SPAWN calls with the environment `more` what returns 0 on success. */
#define SPAWN(env, foreign, call)                                                                  \
  do {                                                                                             \
    int hidden = shim_hidden() || (foreign);                                                       \
    char *const *more = WITH_SHIM(env, hidden, 0);                                                 \
    int error = call;                                                                              \
    if (hidden && !error) vt_sink_unrecorded(&vt_process.sink, 1);                                 \
    return error;                                                                                  \
  } while (0)

VT_EXPORT int posix_spawn(pid_t *pid, char const *path, posix_spawn_file_actions_t const *actions,
                          posix_spawnattr_t const *attr, char *const argv[], char *const env[]) {
  SPAWN(env, is_foreign(AT_FDCWD, path, NULL),
        vt_real_get()->posix_spawn(pid, path, actions, attr, argv, more));
}
VT_EXPORT int posix_spawnp(pid_t *pid, char const *file, posix_spawn_file_actions_t const *actions,
                           posix_spawnattr_t const *attr, char *const argv[], char *const env[]) {
  SPAWN(env, is_foreign(AT_FDCWD, file, search_path()),
        vt_real_get()->posix_spawnp(pid, file, actions, attr, argv, more));
}
