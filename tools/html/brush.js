// Time by the pointer and the keyboard: selecting a span of it, and zooming into it. A selection goes by the
// borders of stretches, at which every number is exact; they lie closer where something happens.

// ---- stretches ----

// The stretch that contains a time.
function stretchAt(time) {
  const { moments, stretches } = timed();
  return Math.max(0, Math.min(stretches - 1, lastUntil(moments, time)));
}

// The border nearest to a time.
function borderAt(time) {
  const { moments } = timed(), at = stretchAt(time);
  return time - moments[at] < moments[at + 1] - time ? at : at + 1;
}

const spanTimes = ({ from, to }) => {
  const { moments } = timed();
  return [moments[from], Math.min(endOfTime(), moments[to])];
};

// The same span on the command line: its end belongs to it there.
function spanOptions({ from, to }) {
  const { moments, stretches } = timed();
  return [from ? `--from ${moments[from]}ns` : "", to < stretches ? `--to ${moments[to] - 1}ns` : ""].filter((text) => text).join(" ");
}

function setSpan(from, to, replace) {
  const whole = from <= 0 && to >= timed().stretches;
  go(whole ? { from: "", to: "" } : { from: String(from), to: String(to) }, replace);
}

// ---- zooming ----

function showTime(from, to, replace) {
  const end = endOfTime(), least = Math.min(end, 8 * data.sides[0].curve.step);
  const width = Math.min(end, Math.max(least, to - from)), first = Math.max(0, Math.min(end - width, from));
  go(width >= end ? { start: "", end: "" } : { start: String(Math.floor(first)), end: String(Math.ceil(first + width)) }, replace);
}

// Shows `factor` times as much time around a moment.
function zoomTime(factor, around) {
  const { from, to } = shownTime(), centre = around ?? (from + to) / 2;
  showTime(centre - (centre - from) * factor, centre + (to - centre) * factor, true);
}

function zoomToSpan() {
  const [from, to] = spanTimes(spanNow()), margin = (to - from) / 20;
  showTime(from - margin, to + margin);
}

function moveTime(share) {
  const { from, to } = shownTime(), by = share * (to - from);
  showTime(from + by, to + by, true);
}

function zoomButtons() {
  const zoomed = state.start !== "", step = (label, title, action, id) => button(label, action, { title, "aria-label": title, id, class: "small-button" });
  return [step("+", "Zoom into time", () => zoomTime(1 / 2), "time-in"), step("−", "Zoom out of time", () => zoomTime(2), "time-out"),
    spanNow() ? step("Zoom to selection", "Zoom to the selected time", zoomToSpan, "time-span") : null,
    zoomed ? step("Whole time", "Show the whole time", () => go({ start: "", end: "" }), "time-all") : null].filter((part) => part);
}

const TIME_KEYS = { "+": () => zoomTime(1 / 2), "=": () => zoomTime(1 / 2), "-": () => zoomTime(2), 0: () => go({ start: "", end: "" }),
  "[": () => moveTime(-1 / 4), "]": () => moveTime(1 / 4) };

// ---- selecting ----

function addBrush(plot) {
  const brush = el("div", { class: "brush", hidden: true });
  plot.append(brush, handle("from", "Start of the selected time"), handle("to", "End of the selected time"));
  let start = null;
  const moved = (event) => start && Math.abs(event.clientX - start.x) > 3;
  plot.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest("[role=slider]")) return;
    start = { x: event.clientX, time: timeAt(plot, event.clientX) };
    plot.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  plot.addEventListener("pointermove", (event) => {
    if (moved(event)) showDraft(plot, start.x, event.clientX);
  });
  plot.addEventListener("pointerup", (event) => {
    if (moved(event)) selectTimes(start.time, timeAt(plot, event.clientX));
    else if (start) clickBand(plot, event);
    start = null;
  });
  plot.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoomTime(event.deltaY > 0 ? 5 / 4 : 4 / 5, timeAt(plot, event.clientX));
  }, { passive: false });
}

// The span between the borders nearest to two times, one stretch at least.
function selectTimes(a, b) {
  const from = borderAt(Math.min(a, b)), to = borderAt(Math.max(a, b));
  if (from < to) setSpan(from, to);
  else setSpan(stretchAt(Math.min(a, b)), stretchAt(Math.min(a, b)) + 1);
}

// A click without a drag chooses the band under the pointer.
function clickBand(plot, event) {
  const band = bandUnder(plot, event);
  if (band && band.group) toggleGroup(state.bands, band.id);
}

function bandUnder(plot, event) {
  if (data.isDiff) return null;
  const at = scales(plotWidthOf(plot)), y = event.clientY - plot.getBoundingClientRect().top;
  return bandAt(timeAt(plot, event.clientX), (at.most * 1.04 * (at.base - y)) / at.plotHeight);
}

function showDraft(plot, a, b) {
  const left = plot.getBoundingClientRect().left, brush = plot.querySelector(".brush");
  brush.hidden = false;
  brush.style.left = `${Math.min(a, b) - left}px`;
  brush.style.width = `${Math.abs(a - b)}px`;
}

function handle(which, label) {
  return el("div", { class: "handle", role: "slider", tabindex: "0", "aria-label": label,
    "data-which": which, onkeydown: (event) => moveHandle(event, which),
    onpointerdown: (event) => event.currentTarget.setPointerCapture(event.pointerId),
    onpointermove: (event) => dragHandle(event, which) });
}

const spanOrAll = () => spanNow() || { from: 0, to: timed().stretches };

function moveHandleTo(which, border, replace) {
  const span = spanOrAll(), last = timed().stretches;
  if (which === "from") span.from = Math.max(0, Math.min(border, span.to - 1));
  else span.to = Math.min(last, Math.max(border, span.from + 1));
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
  moveHandleTo(which, borderAt(timeAt(event.currentTarget.parentElement, event.clientX)), spanNow() !== null);
}

function placeBrush(plot, at) {
  const span = spanNow(), shown = spanOrAll(), brush = plot.querySelector(".brush");
  const [from, to] = spanTimes(shown), clamped = (time) => at.x(Math.max(at.from, Math.min(time, at.to)));
  brush.hidden = !span;
  brush.style.left = `${clamped(from)}px`;
  brush.style.width = `${clamped(to) - clamped(from)}px`;
  for (const knob of plot.querySelectorAll(".handle")) {
    const which = knob.dataset.which, time = which === "from" ? from : to;
    knob.style.left = `${clamped(time)}px`;
    knob.setAttribute("aria-valuemin", which === "from" ? 0 : 1);
    knob.setAttribute("aria-valuemax", timed().stretches - (which === "from" ? 1 : 0));
    knob.setAttribute("aria-valuenow", shown[which]);
    knob.setAttribute("aria-valuetext", duration(time));
  }
  drawChip(span);
}

// What the metric means for the selected span. Every number is exact for what is said here.
function spanMeaning(span) {
  const metric = metricNow(), chosen = chosenNow();
  if (metric.id === "leaked") return "Blocks allocated in the selection and live at its end.";
  if (metric.id in FATES) return `${metric.name}: allocated in the selection, when the recording ends.`;
  if (metric.id === "growth") return "Live at the end of the selection, less what was live at its start.";
  if (metric.id !== "peak") return `${metric.name}: within the selection.`;
  if (data.sides.every((side) => peakIsChosen(side, chosen))) return "The peak lies in the selection.";
  return `Peak means here: ${data.sides.map((side, i) => [data.isDiff ? `${sideNames()[i]}: ` : "", peakMeaning(side, chosen)].join("")).join("; ")}.`;
}

function peakMeaning(side, chosen) {
  if (peakIsChosen(side, chosen)) return "the peak of the recording";
  return `allocated in the selection and live at ${duration(side.blocks.moments[highestBorder(side, chosen)])}, ` +
    "the highest of the borders in it (between them it may have been more)";
}

function drawChip(span) {
  if (!span) return byId("span-chip").replaceChildren(el("span", { class: "faint" }, "drag to select a span of time"));
  const [from, to] = spanTimes(span), options = spanOptions(span);
  return byId("span-chip").replaceChildren(
    el("span", { class: "chip" }, `${duration(from)} – ${duration(to)}`,
      button("✕", () => go({ from: "", to: "" }), { "aria-label": "Clear the selection" })),
    button("copy options", () => copyText(options, () => announce("Options copied")),
      { class: "link", id: "span-options", title: `The same on the command line: ${options}` }),
    el("span", { class: "faint" }, spanMeaning(span)));
}
