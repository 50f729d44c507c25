#!/usr/bin/python3
"""%n in names of traces: the last component of the path that was given to exec, whatever file that leads to (a link, a
script's interpreter), in a form that is visible, printable and short."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import HANG_S, MODES, SHIM, VALTRACE, Tap, program, vtr  # noqa: E402

NAMES = (("other", "other"), (".hidden", "_hidden"), ("...", "___"), ("new\nline", "new_line"), ("l" * 100, "l" * 64), ("a.b", "a.b"))


def record(mode, folder, *argv):
    """The traces of one run, by their names without extension."""
    out = tempfile.mkdtemp(dir=folder)
    if mode == "run":
        subprocess.run([VALTRACE, "run", "-q", "-o", out + "/%n.vtr", "--", *argv], check=True, timeout=HANG_S, stdout=subprocess.DEVNULL)
    else:
        subprocess.run(argv, check=True, timeout=HANG_S, stdout=subprocess.DEVNULL,
                       env={**os.environ, "LD_PRELOAD": SHIM, "VALTRACE_OUTPUT": out + "/%n.vtr"})
    return {name[:-4]: vtr.Trace(f"{out}/{name}") for name in os.listdir(out)}


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="valtest-started-")
    hello = program("hello")[0]
    script = os.path.join(folder, "script.sh")
    with open(script, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\nexit 0\n")
    os.chmod(script, 0o755)
    for mode in MODES:
        for name, want in NAMES:
            link = os.path.join(folder, name)
            if not os.path.lexists(link):
                os.symlink(hello, link)
            traces = record(mode, folder, link)
            tap.equal((list(traces), [t.started for t in traces.values()]), ([want], [link]), f"a link {name[:10]!r} [{mode}]")
        tap.equal(list(record(mode, folder, script)), ["script.sh"], f"a script [{mode}]")
        tap.equal(sorted(record(mode, folder, "env", os.path.join(folder, "other"))), ["env", "other"], f"what env executes [{mode}]")
        loader = "/lib64/ld-linux-x86-64.so.2"
        if os.path.exists(loader):
            tap.equal(list(record(mode, folder, loader, hello)), ["hello"], f"what the loader is to load [{mode}]")
    shutil.rmtree(folder)
    tap.done()


main()
