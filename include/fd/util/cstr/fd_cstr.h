#ifndef HEADER_fd_src_util_cstr_fd_cstr_h
#define HEADER_fd_src_util_cstr_fd_cstr_h

/* C strings: parsing, bounded copying and printing, cursor-style appending.  Nothing here logs,
   allocates or keeps state, so all of it is safe from any thread; a NULL cstr parses as 0. */

#include "../bits/fd_bits.h"

/* Character classes; the user includes <ctype.h>. */
#define fd_isalnum(c)  (!!isalnum(c))
#define fd_isalpha(c)  (!!isalpha(c))
#define fd_isascii(c)  (!!isascii(c))
#define fd_isblank(c)  (!!isblank(c))
#define fd_iscntrl(c)  (!!iscntrl(c))
#define fd_isdigit(c)  (!!isdigit(c))
#define fd_isgraph(c)  (!!isgraph(c))
#define fd_islower(c)  (!!islower(c))
#define fd_isprint(c)  (!!isprint(c))
#define fd_ispunct(c)  (!!ispunct(c))
#define fd_isspace(c)  (!!isspace(c))
#define fd_isupper(c)  (!!isupper(c))
#define fd_isxdigit(c) (!!isxdigit(c))

FD_PROTOTYPES_BEGIN

/* fd_cstr_to_T converts the leading number of cstr as strtol/strtoul with base 0 do and casts it to
   T.  cstr returns its argument, char the first byte. */
char const * fd_cstr_to_cstr(char const * cstr);
char fd_cstr_to_char(char const * cstr);
schar fd_cstr_to_schar(char const * cstr);
short fd_cstr_to_short(char const * cstr);
int fd_cstr_to_int(char const * cstr);
long fd_cstr_to_long(char const * cstr);
uchar fd_cstr_to_uchar(char const * cstr);
ushort fd_cstr_to_ushort(char const * cstr);
uint fd_cstr_to_uint(char const * cstr);
ulong fd_cstr_to_ulong(char const * cstr);
float fd_cstr_to_float(char const * cstr);
#if FD_HAS_DOUBLE
double fd_cstr_to_double(char const * cstr);
#endif

/* fd_cstr_to_ulong_octal is the same in base 8 (file modes). */
ulong fd_cstr_to_ulong_octal(char const * cstr);

/* fd_cstr_to_ulong_seq parses a comma list of a, a-b, a-b/s and a-b:s (s the stride) and stores the
   first max numbers in seq.  Each of a, b and s is what strtoul with base 0 accepts (blanks, sign,
   0x), so "-2 - -1" is the two largest ulongs; a trailing comma ends the list.  Returns how many
   numbers there are, which may exceed max; 0 if malformed, or if they are 2^64 or more. */
ulong fd_cstr_to_ulong_seq(char const * cstr, ulong * seq, ulong max);

/* fd_cstr_hash is Bernstein's xor hash (start 5381, h = h*33 ^ byte); append continues from h. NULL
   hashes as "". */
ulong fd_cstr_hash_append(ulong hash, char const * cstr);
ulong fd_cstr_hash(char const * cstr);

/* strcasecmp and strnlen (NULL has length 0). */
int fd_cstr_casecmp(char const * a, char const * b);
ulong fd_cstr_nlen(char const * s, ulong max);

/* fd_cstr_ncpy copies at most m-1 bytes of s and fills the rest of the m bytes at d with zeros.
   Returns d. */
char * fd_cstr_ncpy(char * d, char const * s, ulong m);

/* fd_cstr_printf prints to the sz bytes at buf, truncating, always terminated; *opt_len gets the
   length.  Returns buf.  fd_cstr_printf_check returns 1 iff nothing was truncated. */
char * fd_cstr_printf(char * buf, ulong sz, ulong * opt_len, char const * fmt, ...)
    __attribute__((format(printf, 4, 5)));
int fd_cstr_printf_check(char * buf, ulong sz, ulong * opt_len, char const * fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Cursor-style construction: p = init(buf); p = append(p,...); ...; fini(p).  Each append returns
   the cursor behind what it wrote; the caller provides the room; only fini (and printf) terminate.
 */
static inline char * fd_cstr_init(char * buf) { return buf; }

static inline char * fd_cstr_fini(char * p) {
  if (p) *p = '\0';
  return p;
}

static inline char * fd_cstr_append_char(char * p, char c) {
  *p = c;
  return p + 1;
}

static inline char * fd_cstr_append_text(char * p, char const * t, ulong n) {
  if (n) memcpy(p, t, n);
  return p + n;
}

static inline char * fd_cstr_append_cstr(char * p, char const * s) {
  return s ? fd_cstr_append_text(p, s, strlen(s)) : p;
}

/* Appends at most n bytes of s. */
static inline char * fd_cstr_append_cstr_safe(char * p, char const * s, ulong n) {
  return s ? fd_cstr_append_text(p, s, fd_cstr_nlen(s, n)) : p;
}

/* Also terminates; the caller's room includes the NUL. */
char * fd_cstr_append_printf(char * p, char const * fmt, ...) __attribute__((format(printf, 2, 3)));

/* Appends the 1 to 4 byte UTF-8 encoding of a code point (an invalid one gives U+FFFD). */
char * fd_cstr_append_utf8(char * p, uint code_point);

/* Numbers, right justified in exactly n characters, padded on the left with ws; pm, if not NUL,
   goes directly before the first digit.  A number that does not fit loses its leading digits. */
char * fd_cstr_append_uchar_as_text(char * p, char ws, char pm, uchar x, ulong n);
char * fd_cstr_append_ushort_as_text(char * p, char ws, char pm, ushort x, ulong n);
char * fd_cstr_append_uint_as_text(char * p, char ws, char pm, uint x, ulong n);
char * fd_cstr_append_ulong_as_text(char * p, char ws, char pm, ulong x, ulong n);
#if FD_HAS_INT128
char * fd_cstr_append_uint128_as_text(char * p, char ws, char pm, uint128 x, ulong n);
#endif
char * fd_cstr_append_uint_as_hex(char * p, char ws, uint x, ulong n);
char * fd_cstr_append_ulong_as_hex(char * p, char ws, ulong x, ulong n);

/* x / 10^f with f digits behind the decimal point, which is always written. */
char * fd_cstr_append_fxp10_as_text(char * p, char ws, char pm, ulong f, ulong x, ulong n);

/* fd_cstr_tokenize cuts s in place at each delim; leading white space of a token is skipped and an
   empty tail is no token.  Stores the first max token addresses, returns how many there are. */
ulong fd_cstr_tokenize(char ** tok, ulong max, char * s, char delim);

FD_PROTOTYPES_END

#endif
