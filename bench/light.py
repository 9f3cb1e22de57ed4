"""How light the program is: its size, the time of --help, of a vocabulary and of a first token, memory
when idle and with a model loaded, each beside its bound. Clocks on a shared machine are noisy: the median counts.

    ./dev bench light [--rounds N] [--json FILE]
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from lib.strata import MODELS, ROOT, STRATA, environment, pull, start_server

CONTEXT = 4096
MB = 1e6


def stripped_size(folder):
    copy = folder / "stripped"
    subprocess.run(["strip", "-o", copy, STRATA], check=True)
    return copy.stat().st_size / MB


def seconds(command, env, until_first_byte=False):
    begin = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          stdin=subprocess.DEVNULL, env=env) as process:
        if until_first_byte:
            process.stdout.read(1)
            taken = time.monotonic() - begin
        process.stdout.read()
    if process.returncode != 0:
        sys.exit(f"error: {' '.join(map(str, command))} ended with {process.returncode}")
    return taken if until_first_byte else time.monotonic() - begin


def median_seconds(rounds, *arguments, **more):
    return statistics.median(seconds(*arguments, **more) for _ in range(rounds))


def vocabulary_ms(rounds):
    """From the mapped file to a tokenizer that is ready, of Gemma's 262,144 entries: the second of the
    files that tokenizer_bench.cpp opens."""
    program = ROOT / "build-bench/models_bench"
    if not program.exists():
        sys.exit(f"error: {program.relative_to(ROOT)} is not built\nhint: ./dev bench light builds it")
    command = [program, "--benchmark_filter=open_vocabulary/1$",
               "--benchmark_format=json", f"--benchmark_repetitions={rounds}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    runs = json.loads(done.stdout)["benchmarks"]
    return next(run["real_time"] for run in runs if run.get("aggregate_name") == "median")


def resident(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024 / MB


def post(address, path, body):
    request = urllib.request.Request(address + path, json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    return json.loads(urllib.request.urlopen(request).read())


def memory_of(name, env):
    """Idle and loaded resident memory, and what may be resident with the model loaded."""
    server, address = start_server(env)
    try:
        idle = resident(server.pid)
        post(address, "/api/generate", {"model": name, "prompt": "Once upon a time", "raw": True,
                                        "stream": False, "options": {"num_predict": 64,
                                                                     "num_ctx": CONTEXT}})
        loaded = resident(server.pid)
    finally:
        server.terminate()
        server.wait()
    shown = json.loads(subprocess.run([STRATA, "show", name, "--context", str(CONTEXT), "--json"],
                                      env=env, stdout=subprocess.PIPE, check=True).stdout)
    kv = next(row["kv_bytes"] for row in shown["memory"] if row["context"] == CONTEXT)
    size = MODELS[name].stat().st_size
    return idle, loaded, (1.05 * size + kv) / MB + 80


def measure(rounds, folder):
    """(what, measured, bound, unit)"""
    env = environment(folder / "home")
    yield "stripped program", stripped_size(folder), 60, "MB"
    yield "--help", 1e3 * median_seconds(5 * rounds, [STRATA, "--help"], env), 50, "ms"
    yield "a vocabulary of 262,144 is ready", vocabulary_ms(max(2, rounds)), 20, "ms"
    for name in MODELS:
        pull(name, env)
        command = [STRATA, "run", name, "--max-tokens", "8", "Once upon a time"]
        first = median_seconds(rounds, command, env, until_first_byte=True)
        yield f"{name}: first token from the command", first, 2, "s"
        idle, loaded, allowed = memory_of(name, env)
        yield f"{name}: resident, nothing loaded", idle, 100, "MB"
        yield f"{name}: resident, loaded, context {CONTEXT}", loaded, allowed, "MB"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="write the rows to this file")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for what, value, bound, unit in measure(options.rounds, pathlib.Path(name)):
            rows.append({"what": what, "value": value, "bound": bound, "unit": unit})
            print(f"{'ok  ' if value <= bound else 'FAIL'} {what:<45}{value:9.2f} {unit} "
                  f"(at most {bound:.0f})", flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    sys.exit(any(row["value"] > row["bound"] for row in rows))


main()
