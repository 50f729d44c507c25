// The icicle: callers above, callees below, width by the metric. Drawn on a canvas of the size of
// what is visible; frames narrower than a pixel are left out of the drawing, never of the sums.
const ROW = 21;
const FONT = '12px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';
const flame = { rects: [], rows: 0, focus: 0, zoom: 0, chart: null, char: 0 };

// ---- layout ----

// Rectangles { node, x, w, depth } with x and w as shares of the width, callers first.
function layout(chart, zoom, pixel) {
  const rects = [], path = [];
  for (let at = zoom; at > 0; at = chart.view.parent[at]) path.unshift(at);
  rects.push({ node: 0, x: 0, w: 1, depth: 0 });
  path.forEach((node, i) => rects.push({ node, x: 0, w: 1, depth: i + 1, above: node !== zoom }));
  const whole = chart.width[zoom] || 1;
  for (let i = rects.length - 1; i < rects.length; i++) {
    let x = rects[i].x;
    for (const node of childrenOf(chart, rects[i].node)) {
      const w = chart.width[node] / whole;
      if (w < pixel) break;
      rects.push({ node, x, w, depth: rects[i].depth + 1 });
      x += w;
    }
  }
  return rects;
}

// ---- colours ----

// The modules with the largest share each get a colour of their own.
const moduleColours = memo(() => {
  const sums = new Map();
  for (let i = 1; i < data.n; i++) {
    const module = data.frames[data.frame[i]].module;
    sums.set(module, (sums.get(module) || 0) + 1);
  }
  const ranked = [...sums].sort((a, b) => b[1] - a[1]).map(([module]) => module);
  return new Map(ranked.filter((m) => m).slice(0, 7).map((module, i) => [module, i]));
});

const palette = { theme: null };
function colours() {
  const theme = getComputedStyle(document.documentElement);
  const read = (name) => theme.getPropertyValue(name).trim();
  const out = { modules: [], grow: [], shrink: [] };
  for (let i = 0; i < 8; i++) out.modules.push([read(`--m${i}`), read(`--m${i}b`)]);
  for (let i = 0; i < 3; i++) {
    out.grow.push(read(`--grow${i}`));
    out.shrink.push(read(`--shrink${i}`));
  }
  for (const name of ["text", "faint", "page", "accent", "match", "match-text", "dim", "neutral",
    "line"])
    out[name] = read(`--${name}`);
  return out;
}

function frameOf(chart, node) {
  return data.frames[chart.view.rep[node]];
}

// The colour of a language is the same in every recording.
const LANGUAGE_COLOURS = [7, 0, 1, 4, 2, 5, 3, 6];
const colourOf = (frame) => (state.colours === "language" ? LANGUAGE_COLOURS[languageOf(frame)] : moduleColours().get(frame.module) ?? 7);

function fillOf(chart, node, c) {
  if (!node) return c.neutral;
  if (comparing()) return diffFill(chart, node, c);
  const frame = frameOf(chart, node);
  if (frame.flags & FOLDED) return c.neutral;
  return c.modules[colourOf(frame)][frame.fn & 1];
}

function diffFill(chart, node, c) {
  const by = change(chart, node);
  if (!by) return c.neutral;
  const share = Math.abs(by) / Math.max(1, chart.width[node]);
  const step = share > 0.5 ? 2 : share > 0.1 ? 1 : 0;
  return (by > 0 ? c.grow : c.shrink)[step];
}

// ---- drawing ----

function drawFlame() {
  const box = byId("flame"), canvas = byId("flame-canvas");
  const width = box.clientWidth, height = box.clientHeight;
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const g = canvas.getContext("2d");
  g.setTransform(scale, 0, 0, scale, 0, 0);
  g.clearRect(0, 0, width, height);
  g.font = FONT;
  g.textBaseline = "middle";
  flame.char = flame.char || g.measureText("M").width;
  palette.theme = palette.theme || colours();
  for (const rect of flame.rects) {
    const y = rect.depth * ROW - box.scrollTop;
    if (y > -ROW && y < height) drawRect(g, rect, y, width);
  }
}

function drawRect(g, rect, y, width) {
  const c = palette.theme, x = rect.x * width, w = Math.max(1, rect.w * width - 1);
  const hit = flame.test && rect.node && flame.test(frameOf(flame.chart, rect.node));
  g.fillStyle = hit ? c.match : flame.test ? c.dim : fillOf(flame.chart, rect.node, c);
  g.fillRect(x, y, w, ROW - 1);
  if (comparing() && rect.node && !hit) hatchVanished(g, rect, x, y, w, c);
  if (w > 3 * flame.char) drawLabel(g, rect, x, y, w, hit);
  if (hit) g.fillRect(x, y + ROW - 3, w, 2);
  if (rect.node === flame.focus && flame.hasFocus) drawFocus(g, x, y, w, c);
}

function hatchVanished(g, rect, x, y, w, c) {
  if (flame.chart.sides[1].total[rect.node]) return;
  g.save();
  g.beginPath();
  g.rect(x, y, w, ROW - 1);
  g.clip();
  g.strokeStyle = c.line;
  g.beginPath();
  for (let at = x - ROW; at < x + w; at += 7) {
    g.moveTo(at, y + ROW);
    g.lineTo(at + ROW, y);
  }
  g.stroke();
  g.restore();
}

function drawLabel(g, rect, x, y, w, hit) {
  const c = palette.theme, room = Math.floor((w - 8) / flame.char);
  let text = labelOf(rect.node);
  if (text.length > room) text = `${text.slice(0, Math.max(1, room - 1))}…`;
  g.fillStyle = hit ? c["match-text"] : flame.test || rect.above ? c.faint : c.text;
  g.font = hit ? `bold ${FONT}` : FONT;
  g.fillText(text, x + 4, y + ROW / 2, w - 6);
  g.font = FONT;
  if (hit) g.fillStyle = c.accent;
}

function drawFocus(g, x, y, w, c) {
  g.strokeStyle = c.text;
  g.lineWidth = 2;
  g.strokeRect(x + 1, y + 1, Math.max(2, w - 2), ROW - 3);
  g.lineWidth = 1;
}

// "name  1.2 MiB  34 %"; in a comparison with the sign of the change.
function labelOf(node) {
  const chart = flame.chart, text = metricText(chart.metric);
  const name = node ? frameOf(chart, node).name : state.invert ? "all, by innermost frame" : "all";
  const mark = node ? inexactAt(chart) : "";
  if (!comparing()) return `${name}  ${mark}${text(chart.width[node])}`;
  const gone = node && !chart.sides[1].total[node] ? " gone" : "";
  return `${mark}${signed(text, change(chart, node))}${gone}  ${name}`;
}

// A node of the call tree is exact also where others are folded; one by innermost frames is not.
const inexactAt = (chart) => (chart.options.invert ? inexact() : "");

// ---- interaction ----

function rectAt(event) {
  const box = byId("flame"), bounds = box.getBoundingClientRect();
  const x = (event.clientX - bounds.left) / box.clientWidth;
  const depth = Math.floor((event.clientY - bounds.top + box.scrollTop) / ROW);
  return flame.rects.find((r) => r.depth === depth && x >= r.x && x < r.x + r.w);
}

function zoomTo(node) {
  go({ zoom: pathOf(flame.chart.view, node) });
}

function focusNode(node, spoken) {
  flame.focus = node;
  const rect = flame.rects.find((r) => r.node === node);
  const box = byId("flame");
  if (rect) {
    const y = rect.depth * ROW;
    if (y < box.scrollTop) box.scrollTop = y;
    if (y + ROW > box.scrollTop + box.clientHeight) box.scrollTop = y + ROW - box.clientHeight;
  }
  drawFlame();
  drawDetails();
  if (spoken) announce(spokenOf(node));
}

function spokenOf(node) {
  const chart = flame.chart;
  const name = node ? frameOf(chart, node).name : "all";
  return `${name}, ${exactText(chart.metric, chart.width[node])}, ` +
    `${percent(chart.width[node], chart.width[0])} of all`;
}

const drawnChildren = (node) => childrenOf(flame.chart, node)
  .filter((child) => flame.rects.some((r) => r.node === child));

function sibling(node, step) {
  if (!node) return 0;
  const row = flame.rects.filter((r) => flame.chart.view.parent[r.node] ===
    flame.chart.view.parent[node] && r.node);
  const at = row.findIndex((r) => r.node === node);
  return (row[at + step] || row[at]).node;
}

const FLAME_KEYS = {
  ArrowUp: (node) => focusNode(flame.chart.view.parent[node], true),
  ArrowDown: (node) => focusNode(drawnChildren(node)[0] || node, true),
  ArrowLeft: (node) => focusNode(sibling(node, -1), true),
  ArrowRight: (node) => focusNode(sibling(node, 1), true),
  Home: () => focusNode(0, true),
  Enter: (node) => zoomTo(node),
  " ": (node) => zoomTo(node),
  Escape: () => go({ zoom: "" }),
};

function flameKey(event) {
  const action = FLAME_KEYS[event.key];
  if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  action(flame.focus);
}

function flameClick(event) {
  const rect = rectAt(event);
  if (!rect) return;
  flame.focus = rect.node;
  zoomTo(rect.node);
  drawFlame();
  drawDetails();
}

function flameTooltip(event) {
  const rect = rectAt(event);
  if (!rect) return hideTooltip();
  const chart = flame.chart, node = rect.node;
  const frame = node ? frameOf(chart, node) : null;
  showTooltip(event.clientX, event.clientY, frame ? frame.name : "all", tooltipLines(chart, node));
}

function tooltipLines(chart, node) {
  const lines = node ? [placeText(chart, node)] : [];
  const { total, self } = after(chart), whole = after(chart).total[0];
  const other = lastSums(chart, chart.metric, true);
  const otherText = chart.metric.unit === "bytes" ? (n) => `${blocksText(n)} blocks` : exactHeapBytes;
  if (comparing()) {
    lines.push([sideNames()[0], exactText(chart.metric, chart.sides[0].total[node])]);
    lines.push([sideNames()[1], exactText(chart.metric, total[node])]);
    lines.push(["change", signed((n) => exactText(chart.metric, n), change(chart, node))]);
    if (isSampled()) lines.push(["standard error", errorText(chart.metric, varianceSums(chart).total[node])]);
    return lines;
  }
  const mark = node ? inexactAt(chart) : "";
  lines.push([chart.metric.name.toLowerCase(), mark + exactText(chart.metric, total[node])]);
  if (isSampled()) lines.push(["standard error", errorText(chart.metric, varianceSums(chart).total[node])]);
  lines.push(["", mark + otherText(other.total[node])]);
  lines.push(["share", mark + percent(total[node], whole)]);
  if (self[node] && !chart.options.invert) lines.push(["here itself", exactText(chart.metric, self[node])]);
  return lines;
}

function placeText(chart, node) {
  const frame = frameOf(chart, node);
  if (frame.flags & FOLDED)
    return `stands for frames that have under ${shareText(data.foldedShare)} of every metric each`;
  const several = chart.view.several[node] ? " and other lines" : "";
  return placeOf(frame) + several + (frame.flags & INLINED ? " (inlined)" : "");
}
const shareText = (share) => `${(100 * share).toPrecision(2)} %`;

// ---- the panel ----

function flamePanel() {
  const canvas = el("canvas", { id: "flame-canvas", "aria-hidden": "true" });
  const spacer = el("div", { id: "flame-spacer" });
  const box = el("div", { id: "flame", class: "flame", tabindex: "0", role: "application",
    "aria-roledescription": "icicle chart", "aria-label": "Call tree. Arrow keys move between " +
    "frames, Enter zooms, Escape resets. The Functions view has the same numbers as a table.",
    onkeydown: flameKey, onclick: flameClick, onpointermove: flameTooltip,
    onpointerleave: hideTooltip, onscroll: drawFlame,
    onfocus: () => { flame.hasFocus = true; drawFlame(); },
    onblur: () => { flame.hasFocus = false; drawFlame(); } }, canvas, spacer);
  return el("div", { class: "split" },
    el("div", { class: "card" }, el("div", { id: "crumbs", class: "crumbs" }), box,
      el("div", { id: "legend", class: "legend-row" }),
      tableInstead("Call tree as a table", flameTable)),
    el("aside", { class: "card", id: "details", "aria-label": "Selected frame" }));
}

function updateFlame() {
  const chart = (flame.chart = chartNow()), box = byId("flame");
  const zoom = nodeAt(chart.view, state.zoom);
  if (flame.zoom !== zoom || flame.shown !== chart) flame.focus = zoom;
  flame.zoom = zoom;
  flame.shown = chart;
  flame.test = searchTest(state.q);
  flame.rects = layout(chart, zoom, 1 / Math.max(200, box.clientWidth));
  flame.rows = flame.rects.reduce((most, r) => Math.max(most, r.depth), 0) + 1;
  byId("flame-spacer").style.height = `${flame.rows * ROW}px`;
  box.style.height = `${Math.min(flame.rows * ROW + 2, Math.max(340, innerHeight * 0.62))}px`;
  drawCrumbs(chart, zoom);
  drawLegend();
  drawFlame();
  drawDetails();
}

function drawCrumbs(chart, zoom) {
  const path = [];
  for (let at = zoom; at > 0; at = chart.view.parent[at]) path.unshift(at);
  const shown = path.length > 4 ? [...path.slice(0, 1), null, ...path.slice(-2)] : path;
  const parts = shown.map((node) => (node === null ? el("span", { class: "faint" }, "…") :
    button(nameNode(frameOf(chart, node).name), () => zoomTo(node), { class: "crumb" })));
  const empty = chart.width[0] ? "" : ` Nothing here: ${metricNow().name.toLowerCase()} is 0.`;
  byId("crumbs").replaceChildren(
    zoom ? button("Reset zoom", () => go({ zoom: "" }), { id: "reset-zoom" }) :
      el("span", { class: "faint" }, `Click a frame to zoom in.${empty}`), ...parts);
}

function drawLegend() {
  const legend = byId("legend");
  if (comparing()) {
    legend.replaceChildren(
      el("span", { class: "legend" }, el("span", { class: "key grow" }), "+ grew"),
      el("span", { class: "legend" }, el("span", { class: "key shrink" }), "− shrank"),
      el("span", { class: "legend" }, el("span", { class: "key gone" }), "gone"),
      el("span", { class: "faint" }, "width: the larger of the two"));
    return;
  }
  const frames = flame.rects.filter((r) => r.node).map((r) => frameOf(flame.chart, r.node));
  if (state.colours === "language") {
    const languages = new Set(frames.filter((frame) => !(frame.flags & FOLDED)).map(languageOf));
    return legend.replaceChildren(...[...languages].sort((a, b) => a - b).map((n) =>
      el("span", { class: "legend" }, el("span", { class: `key m${LANGUAGE_COLOURS[n]}` }), data.languages[n])));
  }
  const there = new Set(frames.map((frame) => frame.module));
  legend.replaceChildren(...[...moduleColours()].filter(([module]) => there.has(module)).map(([module, i]) =>
    el("span", { class: "legend", title: module },
      el("span", { class: `key m${i}` }), nameNode(baseName(module)))));
}

// The tree in rows, level by level, as far as it is drawn.
function flameTable() {
  const chart = chartNow(), text = metricText(chart.metric);
  const rows = flame.rects.filter((r) => r.node && !r.above);
  const columns = [
    { id: "depth", label: "Level", number: true, value: (r) => r.depth },
    { id: "name", label: "Function", value: (r) => frameOf(chart, r.node).name,
      cell: (r) => nameNode(frameOf(chart, r.node).name) },
    { id: "caller", label: "Called by", value: (r) => callerName(chart, r.node),
      cell: (r) => nameNode(callerName(chart, r.node)) },
    { id: "total", label: chart.metric.name, number: true, value: (r) => chart.width[r.node],
      cell: (r) => text(chart.width[r.node]) },
    { id: "share", label: "Share", number: true, value: (r) => r.w,
      cell: (r) => percent(chart.width[r.node], chart.width[0]) },
  ];
  return makeTable({ caption: "Call tree as shown", columns, rows });
}
function callerName(chart, node) {
  const parent = chart.view.parent[node];
  return parent ? frameOf(chart, parent).name : "";
}

// ---- the frame that is selected ----

function drawDetails() {
  const box = byId("details"), chart = flame.chart, node = flame.focus;
  if (!box) return;
  const frame = node ? frameOf(chart, node) : null;
  box.replaceChildren(
    el("h3", {}, nameNode(frame ? frame.name : "Everything")),
    el("p", { class: "faint place" }, frame ? placeText(chart, node) : "Select a frame for its numbers and stack."),
    detailNumbers(chart, node),
    frame ? detailActions(chart, node, frame) : el("span"),
    frame ? sourcePanel(frame) : el("span"),
    frame ? detailStack(chart, node) : el("span"));
}

function detailNumbers(chart, node) {
  const cells = (metric) => {
    const totals = totalsAt(chart, metric, node), text = metricText(metric), value = totals.at(-1), by = totals.length > 1 ? value - totals[0] : null;
    const shown = (node ? inexactAt(chart) : "") + (metric.id === "growth" ? signed(text, by) : text(value));
    const last = metric.id === "growth" ? "" : by === null ? percent(value, totalsAt(chart, metric, 0)[0]) : signed(text, by);
    return [el("th", { scope: "row" }, metric.name),
      el("td", { class: "number", title: exactText(metric, metric.id === "growth" ? by : value) }, shown),
      el("td", { class: "number" }, last)];
  };
  const head = ["", data.isDiff ? "After" : "Total", data.isDiff ? "Change" : "Share"];
  return el("table", { class: "small" }, el("caption", { class: "hidden" }, "Numbers of this frame"),
    el("thead", {}, el("tr", {}, head.map((t, i) => (i ? el("th", { scope: "col", class: "number" }, t) : el("td"))))),
    el("tbody", {}, metricsShown().map((metric) => el("tr", {}, cells(metric)))));
}

function stackText(chart, node) {
  return stackOf(chart, node).map((frame) => `${frame.name}  ${placeOf(frame)}`).join("\n");
}

function detailActions(chart, node, frame) {
  const copy = button("Copy stack", () => copyText(stackText(chart, node), () => {
    copy.textContent = "Copied";
    announce("Stack copied");
    setTimeout(() => (copy.textContent = "Copy stack"), 1500);
  }), { id: "copy-stack" });
  return el("div", { class: "row" }, button("Zoom", () => zoomTo(node)), copy,
    button("Callers & callees", () => go({ view: "callers", fn: String(frame.fn) })));
}

function detailStack(chart, node) {
  const frames = stackOf(chart, node);
  return el("ol", { class: "stack", "aria-label": "Stack, innermost frame first", tabindex: "0" }, frames.map((frame) =>
    el("li", {}, nameNode(frame.name), el("span", { class: "faint place", title: placeOf(frame) }, shortPlaceOf(frame)))));
}
