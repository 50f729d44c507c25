/* One merged trie of stacks for all traces; see stacks.h. What a node stands for is a place in
   code: (module of the symbol store, offset), so that equal code is one place in every trace. Generated
   code that has a name is at the place (module "[jit]", number of the name), wherever it lies. There
   are far fewer places than nodes; whatever takes a look at names is done once for each place. */
#include "analyzer/report/stacks.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "analyzer/report/roles.h"
#include "analyzer/report/virtual_code.h"
#include "analyzer/trace/embed.h"
#include "analyzer/util/mem.h"

#define NO_MODULE UINT32_MAX

typedef struct {
  uint32_t module; /* in the symbol store; NO_MODULE */
  uint32_t frames_cnt;
  uint64_t offset;
  vt_frame_t const *frames; /* after vt_stacks_symbolize; owned by the symbol store */
  /* After vt_stacks_symbolize: all its functions are allocators; all are run-time; the one that is
     not inlined is. */
  uint8_t hidden, runtime, outer_runtime;
  uint8_t is_elsewhere; /* code of a module, met where only the program mapped it: no tables tell of its frames */
  uint8_t is_virtual; /* a function of an interpreted language: its name is no C function's */
} place_t;

typedef struct {
  uint32_t place, parent;
  uint32_t first; /* its first callee; most have no other */
} node_t;

/* Which index has a hash: an open-addressing table of indexes that are not 0, at most half full. */
typedef struct {
  uint32_t *slots;
  size_t mask, used;
} index_t;

struct vt_stacks {
  vt_symbols_t *symbols;
  node_t *nodes; /* [0] is "no stack"; a vt_mem_table */
  size_t nodes_cnt, nodes_cap;
  place_t *places; /* [0] is nowhere */
  size_t places_cnt, places_cap;
  index_t node_index; /* callees that are not the first of their caller */
  index_t place_index;
  uint32_t *classes; /* by string: what a function of that name is, once asked for, … */
  uint32_t *module_classes, *file_classes; /* … and a module, a file */
  size_t classes_cnt;
  int native; /* interpreters' own functions have nodes */
  uint32_t *module_paths; /* by module of the store: string */
  size_t module_paths_cnt, module_paths_cap;
  uint32_t jit; /* module of generated code that has names; NO_MODULE: there is none */
};

static index_t new_index(size_t cnt) {
  return (index_t){.slots = vt_mem_table(cnt, sizeof(uint32_t)), .mask = cnt - 1};
}

static void free_index(index_t *index) {
  vt_mem_table_free(index->slots, index->mask + 1, sizeof *index->slots);
}

static uint32_t add_node(vt_stacks_t *stacks, node_t node) {
  VT_TABLE_PUSH(stacks->nodes, node);
  return (uint32_t)stacks->nodes_cnt - 1;
}

vt_stacks_t *vt_stacks_new(vt_symbols_search_t const *search) {
  vt_stacks_t *stacks = vt_mem_new(1, sizeof *stacks);
  stacks->symbols = vt_symbols_new();
  stacks->jit = NO_MODULE;
  vt_symbols_search(stacks->symbols, search);
  stacks->node_index = new_index(4096);
  stacks->place_index = new_index(1024);
  VT_PUSH(stacks->places, ((place_t){.module = NO_MODULE}));
  add_node(stacks, (node_t){0});
  return stacks;
}

void vt_stacks_native(vt_stacks_t *stacks) { stacks->native = 1; }

void vt_stacks_delete(vt_stacks_t *stacks) {
  if (!stacks) return;
  vt_symbols_delete(stacks->symbols);
  vt_mem_table_free(stacks->nodes, stacks->nodes_cap, sizeof *stacks->nodes);
  free(stacks->places);
  free_index(&stacks->node_index);
  free_index(&stacks->place_index);
  free(stacks->classes);
  free(stacks->module_classes);
  free(stacks->file_classes);
  free(stacks->module_paths);
  free(stacks);
}

static size_t mix(uint64_t a, uint64_t b) {
  uint64_t h = (a ^ b << 44) * 0x9e3779b97f4a7c15u;
  h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
  return (size_t)(h >> 20);
}
static size_t hash_node(node_t const *node) {
  return mix((uint64_t)node->parent << 32 | node->place, 0);
}
static size_t hash_place(place_t const *place) { return mix(place->offset, place->module); }

/* find_node and find_place are the slot of an equal one, or the free slot where it belongs. */
static uint32_t *find_node(vt_stacks_t const *stacks, node_t const *node) {
  index_t const *index = &stacks->node_index;
  size_t at = hash_node(node) & index->mask;
  for (; index->slots[at]; at = (at + 1) & index->mask) {
    node_t const *have = &stacks->nodes[index->slots[at]];
    if (have->place == node->place && have->parent == node->parent) break;
  }
  return &index->slots[at];
}

static uint32_t *find_place(vt_stacks_t const *stacks, place_t const *place) {
  index_t const *index = &stacks->place_index;
  size_t at = hash_place(place) & index->mask;
  for (; index->slots[at]; at = (at + 1) & index->mask) {
    place_t const *have = &stacks->places[index->slots[at]];
    if (have->offset == place->offset && have->module == place->module) break;
  }
  return &index->slots[at];
}

/* Is there no room for one more? Then the index is emptied, with twice the slots. */
static int outgrown(index_t *index) {
  if (2 * ++index->used <= index->mask) return 0;
  size_t cnt = 2 * (index->mask + 1), used = index->used;
  free_index(index);
  *index = new_index(cnt);
  index->used = used;
  return 1;
}

static uint32_t intern_place(vt_stacks_t *stacks, uint32_t module, uint64_t offset) {
  place_t place = {.module = module, .offset = offset};
  uint32_t *slot = find_place(stacks, &place);
  if (*slot) return *slot;
  uint32_t number = *slot = (uint32_t)stacks->places_cnt;
  VT_PUSH(stacks->places, place);
  if (outgrown(&stacks->place_index))
    for (uint32_t i = 1; i < stacks->places_cnt; i++) *find_place(stacks, &stacks->places[i]) = i;
  return number;
}

static int is_first(vt_stacks_t const *stacks, uint32_t number) {
  return stacks->nodes[stacks->nodes[number].parent].first == number;
}

static uint32_t intern_node(vt_stacks_t *stacks, uint32_t place, uint32_t parent) {
  node_t node = {.place = place, .parent = parent};
  uint32_t first = stacks->nodes[parent].first;
  if (!first) {
    uint32_t number = add_node(stacks, node);
    stacks->nodes[parent].first = number;
    return number;
  }
  if (stacks->nodes[first].place == place) return first;
  uint32_t *slot = find_node(stacks, &node);
  if (*slot) return *slot;
  uint32_t number = *slot = add_node(stacks, node);
  if (outgrown(&stacks->node_index))
    for (uint32_t i = 1; i <= number; i++)
      if (!is_first(stacks, i)) *find_node(stacks, &stacks->nodes[i]) = i;
  return number;
}

/* ---- one trace ---- */

static void set_module_path(vt_stacks_t *stacks, uint32_t module, char const *path) {
  while (stacks->module_paths_cnt <= module) VT_PUSH(stacks->module_paths, 0);
  stacks->module_paths[module] = vt_strings_intern_cstr(vt_symbols_strings(stacks->symbols), path);
}

static uint32_t *add_modules(vt_stacks_t *stacks, vt_reader_t const *reader) {
  size_t cnt;
  vt_trace_module_t const *modules = vt_reader_modules(reader, &cnt);
  uint32_t *map = vt_mem_new(cnt ? cnt : 1, sizeof *map);
  for (size_t i = 0; i < cnt; i++) {
    map[i] = vt_embed_module(stacks->symbols, reader, i);
    set_module_path(stacks, map[i], modules[i].path);
  }
  return map;
}

typedef struct {
  vt_symbols_t *store;
  uint32_t *modules; /* by the trace's module: number in the store */
  uint8_t *read;     /* the same: its file was read where it was recorded, since it has names */
  vt_symbols_query_t *unknown;
  size_t unknown_cnt, unknown_cap;
} embedded_t;

static void take_embedded(void *context, uint32_t module, uint64_t offset,
                          vt_trace_symbol_t const *symbols, size_t cnt) {
  embedded_t *embedded = context;
  vt_symbols_t *store = embedded->store;
  vt_frame_t frames[VT_STACKS_FRAMES_MAX];
  if (!cnt) {
    VT_PUSH(embedded->unknown, ((vt_symbols_query_t){module, offset}));
    return;
  }
  embedded->read[module] = 1;
  if (cnt > VT_STACKS_FRAMES_MAX) cnt = VT_STACKS_FRAMES_MAX;
  for (size_t i = 0; i < cnt; i++)
    frames[i] = (vt_frame_t){vt_strings_intern_cstr(vt_symbols_strings(store), symbols[i].function),
                             vt_strings_intern_cstr(vt_symbols_strings(store), symbols[i].file),
                             symbols[i].line, i + 1 < cnt};
  vt_symbols_put(store, embedded->modules[module], offset, frames, cnt);
}

void vt_stacks_take_symbols(vt_stacks_t *stacks, vt_reader_t const *reader) {
  size_t cnt;
  vt_reader_modules(reader, &cnt);
  embedded_t embedded = {.store = stacks->symbols,
                         .modules = add_modules(stacks, reader),
                         .read = vt_mem_new(cnt + 1, 1)};
  vt_reader_symbols(reader, take_embedded, &embedded);
  for (size_t i = 0; i < embedded.unknown_cnt; i++) {
    vt_symbols_query_t const *unknown = &embedded.unknown[i];
    if (embedded.read[unknown->module])
      vt_symbols_put(stacks->symbols, embedded.modules[unknown->module], unknown->offset, NULL, 0);
  }
  free(embedded.unknown);
  free(embedded.read);
  free(embedded.modules);
}

#define JIT_NAMES_MAX 3
#define JIT_TEXT_SZ   4096

/* The name of generated code; one that has had several, as code was replaced, has all of them. Returns
   a string of the store, 0: none. */
static uint32_t jit_name(vt_stacks_t *stacks, vt_reader_t const *reader, uint64_t address) {
  char const *names[JIT_NAMES_MAX + 1];
  char text[JIT_TEXT_SZ];
  size_t cnt = vt_reader_jit_at(reader, address, names, JIT_NAMES_MAX + 1), sz = 0;
  if (!cnt) return 0;
  if (cnt == 1) return vt_strings_intern_cstr(vt_symbols_strings(stacks->symbols), names[0]);
  for (size_t i = 0; i < cnt && i < JIT_NAMES_MAX && sz < sizeof text; i++)
    sz += (size_t)snprintf(text + sz, sizeof text - sz, "%s%.1000s", i ? " or " : "", names[i]);
  if (cnt > JIT_NAMES_MAX && sz < sizeof text)
    snprintf(text + sz, sizeof text - sz, " or others");
  return vt_strings_intern_cstr(vt_symbols_strings(stacks->symbols), text);
}

/* The place of code outside of all modules. */
static uint32_t generated_place(vt_stacks_t *stacks, vt_reader_t const *reader, uint64_t address) {
  uint32_t name = jit_name(stacks, reader, address);
  if (!name) return intern_place(stacks, NO_MODULE, address);
  if (stacks->jit == NO_MODULE) {
    stacks->jit = vt_symbols_module(stacks->symbols, &(vt_symbols_file_t){.path = VT_STACKS_JIT, .fd = -1});
    set_module_path(stacks, stacks->jit, VT_STACKS_JIT);
  }
  vt_frame_t frame = {.function = name};
  vt_symbols_put(stacks->symbols, stacks->jit, name, &frame, 1);
  return intern_place(stacks, stacks->jit, name);
}

static uint32_t virtual_place(vt_stacks_t *stacks, vt_reader_t const *reader, uint64_t pc) {
  vt_symbols_query_t at = vt_virtual_code(stacks->symbols, reader, pc);
  uint32_t place = intern_place(stacks, at.module, at.offset);
  set_module_path(stacks, at.module, vt_virtual_language(pc));
  stacks->places[place].is_virtual = 1;
  return place;
}

/* The node for a trace's node whose parent is mapped; epoch roots map to 0. */
static uint32_t map_node(vt_stacks_t *stacks, vt_reader_t const *reader, uint32_t const *modules,
                         uint32_t epoch, uint64_t pc, uint32_t parent) {
  uint64_t offset;
  if (vt_virtual_is(pc)) return intern_node(stacks, virtual_place(stacks, reader, pc), parent);
  uint32_t place, at = vt_reader_code_at(reader, epoch, pc, &offset);
  if (pc <= VT_ADDRESS_CUT)
    place = intern_place(stacks, NO_MODULE, pc);
  else if (at == VT_NO_MODULE)
    place = generated_place(stacks, reader, pc - 1);
  else
    place = intern_place(stacks, modules[at], offset);
  stacks->places[place].is_elsewhere |= at != VT_NO_MODULE && vt_reader_module_at(reader, epoch, pc - 1) == VT_NO_MODULE;
  return intern_node(stacks, place, parent);
}

/* needed_nodes marks the stacks that are used and their callers. */
static uint8_t *needed_nodes(vt_trace_stacks_t const *trie, uint8_t const *used) {
  uint8_t *needed = vt_mem_new(trie->cnt + 1, 1);
  for (uint32_t id = trie->cnt; id-- > 1;) {
    needed[id] |= used[id];
    if (needed[id] && trie->parent[id] < id) needed[trie->parent[id]] = 1;
  }
  return needed;
}

uint32_t *vt_stacks_add(vt_stacks_t *stacks, vt_reader_t const *reader, uint8_t const *used) {
  vt_trace_stacks_t trie = vt_reader_stacks(reader);
  uint32_t *modules = add_modules(stacks, reader);
  uint32_t *map = vt_mem_new(trie.cnt + 1, sizeof *map);
  uint32_t *epoch = vt_mem_table(trie.cnt, sizeof *epoch);
  uint8_t *needed = needed_nodes(&trie, used);
  vt_interpreter_t *folds = stacks->native ? NULL : vt_interpreter_find(reader);
  for (uint32_t id = 1; id < trie.cnt; id++) {
    uint32_t parent = trie.parent[id];
    epoch[id] = parent && parent < id ? epoch[parent] : (uint32_t)trie.pc[id];
    if (!needed[id] || !parent || parent >= id) continue;
    if (folds && vt_interpreter_folds(folds, id, epoch[id]))
      map[id] = map[parent];
    else
      map[id] = map_node(stacks, reader, modules, epoch[id], trie.pc[id], map[parent]);
  }
  vt_interpreter_delete(folds);
  free(needed);
  vt_mem_table_free(epoch, trie.cnt, sizeof *epoch);
  free(modules);
  return map;
}

/* ---- which functions are worth a user's attention ---- */

/* What is kept of a string that was asked for; classes of names and modules use other bits. */
#define KNOWN 0x80000000u

static uint32_t class_of(vt_stacks_t const *stacks, uint32_t *classes, uint32_t string,
                         uint32_t (*classify)(char const *)) {
  if (string >= stacks->classes_cnt) return 0;
  if (!(classes[string] & KNOWN))
    classes[string] =
        KNOWN | classify(vt_strings_get(vt_symbols_strings(stacks->symbols), string, NULL));
  return classes[string];
}

static uint32_t module_class(vt_stacks_t const *stacks, place_t const *place) {
  if (place->module == NO_MODULE) return 0;
  return class_of(stacks, stacks->module_classes, stacks->module_paths[place->module],
                  vt_role_module_class);
}

/* The roles of one of a place's functions. */
static unsigned roles_of(vt_stacks_t const *stacks, place_t const *place, vt_frame_t const *frame) {
  if (place->is_virtual) return 0;
  uint32_t name = class_of(stacks, stacks->classes, frame->function, vt_role_name_class);
  uint32_t file = class_of(stacks, stacks->file_classes, frame->file, vt_role_file_class);
  return vt_role_of(name, module_class(stacks, place), file);
}

/* The roles of a place without names. */
static unsigned bare_roles(vt_stacks_t const *stacks, place_t const *place) {
  if (place->module == NO_MODULE) return place->offset <= VT_ADDRESS_CUT ? VT_ROLE_LIBRARY : 0;
  return vt_role_of(0, module_class(stacks, place), 0);
}

static void start_classes(vt_stacks_t *stacks) {
  free(stacks->classes);
  free(stacks->module_classes);
  free(stacks->file_classes);
  stacks->classes_cnt = vt_strings_cnt(vt_symbols_strings(stacks->symbols));
  stacks->classes = vt_mem_new(stacks->classes_cnt, sizeof *stacks->classes);
  stacks->module_classes = vt_mem_new(stacks->classes_cnt, sizeof *stacks->module_classes);
  stacks->file_classes = vt_mem_new(stacks->classes_cnt, sizeof *stacks->file_classes);
}

/* ---- functions ---- */

/* What a site is not named after. */
#define RUNTIME (VT_ROLE_ALLOCATOR | VT_ROLE_WRAPPER | VT_ROLE_LIBRARY)

static void classify(vt_stacks_t const *stacks, place_t *place) {
  int allocators = place->frames_cnt != 0, runtime = 1;
  unsigned roles = bare_roles(stacks, place);
  for (uint32_t i = 0; i < place->frames_cnt; i++) {
    roles = roles_of(stacks, place, &place->frames[i]);
    allocators &= (roles & VT_ROLE_ALLOCATOR) != 0;
    runtime &= (roles & RUNTIME) != 0;
  }
  place->hidden = (uint8_t)allocators;
  place->runtime = (uint8_t)(runtime && roles & RUNTIME);
  place->outer_runtime = (roles & RUNTIME) != 0;
}

size_t vt_stacks_symbolize(vt_stacks_t *stacks) {
  vt_symbols_query_t *queries = vt_mem_new(stacks->places_cnt, sizeof *queries);
  size_t cnt = 0;
  for (size_t i = 1; i < stacks->places_cnt; i++)
    if (stacks->places[i].module != NO_MODULE)
      queries[cnt++] = (vt_symbols_query_t){stacks->places[i].module, stacks->places[i].offset};
  size_t failed = vt_symbols_resolve(stacks->symbols, queries, cnt);
  free(queries);
  start_classes(stacks);
  for (uint32_t i = 1; i < stacks->places_cnt; i++) {
    place_t *place = &stacks->places[i];
    if (place->module != NO_MODULE)
      place->frames_cnt = (uint32_t)vt_symbols_frames(stacks->symbols, place->module, place->offset,
                                                      &place->frames);
    if (place->frames_cnt > VT_STACKS_FRAMES_MAX) place->frames_cnt = VT_STACKS_FRAMES_MAX;
    classify(stacks, place);
  }
  return failed;
}

char const *vt_stacks_module(vt_stacks_t const *stacks, uint32_t module,
                             vt_symbols_problem_t *problem, char const **missing) {
  if (module >= stacks->module_paths_cnt) return NULL;
  *problem = vt_symbols_problem(stacks->symbols, module, missing);
  return vt_strings_get(vt_symbols_strings(stacks->symbols), stacks->module_paths[module], NULL);
}

uint32_t vt_stacks_skip_allocators(vt_stacks_t const *stacks, uint32_t node) {
  uint32_t at = node;
  while (at && stacks->places[stacks->nodes[at].place].hidden) at = stacks->nodes[at].parent;
  return at ? at : node;
}

uint32_t vt_stacks_owner(vt_stacks_t const *stacks, uint32_t node, int no_inlines) {
  for (; node; node = stacks->nodes[node].parent) {
    place_t const *place = &stacks->places[stacks->nodes[node].place];
    if (!(no_inlines ? place->outer_runtime : place->runtime)) break;
  }
  return node;
}

uint32_t vt_stacks_place(vt_stacks_t const *stacks, uint32_t node) {
  return stacks->nodes[node].place;
}

uint32_t vt_stacks_places_cnt(vt_stacks_t const *stacks) { return (uint32_t)stacks->places_cnt; }

vt_code_t vt_stacks_code(vt_stacks_t const *stacks, uint32_t node) {
  place_t const *place = &stacks->places[stacks->nodes[node].place];
  if (place->module == stacks->jit && place->module != NO_MODULE) return VT_CODE_GENERATED;
  if (place->module != NO_MODULE) return place->is_elsewhere ? VT_CODE_GENERATED : VT_CODE_MODULE;
  if (place->offset == VT_ADDRESS_TRUNCATED) return VT_CODE_TRUNCATED;
  return place->offset == VT_ADDRESS_CUT ? VT_CODE_CUT : VT_CODE_GENERATED;
}

uint32_t vt_stacks_parent(vt_stacks_t const *stacks, uint32_t node) {
  return stacks->nodes[node].parent;
}

uint32_t vt_stacks_cnt(vt_stacks_t const *stacks) { return (uint32_t)stacks->nodes_cnt; }

static void set_roles(vt_stack_frame_t *frame, unsigned roles) {
  frame->allocator = (roles & VT_ROLE_ALLOCATOR) != 0;
  frame->runtime = (roles & RUNTIME) != 0;
  frame->library = (roles & (VT_ROLE_LIBRARY | VT_ROLE_INTERPRETER)) != 0;
  frame->start = (roles & VT_ROLE_START) != 0;
}

static vt_stack_frame_t bare_frame(vt_stacks_t const *stacks, place_t const *place) {
  vt_strings_t const *strings = vt_symbols_strings(stacks->symbols);
  vt_stack_frame_t frame = {.function = "", .file = "", .module = "", .offset = place->offset};
  set_roles(&frame, bare_roles(stacks, place));
  if (place->module != NO_MODULE && place->module == stacks->jit) frame.offset = 0;
  if (place->module != NO_MODULE)
    frame.module = vt_strings_get(strings, stacks->module_paths[place->module], NULL);
  else if (place->offset == VT_ADDRESS_TRUNCATED)
    frame.function = "[stack truncated]";
  else if (place->offset == VT_ADDRESS_CUT)
    frame.function = "[inner frames cut]";
  return frame;
}

size_t vt_stacks_frames(vt_stacks_t const *stacks, uint32_t index, int hide_allocators,
                        vt_stack_frame_t *out) {
  place_t const *place = &stacks->places[stacks->nodes[index].place];
  vt_strings_t const *strings = vt_symbols_strings(stacks->symbols);
  vt_frame_t const *frames = place->frames;
  vt_stack_frame_t frame = bare_frame(stacks, place);
  size_t used = 0, cnt = place->frames_cnt;
  for (size_t i = 0; i < cnt; i++) {
    set_roles(&frame, roles_of(stacks, place, &frames[i]));
    frame.function = vt_strings_get(strings, frames[i].function, NULL);
    frame.file = vt_strings_get(strings, frames[i].file, NULL);
    frame.line = frames[i].line;
    frame.inlined = i + 1 < cnt;
    if (hide_allocators && !used && i + 1 < cnt && frame.allocator) continue;
    out[used++] = frame;
  }
  if (!cnt) out[used++] = frame;
  return used;
}

void vt_stacks_expand(vt_stacks_t const *stacks, uint32_t node, int hide_allocators, int no_inlines,
                      vt_expanded_t *out) {
  vt_stack_frame_t frames[VT_STACKS_FRAMES_MAX];
  out->frames_cnt = 0;
  for (uint32_t at = node; at; at = stacks->nodes[at].parent) {
    size_t cnt = vt_stacks_frames(stacks, at, hide_allocators && at == node, frames);
    for (size_t i = 0; i < cnt; i++)
      if (!no_inlines || !frames[i].inlined) VT_PUSH(out->frames, frames[i]);
  }
}

char const *vt_frame_name(vt_stack_frame_t const *frame, char *buffer, size_t sz) {
  if (frame->function[0]) return frame->function;
  char const *slash = strrchr(frame->module, '/');
  if (!frame->module[0])
    snprintf(buffer, sz, "0x%" PRIx64, frame->offset);
  else
    snprintf(buffer, sz, "%s+0x%" PRIx64, slash ? slash + 1 : frame->module, frame->offset);
  return buffer;
}
