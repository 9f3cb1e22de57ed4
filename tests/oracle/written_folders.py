"""Whether transformers takes the folders that `strata convert --to safetensors` writes: each fixture
src/inference/testdata/hf_NAME.json as a folder, converted to GGUF and back, and loaded with
AutoModelForCausalLM; its logits must be those of the fixture. Prints a line each.
usage: written_folders.py STRATA [NAME...]"""
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.torch import save_file

from hf_models import hf_formula

TESTDATA = pathlib.Path(__file__).resolve().parents[2] / "src/inference/testdata"
TOLERANCE = 2e-4  # relative to the root mean square of the row: both round weights to float32 once


def tokenizer_json(n_tokens):
    vocab = {token: i for i, token in enumerate(["<unk>", "<s>", "</s>", "▁"])}
    letters = [chr(c) for c in range(33, 127)]
    vocab.update({letters[i]: i + 4 for i in range(n_tokens - 4)})
    special = [{"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True}
               for i, text in enumerate(["<unk>", "<s>", "</s>"])]
    return {"version": "1.0", "added_tokens": special,
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
            "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": False,
                      "byte_fallback": True, "vocab": vocab, "merges": []}}


def write_source(folder, fixture):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(fixture["config"]))
    save_file({name: hf_formula(name, shape).to(torch.bfloat16).contiguous()
               for name, shape in fixture["tensors"].items()}, folder / "model.safetensors",
              metadata={"format": "pt"})
    (folder / "tokenizer.json").write_text(
        json.dumps(tokenizer_json(fixture["config"]["vocab_size"])))


def distance(model, fixture):
    worst = 0.0
    for sequence in fixture["sequences"]:
        logits = model(torch.tensor([sequence["ids"]]), use_cache=False).logits[0].double()
        for answer in sequence["answers"]:
            unit = answer["norm"] / logits.shape[1] ** 0.5
            for index, wanted in answer["logits"].items():
                off = abs(logits[answer["position"], int(index)].item() - wanted) / unit
                worst = max(worst, off)
    return worst


def check(strata, name):
    fixture = json.loads((TESTDATA / f"{name}.json").read_text())
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        write_source(work / "source", fixture)
        for words in [["source", "model.gguf"], ["model.gguf", "written", "--to", "safetensors"]]:
            done = subprocess.run([strata, "convert", *words, "-q"], cwd=work, text=True,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            if done.returncode != 0:
                return "refused: " + [line for line in done.stderr.splitlines() if line][0]
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            work / "written", dtype=torch.float32, attn_implementation="eager",
            output_loading_info=True)
        left = {key: value for key, value in info.items() if value}
        transformers.AutoTokenizer.from_pretrained(work / "written")
        with torch.no_grad():
            off = distance(model.eval(), fixture)
    return f"{'the same' if off < TOLERANCE and not left else 'OTHERS'}: {off:.1e} {left or ''}"


def main(strata, *names):
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    strata = str(pathlib.Path(strata).resolve())
    for name in names or sorted(path.stem for path in TESTDATA.glob("hf_*.json")):
        print(name, check(strata, name), flush=True)


main(*sys.argv[1:])
