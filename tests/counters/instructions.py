#!/usr/bin/env python3
"""Instructions of one step of the AVX2 kernels, counted by callgrind with one thread, against what is
written in instructions.json beside this file. More than 5 % above fails, and so does more than 5 %
below: then the number there is to be made smaller, so that what was gained is not lost again.

By hand: tests/counters/instructions.py [--program build/inference_test] [--write]"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
RECORD = HERE / "instructions.json"
ALLOWED = 0.05
SKIPPED = 77  # ctest's word for it


def has_avx2():
    return re.search(r"^flags.*\bavx2\b", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)


def count(program, test):
    """Instructions between the marks of src/inference/instructions_test.cpp."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=/dev/null",
         str(program), f"--gtest_filter=Instructions.{test}"],
        capture_output=True, text=True, timeout=500, env=os.environ | {"STRATA_CPU": "avx2"})
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or "[  PASSED  ] 1 test" not in done.stdout or not collected:
        sys.exit(f"valgrind ended with {done.returncode}: {(done.stdout + done.stderr)[-3000:]}")
    return int(collected[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=HERE.parent.parent / "build" / "inference_test")
    parser.add_argument("--write", action="store_true", help="write the counts down")
    options = parser.parse_args()
    if not has_avx2():
        print("skipped: this processor has no AVX2")
        return SKIPPED
    record = json.loads(RECORD.read_text())
    counted = {test: count(options.program, test) for test in record}
    if options.write:
        RECORD.write_text(json.dumps(counted, indent=2) + "\n")
    failed = False
    for test, instructions in counted.items():
        change = instructions / record[test] - 1
        bad = abs(change) > ALLOWED
        failed = failed or bad
        print(f"{'FAILED' if bad else 'ok'}: {test}: {instructions:,} instructions, {change:+.2%} of "
              "what is written")
    return 1 if failed and not options.write else 0


if __name__ == "__main__":
    sys.exit(main())
