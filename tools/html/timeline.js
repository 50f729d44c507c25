// The curve of the heap and of resident memory over time, with allocations per interval below and a
// span that can be selected with the pointer or the keyboard.
const TIMELINE = { height: 226, rate: 34, left: 62, right: 12, top: 22, bottom: 20 };
let showResident = null;

const endOfTime = () => Math.max(1, ...data.sides.map(endOfSide));

function residentOf(side) {
  return data.sides[side].timeline.resident_bytes;
}
const maxOf = (values) => values.reduce((most, v) => Math.max(most, v), 0);

// Resident memory is shown from the start unless it would press the heap's curve flat.
function residentShown() {
  const resident = maxOf(residentOf(0));
  if (showResident === null) showResident = resident < 6 * data.sides[0].totals.peak_bytes;
  return showResident && resident > 0;
}

function scales(width) {
  const tops = data.sides.map((s) => maxOf(s.timeline.max_bytes));
  if (residentShown()) tops.push(...data.sides.map((s, i) => maxOf(residentOf(i))));
  const most = Math.max(4, ...tops), end = endOfTime();
  const plotWidth = width - TIMELINE.left - TIMELINE.right;
  const plotHeight = TIMELINE.height - TIMELINE.top - TIMELINE.bottom - TIMELINE.rate;
  return { most, end, plotWidth, plotHeight, base: TIMELINE.top + plotHeight,
    x: (t) => TIMELINE.left + (t / end) * plotWidth,
    y: (b) => TIMELINE.top + plotHeight * (1 - b / (most * 1.04)) };
}

// When the processes of a side ended.
const endOfSide = (side) => Math.max(side.totals.peak_time_ns, ...side.traces.map((t) => t.duration_ns));

// The highest of each interval, and what is live after the last one until the end of the process.
function heapPath(side, at, closed) {
  const { timeline } = side, step = timeline.step_ns, points = [], end = endOfSide(side);
  const add = (time, value) => points.push(`${at.x(Math.min(end, time)).toFixed(1)},${at.y(value).toFixed(1)}`);
  timeline.max_bytes.forEach((b, i) => {
    add(i * step, b);
    add((i + 1) * step, b);
  });
  if (!points.length) return "";
  const last = timeline.max_bytes.length, rest = timeline.end_bytes[last - 1];
  if (last * step < end) add(last * step, rest), add(end, rest);
  const line = `M${points.join("L")}`;
  return closed ? `${line}L${at.x(end).toFixed(1)},${at.base}L${at.x(0)},${at.base}Z` : line;
}

function residentPath(timeline, at) {
  const points = [];
  timeline.resident_bytes.forEach((b, i) => {
    if (b) points.push(`${at.x((i + 0.5) * timeline.step_ns).toFixed(1)},${at.y(b).toFixed(1)}`);
  });
  return points.length > 1 ? `M${points.join("L")}` : "";
}

function rateBars(timeline, at) {
  const most = maxOf(timeline.allocations) || 1, parts = [];
  const bottom = TIMELINE.height - TIMELINE.bottom;
  timeline.allocations.forEach((n, i) => {
    if (!n) return;
    const from = at.x(i * timeline.step_ns), to = at.x(Math.min(at.end, (i + 1) * timeline.step_ns));
    const height = Math.max(1, (n / most) * (TIMELINE.rate - 8));
    parts.push(`M${from.toFixed(1)},${bottom}V${(bottom - height).toFixed(1)}H${to.toFixed(1)}V${bottom}Z`);
  });
  return parts.join("");
}

function axes(at) {
  const parts = [];
  for (const b of ticks(at.most, 4, 2)) {
    const y = at.y(b);
    parts.push(svg("line", { x1: TIMELINE.left, x2: TIMELINE.left + at.plotWidth, y1: y, y2: y,
      class: "grid" }));
    parts.push(svg("text", { x: TIMELINE.left - 8, y: y + 4, class: "tick end" }, bytes(b)));
  }
  for (const t of ticks(at.end, 6, 10)) {
    const text = { x: at.x(t), y: TIMELINE.height - 5, class: "tick middle" };
    if (at.x(t) < TIMELINE.left + at.plotWidth - 20) parts.push(svg("text", text, t ? duration(t) : "0"));
  }
  parts.push(svg("text", { x: TIMELINE.left - 8, y: TIMELINE.height - TIMELINE.bottom - 6,
    class: "tick end" }, "allocs"));
  return parts;
}

function peakMark(at, side) {
  const totals = data.sides[side].totals;
  if (!totals.peak_bytes) return [];
  const x = at.x(totals.peak_time_ns), y = at.y(totals.peak_bytes);
  const left = x > TIMELINE.left + at.plotWidth / 2;
  const label = `${data.isDiff ? SIDE_NAMES[side] + ": " : ""}peak ${bytes(totals.peak_bytes)}`;
  const other = data.isDiff && side === 0 ? at.y(data.sides[1].totals.peak_bytes) : Infinity;
  const labelY = Math.abs(y - other) < 16 ? Math.min(y, other) - 18 : y - 3; // above the other's label
  return [svg("line", { x1: x, x2: x, y1: y, y2: at.base, class: "peak-line" }),
    svg("path", { d: `M${x - 5},${y - 9}h10l-5,8z`, class: "peak-mark" }),
    svg("text", { x: x + (left ? -9 : 9), y: labelY, class: `peak-label ${left ? "end" : ""}` }, label)];
}

function markerLines(at) {
  return data.sides[0].timeline.markers.flatMap((marker) => [
    svg("line", { x1: at.x(marker.t_ns), x2: at.x(marker.t_ns), y1: TIMELINE.top, y2: at.base,
      class: "marker" }, svg("title", {}, clean(marker.text))),
  ]);
}

// Draws what changed: the curves when the width did, the selection always.
function updateTimeline() {
  const box = byId("timeline");
  if (!box.firstChild) buildTimeline(box);
  const plot = box.querySelector(".plot"), width = Math.max(280, plot.clientWidth);
  const drawn = plot.querySelector("svg");
  const shown = [width, state.only, state.bands, showResident].join();
  if (!drawn || plot.dataset.shown !== shown) drawCurves(plot, width);
  plot.dataset.shown = shown;
  if (data.history) box.querySelector(".band-list").replaceChildren(bandList());
  placeBrush(plot, scales(width));
}

function drawCurves(plot, width) {
  const at = scales(width);
  const parts = [...axes(at)];
  data.sides.forEach((side, i) => {
    const old = data.isDiff && i === 0 ? " before" : "";
    if (data.history) parts.push(...bandPaths(at));
    else if (!old) parts.push(svg("path", { d: heapPath(side, at, true), class: "heap-area" }));
    parts.push(svg("path", { d: heapPath(side, at, false), class: `heap-line${old}` }));
    if (residentShown())
      parts.push(svg("path", { d: residentPath(side.timeline, at), class: `rss-line${old}` }));
    if (!old) parts.push(svg("path", { d: rateBars(side.timeline, at), class: "rate" }));
    parts.push(...peakMark(at, i));
  });
  parts.push(...markerLines(at));
  plot.querySelector("svg")?.remove();
  plot.prepend(svg("svg", { width, height: TIMELINE.height, role: "img",
    "aria-label": timelineLabel() }, parts));
}

function timelineLabel() {
  const { peak_bytes: peak, peak_time_ns: when } = data.sides[data.sides.length - 1].totals;
  return `Heap over ${duration(endOfTime())}: peak ${bytes(peak)} after ${duration(when)}.` +
    " The table below has the numbers.";
}

function legendButton(label, shape, pressed, onclick) {
  return button([el("span", { class: `key ${shape}`, "aria-hidden": "true" }), label], onclick,
    { "aria-pressed": String(pressed), class: "legend" });
}

function buildTimeline(box) {
  const legend = el("div", { class: "legend-row" },
    el("span", { class: "legend" }, el("span", { class: "key heap", "aria-hidden": "true" }),
      data.isDiff ? "Heap after (line) and before (dashed)" : "Heap, highest"),
    el("span", { class: "legend" }, el("span", { class: "key rate-key", "aria-hidden": "true" }),
      "Allocations"));
  if (maxOf(residentOf(0)) > 0)
    legend.append(legendButton("Resident memory", "rss", residentShown(), (event) => {
      showResident = !showResident;
      event.currentTarget.setAttribute("aria-pressed", String(showResident));
      const plot = byId("timeline").querySelector(".plot");
      drawCurves(plot, Math.max(280, plot.clientWidth));
    }));
  const chip = el("div", { class: "chip-row", id: "span-chip" });
  const plot = el("div", { class: "plot" });
  const title = el("h2", { id: "timeline-title" }, data.history ? "Live bytes over time" : "Timeline");
  const by = data.history ? choice("by", Object.entries(BANDS_BY), state.bands, (bands) => go({ bands })) : null;
  const list = data.history ? el("div", { class: "band-list" }) : null;
  box.append(el("div", { class: "title-row" }, [title, by, legend, chip].filter((part) => part)),
    el("div", { class: list ? "timeline-split" : "" }, plot, ...(list ? [list] : [])),
    el("div", { class: "row" }, tableInstead("Timeline as a table", timelineTable),
      ...(list ? [tableInstead("Bands as a table", bandTable)] : [])));
  if (data.history) addBrush(plot);
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
  const side = data.sides.length - 1, t = data.sides[side].timeline;
  const rows = t.max_bytes.map((_, i) => i);
  const value = (name) => (i) => t[name][i];
  const columns = [
    { id: "t", label: "From", number: true, value: (i) => i * t.step_ns,
      cell: (i) => duration(i * t.step_ns) },
    { id: "max", label: "Heap, most", number: true, value: value("max_bytes"),
      cell: (i) => bytes(t.max_bytes[i]) },
    { id: "blocks", label: "Blocks at end", number: true, value: value("end_blocks"),
      cell: (i) => count(t.end_blocks[i]) },
    { id: "allocs", label: "Allocations", number: true, value: value("allocations"),
      cell: (i) => count(t.allocations[i]) },
    { id: "frees", label: "Frees", number: true, value: value("frees"),
      cell: (i) => count(t.frees[i]) },
    { id: "rss", label: "Resident", number: true, value: value("resident_bytes"),
      cell: (i) => (t.resident_bytes[i] ? bytes(t.resident_bytes[i]) : "–") },
  ];
  return makeTable({ caption: `Heap over time${data.isDiff ? " (after)" : ""}`, columns, rows });
}

function timeAt(plot, clientX) {
  const at = scales(Math.max(280, plot.clientWidth));
  const x = clientX - plot.getBoundingClientRect().left - TIMELINE.left;
  return Math.max(0, Math.min(1, x / at.plotWidth)) * at.end;
}

function timelineTooltip(event, plot) {
  if (event.target.closest("[role=slider]")) return;
  const time = timeAt(plot, event.clientX);
  const lines = [];
  data.sides.forEach((side, s) => {
    const t = side.timeline, i = Math.min(t.max_bytes.length - 1, Math.floor(time / t.step_ns));
    if (i < 0) return;
    const who = data.isDiff ? `${SIDE_NAMES[s]}, heap` : "heap, most";
    lines.push([who, exactBytes(t.max_bytes[i])], ["blocks at end", count(t.end_blocks[i])],
      ["allocations", count(t.allocations[i])], ["frees", count(t.frees[i])]);
    if (t.resident_bytes[i]) lines.push(["resident", exactBytes(t.resident_bytes[i])]);
  });
  const band = data.history && bandUnder(plot, event);
  if (band) {
    const b = Math.min(data.history.buckets - 1, Math.floor(time / data.history.bucketNs));
    lines.push(["", ""], `${bandName(state.bands, band)}: ${bytes(band.live[b])} at ${duration((b + 1) * data.history.bucketNs)}`);
  }
  showTooltip(event.clientX, event.clientY, `at ${duration(time)}`, lines);
}

// ---- selecting a span ----

const bucketAt = (time) =>
  Math.min(data.history.buckets - 1, Math.floor(time / data.history.bucketNs));

function setSpan(from, to, replace) {
  const whole = from <= 0 && to >= data.history.buckets;
  go(whole ? { from: "", to: "" } : { from: String(from), to: String(to) }, replace);
}

function addBrush(plot) {
  const band = el("div", { class: "brush", hidden: true });
  plot.append(band, handle("from", "Start of the selected time"), handle("to", "End of the selected time"));
  let start = null;
  plot.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest("[role=slider]")) return;
    start = { x: event.clientX, bucket: bucketAt(timeAt(plot, event.clientX)) };
    plot.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  plot.addEventListener("pointermove", (event) => {
    if (start && Math.abs(event.clientX - start.x) > 3) showDraft(plot, start.x, event.clientX);
  });
  plot.addEventListener("pointerup", (event) => {
    if (start && Math.abs(event.clientX - start.x) > 3) {
      const end = bucketAt(timeAt(plot, event.clientX));
      setSpan(Math.min(start.bucket, end), Math.max(start.bucket, end) + 1);
    }
    else if (start) clickBand(plot, event);
    start = null;
  });
}

// A click without a drag chooses the band under the pointer.
function clickBand(plot, event) {
  const band = bandUnder(plot, event);
  if (band && band.frame) toggleGroup(state.bands, band.id);
}

function bandUnder(plot, event) {
  const at = scales(Math.max(280, plot.clientWidth));
  const y = event.clientY - plot.getBoundingClientRect().top;
  return bandAt(at, timeAt(plot, event.clientX), (at.most * 1.04 * (at.base - y)) / at.plotHeight);
}

function showDraft(plot, a, b) {
  const left = plot.getBoundingClientRect().left;
  const band = plot.querySelector(".brush");
  band.hidden = false;
  band.style.left = `${Math.min(a, b) - left}px`;
  band.style.width = `${Math.abs(a - b)}px`;
}

function handle(which, label) {
  return el("div", { class: "handle", role: "slider", tabindex: "0", "aria-label": label,
    "data-which": which, onkeydown: (event) => moveHandle(event, which),
    onpointerdown: (event) => event.currentTarget.setPointerCapture(event.pointerId),
    onpointermove: (event) => dragHandle(event, which) });
}

function spanOrAll() {
  return spanNow() || { from: 0, to: data.history.buckets };
}

function moveHandleTo(which, bucket, replace) {
  const span = spanOrAll(), last = data.history.buckets;
  if (which === "from") span.from = Math.max(0, Math.min(bucket, span.to - 1));
  else span.to = Math.min(last, Math.max(bucket, span.from + 1));
  setSpan(span.from, span.to, replace);
}

function moveHandle(event, which) {
  const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 10, PageDown: -10,
    Home: -1e6, End: 1e6 };
  if (!(event.key in steps)) return;
  event.preventDefault();
  moveHandleTo(which, spanOrAll()[which] + steps[event.key], spanNow() !== null);
}

function dragHandle(event, which) {
  if (!event.buttons) return;
  const time = timeAt(event.currentTarget.parentElement, event.clientX);
  moveHandleTo(which, Math.round(time / data.history.bucketNs), spanNow() !== null);
}

function placeBrush(plot, at) {
  if (!data.history) return;
  const span = spanNow(), shown = spanOrAll(), band = plot.querySelector(".brush");
  const [from, to] = spanTimes(shown);
  band.hidden = !span;
  band.style.left = `${at.x(Math.min(from, at.end))}px`;
  band.style.width = `${at.x(Math.min(to, at.end)) - at.x(Math.min(from, at.end))}px`;
  for (const knob of plot.querySelectorAll(".handle")) {
    const which = knob.dataset.which, time = which === "from" ? from : to;
    knob.style.left = `${at.x(Math.min(time, at.end))}px`;
    knob.setAttribute("aria-valuemin", which === "from" ? 0 : 1);
    knob.setAttribute("aria-valuemax", data.history.buckets - (which === "from" ? 1 : 0));
    knob.setAttribute("aria-valuenow", shown[which]);
    knob.setAttribute("aria-valuetext", duration(time));
  }
  drawChip(span);
}

// What the metric means for the selected span. Every number is exact for what is said here.
function spanMeaning(span) {
  const metric = metricNow(), suppressed = suppressedNow() ? " Suppressions do not apply to a selection." : "";
  if (metric.id === "leaked")
    return `Blocks allocated in the selection and live at its end.${suppressed}`;
  if (metric.id !== "peak") return `${metric.name}: within the selection.`;
  if (spanIsPeak(span)) return "The peak lies in the selection.";
  const [, end] = spanTimes({ from: 0, to: highestBucket(span) + 1 });
  return `Peak means here: allocated in the selection and live at ${duration(end)}, the highest of the steps ` +
    "selection goes by (between them it may have been more).";
}

// Does the recording's own "leaked" leave something out that a selection cannot?
const suppressedNow = memo(() => {
  const h = data.history, sum = (column) => column.reduce((a, b) => a + b, 0);
  return sum(h.allocated_bytes) - sum(h.freed_bytes) !== data.sides[0].totals.leaked_bytes;
});

function drawChip(span) {
  const chip = byId("span-chip");
  if (!span) {
    chip.replaceChildren(el("span", { class: "faint" }, "drag to select a span of time"));
    return;
  }
  const [from, to] = spanTimes(span);
  chip.replaceChildren(
    el("span", { class: "chip" }, `${duration(from)} – ${duration(to)}`,
      button("✕", () => go({ from: "", to: "" }), { "aria-label": "Clear the selection" })),
    el("span", { class: "faint" }, `${spanMeaning(span)} Steps of ${duration(data.history.bucketNs)}.`));
}
