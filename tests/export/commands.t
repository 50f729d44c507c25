#!/usr/bin/env python3
"""Manners of the commands: exit statuses, one line for each error, outputs that cannot be written,
diff, budgets, suppressions, and what a terminal gets."""
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios

sys.path.insert(0, "tests/lib")
from tap import COUNT, ok, skip  # noqa: E402

VALTRACE = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "bin", "valtrace"))

PROGRAM = r"""
#include <stdlib.h>
void *volatile sink;
__attribute__((noinline)) void leak(int n) { while (n--) sink = malloc(100); }
__attribute__((noinline)) void a_function_with_quite_a_long_name_that_does_not_fit_on_a_narrow_terminal(int n) {
  while (n--) sink = malloc(50);
}
__attribute__((noinline)) void churn(int n) {
  while (n--) {
    void *volatile a = malloc(24); /* temporary but for every fifth */
    if (n % 5 == 0) { sink = malloc(1); free(sink); }
    free(a);
  }
}
static inline __attribute__((always_inline)) void inlined(void) { sink = malloc(2000000); }
int main(int argc, char **argv) {
  int n = argc > 1 ? atoi(argv[1]) : 1;
  leak(n);
  a_function_with_quite_a_long_name_that_does_not_fit_on_a_narrow_terminal(3);
  churn(12345);
  inlined();
  free(sink);
}
"""
METRICS = ("leaked", "peak", "allocated", "count", "temporary")
READERS = (["report"], ["report", "--json"], ["report", "sizes"], ["report", "timeline", "--json"], ["diff", "--json"], ["diff"],
           ["flame"], ["flame", "--json"], ["check-budget", "--max-peak", "1G"], ["check-budget", "--max-peak", "1", "--json"], ["dump"],
           ["dump", "--json"], ["check"], ["check", "--json"],
           *(["export", "--format", f] for f in ("pprof", "folded", "speedscope", "heaptrack", "dhat", "massif", "callgrind",
                                                 "firefox", "csv")))


def run(*args, **options):
    return subprocess.run([VALTRACE, *args], stderr=subprocess.PIPE, check=False,
                          **{"stdout": subprocess.PIPE, **options})


def one_line(done, status, name):
    ok(done.returncode == status and done.stderr.startswith(b"valtrace: ") and done.stderr.count(b"\n") == 1,
       f"{name}: status {status}, one line", done.returncode, done.stderr)


def operands(command, path):
    return [*command, path, path] if command[0] == "diff" else [*command, path]


def check_inputs(folder, trace):
    junk, empty = f"{folder}/junk.vtr", f"{folder}/empty.vtr"
    with open(junk, "wb") as file:
        file.write(os.urandom(5000))
    with open(empty, "wb"):
        pass
    for command in [*READERS, ["pack"]]:
        name = " ".join(command)
        for path in (f"{folder}/none.vtr", junk, empty, "/"):
            done = run(*operands(command, path))
            bad = done.returncode != 3 or done.stderr.count(b"\n") != 1
            if bad or path == junk:
                one_line(done, 3, f"{name} {os.path.basename(path)}")
        one_line(run(*operands(command, trace), "--no-such-option"), 2, f"{name} --no-such-option")
        one_line(run(*command), 2, f"{name} without a trace")
    one_line(run("diff", trace, f"{folder}/none.vtr"), 3, "diff with one missing trace")
    one_line(run("diff", trace), 2, "diff with one trace")
    one_line(run("import", f"{folder}/none", "-o", f"{folder}/x.vtr"), 3, "import of nothing")
    one_line(run("import", junk), 2, "import without -o")
    one_line(run("report", "--suppressions", f"{folder}/none", trace), 3, "no such suppressions")
    one_line(run("report", "--suppressions", junk, trace), 3, "suppressions that are none")
    one_line(run("no-such-command"), 2, "no such command")
    one_line(run("export", "--format", "gif", trace), 2, "no such format")
    one_line(run("export", "--format", "sqlite", trace), 2, "a database needs a file")
    one_line(run("flame", "--metric", "speed", trace), 2, "no such metric")
    one_line(run("export", "--format", "dhat", "--json", trace), 2, "a format without a JSON form")
    one_line(run("diff", "--by", "thread", trace, trace), 2, "diff by thread")
    one_line(run("check-budget", trace), 2, "check-budget without a limit")
    for bad in (["--max-leaked", "much"], ["--max-temporary", "-3"], ["--max-allocations", "1.5"]):
        one_line(run("check-budget", *bad, trace), 2, f"check-budget {' '.join(bad)}")
    ok(run().returncode == 2 and run("--help").returncode == 0, "no command is a usage error, --help is not")


def check_nowhere(trace, other):
    """What is asked for and occurs nowhere is an error that names the option, never a silent nothing."""
    events = [json.loads(line) for line in run("dump", "--json", trace).stdout.splitlines()]
    end = max(e["t_ns"] for e in events if "t_ns" in e)
    for options, why, advice in (
            (["--function", "chrun"], "no function", 'did you mean "churn"?'), (["--function", "leak?*"], "no function", ""),
            (["--function", "completely_different"], "no function", "--by function"),
            (["--thread", "1"], "no thread", "report threads"), (["--heap", "nothing"], "no heap", "report heaps"),
            (["--heap", "libd"], "no heap", 'did you mean "libc"?'), (["--module", "libc.so.7"], "no module", 'did you mean "libc.so.6"?'),
            (["--from", "5", "--to", "2"], "an empty span", ""), (["--from", "5", "--at", "2"], "an empty span", ""),
            (["--from", f"{end / 1e9 + 3600}"], "an empty span", "earlier"), (["--from", "begin"], "neither a time", "no markers")):
        for command in (["report"], ["report", "leaks", "--json"], ["dump"], ["flame"], ["html"], ["check-budget", "--max-peak", "1G"],
                        ["export", "--format", "csv"], ["diff"]):
            if command == ["diff"] and "--at" in options:
                continue
            done = run(*operands([*command, *options], trace))
            want = f"valtrace: {options[0]} {options[1]}"
            if done.returncode != 2 or not done.stderr.startswith(want.encode()) or why.encode() not in done.stderr or advice.encode() not in done.stderr:
                ok(False, f"{' '.join(command + options)} occurs nowhere", done.returncode, done.stderr)
        one_line(run("report", *options, trace), 2, f"{' '.join(options)} occurs nowhere")
    main = json.loads(run("report", "threads", "--json", trace).stdout)["threads"][0]["tid"]
    zeros = [json.loads(run("report", "--json", *options, trace).stdout)["totals"]["allocations"] for options in
             (["--min-size", "1G"], ["--function", "leak", "--module", "libc.so*"], ["--function", "churn", "--min-size", "1000"],
              ["--min-lifetime", "1000"], ["--thread", str(main), "--heap", "libc", "--function", "leak", "--min-size", "101"])]
    ok(zeros == [0, 0, 0, 0, 0], "what occurs but has nothing here is nothing, status 0", zeros)
    done = run("diff", "--module", "p", trace, other)
    ok(done.returncode == 0 and not done.stderr, "diff: what is asked for may occur on one side only", done.stderr)
    for args, want in ((["reprot", trace], "report"), (["report", "laeks", trace], "leaks"), (["report", "--fucntion", "x", trace], "--function"),
                       (["pack", "--output", trace], "")):
        done = run(*args)
        ok(done.returncode in (2, 3) and done.stderr.count(b"\n") == 1 and (not want or f'did you mean ' in done.stderr.decode() and
           want in done.stderr.decode()), f"{args[0]} {args[1]}: did you mean", done.stderr)


def check_outputs(folder, trace):
    texts = [["--help"], ["--version"], ["run", "--help"], ["report", "--help"], ["pack", "--help"]]
    for command in [*(operands(c, trace) for c in READERS), *texts]:
        name = " ".join(command).replace(trace, "TRACE")
        with open("/dev/full", "wb") as full:
            one_line(run(*command, stdout=full), 4, f"{name} on a full disk")
        done = run(*command, preexec_fn=lambda: os.close(1), stdout=None)
        one_line(done, 4, f"{name} without standard output")
    # Device numbers of /dev/full, in our folder: a bug may remove this one.
    device = f"{folder}/device"
    try:
        os.mknod(device, 0o020666, os.makedev(1, 7))
        usable = not run("report", trace, stdout=os.open(device, os.O_WRONLY)).returncode == 0
    except OSError:
        usable = False
    if not usable:
        skip("a device of our own")
        return
    for form in ("csv", "sqlite", "firefox"):
        one_line(run("export", "--format", form, "-o", device, trace), 4, f"export --format {form} to a device")
    one_line(run("pack", "-o", device, trace), 4, "pack to a device")
    run("run", "-q", "-o", device, "--", "true")
    environment = {**os.environ, "LD_PRELOAD": f"{os.path.dirname(VALTRACE)}/../lib/libvaltrace.so", "VALTRACE_OUTPUT": device}
    subprocess.run(["true"], env=environment, stderr=subprocess.DEVNULL, check=False)
    ok(os.path.exists(device) and os.stat(device).st_rdev == os.makedev(1, 7), "no output removes a device")
    for form in ("csv", "sqlite"):
        one_line(run("export", "--format", form, "-o", f"{folder}/no/folder", trace), 4, f"export {form} to nowhere")


def diff(*args):
    return json.loads(run("diff", "--json", *args).stdout)


def check_diff(folder, one, three):
    grown = diff(one, three)
    site = grown["sites"][0]
    ok(site["change"] == 200 and site["stack"][0]["function"] == "leak" and site["leaked_blocks_before"] == 1 and
       site["leaked_blocks_after"] == 3 and all(s["change"] == 0 for s in grown["sites"][1:]), "diff: what grew is first",
       grown["sites"][:2])
    ok(grown["totals"]["leaked_bytes_after"] - grown["totals"]["leaked_bytes_before"] == 200, "diff: totals")
    shrunk = diff(three, one)
    ok([s["change"] for s in shrunk["sites"]] == [-s["change"] for s in grown["sites"]], "diff: the other way round it shrank")
    for metric, change in (("allocated", 200), ("count", 2), ("temporary", 0), ("peak", 200)):
        sites = diff("--metric", metric, one, three)["sites"]
        ok(sum(s["change"] for s in sites) == change, f"diff --metric {metric}", [s["change"] for s in sites])
    for by in ("function", "line", "module"):
        group = diff("--by", by, one, three)["sites"][0]
        ok(group["change"] == 200 and "stack" not in group and group["module"].endswith("/p") and
           (by == "module" or group["function"] == "leak") and (by != "line" or group["line"] == 4), f"diff --by {by}", group)
    known = f"{folder}/known"
    with open(known, "w", encoding="utf-8") as file:
        file.write("leak:leak\n")
    ok(diff("--suppressions", known, one, three)["totals"]["leaked_bytes_after"] == 150, "diff: suppressions")
    ok(len(diff("--limit", "1", one, three)["sites"]) == 1, "diff --limit")
    text = run("diff", one, three).stdout.decode()
    ok("+200 B" in text and re.search(r"\+ +200 B +1 -> 3 blocks +leak", text), "diff as text", text)
    titles = {metric: run("diff", "--metric", metric, one, three).stdout.decode() for metric in METRICS}
    ok(all(re.search(rf"^{ {'count': 'ALLOCATIONS', 'leaked': 'LIVE'}.get(metric, metric.upper()) }: ", text, re.M) for metric, text in titles.items()) and
       all(re.match(r" +before +after +change", text) for text in titles.values()), "diff says what its columns and sites are", titles["peak"][:600])
    ok(run("diff", "--metric", "live", one, three).stdout.decode() == titles["leaked"], "diff: live is the name, leaked the old one")
    ok("no site changed" in run("diff", one, one).stdout.decode(), "diff with itself as text")
    events = [json.loads(line) for line in run("dump", "--json", three).stdout.splitlines()]
    leaks = [e["t_ns"] for e in events if e.get("size") == 100]
    at = [f"{t / 1e9:.10f}5" for t in (leaks[0], leaks[2])]
    moments = diff(three, "--at", *at)
    ok(sum(s["change"] for s in moments["sites"]) == 100 * sum(leaks[0] < t <= leaks[2] for t in leaks),
       "diff --at of two moments", leaks, moments["totals"])
    one_line(run("diff", three, "--at", "0", "no marker"), 2, "diff --at something that is no time")


def check_builds(folder, source, one):
    """Another build of the same source: another folder and file name, other lines and addresses."""
    os.makedirs(f"{folder}/v2", exist_ok=True)
    with open(f"{folder}/v2/other.c", "w", encoding="utf-8") as file:
        file.write("\n\nint never_called(int x) { return x * 3; }\n" + PROGRAM.replace("int main(int argc, char **argv) {",
                   'int main(int argc, char **argv) { VT_MARK;', 1).replace("#include <stdlib.h>", '#include <stdlib.h>\n#include "valtrace/annotate.h"')
                   .replace("VT_MARK", 'for (int i = 0; i < 4; i++) vt_marker("request")'))
    subprocess.run(["gcc", "-O1", "-g", "-Iinclude", "-o", f"{folder}/v2/p-2.1", f"{folder}/v2/other.c"], check=True)
    run("run", "-q", "-o", f"{folder}/v2.vtr", "--", f"{folder}/v2/p-2.1", "3")
    new = f"{folder}/v2.vtr"
    built = diff(one, new)
    ok(built["renamed"] == [{"before": f"{folder}/p", "after": f"{folder}/v2/p-2.1"}] and
       [(f["function"], f["change"]) for f in built["functions"][:1]] == [("leak", 200)] and
       all(f["change"] == 0 for f in built["functions"][1:]) and all(s["change"] == 0 for s in built["sites"][1:]) and
       all(s["allocations_before"] and s["allocations_after"] for s in built["sites"]),
       "diff of two builds: every site is found again", built["renamed"], built["functions"][:2])
    ok("taken for the same module: " in run("diff", one, new).stdout.decode(), "diff says which modules were paired")
    per = diff("--per", "4", one, new)
    ok(per["functions"][0]["change_per"] == 50 and per["functions"][0]["change"] == 200 and per["per"] == {"unit": "4", "before": 4, "after": 4},
       "diff --per 4", per["functions"][0])
    ok(diff("--per", "request", new, new)["per"] == {"unit": "request", "before": 4, "after": 4}, "diff --per MARKER")
    for unit in ("request", "0", "-1", "x"):
        one_line(run("diff", "--per", unit, one, new), 2, f"diff --per {unit}")
    gate = ["diff", "--no-default-suppressions"]
    for condition, status in (("live>450", 0), ("live>449", 1), ("live>=450", 1), ("live>+200", 0), ("live>+199", 1), ("live-blocks>+2", 0),
                              ("live-blocks=6", 1), ("live>+80%", 0), ("live>+79.9%", 1), ("peak<-1", 0), ("allocations!=+2", 0), ("count>+1", 1),
                              ("temporary > 0", 1), ("allocated<1k", 0), ("lost>0", 1)):
        done = run(*gate, "--fail-if", condition, one, new)
        sites = b"failed: " in done.stdout or condition == "lost>0"
        ok(done.returncode == status and sites == bool(status), f"diff --fail-if '{condition}': {status}", done.returncode, done.stdout[-300:], done.stderr)
    failed = json.loads(run(*gate, "--json", "--fail-if", "live>+5%", "--fail-if", "live<0", one, new).stdout)["failed"]
    ok([f["condition"] for f in failed] == ["live>+5%"] and failed[0]["functions"][0]["function"] == "leak" and failed[0]["after"] == 450,
       "diff --fail-if --json: the conditions that hold, with their sites", failed)
    for bad in ("live", "live>", "speed>1", "live>1x", "live>>1", ">1", ""):
        one_line(run("diff", "--fail-if", bad, one, new), 2, f"diff --fail-if '{bad}'")


def check_budget(folder, trace):
    totals = json.loads(run("report", "--json", trace).stdout)["totals"]
    share = 100 * totals["temporary"] / totals["allocations"]
    limits = (("--max-leaked", totals["leaked_bytes"], 1), ("--max-leaked-blocks", totals["leaked_blocks"], 1),
              ("--max-peak", totals["peak_bytes"], 1), ("--max-allocations", totals["allocations"], 1),
              ("--max-temporary", share + 0.01, 0.1))
    for option, value, less in limits:
        ok(run("check-budget", option, str(value), trace).returncode == 0, f"check-budget {option}: at the limit")
        done = run("check-budget", option, str(value - less), trace)
        ok(done.returncode == 1 and b"over budget" in done.stdout and not done.stderr, f"check-budget {option}: over it",
           done.stdout)
    done = run("check-budget", "--max-leaked", "0", "--max-peak", "1G", "--max-temporary", "1%", "--json", trace)
    names = [e["limit"] for e in json.loads(done.stdout)["exceeded"]]
    ok(done.returncode == 1 and names == ["live bytes", "temporary allocations"], "check-budget --json: which", names)
    text = run("check-budget", "--max-leaked", "0", trace).stdout.decode()
    ok("leak" in text and "p.c:4" in text and "churn" not in text, "the offending sites are named", text)
    known = f"{folder}/known2"
    with open(known, "w", encoding="utf-8") as file:
        file.write("# ours\nleak:^leak$\nleak:a_function*long\nleak:nothing_like_it\n")
    ok(run("check-budget", "--max-leaked", "0", "--suppressions", known, trace).returncode == 0,
       "suppressed leaks are within the budget")
    after = json.loads(run("report", "--json", "--suppressions", known, trace).stdout)
    ok(after["totals"]["leaked_bytes"] == after["totals"]["leaked_blocks"] == 0 and
       [s["blocks"] for s in after["suppressions"]] == [3, 3, 0] and [s["bytes"] for s in after["suppressions"]] == [300, 150, 0],
       "suppressed leaks are in no total", after["totals"], after["suppressions"])
    text = run("report", "leaks", "--suppressions", known, trace).stdout.decode()
    ok(len(re.findall(r"^ .* leak:|^ +[\d.]+ B.*(?:leak|long)", text, re.M)) >= 2 and text.count("(unused)") == 1,
       "used and unused suppressions are told apart", text[-400:])


def check_numbers(trace):
    totals = json.loads(run("report", "--json", trace).stdout)["totals"]
    text = run("report", trace).stdout.decode()
    for label, value in (("allocations", f"{totals['allocations']:,}"), ("temporary", f"{totals['temporary']:,}"),
                         ("peak heap", f"{totals['peak_bytes'] / 2**20:.2f} MiB"),
                         ("live", f"{totals['leaked_bytes']} B"), ("allocated", f"{totals['allocated_bytes'] / 2**20:.2f} MiB")):
        ok(re.search(rf"^  {label} +{re.escape(value)} ", text, re.M), f"text: {label} {value}", text[:700])
    churn = re.search(r"^  1\. +12,345 blocks +(\S+ \S+) +(\S+) % +churn$", run("report", "temporary", trace).stdout.decode(), re.M)
    ok(churn and churn[1] == f"{(9876 * 24 + 2469) / 1024:.0f} KiB" and churn[2] == "100.0", "text: temporary blocks with their bytes", churn)
    stacks = {flag: [f for s in json.loads(run("report", "--json", *flag, trace).stdout)["sites"] for f in s["stack"]]
              for flag in ((), ("--no-inlines",))}
    ok(any(f["function"] == "inlined" and f["inlined"] for f in stacks[()]) and
       not any(f["inlined"] or f["function"] == "inlined" for f in stacks["--no-inlines",]), "--no-inlines")
    for metric, key in (("peak", "peak_bytes"), ("temporary", "temporary")):
        document = json.loads(run("flame", "--metric", metric, "--json", trace).stdout)
        lines = [f"{';'.join(s['stack'])} {s['value']}" for s in document["stacks"]]
        ok(lines == run("flame", "--metric", metric, trace).stdout.decode().splitlines() and document["metric"] == metric and
           sum(s["value"] for s in document["stacks"]) == totals[key], f"flame --json --metric {metric}", document)
    ok(len(run("flame", "--limit", "2", trace).stdout.splitlines()) == 2 and
       len(run("export", "--format", "csv", "--limit", "2", trace).stdout.splitlines()) == 3, "flame and csv: --limit")
    for by in ("thread", "size"):
        ok(json.loads(run("report", "leaks", "--by", by, "--json", trace).stdout)["view"] == f"{by}s", f"report --by {by}")
    hidden = run("report", "--json", "--hide-allocator-frames", trace).stdout
    ok(hidden == run("report", "--json", trace).stdout, "--hide-allocator-frames is the default")


def screen(columns, *args, **environment):
    """What a terminal of this width gets."""
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
        os.execve(VALTRACE, [VALTRACE, *args], {**env, "TERM": "xterm", **environment})
    data = b""
    try:
        while part := os.read(fd, 65536):
            data += part
    except OSError:
        pass
    os.waitpid(pid, 0)
    os.close(fd)
    return re.sub(r"[^\n]*\r(?!\n)", "", data.decode()).replace("\r\n", "\n")


def check_terminal(trace):
    views = [["report"], ["report", "--full"], *(["report", v] for v in ("growth", "frees", "mismatches")), *(["report", v] for v in ("summary", "leaks", "hot", "peak", "temporary", "sizes", "lifetimes", "threads", "timeline",
                                     "reallocs", "modules", "heaps"))]
    for columns in (80, 200):
        wide = []
        for command in [*views, ["report", "--by", "module"], ["diff", trace], ["check-budget", "--max-leaked", "0"]]:
            lines = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", screen(columns, *command, trace)).split("\n")
            wide += [(command[:2], line) for line in lines if len(line) > columns]
            if len(lines) < 5:
                wide.append((command[:2], "nothing was printed"))
        ok(not wide, f"every view fits {columns} columns", *wide[:5])
    colour = screen(80, "report", trace)
    ok("\x1b[1m" in colour, "colours on a terminal")
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        ok("\x1b" not in screen(80, "report", trace, **{name: value}), f"none with {name}={value}")
    ok(b"\x1b" not in run("report", trace).stdout, "none in a file")
    ok("leak(int n) { while (n--) sink" in screen(200, "report", "leaks", trace), "the source line is shown")


CXX = r"""
#include <map>
#include <string>
#include <vector>
void *volatile sink;
namespace user { template <typename T> std::vector<T> make(int n) { std::vector<T> v; v.reserve(n); return v; } }
void fill(std::vector<long> &v) { for (int i = 0; i < 100; i++) v.push_back(i); }
void enter(std::map<int, std::string> &m) { for (int i = 0; i < 50; i++) m[i] = std::string(40, 'x'); }
int main() {
  std::vector<long> v, made = user::make<long>(70);
  std::map<int, std::string> m;
  fill(v);
  enter(m);
  sink = &made;
}
"""


def check_bare(folder, source):
    program, trace = f"{folder}/bare", f"{folder}/bare.vtr"
    subprocess.run(["gcc", "-O1", "-o", program, source], check=True)
    run("run", "-q", "-o", trace, "--", program)
    groups = {g["function"]: g["allocations"] for g in
              json.loads(run("report", "--by", "line", "--json", trace).stdout)["groups"]}
    want = {"churn": 14814, "leak": 1, "main": 1, "a_function_with_quite_a_long_name_that_does_not_fit_on_a_narrow_terminal": 3}
    ok(groups == want, "without debug information functions are kept apart by line too", groups)


def check_cxx(folder):
    source, program, trace = f"{folder}/v.cc", f"{folder}/v", f"{folder}/v.vtr"
    with open(source, "w", encoding="utf-8") as file:
        file.write(CXX)
    subprocess.run(["g++", "-O0", "-g", "-o", program, source], check=True)
    run("run", "-q", "-o", trace, "--", program)
    groups = {g["function"].split("(")[0]: g["allocations"] for g in
              json.loads(run("report", "--by", "function", "--module", "v", "--json", trace).stdout)["groups"]}
    ok(groups == {"fill": 8, "enter": 100, "std::vector<long, std::allocator<long> > user::make<long>": 1},
       "C++: sites are grouped under the user's functions, not the library's templates", groups)
    inner = {flag: {s["stack"][0]["function"].split("<")[0].split("(")[0] for s in
                    json.loads(run("report", "--module", "v", "--json", *flag, trace).stdout)["sites"]}
             for flag in ((), ("--show-allocator-frames",))}
    ok(inner["--show-allocator-frames",] == {"operator new"} and not any("allocator" in name or "operator" in name
                                                                        for name in inner[()]),
       "C++: allocator frames are hidden unless asked for", inner)


def record(folder, program, leaks):
    trace = f"{folder}/{leaks}.vtr"
    run("run", "-q", "-o", trace, "--", program, str(leaks))
    return trace


def main():
    with tempfile.TemporaryDirectory() as folder:
        source, program = f"{folder}/p.c", f"{folder}/p"
        with open(source, "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        subprocess.run(["gcc", "-O1", "-g", "-o", program, source], check=True)
        one, three = record(folder, program, 1), record(folder, program, 3)
        check_inputs(folder, one)
        run("run", "-q", "-o", f"{folder}/true.vtr", "--", "true")
        check_nowhere(one, f"{folder}/true.vtr")
        check_outputs(folder, one)
        check_diff(folder, one, three)
        check_builds(folder, source, one)
        check_budget(folder, three)
        check_numbers(three)
        check_bare(folder, source)
        check_cxx(folder)
        check_terminal(three)
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
