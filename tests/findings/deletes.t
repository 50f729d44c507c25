#!/usr/bin/python3
"""Deletions with a wrong size or alignment are those that AddressSanitizer tells, in packed and raw traces; right ones are
none; the history of their blocks says so, too; what was told is the same to both readers."""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import PROGRAMS, SHIM, VALTRACE, Tap, vtr  # noqa: E402

PROGRAM = os.path.join(PROGRAMS, "deletes")
FIELD = re.compile(r"(size|alignment) of the (allocated|deallocated) type: +(default-aligned|\d+)")


def of_sanitizer():
    """{(line of the deletion, fault, what the block has, what was told)}"""
    env = dict(os.environ, ASAN_OPTIONS="halt_on_error=0:detect_leaks=0")
    done = subprocess.run([PROGRAM + "_asan", "wrong"], env=env, capture_output=True, text=True, check=False)
    found = set()
    for error in done.stderr.split("ERROR: AddressSanitizer: new-delete-type-mismatch")[1:]:
        said = {m.group(1, 2): 0 if m[3] == "default-aligned" else int(m[3]) for m in FIELD.finditer(error.split("freed by")[0])}
        what = "alignment" if ("alignment", "allocated") in said else "size"
        line = next(int(n) for n in re.findall(r"deletes\.cc:(\d+)", error))
        found.add((line, f"wrong-{what}", said[what, "allocated"], said[what, "deallocated"]))
    return found


def ours(trace):
    text = subprocess.run([VALTRACE, "report", "mismatches", "--json", trace], capture_output=True, text=True, check=True).stdout
    wrong = json.loads(text)["mismatches"]
    found = set()
    for w in wrong:
        line = next(f["line"] for f in w["free"]["stack"] if f["file"].endswith("deletes.cc"))
        what = ("size", "said_size") if w["kind"] == "wrong-size" else ("align", "said_align")
        found.add((line, w["kind"], w[what[0]], w[what[1]]))
    return found, wrong


def record(folder, name, program, *args):
    """A packed, a raw and a repacked trace of the program."""
    traces = [f"{folder}/{name}.{kind}" for kind in ("run", "raw", "pack")]
    subprocess.run([VALTRACE, "run", "-q", "--no-snapshot", "-o", traces[0], "--", program, *args], check=True)
    subprocess.run([program, *args], env=dict(os.environ, LD_PRELOAD=SHIM, VALTRACE_OUTPUT=traces[1]), check=True)
    subprocess.run([VALTRACE, "pack", traces[1], "-o", traces[2]], check=True, capture_output=True)
    return traces


def both_readers(tap, trace):
    said = [e[6:8] for e in vtr.Trace(trace).events() if e.kind == vtr.FREE and e.api in (11, 12)]
    text = subprocess.run([VALTRACE, "dump", "--json", trace], capture_output=True, text=True, check=True).stdout
    dumped = [(d.get("said_size", 0), d.get("said_align", 0)) for line in text.splitlines() if '"free"' in line
              for d in [json.loads(line)] if d["kind"] == "free" and d["api"].startswith("delete")]
    tap.equal(dumped, said, f"{trace[-4:]}: what was told, as the independent reader sees it")
    tap.ok(any(size for size, _ in said) and any(align for _, align in said), "sizes and alignments among it", said[:5])


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        want = of_sanitizer()
        traces = record(folder, "wrong", PROGRAM, "wrong")
        for trace in traces:
            found, wrong = ours(trace)
            tap.equal(found, want, f"{trace[-4:]}: the deletions that the sanitizer tells")
            both_readers(tap, trace)
        tap.ok(len(want) == 9, "which are as many as are planted", want)
        block = json.loads(subprocess.run([VALTRACE, "block", "--json", hex(wrong[0]["address"]), traces[2]], capture_output=True, check=True).stdout)
        told = [(b["fault"], b["said_size"], b["said_align"]) for b in block["blocks"] if b["allocation"]["t_ns"] == wrong[0]["allocation"]["t_ns"]]
        tap.equal(told, [tuple(wrong[0][k] for k in ("kind", "said_size", "said_align"))], "block tells the fault")
        findings = json.loads(subprocess.run([VALTRACE, "report", "--json", traces[0]], capture_output=True, check=True).stdout)["findings"]
        tap.equal([f["values"]["blocks"] for f in findings if f["kind"] == "mismatch"], [2, 1, 1], "and findings count them, the largest three")
        for name, program, args, true in (("right", PROGRAM, (), set()), ("own", PROGRAM + "_own", ("wrong",), want)):
            for trace in record(folder, name, program, *args)[:2]:
                found = {f for f in ours(trace)[0] if f[1].startswith("wrong")}
                tap.equal(found - true, set(), f"{name}{trace[-4:]}: none that is right is told")
    tap.done()


main()
