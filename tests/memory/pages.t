#!/usr/bin/python3
"""The pages that a trace says are resident are those that the program touched, and their sum is the
kernel's."""
import collections
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import Tap, VALTRACE, program, vtr  # noqa: E402

PAGE = 4096
Region = collections.namedtuple("Region", "start size pages")


def record(folder, *options):
    trace = f"{folder}/t.vtr"
    out = subprocess.run([VALTRACE, "run", "-q", *options, "-o", trace, "--", *program("resident", f"{folder}/file")],
                         capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in out.splitlines()]
    return vtr.Trace(trace), {name: Region(int(start, 0), int(size), int(pages)) for name, start, size, pages in lines}


def resident(pages, region):
    """Numbers of the resident pages of a region, counted from its first."""
    first, end = region.start // PAGE, (region.start + region.size - 1) // PAGE + 1
    found = set()
    for area in pages.areas:
        for start, stop, swapped in area.runs:
            found.update(() if swapped else range(max(first, start // PAGE), min(end, stop // PAGE)))
    return {page - first for page in found}


def check_regions(tap, pages, regions):
    for name in ("reserve", "mapping", "given-back", "shared", "file", "nothing", "stack"):
        tap.equal(len(resident(pages, regions[name])), regions[name].pages, f"{name}: as many pages as were touched")
    tap.equal(resident(pages, regions["mapping"]), set(range(0, 1500, 3)), "every third page, not those that were read")
    tap.equal(resident(pages, regions["given-back"]), {*range(8), *range(48, 64)}, "pages given back are gone")
    tap.equal(resident(pages, regions["shared"]), set(range(0, 700, 100)), "pages of shared memory")
    file = next(area for area in pages.areas if area.start == regions["file"].start)
    tap.equal((file.resident // PAGE, file.anonymous // PAGE, os.path.basename(file.name)), (300, 30, "file"),
              "of a file: what is resident, and what was changed")


def check_sums(tap, pages, rollup):
    """The process has done little after it looked."""
    total = sum(area.resident for area in pages.areas)
    tap.ok(abs(total - rollup) <= rollup // 50, "the sum is the kernel's within 2 %", [total, rollup])
    for area in pages.areas:
        runs = sum(stop - start for start, stop, swapped in area.runs if not swapped)
        if runs != area.resident:
            tap.ok(False, f"{area.name}: runs make what is resident", [area])
    tap.ok(True, "the runs of each mapping make what is resident of it")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        trace, regions = record(folder)
        last = trace.pages[-1]
        tap.equal(last.kind, 1, "the last capture is of the memory the process left")
        check_regions(tap, last, regions)
        check_sums(tap, last, regions["sum"].size)
        trace, _ = record(folder, "--no-snapshot")
        tap.equal([pages.kind for pages in trace.pages if pages.kind], [], "no snapshot, no frozen capture")
    tap.done()


main()
