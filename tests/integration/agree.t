#!/usr/bin/python3
"""The C reader and the independent one agree event for event, on raw and on packed traces."""
import json
import os
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from valtest import PROGRAMS, VALTRACE, Run, Tap, program, vtr  # noqa: E402

KINDS = {"alloc": vtr.ALLOC, "free": vtr.FREE, "realloc_intent": vtr.INTENT, "realloc": vtr.DONE}
PROGRAMS_TRIED = {"planted": program("planted", os.path.join(PROGRAMS, "libplanted.so")),
                  "apis": program("apis", "realloc"), "aligned": program("apis", "aligned"),
                  "newdel": program("newdel"), "loader": program("loader", "threads", PROGRAMS),
                  "threads": program("threads", "cross"),
                  "python": ["/usr/bin/python3", "-c", "import json; print(len(json.dumps([{'a': 1}] * 2000)))"]}


def by_thread(events):
    threads = {}
    for event in events:
        threads.setdefault(event[0], []).append(event[1:])
    return threads


def own(trace):
    """(thread, kind, address, size, align, stack innermost first) as the independent reader sees it."""
    out = []
    for e in trace.events():
        stack = trace.stack(e.stack) if e.stack is not None else None
        out.append((e.tid, e.kind, e.address, e.size, e.align, stack[:0:-1] if stack else ()))
    return out


def dumped(path):
    """The same of `valtrace dump --json`."""
    out, pcs = [], {}
    text = subprocess.run([VALTRACE, "dump", "--json", path], capture_output=True, check=True).stdout
    for line in text.splitlines():
        d = json.loads(line)
        if d["kind"] == "stack":
            pcs[d["id"]] = d["pc"]
        elif d["kind"] in KINDS:
            stack = tuple(pcs[i] for i in d.get("stack") or ())
            kind = KINDS[d["kind"]]
            said = "said_" if kind == vtr.FREE else ""
            out.append((d["thread"], kind, d["address"], d.get(f"{said}size", 0), d.get(f"{said}align", 0),
                        () if kind == vtr.DONE else stack))
    return out


def silent(events):
    """Without what operator delete was told, of which packing keeps what may be wrong."""
    return [(*e[:3], 0, 0, e[5]) if e[1] == vtr.FREE else e for e in events]


def first_difference(a, b):
    for i, (x, y) in enumerate(zip(a, b)):
        if x != y:
            return [f"event {i}", x, y]
    return [f"{len(a)} and {len(b)} events"]


def same(tap, a, b, name):
    a, b = by_thread(a), by_thread(b)
    problems = [] if a.keys() == b.keys() else [f"threads {sorted(a)} and {sorted(b)}"]
    for tid in a.keys() & b.keys():
        if a[tid] != b[tid]:
            problems += [f"thread {tid}", *first_difference(a[tid], b[tid])]
    tap.ok(not problems and sum(map(len, a.values())) > 0, name, problems[:8])


def misfits(events):
    """Events that allocate a live block or free a dead one. Equal times leave the order open otherwise."""
    live, limbo, found = set(), {}, []
    for event in events:
        tid, kind, address, size = event[:4]
        made = kind == vtr.ALLOC or kind == vtr.DONE and address
        if made and address in live or kind in (vtr.FREE, vtr.INTENT) and address not in live:
            found.append(event[:4])
        if made:
            live.add(address)
        if kind in (vtr.FREE, vtr.INTENT):
            live.discard(address)
        if kind == vtr.INTENT:
            limbo[tid] = address
        if kind == vtr.DONE and not address and size:
            live.add(limbo[tid])
    return found[:3]


def main():
    tap = Tap()
    for name, argv in PROGRAMS_TRIED.items():
        run = Run(argv, "bare")
        raw = run.main_trace().path
        packed = run.folder + "/packed.trace"
        subprocess.run([VALTRACE, "pack", raw, "-o", packed], check=True, capture_output=True)
        mine, mine_packed = own(vtr.Trace(raw)), own(vtr.Trace(packed))
        same(tap, silent(mine), silent(mine_packed), f"{name}: packing changes no event")
        same(tap, mine, dumped(raw), f"{name}: dump of the raw trace")
        same(tap, mine_packed, dumped(packed), f"{name}: dump of the packed trace")
        tap.equal(misfits(dumped(packed)), [], f"{name}: addresses alternate in the order of dump")
        run.remove()
    tap.done()


main()
