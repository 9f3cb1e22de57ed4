"""Whether llama.cpp (llama_cpp.py) takes the GGUF files that `strata convert` and `strata quantize`
write, and answers as the source does: for the families of src/inference/testdata/hf_*.json, for every
type, for every form of vocabulary, and for a real model. Started by tests/long/round_trips.
usage: written_gguf.py STRATA [families|wide|types|vocabularies|real] [NAME...]"""
import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import numpy as np

import llama_cpp
from formula_folder import wider, write_folder
from tokenizer_hash import texts
from vocabulary_forms import forms

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/end_to_end"))
from served import Served, test_data  # noqa: E402

TESTDATA = ROOT / "src/inference/testdata"

# How far llama.cpp may be. From transformers in F32: GELU is a table of half floats there. From us
# in other types both round activations, each in its own way: half of the tokens' log-probabilities
# must be nearer than this part of the logits' deviation (wrong blocks make it 0.3 and more).
FLOATS, HALF_OF_TOKENS = 3e-3, 0.05
MOST_MOVED = 0.7  # what a type itself may change, mean over all logits, in the same unit

# What llama.cpp computes otherwise than transformers, so that only some texts can agree, or none.
SHORT = {"mistral": "no windows", "ministral": "no windows", "phi3": "no windows",
         "llama4": "sections of 8,192 whatever the file says",
         "llama_dynamic": "no base that grows"}
LONG = {"phi3_longrope": "the divisors of the context, not of the text",
        "phi4_mini": "the divisors of the context, not of the text"}
OTHER = {"deepseek2": "groups of V2 ranked as V3's", "gemma3": "scores by the head's width",
         "gemma3_both": "scores by the head's width",
         "gpt_oss": "the published limit and bounds of YaRN whatever the file says"}
REFUSED = {"cohere_qk_norm": "no biases beside norms of heads",
           "deci": "no last layer without attention",
           "deci_linear": "no matrix for an MLP", "falcon_rw": "no ALiBi for Falcon",
           "deepseek2_lite": "a narrow projection but with 26 or 27 layers",
           "gemma3n": "other widths than the published", "gptj": "not known",
           "llama4_both": "no model without a layer that sees all",
           "olmoe": "no fewer heads of keys", "t5_gated": "no longer decoder"}
# What is changed in config.json where models are made wider, so that both compute the same.
WIDE = {"mistral": {"sliding_window": 64}, "ministral": {"sliding_window": 64},
        "phi3": {"sliding_window": 64},
        "llama4": {"attention_chunk_size": 8192, "floor_scale": 8192, "attn_scale": 0.1},
        "gpt_oss": {"swiglu_limit": 7.0, "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 5000.0, "factor": 4.0,
            "original_max_position_embeddings": 16, "truncate": True}},
        "gemma3": {"query_pre_attn_scalar": 128}, "gemma3_both": {"query_pre_attn_scalar": 128},
        "deepseek2": {"topk_method": "greedy"},
        "gptneox": {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0,
                                        "partial_rotary_factor": 1 / 3}}}
# Rows of several widths in one matrix; a part of the head that would be odd.
NOT_WIDER = {"granitehybrid", "granitehybrid_experts", "openelm", "phi4_mini"}
FACTOR = 16
TYPES = ["F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K", "Q5_1", "Q5_0",
         "Q4_1", "Q4_0", "IQ4_NL", "IQ4_XS", "MXFP4"]

NOT_SAID = {"bytes, qwen2_5": "it composes characters (NFC), which no kind of GGUF does"}
N_TEXTS, N_TEXTS_OF_REAL = 200, 40


def fixture(name):
    return json.loads((TESTDATA / f"hf_{name}.json").read_text(encoding="utf-8"))


def fixtures():
    return sorted(path.stem[3:] for path in TESTDATA.glob("hf_*.json"))


def comparable(name, model):
    """The texts on which llama.cpp can agree."""
    sequences = model["sequences"]
    return sequences[:1] if name in SHORT else sequences[-1:] if name in LONG else sequences


def log_softmax(logits):
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


class Trips:
    def __init__(self, program, server, work):
        self.program, self.server, self.work = program, server, work
        self.failed = []

    def run(self, *words):
        done = subprocess.run([self.program, *map(str, words)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, env=self.server.environment, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"strata {' '.join(map(str, words))}: {done.stderr.strip()}")

    def tell(self, what, holds, said):
        print(f"{'ok  ' if holds else 'FAIL'} {what}: {said}", flush=True)
        if not holds:
            self.failed.append(what)

    def ask(self, path, body):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.server.port}{path}", json.dumps(body).encode(),
            {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error.read().decode()}") from error

    def log_probabilities(self, model, ids):
        """Of each token but the first, by our server."""
        answer = self.ask("/v1/completions", {"model": model, "prompt": ids, "max_tokens": 0,
                                              "echo": True, "logprobs": 1})
        return answer["choices"][0]["logprobs"]["token_logprobs"][1:]

    def apart(self, file, sequences):
        """Of each token's log-probability how far llama.cpp and we are, as parts of the logits'
        deviation; and llama.cpp's logits."""
        theirs = llama_cpp.logits_of(file, sequences)
        self.run("pull", f"file:{file}", "--as", "trip", "-q")
        try:
            far = []
            for sequence, logits in zip(sequences, theirs):
                ids = sequence["ids"]
                ours = self.log_probabilities("trip", ids)
                wanted = log_softmax(logits)[np.arange(len(ids) - 1), ids[1:]]
                far.append(np.abs(wanted - ours) / logits.std())
        finally:
            self.run("rm", "trip")
        return np.concatenate(far), theirs

    # --- families: the fixtures as they are, in F32, against transformers' logits ---

    def families(self, names):
        for name in names or fixtures():
            model, file = fixture(name), self.work / "family.gguf"
            folder = write_folder(self.work / "family", model["config"], model["tensors"])
            self.run("convert", folder, file, "--type", "F32", "-q", "--force")
            try:
                self.family(name, model, file)
            except llama_cpp.Refused as refused:
                known = REFUSED.get(name)
                self.tell(name, known is not None, f"not loaded by llama.cpp: {known or refused}")

    def family(self, name, model, file):
        sequences = comparable(name, model)
        worst = 0.0
        for sequence, logits in zip(sequences, llama_cpp.logits_of(file, sequences)):
            if name == "t5":  # whose logits llama.cpp does not scale
                logits = logits * model["config"]["d_model"] ** -0.5
            for answer in sequence["answers"]:
                row, norm = logits[answer["position"]], answer["norm"]
                off = [abs(row[int(i)] - value) for i, value in answer["logits"].items()]
                worst = max(worst, max(off) * len(row) ** 0.5 / norm,
                            abs((row @ row) ** 0.5 / norm - 1))
        why = OTHER.get(name) or SHORT.get(name) or LONG.get(name)
        said = f"{worst:.1e} from transformers, {len(sequences)} texts"
        said += f" ({why})" if why else ""
        self.tell(name, name in OTHER or worst < FLOATS, said)

    # --- wide: families whose rows fill blocks of 32, against our own server ---

    def wide(self, names):
        skipped = set(REFUSED) | NOT_WIDER
        for name in names or [name for name in fixtures() if name not in skipped]:
            model = fixture(name)
            wide = wider(model["config"], model["tensors"], FACTOR, WIDE.get(name, {}))
            folder = write_folder(self.work / "wide", *wide)
            sequences = model["sequences"] if name in WIDE else comparable(name, model)
            # The scores of encoders with decoders are not divided: rounding to four bits changes all of them.
            types = ["F32", "Q8_0"] + ["Q4_0"] * ("source" not in sequences[0])
            self.quantised(f"{name}, wider", folder, sequences, types)

    def quantised(self, what, source, sequences, types, *options):
        file, plain = self.work / "quantised.gguf", None
        for kind in types:
            self.run("quantize", source, kind, file, "-q", "--force", *options)
            is_pair = "source" in sequences[0]  # of which our server has no log-probabilities
            far, logits = ((np.zeros(0), llama_cpp.logits_of(file, sequences)) if is_pair
                           else self.apart(file, sequences))
            plain = plain or logits
            moved = np.median([np.abs(a - b).mean() / b.std() for a, b in zip(logits, plain)])
            half = 0.0 if is_pair else float(np.median(far))
            said = "" if is_pair else (f"half of {far.size} tokens within {half:.4f}, "
                                       f"most {far.max():.3f}; ")
            self.tell(f"{what}, {kind}", half < HALF_OF_TOKENS and moved < MOST_MOVED,
                      f"{said}the type itself changes {moved:.3f}")

    # --- types: one model whose rows fill the largest blocks ---

    def types(self, names):
        model = fixture("llama")
        sizes = {30: 256, 10: 128, 52: 512}
        config = {**model["config"], "hidden_size": 256, "head_dim": 64, "num_attention_heads": 4,
                  "num_key_value_heads": 2, "intermediate_size": 512}
        tensors = {key: [sizes.get(n, n) for n in shape] for key, shape in model["tensors"].items()}
        folder = write_folder(self.work / "types", config, tensors)
        self.quantised("llama of 256", folder, model["sequences"], names or TYPES, "--pure")

    # --- vocabularies: llama.cpp's tokenizer on the written file, ours on the folder ---

    def vocabularies(self, names):
        known = forms()
        for name in names or known:
            self.vocabulary(name, known[name])

    def vocabulary(self, name, form):
        model = fixture("llama")
        config = {**model["config"], "vocab_size": form.n_vocab, "max_position_embeddings": 8192}
        for field in ("bos_token_id", "eos_token_id", "pad_token_id"):  # which the vocabulary says
            config.pop(field, None)
        tensors = {key: [form.n_vocab if n == 91 else n for n in shape]
                   for key, shape in model["tensors"].items()}
        folder = write_folder(self.work / "vocabulary", config, tensors, {})
        (folder / "tokenizer.json").unlink()
        (folder / form.file).write_bytes(form.content)
        file = self.work / "vocabulary.gguf"
        try:
            self.run("convert", folder, file, "-q", "--force")
        except RuntimeError as refused:
            known = NOT_SAID.get(name)
            return self.tell(name, known is not None, f"refused by convert: {known or refused}")
        self.same_tokens(name, folder, file, form.fitting(texts()))

    def same_tokens(self, name, folder, file, all_texts, n_texts=N_TEXTS):
        all_texts = [text for text in all_texts if text.strip() and "\0" not in text][:n_texts]
        self.run("pull", folder, "--as", "trip", "-q")
        equal, first = 0, ""
        try:
            with llama_cpp.Model(file, vocab_only=True) as theirs:
                for text in all_texts:
                    ours = self.prompt_ids(text)
                    if ours in as_prompts(theirs, theirs.encode(text, special=True, whole=True)):
                        equal += 1
                    else:
                        first = first or f"; not {text!r}"
        finally:
            self.run("rm", "trip")
        self.tell(name, equal == len(all_texts),
                  f"{equal} of {len(all_texts)} texts have the same tokens{first}")

    def prompt_ids(self, text):
        answer = self.ask("/generate", {"model": "trip", "inputs": text, "parameters": {
            "max_new_tokens": 1, "details": True, "decoder_input_details": True}})
        return [token["id"] for token in answer["details"]["prefill"]]

    # --- real: SmolLM2, which becomes a folder and a file again, and a file of each type ---

    def real(self, names):
        source = test_data() / "models/smollm2-135m.gguf"
        folder, file = self.work / "smollm2", self.work / "smollm2.gguf"
        self.run("convert", source, folder, "--to", "safetensors", "-q")
        self.run("convert", folder, file, "-q")
        self.same_tokens("SmolLM2's folder", folder, file, texts(), N_TEXTS_OF_REAL)
        with llama_cpp.Model(source, vocab_only=True) as model:
            ids = model.encode((ROOT / "LICENSE").read_text()[:800])
        self.quantised("SmolLM2", folder, [{"ids": ids}],
                       names or ["F16", "Q8_0", "Q6_K", "Q4_K_M", "Q4_0", "IQ4_NL"])


def as_prompts(vocabulary, ids):
    """What we make of a prompt: no end behind it, since it goes on, and no second beginning before one
    that the text spells."""
    without_end = ids[:-1] if ids[-1:] == [vocabulary.eos] else ids
    return [each[1:] if len(each) > 1 and each[0] == each[1] == vocabulary.bos else each
            for each in (ids, without_end)]


def main(program, part=None, *names):
    parts = [part] if part else ["families", "wide", "types", "vocabularies", "real"]
    with Served(program) as server, tempfile.TemporaryDirectory(prefix="strata-trips-") as work:
        trips = Trips(str(pathlib.Path(program).resolve()), server, pathlib.Path(work))
        for each in parts:
            print(f"-- {each}", flush=True)
            getattr(trips, each)(names)
    if trips.failed:
        sys.exit(f"failed: {', '.join(trips.failed)}")


main(*sys.argv[1:])
