// Numbers and times as text, the same way everywhere.
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const grouped = new Intl.NumberFormat("en-US");

const count = (n) => grouped.format(n);

function bytes(n) {
  let unit = 0;
  let value = Math.abs(n);
  while (value >= (unit ? 999.5 : 1024) && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const sign = n < 0 ? "−" : "";
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${sign}${value.toFixed(digits)} ${UNITS[unit]}`;
}

const exactBytes = (n) => (Math.abs(n) < 1024 ? bytes(n) : `${bytes(n)} (${count(n)} bytes)`);

function percent(part, whole) {
  if (!whole) return "–";
  const value = (100 * part) / whole;
  if (part && Math.abs(value) < 0.1) return "< 0.1 %";
  return `${value.toFixed(Math.abs(value) >= 99.95 ? 0 : 1)} %`;
}

// Nanoseconds to three digits.
function duration(ns) {
  if (ns >= 120e9) return `${Math.floor(ns / 60e9)} min ${Math.round((ns % 60e9) / 1e9)} s`;
  for (const [scale, unit] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) {
    if (ns < scale) continue;
    const value = ns / scale;
    return `${value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)} ${unit}`;
  }
  return `${Math.round(ns)} ns`;
}

// A number with its sign: growth and shrinking are never told by colour alone.
function signed(text, n) {
  if (!n) return "±0";
  return (n > 0 ? "+" : "−") + text(Math.abs(n));
}

// Steps of an axis that ends at or above max: 1, 2 or 5 times a power of ten (two for bytes).
function ticks(max, wanted, base) {
  if (!(max > 0)) return [0];
  const rough = max / wanted;
  const power = Math.pow(base, Math.floor(Math.log(rough) / Math.log(base)));
  const factors = base === 2 ? [1, 2] : [1, 2, 5, 10];
  const step = power * (factors.find((f) => f * power >= rough) || base);
  const marks = [];
  for (let at = 0; at <= max * 1.0001; at += step) marks.push(at);
  return marks;
}

// The last of ascending numbers that is not above a value: its place, or -1.
function lastUntil(numbers, value) {
  let low = -1, high = numbers.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (numbers[middle] <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

function memo(make) {
  let value;
  return () => (value === undefined ? (value = make()) : value);
}
