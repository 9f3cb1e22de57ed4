"""Folders whose weights are a formula of tensor name and element (formula.py), as hf_*.json describe
them, without transformers: the twin of src/models/testing/hf_model.h. And the same models wider."""
import copy
import json
import re
import shutil

import numpy as np

from formula import formula_weights

# Fields of config.json that are widths: all of them times the same make every matrix larger by that
# factor, but for rows that count something else.
WIDTHS = {"hidden_size", "intermediate_size", "intermediate_size_mlp", "ffn_hidden_size",
          "head_dim", "n_embd", "n_inner", "rotary_dim", "d_model", "d_kv", "d_ff",
          "moe_intermediate_size", "shared_expert_intermediate_size", "shared_intermediate_size",
          "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "qk_head_dim",
          "v_head_dim", "dim_model_base", "query_pre_attn_scalar"}
FACTORS = {"short_factor", "long_factor"}  # one for each pair of a head
EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
HEADS = ("sinks", "relative_attention_bias.weight", "e_score_correction_bias")
FIRST = ("wpe.weight", "shared_expert_gate.weight", "self_attn.q_norm.weight",
         "self_attn.k_norm.weight")


def bfloat16(numbers):
    """Bits of the nearest bfloat16, ties to even."""
    bits = numbers.astype("<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def hf_weights(name, shape):
    if len(shape) == 1 and name.endswith(".weight"):
        name += "/norm.weight"
    cols = shape[-1] if shape else 1
    return formula_weights(name, cols, int(np.prod(shape[:-1])))


def word_pieces(n_vocab):
    """A vocabulary of letters, so that a folder has one."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    letters = [chr(ord("a") + i) for i in range(26)]
    tokens = special + letters + ["##" + letter for letter in letters]
    tokens += [letters[i % 26] + letters[i // 26] for i in range(n_vocab - len(tokens))]
    added = [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i, text in enumerate(special)]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                           "strip_accents": None, "lowercase": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100,
                      "vocab": {text: i for i, text in enumerate(tokens[:n_vocab])}}}


def write_folder(folder, config, tensors, tokenizer=None):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    n_vocab = config.get("text_config", config)["vocab_size"]
    tokenizer = word_pieces(n_vocab) if tokenizer is None else tokenizer
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    header, at = {}, 0
    for name, shape in tensors.items():
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in tensors.items():
            file.write(bfloat16(hf_weights(name, shape)).tobytes())
    return folder


def wider(config, tensors, factor, fields=()):
    """The model with all widths times `factor`; `fields`: of the part that writes text, set behind that."""
    config = copy.deepcopy(config)
    _widen(config, factor)
    text = config.get("text_config", config)
    text.update(fields)
    counts = {text.get(key) for key in EXPERTS} - {None}

    def is_count(name, axis, shape):
        """Whether the rows count tokens, positions, heads or experts, and are no width."""
        if name.endswith(HEADS):
            return True
        if axis == len(shape) - 1:
            return "router.bias" in name or name == "lm_head.bias"
        if axis > 0:
            return False
        return (len(shape) == 3 or shape[0] == text["vocab_size"] or name.endswith(FIRST)
                or shape[0] in counts and re.search("gate.weight|router|experts", name) is not None)

    return config, {name: [n if is_count(name, axis, shape) else n * factor
                           for axis, n in enumerate(shape)] for name, shape in tensors.items()}


def _widen(part, factor):
    for key, value in part.items():
        if isinstance(value, dict):
            _widen(value, factor)
        elif key in WIDTHS and isinstance(value, int):
            part[key] = value * factor
        elif key in FACTORS:
            part[key] = [number for number in value for _ in range(factor)]
