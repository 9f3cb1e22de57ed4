// Picks the tokenizer that a file asks for (tokenizer.ggml.model).
#include "core/error.h"
#include "core/log.h"
#include "models/tokenizer/vocabulary_tokenizer.h"

namespace strata::models {
namespace {

using File = std::shared_ptr<const ModelFile>;

std::shared_ptr<const Tokenizer> from_merges(File file) {
  const auto pre = file->text("tokenizer.ggml.pre");
  if (!pre || pre->empty()) {
    log_warn(
        "tokenizer.ggml.pre: the file does not name its pre-tokenizer; 'default' is taken, "
        "and answers may be worse than the model's best");
  }
  return make_bpe(std::move(file), pre && !pre->empty() ? *pre : "default");
}

std::shared_ptr<const Tokenizer> from_marked_merges(File file) {
  return make_bpe(std::move(file), "gemma4");
}

struct Kind {
  std::string_view name;
  std::shared_ptr<const Tokenizer> (*make)(File file);
};

constexpr Kind kKinds[] = {
    {"gpt2", from_merges},          {"llama", make_sentencepiece}, {"gemma4", from_marked_merges},
    {"bert", make_gguf_word_piece}, {"t5", make_gguf_unigram},
};

}  // namespace

std::shared_ptr<const Tokenizer> Tokenizer::from_gguf(std::shared_ptr<const ModelFile> file) {
  const auto name = file->text("tokenizer.ggml.model");
  if (!name) {
    throw Error(Code::invalid_argument, "tokenizer.ggml.model: the file has no vocabulary");
  }
  std::string known;
  for (const Kind& kind : kKinds) {
    if (kind.name == *name) return kind.make(std::move(file));
    known += fmt::format(" {}", kind.name);
  }
  throw Error(Code::unimplemented,
              fmt::format("tokenizer.ggml.model: vocabularies of kind '{}' cannot be read", *name),
              "known kinds:" + known);
}

}  // namespace strata::models
