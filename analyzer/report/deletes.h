/* Whether what operator delete was told of a block (its size, its alignment) is so. */
#ifndef VT_ANALYZER_REPORT_DELETES_H
#define VT_ANALYZER_REPORT_DELETES_H

#include "analyzer/model/model.h"

typedef enum { VT_DELETE_RIGHT, VT_DELETE_WRONG_SIZE, VT_DELETE_WRONG_ALIGNMENT } vt_delete_t;

/* A block of operator new: what was asked for. align 0: the usual one. */
typedef struct {
  uint64_t size, align;
  uint8_t api;
} vt_new_t;

/* vt_delete_judge says what is wrong with an end of that block. Nothing is, if by another family than it was
   allocated by (that is another fault), or if it is not known what was told. */
vt_delete_t vt_delete_judge(vt_new_t const *block, vt_model_change_t const *end);

/* The fault in words that continue "delete"; in the buffer. */
char const *vt_delete_text(vt_delete_t fault, vt_new_t const *block, uint64_t said, uint64_t align, char buf[128]);

#endif
