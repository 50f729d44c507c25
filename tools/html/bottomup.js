// The bottom-up tree: functions by what they have themselves, each of which opens to its callers, row by row,
// with all metrics side by side. Rows are made when they are opened; every number is exact.
const CHILDREN_AT_ONCE = 40;
const bottomup = { open: new Set(), more: new Map(), last: "" };

// What every metric has by number of the end of a stack: { metric, sides: [by side] }.
function metricVectors(chart) {
  return metricsShown().map((metric) => ({ metric, sides: selvesOf(chart, metric) }));
}

// The amount of a row: of growth the difference, of others that of the last side.
function amountOf({ metric, sides }, ends) {
  const now = sumAt(sides.at(-1), ends);
  return metric.id === "growth" ? now - sumAt(sides[0], ends) : now;
}

// Groups the stacks of a row by their next caller: rows { path, key, frame, ends (by number), next, amounts, before }.
function openRow(chart, vectors, row) {
  const children = new Map(), { view } = chart;
  row.ends.forEach((end, i) => {
    const up = row.next[i];
    if (!up) return;
    const key = view.key[up];
    if (!children.has(key))
      children.set(key, { path: `${row.path}.${key.toString(36)}`, key, depth: row.depth + 1, frame: data.frames[view.rep[up]], ends: [], next: [] });
    children.get(key).ends.push(end);
    children.get(key).next.push(view.parent[up]);
  });
  const at = vectors.findIndex(({ metric }) => metric.id === state.metric);
  for (const child of children.values()) {
    child.amounts = vectors.map((vector) => amountOf(vector, child.ends));
    child.before = data.isDiff ? vectors.map(({ sides }) => sumAt(sides[0], child.ends)) : null;
  }
  const weight = (child) => Math.max(Math.abs(child.amounts[at]), child.before ? child.before[at] : 0);
  return [...children.values()].filter((child) => child.amounts.some((v) => v) || (child.before && child.before.some((v) => v)))
    .sort((a, b) => weight(b) - weight(a) || b.ends.length - a.ends.length);
}

// The same, kept with the view while what is counted stays the same.
function childrenOfRow(chart, vectors, row) {
  const key = `${state.metric} ${chart.chosen.key}`, kept = chart.view.opened;
  if (kept?.key !== key) chart.view.opened = { key, rows: new Map() };
  const { rows } = chart.view.opened;
  if (!rows.has(row.path)) rows.set(row.path, openRow(chart, vectors, row));
  return rows.get(row.path);
}

// All rows that are to be seen, in order.
function bottomupRows(chart, vectors) {
  const next = endsOf(chart.view), out = [];
  const add = (row) => {
    const children = childrenOfRow(chart, vectors, row), shown = bottomup.more.get(row.path) || CHILDREN_AT_ONCE;
    for (const child of children.slice(0, shown)) {
      child.leaf = !child.next.some((up) => up);
      out.push(child);
      if (bottomup.open.has(child.path)) add(child);
    }
    if (children.length > shown) out.push({ more: row.path, left: children.length - shown, depth: row.depth + 1 });
  };
  add({ path: "", depth: -1, ends: next.map((_, number) => number), next });
  return out;
}

// ---- drawing ----

function toggleRow(row, open) {
  const opens = open ?? !bottomup.open.has(row.path);
  if (opens) bottomup.open.add(row.path);
  else bottomup.open.delete(row.path);
  updateBottomup();
  document.querySelector(`[data-path="${row.path}"]`)?.focus();
}

function moveRow(event, row) {
  const buttons = [...document.querySelectorAll("#bottomup [data-path]")], at = buttons.indexOf(event.currentTarget);
  const action = { ArrowDown: () => buttons[at + 1]?.focus(), ArrowUp: () => buttons[at - 1]?.focus(),
    ArrowRight: () => !row.leaf && toggleRow(row, true), ArrowLeft: () => toggleRow(row, false) }[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function rowName(row) {
  const indent = el("span", { class: "indent" }), open = bottomup.open.has(row.path);
  indent.style.width = `${16 * row.depth}px`;
  return el("td", { class: "tree-name" }, indent, button([el("span", { class: "twist", "aria-hidden": "true" }, row.leaf ? "·" : open ? "▾" : "▸"), nameNode(row.frame.name)],
    () => !row.leaf && toggleRow(row), { class: "link", "data-path": row.path, "aria-expanded": row.leaf ? null : String(open),
      onkeydown: (event) => moveRow(event, row), title: placeOf(row.frame) }),
  el("span", { class: "faint place" }, ` ${shortPlaceOf(row.frame)}`));
}

function rowAmounts(row, vectors, wholes) {
  return vectors.map(({ metric }, i) => {
    const text = metricText(metric), now = row.amounts[i], shown = inexact() + (metric.id === "growth" ? signed(text, now) : text(now));
    const cell = barCell(shown, now / wholes[i]);
    cell.title = `${exactText(metric, now)}, ${percent(now, wholes[i])}`;
    const by = row.before ? now - row.before[i] : 0;
    return el("td", { class: `number${metric.id === state.metric ? " current" : ""}` }, cell,
      by ? el("span", { class: by > 0 ? "grew" : "shrank" }, ` ${signed(text, by)}`) : null);
  });
}

function moreRow(row, columns) {
  const show = () => {
    bottomup.more.set(row.more, (bottomup.more.get(row.more) || CHILDREN_AT_ONCE) + 5 * CHILDREN_AT_ONCE);
    updateBottomup();
  };
  const indent = el("span", { class: "indent" });
  indent.style.width = `${16 * row.depth}px`;
  return el("tr", {}, el("td", { colspan: columns + 1 }, indent, button(`Show more (${count(row.left)} left)`, show, { class: "link" })));
}

function bottomupPanel() {
  return el("div", { class: "card" }, el("p", { class: "faint" }, "Functions by what they have themselves; each opens to its callers (→ opens, ← closes, ↑ ↓ move)."),
    el("div", { id: "bottomup" }));
}

function updateBottomup() {
  const chart = chartNow({ invert: false }), vectors = metricVectors(chart), test = !state.keep && searchTest(state.q);
  const all = endsOf(chart.view).map((_, number) => number), wholes = vectors.map((vector) => amountOf(vector, all));
  const key = `${state.frames},${state.by},${state.merge}`;
  if (bottomup.last !== key) bottomup.open.clear();
  bottomup.last = key;
  const rows = bottomupRows(chart, vectors).filter((row) => !test || row.depth || row.more !== undefined || test(row.frame));
  const head = [el("th", { scope: "col" }, "Function"), ...vectors.map(({ metric }) =>
    el("th", { scope: "col", class: "number", title: metric.what, "aria-sort": metric.id === state.metric ? "descending" : null },
      button([metric.name, el("span", { class: "arrow", "aria-hidden": "true" }, metric.id === state.metric ? "▼" : "")], () => go({ metric: metric.id }))))];
  byId("bottomup").replaceChildren(el("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Bottom-up tree" },
    el("table", {}, el("caption", { class: "hidden" }, "Bottom-up tree"), el("thead", {}, el("tr", {}, head)),
      el("tbody", {}, rows.map((row) => (row.more !== undefined ? moreRow(row, vectors.length)
        : el("tr", { "data-depth": row.depth }, rowName(row), rowAmounts(row, vectors, wholes))))))));
}
