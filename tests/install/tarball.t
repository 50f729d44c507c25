#!/usr/bin/python3
"""`make tarball`: the same files give the same bytes; unpacked anywhere it records, finds its own files and reports, also in
a root folder in which there is nothing else."""
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

sys.path[:0] = ["tests/lib", "tests/top"]
from screen import Screen  # noqa: E402
from valtest import BUILD, Tap, program  # noqa: E402

MAKE = ["make", "-s", "tarball", *([f"BUILD={BUILD}"] if "BUILD" in os.environ else [])]


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def make():
    path = subprocess.run(MAKE, capture_output=True, text=True, check=True).stdout.split()[-1]
    return path, digest_of(path)


def make_elsewhere(folder):
    """The same commit in a copy of the tree, with other settings of the session."""
    git = subprocess.run(["git", "rev-parse", "--absolute-git-dir"], capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run(["tools/packages/copy", folder], check=True)
    env = {**os.environ, "GIT_DIR": git, "TZ": "Asia/Tokyo", "LC_ALL": "C", "HOME": folder}
    done = subprocess.run(["make", "-s", "-j2", "tarball"], cwd=folder, env=env, umask=0o077, capture_output=True, text=True, check=True)
    return digest_of(os.path.join(folder, done.stdout.split()[-1]))


def output(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    return done.returncode, done.stdout, done.stderr


def needs_of(path):
    return subprocess.run(["readelf", "-d", path], capture_output=True, text=True).stdout.count("(NEEDED)")


def main():
    tap = Tap()
    path, digest = make()
    with tempfile.TemporaryDirectory(prefix="valtest-tarball-copy-") as folder:
        tap.equal(make_elsewhere(folder + "/copy"), digest, "made of another folder, by somebody else: the same bytes")
    with tempfile.TemporaryDirectory(prefix="valtest-tarball-") as folder:
        os.chmod(folder, 0o755)
        subprocess.run(["tar", "-C", folder, "--strip-components=1", "-xf", path], check=True)
        command, trace = folder + "/bin/valtrace", folder + "/t.vtr"
        tap.equal(needs_of(command), 0, "the command itself needs no library")
        status, out, err = output(command, "run", "-q", "-o", trace, "--", *program("hello", 7))
        tap.equal((status, out, err), (0, "hello\n", ""), "records")
        status, out, _ = output(command, "report", trace)
        tap.ok(status == 0 and "record            complete" in out and "FINDINGS" in out, "reports", [out])
        names = set(os.listdir(folder + "/runtime"))
        tap.ok(names >= {"valtrace", "valtrace.bin", "libc.so.6", "libdw.so.1", "libzstd.so.1"}, "its libraries are in it", [names])
        with tempfile.NamedTemporaryFile() as page:
            status, _, err = output(command, "html", trace, "-o", page.name)
            tap.ok(status == 0 and os.path.getsize(page.name) > 10000, "the page is made", [err])
        chroot = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if os.getuid() == 0:
            status, out, err = output(chroot, folder, "/bin/valtrace", "--version")
            tap.ok(status == 0 and out.startswith("valtrace "), "starts where there is nothing else", [err])
            status, out, err = output(chroot, folder, "/bin/valtrace", "report", "/t.vtr")
            tap.ok(status == 0 and "FINDINGS" in out, "and reports there", [err])
            status, out, err = output(chroot, folder, "/bin/valtrace", "html", "/t.vtr", "-o", "/t.html")
            tap.ok(status == 0 and os.path.getsize(folder + "/t.html") > 10000, "and makes a page", [err])
            screen = Screen([chroot, folder, "/bin/valtrace", "top", "/t.vtr"], env={"TERM": "xterm"})
            tap.ok(screen.wait_for("hello", "final"), "and knows terminals")
            screen.close()
        else:
            tap.skip("an empty root folder", "needs root")
    tap.done()


main()
