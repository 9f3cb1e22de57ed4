"""The speeds of strata and its peers side by side: same machine, file and threads, in interleaved
rounds, medians and ratios with their spread. A speed counts only when the answers on that path are
right, ours and the peer's (lib/engines.py says what that means): the others are marked "wrong".

    ./dev bench inference [--cells "prompt 512,8 at once"] [--models smollm2,gemma3] [--peers llama.cpp]
                          [--threads 1,2] [--rounds N] [--json FILE] [--plot FOLDER] [--under COMMAND]

With --json, what the file has already is kept: cells measured anew replace their rows, and answers
are judged once for each path. Remove the file to begin again.
"""
import argparse
import json
import pathlib
import statistics
import sys

from lib.cells import CELLS
from lib.engines import OTHERS, OURS
from lib.plot import write_plots
from lib.strata import MODELS, PULLED

AHEAD = {"prompt": 1.4, "generate": 1.4, "8 at once": 2.5, "32 at once": 2.2}  # of the best right peer
AHEAD_FLOATS = {"prompt": 1.3}  # the same with weights of 16 bits, where it is less
LIMIT_SHARE = 0.88  # or so much of what the memory allows, where that is lower (single sequences)


class Results:
    """Rows and verdicts, in a file when there is one."""

    def __init__(self, path):
        self.path = pathlib.Path(path) if path else None
        known = self.path and self.path.exists()
        self.data = json.loads(self.path.read_text()) if known else {"answers": {}, "rows": []}

    def save(self):
        if self.path:
            self.path.write_text(json.dumps(self.data, indent=1) + "\n", encoding="utf-8")

    def answers(self, model, engine, cell):
        key = f"{model}, {engine.name}, {cell.rows} rows a step"
        if key not in self.data["answers"]:
            self.data["answers"][key] = engine.answers(MODELS[model], cell.rows)
            self.save()
        return self.data["answers"][key]

    def add(self, row):
        same = ("model", "threads", "cell")
        self.data["rows"] = [old for old in self.data["rows"]
                             if any(old[key] != row[key] for key in same)] + [row]
        self.save()


def measure(engines, model, threads, cell, options):
    """name -> speeds, a round each; and of ours the share of what the memory allows."""
    speeds, shares = {engine.name: [] for engine in engines}, []
    for number in range(options.rounds):
        turn = number % len(engines)  # nobody is always the first
        for engine in engines[turn:] + engines[:turn]:
            speed, limit = engine.speed(MODELS[model], threads, cell, options.under)
            speeds[engine.name].append(speed)
            if limit:
                shares.append(speed / limit)
    return speeds, shares


def row_of(model, threads, cell, speeds, shares, answers):
    engines = {name: {"speed": statistics.median(values), "min": min(values), "max": max(values),
                      "right": answers[name]["right"]} for name, values in speeds.items()}
    row = {"model": model, "threads": threads, "cell": cell.name, "engines": engines,
           "limit_share": statistics.median(shares) if shares else None}
    right = {name: peer["speed"] for name, peer in engines.items()
             if name != OURS.name and peer["right"]}
    if right:
        best = max(right, key=right.get)
        ratios = [a / b for a, b in zip(speeds[OURS.name], speeds[best])]
        row |= {"best": best, "ratio": statistics.median(ratios), "ratio_min": min(ratios),
                "ratio_max": max(ratios)}
    return row


def meets_the_bar(row):
    floats = row["model"].endswith(("-f16", "-bf16"))
    bars = {**AHEAD, **(AHEAD_FLOATS if floats else {})}
    bar = next(value for name, value in bars.items() if row["cell"].startswith(name))
    ahead = row.get("ratio", 0) >= bar
    single = row["cell"].startswith("generate")
    return row["engines"][OURS.name]["right"] and (
        ahead or single and (row["limit_share"] or 0) >= LIMIT_SHARE)


def text_of(engine):
    if not engine:
        return "–"
    return f"{engine['speed']:.0f}" + ("" if engine["right"] else " (wrong)")


def print_table(rows):
    names = [OURS.name, *OTHERS]
    print(f"| model | threads | cell | {' | '.join(names)} | best right peer | ratio (min to max) | "
          "of the memory's limit | bar |")
    print("|---" * (len(names) + 7) + "|")
    order = list(CELLS)
    for row in sorted(rows, key=lambda r: (r["model"] != "smollm2", r["threads"],
                                           order.index(r["cell"]))):
        cells = [text_of(row["engines"].get(name)) for name in names]
        ratio = (f"{row['ratio']:.2f} ({row['ratio_min']:.2f} to {row['ratio_max']:.2f})"
                 if "ratio" in row else "–")
        share = f"{100 * row['limit_share']:.0f} %" if row["limit_share"] else "–"
        print(f"| {row['model']} | {row['threads']} | {row['cell']} | {' | '.join(cells)} | "
              f"{row.get('best', '–')} | {ratio} | {share} | "
              f"{'ok' if meets_the_bar(row) else 'missed'} |")


def listed(text, known):
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"error: unknown: {', '.join(unknown)}\nhint: there are {', '.join(known)}")
    return names


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", default=",".join(PULLED))
    parser.add_argument("--cells", default=",".join(CELLS), help="none: \"\", to print what is known")
    parser.add_argument("--peers", default=",".join(OTHERS))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--json", help="results are read from this file and written to it")
    parser.add_argument("--plot", help="a folder for a plot of each model")
    parser.add_argument("--under", default="", help="a command that each measurement runs under")
    return parser.parse_args()


def main():
    options = parse()
    results = Results(options.json)
    cells = [CELLS[name] for name in listed(options.cells, CELLS)]
    for model in listed(options.models, MODELS):
        peers = [OTHERS[name] for name in listed(options.peers, OTHERS)]
        engines = [OURS] + [peer for peer in peers if cells and peer.loads(MODELS[model])]
        for cell in cells:
            answers = {engine.name: results.answers(model, engine, cell) for engine in engines}
            for threads in map(int, options.threads.split(",")):
                row = row_of(model, threads, cell, *measure(engines, model, threads, cell, options),
                             answers)
                results.add(row)
                print(f"{model}, {threads} threads, {cell.name}: " +
                      ", ".join(f"{name} {text_of(row['engines'][name])}"
                                for name in row["engines"]), file=sys.stderr, flush=True)
    print_table(results.data["rows"])
    if options.plot:
        write_plots(results.data["rows"], pathlib.Path(options.plot))


main()
