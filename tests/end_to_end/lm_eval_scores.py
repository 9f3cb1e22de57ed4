"""EleutherAI's lm_eval, unmodified, over local-completions: a task of local files, whose log-likelihoods
must be those that we get for the same ids by asking for one text at a time. Started by
tests/long/lm_eval, which installs it."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

import gguf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from served import ROOT, Served, test_data

QUESTIONS = [
    {"q": "The capital of France is", "choices": [" Paris", " London", " Rome"], "gold": 0},
    {"q": "Two and two make", "choices": [" five", " four", " nine and ten"], "gold": 1},
    {"q": "Grass is usually", "choices": [" green", " blue"], "gold": 0},
    {"q": "Ice is frozen", "choices": [" fire", " water", " stone"], "gold": 1}]
CHOICE_TASK = """task: local_choice
dataset_path: json
dataset_kwargs: {data_files: {test: QUESTIONS}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{q}}"
doc_to_choice: "{{choices}}"
doc_to_target: gold
target_delimiter: ""
metric_list: [{metric: acc}]
"""
GENERATE_TASK = """task: local_generate
dataset_path: json
dataset_kwargs: {data_files: {test: QUESTIONS}}
test_split: test
output_type: generate_until
doc_to_text: "{{q}}"
doc_to_target: "{{choices[gold]}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 8, temperature: 0}
metric_list: [{metric: exact_match}]
"""


def tokenizer_of(model_file, folder):
    """The vocabulary of the GGUF as a folder that lm_eval reads."""
    fields = gguf.GGUFReader(model_file).fields
    texts = [bytes(fields["tokenizer.ggml.tokens"].parts[i]).decode()
             for i in fields["tokenizer.ggml.tokens"].data]
    merges = [tuple(bytes(fields["tokenizer.ggml.merges"].parts[i]).decode().split(" "))
              for i in fields["tokenizer.ggml.merges"].data]
    tokenizer = Tokenizer(models.BPE({text: i for i, text in enumerate(texts)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    end = texts[int(fields["tokenizer.ggml.eos_token_id"].parts[-1][0])]
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end, bos_token=end)
    fast.save_pretrained(folder)
    return fast


def ask(server, body):
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/v1/completions",
                                     json.dumps({"model": server.model, **body}).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)["choices"][0]


def own_score(server, context, continuation):
    """Of the continuation's ids behind the context's, one text at a time, without an id more."""
    arrays = ask(server, {"prompt": context + continuation, "max_tokens": 0, "echo": True,
                          "logprobs": 1})["logprobs"]
    return sum(arrays["token_logprobs"][len(context):])


def run_lm_eval(server, folder):
    (folder / "tasks").mkdir()
    data = folder / "questions.jsonl"
    data.write_text("\n".join(json.dumps(each) for each in QUESTIONS), encoding="utf-8")
    for name, task in (("choice", CHOICE_TASK), ("generate", GENERATE_TASK)):
        (folder / "tasks" / f"{name}.yaml").write_text(task.replace("QUESTIONS", str(data)),
                                                       encoding="utf-8")
    url = f"http://127.0.0.1:{server.port}/v1/completions"
    arguments = (f"model={server.model},base_url={url},tokenizer_backend=huggingface,"
                 f"tokenizer={folder / 'tokenizer'},num_concurrent=1,max_retries=1")
    subprocess.run([sys.executable, "-m", "lm_eval", "--model", "local-completions",
                    "--model_args", arguments, "--batch_size", "4", "--tasks", "local_choice,local_generate",
                    "--include_path", str(folder / "tasks"), "--output_path", str(folder / "out"),
                    "--log_samples"],
                   check=True, env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder)})
    samples = {}
    for file in (folder / "out").rglob("samples_*.jsonl"):
        name = file.name.split("_2")[0].removeprefix("samples_")
        lines = file.read_text(encoding="utf-8").splitlines()
        samples[name] = sorted(map(json.loads, lines), key=lambda each: each["doc_id"])
    return samples


def main():
    parser = argparse.ArgumentParser(description="lm_eval over /v1/completions")
    parser.add_argument("--strata", default=ROOT / "build" / "strata")
    worst, greedy = 0.0, True
    with (Served(parser.parse_args().strata) as server,
          tempfile.TemporaryDirectory(prefix="strata-lm-eval-") as name):
        folder = pathlib.Path(name)
        tokenizer = tokenizer_of(test_data() / server.model_file, folder / "tokenizer")
        samples = run_lm_eval(server, folder)
        for sample in samples["local_choice"]:
            doc = sample["doc"]
            context = tokenizer.encode(doc["q"], add_special_tokens=False)
            for choice, theirs in zip(doc["choices"], sample["filtered_resps"]):
                ids = tokenizer.encode(doc["q"] + choice, add_special_tokens=False)[len(context):]
                ours = own_score(server, context, ids)
                worst = max(worst, abs(float(theirs[0]) - ours))
                print(f"{doc['q'] + choice!r}: lm_eval {theirs[0]}, own {ours:.6f}", flush=True)
        for sample in samples["local_generate"]:
            text = ask(server, {"prompt": sample["doc"]["q"], "max_tokens": 8, "temperature": 0,
                                "stop": ["\n"]})["text"]
            greedy = greedy and text == sample["resps"][0][0]
            print(f"{sample['doc']['q']!r}: lm_eval {sample['resps'][0][0]!r}, own {text!r}")
    print(f"largest difference {worst:.2e}; generated texts equal: {greedy}")
    sys.exit(0 if worst < 1e-5 and greedy else 1)


main()
