"""A tiny model of transformers and the same one as GGUF's tensors, with weights of the formula
(src/models/testing/formula_model.h), and what a fixture keeps of its answers."""
import math
from importlib.metadata import version

import numpy as np
import torch

from formula import formula_weights

N_LOGITS = 12  # of each answer that the fixture keeps, beside sum and norm over all


def formula(name, cols, rows=1):
    weights = torch.from_numpy(formula_weights(name, cols, rows)).to(torch.bfloat16).to(torch.float32)
    return weights.reshape(rows, cols) if rows > 1 else weights


class Tiny:
    """One model: GGUF metadata and tensors on one side, a transformers model on the other."""

    def __init__(self, name, architecture, config, model, metadata):
        self.name, self.config = name, config
        self.metadata = {"general.architecture": architecture, "general.name": name}
        self.metadata.update({f"{architecture}.{k}": v for k, v in metadata.items()})
        self.tensors, self.values = {}, {}
        torch.manual_seed(0)
        # The plain loop over experts: the others ask for widths that are a multiple of four.
        config._experts_implementation = "eager"
        self.model = model(config).to(torch.float32).eval()
        self.state = dict(self.model.named_parameters())
        self.left = set(self.state)
        self.state.update(self.model.named_buffers())

    def tensor(self, gguf_name, *shape):
        """Adds a tensor of the file and returns its values; shape as torch has it."""
        values = formula(gguf_name, shape[-1], math.prod(shape[:-1])).reshape(shape)
        self.tensors[gguf_name] = list(reversed(shape))
        self.values[gguf_name] = values
        return values

    def fill(self, hf_name, values):
        with torch.no_grad():
            self.state[hf_name].copy_(values)
        self.left.discard(hf_name)

    def put(self, gguf_name, hf_name, transform=None):
        """Fills the parameter hf_name; transform goes from GGUF layout to the parameter's."""
        shape = [n for n in self.state[hf_name].shape if n > 1]
        values = self.tensor(gguf_name, *shape)
        self.fill(hf_name, transform(values) if transform else values)

    def check_all_filled(self):
        left = {name for name in self.left
                if not (name == "lm_head.weight" and self.config.tie_word_embeddings)}
        assert not left, f"{self.name}: not filled: {left}"


def token_ids(name, n, n_vocab):
    return [int(x) for x in (np.abs(formula(f"ids of {name}", n).numpy()) * 7919 % n_vocab)]


def all_logits(tiny, ids):
    with torch.no_grad():
        return tiny.model(torch.tensor([ids]), use_cache=False).logits[0].to(torch.float64)


def watch_experts(tiny):
    """A list that each forward fills with the chosen experts, [rows x used], of each layer."""
    chosen = []
    for module in tiny.model.modules():
        if type(module).__name__.lower().endswith("topkrouter"):
            module.register_forward_hook(
                lambda _module, _inputs, output: chosen.append(output[2].sort(-1).values))
        elif type(module).__name__ == "Llama4Router":
            module.register_forward_hook(lambda module, _inputs, output: chosen.append(
                output[1].topk(module.top_k).indices.sort(-1).values))
    return chosen


def answers(logits, positions, chosen):
    out = []
    for position in positions:
        row = logits[position]
        kept = [(position * 13 + 7 * i) % len(row) for i in range(N_LOGITS)]
        out.append({"position": position, "norm": float(f"{row.norm():.8g}"),
                    "logits": {str(i): float(f"{row[i]:.8g}") for i in kept}})
        if chosen:
            out[-1]["experts"] = [layer[position].tolist() for layer in chosen]
    return out


def describe(tiny):
    tiny.check_all_filled()
    c = tiny.config
    sequences = []
    chosen = watch_experts(tiny)
    for length in (3, 11, 26):
        ids = token_ids(f"{tiny.name}/{length}", length, c.vocab_size)
        chosen.clear()
        logits = all_logits(tiny, ids)
        positions = sorted({0, length // 2, length - 2, length - 1})
        sequences.append({"ids": ids, "answers": answers(logits, positions, chosen)})
    return {"oracle": f"transformers {version('transformers')}, torch {version('torch')}, "
                      "tests/oracle/tiny_models.py",
            "metadata": tiny.metadata, "tensors": tiny.tensors, "sequences": sequences}


def write_gguf(tiny, folder):
    import gguf
    writer = gguf.GGUFWriter(folder / f"tiny_{tiny.name}.gguf",
                             tiny.metadata["general.architecture"])
    for key, value in tiny.metadata.items():
        if key == "general.architecture":
            continue
        add = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32,
               str: writer.add_string, list: writer.add_array}[type(value)]
        add(key, value)
    writer.add_tokenizer_model("no_vocab")
    for name, values in tiny.values.items():
        writer.add_tensor(name, values.numpy())
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file,
                 writer.write_tensors_to_file, writer.close):
        step()
