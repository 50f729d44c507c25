#!/usr/bin/env python3
"""Finds leaks and hot sites in the text log of the backtracing allocator.

Usage: leak_detector.py [--top N] [LOG]      (LOG defaults to standard input)

The log is read once, line by line; memory is bounded by the live blocks plus the distinct stacks.
Whatever is not a record (the program's own output) is skipped; what looked like a record and was not,
or was cut short, is counted.
"""
import argparse
import signal
import sys


EXIT_STATUS = """exit status, as valtrace's: 0 no leak, 1 leaks, 2 wrong usage, 3 the log cannot be read or
has no record in it (one line on standard error says why)"""


class Site:
    """What one stack (the text of a record's body) did."""

    def __init__(self, stack):
        self.stack = stack
        self.allocs = self.alloc_bytes = 0
        self.live = self.live_bytes = 0


class Log:
    def __init__(self):
        self.sites = {}      # body text -> Site
        self.live = {}       # address -> (Site, size)
        self.allocs = self.frees = self.failed = 0
        self.unknown_frees = self.malformed = self.replaced = 0

    def alloc(self, address, size, stack):
        site = self.sites.get(stack)
        if site is None:
            site = self.sites[stack] = Site(stack)
        site.allocs += 1
        site.alloc_bytes += size
        if address in self.live:  # its free is not in the log
            self.replaced += 1
            self.release(address)
        site.live += 1
        site.live_bytes += size
        self.live[address] = site, size

    def release(self, address):
        site, size = self.live.pop(address)
        site.live -= 1
        site.live_bytes -= size

    def record(self, fields, stack):
        address = int(fields[2], 16)
        if fields[0] == "ALLOC":
            self.allocs += 1
            if address:
                self.alloc(address, int(fields[4]), stack)
            else:
                self.failed += 1
        else:
            self.frees += 1
            if address in self.live:
                self.release(address)
            elif address:
                self.unknown_frees += 1


LINE_MAX = 65536  # no line of a record is longer; the program's own may be


class Lines:
    """The lines of a file, of over-long ones the beginning; some can be put back."""

    def __init__(self, file):
        self.file = file
        self.again = []

    def next(self):
        if self.again:
            return self.again.pop()
        line = piece = self.file.readline(LINE_MAX)
        while len(piece) == LINE_MAX and piece[-1] != "\n":
            piece = self.file.readline(LINE_MAX)
        return line

    def back(self, lines):
        self.again += reversed(lines)


def head_fields(line):
    """Kind, line count, address and for ALLOC align and size; None if line begins no record."""
    fields = line[3:].strip().split(":")
    if len(fields) != {"ALLOC": 5, "FREE": 3}.get(fields[0]):
        return None
    numbers = fields[1:2] + fields[3:]
    if not all(f.isascii() and f.isdigit() for f in numbers):
        return None
    hexadecimal = fields[2][2:]
    if not fields[2].startswith("0x") or not hexadecimal or hexadecimal.strip("0123456789abcdef"):
        return None
    return fields if int(fields[1]) <= 128 else None


def next_head(body, end):
    """Where in its body a torn record ends and the next one begins; None if it is whole."""
    if end.startswith("---"):
        return None
    return next((i for i, line in enumerate(body) if line.startswith("+++") and head_fields(line)), None)


def read(lines):
    log = Log()
    while line := lines.next():
        if not line.startswith("+++"):
            continue
        fields = head_fields(line)
        if fields is None:
            log.malformed += 1
            continue
        body = [lines.next() for _ in range(int(fields[1]))]
        end = lines.next()
        torn = next_head(body, end)
        if torn is not None:
            log.malformed += 1
            lines.back([*body[torn:], end])
        elif body and not body[-1].endswith("\n"):  # cut short at the end
            log.malformed += 1
        else:
            log.record(fields, "".join(body))
            lines.back([end])
    return log


def print_sites(title, sites, line):
    print(title)
    for site in sites:
        print(line(site))
        for frame in site.stack.splitlines():
            print(f"    {frame}")
    print()


def report(log, top):
    leaking = sorted((s for s in log.sites.values() if s.live), key=lambda s: (-s.live_bytes, -s.live))
    hot = sorted(log.sites.values(), key=lambda s: (-s.allocs, -s.alloc_bytes))
    blocks, size = sum(s.live for s in leaking), sum(s.live_bytes for s in leaking)
    print(f"{log.allocs} allocations, {log.frees} frees, {len(log.sites)} sites")
    for count, what in ((log.failed, "allocations failed"), (log.malformed, "malformed records"),
                        (log.unknown_frees, "frees of blocks whose allocation is not in the log"),
                        (log.replaced, "blocks whose free is not in the log")):
        if count:
            print(f"{count} {what}")
    print(f"\n{blocks} blocks of {size} bytes leaked from {len(leaking)} sites\n")
    if leaking:
        print_sites(f"Leaks by stack (first {min(top, len(leaking))} of {len(leaking)})", leaking[:top],
                    lambda s: f"  {s.live_bytes} bytes in {s.live} blocks")
    print_sites(f"Hot sites (first {min(top, len(hot))} of {len(hot)})", hot[:top],
                lambda s: f"  {s.allocs} allocations of {s.alloc_bytes} bytes")
    return 1 if leaking else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0], epilog=EXIT_STATUS)
    parser.add_argument("--top", type=int, default=20, metavar="N", help="sites to print (20)")
    parser.add_argument("log", nargs="?", default="-", help="the text log, default standard input")
    args = parser.parse_args()
    try:
        with open(0 if args.log == "-" else args.log, encoding="utf-8", errors="replace") as file:
            log = read(Lines(file))
    except OSError as error:
        print(f"leak_detector: {args.log}: {error.strerror}", file=sys.stderr)
        return 3
    if not log.allocs + log.frees:
        print(f"leak_detector: {args.log}: no record of a backtracing allocator in it", file=sys.stderr)
        return 3
    return report(log, args.top)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` is no error
    sys.exit(main())
