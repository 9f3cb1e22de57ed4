"""Writes src/inference/testdata/masked_*.json of encoders that fill in masks, in the form their makers
publish: config.json and the names and shapes of safetensors, with logits that transformers computes.
usage: masked_encoders.py FOLDER [NAME...]
Weights and `without` are as in hf_models.py."""
import json
import pathlib
import sys
from importlib.metadata import version

import torch

from hf_encoders import MODERN, NOT_IN_GGUF, ROBERTA, SMALL, Encoder
from tiny import token_ids
from tiny_encoders import kept

OWN_DECODER = {"a decoder of its own": {"tie_word_embeddings": True}}
# name: class, configuration's class, settings, what may not be left out
MODELS = {
    "bert": ("BertForMaskedLM", "BertConfig", dict(SMALL, max_position_embeddings=64), {}),
    "roberta": ("RobertaForMaskedLM", "RobertaConfig", ROBERTA, {}),
    "xlmr_own": ("XLMRobertaForMaskedLM", "XLMRobertaConfig", dict(ROBERTA, tie_word_embeddings=False), OWN_DECODER),
    "modern": ("ModernBertForMaskedLM", "ModernBertConfig", dict(MODERN, classifier_bias=True), {}),
    "modern_own": ("ModernBertForMaskedLM", "ModernBertConfig",
                   dict(MODERN, num_hidden_layers=2, tie_word_embeddings=False, decoder_bias=False), OWN_DECODER),
}


def sequences(encoder):
    for length in (1, 3, 11, 40):
        ids = [4 + i for i in token_ids(f"masked {encoder.name}/{length}", length, 91)]
        with torch.no_grad():
            logits = encoder.model(input_ids=torch.tensor([ids])).logits[0].to(torch.float64)
        yield {"ids": ids, "logits": [{"position": p, **kept(logits[p], p)}
                                      for p in sorted({0, length // 2, length - 1})]}


def main():
    folder = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or MODELS:
        kind, config, settings, without = MODELS[name]
        encoder = Encoder(name, kind, config, settings, NOT_IN_GGUF)
        text = json.dumps({"oracle": f"transformers {version('transformers')}, torch {version('torch')}, "
                                     "tests/oracle/masked_encoders.py",
                           "config": encoder.config, "hf_tensors": encoder.tensors, "without": without,
                           "sequences": list(sequences(encoder))}, separators=(",", ":"))
        path = folder / f"masked_{name}.json"
        path.write_text(text + "\n", encoding="utf-8")
        print(f"{path.name}: {len(text)} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
