#!/usr/bin/python3
"""Turns what a program allocates into a workload for bench_allocators.

Usage: record_workload.py OUT [COMMAND...]

Records COMMAND (default: sqlite3 filling, indexing and grouping a table) with valtrace and writes
its dump as little-endian 32-bit words: the number of slots, then one word per event. An allocation
is its size times two, into the lowest free slot; a free is the slot times two plus one. What the
program never freed is freed at the end, so that the workload can be repeated. A realloc is an
allocation and a free.
"""
import array
import heapq
import json
import os
import subprocess
import sys
import tempfile

BUILD = os.path.join(os.path.dirname(__file__), "../../..", os.environ.get("BUILD", "build"))
VALTRACE = os.path.join(BUILD, "bin", "valtrace")
SIZE_MAX = 10 << 20  # the largest object of groove
SQL = """
create table t(id integer primary key, name text, v real);
with recursive c(x) as (select 1 union all select x+1 from c where x<20000)
insert into t select x, printf('%.*c', 1 + x*7919 % 60, 'n') || x, x*1.5 from c;
create index i on t(name);
select count(*), sum(length(name)) from t where name like '%n1%';
select substr(name,1,9) k, count(*), avg(v), group_concat(name) from t group by k order by 2;
"""


class Workload:
    def __init__(self):
        self.words, self.slots, self.free_slots, self.slot_cnt = [], {}, [], 0

    def alloc(self, address, size):
        if address in self.slots:
            self.free(address)
        if self.free_slots:
            slot = heapq.heappop(self.free_slots)
        else:
            slot, self.slot_cnt = self.slot_cnt, self.slot_cnt + 1
        self.slots[address] = slot
        self.words.append(min(max(size, 8), SIZE_MAX) << 1)

    def free(self, address):
        slot = self.slots.pop(address, None)
        if slot is None:
            return
        heapq.heappush(self.free_slots, slot)
        self.words.append(slot << 1 | 1)

    def add(self, event):
        if event.get("heap"):
            return
        if event["kind"] in ("free", "realloc"):
            self.free(event["old_address"] if event["kind"] == "realloc" else event["address"])
        if event["kind"] in ("alloc", "realloc") and event["address"]:
            self.alloc(event["address"], event["size"])

    def finish(self):
        for address in list(self.slots):
            self.free(address)


def record(trace, command):
    program = command or ["sqlite3", ":memory:"]
    subprocess.run([VALTRACE, "run", "-q", "--no-symbols", "-o", trace, "--", *program],
                   input=None if command else SQL, text=True, stdout=subprocess.DEVNULL, check=True)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    workload = Workload()
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, "program.vtr")
        record(trace, sys.argv[2:])
        dump = subprocess.Popen([VALTRACE, "dump", "--json", trace], stdout=subprocess.PIPE,
                                text=True)
        for line in dump.stdout:
            if '"kind":"stack"' not in line:
                workload.add(json.loads(line))
        if dump.wait():
            sys.exit("record_workload: valtrace dump failed")
    workload.finish()
    if not workload.words:
        sys.exit("record_workload: nothing was allocated")
    words = array.array("I", [workload.slot_cnt, *workload.words])
    if sys.byteorder == "big":
        words.byteswap()
    with open(sys.argv[1], "wb") as out:
        words.tofile(out)
    print(f"{len(workload.words)} events, at most {workload.slot_cnt} blocks live", file=sys.stderr)


main()
