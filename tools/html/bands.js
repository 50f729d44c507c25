// Time by group: whose the live bytes are, at each border of the stretches of time. A band can be clicked,
// and then everything is about it alone.
const BANDS_MAX = 10;
const BAND_COLOURS = ["m0", "m1", "m2", "m3", "m4", "m5", "m6", "m8", "m9", "m10"];

// The groups with the highest live bytes at a border, and the rest as one (id 0), the largest first:
// { id, group, live by border, most }.
const bandsKept = new Map();
function bandsFor(by) {
  if (by === "resident") return residentBands();
  const side = data.sides[0], only = withoutWay(by), chosen = chosenBy(only, null), key = `${by}:${chosen.key}`;
  if (bandsKept.has(key)) return bandsKept.get(key);
  const { groups } = groupingFor(by), live = liveAtBorders(side, chosen, groupOfKinds(by, side), groups.length);
  const all = live.map((values, id) => ({ id, group: groups[id], live: values, most: maxOf(values) }));
  all.sort((a, b) => b.most - a.most);
  const shown = all.slice(0, BANDS_MAX).filter((band) => band.most), rest = all.slice(BANDS_MAX).filter((band) => band.most);
  if (rest.length) shown.push(sumOfBands(rest));
  if (bandsKept.size > 8) bandsKept.clear();
  bandsKept.set(key, shown);
  return shown;
}

function sumOfBands(bands) {
  const live = new Float64Array(bands[0].live.length);
  for (const band of bands) band.live.forEach((value, b) => (live[b] += value));
  return { id: 0, group: null, live, most: maxOf(live), cnt: bands.length };
}

// The times that a band's values are of.
const bandTimes = () => (state.bands === "resident" ? data.sides[0].resident.times : data.sides[0].blocks.moments);

const bandName = (band) => band.name ?? (band.group ? band.group.name : `${count(band.cnt)} others`);
const bandColour = (band, i) => (band.group || band.name ? BAND_COLOURS[i] : "m7");

// Which of the times can be seen, and one more on each side.
function timesSeen(times, at) {
  const out = [];
  for (let b = 0; b < times.length; b++)
    if ((times[b + 1] ?? Infinity) >= at.from && (times[b - 1] ?? 0) <= at.to) out.push(b);
  return out;
}

// Areas on top of each other.
function bandPaths(at) {
  const by = state.bands, times = bandTimes(), seen = timesSeen(times, at), base = new Float64Array(times.length);
  const dimmed = chosenGroups(state.only).some((c) => c.by === by);
  return bandsFor(by).map((band, i) => {
    const point = (b) => `${at.x(Math.min(times[b], at.end)).toFixed(1)},${at.y(base[b]).toFixed(1)}`;
    const low = seen.map(point);
    for (const b of seen) base[b] += band.live[b];
    const high = seen.map(point);
    return svg("path", { d: `M${high.join("L")}L${low.reverse().join("L")}Z`, "data-band": band.id,
      class: `band ${bandColour(band, i)}${dimmed && !isChosen(by, band.id) ? " dim" : ""}` });
  });
}

// A band's live bytes between borders, as it is drawn.
function bandValue(band, time) {
  const times = bandTimes(), b = lastUntil(times, time), share = (time - times[b]) / (times[b + 1] - times[b]);
  if (b < 0 || b + 1 >= times.length) return 0;
  return band.live[b] + (band.live[b + 1] - band.live[b]) * share;
}

// The band under a point of the plot, or null.
function bandAt(time, value) {
  let sum = 0;
  for (const band of bandsFor(state.bands)) {
    sum += bandValue(band, time);
    if (value <= sum) return band;
  }
  return null;
}

const bandsTitle = () => (state.bands === "resident" ? "Resident memory by kind" : `Live bytes by ${GROUPS_BY[state.bands]}`);

function bandList() {
  const by = state.bands, names = bandsFor(by).map(bandName), twice = (name) => names.filter((other) => other === name).length > 1;
  return el("ul", { class: "bands", "aria-label": `${bandsTitle()}: the highest of each` }, bandsFor(by).map((band, i) => {
    const label = [el("span", { class: `key ${bandColour(band, i)}`, "aria-hidden": "true" }),
      nameNode(bandName(band)), band.group?.place && twice(bandName(band)) ? el("span", { class: "faint place" }, band.group.place) : null,
      el("span", { class: "amount" }, heapBytes(band.most))];
    if (!band.group) return el("li", {}, el("span", { class: "band-row" }, label));
    const title = `${bandName(band)} ${band.group.place}: at most ${exactHeapBytes(band.most)} at the steps of the curve. Click to show only this.`;
    return el("li", {}, button(label, () => toggleGroup(by, band.id), { class: "band-row", title: clean(title),
      "aria-pressed": String(isChosen(by, band.id)) }));
  }));
}

function bandTable() {
  const bands = bandsFor(state.bands), times = bandTimes();
  const columns = [{ id: "t", label: "At", number: true, value: (b) => times[b], cell: (b) => duration(times[b]) },
    ...bands.map((band, i) => ({ id: `band${i}`, label: bandName(band), number: true,
      value: (b) => band.live[b], cell: (b) => heapBytes(band.live[b]) }))];
  return makeTable({ caption: bandsTitle(), columns, rows: [...times.keys()] });
}

// ---- the largest sites ----

// The five lines that have most of the metric; of growth, and of two recordings, what changed most.
function topSites() {
  const { of, groups } = groupingFor("site"), chosen = chosenBy(withoutWay("site"), spanNow());
  const sides = baseValues(metricNow(), chosen, of, groups.length), now = sides.at(-1);
  const rows = groups.map((group, id) => ({ id, group, value: now[id], before: sides.length > 1 ? sides[0][id] : 0 }));
  const whole = now.reduce((sum, value) => sum + value, 0), by = (row) => Math.abs(row.value - row.before);
  return { whole, rows: rows.filter((row) => row.group && by(row)).sort((a, b) => by(b) - by(a)).slice(0, 5) };
}

function siteAmounts(row, whole) {
  const text = metricText(metricNow());
  if (!comparing()) return [el("span", { class: "amount" }, inexact() + text(row.value)), el("span", { class: "amount faint" }, percent(row.value, whole))];
  const by = row.value - row.before;
  return [el("span", { class: `amount ${by > 0 ? "grew" : "shrank"}` }, inexact() + signed(text, by)),
    el("span", { class: "amount faint", title: sideNames().join(" → ") }, `${text(row.before)} → ${text(row.value)}`)];
}

// The line itself, where the page has it.
function siteCode({ file, line }) {
  const text = data.sources[file]?.lines[line];
  return text === undefined ? null : el("code", { class: "site-code" }, clean(text.trim()));
}

function topSitesCard() {
  const { rows, whole } = topSites(), metric = metricNow();
  const title = (row) => `${row.group.name}\n${placeOf(row.group.frame)}\n${exactText(metric, row.value)}. Click to show only this.`;
  const item = (row) => el("li", {}, button([...siteAmounts(row, whole), nameNode(row.group.name), el("span", { class: "faint place" }, row.group.place),
    siteCode(row.group.frame)], () => toggleGroup("site", row.id), { class: "site-row", title: title(row), "aria-pressed": String(isChosen("site", row.id)) }));
  const heading = data.isDiff ? `What changed most: ${metric.name.toLowerCase()}` : `Top sites: ${metric.name.toLowerCase()}`;
  return [el("h2", {}, heading), rows.length ? el("ol", { class: "top-sites" }, rows.map(item)) : el("p", { class: "faint" }, "None.")];
}
