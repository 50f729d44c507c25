// Ways to put blocks together: by the line, function or module that is charged with their stack (the first
// frame outside allocators and run-time libraries), by thread, heap, size class or lifetime. Groups can be
// chosen, one of each way (state "only"), and then everything is about their blocks alone.
const GROUPS_BY = { site: "site", function: "function", module: "module", thread: "thread", heap: "heap",
  size: "size", life: "lifetime", language: "language" };
const BY_NODE = { site: true, function: true, module: true, language: true };

// Of a recording that is too large the page does not tell threads, heaps, sizes and lifetimes apart.
const isDetailed = () => data.sides.every((side) => side.blocks.detailed);
const hasWay = (by) => (by === "language" ? isPolyglot() && groupingFor(by).groups.length > 2 : BY_NODE[by] || isDetailed());
const waysTold = () => Object.entries(GROUPS_BY).filter(([by]) => hasWay(by));
const bandWays = () => [...waysTold().filter(([by]) => by !== "life"),
  ...(!data.isDiff && data.sides[0].resident.kinds ? [["resident", "kind of resident memory"]] : [])];

// By node: itself or its nearest caller outside run-time libraries; itself when there is none.
const chargedNodes = memo(() => {
  const up = new Int32Array(data.n);
  for (let i = 1; i < data.n; i++)
    up[i] = data.frames[data.frame[i]].flags & RUNTIME ? up[data.parent[i]] : i;
  return up.map((node, i) => node || i);
});

// Numbers of groups by node (0: no stack ends there), and the groups: [0] is none.
function nodeGrouping(by) {
  const ids = new Map(), groups = [null], of = new Int32Array(data.n), charged = chargedNodes();
  for (const i of valuedNodes()) {
    const number = data.frame[charged[i]], frame = data.frames[number];
    const key = { site: number, function: frame.fn, module: frame.module, language: languageOf(frame) }[by];
    if (!ids.has(key)) {
      ids.set(key, groups.length);
      groups.push({ id: groups.length, frame, name: groupName(by, frame),
        place: by === "site" ? shortPlaceOf(frame) : by === "function" ? baseName(frame.module) : "" });
    }
    of[i] = ids.get(key);
  }
  return { of, groups };
}

function groupName(by, frame) {
  if (by === "module") return baseName(frame.module) || "[unknown]";
  return by === "language" ? data.languages[languageOf(frame)] : frame.name;
}

function sizeName(cls) {
  const from = smallestOf(cls * lastSide().blocks.sizeStep), to = smallestOf((cls + 1) * lastSide().blocks.sizeStep) - 1;
  return to <= from ? bytes(from) : `${bytes(from)} – ${bytes(to)}`;
}
const lifeName = (power) => `${duration(power ? 2 ** power : 0)} – ${duration(2 ** (power + 1))}`;

function threadName(number, side) {
  const thread = side.threads[number];
  if (!thread) return `${count(side.threads_total - side.threads.length)} other threads`;
  const name = clean(thread.name), trace = side.traces[thread.trace];
  const whose = side.traces.length > 1 ? `${clean(trace.name)} ${trace.pid}, ` : "";
  if (trace.pid === thread.tid) return `${whose}main thread${name ? ` (${name})` : ""}`;
  return whose + (name ? `${name} ${thread.thread}` : `thread ${thread.thread}`);
}
const heapName = (number, side) => clean(side.heap_names[number] || "other heaps");

// Groups that are numbers of kinds of blocks (or of lifetimes): group n + 1 is number n.
function numberGrouping(by) {
  const side = lastSide(), values = by === "life" ? side.blocks.frees.life : side.blocks.kinds[by];
  const name = { size: sizeName, life: lifeName, thread: (n) => threadName(n, side), heap: (n) => heapName(n, side) }[by];
  const groups = [null];
  for (const value of new Set(values)) groups[value + 1] = { id: value + 1, name: name(value), place: "" };
  return { groups };
}

const groupings = {};
function groupingFor(by) {
  return (groupings[by] ||= BY_NODE[by] ? nodeGrouping(by) : numberGrouping(by));
}

// By kind of blocks of a side: the number of its group.
const kindGroups = new Map();
function groupOfKinds(by, side) {
  const key = `${by}${data.sides.indexOf(side)}`, { kinds } = side.blocks;
  if (!kindGroups.has(key)) {
    const { of } = groupingFor(by);
    kindGroups.set(key, of ? kinds.node.map((node) => of[node]) : kinds[by].map((value) => value + 1));
  }
  return kindGroups.get(key);
}

// ---- what is chosen ----

// The chosen groups of an address's "only": [{ by, group }].
function chosenGroups(only) {
  return (only || "").split("-").map((part) => part.split(".")).filter(([by]) => waysTold().some(([way]) => way === by))
    .map(([by, id]) => ({ by, group: groupingFor(by).groups[Number(id) | 0] })).filter(({ group }) => group);
}
const isChosen = (by, id) => chosenGroups(state.only).some((c) => c.by === by && c.group.id === id);

// Chooses a group, or takes its choice back; another of the same way gives way.
function toggleGroup(by, id) {
  const others = chosenGroups(state.only).filter((c) => c.by !== by).map((c) => `${c.by}.${c.group.id}`);
  go({ only: (isChosen(by, id) ? others : [...others, `${by}.${id}`]).join("-"), zoom: "" });
}

function groupOfPlace({ function: name, file, line, module }) {
  return groupingFor("site").groups.findIndex((g) => g && g.frame.module === module &&
    (file ? g.frame.file === file && g.frame.line === line : g.frame.name === name));
}

// By node: 1 if a stack that ends there belongs to all chosen groups, and the search leaves it in (keep: "only" those
// with a match, those without are left "out"); null: all do.
function chosenNodes(groups, keep) {
  const ways = groups.filter(({ by }) => BY_NODE[by]), test = keep && searchTest(state.q);
  if (!ways.length && !test) return null;
  const mask = new Uint8Array(data.n).fill(1), ends = valuedNodes();
  const keepThose = (values, wanted) => {
    for (let k = 0; k < ends.length; k++) if (values[ends[k]] !== wanted) mask[ends[k]] = 0;
  };
  for (const { by, group } of ways) keepThose(groupingFor(by).of, group.id);
  if (test) keepThose(nodesWith(test), keep === "only" ? 1 : 0);
  return mask;
}

// By node: has its stack a frame that matches?
function nodesWith(test) {
  const found = new Uint8Array(data.n), hits = framesWith(test);
  for (let i = 1; i < data.n; i++) found[i] = found[data.parent[i]] | hits[data.frame[i]];
  return found;
}

// By kind of a side: 1 if its blocks are chosen.
function chosenKinds(side, groups, nodes) {
  const { kinds } = side.blocks, mask = new Uint8Array(kinds.cnt).fill(1);
  if (nodes) for (let k = 0; k < kinds.cnt; k++) mask[k] = nodes[kinds.node[k]];
  for (const { by, group } of groups)
    if (kinds[by]) for (let k = 0; k < kinds.cnt; k++) if (kinds[by][k] !== group.id - 1) mask[k] = 0;
  return mask;
}

// What numbers are about: { span, nodes, kinds (of each side), life (or -1), whole: only nodes are chosen by,
// key, who: the same without the span }. Made once for a choice.
const chosenKept = new Map();
function chosenBy(only, span, keep = state.keep) {
  const key = [only, keep, keep && state.q, span && span.from, span && span.to].join();
  if (chosenKept.has(key)) return chosenKept.get(key);
  const groups = chosenGroups(only), nodes = chosenNodes(groups, keep), life = groups.find((c) => c.by === "life");
  const chosen = { key, who: [only, keep, keep && state.q].join(), span, nodes, life: life ? life.group.id - 1 : -1,
    kinds: data.sides.map((side) => chosenKinds(side, groups, nodes)),
    whole: !span && groups.every(({ by }) => BY_NODE[by]) };
  if (chosenKept.size > 8) chosenKept.delete(chosenKept.keys().next().value);
  chosenKept.set(key, chosen);
  return chosen;
}
const chosenNow = () => chosenBy(state.only, spanNow());

// The same, whichever group of this way is chosen: to show what could be chosen instead.
const withoutWay = (by) => state.only.split("-").filter((part) => !part.startsWith(`${by}.`)).join("-");
