#!/usr/bin/env python3
"""Every view through random combinations of filters, against a brute-force model: a list of blocks
made by the independent reader, from which each combination picks by the definitions of the contract."""
import collections
import os
import random
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from blocks import Filter, World, dumped, peaks, report, totals_of  # noqa: E402
from tap import COUNT, ok  # noqa: E402

SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
ROUNDS = 60 if os.environ.get("VALTEST_LONG") else 15


def check_totals(world, chosen, blocks):
    want, changes = totals_of(blocks)
    got = report(world.trace, *chosen.options)
    totals = got["totals"]
    low, high = peaks(changes)
    name = " ".join(chosen.options)
    if "half way" in chosen.options and any(abs(b.start - world.marker) < 20000 for b in blocks):
        want = got_part = None  # other threads' events beside the marker: only main's are known to be before it
    else:
        got_part = {key: totals[key] for key in want}
    ok(got_part == want and (want is None or low <= totals["peak_bytes"] <= high), f"{name}: totals",
       got_part, want, (low, totals["peak_bytes"], high))
    ok(all(sum(s[key] for s in got["sites"] if not s.get("nested") or chosen.nested) == totals[key]
           for key in ("allocations", "allocated_bytes", "leaked_bytes", "temporary", "peak_bytes", "reallocs")),
       f"{name}: sites sum up to the totals")
    return totals, want is not None


def check_views(world, chosen, blocks, totals, exact):
    name = " ".join(chosen.options)
    threads = report(world.trace, "threads", *chosen.options)["threads"]
    if exact:
        want = collections.Counter(b.thread for b in blocks)
        freed = collections.Counter(b.freer for b in blocks if b.end is not None)
        ok({t["tid"]: t["allocations"] for t in threads if t["allocations"]} == want and
           {t["tid"]: t["frees"] for t in threads if t["frees"]} == freed and
           {t["tid"]: t["frees_of_others"] for t in threads if t["frees_of_others"]} ==
           collections.Counter(b.freer for b in blocks if b.end is not None and b.freer != b.thread) and
           {t["tid"]: t["freed_by_others"] for t in threads if t["freed_by_others"]} ==
           collections.Counter(b.thread for b in blocks if b.end is not None and b.freer != b.thread),
           f"{name}: threads", threads, want, freed)
    sizes = report(world.trace, "sizes", *chosen.options)["sizes"]
    ok(all(c["min_size"] <= c["max_size"] for c in sizes) and
       (not exact or all(c["allocations"] == sum(c["min_size"] <= b.size <= c["max_size"] for b in blocks) for c in sizes)) and
       sum(c["leaked_bytes"] for c in sizes) == totals["leaked_bytes"] and
       sum(c["temporary"] for c in sizes) == totals["temporary"], f"{name}: sizes")
    line = report(world.trace, "timeline", *chosen.options)["timeline"]["intervals"]
    ok(max((i["max_bytes"] for i in line), default=0) == totals["peak_bytes"] and
       sum(i["allocations"] for i in line) == totals["allocations"] and sum(i["frees"] for i in line) == totals["frees"] and
       (line[-1]["end_bytes"] if line else 0) == totals["leaked_bytes"], f"{name}: timeline")
    life = report(world.trace, "lifetimes", *chosen.options)["lifetimes"]
    lives = [b.end - b.start for b in blocks if b.end is not None]
    ok(sum(h["blocks"] for h in life["histogram"]) == totals["frees"] and
       (not exact or not lives or (life["min_ns"], life["max_ns"]) == (min(lives), max(lives))), f"{name}: lifetimes",
       life["min_ns"], life["max_ns"], lives and (min(lives), max(lives)))
    groups = {by: report(world.trace, "--by", by, *chosen.options)["groups"] for by in ("function", "line", "module")}
    for by, keys in (("line", ("module", "function", "file", "line")), ("function", ("module", "function")), ("module", ("module",))):
        sums = collections.Counter()
        for group in groups["line"]:
            sums[tuple(group[key] for key in keys)] += group["allocated_bytes"]
        got = collections.Counter()
        for group in groups[by]:
            got[tuple(group[key] for key in keys)] += group["allocated_bytes"]
        ok(got == sums and sum(sums.values()) >= totals["allocated_bytes"], f"{name}: groups by {by} are sums of those by line")
    for by, all_groups in groups.items():
        ok(sum(g["allocated_bytes"] for g in all_groups if chosen.nested or not g.get("nested")) == totals["allocated_bytes"] and
           all(world.heaps[i] != g["heap"] or i in world.nested for g in all_groups if g.get("nested") for i in world.heaps),
           f"{name}: groups by {by} that are in totals add up to them, others say whose heap they are of")
    heaps = report(world.trace, "heaps", *chosen.options)["traces"][0]["heaps"]
    ok(sum(h["live_bytes"] for h in heaps if not h["nested"] or chosen.nested) == totals["leaked_bytes"], f"{name}: heaps")


def check_frees(world, chosen, everywhere, blocks, exact):
    """Who frees what, by pairs of threads and by stacks; how live bytes went on; both for every grouping."""
    name = " ".join(chosen.options)
    freed = [b for b in blocks if b.end is not None]
    for by in ("function", "site"):
        frees = report(world.trace, "frees", "--by", by, *chosen.options)["frees"]
        pairs = collections.Counter()
        for row in frees:
            for t in row["threads"]:
                pairs[t["allocated_by"], t["freed_by"]] += t["blocks"]
        want = collections.Counter((b.thread, b.freer) for b in freed)
        ok(all(row["blocks"] == sum(t["blocks"] for t in row["threads"]) and row["bytes"] == sum(t["bytes"] for t in row["threads"])
               for row in frees) and (not exact or (pairs == want and sum(row["bytes"] for row in frees) == sum(b.size for b in freed))),
           f"{name}: frees --by {by}: pairs of threads", pairs, want)
        if by == "site" and exact:
            got, places = collections.Counter(), collections.Counter()
            for row in frees:
                got[tuple((f["module"], f["offset"]) for f in row["free"]["stack"] if not f["inlined"])] += row["blocks"]
            for b in freed:
                places[tuple(node for node in world.dump.events[b.ended[0]] if node[0])] += 1
            ok(got == places, f"{name}: frees --by site: stacks that free", list((got - places).items())[:2], list((places - got).items())[:2])
    grown = report(world.trace, "growth", *chosen.options)["growth"]
    bands = report(world.trace, "timeline", "--by", "line", "--limit", "3", *chosen.options)["timeline_by"]
    ok([[sum(m[key] for m in moments) for key in ("live_bytes", "live_blocks", "allocations")]
        for moments in zip(*([g["moments"] for g in bands["groups"]] + [bands["rest"]["moments"]]))] ==
       [[sum(m[key] for m in moments) for key in ("live_bytes", "live_blocks", "allocations")] for moments in zip(*(g["moments"] for g in grown))]
       if grown else not bands["groups"], f"{name}: timeline --by: bands and the rest are all of it")
    live = [b for b in blocks if b.end is None]
    ok(sum(g["moments"][-1]["live_blocks"] for g in grown) == len(live) or not exact, f"{name}: growth ends with what is live",
       sum(g["moments"][-1]["live_blocks"] for g in grown), len(live))
    ok(all(a["allocations"] <= b["allocations"] and a["t_ns"] < b["t_ns"] for g in grown for a, b in zip(g["moments"], g["moments"][1:])) and
       (not exact or sum(g["moments"][-1]["allocations"] for g in grown) == len(blocks)), f"{name}: growth counts all allocations")
    if exact and grown and grown[0]["moments"][15]["t_ns"] > world.dump.times[0]:
        moment = grown[0]["moments"][15]["t_ns"]  # blocks that begin or end at this very moment may be on either side
        sure = sum(b.size for b in blocks if b.start < moment and (b.end is None or b.end > moment))
        more = sum(b.size for b in blocks if b.start == moment or b.end == moment)
        got = sum(g["moments"][15]["live_bytes"] for g in grown)
        ok(sure <= got <= sure + more, f"{name}: growth: live bytes in the middle", sure, got, more)
    wrong = report(world.trace, "mismatches", *chosen.options)["mismatches"]
    ok(all(w["kind"] != "mismatch" for w in wrong), f"{name}: no free of another family", wrong[:1])


def check_dump(world, chosen, blocks):
    """The lines of the events that begin or end a chosen block; of live ones only those that begin them."""
    live = "--at" in chosen.options
    numbers = {n for b in blocks if not live or b.end is None for n in b.began + b.ended}
    want = [world.dump.lines[n] for n in sorted(numbers)]
    got = [line for line in dumped(world.trace, *chosen.options) if b'"kind":"stack"' not in line]
    name = " ".join(chosen.options)
    ok(got == want, f"{name}: dump", len(got), len(want), (set(got) ^ set(want)).pop() if set(got) != set(want) else "")
    some = [line for line in dumped(world.trace, "--limit", "5", *chosen.options) if b'"kind":"stack"' not in line]
    ok(some == want[:5], f"{name}: dump --limit", len(some))


def check_suppressed(world, folder, pattern):
    """What leaked, in every view that says it, is what is live without a function of that name on its stack."""
    path = f"{folder}/suppressions"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"leak:^{pattern}$\n")
    rest = [b for b in world.dump.blocks if b.end is None and not any(pattern in world.functions(n) for n in b.stack)]
    outer = [b for b in rest if b.heap not in world.nested]
    ok(0 < len(rest) < sum(b.end is None for b in world.dump.blocks), f"{pattern}: suppresses some leaks, not all", len(rest))
    views = {view: report(world.trace, view, "--suppressions", path) for view in ("leaks", "sizes", "threads", "heaps")}
    sizes = views["sizes"]["sizes"]
    ok({k: v["totals"]["leaked_bytes"] for k, v in views.items()} == dict.fromkeys(views, sum(b.size for b in outer)) and
       all(v["totals"]["leaked_blocks"] == len(outer) for v in views.values()), f"{pattern}: totals")
    ok(sum(s["leaked_bytes"] for s in views["leaks"]["sites"]) == sum(b.size for b in rest), f"{pattern}: sites")
    ok(all((c["leaked_blocks"], c["leaked_bytes"]) == (len(fit), sum(b.size for b in fit)) for c in sizes
           for fit in [[b for b in outer if c["min_size"] <= b.size <= c["max_size"]]]), f"{pattern}: sizes", sizes)
    ok(all((t["leaked_blocks"], t["leaked_bytes"]) == (len(own), sum(b.size for b in own)) for t in views["threads"]["threads"]
           for own in [[b for b in outer if b.thread == t["tid"]]]), f"{pattern}: threads", views["threads"]["threads"])
    ok(all((h["leaked_blocks"], h["leaked_bytes"]) == (len(own), sum(b.size for b in own))
           for i, h in enumerate(views["heaps"]["traces"][0]["heaps"])
           for own in [[b for b in rest if b.heap == i]]), f"{pattern}: heaps", views["heaps"]["traces"][0]["heaps"])


def main():
    print(f"# SEED={SEED}")
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        ok(not world.dump.differences, "dump shows the events that the independent reader reads", *world.dump.differences[:3])
        ok(world.dump.unmatched == 0 and len(world.dump.blocks) > 3000 and len(world.nested) == 1, "the program is as planned",
           len(world.dump.blocks), world.heaps)
        full = 0
        for number in range(ROUNDS):
            chosen = Filter(rng, world, None if number else "--at")
            everywhere = list(chosen.choose(world))
            blocks = [b for b in everywhere if b.heap not in world.nested or chosen.nested]
            full += bool(blocks)
            totals, exact = check_totals(world, chosen, blocks)
            check_views(world, chosen, blocks, totals, exact)
            if number % 3 == 0:
                check_frees(world, chosen, everywhere, blocks, exact)
            if exact:
                check_dump(world, chosen, everywhere)
        for pattern in ("take", "step", "pooled"):
            check_suppressed(world, folder, pattern)
        ok(full >= ROUNDS // 5, f"{full} of {ROUNDS} combinations choose something")
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
