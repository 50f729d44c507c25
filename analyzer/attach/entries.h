/* The patched entries of a process, as planned (core/trace/patch.h): are threads inside, and writing them. Nobody
   may run meanwhile. */
#ifndef VT_ANALYZER_ATTACH_ENTRIES_H
#define VT_ANALYZER_ATTACH_ENTRIES_H

#include "analyzer/attach/stop.h"
#include "analyzer/attach/target.h"
#include "analyzer/trace/bytes.h"
#include "core/trace/patch.h"

/* The answer is what vt_patch_tell gave; vt_entries_module is its first module, vt_entries_next the one behind. */
vt_patch_module_t *vt_entries_module(vt_bytes_t const *answer);
vt_patch_module_t *vt_entries_next(vt_patch_module_t *module);
vt_patch_function_t *vt_entries_functions(vt_patch_module_t *module);
uint32_t vt_entries_module_cnt(vt_bytes_t const *answer);

/* vt_entries_refuse leaves a module alone, and says why. */
void vt_entries_refuse(vt_patch_module_t *module, char const *why);

/* vt_entries_as_planned: are the bytes that are to be replaced those of the file? */
int vt_entries_as_planned(vt_target_t const *t, vt_patch_module_t *module);

/* vt_entries_place writes a module's copies and descriptors, whose hooks are the loader's at `code`. 0, or -1. */
int vt_entries_place(vt_target_t const *t, vt_patch_module_t *module, uint64_t code);

/* vt_entries_returned_to: does something on a stack say that its thread will come back into the middle of what is to
   be replaced? A signal handler's frame does. */
int vt_entries_returned_to(vt_target_t const *t, vt_stop_t const *stop, vt_space_t const *space,
                           vt_bytes_t const *answer);

/* vt_entries_move_out moves threads that stand in what is to be replaced to the same instruction of the copy. */
int vt_entries_move_out(vt_stop_t *stop, vt_bytes_t const *answer);

/* vt_entries_write makes the entries jumps, or (`back`) what they were. 0, or -1: something could not be
   written. */
int vt_entries_write(vt_target_t const *t, vt_bytes_t const *answer, int back);

#endif
