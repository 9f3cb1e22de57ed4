"""Writes src/inference/testdata/hf_*.json of models that transformers has no class for, in the form
their makers publish. Their layers are those of a class that it has, each with its own widths, or
without a part: the logits are transformers'. llama.cpp's converter knows the folders.
usage: hf_assembled.py FOLDER [NAME...]
Weights, `without` and `gguf` are as in hf_models.py."""
from hf_gguf import contents, write_gguf  # isort: skip
import json
import pathlib
import sys
import tempfile
from importlib.metadata import version

import torch
import transformers
from safetensors.torch import save_file
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaMLP, LlamaRMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3DecoderLayer

from hf_models import hf_formula
from tiny import answers, token_ids


def small(kind, **changes):
    config = getattr(transformers, kind)(
        **{**dict(vocab_size=91, hidden_size=36, num_hidden_layers=1, max_position_embeddings=64,
                  num_attention_heads=6, num_key_value_heads=2, intermediate_size=52,
                  tie_word_embeddings=False), **changes})
    config._attn_implementation = "eager"
    return config


def assembled_openelm(config, weights):
    """Qwen 3's layers: norms on the heads of Q and K, RoPE on halves."""
    def shape(i):
        return small("Qwen3Config", num_hidden_layers=len(config["num_kv_heads"]), head_dim=config["head_dim"],
                     num_attention_heads=config["num_query_heads"][i],
                     num_key_value_heads=config["num_kv_heads"][i],
                     intermediate_size=weights[f"transformer.layers.{i}.ffn.proj_2.weight"].shape[1],
                     rms_norm_eps=1e-6, tie_word_embeddings=True, rope_parameters={
                         "rope_type": "default", "rope_theta": float(config["rope_freq_constant"])})
    model = transformers.Qwen3ForCausalLM(shape(0))
    state = {"model.embed_tokens.weight": weights["transformer.token_embeddings.weight"],
             "lm_head.weight": weights["transformer.token_embeddings.weight"],
             "model.norm.weight": weights["transformer.norm.weight"]}
    for i, (n, kv) in enumerate(zip(config["num_query_heads"], config["num_kv_heads"])):
        model.model.layers[i] = Qwen3DecoderLayer(shape(i), i)
        theirs, ours = f"transformer.layers.{i}.", f"model.layers.{i}."
        qkv = weights[theirs + "attn.qkv_proj.weight"].split([n * 10, kv * 10, kv * 10])
        state.update({ours + f"self_attn.{part}_proj.weight": rows for part, rows in zip("qkv", qkv)})
        gate, up = weights[theirs + "ffn.proj_1.weight"].chunk(2)
        state.update({ours + "mlp.gate_proj.weight": gate, ours + "mlp.up_proj.weight": up})
        for own, name in (("mlp.down_proj", "ffn.proj_2"), ("self_attn.o_proj", "attn.out_proj"),
                          ("self_attn.q_norm", "attn.q_norm"), ("self_attn.k_norm", "attn.k_norm"),
                          ("input_layernorm", "attn_norm"),
                          ("post_attention_layernorm", "ffn_norm")):
            state[f"{ours}{own}.weight"] = weights[f"{theirs}{name}.weight"]
    model.load_state_dict(state)
    return model


class Matrix(torch.nn.Module):
    def __init__(self, name):
        super().__init__()
        self.name = name
        self.add_module(name, torch.nn.Linear(36, 36, bias=False))

    def forward(self, x):
        return getattr(self, self.name)(x)


class DeciLayer(torch.nn.Module):
    """Llama's, of which parts may be missing or one matrix."""

    def __init__(self, block, shape, index):
        super().__init__()
        group, self.linear = (block["attention"][k]
                              for k in ("n_heads_in_group", "replace_with_linear"))
        if group:
            self.self_attn = LlamaAttention(shape(num_key_value_heads=6 // group), index)
        elif self.linear:
            self.self_attn = Matrix("linear_attn")
        if group or self.linear:
            self.input_layernorm = LlamaRMSNorm(36, 1e-5)
        if block["ffn"]["replace_with_linear"]:
            self.mlp = Matrix("linear_mlp")
        elif block["ffn"]["ffn_mult"]:
            self.mlp = LlamaMLP(shape(intermediate_size=deci_width(block)))
        if hasattr(self, "mlp"):
            self.post_attention_layernorm = LlamaRMSNorm(36, 1e-5)

    def forward(self, hidden_states, **given):
        if self.linear:
            hidden_states = hidden_states + self.self_attn(self.input_layernorm(hidden_states))
        elif hasattr(self, "self_attn"):
            normed = self.input_layernorm(hidden_states)
            hidden_states = hidden_states + self.self_attn(hidden_states=normed, **given)[0]
        if hasattr(self, "mlp"):
            hidden_states = hidden_states + self.mlp(self.post_attention_layernorm(hidden_states))
        return hidden_states


def deci_width(block):
    return -(-int(2 * block["ffn"]["ffn_mult"] * 36 / 3) // 256) * 256


def assembled_deci(config, weights):
    def shape(**changes):
        return small("LlamaConfig", rms_norm_eps=1e-5, rope_parameters={
            **config["rope_scaling"], "rope_theta": config["rope_theta"]}, **changes)
    blocks = config["block_configs"]
    model = transformers.LlamaForCausalLM(shape(num_hidden_layers=len(blocks)))
    for i, block in enumerate(blocks):
        model.model.layers[i] = DeciLayer(block, shape, i)
    model.load_state_dict(weights)
    return model


def all_logits(model, ids):
    with torch.no_grad():
        return model.float().eval()(input_ids=torch.tensor([ids]), use_cache=False).logits[0].double()


def openelm():
    heads, kv_heads, widths = [3, 6, 4], [1, 2, 2], [20, 36, 52]
    config = {"architectures": ["OpenELMForCausalLM"], "model_type": "openelm", "model_dim": 36,
              "num_transformer_layers": 3, "head_dim": 10, "vocab_size": 91,
              "num_query_heads": heads, "num_kv_heads": kv_heads, "num_gqa_groups": 3,
              "ffn_multipliers": [0.5, 1.0, 1.45], "ffn_dim_divisor": 4, "ffn_with_glu": True,
              "qkv_multipliers": [0.5, 1.0], "rope_freq_constant": 5000, "rope_max_length": 128,
              "max_context_length": 64, "normalize_qk_projections": True,
              "share_input_output_layers": True, "activation_fn_name": "swish",
              "normalization_layer_name": "rms_norm"}
    tensors = {"transformer.token_embeddings.weight": [91, 36], "transformer.norm.weight": [36]}
    for i, (n, kv, width) in enumerate(zip(heads, kv_heads, widths)):
        layer = f"transformer.layers.{i}."
        tensors.update({
            layer + "attn.qkv_proj.weight": [(n + 2 * kv) * 10, 36],
            layer + "attn.q_norm.weight": [10], layer + "attn.k_norm.weight": [10],
            layer + "attn.out_proj.weight": [36, n * 10], layer + "attn_norm.weight": [36],
            layer + "ffn.proj_1.weight": [2 * width, 36],
            layer + "ffn.proj_2.weight": [36, width], layer + "ffn_norm.weight": [36]})
    return config, tensors, {"its rope base": {"rope_freq_constant": 500}}


def deci(matrices=False):
    """Layers with many and few heads of keys, one matrix in attention's place, no attention, and
    nothing at all; or with a matrix in the place of an MLP, which the converter does not know."""
    def layer(group, multiplier, linear=False):
        return {"attention": {"n_heads_in_group": group, "no_op": False, "num_sink_tokens": None,
                              "replace_with_linear": linear, "sparsify": None,
                              "unshifted_sink": False, "use_prefill_window_in_sink_attention": False,
                              "window_length": None},
                "ffn": {"ffn_mult": multiplier, "no_op": False, "replace_with_linear": False,
                        "sparsify": None}}
    if matrices:
        blocks = [layer(2, 1.0), layer(None, None, True), layer(3, None)]
        blocks[1]["ffn"]["replace_with_linear"] = blocks[2]["ffn"]["replace_with_linear"] = True
    else:
        blocks = [layer(2, 1.3), layer(None, 12.0, True), layer(6, 1.0), layer(None, 1.0),
                  layer(None, None)]
        blocks[3]["attention"]["no_op"] = True
        blocks[4]["attention"]["no_op"] = blocks[4]["ffn"]["no_op"] = True
    config = {"architectures": ["DeciLMForCausalLM"], "model_type": "nemotron-nas",
              "hidden_size": 36, "num_attention_heads": 6, "num_key_value_heads": None,
              "num_hidden_layers": len(blocks), "vocab_size": 91, "hidden_act": "silu",
              "intermediate_size": None, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
              "rope_theta": 500.0, "tie_word_embeddings": False, "block_configs": blocks,
              "attention_bias": False, "mlp_bias": False,
              "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                               "high_freq_factor": 4.0, "original_max_position_embeddings": 32}}
    tensors = {"model.embed_tokens.weight": [91, 36], "model.norm.weight": [36],
               "lm_head.weight": [91, 36]}
    for i, block in enumerate(blocks):
        name = f"model.layers.{i}."
        group, linear = (block["attention"][k] for k in ("n_heads_in_group", "replace_with_linear"))
        if group:
            tensors.update({name + "self_attn.q_proj.weight": [36, 36],
                            name + "self_attn.k_proj.weight": [36 // group, 36],
                            name + "self_attn.v_proj.weight": [36 // group, 36],
                            name + "self_attn.o_proj.weight": [36, 36]})
        if linear:
            tensors[name + "self_attn.linear_attn.weight"] = [36, 36]
        if group or linear:
            tensors[name + "input_layernorm.weight"] = [36]
        if block["ffn"]["replace_with_linear"]:
            tensors.update({name + "mlp.linear_mlp.weight": [36, 36],
                            name + "post_attention_layernorm.weight": [36]})
        elif block["ffn"]["ffn_mult"]:
            width = deci_width(block)
            tensors.update({name + "mlp.gate_proj.weight": [width, 36],
                            name + "mlp.up_proj.weight": [width, 36],
                            name + "mlp.down_proj.weight": [36, width],
                            name + "post_attention_layernorm.weight": [36]})
    return config, tensors, {"its rope base": {"rope_theta": 50000.0},
                             "its stretching": {"rope_scaling": None}}


# name: configuration, tensors, what may not be left out; and a key that the converter leaves out
MODELS = {"openelm": (*openelm(), 91, assembled_openelm), "deci": (*deci(), None, assembled_deci),
          "deci_linear": (*deci(matrices=True), None, assembled_deci)}
WITHOUT_GGUF = {"deci_linear"}


def main():
    folder = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or MODELS:
        config, tensors, without, vocab_size, assembled = MODELS[name]
        weights = {key: hf_formula(key, shape).contiguous() for key, shape in tensors.items()}
        model = assembled(config, weights)
        with tempfile.TemporaryDirectory() as place:
            place = pathlib.Path(place)
            (place / "config.json").write_text(json.dumps(config))
            save_file(weights, place / "model.safetensors", metadata={"format": "pt"})
            gguf = {} if name in WITHOUT_GGUF else {
                "gguf": contents(write_gguf(place, place / "model.gguf", vocab_size))}
        sequences = []
        for length in (3, 11, 26):
            ids = token_ids(f"{name}/{length}", length, config["vocab_size"])
            positions = sorted({0, length // 2, length - 2, length - 1})
            sequences.append({"ids": ids, "answers": answers(all_logits(model, ids), positions, [])})
        oracle = (f"layers of transformers {version('transformers')}, torch {version('torch')}, "
                  "tests/oracle/hf_assembled.py")
        text = json.dumps({"oracle": oracle, "config": config, "tensors": tensors,
                           "without": without, "sequences": sequences, **gguf},
                          separators=(",", ":"))
        (folder / f"hf_{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"hf_{name}.json: {len(text)} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
