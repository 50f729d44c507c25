#!/usr/bin/env python3
"""Symbols over the network: never while a program is recorded."""
import os
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, "tests/lib")
from tap import COUNT, ok  # noqa: E402

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


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_recording(folder)
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
