"""Writes src/inference/testdata/hf_*.json: tiny models in the form their makers publish, config.json
and the names and shapes of safetensors, with the logits that transformers computes for them.
usage: hf_models.py FOLDER [NAME...]
Weights are a formula of name and element (hf_formula, src/models/testing/hf_model.h). `without` says
how config.json is changed to switch a feature off, which the answers must show; `gguf` what
llama.cpp's converter makes of it (hf_gguf.py)."""
from hf_gguf import converted  # isort: skip
import json
import math
import pathlib
import re
import sys
import tempfile
from importlib.metadata import version

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

from tiny import all_logits, answers, formula, token_ids, watch_experts

ORACLE = (f"transformers {version('transformers')}, torch {version('torch')}, "
          "tests/oracle/hf_models.py")
SMALL = dict(vocab_size=91, hidden_size=30, intermediate_size=52, num_hidden_layers=2,
             num_attention_heads=3, num_key_value_heads=1, max_position_embeddings=64,
             tie_word_embeddings=False)
T5 = dict(vocab_size=91, d_ff=52, eos_token_id=1, pad_token_id=0)
ROPE = {"rope_type": "default", "rope_theta": 5000.0}
LLAMA3_ROPE = {"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
LLAMA4_TEXT = dict(SMALL, head_dim=10, intermediate_size=22, intermediate_size_mlp=52,
                   num_local_experts=4, num_experts_per_tok=1, rms_norm_eps=1e-5,
                   attention_chunk_size=8192, rope_parameters=ROPE)
LONGROPE = {"rope_type": "longrope", "rope_theta": 5000.0,
            "original_max_position_embeddings": 16,
            "short_factor": [1.0, 1.1, 1.3, 1.7, 2.3], "long_factor": [1.0, 2.0, 3.0, 5.0, 8.0]}
LONG_QWEN = {"rope_parameters": None, "rope_theta": 5000.0,
             "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}}
MINISTRAL3_ROPE = {"rope_type": "yarn", "rope_theta": 5000.0, "factor": 4.0, "beta_fast": 1.0, "beta_slow": 0.02,
                   "original_max_position_embeddings": 6, "mscale": 1.0, "mscale_all_dim": 1.0,
                   "llama_4_scaling_beta": 0.3}
MSCALE_QWEN = {"rope_parameters": None, "rope_theta": 5000.0,
               "rope_scaling": {**LONG_QWEN["rope_scaling"], "mscale": 0.6, "mscale_all_dim": 1.4}}
# As published, without what the class has anyway: 8 heads, 4 of keys, the scale of scores and the
# bases of positions.
GEMMA3_TEXT = dict(model_type="gemma3_text", vocab_size=91, hidden_size=32, intermediate_size=52, head_dim=8,
                   num_hidden_layers=7, sliding_window=5, max_position_embeddings=64,
                   rope_scaling={"rope_type": "linear", "factor": 8.0})
GPT_OSS_ROPE = {"rope_type": "yarn", "rope_theta": 5000.0, "factor": 4.0, "beta_fast": 1.0,
                "beta_slow": 0.02, "original_max_position_embeddings": 16}


def hf_formula(name, shape):
    """Vectors of weights are norms, near one."""
    if len(shape) == 1 and name.endswith(".weight"):
        name += "/norm.weight"
    cols = shape[-1] if shape else 1
    rows = 1
    for n in shape[:-1]:
        rows *= n
    return formula(name, cols, rows).reshape(tuple(shape))


DEEPSEEK = dict(SMALL, intermediate_size=26, moe_intermediate_size=14, num_hidden_layers=3,
                num_key_value_heads=3, q_lora_rank=9, kv_lora_rank=10, qk_nope_head_dim=6,
                qk_rope_head_dim=8, v_head_dim=5, n_routed_experts=8, num_experts_per_tok=3,
                n_shared_experts=1, first_k_dense_replace=1, max_position_embeddings=1024,
                rms_norm_eps=1e-6, rope_parameters=ROPE)
# Of the layer behind the last one, as published; transformers and the converter leave it out.
NEXT = {"embed_tokens": [91, 30], "enorm": [30], "hnorm": [30], "eh_proj": [30, 60],
        "self_attn.kv_b_proj": [36, 11], "shared_head.head": [91, 30]}
HYBRID = dict(SMALL, intermediate_size=18, num_hidden_layers=3, mamba_n_heads=6, mamba_n_groups=1, mamba_d_state=7,
              mamba_d_conv=4, mamba_chunk_size=8, num_local_experts=0, num_experts_per_tok=0,
              shared_intermediate_size=18, position_embedding_type="nope",
              layer_types=["linear_attention", "full_attention", "linear_attention"],
              published={"without": [],
                         "fields": {"layer_types": ["mamba", "attention", "mamba"]}},
              attention_multiplier=0.2, embedding_multiplier=6.0, residual_multiplier=0.4,
              logits_scaling=3.0)


def yarn(of_positions, of_scores):
    return {"rope_type": "yarn", "rope_theta": 5000.0, "factor": 4.0, "mscale": of_positions,
            "mscale_all_dim": of_scores, "original_max_position_embeddings": 256}


class Model:
    """transformers' model with the formula's weights, as from_pretrained reads it. `published`: how a
    configuration of another class says the same, which transformers does not have, and tensors
    that it does not read. `early`: fields of published configurations that this transformers would
    not write. `more`: tensors that it would not write. `bare`: names as of the model alone, without
    what they have in front under a head."""

    def __init__(self, name, kind, **settings):
        self.name = name
        transformers.utils.logging.disable_progress_bar()
        config = getattr(transformers, settings.pop("config", None) or
                         re.sub("For[A-Z].*", "Config", kind))
        published = settings.pop("published", None)
        early = settings.pop("early", {})
        more = settings.pop("more", {})
        bare = settings.pop("bare", "")
        attention = settings.pop("attention", "eager")
        empty = getattr(transformers, kind)(config(**settings))
        with tempfile.TemporaryDirectory() as folder:
            empty.save_pretrained(folder)
            folder = pathlib.Path(folder)
            with safe_open(folder / "model.safetensors", "pt") as file:
                self.tensors = {key: list(file.get_slice(key).get_shape()) for key in file.keys()}
            self.tensors = {key.removeprefix(bare): shape for key, shape in self.tensors.items()}
            self.tensors |= more
            save_file({key: hf_formula(key, shape).contiguous()
                       for key, shape in self.tensors.items()}, folder / "model.safetensors",
                      metadata={"format": "pt"})
            self.config = json.loads((folder / "config.json").read_text())
            if early:
                self.config = {k: v for k, v in {**self.config, **early}.items() if v is not None}
                (folder / "config.json").write_text(json.dumps(self.config))
            self.model = getattr(transformers, kind).from_pretrained(
                folder, dtype=torch.float32, attn_implementation=attention,
                experts_implementation="eager").eval()
            if published:
                kept = {k: v for k, v in self.config.items() if k not in published["without"]}
                self.config = {**kept, **published["fields"]}
                (folder / "config.json").write_text(json.dumps(self.config))
                self.tensors.update(published.get("tensors", {}))
            self.gguf = None if name in WITHOUT_GGUF else converted(folder)
        self.config.pop("transformers_version")


def source_and_text(model, n_source, n_text):
    """Of an encoder-decoder: the logits of a text about a source, and what greedy decoding writes."""
    source = token_ids(f"{model.name}/source/{n_source}", n_source, model.config["vocab_size"])
    first = model.config["decoder_start_token_id"]
    ids = [first] + token_ids(f"{model.name}/{n_text}", n_text, model.config["vocab_size"])[1:]
    with torch.no_grad():
        logits = model.model(input_ids=torch.tensor([source]), use_cache=False,
                             decoder_input_ids=torch.tensor([ids])).logits[0].to(torch.float64)
        greedy = model.model.generate(torch.tensor([source]), max_new_tokens=12, do_sample=False,
                                      num_beams=1, decoder_start_token_id=first,
                                      use_cache=False)[0]
    positions = sorted({0, n_text // 2, n_text - 2, n_text - 1})
    return {"source": source, "ids": ids, "greedy": greedy.tolist(),
            "answers": answers(logits, positions, [])}


def describe_pairs(model, without):
    return {"oracle": ORACLE, "config": model.config, "tensors": model.tensors, "without": without,
            "sequences": [source_and_text(model, *lengths) for lengths in ((5, 3), (37, 11),
                                                                           (150, 140))],
            **({"gguf": model.gguf} if model.gguf else {})}


def growing(model, ids, n_prompt):
    """What a text has behind its tokens at each length, where its length changes all positions, and
    how greedy decoding goes on from its first tokens."""
    first = model.config["original_max_position_embeddings"]
    grown = [answers(all_logits(model, ids[:n]), [n - 1], [])[0]
             for n in (first - 1, first, first + 1, first + 2, len(ids))]
    greedy = ids[:n_prompt]
    while len(greedy) < 2 * first - n_prompt:  # generate() would leave the padding's token out
        greedy = greedy + [int(all_logits(model, greedy)[-1].argmax())]
    return {"grown": grown, "n_prompt": n_prompt, "greedy": greedy}


def continued(model, n_prompt, n_text):
    """What a text has behind its tokens when it comes as transformers' generate() asks for it, the
    prompt at once and then token by token: where bases grow, keys keep the one of their time."""
    ids = token_ids(f"{model.name}/{n_prompt}/{n_text}", n_text, model.config["vocab_size"])
    all_logits(model, ids[:3])  # a short text begins anew
    found, past = [], None
    with torch.no_grad():
        for end in range(n_prompt, n_text + 1):
            out = model.model(torch.tensor([ids[0 if past is None else end - 1:end]]), past_key_values=past,
                              use_cache=True)
            past = out.past_key_values
            found.append((end - 1, out.logits[0, -1].to(torch.float64)))
    rows = dict(found)
    positions = sorted({n_prompt - 1, n_prompt, (n_prompt + n_text) // 2, n_text - 1})
    return {"n_prompt": n_prompt, "ids": ids, "answers": answers(rows, positions, [])}


def describe(model, without):
    if model.config.get("is_encoder_decoder"):
        return describe_pairs(model, without)
    sequences = []
    chosen = watch_experts(model)
    n_vocab = model.config.get("text_config", model.config)["vocab_size"]
    for length in (3, 11, 26):
        ids = token_ids(f"{model.name}/{length}", length, n_vocab)
        chosen.clear()
        logits = all_logits(model, ids)
        positions = sorted({0, length // 2, length - 2, length - 1})
        sequences.append({"ids": ids, "answers": answers(logits, positions, chosen)})
        if length == 26 and model.name == "phi3_longrope":
            sequences[-1] |= growing(model, ids, 11)
        if length == 26 and model.name == "llama_dynamic":
            sequences[-1]["continued"] = [continued(model, *n) for n in ((11, 26), (20, 30))]
    return {"oracle": ORACLE, "config": model.config, "tensors": model.tensors, "without": without,
            "sequences": sequences, **({"gguf": model.gguf} if model.gguf else {})}


# What the converter loses (the answers would be others) or cannot do without a tokenizer.
WITHOUT_GGUF = {"mistral": "its window", "olmo3": "YaRN", "gemma3": "needs a tokenizer",
                "gemma3_both": "needs a tokenizer", "qwen3_bare": "not tried",
                "qwen2_yarn_mscale": "the magnitude of positions", "gemma3n": "needs a tokenizer", "falcon_rw": "ALiBi", "llama_dynamic": "its growth",
                "ministral3": "needs a tokenizer",
                "ministral": "not known", "gptj": "not known", "deepseek2_lite": "the magnitude of positions",
                "stablelm_parallel": "it stops at the norms of heads",
                "gptneox": "asks for a field of older configurations",
                "gpt_oss": "its limit and that YaRN's bounds are not rounded",
                "llama4": "its sections and how queries grow",
                "t5_gated": "its distances"}

# name: class, settings, and what may not be left out
MODELS = {
    "llama": ("LlamaForCausalLM", dict(SMALL, head_dim=10, rms_norm_eps=1e-5, rope_parameters=ROPE),
              {"its rope base": {"rope_parameters": {"rope_theta": 10000.0}}}),
    "llama3": ("LlamaForCausalLM",
               dict(SMALL, head_dim=12, num_key_value_heads=3, attention_bias=True, mlp_bias=True,
                    tie_word_embeddings=True,
                    rope_parameters=LLAMA3_ROPE),
               {"its stretching": {"rope_parameters": {"rope_theta": 500.0}}}),
    "llama_linear": ("LlamaForCausalLM",
                     dict(SMALL, num_key_value_heads=3,
                          early={"rope_parameters": None, "rope_theta": 100000.0,
                                 "rope_scaling": {"type": "linear", "factor": 4.0}}),
                     {"scaled positions": {"rope_scaling": None}}),
    "llama_dynamic": ("LlamaForCausalLM",  # as long contexts of models of 2023 are switched on
                      dict(SMALL, head_dim=14, max_position_embeddings=16,
                           early={"rope_parameters": None, "rope_theta": 5000.0,
                                  "rope_scaling": {"type": "dynamic", "factor": 4.0}}),
                      {"its growth": {"rope_scaling": None, "max_position_embeddings": 64},
                       "its factor": {"rope_scaling": {"type": "dynamic", "factor": 8.0}},
                       "where it begins": {"max_position_embeddings": 24}}),
    "mistral": ("MistralForCausalLM", dict(SMALL, head_dim=10, sliding_window=4,
                                           rope_parameters=ROPE),
                {"its window": {"sliding_window": None}}),
    "ministral3": ("Ministral3ForCausalLM",
                   dict(SMALL, head_dim=10, rms_norm_eps=1e-5, rope_parameters=MINISTRAL3_ROPE),
                   {"growing queries": {"rope_parameters": {**MINISTRAL3_ROPE, "llama_4_scaling_beta": 0.0}},
                    "its stretching": {"rope_parameters": {**MINISTRAL3_ROPE, "factor": 1.0}},
                    "that keys and queries keep their size": {"rope_parameters": {
                        k: v for k, v in MINISTRAL3_ROPE.items() if not k.startswith("mscale")}}}),
    "mixtral": ("MixtralForCausalLM", dict(SMALL, head_dim=10, intermediate_size=22,
                                           num_local_experts=5, num_experts_per_tok=2,
                                           rope_parameters=ROPE),
                {"its second expert": {"num_experts_per_tok": 1}}),
    "qwen2": ("Qwen2ForCausalLM", dict(SMALL, hidden_size=36, num_attention_heads=6,
                                       num_key_value_heads=2, tie_word_embeddings=True,
                                       rms_norm_eps=1e-6, rope_parameters=ROPE),
              {"its rope base": {"rope_parameters": {"rope_theta": 50000.0}}}),
    "qwen2_yarn": ("Qwen2ForCausalLM",  # as the long contexts of Qwen 2.5 are switched on
                   dict(SMALL, rms_norm_eps=1e-6, early=LONG_QWEN),
                   {"YaRN": {"rope_scaling": None},
                    "its factor": {"rope_scaling": {**LONG_QWEN["rope_scaling"], "factor": 2.0}}}),
    "qwen2_yarn_mscale": ("Qwen2ForCausalLM", dict(SMALL, rms_norm_eps=1e-6, early=MSCALE_QWEN),
                          {"its magnitude": {"rope_scaling": LONG_QWEN["rope_scaling"]}}),
    "qwen2moe": ("Qwen2MoeForCausalLM",
                 dict(SMALL, hidden_size=36, num_attention_heads=6, num_key_value_heads=2,
                      num_experts=5, num_experts_per_tok=2, moe_intermediate_size=14,
                      shared_expert_intermediate_size=26, rope_parameters=ROPE),
                 {"its second expert": {"num_experts_per_tok": 1}}),
    "qwen3": ("Qwen3ForCausalLM", dict(SMALL, head_dim=14, rms_norm_eps=1e-6,
                                       tie_word_embeddings=True, rope_parameters=ROPE),
              {"its rope base": {"rope_parameters": {"rope_theta": 50000.0}}}),
    "qwen3_yarn": ("Qwen3ForCausalLM",
                   dict(SMALL, head_dim=14, num_key_value_heads=3, rms_norm_eps=1e-6, early=LONG_QWEN),
                   {"YaRN": {"rope_scaling": None},
                    "its factor": {"rope_scaling": {**LONG_QWEN["rope_scaling"], "factor": 2.0}}}),
    "qwen3_bare": ("Qwen3ForCausalLM",  # as its embedders are published
                   dict(SMALL, head_dim=14, rms_norm_eps=1e-6, tie_word_embeddings=True,
                        rope_parameters=ROPE, bare="model."),
                   {"its rope base": {"rope_parameters": {"rope_theta": 50000.0}}}),
    "qwen3moe": ("Qwen3MoeForCausalLM",
                 dict(SMALL, head_dim=14, num_experts=7, num_experts_per_tok=3,
                      moe_intermediate_size=14, norm_topk_prob=True, rope_parameters=ROPE),
                 {"its third expert": {"num_experts_per_tok": 2}}),
    "olmo2": ("Olmo2ForCausalLM", dict(SMALL, rms_norm_eps=1e-6, rope_parameters=ROPE),
              {"its rope base": {"rope_parameters": {"rope_theta": 50000.0}}}),
    "olmo3": ("Olmo3ForCausalLM",
              dict(SMALL, num_hidden_layers=5, sliding_window=5, max_position_embeddings=256,
                   rope_parameters={"rope_type": "yarn", "rope_theta": 5000.0, "factor": 4.0,
                                    "original_max_position_embeddings": 64,
                                    "beta_fast": 32.0, "beta_slow": 1.0,
                                    "attention_factor": 1.2}),
              {"its window": {"sliding_window": None},
               "YaRN": {"rope_parameters": {"rope_theta": 5000.0}}}),
    "olmoe": ("OlmoeForCausalLM",
              dict(SMALL, hidden_size=36, num_attention_heads=6, num_key_value_heads=3,
                   intermediate_size=22, num_experts=9, num_experts_per_tok=4,
                   norm_topk_prob=False, rope_parameters=ROPE),
              {"its fourth expert": {"num_experts_per_tok": 3}}),
    "granite": ("GraniteForCausalLM",
                dict(SMALL, attention_multiplier=0.2, embedding_multiplier=6.0,
                     residual_multiplier=0.4, logits_scaling=3.0, rope_parameters=ROPE),
                {"its embedding scale": {"embedding_multiplier": 1.0},
                 "its attention scale": {"attention_multiplier": 0.31},
                 "its residual scale": {"residual_multiplier": 1.0},
                 "its logit scale": {"logits_scaling": 1.0}}),
    "minicpm": ("GraniteForCausalLM",
                dict(SMALL, attention_multiplier=10 ** -0.5, embedding_multiplier=6.0,
                     residual_multiplier=0.6 / 2 ** 0.5, logits_scaling=3.0, rope_parameters=ROPE,
                     published={"without": ["attention_multiplier", "embedding_multiplier",
                                            "residual_multiplier", "logits_scaling"],
                                "fields": {"architectures": ["MiniCPMForCausalLM"],
                                           "model_type": "minicpm", "scale_emb": 6.0,
                                           "scale_depth": 0.6, "dim_model_base": 10}}),
                {"its embedding scale": {"scale_emb": 1.0},
                 "its residual scale": {"scale_depth": 1.5},
                 "its logit scale": {"dim_model_base": 30}}),
    "granitemoe": ("GraniteMoeSharedForCausalLM",
                   dict(SMALL, intermediate_size=22, num_local_experts=7, num_experts_per_tok=3,
                        shared_intermediate_size=18, attention_multiplier=0.2,
                        embedding_multiplier=6.0, residual_multiplier=0.4, logits_scaling=3.0,
                        rope_parameters=ROPE),
                   {"its third expert": {"num_experts_per_tok": 2}}),
    "gemma3": ("Gemma3ForCausalLM",
               dict(SMALL, config="Gemma3TextConfig", num_hidden_layers=7, head_dim=8,
                    sliding_window=5, query_pre_attn_scalar=11, tie_word_embeddings=True,
                    layer_types=["full_attention" if i % 6 == 5 else "sliding_attention"
                                 for i in range(7)],
                    rope_parameters={
                        "full_attention": {"rope_type": "linear", "factor": 4.0,
                                           "rope_theta": 1000000.0},
                        "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}),
               {"its window": {"sliding_window": None},
                "its own width": {"query_pre_attn_scalar": 8},
                "the window's rope base": {"rope_parameters": {
                    "full_attention": {"rope_type": "linear", "factor": 4.0,
                                       "rope_theta": 1000000.0},
                    "sliding_attention": {"rope_type": "default", "rope_theta": 1000.0}}}}),
    "gemma3_both": ("Gemma3ForConditionalGeneration",
                    dict(config="Gemma3Config", mm_tokens_per_image=4,
                         text_config={k: v for k, v in GEMMA3_TEXT.items() if k != "rope_scaling"},
                         vision_config=dict(hidden_size=8, intermediate_size=12, image_size=28,
                                            patch_size=14, num_hidden_layers=1,
                                            num_attention_heads=2, vision_use_head=False),
                         early=dict(text_config=GEMMA3_TEXT)),
                    {"its window": {"text_config": {**GEMMA3_TEXT, "sliding_window": None}},
                     "the class's scale of scores": {"text_config": {**GEMMA3_TEXT,
                                                                     "query_pre_attn_scalar": 8}},
                     "its stretching": {"text_config": {**GEMMA3_TEXT, "rope_scaling": None}},
                     "the class's rope base": {"text_config": {**GEMMA3_TEXT, "rope_theta": 10000.0}},
                     "the window's rope base": {"text_config": {**GEMMA3_TEXT,
                                                                "rope_local_base_freq": 500.0}}}),
    "gptneox": ("GPTNeoXForCausalLM",
                dict({k: v for k, v in SMALL.items() if k != "num_key_value_heads"},
                     hidden_size=36, use_parallel_residual=True, hidden_act="gelu",
                     rope_parameters={"rope_type": "default", "rope_theta": 10000.0,
                                      "partial_rotary_factor": 0.34}),
                {"the parallel residual": {"use_parallel_residual": False},
                 "partial rope": {"rope_parameters": {"partial_rotary_factor": 1.0}}}),
    "gemma": ("GemmaForCausalLM", dict(SMALL, head_dim=8, tie_word_embeddings=True,
                                       rope_parameters={**ROPE, "rope_theta": 10000.0}),
              {"its rope base": {"rope_parameters": {"rope_theta": 50000.0}}}),
    "gemma2": ("Gemma2ForCausalLM",
               dict(SMALL, num_hidden_layers=3, head_dim=8, sliding_window=5,
                    query_pre_attn_scalar=8, tie_word_embeddings=True,
                    attn_logit_softcapping=0.5, final_logit_softcapping=2.0,
                    rope_parameters={**ROPE, "rope_theta": 10000.0}),
               {"its window": {"sliding_window": None},
                "its own width": {"query_pre_attn_scalar": 11},
                "the soft cap of scores": {"attn_logit_softcapping": None},
                "the soft cap of logits": {"final_logit_softcapping": None}}),
    "cohere": ("CohereForCausalLM", dict(SMALL, logit_scale=0.3, tie_word_embeddings=True,
                                         rope_parameters=ROPE),
               {"its logit scale": {"logit_scale": 1.0}}),
    "cohere_qk_norm": ("CohereForCausalLM",
                       dict(SMALL, hidden_size=36, num_attention_heads=6, num_key_value_heads=2,
                            logit_scale=0.3, tie_word_embeddings=True, use_qk_norm=True,
                            attention_bias=True, rope_parameters=ROPE),
                       {"its rope base": {"rope_parameters": {"rope_theta": 50000.0}}}),
    "cohere2": ("Cohere2ForCausalLM",
                dict(SMALL, num_hidden_layers=5, sliding_window=5, logit_scale=0.3,
                     tie_word_embeddings=True, rotary_pct=1.0, rope_parameters=ROPE),
                {"its window": {"sliding_window": 64},
                 "layers without positions": {"layer_types": ["sliding_attention"] * 5},
                 "its logit scale": {"logit_scale": 1.0}}),
    "phi": ("PhiForCausalLM",
            dict(SMALL, num_key_value_heads=3, intermediate_size=120,
                 rope_parameters={"rope_type": "default", "rope_theta": 10000.0,
                                  "partial_rotary_factor": 0.4}),
            {"partial rope": {"rope_parameters": {"partial_rotary_factor": 1.0}}}),
    "phi3": ("Phi3ForCausalLM",
             dict(SMALL, sliding_window=5, pad_token_id=0,
                  rope_parameters={"rope_type": "default", "rope_theta": 5000.0,
                                   "partial_rotary_factor": 0.8}),
             {"its window": {"sliding_window": None},
              "partial rope": {"rope_parameters": {"rope_theta": 5000.0}}}),
    "phi3_longrope": ("Phi3ForCausalLM",
                      dict(SMALL, num_key_value_heads=3, pad_token_id=0, tie_word_embeddings=True,
                           original_max_position_embeddings=16,
                           rope_parameters=LONGROPE),
                      {"the divisors of short texts": {"rope_parameters": {
                          **LONGROPE, "short_factor": LONGROPE["long_factor"]}},
                       "the divisors of long texts": {"rope_parameters": {
                           **LONGROPE, "long_factor": LONGROPE["short_factor"]}},
                       "the end of short texts": {"original_max_position_embeddings": 27, "rope_parameters": {
                           **LONGROPE, "original_max_position_embeddings": 27,
                           "attention_factor": (1 + math.log(4) / math.log(16)) ** 0.5}},
                       "its factor on keys and queries": {"rope_parameters": {
                           **LONGROPE, "attention_factor": 1.0}}}),
    "phi4_mini": ("Phi3ForCausalLM",
                  dict(SMALL, hidden_size=36, num_attention_heads=3, pad_token_id=0,
                       original_max_position_embeddings=16, tie_word_embeddings=True,
                       rope_parameters={**LONGROPE, "partial_rotary_factor": 0.84}),
                  {"the divisors of long texts": {"rope_parameters": {
                      **LONGROPE, "partial_rotary_factor": 0.84,
                      "long_factor": LONGROPE["short_factor"]}}}),
    "stablelm": ("StableLmForCausalLM",
                 dict(SMALL, use_qkv_bias=True,
                      rope_parameters={"rope_type": "default", "rope_theta": 10000.0,
                                       "partial_rotary_factor": 0.4}),
                 {"partial rope": {"rope_parameters": {"partial_rotary_factor": 1.0}}}),
    "stablelm_parallel": ("StableLmForCausalLM",
                          dict(SMALL, hidden_size=36, num_attention_heads=6, num_key_value_heads=2,
                               use_parallel_residual=True, qk_layernorm=True,
                               rope_parameters={"rope_type": "default", "rope_theta": 10000.0,
                                                "partial_rotary_factor": 0.34}),
                          {"partial rope": {"rope_parameters": {"partial_rotary_factor": 1.0}}}),
    "nemotron": ("NemotronForCausalLM",
                 dict(SMALL, hidden_size=36, mlp_bias=True, attention_bias=True, norm_eps=1e-5,
                      rope_parameters={"rope_type": "default", "rope_theta": 5000.0,
                                       "partial_rotary_factor": 0.5}),
                 {"partial rope": {"rope_parameters": {"rope_theta": 5000.0,
                                                       "partial_rotary_factor": 1.0}}}),
    "olmo": ("OlmoForCausalLM", dict(SMALL, rope_parameters=ROPE),
             {"its rope base": {"rope_parameters": {"rope_theta": 50000.0}}}),
    "olmo_clip": ("OlmoForCausalLM", dict(SMALL, clip_qkv=0.4, tie_word_embeddings=True,
                                          rope_parameters=ROPE),
                  {"its clipping": {"clip_qkv": None}}),
    "smollm3": ("SmolLM3ForCausalLM", dict(SMALL, num_hidden_layers=5, tie_word_embeddings=True,
                                           pad_token_id=0, rope_parameters=ROPE),
                {"its rope base": {"rope_parameters": {"rope_theta": 50000.0}}}),
    "starcoder2": ("Starcoder2ForCausalLM", dict(SMALL, tie_word_embeddings=True,
                                                 rope_parameters=ROPE),
                   {"all that it sees": {"sliding_window": 5}}),
    "gptj": ("GPTJForCausalLM", dict(vocab_size=91, n_embd=30, n_layer=2, n_head=3, n_positions=64,
                                     rotary_dim=4, tie_word_embeddings=False),
             {"partial rope": {"rotary_dim": 10}}),
    "falcon": ("FalconForCausalLM", dict(SMALL, num_kv_heads=1, tie_word_embeddings=True),
               {"its rope base": {"rope_parameters": {"rope_theta": 500.0}}}),
    "falcon_40b": ("FalconForCausalLM",
                   dict(SMALL, hidden_size=36, num_attention_heads=6, num_kv_heads=2,
                        new_decoder_architecture=True),
                   {"its rope base": {"rope_parameters": {"rope_theta": 500.0}}}),
    "falcon_11b": ("FalconForCausalLM",
                   dict(SMALL, hidden_size=36, num_attention_heads=6, num_kv_heads=2,
                        new_decoder_architecture=True, num_ln_in_parallel_attn=1),
                   {"its rope base": {"rope_parameters": {"rope_theta": 500.0}}}),
    "falcon_rw": ("FalconForCausalLM",  # whose eager attention adds the biases a second time
                  dict(SMALL, hidden_size=40, num_attention_heads=4, multi_query=False, parallel_attn=False,
                       bias=True, alibi=True, tie_word_embeddings=True, attention="sdpa"),
                  {"ALiBi": {"alibi": False}}),
    "ministral": ("MinistralForCausalLM",
                  dict(SMALL, num_hidden_layers=3, head_dim=10, sliding_window=5,
                       layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                       rope_parameters=ROPE),
                  {"its window": {"sliding_window": None},
                   "layers that see all": {"layer_types": ["sliding_attention"] * 3}}),
    "deepseek2": ("DeepseekV2ForCausalLM",
                  dict(DEEPSEEK, topk_method="group_limited_greedy", n_group=4, topk_group=2,
                       routed_scaling_factor=2.5),
                  {"groups of experts": {"topk_method": "greedy"},
                   "its scale of experts": {"routed_scaling_factor": 1.0},
                   "its rope base": {"rope_parameters": {"rope_theta": 500.0}}}),
    "deepseek2_lite": ("DeepseekV2ForCausalLM",
                       dict(DEEPSEEK, q_lora_rank=None, n_routed_experts=7, n_shared_experts=2,
                            topk_method="greedy", rope_parameters=yarn(0.3, 0.707)),
                       {"the magnitude of its positions": {"rope_parameters": yarn(0.707, 0.707)},
                        "its stretching": {"rope_parameters": {"rope_theta": 5000.0}}}),
    "deepseek3": ("DeepseekV3ForCausalLM",
                  dict(DEEPSEEK, kv_lora_rank=11, qk_nope_head_dim=7, n_routed_experts=12,
                       n_group=4, topk_group=2, norm_topk_prob=True, routed_scaling_factor=2.5,
                       num_mtp_layers=0, rope_parameters=yarn(1.0, 1.0),
                       published={"without": [],
                                  "fields": {"num_nextn_predict_layers": 1,
                                             "scoring_func": "sigmoid", "topk_method": "noaux_tc"},
                                  "tensors": {f"model.layers.3.{name}.weight": shape
                                              for name, shape in NEXT.items()}}),
                  {"groups of experts": {"n_group": 1, "topk_group": 1},
                   "the sum of its weights": {"norm_topk_prob": False},
                   "the magnitude of its scores": {"rope_parameters": yarn(0.0, 0.0)}}),
    "granitehybrid": ("GraniteMoeHybridForCausalLM", dict(HYBRID),
                      {"its residual scale": {"residual_multiplier": 1.0},
                       "its attention scale": {"attention_multiplier": 0.31}}),
    "granitehybrid_experts": ("GraniteMoeHybridForCausalLM",
                              dict(HYBRID, num_local_experts=5, num_experts_per_tok=2,
                                   intermediate_size=22, mamba_n_groups=2),
                              {"its second expert": {"num_experts_per_tok": 1}}),
    "granitehybrid_dense": ("GraniteMoeHybridForCausalLM",
                            dict(HYBRID, num_hidden_layers=2, layer_types=["full_attention"] * 2,
                                 published={"without": [],
                                            "fields": {"layer_types": ["attention"] * 2}},
                                 position_embedding_type="rope", rope_parameters=ROPE),
                            {"its rope base": {"rope_parameters": {"rope_theta": 50000.0}},
                             "its positions": {"position_embedding_type": "nope"}}),
    "t5": ("T5ForConditionalGeneration",
           dict(T5, d_model=30, d_kv=14, num_heads=3, num_layers=3, num_decoder_layers=2,
                early=dict(decoder_start_token_id=0, n_positions=512)),
           {"its logit scale": {"scale_decoder_outputs": False},
            "where its distances end": {"relative_attention_max_distance": 90}}),
    "t5_gated": ("T5ForConditionalGeneration",
                 dict(T5, d_model=36, d_kv=10, num_heads=5, num_layers=2, num_decoder_layers=3,
                      relative_attention_num_buckets=9, relative_attention_max_distance=21,
                      feed_forward_proj="gated-gelu", tie_word_embeddings=False,
                      early=dict(decoder_start_token_id=2, n_positions=512,
                                 tie_word_embeddings=False, scale_decoder_outputs=None),
                      more={"lm_head.weight": [91, 36]}),
                 {"its logit scale": {"tie_word_embeddings": True},
                  "where its distances end": {"relative_attention_max_distance": 128}}),
    "mt5": ("MT5ForConditionalGeneration",
            dict(T5, d_model=24, d_kv=6, num_heads=5, num_layers=2, num_decoder_layers=2,
                 relative_attention_num_buckets=12, feed_forward_proj="gated-gelu",
                 early=dict(decoder_start_token_id=0, n_positions=512),
                 more={"lm_head.weight": [91, 24]}),
            {"where its distances end": {"relative_attention_max_distance": 40}}),
    "gemma3n": ("Gemma3nForCausalLM",
                dict(SMALL, config="Gemma3nTextConfig", num_hidden_layers=7, head_dim=8,
                     intermediate_size=[26, 22, 30, 26, 18, 26, 22], sliding_window=5,
                     layer_types=["full_attention" if i in (2, 4, 6) else "sliding_attention"
                                  for i in range(7)],
                     activation_sparsity_pattern=[0.7, 0.6, 0.0, 0.4, 0.0, 0.0, 0.0],
                     num_kv_shared_layers=3, altup_num_inputs=4, laurel_rank=6,
                     hidden_size_per_layer_input=5, vocab_size_per_layer_input=80,
                     final_logit_softcapping=2.0, tie_word_embeddings=True,
                     rope_parameters={
                         "full_attention": {"rope_type": "default", "rope_theta": 1000000.0},
                         "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}),
                {"its window": {"sliding_window": 4},
                 "gates of which the greatest count": {"activation_sparsity_pattern": [0.0] * 7},
                 "its cap on logits": {"final_logit_softcapping": None},
                 "the window's rope base": {"rope_parameters": {
                     "full_attention": {"rope_type": "default", "rope_theta": 1000000.0},
                     "sliding_attention": {"rope_type": "default", "rope_theta": 100.0}}}}),
    "gpt2": ("GPT2LMHeadModel",
             dict(config="GPT2Config", vocab_size=91, n_embd=30, n_layer=2, n_head=3, n_positions=64,
                  n_ctx=64),
             {"its heads": {"n_head": 5}}),
    "gpt_oss": ("GptOssForCausalLM",
                dict(SMALL, num_hidden_layers=3, head_dim=10, num_attention_heads=6,
                     num_key_value_heads=2, intermediate_size=22, num_local_experts=7,
                     num_experts_per_tok=3, sliding_window=5, swiglu_limit=0.4,
                     rope_parameters={**GPT_OSS_ROPE, "truncate": False}),
                {"its window": {"sliding_window": None},
                 "YaRN": {"rope_parameters": ROPE},
                 "bounds that are not rounded": {"rope_parameters": GPT_OSS_ROPE},
                 "its limit": {"swiglu_limit": 7.0},
                 "its third expert": {"num_experts_per_tok": 2}}),
    "gpt_oss_limit": ("GptOssForCausalLM",
                      dict(SMALL, head_dim=10, num_key_value_heads=3, intermediate_size=22,
                           num_local_experts=5, num_experts_per_tok=2, sliding_window=5,
                           rope_parameters=ROPE),
                      {"its window": {"sliding_window": None}}),
    "bloom": ("BloomForCausalLM", dict(vocab_size=91, hidden_size=36, n_layer=2, n_head=6,
                                       seq_length=64),
              {"its heads": {"n_head": 4}}),
    "llama4": ("Llama4ForCausalLM",
               dict(SMALL, config="Llama4TextConfig", num_hidden_layers=5, head_dim=10,
                    intermediate_size=22, intermediate_size_mlp=52, num_local_experts=5,
                    interleave_moe_layer_step=2, attention_chunk_size=7, floor_scale=5,
                    attn_scale=0.7, rope_parameters=LLAMA3_ROPE),
               {"its sections": {"attention_chunk_size": 64},
                "layers that see all": {"no_rope_layers": [1] * 5, "layer_types": None},
                "growing queries": {"attn_temperature_tuning": False},
                "in their steps": {"floor_scale": 50},
                "norms of heads": {"use_qk_norm": False},
                "its stretching": {"rope_parameters": {"rope_theta": 500.0}}}),
    "llama4_both": ("Llama4ForConditionalGeneration",
                    dict(config="Llama4Config", text_config=LLAMA4_TEXT,
                         vision_config=dict(hidden_size=8, intermediate_size=32, image_size=28,
                                            num_hidden_layers=1, num_attention_heads=2,
                                            projector_input_dim=8, projector_output_dim=8,
                                            vision_output_dim=8)),
                    {"its rope base": {"text_config": {**LLAMA4_TEXT, "rope_parameters": {
                        "rope_type": "default", "rope_theta": 50000.0}}}}),
    "arcee": ("ArceeForCausalLM", dict(SMALL, head_dim=10, rope_parameters=ROPE),
              {"its rope base": {"rope_parameters": {"rope_theta": 50000.0}}}),
}


def main():
    folder = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or MODELS:
        kind, settings, without = MODELS[name]
        model = Model(name, kind, **settings)
        text = json.dumps(describe(model, without), separators=(",", ":"))
        path = folder / f"hf_{name}.json"
        path.write_text(text + "\n", encoding="utf-8")
        print(f"{path.name}: {len(text)} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
