"""OpenVINO GenAI as a peer of the benchmarks; runs in the peers' environment.

    openvino_peer.py convert FILE.gguf FOLDER
    openvino_peer.py speed FOLDER THREADS PROMPT GENERATE BATCH DEPTH     -> tokens a second
    openvino_peer.py perplexity FOLDER TEXT CONTEXT CHUNKS
"""
import pathlib
import shutil
import sys

import numpy as np
import openvino
import openvino_genai


def convert(file, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    try:
        link = folder / "model.gguf"
        link.symlink_to(file)
        openvino_genai.LLMPipeline(str(link), "CPU", enable_save_ov_model=True)
    except RuntimeError as error:
        shutil.rmtree(folder)
        sys.exit(" ".join(str(error).split()))


def random_prompts(batch, length):
    ids = np.random.default_rng().integers(1000, 40000, (batch, length), dtype=np.int64)
    return openvino_genai.TokenizedInputs(openvino.Tensor(ids), openvino.Tensor(np.ones_like(ids)))


def speed(folder, *numbers):
    threads, prompt, n_generate, batch, depth = map(int, numbers)
    pipeline = openvino_genai.LLMPipeline(folder, "CPU", INFERENCE_NUM_THREADS=threads)

    def metrics(inputs, n):
        config = openvino_genai.GenerationConfig(max_new_tokens=n, ignore_eos=True, do_sample=False,
                                                 apply_chat_template=False)
        return pipeline.generate(inputs, config).perf_metrics

    metrics(random_prompts(batch, 16), 4)  # compiles what it compiles late
    if prompt:
        return 1e3 * prompt / metrics(random_prompts(1, prompt), 1).get_ttft().mean
    raw = metrics(random_prompts(batch, max(1, depth)), n_generate + 1).raw_metrics
    if set(raw.m_batch_sizes) != {batch} or len(raw.m_new_token_times) != n_generate + 1:
        sys.exit("error: the sequences were not decoded together")
    return 1e3 * batch * n_generate / (raw.m_new_token_times[-1] - raw.m_new_token_times[0])


def log_probabilities(logits, following):
    logits = logits.astype(np.float64)
    top = logits.max(-1, keepdims=True)
    total = np.log(np.exp(logits - top).sum(-1)) + top[..., 0]
    return np.take_along_axis(logits, following[..., None], -1)[..., 0] - total


def perplexity(folder, text, *numbers):
    """Chunks of a text, the second half of each scored: llama.cpp's convention."""
    context, n_chunks = map(int, numbers)
    tokenizer = openvino_genai.Tokenizer(folder)
    ids = tokenizer.encode(pathlib.Path(text).read_text(), add_special_tokens=False).input_ids.data
    graph = openvino.Core().compile_model(f"{folder}/openvino_model.xml", "CPU",
                                          {"INFERENCE_NUM_THREADS": 2})
    request = graph.create_infer_request()
    scores = []
    for chunk in ids.reshape(-1)[:context * n_chunks].reshape(n_chunks, 1, context):
        request.reset_state()
        logits = request.infer({"input_ids": chunk, "attention_mask": np.ones_like(chunk),
                                "position_ids": np.arange(context, dtype=np.int64)[None],
                                "beam_idx": np.zeros(1, np.int32)})["logits"]
        half = context // 2
        scores.append(log_probabilities(logits[:, half:-1], chunk[:, half + 1:]))
    return float(np.exp(-np.mean(scores)))


def main(verb, *arguments):
    result = {"convert": convert, "speed": speed, "perplexity": perplexity}[verb](*arguments)
    if result is not None:
        print(result)


main(*sys.argv[1:])
