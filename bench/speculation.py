"""What guessing ahead gains where a text repeats, and what it costs where it does not: the speed at which
a server writes, which guesses, beside `strata bench` at the same depth, which does not and has no
server around it. The same request among ten others, where nothing is guessed, has to give the same text.

    ./dev bench speculation [--rounds N] [--models smollm2,gemma3] [--json FILE]
"""
import concurrent.futures
import json
import re
import statistics
import subprocess
import urllib.request

from lib.options import finish, parser_of
from lib.strata import MODELS, ROOT, STRATA, completion, serving

PAGE = ROOT / "docs/engine/speculation.md"
CODE = ROOT / "bench/light.py"
N_TOKENS = 256
N_TOGETHER = 11  # with so many at work nothing is guessed
LEAST = {"repeats": 2.0, "ordinary": 0.95}


def quoting():
    """A page, the same again, and its beginning: the answer goes on quoting."""
    text = PAGE.read_text()
    return f"{text}\n\n{text}\n\n{text[:text.index(' ', 300)]}"


def editing():
    """Some code and the first third of it with a name changed: the answer goes on with the rest."""
    text = CODE.read_text()
    text = text[text.index("def stripped_size"):text.index("def measure")]
    changed = text.replace("folder", "place")
    return f"{text}\n\n{changed[:changed.index(chr(10), len(changed) // 3)]}"


WORK = {  # what: kind, prompt, sampling
    "quote a document": ("repeats", quoting(), {"temperature": 0}),
    "edit a file": ("repeats", editing(), {"temperature": 0}),
    "tell a story": ("ordinary", "She had never seen the sea before, and", {"temperature": 1}),
    "explain": ("ordinary", "The harvest of salt from the sea is", {"temperature": 1}),
}


def body_of(model, prompt, sampling):
    return {"model": model, "prompt": prompt, "stream": True, "max_tokens": N_TOKENS, "seed": 7,
            "ignore_eos": True, "stream_options": {"include_usage": True}, **sampling}


def answer(address, body):
    """Its text, the tokens a second behind the first one, and the prompt's tokens."""
    begin = end = None
    text, usage = "", None
    for moment, line in list(completion(address, body)):
        event = json.loads(line)
        usage = event.get("usage") or usage
        if event["choices"] and event["choices"][0]["text"]:
            text += event["choices"][0]["text"]
            begin, end = begin or moment, moment
    return text, (usage["completion_tokens"] - 1) / (end - begin), usage["prompt_tokens"]


def plain_speed(model, depth):
    command = [STRATA, "bench", MODELS[model], "--prompt", "0", "--generate", str(N_TOKENS), "--depth",
               str(depth), "--rounds", "1", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return json.loads(done.stdout)["cases"][0]["tokens_per_second"]


def guesses(address, model):
    """Rows that were guessed so far, and those that were right."""
    with urllib.request.urlopen(f"{address}/metrics") as reply:
        text = reply.read().decode()
    return [int(float(re.search(rf'^strata_{name}_total{{model="{model}[^}}]*}} (\S+)', text, re.M)[1]))
            for name in ("guessed_tokens", "right_guesses")]


def same_without(address, body, text):
    """Whether eleven at once, none of which is guessed for, all write this text."""
    with concurrent.futures.ThreadPoolExecutor(N_TOGETHER) as pool:
        texts = list(pool.map(lambda _: answer(address, body)[0], range(N_TOGETHER)))
    return all(other == text for other in texts)


def measure(address, model, what, rounds):
    kind, prompt, sampling = WORK[what]
    body = body_of(model, prompt, sampling)
    text, _, depth = answer(address, body)  # the prompt is in the cache from here on
    pairs, before = [], guesses(address, model)
    for _ in range(rounds):
        pairs.append((answer(address, body)[1], plain_speed(model, depth)))
    guessed, right = (b - a for a, b in zip(before, guesses(address, model)))
    same = same_without(address, body, text)
    ratios = [a / b for a, b in pairs]
    return {"model": model, "work": what, "kind": kind, "depth": depth,
            "guessing": statistics.median(a for a, _ in pairs),
            "plain": statistics.median(b for _, b in pairs), "ratio": statistics.median(ratios),
            "ratio_min": min(ratios), "ratio_max": max(ratios), "guessed": guessed / rounds,
            "right": right / rounds, "same_text": same}


def print_row(row):
    ok = row["ratio"] >= LEAST[row["kind"]] and row["same_text"]
    print(f"{'ok  ' if ok else 'FAIL'} {row['model']}, {row['work']}: {row['guessing']:.0f} tok/s, plain "
          f"{row['plain']:.0f}: {row['ratio']:.2f} x ({row['ratio_min']:.2f} to {row['ratio_max']:.2f}, "
          f"at least {LEAST[row['kind']]}); {row['right']:.0f} of {row['guessed']:.0f} guesses right; "
          f"{'the same text' if row['same_text'] else 'ANOTHER TEXT'} without", flush=True)
    return ok


def main():
    options = parser_of(__doc__).parse_args()
    models, rows, failed = options.models, [], False
    with serving(models, "--context", "8192") as address:
        for model in models:
            for what in WORK:
                rows.append(measure(address, model, what, options.rounds))
                failed |= not print_row(rows[-1])
    finish(rows, options, failed)


main()
