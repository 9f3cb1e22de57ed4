"""Writes src/inference/testdata/tiny_*.json: tiny models of each family, as GGUF metadata and
tensor shapes, with the logits that transformers computes for them.
usage: tiny_models.py FOLDER [GGUF_FOLDER [NAME...]]
Weights are no part of the fixtures: both sides compute them from tensor names and element indices
(src/models/testing/formula_model.h says how). With a second folder the models are also written as
GGUF files with the gguf package, for llama.cpp and for people ("-": not). Names choose models."""
import json
import pathlib
import sys

import torch
import transformers

from tiny import Tiny, describe, formula, write_gguf


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


def put_experts(tiny, gg, hf, split=False, scale=1.0, router="gate"):
    """Router and experts of a layer; transformers has gate and up in one, [experts x 2 hidden x
    embedding]. scale: what the file's key says, which transformers does not have."""
    tiny.put(gg + "ffn_gate_inp.weight", hf + f"{router}.weight")
    n, width, hidden = tiny.state[hf + "experts.down_proj"].shape
    shapes = {"gate": (hidden, width), "up": (hidden, width), "down": (width, hidden)}
    gate, up, down = (
        torch.stack([tiny.tensor(f"{gg}ffn_{part}.{i}.weight", *shape) for i in range(n)])
        if split else tiny.tensor(f"{gg}ffn_{part}_exps.weight", n, *shape)
        for part, shape in shapes.items())
    tiny.fill(hf + "experts.gate_up_proj", torch.cat([gate, up], dim=1))
    tiny.fill(hf + "experts.down_proj", scale * down)


PRE_NORMS = [("attn_norm", "input_layernorm"), ("ffn_norm", "post_attention_layernorm")]
QK_NORMS = [("attn_q_norm", "self_attn.q_norm"), ("attn_k_norm", "self_attn.k_norm")]


def put_decoder(tiny, permute_heads, norms=PRE_NORMS, one_plus=False, attention=True):
    c = tiny.config
    tiny.put("token_embd.weight", "model.embed_tokens.weight")
    minus_one = (lambda v: v - 1) if one_plus else None
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
                if attention and hf + f"self_attn.{where}.{kind}" in tiny.state:
                    tiny.put(gg + f"attn_{part}.{kind}", hf + f"self_attn.{where}.{kind}",
                             transform)
        for part in ("gate", "up", "down"):
            for kind in ("weight", "bias"):
                if hf + f"mlp.{part}_proj.{kind}" in tiny.state:
                    tiny.put(gg + f"ffn_{part}.{kind}", hf + f"mlp.{part}_proj.{kind}")
        for gguf_name, hf_name in norms:
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
    metadata = attention_metadata(c, settings["head_dim"])
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


def mixtral(name, split=False, scale=1.0, **changes):
    settings = dict(num_local_experts=5, num_experts_per_tok=2, intermediate_size=22,
                    sliding_window=None)
    settings.update(changes)
    experts = {"expert_count": settings["num_local_experts"],
               "expert_used_count": settings["num_experts_per_tok"]}
    if scale != 1.0:
        experts["expert_weights_scale"] = scale
    tiny = llama(name, None, experts, transformers.MixtralForCausalLM, transformers.MixtralConfig,
                 **settings)
    for i in range(tiny.config.num_hidden_layers):
        put_experts(tiny, f"blk.{i}.", f"model.layers.{i}.mlp.", split, scale)
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
    put_decoder(tiny, permute_heads=False, one_plus=True, norms=[
        ("attn_norm", "input_layernorm"), ("post_attention_norm", "post_attention_layernorm"),
        ("ffn_norm", "pre_feedforward_layernorm"), ("post_ffw_norm", "post_feedforward_layernorm"),
        *QK_NORMS])
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


def qwen3(name, tied):
    c = transformers.Qwen3Config(
        vocab_size=93, hidden_size=30, intermediate_size=38, num_hidden_layers=2,
        num_attention_heads=3, num_key_value_heads=1, head_dim=14, max_position_embeddings=64,
        rms_norm_eps=1e-6, tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})
    c._attn_implementation = "eager"
    metadata = attention_metadata(c, 14)
    metadata["rope.freq_base"] = 1000000.0
    tiny = Tiny(name, "qwen3", c, transformers.Qwen3ForCausalLM, metadata)
    put_decoder(tiny, permute_heads=False, norms=PRE_NORMS + QK_NORMS)
    return tiny


def expert_metadata(c):
    return {"expert_count": c.num_experts, "expert_used_count": c.num_experts_per_tok,
            "expert_feed_forward_length": c.moe_intermediate_size}


def qwen3moe(name, tied):
    c = transformers.Qwen3MoeConfig(
        vocab_size=93, hidden_size=30, intermediate_size=38, moe_intermediate_size=14,
        num_experts=7, num_experts_per_tok=3, norm_topk_prob=True, num_hidden_layers=2,
        num_attention_heads=3, num_key_value_heads=1, head_dim=14, max_position_embeddings=64,
        rms_norm_eps=1e-6, tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})
    c._attn_implementation = "eager"
    metadata = {**attention_metadata(c, 14), **expert_metadata(c), "rope.freq_base": 1000000.0}
    tiny = Tiny(name, "qwen3moe", c, transformers.Qwen3MoeForCausalLM, metadata)
    put_decoder(tiny, permute_heads=False, norms=PRE_NORMS + QK_NORMS)
    for i in range(2):
        put_experts(tiny, f"blk.{i}.", f"model.layers.{i}.mlp.")
    return tiny


def qwen2moe(name, tied):
    c = transformers.Qwen2MoeConfig(
        vocab_size=93, hidden_size=40, intermediate_size=36, moe_intermediate_size=14,
        shared_expert_intermediate_size=22, num_experts=7, num_experts_per_tok=3,
        norm_topk_prob=False, num_hidden_layers=2, num_attention_heads=5, num_key_value_heads=5,
        max_position_embeddings=64, rms_norm_eps=1e-6, tie_word_embeddings=tied, qkv_bias=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0})
    c._attn_implementation = "eager"
    metadata = {**attention_metadata(c, 8), **expert_metadata(c), "rope.freq_base": 1000000.0,
                "expert_shared_feed_forward_length": 22}
    tiny = Tiny(name, "qwen2moe", c, transformers.Qwen2MoeForCausalLM, metadata)
    put_decoder(tiny, permute_heads=False)
    for i in range(2):
        hf, gg = f"model.layers.{i}.mlp.", f"blk.{i}."
        put_experts(tiny, gg, hf)
        tiny.put(gg + "ffn_gate_inp_shexp.weight", hf + "shared_expert_gate.weight")
        for part in ("gate", "up", "down"):
            tiny.put(gg + f"ffn_{part}_shexp.weight", hf + f"shared_expert.{part}_proj.weight")
    return tiny


def olmo2(name, tied):
    c = transformers.Olmo2Config(
        vocab_size=97, hidden_size=36, intermediate_size=46, num_hidden_layers=2,
        num_attention_heads=6, num_key_value_heads=3, max_position_embeddings=64,
        rms_norm_eps=1e-6, tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0})
    c._attn_implementation = "eager"
    metadata = {**attention_metadata(c, 6), "rope.freq_base": 500000.0}
    tiny = Tiny(name, "olmo2", c, transformers.Olmo2ForCausalLM, metadata)
    put_decoder(tiny, permute_heads=False, norms=[
        ("post_attention_norm", "post_attention_layernorm"),
        ("post_ffw_norm", "post_feedforward_layernorm"), *QK_NORMS])
    return tiny


def olmo3(name, magnitude=None):
    layer_types = ["full_attention" if i % 4 == 3 else "sliding_attention" for i in range(5)]
    yarn = {"rope_type": "yarn", "rope_theta": 5000.0, "factor": 4.0,
            "original_max_position_embeddings": 256}
    if magnitude:
        yarn["attention_factor"] = magnitude
    c = transformers.Olmo3Config(
        vocab_size=97, hidden_size=36, intermediate_size=22, num_hidden_layers=5,
        num_attention_heads=6, num_key_value_heads=3, max_position_embeddings=1024,
        rms_norm_eps=1e-6, tie_word_embeddings=False, sliding_window=4, layer_types=layer_types,
        rope_parameters={
            "sliding_attention": {"rope_type": "default", "rope_theta": 5000.0},
            "full_attention": yarn})
    c._attn_implementation = "eager"
    metadata = {**attention_metadata(c, 6), "rope.freq_base": 5000.0,
                "attention.sliding_window": 4, "rope.scaling.type": "yarn",
                "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 256}
    if magnitude:
        metadata["rope.scaling.yarn_attn_factor"] = magnitude
    tiny = Tiny(name, "olmo2", c, transformers.Olmo3ForCausalLM, metadata)
    put_decoder(tiny, permute_heads=False, norms=[
        ("post_attention_norm", "post_attention_layernorm"),
        ("post_ffw_norm", "post_feedforward_layernorm"), *QK_NORMS])
    return tiny


def granite(name, model=transformers.GraniteForCausalLM, config=transformers.GraniteConfig,
            architecture="granite", more=None, **changes):
    settings = dict(
        vocab_size=91, hidden_size=30, intermediate_size=26, num_hidden_layers=2,
        num_attention_heads=3, num_key_value_heads=1, max_position_embeddings=64,
        rms_norm_eps=1e-5, tie_word_embeddings=True, embedding_multiplier=6.0,
        logits_scaling=3.0, residual_multiplier=0.3, attention_multiplier=0.2,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0})
    settings.update(changes)
    c = config(**settings)
    c._attn_implementation = "eager"
    metadata = {**attention_metadata(c, 10), "rope.freq_base": 10000.0, "embedding_scale": 6.0,
                "logit_scale": 3.0, "residual_scale": 0.3, "attention.scale": 0.2, **(more or {})}
    tiny = Tiny(name, architecture, c, model, metadata)
    put_decoder(tiny, permute_heads=True)
    return tiny


def granitemoe(name):
    tiny = granite(name, transformers.GraniteMoeSharedForCausalLM,
                   transformers.GraniteMoeSharedConfig, "granitemoe",
                   {"expert_count": 7, "expert_used_count": 3,
                    "expert_shared_feed_forward_length": 18},
                   num_local_experts=7, num_experts_per_tok=3, shared_intermediate_size=18,
                   tie_word_embeddings=False)
    for i in range(2):
        hf, gg = f"model.layers.{i}.", f"blk.{i}."
        put_experts(tiny, gg, hf + "block_sparse_moe.", router="router")
        gate, up = (tiny.tensor(gg + f"ffn_{part}_shexp.weight", 18, 30)
                    for part in ("gate", "up"))
        tiny.fill(hf + "shared_mlp.input_linear.weight", torch.cat([gate, up]))
        tiny.put(gg + "ffn_down_shexp.weight", hf + "shared_mlp.output_linear.weight")
    return tiny


def put_state_space(tiny, gg, hf):
    c = tiny.config
    heads, channels = c.mamba_n_heads, tiny.state[hf + "conv1d.weight"].shape[0]
    inner = c.mamba_d_head * heads
    tiny.put(gg + "ssm_in.weight", hf + "in_proj.weight")
    taps = tiny.tensor(gg + "ssm_conv1d.weight", channels, c.mamba_d_conv)
    tiny.fill(hf + "conv1d.weight", taps.reshape(channels, 1, c.mamba_d_conv))
    tiny.put(gg + "ssm_conv1d.bias", hf + "conv1d.bias")
    tiny.put(gg + "ssm_dt.bias", hf + "dt_bias")
    tiny.fill(hf + "A_log", torch.log(-tiny.tensor(gg + "ssm_a", heads, 1).reshape(-1)))
    tiny.fill(hf + "D", tiny.tensor(gg + "ssm_d", heads, 1).reshape(-1))
    norm = tiny.tensor(gg + "ssm_norm.weight", c.mamba_n_groups, inner // c.mamba_n_groups)
    tiny.fill(hf + "norm.weight", norm.reshape(-1))
    tiny.put(gg + "ssm_out.weight", hf + "out_proj.weight")


def granitehybrid(name, n_experts, **changes):
    kinds = ["linear_attention", "full_attention", "linear_attention"]
    settings = dict(num_hidden_layers=3, layer_types=kinds, mamba_n_heads=6, mamba_n_groups=1,
                    mamba_d_state=7, mamba_d_conv=4, mamba_chunk_size=8, num_local_experts=n_experts,
                    num_experts_per_tok=2 if n_experts else 0, shared_intermediate_size=18,
                    position_embedding_type="nope")
    settings.update(changes)
    more = {"attention.head_count_kv": [1 if kind == "full_attention" else 0 for kind in kinds],
            "rope.scaling.finetuned": False, "ssm.conv_kernel": 4, "ssm.state_size": 7,
            "ssm.group_count": settings["mamba_n_groups"], "ssm.inner_size": 60,
            "ssm.time_step_rank": 6, "vocab_size": 91}
    if n_experts:
        more.update({"expert_count": n_experts, "expert_used_count": 2,
                     "expert_shared_feed_forward_length": 18})
    else:
        more["feed_forward_length"] = 18
    tiny = granite(name, transformers.GraniteMoeHybridForCausalLM,
                   transformers.GraniteMoeHybridConfig, "granitehybrid", more, **settings)
    for i, kind in enumerate(kinds):
        hf, gg = f"model.layers.{i}.", f"blk.{i}."
        if kind == "linear_attention":
            put_state_space(tiny, gg, hf + "mamba.")
        suffix = "_shexp" if n_experts else ""
        if n_experts:
            put_experts(tiny, gg, hf + "block_sparse_moe.", router="router")
        gate, up = (tiny.tensor(gg + f"ffn_{part}{suffix}.weight", 18, 30)
                    for part in ("gate", "up"))
        tiny.fill(hf + "shared_mlp.input_linear.weight", torch.cat([gate, up]))
        tiny.put(gg + f"ffn_down{suffix}.weight", hf + "shared_mlp.output_linear.weight")
    return tiny


def olmoe(name, tied):
    c = transformers.OlmoeConfig(
        vocab_size=97, hidden_size=36, intermediate_size=22, num_experts=9, num_experts_per_tok=4,
        norm_topk_prob=False, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=3,
        max_position_embeddings=64, rms_norm_eps=1e-5, tie_word_embeddings=tied, clip_qkv=None,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0})
    c._attn_implementation = "eager"
    metadata = {**attention_metadata(c, 6), "rope.freq_base": 10000.0, "expert_count": 9,
                "expert_used_count": 4}
    tiny = Tiny(name, "olmoe", c, transformers.OlmoeForCausalLM, metadata)
    put_decoder(tiny, permute_heads=False, norms=PRE_NORMS + QK_NORMS)
    for i in range(2):
        put_experts(tiny, f"blk.{i}.", f"model.layers.{i}.mlp.")
    return tiny


def put_latent_attention(tiny, gg, hf, fused):
    """fused: keys and values of latents in one tensor, as files from before 2025-04 have them."""
    c = tiny.config
    n, plain, value, latent = (c.num_attention_heads, c.qk_nope_head_dim, c.v_head_dim,
                               c.kv_lora_rank)
    if c.q_lora_rank:
        for part, where in (("q_a", "q_a_proj"), ("q_a_norm", "q_a_layernorm"), ("q_b", "q_b_proj")):
            tiny.put(gg + f"attn_{part}.weight", hf + f"{where}.weight")
    else:
        tiny.put(gg + "attn_q.weight", hf + "q_proj.weight")
    tiny.put(gg + "attn_kv_a_mqa.weight", hf + "kv_a_proj_with_mqa.weight")
    tiny.put(gg + "attn_kv_a_norm.weight", hf + "kv_a_layernorm.weight")
    tiny.put(gg + "attn_output.weight", hf + "o_proj.weight")
    if fused:
        tiny.put(gg + "attn_kv_b.weight", hf + "kv_b_proj.weight")
        return
    k_b = tiny.tensor(gg + "attn_k_b.weight", n, latent, plain)
    v_b = tiny.tensor(gg + "attn_v_b.weight", n, value, latent)
    tiny.fill(hf + "kv_b_proj.weight", torch.cat([k_b.transpose(1, 2), v_b], dim=1).reshape(-1, latent))


def deepseek(name, model, config, fused, metadata, **changes):
    settings = dict(
        vocab_size=91, hidden_size=30, intermediate_size=26, moe_intermediate_size=14,
        num_hidden_layers=3, num_attention_heads=3, num_key_value_heads=3, q_lora_rank=9,
        kv_lora_rank=10, qk_nope_head_dim=6, qk_rope_head_dim=8, v_head_dim=5, n_routed_experts=8,
        num_experts_per_tok=3, n_shared_experts=1, first_k_dense_replace=1, routed_scaling_factor=1.0,
        max_position_embeddings=1024, rms_norm_eps=1e-6, tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": 5000.0})
    settings.update(changes)
    c = config(**settings)
    c._attn_implementation = "eager"
    key, latent = c.qk_nope_head_dim + c.qk_rope_head_dim, c.kv_lora_rank
    widths = ({"attention.key_length": key, "attention.value_length": c.v_head_dim} if fused else
              {"attention.key_length": latent + c.qk_rope_head_dim,
               "attention.value_length": latent, "attention.key_length_mla": key,
               "attention.value_length_mla": c.v_head_dim})
    metadata = {
        "block_count": c.num_hidden_layers, "context_length": c.max_position_embeddings,
        "embedding_length": c.hidden_size, "feed_forward_length": c.intermediate_size,
        "attention.head_count": c.num_attention_heads,
        "attention.head_count_kv": c.num_attention_heads if fused else 1, **widths,
        "attention.kv_lora_rank": latent, "attention.layer_norm_rms_epsilon": c.rms_norm_eps,
        "rope.dimension_count": c.qk_rope_head_dim, "rope.freq_base": 5000.0,
        "leading_dense_block_count": c.first_k_dense_replace, "vocab_size": c.vocab_size,
        "expert_count": c.n_routed_experts, "expert_used_count": c.num_experts_per_tok,
        "expert_feed_forward_length": c.moe_intermediate_size,
        "expert_shared_count": c.n_shared_experts,
        "expert_weights_scale": c.routed_scaling_factor, **metadata}
    if c.q_lora_rank:
        metadata["attention.q_lora_rank"] = c.q_lora_rank
    tiny = Tiny(name, "deepseek2", c, model, metadata)
    put_decoder(tiny, permute_heads=False, attention=False)
    for i in range(c.num_hidden_layers):
        hf, gg = f"model.layers.{i}.", f"blk.{i}."
        put_latent_attention(tiny, gg, hf + "self_attn.", fused)
        if i < c.first_k_dense_replace:
            continue
        put_experts(tiny, gg, hf + "mlp.")
        if hf + "mlp.gate.e_score_correction_bias" in tiny.state:
            tiny.put(gg + "exp_probs_b.bias", hf + "mlp.gate.e_score_correction_bias")
        for part in ("gate", "up", "down"):
            tiny.put(gg + f"ffn_{part}_shexp.weight", hf + f"mlp.shared_experts.{part}_proj.weight")
    return tiny


def yarn_of_scores(mscale):
    rope = {"rope_type": "yarn", "rope_theta": 5000.0, "factor": 4.0, "mscale": mscale,
            "mscale_all_dim": mscale, "original_max_position_embeddings": 256}
    return rope, {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0,
                  "rope.scaling.original_context_length": 256,
                  "rope.scaling.yarn_log_multiplier": 0.1 * mscale}


def deepseek2(name):
    return deepseek(name, transformers.DeepseekV2ForCausalLM, transformers.DeepseekV2Config, True,
                    {"expert_group_count": 4, "expert_group_used_count": 2},
                    topk_method="group_limited_greedy", n_group=4, topk_group=2,
                    routed_scaling_factor=2.5)


def deepseek2_lite(name):
    rope, metadata = yarn_of_scores(0.707)
    return deepseek(name, transformers.DeepseekV2ForCausalLM, transformers.DeepseekV2Config, False,
                    metadata, q_lora_rank=None, n_routed_experts=7, n_shared_experts=2,
                    topk_method="greedy", rope_parameters=rope)


def deepseek3(name):
    rope, metadata = yarn_of_scores(1.0)
    return deepseek(name, transformers.DeepseekV3ForCausalLM, transformers.DeepseekV3Config, False,
                    {"expert_group_count": 4, "expert_group_used_count": 2,
                     "expert_gating_func": 2, "expert_weights_norm": True, **metadata},
                    kv_lora_rank=11, qk_nope_head_dim=7, n_routed_experts=12, n_group=4, topk_group=2, norm_topk_prob=True,
                    routed_scaling_factor=2.5, num_mtp_layers=0, rope_parameters=rope)


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
        mixtral("mixtral"),
        mixtral("mixtral_split", split=True, scale=1.5, tie_word_embeddings=True),
        gemma3("gemma3"),
        qwen2("qwen2", True), qwen2("qwen2_untied", False),
        qwen2moe("qwen2moe", False),
        qwen3("qwen3", True), qwen3moe("qwen3moe", False),
        olmo2("olmo2", False), olmo3("olmo3"), olmo3("olmo3_magnitude", 1.5), olmoe("olmoe", True),
        granite("granite"), granitemoe("granitemoe"), granitehybrid("granitehybrid", 0),
        granitehybrid("granitehybrid_experts", 5, mamba_n_groups=2, tie_word_embeddings=False),
        deepseek2("deepseek2"), deepseek2_lite("deepseek2_lite"), deepseek3("deepseek3"),
        gptneox("gptneox", True), gptneox("gptneox_sequential", False),
    ]
    for tiny in models:
        if sys.argv[3:] and tiny.name not in sys.argv[3:]:
            continue
        text = json.dumps(describe(tiny), separators=(",", ":"))
        path = folder / f"tiny_{tiny.name}.json"
        path.write_text(text + "\n", encoding="utf-8")
        print(f"{path.name}: {len(text)} bytes", file=sys.stderr)
        if sys.argv[2:] and sys.argv[2] != "-":
            write_gguf(tiny, pathlib.Path(sys.argv[2]))


if __name__ == "__main__":
    main()
