"""Writes src/inference/testdata/minilm.json: vectors of all-MiniLM-L6-v2 as Sentence Transformers
makes them (BERT, the mean of the final hidden states, divided by its length), by transformers.
usage: minilm.py MODEL_FOLDER > src/inference/testdata/minilm.json"""
import json
import sys
from importlib.metadata import version

import torch
import transformers

N_VALUES = 24  # of each vector that the fixture keeps
TEXTS = [
    "This is an example sentence",
    "Each sentence is converted",
    "Ünïcödé, accents and CAPITALS; numbers 12345 and punctuation!?",
    "a",
    "the quick brown fox " * 20,
    "人工知能 and 机器学习 beside Latin letters",
]


def main():
    folder = sys.argv[1]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    vectors = []
    for text in TEXTS:
        batch = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            states = model(**batch).last_hidden_state[0].to(torch.float64)
        vector = states.mean(0)
        vector = vector / vector.norm()
        vectors.append({"text": text, "ids": batch["input_ids"][0].tolist(),
                        "values": [float(f"{x:.8g}") for x in vector[:N_VALUES]]})
    print(json.dumps({"oracle": f"transformers {version('transformers')}, "
                                f"torch {version('torch')}, tests/oracle/minilm.py",
                      "vectors": vectors}, separators=(",", ":")))


main()
