"""Every form of vocabulary that a folder may have, for written_gguf.py: fetched ones, our fixtures,
and Unigram models that SentencePiece trains on our documentation, with its default normalisation
(nmt_nfkc), as T5's were."""
import base64
import io
import json
import unicodedata
from dataclasses import dataclass
from typing import Callable

import sentencepiece

from tokenizer_hash import DATA, ROOM, ROOT

SPACE = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}


@dataclass
class Form:
    file: str  # its name in a folder
    content: bytes
    n_vocab: int
    fitting: Callable = lambda all_texts: all_texts


def forms():
    unigram = trained_unigram()
    return {
        "WordPiece": json_form(ROOM / "testdata/json/bert.json", ordinary),
        "WordPiece, MiniLM's": json_form(DATA / "minilm/tokenizer.json", ordinary),
        "Unigram, SentencePiece's": Form("tokenizer.model", unigram, pieces(unigram).get_piece_size()),
        "Unigram, tokenizer.json": unigram_json(unigram),
        "merges with marks, SentencePiece's":
            sentencepiece_form(DATA / "mistral-common/tokenizer.model.v1"),
        "merges with marks, gemma": json_form(lenml("gemma"), without_ends),
        "tekken": tekken(DATA / "mistral-common/tekken_240911.json"),
        **{f"bytes, {name}": json_form(lenml(name)) for name in ("gpt2", "llama3", "deepseek_v3")},
        "bytes, qwen2_5": json_form(lenml("qwen2_5"), composed_without_ends)}


def lenml(name):
    return DATA / f"lenml/{name}/models/tokenizer.json"


def ordinary(all_texts):
    """llama.cpp's WordPiece cuts at symbols beyond ASCII and at control characters, leaves combining
    marks out, takes Hangul apart in part and words of any length, as BERT does not."""
    def is_ordinary(char):
        if char in "\n\t" or " " <= char <= "~":
            return True
        is_letter = unicodedata.category(char) in ("Lu", "Ll", "Lo")
        return is_letter and (char < "\u0530" or "\u4e00" <= char <= "\u9fff")

    kept = ("".join(filter(is_ordinary, text)) for text in all_texts)
    return [" ".join(word for word in text.split(" ") if len(word) < 100) for text in kept]


def without_controls(all_texts):
    """tokenizer.json cuts at them, SentencePiece's kind of GGUF removes them."""
    def is_kept(char):
        return char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Zl", "Zp")

    return ["".join(filter(is_kept, text)) for text in all_texts]


def without_ends(all_texts):
    """llama.cpp takes tokens of these names for control tokens, which they are not in this file."""
    return [text for text in all_texts if "</s>" not in text and "<end_of_turn>" not in text]


def composed_without_ends(all_texts):
    """llama.cpp composes no characters besides, which this file's normaliser does."""
    return [unicodedata.normalize("NFC", text) for text in without_ends(all_texts)]


def json_form(path, *fitting):
    document = json.loads(path.read_text(encoding="utf-8"))
    document["truncation"] = document["padding"] = None
    vocab = document["model"]["vocab"]
    added = [token["id"] for token in document["added_tokens"]]
    return Form("tokenizer.json", json.dumps(document).encode(),
                1 + max([*vocab.values(), *added]), *fitting)


def without_marks(all_texts):
    """llama.cpp's pattern for tekken cuts words at combining marks, the file's does not."""
    return ["".join(char for char in text if unicodedata.category(char)[0] != "M")
            for text in all_texts]


def tekken(path):
    document = json.loads(path.read_text(encoding="utf-8"))
    return Form("tekken.json", path.read_bytes(), document["config"]["default_vocab_size"],
                without_marks)


def sentencepiece_form(path):
    return Form("tokenizer.model", path.read_bytes(), pieces(path.read_bytes()).get_piece_size())


def pieces(model):
    return sentencepiece.SentencePieceProcessor(model_proto=model)


def trained_unigram():
    lines = [line for path in sorted((ROOT / "docs").glob("*.md"))
             for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=out, model_type="unigram", vocab_size=600,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, num_threads=1, minloglevel=2)
    return out.getvalue()


def unigram_json(model):
    """The same model as tokenizer.json, as transformers converts T5's."""
    read = pieces(model)
    vocab = [[read.id_to_piece(i), read.get_score(i)] for i in range(read.get_piece_size())]
    charsmap = field(field(model, 3), 2)  # normalizer_spec.precompiled_charsmap
    end = {"SpecialToken": {"id": "</s>", "type_id": 0}}
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    special = [{"id": i, "content": vocab[i][0], "single_word": False, "lstrip": False,
                "rstrip": False, "normalized": False, "special": True} for i in range(3)]
    document = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": {"type": "Precompiled",
                       "precompiled_charsmap": base64.b64encode(charsmap).decode()},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, SPACE]},
        "post_processor": {
            "type": "TemplateProcessing", "single": [first, end], "pair": [first, end, second, end],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
        "decoder": SPACE, "model": {"type": "Unigram", "unk_id": 2, "vocab": vocab}}
    return Form("tokenizer.json", json.dumps(document).encode(), len(vocab), without_controls)


def field(message, wanted):
    """The bytes of a protobuf message's field."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        kind = tag & 7
        if kind == 2:
            size, at = varint(message, at)
            if tag >> 3 == wanted:
                return message[at:at + size]
            at += size
        elif kind == 5:
            at += 4
        else:
            _, at = varint(message, at)
    raise ValueError(f"no field {wanted}")


def varint(message, at):
    value = shift = 0
    while True:
        byte, at = message[at], at + 1
        value, shift = value | (byte & 127) << shift, shift + 7
        if byte < 128:
            return value, at
