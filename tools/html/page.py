#!/usr/bin/env python3
"""Puts the HTML report together from its data, as `valtrace html` does by itself: for pages with a style or scripts
of your own. Copy this folder, change it, and

    valtrace html --json TRACE | python3 page.py FILE.html

The page is page.html with style.css and the scripts put in, the data as inert JSON, and a summary with the top
functions as plain HTML for readers without JavaScript. Python's standard library only.
"""
import base64
import collections
import html
import itertools
import json
import os
import re
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
SIZE_MAX = 5 * 1000 * 1000  # bytes of the page; the data keep to it, this is the last check
TOP = 15  # rows of a table for readers without JavaScript
ALLOCATOR_OR_RUNTIME = 2 | 4
# Control and direction characters, those without width, and bytes that are no character; as in data.js.
HIDDEN = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
EXIT_OUTPUT = 4


def fail(what, why, advice):
    print(f"valtrace: {what}: {why} ({advice})", file=sys.stderr)
    sys.exit(EXIT_OUTPUT)


def escape(text):
    """Untrusted text without markup."""
    return html.escape(HIDDEN.sub("\ufffd", text))


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


# parent: of each node; frames: name and flags of each node; ends: [(node, values)] where stacks end.
Tree = collections.namedtuple("Tree", "parent frames ends")


def unpack(data):
    """The call tree, see page.h."""
    strings = zlib.decompress(base64.b64decode(data["strings"])).decode("utf-8", "surrogateescape").split("\0")
    stream = numbers(data["nodes"])
    cnt, node, ends = next(stream), -1, []
    parent = [0] + [i - next(stream) for i in range(1, cnt)]
    frame = [0] + list(itertools.islice(stream, cnt - 1))
    frames = [list(itertools.islice(stream, 5)) for _ in range(next(stream))]
    while step := next(stream):
        node += step
        ends.append((node, list(itertools.islice(stream, 8 * len(data["sides"])))))
    named = [(strings[f[0]], f[4]) for f in frames]
    return Tree(parent, [None] + [named[f] for f in frame[1:]], ends)


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


def plain_notes(side, name):
    """What the numbers of a side are not."""
    have = side["completeness"]
    late = ["recording began in mid-life: what had been allocated before is in no number here"]
    bound = ["the peak of what is recorded is that at most: blocks that may have been freed while recording was paused count in it"]
    notes = late * any(stretch["why"] == "mid-life" for stretch in have["not_recorded"])
    notes += have["reasons"] + bound * side["totals"]["peak_at_most"]
    if not notes:
        return []
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return [f"<p>{name}{'Complete' if have['complete'] else 'Incomplete'} record:</p><ul>{items}</ul>"]


def total_text(side, key, text):
    """A total; of a sampled recording with its standard error, unless it was counted, and of what was not recorded at all
    what it is at most; so also with blocks that may have been freed in a pause."""
    totals, unsure = side["totals"], side["completeness"]["unsure_blocks"]
    if totals[key] is None:
        return "not known"
    error = totals["standard_error"][key] if totals["sampled"] else 0
    bound = "≤ " if {"peak_bytes": totals["peak_at_most"], "leaked_bytes": unsure, "leaked_blocks": unsure}.get(key) else ""
    if not totals["sampled"] or (key in ("allocations", "allocated_bytes") and not error):
        return bound + text(totals[key])
    most = totals["at_most"].get(key)
    if not totals[key]:
        return f"≤ {text(most)}" if most else text(0)
    return bound + f"≈ {text(totals[key])} ± {text(error)}"


def plain_page(data, tree):
    """The numbers of the summary and the top functions, for <noscript>; what needs scripts is hidden."""
    amounts = ["Before", "After"] if len(data["sides"]) == 2 else ["Amount"]
    parts = ["<style>.actions, section, .toolbar, main, footer { display: none; }</style>",
             "<p>The charts need JavaScript. These are the main numbers:</p>"]
    for side, name in zip(data["sides"], ["Before: ", "After: "] if len(data["sides"]) == 2 else [""]):
        parts += plain_notes(side, name)
    totals = [side["totals"] for side in data["sides"]]
    lines = (("Peak heap", "peak_bytes", size_text), ("Live at the end", "leaked_bytes", size_text),
             ("Blocks live at the end", "leaked_blocks", "{:,}".format), ("Allocated", "allocated_bytes", size_text),
             ("Allocations", "allocations", "{:,}".format), ("Temporary", "temporary", "{:,}".format))
    if any(t["sampled"] for t in totals):
        parts.append("<p>≈ estimates from a sample, ± their standard error, ≤ at most</p>")
    parts.append(plain_table("Totals", ["Total", *amounts],
                             [[name, *(total_text(side, key, text) for side in data["sides"])] for name, key, text in lines]))
    top = top_functions(tree)
    for heading, metric, text in (("Live at the end", "leaked_bytes", size_text), ("Live at the peak", "peak_bytes", size_text),
                                  ("Most allocations", "allocations", "{:,}".format)):
        rows = [[*("≈ " * bool(t["sampled"]) + text(value) for t, value in zip(totals, values)), f"<bdi>{escape(name)}</bdi>"]
                for name, values in top[metric]]
        parts.append(plain_table(heading, [*amounts, "Function"], rows))
    return "\n".join(parts)


# ---- the page ----

def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


def inert(text):
    """JSON that no HTML parser can mistake for markup."""
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def programs(data):
    def name(traces):
        more = f" and {len(traces) - 1:,} more" if len(traces) > 1 else ""
        return escape(traces[0]["name"] or "?") + more
    return " → ".join(name(side["traces"]) for side in data["sides"])


def template():
    return re.sub(r"^<!--(.*\.(?:css|js))-->\n", lambda mark: read(mark.group(1)), read("page.html"), flags=re.MULTILINE)


def make_page(text):
    data = json.loads(text)
    parts = {"program": programs(data), "plain": plain_page(data, unpack(data)), "data": inert(text)}
    return re.sub("<!--(program|plain|data)-->", lambda mark: parts[mark.group(1)], template())


def write(path, page):
    if path == "-":
        sys.stdout.buffer.write(page)
        sys.stdout.buffer.flush()
        return
    with open(path, "wb") as file:
        file.write(page)


def main():
    if len(sys.argv) != 2:
        fail("page.py", "needs the name of the file to write", "`valtrace html --json TRACE | page.py FILE`")
    try:
        page = make_page(sys.stdin.buffer.read().decode("utf-8", "replace")).encode("utf-8", "replace")
    except (ValueError, KeyError):
        fail("page.py", "standard input is not the data of a page", "`valtrace html --json TRACE | page.py FILE`")
    if len(page) > SIZE_MAX:
        fail("html", f"the page would have {len(page)} bytes", "report this; --function or --from make it smaller")
    try:
        write(sys.argv[1], page)
    except OSError as error:
        fail(sys.argv[1], os.strerror(error.errno), "write elsewhere")


if __name__ == "__main__":
    main()
