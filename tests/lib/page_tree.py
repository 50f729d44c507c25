"""The packed call tree and blocks in the HTML page's data, read by what analyzer/page says of them."""
import base64
import zlib

VALUES = ("allocations", "allocated_bytes", "temporary", "temporary_bytes", "peak_bytes", "peak_blocks", "leaked_bytes", "leaked_blocks")
COLUMNS = ("allocations", "allocated_bytes", "temporary", "peak_bytes", "peak_blocks", "leaked_bytes", "leaked_blocks")


def numbers(text):
    value = shift = 0
    for byte in zlib.decompress(base64.b64decode(text)):
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield value
            value = shift = 0


class Tree:
    """The call tree in the page's data, read by what analyzer/page/page.h says of it."""

    def __init__(self, data):
        self.strings = zlib.decompress(base64.b64decode(data["strings"])).decode().split("\0")
        stream, sides = numbers(data["nodes"]), len(data["sides"])
        cnt = next(stream)
        self.parent = [0] + [i - next(stream) for i in range(1, cnt)]
        self.frame = [0] + [next(stream) for _ in range(1, cnt)]
        self.frames = [[next(stream) for _ in range(5)] for _ in range(next(stream))]
        self.ends, at = {}, -1  # by node where stacks end: values of each side
        while step := next(stream):
            at += step
            self.ends[at] = [dict(zip(VALUES, [next(stream) for _ in VALUES])) for _ in range(sides)]

    def name(self, node):
        return self.strings[self.frames[self.frame[node]][0]]

    def flags(self, node):
        return self.frames[self.frame[node]][4]

    def sums(self, side=0):
        return {name: sum(v[side][name] for v in self.ends.values()) for name in COLUMNS}


class Blocks:
    """The table of blocks of a side, read by what analyzer/page/blocks.h says of it: dictionaries by row."""

    def __init__(self, side):
        packed = side["blocks"]
        self.moments, self.step, self.stream = packed["moments_ns"], packed["size_step"], numbers(packed["data"])
        self.kinds = self.table(("thread", "heap", "size", "leaks"), "node", lambda row: row, ("peak_blocks", "peak_bytes"))
        self.allocs = self.table(("born",), "kind", lambda row: self.kinds[row["kind"]], ("blocks", "bytes"))
        self.frees = self.table(("born", "age", "life", "by"), "kind", lambda row: self.kinds[row["kind"]],
                                ("blocks", "bytes"), ("temporary", "temporary_bytes"))
        self.judged = self.table(("born", "fate"), "kind", lambda row: self.kinds[row["kind"]], ("blocks", "bytes"))
        assert next(self.stream, None) is None

    def column(self, rows, name, sums=False):
        value = 0
        for row in rows:
            row[name] = value = next(self.stream) + (value if sums else 0)

    def table(self, columns, of, kind, *pairs):
        rows = [{} for _ in range(next(self.stream))]
        self.column(rows, of, True)
        for name in columns:
            self.column(rows, name)
        for count, size in pairs:
            self.column(rows, count)
            self.column(rows, size)
            for row in rows:
                row[size] += row[count] * self.smallest(kind(row)["size"])
        return rows

    def smallest(self, number):
        cls = number * self.step
        return cls if cls < 4 else (4 + cls % 4) << (cls // 4 - 1)

    def node(self, row):
        return self.kinds[row["kind"]]["node"]
