/* Stacks for people: innermost first, what runs inside libraries folded to one line, so that the
   user's own frames come first; names short enough to be read, paths cut from the left, so that
   file and line stay. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/names.h"
#include "analyzer/report/report.h"
#include "analyzer/util/mem.h"

#define LINES_SHOWN 8 /* of a stack; more are folded */
#define INDENT      10  /* columns before a frame */
#define NAME_WIDTH  160 /* of a function when the line is not limited */

char const *vt_text_name(vt_term_t const *term, vt_stack_frame_t const *frame, char *buffer,
                         size_t sz) {
  if (!frame->function[0] || term->full_names) return vt_frame_name(frame, buffer, sz);
  return vt_name_short(frame->function, buffer, sz);
}

/* A line of a stack: a frame, or a run of frames inside libraries that `frame` stands for. */
typedef struct {
  vt_stack_frame_t const *frame;
  size_t frames;
} line_t;

static char const *file_name(char const *path) {
  char const *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* Columns that text takes. */
static int columns_of(char const *text) {
  int columns = 0;
  for (; *text; text++) columns += ((unsigned char)*text & 0xc0) != 0x80;
  return columns;
}

int vt_text_has_place(vt_stack_frame_t const *frame) {
  return frame->file[0] || (frame->function[0] && frame->module[0]); /* else the name has the module */
}

int vt_text_behind(vt_term_t const *term, vt_stack_frame_t const *frame, int columns) {
  if (!vt_text_has_place(frame)) return 0;
  fputs("  ", term->out);
  return 2 + vt_text_place(term, frame, columns == INT_MAX ? INT_MAX : columns - 2);
}

int vt_text_place(vt_term_t const *term, vt_stack_frame_t const *frame, int columns) {
  char line[16];
  int sz = snprintf(line, sizeof line, ":%u", frame->line);
  if (frame->file[0]) {
    int used = vt_term_path(term, frame->file, columns == INT_MAX ? INT_MAX : columns - sz);
    fputs(line, term->out);
    return used + sz;
  }
  if (!vt_text_has_place(frame)) return 0;
  return vt_term_text(term, file_name(frame->module), columns);
}

/* Columns of the shortest form of a place: file and line without folders, or the module. */
static int place_columns(vt_stack_frame_t const *frame) {
  char line[16];
  int sz = snprintf(line, sizeof line, ":%u", frame->line);
  if (frame->file[0]) return columns_of(file_name(frame->file)) + 2 + sz;
  return frame->function[0] ? columns_of(file_name(frame->module)) : 0;
}

/* How many columns a name may take on a line that ends with a place: all but the place's shortest
   form, and not more than half if the place has use for the rest. */
static int name_room(vt_term_t const *term, vt_stack_frame_t const *frame, int used, int name) {
  if (term->width == INT_MAX) return NAME_WIDTH;
  int place = place_columns(frame), room = term->width - used - 2;
  int half = room / 2, left = room - place;
  int whole = frame->file[0] ? columns_of(frame->file) + 6 : place;
  if (name <= half || name + whole <= room) return room;
  return left > half ? left : half;
}

void vt_text_frame(vt_term_t const *term, vt_stack_frame_t const *frame) {
  char buffer[1024];
  char const *name = vt_text_name(term, frame, buffer, sizeof buffer);
  char const *inlined = frame->inlined ? " (inlined)" : "";
  int used = INDENT + columns_of(inlined);
  fprintf(term->out, "%*s", INDENT, "");
  used += vt_term_text(term, name, name_room(term, frame, used, columns_of(name)));
  vt_term_styled(term, VT_STYLE_FAINT, "%s", inlined);
  if (term->colour) fputs("\033[2m", term->out);
  vt_text_behind(term, frame, vt_term_room(term, used));
  if (term->colour) fputs("\033[0m", term->out);
  putc('\n', term->out);
}

static void print_line(vt_term_t const *term, line_t const *line) {
  char buffer[1024], count[32];
  if (line->frames == 1) {
    vt_text_frame(term, line->frame);
    return;
  }
  int sz = snprintf(count, sizeof count, " … %zu frames", line->frames) - 2;
  fprintf(term->out, "%*s", INDENT, "");
  if (term->colour) fputs("\033[2m", term->out);
  vt_term_text(term, vt_text_name(term, line->frame, buffer, sizeof buffer),
               vt_term_room(term, INDENT + sz));
  fputs(count, term->out);
  fputs(term->colour ? "\033[0m\n" : "\n", term->out);
}

/* Puts frames into lines; returns how many. A run inside libraries is called by what was called
   from outside, if that has a name. */
static size_t fold(vt_stack_frame_t const *frames, size_t cnt, int all, line_t *lines) {
  size_t used = 0;
  for (size_t i = 0, end; i < cnt; i = end) {
    for (end = i + 1; !all && frames[i].library && end < cnt && frames[end].library;) end++;
    size_t name = end - 1;
    while (name > i && !frames[name].function[0]) name--;
    lines[used++] = (line_t){&frames[frames[name].function[0] ? name : end - 1], end - i};
  }
  return used;
}

void vt_text_stack(vt_analysis_t const *analysis, vt_report_options_t const *options,
                   vt_term_t const *term, uint32_t node, size_t lines_max) {
  vt_expanded_t stack = {0};
  vt_stacks_expand(analysis->stacks, node, !options->keep_allocators, options->no_inlines, &stack);
  vt_stack_frame_t const *frames = stack.frames;
  size_t cnt = stack.frames_cnt;
  size_t limit = lines_max ? lines_max : LINES_SHOWN;
  while (cnt > 1 && frames[cnt - 1].start && !options->show_runtime) cnt--;
  line_t *lines = vt_mem_new(cnt + 1, sizeof *lines);
  size_t line_cnt = fold(frames, cnt, options->show_runtime, lines);
  size_t head = line_cnt <= limit + 2 ? line_cnt : limit, more = 0;
  for (size_t i = 0; i < head; i++) print_line(term, &lines[i]);
  for (size_t i = head; i + 1 < line_cnt; i++) more += lines[i].frames;
  if (head < line_cnt) {
    vt_term_styled(term, VT_STYLE_FAINT, "%*s… %zu more, up to\n", INDENT, "", more);
    print_line(term, &lines[line_cnt - 1]);
  }
  free(lines);
  free(stack.frames);
}
