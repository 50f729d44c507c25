/* Asks the loader for what is not there, does something else, and asks why: dlerror() must still
   know, and errno be as it was. Ends with everything freed. argv[1]: folder of the plugins. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void *(*plugin_new)(unsigned long);
static void (*plugin_delete)(void *);
static char name[] = "true", *no_arguments[] = {name, NULL};

static void do_nothing(void) {}
static void do_malloc(void) { free(malloc(10)); }
static void do_new(void) { plugin_delete(plugin_new(40)); }
static void do_prctl(void) { prctl(PR_GET_DUMPABLE); }
static void do_name(void) { pthread_setname_np(pthread_self(), "somebody"); }
static void do_exec(void) { execv("/does/not/exist", no_arguments); }
static void do_spawn(void) {
  pid_t pid;
  if (!posix_spawn(&pid, "/bin/true", NULL, NULL, no_arguments, environ)) waitpid(pid, NULL, 0);
}
static void do_fork(void) {
  pid_t pid = fork();
  if (!pid) {
    free(malloc(10));
    _exit(dlerror() == NULL);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  printf("in the child %d\n", WEXITSTATUS(status));
}
static void *allocate(void *arg) {
  free(malloc(20));
  return arg;
}
static void do_thread(void) {
  pthread_t thread;
  if (!pthread_create(&thread, NULL, allocate, NULL)) pthread_join(thread, NULL);
}

int main(int argc, char **argv) {
  static struct {
    char const *name;
    void (*call)(void);
  } const steps[] = {{"nothing", do_nothing}, {"malloc", do_malloc}, {"new", do_new},
                     {"prctl", do_prctl},     {"name", do_name},     {"exec", do_exec},
                     {"spawn", do_spawn},     {"fork", do_fork},     {"thread", do_thread}};
  char path[4096];
  setvbuf(stdout, NULL, _IONBF, 0);
  snprintf(path, sizeof path, "%s/libcxx_plugin.so", argc > 1 ? argv[1] : ".");
  void *library = dlopen(path, RTLD_NOW);
  if (!library) return 1;
  plugin_new = (void *(*)(unsigned long))dlsym(library, "plugin_new");
  plugin_delete = (void (*)(void *))dlsym(library, "plugin_delete");
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    if (dlopen("/does/not/exist.so", RTLD_NOW)) return 1;
    errno = 77;
    steps[i].call();
    int error = errno;
    char const *why = dlerror();
    printf("%s: errno %d, %s\n", steps[i].name, error, why ? why : "nobody knows why");
    dlerror(); /* frees the message */
  }
  return 0;
}
