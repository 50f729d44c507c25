"""TAP output for test scripts that only compare: COUNT is [run, failed]."""
import signals  # noqa: F401

COUNT = [0, 0]


def ok(condition, name, *detail):
    COUNT[0] += 1
    print(f"{'' if condition else 'not '}ok {COUNT[0]} - {name}")
    if not condition:
        COUNT[1] += 1
        for line in detail:
            print(f"# {line}")


def skip(name):
    COUNT[0] += 1
    print(f"ok {COUNT[0]} - {name} # SKIP not installed")
