// What is shown, kept in the address: it can be shared, and the back button undoes each step.
const DEFAULTS = { view: "flame", metric: "peak", zoom: "", q: "", invert: "", merge: "",
  frames: "runtime", by: "function", rows: "functions", from: "", to: "", sort: "self", asc: "",
  fn: "", only: "", bands: "site" };
const listeners = [];
let state;

function readState() {
  const out = { ...DEFAULTS };
  for (const [key, value] of new URLSearchParams(location.hash.slice(1)))
    if (key in out) out[key] = value;
  if (!METRICS.some((m) => m.id === out.metric)) out.metric = DEFAULTS.metric;
  if (!(out.frames in HIDDEN_FLAGS)) out.frames = DEFAULTS.frames;
  if (!(out.bands in BANDS_BY)) out.bands = DEFAULTS.bands;
  if (!data.history || !/^\d+$/.test(out.from) || !/^\d+$/.test(out.to)) out.from = out.to = "";
  return out;
}

function hashOf(values) {
  const params = new URLSearchParams();
  for (const key of Object.keys(DEFAULTS))
    if (values[key] !== DEFAULTS[key]) params.set(key, values[key]);
  return `#${params}`;
}

// Changes the state. Each change is a step of the history, except with replace (while typing).
function go(changes, replace) {
  const next = { ...state, ...changes };
  const hash = hashOf(next);
  if (hash === hashOf(state)) return;
  state = next;
  if (replace) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
  for (const listener of listeners) listener();
}

const viewOptions = () => ({ frames: state.frames, by: data.isDiff ? "function" : state.by,
  merge: state.merge === "1", invert: state.invert === "1" });
const metricNow = () => metricById(state.metric);

// The selected span in buckets, or null.
function spanNow() {
  if (state.from === "" || state.to === "") return null;
  const from = Math.max(0, Math.min(Number(state.from) | 0, data.history.buckets - 1));
  const to = Math.max(from + 1, Math.min(Number(state.to) | 0, data.history.buckets));
  return { from, to };
}
const spanTimes = (span) => {
  const end = data.sides[0].traces[0].duration_ns;
  const last = span.to >= data.history.buckets;
  return [span.from * data.history.bucketNs, last ? end : Math.min(end, span.to * data.history.bucketNs)];
};

// The chart of the current state; the last few are kept.
const charts = new Map();
function chartNow(overrides) {
  const options = { ...viewOptions(), ...overrides }, span = spanNow();
  const path = options.invert ? state.zoom : "";
  const key = [JSON.stringify(options), path, state.only, state.metric, span && span.from, span && span.to].join();
  if (!charts.has(key)) {
    if (charts.size > 8) charts.delete(charts.keys().next().value);
    charts.set(key, chartFor(options, metricNow(), span, path));
  }
  return charts.get(key);
}

for (const event of ["popstate", "hashchange"])
  addEventListener(event, () => {
    const next = readState();
    if (hashOf(next) === hashOf(state)) return;
    state = next;
    for (const listener of listeners) listener();
  });
