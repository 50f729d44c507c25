// Time by site: whose the live bytes are. A stack belongs to the line, function or module that is charged
// with it: the first frame outside allocators and run-time libraries. A group can be chosen (state "only"),
// and then everything is about its stacks alone.
const BANDS_BY = { site: "site", function: "function", module: "module" };
const BANDS_MAX = 10;
const BAND_COLOURS = ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m8", "m9", "m10"];

// By node: itself or its nearest caller outside run-time libraries; itself when there is none.
const chargedNodes = memo(() => {
  const up = new Int32Array(data.n);
  for (let i = 1; i < data.n; i++)
    up[i] = data.frames[data.frame[i]].flags & RUNTIME ? up[data.parent[i]] : i;
  return up.map((node, i) => node || i);
});

// Numbers of groups by node (0: no stack ends there), and of each group its frame.
const groupings = {};
function groupingFor(by) {
  if (groupings[by]) return groupings[by];
  const ids = new Map(), frames = [null], of = new Int32Array(data.n), charged = chargedNodes();
  for (let i = 1; i < data.n; i++) {
    if (!hasValue(i)) continue;
    const number = data.frame[charged[i]], frame = data.frames[number];
    const key = { site: number, function: frame.fn, module: frame.module }[by];
    if (!ids.has(key)) {
      ids.set(key, frames.length);
      frames.push(frame);
    }
    of[i] = ids.get(key);
  }
  return (groupings[by] = { of, frames });
}

function groupName(by, frame) {
  if (by === "module") return baseName(frame.module) || "[unknown]";
  return frame.name;
}
const groupPlace = (by, frame) => (by === "site" ? shortPlaceOf(frame) : by === "function" ? baseName(frame.module) : "");

// ---- the chosen group ----

// { by, id, frame } of an address's "only", or null.
function chosenGroup(only) {
  const [by, id] = (only || "").split(".");
  if (!(by in BANDS_BY)) return null;
  const frame = groupingFor(by).frames[Number(id) | 0];
  return frame ? { by, id: Number(id) | 0, frame } : null;
}

// What of values by node belongs to the chosen group.
function ofChosen(vector) {
  const chosen = chosenGroup(state.only);
  if (!chosen) return vector;
  const { of } = groupingFor(chosen.by);
  return vector.map((value, i) => (of[i] === chosen.id ? value : 0));
}

function toggleGroup(by, id) {
  const only = `${by}.${id}`;
  go({ only: state.only === only ? "" : only, zoom: "" });
}

function groupOfPlace({ function: name, file, line, module }) {
  const { frames } = groupingFor("site");
  return frames.findIndex((f) => f && f.module === module && (file ? f.file === file && f.line === line : f.name === name));
}

// ---- bands ----

// The groups with the highest live bytes at the ends of buckets, and the rest as one (id 0), the
// largest first: { id, frame, live by bucket, most }.
const bandsKept = {};
function bandsFor(by) {
  if (bandsKept[by]) return bandsKept[by];
  const h = data.history, { of, frames } = groupingFor(by);
  const all = frames.map((frame, id) => ({ id, frame, live: new Float64Array(h.buckets), most: 0 }));
  for (let i = 0; i < h.cnt; i++)
    all[of[h.node[i]]].live[h.bucket[i]] += h.allocated_bytes[i] - h.freed_bytes[i];
  for (const band of all)
    for (let b = 0; b < h.buckets; b++) {
      if (b) band.live[b] += band.live[b - 1];
      band.most = Math.max(band.most, band.live[b]);
    }
  all.sort((a, b) => b.most - a.most);
  const shown = all.slice(0, BANDS_MAX).filter((band) => band.most), rest = all.slice(BANDS_MAX);
  if (rest.some((band) => band.most)) shown.push(sumOfBands(rest, h.buckets));
  return (bandsKept[by] = shown);
}

function sumOfBands(bands, buckets) {
  const live = new Float64Array(buckets);
  for (const band of bands) band.live.forEach((value, b) => (live[b] += value));
  return { id: 0, frame: null, live, most: maxOf(live), cnt: bands.filter((band) => band.most).length };
}

const bandName = (by, band) => (band.frame ? groupName(by, band.frame) : `${count(band.cnt)} others`);
const bandColour = (band, i) => (band.frame ? BAND_COLOURS[i] : "m7");

// The times of the values of bands: the start, the ends of buckets, and the end of the process.
function bandTimes(at) {
  const h = data.history, times = [0];
  for (let b = 0; b < h.buckets; b++) times.push(Math.min(at.end, (b + 1) * h.bucketNs));
  return [...times, at.end];
}

// Areas on top of each other.
function bandPaths(at) {
  const by = state.bands, times = bandTimes(at), base = new Float64Array(times.length);
  return bandsFor(by).map((band, i) => {
    const low = times.map((t, k) => `${at.x(t).toFixed(1)},${at.y(base[k]).toFixed(1)}`);
    times.forEach((_, k) => (base[k] += k ? band.live[Math.min(k, band.live.length) - 1] : 0));
    const high = times.map((t, k) => `${at.x(t).toFixed(1)},${at.y(base[k]).toFixed(1)}`);
    const dim = chosenGroup(state.only) && state.only !== `${by}.${band.id}`;
    return svg("path", { d: `M${high.join("L")}L${low.reverse().join("L")}Z`, "data-band": band.id,
      class: `band ${bandColour(band, i)}${dim ? " dim" : ""}` });
  });
}

// The band under a point of the plot, or null.
function bandAt(at, time, value) {
  const b = Math.min(data.history.buckets - 1, Math.floor(time / data.history.bucketNs));
  let sum = 0;
  for (const band of bandsFor(state.bands)) {
    const before = b ? band.live[b - 1] : 0, share = time / data.history.bucketNs - b;
    sum += before + (band.live[b] - before) * Math.min(1, share);
    if (value <= sum) return band;
  }
  return null;
}

function bandList() {
  const by = state.bands;
  return el("ul", { class: "bands", "aria-label": `Live bytes by ${by}: the highest of each` }, bandsFor(by).map((band, i) => {
    const label = [el("span", { class: `key ${bandColour(band, i)}`, "aria-hidden": "true" }),
      nameNode(bandName(by, band)), el("span", { class: "amount" }, bytes(band.most))];
    if (!band.frame) return el("li", {}, el("span", { class: "band-row" }, label));
    const title = `${bandName(by, band)} ${groupPlace(by, band.frame)}: at most ${exactBytes(band.most)} at the steps of the curve. ` +
      "Click to show only this.";
    return el("li", {}, button(label, () => toggleGroup(by, band.id), { class: "band-row", title: clean(title),
      "aria-pressed": String(state.only === `${by}.${band.id}`) }));
  }));
}

function bandTable() {
  const bands = bandsFor(state.bands), h = data.history;
  const columns = [{ id: "t", label: "At", number: true, value: (b) => (b + 1) * h.bucketNs, cell: (b) => duration((b + 1) * h.bucketNs) },
    ...bands.map((band, i) => ({ id: `band${i}`, label: bandName(state.bands, band), number: true,
      value: (b) => band.live[b], cell: (b) => bytes(band.live[b]) }))];
  return makeTable({ caption: `Live bytes by ${state.bands}`, columns, rows: [...h.bucket.slice(0, 0), ...Array(h.buckets).keys()] });
}

// ---- the largest sites ----

// The five lines that have most of the metric.
function topSites() {
  const { of, frames } = groupingFor("site"), metric = metricNow();
  const sides = unfiltered(metric, spanNow()), rows = frames.map((frame, id) => ({ id, frame, value: 0 }));
  const vector = sides[sides.length - 1];
  let whole = 0;
  for (let i = 1; i < data.n; i++) {
    rows[of[i]].value += vector[i];
    whole += vector[i];
  }
  return { whole, rows: rows.filter((r) => r.frame && r.value > 0).sort((a, b) => b.value - a.value).slice(0, 5) };
}

function topSitesCard() {
  const { rows, whole } = topSites(), metric = metricNow(), text = metricText(metric);
  return [el("h2", {}, `Top sites: ${metric.name.toLowerCase()}${data.isDiff ? " (after)" : ""}`),
    rows.length ? el("ol", { class: "top-sites" }, rows.map((row) => el("li", {}, button(
      [el("span", { class: "amount" }, INEXACT + text(row.value)), el("span", { class: "amount faint" }, percent(row.value, whole)),
        nameNode(row.frame.name), el("span", { class: "faint place" }, shortPlaceOf(row.frame))],
      () => toggleGroup("site", row.id), { class: "site-row", title: `${row.frame.name}\n${placeOf(row.frame)}\n${exactText(metric, row.value)}. Click to show only this.`,
        "aria-pressed": String(state.only === `site.${row.id}`) })))) : el("p", { class: "faint" }, "None.")];
}
