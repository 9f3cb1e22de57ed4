"""Tools on a real model that was never trained to call them, over the Python clients of OpenAI (chat and
Responses), Anthropic, Google and Ollama: a call that is required fits its schema, a stream of its
fragments adds up to the whole, its result goes back, and beside a rule an answer is one or the other.
"""
import argparse
import json
import sys

import anthropic
import ollama
import openai
from google import genai
from google.genai import types

from checks import check, failures
from served import ROOT, Served

ASKED = "What will the weather be in Rome for the next 3 days?"
MESSAGES = [{"role": "user", "content": ASKED}]
CITIES = ["Oslo", "Rome", "Nairobi"]
SCHEMA = {"type": "object", "required": ["city", "days"], "additionalProperties": False,
          "properties": {"city": {"enum": CITIES}, "days": {"type": "integer", "minimum": 1, "maximum": 7}}}
FUNCTION = {"name": "get_weather", "description": "The weather of a city", "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}


def fits(name, arguments):
    return (name == "get_weather" and set(arguments) == {"city", "days"} and
            arguments["city"] in CITIES and arguments["days"] in range(1, 8))


def with_chat(client, model):
    asked = {"model": model, "messages": MESSAGES, "tools": [TOOL], "temperature": 0, "seed": 1,
             "max_tokens": 80}
    answer = client.chat.completions.create(**asked, tool_choice="required").choices[0]
    call = answer.message.tool_calls[0]
    check(answer.finish_reason == "tool_calls" and fits(call.function.name,
                                                        json.loads(call.function.arguments)),
          f"chat: a required call, {call.function}")
    pieces = []
    for event in client.chat.completions.create(**asked, tool_choice="required", stream=True):
        for part in event.choices[0].delta.tool_calls or []:
            pieces.append(part.function.arguments)
    check("".join(pieces) == call.function.arguments and len(pieces) > 3,
          f"chat: {len(pieces)} fragments are the whole arguments")
    turn = [*MESSAGES, answer.message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": "rainy"}]
    text = client.chat.completions.create(**{**asked, "messages": turn}, tool_choice="none").choices[0]
    check(text.message.content and not text.message.tool_calls, "chat: the result goes back")
    cut = client.chat.completions.create(**{**asked, "max_tokens": 14}, tool_choice="required").choices[0]
    check(cut.finish_reason == "length", f"chat: a call that is cut off, {cut.message}")
    rule = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {
        "type": "object", "required": ["known"], "additionalProperties": False,
        "properties": {"known": {"type": "boolean"}}}}}
    either = client.chat.completions.create(**asked, response_format=rule,
                                            parallel_tool_calls=False).choices[0].message
    if either.tool_calls:
        ok = all(fits(each.function.name, json.loads(each.function.arguments))
                 for each in either.tool_calls) and not either.content
    else:
        ok = isinstance(json.loads(either.content)["known"], bool)
    check(ok, f"chat: beside a rule an answer is a call or follows it, {either.content!r}")


def with_responses(client, model):
    asked = {"model": model, "input": ASKED, "temperature": 0, "max_output_tokens": 80, "store": False,
             "tools": [{"type": "function", "strict": False, **FUNCTION}], "tool_choice": "required"}
    call = client.responses.create(**asked).output[0]
    check(call.type == "function_call" and fits(call.name, json.loads(call.arguments)),
          f"responses: a required call, {call.arguments}")
    deltas, done = [], ""
    for event in client.responses.create(**asked, stream=True):
        if event.type == "response.function_call_arguments.delta":
            deltas.append(event.delta)
        elif event.type == "response.function_call_arguments.done":
            done = event.arguments
    check("".join(deltas) == done == call.arguments and len(deltas) > 3,
          f"responses: {len(deltas)} fragments are the whole arguments")


def with_anthropic(client, model):
    asked = {"model": model, "max_tokens": 80, "extra_body": {"temperature": 0}, "messages": MESSAGES,
             "tools": [{"name": "get_weather", "input_schema": SCHEMA}], "tool_choice": {"type": "any"}}
    whole = client.messages.create(**asked)
    call = whole.content[0]
    check(whole.stop_reason == "tool_use" and fits(call.name, call.input),
          f"anthropic: a required call, {call.input}")
    deltas = []
    with client.messages.stream(**asked) as stream:
        for event in stream:
            if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                deltas.append(event.delta.partial_json)
        final = stream.get_final_message()
    check(final.content[0].input == call.input == json.loads("".join(deltas)) and len(deltas) > 3,
          f"anthropic: {len(deltas)} fragments are the whole input")
    turn = [*MESSAGES, {"role": "assistant", "content": whole.content}, {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": call.id, "content": "rainy"}]}]
    again = client.messages.create(**{**asked, "messages": turn, "tool_choice": {"type": "none"}})
    check(again.content[0].type == "text", "anthropic: the result goes back")


def with_google(client, model):
    config = types.GenerateContentConfig(
        temperature=0, seed=1, max_output_tokens=80,
        tools=[types.Tool(function_declarations=[{"name": "get_weather", "parameters_json_schema": SCHEMA}])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        tool_config=types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY")))
    call = client.models.generate_content(model=model, contents=ASKED, config=config).function_calls[0]
    check(fits(call.name, call.args), f"google: a required call, {call.args}")
    streamed = [each for piece in client.models.generate_content_stream(model=model, contents=ASKED,
                                                                        config=config)
                for each in piece.function_calls or []]
    check([each.args for each in streamed] == [call.args], "google: a streamed call comes whole")


def with_ollama(client, model):
    asked = {"model": model, "messages": MESSAGES, "tools": [TOOL],
             "options": {"temperature": 0, "seed": 1, "num_predict": 80}}
    message = client.chat(**asked).message
    calls = message.tool_calls or []
    check(all(fits(each.function.name, each.function.arguments) for each in calls) and
          (calls or message.content), f"ollama: {len(calls)} calls that fit, or text")
    pieces = [piece.message for piece in client.chat(**asked, stream=True)]
    streamed = [each.function for piece in pieces for each in piece.tool_calls or []]
    check(streamed == [each.function for each in calls] and
          "".join(piece.content or "" for piece in pieces) == message.content,
          "ollama: a stream is the whole answer")


def main():
    parser = argparse.ArgumentParser(description="Tools over the makers' clients")
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    with Served(parser.parse_args().strata) as server:
        address = f"http://127.0.0.1:{server.port}"
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
        with_chat(client, server.model)
        with_responses(client, server.model)
        with_anthropic(anthropic.Anthropic(base_url=address, api_key="none", max_retries=0), server.model)
        with_google(genai.Client(api_key="none", http_options=types.HttpOptions(base_url=address)),
                    server.model)
        with_ollama(ollama.Client(host=address), server.model)
    sys.exit(1 if failures else 0)


main()
