// Sampled recordings: numbers are estimates, with standard errors. A block of s bytes was recorded with probability
// p = 1 - exp(-s / period) and stands for 1 / p of them; n estimated ones have the variance n (1 - p) / p. Blocks of
// one kind are of nearly one size.
const isSampled = () => data.sides.some((side) => side.totals.sampled);
const about = () => (isSampled() ? "≈ " : "");
const heapBytes = (n) => about() + bytes(n);
const exactHeapBytes = (n) => about() + exactBytes(n);
const blocksText = (n) => about() + count(n);

// The standard error of a total. What has none was not estimated; nor were these, where theirs is 0.
const totalError = (side, key) => (side.totals.sampled ? side.totals.standard_error[key] : undefined);
const COUNTED = ["allocations", "allocated_bytes"];
function totalIsEstimate(side, key) {
  const error = totalError(side, key);
  return error !== undefined && !(COUNTED.includes(key) && !error);
}

// Is all that is known of a total what it is at most, as none of its blocks was recorded?
const isUnseen = (side, key) => totalIsEstimate(side, key) && !side.totals[key] && side.totals.at_most[key] > 0;

// By kind: the period of the trace whose thread allocated it; of those that cannot be told the longest.
function periodsByKind(side) {
  const { kinds, detailed } = side.blocks, longest = side.totals.sampled, periods = side.traces.map((t) => t.sampled);
  if (!detailed || periods.every((p) => p === longest)) return new Float64Array(kinds.cnt).fill(longest);
  return Float64Array.from(kinds.thread, (number) => (side.threads[number] ? periods[side.threads[number].trace] : longest));
}

// The variance of so many blocks with so many bytes, of a number of blocks or of bytes.
function varianceOf(period, unit, blocks, bytes_) {
  if (!(blocks > 0) || !period) return 0;
  const size = Math.max(bytes_ / blocks, 1), one = blocks / Math.expm1(size / period);
  return unit === "bytes" ? one * size * size : one;
}

const UNITS_OF = (metric) => (metric.unit === "bytes" ? [metric.other, metric.value] : [metric.value, metric.other]);

// By kind: variances of what its blocks have in a metric.
function variancesByKind(side, metric, chosen) {
  const [blocks, bytes_] = UNITS_OF(metric).map((column) => columnByKind(side, chosen, column)), periods = periodsByKind(side);
  return Float64Array.from(blocks, (n, kind) => varianceOf(periods[kind], metric.unit, n, bytes_[kind]));
}

// Of what lives at two moments: no more than the sum of both.
function growthVariances(side, chosen) {
  const { from, to } = spanOf(side, chosen), out = new Float64Array(side.blocks.kinds.cnt), periods = periodsByKind(side);
  for (const border of [from, to]) {
    const [blocks, bytes_] = ["blocks", "bytes"].map((unit) => liveByKind(side, chosen, unit, border));
    out.forEach((_, kind) => (out[kind] += varianceOf(periods[kind], "bytes", blocks[kind], bytes_[kind])));
  }
  return out;
}

// What the nodes of a view have of variance themselves, of all sides together.
function varianceValues(view, metric, chosen) {
  const out = new Float64Array(view.n);
  for (const side of data.sides) {
    if (!side.totals.sampled) continue;
    const values = metric.id === "growth" ? growthVariances(side, chosen) : variancesByKind(side, metric, chosen);
    addKinds(out, view.end, side, chosen, values);
  }
  return out;
}

// Variances over a chart's view: self and total of each node; kept with the view.
function varianceSums(chart) {
  const kept = (chart.view.variances ||= new Map()), key = `${chart.metric.id} ${chart.chosen.key}`;
  if (!kept.has(key)) {
    if (kept.size >= SUMS_KEPT) kept.delete(kept.keys().next().value);
    kept.set(key, sumOver(chart.view, varianceValues(chart.view, chart.metric, chart.chosen)));
  }
  return kept.get(key);
}

// "± 1.2 KiB" of a variance in a metric; "" when nothing is estimated. Of what has none no block was recorded, if all are samples.
const allSampled = () => data.sides.every((side) => side.traces.every((t) => t.sampled));
function errorText(metric, variance) {
  if (!isSampled()) return "";
  if (!(variance > 0) && allSampled()) return "± not known";
  return `± ${(metric.unit === "bytes" ? bytes : count)(Math.round(Math.sqrt(variance)))}`;
}
