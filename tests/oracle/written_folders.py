"""Whether transformers takes the folders that `strata convert --to safetensors` writes: each fixture
src/inference/testdata/hf_NAME.json as a folder, written again from what was read, and loaded with
AutoModelForCausalLM (T5: AutoModelForSeq2SeqLM; what transformers has no class for: put together of
its layers, hf_assembled.py); its logits must be those of the fixture. Those of encoders:
written_encoders.py. Prints a line each; fails where one is refused or has other answers.
usage: written_folders.py STRATA [NAME...]"""
import itertools
import json
import pathlib
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file, save_file

import hf_assembled
import written_encoders
from hf_models import hf_formula

TESTDATA = pathlib.Path(__file__).resolve().parents[2] / "src/inference/testdata"
TOLERANCE = 2e-4  # relative to the root mean square of the row: both round weights to float32 once


def tokenizer_json(n_tokens):
    """WordPiece, whose vocabularies may be this small."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    letters = [chr(c) for c in range(97, 123)]
    pieces = special + letters + ["##" + letter for letter in letters]
    pieces += ["".join(pair) for pair in itertools.product(letters, letters)]
    return {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [{"id": i, "content": text, "single_word": False, "lstrip": False,
                              "rstrip": False, "normalized": False, "special": True}
                             for i, text in enumerate(special)],
            "normalizer": {"type": "BertNormalizer", "clean_text": True,
                           "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100,
                      "vocab": {piece: i for i, piece in enumerate(pieces[:n_tokens])}}}


def text_config(config):
    return config.get("text_config", config)


def write_source(folder, fixture):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(fixture["config"]))
    save_file({name: hf_formula(name, shape).to(torch.bfloat16).contiguous()
               for name, shape in fixture["tensors"].items()}, folder / "model.safetensors",
              metadata={"format": "pt"})
    (folder / "tokenizer.json").write_text(
        json.dumps(tokenizer_json(text_config(fixture["config"])["vocab_size"])))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')


def all_logits(model, sequence):
    ids = torch.tensor([sequence["ids"]])
    if "source" in sequence:
        source = torch.tensor([sequence["source"]])
        return model(input_ids=source, decoder_input_ids=ids, use_cache=False).logits[0].double()
    return model(ids, use_cache=False).logits[0].double()


def loaded(folder):
    """The model, and what of the folder transformers misses or does not know."""
    config = json.loads((folder / "config.json").read_text())
    assembled = hf_assembled.MODELS.get({"openelm": "openelm", "nemotron-nas": "deci"}.get(
        config["model_type"]))
    if assembled:
        weights = load_file(folder / "model.safetensors")
        return assembled[-1](config, {key: value.float() for key, value in weights.items()}), {}
    kind = (transformers.AutoModelForSeq2SeqLM if config.get("is_encoder_decoder")
            else transformers.AutoModelForCausalLM)
    attention = "sdpa" if config.get("alibi") else "eager"  # as the fixture, hf_models.py
    model, info = kind.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=attention,
        experts_implementation="eager", output_loading_info=True)
    return model, {key: value for key, value in info.items() if value}


def distance(model, fixture):
    worst = 0.0
    for sequence in fixture["sequences"]:
        logits = all_logits(model, sequence)
        for answer in sequence["answers"]:
            unit = answer["norm"] / logits.shape[1] ** 0.5
            for index, wanted in answer["logits"].items():
                off = abs(logits[answer["position"], int(index)].item() - wanted) / unit
                worst = max(worst, off)
    return worst


def check_generating(strata, work, fixture):
    write_source(work / "source", fixture)
    error = written_encoders.convert(strata, work, "source", "written", "--to", "safetensors")
    if error:
        return error
    model, left = loaded(work / "written")
    if "assembled" not in fixture["oracle"]:  # else transformers does not know the model_type
        transformers.AutoTokenizer.from_pretrained(work / "written")
    with torch.no_grad():
        off = distance(model.eval(), fixture)
    return f"{'the same' if off < TOLERANCE and not left else 'OTHERS'}: {off:.1e} {left or ''}"


def check(strata, name):
    fixture = json.loads((TESTDATA / f"{name}.json").read_text())
    kind = written_encoders.check if name.startswith("encoder_") else check_generating
    with tempfile.TemporaryDirectory() as work:
        return kind(strata, pathlib.Path(work), fixture)


def main(strata, *names):
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    strata = str(pathlib.Path(strata).resolve())
    failed = []
    for name in names or sorted(path.stem for path in [*TESTDATA.glob("hf_*.json"),
                                                       *TESTDATA.glob("encoder_*.json")]):
        verdict = check(strata, name)
        print(name, verdict, flush=True)
        if "OTHERS" in verdict or "error:" in verdict:
            failed.append(name)
    sys.exit(f"not as transformers: {' '.join(failed)}" if failed else 0)


main(*sys.argv[1:])
