/* See python_memo.h. Between two events of a thread most Python frames stay where they are: the innermost
   one goes on, a few are left, a few are new. Frames are known again by their address, and a remembered
   pointer is read only after the chain was seen to lead to it. */
#include "core/trace/frames/python_memo.h"
#include "core/trace/frames/codes.h"

#define JOIN_AMONG  8 /* innermost frames of the memo in which the chain is looked for */
#define JOIN_PUSHES 6 /* fresh frames after which it is walked as if there were no memo */

/* changed: the memo's frames from here on are not those of the stack before. */
static inline void changed(walk_t *w, uint32_t i) {
  if (i < w->v->same_frames) w->v->same_frames = i;
}

/* put makes frame i of the memo the one that is there now. Where it runs the code that was there last, that keeps
   its number. 0: it has no name. */
static __attribute__((noinline)) int put(walk_t *w, uint32_t i, uint64_t frame, uint64_t code, uint64_t instr) {
  vt_virtual_frame_t *f = &w->memo->frames[i];
  uint64_t pc;
  if (i < w->v->named && f->code == code && !w->asks)
    pc = f->instr == instr ? f->pc : vt_python_pc_moved(f->pc, code, instr);
  else
    pc = vt_python_pc(w->s, code, instr, w->asks);
  if (VT_UNLIKELY(!pc)) return 0;
  if (f->pc != pc) changed(w, i);
  *f = (vt_virtual_frame_t){frame, code, instr, pc};
  if (i >= w->v->named) w->v->named = i + 1;
  return 1;
}

/* lies: is the object at the distance from its CFA that this native frame, a call of the loop, keeps it at? Then it can
   be read. */
static inline int lies(walk_t const *w, uint32_t native, uint64_t object, _Atomic int64_t const *distance) {
  vt_frame_t const *f = w->stack->frames;
  uint64_t cfa = object - (uint64_t)atomic_load_explicit(distance, memory_order_relaxed);
  return native > w->root && native < w->native && f[native - 1].sp == cfa && vt_python_is_loop(f[native].pc);
}

/* holds: does a frame of this capture still hold the run's object? */
static inline int holds(walk_t const *w, vt_virtual_run_t const *run, _Atomic int64_t const *distance) {
  return lies(w, run->native, run->anchor, distance);
}

/* leave_cframe: does the chain, which went on to the frame `back`, still leave run q to the one outside? */
static inline int leave_cframe(walk_t const *w, uint32_t q, uint64_t back) {
  vt_virtual_run_t const *run = &w->memo->runs[q];
  uint64_t outer = vt_load(run->anchor + w->l->cframe_previous);
  if (q ? outer != run[-1].anchor || !holds(w, run - 1, &vt_python_cframe_at) : !vt_python_is_root(w, outer)) return 0;
  return vt_load(outer + w->l->cframe_current) == back;
}

static inline int leave_entry(walk_t const *w, uint32_t q, uint64_t *back) {
  vt_virtual_run_t const *run = &w->memo->runs[q];
  if (*back != run->anchor || !holds(w, run, &vt_python_entry_at)) return 0;
  if (*(uint8_t const *)(run->anchor + w->l->owner) < VT_OWNER_ENTRY) return 0;
  *back = vt_load(run->anchor + w->l->back);
  return q || !*back;
}

/* verify goes from frame j of the memo, in run r, to the root. Frames that run other code or are at another place in it
   are renewed. */
static inline __attribute__((always_inline)) int verify(walk_t *w, uint32_t r, uint32_t j) {
  uint64_t code_at = w->l->code, instr_at = w->l->instr, back_at = w->l->back;
  vt_virtual_frame_t const *frames = w->memo->frames, *f = &frames[j + 1];
  uint64_t back = frames[j].frame;
  for (uint32_t q = r + 1; q-- > 0;) {
    vt_virtual_frame_t const *start = frames + (q ? w->memo->runs[q - 1].end : 0);
    while (f > start) {
      if ((--f)->frame != back) return 0;
      uint64_t code = vt_load(back + code_at) & VT_PYTHON_CODE_MASK, instr = vt_load(back + instr_at);
      if (((code ^ f->code) | (instr ^ f->instr)) && !put(w, (uint32_t)(f - frames), back, code, instr)) return 0;
      back = vt_load(back + back_at);
    }
    if (!(w->l->chain == VT_PYTHON_CFRAMES ? leave_cframe(w, q, back) : leave_entry(w, q, &back))) return 0;
  }
  return 1;
}

int vt_python_stays(walk_t *w) {
  uint32_t j = w->memo->frame_cnt, r = w->memo->run_cnt;
  if (!w->joins || VT_UNLIKELY(w->asks) || !j) return 0;
  vt_virtual_run_t const *run = &w->memo->runs[r - 1];
  uint64_t at = vt_load(w->thread + w->l->thread_frame);
  if (run->end != j || (r > 1 && run[-1].end == j)) return 0; /* it had no frame of its own */
  if (w->l->chain != VT_PYTHON_ENTRIES) {
    if (w->l->chain == VT_PYTHON_CFRAMES && run->anchor != at) return 0;
    if (!lies(w, run->native, at, &vt_python_cframe_at)) return 0;
    at = vt_load(at + w->l->cframe_current);
  }
  if (!at || w->memo->frames[j - 1].frame != at || !verify(w, r - 1, j - 1)) return 0;
  w->v->same_runs = r;
  w->v->native_before = UINT32_MAX;
  return 1;
}

/* find is the place behind the frame in the memo; 0: it is not among the innermost ones. The mark of a deep stack
   has no frame, nor has the end of the chain. */
static inline uint32_t find(walk_t const *w, uint64_t frame) {
  uint32_t cnt = w->memo->frame_cnt, least = cnt > JOIN_AMONG ? cnt - JOIN_AMONG : 0;
  for (uint32_t j = frame ? cnt : 0; j > least; j--)
    if (w->memo->frames[j - 1].frame == frame) return j;
  return 0;
}

/* run_of is the run of the memo that has frame j. */
static inline uint32_t run_of(walk_t const *w, uint32_t j) {
  uint32_t r = w->memo->run_cnt - 1;
  while (r && w->memo->runs[r - 1].end > j) r--;
  return r;
}

/* is_entry: may the frame be one that marks the end of a run? It may also be on a C stack that the thread has left. */
static inline int is_entry(walk_t const *w, uint64_t frame) {
  return frame - w->lo < w->hi - w->lo || *(uint8_t const *)(frame + w->l->owner) >= VT_OWNER_ENTRY;
}

int vt_python_join(walk_t *w, uint64_t cframe, uint64_t frame) {
  uint32_t start = w->fresh->frame_cnt, j;
  if (!w->joins || VT_UNLIKELY(w->asks)) return 0;
  while (!(j = find(w, frame))) {
    if (!frame || is_entry(w, frame) || w->fresh->frame_cnt - start == JOIN_PUSHES || !vt_python_push(w, &frame)) break;
  }
  uint32_t r = j ? run_of(w, j - 1) : 0;
  vt_virtual_run_t const *run = &w->memo->runs[r];
  if (j && (!cframe || (run->anchor == cframe && run->native == w->native)) && verify(w, r, j - 1)) {
    w->joined = j;
    w->joined_run = r;
    return 1;
  }
  w->fresh->frame_cnt = start;
  return 0;
}

/* put_run makes run i of the memo the one that is there now. */
static void put_run(walk_t *w, uint32_t i, uint32_t before, vt_virtual_run_t run) {
  vt_virtual_run_t *to = &w->memo->runs[i];
  if (w->v->same_runs == i && i < before) {
    if (to->native == run.native && to->end == run.end)
      w->v->same_runs++;
    else
      w->v->native_before = to->native;
  }
  *to = run;
}

static void settle_runs(walk_t *w) {
  vt_virtual_frames_t const *fresh = w->fresh;
  uint32_t before = w->memo->run_cnt, i = w->joined_run, end = w->joined, inner = fresh->run_cnt;
  w->v->same_runs = i;
  w->v->native_before = UINT32_MAX;
  if (w->joined) { /* the frames met last are of the run that was joined */
    end += fresh->frame_cnt - (inner ? fresh->runs[inner - 1].end : 0);
    put_run(w, i, before, (vt_virtual_run_t){w->memo->runs[i].anchor, w->memo->runs[i].native, end});
    i++;
  }
  while (inner-- > 0) {
    vt_virtual_run_t run = fresh->runs[inner];
    end += run.end - (inner ? fresh->runs[inner - 1].end : 0);
    put_run(w, i++, before, (vt_virtual_run_t){run.anchor, run.native, end});
  }
  if (w->v->same_runs == i && i < before) w->v->native_before = w->memo->runs[i].native;
  w->memo->run_cnt = i;
}

int vt_python_settle(walk_t *w) {
  vt_virtual_frames_t *memo = w->memo, *fresh = w->fresh;
  uint32_t at = w->joined, before = memo->frame_cnt;
  if (at + fresh->frame_cnt > VT_VIRTUAL_MAX || w->joined_run + fresh->run_cnt + 1 > VT_VIRTUAL_RUNS) w->too_many = 1;
  if (VT_UNLIKELY(w->too_many)) return 1;
  settle_runs(w);
  for (uint32_t n = fresh->frame_cnt; n > 0; n--) {
    vt_virtual_frame_t const *f = &fresh->frames[n - 1];
    if (!put(w, at++, f->frame, f->code, f->instr)) return 0;
  }
  memo->frame_cnt = at;
  changed(w, at < before ? at : before);
  return 1;
}
