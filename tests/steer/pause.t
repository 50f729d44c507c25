#!/usr/bin/python3
"""ctl stop and start, run --start-paused and --duration: what is recorded is exactly what happened in between."""
import collections
import gzip
import json
import os
import shutil
import subprocess
import sys

sys.path[:0] = ["tests/lib", "tests/steer"]
from steer import Steered, report, valtrace  # noqa: E402
from valtest import VALTRACE, Tap, vtr  # noqa: E402

SIZE = 4321  # nothing else in the program has it


def sized(trace, size, kind=vtr.ALLOC):
    return sum(1 for event in trace.events() if event.kind == kind and event.size == size)


def both(*args):
    """What a command says on both streams."""
    out = subprocess.run([VALTRACE, *args], capture_output=True, text=True)
    return " ".join((out.stdout + out.stderr).split())


def totals_agree(tap, path, name, but=()):
    """The C model against the naive one of the independent reader."""
    model, got = vtr.Model(vtr.Trace(path)), report(path)
    naive = dict(allocations=model.allocations, leaked_blocks=len(model.live), temporary=model.temporary,
                 peak_bytes=model.peak_bytes, unsure_blocks=model.unsure[0], unsure_bytes=model.unsure[1],
                 ended_unseen=model.ended_unseen, peak_at_least_bytes=model.sure_peak)
    naive = {key: value for key, value in naive.items() if key not in but}
    whole = {**got["totals"], **got["completeness"]}
    tap.equal({key: whole[key] for key in naive}, naive, f"{name}: as the naive model has it")
    return got


def check_stretches(tap):
    """Three recorded stretches and two pauses between them."""
    s = Steered()
    s.tell(f"a 1000 {SIZE}", "f 10")
    tap.equal(s.ctl("stop"), "paused\n", "stop")
    tap.ok("paused" in s.ctl("status"), "status says so")
    tap.equal(s.ctl("stop"), "paused\n", "stop again changes nothing")
    # 990 blocks; 500 of them are freed unseen, 200 come unseen, and 100 of these are resized
    s.tell("f 500", f"a 200 {SIZE}", f"r 100 {SIZE + 1}")
    tap.equal(s.ctl("start"), "recording\n", "start")
    s.tell("f 200", f"a 300 {SIZE}")  # the unseen ones are freed: no wrong frees
    s.ctl("mark", "between")
    s.ctl("stop")
    s.tell(f"a 50 {SIZE}", "f 50")
    s.ctl("start")
    s.tell(f"a 7 {SIZE}", f"r 3 {SIZE + 2}")
    tap.equal(s.end(), 0, "the program ends as ever")
    trace = vtr.Trace(s.path)
    tap.equal([kind for _, kind, _, _ in trace.process], ["started", "paused", "resumed", "paused", "resumed", "exit"],
              "the trace says from when to when")
    tap.equal(sized(trace, SIZE), 1307, "allocations are those of the recorded stretches")
    tap.equal((sized(trace, SIZE + 1, vtr.DONE), sized(trace, SIZE + 2, vtr.DONE)), (0, 3), "so are reallocs")
    got = totals_agree(tap, s.path, "stretches")
    have = got["completeness"]
    tap.equal(have["unmatched_frees"], 0, "a free of a block from a pause is no wrong free")
    tap.equal((have["complete"], len(have["not_recorded"]), have["missing_events"]), (False, 2, None), "completeness")
    tap.equal(have["missing_since_ns"], have["not_recorded"][0]["from_ns"], "missing since the first pause")
    text = valtrace("report", "summary", s.path)
    tap.ok("recording was paused from" in text and "paused 1 time before that" in text, "the report says it", [text])
    tap.ok(f"{have['unsure_blocks']} block" in text.replace(",", "") and "not known" in text, "and what is not known", [text])
    for command in (["check", s.path], ["check-budget", "--max-live", "1G", s.path]):
        out = valtrace(*command, status=3 if command[0] == "check" else 1)
        tap.ok("paused" in out or command[0] != "check", f"{command[0]} refuses a trace with gaps", [out])
    for command in (["check-budget", "--max-live", "1G"], ["diff", s.path], ["diff", "--fail-if", "live>1G", s.path],
                    ["export", "--format", "csv"], ["diff", "--fail-if", "live>1G", "--format", "junit", s.path]):
        said = both(*command, s.path)
        tap.ok("paused from" in said and "paused 1 time before" in said, f"{command[0]} tells all reasons", [said])
    before, after = (len(report(s.path, "--at", at)["sites"]) for at in ("between", "1000"))
    tap.ok(before and after, "a moment between two pauses can be looked at")
    tap.equal(report(s.path, "--min-lifetime", "1ns")["totals"]["allocations"], got["totals"]["allocations"] - have["ended_unseen"],
              "what ended unseen has no lifetime")
    at = report(s.path, "--at", "between")
    tap.equal(at["completeness"]["unsure_blocks"] > 0, True, "what was not known at that moment")
    shutil.rmtree(s.folder)


def check_unsure(tap):
    """Everything that lived at the pause is unsure, until it is freed or its address is handed out again."""
    s = Steered("--no-snapshot")
    s.tell(f"a 100 {SIZE}")
    s.ctl("stop")
    s.tell("f 40", "f 0")
    s.ctl("start")
    s.tell("f 10")  # of the 60 that are left
    s.end()
    got = totals_agree(tap, s.path, "unsure")
    tap.equal((got["completeness"]["ended_unseen"], got["completeness"]["unsure_blocks"] % 100), (10, 90), "90 are not known")
    tap.equal(got["totals"]["peak_at_most"], False, "the peak was before, and is exact")
    shutil.rmtree(s.folder)


def check_peak(tap):
    """A peak after a pause counts blocks that were freed in it."""
    s = Steered("--no-snapshot")
    s.tell(f"a 100 {SIZE}")
    s.ctl("stop")
    s.tell("f 100")
    s.ctl("start")
    s.tell(f"a 300 {2 * SIZE}")
    s.end()
    totals, text = totals_agree(tap, s.path, "bounds")["totals"], valtrace("report", s.path)
    tap.ok(totals["peak_bytes"] > 600 * SIZE and totals["peak_at_most"] and "that at most" in " ".join(text.split()),
           "a peak that counts blocks that were freed unseen is called so", [totals, text])
    tap.equal(totals["peak_at_least_bytes"], 600 * SIZE, "and has a bound below")
    check_views_of_peak(tap, s.path, totals["peak_bytes"] - 600 * SIZE)
    shutil.rmtree(s.folder)


def check_growth(tap):
    """What was freed in each pause has not grown, though the reader cannot see that; nor has anybody made the peak for sure."""
    s = Steered("--no-snapshot")
    for i in range(20):  # of sizes and in numbers that addresses are rarely handed out again
        s.tell(f"a {300 + 10 * i} {SIZE + 208 * i}")
        s.ctl("stop")
        s.tell(f"f {300 + 10 * i}")
        s.ctl("start")
    s.tell(f"a 10 {SIZE}")
    s.end()
    got = report(s.path)
    tap.ok(got["totals"]["peak_at_most"] and got["completeness"]["unsure_bytes"] > 10 * 300 * SIZE, "blocks freed in pauses add up", [got["totals"]])
    tap.equal([f["kind"] for f in got["findings"] if f["kind"] in ("growing", "peak", "spike")], [], "no finding rests on them")
    text = valtrace("report", "growth", s.path)
    tap.ok("at most" in text and "not known" in text.split("GROWTH")[1] and "all the time  " not in text, "the view of growth says what they leave open", [text])
    last = [row["moments"][-1] for row in report(s.path, "growth")["growth"]]
    tap.equal(last and last[0]["unsure_bytes"], last and last[0]["live_bytes"] - 10 * SIZE, "JSON tells how much")
    shutil.rmtree(s.folder)


def check_views_of_peak(tap, path, unsure):
    """Every view of a peak, or of what is live, says how much of it is not known."""
    site = report(path, "peak")["sites"]
    tap.equal(sum(s["peak_unsure_bytes"] for s in site), unsure, "per site")
    curve = report(path, "timeline")["timeline"]["intervals"]
    tap.equal(max(i["max_bytes"] - i["max_at_least_bytes"] for i in curve) >= unsure, True, "the curve has both bounds")
    diff = json.loads(valtrace("diff", "--json", "--metric", "peak", path, path))
    tap.equal(diff["totals"]["peak_at_least_bytes_after"] < diff["totals"]["peak_bytes_after"], True, "diff's JSON")
    texts = {name: both(*words) for name, words in {
        "peak": ["report", "peak"], "timeline": ["report", "timeline"], "live": ["report", "leaks", "--leak-kind", "live"],
        "diff": ["diff", path], "csv": ["export", "--format", "csv"], "massif": ["export", "--format", "massif"],
        "flame": ["flame"]}.items() for words in [[*words, path]]}
    words = dict(peak="of these may have been freed", timeline="≤", live="of these may have been freed", diff="between",
                 csv="may have been freed while recording was paused", massif="may have been freed while recording was paused",
                 flame="may have been freed while recording was paused")
    tap.equal([name for name in words if words[name] not in texts[name]], [], "texts and exports say it")
    files = {form: subprocess.run([VALTRACE, "export", "--format", form, path], capture_output=True, check=True).stdout
             for form in ("pprof", "speedscope", "heaptrack", "dhat", "massif", "callgrind", "firefox")}
    files["pprof"] = gzip.decompress(files["pprof"])
    tap.equal([form for form in files if b"may have been freed while recording was paused" not in files[form]], [], "so do files of formats with place for it")
    gates = both("check-budget", "--max-peak", "1k", path), both("diff", "--fail-if", "peak>1k", path, path)
    tap.ok("at most" in gates[0] and "at most" in gates[1], "so do gates", gates)
    valtrace("html", "--no-source", "-o", f"{path}.html", path)
    with open(f"{path}.html", encoding="utf-8") as file:
        plain = file.read().split("<noscript>")[1].split("</noscript>")[0]
    tap.ok("at most" in plain and "recording was paused from" in plain, "and the page without scripts", [plain])


def check_start_paused(tap):
    s = Steered("--start-paused")
    s.tell(f"a 100 {SIZE}", "f 30")
    tap.ok("paused, 0 events" in s.ctl("status"), "nothing is recorded at first", [s.ctl("status")])
    s.ctl("start")
    s.tell(f"a 11 {SIZE}", "f 40")
    s.end()
    trace = vtr.Trace(s.path)
    tap.equal((sized(trace, SIZE), vtr.Model(trace).allocations), (11, 11), "--start-paused: what came after start")
    got = totals_agree(tap, s.path, "--start-paused")
    tap.equal((got["completeness"]["unknown_frees"], got["completeness"]["not_recorded"][0]["from_ns"]), (29, 0),
              "frees of older blocks are counted, and are not wrong")
    tap.equal(got["totals"]["peak_at_most"], False, "the peak is exact, as no recorded block can have been freed unseen")
    shutil.rmtree(s.folder)


def check_sampled(tap):
    """Frees are counted of all blocks, and said to be more than the allocations that were counted."""
    s = Steered("--start-paused", "--sample", "16k")
    s.tell(f"a 100 {SIZE}")
    s.ctl("start")
    s.tell("f 90", f"a 10 {SIZE}")
    s.end()
    got, text = report(s.path), both("report", s.path)
    tap.equal((got["totals"]["allocations"], got["totals"]["frees"], got["totals"]["frees_of_others"], got["completeness"]["unknown_frees"]),
              (10, 90, True, None), "a sample after a pause")
    tap.ok("90 frees" in text and "allocated where nothing was recorded" in text, "the report says so", [text])
    shutil.rmtree(s.folder)


def check_duration(tap):
    s = Steered("--start-paused", "--duration", "1us")
    s.ctl("start")
    while "paused" not in s.ctl("status"):
        s.tell(f"a 1 {SIZE}")
    s.tell(f"a 1000 {SIZE + 1}")
    tap.equal(s.end(), 0, "--duration: the program goes on")
    have = report(s.path)["completeness"]
    tap.equal((have["not_recorded"][-1]["why"], have["not_recorded"][-1]["to_ns"]), ("duration", None), "and its recording ends")
    tap.equal(sized(vtr.Trace(s.path), SIZE + 1), 0, "nothing is recorded then")
    tap.ok("--duration" in valtrace("report", s.path), "the report says why")
    shutil.rmtree(s.folder)


def check_children(tap):
    """A forked child and what exec makes are paused as their recording is."""
    s = Steered("--start-paused")
    child = s.tell("c")
    s.tell(f"a 5 {SIZE}")
    s.pid = child
    s.ctl("start")
    s.tell(f"a 7 {SIZE}")
    s.ctl("stop")
    s.tell(f"a 9 {SIZE}")
    s.run.stdin.write(b"e\n")
    s.run.stdin.flush()
    s.run.stdout.readline()
    s.tell(f"a 11 {SIZE}")
    s.ctl("start")
    s.tell(f"a 13 {SIZE}")
    s.end()
    got = []
    for name in os.listdir(s.folder):
        trace = vtr.Trace(os.path.join(s.folder, name))
        got.append((sized(trace, SIZE), [kind for _, kind, _, _ in trace.process]))
    tap.equal(sorted(got), [(0, ["paused", "started", "resumed", "paused", "resumed", "exit"]),
                            (7, ["paused", "forked", "resumed", "paused", "exec"]),
                            (13, ["paused", "started", "resumed", "exit"])],
              "a forked child and what exec made are paused as the run is")
    shutil.rmtree(s.folder)


def check_reachable(tap):
    """What only a block from before a pause holds, or one from the pause, is not lost; what is lost is."""
    s = Steered()
    s.tell("n 1")
    s.ctl("stop")
    s.tell("n 1")
    s.ctl("start")
    s.tell("n 20", "l 3")
    s.ctl("stop")
    s.ctl("start")
    s.tell("n 5", "l 2")
    s.end()
    got = report(s.path, "leaks")
    kinds = collections.Counter()
    for site in got["sites"]:
        names = [frame["function"] for frame in site["stack"]]
        for name in ("append", "lose"):
            if name in names:
                kinds[name, "lost"] += site["lost_blocks"]
                kinds[name, "reachable"] += site["reachable_blocks"]
                kinds[name, "unjudged"] += site["unjudged_blocks"]
    tap.equal(kinds["append", "lost"], 0, "nodes behind a head from before a pause are not lost")
    tap.equal((kinds["append", "reachable"], kinds["append", "unjudged"]), (5, 21), "the older ones are not judged")
    tap.equal((kinds["lose", "lost"], kinds["lose", "unjudged"]), (2, 3), "what is lost since is lost")
    shutil.rmtree(s.folder)


def check_paused_at_end(tap):
    s = Steered()
    s.tell(f"a 10 {SIZE}", "l 1")
    s.ctl("stop")
    s.end()
    got = totals_agree(tap, s.path, "paused at the end")
    tap.equal(got["totals"]["lost_blocks"], None, "no verdict when recording was paused at the end")
    tap.equal(got["completeness"]["unsure_blocks"], got["totals"]["leaked_blocks"], "nothing that lives is known")
    valtrace("check-budget", "--max-lost", "0", s.path, status=1)
    shutil.rmtree(s.folder)


def cycles(trace):
    """By thread the kinds and addresses of the churn's events."""
    out = collections.defaultdict(list)
    for event in trace.events():
        out[event.thread].append(event)
    return out


def check_churn(tap):
    """Threads that are in the middle of things: pairs stay pairs."""
    s = Steered("--no-snapshot")
    s.tell("t 4")
    for _ in range(5):
        s.tell("w 200")
        s.ctl("stop")
        s.tell("w 200")
        s.ctl("start")
    s.tell("w 200", "T")
    s.end()
    trace = vtr.Trace(s.path)
    alone, strange, wrong = 0, 0, 0
    for events in cycles(trace).values():
        for before, event in zip(events, events[1:]):
            if (before.kind == vtr.INTENT) != (event.kind == vtr.DONE):
                alone += 1
            if event.kind == vtr.FREE and before.kind == vtr.DONE and before.address != event.address:
                wrong += 1
            fits = {vtr.ALLOC: vtr.INTENT, vtr.INTENT: vtr.DONE, vtr.DONE: vtr.FREE, vtr.FREE: vtr.ALLOC}
            strange += fits[before.kind] != event.kind
    tap.equal((alone, wrong), (0, 0), "each realloc has both halves or none, and no free is of another block")
    tap.ok(strange <= 5 * 4 + 4 + 4, "a thread's rounds are cut at most once a pause", [strange])
    got = totals_agree(tap, s.path, "churn", but=("peak_bytes", "peak_at_least_bytes"))  # which depends on the order of equal times
    tap.equal(got["completeness"]["unmatched_frees"], 0, "no wrong frees")
    shutil.rmtree(s.folder)


def main():
    tap = Tap()
    check_stretches(tap)
    check_unsure(tap)
    check_peak(tap)
    check_growth(tap)
    check_start_paused(tap)
    check_sampled(tap)
    check_duration(tap)
    check_children(tap)
    check_reachable(tap)
    check_paused_at_end(tap)
    check_churn(tap)
    tap.done()


main()
