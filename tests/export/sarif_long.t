#!/usr/bin/python3
"""SARIF output against the schema of SARIF 2.1.0 as OASIS published it, from an npm package; skipped where the
registry cannot be reached."""
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, "tests/lib")
from tap import COUNT, ok  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
VALTRACE = f"{BUILD}/bin/valtrace"
PACKAGE = "@microsoft/jest-sarif@1.0.0-beta.0"
SCHEMA = "package/lib/schemas/sarif-2.1.0-rtm.5.json"


def schema():
    """The schema's validator, or why there is none."""
    try:
        import jsonschema
    except ImportError:
        return None, "python3-jsonschema is not installed"
    if not shutil.which("npm"):
        return None, "npm is not installed"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            return None, "the npm registry is not reachable"
        with tarfile.open(os.path.join(folder, done.stdout.split()[-1])) as archive:
            document = json.load(archive.extractfile(SCHEMA))
    return jsonschema.validators.validator_for(document)(document), None


def main():
    validator, why = schema()
    if not validator:
        print(f"1..0 # SKIP {why}")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        trace = f"{folder}/t.vtr"
        subprocess.run([VALTRACE, "run", "-q", "-o", trace, "--", f"{BUILD}/programs/planted"], stdout=subprocess.DEVNULL, check=False)
        for args in (["check-budget", "--max-live", "0", "--max-peak", "0", "--max-allocations", "0"], ["check-budget", "--max-live", "1T"],
                     ["diff", "--fail-if", "live>0", "--fail-if", "allocations<1", trace], ["check-budget", "--max-live", "1", "--limit", "1000"]):
            text = subprocess.run([VALTRACE, *args, "--format", "sarif", trace], capture_output=True, text=True, check=False).stdout
            document = json.loads(text)
            errors = [f"{list(e.absolute_path)}: {e.message[:200]}" for e in validator.iter_errors(document)]
            ok(not errors, f"{' '.join(args[:4])}: has the schema", *errors[:5])
        ok(document["runs"][0]["results"], "with results")
        del document["runs"][0]["results"][0]["message"]
        ok(list(validator.iter_errors(document)), "the schema finds what is wrong")
    print(f"1..{COUNT[0]}")
    return 1 if COUNT[1] else 0


sys.exit(main())
