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
from tiny import token_ids

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

# Distances of more than 4 share vectors up to 24, queries and keys of distances are made as those
# of tokens; or each distance up to 12 has its own, made by matrices of their own, beside positions.
# llama.cpp has no such architecture.
DEBERTA = dict(SMALL, max_position_embeddings=64, relative_attention=True,
               pos_att_type=["c2p", "p2c"], layer_norm_eps=1e-7)
DEBERTA_SHARED = dict(DEBERTA, position_buckets=8, max_relative_positions=24, share_att_key=True,
                      norm_rel_ebd="layer_norm", position_biased_input=False, type_vocab_size=0)
DEBERTA_OWN = dict(DEBERTA, max_relative_positions=12, share_att_key=False, type_vocab_size=2,
                   position_biased_input=True)
NOT_IN_GGUF = {"gguf": False}
# Gemma 3 that looks both ways. Each reading of its configuration makes the window that half as wide,
# plus one, that the masks of transformers take.
GEMMA = dict(SMALL, num_hidden_layers=7, num_key_value_heads=1, head_dim=8,
             max_position_embeddings=64, sliding_window=14, query_pre_attn_scalar=11,
             use_bidirectional_attention=True, rms_norm_eps=1e-6, hidden_act="gelu_pytorch_tanh",
             layer_types=["full_attention" if i % 6 == 5 else "sliding_attention"
                          for i in range(7)])
# As Sentence Transformers publishes dense layers behind the pooling, here two.
DENSE = [("2_Dense", 36, 20, True, "activation.Tanh"), ("3_Dense", 20, 24, False, "linear.Identity")]

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
    "deberta_rank": ("DebertaV2ForSequenceClassification", "DebertaV2Config",
                     dict(DEBERTA_SHARED, **LABELS), NOT_IN_GGUF, FIRST,
                     {"keys of distances": {"pos_att_type": "p2c"},
                      "queries of distances": {"pos_att_type": "c2p"},
                      "where distances share": {"max_relative_positions": 40},
                      "its pooler's activation": {"pooler_hidden_act": "tanh"}}),
    "gemma_folder": ("Gemma3TextModel", "Gemma3TextConfig", GEMMA, {"gguf": False}, MEAN,
                     {"its window": {"sliding_window": 12},
                      "its own width": {"query_pre_attn_scalar": 8}}),
    "dense": ("BertModel", "BertConfig", dict(SMALL, max_position_embeddings=64),
              {"gguf": False, "dense": DENSE}, MEAN, {}),
    "deberta_own": ("DebertaV2Model", "DebertaV2Config", DEBERTA_OWN, NOT_IN_GGUF,
                    MEAN, {}),
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
            self.gguf = None
            if published.get("gguf", True):
                self.gguf = {k: v for k, v in converted(folder).items() if k != "metadata"}
        self.config.pop("transformers_version")


def modules_of(dense):
    """Files beside the model's, and the modules that run behind its states."""
    from sentence_transformers import models  # of an environment of its own
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling")] + [(d[0], "Dense") for d in dense]
    files = {"modules.json": [{"idx": i, "name": str(i), "path": path,
                               "type": f"sentence_transformers.models.{kind}"}
                              for i, (path, kind) in enumerate(kinds)],
             "1_Pooling/config.json": {"word_embedding_dimension": dense[0][1],
                                       "pooling_mode_mean_tokens": True}}
    modules = [models.Pooling(dense[0][1], "mean")]
    for path, n_in, n_out, bias, activation in dense:
        name = f"{path}/model.safetensors"
        files[f"{path}/config.json"] = {"in_features": n_in, "out_features": n_out, "bias": bias,
                                        "activation_function": f"torch.nn.modules.{activation}"}
        files[name] = {"linear.weight": [n_out, n_in]} | ({"linear.bias": [n_out]} if bias else {})
        kind = getattr(torch.nn, activation.split(".")[1])
        module = models.Dense(n_in, n_out, bias, kind())
        module.load_state_dict({key: hf_formula(f"{name}/{key}", shape).to(torch.float32)
                                for key, shape in files[name].items()})
        modules.append(module.to(torch.float64))
    return files, modules


def vector_of(modules, states):
    features = {"token_embeddings": states[None], "attention_mask": torch.ones(1, len(states))}
    for module in modules:
        features = module(features)
    return features["sentence_embedding"][0].detach()


def describe(encoder, pooling, without, dense):
    sequences = []
    files, modules = modules_of(dense) if dense else ({}, [])
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
                 "pooled": kept(vector_of(modules, states) if dense else pooled(states, pooling),
                                5)}
        if scores is not None:
            entry["scores"] = [float(f"{s:.8g}") for s in scores]
        sequences.append(entry)
    described = {"oracle": f"transformers {version('transformers')}, torch {version('torch')}, "
                           "tests/oracle/hf_encoders.py",
                 "config": encoder.config, "hf_tensors": encoder.tensors, "without": without,
                 "sequences": sequences}
    if dense:
        described["modules"] = files
        described["oracle"] += f", sentence-transformers {version('sentence-transformers')}"
    return described | ({"gguf": encoder.gguf} if encoder.gguf else {})


def main():
    folder = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or MODELS:
        kind, config, settings, published, pooling, without = MODELS[name]
        encoder = Encoder(name, kind, config, settings, published)
        text = json.dumps(describe(encoder, pooling, without, published.get("dense")),
                          separators=(",", ":"))
        path = folder / f"encoder_{name}.json"
        path.write_text(text + "\n", encoding="utf-8")
        print(f"{path.name}: {len(text)} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
