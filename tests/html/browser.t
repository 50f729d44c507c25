#!/usr/bin/env python3
"""The HTML page in a real headless Chromium: every interaction, both themes, hostile names, and axe-core when
the npm registry can be reached (tests/html/axe gets the pinned version once)."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "steer")]
sys.dont_write_bytecode = True
import sample  # noqa: E402
import window  # noqa: E402
from sample import BUILD, page, record, report  # noqa: E402
from steer import Steered  # noqa: E402
from tap import COUNT, ok, skip  # noqa: E402

METRICS = {"peak": "peak_bytes", "leaked": "leaked_bytes", "allocated": "allocated_bytes", "count": "allocations", "temporary": "temporary"}
VIEWS = ("flame", "table", "bottomup", "callers", "sizes", "threads")
CONTRAST = """
const theme = getComputedStyle(document.documentElement);
const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = (name) => {
  const hex = theme.getPropertyValue(name).trim().slice(1);
  const [r, g, b] = [0, 2, 4].map((i) => channel(parseInt(hex.slice(i, i + 2), 16)));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
return arguments[0].map(([a, b]) => {
  const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
  return [a, b, (x + 0.05) / (y + 0.05)];
}).filter(([, , ratio]) => ratio < 4.5);
"""


def rects(browser):
    return browser.script("return valtrace.rects()")


def rect_of(browser, name):
    return next((r for r in rects(browser) if r["name"] == name), None)


def click_frame(browser, name):
    """A click in the middle of a frame, as a user does it."""
    browser.script("document.getElementById('flame').scrollIntoView({block: 'center'})")
    rect = rect_of(browser, name)
    box = browser.script("const b = document.getElementById('flame'), r = b.getBoundingClientRect();"
                     "b.scrollTop = Math.max(0, arguments[0] - 100); return [r.left, r.top, r.width, b.scrollTop]", rect["depth"] * rect["row"])
    browser.drag([(box[0] + (rect["x"] + rect["w"] / 2) * box[2], box[1] + (rect["depth"] + 0.5) * rect["row"] - box[3])])


def fragment(browser):
    return browser.script("return location.hash")


def check_totals(browser, path, trace):
    totals = report(trace)["totals"]
    for metric, key in METRICS.items():
        browser.open(path, f"#metric={metric}")
        ok(browser.script("return valtrace.total()") == totals[key], f"total of {metric} is that of report --json")
    exact = browser.script("return document.querySelector('[data-total=peak_bytes]').closest('.total').title")
    ok(f"{totals['peak_bytes']:,} bytes" in exact, "summary: exact peak in the tooltip", exact)
    ok(browser.text("[data-total=allocations]") == f"{totals['allocations']:,}", "summary: allocations")
    ok(browser.messages() == [], "no error on the console")


def check_zoom(browser, path):
    browser.open(path, "#metric=allocated")
    whole = len(rects(browser))
    click_frame(browser, "recurse")
    zoomed = rects(browser)
    ok("zoom=" in fragment(browser) and len(zoomed) < whole and rect_of(browser, "recurse")["w"] == 1 and not rect_of(browser, "phase_late"), "a click zooms")
    shared = fragment(browser)
    browser.back()
    ok(fragment(browser).find("zoom") < 0 and len(rects(browser)) == whole, "the back button goes back")
    browser.open(path, shared)
    ok(len(rects(browser)) == len(zoomed), "the address can be shared")
    browser.click("#reset-zoom")
    ok(len(rects(browser)) == whole, "reset zoom")


def check_search(browser, path, trace):
    browser.open(path, "#metric=allocated")
    browser.keys("#search", "phase_")
    want = 100 * (1000 * 300 + 2000 * 200 + 400000) / report(trace)["totals"]["allocated_bytes"]
    ok(browser.text("#matched") == f"{want:.1f} % matched, 3 frames", "search says its share of the total", browser.text("#matched"), want)
    ok("q=phase_" in fragment(browser), "search is in the address")
    browser.open(path, "#metric=allocated&q=recurse")
    want = 100 * 5000 / report(trace)["totals"]["allocated_bytes"]
    ok(browser.text("#matched") == f"{want:.1f} % matched, 7 frames", "a match below a match is counted once", browser.text("#matched"), want)
    browser.script("document.getElementById('search').value = ''")
    browser.keys("#search", "/^phase_(late|peak)$/")
    ok("2 frames" in browser.text("#matched"), "search by regular expression", browser.text("#matched"))
    browser.keys("#search", "[")
    ok(browser.text("#matched") == "no match", "a search that matches nothing says so")


def check_switches(browser, path):
    browser.open(path, "#metric=allocated&frames=hide")
    total = browser.script("return valtrace.total()")
    ok(rect_of(browser, "xmalloc") and not rect_of(browser, "fd_wksp_alloc"), "allocator frames are hidden")
    browser.open(path, "#metric=allocated&frames=all")
    ok(rect_of(browser, "fd_wksp_alloc"), "allocator frames can be shown")
    browser.open(path, "#metric=allocated")
    ok(rect_of(browser, "keep") and not rect_of(browser, "xmalloc"), "wrappers are hidden at first")
    ok(rect_of(browser, "main")["depth"] == 1, "what starts the process takes no row at first")
    before = sum(r["name"] == "recurse" for r in rects(browser))
    browser.click("#toggle-merge")
    ok((before, sum(r["name"] == "recurse" for r in rects(browser))) == (7, 1), "recursion is merged", before)
    browser.click("#toggle-invert")
    inverted = {r["name"]: r for r in rects(browser)}
    ok(inverted["phase_late"]["depth"] == 1 and inverted["main"]["depth"] > 1 and browser.script("return valtrace.total()") == total, "inverted: innermost frames on top, the same total")
    browser.open(path, "#metric=allocated&by=line")
    by_line = len(rects(browser))
    browser.open(path, "#metric=allocated")
    ok(by_line > len(rects(browser)), "grouped by line there are more frames")


def check_metric_switch(browser, path, trace):
    totals = report(trace)["totals"]
    browser.open(path)
    browser.click("[data-metric=leaked]")
    ok(browser.script("return valtrace.total()") == totals["leaked_bytes"], "metric switch by click")
    browser.press("right")
    ok(browser.script("return valtrace.total()") == totals["lost_bytes"] and browser.script("return document.activeElement.dataset.metric") == "lost", "metric switch by keyboard")
    browser.back()
    ok(browser.script("return valtrace.total()") == totals["leaked_bytes"], "metric switch and back")


def check_brush(browser, path, trace):
    browser.open(path, "#metric=allocated")
    browser.script("scrollTo(0, 0)")
    box = browser.script("const r = document.querySelector('.plot').getBoundingClientRect(); return [r.left + 62, r.top, r.width - 74]")
    browser.drag([(box[0] - 3, box[1] + 8), (box[0] + box[2] * 0.05, box[1] + 60), (box[0] + box[2] * 0.1, box[1] + 60)])
    early = rect_of(browser, "phase_early")
    ok("from=0" in fragment(browser) and early and early["value"] == 300000 and not rect_of(browser, "phase_late"), "brush: only what the span allocated", fragment(browser), early)
    browser.click("[data-metric=leaked]")
    ok(browser.script("return valtrace.total()") == 0 and "live at its end" in browser.text("#span-chip"), "brush: leaked means live at its end, and says so", browser.script("return valtrace.total()"))
    browser.click("[data-metric=peak]")
    ok("Peak means here" in browser.text("#span-chip"), "brush: what is not exact is said", browser.text("#span-chip"))
    browser.click("#span-chip button")
    ok(browser.script("return valtrace.total()") == report(trace)["totals"]["peak_bytes"], "brush: cleared")
    browser.script("document.querySelector('[data-which=to]').focus()")
    browser.press("left")
    ok("to=" in fragment(browser) and browser.script("return document.activeElement.dataset.which") == "to", "brush: by keyboard", fragment(browser))
    browser.press("home")
    ok("to=1" in fragment(browser), "brush: Home makes it shortest", fragment(browser))


def check_answers(browser, folder):
    """The first screen answers; a band, a site and a finding's function can be clicked, and clicked again."""
    path = page(folder, "phases", record(folder, "sample"))
    browser.resize(1200, 800)
    browser.open(path)
    bottoms = browser.script("return ['.findings, #summary .card', '#timeline', '#top-sites'].map((s) => document.querySelector(s).getBoundingClientRect().bottom)")
    ok(max(bottoms) <= 800, "1200 by 800: findings, timeline and top sites are on the first screen", bottoms)
    ok(len(browser.script("return [...document.querySelectorAll('.site-row')]")) == 5, "five top sites")
    ok("malloc(sz)" in browser.text("#top-sites"), "with their code", browser.text("#top-sites"))
    # Live for the second half of the time: what was kept in the middle.
    bands = [b for b in browser.script("return valtrace.bands()") if b[0]]
    name, _, number = next(b for b in bands if b[1][-1] > 0)
    end = browser.script("return valtrace.shownTime().to")  # zoomed to a time without the peak, beside which it is thin
    browser.open(path, f"#start={round(0.7 * end)}&end={round(0.9 * end)}")
    point = browser.script("return valtrace.bandPoint(arguments[0], 0.5)", number)
    browser.drag([point])
    ok(f"only=site.{number}" in fragment(browser) and browser.text("#only .name") == name, "a click on a band chooses it", fragment(browser))
    shown = {r["name"] for r in rects(browser) if r["node"]}
    ok(name in shown and "phase_late" not in shown, "and everything is about it alone", shown)
    browser.click("#only button")
    ok("only=" not in fragment(browser), "the chip takes it back")
    browser.click(".site-row")
    ok("only=site." in fragment(browser), "a top site can be chosen, too")
    browser.resize(1400, 1000)


def check_time(browser, path):
    """Time is zoomed by buttons, keys and the address; a selection is shown where it is."""
    browser.open(path)
    whole = browser.script("return valtrace.shownTime()")
    browser.click("#time-in")
    half = browser.script("return valtrace.shownTime()")
    ok(abs((half["to"] - half["from"]) * 2 - whole["to"]) < 10 and "start=" in fragment(browser), "time: + shows half of it", half, whole)
    browser.press("+")
    quarter = browser.script("return valtrace.shownTime()")
    ok(abs((quarter["to"] - quarter["from"]) * 4 - whole["to"]) < 10, "time: the key does, too", quarter)
    browser.press("[")
    ok(browser.script("return valtrace.shownTime()")["from"] < quarter["from"], "time: [ goes to earlier")
    browser.press("0")
    ok("start=" not in fragment(browser), "time: 0 shows all of it")
    browser.open(path, "#from=1&to=2")
    browser.click("#time-span")
    shown, (first, last) = browser.script("return valtrace.shownTime()"), browser.script("return valtrace.moments().slice(1, 3)")
    ok(shown["from"] <= first and last <= shown["to"] + 1 and shown["to"] < whole["to"], "time: zoomed to the selection", shown, first, last)


def check_resident(browser, path, trace):
    """Resident memory by kind in place of the heap's bands: the samples of the report, which cannot be chosen."""
    browser.open(path, "#bands=resident")
    samples = {row["t_ns"]: row for row in report(trace, "timeline")["timeline"]["memory"]}
    bands, times = {name: values for name, values, _ in browser.script("return valtrace.bands()")}, browser.script("return valtrace.residentTimes()")
    kinds = {"anonymous": "private_bytes", "of files": "file_bytes", "shared memory": "shared_bytes"}
    want = {name: [samples[time][key] for time in times] for name, key in kinds.items()}
    ok(bands == {name: values for name, values in want.items() if any(values)}, "resident memory: by kind as in the report", bands, want)
    high = browser.script("return [...document.querySelectorAll('.peak-label')].map((l) => l.textContent)")
    ok(any(label.startswith("resident ") for label in high) and not browser.script("return document.querySelectorAll('.bands button').length"),
       "resident memory: its highest is marked, no band is a button", high)


def check_matches(browser, path):
    browser.open(path, "#metric=allocated&q=phase_")
    browser.press("n")
    first = browser.script("return valtrace.focus()")
    browser.press("n")
    second = browser.script("return valtrace.focus()")
    browser.press("N")
    ok(first != second and first.startswith("phase_") and second.startswith("phase_") and browser.script("return valtrace.focus()") == first, "matches: n and N go through them", first, second)
    ok(browser.text("#match-number") == "1 of 3", "matches: which of how many", browser.text("#match-number"))
    browser.click("#keep-only")
    ok(browser.script("return valtrace.total()") == 1000 * 300 + 2000 * 200 + 400000, "matches: show only them", browser.script("return valtrace.total()"))
    browser.press("c")
    ok("keep=" not in fragment(browser), "the key c takes choices back")


def check_source(browser, path):
    browser.open(path, "#metric=allocated")
    click_frame(browser, "phase_peak")
    ok("malloc(400000)" in browser.text("#details .source .here"), "source: the line of a frame", browser.text("#details .source"))
    link = browser.script("return document.querySelector('#details .editor-link').getAttribute('href')")
    ok(link.startswith("vscode://file/") and re.search(r"/sample\.c:\d+$", link), "source: a link opens the editor", link)
    for template, good in (("idea://open?file={file}&line={line}", True), ("javascript://x%0aalert(1)", False), ("https://example.org/{file}", False)):
        browser.script("document.querySelector('#editor').value = arguments[0]; document.querySelector('#editor').dispatchEvent(new Event('change'))", template)
        shown = browser.script("const a = document.querySelector('#details .editor-link'); return a && a.getAttribute('href')")
        ok(bool(shown) == good, f"source: an editor's link of one's own: {template}", shown)
        browser.script("localStorage.clear(); dispatchEvent(new Event('resize'))")


PAIRS = """
#include <pthread.h>
#include <stdlib.h>
static void *blocks[100];
static void *half(void *from) { for (long i = (long)from; i < (from ? 100 : 60); i++) free(blocks[i]); return 0; }
int main(void) {
  pthread_t a, b;
  for (int i = 0; i < 100; i++) blocks[i] = malloc(3000);
  pthread_create(&a, 0, half, (void *)0); pthread_join(a, 0);
  pthread_create(&b, 0, half, (void *)60); pthread_join(b, 0);
  return 0;
}
"""


def check_pairs(browser, folder):
    """Which thread frees whose blocks: 60 by one, 40 by the other."""
    with open(f"{folder}/pairs.c", "w", encoding="utf-8") as file:
        file.write(PAIRS)
    subprocess.run(["gcc", "-O0", "-g", "-o", f"{folder}/pairs", f"{folder}/pairs.c", "-lpthread"], check=True)
    path = page(folder, "pairs", record(folder, "pairs"))
    browser.open(path, "#view=threads&metric=count&q=pairs.c&keep=only")
    pairs = sorted(n for (owner, freer), n in browser.script("return valtrace.pairs()") if owner != freer)
    rows = {row["label"]: row for row in browser.script("return valtrace.threads()")}
    ok(pairs == [40, 60], "threads: who frees whose blocks", pairs)
    ok(sorted(row["frees_of_others"] for row in rows.values()) == [0, 40, 60] and max(row["freed_by_others"] for row in rows.values()) == 100, "threads: freed for others, by others", rows)
    ok(len(browser.script("return [...document.querySelectorAll('#matrix tbody td')]")) >= 2, "threads: they are shown as a matrix")
    ok("main thread" in browser.text("#panel"), "threads: the main thread is called so")
    browser.click("#panel tbody button")
    ok("only=thread." in fragment(browser), "threads: one can be chosen", fragment(browser))


def check_bars(browser, path, trace):
    """A bar of the sizes chooses its blocks, on every tab."""
    browser.open(path, "#view=sizes&metric=allocated")
    bars = dict(map(tuple, browser.script("return valtrace.distribution('size')")))
    for way in ("size", "life"):
        browser.open(path, "#view=sizes&metric=allocated&q=phase_peak&keep=only")
        legend = browser.script("return [...document.querySelectorAll('.card[data-distribution=size] .legend')].map((e) => e.textContent)")
        ok(legend and "others" not in legend, "sizes: the legend has no others when there are none", legend)
        kept = browser.script("return valtrace.distribution(arguments[0])", way)
        browser.open(path, "#view=sizes&metric=allocated&q=phase_peak")
        ok(browser.script("return valtrace.distribution(arguments[0])", way) == kept and "with a match" in browser.text("#panel"), f"{way}: what is searched for", kept)
    ok(sum(value for _, value in kept) < sum(bars.values()), "sizes: a search leaves something out")
    browser.open(path, "#view=sizes&metric=allocated")
    number = max(bars, key=bars.get)
    box = browser.script("const r = document.querySelector(`[data-bar=\"${arguments[0]}\"]`); r.scrollIntoView({block: 'center'}); const b = r.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]", number)
    browser.drag([box])
    ok(f"only=size.{number + 1}" in fragment(browser), "sizes: a bar can be clicked", fragment(browser))
    browser.press("1")
    ok(browser.script("return valtrace.total()") == bars[number] and rect_of(browser, "phase_peak"), "sizes: everything is about its blocks", bars[number])


def check_not_told(browser, folder, trace):
    """Of a recording that is too large nothing is said by thread, heap, size or lifetime, rather than something wrong."""
    data = json.loads(sample.valtrace("html", "--json", trace).stdout)
    data["sides"][0]["blocks"]["detailed"] = False
    path = f"{folder}/large.html"
    done = subprocess.run([sys.executable, os.path.join(HERE, "../../tools/html/page.py"), path], input=json.dumps(data).encode(), check=False)
    ok(done.returncode == 0, "too large: the page is made")
    total = report(trace)["totals"]["allocated_bytes"]
    for view in ("sizes", "threads"):
        browser.open(path, f"#view={view}&metric=allocated&bands=thread&only=thread.1-size.1")
        ok("too large" in browser.text("#panel") and not browser.script("return document.querySelector('#panel table')"), f"too large: {view} are not told", browser.text("#panel"))
        ok(browser.script("return valtrace.tableTotal()") == total and browser.script("return valtrace.bands()[0][0]") != "main thread", "too large: an address cannot choose them")
    ok(browser.script("return [...document.querySelectorAll('#bands-by option')].map((o) => o.value)") == ["site", "function", "module", "resident"], "too large: nor the bands")


def check_processes(browser, folder):
    """Of several processes threads are told by theirs, and time goes on until the last has ended."""
    done = sample.valtrace("run", "-q", "-d", f"{folder}/two", "--", "sh", "-c", f"{folder}/sample; {folder}/sample")
    assert done.returncode == 0, done.stderr
    browser.open(page(folder, "two", f"{folder}/two"), "#bands=thread&view=threads")
    names = [name for name, _, _ in browser.script("return valtrace.bands()")]
    ok(len({name for name in names if re.fullmatch(r"sample \d+, main thread", name)}) == 2, "several processes: whose threads they are", names)
    ok(browser.text("#program").endswith(f" and {len(names) - 1} more"), "several processes: how many", browser.text("#program"))
    moments = browser.script("return valtrace.moments()")
    ok(browser.script("return valtrace.shownTime().to") == moments[-1] - 1 and moments[-1] > 320e6, "several processes: the time of all", moments[-1])


def check_sampled(browser, folder):
    """Of a sample what was estimated has its standard error, and nothing else has one."""
    trace = f"{folder}/sampled.vtr"
    done = sample.valtrace("run", "-q", "--sample", "4096", "-o", trace, "--", f"{folder}/sample")
    assert done.returncode == 0, done.stderr
    browser.open(page(folder, "sampled", trace))
    told = browser.script("return Object.fromEntries([...document.querySelectorAll('[data-total]')].map((e) => [e.dataset.total, e.textContent]))")
    ok("NaN" not in str(told) and "undefined" not in str(told), "sampled: totals are numbers", told)
    estimated = {key for key, text in told.items() if "≈" in text}
    bounded = {key for key, text in told.items() if text.startswith("≤ ")}  # what lives at the end are some hundred bytes
    ok({"peak_bytes", "leaked_bytes"} <= estimated | bounded and "peak_bytes" in estimated and
       all("±" in told[key] for key in estimated - {"temporary"}), "sampled: estimates have errors", told)
    ok(not estimated & {"allocations", "allocated_bytes", "peak_rss_bytes"}, "sampled: what was counted has none", told)


UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}


def check_mixed_samples(browser, folder):
    """Of samples of several periods each has its own error: that of a function is the report's."""
    os.mkdir(f"{folder}/samples")
    for period in ("1K", "256K"):
        done = sample.valtrace("run", "-q", "--sample", period, "-o", f"{folder}/samples/{period}.vtr", "--", f"{folder}/sample", "9")
        assert done.returncode == 0, done.stderr
    groups = json.loads(sample.valtrace("report", "hot", "--by", "function", "--json", f"{folder}/samples").stdout)["groups"]
    browser.open(page(folder, "samples", f"{folder}/samples"), "#view=table&metric=allocated")
    rows = browser.script("return [...document.querySelectorAll('#panel tbody tr')].map((r) => [...r.cells].map((c) => c.textContent.trim()))")
    shown = {cell: float(error.split()[1]) * UNITS[error.split()[2]] for row in rows for error in row[:6] if re.fullmatch(r"± [0-9.]+ [KM]?i?B", error) for cell in row}
    errors = {g["function"]: g["standard_error"]["allocated_bytes"] for g in groups if g["function"] in shown}
    ok(errors and all(abs(shown[name] - error) <= 0.25 * error + 1 for name, error in errors.items()), "several periods: errors of functions are the report's", shown, errors)
    ok("the trace with the fewest" in browser.text("#summary"), "several periods: the page says so", browser.text("#summary"))


def check_unseen(browser, folder):
    """Of a sample none of whose live blocks was recorded, and of its comparison, the page says what it is at most."""
    with open(f"{folder}/unseen.c", "w", encoding="utf-8") as file:
        file.write("#include <stdlib.h>\nvoid *volatile s;\nint main(void) { for (int i = 0; i < 50; i++) { s = malloc(1 << 28); free(s); } s = malloc(1); return 0; }")
    subprocess.run(["gcc", "-O0", "-g", "-o", f"{folder}/unseen", f"{folder}/unseen.c"], check=True)
    trace = f"{folder}/unseen.vtr"
    sample.valtrace("run", "-q", "--sample", "64M", "-o", trace, "--", f"{folder}/unseen")
    browser.open(page(folder, "unseen", trace))
    ok(browser.text("[data-total=leaked_bytes]") == "≤ 448 MiB", "unseen: live at the end is bounded", browser.text("[data-total=leaked_bytes]"))
    ok(browser.text("[data-total=temporary]") == "≈ 100 %", "unseen: no part is more than all", browser.text("[data-total=temporary]"))
    browser.open(page(folder, "unseen2", trace, trace))
    ok("not known" in browser.text("[data-total=leaked_bytes]"), "unseen: nor is a change known", browser.text("[data-total=leaked_bytes]"))


def check_paused(browser, folder):
    """What may have been freed while recording was paused: totals are that at most, and a change is about that."""
    run = Steered("--no-snapshot")
    for step in ("a 50 1000", "stop", "f 50", "start", "a 80 1200"):
        run.ctl(step) if step in ("stop", "start") else run.tell(step)
    run.end()
    browser.open(page(folder, "paused", run.path))
    told = [browser.text(f"[data-total={key}]") for key in ("peak_bytes", "leaked_bytes", "allocated_bytes")]
    ok([text[0] == "≤" for text in told] == [True, True, False], "paused: peak and live are at most", told)
    browser.open(page(folder, "paused2", run.path, run.path))
    ok("≈" in browser.text("[data-total=peak_bytes]"), "paused: and a change is about that", browser.text("[data-total=peak_bytes]"))
    shutil.rmtree(run.folder)


def check_keyboard(browser, path):
    browser.open(path, "#metric=allocated")
    browser.script("document.getElementById('flame').focus()")

    def after(*keys):
        browser.press(*keys)
        return browser.script("return valtrace.focus()")

    first = after("down")
    ok(first == "main", "keyboard: down is the callee", first)
    child = after("down")
    sibling = after("right")
    ok(child != sibling and after("left") == child and after("up") == "main", "keyboard: left and right are siblings, up is the caller", child, sibling)
    ok(browser.text("#announce").startswith("main, "), "keyboard: the frame is announced", browser.text("#announce"))
    after("enter")
    ok("zoom=" in fragment(browser), "keyboard: Enter zooms")
    after("escape")
    ok("zoom=" not in fragment(browser), "keyboard: Escape resets")
    browser.press("/")
    ok(browser.script("return document.activeElement.id") == "search", "keyboard: / searches")
    browser.open(path)
    browser.press("tab")
    outline = browser.script("const s = getComputedStyle(document.activeElement); return [document.activeElement.id, s.outlineStyle, s.outlineWidth]")
    ok(outline == ["skip", "solid", "2px"], "keyboard: the focus is visible", outline)


def check_table(browser, path, trace):
    browser.open(path, "#view=table&metric=allocated&frames=hide")
    name = "return document.querySelector('#table-body tbody tr .name').textContent"
    ok(browser.script(name) == "phase_peak", "table: largest first", browser.script(name))
    browser.click("[data-sort=name]")
    ok(browser.script("return document.querySelector('[aria-sort]').textContent") == "Function▲", "table: sorted by a click on a head")
    browser.click("[data-sort=name]")
    ok(browser.script(name) == "xmalloc", "table: reversed by another", browser.script(name))
    browser.keys("#search", "phase_")
    ok(browser.script("return document.querySelectorAll('#table-body tbody tr').length") == 3, "table: filtered by the search")
    browser.script("URL.createObjectURL = (blob) => { blob.text().then((t) => { window.savedCsv = t; }); return '#'; }; HTMLAnchorElement.prototype.click = () => {}")
    browser.click("#csv")
    browser.until("return window.savedCsv")
    lines = browser.script("return window.savedCsv").splitlines()
    ok(len(lines) == 4 and "400000" in browser.script("return window.savedCsv"), "table: CSV has what is shown, exact", lines)
    browser.open(path, "#view=table&metric=leaked&rows=stacks&frames=hide")
    browser.click(".stackcell summary")
    want = report(trace, "leaks")["sites"][0]["stack"]
    for _ in range(100):
        if browser.script("return document.querySelector('.stackcell .stack') !== null"):
            break
        time.sleep(0.05)
    shown = browser.script("return [...document.querySelector('.stackcell .stack').querySelectorAll('.name')].map((n) => n.textContent)")
    ok(shown == [f["function"] for f in want], "table: the largest leak's stack is the report's", shown)


def check_details(browser, path):
    browser.open(path, "#metric=leaked&frames=hide")
    click_frame(browser, "xmalloc")
    browser.script("navigator.clipboard.writeText = (t) => { window.copied = t; return Promise.resolve(); }")
    browser.click("#copy-stack")
    copied = browser.script("return window.copied").splitlines()
    ok(copied[0].startswith("xmalloc  ") and "sample.c:" in copied[0] and any(line.startswith("main  ") for line in copied), "copy stack: innermost first, with source lines", copied[:3])
    browser.open(path, "#view=callers&metric=allocated&frames=hide")
    tables = browser.script("return [...document.querySelectorAll('.pair-of-tables table')].map((t) => [...t.querySelectorAll('.name')].map((n) => n.textContent))")
    ok(tables[0] == ["main"], "callers and callees of the function with most", tables)


def check_hostile(browser, path):
    for view in ("flame", "table", "callers"):
        browser.open(path, f"#metric=leaked&view={view}")
        ok(browser.script("return [window.pwned, document.images.length, document.scripts.length]") == [None, 0, 2], f"hostile names are inert: {view}")
    browser.open(path, "#metric=leaked")
    names = {r["name"] for r in rects(browser)}
    ok(sample.HOSTILE[0] in names and not any(c in name for name in names for c in "\n\u202e\u2066"), "hostile names are shown, control characters replaced")
    click_frame(browser, sample.HOSTILE[0])
    ok(browser.text("#details h3") == sample.HOSTILE[0] and browser.script("return window.pwned") is None, "a hostile frame can be looked at")
    browser.open(path, "#metric=leaked&q=%3Cimg%20src%3Dx%20onerror%3Dwindow.pwned%3D1%3E&fn=1e9&zoom=zz.%22%3E&from=-5&to=x")
    ok("1 frame" in browser.text("#matched") and browser.script("return window.pwned") is None, "a hostile address is inert", browser.text("#matched"))
    ok(browser.messages() == [], "hostile names: no error on the console")


def check_diff(browser, path, traces):
    browser.open(path, "#metric=count")
    gone = rect_of(browser, "branch")
    ok(gone and gone["value"] == 8 and gone["label"] == "−8 gone  branch", "comparison: vanished frames are shown, with their sign", gone)
    browser.open(path, "#metric=count&view=table&q=branch")
    row = browser.script("return [...document.querySelectorAll('#table-body tbody td')].map((c) => c.textContent)")
    ok(row[:3] == ["8", "0", "−8 gone"], "comparison: before, after, change with its sign", row)
    for number, trace in enumerate(traces):
        browser.open(path, "#metric=count&view=sizes")
        want = sum(row["allocations"] for row in report(trace, "sizes")["sizes"])
        ok(sum(n for _, n in browser.script("return valtrace.distribution('size', arguments[0])", number)) == want, f"comparison: sizes of side {number}", want)
        browser.open(path, "#view=threads")
        ok(sum(row["allocations"] for row in browser.script("return valtrace.threads(arguments[0])", number)) == want, f"comparison: threads of side {number}")
    browser.open(path, "#metric=count&view=bottomup")
    ok(browser.script("return document.querySelectorAll('#bottomup .shrank').length") > 0, "comparison: the bottom-up tree has the change")
    ok("−" in browser.text("[data-total=allocations]") + browser.text("#summary"), "comparison: summary has signs")


PYTHON = "import json\ndef twice(n):\n  return [json.dumps([i] * 50) for i in range(n)]\ndef once(n):\n  return twice(n)\nkept = once(300)\n"


def choose(browser, css, text):
    browser.script("const s = document.querySelector(arguments[0]); s.value = [...s.options].find((o) => o.text === arguments[1]).value;"
                   "s.dispatchEvent(new Event('change'))", css, text)


def check_languages(browser, folder):
    """Python's functions among others: all about them, nothing but them, and coloured as they."""
    with open(f"{folder}/app.py", "w", encoding="utf-8") as file:
        file.write(PYTHON)
    trace = f"{folder}/python.vtr"
    sample.valtrace("run", "-q", "-o", trace, "--", "/usr/bin/python3", file.name)
    path = page(folder, "python", trace)
    modules = {g["module"]: g["allocations"] for g in report(trace, "hot", "--by", "module")["groups"]}
    browser.open(path, "#metric=count")
    ok(not any(name.startswith("Py_") for name, _ in browser.script("return valtrace.roots()")[:1]), "languages: the interpreter's own start takes no row",
       browser.script("return valtrace.roots()")[:2])
    choose(browser, "#toggle-language", "Python")
    ok(browser.script("return valtrace.total()") == modules["Python"], "languages: only what Python lines have", modules)
    choose(browser, "#toggle-language", "all")
    ok(browser.script("return valtrace.total()") == sum(modules.values()), "and all again")
    browser.open(path, "#metric=count&frames=all&view=table")
    whole = {name: total for name, _, total in browser.script("return valtrace.functions()")}
    choose(browser, "#toggle-frames", "only Python")
    only = {name: total for name, _, total in browser.script("return valtrace.functions()")}
    ok({"once", "twice", "dumps"} <= only.keys() and not any("malloc" in name or name.startswith("_Py") for name in only), "languages: no frame of another", sorted(only)[:9])
    ok(all(only[name] == whole[name] for name in ("once", "twice", "dumps")), "with the numbers that they have among others", only, whole)
    browser.open(path, "#metric=count&colours=language")
    legend = browser.text("#legend")
    ok("Python" in legend and "C, C++" in legend, "languages: colours with a legend", legend)
    browser.open(path, "#metric=count&bands=language")
    ok({"Python", "C, C++"} <= {name for name, *_ in browser.script("return valtrace.bands()")}, "languages: bands", browser.script("return valtrace.bands().map((b) => b[0])"))


def check_labels(browser, path):
    """The two peaks of a comparison with itself lie at one place; their labels must not."""
    browser.open(path)
    boxes = browser.script("return [...document.querySelectorAll('.peak-label')].map((t) => { const b = t.getBoundingClientRect(); return [b.top, b.bottom]; })")
    ok(len(boxes) == 2 and boxes[0][1] <= boxes[1][0], "comparison: the labels of two peaks do not overlap", boxes)


def check_plain(path, comparison, trace):
    """Without JavaScript: the main numbers of each side, and nothing that would need it."""
    shown = "return [...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility()).map((e) => e.innerText)"
    with window.Window(width=700, javascript=False) as browser:
        for name, where, heads in (("page", path, ["Total", "Amount"]), ("comparison", comparison, ["Total", "Before", "After"])):
            browser.go(f"file://{where}")
            ok(browser.script(shown, "noscript table:first-of-type th") == heads, f"no JavaScript: {name}: totals",
               browser.script(shown, "noscript th"))
            leaked = f"{report(trace)['totals']['leaked_blocks']:,}"
            ok(f"Blocks live at the end\t{leaked}" in browser.script(shown, "noscript table")[0], f"no JavaScript: {name}: its numbers", leaked)
            ok(browser.script(shown, "button, select, input, footer, .card") == [] and "sample" in browser.script(shown, "h1")[0],
               f"no JavaScript: {name}: nothing is shown that needs it", browser.script(shown, "button"))


def check_themes(browser, path):
    pairs = [("--text", f"--{m}{b}") for m in ("m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7") for b in ("", "b")]
    pairs += [("--text", f"--{c}{i}") for c in ("grow", "shrink") for i in range(3)]
    pairs += [("--text", "--neutral"), ("--faint", "--dim"), ("--match-text", "--match"), ("--faint", "--card"), ("--peak", "--card")]
    backgrounds = []
    for theme in ("light", "dark"):
        browser.theme(theme)
        browser.open(path)
        backgrounds.append(browser.script("return getComputedStyle(document.body).backgroundColor"))
        low = browser.script(CONTRAST, pairs)
        ok(not low, f"{theme}: text in the charts has a contrast of 4.5 or more", low)
    ok(backgrounds[0] != backgrounds[1], "the page follows the system's theme")
    browser.click("#theme-button")
    ok(browser.script("return getComputedStyle(document.body).backgroundColor") == backgrounds[0], "and has a switch")
    browser.theme("light", reduced_motion=True)
    ok(browser.script("return getComputedStyle(document.querySelector('button')).transitionDuration") == "0s", "reduced motion: no transitions")
    browser.theme("light")


def check_narrow(browser, path):
    for width in (700, 400):
        browser.resize(width, 900)
        for view in VIEWS:
            browser.open(path, f"#view={view}&metric=allocated&columns=self&q=phase")
            widths = browser.script("return [document.documentElement.scrollWidth, innerWidth]")
            ok(widths[0] <= widths[1], f"{width} px: nothing sticks out: {view}", widths)
    browser.resize(1400, 1000)


def check_axe(browser, paths):
    found = subprocess.run([os.path.join(HERE, "axe"), f"{BUILD}/axe"], capture_output=True, text=True, check=False)
    if found.returncode:
        return skip("axe-core (the npm registry cannot be reached)")
    with open(found.stdout.strip(), encoding="utf-8") as file:
        axe = file.read()
    for theme in ("light", "dark"):
        browser.theme(theme)
        for name, path in paths.items():
            for view in (*VIEWS, "help"):
                browser.open(path, f"#view={view}&metric=allocated&q=phase&columns=self&from=1&to=200&keep=only")
                browser.script("for (const d of document.querySelectorAll('details')) d.open = true")
                if view == "help":
                    browser.click("#help-button")
                browser.script(axe + "\nwindow.axe = axe; axe.run().then((r) => { window.axed = r.violations; }, (e) => { window.axed = [{ id: String(e), nodes: [] }]; })")
                for _ in range(200):
                    if browser.script("return Boolean(window.axed)"):
                        break
                    time.sleep(0.1)
                bad = browser.script("return window.axed.map((v) => v.id + ': ' + v.nodes.map((n) => n.html.slice(0, 150)).slice(0, 3).join(' | '))")
                ok(bad == [], f"axe-core: {name}, {view}, {theme}", *(bad or ["did not finish"]))
    browser.theme("light")
    return None


def check_speed(browser, path):
    """Not an assertion: the numbers are printed (docs/guide.md and the report quote them)."""
    browser.open(path)
    load = browser.script("return performance.now(), Math.round(performance.getEntriesByType('navigation')[0].domComplete)")
    clicks = browser.script("const out = []; for (const m of ['leaked', 'allocated', 'count', 'temporary', 'peak']) {"
                        "const t = performance.now(); document.querySelector(`[data-metric=${m}]`).click(); out.push(Math.round(performance.now() - t)); } return out")
    print(f"# page with 33,000 stacks: loaded in {load} ms, metric switches took {clicks} ms")


def run_all(browser, folder):
    sample.build(folder)
    trace, hostile = record(folder, "sample"), record(folder, "hostile")
    path, hostile_path = page(folder, "sample", trace), page(folder, "hostile", hostile)
    diff = page(folder, "diff", record(folder, "sample", "3"), trace)
    big = page(folder, "big", record(folder, "sample", "15"))
    check_totals(browser, path, trace)
    check_zoom(browser, path)
    check_search(browser, path, trace)
    check_switches(browser, path)
    check_metric_switch(browser, path, trace)
    check_brush(browser, path, trace)
    check_resident(browser, path, trace)
    check_answers(browser, folder)
    check_keyboard(browser, path)
    check_table(browser, path, trace)
    check_details(browser, path)
    check_hostile(browser, hostile_path)
    check_diff(browser, diff, (record(folder, "sample", "3"), trace))
    check_time(browser, path)
    check_matches(browser, path)
    check_source(browser, path)
    check_pairs(browser, folder)
    check_bars(browser, path, trace)
    ok(browser.script("return document.getElementById('toggle-language')") is None, "of one language nothing is said")
    check_languages(browser, folder)
    check_not_told(browser, folder, trace)
    check_processes(browser, folder)
    check_sampled(browser, folder)
    check_mixed_samples(browser, folder)
    check_unseen(browser, folder)
    check_paused(browser, folder)
    check_labels(browser, page(folder, "same", trace, trace))
    check_plain(path, diff, trace)
    check_themes(browser, path)
    check_narrow(browser, path)
    check_speed(browser, big)
    ok("All numbers are exact" in browser.text("#footer"), "the page says that its numbers are exact", browser.text("#footer"))
    check_axe(browser, {"one trace": path, "comparison": diff})


def main():
    if not window.webdriver.available():
        print("1..0 # SKIP chromium and chromium-driver are not installed (tools/deps full)")
        return
    with tempfile.TemporaryDirectory() as folder, window.Window() as browser:
        run_all(browser, folder)
    print(f"1..{COUNT[0]}")
    sys.exit(1 if COUNT[1] else 0)


main()
