/* Objects named by pods: a pod in a workspace tells where an application's objects are.  Meant for
   the start of a program, so what cannot be found ends it. */

#include "fd/util/log/fd_log.h"
#include "fd/util/pod/fd_pod.h"
#include "fd/util/wksp/fd_wksp.h"

uchar const *fd_wksp_pod_attach(char const *cstr) {
  void *shpod = fd_wksp_map(cstr); /* logs what is wrong with it */
  if (FD_UNLIKELY(!shpod)) FD_LOG_ERR(("no pod at %s", cstr ? cstr : "(null)"));
  uchar const *pod = fd_pod_join(shpod);
  if (FD_UNLIKELY(!pod)) FD_LOG_ERR(("what is at %s is no pod", cstr));
  return pod;
}

void fd_wksp_pod_detach(uchar const *pod) {
  if (FD_UNLIKELY(!fd_wksp_containing(pod))) FD_LOG_ERR(("not a pod in a wksp"));
  fd_wksp_unmap(fd_pod_leave(pod));
}

void *fd_wksp_pod_map(uchar const *pod, char const *path) {
  char const *cstr = fd_pod_query_cstr(pod, path, NULL);
  if (FD_UNLIKELY(!cstr)) FD_LOG_ERR(("no %s in the pod", path ? path : "(null)"));
  void *obj = fd_wksp_map(cstr);
  if (FD_UNLIKELY(!obj)) FD_LOG_ERR(("%s of the pod is not to be found at %s", path, cstr));
  return obj;
}

void fd_wksp_pod_unmap(void *obj) {
  if (FD_UNLIKELY(!fd_wksp_containing(obj))) FD_LOG_ERR(("not an object in a wksp"));
  fd_wksp_unmap(obj);
}
