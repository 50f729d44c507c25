// What is shown, kept in the address: it can be shared, and the back button undoes each step.
const DEFAULTS = { view: "flame", metric: "peak", zoom: "", q: "", invert: "", merge: "",
  frames: "runtime", by: "function", rows: "functions", columns: "one", from: "", to: "", sort: "", asc: "",
  fn: "", only: "", keep: "", bands: "site", colours: "module", start: "", end: "" };
const listeners = [];
let state;

function readState() {
  const out = { ...DEFAULTS };
  for (const [key, value] of new URLSearchParams(location.hash.slice(1)))
    if (key in out) out[key] = value;
  if (!metricsShown().some((m) => m.id === out.metric)) out.metric = DEFAULTS.metric;
  if (!frameWays().some(([way]) => way === out.frames)) out.frames = DEFAULTS.frames;
  if (!["module", "language"].includes(out.colours)) out.colours = DEFAULTS.colours;
  if (!bandWays().some(([by]) => by === out.bands)) out.bands = DEFAULTS.bands;
  if (!["", "only", "out"].includes(out.keep)) out.keep = "";
  for (const [a, b] of [["from", "to"], ["start", "end"]])
    if (!/^\d+$/.test(out[a]) || !/^\d+$/.test(out[b])) out[a] = out[b] = "";
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

// The blocks of the side whose stretches time is selected by: the larger ones, whose borders the other has, too.
const timed = () => data.sides.reduce((least, { blocks }) => (blocks.stretches < least.stretches ? blocks : least), data.sides[0].blocks);

// The selected span in stretches of time, or null.
function spanNow() {
  if (state.from === "" || state.to === "") return null;
  const { stretches } = timed();
  const from = Math.max(0, Math.min(Number(state.from) | 0, stretches - 1));
  return { from, to: Math.max(from + 1, Math.min(Number(state.to) | 0, stretches)) };
}

// Are there two sides to compare: two recordings, or the two ends of the selected time?
const comparing = () => data.isDiff || state.metric === "growth";
const sideNames = () => (data.isDiff ? ["before", "after"] : comparing() ? ["at start", "at end"] : [""]);
const lastSide = () => data.sides[data.sides.length - 1];

// The chart of the current state; the last few are kept.
const charts = new Map();
function chartNow(overrides) {
  const options = { ...viewOptions(), ...overrides }, chosen = chosenNow();
  const path = options.invert ? state.zoom : "";
  const key = [JSON.stringify(options), path, state.metric, chosen.key].join();
  if (!charts.has(key)) {
    if (charts.size > 8) charts.delete(charts.keys().next().value);
    charts.set(key, chartFor(options, metricNow(), chosen, path));
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
