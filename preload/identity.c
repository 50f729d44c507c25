/* Calls by which a process becomes less than it was: another user's, in other namespaces, below another root, without a
   capability. Its sentinel (core/trace/snapshot.h) has the same memory and would stay what the process was; whoever
   takes over the process would find there what was given up. So it is ended first. */
#include "preload/hooks.h"
#include "preload/snapshot.h"

#include <grp.h>
#include <sched.h>
#include <unistd.h>

#define HOOK(name, parameters, ...)                                                                                    \
  VT_EXPORT int name parameters {                                                                                      \
    vt_snapshot_unwatch();                                                                                             \
    return vt_real_get()->name(__VA_ARGS__);                                                                           \
  }

HOOK(setuid, (uid_t a), a)
HOOK(seteuid, (uid_t a), a)
HOOK(setreuid, (uid_t a, uid_t b), a, b)
HOOK(setresuid, (uid_t a, uid_t b, uid_t c), a, b, c)
HOOK(setgid, (gid_t a), a)
HOOK(setegid, (gid_t a), a)
HOOK(setregid, (gid_t a, gid_t b), a, b)
HOOK(setresgid, (gid_t a, gid_t b, gid_t c), a, b, c)
HOOK(setgroups, (size_t cnt, gid_t const *list), cnt, list)
HOOK(unshare, (int flags), flags)
HOOK(setns, (int fd, int kind), fd, kind)
HOOK(chroot, (char const *path), path)

VT_EXPORT int capset(void *head, void const *data);
HOOK(capset, (void *head, void const *data), head, data)
