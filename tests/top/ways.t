#!/usr/bin/python3
"""valtrace top on whatever a process can be recorded by: without a collector, through exec, as a sample, out of another
namespace."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/top")
from screen import Screen  # noqa: E402
from shown import of_report, totals  # noqa: E402
from watched import Watched  # noqa: E402
from valtest import HANG_S, SHIM, Tap, VALTRACE, program  # noqa: E402


def check_bare(tap, folder):
    path = os.path.join(folder, "bare.vtr")
    bare = subprocess.Popen(program("watched"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            env=dict(os.environ, LD_PRELOAD=SHIM, VALTRACE_OUTPUT=path))

    def say(line):
        bare.stdin.write(line)
        bare.stdin.flush()
        bare.stdout.readline()

    say(b"700 10\n")
    screen = Screen([VALTRACE, "top", path])
    screen.wait_for("700 blocks", "recording")
    say(b"70 10\n")
    screen.wait_for("770 blocks")
    bare.stdin.close()
    bare.stdout.close()
    bare.wait()
    tap.equal(totals(screen.wait_for("final")), of_report(path), "a trace without a collector, too")
    screen.close()


def check_exec(tap, folder):
    """A shell that executes the program when it is told to: the view by pid goes on with what that executes."""
    path = os.path.join(folder, "exec.vtr")
    shell = subprocess.Popen([VALTRACE, "run", "-q", "-o", path, "--", "bash", "-c", 'echo $$; read -r; exec "$0"', *program("watched")],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pid = int(shell.stdout.readline())
    screen = Screen([VALTRACE, "top", str(pid)])
    screen.wait_for("bash", "recording")
    for command, state in (("stop", "recording paused"), ("start", "recording  ")):
        subprocess.run([VALTRACE, "ctl", str(pid), command], check=True, capture_output=True)
        tap.ok(screen.wait_for(state), f"ctl {command} is seen")
    shell.stdin.write(b"\n900 10\n")
    shell.stdin.flush()
    shell.stdout.readline()
    screen.wait_for("watched ", "900 blocks", "recording")
    shell.stdin.close()
    shell.stdout.close()
    shell.wait()
    tap.equal(totals(screen.wait_for("has ended: these numbers are final")), of_report(path), "on through exec")
    screen.close()


def check_sampled(tap, folder):
    """Figures of a sample are marked, and have their error; what was counted is exact once it is known."""
    path = os.path.join(folder, "sampled.vtr")
    watched = Watched(path, "--sample", "4096")
    watched.say("20000 100")
    screen = Screen([VALTRACE, "top", str(watched.pid)], 110, 24)
    seen = screen.wait_for("grow ", "~: sample of 4.00 KiB")
    tap.ok(re.search(r"allocations +~[\d,]+ .*\n frees +~\d.* live +~\S+ MiB  \+- [\d.]+ KiB in ~[\d,]+ blocks.*\n temporary +~", seen),
           "a sample: estimates are marked", [seen])
    tap.ok(re.search(r"^ *~[\d.]+ MiB +\+[\d.]+ MiB .* [\d.]+ KiB  grow", seen, re.M), "and have an error in the table", [seen])
    watched.end()
    seen = screen.wait_for("final", "has ended")
    want = of_report(path)
    found = re.search(r"allocations +([\d,]+) .*\n frees +([\d,]+) .* live +~(\S+ \S+)  \+-", seen)
    tap.equal(found and (found.group(1), found.group(2), found.group(3)),
              (f"{want['allocations']:,}", f"{want['frees']:,}", want["live"][0]), "then counts are exact")
    screen.close()


def check_namespace(tap, folder):
    """The trace lies in a file system that only the recording has."""
    if os.geteuid() or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        tap.skip("a trace in another mount namespace", "no namespaces here")
        return
    place = os.path.join(folder, "own")
    os.mkdir(place)
    script = f'mount -t tmpfs tmpfs {place} && exec "$0" "$@"'
    watched = Watched(os.path.join(place, "own.vtr"), around=("unshare", "--mount", "sh", "-c", script))
    watched.say("600 10")
    screen = Screen([VALTRACE, "top", str(watched.pid)])
    screen.wait_for("600 blocks", "recording")
    watched.end()
    tap.ok(screen.wait_for("600 blocks", "has ended: these numbers are final") and not os.listdir(place),
           "a trace in another mount namespace")
    screen.close()


def check_attached(tap, folder):
    """A process that nobody records is recorded while it is watched, and left as it was."""
    plain = subprocess.Popen(program("watched"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def say(line):
        plain.stdin.write(line)
        plain.stdin.flush()
        return plain.stdout.readline()

    say(b"50 10\n")
    screen = Screen(["sh", "-c", f'cd {folder} && exec "$0" "$@"', VALTRACE, "top", str(plain.pid)])
    screen.wait_for("is not recorded: attaching")
    for _ in range(100 * HANG_S):
        with open(f"/proc/{plain.pid}/maps", encoding="utf-8") as maps:
            if "libvaltrace" in maps.read():
                break
        say(b"~1\n")  # it is recorded from an allocation on
        time.sleep(0.01)
    say(b"800 10\n")
    seen = screen.wait_for("800 blocks", "attached  ")
    tap.ok("grow" in seen, "a process that is not recorded is attached to", [seen])
    screen.keys("q")
    seen = screen.wait_for("status 0", "wrote ")
    tap.equal(say(b"800 10\n"), b"done\n", "it goes on")
    traces = [name for name in os.listdir(folder) if name.startswith("valtrace.watched.")]
    tap.ok(len(traces) == 1 and traces[0] in "".join(seen.split("\n")), "the trace is there, and is named", [traces, seen])
    plain.stdin.close()
    plain.stdout.close()
    tap.equal(plain.wait(), 0, "and ends as it would")
    screen.close()


tap = Tap()
if not shutil.which("tmux"):
    tap.skip("valtrace top on a screen", "tmux is not installed")
else:
    folder = tempfile.mkdtemp(prefix="valtest-")
    check_bare(tap, folder)
    check_exec(tap, folder)
    check_sampled(tap, folder)
    check_namespace(tap, folder)
    check_attached(tap, folder)
    shutil.rmtree(folder)
tap.done()
