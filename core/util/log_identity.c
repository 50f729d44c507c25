/* Who is logging: ids and names of application, thread, host, cpu, thread group and user.  Values
   that cost a system call are cached, per thread where they differ per thread; fork resets the
   cached process and thread ids because the shared-memory locks identify owners by them. */

#include "log_private.h"

#include "fd/util/env/fd_env.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

fd_log_identity_t fd_log_private_identity = {.app = "[app]", .host = "[host]", .user = "[user]"};

static ulong group_id;       /* 0 until known */
static ulong thread_id_next; /* for threads that are no tile */

static FD_TL ulong tid;
static FD_TL ulong thread_id; /* plus one; 0 until known */
static FD_TL ulong cpu_id;    /* plus one; 0 until known */
static FD_TL char thread_name[FD_LOG_NAME_MAX];
static FD_TL char cpu_name[FD_LOG_NAME_MAX];

static void forget_ids_after_fork(void) {
  __atomic_store_n(&group_id, (ulong)getpid(), __ATOMIC_RELAXED);
  tid = 0UL;
}

/* The program, which may have a longer name than fits. */
static char const * program_name(void) {
  return program_invocation_short_name[0] ? program_invocation_short_name : "[group]";
}

/* Flushed before, so that the child does not write the parent's buffered lines once more. */
__attribute__((constructor)) static void before_boot(void) {
  fd_cstr_ncpy(fd_log_private_identity.group, program_name(), FD_LOG_NAME_MAX);
  pthread_atfork(fd_log_flush, NULL, forget_ids_after_fork);
}

ulong fd_log_app_id(void) { return fd_log_private_identity.app_id; }
ulong fd_log_host_id(void) { return fd_log_private_identity.host_id; }
ulong fd_log_user_id(void) { return (ulong)getuid(); }

ulong fd_log_group_id(void) {
  ulong id = __atomic_load_n(&group_id, __ATOMIC_RELAXED);
  if (FD_LIKELY(id)) return id;
  id = (ulong)getpid();
  __atomic_store_n(&group_id, id, __ATOMIC_RELAXED);
  return id;
}

ulong fd_log_tid(void) {
  if (FD_UNLIKELY(!tid)) tid = (ulong)syscall(SYS_gettid);
  return tid;
}

void fd_log_private_thread_id_set(ulong id) {
  thread_id = id + 1UL;
  cpu_id = 0UL; /* a tile's affinity changes at boot */
  thread_name[0] = '\0';
  cpu_name[0] = '\0';
}

/* Threads nobody numbered count on from where the tiles may end. */
ulong fd_log_thread_id(void) {
  if (FD_UNLIKELY(!thread_id)) {
    ulong other = __atomic_fetch_add(&thread_id_next, 1UL, __ATOMIC_RELAXED);
    thread_id = fd_log_private_identity.thread_id0 + 1024UL + other + 1UL;
  }
  return thread_id - 1UL;
}

static ulong lowest_cpu(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set)) return 0UL;
  for (int i = 0; i < CPU_SETSIZE; i++) {
    if (CPU_ISSET(i, &set)) return (ulong)i;
  }
  return 0UL;
}

ulong fd_log_cpu_id(void) {
  if (FD_UNLIKELY(!cpu_id)) cpu_id = lowest_cpu() + 1UL;
  return cpu_id - 1UL;
}

char const * fd_log_app(void) { return fd_log_private_identity.app; }
char const * fd_log_host(void) { return fd_log_private_identity.host; }
char const * fd_log_group(void) { return fd_log_private_identity.group; }
char const * fd_log_user(void) { return fd_log_private_identity.user; }

/* The default is the thread id of a tile and of the booter, else the kernel's. */
char const * fd_log_thread(void) {
  if (FD_UNLIKELY(!thread_name[0])) {
    ulong id = thread_id ? thread_id - 1UL : fd_log_tid();
    fd_cstr_printf(thread_name, FD_LOG_NAME_MAX, NULL, "%lu", id);
  }
  return thread_name;
}

char const * fd_log_cpu(void) {
  if (FD_UNLIKELY(!cpu_name[0])) {
    char const * booter = fd_log_private_identity.cpu;
    int is_booter = booter[0] && thread_id == fd_log_private_identity.thread_id0 + 1UL;
    if (is_booter)
      fd_cstr_ncpy(cpu_name, booter, FD_LOG_NAME_MAX);
    else
      fd_cstr_printf(cpu_name, FD_LOG_NAME_MAX, NULL, "%lu", fd_log_cpu_id());
  }
  return cpu_name;
}

void fd_log_thread_set(char const * name) { fd_cstr_ncpy(thread_name, name, FD_LOG_NAME_MAX); }
void fd_log_cpu_set(char const * name) { fd_cstr_ncpy(cpu_name, name, FD_LOG_NAME_MAX); }

/* A killed child its parent has not waited for still answers kill(pid,0) but runs no more code. The
   first thread of a process shows as a zombie too when it ended before the others: count threads.
 */
static int is_zombie(ulong pid) {
  char path[64], state = '?';
  long threads = 1L;
  fd_cstr_printf(path, sizeof(path), NULL, "/proc/%lu/stat", pid);
  FILE * file = fopen(path, "re");
  if (!file) return 0;
  char line[1024];
  if (fgets(line, sizeof(line), file)) {
    char const * after_name = strrchr(line, ')');
    if (after_name) {
      sscanf(after_name + 1,
             " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld", &state,
             &threads);
    }
  }
  fclose(file);
  return (state == 'Z' || state == 'X') && threads <= 1L;
}

int fd_log_group_id_query(ulong id) {
  if (id == fd_log_group_id()) return FD_LOG_GROUP_ID_QUERY_LIVE;
  if (!id || id > (ulong)INT_MAX) return FD_LOG_GROUP_ID_QUERY_INVAL;
  if (!kill((pid_t)id, 0)) {
    return is_zombie(id) ? FD_LOG_GROUP_ID_QUERY_DEAD : FD_LOG_GROUP_ID_QUERY_LIVE;
  }
  if (errno == ESRCH) return FD_LOG_GROUP_ID_QUERY_DEAD;
  if (errno == EPERM) return FD_LOG_GROUP_ID_QUERY_PERM;
  return FD_LOG_GROUP_ID_QUERY_FAIL;
}

/* A name option; the default stands for an empty one too. */
static void name_option(int * pargc, char *** pargv, char const * key, char const * env_key,
                        char const * def, char * name) {
  char const * val = fd_env_strip_cmdline_cstr(pargc, pargv, key, env_key, NULL);
  fd_cstr_ncpy(name, val && val[0] ? val : def, FD_LOG_NAME_MAX);
}

static char const * login_name(void) {
  char const * name = getenv("LOGNAME");
  if (!name || !name[0]) name = getenv("USER");
  return name && name[0] ? name : "[user]";
}

void fd_log_private_identity_boot(int * pargc, char *** pargv) {
  fd_log_identity_t * me = &fd_log_private_identity;
  char host[FD_LOG_NAME_MAX] = "";
  if (gethostname(host, sizeof(host) - 1UL) || !host[0]) strcpy(host, "[host]");
  me->app_id = fd_env_strip_cmdline_ulong(pargc, pargv, "--log-app-id", "FD_LOG_APP_ID", 0UL);
  me->thread_id0 =
      fd_env_strip_cmdline_ulong(pargc, pargv, "--log-thread-id", "FD_LOG_THREAD_ID", 0UL);
  me->host_id = fd_env_strip_cmdline_ulong(pargc, pargv, "--log-host-id", "FD_LOG_HOST_ID", 0UL);
  static char const * const os_decides[4] = {"--log-cpu-id", "--log-group-id", "--log-user-id",
                                             "--log-tid"};
  for (ulong i = 0UL; i < 4UL; i++)
    fd_env_strip_cmdline_cstr(pargc, pargv, os_decides[i], NULL, NULL);
  name_option(pargc, pargv, "--log-app", "FD_LOG_APP", "[app]", me->app);
  name_option(pargc, pargv, "--log-thread", "FD_LOG_THREAD", "", me->thread);
  name_option(pargc, pargv, "--log-host", "FD_LOG_HOST", host, me->host);
  name_option(pargc, pargv, "--log-cpu", "FD_LOG_CPU", "", me->cpu);
  name_option(pargc, pargv, "--log-group", "FD_LOG_GROUP", program_name(), me->group);
  name_option(pargc, pargv, "--log-user", "FD_LOG_USER", login_name(), me->user);
  fd_log_private_thread_id_set(me->thread_id0);
  fd_log_thread_set(me->thread);
}
