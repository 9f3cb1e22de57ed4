"""Time to the first token of a request that shares a long beginning with an earlier one, beside the
time of the earlier one. Each round is a text that the server has not seen.

    ./dev bench prefix [--rounds N] [--json FILE]
"""
import argparse
import json
import pathlib
import random
import statistics
import sys
import tempfile
import time
import urllib.request

from lib.strata import MODELS, environment, pull, start_server

WORDS = "the of and to in is was for on that by with as at from it his an were are which this".split()
SHARED = 4000  # words, each a token of both vocabularies
BOUND = 0.03


def seconds_to_first_token(address, model, prompt):
    body = {"model": model, "prompt": prompt, "raw": True, "stream": True,
            "options": {"num_predict": 1, "temperature": 0, "num_ctx": 8192}}
    request = urllib.request.Request(f"{address}/api/generate", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    begin = time.monotonic()
    with urllib.request.urlopen(request) as reply:
        reply.readline()
        return time.monotonic() - begin


def text(generator, n):
    return " ".join(generator.choice(WORDS) for _ in range(n))


def measure(address, model, rounds):
    generator = random.Random(rounds)
    seconds_to_first_token(address, model, "warm up")
    pairs = []
    for _ in range(rounds):
        shared = text(generator, SHARED)
        cold = seconds_to_first_token(address, model, f"{shared} {text(generator, 10)}")
        again = seconds_to_first_token(address, model, f"{shared} {text(generator, 10)}")
        pairs.append((cold, again))
    return pairs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="write the rows to this file")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as home:
        env = environment(home)
        for name in MODELS:
            pull(name, env)
        server, address = start_server(env)
        try:
            for model in MODELS:
                pairs = measure(address, model, options.rounds)
                row = {"model": model, "cold": statistics.median(pair[0] for pair in pairs),
                       "again": statistics.median(pair[1] for pair in pairs),
                       "ratio": statistics.median(pair[1] / pair[0] for pair in pairs)}
                rows.append(row)
                print(f"{'ok  ' if row['ratio'] <= BOUND else 'FAIL'} {model}: first token after "
                      f"{row['cold']:.2f} s, with {SHARED} shared words after {row['again']:.3f} s: "
                      f"{100 * row['ratio']:.1f} % (at most {100 * BOUND:.0f} %)", flush=True)
        finally:
            server.terminate()
            server.wait()
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    sys.exit(any(row["ratio"] > BOUND for row in rows))


main()
