#!/usr/bin/python3
"""What a sample cannot tell is bounded and not guessed: of what no block was recorded it is said what it is at most, and
no part is more than its whole. Sizes are such that which blocks are recorded is no matter of chance."""
import html
import json
import os
import subprocess
import sys
import tempfile

sys.path[:0] = ["tests/lib", "tools/html"]
sys.dont_write_bytecode = True
import page as page_tool  # noqa: E402
from valtest import SHIM, VALTRACE, Tap  # noqa: E402

# "unseen": 20 blocks of a byte live on, beside blocks of four periods that come and go. "kept": no block of these is
# temporary. "part": all blocks are.
PROGRAM = """
#include <stdlib.h>
void *volatile sink;
int main(int argc, char **argv) {
  (void)argv;
  for (int i = 0; argc > 1 && i < 20; i++) sink = malloc(1);
  for (int i = 0; argc > 2 && i < 50; i++) { sink = malloc(1 << 28); void *volatile one = malloc(1); free(sink); free(one); }
  for (int i = 0; i < (argc > 2 ? 0 : argc > 1 ? 50 : 20000); i++) { sink = malloc(argc > 1 ? 1 << 28 : 8192); free(sink); }
  return 0;
}
"""
PERIOD = 1 << 26
MOST = 7 * PERIOD  # exp(-7) is less than a thousandth


def tell(*args):
    got = subprocess.run([VALTRACE, *args], capture_output=True, text=True, check=False)
    return got.returncode, got.stdout, got.stderr


def record(folder, name, period, seed, *args):
    path = f"{folder}/{name}.vtr"
    env = {"LD_PRELOAD": SHIM, "VALTRACE_OUTPUT": path, "VALTRACE_SAMPLE": str(period), "VALTRACE_SAMPLE_SEED": str(seed)}
    subprocess.run([f"{folder}/p", *args], env={**os.environ, **env}, check=True)
    return path


def check_unseen(tap, folder):
    path = record(folder, "unseen", PERIOD, 1, "20")
    totals = json.loads(tell("report", "--json", path)[1])["totals"]
    tap.equal([totals["leaked_blocks"], totals["at_most"]["leaked_bytes"], totals["at_most"]["leaked_blocks"]], [0, MOST, 70],
              "nothing that lives was recorded: bytes are bounded by the period, blocks by what was counted")
    line = next(line for line in tell("report", path)[1].split("\n") if line.startswith("  live "))
    tap.ok("≤ 448 MiB" in line and "≈ 0" not in line, "the report says so", [line])
    for limit, wanted in ((MOST, 0), (MOST - 1, 1)):
        status, out, err = tell("check-budget", "--json", "--max-live", str(limit), path)
        undecided = [(e["limit"], e["value_at_most"]) for e in json.loads(out)["undecided"]]
        tap.equal([status, undecided, "≤ 448 MiB" in err], [wanted, [("live bytes", MOST)] * wanted, bool(wanted)], f"check-budget --max-live {limit}")
    line = next(line for line in tell("diff", path, path)[1].split("\n") if line.startswith("  live "))
    tap.ok(line.count("≤ 448 MiB") == 2 and "not known" in line, "a comparison knows no change of it", [line])
    totals = json.loads(tell("diff", "--json", path, path)[1])["totals"]
    tap.equal([totals[f"at_most_{side}"]["leaked_bytes"] for side in ("before", "after")], [MOST] * 2, "nor does its JSON, which has the bounds")
    tap.ok("none of a recorded block" in tell("report", "leaks", path)[1], "nor does a view say that there is none")
    check_page(tap, folder, path)


def check_kept(tap, folder):
    path = record(folder, "kept", PERIOD, 1, "20", "kept")
    line = next(line for line in tell("report", path)[1].split("\n") if line.startswith("  temporary "))
    tap.ok("≤ 120 " in line and "≈ 0" not in line, "no recorded block is temporary: no more are than were counted", [line])


def check_page(tap, folder, path):
    data = json.loads(tell("html", "--json", path)[1])
    assert tell("html", path, "-o", f"{folder}/x.html")[0] == 0
    with open(f"{folder}/x.html", encoding="utf-8") as file:
        text = file.read()
    plain = page_tool.plain_page(data, page_tool.unpack(data))
    tap.ok(plain in text and "≤ 448 MiB" in html.unescape(plain), "the page says so without scripts", [plain])


def check_part(tap, folder):
    """A part that is estimated is not compared with a whole that was counted. Half of all samples estimate too many."""
    for seed in range(1, 41):
        path = record(folder, "part", 1 << 18, seed)
        totals = json.loads(tell("report", "--json", path)[1])["totals"]
        if totals["temporary"] > totals["allocations"]:
            break
    tap.ok(totals["temporary"] > totals["allocations"] >= totals["at_most"]["temporary"], "a sample has more temporary blocks than there were blocks", [totals])
    text = " ".join(tell("report", path)[1].split())
    tap.ok("≈ 100.0 % of all allocations" in text and "(100.0 % of all)" in text, "they are all, and not more than all; in the finding, too", [text])
    tap.equal([tell("check-budget", "--max-temporary", limit, path)[0] for limit in ("100", "50")], [0, 1], "nor does a gate think so")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["gcc", "-O0", "-g", "-x", "c", "-o", f"{folder}/p", "-"], input=PROGRAM.encode(), check=True)
        check_unseen(tap, folder)
        check_kept(tap, folder)
        check_part(tap, folder)
    tap.done()


main()
