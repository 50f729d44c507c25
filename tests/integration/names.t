#!/usr/bin/env python3
"""Names of threads that the program gave to the kernel: of threads that ended, that still live at the
end or when the process is killed, in a forked child; what an annotation says counts more. In Python and in Redis."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/lib")
from tap import COUNT, ok, skip  # noqa: E402

BUILD = os.environ.get("BUILD", "build")
VALTRACE, SHIM = f"{BUILD}/bin/valtrace", os.path.abspath(f"{BUILD}/lib/libvaltrace.so")

PROGRAM = r"""
#define _GNU_SOURCE
#include "valtrace/annotate.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static void *volatile sink;
static pthread_barrier_t barrier;
static void use(size_t n) { sink = malloc(n); free(sink); }
static void *stay(void *x) { pthread_barrier_wait(&barrier); for (;;) pause(); return x; }
static void *ends(void *x) { use(10); pthread_setname_np(pthread_self(), "it ends"); return x; }
static void *stays(void *x) { use(11); prctl(PR_SET_NAME, "it stays; \"\\x"); return stay(x); }
static void *told(void *x) { vt_thread_name("told"); use(12); prctl(PR_SET_NAME, "the kernel's"); return x ? stay(x) : x; }
static void *nobody(void *x) { use(13); return x; }
static void *late(void *x) { use(14); return stay(x); }
static void *quiet(void *x) { prctl(PR_SET_NAME, "quiet"); prctl(PR_SET_NAME, "a name that is too long"); use(17); return stay(x); }
static void *heir(void *x) { use(18); return stay(x); }
static void *parent(void *x) {
  pthread_t thread;
  use(19);
  pthread_setname_np(pthread_self(), "family");
  pthread_create(&thread, 0, heir, x);
  pthread_join(thread, 0);
  return x;
}
static void *twice(void *x) {
  use(20);
  prctl(PR_SET_NAME, "first");
  syscall(SYS_prctl, PR_SET_NAME, "second");
  pid_t child = fork();
  if (!child) {
    use(22);
    kill(getpid(), SIGKILL);
  }
  waitpid(child, 0, 0);
  return stay(x);
}
static void *undone(void *x) {
  char name[16];
  prctl(PR_GET_NAME, name);
  use(21);
  prctl(PR_SET_NAME, "for a while");
  pthread_setname_np(pthread_self(), name);
  return stay(x);
}
static void vforks(void) {
  pid_t child = vfork();
  if (!child) {
    prctl(PR_SET_NAME, "vforked");
    pthread_setname_np(pthread_self(), "vforked");
    _exit(0);
  }
  waitpid(child, 0, 0);
}
int main(int argc, char **argv) {
  void *(*more[])(void *) = {quiet, parent, twice, undone};
  pthread_t threads[6], others[4];
  pthread_barrier_init(&barrier, 0, 8);
  pthread_create(&threads[0], 0, ends, 0);
  pthread_create(&threads[1], 0, told, 0);
  pthread_create(&threads[2], 0, nobody, 0);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
  pthread_create(&threads[3], 0, stays, 0);
  pthread_create(&threads[4], 0, told, &barrier);
  pthread_create(&threads[5], 0, late, 0);
  for (int i = 0; i < 4; i++) pthread_create(&others[i], 0, more[i], 0);
  pthread_barrier_wait(&barrier);
  pthread_setname_np(threads[5], "named by other");
  vforks();
  pid_t child = fork();
  if (!child) {
    use(15);
    prctl(PR_SET_NAME, "the child");
    vt_marker("in the child");
    if (argc > 1 && !strcmp(argv[1], "kill")) kill(getpid(), SIGKILL);
    _exit(0);
  }
  waitpid(child, 0, 0);
  use(16);
  if (argc > 1 && !strcmp(argv[1], "exec")) execl("/bin/true", "true", (char *)0);
  if (argc > 1) kill(getpid(), SIGKILL);
  return 0;
}
"""
SIZES = {10: "it ends", 11: 'it stays; "\\x', 12: "told", 13: "", 14: "named by other", 16: "",
         17: "a name that is ", 18: "family", 19: "family", 20: "second", 21: ""}


def threads(trace):
    return json.loads(subprocess.run([VALTRACE, "report", "threads", "--json", trace], capture_output=True, check=True).stdout)["threads"]


def names_by_size(trace):
    """The name of each thread, by the size of the block it allocated."""
    names = {t["tid"]: t["name"] for t in threads(trace)}
    lines = subprocess.run([VALTRACE, "dump", "--json", trace], capture_output=True, check=True).stdout.splitlines()
    return {e["size"]: names[e["thread"]] for e in map(json.loads, lines) if e["kind"] == "alloc" and 10 <= e["size"] <= 22}


def check_program(folder, mode, program):
    for argument in ("", "exec", "kill"):
        where = f"{folder}/{mode}{argument}"
        os.mkdir(where)
        run = [VALTRACE, "run", "-q", "-o", f"{where}/t.vtr", "--"] if mode == "run" else []
        subprocess.run([*run, program, *([argument] if argument else [])], check=False, stderr=subprocess.DEVNULL,
                       env=os.environ if run else {**os.environ, "LD_PRELOAD": SHIM, "VALTRACE_OUTPUT": f"{where}/t.vtr"})
        found = [names_by_size(f"{where}/{name}") for name in os.listdir(where)]
        own, child, heir = ([names for names in found if size in names] for size in (10, 15, 22))
        ok(own == [SIZES], f"{mode} {argument}: threads have their names", own, SIZES)
        ok(child == [{15: "the child"}], f"{mode} {argument}: a forked child has its own", child)
        ok(heir == [{22: "second"}], f"{mode} {argument}: a child that a thread with a name forked has that", heir)


PYTHON = """
import ctypes, threading
prctl = ctypes.CDLL(None).prctl
def work(i):
    prctl(15, f"worker {i}".encode(), 0, 0, 0)
    [str(n) * 50 for n in range(1000)]
    if i == 2:
        named.set()
        event.wait()
event, named = threading.Event(), threading.Event()
for i in range(3):
    threading.Thread(target=work, args=(i,), daemon=i == 2).start()
named.wait()
while threading.active_count() > 2:
    pass
"""


def check_python(folder):
    trace = f"{folder}/python.vtr"
    subprocess.run([VALTRACE, "run", "-q", "-o", trace, "--", "/usr/bin/python3", "-S", "-I", "-c", PYTHON], check=True)
    names = [t["name"] for t in threads(trace)]
    ok(sorted(names) == ["", "worker 0", "worker 1", "worker 2"], "python: its workers", names)
    chosen = subprocess.run([VALTRACE, "report", "--thread", "worker 1", "--json", trace], capture_output=True, check=True)
    one = json.loads(chosen.stdout)["totals"]["allocations"]
    ok(one == [t["allocations"] for t in threads(trace) if t["name"] == "worker 1"][0], "python: a worker chosen by its name", one)


def check_redis(folder):
    if not shutil.which("redis-server"):
        return skip("redis-server")
    trace, socket = f"{folder}/redis.vtr", f"{folder}/s"
    server = subprocess.Popen([VALTRACE, "run", "-q", "-o", trace, "--", "redis-server", "--port", "0", "--unixsocket", socket, "--save", ""],
                              stdout=subprocess.DEVNULL)

    def client(*args):
        return subprocess.run(["redis-cli", "-s", socket, *args], capture_output=True, check=False).stdout

    def until(words, *args):
        for _ in range(600):
            if words in client(*args):
                break
            time.sleep(0.1)
    until(b"PONG", "ping")
    client("eval", "for i=1,4000 do redis.call('rpush', 'list', string.rep('x', 200)) end", "0")
    client("unlink", "list")
    until(b"lazyfreed_objects:1", "info", "memory")
    client("shutdown", "nosave")
    server.wait()
    names = {t["name"] for t in threads(trace)}
    ok("bio_lazy_free" in names and "" in names, "redis: the thread that frees has its name, the main one none", names)


def main():
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/p.c", "w", encoding="utf-8") as file:
            file.write(PROGRAM)
        subprocess.run(["gcc", "-O1", "-Iinclude", "-o", f"{folder}/p", f"{folder}/p.c", "-lpthread"], check=True)
        for mode in ("run", "bare"):
            check_program(folder, mode, f"{folder}/p")
        check_python(folder)
        check_redis(folder)
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
