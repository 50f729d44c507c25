state = readState();

// Putting the screens together: toolbar, tabs, themes, and redrawing what a step changed.
const VIEWS = {
  flame: { label: "Flame graph", make: flamePanel, update: updateFlame },
  table: { label: "Functions", make: tablePanel, update: updateTable },
  bottomup: { label: "Bottom-up", make: bottomupPanel, update: updateBottomup },
  callers: { label: "Callers & callees", update: updateCallers },
  sizes: { label: "Sizes & lifetimes", update: updateDistributions },
  threads: { label: "Threads & heaps", update: updateThreads },
};

// A select with a label; entries: [value, text].
function choice(label, entries, value, onchange) {
  const select = el("select", { onchange: (event) => onchange(event.target.value) },
    entries.map(([id, text]) => el("option", { value: id, selected: id === value }, text)));
  return el("label", { class: "choice" }, el("span", {}, label), select);
}

function toggle(label, key, title) {
  return button(label, () => go({ [key]: state[key] ? "" : "1", zoom: "" }),
    { "aria-pressed": String(Boolean(state[key])), title, id: `toggle-${key}`, class: "toggle" });
}

// ---- toolbar ----

function metricButtons() {
  const group = el("div", { role: "radiogroup", "aria-label": "Metric", class: "segments" });
  metricsShown().forEach((metric) => group.append(el("button", { type: "button", role: "radio",
    "data-metric": metric.id, title: `${metric.name}: ${metric.what}`,
    onclick: () => go({ metric: metric.id }),
    onkeydown: moveMetric }, metric.name)));
  return group;
}
function moveMetric(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  stepMetric(step);
  document.querySelector(`[data-metric="${state.metric}"]`).focus();
}

function buildToolbar() {
  const search = el("input", { type: "search", id: "search", placeholder: "Search names, /regex/",
    "aria-label": "Search functions, files and modules", "aria-describedby": "matched", spellcheck: "false", autocomplete: "off",
    oninput: (event) => go({ q: event.target.value, keep: event.target.value ? state.keep : "" }, true),
    onkeydown: (event) => event.key === "Enter" && nextMatch(event.shiftKey ? -1 : 1) });
  byId("toolbar").append(metricButtons(), el("div", { class: "search" }, search,
    el("output", { id: "matched", for: "search" }), el("div", { class: "row", id: "match-steps" })), el("div", { class: "options", id: "options" }), el("div", { id: "only" }));
}

function updateToolbar() {
  for (const radio of document.querySelectorAll("[data-metric]")) {
    const on = radio.dataset.metric === state.metric;
    radio.setAttribute("aria-checked", String(on));
    radio.tabIndex = on ? 0 : -1;
  }
  const search = byId("search");
  if (search.value !== state.q) search.value = state.q;
  updateMatched();
  const focused = document.activeElement && document.activeElement.id;
  byId("match-steps").replaceChildren(...searchControls());
  byId("options").replaceChildren(...optionControls());
  if (focused && /^(toggle|match|keep|time)-/.test(focused)) byId(focused)?.focus();
  byId("only").replaceChildren(...chosenGroups(state.only).map(({ by, group }) => el("span", { class: "chip" }, `${GROUPS_BY[by]} `, nameNode(group.name),
    button("✕", () => toggleGroup(by, group.id), { "aria-label": `Show every ${GROUPS_BY[by]} again` }))));
}

// Whose stacks everything is about, by the language of the function that is charged.
function languageControls() {
  if (!hasWay("language")) return [];
  const chosen = chosenGroups(state.only).find(({ by }) => by === "language"), groups = groupingFor("language").groups.slice(1);
  const select = choice("Language", [["", "all"], ...groups.map((group) => [String(group.id), group.name])], chosen ? String(chosen.group.id) : "",
    (id) => toggleGroup("language", Number(id) || chosen.group.id));
  select.querySelector("select").id = "toggle-language";
  return [select];
}

function optionControls() {
  return [...languageControls(), ...frameControls()];
}

function frameControls() {
  if (state.view === "sizes" || state.view === "threads") return [];
  const frames = choice("Frames", frameWays(), state.frames, (value) => go({ frames: value, zoom: "" }));
  frames.querySelector("select").id = "toggle-frames";
  const controls = [frames, toggle("Merge recursion", "merge", "A function that calls itself becomes one frame")];
  if (state.view !== "flame") return controls;
  controls.push(toggle("Invert", "invert", "Innermost frames on top"));
  if (isPolyglot() && !comparing()) {
    const colours = choice("Colours", [["module", "module"], ["language", "language"]], state.colours, (value) => go({ colours: value }));
    colours.querySelector("select").id = "toggle-colours";
    controls.push(colours);
  }
  if (data.isDiff) return controls;
  const by = choice("Group by", [["function", "function"], ["line", "line"]], state.by,
    (value) => go({ by: value, zoom: "" }));
  by.querySelector("select").id = "toggle-by";
  return [...controls, by];
}

function updateMatched() {
  const out = byId("matched"), test = !state.keep && searchTest(state.q);
  if (!test) return void (out.textContent = "");
  const found = matched(chartNow({ invert: false }), test);
  out.textContent = found.frames ? `${percent(found.share, 1)} matched, ${count(found.frames)} frame${found.frames === 1 ? "" : "s"}` : "no match";
}

// ---- tabs ----

function buildTabs() {
  const tabs = Object.keys(VIEWS).map((id) => el("button", { type: "button", role: "tab", id: `tab-${id}`,
    "aria-controls": "panel", onclick: () => go({ view: id }),
    onkeydown: (event) => moveTab(event, id) }, VIEWS[id].label));
  byId("tabs").append(...tabs);
}
function moveTab(event, id) {
  const ids = Object.keys(VIEWS), step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const next = ids[(ids.indexOf(id) + step + ids.length) % ids.length];
  go({ view: next });
  byId(`tab-${next}`).focus();
}

function updateTabs() {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const on = tab.id === `tab-${state.view}`;
    if (on && tab.getAttribute("aria-selected") !== "true") byId("tabs").scrollLeft = tab.offsetLeft - byId("tabs").offsetLeft - 40;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
  }
  byId("panel").setAttribute("aria-labelledby", `tab-${state.view}`);
}

// ---- themes ----

function applyTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  const dark = name ? name === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  byId("theme-button").textContent = dark ? "Light" : "Dark";
  byId("theme-button").setAttribute("aria-label", dark ? "Use light colours" : "Use dark colours");
  palette.theme = null;
  if (state.view === "flame" && byId("flame")) drawFlame();
  return dark;
}

function buildTheme() {
  let dark = applyTheme("");
  byId("theme-button").onclick = () => (dark = applyTheme(dark ? "light" : "dark"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (dark = applyTheme("")));
}

// ---- all of it ----

function render() {
  if (!(state.view in VIEWS)) state.view = DEFAULTS.view;
  const view = VIEWS[state.view], panel = byId("panel");
  if (panel.dataset.view !== state.view) {
    panel.replaceChildren(...(view.make ? [view.make()] : []));
    panel.dataset.view = state.view;
  }
  hideTooltip();
  updateTabs();
  updateToolbar();
  byId("top-sites").replaceChildren(...topSitesCard());
  view.update(panel);
  updateTimeline();
}

function footerText() {
  const parts = [];
  if (data.folded)
    parts.push(`The call tree was too large for this page: of ${count(data.folded)} small nodes, each under ` +
      `${shareText(data.foldedShare)} of every metric, those in the middle of stacks are folded into [smaller frames]. ` +
      `What is summed up by function, module or innermost frame is therefore marked ${inexact()}: it can be more; ` +
      "`valtrace report` and `valtrace export` have the exact numbers.");
  else if (isSampled()) parts.push("Estimates from a sampled recording, computed from every stack that was recorded.");
  else parts.push("All numbers are exact: computed from every stack of the recording.");
  if (data.frames.some((f) => f.name.length > data.nameLimit))
    parts.push(`Names longer than ${count(data.nameLimit)} characters are cut.`);
  parts.push("Made by valtrace; one file, no network.");
  return parts.join(" ");
}

// What a script that drives the page may look at.
const inspection = { rects: () => flame.rects.map((r) => ({ ...r, row: ROW,
  name: r.node ? frameOf(flame.chart, r.node).name : "", label: labelOf(r.node),
  value: flame.chart.width[r.node] })),
  focus: () => (flame.focus ? frameOf(flame.chart, flame.focus).name : ""),
  total: () => after(flame.chart).total[0],
  tableTotal: () => after(tableChart()).total[0],
  functions: () => filteredRows(tableChart()).map((r) => [r.name, r.self[0], r.total[0]]),
  // Rows of the table with all metrics beside each other, and of the bottom-up tree as it is opened.
  beside: () => {
    const chart = tableChart(), rows = filteredRows(chart), columns = metricColumns(chart, rows);
    return rows.map((row) => [row.name, ...columns.map((column) => column.value(row))]);
  },
  bottomup: () => {
    const chart = chartNow({ invert: false }), vectors = metricVectors(chart);
    return bottomupRows(chart, vectors).filter((row) => row.frame).map((row) => [row.frame.name, row.depth, ...row.amounts]);
  },
  grown: () => filteredRows(tableChart()).map((r) => [r.name, ...r.self]),
  bothSides: () => filteredRows(tableChart()).map((r) => [r.name, r.self, r.total]),
  functionNumber: (name) => data.functions.findIndex((f) => f.name === name),
  callers: () => callerRows(chartNow({ invert: false, by: "function" }), Number(state.fn)).callers
    .filter((r) => r.value[0]).map((r) => [r.frame && r.frame.name, r.value[0]]),
  roots: () => childrenOf(flame.chart, 0).map((n) => [frameOf(flame.chart, n).name, flame.chart.width[n]]),
  moments: () => [...timed().moments],
  // The middle of a band at a share of the time, in whole pixels of the window.
  bandPoint: (id, share) => {
    const path = document.querySelector(`[data-band="${id}"]`), plot = document.querySelector(".plot");
    const box = plot.getBoundingClientRect(), at = scales(plotWidthOf(plot));
    const x = Math.round(box.left + at.x(at.from + share * (at.to - at.from)));
    const inside = [...Array(TIMELINE.height).keys()].map((i) => Math.ceil(box.top) + i)
      .filter((y) => path.isPointInFill(new DOMPoint(x - box.left, y - box.top)));
    return inside.length ? [x, inside[inside.length >> 1]] : null;
  },
  bands: () => bandsFor(state.bands).map((band) => [band.name ?? (band.group && band.group.name), [...band.live], band.id]),
  residentTimes: () => [...data.sides[0].resident.times],
  highest: () => highestBorder(data.sides[0], chosenNow()),
  spanOptions: () => spanOptions(spanOrAll()),
  // What the bars of sizes or lifetimes have, by class.
  distribution: (by, side) => [...(by === "size" ? sizesOf : lifetimesOf)(data.sides[side || 0]).bars].map(([n, bar]) => [n, barSum(bar)]),
  threads: (side) => sumsByNumber(data.sides[side || 0], "thread").map((row) => ({ ...row, label: data.sides[side || 0].threads[row.number]?.thread })),
  pairs: () => [...pairsOf(data.sides[0]).pairs].map(([key, n]) => [key.split(",").map((i) => data.sides[0].threads[i]?.thread), n]),
  shownTime };
window.valtrace = Object.freeze(inspection);

byId("skip").onclick = (event) => {
  event.preventDefault(); // the address is the page's state
  byId("main").focus();
};
buildToolbar();
buildTabs();
buildHelp();
drawSummary();
buildTheme();
byId("footer").textContent = footerText();
listeners.push(render);
addEventListener("keydown", globalKey);
addEventListener("resize", () => {
  plotWidth = 0;
  render();
});
render();
document.documentElement.dataset.ready = "1";
// What takes longest to make is made before it is asked for: views of the call tree, and sums over the rows of blocks.
const idly = window.requestIdleCallback || ((work) => setTimeout(work, 200));
for (const other of [...Object.keys(HIDDEN_FLAGS).map((frames) => ({ frames })), { by: "line" }, { merge: true }])
  idly(() => outermostIn(forwardFor({ ...viewOptions(), ...other })));
for (const metric of metricsShown()) idly(() => selvesOf(chartNow({ invert: false }), metric));
for (const side of data.sides) {
  idly(() => sumsByStretch(side, chosenNow()));
  idly(() => foreignRows(side.blocks));
}
