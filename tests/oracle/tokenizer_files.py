#!/usr/bin/env python3
"""Makes src/models/tokenizer/testdata/files: what `sentencepiece` and `mistral-common` answer for our
test texts on the files that Mistral publishes.

  tests/oracle/tokenizer_files.py     (an environment with mistral-common, sentencepiece, tiktoken)

NAME.txt: one line for every 20 texts with the hash of their ids and of what these decode to."""
import pathlib
import sys

import mistral_common
import sentencepiece
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

from tokenizer_hash import BLOCK, DATA, ROOM, TEXTS, Hash, texts

TARGET = ROOM / "testdata/files"
FOLDER = DATA / "mistral-common"


def sentencepiece_of(path):
    made = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return made.encode, made.decode


def tekken_of(path):
    made = Tekkenizer.from_file(path)
    return (lambda text: made.encode(text, bos=False, eos=False),
            lambda ids: made.decode(ids))


def answer(name, path, all_texts):
    encode, decode = (tekken_of if path.suffix == ".json" else sentencepiece_of)(path)
    lines = []
    for begin in range(0, TEXTS, BLOCK):
        ids_hash, text_hash, first = Hash(), Hash(), None
        for text in all_texts[begin:begin + BLOCK]:
            ids = encode(text)
            first = first or ids
            for one, numbers in ((ids_hash, ids), (text_hash, decode(ids).encode())):
                one.add(numbers)
                one.add([0xFFFFFFFF])
        line = f"{ids_hash} {text_hash}"
        if begin % (50 * BLOCK) == 0:
            line += " plain " + " ".join(map(str, first))
        lines.append(line)
    oracle = f"mistral-common {mistral_common.__version__}" if path.suffix == ".json" else \
        f"sentencepiece {sentencepiece.__version__}"
    head = f"# oracle: {oracle} (tests/oracle/tokenizer_files.py), {path.name}"
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / f"{name}.txt").write_text("\n".join([head] + lines) + "\n")
    print(name, flush=True)


def main():
    all_texts = texts()
    for name, file in {"mistral-v1": "tokenizer.model.v1",
                       "mistral-v3": "mistral_instruct_tokenizer_240323.model.v3",
                       "tekken": "tekken_240718.json"}.items():
        answer(name, FOLDER / file, all_texts)


sys.exit(main())
