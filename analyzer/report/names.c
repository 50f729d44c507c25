/* A name is read from left to right with the depth of its brackets; see names.h. Nothing here knows
   a whole grammar: what is not understood stays as it is. */
#include "analyzer/report/names.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LIST_MAX  40   /* longest list of template arguments or parameters that is shown whole */
#define FIRST_MAX 24   /* longest first argument that stays when the list is too long */
#define NAME_MAX  4096 /* longer names are shown as they are */

static int is_word(char c) { return isalnum((unsigned char)c) || c == '_' || c == '$'; }

static int starts(char const *text, char const *prefix) {
  return !strncmp(text, prefix, strlen(prefix));
}

/* ---- taking apart ---- */

/* Behind the symbol of the operator that `p` names, or NULL if it names none; `start`: of the name.
 */
static char const *behind_operator(char const *p, char const *start) {
  if (!starts(p, "operator") || is_word(p[8]) || (p != start && p[-1] != ':')) return NULL;
  p += 8;
  if (starts(p, "()")) return p + 2;
  return p + strspn(p, "<>=!+-*/%^&|~,[]");
}

/* The bracket that `p` is: 1 opens, -1 closes, 0 none. An arrow's head closes nothing. */
static int bracket(char const *p, char const *text) {
  if (strchr("<({[", *p)) return 1;
  if (*p == '>' && p > text && p[-1] == '-') return 0;
  return strchr(">)}]", *p) ? -1 : 0;
}

/* Does what follows a space belong to the function rather than begin its name? */
static int is_qualifier(char const *p) {
  return starts(p, "const") || starts(p, "volatile") || starts(p, "noexcept") || *p == '&' ||
         *p == '[';
}

vt_name_t vt_name_parse(char const *name) {
  vt_name_t out = {.start = name};
  int depth = 0, in_operator = 0;
  for (char const *p = name; *p; p++) {
    char const *behind = depth ? NULL : behind_operator(p, out.start);
    if (behind) {
      in_operator = 1;
      p = behind - 1;
      continue;
    }
    int change = bracket(p, name);
    if (change > 0 && !depth && *p == '(' && p > out.start && !starts(p, "(anonymous")) {
      out.end = p;
      in_operator = 0;
    }
    depth += change;
    if (depth < 0) depth = 0;
    if (depth || *p != ' ' || in_operator || is_qualifier(p + 1)) continue;
    out.start = p + 1;
    out.end = NULL;
  }
  out.parameters = out.end != NULL;
  if (!out.end) out.end = name + strlen(name);
  return out;
}

char const *vt_name_base(char const *name, size_t *sz) {
  vt_name_t whole = vt_name_parse(name);
  char const *base = whole.start, *end = whole.end;
  int depth = 0;
  for (char const *p = whole.start; p < whole.end; p++) {
    char const *behind = depth ? NULL : behind_operator(p, base);
    if (behind) break; /* symbols follow, no brackets */
    int change = bracket(p, name);
    if (change > 0 && !depth && *p == '<' && p > base) end = p;
    depth += change;
    if (depth || p[0] != ':' || p[1] != ':' || p[2] == '<') continue;
    base = ++p + 1;
    end = whole.end;
  }
  if (end > base + 2 && end[-1] == ':') end -= 2; /* Rust's name::<T> */
  *sz = (size_t)(end - base);
  return base;
}

/* ---- shortening ---- */

typedef struct {
  char *text;
  size_t sz, cap; /* bytes used; of the buffer */
} out_t;

static void put(out_t *out, char const *text, size_t sz) {
  if (sz > out->cap - 1 - out->sz) sz = out->cap - 1 - out->sz;
  memcpy(out->text + out->sz, text, sz);
  out->sz += sz;
  out->text[out->sz] = 0;
}

static void put_text(out_t *out, char const *text) { put(out, text, strlen(text)); }

/* Words that are left out, or stand for others. Longer ones come first. */
static struct {
  char const *from, *to;
} const words[] = {
    {"std::__cxx11::", "std::"}, {"std::__1::", "std::"}, {"(anonymous namespace)", "(anonymous)"}};

/* Puts what stands for the word at p; returns the bytes of p that it stands for, 0: for none. */
static size_t put_word(out_t *out, char const *p) {
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (!starts(p, words[i].from)) continue;
    put_text(out, words[i].to);
    return strlen(words[i].from);
  }
  if (starts(p, "[abi:") && strchr(p, ']')) return (size_t)(strchr(p, ']') + 1 - p);
  if (starts(p, "::h") && strspn(p + 3, "0123456789abcdef") == 16 && !is_word(p[19])) return 19;
  return 0;
}

/* An argument that a template of the standard library has when none is given. */
static int is_default(char const *argument) {
  static char const *const names[] = {
      "std::allocator<", "std::char_traits<",    "std::less<",       "std::equal_to<",
      "std::hash<",      "std::default_delete<", "std::__allocator<"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (starts(argument, names[i])) return 1;
  return 0;
}

/* The template whose arguments begin at the end of `out`: where its name starts. */
static char const *template_name(out_t const *out) {
  size_t at = out->sz;
  while (at && (is_word(out->text[at - 1]) || out->text[at - 1] == ':')) at--;
  return out->text + at;
}

/* std::basic_string<char> and its kin have names of their own. Puts it for the name at `name`,
   whose only argument was put at `list`; returns whether it did. */
static int put_alias(out_t *out, char const *name, size_t list) {
  static char const *const basic[] = {
      "string",    "string_view",   "ostream",       "istream",      "ios",
      "stringbuf", "ostringstream", "istringstream", "stringstream", "streambuf",
      "filebuf",   "ofstream",      "ifstream",      "fstream"};
  char const *argument = out->text + list;
  char const *wide = !strcmp(argument, "<wchar_t") ? "w" : "";
  if (!starts(name, "std::basic_") || (!*wide && strcmp(argument, "<char"))) return 0;
  for (size_t i = 0; i < sizeof basic / sizeof *basic; i++) {
    size_t sz = strlen(basic[i]);
    if (strncmp(name + 11, basic[i], sz) || name + 11 + sz != argument) continue;
    out->sz = (size_t)(name + 5 - out->text);
    put_text(out, wide);
    put_text(out, basic[i]);
    return 1;
  }
  return 0;
}

static size_t put_list(out_t *out, char const *p, char const *text);

/* Puts names and brackets up to a comma or closing bracket; returns the bytes read. */
static size_t put_argument(out_t *out, char const *p, char const *text) {
  char const *from = p;
  while (*p && *p != ',' && bracket(p, text) >= 0) {
    size_t stood = put_word(out, p);
    if (stood)
      p += stood;
    else if (bracket(p, text) > 0)
      p += put_list(out, p, text);
    else
      put(out, p++, 1);
  }
  while (out->sz && out->text[out->sz - 1] == ' ') out->text[--out->sz] = 0;
  return (size_t)(p - from);
}

/* Puts a list in brackets, its middle left out when it is long; returns the bytes read. */
static size_t put_list(out_t *out, char const *p, char const *text) {
  char const *from = p;
  char open = *p++, close = open == '<' ? '>' : open == '(' ? ')' : open == '{' ? '}' : ']';
  char const *name = template_name(out);
  int library = open == '<' && (starts(name, "std::") || starts(name, "__gnu_cxx::"));
  size_t list = out->sz, first = 0, kept = 0;
  put(out, &open, 1);
  while (*p && bracket(p, text) >= 0) {
    size_t before = out->sz;
    if (kept) put_text(out, ", ");
    size_t argument = out->sz;
    p += put_argument(out, p, text);
    if (library && kept && is_default(out->text + argument))
      out->text[out->sz = before] = 0;
    else
      kept++;
    if (kept == 1) first = out->sz;
    if (*p == ',') p += 1 + (p[1] == ' ');
  }
  if (*p) p++;
  if (library && kept == 1 && put_alias(out, name, list)) return (size_t)(p - from);
  if (out->sz - list > LIST_MAX && list && out->sz < out->cap - 1 && open != '{') {
    int keep = kept > 1 && first - list <= FIRST_MAX;
    out->text[out->sz = keep ? first : list + 1] = 0;
    put_text(out, keep ? ", …" : "…");
  }
  put(out, &close, 1);
  return (size_t)(p - from);
}

char *vt_name_short(char const *name, char *buffer, size_t sz) {
  out_t out = {.text = buffer, .cap = sz};
  char work[NAME_MAX];
  vt_name_t proper = vt_name_parse(name);
  buffer[0] = 0;
  if (strlen(name) >= NAME_MAX) {
    put_text(&out, name);
    return buffer;
  }
  out_t whole = {.text = work, .cap = sizeof work};
  work[0] = 0;
  for (char const *p = proper.start; *p;) {
    char const *behind = p < proper.end ? behind_operator(p, proper.start) : NULL;
    size_t stood = behind ? 0 : put_word(&whole, p);
    if (behind) {
      put(&whole, p, (size_t)(behind - p));
      p = behind;
    } else if (stood)
      p += stood;
    else if (bracket(p, name) > 0)
      p += put_list(&whole, p, name);
    else
      put(&whole, p++, 1);
  }
  put_text(&out, work);
  return buffer;
}
