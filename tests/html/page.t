#!/usr/bin/env python3
"""The HTML page without a browser: it is self-contained and bounded, foreign names cannot become markup, and
its data add up to what `report --json` says."""
import base64
import html.parser
import json
import os
import re
import shutil
import sys
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import sample  # noqa: E402
from page_tree import COLUMNS, Blocks, Tree, numbers  # noqa: E402
from sample import VALTRACE, data_of, page, record, report, run, valtrace  # noqa: E402
from tap import COUNT, ok  # noqa: E402

LONG = os.environ.get("VALTEST_LONG")  # as many stacks as a page holds
SCRIPT = os.path.join(HERE, "../../tools/html/page.py")
KNOWN_TAGS = {"html", "head", "meta", "link", "title", "style", "body", "a", "header", "div", "h1", "p", "button", "noscript",
              "dl", "dt", "dd", "h2", "h3", "table", "thead", "tbody", "tr", "th", "td", "bdi", "section", "main", "footer",
              "dialog", "script"}


class Outline(html.parser.HTMLParser):
    """Tags, attributes and texts as an HTML parser sees them."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], []
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)


def check_self_contained(path):
    outline = Outline(path)
    loads = [v for k, v in outline.attributes if k in ("src", "href", "srcset", "action", "poster", "data")]
    ok(all(v.startswith(("data:", "#")) for v in loads), "no attribute loads anything", loads)
    style = "".join(t for t in outline.texts if t.startswith("\n:root"))
    ok(style and "url(" not in style and "@import" not in style, "the style loads nothing")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    code = text[:text.index('id="data"')] + text[text.rindex("</script>", 0, text.rindex("<script>")):]
    ok(set(re.findall(r"https?://[^\"' )]+", code)) <= {"http://www.w3.org/2000/svg"}, "no address of the network in the page's own text")
    policy = [v for k, v in outline.attributes if k == "content" and "default-src" in v]
    ok(policy and "default-src 'none'" in policy[0], "a content policy forbids everything else")


def check_hostile(folder, trace):
    path = page(folder, "hostile", trace)
    outline = Outline(path)
    ok(set(outline.tags) <= KNOWN_TAGS, "hostile names: no foreign tag", set(outline.tags) - KNOWN_TAGS)
    ok(outline.tags.count("script") == 2, "hostile names: two scripts, data and code")
    ok(not [k for k, _ in outline.attributes if k.startswith("on")], "hostile names: no event attribute")
    data = data_of(path)
    names = set(Tree(data).strings)
    ok(sum(name in names for name in sample.HOSTILE) == len(sample.HOSTILE) - 1 and any(n.startswith("very_long_") and n.endswith("…") for n in names),
       "hostile names: kept as they are in the data, the long one cut", [n[:60] for n in names])
    plain = "".join(outline.texts[:outline.texts.index(next(t for t in outline.texts if '"schema"' in t))])
    ok("onerror=window.pwned=1" in plain, "hostile names: shown as text without JavaScript")
    ok(not re.search("[\u202e\u2066\x01]", plain), "hostile names: direction and control characters are replaced")


def check_totals(trace, data, name, side=0):
    want = report(trace)["totals"]
    ok(data["sides"][side]["totals"] == want, f"{name}: totals are those of the report")
    sums = Tree(data).sums(side)
    ok(all(sums[key] == want[key] for key in COLUMNS), f"{name}: the call tree adds up to them", sums, want)


def check_charged(trace, data, name):
    """By function outside allocators and run-time libraries: the same as `report --by function`."""
    tree, got = Tree(data), {}
    for end, values in tree.ends.items():
        at = end
        while at and tree.flags(at) & 4:
            at = tree.parent[at]
        function = tree.name(at or end)
        got[function] = got.get(function, 0) + values[0]["allocations"]
    want = {g["function"]: g["allocations"] for g in report(trace, "hot", "--by", "function")["groups"]}
    ok(got == want, f"{name}: each function is charged with what the report says", got, want)


def check_blocks(trace, data):
    side, totals = data["sides"][0], report(trace)["totals"]
    blocks = Blocks(side)
    got = [sum(row[name] for row in rows) for rows, name in ((blocks.allocs, "blocks"), (blocks.allocs, "bytes"), (blocks.frees, "blocks"),
           (blocks.frees, "temporary"), (blocks.kinds, "peak_bytes"), (blocks.kinds, "peak_blocks"))]
    want = [totals[key] for key in ("allocations", "allocated_bytes", "frees", "temporary", "peak_bytes", "peak_blocks")]
    ok(got == want, "blocks: add up to the totals", got, want)
    live = {}
    for rows, sign in ((blocks.allocs, 1), (blocks.frees, -1)):
        for row in rows:
            live[blocks.node(row)] = live.get(blocks.node(row), 0) + sign * row["bytes"]
    ends = Tree(data).ends
    ok(all(ends[node][0]["leaked_bytes"] == value for node, value in live.items()), "blocks: what is live at the end is what each node leaked")
    end = side["traces"][0]["duration_ns"]
    ok(blocks.moments[0] == 0 and blocks.moments[-1] > end and blocks.moments == sorted(set(blocks.moments)) and len({row["born"] for row in blocks.allocs}) > 2,
       "blocks: spread over the recording", blocks.moments[-3:], end)
    ok(totals["peak_time_ns"] + 1 in blocks.moments or not totals["peak_bytes"], "blocks: the peak is at a border of stretches")


def check_classes(trace, data):
    """Sizes, lifetimes and threads of the blocks are those of the report's views, which are counted elsewhere."""
    blocks = Blocks(data["sides"][0])

    def by(rows, key):
        sums = {}
        for row in rows:
            sums[key(row)] = sums.get(key(row), 0) + row["blocks"]
        return sums

    want = {row["min_size"]: row["allocations"] for row in report(trace, "sizes")["sizes"]}
    ok(by(blocks.allocs, lambda row: blocks.smallest(blocks.kinds[row["kind"]]["size"])) == want, "blocks: sizes are those of the report")
    want = {row["from_ns"]: row["blocks"] for row in report(trace, "lifetimes")["lifetimes"]["histogram"]}
    got = by(blocks.frees, lambda row: 1 << row["life"] if row["life"] else 0)
    ok(got == want, "blocks: lifetimes are those of the report", got, want)


def phase_spans(data):
    """First and last time at which each phase may have allocated."""
    tree, blocks, spans = Tree(data), Blocks(data["sides"][0]), {}
    for row in blocks.allocs:
        node = blocks.node(row)
        while node:
            low, high = spans.get(tree.name(node), (row["born"], row["born"]))
            spans[tree.name(node)] = (min(low, row["born"]), max(high, row["born"]))
            node = tree.parent[node]
    return spans


def curve(side):
    """(ns of a step, the highest live bytes of each, allocations of each)"""
    stream, most, out = numbers(side["curve"]["data"]), 0, []
    cnt = next(stream)
    for _ in range(cnt):
        by = next(stream)
        most += -(by + 1) // 2 if by % 2 else by // 2
        out.append(most)
    return side["curve"]["step_ns"], out, [next(stream) for _ in range(cnt)]


def check_resident(trace, data):
    """Samples of resident memory are those of the report; of many that fall together the highest."""
    stream = numbers(data["sides"][0]["resident"]["data"])
    cnt, time, times = next(stream), 0, []
    for _ in range(cnt):
        times.append(time := time + next(stream))
    got = list(zip(times, *([next(stream) for _ in range(cnt)] for _ in range(4))))
    keys = ("t_ns", "resident_bytes", "private_bytes", "file_bytes", "shared_bytes")
    want = [tuple(sample[key] for key in keys) for sample in report(trace, "timeline")["timeline"]["memory"]]
    high = max(resident for _, resident, *_ in want)
    ok(next(stream, None) is None and got and set(got) <= set(want) and times == sorted(set(times)) and high in [row[1] for row in got],
       "resident memory: samples of the report, the highest too", got[:2], want[:2])


def check_curve(trace, data):
    step, most, allocations = curve(data["sides"][0])
    totals = report(trace)["totals"]
    ok(max(most) == totals["peak_bytes"] and most.index(max(most)) == totals["peak_time_ns"] // step, "curve: its highest point is the peak, when it was", max(most))
    ok(sum(allocations) == totals["allocations"] and len(most) * step <= data["sides"][0]["traces"][0]["duration_ns"] + step, "curve: all allocations, until the end")


def check_phases(data):
    spans = phase_spans(data)
    ok(spans["phase_early"][1] < spans["phase_peak"][0] <= spans["phase_peak"][1] < spans["phase_late"][0], "blocks: phases are in their own time", spans)


def check_many_stacks(folder):
    trace = record(folder, "sample", "15" if LONG else "12")
    path = page(folder, "big", trace)
    data = data_of(path)
    tree = Tree(data)
    ok(len(tree.parent) > (90000 if LONG else 10000) and data["folded"] == 0, "many stacks: the whole tree is there", len(tree.parent), data["folded"])
    ok(all(parent <= i for i, parent in enumerate(tree.parent)), "many stacks: callers come before callees")
    ok(os.path.getsize(path) <= 5000000, "many stacks: 5 MB", os.path.getsize(path))
    check_totals(trace, data, "many stacks")
    check_charged(trace, data, "many stacks")
    check_blocks(trace, data)


EVENTS = 72000  # of a log, each a microsecond after the one before; a spike of two is what 100 ms are in an hour


def spike_log():
    for i in range(0, EVENTS, 2):
        size = 1000000 if i == EVENTS // 3 else 100
        yield f"+++ ALLOC:1:0x00000000000{i % 64 + 16:05x}:16:{size}\nx(f+0x0) [0x{16 + i % 3:x}]\n---\n+++ FREE:1:0x00000000000{i % 64 + 16:05x}\nx(f+0x0) [0x10]\n---\n"


def check_spike(folder):
    """A spike as long as 100 ms are in an hour: the page has a curve and moments that show it."""
    with open(f"{folder}/spike.log", "w", encoding="utf-8") as file:
        file.writelines(spike_log())
    valtrace("import", f"{folder}/spike.log", "-o", f"{folder}/spike.vtr")
    path = page(folder, "spike", f"{folder}/spike.vtr")
    side = data_of(path)["sides"][0]
    step, most, _ = curve(side)
    end, at = side["traces"][0]["duration_ns"], side["totals"]["peak_time_ns"]
    ok(36000 * step <= 2 * end and sum(value > 100 for value in most) <= 2 and most[at // step] == 1000000, "spike: the curve shows it and its length", step, end)
    blocks = Blocks(side)
    around = [m for m in blocks.moments if abs(m - at) <= 2 * end / 36000]
    ok(len(around) >= 3 and os.path.getsize(path) <= 5000000, "spike: time is divided where it is", around, at)


def shown_lines(path):
    packed = data_of(path).get("sources")
    return json.loads(zlib.decompress(base64.b64decode(packed))) if packed else {}


def check_sources(folder, trace):
    """Lines around the frames are in the page, unless they are not to be; nothing else is ever read."""
    lines = shown_lines(page(folder, "sample", trace))
    source = os.path.join(HERE, "sample.c")
    with open(source, encoding="utf-8") as file:
        text = file.read().split("\n")
    number = next(i for i, line in enumerate(text, 1) if "EDGE void phase_peak" in line) + 1
    have = lines.get(source, {"lines": {}, "changed": None})
    ok(have["lines"].get(str(number)) == text[number - 1] and have["changed"] is False, "source: the lines around a frame", list(lines), have["changed"])
    done = valtrace("html", "--no-source", trace, "-o", f"{folder}/bare.html")
    with open(f"{folder}/bare.html", encoding="utf-8") as file:
        ok(done.returncode == 0 and shown_lines(f"{folder}/bare.html") == {} and "memset(big" not in file.read(), "source: --no-source leaves them out")


NAMED = ("beside.c", "{}/secret", "{}/pipe.c", "{}/new.c", "{}/bytes.c", "/none/x.c", "../../etc/passwd")


def check_read_files(folder):
    """Which files are read is not the recording's to say."""
    folder = f"{folder}/named"
    os.makedirs(folder)
    os.mkfifo(f"{folder}/pipe.c")
    for name, data in (("secret", b"key"), ("beside.c", b"int beside;\r\n"), ("new.c", b"int \xff\xe2\x80\xa8new;" + b"x" * 400), ("bytes.c", b"a\0b")):
        with open(f"{folder}/{name}", "wb") as file:
            file.write(data)
    functions = [f'# 1 "{name.format(folder)}"\nvoid f{i}(void) {{ sink = malloc(10); }}\n' for i, name in enumerate(NAMED)]
    code = "#include <stdlib.h>\nvoid *volatile sink;\n" + "".join(functions) + f"int main(void) {{ {''.join(f'f{i}();' for i in range(len(NAMED)))} }}\n"
    run("gcc", "-O0", "-g", f"-fdebug-prefix-map={folder}=.", "-xc", "-", "-o", f"{folder}/named", input=code.encode(), cwd=folder)
    trace = record(folder, "named")
    os.utime(f"{folder}/beside.c", (1, 1))
    os.utime(f"{folder}/new.c", (1 << 32, 1 << 32))
    lines = {os.path.basename(name): entry for name, entry in shown_lines(page(folder, "named", trace)).items()}
    ok(sorted(lines) == ["beside.c", "new.c"], "source: only regular files of text that are source", list(lines))
    ok(lines["beside.c"] == {"changed": False, "lines": {"1": "int beside;", "2": ""}}, "source: a relative name beside the module", lines)
    new = lines["new.c"]["lines"]["1"]
    ok(lines["new.c"]["changed"] and new.startswith("int \ufffd\u2028new;xxx") and new.endswith("x…") and len(new.encode()) < 310,
       "source: a file that was changed since is called so; what is no character, and long lines", new)


def check_diff(folder, a, b):
    data = data_of(page(folder, "diff", a, b))
    for side, trace in enumerate((a, b)):
        blocks, totals = Blocks(data["sides"][side]), report(trace)["totals"]
        ok(sum(row["bytes"] for row in blocks.allocs) == totals["allocated_bytes"], f"comparison: side {side} has its blocks")
    check_totals(a, data, "comparison, before", 0)
    check_totals(b, data, "comparison, after", 1)


def check_filters(folder, trace):
    path = f"{folder}/filtered.html"
    valtrace("html", "--function", "phase_late", trace, "-o", path)
    want = report(trace, "--function", "phase_late")["totals"]
    ok(data_of(path)["sides"][0]["totals"] == want and want["allocations"] == 2000, "filters: the page is about what the report is about")
    with open(f"{folder}/supp", "w", encoding="utf-8") as file:
        file.write("leak:recurse\n")
    valtrace("html", "--suppressions", f"{folder}/supp", trace, "-o", path)
    data = data_of(path)
    ok(Tree(data).sums()["leaked_bytes"] == data["sides"][0]["totals"]["leaked_bytes"] < report(trace)["totals"]["leaked_bytes"], "filters: suppressed leaks are not in the tree")


def check_errors(folder, trace):
    def fails(status, name, *args, **options):
        done = run(VALTRACE, "html", *args, **options)
        lines = done.stderr.decode().splitlines()
        ok(done.returncode == status and len(lines) == 1 and lines[0].startswith("valtrace: "), name, done.returncode, lines)

    fails(2, "no trace: usage")
    fails(2, "three traces: usage", trace, trace, trace)
    fails(3, "not a trace", os.path.join(HERE, "sample.c"), "-o", f"{folder}/x.html")
    fails(4, "cannot be written", trace, "-o", f"{trace}/below/a/file.html")
    fails(4, "disk full", trace, "-o", "/dev/full")
    out = run(VALTRACE, "html", trace).stdout
    with open(page(folder, "again", trace), "rb") as file:
        ok(out == file.read(), "without -o: standard output")


def check_alone(folder, trace):
    """The page is part of the command."""
    os.makedirs(f"{folder}/usr/bin")
    shutil.copy(VALTRACE, f"{folder}/usr/bin")
    done = run(f"{folder}/usr/bin/valtrace", "html", trace, "-o", f"{folder}/alone.html", cwd="/", env={"PATH": folder})
    ok(done.returncode == 0 and data_of(f"{folder}/alone.html")["schema"] == "valtrace-page", "needs neither files nor programs", done.stderr)


def check_same(folder, name, *options):
    """The script makes the same page of the same data."""
    path = f"{folder}/same.html"
    done = run(sys.executable, SCRIPT, path, input=valtrace("html", "--json", *options).stdout)
    with open(path, "rb") as file:
        ok(done.returncode == 0 and file.read() == valtrace("html", *options).stdout, f"{name}: the script's page has the same bytes", done.stderr)


def check_page_script(folder, data):
    """NUL and half surrogates, which no symbol table can hold, through the script alone."""
    for trace in data["sides"][0]["traces"]:
        trace["program"] += "\0\ud800</script>"
        trace["name"] = trace["program"].split("/", 1)[-1]
    path = f"{folder}/synthetic.html"
    done = run(sys.executable, SCRIPT, path, input=json.dumps(data).encode())
    ok(done.returncode == 0 and Outline(path).tags.count("script") == 2, "NUL and broken characters are inert", done.stderr[-300:])


def main():
    with tempfile.TemporaryDirectory() as folder:
        sample.build(folder)
        trace = record(folder, "sample")
        path = page(folder, "sample", trace)
        data = data_of(path)
        check_self_contained(path)
        check_totals(trace, data, "page")
        check_charged(trace, data, "page")
        check_blocks(trace, data)
        check_classes(trace, data)
        check_curve(trace, data)
        check_resident(trace, data)
        check_phases(data)
        check_spike(folder)
        check_sources(folder, trace)
        check_read_files(folder)
        hostile = record(folder, "hostile")
        check_hostile(folder, hostile)
        check_many_stacks(folder)
        check_diff(folder, trace, hostile)
        check_filters(folder, trace)
        check_errors(folder, trace)
        check_alone(folder, trace)
        for name, options in (("one trace", [trace]), ("hostile names", [hostile]), ("two traces", ["--no-source", trace, hostile])):
            check_same(folder, name, *options)
        check_page_script(folder, data)
    print(f"1..{COUNT[0]}")
    sys.exit(1 if COUNT[1] else 0)


main()
