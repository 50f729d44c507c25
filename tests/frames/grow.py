"""Keeps blocks made at known lines, and prints which live blocks tracemalloc sees from each of its own lines."""
import os, sys, tracemalloc
tracemalloc.start()
class Item:
    def __init__(self, n):
        self.name = "item %d" % n
        self.parts = [n] * 10
def load(count):
    rows = []
    for n in range(count):
        rows.append({"id": n, "text": str(n) * 3})
    return rows
kept = load(2000)
items = [Item(n) for n in range(1000)]
text = b"x" * 100000
table = {i: (i, i + 1000) for i in range(3000)}
snapshot = tracemalloc.take_snapshot()
for s in snapshot.statistics("lineno"):
    if s.traceback[0].filename == __file__:
        print(s.traceback[0].lineno, s.size, s.count)
sys.stdout.flush()
os._exit(0)
