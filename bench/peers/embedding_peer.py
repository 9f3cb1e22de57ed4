"""PyTorch and ONNX Runtime as peers of bench/embeddings.py; runs in the peers' environment.

    embedding_peer.py export FOLDER FILE.onnx
    embedding_peer.py run ENGINE FOLDER FILE.onnx TEXTS.json VECTORS.npy THREADS   -> seconds

ENGINE: torch-f32, torch-bf16, onnxruntime. As sentence-transformers does it: texts by falling
length, 32 at a time, padded to the longest; mean of the states, divided by its length. The tokenizer
works inside the time, the first two batches before it.
"""
import json
import os
import pathlib
import sys
import time

import numpy as np

BATCH = 32


def mean_of(states, mask):
    pooled = (states * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)


def with_torch(folder, threads, kind):
    import torch
    import transformers
    torch.set_num_threads(threads)
    model = transformers.AutoModel.from_pretrained(folder, dtype=kind).eval()

    def run(ids, mask):
        with torch.inference_mode():
            states = model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
        return states.last_hidden_state.float().numpy()
    return run


def with_onnx(file, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda ids, mask: session.run(["states"], {"ids": ids, "mask": mask})[0]


def run(engine, folder, file, texts, vectors, threads):
    os.environ["RAYON_NUM_THREADS"] = threads  # of the tokenizer
    import transformers
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    texts = json.loads(pathlib.Path(texts).read_text())
    threads = int(threads)
    model = (with_onnx(file, threads) if engine == "onnxruntime"
             else with_torch(folder, threads, {"torch-f32": "float32",
                                               "torch-bf16": "bfloat16"}[engine]))

    def embed(some):
        read = tokenizer(some, padding=True, truncation=True, max_length=512, return_tensors="np")
        return mean_of(model(read["input_ids"], read["attention_mask"]), read["attention_mask"])

    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    batches = [order[i:i + BATCH] for i in range(0, len(order), BATCH)]
    for batch in (batches[0], batches[-1]):
        embed([texts[i] for i in batch])
    out = [None] * len(texts)
    began = time.monotonic()
    for batch in batches:
        for i, vector in zip(batch, embed([texts[i] for i in batch])):
            out[i] = vector
    print(time.monotonic() - began)
    np.save(vectors, np.array(out, np.float32))


def export(folder, file):
    import torch
    import transformers
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()

    class States(torch.nn.Module):  # tracing passes by place what transformers takes by name only
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, ids, mask):
            return self.model(input_ids=ids, attention_mask=mask).last_hidden_state

    example = torch.ones(2, 8, dtype=torch.long)
    axes = {0: "batch", 1: "length"}
    torch.onnx.export(States(), (example, example), file, input_names=["ids", "mask"],
                      output_names=["states"], opset_version=17, dynamo=False,
                      dynamic_axes={"ids": axes, "mask": axes, "states": axes})


{"run": run, "export": export}[sys.argv[1]](*sys.argv[2:])
