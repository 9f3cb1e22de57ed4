"""What the benchmarks share: where the program and the models are, and a server of its own."""
import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
STRATA = pathlib.Path(os.environ.get("STRATA") or ROOT / "build" / "strata")
DATA = pathlib.Path(os.environ.get("STRATA_TEST_DATA") or
                    pathlib.Path.home() / ".cache/strata/test-data")
PEERS = pathlib.Path(os.environ.get("STRATA_PEERS") or pathlib.Path.home() / ".cache/strata/peers")
MODELS = {"smollm2": DATA / "models/smollm2-135m.gguf", "gemma3": DATA / "models/gemma3-270m.gguf"}
PULLED = list(MODELS)
# Made by bench/peers/models.py. Types are llama.cpp's names.
MADE = PEERS / "models"
QUANTISED_FROM = {f"{model}-{kind.lower()}": (source, kind)
                  for model, source, kinds in (
                      ("smollm2", "smollm2", ("Q4_0", "Q8_0", "Q4_K_M", "F16", "BF16")),
                      ("gemma3", "gemma3", ("Q4_0", "Q8_0", "Q4_K_M", "F16", "BF16")),
                      ("formula", "formula-f16", ("Q4_0", "Q8_0", "Q4_K_M", "BF16")))
                  for kind in kinds}
MODELS |= {name: MADE / f"{name}.gguf" for name in ("formula-f16", *QUANTISED_FROM)}


def environment(home):
    return dict(os.environ, STRATA_HOME=str(home))


def pull(name, env):
    subprocess.run([STRATA, "pull", "-q", f"file:{MODELS[name]}", "--as", name], env=env,
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def start_server(env, *options):
    """The process, and the address at which it listens."""
    server = subprocess.Popen([STRATA, "serve", "--port", "0", *options], env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    for line in server.stdout:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return server, found[0]
    sys.exit("error: the server did not start")


def completion(address, body):
    """Each event of a streamed answer, a JSON text, and when it arrived; one a token. Closing the
    iterator cancels the request. Over a plain socket: a client that works hard for each token takes
    the processor from the server that is measured (urllib: half the speed on two cores)."""
    place = urllib.parse.urlsplit(address)
    content = json.dumps(body).encode()
    head = (f"POST /v1/completions HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n")
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(head.encode() + content)
        rest = b""
        while received := connection.recv(1 << 16):
            moment = time.monotonic()
            *lines, rest = (rest + received).split(b"\n")
            for line in lines:
                if line.startswith(b"data: {"):
                    yield moment, line[len(b"data: "):]
                elif line.startswith(b"HTTP/1.1 ") and not line.startswith(b"HTTP/1.1 200"):
                    sys.exit(f"error: {line.decode().strip()}")


@contextlib.contextmanager
def serving(models, *options):
    """The address of a server with a home of its own that knows these models."""
    with tempfile.TemporaryDirectory() as home:
        env = environment(home)
        for name in models:
            pull(name, env)
        server, address = start_server(env, *options)
        try:
            yield address
        finally:
            server.terminate()
            server.wait()
