// The embedded data, unpacked into typed arrays. Names come from foreign programs: control and
// direction characters are replaced here once, and nothing is ever put into the page as markup.
const INLINED = 1, ALLOCATOR = 2, RUNTIME = 4, FOLDED = 8;
const VALUES = ["allocations", "allocated_bytes", "temporary", "temporary_bytes",
  "peak_bytes", "peak_blocks", "leaked_bytes", "leaked_blocks"];

const METRICS = [
  { id: "peak", name: "Peak", value: "peak_bytes", other: "peak_blocks", unit: "bytes",
    what: "live when the heap was largest" },
  { id: "leaked", name: "Leaked", value: "leaked_bytes", other: "leaked_blocks", unit: "bytes",
    what: "never freed before the end" },
  { id: "allocated", name: "Allocated", value: "allocated_bytes", other: "allocations",
    unit: "bytes", what: "bytes of all allocations together" },
  { id: "count", name: "Allocations", value: "allocations", other: "allocated_bytes",
    unit: "count", what: "how often memory was asked for" },
  { id: "temporary", name: "Temporary", value: "temporary", other: "temporary_bytes",
    unit: "count", what: "freed before the same thread allocated again" },
];
const metricById = (id) => METRICS.find((m) => m.id === id) || METRICS[0];
const metricText = (metric) => (metric.unit === "bytes" ? bytes : count);
const exactText = (metric, n) => (metric.unit === "bytes" ? exactBytes(n) : count(n));

const clean = (text) =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    "\ufffd");

function unpack(from) {
  const nodes = from.nodes;
  const strings = from.strings.map(clean);
  const out = {
    sides: from.sides, n: nodes.parent.length, parent: Int32Array.from(nodes.parent),
    frame: Int32Array.from(nodes.frame), folded: nodes.folded,
    foldedShare: nodes.folded_share_ppm / 1e6, nodesMax: nodes.max, nameLimit: from.name_limit,
    self: nodes.self.map((side) =>
      Object.fromEntries(VALUES.map((name) => [name, Float64Array.from(side[name])]))),
  };
  out.isDiff = out.sides.length > 1;
  unpackFrames(out, from.frames, strings);
  out.history = from.history ? unpackHistory(from.history, out.n) : null;
  return out;
}

function unpackFrames(out, columns, strings) {
  const ids = new Map();
  out.frames = [];
  out.functions = [];
  for (let i = 0; i < columns.length; i += 5) {
    const frame = { name: strings[columns[i]], file: strings[columns[i + 1]],
      line: columns[i + 2], module: strings[columns[i + 3]], flags: columns[i + 4] };
    const key = `${frame.name}\n${frame.module}`;
    if (!ids.has(key)) {
      ids.set(key, out.functions.length);
      out.functions.push(frame);
    }
    frame.fn = ids.get(key);
    out.frames.push(frame);
  }
}

function base64Bytes(text) {
  const binary = atob(text);
  const out = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) out[i] = binary.charCodeAt(i);
  return out;
}

// A reader of LEB128 numbers (exact up to 2^53).
function numberReader(from) {
  let at = 0;
  return {
    more: () => at < from.length,
    next() {
      let value = 0, scale = 1, byte;
      do {
        byte = from[at++];
        value += (byte & 127) * scale;
        scale *= 128;
      } while (byte & 128);
      return value;
    },
  };
}

const HISTORY = ["allocations", "allocated_bytes", "frees", "freed_bytes", "temporary",
  "temporary_bytes"];

// Columns of entries: node, bucket and the six counters.
function unpackHistory(from, n) {
  const reader = numberReader(base64Bytes(from.data));
  const columns = { node: [], bucket: [] };
  for (const name of HISTORY) columns[name] = [];
  for (let node = 0; reader.more() && node < n;) {
    node += reader.next();
    let bucket = 0;
    for (let left = reader.next(); left > 0; left--) {
      bucket += reader.next();
      columns.node.push(node);
      columns.bucket.push(bucket);
      for (const name of HISTORY) columns[name].push(reader.next());
    }
  }
  const buckets = columns.bucket.reduce((most, b) => Math.max(most, b), 0) + 1;
  return { ...columns, cnt: columns.node.length, bucketNs: from.bucket_ns, buckets };
}

const baseName = (path) => path.slice(path.lastIndexOf("/") + 1);

// Where a frame is: "file.c:12", or the module when there is no source line.
function placeOf(frame) {
  if (frame.file) return `${frame.file}${frame.line ? `:${frame.line}` : ""}`;
  return frame.module;
}
const shortPlaceOf = (frame) =>
  (frame.file ? baseName(frame.file) + (frame.line ? `:${frame.line}` : "") : baseName(frame.module));

const data = unpack(JSON.parse(document.getElementById("data").textContent));
