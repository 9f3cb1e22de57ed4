"""Makes the files that the engines are measured on beside the pulled ones, in $STRATA_PEERS/models:
the two models requantised by llama.cpp's llama-quantize, and a model of a larger shape (that of Qwen 2.5
0.5B, 150,000 tokens) whose weights are a formula.
usage: PEERS/venv/bin/python bench/peers/models.py     (bench/peers/build does it; 4 GB)"""
import pathlib
import subprocess
import sys

import gguf
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "bench"), str(ROOT / "tests/oracle")]
from formula import formula_weights
from lib.engines import PEERS
from lib.strata import MADE, MODELS, QUANTISED_FROM

N_EMBD, N_HIDDEN, N_HEADS, N_KV_HEADS, N_LAYERS, N_VOCAB = 896, 4864, 14, 2, 24, 150_000


def visible_byte(byte):
    """The character that stands for a byte in GPT-2's vocabularies."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    if byte in visible:
        return chr(byte)
    return chr(256 + [other for other in range(256) if other not in visible].index(byte))


def tensors():
    """Names and shapes, rows first."""
    width = N_EMBD // N_HEADS * N_KV_HEADS
    yield "token_embd.weight", (N_VOCAB, N_EMBD)
    yield "output_norm.weight", (N_EMBD,)
    for layer in range(N_LAYERS):
        for name, shape in {"attn_norm.weight": (N_EMBD,), "ffn_norm.weight": (N_EMBD,),
                            "attn_q.weight": (N_EMBD, N_EMBD), "attn_q.bias": (N_EMBD,),
                            "attn_k.weight": (width, N_EMBD), "attn_k.bias": (width,),
                            "attn_v.weight": (width, N_EMBD), "attn_v.bias": (width,),
                            "attn_output.weight": (N_EMBD, N_EMBD),
                            "ffn_gate.weight": (N_HIDDEN, N_EMBD),
                            "ffn_up.weight": (N_HIDDEN, N_EMBD),
                            "ffn_down.weight": (N_EMBD, N_HIDDEN)}.items():
            yield f"blk.{layer}.{name}", shape


def add_vocabulary(writer):
    """Bytes, and words that no text has: text becomes a token a byte, in every engine."""
    tokens = [visible_byte(byte) for byte in range(256)]
    tokens += ["ab"] + [f"word{i}" for i in range(N_VOCAB - 258)] + ["<|end|>"]
    control = gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.NORMAL] * (N_VOCAB - 1) + [control])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(N_VOCAB - 1)
    writer.add_add_bos_token(False)


def write_formula_model(file):
    writer = gguf.GGUFWriter(file, "qwen2")
    writer.add_context_length(32768)
    writer.add_embedding_length(N_EMBD)
    writer.add_feed_forward_length(N_HIDDEN)
    writer.add_block_count(N_LAYERS)
    writer.add_head_count(N_HEADS)
    writer.add_head_count_kv(N_KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    add_vocabulary(writer)
    for name, shape in tensors():
        weights = formula_weights(name, shape[-1], int(np.prod(shape[:-1])))
        kind = np.float16 if len(shape) > 1 else np.float32
        writer.add_tensor(name, weights.reshape(shape).astype(kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def make(name, write):
    """Under another name first: a file that was cut off is never taken for one."""
    file = MADE / f"{name}.gguf"
    if not file.exists():
        part = file.with_suffix(".part")
        write(part)
        part.rename(file)
    print(file)


def quantised(source, kind):
    tool = PEERS / "llama.cpp/bin/llama-quantize"
    return lambda file: subprocess.run([tool, "--allow-requantize", source, file, kind], check=True,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


MADE.mkdir(parents=True, exist_ok=True)
make("formula-f16", write_formula_model)
for model, (source, type_name) in QUANTISED_FROM.items():
    make(model, quantised(MODELS[source], type_name))
