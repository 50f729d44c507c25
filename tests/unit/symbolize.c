/* symbolize [--rounds N] ELF < OFFSETS (hex): prints frames the way `eu-addr2line -i -f -e ELF`
   does; for comparisons with it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "analyzer/symbols/symbols.h"
#include "analyzer/util/mem.h"

static void print(vt_symbols_t *symbols, uint32_t module, uint64_t offset) {
  vt_frame_t const *frames = NULL;
  vt_strings_t *strings = vt_symbols_strings(symbols);
  size_t cnt = vt_symbols_frames(symbols, module, offset, &frames);
  printf("0x%016" PRIx64 "\n", offset);
  if (!cnt) puts("??\n??:0");
  for (size_t i = 0; i < cnt; i++) {
    char const *function = vt_strings_get(strings, frames[i].function, NULL);
    char const *file = vt_strings_get(strings, frames[i].file, NULL);
    printf("%s%s\n", *function ? function : "??", frames[i].inlined ? " inlined" : "");
    printf("%s:%u\n", *file ? file : "??", frames[i].line);
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  vt_symbols_t *symbols = vt_symbols_new();
  uint32_t module = vt_symbols_module(symbols, &(vt_symbols_file_t){.path = argv[1], .fd = -1});
  vt_symbols_query_t *queries = NULL;
  size_t queries_cnt = 0, queries_cap = 0;
  unsigned long offset;
  while (scanf("%lx", &offset) == 1) {
    vt_symbols_query_t query = {module, offset};
    VT_PUSH(queries, query);
  }
  size_t failed = vt_symbols_resolve(symbols, queries, queries_cnt);
  for (size_t i = 0; i < queries_cnt; i++) print(symbols, module, queries[i].offset);
  free(queries);
  vt_symbols_delete(symbols);
  return failed ? 1 : 0;
}
