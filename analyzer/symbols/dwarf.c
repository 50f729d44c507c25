/* Functions, inlined calls and source lines from DWARF, by libdw.

   libdw's own scope search walks a compilation unit from its start for every address. Here a unit
   is walked once, when the first address falls into it, into a sorted table of its functions; an
   address then costs a binary search and a walk down one function. */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/symbols/elf_file.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/search.h"

/* Nesting of namespaces and of inlined calls that is followed; deeper only occurs in made-up files.
 */
#define DEPTH_MAX VT_ELF_FRAMES_MAX
#define DIES_MAX  4000000 /* siblings looked at in one list: a loop in a damaged file ends here */

typedef struct {
  uint64_t start, end, max_end; /* max_end: highest end up to here, in order of start */
  uint32_t unit;                /* ranges of units: which */
  Dwarf_Die die;                /* ranges of functions: its entry */
} range_t;

typedef struct {
  range_t *ranges;
  size_t ranges_cnt, ranges_cap;
} ranges_t;

typedef struct {
  Dwarf_Die line_die;  /* has the line table */
  Dwarf_Die scope_die; /* has the functions (another one with split DWARF) */
  ranges_t functions;
  int walked, walked_deep;
  char const *dwo; /* split DWARF: the name of the file that has the functions and is not there */
} unit_t;

struct vt_dwarf {
  Dwarf *dwarf;
  Dwarf_Addr bias;
  unit_t *units;
  size_t units_cnt, units_cap;
  ranges_t unit_ranges;
  vt_strings_t *strings;
  uint32_t missing; /* string, since vt_dwarf_set_strings */
  struct {
    char const *raw;
    uint32_t index;
  } names[1024]; /* demangled before, by address of the mangled name */
};

static int compare_ranges(void const *a, void const *b) {
  range_t const *x = a, *y = b;
  if (x->start != y->start) return x->start < y->start ? -1 : 1;
  return x->end > y->end ? -1 : x->end < y->end;
}

static void sort_ranges(ranges_t *set) {
  if (set->ranges_cnt) qsort(set->ranges, set->ranges_cnt, sizeof *set->ranges, compare_ranges);
  uint64_t max_end = 0;
  for (size_t i = 0; i < set->ranges_cnt; i++) {
    if (set->ranges[i].end > max_end) max_end = set->ranges[i].end;
    set->ranges[i].max_end = max_end;
  }
}

/* The range with the highest start that contains the address. */
static range_t *find_range(ranges_t const *set, uint64_t address) {
  size_t lo = VT_FIRST_NOT(set->ranges_cnt, i, set->ranges[i].start <= address);
  while (lo-- && set->ranges[lo].max_end > address)
    if (set->ranges[lo].end > address) return &set->ranges[lo];
  return NULL;
}

static void add_ranges(ranges_t *set, Dwarf_Die *die, uint32_t unit) {
  Dwarf_Addr base = 0, start = 0, end = 0;
  ptrdiff_t at = 0;
  for (int i = 0; i < DIES_MAX && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0; i++) {
    if (start >= end || !start) continue; /* functions the linker dropped */
    range_t range = {.start = start, .end = end, .unit = unit, .die = *die};
    VT_PUSH(set->ranges, range);
  }
}

static char const *dwo_name(Dwarf_Die *die) {
  Dwarf_Attribute attr;
  if (!dwarf_attr(die, DW_AT_dwo_name, &attr) && !dwarf_attr(die, DW_AT_GNU_dwo_name, &attr))
    return NULL;
  return dwarf_formstring(&attr);
}

static void add_units(struct vt_dwarf *dwarf) {
  Dwarf_CU *cu = NULL;
  Dwarf_Die cu_die, sub_die;
  for (int i = 0; i < DIES_MAX; i++) {
    memset(&sub_die, 0, sizeof sub_die);
    if (dwarf_get_units(dwarf->dwarf, cu, &cu, NULL, NULL, &cu_die, &sub_die)) return;
    int tag = dwarf_tag(&cu_die);
    if (tag != DW_TAG_compile_unit && tag != DW_TAG_skeleton_unit) continue;
    unit_t unit = {.line_die = cu_die, .scope_die = sub_die.addr ? sub_die : cu_die};
    if (!sub_die.addr) unit.dwo = dwo_name(&cu_die);
    add_ranges(&dwarf->unit_ranges, &cu_die, (uint32_t)dwarf->units_cnt);
    VT_PUSH(dwarf->units, unit);
  }
}

struct vt_dwarf *vt_dwarf_new(Dwfl_Module *module, vt_strings_t *strings) {
  Dwarf_Addr bias;
  Dwarf *handle = dwfl_module_getdwarf(module, &bias);
  if (!handle) return NULL;
  struct vt_dwarf *dwarf = vt_mem_new(1, sizeof *dwarf);
  dwarf->dwarf = handle;
  dwarf->bias = bias;
  dwarf->strings = strings;
  add_units(dwarf);
  sort_ranges(&dwarf->unit_ranges);
  if (dwarf->units_cnt) return dwarf;
  vt_dwarf_delete(dwarf);
  return NULL;
}

void vt_dwarf_delete(struct vt_dwarf *dwarf) {
  if (!dwarf) return;
  for (size_t i = 0; i < dwarf->units_cnt; i++) free(dwarf->units[i].functions.ranges);
  free(dwarf->units);
  free(dwarf->unit_ranges.ranges);
  free(dwarf);
}

void vt_dwarf_set_strings(struct vt_dwarf *dwarf, vt_strings_t *strings) {
  dwarf->strings = strings;
  dwarf->missing = 0;
  memset(dwarf->names, 0, sizeof dwarf->names);
}

/* Functions with code stand at the top of a unit or in namespaces (Rust's too); classes only hold
   declarations. Deep: also in functions and their blocks. */
static void walk_functions(ranges_t *functions, Dwarf_Die *parent, int depth, int deep) {
  Dwarf_Die die;
  if (depth >= DEPTH_MAX || dwarf_child(parent, &die)) return;
  for (int i = 0; i < DIES_MAX; i++) {
    int tag = dwarf_tag(&die);
    if (tag == DW_TAG_subprogram) add_ranges(functions, &die, 0);
    if (tag == DW_TAG_namespace || tag == DW_TAG_module ||
        (deep && (tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block)))
      walk_functions(functions, &die, depth + 1, deep);
    if (dwarf_siblingof(&die, &die)) return;
  }
}

static unit_t *unit_at(struct vt_dwarf *dwarf, uint64_t address) {
  range_t *range = find_range(&dwarf->unit_ranges, address);
  if (!range) return NULL;
  unit_t *unit = &dwarf->units[range->unit];
  if (!unit->walked) {
    unit->walked = 1;
    walk_functions(&unit->functions, &unit->scope_die, 0, 0);
    sort_ranges(&unit->functions);
  }
  return unit;
}

/* function_at walks deep only when the address is in no function yet: languages with functions in
   functions (Fortran, Ada, GNU C) put the code of the inner one elsewhere. */
static range_t *function_at(unit_t *unit, uint64_t address) {
  range_t *function = find_range(&unit->functions, address);
  if (function || unit->walked_deep) return function;
  unit->walked_deep = 1;
  unit->functions.ranges_cnt = 0;
  walk_functions(&unit->functions, &unit->scope_die, 0, 1);
  sort_ranges(&unit->functions);
  return find_range(&unit->functions, address);
}

static char const *linkage_name(Dwarf_Die *die) {
  Dwarf_Attribute attr;
  if (!dwarf_attr_integrate(die, DW_AT_linkage_name, &attr) &&
      !dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attr))
    return NULL;
  return dwarf_formstring(&attr);
}

static uint32_t function_name(struct vt_dwarf *dwarf, Dwarf_Die *die, int *qualified) {
  char const *raw = linkage_name(die);
  *qualified = raw != NULL;
  if (!raw) raw = dwarf_diename(die);
  if (!raw) return 0;
  size_t slot = ((uintptr_t)raw * 0x9e3779b97f4a7c15u) >> 54;
  if (dwarf->names[slot].raw != raw) {
    dwarf->names[slot].raw = raw;
    dwarf->names[slot].index = vt_demangle_intern(dwarf->strings, raw);
  }
  return dwarf->names[slot].index;
}

/* Removes "." and "name/.." components so that one file has one name. A leading "." stays: it says
   that the path is relative to a folder nobody recorded. */
static size_t normalize_path(char *path) {
  char *out = path;
  for (char const *in = path; *in;) {
    if (in[0] == '/' && in[1] == '/')
      in++;
    else if (in[0] == '/' && in[1] == '.' && (in[2] == '/' || !in[2]))
      in += 2;
    else if (!strncmp(in, "/..", 3) && (in[3] == '/' || !in[3]) && out > path && out[-1] != '.') {
      while (out > path && *--out != '/') continue;
      in += 3;
    } else
      *out++ = *in++;
  }
  *out = 0;
  return (size_t)(out - path);
}

/* The path, behind the unit's folder when it is relative, in memory of its own. */
static char *join_path(unit_t *unit, char const *path) {
  Dwarf_Attribute attr;
  char const *folder = NULL;
  if (path[0] != '/' && dwarf_attr(&unit->line_die, DW_AT_comp_dir, &attr))
    folder = dwarf_formstring(&attr);
  char *joined = NULL;
  if (!folder) return vt_mem_copy(path, strlen(path));
  if (asprintf(&joined, "%s/%s", folder, path) < 0) return vt_mem_copy(path, strlen(path));
  return joined;
}

static uint32_t intern_path(struct vt_dwarf *dwarf, unit_t *unit, char const *path) {
  if (!path) return 0;
  size_t slot = ((uintptr_t)path * 0x9e3779b97f4a7c15u) >> 54;
  if (dwarf->names[slot].raw == path) return dwarf->names[slot].index;
  char *joined = join_path(unit, path);
  uint32_t index = vt_strings_intern(dwarf->strings, joined, normalize_path(joined));
  free(joined);
  dwarf->names[slot].raw = path;
  dwarf->names[slot].index = index;
  return index;
}

static void set_line(struct vt_dwarf *dwarf, unit_t *unit, uint64_t address, vt_frame_t *frame) {
  Dwarf_Line *line = dwarf_getsrc_die(&unit->line_die, address);
  int number = 0;
  if (!line || dwarf_lineno(line, &number)) return;
  frame->file = intern_path(dwarf, unit, dwarf_linesrc(line, NULL, NULL));
  frame->line = number > 0 ? (uint32_t)number : 0;
}

static void set_call_site(struct vt_dwarf *dwarf, unit_t *unit, Dwarf_Die *inlined,
                          vt_frame_t *frame) {
  Dwarf_Attribute attr;
  Dwarf_Word value;
  Dwarf_Files *files;
  if (dwarf_attr(inlined, DW_AT_call_file, &attr) && !dwarf_formudata(&attr, &value) &&
      !dwarf_getsrcfiles(&unit->line_die, &files, NULL))
    frame->file = intern_path(dwarf, unit, dwarf_filesrc(files, value, NULL, NULL));
  if (dwarf_attr(inlined, DW_AT_call_line, &attr) && !dwarf_formudata(&attr, &value))
    frame->line = (uint32_t)value;
}

/* The child scope of *die that contains address, or 0. Lexical blocks are scopes on the way. */
static int child_scope(Dwarf_Die *die, uint64_t address, Dwarf_Die *child) {
  if (dwarf_child(die, child)) return 0;
  for (int i = 0; i < DIES_MAX; i++) {
    int tag = dwarf_tag(child);
    int scope = tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
                tag == DW_TAG_try_block || tag == DW_TAG_catch_block || tag == DW_TAG_subprogram;
    if (scope && dwarf_haspc(child, address) > 0) return 1;
    if (dwarf_siblingof(child, child)) return 0;
  }
  return 0;
}

/* Function scopes around the address, outermost (a real function) first. */
static size_t function_scopes(range_t *function, uint64_t address, Dwarf_Die *scopes) {
  size_t cnt = 0;
  Dwarf_Die die = function->die, child;
  scopes[cnt++] = die;
  for (int depth = 0; depth < 4 * DEPTH_MAX && child_scope(&die, address, &child); depth++) {
    int tag = dwarf_tag(&child);
    if (tag == DW_TAG_subprogram) cnt = 0;
    if ((tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine) && cnt < VT_ELF_FRAMES_MAX)
      scopes[cnt++] = child;
    die = child;
  }
  return cnt;
}

uint32_t vt_dwarf_missing(struct vt_dwarf const *dwarf) { return dwarf->missing; }

size_t vt_dwarf_lookup(struct vt_dwarf *dwarf, uint64_t offset, vt_frame_t *frames,
                       int *qualified) {
  *qualified = 0;
  uint64_t address = offset - dwarf->bias;
  unit_t *unit = unit_at(dwarf, address);
  if (!unit) return 0;
  if (unit->dwo && !dwarf->missing) dwarf->missing = intern_path(dwarf, unit, unit->dwo);
  Dwarf_Die scopes[VT_ELF_FRAMES_MAX];
  range_t *function = function_at(unit, address);
  size_t cnt = function ? function_scopes(function, address, scopes) : 1;
  frames[0] = (vt_frame_t){0};
  set_line(dwarf, unit, address, &frames[0]);
  if (!function) return frames[0].line ? 1 : 0;
  for (size_t i = 0; i < cnt; i++) {
    Dwarf_Die *scope = &scopes[cnt - 1 - i];
    frames[i].function = function_name(dwarf, scope, qualified);
    frames[i].inlined = i + 1 < cnt;
    if (i + 1 == cnt) break;
    frames[i + 1] = (vt_frame_t){0};
    set_call_site(dwarf, unit, scope, &frames[i + 1]);
  }
  return cnt;
}
