"""The source lines that a page shows: those around the frames that have most, of files that are at hand when it is
made. A relative name is looked for beside the module of its frame, and nowhere else."""
import base64
import json
import os
import stat
import zlib

AROUND = 5  # lines on each side
CHARS_MAX = 250000  # of packed text
FILE_MAX = 8 << 20  # bytes of a file
LINE_MAX = 300  # characters shown of a line
FRAMES_MAX = 4000
# A recording names files as it likes: others than these are never read.
SUFFIXES = {".c", ".h", ".cc", ".cpp", ".cxx", ".c++", ".hh", ".hpp", ".hxx", ".h++", ".inl", ".ipp", ".tcc", ".i", ".ii",
            ".rs", ".go", ".d", ".zig", ".swift", ".m", ".mm", ".f", ".f90", ".pas", ".py", ".pyx", ".java", ".kt", ".s"}


def weights(tree):
    """By frame: the largest share of a metric that a node of it has, callees included."""
    best = [0.0] * len(tree.places)
    for column in range(len(tree.ends[0][1]) if tree.ends else 0):
        sums = [0] * len(tree.parent)
        for end, values in tree.ends:
            sums[end] += values[column]
        for node in range(len(sums) - 1, 0, -1):
            sums[tree.parent[node]] += sums[node]
        for node in range(1, len(sums)):
            if sums[node] > best[tree.numbers[node]] * sums[0]:
                best[tree.numbers[node]] = sums[node] / sums[0]
    return best


def path_of(file, module):
    """Where a file is looked for; "": nowhere. The C++ library's headers have no suffix."""
    suffix = os.path.splitext(file)[1].lower()
    if suffix not in SUFFIXES and (suffix or "/include/c++/" not in file):
        return ""
    return file if os.path.isabs(file) else os.path.join(os.path.dirname(module), file) if os.path.isabs(module) else ""


def read(path):
    """(lines, when it was changed in ns) of a regular file, or None."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), encoding="utf-8", errors="replace") as file:
            info = os.fstat(file.fileno())
            if stat.S_ISREG(info.st_mode) and info.st_size <= FILE_MAX:
                return file.read().split("\n"), info.st_mtime_ns
    except OSError:
        pass
    return None


class Files:
    """What is at hand, read once."""

    def __init__(self, started):
        self.started, self.known = started, {}

    def get(self, file, module):
        path = path_of(file, module)
        if path not in self.known:
            self.known[path] = read(path) if path else None
        return self.known[path]

    def add(self, found, file, line, module):
        """Puts the lines around a place into `found`."""
        have = self.get(file, module)
        if not have or not 0 < line <= len(have[0]):
            return
        entry = found.setdefault(file, {"changed": have[1] > self.started, "lines": {}})
        for number in range(max(1, line - AROUND), min(len(have[0]), line + AROUND) + 1):
            entry["lines"][number] = have[0][number - 1][:LINE_MAX]


def pack(tree, started):
    """The lines as packed text: JSON, {file: {changed: since the recording, lines: {number: text}}}."""
    files, text = Files(started), ""
    places = {i for i, (file, line, module, _) in enumerate(tree.places) if file and line and files.get(file, module)}
    if not places:
        return ""
    share = weights(tree)
    ranked = sorted(places, key=lambda i: -share[i])[:FRAMES_MAX]
    while ranked:
        found = {}
        for i in ranked:
            files.add(found, *tree.places[i][:3])
        text = base64.b64encode(zlib.compress(json.dumps(found, separators=(",", ":")).encode())).decode()
        if len(text) <= CHARS_MAX:
            return text
        ranked = ranked[:len(ranked) * 2 // 3]
    return text
