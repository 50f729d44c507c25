// Totals of the chosen blocks in any span of time. The rows of blocks are looked at once for a choice, and summed by
// the stretches in which the blocks were allocated and freed; what a span has follows from these sums.

// By kind of a side: does a stack end at its node?
const kindsKept = new Map();
function kindsWithValue(side) {
  if (!kindsKept.has(side)) kindsKept.set(side, Uint8Array.from(side.blocks.kinds.node, (node) => (hasValue(node) ? 1 : 0)));
  return kindsKept.get(side);
}

// { n: stretches, allocated: by stretch, freed: by stretch of the allocation * n + that of the free }, each with these
// columns; leaking: of blocks that count as leaked where they live at the end.
const STRETCH_COLUMNS = ["blocks", "bytes", "leaking_blocks", "leaking_bytes", "temporary", "temporary_bytes"];
const stretchSums = new Map();
function sumsByStretch(side, chosen) {
  const number = data.sides.indexOf(side), key = `${number} ${chosen.who}`;
  if (!stretchSums.has(key)) {
    if (stretchSums.size >= 4) stretchSums.delete(stretchSums.keys().next().value);
    stretchSums.set(key, makeStretchSums(side, chosen.kinds[number]));
  }
  return stretchSums.get(key);
}

function makeStretchSums(side, chosen) {
  const { allocs, frees, kinds: { leaks }, stretches: n } = side.blocks, valued = kindsWithValue(side);
  const allocated = columnsOf(n, STRETCH_COLUMNS.slice(0, 4)), freed = columnsOf(n * n, STRETCH_COLUMNS);
  const add = (sums, at, rows, i, leak) => {
    sums.blocks[at] += rows.blocks[i];
    sums.bytes[at] += rows.bytes[i];
    if (!leak) return;
    sums.leaking_blocks[at] += rows.blocks[i];
    sums.leaking_bytes[at] += rows.bytes[i];
  };
  for (let i = 0; i < allocs.cnt; i++) {
    const kind = allocs.kind[i];
    if (chosen[kind] && valued[kind]) add(allocated, allocs.born[i], allocs, i, leaks[kind]);
  }
  for (let i = 0; i < frees.cnt; i++) {
    const kind = frees.kind[i], at = frees.born[i] * n + frees.ended[i];
    if (!chosen[kind] || !valued[kind]) continue;
    add(freed, at, frees, i, leaks[kind]);
    freed.temporary[at] += frees.temporary[i];
    freed.temporary_bytes[at] += frees.temporary_bytes[i];
  }
  return { n, allocated, freed };
}

function allocatedSum({ allocated }, unit, { from, to }) {
  let sum = 0;
  for (let born = from; born < to; born++) sum += allocated[unit][born];
  return sum;
}

// Of blocks allocated in the span, what was freed in it.
function freedSum({ n, freed }, unit, { from, to }) {
  let sum = 0;
  for (let born = from; born < to; born++) for (let at = born * n + born; at < born * n + to; at++) sum += freed[unit][at];
  return sum;
}

const liveSum = (sums, unit, span) => allocatedSum(sums, unit, span) - freedSum(sums, unit, span);

// What the rows of blocks tell; null: the kinds do, or a lifetime is chosen.
function sumOfRows(side, chosen, column) {
  const unit = COLUMN_OF[column], span = spanOf(side, chosen);
  if (chosen.life >= 0 || column.split("_")[0] in FATES) return null;
  if (column.startsWith("peak") && peakIsChosen(side, chosen)) return null;
  const sums = sumsByStretch(side, chosen);
  if (column.startsWith("temporary")) return freedSum(sums, unit, span);
  if (column.startsWith("alloc")) return allocatedSum(sums, unit, span);
  if (column.startsWith("leaked")) return liveSum(sums, `leaking_${unit}`, span);
  return liveSum(sums, unit, { from: span.from, to: highestBorder(side, chosen) });
}

// What the chosen blocks of a side have in a column, all together.
function wholeValue(number, column, chosen) {
  const side = data.sides[number], exact = data.self[number][column];
  if (chosen.whole && exact) return addValues([0], new Uint8Array(data.n), number, column, chosen)[0];
  const sum = sumOfRows(side, chosen, column);
  if (sum !== null) return sum;
  return sumOfKinds(side, chosen, columnByKind(side, chosen, column));
}

function sumOfKinds(side, chosen, values) {
  const valued = kindsWithValue(side);
  let sum = 0;
  eachKind(side, chosen, values, (kind, amount) => (sum += valued[kind] ? amount : 0));
  return sum;
}

// Live bytes at each border, of blocks allocated in the span.
function liveBytesAtBorders(side, chosen, { from, to }) {
  const { n, allocated, freed } = sumsByStretch(side, chosen), live = new Float64Array(n + 1);
  for (let born = from; born < to; born++) {
    live[born + 1] += allocated.bytes[born];
    for (let ended = born; ended < to; ended++) live[ended + 1] -= freed.bytes[born * n + ended];
  }
  for (let border = 1; border <= n; border++) live[border] += live[border - 1];
  return live;
}

// Live at a border, whenever allocated.
function wholeAt(column, border, chosen) {
  const side = data.sides[0], unit = COLUMN_OF[column];
  if (chosen.life >= 0) return sumOfKinds(side, chosen, liveByKind(side, chosen, unit, border));
  return liveSum(sumsByStretch(side, chosen), `leaking_${unit}`, { from: 0, to: border });
}

// The sums of baseValues, one for each side, without making these.
function wholeValues(metric, chosen) {
  if (metric.id !== "growth") return data.sides.map((_, side) => wholeValue(side, metric.value, chosen));
  const { from, to } = spanOf(data.sides[0], chosen);
  return [from, to].map((border) => wholeAt(metric.value, border, chosen));
}
