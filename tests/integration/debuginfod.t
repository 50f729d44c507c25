#!/usr/bin/env python3
"""Symbols over the network: never while a program is recorded; by readers from a server that answers, and not for long
from one that does not. And debug files in a folder of one's own."""
import ctypes.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, "tests/lib")
from tap import COUNT, ok, skip  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
VALTRACE = f"{BUILD}/bin/valtrace"


class Silent:
    """A server that takes connections, counts them and never answers."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.connections = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            self.connections.append(self.listener.accept()[0])

    def environment(self, folder):
        # Without the time limits a connection would cost 90 seconds: then this test fails more slowly.
        return {**os.environ, "DEBUGINFOD_URLS": f"http://127.0.0.1:{self.listener.getsockname()[1]}",
                "DEBUGINFOD_TIMEOUT": "1", "DEBUGINFOD_RETRY_LIMIT": "0", "DEBUGINFOD_CACHE_PATH": f"{folder}/cache"}


def check_recording(folder):
    server, trace = Silent(), f"{folder}/ls.vtr"
    done = subprocess.run([VALTRACE, "run", "-o", trace, "--", "ls", "/"], env=server.environment(folder), capture_output=True,
                          check=False)
    ok(done.returncode == 0 and os.path.exists(trace), "ls is recorded where a server never answers", done)
    ok(not server.connections, "nobody has asked that server", server.connections)


SOURCE = """
#include <stdlib.h>
static inline __attribute__((always_inline)) void *inner(void) { return malloc(111); }
static __attribute__((noinline)) void *outer(void) { return inner(); }
void *volatile sink;
int main(void) { sink = outer(); return 0; }
"""
NAMES = ["inner", "outer", "main"]


def make_program(folder):
    """A stripped program; its debug information lies in a folder as /usr/lib/debug has it. Returns its build-id."""
    program = f"{folder}/program"
    subprocess.run(["gcc", "-O1", "-g", "-fno-optimize-sibling-calls", "-Wl,--build-id=sha1", "-x", "c", "-", "-o", program], input=SOURCE, text=True, check=True)
    notes = subprocess.run(["readelf", "-n", program], capture_output=True, text=True, check=True).stdout
    build_id = re.search(r"Build ID: (\w+)", notes)[1]
    os.makedirs(f"{folder}/debug/.build-id/{build_id[:2]}")
    subprocess.run(["objcopy", "--only-keep-debug", program, f"{folder}/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug"], check=True)
    subprocess.run(["strip", program], check=True)
    return build_id


def names(trace, env, *options):
    """Functions of the leak's stack in that program, and what was said on the way."""
    done = subprocess.run([VALTRACE, "report", "leaks", "--json", *options, trace], env=env, capture_output=True, text=True, check=False)
    sites = json.loads(done.stdout)["sites"] if done.returncode == 0 else []
    stack = [s["stack"] for s in sites if s["leaked_bytes"] == 111]
    return [f["function"] for f in (stack[0] if stack else []) if f["module"].endswith("/program") and f["function"] != "_start"], done.stderr


def start_server(folder, build_id):
    """debuginfod, and its address once it knows the file."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(["debuginfod", "-p", str(port), "-d", f"{folder}/index", "-F", f"{folder}/debug"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env={k: v for k, v in os.environ.items() if k != "DEBUGINFOD_URLS"})
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/buildid/{build_id}/debuginfo").close()
            break
        except OSError:
            time.sleep(0.05)
    return process, url


def check_reading(folder):
    build_id, trace = make_program(folder), f"{folder}/t.vtr"
    subprocess.run([VALTRACE, "run", "-q", "--no-symbols", "-o", trace, "--", f"{folder}/program"], check=True)
    plain = {k: v for k, v in os.environ.items() if k != "DEBUGINFOD_URLS"}
    bare, said = names(trace, plain)
    ok(not any(bare) and not said, "without debug information there are no names", bare, said)
    found, said = names(trace, plain, "--debug-dir", f"{folder}/debug")
    ok(found == NAMES and not said, "--debug-dir", found, said)
    done = subprocess.run([VALTRACE, "report", "--debug-dir", f"{folder}/none", trace], capture_output=True, check=False)
    ok(done.returncode == 2 and done.stderr.count(b"\n") == 1, "--debug-dir of no folder is a usage error", done)
    if not ctypes.util.find_library("debuginfod"):
        skip("libdebuginfod")
        return
    silent = Silent()
    found, said = names(trace, silent.environment(folder))
    ok(found == bare and said.count("\n") == 1 and "no answer within 1 s" in said and "--no-debuginfod" in said and silent.connections,
       "a server that never answers: one line, and on without", found, said)
    asked = len(silent.connections)
    found, said = names(trace, silent.environment(folder), "--no-debuginfod")
    ok(found == bare and not said and len(silent.connections) == asked, "--no-debuginfod asks nobody", found, said)
    if not shutil.which("debuginfod"):
        skip("debuginfod")
        return
    server, url = start_server(folder, build_id)
    env = {**plain, "DEBUGINFOD_URLS": url, "DEBUGINFOD_CACHE_PATH": f"{folder}/cache2"}
    found, said = names(trace, env)
    ok(found == NAMES and not said, "names from a server", found, said)
    subprocess.run([VALTRACE, "pack", "-o", f"{folder}/packed.vtr", trace], env={**env, "DEBUGINFOD_CACHE_PATH": f"{folder}/cache3"}, check=True)
    server.terminate()
    server.wait()
    found, said = names(f"{folder}/packed.vtr", plain)
    ok(found == NAMES and not said, "pack embeds what a server knows", found, said)


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_recording(folder)
        check_reading(folder)
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
