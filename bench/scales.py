"""What a token costs as work grows: against the sequences written at once, the tokens in the cache,
and the size of the model, beside what the memory allows. A term that grows where it should not
shows as a line that leaves its limit.

    ./dev bench scales [--rounds N] [--models smollm2,gemma3] [--threads N] [--json FILE] [--plot FOLDER]
"""
import json
import pathlib
import subprocess
import sys

from lib.curves import write_curves
from lib.options import finish, parser_of
from lib.strata import MODELS, STRATA

BATCHES = [1, 2, 4, 8, 16, 32, 64]
DEPTHS = [0, 1024, 2048, 4096, 8192, 16384, 32768]
PROMPTS = [128, 512, 2048, 8192]
WRITTEN = 32


def bench(model, options, *arguments):
    command = [STRATA, "bench", MODELS[model], "--quiet", "--json", "--rounds", str(options.rounds),
               "--generate", str(WRITTEN), *arguments]
    if options.threads:
        command += ["--threads", str(options.threads)]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"error: strata bench {model} failed")
    return json.loads(done.stdout)["cases"]


def joined(numbers):
    return ",".join(map(str, numbers))


def measure(model, options):
    """Rows of one model: milliseconds a token, measured and as the memory allows (none for prompts)."""
    cases = bench(model, options, "--prompt", 0, "--batch", joined(BATCHES))
    cases += bench(model, options, "--prompt", 0, "--depth", joined(DEPTHS[1:]))
    cases += bench(model, options, "--prompt", joined(PROMPTS), "--generate", 0)
    size = MODELS[model].stat().st_size
    return [{"model": model, "file_bytes": size,
             "kind": "prompt" if "prompt" in case else "written",
             "batch": case.get("batch", 1), "depth": case.get("depth", 0),
             "prompt": case.get("prompt", 0), "ms": 1000 / case["tokens_per_second"],
             "limit_ms": 1000 / case["memory_limit"] if "memory_limit" in case else None}
            for case in cases]


def curves(rows):
    """Charts: (file, title, axis, [(name, [(x, ms)], dashed)])."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    written = [row for row in rows if row["kind"] == "written"]

    def lines(chosen, x):
        for model in models:
            mine = [row for row in chosen if row["model"] == model]
            yield model, [(x(row), row["ms"]) for row in mine], False
            limit = [(x(row), row["limit_ms"]) for row in mine if row["limit_ms"]]
            if limit:
                yield f"{model}, as the memory allows", limit, True

    yield ("scales-batch", "Milliseconds a token, written at once", "sequences",
           list(lines([row for row in written if row["depth"] == 0], lambda row: row["batch"])))
    yield ("scales-depth", "Milliseconds a token, one sequence", "tokens in the cache",
           list(lines([row for row in written if row["batch"] == 1 and row["depth"]],
                      lambda row: row["depth"])))
    yield ("scales-prompt", "Milliseconds a token of a prompt", "tokens of the prompt",
           list(lines([row for row in rows if row["kind"] == "prompt"], lambda row: row["prompt"])))
    first = sorted((row["file_bytes"] / 1e6, row["ms"], row["limit_ms"]) for row in written
                   if row["batch"] == 1 and row["depth"] == 0)
    yield ("scales-size", "Milliseconds a token, one sequence", "megabytes of the file",
           [("measured", [(size, ms) for size, ms, _ in first], False),
            ("as the memory allows", [(size, limit) for size, _, limit in first], True)])


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--plot", type=pathlib.Path, help="write charts into this folder")
    options = parser.parse_args()
    rows = []
    for model in options.models:
        rows += measure(model, options)
        for row in rows:
            if row["model"] != model:
                continue
            beside = f", memory allows {row['limit_ms']:.2f}" if row["limit_ms"] else ""
            what = (f"prompt {row['prompt']}" if row["kind"] == "prompt" else
                    f"{row['batch']} at once, depth {row['depth']}")
            print(f"{model}: {what}: {row['ms']:.2f} ms a token{beside}", flush=True)
    if options.plot:
        write_curves(curves(rows), options.plot)
    finish(rows, options, 0)


if __name__ == "__main__":
    main()
