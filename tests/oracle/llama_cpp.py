"""llama.cpp's library as an oracle: logits and tokens of a GGUF file. The module of PyPI's `xllamacpp`
holds the whole library; what is declared here is its llama.h, as far as it is used."""
import ctypes
import importlib.util
import json
import os
import subprocess
import sys
from ctypes import POINTER, c_bool, c_char, c_char_p, c_float, c_int8, c_int32, c_uint32, c_void_p

import numpy as np

LOG_ERROR, TYPE_F32, FLASH_OFF = 4, 0, 0


class ModelParams(ctypes.Structure):
    _fields_ = [("pointers", c_void_p * 2), ("numbers", c_int32 * 5), ("more", c_void_p * 4),
                ("vocab_only", c_bool), ("flags", c_bool * 5), ("room", c_char * 64)]


class ContextParams(ctypes.Structure):
    _fields_ = [("n_ctx", c_uint32), ("n_batch", c_uint32), ("n_ubatch", c_uint32),
                ("counts", c_uint32 * 4), ("n_threads", c_int32), ("n_threads_batch", c_int32),
                ("kinds", c_int32 * 4), ("flash_attention", c_int32), ("rope", c_float * 6),
                ("yarn_first", c_uint32), ("defrag", c_float), ("callback", c_void_p * 2),
                ("type_k", c_int32), ("type_v", c_int32), ("room", c_char * 128)]


class Batch(ctypes.Structure):
    _fields_ = [("n_tokens", c_int32), ("token", POINTER(c_int32)), ("embd", c_void_p),
                ("pos", POINTER(c_int32)), ("n_seq_id", POINTER(c_int32)),
                ("seq_id", POINTER(POINTER(c_int32))), ("logits", POINTER(c_int8))]


def _library():
    lib = ctypes.CDLL(importlib.util.find_spec("xllamacpp.xllamacpp").origin)
    for name, result, arguments in [
            ("llama_model_default_params", ModelParams, []),
            ("llama_context_default_params", ContextParams, []),
            ("llama_model_load_from_file", c_void_p, [c_char_p, ModelParams]),
            ("llama_model_free", None, [c_void_p]),
            ("llama_init_from_model", c_void_p, [c_void_p, ContextParams]),
            ("llama_free", None, [c_void_p]),
            ("llama_model_get_vocab", c_void_p, [c_void_p]),
            ("llama_vocab_n_tokens", c_int32, [c_void_p]),
            ("llama_vocab_bos", c_int32, [c_void_p]),
            ("llama_vocab_eos", c_int32, [c_void_p]),
            ("llama_tokenize", c_int32, [c_void_p, c_char_p, c_int32, POINTER(c_int32), c_int32,
                                         c_bool, c_bool]),
            ("llama_batch_init", Batch, [c_int32, c_int32, c_int32]),
            ("llama_batch_free", None, [Batch]),
            ("llama_encode", c_int32, [c_void_p, Batch]),
            ("llama_decode", c_int32, [c_void_p, Batch]),
            ("llama_get_logits", POINTER(c_float), [c_void_p]),
            ("llama_backend_init", None, [])]:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    params = lib.llama_context_default_params()  # whose known values tell whether the header is this one
    assert (params.n_ctx, params.type_k, params.defrag) == (512, 1, -1.0), "llama.h has changed"
    return lib


_errors = []


@ctypes.CFUNCTYPE(None, c_int32, c_char_p, c_void_p)
def _keep_errors(level, text, _):
    if level == LOG_ERROR:
        _errors.append(text.decode(errors="replace").strip())


lib = _library()
lib.llama_log_set(_keep_errors, None)
lib.llama_backend_init()


class Refused(Exception):
    def __init__(self, what):
        super().__init__(f"{what}: {'; '.join(_errors)[:400]}")
        _errors.clear()


class Model:
    """`with Model(path) as model`"""

    def __init__(self, path, vocab_only=False):
        params = lib.llama_model_default_params()
        params.vocab_only = vocab_only
        self.model = lib.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            raise Refused("llama.cpp does not load it")
        self.vocab = lib.llama_model_get_vocab(self.model)
        self.n_vocab = lib.llama_vocab_n_tokens(self.vocab)
        self.bos, self.eos = lib.llama_vocab_bos(self.vocab), lib.llama_vocab_eos(self.vocab)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        lib.llama_model_free(self.model)

    def encode(self, text, special=False, whole=False):
        """Ids of a text; `special`: those of control tokens where it spells them; `whole`: with what the
        vocabulary puts around a text."""
        raw = text.encode()
        n = len(raw) + 16
        while True:
            room = (c_int32 * n)()
            size = lib.llama_tokenize(self.vocab, raw, len(raw), room, n, whole, special)
            if size >= 0:
                return room[:size]
            n = -size

    def logits(self, ids, source=None):
        """[tokens, vocabulary], with keys and values in float32. `source`: what the encoder reads."""
        params = lib.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = max(len(ids), len(source or []), 32)
        params.n_threads = params.n_threads_batch = 2
        params.type_k = params.type_v = TYPE_F32
        params.flash_attention = FLASH_OFF
        context = lib.llama_init_from_model(self.model, params)
        if not context:
            raise Refused("llama.cpp makes no context")
        try:
            if source:
                _run(lib.llama_encode, context, source)
            _run(lib.llama_decode, context, ids)
            numbers = np.ctypeslib.as_array(lib.llama_get_logits(context), (len(ids), self.n_vocab))
            return numbers.astype(np.float64)
        finally:
            lib.llama_free(context)


def _run(step, context, ids):
    batch = lib.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for i, token in enumerate(ids):
        batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, i, 1
        batch.seq_id[i][0], batch.logits[i] = 0, 1
    code = step(context, batch)
    lib.llama_batch_free(batch)
    if code != 0:
        raise Refused(f"llama.cpp does not run it ({code})")


def logits_of(path, texts):
    """[tokens, vocabulary] for each {"ids", "source"?}, by a process of its own: what llama.cpp does not
    expect it may end with abort()."""
    asked = json.dumps({"path": str(path), "texts": [{key: text[key] for key in ("ids", "source")
                                                      if text.get(key)} for text in texts]})
    done = subprocess.run([sys.executable, __file__], input=asked.encode(), capture_output=True,
                          env={**os.environ, "GGML_NO_BACKTRACE": "1"})
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise Refused(said[-1] if said else f"ended with {done.returncode}")
    flat, at, out = np.frombuffer(done.stdout), 0, []
    width = len(flat) // sum(len(text["ids"]) for text in texts)
    for text in texts:
        size = len(text["ids"]) * width
        out.append(flat[at:at + size].reshape(-1, width))
        at += size
    return out


def main():
    asked = json.load(sys.stdin)
    try:
        with Model(asked["path"]) as model:
            for text in asked["texts"]:
                sys.stdout.buffer.write(model.logits(**text).tobytes())
    except Refused as refused:
        sys.exit(str(refused))


if __name__ == "__main__":
    main()
