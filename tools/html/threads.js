// Threads and heaps of the chosen blocks, and which thread frees what another one allocated.
const MATRIX_MAX = 10;

const THREAD_SUMS = ["allocations", "allocated_bytes", "temporary", "leaked_bytes"];

const FREE_SUMS = ["frees", "frees_of_others", "freed_by_others"];

// Sums of each thread (or heap) of a side: { number, allocations, …, frees, frees_of_others, freed_by_others }.
function sumsByNumber(side, way) {
  const chosen = chosenBy(withoutWay(way), spanNow()), { kinds, frees } = side.blocks, numbers = kinds[way];
  const sums = columnsOf(1 + Math.max(maxOf(numbers), maxOf(frees.by) - 2), [...THREAD_SUMS, ...FREE_SUMS]);
  const add = (column, values) => eachKind(side, chosen, values, (kind, amount) => (sums[column][numbers[kind]] += amount));
  for (const column of THREAD_SUMS) add(column, columnByKind(side, chosen, column));
  if (way === "heap") add("frees", freedIn(side, spanOf(side, chosen), chosen.life).blocks);
  else eachFreer(side, chosen, "blocks", (kind, freer, amount, foreign) => {
    if (freer < 0) return;
    sums.frees[freer] += amount;
    if (!foreign) return;
    sums.frees_of_others[freer] += amount;
    sums.freed_by_others[kinds.thread[kind]] += amount;
  });
  const rows = Array.from(sums.frees, (_, number) => ({ number, ...Object.fromEntries(Object.entries(sums).map(([name, values]) => [name, values[number]])) }));
  return rows.filter((row) => Object.keys(sums).some((name) => row[name]));
}

function numberColumns(way, side) {
  const name = (row) => (way === "thread" ? threadName(row.number, side) : heapName(row.number, side));
  const column = (id, label, text) => ({ id, label, number: true, value: (r) => r[id], cell: (r) => text(r[id]) });
  const columns = [{ id: "name", label: way === "thread" ? "Thread" : "Heap", value: name, cell: (r) => (groupingFor(way).groups[r.number + 1] && side === lastSide()
    ? button(nameNode(name(r)), () => toggleGroup(way, r.number + 1), { class: "link", title: "Show only this", "aria-pressed": String(isChosen(way, r.number + 1)) })
    : nameNode(name(r))) },
  column("allocations", "Allocations", count), column("allocated_bytes", "Allocated", bytes), column("frees", "Frees", count),
  column("temporary", "Temporary", count), column("leaked_bytes", "Live at the end", bytes)];
  if (way === "thread")
    columns.splice(1, 0, { id: "thread", label: "Id", value: (r) => side.threads[r.number]?.thread || "–" });
  if (way === "thread" && side.threads_total > 1)
    columns.push(column("frees_of_others", "Freed for others", count), column("freed_by_others", "Freed by others", count));
  return columns;
}

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

// ---- threads by who frees ----

function pairsOf(side) {
  const { kinds, frees } = side.blocks, pairs = new Map(), rows = new Map(), columns = new Map();
  const inBytes = metricNow().unit === "bytes", add = (map, key, amount) => map.set(key, (map.get(key) || 0) + amount);
  const size = 2 + Math.max(maxOf(kinds.thread), maxOf(frees.by)), sums = new Map(); // freer -1 is before thread 0
  eachFreer(side, chosenNow(), inBytes ? "bytes" : "blocks", (kind, freer, amount) => add(sums, kinds.thread[kind] * size + freer + 1, amount));
  for (const [at, amount] of sums) {
    const owner = Math.floor(at / size), freer = (at % size) - 1;
    add(pairs, `${owner},${freer}`, amount);
    add(rows, owner, amount);
    add(columns, freer, amount);
  }
  const ranked = (map) => [...map].filter(([, amount]) => amount).sort((a, b) => b[1] - a[1]).map(([number]) => number);
  return { pairs, rows: ranked(rows), columns: ranked(columns), text: inBytes ? bytes : count, most: maxOf([...pairs.values()]) };
}

function matrixCard(side, title) {
  const { pairs, rows, columns, text, most } = pairsOf(side);
  if (columns.length < 2 && rows.length < 2) return null;
  const name = (number) => (number < 0 ? "with their heap" : threadName(number, side));
  const shown = columns.slice(0, MATRIX_MAX), cell = (owner, freer) => {
    const amount = pairs.get(`${owner},${freer}`) || 0, out = el("td", { class: "number heat" }, amount ? text(amount) : "·");
    out.style.setProperty("--heat", `${Math.round(70 * Math.sqrt(amount / most))}%`);
    return out;
  };
  return el("div", { class: "card", id: "matrix" }, el("h3", {}, title),
    el("p", { class: "faint" }, `Rows: the thread that allocated; columns: the thread that freed, in ${text === bytes ? "bytes" : "blocks"}.`),
    cutNote(Math.min(rows.length, MATRIX_MAX), rows.length, "threads that allocate"), cutNote(shown.length, columns.length, "threads that free"),
    el("div", { class: "table", tabindex: "0", role: "region", "aria-label": title }, el("table", {},
      el("caption", { class: "hidden" }, title),
      el("thead", {}, el("tr", {}, el("td"), shown.map((freer) => el("th", { scope: "col", class: "number" }, nameNode(name(freer)))))),
      el("tbody", {}, rows.slice(0, MATRIX_MAX).map((owner) => el("tr", {}, el("th", { scope: "row" }, nameNode(name(owner))), shown.map((freer) => cell(owner, freer))))))));
}

// ---- the panel ----

// Heaps that lie in blocks of another are in no total, and not in the table of blocks.
const NESTED_COLUMNS = [{ id: "name", label: "Nested heap", value: (r) => clean(r.name), cell: (r) => nameNode(clean(r.name)) },
  ...[["allocations", "Allocations", count], ["frees", "Frees", count], ["leaked_bytes", "Live at the end", bytes]]
    .map(([id, label, text]) => ({ id, label, number: true, value: (r) => r[id], cell: (r) => text(r[id]) }))];

function nestedHeaps(side) {
  const nested = side.traces.flatMap((t) => t.heaps).filter((heap) => heap.nested);
  return nested.length ? [el("p", { class: "faint" }, "Nested heaps lie in blocks of another: they are in no total, and a selection does not change them."),
    localTable("Nested heaps", NESTED_COLUMNS, nested, "allocations")] : [];
}

function sideOfThreads(side, i) {
  const of = data.isDiff ? `, ${["before", "after"][i]}` : "", threads = sumsByNumber(side, "thread"), heaps = sumsByNumber(side, "heap");
  return [el("div", { class: "card" }, el("h3", {}, `Threads${of}`),
    el("p", { class: "faint" }, "Freed for others: frees by this thread of blocks that another one allocated. Freed by others: the reverse."),
    cutNote(side.threads.length, side.threads_total, "threads"), localTable(`Threads${of}`, numberColumns("thread", side), threads, "allocated_bytes")),
  matrixCard(side, `Who frees whose blocks${of}`),
  el("div", { class: "card" }, el("h3", {}, `Heaps${of}`),
    el("p", { class: "faint" }, "libc is the process's own heap; others were announced by the program."),
    localTable(`Heaps${of}`, numberColumns("heap", side), heaps, "allocations"), nestedHeaps(side))].filter((part) => part);
}

function updateThreads(panel) {
  if (!isDetailed()) return panel.replaceChildren(notTold("threads and heaps", "threads"));
  return panel.replaceChildren(el("div", { class: "stack-cards" }, data.sides.flatMap(sideOfThreads)));
}
