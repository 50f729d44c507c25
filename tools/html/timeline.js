// The curve of the heap and of resident memory over time, with the allocations below. It zooms: what is shown
// is the state's start to end, in steps as fine as the page has them.
const TIMELINE = { height: 226, rate: 34, left: 62, right: 12, top: 22, bottom: 20 };

const endOfTime = () => Math.max(1, ...data.sides.map(endOfSide));
// When the last process of a side ended, or its last event was.
const endOfSide = ({ blocks }) => blocks.end;
const maxOf = (values) => values.reduce((most, v) => Math.max(most, v), 0);

// The part of time that is shown.
function shownTime() {
  const end = endOfTime();
  if (state.start === "" || state.end === "") return { from: 0, to: end };
  const from = Math.min(Number(state.start), end - 1);
  return { from, to: Math.max(from + 1, Math.min(end, Number(state.end))) };
}

function scales(width) {
  const end = endOfTime(), { from, to } = shownTime();
  const tops = data.sides.map((side) => highestOf(side, from, to));
  if (residentShown()) tops.push(...data.sides.map((side) => residentIn(side, from, to)));
  const most = Math.max(4, ...tops), plotWidth = width - TIMELINE.left - TIMELINE.right;
  const plotHeight = TIMELINE.height - TIMELINE.top - TIMELINE.bottom - TIMELINE.rate;
  const inside = (t) => Math.max(-10, Math.min(plotWidth + 10, ((t - from) / (to - from)) * plotWidth));
  return { most, end, from, to, plotWidth, plotHeight, base: TIMELINE.top + plotHeight,
    x: (t) => TIMELINE.left + inside(t), y: (b) => TIMELINE.top + plotHeight * (1 - b / (most * 1.04)) };
}

// ---- the curve ----

// Steps of the curve that overlap a span of time.
const stepsIn = ({ curve }, from, to) => [Math.floor(from / curve.step), Math.min(curve.most.length, Math.ceil(to / curve.step))];

function highestOf(side, from, to) {
  const [first, last] = stepsIn(side, from, to);
  let most = 0;
  for (let i = first; i < last; i++) most = Math.max(most, side.curve.most[i]);
  return Math.max(most, first >= last ? restOf(side) : 0);
}

// What is live after the last step until the end of the process.
const restOf = (side) => side.timeline.end_bytes.at(-1) || 0;

// The curve by pixel, or by step where steps are wider: calls add(from, to, highest, allocations).
function eachPart(side, at, add) {
  const { curve } = side, [first, last] = stepsIn(side, at.from, at.to);
  const each = Math.max(1, Math.floor((last - first) / Math.max(1, at.plotWidth)));
  for (let i = first; i < last; i += each) {
    let most = 0, allocations = 0;
    for (let k = i; k < Math.min(last, i + each); k++) {
      most = Math.max(most, curve.most[k]);
      allocations += curve.allocations[k];
    }
    add(i * curve.step, Math.min(last, i + each) * curve.step, most, allocations);
  }
}

function heapPath(side, at, closed) {
  const points = [], end = endOfSide(side);
  const add = (time, value) => points.push(`${at.x(Math.min(end, time)).toFixed(1)},${at.y(value).toFixed(1)}`);
  eachPart(side, at, (from, to, most) => {
    add(from, most);
    add(to, most);
  });
  const last = side.curve.most.length * side.curve.step;
  if (last < end) add(Math.max(last, at.from), restOf(side)), add(end, restOf(side));
  if (!points.length) return "";
  const line = `M${points.join("L")}`;
  return closed ? `${line}L${at.x(end).toFixed(1)},${at.base}L${at.x(at.from)},${at.base}Z` : line;
}

function rateBars(side, at) {
  const bars = [], bottom = TIMELINE.height - TIMELINE.bottom;
  eachPart(side, at, (from, to, _, allocations) => bars.push([at.x(from), at.x(Math.min(at.end, to)), allocations]));
  const most = Math.max(1, maxOf(bars.map((bar) => bar[2])));
  return bars.filter((bar) => bar[2]).map(([from, to, n]) =>
    `M${from.toFixed(1)},${bottom}V${(bottom - Math.max(1, (n / most) * (TIMELINE.rate - 8))).toFixed(1)}H${to.toFixed(1)}V${bottom}Z`).join("");
}

// ---- around it ----

function axes(at) {
  const parts = [], bottom = TIMELINE.height - 5;
  for (const b of ticks(at.most, 4, 2)) {
    const y = at.y(b);
    parts.push(svg("line", { x1: TIMELINE.left, x2: TIMELINE.left + at.plotWidth, y1: y, y2: y, class: "grid" }));
    parts.push(svg("text", { x: TIMELINE.left - 8, y: y + 4, class: "tick end" }, bytes(b)));
  }
  for (const t of ticks(at.to - at.from, at.plotWidth > 500 ? 6 : 3, 10)) {
    const time = at.from + t, label = t ? `${at.from ? "+" : ""}${duration(t)}` : at.from ? duration(at.from) : "0";
    if (at.x(time) < TIMELINE.left + at.plotWidth - 20) parts.push(svg("text", { x: at.x(time), y: bottom, class: "tick middle" }, label));
  }
  parts.push(svg("text", { x: TIMELINE.left - 8, y: TIMELINE.height - TIMELINE.bottom - 6, class: "tick end" }, "allocs"));
  return parts;
}

const isShown = (at, time) => time >= at.from && time <= at.to;

function peakMark(at, side) {
  const { peak_bytes: peak, peak_time_ns: when } = data.sides[side].totals;
  const other = data.isDiff && side === 0 ? at.y(data.sides[1].totals.peak_bytes) : Infinity;
  return peak ? highMark(at, when, peak, `${data.isDiff ? sideNames()[side] + ": " : ""}peak ${heapBytes(peak)}`, other) : [];
}

function residentMark(at) {
  const highest = state.bands === "resident" && residentHighest(data.sides[0]);
  return highest ? highMark(at, Math.min(highest.time, at.end), highest.value, `resident ${bytes(highest.value)}`, at.y(data.sides[0].totals.peak_bytes)) : [];
}

// A mark at a high point, its label above another's that is near.
function highMark(at, when, value, label, other) {
  if (!isShown(at, when)) return [];
  const x = at.x(when), y = at.y(value), left = x > TIMELINE.left + at.plotWidth / 2;
  const labelY = Math.abs(y - other) < 16 ? Math.min(y, other) - 18 : y - 3;
  return [svg("line", { x1: x, x2: x, y1: y, y2: at.base, class: "peak-line" }),
    svg("path", { d: `M${x - 5},${y - 9}h10l-5,8z`, class: "peak-mark" }),
    svg("text", { x: x + (left ? -9 : 9), y: labelY, class: `peak-label ${left ? "end" : ""}` }, label)];
}

function markerLines(at) {
  return data.sides[0].timeline.markers.filter((marker) => isShown(at, marker.t_ns)).map((marker) =>
    svg("line", { x1: at.x(marker.t_ns), x2: at.x(marker.t_ns), y1: TIMELINE.top, y2: at.base,
      class: "marker" }, svg("title", {}, clean(marker.text))));
}

// ---- drawing ----

// How wide the plot is, asked for once after each change: asking makes the browser lay out the page there and then.
let plotWidth = 0;
const plotWidthOf = (plot) => (plotWidth ||= Math.max(280, plot.clientWidth));
function plotResized() {
  plotWidth = 0;
  updateTimeline();
}

// Draws what changed: the curves when what they show did, the selection always.
function updateTimeline() {
  const box = byId("timeline");
  if (!box.firstChild) buildTimeline(box);
  const plot = box.querySelector(".plot"), width = plotWidthOf(plot);
  box.querySelector("#timeline-legend [aria-pressed]")?.setAttribute("aria-pressed", String(residentShown()));
  const shown = [width, state.only, state.keep && state.q, state.keep, state.bands, showResident, state.start, state.end].join();
  if (!plot.querySelector("svg") || plot.dataset.shown !== shown) drawCurves(plot, width);
  plot.dataset.shown = shown;
  if (!data.isDiff) box.querySelector(".band-list").replaceChildren(bandList());
  byId("zoom-time").replaceChildren(...zoomButtons());
  placeBrush(plot, scales(width));
}

function drawCurves(plot, width) {
  const at = scales(width), clip = svg("clipPath", { id: "plot-area" },
    svg("rect", { x: TIMELINE.left, y: 0, width: at.plotWidth, height: TIMELINE.height }));
  const curves = [], marks = [];
  data.sides.forEach((side, i) => {
    const old = data.isDiff && i === 0 ? " before" : "";
    if (!data.isDiff) curves.push(...bandPaths(at));
    else if (!old) curves.push(svg("path", { d: heapPath(side, at, true), class: "heap-area" }));
    curves.push(svg("path", { d: heapPath(side, at, false), class: `heap-line${old}` }));
    if (residentShown()) curves.push(svg("path", { d: residentPath(side, at), class: `rss-line${old}` }));
    if (!old) curves.push(svg("path", { d: rateBars(side, at), class: "rate" }));
    marks.push(...peakMark(at, i), ...residentMark(at));
  });
  plot.querySelector("svg")?.remove();
  plot.prepend(svg("svg", { width, height: TIMELINE.height, role: "img", "aria-label": timelineLabel() },
    clip, axes(at), svg("g", { "clip-path": "url(#plot-area)" }, curves), marks, markerLines(at)));
}

function timelineLabel() {
  const { peak_bytes: peak, peak_time_ns: when } = lastSide().totals;
  return `Heap over ${duration(endOfTime())}: peak ${heapBytes(peak)} after ${duration(when)}.` +
    " The table below has the numbers.";
}

function legendButton(label, shape, pressed, onclick) {
  return button([el("span", { class: `key ${shape}`, "aria-hidden": "true" }), label], onclick,
    { "aria-pressed": String(pressed), class: "legend" });
}

function timelineLegend() {
  const legend = el("div", { class: "legend-row", id: "timeline-legend" },
    el("span", { class: "legend" }, el("span", { class: "key heap", "aria-hidden": "true" }),
      data.isDiff ? "Heap after (line) and before (dashed)" : "Heap, highest"),
    el("span", { class: "legend" }, el("span", { class: "key rate-key", "aria-hidden": "true" }), "Allocations"));
  if (residentKnown())
    legend.append(legendButton("Resident memory", "rss", residentShown(), () => {
      showResident = !residentShown();
      updateTimeline();
    }));
  return legend;
}

function buildTimeline(box) {
  const plot = el("div", { class: "plot" }), banded = !data.isDiff;
  const title = el("h2", { id: "timeline-title" }, banded ? "Memory over time" : "Timeline");
  const by = banded ? choice("by", bandWays(), state.bands, (bands) => go({ bands })) : null;
  if (by) by.querySelector("select").id = "bands-by";
  box.append(el("div", { class: "title-row" }, title, by, timelineLegend(), el("div", { id: "zoom-time", class: "row" }),
    el("div", { class: "chip-row", id: "span-chip" })),
  el("div", { class: banded ? "timeline-split" : "" }, plot, banded ? el("div", { class: "band-list" }) : null),
  el("div", { class: "row" }, tableInstead("Timeline as a table", timelineTable),
    banded ? tableInstead("Bands as a table", bandTable) : null));
  addBrush(plot);
  new ResizeObserver(plotResized).observe(plot);
  plot.addEventListener("pointermove", (event) => timelineTooltip(event, plot));
  plot.addEventListener("pointerleave", hideTooltip);
}

// A chart's numbers as a table, made when it is opened.
function tableInstead(label, make) {
  const details = el("details", { class: "instead" }, el("summary", {}, label));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(make());
  });
  return details;
}

function timelineTable() {
  const t = lastSide().timeline, rows = t.max_bytes.map((_, i) => i), resident = residentSteps().at(-1);
  const column = (id, label, name, text) => ({ id, label, number: true, value: (i) => t[name][i], cell: (i) => text(t[name][i]) });
  const columns = [
    { id: "t", label: "From", number: true, value: (i) => i * t.step_ns, cell: (i) => duration(i * t.step_ns) },
    column("max", "Heap, most", "max_bytes", bytes), column("blocks", "Blocks at end", "end_blocks", count),
    column("allocs", "Allocations", "allocations", count), column("frees", "Frees", "frees", count),
    { id: "rss", label: "Resident", number: true, value: (i) => resident[i], cell: (i) => (resident[i] ? bytes(resident[i]) : "–") },
  ];
  return makeTable({ caption: `Heap over time${data.isDiff ? " (after)" : ""}`, columns, rows });
}

function timeAt(plot, clientX) {
  const at = scales(plotWidthOf(plot)), x = clientX - plot.getBoundingClientRect().left - TIMELINE.left;
  return at.from + Math.max(0, Math.min(1, x / at.plotWidth)) * (at.to - at.from);
}

function timelineTooltip(event, plot) {
  if (event.target.closest("[role=slider]")) return;
  const time = timeAt(plot, event.clientX), lines = [];
  data.sides.forEach((side, s) => {
    const i = Math.min(side.curve.most.length - 1, Math.floor(time / side.curve.step));
    if (i < 0) return;
    lines.push([`${data.isDiff ? `${sideNames()[s]}, heap` : "heap"}, most in ${duration(side.curve.step)}`, exactHeapBytes(side.curve.most[i])],
      ["allocations", blocksText(side.curve.allocations[i])]);
    const resident = residentBefore(side, time);
    if (resident) lines.push(["resident", exactBytes(resident)]);
  });
  const band = bandUnder(plot, event);
  if (band) {
    const times = bandTimes(), b = Math.min(times.length - 1, lastUntil(times, time) + 1);
    lines.push(["", ""], `${bandName(band)}: ${heapBytes(band.live[b])} at ${duration(times[b])}`);
  }
  showTooltip(event.clientX, event.clientY, `at ${duration(time)}`, lines);
}
