/* Changes the address space in every way there is and says on standard output what it did, one line
   a call: op api function address size old-address old-size file. The test compares the lines with
   the trace. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#define PAGE 4096ul
#define SAY(op, api, address, size, old, old_size, file)                                           \
  printf("%s %s %s %#lx %lu %#lx %lu %s\n", op, api, __func__, (unsigned long)(address),           \
         (unsigned long)(size), (unsigned long)(old), (unsigned long)(old_size), file)

static char *anonymous(size_t pages, int prot) {
  char *p = mmap(NULL, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SAY("map", "mmap", p, pages * PAGE, 0, 0, "-");
  return p;
}

static void unmap(char *p, size_t sz) {
  munmap(p, sz);
  SAY("unmap", "munmap", p, sz, 0, 0, "-");
}

static void of_a_file(char const *path) {
  int fd = open(path, O_RDONLY);
  char *p = mmap64(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
  close(fd);
  SAY("map", "mmap", p, 3 * PAGE, 0, 0, path);
}

static char *grow(char *old, size_t old_sz, size_t sz) {
  char *p = mremap(old, old_sz, sz, MREMAP_MAYMOVE);
  SAY("remap", "mremap", p, sz, old, old_sz, "-");
  return p;
}

static void attach_segment(int detach) {
  int id = shmget(IPC_PRIVATE, 2 * PAGE + 1, 0600 | IPC_CREAT);
  char *p = shmat(id, NULL, 0);
  shmctl(id, IPC_RMID, NULL);
  SAY("map", "shmat", p, 3 * PAGE, 0, 0, "-");
  if (!detach) return;
  shmdt(p);
  SAY("unmap", "shmdt", p, 0, 0, 0, "-");
}

static void move_break(void) {
  char *p = sbrk(5 * PAGE);
  SAY("map", "sbrk", p, 5 * PAGE, 0, 0, "-");
  sbrk(-2 * (long)PAGE);
  SAY("unmap", "sbrk", p + 3 * PAGE, 2 * PAGE, 0, 0, "-");
  brk(p + 4 * PAGE);
  SAY("map", "brk", p + 3 * PAGE, PAGE, 0, 0, "-");
}

static void fails(void) {
  if (mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0) != MAP_FAILED ||
      mremap((void *)PAGE, PAGE, 2 * PAGE, 0) != MAP_FAILED || shmat(-1, NULL, 0) != (void *)-1)
    abort();
}

static char const *volatile own_path;

int main(int argc, char **argv) {
  (void)argc;
  static char out[1 << 16];
  setvbuf(stdout, out, _IOFBF, sizeof out); /* no allocation between the calls */
  own_path = realpath(argv[0], NULL);
  char *hole = anonymous(8, PROT_READ | PROT_WRITE);
  unmap(hole + 2 * PAGE, 3 * PAGE);
  anonymous(100, PROT_NONE);
  of_a_file(own_path);
  char *moved = grow(anonymous(2, PROT_READ | PROT_WRITE), 2 * PAGE, 300 * PAGE);
  grow(moved, 300 * PAGE, 4 * PAGE);
  attach_segment(1);
  attach_segment(0);
  move_break();
  fails();
  unmap(anonymous(1, PROT_READ), 1); /* of any page touched all goes */
  return 0;
}
