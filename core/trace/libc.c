/* See libc.h. */
#include "core/trace/libc.h"
#include "core/trace/symbol.h"

#include <stdlib.h>
#include <string.h>

extern __typeof(on_exit) on_exit __attribute__((weak));
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
                             void *library) __attribute__((weak));
extern int __cxa_atexit(void (*function)(void *), void *arg, void *library);

static void (*at_exit)(int known, int status);

static void told(int status, void *arg) {
  (void)arg;
  at_exit(1, status);
}

static void not_told(void *arg) {
  (void)arg;
  at_exit(0, 0);
}

void vt_libc_at_exit(void (*function)(int known, int status)) {
  at_exit = function;
  if (on_exit)
    on_exit(told, NULL);
  else
    __cxa_atexit(not_told, NULL, NULL);
}

void vt_libc_at_fork(void (*function)(void)) {
  int (*musls)(void (*)(void), void (*)(void), void (*)(void));
  if (__register_atfork) {
    __register_atfork(NULL, NULL, function, NULL);
    return;
  }
  void *p = vt_symbol_from(vt_object_first(), "pthread_atfork", NULL);
  memcpy(&musls, &p, sizeof p);
  if (musls) musls(NULL, NULL, function);
}
