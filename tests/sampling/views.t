#!/usr/bin/python3
"""No view shows a sampled trace as if it were exact: each has estimates and says so, or refuses in one line."""
import csv
import gzip
import json
import os
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from valtest import VALTRACE, Run, Tap, program, vtr  # noqa: E402

PERIOD = 4096


def tell(*args):
    got = subprocess.run([VALTRACE, *args], capture_output=True, text=True, check=False)
    return got.returncode, got.stdout, got.stderr


def check_older(tap, path):
    """A sample of a version that did not tell what was temporary: the optional bit that says so is not there."""
    older = os.path.join(os.path.dirname(path), "older.vtr")
    data = bytearray(open(path, "rb").read())
    data[24] &= ~16
    size = int.from_bytes(data[12:16], "little")
    data[size - 8:size] = vtr.xxh64(bytes(data[:size - 8])).to_bytes(8, "little")
    with open(older, "wb") as file:
        file.write(data)
    report = json.loads(tell("report", "--json", older)[1])
    tap.equal([report["totals"]["temporary"], {site["temporary"] for site in report["sites"]}, {site["reallocs"] for site in report["sites"]}],
              [None, {None}, {None}], "of an older sample temporary blocks and reallocs are null")
    tap.ok(report["totals"]["allocations"] and all(site["standard_error"]["temporary"] is None for site in report["sites"]), "all else is told")
    tap.ok("not known" in tell("report", "temporary", older)[1], "its view says that it is not known")
    for args in (["flame", "--metric", "temporary", older], ["diff", "--metric", "temporary", older, older]):
        status, out, err = tell(*args)
        tap.ok(status == 3 and not out and err.count("\n") == 1 and "does not tell it" in err, f"{args[0]} of it refuses in a line")
    status, _, err = tell("check-budget", "--max-temporary", "99", older)
    tap.ok(status == 1 and "does not tell it" in err, "so does a gate", [err])


def check_run(tap):
    for more in (["--snapshots"], ["--fail-on-leak"]):
        status, out, err = tell("run", "--sample", "64K", *more, "--", "true")
        tap.ok(status == 2 and not out and err.count("\n") == 1, f"--sample and {more[0]} do not go together")
    for bad in ("0", "-1", "x", "2T", ""):
        status, _, err = tell("run", "--sample", bad, "--", "true")
        tap.ok(status == 2 and err.count("\n") == 1, f"--sample {bad!r} is no period")


def check_shown(tap, path):
    for view in ("summary", "leaks", "hot", "peak"):
        status, out, _ = tell("report", view, path)
        shown = [line for line in out.split("\n") if line[:4].strip().rstrip(".").isdigit()]
        tap.ok(status == 0 and shown and all("≈" in line and "±" in line for line in shown),
               f"report {view}: each line of numbers is an estimate", out.split("\n"))
    for view in ("sizes", "threads", "timeline", "modules", "heaps"):
        status, out, _ = tell("report", view, path)
        tap.ok(status == 0 and "numbers of blocks and their bytes in this table are estimates" in " ".join(out.split()),
               f"report {view} says that it has estimates", out.split("\n"))
    status, out, _ = tell("report", path)
    tap.ok(status == 0 and "±" in out and "lost             not known" in out, "the report without view has errors, and says what is not known",
           out.split("\n"))


def check_exports(tap, path):
    """Of the formats that have place for it, each says that it has estimates; the command always does."""
    report = json.loads(tell("report", "hot", "--json", path)[1])
    allocated = sum(site["allocated_bytes"] for site in report["sites"])
    notes = {"massif": "estimates", "callgrind": "estimates", "speedscope": "estimates"}
    for name in ("folded", "csv", "massif", "callgrind", "speedscope"):
        status, out, err = tell("export", "--format", name, path)
        tap.ok(status == 0 and "these are estimates" in err and err.count("\n") == 1 and notes.get(name, "") in out,
               f"export {name} says that it has estimates", [err])
    folded = tell("flame", "--metric", "allocated", path)[1]
    tap.equal(sum(int(line.rsplit(" ", 1)[1]) for line in folded.splitlines()), allocated, "flame sums to the report's estimate")
    rows = list(csv.DictReader(tell("export", "--format", "csv", path)[1].splitlines()))
    tap.equal(sum(int(row["allocated_bytes"]) for row in rows), allocated, "so does csv")
    raw = subprocess.run([VALTRACE, "export", "--format", "pprof", path], capture_output=True, check=True).stdout
    profile = gzip.decompress(raw)
    tap.ok(b"estimates of all blocks" in profile and bytes([12 << 3, 0x80, 0x20]) in profile,
           "pprof has the period, and a comment")


def check_diff(tap, path, other):
    """Of a sampled trace and an exact one: both totals that were counted, and each change with its error."""
    status, out, _ = tell("diff", "--metric", "allocated", other, path)
    changes = [line for line in out.split("\n") if line.startswith("  ≈ ") and "->" in line]
    tap.ok(status == 0 and "temporary" in out and changes and all("±" in line for line in changes),
           "diff: changes are estimates with their errors", out.split("\n"))
    diff = json.loads(tell("diff", "--json", "--metric", "allocated", other, path)[1])
    totals = diff["totals"]
    tap.equal([diff["sampled_before"], diff["sampled_after"], totals["temporary_after"] is None], [0, PERIOD, False],
              "diff --json says which side is sampled")
    tap.equal(totals["allocations_after"], totals["allocations_before"], "numbers of allocations are exact on both sides")
    tap.ok(all((site["change_standard_error"] or 0) > 0 for site in diff["sites"] if site["change"] and site["allocations_after"]),
           "and each site's change has an error")


def check_json(tap, path, trace):
    report = json.loads(tell("report", "--json", path)[1])
    totals = report["totals"]
    tap.equal(totals["sampled"], PERIOD, "JSON tells the period")
    tap.equal({name: totals[name] for name in trace.totals}, trace.totals, "totals are those that were counted")
    tap.equal([totals[name] for name in ("lost_bytes", "reachable_blocks")], [None] * 2, "what a sample does not tell is null")
    tap.equal([report["findings"], report["traces"][0]["verdict"]], [[], None], "no findings, no verdict")
    for site in report["sites"]:
        tap.ok(site["standard_error"]["allocated_bytes"] > 0 and site["lifetime_ns"]["recorded_blocks"] <= site["frees"],
               "a site has errors, and says what its lifetimes rest on", [str(site)])
    chosen = json.loads(tell("report", "--json", "--min-size", "1", path)[1])["totals"]
    tap.ok(chosen["standard_error"]["allocations"] > 0 and chosen["standard_error"]["reallocs"] > 0,
           "of a selection totals are estimates, too", [str(chosen)])


def main():
    tap = Tap()
    run = Run(program("sites", 300), "run", options=["--sample", str(PERIOD)])
    path, trace = run.trace_path, run.main_trace()
    check_older(tap, path)
    check_run(tap)
    check_shown(tap, path)
    check_exports(tap, path)
    check_json(tap, path, trace)
    for args in (["dump", path], ["dump", "--json", path], ["check", path], ["check", "--json", path]):
        status, out, _ = tell(*args)
        tap.ok(status == 0 and "sampled" in out and str(PERIOD) in out, f"{' '.join(args[:-1])} says that it is a sample")
    tap.ok("≈" in tell("ls", os.path.dirname(path))[1], "ls shows an estimate")
    exact = Run(program("sites", 300), "run")
    check_diff(tap, path, exact.trace_path)
    exact.remove()
    bare = Run(program("sites", 300), "bare", env={"VALTRACE_SAMPLE": str(PERIOD)})
    packed = os.path.join(bare.folder, "packed.vtr")
    before = bare.main_trace()
    tap.equal(tell("pack", before.path, "-o", packed)[0], 0, "a trace without collector is packed")
    after = vtr.Trace(packed)
    tap.equal((after.period, after.totals), (PERIOD, before.totals), "and keeps period and totals")
    sites = [json.loads(tell("report", "hot", "--json", path)[1])["sites"] for path in (before.path, packed)]
    tap.ok(sites[0] == sites[1] and sites[0], "and each site's estimates", sites)
    tap.ok(json.loads(tell("report", "--json", before.path)[1])["totals"]["allocations"] == before.totals["allocations"] > 0,
           "a report of it has the totals")
    run.remove()
    bare.remove()
    tap.done()


main()
