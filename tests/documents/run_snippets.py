"""Runs the programs of docs/api/reference against a server with scripted answers: each has to end well. What
they ask for is made first, and its names stand in for the words in capitals."""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "end_to_end"))

from checks import check, failures  # noqa: E402
from served import Served  # noqa: E402
from snippets import LANGUAGES  # noqa: E402

ADDRESS = "http://127.0.0.1:11434"
MODEL = "smollm2:135m"
VERSION = {"anthropic-version": "2023-06-01"}
SLOW = "slow"  # its answers are still under way when they are cancelled
SCRIPT = {"models": [{"name": MODEL, "rules": [{"reply": "It scatters blue light."}]},
                     {"name": SLOW, "tokens_per_second": 0.01, "rules": [{"reply": "one two three"}]}]}
STORED = ROOT / "src/models/format/testdata/gguf_fuzz/llama.gguf"
OF_THE_STORE = ("POST /api/create", "POST /api/copy", "DELETE /api/delete", "GET /api/v1/models/{name}")
# What scripted models cannot do; --real asks it of one of this machine.
OF_A_MODEL = ("embed", "Embed", "DELETE /v1/models/")
# What a server refuses that is offline, whose model scores nothing, and that has no job.
REFUSED = ("POST /api/pull", "POST /api/push", "POST /v1/rerank", "GET /api/v1/hub/models", "GET /api/v1/hub/files",
           "POST /api/v1/jobs/{id}/pause", "POST /api/v1/jobs/{id}/resume", "DELETE /api/v1/jobs/{id}")
# Left out: where the app is not built there are none.
APP_FILES = ("/assets/", "/frame/", "/icon", "/manifest", "/sw.js")
ENDLESS = "The stream ends with its reader."  # as reference.py says it
RUNS = {"curl": ("ask.sh", ["sh", "ask.sh"]), "Python": ("ask.py", [sys.executable, "ask.py"]),
        "JavaScript": ("ask.mjs", ["node", "ask.mjs"]), "Go": ("ask.go", ["go", "run", "ask.go"]),
        "Java": ("Ask.java", ["java", "Ask.java"]),
        "C++": ("ask.cpp", ["sh", "-c", "c++ -Wall -Wextra -Werror -o ask ask.cpp -lcurl && ./ask"])}


def programs(language):
    """(page, operation, program) of the pages."""
    block = re.compile(rf"^```{LANGUAGES[language][0]}\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
    for page in sorted((ROOT / "docs" / "api" / "reference").glob("*.md")):
        for text in page.read_text(encoding="utf-8").split("\n## ")[1:]:
            if (found := block.search(text)) and ENDLESS not in text:
                yield page.name, text.partition("\n")[0], found[1]


class Maker:
    """Makes what a path names; the words in capitals that stand for it."""

    def __init__(self, server):
        self.server = server
        self.address = f"http://127.0.0.1:{server.port}"

    def strata(self, *words):
        return subprocess.run([self.server.program, *words], env=self.server.environment, text=True,
                              capture_output=True, check=True).stdout

    def post(self, path, body, kind="application/json"):
        data = json.dumps(body).encode() if kind == "application/json" else body.encode()
        request = urllib.request.Request(self.address + path, data, {"content-type": kind, **VERSION})
        return json.loads(urllib.request.urlopen(request, timeout=60).read() or "null")

    def get(self, path, headers=None):
        request = urllib.request.Request(self.address + path, headers=headers or {})
        return urllib.request.urlopen(request, timeout=60).read().decode()

    def file(self, model=MODEL):
        line = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions",
                "body": {"model": model, "messages": [{"role": "user", "content": "Hi"}]}}
        part = '--x\r\ncontent-disposition: form-data; name="{}"{}\r\n\r\n{}\r\n'
        body = (part.format("purpose", "", "batch")
                + part.format("file", '; filename="a.jsonl"', json.dumps(line)) + "--x--\r\n")
        return self.post("/v1/files", body, "multipart/form-data; boundary=x")["id"]

    def batch(self, operation):
        """One batch runs after the other: only one that is cancelled may be slow."""
        file = self.file(SLOW if operation.endswith("/cancel") else MODEL)
        return self.post("/v1/batches", {"input_file_id": file, "endpoint": "/v1/chat/completions",
                                         "completion_window": "24h"})["id"]

    def batch_of_messages(self, operation):
        """One that can be cancelled, or one that has ended."""
        params = {"model": SLOW if operation.endswith("/cancel") else MODEL, "max_tokens": 9,
                  "messages": [{"role": "user", "content": "Hi"}]}
        made = self.post("/v1/messages/batches", {"requests": [{"custom_id": "a", "params": params}]})["id"]
        while params["model"] == MODEL:
            batch = json.loads(self.get(f"/v1/messages/batches/{made}", VERSION))
            if batch["processing_status"] == "ended":
                break
        return made

    def response(self):
        return self.post("/v1/responses", {"model": SLOW, "input": "Hi", "background": True})["id"]

    def chat(self):
        return self.post("/v1/chat/completions", {"model": MODEL, "store": True, "messages": [
            {"role": "user", "content": "Hi"}]})["id"]

    def conversation(self):
        made = self.post("/v1/conversations", {})["id"]
        items = self.post(f"/v1/conversations/{made}/items", {"items": [
            {"type": "message", "role": "user", "content": "Hi"}]})
        return made, items["data"][0]["id"]

    def thread(self, with_answer):
        made = self.post("/api/v1/conversations", {"messages": [{"role": "user", "text": "Hi"}]})["id"]
        message = json.loads(self.get(f"/api/v1/conversations/{made}"))["messages"][0]["id"]
        if with_answer:
            message = self.post(f"/api/v1/conversations/{made}/answers",
                                {"parent": message, "model": SLOW})["id"]
        return made, message

    def thread_that_calls(self):
        made = self.post("/api/v1/conversations", {"messages": [{"role": "user", "text": "Hi"}, {
            "role": "assistant", "text": "", "data": {"calls": [{"id": "CALL", "name": "weather", "arguments": "{}"}]}}]})["id"]
        return made, json.loads(self.get(f"/api/v1/conversations/{made}"))["messages"][1]["id"]

    def share(self):
        made = self.thread(False)[0]
        return made, self.post(f"/api/v1/conversations/{made}/share", {})["token"]

    def prompt(self):
        for text in ("Answer in {{language}}.", "Answer in {{language}}, briefly."):
            self.post("/api/v1/prompts/greeting/versions", {"text": text, "variables": {
                "language": {"type": "string", "default": "English"}}})
        request = urllib.request.Request(
            f"{self.address}/api/v1/prompts/greeting/labels/production", b'{"version": 1}',
            {"content-type": "application/json"}, method="PUT")
        urllib.request.urlopen(request, timeout=60).read()

    def words(self, operation):
        """{what stands in the program: what is put there}"""
        path = operation.partition(" ")[2]
        words = {}
        if operation in OF_THE_STORE:
            self.strata("pull", f"file:{STORED}", "--as", "stored", "--quiet")
            words[MODEL] = "stored"
            words["second"] = "stored" if path == "/api/delete" else "second"
        elif operation.startswith("DELETE /v1/models/"):
            words[MODEL] = "stored"
            if not self.server.scripted:
                self.post("/api/copy", {"source": self.server.model, "destination": "stored"})
        elif path.startswith("/api/v1/keys/{"):
            words["ID"] = self.post("/api/v1/keys", {"name": "laptop"})["id"]
        elif path == "/api/v1/session/link":
            words["INVITATION"] = self.strata("key", "link", "reader").strip().rpartition("/")[2]
        elif path == "/api/v1/session":
            words["KEY"] = self.strata("key", "create", "reader", "--scopes", "inference").strip()
        elif path.startswith("/v1/files/"):
            words["ID"] = self.file()
        elif path == "/v1/batches":
            words["FILE"] = self.file()
        elif path.startswith("/v1/batches/"):
            words["ID"] = self.batch(operation)
        elif path.startswith("/v1/messages/batches/"):
            words["ID"] = self.batch_of_messages(operation)
        elif path.startswith("/v1/responses/{"):
            words["ID"] = self.response()
        elif path.startswith("/v1/chat/completions/{"):
            words["ID"] = self.chat()
        elif path.startswith("/v1/conversations/{"):
            words["ID"], words["ITEM"] = self.conversation()
        elif path.endswith("/share"):
            words["ID"] = self.share()[0]
        elif path.endswith("/outputs"):
            words["ID"], words["MESSAGE"] = self.thread_that_calls()
        elif path.startswith("/api/v1/conversations/{"):
            words["ID"], words["MESSAGE"] = self.thread("{message}" in path)
        elif path.startswith("/api/v1/shared/"):
            words["TOKEN"] = self.share()[1]
        elif path.startswith("/api/v1/votes/{"):
            words["ID"] = self.post("/api/v1/votes", {"models": ["a", "b"]})["id"]
        elif path.startswith("/api/v1/prompts/"):
            self.prompt()
        return words


def run(language, program, home):
    name, command = RUNS[language]
    with tempfile.TemporaryDirectory(dir=home) as folder:
        (pathlib.Path(folder) / name).write_text(program, encoding="utf-8")
        environment = {**os.environ, "CURL_HOME": home, "GOPROXY": "off", "no_proxy": "*"}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True,
                              timeout=120, check=False)


def try_programs(server, languages, real, home):
    maker = Maker(server)
    for language in languages:
        for page, operation, program in programs(language):
            of_a_model = any(each in operation for each in OF_A_MODEL)
            if real and not of_a_model or operation.partition(" ")[2].startswith(APP_FILES):
                continue
            words = {**({MODEL: server.model} if real else {}), **maker.words(operation)}
            program = program.replace(ADDRESS, maker.address)
            for word, name in words.items():
                program = re.sub(rf"\b{word}\b", name, program)
            done = run(language, program, home)
            refused = operation in REFUSED or of_a_model and not real
            said = f"{done.stdout[-300:]} {done.stderr[-300:]}" if (done.returncode != 0) != refused else ""
            check(not said, f"{language} {page} {operation}{' is refused' if refused else ''} {said}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    parser.add_argument("--real", action="store_true", help="only what needs a model of this machine")
    parser.add_argument("languages", nargs="*", default=["curl", "Python", "JavaScript"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="strata-snippets-") as home:
        script = pathlib.Path(home) / "script.json"
        script.write_text(json.dumps(SCRIPT), encoding="utf-8")
        (pathlib.Path(home) / ".curlrc").write_text("silent\nshow-error\nfail-with-body\n")
        with Served(options.strata, scripted=not options.real and script,
                    arguments=["--offline"]) as server:
            try_programs(server, options.languages, options.real, home)
    sys.exit(1 if failures else 0)


main()
