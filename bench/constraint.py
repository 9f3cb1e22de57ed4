"""Masks of JSON Schemas by strata, llguidance and xgrammar: the time of each while a text is accepted
token by token, of compiling, and how many schemas are right: every valid text accepted, every other
refused. One thread and its own time, the same tokens, the vocabularies of SmolLM2 (49k) and Gemma 3
(262k). The engines take turns for some rounds, since the machine's speed changes by half within minutes;
the figures are the rounds' medians.

    bench/peers/constraint && ./dev bench constraint [--cases own|suite|all] [--rounds N] [--json FILE]
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from constraint_cases import CASES
from lib.strata import DATA, MODELS, PEERS, ROOT

PROGRAM = pathlib.Path(os.environ.get("STRATA_INFERENCE_BENCH") or
                       ROOT / "build-bench/inference_bench")
PYTHON = PEERS / "embeddings-venv/bin/python"
PEER = pathlib.Path(__file__).parent / "peers/constraint_peer.py"
SUITE = DATA / "json-schema-suite/draft2020-12"
BARS = {"p50": 40, "p99": 500}  # µs


def own_cases():
    return [{"schema": schema, "valid": [True] * len(right) + [False] * len(wrong),
             "texts": [json.dumps(value, ensure_ascii=False) for value in right + wrong]}
            for _, schema, right, wrong in CASES]


def suite_cases():
    groups = [group for file in sorted(SUITE.glob("*.json")) for group in json.loads(file.read_text())]
    return [{"schema": group["schema"], "valid": [test["valid"] for test in group["tests"]],
             "texts": [json.dumps(test["data"], ensure_ascii=False) for test in group["tests"]]}
            for group in groups]


def ours(given, result):
    subprocess.run([PROGRAM, "--benchmark_filter=constraint_cases"], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   env=os.environ | {"STRATA_CONSTRAINT_CASES": str(given),
                                     "STRATA_CONSTRAINT_RESULT": str(result)})


def peer(name, given, made, result):
    subprocess.run([PYTHON, PEER, name, given, made, result], check=True, stderr=subprocess.DEVNULL)


def run(model, cases):
    """name -> rows, one a case: one round."""
    with tempfile.TemporaryDirectory() as folder:
        given, made, result = (pathlib.Path(folder) / name for name in ("given", "made", "result"))
        given.write_text(json.dumps({"model": str(MODELS[model]), "cases": cases}))
        ours(given, made)
        rows = {"strata": json.loads(made.read_text())["cases"]}
        for name in ("llguidance", "xgrammar"):
            peer(name, given, made, result)
            rows[name] = json.loads(result.read_text())["cases"]
        return rows


def right(case, row):
    return "refused" not in row and row["accepted"] == case["valid"]


def wrongly_accepts(case, row):
    return any(accepted and not valid for accepted, valid in zip(row["accepted"], case["valid"]))


def mask_times(rows):
    """In µs."""
    times = sorted(ns / 1e3 for row in rows for ns in row["masks_ns"])
    if not times:
        return {"masks": 0, "p50": 0, "mean": 0, "p99": 0, "max": 0}
    at = lambda share: times[min(len(times) - 1, int(share * len(times)))]
    return {"masks": len(times), "p50": at(0.5), "mean": statistics.mean(times), "p99": at(0.99), "max": times[-1]}


def figures(cases, rows):
    """In µs."""
    compiled = [row["compile_ns"] / 1e3 for row in rows if "compile_ns" in row]
    return {**mask_times(rows), "compile": statistics.mean(compiled),
            "right": sum(map(right, cases, rows)), "wrong": sum(map(wrongly_accepts, cases, rows)),
            "of": len(cases)}


def where_both_are_right(cases, own, peer):
    """How many cases these are, and the times of masks in them, ours and the peer's: elsewhere one of the
    two has refused the schema, or does other work."""
    both = [i for i, case in enumerate(cases) if right(case, own[i]) and right(case, peer[i])]
    return {"of": len(both), "own": mask_times(own[i] for i in both), "peer": mask_times(peer[i] for i in both)}


def figures_of_round(cases, by_name):
    found = {name: figures(cases, rows) for name, rows in by_name.items()}
    for name in found:
        if name != "strata":
            found[name]["both_right"] = where_both_are_right(cases, by_name["strata"], by_name[name])
    return found


def medians(rounds):
    """Of dicts of the same form, number by number."""
    if isinstance(rounds[0], dict):
        return {key: medians([one[key] for one in rounds]) for key in rounds[0]}
    return statistics.median(rounds)


def bars_of(found):
    """What is missed of them."""
    own, peers = found["strata"], [found[name] for name in found if name != "strata"]
    missed = [f"{key} {own[key]:.0f} of {most} µs" for key, most in BARS.items() if own[key] > most]
    missed += [f"{key} {own[key]:.0f}, a peer {min(p[key] for p in peers):.0f} µs"
               for key in ("mean", "p99", "compile") if own[key] >= min(p[key] for p in peers)]
    missed += ["a peer has more right"] * any(p["right"] >= own["right"] for p in peers)
    return missed + ["wrongly accepted"] * (own["wrong"] > 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", choices=("own", "suite", "all"), default="all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="write the rows to this file")
    options = parser.parse_args()
    sets = {"own": own_cases(), "suite": suite_cases()}
    cases = sum(sets.values(), []) if options.cases == "all" else sets[options.cases]
    results, failed = {}, False
    print("| vocabulary | engine | masks | p50 µs | mean µs | p99 µs | max µs | compile mean µs | right | "
          "wrongly accepted | both right: cases; mean, p99, ours; its |\n"
          "|---|---|---|---|---|---|---|---|---|---|---|")
    for model in ("smollm2", "gemma3"):
        found = results[model] = medians([figures_of_round(cases, run(model, cases))
                                          for _ in range(options.rounds)])
        for name, f in found.items():
            both = ""
            if name != "strata":
                b = f["both_right"]
                both = f"{b['of']}; " + "; ".join(f"{t['mean']:.1f}, {t['p99']:.0f}" for t in (b["own"], b["peer"]))
            print(f"| {model} | {name} | {f['masks']} | {f['p50']:.1f} | {f['mean']:.1f} | {f['p99']:.0f} "
                  f"| {f['max']:.0f} | {f['compile']:.0f} | {f['right']} of {f['of']} | {f['wrong']} "
                  f"| {both} |", flush=True)
        missed = bars_of(found)
        failed |= bool(missed)
        print(f"{model}: {'; '.join(missed) or 'every bar is met'}", file=sys.stderr)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    sys.exit(failed)


main()
