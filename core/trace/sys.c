/* See sys.h. */
#include "core/trace/sys.h"

int vt_sys_future_locked;
