"""Anthropic's Python client against a server of ours: every operation, whole and streamed, its answers
checked against its own types."""
import argparse
import sys

import anthropic
import pydantic

from checks import check, failures, raised
from served import ROOT, Served

TOOLS = [{"name": "weather", "description": "Of a city", "input_schema": {"type": "object"}},
         {"name": "clock", "input_schema": {"type": "object"}}]
WEATHER = [{"role": "user", "content": "the weather?"}]
HELLO = [{"role": "user", "content": "Hello there"}]


def strict(model):
    """Validated again: the client itself takes whatever comes."""
    try:
        type(model).model_validate(model.model_dump(mode="json"), strict=False)
    except pydantic.ValidationError as error:
        check(False, f"{type(model).__name__} is of its type: {error}")
    return model


def messages(client):
    whole = strict(client.messages.create(model="agent", max_tokens=100, messages=WEATHER, tools=TOOLS,
                                          thinking={"type": "adaptive"}))
    check([each.type for each in whole.content] == ["thinking", "text", "tool_use", "tool_use"],
          "a whole answer has its blocks")
    check(whole.stop_reason == "tool_use" and whole.content[2].input == {"city": "Oslo"}, "a call")
    with client.messages.stream(model="agent", max_tokens=100, messages=WEATHER, tools=TOOLS,
                                thinking={"type": "adaptive"}) as stream:
        kinds = [event.type for event in stream]
        final = strict(stream.get_final_message())
    ids = {"id"}
    check(final.model_dump(exclude=ids) == whole.model_dump(exclude=ids), "a stream adds up to it")
    check(kinds[0] == "message_start" and kinds[-1] == "message_stop", "a stream's first and last event")
    for event in client.messages.create(model="agent", max_tokens=100, messages=WEATHER, stream=True):
        strict(event)
    results = [{"type": "tool_result", "tool_use_id": each.id, "content": "rainy"}
               for each in whole.content if each.type == "tool_use"]
    turn = [*WEATHER, {"role": "assistant", "content": whole.content}, {"role": "user", "content": results}]
    again = client.messages.create(model="agent", max_tokens=100, messages=turn, tools=TOOLS)
    check(again.content[0].text == "It is rainy.", "results go back to the model")
    return whole


def counting(client, model):
    system = [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}]
    counted = client.messages.count_tokens(model=model, messages=HELLO, system=system)
    answer = strict(client.messages.create(model=model, max_tokens=4, messages=HELLO, system=system))
    usage = answer.usage
    total = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
    check(counted.input_tokens == total, f"count_tokens counts as an answer, {counted}, {usage}")
    return answer


def batches(client):
    params = {"model": "echo", "max_tokens": 9, "messages": HELLO}
    made = strict(client.messages.batches.create(requests=[
        {"custom_id": "a", "params": params}, {"custom_id": "b", "params": {**params, "model": "nobody"}}]))
    while strict(client.messages.batches.retrieve(made.id)).processing_status != "ended":
        pass
    results = {each.custom_id: strict(each).result.type for each in client.messages.batches.results(made.id)}
    check(results == {"a": "succeeded", "b": "errored"}, f"a batch, {results}")
    check([each.id for each in client.messages.batches.list()] == [made.id], "batches are listed")
    check(strict(client.messages.batches.delete(made.id)).type == "message_batch_deleted", "and deleted")


def models(client, name):
    page = client.models.list(limit=1)
    check([each.id for each in client.models.list()] and page.data[0].type == "model", "models")
    check(client.models.retrieve(name).id.startswith(name), "a model")


def errors(client):
    absent = raised(anthropic.NotFoundError, lambda: client.messages.create(
        model="absent", max_tokens=5, messages=HELLO))
    check(absent is not None and absent.request_id, f"absent model, {absent}")
    for what, extra in [("container", {"container": "c"}), ("speed", {"speed": "fast"}),
                        ("max_tokens", {"max_tokens": -1})]:
        error = raised(anthropic.BadRequestError, lambda extra=extra: client.messages.create(
            **{"model": "echo", "max_tokens": 5, "messages": HELLO, "extra_body": extra}))
        check(error is not None and what in str(error), f"{what} is refused, {error}")
    broken = raised(anthropic.APIStatusError, lambda: list(client.messages.create(
        model="agent", max_tokens=50, messages=[{"role": "user", "content": "break"}], stream=True)))
    check(broken is not None, f"a failure in a stream, {broken}")


def coding_agent(client):
    """What Claude Code sends: beta routes, headers, system blocks with cache_control, metadata."""
    system = [{"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}},
              {"type": "text", "text": "Tools are here.", "cache_control": {"type": "ephemeral"}}]
    with client.beta.messages.stream(
            model="agent", max_tokens=100, system=system, messages=WEATHER, tools=TOOLS,
            betas=["interleaved-thinking-2025-05-14", "fine-grained-tool-streaming-2025-05-14"],
            metadata={"user_id": "user_x_session_y"},
            thinking={"type": "enabled", "budget_tokens": 50}) as stream:
        final = stream.get_final_message()
    check(final.stop_reason == "tool_use", "an agent's turn")
    counted = client.beta.messages.count_tokens(model="agent", system=system, messages=WEATHER, tools=TOOLS)
    check(counted.input_tokens > 5, "an agent counts")


def main():
    parser = argparse.ArgumentParser(description="Anthropic's client")
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    parser.add_argument("--scripted-only", action="store_true")
    program = parser.parse_args().strata
    with Served(program, scripted=ROOT / "tests" / "end_to_end" / "agent_script.json") as server:
        client = anthropic.Anthropic(base_url=f"http://127.0.0.1:{server.port}", api_key="none", max_retries=0)
        messages(client)
        counting(client, "echo")
        batches(client)
        models(client, "echo")
        errors(client)
        coding_agent(client)
    if not parser.parse_args().scripted_only:
        with Served(program) as server:
            client = anthropic.Anthropic(base_url=f"http://127.0.0.1:{server.port}", api_key="none",
                                         max_retries=0)
            first = counting(client, server.model)
            second = counting(client, server.model)
            check(first.content and second.content, f"a real model, {first.content}")
            check(second.usage.cache_read_input_tokens > 0, f"its prompt is read again, {second.usage}")
    sys.exit(1 if failures else 0)


main()
