/* Where things are in each version's structures, from its headers: Include/cpython/pystate.h,
   code.h and unicodeobject.h, Include/internal/pycore_frame.h and pycore_runtime.h. Checked against
   3.8.18, 3.9.18, 3.10.13, 3.11.2, 3.11.7, 3.12.1 and 3.13.0. */
#include "core/trace/frames/python.h"
#include "valtrace/trace_format.h"

#include <stddef.h>

static vt_python_layout_t const layouts[] = {
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
     .table = VT_LINES_LOCATIONS},
};

vt_python_layout_t const *vt_python_layout(uint32_t version, char const **why) {
  *why = "its version is not one whose frames are known (3.11 to 3.13)";
  /* 3.11.0 shows frames whose code is being freed (CPython issue 99729). */
  if (version >> 8 == 0x030b00) *why = "3.11.0 shows frames whose code is being freed";
  if (version >> 8 == 0x030b00) return NULL;
  for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++)
    if (layouts[i].version == version >> 16) return &layouts[i];
  return NULL;
}
