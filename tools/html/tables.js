// The tables of functions, source lines, stacks and modules: sortable, filtered by the search.
const ROW_KINDS = { functions: "Functions", lines: "Source lines", stacks: "Stacks", modules: "Modules" };
const COLUMN_KINDS = { one: "this metric", self: "all metrics", total: "all metrics, with callees" };

// What stands before a number that folded stacks may be missing from.
const inexact = () => (data.folded ? (comparing() ? "≈" : "≥") : "");

function newRow(frame, node) {
  return { frame, node, name: frame.name, self: [0, 0], total: [0, 0], other: 0, variance: 0 };
}

// By key: the first node of it that has something; 0: none has.
function firstOfKeys({ view: { n, key }, width }) {
  const first = new Int32Array(data.frames.length);
  for (let i = n - 1; i > 0; i--) if (width[i]) first[key[i]] = i;
  return first;
}

// Sums by key of what nodes have; with `some` of those nodes alone.
function sumByKey({ n, key }, values, some) {
  const out = new Float64Array(data.frames.length);
  for (let i = 1; i < n; i++) if (!some || some[i]) out[key[i]] += values[i];
  return out;
}

// What both sides have there; the second is 0 where there is one.
const pairAt = (sides, at) => [sides[0][at], sides.length > 1 ? sides[1][at] : 0];

// Rows by key: what frames of it have themselves, and with their callees (a recursion once).
function rowsByKey(chart) {
  const rows = [], { view, sides } = chart, outermost = outermostIn(view);
  const other = sumByKey(view, lastSums(chart, chart.metric, true).self), variances = sumByKey(view, varianceSums(chart).self);
  const self = sides.map((sums) => sumByKey(view, sums.self)), total = sides.map((sums) => sumByKey(view, sums.total, outermost));
  firstOfKeys(chart).forEach((node, key) => node && rows.push({ ...newRow(data.frames[view.rep[node]], node),
    self: pairAt(self, key), total: pairAt(total, key), other: other[key], variance: variances[key] }));
  return rows;
}

// The first frame outside allocators and run-time libraries, up from a node.
function chargedNode(view, node) {
  let at = node;
  while (at && data.frames[view.rep[at]].flags & RUNTIME) at = view.parent[at];
  return at || node;
}

function stackRows(chart) {
  const rows = [], { view, sides } = chart, other = lastSums(chart, chart.metric, true), variances = varianceSums(chart).self;
  for (let i = 1; i < view.n; i++) {
    if (!sides.some((sums) => sums.self[i])) continue;
    const row = newRow(data.frames[view.rep[chargedNode(view, i)]], i);
    row.self = row.total = sides.map((sums) => sums.self[i]);
    row.other = other.self[i];
    row.variance = variances[i];
    rows.push(row);
  }
  return rows;
}

function moduleRows(chart) {
  const rows = new Map();
  for (const from of stackRows(chart)) {
    const name = from.frame.module || "[unknown]";
    if (!rows.has(name)) rows.set(name, { ...newRow(from.frame, 0), name });
    const row = rows.get(name);
    from.self.forEach((value, side) => (row.self[side] += value));
    row.total = row.self;
    row.other += from.other;
    row.variance += from.variance;
  }
  return [...rows.values()];
}

function tableChart() {
  const line = state.rows === "lines" || state.rows === "stacks";
  return chartNow({ invert: false, by: line && !data.isDiff ? "line" : "function" });
}

function tableRows(chart) {
  if (state.rows === "stacks") return stackRows(chart);
  if (state.rows === "modules") return moduleRows(chart);
  return rowsByKey(chart);
}

// ---- columns ----

function numberColumn(id, label, chart, value, title) {
  const text = metricText(chart.metric), whole = after(chart).total[0];
  return { id, label, number: true, value, title, cell: (row) => {
    const cell = barCell(inexact() + text(value(row)), value(row) / whole);
    cell.title = exactText(chart.metric, value(row));
    return cell;
  } };
}

function shareColumn(id, chart, value) {
  const whole = after(chart).total[0];
  return { id, label: "%", number: true, value: (row) => (whole ? (100 * value(row)) / whole : 0),
    cell: (row) => inexact() + percent(value(row), whole) };
}

// The standard error of what a row has itself.
function errorColumn(chart) {
  return { id: "error", label: "±", number: true, value: (r) => r.variance, cell: (r) => errorText(chart.metric, r.variance) };
}

function changeColumn(id, label, chart, values) {
  const text = metricText(chart.metric);
  const by = (row) => values(row)[1] - values(row)[0];
  return { id, label, number: true, value: by, sortValue: (row) => Math.abs(by(row)), cell: (row) =>
    el("span", { class: by(row) > 0 ? "grew" : by(row) < 0 ? "shrank" : "",
      title: signed((n) => exactText(chart.metric, n), by(row)) }, inexact() + signed(text, by(row)),
    values(row)[1] || !values(row)[0] ? null : el("span", { class: "faint" }, " gone"),
    values(row)[0] || !values(row)[1] ? null : el("span", { class: "faint" }, " new")) };
}

function valueColumns(chart) {
  const flat = state.rows === "stacks" || state.rows === "modules", metric = chart.metric;
  if (comparing()) {
    const text = metricText(metric);
    const side = (i) => ({ id: `side${i}`, label: sideNames()[i], number: true,
      value: (row) => row.self[i], cell: (row) => inexact() + text(row.self[i]) });
    const columns = [side(0), side(1), changeColumn("self", "Change", chart, (r) => r.self)];
    if (!flat) columns.push(changeColumn("total", "Change with callees", chart, (r) => r.total));
    if (isSampled()) columns.push(errorColumn(chart));
    return columns;
  }
  const columns = [numberColumn("self", flat ? metric.name : "Self", chart, (r) => r.self[0]),
    shareColumn("selfshare", chart, (r) => r.self[0])];
  if (!flat)
    columns.push(numberColumn("total", "With callees", chart, (r) => r.total[0]),
      shareColumn("totalshare", chart, (r) => r.total[0]));
  if (isSampled()) columns.push(errorColumn(chart));
  columns.push({ id: "other", number: true, value: (r) => r.other,
    label: metric.unit === "bytes" ? "Blocks" : "Bytes",
    cell: (r) => inexact() + (metric.unit === "bytes" ? blocksText(r.other) : heapBytes(r.other)) });
  return columns;
}

function nameCell(chart, row) {
  if (state.rows === "modules") return nameNode(row.name);
  if (state.rows === "stacks") return stackCell(chart, row);
  return button(nameNode(row.name), () => go({ view: "callers", fn: String(row.frame.fn) }),
    { class: "link" });
}

function stackCell(chart, row) {
  const details = el("details", { class: "stackcell" }, el("summary", {}, nameNode(row.name)));
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    details.append(detailStack(chart, row.node), button("Copy stack", () =>
      copyText(stackText(chart, row.node), () => announce("Stack copied"))));
  });
  return details;
}

function tableColumns(chart, rows) {
  const beside = state.columns !== "one" && state.rows !== "modules";
  const numbers = beside ? metricColumns(chart, rows) : valueColumns(chart);
  const names = [{ id: "name", label: ROW_KINDS[state.rows].replace(/s$/, ""), value: (r) => r.name,
    cell: (r) => nameCell(chart, r) }];
  if (state.rows !== "modules")
    names.push({ id: "place", label: "Where", value: (r) => placeOf(r.frame), cell: (r) =>
      el("span", { class: "faint place", title: placeOf(r.frame) }, shortPlaceOf(r.frame)) });
  return beside ? [...names, ...numbers] : [...numbers, ...names];
}

// ---- all metrics side by side ----

// By metric and then by number of the row: what rows have, of each side.
function metricSums(chart, rows, withCallees) {
  const { view } = chart, sums = withCallees && state.rows !== "stacks" ? totalsOfRows : selvesOfRows;
  return new Map(metricsShown().map((metric) => [metric.id, sums(view, chart, rows, metric)]));
}

function totalsOfRows(view, chart, rows, metric) {
  return sumsOf(chart, metric).map(({ total }) => {
    const byKey = sumByKey(view, total, outermostIn(view));
    return Float64Array.from(rows, (row) => byKey[view.key[row.node]]);
  });
}

function selvesOfRows(view, chart, rows, metric) {
  const ends = endsOf(view), placeOfEnd = state.rows === "stacks" ? (end) => end : (end) => view.key[end];
  return selvesOf(chart, metric).map((values) => {
    const out = new Float64Array(Math.max(view.n, data.frames.length));
    ends.forEach((end, number) => (out[placeOfEnd(end)] += values[number]));
    return Float64Array.from(rows, (row) => out[placeOfEnd(row.node)]);
  });
}

function metricColumns(chart, rows) {
  const all = metricSums(chart, rows, state.columns === "total"), numbers = new Map(rows.map((row, i) => [row, i]));
  return metricsShown().map((metric) => {
    const sides = all.get(metric.id), text = metricText(metric), whole = totalsAt(chart, metric, 0).at(-1);
    const value = (row) => sides.at(-1)[numbers.get(row)] - (metric.id === "growth" ? sides[0][numbers.get(row)] : 0);
    const before = (row) => (data.isDiff ? sides[0][numbers.get(row)] : null);
    return metricColumn(metric, whole, value, before, text);
  });
}

// A metric's column beside those of others; in a comparison with the change.
function metricColumn(metric, whole, value, before, text) {
  return { id: metric.id, label: metric.name, number: true, value, title: metric.what, cell: (row) => {
    const now = value(row), then = before(row);
    const cell = barCell(inexact() + (metric.id === "growth" ? signed(text, now) : text(now)), now / whole);
    cell.title = exactText(metric, now);
    if (then === null || then === now) return cell;
    return el("span", {}, cell, el("span", { class: now > then ? "grew" : "shrank" }, ` ${signed(text, now - then)}`));
  } };
}

// ---- the panel ----

function tablePanel() {
  return el("div", { class: "card" }, el("div", { class: "title-row", id: "table-head" }),
    el("div", { id: "table-body" }));
}

function filteredRows(chart) {
  const test = !state.keep && searchTest(state.q); // else the stacks are chosen by it already
  return tableRows(chart).filter((row) => row.self.concat(row.total).some((v) => v) &&
    (!test || test(row.frame) || (state.rows === "stacks" && stackMatches(chart, row.node, test))));
}
function stackMatches(chart, node, test) {
  for (let at = node; at > 0; at = chart.view.parent[at])
    if (test(data.frames[chart.view.rep[at]])) return true;
  return false;
}

function updateTable() {
  const chart = tableChart(), rows = filteredRows(chart), columns = tableColumns(chart, rows);
  const first = columns.some((c) => c.id === "self") ? "self" : state.metric;
  const sort = { id: columns.some((c) => c.id === state.sort) ? state.sort : first,
    asc: state.asc === "1" };
  const shown = sortRows(columns, rows, sort);
  const name = `valtrace-${state.rows}-${state.metric}.csv`;
  byId("table-head").replaceChildren(
    choice("Rows", Object.entries(ROW_KINDS), state.rows, (rows_) => go({ rows: rows_ })),
    state.rows === "modules" ? "" : choice("Columns", Object.entries(COLUMN_KINDS), state.columns, (columns_) => go({ columns: columns_, sort: "" })),
    el("span", { class: "faint" }, `${count(rows.length)} ${ROW_KINDS[state.rows].toLowerCase()}`),
    button("CSV", () => download(name, csvOf(columns, shown)), { id: "csv", title: "Save the table" }));
  byId("table-body").replaceChildren(makeTable({ columns, rows, sort,
    caption: `${ROW_KINDS[state.rows]}: ${chart.metric.name.toLowerCase()} (` +
      `${chart.chosen.span ? "in the selected span of time" : chart.metric.what})`,
    onsort: (id, asc) => {
      go({ sort: id, asc: asc ? "1" : "" });
      byId("table-body").querySelector(`[data-sort="${id}"]`)?.focus();
    } }));
}
