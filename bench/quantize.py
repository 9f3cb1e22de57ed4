"""Quantising side by side with llama.cpp's llama-quantize: the same file, type and threads, in
interleaved rounds, each as a whole process. Ours waits until the file is on disk, the peer does not: the
seconds of computing (of all threads) are told apart from those that passed.

    ./dev bench quantize [--model smollm2-f16] [--types Q8_0,Q4_K_M] [--threads 2] [--rounds 3] [--json FILE]
"""
import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import tempfile
import time

from lib.strata import MODELS, PEERS, STRATA

TYPES = "Q8_0,Q4_0,Q5_1,Q2_K,Q3_K_M,Q4_K_M,Q5_K_M,Q6_K,IQ4_NL,IQ4_XS"
PEER = PEERS / "llama.cpp/bin/llama-quantize"


def computing():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds(command):
    """That passed, and of computing."""
    begin, used = time.monotonic(), computing()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - begin, computing() - used


def compare(ours, theirs, which):
    """Medians, and how many times as fast with its spread."""
    ours, theirs = ([pair[which] for pair in runs] for runs in (ours, theirs))
    ratios = [their / our for our, their in zip(ours, theirs)]
    return {"strata_s": statistics.median(ours), "peer_s": statistics.median(theirs),
            "ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}


def cell(part):
    return (f"{part['strata_s']:.2f} / {part['peer_s']:.2f} s: {part['ratio']:.2f} "
            f"({part['lowest']:.2f} to {part['highest']:.2f})")


def measure(model, kind, threads, rounds, folder):
    ours, theirs = [], []
    written = folder / "ours.gguf", folder / "theirs.gguf"
    for _ in range(rounds):
        ours.append(seconds([STRATA, "quantize", model, kind, written[0], "--force", "--quiet",
                             "--threads", str(threads)]))
        theirs.append(seconds([PEER, "--allow-requantize", model, written[1], kind, str(threads)]))
    return {"type": kind, "passed": compare(ours, theirs, 0), "computing": compare(ours, theirs, 1),
            "strata_bytes": written[0].stat().st_size, "peer_bytes": written[1].stat().st_size}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", default="smollm2-f16", choices=sorted(MODELS))
    parser.add_argument("--types", default=TYPES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    rows = []
    print(f"{options.model}, {options.threads} threads, median of {options.rounds} rounds\n\n"
          "| type | time, strata / llama-quantize: times as fast | computing | bytes, of the peer's |\n"
          "|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.types.split(","):
            row = measure(MODELS[options.model], kind, options.threads, options.rounds,
                          pathlib.Path(folder))
            rows.append(row)
            print(f"| {kind} | {cell(row['passed'])} | {cell(row['computing'])} | "
                  f"{row['strata_bytes'] / row['peer_bytes']:.4f} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"model": options.model, "threads": options.threads,
                                            "rows": rows}, indent=1) + "\n")


main()
