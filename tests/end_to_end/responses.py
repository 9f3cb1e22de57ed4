"""OpenAI's Python client over every operation of responses, conversations and stored chats, against a
server with a scripted model."""
import argparse
import json
import pathlib
import sys
import tempfile

import openai
from pydantic import BaseModel

from checks import check, failures, raised
from served import ROOT, Served

TOOLS = [{"type": "function", "name": "get_weather", "strict": False, "description": "The weather",
          "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}]
SCRIPT = {"models": [
    {"name": "demo", "rules": [
        {"contains": "weather", "role": "user", "reasoning": "I have to look.", "reply": "",
         "calls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]},
        {"role": "tool", "reply": "It is {message}."},
        {"contains": "json", "reply": "{\"name\": \"Ada\", \"age\": 36}"},
        {"contains": "break", "reply": "one two three", "fail_after": 2, "fail_message": "broken"}]},
    {"name": "slow", "tokens_per_second": 40, "rules": [{"reply": " ".join(["word"] * 60)}]}]}


class Person(BaseModel):
    name: str
    age: int


def whole_and_streamed(client):
    made = client.responses.create(model="demo", input="hello there", metadata={"a": "b"},
                                   instructions="be kind", temperature=0.5, top_p=0.9)
    check(made.output_text == "hello there" and made.status == "completed", "created")
    check(made.usage.output_tokens == 2 and made.temperature == 0.5, f"usage {made.usage}")
    check(client.responses.retrieve(made.id) == made, "retrieved as it was made")
    items = client.responses.input_items.list(made.id).data
    check(items[0].content[0].text == "hello there", "input items")
    with client.responses.stream(model="demo", input="one two") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    check(final.output_text == "one two" and kinds[-1] == "response.completed", f"streamed {kinds}")
    check([*dict.fromkeys(kinds)] == [
        "response.created", "response.in_progress", "response.output_item.added",
        "response.content_part.added", "response.output_text.delta", "response.output_text.done",
        "response.content_part.done", "response.output_item.done", "response.completed"], "order")
    parsed = client.responses.parse(model="demo", input="json please", text_format=Person)
    check(parsed.output_parsed == Person(name="Ada", age=36), f"parsed {parsed.output_parsed}")
    client.responses.delete(made.id)
    check(raised(openai.NotFoundError, lambda: client.responses.retrieve(made.id)), "deleted")


def tools(client):
    with client.responses.stream(model="demo", input="the weather?", tools=TOOLS) as stream:
        kinds = [event.type for event in stream]
        first = stream.get_final_response()
    call = next(item for item in first.output if item.type == "function_call")
    check(json.loads(call.arguments) == {"city": "Paris"}, f"a call, {call}")
    check("response.reasoning_text.delta" in kinds, "reasoning streams")
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    second = client.responses.create(model="demo", previous_response_id=first.id, input=[output])
    check(second.output_text == "It is sunny.", f"goes on from a call, {second.output_text!r}")
    items = [{"role": "user", "content": "the weather?"}, *first.output, output]
    third = client.responses.create(model="demo", input=items, store=False)
    check(third.output_text == "It is sunny.", "output items sent back as input")
    check(third.usage.input_tokens == second.usage.input_tokens, "the same prompt either way")
    for choice in ("none", "required", {"type": "function", "name": "get_weather"},
                   {"type": "allowed_tools", "mode": "auto",
                    "tools": [{"type": "function", "name": "get_weather"}]}):
        made = client.responses.create(model="demo", input="hi", tools=TOOLS, tool_choice=choice)
        check(made.status == "completed", f"tool_choice {choice}")


def background(client):
    begun = client.responses.create(model="slow", input="x", background=True)
    check(begun.status in ("queued", "in_progress"), f"in the background, {begun.status}")
    check(client.responses.cancel(begun.id).status == "cancelled", "cancelled")
    stream = client.responses.create(model="slow", input="x", background=True, stream=True)
    seen = []
    for event in stream:
        seen.append(event)
        if len(seen) == 12:
            break
    stream.close()
    created = seen[0].response.id
    rest = list(client.responses.retrieve(created, stream=True,
                                          starting_after=seen[-1].sequence_number))
    numbers = [event.sequence_number for event in seen + rest]
    check(numbers == list(range(len(numbers))), "a stream is taken up where it was left")
    check(rest[-1].type == "response.completed", f"and ends, {rest[-1].type}")
    final = client.responses.retrieve(created)
    check(final.output_text == rest[-1].response.output_text, "the kept answer is the streamed one")


def counts(client):
    counted = client.responses.input_tokens.count(model="demo", input="hello there")
    made = client.responses.create(model="demo", input="hello there")
    check(counted.input_tokens == made.usage.input_tokens, f"counted {counted.input_tokens}")
    short = client.responses.compact(model="demo", previous_response_id=made.id)
    check(short.output[0].type == "compaction", f"compacted, {short.output[0].type}")
    following = client.responses.create(
        model="demo", input=[*short.output, {"role": "user", "content": "go on"}])
    check(following.output_text == "go on", "goes on from a compaction")


def conversations(client):
    talk = client.conversations.create(metadata={"topic": "x"},
                                       items=[{"role": "user", "content": "before"}])
    check(client.conversations.retrieve(talk.id) == talk, "conversation")
    check(client.conversations.update(talk.id, metadata={"topic": "y"}).metadata["topic"] == "y",
          "conversation updated")
    client.responses.create(model="demo", input="now", conversation=talk.id)
    added = client.conversations.items.create(talk.id, items=[{"role": "user", "content": "then"}])
    listed = list(client.conversations.items.list(talk.id, limit=2, order="asc"))
    check([item.content[0].text for item in listed] == ["before", "now", "now", "then"],
          "items over several pages")
    one = client.conversations.items.retrieve(added.data[0].id, conversation_id=talk.id)
    check(one.content[0].text == "then", "one item")
    client.conversations.items.delete(one.id, conversation_id=talk.id)
    check(len(list(client.conversations.items.list(talk.id))) == 3, "an item deleted")
    check(client.conversations.delete(talk.id).deleted, "conversation deleted")
    check(raised(openai.NotFoundError, lambda: client.conversations.retrieve(talk.id)), "and gone")


def refusals(client):
    error = raised(openai.BadRequestError, lambda: client.responses.create(
        model="demo", input="x", temperature=9))
    check(error is not None and error.param == "temperature", f"out of range, {error}")
    error = raised(openai.BadRequestError, lambda: client.responses.create(
        model="demo", input="x", tools=[{"type": "web_search"}]))
    check(error is not None, f"a tool that is not here, {error}")
    error = raised(openai.InternalServerError, lambda: client.responses.create(
        model="demo", input="x", tools=[{"type": "mcp", "server_label": "x"}]))
    check(error is not None and error.status_code == 501, f"a tool that is not built, {error}")
    error = raised(openai.InternalServerError, lambda: client.responses.create(
        model="demo", input="break"))
    check(error is not None and "broken" in error.message, f"an answer that fails, {error}")
    events = list(client.responses.create(model="demo", input="break", stream=True))
    check(events[-1].type == "response.failed" and events[-1].response.error.message == "broken",
          f"a stream that fails, {events[-1].type}")


def main():
    parser = argparse.ArgumentParser(description="OpenAI's client for responses")
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    with tempfile.TemporaryDirectory() as folder:
        script = pathlib.Path(folder) / "script.json"
        script.write_text(json.dumps(SCRIPT), encoding="utf-8")
        with Served(parser.parse_args().strata, scripted=script) as server:
            client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none",
                                   max_retries=0)
            for part in (whole_and_streamed, tools, background, counts, conversations, refusals):
                part(client)
    sys.exit(1 if failures else 0)


main()
