// The other screens: summary, callers and callees, distributions, threads, heaps, help.
const SIDE_NAMES = data.isDiff ? ["before", "after"] : [""];
const lastSide = () => data.sides[data.sides.length - 1];

// ---- summary ----

function total(label, value, note, id, title) {
  return el("div", { class: "total", title: title || null }, el("dt", {}, label),
    el("dd", {}, el("b", { "data-total": id }, value), note ? el("span", { class: "faint" }, ` ${note}`) : null));
}

// "1.2 MiB"; in a comparison with the change.
function totalText(text, key) {
  const now = lastSide().totals[key];
  if (!data.isDiff) return text(now);
  const by = now - data.sides[0].totals[key];
  return [text(now), el("span", { class: by > 0 ? "grew" : by < 0 ? "shrank" : "" }, ` ${signed(text, by)}`)];
}

function summaryLine() {
  const t = lastSide().totals;
  return [
    total("Peak heap", totalText(bytes, "peak_bytes"), "", "peak_bytes",
      `${exactBytes(t.peak_bytes)} in ${count(t.peak_blocks)} blocks, after ${duration(t.peak_time_ns)}`),
    total("Live at the end", totalText(bytes, "leaked_bytes"), fateText(t), "leaked_bytes",
      `${exactBytes(t.leaked_bytes)} in ${count(t.leaked_blocks)} blocks`),
    total("Allocated bytes", totalText(bytes, "allocated_bytes"), "", "allocated_bytes",
      `${exactBytes(t.allocated_bytes)} from ${count(t.distinct_stacks)} stacks`),
    total("Number of allocations", totalText(count, "allocations"), "", "allocations",
      `${count(t.frees)} freed, ${count(t.reallocs)} by realloc`),
    total("Temporary", data.isDiff ? totalText(count, "temporary") : percent(t.temporary, t.allocations),
      "", "temporary", `${count(t.temporary)} allocations`),
    total("Peak RSS", t.peak_rss_bytes ? totalText(bytes, "peak_rss_bytes") : "–", "",
      "peak_rss_bytes", `${exactBytes(t.peak_rss_bytes)}: resident memory of the process, code too`),
  ];
}

// What became of the blocks live at the end, if that was looked at.
function fateText(totals) {
  if (totals.lost_bytes === null || totals.lost_bytes === undefined) return "";
  const { lost_bytes: lost, possible_bytes: possible, reachable_bytes: reachable } = totals;
  return `${bytes(lost)} lost, ${possible ? `${bytes(possible)} possibly, ` : ""}${bytes(reachable)} still reachable`;
}

// ---- findings ----

const FINDINGS_SHOWN = 4;

function findingItem(finding) {
  const id = finding.function === undefined ? -1 : groupOfPlace(finding);
  const name = clean(finding.function || ""), where = finding.file ? `${baseName(finding.file)}:${finding.line}` : baseName(finding.module || "");
  const site = !name ? null : id > 0 ? button(nameNode(name), () => toggleGroup("site", id), { class: "link", title: "Show only this" }) : nameNode(name);
  const command = clean(finding.see[0] || "");
  return el("li", {}, site, site ? el("span", { class: "faint place" }, ` ${clean(where)} `) : null,
    el("span", {}, clean(finding.text), " "),
    command ? button("copy command", () => copyText(command, () => announce("Command copied")), { class: "link", title: command }) : null);
}

function findingsCard() {
  const found = data.findings, more = found.slice(FINDINGS_SHOWN);
  return [el("h2", {}, "Findings"),
    found.length ? el("ol", { class: "findings" }, found.slice(0, FINDINGS_SHOWN).map(findingItem)) :
      el("p", { class: "faint" }, "Nothing stands out."),
    more.length ? el("details", {}, el("summary", {}, `${count(more.length)} more`),
      el("ol", { class: "findings", start: FINDINGS_SHOWN + 1 }, more.map(findingItem))) : null];
}

const LOSSES = [
  ["truncated_stacks", (n) => `${count(n)} stacks are cut at their outer end`],
  ["unmatched_frees", (n) => `${count(n)} frees of blocks whose allocation was not seen`],
  ["missed_frees", (n) => `${count(n)} frees were not seen`],
  ["unreadable_modules", (n) => `${count(n)} modules had no readable symbols`],
];

function completeness(side, name) {
  const have = side.completeness;
  const notes = [...have.reasons.map(clean),
    ...LOSSES.filter(([key]) => have[key]).map(([key, text]) => text(have[key]))];
  if (!have.complete && have.missing_since_ns !== null && have.ended !== "running")
    notes.push(`the numbers are whole up to ${duration(have.missing_since_ns)} only`);
  const ended = have.ended === "exit" ? "the program ended by itself"
    : have.ended === "running" ? "the program still runs" : `the program ended: ${clean(have.ended)}`;
  const verdict = have.complete ? "✓ Complete record"
    : have.ended === "running" ? "⚠ Still being recorded: live so far is called leaked" : "⚠ Incomplete record";
  const who = name ? `${name}: ` : "";
  return el("p", { class: `verdict ${have.complete ? "good" : "bad"}` },
    el("b", {}, who + verdict), ` – ${ended}`,
    notes.length ? el("ul", {}, notes.map((note) => el("li", {}, note))) : null);
}

function drawSummary() {
  const traces = data.sides.map((side) => side.traces[0]);
  byId("program").textContent = traces.map((t) => clean(baseName(t.program)) || "?").join(" → ");
  byId("command").textContent = traces.map((t) => clean(t.command)).join("  →  ");
  byId("command").title = byId("command").textContent;
  const started = traces.map((t) => new Date(t.start_unix_ns / 1e6).toISOString().slice(0, 19).replace("T", " "));
  byId("summary").replaceChildren(el("dl", { class: "totals" }, summaryLine()),
    el("div", { class: "verdicts" },
      data.sides.map((side, i) => completeness(side, SIDE_NAMES[i])),
      el("p", { class: "faint" }, traces.map((t, i) =>
        `pid ${t.pid} on ${clean(t.host)}, ${started[i]} UTC, ran ${duration(t.duration_ns)}, ` +
        `${count(t.threads)} thread${t.threads === 1 ? "" : "s"}`).join("  →  "))),
    el("div", { class: data.findings ? "answers" : "" },
      data.findings ? el("div", { class: "card" }, findingsCard()) : null, el("div", { class: "card", id: "top-sites" })));
}

// ---- callers and callees ----

function callerRows(chart, fn) {
  const { view } = chart, callers = new Map(), callees = new Map(), own = [0, 0], total = [0, 0];
  const add = (map, node, sums, side, value) => {
    const key = node ? view.key[node] : -1;
    if (!map.has(key)) map.set(key, { frame: node ? frameOf(chart, node) : null, value: [0, 0] });
    map.get(key).value[side] += value;
  };
  for (let i = 1; i < view.n; i++) {
    if (view.key[i] !== fn || !outermostIn(view)[i]) continue;
    chart.sides.forEach((sums, side) => {
      total[side] += sums.total[i];
      own[side] += sums.self[i];
      add(callers, view.parent[i], sums, side, sums.total[i]);
      for (let c = view.first[i]; c; c = view.next[c]) add(callees, c, sums, side, sums.total[c]);
    });
  }
  return { callers: [...callers.values()], callees: [...callees.values()], own, total };
}

function callTable(caption, rows, chart, whole) {
  const side = data.sides.length - 1, text = metricText(chart.metric);
  const columns = [
    { id: "value", label: chart.metric.name, number: true, value: (r) => r.value[side],
      cell: (r) => barCell(INEXACT + text(r.value[side]), r.value[side] / whole) },
    { id: "share", label: "%", number: true, value: (r) => r.value[side] / whole,
      cell: (r) => INEXACT + percent(r.value[side], whole) },
  ];
  if (data.isDiff) columns[1] = changeColumn("share", "Change", chart, (r) => r.value);
  columns.push({ id: "name", label: "Function", value: (r) => (r.frame ? r.frame.name : ""),
    cell: (r) => (r.frame ? button(nameNode(r.frame.name), () => go({ fn: String(r.frame.fn) }),
      { class: "link" }) : el("span", { class: "faint" }, "(nobody: outermost frame)")) });
  const shown = rows.filter((r) => r.value.some((v) => v));
  if (!shown.length) return el("p", { class: "faint" }, `${caption}: none`);
  return makeTable({ caption, columns, rows: shown, sort: { id: "value" } });
}

// The function with the largest share itself, when none was chosen.
function defaultFunction(chart) {
  const rows = rowsByKey(chart).filter((row) => !(row.frame.flags & (RUNTIME | FOLDED)));
  const best = rows.sort((a, b) => b.self[0] + b.self[1] - a.self[0] - a.self[1])[0];
  return best ? best.frame.fn : 0;
}

function updateCallers(panel) {
  const chart = chartNow({ invert: false, by: "function" });
  const fn = state.fn === "" ? defaultFunction(chart) : Number(state.fn) | 0;
  const frame = data.functions[fn], text = metricText(chart.metric);
  if (!frame) return panel.replaceChildren(el("p", {}, "No such function."));
  const found = callerRows(chart, fn), side = data.sides.length - 1;
  const whole = found.total[side] || 1;
  panel.replaceChildren(el("div", { class: "card" },
    el("h3", {}, nameNode(frame.name)), el("p", { class: "faint place" }, placeOf(frame)),
    el("p", {}, `${chart.metric.name}: ${INEXACT}${text(found.total[side])} with callees (`,
      `${INEXACT}${percent(found.total[side], after(chart).total[0])} of all), ${INEXACT}${text(found.own[side])} itself.`,
      " Recursive calls count once, at the outermost."),
    el("div", { class: "pair-of-tables" }, callTable("Callers", found.callers, chart, whole),
      callTable("Callees", found.callees, chart, whole))));
}

// ---- sizes and lifetimes ----

// Bars from left to right with labels below; bars: { label, value, title }.
function barChart(bars, label) {
  const width = Math.max(300, byId("panel").clientWidth - 60), height = 170, bottom = 24;
  const most = Math.max(1, ...bars.map((b) => b.value)), w = Math.min(48, width / bars.length);
  const parts = bars.flatMap((bar, i) => {
    const h = bar.value ? Math.max(2, (bar.value / most) * (height - bottom - 16)) : 0;
    return [svg("rect", { x: i * w + 1, y: height - bottom - h, width: Math.max(1, w - 2), height: h,
      class: "column", rx: 2 }, svg("title", {}, bar.title)),
    i % Math.ceil(56 / w) === 0 ? svg("text", { x: i * w + 1, y: height - 6, class: "tick" }, bar.label) : null];
  });
  return svg("svg", { width, height, role: "img", "aria-label": label }, parts);
}

function sizesCard(side) {
  const rows = side.sizes;
  const range = (r) => (r.min_size === r.max_size ? bytes(r.min_size) : `${bytes(r.min_size)} – ${bytes(r.max_size)}`);
  const bars = rows.map((r) => ({ label: bytes(r.min_size), value: r.allocations,
    title: `${range(r)}: ${count(r.allocations)} allocations, ${bytes(r.allocated_bytes)}` }));
  const columns = [
    { id: "size", label: "Size", number: true, value: (r) => r.min_size, cell: range },
    { id: "n", label: "Allocations", number: true, value: (r) => r.allocations, cell: (r) => count(r.allocations) },
    { id: "bytes", label: "Bytes", number: true, value: (r) => r.allocated_bytes, cell: (r) => bytes(r.allocated_bytes) },
    { id: "temp", label: "Temporary", number: true, value: (r) => r.temporary, cell: (r) => count(r.temporary) },
    { id: "leaked", label: "Live at the end", number: true, value: (r) => r.leaked_bytes, cell: (r) => bytes(r.leaked_bytes) },
  ];
  const top = rows.reduce((a, b) => (b.allocations > a.allocations ? b : a), { allocations: 0 });
  return el("div", { class: "card" }, el("h3", {}, "Sizes of blocks"),
    el("p", { class: "faint" }, rows.length ? `Allocations by requested size; most often ${range(top)} (${count(top.allocations)}).` : "No allocations."),
    barChart(bars, "Allocations by size. The table below has the numbers."),
    tableInstead("Sizes as a table", () => makeTable({ caption: "Sizes", columns, rows })));
}

function lifetimesCard(side) {
  const life = side.lifetimes, rows = life.histogram;
  const freed = rows.reduce((sum, r) => sum + r.blocks, 0);
  const bars = rows.map((r) => ({ label: duration(r.from_ns), value: r.blocks,
    title: `from ${duration(r.from_ns)}: ${count(r.blocks)} blocks, ${percent(r.blocks, freed)}` }));
  const columns = [
    { id: "from", label: "Lived at least", number: true, value: (r) => r.from_ns, cell: (r) => duration(r.from_ns) },
    { id: "n", label: "Blocks", number: true, value: (r) => r.blocks, cell: (r) => count(r.blocks) },
    { id: "share", label: "%", number: true, value: (r) => r.blocks / freed, cell: (r) => percent(r.blocks, freed) },
  ];
  return el("div", { class: "card" }, el("h3", {}, "Lifetimes of freed blocks"),
    el("p", { class: "faint" }, freed ? `Half of them lived less than ${duration(life.median_ns)} (within 7 %), the longest ${duration(life.max_ns)}.` : "Nothing was freed."),
    barChart(bars, "Freed blocks by lifetime. The table below has the numbers."),
    tableInstead("Lifetimes as a table", () => makeTable({ caption: "Lifetimes", columns, rows })));
}

// What these screens are about, whatever is selected on the others.
function wholeNote() {
  const ignored = [spanNow() ? "the selected span of time" : "", state.only ? "the chosen site" : ""].filter((text) => text);
  return el("p", { class: "faint panel-note" }, "Of the whole recording", data.isDiff ? " (after)" : "",
    ignored.length ? `: ${ignored.join(" and ")} do not change these.` : ".");
}

function updateDistributions(panel) {
  panel.replaceChildren(wholeNote(), el("div", { class: "stack-cards" }, sizesCard(lastSide()), lifetimesCard(lastSide())));
}

// ---- threads and heaps ----

function plainColumns(spec) {
  return spec.map(([id, label, text]) => ({ id, label, number: Boolean(text), value: (r) => r[id],
    cell: (r) => (text ? text(r[id]) : nameNode(clean(String(r[id])))) }));
}

const THREAD_COLUMNS = plainColumns([["name", "Thread"], ["thread", "Id"],
  ["allocations", "Allocations", count], ["allocated_bytes", "Allocated", bytes],
  ["frees", "Frees", count], ["temporary", "Temporary", count],
  ["frees_of_others", "Freed for others", count], ["freed_by_others", "Freed by others", count],
  ["leaked_bytes", "Live at the end", bytes]]);
const HEAP_COLUMNS = plainColumns([["name", "Heap"], ["kind", "Kind"],
  ["allocations", "Allocations", count], ["frees", "Frees", count],
  ["leaked_bytes", "Live at the end", bytes], ["leaked_blocks", "Blocks", count]]);

// A table that keeps its own order.
function localTable(caption, columns, rows, first) {
  const box = el("div");
  const draw = (id, asc) => box.replaceChildren(makeTable({ caption, columns, rows,
    sort: { id, asc }, onsort: (next, up) => {
      draw(next, up);
      box.querySelector(`[data-sort="${next}"]`).focus();
    } }));
  draw(first, false);
  return box;
}

function cutNote(shown, total, what) {
  return shown < total ? el("p", { class: "faint" }, `The ${count(shown)} with most of ${count(total)} ${what}.`) : null;
}

function threadName(thread, side) {
  if (side.traces.some((trace) => trace.pid === thread.tid)) return thread.name ? `main thread (${thread.name})` : "main thread";
  return thread.name || "–";
}

function updateThreads(panel) {
  const side = lastSide(), heaps = side.traces.flatMap((t) => t.heaps);
  const heapsTotal = side.traces.reduce((sum, t) => sum + t.heaps_total, 0);
  panel.replaceChildren(wholeNote(), el("div", { class: "stack-cards" },
    el("div", { class: "card" }, el("h3", {}, "Threads"),
      el("p", { class: "faint" }, "Freed for others: frees by this thread of blocks that another one allocated. Freed by others: the reverse."),
      cutNote(side.threads.length, side.threads_total, "threads"),
      localTable("Threads", THREAD_COLUMNS, side.threads.map((t) => ({ ...t, name: threadName(t, side) })), "allocated_bytes")),
    el("div", { class: "card" }, el("h3", {}, "Heaps"),
      el("p", { class: "faint" }, "libc is the process's own heap; others were announced by the program. Nested heaps lie in blocks of another and are in no total."),
      cutNote(heaps.length, heapsTotal, "heaps"),
      localTable("Heaps", HEAP_COLUMNS, heaps.map((h) => ({ ...h, name: h.nested ? `${h.name} (nested)` : h.name })), "allocations"))));
}

// ---- help ----

const HELP = [
  ["Live at the end is not a bug yet", "Live at the end means: not freed before the program ended. Lost blocks are those that nothing points to any more; what is still reachable – caches, tables built once, everything a program leaves for the kernel to take back – is mostly harmless. A leak is what grows with the work done: select a span in the middle of the timeline, or compare two recordings of different length."],
  ["The metrics", "Peak: bytes live at the moment the heap was largest. Live at the end: not freed. Allocated bytes and Number of allocations: everything ever asked for, in bytes and in number. Temporary: freed by the thread that allocated it before it allocated anything else – often a buffer that could be reused. All sizes are the sizes asked for; the allocator's own overhead is not in them."],
  ["The call tree", "Callers are above, callees below; the width is the metric. Click a frame to zoom; the back button goes back. Frames narrower than a pixel are left out of the drawing but not of the sums. Invert puts the innermost frames on top: all stacks that end in the same function come together."],
  ["Frames", "Malloc, operator new and the standard library's allocators are hidden at the inner end of stacks. “Hide run-time too” (as at first) also hides wrappers such as xmalloc and the C and C++ libraries there, so that a stack ends in the program's own code, and what starts processes and threads at the outer end. Merge recursion makes a function that calls itself one frame."],
  ["Whose bytes", "The curve is stacked by site: the line of the first function outside allocators and run-time libraries; or by function, or by module. Each band is exact at the steps of the curve; the line above it is the highest between them. A click on a band, on a name beside it, on one of the top sites or on the function of a finding shows only its stacks, everywhere but under sizes and threads; the chip in the tool bar takes that back."],
  ["Selecting time", "Drag over the timeline, or move its two handles with the arrow keys. A selection means what --from and --to mean on the command line: blocks allocated in it, and nothing that happened after it. Live at the end is what of them was live at its end; Peak what of them was live at the highest of its steps, whose moment is named. Selections go by whole steps, whose length is shown; at their borders the numbers are exact."],
  ["Searching", "Names of functions, files and modules; /…/ is a regular expression. The share is of everything that has a matching frame in its stack, counted once."],
  ["Keys", "In the call tree: ↑ caller, ↓ largest callee, ← → neighbours, Enter zooms, Escape resets, Home goes to the top. Anywhere: / searches, ? opens this help. Tables sort by a click on their heads."],
];

function buildHelp() {
  const dialog = byId("help");
  dialog.replaceChildren(el("h2", { id: "help-title" }, "How to read this page"),
    ...HELP.flatMap(([title, text]) => [el("h3", {}, title), el("p", {}, text)]),
    el("div", { class: "row" }, button("Close", () => dialog.close(), { autofocus: true })));
  byId("help-button").onclick = () => dialog.showModal();
}
