#ifndef HEADER_fd_src_util_pod_fd_pod_h
#define HEADER_fd_src_util_pod_fd_pod_h

/* A pod: cstrs by path in one relocatable piece of memory, such as the positions of an
   application's objects in its workspaces (see fd_wksp_pod_map).  Paths are unique, compared
   bytewise and kept in the order of insertion; nothing is ever moved or removed.  Any number of
   readers is fine, a writer needs the pod for itself.  Nothing here logs. */

#include "../fd_util_base.h"

#define FD_POD_ALIGN         (8UL)
#define FD_POD_FOOTPRINT_MIN (24UL) /* of a pod that holds nothing */

/* Bytes an entry takes, for dimensioning: its path, its cstr, their terminators and a header. */
#define FD_POD_ENTRY_FOOTPRINT(path_len, cstr_len) (10UL + (ulong)(path_len) + (ulong)(cstr_len))

FD_PROTOTYPES_BEGIN

/* fd_pod_new formats max bytes of caller-owned memory and returns them; NULL if shmem is NULL or
   misaligned or max is too small.  A join is a pointer to the pod; join and delete return NULL for
   NULL, misaligned or no pod, leave for NULL.  A deleted pod cannot be joined. */
void * fd_pod_new(void * shmem, ulong max);
uchar * fd_pod_join(void * shpod);
void * fd_pod_leave(uchar const * pod);
void * fd_pod_delete(void * shpod);

/* Copies cstr into the pod under path.  1 if done; 0 if there is no room, path is there already or
   an argument is NULL. */
int fd_pod_insert_cstr(uchar * pod, char const * path, char const * cstr);

/* The cstr at path, which lives in the pod; def if there is none or an argument is NULL. */
char const * fd_pod_query_cstr(uchar const * pod, char const * path, char const * def);

FD_PROTOTYPES_END

#endif
