/* Who is asked for the object at an address: the C library where it can tell (glibc 2.35), else our own list. */
#include "core/trace/object.c"
#include "tests/unit/tap.h"

#include <dlfcn.h>

int vt_object_list_find(uint64_t address, vt_object_t *out) {
  (void)address, (void)out;
  return 0;
}

void vt_object_list_start(struct dl_phdr_info const *info) {
  (void)info;
}
void vt_object_list_freed(void const *block) {
  (void)block;
}
void vt_object_list_mapped(void) {
}

int main(void) {
  void *function = dlsym(RTLD_DEFAULT, "_dl_find_object");
#ifdef VT_OWN_OBJECTS
  function = NULL;
#endif
  ok(asked() == (function ? (find_t *)function : without_loader), "the C library's function is used where there is one");
  vt_object_t object = {0};
  ok(vt_object_find((uint64_t)main, &object) == (function != NULL), "and asked");
  return done_testing();
}
