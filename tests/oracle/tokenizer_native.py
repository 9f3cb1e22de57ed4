#!/usr/bin/env python3
"""Makes src/models/tokenizer/testdata/native: what the makers' own libraries, SentencePiece and
mistral-common's tekken, answer for our test texts for the vocabularies that mistral-common brings
(tests/oracle/fetch), for a small Unigram model that SentencePiece trains here (unigram.model), and for a
small vocabulary that tiktoken trains (tiktoken.model), with the pattern that transformers takes for such files.

  tests/oracle/tokenizer_native.py [NAME …]   (an environment with sentencepiece, mistral-common, tiktoken)

NAME.txt: one line for every 20 texts with the hashes of the ids and of what they decode to; every
50th line has the first text's own ids, too."""
import sys

import base64
from importlib.metadata import version

from tokenizer_hash import BLOCK, DATA, ROOM, Hash, texts

TARGET = ROOM / "testdata/native"
FETCHED = {
    "mistral_v1": "mistral-common/tokenizer.model.v1",
    "mistral_v3": "mistral-common/mistral_instruct_tokenizer_240323.model.v3",
    "mistral_v7": "mistral-common/mistral_instruct_tokenizer_241114.model.v7",
    "tekken_240718": "mistral-common/tekken_240718.json",
    "tekken_240911": "mistral-common/tekken_240911.json",
}


PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def tiktoken_codec(path):
    import tiktoken
    ranks = {base64.b64decode(token): int(rank)
             for token, rank in (line.split() for line in path.read_bytes().splitlines())}
    model = tiktoken.Encoding("tiny", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    return model.encode_ordinary, model.decode, f"tiktoken {version('tiktoken')}"


def train_tiktoken(path, all_texts):
    from tiktoken._educational import bpe_train
    ranks = bpe_train("\n".join(all_texts[:300]), 700, PATTERN, visualise=None)
    path.write_bytes(b"".join(base64.b64encode(token) + b" %d\n" % rank
                              for token, rank in sorted(ranks.items(), key=lambda each: each[1])))


def sentencepiece_codec(path):
    import sentencepiece
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return model.encode, model.decode, f"sentencepiece {sentencepiece.__version__}"


def tekken_codec(path):
    from mistral_common.tokens.tokenizers.tekken import SpecialTokenPolicy, Tekkenizer
    model = Tekkenizer.from_file(path)
    encode = lambda text: model.encode(text, bos=False, eos=False)
    decode = lambda ids: model.decode(ids, special_token_policy=SpecialTokenPolicy.IGNORE)
    return encode, decode, f"mistral-common {version('mistral-common')}"


def train(path, all_texts):
    import sentencepiece
    sentences = [line for text in all_texts for line in text.split("\n")
                 if line.strip() and line.isascii() and "\0" not in line]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_prefix=str(path.with_suffix("")), vocab_size=500,
        model_type="unigram", character_coverage=0.99, byte_fallback=True, num_threads=1,
        normalization_rule_name="identity", user_defined_symbols=["<turn>"], minloglevel=2)
    path.with_suffix(".vocab").unlink()


def answer(name, path, all_texts):
    codec = tekken_codec if path.suffix == ".json" else sentencepiece_codec
    encode, decode, oracle = (tiktoken_codec if name == "tiktoken" else codec)(path)
    lines = []
    for begin in range(0, len(all_texts), BLOCK):
        ids_hash, text_hash = Hash(), Hash()
        first = None
        for text in all_texts[begin:begin + BLOCK]:
            ids = encode(text)
            for one, numbers in [(ids_hash, ids), (text_hash, decode(ids).encode())]:
                one.add(numbers)
                one.add([0xFFFFFFFF])
            first = first or ids
        line = f"{ids_hash} {text_hash}"
        if begin % (50 * BLOCK) == 0:
            line += " plain " + " ".join(map(str, first))
        lines.append(line)
    head = f"# oracle: {oracle} (tests/oracle/tokenizer_native.py {name})"
    (TARGET / f"{name}.txt").write_text("\n".join([head] + lines) + "\n")
    print(name, flush=True)


def main(names):
    TARGET.mkdir(parents=True, exist_ok=True)
    all_texts = texts()
    if not names or "unigram" in names:
        path = TARGET / "unigram.model"
        train(path, all_texts)
        answer("unigram", path, all_texts)
    if not names or "tiktoken" in names:
        path = TARGET / "tiktoken.model"
        train_tiktoken(path, all_texts)
        answer("tiktoken", path, all_texts)
    for name, file in FETCHED.items():
        if (DATA / file).exists() and (not names or name in names):
            answer(name, DATA / file, all_texts)


main(sys.argv[1:])
