/* What the conformance tests share: standard error goes to a memory file, and tests say of each
   call whether it logs.  Programs start with api_boot and the duplicate suppression off. */
#ifndef TESTS_API_API_H
#define TESTS_API_API_H

#include "fd/groove/fd_groove.h"
#include "fd/util/fd_util.h"
#include "tests/unit/tap.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int api_log_fd = -1;
static char api_log_text[1UL << 16]; /* what the last call of api_logged saw */

/* WARNING lines since the last call. */
__attribute__((unused)) static ulong api_logged(void) {
  ulong sz = 0UL, cnt = 0UL;
  lseek(api_log_fd, 0, SEEK_SET);
  fd_io_read(api_log_fd, api_log_text, 0UL, sizeof(api_log_text) - 1UL, &sz);
  api_log_text[sz] = '\0';
  for (char * p = api_log_text; (p = strstr(p, "WARNING ")); p++)
    cnt += p == api_log_text || p[-1] == '\n';
  if (ftruncate(api_log_fd, 0)) abort();
  lseek(api_log_fd, 0, SEEK_SET);
  return cnt;
}

/* After c was evaluated: it held and so many WARNINGs came meanwhile. */
__attribute__((unused)) static int api_held(int held, ulong want) {
  return (api_logged() == want) & held;
}

/* c holds and the log stayed empty / got one WARNING, which is what the tables call "logs". */
#define SILENT(c) ok(api_held(!!(c), 0UL), "%d silent: %s", __LINE__, #c)
#define LOGS(c)   ok(api_held(!!(c), 1UL), "%d logs: %s", __LINE__, #c)
#define IS(c)     ok(!!(c), "%d %s", __LINE__, #c)

/* Boots with extra options (a string for the command line, split at blanks). */
__attribute__((unused)) static void api_boot(char const * extra) {
  static char text[1024];
  static char * argv[64];
  char ** pargv = argv;
  if (api_log_fd < 0) api_log_fd = memfd_create("log", 0U);
  dup2(api_log_fd, STDERR_FILENO);
  setenv("FD_LOG_PATH", "", 1);
  fd_cstr_printf(text, sizeof(text), NULL, "test --log-dedup 0 %s", extra);
  int argc = (int)fd_cstr_tokenize(argv, 63UL, text, ' ');
  argv[argc] = NULL;
  fd_boot(&argc, &pargv);
  api_logged();
}

/* Runs task(arg) in a child with its own log; returns the wait status, the log is in api_log_text.
 */
__attribute__((unused)) static int api_child(void (*task)(void *), void * arg) {
  int status = 0;
  api_logged();
  fflush(stdout);
  pid_t pid = fork();
  if (!pid) {
    task(arg);
    _exit(0);
  }
  waitpid(pid, &status, 0);
  api_logged();
  return status;
}

#endif
