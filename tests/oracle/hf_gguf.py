"""What llama.cpp's converter makes of a model's folder: the values under its architecture, and each
tensor's shape (fastest first) and the first digits of the SHA-256 of its float32 numbers."""
import hashlib
import logging
import pathlib
import sys
import tempfile

SOURCE = pathlib.Path.home() / ".cache/strata/peers/source/llama.cpp"
CONVERTER = "llama.cpp b11434, convert_hf_to_gguf.py"
DIGITS = 8

# Before anything imports the released gguf, which is older than the converter needs.
sys.path[:0] = [str(SOURCE), str(SOURCE / "gguf-py")]
import gguf  # noqa: E402


def write_gguf(folder, path, vocab_size=None):
    """None when the converter does not know the model's class. `vocab_size`: what its file lacks
    without a tokenizer."""
    logging.disable(logging.WARNING)
    import conversion
    settings = conversion.ModelBase.load_hparams(folder, False)
    name = conversion.get_model_architecture(settings, conversion.ModelType.TEXT)
    try:
        kind = conversion.get_model_class(name)
    except NotImplementedError:
        return None
    model = kind(folder, gguf.LlamaFileType.ALL_F32, path, eager=True)

    def no_vocab():
        model.gguf_writer.add_tokenizer_model("no_vocab")
        if vocab_size:
            model.gguf_writer.add_vocab_size(vocab_size)

    model.set_vocab = no_vocab
    model.write()
    return path


def value_of(field):
    if field.types[0].name == "ARRAY":
        kind = bool if field.types[-1].name == "BOOL" else lambda x: x
        return [kind(field.parts[i].tolist()[0]) for i in field.data]
    if field.types[0].name == "STRING":
        return bytes(field.parts[field.data[0]]).decode()
    value = field.parts[field.data[0]].tolist()[0]
    return bool(value) if field.types[0].name == "BOOL" else value


def converted(folder):
    with tempfile.TemporaryDirectory() as place:
        path = write_gguf(folder, pathlib.Path(place) / "model.gguf")
        return path and contents(path)


def contents(path):
    reader = gguf.GGUFReader(path)
    values = {key: value_of(field) for key, field in reader.fields.items()}
    architecture = values["general.architecture"]
    tensors = {}
    for tensor in reader.tensors:
        assert tensor.tensor_type.name == "F32", tensor.name
        digits = hashlib.sha256(tensor.data.tobytes()).hexdigest()[:DIGITS]
        if tensor.name.endswith(".ssm_a"):  # an exponential, whose last bit libraries round each
            digits = ""                     # in their own way
        tensors[tensor.name] = [*(int(n) for n in tensor.shape), digits]
    return {"oracle": CONVERTER, "tensors": tensors,
            "metadata": {key: value for key, value in values.items()
                         if key == "general.architecture" or key.startswith(architecture + ".")}}
