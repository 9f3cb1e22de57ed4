"""Time to the first token of a request that shares a long beginning with an earlier one, beside the
time of the earlier one: in memory, and from disk after the model was unloaded and loaded again.
Each round is a text that the server has not seen.

    ./dev bench prefix [--rounds N] [--json FILE]
"""
import argparse
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from lib.strata import MODELS, STRATA, environment, pull, start_server

WORDS = "the of and to in is was for on that by with as at from it his an were are which this".split()
SHARED = 4000  # words, each a token of both vocabularies
BOUND = 0.03
DISK_BOUND = 0.15


def seconds_to_first_token(address, model, prompt):
    body = {"model": model, "prompt": prompt, "raw": True, "stream": True,
            "options": {"num_predict": 1, "temperature": 0, "num_ctx": 8192}}
    request = urllib.request.Request(f"{address}/api/generate", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    begin = time.monotonic()
    with urllib.request.urlopen(request) as reply:
        reply.readline()
        return time.monotonic() - begin


def unload(address, model, env):
    """Until its beginnings are on disk; then loads it again, with a prompt of its own."""
    subprocess.run([STRATA, "stop", model], check=True, stderr=subprocess.DEVNULL,
                   env=dict(env, STRATA_HOST=address))
    while json.load(urllib.request.urlopen(f"{address}/api/ps"))["models"]:
        time.sleep(0.1)
    seconds_to_first_token(address, model, "warm up")


def text(generator, n):
    return " ".join(generator.choice(WORDS) for _ in range(n))


def measure(address, model, rounds, env):
    """Of each round the seconds when nothing is known, when memory has it, when the disk has it."""
    generator = random.Random(rounds)
    seconds_to_first_token(address, model, "warm up")
    times = []
    for _ in range(rounds):
        shared = text(generator, SHARED)
        cold = seconds_to_first_token(address, model, f"{shared} {text(generator, 10)}")
        again = seconds_to_first_token(address, model, f"{shared} {text(generator, 10)}")
        unload(address, model, env)
        restored = seconds_to_first_token(address, model, f"{shared} {text(generator, 10)}")
        times.append((cold, again, restored))
    return times


def report(model, times):
    row = {"model": model}
    for i, name in enumerate(("cold", "again", "restored")):
        row[name] = statistics.median(time[i] for time in times)
    row["ratio"] = statistics.median(again / cold for cold, again, _ in times)
    row["restored_ratio"] = statistics.median(restored / cold for cold, _, restored in times)
    for seconds, ratio, bound, where in (("again", "ratio", BOUND, "in memory"),
                                         ("restored", "restored_ratio", DISK_BOUND, "on disk")):
        print(f"{'ok  ' if row[ratio] <= bound else 'FAIL'} {model}: first token after "
              f"{row['cold']:.2f} s, with {SHARED} shared words {where} after "
              f"{row[seconds]:.3f} s: {100 * row[ratio]:.1f} % (at most {100 * bound:.0f} %)",
              flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="write the rows to this file")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as home:
        env = dict(environment(home), STRATA_CACHE_DISK="8GB")
        for name in MODELS:
            pull(name, env)
        server, address = start_server(env)
        try:
            for model in MODELS:
                rows.append(report(model, measure(address, model, options.rounds, env)))
        finally:
            server.terminate()
            server.wait()
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    sys.exit(any(row["ratio"] > BOUND or row["restored_ratio"] > DISK_BOUND for row in rows))


main()
