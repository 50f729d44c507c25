#!/usr/bin/python3
"""Attached to and detached from two hundred times, under load: a program that churns on each allocator, and servers. Nothing
crashes or hangs, each trace is whole, no block is handed out twice in it, and the code is what it was. Long."""
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/lib")
sys.path.insert(0, "tests/attach")
from attaching import Attach, Churn  # noqa: E402
from valtest import PROGRAMS, Tap, need, program, vtr  # noqa: E402

CYCLES = int(os.environ.get("VALTEST_CYCLES", "200"))
SETTLED = 10  # cycles, after which nothing is left in a process that was not there before
PORT = 17399
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
PYTHON = """
import json, threading
def work():
    while True:
        json.loads(json.dumps([{"a": list(range(300)), "b": "x" * 2000}] * 20)); bytes(100000)
for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
work()
"""


def left_in(pid):
    """What of valtrace is in a process: mappings of rings, descriptors of its files; and its resident memory in KiB."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/status", encoding="utf-8") as status:
        rings = sum("memfd:valtrace" in line for line in maps)
        resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    names = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            names.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except OSError:
            pass
    return rings, sum("memfd:" in name for name in names), resident


def cycles(pid, folder, alive, most_unknown=None, refused=False):
    """What went wrong. Of what is `refused` the record says so, and that it is not complete."""
    problems, settled = [], None
    for i in range(CYCLES):
        if i == min(CYCLES - 1, SETTLED):
            settled = left_in(pid)
        attach = Attach(pid, os.path.join(folder, "t.vtr"))
        begun = attach.until("is being recorded")
        time.sleep(0.02)
        attach.process.send_signal(signal.SIGINT)
        status = attach.wait()
        if not alive():
            return problems + [f"cycle {i}: it has ended", attach.said]
        if not begun or status:
            problems.append([i, status, attach.said])
            continue
        trace = attach.trace()
        model = vtr.Model(trace)
        if trace.complete == refused or bool(trace.refusals) != refused or model.overwritten or (most_unknown and model.unmatched_frees > most_unknown):
            problems.append([i, trace.complete, model.overwritten, model.unmatched_frees])
    last = left_in(pid)
    print("# left in it:", settled, last, flush=True)
    if last[:2] != settled[:2] or last[2] > settled[2] * 3 // 2 + 8192:
        problems.append(["it grows", settled, last])
    return problems


def check_churn(tap, folder, name, argv, env=None):
    churn = Churn(8, argv=argv, env=env)
    before = churn.code()
    churn.order("g")
    problems = cycles(churn.pid, folder, lambda: churn.process.poll() is None, 8 * 65)
    churn.order("p")
    tap.equal(problems, [], f"{name}: {CYCLES} cycles")
    tap.ok(churn.code() == before, f"{name}: the code is what it was")
    tap.equal(churn.end(), 0, f"{name}: it ends as it would")


def check_process(tap, folder, name, process, pid=None, refused=False):
    problems = cycles(pid or process.pid, folder, lambda: process.poll() is None, refused=refused)
    tap.equal(problems, [], f"{name}: {CYCLES} cycles")


def quiet(*argv, **options):
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


def check_redis(tap, folder):
    if not need(tap, "redis-server", "redis-benchmark"):
        return
    server = quiet("redis-server", "--port", str(PORT), "--save", "")
    while subprocess.run(["redis-cli", "-p", str(PORT), "ping"], capture_output=True, check=False).returncode:
        time.sleep(0.1)
    load = quiet("redis-benchmark", "-p", str(PORT), "-n", "1000000000", "-t", "set,lpush", "-r", "1000")
    check_process(tap, folder, "redis under benchmark", server)
    tap.ok(load.poll() is None, "redis: its clients go on")
    load.kill()
    server.terminate()
    tap.equal(server.wait(), 0, "redis: it ends as it would")


def check_nginx(tap, folder):
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if not os.path.exists(nginx):
        return tap.skip("nginx", "not installed")
    conf = os.path.join(folder, "nginx.conf")
    with open(conf, "w", encoding="utf-8") as file:
        file.write(f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/log; events {{}}\n"
                   f"http {{ access_log off; server {{ listen 127.0.0.1:{PORT}; root {folder}; }} }}\n")
    server = quiet(nginx, "-c", conf)
    client = quiet("sh", "-c", f"while :; do curl -s -o /dev/null http://127.0.0.1:{PORT}/nginx.conf; done", start_new_session=True)
    check_process(tap, folder, "nginx", server)
    os.killpg(client.pid, signal.SIGKILL)
    server.terminate()
    return tap.equal(server.wait(), 0, "nginx: it ends as it would")


def as_user(command):
    """PostgreSQL does not run as root."""
    return ["su", "nobody", "-s", "/bin/sh", "-c", command] if os.geteuid() == 0 else ["sh", "-c", command]


def check_postgres(tap, folder):
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not found or not need(tap, "pgbench"):
        return None if found else tap.skip("postgres", "not installed")
    data, where = os.path.join(folder, "pg"), f"-h {folder}/pg -p {PORT}"
    os.mkdir(data)
    os.chmod(folder, 0o755)
    if os.geteuid() == 0:
        shutil.chown(data, "nobody")
    subprocess.run(as_user(f"cd {data} && {found[-1]}/initdb -D d -A trust"), check=True, capture_output=True)
    server = quiet(*as_user(f"cd {data} && exec {found[-1]}/postgres -D d -p {PORT} -k {data}"))
    while subprocess.run(as_user(f"cd {data} && {found[-1]}/createdb {where} b"), capture_output=True, check=False).returncode:
        time.sleep(0.2)
    subprocess.run(as_user(f"cd {data} && pgbench {where} -i b"), check=True, capture_output=True)
    with open(f"{data}/d/postmaster.pid", encoding="utf-8") as file:
        pid = int(file.readline())
    load = quiet(*as_user(f"cd {data} && while pgbench {where} -C -c 2 -t 20 b; do :; done"), start_new_session=True)
    check_process(tap, folder, "postgres with pgbench", server, pid)
    tap.ok(load.poll() is None, "postgres: its clients have no errors")
    os.killpg(load.pid, signal.SIGKILL)
    os.kill(pid, signal.SIGINT)
    return tap.equal(server.wait(), 0, "postgres: it ends as it would")


def check_python(tap, folder):
    python = quiet(sys.executable, "-c", PYTHON)
    time.sleep(0.5)
    check_process(tap, folder, "python3 with threads", python, refused=True)
    python.kill()
    python.wait()


def check_loading(tap, folder):
    process = subprocess.Popen(program("loading", os.path.join(PROGRAMS, "libloading.so")), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               bufsize=0)
    check_process(tap, folder, "the loader at work", process)
    process.stdin.write(b"x")
    tap.equal(process.stdout.read(1), b"x", "the loader at work: all its threads go on")
    process.stdin.close()
    tap.equal(process.wait(), 0, "the loader at work: it ends as it would")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="valtest-cycles-") as folder:
        check_churn(tap, folder, "glibc", program("churn"))
        for library in ("libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2"):
            path = os.path.join(LIBRARIES, library)
            if os.path.exists(path):
                check_churn(tap, folder, library, program("churn"), dict(os.environ, LD_PRELOAD=path))
            else:
                tap.skip(library, "not installed")
        check_churn(tap, folder, "static jemalloc", program("churn_jemalloc"))
        check_redis(tap, folder)
        check_nginx(tap, folder)
        check_postgres(tap, folder)
        check_python(tap, folder)
        check_loading(tap, folder)
    tap.done()


if __name__ == "__main__":
    main()
