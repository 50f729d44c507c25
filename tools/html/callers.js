// Callers and callees of a function: of the one with the largest share itself, until another is picked.

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

const capital = (text) => text[0].toUpperCase() + text.slice(1);

// What a function has, in words.
function callSums(chart, { own, total }) {
  const text = (n) => inexact() + metricText(chart.metric)(n), names = sideNames();
  if (!comparing())
    return `${chart.metric.name}: ${text(total[0])} with callees (${inexact()}${percent(total[0], after(chart).total[0])} of all), ${text(own[0])} itself.`;
  const change_ = ([before, now]) => `${text(before)} ${names[0]}, ${text(now)} ${names[1]} (${inexact()}${signed(metricText(chart.metric), now - before)})`;
  return `${chart.metric.name}: with callees ${change_(total)}; itself ${change_(own)}.`;
}

function callTable(caption, rows, chart, whole) {
  const side = chart.sides.length - 1, text = metricText(chart.metric);
  const columns = [
    { id: "value", label: comparing() ? capital(sideNames()[side]) : chart.metric.name, number: true, value: (r) => r.value[side],
      cell: (r) => barCell(inexact() + text(r.value[side]), r.value[side] / whole) },
    { id: "share", label: "%", number: true, value: (r) => r.value[side] / whole,
      cell: (r) => inexact() + percent(r.value[side], whole) },
  ];
  if (comparing()) columns[1] = changeColumn("share", "Change", chart, (r) => r.value);
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
  const frame = data.functions[fn];
  if (!frame) return panel.replaceChildren(el("p", {}, "No such function."));
  const found = callerRows(chart, fn), side = chart.sides.length - 1;
  const whole = found.total[side] || 1;
  panel.replaceChildren(el("div", { class: "card" }, functionPicker(chart),
    el("h3", {}, nameNode(frame.name)), el("p", { class: "faint place" }, placeOf(frame)),
    el("p", {}, callSums(chart, found), " Recursive calls count once, at the outermost."),
    el("div", { class: "pair-of-tables" }, callTable("Callers", found.callers, chart, whole),
      callTable("Callees", found.callees, chart, whole)), sourcePanel(frame)));
}

// Picks any function by a part of its name; those with the largest totals are offered.
const PICKED_MAX = 300;
function functionPicker(chart) {
  const rows = rowsByKey(chart).sort((a, b) => Math.max(...b.total) - Math.max(...a.total));
  const list = el("datalist", { id: "function-names" }, rows.slice(0, PICKED_MAX).map((row) => el("option", { value: row.name })));
  const pick = (event) => {
    const wanted = event.target.value, found = rows.find((row) => row.name === wanted) || rows.find((row) => row.name.includes(wanted));
    if (wanted && found) go({ fn: String(found.frame.fn) });
    else announce("No such function");
  };
  return el("label", { class: "choice picker" }, el("span", {}, "Function"),
    el("input", { type: "text", id: "pick-function", list: "function-names", placeholder: "another function",
      onchange: pick, spellcheck: "false", autocomplete: "off" }), list);
}
