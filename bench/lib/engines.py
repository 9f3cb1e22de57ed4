"""The engines that are measured side by side. Each knows the speed of a cell, and the perplexity of a
text read with a number of rows a step, which tells whether its answers on that path are right."""
import functools
import json
import pathlib
import re
import shlex
import subprocess
import sys

from lib.strata import PEERS, STRATA

TEXT = "/usr/share/common-licenses/GPL-3"
CONTEXT, CHUNKS = 512, 2
# How far a right engine may be: ours from its own float32 run, a peer's perplexity above that run's.
MAX_KL, MAX_RISE = 4e-3, 0.02


class Failed(Exception):
    """A peer that ends with an error."""


def output_of(*command, under=""):
    line = [*shlex.split(under), *map(str, command)]
    where = None if command[0] == STRATA else PEERS  # peers leave logs in their folder
    done = subprocess.run(line, capture_output=True, text=True, cwd=where)
    if done.returncode != 0:
        message = f"error: {' '.join(line)}\n{done.stderr[-2000:]}"
        if command[0] == STRATA:
            sys.exit(message)
        raise Failed(message)
    return done.stdout + done.stderr if command[0] != STRATA else done.stdout


def json_of(*command, **more):
    text = output_of(*command, **more)
    return json.loads(text[text.index("{"):])


class Strata:
    name = "strata"

    def loads(self, file):
        return True

    def speed(self, file, threads, cell, under):
        """Tokens a second, and for writing the speed that this machine's memory allows just now."""
        result = json_of(STRATA, "bench", file, "--prompt", cell.prompt, "--generate", cell.generate,
                         "--batch", cell.batch, "--depth", cell.depth, "--threads", threads,
                         "--rounds", 1, "--json", under=under)
        case = result["cases"][0]
        return case["tokens_per_second"], case.get("memory_limit")

    @functools.cache
    def distance(self, file):
        result = json_of(STRATA, "perplexity", file, "--text", TEXT, "--context", CONTEXT, "--chunks",
                         CHUNKS, "--against-float32", "--json")
        return {"perplexity": result["perplexity"], "float32": result["float32_perplexity"],
                "kl": result["mean_kl"], "right": result["mean_kl"] <= MAX_KL}

    def answers(self, file, rows):
        """A row's logits are bit for bit the same in a step of any size: one size tells for all."""
        return self.distance(file)


def beside_float32(perplexity, file):
    reference = OURS.distance(file)["float32"]
    return {"perplexity": perplexity, "float32": reference,
            "right": perplexity / reference - 1 <= MAX_RISE}


class Ggml:
    """llama.cpp and its relative: the same tools, with a few options of their own."""

    def __init__(self, name, no_warm_up, at_depth, several):
        self.name = name
        self.no_warm_up = no_warm_up  # llama-bench's option; else it does everything twice
        self.bin = PEERS / name / "bin"
        self.at_depth = at_depth  # llama-bench's options to write N tokens behind D others
        self.several = several  # llama-batched-bench's

    def loads(self, file):
        return (self.bin / "llama-bench").exists()

    def speed(self, file, threads, cell, under):
        measure = self.batch_speed if cell.batch > 1 else self.single_speed
        return measure(["-m", file, "-t", threads], cell, under), None

    def single_speed(self, options, cell, under):
        if cell.depth or cell.prompt > 512:
            options += self.no_warm_up
        if cell.depth:
            options += self.at_depth(cell.depth, cell.generate)
        else:
            options += ["-p", cell.prompt, "-n", cell.generate]
        text = output_of(self.bin / "llama-bench", *options, "-r", 1, "-o", "json", under=under)
        return float(re.search(r'"avg_ts": ([\d.]+)', text)[1])

    def batch_speed(self, options, cell, under):
        """The total rate of decoding, S_TG of the only row of the table."""
        context = cell.batch * (cell.depth + cell.generate)
        text = output_of(self.bin / "llama-batched-bench", *options, "-c", context, "-b", 2048, "-ub",
                         512, "-npp", cell.depth, "-ntg", cell.generate, "-npl", cell.batch,
                         *self.several, under=under)
        rows = [line.split("|")[1:-1] for line in text.splitlines()
                if re.match(rf"\|\s*{cell.depth} \|", line)]
        return float(rows[-1][7])

    def answers(self, file, rows):
        try:
            text = output_of(self.bin / "llama-perplexity", "-m", file, "-f", TEXT, "-c", CONTEXT,
                             "-b", CONTEXT, "-ub", rows, "--chunks", CHUNKS, "-t", 2)
        except Failed as failure:
            print(f"note: {failure}", file=sys.stderr)
            return {"right": False, "failed": True}
        return beside_float32(float(re.search(r"PPL.*? = ([\d.]+)", text)[1]), file)


class OpenVino:
    """Reads GGUF files of some architectures; the graph that it makes of one is kept beside a link to
    the file. Its perplexity is that of the graph, run by the same plugin."""
    name = "openvino"
    python = PEERS / "venv/bin/python"
    script = pathlib.Path(__file__).resolve().parents[1] / "peers/openvino_peer.py"

    def folder(self, file):
        return PEERS / "openvino" / file.stem

    def run(self, *arguments, under=""):
        return float(output_of(self.python, self.script, *arguments, under=under).split()[-1])

    def loads(self, file):
        folder = self.folder(file)
        if not folder.exists():
            done = subprocess.run([self.python, self.script, "convert", file, folder],
                                  capture_output=True, text=True)
            if done.returncode != 0:
                print(f"note: {self.name} cannot load {file.name}: {done.stderr.splitlines()[-1]}",
                      file=sys.stderr)
                return False
        return True

    def speed(self, file, threads, cell, under):
        return self.run("speed", self.folder(file), threads, cell.prompt, cell.generate, cell.batch,
                        cell.depth, under=under), None

    @functools.cache
    def perplexity(self, file):
        return self.run("perplexity", self.folder(file), TEXT, CONTEXT, CHUNKS)

    def answers(self, file, rows):
        """What it gets wrong are the weights, the same for any number of rows: read with 512."""
        return beside_float32(self.perplexity(file), file)


OURS = Strata()
OTHERS = {peer.name: peer for peer in (
    Ggml("llama.cpp", ["--no-warmup"], lambda depth, n: ["-p", 0, "-n", n, "-d", depth],
         []),
    Ggml("ik_llama.cpp", ["-w", 0], lambda depth, n: ["-p", 0, "-n", 0, "-gp", f"{depth},{n}"],
         ["-no-fa"]),  # its flash attention of several sequences ends with an assertion on AVX2
    OpenVino(),
)}
