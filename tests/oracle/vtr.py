"""An independent reader of .vtr traces, and a naive model of the heap on top of it.

Written from docs/trace-format.md alone, to be compared with the C reader: slow, plain, standard
library only (zstd through libzstd by ctypes). `Trace(path)` reads a raw or a packed file;
`Trace.events()` yields events in time order; `Model(trace)` computes totals, leaks, peak and
temporary allocations the way the command line contract defines them.
"""
import collections
import ctypes
import ctypes.util
import fcntl
import heapq
import json
import math
import os
import struct
import subprocess
import sys

MAGIC = b"\x89VTR\r\n\x1a\n"
CHUNK_MAGIC = b"VTCK"
SEGMENT_SZ = 65536
SAMPLED, POOLS, DELETES = 1, 2, 4  # required feature bits
(EVENTS, SEGMENT, STACKS, MODULE, MODULE_UNLOAD, PROCESS, CLOCK, MEMORY, MARKER, THREAD, HEAP,
 HEAP_OP, SYMBOLS, LEAKS, PAGES, COUNTERS, IMAGE, END, MAPPING,
 SNAPSHOT, VFRAMES, JIT, PATCHED) = range(1, 24)
LEAKS_AT, SUMMARY = 25, 26
NONE = None
ALLOC, FREE, INTENT, DONE, ALIGNED, HEAP_ALLOC, HEAP_FREE, HEAP_FREE_INTERIOR, DELETE = (
    1, 2, 3, 4, 5, 10, 11, 12, 13)
F_OFD_GETLK = 36  # linux/fcntl.h
COUNTER_NAMES = {1: "lost", 2: "truncated", 3: "general_unwinds", 4: "events", 5: "shim_bytes",
                 6: "shim_ns", 7: "allocator_in_executable", 8: "unwind_differences",
                 9: "unwind_checked", 10: "nested_lost", 11: "cut", 12: "before_start",
                 13: "libunwind_differences", 14: "segments", 15: "stopped", 16: "stopped_tick",
                 17: "peak_resident", 18: "file_inode", 19: "file_born_ns", 20: "file_device", 21: "peak_certain",
                 22: "new_before", 23: "allocations", 24: "allocated_bytes", 25: "frees", 26: "reallocs"}
PROCESS_KINDS = {1: "started", 2: "forked", 3: "exec", 4: "exec-failed", 5: "exit", 6: "signal",
                 7: "killed", 8: "stopped", 9: "attached", 10: "detached", 11: "paused", 12: "resumed"}
MASK = (1 << 64) - 1
P1, P2, P3, P4, P5 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9,
                      0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)

Heap = collections.namedtuple("Heap", "time op number kind parent uuid base name")
HEAP_OPS = {1: "create", 2: "attach", 3: "detach", 4: "delete"}
MAPPING_OPS = {1: "map", 2: "unmap", 3: "remap"}
MAPPING_APIS = dict(enumerate(("mmap", "munmap", "mremap", "shmat", "shmdt", "sbrk", "brk")))
Mapping = collections.namedtuple("Mapping", "time begun op api tid flags address size old_address old_size "
                                            "prot map_flags offset file stack")
LEAK_KINDS = ("unknown", "reachable", "possible", "indirect", "definite")
Leaks = collections.namedtuple("Leaks", "kind flags why blocks roots")  # blocks: {address: (kind, holder)}
Pages = collections.namedtuple("Pages", "time end kind areas")
Area = collections.namedtuple("Area", "start end flags name resident anonymous swapped runs")


class Code:
    """What virtual addresses of one code stand for ("VFRAMES" in the format document)."""

    def __init__(self, language, table, first_line, name, qualname, file):
        self.language, self.table, self.first_line = language, table, first_line
        self.name, self.qualname, self.file, self.lines = name, qualname, file, b""

    def line(self, position):
        """The source line of a code unit; None is the moment before the first."""
        return self.first_line if position is None else (self.stepped, self.ranged, self.located)[self.table - 1](position)

    def stepped(self, position):
        at, line = 0, self.first_line
        for bytes_, lines in zip(self.lines[::2], self.lines[1::2]):
            at += bytes_
            if at > 2 * position:
                break
            line += lines - 256 if lines > 127 else lines
        return line

    def ranged(self, position):
        at, line = 0, self.first_line
        for bytes_, lines in zip(self.lines[::2], self.lines[1::2]):
            line += 0 if lines == 128 else lines - 256 if lines > 127 else lines
            at += bytes_
            if at > 2 * position:
                return 0 if lines == 128 else line
        return 0

    def located(self, position):
        c, at, line = Cursor(self.lines), 0, self.first_line

        def number():
            value = shift = 0
            while True:
                byte = c.take(1)[0]
                value |= (byte & 63) << shift
                shift += 6
                if not byte & 64:
                    return value

        while c.at < len(self.lines):
            head = c.take(1)[0]
            form = head >> 3 & 15
            if form in (13, 14):
                step = number()
                line += -(step >> 1) if step & 1 else step >> 1
            elif 10 <= form <= 12:
                line += form - 10
            at += (head & 7) + 1
            if form == 14:
                for _i in range(3):
                    number()
            elif form < 13:
                c.take(1 if form < 10 else 2)
            if at > position:
                return 0 if form == 15 else line
        return 0


class Event(collections.namedtuple("Event", "tick tid number kind api address size align stack heap tag alone", defaults=(0,))):
    """number: of the thread in its image, 0 where the writer had none; tids are given out again."""
    __slots__ = ()

    @property
    def thread(self):
        return self.tid, self.number


class BadTrace(Exception):
    pass


def rotl(value, bits):
    return ((value << bits) | (value >> (64 - bits))) & MASK


def xxh_round(acc, lane):
    return rotl((acc + lane * P2) & MASK, 31) * P1 & MASK


def xxh_lanes(acc, lanes):
    """xxh_round for one after the other, written out: this is where the time goes."""
    for lane in lanes:
        acc = acc + lane * P2 & MASK
        acc = ((acc << 31) | (acc >> 33)) * P1 & MASK
    return acc


def xxh64(data):
    """XXH64 with seed 0, from the xxHash specification."""
    size, at = len(data), 0
    if size >= 32:
        at = size & ~31
        lanes = struct.unpack_from(f"<{at // 8}Q", data)
        acc = [xxh_lanes(start, lanes[i::4]) for i, start in enumerate(((P1 + P2) & MASK, P2, 0, -P1 & MASK))]
        h = (rotl(acc[0], 1) + rotl(acc[1], 7) + rotl(acc[2], 12) + rotl(acc[3], 18)) & MASK
        for a in acc:
            h = ((h ^ xxh_round(0, a)) * P1 + P4) & MASK
    else:
        h = P5
    h = (h + size) & MASK
    while at + 8 <= size:
        lane = struct.unpack_from("<Q", data, at)[0]
        h = (rotl(h ^ xxh_round(0, lane), 27) * P1 + P4) & MASK
        at += 8
    if at + 4 <= size:
        h = (rotl(h ^ struct.unpack_from("<I", data, at)[0] * P1 & MASK, 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        h = rotl(h ^ byte * P5 & MASK, 11) * P1 & MASK
    h = (h ^ h >> 33) * P2 & MASK
    h = (h ^ h >> 29) * P3 & MASK
    return h ^ h >> 32


def load_zstd():
    lib = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    lib.ZSTD_getFrameContentSize.restype = ctypes.c_ulonglong
    lib.ZSTD_decompress.restype = ctypes.c_size_t
    lib.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    return lib


def unzstd(data, limit=1 << 30):
    lib = load_zstd()
    size = lib.ZSTD_getFrameContentSize(ctypes.c_char_p(data), ctypes.c_size_t(len(data)))
    if size > limit:
        raise BadTrace("zstd frame states no or too large a content size")
    out = ctypes.create_string_buffer(max(size, 1))
    got = lib.ZSTD_decompress(out, size, data, len(data))
    if got != size:
        raise BadTrace("zstd frame does not decompress")
    return out.raw[:size]


class Cursor:
    """Reads little-endian fields one after the other."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, size):
        if self.at + size > len(self.data):
            raise BadTrace("a field goes past the end of its chunk")
        self.at += size
        return self.data[self.at - size:self.at]

    def u16(self):
        return struct.unpack("<H", self.take(2))[0]

    def u32(self):
        return struct.unpack("<I", self.take(4))[0]

    def u64(self):
        return struct.unpack("<Q", self.take(8))[0]

    def string(self):
        return bytes(self.take(self.u32()))

    def text(self):
        return self.string().decode("utf-8", "replace")

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value & MASK

    def zigzag(self):
        value = self.varint()
        return (value >> 1) ^ -(value & 1)


def read_data(path):
    """The file up to its last byte that was ever written: raw traces are preallocated, with holes."""
    with open(path, "rb") as file:
        end, hole = os.fstat(file.fileno()).st_size, 0
        while hole < end:
            try:
                data = os.lseek(file.fileno(), hole, os.SEEK_DATA)
            except OSError:
                end = hole
                break
            hole = os.lseek(file.fileno(), data, os.SEEK_HOLE)
        file.seek(0)
        return file.read(end)


class Guess:
    """The model by which packed events are predicted ("The model" in the format document)."""

    def __init__(self, column):
        self.column = column
        self.after_two, self.after_one, self.site = {}, {}, {}
        self.free_list = collections.defaultdict(list)  # class -> releases, latest last
        self.allocs, self.releases = [], []  # [address, class, older, newer, released], [address, used]
        self.newest = self.beside = NONE
        self.previous = self.before = 0
        self.intent = None  # (size, address, allocation) of the INTENT just before
        self.last_address = self.last_end = self.last_free = 0
        self.pool_last, self.pool_free = collections.Counter(), collections.Counter()
        self.api = self.site_stack = 0  # of the event being decoded
        self.says, self.after_intent = {}, 0  # slot -> [size, changes]

    @staticmethod
    def slot(a, b):
        return ((a * 0x9E3779B1 & 0xffffffff) ^ (b * 0x85EBCA77 & 0xffffffff)) >> 19

    @staticmethod
    def units(size):
        return max(2, (size + 23 & MASK) >> 4)

    def size_class(self, size):
        units = self.units(size)
        return units if units < 512 else 1

    @property
    def pooled(self):
        """Whether the differences of the event's address are in POOL."""
        return self.api == 15 and 11 in self.column

    @property
    def differences(self):
        return self.column[11 if self.pooled else 6]

    def difference(self, base):
        value = self.differences.varint()
        z = self.differences.varint() if value == 1 else value << 4 & MASK
        return (base + ((z >> 1) ^ -(z & 1))) & MASK

    def alloc_base(self, size):
        return self.pool_last[self.pool(size)] if self.pooled else self.last_address

    @staticmethod
    def pool(size):
        return (size + 15) // 16 if size <= 512 else 0

    def event(self, code, tick, tid, number):
        two, one = self.slot(self.previous, self.before + 1), self.slot(self.previous, 0)
        stack = (self.after_two.get(two, 0), self.after_one.get(one, 0))[code & 3] if code & 3 < 2 \
            else self.column[5].varint() & 0xffffffff
        self.after_intent = int(self.intent is not None)
        site = self.site.setdefault(self.slot(stack, self.after_intent), [0, 0])
        if code & 4:
            site[0] = self.column[3].take(1)[0]
        kind, api, size, align = site[0] & 15, site[0] >> 4, 0, 0
        if kind in (ALLOC, ALIGNED, INTENT, DONE, HEAP_ALLOC):
            if code & 8:
                size = self.column[4].varint()
            else:
                size = self.intent[0] if self.intent and kind == DONE else site[1]
            site[1] = size
        if kind in (ALIGNED, HEAP_ALLOC):
            align = self.column[7].varint()
        kind = ALLOC if kind == ALIGNED else kind
        self.api, self.site_stack = api, stack
        address, heap, tag = self.address(kind, size, code >> 4 & 3)
        self.after_two[two] = self.after_one[one] = stack
        self.before, self.previous = self.previous, stack
        return Event(tick, tid, number, kind, api, address, size, align, None if kind == DONE else stack, heap, tag)

    def told(self, event, code, entry):
        """The FREE with what operator delete was told."""
        site = self.says.setdefault(self.slot(event.stack or 0, self.after_intent), [0, 0])
        size, align = entry or (site[0] if code >> 4 & 3 == 3 and site[1] < 32 else 0, 0)
        if entry and code >> 4 & 3 == 3 and not align and size < 1 << 32:
            site[:] = [size, site[1] + 1]
        return event._replace(size=size, align=align)

    def address(self, kind, size, mode):
        """(address, heap, tag) of an event; notes what happened to blocks."""
        intent, self.intent = self.intent, None
        if kind >= HEAP_ALLOC:
            heap, address = self.column[8].varint(), self.column[8].varint()
            return address, heap, self.column[8].varint() if kind == HEAP_ALLOC else 0
        if kind == ALLOC or kind == DONE and not intent:
            return self.fresh(size, mode, 0), None, 0
        if kind == FREE:
            address, alloc = self.release(mode)
            self.released(address, alloc)
            return address, None, 0
        if kind == INTENT:
            address, alloc = self.release(mode)
            self.intent = (size, address, alloc)
            return address, None, 0
        if kind != DONE:
            raise BadTrace(f"event kind {kind}")
        return self.done(size, mode, intent), None, 0

    def done(self, size, mode, intent):
        _size, old, alloc = intent
        if mode == 0:
            if alloc is not NONE:
                self.allocs[alloc][1] = self.size_class(size)
            return old
        if mode == 3:
            at = self.differences.at
            if self.difference(self.alloc_base(size)) == 0:
                if not size:
                    self.released(old, alloc)
                return 0
            self.differences.at = at
        address = self.fresh(size, mode, 1)
        self.released(old, alloc)
        return address

    def release(self, mode):
        """(address, allocation or NONE) of the block that is freed or resized."""
        if mode == 3 and self.pooled:
            slot = self.slot(self.site_stack, 0)
            self.pool_free[slot] = self.difference(self.pool_free[slot])
            return self.pool_free[slot], NONE
        if mode == 3:
            self.last_free = self.difference(self.last_free)
            return self.last_free, NONE
        index = (self.newest, self.beside)[mode] if mode < 2 else len(self.allocs) - 1 - self.column[6].varint()
        if index is NONE or index < 0 or self.allocs[index][4]:
            raise BadTrace("a packed release names no live block")
        return self.allocs[index][0], index

    def fresh(self, size, mode, moved):
        """The address of a new block, which is noted."""
        release = NONE
        if mode == moved:
            waiting = self.free_list[self.size_class(size)]
            while waiting and self.releases[waiting[-1]][1]:
                waiting.pop()
            release = waiting[-1] if waiting else -1
        elif mode == 1:
            address = self.last_end
        elif mode == 2:
            release = len(self.releases) - 1 - self.column[6].varint()
        else:
            address = self.difference(self.alloc_base(size))
        if release is not NONE:
            if release < 0:
                raise BadTrace("a packed allocation names no released block")
            address = self.releases[release][0]
            self.releases[release][1] = True
        if self.newest is not NONE:
            self.allocs[self.newest][3] = len(self.allocs)
        self.allocs.append([address, self.size_class(size), self.newest, NONE, False])
        self.newest = len(self.allocs) - 1
        self.last_address, self.last_end = address, address + (self.units(size) << 4) & MASK
        if self.api == 15:
            self.pool_last[self.pool(size)] = address
        return address

    def released(self, address, index):
        size_class = 0
        if index is not NONE:
            block = self.allocs[index]
            size_class, block[4] = block[1], True
            if block[2] is not NONE:
                self.allocs[block[2]][3] = block[3]
            if block[3] is not NONE:
                self.allocs[block[3]][2] = block[2]
            else:
                self.newest = block[2]
            self.beside = block[3]
        self.free_list[size_class].append(len(self.releases))
        self.releases.append([address, False])


class Trace:
    """A trace in memory. Damage is listed in `errors`, a torn tail's offset is `torn` (or None)."""

    def __init__(self, path, verify=True):
        self.data = read_data(path)
        self.path, self.verify = path, verify
        self.errors, self.torn, self.ended = [], None, False
        self.chunk_cnt = self.next_seq = 0
        self.modules, self.unloads, self.process, self.clocks = {}, {}, [], []
        self.threads, self.markers, self.symbols, self.memory, self.pages = {}, [], {}, [], []
        self.patched, self.heaps, self.mappings, self.snapshots = [], [], [], []
        self.leaks, self.leaks_at, self.summary = None, [], None
        self.codes, self.refusals = {}, []
        self.counters, self.nodes, self.lost = {}, {0: None}, 0
        self.segment_totals = collections.Counter()
        self.jit = []
        self.streams = collections.defaultdict(list)  # thread or writer -> events in its order
        self.states, self.interned = {}, {}
        self.chunk_types = collections.Counter()
        self.read_header()
        self.read_chunks()

    # --- file level

    def read_header(self):
        data = self.data
        if len(data) < 112 or data[:8] != MAGIC:
            raise BadTrace("not a trace")
        (self.min_reader, self.writer, self.header_sz, self.required, self.optional, self.arch,
         self.endian, self.pointer_sz, self.page_sz, self.pid, self.ppid, self.image, self.tick_hz,
         self.start_tick, self.start_unix_ns, self.period, self.flags, self.shift) = struct.unpack_from(
             "<HHIQQHBBIIIQQQQQII", data, 8)
        if self.min_reader > 1 or self.required & ~(SAMPLED | POOLS | DELETES) or bool(self.required & SAMPLED) != bool(self.period):
            raise BadTrace(f"needs reader {self.min_reader}, features {self.required:#x}")
        if self.header_sz > len(data) or self.header_sz % 8 or self.header_sz > 1 << 20:
            raise BadTrace("bad header size")
        if xxh64(data[:self.header_sz - 8]) != struct.unpack_from("<Q", data, self.header_sz - 8)[0]:
            raise BadTrace("header checksum")
        cursor = Cursor(data, 96)
        self.host, self.exe = cursor.text(), cursor.text()
        command = cursor.string()
        self.command = [a.decode("utf-8", "replace") for a in command.split(b"\0")[:-1]]
        self.started = cursor.text() if self.header_sz - 8 - cursor.at >= 4 else ""

    def read_chunks(self):
        at, bad = self.header_sz, None
        while at + 32 <= len(self.data):
            size = self.read_chunk(at)
            if size:
                if bad is not None:
                    self.errors.append(bad)
                    bad = None
                at += size
                continue
            if self.half_begun(at):
                at += SEGMENT_SZ
                continue
            if bad is None and any(self.data[at:at + 32]):
                bad = at
            at = self.next_candidate(at + 8)
        if bad is None and at < len(self.data) and any(self.data[at:]):
            bad = at
        self.torn = bad

    def half_begun(self, at):
        """Whether the process ended while it wrote the header of a segment here, before it counted it."""
        return "segments" in self.counters and at % SEGMENT_SZ == 0 and not any(self.data[at + 32:at + 128])

    def next_candidate(self, at):
        while True:
            at = self.data.find(CHUNK_MAGIC, at)
            if at < 0:
                return len(self.data)
            if at % 8 == 0:
                return at
            at += 1

    def read_chunk(self, at):
        """Size of the valid chunk at `at` including padding, after using it; 0 when there is none."""
        if self.data[at:at + 4] != CHUNK_MAGIC:
            return 0
        kind, flags, size, seq, writer, checksum = struct.unpack_from("<HHQIIQ", self.data, at + 4)
        if size > 1 << 30 or at + 32 + size > len(self.data):
            return 0
        if kind == SEGMENT and size != SEGMENT_SZ - 32:
            return 0
        payload = self.data[at + 32:at + 32 + size]
        is_open = flags & 2 and kind in (SEGMENT, COUNTERS)
        if self.verify and not is_open:
            used = payload
            if kind == SEGMENT:
                used = payload[:96 + struct.unpack_from("<Q", payload, 0)[0]]
            if xxh64(self.data[at:at + 24] + used) != checksum:
                return 0
        if flags & 1:
            payload = unzstd(payload)
        self.chunk_types[kind] += 1
        self.chunk_cnt, self.next_seq = self.chunk_cnt + 1, max(self.next_seq, seq + 1)
        handler = self.HANDLERS.get(kind)
        if handler:
            handler(self, Cursor(payload), writer)
        elif flags & 0x8000:
            raise BadTrace(f"required chunk type {kind} is not known")
        return (32 + size + 7) // 8 * 8

    @property
    def complete(self):
        """Whether everything the process did is here ("Completeness" in the format document)."""
        lost = self.lost or any(self.counters.get(name) for name in ("lost", "nested_lost", "before_start", "stopped",
                                                                     "allocator_in_executable")) or \
            any(not flags & 1 for _, flags, *_ in self.patched) or self.refusals
        if lost or self.errors or self.torn is not None or any(p[1] in ("stopped", "paused") for p in self.process):
            return False
        if not self.optional & 2:
            return self.ended and self.next_seq == self.chunk_cnt
        said_end = any(p[1] in ("exit", "exec") for p in self.process)
        if "segments" in self.counters:
            return self.chunk_types[SEGMENT] >= self.counters["segments"] and (said_end or self.let_go)
        return self.next_seq == self.chunk_cnt and said_end

    @property
    def resumed(self):
        """When each stretch that is left out was over, in ticks; one that lasts to the end is never."""
        out, lasts = [], False
        for time, kind, value, _ in self.process:
            if kind == "paused" and not lasts:
                lasts, size = True, value == 3
            elif kind == "resumed" and lasts and not size:
                out.append(time)
                lasts = False
        return out + [MASK] * lasts

    @property
    def let_go(self):
        """Whether this is the file that the process wrote, and nobody holds it any more."""
        with open(self.path, "rb") as file:
            lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
            if struct.unpack("hhqqi4x", fcntl.fcntl(file, F_OFD_GETLK, lock))[0] != fcntl.F_UNLCK:
                return False
            status = os.fstat(file.fileno())
        born = self.counters.get("file_born_ns")
        now = int(subprocess.run(["stat", "-c", "%.9W", self.path], capture_output=True, check=True).stdout.replace(b".", b""))
        return self.counters.get("file_inode") == status.st_ino and (
            now == born if born else self.counters.get("file_device") == status.st_dev)

    @property
    def totals(self):
        """What a sampled recording counted: allocations, frees, reallocs, and bytes allocated."""
        return {name: self.counters.get(name, 0) + self.segment_totals[name]
                for name in ("allocations", "frees", "reallocs", "allocated_bytes")}

    # --- messages

    def on_module(self, c, _):
        time, epoch, ident, bias, start, end, flags = (
            c.u64(), c.u32(), c.u32(), c.u64(), c.u64(), c.u64(), c.u32())
        build_id, path = c.string(), c.text()
        ranges = [(c.u64(), c.u64(), c.u64()) for _ in range(c.u32())]
        self.modules[ident] = dict(id=ident, time=time, epoch=epoch, bias=bias, start=start, end=end,
                                   flags=flags, build_id=build_id.hex(), path=path, ranges=ranges)

    def on_unload(self, c, _):
        time, epoch, ident = c.u64(), c.u32(), c.u32()
        self.unloads[ident] = (time, epoch)

    def on_process(self, c, _):
        time, kind, value, text = c.u64(), c.u32(), c.u32(), c.text()
        self.process.append((time, PROCESS_KINDS.get(kind, kind), value, text))

    def on_clock(self, c, _):
        self.clocks.append((c.u64(), c.u64(), c.u64()))

    def on_memory(self, c, _):
        self.memory.append((c.u64(), c.u64(), c.u64()))

    def on_pages(self, c, _):
        time, end, kind, count, at, areas = c.u64(), c.u64(), c.u32(), c.u32(), 0, []
        for _i in range(count):
            start = at + c.varint() * self.page_sz
            at = start + c.varint() * self.page_sz
            flags, name = c.take(1)[0], c.text()
            resident, anonymous, swapped, runs, run_at = c.varint(), c.varint(), c.varint(), [], start
            for _r in range(c.varint()):
                run_start = run_at + c.varint() * self.page_sz
                pages = c.varint()
                run_at = run_start + (pages >> 1) * self.page_sz
                runs.append((run_start, run_at, pages & 1))
            areas.append(Area(start, at, flags, name, resident << 10, anonymous << 10, swapped << 10, runs))
        self.pages.append(Pages(time, end, kind, areas))
        self.pages.sort(key=lambda pages: pages.time)

    def on_marker(self, c, _):
        time, tid, _number = c.u64(), c.u32(), c.u32()
        self.markers.append((time, tid, c.text()))

    def on_thread(self, c, _):
        _time, tid, number = c.u64(), c.u32(), c.u32()
        self.threads[tid, number] = c.text()

    def on_heap(self, c, _):
        time, op, number, kind, parent = c.u64(), c.u32(), c.u32(), c.u32(), c.u32()
        uuid, base, _size = (c.u64(), c.u64()), c.u64(), c.u64()
        self.heaps.append(Heap(time, HEAP_OPS.get(op, op), number, kind, parent, uuid, base, c.text()))

    def on_counters(self, c, _):
        self.counters = {}
        for _i in range(min(c.u64(), 255)):
            counter, value = c.u64(), c.u64()
            self.counters[COUNTER_NAMES.get(counter, counter)] = value

    def mapping(self, c, stack):
        fields = [c.u64(), c.u64()] + [c.u32() for _ in range(4)] + [c.u64() for _ in range(4)]
        fields += [c.u32(), c.u32(), c.u64(), c.text(), stack]
        m = Mapping(*fields)
        self.mappings.append(m._replace(op=MAPPING_OPS[m.op], api=MAPPING_APIS[m.api]))

    def on_mappings(self, c, _):
        while c.at < len(c.data):
            stack, message = c.u32(), c.string()
            self.mapping(Cursor(message), stack)

    def on_vframes(self, c, _):
        while c.at < len(c.data):
            self.vframe(Cursor(c.string()))

    def vframe(self, c):
        kind, language = c.u32(), c.u32()
        if kind == 2:
            self.refusals.append((language, c.text(), c.text()))
        if kind != 1:
            return
        ident, table, first_line, part = c.u32(), c.u32(), c.u32(), c.u32()
        names, lines = (c.text(), c.text(), c.text()), c.string()
        if not part:
            self.codes[ident] = Code(language, table, first_line, *names)
        self.codes[ident].lines += lines

    def virtual(self, address):
        """(qualified name, file, line) of a virtual address; None for any other."""
        if not address >> 63:
            return None
        code, position = address >> 24 & 0xffffffff, address & 0xffffff
        if code not in self.codes:
            return "", "", 0
        code = self.codes[code]
        return code.qualname, code.file, code.line(position - 1 if position else None)

    def on_snapshot(self, c, _):
        time, kind, flags, tid, count, sp = c.u64(), c.u32(), c.u32(), c.u32(), c.u32(), c.u64()
        self.snapshots.append((time, kind, flags, tid, sp, [(c.u32(), c.u64(), c.u64()) for _ in range(count)]))

    def on_patched(self, c, _):
        time, flags, address = c.u64(), c.u32(), c.u64()
        self.patched.append((time, flags, address, c.text(), c.text(), c.text()))

    @staticmethod
    def leaks_of(c):
        kind, flags, why, count = c.u32(), c.u32(), c.text(), c.u64()
        blocks, address, codes = {}, 0, []
        for _i in range(count):
            address += c.varint()
            blocks[address] = [LEAK_KINDS[c.take(1)[0]], None]
            codes.append((address, c.varint()))
        roots = [(c.u64(), c.u64(), c.text()) for _ in range(c.u64())]
        for address, code in codes:
            blocks[address][1] = None if not code else \
                ("block", codes[code // 2][0]) if code & 1 else ("root", roots[code // 2 - 1])
        return Leaks(kind, flags, why, blocks, roots)

    def on_leaks(self, c, _):
        self.leaks = self.leaks_of(c)

    def on_leaks_at(self, c, _):
        self.leaks_at.append((c.u64(), self.leaks_of(c)))

    def on_jit(self, c, _):
        self.jit += [(c.u64(), c.u64(), c.u64(), c.text()) for _ in range(c.u32())]  # time, address, size, name

    def on_end(self, _c, _writer):
        self.ended = True

    def on_symbols(self, c, _):
        raw = []
        for _i in range(c.u32()):
            module, offset, count = c.u32(), c.u64(), c.u16()
            raw.append((module, offset, [(c.u32(), c.u32(), c.u32()) for _f in range(count)]))
        strings = [c.text() for _i in range(c.u32())]
        for module, offset, frames in raw:
            self.symbols[module, offset] = [(strings[f], strings[s], line) for f, s, line in frames]

    def on_summary(self, c, _):
        """What is left of older events ("SUMMARY" in the format document)."""
        names = "events peak_bytes peak_blocks peak_tick unmatched reordered missed ended_unseen unknown_frees".split()
        tick, totals = c.u64(), {name: c.u64() for name in names}
        threads = []
        for _ in range(c.varint()):
            tid, number, last_heap, last = (c.varint() for _ in range(4))
            threads.append(((tid, number), (last_heap - 1 or None, last) if last_heap else None))
        cells = []
        for _ in range(c.varint()):
            c.varint()  # the heap that counts
            cells.append((c.varint(), [c.varint() for _ in range(12)]))
        blocks = []
        for _ in range(c.varint()):
            flags, heap = c.take(1)[0], c.varint() or None
            limbo = (threads[c.varint()][0], c.varint()) if flags & 1 else None
            known = None
            if flags & 2:
                cell, thread, address, size, began, _tag = (c.varint() for _ in range(6))
                known = (address, size, cells[cell][0], threads[thread][0], self.start_tick + began)
            blocks.append((heap, known, limbo))
        self.summary = dict(tick=tick, totals=totals, threads=threads, cells=cells, blocks=blocks)

    MESSAGES = {JIT: on_jit, MODULE: on_module, MODULE_UNLOAD: on_unload, PROCESS: on_process, CLOCK: on_clock,
                MEMORY: on_memory, MARKER: on_marker, THREAD: on_thread, HEAP: on_heap, COUNTERS: on_counters,
                SNAPSHOT: on_snapshot, PATCHED: on_patched, VFRAMES: on_vframes}

    # --- packed events

    def on_stacks(self, c, _):
        ident, count, address = c.u32(), c.u32(), 0
        for _i in range(count):
            back = c.varint()
            address = (address + c.zigzag()) & MASK
            self.nodes[ident] = (ident - back if back else None, address)
            ident += 1

    def on_events(self, c, _):
        n, tid, time, columns, number = c.u32(), c.u32(), c.u64(), c.u32(), c.u32()
        directory = [(c.u16(), c.u16(), c.u32(), c.u32(), c.u32()) for _i in range(columns)]
        column = {}
        for ident, codec, size, stored, _zero in directory:
            body = bytes(c.take(stored))
            body = unzstd(body) if codec else body
            if len(body) != size:
                raise BadTrace("a column is not as long as its directory says")
            column[ident] = Cursor(body)
        self.unpack(n, tid, number, time, column)

    def unpack(self, n, tid, number, time, column):
        out, guess, said = self.streams["packed", tid, number], Guess(column), self.said(column.get(12))
        alone = self.alone(column.get(13))
        for at, code in enumerate(column[1].take(n)):
            if code & 64:
                tid = column[9].varint()
                number = column[10].varint() if 10 in column else 0
            time += column[2].varint()
            event = guess.event(code, time << self.shift, tid, number)
            event = guess.told(event, code, said.get(at)) if event.kind == FREE and said else event
            out.append(event._replace(alone=1) if at in alone else event)

    @staticmethod
    def said(c):
        """{number of a FREE in its chunk: (size, alignment) that operator delete was told}"""
        said, at = {}, 0
        while c and c.at < len(c.data):
            at, size = at + c.varint(), c.varint()
            said[at] = size >> 1, c.varint() if size & 1 else 0
        return said

    @staticmethod
    def alone(c):
        """The numbers of the events in their chunk that are alone."""
        alone, at = set(), -1
        while c and c.at < len(c.data):
            at += c.varint() + 1
            alone.add(at)
        return alone

    # --- raw segments

    def on_segment(self, c, _):
        committed = struct.unpack_from("<Q", c.data, 0)[0]
        counts = struct.unpack_from("<I3Q", c.data, 68)
        if self.period:
            self.segment_totals.update(dict(zip(("reallocs", "allocations", "allocated_bytes", "frees"), counts)))
        base = struct.unpack_from("<Q", c.data, 16)[0]
        tid, writer, _number, epoch, flags, thread = struct.unpack_from("<6I", c.data, 44)
        if committed > len(c.data) - 96:
            raise BadTrace("a segment commits more than it holds")
        state = self.states.get(writer)
        if state is None or not flags & 1:
            state = self.states[writer] = dict(stack=[])
        state.update(tick=base, tid=tid, number=thread, epoch=epoch)
        self.records(c.data, 96, 96 + committed, state, self.streams["raw", writer])

    WORDS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 1, 6: 1, 7: 1, 8: 1, 9: 1, 10: 5, 11: 2, 12: 1, 13: 1}
    UNPACK = {words: struct.Struct(f"<{words}Q").unpack_from for words in (1, 2, 3, 5)}

    def records(self, data, at, end, state, out):
        stack = state["stack"]
        while at + 8 <= end:
            w0 = self.UNPACK[1](data, at)[0]
            kind, api, wide = w0 & 15, w0 >> 4 & 15, w0 >> 8 & 1
            push, pop, delta = w0 >> 9 & 127, w0 >> 16 & 65535, w0 >> 32
            if kind == 0:
                break
            words = 3 if kind in (ALLOC, DELETE) and wide else self.WORDS.get(kind)
            if words is None:
                raise BadTrace(f"record kind {kind}")
            w = self.UNPACK[words](data, at + 8)
            at += 8 * (1 + words)
            state["tick"] += delta
            if pop:
                del stack[max(0, len(stack) - pop):]
            if kind == 5:
                stack.extend(struct.unpack_from(f"<{w[0]}Q", data, at))
                at += 8 * w[0]
            if push:
                stack.extend(struct.unpack_from(f"<{push}Q", data, at))
                at += 8 * push
            at = self.record(kind, api, wide, w, data, at, state, out)

    def record(self, kind, api, wide, w, data, at, state, out):
        if kind == 6:
            state["tick"] = w[0]
        elif kind in (7, 8, 12):
            if kind == 7:
                state.update(tid=w[0] & 0xffffffff, number=w[0] >> 32)
            if kind == 8:
                state["epoch"] = w[0]
            if kind == 12:
                self.lost += w[0]
            state["stack"].clear()
        elif kind == 9:
            size = w[0] >> 32
            handler = self.MESSAGES.get(w[0] & 65535)
            if w[0] & 65535 == MAPPING:
                self.mapping(Cursor(data[at:at + size]), self.intern((state["epoch"], *state["stack"])))
            elif handler:
                handler(self, Cursor(data[at:at + size]), 0)
            at += (size + 7) // 8 * 8
        elif kind != 5:
            out.append(self.raw_event(kind, api, wide, w, state))
        return at

    def raw_event(self, kind, api, wide, w, state):
        stack = None if kind == DONE else self.intern((state["epoch"], *state["stack"]))
        align, heap, tag = 0, None, 0
        if kind in (ALLOC, DELETE):
            address, size, align = w if wide else (w[0] & (1 << 48) - 1, w[0] >> 48, 0)
            wide = align >> 63
            align &= (1 << 63) - 1
            kind = FREE if kind == DELETE else ALLOC
        elif kind == FREE:
            address, size = w[0], 0
        elif kind in (INTENT, DONE):
            address, size = w
        elif kind == HEAP_ALLOC:
            heap, address, size, align, tag = w
        else:
            heap, address, size = w[0] & 0xffffffff, w[1], 0
            kind = HEAP_FREE_INTERIOR if wide else HEAP_FREE
        alone = w[0] >> 32 & 1 if kind in (HEAP_FREE, HEAP_FREE_INTERIOR) else wide if kind in (FREE, DONE) else 0
        return Event(state["tick"], state["tid"], state["number"], kind, api, address, size, align, stack, heap, tag, alone)

    def intern(self, stack):
        return self.interned.setdefault(stack, stack)

    HANDLERS = {**MESSAGES, STACKS: on_stacks, EVENTS: on_events, SEGMENT: on_segment, END: on_end,
                SYMBOLS: on_symbols, MAPPING: on_mappings, LEAKS: on_leaks, LEAKS_AT: on_leaks_at, SUMMARY: on_summary, PAGES: on_pages, JIT: on_jit}

    # --- stacks

    def stack(self, ref):
        """(epoch, return addresses root first) of an event's stack; None when not recorded."""
        if not isinstance(ref, int):
            return ref if ref is None or len(ref) > 1 else None
        addresses = []
        node = self.nodes.get(ref)
        if ref == 0:
            return None
        while node is not None and node[0] is not None:
            addresses.append(node[1])
            node = self.nodes[node[0]]
        epoch = node[1] if node else None
        return (epoch, *reversed(addresses))

    def locate(self, epoch, address):
        """(module, offset) of the code at a return address; (None, address) outside modules."""
        for module in self.modules.values():
            gone = self.unloads.get(module["id"], (0, 1 << 32))[1]
            if module["start"] <= address - 1 < module["end"] and module["epoch"] <= epoch < gone:
                return module, address - 1 - module["bias"]
        return None, address - 1

    # --- order

    def events(self):
        """All events by time; of equal or inverted times the one that lets addresses alternate."""
        queues = [collections.deque(events) for events in self.streams.values() if events]
        heads = [(queue[0].tick, i) for i, queue in enumerate(queues)]
        heapq.heapify(heads)
        live, self.reordered, limbo = set(), 0, collections.defaultdict(list)
        for heap, known, resized in self.summary["blocks"] if self.summary else ():
            if known and not resized:
                live.add((heap, known[0]))
        while heads:
            tick, i = heads[0]
            if not queues[i] or queues[i][0].tick != tick:  # an entry that a repair left behind
                heapq.heappop(heads)
                continue
            if not fits(queues[i][0], live):
                other = self.repair(queues[i][0], queues, i)
                self.reordered += other is not None
                i = i if other is None else other
            event = queues[i].popleft()
            follow(event, live, limbo[i])
            yield event
            if queues[i]:
                heapq.heappush(heads, (queues[i][0].tick, i))

    def repair(self, event, queues, own):
        """The queue whose next event is the missing counterpart of `event` at (nearly) its time."""
        window = event.tick + max(64 << self.shift, 1 << 20)
        for i, queue in enumerate(queues):
            if i != own and queue and queue[0].address == event.address and \
                    queue[0].tick <= window and queue[0].heap == event.heap and \
                    queue[0].kind != event.kind:
                return i
        return None


def fits(event, live):
    """Whether the event's address alternates between allocated and free if it comes next."""
    key = (event.heap, event.address)
    if event.kind in (ALLOC, HEAP_ALLOC) or event.kind == DONE and event.address:
        return key not in live
    return event.kind in (DONE, HEAP_FREE_INTERIOR) or key in live


def follow(event, live, limbo):
    key = (event.heap, event.address)
    if event.kind in (ALLOC, HEAP_ALLOC) or event.kind == DONE and event.address:
        live.add(key)
    elif event.kind in (FREE, INTENT, HEAP_FREE):
        live.discard(key)
    if event.kind == INTENT:
        limbo.append(key)
    elif event.kind == DONE and limbo:
        old = limbo.pop()
        if not event.address and event.size:
            live.add(old)


class Model:
    """Totals, leaks, peak and temporary allocations, by brute force."""

    def __init__(self, trace):
        self.trace = trace
        self.allocations = self.frees = self.reallocs = self.allocated_bytes = 0
        self.unmatched_frees = self.temporary = self.event_count = 0
        self.live_bytes = self.peak_bytes = self.peak_blocks = 0
        self.live, self.limbo, self.last = {}, collections.defaultdict(list), {}
        self.overwritten = 0  # an allocation at an address that was live: a free is missing
        self.born, self.unsure_before, self.ended_unseen = {}, 0, 0
        self.unsure_bytes = self.sure_peak = 0  # of live_bytes; the most that lived for sure at one time
        resumed = trace.resumed
        self.sites = collections.defaultdict(lambda: dict(allocations=0, bytes=0, temporary=0))
        if trace.summary:
            self.resume(trace.summary)
        for event in trace.events():
            self.event_count += 1
            while resumed and resumed[0] <= event.tick:
                self.unsure_before = resumed.pop(0)
                self.unsure_bytes = self.unsure[1]
                self.last.clear()
            self.apply(event)
        for time in resumed:
            self.unsure_before = time
        for waiting in self.limbo.values():
            for key, block, _stack in waiting:
                if block:
                    self.live.setdefault(key, block)

    def resume(self, summary):
        """Begins where the older events end that the trace has no more."""
        totals = summary["totals"]
        self.event_count, self.unmatched_frees = totals["events"], totals["unmatched"] + totals["unknown_frees"]
        self.peak_bytes, self.peak_blocks, self.ended_unseen = totals["peak_bytes"], totals["peak_blocks"], totals["ended_unseen"]
        for stack, n in summary["cells"]:
            self.allocations += n[0]
            self.allocated_bytes += n[1]
            self.frees += n[2]
            self.temporary += n[4]
            self.reallocs += n[8]
            site = self.sites[stack]
            site["allocations"] += n[0]
            site["bytes"] += n[1]
            site["temporary"] += n[4]
        self.last = {thread: last for thread, last in summary["threads"] if last}
        for heap, known, limbo in summary["blocks"]:
            key, block = None, None
            if known:
                address, size, stack, thread, began = known
                key, block = (heap, address), (size, stack, thread)
                self.live_bytes += size
                self.born[key] = began
            if limbo:
                self.limbo[limbo[0]].append((key, block, limbo[1]))
            else:
                self.live[key] = block
        before = [time for time in self.trace.resumed if time <= summary["tick"]]
        if before and totals["peak_tick"] >= before[0]:
            self.unsure_before = before[-1]  # how much of that peak may have been freed is not in the summary
            self.sure_peak = self.live_bytes - self.unsure[1]
        else:
            self.sure_peak = self.peak_bytes

    @property
    def unsure(self):
        """(blocks, bytes) that live but may have been freed in a stretch that is left out."""
        waiting = [(key, block) for all_of in self.limbo.values() for key, block, _stack in all_of if block]
        sizes = [block[0] for key, block in [*self.live.items(), *waiting] if self.born[key] < self.unsure_before]
        return len(sizes), sum(sizes)

    def end_unsure(self, key, size):
        """Whether the block that ends may have been freed in such a stretch."""
        unsure = self.born.get(key, MASK) < self.unsure_before
        self.ended_unseen += unsure
        self.unsure_bytes -= size if unsure else 0
        return unsure

    def apply(self, event):
        key = (event.heap, event.address)
        if event.kind in (ALLOC, HEAP_ALLOC):
            self.allocate(key, event, event.stack)
        elif event.kind in (FREE, HEAP_FREE):
            self.free(key, event)
        elif event.kind == INTENT:
            self.limbo[event.thread].append((key, self.live.pop(key, None), event.stack))
        elif event.kind == DONE:
            self.done(key, event)

    def allocate(self, key, event, stack):
        self.allocations += 1
        self.allocated_bytes += event.size
        if key in self.live:
            self.overwritten += not self.end_unsure(key, self.live[key][0])
            self.live_bytes -= self.live[key][0]
        self.born[key] = event.tick
        self.live[key] = (event.size, stack, event.thread)
        self.live_bytes += event.size
        self.last[event.thread] = key
        site = self.sites[stack]
        site["allocations"] += 1
        site["bytes"] += event.size
        if self.live_bytes > self.peak_bytes:
            self.peak_bytes = self.live_bytes
            self.peak_blocks = len(self.live) + sum(map(len, self.limbo.values()))
        self.sure_peak = max(self.sure_peak, self.live_bytes - self.unsure_bytes)

    def free(self, key, event):
        self.frees += 1
        block = self.live.pop(key, None)
        if block is None:
            self.unmatched_frees += 1
            return
        self.live_bytes -= block[0]
        if self.end_unsure(key, block[0]):
            return
        if block[2] == event.thread and self.last.get(event.thread) == key:
            self.temporary += 1
            self.sites[block[1]]["temporary"] += 1
            self.last[event.thread] = None

    def done(self, key, event):
        if not self.limbo[event.thread]:
            return
        old_key, block, stack = self.limbo[event.thread].pop()
        if not event.address and event.size:
            if block:
                self.live[old_key] = block
            return
        if block:
            self.frees += 1
            self.live_bytes -= block[0]
            self.end_unsure(old_key, block[0])
        elif old_key[1] or not self.trace.period:  # of a sample, else: one that was not recorded
            self.frees += 1
            self.unmatched_frees += 1
        if event.address:
            self.reallocs += 1
            self.allocate(key, event, stack)

    def leaks(self):
        """{stack reference: [blocks, bytes]} of what is live at the end."""
        out = collections.defaultdict(lambda: [0, 0])
        for size, stack, _tid in self.live.values():
            out[stack][0] += 1
            out[stack][1] += size
        return dict(out)

    def totals(self):
        return dict(allocations=self.allocations, frees=self.frees, reallocs=self.reallocs,
                    allocated_bytes=self.allocated_bytes, peak_bytes=self.peak_bytes,
                    peak_at_least_bytes=self.sure_peak, peak_blocks=self.peak_blocks, leaked_bytes=sum(b[0] for b in self.live.values()),
                    leaked_blocks=len(self.live), temporary=self.temporary,
                    unmatched_frees=self.unmatched_frees, overwritten=self.overwritten)


def main():
    for path in sys.argv[1:]:
        trace = Trace(path)
        model = Model(trace)
        print(json.dumps(dict(path=path, pid=trace.pid, exe=trace.exe, command=trace.command,
                              counters=trace.counters, process=trace.process, errors=trace.errors,
                              torn=trace.torn, ended=trace.ended, lost=trace.lost,
                              reordered=trace.reordered, **model.totals())))


if __name__ == "__main__":
    main()


class Estimates:
    """What a sampled trace says of all blocks ("Sampling" in the format document): by stack reference and figure
    [estimate, variance]. Of a trace that has everything the variances are 0."""

    FIGURES = ("allocations", "allocated_bytes", "leaked_blocks", "leaked_bytes", "temporary", "reallocs", "frees", "foreign")

    def __init__(self, trace):
        self.period = trace.period
        self.sites = collections.defaultdict(lambda: {name: [0.0, 0.0] for name in self.FIGURES})
        self.pairs = collections.defaultdict(lambda: [0.0, 0.0])  # (allocating stack, freeing stack): blocks
        self.lifetimes = collections.defaultdict(list)  # by stack: (ticks, weight)
        live, limbo, last = {}, collections.defaultdict(list), {}
        for event in trace.events():
            key = (event.heap, event.address)
            if event.kind in (ALLOC, HEAP_ALLOC):
                self.begin(live, last, key, event, event.stack)
            elif event.kind in (FREE, HEAP_FREE):
                alone = event.alone if self.period else last.get(event.thread) == key
                self.end(live.pop(key, None), event, event.stack, alone)
            elif event.kind == INTENT:
                limbo[event.thread].append((key, live.pop(key, None), event.stack))
            elif event.kind == DONE and limbo[event.thread]:
                self.done(live, last, limbo[event.thread].pop(), event)
        for size, stack, _thread, _tick in live.values():
            self.add(stack, "leaked", size, True)

    def done(self, live, last, begun, event):
        old_key, block, stack = begun
        if not event.address and event.size:
            if block:
                live[old_key] = block
            return
        moved = bool(event.address)
        alone = not moved and (event.alone if self.period else last.get(event.thread) == old_key)
        self.end(block, event, stack, alone)
        if moved:
            self.begin(live, last, (event.heap, event.address), event, stack)
            if block or not old_key[1]:
                self.add(stack, "reallocs", event.size)

    def begin(self, live, last, key, event, stack):
        live[key] = (event.size, stack, event.thread, event.tick)
        last[event.thread] = key
        self.add(stack, "allocations", event.size)
        self.add(stack, "allocated_bytes", event.size, False, event.size)

    def end(self, block, event, stack, alone):
        if not block:
            return
        size, born_at, thread, tick = block
        self.add(born_at, "frees", size)
        weight, variance = self.weight(size)
        self.pairs[born_at, stack][0] += weight
        self.pairs[born_at, stack][1] += variance
        self.lifetimes[born_at].append((event.tick - tick, weight))
        if thread != event.thread:
            self.add(born_at, "foreign", size)
        elif alone:
            self.add(born_at, "temporary", size)

    def weight(self, size):
        """What a recorded block stands for, and its part of the variance of a number of blocks."""
        if not self.period:
            return 1.0, 0.0
        recorded = -math.expm1(-max(size, 1) / self.period)
        return 1 / recorded, (1 - recorded) / recorded ** 2

    def add(self, stack, name, size, both=False, factor=1):
        weight, variance = self.weight(size)
        for figure, times in ((name, factor),) if not both else ((name + "_blocks", 1), (name + "_bytes", size)):
            self.sites[stack][figure][0] += weight * times
            self.sites[stack][figure][1] += variance * times ** 2
