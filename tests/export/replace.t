#!/usr/bin/env python3
"""How outputs take the place of what is there: links are followed and stay, devices and pipes are written into, a
command that fails leaves the old file, nothing unfinished is left behind. And where `run` puts traces."""
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, "tests/lib")
from tap import COUNT, ok, skip  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
VALTRACE, SHIM = f"{BUILD}/bin/valtrace", f"{BUILD}/lib/libvaltrace.so"
LOG = "+++ ALLOC:1:0x0000000000001000:16:100\n./p(main+0x5)[0x401005]\n---\n"
OTHER = 12345  # a user who is neither root nor we


def run(*args, **more):
    return subprocess.run([VALTRACE, *args], **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}, check=False)


def writers(folder):
    """name: (command without -o, what the output begins with)"""
    trace, log = f"{folder}/t.vtr", f"{folder}/log"
    with open(log, "w", encoding="utf-8") as file:
        file.write(LOG)
    run("run", "-q", "-o", trace, "--", "/bin/true")
    with open(trace, "rb") as file:
        magic = file.read(4)
    return {"pack": (["pack", trace], magic), "import": (["import", log], magic), "csv": (["export", "--format", "csv", trace], b""),
            "pprof": (["export", "--format", "pprof", trace], b"\x1f\x8b"), "sqlite": (["export", "--format", "sqlite", trace], b"SQLite"),
            "flame": (["flame", trace], b""), "html": (["html", trace], b"<!"), "html --json": (["html", "--json", trace], b"{")}


def content(path):
    with open(path, "rb") as file:
        return file.read()


def put(path, text="old"):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def check_link(folder, name, command, begin):
    where = f"{folder}/link of {name}"
    os.makedirs(f"{where}/far")
    put(f"{where}/far/target")
    os.chmod(f"{where}/far/target", 0o640)
    os.symlink("far/target", f"{where}/middle")
    os.symlink(f"{where}/middle", f"{where}/out")
    done = run(*command, "-o", f"{where}/out")
    made = content(f"{where}/far/target")
    links = os.path.islink(f"{where}/out") and os.path.islink(f"{where}/middle") and not os.path.islink(f"{where}/far/target")
    ok(done.returncode == 0 and links and made != b"old" and made.startswith(begin), f"{name}: a link stays, its target is replaced",
       done, made[:20])
    private = 0o600 if name in ("pack", "import") else 0o640
    ok(stat.S_IMODE(os.stat(f"{where}/far/target").st_mode) == private, f"{name}: who may read it does not change")
    ok(sorted(os.listdir(f"{where}/far")) == ["target"], f"{name}: nothing else is left", os.listdir(f"{where}/far"))
    done = run(*command, "-o", f"{where}/far")
    ok(done.returncode == 4 and os.listdir(f"{where}/far") == ["target"], f"{name}: a folder is no output", done)
    if os.geteuid():
        skip(f"{name}: links of others")
        return
    os.lchown(f"{where}/middle", OTHER, OTHER)
    before = content(f"{where}/far/target")
    done = run(*command, "-o", f"{where}/out")
    ok(done.returncode == 4 and done.stderr.count(b"\n") == 1 and b"another user" in done.stderr, f"{name}: a link of another user is refused", done)
    ok(content(f"{where}/far/target") == before and os.path.islink(f"{where}/middle"), f"{name}: and nothing has happened")


def check_failing(folder):
    where = f"{folder}/failing"
    os.mkdir(where)
    put(f"{where}/junk", "no trace and no log")
    put(f"{where}/out")
    for command in (["import"], ["pack"], ["export", "--format", "csv"], ["export", "--format", "sqlite"], ["flame"], ["html"]):
        done = run(*command, f"{where}/junk", "-o", f"{where}/out")
        ok(done.returncode == 3 and content(f"{where}/out") == b"old" and sorted(os.listdir(where)) == ["junk", "out"],
           f"{command}: bad input leaves the old output", done, os.listdir(where))


def check_full(folder):
    """The disk becomes full: the old output stays."""
    where = f"{folder}/full"
    os.mkdir(where)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", where], capture_output=True, check=False).returncode:
        skip("cannot mount a tmpfs")
        return
    put(f"{where}/out")
    for command in (["html", f"{folder}/t.vtr"], ["export", "--format", "sqlite", f"{folder}/t.vtr"]):
        done = run(*command, "-o", f"{where}/out")
        ok(done.returncode == 4 and content(f"{where}/out") == b"old" and os.listdir(where) == ["out"], f"{command[0]}: a full disk leaves the old output",
           done, os.listdir(where))
    subprocess.run(["umount", "-l", where], check=False)


def check_interrupted(folder):
    where = f"{folder}/interrupted"
    os.mkdir(where)
    put(f"{where}/out")
    for signo in (signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen([VALTRACE, "import", "-", "-o", f"{where}/out"], stdin=subprocess.PIPE) as process:
            process.stdin.write(LOG.encode())
            process.stdin.flush()
            while len(os.listdir(where)) == 1 and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signo)
            process.wait()
            ok(process.returncode == -signo and os.listdir(where) == ["out"] and content(f"{where}/out") == b"old",
               f"{signo.name} leaves the old output and nothing else", process.returncode, os.listdir(where))


def check_pipes(folder):
    trace, pipe = f"{folder}/t.vtr", f"{folder}/pipe"
    want = run("export", "--format", "csv", trace).stdout
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(content(pipe)))
    reader.start()
    done = run("export", "--format", "csv", trace, "-o", pipe)
    reader.join()
    ok(done.returncode == 0 and got == [want] and stat.S_ISFIFO(os.stat(pipe).st_mode), "a pipe is written into and stays", done)
    for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        done = run("export", "--format", "csv", trace, "-o", name)
        ok(done.returncode == 0 and done.stdout == want, f"-o {name}", done)
    put(f"{folder}/log of all", "before\n")
    with open(f"{folder}/log of all", "r+b") as file:
        file.seek(0, 2)
        done = run("export", "--format", "csv", trace, "-o", "/dev/stdout", stdout=file)
    ok(done.returncode == 0 and content(f"{folder}/log of all") == b"before\n" + want, "-o /dev/stdout into a file goes on where it stands", done)
    for command in (["pack", trace], ["import", f"{folder}/log"], ["export", "--format", "sqlite", trace]):
        done = run(*command, "-o", pipe)
        ok(done.returncode == 4 and done.stderr.count(b"\n") == 1 and stat.S_ISFIFO(os.stat(pipe).st_mode), f"{command[0]}: not to a pipe", done)


def check_run(folder):
    where = f"{folder}/run"
    os.makedirs(f"{where}/far")
    os.symlink("far/t.vtr", f"{where}/link.vtr")
    put(f"{where}/far/t.vtr")
    done = run("run", "-q", "-o", f"{where}/link.vtr", "--", "/bin/true")
    good = run("check", f"{where}/far/t.vtr").returncode == 0 and os.path.islink(f"{where}/link.vtr")
    ok(done.returncode == 0 and good and sorted(os.listdir(where)) == ["far", "link.vtr"], "run: a link stays, its target is the trace", done)
    done = run("run", "-q", "-o", f"{where}/link.vtr", "--", "/bin/sh", "-c", "exec env true")
    ok(done.returncode == 0 and os.path.islink(f"{where}/link.vtr") and run("check", f"{where}/link.vtr").returncode == 0 and len(os.listdir(f"{where}/far")) == 3,
       "run: earlier images go beside the target", done, os.listdir(f"{where}/far"))
    for output in (f"{where}/far", f"{where}/far/", f"{where}/none/", "/dev/null", f"{folder}/pipe"):
        mark = f"{where}/mark"
        done = run("run", "-o", output, "--", "touch", mark)
        folder_said = b"use -d" in done.stderr or not output.startswith(where)
        ok(done.returncode == 125 and not os.path.exists(mark) and done.stderr.count(b"\n") == 1 and folder_said,
           f"run -o {output.replace(folder, '')}: nothing is started", done)
    done = run("run", "-q", "-d", f"{where}/new/50%p", "--", "/bin/sh", "-c", "/bin/true; exec env true")
    names = sorted(name.split(".")[0] for name in os.listdir(f"{where}/new/50%p"))
    ok(done.returncode == 0 and names[-2:] == ["true", "true"] and len(names) == 4 and all(n.endswith(".vtr") for n in os.listdir(f"{where}/new/50%p")),
       "run -d: every trace in that folder", done, names)
    ok(run("run", "-d", where, "-o", "x", "--", "true").returncode == 2, "run: not both -d and -o")
    gone = subprocess.run(f"mkdir {where}/gone; cd {where}/gone; rmdir ../gone; {VALTRACE} run -- touch {where}/mark", shell=True, capture_output=True,
                          check=False)
    ok(gone.returncode == 125 and b"current folder" in gone.stderr and b"long" not in gone.stderr and not os.path.exists(f"{where}/mark"),
       "run: a folder that is gone is called so", gone)
    if os.geteuid():
        skip("run: links of others")
        return
    os.lchown(f"{where}/link.vtr", OTHER, OTHER)
    before = content(f"{where}/far/t.vtr")
    for output in ("link.vtr", "%h/../link.vtr"):
        os.makedirs(f"{where}/{os.uname().nodename}", exist_ok=True)
        done = run("run", "-o", f"{where}/{output}", "--", "/bin/true")
        ok(b"another user" in done.stderr and content(f"{where}/far/t.vtr") == before and os.path.islink(f"{where}/link.vtr"),
           f"run -o {output}: a link of another user is not followed", done)
    check_others_files(where)


def check_others_files(where):
    """What another user may not remove is said before the program starts: a file in a folder like /tmp, a link's target."""
    nobody = ["setpriv", "--reuid", str(OTHER), "--regid", str(OTHER), "--clear-groups"]
    if subprocess.run([*nobody, "test", "-x", os.path.abspath(VALTRACE)], check=False).returncode:
        skip("run: files of others")
        return
    with tempfile.TemporaryDirectory() as shared:
        os.chmod(shared, 0o1777)
        put(f"{shared}/roots")
        os.mkdir(f"{shared}/closed")
        put(f"{shared}/closed/roots")
        os.symlink("closed/roots", f"{shared}/link")
        os.lchown(f"{shared}/link", OTHER, OTHER)
        for output in ("roots", "link"):
            done = subprocess.run([*nobody, os.path.abspath(VALTRACE), "run", "-o", f"{shared}/{output}", "--", "/bin/echo", "ran"],
                                  capture_output=True, check=False)
            ok(done.returncode == 125 and not done.stdout and b"ermi" in done.stderr and done.stderr.count(b"\n") == 1,
               f"run -o {output}: a file of another user that stays is refused", done)
        done = subprocess.run([*nobody, os.path.abspath(VALTRACE), "run", "-q", "-o", f"{shared}/new/er/own", "--", "/bin/echo", "ran"],
                              capture_output=True, check=False)
        ok(done.returncode == 0 and not done.stderr and os.path.exists(f"{shared}/new/er/own"), "run: beside it a file of one's own is made", done)


def check_bare(folder):
    where = f"{folder}/bare"
    os.mkdir(where)
    put(f"{where}/target")
    os.symlink("target", f"{where}/out")
    done = subprocess.run(["/bin/true"], env={**os.environ, "LD_PRELOAD": SHIM, "VALTRACE_OUTPUT": f"{where}/out"}, capture_output=True, check=False)
    ok(done.returncode == 0 and os.path.islink(f"{where}/out") and content(f"{where}/target") == b"old" and len(os.listdir(where)) == 2,
       "bare: a link is neither followed nor replaced", done)
    put(f"{where}/t.vtr")
    subprocess.run(["/bin/true"], env={**os.environ, "LD_PRELOAD": SHIM, "VALTRACE_OUTPUT": f"{where}/t.vtr"}, check=False)
    os.symlink("t.vtr", f"{where}/link")
    done = run("pack", f"{where}/link")
    ok(done.returncode == 0 and os.path.islink(f"{where}/link") and sorted(os.listdir(where)) == ["link", "out", "t.vtr", "target"],
       "pack in place: a link stays, its target is packed", done, os.listdir(where))


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name, (command, begin) in writers(folder).items():
            check_link(folder, name, command, begin)
        check_failing(folder)
        check_full(folder)
        check_interrupted(folder)
        check_pipes(folder)
        check_run(folder)
        check_bare(folder)
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
