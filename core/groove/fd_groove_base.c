/* Texts of groove's error codes. */

#include "core/groove/fd_groove_private.h"

char const *
fd_groove_strerror( int err ) {
  switch( err ) {
  case FD_GROOVE_SUCCESS:     return "success";
  case FD_GROOVE_ERR_INVAL:   return "bad argument";
  case FD_GROOVE_ERR_AGAIN:   return "try again";
  case FD_GROOVE_ERR_CORRUPT: return "shared state is corrupt";
  case FD_GROOVE_ERR_EMPTY:   return "empty";
  case FD_GROOVE_ERR_FULL:    return "full";
  case FD_GROOVE_ERR_KEY:     return "no such key";
  default:                    return "unknown";
  }
}
