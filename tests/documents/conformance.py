"""docs/api/conformance.md: every field of the clients' types, and what the field tests say becomes of it
(src/api/dialect/*/fields_test.cpp hold the same lists against the server), beside what the peers'
documents say of themselves (peers.json)."""
import json
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
DIALECTS = HERE.parents[1] / "src" / "api" / "dialect"
# Told only where there is no store, as in the field tests; with one it is honoured (Conversations*).
WITH_A_STORE = ("/v1/chat/completions store",)

HEAD = """# What is taken of each interface

Written by `python3 tests/documents/write.py` out of the lists that the field tests hold against the server
(`build/api_test --gtest_filter='*Fields*'`); do not edit it. The fields are those that the makers' own Python
clients may send, or, of llama.cpp, those that its server's README names ({clients}); each is sent alone.
`/infill` takes all of `/completion` besides.

- **honoured**: the answer depends on it, or it asks for what is so anyway.
- **told**: it has no effect here, and the header `x-strata-ignored` of the answer names it.
- **refused**: 400 or 501 that names it. Whatever lies in a field that is refused or told is so too.

The columns of the others say what their own documents say, no more; an empty place means that these say
nothing. `a[x].y` is the field `y` of an `a` whose type is `x`, `[x].y` one of a block that stands in several
places.

| document | |
|---|---|
{documents}
"""


def read(path):
    return json.loads((DIALECTS / path).read_text(encoding="utf-8"))


def lies_in(field, other):
    return field.startswith(other) and field[len(other):len(other) + 1] in (".", "[")


def walked(dialect, file):
    """[(field, what becomes of it)] of a list that testing::expect_effects holds."""
    outcome = read(f"{dialect}/testdata/fields/outcome.json")
    data = read(f"{dialect}/testdata/fields/{file}.json")
    words = {each.removeprefix(data["route"] + " "): word
             for key, word in (("ignored", "told"), ("refused", "refused"))
             for each in outcome[key]
             if each.startswith(data["route"] + " ") and each not in WITH_A_STORE}
    rows = []
    for entry in data["fields"]:
        field = entry["field"]
        within = [word for other, word in words.items() if field == other or lies_in(field, other)]
        rows.append((field, within[0] if within else "honoured"))
    return data["from"], rows


def cased(dialect, files):
    """The same of lists that testing::expect_fields holds."""
    fields = read(f"{dialect}/testdata/fields.json")
    words = {}
    for file in files:
        cases = read(f"{dialect}/testdata/{file}.json")
        for key, word in (("honoured", "honoured"), ("ignored", "told"), ("refused", "refused")):
            words.update(dict.fromkeys(cases[key], word))
    return fields["from"], [(field, words[field]) for field in fields["fields"]]


def lists():
    """{route: (client, rows)}"""
    def joined(dialect, *files):
        each = [walked(dialect, file) for file in files]
        return each[0][0], [row for _, rows in each for row in rows]
    return {
        "/v1/chat/completions": joined("openai", "chat", "messages"),
        "/v1/completions": walked("openai", "completions"),
        "/v1/embeddings": walked("openai", "embeddings"),
        "/v1/responses": joined("responses", "request", "input"),
        "/api/chat": walked("ollama", "chat"),
        "/api/generate": walked("ollama", "generate"),
        "/api/embed": walked("ollama", "embed"),
        "/models/{id}": walked("huggingface", "generate"),
        **{f"/{operation}": walked("llamacpp", operation)
           for operation in ("completion", "infill", "tokenize", "detokenize", "apply-template",
                             "embedding", "reranking")},
        "/v1/messages": cased("anthropic", ["cases", "block_cases"]),
        "/v1beta/models/{model}:generateContent": cased("gemini", ["cases"]),
    }


def said_by(peer, route, field):
    said = peer["fields"].get(route, {})
    return next((word for word, fields in said.items() if field in fields), "")


def check_names(peers, all_lists):
    """A peer's field that is in no list is a slip of the pen."""
    for name, peer in peers.items():
        for route, said in peer["fields"].items():
            known = {field for field, _ in all_lists[route][1]}
            for field in [each for fields in said.values() for each in fields]:
                if field not in known:
                    raise SystemExit(f"error: peers.json: {name} {route} has no field {field}")


def summary(all_lists):
    lines = ["| operation | fields | honoured | told | refused |", "|---|---|---|---|---|"]
    for route, (_, rows) in all_lists.items():
        counts = [sum(word == each for _, word in rows) for each in ("honoured", "told", "refused")]
        lines.append(f"| `POST {route}` | {len(rows)} | {counts[0]} | {counts[1]} | {counts[2]} |")
    return lines


def operations(document, peers):
    """The operations that a peer's document names."""
    lines = [f"| operation | Strata | {' | '.join(peers)} |", "|---|---|" + "---|" * len(peers)]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            name = f"{method.upper()} {path}"
            said = [next((word for word, routes in peer["routes"].items() if name in routes), "")
                    for peer in peers.values()]
            if any(said):
                ours = "501" if "x-strata-unbuilt" in operation else "yes"
                lines.append(f"| `{name}` | {ours} | {' | '.join(said)} |")
    return lines


def page(document):
    peers = json.loads((HERE / "peers.json").read_text(encoding="utf-8"))
    all_lists = lists()
    check_names(peers, all_lists)
    clients = sorted({client.split(", ")[0] for client, _ in all_lists.values()})
    documents = [f"| {name} | {'; '.join(peer['documents'])} |"
                 for name, peer in peers.items()]
    lines = [HEAD.format(clients=", ".join(clients), documents="\n".join(documents)), *summary(all_lists),
             "", "## Operations that the others' documents name", "", *operations(document, peers)]
    for route, (_, rows) in all_lists.items():
        columns = {name: peer for name, peer in peers.items() if route in peer["fields"]}
        lines += ["", f"## POST {route}", "", f"| {' | '.join(['field', 'Strata', *columns])} |",
                  "|---|---|" + "---|" * len(columns)]
        for field, word in rows:
            said = "".join(f" {said_by(peer, route, field)} |" for peer in columns.values())
            lines.append(f"| `{field}` | {word} |{said}")
    return "\n".join(lines) + "\n"
