#!/usr/bin/env python3
"""Every JSON document against its published schema, through every view and way to group."""
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("1..0 # SKIP python3-jsonschema is not installed")
    sys.exit(0)

sys.path[:0] = ["tests/lib", "tests/steer"]
from blocks import World, vtr  # noqa: E402
from steer import Steered  # noqa: E402
from tap import COUNT, ok  # noqa: E402

VALTRACE = f"{os.environ.get('BUILD', 'build')}/bin/valtrace"
VIEWS = ("summary", "leaks", "hot", "peak", "temporary", "reallocs", "sizes", "lifetimes", "threads", "timeline", "modules", "heaps", "growth",
         "frees", "mismatches", "memory", "pages")
TABLES = ("sizes", "lifetimes", "threads", "modules", "heaps", "mismatches", "memory", "pages")


def schema(name):
    with open(f"tools/schema/{name}.json", encoding="utf-8") as file:
        document = json.load(file)
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def out(*args):
    return subprocess.run([VALTRACE, *args], capture_output=True, check=False).stdout


def check(validator, document, name):
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in validator.iter_errors(document)]
    ok(not errors, f"{name} has its schema", *errors[:5])


def check_database(world, folder):
    """The questions of the documentation are one SELECT each; blocks, threads and time are those of the model."""
    out("export", "--format", "sqlite", "-o", f"{folder}/t.db", world.trace)
    database = sqlite3.connect(f"{folder}/t.db")
    with open("docs/exports.md", encoding="utf-8") as file:
        questions = re.findall(r"```sql\n(.*?)```", file.read(), re.S)
    answers = [database.execute(question).fetchall() for question in questions]
    ok(len(questions) == 10 and all(answers), "ten questions are answered by one SELECT each", [len(a) for a in answers])
    got = sorted(database.execute("SELECT size, alloc_ts, free_ts, a.tid, f.tid, resized FROM block JOIN thread a ON a.id = alloc_thread "
                                  "LEFT JOIN thread f ON f.id = free_thread").fetchall(), key=repr)
    want = sorted(((b.size, b.start, b.end, b.thread, b.freer, int(len(b.ended) == 2)) for b in world.dump.blocks), key=repr)
    ok(got == want, "blocks are those of the brute-force model", len(got), len(want), *[pair for pair in zip(got, want) if pair[0] != pair[1]][:3])
    sums = database.execute("SELECT a.allocations, a.count, a.leaked_count FROM (SELECT site_id, count(*) AS allocations FROM block GROUP BY site_id) b "
                            "JOIN (SELECT id, count AS allocations, count, leaked_count FROM heap_profile_allocation) a ON a.id = b.site_id "
                            "WHERE a.count <> b.allocations").fetchall()
    ok(not sums, "each site has as many blocks as it says", sums[:3])
    totals = json.loads(out("report", "--json", world.trace))["totals"]
    line = database.execute("SELECT sum(allocations), sum(frees), max(max_bytes) FROM timeline").fetchone()
    ok(line == (totals["allocations"], totals["frees"], totals["peak_bytes"]), "the timeline has the totals", line)


def steered(path, *options, steps):
    """A recording that is paused in between."""
    run = Steered(*options)
    run.tell(*steps)
    run.ctl("stop")
    run.tell("f 5")
    run.ctl("start")
    run.end()
    shutil.move(run.path, path)
    os.rmdir(run.folder)


def without_marks(path, older):
    """A sample as older versions wrote it: the optional bit for marked frees is not there."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    data[24] &= ~16
    size = int.from_bytes(data[12:16], "little")
    data[size - 8:size] = vtr.xxh64(bytes(data[:size - 8])).to_bytes(8, "little")
    with open(older, "wb") as file:
        file.write(data)


def check_modes(folder, report, diff, dump):
    """Recordings of which not everything is known: null is allowed where it is written."""
    paths = {name: f"{folder}/{name}.vtr" for name in ("sample", "older", "paused", "kept")}
    out("run", "-q", "--sample", "4096", "-o", paths["sample"], "--", f"{folder}/p")
    without_marks(paths["sample"], paths["older"])
    steered(paths["paused"], "--sample", "1K", steps=["a 20 900", "f 3"])
    steered(paths["kept"], "--keep", "1M", "--no-snapshot", steps=["a 20 900"] + ["x 50000"] * 10)
    told = lambda *args: [json.loads(text) for text in [out(*args)] if text]  # noqa: E731
    for name, path in paths.items():
        documents = [d for view in (VIEWS if name != "older" else VIEWS[:4]) for d in told("report", view, "--json", path)]
        documents += told("report", "--json", "--by", "line", path) + told("check-budget", "--json", "--max-live", "9", "--max-temporary", "1", path)
        bad = [f"{d['view']}: {'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for d in documents for e in report.iter_errors(d)]
        ok(not bad and len(documents) > (9 if name == "kept" else 5), f"{name}: reports have their schema", len(documents), *bad[:5])
        check(diff, told("diff", "--json", path, path)[0], f"{name}: diff")
        ok(all(dump.is_valid(json.loads(line)) for line in out("dump", "--json", "--limit", "50", path).splitlines()), f"{name}: lines of dump")


def main():
    report, diff = schema("report"), schema("diff")
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        trace = world.trace
        check_database(world, folder)
        for view in VIEWS:
            for by in ((), *((("--by", by) for by in ("function", "line", "module", "site")) if view not in TABLES else ())):
                check(report, json.loads(out("report", view, "--json", *by, trace)), f"report {view} {' '.join(by)}")
        check(report, json.loads(out("report", "--json", "--min-size", "1G", trace)), "a report on nothing")
        check(report, json.loads(out("check-budget", "--max-live", "0", "--max-peak", "1G", "--json", trace)), "check-budget")
        for args in ((), ("--by", "function"), ("--per", "4"), ("--fail-if", "live>0", "--fail-if", "peak>1")):
            check(diff, json.loads(out("diff", "--json", *args, trace, trace)), f"diff {' '.join(args)}")
        check(schema("flame"), json.loads(out("flame", "--json", trace)), "flame")
        lines = [json.loads(line) for line in out("dump", "--json", trace).splitlines()]
        dump = schema("dump")
        bad = [(line, e.message[:200]) for line in lines[:3000] for e in dump.iter_errors(line)]
        ok(not bad and {line["kind"] for line in lines} >= {"stack", "alloc", "free", "realloc", "heap_alloc"}, "lines of dump have their schema", *bad[:3])
        check_modes(folder, report, diff, dump)
        os.mkdir(f"{folder}/two")
        for name in ("a", "b"):
            shutil.copy(trace, f"{folder}/two/{name}.vtr")
        first = [json.loads(line) for line in out("dump", "--json", "--limit", "1", f"{folder}/two").splitlines()]
        ok(first[0]["kind"] == "trace" and all(dump.is_valid(line) for line in first), "a line that names a trace has its schema", first[:2])
        check(schema("ls"), json.loads(out("ls", "--json", f"{folder}/two")), "ls")
        address = next(line["address"] for line in lines if line["kind"] == "alloc")
        check(schema("block"), json.loads(out("block", "--json", hex(address), trace)), "block")
        broken = json.loads(out("report", "--json", trace))
        broken["sites"][0]["leak_kind"] = "fine"
        del broken["totals"]["frees"]
        ok(len(list(report.iter_errors(broken))) == 2, "a schema finds what is wrong")
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
