"""Writes src/inference/testdata/encoder_*.json: tiny encoders as GGUF metadata and tensor shapes,
with the hidden states, pooled vectors and scores that transformers computes for them.
usage: tiny_encoders.py FOLDER [GGUF_FOLDER [NAME...]]
Weights are a formula of name and index, as in tiny_models.py; "-": no GGUF files."""
import json
import pathlib
import sys
from importlib.metadata import version

import torch
import transformers

from tiny import Tiny, token_ids, write_gguf

N_VALUES = 10  # of each vector that the fixture keeps, beside its norm
NONE, MEAN, FIRST, LAST, RANK = range(5)  # pooling_type


def metadata_of(c, pooling, **more):
    return {"block_count": c.num_hidden_layers, "context_length": c.max_position_embeddings,
            "embedding_length": c.hidden_size, "feed_forward_length": c.intermediate_size,
            "attention.head_count": c.num_attention_heads, "attention.causal": False,
            "attention.layer_norm_epsilon": getattr(c, "layer_norm_eps", None) or c.norm_eps,
            "pooling_type": pooling, **more}


def put_linears(tiny, gg, hf, names):
    for gguf_name, hf_name in names:
        for kind in ("weight", "bias"):
            if hf + f"{hf_name}.{kind}" in tiny.state:
                tiny.put(gg + f"{gguf_name}.{kind}", hf + f"{hf_name}.{kind}")


BERT_LAYER = [("attn_q", "attention.self.query"), ("attn_k", "attention.self.key"),
              ("attn_v", "attention.self.value"), ("attn_output", "attention.output.dense"),
              ("attn_output_norm", "attention.output.LayerNorm"),
              ("ffn_up", "intermediate.dense"), ("ffn_down", "output.dense"),
              ("layer_output_norm", "output.LayerNorm")]


def bert(name, pooling, prefix="", model=transformers.BertModel, config=transformers.BertConfig,
         first_position=0, scores=(), **changes):
    settings = dict(vocab_size=95, hidden_size=36, intermediate_size=50, num_hidden_layers=2,
                    num_attention_heads=3, max_position_embeddings=64 + first_position,
                    type_vocab_size=2, layer_norm_eps=1e-12)
    settings.update(changes)
    c = config(**settings)
    c._attn_implementation = "eager"
    make = model if prefix else lambda c: model(c, add_pooling_layer=False)
    metadata = metadata_of(c, pooling)
    metadata["context_length"] -= first_position
    tiny = Tiny(name, "bert", c, make, metadata)
    put_linears(tiny, "", prefix, [("token_embd", "embeddings.word_embeddings"),
                                   ("token_embd_norm", "embeddings.LayerNorm")])
    # The file begins with the first position that is used; type rows are few.
    positions = tiny.tensor("position_embd.weight", 64, c.hidden_size)
    table = torch.zeros_like(tiny.state[prefix + "embeddings.position_embeddings.weight"])
    table[first_position:] = positions
    tiny.fill(prefix + "embeddings.position_embeddings.weight", table)
    tiny.fill(prefix + "embeddings.token_type_embeddings.weight",
              tiny.tensor("token_types.weight", c.type_vocab_size, c.hidden_size))
    for i in range(c.num_hidden_layers):
        put_linears(tiny, f"blk.{i}.", f"{prefix}encoder.layer.{i}.", BERT_LAYER)
    put_scores(tiny, scores)
    return tiny


def put_scores(tiny, names):
    for gguf_name, hf_name in names:
        for kind in ("weight", "bias"):
            parameter = f"{hf_name}.{kind}"
            if parameter not in tiny.state:
                continue
            # put() would drop the dimension of a single label.
            tiny.fill(parameter, tiny.tensor(f"{gguf_name}.{kind}", *tiny.state[parameter].shape))


def nomic(name):
    c = transformers.NomicBertConfig(
        vocab_size=91, hidden_size=40, intermediate_size=28, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=64, type_vocab_size=2, head_dim=10,
        rope_parameters={"rope_type": "default", "rope_theta": 1000.0})
    c._attn_implementation = "eager"
    tiny = Tiny(name, "nomic-bert", c,
                lambda c: transformers.NomicBertModel(c, add_pooling_layer=False),
                metadata_of(c, MEAN, **{"rope.freq_base": 1000.0}))
    put_linears(tiny, "", "", [("token_embd", "embeddings.word_embeddings"),
                               ("token_embd_norm", "embeddings.LayerNorm"),
                               ("token_types", "embeddings.token_type_embeddings")])
    for i in range(2):
        gg, hf = f"blk.{i}.", f"layers.{i}."
        qkv = tiny.tensor(gg + "attn_qkv.weight", 120, 40)
        for part, values in zip("qkv", qkv.chunk(3)):
            tiny.fill(hf + f"self_attn.{part}_proj.weight", values)
        put_linears(tiny, gg, hf, [
            ("attn_output", "self_attn.o_proj"), ("attn_output_norm", "post_attention_layernorm"),
            ("ffn_gate", "mlp.gate_proj"), ("ffn_up", "mlp.up_proj"),
            ("ffn_down", "mlp.down_proj"), ("layer_output_norm", "post_mlp_layernorm")])
    return tiny


def modern(name, scores=None, pooling=MEAN, **changes):
    settings = dict(
        vocab_size=89, hidden_size=36, intermediate_size=22, num_hidden_layers=5,
        num_attention_heads=3, max_position_embeddings=64, norm_eps=1e-5, local_attention=10,
        global_attn_every_n_layers=3, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        cls_token_id=1, sep_token_id=2)
    settings.update(changes)
    c = transformers.ModernBertConfig(**settings)
    c._attn_implementation = "eager"
    prefix = "model." if scores else ""
    more = {"rope.freq_base": 160000.0, "rope.freq_base_swa": 10000.0,
            "attention.sliding_window": 10, "attention.sliding_window_pattern": 3}
    tiny = Tiny(name, "modern-bert", c, transformers.ModernBertForSequenceClassification
                if scores else transformers.ModernBertModel, metadata_of(c, pooling, **more))
    put_linears(tiny, "", prefix, [("token_embd", "embeddings.tok_embeddings"),
                                   ("token_embd_norm", "embeddings.norm"),
                                   ("output_norm", "final_norm")])
    for i in range(c.num_hidden_layers):
        put_linears(tiny, f"blk.{i}.", f"{prefix}layers.{i}.", [
            ("attn_norm", "attn_norm"), ("attn_qkv", "attn.Wqkv"), ("attn_output", "attn.Wo"),
            ("ffn_norm", "mlp_norm"), ("ffn_up", "mlp.Wi"), ("ffn_down", "mlp.Wo")])
    put_scores(tiny, scores or [])
    if scores:
        tiny.metadata["classifier.pooling_type"] = {"mean": MEAN, "cls": FIRST}[
            c.classifier_pooling]
    return tiny


def t5(name):
    c = transformers.T5Config(
        vocab_size=93, d_model=36, d_kv=10, d_ff=28, num_layers=3, num_heads=3,
        relative_attention_num_buckets=8, relative_attention_max_distance=21,
        feed_forward_proj="gated-gelu")
    metadata = {"block_count": 3, "context_length": 64, "embedding_length": 36,
                "feed_forward_length": 28, "attention.head_count": 3, "attention.key_length": 10,
                "attention.value_length": 10, "attention.layer_norm_rms_epsilon": 1e-6,
                "attention.relative_buckets_count": 8, "attention.relative_max_distance": 21,
                "pooling_type": MEAN}
    tiny = Tiny(name, "t5encoder", c, transformers.T5EncoderModel, metadata)
    put_linears(tiny, "", "", [("token_embd", "shared"),
                               ("enc.output_norm", "encoder.final_layer_norm")])
    for i in range(3):
        gg, hf = f"enc.blk.{i}.", f"encoder.block.{i}.layer."
        put_linears(tiny, gg, hf, [
            ("attn_norm", "0.layer_norm"), ("attn_q", "0.SelfAttention.q"),
            ("attn_k", "0.SelfAttention.k"), ("attn_v", "0.SelfAttention.v"),
            ("attn_o", "0.SelfAttention.o"),
            ("attn_rel_b", "0.SelfAttention.relative_attention_bias"),
            ("ffn_norm", "1.layer_norm"), ("ffn_gate", "1.DenseReluDense.wi_0"),
            ("ffn_up", "1.DenseReluDense.wi_1"), ("ffn_down", "1.DenseReluDense.wo")])
    return tiny


def kept(vector, seed):
    where = [(seed * 13 + 7 * i) % len(vector) for i in range(min(N_VALUES, len(vector)))]
    return {"norm": float(f"{vector.norm():.8g}"),
            "values": {str(i): float(f"{vector[i]:.8g}") for i in where}}


def pooled(states, pooling):
    return {MEAN: states.mean(0), FIRST: states[0], RANK: states[0], LAST: states[-1]}[pooling]


def describe(tiny, pairs):
    tiny.check_all_filled()
    sequences = []
    base = getattr(tiny.model, tiny.model.base_model_prefix, tiny.model)
    architecture = tiny.metadata["general.architecture"]
    for length in (1, 3, 11, 40):
        # Ids 0 to 3 may be padding, which RoBERTa's positions are counted without.
        ids = [4 + i for i in token_ids(f"{tiny.name}/{length}", length, tiny.config.vocab_size - 4)]
        types = [int(pairs and i > length // 2) for i in range(length)]
        given = {"input_ids": torch.tensor([ids])}
        if pairs:
            given["token_type_ids"] = torch.tensor([types])
        with torch.no_grad():
            states = base(**given).last_hidden_state[0].to(torch.float64)
            scores = tiny.model(**given).logits[0] if base is not tiny.model else None
        pooling = tiny.metadata[f"{architecture}.pooling_type"]
        entry = {"ids": ids, "types": types,
                 "states": [{"position": p, **kept(states[p], p)}
                            for p in sorted({0, length // 2, length - 1})],
                 "pooled": kept(pooled(states, pooling), 5)}
        if scores is not None:
            entry["scores"] = [float(f"{s:.8g}") for s in scores]
        sequences.append(entry)
    return {"oracle": f"transformers {version('transformers')}, torch {version('torch')}, "
                      "tests/oracle/tiny_encoders.py",
            "metadata": tiny.metadata, "tensors": tiny.tensors, "sequences": sequences}


def main():
    folder = pathlib.Path(sys.argv[1])
    dense_and_out = [("cls", "classifier.dense"), ("cls.output", "classifier.out_proj")]
    pooler_and_out = [("cls", "bert.pooler.dense"), ("cls.output", "classifier")]
    modern_head = [("cls", "head.dense"), ("cls.norm", "head.norm"), ("cls.output", "classifier")]
    models = [
        (bert("bert", MEAN), False),
        (bert("bert_first", FIRST, hidden_size=48, num_attention_heads=4, intermediate_size=44,
              num_hidden_layers=3), True),
        (bert("bert_pairs", RANK, "bert.", transformers.BertForSequenceClassification,
              scores=pooler_and_out, num_labels=1), True),
        (bert("xlmr_rank", RANK, "roberta.", transformers.XLMRobertaForSequenceClassification,
              transformers.XLMRobertaConfig, first_position=2, scores=dense_and_out,
              type_vocab_size=1, pad_token_id=1, num_labels=3), False),
        (nomic("nomic"), False),
        (t5("t5"), False),
        (modern("modern"), False),
        (modern("modern_rank", modern_head, RANK, classifier_pooling="cls", num_labels=1), False),
    ]
    for tiny, pairs in models:
        if sys.argv[3:] and tiny.name not in sys.argv[3:]:
            continue
        text = json.dumps(describe(tiny, pairs), separators=(",", ":"))
        path = folder / f"encoder_{tiny.name}.json"
        path.write_text(text + "\n", encoding="utf-8")
        print(f"{path.name}: {len(text)} bytes", file=sys.stderr)
        if sys.argv[2:] and sys.argv[2] != "-":
            write_gguf(tiny, pathlib.Path(sys.argv[2]))


if __name__ == "__main__":
    main()
