#!/usr/bin/env python3
"""Puts the HTML report together: page.py FILE reads what `valtrace html` writes (JSON, schema
valtrace-page) on standard input and writes one self-contained file ("-": standard output).

The page is page.html with style.css and the scripts put in, the data as inert JSON, and a summary
with the top functions as plain HTML for readers without JavaScript. Python's standard library only.
"""
import html
import json
import os
import sys
import unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = ("format.js", "data.js", "tree.js", "state.js", "dom.js", "timeline.js", "flame.js",
           "tables.js", "panels.js", "main.js")
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

def charged_function(data, node):
    """The first function outside allocators and run-time libraries of a node's stack."""
    parent, frame, frames = data["nodes"]["parent"], data["nodes"]["frame"], data["frames"]
    first = node
    while node and frames[5 * frame[node] + 4] & ALLOCATOR_OR_RUNTIME:
        node = parent[node]
    return data["strings"][frames[5 * frame[node or first]]]


def top_functions(data, metric):
    """[name, amount of each side] of the functions with most."""
    sums = {}
    for side, values in enumerate(data["nodes"]["self"]):
        for node, value in enumerate(values[metric]):
            if value and node:
                name = charged_function(data, node)
                sums.setdefault(name, [0] * len(data["sides"]))[side] += value
    return sorted(sums.items(), key=lambda item: -max(item[1]))[:TOP]


def plain_table(title, heads, rows):
    """Rows of [text, …, text]; all columns but `heads` of "Function" and "Total" are numbers."""
    def cells(tag, texts):
        return "".join(f"<{tag}{'' if head in ('Function', 'Total') else ' class=number'}>{text}</{tag}>"
                       for head, text in zip(heads, texts))
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<h3>{title}</h3><table><thead><tr>{cells('th', heads)}</tr></thead><tbody>{body}</tbody></table>"


def plain_page(data):
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
    for heading, metric, text in (("Leaked", "leaked_bytes", size_text), ("Live at the peak", "peak_bytes", size_text),
                                  ("Most allocations", "allocations", "{:,}".format)):
        rows = [[*map(text, values), f"<bdi>{escape(name)}</bdi>"] for name, values in top_functions(data, metric)]
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
    names = [os.path.basename(visible(t["program"])) or "?" for s in data["sides"] for t in s["traces"]]
    return " → ".join(names)


def fill(template, parts):
    """Puts each part in place of its <!--name-->, in one pass: parts are never searched."""
    out = []
    for piece in template.split("<!--"):
        name, mark, rest = piece.partition("-->")
        out.append(parts[name] + rest if mark and name in parts else piece if not out else "<!--" + piece)
    return "".join(out)


def make_page(data):
    trim(data)
    return fill(read("page.html"), {
        "title": html.escape(programs(data)) + " · valtrace",
        "program": html.escape(programs(data)),
        "style": "<style>\n" + read("style.css") + "</style>",
        "plain": plain_page(data),
        "data": '<script type="application/json" id="data">' + inert(data) + "</script>",
        "script": '<script>\n"use strict";\n(() => {\n' + "\n".join(map(read, SCRIPTS)) + "})();\n</script>",
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
    if len(sys.argv) != 2:
        fail("page.py", "needs the name of the file to write", "`valtrace html` runs it")
    try:
        data = json.load(sys.stdin.buffer)
    except ValueError:
        fail("html", "the data are not whole", "is the disk full or the trace damaged?")
    page = make_page(data).encode("utf-8", "replace")
    if len(page) > SIZE_MAX:
        fail("html", f"the page would have {len(page)} bytes", "report this; --function or --from make it smaller")
    try:
        write(sys.argv[1], page)
    except OSError as error:
        fail(sys.argv[1], os.strerror(error.errno), "write elsewhere")


if __name__ == "__main__":
    main()
