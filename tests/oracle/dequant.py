"""Writes src/tensor/testdata/dequant.txt: a few random blocks of every type and the floats that
reference implementations make of them.
usage: dequant.py FOLDER_OF_LIBGGML > src/tensor/testdata/dequant.txt
Oracle: gguf.quants.dequantize where the gguf package has the type, else the functions of
libggml-base.so (llama.cpp), called through ctypes; where both have it they are compared here."""
import ctypes
import pathlib
import sys
from importlib.metadata import version

import gguf
import numpy as np

N_BLOCKS = 3
# Type, its functions' name in libggml, offsets of the 16-bit scales in a block.
TYPES = [("F16", None, [0]), ("BF16", None, []), ("Q4_0", "q4_0", [0]), ("Q4_1", "q4_1", [0, 2]),
         ("Q5_0", "q5_0", [0]), ("Q5_1", "q5_1", [0, 2]), ("Q8_0", "q8_0", [0]),
         ("Q2_K", "q2_K", [80, 82]), ("Q3_K", "q3_K", [108]), ("Q4_K", "q4_K", [0, 2]),
         ("Q5_K", "q5_K", [0, 2]), ("Q6_K", "q6_K", [208]), ("Q8_K", "q8_K", []),
         ("IQ1_S", "iq1_s", [0]), ("IQ1_M", "iq1_m", []), ("IQ2_XXS", "iq2_xxs", [0]),
         ("IQ2_XS", "iq2_xs", [0]), ("IQ2_S", "iq2_s", [0]), ("IQ3_XXS", "iq3_xxs", [0]),
         ("IQ3_S", "iq3_s", [0]), ("IQ4_NL", "iq4_nl", [0]), ("IQ4_XS", "iq4_xs", [0]),
         ("TQ1_0", "tq1_0", [52]), ("TQ2_0", "tq2_0", [64]), ("MXFP4", "mxfp4", []),
         ("NVFP4", "nvfp4", []), ("Q1_0", "q1_0", [0]), ("Q2_0", "q2_0", [0])]
SIZES = {"Q1_0": (41, 128, 18), "Q2_0": (42, 64, 18)}  # for a gguf package that lacks them


def type_facts(name):
    kind = getattr(gguf.GGMLQuantizationType, name, None)
    if kind is None:
        return SIZES[name]
    return (int(kind), *gguf.GGML_QUANT_SIZES[kind])


def random_blocks(name, scales, n_bytes, generator):
    blocks = generator.integers(0, 256, (N_BLOCKS, n_bytes), dtype=np.uint8)
    for at in scales:  # finite, with one subnormal
        values = generator.normal(0, 0.05, N_BLOCKS).astype(np.float16)
        values[-1] = np.float16(3e-6)
        blocks[:, at:at + 2] = values.view(np.uint8).reshape(N_BLOCKS, 2)
    if name == "Q8_K":
        blocks[:, 0:4] = generator.normal(0, 0.1, N_BLOCKS).astype(np.float32)[:, None].view(
            np.uint8).reshape(N_BLOCKS, 4)
    if name == "IQ1_M":
        blocks[:, 55] &= 0xBF  # keeps the hidden scale's exponent below infinity
    if name == "MXFP4":
        blocks[:, 0] = [127, 1, 120]
    if name == "BF16":
        blocks[:, 1] &= 0xBF
    return blocks


def from_library(library, function, blocks, n_weights):
    out = np.empty(n_weights, np.float32)
    source = np.ascontiguousarray(blocks)
    getattr(library, "dequantize_row_" + function)(
        source.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_int64(n_weights))
    return out


def main():
    library = ctypes.CDLL(str(pathlib.Path(sys.argv[1]) / "libggml-base.so"))
    generator = np.random.default_rng(20260701)
    print(f"# written by tests/oracle/dequant.py with gguf {version('gguf')} and llama.cpp b11434")
    print("# per type: id, weights; hex of the blocks; hex of the float32 results")
    for name, function, scales in TYPES:
        kind, block_weights, block_bytes = type_facts(name)
        n_blocks = N_BLOCKS
        if block_weights == 1:
            scales = []
        blocks = random_blocks(name, scales, block_bytes, generator)
        answers = {}
        if function is not None:
            answers["llama.cpp"] = from_library(library, function, blocks,
                                                n_blocks * block_weights)
        try:
            answers["gguf"] = gguf.quants.dequantize(
                blocks.reshape(1, -1), gguf.GGMLQuantizationType(kind)).astype(np.float32).ravel()
        except (NotImplementedError, ValueError):
            if name == "F16":
                answers["gguf"] = blocks.ravel().view(np.float16).astype(np.float32)
        if len(answers) == 2:
            left, right = (answer.view(np.uint32) for answer in answers.values())
            same = np.array_equal(left & 0x7FFFFFFF, right & 0x7FFFFFFF) or np.array_equal(
                answers["llama.cpp"], answers["gguf"])
            if not same:
                print(f"{name}: the oracles differ", file=sys.stderr)
        oracle, answer = next(iter(answers.items()))
        print(f"{name} {kind} {answer.size} {oracle}")
        print(blocks.tobytes().hex())
        print(answer.tobytes().hex())


main()
