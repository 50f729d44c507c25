/* SARIF 2.1.0 (OASIS): a rule for each check, a result for each place of one that failed, with the
   stack. Files in the current folder are relative to SRCROOT, as code scanning expects them; other
   relative names, of libraries, are relative to a folder that nobody knows. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "analyzer/gate/gate.h"
#include "analyzer/report/json.h"
#include "analyzer/util/mem.h"

#define ROOT    "SRCROOT"
#define FRAMES  100 /* of a stack */
#define LARGEST "the largest of the stacks that allocated here"

/* A path as a URI reference (RFC 3986): everything but unreserved characters and / is escaped. */
static char *uri_of(char const *prefix, char const *path, char const *suffix) {
  static char const plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
  char *uri = vt_mem_new(strlen(prefix) + 3 * strlen(path) + strlen(suffix) + 1, 1), *end = uri;
  end += sprintf(end, "%s", prefix);
  for (; *path; path++)
    end += sprintf(end, strchr(plain, *path) ? "%c" : "%%%02X", (unsigned char)*path);
  sprintf(end, "%s", suffix);
  return uri;
}

static void message(vt_json_t *json, char const *key, char const *text) {
  vt_json_object_line(json, key);
  vt_json_string(json, "text", text);
  vt_json_end_object(json);
}

static void physical(vt_json_t *json, char const *file, uint32_t line) {
  char *uri = uri_of(file[0] == '/' ? "file://" : "", file, "");
  vt_json_object(json, "physicalLocation");
  vt_json_object_line(json, "artifactLocation");
  vt_json_string(json, "uri", uri);
  if (file[0] != '/' && !access(file, F_OK)) vt_json_string(json, "uriBaseId", ROOT);
  vt_json_end_object(json);
  if (line) {
    vt_json_object_line(json, "region");
    vt_json_uint(json, "startLine", line);
    vt_json_end_object(json);
  }
  vt_json_end_object(json);
  free(uri);
}

static void logical(vt_json_t *json, char const *function) {
  vt_json_array(json, "logicalLocations");
  vt_json_object_line(json, NULL);
  vt_json_string(json, "fullyQualifiedName", function);
  vt_json_string(json, "kind", "function");
  vt_json_end_object(json);
  vt_json_end_array(json);
}

static void frame(vt_json_t *json, vt_stack_frame_t const *at) {
  char buffer[1024];
  char *path = vt_gate_path(at->file);
  vt_json_object(json, NULL);
  vt_json_object(json, "location");
  if (path[0]) physical(json, path, at->line);
  logical(json, vt_frame_name(at, buffer, sizeof buffer));
  vt_json_end_object(json);
  if (at->module[0]) vt_json_string(json, "module", at->module);
  vt_json_end_object(json);
  free(path);
}

static void stack(vt_json_t *json, vt_gate_place_t const *place) {
  vt_expanded_t frames = {0};
  vt_gate_stack(place, &frames);
  vt_json_array(json, "stacks");
  vt_json_object(json, NULL);
  message(json, "message", frames.frames_cnt > FRAMES ? LARGEST ", its inner end" : LARGEST);
  vt_json_array(json, "frames");
  for (size_t i = 0; i < frames.frames_cnt && i < FRAMES; i++) frame(json, &frames.frames[i]);
  vt_json_end_array(json);
  vt_json_end_object(json);
  vt_json_end_array(json);
  free(frames.frames);
}

static void location(vt_json_t *json, vt_gate_place_t const *place) {
  vt_json_array(json, "locations");
  vt_json_object(json, NULL);
  if (place->file[0]) physical(json, place->file, place->line);
  logical(json, place->function);
  vt_json_end_object(json);
  vt_json_end_array(json);
}

/* place NULL: nowhere in particular. */
static void result(vt_json_t *json, vt_gate_check_t const *check, size_t rule,
                   vt_gate_place_t const *place) {
  char text[2048];
  snprintf(text, sizeof text, "%s%s%s", place ? place->text : "", place ? "; " : "", check->text);
  vt_json_object(json, NULL);
  vt_json_string(json, "ruleId", check->name);
  vt_json_uint(json, "ruleIndex", rule);
  vt_json_string(json, "level", "error");
  message(json, "message", text);
  if (place) {
    location(json, place);
    stack(json, place);
  }
  vt_json_end_object(json);
}

static void driver(vt_json_t *json, vt_gate_t const *gate) {
  vt_json_object(json, "tool");
  vt_json_object(json, "driver");
  vt_json_string(json, "name", "valtrace");
  vt_json_array(json, "rules");
  for (size_t i = 0; i < gate->checks_cnt; i++) {
    vt_json_object(json, NULL);
    vt_json_string(json, "id", gate->checks[i].name);
    message(json, "shortDescription", gate->checks[i].text);
    vt_json_end_object(json);
  }
  vt_json_end_array(json);
  vt_json_end_object(json);
  vt_json_end_object(json);
}

static void root(vt_json_t *json) {
  char here[PATH_MAX];
  if (!getcwd(here, sizeof here)) return;
  char *uri = uri_of("file://", here, here[1] ? "/" : "");
  vt_json_object(json, "originalUriBaseIds");
  vt_json_object_line(json, ROOT);
  vt_json_string(json, "uri", uri);
  vt_json_end_object(json);
  vt_json_end_object(json);
  free(uri);
}

void vt_gate_sarif(vt_gate_t const *gate, FILE *out) {
  vt_json_t json = vt_json_start(out);
  vt_json_object(&json, NULL);
  vt_json_string(&json, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
  vt_json_string(&json, "version", "2.1.0");
  vt_json_array(&json, "runs");
  vt_json_object(&json, NULL);
  driver(&json, gate);
  root(&json);
  vt_json_array(&json, "results");
  for (size_t i = 0; i < gate->checks_cnt; i++) {
    vt_gate_check_t const *check = &gate->checks[i];
    if (!check->failed) continue;
    for (size_t k = 0; k < check->places_cnt; k++) result(&json, check, i, &check->places[k]);
    if (!check->places_cnt) result(&json, check, i, NULL);
  }
  vt_json_end_array(&json);
  vt_json_end_object(&json);
  vt_json_end_array(&json);
  vt_json_end_object(&json);
  vt_json_finish(&json);
}
