"""Many streams at once, of a scripted model that says 20 words a second: how much later than alone a word
arrives while 1,000 connections are idle and 200 answers come. The client has one core to itself, the
server the others. A word's delay is the time since the one before it, less a twentieth of a second.

    ./dev bench streams [--idle N] [--active N] [--seconds N] [--json FILE]
"""
import argparse
import json
import os
import pathlib
import resource
import selectors
import socket
import sys
import tempfile
import time

from lib.strata import environment, start_server

RATE = 20  # words a second
BOUND_MS = 2.0
CHUNK = b'"content":"'


def script(folder, words):
    file = folder / "script.json"
    model = {"name": "steady", "tokens_per_second": RATE, "rules": [{"reply": " ".join(["word"] * words)}]}
    file.write_text(json.dumps({"max_running": 1024, "models": [model]}))
    return file


class Stream:
    def __init__(self, port, selector):
        self.socket = socket.create_connection(("127.0.0.1", port))
        body = json.dumps({"model": "steady", "stream": True, "messages": [{"role": "user", "content": "go"}]})
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        self.socket.sendall((head + body).encode())
        self.socket.setblocking(False)
        self.begun, self.last, self.delays, self.failed = False, None, [], None
        selector.register(self.socket, selectors.EVENT_READ, self)

    def read(self, now):
        received = self.socket.recv(1 << 16)
        if not self.begun and not received.startswith(b"HTTP/1.1 200"):
            self.failed = received[:200]
        self.begun = True
        if CHUNK in received:
            if self.last is not None:
                self.delays.append(now - self.last - 1 / RATE)
            self.last = now
        return bool(received)


def delays_ms(port, active, seconds):
    """Of every word but each answer's first ten, when all have begun."""
    selector = selectors.DefaultSelector()
    streams = []
    for _ in range(active):
        streams.append(Stream(port, selector))
        time.sleep(1 / RATE / active)  # spread over a word's time, as people are
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        for key, _ in selector.select(end - now):
            if not key.data.read(time.monotonic()):
                selector.unregister(key.fileobj)
    for stream in streams:
        if stream.failed:
            sys.exit(f"error: {stream.failed}")
        stream.socket.close()
    return sorted(1000 * delay for stream in streams for delay in stream.delays[10:])


def share(sorted_values, part):
    return sorted_values[min(len(sorted_values) - 1, int(part * len(sorted_values)))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--active", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--json")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("error: the client needs a core of its own beside the server's")
    with tempfile.TemporaryDirectory() as home:
        file = script(pathlib.Path(home), int(RATE * (options.seconds + 30)))
        os.sched_setaffinity(0, cores[1:])  # the server's, which it inherits
        server, address = start_server(environment(home), "--scripted", str(file))
        os.sched_setaffinity(0, cores[:1])
        try:
            port = int(address.rsplit(":", 1)[1])
            alone = delays_ms(port, 1, options.seconds)
            idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(options.idle)]
            loaded = delays_ms(port, options.active, options.seconds)
            for each in idle:
                each.close()
        finally:
            server.terminate()
            server.wait(timeout=60)
    result = {"alone_p50": share(alone, 0.5), "alone_p99": share(alone, 0.99), "loaded_p50": share(loaded, 0.5),
              "loaded_p99": share(loaded, 0.99), "words": len(loaded), "idle": options.idle,
              "active": options.active}
    result["added_p99"] = result["loaded_p99"] - result["alone_p99"]
    print(f"a word's delay, ms     p50     p99\n"
          f"one answer         {result['alone_p50']:7.2f} {result['alone_p99']:7.2f}\n"
          f"{options.active} answers, {options.idle} idle {result['loaded_p50']:5.2f} {result['loaded_p99']:7.2f}\n"
          f"added at p99       {result['added_p99']:15.2f}   (bound {BOUND_MS})   {len(loaded)} words")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
