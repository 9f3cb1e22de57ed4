"""OpenAI's and Ollama's Python clients against a server with a real model: what they list, show, chat,
stream, complete and embed, and which exception an error becomes."""
import argparse
import sys

import ollama
import openai

from checks import check, failures, raised
from served import ROOT, Served

MESSAGES = [{"role": "user", "content": "Say hi"}]
SHORT = {"temperature": 0, "seed": 1, "max_tokens": 12}


def with_openai(address, model):
    client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
    check(f"{model}:latest" in [each.id for each in client.models.list()], "openai: models")
    whole = client.chat.completions.create(model=model, messages=MESSAGES, **SHORT)
    text, usage = whole.choices[0].message.content, whole.usage
    check(text and usage.completion_tokens <= 12, f"openai: chat, {text!r}")
    pieces, last = "", None
    for event in client.chat.completions.create(model=model, messages=MESSAGES, stream=True,
                                                stream_options={"include_usage": True}, **SHORT):
        pieces += (event.choices[0].delta.content or "") if event.choices else ""
        last = event.usage or last
    check(pieces == text, "openai: a streamed chat is the whole one")
    check(last and last.completion_tokens == usage.completion_tokens, "openai: usage of a stream")
    several = client.chat.completions.create(model=model, messages=MESSAGES, n=2, max_tokens=4,
                                             logprobs=True, top_logprobs=3, seed=1)
    top = several.choices[0].logprobs.content[0].top_logprobs
    check(len(several.choices) == 2 and len(top) == 3, "openai: two answers with logprobs")
    echoed = client.completions.create(model=model, prompt="The sky is", max_tokens=4, echo=True,
                                       logprobs=2, temperature=0).choices[0]
    check(echoed.text.startswith("The sky is"), f"openai: completion, {echoed.text!r}")
    check(echoed.logprobs.token_logprobs[0] is None, "openai: the first token has no logprob")
    error = raised(openai.NotFoundError, lambda: client.chat.completions.create(
        model="absent", messages=MESSAGES))
    check(error is not None and "absent" in error.message, f"openai: absent model, {error}")
    error = raised(openai.BadRequestError, lambda: client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "word " * 9000}]))
    check(error is not None, f"openai: too long, {error}")
    error = raised(openai.BadRequestError, lambda: client.chat.completions.create(
        model=model, messages=MESSAGES, temperature=9))
    check(error is not None and error.param == "temperature", f"openai: out of range, {error}")
    return text


def vectors(address, model):
    """Of the same texts by both clients, in every form that they ask for."""
    client, texts = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0), ["a b", "c"]
    answer = client.embeddings.create(model=model, input=texts)  # asks for base64
    mine = [each.embedding for each in answer.data]
    check(len(mine) == 2 and abs(sum(x * x for x in mine[0]) - 1) < 1e-5, "openai: two vectors")
    check(answer.usage.prompt_tokens > 1, f"openai: usage of vectors, {answer.usage}")
    floats = client.embeddings.create(model=model, input="c", encoding_format="float").data[0]
    check(max(abs(a - b) for a, b in zip(floats.embedding, mine[1])) < 1e-7, "openai: as floats")
    few = client.embeddings.create(model=model, input="c", dimensions=8).data[0].embedding
    check(len(few) == 8, "openai: dimensions")
    error = raised(openai.BadRequestError, lambda: client.embeddings.create(model=model, input=[]))
    check(error is not None, f"openai: no text, {error}")
    client = ollama.Client(host=address)
    theirs = client.embed(model, texts)
    same = max(abs(a - b) for a, b in zip(theirs.embeddings[1], mine[1])) < 1e-7
    check(same and theirs.prompt_eval_count == answer.usage.prompt_tokens, "ollama: embed")
    check(len(client.embed(model, "c", dimensions=8).embeddings[0]) == 8, "ollama: dimensions")
    check(len(client.embeddings(model, "c").embedding) == len(mine[0]), "ollama: embeddings")


def with_ollama(address, model, chat):
    client = ollama.Client(host=address)
    options = {"temperature": 0, "seed": 1, "num_predict": 12}
    check(f"{model}:latest" in [each.model for each in client.list().models], "ollama: list")
    details = client.show(model).details
    check(details.family == "llama" and details.quantization_level, f"ollama: show, {details}")
    text = client.chat(model, MESSAGES, options=options).message.content
    check(text == chat, f"ollama: chat as OpenAI's client had it, {text!r}")
    pieces = [each.message.content for each in client.chat(model, MESSAGES, stream=True,
                                                           options=options)]
    check("".join(pieces) == text and len(pieces) > 3, f"ollama: {len(pieces)} pieces of a stream")
    raw = client.generate(model, "The sky is", raw=True, options={**options, "num_predict": 5})
    check(raw.response and raw.eval_count == 5, f"ollama: generate, {raw.response!r}")
    check([each.model for each in client.ps().models] == [f"{model}:latest"], "ollama: ps")
    made = client.create("mine", from_=model, system="Be brief.", parameters={"temperature": 0.1})
    check(made.status == "success", "ollama: create")
    client.copy("mine", "second")
    names = {each.model for each in client.list().models}
    check({"mine:latest", "second:latest"} <= names, f"ollama: copy, {names}")
    client.delete("mine")
    client.delete("second")
    check(len(client.list().models) == 1, "ollama: delete")
    error = raised(ollama.ResponseError, lambda: client.chat("absent", MESSAGES))
    check(error is not None and error.status_code == 404, f"ollama: absent model, {error}")


def main():
    parser = argparse.ArgumentParser(description="OpenAI's and Ollama's clients")
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    with Served(parser.parse_args().strata) as server:
        address = f"http://127.0.0.1:{server.port}"
        with_ollama(address, server.model, with_openai(address, server.model))
        vectors(address, server.model)
    sys.exit(1 if failures else 0)


main()
