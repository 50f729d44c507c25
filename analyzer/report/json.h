/* Writing JSON as a stream: commas, indentation and escaping are this file's business.

   Strings are bytes: control characters are escaped and what is not UTF-8 becomes U+FFFD, so that
   the output is valid whatever a trace contains. Errors of the stream are the caller's to check
   (ferror) at the end. */
#ifndef VT_ANALYZER_REPORT_JSON_H
#define VT_ANALYZER_REPORT_JSON_H

#include <stdint.h>
#include <stdio.h>

typedef struct {
  FILE *out;
  int depth;
  int first;        /* nothing was written yet in the innermost object or array */
  int inline_depth; /* from this depth on no line breaks; 0: none */
} vt_json_t;

vt_json_t vt_json_start(FILE *out);
/* Ends the document with a newline. */
void vt_json_finish(vt_json_t *json);

/* key is NULL inside arrays and at the top. */
void vt_json_object(vt_json_t *json, char const *key);
void vt_json_array(vt_json_t *json, char const *key);
/* The same, with everything inside on one line. */
void vt_json_object_line(vt_json_t *json, char const *key);
void vt_json_end_object(vt_json_t *json);
void vt_json_end_array(vt_json_t *json);

void vt_json_uint(vt_json_t *json, char const *key, uint64_t value);
void vt_json_int(vt_json_t *json, char const *key, int64_t value);
/* Shortest form that is exact; what is no number becomes null. */
void vt_json_double(vt_json_t *json, char const *key, double value);
void vt_json_bool(vt_json_t *json, char const *key, int value);
/* vt_json_known is vt_json_uint, or null for what is not known. */
void vt_json_known(vt_json_t *json, char const *key, int known, uint64_t value);
void vt_json_null(vt_json_t *json, char const *key);
/* Nanoseconds as a number of milliseconds, exact. */
void vt_json_ms(vt_json_t *json, char const *key, uint64_t ns);
void vt_json_string(vt_json_t *json, char const *key, char const *value);
/* An empty one becomes null. */
void vt_json_text_or_null(vt_json_t *json, char const *key, char const *value);
void vt_json_string_sz(vt_json_t *json, char const *key, char const *value, size_t sz);
/* At most `max` bytes of it, not ending within a character, with "…" when something is cut. */
void vt_json_string_max(vt_json_t *json, char const *key, char const *value, size_t sz, size_t max);

/* How many bytes of a text are left when it is cut to `max` bytes but not within a character. */
size_t vt_json_cut(char const *text, size_t sz, size_t max);

/* Writes bytes as a JSON string with its quotes. */
void vt_json_escape(FILE *out, char const *p, size_t sz);

/* Length of the valid UTF-8 sequence that the bytes begin with (1 … 4), or 0. */
size_t vt_json_utf8_sz(char const *p, size_t sz);

/* A copy of the bytes in which what is not UTF-8 has become U+FFFD; the caller frees it. *valid_sz: its length; it may be NULL. */
char *vt_json_utf8(char const *p, size_t sz, size_t *valid_sz);

#endif
