"""The part of written_folders.py for encoders, embedders and rerankers: each fixture
src/inference/testdata/encoder_NAME.json is written from a GGUF file, and those that are folders from the
folder, too. transformers' states and scores of what is written must be those of the fixture, and Sentence
Transformers' vectors, where the folder names modules, those of it at length 1."""
from hf_models import hf_formula  # isort: skip
import json
import math
import subprocess

import gguf
import torch
import transformers
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer

from formula import formula_weights
from formula_folder import word_pieces

TOLERANCE = 2e-5  # in units of the root mean square: all weights are float32 on both sides
SPECIAL, CONTROL, UNKNOWN = 4, 3, 2


def convert(strata, work, *arguments):
    """None, or the error."""
    done = subprocess.run([strata, "convert", *arguments, "-q"], cwd=work, text=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode == 0:
        return None
    return next((line for line in done.stderr.splitlines() if line.startswith("error: ")),
                done.stderr)


def write_json(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def write_folder(folder, fixture):
    folder.mkdir()
    write_json(folder / "config.json", fixture["config"])
    write_json(folder / "tokenizer.json", word_pieces(fixture["config"]["vocab_size"]))
    write_json(folder / "tokenizer_config.json",
               {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]",
                "model_input_names": ["input_ids", "attention_mask"]})
    files = {"model.safetensors": fixture["hf_tensors"], **fixture.get("modules", {})}
    for name, content in files.items():
        if not name.endswith(".safetensors"):
            write_json(folder / name, content)
            continue
        prefix = "" if name == "model.safetensors" else name + "/"
        save_file({key: hf_formula(prefix + key, shape).to(torch.float32).contiguous()
                   for key, shape in content.items()}, folder / name, metadata={"format": "pt"})


def add_vocabulary(writer, n_tokens):
    pieces = list(word_pieces(n_tokens)["model"]["vocab"])
    marked = [piece.removeprefix("##") if piece.startswith("##") else "\u2581" + piece
              for piece in pieces]
    writer.add_tokenizer_model("bert")
    writer.add_token_list(pieces[:SPECIAL] + marked[SPECIAL:])
    writer.add_token_types([CONTROL, UNKNOWN] + [CONTROL] * 2 + [1] * (len(pieces) - SPECIAL))
    for add, index in ((writer.add_pad_token_id, 0), (writer.add_unk_token_id, 1),
                       (writer.add_bos_token_id, 2), (writer.add_eos_token_id, 3)):
        add(index)


def write_gguf(path, fixture):
    metadata = dict(fixture["metadata"])
    writer = gguf.GGUFWriter(path, metadata.pop("general.architecture"))
    for key, value in metadata.items():
        {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32,
         str: writer.add_string}[type(value)](key, value)
    add_vocabulary(writer, fixture["tensors"]["token_embd.weight"][1])
    for name, shape in fixture["tensors"].items():
        weights = torch.from_numpy(formula_weights(name, shape[0], math.prod(shape[1:])))
        weights = weights.to(torch.bfloat16).to(torch.float32).reshape(shape[::-1])
        writer.add_tensor(name, weights.numpy())
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file,
                 writer.write_tensors_to_file, writer.close):
        step()


def off_by(vector, wanted, unit=None):
    """`wanted`: the norm and some numbers."""
    unit = unit or wanted["norm"] / math.sqrt(len(vector))
    return max(abs(vector[int(i)].item() - number) / unit for i, number in wanted["values"].items())


def inputs_of(sequence, n_types):
    given = {"input_ids": torch.tensor([sequence["ids"]]),
             "attention_mask": torch.ones(1, len(sequence["ids"]), dtype=torch.long)}
    return given | ({"token_type_ids": torch.tensor([sequence["types"]])} if n_types > 1 else {})


def states_off(folder, fixture):
    config = json.loads((folder / "config.json").read_text())
    kind = getattr(transformers, config["architectures"][0])
    model, info = kind.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager",
                                       output_loading_info=True)
    # A pooler that vectors don't need is the only thing that may be missing.
    left = {key: value for key, value in info.items()
            if value and any("pooler.dense" not in str(name) for name in value)}
    model = model.eval()
    base = getattr(model, model.base_model_prefix, model)
    worst = 0.0
    for sequence in fixture["sequences"]:
        given = inputs_of(sequence, config.get("type_vocab_size", 0))
        with torch.no_grad():
            states = base(**given).last_hidden_state[0].double()
            scores = model(**given).logits[0] if base is not model else []
        for state in sequence["states"]:
            worst = max(worst, off_by(states[state["position"]], state))
        assert len(scores) == len(sequence.get("scores", []))
        for found, wanted in zip(scores, sequence.get("scores", [])):
            worst = max(worst, abs(found.item() - wanted))
    return worst, left


def vectors_off(folder, fixture):
    if not (folder / "modules.json").exists():
        return 0.0
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True,
                                model_kwargs={"dtype": torch.float32,
                                              "attn_implementation": "eager"})
    n_types = json.loads((folder / "config.json").read_text()).get("type_vocab_size", 0)
    lengths = model.encode(["a text", "and another one"])  # of which one is padded
    assert len(lengths) == 2
    worst = 0.0
    for sequence in fixture["sequences"]:
        wanted = sequence["pooled"]
        with torch.no_grad():
            vector = model(inputs_of(sequence, n_types))["sentence_embedding"][0].double()
        unit = vector.norm() / math.sqrt(len(vector))
        scale = vector.norm().item() / wanted["norm"]
        wanted = {"values": {i: number * scale for i, number in wanted["values"].items()}}
        worst = max(worst, off_by(vector, wanted, unit.item()))
    return worst


def verdict(folder, fixture):
    transformers.AutoTokenizer.from_pretrained(folder)
    states, left = states_off(folder, fixture)
    vectors = vectors_off(folder, fixture)
    kind = json.loads((folder / "config.json").read_text())["architectures"][0]
    same = max(states, vectors) < TOLERANCE and not left
    return f"{'the same' if same else 'OTHERS'} as {kind}: {states:.1e} {vectors:.1e} {left or ''}"


def check(strata, work, fixture):
    lines = []
    if "config" in fixture:
        write_folder(work / "source", fixture)
        error = convert(strata, work, "source", "again", "--to", "safetensors")
        lines.append(f"of the folder {error or verdict(work / 'again', fixture)}")
        error = convert(strata, work, "source", "model.gguf")
        if error:
            return "; ".join([*lines, f"of the file {error}"])
    else:
        write_gguf(work / "model.gguf", fixture)
    error = convert(strata, work, "model.gguf", "written", "--to", "safetensors")
    return "; ".join([*lines, f"of the file {error or verdict(work / 'written', fixture)}"])
