// What comes first: the totals in a line, whether the record is whole, and what stands out.

function total(label, value, note, id, title) {
  return el("div", { class: "total", title: title || null }, el("dt", {}, label),
    el("dd", {}, el("b", { "data-total": id }, value), note ? el("span", { class: "faint" }, ` ${note}`) : null));
}

// "1.2 MiB"; in a comparison with the change.
function totalText(text, key) {
  const now = lastSide().totals[key], shown = estimateText(text, lastSide(), key);
  if (!data.isDiff) return shown;
  const by = now - data.sides[0].totals[key];
  return [shown, el("span", { class: by > 0 ? "grew" : by < 0 ? "shrank" : "" }, ` ${changeText(text, key, by)}`)];
}

// Does a total count blocks that may have been freed while recording was paused? Then it is that at most.
const isAtMost = (side, key) => (key === "peak_bytes" ? side.totals.peak_at_most : key.startsWith("leaked_") && side.completeness.unsure_blocks > 0);

// The change of a total; of estimates with the error of both.
function changeText(text, key, by) {
  const estimates = data.sides.filter((side) => totalIsEstimate(side, key));
  if (estimates.some((side) => isUnseen(side, key))) return "change not known";
  const error = Math.hypot(...estimates.map((side) => totalError(side, key)));
  if (estimates.length) return `≈ ${signed(text, by)} ± ${text(Math.round(error))}`;
  return `${data.sides.some((side) => isAtMost(side, key)) ? "≈ " : ""}${signed(text, by)}`;
}

// "≈ 1.2 MiB ± 40.0 KiB" of a sampled recording; "≤ 7.0 MiB" of what no block was recorded of.
function estimateText(text, side, key) {
  const now = side.totals[key];
  if (isUnseen(side, key)) return `≤ ${text(side.totals.at_most[key])}`;
  const most = isAtMost(side, key) ? "≤ " : "";
  return most + (totalIsEstimate(side, key) ? `≈ ${text(now)} ± ${text(totalError(side, key))}` : text(now));
}

// A number without its error, marked when it is an estimate.
const marked = (key, text) => (isUnseen(lastSide(), key) ? `at most ${text(lastSide().totals.at_most[key])}`
  : `${totalIsEstimate(lastSide(), key) ? "≈ " : ""}${text(lastSide().totals[key])}`);

const isMixed = () => new Set(data.sides.flatMap((side) => side.traces.map((t) => t.sampled))).size > 1;

// What the page rests on, before its numbers.
function sampleNote() {
  const periods = data.sides.map((side) => side.totals.sampled).filter(Boolean);
  return isSampled() ? el("p", { class: "faint" }, `Estimates: of a sample, one block in ${bytes(Math.max(...periods))} on average${isMixed() ? " in the trace with the fewest" : ""}, ` +
    "± is the standard error. The highest of many estimates, the peak, is somewhat too high. What is lost is not known.") : null;
}

// What the temporary ones are a part of: estimated as they are, so that no part is more than the whole.
const allocationsLikeIt = (t) => (t.sampled ? data.self[data.sides.length - 1].allocations.reduce((a, b) => a + b, 0) : t.allocations);

function temporaryText(t) {
  if (t.temporary === null) return "–";
  if (data.isDiff) return totalText(count, "temporary");
  return isUnseen(lastSide(), "temporary") ? estimateText(count, lastSide(), "temporary") : about() + percent(t.temporary, allocationsLikeIt(t));
}

// What of it is not known since a pause.
function unsureText(have) {
  return have.unsure_blocks ? `; ${about()}${exactBytes(have.unsure_bytes)} in ${about()}${count(have.unsure_blocks)} blocks of these may have been freed while recording was paused` : "";
}

function summaryLine() {
  const t = lastSide().totals;
  return [
    total("Peak heap", totalText(bytes, "peak_bytes"), t.peak_at_most ? `at least ${bytes(t.peak_at_least_bytes)}` : "", "peak_bytes",
      `${t.peak_at_most ? "with blocks that may have been freed while recording was paused: " : ""}${marked("peak_bytes", exactBytes)} in ${marked("peak_blocks", count)} blocks, after ${duration(t.peak_time_ns)}`),
    total("Live at the end", totalText(bytes, "leaked_bytes"), fateText(t), "leaked_bytes",
      `${marked("leaked_bytes", exactBytes)} in ${marked("leaked_blocks", count)} blocks${unsureText(lastSide().completeness)}`),
    total("Allocated bytes", totalText(bytes, "allocated_bytes"), "", "allocated_bytes",
      `${marked("allocated_bytes", exactBytes)} from ${count(t.distinct_stacks)} ${t.sampled ? "recorded stacks" : "stacks"}`),
    total("Number of allocations", totalText(count, "allocations"), "", "allocations",
      `${totalIsEstimate(lastSide(), "allocations") ? "≈ " : ""}${count(t.frees)} freed, ${t.reallocs === null ? "?" : count(t.reallocs)} by realloc`),
    total("Temporary", temporaryText(t), "", "temporary",
      t.temporary === null ? "not known" : `${estimateText(count, lastSide(), "temporary")} allocations`),
    total("Peak RSS", t.peak_rss_bytes ? totalText(bytes, "peak_rss_bytes") : "–", t.peak_rss_at_least ? "at least" : "",
      "peak_rss_bytes", t.peak_rss_bytes
        ? `${t.peak_rss_at_least ? "at least " : ""}${exactBytes(t.peak_rss_bytes)}: resident memory of the process, code too`
        : "not known: the process was killed before anybody looked"),
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
  const told = have.reasons.join("\n");
  const refused = (have.refused || []).filter((r) => !(told.includes(r.what) && told.includes(r.reason)));
  const notes = [...have.reasons.map(clean), ...refused.map((r) => clean(`${r.what}: ${r.reason}`)),
    ...LOSSES.filter(([key]) => have[key]).map(([key, text]) => text(have[key]))];
  if ((have.not_recorded || []).some((stretch) => stretch.why === "mid-life"))
    notes.unshift("recording began in mid-life: what had been allocated before is in no number here");
  if (side.totals.peak_at_most)
    notes.push("the peak of what is recorded is that at most: blocks that may have been freed while recording was paused count in it");
  if (have.unsure_blocks)
    notes.push(`${side.totals.sampled ? "≈ " : ""}${bytes(have.unsure_bytes)} in ${count(have.unsure_blocks)} blocks of what is live may have been freed while recording was paused`);
  if (!have.complete && have.missing_since_ns !== null && have.ended !== "running")
    notes.push(`the numbers are whole up to ${duration(have.missing_since_ns)} only`);
  const ended = have.ended === "exit" ? "the program ended by itself"
    : have.ended === "running" ? "the program still runs" : have.ended === "detached" ? "recording was ended; the program goes on" : `the program ended: ${clean(have.ended)}`;
  const verdict = have.complete ? "✓ Complete record"
    : have.ended === "running" ? "⚠ Still being recorded: what is live so far is shown as live at the end" : "⚠ Incomplete record";
  const who = name ? `${name}: ` : "";
  return el("p", { class: `verdict ${have.complete ? "good" : "bad"}` },
    el("b", {}, who + verdict), ` – ${ended}`,
    notes.length ? el("ul", {}, notes.map((note) => el("li", {}, note))) : null);
}

function drawSummary() {
  const traces = data.sides.map((side) => side.traces[0]);
  const more = (i) => (data.sides[i].traces.length > 1 ? ` and ${count(data.sides[i].traces.length - 1)} more` : "");
  byId("program").textContent = traces.map((t, i) => (clean(t.name) || "?") + more(i)).join(" → ");
  byId("command").textContent = traces.map((t) => clean(t.command.join(" "))).join("  →  ");
  byId("command").title = byId("command").textContent;
  const started = traces.map((t) => new Date(t.start_unix_ns / 1e6).toISOString().slice(0, 19).replace("T", " "));
  byId("summary").replaceChildren(el("dl", { class: "totals" }, summaryLine()), ...[sampleNote()].filter(Boolean),
    el("div", { class: "verdicts" },
      data.sides.map((side, i) => completeness(side, data.isDiff ? ["before", "after"][i] : "")),
      el("p", { class: "faint" }, traces.map((t, i) =>
        `pid ${t.pid} on ${clean(t.host)}, ${started[i]} UTC, ran ${duration(t.duration_ns)}, ` +
        `${count(t.threads)} thread${t.threads === 1 ? "" : "s"}`).join("  →  "))),
    el("div", { class: data.findings ? "answers" : "" },
      data.findings ? el("div", { class: "card" }, findingsCard()) : null, el("div", { class: "card", id: "top-sites" })));
}
