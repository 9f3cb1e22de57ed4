"""Whether llama.cpp takes the GGUF files that `strata convert` and `strata quantize` write: a model in
GGUF becomes a folder and a GGUF file again, and a file of each type; llama.cpp (PyPI xllamacpp, in a
venv of its own) continues a text with each, likeliest tokens only. Prints a line each.
usage: written_gguf.py STRATA MODEL.gguf [TYPE...]"""
import pathlib
import subprocess
import sys
import tempfile

import xllamacpp

PROMPT = "The capital of France is Paris, and the capital of Italy is"
N_TOKENS = 16


def continuation(path):
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = 256
    params.warmup = False
    params.verbosity = 0
    server = xllamacpp.Server(params)
    answer = server.handle_completions(
        {"prompt": PROMPT, "max_tokens": N_TOKENS, "temperature": 0})
    return answer["choices"][0]["text"]


def main(strata, model, *types):
    strata = str(pathlib.Path(strata).resolve())
    model = pathlib.Path(model).resolve()
    source = continuation(model)
    print(f"{model.name}: {source!r}", flush=True)
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)

        def run(*words):
            subprocess.run([strata, *map(str, words), "-q"], check=True,
                           stdout=subprocess.DEVNULL, cwd=work)

        run("convert", model, "folder", "--to", "safetensors")
        run("convert", "folder", "again.gguf")
        again = continuation(work / "again.gguf")
        print(f"folder and back: {'the same' if again == source else 'OTHER'}: {again!r}", flush=True)
        for name in types or ["Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "Q3_K_M", "IQ4_XS"]:
            run("quantize", "folder", name, f"{name}.gguf")
            print(f"{name}: {continuation(work / f'{name}.gguf')!r}", flush=True)
            (work / f"{name}.gguf").unlink()


main(*sys.argv[1:])
