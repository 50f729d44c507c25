/* Workflow commands of GitHub Actions, one line for each place of a failed check:
   ::error file=F,line=N,title=T::MESSAGE. In messages %, CR and LF are escaped as %25, %0D, %0A, in
   properties : and , too (as the runner undoes it: docs.github.com, "Workflow commands"). */
#include <string.h>
#include "analyzer/gate/gate.h"

static void escape(FILE *out, char const *text, char const *more) {
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '%' || c == '\r' || c == '\n' || strchr(more, c))
      fprintf(out, "%%%02X", c);
    else
      putc(c < 0x20 || c == 0x7f ? '?' : c, out);
  }
}

static void property(FILE *out, char const *text) { escape(out, text, ":,"); }
static void message(FILE *out, char const *text) { escape(out, text, ""); }

static void place(FILE *out, vt_gate_check_t const *check, vt_gate_place_t const *at) {
  fputs("::error ", out);
  if (at->file[0]) {
    fputs("file=", out);
    property(out, at->file);
    fprintf(out, ",line=%u,", at->line);
  }
  fputs("title=valtrace%3A ", out);
  property(out, check->name);
  fputs("::", out);
  message(out, at->text);
  fputs("; ", out);
  message(out, check->text);
  putc('\n', out);
}

void vt_gate_github(vt_gate_t const *gate, FILE *out) {
  for (size_t i = 0; i < gate->checks_cnt; i++) {
    vt_gate_check_t const *check = &gate->checks[i];
    if (!check->failed) continue;
    for (size_t k = 0; k < check->places_cnt; k++) place(out, check, &check->places[k]);
    if (check->places_cnt) continue;
    fputs("::error title=valtrace%3A ", out);
    property(out, check->name);
    fputs("::", out);
    message(out, check->text);
    putc('\n', out);
  }
}
