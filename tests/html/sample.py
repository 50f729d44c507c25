"""Recordings for the tests of the HTML page, and the data inside a page."""
import functools
import json
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("BUILD", "build")
VALTRACE = os.path.abspath(f"{BUILD}/bin/valtrace")
HOSTILE = ("</script><img src=x onerror=window.pwned=1>", "'\"><svg onload=window.pwned=1>&amp;<!--",
           "line\nfeed\ttab\x01", "very_long_" + "x" * 6000, "\u202eelif\u2066.txt\u05d0\u05d1", "]]>{{}}${pwned}`\\u003cb>")


def run(*args, **options):
    return subprocess.run(args, capture_output=True, check=False, **options)


def valtrace(*args):
    return run(VALTRACE, *args)


def build(folder):
    """sample with source lines, hostile without (so that its names are those of the symbol table)."""
    for name, flags in (("sample", ["-g"]), ("plain", [])):
        subprocess.run(["gcc", "-O0", *flags, "-o", f"{folder}/{name}", f"{HERE}/sample.c"], check=True)
    renames = [f"--redefine-sym=hostile_{i}={name}" for i, name in enumerate(HOSTILE)]
    subprocess.run(["objcopy", *renames, f"{folder}/plain", f"{folder}/hostile"], check=True)


def record(folder, program, *args):
    path = f"{folder}/{program}{''.join(args)}.vtr"
    done = valtrace("run", "-q", "-o", path, "--", f"{folder}/{program}", *args)
    assert done.returncode == 0, done.stderr
    return path


def page(folder, name, *traces):
    """Makes a page; returns its path."""
    path = f"{folder}/{name}.html"
    done = valtrace("html", *traces, "-o", path)
    assert done.returncode == 0, done.stderr
    return path


@functools.cache
def _report(trace, _changed, *options):
    return json.loads(valtrace("report", *options, "--json", trace).stdout)


def report(trace, *options):
    """A report is asked for once, as long as the recording is the same."""
    return _report(trace, os.stat(trace).st_mtime_ns, *options)


def data_of(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S).group(1))
