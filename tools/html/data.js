// The embedded data, unpacked into typed arrays. Names come from foreign programs: control and
// direction characters are replaced here once, and nothing is ever put into the page as markup.
const INLINED = 1, ALLOCATOR = 2, RUNTIME = 4, FOLDED = 8;
const VALUES = ["allocations", "allocated_bytes", "temporary", "temporary_bytes",
  "peak_bytes", "peak_blocks", "leaked_bytes", "leaked_blocks"];

const METRICS = [
  { id: "peak", name: "Peak", value: "peak_bytes", other: "peak_blocks", unit: "bytes",
    what: "live when the heap was largest" },
  { id: "leaked", name: "Live at the end", value: "leaked_bytes", other: "leaked_blocks", unit: "bytes",
    what: "not freed before the end: lost, or still reachable" },
  { id: "allocated", name: "Allocated bytes", value: "allocated_bytes", other: "allocations",
    unit: "bytes", what: "bytes of all allocations together" },
  { id: "count", name: "Number of allocations", value: "allocations", other: "allocated_bytes",
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
  const parts = await Promise.all([from.strings, from.nodes, from.history?.data || ""].map((text) =>
    (text ? inflate(text) : null)));
  const out = { sides: from.sides, isDiff: from.sides.length > 1, folded: from.folded,
    foldedShare: from.folded_share_ppm / 1e6, nodesMax: from.nodes_max, nameLimit: from.name_limit,
    findings: from.findings || null };
  unpackNodes(out, parts[1], new TextDecoder().decode(parts[0]).split("\0").map(clean));
  out.history = from.history ? unpackHistory(from.history, parts[2], out.n) : null;
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

const HISTORY = ["allocations", "allocated_bytes", "frees", "freed_bytes", "temporary",
  "temporary_bytes"];

// Columns of entries: node, bucket, the bucket its blocks were allocated in, and six counters.
function unpackHistory(from, packed, n) {
  const reader = numberReader(packed), rows = [];
  for (let node = 0; reader.more() && node < n;) {
    node += reader.next();
    let bucket = 0;
    for (let buckets = reader.next(); buckets > 0; buckets--) {
      bucket += reader.next();
      let born = bucket;
      for (let ages = reader.next(); ages > 0; ages--) {
        born -= reader.next();
        const allocations = reader.next(), allocated = allocations && reader.next();
        const frees = reader.next(), freed = frees && reader.next();
        const temporary = frees && reader.next(), bytes_ = temporary && reader.next();
        rows.push(node, bucket, born, allocations, allocated, frees, freed, temporary, bytes_);
      }
    }
  }
  return historyColumns(rows, from.bucket_ns);
}

function historyColumns(rows, bucketNs) {
  const names = ["node", "bucket", "born", ...HISTORY], cnt = rows.length / names.length;
  const out = { cnt, bucketNs, buckets: 1 };
  names.forEach((name, k) => {
    const column = (out[name] = k < 3 ? new Int32Array(cnt) : new Float64Array(cnt));
    for (let i = 0; i < cnt; i++) column[i] = rows[i * names.length + k];
  });
  for (let i = 0; i < cnt; i++) out.buckets = Math.max(out.buckets, out.bucket[i] + 1);
  return out;
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
