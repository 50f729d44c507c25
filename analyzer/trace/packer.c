/* See packer.h. */
#include "analyzer/trace/packer.h"

#define FIRST_CAP   2048
#define LARGE_SZ    1024  /* of a message that is worth compressing */
#define GATHERED_SZ 65536 /* of a chunk of many small messages */

uint32_t vt_packer_shift(uint64_t tick_hz) {
  uint32_t shift = 0;
  while (shift < 16 && ((uint64_t)1000000000 << shift) < 32 * tick_hz) shift++;
  return shift;
}

void vt_packer_open(vt_packer_t *p, vt_writer_t *writer, vt_codec_t *codec,
                    vt_header_t const *header) {
  *p = (vt_packer_t){.writer = writer, .codec = codec, .header = *header, .written_nodes = 1};
  p->header.host = vt_mem_copy(header->host, header->host_sz);
  p->header.executable = vt_mem_copy(header->executable, header->executable_sz);
  p->header.started = vt_mem_copy(header->started, header->started_sz);
  p->header.command = vt_mem_copy(header->command, header->command_sz);
  /* What a recorded block stands for is rounded by its time (estimate.h): of a sample that is packed it is left as it is. */
  int keeps_times = header->sample_period && header->optional & VT_OPTIONAL_NO_COLLECTOR;
  p->header.time_shift = keeps_times ? 0 : vt_packer_shift(header->tick_hz);
  p->header.required &= ~VT_REQUIRED_DELETES;
  p->header.optional &= ~(VT_OPTIONAL_NO_COLLECTOR | VT_OPTIONAL_SYMBOLS);
  vt_trie_init(&p->trie);
  vt_thread_ids_init(&p->threads);
  vt_writer_header(writer, &p->header);
}

static vt_packer_stream_t *find(vt_packer_t *p, uint32_t id) {
  for (size_t i = 0; i < p->streams_cnt; i++)
    if (p->streams[i].id == id) return &p->streams[i];
  VT_PUSH(p->streams, (vt_packer_stream_t){.id = id});
  return &p->streams[p->streams_cnt - 1];
}

static void write_stacks(vt_packer_t *p) {
  if (p->written_nodes == p->trie.cnt) return;
  p->payload.sz = 0;
  vt_trie_encode(&p->trie, p->written_nodes, &p->payload);
  vt_writer_chunk(p->writer, VT_CHUNK_STACKS, VT_CHUNK_FLAG_ZSTD, 0, p->payload.data,
                  p->payload.sz);
  p->written_nodes = p->trie.cnt;
}

static void write_gathered(vt_packer_t *p, vt_chunk_type_t type, vt_bytes_t *gathered) {
  if (!gathered->sz) return;
  if (type == VT_CHUNK_MAPPING) write_stacks(p);
  vt_writer_chunk(p->writer, type, VT_CHUNK_FLAG_ZSTD, 0, gathered->data, gathered->sz);
  gathered->sz = 0;
}

/* require has the header say what a reader must know, before there is anything that it must know it for. */
static void require(vt_packer_t *p, uint64_t features) {
  if (!(features & ~p->header.required)) return;
  p->header.required |= features;
  vt_writer_header(p->writer, &p->header);
}

static void write_events(vt_packer_t *p, vt_packer_stream_t *s, size_t cnt) {
  if (!cnt) return;
  write_gathered(p, VT_CHUNK_VFRAMES, &p->vframes); /* what their stacks mean */
  write_stacks(p);
  p->payload.sz = 0;
  require(p, vt_codec_encode(p->codec, s->events, cnt, p->header.time_shift, &p->threads, &p->payload));
  vt_writer_chunk(p->writer, VT_CHUNK_EVENTS, 0, s->id, p->payload.data, p->payload.sz);
  p->gathered -= cnt;
  s->cnt -= cnt;
  memmove(s->events, s->events + cnt, s->cnt * sizeof *s->events);
}

void vt_packer_hold(vt_packer_t *p) { p->held = 1; }

/* A stream's events are in order. Chunks have at most VT_CODEC_EVENTS. */
void vt_packer_cut(vt_packer_t *p, uint64_t tick) {
  for (size_t i = 0; i < p->streams_cnt; i++) {
    vt_packer_stream_t *s = &p->streams[i];
    size_t before = 0;
    while (before < s->cnt && s->events[before].time < tick) before++;
    for (; before; before -= before < VT_CODEC_EVENTS ? before : VT_CODEC_EVENTS)
      write_events(p, s, before < VT_CODEC_EVENTS ? before : VT_CODEC_EVENTS);
  }
  p->held = 0;
}

vt_event_t *vt_packer_room(vt_packer_t *p, uint32_t stream) {
  vt_packer_stream_t *s = find(p, stream);
  if (s->cap - s->cnt < VT_PACKER_BATCH) {
    s->cap = s->cap ? 2 * s->cap : FIRST_CAP;
    s->events = vt_mem_resize(s->events, s->cap, sizeof *s->events);
  }
  return s->events + s->cnt;
}

void vt_packer_add(vt_packer_t *p, uint32_t stream, size_t cnt) {
  vt_packer_stream_t *s = find(p, stream);
  s->cnt += cnt;
  p->events += cnt;
  p->gathered += cnt;
  if (p->held) return;
  if (s->cnt + VT_PACKER_BATCH > VT_CODEC_EVENTS) write_events(p, s, s->cnt);
  if (p->gathered > VT_PACKER_GATHERED_MAX) vt_packer_flush(p);
}

void vt_packer_message(vt_packer_t *p, vt_chunk_type_t type, uint32_t stack, uint8_t const *payload,
                       size_t sz) {
  if (type == VT_CHUNK_VFRAMES) {
    if (sz < 4 || vt_load32(payload) != sz - 4) return; /* it would spoil those behind it */
    vt_bytes_put(&p->vframes, payload, sz);
    if (p->vframes.sz > GATHERED_SZ) write_gathered(p, type, &p->vframes);
  } else if (type == VT_CHUNK_MAPPING) {
    vt_bytes_u32(&p->mappings, stack);
    vt_bytes_string(&p->mappings, payload, sz);
    if (p->mappings.sz > GATHERED_SZ) write_gathered(p, type, &p->mappings);
  } else {
    vt_writer_chunk(p->writer, type, sz > LARGE_SZ ? VT_CHUNK_FLAG_ZSTD : 0, 0, payload, sz);
  }
}

void vt_packer_flush(vt_packer_t *p) {
  for (size_t i = 0; i < p->streams_cnt; i++) {
    write_events(p, &p->streams[i], p->streams[i].cnt);
    free(p->streams[i].events);
  }
  p->streams_cnt = 0;
  write_gathered(p, VT_CHUNK_MAPPING, &p->mappings);
  write_gathered(p, VT_CHUNK_VFRAMES, &p->vframes);
  vt_writer_flush(p->writer);
}

int vt_packer_finish(vt_packer_t *p, int complete) {
  vt_packer_flush(p);
  if (complete) vt_writer_chunk(p->writer, VT_CHUNK_END, 0, 0, NULL, 0);
  int failed = vt_writer_close(p->writer);
  vt_trie_fini(&p->trie);
  vt_thread_ids_fini(&p->threads);
  vt_bytes_free(&p->payload);
  vt_bytes_free(&p->mappings);
  vt_bytes_free(&p->vframes);
  free(p->streams);
  free((char *)p->header.host);
  free((char *)p->header.executable);
  free((char *)p->header.started);
  free((char *)p->header.command);
  return failed;
}
