/* What encoder and decoder of packed events share besides their model (codec_model.h): the columns. */
#ifndef VT_ANALYZER_TRACE_CODEC_PRIVATE_H
#define VT_ANALYZER_TRACE_CODEC_PRIVATE_H

#include <zstd.h>
#include "analyzer/trace/codec.h"
#include "analyzer/trace/codec_model.h"

#define VT_COLUMN_MAX    VT_COLUMN_ALONE
#define VT_DIRECTORY_OFF 24
#define VT_ENTRY_SZ      16

/* CODE bits. */
#define VT_CODE_AFTER_TWO      0u
#define VT_CODE_AFTER_ONE      1u
#define VT_CODE_STACK          2u
#define VT_CODE_STACK_MASK     3u
#define VT_CODE_OP             4u
#define VT_CODE_SIZE           8u
#define VT_CODE_ADDRESS_SHIFT  4
#define VT_CODE_THREAD_CHANGED 64u

struct vt_codec {
  vt_model_state_t model;
  ZSTD_CCtx *compressor;
  ZSTD_DCtx *decompressor;
  size_t event_cap;
  vt_bytes_t column[VT_COLUMN_MAX + 1];
  vt_cursor_t cursor[VT_COLUMN_MAX + 1];
  /* Encoder only: what each address of the chunk was last: index << 1 | is a release. */
  uint64_t *known_address;
  uint32_t *known_value;
  size_t known_sz;
  uint64_t *alloc_size; /* of each allocation of the chunk; VT_ALIGNED: of a block with an alignment */
  uint32_t said_at;     /* the event of the latest entry of SAID; decoder: of the next one, or VT_MODEL_NONE */
};
#define VT_ALIGNED UINT64_MAX

/* vt_codec_begin makes the model ready for a chunk of cnt events. */
void vt_codec_begin(vt_codec_t *c, size_t cnt);

/* vt_codec_differences is the column that has an event's address if it is coded as a difference. */
static inline unsigned vt_codec_differences(vt_codec_t const *c, vt_event_t const *e) {
  return vt_model_pooled(&c->model, e) ? VT_COLUMN_POOL : VT_COLUMN_ADDRESS;
}

#endif
