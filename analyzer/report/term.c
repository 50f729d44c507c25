/* Terminal output; see term.h. */
#include "analyzer/report/term.h"
#include "analyzer/report/json.h"
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_MIN 60

static int terminal_width(int fd) {
  struct winsize size;
  char const *columns = getenv("COLUMNS");
  int width = columns ? atoi(columns) : 0;
  if (width <= 0 && !ioctl(fd, TIOCGWINSZ, &size)) width = size.ws_col;
  if (width <= 0) width = 100;
  return width < WIDTH_MIN ? WIDTH_MIN : width;
}

vt_term_t vt_term_start(FILE *out) {
  vt_term_t term = {.out = out, .width = INT_MAX};
  int fd = fileno(out);
  if (fd < 0 || !isatty(fd)) return term;
  char const *no_colour = getenv("NO_COLOR"), *kind = getenv("TERM");
  term.width = terminal_width(fd);
  term.colour = !(no_colour && *no_colour) && kind && strcmp(kind, "dumb");
  return term;
}

static void begin_style(vt_term_t const *term, vt_style_t style) {
  static char const *const codes[] = {"\033[1m", "\033[1;36m", "\033[32m", "\033[2m", "\033[1;33m"};
  if (term->colour) fputs(codes[style], term->out);
}

static void end_style(vt_term_t const *term) {
  if (term->colour) fputs("\033[0m", term->out);
}

void vt_term_styled(vt_term_t const *term, vt_style_t style, char const *format, ...) {
  va_list args;
  begin_style(term, style);
  va_start(args, format);
  vfprintf(term->out, format, args);
  va_end(args);
  end_style(term);
}

int vt_term_name(vt_term_t const *term, vt_style_t style, char const *text, int columns) {
  begin_style(term, style);
  int used = vt_term_text(term, text, columns);
  end_style(term);
  return used;
}

vt_number_t vt_bytes_text(uint64_t bytes) {
  static char const *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  vt_number_t number;
  if (bytes < 1024) {
    snprintf(number.text, sizeof number.text, "%" PRIu64 " B", bytes);
    return number;
  }
  double value = (double)bytes / 1024;
  size_t unit = 0;
  for (; value >= 1023.95 && unit + 1 < sizeof units / sizeof *units; unit++) value /= 1024;
  int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  snprintf(number.text, sizeof number.text, "%.*f %s", digits, value, units[unit]);
  return number;
}

vt_number_t vt_count_text(uint64_t count) {
  vt_number_t number;
  char digits[24];
  int cnt = snprintf(digits, sizeof digits, "%" PRIu64, count), used = 0;
  for (int i = 0; i < cnt; i++) {
    if (i && (cnt - i) % 3 == 0) number.text[used++] = ',';
    number.text[used++] = digits[i];
  }
  number.text[used] = 0;
  return number;
}

vt_estimate_text_t vt_bytes_estimate(uint64_t bytes, uint64_t error) {
  vt_estimate_text_t out;
  double unit = 1;
  for (uint64_t n = bytes; n >= 1024; n /= 1024) unit *= 1024;
  double part = (double)error / unit;
  int used = snprintf(out.text, sizeof out.text, "≈ %s", vt_bytes_text(bytes).text);
  if (error)
    snprintf(out.text + used, sizeof out.text - (size_t)used, " ± %.*f", unit == 1 || part >= 99.5 ? 0 : part < 0.995 ? 2 : 1,
             part);
  return out;
}

vt_estimate_text_t vt_count_estimate(uint64_t count, uint64_t error) {
  vt_estimate_text_t out;
  int used = snprintf(out.text, sizeof out.text, "≈ %s", vt_count_text(count).text);
  if (error) snprintf(out.text + used, sizeof out.text - (size_t)used, " ± %s", vt_count_text(error).text);
  return out;
}

vt_counted_t vt_counted(uint64_t count, char const *noun) {
  vt_counted_t number;
  snprintf(number.text, sizeof number.text, "%s %.12s%s", vt_count_text(count).text, noun,
           count == 1 ? "" : "s");
  return number;
}

vt_number_t vt_time_text(uint64_t ns) {
  vt_number_t number;
  double value = (double)ns;
  if (ns < 1000)
    snprintf(number.text, sizeof number.text, "%" PRIu64 " ns", ns);
  else if (ns < 1000000)
    snprintf(number.text, sizeof number.text, "%.1f µs", value / 1e3);
  else if (ns < 1000000000)
    snprintf(number.text, sizeof number.text, "%.1f ms", value / 1e6);
  else if (ns < 60000000000u)
    snprintf(number.text, sizeof number.text, "%.2f s", value / 1e9);
  else
    snprintf(number.text, sizeof number.text, "%" PRIu64 " min %" PRIu64 " s", ns / 60000000000u,
             ns / 1000000000u % 60);
  return number;
}

vt_number_t vt_percent_text(uint64_t part, uint64_t whole) {
  vt_number_t number = {"-"};
  if (whole)
    snprintf(number.text, sizeof number.text, "%.1f %%", 100 * (double)part / (double)whole);
  return number;
}

/* Is this byte the first of a character? */
static int starts_character(char c) { return ((unsigned char)c & 0xc0) != 0x80; }

static int columns_of(char const *text) {
  int columns = 0;
  for (; *text; text++) columns += starts_character(*text);
  return columns;
}

int vt_term_room(vt_term_t const *term, int used) {
  if (term->width == INT_MAX) return INT_MAX;
  return term->width - used < 8 ? 8 : term->width - used;
}

/* Bytes of the character that text begins with; 0: it is none, or a control character (U+0080 to U+009F are, too). */
static size_t shown_bytes(char const *text, size_t left) {
  unsigned char const *c = (unsigned char const *)text;
  size_t sz = vt_json_utf8_sz(text, left);
  int control = sz == 1 ? *c < 0x20 || *c == 0x7f : *c == 0xc2 && c[1] < 0xa0;
  return control ? 0 : sz;
}

/* put_clean prints sz bytes of text; as many columns as columns_of counts. */
static void put_clean(FILE *out, char const *text, size_t sz) {
  for (size_t at = 0, bytes; at < sz; at += bytes ? bytes : 1) {
    bytes = shown_bytes(text + at, sz - at);
    if (bytes)
      fwrite(text + at, 1, bytes, out);
    else if (starts_character(text[at]))
      putc('?', out);
  }
}

/* Columns of the word that text begins with; *sz: its bytes. */
static int word_columns(char const *text, size_t *sz) {
  int columns = 0;
  for (*sz = 0; text[*sz] && text[*sz] != ' '; ++*sz) columns += starts_character(text[*sz]);
  return columns;
}

void vt_term_wrap(vt_term_t const *term, char const *text, int indent) {
  int room = vt_term_room(term, indent), used = 0;
  while (*text) {
    size_t sz;
    int columns = word_columns(text, &sz);
    if (used && columns >= room - used) {
      fprintf(term->out, "\n%*s", indent, "");
      used = 0;
    }
    if (used) putc(' ', term->out);
    put_clean(term->out, text, sz);
    used += columns + (used != 0);
    text += sz;
    text += *text == ' ';
  }
}

int vt_term_text(vt_term_t const *term, char const *text, int columns) {
  int have = columns_of(text);
  if (columns < 4) columns = 4;
  int head = have <= columns ? have : (columns - 1) * 2 / 3, tail = columns - 1 - head, at = 0;
  size_t sz;
  for (; *text; text += sz) {
    for (sz = 1; text[sz] && !starts_character(text[sz]);) sz++;
    at++;
    if (have > columns && at == head + 1) fputs("…", term->out);
    if (at <= head || (have > columns && at > have - tail)) put_clean(term->out, text, sz);
  }
  return have <= columns ? have : columns;
}

/* Where the last `columns` characters of text begin, or the first slash after that. */
static char const *tail_of(char const *text, int columns) {
  int skip = columns_of(text) - columns;
  while (*text && skip > 0) skip -= starts_character(*++text);
  while (*text && !starts_character(*text)) text++;
  char const *slash = strchr(text, '/');
  return slash ? slash : text;
}

int vt_term_path(vt_term_t const *term, char const *path, int columns) {
  if (columns < 4) columns = 4;
  if (columns_of(path) <= columns) return vt_term_text(term, path, columns);
  fputs("…", term->out);
  return 1 + vt_term_text(term, tail_of(path, columns - 1), columns - 1);
}
