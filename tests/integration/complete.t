#!/usr/bin/env python3
"""A record never claims more than it has: cut files, killed collectors and programs, full disks, traces
that still grow. Every command says the same of them.

What is there is known from the independent reader: where chunks begin, and what the program said."""
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.getcwd(), "tests", "lib"))
from valtest import SHIM, VALTRACE, Tap, adopt_orphans, program, vtr  # noqa: E402

SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
PAIRS = 4000  # several segments
CUTS = 40
LONG = os.environ.get("VALTEST_LONG")  # every command is asked about every trace; else some of them not


def valtrace(*args):
    return subprocess.run([VALTRACE, *args], capture_output=True, check=False)


def check(*paths):
    return json.loads(valtrace("check", "--json", *paths).stdout)


def bare(path, *args, **more):
    return subprocess.Popen(program("halves", *args), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            env={**os.environ, "LD_PRELOAD": SHIM, "VALTRACE_OUTPUT": path}, **more)


def run(path, *args, options=()):
    return subprocess.Popen([VALTRACE, "run", *options, "-o", path, "--", *program("halves", *args)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def said(process, what):
    """The number behind the line that the program is waited for."""
    name, number = process.stdout.readline().split()
    assert name.decode() == what, name
    return int(number)


def go_on(process):
    process.stdin.write(b"x")
    process.stdin.flush()


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def collector_of(process):
    """run's child that is not the program."""
    def exe(pid):
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    return next(pid for pid in children(process.pid) if exe(pid) == "valtrace")


def verdicts(path):
    """What each command says of a trace: (complete, ended, exit status or None) by command."""
    report, checked = (json.loads(valtrace(command, "--json", path).stdout) for command in ("report", "check"))
    budget, text = valtrace("check-budget", "--max-peak", "1000G", path), valtrace("report", path).stdout.decode()
    record = re.search(r"^  record +(\w+)", text, re.M).group(1)
    return {"report": report["completeness"]["complete"], "text": record == "complete", "check": checked[0]["complete"],
            "budget": budget.returncode == 0 and b"within budget\n" == budget.stdout}, checked[0], report, text, budget


def more_verdicts(path):
    """The same of the commands that read a trace as the report does."""
    diff = json.loads(valtrace("diff", "--json", path, path).stdout)
    page = os.path.join(tempfile.gettempdir(), f"complete-{os.getpid()}.html")
    valtrace("html", path, "-o", page)
    with open(page, encoding="utf-8") as file:
        shown = re.search(r'"completeness":\s*\{\s*"complete":\s*(true|false)', file.read())
    os.unlink(page)
    export = valtrace("export", "--format", "folded", path)
    return {"diff": diff["completeness_after"]["complete"], "page": not shown or shown.group(1) == "true",
            "export": b"incomplete" not in export.stderr}


def agree(tap, path, complete, ended, name, all_commands=bool(LONG)):
    """The commands say that the trace is complete, or that it is not."""
    said_by, document, report, text, budget = verdicts(path)
    if all_commands:
        said_by.update(more_verdicts(path))
    good = set(said_by.values()) == {complete} and document["ended"] == report["completeness"]["ended"] == ended
    if not complete:
        good &= bool(document["reasons"]) and budget.returncode == 1 and budget.stderr.count(b"\n") == 1 \
            and b"within budget\n" not in budget.stdout
    good &= valtrace("check", path).returncode == (0 if complete else 3)
    tap.ok(good, name, [said_by, document, text[:1500], budget.stderr])
    return report["completeness"], text


def boundaries(data, at):
    """Where chunks begin, from `at` on, and the type of each."""
    found = []
    while at + 32 <= len(data) and data[at:at + 4] == vtr.CHUNK_MAGIC:
        kind, _flags, size = struct.unpack_from("<HHQ", data, at + 4)
        found.append((at, kind))
        at += (32 + size + 7) // 8 * 8
    return found, at


def cut(folder, data, places):
    paths = []
    for place in places:
        paths.append(os.path.join(folder, f"cut-{place}.vtr"))
        with open(paths[-1], "wb") as file:
            file.write(data[:place])
    return paths


def check_cuts(tap, folder, path, kind, end):
    """Cut at every chunk and at random bytes before `end`, where the last thing that counts ends."""
    data = vtr.read_data(path)
    header = struct.unpack_from("<I", data, 12)[0]
    rng = random.Random(SEED)
    places = sorted({at for at, _kind in boundaries(data, header)[0] if at < end} | {rng.randrange(header, end) for _ in range(CUTS)})
    paths = cut(folder, data, places)
    wrong = [(place, got) for place, got in zip(places, check(*paths)) if got["complete"] or not got["reasons"]]
    tap.ok(not wrong, f"{kind}: cut in {len(places)} places, never complete (seed {SEED})", wrong[:3])
    wrong = [p for p in rng.sample(paths, 8) if vtr.Trace(p).complete]
    tap.ok(not wrong, f"{kind}: nor does the independent reader say so", wrong)
    packed = os.path.join(folder, "packed.vtr")
    wrong = []
    for p in rng.sample(paths, 5):
        valtrace("pack", "--no-symbols", p, "-o", packed)
        wrong += [p for got in check(packed) if got["complete"]]
    tap.ok(not wrong, f"{kind}: packing a cut file does not make it complete", wrong)
    tap.ok(check(path)[0]["complete"] and vtr.Trace(path).complete, f"{kind}: the whole file is complete")
    for p in paths:
        os.unlink(p)


def check_collector(tap, folder):
    path = os.path.join(folder, "run.vtr")
    process = run(path, PAIRS, 0, "exit")
    go_on(process)
    process.communicate()
    data = vtr.read_data(path)
    chunks, _end = boundaries(data, struct.unpack_from("<I", data, 12)[0])
    check_cuts(tap, folder, path, "run", next(at for at, kind in chunks if kind == vtr.END))
    check_other_damage(tap, folder, data, chunks)
    check_late_look(tap, folder, path, data, len(chunks))
    missing = os.path.join(folder, "gap.vtr")
    at, kind = chunks[len(chunks) // 2]
    with open(missing, "wb") as file:
        file.write(data[:at] + data[chunks[len(chunks) // 2 + 1][0]:])
    repacked = os.path.join(folder, "repacked.vtr")
    valtrace("pack", "--no-symbols", missing, "-o", repacked)
    tap.ok(not any(got["complete"] for got in check(missing, repacked)), f"a chunk taken out (type {kind}) is missed, also when packed",
           check(missing, repacked))


def check_other_damage(tap, folder, data, chunks):
    """A damaged chunk that holds no events: then none is missing, and nothing is said of missing ones."""
    at, kind = [c for c in chunks if c[1] == vtr.CLOCK][-1]
    path = os.path.join(folder, "other.vtr")
    with open(path, "wb") as file:
        file.write(data[:at + 33] + bytes([data[at + 33] ^ 255]) + data[at + 34:])
    have = json.loads(valtrace("report", "--json", path).stdout)["completeness"]
    text = valtrace("report", path).stdout.decode()
    tap.ok(not have["complete"] and (have["missing_events"], have["missing_since_ns"]) == (0, None) and
           "is damaged" in text.replace("\n    ", " ") and "missing" not in text, f"a damaged chunk without events (type {kind})", [have, text[:900]])


def check_late_look(tap, folder, path, data, seq):
    """What the collector notes after the process said its end, a second later here, is no time of the process."""
    trace = vtr.Trace(path)
    payload = struct.pack("<6Q", trace.process[-1][0] + trace.tick_hz, 1 << 20, 1 << 20, 0, 0, 0)
    head = vtr.CHUNK_MAGIC + struct.pack("<HHQII", vtr.MEMORY, 0, len(payload), seq, 0)
    late = os.path.join(folder, "late.vtr")
    with open(late, "wb") as file:
        file.write(data + head + struct.pack("<Q", vtr.xxh64(head + payload)) + payload)
    ran = [json.loads(valtrace("report", "--json", p).stdout)["traces"][0]["duration_ns"] for p in (path, late)]
    tap.ok(len(vtr.Trace(late).memory) == len(trace.memory) + 1 and ran[0] == ran[1], "a look after the end makes the process no longer", ran)


def check_half_begun(tap, path):
    """A thread that is killed while it writes a segment's header has not yet counted it."""
    at = (len(vtr.read_data(path)) + vtr.SEGMENT_SZ - 1) // vtr.SEGMENT_SZ * vtr.SEGMENT_SZ
    header = vtr.CHUNK_MAGIC + struct.pack("<HHQII", vtr.SEGMENT, 2, vtr.SEGMENT_SZ - 32, at // vtr.SEGMENT_SZ, 1)
    wrong = []
    for size in (4, 6, 8, 12, 16, 20, 24, 0):
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(header[:size] + bytes(len(header) - size))
        wrong += [size] if not (check(path)[0]["complete"] and vtr.Trace(path).complete) else []
    tap.ok(not wrong, "bare, killed in the header of a segment: nothing is missing", wrong)


def check_bare_killed(tap, folder):
    path = os.path.join(folder, "killed.vtr")
    process = bare(path, PAIRS, 0, "kill")
    said(process, "half")
    so_far, text = agree(tap, path, False, "running", "bare, growing: recording, in every command", True)
    tap.ok("live so far" in text and "still being recorded" in " ".join(so_far["reasons"]) and "damaged" not in text,
           "bare, growing: blocks are live so far", [text[:800]])
    copy = os.path.join(folder, "copy.vtr")
    subprocess.run(["cp", "--sparse=always", path, copy], check=True)  # of a file that grows: all segments that it tells of are in it
    agree(tap, copy, False, "unknown", "bare, a copy of a growing one: not known to have ended")
    packed = os.path.join(folder, "whole.vtr")
    valtrace("pack", "--no-symbols", copy, "-o", packed)
    agree(tap, packed, False, "unknown", "the same, packed")
    go_on(process)
    process.communicate()
    agree(tap, copy, False, "unknown", "the same when the process has been killed meanwhile")
    tap.ok(not vtr.Trace(copy).complete and vtr.Trace(path).complete, "nor is it complete for the independent reader, but the file is")
    have, text = agree(tap, path, True, "killed", "bare, killed: it has everything, and says killed", True)
    moved = os.path.join(folder, "moved.vtr")
    os.rename(path, moved)
    os.link(moved, path)
    tap.ok(all(got["complete"] for got in check(path, moved)), "bare, killed: another name is the same file")
    tap.ok(have["missing_events"] == 0 and have["missing_since_ns"] is None and vtr.Model(vtr.Trace(path)).allocations >= 2 * PAIRS,
           "bare, killed: nothing is missing", [have])
    check_half_begun(tap, path)
    check_cuts(tap, folder, path, "bare", len(vtr.read_data(path)) // vtr.SEGMENT_SZ * vtr.SEGMENT_SZ)
    valtrace("pack", path, "-o", packed)
    agree(tap, packed, True, "killed", "bare, killed, packed: complete and killed")


def check_collector_killed(tap, folder):
    path = os.path.join(folder, "orphan.vtr")
    process = run(path, PAIRS, 0, "exit", options=("--fail-on-leak",))
    said(process, "half")
    while not os.path.exists(path) or not check(path)[0]["events"]:
        time.sleep(0.02)  # it flushes from time to time
    _have, text = agree(tap, path, False, "running", "run, growing: recording, in every command", True)
    tap.ok("live so far" in text, "run, growing: blocks are live so far", [text[:800]])
    os.kill(collector_of(process), signal.SIGKILL)
    go_on(process)
    _out, err = process.communicate()
    tap.ok(process.returncode == 1 and err.count(b"\n") == 1 and b"collector was killed" in err,
           "collector killed: run says so in one line, and --fail-on-leak fails", [process.returncode, err])
    have, _text = agree(tap, path, False, "unknown", "collector killed: incomplete, in every command", True)
    tap.ok(have["missing_events"] is None and have["missing_since_ns"] is not None, "collector killed: since when is known, how much is not", [have])


def check_full_disk(tap, folder):
    small = os.path.join(folder, "small")
    os.mkdir(small)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small], check=False, capture_output=True).returncode:
        tap.skip("full disk", "needs the right to mount")
        return
    try:
        path, pairs = os.path.join(small, "t.vtr"), 500000
        process = run(path, pairs // 2, 0, "exit")
        go_on(process)
        out, err = process.communicate()
        tap.ok(process.returncode == 0 and err.count(b"\n") == 1 and b"incomplete" in err and out.count(b"\n") == 2,
               "full disk: the program's status, and one line", [process.returncode, err])
        have, _text = agree(tap, path, False, "exit", "full disk: incomplete, in every command", True)
        # All blocks but those in the slots at the end are freed; stdio allocates a little.
        there, happened = check(path)[0]["events"], 2 * pairs - 1024
        tap.ok(have["missing_events"] and 0 <= there + have["missing_events"] - happened <= 40,
               "full disk: what is missing is counted", [there, have, happened])
        os.unlink(path)
        process = bare(path, pairs // 2, 0, "exit", stderr=subprocess.PIPE)
        go_on(process)
        process.communicate()
        if os.path.exists(path):
            have, _text = agree(tap, path, False, "unknown", "full disk, bare: incomplete")
            tap.ok(have["missing_events"] and have["missing_since_ns"], "full disk, bare: how much and since when", [have])
    finally:
        subprocess.run(["umount", small], check=True)


def check_ends(tap, folder):
    """Ends that no hook sees: the kernel's word, else none, but not `killed`."""
    path = os.path.join(folder, "raw.vtr")
    process = run(path, 10, 0, "raw")
    go_on(process)
    process.communicate()
    agree(tap, path, True, "exit", "exit by a system call of the program's own: exit")
    process = run(path, 10, 0, "child")
    go_on(process)
    process.communicate()
    child = next(p for p in (os.path.join(folder, n) for n in os.listdir(folder)) if re.search(r"raw\.\d+\.\d+\.vtr$", p))
    ended = check(child)[0]["ended"]
    tap.ok(ended in ("exit", "unknown"), "the same of a child: the status that the kernel keeps, or unknown", [ended])
    path = os.path.join(folder, "signal.vtr")
    process = run(path, 10, 0, "kill")
    go_on(process)
    process.communicate()
    agree(tap, path, True, f"signal:{signal.SIGKILL}", "killed under run: complete, and the signal")


def timeline(path):
    document = json.loads(valtrace("report", "timeline", "--json", path).stdout)
    return document["timeline"], document["totals"], document["traces"][0]["duration_ns"]


def timeline_totals(*paths):
    return json.loads(valtrace("report", "summary", "--json", *paths).stdout)["totals"]


def check_memory(tap, folder):
    """The kernel's own word for the peak is the oracle; the last sample is the last."""
    mib = 64
    for ending in ("exit", "kill"):
        path = os.path.join(folder, f"memory-{ending}.vtr")
        process = run(path, 10, mib, ending)
        said(process, "half")
        go_on(process)
        peak = said(process, "all") << 10
        process.communicate()
        line, totals, duration = timeline(path)
        last = line["memory"][-1]["resident_bytes"]
        tap.ok(peak > mib << 20 and abs(totals["peak_rss_bytes"] - peak) < 2 << 20, f"{ending}: peak RSS is the kernel's",
               [totals["peak_rss_bytes"], peak])
        tap.ok(totals["peak_rss_at_least"] is False, f"{ending}: the peak RSS of the first process is certain", [totals])
        if ending == "exit":  # of a process that is killed the last sample may be a tenth of a second old
            tap.ok(last < mib << 19, f"{ending}: the last sample is the last, not the highest", [line["memory"]])
        trace = vtr.Trace(path)
        ended = max(p[0] for p in trace.process) - trace.start_tick
        rate = (trace.clocks[-1][1] - trace.clocks[0][1]) / (trace.clocks[-1][0] - trace.clocks[0][0])
        until = line["intervals"][-1]["start_ns"] + line["step_ns"]
        tap.ok(until >= ended * rate - 1e6 and duration >= ended * rate - 1e6, f"{ending}: the timeline goes on to the process's end",
               [until, duration, ended * rate])


def check_uncertain_peaks(tap, folder):
    """Of who is killed and no child of run's there is the last look at most; of a bare one not even that."""
    mib = 64
    path = os.path.join(folder, "looked.vtr")
    process = run(path, 10, mib, "killed-child")
    said(process, "half")
    go_on(process)
    process.communicate()
    child = next(p for p in (os.path.join(folder, n) for n in os.listdir(folder)) if re.search(r"looked\.\d+\.\d+\.vtr$", p))
    _line, totals, _duration = timeline(child)
    text = valtrace("report", child).stdout.decode()
    tap.ok(totals["peak_rss_at_least"] is (totals["peak_rss_bytes"] is not None) and totals["peak_rss_bytes"] != 0,
           "a killed child's peak RSS is a lower bound, or not known", [totals])
    tap.ok(("peak RSS" in text) == ("at least: the last that was seen" in text), "the text says so", [text[:1500]])
    tap.ok("the parent may have allocated it before the fork" in " ".join(text.split()), "blocks that the child frees for its parent are called so", [text[:1500]])
    tap.equal(timeline_totals(path, os.path.join(folder, ".", "looked.vtr")), timeline_totals(path), "a trace that is named twice counts once")
    both = timeline_totals(path, child)
    tap.ok(both["peak_rss_at_least"] and both["peak_rss_bytes"] > mib << 20, "the peak of several traces is as certain as all of them", [both])
    path = os.path.join(folder, "unseen.vtr")
    process = bare(path, 10, mib, "kill")
    said(process, "half")
    go_on(process)
    process.communicate()
    _line, totals, _duration = timeline(path)
    tap.ok(totals["peak_rss_bytes"] is None and totals["peak_rss_at_least"] is False, "bare and killed: not known, and not 0", [totals])
    tap.ok("peak RSS" not in valtrace("report", path).stdout.decode(), "the text is silent on it")


def main():
    adopt_orphans()
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="complete-") as folder:
        check_collector(tap, folder)
        check_bare_killed(tap, folder)
        check_collector_killed(tap, folder)
        check_full_disk(tap, folder)
        check_ends(tap, folder)
        check_memory(tap, folder)
        check_uncertain_peaks(tap, folder)
    tap.done()


main()
