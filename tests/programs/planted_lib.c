/* The part of planted.c that lies in a library which is unloaded before the end. */
#include <stdlib.h>

static void *volatile keep;
__attribute__((noinline, noclone)) static void plant_library(void) {
  for (int i = 0; i < 7; i++) keep = malloc(111);
}
void plant(void);
void plant(void) {
  plant_library();
  keep = NULL;
}
