#!/usr/bin/python3
"""Programs and places that are hostile to a preload: sanitizers, secure mode, static and Go programs, no /proc,
namespaces, little address space, filters. Recorded exactly, or said in one line; never harmed."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, "tests/lib")
import valtest  # noqa: E402
from valtest import MODES, ROOT, VALTRACE, Run, Tap, check, need, program  # noqa: E402

LONG = os.environ.get("VALTEST_LONG")  # every sanitizer of clang, too
SOURCE = os.path.join(ROOT, "tests", "programs", "stages.c")
# A leak is what stages is for, and a report of it would name other addresses each time.
QUIET = {"ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "report_signal_unsafe=0"}
GO = "/usr/lib/go-1.19/bin/go"
GO_SOURCE = 'package main\nimport ("fmt"; "os")\nfunc main() { fmt.Println("go"); os.Exit(6) }\n'


def compiled(folder, name, *command):
    if not shutil.which(command[0]):
        return None
    path = os.path.join(folder, name)
    done = subprocess.run([*command[:1], "-o", path, *command[1:]], capture_output=True, text=True)
    if done.returncode:
        print("#", " ".join(command), done.stderr[-300:].replace("\n", " "))
    return path if done.returncode == 0 else None


def check_sanitizers(tap, folder):
    for compiler in ("gcc", "clang"):
        for kind in ("address", "thread", "undefined")[:3 if LONG or compiler == "gcc" else 1]:
            name = f"{compiler} -fsanitize={kind}"
            path = compiled(folder, f"{compiler}-{kind}", compiler, f"-fsanitize={kind}", "-D_GNU_SOURCE", "-g",
                            SOURCE, "-pthread")
            if not path:
                tap.skip(name, "cannot be built here")
                continue
            # clang links its runtime, and with it malloc, into the executable: nothing to be recorded
            inside = compiler == "clang" and kind != "undefined"
            check(tap, name, [path], env=QUIET, stderr=False, counts=not inside,
                  extra=said_inside if inside else None)


def said_inside(run):
    if run.mode == "run" and b"not recorded: it belongs to a sanitizer" not in run.stderr:
        return [f"not said: {run.stderr!r}"]
    return []


def check_said(tap, name, argv, word, status, stdout, around=()):
    with tempfile.TemporaryDirectory(prefix="valtest-said-") as folder:
        os.chmod(folder, 0o777)
        done = subprocess.run([*around, VALTRACE, "run", "-o", folder + "/x.vtr", *argv], capture_output=True)
    lines = done.stderr.splitlines()
    tap.ok((done.returncode, done.stdout) == (status, stdout), f"{name}: runs", [done])
    tap.ok(len(lines) == 1 and lines[0].startswith(b"valtrace: ") and word in lines[0], f"{name}: said in one line", lines)


def check_unrecordable(tap, folder):
    check_said(tap, "static program", program("static"), b"statically linked", 0, b"hello\n")
    if os.path.exists(GO):
        source = os.path.join(folder, "hello.go")
        with open(source, "w", encoding="utf-8") as file:
            file.write(GO_SOURCE)
        env = dict(os.environ, GOCACHE=folder + "/cache", GO111MODULE="off", HOME=folder)
        subprocess.run([GO, "build", "-o", folder + "/go", source], check=True, env=env, cwd=folder)
        check_said(tap, "Go program", [folder + "/go"], b"Go program", 6, b"go\n")
    else:
        tap.skip("Go program", "no Go compiler")
    if os.getuid() == 0:
        path = shutil.copy(program("hello")[0], folder + "/set-user-id")
        os.chown(path, 65534, 65534)
        os.chmod(path, 0o4755)
        check_said(tap, "set-user-ID program", [path], b"set-user-ID", 0, b"hello\n")
        path = shutil.copy(program("hello")[0], folder + "/capable")
        os.chmod(path, 0o755)
        os.setxattr(path, "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
        nobody = ["setpriv", "--reuid", "65534", "--clear-groups"]
        if works([*nobody, "test", "-r", valtest.SHIM]):
            check_said(tap, "program with file capabilities", [path], b"capabilities", 0, b"hello\n", around=nobody)
        else:
            tap.skip("program with file capabilities", "this folder is closed to others")
    else:
        tap.skip("set-user-ID program", "needs root")


def events_of(run):
    return sum(valtest.vtr.Model(t).event_count for t in run.traces())


def check_same_events(tap, name, argv, around, **options):
    """The same events as without `around`, a command that takes something away: the oracle does not help
    where there is no /proc."""
    plain = Run(argv)
    for mode in MODES:
        usual, run = Run(argv, mode), Run([*around, *argv], mode, **options)
        problems = valtest.count_problems(usual)
        last = [t for t in run.traces() if os.path.basename(t.exe) == os.path.basename(argv[0])][-1]
        if (run.status, run.stdout) != (plain.status, plain.stdout):
            problems.append(f"status {run.status} {run.stdout!r} {run.stderr!r}")
        if run.stderr:
            problems.append(f"stderr {run.stderr!r}")
        if valtest.vtr.Model(last).event_count != valtest.vtr.Model(usual.traces()[-1]).event_count:
            problems.append(f"{last.path}: {valtest.vtr.Model(last).event_count} events, usually "
                            f"{valtest.vtr.Model(usual.traces()[-1]).event_count}")
        tap.ok(not problems, f"{name} [{mode}]", problems)
        usual.remove()
        run.remove()


def without(*mounts):
    """A command that runs its arguments in a mount namespace without these."""
    return ["unshare", "-m", "sh", "-c", "env -u LD_PRELOAD umount -l " + " ".join(mounts) + ' || exit 99; exec "$@"', "sh"]


def check_other_libc(tap, folder):
    """A program for a C library that is neither glibc nor musl (here musl under a strange name) runs, unrecorded, by
    itself and as a child; glibc's loader executed itself is recorded."""
    interpreter = os.path.join(folder, "ld-other.so.1")
    path = compiled(folder, "other-hello", "musl-gcc", "-g", os.path.join(ROOT, "tests", "programs", "hello.c"),
                    f"-Wl,--dynamic-linker={interpreter}")
    if not path:
        tap.skip("program for another libc", "no musl-gcc")
    else:
        shutil.copy("/lib/ld-musl-x86_64.so.1", interpreter)
        check_said(tap, "program for another libc", [path], b"another C library", 0, b"hello\n")
        script = os.path.join(folder, "other-script")
        with open(script, "w", encoding="utf-8") as file:
            file.write(f"#!{path}\n")
        os.chmod(script, 0o755)
        check_said(tap, "script for it", [script], b"another C library", 0, b"hello\n")
        for way in ("execvp", "spawn", "fexecve", "execveat"):
            check_other_child(tap, folder, way, path)
    loader = "/lib64/ld-linux-x86-64.so.2"
    done = subprocess.run([VALTRACE, "run", "-o", folder + "/loader.vtr", loader, *program("hello", 3)], capture_output=True)
    tap.ok((done.returncode, done.stdout, done.stderr.count(b"\n")) == (0, b"hello\n", 1) and b"wrote" in done.stderr,
           "the loader executed itself is recorded", [done])
    trace = valtest.vtr.Trace(folder + "/loader.vtr")
    paths = [m["path"] for m in trace.modules.values()]
    tap.ok(program("hello")[0] in paths, "and the program it loads is a module of its own name", paths)


def check_other_child(tap, folder, way, path):
    child = [path]
    argv = ["sh", "-c", path + "; exit 3"] if way == "execvp" else program("ways", way, *child)
    if way == "spawn":
        argv = ["/usr/bin/python3", "-S", "-E", "-c", f"import os; os.waitpid(os.posix_spawn({path!r}, [{path!r}], os.environ), 0)"]
    plain, run = Run(argv), Run(argv, "shim", env={"LD_PRELOAD": valtest.SHIM, "VALTRACE_OUTPUT": folder + "/c.%p.vtr"})
    tap.equal((run.status, run.stdout, run.stderr), (plain.status, plain.stdout, plain.stderr), f"another libc by {way}: runs")


def check_order(tap):
    """A child's preload that puts an allocator before the shim: exec puts the shim in front again."""
    lib = "/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4"
    if not os.path.exists(lib):
        tap.skip("allocator before the shim", "no tcmalloc")
        return
    argv = ["sh", "-c", f'LD_PRELOAD={lib}:$LD_PRELOAD "$@"; exit $?', "sh", *program("hello", 500)]
    check(tap, "an allocator that a child's preload puts before the shim", argv, counts=False, extra=hello_recorded)


def check_order_said(tap, folder):
    """Where nobody puts it in front, that is said: not of the executable."""
    lib = "/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4"
    if not os.path.exists(lib):
        tap.skip("allocator before the shim, said", "no tcmalloc")
        return
    env = dict(os.environ, LD_PRELOAD=lib + ":" + valtest.SHIM, VALTRACE_OUTPUT=folder + "/before.vtr")
    subprocess.run(program("hello", 500), env=env, check=True, capture_output=True)
    report = subprocess.run([VALTRACE, "report", "--json", folder + "/before.vtr"], capture_output=True, check=True)
    have = json.loads(report.stdout)["completeness"]
    tap.equal((have["complete"], have["allocator_before_shim"], have["allocator_in_executable"]), (False, True, False),
              "an allocator preloaded before the shim is said")


def hello_recorded(run):
    found = [valtest.vtr.Model(t).allocations for t in run.traces() if os.path.basename(t.exe) == "hello"]
    return [] if found and found[0] >= 500 else [f"allocations {found}"]


def works(argv):
    return subprocess.run(argv, stderr=subprocess.DEVNULL, check=False).returncode == 0


def check_places(tap, folder):
    if not works(["unshare", "-m", "true"]):
        tap.skip("no /proc, namespaces", "needs the right to make mount namespaces")
        return
    check_same_events(tap, "no /proc", program("apis", "basic"), without("/proc"))
    done = subprocess.run([*without("/proc"), VALTRACE, "run", "-o", folder + "/noproc.vtr", *program("hello", 2)],
                          capture_output=True)
    tap.ok(done.returncode == 0 and b"wrote" in done.stderr, "no /proc for `valtrace run` itself", [done])
    check(tap, "own process numbers", ["unshare", "-p", "-f", *program("stages")], counts=False, env={"PWD": "/"})
    check(tap, "no /dev/shm", [*without("/dev/shm"), *program("apis", "basic")])
    os.mkdir(folder + "/ro")
    around = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o ro tmpfs {folder}/ro && cd {folder}/ro && exec "$@"', "sh"]
    bare = subprocess.run([*around, "env", f"LD_PRELOAD={valtest.SHIM}", *program("hello")], capture_output=True)
    tap.equal((bare.returncode, bare.stdout), (0, b"hello\n"), "folder that cannot be written: runs")
    tap.ok(bare.stderr.count(b"\n") == 1 and b"not recorded" in bare.stderr, "folder that cannot be written: said", [bare])
    done = subprocess.run([*around, VALTRACE, "run", *program("hello")], capture_output=True)
    tap.ok(done.returncode == 125 and done.stderr.count(b"\n") == 1 and not done.stdout,
           "folder that cannot be written: `valtrace run` starts nothing", [done])


def check_limits(tap):
    """ulimit -v: the shim's wish for address space shrinks with the limit, and the program gets the rest."""
    for kib in (1000000, 300000, 60000, 20000, 12000):
        argv = ["sh", "-c", f"ulimit -v {kib}; exec \"$@\"", "sh", *program("hello", 500)]
        check(tap, f"address space of {kib} KiB", argv, counts=False, stderr=False)
    check(tap, "confined by a filter that the raw system call installs", program("confine", "raw-filter"))


def check_executions(tap, folder):
    deep = folder
    for _ in range(14):
        deep = os.path.join(deep, "long" * 60)
        os.mkdir(deep)
    path = shutil.copy(program("stages")[0], os.path.join(deep, "stages"))
    check(tap, f"path of {len(path)} bytes", [path])
    for way in ("fexecve", "execveat", "spawn-closed"):
        check(tap, way, program("ways", way, *program("hello", 9)))


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="valtest-foreign-")
    os.chmod(folder, 0o777)
    check_sanitizers(tap, folder)
    check_unrecordable(tap, folder)
    check_other_libc(tap, folder)
    check_places(tap, folder)
    check_limits(tap)
    check_order(tap)
    check_order_said(tap, folder)
    check_executions(tap, folder)
    shutil.rmtree(folder, ignore_errors=True)
    tap.done()


main()
