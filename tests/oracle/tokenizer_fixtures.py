"""Small tokenizers with every component of the tokenizer.json format, made by the library's own
trainers from our test texts; see tokenizer_json.py."""
import base64
import struct

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, \
    pre_tokenizers, processors, trainers

ASCII = [chr(c) for c in range(32, 127)]
SPECIAL = ["<unk>", "<s>", "</s>", "<pad>", "<mask>"]
WORDS = ["the", "model", "Language", "tokenization", "isn't", "naïve", "Привет", "你好", "1234567",
         "camelCase", "x = 1;", "don't", "the model", "café", "of the", "(a)", "[1, 2]", "😀", "  "]


def corpus(texts):
    return WORDS * 40 + texts[:300]


def bpe(texts, size=330, normalizer=None, pre=None, special=("<unk>", "<s>", "</s>"), **options):
    """A byte-pair model, trained behind `normalizer` and `pre`."""
    trained = options.pop("train", {})
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre
    arguments = {"vocab_size": size, "special_tokens": list(special), "limit_alphabet": 150,
                 "initial_alphabet": ASCII, "show_progress": False, **trained}
    tokenizer.train_from_iterator(corpus(texts), trainers.BpeTrainer(**arguments))
    return tokenizer


def byte_level(texts, pre=None, size=400, **options):
    level = pre or pre_tokenizers.ByteLevel(add_prefix_space=False)
    made = bpe(texts, size=size, pre=level, special=("<s>", "</s>"),
               train={"initial_alphabet": pre_tokenizers.ByteLevel.alphabet(),
                      "limit_alphabet": 256}, **options)
    made.decoder = decoders.ByteLevel()
    return made


def crossing(texts, pre):
    """Trained without cuts, so that merges cross words and every cut of `pre` shows in the ids."""
    made = bpe(texts, size=420, unk_token="<unk>")
    made.pre_tokenizer = pre
    made.decoder = decoders.Fuse()
    return made


def splits(behavior, invert=False, pattern=Regex(r"\d+|['’]\w|[^\w\s]")):
    return lambda texts: crossing(texts, pre_tokenizers.Split(pattern, behavior, invert))


def word_piece(texts, normalizer, pre, size=420, **options):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    made = Tokenizer(models.WordPiece(unk_token="[UNK]", **options))
    made.normalizer, made.pre_tokenizer = normalizer, pre
    made.train_from_iterator(corpus(texts), trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=special, limit_alphabet=160, show_progress=False))
    made.decoder = decoders.WordPiece()
    return made


def bert(texts):
    made = word_piece(texts, normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer())
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return made


def bert_cased(texts):
    normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=False,
                                            strip_accents=False, lowercase=False)
    made = word_piece(texts, normalizer, pre_tokenizers.BertPreTokenizer())
    made.decoder = decoders.WordPiece(cleanup=False)
    made.add_tokens([AddedToken("model", single_word=True), AddedToken("Lang", single_word=True)])
    return made


def unigram(texts, size=420, pre=None, normalizer=None, **options):
    made = Tokenizer(models.Unigram())
    made.normalizer, made.pre_tokenizer = normalizer, pre
    # The trainer wants a piece for every character.
    latin = [text for text in texts[:600]
             if all(ord(c) < 0x180 for c in text) and not any(name in text for name in SPECIAL)]
    made.train_from_iterator(WORDS * 40 + latin, trainers.UnigramTrainer(
        vocab_size=size, special_tokens=SPECIAL[:3], unk_token="<unk>", show_progress=False,
        **options))
    return made


def unigram_metaspace(texts):
    made = unigram(texts, pre=pre_tokenizers.Metaspace())
    made.decoder = decoders.Metaspace()
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 2)])
    return made


def unigram_bytes(texts):
    """Unigram with a token for each byte, as newer multilingual models have it."""
    import json
    trained = json.loads(unigram(texts, size=300, pre=pre_tokenizers.Metaspace(
        prepend_scheme="first")).to_str())
    model = trained["model"]
    lowest = min(score for _, score in model["vocab"])
    model["vocab"] += [[f"<0x{byte:02X}>", lowest - 1] for byte in range(256)]
    model["byte_fallback"] = True
    made = Tokenizer.from_str(json.dumps(trained))
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                      decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return made


def charsmap(rules):
    """A precompiled charsmap: a double array (Darts) over the keys and the texts they become."""
    texts, offsets = b"", {}
    for key, value in rules.items():
        offsets[key.encode()] = len(texts)
        texts += value.encode() + b"\0"
    children, values = {b"": set()}, offsets
    for key in offsets:
        for i in range(len(key)):
            children.setdefault(key[:i], set()).add(key[i])
            children.setdefault(key[:i + 1], set())
    units, used = [0] * 256, {0}

    def place(node, at):
        labels = sorted(children[node]) + ([0] if node in values else [])
        if not labels:
            return
        base = 1
        while any((base ^ label) in used for label in labels) or (base ^ at) >> 21:
            base += 1
        needed = max(base ^ label for label in labels) + 1
        units.extend([0] * max(0, (needed + 255) // 256 * 256 - len(units)))
        used.update(base ^ label for label in labels)
        units[at] |= (base ^ at) << 10 | (1 << 8 if node in values else 0)
        for label in sorted(children[node]):
            units[base ^ label] |= label
        if node in values:
            units[base] = values[node] | 1 << 31
        for label in sorted(children[node]):
            place(node + bytes([label]), base ^ label)

    place(b"", 0)
    trie = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(trie)) + trie + texts


def precompiled(texts):
    rules = {"ｆ": "f", "ｕ": "u", "ｌ": "l", "①": "1", "②": "2", "½": "1/2", "\u3000": " ", "\t": " ",
             "\n": " ", "\u00a0": " ", "e\u0301": "é", "ﬁ": "fi", "\u200b": "", "…": "...",
             "ℝ": "R", "が": "か", "\u00ad": ""}
    import json
    made = json.loads(unigram(texts, size=360).to_str())
    made["normalizer"] = {"type": "Sequence", "normalizers": [
        {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap(rules)).decode()},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}
    made["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "WhitespaceSplit"},
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}]}
    made["decoder"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always",
                       "split": True}
    return Tokenizer.from_str(json.dumps(made))


def sentence_bpe(texts):
    """As Llama's: spaces marked by the normaliser, bytes for what is no token; and, as its older
    files have it, special tokens that are looked for in normalised text."""
    import json
    normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made = json.loads(bpe(texts, size=300, normalizer=normalizer, unk_token="<unk>",
                          fuse_unk=True).to_str())
    size = len(made["model"]["vocab"])
    made["model"]["vocab"].update({f"<0x{byte:02X}>": size + byte for byte in range(256)})
    made["model"]["byte_fallback"] = True
    for token in made["added_tokens"]:
        token["normalized"] = True
    made["post_processor"] = {"type": "TemplateProcessing", "single": [
        {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                 {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    made["decoder"] = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
        {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    return Tokenizer.from_str(json.dumps(made))


def partial_bytes(texts):
    """Bytes for only some of the characters that are no token; the others are unknown."""
    import json
    made = json.loads(bpe(texts, size=260, pre=pre_tokenizers.Metaspace(prepend_scheme="first"),
                          unk_token="<unk>", fuse_unk=True).to_str())
    size = len(made["model"]["vocab"])
    some = [byte for byte in range(256) if byte % 5 != 2]
    made["model"]["vocab"].update({f"<0x{byte:02X}>": size + i for i, byte in enumerate(some)})
    made["model"]["byte_fallback"] = True
    made["decoder"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first",
                       "split": True}
    return Tokenizer.from_str(json.dumps(made))


def clip(texts):
    """As CLIP's: lower case, a mark behind each word."""
    made = bpe(texts, size=420, end_of_word_suffix="</w>", unk_token="<unk>",
               normalizer=normalizers.Sequence([
                   normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "),
                   normalizers.Lowercase()]),
               pre=pre_tokenizers.Sequence([
                   pre_tokenizers.Split(Regex(r"'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"),
                                        "removed", True)]),
               train={"end_of_word_suffix": "</w>"})
    made.decoder = decoders.BPEDecoder("</w>")
    return made


def prefixed(texts):
    made = bpe(texts, size=420, continuing_subword_prefix="##", unk_token="<unk>",
               normalizer=normalizers.Sequence([
                   normalizers.Strip(), normalizers.NFKD(), normalizers.StripAccents()]),
               pre=pre_tokenizers.Whitespace(), train={"continuing_subword_prefix": "##"})
    made.decoder = decoders.WordPiece()
    return made


def roberta(texts):
    made = byte_level(texts, pre_tokenizers.ByteLevel(add_prefix_space=True))
    made.add_special_tokens([AddedToken("<mask>", lstrip=True),
                             AddedToken("<|im_end|>", lstrip=True, rstrip=True)])
    made.add_tokens([AddedToken("Language", normalized=True), AddedToken("  ", rstrip=True)])
    made.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    return made


def falcon(texts):
    """Bytes are spelled before the last cuts, which therefore see the alphabet's own digits."""
    return byte_level(texts, pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")]))


def normalised_bytes(texts):
    made = bpe(texts, size=400, normalizer=normalizers.Sequence([
        normalizers.NFKC(), normalizers.ByteLevel()]), ignore_merges=True,
        special=("<s>", "</s>"), train={"initial_alphabet": pre_tokenizers.ByteLevel.alphabet(),
                                        "limit_alphabet": 256})
    made.decoder = decoders.ByteLevel()
    return made


def word_level(texts):
    made = Tokenizer(models.WordLevel(unk_token="<unk>"))
    made.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFD()])
    made.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.CharDelimiterSplit(" "), pre_tokenizers.Punctuation("removed")])
    made.train_from_iterator(corpus(texts), trainers.WordLevelTrainer(
        vocab_size=300, special_tokens=SPECIAL, show_progress=False))
    return made


def ctc(texts):
    made = Tokenizer(models.WordLevel(
        {c: i for i, c in enumerate(["<pad>", "<unk>", "|"] + ASCII[1:90])}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.FixedLength(length=1)
    made.add_special_tokens(["<pad>", "<unk>"])
    made.decoder = decoders.CTC()
    return made


FIXTURES = {
    "bert": bert,
    "bert_cased": bert_cased,
    "clip": clip,
    "prefixed": prefixed,
    "roberta": roberta,
    "falcon": falcon,
    "normalised_bytes": normalised_bytes,
    "sentence_bpe": sentence_bpe,
    "partial_bytes": partial_bytes,
    "unigram_metaspace": unigram_metaspace,
    "unigram_bytes": unigram_bytes,
    "precompiled": precompiled,
    "word_level": word_level,
    "ctc": ctc,
    "split_removed": splits("removed"),
    "split_isolated": splits("isolated"),
    "split_previous": splits("merged_with_previous"),
    "split_next": splits("merged_with_next", pattern="e"),
    "split_contiguous": splits("contiguous", True),
    "scripts": lambda texts: crossing(texts, pre_tokenizers.UnicodeScripts()),
    "fixed_length": lambda texts: crossing(texts, pre_tokenizers.FixedLength(length=7)),
    "digits": lambda texts: crossing(texts, pre_tokenizers.Sequence([
        pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits(individual_digits=True)])),
    "metaspace_never": lambda texts: crossing(texts, pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("merged_with_previous"),
        pre_tokenizers.Metaspace(prepend_scheme="never", split=False)])),
}
