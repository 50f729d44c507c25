// The embedded data, unpacked into typed arrays. Names come from foreign programs: control and
// direction characters are replaced here once, and nothing is ever put into the page as markup.
const INLINED = 1, ALLOCATOR = 2, RUNTIME = 4, FOLDED = 8;
const languageOf = (frame) => frame.flags >> 4; // a number in data.languages
const VALUES = ["allocations", "allocated_bytes", "temporary", "temporary_bytes",
  "peak_bytes", "peak_blocks", "leaked_bytes", "leaked_blocks"];

const METRICS = [
  { id: "peak", name: "Peak", value: "peak_bytes", other: "peak_blocks", unit: "bytes",
    what: "live when the heap was largest" },
  { id: "leaked", name: "Live at the end", value: "leaked_bytes", other: "leaked_blocks", unit: "bytes",
    what: "not freed before the end: lost, or still reachable" },
  { id: "lost", name: "Lost", value: "lost_bytes", other: "lost_blocks", unit: "bytes",
    what: "live at the end, and nothing leads to it any more" },
  { id: "possible", name: "Possibly lost", value: "possible_bytes", other: "possible_blocks", unit: "bytes",
    what: "live at the end, and what leads to it may be chance" },
  { id: "reachable", name: "Still reachable", value: "reachable_bytes", other: "reachable_blocks", unit: "bytes",
    what: "live at the end, and the program can still get at it" },
  { id: "allocated", name: "Allocated bytes", value: "allocated_bytes", other: "allocations",
    unit: "bytes", what: "bytes of all allocations together" },
  { id: "count", name: "Number of allocations", value: "allocations", other: "allocated_bytes",
    unit: "count", what: "how often memory was asked for" },
  { id: "temporary", name: "Temporary", value: "temporary", other: "temporary_bytes",
    unit: "count", what: "freed before the same thread allocated again" },
  { id: "growth", name: "Growth", value: "leaked_bytes", other: "leaked_blocks", unit: "bytes",
    what: "live at the end of the selected time, less what was live at its start" },
];
// What became of the blocks that are live at the end, by the metric that tells of it.
const FATES = { lost: [0, 1], possible: [2], reachable: [3] };
const isJudged = (id) => data.sides.every(({ blocks }) => blocks.judged) &&
  (id !== "possible" || data.sides.some(({ blocks }) => blocks.fates.fate.includes(2)));
// Older samples do not tell what was temporary.
const isTold = (id) => id !== "temporary" || data.sides.every((side) => side.totals.temporary !== null);
const metricsShown = () => METRICS.filter(({ id }) => (id === "growth" ? !data.isDiff : (!(id in FATES) || isJudged(id)) && isTold(id)));
const metricById = (id) => METRICS.find((m) => m.id === id) || METRICS[0];
const metricText = (metric) => (metric.unit === "bytes" ? heapBytes : blocksText);
const exactText = (metric, n) => (metric.unit === "bytes" ? exactHeapBytes(n) : blocksText(n));

const clean = (text) =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    "\ufffd");

// Numbers in base64, deflated, LEB128 (exact up to 2^53).
async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function numberReader(from) {
  let at = 0;
  return {
    more: () => at < from.length,
    next() {
      let byte = from[at++], value = byte & 127;
      for (let scale = 128; byte & 128; scale *= 128) {
        byte = from[at++];
        value += (byte & 127) * scale;
      }
      return value;
    },
  };
}

async function unpack(from) {
  const packed = [from.strings, from.nodes, ...from.sides.flatMap((side) => [side.blocks.data, side.curve.data, side.resident.data])];
  const parts = await Promise.all(packed.map(inflate));
  const out = { sides: from.sides, isDiff: from.sides.length > 1, folded: from.folded,
    foldedShare: from.folded_share_ppm / 1e6, nodesMax: from.nodes_max, languages: from.languages, nameLimit: from.name_limit,
    findings: from.findings || null, sources: from.sources ? JSON.parse(new TextDecoder().decode(await inflate(from.sources))) : {} };
  unpackNodes(out, parts[1], new TextDecoder().decode(parts[0]).split("\0").map(clean));
  out.sides.forEach((side, i) => {
    side.blocks = unpackBlocks(side.blocks, numberReader(parts[2 + 3 * i]));
    side.curve = unpackCurve(side.curve, numberReader(parts[3 + 3 * i]));
    side.resident = unpackResident(side.resident, numberReader(parts[4 + 3 * i]));
  });
  return out;
}

function unpackNodes(out, packed, strings) {
  const reader = numberReader(packed), n = (out.n = reader.next());
  out.parent = new Int32Array(n);
  out.frame = new Int32Array(n);
  for (let i = 1; i < n; i++) out.parent[i] = i - reader.next();
  for (let i = 1; i < n; i++) out.frame[i] = reader.next();
  unpackFrames(out, reader, strings);
  out.self = out.sides.map(() =>
    Object.fromEntries(VALUES.map((name) => [name, new Float64Array(n)])));
  for (let at = -1, step = reader.next(); step; step = reader.next()) {
    at += step;
    for (const side of out.self) for (const name of VALUES) side[name][at] = reader.next();
  }
}

function unpackFrames(out, reader, strings) {
  const ids = new Map();
  out.frames = [];
  out.functions = [];
  for (let left = reader.next(); left > 0; left--) {
    const frame = { name: strings[reader.next()], file: strings[reader.next()],
      line: reader.next(), module: strings[reader.next()], flags: reader.next() };
    const key = `${frame.name}\n${frame.module}`;
    if (!ids.has(key)) {
      ids.set(key, out.functions.length);
      out.functions.push(frame);
    }
    frame.fn = ids.get(key);
    out.frames.push(frame);
  }
}

// ---- blocks and the curve ----

const smallestOf = (cls) => (cls < 4 ? cls : (4 + (cls % 4)) * 2 ** (Math.floor(cls / 4) - 1));

// A column of numbers; with `sum` each is a distance to the one before.
function column(reader, cnt, type, sum) {
  const out = new type(cnt);
  for (let i = 0, value = 0; i < cnt; i++) out[i] = value = (sum ? value : 0) + reader.next();
  return out;
}

// Blocks and bytes, which are told beyond the smallest of each block's size class (of estimates: all of them).
function counts(reader, cnt, smallest) {
  const blocks = column(reader, cnt, Float64Array), bytes_ = column(reader, cnt, Float64Array);
  for (let i = 0; i < cnt; i++) bytes_[i] += blocks[i] * smallest(i);
  return [blocks, bytes_];
}

function unpackBlocks(from, reader) {
  const out = { moments: Float64Array.from(from.moments_ns), stretches: from.moments_ns.length - 1, end: from.end_ns,
    sizeStep: from.size_step, detailed: from.detailed, judged: from.judged };
  const kinds = (out.kinds = { cnt: reader.next() }), n = kinds.cnt;
  kinds.node = column(reader, n, Int32Array, true);
  for (const name of ["thread", "heap", "size", "leaks"]) kinds[name] = column(reader, n, Int32Array);
  const smallest = Float64Array.from(kinds.size, (cls) => (from.whole_bytes ? 0 : smallestOf(cls * from.size_step)));
  [kinds.peak_blocks, kinds.peak_bytes] = counts(reader, n, (i) => smallest[i]);
  const allocs = (out.allocs = { cnt: reader.next() });
  allocs.kind = column(reader, allocs.cnt, Int32Array, true);
  allocs.born = column(reader, allocs.cnt, Int32Array);
  [allocs.blocks, allocs.bytes] = counts(reader, allocs.cnt, (i) => smallest[allocs.kind[i]]);
  const frees = (out.frees = { cnt: reader.next() });
  frees.kind = column(reader, frees.cnt, Int32Array, true);
  frees.born = column(reader, frees.cnt, Int32Array);
  frees.ended = column(reader, frees.cnt, Int32Array).map((age, i) => age + frees.born[i]);
  frees.life = column(reader, frees.cnt, Int32Array);
  frees.by = column(reader, frees.cnt, Int32Array);
  [frees.blocks, frees.bytes] = counts(reader, frees.cnt, (i) => smallest[frees.kind[i]]);
  [frees.temporary, frees.temporary_bytes] = counts(reader, frees.cnt, (i) => smallest[frees.kind[i]]);
  const fates = (out.fates = { cnt: reader.next() });
  fates.kind = column(reader, fates.cnt, Int32Array, true);
  fates.born = column(reader, fates.cnt, Int32Array);
  fates.fate = column(reader, fates.cnt, Int32Array);
  [fates.blocks, fates.bytes] = counts(reader, fates.cnt, (i) => smallest[fates.kind[i]]);
  return out;
}

// The highest live bytes and the allocations of each of many equal steps.
function unpackCurve(from, reader) {
  const cnt = reader.next(), most = new Float64Array(cnt);
  for (let i = 0; i < cnt; i++) {
    const by = reader.next();
    most[i] = (i ? most[i - 1] : 0) + (by % 2 ? -(by + 1) / 2 : by / 2);
  }
  return { step: from.step_ns, most, allocations: column(reader, cnt, Float64Array) };
}

const baseName = (path) => path.slice(path.lastIndexOf("/") + 1);

// Where a frame is: "file.c:12", or the module when there is no source line.
function placeOf(frame) {
  if (frame.file) return `${frame.file}${frame.line ? `:${frame.line}` : ""}`;
  return frame.module;
}
const shortPlaceOf = (frame) =>
  (frame.file ? baseName(frame.file) + (frame.line ? `:${frame.line}` : "") : baseName(frame.module));

const data = await unpack(JSON.parse(document.getElementById("data").textContent));
