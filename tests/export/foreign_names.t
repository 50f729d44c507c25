#!/usr/bin/env python3
"""Names that the recorded program chose, in every output: a path, arguments, a thread, a heap and a marker with quotes, markup,
separators, line breaks, sequences for terminals and bytes that are no UTF-8. Each format is read by a reader of its own, and
text has no byte that a terminal obeys."""
import csv
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.path.insert(0, "tests/lib")
from tap import COUNT, ok  # noqa: E402

VALTRACE = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "bin", "valtrace"))
HOSTILE = "</script><img src=x>\"',;%p\n\t\x1b[31m\u009b31m\u00e9"
PROGRAM = r"""
#include "valtrace/annotate.h"
#include <stdlib.h>
#define HOSTILE "</script><img src=x>\"',;%p\n\t\x1b[31m\xc2\x9b" "31m\xc3\xa9\xff"
static char pool[4096], *volatile sink;
int main(void) {
  vt_heap_create(pool, sizeof pool, VT_HEAP_CUSTOM, HOSTILE, 0, 0);
  vt_heap_create(pool, 1024, VT_HEAP_CUSTOM, HOSTILE "in", 0, pool);
  for (int i = 0; i < 4; i++) vt_block_alloc(i < 2 ? pool : pool + 0, pool + 64 * i, 60, 0, 7);
  vt_thread_name(HOSTILE);
  vt_marker(HOSTILE);
  for (int i = 0; i < 3; i++) sink = malloc(100);
  free(sink);
  free(sink = realloc(malloc(5), 900));
  return 0;
}
"""
VIEWS = ("summary leaks hot peak temporary memory pages mappings growth frees mismatches reallocs sizes lifetimes threads timeline "
         "modules heaps").split()
BAD = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f]")


def run(*args):
    return subprocess.run([VALTRACE, *args], capture_output=True, check=False)


def text_of(*args):
    return run(*args).stdout.decode("utf-8")  # strict: other bytes are an error


def check_text(trace, address):
    for args in (*(["report", view] for view in VIEWS), ["report", "--full"], ["dump"], ["ls"], ["check"],
                 ["block", address], ["diff", "--by", "line", trace], ["flame"], ["check-budget", "--max-live", "0"]):
        text = text_of(*args, trace)
        ok(text and not BAD.search(text), f"{' '.join(args[:2])}: no byte that a terminal obeys", BAD.findall(text))
    head = text_of("report", trace).split("\n")[0]
    ok("pid " in head and "<img" in head, "the program's name is on one line", head)


def check_json(trace, address):
    for args in (*(["report", view] for view in VIEWS), ["check"], ["ls"], ["html"], ["block", address], ["diff", trace], ["check-budget", "--max-live", "0"]):
        try:
            json.loads(text_of(*args, "--json", trace))
        except ValueError as error:
            ok(False, f"{' '.join(args[:2])} --json", error)
    lines = [json.loads(line) for line in text_of("dump", "--json", trace).splitlines()]
    heaps = json.loads(text_of("report", "heaps", "--json", trace))["traces"][0]
    ok(len(lines) > 10 and HOSTILE in heaps["heaps"][1]["name"] and HOSTILE in heaps["command"][1], "JSON has the names as they are", heaps)


def check_formats(folder, trace):
    def export(form):
        out = f"{folder}/x.{form}"
        done = run("export", "--format", form, "-o", out, trace)
        ok(not done.returncode and not done.stderr, f"export {form}", done.stderr)
        with open(out, "rb") as file:
            return file.read()

    for form in ("speedscope", "dhat", "firefox"):
        json.loads(export(form).decode("utf-8"))
    rows = list(csv.reader(io.StringIO(export("csv").decode("utf-8"), newline="")))
    ok(len(rows) > 3 and len({len(row) for row in rows}) == 1, "csv: as many fields in each line", rows)
    ok(all(re.fullmatch(r".* \d+", line) for line in export("folded").decode().splitlines()), "folded: stacks and numbers")
    for form in ("pprof", "heaptrack", "massif", "callgrind"):
        export(form)
    export("sqlite")
    db = sqlite3.connect(f"{folder}/x.sqlite")
    ok(any(HOSTILE.startswith(name[:15]) and name for name, in db.execute("SELECT name FROM thread")), "sqlite: the thread's name as it is")
    db.close()


def check_gates(trace):
    for args in (["check-budget", "--max-live", "0"], ["diff", "--fail-if", "live>0", trace]):
        root = xml.etree.ElementTree.fromstring(run(*args, "--format", "junit", trace).stdout)
        ok(root.findall(".//failure"), f"{args[0]}: junit is XML")
        json.loads(run(*args, "--format", "sarif", trace).stdout)
        lines = run(*args, "--format", "github", trace).stdout.decode().splitlines()
        ok(lines and all(line.startswith("::") for line in lines), f"{args[0]}: each line is a command", lines)


def check_page(folder, trace):
    path = f"{folder}/x.html"
    done = run("html", "-o", path, trace)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    ok(not done.returncode and "<img" not in text and text.count("</script>") == len(re.findall("<script[ >]", text)), "the page has no markup of theirs")


def main():
    with tempfile.TemporaryDirectory() as folder:
        place = f"{folder}/{HOSTILE.split('/')[0]}"
        os.makedirs(f"{place}/script>")
        program, trace = f"{place}/{HOSTILE.split('<', 1)[1]}", f"{folder}/t.vtr"
        subprocess.run(["gcc", "-g", "-O1", "-Iinclude", "-x", "c", "-o", program, "-"], input=PROGRAM.encode(), check=True)
        subprocess.run([VALTRACE, "run", "-q", "-o", trace, "--", program, HOSTILE], check=True)
        address = next(json.loads(line)["address_hex"] for line in text_of("dump", "--json", trace).splitlines() if '"heap_alloc"' in line)
        check_text(trace, address)
        check_json(trace, address)
        check_formats(folder, trace)
        check_gates(trace)
        check_page(folder, trace)
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
