// Sizes and lifetimes of the chosen blocks, in the metric that is shown, stacked by site. A bar can be clicked,
// and then everything is about its blocks alone.
const STACKED_MAX = 6;

// What chosen blocks of a kind have of a metric, whichever it is.
function eachOfMetric(side, chosen, metric, add) {
  if (metric.id !== "growth") return eachAmount(side, chosen, metric.value, add);
  const { from, to } = spanOf(side, chosen);
  for (const [border, sign] of [[from, -1], [to, 1]])
    eachKind(side, chosen, liveByKind(side, chosen, "bytes", border), (kind, amount) => add(kind, sign * amount));
  return undefined;
}

// Freed blocks have no share of what is live: their lifetimes are in bytes then.
function eachFreedOfMetric(side, chosen, metric, add) {
  const unit = { count: "blocks", temporary: "temporary" }[metric.id] || "bytes", { life } = side.blocks.frees;
  eachFree(side, chosen, unit, (kind, amount, row) => add(kind, amount, life[row]));
}

// { bars: Map of a number (class, lifetime) to amounts by site, sites: all sites by amount, whole }.
function distribution(side, each) {
  const siteOf = groupOfKinds("site", side), bars = new Map(), sites = new Map();
  let whole = 0;
  each((kind, amount, number) => {
    const site = siteOf[kind];
    if (!bars.has(number)) bars.set(number, new Map());
    bars.get(number).set(site, (bars.get(number).get(site) || 0) + amount);
    sites.set(site, (sites.get(site) || 0) + amount);
    whole += amount;
  });
  return { bars, sites, whole };
}

// A search is about what matches it, unless that is left out.
const searchedFor = () => Boolean(state.q && !state.keep);
const chosenHere = (way) => chosenBy(withoutWay(way), spanNow(), searchedFor() ? "only" : state.keep);

function sizesOf(side) {
  const chosen = chosenHere("size"), { size } = side.blocks.kinds;
  return distribution(side, (add) => eachOfMetric(side, chosen, metricNow(), (kind, amount) => add(kind, amount, size[kind])));
}
function lifetimesOf(side) {
  const chosen = chosenHere("life");
  return distribution(side, (add) => eachFreedOfMetric(side, chosen, metricNow(), add));
}

const barSum = (bar) => [...bar.values()].reduce((a, b) => a + b, 0);

// The sites that get a colour of their own: those that have most.
function stackedSites(all) {
  const sums = new Map();
  for (const { sites } of all) for (const [site, amount] of sites) sums.set(site, (sums.get(site) || 0) + Math.abs(amount));
  return [...sums].filter(([site, amount]) => site && amount).sort((a, b) => b[1] - a[1]).slice(0, STACKED_MAX).map(([site]) => site);
}

// ---- drawing ----

// Bars from left to right, each stacked by site, with labels below.
function barChart({ found, numbers, sites, by, short, name, text, most, label }) {
  const width = Math.max(280, byId("panel").clientWidth - 60), height = 170, bottom = 24;
  const w = Math.min(48, width / Math.max(1, numbers.length)), scale = (height - bottom - 16) / Math.max(1, most);
  const parts = numbers.flatMap((number, i) => {
    const bar = found.bars.get(number) || new Map(), sum = barSum(bar);
    const title = svg("title", {}, `${name(number)}: ${text(sum)}, ${percent(sum, found.whole)}. Click to show only these.`);
    return [svg("g", { class: `column${isChosen(by, number + 1) ? " chosen" : ""}`, "data-bar": number, onclick: () => toggleGroup(by, number + 1) },
      title, stackedBar(bar, sites, i * w + 1, Math.max(1, w - 2), height - bottom, scale)),
    i % Math.ceil(56 / w) === 0 ? svg("text", { x: i * w + 1, y: height - 6, class: "tick" }, short(number)) : null];
  });
  return svg("svg", { width, height, role: "img", "aria-label": label }, parts);
}

function stackedBar(bar, sites, x, width, base, scale) {
  const shown = sites.map((site, i) => [bar.get(site) || 0, BAND_COLOURS[i]]);
  const rest = barSum(bar) - shown.reduce((sum, [amount]) => sum + amount, 0);
  let y = base;
  const parts = [...shown, [rest, "m7"]].filter(([amount]) => amount > 0).map(([amount, colour]) => {
    const height = Math.max(0.5, amount * scale);
    y -= height;
    return svg("rect", { x, y, width, height, class: `band ${colour}` });
  });
  return [svg("rect", { x, y: base - 150, width, height: 150, class: "hit" }), ...parts,
    parts.length ? svg("rect", { x, y: Math.min(y, base - 2), width, height: 2, class: "top" }) : null].filter((part) => part);
}

// Are there sites that have no colour of their own?
function hasOthers(sites, founds) {
  return founds.some((found) => [...found.bars.values()].some((bar) => [...bar].some(([site, amount]) => amount > 0 && !sites.includes(site))));
}

function siteLegend(sites, founds) {
  const { groups } = groupingFor("site"), names = sites.map((site) => groups[site].name);
  const place = (group) => (names.filter((name) => name === group.name).length > 1 ? el("span", { class: "place" }, group.place) : null);
  return el("div", { class: "legend-row" }, sites.map((site, i) =>
    button([el("span", { class: `key ${BAND_COLOURS[i]}`, "aria-hidden": "true" }), nameNode(groups[site].name), place(groups[site])],
      () => toggleGroup("site", site), { class: "legend", title: `${groups[site].name} ${groups[site].place}. Click to show only this.`,
        "aria-pressed": String(isChosen("site", site)) })),
  hasOthers(sites, founds) ? el("span", { class: "legend" }, el("span", { class: "key m7", "aria-hidden": "true" }), "others") : null);
}

function distributionTable({ founds, numbers, by, name, text, caption }) {
  const amount = (found, number) => (found.bars.has(number) ? barSum(found.bars.get(number)) : 0);
  const columns = [{ id: "range", label: GROUPS_BY[by], number: true, value: (n) => n,
    cell: (n) => button(name(n), () => toggleGroup(by, n + 1), { class: "link", "aria-pressed": String(isChosen(by, n + 1)) }) }];
  founds.forEach((found, i) => columns.push({ id: `n${i}`, label: data.isDiff ? ["Before", "After"][i] : metricNow().name, number: true,
    value: (n) => amount(found, n), cell: (n) => text(amount(found, n)) }));
  if (data.isDiff) columns.push({ id: "by", label: "Change", number: true, value: (n) => amount(founds[1], n) - amount(founds[0], n),
    cell: (n) => signed(text, amount(founds[1], n) - amount(founds[0], n)) });
  else columns.push({ id: "share", label: "%", number: true, value: (n) => amount(founds[0], n), cell: (n) => percent(amount(founds[0], n), founds[0].whole) });
  return makeTable({ caption, columns, rows: numbers });
}

function distributionCard({ title, note, founds, by, short, name, text }) {
  const seen = [...new Set(founds.flatMap((found) => [...found.bars.keys()]))].filter((n) => founds.some((f) => barSum(f.bars.get(n) || new Map())));
  const numbers = seen.length ? Array.from({ length: Math.max(...seen) - Math.min(...seen) + 1 }, (_, i) => Math.min(...seen) + i) : [];
  const sites = stackedSites(founds), most = Math.max(1, ...founds.flatMap((found) => [...found.bars.values()].map(barSum)));
  const chart = (found, i) => [data.isDiff ? el("h4", {}, ["Before", "After"][i]) : null,
    barChart({ found, numbers, sites, by, short, name, text, most, label: `${title}. The table below has the numbers.` })];
  return el("div", { class: "card", "data-distribution": by }, el("h3", {}, title), el("p", { class: "faint" }, note, searchedFor() ? " Only stacks with a match of the search." : ""),
    numbers.length ? [founds.flatMap(chart), siteLegend(sites, founds),
      tableInstead(`${title} as a table`, () => distributionTable({ founds, numbers: seen.sort((a, b) => a - b), by, name, text, caption: title }))]
      : el("p", { class: "faint" }, "None."));
}

function sizesCard() {
  const founds = data.sides.map(sizesOf), metric = metricNow(), text = metricText(metric);
  return distributionCard({ title: `Sizes: ${metric.name.toLowerCase()}`, founds, by: "size", text, name: sizeName,
    short: (cls) => bytes(smallestOf(cls * lastSide().blocks.sizeStep)), note: "By requested size of the blocks." });
}

function medianNote(found) {
  const numbers = [...found.bars.keys()].sort((a, b) => a - b);
  let sum = 0;
  for (const number of numbers) {
    sum += barSum(found.bars.get(number));
    if (2 * sum >= found.whole) return `Half of it lived less than ${duration(2 ** (number + 1))}, half at least ${duration(number ? 2 ** number : 0)}.`;
  }
  return "";
}

function lifetimesCard() {
  const founds = data.sides.map(lifetimesOf), metric = metricNow(), unit = { count: "number", temporary: "temporary ones" }[metric.id] || "bytes";
  const left = ["peak", "leaked", "growth", ...Object.keys(FATES)].includes(metric.id) ? ` (${metric.name} says nothing of freed blocks: bytes are shown)` : "";
  return distributionCard({ title: `Lifetimes of freed blocks: ${unit}`, founds, by: "life", text: unit === "bytes" ? bytes : count, name: lifeName,
    short: (power) => duration(power ? 2 ** power : 0), note: `${medianNote(founds.at(-1))}${left}` });
}

const notTold = (what, view) => el("p", { class: "faint panel-note" },
  `This recording is too large for this page to tell its ${what} apart; \`valtrace report ${view}\` does.`);

function updateDistributions(panel) {
  if (!isDetailed()) return panel.replaceChildren(notTold("sizes and lifetimes", "sizes"));
  return panel.replaceChildren(el("div", { class: "stack-cards" }, sizesCard(), lifetimesCard()));
}
