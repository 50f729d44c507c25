/* Reading /proc/self/maps in pieces: of each line "start-end rwxp …" only what is before the fourth
   letter of the permissions matters, so that a line of any length needs no room. */
#include "preload/mappings.h"
#include "core/trace/sys.h"

typedef struct {
  vt_mapping_t mapping;
  int field; /* 0 start, 1 end, 2 … 5 the permissions, 6 the rest of the line */
} line_t;

static uint64_t with_digit(uint64_t number, char c) {
  return number << 4 | (uint64_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

/* take_char goes on with a line; 1: its mapping is complete. */
static int take_char(line_t *line, char c) {
  if (c == '\n') {
    *line = (line_t){0};
  } else if (line->field < 2 && (c == '-' || c == ' ')) {
    line->field++;
  } else if (line->field == 0) {
    line->mapping.start = with_digit(line->mapping.start, c);
  } else if (line->field == 1) {
    line->mapping.end = with_digit(line->mapping.end, c);
  } else if (line->field < 6) {
    line->field++;
    if (line->field == 5) line->mapping.is_executable = c == 'x';
    if (line->field == 6) line->mapping.is_private = c == 'p';
    return line->field == 6;
  }
  return 0;
}

int vt_mapping_find(uint64_t address, vt_mapping_t *out) {
  char piece[256]; /* the stack may be a small one */
  line_t line = {0};
  int found = -1;
  int fd = vt_sys_open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return -1;
  for (long n; found && (n = vt_sys_read(fd, piece, sizeof piece)) > 0;)
    for (long i = 0; found && i < n; i++)
      if (take_char(&line, piece[i]) &&
          address - line.mapping.start < line.mapping.end - line.mapping.start) {
        *out = line.mapping;
        found = 0;
      }
  vt_sys_close(fd);
  return found;
}

int vt_mapping_executable(uint64_t address, uint64_t *start, uint64_t *end) {
  vt_mapping_t mapping;
  if (vt_mapping_find(address, &mapping) || !mapping.is_executable) return 0;
  *start = mapping.start;
  *end = mapping.end;
  return 1;
}
