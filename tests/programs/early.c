/* Allocates before main, before constructors and while the program is still being relocated. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *from_resolver, *from_preinit, *from_constructor;

static int answer(void) { return 42; }
static int (*resolve_answer(void))(void) {
  from_resolver = malloc(111);
  free(malloc(112));
  return answer;
}
int ifunc_answer(void) __attribute__((ifunc("resolve_answer")));

static void preinit(void) { from_preinit = calloc(1, 113); }
__attribute__((section(".preinit_array"), used)) static void (*preinit_entry)(void) = preinit;

__attribute__((constructor(101))) static void construct(void) {
  from_constructor = strdup("from a constructor");
  from_constructor = realloc(from_constructor, 115);
  free(dlsym(RTLD_DEFAULT, "no such symbol")); /* dlerror allocates */
}
__attribute__((destructor(101))) static void destruct(void) { free(malloc(116)); }
static void at_exit(void) { free(malloc(117)); }

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  atexit(at_exit);
  printf("%d %s %d\n", ifunc_answer(), (char *)from_constructor, ((char *)from_preinit)[112]);
  from_preinit = realloc(from_preinit, 118);
  free(from_preinit), free(from_resolver), free(from_constructor);
  printf("%d\n", dlerror() != NULL);
  return 0;
}
