"""llguidance or xgrammar as peer of bench/constraint.py; runs in the peers' environment, one thread.

    constraint_peer.py ENGINE CASES.json OURS.json RESULT.json

CASES is what ours was given, OURS what it wrote: the vocabulary and each text's tokens. RESULT has the
fields of OURS. A text's masks are timed alone, into memory that is there already.
"""
import json
import pathlib
import sys
import time

import numpy as np


class Vocabulary:
    """As llguidance asks for one. It needs a name for what no text has, and tokens of the texts that
    a grammar forces: here the longest that fits, each time."""
    def __init__(self, tokens, end):
        self.tokens, self.eos_token_id, self.bos_token_id = tokens, end, None
        self.special_token_ids = [end]
        self.ids = {token: i for i, token in enumerate(tokens)}
        self.longest = max(map(len, tokens))

    def __call__(self, text):
        text, ids = text.encode() if isinstance(text, str) else text, []
        while text:
            size = next(n for n in range(min(self.longest, len(text)), 0, -1) if text[:n] in self.ids)
            ids.append(self.ids[text[:size]])
            text = text[size:]
        return ids


class LlGuidance:
    def __init__(self, tokens, end):
        import llguidance
        self.library = llguidance
        named = [token or b"\xff<%d>" % i for i, token in enumerate(tokens)]
        wrapper = llguidance.TokenizerWrapper(Vocabulary(named, end))
        self.tokenizer = llguidance.LLTokenizer(wrapper, n_vocab=len(tokens), eos_token=end)
        self.mask = np.zeros((1, (len(tokens) + 31) // 32), dtype=np.int32)
        self.room = (self.mask.ctypes.data, self.mask.nbytes)

    def compile(self, schema):
        grammar = self.library.LLMatcher.grammar_from_json_schema(json.dumps(schema))
        made = self.library.LLMatcher(self.tokenizer, grammar)
        if made.is_error():
            raise ValueError(made.get_error())
        return made

    def begin(self, compiled):
        return compiled.deep_copy()

    def fill(self, matcher):
        matcher.unsafe_compute_mask_ptr(*self.room)

    def accept(self, matcher, token):
        return matcher.consume_token(token)

    def may_end(self, matcher):
        return matcher.is_accepting()


class XGrammar:
    def __init__(self, tokens, end):
        import xgrammar
        self.library = xgrammar
        info = xgrammar.TokenizerInfo(tokens, xgrammar.VocabType.RAW, vocab_size=len(tokens),
                                      stop_token_ids=[end])
        self.compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=False)
        self.mask, self.end = np.zeros((1, (len(tokens) + 31) // 32), dtype=np.int32), end

    def compile(self, schema):
        return self.compiler.compile_json_schema(json.dumps(schema), strict_mode=False)

    def begin(self, compiled):
        return self.library.GrammarMatcher(compiled)

    def fill(self, matcher):
        matcher.fill_next_token_bitmask(self.mask)

    def accept(self, matcher, token):
        return matcher.accept_token(token)

    def may_end(self, matcher):
        return matcher.accept_token(self.end)


def accepts(engine, matcher, ids, times):
    words = engine.mask.reshape(-1).view(np.uint32)
    for token in ids:
        began = time.thread_time_ns()
        engine.fill(matcher)
        times.append(time.thread_time_ns() - began)
        if not words[token >> 5] >> np.uint32(token & 31) & 1 or not engine.accept(matcher, token):
            return False
    return bool(engine.may_end(matcher))


def run(engine, case, ids):
    row = {"accepted": [], "masks_ns": []}
    began = time.thread_time_ns()
    try:
        compiled = engine.compile(case["schema"])
    except Exception as error:  # theirs are of many types
        return row | {"refused": str(error)}
    row["compile_ns"] = time.thread_time_ns() - began
    for tokens in ids:
        row["accepted"].append(accepts(engine, engine.begin(compiled), tokens, row["masks_ns"]))
    return row


def main():
    name, cases, ours, result = sys.argv[1:]
    cases, ours = (json.loads(pathlib.Path(file).read_text()) for file in (cases, ours))
    tokens = [bytes.fromhex(token) for token in ours["vocabulary"]]
    engine = {"llguidance": LlGuidance, "xgrammar": XGrammar}[name](tokens, ours["end"])
    rows = [run(engine, case, own["ids"]) for case, own in zip(cases["cases"], ours["cases"])]
    pathlib.Path(result).write_text(json.dumps({"cases": rows}))


main()
