/* Code of interpreted languages as code of a module, so that all that looks at stacks sees it like any
   other: equal functions in the same file are the same code in every trace. */
#ifndef VT_ANALYZER_REPORT_VIRTUAL_CODE_H
#define VT_ANALYZER_REPORT_VIRTUAL_CODE_H

#include "analyzer/symbols/symbols.h"
#include "analyzer/trace/reader.h"

/* vt_virtual_is: is a recorded address a virtual one? */
static inline int vt_virtual_is(uint64_t pc) { return pc >> 63; }

/* vt_virtual_language is the name of the language of a virtual address, which serves as the path of its
   module; owned by nobody. */
char const *vt_virtual_language(uint64_t pc);

/* vt_virtual_code is the place of a virtual address of a trace in the store, which has its function,
   file and line from then on. */
vt_symbols_query_t vt_virtual_code(vt_symbols_t *store, vt_reader_t const *reader, uint64_t pc);

/* Which native frames are the interpreter's: those of the module that its loop is in, inside of code that
   it runs, and of the extension modules that come with Python (lib-dynload). The loop is what stands directly
   inside of virtual frames. */
typedef struct vt_interpreter vt_interpreter_t;

/* vt_interpreter_find looks through the stacks of a trace; NULL: no interpreter was seen at work. The result
   is for these stacks: not for nodes that are added later. */
vt_interpreter_t *vt_interpreter_find(vt_reader_t const *reader);
void vt_interpreter_delete(vt_interpreter_t *interpreter);

/* vt_interpreter_folds: is a node of the trace's stacks, in that epoch, such a frame? */
int vt_interpreter_folds(vt_interpreter_t const *interpreter, uint32_t node, uint32_t epoch);

#endif
