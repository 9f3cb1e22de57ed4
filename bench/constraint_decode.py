"""What a JSON Schema costs while text is written: tokens a second with and without one, in turns,
each answer of as many tokens. The bar: at most 5 % slower.

    ./dev bench constraint_decode [--rounds N] [--models smollm2,gemma3] [--json FILE]
"""
import json
import statistics
import sys
import time
import urllib.request

from lib.options import finish, parser_of
from lib.strata import serving

N_TOKENS = 128
MOST_SLOWER = 0.05
# Texts that are longer than an answer, so that none ends by itself: one long string, and a list of
# objects, where masks change with each token.
SCHEMAS = {
    "a long text": {"type": "string", "minLength": 4000},
    "a list of people": {"type": "array", "minItems": 200, "items": {
        "type": "object", "additionalProperties": False, "required": ["name", "age", "email", "tags"],
        "properties": {"name": {"type": "string", "minLength": 3, "maxLength": 40},
                       "age": {"type": "integer", "minimum": 0, "maximum": 120},
                       "email": {"type": "string", "format": "email"},
                       "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3}}}}}


def speed(address, model, schema, seed):
    """Tokens a second of one answer."""
    body = {"model": model, "prompt": "The people of the village are", "max_tokens": N_TOKENS,
            "temperature": 1, "seed": seed, "ignore_eos": True}
    if schema is not None:
        body["structured_outputs"] = {"json": schema}
    request = urllib.request.Request(f"{address}/v1/completions", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    begin = time.monotonic()
    with urllib.request.urlopen(request) as response:
        answer = json.load(response)
    seconds = time.monotonic() - begin
    if answer["usage"]["completion_tokens"] != N_TOKENS:
        sys.exit(f"error: {answer['usage']['completion_tokens']} tokens instead of {N_TOKENS}")
    return N_TOKENS / seconds


def measure(address, model, rounds):
    rows = []
    for schema in (None, *SCHEMAS.values()):
        speed(address, model, schema, 0)  # reads the weights, compiles the schema
    for name, schema in SCHEMAS.items():
        pairs = [(speed(address, model, None, seed), speed(address, model, schema, seed))
                 for seed in range(1, rounds + 1)]
        free, kept = (statistics.median(column) for column in zip(*pairs))
        rows.append({"model": model, "what": name, "free": free, "by_schema": kept,
                     "slower": 1 - statistics.median(kept / free for free, kept in pairs)})
    return rows


def main():
    options = parser_of(__doc__).parse_args()
    with serving(options.models) as address:
        rows = [row for model in options.models for row in measure(address, model, options.rounds)]
    print("| model | what | free, tokens/s | by a schema, tokens/s | slower |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {row['model']} | {row['what']} | {row['free']:.1f} | {row['by_schema']:.1f} "
              f"| {row['slower']:.1%} |")
    finish(rows, options, any(row["slower"] > MOST_SLOWER for row in rows))


main()
