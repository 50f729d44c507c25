// Sums over the table of blocks (side.blocks): what the chosen ones have in a column of values. A span of time
// means what --from and --to do: blocks allocated in it, and nothing seen after its end. All sums are exact.

// The whole time in stretches, or the selected part of it.
function spanOf({ blocks: { moments, stretches } }, { span }) {
  if (!span) return { from: 0, to: stretches };
  const there = timed().moments, at = (border) => (moments === there ? border : moments.indexOf(there[border]));
  return { from: at(span.from), to: at(span.to) };
}

const COLUMN_OF = { allocations: "blocks", allocated_bytes: "bytes", peak_blocks: "blocks", peak_bytes: "bytes",
  leaked_blocks: "blocks", leaked_bytes: "bytes", lost_blocks: "blocks", lost_bytes: "bytes", possible_blocks: "blocks",
  possible_bytes: "bytes", reachable_blocks: "blocks", reachable_bytes: "bytes", temporary: "temporary", temporary_bytes: "temporary_bytes" };

// ---- sums by kind ----

// Sums of rows of a side by kind, kept for a span and a lifetime: choosing kinds, nodes or another metric needs no
// look at the rows again.
const kindSums = new Map();
function keptSums(side, what, make) {
  const key = `${data.sides.indexOf(side)},${what}`;
  if (!kindSums.has(key)) {
    if (kindSums.size > 16) kindSums.delete(kindSums.keys().next().value);
    kindSums.set(key, make());
  }
  return kindSums.get(key);
}

const columnsOf = (cnt, names) => Object.fromEntries(names.map((name) => [name, new Float64Array(cnt)]));

// Blocks allocated in a span.
function allocatedIn(side, { from, to }) {
  return keptSums(side, `allocated ${from} ${to}`, () => {
    const { allocs, kinds } = side.blocks, out = columnsOf(kinds.cnt, ["blocks", "bytes"]);
    for (let i = 0; i < allocs.cnt; i++) {
      if (allocs.born[i] < from || allocs.born[i] >= to) continue;
      out.blocks[allocs.kind[i]] += allocs.blocks[i];
      out.bytes[allocs.kind[i]] += allocs.bytes[i];
    }
    return out;
  });
}

// Blocks allocated in a span and freed before its end, of a lifetime (-1: any); with `after` freed from there on.
function freedIn(side, { from, to }, life, after = 0, before = to) {
  return keptSums(side, `freed ${from} ${to} ${life} ${after} ${before}`, () =>
    sumFrees(side, "blocks", "bytes", { from, to, life, after, before }));
}

// Those of them that were temporary.
function temporaryIn(side, { from, to }, life) {
  return keptSums(side, `temporary ${from} ${to} ${life}`, () =>
    sumFrees(side, "temporary", "temporary_bytes", { from, to, life, after: 0, before: to }));
}

// Two columns of the rows of frees, by kind.
function sumFrees({ blocks: { frees, kinds } }, first, second, { from, to, life, after, before }) {
  const out = columnsOf(kinds.cnt, [first, second]), { kind, born, ended } = frees;
  const [one, two] = [out[first], out[second]], [ones, twos] = [frees[first], frees[second]];
  for (let i = 0; i < frees.cnt; i++) {
    if (ended[i] >= before || born[i] < from || born[i] >= to || ended[i] < after || (life >= 0 && frees.life[i] !== life)) continue;
    one[kind[i]] += ones[i];
    two[kind[i]] += twos[i];
  }
  return out;
}

function lessBy(values, taken) {
  const out = values.slice();
  for (let i = 0; i < out.length; i++) out[i] -= taken[i];
  return out;
}

// Blocks allocated in a span that are live at its end.
function liveAt(side, span, life) {
  if (life >= 0) return freedIn(side, span, life, span.to, Infinity);
  return keptSums(side, `live ${span.from} ${span.to}`, () => {
    const born = allocatedIn(side, span), freed = freedIn(side, span, -1);
    return { blocks: lessBy(born.blocks, freed.blocks), bytes: lessBy(born.bytes, freed.bytes) };
  });
}

// Blocks allocated in a span that live when the recording ends, and what became of them is told by the metric.
function judgedAs(side, metric, { from, to }) {
  return keptSums(side, `judged ${metric} ${from} ${to}`, () => {
    const { fates, kinds } = side.blocks, out = columnsOf(kinds.cnt, ["blocks", "bytes"]);
    for (let i = 0; i < fates.cnt; i++) {
      if (fates.born[i] < from || fates.born[i] >= to || !FATES[metric].includes(fates.fate[i])) continue;
      out.blocks[fates.kind[i]] += fates.blocks[i];
      out.bytes[fates.kind[i]] += fates.bytes[i];
    }
    return out;
  });
}

// By kind: what its blocks have in a column, chosen by time and lifetime alone. Growing: whenever allocated.
function columnByKind(side, chosen, column) {
  const unit = COLUMN_OF[column], span = spanOf(side, chosen), { life } = chosen, { kinds } = side.blocks;
  if (column.startsWith("temporary")) return temporaryIn(side, span, life)[unit];
  if (column.startsWith("alloc")) return (life < 0 ? allocatedIn(side, span) : freedIn(side, span, life))[unit];
  if (column.startsWith("leaked")) return life < 0 ? countingAsLeaked(side, liveAt(side, span, -1)[unit]) : new Float64Array(kinds.cnt);
  const fate = column.split("_")[0];
  if (fate in FATES) return life < 0 ? countingAsLeaked(side, judgedAs(side, fate, span)[unit]) : new Float64Array(kinds.cnt);
  if (peakIsChosen(side, chosen)) return kinds[column];
  return liveAt(side, { from: span.from, to: highestBorder(side, chosen) }, life)[unit];
}
function countingAsLeaked({ blocks: { kinds: { leaks } } }, values) {
  const out = values.slice();
  for (let kind = 0; kind < out.length; kind++) if (!leaks[kind]) out[kind] = 0;
  return out;
}

// Live at a border, whenever allocated.
const liveByKind = (side, chosen, unit, border) => countingAsLeaked(side, liveAt(side, { from: 0, to: border }, chosen.life)[unit]);

// Calls add(kind, amount) for each chosen kind that has something.
function eachKind(side, chosen, values, add) {
  const mask = chosen.kinds[data.sides.indexOf(side)];
  for (let kind = 0; kind < values.length; kind++) if (mask[kind] && values[kind]) add(kind, values[kind]);
}
const eachAmount = (side, chosen, column, add) => eachKind(side, chosen, columnByKind(side, chosen, column), add);

// Rows of frees by another thread than the one that allocated.
function foreignRows({ frees }) {
  const found = () => {
    const rows = [];
    for (let i = 0; i < frees.cnt; i++) if (frees.by[i]) rows.push(i);
    return Int32Array.from(rows);
  };
  return (frees.foreign ||= found());
}

// Calls add(kind, freer, amount): what each thread freed of a kind (-1: none in particular) in the span.
function eachFreer(side, chosen, unit, add) {
  const { frees, kinds } = side.blocks, mask = chosen.kinds[data.sides.indexOf(side)], { life } = chosen;
  const span = spanOf(side, chosen), values = frees[unit];
  eachKind(side, chosen, freedIn(side, span, life)[unit], (kind, amount) => add(kind, kinds.thread[kind], amount));
  for (const i of foreignRows(side.blocks)) {
    const kind = frees.kind[i];
    if (!mask[kind] || frees.born[i] < span.from || frees.ended[i] >= span.to || (life >= 0 && frees.life[i] !== life)) continue;
    add(kind, kinds.thread[kind], -values[i]);
    add(kind, frees.by[i] - 2, values[i], true);
  }
}

// Calls add(kind, amount, row) with frees in the span of blocks allocated in it.
function eachFree(side, chosen, unit, add) {
  const { frees } = side.blocks, mask = chosen.kinds[data.sides.indexOf(side)], { life } = chosen;
  const { from, to } = spanOf(side, chosen), values = frees[unit];
  for (let i = 0; i < frees.cnt; i++)
    if (mask[frees.kind[i]] && values[i] && frees.born[i] >= from && frees.ended[i] < to && (life < 0 || frees.life[i] === life))
      add(frees.kind[i], values[i], i);
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
  const span = spanOf(side, chosen), { from, to } = span;
  const live = chosen.life < 0 ? liveBytesAtBorders(side, chosen, span) : liveAtBorders(side, chosen, null)[0];
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

// Adds to the places of `into` (by base node, `to` its place) what the nodes have in a column of a side.
function addValues(into, to, number, column, chosen) {
  const side = data.sides[number], exact = data.self[number][column], { nodes } = chosen;
  if (!chosen.whole || !exact) return addKinds(into, to, side, chosen, columnByKind(side, chosen, column));
  const ends = valuedNodes();
  for (let k = 0; k < ends.length; k++) if (!nodes || nodes[ends[k]]) into[to[ends[k]]] += exact[ends[k]];
  return into;
}

function addKinds(into, to, side, chosen, values) {
  const { node } = side.blocks.kinds, valued = kindsWithValue(side), mask = chosen.kinds[data.sides.indexOf(side)];
  for (let kind = 0; kind < values.length; kind++) if (mask[kind] && valued[kind]) into[to[node[kind]]] += values[kind];
  return into;
}

// What places of base nodes (`to`, of `size` places) have, one array for each side: of two recordings, or of the two
// ends of the selected time.
function baseValues(metric, chosen, to, size, other) {
  const column = other ? metric.other : metric.value, fresh = () => new Float64Array(size);
  if (metric.id !== "growth") return data.sides.map((_, side) => addValues(fresh(), to, side, column, chosen));
  const side = data.sides[0], span = spanOf(side, chosen);
  return [span.from, span.to].map((border) => addKinds(fresh(), to, side, chosen, liveByKind(side, chosen, COLUMN_OF[column], border)));
}
