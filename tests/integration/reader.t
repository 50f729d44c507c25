#!/usr/bin/python3
"""The independent reader reads files that a small writer makes by hand from the format document."""
import os
import struct
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import Tap, vtr  # noqa: E402


def string(data):
    return struct.pack("<I", len(data)) + data


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def zigzag(value):
    return varint((value << 1) ^ (value >> 63))


def header(size, shift=0):
    body = vtr.MAGIC + struct.pack("<HHIQQHBBIIIQQQQQII", 1, 1, size, 0, 2, 62, 1, 8, 4096, 77, 76, 5,
                                   10**9, 100, 12345, 0, 0, shift)
    body += string(b"host") + string(b"/bin/x") + string(b"x\0arg\0")
    body = body.ljust(size - 8, b"\0")
    return body + struct.pack("<Q", vtr.xxh64(body))


def chunk(kind, payload, seq=0, writer=0, flags=0, covered=None):
    head = vtr.CHUNK_MAGIC + struct.pack("<HHQII", kind, flags, len(payload), seq, writer)
    check = vtr.xxh64(head + payload[:covered])
    return (head + struct.pack("<Q", check) + payload).ljust((32 + len(payload) + 7) // 8 * 8, b"\0")


def record(kind, *words, api=0, wide=0, push=(), pop=0, delta=1):
    w0 = kind | api << 4 | wide << 8 | len(push) << 9 | pop << 16 | delta << 32
    return struct.pack(f"<{1 + len(words) + len(push)}Q", w0, *words, *push)


def segment(records, writer, tid, base, is_open=False, flags=0):
    head = struct.pack("<QQQQQIIIIII", len(records), 5, base, 0, 0, 77, tid, writer, 0, 0, flags)
    payload = (head.ljust(96, b"\0") + records).ljust(65504, b"\0")
    return chunk(vtr.SEGMENT, payload, writer=writer, flags=2 if is_open else 0,
                 covered=96 + len(records))


def small(address, size):
    return address | size << 48


def raw_file():
    one = record(vtr.ALLOC, small(0x1000, 10), push=(0x11, 0x22))
    one += record(vtr.ALLOC, 0x2000, 1 << 20, 64, wide=1, pop=1, push=(0x33,))
    one += record(vtr.FREE, 0x1000, api=10)
    one += record(vtr.INTENT, 0x2000, 50) + record(vtr.DONE, 0x3000, 50)
    one += record(5, 3, 0x44, 0x55, 0x66, pop=1) + record(vtr.ALLOC, small(0x2000, 8))
    one += record(9, vtr.MARKER | 21 << 32) + struct.pack("<QII", 9, 1, 0) + b"\1\0\0\0M\0\0\0"
    two = record(7, 9) + record(vtr.FREE, 0x2000, push=(0x77,), delta=50)
    counters = struct.pack("<QQQ", 1, 4, 7)
    return (header(61440) + chunk(vtr.COUNTERS, counters.ljust(4064, b"\0")) + segment(one, 1, 8, 100) +
            segment(two, 2, 0, 90, is_open=True) + bytes(65536))


def check_raw(tap, folder):
    path = os.path.join(folder, "raw.vtr")
    with open(path, "wb") as file:
        file.write(raw_file())
    trace = vtr.Trace(path)
    events = list(trace.events())
    tap.equal([(e.tick, e.tid, e.kind, e.address, e.size) for e in events],
              [(101, 8, 1, 0x1000, 10), (102, 8, 1, 0x2000, 1 << 20), (103, 8, 2, 0x1000, 0),
               (104, 8, 3, 0x2000, 50), (105, 8, 4, 0x3000, 50), (107, 8, 1, 0x2000, 8),
               (141, 9, 2, 0x2000, 0)], "raw: events")
    tap.equal([trace.stack(e.stack) for e in events if e.stack],
              [(0, 0x11, 0x22), (0, 0x11, 0x33), (0, 0x11, 0x33), (0, 0x11, 0x33),
               (0, 0x11, 0x44, 0x55, 0x66), (0, 0x77)], "raw: stacks")
    tap.equal((trace.command, trace.pid, trace.errors, trace.torn, trace.counters, trace.markers),
              (["x", "arg"], 77, [], None, {"events": 7}, [(9, 1, "M")]), "raw: the rest")
    totals = vtr.Model(trace).totals()
    tap.equal((totals["allocations"], totals["frees"], totals["reallocs"], totals["allocated_bytes"],
               totals["leaked_blocks"], totals["leaked_bytes"], totals["peak_bytes"], totals["temporary"]),
              (4, 3, 1, 10 + (1 << 20) + 50 + 8, 1, 50, 10 + (1 << 20), 0), "raw: model")
    with open(path, "r+b") as file:
        file.seek(65536 + 140)
        file.write(b"\xff")
    trace = vtr.Trace(path)
    tap.equal(trace.errors + [trace.torn], [65536, None], "raw: damage is seen and skipped")


def packed_file():
    stacks = struct.pack("<II", 1, 3) + varint(0) + zigzag(0) + varint(1) + zigzag(0x500)
    stacks += varint(1) + zigzag(-0x100)
    # allocation (all stored), its free (newest), reuse of that release, realloc's halves
    columns = {1: bytes([0x3e, 0x04, 0x2e, 0x0e, 0x36]), 2: varint(0) + varint(2) * 4,
               3: bytes([1, 2 | 10 << 4, 5, 3, 4]), 4: varint(300) + varint(16) + varint(20),
               5: varint(3) + varint(2) * 3, 6: varint(0x200) + varint(0) + varint(0xa), 7: varint(128)}
    events = struct.pack("<IIQII", 5, 9, 1000, len(columns), 0)
    for ident, body in columns.items():
        events += struct.pack("<HHIII", ident, 0, len(body), len(body), 0)
    events += b"".join(columns.values())
    return (header(256, shift=4) + chunk(vtr.STACKS, stacks) + chunk(vtr.EVENTS, events, 1, 9) +
            chunk(99, b"unknown", 2) + chunk(vtr.END, b"", 3))


def check_packed(tap, folder):
    path = os.path.join(folder, "packed.vtr")
    with open(path, "wb") as file:
        file.write(packed_file())
    trace = vtr.Trace(path)
    events = list(trace.events())
    tap.equal([(e.tick, e.kind, e.api, e.address, e.size, e.align) for e in events],
              [(16000, 1, 0, 0x1000, 300, 0), (16032, 2, 10, 0x1000, 0, 0), (16064, 1, 0, 0x1000, 16, 128),
               (16096, 3, 0, 0x1000, 20, 0), (16128, 4, 0, 0x1050, 20, 0)], "packed: events")
    tap.equal([trace.stack(e.stack) for e in events],
              [(0, 0x500, 0x400), None, (0, 0x500), (0, 0x500), None], "packed: stacks")
    tap.ok(trace.ended and vtr.Model(trace).temporary == 1, "packed: end and model")
    with open(path, "wb") as file:
        file.write(packed_file()[:-40])
    tap.ok(vtr.Trace(path).torn is not None, "packed: a cut tail is seen")


def main():
    tap = Tap()
    data = bytes(i * 7 & 255 for i in range(1000))
    tap.equal([vtr.xxh64(data[:n]) for n in (0, 3, 31, 32, 77, 999)],
              [0xef46db3751d8e999, 0x9ff70a635a6209ab, 0x0f187c62b1e722b7, 0x91b0cb0931a8c629,
               0xc4ce4e3ad65f6de0, 0x15c02334b2b0b65f], "xxh64")
    with tempfile.TemporaryDirectory() as folder:
        check_raw(tap, folder)
        check_packed(tap, folder)
    tap.done()


main()
