/* See codec.h; codec_model.h has the model, codec_encode.c and codec_decode.c what is made of it. */
#include "analyzer/trace/codec_private.h"

vt_codec_t *vt_codec_new(void) {
  vt_codec_t *c = vt_mem_new(1, sizeof *c);
  c->compressor = ZSTD_createCCtx();
  c->decompressor = ZSTD_createDCtx();
  return c;
}

void vt_codec_delete(vt_codec_t *c) {
  if (!c) return;
  for (unsigned i = 0; i <= VT_COLUMN_MAX; i++) vt_bytes_free(&c->column[i]);
  ZSTD_freeCCtx(c->compressor);
  ZSTD_freeDCtx(c->decompressor);
  free(c->model.allocs);
  free(c->model.releases);
  free(c->known_address);
  free(c->known_value);
  free(c->alloc_size);
  free(c);
}

void vt_codec_begin(vt_codec_t *c, size_t cnt) {
  if (cnt > c->event_cap) {
    c->event_cap = cnt < 1024 ? 1024 : cnt;
    c->model.allocs = vt_mem_resize(c->model.allocs, c->event_cap, sizeof *c->model.allocs);
    c->model.releases = vt_mem_resize(c->model.releases, c->event_cap, sizeof *c->model.releases);
    c->alloc_size = vt_mem_resize(c->alloc_size, c->event_cap, sizeof *c->alloc_size);
  }
  vt_model_reset(&c->model);
}

