#!/usr/bin/python3
"""Every view, gate and export of a sampled trace against an exact recording of the same program, within five of its own
standard errors; and against the estimator as the independent reader computes it."""
import csv
import json
import os
import sqlite3
import subprocess
import sys

sys.path[:0] = ["tests/lib", "tests/sampling", "tools/html"]
sys.dont_write_bytecode = True
import page as page_tool  # noqa: E402
from estimates import site_name  # noqa: E402
from valtest import VALTRACE, Run, Tap, program, vtr  # noqa: E402

PERIOD, SIZE, SURE = 4096, 1000, 5
FIGURES = ("allocations", "allocated_bytes", "leaked_blocks", "leaked_bytes", "temporary", "reallocs", "cross_thread_frees")


def tell(*args):
    got = subprocess.run([VALTRACE, *args], capture_output=True, text=True, check=False)
    return got.returncode, got.stdout, got.stderr


def report(view, path, *args):
    status, out, err = tell("report", view, "--json", *args, path)
    assert status == 0, err
    return json.loads(out)


def sums(rows, name_of, figures):
    """By name and figure: [value, variance]."""
    found = {}
    for row in rows:
        mine = found.setdefault(name_of(row), {figure: [0, 0] for figure in figures})
        for figure in figures:
            mine[figure][0] += row[figure]
            mine[figure][1] += row.get("standard_error", {}).get(figure, 0) ** 2
    return found


def differing(estimates, truth):
    """Where an estimate is more than SURE standard errors off. What is nowhere in the sample is 0 +- 0."""
    out = []
    for name, figures in truth.items():
        for figure, (value, _) in figures.items():
            estimate, variance = estimates.get(name, {}).get(figure, [0, 0])
            if abs(estimate - value) > SURE * variance ** 0.5 + 1:
                out.append(f"{name} {figure}: {estimate} +- {variance ** 0.5:.1f}, in truth {value}")
    return out


def check_sites(tap, path, exact):
    ours, truth = (sums(report("summary", p)["sites"], site_name, FIGURES) for p in (path, exact))
    truth.pop(None, None)  # the run-time's own: a few blocks
    tap.ok(len(truth) == 5 and not differing(ours, truth), "sites: each figure is the truth within its error", differing(ours, truth))


def pair_name(row):
    return tuple(next((f["function"] for f in row[side]["stack"] if not f["function"].startswith("__")), None)
                 for side in ("allocation", "free"))


def check_frees(tap, path, exact):
    ours, truth = (sums(report("frees", p)["frees"], pair_name, ("blocks", "bytes")) for p in (path, exact))
    truth = {pair: figures for pair, figures in truth.items() if str(pair[0]).startswith("site_")}
    tap.ok(len(truth) == 4 and not differing(ours, truth), "frees: so is each pair of places", differing(ours, truth))


def check_growth(tap, path, exact):
    def at_end(p):
        return {row["function"]: {"live": [row["moments"][-1]["live_bytes"], row["moments"][-1].get("live_bytes_error", 0) ** 2]}
                for row in report("growth", p)["growth"] if row["function"].startswith("site_")}
    tap.ok(not differing(at_end(path), at_end(exact)), "growth: so is what lives at the last moment", differing(at_end(path), at_end(exact)))


def check_tables(tap, path):
    """Tables have the same estimates as the sites, put together otherwise."""
    def of(rows, figure):
        return sum(row[figure] for row in rows)
    sites = report("summary", path)["sites"]
    wanted = [of(sites, figure) for figure in ("allocations", "allocated_bytes", "temporary", "leaked_blocks")]
    for view in ("sizes", "threads"):
        rows = report(view, path)[view]
        tap.equal([of(rows, figure) for figure in ("allocations", "allocated_bytes", "temporary", "leaked_blocks")], wanted, f"{view} add up")
    heaps = report("heaps", path)["traces"][0]["heaps"]
    tap.equal([of(heaps, "allocations"), of(heaps, "leaked_blocks")], [wanted[0], wanted[3]], "heaps add up")
    lives = report("lifetimes", path)["lifetimes"]
    tap.equal(of(lives["histogram"], "blocks"), of(sites, "frees"), "lifetimes are of all that were freed")
    intervals = report("timeline", path)["timeline"]["intervals"]
    tap.equal([of(intervals, "allocations"), intervals[-1]["end_blocks"]], [wanted[0], wanted[3]], "the timeline adds up")
    return lives


def check_oracle(tap, path, lives):
    """The report rounds what a block stands for to a whole number, up or down."""
    trace = vtr.Trace(path)
    oracle = vtr.Estimates(trace)
    recorded = sum(1 for event in trace.events() if event.size)
    sites = report("summary", path)["sites"]
    for figure, name in (*((f, f) for f in FIGURES[:-1]), ("cross_thread_frees", "foreign"), ("frees", "frees")):
        got = sum(site[figure] for site in sites)
        want = sum(site[name][0] for site in oracle.sites.values())
        tap.ok(abs(got - want) <= recorded ** 0.5 * 3 and want > 0, f"{figure} is what the independent reader estimates", [got, want])
        if figure == "frees":
            continue
        error = sum(site["standard_error"][figure] ** 2 for site in sites) ** 0.5
        wanted = sum(site[name][1] for site in oracle.sites.values()) ** 0.5
        tap.ok(abs(error - wanted) < 0.03 * wanted + 1, f"and so is its standard error: {error:.0f}", [error, wanted])
    tap.equal(lives["recorded_blocks"], sum(map(len, oracle.lifetimes.values())), "lifetimes tell on how many blocks they rest")


def check_exports(tap, path):
    folder = os.path.dirname(path)
    sites = report("summary", path)["sites"]
    wanted = {figure: sum(site[figure] for site in sites) for figure in ("allocations", "allocated_bytes", "leaked_bytes", "temporary")}

    def export(name):
        out = os.path.join(folder, f"x.{name}")
        status, _, err = tell("export", "--format", name, "-o", out, path)
        tap.ok(status == 0 and err.count("\n") == 1 and "these are estimates" in err, f"export {name} says that it has estimates", [err])
        return out
    rows = list(csv.DictReader(open(export("csv"), encoding="utf-8")))
    tap.equal({figure: sum(int(row[figure]) for row in rows) for figure in wanted}, wanted, "csv has the report's estimates")
    tap.ok(all(int(row["allocated_bytes_error"]) > 0 for row in rows), "and their errors")
    dhat = json.load(open(export("dhat"), encoding="utf-8"))
    tap.equal([sum(point[key] for point in dhat["pps"]) for key in ("tbk", "tb", "eb")],
              [wanted[figure] for figure in ("allocations", "allocated_bytes", "leaked_bytes")], "so has dhat")
    tap.ok("estimates" in dhat["cmd"], "and says what they are")
    firefox = json.load(open(export("firefox"), encoding="utf-8"))
    weights = [weight for thread in firefox["threads"] for weight in thread["nativeAllocations"]["weight"]]
    tap.equal([sum(w for w in weights if w > 0), sum(weights)], [wanted["allocated_bytes"], wanted["leaked_bytes"]], "so has firefox")
    tap.ok("estimates" in firefox["meta"]["product"], "and says what they are")
    lines = open(export("heaptrack"), encoding="utf-8").read().split("\n")
    tap.equal(sum(line.startswith("+ ") for line in lines), wanted["allocations"], "heaptrack has an event for each estimated one")
    tap.ok(lines[1].startswith("# estimates"), "and says what they are")
    db = sqlite3.connect(export("sqlite"))
    tap.equal(db.execute("SELECT sum(count), sum(size), sum(leaked_size), sum(temporary) FROM heap_profile_allocation").fetchone(),
              tuple(wanted.values()), "sqlite has the report's estimates")
    tap.equal(db.execute("SELECT sum(stands_for_count), sum(stands_for_size) FROM block").fetchone(),
              (wanted["allocations"], wanted["allocated_bytes"]), "and what each recorded block stands for")
    totals = dict(db.execute("SELECT * FROM totals"))
    tap.ok(totals["sampled"] == PERIOD and totals["leaked_bytes_error"] > 0 and totals["allocations_error"] == 0,
           "and which totals were counted", [totals])
    db.close()


def check_page(tap, path):
    status, out, err = tell("html", "--json", path)
    assert status == 0, err
    data = json.loads(out)
    sites = report("summary", path)["sites"]
    ends = page_tool.unpack(data).ends
    got = [sum(values[at] for _, values in ends) for at in (0, 1, 2, 6)]
    tap.equal(got, [sum(site[f] for site in sites) for f in ("allocations", "allocated_bytes", "temporary", "leaked_bytes")],
              "the page's call tree has the report's estimates")
    name = os.path.join(os.path.dirname(path), "page.html")
    tap.equal(tell("html", path, "-o", name)[0], 0, "the page is made")
    text = open(name, encoding="utf-8").read()
    tap.ok(page_tool.plain_page(data, page_tool.unpack(data)) in text, "without scripts it has what page.py makes of the data")
    tap.ok(text.count("<td class=number>≈ ") > 10 and " ± " in text, "and marks estimates, with their errors")


def check_gates(tap, path, exact):
    live = report("summary", path)["totals"]["leaked_bytes"]
    error = report("summary", path)["totals"]["standard_error"]["leaked_bytes"]
    for limit, wanted in ((live + 40 * error, 0), (live - 10 * error, 1), (live + error, 1)):
        status, out, err = tell("check-budget", "--max-live", str(limit), path)
        tap.equal(status, wanted, f"check-budget --max-live {limit}: {live} +- {error}")
        tap.ok("too close to tell" in err if limit == live + error else "≈" in out or "estimates" in out, "and says why", [out, err])
    status, _, err = tell("check-budget", "--max-lost", "1G", path)
    tap.ok(status == 1 and "no snapshot" in err, "what is lost is not known, whatever the limit", [err])
    for condition, wanted in (("live>1k", 1), ("live>1G", 0), ("live>+1%", 1), ("live<+900%", 1), ("allocations>1", 1), ("allocations>1G", 0),
                              ("temporary>+500%", 0)):
        status, out, err = tell("diff", "--fail-if", condition, exact, path)
        tap.equal(status, wanted, f"diff --fail-if '{condition}'")
    tap.ok("too close" in tell("diff", "--fail-if", "live>+1%", exact, path)[2], "a change within the error is not told")


def check_block(tap, path):
    address = next(event.address for event in vtr.Trace(path).events() if event.address)
    status, out, _ = tell("block", hex(address), path)
    tap.ok(status == 0 and "a sample" in out and "allocated" in out, "block tells of a recorded one, and that there are others", [out])
    status, _, err = tell("block", "0x10", path)
    tap.ok(status == 2 and "only a sample" in err, "and of no block that none was recorded", [err])


def check_text(tap, path):
    for view in ("temporary", "reallocs", "frees", "growth", "lifetimes", "mismatches", "timeline"):
        status, out, err = tell("report", view, *(["--by", "function"] if view == "timeline" else []), path)
        tap.ok(status == 0 and "≈" in out.split("record ")[1], f"report {view} marks its numbers", [out, err])
    for view in ("temporary", "reallocs", "frees", "growth"):
        lines = [line for line in tell("report", view, path)[1].split("\n") if line[:4].strip().rstrip(".").isdigit()]
        tap.ok(lines and all("≈" in line and "±" in line for line in lines), f"report {view}: and their errors", lines)
    for view in ("memory", "pages", "mappings"):
        tap.equal(tell("report", view, path)[0], 0, f"report {view} is told")


def main():
    tap = Tap()
    sampled = Run(program("sites", SIZE), "run", env={"VALTRACE_SAMPLE_SEED": "3"}, options=["--sample", str(PERIOD)])
    exact = Run(program("sites", SIZE), "run")
    path = sampled.trace_path
    check_sites(tap, path, exact.trace_path)
    check_frees(tap, path, exact.trace_path)
    check_growth(tap, path, exact.trace_path)
    check_oracle(tap, path, check_tables(tap, path))
    check_exports(tap, path)
    check_page(tap, path)
    check_gates(tap, path, exact.trace_path)
    check_block(tap, path)
    check_text(tap, path)
    for run in (sampled, exact):
        run.remove()
    tap.done()


main()
