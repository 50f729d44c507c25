#ifndef CORE_CHECKPT_CHUNK_H
#define CORE_CHECKPT_CHUNK_H

/* The chunks of an LZ4 frame.  A buffer is cut into chunks of up to 64 KiB; writer and reader know
   each chunk's plain size from the call, so a chunk says only how it is stored:

     byte 0     bit 0: 1 compressed, 0 stored plain; bit 1: size has 3 bytes, not 2; bits 2..7 of
   size
     ...        compressed only: the rest of the compressed size, little endian (14 or 22 bits)
     3 bytes    low 24 bits of XXH64 of the payload, seeded with the chunk's plain size and byte 0
     payload

   The check is over the payload as stored: flipped bits of compressed data may decode to the same
   plain bytes, and shall be found nevertheless.

   Small chunks are compressed with the frame's earlier small chunks as history: both sides append
   their plain bytes to a window and start it afresh when the next one does not fit, or behind a
   chunk that was large or stored.  Large chunks stand alone, so that nothing of theirs has to be
   copied. */

#include "fd/util/checkpt/fd_checkpt.h"

#define CHUNK_LARGE_MIN (16384UL)
#define CHUNK_CHECK_SZ  (3UL)
#define CHUNK_HDR_MAX   (3UL + CHUNK_CHECK_SZ)

static inline uint chunk_check(void const * payload, ulong payload_sz, ulong plain_sz, uint code) {
  return (uint)fd_hash((plain_sz << 8) | (ulong)(uchar)code, payload, payload_sz) & 0xffffffU;
}

/* Whether a chunk uses the window; whether it has to be started afresh first. */
static inline int chunk_is_small(ulong sz) { return sz < CHUNK_LARGE_MIN; }

static inline int chunk_restarts(ulong window_used, ulong sz) {
  return !chunk_is_small(sz) || sz > FD_CHECKPT_PRIVATE_WINDOW_SZ - window_used;
}

static inline int checkpt_style_is_supported(int style) {
  return style == FD_CHECKPT_FRAME_STYLE_RAW || (FD_HAS_LZ4 && style == FD_CHECKPT_FRAME_STYLE_LZ4);
}

#endif
