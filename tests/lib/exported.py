"""What a command's output says of blocks, by the contract's names: small readers of every format that valtrace writes."""
import csv
import gzip
import io
import json
import re
import sqlite3
import subprocess

from blocks import VALTRACE
from page_tree import Tree


def run(*args):
    return subprocess.run([VALTRACE, *args], capture_output=True, check=False)


def output(*args):
    done = run(*args)
    if done.returncode or done.stderr:
        print(f"# {args}: {done.returncode} {done.stderr}")
    return done.stdout


def from_report(trace, options):
    totals = json.loads(output("report", "--json", *options, trace))["totals"]
    of_snapshot = ("lost", "possible", "reachable", "unjudged")
    return {key: value for key, value in totals.items() if key != "sampled" and not key.startswith(of_snapshot) and
            key not in ("peak_time_ns", "peak_blocks", "peak_rss_bytes", "peak_rss_at_least", "peak_at_most", "distinct_stacks", "mapped_bytes")}


def from_diff(trace, options):
    if "--at" in options:  # has a meaning of its own there: see check_diff_at
        options = ["--to" if option == "--at" else option for option in options]
    document = json.loads(output("diff", "--json", *options, trace, trace))
    sums = {key: sum(s[f"{key}_{side}"] for s in document["sites"]) for side in ("before", "after")
            for key in ("allocations", "allocated_bytes", "temporary", "leaked_bytes", "leaked_blocks")}
    if any(s["change"] for s in document["sites"]):
        print("# a trace differs from itself")
    return {**{key.removesuffix("_after"): value for key, value in document["totals"].items() if key.endswith("_after")}, **sums}


def from_flame(trace, options):
    keys = {"peak": "peak_bytes", "leaked": "leaked_bytes", "allocated": "allocated_bytes", "count": "allocations",
            "temporary": "temporary"}
    return {key: sum(int(line.rsplit(" ", 1)[1]) for line in output("flame", "--metric", metric, *options, trace).decode().splitlines())
            for metric, key in keys.items()}


def from_budget(trace, options):
    limits = ("--max-leaked", "--max-leaked-blocks", "--max-peak", "--max-allocations", "--max-temporary")
    keys = {"live bytes": "leaked_bytes", "live blocks": "leaked_blocks", "peak bytes": "peak_bytes",
            "allocations": "allocations", "temporary allocations": "temporary"}
    document = json.loads(run("check-budget", *(part for limit in limits for part in (limit, "0")), "--no-default-suppressions", "--json", *options, trace).stdout)
    values = {keys[e["limit"]]: e["value"] for e in document["exceeded"]}
    return {key: values.get(key, 0) for key in keys.values()}


def from_html(trace, options):
    document = json.loads(output("html", "--json", *options, trace))
    totals = document["sides"][0]["totals"]
    sums = {key: value for key, value in Tree(document).sums().items() if key != "peak_blocks"}
    return sums if all(totals[key] == value for key, value in sums.items()) else {"the page": (sums, totals)}


def export(trace, form, options):
    return output("export", "--format", form, *options, trace)


def from_folded(trace, options):
    return {"leaked_bytes": sum(int(line.rsplit(" ", 1)[1]) for line in export(trace, "folded", options).decode().splitlines())}


def fields(data):
    """The fields of a protocol buffer message: (number, value)."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        key = varint()
        value = varint()
        if key & 7 == 2:
            at += value
            value = data[at - value:at]
        yield key >> 3, value


def packed(data):
    """The varints of a packed field."""
    value = shift = 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield value
            value = shift = 0


def from_pprof(trace, options):
    def sums(*more):
        samples = [list(packed(dict(fields(value))[2])) for number, value in
                   fields(gzip.decompress(export(trace, "pprof", [*options, *more]))) if number == 2]
        return [sum(column) for column in zip([0] * 4, *samples)]
    leaked, peak = sums(), sums("--metric", "peak")
    return {"allocations": leaked[0], "allocated_bytes": leaked[1], "leaked_blocks": leaked[2], "leaked_bytes": leaked[3],
            "peak_bytes": peak[3]}


def from_speedscope(trace, options):
    keys = {"leaked": "leaked_bytes", "peak": "peak_bytes", "allocated bytes": "allocated_bytes", "allocations": "allocations",
            "temporary": "temporary"}
    return {keys[p["name"]]: sum(p["weights"]) for p in json.loads(export(trace, "speedscope", options))["profiles"]}


def from_dhat(trace, options):
    points = json.loads(export(trace, "dhat", options))["pps"]
    return {key: sum(p[short] for p in points) for key, short in
            (("allocations", "tbk"), ("allocated_bytes", "tb"), ("leaked_blocks", "ebk"), ("leaked_bytes", "eb"),
             ("peak_bytes", "gb"), ("lifetimes", "tl"))}


def from_callgrind(trace, options):
    own, in_call, totals = [0] * 4, False, None
    for line in export(trace, "callgrind", options).decode().splitlines():
        if line.startswith("totals:"):
            totals = [int(n) for n in line.split()[1:]]
        elif re.match(r"\d", line) and not in_call:
            own = [a + int(b) for a, b in zip(own, line.split()[1:])]
        in_call = line.startswith("calls=")
    return dict(zip(("leaked_bytes", "leaked_blocks", "allocated_bytes", "allocations"), own)) if own == totals else {"own": (own, totals)}


def from_massif(trace, options):
    text = export(trace, "massif", options).decode()
    heaps = [int(n) for n in re.findall(r"^mem_heap_B=(\d+)$", text, re.M)]
    root = [int(n) for n in re.findall(r"^n\d+: (\d+) \(heap", text, re.M)] or [0]
    return {"peak_bytes": max(heaps + root), "leaked_bytes": heaps[-1]}


def from_heaptrack(trace, options):
    sizes, begun, ended = [], [], []
    for line in export(trace, "heaptrack", options).decode().splitlines():
        if line.startswith("a "):
            sizes.append(int(line.split()[1], 16))
        elif line[:2] in ("+ ", "- "):
            (begun if line[0] == "+" else ended).append(sizes[int(line[2:], 16)])
    return {"allocations": len(begun), "frees": len(ended), "allocated_bytes": sum(begun), "leaked_bytes": sum(begun) - sum(ended),
            "leaked_blocks": len(begun) - len(ended)}


def from_firefox(trace, options):
    document = json.loads(export(trace, "firefox", options))
    weights = [w for thread in document["threads"] for w in thread["nativeAllocations"]["weight"]]
    counter = sum(document["counters"][0]["samples"]["count"])
    if counter != sum(weights):
        return {"the counter": (counter, sum(weights))}
    return {"allocated_bytes": sum(w for w in weights if w > 0), "leaked_bytes": counter}


def from_csv(trace, options):
    rows = list(csv.DictReader(io.StringIO(export(trace, "csv", options).decode())))
    return {key: sum(int(row[key]) for row in rows) for key in
            ("allocations", "allocated_bytes", "frees", "temporary", "peak_bytes", "leaked_bytes", "leaked_blocks", "reallocs")}


def from_sqlite(trace, options):
    path = f"{trace}.db"
    output("export", "--format", "sqlite", "-o", path, *options, trace)
    db = sqlite3.connect(path)
    keys = ("allocations", "allocated_bytes", "frees", "temporary", "peak_bytes", "leaked_blocks", "leaked_bytes")
    sums = db.execute("SELECT total(count), total(size), total(frees), total(temporary), total(peak_size), total(leaked_count),"
                      " total(leaked_size) FROM heap_profile_allocation WHERE nested = 0").fetchone()
    table = dict(db.execute("SELECT name, value FROM totals"))
    sums = dict(zip(keys, map(int, sums)))
    return sums if sums == {key: table[key] for key in keys} else {"totals": (sums, table)}


READERS = {"report": from_report, "diff": from_diff, "flame": from_flame, "check-budget": from_budget, "html": from_html,
           "folded": from_folded, "pprof": from_pprof, "speedscope": from_speedscope, "dhat": from_dhat,
           "callgrind": from_callgrind, "massif": from_massif, "heaptrack": from_heaptrack, "firefox": from_firefox,
           "csv": from_csv, "sqlite": from_sqlite}
