/* Functions inside the executable that its dynamic symbol table does not tell of: its file's symbol table
   does, unless that was stripped. */
#ifndef VT_CORE_TRACE_STATIC_SYMBOL_H
#define VT_CORE_TRACE_STATIC_SYMBOL_H

/* vt_static_new: does the file behind fd, a C++ program, define an operator new that is not the C++
   runtime's own, linked statically? 0 also where that cannot be told. To be called at start: it maps the
   file's tables for a moment. The descriptor's position stays. */
int vt_static_new(int fd);

#endif
