/* Finding the interpreter, and its end; see python.h. The walk is in python_walk.c. */
#include "core/trace/frames/python.h"
#include "core/trace/frames/codes.h"
#include "core/trace/object.h"
#include "core/trace/symbol.h"
#include "core/trace/unwind_impl.h"

#define TYPE_BASICSIZE 32 /* of a type object */

vt_python_t vt_python;
_Atomic uint32_t vt_python_ended;

static uint64_t symbol(struct link_map *from, char const *name) {
  return (uint64_t)vt_symbol_from(from, name, NULL);
}

/* number takes a number and what ends it from a text such as "3.9.18 (main, …". */
static uint32_t number(char const **text) {
  uint32_t n = 0;
  for (; **text >= '0' && **text <= '9'; ++*text) n = 10 * n + (uint32_t)(**text - '0');
  if (**text) ++*text;
  return n;
}

/* version_of is the version as the interpreter has it: 0x030b0200 for 3.11.2; 0: not known. */
static uint32_t version_of(struct link_map *from) {
  uint64_t word = symbol(from, "Py_Version");
  if (word) return (uint32_t)vt_load(word);
  char const *(*text_of)(void) = (char const *(*)(void))symbol(from, "Py_GetVersion");
  if (!text_of) return 0;
  char const *text = text_of();
  uint32_t major = number(&text), minor = number(&text);
  return major << 24 | minor << 16 | number(&text) << 8;
}

static int find_functions(vt_python_t *p, struct link_map *from) {
  uint64_t current = symbol(from, "PyThreadState_GetUnchecked");
  if (!current) current = symbol(from, "_PyThreadState_UncheckedGet");
  p->own = (uint64_t(*)(void))symbol(from, "PyGILState_GetThisThreadState");
  p->current = (uint64_t(*)(void))current;
  p->code_type = symbol(from, "PyCode_Type");
  p->text_type = symbol(from, "PyUnicode_Type");
  p->bytes_type = symbol(from, "PyBytes_Type");
  p->loop = symbol(from, "_PyEval_EvalFrameDefault");
  return p->own && current && p->code_type && p->text_type && p->bytes_type && p->loop;
}

int vt_python_find(struct link_map *first, char const **why) {
  vt_python_t p = {0};
  struct link_map *where = first;
  p.runtime = (uint64_t)vt_symbol_from(where, "_PyRuntime", &where);
  if (!p.runtime) return 0;
  p.layout = vt_python_layout(version_of(where), why);
  if (!p.layout) return -1;
  *why = "it does not export what its frames are found by";
  if (!find_functions(&p, where)) return -1;
  p.loop_end = p.loop + vt_symbol_size(where, "_PyEval_EvalFrameDefault");
  char const *wrong = vt_python_layout_wrong(p.layout, (uint64_t const *)p.runtime);
  if (wrong) return *why = wrong, -1;
  *why = "its code objects have another size than this version's";
  if (vt_load(p.code_type + TYPE_BASICSIZE) != p.layout->code_sz) return -1;
  *why = "no memory for the table of its code";
  if (vt_codes_init()) return -1;
  vt_python = p;
  return 1;
}

void vt_python_forget(void) {
  vt_python = (vt_python_t){0};
  vt_python_forget_places();
  vt_codes_forked();
  vt_python_forked();
}

int vt_python_ending_slow(void) {
  /* Threads that begin to read from here on see it, those that do are waited for. */
  if (atomic_exchange_explicit(&vt_python_ended, 1, memory_order_seq_cst)) return 0;
  vt_virtual_quiesce();
  return 1;
}

void vt_python_forked(void) { atomic_store_explicit(&vt_python_ended, 0, memory_order_relaxed); }
