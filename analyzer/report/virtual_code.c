/* See virtual_code.h. The offset of a place is made of the number of the string "function, file" in the
   store and the line. */
#include "analyzer/report/virtual_code.h"
#include "analyzer/symbols/python_lines.h"
#include "analyzer/util/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BITS 24

char const *vt_virtual_language(uint64_t pc) {
  uint64_t language = pc >> VT_VIRTUAL_LANGUAGE_SHIFT & VT_VIRTUAL_LANGUAGE_MAX;
  return language == VT_LANGUAGE_PYTHON ? "Python" : "interpreted";
}

static uint32_t line_of(vt_trace_code_t const *code, uint64_t pc) {
  uint32_t position = (uint32_t)pc & VT_VIRTUAL_POSITION_MAX;
  if (!position) return code->first_line; /* its first instruction is still to come */
  return vt_python_line(code->table, code->first_line, code->lines, code->lines_sz, position - 1);
}

/* both interns two strings as one. */
static uint32_t both(vt_strings_t *strings, char const *a, char const *b) {
  size_t a_sz = strlen(a) + 1, b_sz = strlen(b) + 1;
  char *text = vt_mem_new(a_sz + b_sz, 1);
  memcpy(text, a, a_sz);
  memcpy(text + a_sz, b, b_sz);
  uint32_t id = vt_strings_intern(strings, text, a_sz + b_sz);
  free(text);
  return id;
}

vt_symbols_query_t vt_virtual_code(vt_symbols_t *store, vt_reader_t const *reader, uint64_t pc) {
  vt_strings_t *strings = vt_symbols_strings(store);
  vt_trace_code_t const *code = vt_reader_code(reader, pc);
  char const *function = code ? code->qualname : "";
  char unknown[64];
  uint32_t id = (uint32_t)(pc >> VT_VIRTUAL_CODE_SHIFT);
  if (!id) function = "[too deep: frames not recorded]";
  if (id && !function[0]) {
    snprintf(unknown, sizeof unknown, "[code %u]", id);
    function = unknown;
  }
  char const *file = code ? code->file : "";
  uint32_t line = code ? line_of(code, pc) : 0;
  vt_symbols_file_t module = {.path = vt_virtual_language(pc), .fd = -1};
  vt_symbols_query_t place = {
      .module = vt_symbols_module(store, &module),
      .offset = (uint64_t)both(strings, function, file) << LINE_BITS | (line & ((1u << LINE_BITS) - 1))};
  vt_frame_t frame = {vt_strings_intern_cstr(strings, function), vt_strings_intern_cstr(strings, file),
                      line, 0};
  vt_symbols_put(store, place.module, place.offset, &frame, 1);
  return place;
}

/* ---- the interpreter's own frames ---- */

struct vt_interpreter {
  vt_reader_t const *reader;
  uint8_t *inside;  /* by node: some caller is virtual */
  uint8_t *modules; /* by module of the trace: INTERPRETER if a loop is in it, or RECORDER */
};
enum { INTERPRETER = 1, RECORDER = 2 };

/* note_loop: the module of a native node directly inside of a virtual one is an interpreter. */
static void note_loop(vt_interpreter_t *i, uint32_t epoch, uint64_t pc) {
  uint32_t module = vt_reader_module_at(i->reader, epoch, pc - 1);
  if (module != VT_NO_MODULE) i->modules[module] |= INTERPRETER;
}

/* walk marks what is inside of virtual nodes; returns whether there are any. */
static int walk(vt_interpreter_t *i, vt_trace_stacks_t const *trie) {
  uint32_t *epoch = vt_mem_table(trie->cnt, sizeof *epoch);
  int any = 0;
  for (uint32_t id = 1; id < trie->cnt; id++) {
    uint32_t parent = trie->parent[id];
    if (!parent || parent >= id) {
      epoch[id] = (uint32_t)trie->pc[id];
      continue;
    }
    int below = trie->parent[parent] && vt_virtual_is(trie->pc[parent]);
    epoch[id] = epoch[parent];
    i->inside[id] = below || i->inside[parent];
    any |= vt_virtual_is(trie->pc[id]);
    if (below && !vt_virtual_is(trie->pc[id])) note_loop(i, epoch[id], trie->pc[id]);
  }
  vt_mem_table_free(epoch, trie->cnt, sizeof *epoch);
  return any;
}

static uint8_t kind_of(char const *path) {
  char const *slash = strrchr(path, '/');
  if (!strcmp(slash ? slash + 1 : path, "libvaltrace.so")) return RECORDER;
  return strstr(path, "/lib-dynload/") ? INTERPRETER : 0;
}

vt_interpreter_t *vt_interpreter_find(vt_reader_t const *reader) {
  size_t modules;
  vt_trace_stacks_t trie = vt_reader_stacks(reader);
  vt_interpreter_t *i = vt_mem_new(1, sizeof *i);
  vt_trace_module_t const *module = vt_reader_modules(reader, &modules);
  *i = (vt_interpreter_t){.reader = reader,
                          .inside = vt_mem_new((size_t)trie.cnt + 1, 1),
                          .modules = vt_mem_new(modules + 1, 1)};
  for (size_t m = 0; m < modules; m++) i->modules[m] = kind_of(module[m].path);
  if (walk(i, &trie)) return i;
  vt_interpreter_delete(i);
  return NULL;
}

void vt_interpreter_delete(vt_interpreter_t *interpreter) {
  if (!interpreter) return;
  free(interpreter->inside);
  free(interpreter->modules);
  free(interpreter);
}

int vt_interpreter_folds(vt_interpreter_t const *interpreter, uint32_t node, uint32_t epoch) {
  uint64_t pc = vt_reader_stacks(interpreter->reader).pc[node];
  if (vt_virtual_is(pc)) return 0;
  uint32_t module = vt_reader_module_at(interpreter->reader, epoch, pc - 1);
  if (module == VT_NO_MODULE) return 0;
  return interpreter->modules[module] & RECORDER || (interpreter->modules[module] && interpreter->inside[node]);
}
