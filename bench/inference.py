"""Prefill and decode speed of strata and llama.cpp side by side: same machine, file and threads, in
interleaved rounds, ratios with their spread. A cell counts only if strata's answers on that path are
right: perplexity of the fast executor against the float32 one is measured first.

    ./dev bench inference [--rounds N] [--models smollm2:135m,gemma3:270m] [--json FILE]
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

from lib.strata import MODELS as FILES
from lib.strata import STRATA

PEERS = pathlib.Path(os.environ.get("STRATA_PEERS") or pathlib.Path.home() / ".cache/strata/peers")
MODELS = {"smollm2:135m": FILES["smollm2"], "gemma3:270m": FILES["gemma3"]}
PROMPT, GENERATE = 512, 128
MAX_PERPLEXITY_RISE = 0.008


def run_json(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(map(str, command))}\n{done.stderr}")
    return json.loads(done.stdout)


def strata_speeds(file, threads):
    result = run_json([STRATA, "bench", file, "--prompt", str(PROMPT), "--generate", str(GENERATE),
                       "--threads", str(threads), "--rounds", "1", "--json"])
    return {"prefill": result["prompt_tokens_per_second"],
            "decode": result["generate_tokens_per_second"]}


def llama_speeds(file, threads):
    rows = run_json([PEERS / "llama.cpp/bin/llama-bench", "-m", file, "-t", str(threads), "-p",
                     str(PROMPT), "-n", str(GENERATE), "-r", "1", "-o", "json"])
    return {"prefill" if row["n_prompt"] else "decode": row["avg_ts"] for row in rows}


def measure(file, threads, rounds):
    ours, theirs = [], []
    for number in range(rounds + 1):
        pair = (strata_speeds(file, threads), llama_speeds(file, threads))
        if number > 0:  # the first round warms the file cache and the clock
            ours.append(pair[0])
            theirs.append(pair[1])
    return ours, theirs


def row_of(model, threads, what, ours, theirs):
    mine = [pair[what] for pair in ours]
    other = [pair[what] for pair in theirs]
    ratios = sorted(a / b for a, b in zip(mine, other))
    return {"model": model, "threads": threads, "test": what,
            "strata": statistics.median(mine), "llama.cpp": statistics.median(other),
            "ratio": statistics.median(ratios), "ratio_min": ratios[0], "ratio_max": ratios[-1]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--json", help="write the rows to this file")
    options = parser.parse_args()
    rows = []
    print("| model | threads | test | strata tok/s | llama.cpp tok/s | ratio (min to max) |")
    print("|---|---|---|---|---|---|")
    for model in options.models.split(","):
        file = MODELS[model]
        check = run_json([STRATA, "perplexity", file, "--chunks", "8", "--against-float32", "--json"])
        rise = check["perplexity"] / check["float32_perplexity"] - 1
        if rise > MAX_PERPLEXITY_RISE:
            sys.exit(f"error: {model}: perplexity {100 * rise:.2f} % above float32: no speed counts")
        for threads in (1, 2):
            ours, theirs = measure(file, threads, options.rounds)
            for what in ("prefill", "decode"):
                row = row_of(model, threads, what, ours, theirs)
                rows.append(row)
                print(f"| {model} | {threads} | {what} {PROMPT if what == 'prefill' else GENERATE} | "
                      f"{row['strata']:.0f} | {row['llama.cpp']:.0f} | {row['ratio']:.2f} "
                      f"({row['ratio_min']:.2f} to {row['ratio_max']:.2f}) |", flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


main()
