#!/usr/bin/python3
"""valtrace attach and detach: a process that runs is recorded from then on, exactly, and is as it was afterwards; it
runs on whatever becomes of valtrace; what cannot be recorded is refused in one line."""
import glob
import json
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
sys.path.insert(0, "tests/attach")
from attaching import Attach, Churn, valtrace  # noqa: E402
from valtest import SHIM, Tap, VALTRACE, need, program, vtr  # noqa: E402

ROUNDS = 2


def between(path, start, end):
    """Allocations and frees between two markers."""
    out = subprocess.run([VALTRACE, "report", "--json", "--from", start, "--to", end, path], capture_output=True, check=True)
    totals = json.loads(out.stdout)["totals"]
    return totals["allocations"], totals["frees"]


def check_counts(tap, path, threads):
    """Attached and detached while all threads run; the count is exact between two moments at which they stand."""
    name = f"{threads} threads"
    churn = Churn(threads)
    before = churn.code()
    churn.order("g")
    attach = Attach(churn.pid, path)
    if not tap.ok(attach.until("is being recorded"), f"{name}: attached", attach.said):
        return
    first = churn.order("p")
    tap.ok(churn.code() != before, f"{name}: the entries are patched")
    valtrace("ctl", churn.pid, "mark", "a")
    for _ in range(ROUNDS):
        last = churn.order("r")
    valtrace("ctl", churn.pid, "mark", "b")
    churn.order("g")
    attach.process.send_signal(signal.SIGINT)
    tap.equal(attach.wait(), 0, f"{name}: Ctrl-C ends it")
    tap.ok(churn.code() == before, f"{name}: the code is what it was, byte for byte")
    churn.order("p")
    tap.equal(churn.end(), 0, f"{name}: the program ends as it would")
    allocations, frees = between(path, "a", "b")
    want = last[0] - first[0], last[1] - first[1]
    tap.ok(allocations == want[0], f"{name}: its own count of allocations, {want[0]}", [allocations, frees, want])
    # The report of a span counts the frees of blocks that are older than it, or than recording, nowhere.
    kept = (threads or 1) * 64
    tap.ok(0 <= want[1] - frees <= kept, f"{name}: and of frees, but for blocks from before", [allocations, frees, want])
    trace = vtr.Trace(path)
    model = vtr.Model(trace)
    tap.ok(trace.complete and trace.flags & 1 and [p[1] for p in sorted(trace.process)] == ["attached", "detached"],
           f"{name}: the trace says that it began in mid-life, and how it ended", [trace.flags, trace.process])
    paths = [module["path"] for module in trace.modules.values()]
    tap.ok("libvaltrace.so" in paths and not any("/fd/" in path for path in paths), f"{name}: the recorder is known by its name", paths)
    tap.ok(model.unmatched_frees <= kept and model.overwritten == 0, f"{name}: no block is handed out twice",
           [model.unmatched_frees, model.overwritten])
    out = subprocess.run([VALTRACE, "report", "--json", path], capture_output=True, check=True)
    report = json.loads(out.stdout)
    said = [subprocess.run([VALTRACE, *command, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
            for command in (["report"], ["check"], ["diff", path], ["export", "--format", "csv"], ["dump", "--limit", "1"])]
    tap.equal([" ".join(text.split()).count("recording began in mid-life: what") > 0 for text in said], [True] * 5, f"{name}: which is said where it is read")
    tap.equal([report["completeness"]["unmatched_frees"], report["completeness"]["ended"], report["totals"]["lost_bytes"]],
              [0, "detached", 0], f"{name}: frees of older blocks are no errors, and nothing is lost")


def check_end(tap, path):
    """The process ends while it is recorded; its child was, too."""
    churn = Churn(2)
    attach = Attach(churn.pid, os.path.join(path, "end.vtr"))
    tap.ok(attach.until("stood still"), "attached to a process that stands", attach.said)
    churn.order("r")
    attach.until("is being recorded")
    first = churn.order("r")
    churn.order("f")
    churn.end()
    tap.equal(attach.wait(), 0, "its end ends the recording")
    traces = [vtr.Trace(os.path.join(path, f)) for f in sorted(os.listdir(path)) if f.startswith("end")]
    tap.equal(len(traces), 2, "its child has a trace")
    parent, child = sorted(traces, key=lambda t: t.pid != churn.pid)
    tap.ok(parent.complete and sorted(parent.process)[-1][1:3] == ("exit", 0), "the end is in the trace", [parent.process])
    tap.ok(child.complete and child.flags & 1 and vtr.Model(child).allocations >= 1000,
           "the child's blocks are", [child.flags, vtr.Model(child).allocations, first])


def check_executes(tap, folder):
    """A child that executes another program is no longer what is recorded, and no hook tells."""
    shell = subprocess.Popen(["bash", "-c", "read x; exec 3>&1; sleep 1000 3>&- & echo $!; read x; kill $!"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    attach = Attach(shell.pid, f"{folder}/executes.vtr")
    attach.until("stood still")
    shell.stdin.write(b"go\n")
    shell.stdin.flush()
    child = int(shell.stdout.readline())
    while "sleep" not in os.readlink(f"/proc/{child}/exe"):
        os.sched_yield()
    attach.process.send_signal(signal.SIGINT)
    attach.wait()
    shell.communicate(b"end\n")
    said = {t.pid: [kind for _, kind, _, _ in t.process][-1] for t in map(vtr.Trace, glob.glob(f"{folder}/executes*"))}
    tap.equal(said, {shell.pid: "detached", child: "exec"}, "a child that has executed another program ends so")


def check_detach(tap, path):
    """From another shell, and when valtrace was killed."""
    churn = Churn(4)
    before = churn.code()
    churn.order("g")
    attach = Attach(churn.pid, path)
    attach.until("is being recorded")
    tap.equal(valtrace("detach", churn.pid), (0, ""), "detach from another shell")
    tap.equal(attach.wait(), 0, "ends attach")
    tap.ok(attach.trace().complete, "the trace is complete", attach.trace().process)
    tap.ok(churn.code() == before, "the code as it was")
    status, text = valtrace("detach", churn.pid)
    tap.ok(status == 1 and "not recorded" in text, "once", [status, text])
    churn.order("p")
    tap.equal(churn.end(), 0, "the program ends as it would")

    churn = Churn(4)
    before = churn.code()
    churn.order("g")
    attach = Attach(churn.pid, path + "2")
    attach.until("is being recorded")
    attach.process.kill()
    attach.wait()
    churn.order("p")
    churn.order("g")
    tap.equal(valtrace("detach", churn.pid), (0, ""), "valtrace attach was killed: detach")
    trace = attach.trace()
    tap.ok(trace.complete, "the trace is complete when detach returns", trace.process)
    tap.ok(churn.code() == before, "the code is as it was")
    churn.order("p")
    tap.equal(churn.end(), 0, "the program ends as it would")


def refused(tap, pid, words, name):
    status, text = valtrace("attach", pid)
    tap.ok(status == 125 and words in text and text.count("\n") == 1, name, [status, text])


def check_operators(tap, path):
    """operator new and delete are recorded once, and what exceptions take."""
    churn = Churn(0, argv=program("operators_counted"))
    attach = Attach(churn.pid, path)
    attach.until("stood still")
    churn.order("r")
    attach.until("is being recorded")
    first = churn.order("p")
    valtrace("ctl", churn.pid, "mark", "a")
    last = churn.order("r")
    valtrace("ctl", churn.pid, "mark", "b")
    churn.end()
    attach.wait()
    tap.equal(between(path, "a", "b"), (last[0] - first[0], last[1] - first[1]), "operators new and delete are counted once")
    out = subprocess.run([VALTRACE, "report", "mismatches", "--json", path], capture_output=True, text=True, check=True)
    tap.equal(json.loads(out.stdout)["totals"].get("mismatched", 0), 0, "and known by their kind")


def check_again(tap, path):
    """A process that was recorded can be recorded again; one that executes another program ends there."""
    churn = Churn(3)
    before = churn.code()
    churn.order("g")
    kept = []
    for i in range(3):
        attach = Attach(churn.pid, path, "--duration", "100ms")
        attach.wait()
        trace = attach.trace()
        model = vtr.Model(trace)
        tap.ok(attach.process.returncode == 0 and trace.complete and model.allocations > 0 and not model.overwritten and
               model.unmatched_frees <= 4 * 64 and churn.code() == before, f"recorded for the {i + 1}. time",
               [attach.said, trace.complete, model.allocations, model.overwritten, model.unmatched_frees])
        churn.order("p")
        kept.append(churn.kept())
        churn.order("g")
    tap.equal(kept[1], kept[2], "and what is left in it, mappings and descriptors, is not more than of one time")
    churn.order("p")
    attach = Attach(churn.pid, path)
    attach.until("stood still")
    attach.process.send_signal(signal.SIGINT)
    attach.wait()
    tap.equal(churn.kept()[1], kept[2][1], "no descriptors are left in one that did not allocate meanwhile")
    churn.order("g")
    attach = Attach(churn.pid, path)
    attach.until("is being recorded")
    churn.order("x")
    tap.equal(attach.wait(), 0, "exec ends it")
    tap.ok(attach.trace().complete and sorted(attach.trace().process)[-1][1] == "exec", "and the trace says so", attach.trace().process)
    tap.equal(churn.end(), 0, "the new program runs")


def standing(threads, path, *options):
    """churn, which stands, with the recorder in it, and attach."""
    churn = Churn(threads)
    attach = Attach(churn.pid, path, *options)
    attach.until("stood still")
    churn.order("r")
    attach.until("Ctrl-C ends that")
    return churn, attach


def ended(churn, attach):
    """Ends attach, then the program; the report's object."""
    attach.process.send_signal(signal.SIGINT)
    attach.wait()
    churn.end()
    out = subprocess.run([VALTRACE, "report", "--json", attach.path], capture_output=True, check=True)
    return json.loads(out.stdout)


def check_bounds(tap, path):
    """--start-paused, --keep and --max-size do what they do for run."""
    churn, attach = standing(8, path, "--start-paused", "--keep", "1M")
    first = churn.order("p")
    tap.equal(valtrace("ctl", churn.pid, "start"), (0, ""), "--start-paused: started")
    for _ in range(8):
        last = [churn.order("r") for _ in range(5)][-1]
        valtrace("ctl", churn.pid, "status")  # what is recorded is in the file then, which is divided where it ends
    got = ended(churn, attach)
    totals, have = got["totals"], got["completeness"]
    want = last[0] - first[0]
    tap.equal((totals["allocations"], have["unmatched_frees"], have["ended"], totals["lost_bytes"]), (want, 0, "detached", 0),
              "and --keep: recorded is what came after, all of it")
    tap.ok(totals["frees"] <= last[1] - first[1] <= totals["frees"] + 8 * 64, "and its frees", [totals["frees"], first, last])
    tap.ok(have["events_since_ns"] and totals["reallocs"], "--keep: of the first events there is a sum only", have)

    churn, attach = standing(8, path, "--max-size", "1M")
    status = [VALTRACE, "ctl", str(churn.pid), "status"]
    rounds = 0
    while " full," not in subprocess.run(status, capture_output=True, text=True, check=True).stdout and rounds < 100:
        churn.order("r")
        rounds += 1
    churn.order("r")
    have = ended(churn, attach)["completeness"]
    tap.ok(rounds < 100 and os.path.getsize(path) <= 1 << 20, "--max-size: the trace is no larger", [rounds, os.path.getsize(path)])
    tap.equal([n["why"] for n in have["not_recorded"]] + [have["ended"], have["unmatched_frees"]], ["mid-life", "size", "detached", 0],
              "and says why it ends early")
    for options in (["--keep", "1M", "--max-size", "2M"], ["--keep", "1"], ["--max-size", "x"]):
        status, text = valtrace("attach", *options, os.getpid())
        tap.ok(status == 2 and text.count("\n") == 1, f"a usage error: {options}", text)


def check_sample(tap, path):
    """Of a sample the totals are the program's own counts, whatever the process was recorded with before."""
    churn, attach = standing(4, path)
    attach.process.send_signal(signal.SIGINT)
    attach.wait()
    for period in (1 << 30, 1 << 14):
        attach = Attach(churn.pid, path, "--sample", str(period), "--start-paused")
        attach.until("stood still")
        churn.order("r")
        attach.until("Ctrl-C ends that")
        first = churn.order("p")
        valtrace("ctl", churn.pid, "start")
        last = [churn.order("r") for _ in range(3)][-1]
        attach.process.send_signal(signal.SIGINT)
        attach.wait()
        out = subprocess.run([VALTRACE, "report", "--json", path], capture_output=True, check=True)
        totals = json.loads(out.stdout)["totals"]
        tap.equal([totals[key] for key in ("sampled", "allocations", "frees", "lost_bytes")],
                  [period, last[0] - first[0], last[1] - first[1], None], f"--sample {period}: all is counted")
        trace = attach.trace()
        model = vtr.Model(trace)
        by_thread = [sum(event.kind == vtr.ALLOC or (event.kind == vtr.DONE and event.address != 0) for event in events)
                     for events in trace.streams.values()]
        # A thread takes 3000 blocks of 1000 bytes on average: of 16 KiB a sample is 180, of 1 GiB none.
        few = period == 1 << 30 and sum(by_thread) < 8 or len([n for n in by_thread if 90 < n < 360]) == 4
        tap.ok(trace.flags & 1 and few and not model.unmatched_frees and not model.overwritten, "and of each thread a part is recorded",
               [trace.flags, by_thread, model.unmatched_frees, model.overwritten])
    churn.end()
    status, text = valtrace("attach", "--sample", "0", os.getpid())
    tap.ok(status == 2 and text.count("\n") == 1, "a usage error: --sample 0", text)


def check_depth(tap, path):
    """What an earlier time was told is forgotten."""
    churn = Churn(1)
    churn.order("g")
    depths = []  # frames, of which one says that there were more; whether frees have none
    for options in (["--max-depth", "1", "--no-free-stacks"], []):
        attach = Attach(churn.pid, path, *options)
        attach.until("is being recorded")
        churn.order("r")
        churn.order("g")
        attach.process.send_signal(signal.SIGINT)
        attach.wait()
        trace = attach.trace()
        depths.append((max(len(trace.stack(ref)) - 1 for ref in vtr.Model(trace).sites if trace.stack(ref)), trace.optional & 1))
    churn.order("p")
    churn.end()
    tap.ok(depths[0] == (2, 1) and depths[1][0] > 2 and not depths[1][1], "--max-depth and --no-free-stacks are of one recording only", depths)


def check_python(tap, path):
    """Of an interpreter that has begun neither frames nor pools are seen: nobody may call that complete."""
    text = "import sys\nfor line in sys.stdin: print(len([bytes(99) for i in range(1000)]), len(bytes(99999)), flush=True)"
    python = subprocess.Popen([sys.executable, "-S", "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def work():
        python.stdin.write(b"\n")
        python.stdout.readline()

    for time in ("first", "second"):
        attach = Attach(python.pid, path)
        attach.until("stood still")
        work()
        attach.until("is being recorded")
        work()
        valtrace("detach", python.pid)
        attach.wait()
        out = [subprocess.run([VALTRACE, *command, path], capture_output=True, text=True, check=False).stdout
               for command in (["report", "--json"], ["report"], ["check"])]
        have = json.loads(out[0])["completeness"]
        said = [" ".join(text.split()).count("Python frames and blocks are not recorded") for text in out[1:]]
        tap.ok(not have["complete"] and have["missing_events"] is None and have["refused"] and said == [1, 1] and not attach.trace().complete,
               f"python, {time} time: what is not recorded of it is said, and the record is not called complete", [have, said])
    python.stdin.close()
    tap.equal(python.wait(), 0, "python: goes on and ends")


def check_refusals(tap, path):
    refused(tap, os.getpid() + 4000000 if os.getpid() < 4000000 else 1 << 29, "there is no such process", "no such process")
    refused(tap, 2, "thread of the kernel" if os.readlink("/proc/self/exe") and not os.path.exists("/proc/2/exe") else "", "a thread of the kernel")
    static = subprocess.Popen(program("churn_static"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    refused(tap, static.pid, "statically linked", "a static program")
    static.kill()
    os.waitid(os.P_PID, static.pid, os.WEXITED | os.WNOWAIT)
    refused(tap, static.pid, "it has ended", "a process that has ended")
    static.wait()
    churn = Churn(0)
    if need(tap, "strace"):
        tracer = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-p", str(churn.pid)])
        while f"TracerPid:\t{tracer.pid}\n" not in open(f"/proc/{churn.pid}/status", encoding="utf-8").read():
            churn.order("r")
        refused(tap, churn.pid, f"process {tracer.pid} traces it", "traced by another")
        tracer.terminate()
        tracer.wait()
    attach = Attach(churn.pid, path)
    attach.until("stood still")
    refused(tap, churn.pid, "recorded already", "recorded already")
    preloaded = Churn(0, env=dict(os.environ, LD_PRELOAD=SHIM, VALTRACE_OUTPUT=path + ".bare"))
    refused(tap, preloaded.pid, "recorded already", "recorded without a collector")
    preloaded.end()
    churn.order("r")
    attach.until("is being recorded")
    churn.end()
    attach.wait()
    tap.equal(valtrace("attach", "x")[0], 2, "a usage error")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="valtest-attach-") as folder:
        check_counts(tap, os.path.join(folder, "one.vtr"), 0)
        check_counts(tap, os.path.join(folder, "many.vtr"), 8)
        check_end(tap, folder)
        check_executes(tap, folder)
        check_detach(tap, os.path.join(folder, "detach.vtr"))
        check_operators(tap, os.path.join(folder, "operators.vtr"))
        check_again(tap, os.path.join(folder, "again.vtr"))
        check_bounds(tap, os.path.join(folder, "bounds.vtr"))
        check_sample(tap, os.path.join(folder, "sample.vtr"))
        check_depth(tap, os.path.join(folder, "depth.vtr"))
        check_python(tap, os.path.join(folder, "python.vtr"))
        check_refusals(tap, os.path.join(folder, "refused.vtr"))
    tap.done()


if __name__ == "__main__":
    main()
