/* Putting the page together; see html.h. The template is tools/html/page.html with its style and
   scripts put in when this is compiled, and a <!--mark--> for each part that is put in here. */
#include "analyzer/page/html.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/page/plain.h"

/* A string in read-only data that ends with NUL. */
__asm__(".pushsection .rodata\n"
        ".local vt_page_template\n"
        "vt_page_template: .incbin \"" VT_PAGE_TEMPLATE "\"\n"
        ".byte 0\n"
        ".popsection\n");
extern char const vt_page_template[] __attribute__((visibility("hidden")));

typedef struct {
  vt_page_contents_t const *contents;
  vt_page_tree_t *tree;
  char *data;
  size_t data_sz;
} parts_t;

static void put_program(parts_t const *parts, FILE *out) {
  vt_page_programs(parts->contents, out);
}

static void put_plain(parts_t const *parts, FILE *out) {
  vt_page_plain(parts->contents, parts->tree, out);
}

/* JSON that no HTML parser can mistake for markup, nor a script's for the end of a line. */
static void put_data(parts_t const *parts, FILE *out) {
  char const *at = parts->data, *end = at + parts->data_sz;
  for (char const *p = at; p < end; p++) {
    int separator = !strncmp(p, "\u2028", 3) ? 0x2028 : !strncmp(p, "\u2029", 3) ? 0x2029 : 0;
    if (!separator && *p != '<' && *p != '>' && *p != '&') continue;
    fwrite(at, 1, (size_t)(p - at), out);
    fprintf(out, "\\u%04x", separator ? separator : *p);
    p += separator ? 2 : 0;
    at = p + 1;
  }
  fwrite(at, 1, (size_t)(end - at), out);
}

static struct {
  char const *mark;
  void (*put)(parts_t const *parts, FILE *out);
} const marks[] = {{"<!--program-->", put_program},
                   {"<!--plain-->", put_plain},
                   {"<!--data-->", put_data}};

/* Puts each part in place of its marks. */
static void fill(parts_t const *parts, FILE *out) {
  char const *at = vt_page_template, *begin;
  while ((begin = strstr(at, "<!--"))) {
    size_t i = 0, cnt = sizeof marks / sizeof *marks;
    while (i < cnt && strncmp(begin, marks[i].mark, strlen(marks[i].mark))) i++;
    size_t sz = i < cnt ? strlen(marks[i].mark) : strlen("<!--");
    fwrite(at, 1, (size_t)(begin - at) + (i < cnt ? 0 : sz), out);
    if (i < cnt) marks[i].put(parts, out);
    at = begin + sz;
  }
  fputs(at, out);
}

size_t vt_page_html(vt_page_contents_t const *contents, char **page) {
  parts_t parts = {.contents = contents};
  size_t sz;
  FILE *data = open_memstream(&parts.data, &parts.data_sz);
  parts.tree = vt_page_write(contents, data);
  fclose(data);
  FILE *out = open_memstream(page, &sz);
  fill(&parts, out);
  fclose(out);
  vt_page_tree_delete(parts.tree);
  free(parts.data);
  return sz;
}
