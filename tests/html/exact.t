#!/usr/bin/env python3
"""Every number of the page's tables against another way to it: the CSV export of the same recording, of a
compiler with tens of thousands of stacks, before and after a span of time is selected."""
import csv
import io
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import sample  # noqa: E402
import window  # noqa: E402
from sample import VALTRACE, page, valtrace  # noqa: E402
from tap import COUNT, ok  # noqa: E402

METRICS = {"peak": "peak_bytes", "leaked": "leaked_bytes", "lost": "lost_bytes", "possible": "possible_bytes",
           "reachable": "reachable_bytes", "allocated": "allocated_bytes", "count": "allocations", "temporary": "temporary"}
FATES = ("lost", "possible", "reachable")  # of a selection: when the recording ends
FRAMES = {"all": ["--show-allocator-frames"], "hide": []}
COLUMNS = set(METRICS.values())
PROGRAM = "#include <map>\n#include <string>\nint main() { std::map<std::string, int> m; m[\"a\"] = 1; return (int)m.size(); }\n"


def record_compiler(folder):
    with open(f"{folder}/x.cc", "w", encoding="utf-8") as file:
        file.write(PROGRAM)
    subprocess.run([VALTRACE, "run", "-q", "--snapshot-timeout", "60s", "-o", f"{folder}/%n.%p.vtr", "--", "g++", "-c", "x.cc", "-o", "x.o"], cwd=folder, check=True)
    return next(os.path.join(folder, name) for name in os.listdir(folder) if name.startswith("cc1plus"))


def stacks(trace, *options):
    """[(names from the innermost frame, numbers by column, the function charged with it)] of the CSV export."""
    done = valtrace("export", "--format", "csv", *options, trace)
    assert done.returncode == 0, done.stderr
    rows = csv.DictReader(io.StringIO(done.stdout.decode()))
    return [(row["stack"].split(";"), {key: int(row[key] or 0) for key in COLUMNS}, row["function"]) for row in rows]


def by_function(found, column):
    """{name: [self, total]}; a recursion counts once."""
    sums = {}
    for names, values, _ in found:
        sums.setdefault(names[0], [0, 0])[0] += values[column]
        for name in set(names):
            sums.setdefault(name, [0, 0])[1] += values[column]
    return {name: both for name, both in sums.items() if any(both)}


def callers_of(found, column, name):
    """{caller: value} of the outermost call of each stack; None: nobody."""
    sums = {}
    for names, values, _ in found:
        if name in names and values[column]:
            at = len(names) - 1 - names[::-1].index(name)
            caller = names[at + 1] if at + 1 < len(names) else None
            sums[caller] = sums.get(caller, 0) + values[column]
    return sums


def page_functions(browser):
    """{name: [self, total]}: of a name in several modules the sum, and no total."""
    sums = {}
    for name, own, total in browser.script("return valtrace.functions()"):
        known = sums.get(name)
        sums[name] = [known[0] + own, None] if known else [own, total]
    return sums


def same(got, want):
    differ = [(name, got.get(name), want.get(name)) for name in set(got) | set(want)
              if not (name in got and name in want and got[name][0] == want[name][0] and got[name][1] in (None, want[name][1]))]
    return differ[:5]


def check_functions(browser, path, metric, frames, found, name, span=""):
    browser.open(path, f"#view=table&metric={metric}&frames={frames}{span}")
    want, got = by_function(found, METRICS[metric]), page_functions(browser)
    differ = same(got, want)
    ok(not differ and (want or metric not in ("allocated", "count", "temporary")), f"{name}: {metric}, frames {frames}: each function, self and total", len(want), differ)
    return want


def by_charged(found, column):
    sums = {}
    for _, values, function in found:
        sums[function] = sums.get(function, 0) + values[column]
    return {name: value for name, value in sums.items() if value}


def check_charged(browser, path, found):
    """Without run-time frames the functions themselves have what the export charges them with."""
    browser.open(path, "#view=table&metric=allocated")
    own = {}
    for name, value, _ in browser.script("return valtrace.functions()"):
        own[name] = own.get(name, 0) + value
    own = {name: value for name, value in own.items() if value}
    ok(own == by_charged(found, "allocated_bytes"), "run-time frames hidden, as at first: each function itself", len(own))


def check_bands(browser, path, trace):
    """The bands at one of their moments are what was live then; a chosen one is all there is."""
    browser.open(path, "#bands=function&metric=allocated")
    moments = browser.script("return valtrace.moments()")
    bands, at = browser.script("return valtrace.bands()"), len(moments) * 2 // 3
    found = stacks(trace, "--to", f"{moments[at] - 1}ns")
    live = by_charged(found, "leaked_bytes")
    named = {name: values[at] for name, values, _ in bands if name}
    ok(len(named) == 10 and all(live.get(name, 0) == value for name, value in named.items()), "bands: each is what was live", named)
    ok(sum(values[at] for _, values, _ in bands) == sum(live.values()), "bands: together they are all that was live", sum(live.values()))
    name, _, number = bands[0]
    browser.open(path, f"#bands=function&metric=allocated&only=function.{number}")
    want = by_charged(stacks(trace), "allocated_bytes")[name]
    ok(browser.script("return valtrace.total()") == want, "bands: a chosen one filters", browser.script("return valtrace.total()"), want)


def check_size_bands(browser, path, trace):
    """Of a chosen size class, and of a chosen thread: the functions are those of the filter of the report."""
    browser.open(path, "#bands=size&metric=allocated")
    _, _, number = browser.script("return valtrace.bands()")[1]
    cls = number - 1
    low, high = ((4 + c % 4) << (c // 4 - 1) for c in (cls, cls + 1))
    sizes = ["--show-allocator-frames", "--min-size", str(low), "--max-size", str(high - 1)]
    for metric in ("allocated", "leaked", "count"):
        check_functions(browser, path, metric, "all", stacks(trace, *sizes), f"sizes {low} to {high - 1}", f"&only=size.{number}")
    life = 12
    lives = ["--show-allocator-frames", "--min-lifetime", f"{1 << life}ns", "--max-lifetime", f"{(2 << life) - 1}ns"]
    check_functions(browser, path, "count", "all", stacks(trace, *lives), f"lifetimes of 2^{life} ns", f"&only=life.{life + 1}")


def check_inverted(browser, path, metric, want, span=""):
    """The roots of the inverted view are the functions with something of their own."""
    browser.open(path, f"#metric={metric}&frames=all&invert=1{span}")
    roots = {}
    for name, value in browser.script("return valtrace.roots()"):
        roots[name] = roots.get(name, 0) + value
    own = {name: both[0] for name, both in want.items() if both[0]}
    ok(roots == own, f"inverted, {metric}: its roots are exact", len(own), [(n, roots.get(n), own.get(n)) for n in set(roots) | set(own) if roots.get(n) != own.get(n)][:5])


def check_callers(browser, path, found, want, span=""):
    name = max((n for n in want if want[n][0] and n.isidentifier()), key=lambda n: want[n][0])
    browser.open(path, f"#view=callers&metric=allocated&frames=all&fn={browser.script('return valtrace.functionNumber(arguments[0])', name)}{span}")
    got = dict(map(tuple, browser.script("return valtrace.callers()")))
    expected = callers_of(found, "allocated_bytes", name)
    ok(got == expected and len(got) > 1, f"callers of {name} are exact", len(got), list(expected.items())[:3])


def by_ends(rows):
    """{name: sums of the metrics} of rows [name, sum of each metric]."""
    sums = {}
    for name, *values in rows:
        known = sums.get(name, [0] * len(values))
        sums[name] = [a + b for a, b in zip(known, values)]
    return {name: values for name, values in sums.items() if any(values)}


def own_metrics(found):
    return by_ends([names[0], *(values[column] for column in METRICS.values())] for names, values, _ in found)


def check_beside(browser, path, found):
    """All metrics side by side, and the bottom-up tree: its functions, and the callers of one that is opened."""
    cut = len(METRICS) + 1  # without growth
    browser.open(path, "#view=table&columns=self&frames=all&metric=count")
    got = by_ends(row[:cut] for row in browser.script("return valtrace.beside()"))
    ok(got == own_metrics(found), "metrics side by side: each function, every metric", len(got))
    browser.open(path, "#view=bottomup&frames=all&metric=count")
    shown = browser.script("return valtrace.bottomup()")
    want = own_metrics(found)
    differ = [(name, values, want.get(name)) for name, values in by_ends([name, *values[:cut - 1]] for name, _, *values in shown).items() if values != want.get(name)]
    ok(len(shown) > 10 and not differ, "bottom-up: the functions with most", len(shown), differ[:3])
    name = shown[0][0]
    browser.click("#bottomup [data-path]")
    opened = by_ends([name_, *values[:cut - 1]] for name_, depth, *values in browser.script("return valtrace.bottomup()") if depth == 1)
    callers = by_ends([names[1], *(values[column] for column in METRICS.values())] for names, values, _ in found if names[0] == name and len(names) > 1)
    ok(opened and all(callers[caller] == values for caller, values in opened.items()), f"bottom-up: callers of {name}", len(opened))
    ok(browser.script("return document.activeElement.getAttribute('aria-expanded')") == "true", "bottom-up: the focus stays on what was opened")


def check_bottomup(browser, path, found, span):
    """The functions of the bottom-up tree of a selection; a peak and a fate are of other moments."""
    of_span = [i for i, metric in enumerate(METRICS) if metric not in ("peak", *FATES)]
    browser.open(path, f"#view=bottomup&frames=all&metric=count{span}")
    want, shown = own_metrics(found), browser.script("return valtrace.bottomup()")
    pick = lambda values: [values[i] for i in of_span]  # noqa: E731
    differ = [(name, values) for name, values in by_ends([name, *pick(values)] for name, _, *values in shown).items() if values != pick(want[name])]
    ok(len(shown) > 2 and not differ, "selection: bottom-up", len(shown), differ[:3])


def check_compared(browser, folder):
    """Of two recordings each function has what it has in each alone, of the whole time and of a selection."""
    traces = [sample.record(folder, "sample", "3"), sample.record(folder, "sample")]
    path = page(folder, "compared", *traces)
    browser.open(path)
    last = len(browser.script("return valtrace.moments()")) - 1
    for span in ("", f"&from={last // 4}&to={last * 3 // 4}", f"&from={last // 2}&to={last}"):
        browser.open(path, f"#view=table&metric=count&frames=all{span}")
        options = browser.script("return valtrace.spanOptions()").split() if span else []
        for metric in ("leaked", "allocated", "count", "temporary"):
            browser.open(path, f"#view=table&metric={metric}&frames=all{span}")
            got = {name: (own, total) for name, own, total in browser.script("return valtrace.bothSides()")}
            want = [by_function(stacks(trace, "--show-allocator-frames", *options), METRICS[metric]) for trace in traces]
            want = {name: ([w.get(name, [0, 0])[0] for w in want], [w.get(name, [0, 0])[1] for w in want]) for name in {*want[0], *want[1]}}
            differ = [(name, got.get(name), both) for name, both in want.items() if got.get(name) != both]
            ok(not differ and got.keys() == want.keys(), f"comparison, {' '.join(options) or 'whole'}: {metric}: each function, before and after", len(want), differ[:3])
        browser.open(path, f"#view=sizes&metric=count{span}")
        for side, trace in enumerate(traces):
            sizes = sum(row["allocations"] for row in sample.report(trace, "sizes", *options)["sizes"])
            ok(sum(n for _, n in browser.script("return valtrace.distribution('size', arguments[0])", side)) == sizes, f"comparison: sizes of side {side}", sizes)


def check_keep(browser, path, trace, found):
    """Only stacks with a match, and only those without: together they are all."""
    only = stacks(trace, "--show-allocator-frames", "--function", "*walk_tree*")
    check_functions(browser, path, "allocated", "all", only, "show only matches", "&q=walk_tree&keep=only")
    whole, part = by_function(found, "allocated_bytes"), by_function(only, "allocated_bytes")
    browser.open(path, "#view=table&metric=allocated&frames=all&q=walk_tree&keep=out")
    total = browser.script("return valtrace.tableTotal()")
    want = sum(own for own, _ in whole.values()) - sum(own for own, _ in part.values())
    ok(total == want and 0 < want, "leave out matches: what is left", total, want)


def check_span(browser, path, trace):
    """A selection and --from/--to say the same; what is called peak is what was live at the moment it names."""
    browser.open(path)
    moments = browser.script("return valtrace.moments()")
    start, end = len(moments) // 4, len(moments) * 3 // 4
    span, name = f"&from={start}&to={end}", "selection"
    browser.open(path, span.replace("&", "#", 1))
    times = browser.script("return valtrace.spanOptions()").split()
    ok(times == ["--from", f"{moments[start]}ns", "--to", f"{moments[end] - 1}ns"], "selection: its options for the command line", times)
    options = ["--show-allocator-frames", *times[:2]]
    found = stacks(trace, *options, *times[2:])
    for metric in METRICS:
        if metric not in ("peak", *FATES):
            want = check_functions(browser, path, metric, "all", found, name, span)
            check_inverted(browser, path, metric, want, span)
    browser.open(path, f"#view=table&metric=peak&frames=all{span}")
    moment = browser.script("return valtrace.moments()[valtrace.highest()]")
    ok(moments[start] < moment <= moments[end], "selection: its peak is within it", moment)
    want = by_function(stacks(trace, *options, "--to", f"{moment - 1}ns"), "leaked_bytes")
    differ = same(page_functions(browser), want)
    ok(not differ and want, "selection: peak: each function", differ)
    check_callers(browser, path, found, by_function(found, "allocated_bytes"), span)
    check_bottomup(browser, path, found, span)
    check_views(browser, path, trace, span, times)
    check_growth(browser, path, trace, span, (moments[start], moments[end]))
    since = stacks(trace, *options)
    for metric in FATES:
        if metric in METRICS:
            check_functions(browser, path, metric, "all", since, "selection to the end", f"&from={start}&to={len(moments) - 1}")


def check_views(browser, path, trace, span, times):
    """Sizes, lifetimes and threads of a selection are those of the report's views."""
    browser.open(path, f"#view=sizes&metric=count{span}")
    want = {row["min_size"]: row["allocations"] for row in sample.report(trace, "sizes", *times)["sizes"] if row["allocations"]}
    got = {c if c < 4 else (4 + c % 4) << (c // 4 - 1): n for c, n in browser.script("return valtrace.distribution('size')")}
    ok(got == want, "selection: sizes", len(want), [(k, got.get(k), want.get(k)) for k in set(got) | set(want) if got.get(k) != want.get(k)][:5])
    want = {row["from_ns"]: row["blocks"] for row in sample.report(trace, "lifetimes", *times)["lifetimes"]["histogram"]}
    got = {1 << n if n else 0: blocks for n, blocks in browser.script("return valtrace.distribution('life')")}
    ok(got == want, "selection: lifetimes", got, want)
    browser.open(path, f"#view=threads{span}")
    thread = sample.report(trace, "threads", *times)["threads"][0]
    got = browser.script("return valtrace.threads()")[0]
    ok(all(got[key] == thread[key] for key in ("allocations", "allocated_bytes", "frees", "temporary", "leaked_bytes")), "selection: threads", got, thread)


def check_growth(browser, path, trace, span, borders):
    """What was live at the end of the selection, less what was live at its start."""
    live = [by_function(stacks(trace, "--show-allocator-frames", "--to", f"{border - 1}ns"), "leaked_bytes") for border in borders]
    browser.open(path, f"#view=table&metric=growth&frames=all{span}")
    got = {}
    for name, before, now in browser.script("return valtrace.grown()"):
        known = got.get(name, (0, 0))
        got[name] = (known[0] + before, known[1] + now)
    want = {name: tuple(side.get(name, (0, 0))[0] for side in live) for name in set(live[0]) | set(live[1])}
    differ = [(name, got.get(name), value) for name, value in want.items() if got.get(name, (0, 0)) != value]
    ok(not differ and any(a != b for a, b in want.values()), "growth: each function, at the start and at the end", len(want), differ[:5])


def check_folded(browser, folder):
    """Of a tree too large for a page no table pretends to be exact, and what it says is not too much."""
    sample.build(folder)
    trace = sample.record(folder, "sample", "18")
    path = page(folder, "folded", trace)
    ok(os.path.getsize(path) <= 5000000 and sample.data_of(path)["folded"] > 100000, "folded: 5 MB", os.path.getsize(path))
    browser.open(path, "#view=table&metric=count&frames=all")
    cells = browser.script("return [...document.querySelectorAll('#table-body td.number')].map((c) => c.textContent)")
    ok(cells and all(cell.startswith("≥") for cell in cells), "folded: every number of the table is marked", cells[:5])
    ok("folded into [smaller frames]" in browser.text("#footer"), "folded: the page says so", browser.text("#footer"))
    exact = by_function(stacks(trace, "--show-allocator-frames"), "allocations")
    shown = {name: values for name, values in page_functions(browser).items() if name != "[smaller frames]"}
    ok(all(a <= b for name, values in shown.items() for a, b in zip(values, exact[name]) if a is not None), "folded: they are lower bounds", shown)
    browser.open(path, "#metric=count&frames=all&invert=1")
    labels = browser.script("return valtrace.rects().filter((r) => r.node).map((r) => r.label)")
    ok(labels and all("≥" in label for label in labels), "folded: inverted is marked, too", labels[:3])


def run_all(browser, folder):
    trace = record_compiler(folder)
    path = page(folder, "compiler", trace)
    ok(os.path.getsize(path) <= 5000000, "5 MB", os.path.getsize(path))
    if not sum(values["possible_bytes"] for _, values, _ in stacks(trace)):
        del METRICS["possible"]
    for frames, options in FRAMES.items():
        found = stacks(trace, *options)
        for metric in METRICS:
            want = check_functions(browser, path, metric, frames, found, "whole")
            if frames == "all":
                check_inverted(browser, path, metric, want)
        if frames == "all":
            check_beside(browser, path, found)
            check_keep(browser, path, trace, found)
            ok(len(found) > 5000, "many stacks", len(found))
            check_callers(browser, path, found, by_function(found, "allocated_bytes"))
    check_charged(browser, path, stacks(trace))
    check_bands(browser, path, trace)
    check_size_bands(browser, path, trace)
    check_span(browser, path, trace)
    check_folded(browser, folder)
    check_compared(browser, folder)
    ok(browser.messages() == [], "no error on the console", browser.messages()[:3])


def main():
    if not window.webdriver.available():
        print("1..0 # SKIP chromium and chromium-driver are not installed (tools/deps full)")
        return
    with tempfile.TemporaryDirectory() as folder, window.Window() as browser:
        run_all(browser, folder)
    print(f"1..{COUNT[0]}")
    sys.exit(1 if COUNT[1] else 0)


main()
