#!/usr/bin/env python3
"""Puts the HTML report together: page.py [--no-source] FILE reads what `valtrace html` writes (JSON, schema
valtrace-page) on standard input and writes one self-contained file ("-": standard output).

The page is page.html with style.css and the scripts put in, the data as inert JSON, and a summary
with the top functions as plain HTML for readers without JavaScript. Python's standard library only.
"""
import base64
import collections
import html
import itertools
import json
import os
import sys
import unicodedata
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(HERE)
sys.dont_write_bytecode = True
import sources  # noqa: E402
SCRIPTS = ("format.js", "data.js", "tree.js", "blocks.js", "state.js", "dom.js", "groups.js", "bands.js", "timeline.js",
           "brush.js", "search.js", "flame.js", "source.js", "tables.js", "bottomup.js", "callers.js", "distributions.js",
           "threads.js", "summary.js", "help.js", "main.js")
SIZE_MAX = 5 * 1000 * 1000  # bytes of the page; the data keep to it, this is the last check
COMMAND_MAX = 2000  # characters shown of a command line
ROWS_MAX = 500  # rows of a table of heaps
TOP = 15  # rows of a table for readers without JavaScript
ALLOCATOR_OR_RUNTIME = 2 | 4
EXIT_OUTPUT = 4


def fail(what, why, advice):
    print(f"valtrace: {what}: {why} ({advice})", file=sys.stderr)
    sys.exit(EXIT_OUTPUT)


def visible(text):
    """Untrusted text with control and direction characters replaced."""
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c
                   for c in text)


def escape(text):
    return html.escape(visible(text))


def size_text(count):
    """1234567 -> "1.18 MiB", as the text report prints it."""
    if count < 1024:
        return f"{count} B"
    value, unit = float(count), "B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 999.5:
            break
    return f"{value:#.3g} {unit}".replace(". ", " ")


# ---- trimming ----

def trim_trace(trace):
    command = " ".join(trace["command"])
    if len(command) > COMMAND_MAX:
        command = command[:COMMAND_MAX] + "…"
    trace["command"] = command
    trace["heaps_total"] = len(trace["heaps"])
    trace["heaps"] = trace["heaps"][:ROWS_MAX]
    for key in ("path", "program", "host"):
        trace[key] = trace[key][:COMMAND_MAX]


def trim(data):
    for side in data["sides"]:
        for trace in side["traces"]:
            trim_trace(trace)


# ---- without JavaScript ----

def numbers(packed):
    """The packed numbers of the data, see analyzer/page/pack.h."""
    value = shift = 0
    for byte in zlib.decompress(base64.b64decode(packed)):
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield value
            value = shift = 0


# parent: of each node; frames: name and flags of each node; ends: [(node, values)] where stacks end;
# numbers: of the frame of each node; places: (file, line, module, flags) of each frame.
Tree = collections.namedtuple("Tree", "parent frames ends numbers places")


def unpack(data):
    """The call tree, see page.h."""
    strings = zlib.decompress(base64.b64decode(data["strings"])).decode("utf-8", "replace").split("\0")
    stream = numbers(data["nodes"])
    cnt, node, ends = next(stream), -1, []
    parent = [0] + [i - next(stream) for i in range(1, cnt)]
    frame = [0] + list(itertools.islice(stream, cnt - 1))
    frames = [list(itertools.islice(stream, 5)) for _ in range(next(stream))]
    while step := next(stream):
        node += step
        ends.append((node, list(itertools.islice(stream, 8 * len(data["sides"])))))
    named = [(strings[f[0]], f[4]) for f in frames]
    return Tree(parent, [None] + [named[f] for f in frame[1:]], ends,
                [None] + frame[1:], [(strings[f[1]], f[2], strings[f[3]], f[4]) for f in frames])


def top_functions(tree):
    """{metric: [(name, amount of each side)]} of the functions with most, charged as the report does: the
    first function outside allocators and run-time libraries."""
    sums = {}
    for end, values in tree.ends:
        node = end
        while node and tree.frames[node][1] & ALLOCATOR_OR_RUNTIME:
            node = tree.parent[node]
        if node or end:
            sum_ = sums.setdefault(tree.frames[node or end][0], [0] * len(values))
            for i, value in enumerate(values):
                sum_[i] += value
    return {metric: sorted(((name, values[at::8]) for name, values in sums.items() if any(values[at::8])),
                           key=lambda item: -max(item[1]))[:TOP]
            for metric, at in (("allocations", 0), ("peak_bytes", 4), ("leaked_bytes", 6))}


def plain_table(title, heads, rows):
    """Rows of [text, …, text]; all columns but `heads` of "Function" and "Total" are numbers."""
    def cells(tag, texts):
        return "".join(f"<{tag}{'' if head in ('Function', 'Total') else ' class=number'}>{text}</{tag}>"
                       for head, text in zip(heads, texts))
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<h3>{title}</h3><table><thead><tr>{cells('th', heads)}</tr></thead><tbody>{body}</tbody></table>"


def plain_page(data, tree):
    """The numbers of the summary and the top functions, for <noscript>; what needs scripts is hidden."""
    amounts = ["Before", "After"] if len(data["sides"]) == 2 else ["Amount"]
    parts = ["<style>.actions, section, .toolbar, main, footer { display: none; }</style>",
             "<p>The charts need JavaScript. These are the main numbers:</p>"]
    totals = [side["totals"] for side in data["sides"]]
    lines = (("Peak heap", "peak_bytes", size_text), ("Leaked", "leaked_bytes", size_text),
             ("Blocks leaked", "leaked_blocks", "{:,}".format), ("Allocated", "allocated_bytes", size_text),
             ("Allocations", "allocations", "{:,}".format), ("Temporary", "temporary", "{:,}".format))
    parts.append(plain_table("Totals", ["Total", *amounts],
                             [[name, *(text(t[key]) for t in totals)] for name, key, text in lines]))
    top = top_functions(tree)
    for heading, metric, text in (("Leaked", "leaked_bytes", size_text), ("Live at the peak", "peak_bytes", size_text),
                                  ("Most allocations", "allocations", "{:,}".format)):
        rows = [[*map(text, values), f"<bdi>{escape(name)}</bdi>"] for name, values in top[metric]]
        parts.append(plain_table(heading, [*amounts, "Function"], rows))
    return "\n".join(parts)


# ---- the page ----

def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


def inert(data):
    """JSON that no HTML parser can mistake for markup."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def programs(data):
    def name(traces):
        more = f" and {len(traces) - 1:,} more" if len(traces) > 1 else ""
        return (os.path.basename(visible(traces[0]["program"])) or "?") + more
    return " → ".join(name(side["traces"]) for side in data["sides"])


def fill(template, parts):
    """Puts each part in place of its <!--name-->, in one pass: parts are never searched."""
    out = []
    for piece in template.split("<!--"):
        name, mark, rest = piece.partition("-->")
        out.append(parts[name] + rest if mark and name in parts else piece if not out else "<!--" + piece)
    return "".join(out)


def make_page(data, with_source):
    tree = unpack(data)
    trim(data)
    if with_source:
        data["sources"] = sources.pack(tree, min(t["start_unix_ns"] for s in data["sides"] for t in s["traces"]))
    return fill(read("page.html"), {
        "title": html.escape(programs(data)) + " · valtrace",
        "program": html.escape(programs(data)),
        "style": "<style>\n" + read("style.css") + "</style>",
        "plain": plain_page(data, tree),
        "data": '<script type="application/json" id="data">' + inert(data) + "</script>",
        "script": '<script>\n"use strict";\n(async () => {\n' + "\n".join(map(read, SCRIPTS)) + "})();\n</script>",
    })


def write(path, page):
    if path == "-":
        sys.stdout.buffer.write(page)
        sys.stdout.buffer.flush()
        return
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with open(path, "wb") as file:
        file.write(page)


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--no-source"]
    if len(arguments) != 1:
        fail("page.py", "needs the name of the file to write", "`valtrace html` runs it")
    try:
        data = json.load(sys.stdin.buffer)
    except ValueError:
        fail("html", "the data are not whole", "is the disk full or the trace damaged?")
    page = make_page(data, len(arguments) == len(sys.argv) - 1).encode("utf-8", "replace")
    if len(page) > SIZE_MAX:
        fail("html", f"the page would have {len(page)} bytes", "report this; --function or --from make it smaller")
    try:
        write(arguments[0], page)
    except OSError as error:
        fail(arguments[0], os.strerror(error.errno), "write elsewhere")


if __name__ == "__main__":
    main()
