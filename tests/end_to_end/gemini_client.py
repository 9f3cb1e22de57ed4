"""Google's Python client (google-genai) against a server of ours: every operation, whole and streamed,
its answers checked against its own types."""
import argparse
import sys

from google import genai
from google.genai import errors, types

from checks import check, failures, raised
from served import ROOT, Served


def client_of(server):
    return genai.Client(api_key="none", http_options=types.HttpOptions(
        base_url=f"http://127.0.0.1:{server.port}"))


def declarations():
    schema = types.Schema(type="OBJECT", properties={"city": types.Schema(type="STRING")})
    return [types.Tool(function_declarations=[
        types.FunctionDeclaration(name="weather", description="Of a city", parameters=schema),
        types.FunctionDeclaration(name="clock", parameters_json_schema={"type": "object"})])]


def config(**more):
    return types.GenerateContentConfig(tools=declarations(), **more)


def parts(chunks):
    """(texts, thoughts, calls) of an answer's or a stream's parts."""
    texts, thoughts, calls = "", "", []
    for chunk in chunks:
        for part in chunk.candidates[0].content.parts:
            if part.function_call:
                calls.append((part.function_call.name, part.function_call.args))
            elif part.thought:
                thoughts += part.text
            else:
                texts += part.text or ""
    return texts, thoughts, calls


def generating(client):
    shown = config(thinking_config=types.ThinkingConfig(include_thoughts=True))
    whole = client.models.generate_content(model="agent", contents="the weather?", config=shown)
    check(parts([whole]) == ("Let me look.", "A tool knows.",
                             [("weather", {"city": "Oslo"}), ("clock", {"zone": "CET"})]),
          f"a whole answer, {parts([whole])}")
    stream = list(client.models.generate_content_stream(model="agent", contents="the weather?", config=shown))
    check(parts(stream) == parts([whole]) and len(stream) > 3, f"{len(stream)} pieces say the same")
    check(stream[-1].usage_metadata == whole.usage_metadata, f"figures, {whole.usage_metadata}")
    check(whole.usage_metadata.thoughts_token_count == 4, "thoughts are counted")
    several = client.models.generate_content(model="echo", contents="a b", config=types.GenerateContentConfig(
        candidate_count=2, response_logprobs=True, logprobs=2, seed=1, temperature=0.5, top_k=5,
        system_instruction="Be kind", safety_settings=[types.SafetySetting(
            category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE")]))
    check(len(several.candidates) == 2 and several.candidates[1].logprobs_result.chosen_candidates,
          "candidates with logprobs")


def functions(client):
    def weather(city: str) -> str:
        """The weather of a city."""
        return f"rain in {city}"

    def clock(zone: str) -> str:
        """The time in a zone."""
        return f"noon in {zone}"

    answer = client.models.generate_content(model="agent", contents="the weather?",
                                            config=types.GenerateContentConfig(tools=[weather, clock]))
    check("noon in CET" in answer.text, f"functions are called by the client itself, {answer.text!r}")
    chat = client.chats.create(model="echo")
    chat.send_message("first")
    check(chat.send_message("second").text == "second", "a chat")
    check("".join(each.text for each in chat.send_message_stream("third")) == "third", "a streamed chat")


def counting(client, model, text):
    counted = client.models.count_tokens(model=model, contents=text)
    answer = client.models.generate_content(model=model, contents=text, config=types.GenerateContentConfig(
        max_output_tokens=4))
    check(counted.total_tokens == answer.usage_metadata.prompt_token_count, f"count_tokens, {counted.total_tokens}")
    check(answer.candidates[0].finish_reason in ("STOP", "MAX_TOKENS"), f"{answer.candidates[0].finish_reason}")


def listing(client, name):
    check(any(name in each.name for each in client.models.list()), "models")
    check(client.models.get(model=name).input_token_limit > 0, "a model")


def refusals(client):
    absent = raised(errors.ClientError, lambda: client.models.generate_content(model="absent", contents="x"))
    check(absent is not None and absent.code == 404 and absent.status == "NOT_FOUND", f"absent model, {absent}")
    image = types.Part.from_bytes(data=b"x", mime_type="image/png")
    refused = raised(errors.ClientError, lambda: client.models.generate_content(model="echo", contents=[image]))
    check(refused is not None and "inlineData" in str(refused), f"an image, {refused}")
    broken = raised(errors.APIError, lambda: list(client.models.generate_content_stream(
        model="agent", contents="break")))
    check(broken is not None, f"a failure in a stream, {broken}")


def vectors(client, model):
    one = client.models.embed_content(model=model, contents="a b")
    several = client.models.embed_content(model=model, contents=["a b", "c"],
                                          config=types.EmbedContentConfig(output_dimensionality=8))
    check(len(several.embeddings) == 2 and len(several.embeddings[0].values) == 8, "vectors")
    check(abs(sum(x * x for x in one.embeddings[0].values) - 1) < 1e-5, "a vector's length is 1")


def main():
    parser = argparse.ArgumentParser(description="Google's client")
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    parser.add_argument("--scripted-only", action="store_true")
    arguments = parser.parse_args()
    with Served(arguments.strata, scripted=ROOT / "tests" / "end_to_end" / "agent_script.json") as server:
        client = client_of(server)
        generating(client)
        functions(client)
        counting(client, "echo", "Hello there")
        listing(client, "echo")
        refusals(client)
    if not arguments.scripted_only:
        with Served(arguments.strata) as server:
            client = client_of(server)
            counting(client, server.model, "Say hi")
            vectors(client, server.model)
    sys.exit(1 if failures else 0)


main()
