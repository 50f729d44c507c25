/* Where things are in each version's structures, from its headers: Include/cpython/pystate.h,
   code.h, frameobject.h and unicodeobject.h, Include/internal/pycore_frame.h and pycore_runtime.h. Checked against
   3.8.18, 3.9.2, 3.9.18, 3.10.13, 3.11.2, 3.11.7, 3.12.1, 3.13.0, 3.13.5 and 3.14.10. */
#include "core/trace/frames/python.h"
#include "valtrace/trace_format.h"

#include <stddef.h>
#include <string.h>

static vt_python_layout_t const layouts[] = {
    {.version = 0x0308,
     .chain = VT_PYTHON_FRAMES,
     .thread_frame = 24,
     .back = 24,
     .code = 32,
     .instr = 104,
     .owner = 72,
     .first_line = 40,
     .file = 104,
     .name = 112,
     .lines = 120,
     .code_sz = 176,
     .ascii = 48,
     .compact = 72,
     .finalizing = 16,
     .table = VT_LINES_LNOTAB},
    {.version = 0x0309,
     .chain = VT_PYTHON_FRAMES,
     .thread_frame = 24,
     .back = 24,
     .code = 32,
     .instr = 104,
     .owner = 72,
     .first_line = 40,
     .file = 104,
     .name = 112,
     .lines = 120,
     .code_sz = 176,
     .ascii = 48,
     .compact = 72,
     .finalizing = 16,
     .table = VT_LINES_LNOTAB},
    {.version = 0x030a,
     .chain = VT_PYTHON_FRAMES,
     .thread_frame = 24,
     .back = 24,
     .code = 32,
     .instr = 96,
     .owner = 80,
     .first_line = 40,
     .file = 104,
     .name = 112,
     .lines = 120,
     .code_sz = 176,
     .ascii = 48,
     .compact = 72,
     .finalizing = 16,
     .table = VT_LINES_RANGES},
    {.version = 0x030b,
     .chain = VT_PYTHON_CFRAMES,
     .thread_frame = 56,
     .root_cframe = 336,
     .cframe_current = 8,
     .cframe_previous = 16,
     .back = 48,
     .code = 32,
     .instr = 56,
     .owner = 69,
     .first_line = 72,
     .file = 112,
     .name = 120,
     .qualname = 128,
     .lines = 136,
     .instructions = 184,
     .code_sz = 184,
     .ascii = 48,
     .compact = 72,
     .finalizing = 24,
     .table = VT_LINES_LOCATIONS},
    {.version = 0x030c,
     .chain = VT_PYTHON_CFRAME_ENTRIES,
     .thread_frame = 56,
     .root_cframe = 272,
     .cframe_current = 0,
     .cframe_previous = 8,
     .back = 8,
     .code = 0,
     .instr = 56,
     .owner = 70,
     .first_line = 68,
     .file = 112,
     .name = 120,
     .qualname = 128,
     .lines = 136,
     .instructions = 192,
     .code_sz = 192,
     .ascii = 40,
     .compact = 56,
     .finalizing = 24,
     .table = VT_LINES_LOCATIONS},
    {.version = 0x030d,
     .chain = VT_PYTHON_ENTRIES,
     .thread_frame = 72,
     .back = 8,
     .code = 0,
     .instr = 56,
     .owner = 70,
     .first_line = 68,
     .file = 112,
     .name = 120,
     .qualname = 128,
     .lines = 136,
     .instructions = 200,
     .code_sz = 200,
     .ascii = 40,
     .compact = 56,
     .finalizing = 608,
     .own_thread = 22,
     .own_frame = 28,
     .own_code = 34,
     .table = VT_LINES_LOCATIONS},
    {.version = 0x030e,
     .chain = VT_PYTHON_ENTRIES,
     .thread_frame = 72,
     .back = 8,
     .code = 0,
     .instr = 56,
     .owner = 74,
     .first_line = 68,
     .file = 112,
     .name = 120,
     .qualname = 128,
     .lines = 136,
     .instructions = 208,
     .code_sz = 208,
     .ascii = 40,
     .compact = 56,
     .finalizing = 784,
     .own_thread = 25,
     .own_frame = 31,
     .own_code = 39,
     .table = VT_LINES_LOCATIONS},
};

/* Numbers of words behind the name; in the parts on threads, frames and code from a first one that differs. */
enum {
  OWN_FREE_THREADED = 1,
  OWN_FINALIZING = 3,
  OWN_FRAME_CODE = 1,
  OWN_FRAME_INSTR = 2,
  OWN_FRAME_OWNER = 4,
  OWN_CODE_NAME = 1,
  OWN_CODE_QUALNAME = 2,
  OWN_CODE_LINES = 3,
  OWN_CODE_FIRST_LINE = 4,
  OWN_CODE_INSTRUCTIONS = 8
};

char const *vt_python_layout_wrong(vt_python_layout_t const *l, uint64_t const *own) {
  uint64_t const *words = own + 1, *frame = words + l->own_frame, *code = words + l->own_code;
  if (!l->own_thread) return NULL;
  if (memcmp(own, "xdebugpy", 8)) return "it does not say how it is built";
  if (words[OWN_FREE_THREADED]) return "it is a free-threaded build";
  int as_known = words[OWN_FINALIZING] == l->finalizing && words[l->own_thread] == l->thread_frame &&
                 frame[0] == l->back && frame[OWN_FRAME_CODE] == l->code && frame[OWN_FRAME_INSTR] == l->instr &&
                 frame[OWN_FRAME_OWNER] == l->owner && code[0] == l->file && code[OWN_CODE_NAME] == l->name &&
                 code[OWN_CODE_QUALNAME] == l->qualname && code[OWN_CODE_LINES] == l->lines &&
                 code[OWN_CODE_FIRST_LINE] == l->first_line && code[OWN_CODE_INSTRUCTIONS] == l->instructions;
  return as_known ? NULL : "it is built unlike its version";
}

vt_python_layout_t const *vt_python_layout(uint32_t version, char const **why) {
  *why = "its version is not one whose frames are known (3.8 to 3.14)";
  /* 3.11.0 shows frames whose code is being freed (CPython issue 99729). */
  if (version >> 8 == 0x030b00) *why = "3.11.0 shows frames whose code is being freed";
  if (version >> 8 == 0x030b00) return NULL;
  for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++)
    if (layouts[i].version == version >> 16) return &layouts[i];
  return NULL;
}
