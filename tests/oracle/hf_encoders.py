"""Writes src/inference/testdata/encoder_*.json of encoders in the form their makers publish:
config.json and the names and shapes of safetensors, with the hidden states, pooled vectors and
scores that transformers computes for them.
usage: hf_encoders.py FOLDER [NAME...]
Weights, `without` and `gguf` are as in hf_models.py, sequences as in tiny_encoders.py."""
from hf_gguf import converted  # isort: skip
import json
import pathlib
import sys
import tempfile
from importlib.metadata import version

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

from hf_models import hf_formula
from tiny_encoders import FIRST, MEAN, kept, pooled
from tiny_models import token_ids

SMALL = dict(vocab_size=95, hidden_size=36, intermediate_size=50, num_hidden_layers=2,
             num_attention_heads=3, layer_norm_eps=1e-12)
ROBERTA = dict(SMALL, max_position_embeddings=66, type_vocab_size=1, pad_token_id=1)
MODERN = dict(SMALL, intermediate_size=22, num_hidden_layers=5, max_position_embeddings=64,
              norm_eps=1e-5, local_attention=10, pad_token_id=0, bos_token_id=1, eos_token_id=2,
              cls_token_id=1, sep_token_id=2)
# As published before transformers wrote layers' kinds and bases.
OLDER_MODERN = {"without": ["layer_types", "rope_parameters", "layer_norm_eps"],
                "fields": {"global_attn_every_n_layers": 3, "global_rope_theta": 160000.0,
                           "local_rope_theta": 10000.0}}
NOMIC = {"without": ["hidden_size", "intermediate_size", "num_hidden_layers", "hidden_act",
                     "num_attention_heads", "max_position_embeddings", "rope_parameters",
                     "layer_norm_eps", "head_dim"],
         "fields": {"activation_function": "swiglu", "n_embd": 40, "n_inner": 28, "n_layer": 2,
                    "n_head": 4, "n_positions": 8192, "max_trained_positions": 2048,
                    "layer_norm_epsilon": 1e-12, "rotary_emb_base": 1000,
                    "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": False,
                    "rotary_emb_scale_base": None, "rotary_scaling_factor": None,
                    "causal": False, "prenorm": False, "parallel_block": False,
                    "use_rms_norm": False, "qkv_proj_bias": False, "mlp_fc1_bias": False,
                    "mlp_fc2_bias": False}}
LABELS = {"id2label": {0: "calm", 1: "angry", 2: "other"},
          "label2id": {"calm": 0, "angry": 1, "other": 2}}

# name: class, configuration's class, settings, how it is published, pooling, what may not be left out
MODELS = {
    "roberta": ("RobertaModel", "RobertaConfig", ROBERTA, {}, MEAN,
                {"positions behind the padding": {"pad_token_id": 0}}),
    "roberta_rank": ("RobertaForSequenceClassification", "RobertaConfig", dict(ROBERTA, **LABELS),
                     {}, FIRST, {"positions behind the padding": {"pad_token_id": 0}}),
    "xlmr_folder": ("XLMRobertaForSequenceClassification", "XLMRobertaConfig",
                    dict(ROBERTA, num_labels=1), {}, FIRST,
                    {"positions behind the padding": {"pad_token_id": 0}}),
    "nomic_folder": ("NomicBertModel", "NomicBertConfig",
                     dict(SMALL, hidden_size=40, intermediate_size=28, num_attention_heads=4,
                          max_position_embeddings=64, type_vocab_size=2, head_dim=10,
                          rope_parameters={"rope_type": "default", "rope_theta": 1000.0}),
                     NOMIC, MEAN, {"its rope base": {"rotary_emb_base": 10000}}),
    "modern_folder": ("ModernBertModel", "ModernBertConfig", MODERN, OLDER_MODERN, MEAN,
                      {"its window": {"local_attention": 12},
                       "its rope base": {"global_rope_theta": 10000.0},
                       "the windows' rope base": {"local_rope_theta": None},
                       "layers that see all": {"global_attn_every_n_layers": 5}}),
    "modern_folder_rank": ("ModernBertForSequenceClassification", "ModernBertConfig",
                           dict(MODERN, classifier_pooling="mean", **LABELS), {}, MEAN,
                           {"the mean": {"classifier_pooling": "cls"}}),
}


class Encoder:
    def __init__(self, name, kind, config, settings, published):
        self.name = name
        transformers.utils.logging.disable_progress_bar()
        kind = getattr(transformers, kind)
        empty = kind(getattr(transformers, config)(**settings))
        with tempfile.TemporaryDirectory() as folder:
            empty.save_pretrained(folder)
            folder = pathlib.Path(folder)
            with safe_open(folder / "model.safetensors", "pt") as file:
                self.tensors = {key: list(file.get_slice(key).get_shape()) for key in file.keys()}
            save_file({key: hf_formula(key, shape).contiguous()
                       for key, shape in self.tensors.items()}, folder / "model.safetensors",
                      metadata={"format": "pt"})
            self.config = json.loads((folder / "config.json").read_text())
            self.model = kind.from_pretrained(folder, dtype=torch.float32,
                                              attn_implementation="eager").eval()
            self.config = {k: v for k, v in self.config.items()
                           if k not in published.get("without", [])}
            self.config.update(published.get("fields", {}))
            (folder / "config.json").write_text(json.dumps(self.config))
            (folder / "tokenizer.json").write_text('{"model": {"type": "WordPiece"}}')
            # Its values are those of a configuration that transformers reads anew, with others.
            self.gguf = {k: v for k, v in converted(folder).items() if k != "metadata"}
        self.config.pop("transformers_version")


def describe(encoder, pooling, without):
    sequences = []
    model = encoder.model
    base = getattr(model, model.base_model_prefix, model)
    for length in (1, 3, 11, 40):
        # Ids 0 to 3 may be padding, which RoBERTa's positions are counted without.
        ids = [4 + i for i in token_ids(f"{encoder.name}/{length}", length, 91)]
        given = {"input_ids": torch.tensor([ids])}
        with torch.no_grad():
            states = base(**given).last_hidden_state[0].to(torch.float64)
            scores = model(**given).logits[0] if base is not model else None
        entry = {"ids": ids, "types": [0] * length,
                 "states": [{"position": p, **kept(states[p], p)}
                            for p in sorted({0, length // 2, length - 1})],
                 "pooled": kept(pooled(states, pooling), 5)}
        if scores is not None:
            entry["scores"] = [float(f"{s:.8g}") for s in scores]
        sequences.append(entry)
    return {"oracle": f"transformers {version('transformers')}, torch {version('torch')}, "
                      "tests/oracle/hf_encoders.py",
            "config": encoder.config, "hf_tensors": encoder.tensors, "without": without,
            "sequences": sequences, "gguf": encoder.gguf}


def main():
    folder = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or MODELS:
        kind, config, settings, published, pooling, without = MODELS[name]
        encoder = Encoder(name, kind, config, settings, published)
        text = json.dumps(describe(encoder, pooling, without), separators=(",", ":"))
        path = folder / f"encoder_{name}.json"
        path.write_text(text + "\n", encoding="utf-8")
        print(f"{path.name}: {len(text)} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
