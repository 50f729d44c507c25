#!/usr/bin/python3
"""run --keep: the file is bounded, and totals, sites and live blocks are those of the whole run, also when all is killed."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path[:0] = ["tests/lib", "tests/steer"]
from steer import STEERED, Steered, report, valtrace  # noqa: E402
from valtest import VALTRACE, Tap, vtr  # noqa: E402

KEEP = 1 << 20
EXACT = ("allocations frees reallocs allocated_bytes peak_bytes peak_blocks leaked_bytes leaked_blocks temporary cross_thread_frees "
         "lost_blocks reachable_blocks").split()
BY_SITE = "allocations allocated_bytes temporary peak_bytes peak_blocks leaked_bytes leaked_blocks frees reallocs".split()
STEPS = [line for k in range(12) for line in ("x 50000", "a 50 100", "r 30 200", "f 20", "n 3", "l 1", f"a 1 {1000 + k}")]


def run(*options):
    s = Steered(*options)
    s.tell(*STEPS)
    s.end()
    return s


def sites(got):
    """By function names the counters; all of them at places in the program's own code."""
    return sorted(([frame["function"] for frame in site["stack"]], [site[key] for key in BY_SITE]) for site in got["sites"])


def check_equal(tap):
    whole, kept = run(), run("--keep", str(KEEP))
    want, got = report(whole.path, "hot"), report(kept.path, "hot")
    tap.ok(os.path.getsize(whole.path) > 2 * KEEP, "the recording is much larger than what is kept", [os.path.getsize(whole.path)])
    tap.ok(os.path.getsize(kept.path) < 2 * KEEP, "the file that keeps the last events is bounded", [os.path.getsize(kept.path)])
    tap.equal({key: got["totals"][key] for key in EXACT}, {key: want["totals"][key] for key in EXACT}, "totals are those of the whole run")
    tap.equal(sites(got), sites(want), "so are sites")
    have = got["completeness"]
    tap.equal((have["complete"], have["events_since_ns"] > 0, have["unmatched_frees"], have["missed_frees"]), (True, True, 0, 0), "it is complete, and says since when it has events")
    trace = vtr.Trace(kept.path)
    model = vtr.Model(trace)
    naive = dict(allocations=model.allocations, frees=model.frees, reallocs=model.reallocs, temporary=model.temporary,
                 peak_bytes=model.peak_bytes, leaked_bytes=sum(b[0] for b in model.live.values()), leaked_blocks=len(model.live))
    tap.equal(naive, {key: got["totals"][key] for key in naive}, "as the naive model has it, from summary and events")
    tap.equal(os.listdir(kept.folder), ["t.vtr"], "no other file is left")
    return whole, kept


def check_views(tap, path):
    since = report(path, "hot")["completeness"]["events_since_ns"]
    for view in ("leaks", "hot", "peak", "temporary", "summary", "reallocs", "modules", "heaps"):
        tap.ok("as their sum" in valtrace("report", view, path), f"report {view}: of all, and says so")
    tap.ok("None are looked for: of older events only the sum is kept" in valtrace("report", path), "report: totals of all, and no finding is made up")
    tap.ok(report(path)["totals"] == report(path, "hot")["totals"], "report --json: the same totals")
    for args in (["report", "timeline"], ["report", "growth"], ["report", "memory"], ["report", "hot", "--min-size", "1"],
                 ["html", "-o", path + ".html"], ["export", "--format", "sqlite", "-o", path + ".db"], ["block", "0x1000"]):
        out = subprocess.run([VALTRACE, *args, path], capture_output=True, text=True)
        tap.ok(out.returncode == 2 and out.stderr.count("\n") == 1 and "--from" in out.stderr, f"{args}: not told by a sum", [out])
        if args[0] != "block":
            valtrace(*args, "--from", str(since / 1e9 + 0.001), path, status=None)
    later = report(path, "lifetimes", "--from", f"{since / 1e9 + 0.001:.6f}")
    tap.ok(later["completeness"]["unmatched_frees"] == 0, "and with --from every view can be had")


def check_packed(tap, path):
    valtrace("pack", path, "-o", path + ".packed")
    tap.equal(report(path + ".packed", "hot")["totals"], report(path, "hot")["totals"], "pack keeps the summary")


def check_killed(tap):
    """SIGKILL of everything: what was flushed is there, and adds up."""
    for kill in range(3):
        folder = tempfile.mkdtemp(prefix="steer-")
        path = os.path.join(folder, "t.vtr")
        run_ = subprocess.Popen([VALTRACE, "run", "-q", "--no-snapshot", "--keep", str(KEEP), "-o", path, "--", STEERED],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        run_.stdout.readline()
        for _ in range(12 + 5 * kill):
            run_.stdin.write(b"x 20000\n")
            run_.stdin.flush()
            run_.stdout.readline()
        for pid in recorders(path):
            os.kill(pid, signal.SIGKILL)
        run_.stdin.close()
        run_.wait()
        model, got = vtr.Model(vtr.Trace(path)), report(path, "hot")
        tap.equal((got["totals"]["allocations"], got["totals"]["leaked_blocks"], got["completeness"]["torn_tail_bytes"]),
                  (model.allocations, len(model.live), 0), f"killed: the file of that name is whole ({kill})")
        tap.ok(0 < model.allocations <= 20000 * (12 + 5 * kill) and len(model.live) <= 4096, "and plausible", [model.allocations, len(model.live)])
        shutil.rmtree(folder)


def recorders(path):
    """Processes that have the trace, or what is to replace it, open."""
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            names = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            continue
        if any(name.startswith(path) for name in names):
            out.append(int(pid))
    return out


def main():
    tap = Tap()
    whole, kept = check_equal(tap)
    check_views(tap, kept.path)
    check_packed(tap, kept.path)
    shutil.rmtree(whole.folder)
    shutil.rmtree(kept.folder)
    check_killed(tap)
    tap.done()


main()
