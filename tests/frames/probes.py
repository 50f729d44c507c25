"""Python code of many kinds that calls probe(), which allocates one block of a size that occurs once and
writes down who calls it as the interpreter tells it: the oracle for the recorded stacks.

Usage: probes.py LOG LIBRARY ROUND…; a line of the log is the size, then "function|file|line" of each frame, innermost
first. The rounds are the functions below. Runs on every Python from 3.8.
"""
import sys
import threading

log = []
lock = threading.Lock()
size = [100000]
detached = None  # ctypes' malloc, called without the interpreter's lock


def probe():
    frame, stack = sys._getframe(), []
    while frame:
        code = frame.f_code
        stack.append(f"{getattr(code, 'co_qualname', code.co_name)}|{code.co_filename}|{frame.f_lineno}")
        frame = frame.f_back
    with lock:
        size[0] += 64
        mine = size[0]
        log.append((mine, stack[1:]))
    detached(mine) if detached else bytes(mine)


class Deleted:
    def __del__(self):
        probe()


class Meta(type):
    def __new__(cls, *args):
        probe()
        return super().__new__(cls, *args)


def generators():
    def inner():
        probe()
        try:
            yield 1
            yield 2
        finally:
            probe()

    def outer():
        probe()
        yield from inner()
        probe()

    for _i in outer():
        probe()
    abandoned = outer()
    next(abandoned)
    del abandoned
    thrown = outer()
    next(thrown)
    try:
        thrown.throw(ValueError("x"))
    except ValueError:
        probe()
    sum(probe() or i for i in range(3))


def callbacks():
    sorted([3, 1, 2], key=lambda v: (probe(), v)[1])
    list(map(lambda v: [probe() for _j in range(2)], range(3)))
    {probe(): i for i in range(2)}
    d = Deleted()
    del d
    [Deleted() for _i in range(3)]
    Meta("Made", (), {})

    class Made(metaclass=Meta):
        probe()

    def decorated(function):
        probe()
        return function

    @decorated
    def function(a=probe()):
        probe()
    function()
    max([1, 2], key=lambda v: probe() or v)
    "%s" % type("S", (), {"__str__": lambda self: (probe(), "s")[1]})()


def exceptions():
    def deep(n):
        if not n:
            probe()
            raise KeyError("x")
        try:
            deep(n - 1)
        finally:
            probe()
    try:
        deep(5)
    except KeyError:
        probe()

    class Context:
        def __enter__(self):
            probe()

        def __exit__(self, *_args):
            probe()
            return True
    with Context():
        probe()
        raise ValueError


def recursion():
    def down(n):
        return probe() if not n else down(n - 1)
    for n in (0, 1, 50, 7, 51, 50, 90, 3):
        down(n)
        (lambda: down(n))()


def compiled():
    for i in range(30):
        exec(compile("\n" * (i % 3) + "probe()\ndef f():\n  probe()\nf()\n", "<made>", "exec"), {"probe": probe})
        exec("def g(): probe()\n" + "\n" * (i % 5) + "g()", {"probe": probe})


def coroutines():
    import asyncio

    async def leaf(n):
        probe()
        await asyncio.sleep(0)
        probe()
        return n

    async def work(n):
        async for x in agen():
            probe()
        return await leaf(n)

    async def agen():
        for i in range(2):
            probe()
            yield i

    async def main():
        await asyncio.gather(*(work(i) for i in range(5)))
    asyncio.run(main())


def threads():
    def run(n):
        for _i in range(5):
            (lambda: probe() if n % 2 else generators())()
    made = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for t in made:
        t.start()
    for t in made:
        t.join()


def unlocked():
    """Allocates while other threads have the interpreter's lock."""
    global detached
    import ctypes
    malloc = ctypes.CDLL(None).malloc
    malloc.argtypes, malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    detached = malloc
    threads()
    exceptions()
    detached = None


def callbacks_of_c():
    """Python functions that native code calls, with and without the lock around it."""
    import ctypes
    kind = ctypes.CFUNCTYPE(None)
    for library in (ctypes.CDLL(sys.argv[2]), ctypes.PyDLL(sys.argv[2])):
        library.call_back(kind(probe_twice), 50)
        library.call_back(kind(lambda: library.call_back(kind(probe_twice), 50)), 50)


def strays():
    """A function on a stack that the thread has left, with the interpreter's state as if it ran."""
    import ctypes
    library = ctypes.PyDLL(sys.argv[2])
    for _i in range(20):
        probe()  # the thread's frames are known well

    @ctypes.CFUNCTYPE(None)
    def aside():
        library.come_back()
    current = ctypes.pythonapi.PyThreadState_Get
    current.restype = ctypes.c_void_p
    state = ctypes.c_void_p(current() + 56) if sys.version_info[:2] == (3, 12) else None
    for _i in range(5):
        library.allocate_beside(aside, ctypes.c_size_t(66606), state)
        probe()


def probe_twice():
    probe()
    generators()


def observed():
    """Code that others watch: tracing and profiling functions run at any event of the interpreter's."""
    busy = []

    def watch(frame, _event, _arg):
        if not busy and frame.f_code is not probe.__code__:
            busy.append(1)
            probe()
            busy.clear()
        return watch
    for begin in (sys.settrace, sys.setprofile):
        begin(watch)
        generators()
        exceptions()
        begin(None)
        probe()


def collected():
    """Functions that the collector of garbage and dying objects call, between any two instructions."""
    import gc
    import weakref

    class Node(Deleted):
        def __init__(self):
            self.me = self
    refs = []
    gc.callbacks.append(lambda _phase, _info: probe())
    for _i in range(3):
        refs.append(weakref.ref(Node(), lambda _ref: probe()))
        weakref.finalize(Node(), probe_twice)
        gc.collect()
    gc.callbacks.clear()
    del refs[:]
    probe()


def handed_on():
    """Generators that begin in one thread and go on in others, also while they are closed there."""
    def steps():
        try:
            for _i in range(4):
                probe()
                yield from inner()
        finally:
            probe()

    def inner():
        probe()
        yield 1
    all_of_them = [steps() for _i in range(3)]
    for _turn in range(3):
        for one in all_of_them:
            thread = threading.Thread(target=lambda one=one: (next(one), probe()))
            thread.start()
            thread.join()
    thread = threading.Thread(target=all_of_them.clear)
    thread.start()
    thread.join()
    probe()


def executed_in_loops():
    """Code objects that come and go at the same addresses, and say something else each time."""
    for i in range(300):
        space = {"probe": probe}
        exec(f"def f{i}(n):\n" + "\n" * (i % 7) + f"  return probe() if not n else f{i}(n - 1)\nf{i}({i % 3})\n", space)
        eval(compile("probe()", f"<{i}>", "eval"), space)


def at_the_end():
    """What runs while the interpreter ends: functions that were registered, then what modules still hold."""
    import atexit
    atexit.register(lambda: (probe_twice(), write(sys.argv[1])))


def too_deep():
    """More frames than are recorded: a mark takes their place, and then they are there again."""
    sys.setrecursionlimit(20000)

    def down(n):
        return bytes(70001) if not n else down(n - 1)
    down(4200)
    probe()


def signals():
    """Allocations of a handler, which may interrupt anything, and of what goes on after it."""
    import ctypes
    import signal
    ctypes.CDLL(sys.argv[2]).allocate_in_handler(signal.SIGVTALRM, ctypes.c_size_t(88888))
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.001, 0.001)
    generators()
    exceptions()
    sum(len(str(i)) for i in range(30000))
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    probe()


def forks():
    import os
    probe()
    child = os.fork()
    log.clear()
    generators()
    callbacks()
    if not child:
        write(sys.argv[1] + ".child")
        os._exit(0)
    os.waitpid(child, 0)
    threads()


def child():
    """What a child process does, with a log of its own."""
    import os
    log.clear()
    generators()
    callbacks()
    write(f"{sys.argv[1]}.{os.getpid()}")


def processes():
    """Children of each kind that multiprocessing has, and one that a thread forked."""
    import multiprocessing
    import os

    def fork():
        made = os.fork()
        if not made:
            child()
            os._exit(0)
        os.waitpid(made, 0)
    for how in ("fork", "spawn", "forkserver"):
        process = multiprocessing.get_context(how).Process(target=child)
        process.start()
        process.join()
    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
    probe()


def interpreters():
    """A sub-interpreter runs code that has its own view of the stack."""
    name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    subs = __import__(name)
    sub = subs.create()
    subs.run_string(sub, "def inner():\n  return bytes(70002)\ninner()\n")
    subs.destroy(sub)
    probe()


class Last:
    """Deleted when the interpreter has freed the states of the threads without the lock: others get their memory."""
    def __init__(self, library, counts):
        import ctypes
        self.reuse, self.cnt = library.reuse, len(counts)
        self.counts = (ctypes.c_void_p * self.cnt)(*map(ctypes.addressof, counts))

    def __del__(self):
        self.reuse(self.counts, self.cnt)


def daemons():
    """Ends while threads allocate without the lock."""
    import ctypes
    global last
    library, counts = ctypes.CDLL(sys.argv[2]), [ctypes.c_int() for _i in range(3)]
    for count in counts:
        threading.Thread(target=library.spin, args=(ctypes.byref(count),), daemon=True).start()
    while any(count.value < 1000 for count in counts):
        pass
    last = Last(library, counts)
    probe()


def busy():
    """Ends while threads wait for the lock."""
    import ctypes
    ctypes.CDLL(sys.argv[2]).linger()
    begun = [[] for _i in range(8)]
    def work(mine):
        while True:
            mine[:] = [bytes(300)]
            for _i in bytes(10000):
                pass
    for mine in begun:
        threading.Thread(target=work, args=(mine,), daemon=True).start()
    while not all(begun):
        pass
    probe()


def many():
    """Names and tables of all kinds."""
    for name in ("f", "ä", "ж", "名前", "𠀀"):
        space = {"probe": probe}
        exec(f"class {name}:\n def {name}(self):\n" + "  x = 1\n" * 50 + "  probe()\n" * 2, space)
        getattr(space[name](), name)()


def large():
    """A line table that does not fit in one message."""
    space = {"probe": probe}
    exec("def f():\n" + "  x = (1,\n  y) if 0 else 2\n" * 6000 + "  probe()\nf()\n", space)


def write(path):
    with open(path, "w", encoding="utf-8") as out:
        for number, frames in log:
            print(number, *frames, sep="\t", file=out)


if __name__ == "__main__":
    for choice in sys.argv[3:]:
        globals()[choice]()
    write(sys.argv[1])
