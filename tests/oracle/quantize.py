"""What llama.cpp makes of weights:
- src/tensor/testdata/quantize.txt: floats, and the bytes of the types that are one formula;
- src/modify/testdata/quantize.json: of SmolLM2 135M, the SHA-256 of all tensor data of those types (by
  llama-quantize --pure), the root mean square errors of the searched types on some tensors, plain and
  with importance, and which type each tensor gets in each mixture.
usage: quantize.py FOLDER_OF_LLAMA_CPP_S_PROGRAMS FILE_OF_SMOLLM2"""
import collections
import ctypes
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import gguf
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES, MODEL = map(pathlib.Path, sys.argv[1:3])
ORACLE = "llama.cpp b11434"
FORMULAS = {"Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8}
SEARCHED = {"Q2_K": 10, "Q3_K": 11, "Q4_K": 12, "Q5_K": 13, "Q6_K": 14, "IQ4_NL": 20, "IQ4_XS": 23,
            "MXFP4": 39}
MIXES = ["Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K",
         "IQ4_NL", "IQ4_XS", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "F16", "BF16"]
TENSORS = ["blk.0.ffn_down.weight", "blk.3.attn_v.weight", "blk.17.ffn_up.weight"]
N_WEIGHTS = 1536 * 96  # of each tensor: whole rows, and whole blocks of 256

library = ctypes.CDLL(str(BINARIES / "libggml-base.so"))
library.ggml_quantize_chunk.restype = ctypes.c_size_t


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p) if array is not None else None


def quantize(kind, x, cols, importance=None):
    block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)]
    out = np.zeros(x.size // block * size, np.uint8)
    library.ggml_quantize_chunk(kind, pointer(x), pointer(out), ctypes.c_int64(0),
                                ctypes.c_int64(x.size // cols), ctypes.c_int64(cols),
                                pointer(importance))
    return out


def dequantize(name, blocks, n):
    out = np.empty(n, np.float32)
    function = name.lower().replace("_k", "_K")
    getattr(library, "dequantize_row_" + function)(pointer(blocks), pointer(out), ctypes.c_int64(n))
    return out


def edge_blocks():
    generator = np.random.default_rng(20261126)
    blocks = generator.normal(0, 0.05, (12, 32)).astype(np.float32)
    blocks[0] = 0
    blocks[1] = 0.25  # no spread
    blocks[2] = -np.abs(blocks[2])
    blocks[3] = np.arange(32) - 15.5  # halves of levels
    blocks[4] = np.arange(32, dtype=np.float32) - 16
    blocks[5, 7] = -blocks[5, 20]  # two extremes
    blocks[5, [7, 20]] *= 9
    blocks[6] *= 1e-6  # scales that are subnormal halves
    blocks[7] *= 1e4
    blocks[8, :31] = 0
    blocks[9] = np.round(blocks[9] * 127) / 254  # ties of eight bits
    return blocks.ravel()


def write_bytes():
    x = edge_blocks()
    with open(ROOT / "src/tensor/testdata/quantize.txt", "w") as file:
        print(f"# written by tests/oracle/quantize.py with {ORACLE}", file=file)
        print("# hex of float32 weights; then per type: id, hex of its blocks", file=file)
        print(x.tobytes().hex(), file=file)
        for kind in FORMULAS.values():
            print(kind, quantize(kind, x, x.size).tobytes().hex(), file=file)


def data_hash(path):
    digest = hashlib.sha256()
    for tensor in sorted(gguf.GGUFReader(path).tensors, key=lambda tensor: tensor.name):
        digest.update(np.ascontiguousarray(tensor.data).tobytes())
    return digest.hexdigest()


def importance_of(cols):
    """The formula of src/modify/quantize_test.cpp."""
    return ((np.arange(cols) * 37 % 101 + 1) / 51).astype(np.float32)


def errors(tensors):
    result = {}
    for tensor_name in TENSORS:
        tensor = tensors[tensor_name]
        x = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32).ravel()
        x = np.ascontiguousarray(x[:N_WEIGHTS])
        for name, kind in SEARCHED.items():
            for label, importance in (("plain", None), ("weighted", importance_of(1536))):
                back = dequantize(name, quantize(kind, x, 1536, importance), x.size)
                off = (back - x).astype(np.float64) ** 2
                if importance is not None:
                    off *= np.tile(importance.astype(np.float64), x.size // 1536)
                result.setdefault(name, {}).setdefault(tensor_name, {})[label] = float(
                    np.sqrt(off.mean()))
    return result


def run_quantize(*arguments):
    return subprocess.run([BINARIES / "llama-quantize", "--allow-requantize", *arguments], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


def types_in(mix, folder):
    """Which tensors get which type, layers as ranges."""
    run_quantize(MODEL, folder / "mix.gguf", mix, "2")
    places = collections.defaultdict(list)
    for tensor in gguf.GGUFReader(folder / "mix.gguf").tensors:
        if len(tensor.shape) < 2:
            continue
        match = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", tensor.name)
        place, layer = (match[2], int(match[1])) if match else (tensor.name, 0)
        places[f"{place} {tensor.tensor_type.name}"].append(layer)
    return {key: sorted(layers) for key, layers in sorted(places.items())}


def main():
    write_bytes()
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(MODEL).tensors}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        hashes = {}
        for kind in [*FORMULAS, "F16", "BF16"]:
            run_quantize("--pure", MODEL, folder / "pure.gguf", kind, "2")
            hashes[kind] = data_hash(folder / "pure.gguf")
        mixes = {mix: types_in(mix, folder) for mix in MIXES}
    result = {"oracle": ORACLE, "command": "tests/oracle/quantize.py", "hashes": hashes,
              "errors": errors(tensors), "mixes": mixes}
    text = json.dumps(result, indent=1)
    text = re.sub(r"\[[\d,\s]+\]", lambda match: re.sub(r"\s+", "", match[0]), text)
    (ROOT / "src/modify/testdata/quantize.json").write_text(text + "\n")


main()
