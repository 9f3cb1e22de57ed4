"""Starts build/strata serve on a free port with a store of its own, for end-to-end tests."""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL_FILE = "models/smollm2-135m.gguf"


def test_data():
    default = pathlib.Path.home() / ".cache" / "strata" / "test-data"
    return pathlib.Path(os.environ.get("STRATA_TEST_DATA") or default)


def scripted_file(scripted):
    """The script's file; True: the one that is built in."""
    return "-" if scripted is True else str(scripted)


class Served:
    """`with Served(program) as server`: the program's server, its model and its counters. `scripted`:
    True, or the file of a script."""

    def __init__(self, program, scripted=False, arguments=(), model_file=MODEL_FILE):
        self.program = pathlib.Path(program).resolve()
        self.scripted = scripted
        self.model = "babble" if scripted else "smol"
        self.arguments = list(arguments)
        self.model_file = model_file
        self.port = 0

    def __enter__(self):
        self.home = tempfile.mkdtemp(prefix="strata-e2e-")
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(("STRATA_", "OLLAMA_"))}
        environment["STRATA_HOME"] = self.home
        if self.scripted:
            self.arguments += ["--scripted", scripted_file(self.scripted)]
        else:
            file = test_data() / self.model_file
            subprocess.run([self.program, "pull", f"file:{file}", "--as", self.model, "--quiet"],
                           env=environment, check=True, stdout=subprocess.DEVNULL)
        self.log = open(pathlib.Path(self.home) / "server.log", "w+", encoding="utf-8")
        self.environment = environment
        self._start()
        return self

    def _start(self):
        self.port = 0
        self.process = subprocess.Popen([self.program, "serve", "--port", "0", *self.arguments],
                                        env=self.environment, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r"serving on http://[^ ]+:(\d+)", line):
                self.port = int(found.group(1))
                break
        if not self.port:
            sys.exit("error: the server did not start")
        # What it says later goes nowhere, but must be read so that it never waits for us.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stderr, stdout=self.log)

    def kill_and_start(self):
        """As after a crash or a power cut: the next process finds what the killed one left."""
        self.process.kill()
        self.process.wait(timeout=60)
        self.drain.wait(timeout=60)
        self._start()

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=60)
        self.drain.wait(timeout=60)
        self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def metrics(self):
        """Values by name, the labels left out; several series of a name are added up."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        values = {}
        for line in lines:
            if line and not line.startswith("#"):
                name, value = re.split(r"[{ ]", line, maxsplit=1)[0], line.rsplit(" ", 1)[1]
                values[name] = values.get(name, 0) + float(value)
        return values

    def rss_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stream(self, body, hang_up_after=None):
        """One streamed completion over a connection of its own. Returns (status, texts, end): the text
        of each choice; end is "finished", "hung up" (we closed the connection without a word after
        `hang_up_after` pieces) or "cut" (the stream ended before its end)."""
        n_choices = body.get("n", 1)
        path = "/v1/completions" if "prompt" in body else "/v1/chat/completions"
        body = json.dumps({**body, "model": self.model, "stream": True}).encode()
        head = (f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n")
        with socket.create_connection(("127.0.0.1", self.port), timeout=300) as connection:
            connection.sendall(head.encode() + body)
            return self._read(connection.makefile("rb"), n_choices, hang_up_after)

    @staticmethod
    def _read(lines, n_choices, hang_up_after):
        status = int(lines.readline().split()[1])
        texts, pieces, finished = [""] * n_choices, 0, 0
        for line in lines:  # chunk sizes and blank lines stand between the events
            if not line.startswith(b"data: "):
                continue
            if line.startswith(b"data: [DONE]"):
                return status, texts, "finished" if finished == n_choices else "cut"
            for choice in json.loads(line[6:]).get("choices") or []:
                delta = choice.get("delta", choice)
                texts[choice["index"]] += delta.get("content") or delta.get("text") or ""
                finished += choice.get("finish_reason") is not None
            pieces += 1
            if hang_up_after is not None and pieces > hang_up_after:
                return status, texts, "hung up"
        return status, texts, "cut"
