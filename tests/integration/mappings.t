#!/usr/bin/python3
"""What a program maps by calls of its own is recorded as it happened, with the stack of each call."""
import json
import subprocess
import sys

sys.path.insert(0, "tests/lib")
from valtest import BUILD, MODES, Run, Tap, VALTRACE, program, vtr  # noqa: E402

NUMBERS = (3, 4, 5, 6)


def said(run):
    lines = [line.split() for line in run.stdout.decode().splitlines()]
    return [tuple(int(w, 0) if i in NUMBERS else w for i, w in enumerate(line)) for line in lines]


def places_of(trace, mapping):
    stack = trace.stack(mapping.stack)
    return [trace.locate(stack[0], pc) for pc in reversed(stack[1:])]


def of_program(trace):
    """The counting oracle, another library, maps memory too."""
    return [m for m in trace.mappings if places_of(trace, m)[0][0]["path"].endswith("/mappings")]


def functions(trace, mapping):
    """Names of the program's own functions on the stack, innermost first."""
    places = places_of(trace, mapping)
    own = [offset for module, offset in places if module and module["path"].endswith("/mappings")]
    out = subprocess.run(["addr2line", "-f", "-e", f"{BUILD}/programs/mappings", *map(hex, own)],
                         capture_output=True, text=True, check=True).stdout
    return out.splitlines()[::2]


def recorded(trace):
    return [(m.op, m.api, functions(trace, m)[0], m.address, m.size, m.old_address, m.old_size, m.file or "-")
            for m in of_program(trace)]


def mapped_by(trace):
    """Bytes of pages mapped at the end, by a table of all of them; the break moves by whole pages here,
    and the counting oracle, whose malloc is the next one, is the allocator."""
    pages = {}
    for m in trace.mappings:
        first, cnt = m.address >> 12, (m.size + 4095) >> 12
        if m.op == "remap":
            for page in range(m.old_address >> 12, (m.old_address + m.old_size + 4095) >> 12):
                pages.pop(page, None)
        if m.api == "shmdt":
            cnt = 3
        for page in range(first, first + cnt):
            pages.pop(page, None)
            if m.op != "unmap" and (m.prot or m.op == "remap") and not m.flags & 1:
                pages[page] = 1
    return 4096 * len(pages)


def dumped(path):
    """The mappings in `valtrace dump --json`, if its lines are in order of time."""
    lines = [json.loads(line) for line in subprocess.run([VALTRACE, "dump", "--json", path], capture_output=True,
                                                         check=True).stdout.splitlines()]
    times = [line["t_ns"] for line in lines if "t_ns" in line]
    return times == sorted(times) and [(line["kind"], line["api"], line["address"], line["size"], line["file"], line["thread"])
                                       for line in lines if line["kind"] in ("map", "unmap", "remap")]


def main():
    tap = Tap()
    for mode in MODES:
        run = Run(program("mappings"), mode)
        trace = run.main_trace()
        tap.equal(recorded(trace), said(run), f"every change of the address space [{mode}]")
        tap.equal({functions(trace, m)[-1] for m in of_program(trace)}, {"_start"}, f"stacks are whole [{mode}]")
        begun = [m.begun <= m.time for m in trace.mappings]
        tap.ok(all(begun) and trace.mappings == sorted(trace.mappings), f"times are in order [{mode}]")
        tap.equal((trace.lost, trace.errors, vtr.Model(trace).unmatched_frees), (0, [], 0), f"the rest is whole [{mode}]")
        report = subprocess.run([VALTRACE, "report", "--json", run.trace_path if mode == "run" else trace.path],
                                capture_output=True, check=True).stdout
        tap.equal(json.loads(report)["totals"]["mapped_bytes"], mapped_by(trace), f"mapped_bytes [{mode}]")
        view = json.loads(subprocess.run([VALTRACE, "report", "mappings", "--json", trace.path], capture_output=True,
                                         check=True).stdout)["mappings"]
        own = [site for site in view if site["stack"] and not site["by_allocator"]]
        tap.equal((sum(s["end_bytes"] - s["reserved_bytes"] for s in own), sum(s["calls"] for s in own)),
                  (mapped_by(trace), sum(m.op != "unmap" for m in of_program(trace))), f"the view adds up to it [{mode}]")
        tap.equal({s["stack"][0]["function"] for s in own}, {name for op, _, name, *_ in said(run) if op != "unmap"},
                  f"its sites are the functions that map [{mode}]")
        tap.equal(dumped(trace.path), [(m.op, m.api, m.address, m.size, m.file, m.tid) for m in trace.mappings],
                  f"dump shows them in order, between the events [{mode}]")
        run.remove()
    off = Run(program("mappings"), MODES[0], env={"VALTRACE_NO_MAPPINGS": "1"})
    tap.equal(off.main_trace().mappings, [], "VALTRACE_NO_MAPPINGS: none")
    tap.ok(off.main_trace().ended or off.status == 0, "and the program is the same")
    if "run" in MODES:
        none = Run(program("mappings"), "run", options=["--no-mappings"])
        tap.equal(none.main_trace().mappings, [], "--no-mappings: none")
    tap.done()


main()
