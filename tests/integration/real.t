#!/usr/bin/python3
"""Programs nobody wrote for us: same output, same status, every event of every process image.

VALTEST_LONG adds the slow ones."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, "tests/lib")
from valtest import Tap, check, need  # noqa: E402

LONG = os.environ.get("VALTEST_LONG")
PYTHON = "/usr/bin/python3"
CODE = ("import json, re, threading, subprocess\n"
        f"data = [{{'k%d' % i: [i] * (i % 9), 's': 'x' * i}} for i in range({300 if LONG else 60})]\n"
        "text = json.dumps(data)\n"
        "print(len(text), json.loads(text) == data, len(re.findall(r'\\d+', text)))\n"
        "t = [threading.Thread(target=lambda: json.loads(text)) for _ in range(3)]\n"
        "[x.start() for x in t]; [x.join() for x in t]\n"
        "print(subprocess.run(['echo', 'child'], capture_output=True).stdout)\n")
SQL = ("create table t(a integer primary key, b text, c real);"
       "with recursive n(i) as (select 1 union all select i+1 from n where i<3000) "
       "insert into t select i, 'row '||i, i*1.5 from n;"
       "create index x on t(b); select count(*), sum(c), max(b) from t where b like 'row 1%';")
NODE = ("const a=[];for(let i=0;i<20000;i++)a.push({i,s:'x'+i});"
        "console.log(JSON.stringify(a).length);require('fs').readdirSync('/').length")


def sources(folder):
    with open(os.path.join(folder, "a.c"), "w", encoding="utf-8") as file:
        file.write("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
                   "int main(void) { char *p = strdup(\"hi\"); puts(p); free(p); return 0; }\n")
    with open(os.path.join(folder, "a.cc"), "w", encoding="utf-8") as file:
        file.write("#include <map>\n#include <string>\nint main() { std::map<std::string, int> m; "
                   "m[\"x\"]++; return m.size() - 1; }\n")


def compilers(tap, folder):
    if need(tap, "gcc"):
        check(tap, "gcc with cc1, as, collect2", ["gcc", "-O1", "-o", f"{folder}/a", f"{folder}/a.c"])
    if LONG and need(tap, "g++"):
        check(tap, "g++", ["g++", "-O1", "-S", "-o", f"{folder}/a.s", f"{folder}/a.cc"])
    if LONG and need(tap, "clang"):
        check(tap, "clang", ["clang", "-O1", "-o", f"{folder}/b", f"{folder}/a.c"])
    if LONG and need(tap, "make"):
        with open(f"{folder}/Makefile", "w", encoding="utf-8") as file:
            file.write("all:\n\t@for i in 1 2 3; do gcc -c -o $$i.o a.c && echo $$i; done\n")
        check(tap, "make", ["make", "-C", folder, "--no-print-directory"])


def git(tap, folder):
    if not need(tap, "git"):
        return
    subprocess.run("git init -q r && cd r && git config user.email a@b && git config user.name a && "
                   "for i in 1 2 3 4 5; do echo $i >f$i; git add . ; git commit -qm m$i; done",
                   shell=True, cwd=folder, check=True)
    repository = os.path.join(folder, "r")
    check(tap, "git log", ["git", "--no-pager", "log", "--stat", "--format=%s"], cwd=repository)
    check(tap, "git in a shell", ["sh", "-c", "git status --short; git grep 3; git diff HEAD~2"], cwd=repository)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def redis_session(port):
    """Talks to the server the run has just started, then shuts it down."""
    def live(run):
        for _ in range(500):
            try:
                connection = socket.create_connection(("127.0.0.1", port))
                break
            except OSError:
                time.sleep(0.05)
                if run.process.poll() is not None:
                    return
        file = connection.makefile("rwb")
        for i in range(2000 if LONG else 400):
            file.write(b"SET key:%d %s\r\n" % (i % 300, b"v" * (i % 500)))
        file.write(b"DBSIZE\r\nSHUTDOWN NOSAVE\r\n")
        file.flush()
        file.read()
        connection.close()
    return live


def redis(tap, folder):
    if not need(tap, "redis-server"):
        return
    port = free_port()
    check(tap, "redis-server on its jemalloc",
          ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
           "--dir", folder, "--logfile", "/dev/null", "--maxmemory", "64mb"], live=redis_session(port))


def others(tap):
    for name, argv in {
            "tclsh": ["tclsh"], "awk": ["awk", "BEGIN{for(i=0;i<9999;i++)a[i]=i \"x\"; print length(a)}"],
            "gawk": ["gawk", "BEGIN{for(i=0;i<9999;i++)a[i]=i \"x\"; print length(a)}"],
            "lua5.4": ["lua5.4", "-e", "t={} for i=1,9999 do t[i]='x'..i end print(#table.concat(t))"],
            "ruby": ["ruby", "-e", "puts (1..5000).map{|i| \"x#{i}\"}.join.size"],
            "openssl": ["openssl", "dgst", "-sha256", "/etc/passwd"], "find": ["find", "/etc", "-maxdepth", "1"],
            "sort": ["sort", "-r", "/etc/passwd"], "xz": ["xz", "-9", "-c", "/etc/passwd"],
            "jq": ["jq", "-n", "[range(2000)]|add"], "gdb": ["gdb", "-q", "-batch", "-ex", "p 1+1"],
            "vim": ["vim", "-es", "-u", "NONE", "-c", "echo 1", "-c", "q"]}.items():
        if need(tap, name):
            check(tap, name, argv)


def main():
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="valtest-real-")
    sources(folder)
    check(tap, "bash", ["bash", "-c", "for i in {1..300}; do a[$i]=$(( i * i )); done; echo ${a[@]} | wc -c; "
                        "echo $(echo sub) | cat; f() { local x=$1; echo ${x//a/b}; }; f banana; exit 7"])
    check(tap, "python3", [PYTHON, "-c", CODE], env={"PYTHONHASHSEED": "1"})
    check(tap, "python3 on malloc", [PYTHON, "-c", CODE], env={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "1"})
    check(tap, "perl", ["perl", "-e", "my %h; $h{$_ % 97} .= $_ for 1..5000; print length join(',', %h), \"\\n\"; "
                        "print `echo child`; exit 3"], env={"PERL_HASH_SEED": "0"})
    git(tap, folder)
    compilers(tap, folder)
    if need(tap, "sqlite3"):
        check(tap, "sqlite3", ["sqlite3", ":memory:", SQL])
    redis(tap, folder)
    if LONG:
        if need(tap, "node"):
            check(tap, "node", ["node", "-e", NODE])
        others(tap)
    shutil.rmtree(folder, ignore_errors=True)
    tap.done()


main()
