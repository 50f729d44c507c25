/* The store of frames and the batch interface over worker processes. */
#include "analyzer/symbols/symbols.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "analyzer/symbols/debuginfod.h"
#include "analyzer/symbols/workers.h"
#include "analyzer/util/mem.h"

#define ITEM_MAX                                                                                   \
  2048         /* addresses in one piece of work: small enough to share between two cores          \
                */
#define FDS_END 256
#define FEW 64 /* so few addresses are not worth a second process */

typedef struct {
  vt_symbols_file_t file; /* strings are those of the store */
  vt_symbols_problem_t problem;
  uint32_t missing; /* string: a file that would help */
  int asked;        /* servers were, or need not be */
} module_t;

typedef struct {
  uint64_t offset;
  uint32_t module; /* + 1; 0 is a free slot */
  uint32_t frames_cnt;
  size_t first;
} slot_t;

struct vt_symbols {
  vt_symbols_search_t search;
  vt_strings_t *strings;
  module_t *modules;
  size_t modules_cnt, modules_cap;
  uint32_t *module_of; /* by string that is a module's key: its number + 1 */
  size_t module_of_cnt, module_of_cap;
  int fds_end; /* descriptors from here on are not kept: others need some, too */
  vt_frame_t *frames;
  size_t frames_cnt, frames_cap;
  slot_t *slots;
  size_t slots_used, slot_mask;
};

vt_symbols_t *vt_symbols_new(void) {
  vt_symbols_t *symbols = vt_mem_new(1, sizeof *symbols);
  struct rlimit limit;
  symbols->strings = vt_strings_new();
  symbols->fds_end = getrlimit(RLIMIT_NOFILE, &limit) ? FDS_END : (int)(limit.rlim_cur / 2);
  symbols->slot_mask = 1023;
  symbols->slots = vt_mem_new(1024, sizeof *symbols->slots);
  return symbols;
}

void vt_symbols_search(vt_symbols_t *symbols, vt_symbols_search_t const *search) {
  symbols->search = *search;
}

void vt_symbols_delete(vt_symbols_t *symbols) {
  if (!symbols) return;
  for (size_t i = 0; i < symbols->modules_cnt; i++)
    if (symbols->modules[i].file.fd >= 0) close(symbols->modules[i].file.fd);
  vt_strings_delete(symbols->strings);
  free(symbols->modules);
  free(symbols->module_of);
  free(symbols->frames);
  free(symbols->slots);
  free(symbols);
}

vt_strings_t *vt_symbols_strings(vt_symbols_t *symbols) { return symbols->strings; }

/* key_of is what makes two modules one: the build-id, or path and file. */
static uint32_t key_of(vt_symbols_t *symbols, vt_symbols_file_t const *file) {
  if (file->build_id_sz)
    return vt_strings_intern(symbols->strings, file->build_id, file->build_id_sz);
  uint64_t const words[] = {file->device, file->inode, file->size, file->mtime_ns};
  size_t sz = strlen(file->path);
  char *key = vt_mem_new(sizeof words + sz, 1);
  memcpy(key, words, sizeof words);
  memcpy(key + sizeof words, file->path, sz);
  uint32_t string = vt_strings_intern(symbols->strings, key, sizeof words + sz);
  free(key);
  return string;
}

/* keep_fd lets a known module have a descriptor if it has none; at most half of what there may be. */
static void keep_fd(vt_symbols_t const *symbols, module_t *module, int fd) {
  if (fd < 0) return;
  if (module->file.fd >= 0 || fd >= symbols->fds_end)
    close(fd);
  else
    module->file.fd = fd;
}

static uint32_t add_module(vt_symbols_t *symbols, vt_symbols_file_t const *file) {
  module_t module = {.file = *file};
  vt_strings_t *strings = symbols->strings;
  module.file.fd = -1;
  module.file.path = vt_strings_get(strings, vt_strings_intern_cstr(strings, file->path), NULL);
  uint32_t id = vt_strings_intern(strings, file->build_id, file->build_id_sz);
  module.file.build_id = vt_strings_get(strings, id, NULL);
  VT_PUSH(symbols->modules, module);
  return (uint32_t)symbols->modules_cnt;
}

uint32_t vt_symbols_module(vt_symbols_t *symbols, vt_symbols_file_t const *file) {
  uint32_t key = key_of(symbols, file);
  while (symbols->module_of_cnt <= key) VT_PUSH(symbols->module_of, 0);
  if (!symbols->module_of[key]) symbols->module_of[key] = add_module(symbols, file);
  uint32_t number = symbols->module_of[key] - 1;
  keep_fd(symbols, &symbols->modules[number], file->fd);
  return number;
}

char const *vt_symbols_path(vt_symbols_t const *symbols, uint32_t module) {
  return module < symbols->modules_cnt ? symbols->modules[module].file.path : NULL;
}

vt_symbols_problem_t vt_symbols_problem(vt_symbols_t const *symbols, uint32_t module,
                                        char const **missing) {
  uint32_t string = module < symbols->modules_cnt ? symbols->modules[module].missing : 0;
  *missing = vt_strings_get(symbols->strings, string, NULL);
  return module < symbols->modules_cnt ? symbols->modules[module].problem : VT_SYMBOLS_FINE;
}

static slot_t *find_slot(vt_symbols_t const *symbols, uint32_t module, uint64_t offset) {
  uint64_t hash = (offset ^ ((uint64_t)module << 40)) * 0x9e3779b97f4a7c15u;
  size_t at = (hash >> 20) & symbols->slot_mask;
  for (;; at = (at + 1) & symbols->slot_mask) {
    slot_t *slot = &symbols->slots[at];
    if (!slot->module || (slot->module == module + 1 && slot->offset == offset)) return slot;
  }
}

static void grow_slots(vt_symbols_t *symbols) {
  slot_t *old = symbols->slots;
  size_t old_cnt = symbols->slot_mask + 1;
  symbols->slot_mask = 2 * old_cnt - 1;
  symbols->slots = vt_mem_new(2 * old_cnt, sizeof *old);
  for (size_t i = 0; i < old_cnt; i++)
    if (old[i].module) *find_slot(symbols, old[i].module - 1, old[i].offset) = old[i];
  free(old);
}

void vt_symbols_put(vt_symbols_t *symbols, uint32_t module, uint64_t offset,
                    vt_frame_t const *frames, size_t cnt) {
  slot_t *slot = find_slot(symbols, module, offset);
  if (slot->module && slot->frames_cnt) return;
  if (!slot->module) symbols->slots_used++;
  *slot = (slot_t){offset, module + 1, (uint32_t)cnt, symbols->frames_cnt};
  for (size_t i = 0; i < cnt; i++) VT_PUSH(symbols->frames, frames[i]);
  if (2 * symbols->slots_used > symbols->slot_mask) grow_slots(symbols);
}

size_t vt_symbols_frames(vt_symbols_t const *symbols, uint32_t module, uint64_t offset,
                         vt_frame_t const **frames) {
  slot_t const *slot = find_slot(symbols, module, offset);
  if (slot->module && slot->frames_cnt) *frames = symbols->frames + slot->first;
  return slot->module ? slot->frames_cnt : 0;
}

int vt_symbols_has(vt_symbols_t const *symbols, uint32_t module, uint64_t offset) {
  return find_slot(symbols, module, offset)->module != 0;
}

/* ---- batches ---- */

typedef struct {
  vt_symbols_t *symbols;
  uint32_t *item_modules;
} batch_t;

static int compare_queries(void const *a, void const *b) {
  vt_symbols_query_t const *x = a, *y = b;
  if (x->module != y->module) return x->module < y->module ? -1 : 1;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* The queries still unknown, sorted, each once. */
static size_t unknown_queries(vt_symbols_t const *symbols, vt_symbols_query_t const *queries,
                              size_t cnt, vt_symbols_query_t *out) {
  size_t used = 0, kept = 0;
  for (size_t i = 0; i < cnt; i++)
    if (queries[i].module < symbols->modules_cnt &&
        !vt_symbols_has(symbols, queries[i].module, queries[i].offset))
      out[used++] = queries[i];
  qsort(out, used, sizeof *out, compare_queries);
  for (size_t i = 0; i < used; i++)
    if (!kept || compare_queries(&out[kept - 1], &out[i])) out[kept++] = out[i];
  return kept;
}

static void keep_frames(void *context, size_t item, uint64_t offset, vt_frame_t const *frames,
                        size_t cnt) {
  batch_t *batch = context;
  vt_symbols_put(batch->symbols, batch->item_modules[item], offset, frames, cnt);
}

/* Cuts sorted queries into items of one module each; fills batch->item_modules. */
static vt_worker_item_t *make_items(batch_t *batch, vt_symbols_query_t const *queries, size_t cnt,
                                    uint64_t *offsets, size_t *item_cnt) {
  vt_worker_item_t *items = vt_mem_new(cnt, sizeof *items);
  batch->item_modules = vt_mem_new(cnt, sizeof *batch->item_modules);
  size_t used = 0;
  for (size_t i = 0; i < cnt; i++) {
    offsets[i] = queries[i].offset;
    int fits = used && batch->item_modules[used - 1] == queries[i].module &&
               items[used - 1].offsets_cnt < ITEM_MAX;
    if (!fits) {
      batch->item_modules[used] = queries[i].module;
      items[used++] = (vt_worker_item_t){.file = batch->symbols->modules[queries[i].module].file,
                                         .offsets = &offsets[i]};
    }
    items[used - 1].offsets_cnt++;
  }
  *item_cnt = used;
  return items;
}

static int processes_for(size_t addresses) {
  return addresses <= FEW ? 1 : (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static int any_broke(vt_worker_item_t const *items, size_t cnt) {
  for (size_t i = 0; i < cnt; i++)
    if (items[i].result == VT_WORKER_BROKE) return 1;
  return 0;
}

/* The package that the .dwo files of a module went into, if there is one: 0, "": there is none. */
static uint32_t package_of(vt_symbols_t *symbols, char const *path) {
  char package[PATH_MAX];
  int n = snprintf(package, sizeof package, "%s.dwp", path);
  if (n >= (int)sizeof package || access(package, R_OK)) return 0;
  return vt_strings_intern_cstr(symbols->strings, package);
}

/* The rest of such a module has its names. */
static void note_missing(batch_t *batch, vt_worker_item_t const *item, uint32_t number) {
  module_t *module = &batch->symbols->modules[number];
  if (!item->missing || module->missing) return;
  uint32_t package = package_of(batch->symbols, module->file.path);
  module->missing = package ? package : item->missing;
  module->problem = package ? VT_SYMBOLS_DWP : VT_SYMBOLS_NO_DWO;
}

/* Modules of undone items are counted and their addresses stored as unknown. */
static size_t give_up(batch_t *batch, vt_worker_item_t const *items, size_t cnt) {
  size_t modules = 0;
  uint32_t last = UINT32_MAX;
  for (size_t i = 0; i < cnt; i++) {
    if (items[i].result == VT_WORKER_DONE) {
      note_missing(batch, &items[i], batch->item_modules[i]);
      continue;
    }
    modules += batch->item_modules[i] != last;
    last = batch->item_modules[i];
    batch->symbols->modules[last].problem =
        items[i].result == VT_WORKER_BROKE ? VT_SYMBOLS_DAMAGED : items[i].problem;
    for (size_t k = 0; k < items[i].offsets_cnt; k++)
      vt_symbols_put(batch->symbols, last, items[i].offsets[k], NULL, 0);
  }
  return modules;
}

/* Items that only open the files of modules servers may know; item_modules says whose. */
static size_t probe_items(vt_symbols_t *symbols, vt_symbols_query_t const *queries, size_t cnt,
                          vt_worker_item_t *items, uint32_t *item_modules) {
  size_t used = 0;
  for (size_t i = 0; i < cnt; i++) {
    module_t *module = &symbols->modules[queries[i].module];
    if (module->asked || !module->file.build_id_sz) continue;
    module->asked = 1;
    item_modules[used] = queries[i].module;
    items[used++] = (vt_worker_item_t){.file = module->file};
  }
  return used;
}

static void fetch_some(vt_symbols_t *symbols, vt_worker_item_t const *items, size_t cnt,
                       uint32_t const *item_modules) {
  vt_debuginfod_file_t *files = vt_mem_new(cnt, sizeof *files);
  uint32_t *modules = vt_mem_new(cnt, sizeof *modules);
  size_t used = 0;
  for (size_t i = 0; i < cnt; i++) {
    if (items[i].has_dwarf) continue;
    modules[used] = item_modules[i];
    files[used++] = (vt_debuginfod_file_t){items[i].file.build_id, items[i].file.build_id_sz, NULL};
  }
  vt_debuginfod_fetch(files, used);
  for (size_t i = 0; i < used; i++) {
    uint32_t path = files[i].path ? vt_strings_intern_cstr(symbols->strings, files[i].path) : 0;
    if (path) symbols->modules[modules[i]].file.debug_file = vt_strings_get(symbols->strings, path, NULL);
    free(files[i].path);
  }
  free(files);
  free(modules);
}

/* ask_servers gets the debug information of modules that have none here. */
static void ask_servers(vt_symbols_t *symbols, vt_symbols_query_t const *queries, size_t cnt) {
  if (!symbols->search.debuginfod || !vt_debuginfod_wanted()) return;
  vt_worker_item_t *items = vt_mem_new(cnt, sizeof *items);
  uint32_t *item_modules = vt_mem_new(cnt, sizeof *item_modules);
  size_t used = probe_items(symbols, queries, cnt, items, item_modules);
  vt_workers_run(items, used, &(vt_workers_how_t){1, processes_for(used), symbols->search.folder},
                 symbols->strings, NULL, NULL);
  fetch_some(symbols, items, used, item_modules);
  free(items);
  free(item_modules);
}

size_t vt_symbols_resolve(vt_symbols_t *symbols, vt_symbols_query_t const *queries, size_t cnt) {
  vt_symbols_query_t *unknown = vt_mem_new(cnt ? cnt : 1, sizeof *unknown);
  size_t unknown_cnt = unknown_queries(symbols, queries, cnt, unknown), item_cnt, failed = 0;
  if (unknown_cnt) {
    batch_t batch = {.symbols = symbols};
    char const *folder = symbols->search.folder;
    ask_servers(symbols, unknown, unknown_cnt);
    uint64_t *offsets = vt_mem_new(unknown_cnt, sizeof *offsets);
    vt_worker_item_t *items = make_items(&batch, unknown, unknown_cnt, offsets, &item_cnt);
    vt_workers_run(items, item_cnt, &(vt_workers_how_t){1, processes_for(unknown_cnt), folder},
                   symbols->strings, keep_frames, &batch);
    if (any_broke(items, item_cnt)) /* perhaps it is their DWARF */
      vt_workers_run(items, item_cnt, &(vt_workers_how_t){0, 1, folder}, symbols->strings,
                     keep_frames, &batch);
    failed = give_up(&batch, items, item_cnt);
    free(items);
    free(offsets);
    free(batch.item_modules);
  }
  free(unknown);
  return failed;
}
