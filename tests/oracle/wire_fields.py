#!/usr/bin/env python3
"""The fields that a client library's types say a request may have, each with a request that has it
and one that has not: what src/api/testing/field_walk.h sends.

    python tests/oracle/wire_fields.py openai src/api/dialect/openai/testdata/fields
    (responses, ollama, huggingface: the folders of those dialects)

Needs the libraries pinned in requirements.txt. A field is a path: `tools[function].function.name`
is the name of the function of that kind of tool. Values are made up from the types; where a type
does not say enough, VALUES has one that makes sense."""
import dataclasses
import importlib
import importlib.metadata
import json
import pathlib
import sys
import types
import typing

import typing_extensions

MISSING = object()
MAX_DEPTH = 9
TOOLS = [{"type": "function", "function": {"name": "f"}}]
RESPONSE_TOOLS = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}

# Made-up texts and numbers go by the field's last name.
VALUES = {
    "name": "f", "arguments": "{}", "logit_bias": {"5": 10}, "stop": ["x"], "seed": 7, "n": 2,
    "best_of": 2, "top_logprobs": 2, "logprobs": True, "schema": {"type": "object"},
    "parameters": {"type": "object"}, "metadata": {"k": "v"}, "modalities": ["audio", "text"],
    "description": "words", "max_tokens": 3, "max_completion_tokens": 3, "dimensions": 1,
    "encoding_format": "base64", "tool_calls": [CALL], "parallel_tool_calls": False,
    "suffix": "z", "reasoning_effort": "low", "tool_call_id": "c", "model": "m2", "tools": TOOLS,
    "stream_options": {"include_usage": True}, "service_tier": "flex",
}

# Of Responses' items, parts and tools the kinds that are walked: the others are pictures, sounds and tools
# that run at OpenAI, which are refused by their kind, as tests of their own see to. Walked they would be
# three quarters of the list.
KINDS = {"user", "assistant", "input_text", "output_text", "refusal", "function", "function_call",
         "function_call_output", "reasoning", "item_reference", "text", "json_object",
         "json_schema", "allowed_tools", "input_image", "input_file",
         "ResponseConversationParamParam"}
# Of Ollama's options those that ask for what is so anyway, or that are met: with other values they are told.
OLLAMA = {"f16_kv": True, "use_mmap": True, "num_ctx": 64, "tfs_z": 1.0, "mirostat": 2, "main_gpu": 0,
          "num_gpu": 0, "keep_alive": 60, "format": "json", "context": [1, 2], "think": False,
          "template": "{{ messages[0].content }}", "role": "user", "type": "function", "images": ["AAAA"],
          "function": {"name": "f", "parameters": {"type": "object"}}, "num_predict": 3, "top_logprobs": 2,
          "tools": [{"type": "function", "function": {"name": "f"}}],
          "messages": [{"role": "user", "content": "x y"}], "truncate": True, "penalize_newline": True, "arguments": {},
          "tool_calls": [{"function": {"name": "f", "arguments": {}}}],
          "ToolCall.function": {"name": "f", "arguments": {}},
          **{name: False for name in ("embedding_only", "logits_all", "low_vram", "numa", "use_mlock",
                                      "vocab_only")}}
# Fields that a type calls optional and no request can do without.
NEEDED = {"FunctionCallOutput": {"call_id": "c"}, "Function": {"name": "f"}, "Message": {"content": "x"},
          "Tool": {"function": {"name": "f"}}, "ResponsePromptParam": {"variables": {"tone": "loud"}},
          "TextGenerationInputGenerateParameters": {"details": True}}
RESPONSES = {
    "library": "openai", "route": "/v1/responses",
    "type": ("openai.types.responses.response_create_params", "ResponseCreateParamsStreaming"),
    "base": {"model": "m", "input": "a b c"}, "kinds": KINDS,
    "values": {"annotations": [], "summary": [], "arguments": "{}", "include": ["reasoning.encrypted_content"],
               "top_logprobs": 2, "context_management": [{"type": "compaction"}], "tools": RESPONSE_TOOLS,
               "conversation": "conv_none", "previous_response_id": "resp_none",
               "allowed_callers": ["direct"], "async": False, "defer_loading": False,
               "stream_options": {"include_obfuscation": False}, "include_obfuscation": False, "prompt_cache_retention": "in_memory",
               "Reasoning.summary": "auto", "variables": {"tone": "loud"}, "version": "1", "caller": {"type": "direct"}}}
# What only the server that wrote it can read.
SEALED = "encrypted_content"

LIBRARIES = {
    "responses": [
        {**RESPONSES, "file": "input", "only": "input"},
        {**RESPONSES, "file": "request", "but": "input",
         "tops": {"background": True, "stream": True, "truncation": "auto", "text.verbosity": {"verbosity": "low"}},
         "beside": {"stream_options": {"stream": True}, "tool_choice": {"tools": RESPONSE_TOOLS},
                    "parallel_tool_calls": {"tools": RESPONSE_TOOLS}}},
    ],
    "ollama": [
        {"file": "chat", "route": "/api/chat", "type": ("ollama._types", "ChatRequest"),
         "base": {"model": "m", "messages": [{"role": "user", "content": "a b c"}], "stream": False},
         "values": OLLAMA, "tops": {"stream": True}, "beside": {"top_logprobs": {"logprobs": True}}},
        {"file": "generate", "route": "/api/generate", "type": ("ollama._types", "GenerateRequest"),
         "base": {"model": "m", "prompt": "a b c", "stream": False},
         "values": OLLAMA, "tops": {"stream": True}, "beside": {"top_logprobs": {"logprobs": True}}},
        {"file": "embed", "route": "/api/embed", "type": ("ollama._types", "EmbedRequest"),
         # Its options are those of chat, which say how to draw; of vectors nothing is drawn.
         "base": {"model": "m", "input": "a"}, "values": OLLAMA, "but": "options"},
    ],
    "huggingface": [
        {"file": "generate", "library": "huggingface_hub", "route": "/models/m",
         "type": ("huggingface_hub.inference._generated.types", "TextGenerationInput"),
         "base": {"inputs": "a b c"},
         "values": {"parameters": {"max_new_tokens": 2}, "do_sample": False, "value": "[ab]+",
                    "TextGenerationInputGrammarType.type": "regex", "grammar": {"type": "regex", "value": "[ab]+"}, "stream": True, "truncate": 2}},
    ],
    "openai": [
        {"file": "messages", "only": "messages", "route": "/v1/chat/completions",
         "type": ("openai.types.chat.completion_create_params", "CompletionCreateParamsStreaming"),
         "base": {"model": "m", "messages": [{"role": "user", "content": "a b c"}]}},
        {"file": "chat", "but": "messages", "route": "/v1/chat/completions",
         "type": ("openai.types.chat.completion_create_params", "CompletionCreateParamsStreaming"),
         "base": {"model": "m", "messages": [{"role": "user", "content": "a b c"}]},
         "tops": {"function_call": "none"},
         "beside": {"top_logprobs": {"logprobs": True}, "stream_options": {"stream": True},
                    "tool_choice": {"tools": TOOLS}, "parallel_tool_calls": {"tools": TOOLS},
                    "function_call": {"functions": [{"name": "f"}]}}},
        {"file": "completions", "route": "/v1/completions",
         "type": ("openai.types.completion_create_params", "CompletionCreateParamsStreaming"),
         "base": {"model": "m", "prompt": "a b c"},
         "values": {"logprobs": 2},
         "beside": {"stream_options": {"stream": True}}},
        {"file": "embeddings", "route": "/v1/embeddings",
         "type": ("openai.types.embedding_create_params", "EmbeddingCreateParams"),
         "base": {"model": "m", "input": "a"}},
    ],
}


def bare(kind):
    """Without Required, Annotated and None; and whether the field must be there."""
    required = False
    while True:
        origin = typing.get_origin(kind)
        if origin in (typing.Required, typing_extensions.Required):
            required, kind = True, typing.get_args(kind)[0]
        elif origin in (typing.NotRequired, typing_extensions.NotRequired, typing.Annotated):
            kind = typing.get_args(kind)[0]
        else:
            return kind, required


def is_union(kind):
    return typing.get_origin(kind) in (typing.Union, types.UnionType)


def members(kind):
    """The alternatives of a type, unions in unions flattened."""
    kind, _ = bare(kind)
    if not is_union(kind):
        return [kind]
    return [each for part in typing.get_args(kind) for each in members(part)
            if each is not type(None)]


def is_dict(kind):
    """A type with named fields: a TypedDict, a pydantic model, a dataclass."""
    return isinstance(kind, type) and (typing_extensions.is_typeddict(kind) or hasattr(kind, "model_fields")
                                       or dataclasses.is_dataclass(kind))


def fields_of(kind):
    if hasattr(kind, "model_fields"):
        for name, field in kind.model_fields.items():
            yield name, field.annotation, field.is_required()
        return
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        for field in dataclasses.fields(kind):
            yield field.name, bare(hints[field.name])[0], field.default is dataclasses.MISSING
        return
    hints = typing_extensions.get_type_hints(kind, include_extras=True)
    for name, hint in hints.items():
        inner, required = bare(hint)
        yield name, inner, required or name in getattr(kind, "__required_keys__", ())


def item_of(kind):
    origin = typing.get_origin(kind)
    is_list = origin is not None and getattr(origin, "__name__", "") in (
        "list", "Iterable", "Sequence", "SequenceNotStr")
    return typing.get_args(kind)[0] if is_list else None


def label(kind):
    """What tells this alternative from the others: its type, its role, its only field."""
    for name, inner, _ in fields_of(kind):
        if name in ("type", "role") and typing.get_origin(inner) is typing.Literal:
            return typing.get_args(inner)[0]
    return kind.__name__


class Maker:
    def __init__(self, values, kinds=None):
        self.values = {**VALUES, **values}
        self.kinds = kinds  # of unions those that are walked; None: all

    def sample(self, kind, name="", depth=0, owner=""):
        """A small value of the type, of the field `name` of the type `owner`."""
        if f"{owner}.{name}" in self.values:
            return self.values[f"{owner}.{name}"]
        if name in self.values:
            return self.values[name]
        options = members(kind)
        plain = [each for each in options if not is_dict(each)]
        kind = (plain or options)[0]
        if is_dict(kind):
            return {**NEEDED.get(kind.__name__, {}), **{each: self.sample(inner, each, depth + 1, kind.__name__)
                    for each, inner, required in fields_of(kind) if required}}
        if typing.get_origin(kind) is typing.Literal:
            return typing.get_args(kind)[-1]
        item = item_of(kind)
        if item is not None:
            return [self.sample(item, "", depth + 1)]
        if typing.get_origin(kind) is dict:
            return {}
        return {str: "text", int: 1, float: 0.5, bool: True}.get(kind, {})

    def walk(self, kind, path, depth=0):
        """(path, its type's and its own name, value with the field, value without it or MISSING)
        of all fields below."""
        if depth > MAX_DEPTH:
            return
        options = members(kind)
        dicts = [each for each in options if is_dict(each)]
        if self.kinds is not None and len(dicts) > 1:
            dicts = [each for each in dicts if label(each) in self.kinds]
        for each in options:
            item = item_of(each)
            if item is not None:
                for where, of, have, lack in self.walk(item, path, depth + 1):
                    yield where, of, [have], MISSING if lack is MISSING else [lack]
        for each in dicts:
            where = f"{path}[{label(each)}]" if len(dicts) > 1 or len(options) > 1 else path
            if where != path:
                yield where, each.__name__, self.sample(each), MISSING
            yield from self.walk_dict(each, where, depth)

    def walk_dict(self, kind, path, depth):
        base = self.sample(kind)
        for name, inner, required in fields_of(kind):
            if name in ("type", "role") and typing.get_origin(inner) is typing.Literal:
                continue
            where = f"{path}.{name}" if path else name
            rest = {key: value for key, value in base.items() if key != name}
            yield (where, f"{kind.__name__}.{name}", {**rest, name: self.sample(inner, name, 0, kind.__name__)},
                   MISSING if required else rest)
            for below, of, have, lack in self.walk(inner, where, depth + 1):
                without = {**rest, name: lack}
                if lack is MISSING:
                    without = MISSING if required else rest
                yield below, of, {**rest, name: have}, without


def operation(spec):
    module, name = spec["type"]
    maker = Maker(spec.get("values", {}), spec.get("kinds"))
    fields = {}
    kind = getattr(importlib.import_module(module), name)
    for path, of, have, lack in maker.walk_dict(kind, "", 0):
        top = path.replace("[", ".").split(".")[0]
        if top == spec.get("but") or top != spec.get("only", top) or path.endswith("." + SEALED):
            continue
        beside = spec.get("beside", {}).get(top, {})
        lack = {} if lack is MISSING else {key: value for key, value in lack.items() if key == top}
        value = spec.get("tops", {}).get(path, have[top])
        row = {"field": path, "with": {**beside, top: value}}
        if beside or lack:
            row["without"] = {**beside, **lack}
        fields.setdefault(of, row)  # a type that stands in several places is looked at in one
    return {"route": spec["route"], "base": spec["base"], "fields": list(fields.values())}


def main():
    library, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    for spec in LIBRARIES[library]:
        source = spec.get("library", library)
        version = importlib.metadata.version(source)
        made = operation(spec)
        rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in made["fields"])
        (folder / f"{spec['file']}.json").write_text(
            f'{{"from": "{source} {version}, python tests/oracle/wire_fields.py {library}",\n'
            f'"route": {json.dumps(made["route"])},\n"base": {json.dumps(made["base"])},\n'
            f'"fields": [\n{rows}]}}\n')


if __name__ == "__main__":
    main()
