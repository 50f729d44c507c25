#!/usr/bin/env python3
"""Real programs under the checker library: every stack of every malloc and free equals unwinding
without a memo, and samples equal unwinding with all registers and libunwind; output is unchanged."""
import glob
import os
import shutil
import subprocess
import tempfile

BUILD = os.environ.get("BUILD", "build")
CHECKER = os.path.abspath(f"{BUILD}/bin/libvtchecker.so")
SOURCE = b"#include <stdio.h>\n#include <stdlib.h>\nint main(void){puts(\"x\");return 0;}\n"
SQL = ("create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c where x<3000) "
       "insert into t select x, x*7919%1000 from c; select sum(a), max(b) from t; "
       "create index i on t(b); select count(*) from t where b=7;")
PROGRAMS = [
    ("python3", ["-c", "import json,re;print(len(json.dumps([str(i) for i in range(3000)])),"
                 "len(re.findall('a(b|c)*d','abcbd'*500)))"], None),
    ("gcc", ["-O2", "-x", "c", "-c", "-o", "/dev/null", "-"], SOURCE),
    ("git", ["--no-pager", "log", "--stat", "-3"], None),
    ("perl", ["-e", '$h{$_}="x"x($_%50) for 1..5000; print scalar(sort keys %h), "\n"'], None),
    ("sqlite3", [":memory:", SQL], None),
    ("bash", ["-c", "for i in 1 2 3; do echo $i | tr 1 2; done"], None),
    ("node", ["-e", "console.log(JSON.stringify([...Array(2000).keys()]).length)"], None),
]


def run(command, stdin, env):
    done = subprocess.run(command, input=stdin or b"", capture_output=True, env=env, timeout=100)
    return done.returncode, done.stdout


def totals(folder):
    sums, processes = {}, 0
    for path in glob.glob(f"{folder}/*"):
        with open(path, encoding="ascii") as file:
            words = file.read().split()
        processes += 1
        for key, value in zip(words[::2], words[1::2]):
            sums[key] = sums.get(key, 0) + int(value)
    return sums, processes


def main():
    number, failed = 0, 0
    for name, args, stdin in PROGRAMS:
        number += 1
        program = shutil.which(name)
        if not program:
            print(f"ok {number} # SKIP no {name}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            plain = dict(os.environ, PYTHONMALLOC="malloc", PYTHONHASHSEED="0")
            checked = dict(plain, LD_PRELOAD=CHECKER, VTCHECK_OUT=f"{folder}/out", VTCHECK_EVERY="100")
            same = run([program] + args, stdin, plain) == run([program] + args, stdin, checked)
            sums, processes = totals(folder)
        # Generated code may have no frame pointers: node's stacks may be cut, rarely.
        cut_max = sums.get("captures", 0) // 1000 if name == "node" else 0
        good = (same and sums.get("captures", 0) > 100 and sums["truncated"] <= cut_max and
                not sums["memo"] and not sums["full"] and not sums["libunwind"])
        failed += not good
        print(f"{'' if good else 'not '}ok {number} - {name}: {processes} processes, {sums}, same output: {same}",
              flush=True)
    print(f"1..{number}")
    return failed != 0


raise SystemExit(main())
