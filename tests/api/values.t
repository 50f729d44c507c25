#!/usr/bin/env python3
"""Every number the interface defines exactly, computed again from the definition: rng streams, hashes,
svw codes, integer roots and partitions of random and extreme inputs that api_values prints."""
import os
import random
import subprocess
import sys
from fractions import Fraction

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from tap import COUNT, ok  # noqa: E402

M32, M64 = (1 << 32) - 1, (1 << 64) - 1


def hash32(x):
    for shift, mul in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        x = ((x ^ (x >> shift)) * mul) & M32
    return x


def hash64(x):
    for mul in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53, 1):
        x = ((x ^ (x >> 33)) * mul) & M64
    return x


class Rng:
    def __init__(self, seq, idx):
        self.key, self.idx = hash64(0x900DF00D00000000 ^ seq), idx

    def bits(self, w):
        if w > 32:
            return self.bits(w // 2) << (w // 2) | self.bits(w // 2)
        x = hash64(self.key ^ self.idx)
        self.idx = (self.idx + 1) & M64
        return x & ((1 << w) - 1)

    def roll(self, w, n):
        w = max(w, 32)
        while True:
            x = self.bits(w)
            if x >= (1 << w) % n:
                return x % n

    def tosses(self):
        count = 1
        while True:
            x = self.bits(32)
            if x:
                return count + (x & -x).bit_length() - 1
            count += 32


def stream(seq, idx, n):
    r = Rng(seq, idx)
    out = [r.bits(8), r.bits(16), r.bits(32), r.bits(64)]
    out += [r.bits(w) >> 1 for w in (8, 16, 32, 64)]
    out += [r.bits(64), r.bits(64)]
    out += [r.roll(8, n & 255 | 1), r.roll(16, n & 65535 | 1), r.roll(32, n | 1), r.roll(64, n << 32 | 5)]
    out += [r.roll(8, n & 127 | 1), r.roll(16, n & 32767 | 1), r.roll(32, n >> 1 | 1), r.roll(64, n << 31 | 3)]
    return out + [r.tosses(), r.idx, seq]


def unit(u, w):
    keep = 24 if w == 32 else 53
    k = u >> (w - keep)
    return [Fraction(v, 1 << keep) for v in (k, k + 1, k + (u & 1), k | 1)]


def floats(u, w):
    return unit(u, 32) + unit(w, 64)


def draws(seq):
    r = Rng(seq, 0)
    return [unit(r.bits(32), 32)[i] for i in range(4)] + [unit(r.bits(64), 64)[i] for i in range(4)]


P = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)


def rotl(x, n):
    return (x << n | x >> (64 - n)) & M64


def xxh64(seed, data):
    def turn(acc, lane):
        return rotl((acc + lane * P[1]) & M64, 31) * P[0] & M64
    lanes = [int.from_bytes(data[i:i + 8], "little") for i in range(0, len(data) - 7, 8)]
    striped = len(data) // 32 * 4
    h = (seed + P[4]) & M64
    if striped:
        accs = [(seed + P[0] + P[1]) & M64, (seed + P[1]) & M64, seed, (seed - P[0]) & M64]
        for i in range(striped):
            accs[i % 4] = turn(accs[i % 4], lanes[i])
        h = sum(rotl(a, n) for a, n in zip(accs, (1, 7, 12, 18))) & M64
        for a in accs:
            h = ((h ^ turn(0, a)) * P[0] + P[3]) & M64
    h = (h + len(data)) & M64
    for lane in lanes[striped:]:
        h = (rotl(h ^ turn(0, lane), 27) * P[0] + P[3]) & M64
    rest = data[len(data) // 8 * 8:]
    if len(rest) >= 4:
        h = (rotl(h ^ (int.from_bytes(rest[:4], "little") * P[0] & M64), 23) * P[1] + P[2]) & M64
        rest = rest[4:]
    for byte in rest:
        h = rotl(h ^ (byte * P[4] & M64), 11) * P[0] & M64
    for shift, mul in ((33, P[1]), (29, P[2]), (32, 1)):
        h = ((h ^ h >> shift) * mul) & M64
    return h


def hashes(x, sz):
    data = bytes((x >> i % 8 ^ i) & 255 for i in range(sz))
    whole = xxh64(x, data)
    return [hash32(x & M32), hash64(x), x & M32, x, whole, whole, 1]


SVW = [(1, 6, "0", "0"), (2, 10, "001", "100"), (3, 18, "101", "101"), (4, 24, "0011", "1100"),
       (5, 32, "1011", "1101"), (8, 56, "0111", "1110"), (9, 64, "1111", "1111")]


def svw(x):
    size, width, low, high = next(row for row in SVW if x < 1 << row[1])
    word = int(high + format(x, f"0{width}b") + low, 2)
    return [size, word.to_bytes(size, "little").hex(), x, x, x, 1]


def root(x, n):
    r = round(x ** (1 / n))
    while r ** n > x:
        r -= 1
    while (r + 1) ** n <= x:
        r += 1
    return r


def roots(x):
    out = []
    for n in (2, 3):
        r = root(x, n)
        nearest = r + (Fraction(2 * r + 1, 2) ** n < x)
        out += [r, nearest, r + (r ** n != x), nearest]
    return out + [out[0], root(x & M32, 2)]


def partition(t0, t1, lanes, w, cnt):
    blocks = (t1 - t0) // lanes
    lo = t0 + sum(lanes * (blocks // cnt + (i < blocks % cnt)) for i in range(w))
    hi = lo + lanes * (blocks // cnt + (w < blocks % cnt))
    return [lo, t1 if w == cnt - 1 else hi]


# kind -> (number of arguments, expectation)
EXPECT = {"rng": (3, stream), "float": (2, floats), "draws": (1, draws), "hash": (2, hashes),
          "svw": (1, svw), "root": (1, roots), "part": (5, partition)}


def parse(kind, at, word, cnt):
    if kind == "svw" and at == 1:
        return word
    if kind in ("float", "draws"):
        return Fraction(float.fromhex(word))
    return int(word, 16)


seed = random.getrandbits(32)
print(f"# seed {seed}")
exe = os.path.join(os.environ.get("BUILD", "build"), "bin", "api_values")
text = subprocess.run([exe, str(seed)], check=True, capture_output=True, text=True).stdout
seen, wrong = {}, {}
for line in text.splitlines():
    kind, *words = line.split()
    cnt, expected = EXPECT[kind]
    args = [int(word, 16) for word in words[:cnt]]
    got = [parse(kind, at, word, cnt) for at, word in enumerate(words[cnt:])]
    seen[kind] = seen.get(kind, 0) + 1
    if got != list(expected(*args)):
        wrong.setdefault(kind, []).append(line)
for kind in EXPECT:
    ok(seen.get(kind, 0) > 100 and kind not in wrong, f"{kind}: {seen.get(kind, 0)} lines agree",
       *wrong.get(kind, [])[:3])
print(f"1..{COUNT[0]}")
sys.exit(COUNT[1] > 0)
