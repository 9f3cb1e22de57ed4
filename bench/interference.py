"""What a long prompt does to answers at work, and they to it. Some streams decode; then a prompt of 4,096
tokens arrives. Measured are the gaps between the tokens of the streams, before it and while it is
read, and the time to that prompt's first token beside its time alone.

    ./dev bench interference [--rounds N] [--models smollm2,gemma3] [--streams 1,8] [--json FILE]
"""
import random
import statistics
import sys
import threading
import time

from lib.options import finish, parser_of
from lib.strata import completion, serving

PROMPT = 4096
SETTLE = 64  # tokens of each stream before gaps count, and as many whose gaps are the quiet ones
WORST_GAP, WORST_DELAY = 4, 1.5
OPENINGS = ["The history of the lighthouse begins", "In the spring of that year", "A cell divides when",
            "To bake a good loaf of bread", "The committee met again on", "Rivers carry sand and",
            "She had never seen the sea", "Engines of this kind were"]


class Stream(threading.Thread):
    """An answer that goes on until it is stopped, at temperature 1: nothing in it repeats, so nothing
    is guessed ahead and each gap is one step."""

    def __init__(self, address, model, prompt, seed):
        super().__init__(daemon=True)
        self.times = []
        self.stopping = False
        self.body = {"model": model, "prompt": prompt, "stream": True, "temperature": 1, "seed": seed,
                     "max_tokens": 4000, "ignore_eos": True}
        self.address = address
        self.start()

    def run(self):
        for moment, _ in completion(self.address, self.body):
            self.times.append(moment)
            if self.stopping:
                return

    def stop(self):
        ended = not self.is_alive()
        self.stopping = True
        self.join()
        if ended:
            sys.exit("error: a stream ended before the prompt was read: its gaps do not count")

    def gaps(self, begin, end):
        return [b - a for a, b in zip(self.times, self.times[1:]) if a >= begin and b <= end]


def first_token_after(address, model, generator):
    """Begin and end of the reading of a prompt that the server has not seen."""
    prompt = [generator.randrange(1000, 40000) for _ in range(PROMPT)]
    begin = time.monotonic()
    answer = completion(address, {"model": model, "prompt": prompt, "stream": True, "max_tokens": 1,
                                  "ignore_eos": True})
    end, _ = next(answer)
    answer.close()
    return begin, end


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def one_round(address, model, n_streams, generator):
    begin, end = first_token_after(address, model, generator)
    alone = end - begin
    streams = [Stream(address, model, OPENINGS[i % len(OPENINGS)], generator.randrange(1 << 30))
               for i in range(n_streams)]
    while any(len(stream.times) < 2 * SETTLE for stream in streams):
        time.sleep(0.01)
    settled = max(stream.times[SETTLE] for stream in streams)
    begin, end = first_token_after(address, model, generator)
    for stream in streams:
        stream.stop()
    quiet = [gap for stream in streams for gap in stream.gaps(settled, begin)]
    busy = [gap for stream in streams for gap in stream.gaps(begin, end)]
    # A gap that lasts as long as the prompt does would escape: the one across its end counts too.
    busy += [b - a for stream in streams for a, b in zip(stream.times, stream.times[1:])
             if a < end < b and b - a > end - begin]
    return {"median_gap": statistics.median(quiet), "p99_gap": percentile(quiet, 0.99),
            "busy_median_gap": statistics.median(busy),
            "busy_p99_gap": percentile(busy, 0.99), "gaps": len(busy), "alone": alone,
            "beside": end - begin}


def summary(model, n_streams, rounds):
    row = {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
    ratios = {"gap_ratio": [each["busy_p99_gap"] / each["median_gap"] for each in rounds],
              "delay_ratio": [each["beside"] / each["alone"] for each in rounds]}
    for name, values in ratios.items():
        row |= {name: statistics.median(values), f"{name}_min": min(values),
                f"{name}_max": max(values)}
    return {"model": model, "streams": n_streams, **row}


def print_row(row):
    ok = row["gap_ratio"] < WORST_GAP and row["delay_ratio"] <= WORST_DELAY
    print(f"{'ok  ' if ok else 'FAIL'} {row['model']}, {row['streams']} streams: gap "
          f"{1e3 * row['median_gap']:.1f} ms, p99 {1e3 * row['p99_gap']:.1f} ms; beside the "
          f"prompt median {1e3 * row['busy_median_gap']:.1f} ms, p99 {1e3 * row['busy_p99_gap']:.1f} ms = "
          f"{row['gap_ratio']:.2f} x ({row['gap_ratio_min']:.2f} to {row['gap_ratio_max']:.2f}, under "
          f"{WORST_GAP}); first token after {row['alone']:.2f} s alone, {row['beside']:.2f} s = "
          f"{row['delay_ratio']:.2f} x ({row['delay_ratio_min']:.2f} to {row['delay_ratio_max']:.2f}, "
          f"at most {WORST_DELAY})", flush=True)
    return ok


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--streams", default="1,8")
    options = parser.parse_args()
    models, rows, failed = options.models, [], False
    generator = random.Random()
    with serving(models, "--context", "8192") as address:
        for model in models:
            first_token_after(address, model, generator)  # loads the model
            for n_streams in map(int, options.streams.split(",")):
                rounds = [one_round(address, model, n_streams, generator)
                          for _ in range(options.rounds)]
                rows.append(summary(model, n_streams, rounds))
                failed |= not print_row(rows[-1])
    finish(rows, options, failed)


main()
