/* The service that tells traced processes how to patch what preloading does not reach in them. */
#ifndef VT_ANALYZER_PATCH_SERVICE_H
#define VT_ANALYZER_PATCH_SERVICE_H

#include <sys/types.h>
#include "analyzer/patch/plan.h"
#include "analyzer/trace/bytes.h"

/* vt_patch_serve answers who connects to the listening socket (see core/trace/patch.h), in threads of
   its own, as long as the process lives: processes of the same user, or anybody's if this is root.
   Plans are kept for files that are met again. The givens must stay. Returns 0 or an errno value. */
int vt_patch_serve(int socket, vt_patch_givens_t const *givens);

/* vt_patch_tell appends what process `pid` is told that asks for this: vt_patch_answer_t and the modules. givens,
   if not NULL, hold from now on. */
void vt_patch_tell(vt_bytes_t *out, pid_t pid, vt_patch_request_t const *request,
                   vt_patch_givens_t const *givens);

/* vt_patch_givens_parse reads NAME[@ADDRESS],… for the program at `path`, which may not be found then.
   Returns NULL, or the part that makes no sense (malloc'ed). */
char *vt_patch_givens_parse(vt_patch_givens_t *givens, char const *text, char const *path);

#endif
