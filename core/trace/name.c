/* See name.h. The shim uses this too: nothing here may allocate or call stdio. */
#include "core/trace/name.h"

#include <string.h>

typedef struct {
  char *out;
  size_t cap;
  size_t len;
  int overflow;
} text_t;

static void put(text_t *t, char const *s, size_t n) {
  if (t->overflow || n >= t->cap - t->len) {
    t->overflow = 1;
    return;
  }
  memcpy(t->out + t->len, s, n);
  t->len += n;
  t->out[t->len] = '\0';
}

static void put_number(text_t *t, uint32_t v) {
  char digits[10];
  size_t n = 0;
  do {
    digits[sizeof digits - ++n] = (char)('0' + v % 10);
    v /= 10;
  } while (v);
  put(t, digits + sizeof digits - n, n);
}

static char const *last_component(char const *path) {
  char const *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* put_program writes the last component of a path as part of a file's name: not hidden, without control
   characters, and not long. */
static void put_program(text_t *t, char const *path) {
  char const *name = last_component(path);
  int leading = 1;
  for (size_t i = 0; name[i] && i < VT_NAME_PROGRAM_MAX; i++) {
    leading &= name[i] == '.';
    put(t, leading || (unsigned char)name[i] < 0x20 || name[i] == 0x7f ? "_" : &name[i], 1);
  }
}

static int finish(text_t const *t) { return t->overflow ? -1 : (int)t->len; }

int vt_name_expand(char *out, size_t cap, char const *pattern, uint32_t pid, char const *program,
                   char const *host) {
  text_t t = {.out = out, .cap = cap};
  for (char const *p = pattern; *p; p++) {
    char c = *p == '%' ? p[1] : '\0';
    if (c == 'p')
      put_number(&t, pid);
    else if (c == 'n')
      put_program(&t, program);
    else if (c == 'h')
      put(&t, host, strlen(host));
    else if (c == '%')
      put(&t, "%", 1);
    else {
      put(&t, p, 1);
      continue;
    }
    p++;
  }
  return finish(&t);
}

int vt_name_has_pid(char const *pattern) {
  for (char const *p = pattern; *p; p++) {
    if (*p != '%' || !p[1]) continue;
    if (*++p == 'p') return 1;
  }
  return 0;
}

int vt_name_numbered(char *out, size_t cap, char const *name, uint32_t pid, uint32_t n) {
  text_t t = {.out = out, .cap = cap};
  char const *dot = strrchr(last_component(name), '.');
  if (!dot || dot == last_component(name)) dot = name + strlen(name);
  put(&t, name, (size_t)(dot - name));
  put(&t, ".", 1);
  put_number(&t, pid);
  put(&t, ".", 1);
  put_number(&t, n);
  put(&t, dot, strlen(dot));
  return finish(&t);
}
