#!/usr/bin/env python3
"""Every command of the built program as a user gives it, with a home of its own: exit codes, data on
stdout and words on stderr, contents. Then what talks to a server, with one that serves the real model
and one that is scripted. Also: docs/settings.md has every setting and variable.

By hand: tests/end_to_end/commands.py [--strata build/strata]   (needs test data)"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from served import ROOT, Served, MODEL_FILE, test_data

SHORT = ("--temperature", "0", "--seed", "1", "--max-tokens", "8")
LENGTH_NOTE = "ended by its length limit of 8 tokens"
# Variables that are no settings; each with its place in the page.
OTHER_VARIABLES = ("STRATA_HOME", "STRATA_API_KEY", "STRATA_CPU", "HF_TOKEN", "HF_ENDPOINT",
                   "OLLAMA_MODELS")


class Commands:
    """Gives commands to the program in one home, and counts what is not as it should be."""

    def __init__(self, program, home):
        self.program, self.home = pathlib.Path(program).resolve(), pathlib.Path(home)
        self.failures, self.count = 0, 0
        self.environment = {key: value for key, value in os.environ.items()
                            if not key.startswith(("STRATA_", "OLLAMA_", "HF_"))}
        self.environment |= {"STRATA_HOME": str(home), "STRATA_OFFLINE": "true",
                             "STRATA_HOST": "127.0.0.1:9"}  # nobody listens there

    def check(self, holds, what):
        self.count += 1
        if not holds:
            self.failures += 1
            print(f"FAILED: {what}", file=sys.stderr)

    def ended(self, *words, code=0, stdin="", cwd=None, **variables):
        """stdout and stderr of a command that has to end with `code`."""
        done = subprocess.run([self.program, *map(str, words)], input=stdin, capture_output=True,
                              text=True, timeout=120, cwd=cwd, env=self.environment | variables)
        self.check(done.returncode == code,
                   f"{words} ended with {done.returncode}, not {code}: {done.stderr[-400:]}")
        return done.stdout, done.stderr

    def out(self, *words, **more):
        """stdout of a command that has nothing to say beside its data."""
        out, said = self.ended(*words, **more)
        self.check(said == "", f"{words} said: {said}")
        return out

    def data(self, *words, **more):
        """What --json prints; stderr may tell of progress."""
        out, _ = self.ended(*words, "--json", **more)
        try:
            return json.loads(out)
        except ValueError:
            self.check(False, f"{words} --json printed no JSON: {out[:200]}")
            return {}

    def refused(self, *words, code, says, **more):
        out, said = self.ended(*words, code=code, **more)
        self.check(out == "", f"{words} failed and printed: {out[:200]}")
        self.check(re.search("^error: ", said, re.MULTILINE) and says in said,
                   f"{words}: no '{says}' in: {said[-400:]}")

    def has(self, text, *parts):
        for part in parts:
            self.check(part in text, f"no '{part}' in: {text[:400]}")

    def equal(self, found, wanted, what):
        self.check(found == wanted, f"{what}: {found!r}, not {wanted!r}")


def names_of(c):
    listed = c.out("--help").split("commands:\n")[1].split("\n\n")[0]
    return re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", listed, re.MULTILINE)


def check_help(c):
    c.equal(c.out(), c.out("--help"), "without words")
    commands = names_of(c)
    c.check(len(commands) >= 23, f"--help names {commands}")
    for command in commands:
        text = c.out(*command.split(), "--help")
        c.has(text, f"usage: strata {command}", "common options:", "examples:")
    c.equal(c.data("version")["version"], c.out("--version").split()[1], "version")
    c.equal(c.out("version"), c.out("--version"), "version")


def check_mistakes(c):
    c.refused("lst", code=2, says="did you mean 'list'")
    c.refused("list", "--jsno", code=2, says="did you mean '--json'")
    c.refused("show", code=2, says="needs MODEL")
    c.refused("run", "smolm2", "hi", code=3, says="did you mean 'smollm2")
    c.refused("config", "show", "server.hots", code=3, says="did you mean 'server.host'")
    c.refused("completion", "bsh", code=2, says="bash, zsh or fish")
    for words in (("ps",), ("stop", "smol")):
        c.refused(*words, code=4, says="no strata server answers on 127.0.0.1:9")


def check_settings(c):
    (c.home / "strata.yaml").write_text("server:\n  keep_alive: 10m\n", encoding="utf-8")
    rows = c.data("config", "show", STRATA_THREADS="1")
    for key, value, origin in (("server.keep_alive", "10m", "strata.yaml"),
                               ("engine.threads", "1", "STRATA_THREADS"),
                               ("engine.context", "0", "default")):
        c.equal(rows[key]["value"], value, key)
        c.has(rows[key]["origin"], origin)
        line = c.out("config", "show", "--origin", key, STRATA_THREADS="1")
        c.has(line, origin)
    c.equal(c.out("config", "show", "server.keep_alive"), "10m\n", "one setting")
    (c.home / "strata.yaml").write_text("server:\n  keep_alve: 10m\n", encoding="utf-8")
    c.refused("config", "show", code=2, says="keep_alve")
    (c.home / "strata.yaml").unlink()
    check_settings_page(c, rows)


def check_settings_page(c, rows):
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    told = {line[1]: line[0] for line in re.findall(r"^(\| `([a-z_.]+)` \|.*)$", page, re.MULTILINE)}
    c.equal(sorted(told), sorted(rows), "settings of docs/settings.md")
    for key, row in rows.items():
        variables = re.findall(r"`([A-Z_]+)`", told.get(key, ""))
        c.equal(variables, row["environment"], f"variables of {key} in docs/settings.md")
    for name in OTHER_VARIABLES:
        c.has(page, f"`{name}`")


def check_scripts_and_pages(c):
    commands = names_of(c)
    for shell in ("bash", "zsh", "fish"):
        script = c.out("completion", shell)
        c.has(script, *{command.split()[0] for command in commands})
        if shell == "bash":
            done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
            c.equal((done.returncode, done.stderr), (0, ""), "bash -n")
    for command in commands:
        page = c.out("man", *command.split())
        c.check(page.startswith(".TH STRATA-") and ".SH SYNOPSIS" in page, f"man {command}: {page[:80]}")
    c.ended("man", "--write", c.home / "man")
    c.equal(len(list((c.home / "man").iterdir())), len(commands) + 1, "pages written")


def check_doctor(c):
    done = subprocess.run([c.program, "doctor", "--json"], capture_output=True, text=True,
                          env=c.environment)
    found = json.loads(done.stdout)
    c.equal(done.returncode, 0 if found["healthy"] else 1, "doctor's exit code")
    c.equal(found["healthy"], not any(row["problem"] for row in found["findings"]), "healthy")
    whats = {row["what"] for row in found["findings"]}
    c.check({"version", "kernels", "memory", "store", "settings", "server"} <= whats, f"{whats}")


def ollama_folder(c, file):
    """A folder as Ollama has it, with the real model as its only one."""
    folder = c.home / "ollama"
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    for path, data in ((f"blobs/sha256-{digest}", content),
                       ("manifests/registry.ollama.ai/library/theirs/1b", json.dumps(
                           {"schemaVersion": 2, "layers": [
                               {"mediaType": "application/vnd.ollama.image.model",
                                "digest": f"sha256:{digest}", "size": len(content)}]}).encode())):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def check_closed_pipe(c):
    """Whoever reads no further is no mistake."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([c.program, "list"], stdout=writer, stderr=subprocess.PIPE, timeout=120,
                          env=c.environment)
    os.close(writer)
    c.equal((done.returncode, done.stderr), (141, b""), "stdout is a closed pipe")


def check_store(c, file):
    c.refused("pull", "file:/nowhere.gguf", code=3, says="/nowhere.gguf")
    stored = c.data("pull", f"file:{file}", "--as", "smol")
    c.equal((stored["name"], stored["size_bytes"], stored["already_there"]),
            ("smol:latest", file.stat().st_size, False), "pull")
    c.has(c.out("list"), "NAME", "smol:latest", stored["digest"][:12])
    shown = c.data("show", "smol", "--context", "1024")
    c.equal((shown["architecture"], shown["layers"], shown["digest"]),
            ("llama", 30, stored["digest"]), "show")
    c.check(any(row["context"] == 1024 for row in shown["memory"]), "show --context 1024")
    halved = c.data("show", "smol", "--context", "1024", "--kv", "int8")
    c.equal([row["kv_bytes"] / 17 * 32 for row in halved["memory"]],
            [row["kv_bytes"] for row in shown["memory"]], "show --kv int8")
    c.refused("show", "smol", "--kv", "q4_1", code=2, says="it must be bf16, int8 or int4")
    c.refused("serve", OLLAMA_KV_CACHE_TYPE="q4_1", code=2, says="it must be bf16, int8 or int4")
    c.refused("show", "smo", code=3, says="did you mean 'smol:latest'")

    c.ended("cp", "smol", "other")
    c.refused("cp", "smol", "other", code=1, says="other")
    (c.home / "Modelfile").write_text("FROM smol\nSYSTEM Be brief.\nPARAMETER top_k 7\n",
                                      encoding="utf-8")
    c.has(c.ended("create", "brief", "-f", c.home / "Modelfile")[1], "created brief:latest")
    c.has(c.ended("create", "brief", "-f", c.home / "Modelfile")[1], "replaced brief:latest")
    check_closed_pipe(c)
    (c.home / "bare.gguf").write_bytes(b"")
    for command in (("pull", "bare.gguf"), ("run", "bare.gguf", "Hi")):
        c.refused(*command, code=3, says="./bare.gguf", cwd=c.home)
    c.refused("create", "x", "-f", "/nowhere", code=3, says="/nowhere")
    c.equal(c.out("show", "brief", "--system").strip(), "Be brief.", "system text")
    c.has(c.out("show", "brief", "--modelfile"), "SYSTEM Be brief.", "PARAMETER top_k 7")

    folder = ollama_folder(c, file)
    c.has(c.ended("import", OLLAMA_MODELS=str(folder))[0], "theirs:1b")
    c.ended("import", "theirs:1b", "--from", folder, "--as", "mine")
    c.refused("import", "absent", "--from", folder, code=3, says="absent")
    names = {model["name"]: model["digest"] for model in c.data("list")["models"]}
    c.equal(set(names), {"smol:latest", "other:latest", "brief:latest", "mine:latest"}, "list")
    c.equal(set(names.values()), {stored["digest"]}, "all stand for one file")
    c.ended("rm", "other", "mine")
    c.equal(c.out("list", "--names"), "brief:latest\nsmol:latest\n", "after rm")
    c.refused("rm", "other", code=3, says="other")
    c.equal(len(list((c.home / "blobs").glob("sha256-*"))), 1, "weights that a name stands for stay")


def check_vectors(c, **here):
    """Texts from arguments, a file and a pipe; by this process or by a server."""
    lines = c.ended("embed", "smol", "a b", "c", **here)[0].splitlines()
    c.equal(len(lines), 2, "a line a text")
    first = [float(x) for x in lines[0].split()]
    c.check(abs(sum(x * x for x in first) - 1) < 1e-5, "a vector of length 1")
    c.equal(c.ended("embed", "smol", stdin="a b\nc\n", **here)[0].splitlines(), lines, "from a pipe")
    (c.home / "texts").write_text("a b\n\nc\n", encoding="utf-8")
    c.refused("embed", "smol", "--file", c.home / "texts", code=2, says="line 2 is empty", **here)
    (c.home / "texts").write_text("a b\nc\n", encoding="utf-8")
    found = c.data("embed", "smol", "--file", c.home / "texts", **here)
    c.equal(found["embeddings"][0], first, "from a file, as JSON")
    c.check(found["tokens"] > 1, f"tokens {found['tokens']}")
    c.equal(len(c.ended("embed", "smol", "--whole", stdin="a b\nc\n", **here)[0].splitlines()), 1,
            "one text of a pipe")
    c.equal(len(c.ended("embed", "smol", "--dimensions", "3", "c", **here)[0].split()), 3, "dimensions")
    c.refused("embed", "smol", code=2, says="no text", **here)
    c.refused("embed", "smol", "--dimensions", "9999", "c", code=2, says="vectors of 576", **here)
    return lines


def check_answers(c):
    answer, said = c.ended("run", "smol", *SHORT, "Hi")
    c.check(answer.strip() != "" and answer.endswith("\n"), f"answer {answer!r}")
    c.has(said, LENGTH_NOTE)
    c.equal(c.ended("run", "smol", *SHORT, stdin="Hi")[0], answer, "the prompt from a pipe")
    warm = ("run", "smol", "--temperature", "1", "--max-tokens", "8", "Hi", "--seed")
    c.equal(c.ended(*warm, "5")[0], c.ended(*warm, "5")[0], "the same seed")
    c.check(len({c.ended(*warm, str(seed))[0] for seed in range(4)}) > 1, "seeds differ")
    c.refused("run", "smol", *SHORT, "--context", "16", "word " * 50, code=2, says="16")
    text = c.home / "text"
    text.write_text("The quick brown fox jumps over the lazy dog. " * 100, encoding="utf-8")
    measured = c.data("perplexity", "smol", "--text", text, "--context", "64", "--chunks", "2")
    c.equal(measured["text_sha256"], hashlib.sha256(text.read_bytes()).hexdigest(), "text")
    c.check(1 < measured["perplexity"] < 100 and measured["chunks"] == 2, f"{measured}")
    check_vectors(c)
    check_formats(c)
    speed = c.data("bench", "smol", "--prompt", "16", "--generate", "4", "--rounds", "1")
    c.equal(len(speed["cases"]), 2, "cases of bench")
    c.check(all(case["tokens_per_second"] > 0 for case in speed["cases"]), f"{speed}")
    return answer


def check_formats(c, **here):
    schema = c.home / "colour.json"
    schema.write_text('{"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}},'
                      ' "required": ["colour"], "additionalProperties": false}', encoding="utf-8")
    ask = ("run", "smol", "Which colour has the sky?", "--temperature", "0", "--max-tokens", "40")
    answer = c.ended(*ask, "--format", schema, **here)[0]
    c.check(json.loads(answer)["colour"] in ("red", "blue"), f"{answer}")
    c.equal(c.ended(*ask, "--format", schema.read_text(encoding="utf-8"), **here)[0], answer, "inline")
    c.refused(*ask, "--format", '{"type": "object", "$dynamicRef": "#a"}', code=2, says="#/$dynamicRef", **here)
    c.refused(*ask, "--format", c.home / "none.json", code=3, says="none.json", **here)
    c.refused(*ask, "--format", "xml", code=3, says="regex:EXPRESSION", **here)
    grammar = c.home / "either.gbnf"
    grammar.write_text('root ::= "yes" | "no"', encoding="utf-8")
    c.check(c.ended(*ask, "--local", "--format", grammar, **here)[0].strip() in ("yes", "no"), "a grammar")
    digits = c.ended(*ask, "--local", "--format", "regex:[0-9]{3}", **here)[0].strip()
    c.check(len(digits) == 3 and digits.isdigit(), f"{digits}")


def check_quantize(c):
    """Behind check_answers: its text."""
    text, matrix, small = (c.home / name for name in ("text", "imatrix.gguf", "small.gguf"))
    made = c.data("imatrix", "smol", text, matrix, "--context", "64", "--chunks", "2", "-q")
    c.equal(made["chunks"], 2, "chunks of the importance matrix")
    report = c.data("quantize", "smol", "Q4_0", small, "--imatrix", matrix, "--check", text,
                    "--chunks", "1", "-q")
    c.check(0 < small.stat().st_size - report["data_bytes"] < 10e6, f"head of {small}")
    c.check(4.5 <= report["bits_per_weight"] < 6, f"{report['bits_per_weight']} bits a weight")
    c.check(0 < report["check"]["mean_kl"] < 1, f"{report['check']}")
    c.check(any(tensor["weighted"] for tensor in report["tensors"]), "errors are weighed")
    c.data("perplexity", small, "--text", text, "--context", "64", "--chunks", "1")
    before = small.read_bytes()
    c.refused("quantize", "smol", "Q8_0", small, code=1, says="--force")
    c.refused("quantize", small, "Q8_0", small, "--force", code=2, says="itself")
    c.refused("quantize", "smol", "Q4_9", code=2, says="Q4_0")
    c.refused("quantize", "smol", "Q4_0", c.home / "x.gguf", "--imatrix", text, code=2, says="importance")
    c.has(c.ended("quantize", "smol", "Q8_0", c.home / "x.gguf", "--dry-run")[1], "bits a weight")
    c.check(not (c.home / "x.gguf").exists() and small.read_bytes() == before, "nothing was written")


def check_prompts(c):
    first, second = c.home / "greeting.txt", c.home / "greeting.yaml"
    first.write_text("Greet {{who}}.\n")
    second.write_text("text: Greet {{who}} {{times}} times.\n"
                      "variables: {times: {type: integer, default: 2}}\n"
                      "settings: {temperature: 0}\n")
    c.ended("prompt", "put", "greeting", str(first), "--label", "production")
    c.equal(c.data("prompt", "put", "greeting", str(second), "--note", "twice")["version"], 2, "version")
    c.equal(c.out("prompt", "render", "greeting", "who=Ada"), "[system]\nGreet Ada.\n\n", "production")
    c.has(c.out("prompt", "render", "greeting", "who=Ada", "--version", "latest"), "Greet Ada 2 times.")
    c.has(c.out("prompt", "diff", "greeting", "production"), "+ setting temperature: 0")
    c.ended("prompt", "label", "greeting", "production", "2", "--trial", "1", "--percent", "10")
    listed = c.data("prompt", "list")["prompts"][0]
    c.equal((listed["latest"], listed["labels"][0]["trial"]), (2, 1), "the list")
    c.has(c.out("prompt", "show", "greeting", "--all"), "twice")
    c.has(c.ended("prompt", "show", "greeting", "2")[0], "{{times}}")
    c.refused("prompt", "show", "greeting", "2", "--version", "1", code=2, says="VERSION")
    c.ended("prompt", "rm", "greeting")
    c.equal(c.data("prompt", "list")["prompts"], [], "nothing is left")


def check_keys(c):
    secret, said = c.ended("key", "create", "laptop")
    c.check(re.fullmatch(r"sk-strata-\S+\n", secret), "the key alone is printed")
    c.check(secret.strip() not in said, "the key is not said a second time")
    listed = c.out("key", "list", "--json")
    c.check(secret.strip() not in listed, "the key is not listed")
    c.equal(json.loads(listed)["keys"][0]["state"], "live", "state")
    link, said = c.ended("key", "link", "anna", "--scopes", "inference")
    c.check(re.fullmatch(r"http://127\.0\.0\.1:9/#/link/invitation-strata-\S{43}\n", link), "the link alone is printed")
    c.has(said, "once")
    c.equal(len(c.data("key", "list")["keys"]), 1, "a link is no key yet")
    c.ended("key", "revoke", "laptop")
    c.equal(c.data("key", "list")["keys"], [], "a revoked key is no longer listed")
    c.equal(c.data("key", "list", "--all")["keys"][0]["state"], "revoked", "state")


def check_cache(c, answer):
    """Behind check_answers: models were loaded."""
    cached = c.data("cache", "list")
    c.equal(cached["prefixes"], [], "no prompts are kept unless the settings say so")
    c.check(any("smol" in entry["model"] and entry["size_bytes"] > 0 for entry in cached["weights"]),
            f"weights of what was run: {cached}")
    c.ended("cache", "rm", "smol")
    c.refused("cache", "rm", "smol", code=3, says="smol")
    c.equal(c.ended("run", "smol", *SHORT, "Hi")[0], answer, "packed anew")
    c.ended("cache", "rm", "--all")
    c.equal(c.data("cache", "list"), {"prefixes": [], "weights": []}, "an empty cache")


def check_server(c, alone):
    """With the server's own home, where the same model lies."""
    with Served(c.program) as server:
        here = {"STRATA_HOME": server.home, "STRATA_HOST": f"127.0.0.1:{server.port}"}
        c.equal(c.data("ps", **here), {"models": []}, "nothing is loaded at first")
        answer, said = c.ended("run", "smol", *SHORT, "Hi", **here)
        c.equal(answer, alone, "by the server as in this process")
        c.has(said, LENGTH_NOTE)
        loaded = c.data("ps", **here)["models"]
        c.equal([row["name"] for row in loaded], ["smol:latest"], "ps")
        c.has(c.out("ps", **here), "NAME", "smol:latest")
        check_vectors(c, **here)
        check_formats(c, **here)
        c.ended("stop", "smol", **here)
        c.equal(c.data("ps", **here), {"models": []}, "stopped")
        c.refused("stop", "smol", code=3, says="not loaded", **here)


def check_scripted_server(c):
    with Served(c.program, scripted=True) as server:
        here = {"STRATA_HOST": f"127.0.0.1:{server.port}"}
        c.equal(len(c.data("ps", **here)["models"]), 1, "ps of a scripted server")
        c.refused("stop", "nope", code=3, says="nope", **here)
        taken = c.ended("serve", "--scripted", "-", "--port", str(server.port), code=1)
        c.equal(taken[0], "", "a server that cannot listen prints nothing")
        c.has(taken[1], "error: ", str(server.port))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    options = parser.parse_args()
    file = test_data() / MODEL_FILE
    if not file.exists():
        sys.exit(f"error: {file} is missing\nhint: run tests/oracle/fetch")
    with tempfile.TemporaryDirectory(prefix="strata-e2e-") as home:
        c = Commands(options.strata, home)
        for part in (check_help, check_mistakes, check_settings, check_scripts_and_pages,
                     check_doctor, check_keys, check_prompts, check_scripted_server):
            part(c)
        check_store(c, file)
        answer = check_answers(c)
        check_quantize(c)
        check_cache(c, answer)
        check_server(c, answer)
    print(f"{c.count} checks, {c.failures} failed")
    sys.exit(1 if c.failures else 0)


if __name__ == "__main__":
    main()
