/* See deletes.h. */
#include "analyzer/report/deletes.h"
#include <inttypes.h>
#include <stdio.h>
#include "analyzer/report/families.h"
#include "analyzer/report/term.h"

static int by_operators(unsigned allocating, unsigned freeing) {
  return (allocating == VT_API_NEW && freeing == VT_API_DELETE) ||
         (allocating == VT_API_NEW_ARRAY && freeing == VT_API_DELETE_ARRAY);
}

/* The runtimes make a block with an alignment as large as a multiple of that. */
static int is_size(vt_new_t const *block, uint64_t said) {
  uint64_t mask = block->align ? block->align - 1 : 0;
  return block->size == said || block->size == ((said + mask) & ~mask);
}

vt_delete_t vt_delete_judge(vt_new_t const *block, vt_model_change_t const *end) {
  if (!end->told || !by_operators(block->api, end->api)) return VT_DELETE_RIGHT;
  if (block->align != end->align) return VT_DELETE_WRONG_ALIGNMENT;
  return end->said && !is_size(block, end->said) ? VT_DELETE_WRONG_SIZE : VT_DELETE_RIGHT;
}

static char const *alignment(uint64_t align, char buf[48]) {
  if (align)
    snprintf(buf, 48, "with alignment %" PRIu64, align);
  else
    snprintf(buf, 48, "without alignment");
  return buf;
}

char const *vt_delete_text(vt_delete_t fault, vt_new_t const *block, uint64_t said, uint64_t align, char buf[128]) {
  char told[48], asked[48];
  if (fault == VT_DELETE_WRONG_SIZE)
    snprintf(buf, 128, "was told %s of a block of %s", vt_counted(said, "byte").text, vt_counted(block->size, "byte").text);
  else
    snprintf(buf, 128, "%s of a block allocated %s", alignment(align, told), alignment(block->align, asked));
  return buf;
}
