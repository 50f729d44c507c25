/* Two views of one environment: what the program sees, and what a program that it starts needs to be
   recorded.

   Under `valtrace run` the program sees none of it: its `environ` is from the start an array without the
   shim in LD_PRELOAD and without the VALTRACE_… variables, and the functions that start programs put them
   back (exec.c, shell.c). The array and the strings that the kernel made stay as they are: run-times that
   find their way past libc (Go) go on from there, to the auxiliary vector too, and pass on what they see.

   With a bare LD_PRELOAD nothing is hidden, and where a program passes our variables on but not the shim in
   LD_PRELOAD, that is its wish. */
#ifndef VT_PRELOAD_ENVIRONMENT_H
#define VT_PRELOAD_ENVIRONMENT_H

#include <stddef.h>

/* vt_environment_conceal gives the program its view; at start, after the options have been read. */
void vt_environment_conceal(void);

/* vt_environment_forked: only this thread has gone on in the child. */
void vt_environment_forked(void);

/* vt_environment_follows: are programs that this one starts to be recorded? */
int vt_environment_follows(void);

/* How a new program is started. */
typedef enum {
  VT_START_BESIDE,   /* beside this image, which goes on */
  VT_START_REPLACES, /* in its place: it is told of whom */
  VT_START_ALONE     /* without the shim, which cannot be loaded there */
} vt_start_t;

/* vt_environment_for is the environment for a new program that is given `env`; written to `out` and `text`,
   of as many bytes as the macros tell, where it differs. Allocates nothing and changes nothing that a vfork
   child shares with its parent. */
char *const *vt_environment_for(char *const *env, char **out, char *text, vt_start_t how);
size_t vt_environment_pointers_sz(char *const *env);
size_t vt_environment_text_sz(char *const *env);

/* VT_ENVIRONMENT_FOR is that on the caller's stack. */
#define VT_ENVIRONMENT_FOR(env, how)                                                               \
  vt_environment_for(env, alloca(vt_environment_pointers_sz(env)),                                 \
                     alloca(vt_environment_text_sz(env)), how)

/* vt_environment_reveal makes `environ` what a new program needs, for a function of libc that starts one
   with it; vt_environment_cover ends that. They nest, and threads share one such time, in which the program
   sees what else is hidden. What it changes meanwhile is kept. Not async-signal-safe, as those functions. */
void vt_environment_reveal(vt_start_t how);
void vt_environment_cover(void);

#endif
