"""Writes src/inference/testdata/tiny_*.json: tiny models of each family, as GGUF metadata and
tensor shapes, with the logits that transformers computes for them.
usage: tiny_models.py FOLDER [NAME_OF_GGUF_FOLDER]
Weights are no part of the fixtures: both sides compute them from tensor names and element indices
(src/models/testing/formula_model.h says how). With a second folder the models are also written as
GGUF files with the gguf package, for llama.cpp and for people."""
import json
import pathlib
import sys
from importlib.metadata import version

import numpy as np
import torch
import transformers

from formula import formula_weights

N_LOGITS = 12  # of each answer that the fixture keeps, beside sum and norm over all


def formula(name, cols, rows=1):
    weights = torch.from_numpy(formula_weights(name, cols, rows)).to(torch.bfloat16).to(torch.float32)
    return weights.reshape(rows, cols) if rows > 1 else weights


class Tiny:
    """One model: GGUF metadata and tensors on one side, a transformers model on the other."""

    def __init__(self, name, architecture, config, model, metadata):
        self.name, self.config = name, config
        self.metadata = {"general.architecture": architecture, "general.name": name}
        self.metadata.update({f"{architecture}.{k}": v for k, v in metadata.items()})
        self.tensors, self.values = {}, {}
        torch.manual_seed(0)
        self.model = model(config).to(torch.float32).eval()
        self.state = dict(self.model.named_parameters())
        self.left = set(self.state)

    def put(self, gguf_name, hf_name, transform=None):
        """Fills the parameter hf_name; transform goes from GGUF layout to the parameter's."""
        parameter = self.state[hf_name]
        rows, cols = parameter.shape if parameter.dim() == 2 else (1, parameter.shape[0])
        values = formula(gguf_name, cols, rows)
        self.tensors[gguf_name] = [cols, rows] if rows > 1 else [cols]
        self.values[gguf_name] = values
        with torch.no_grad():
            parameter.copy_(transform(values) if transform else values)
        self.left.discard(hf_name)

    def check_all_filled(self):
        left = {name for name in self.left
                if not (name == "lm_head.weight" and self.config.tie_word_embeddings)}
        assert not left, f"{self.name}: not filled: {left}"


def unpermute(n_heads):
    """From adjacent pairs (GGUF, llama) to halves (transformers)."""
    def apply(values):
        if values.dim() == 1:
            return values.reshape(n_heads, -1, 2).swapaxes(1, 2).reshape(-1)
        rows, cols = values.shape
        return values.reshape(n_heads, rows // n_heads // 2, 2, cols).swapaxes(1, 2).reshape(
            rows, cols)
    return apply


def interleave_heads(n_heads):
    """From [Q; K; V] (GGUF) to Q, K, V of each head in turn (transformers' GPT-NeoX)."""
    def apply(values):
        rest = values.shape[1:]
        return values.reshape(3, n_heads, -1, *rest).swapaxes(0, 1).reshape(values.shape)
    return apply


def attention_metadata(c, head_dim):
    return {"block_count": c.num_hidden_layers, "context_length": c.max_position_embeddings,
            "embedding_length": c.hidden_size, "feed_forward_length": c.intermediate_size,
            "attention.head_count": c.num_attention_heads,
            "attention.head_count_kv": c.num_key_value_heads,
            "attention.key_length": head_dim, "attention.value_length": head_dim,
            "attention.layer_norm_rms_epsilon": c.rms_norm_eps,
            "rope.dimension_count": head_dim}


def put_decoder(tiny, permute_heads, extra_norms=()):
    c = tiny.config
    tiny.put("token_embd.weight", "model.embed_tokens.weight")
    minus_one = (lambda v: v - 1) if extra_norms else None
    tiny.put("output_norm.weight", "model.norm.weight", minus_one)
    if not c.tie_word_embeddings:
        tiny.put("output.weight", "lm_head.weight")
    for i in range(c.num_hidden_layers):
        hf, gg = f"model.layers.{i}.", f"blk.{i}."
        q, k = (unpermute(n) if permute_heads else None
                for n in (c.num_attention_heads, c.num_key_value_heads))
        for part, where, transform in (("q", "q_proj", q), ("k", "k_proj", k),
                                       ("v", "v_proj", None), ("output", "o_proj", None)):
            for kind in ("weight", "bias"):
                if hf + f"self_attn.{where}.{kind}" in tiny.state:
                    tiny.put(gg + f"attn_{part}.{kind}", hf + f"self_attn.{where}.{kind}",
                             transform)
        for part in ("gate", "up", "down"):
            for kind in ("weight", "bias"):
                if hf + f"mlp.{part}_proj.{kind}" in tiny.state:
                    tiny.put(gg + f"ffn_{part}.{kind}", hf + f"mlp.{part}_proj.{kind}")
        norms = [("attn_norm", "input_layernorm"), ("ffn_norm", "post_attention_layernorm")]
        for gguf_name, hf_name in extra_norms or norms:
            tiny.put(gg + gguf_name + ".weight", hf + hf_name + ".weight", minus_one)


def llama(name, window=None, rope=None, model=transformers.LlamaForCausalLM,
          config=transformers.LlamaConfig, **changes):
    settings = dict(vocab_size=91, hidden_size=30, intermediate_size=52, num_hidden_layers=2,
                    num_attention_heads=3, num_key_value_heads=1, max_position_embeddings=64,
                    rms_norm_eps=1e-5, tie_word_embeddings=False, head_dim=10,
                    rope_parameters={"rope_type": "default", "rope_theta": 5000.0})
    if window:
        settings["sliding_window"] = window
    settings.update(changes)
    c = config(**settings)
    c._attn_implementation = "eager"
    metadata = attention_metadata(c, c.head_dim)
    metadata["rope.freq_base"] = 5000.0
    metadata.update(rope or {})
    if window:
        metadata["attention.sliding_window"] = window
    tiny = Tiny(name, "llama", c, model, metadata)
    put_decoder(tiny, permute_heads=True)
    return tiny


def llama_with_divisors():
    tiny = llama("llama_rope_freqs", head_dim=12)
    divisors = formula("rope_freqs.weight", 6)
    tiny.tensors["rope_freqs.weight"], tiny.values["rope_freqs.weight"] = [6], divisors
    rotary = tiny.model.model.rotary_emb
    rotary.inv_freq = rotary.inv_freq / divisors
    return tiny


def gemma3(name, **changes):
    settings = dict(vocab_size=103, hidden_size=30, intermediate_size=44, num_hidden_layers=7,
                    num_attention_heads=3, num_key_value_heads=1, head_dim=8,
                    max_position_embeddings=64, rms_norm_eps=1e-6, sliding_window=5,
                    query_pre_attn_scalar=8, tie_word_embeddings=True,
                    layer_types=["full_attention" if i % 6 == 5 else "sliding_attention"
                                 for i in range(7)],
                    rope_parameters={
                        "full_attention": {"rope_type": "linear", "factor": 4.0,
                                           "rope_theta": 1000000.0},
                        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}})
    settings.update(changes)
    c = transformers.Gemma3TextConfig(**settings)
    c._attn_implementation = "eager"
    metadata = attention_metadata(c, c.head_dim)
    metadata.update({"rope.freq_base": 1000000.0, "rope.scaling.type": "linear",
                     "rope.scaling.factor": 4.0, "attention.sliding_window": c.sliding_window})
    tiny = Tiny(name, "gemma3", c, transformers.Gemma3ForCausalLM, metadata)
    put_decoder(tiny, permute_heads=False, extra_norms=[
        ("attn_norm", "input_layernorm"), ("post_attention_norm", "post_attention_layernorm"),
        ("ffn_norm", "pre_feedforward_layernorm"), ("post_ffw_norm", "post_feedforward_layernorm"),
        ("attn_q_norm", "self_attn.q_norm"), ("attn_k_norm", "self_attn.k_norm")])
    return tiny


def qwen2(name, tied):
    c = transformers.Qwen2Config(
        vocab_size=93, hidden_size=40, intermediate_size=36, num_hidden_layers=3,
        num_attention_heads=5, num_key_value_heads=5, max_position_embeddings=64,
        rms_norm_eps=1e-6, tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})
    c._attn_implementation = "eager"
    metadata = attention_metadata(c, 8)
    metadata["rope.freq_base"] = 1000000.0
    tiny = Tiny(name, "qwen2", c, transformers.Qwen2ForCausalLM, metadata)
    put_decoder(tiny, permute_heads=False)
    return tiny


def gptneox(name, parallel):
    c = transformers.GPTNeoXConfig(
        vocab_size=95, hidden_size=36, intermediate_size=50, num_hidden_layers=2,
        num_attention_heads=3, max_position_embeddings=64, layer_norm_eps=1e-5,
        use_parallel_residual=parallel, hidden_act="gelu", tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0,
                         "partial_rotary_factor": 0.34})
    c._attn_implementation = "eager"
    metadata = {"block_count": 2, "context_length": 64, "embedding_length": 36,
                "feed_forward_length": 50, "attention.head_count": 3,
                "attention.layer_norm_epsilon": 1e-5, "rope.dimension_count": 4,
                "use_parallel_residual": parallel}
    tiny = Tiny(name, "gptneox", c, transformers.GPTNeoXForCausalLM, metadata)
    tiny.put("token_embd.weight", "gpt_neox.embed_in.weight")
    tiny.put("output.weight", "embed_out.weight" if "embed_out.weight" in tiny.state
             else "lm_head.weight")
    for kind in ("weight", "bias"):
        tiny.put(f"output_norm.{kind}", f"gpt_neox.final_layer_norm.{kind}")
        for i in range(2):
            hf, gg = f"gpt_neox.layers.{i}.", f"blk.{i}."
            for gguf_name, hf_name, transform in (
                    ("attn_norm", "input_layernorm", None),
                    ("ffn_norm", "post_attention_layernorm", None),
                    ("attn_qkv", "attention.query_key_value", interleave_heads(3)),
                    ("attn_output", "attention.dense", None),
                    ("ffn_up", "mlp.dense_h_to_4h", None),
                    ("ffn_down", "mlp.dense_4h_to_h", None)):
                tiny.put(gg + f"{gguf_name}.{kind}", hf + f"{hf_name}.{kind}", transform)
    return tiny


def token_ids(name, n, n_vocab):
    return [int(x) for x in (np.abs(formula(f"ids of {name}", n).numpy()) * 7919 % n_vocab)]


def all_logits(tiny, ids):
    with torch.no_grad():
        return tiny.model(torch.tensor([ids]), use_cache=False).logits[0].to(torch.float64)


def answers(logits, positions):
    out = []
    for position in positions:
        row = logits[position]
        kept = [(position * 13 + 7 * i) % len(row) for i in range(N_LOGITS)]
        out.append({"position": position, "norm": float(f"{row.norm():.8g}"),
                    "logits": {str(i): float(f"{row[i]:.8g}") for i in kept}})
    return out


def describe(tiny):
    tiny.check_all_filled()
    c = tiny.config
    sequences = []
    for length in (3, 11, 26):
        ids = token_ids(f"{tiny.name}/{length}", length, c.vocab_size)
        logits = all_logits(tiny, ids)
        positions = sorted({0, length // 2, length - 2, length - 1})
        sequences.append({"ids": ids, "answers": answers(logits, positions)})
    return {"oracle": f"transformers {version('transformers')}, torch {version('torch')}, "
                      "tests/oracle/tiny_models.py",
            "metadata": tiny.metadata, "tensors": tiny.tensors, "sequences": sequences}


def write_gguf(tiny, folder):
    import gguf
    writer = gguf.GGUFWriter(folder / f"tiny_{tiny.name}.gguf",
                             tiny.metadata["general.architecture"])
    for key, value in tiny.metadata.items():
        if key == "general.architecture":
            continue
        add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32,
               str: writer.add_string}[type(value)]
        add(key, value)
    writer.add_tokenizer_model("no_vocab")
    for name, values in tiny.values.items():
        writer.add_tensor(name, values.numpy())
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file,
                 writer.write_tensors_to_file, writer.close):
        step()


def main():
    folder = pathlib.Path(sys.argv[1])
    models = [
        llama("llama"),
        llama("llama_tied_biased", tie_word_embeddings=True, attention_bias=True, mlp_bias=True,
              hidden_size=36, num_attention_heads=4, num_key_value_heads=2, head_dim=6),
        llama("llama_linear_rope", {}, {"rope.scaling.type": "linear",
                                        "rope.scaling.factor": 3.0},
              rope_parameters={"rope_type": "linear", "factor": 3.0, "rope_theta": 5000.0}),
        llama("llama_yarn", {}, {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0,
                                 "rope.scaling.original_context_length": 256},
              rope_parameters={"rope_type": "yarn", "factor": 4.0, "rope_theta": 5000.0,
                               "original_max_position_embeddings": 256},
              head_dim=16, max_position_embeddings=1024),
        llama_with_divisors(),
        llama("mistral_window", 4, None, transformers.MistralForCausalLM,
              transformers.MistralConfig),
        gemma3("gemma3"),
        qwen2("qwen2", True), qwen2("qwen2_untied", False),
        gptneox("gptneox", True), gptneox("gptneox_sequential", False),
    ]
    for tiny in models:
        text = json.dumps(describe(tiny), separators=(",", ":"))
        path = folder / f"tiny_{tiny.name}.json"
        path.write_text(text + "\n", encoding="utf-8")
        print(f"{path.name}: {len(text)} bytes", file=sys.stderr)
        if len(sys.argv) > 2:
            write_gguf(tiny, pathlib.Path(sys.argv[2]))


main()
