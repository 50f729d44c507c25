/* Loads and unloads libraries: at the same address in turn, with RTLD_DEEPBIND, in a namespace of
   their own. argv[1] picks the way, argv[2] is the folder of the plugins. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void *(*allocate_t)(size_t);
typedef void (*free_t)(void *);
static char const *folder;
static void *library;

static void *load(char const *name, int flags, Lmid_t space) {
  char path[4096];
  snprintf(path, sizeof path, "%s/libplugin_%s.so", folder, name);
  library = space == LM_ID_BASE ? dlopen(path, flags) : dlmopen(space, path, flags);
  if (!library) {
    puts("cannot load");
    exit(1);
  }
  return dlsym(library, "plugin_allocate");
}
static void way_cycles(void) { /* 7 blocks of 1000 bytes leak through a, 7 of 2000 through b */
  void *at = NULL;
  int same = 0;
  for (int i = 0; i < 14; i++) {
    allocate_t allocate = (allocate_t)load(i % 2 ? "b" : "a", RTLD_NOW, LM_ID_BASE);
    void *volatile p = allocate(i % 2 ? 2000 : 1000);
    same += (void *)allocate == at;
    at = (void *)allocate;
    ((char volatile *)p)[0] = 1;
    dlclose(library);
  }
  printf("same address: %d\n", same > 10);
}
static void use(allocate_t allocate, int times) {
  free_t give_back = (free_t)dlsym(library, "plugin_free");
  for (int i = 0; i < times; i++) give_back(allocate(500));
  dlclose(library);
}
static void way_deepbind(void) { use((allocate_t)load("a", RTLD_NOW | RTLD_DEEPBIND, LM_ID_BASE), 100); }
static void way_dlmopen(void) { use((allocate_t)load("a", RTLD_NOW, LM_ID_NEWLM), 100); }
static int reloads;
static void way_reloads(void) { /* more loads than a table would hold; the last one leaks 3000 */
  for (int i = 0; i < reloads; i++) use((allocate_t)load("a", RTLD_NOW, LM_ID_BASE), 1);
  void *volatile p = ((allocate_t)load("b", RTLD_NOW, LM_ID_BASE))(3000);
  ((char volatile *)p)[0] = 1;
}
static void *load_loop(void *arg) {
  for (int i = 0; i < 200; i++) {
    void *own = dlopen(arg, RTLD_NOW);
    allocate_t allocate = (allocate_t)dlsym(own, "plugin_allocate");
    for (int j = 0; j < 20; j++) free(allocate(50));
    dlclose(own);
  }
  return NULL;
}
static void way_threads(void) { /* loading and unloading while others allocate */
  char paths[2][4096];
  pthread_t threads[4];
  for (int i = 0; i < 2; i++) snprintf(paths[i], 4096, "%s/libplugin_%c.so", folder, "ab"[i]);
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, load_loop, paths[i % 2]);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  char const *way = argc > 2 ? argv[1] : "";
  folder = argv[2];
  reloads = argc > 3 ? atoi(argv[3]) : 1;
  if (!strcmp(way, "cycles")) way_cycles();
  if (!strcmp(way, "deepbind")) way_deepbind();
  if (!strcmp(way, "dlmopen")) way_dlmopen();
  if (!strcmp(way, "threads")) way_threads();
  if (!strcmp(way, "reloads")) way_reloads();
  printf("%s: done\n", way);
  return 0;
}
