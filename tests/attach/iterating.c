/* iterating: a thread allocates below dl_iterate_phdr, whose lock it has, while another, which opens a library, has the locks
   that making a thread takes and waits for that one. Answers a byte on its standard input when the first has gone on
   since; an `l` lets it leave dl_iterate_phdr before. Runs until its standard input ends. */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REST_US   1000
#define PATIENCE_S 120 /* who waits for ever is ended */

static atomic_int opener, leave, over;
static atomic_uint steps;
static char const *library;

static void step(void) {
  free(malloc(40));
  steps++;
  usleep(REST_US);
}

/* waits: is the opener in futex? */
static int waits(void) {
  char path[64], call[8] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/syscall", opener);
  FILE *file = fopen(path, "re");
  if (!file || !fgets(call, sizeof call, file)) abort();
  fclose(file);
  return !strncmp(call, "202 ", 4);
}

static int see(struct dl_phdr_info *info, size_t sz, void *context) {
  (void)info, (void)sz, (void)context;
  atomic_store(&opener, -1);
  while (opener < 0 || !waits()) usleep(REST_US);
  while (!leave) step();
  return 1;
}

static void *iterate(void *arg) {
  dl_iterate_phdr(see, NULL);
  while (!over) step();
  return arg;
}

static void *open_one(void *arg) {
  while (!opener) usleep(REST_US);
  opener = gettid();
  if (!dlopen(library, RTLD_NOW)) abort();
  return arg;
}

int main(int argc, char **argv) {
  pthread_t threads[2];
  char byte;
  if (argc != 2) return 2;
  library = argv[1];
  alarm(PATIENCE_S);
  if (pthread_create(&threads[0], NULL, open_one, NULL) || pthread_create(&threads[1], NULL, iterate, NULL)) return 1;
  while (read(0, &byte, 1) == 1) {
    if (byte == 'l') leave = 1;
    for (unsigned from = steps; steps < from + 2;) usleep(REST_US);
    if (write(1, &byte, 1) != 1) return 1;
  }
  over = 1;
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  return 0;
}
