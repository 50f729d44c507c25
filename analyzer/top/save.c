/* See save.h. */
#include "analyzer/top/save.h"
#include <stdio.h>
#include <string.h>
#include "analyzer/top/face.h"
#include "analyzer/util/output.h"

static void write_rows(vt_top_view_t const *view, FILE *out) {
  char numbers[VT_FACE_WIDTH], name[VT_FACE_WIDTH], place[VT_FACE_WIDTH];
  for (size_t i = 0; i < view->table.rows_cnt; i++) {
    vt_top_row_t const *row = &view->table.rows[i];
    vt_face_row(view, row, 1, numbers, sizeof numbers);
    vt_top_row_place(row, view->choice.fold, place, sizeof place);
    fprintf(out, "%s%s%s%s\n", numbers, vt_top_row_name(row, view->choice.fold, name, sizeof name), place[0] ? "  " : "",
            place);
  }
}

static void write_view(vt_top_view_t const *view, FILE *out) {
  char line[VT_FACE_WIDTH];
  for (int i = 0; i < VT_FACE_HEAD; i++) {
    vt_face_head(view, i, line, sizeof line);
    fprintf(out, "%s\n", line);
  }
  vt_face_choice(view, line, sizeof line);
  fprintf(out, "\n %s\n\n", line);
  vt_face_columns(view, 1, line, sizeof line);
  fprintf(out, "%s\n", line);
  write_rows(view, out);
}

int vt_top_save(vt_top_view_t const *view, char const *path, vt_error_t *error) {
  vt_output_t output;
  if (vt_output_open(&output, path, VT_OUTPUT_STREAM, error)) return -1;
  FILE *out = vt_output_stream(&output);
  if (out) write_view(view, out);
  int whole = out && !ferror(out);
  if (out && fclose(out)) whole = 0;
  vt_error_set(error, path, "it could not be written", "make room or choose another place");
  return vt_output_close(&output, whole, error);
}
