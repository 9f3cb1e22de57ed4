"""Writes arrays as a TensorFlow checkpoint, for published_weights.py: TensorFlow and PyTorch bring
an LLVM each and do not share a process.
usage: tensor_bundle.py ARRAYS.npz PREFIX SHARDS"""
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf


def main():
    values = np.load(sys.argv[1])
    prefix, n_shards = sys.argv[2], int(sys.argv[3])
    parts, all_names = [], sorted(values)
    for i in range(n_shards):
        names = all_names[i * len(all_names) // n_shards:(i + 1) * len(all_names) // n_shards]
        parts.append(f"{prefix}_part_{i}")
        tf.raw_ops.SaveV2(prefix=parts[-1], tensor_names=names, shape_and_slices=[""] * len(names),
                          tensors=[tf.constant(values[name]) for name in names])
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=prefix)
    index = pathlib.Path(prefix + ".index")
    print(f"tensorflow {tf.__version__}: {index.name} has {index.stat().st_size} bytes",
          file=sys.stderr)


main()
