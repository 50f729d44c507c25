// How to read the page, and its keys.

const HELP = [
  ["Live at the end is not a bug yet", "Live at the end means: not freed before the program ended. Lost blocks are those that nothing points to any more; what is still reachable – caches, tables built once, everything a program leaves for the kernel to take back – is mostly harmless. A leak is what grows with the work done: select a span in the middle of the timeline, or compare two recordings of different length."],
  ["The metrics", "Peak: bytes live at the moment the heap was largest. Live at the end: not freed. Allocated bytes and Number of allocations: everything ever asked for, in bytes and in number. Temporary: freed by the thread that allocated it before it allocated anything else – often a buffer that could be reused. Growth: live at the end of the selected time, less what was live at its start. All sizes are the sizes asked for; the allocator's own overhead is not in them."],
  ["The call tree", "Callers are above, callees below; the width is the metric. Click a frame to zoom; the back button goes back. Frames narrower than a pixel are left out of the drawing but not of the sums. Invert puts the innermost frames on top: all stacks that end in the same function come together."],
  ["Frames", "Malloc, operator new and the standard library's allocators are hidden at the inner end of stacks. “Hide run-time too” (as at first) also hides wrappers such as xmalloc and the C and C++ libraries there, so that a stack ends in the program's own code, and what starts processes and threads at the outer end. Merge recursion makes a function that calls itself one frame. “Only Python” and the like leave out the frames of all other languages, wherever they stand; stacks without such a frame are then the part of “all” that has no callee."],
  ["Languages", "Where functions of several languages have allocated, frames can be coloured by language, bands stacked by it, and “Language” makes everything be about the stacks whose first function outside allocators and run-time libraries is in one. A language is told by source file and name; C and C++ are one, and so is all code that was generated while the program ran. The interpreter's own frames between Python's are in the page only if it was made with --native."],
  ["Whose bytes", "The curve is stacked by site – the line of the first function outside allocators and run-time libraries – or by function, module, thread, heap or size. Bands are exact at the borders of stretches of time, which lie closer where something happens; the line above them is the highest of each moment. A click on a band, on a name beside it, on a bar of sizes or lifetimes, on a thread, one of the top sites or the function of a finding shows only its blocks, everywhere; one of each kind can be chosen at once, and the chips in the tool bar take that back."],
  ["Selecting time", "Drag over the timeline, or move its two handles with the arrow keys. A selection goes by the borders of stretches, and means what --from and --to mean on the command line (“copy options” gives them): blocks allocated in it, and nothing that happened after it. Every number is exact. Live at the end is what of them was live at its end; Growth is what was live at its end less what was live at its start, whenever allocated; Peak is the peak of the recording when that lies in the selection, else what was live at the highest border in it, which is named. In a comparison it is the same time since each start, on both sides."],
  ["Zooming into time", "+ and − beside the timeline, Ctrl and the wheel, or “Zoom to selection”. The curve is kept in many fine steps, so that a short spike in a long recording can be looked at."],
  ["Sizes, lifetimes, threads", "They are about the chosen metric, time, search and groups, too. The matrix shows who frees whose blocks: rows allocate, columns free. When a thread, heap, size or lifetime is chosen, Peak is its share of the peak of all."],
  ["Source lines", "The page has the lines around the frames with most, of files that were there when it was made, unless it was made with --no-source. Do not hand on a page whose source is not to be read. The editor that a link opens can be changed below it."],
  ["Searching", "Names of functions, files and modules; /…/ is a regular expression. The share is of everything that has a matching frame in its stack, counted once. “Show only” and “Leave out” make everything be about the stacks with a match, or without."],
];

// Keys that work anywhere but while typing: [key, what it does, how].
const KEYS = [
  ["/", "search", () => byId("search").focus()],
  ["n", "next match", () => nextMatch(1)],
  ["N", "previous match", () => nextMatch(-1)],
  ["o", "only stacks with a match, and back", () => toggleKeep("only")],
  ["x", "stacks with a match left out, and back", () => toggleKeep("out")],
  ["m", "next metric", () => stepMetric(1)],
  ["M", "previous metric", () => stepMetric(-1)],
  ["b", "bands by the next way", () => stepBands()],
  ["i", "upside down, and back", () => go({ view: "flame", invert: state.invert ? "" : "1", zoom: "" })],
  ["c", "everything chosen and selected is taken back", () => go({ only: "", keep: "", from: "", to: "", zoom: "" })],
  ["+", "zoom into time", TIME_KEYS["+"]],
  ["-", "zoom out of time", TIME_KEYS["-"]],
  ["0", "the whole time", TIME_KEYS[0]],
  ["[", "earlier", TIME_KEYS["["]],
  ["]", "later", TIME_KEYS["]"]],
  ["?", "this help", () => byId("help").showModal()],
];

function stepMetric(step) {
  const shown = metricsShown(), at = shown.findIndex((metric) => metric.id === state.metric);
  go({ metric: shown[(at + step + shown.length) % shown.length].id });
}
function stepBands() {
  const ways = bandWays().map(([by]) => by);
  if (!data.isDiff) go({ bands: ways[(ways.indexOf(state.bands) + 1) % ways.length] });
}

function globalKey(event) {
  const typing = event.target.closest("input, select, textarea, dialog, [role=slider]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const tab = Object.keys(VIEWS)[Number(event.key) - 1];
  const key = KEYS.find(([name]) => name === event.key);
  if (!tab && !key) return;
  event.preventDefault();
  if (tab) go({ view: tab });
  else key[2]();
}

function keyList() {
  const rows = [[`1 – ${Object.keys(VIEWS).length}`, "the tabs"], ...KEYS, ["↑ ↓ ← →", "in the call tree: caller, largest callee, neighbours; in the bottom-up tree: move, open, close"],
    ["Enter", "in the call tree: zoom"], ["Escape", "in the call tree: reset the zoom"], ["Home", "in the call tree: to the top"]];
  return el("dl", { class: "keys" }, rows.flatMap(([name, what]) => [el("dt", {}, el("kbd", {}, name)), el("dd", {}, what)]));
}

function buildHelp() {
  const dialog = byId("help");
  dialog.replaceChildren(el("h2", { id: "help-title" }, "How to read this page"),
    ...HELP.flatMap(([title, text]) => [el("h3", {}, title), el("p", {}, text)]), el("h3", {}, "Keys"), keyList(),
    el("div", { class: "row" }, button("Close", () => dialog.close(), { autofocus: true })));
  byId("help-button").onclick = () => dialog.showModal();
}
