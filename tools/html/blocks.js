// Sums over the table of blocks (side.blocks): what the chosen ones have in a column of values. A span of time
// means what --from and --to do: blocks allocated in it, and nothing seen after its end. All sums are exact.

// The whole time in stretches, or the selected part of it.
const spanOf = (side, chosen) => chosen.span || { from: 0, to: side.blocks.stretches };

const COLUMN_OF = { allocations: "blocks", allocated_bytes: "bytes", peak_blocks: "blocks", peak_bytes: "bytes",
  leaked_blocks: "blocks", leaked_bytes: "bytes", temporary: "temporary", temporary_bytes: "temporary_bytes" };

// Calls add(kind, amount, row) with what chosen blocks have that were allocated from one border on and before
// another, and were not freed before `gone`; row: of frees, -1.
function eachLive(side, chosen, unit, { from, to, gone }, add) {
  const { allocs, frees } = side.blocks, mask = chosen.kinds[data.sides.indexOf(side)], { life } = chosen;
  const plus = allocs[unit], minus = frees[unit];
  if (life < 0)
    for (let i = 0; i < allocs.cnt; i++)
      if (mask[allocs.kind[i]] && allocs.born[i] >= from && allocs.born[i] < to) add(allocs.kind[i], plus[i], -1);
  for (let i = 0; i < frees.cnt; i++) {
    if (!mask[frees.kind[i]] || frees.born[i] < from || frees.born[i] >= to) continue;
    if (life < 0 ? frees.ended[i] < gone : frees.life[i] === life && frees.ended[i] >= gone)
      add(frees.kind[i], life < 0 ? -minus[i] : minus[i], i);
  }
}

// The same for frees in the span of blocks allocated in it.
function eachFree(side, chosen, unit, add) {
  const { frees } = side.blocks, mask = chosen.kinds[data.sides.indexOf(side)], { life } = chosen;
  const { from, to } = spanOf(side, chosen), values = frees[unit];
  for (let i = 0; i < frees.cnt; i++)
    if (mask[frees.kind[i]] && frees.born[i] >= from && frees.ended[i] < to && (life < 0 || frees.life[i] === life))
      add(frees.kind[i], values[i], i);
}

// What blocks chosen by their lifetime were allocated in the span: those freed in it.
function eachAllocated(side, chosen, unit, add) {
  const { from, to } = spanOf(side, chosen);
  if (chosen.life < 0) eachLive(side, chosen, unit, { from, to, gone: 0 }, add);
  else eachFree(side, chosen, unit, add);
}

// Calls add(kind, amount) for a column of values.
function eachAmount(side, chosen, column, add) {
  const unit = COLUMN_OF[column], { from, to } = spanOf(side, chosen), { kinds } = side.blocks;
  if (column.startsWith("temporary")) return eachFree(side, chosen, unit, add);
  if (column.startsWith("alloc")) return eachAllocated(side, chosen, unit, add);
  if (column.startsWith("leaked")) {
    if (chosen.life < 0) eachLive(side, chosen, unit, { from, to, gone: to }, (k, amount) => kinds.leaks[k] && add(k, amount));
    return undefined;
  }
  if (!peakIsChosen(side, chosen))
    return eachLive(side, chosen, unit, { from, to: highestBorder(side, chosen), gone: highestBorder(side, chosen) }, add);
  const mask = chosen.kinds[data.sides.indexOf(side)], values = kinds[column];
  for (let k = 0; k < kinds.cnt; k++) if (mask[k]) add(k, values[k]);
  return undefined;
}

// Is the peak of the recording told? Blocks from before the selection would be missing in it.
function peakIsChosen(side, chosen) {
  const { from, to } = spanOf(side, chosen);
  return chosen.life < 0 && from === 0 && side.totals.peak_time_ns < side.blocks.moments[to];
}

// The border in the span at which most bytes of the chosen blocks were live.
const highestKept = new Map();
function highestBorder(side, chosen) {
  const key = `${chosen.key}:${data.sides.indexOf(side)}`;
  if (highestKept.has(key)) return highestKept.get(key);
  const live = liveAtBorders(side, chosen, null)[0], { from, to } = spanOf(side, chosen);
  let best = from + 1;
  for (let b = from + 2; b <= to; b++) if (live[b] > live[best]) best = b;
  if (highestKept.size > 20) highestKept.clear();
  highestKept.set(key, best);
  return best;
}

// Live bytes at each border, of chosen blocks by the group of their kind (null: all in one).
function liveAtBorders(side, chosen, groupOf, groups = 1) {
  const { allocs, frees, stretches } = side.blocks, { from, to } = spanOf(side, chosen), { life } = chosen;
  const out = Array.from({ length: groups }, () => new Float64Array(stretches + 1));
  const mask = chosen.kinds[data.sides.indexOf(side)], of = (kind) => out[groupOf ? groupOf[kind] : 0];
  for (let i = 0; i < allocs.cnt && life < 0; i++)
    if (mask[allocs.kind[i]] && allocs.born[i] >= from && allocs.born[i] < to) of(allocs.kind[i])[allocs.born[i] + 1] += allocs.bytes[i];
  for (let i = 0; i < frees.cnt; i++) {
    if (!mask[frees.kind[i]] || frees.born[i] < from || frees.born[i] >= to) continue;
    if (life >= 0 && frees.life[i] !== life) continue;
    const live = of(frees.kind[i]);
    if (life >= 0) live[frees.born[i] + 1] += frees.bytes[i];
    if (frees.ended[i] < to) live[frees.ended[i] + 1] -= frees.bytes[i];
  }
  for (const live of out) for (let b = 1; b <= stretches; b++) live[b] += live[b - 1];
  return out;
}

// ---- by node ----

// What each base node has in a column of a side.
function valuesOf(sideNumber, column, chosen) {
  const side = data.sides[sideNumber], exact = data.self[sideNumber][column];
  if (chosen.whole) return chosen.nodes ? exact.map((value, i) => (chosen.nodes[i] ? value : 0)) : exact;
  const out = new Float64Array(data.n), { node } = side.blocks.kinds;
  eachAmount(side, chosen, column, (kind, amount) => (out[node[kind]] += amount));
  return out;
}

// Live at one of the borders, by node, whenever allocated.
function liveValues(column, border, chosen) {
  const side = data.sides[0], out = new Float64Array(data.n), { node, leaks } = side.blocks.kinds;
  eachLive(side, chosen, COLUMN_OF[column], { from: 0, to: border, gone: border }, (kind, amount) => {
    if (leaks[kind]) out[node[kind]] += amount;
  });
  return out;
}

// Values by node, one array for each side: of two recordings, or of the two ends of the selected time.
function baseValues(metric, chosen, other) {
  const column = other ? metric.other : metric.value;
  if (metric.id !== "growth") return data.sides.map((_, side) => valuesOf(side, column, chosen));
  const { from, to } = spanOf(data.sides[0], chosen);
  return [liveValues(column, from, chosen), liveValues(column, to, chosen)];
}
