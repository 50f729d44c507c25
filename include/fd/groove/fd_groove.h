#ifndef FD_GROOVE_FD_GROOVE_H
#define FD_GROOVE_FD_GROOVE_H

/* groove: a lock-free allocator of tagged objects from 1 GiB volumes that processes share. */

#include "../util/fd_util.h"
#include "fd_groove_base.h"
#include "fd_groove_volume.h"
#include "fd_groove_data.h"

#endif
