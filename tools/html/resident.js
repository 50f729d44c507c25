// Resident memory over time, as the collector's samples tell of it: its curve beside the heap's, and its kinds
// on top of each other in place of the heap's bands.
const RESIDENT_KINDS = [["anonymous", "anonymous"], ["files", "of files"], ["shared", "shared memory"]];
let showResident = null;

function unpackResident(from, reader) {
  const cnt = reader.next(), times = column(reader, cnt, Float64Array, true), most = column(reader, cnt, Float64Array);
  return { times, most, kinds: from.kinds, ...Object.fromEntries(RESIDENT_KINDS.map(([kind]) => [kind, column(reader, cnt, Float64Array)])) };
}

// The highest resident size in a span of time.
function residentIn({ resident: { times, most } }, from, to) {
  let highest = 0;
  for (let i = lastUntil(times, from - 1) + 1; i < times.length && times[i] < to; i++) highest = Math.max(highest, most[i]);
  return highest;
}

// The last sample before a time.
const residentBefore = ({ resident: { times, most } }, time) => (times.length ? most[Math.max(0, lastUntil(times, time))] : 0);

// By step of the timeline: the highest resident size, 0 where there is no sample.
const residentSteps = memo(() => data.sides.map((side) => {
  const out = new Float64Array(side.timeline.max_bytes.length), { step_ns: step } = side.timeline;
  side.resident.times.forEach((time, i) => {
    const at = Math.floor(time / step);
    if (at < out.length) out[at] = Math.max(out[at], side.resident.most[i]);
  });
  return out;
}));

// Resident memory says something when it does not go up and down with the heap: when what it has beyond the heap
// changes by a quarter of the peak. Unless it was asked for it is not shown where it would press the heap's curve flat.
const residentTells = memo(() => {
  const { timeline, totals } = data.sides[0], resident = residentSteps()[0];
  const beyond = [...resident.keys()].filter((i) => resident[i]).map((i) => resident[i] - timeline.max_bytes[i]);
  const range = beyond.length ? maxOf(beyond) - beyond.reduce((least, v) => Math.min(least, v)) : 0;
  return range > totals.peak_bytes / 4;
});
const residentKnown = () => data.sides[0].resident.times.length > 0;
function residentShown() {
  if (!residentKnown()) return false;
  const { from, to } = shownTime();
  if (state.bands === "resident") return true;
  return showResident ?? (residentTells() && residentIn(data.sides[0], from, to) < 6 * highestOf(data.sides[0], from, to));
}

function residentPath({ resident: { times, most } }, at) {
  const first = Math.max(0, lastUntil(times, at.from)), points = [];
  for (let i = first; i < times.length && (!i || times[i - 1] <= at.to); i++)
    points.push(`${at.x(times[i]).toFixed(1)},${at.y(most[i]).toFixed(1)}`);
  return points.length > 1 ? `M${points.join("L")}` : "";
}

// When most was resident, of the samples.
function residentHighest({ resident: { times, most } }) {
  const at = most.indexOf(maxOf(most));
  return at < 0 ? null : { time: times[at], value: most[at] };
}

// Its kinds as bands; they cannot be chosen: they are no blocks.
const residentBands = () => RESIDENT_KINDS.map(([kind, name]) => ({ name, live: data.sides[0].resident[kind], most: maxOf(data.sides[0].resident[kind]) }))
  .filter((band) => band.most);
