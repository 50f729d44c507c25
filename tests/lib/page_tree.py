"""The packed call tree in the HTML page's data, read by what analyzer/export/page.h says of it."""
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
    """The call tree in the page's data, read by what analyzer/export/page.h says of it."""

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
