/* JUnit's XML as Jenkins, GitLab and others read it: one test suite, a test case for each check, and
   in the failure of one that failed its places with their stacks. Whatever a trace holds, the output
   is XML 1.0 in UTF-8: bytes that are neither become U+FFFD, control characters '?'. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/gate/gate.h"
#include "analyzer/report/json.h"

#define STACK_LINES 30

/* U+FFFE and U+FFFF are UTF-8, but no characters of XML. */
static int is_character(char const *p, size_t sz) {
  return sz && !(sz == 3 && !memcmp(p, "\xef\xbf", 2) && (unsigned char)p[2] >= 0xbe);
}

static void text(FILE *out, char const *p) {
  size_t left = strlen(p);
  while (left) {
    size_t sz = vt_json_utf8_sz(p, left);
    unsigned char c = (unsigned char)*p;
    if (!is_character(p, sz)) {
      fputs("\xef\xbf\xbd", out);
      if (!sz) sz = 1;
    } else if (c == '&' || c == '<' || c == '>' || c == '"')
      fputs(c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&quot;", out);
    else if (c < 0x20 || c == 0x7f)
      putc('?', out);
    else
      fwrite(p, 1, sz, out);
    p += sz;
    left -= sz;
  }
}

static void attribute(FILE *out, char const *name, char const *value) {
  fprintf(out, " %s=\"", name);
  text(out, value);
  putc('"', out);
}

static void stack(FILE *out, vt_gate_place_t const *place) {
  vt_expanded_t frames = {0};
  char buffer[1024];
  vt_gate_stack(place, &frames);
  for (size_t i = 0; i < frames.frames_cnt && i < STACK_LINES; i++) {
    vt_stack_frame_t const *frame = &frames.frames[i];
    fputs("    at ", out);
    text(out, vt_frame_name(frame, buffer, sizeof buffer));
    if (frame->file[0]) {
      char *path = vt_gate_path(frame->file);
      fputs(" (", out);
      text(out, path);
      fprintf(out, ":%u)", frame->line);
      free(path);
    }
    putc('\n', out);
  }
  if (frames.frames_cnt > STACK_LINES)
    fprintf(out, "    and %zu more\n", frames.frames_cnt - STACK_LINES);
  free(frames.frames);
}

static void failure(FILE *out, vt_gate_check_t const *check) {
  fputs("      <failure", out);
  attribute(out, "message", check->text);
  attribute(out, "type", check->name);
  fputs(">", out);
  text(out, check->text);
  putc('\n', out);
  for (size_t i = 0; i < check->places_cnt; i++) {
    vt_gate_place_t const *place = &check->places[i];
    if (place->file[0]) {
      text(out, place->file);
      fprintf(out, ":%u: ", place->line);
    }
    text(out, place->text);
    putc('\n', out);
    stack(out, place);
  }
  fputs("</failure>\n", out);
}

static void test_case(FILE *out, vt_gate_check_t const *check, char const *suite) {
  fputs("    <testcase", out);
  attribute(out, "name", check->name);
  attribute(out, "classname", suite);
  if (check->places_cnt && check->places[0].file[0]) {
    attribute(out, "file", check->places[0].file);
    fprintf(out, " line=\"%u\"", check->places[0].line);
  }
  fputs(" time=\"0\"", out);
  if (!check->failed) {
    fputs("/>\n", out);
    return;
  }
  fputs(">\n", out);
  failure(out, check);
  fputs("    </testcase>\n", out);
}

void vt_gate_junit(vt_gate_t const *gate, FILE *out) {
  char suite[512];
  size_t failed = 0;
  for (size_t i = 0; i < gate->checks_cnt; i++) failed += (size_t)gate->checks[i].failed;
  snprintf(suite, sizeof suite, "valtrace %s %.400s", gate->command,
           vt_reader_info(gate->analysis->readers[0])->name);
  fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"%zu\" failures=\"%zu\">\n",
          gate->checks_cnt, failed);
  fputs("  <testsuite", out);
  attribute(out, "name", suite);
  fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\" time=\"0\">\n",
          gate->checks_cnt, failed);
  for (size_t i = 0; i < gate->checks_cnt; i++) test_case(out, &gate->checks[i], suite);
  fputs("  </testsuite>\n</testsuites>\n", out);
}
