#ifndef CORE_UTIL_LOG_PRIVATE_H
#define CORE_UTIL_LOG_PRIVATE_H

/* What the parts of the log module share: configured names and ids, and the level thresholds. */

#include "fd/util/log/fd_log.h"

typedef struct {
  ulong app_id;
  ulong thread_id0; /* of the booter */
  ulong host_id;
  char app[FD_LOG_NAME_MAX];
  char thread[FD_LOG_NAME_MAX]; /* of the booter, "" for the default */
  char host[FD_LOG_NAME_MAX];
  char cpu[FD_LOG_NAME_MAX];
  char group[FD_LOG_NAME_MAX];
  char user[FD_LOG_NAME_MAX];
} fd_log_identity_t;

extern fd_log_identity_t fd_log_private_identity;

typedef struct {
  int dedup;
  int backtrace;
  int colorize;
  int level_logfile;
  int level_stderr;
  int level_flush;
  int level_core;
} fd_log_config_t;

extern fd_log_config_t fd_log_private_config;

/* Reads the identity options; not thread safe. */
void fd_log_private_identity_boot(int * pargc, char *** pargv);

#endif
