/* See module.h. */
#include "analyzer/collector/module.h"
#include "analyzer/trace/bytes.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* parse reads what matters here of a MODULE message (docs/trace-format.md). Returns 0 or -1. */
static int parse(vt_symbols_file_t *file, char path[PATH_MAX], uint64_t *tick,
                 uint8_t const *payload, uint32_t sz) {
  vt_cursor_t c = vt_cursor(payload, sz);
  uint32_t path_sz, id_sz;
  *tick = vt_cursor_u64(&c);
  vt_cursor_take(&c, 4 + 4 + 8 + 8 + 8 + 4); /* epoch, id, bias, start, end, flags */
  file->build_id = vt_cursor_string(&c, &id_sz);
  uint8_t const *name = vt_cursor_string(&c, &path_sz);
  uint64_t ranges_sz = 24 * (uint64_t)vt_cursor_u32(&c);
  if (c.bad || path_sz >= PATH_MAX || ranges_sz > vt_cursor_left(&c)) return -1;
  memcpy(path, name, path_sz);
  path[path_sz] = '\0';
  file->path = path;
  file->build_id_sz = id_sz;
  vt_cursor_take(&c, ranges_sz);
  if (id_sz || vt_cursor_left(&c) < 8 * VT_MODULE_FILE_WORDS) return 0;
  file->device = vt_cursor_u64(&c);
  file->inode = vt_cursor_u64(&c);
  file->size = vt_cursor_u64(&c);
  file->mtime_ns = vt_cursor_u64(&c);
  return 0;
}

static uint64_t unix_ns(vt_header_t const *h, uint64_t tick) {
  if (!h->tick_hz || tick < h->start_tick) return h->start_unix_ns;
  unsigned __int128 ns = (unsigned __int128)(tick - h->start_tick) * 1000000000u / h->tick_hz;
  return h->start_unix_ns + (uint64_t)ns;
}

void vt_module_arrives(vt_symbols_t *symbols, pid_t process, vt_header_t const *header,
                       uint8_t const *payload, uint32_t sz) {
  vt_symbols_file_t file = {0};
  uint64_t tick;
  char path[PATH_MAX], rooted[PATH_MAX + 32];
  if (parse(&file, path, &tick, payload, sz)) return;
  snprintf(rooted, sizeof rooted, "/proc/%d/root%s", process, path);
  file.fd = open(rooted, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  file.loaded_unix_ns = unix_ns(header, tick);
  vt_symbols_module(symbols, &file);
}
