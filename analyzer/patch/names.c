/* See names.h. The C functions are those of the C library and of jemalloc's and mimalloc's own
   interfaces (jemalloc(3), mimalloc.h); prefixes are those by which allocators are linked in beside
   another: _rjem_ (Rust's jemalloc), je_, mi_ and tc_. C++ names are those of the Itanium ABI. */
#include "analyzer/patch/names.h"
#include "valtrace/trace_format.h"

#include <string.h>

#define NO VT_PATCH_NONE

typedef struct {
  char const *name;
  uint8_t shape, api, block, size, count, align, flags, zeroed;
  uint16_t aligned;
} known_t;

#define PAGE 4096
#define A(name, api, ...)  {name, VT_SHAPE_ALLOC, VT_API_##api, NO, __VA_ARGS__}
#define R(name, api, ...)  {name, VT_SHAPE_REALLOC, VT_API_##api, __VA_ARGS__}
#define F(name, api, block) {name, VT_SHAPE_FREE, VT_API_##api, block, NO, NO, NO, NO, 0, 0}

/* Behind the api: block (not of an allocation), size, count, align, flags, zeroed, aligned. */
static known_t const functions[] = {
    A("malloc", MALLOC, 0, NO, NO, NO, 0, 0),
    A("calloc", CALLOC, 1, 0, NO, NO, 1, 0),
    R("realloc", REALLOC, 0, 1, NO, NO, NO, 0, 0),
    R("reallocarray", REALLOCARRAY, 0, 2, 1, NO, NO, 0, 0),
    F("free", FREE, 0),
    F("cfree", FREE, 0),
    F("free_sized", FREE_SIZED, 0),
    F("free_aligned_sized", FREE_SIZED, 0),
    A("aligned_alloc", ALIGNED_ALLOC, 1, NO, 0, NO, 0, 0),
    A("memalign", MEMALIGN, 1, NO, 0, NO, 0, 0),
    A("valloc", VALLOC, 0, NO, NO, NO, 0, PAGE),
    A("pvalloc", PVALLOC, 0, NO, NO, NO, 0, PAGE),
    {"posix_memalign", VT_SHAPE_MEMALIGN, VT_API_POSIX_MEMALIGN, NO, 2, NO, 1, NO, 0, 0},
    A("mallocx", MALLOC, 0, NO, NO, 1, 0, 0),
    R("rallocx", REALLOC, 0, 1, NO, NO, 2, 0, 0),
    F("dallocx", FREE, 0),
    F("sdallocx", FREE, 0),
};

/* Of mimalloc alone, behind "mi_". */
static known_t const mimalloc[] = {
    A("zalloc", CALLOC, 0, NO, NO, NO, 1, 0),
    A("mallocn", CALLOC, 1, 0, NO, NO, 0, 0),
    A("malloc_small", MALLOC, 0, NO, NO, NO, 0, 0),
    A("zalloc_small", CALLOC, 0, NO, NO, NO, 1, 0),
    A("malloc_aligned", ALIGNED_ALLOC, 0, NO, 1, NO, 0, 0),
    A("zalloc_aligned", ALIGNED_ALLOC, 0, NO, 1, NO, 1, 0),
    A("calloc_aligned", ALIGNED_ALLOC, 1, 0, 2, NO, 1, 0),
    A("malloc_aligned_at", ALIGNED_ALLOC, 0, NO, 1, NO, 0, 0),
    A("zalloc_aligned_at", ALIGNED_ALLOC, 0, NO, 1, NO, 1, 0),
    A("calloc_aligned_at", ALIGNED_ALLOC, 1, 0, 2, NO, 1, 0),
    R("reallocn", REALLOC, 0, 2, 1, NO, NO, 0, 0),
    R("reallocf", REALLOC, 0, 1, NO, NO, NO, 0, 0),
    R("rezalloc", REALLOC, 0, 1, NO, NO, NO, 0, 0),
    R("recalloc", REALLOC, 0, 2, 1, NO, NO, 0, 0),
    R("realloc_aligned", REALLOC, 0, 1, NO, 2, NO, 0, 0),
    R("rezalloc_aligned", REALLOC, 0, 1, NO, 2, NO, 0, 0),
    R("recalloc_aligned", REALLOC, 0, 2, 1, 3, NO, 0, 0),
    R("realloc_aligned_at", REALLOC, 0, 1, NO, 2, NO, 0, 0),
    A("heap_malloc", MALLOC, 1, NO, NO, NO, 0, 0),
    A("heap_zalloc", CALLOC, 1, NO, NO, NO, 1, 0),
    A("heap_calloc", CALLOC, 2, 1, NO, NO, 1, 0),
    A("heap_mallocn", CALLOC, 2, 1, NO, NO, 0, 0),
    A("heap_malloc_small", MALLOC, 1, NO, NO, NO, 0, 0),
    A("heap_malloc_aligned", ALIGNED_ALLOC, 1, NO, 2, NO, 0, 0),
    A("heap_zalloc_aligned", ALIGNED_ALLOC, 1, NO, 2, NO, 1, 0),
    A("heap_calloc_aligned", ALIGNED_ALLOC, 2, 1, 3, NO, 1, 0),
    R("heap_realloc", REALLOC, 1, 2, NO, NO, NO, 0, 0),
    R("heap_reallocn", REALLOC, 1, 3, 2, NO, NO, 0, 0),
    R("heap_rezalloc", REALLOC, 1, 2, NO, NO, NO, 0, 0),
    R("heap_recalloc", REALLOC, 1, 3, 2, NO, NO, 0, 0),
    R("heap_realloc_aligned", REALLOC, 1, 2, NO, 3, NO, 0, 0),
    F("free_size", FREE_SIZED, 0),
    F("free_aligned", FREE, 0),
    F("free_size_aligned", FREE_SIZED, 0),
    {"new", VT_SHAPE_NEW, VT_API_MALLOC, NO, 0, NO, NO, NO, 0, 0},
    {"new_nothrow", VT_SHAPE_NEW, VT_API_MALLOC, NO, 0, NO, NO, NO, 0, 0},
    {"new_aligned", VT_SHAPE_NEW, VT_API_MALLOC, NO, 0, NO, 1, NO, 0, 0},
    {"new_aligned_nothrow", VT_SHAPE_NEW, VT_API_MALLOC, NO, 0, NO, 1, NO, 0, 0},
    {"new_n", VT_SHAPE_NEW, VT_API_MALLOC, NO, 1, 0, NO, NO, 0, 0},
};

/* Of tcmalloc alone, behind "tc_": operator new and delete by names of C. */
#define N(name, api, align) {name, VT_SHAPE_NEW, VT_API_##api, NO, 0, NO, align, NO, 0, 0}
#define D(name, api, align) {name, VT_SHAPE_DELETE, VT_API_##api, 0, NO, NO, align, NO, 0, 0}
static known_t const tcmalloc[] = {
    N("new", NEW, NO),
    N("new_nothrow", NEW, NO),
    N("new_aligned", NEW, 1),
    N("new_aligned_nothrow", NEW, 1),
    N("newarray", NEW_ARRAY, NO),
    N("newarray_nothrow", NEW_ARRAY, NO),
    N("newarray_aligned", NEW_ARRAY, 1),
    N("newarray_aligned_nothrow", NEW_ARRAY, 1),
    D("delete", DELETE, NO),
    D("delete_nothrow", DELETE, NO),
    D("delete_sized", DELETE, NO),
    D("delete_aligned", DELETE, 1),
    D("delete_sized_aligned", DELETE, 2),
    D("delete_aligned_nothrow", DELETE, 1),
    D("deletearray", DELETE_ARRAY, NO),
    D("deletearray_nothrow", DELETE_ARRAY, NO),
    D("deletearray_sized", DELETE_ARRAY, NO),
    D("deletearray_aligned", DELETE_ARRAY, 1),
    D("deletearray_sized_aligned", DELETE_ARRAY, 2),
    D("deletearray_aligned_nothrow", DELETE_ARRAY, 1),
};

static known_t const operators[] = {
    N("_Znwm", NEW, NO),
    N("_Znam", NEW_ARRAY, NO),
    N("_ZnwmRKSt9nothrow_t", NEW, NO),
    N("_ZnamRKSt9nothrow_t", NEW_ARRAY, NO),
    N("_ZnwmSt11align_val_t", NEW, 1),
    N("_ZnamSt11align_val_t", NEW_ARRAY, 1),
    N("_ZnwmSt11align_val_tRKSt9nothrow_t", NEW, 1),
    N("_ZnamSt11align_val_tRKSt9nothrow_t", NEW_ARRAY, 1),
    D("_ZdlPv", DELETE, NO),
    D("_ZdaPv", DELETE_ARRAY, NO),
    D("_ZdlPvm", DELETE, NO),
    D("_ZdaPvm", DELETE_ARRAY, NO),
    D("_ZdlPvRKSt9nothrow_t", DELETE, NO),
    D("_ZdaPvRKSt9nothrow_t", DELETE_ARRAY, NO),
    D("_ZdlPvSt11align_val_t", DELETE, 1),
    D("_ZdaPvSt11align_val_t", DELETE_ARRAY, 1),
    D("_ZdlPvmSt11align_val_t", DELETE, 2),
    D("_ZdaPvmSt11align_val_t", DELETE_ARRAY, 2),
    D("_ZdlPvSt11align_val_tRKSt9nothrow_t", DELETE, 1),
    D("_ZdaPvSt11align_val_tRKSt9nothrow_t", DELETE_ARRAY, 1),
};

#define CNT(table) (sizeof table / sizeof table[0])

static known_t const *in(known_t const *table, size_t cnt, char const *name) {
  for (size_t i = 0; i < cnt; i++)
    if (table[i].name[0] == name[0] && !strcmp(table[i].name, name)) return &table[i]; /* a program has many names */
  return NULL;
}

static int fill(vt_patch_name_t *out, known_t const *k, char const *family, size_t family_sz) {
  if (!k || family_sz >= sizeof out->family) return -1;
  *out = (vt_patch_name_t){.kind = {.shape = k->shape,
                                    .api = k->api,
                                    .block = k->block,
                                    .size = k->size,
                                    .count = k->count,
                                    .align = k->align,
                                    .flags = k->flags,
                                    .zeroed = k->zeroed,
                                    .aligned = k->aligned,
                                    .void_ = k->shape == VT_SHAPE_FREE || k->shape == VT_SHAPE_DELETE}};
  memcpy(out->family, family, family_sz);
  out->allocates = !strcmp(k->name, "malloc") || !strcmp(k->name, "mallocx") || k->shape == VT_SHAPE_NEW;
  out->frees = !strcmp(k->name, "free") || !strcmp(k->name, "sdallocx") || k->shape == VT_SHAPE_DELETE;
  return 0;
}

/* by_suffix takes the longest known name that the symbol ends in. */
static int by_suffix(char const *symbol, vt_patch_name_t *out) {
  size_t len = strlen(symbol);
  for (size_t at = 0; at < len; at++) {
    known_t const *k = in(functions, CNT(functions), symbol + at);
    if (k) return fill(out, k, symbol, at);
  }
  return -1;
}

int vt_patch_name_find(char const *symbol, int given, vt_patch_name_t *out) {
  static char const *const prefixes[] = {"", "_rjem_", "je_", "mi_", "tc_"};
  for (size_t i = 0; i < CNT(prefixes); i++) {
    size_t len = strlen(prefixes[i]);
    known_t const *k = strncmp(symbol, prefixes[i], len) ? NULL : in(functions, CNT(functions), symbol + len);
    if (k) return fill(out, k, prefixes[i], len);
  }
  if (!strncmp(symbol, "_Z", 2)) return fill(out, in(operators, CNT(operators), symbol), "new", 3);
  if (!strncmp(symbol, "mi_", 3) && !fill(out, in(mimalloc, CNT(mimalloc), symbol + 3), "mi_", 3)) return 0;
  if (!strncmp(symbol, "tc_", 3) && !fill(out, in(tcmalloc, CNT(tcmalloc), symbol + 3), "tc_", 3)) return 0;
  return given ? by_suffix(symbol, out) : -1;
}
