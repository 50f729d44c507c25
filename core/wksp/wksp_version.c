/* Checkpoint, restore and print for those who name the version of the file themselves: thin forms of
   the public calls that refuse a file of another version before anything is touched. */

#include "fd/util/log/fd_log.h"
#include "fd/util/wksp/fd_wksp_private.h"

int fd_wksp_private_checkpt_v1(fd_tpool_t *tpool, ulong t0, ulong t1, fd_wksp_t *wksp,
                               char const *path, ulong mode, char const *uinfo) {
  int style = FD_WKSP_CHECKPT_STYLE_V1;
  return fd_wksp_checkpt_tpool(tpool, t0, t1, wksp, path, mode, style, uinfo);
}

int fd_wksp_private_checkpt_v2(fd_tpool_t *tpool, ulong t0, ulong t1, fd_wksp_t *wksp,
                               char const *path, ulong mode, char const *uinfo,
                               int frame_style_compressed) {
  int style = -1; /* which the call below refuses */
  if (frame_style_compressed == FD_CHECKPT_FRAME_STYLE_RAW) style = FD_WKSP_CHECKPT_STYLE_V2;
  if (frame_style_compressed == FD_CHECKPT_FRAME_STYLE_LZ4) style = FD_WKSP_CHECKPT_STYLE_V3;
  return fd_wksp_checkpt_tpool(tpool, t0, t1, wksp, path, mode, style, uinfo);
}

/* 1 (logs) iff path is a checkpoint, but not of this version; what else is wrong with it is for the
   call that reads it to tell.  Preview says 2 for both styles of version 2. */
static int is_other_version(char const *path, int version) {
  fd_wksp_preview_t preview;
  if (fd_wksp_preview(path, &preview) || preview.style == version) return 0;
  FD_LOG_WARNING(("wksp checkpoint %s: version %i, not %i", path, preview.style, version));
  return 1;
}

int fd_wksp_private_restore_v1(fd_tpool_t *tpool, ulong t0, ulong t1, fd_wksp_t *wksp,
                               char const *path, uint seed) {
  if (FD_UNLIKELY(is_other_version(path, 1))) return FD_WKSP_ERR_FAIL;
  return fd_wksp_restore_tpool(tpool, t0, t1, wksp, path, seed);
}

int fd_wksp_private_restore_v2(fd_tpool_t *tpool, ulong t0, ulong t1, fd_wksp_t *wksp,
                               char const *path, uint seed) {
  if (FD_UNLIKELY(is_other_version(path, 2))) return FD_WKSP_ERR_FAIL;
  return fd_wksp_restore_tpool(tpool, t0, t1, wksp, path, seed);
}

int fd_wksp_private_printf_v1(int fd, char const *path, int verbose) {
  return FD_UNLIKELY(is_other_version(path, 1)) ? -1 : fd_wksp_printf(fd, path, verbose);
}

int fd_wksp_private_printf_v2(int fd, char const *path, int verbose) {
  return FD_UNLIKELY(is_other_version(path, 2)) ? -1 : fd_wksp_printf(fd, path, verbose);
}
