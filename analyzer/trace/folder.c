/* See folder.h. The order needs one word of each header; whether the rest is sound is the reader's
   to say. */
#include "analyzer/trace/folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "analyzer/util/mem.h"
#include "valtrace/trace_format.h"

typedef struct {
  uint64_t start;
  char *path;
} found_t;

/* When the recording began; 0: the file does not say. */
static uint64_t start_of(char const *path) {
  uint8_t word[8];
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return 0;
  int whole = pread(fd, word, sizeof word, VT_HEADER_OFF_START_UNIX_NS) == (ssize_t)sizeof word;
  close(fd);
  return whole ? vt_load64(word) : 0;
}

static int by_start(void const *a, void const *b) {
  found_t const *x = a, *y = b;
  if (x->start != y->start) return x->start < y->start ? -1 : 1;
  return strcmp(x->path, y->path);
}

static int is_trace_name(char const *name) {
  size_t sz = strlen(name);
  return sz > 4 && !strcmp(name + sz - 4, ".vtr");
}

static char *joined(char const *folder, char const *name) {
  size_t folder_sz = strlen(folder), name_sz = strlen(name);
  while (folder_sz > 1 && folder[folder_sz - 1] == '/') folder_sz--;
  char *path = vt_mem_new(folder_sz + name_sz + 2, 1);
  memcpy(path, folder, folder_sz);
  path[folder_sz] = '/';
  memcpy(path + folder_sz + 1, name, name_sz);
  return path;
}

/* add_once takes over the path, unless the file is in the list already. */
static void add_once(vt_trace_list_t *list, char *path) {
  struct stat st;
  vt_trace_file_t file = {0};
  if (!stat(path, &st)) file = (vt_trace_file_t){st.st_dev, st.st_ino};
  for (size_t i = 0; i < list->files_cnt && file.inode; i++) {
    if (list->files[i].inode != file.inode || list->files[i].device != file.device) continue;
    free(path);
    return;
  }
  VT_PUSH(list->paths, path);
  VT_PUSH(list->files, file);
}

static int add_folder(vt_trace_list_t *list, char const *folder, vt_error_t *error) {
  found_t *found = NULL;
  size_t found_cnt = 0, found_cap = 0;
  DIR *dir = opendir(folder);
  if (!dir) {
    vt_error_set(error, folder, strerror(errno), "give a folder that can be read");
    return -1;
  }
  for (struct dirent const *entry; (entry = readdir(dir));) {
    if (!is_trace_name(entry->d_name)) continue;
    char *path = joined(folder, entry->d_name);
    VT_PUSH(found, ((found_t){start_of(path), path}));
  }
  closedir(dir);
  if (found) qsort(found, found_cnt, sizeof *found, by_start);
  for (size_t i = 0; i < found_cnt; i++) add_once(list, found[i].path);
  free(found);
  if (found_cnt) return 0;
  vt_error_set(error, folder, "no trace in this folder", "`valtrace run -d DIR` writes *.vtr there");
  return -1;
}

int vt_trace_list(vt_trace_list_t *list, char *const *operands, size_t cnt, vt_error_t *error) {
  struct stat st;
  for (size_t i = 0; i < cnt; i++) {
    if (!stat(operands[i], &st) && S_ISDIR(st.st_mode)) {
      if (add_folder(list, operands[i], error)) return -1;
    } else
      add_once(list, vt_mem_copy(operands[i], strlen(operands[i])));
  }
  return 0;
}

void vt_trace_list_free(vt_trace_list_t *list) {
  for (size_t i = 0; i < list->paths_cnt; i++) free(list->paths[i]);
  free(list->paths);
  free(list->files);
  *list = (vt_trace_list_t){0};
}
