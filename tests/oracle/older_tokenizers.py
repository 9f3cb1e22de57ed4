#!/usr/bin/env python3
"""Makes src/models/tokenizer/testdata/older: folders with tokenizers in the files that were before
tokenizer.json (vocab.txt; vocab.json and merges.txt), trained here, and NAME.txt with what transformers makes of our
test texts: one line for every 20 texts with the hash of the ids, special tokens found; every 50th line has
the first text's ids, too, special tokens put around it.

  tests/oracle/older_tokenizers.py [NAME …]   (an environment with transformers)"""
import json
import os
import shutil
import sys

from tokenizer_hash import BLOCK, ROOM, Hash, texts

os.environ["HF_HUB_OFFLINE"] = "1"
TARGET = ROOM / "testdata/older"
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MASK = {"content": "<mask>", "lstrip": True, "rstrip": False, "single_word": False, "normalized": False}
WRAPS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>",
         "pad_token": "<pad>", "cls_token": "<s>", "mask_token": MASK}
# name -> the kind of vocabulary, its first or last tokens, files beside it.
FOLDERS = {
    "words": ("words", BERT, {"config.json": {"model_type": "bert"}}),
    "words_cased": ("words", ["[PAD]", "[unk]", "[CLS]", "[SEP]"], {
        "config.json": {"model_type": "bert"},
        "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "do_lower_case": False,
                                  "strip_accents": True, "tokenize_chinese_chars": False},
        "special_tokens_map.json": {"unk_token": "[unk]"},
        "added_tokens.json": {"the": 259}}),
    "plain": ("bytes", ["<|endoftext|>"], {"config.json": {"model_type": "gpt2"}}),
    "spaced": ("bytes", ["<|endoftext|>"], {
        "config.json": {"model_type": "gptj"},
        "tokenizer_config.json": {"tokenizer_class": "GPT2TokenizerFast", "add_prefix_space": True,
                                  "add_bos_token": True}}),
    "wraps": ("bytes", ["<s>", "<pad>", "</s>", "<unk>", "<mask>"], {
        "config.json": {"model_type": "roberta"}, "special_tokens_map.json": WRAPS,
        "added_tokens.json": {"of the": 325}}),
    "composes": ("bytes", ["<|endoftext|>", "<|im_end|>"], {
        "config.json": {"model_type": "qwen2"},
        "tokenizer_config.json": {"tokenizer_class": "Qwen2Tokenizer",
                                  "additional_special_tokens": ["<|im_end|>"]}}),
}
CORPUS = ["the cat of the house sat on a mat", "it is what they say of it, isn't it?", "Straße wörter über naïve",
          "1234 5678 2024", "def f(x):\n    return x + 1\n", "\u65e5\u672c\u8a9e\u306e\u6587 \u4e2d\u6587"]


def corpus():
    return [line for text in texts()[:400] for line in text.split("\n") if "\0" not in line] + CORPUS * 20


def words(specials):
    from tokenizers import BertWordPieceTokenizer
    model = BertWordPieceTokenizer(lowercase="[unk]" not in specials)
    model.train_from_iterator(corpus(), vocab_size=260, special_tokens=BERT, limit_alphabet=120)
    trained = sorted(model.get_vocab().items(), key=lambda each: each[1])
    tokens = specials + [token for token, _ in trained if token not in BERT]
    return {"vocab.txt": "\n".join(tokens[:260]) + "\n"}


def pairs(specials):
    from tokenizers import ByteLevelBPETokenizer
    model = ByteLevelBPETokenizer()
    model.train_from_iterator(corpus(), vocab_size=320)
    trained = json.loads(model.to_str())["model"]
    tokens = specials + sorted(trained["vocab"], key=trained["vocab"].get)
    merges = ["#version: 0.2"] + [" ".join(merge) for merge in trained["merges"]]
    return {"vocab.json": json.dumps({token: i for i, token in enumerate(tokens)}, ensure_ascii=False),
            "merges.txt": "\n".join(merges) + "\n"}


def make(name):
    kind, specials, beside = FOLDERS[name]
    folder = TARGET / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file, text in (words if kind == "words" else pairs)(specials).items():
        (folder / file).write_text(text, encoding="utf-8")
    for file, value in beside.items():
        (folder / file).write_text(json.dumps(value, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder


def answer(name):
    import transformers
    tokenizer = transformers.AutoTokenizer.from_pretrained(make(name))
    lines = [f"# oracle: transformers {transformers.__version__} (tests/oracle/older_tokenizers.py {name})"]
    for begin in range(0, len(texts()), BLOCK):
        found = Hash()
        block = texts()[begin:begin + BLOCK]
        for text in block:
            found.add(tokenizer(text, add_special_tokens=False)["input_ids"])
            found.add([0xFFFFFFFF])
        shown = f" plain {' '.join(map(str, tokenizer(block[0])['input_ids']))}" if begin % (50 * BLOCK) == 0 else ""
        lines.append(f"{found}{shown}")
    (TARGET / f"{name}.txt").write_text("\n".join(lines) + "\n")


for each in sys.argv[1:] or FOLDERS:
    answer(each)
