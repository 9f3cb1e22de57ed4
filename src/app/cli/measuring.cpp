#include "app/cli/measuring.h"

#include <algorithm>

#include "app/in_range.h"
#include "core/error.h"
#include "core/os.h"
#include "core/progress.h"
#include "inference/memory.h"

namespace strata::app {
namespace {

constexpr int32_t kChunk = 512;
constexpr int32_t kLeastChunk = 4;

}  // namespace

uint64_t fast_bytes(const models::Model& model, int64_t positions, tensor::KvFormat kv) {
  return static_cast<uint64_t>(
      inference::foretell_memory(model.spec, *model.file, positions, kv).total());
}

uint64_t float32_bytes(const models::Model& model) {
  uint64_t n_weights = 0;
  for (const auto& tensor : model.file->tensors()) n_weights += tensor.n_weights();
  return n_weights * sizeof(float);
}

void require_memory(std::string_view model, std::string_view as, uint64_t needed,
                    std::string_view hint) {
  const uint64_t available = available_memory_bytes();
  if (needed <= available) return;
  throw Error(Code::resource_exhausted,
              fmt::format("{} takes {} of memory{}, {} are available", model, format_bytes(needed),
                          as, format_bytes(available)),
              std::string(hint));
}

int32_t chunk_from(const Arguments& arguments, const models::Model& model) {
  const int32_t most = model.spec.n_context;
  const int32_t chunk =
      option_in_range(arguments, "context", {kLeastChunk}, std::min(kChunk, most));
  if (chunk <= most) return chunk;
  throw Error(Code::invalid_argument,
              fmt::format("--context is {}, {} has {} positions", chunk, model.name, most),
              fmt::format("--context {} is the most", most));
}

ChunkedText chunk_text(const models::Model& model, const std::string& text, int32_t chunk,
                       std::string_view hint) {
  const auto& tokenizer = *model.tokenizer;
  ChunkedText chunked{.tokens = tokenizer.with_bos_eos(tokenizer.encode_text(text)),
                      .chunk = chunk};
  if (tokenizer.add_bos()) chunked.bos = tokenizer.bos();
  if (chunked.tokens.size() >= static_cast<size_t>(chunk)) return chunked;
  throw Error(
      Code::invalid_argument,
      fmt::format("the text has {} tokens, one chunk takes {}", chunked.tokens.size(), chunk),
      std::string(hint));
}

}  // namespace strata::app
