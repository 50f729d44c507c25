"""What the screen of `valtrace top` says, and what the report says of the same trace."""
import json
import re
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from valtest import VALTRACE  # noqa: E402


def totals(screen):
    """The totals as the first lines of a screen show them."""
    found = {}
    for name in ("allocations", "frees", "temporary"):
        found[name] = int(re.search(rf"^ {name} +([\d,]+) ", screen, re.M).group(1).replace(",", ""))
    found["live"] = re.search(r"live +(\S+ \S+)  in ([\d,]+) block", screen).group(1, 2)
    found["peak"] = re.search(r"peak +(\S+ \S+)  at", screen).group(1)
    return found


def size(number):
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            return f"{number} B" if unit == "B" else f"{number:.{2 if number < 10 else 1 if number < 100 else 0}f} {unit}"
        number /= 1024
    return None


def of_report(path):
    out = subprocess.run([VALTRACE, "report", "--json", "--by", "function", path], capture_output=True, check=True)
    report = json.loads(out.stdout)
    t = report["totals"]
    return {"allocations": t["allocations"], "frees": t["frees"], "temporary": t["temporary"],
            "live": (size(t["leaked_bytes"]), f"{t['leaked_blocks']:,}"), "peak": size(t["peak_bytes"])}


def rows(screen):
    """The table: by name (live, growth, temporary percent)."""
    found = re.findall(r"^ *(\S+ [KMG]?i?B) +([+-]?\S+ [KMG]?i?B) .*? (\d+)%  (\S+)", screen, re.M)
    return {name: (live, growth, int(percent)) for live, growth, percent, name in found}
