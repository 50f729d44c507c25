#!/usr/bin/python3
"""Exports in the hands of their consumers that need a browser or npm: speedscope (schema, the page
itself, folded stacks too), DHAT's viewer, Firefox's profiler; what they show is compared with the
report. The npm programs are installed into the build folder; without a registry they are skipped."""
import base64
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
import tap  # noqa: E402
import webdriver  # noqa: E402
from tap import ok  # noqa: E402

try:
    import jsonschema
except ImportError:
    jsonschema = None

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
VALTRACE = f"{BUILD}/bin/valtrace"
CONSUMERS = f"{BUILD}/consumers"
DHAT_VIEW = "/usr/libexec/valgrind/dh_view.html"
WEBGL = ("--enable-unsafe-swiftshader", "--use-angle=swiftshader")

PROGRAM = r"""
#include <pthread.h>
#include <stdlib.h>
void *volatile sink;
template <typename T> __attribute__((noinline)) void leak(int n) { while (n--) sink = new T[100]; }
__attribute__((noinline)) void churn(void) { for (int i = 0; i < 2000; i++) { sink = malloc(24); free(sink); } }
__attribute__((noinline)) void grow(void) { void *p = 0; for (int i = 1; i < 20; i++) p = realloc(p, i * 1000); sink = p; }
__attribute__((noinline)) void peak(void) { void *volatile a = malloc(300000); churn(); free(a); }
__attribute__((noinline)) int recurse(int n) { sink = malloc(8); return n ? recurse(n - 1) + 1 : 0; }
static void *worker(void *block) { free(block); churn(); return malloc(333); }
static void *named(void *x) { pthread_setname_np(pthread_self(), "the \"second\""); leak<char>(3); return worker(x); }
int main(void) {
  leak<long>(10);
  grow();
  peak();
  recurse(30);
  pthread_t thread;
  void *block;
  pthread_create(&thread, 0, worker, malloc(77));
  pthread_join(thread, &block);
  free(block);
  pthread_create(&thread, 0, named, malloc(78));
  pthread_join(thread, &block);
}
"""
STRATEGIES = ("allocations", "retained-allocations", "deallocations-memory")


def output(*args, **options):
    done = subprocess.run(args, capture_output=True, check=False, **options)
    return done.stdout.decode(errors="replace")


def totals_of(trace):
    return json.loads(output(VALTRACE, "report", "--json", trace))["totals"]


def export(trace, form, *args):
    path = f"{trace}.{form}"
    done = subprocess.run([VALTRACE, "export", "--format", form, "-o", path, *args, trace], capture_output=True)
    ok(done.returncode == 0 and not done.stderr, f"{form}: written", done.stderr)
    return path


def install():
    """The programs of package.json, or why there are none."""
    if not shutil.which("npm"):
        return "npm is not installed"
    os.makedirs(CONSUMERS, exist_ok=True)
    shutil.copy("tests/export/package.json", CONSUMERS)
    done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline",
                           "--fetch-retries=1", "--fetch-timeout=30000"],
                          cwd=CONSUMERS, capture_output=True, check=False)
    return None if done.returncode == 0 else "the npm registry is not reachable"


def check_schema(path):
    release = glob.glob(f"{CONSUMERS}/node_modules/speedscope/dist/release")[0]
    with open(f"{release}/file-format-schema.json", encoding="utf-8") as file:
        schema = json.load(file)
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    try:
        jsonschema.validate(document, schema)
        error = None
    except jsonschema.ValidationError as problem:
        error = problem.message
    ok(error is None, "speedscope: valid by its own schema", error)


def speedscope(browser, folder, path, name):
    """What speedscope shows in its table of functions (rows of total, self, name) and its title."""
    release = glob.glob(f"{CONSUMERS}/node_modules/speedscope/dist/release")[0]
    with open(path, "rb") as file:
        data = base64.b64encode(file.read()).decode()
    script = f"{folder}/profile.js"
    with open(script, "w", encoding="utf-8") as file:
        file.write(f'speedscope.loadFileFromBase64("{name}", "{data}")')
    browser.go("about:blank")
    browser.go(f"file://{release}/index.html#localProfilePath={script}")
    shown = browser.until("return document.body.innerText.includes('Left Heavy') && document.body.innerText")
    browser.script("[...document.querySelectorAll('div')].filter(e => e.innerText == '🥪Sandwich').pop()"
                   "?.dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    rows = browser.until("return [...document.querySelectorAll('tr')].map(r => [...r.cells].map(c => c.innerText))"
                         ".filter(r => r.length >= 3 && /%/.test(r[0]))")
    return str(shown), rows


def check_speedscope(browser, folder, trace):
    shown, rows = speedscope(browser, folder, export(trace, "speedscope"), "trace.speedscope.json")
    ok("leaked (1/5)" in shown, "speedscope shows the five profiles, the leaked one first", shown)
    names = [row[2] for row in rows]
    ok(any("main" == n for n in names) and any("leak<long>" in n for n in names),
       "speedscope: its table has the functions", names[:10])
    selves = [float(re.search(r"\((<?[\d.]+)%\)", row[1])[1].lstrip("<")) for row in rows]
    ok(abs(sum(selves) - 100) <= 2, "speedscope: the functions' own shares make the whole", rows[:5])
    ok(not [m for level, m in browser.messages() if level == "SEVERE"], "speedscope: no error on its console")
    folded = f"{folder}/t.folded.txt"
    with open(folded, "w", encoding="utf-8") as file:
        file.write(output(VALTRACE, "flame", "--metric", "leaked", trace))
    shown, rows = speedscope(browser, folder, folded, "t.folded.txt")
    ok("Left Heavy" in shown and any(row[2] == "main" for row in rows), "speedscope imports folded stacks", rows[:3])


def number(text, unit):
    found = re.search(r"([\d,]+) " + unit, text)
    return int(found[1].replace(",", "")) if found else None


def check_dhat(browser, trace, totals):
    browser.go(f"file://{DHAT_VIEW}")
    browser.keys("input[type=file]", export(trace, "dhat"))
    text = browser.until("return document.body.innerText.includes('PP 1/1') && document.body.innerText") or ""
    root = {line.split(":")[0].strip(): line for line in text[text.find("PP 1/1"):].splitlines()[:5] if ":" in line}
    got = [number(root.get(label, ""), unit) for label in ("Total", "At t-gmax", "At t-end") for unit in ("bytes", "blocks")]
    want = [totals[key] for key in ("allocated_bytes", "allocations", "peak_bytes", "peak_blocks", "leaked_bytes",
                                    "leaked_blocks")]
    ok(got == want, "dh_view: total, at the peak and at the end as reported", got, want, text[:400])
    ok(not [m for level, m in browser.messages() if level == "SEVERE"], "dh_view: no error on its console")


class Profiler:
    """One session of profiler-cli with a loaded profile."""

    def __init__(self, folder, path):
        self.environment = {**os.environ, "PROFILER_CLI_SESSION_DIR": f"{folder}/s", "PROFILER_CLI_NO_SYMBOLICATE": "1",
                            "PROFILER_CLI_LOAD_TIMEOUT_MS": "120000"}
        self.run("load", path)  # gives up waiting early on a busy machine; the daemon comes up all the same
        for _ in range(100):
            self.threads = self.run("thread", "list", "--json")
            if self.threads:
                break
            time.sleep(0.3)

    def run(self, *args):
        return output(f"{CONSUMERS}/node_modules/.bin/profiler-cli", *args, env=self.environment)

    def tree(self, thread, strategy):
        text = self.run("thread", "samples-top-down", "--thread", thread, "--strategy", strategy, "--json")
        return json.loads(text)["regularCallTree"] if text.startswith("{") else {}


def names_in(tree):
    names, todo = set(), [tree]
    while todo:
        node = todo.pop()
        names.add(node.get("name"))
        todo += node.get("children", [])
    return names


def named_threads(trace):
    """What the report says of each thread: how the profile is to call it, bytes allocated, bytes leaked."""
    report = json.loads(output(VALTRACE, "report", "threads", "--json", trace))
    main = report["traces"][0]["pid"]
    for t in report["threads"]:
        name = t["name"] or ("p" if t["tid"] == main else f"thread {t['tid']}")
        yield name, t["allocated_bytes"], t["leaked_bytes"]


def check_firefox(folder, trace, totals):
    profiler = Profiler(folder, export(trace, "firefox"))
    try:
        ok('"p"' in profiler.threads, "firefox: profiler-cli loads it", profiler.threads)
        threads = json.loads(profiler.threads)["threads"]
        trees = {t["name"]: {name: profiler.tree(t["threadHandle"], f"native-{name}") for name in STRATEGIES} for t in threads}
        sums = {name: [tree.get("totalSamples") or 0 for tree in each.values()] for name, each in trees.items()}
        want = {name: [allocated, leaked, allocated - leaked] for name, allocated, leaked in named_threads(trace)}
        ok(sums == want and len(want) == 3, "firefox: allocated, retained and freed bytes of each thread as reported", sums, want)
        whole = [totals["allocated_bytes"], totals["leaked_bytes"], totals["allocated_bytes"] - totals["leaked_bytes"]]
        ok([sum(each) for each in zip(*sums.values())] == whole, "firefox: together they are the process", sums, whole)
        names = {name: names_in(each["retained-allocations"]) for name, each in trees.items()}
        ok("main" in names["p"] and any("leak<long>" in n for n in names["p"]) and "churn()" not in names["p"] and
           any("leak<char>" in n for n in names['the "second"']) and not any("leak<char>" in n for n in names["p"]),
           "firefox: what is retained is what the thread leaked", names)
        counters = json.loads(profiler.run("counter", "list", "--json"))["counters"]
        ok(len(counters) == 1 and counters[0]["category"] == "Memory" and
           0 <= counters[0]["graph"][-1] <= totals["peak_bytes"], "firefox: a memory counter", counters)
    finally:
        profiler.run("stop")


def check_pprof(folder, trace, totals):
    tools = sorted(glob.glob("/usr/lib/go-*/pkg/tool/linux_*/pprof"))
    if not tools:
        tap.skip("pprof")
        return
    environment = {**os.environ, "HOME": folder}
    path = export(trace, "pprof", "--metric", "leaked")
    text = output(tools[0], "-sample_index=inuse_space", "-unit=B", "-nodecount=0", "-top", path, env=environment)
    whole = re.search(r"of (\d+)B total", text)
    ok(whole and int(whole[1]) == totals["leaked_bytes"], "pprof -top: all leaked bytes", text[:300])
    ok("leak" in text and "churn" not in re.sub(r"^\s+0 .*$", "", text, flags=re.M), "pprof -top: the leaking functions", text[:600])
    text = output(tools[0], "-sample_index=alloc_objects", "-traces", path, env=environment)
    ok("recurse" in text and "main" in text, "pprof -traces: stacks to main", text[:300])
    text = output(tools[0], "-sample_index=inuse_space", "-diff_base", path, "-top", path, env=environment)
    ok("Showing nodes accounting for 0, 0%" in text, "pprof -diff_base with itself: nothing", text[:300])
    ok("File: p\n" in text, "pprof: the first mapping is the program", text[:100])


def record(folder):
    source, program, trace = f"{folder}/p.cc", f"{folder}/p", f"{folder}/p.vtr"
    with open(source, "w", encoding="utf-8") as file:
        file.write(PROGRAM)
    subprocess.run(["g++", "-O1", "-g", "-o", program, source, "-lpthread"], check=True)
    subprocess.run([VALTRACE, "run", "-q", "-o", trace, "--", program], check=True)
    return trace


def skip(name, why):
    tap.COUNT[0] += 1
    print(f"ok {tap.COUNT[0]} - {name} # SKIP {why}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        trace = record(folder)
        totals = totals_of(trace)
        missing = install()
        check_pprof(folder, trace, totals)
        if missing:
            skip("speedscope, profiler-cli", missing)
        else:
            check_firefox(folder, trace, totals)
        if missing or not jsonschema:
            skip("speedscope's schema", missing or "python3-jsonschema is not installed")
        else:
            check_schema(export(trace, "speedscope"))
        if not webdriver.available():
            skip("speedscope and dh_view in a browser", "chromium-driver is not installed")
        else:
            with webdriver.Browser(arguments=WEBGL) as browser:
                if os.path.exists(DHAT_VIEW):
                    check_dhat(browser, trace, totals)
                if not missing:
                    check_speedscope(browser, folder, trace)
    print(f"1..{tap.COUNT[0]}")
    return 1 if tap.COUNT[1] else 0


sys.exit(main())
