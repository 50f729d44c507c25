/* A library to be loaded at run time. Built twice, as plugin_a and plugin_b, with the same layout:
   when one is unloaded and the other loaded, the same addresses mean other functions. */
#include <stdlib.h>
#include <string.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

void *JOIN(NAME, _allocate)(size_t sz);
__attribute__((noinline)) void *JOIN(NAME, _allocate)(size_t sz) {
  void *volatile p = malloc(sz);
  return p;
}
void *plugin_allocate(size_t sz);
void *plugin_allocate(size_t sz) {
  void *volatile p = JOIN(NAME, _allocate)(sz);
  return p;
}
void plugin_free(void *p);
void plugin_free(void *p) { free(p); }
