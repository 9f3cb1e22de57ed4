#!/usr/bin/env python3
"""Many streaming clients at one server, a third of which hang up at random. Checks: no error that
is not a 503; every finished answer equal to the one that the same seed gives alone; memory flat; no
connection, request or cache page left behind; 16 streams share their steps (tokens_per_step).

By hand: tests/end_to_end/load.py --clients 32 --seconds 60   (needs build/strata, test data)
Short, in ./dev test: --clients 8 --requests 3
With --mixed prompts are of all lengths, also beyond a window, and some ask for several choices."""
import argparse
import random
import sys
import threading
import time

from served import ROOT, Served, MODEL_FILE, test_data

PROMPTS = ["Tell me about the sea.", "Count to twenty.", "What is a compiler?",
           "Write a short story about a fox.", "Why is the sky blue?", "List five rivers."]
MIN_TOKENS_PER_STEP = 12
GROWTH_LIMIT_MB = 40  # the allocator's unused pages, with room; a leak of streams passes it at once


def request(kind, mixed=False):
    body = {"seed": 1000 + kind, "temperature": 0.9, "max_tokens": 12 + 7 * (kind % 5)}
    if mixed:  # up to about 1,500 tokens, all with the same beginning
        return {**body, "prompt": " ".join(PROMPTS * (1 << kind % 6)) + f" {kind}", "n": 1 + kind % 3}
    return {**body, "messages": [{"role": "user", "content": PROMPTS[kind % len(PROMPTS)]}]}


class Load:
    def __init__(self, server, options):
        self.server, self.options = server, options
        self.failures, self.counts = [], {"finished": 0, "hung up": 0, "503": 0}
        self.lock = threading.Lock()
        self.expected = {}

    def fail(self, what):
        with self.lock:
            self.failures.append(what)

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def ask_alone(self):
        for kind in range(self.options.kinds):
            status, texts, end = self.server.stream(request(kind, self.options.mixed))
            if status != 200 or end != "finished":
                sys.exit(f"error: alone, request {kind} was answered with {status}, {end}")
            self.expected[kind] = texts

    def one(self, draw):
        kind = draw.randrange(self.options.kinds)
        hang_up = draw.randrange(8) if draw.random() < 1 / 3 else None
        status, texts, end = self.server.stream(request(kind, self.options.mixed), hang_up)
        if status == 503:
            self.count("503")
        elif status != 200:
            self.fail(f"request {kind}: status {status}")
        elif end == "cut":
            self.fail(f"request {kind}: the stream ended before its end, after {texts!r}")
        else:
            self.count(end)
            if end == "finished" and texts != self.expected[kind]:
                self.fail(f"request {kind}: {texts!r}, alone {self.expected[kind]!r}")

    def client(self, number, deadline):
        draw = random.Random(number)
        done = 0
        while done < self.options.requests if self.options.requests else time.time() < deadline:
            try:
                self.one(draw)
            except OSError as error:
                self.fail(f"client {number}: {error}")
                return
            done += 1

    def run_clients(self, seconds):
        deadline = time.time() + seconds
        threads = [threading.Thread(target=self.client, args=(number, deadline))
                   for number in range(self.options.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def check_nothing_left(self):
        for _ in range(600):
            values = self.server.metrics()
            left = {name: values.get(name, 0) for name in
                    ("strata_requests_running", "strata_requests_waiting", "strata_kv_bytes_used")}
            if not any(left.values()):
                return
            time.sleep(0.05)
        self.fail(f"left behind: {left}")


def share_steps(server, failures):
    """16 equally long streams, begun together on a fresh server."""
    body = {**request(0), "max_tokens": 160, "ignore_eos": True}
    threads = [threading.Thread(target=server.stream, args=({**body, "seed": seed},))
               for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    value = server.metrics()["tokens_per_step"]
    print(f"16 streams: tokens_per_step {value:.2f}")
    if value < MIN_TOKENS_PER_STEP:
        failures.append(f"tokens_per_step is {value:.2f}, at least {MIN_TOKENS_PER_STEP} expected")


def run(options):
    served = Served(options.strata, options.scripted, model_file=options.model_file)
    with served as server:
        load = Load(server, options)
        if not options.scripted and not options.mixed:
            share_steps(server, load.failures)
        load.ask_alone()
        load.run_clients(options.seconds / 4)  # caches and the allocator's arenas fill up
        load.check_nothing_left()
        before_mb, before_files = server.rss_mb(), server.open_files()
        load.run_clients(options.seconds)
        load.check_nothing_left()
        after_mb, after_files = server.rss_mb(), server.open_files()
        print(f"{options.clients} clients: {load.counts}; resident {before_mb:.0f} MB before, "
              f"{after_mb:.0f} MB after; files {before_files}, {after_files}")
        if after_mb > before_mb + GROWTH_LIMIT_MB:
            load.fail(f"memory grew from {before_mb:.0f} to {after_mb:.0f} MB")
        if after_files > before_files + 2:
            load.fail(f"open files grew from {before_files} to {after_files}")
        if not load.counts["finished"] or not load.counts["hung up"]:
            load.fail("nothing finished or nobody hung up: this was no test")
        if server.process.poll() is not None:
            load.fail(f"the server ended with {server.process.returncode}")
    if served.process.returncode not in (0, -15):  # a sanitizer has found something
        load.fail(f"the server ended with {served.process.returncode}")
    return load.failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--requests", type=int, default=0, help="of a client; instead of seconds")
    parser.add_argument("--kinds", type=int, default=24, help="different requests")
    parser.add_argument("--mixed", action="store_true", help="all lengths, several choices")
    parser.add_argument("--model-file", default=MODEL_FILE, help="in the test data")
    parser.add_argument("--scripted", action="store_true", help="no model: the scripted backend")
    parser.add_argument("--or-scripted", action="store_true", help="likewise, without test data")
    options = parser.parse_args()
    file = test_data() / options.model_file
    present = file.exists()
    options.scripted = options.scripted or (options.or_scripted and not present)
    if not options.scripted and not present:
        sys.exit(f"error: {file} is missing\nhint: run tests/oracle/fetch, or use --scripted")
    failures = run(options)
    for failure in failures[:20]:
        print(f"FAILED: {failure}", file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
