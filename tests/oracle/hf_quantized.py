"""Writes src/inference/testdata/quantized_*.json: tiny models whose safetensors are quantised, with the
dequantised weights' hashes and the logits that transformers computes with them.
usage: hf_quantized.py FOLDER [NAME...]
Stored tensors are a formula of name and element (fill, src/models/testing/hf_model.cpp). Weights are
dequantised in float32 by compressed-tensors and transformers where they have the method, GPTQ and AWQ by
what AutoGPTQ 0.7.1, GPTQModel 7.7.0 and AutoAWQ 0.2.9 define (their pack() and dequantize functions)."""
import hashlib
import json
import pathlib
import re
import sys
import tempfile
from importlib.metadata import version

import numpy as np
import torch
import transformers
from compressed_tensors.compressors.pack_quantized.helpers import unpack_from_int32
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import dequantize
from safetensors import safe_open
from safetensors.torch import save_file
from transformers.integrations.finegrained_fp8 import Fp8Dequantize
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

from formula import formula_weights
from hf_models import DEEPSEEK, hf_formula
from tiny import all_logits, answers, token_ids, watch_experts

SMALL = dict(vocab_size=91, hidden_size=64, intermediate_size=96, num_hidden_layers=1,
             num_attention_heads=4, num_key_value_heads=2, head_dim=32, max_position_embeddings=64,
             tie_word_embeddings=False)
ROPE = {"rope_type": "default", "rope_theta": 5000.0}
TYPES = {"I32": torch.int32, "I8": torch.int8, "U8": torch.uint8, "F8_E4M3": torch.float8_e4m3fn,
         "F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "I64": torch.int64}


def uniform(name, n):
    numbers = torch.from_numpy(formula_weights(name, 3, n).reshape(-1)[:n])
    return numbers.to(torch.bfloat16).to(torch.float64).numpy()


def fill(name, how):
    """The stored tensor; the twin is quantized_entry in src/models/testing/hf_model.cpp."""
    dtype, shape, kind = TYPES[how["dtype"]], how["shape"], how["fill"]
    n = int(np.prod(shape))
    if kind == "bytes":  # any bits
        raw = np.minimum((uniform(name, n * dtype.itemsize) + 1) * 128, 255).astype(np.uint8)
        if dtype == torch.float8_e4m3fn:  # but no NaN
            raw = np.where(raw & 0x7F == 0x7F, raw & 0xFE, raw)
        return torch.from_numpy(raw).view(dtype).reshape(shape)
    if kind == "scales":
        values = how["about"] * (1 + 0.5 * uniform(name, n))
        return torch.from_numpy(values.astype(np.float32)).to(dtype).reshape(shape)
    if kind == "powers":
        values = 2.0 ** np.floor(uniform(name, n) * 3 + how["about"])
        return torch.from_numpy(values.astype(np.float32)).to(dtype).reshape(shape)
    if kind == "exponents":
        raw = (how["about"] + np.floor(uniform(name, n) * 3)).astype(np.uint8)
        return torch.from_numpy(raw).reshape(shape)
    if kind == "word":
        return torch.full(shape, how["word"], dtype=dtype)
    assert kind == "values"
    return torch.tensor(how["values"], dtype=dtype).reshape(shape)


def codes_of(words, bits):
    """[n x 32-bit words] to [n x codes], the lowest bits first; three bits cross words."""
    words = words.to(torch.int64).numpy() & 0xFFFFFFFF
    flat = ((words[:, :, None] >> np.arange(32)) & 1).reshape(len(words), -1)
    return (flat.reshape(len(words), -1, bits) << np.arange(bits)).sum(-1)


class Gptq:
    def __init__(self, bits, group, zeros=None, desc_act=False, v2=False, act=None):
        self.bits, self.group, self.zeros, self.v2, self.g_idx = bits, group, zeros, v2, act
        self.config = {"quant_method": "gptq", "bits": bits, "group_size": group,
                       "desc_act": act is not None, "sym": zeros is not None,
                       "checkpoint_format": "gptq_v2" if v2 else "gptq"}

    def stored(self, name, rows, cols):
        base, n = name.removesuffix(".weight"), cols // self.group if self.group > 0 else 1
        zeros = {"fill": "bytes"} if self.zeros is None else {"fill": "word", "word": self.zeros}
        out = {f"{base}.qweight": dict(dtype="I32", shape=[cols * self.bits // 32, rows], fill="bytes"),
               f"{base}.qzeros": dict(dtype="I32", shape=[n, rows * self.bits // 32], **zeros),
               f"{base}.scales": dict(dtype="F16", shape=[n, rows], fill="scales",
                                      about=0.4 / 2 ** self.bits)}
        if self.g_idx:
            out[f"{base}.g_idx"] = dict(dtype="I32", shape=[cols], fill="values",
                                        values=[(i * self.g_idx) % n for i in range(cols)])
        return out

    def dequantize(self, name, shape, t):
        t = {key.removeprefix(name.removesuffix(".weight") + "."): value for key, value in t.items()}
        codes = codes_of(t["qweight"].T, self.bits).T
        zeros = t["qzeros"]
        if not self.v2 and self.bits != 3:
            ones = sum(1 << i for i in range(0, 32, self.bits))
            zeros = (zeros.to(torch.int64) + ones) & 0xFFFFFFFF
        zeros = codes_of(zeros, self.bits) + (1 if not self.v2 and self.bits == 3 else 0)
        groups = t.get("g_idx", torch.arange(len(codes)) // (self.group if self.group > 0 else 10**9))
        groups = groups.to(torch.int64).numpy()
        scales = t["scales"].to(torch.float32).numpy()
        return torch.from_numpy((codes - zeros[groups]).astype(np.float32) * scales[groups]).T


class Awq:
    def __init__(self, group):
        self.group = group
        self.config = {"quant_method": "awq", "bits": 4, "group_size": group, "version": "gemm",
                       "zero_point": True, "modules_to_not_convert": None}

    def stored(self, name, rows, cols):
        base, n = name.removesuffix(".weight"), cols // self.group
        return {f"{base}.qweight": dict(dtype="I32", shape=[cols, rows // 8], fill="bytes"),
                f"{base}.qzeros": dict(dtype="I32", shape=[n, rows // 8], fill="bytes"),
                f"{base}.scales": dict(dtype="F16", shape=[n, rows], fill="scales", about=0.03)}

    def dequantize(self, name, shape, t):
        t = {key.removeprefix(name.removesuffix(".weight") + "."): value for key, value in t.items()}
        order = [0, 4, 1, 5, 2, 6, 3, 7]  # of the nibbles (awq/utils/packing_utils.py)
        unpack = lambda words: codes_of(words, 4).reshape(len(words), -1, 8)[:, :, order].reshape(
            len(words), -1)
        codes, zeros = unpack(t["qweight"]), unpack(t["qzeros"]).repeat(self.group, 0)
        scales = t["scales"].to(torch.float32).numpy().repeat(self.group, 0)
        return torch.from_numpy((codes - zeros).astype(np.float32) * scales).T


class Compressed:
    def __init__(self, weights, scale, form, activations=None, g_idx=None):
        self.args, self.scale, self.form, self.g_idx = weights, scale, form, g_idx
        self.input_scale = activations is not None and not activations["dynamic"]
        self.config = {"quant_method": "compressed-tensors", "format": form, "ignore": ["lm_head"],
                       "quantization_status": "compressed", "kv_cache_scheme": None,
                       "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights,
                                                     "input_activations": activations}}}

    def stored(self, name, rows, cols):
        a = self.args
        if a["strategy"] == "block":
            grid = [-(-rows // a["block_structure"][0]), -(-cols // a["block_structure"][1])]
        else:
            grid = {"tensor": [1], "channel": [rows, 1],
                    "group": [rows, cols // a.get("group_size", cols)]}[a["strategy"]]
        about = 0.002 if a["type"] == "float" else 0.6 / 2 ** a["num_bits"]
        out = {f"{name}_scale": dict(dtype=self.scale, shape=grid, fill="scales", about=about)}
        if self.form == "pack-quantized":
            out[f"{name}_packed"] = dict(dtype="I32", shape=[rows, cols * a["num_bits"] // 32],
                                         fill="bytes")
            out[f"{name}_shape"] = dict(dtype="I64", shape=[2], fill="values", values=[rows, cols])
        else:
            kind = "I8" if a["type"] == "int" else "F8_E4M3"
            out[name] = dict(dtype=kind, shape=[rows, cols], fill="bytes")
        if not a["symmetric"]:
            out[f"{name}_zero_point"] = dict(
                dtype="I32", shape=[rows * a["num_bits"] // 32, grid[1]], fill="bytes") \
                if self.form == "pack-quantized" else dict(dtype="I8", shape=grid, fill="bytes")
        if self.g_idx:
            out[f"{name}_g_idx"] = dict(dtype="I32", shape=[cols], fill="values",
                                        values=[(i * self.g_idx) % grid[1] for i in range(cols)])
        if self.input_scale:
            out[f"{name.removesuffix('.weight')}.input_scale"] = dict(
                dtype="F32", shape=[1], fill="scales", about=0.1)
        return out

    def dequantize(self, name, shape, t):
        scale = t[f"{name}_scale"].to(torch.float32)
        zero = t.get(f"{name}_zero_point")
        args = QuantizationArgs(**self.args)
        if self.form == "pack-quantized":
            codes = unpack_from_int32(t[f"{name}_packed"], args.num_bits, torch.Size(shape))
            if zero is not None:
                zero = unpack_from_int32(zero, args.num_bits, torch.Size([shape[0], scale.shape[1]]),
                                         packed_dim=0)
        else:
            codes = t[name]
        if self.g_idx:  # weight_g_idx is no more in compressed-tensors 0.20; as its 0.9 has it
            groups = t[f"{name}_g_idx"].long()
            return codes.to(torch.float32) * scale[:, groups]
        return dequantize(x_q=codes, scale=scale, zero_point=zero, args=args, dtype=torch.float32)


class Fp8:
    def __init__(self, block=None, scale="F32", kind="scales", about=0.002, suffix="_scale_inv"):
        self.block, self.scale, self.kind, self.about, self.suffix = block, scale, kind, about, suffix
        self.config = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
                       "modules_to_not_convert": ["lm_head"],
                       **({"weight_block_size": block} if block else {})}

    def stored(self, name, rows, cols):
        grid = [-(-rows // self.block[0]), -(-cols // self.block[1])] if self.block else [1]
        return {name: dict(dtype="F8_E4M3", shape=[rows, cols], fill="bytes"),
                name + self.suffix: dict(dtype=self.scale, shape=grid, fill=self.kind,
                                         about=self.about)}

    def dequantize(self, name, shape, t):
        scale = t[name + self.suffix].to(torch.float32)
        if self.block and (shape[0] % self.block[0] or shape[1] % self.block[1]):
            # transformers has no blocks that are cut; DeepSeek's kernel has.
            scale = scale.repeat_interleave(self.block[0], 0).repeat_interleave(self.block[1], 1)
            return t[name].to(torch.float32) * scale[:shape[0], :shape[1]]
        scale = scale.reshape(1, 1) if scale.numel() == 1 else scale
        return Fp8Dequantize(None)._dequantize_one(t[name], scale, torch.float32)


class Mxfp4:
    """Stacks of experts [experts x in x out], stored by their columns."""

    config = {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn",
                                                                  "model.layers.*.mlp.router"]}

    def stored(self, name, experts, cols, rows):
        return {f"{name}_blocks": dict(dtype="U8", shape=[experts, rows, cols // 32, 16], fill="bytes"),
                f"{name}_scales": dict(dtype="U8", shape=[experts, rows, cols // 32],
                                       fill="exponents", about=120)}

    def dequantize(self, name, shape, t):
        return convert_moe_packed_tensors(t[f"{name}_blocks"], t[f"{name}_scales"],
                                          dtype=torch.float32)


INT4 = dict(num_bits=4, type="int", symmetric=False, strategy="group", group_size=32)
INT8 = dict(num_bits=8, type="int", symmetric=True, strategy="channel")
FLOAT8 = dict(num_bits=8, type="float", symmetric=True)
DYNAMIC = dict(FLOAT8, strategy="token", dynamic=True)
STATIC = dict(FLOAT8, strategy="tensor", dynamic=False)
QWEN3 = ("Qwen3ForCausalLM", dict(SMALL, rms_norm_eps=1e-6, rope_parameters=ROPE))
QWEN2 = ("Qwen2ForCausalLM", dict(SMALL, rms_norm_eps=1e-6, rope_parameters=ROPE))
LLAMA = ("LlamaForCausalLM", dict(SMALL, rms_norm_eps=1e-5, rope_parameters=ROPE))

# name: class and settings, method, the type that the weights become, whether with logits
MODELS = {
    "gptq": (QWEN3, Gptq(4, 32, zeros=0x77777777), "Q4_0", True),
    "gptq_act_order": (LLAMA, Gptq(4, 32, act=5), "F32", True),
    "gptq_experts": (("MixtralForCausalLM",
                      dict(SMALL, num_local_experts=5, num_experts_per_tok=2, rope_parameters=ROPE)),
                     Gptq(4, 32, v2=True), "Q5_0", True),
    "gptq_8": (QWEN3, Gptq(8, -1, zeros=0x7F7F7F7F), "Q8_0", False),
    "gptq_8_zeros": (QWEN3, Gptq(8, 32, v2=True), "F32", False),
    "gptq_4_zeros": (LLAMA, Gptq(4, 32), "Q5_0", True),
    "gptq_3": (QWEN3, Gptq(3, 32), "Q4_0", False),
    "gptq_2": (QWEN3, Gptq(2, 32), "Q4_0", False),
    "awq": (QWEN2, Awq(32), "Q5_0", True),
    "ct_int4": (QWEN3, Compressed(INT4, "BF16", "pack-quantized"), "Q5_0", True),
    "ct_int4_order": (QWEN3, Compressed(dict(INT4, symmetric=True), "F16", "pack-quantized", g_idx=5),
                      "F32", False),
    "ct_int8_packed": (QWEN3, Compressed(INT8, "BF16", "pack-quantized"), "Q8_0", False),
    "ct_int8": (QWEN3, Compressed(INT8, "BF16", "int-quantized",
                                  dict(INT8, strategy="token", dynamic=True)), "Q8_0", True),
    "ct_int8_zeros": (QWEN3, Compressed(dict(INT8, symmetric=False), "F32", "naive-quantized"), "F32",
                      False),
    "ct_fp8": (QWEN3, Compressed(dict(FLOAT8, strategy="tensor"), "F32", "float-quantized", STATIC),
               "F32", True),
    "ct_fp8_rows": (QWEN3, Compressed(dict(FLOAT8, strategy="channel"), "F32", "float-quantized",
                                      DYNAMIC), "F32", False),
    "ct_fp8_blocks": (QWEN3, Compressed(dict(FLOAT8, strategy="block", block_structure=[32, 32]),
                                        "BF16", "float-quantized", DYNAMIC), "F32", False),
    "fp8": (("Qwen3MoeForCausalLM",
             dict(SMALL, num_experts=5, num_experts_per_tok=2, moe_intermediate_size=64,
                  norm_topk_prob=True, rope_parameters=ROPE)), Fp8([32, 32]), "F32", True),
    "fp8_deepseek": (("DeepseekV3ForCausalLM",
                      dict(DEEPSEEK, hidden_size=64, num_hidden_layers=2, intermediate_size=64,
                           kv_lora_rank=40, q_lora_rank=None, qk_nope_head_dim=24, v_head_dim=24,
                           n_group=2, topk_group=1, norm_topk_prob=True, moe_intermediate_size=32)),
                     Fp8([32, 32]), "F32", True),
    "fp8_cut_blocks": (QWEN3, Fp8([40, 40], scale="BF16"), "F32", False),
    "fp8_powers": (QWEN3, Fp8([32, 32], kind="powers", about=-9), "BF16", False),
    "fp8_one": (QWEN3, Fp8(suffix="_scale"), "F32", False),
    "mxfp4": (("GptOssForCausalLM",
               dict(SMALL, num_local_experts=5, num_experts_per_tok=2, sliding_window=5,
                    layer_types=["sliding_attention"], rope_parameters=ROPE)), Mxfp4(), "MXFP4", True),
}
OURS = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down", "mlp.experts.gate_proj": "ffn_gate_exps",
        "mlp.experts.up_proj": "ffn_up_exps", "mlp.experts.down_proj": "ffn_down_exps",
        "block_sparse_moe.experts.w1": "ffn_gate_exps", "block_sparse_moe.experts.w3": "ffn_up_exps",
        "block_sparse_moe.experts.w2": "ffn_down_exps"}


def short_hash(weights):
    """Of float32, with one zero."""
    return hashlib.sha256((weights.contiguous().numpy() + np.float32(0)).tobytes()).hexdigest()[:16]


def ours_of(key):
    """GGUF's name in the first layer; experts lose their number (there are fewer than ten)."""
    name = key.removeprefix("model.layers.0.").removesuffix(".weight")
    return OURS.get(re.sub(r"\.\d\.", ".", name))


class Model:
    def __init__(self, name, kind, settings, method):
        self.name = name
        transformers.utils.logging.disable_progress_bar()
        config = getattr(transformers, kind.replace("ForCausalLM", "Config"))
        empty = getattr(transformers, kind)(config(**settings))
        self.tensors, self.quantized, weights = {}, [], {}
        with tempfile.TemporaryDirectory() as folder:
            empty.save_pretrained(folder)
            folder = pathlib.Path(folder)
            with safe_open(folder / "model.safetensors", "pt") as file:
                shapes = {key: list(file.get_slice(key).get_shape()) for key in file.keys()}
            for key, shape in shapes.items():
                if not is_quantized(key, shape, method):
                    weights[key], self.tensors[key] = hf_formula(key, shape), shape
                    continue
                self.quantized.append(key)
                stored = method.stored(key, *shape)
                self.tensors.update(stored)
                weights[key] = method.dequantize(key, shape, {k: fill(k, how)
                                                              for k, how in stored.items()})
            save_file({key: value.contiguous() for key, value in weights.items()},
                      folder / "model.safetensors", metadata={"format": "pt"})
            self.config = json.loads((folder / "config.json").read_text())
            self.model = getattr(transformers, kind).from_pretrained(
                folder, dtype=torch.float32, attn_implementation="eager",
                experts_implementation="eager").eval()
        self.config.pop("transformers_version")
        self.config["quantization_config"] = method.config
        stacks = {}
        for key in sorted(self.quantized):
            if ours_of(key):
                stacks.setdefault(ours_of(key), []).append(weights[key].reshape(-1))
        if isinstance(method, Mxfp4):  # gates and ups are every second column
            both = weights["model.layers.0.mlp.experts.gate_up_proj"]
            stacks = {"ffn_gate_exps": [both[:, :, 0::2]], "ffn_up_exps": [both[:, :, 1::2]],
                      "ffn_down_exps": [weights["model.layers.0.mlp.experts.down_proj"]]}
            stacks = {ours: [stack[0].transpose(1, 2)] for ours, stack in stacks.items()}
        if kind in ("LlamaForCausalLM", "MixtralForCausalLM"):  # whose queries and keys change places
            del stacks["attn_q"], stacks["attn_k"]
        self.weights = {f"blk.0.{ours}.weight": short_hash(torch.cat(stack))
                        for ours, stack in stacks.items()}


def is_quantized(key, shape, method):
    if isinstance(method, Mxfp4):
        return key.endswith((".experts.gate_up_proj", ".experts.down_proj"))
    routers = (".mlp.gate.weight", ".block_sparse_moe.gate.weight")
    return key.startswith("model.layers.") and len(shape) == 2 and not key.endswith(routers)


def describe(name):
    (kind, settings), method, type_name, with_logits = MODELS[name]
    model = Model(name, kind, settings, method)
    sequences = []
    chosen = watch_experts(model)
    for length in (3, 11, 26) if with_logits else ():
        ids = token_ids(f"{name}/{length}", length, settings["vocab_size"])
        chosen.clear()
        logits = all_logits(model, ids)
        sequences.append({"ids": ids, "answers": answers(logits, sorted({0, length // 2, length - 1}),
                                                         chosen)})
    return {"oracle": f"transformers {version('transformers')}, torch {version('torch')}, "
                      f"compressed-tensors {version('compressed-tensors')}, "
                      "tests/oracle/hf_quantized.py",
            "config": model.config, "tensors": model.tensors, "type": type_name,
            "weights": model.weights, "sequences": sequences}


def main():
    folder = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or MODELS:
        text = json.dumps(describe(name), separators=(",", ":"))
        (folder / f"quantized_{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"quantized_{name}.json: {len(text)} bytes", file=sys.stderr)


main()
