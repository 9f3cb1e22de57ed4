#!/usr/bin/env python3
"""Every field that the types of Ollama's own Python client put into a request, each with a value
that is not its default.

    python tests/oracle/ollama_fields.py > src/api/dialect/ollama/testdata/fields.json

Needs the library pinned in requirements.txt. A field is the path that the test sends alone."""
import importlib.metadata
import json

from ollama import _types as types

ROUTES = [
    ("/api/generate", types.GenerateRequest),
    ("/api/chat", types.ChatRequest),
    ("/api/embed", types.EmbedRequest),
    ("/api/embeddings", types.EmbeddingsRequest),
]
# Where one does not follow from the field's type.
VALUES = {
    "format": "json", "keep_alive": "5m", "context": [1, 2], "images": ["aGk="], "think": True,
    "messages": [{"role": "user", "content": "other"}], "prompt": "other", "suffix": "z",
    "tools": [{"type": "function", "function": {"name": "f"}}], "system": "be brief",
    "template": "{{ messages[0].content }}", "input": "other", "stream": False, "raw": True,
    "stop": ["x"], "mirostat": 2, "penalize_newline": False, "tfs_z": 0.5, "temperature": 0.25,
    "top_p": 0.5, "typical_p": 0.5, "num_ctx": 512, "num_predict": 3, "seed": 7, "top_k": 5,
    "truncate": False, "dimensions": 2, "top_logprobs": 2,
}
MESSAGE = {"thinking": "hm", "images": ["aGk="], "tool_name": "f",
           "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}
BESIDE = {"top_logprobs": {"logprobs": True}}


def value_of(name, field):
    if name in VALUES:
        return VALUES[name]
    kind = str(field.annotation)
    return True if "bool" in kind else 0.5 if "float" in kind else 4 if "int" in kind else "text"


def rows_of(route, kind):
    for name, field in kind.model_fields.items():
        if name in ("model", "options"):
            continue
        yield {"route": route, "field": name,
               "with": {**BESIDE.get(name, {}), name: value_of(name, field)}}
    if "options" in kind.model_fields:
        for name, field in types.Options.model_fields.items():
            yield {"route": route, "field": f"options.{name}",
                   "with": {"options": {name: value_of(name, field)}}}
    if kind is types.ChatRequest:
        for name in types.Message.model_fields:
            if name in MESSAGE:
                message = {"role": "assistant", "content": "a b", name: MESSAGE[name]}
                yield {"route": route, "field": f"messages[0].{name}",
                       "with": {"messages": [message]}}


def main():
    rows = [json.dumps(row, separators=(",", ":"))
            for route, kind in ROUTES for row in rows_of(route, kind)]
    version = importlib.metadata.version("ollama")
    print(f'{{"from": "ollama {version}, python tests/oracle/ollama_fields.py",\n"fields": [')
    print(",\n".join(rows) + "]}")


if __name__ == "__main__":
    main()
