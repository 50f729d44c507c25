/* What patched_keep.S and the C code share. */
#ifndef VT_PRELOAD_PATCHED_KEEP_H
#define VT_PRELOAD_PATCHED_KEEP_H

#define VT_KEEP_VOID 27 /* offset of kind.void_ in a descriptor */

#endif
