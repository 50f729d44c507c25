/* pprof's profile.proto, gzipped: protocol buffer fields written by hand, one message at a time
   into a small buffer. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "analyzer/export/export.h"
#include "analyzer/export/frame_table.h"
#include "analyzer/util/mem.h"
#include "analyzer/util/strings.h"

typedef struct {
  uint8_t *p;
  size_t p_cnt, p_cap;
} message_t;

typedef struct {
  vt_export_t const *export;
  vt_strings_t *strings;
  z_stream zip;
  uint8_t *located;           /* by location id: written */
  vt_frame_table_t functions; /* line and module left out; function id = number + 1 */
  uint32_t *modules;          /* strings of module paths; mapping id = index + 1 */
  size_t modules_cnt, modules_cap;
} profile_t;

static void put_varint(message_t *m, uint64_t value) {
  for (; value >= 0x80; value >>= 7) {
    uint8_t byte = (uint8_t)(value | 0x80);
    VT_PUSH(m->p, byte);
  }
  uint8_t last = (uint8_t)value;
  VT_PUSH(m->p, last);
}

static void put_uint(message_t *m, unsigned field, uint64_t value) {
  if (!value) return;
  put_varint(m, field << 3);
  put_varint(m, value);
}

static void put_bytes(message_t *m, unsigned field, void const *p, size_t sz) {
  put_varint(m, field << 3 | 2);
  put_varint(m, sz);
  for (size_t i = 0; i < sz; i++) VT_PUSH(m->p, ((uint8_t const *)p)[i]);
}

static void deflate_to(profile_t *profile, void const *p, size_t sz, int flush) {
  uint8_t out[16384];
  profile->zip.next_in = (Bytef *)p;
  profile->zip.avail_in = (uInt)sz;
  do {
    profile->zip.next_out = out;
    profile->zip.avail_out = sizeof out;
    deflate(&profile->zip, flush);
    fwrite(out, 1, sizeof out - profile->zip.avail_out, profile->export->out);
  } while (!profile->zip.avail_out);
}

/* Writes a message as a field of the profile and empties it. */
static void emit(profile_t *profile, unsigned field, message_t *m) {
  message_t outer = {0};
  put_bytes(&outer, field, m->p, m->p_cnt);
  deflate_to(profile, outer.p, outer.p_cnt, Z_NO_FLUSH);
  free(outer.p);
  m->p_cnt = 0;
}

static uint64_t string(profile_t *profile, char const *text) {
  return vt_strings_intern_cstr(profile->strings, text);
}

static void emit_value_type(profile_t *profile, unsigned field, char const *type,
                            char const *unit) {
  message_t m = {0};
  put_uint(&m, 1, string(profile, type));
  put_uint(&m, 2, string(profile, unit));
  emit(profile, field, &m);
  free(m.p);
}

static uint64_t mapping_id(profile_t *profile, char const *path) {
  uint32_t name = (uint32_t)string(profile, path);
  for (size_t i = 0; i < profile->modules_cnt; i++)
    if (profile->modules[i] == name) return i + 1;
  VT_PUSH(profile->modules, name);
  return profile->modules_cnt;
}

static uint64_t function_id(profile_t *profile, vt_stack_frame_t frame) {
  frame.line = 0;
  frame.inlined = 0;
  if (frame.function[0]) frame.module = "";
  return vt_frame_table_add(&profile->functions, &frame) + 1;
}

/* A node as a location. The innermost one of a stack is another location, because its allocator
   frames are hidden. */
static uint64_t location_id(profile_t *profile, uint32_t node, int innermost) {
  vt_export_t const *export = profile->export;
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  uint64_t id = 2 * (uint64_t)node + (uint64_t)innermost;
  if (profile->located[id]) return id;
  profile->located[id] = 1;
  int hide = innermost && !export->report->keep_allocators;
  size_t cnt = vt_stacks_frames(export->analysis->stacks, node, hide, frames);
  message_t m = {0}, line = {0};
  put_uint(&m, 1, id);
  if (frames[0].module[0]) put_uint(&m, 2, mapping_id(profile, frames[0].module));
  put_uint(&m, 3, frames[0].offset);
  for (size_t i = 0; i < cnt; i++) {
    if (export->report->no_inlines && frames[i].inlined) continue;
    line.p_cnt = 0;
    put_uint(&line, 1, function_id(profile, frames[i]));
    put_uint(&line, 2, frames[i].line);
    put_bytes(&m, 4, line.p, line.p_cnt);
  }
  emit(profile, 4, &m);
  free(m.p);
  free(line.p);
  return id;
}

/* The label Go's heap profiles have: the size of a block, here the mean of the site's. */
static void put_size_label(profile_t *profile, message_t *sample, vt_site_t const *site) {
  message_t label = {0};
  if (!site->allocations) return;
  put_uint(&label, 1, string(profile, "bytes"));
  put_uint(&label, 3, site->allocated_bytes / site->allocations);
  put_uint(&label, 4, string(profile, "bytes"));
  put_bytes(sample, 3, label.p, label.p_cnt);
  free(label.p);
}

/* What became of the live blocks, where there is a verdict. */
static struct {
  vt_metric_t metric;
  char const *objects, *space;
} const kinds[] = {{VT_METRIC_LOST, "lost_objects", "lost_space"},
                   {VT_METRIC_POSSIBLE, "possible_objects", "possible_space"},
                   {VT_METRIC_REACHABLE, "reachable_objects", "reachable_space"}};
#define KINDS (sizeof kinds / sizeof *kinds)

static void emit_site(profile_t *profile, vt_site_t const *site) {
  vt_export_t const *export = profile->export;
  message_t m = {0}, ids = {0}, values = {0};
  for (uint32_t node = site->node; node; node = vt_stacks_parent(export->analysis->stacks, node))
    put_varint(&ids, location_id(profile, node, node == site->node));
  int peak = export->metric == VT_METRIC_PEAK;
  put_varint(&values, site->allocations);
  put_varint(&values, site->allocated_bytes);
  put_varint(&values, peak ? site->peak_blocks : site->leaked_blocks);
  put_varint(&values, peak ? site->peak_bytes : site->leaked_bytes);
  for (size_t k = 0; k < KINDS && export->analysis->verdicts; k++) {
    put_varint(&values, vt_metric_blocks(kinds[k].metric, site));
    put_varint(&values, vt_metric_bytes(kinds[k].metric, site));
  }
  put_bytes(&m, 1, ids.p, ids.p_cnt);
  put_bytes(&m, 2, values.p, values.p_cnt);
  put_size_label(profile, &m, site);
  emit(profile, 2, &m);
  free(m.p);
  free(ids.p);
  free(values.p);
}

static void emit_mappings(profile_t *profile) {
  message_t m = {0};
  for (size_t i = 0; i < profile->modules_cnt; i++) {
    put_uint(&m, 1, i + 1);
    put_uint(&m, 3, UINT64_MAX >> 1);
    put_uint(&m, 5, profile->modules[i]);
    for (unsigned field = 7; field <= 10; field++) put_uint(&m, field, 1); /* symbolized */
    emit(profile, 3, &m);
  }
  free(m.p);
}

static void emit_functions(profile_t *profile) {
  message_t m = {0};
  char buffer[300];
  for (size_t i = 0; i < profile->functions.frames_cnt; i++) {
    vt_stack_frame_t const *frame = &profile->functions.frames[i];
    uint64_t name = string(profile, vt_frame_name(frame, buffer, sizeof buffer));
    put_uint(&m, 1, i + 1);
    put_uint(&m, 2, name);
    put_uint(&m, 3, name);
    put_uint(&m, 4, string(profile, frame->file));
    emit(profile, 5, &m);
  }
  free(m.p);
}

/* Text as protocol buffers want it: what is no UTF-8 becomes U+FFFD. */
static void put_string(message_t *m, unsigned field, char const *text, size_t sz) {
  size_t used;
  char *valid = vt_json_utf8(text, sz, &used);
  put_bytes(m, field, valid, used);
  free(valid);
}

/* The numbers of the whole profile and, last of all, the strings. */
static void emit_rest(profile_t *profile) {
  vt_reader_t const *reader = profile->export->analysis->readers[0];
  message_t m = {0};
  put_uint(&m, 9, vt_reader_info(reader)->start_unix_ns);
  put_uint(&m, 10, vt_reader_end_time(reader));
  uint64_t period = profile->export->analysis->sampled.period;
  put_uint(&m, 12, period ? period : 1);
  if (period) put_uint(&m, 13, string(profile, "estimates of all blocks, from a sample of one in so many bytes as the period says"));
  if (vt_export_unsure(profile->export)) put_uint(&m, 13, string(profile, VT_EXPORT_UNSURE));
  put_uint(&m, 14, string(profile, "inuse_space"));
  for (uint32_t i = 0; i < vt_strings_cnt(profile->strings); i++) {
    size_t sz;
    char const *text = vt_strings_get(profile->strings, i, &sz);
    put_string(&m, 6, text, sz);
  }
  deflate_to(profile, m.p, m.p_cnt, Z_FINISH);
  free(m.p);
}

void vt_export_pprof(vt_export_t const *export) {
  profile_t profile = {.export = export, .strings = vt_strings_new()};
  vt_analysis_t const *analysis = export->analysis;
  if (deflateInit2(&profile.zip, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return;
  profile.located = vt_mem_new(2 * (size_t)vt_stacks_cnt(analysis->stacks) + 2, 1);
  vt_frame_table_init(&profile.functions, 0);
  emit_value_type(&profile, 1, "alloc_objects", "count");
  emit_value_type(&profile, 1, "alloc_space", "bytes");
  emit_value_type(&profile, 1, "inuse_objects", "count");
  emit_value_type(&profile, 1, "inuse_space", "bytes");
  for (size_t k = 0; k < KINDS && analysis->verdicts; k++) {
    emit_value_type(&profile, 1, kinds[k].objects, "count");
    emit_value_type(&profile, 1, kinds[k].space, "bytes");
  }
  emit_value_type(&profile, 11, "space", "bytes");
  mapping_id(&profile, vt_reader_info(analysis->readers[0])->executable); /* the first names it */
  for (size_t i = 0; i < analysis->sites_cnt; i++)
    if (!analysis->sites[i].nested) emit_site(&profile, &analysis->sites[i]);
  emit_mappings(&profile);
  emit_functions(&profile);
  emit_rest(&profile);
  deflateEnd(&profile.zip);
  vt_frame_table_fini(&profile.functions);
  vt_strings_delete(profile.strings);
  free(profile.located);
  free(profile.modules);
}
