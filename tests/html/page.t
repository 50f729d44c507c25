#!/usr/bin/env python3
"""The HTML page without a browser: it is self-contained and bounded, foreign names cannot become markup, and
its data add up to what `report --json` says."""
import html.parser
import json
import os
import re
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import sample  # noqa: E402
from page_tree import COLUMNS, Tree, numbers  # noqa: E402
from sample import VALTRACE, data_of, page, record, report, run, valtrace  # noqa: E402
from tap import COUNT, ok  # noqa: E402

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
    style = "".join(t for t in outline.texts if "color-scheme" in t)
    ok("url(" not in style and "@import" not in style, "the style loads nothing")
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


def history(data):
    """Entries (node, bucket, born, allocations, bytes, frees, freed bytes, temporary, temporary bytes)."""
    stream, node = numbers(data["history"]["data"]), 0
    for step in stream:
        node += step
        bucket = 0
        for _ in range(next(stream)):
            bucket += next(stream)
            born = bucket
            for _ in range(next(stream)):
                born -= next(stream)
                allocated = [n, next(stream)] if (n := next(stream)) else [0, 0]
                freed = [n, next(stream), next(stream)] if (n := next(stream)) else [0, 0, 0]
                yield (node, bucket, born, *allocated, *freed, next(stream) if freed[2] else 0)


def check_history(trace, data):
    entries, totals = list(history(data)), report(trace)["totals"]
    column = [sum(e[i] for e in entries) for i in range(9)]
    ok(column[3:5] == [totals["allocations"], totals["allocated_bytes"]] and column[5] == totals["frees"] and
       column[4] - column[6] == totals["leaked_bytes"] and column[7] == totals["temporary"], "history: adds up to the totals", column, totals)
    leaked = {}
    for entry in entries:
        leaked[entry[0]] = leaked.get(entry[0], 0) + entry[4] - entry[6]
    want = Tree(data).ends
    ok(all(want[node][0]["leaked_bytes"] == value for node, value in leaked.items()), "history: what is live at its end is what each node leaked")
    ok(len({e[1] for e in entries}) > 2 and all(e[1] * data["history"]["bucket_ns"] <= data["sides"][0]["traces"][0]["duration_ns"] for e in entries),
       "history: spread over the recording")


def phase_spans(data):
    """First and last bucket in which each phase allocated."""
    tree = Tree(data)
    spans = {}
    for node, bucket, *_counts in history(data):
        while node:
            name = tree.name(node)
            low, high = spans.get(name, (bucket, bucket))
            spans[name] = (min(low, bucket), max(high, bucket))
            node = tree.parent[node]
    return spans


def check_phases(data):
    spans = phase_spans(data)
    ok(spans["phase_early"][1] < spans["phase_peak"][0] <= spans["phase_peak"][1] < spans["phase_late"][0], "history: phases are in their own time", spans)


def check_many_stacks(folder):
    trace = record(folder, "sample", "15")
    path = page(folder, "big", trace)
    data = data_of(path)
    tree = Tree(data)
    ok(len(tree.parent) > 90000 and data["folded"] == 0, "many stacks: the whole tree is there", len(tree.parent), data["folded"])
    ok(all(parent <= i for i, parent in enumerate(tree.parent)), "many stacks: callers come before callees")
    ok(os.path.getsize(path) <= 5000000, "many stacks: 5 MB", os.path.getsize(path))
    check_totals(trace, data, "many stacks")
    check_charged(trace, data, "many stacks")
    check_history(trace, data)


def check_diff(folder, a, b):
    data = data_of(page(folder, "diff", a, b))
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
    fails(4, "no python3", trace, "-o", f"{folder}/x.html", env={"PATH": folder})
    out = run(VALTRACE, "html", trace).stdout
    with open(page(folder, "again", trace), "rb") as file:
        ok(out == file.read(), "without -o: standard output")


def check_installed(folder, trace):
    os.makedirs(f"{folder}/usr/bin")
    shutil.copy(VALTRACE, f"{folder}/usr/bin")
    shutil.copytree(os.path.join(HERE, "../../tools/html"), f"{folder}/usr/share/valtrace/html")
    done = run(f"{folder}/usr/bin/valtrace", "html", trace, "-o", f"{folder}/installed.html", cwd="/")
    ok(done.returncode == 0 and data_of(f"{folder}/installed.html")["schema"] == "valtrace-page", "an installed copy finds its page", done.stderr)


def check_page_script(folder, data):
    """NUL and half surrogates, which no symbol table can hold, through the script alone."""
    for trace in data["sides"][0]["traces"]:
        trace["program"] += "\0\ud800</script>"
    path = f"{folder}/synthetic.html"
    done = run(sys.executable, os.path.join(HERE, "../../tools/html/page.py"), path, input=json.dumps(data).encode())
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
        check_history(trace, data)
        check_phases(data)
        hostile = record(folder, "hostile")
        check_hostile(folder, hostile)
        check_many_stacks(folder)
        check_diff(folder, trace, hostile)
        check_filters(folder, trace)
        check_errors(folder, trace)
        check_installed(folder, trace)
        check_page_script(folder, data)
    print(f"1..{COUNT[0]}")
    sys.exit(1 if COUNT[1] else 0)


main()
