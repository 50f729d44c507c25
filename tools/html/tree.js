// Views of the call tree: with frames hidden, recursion merged, lines told apart, upside down.
// A view is made once for its options; values of a metric are then sums over an index. All of it is
// computed from every stack of the recording, unless the page says that it had to fold some.

// ---- views ----

const HIDDEN_FLAGS = { hide: ALLOCATOR, runtime: RUNTIME, all: 0 };

// The numbers of the languages that frames are in (0: not known), and ways to show the frames of one of them alone.
const languagesThere = memo(() => [...new Set(data.frames.filter((frame) => !(frame.flags & FOLDED)).map(languageOf))].sort((a, b) => a - b));
const isPolyglot = () => languagesThere().filter((n) => n).length > 1;
const frameWays = () => [["hide", "hide allocators"], ["runtime", "hide run-time too"], ["all", "show all"],
  ...(isPolyglot() ? languagesThere().map((n) => [`only${n}`, `only ${data.languages[n]}`]) : [])];
const onlyLanguage = (frames) => (frames.startsWith("only") ? Number(frames.slice(4)) : -1);

// By frame: is it left out?
function hiddenFrames(frames) {
  const only = onlyLanguage(frames), mask = HIDDEN_FLAGS[frames];
  return Uint8Array.from(data.frames, (frame) => (only < 0 ? frame.flags & mask : languageOf(frame) !== only && !(frame.flags & FOLDED)) ? 1 : 0);
}

// By node: the nearest caller (or itself) that is shown as the innermost frame.
function innermostShown(hidden) {
  const up = new Int32Array(data.n);
  for (let i = 1; i < data.n; i++) up[i] = hidden[data.frame[i]] ? up[data.parent[i]] : i;
  return up;
}

// Which nodes a view with these frames needs: where stacks end, and all their callers. A stack without any frame of the language that is
// shown alone ends at the root, others without a frame that is shown where they do.
const neededKept = new Map();
function neededNodes(frames) {
  if (!neededKept.has(frames)) neededKept.set(frames, findNeeded(hiddenFrames(frames), onlyLanguage(frames)));
  return neededKept.get(frames);
}

function findNeeded(hidden, only) {
  const up = innermostShown(hidden), need = new Uint8Array(data.n), end = new Int32Array(data.n);
  for (const i of valuedNodes()) {
    end[i] = up[i] || (only < 0 ? i : 0);
    need[end[i]] = 1;
  }
  for (let i = data.n - 1; i > 0; i--) if (need[i]) need[data.parent[i]] = 1;
  return { hidden, need, end };
}

// The nodes where stacks end.
const valuedNodes = memo(() => Int32Array.from(data.frame.keys()).filter((i) => i && hasValue(i)));
function hasValue(i) {
  for (const side of data.self) if (side.allocations[i] > 0) return true;
  return false;
}

// A trie that grows: children are found through an open-addressing table.
function newTrie(capacity) {
  let size = 1024;
  while (size < 2 * capacity) size *= 2;
  const slots = new Int32Array(size), mask = size - 1;
  const trie = { n: 1, parent: new Int32Array(capacity + 1), key: new Int32Array(capacity + 1),
    rep: new Int32Array(capacity + 1), first: new Int32Array(capacity + 1),
    next: new Int32Array(capacity + 1), several: new Uint8Array(capacity + 1) };
  // The child of a key; with `merge`, where there is none, the nearest caller of that key.
  trie.child = (parent, key, frame, merge) => {
    let at = (Math.imul(parent, 0x9e3779b1) ^ Math.imul(key, 0x85ebca6b)) >>> 0;
    for (at = (at ^ (at >>> 15)) & mask; slots[at]; at = (at + 1) & mask)
      if (trie.parent[slots[at]] === parent && trie.key[slots[at]] === key) {
        if (trie.rep[slots[at]] !== frame) trie.several[slots[at]] = 1;
        return slots[at];
      }
    const same = merge && sameBefore(trie, parent, key);
    if (same) return same;
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

// The modules of interpreters: those of the frames directly above a stack's first frame of Python.
const interpreters = memo(() => {
  const out = new Set(), inside = new Uint8Array(data.n), python = data.languages.indexOf("Python");
  for (let i = 1; i < data.n; i++) {
    const up = data.parent[i], isPython = languageOf(data.frames[data.frame[i]]) === python;
    inside[i] = inside[up] || isPython ? 1 : 0;
    if (isPython && up && !inside[up]) out.add(data.frames[data.frame[up]].module);
  }
  return out;
});
const starts = (frame) => frame.flags & RUNTIME || interpreters().has(frame.module);

// By frame: what makes it the same as others.
const keysOfFrames = { line: memo(() => Int32Array.from(data.frames.keys())), function: memo(() => Int32Array.from(data.frames, (frame) => frame.fn)) };

function forwardView(options) {
  const only = onlyLanguage(options.frames), { hidden, need, end: innermost } = neededNodes(options.frames);
  const view = newTrie(data.n), target = new Int32Array(data.n), keys = keysOfFrames[options.by]();
  const ends = new Uint8Array(data.n), outer = new Map();
  for (const i of valuedNodes()) ends[innermost[i]] = 1;
  for (let i = 1; i < data.n; i++) {
    if (!need[i]) continue;
    const frame = data.frame[i], parent = target[data.parent[i]];
    if (only >= 0 && hidden[frame]) {
      target[i] = parent;
      continue;
    }
    const key = keys[frame];
    // What starts processes and threads takes no rows above the program's own frames, only where a stack ends there.
    if (!parent && options.frames === "runtime" && starts(data.frames[frame])) {
      if (ends[i]) outer.set(i, view.child(0, key, frame));
      continue;
    }
    target[i] = view.child(parent, key, frame, options.merge);
  }
  view.end = new Int32Array(data.n);
  for (const i of valuedNodes()) view.end[i] = outer.get(innermost[i]) || target[innermost[i]];
  return view;
}

// Upside down: which stacks end alike, from the inside out. The whole of it would have as many nodes
// as all stacks have frames together; it is opened only where it can be seen: along the path that is
// zoomed into, and below its end what is wide enough. All its totals are exact, in every metric: a
// node that is not opened holds its stacks as a whole.
const SEEN_SHARE = 1 / 4000;

function invertedView(forward, width, path) {
  const ends = endsOf(forward);
  const view = { n: 1, parent: [0], key: [0], rep: [0], first: [0], next: [0], several: [0] };
  const at = new Int32Array(forward.n); // by end: where in the view it is
  const groups = [{ node: 0, ends, next: ends, sum: sumAt(width, ends), path, whole: 0 }];
  while (groups.length) {
    const group = groups.pop(), children = openGroup(view, forward, width, at, group);
    const zoomed = children.filter((child) => view.key[child.node] === group.path[0]);
    const whole = group.whole || group.sum;
    if (zoomed.length) groups.push({ ...zoomed[0], path: group.path.slice(1), whole: 0 });
    else for (const child of children)
      if (child.sum > 0 && child.sum >= whole * SEEN_SHARE) groups.push({ ...child, path: [], whole });
  }
  view.end = new Int32Array(data.n);
  for (const i of valuedNodes()) view.end[i] = at[forward.end[i]];
  return view;
}

// Where the stacks of a forward view end, each once.
function endsOf(forward) {
  if (forward.ends) return forward.ends;
  const seen = new Uint8Array(forward.n), ends = [];
  for (const i of valuedNodes()) {
    const end = forward.end[i];
    if (!end || seen[end]) continue;
    seen[end] = 1;
    ends.push(end);
  }
  return (forward.ends = Int32Array.from(ends));
}

function sumAt(width, nodes) {
  let sum = 0;
  for (let i = 0; i < nodes.length; i++) sum += width[nodes[i]];
  return sum;
}

// Makes the children of a group's node: its stacks by their next caller.
function openGroup(view, forward, width, at, group) {
  const children = new Map();
  group.ends.forEach((end, i) => {
    const up = group.next[i];
    if (!up) return;
    const key = forward.key[up];
    if (!children.has(key))
      children.set(key, { node: addChild(view, group.node, key, forward.rep[up]), ends: [], next: [], sum: 0 });
    const child = children.get(key);
    if (view.rep[child.node] !== forward.rep[up]) view.several[child.node] = 1;
    child.ends.push(end);
    child.next.push(forward.parent[up]);
    child.sum += width[end];
    at[end] = child.node;
  });
  return [...children.values()];
}

function addChild(view, parent, key, rep) {
  const node = view.n++;
  view.parent.push(parent);
  view.key.push(key);
  view.rep.push(rep);
  view.next.push(view.first[parent]);
  view.first.push(0);
  view.several.push(0);
  view.first[parent] = node;
  return node;
}

// By node: is it the outermost of its key on its stack? Others are recursive calls.
function outermostIn(view) {
  if (view.outermost) return view.outermost;
  const out = new Uint8Array(view.n), open = new Int32Array(data.frames.length);
  for (let at = view.first[0]; at;) {
    out[at] = open[view.key[at]]++ ? 0 : 1;
    if (view.first[at]) {
      at = view.first[at];
      continue;
    }
    while (at) {
      open[view.key[at]]--;
      if (view.next[at]) break;
      at = view.parent[at];
    }
    at = at && view.next[at];
  }
  return (view.outermost = out);
}

const views = new Map();
function forwardFor(options) {
  const key = [options.frames, options.by, options.merge].join();
  if (!views.has(key)) views.set(key, forwardView(options));
  return views.get(key);
}

// The view that shows the path zoomed into; the other way up it depends on what is wide.
function viewFor(options, metric, chosen, path) {
  const forward = forwardFor(options);
  if (!options.invert) return forward;
  const sides = sumsIn(forward, metric, chosen).map((sums) => sums.self);
  const width = sides.length === 1 ? sides[0] : sides[0].map((v, i) => Math.max(v, sides[1][i]));
  return invertedView(forward, width, keysOf(path));
}

// Self and total of each node of a view.
function sumOver(view, self) {
  const total = self.slice(), { parent } = view;
  for (let i = view.n - 1; i > 0; i--) total[parent[i]] += total[i];
  return { self, total };
}

// Everything a chart needs: the view, sums by side, and `width`: of two sides the larger self value
// of each node, so that frames which vanished keep their place.
function chartFor(options, metric, chosen, path) {
  const view = viewFor(options, metric, chosen, path), sides = sumsIn(view, metric, chosen);
  const chart = { view, sides, metric, options, chosen };
  if (sides.length === 1) chart.width = sides[0].total;
  else chart.width = widest(view, sides);
  return chart;
}

// Sums by side of a column of values over a view; the last ones are kept with it.
const SUMS_KEPT = 24;
function sumsIn(view, metric, chosen, other) {
  const kept = (view.sums ||= new Map()), key = `${metric.id} ${other ? "other" : ""} ${chosen.key}`;
  if (!kept.has(key)) {
    if (kept.size >= SUMS_KEPT) kept.delete(kept.keys().next().value);
    kept.set(key, baseValues(metric, chosen, view.end, view.n, other).map((self) => sumOver(view, self)));
  }
  return kept.get(key);
}
// By base node where stacks end: the number of its end among those of the view, and theirs all told for the root.
function endNumbers(view) {
  if (view.endNumbers) return view.endNumbers;
  const ends = endsOf(view), at = new Int32Array(view.n).fill(ends.length), out = new Int32Array(data.n);
  ends.forEach((end, i) => (at[end] = i));
  for (const i of valuedNodes()) out[i] = at[view.end[i]];
  return (view.endNumbers = out);
}

// By side what each end of the view has itself, by its number: all that some tables ask for.
function selvesOf({ view, chosen }, metric) {
  const kept = (view.selves ||= new Map()), key = `${metric.id} ${chosen.key}`;
  if (!kept.has(key)) {
    if (kept.size >= SUMS_KEPT) kept.delete(kept.keys().next().value);
    kept.set(key, baseValues(metric, chosen, endNumbers(view), endsOf(view).length + 1));
  }
  return kept.get(key);
}

// Totals by side at a node. Those of the root need no sums over the whole view.
function totalsAt({ view, chosen }, metric, node) {
  if (node) return sumsIn(view, metric, chosen).map(({ total }) => total[node]);
  return wholeValues(metric, chosen);
}
const sumsOf = (chart, metric, other) => sumsIn(chart.view, metric, chart.chosen, other);
const lastSums = (chart, metric, other) => sumsOf(chart, metric, other).at(-1);

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
const keysOf = (path) => (path ? path.split(".").map((part) => parseInt(part, 36)) : []);

function nodeAt(view, path) {
  let node = 0;
  for (const key of keysOf(path)) {
    let child = view.first[node];
    while (child && view.key[child] !== key) child = view.next[child];
    if (!child) return node;
    node = child;
  }
  return node;
}
