// Searching names: how much is in what matches, the next match, and everything with or without them.

// A test for names, or null. /…/ is a regular expression.
function searchTest(query) {
  if (!query) return null;
  const pattern = query.match(/^\/(.+)\/$/);
  let test;
  try {
    const expression = pattern && new RegExp(pattern[1], "i");
    const wanted = query.toLowerCase();
    test = expression ? (text) => expression.test(text) : (text) => text.toLowerCase().includes(wanted);
  } catch {
    return () => false;
  }
  const known = new Map();
  return (frame) => {
    if (!known.has(frame))
      known.set(frame, test(frame.name) || test(frame.file) || test(baseName(frame.module)));
    return known.get(frame);
  };
}

// By number of a frame: 1 if it matches.
const framesWith = (test) => Uint8Array.from(data.frames, (frame) => (test(frame) ? 1 : 0));

// Share of the total in frames that match; a match below a match is not counted again.
function matched({ view: { n, parent, rep }, width }, test) {
  const inside = new Uint8Array(n), hits = framesWith(test);
  let sum = 0, frames = 0;
  for (let i = 1; i < n; i++) {
    const above = inside[parent[i]], hit = hits[rep[i]];
    if (hit && width[i] > 0) frames++;
    if (hit && !above) sum += width[i];
    inside[i] = above | hit;
  }
  return { sum, frames, share: width[0] ? sum / width[0] : 0 };
}

// ---- the next match ----

// Goes through what matches in the call tree as it is drawn, row by row.
function nextMatch(step) {
  const test = searchTest(state.q);
  if (!test || state.view !== "flame") return;
  const found = flame.rects.filter((r) => r.node && test(frameOf(flame.chart, r.node))).sort((a, b) => a.depth - b.depth || a.x - b.x);
  if (!found.length) return void announce("No match is drawn");
  const at = found.findIndex((r) => r.node === flame.focus), next = at < 0 ? (step > 0 ? 0 : found.length - 1) : (at + step + found.length) % found.length;
  focusNode(found[next].node);
  byId("match-number").textContent = `${next + 1} of ${count(found.length)}`;
  announce(`Match ${next + 1} of ${found.length}: ${spokenOf(found[next].node)}`);
}

// Everything about stacks with a match alone, or about all others.
function toggleKeep(which) {
  if (state.q) go({ keep: state.keep === which ? "" : which, zoom: "" });
}

function searchControls() {
  const step = (label, title, by, id) => button(label, () => nextMatch(by), { title, "aria-label": title, id, class: "small-button" });
  const keep = (which, label, title, id) => button(label, () => toggleKeep(which),
    { id, title, class: "small-button", "aria-pressed": String(state.keep === which) });
  if (!state.q) return [];
  const steps = state.view === "flame" ? [step("↑", "Previous match", -1, "match-before"), step("↓", "Next match", 1, "match-next"),
    el("span", { id: "match-number", class: "faint" })] : [];
  return [...steps, keep("only", "Show only", "Only stacks with a match", "keep-only"), keep("out", "Leave out", "Only stacks without a match", "keep-out")];
}
