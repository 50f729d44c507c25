/* Parsing and printing of C strings (see fd_cstr.h).  Numbers are printed backwards from the end of
   their field, which gives justification and padding for free. */

#include "fd/util/cstr/fd_cstr.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

char const * fd_cstr_to_cstr(char const * cstr) { return cstr; }
char fd_cstr_to_char(char const * cstr) { return (char)(cstr ? cstr[0] : '\0'); }
long fd_cstr_to_long(char const * cstr) { return cstr ? strtol(cstr, NULL, 0) : 0L; }
ulong fd_cstr_to_ulong(char const * cstr) { return cstr ? strtoul(cstr, NULL, 0) : 0UL; }
schar fd_cstr_to_schar(char const * cstr) { return (schar)fd_cstr_to_long(cstr); }
short fd_cstr_to_short(char const * cstr) { return (short)fd_cstr_to_long(cstr); }
int fd_cstr_to_int(char const * cstr) { return (int)fd_cstr_to_long(cstr); }
uchar fd_cstr_to_uchar(char const * cstr) { return (uchar)fd_cstr_to_ulong(cstr); }
ushort fd_cstr_to_ushort(char const * cstr) { return (ushort)fd_cstr_to_ulong(cstr); }
uint fd_cstr_to_uint(char const * cstr) { return (uint)fd_cstr_to_ulong(cstr); }
float fd_cstr_to_float(char const * cstr) { return cstr ? strtof(cstr, NULL) : 0.f; }
#if FD_HAS_DOUBLE
double fd_cstr_to_double(char const * cstr) { return cstr ? strtod(cstr, NULL) : 0.; }
#endif
ulong fd_cstr_to_ulong_octal(char const * cstr) { return cstr ? strtoul(cstr, NULL, 8) : 0UL; }

static char const * skip_blanks(char const * p) {
  while (isspace((uchar)*p)) p++;
  return p;
}

/* One number of a sequence, whatever strtoul takes for one; NULL if there is none, else what follows
   it and its blanks. */
static char const * seq_number(char const * p, ulong * x) {
  char * end;
  *x = strtoul(p, &end, 0);
  return end == p ? NULL : skip_blanks(end);
}

/* One item of a sequence as [lo,hi] with a stride; NULL if malformed, else what follows it. */
static char const * seq_item(char const * p, ulong * lo, ulong * hi, ulong * stride) {
  *stride = 1UL;
  p = seq_number(p, lo);
  *hi = *lo;
  if (!p || *p != '-') return p;
  p = seq_number(p + 1, hi);
  if (p && (*p == '/' || *p == ':')) p = seq_number(p + 1, stride);
  return *hi < *lo || !*stride ? NULL : p;
}

ulong fd_cstr_to_ulong_seq(char const * cstr, ulong * seq, ulong max) {
  ulong cnt = 0UL;
  if (!cstr) return 0UL;
  for (char const * p = cstr;;) {
    ulong lo, hi, stride;
    p = seq_item(p, &lo, &hi, &stride);
    if (!p || (*p && *p != ',')) return 0UL;
    ulong steps = (hi - lo) / stride;
    if (steps >= ULONG_MAX - cnt) return 0UL;
    for (ulong i = 0UL; i <= steps && cnt + i < max; i++) seq[cnt + i] = lo + i * stride;
    cnt += steps + 1UL;
    if (*p) p = skip_blanks(p + 1);
    if (!*p) return cnt;
  }
}

ulong fd_cstr_hash_append(ulong hash, char const * cstr) {
  if (!cstr) return hash;
  for (; *cstr; cstr++) hash = (hash * 33UL) ^ (ulong)(uchar)*cstr;
  return hash;
}

ulong fd_cstr_hash(char const * cstr) { return fd_cstr_hash_append(5381UL, cstr); }

int fd_cstr_casecmp(char const * a, char const * b) { return strcasecmp(a, b); }
ulong fd_cstr_nlen(char const * s, ulong max) { return s ? strnlen(s, max) : 0UL; }

char * fd_cstr_ncpy(char * d, char const * s, ulong m) {
  if (!m) return d;
  ulong len = fd_cstr_nlen(s, m - 1UL);
  fd_memcpy(d, s, len);
  memset(d + len, 0, m - len);
  return d;
}

/* Prints, terminates and measures; 1 iff all of it fit. */
__attribute__((format(printf, 4, 0))) static int print(char * buf, ulong sz, ulong * opt_len,
                                                       char const * fmt, va_list args) {
  int want = buf && sz ? vsnprintf(buf, sz, fmt, args) : -1;
  ulong len = want < 0 ? 0UL : fd_ulong_min((ulong)want, sz - 1UL);
  if (buf && sz) buf[len] = '\0';
  if (opt_len) *opt_len = len;
  return want >= 0 && (ulong)want < sz;
}

char * fd_cstr_printf(char * buf, ulong sz, ulong * opt_len, char const * fmt, ...) {
  va_list args;
  va_start(args, fmt);
  print(buf, sz, opt_len, fmt, args);
  va_end(args);
  return buf;
}

int fd_cstr_printf_check(char * buf, ulong sz, ulong * opt_len, char const * fmt, ...) {
  va_list args;
  va_start(args, fmt);
  int fits = print(buf, sz, opt_len, fmt, args);
  va_end(args);
  return fits;
}

char * fd_cstr_append_printf(char * p, char const * fmt, ...) {
  va_list args;
  va_start(args, fmt);
  int len = vsprintf(p, fmt, args);
  va_end(args);
  return p + (len > 0 ? len : 0);
}

char * fd_cstr_append_utf8(char * p, uint c) {
  if (c > 0x10ffffU || (c >= 0xd800U && c < 0xe000U)) c = 0xfffdU;
  if (c < 0x80U) return fd_cstr_append_char(p, (char)c);
  int more = c < 0x800U ? 1 : c < 0x10000U ? 2 : 3;
  *p++ = (char)(((0xff00U >> (more + 1)) & 0xffU) | (c >> (6 * more)));
  while (more--) *p++ = (char)(0x80U | ((c >> (6 * more)) & 0x3fU));
  return p;
}

/* Fills [p,q) with the prefix and the padding, q being where the digits begin. */
static void pad(char * p, char * q, char ws, char pm) {
  if (q > p && pm) *--q = pm;
  while (q > p) *--q = ws;
}

char * fd_cstr_append_ulong_as_text(char * p, char ws, char pm, ulong x, ulong n) {
  char * q = p + n;
  do {
    if (q == p) break;
    *--q = (char)('0' + x % 10UL);
    x /= 10UL;
  } while (x);
  pad(p, q, ws, pm);
  return p + n;
}

char * fd_cstr_append_uchar_as_text(char * p, char ws, char pm, uchar x, ulong n) {
  return fd_cstr_append_ulong_as_text(p, ws, pm, (ulong)x, n);
}

char * fd_cstr_append_ushort_as_text(char * p, char ws, char pm, ushort x, ulong n) {
  return fd_cstr_append_ulong_as_text(p, ws, pm, (ulong)x, n);
}

char * fd_cstr_append_uint_as_text(char * p, char ws, char pm, uint x, ulong n) {
  return fd_cstr_append_ulong_as_text(p, ws, pm, (ulong)x, n);
}

#if FD_HAS_INT128
char * fd_cstr_append_uint128_as_text(char * p, char ws, char pm, uint128 x, ulong n) {
  char * q = p + n;
  do {
    if (q == p) break;
    *--q = (char)('0' + (int)(x % 10U));
    x /= 10U;
  } while (x);
  pad(p, q, ws, pm);
  return p + n;
}
#endif

char * fd_cstr_append_ulong_as_hex(char * p, char ws, ulong x, ulong n) {
  char * q = p + n;
  do {
    if (q == p) break;
    *--q = "0123456789abcdef"[x & 15UL];
    x >>= 4;
  } while (x);
  pad(p, q, ws, '\0');
  return p + n;
}

char * fd_cstr_append_uint_as_hex(char * p, char ws, uint x, ulong n) {
  return fd_cstr_append_ulong_as_hex(p, ws, (ulong)x, n);
}

char * fd_cstr_append_fxp10_as_text(char * p, char ws, char pm, ulong f, ulong x, ulong n) {
  char * q = p + n;
  for (ulong i = 0UL; i < f && q > p; i++) {
    *--q = (char)('0' + x % 10UL);
    x /= 10UL;
  }
  if (q > p) *--q = '.';
  fd_cstr_append_ulong_as_text(p, ws, pm, x, (ulong)(q - p));
  return p + n;
}

ulong fd_cstr_tokenize(char ** tok, ulong max, char * s, char delim) {
  ulong cnt = 0UL;
  if (!s) return 0UL;
  for (;;) {
    while (isspace((uchar)*s) && *s != delim) s++;
    if (!*s) return cnt;
    if (cnt < max) tok[cnt] = s;
    cnt++;
    while (*s && *s != delim) s++;
    if (!*s) return cnt;
    *s++ = '\0';
  }
}
