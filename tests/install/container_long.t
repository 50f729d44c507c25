#!/usr/bin/python3
"""The container build of docs/ci.md, instruction by instruction in root folders of a bare Debian 12: what is there after
`tools/deps core` is enough to build and install; the stage with the gate passes a program that is well and stops one that
loses memory. Needs root, mmdebstrap and apt's own package sources."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
import roots  # noqa: E402
from valtest import Tap  # noqa: E402

WELL = '#include <stdio.h>\n#include <stdlib.h>\nstatic void *volatile held;\nint main(void) {\n  held = malloc(5000);\n  LOSE\n  puts("added");\n  return 0;\n}\n'


def instructions():
    with open("docs/ci.md", encoding="utf-8") as file:
        text = re.search(r"^```dockerfile Containerfile\n(.*?)^```$", file.read(), re.M | re.S)[1]
    return [tuple(line.split(" ", 1)) for line in text.splitlines() if line]


class Builder:
    """What builds images, with root folders for images."""

    def __init__(self, top, context):
        self.top, self.context, self.stages, self.root, self.folder, self.said = top, context, {}, None, "/", ""

    def begin(self, of):
        base, _, name = of.partition(" AS ")
        if base not in self.stages:
            self.stages[base] = f"{self.top}/{re.sub(r'[^a-z0-9]', '-', base)}"
            wrong = roots.make("bookworm", self.stages[base], ["ca-certificates"], "minbase")
            if wrong:
                raise OSError(wrong)
            for path in glob.glob("/etc/apt/apt.conf.d/*"):  # how packages are had here
                shutil.copy(path, self.stages[base] + "/etc/apt/apt.conf.d/")
            shutil.copy("/etc/resolv.conf", self.stages[base] + "/etc/resolv.conf")
        self.folder, self.root = "/", f"{self.top}/stage-{name or 'last'}"
        subprocess.run(["cp", "-a", self.stages[base], self.root], check=True)
        self.stages[name] = self.root

    def copy(self, what):
        stage = re.match(r"--from=(\w+) (\S+) (\S+)$", what)
        source, target = (self.stages[stage[1]] + stage[2], stage[3]) if stage else (self.context + "/" + what.split()[0], what.split()[1])
        os.makedirs(os.path.dirname(self.root + target), exist_ok=True)
        subprocess.run(["cp", "-a", source, self.root + target], check=True)

    def run(self, *argv):
        """Runs a command in the image; its exit status."""
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive", "FOLDER": self.folder}
        with roots.Proc(self.root):
            done = subprocess.run([roots.CHROOT, self.root, "/bin/sh", "-c", 'cd "$FOLDER" && exec "$@"', "sh", *argv], env=env, capture_output=True, text=True, check=False)
        self.said = done.stdout + done.stderr
        return done.returncode


def build(tap, builder, repository):
    """All stages, with the repository for the one that is named there."""
    for word, rest in instructions():
        if word == "FROM":
            builder.begin(rest)
            shutil.copy(repository, builder.root + "/repository")
        elif word == "COPY":
            builder.copy(rest)
        elif word == "WORKDIR":
            builder.folder = rest
        elif word == "CMD":
            tap.ok(builder.run(*json.loads(rest)) == 0 and builder.said == "added\n", "the image's program runs", [builder.said])
        else:
            command = re.sub(r"https://\S+\.git", "/repository", rest)
            if not tap.ok(builder.run("/bin/sh", "-c", command) == 0, rest, [builder.said[-2000:]]):
                return


def check_gate(tap, builder):
    """The last instruction of the gate's stage once more, on a program that loses a block."""
    gate = next(rest for word, rest in instructions() if word == "RUN" and "--fail-on-leak" in rest)
    for stage in ("build", "gate"):
        builder.root, builder.folder = builder.stages[stage], "/store"
        if stage == "build":
            with open(builder.root + "/store/store.c", "w", encoding="ascii") as file:
                file.write(WELL.replace("LOSE", "held = NULL;"))
            tap.equal(builder.run("gcc", "-g", "-O2", "-o", "store", "store.c"), 0, "a program that loses a block")
            shutil.copy(builder.root + "/store/store", builder.stages["gate"] + "/store/store")
    tap.ok(builder.run("/bin/sh", "-c", gate) == 1 and "4.88 KiB lost" in builder.said, f"stopped: {gate}", [builder.said])


def main():
    tap = Tap()
    if os.getuid():
        tap.skip("a container build", "needs root")
        tap.done()
    with tempfile.TemporaryDirectory(prefix="valtest-container-") as top:
        os.chmod(top, 0o755)
        os.mkdir(f"{top}/context")
        with open(f"{top}/context/store.c", "w", encoding="ascii") as file:
            file.write(WELL.replace("LOSE", ""))
        subprocess.run(["git", "bundle", "create", "-q", f"{top}/bundle", "HEAD"], check=True)
        builder = Builder(top, f"{top}/context")
        build(tap, builder, f"{top}/bundle")
        if not tap.failed:
            check_gate(tap, builder)
    tap.done()


main()
