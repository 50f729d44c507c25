#!/usr/bin/python3
"""docs/production.md: its commands do what the page says, its units are understood by systemd, and what it says is not in a
trace is in none."""
import contextlib
import http.server
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, "tests/lib")
from valtest import BUILD, HANG_S, ROOT, Tap, VALTRACE, vtr  # noqa: E402

SECRET = "open-sesame-4711"
PRIVATE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
  char const *secret = getenv("SHOP_SECRET");
  char *kept = malloc(100), *also = malloc(5000);
  strcpy(kept, secret);
  strcpy(also + 4000, secret);
  FILE *file = fopen(argv[argc - 1], "w");
  fprintf(file, "%s\n", secret);
  return 0; /* the file is not closed: it is in a buffer, too, when the memory is looked at */
}
"""


def blocks(text):
    """(kind, name, lines) of every fenced block."""
    return [(kind, name, body) for kind, name, body in re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", text, re.M | re.S)]


class Store(http.server.BaseHTTPRequestHandler):
    got = {}

    def take(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got[self.path.split("?")[0]] = (self.path, self.headers["Content-Type"] or "", body)
        self.send_response(200)
        self.end_headers()

    do_POST = do_PUT = take

    def log_message(self, *_):
        pass


def stand_ins(folder):
    """The programs that the page's commands start."""
    source = os.path.join(ROOT, "tests", "bench", "reach", "paced.c")
    subprocess.run(["gcc", "-O1", "-g", "-fno-builtin", "-o", os.path.join(folder, "shopd"), source], check=True)
    os.makedirs(os.path.join(folder, "traces"))
    pgrep = os.path.join(folder, "pgrep")  # of this test's processes only
    with open(pgrep, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nexec {shutil.which("pgrep")} -s 0 "$@"\n')
    os.chmod(pgrep, 0o755)


def may_attach(folder):
    """May this user trace a process here, as `valtrace attach` needs?"""
    process = subprocess.Popen([os.path.join(folder, "shopd")])
    done = subprocess.run([VALTRACE, "attach", "-q", "--duration", "100ms", "-o", os.path.join(folder, "try.vtr"), str(process.pid)],
                          capture_output=True, text=True)
    process.kill()
    process.wait()
    return "may not trace" not in done.stderr and "lets" not in done.stderr


def run_blocks(tap, text, folder, store):
    env = dict(os.environ, PATH=f"{folder}:{BUILD}/bin:{os.environ['PATH']}", STORE=f"http://127.0.0.1:{store}")
    boxes = subprocess.run(["bwrap", "--unshare-pid", "--ro-bind", "/", "/", "true"], capture_output=True).returncode == 0 \
        if shutil.which("bwrap") else False
    shell = subprocess.Popen(["bash"], cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, start_new_session=True)
    for number, body in enumerate(body for kind, _, body in blocks(text) if kind == "sh"):
        name = body.strip().split("\n")[-1].strip()[:70]
        if "bwrap" in body and not boxes:
            tap.skip(name, "no namespaces here")
            continue
        if "valtrace attach" in body and not may_attach(folder):
            tap.skip(name, "nobody may trace here")
            continue
        # The first block's program must have allocated something before it is asked for.
        after = "until valtrace ctl \"$(pgrep -nx shopd)\" status 2>/dev/null; do sleep 0.1; done >/dev/null\n" if not number else ""
        shell.stdin.write(f"set -e; trap 's=$?; echo; echo status $s' EXIT\n{body}{after}trap - EXIT; set +e; echo; echo status 0\n")
        shell.stdin.flush()
        seen, status = [], ""
        for status in shell.stdout:
            if status.startswith("status "):
                break
            seen.append(status)
        if not tap.ok(status == "status 0\n", name, [status, *seen[-20:]]):
            break
    with contextlib.suppress(BrokenPipeError):
        shell.stdin.close()
    shell.wait(HANG_S)
    subprocess.run(["pkill", "-KILL", "-s", str(shell.pid), "-x", "shopd"], check=False)  # if a block failed


def check_store(tap):
    path, kind, body = Store.got.get("/ingest", ("", "", b""))
    tap.ok("name=shopd" in path and "format=pprof" in path and kind.startswith("multipart/form-data") and b"\x1f\x8b" in body,
           "the store got a profile", [path, kind, body[:60]])
    raw = [body for path, (_, _, body) in Store.got.items() if path.startswith("/profiles/")]
    tap.ok(raw and raw[0][:2] == b"\x1f\x8b" and raw[0] in body, "and the same as a file")


def check_units(tap, text, folder):
    units = [(name, body) for kind, name, body in blocks(text) if kind == "ini"]
    tap.equal(len(units), 2, "two units")
    for name, body in units:
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not shutil.which("systemd-analyze"):
            tap.skip(name, "systemd-analyze is not installed")
            continue
        with open(os.path.join(folder, "shopd.service"), "w", encoding="utf-8") as file:
            file.write("[Service]\nExecStart=/bin/true\n")
        body = body.replace("/usr/local/bin/valtrace", VALTRACE)
        with open(path, "w", encoding="utf-8") as file:
            file.write(body)
        out = subprocess.run(["systemd-analyze", "verify", os.path.join(folder, "shopd.service")], capture_output=True, text=True)
        tap.ok(out.returncode == 0 and "valtrace" not in out.stderr, f"{name} is understood", [out])
        os.unlink(path)


def everything_in(path):
    """All that a trace holds, also what it has compressed."""
    held, unzstd = [], vtr.unzstd

    def keep(data, *limit):
        held.append(unzstd(data, *limit))
        return held[-1]

    vtr.unzstd = keep
    trace = vtr.Trace(path)
    events = sum(1 for _ in trace.events())
    vtr.unzstd = unzstd
    if not held or not events:
        raise RuntimeError("nothing was decompressed")
    return trace.data + b"".join(held)


def check_privacy(tap, folder):
    source, exe, path = (os.path.join(folder, name) for name in ("private.c", "private", "private.vtr"))
    with open(source, "w", encoding="utf-8") as file:
        file.write(PRIVATE)
    subprocess.run(["gcc", "-g", "-O0", "-o", exe, source], check=True)
    subprocess.run([VALTRACE, "run", "-q", "--snapshots", "-o", path, "--", exe, "--token=in-the-arguments", os.path.join(folder, "out")],
                   env=dict(os.environ, SHOP_SECRET=SECRET), check=True)
    held = everything_in(path)
    tap.ok(b"--token=in-the-arguments" in held, "a trace has the command line")
    tap.ok(source.encode() in held or b"private.c" in held, "and names of source files")
    tap.ok(SECRET.encode() not in held, "but nothing of the environment or of what is in memory")
    tap.ok(b"SHOP_SECRET" not in held and f"PATH={os.environ['PATH']}".encode() not in held, "not even names of variables")
    tap.equal(os.stat(path).st_mode & 0o777, 0o600, "and it is its owner's")


tap = Tap()
with open("docs/production.md", encoding="utf-8") as page:
    text = page.read()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
threading.Thread(target=server.serve_forever, daemon=True).start()
folder = tempfile.mkdtemp(prefix="valtest-")
try:
    stand_ins(folder)
    run_blocks(tap, text, folder, server.server_address[1])
    check_store(tap)
    check_units(tap, text, folder)
    check_privacy(tap, folder)
finally:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
tap.done()
