#!/usr/bin/env python3
"""Man pages: mandoc finds nothing to warn about, every command has a page, and the options in a page
are those of `--help`, no more and no fewer."""
import glob
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from tap import COUNT, ok, skip  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
VALTRACE = f"{BUILD}/bin/valtrace"


def help_of(*command):
    return subprocess.run([VALTRACE, *command, "--help"], capture_output=True, text=True, check=True).stdout


def options_in_help(text):
    """Options in the first column of a help text, which ends at two spaces."""
    options = set()
    for line in text.splitlines():
        if re.match(r"^\s+-", line):
            column = re.split(r" {2,}(?=[^-\s])", line.strip())[0]
            options |= set(re.findall(r"(?<![\w-])(-[a-z]|--[a-z][a-z-]*)\b", column))
    return options


def options_in_page(path):
    with open(path, encoding="utf-8") as file:
        items = re.findall(r"^\.It (Fl .*)$", file.read(), re.M)
    words = " ".join(items)
    return {f"--{w}" for w in re.findall(r"Fl Fl ([a-z-]+)", words)} | {f"-{w}" for w in re.findall(r"Fl ([a-z])\b(?!-)", words)}


def main():
    pages = sorted(glob.glob(f"{BUILD}/man/*"))
    ok(len(pages) >= 12, f"{len(pages)} pages")
    if shutil.which("mandoc"):
        for page in pages:
            done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True)
            ok(done.returncode == 0 and not done.stdout, f"{os.path.basename(page)}: mandoc has no warning", done.stdout)
    else:
        skip("mandoc")
    commands = re.findall(r"^  ([a-z][a-z-]*) +\S", help_of(), re.M)
    ok(len(commands) >= 10, f"{len(commands)} commands")
    for command in commands:
        page = f"{BUILD}/man/valtrace-{command}.1"
        ok(os.path.exists(page), f"{command} has a page")
        if not os.path.exists(page):
            continue
        shown, described = options_in_help(help_of(command)), options_in_page(page)
        ok(shown and shown == described, f"{command}: the page has the options of --help",
           f"only in --help: {sorted(shown - described)}", f"only in the page: {sorted(described - shown)}")
    with open("docs/man/valtrace-preload.7", encoding="utf-8") as file:
        described = set(re.findall(r"VALTRACE_[A-Z_]+", file.read()))
    source = "".join(open(path, encoding="utf-8").read() for path in glob.glob("preload/*.c") + glob.glob("core/trace/*.c"))
    used = set(re.findall(r'"(VALTRACE_[A-Z_]+)', source))
    ok(used and used <= described, "valtrace-preload(7) has every variable", sorted(used - described))
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
