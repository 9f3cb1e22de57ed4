"""OpenAI's Python client with strict parsing over every operation of its interface that is served,
streamed and not, at a server whose model thinks and calls by rules."""
import argparse
import json
import pathlib
import sys
import tempfile
import time

import openai

from checks import check, failures
from served import ROOT, Served

SCRIPT = {"models": [{"name": "m", "rules": [
    {"contains": "weather", "reasoning": "Two towns.", "calls": [
        {"name": "get_weather", "arguments": {"town": "Oslo"}},
        {"name": "get_weather", "arguments": {"town": "Bern"}}]},
    {"contains": "think", "reasoning": "Let me see.", "reply": "Done."},
    {"contains": "json", "reply": "{\"answer\": 42}"}]},
    {"name": "slow", "tokens_per_second": 40}]}
WEATHER = {"type": "function", "function": {
    "name": "get_weather", "strict": True,
    "parameters": {"type": "object", "properties": {"town": {"type": "string"}},
                   "required": ["town"], "additionalProperties": False}}}


def asks(text):
    return {"model": "m", "messages": [{"role": "user", "content": text}]}


def chat(client):
    made = client.chat.completions.create(**asks("a b c"), n=2, logprobs=True, top_logprobs=2)
    check([each.message.content for each in made.choices] == ["a b c"] * 2, "chat: two choices")
    entry = made.choices[0].logprobs.content[0]
    check(bytes(entry.bytes).decode() == entry.token and len(entry.top_logprobs) == 2,
          "chat: logprobs with bytes")
    thought = client.chat.completions.create(**asks("think"), reasoning_effort="low")
    check(thought.choices[0].message.reasoning_content == "Let me see.", "chat: reasoning")
    check(thought.usage.completion_tokens_details.reasoning_tokens > 0, "chat: reasoning tokens")
    with client.chat.completions.stream(**asks("think")) as stream:
        final = stream.get_final_completion()
    check(final.choices[0].message.content == "Done.", "chat: a stream that the client joins")


def tools(client):
    made = client.chat.completions.create(**asks("weather"), tools=[WEATHER], tool_choice="required")
    calls = made.choices[0].message.tool_calls
    check([json.loads(each.function.arguments)["town"] for each in calls] == ["Oslo", "Bern"],
          "tools: two calls")
    check(made.choices[0].message.content is None
          and made.choices[0].finish_reason == "tool_calls", "tools: no text")
    with client.chat.completions.stream(**asks("weather"), tools=[WEATHER]) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    check("tool_calls.function.arguments.done" in kinds, f"tools: events {sorted(kinds)}")
    check([each.function.parsed_arguments["town"] for each in final.choices[0].message.tool_calls]
          == ["Oslo", "Bern"], "tools: streamed calls join")
    history = [*asks("weather")["messages"], made.choices[0].message,
               *({"role": "tool", "tool_call_id": each.id, "content": "rain"} for each in calls)]
    after = client.chat.completions.create(model="m", messages=history, tools=[WEATHER])
    check(after.choices[0].message.content == "rain", "tools: the answer goes back as it came")


def formats(client):
    schema = {"name": "n", "strict": True, "schema": {"type": "object"}}
    made = client.chat.completions.create(
        **asks("json"), response_format={"type": "json_schema", "json_schema": schema})
    check(json.loads(made.choices[0].message.content) == {"answer": 42}, "formats: a schema")


def completions(client):
    # Its types have no null where the service has one: a chunk that ends nothing, an echo's start.
    client = client.with_options(_extra_kwargs={"_strict_response_validation": False})
    whole = client.completions.create(model="m", prompt=["a b", "c"], echo=True, logprobs=1)
    texts = [""] * 2
    for event in client.completions.create(model="m", prompt=["a b", "c"], echo=True, logprobs=1,
                                           stream=True):
        for choice in event.choices:
            texts[choice.index] += choice.text
    check(texts == [each.text for each in whole.choices], f"completions: two prompts, {texts}")
    check(len(client.completions.create(model="m", prompt="a", n=2, best_of=4).choices) == 2,
          "completions: the best two")


def batches(client):
    lines = [{"custom_id": f"id{i}", "method": "POST", "url": "/v1/chat/completions",
              "body": asks(f"text {i}")} for i in range(20)]
    content = "\n".join(json.dumps(each) for each in lines).encode()
    file = client.files.create(file=("in.jsonl", content), purpose="batch")
    check(client.files.retrieve(file.id) == file, "files: retrieve")
    check([each.id for each in client.files.list(purpose="batch")] == [file.id], "files: list")
    check(client.files.content(file.id).read() == content, "files: content")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions",
                                  completion_window="24h", metadata={"k": "v"})
    until = time.monotonic() + 60
    while batch.status not in ("completed", "failed") and time.monotonic() < until:
        batch = client.batches.retrieve(batch.id)
    check(batch.status == "completed" and batch.request_counts.completed == 20, "batches: completed")
    out = client.files.content(batch.output_file_id).text.splitlines()
    check(json.loads(out[7])["response"]["body"]["choices"][0]["message"]["content"] == "text 7",
          "batches: answers in order")
    check([each.id for each in client.batches.list()] == [batch.id], "batches: list")
    check(client.files.delete(file.id).deleted, "files: delete")


def killed(server):
    """kill -9 in the middle of a batch: what was answered stays, the rest is answered later."""
    client = client_of(server)
    lines = [{"custom_id": f"id{i}", "method": "POST", "url": "/v1/chat/completions",
              "body": {**asks(f"text {i}"), "model": "slow"}} for i in range(40)]
    file = client.files.create(file=("in.jsonl", "\n".join(map(json.dumps, lines)).encode()),
                               purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions",
                                  completion_window="24h")
    while (done := client.batches.retrieve(batch.id).request_counts.completed) < 8:
        pass
    server.kill_and_start()
    client = client_of(server)
    again = client.batches.retrieve(batch.id)
    check(again.request_counts.completed >= done, f"killed: {again.request_counts} were kept")
    until = time.monotonic() + 60
    while again.status != "completed" and time.monotonic() < until:
        again = client.batches.retrieve(batch.id)
    answered = client.files.content(again.output_file_id).text.splitlines()
    check([json.loads(each)["custom_id"] for each in answered] == [f"id{i}" for i in range(40)],
          "killed: every line is answered once")


def client_of(server):
    return openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none",
                         max_retries=0, _strict_response_validation=True)


def refusals(client):
    for what, kind, call in [
            ("moderations", openai.InternalServerError,
             lambda: client.moderations.create(input="x")),
            ("an absent file", openai.NotFoundError, lambda: client.files.retrieve("file-0")),
            ("an absent model", openai.NotFoundError,
             lambda: client.models.retrieve("absent")),
            ("deleting where there is no store's model", openai.APIStatusError,
             lambda: client.models.delete("m")),
            ("a custom tool", openai.BadRequestError, lambda: client.chat.completions.create(
                **asks("x"), tools=[{"type": "custom", "custom": {"name": "f"}}]))]:
        try:
            call()
            check(False, f"refused: {what}")
        except kind as error:
            check(bool(error.message), f"refused: {what}, {error.status_code}")


def main():
    parser = argparse.ArgumentParser(description="OpenAI's client, strictly")
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    with tempfile.TemporaryDirectory() as folder:
        script = pathlib.Path(folder) / "script.json"
        script.write_text(json.dumps(SCRIPT), encoding="utf-8")
        with Served(parser.parse_args().strata, scripted=script) as server:
            client = client_of(server)
            check([each.id for each in client.models.list()] == ["m", "slow"], "models: list")
            check(client.models.retrieve("m").object == "model", "models: retrieve")
            for part in (chat, tools, formats, completions, batches, refusals):
                part(client)
            killed(server)
    sys.exit(1 if failures else 0)


main()
