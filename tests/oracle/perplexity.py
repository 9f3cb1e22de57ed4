"""Writes src/inference/testdata/perplexity.json: the perplexity of the real models over the more than
30,000 tokens of testdata/licences.txt, by llama.cpp on the file dequantised to F32 (also as it was
after each chunk) and by our float32 executor on the file itself (also each chunk's mean negative
log-likelihood).
Needs bench/peers/build, ./dev build and tests/oracle/fetch; about twenty minutes on two cores.
usage: perplexity.py > src/inference/testdata/perplexity.json"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import gguf
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path.home() / ".cache/strata"
PEERS = pathlib.Path(os.environ.get("STRATA_PEERS") or CACHE / "peers")
DATA = pathlib.Path(os.environ.get("STRATA_TEST_DATA") or CACHE / "test-data")
MODELS = ("smollm2-135m", "gemma3-270m")
TEXT = ROOT / "src/inference/testdata/licences.txt"  # seven licences of Debian, joined
CONTEXT = 512
MAX_DIFFERENCE = 0.001  # float32 against float32: rounding, nothing else


def copy_field(writer, field):
    if field.name.startswith("GGUF.") or field.name == "general.architecture":
        return
    if field.name == "general.file_type":
        writer.add_file_type(gguf.LlamaFileType.ALL_F32)
        return
    sub_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
    writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=sub_type)


def in_float32(source, target):
    reader = gguf.GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(target, architecture)
    for field in reader.fields.values():
        copy_field(writer, field)
    for tensor in reader.tensors:
        weights = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, np.ascontiguousarray(weights, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def by_llama_cpp(model, text, folder):
    """Its perplexity of all chunks, and of the chunks so far after each of them."""
    file = folder / "float32.gguf"
    in_float32(model, file)
    done = subprocess.run(
        [PEERS / "llama.cpp/bin/llama-perplexity", "-m", file, "-f", text, "-c", str(CONTEXT),
         "-b", str(CONTEXT), "-t", str(os.cpu_count())], capture_output=True, text=True, check=True)
    file.unlink()
    said = done.stdout + done.stderr
    so_far = [float(value) for value in re.findall(r"\[\d+\]([0-9.]+),", said)]
    return float(re.search(r"Final estimate: PPL = ([0-9.]+)", said)[1]), so_far


def by_strata(model, text):
    done = subprocess.run(
        [ROOT / "build/strata", "perplexity", model, "--text", text, "--context", str(CONTEXT),
         "--float32", "--threads", str(os.cpu_count()), "--json"], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def measure(name, folder):
    file = DATA / "models" / f"{name}.gguf"
    (theirs, so_far), ours = by_llama_cpp(file, TEXT, folder), by_strata(file, TEXT)
    if abs(ours["perplexity"] / theirs - 1) > MAX_DIFFERENCE:
        sys.exit(f"error: {name}: float32 {ours['perplexity']:.4f}, llama.cpp {theirs:.4f}")
    return {"llama_cpp": theirs, "llama_cpp_so_far": so_far, "float32": ours["perplexity"],
            "chunk_nll": [round(nll, 6) for nll in ours["chunk_nll"]]}, ours["text_sha256"]


def main():
    result = {"context": CONTEXT, "models": {}}
    with tempfile.TemporaryDirectory() as folder:
        for model in MODELS:
            result["models"][model], result["text_sha256"] = measure(model, pathlib.Path(folder))
    json.dump(result, sys.stdout, indent=1)
    print()


main()
