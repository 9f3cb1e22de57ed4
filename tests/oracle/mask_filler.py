"""Writes src/api/dialect/huggingface/testdata/fill_mask_*.json: folders of encoders that fill in masks
(config.json, the names and shapes of their tensors, tokenizer.json), and what the pipeline of
transformers answers with them.
usage: mask_filler.py FOLDER
Weights are a formula of name and element (hf_models.py)."""
import json
import pathlib
import sys
import tempfile
from importlib.metadata import version

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import (AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

from hf_encoders import ROBERTA, SMALL
from hf_models import hf_formula

TEXTS = ["Paris is the capital of France.", "The cat, which isn't grey, sat on the mat!", "München ist schön"]


def words():
    """As BERT's."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    made.train_from_iterator(TEXTS * 20, trainers.WordPieceTrainer(vocab_size=95, special_tokens=special,
                                                                   show_progress=False))
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return made, dict(pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")


def around(made, mask):
    special = ["<s>", "<pad>", "</s>", "<unk>", mask]
    made.add_special_tokens(special)
    first, last = made.token_to_id("<s>"), made.token_to_id("</s>")
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
                                                        special_tokens=[("<s>", first), ("</s>", last)])
    return made, dict(pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>", mask_token=mask)


def byte_level():
    """As RoBERTa's, whose mask takes the space before it along."""
    mask = AddedToken("<mask>", lstrip=True, special=True, normalized=False)
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(TEXTS * 20, trainers.BpeTrainer(
        vocab_size=290, special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False))
    return around(made, mask)


def pieces():
    """As XLM-R's."""
    mask = AddedToken("<mask>", lstrip=True, special=True, normalized=False)
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    made.train_from_iterator(TEXTS * 20, trainers.UnigramTrainer(
        vocab_size=94, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
    return around(made, mask)


MODELS = {"words": ("BertForMaskedLM", "BertConfig", dict(SMALL, max_position_embeddings=64), words),
          "bytes": ("RobertaForMaskedLM", "RobertaConfig", ROBERTA, byte_level),
          "pieces": ("XLMRobertaForMaskedLM", "XLMRobertaConfig", ROBERTA, pieces)}


def bodies(mask):
    one = f"Paris is the {mask} of France."
    yield {"inputs": one}
    yield {"inputs": [one], "parameters": {"top_k": 3}}
    yield {"inputs": [one, f"The {mask} sat on the {mask}!", f"{mask} ist schön"], "parameters": {"top_k": 2}}
    yield {"inputs": f"{mask}, which isn't  {mask}", "parameters": {"top_k": 3}}
    yield {"inputs": one, "parameters": {"targets": ["capital", "a", "cat", "a"]}}
    yield {"inputs": one, "parameters": {"targets": "capital", "top_k": 4}}
    yield {"inputs": one, "parameters": {"targets": ["capitals of", " mat"], "top_k": 1}}
    yield {"inputs": f"Mün{mask}", "parameters": {"top_k": 12}}


def rounded(answer):
    if isinstance(answer, list):
        return [rounded(each) for each in answer]
    return {**answer, "score": float(f"{answer['score']:.8g}")}


def described(kind, config, settings, make):
    made, named = make()
    kind = getattr(transformers, kind)
    settings = dict(settings, vocab_size=made.get_vocab_size())
    empty = kind(getattr(transformers, config)(**settings))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        empty.save_pretrained(folder)
        with safe_open(folder / "model.safetensors", "pt") as file:
            tensors = {key: list(file.get_slice(key).get_shape()) for key in sorted(file.keys())}
        save_file({key: hf_formula(key, shape).contiguous() for key, shape in tensors.items()},
                  folder / "model.safetensors", metadata={"format": "pt"})
        model = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        config = json.loads((folder / "config.json").read_text())
    config.pop("transformers_version")
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=made, **named)
    ask = transformers.pipeline("fill-mask", model=model, tokenizer=fast, device="cpu")
    asked = [{"body": body, "answer": rounded(ask(body["inputs"], **body.get("parameters", {})))}
             for body in bodies(str(named["mask_token"]))]
    return {"config": config, "tensors": tensors, "tokenizer": json.loads(made.to_str()), "asked": asked}


def main(folder):
    transformers.utils.logging.disable_progress_bar()
    oracle = (f"transformers {version('transformers')}, torch {version('torch')}, tokenizers "
              f"{version('tokenizers')}, tests/oracle/mask_filler.py")
    for name, model in MODELS.items():
        text = json.dumps({"oracle": oracle, **described(*model)}, separators=(",", ":"), ensure_ascii=False)
        path = pathlib.Path(folder) / f"fill_mask_{name}.json"
        path.write_text(text + "\n", encoding="utf-8")
        print(f"{path.name}: {len(text.encode())} bytes", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
