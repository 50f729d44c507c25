"""A program in a terminal of a given size (tmux), and what is on its screen. Waits for content, never for a time."""
import atexit
import os
import select
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
from valtest import HANG_S  # noqa: E402


class Screen:
    def __init__(self, argv, columns=80, lines=24, env=None):
        self.folder = tempfile.mkdtemp(prefix="valtest-")
        self.shown = os.path.join(self.folder, "shown")
        os.mkfifo(self.shown)
        self.pipe = os.open(self.shown, os.O_RDWR | os.O_NONBLOCK)
        words = " ".join(f"{k}={shlex.quote(v)}" for k, v in (env or {"LC_ALL": "C.UTF-8"}).items())
        command = f"env {words} {' '.join(map(shlex.quote, argv))}; echo status $?; exec cat >/dev/null"
        atexit.register(self.close)  # also if the test fails
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(lines), "sleep 1000")
        self.tmux("set-option", "-g", "status", "off")
        self.tmux("pipe-pane", f"exec cat >{self.shown}")
        self.tmux("respawn-pane", "-k", command)

    def tmux(self, *words):
        env = dict(os.environ, TMUX_TMPDIR=self.folder, LC_ALL="C.UTF-8")
        env.pop("TMUX", None)
        return subprocess.run(["tmux", "-L", "t", "-f", "/dev/null", *words], env=env, check=True,
                              capture_output=True, text=True).stdout

    def text(self):
        return self.tmux("capture-pane", "-p")

    def wait(self, good, what):
        """The screen, once good(screen) holds: it is looked at again whenever something was drawn."""
        for _ in range(HANG_S):
            text = self.text()
            if good(text) and text == self.text():  # else it is being drawn
                return text
            if select.select([self.pipe], [], [], 1)[0]:
                os.read(self.pipe, 1 << 16)
        raise RuntimeError(f"not seen: {what}\n{text}")

    def wait_for(self, *wanted):
        return self.wait(lambda text: all(one in text for one in wanted), wanted)

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def resize(self, columns, lines):
        self.tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def close(self):
        atexit.unregister(self.close)
        self.tmux("kill-server")
        os.close(self.pipe)
        shutil.rmtree(self.folder)
