/* Formats that are JSON: speedscope and DHAT. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/export/export.h"
#include "analyzer/export/frame_table.h"
#include "analyzer/util/mem.h"

static char const *program(vt_export_t const *export) {
  return vt_reader_info(export->analysis->readers[0])->name;
}

/* ---- speedscope ---- */

/* told puts behind a name what the numbers are not. */
static char const *told(vt_export_t const *export, char const *name, char *out, size_t cap) {
  snprintf(out, cap, "%s%s%s", name, export->analysis->sampled.period ? " (estimates from a sample of the blocks)" : "",
           vt_export_unsure(export) ? " (" VT_EXPORT_UNSURE ")" : "");
  return out;
}

static void speedscope_frames(vt_json_t *json, vt_frame_table_t const *table) {
  char buffer[300];
  vt_json_object(json, "shared");
  vt_json_array(json, "frames");
  for (size_t i = 0; i < table->frames_cnt; i++) {
    vt_stack_frame_t const *frame = &table->frames[i];
    vt_json_object_line(json, NULL);
    vt_json_string(json, "name", vt_frame_name(frame, buffer, sizeof buffer));
    if (frame->file[0]) vt_json_string(json, "file", frame->file);
    if (frame->line) vt_json_uint(json, "line", frame->line);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
  vt_json_end_object(json);
}

static void speedscope_profile(vt_json_t *json, vt_export_t const *export,
                               vt_stack_numbers_t const *stacks, vt_metric_t metric,
                               char const *name) {
  vt_analysis_t const *analysis = export->analysis;
  uint64_t end = 0;
  vt_json_object(json, NULL);
  vt_json_string(json, "type", "sampled");
  vt_json_string(json, "name", name);
  int counts = metric == VT_METRIC_COUNT || metric == VT_METRIC_TEMPORARY;
  vt_json_string(json, "unit", counts ? "none" : "bytes");
  vt_json_uint(json, "startValue", 0);
  vt_json_array(json, "samples");
  for (size_t i = 0; i < analysis->sites_cnt; i++) {
    if (analysis->sites[i].nested || !vt_metric_value(metric, &analysis->sites[i])) continue;
    end += vt_metric_value(metric, &analysis->sites[i]);
    fputs(json->first ? "\n" : ",\n", json->out);
    json->first = 0;
    putc('[', json->out);
    for (size_t k = stacks->starts[i + 1]; k-- > stacks->starts[i];)
      fprintf(json->out, "%u%s", stacks->numbers[k], k > stacks->starts[i] ? "," : "");
    putc(']', json->out);
  }
  vt_json_end_array(json);
  vt_json_array(json, "weights");
  for (size_t i = 0; i < analysis->sites_cnt; i++)
    if (!analysis->sites[i].nested && vt_metric_value(metric, &analysis->sites[i]))
      vt_json_uint(json, NULL, vt_metric_value(metric, &analysis->sites[i]));
  vt_json_end_array(json);
  vt_json_uint(json, "endValue", end);
  vt_json_end_object(json);
}

void vt_export_speedscope(vt_export_t const *export) {
  static struct {
    vt_metric_t metric;
    char const *name;
  } const profiles[] = {{VT_METRIC_LEAKED, "leaked"},
                        {VT_METRIC_PEAK, "peak"},
                        {VT_METRIC_ALLOCATED, "allocated bytes"},
                        {VT_METRIC_COUNT, "allocations"},
                        {VT_METRIC_TEMPORARY, "temporary"}};
  vt_frame_table_t table;
  vt_frame_table_init(&table, 0);
  vt_stack_numbers_t stacks = vt_export_number_stacks(export, &table);
  vt_json_t json = vt_json_start(export->out);
  vt_json_object(&json, NULL);
  vt_json_string(&json, "$schema", "https://www.speedscope.app/file-format-schema.json");
  vt_json_string(&json, "name", program(export));
  char exporter[240];
  vt_json_string(&json, "exporter", told(export, "valtrace", exporter, sizeof exporter));
  vt_json_uint(&json, "activeProfileIndex", 0);
  speedscope_frames(&json, &table);
  vt_json_array(&json, "profiles");
  for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++)
    if (profiles[i].metric != VT_METRIC_TEMPORARY || !export->analysis->sampled.untold)
      speedscope_profile(&json, export, &stacks, profiles[i].metric, profiles[i].name);
  vt_json_end_array(&json);
  vt_json_end_object(&json);
  vt_json_finish(&json);
  vt_export_free_numbers(&stacks);
  vt_frame_table_fini(&table);
}

/* ---- DHAT ---- */

static void dhat_head(vt_json_t *json, vt_export_t const *export) {
  vt_trace_info_t const *info = vt_reader_info(export->analysis->readers[0]);
  vt_json_uint(json, "dhatFileVersion", 2);
  vt_json_string(json, "mode", "heap");
  vt_json_string(json, "verb", "Allocated");
  vt_json_bool(json, "bklt", 1);
  vt_json_bool(json, "bkacc", 0);
  vt_json_string(json, "tu", "ns");
  vt_json_string(json, "Mtu", "ms");
  vt_json_uint(json, "tuth", 1000);
  char command[PATH_MAX + 240];
  vt_json_string(json, "cmd", told(export, info->executable, command, sizeof command));
  vt_json_uint(json, "pid", info->pid);
  vt_json_uint(json, "te", vt_reader_end_time(export->analysis->readers[0]));
  vt_json_uint(json, "tg", vt_model_totals(export->analysis->model)->peak_time_ns);
}

static int compare_stacks(void const *a, void const *b, void *context) {
  vt_stack_numbers_t const *stacks = context;
  uint32_t x = *(uint32_t const *)a, y = *(uint32_t const *)b;
  size_t x_cnt = stacks->starts[x + 1] - stacks->starts[x];
  size_t y_cnt = stacks->starts[y + 1] - stacks->starts[y];
  if (x_cnt != y_cnt) return x_cnt < y_cnt ? -1 : 1;
  if (!x_cnt) return 0;
  return memcmp(stacks->numbers + stacks->starts[x], stacks->numbers + stacks->starts[y],
                x_cnt * sizeof(uint32_t));
}

static void dhat_point(vt_json_t *json, vt_site_t const *sum, vt_stack_numbers_t const *stacks,
                       uint32_t site) {
  vt_json_object_line(json, NULL);
  vt_json_uint(json, "tb", sum->allocated_bytes);
  vt_json_uint(json, "tbk", sum->allocations);
  vt_json_uint(json, "tl", sum->lifetimes.sum);
  vt_json_uint(json, "mb", sum->max_bytes);
  vt_json_uint(json, "mbk", sum->max_blocks);
  vt_json_uint(json, "gb", sum->peak_bytes);
  vt_json_uint(json, "gbk", sum->peak_blocks);
  vt_json_uint(json, "eb", sum->leaked_bytes);
  vt_json_uint(json, "ebk", sum->leaked_blocks);
  vt_json_array(json, "fs");
  for (size_t k = stacks->starts[site]; k < stacks->starts[site + 1]; k++)
    vt_json_uint(json, NULL, stacks->numbers[k] + 1);
  if (stacks->starts[site] == stacks->starts[site + 1]) vt_json_uint(json, NULL, 0);
  vt_json_end_array(json);
  vt_json_end_object(json);
}

static void dhat_points(vt_json_t *json, vt_analysis_t const *analysis,
                        vt_stack_numbers_t *stacks) {
  uint32_t *order = vt_mem_new(analysis->sites_cnt + 1, sizeof *order);
  size_t cnt = 0;
  for (size_t i = 0; i < analysis->sites_cnt; i++)
    if (!analysis->sites[i].nested) order[cnt++] = (uint32_t)i;
  qsort_r(order, cnt, sizeof *order, compare_stacks, stacks);
  vt_json_array(json, "pps");
  for (size_t i = 0; i < cnt;) {
    vt_site_t sum = {.lifetimes = {.min = UINT64_MAX}};
    size_t first = i;
    for (; i < cnt && !compare_stacks(&order[first], &order[i], stacks); i++)
      vt_site_add(&sum, &analysis->sites[order[i]]);
    dhat_point(json, &sum, stacks, order[first]);
  }
  vt_json_end_array(json);
  free(order);
}

static void dhat_frames(vt_json_t *json, vt_frame_table_t const *table) {
  char buffer[300];
  vt_json_array(json, "ftbl");
  vt_json_string(json, NULL, "[root]");
  for (size_t i = 0; i < table->frames_cnt; i++) {
    vt_stack_frame_t const *frame = &table->frames[i];
    char const *name = vt_frame_name(frame, buffer, sizeof buffer), *place = frame->file;
    char *text = NULL;
    int sz =
        place[0]
            ? asprintf(&text, "0x%" PRIx64 ": %s (%s:%u)", frame->offset, name, place, frame->line)
            : asprintf(&text, "0x%" PRIx64 ": %s (in %s)", frame->offset, name, frame->module);
    vt_json_string(json, NULL, sz < 0 ? name : text);
    if (sz >= 0) free(text);
  }
  vt_json_end_array(json);
}

void vt_export_dhat(vt_export_t const *export) {
  vt_frame_table_t table;
  vt_frame_table_init(&table, 1);
  vt_stack_numbers_t stacks = vt_export_number_stacks(export, &table);
  vt_json_t json = vt_json_start(export->out);
  vt_json_object(&json, NULL);
  dhat_head(&json, export);
  dhat_points(&json, export->analysis, &stacks);
  dhat_frames(&json, &table);
  vt_json_end_object(&json);
  vt_json_finish(&json);
  vt_export_free_numbers(&stacks);
  vt_frame_table_fini(&table);
}
