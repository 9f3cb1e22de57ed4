"""huggingface_hub's client against a server with a real model and a real embedder: the tasks that it asks
a model's address for, whole and streamed, and chats."""
import argparse
import subprocess
import sys

import numpy as np
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from checks import check, failures, raised
from served import ROOT, Served, test_data

PROMPT = "The sky is"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}}, "required": ["city"],
          "additionalProperties": False}


def generation(client):
    asked = {"max_new_tokens": 8, "do_sample": False}
    text = client.text_generation(PROMPT, **asked)
    check(isinstance(text, str) and text, f"text generation, {text!r}")
    check("".join(client.text_generation(PROMPT, stream=True, **asked)) == text, "a stream is the whole text")
    whole = client.text_generation(PROMPT, details=True, decoder_input_details=True, top_n_tokens=2, **asked)
    details = whole.details
    check(whole.generated_text == text and details.generated_tokens == 8 and details.finish_reason == "length",
          f"details: {details.generated_tokens} tokens, {details.finish_reason}")
    check("".join(each.text for each in details.tokens) == text and len(details.prefill) > 2
          and all(len(each) >= 2 for each in details.top_tokens), "tokens, those of the prompt, the likeliest")
    events = list(client.text_generation(PROMPT, stream=True, details=True, **asked))
    check(events[-1].generated_text == text and events[-1].details.finish_reason == "length"
          and [each.token.id for each in events] == [each.id for each in details.tokens], "a stream's details")
    full = client.text_generation(PROMPT, return_full_text=True, **asked)
    check(full == PROMPT + text, "the prompt in front of it")
    stopped = client.text_generation(PROMPT, max_new_tokens=40, do_sample=False, stop=[text[2:5]])
    check(text[2:5] not in stopped, f"a text ends before its stop string, {stopped!r}")
    best = client.text_generation(PROMPT, max_new_tokens=4, best_of=2, details=True, seed=7, temperature=1.0)
    check(len(best.details.best_of_sequences) == 1, "the best of two")
    ruled = client.text_generation("A city as JSON:", max_new_tokens=60,
                                   grammar={"type": "json", "value": SCHEMA})
    check(ruled.lstrip().startswith('{"city"') or '"city"' in ruled, f"a schema, {ruled!r}")
    sampled = [client.text_generation(PROMPT, max_new_tokens=8, temperature=1.2, top_k=40, top_p=0.9, seed=3,
                                      repetition_penalty=1.1, typical_p=0.95, frequency_penalty=0.1)
               for _ in range(2)]
    check(sampled[0] == sampled[1], "one seed, one text")
    error = raised(Exception, lambda: client.text_generation(PROMPT, watermark=True))
    check(error is not None, f"a watermark is refused, {type(error).__name__}")


def chats(address, model):
    client = InferenceClient(base_url=f"{address}/v1")
    asked = {"messages": [{"role": "user", "content": "Say hi"}], "model": model, "max_tokens": 12,
             "temperature": 0.0, "seed": 1}
    whole = client.chat_completion(**asked)
    text = whole.choices[0].message.content
    check(text and whole.usage.completion_tokens <= 12, f"chat, {text!r}")
    stream = client.chat_completion(stream=True, stream_options={"include_usage": True}, **asked)
    pieces, usage = "", None
    for event in stream:
        pieces += (event.choices[0].delta.content or "") if event.choices else ""
        usage = getattr(event, "usage", None) or usage
    check(pieces == text and usage.completion_tokens == whole.usage.completion_tokens, "a streamed chat")
    ruled = client.chat_completion(**{**asked, "max_tokens": 60}, response_format={
        "type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}})
    check('"city"' in ruled.choices[0].message.content, "a chat that follows a schema")
    by_address = InferenceClient(model=f"{address}/models/{model}")
    again = by_address.chat_completion(**{key: value for key, value in asked.items() if key != "model"})
    check(again.choices[0].message.content == text, "a chat at the model's own address")
    several = client.chat_completion(**{**asked, "temperature": 1.0}, n=2, logprobs=True, top_logprobs=2)
    check(len(several.choices) == 2 and len(several.choices[0].logprobs.content[0].top_logprobs) == 2,
          "two answers with log-probabilities")


def vectors(address):
    client = InferenceClient(model=f"{address}/models/minilm")
    found = client.feature_extraction(["a b", "c"], normalize=True)
    check(found.shape == (2, 384) and np.allclose(np.linalg.norm(found, axis=1), 1), f"vectors {found.shape}")
    alone = np.asarray(client.feature_extraction("c")).reshape(-1)
    check(np.allclose(alone, found[1], atol=1e-6), "a text alone has the same")
    long = "word " * 300  # of the 256 tokens that the embedder's folder allows, not its 512 positions
    cut = np.asarray(client.feature_extraction(long, truncate=True)).reshape(-1)
    short = np.asarray(client.feature_extraction("word " * 254)).reshape(-1)
    check(np.allclose(cut, short, atol=1e-6), "a long text is cut where its makers cut it")
    error = raised(HfHubHTTPError, lambda: client.feature_extraction(long, truncate=False))
    check(error is not None and "256" in str(error), f"or refused, {error}")
    scores = client.sentence_similarity("a cat sleeps", other_sentences=["a cat is asleep", "stocks fell"])
    check(len(scores) == 2 and scores[0] > scores[1], f"similarity, {scores}")


def tellings(address, model):
    hub = InferenceClient(model=f"{address}/models/{model}", provider="hf-inference")
    info = hub.get_endpoint_info()
    check(model in info["model_id"], f"info, {info.get('model_id')}")
    check(hub.health_check(), "health")
    absent = InferenceClient(model=f"{address}/models/absent")
    error = raised(Exception, lambda: absent.text_generation("x"))
    check("there is no model 'absent' here" in str(error), f"an absent model, {error}")
    masks = InferenceClient(model=f"{address}/models/{model}/pipeline/fill-mask")
    error = raised(HfHubHTTPError, lambda: masks.fill_mask("a [MASK] b"))
    check(error is not None and error.response.status_code == 400, "a mask, which this model does not fill in")


def main():
    parser = argparse.ArgumentParser(description="huggingface_hub's client")
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    with Served(parser.parse_args().strata) as server:
        subprocess.run([server.program, "pull", f"file:{test_data() / 'minilm'}", "--as", "minilm", "--quiet"],
                       env=server.environment, check=True, stdout=subprocess.DEVNULL)
        address = f"http://127.0.0.1:{server.port}"
        client = InferenceClient(model=f"{address}/models/{server.model}")
        generation(client)
        chats(address, server.model)
        vectors(address)
        tellings(address, server.model)
    sys.exit(1 if failures else 0)


main()
