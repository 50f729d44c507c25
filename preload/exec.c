/* The functions of libc that start programs: the new image must find the shim and the collector whatever
   environment it is given, and the old image's trace must say how it ended.

   Everything is built on the caller's stack: after vfork the parent's memory must not change. */
#include "preload/environment.h"
#include "preload/hooks.h"
#include "preload/process.h"
#include "core/trace/executable.h"
#include "core/trace/object.h"
#include "core/trace/sys.h"

#include <alloca.h>
#include <errno.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wordexp.h>

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
  struct link_map const *own = vt_object_own();
  return vt_environment_follows() && !vt_process.filtered && own &&
         vt_sys(SYS_faccessat, AT_FDCWD, (long)own->l_name, R_OK, 0, 0, 0) != 0;
}

/* is_foreign: is the program for a C library whose loader would fail with the shim? */
static int is_foreign(int dir, char const *file, char const *search) {
  if (!vt_environment_follows() || vt_process.filtered) return 0;
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

/* REPLACE calls exec with the environment `more`; when it returns it has failed, and recording goes
   on. */
#define REPLACE(path, env, foreign, call)                                                          \
  do {                                                                                             \
    int own = own_image(), hidden = shim_hidden() || (foreign);                                    \
    char *const *more = VT_ENVIRONMENT_FOR(                                                        \
        env, hidden ? VT_START_ALONE : own ? VT_START_REPLACES : VT_START_BESIDE);                 \
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
  REPLACE("(descriptor)", env, vt_environment_follows() && vt_executable_foreign(fd),
          vt_real_get()->fexecve(fd, argv, more));
}
VT_EXPORT int execveat(int dir, char const *path, char *const argv[], char *const env[],
                       int flags) {
  REPLACE(path, env,
          *path ? is_foreign(dir, path, NULL) : vt_environment_follows() && vt_executable_foreign(dir),
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
    char *const *more = VT_ENVIRONMENT_FOR(env, hidden ? VT_START_ALONE : VT_START_BESIDE);        \
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

/* pidfd_spawn is glibc 2.39's. That it exists here without it says no more than that a kernel may lack what
   it needs. */
VT_EXPORT int pidfd_spawn(int *pidfd, char const *path, posix_spawn_file_actions_t const *actions,
                          posix_spawnattr_t const *attr, char *const argv[], char *const env[]) {
  if (!vt_real_get()->pidfd_spawn) return ENOSYS;
  SPAWN(env, is_foreign(AT_FDCWD, path, NULL),
        vt_real.pidfd_spawn(pidfd, path, actions, attr, argv, more));
}
VT_EXPORT int pidfd_spawnp(int *pidfd, char const *file, posix_spawn_file_actions_t const *actions,
                           posix_spawnattr_t const *attr, char *const argv[], char *const env[]) {
  if (!vt_real_get()->pidfd_spawnp) return ENOSYS;
  SPAWN(env, is_foreign(AT_FDCWD, file, search_path()),
        vt_real.pidfd_spawnp(pidfd, file, actions, attr, argv, more));
}

/* SHELL makes a call to a function that starts the shell with `environ`. */
#define SHELL(type, call)                                                                          \
  do {                                                                                             \
    int hidden = shim_hidden() || is_foreign(AT_FDCWD, "/bin/sh", NULL);                           \
    vt_environment_reveal(hidden ? VT_START_ALONE : VT_START_BESIDE);                              \
    type result = call;                                                                            \
    vt_environment_cover();                                                                        \
    return result;                                                                                 \
  } while (0)

VT_EXPORT int system(char const *command) { SHELL(int, vt_real_get()->system(command)); }
VT_EXPORT FILE *popen(char const *command, char const *mode) {
  SHELL(FILE *, vt_real_get()->popen(command, mode));
}
VT_EXPORT int wordexp(char const *words, wordexp_t *out, int flags) {
  SHELL(int, vt_real_get()->wordexp(words, out, flags));
}
