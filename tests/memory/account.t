#!/usr/bin/python3
"""The account of resident memory: to the page on a program that knows, its sum against the kernel's on real
programs, what malloc_trim gives back against malloc_trim."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/lib")
import real  # noqa: E402
from valtest import PROGRAMS, SHIM, Tap, VALTRACE, program, vtr  # noqa: E402

PAGE = 4096
RING = "/memfd:valtrace"
LONG = "VALTEST_LONG" in os.environ


def report(view, trace):
    return json.loads(subprocess.run([VALTRACE, "report", view, "--json", trace], capture_output=True, check=True).stdout)


def moments(trace):
    return report("memory", trace)["memory"][0]["moments"]


def at_end(trace):
    return next(moment for moment in moments(trace) if moment["end"])


def run(folder, *args, options=(), env=None):
    trace = f"{folder}/t.vtr"
    out = subprocess.run([VALTRACE, "run", "-q", *options, "-o", trace, "--", *args], capture_output=True, text=True,
                         check=False, env=env)
    return trace, out.stdout


def held_by(shares, function):
    found = [share for share in shares if share["function"] == function]
    return tuple(sum(share[key] for share in found) for key in ("resident_bytes", "bytes"))


def check_known(tap, folder):
    trace, out = run(folder, *program("resident", f"{folder}/file"))
    plan = {name: (int(start, 0), int(size), int(pages)) for name, start, size, pages in map(str.split, out.splitlines())}
    end = at_end(trace)
    for key, name, function in (("mapped", "mapping", "make_mapping"), ("mapped", "given-back", "make_unmapped_again"),
                                ("shared", "shared", "make_shared"), ("files", "file", "make_file")):
        _start, size, pages = plan[name]
        tap.equal(held_by(end[key], function), (pages * PAGE, size), f"{name}: by whose call, to the page")
    tap.equal(end["mapped_bytes"], (500 + 24) * PAGE, "nothing else is mapped; what is only reserved counts nothing")
    tap.equal(held_by(end["live"], "make_pin"), (2000 * 48, 2000 * 48), "live blocks that were touched are resident")
    tap.equal([share["bytes"] for share in end["live"] if share["function"] == "make_pair"], [2 * 3000], "two calls in one line are one place")
    start, size, _pages = plan["reserve"]
    tap.equal(held_by(end["live"], "make_reserve"), (-start % PAGE + 100 * PAGE, size), "a block of which a part was touched")
    tap.ok(2000 * 4000 * 0.98 < end["free_bytes"] < 2000 * 4000 * 1.03, "blocks that were freed are memory the allocator keeps",
           [end["free_bytes"]])
    tap.ok(2000 * 16 <= end["overhead_bytes"] < 2000 * 16 + 16384, "headers and rounding", [end["overhead_bytes"]])
    tap.ok(65 * PAGE <= end["stack_bytes"] < 100 * PAGE, "stacks of all threads", [end["stack_bytes"]])
    tap.equal((end["heap_live_bytes"], end["heap_rest_bytes"]), (1200, 10 * PAGE - 1200), "an annotated heap is no mapping of the program")
    tap.equal((end["file_bytes"], end["shared_bytes"]), (300 * PAGE, 7 * PAGE), "files that are no modules, and shared memory but the ring")
    code = sum(area.resident for area in vtr.Trace(trace, verify=False).pages[-1].areas if re.search(r"/resident$|\.so[.0-9]*$", area.name)
               and "libvaltrace" not in area.name)
    tap.ok(code <= end["module_bytes"] < code + (128 << 10) and end["runtime_bytes"] < 512 << 10 and end["own_bytes"] > 256 << 10,
           "modules, with what lies in no file of them; little is the loader's", [code, end["module_bytes"], end["runtime_bytes"], end["own_bytes"]])
    tap.equal(end["sum_bytes"], end["resident_bytes"], "the lines add up")
    tap.ok(abs(end["sum_bytes"] - plan["sum"][1]) <= plan["sum"][1] // 50, "to what the kernel says, within 2 %",
           [end["sum_bytes"], plan["sum"]])
    tap.equal((end["frozen"], end["unexplained_bytes"]), (True, 0), "the memory was frozen, and all of it is explained")
    check_pages(tap, trace, plan)
    check_time(tap, trace, plan)


def rows_of(trace, kind, function):
    return [row for row in report("pages", trace)["pages"][0][kind] if row["function"] == function]


def check_pages(tap, trace, plan):
    """Who holds pages, who was freed beside, what was never touched."""
    _start, size, pages = plan["pins"]
    pin, = rows_of(trace, "holding", "make_pin")
    tap.equal((pin["blocks"], pin["bytes"], pin["pages"], pin["held_bytes"]), (2000, size, pages, pages * PAGE),
              "make_pin holds as many pages as it lies on")
    tap.ok(pin["pages"] - pin["pages_alone"] <= 2 and pin["held_bytes"] - size * 1.1 < pin["rest_bytes"] <= pin["held_bytes"] - size,
           "it has them alone, and the rest is in no block", [pin["pages_alone"], pin["rest_bytes"]])
    beside = pin["freed_beside"][0]
    tap.ok(beside["function"] == "make_neighbour" and beside["share"] > 0.97, "make_neighbour was freed beside it", [beside])
    start, size, pages = plan["reserve"]
    untouched, = rows_of(trace, "untouched", "make_reserve")
    tap.equal((untouched["untouched_bytes"], untouched["pages"]), (size - (-start % PAGE) - 100 * PAGE, pages),
              "what was reserved and never touched")
    heap, = rows_of(trace, "holding", "make_heap")
    tap.equal((heap["blocks"], heap["pages"], heap["pages_alone"], heap["rest_bytes"]), (10, 10, 9, 10 * (PAGE - 100) - 200),
              "blocks of an annotated heap hold pages, one of them not alone")


def check_time(tap, trace, plan):
    """Samples by kind, and what is mapped, over time."""
    timeline = report("timeline", trace)["timeline"]
    sample = timeline["memory"][-1]
    kinds = sum(sample[key] for key in ("private_bytes", "file_bytes", "shared_bytes"))
    tap.ok(0 < sample["resident_bytes"] == kinds and sample["swapped_bytes"] == 0, "kinds of a sample make what is resident", [sample])
    want = sum(plan[name][1] for name in ("mapping", "given-back", "shared", "file", "heap"))
    tap.equal(timeline["intervals"][-1]["mapped_bytes"], want, "what the program has mapped in the end, without what is only reserved")
    text = subprocess.run([VALTRACE, "report", "timeline", trace], capture_output=True, text=True, check=True).stdout
    tap.ok("█ private" in text and max(map(len, text.splitlines())) <= 100 and "▒" in text, "the timeline is stacked by kind")


def naive_live(path):
    """Bytes of live blocks on resident pages, page by page."""
    trace = vtr.Trace(path, verify=False)
    resident = {page for area in trace.pages[-1].areas for start, stop, swapped in area.runs if not swapped
                for page in range(start // PAGE, stop // PAGE)}
    total = 0
    for (_heap, start), (size, _stack, _thread) in vtr.Model(trace).live.items():
        for page in range(start // PAGE, (start + size + PAGE - 1) // PAGE):
            if page in resident:
                total += min(start + size, (page + 1) * PAGE) - max(start, page * PAGE)
    return total


def check_naive(tap, trace, end, name):
    tap.equal(end["live_bytes"] + end["heap_live_bytes"], naive_live(trace), f"{name}: resident bytes of live blocks as page by page")


def check_allocators(tap, folder):
    for library in ("", "libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2"):
        found = glob.glob(f"/usr/lib/*/{library}") if library else [""]
        if not found:
            tap.skip(library, "is not installed")
            continue
        trace, out = run(folder, *program("trimmed"), env={**os.environ, "LD_PRELOAD": found[0]})
        row, = rows_of(trace, "holding", "make_block")
        tap.equal((row["blocks"], row["bytes"], row["pages"]), (94, 94 * 2000, int(out)), f"{library or 'libc'}: pages that blocks hold")
        end = at_end(trace)
        if LONG or not library:
            check_naive(tap, trace, end, library or "libc")
        divided = end["free_bytes"] is not None and end["overhead_bytes"] is not None
        tap.ok(divided == (not library) and (end["overhead_and_free_bytes"] is None) == divided,
               f"{library or 'libc'}: free memory is told from rounding where that can be", [end["free_bytes"]])
        tap.equal(end["sum_bytes"], end["resident_bytes"], f"{library or 'libc'}: the account adds up")


def check_trim(tap, folder):
    trace, _ = run(folder, *program("trimmed"))
    said = int(subprocess.run(program("trimmed", "trim"), capture_output=True, text=True, check=True).stdout)
    trim = at_end(trace)["trim_bytes"]
    tap.ok(said > 8 << 20 and abs(trim - said) <= said // 50, "what malloc_trim would give back, and does", [trim, said])


def kernel_sum(path):
    """Resident bytes of a process as it saw itself, but for the ring, whose pages are given back when they are read."""
    total, ring = 0, False
    with open(path, encoding="utf-8") as file:
        for line in file:
            ring = RING in line if re.match("[0-9a-f]+-", line) else ring
            if line.startswith("Rss:") and not ring:
                total += int(line.split()[1]) << 10
    return total


def check_cc1plus(tap, end):
    own = [any(frame["module"].endswith("cc1plus") for frame in share["stack"]) for share in end["mapped"]]
    tap.ok(end["mapped_bytes"] > 1 << 20 and all(own) and sum(share["resident_bytes"] for share in end["mapped"]) == end["mapped_bytes"],
           "cc1plus: what its collector maps is charged to its own functions", [end["mapped_bytes"], own])


def tell(name, compared):
    """A row of the table in docs/memory.md: of the largest process what the kernel and we say; the largest difference."""
    if compared:
        kernel, ours = max(compared)
        worst = max(abs(ours - kernel) / kernel for kernel, ours in compared)
        print(f"# | {name} | {len(compared)} | {kernel >> 10:,} | {ours >> 10:,} | {ours / kernel - 1:+.2%} | {worst:.2%} |", flush=True)


def check_real(tap, folder, name, args, env=None, cwd=None):
    """Against what each process itself sees when it ends; one that has executed another is not at its end. What runs
    between its look and ours is the C library's and our own: 1 %, or 64 KiB, at once mapped around what it touches."""
    sums, traces = f"{folder}/smaps", f"{folder}/real"
    for made in (sums, traces):
        os.mkdir(made)
        os.chmod(made, 0o777)
    env = {**os.environ, **(env or {}), "LD_PRELOAD": f"{PROGRAMS}/libsmaps.so", "SMAPS": sums}
    subprocess.run([VALTRACE, "run", "-q", "--no-symbols", "-d", traces, "--", *args], capture_output=True, check=False, env=env, cwd=cwd)
    compared, wrong = [], []
    for trace in glob.glob(f"{traces}/*.vtr"):
        document = report("memory", trace)
        path = f"{sums}/{document['traces'][0]['pid']}"
        if document["completeness"]["ended"] != "exit" or not os.path.exists(path):
            continue
        end, kernel = at_end(trace), kernel_sum(path)
        ring = sum(area.resident for area in vtr.Trace(trace, verify=False).pages[-1].areas if RING in area.name)
        compared.append((kernel, end["sum_bytes"] - ring))
        if abs(end["sum_bytes"] - ring - kernel) > min(max(kernel // 100, 65536), kernel // 50) or end["unexplained_bytes"] > kernel // 50:
            wrong.append((os.path.basename(trace), kernel, ring, end["sum_bytes"], end["unexplained_bytes"]))
        if LONG and name in ("perl", "python3"):
            check_naive(tap, trace, end, name)
        if name == "cc1plus" and "cc1plus" in trace:
            check_cc1plus(tap, end)
    tell(name, compared)
    tap.ok(compared and not wrong, f"{name}: the account of each of its processes adds up to the kernel's sum", [len(compared), *wrong])
    shutil.rmtree(sums)
    shutil.rmtree(traces)


def check_matrix(tap, folder, only):
    """Programs of the table of real programs."""
    for program in real.programs():
        if program["name"] not in MATRIX or only and program["name"] not in only:
            continue
        if real.missing(program):
            tap.skip(program["name"], "is not installed")
            continue
        env = real.prepare(f"{folder}/work")
        os.chmod(folder, 0o711)
        check_real(tap, folder, program["name"], ["sh", "-c", program["run"]], env, f"{folder}/work")


def check_python(tap, folder):
    trace, _ = run(folder, "/usr/bin/python3", "-c", "import os; x = [str(i) * 3 for i in range(20000)]; os._exit(0)")
    end = at_end(trace)
    tap.ok(end["heap_live_bytes"] > 1 << 20 and end["heap_rest_bytes"] < 1 << 20 and end["mapped_bytes"] < 1 << 18,
           "what Python maps for its blocks is no mapping of the program", [end["heap_live_bytes"], end["heap_rest_bytes"], end["mapped_bytes"]])


def check_killed(tap, folder):
    """A process that was killed is looked at with --snapshots only; what it had at most is known."""
    script = "my $x = '1' x (32 << 20); $| = 1; print '.'; <STDIN>; kill 9, $$;"
    for options in ((), ("--snapshots",)):
        trace = f"{folder}/killed{len(options)}.vtr"
        process = subprocess.Popen([VALTRACE, "run", "-q", *options, "-o", trace, "--", "perl", "-e", script], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        process.stdout.read(1)
        while not any(pages.kind == 0 and sum(a.resident for a in pages.areas) > 36 << 20 for pages in vtr.Trace(trace, verify=False).pages):
            time.sleep(0.2)  # the collector looks at it while it waits
        process.communicate(b"x\n")
        document = report("memory", trace)["memory"][0]
        tap.ok(document["peak_rss_bytes"] > 32 << 20 and any(moment["highest"] for moment in document["moments"]), f"killed {options}: its highest moment is known")
        tap.equal(sum(moment["end"] and moment["frozen"] for moment in document["moments"]), len(options), f"killed {options}: the end")
        for moment in document["moments"]:
            if moment["peak"] and not moment["highest"]:
                continue  # it may have been before the block
            tap.ok(24 << 20 <= moment["live_bytes"] < 80 << 20 and abs(moment["sum_bytes"] - moment["resident_bytes"]) <= moment["resident_bytes"] // 50,
                   f"killed {options}: its block is in the account, which adds up", [moment["live_bytes"], moment["sum_bytes"]])


def check_unknown(tap, folder):
    """What cannot be known is null, and said."""
    trace = f"{folder}/bare.vtr"
    subprocess.run(program("hello"), capture_output=True, check=True, env={**os.environ, "LD_PRELOAD": SHIM, "VALTRACE_OUTPUT": trace})
    memory = report("memory", trace)["memory"][0]
    tap.ok(not memory["moments"] and "without a collector" in memory["not_known"], "without a collector nothing is known, and why", [memory])
    text = subprocess.run([VALTRACE, "report", "memory", trace], capture_output=True, text=True, check=True).stdout
    tap.ok("not known: it was recorded without a collector" in text, "the text says so", [text])
    refused = subprocess.run([VALTRACE, "report", "memory", "--function", "main", trace], capture_output=True, text=True, check=False)
    tap.equal(refused.returncode, 2, "a filter is refused")
    killed, _ = run(folder, "sh", "-c", "kill -9 $$")
    tap.ok(report("memory", killed)["memory"][0]["not_known"].startswith("it was killed"), "killed at once: nothing is known, and why")
    log, text = f"{folder}/log", f"{folder}/text.vtr"
    with open(log, "wb") as file:
        subprocess.run(program("hello"), stdout=subprocess.DEVNULL, check=True, pass_fds=(file.fileno(),),
                       env={**os.environ, "LD_PRELOAD": SHIM, "VALTRACE_SINK": f"text:{file.fileno()}"})
    subprocess.run([VALTRACE, "import", log, "-o", text], check=True, capture_output=True)
    totals = report("summary", text)["totals"]
    tap.equal((totals["peak_rss_bytes"], totals["mapped_bytes"], report("pages", text)["pages"][0]["not_known"]),
              (None, None, "a text log does not tell of pages"), "what a text log does not tell is null")


SHORT_PROGRAMS = {
    "perl": ["perl", "-e", "my %h; $h{$_} = 'x' x 900 for 1 .. 20000;"],
}
LONG_PROGRAMS = {
    "python3": ["/usr/bin/python3", "-c", "import json, re; x = [str(i) for i in range(30000)]; del x"],
    "git": ["git", "--no-pager", "log", "-p", "--stat", "-n", "1000"],
    "sqlite3": ["sqlite3", ":memory:", "create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c limit 100000) "
                "insert into t select x, hex(randomblob(20)) from c; select count(*) from t;"],
    "cc1plus": ["g++", "-std=gnu++17", "-O1", "-c", "-x", "c++", "tests/findings/planted.cc", "-Iinclude", "-o", "/dev/null"],
    "awk": ["awk", "BEGIN { for (i = 0; i < 200000; i++) a[i] = i \"x\" }"],
    "node": ["node", "-e", "let a = []; for (let i = 0; i < 1e6; i++) a.push({ i });"],
    "java": ["java", "-version"],
    "ruby": ["ruby", "-e", "x = (0..300000).map(&:to_s)"],
    "redis": ["sh", "-c", "redis-server --port 0 --enable-debug-command yes --save '' --unixsocket /tmp/valtrace-$$ & until redis-cli -s /tmp/valtrace-$$ debug populate "
              "300000; do sleep 0.1; done; redis-cli -s /tmp/valtrace-$$ shutdown nosave; wait"],
}
NEEDS = {"redis": "redis-server"}
MATRIX = ("bash", "zsh", "php", "lua", "guile", "swi-prolog", "sbcl", "R", "octave", "emacs", "gdb", "curl", "ghostscript", "ffmpeg",
          "nginx, HUP", "gunicorn", "postgres", "mariadb")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        if LONG:
            check_allocators(tap, folder)
            check_python(tap, folder)
        else:
            check_known(tap, folder)
            check_trim(tap, folder)
            check_allocators(tap, folder)
            check_unknown(tap, folder)
            check_killed(tap, folder)
        only = sys.argv[1:]
        for name, args in ({**SHORT_PROGRAMS, **LONG_PROGRAMS} if LONG else SHORT_PROGRAMS).items():
            if only and name not in only:
                continue
            if shutil.which(NEEDS.get(name, args[0])):
                check_real(tap, folder, name, args)
            else:
                tap.skip(name, "is not installed")
        if LONG:
            check_matrix(tap, folder, only)
    tap.done()


main()
