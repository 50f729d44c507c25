/* Collecting source lines; see sources.h. Frames are taken in the order of the largest share of any
   metric that they have, callees included; when the lines of all are too many, those of the last
   third are left out until they fit. */
#include "analyzer/page/sources.h"
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "analyzer/page/pack.h"
#include "analyzer/util/mem.h"

#define AROUND     5         /* lines on each side */
#define CHARS_MAX  250000    /* of packed text */
#define FILE_MAX   (8 << 20) /* bytes of a file */
#define LINE_MAX_  300       /* bytes shown of a line */
#define FRAMES_MAX 4000

/* ---- files ---- */

typedef struct {
  uint32_t name; /* as frames call it, see vt_page_frame_t */
  int tried, changed;
  char *text; /* NULL: not at hand */
  size_t *lines, lines_cnt, lines_cap; /* where each line begins; the last is the end */
  uint8_t *wanted;
} file_t;

typedef struct {
  vt_page_tree_t const *tree;
  uint64_t started_unix_ns;
  uint32_t *number_of; /* by name: index into files + 1; 0: none yet */
  file_t *files;
  size_t files_cnt, files_cap;
  uint32_t *ranked; /* frames whose file is at hand */
  size_t ranked_cnt, ranked_cap;
} sources_t;

/* May a file of this name be read? The C++ library's headers have no suffix. */
static int is_source(char const *file) {
  static char const *const suffixes[] = {
      ".c",  ".h",  ".cc", ".cpp", ".cxx",   ".c++", ".hh", ".hpp", ".hxx", ".h++", ".inl",
      ".ipp", ".tcc", ".i", ".ii", ".rs",    ".go",  ".d",  ".zig", ".swift", ".m", ".mm",
      ".f",  ".f90", ".pas", ".py", ".pyx",  ".java", ".kt", ".s"};
  char const *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
  char const *suffix = strrchr(base, '.');
  if (!suffix || suffix == base) return strstr(file, "/include/c++/") != NULL;
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
    if (!strcasecmp(suffix, suffixes[i])) return 1;
  return 0;
}

/* Where a file is looked for. Returns 0, or -1: nowhere. */
static int path_of(char const *file, char const *module, char path[PATH_MAX]) {
  if (!is_source(file) || (*file != '/' && *module != '/')) return -1;
  int folder = *file == '/' ? 0 : (int)(strrchr(module, '/') - module + 1);
  int n = snprintf(path, PATH_MAX, "%.*s%s", folder, module, file);
  return n < PATH_MAX ? 0 : -1;
}

/* The text of an open file of at most FILE_MAX bytes; NULL if it cannot be read. */
static char *text_of(int fd, size_t sz) {
  char *text = vt_mem_new(sz + 1, 1);
  size_t have = 0;
  for (ssize_t got; have < sz && (got = read(fd, text + have, sz - have)) > 0;) have += (size_t)got;
  if (have == sz && !memchr(text, '\0', sz)) return text;
  free(text);
  return NULL;
}

static void split(file_t *file) {
  for (char *at = file->text, *next; at; at = next) {
    VT_PUSH(file->lines, (size_t)(at - file->text));
    next = strchr(at, '\n');
    if (next) next++;
  }
  file->wanted = vt_mem_new(file->lines_cnt + 1, 1);
  size_t end = strlen(file->text) + 1;
  VT_PUSH(file->lines, end);
}

static void load(file_t *file, char const *path, uint64_t started_unix_ns) {
  struct stat info;
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return;
  if (!fstat(fd, &info) && S_ISREG(info.st_mode) && info.st_size <= FILE_MAX)
    file->text = text_of(fd, (size_t)info.st_size);
  close(fd);
  if (!file->text) return;
  uint64_t changed =
      (uint64_t)info.st_mtim.tv_sec * 1000000000 + (uint64_t)info.st_mtim.tv_nsec;
  file->changed = changed > started_unix_ns;
  split(file);
}

/* The file of a frame, NULL if it has none at hand with that line. A relative name may be found
   beside one module and not beside another. */
static file_t *file_of(sources_t *all, vt_page_frame_t const *frame) {
  char path[PATH_MAX];
  char const *name = vt_strings_get(all->tree->strings, frame->file, NULL);
  if (!*name || !frame->line) return NULL;
  if (!all->number_of[frame->file]) {
    file_t fresh = {.name = frame->file};
    VT_PUSH(all->files, fresh);
    all->number_of[frame->file] = (uint32_t)all->files_cnt;
  }
  file_t *file = &all->files[all->number_of[frame->file] - 1];
  if (!file->text && (!file->tried || *name != '/')) {
    file->tried = 1;
    if (!path_of(name, vt_strings_get(all->tree->strings, frame->module, NULL), path))
      load(file, path, all->started_unix_ns);
  }
  return file->text && frame->line < file->lines_cnt ? file : NULL;
}

/* ---- which frames ---- */

/* Adds to each frame's weight its largest share of one metric of one side. */
static void weigh(vt_page_tree_t const *tree, int side, int value, double *sums, double *weights) {
  for (size_t i = 0; i < tree->nodes_cnt; i++) sums[i] = (double)tree->nodes[i].self[side][value];
  for (size_t i = tree->nodes_cnt - 1; i > 0; i--) sums[tree->nodes[i].parent] += sums[i];
  for (size_t i = 1; i < tree->nodes_cnt; i++) {
    double *best = &weights[tree->nodes[i].frame];
    if (sums[i] > *best * sums[0]) *best = sums[i] / sums[0];
  }
}

typedef struct {
  double weight;
  uint32_t frame;
} ranked_t;

static int compare_ranked(void const *a, void const *b) {
  ranked_t const *x = a, *y = b;
  if (x->weight != y->weight) return x->weight < y->weight ? 1 : -1;
  return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/* All frames, those with the largest share first. The caller frees them. */
static ranked_t *rank(vt_page_tree_t const *tree) {
  double *sums = vt_mem_new(tree->nodes_cnt + 1, sizeof *sums);
  double *weights = vt_mem_new(tree->frames_cnt + 1, sizeof *weights);
  ranked_t *ranked = vt_mem_new(tree->frames_cnt + 1, sizeof *ranked);
  for (int v = 0; v < tree->sides * VT_PAGE_VALUES; v++)
    weigh(tree, v / VT_PAGE_VALUES, v % VT_PAGE_VALUES, sums, weights);
  for (uint32_t i = 0; i < tree->frames_cnt; i++) ranked[i] = (ranked_t){weights[i], i};
  qsort(ranked, tree->frames_cnt, sizeof *ranked, compare_ranked);
  free(sums);
  free(weights);
  return ranked;
}

static void choose(sources_t *all) {
  ranked_t *ranked = rank(all->tree);
  for (size_t i = 0; i < all->tree->frames_cnt && all->ranked_cnt < FRAMES_MAX; i++)
    if (ranked[i].weight > 0 && file_of(all, &all->tree->frames[ranked[i].frame]))
      VT_PUSH(all->ranked, ranked[i].frame);
  free(ranked);
}

/* ---- writing ---- */

/* Marks the lines of the first cnt frames. */
static void want(sources_t *all, size_t cnt) {
  for (size_t i = 0; i < all->files_cnt; i++)
    if (all->files[i].text) memset(all->files[i].wanted, 0, all->files[i].lines_cnt);
  for (size_t i = 0; i < cnt; i++) {
    vt_page_frame_t const *frame = &all->tree->frames[all->ranked[i]];
    file_t *file = file_of(all, frame);
    size_t first = frame->line > AROUND ? frame->line - AROUND : 1;
    for (size_t n = first; n <= frame->line + AROUND && n < file->lines_cnt; n++)
      file->wanted[n] = 1;
  }
}

static void write_lines(vt_json_t *json, file_t const *file) {
  char key[24];
  for (size_t n = 1; n < file->lines_cnt; n++) {
    if (!file->wanted[n]) continue;
    char const *line = file->text + file->lines[n - 1];
    size_t sz = file->lines[n] - file->lines[n - 1] - 1;
    if (sz && line[sz - 1] == '\r') sz--;
    snprintf(key, sizeof key, "%zu", n);
    vt_json_string_max(json, key, line, sz, LINE_MAX_);
  }
}

static char *pack(sources_t const *all) {
  char *text;
  size_t sz;
  FILE *out = open_memstream(&text, &sz);
  vt_json_t json = vt_json_start(out);
  vt_json_object_line(&json, NULL);
  for (size_t i = 0; i < all->files_cnt; i++) {
    file_t const *file = &all->files[i];
    if (!file->text || !memchr(file->wanted, 1, file->lines_cnt)) continue;
    vt_json_object(&json, vt_strings_get(all->tree->strings, file->name, NULL));
    vt_json_bool(&json, "changed", file->changed);
    vt_json_object(&json, "lines");
    write_lines(&json, file);
    vt_json_end_object(&json);
    vt_json_end_object(&json);
  }
  vt_json_end_object(&json);
  fclose(out);
  vt_page_pack_t bytes = {0};
  vt_page_put_bytes(&bytes, text, sz);
  char *packed = vt_page_packed(&bytes);
  free(bytes.bytes);
  free(text);
  return packed;
}

static char *pack_fitting(sources_t *all) {
  for (size_t cnt = all->ranked_cnt; cnt; cnt = cnt * 2 / 3) {
    want(all, cnt);
    char *packed = pack(all);
    if (strlen(packed) <= CHARS_MAX) return packed;
    free(packed);
  }
  return vt_mem_copy("", 0);
}

void vt_page_sources_write(vt_json_t *json, vt_page_tree_t const *tree, uint64_t started_unix_ns) {
  sources_t all = {.tree = tree,
                   .started_unix_ns = started_unix_ns,
                   .number_of = vt_mem_new(vt_strings_cnt(tree->strings) + 1, sizeof(uint32_t))};
  choose(&all);
  char *packed = pack_fitting(&all);
  vt_json_string(json, "sources", packed);
  free(packed);
  for (size_t i = 0; i < all.files_cnt; i++) {
    free(all.files[i].text);
    free(all.files[i].lines);
    free(all.files[i].wanted);
  }
  free(all.files);
  free(all.ranked);
  free(all.number_of);
}
