/* Where commands write: every file that is made or replaced is made and replaced here.

   A reading command writes under a temporary name in the target's folder and renames when it is
   whole, so that a failure leaves what was there. A trace that is being recorded has its final name
   from its first byte, so that it can be found when everything is killed. A symbolic link is
   resolved once and its target replaced, but only a link of the caller's or root's: in a shared
   folder anybody can lay one. Devices and pipes are written into and never replaced. One output at
   a time; not thread safe. */
#ifndef VT_ANALYZER_UTIL_OUTPUT_H
#define VT_ANALYZER_UTIL_OUTPUT_H

#include <limits.h>
#include <stdio.h>
#include <sys/types.h>
#include "analyzer/cli/error.h"

/* What is written: a stream of bytes, a database (needs a file), a trace (needs one that only its
   owner reads). */
typedef enum { VT_OUTPUT_STREAM, VT_OUTPUT_DATABASE, VT_OUTPUT_TRACE } vt_output_use_t;

typedef struct {
  char target[PATH_MAX];         /* the file to be made or replaced, links resolved */
  char temporary[PATH_MAX + 32]; /* what is written meanwhile; "": target itself, a device or pipe */
  int fd;
} vt_output_t;

/* vt_output_open opens `path` for writing, as its use says. Missing folders of a trace are made; a
   file that is replaced hands on its permissions. Returns 0, or -1 and *error. On success
   vt_output_close must be called; a signal that ends the process removes the temporary file. */
int vt_output_open(vt_output_t *output, char const *path, vt_output_use_t use, vt_error_t *error);

/* vt_output_path is the file to write to by name: not that of a device. Owned by the output. */
char const *vt_output_path(vt_output_t const *output);

/* vt_output_stream is a stream with a descriptor of its own; NULL without descriptors or memory. */
FILE *vt_output_stream(vt_output_t const *output);

/* vt_output_close gives the file its name if it is whole, else removes it. Returns 0; or -1 when it
   was not whole, or could not get its name (then *error is filled). */
int vt_output_close(vt_output_t *output, int whole, vt_error_t *error);

/* vt_output_resolve copies the name of the file that `path` leads to: of its target when it is a
   link. It need not exist. Returns 0, or -1 and *error for what no trace can be written to: folders,
   devices, pipes, links of others. */
int vt_output_resolve(char const *path, char target[PATH_MAX], vt_error_t *error);

/* vt_output_trace makes a trace to be recorded: a regular file of that name is removed, missing folders
   are made. `target` is a resolved name. Returns a descriptor (close-on-exec), or -1 and *error. */
int vt_output_trace(char const *target, vt_error_t *error);

/* vt_output_prepare makes the folder of `path` and tells whether files can be made in it, and one that is
   there be removed. Returns 0, or -1 and *error. */
int vt_output_prepare(char const *path, vt_error_t *error);

#endif
