#!/usr/bin/env python3
"""A program that links the backtracing vtable by hand and one that is preloaded give the same report.

test_same_report makes the same allocations either way; `valtrace import` makes a trace of the text
log, and the views are compared stack by stack with those of the recorded one, and with what a reader
of the log written here, of its own, makes of it. A stack is compared as the (module, offset) pairs of
its frames. What may differ, and only this:

- the vtable's own frame, which reports hide as they hide malloc;
- sizes: the log has the size asked for; a recording has the one libc's vtable passes on, which is
  rounded up to a multiple of the alignment;
- depth: the log has at most the 128 innermost frames, one of them the vtable's own;
- threads: the log has none, so a block is temporary if nobody allocated in between;
- a recording also has what libc allocates, here for pthread_create and for backtrace's first call;
- a log has no realloc: it is a free and an allocation.
"""
import collections
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import BUILD, SHIM, Tap, VALTRACE, program  # noqa: E402

LOG_FRAMES = 128
TOTALS = ("allocations", "frees", "allocated_bytes", "peak_bytes", "peak_blocks", "leaked_bytes",
          "leaked_blocks", "temporary", "distinct_stacks")
SITE = ("allocations", "frees", "allocated_bytes", "temporary", "leaked_bytes", "leaked_blocks",
        "peak_bytes", "peak_blocks")
VIEWS = ("summary", "leaks", "hot", "temporary")


def bin_path(name):
    return os.path.join(BUILD, "bin", name)


def record(folder, argv):
    """With the shim and a collector: (trace, standard output)"""
    path = os.path.join(folder, "recorded.vtr")
    done = subprocess.run([VALTRACE, "run", "-q", "-o", path, "--", *argv], capture_output=True, check=True)
    return path, done.stdout


def text_sink(argv):
    """The log that the shim writes with VALTRACE_SINK=text:FD."""
    with tempfile.TemporaryFile() as log:
        env = {**os.environ, "LD_PRELOAD": SHIM, "VALTRACE_SINK": f"text:{log.fileno()}"}
        subprocess.run(argv, env=env, stdout=subprocess.DEVNULL, pass_fds=(log.fileno(),), check=True)
        log.seek(0)
        return log.read()


def imported(folder, log, status=0):
    """The trace of a log; status: what check says of it."""
    text, path = os.path.join(folder, "log"), os.path.join(folder, "imported.vtr")
    with open(text, "wb") as file:
        file.write(log)
    subprocess.run([VALTRACE, "import", text, "-o", path], check=True)
    assert subprocess.run([VALTRACE, "check", path], check=False, stdout=subprocess.DEVNULL).returncode == status, path
    return path


def report(view, path):
    out = subprocess.run([VALTRACE, "report", view, "--json", "--limit", "100000", path],
                         capture_output=True, check=True)
    return json.loads(out.stdout)


def key(stack, depth=None):
    """The code of a stack: the module and offset of each frame that is not inlined."""
    return tuple((os.path.basename(f["module"]), f["offset"]) for f in stack
                 if not f["inlined"] and f["module"])[:depth]


def sites(result, depth=None, without=()):
    """Stack -> numbers; stacks that begin with the same `depth` frames are one. Those with a function of
    `without` in them are left out."""
    numbers = collections.defaultdict(lambda: dict.fromkeys(SITE, 0))
    for site in result["sites"]:
        if not any(f["function"] in without for f in site["stack"]):
            for field in SITE:
                numbers[key(site["stack"], depth)][field] += site[field]
    return numbers


def all_sites(path, **how):
    """View -> stack -> numbers."""
    return {view: sites(report(view, path), **how) for view in VIEWS}


def pick(numbers, fields):
    return {stack: tuple(n[f] for f in fields) for stack, n in numbers.items()}


def records(log):
    """(kind, address, size, body lines) of each record of a log."""
    lines = iter(log.decode().splitlines())
    for line in lines:
        head = re.fullmatch(r"\+\+\+ (ALLOC|FREE):(\d+):0x([0-9a-f]{16})(?::\d+:(\d+))?", line)
        if head:
            body = list(itertools.islice(lines, int(head[2])))
            yield head[1], int(head[3], 16), int(head[4] or 0), body


def read_log(log):
    """The same numbers from the log alone: stack -> numbers, and the totals."""
    bias, parsed = {}, list(records(log))
    for line in {line for _, _, _, body in parsed for line in body}:
        at = re.fullmatch(r"(.*)\(\+0x([0-9a-f]+)\)\[0x([0-9a-f]+)\]", line)
        if at:
            bias[at[1]] = int(at[3], 16) - int(at[2], 16)
        elif "(" not in line:
            bias[line.split("[")[0]] = 0

    def code(line):
        path, address = re.fullmatch(r"([^(\[]*).*\[0x([0-9a-f]+)\]", line).groups()
        return os.path.basename(path), int(address, 16) - 1 - bias[path]

    numbers = collections.defaultdict(collections.Counter)
    live, latest = {}, None
    for kind, address, size, body in parsed:
        if kind == "ALLOC" and address:
            stack = tuple(code(line) for line in body[1:])  # without the vtable's function
            numbers[stack].update(allocations=1, allocated_bytes=size)
            live[address], latest = (stack, size), address
        elif kind == "FREE" and address:
            stack, _ = live.pop(address)
            numbers[stack].update(frees=1, temporary=address == latest)
    for stack, size in live.values():
        numbers[stack].update(leaked_blocks=1, leaked_bytes=size)
    return numbers


def same_totals(tap, name, got, want, fields=TOTALS):
    tap.equal({f: got["totals"][f] for f in fields}, {f: want["totals"][f] for f in fields}, f"{name}: totals")


def same_sites(tap, name, got, want, fields=SITE):
    got, want = pick(got, fields), pick(want, fields)
    wrong = [(stack[:4], got.get(stack), want.get(stack)) for stack in {**got, **want}
             if got.get(stack) != want.get(stack)]
    tap.ok(got and not wrong, f"{name}: {len(want)} stacks", [fields] + wrong[:5])


def check_log(tap, folder, name):
    """The program alone: nothing differs."""
    argv = [bin_path(name)]
    log = subprocess.run([*argv, "log"], capture_output=True, check=True).stdout
    path, (recorded, out) = imported(folder, log), record(folder, [*argv, "plain"])
    tap.equal(out, b"", f"{name}: plain writes no log")
    got, want = all_sites(path), all_sites(recorded)
    for view in VIEWS:
        same_totals(tap, f"{name} log, {view}", report(view, path), report(view, recorded))
        same_sites(tap, f"{name} log, {view}", got[view], want[view])
    fields = SITE[:6]
    same_sites(tap, f"{name} log, hot, read here", got["hot"], read_log(log), fields)
    stack = report("hot", path)["sites"][0]["stack"]
    tap.equal([f["function"] for f in stack][:3], ["take", "churn", "main"], f"{name} log: functions")
    tap.equal(os.path.basename(report("hot", path)["traces"][0]["program"]), name, f"{name} log: the program's name")
    names = [[f["function"] for f in site["stack"]] for site in report("hot", recorded)["sites"]]
    tap.equal([[f["function"] for f in site["stack"]] for site in report("hot", path)["sites"]], names,
              f"{name} log: the same names in the same order")


def check_odd(tap, folder):
    argv = [bin_path("test_same_report")]
    log = subprocess.run([*argv, "log", "odd"], capture_output=True, check=True).stdout
    got = sites(report("hot", imported(folder, log)))
    want = sites(report("hot", record(folder, [*argv, "plain", "odd"])[0]))
    rounded = [(got[s]["allocated_bytes"], want[s]["allocated_bytes"]) for s in want if got[s] != want[s]]
    tap.equal(rounded, [(7 * 20, 7 * 32)], "odd sizes: as asked for, and as libc's vtable rounds them")
    same_sites(tap, "odd sizes: all else", got, want, ("allocations", "frees", "temporary", "leaked_blocks"))


def check_damaged(tap, folder):
    log = subprocess.run([bin_path("test_same_report"), "log"], capture_output=True, check=True).stdout
    whole = report("hot", imported(folder, log))
    tail = b"+++ ALLOC:1:0x12\n+++ FREE:2:0x0000000000000020\nonly one line"
    result = report("hot", imported(folder, b"no record\n" + log + tail, 3))
    same_totals(tap, "damaged records", result, whole)
    tap.equal((result["completeness"]["complete"], result["completeness"]["dropped_events"]), (False, 2),
              "damaged records: are counted")
    torn = [b"+++ ALLOC:99999:0x0000000000000020:8:8\n", b"+++ ALLOC:128:0x0000000000000020:8:8\n",
            b"+++ FREE:2:0x0000000000000020\na(+0x1)[0x1]\n"]
    for head in torn:
        result = report("hot", imported(folder, head + log, 3))
        same_totals(tap, f"torn before the next record: {head[:12]}", result, whole)
        tap.equal(result["completeness"]["dropped_events"], 1, "and counted")
    tap.equal(whole["completeness"]["complete"], True, "a whole log is complete")


def check_deep(tap, folder):
    argv = [bin_path("test_same_report")]
    log = subprocess.run([*argv, "log", "deep"], capture_output=True, check=True).stdout
    path, recorded = imported(folder, log), record(folder, [*argv, "plain", "deep"])[0]
    got, want = report("hot", path), report("hot", recorded)
    same_totals(tap, "deep stacks", got, want, TOTALS[:-1])
    same_sites(tap, "deep stacks, as far as the log has them", sites(got),
               sites(want, depth=LOG_FRAMES - 1))
    cut = sum(1 for kind, address, _, body in records(log) if address and len(body) == LOG_FRAMES)
    tap.equal((got["completeness"]["truncated_stacks"], want["completeness"]["truncated_stacks"]), (cut, 0),
              f"deep stacks: {cut} are said to be truncated")


def check_threads(tap, folder):
    argv = [bin_path("test_same_report")]
    log = subprocess.run([*argv, "log", "threads"], capture_output=True, check=True).stdout
    got = report("hot", imported(folder, log))
    want = report("hot", record(folder, [*argv, "plain", "threads"])[0])
    libc = ["__pthread_create_2_1", "pthread_create"]  # with and without debug symbols of libc
    fields = ("allocations", "frees", "allocated_bytes", "leaked_bytes", "leaked_blocks")
    same_sites(tap, "threads", sites(got), sites(want, without=libc), fields)
    same_sites(tap, "threads, all but theirs", sites(got, without=["thread_main"]),
               sites(want, without=libc + ["thread_main"]))


def check_both(tap, folder):
    """One run recorded both ways."""
    recorded, log = record(folder, [bin_path("test_same_report"), "log"])
    got = all_sites(imported(folder, log))
    want = all_sites(recorded, without=["fd_backtracing_malloc_virtual"])
    for view in VIEWS:
        same_sites(tap, f"one run both ways, {view}", got[view], want[view])


def check_sink(tap, folder, title, argv):
    path, recorded = imported(folder, text_sink(argv)), record(folder, argv)[0]
    got, want = all_sites(path), all_sites(recorded, depth=LOG_FRAMES)
    totals = report("summary", recorded)["totals"]
    fields, per_site = TOTALS, SITE
    if totals["reallocs"]:  # each is a free and an allocation by the caller of realloc
        fields = [f for f in TOTALS if f != "temporary"]
        per_site = [f for f in SITE if f not in ("temporary", "peak_bytes", "peak_blocks")]
    for view in VIEWS:
        same_totals(tap, f"text sink, {title}, {view}", report(view, path), report(view, recorded), fields)
        same_sites(tap, f"text sink, {title}, {view}", got[view], want[view], per_site)


def main():
    tap = Tap()
    if "san-" in BUILD:
        print("1..0 # SKIP a sanitizer's own frames and allocator are in the stacks")
        return
    with tempfile.TemporaryDirectory() as folder:
        check_log(tap, folder, "test_same_report")
        check_log(tap, folder, "test_same_report_fixed")
        check_odd(tap, folder)
        check_damaged(tap, folder)
        check_deep(tap, folder)
        check_threads(tap, folder)
        check_both(tap, folder)
        check_sink(tap, folder, "aligned blocks", [bin_path("test_same_report"), "plain", "odd"])
        check_sink(tap, folder, "fixed addresses", [bin_path("test_same_report_fixed"), "plain"])
        check_sink(tap, folder, "every API", program("apis", "basic"))
    tap.done()


main()
