/* The address space of a process as /proc/PID/maps tells: its modules, and room beside them. */
#ifndef VT_ANALYZER_PATCH_SPACE_H
#define VT_ANALYZER_PATCH_SPACE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
  uint64_t start, end, offset;
  int executable;
  int taken;  /* by vt_space_room */
  char *path; /* "": anonymous */
} vt_space_part_t;

typedef struct {
  vt_space_part_t *parts; /* in the order of their addresses */
  size_t parts_cnt, parts_cap;
} vt_space_t;

/* vt_space_read returns 0, or -1 when the process is gone or must not be looked at. */
int vt_space_read(vt_space_t *space, pid_t pid);
void vt_space_free(vt_space_t *space);

/* vt_space_module finds the module at or behind part *i: its first part and whether some code of it is
   mapped; *i is then behind it. Returns NULL at the end. */
vt_space_part_t const *vt_space_module(vt_space_t const *space, size_t *i, int *has_code);

/* vt_space_room takes sz bytes (whole pages) out of a gap near [low,high), with all of both within the reach of a 32-bit
   distance, and away from where heap and stack grow: of a wide gap if there is one, away from where the kernel
   puts what threads map until the room is used, as those of a library that comes and goes; else of the nearest. 0: there
   is none. */
uint64_t vt_space_room(vt_space_t *space, uint64_t low, uint64_t high, uint64_t sz);

#endif
