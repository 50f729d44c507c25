/* The page without JavaScript; see plain.h. tools/html/page.py makes the same from the data. */
#include "analyzer/page/plain.h"
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/report.h"
#include "analyzer/report/totals.h"
#include "analyzer/util/mem.h"

#define TOP 15 /* rows of a table */

/* ---- text ---- */

static uint32_t code_of(char const *p, size_t sz) {
  uint32_t code = (unsigned char)p[0];
  if (sz > 1) code &= 0x7fu >> sz;
  for (size_t i = 1; i < sz; i++) code = code << 6 | ((unsigned char)p[i] & 0x3f);
  return code;
}

/* Control and direction characters, and those without width; the same as in tools/html/data.js. */
static int is_hidden(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x61c ||
         (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
}

static void put_text(FILE *out, char const *text, size_t sz) {
  static char const *const marks[] = {['&'] = "&amp;",   ['<'] = "&lt;",    ['>'] = "&gt;",
                                      ['"'] = "&quot;", ['\''] = "&#x27;"};
  for (size_t i = 0, n; i < sz; i += n ? n : 1) {
    n = vt_json_utf8_sz(text + i, sz - i);
    uint32_t code = n ? code_of(text + i, n) : 0;
    if (is_hidden(code))
      fputs("\ufffd", out);
    else if (code < sizeof marks / sizeof *marks && marks[code])
      fputs(marks[code], out);
    else
      fwrite(text + i, 1, n, out);
  }
}

void vt_page_programs(vt_page_contents_t const *contents, FILE *out) {
  for (int i = 0; i < contents->sides; i++) {
    vt_analysis_t const *analysis = contents->analyses[i];
    char const *name = vt_reader_info(analysis->readers[0])->name;
    if (i) fputs(" → ", out);
    put_text(out, *name ? name : "?", *name ? strlen(name) : 1);
    if (analysis->trace_cnt > 1)
      fprintf(out, " and %s more", vt_count_text(analysis->trace_cnt - 1).text);
  }
}

/* ---- tables ---- */

/* A column of amounts for each side; what has a name comes first or last. */
static void table_head(vt_page_contents_t const *contents, char const *title, char const *first,
                       char const *last, FILE *out) {
  static char const *const amounts[2][2] = {{"Amount"}, {"Before", "After"}};
  fprintf(out, "<h3>%s</h3><table><thead><tr>", title);
  if (first) fprintf(out, "<th>%s</th>", first);
  for (int i = 0; i < contents->sides; i++)
    fprintf(out, "<th class=number>%s</th>", amounts[contents->sides - 1][i]);
  if (last) fprintf(out, "<th>%s</th>", last);
  fputs("</tr></thead><tbody>", out);
}

static void put_amount(FILE *out, uint64_t amount, int is_bytes, int sampled) {
  fprintf(out, "<td class=number>%s%s</td>", sampled ? "≈ " : "",
          (is_bytes ? vt_bytes_text(amount) : vt_count_text(amount)).text);
}

/* put_notes says what the numbers of a side are not; summary.js has the same for those who see it. */
static void put_notes(vt_analysis_t const *analysis, char const *side, FILE *out) {
  vt_completeness_t have = vt_analysis_completeness(analysis);
  char const *reasons[VT_REASONS_MAX + 2];
  size_t cnt = 0;
  if (have.mid_life) reasons[cnt++] = VT_MID_LIFE_WHY;
  for (size_t i = 0; i < have.reason_cnt; i++) reasons[cnt++] = have.reasons[i];
  if (vt_model_totals(analysis->model)->peak_at_most) reasons[cnt++] = VT_PEAK_WHY;
  if (!cnt) return;
  fprintf(out, "<p>%s%s record:</p><ul>", side, have.complete ? "Complete" : "Incomplete");
  for (size_t i = 0; i < cnt; i++) {
    fputs("<li>", out);
    put_text(out, reasons[i], strlen(reasons[i]));
    fputs("</li>", out);
  }
  fputs("</ul>\n", out);
}

static void notes(vt_page_contents_t const *contents, FILE *out) {
  static char const *const sides[2][2] = {{""}, {"Before: ", "After: "}};
  for (int i = 0; i < contents->sides; i++) put_notes(contents->analyses[i], sides[contents->sides - 1][i], out);
}

static void put_total(FILE *out, vt_total_t const *total, int is_bytes) {
  uint64_t error = vt_estimate_error(total->error * total->error);
  vt_number_t value = is_bytes ? vt_bytes_text(total->value) : vt_count_text(total->value);
  vt_number_t off = is_bytes ? vt_bytes_text(error) : vt_count_text(error);
  uint64_t bound = vt_total_bound(total);
  char const *most = total->at_most ? "≤ " : "";
  if (!total->known)
    fputs("<td class=number>not known</td>", out);
  else if (vt_total_unseen(total))
    fprintf(out, "<td class=number>≤ %s</td>", (is_bytes ? vt_bytes_text(bound) : vt_count_text(bound)).text);
  else if (total->estimated)
    fprintf(out, "<td class=number>%s≈ %s ± %s</td>", most, value.text, off.text);
  else
    fprintf(out, "<td class=number>%s%s</td>", most, value.text);
}

static void totals(vt_page_contents_t const *contents, FILE *out) {
  static struct {
    char const *name;
    vt_total_name_t total;
    int is_bytes;
  } const rows[] = {{"Peak heap", VT_TOTAL_PEAK, 1},
                    {"Live at the end", VT_TOTAL_LIVE, 1},
                    {"Blocks live at the end", VT_TOTAL_LIVE_BLOCKS, 0},
                    {"Allocated", VT_TOTAL_ALLOCATED, 1},
                    {"Allocations", VT_TOTAL_ALLOCATIONS, 0},
                    {"Temporary", VT_TOTAL_TEMPORARY, 0}};
  table_head(contents, "Totals", "Total", NULL, out);
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    fprintf(out, "<tr><td>%s</td>", rows[r].name);
    for (int i = 0; i < contents->sides; i++) {
      vt_total_t total = vt_total(contents->analyses[i], rows[r].total);
      put_total(out, &total, rows[r].is_bytes);
    }
    fputs("</tr>", out);
  }
  fputs("</tbody></table>", out);
}

/* ---- functions ---- */

static struct {
  char const *title;
  vt_page_value_t value;
  int is_bytes;
} const tops[] = {{"Live at the end", VT_PAGE_LEAKED_BYTES, 1},
                  {"Live at the peak", VT_PAGE_PEAK_BYTES, 1},
                  {"Most allocations", VT_PAGE_ALLOCATIONS, 0}};
enum { TOPS = sizeof tops / sizeof *tops };

typedef struct {
  uint32_t function;
  uint64_t values[TOPS][2]; /* by side */
} charged_t;

typedef struct {
  charged_t *rows; /* in the order of their first stack */
  size_t rows_cnt, rows_cap;
} charges_t;

static charged_t *row_of(charges_t *all, uint32_t *number_of, uint32_t function) {
  if (!number_of[function]) {
    charged_t fresh = {.function = function};
    VT_PUSH(all->rows, fresh);
    number_of[function] = (uint32_t)all->rows_cnt;
  }
  return &all->rows[number_of[function] - 1];
}

/* The innermost node outside of allocators and run-time libraries of the stacks that end here, or
   the end itself. */
static uint32_t charged_node(vt_page_tree_t const *tree, uint32_t end) {
  uint32_t at = end;
  while (at && tree->frames[tree->nodes[at].frame].flags & (VT_PAGE_ALLOCATOR | VT_PAGE_RUNTIME))
    at = tree->nodes[at].parent;
  return at ? at : end;
}

static charges_t charge(vt_page_tree_t const *tree) {
  charges_t all = {0};
  uint32_t *number_of = vt_mem_new(vt_strings_cnt(tree->strings) + 1, sizeof *number_of);
  for (uint32_t end = 1; end < tree->nodes_cnt; end++) {
    vt_page_node_t const *node = &tree->nodes[end];
    if (!vt_page_node_ends(node)) continue;
    uint32_t frame = tree->nodes[charged_node(tree, end)].frame;
    charged_t *row = row_of(&all, number_of, tree->frames[frame].function);
    for (int v = 0; v < TOPS; v++)
      for (int i = 0; i < tree->sides; i++) row->values[v][i] += node->self[i][tops[v].value];
  }
  free(number_of);
  return all;
}

static uint64_t larger(uint64_t const values[2]) {
  return values[0] > values[1] ? values[0] : values[1];
}

/* The row with most of a value that comes after `last` (NULL: the first of all), or NULL. */
static charged_t const *next_row(charges_t const *all, int v, charged_t const *last) {
  charged_t const *best = NULL;
  uint64_t below = last ? larger(last->values[v]) : UINT64_MAX;
  for (charged_t const *row = all->rows; row < all->rows + all->rows_cnt; row++) {
    uint64_t value = larger(row->values[v]);
    int after = value < below || (value == below && row > last);
    if (after && value && (!best || value > larger(best->values[v]))) best = row;
  }
  return best;
}

static void top_functions(vt_page_contents_t const *contents, vt_page_tree_t const *tree,
                          charges_t const *all, int v, FILE *out) {
  charged_t const *row = NULL;
  table_head(contents, tops[v].title, NULL, "Function", out);
  for (int rank = 0; rank < TOP && (row = next_row(all, v, row)); rank++) {
    size_t sz, cut;
    char const *name = vt_strings_get(tree->strings, row->function, &sz);
    fputs("<tr>", out);
    for (int i = 0; i < tree->sides; i++)
      put_amount(out, row->values[v][i], tops[v].is_bytes, contents->analyses[i]->sampled.period != 0);
    fputs("<td><bdi>", out);
    cut = vt_json_cut(name, sz, tree->name_max);
    put_text(out, name, cut);
    fprintf(out, "%s</bdi></td></tr>", cut < sz ? "…" : "");
  }
  fputs("</tbody></table>", out);
}

void vt_page_plain(vt_page_contents_t const *contents, vt_page_tree_t const *tree, FILE *out) {
  charges_t all = charge(tree);
  fputs("<style>.actions, section, .toolbar, main, footer { display: none; }</style>\n"
        "<p>The charts need JavaScript. These are the main numbers:</p>\n",
        out);
  notes(contents, out);
  if (contents->analyses[0]->sampled.period || contents->analyses[contents->sides - 1]->sampled.period)
    fputs("<p>≈ estimates from a sample, ± their standard error, ≤ at most</p>\n", out);
  totals(contents, out);
  for (int v = 0; v < TOPS; v++) {
    putc('\n', out);
    top_functions(contents, tree, &all, v, out);
  }
  free(all.rows);
}
