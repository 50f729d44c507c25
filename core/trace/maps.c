/* See maps.h. A line is "start-end perms offset device inode   path" (proc(5)), taken byte by byte. */
#include "core/trace/maps.h"
#include "core/trace/sys.h"

enum { START, END, PERMS, OFFSET, DEVICE, INODE, PATH };

typedef struct {
  vt_maps_line_t line;
  int field;
  uint32_t n; /* bytes of this field so far */
  char *path; /* where the whole path is wanted, else NULL */
  size_t path_cap;
} parser_t;

static uint64_t with_digit(uint64_t number, char c) {
  return number << 4 | (uint64_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

static void take_path(parser_t *p, char c) {
  if (!p->n && c == ' ') return; /* the path is set off by blanks */
  if (p->n < VT_MAPS_NAME_SZ - 1) p->line.name[p->n] = c;
  if (p->n < p->path_cap) p->path[p->n] = c;
  p->n++;
}

/* take goes on with a line. */
static void take(parser_t *p, char c) {
  if (p->field < PATH && (c == ' ' || c == '-') && (p->field != PERMS || c == ' ')) {
    p->field++;
    p->n = 0;
    return;
  }
  switch (p->field) {
  case START: p->line.start = with_digit(p->line.start, c); break;
  case END: p->line.end = with_digit(p->line.end, c); break;
  case PERMS:
    if (p->n < sizeof p->line.perms) p->line.perms[p->n++] = c;
    break;
  case OFFSET: p->line.offset = with_digit(p->line.offset, c); break;
  case INODE: p->line.inode = p->line.inode * 10 + (uint64_t)(c - '0'); break;
  case PATH: take_path(p, c); break;
  default: break;
  }
}

static void begin_line(parser_t *p) {
  p->line = (vt_maps_line_t){0};
  p->field = START;
  p->n = 0;
}

static int walk(parser_t *p, int (*visit)(vt_maps_line_t const *line, void *arg), void *arg) {
  char piece[256];
  int result = 0;
  int fd = vt_sys_open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return -1;
  begin_line(p);
  for (long n; !result && (n = vt_sys_read(fd, piece, sizeof piece)) > 0;)
    for (long i = 0; !result && i < n; i++) {
      if (piece[i] != '\n') {
        take(p, piece[i]);
        continue;
      }
      result = visit(&p->line, arg);
      if (!result) begin_line(p);
    }
  vt_sys_close(fd);
  return result;
}

int vt_maps_walk(int (*visit)(vt_maps_line_t const *line, void *arg), void *arg) {
  parser_t p = {0};
  return walk(&p, visit, arg);
}

static int holds(vt_maps_line_t const *line, void *address) {
  return *(uint64_t const *)address - line->start < line->end - line->start;
}

int vt_maps_find(uint64_t address, vt_maps_line_t *out) {
  parser_t p = {0};
  if (walk(&p, holds, &address) != 1) return -1;
  *out = p.line;
  return 0;
}

uint32_t vt_maps_path(uint64_t address, char *out, size_t cap) {
  parser_t p = {.path = out, .path_cap = cap};
  if (walk(&p, holds, &address) != 1 || p.line.name[0] != '/') return 0;
  return p.n < cap ? p.n : (uint32_t)cap;
}
