/* Text for people: numbers with units and thousands, colours when the output is a terminal, lines
   cut to its width. */
#ifndef VT_ANALYZER_REPORT_TERM_H
#define VT_ANALYZER_REPORT_TERM_H

#include <stdint.h>
#include <stdio.h>

typedef struct {
  FILE *out;
  int width; /* columns; not limited (INT_MAX) when the output is no terminal */
  int colour;
  int full_names; /* functions are called as they are, not by their short names */
} vt_term_t;

typedef enum {
  VT_STYLE_TITLE,
  VT_STYLE_NAME,
  VT_STYLE_PLACE,
  VT_STYLE_FAINT,
  VT_STYLE_WARNING
} vt_style_t;

/* Looks at the stream, COLUMNS, NO_COLOR and TERM. */
vt_term_t vt_term_start(FILE *out);

/* Text in a style; the formatted text without. */
__attribute__((format(printf, 3, 4))) void vt_term_styled(vt_term_t const *term, vt_style_t style,
                                                          char const *format, ...);

/* A buffer for one formatted number. */
typedef struct {
  char text[32];
} vt_number_t;

/* 1234567 -> "1.18 MiB"; exact below 1 KiB ("17 B"). */
vt_number_t vt_bytes_text(uint64_t bytes);
/* 1234567 -> "1,234,567". */
vt_number_t vt_count_text(uint64_t count);
/* An estimate with its standard error: "≈ 12.3 MiB ± 0.8", "≈ 1,234 ± 56"; error 0: without "±". */
typedef struct {
  char text[72];
} vt_estimate_text_t;
vt_estimate_text_t vt_bytes_estimate(uint64_t bytes, uint64_t error);
vt_estimate_text_t vt_count_estimate(uint64_t count, uint64_t error);

/* "1 block", "1,234 blocks": with a noun of up to 12 bytes that takes an s. */
typedef struct {
  char text[48];
} vt_counted_t;
vt_counted_t vt_counted(uint64_t count, char const *noun);
/* Time: "1.23 s", "45.6 ms", "789 ns", "2 min 5 s". */
vt_number_t vt_time_text(uint64_t ns);
/* "12.3 %" of whole; "-" when whole is 0. */
vt_number_t vt_percent_text(uint64_t part, uint64_t whole);

/* Prints untrusted text: control characters and bytes that are no character become '?'; longer than `columns` it is
   cut in the middle with "…". Returns the columns used. */
int vt_term_text(vt_term_t const *term, char const *text, int columns);
/* The same in a style. */
int vt_term_name(vt_term_t const *term, vt_style_t style, char const *text, int columns);

/* Prints an untrusted path; longer than `columns` it is cut from the left ("…/src/server.cc"), at a
   slash if there is one. Returns the columns used. */
int vt_term_path(vt_term_t const *term, char const *path, int columns);

/* Columns left on a line of which `used` are taken, at least 8; INT_MAX when there is no limit. */
int vt_term_room(vt_term_t const *term, int used);

/* Prints our own text, and names in it as vt_term_text does, from column `indent` on, broken between words where the line ends and
   indented there. No line break at the end. */
void vt_term_wrap(vt_term_t const *term, char const *text, int indent);

#endif
