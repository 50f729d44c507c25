/* Programs that look at and tune the allocator get glibc's own answers. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  struct mallinfo2 before = mallinfo2();
  void *volatile p = malloc(100000);
  struct mallinfo2 with = mallinfo2();
  printf("grew by %zu\n", with.uordblks - before.uordblks);
  printf("usable %zu\n", malloc_usable_size(p));
  free(p);
  struct mallinfo2 after = mallinfo2();
  printf("back to %d\n", (int)(after.uordblks == before.uordblks));
  printf("mallopt %d\n", mallopt(M_MMAP_THRESHOLD, 64 << 10));
  p = malloc(300 << 10);
  printf("mapped blocks %zu\n", mallinfo2().hblks - after.hblks);
  free(p);
  printf("trim %d\n", malloc_trim(0) >= 0);
  char *text = NULL;
  size_t sz = 0;
  FILE *memory = open_memstream(&text, &sz);
  printf("malloc_info %d", malloc_info(0, memory));
  fclose(memory);
  printf(" %d\n", strncmp(text, "<malloc version=\"1\">", 20));
  free(text);
  return 0;
}
