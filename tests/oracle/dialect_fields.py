#!/usr/bin/env python3
"""The request fields that Anthropic's and Google's own Python packages know, by path: what the tests of
the two dialects send one by one.

    python tests/oracle/dialect_fields.py anthropic > src/api/dialect/anthropic/testdata/fields.json
    python tests/oracle/dialect_fields.py gemini > src/api/dialect/gemini/testdata/fields.json

anthropic: 0.125.0, the last one with temperature, top_k and top_p, and 2.14.0 (the fields of both; run it
with each and give the first one's output as a second argument). gemini: google-genai 3.6.1.

Blocks, parts and tools of a kind that is not in KINDS are not walked: images, sounds and files, and tools
that run at Anthropic or Google. They are refused by their kind, which tests of their own see to. What a
package says is not for the Gemini API (but for Vertex) is left out."""
import importlib.metadata
import inspect
import json
import re
import sys
import typing

import typing_extensions

# Of a union of blocks the `type`s that are walked.
KINDS = {"text", "document", "search_result", "thinking", "redacted_thinking", "tool_use", "tool_result",
         "custom", "content", "ephemeral", "enabled", "adaptive", "disabled", "auto", "any", "tool", "none",
         "json_schema", "user", "assistant", "system", "direct"}
# Of Google's types the fields that are kinds of parts and tools.
OTHER_KINDS = {
    "Part": {"code_execution_result", "executable_code", "file_data", "inline_data", "tool_call",
             "tool_response", "audio_transcription", "video_metadata", "media_resolution",
             "media_processing", "speech_metadata", "document_metadata", "spreadsheet_metadata",
             "audio_metadata"},
    "Tool": {"retrieval", "computer_use", "file_search", "google_search", "google_maps", "code_execution",
             "enterprise_web_search", "google_search_retrieval", "parallel_ai_search", "url_context",
             "mcp_servers", "exa_ai_search"},
}
# Google's types whose fields are walked: what others hold is refused or honoured as one.
WALKED = {"Part", "FunctionCall", "FunctionResponse", "FunctionDeclaration", "FunctionCallingConfig"}


def parts(kind):
    """The types that a field's type is made of: members of unions, items of lists."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal or origin is dict:
        return
    if arguments:
        for each in arguments:
            yield from parts(each)
    else:
        yield kind


def kind_of(block):
    for name in ("type", "role"):
        hint = typing.get_type_hints(block).get(name)
        for each in [hint, *typing.get_args(hint)]:
            if typing.get_origin(each) is typing.Literal:
                return typing.get_args(each)[0]
    return None


def is_block(kind):
    return isinstance(kind, type) and typing_extensions.is_typeddict(kind)


def walk_typed_dict(kind, path, seen, out):
    for name, hint in typing.get_type_hints(kind).items():
        where = f"{path}{name}"
        out.add(where)
        for each in parts(hint):
            if not is_block(each) or each in seen:
                continue
            tag = kind_of(each)
            if tag is not None and tag not in KINDS:
                continue
            walk_typed_dict(each, f"{where}[{tag}]." if tag else f"{where}.", seen | {each}, out)


def anthropic():
    from anthropic.types.message_create_params import MessageCreateParamsStreaming
    out = set()
    walk_typed_dict(MessageCreateParamsStreaming, "", frozenset(), out)
    # The same block is met in many places: its fields count once.
    short = set()
    for path in out:
        head, bracket, rest = path.rpartition("[")
        short.add(f"[{rest}" if bracket and head.startswith(("messages", "system")) else path)
    return short


def camel(name):
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)


def walk_model(kind, path, seen, out):
    for name, field in kind.model_fields.items():
        text = (field.description or "").lower()
        if "not supported in gemini api" in text or name in OTHER_KINDS.get(kind.__name__, ()):
            continue
        where = path + (field.alias or camel(name))
        out.add(where)
        for each in parts(field.annotation):
            if getattr(each, "__name__", "") in WALKED and each not in seen:
                seen.add(each)
                walk_model(each, where + ".", seen, out)


def sent_by(converter, target):
    """The keys that the package's converter of a config for the Gemini API writes into `target`."""
    found = re.findall(target + r",\s*\[\s*'(\w+)'\s*\]", inspect.getsource(converter))
    return set(found)


def gemini():
    from google.genai import models, types
    converter = models._GenerateContentConfig_to_mldev
    out = {"contents", "generationConfig"} | sent_by(converter, "parent_object")
    config = sent_by(converter, "to_object")
    out |= {f"generationConfig.{name}" for name in config}
    seen = set()
    walk_model(types.ThinkingConfig, "generationConfig.thinkingConfig.", seen, out)
    walk_model(types.Schema, "generationConfig.responseSchema.", seen, out)
    for prefix, kind in [("contents[].", types.Content), ("tools[].", types.Tool),
                         ("toolConfig.", types.ToolConfig)]:
        seen.add(types.Schema)
        walk_model(kind, prefix, seen, out)
    return out


def main():
    which = sys.argv[1]
    package = {"anthropic": "anthropic", "gemini": "google-genai"}[which]
    fields = {"anthropic": anthropic, "gemini": gemini}[which]()
    source = f"{package} {importlib.metadata.version(package)}"
    if len(sys.argv) > 2:
        with open(sys.argv[2], encoding="utf-8") as file:
            other = json.load(file)
        fields |= set(other["fields"])
        source = f"{other['from'].split(',')[0]} and {importlib.metadata.version(package)}"
    rows = ",\n".join("    " + json.dumps(each) for each in sorted(fields))
    print(f'{{"from": "{source}, tests/oracle/dialect_fields.py {which}",\n  "fields": [\n{rows}]}}')


if __name__ == "__main__":
    main()
