"""The weights of models that are a formula of tensor name and element index, before they are rounded to
bfloat16: the twin of src/models/testing/formula_model.h, which says how."""
import math

import numpy as np

GOLDEN, MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


def formula_weights(name, cols, rows=1):
    """cols * rows floats, row by row."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, cols * rows + 1, dtype=np.uint64) * np.uint64(GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    uniform = (z >> np.uint64(40)).astype(np.float64) * 2.0 ** -23 - 1.0
    offset, scale = 0.0, math.sqrt(3.0 / cols)
    if name.endswith("norm.weight"):
        offset, scale = 1.0, 0.25
    elif name.endswith(".bias"):
        scale = 0.25
    elif name.endswith(".ssm_a"):
        offset, scale = -1.0, 0.5
    elif name == "rope_freqs.weight":
        offset, scale = 2.0, 1.0
    return (offset + scale * uniform).astype(np.float32)
