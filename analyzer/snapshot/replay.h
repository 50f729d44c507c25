/* The live blocks of a recorded process, found by replaying its trace. That may begin while the trace is written, so
   that little is left to read when the process has ended. What comes out is the same: where a pass that follows
   cannot be sure of the order, the finished trace is read from its start. */
#ifndef VT_ANALYZER_SNAPSHOT_REPLAY_H
#define VT_ANALYZER_SNAPSHOT_REPLAY_H

#include "analyzer/snapshot/blocks.h"
#include "analyzer/snapshot/doubt.h"
#include "analyzer/trace/reader.h"

typedef struct vt_replay vt_replay_t;

/* vt_replay_open opens a trace; NULL: it cannot be read. Takes memory in proportion to live blocks and stacks; release
   with vt_replay_close. Not thread safe, but one thread may go on with what another one began. */
vt_replay_t *vt_replay_open(char const *path);
void vt_replay_close(vt_replay_t *replay);

/* vt_replay_follow takes in what has been written since and nothing can come before any more, until `stop` says so.
   Returns 0, or -1: the file is not what it was, and there is no use in going on. */
int vt_replay_follow(vt_replay_t *replay, int (*stop)(void *context), void *context);

/* vt_replay_whole: nothing more is written that matters here. All the reader's tables are complete then. Returns NULL if
   the trace cannot be read. */
vt_reader_t *vt_replay_whole(vt_replay_t *replay);

/* What lives at the end, or, `made` being a tick other than 0, at a moment between the ticks `begun` and `made`, of which
   it is not known when it was. Arrays are the caller's to free. */
typedef struct {
  vt_live_block_t *blocks; /* not in order */
  size_t blocks_cnt, blocks_cap;
  vt_origin_t *origins; /* of the same */
  size_t origins_cnt, origins_cap;
  uint64_t *between; /* addresses of blocks that were allocated or freed between the two ticks */
  size_t between_cnt, between_cap;
  uint64_t missed; /* frees that must have happened unseen */
} vt_replayed_t;

/* vt_replay_finish reads the rest; once, after vt_replay_whole. A replay that has followed can only tell of the end. */
vt_replayed_t vt_replay_finish(vt_replay_t *replay, uint64_t begun, uint64_t made);

/* vt_replay_anew: had it to read the trace from its start, though it had followed? */
int vt_replay_anew(vt_replay_t const *replay);

#endif
