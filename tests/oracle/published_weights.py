"""Writes src/models/format/testdata/published: tiny models as torch.save, TensorFlow and Keras publish
them, each beside the same model in safetensors; and the seeds of the fuzzers of these formats.
usage: published_weights.py src/models/format/testdata
Weights are the formula of hf_models.py. Needs h5py and tensorflow-cpu on top of requirements.txt, in
an environment of their own. transformers 5 has no classes of TensorFlow any more: the Keras file is
laid out as its TFPreTrainedModel.save_pretrained did (a group for each layer, weight_names, one data
set for each), the checkpoint's variables are named as BERT's authors did."""
import ctypes
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
from importlib.metadata import version

import h5py
import numpy as np
import torch
import transformers
from safetensors.torch import save_file

from tiny import formula

LLAMA = transformers.LlamaConfig(
    vocab_size=20, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2,
    num_key_value_heads=1, max_position_embeddings=64, tie_word_embeddings=False,
    architectures=["LlamaForCausalLM"])
BERT = transformers.BertConfig(
    vocab_size=12, hidden_size=8, intermediate_size=10, num_hidden_layers=1, num_attention_heads=2,
    max_position_embeddings=9, architectures=["BertModel"])


def weights(model):
    """Of the formula, by PyTorch's names."""
    out = {}
    for name, tensor in model.state_dict().items():
        rows, cols = tensor.numel() // tensor.shape[-1], tensor.shape[-1]
        out[name] = formula(name, cols, rows).reshape(tuple(tensor.shape)).contiguous()
    return out


def with_config(folder, config):
    folder.mkdir(parents=True)
    text = config.to_json_string(use_diff=False)
    kept = {k: v for k, v in json.loads(text).items() if k in {
        "architectures", "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "num_key_value_heads", "max_position_embeddings", "rms_norm_eps",
        "layer_norm_eps", "hidden_act", "tie_word_embeddings", "type_vocab_size"}}
    (folder / "config.json").write_text(json.dumps(kept) + "\n")
    return folder


def cast(state, dtype):
    return {name: tensor.to(dtype) for name, tensor in state.items()}


def twin(folder, config, state):
    save_file({name: tensor.clone().contiguous() for name, tensor in state.items()},
              with_config(folder, config) / "model.safetensors")


def torch_cases(folder, config, state):
    """In each folder the model in one of torch.save's ways; the twin's name is its first word."""
    def case(name, value, file="pytorch_model.bin", **how):
        torch.save(value, with_config(folder / name, config) / file, **how)

    for name, dtype in (("f32", torch.float32), ("f16", torch.float16), ("bf16", torch.bfloat16)):
        twin(folder / name, config, cast(state, dtype))
        case(f"{name}_zip", cast(state, dtype))
    case("f32_legacy", state, _use_new_zipfile_serialization=False)
    case("f32_protocol_4", state, pickle_protocol=4)
    case("f32_pth", state, file="model.pth")
    case("f32_nested", {"state_dict": state, "epoch": 3, "loss": 0.5, "names": ["a", None, True]})
    case("f32_parameters", {name: torch.nn.Parameter(tensor) for name, tensor in state.items()})
    case("f32_transposed", {name: tensor.t().contiguous().t() if tensor.dim() == 2 else tensor
                            for name, tensor in state.items()})
    flat = torch.cat([tensor.flatten() for tensor in state.values()])
    views, at = {}, 0
    for name, tensor in state.items():
        views[name] = flat[at:at + tensor.numel()].view(tensor.shape)
        at += tensor.numel()
    case("f32_one_storage", views)
    case("f32_one_storage_legacy", views, _use_new_zipfile_serialization=False)
    tied = {**state, "lm_head.weight": state["model.embed_tokens.weight"]}
    twin(folder / "tied", config, tied)
    case("tied_zip", tied)
    shards(with_config(folder / "f32_sharded", config), state)


def shards(folder, state):
    names = list(state)
    weight_map = {}
    for i, part in enumerate((names[:5], names[5:])):
        file = f"pytorch_model-{i + 1:05}-of-00002.bin"
        torch.save({name: state[name] for name in part}, folder / file)
        weight_map.update({name: file for name in part})
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))


def keras_name(name, tensor):
    """Of transformers' TF classes; the layer's number as in layer_._0."""
    parts = name.split(".")
    if parts[-1] == "weight":
        if "LayerNorm" in parts:
            parts[-1] = "gamma"
        elif "word_embeddings" in parts:
            pass
        else:
            parts[-1] = "embeddings" if parts[-2].endswith("embeddings") else "kernel"
    elif "LayerNorm" in parts:
        parts[-1] = "beta"
    text = "/".join(parts).replace("layer/0", "layer_._0")
    return f"tf_bert_model/bert/{text}:0", parts[-1] == "kernel"


def keras(path, state):
    """With small nodes, so that trees of groups have levels and the file stays small: settings
    of the library that h5py does not hand on."""
    created = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    bundled = pathlib.Path(h5py.__file__).parents[1] / "h5py.libs"
    library = ctypes.CDLL(next(str(path) for path in bundled.glob("libhdf5-*")))
    library.H5Pset_sym_k(ctypes.c_int64(created.id), 1, 1)
    earliest = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    earliest.set_meta_block_size(1)
    earliest.set_libver_bounds(h5py.h5f.LIBVER_EARLIEST, h5py.h5f.LIBVER_V18)
    with h5py.File(h5py.h5f.create(str(path).encode(), h5py.h5f.ACC_TRUNC, fcpl=created,
                                   fapl=earliest)) as file:
        library.H5Fset_dset_no_attrs_hint(ctypes.c_int64(file.id.id), True)
        file.attrs["layer_names"] = [b"bert"]
        file.attrs["backend"] = "tensorflow"
        group = file.create_group("bert")
        for name, tensor in state.items():
            if name.startswith("pooler"):  # which vectors need not
                continue
            theirs, transposed = keras_name(name, tensor)
            value = tensor.numpy()
            data = group.create_dataset(theirs, value.T.shape if transposed else value.shape,
                                        dtype=value.dtype)
            data[:] = value.T if transposed else value
        group.attrs["weight_names"] = [b"of all data sets, which are not read"]


def variable_name(name):
    """Of the checkpoints that BERT's authors published."""
    parts = name.split(".")
    if parts[-1] == "weight":
        parts[-1] = ("gamma" if "LayerNorm" in parts else
                     "" if parts[-2].endswith("_embeddings") else "kernel")
    elif "LayerNorm" in parts:
        parts[-1] = "beta"
    text = "bert/" + "/".join(part for part in parts if part).replace("layer/0", "layer_0")
    return text, parts[-1] == "kernel"


def bundle(prefix, state, n_shards=1):
    """The optimizer's variables are there as well, as in those that were trained on."""
    values = {}
    for name, tensor in state.items():
        theirs, transposed = variable_name(name)
        values[theirs] = tensor.numpy().T if transposed else tensor.numpy()
        values[theirs + "/adam_m"] = np.zeros(1, np.float32)
    values["global_step"] = np.int64(7)
    write_bundle(prefix, values, n_shards)


def write_bundle(prefix, values, n_shards):
    with tempfile.TemporaryDirectory() as folder:
        arrays = pathlib.Path(folder) / "arrays.npz"
        np.savez(arrays, **values)
        script = pathlib.Path(__file__).with_name("tensor_bundle.py")
        subprocess.run([sys.executable, script, arrays, prefix, str(n_shards)], check=True)


def bert_cases(folder, config, state):
    twin(folder / "f32", config, state)
    torch.save(state, with_config(folder / "f32_zip", config) / "pytorch_model.bin")
    keras(with_config(folder / "f32_keras", config) / "tf_model.h5", state)
    bundle(with_config(folder / "f32_bundle", config) / "bert_model.ckpt", state)
    bundle(with_config(folder / "f32_bundle_of_two", config) / "model.ckpt", state, 2)


def seeds(folder):
    small = {"a.weight": torch.arange(6, dtype=torch.float32).view(2, 3)}
    for name in ("torch_fuzz", "tensor_bundle_fuzz", "hdf5_fuzz"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    place = folder / "torch_fuzz"
    torch.save(small, place / "zip")
    torch.save(small, place / "legacy", _use_new_zipfile_serialization=False)
    torch.save({"state_dict": {"a": torch.nn.Parameter(small["a.weight"].t()),
                               "b": torch.tensor([1, 2], dtype=torch.uint16)}}, place / "nested",
               pickle_protocol=4)
    with h5py.File(folder / "hdf5_fuzz" / "keras", "w", libver="earliest") as file:
        file.create_dataset("a/b/kernel:0", data=small["a.weight"].numpy())
        file.create_dataset("a/bias:0", data=np.arange(3, dtype=np.int16))
    prefix = str(folder / "tensor_bundle_fuzz" / "x")
    write_bundle(prefix, {"a/b": np.array([1, 2], np.int32),
                          "a/kernel": small["a.weight"].numpy()}, 1)
    index = pathlib.Path(prefix + ".index")
    data = pathlib.Path(prefix + ".data-00000-of-00001")
    joined = struct.pack("<I", index.stat().st_size) + index.read_bytes() + data.read_bytes()
    index.unlink()
    data.unlink()
    (folder / "tensor_bundle_fuzz" / "two_variables").write_bytes(joined)


def main():
    testdata = pathlib.Path(sys.argv[1]).resolve()
    folder = testdata / "published"
    shutil.rmtree(folder, ignore_errors=True)
    torch_cases(folder / "llama", LLAMA, weights(transformers.LlamaForCausalLM(LLAMA)))
    bert_cases(folder / "bert", BERT, weights(transformers.BertModel(BERT)))
    seeds(testdata)
    (folder / "oracle.txt").write_text(
        f"torch {torch.__version__}, transformers {transformers.__version__}, tensorflow "
        f"{version('tensorflow_cpu')}, h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}, "
        "tests/oracle/published_weights.py\n")
    for path in sorted(testdata.rglob("*")):
        if path.is_file() and path.stat().st_size > 20_000:
            sys.exit(f"{path} has {path.stat().st_size} bytes")


main()
