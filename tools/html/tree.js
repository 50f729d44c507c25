// Views of the call tree: with frames hidden, recursion merged, lines told apart, upside down.
// A view is made once for its options; values of a metric are then sums over an index.

// What each base node has of a metric, one array for each side; within a selected span of time
// (buckets from … to-1) what can be said from the history.
function baseValues(metric, span) {
  if (!span) return data.self.map((side) => side[metric.value]);
  return [spanValues(metric, metric.value, span)];
}
function otherValues(metric, span) {
  if (!span) return data.self.map((side) => side[metric.other]);
  return [spanValues(metric, metric.other, span)];
}

const peakTime = () => data.sides[0].totals.peak_time_ns;

function spanHasPeak(span) {
  const bucket = Math.floor(peakTime() / data.history.bucketNs);
  return bucket >= span.from && bucket < span.to;
}

// Live bytes at the end of each bucket.
const liveAtEdges = memo(() => {
  const live = new Float64Array(data.history.buckets);
  const h = data.history;
  for (let i = 0; i < h.cnt; i++) live[h.bucket[i]] += h.allocated_bytes[i] - h.freed_bytes[i];
  for (let b = 1; b < live.length; b++) live[b] += live[b - 1];
  return live;
});

// The bucket in the span at whose end the heap was largest.
function highestBucket(span) {
  const live = liveAtEdges();
  let best = span.from;
  for (let b = span.from; b < Math.min(span.to, live.length); b++)
    if (live[b] > live[best]) best = b;
  return best;
}

function spanValues(metric, column, span) {
  if (metric.id === "peak") {
    if (spanHasPeak(span)) return data.self[0][column];
    return liveValues(column === "peak_bytes", highestBucket(span) + 1);
  }
  if (metric.id === "leaked") return liveValues(column === "leaked_bytes", span.to);
  const out = new Float64Array(data.n), h = data.history, values = h[column];
  for (let i = 0; i < h.cnt; i++)
    if (h.bucket[i] >= span.from && h.bucket[i] < span.to) out[h.node[i]] += values[i];
  return out;
}

function liveValues(inBytes, end) {
  const out = new Float64Array(data.n), h = data.history;
  const plus = inBytes ? h.allocated_bytes : h.allocations;
  const minus = inBytes ? h.freed_bytes : h.frees;
  for (let i = 0; i < h.cnt; i++) if (h.bucket[i] < end) out[h.node[i]] += plus[i] - minus[i];
  return out;
}

function memo(make) {
  let value;
  return () => (value === undefined ? (value = make()) : value);
}

// ---- views ----

const HIDDEN_FLAGS = { hide: ALLOCATOR, runtime: RUNTIME, all: 0 };

// By node: the nearest caller (or itself) that is shown as the innermost frame.
function innermostShown(mask) {
  const up = new Int32Array(data.n);
  for (let i = 1; i < data.n; i++) {
    const hidden = data.frames[data.frame[i]].flags & mask;
    up[i] = hidden ? up[data.parent[i]] : i;
  }
  return up;
}

// Which nodes a view needs: where stacks end, and all their callers.
function neededNodes(mask) {
  const up = innermostShown(mask), need = new Uint8Array(data.n), end = new Int32Array(data.n);
  for (let i = 1; i < data.n; i++) {
    if (!hasValue(i)) continue;
    end[i] = up[i] || i;
    need[end[i]] = 1;
  }
  for (let i = data.n - 1; i > 0; i--) if (need[i]) need[data.parent[i]] = 1;
  return { need, end };
}

function hasValue(i) {
  return data.self.some((side) => side.allocations[i] > 0);
}

// A trie that grows: children are found through an open-addressing table.
function newTrie(capacity) {
  let size = 1024;
  while (size < 2 * capacity) size *= 2;
  const slots = new Int32Array(size), mask = size - 1;
  const trie = { n: 1, parent: new Int32Array(capacity + 1), key: new Int32Array(capacity + 1),
    rep: new Int32Array(capacity + 1), first: new Int32Array(capacity + 1),
    next: new Int32Array(capacity + 1), several: new Uint8Array(capacity + 1) };
  trie.child = (parent, key, frame) => {
    let at = (Math.imul(parent, 0x9e3779b1) ^ Math.imul(key, 0x85ebca6b)) >>> 0;
    for (at = (at ^ (at >>> 15)) & mask; slots[at]; at = (at + 1) & mask)
      if (trie.parent[slots[at]] === parent && trie.key[slots[at]] === key) {
        if (trie.rep[slots[at]] !== frame) trie.several[slots[at]] = 1;
        return slots[at];
      }
    const node = (slots[at] = trie.n++);
    trie.parent[node] = parent;
    trie.key[node] = key;
    trie.rep[node] = frame;
    trie.next[node] = trie.first[parent];
    trie.first[parent] = node;
    return node;
  };
  return trie;
}

function sameBefore(trie, node, key) {
  while (node > 0 && trie.key[node] !== key) node = trie.parent[node];
  return node;
}

function forwardView(options) {
  const { need, end } = neededNodes(HIDDEN_FLAGS[options.frames]);
  const view = newTrie(data.n), target = new Int32Array(data.n);
  for (let i = 1; i < data.n; i++) {
    if (!need[i]) continue;
    const frame = data.frame[i], parent = target[data.parent[i]];
    const key = options.by === "line" ? frame : data.frames[frame].fn;
    target[i] = (options.merge && sameBefore(view, parent, key)) || view.child(parent, key, frame);
  }
  for (let i = 1; i < data.n; i++) end[i] = target[end[i]];
  view.end = end;
  return view;
}

function invertedView(forward) {
  let steps = 1;
  const done = new Int32Array(forward.n);
  const depth = depths(forward);
  for (const node of new Set(forward.end)) steps += depth[node];
  const view = newTrie(steps);
  view.end = new Int32Array(data.n);
  for (let i = 1; i < data.n; i++) {
    const from = forward.end[i];
    if (!from) continue;
    if (!done[from]) {
      let at = 0;
      for (let up = from; up > 0; up = forward.parent[up])
        at = view.child(at, forward.key[up], forward.rep[up]);
      done[from] = at;
    }
    view.end[i] = done[from];
  }
  return view;
}

function depths(trie) {
  const depth = new Int32Array(trie.n);
  for (let i = 1; i < trie.n; i++) depth[i] = depth[trie.parent[i]] + 1;
  return depth;
}

const views = new Map();
function viewFor(options) {
  const key = [options.frames, options.by, options.merge, options.invert].join();
  if (!views.has(key)) {
    const forward = options.invert ? viewFor({ ...options, invert: false }) : null;
    views.set(key, forward ? invertedView(forward) : forwardView(options));
  }
  return views.get(key);
}

// Sums of base values over a view: self and total of each of its nodes.
function sumOver(view, vector) {
  const self = new Float64Array(view.n);
  for (let i = 1; i < data.n; i++) if (vector[i]) self[view.end[i]] += vector[i];
  const total = Float64Array.from(self);
  for (let i = view.n - 1; i > 0; i--) total[view.parent[i]] += total[i];
  return { self, total };
}

// Everything a chart needs: the view, sums by side, and `width`: of two sides the larger self value
// of each node, so that frames which vanished keep their place.
function chartFor(options, metric, span) {
  const view = viewFor(options);
  const sides = baseValues(metric, span).map((vector) => sumOver(view, vector));
  const chart = { view, sides, metric, options, span, sums: new Map() };
  if (sides.length === 1) chart.width = sides[0].total;
  else chart.width = widest(view, sides);
  return chart;
}

// Sums by side of another column of values over the chart's view, kept with the chart.
function sumsOf(chart, metric, other) {
  const key = other ? metric.other : metric.value;
  if (!chart.sums.has(key)) {
    const values = (other ? otherValues : baseValues)(metric, chart.span);
    chart.sums.set(key, values.map((vector) => sumOver(chart.view, vector)));
  }
  return chart.sums.get(key);
}
const lastSums = (chart, metric, other) => sumsOf(chart, metric, other)[chart.sides.length - 1];

function widest(view, sides) {
  const width = new Float64Array(view.n);
  for (let i = 0; i < view.n; i++) width[i] = Math.max(sides[0].self[i], sides[1].self[i]);
  for (let i = view.n - 1; i > 0; i--) width[view.parent[i]] += width[i];
  return width;
}

const after = (chart) => chart.sides[chart.sides.length - 1];
const change = (chart, node) => chart.sides[1].total[node] - chart.sides[0].total[node];

function childrenOf(chart, node) {
  const out = [];
  for (let c = chart.view.first[node]; c; c = chart.view.next[c]) if (chart.width[c] > 0) out.push(c);
  return out.sort((a, b) => chart.width[b] - chart.width[a] || a - b);
}

// Frames from a node to the outermost caller.
function stackOf(chart, node) {
  const out = [];
  for (let at = node; at > 0; at = chart.view.parent[at]) out.push(data.frames[chart.view.rep[at]]);
  return chart.options.invert ? out.reverse() : out;
}

// A node as a path of keys that means the same in every page of this file.
function pathOf(view, node) {
  const keys = [];
  for (let at = node; at > 0; at = view.parent[at]) keys.push(view.key[at].toString(36));
  return keys.reverse().join(".");
}
function nodeAt(view, path) {
  let node = 0;
  for (const part of path ? path.split(".") : []) {
    const key = parseInt(part, 36);
    let child = view.first[node];
    while (child && view.key[child] !== key) child = view.next[child];
    if (!child) return node;
    node = child;
  }
  return node;
}
