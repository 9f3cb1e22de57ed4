#include "models/tokenizer/tokenizer.h"

#include <algorithm>

#include "core/error.h"
#include "core/utf8.h"

namespace strata::models {

std::vector<TokenId> Tokenizer::encode_trusted(std::string_view text) const {
  return encode({std::string(text), {}});
}

std::vector<TokenId> Tokenizer::encode_text(std::string_view text) const {
  return encode({std::string(text), {{0, text.size()}}});
}

std::vector<TokenId> Tokenizer::with_bos_eos(std::vector<TokenId> ids) const {
  if (add_bos() && bos() >= 0 && (ids.empty() || ids.front() != bos())) {
    ids.insert(ids.begin(), bos());
  }
  if (add_eos() && eos() >= 0 && (ids.empty() || ids.back() != eos())) ids.push_back(eos());
  return ids;
}

JoinedIds Tokenizer::join(std::span<const TokenId> first, std::span<const TokenId> second) const {
  if (eos() < 0) {
    throw Error(Code::unimplemented, "this model's tokenizer does not say how it joins two texts",
                "a model that compares two texts (a reranker) has a template for them");
  }
  JoinedIds joined;
  const auto add = [&](std::span<const TokenId> ids, uint8_t segment) {
    joined.ids.insert(joined.ids.end(), ids.begin(), ids.end());
    joined.ids.push_back(eos());
    joined.segments.resize(joined.ids.size(), segment);
  };
  if (bos() >= 0) joined.ids.push_back(bos());
  add(first, 0);
  add(second, 1);
  return joined;
}

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer,
                             std::vector<TokenId> spelled)
    : tokenizer_(std::move(tokenizer)), spelled_(std::move(spelled)) {}

std::string StreamDecoder::push(TokenId id) {
  held_ += tokenizer_->piece(id, std::binary_search(spelled_.begin(), spelled_.end(), id));
  const size_t whole = held_.size() - incomplete_utf8_tail(held_);
  std::string text = repair_utf8(std::string_view(held_).substr(0, whole));
  held_.erase(0, whole);
  return text;
}

std::string StreamDecoder::finish() {
  std::string text = repair_utf8(held_);
  held_.clear();
  return text;
}

}  // namespace strata::models
