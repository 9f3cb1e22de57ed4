#include "api/gateway/mask_encoder.h"

#include <algorithm>
#include <set>
#include <span>

#include "api/limits.h"
#include "core/error.h"
#include "inference/limits.h"

namespace strata::api {
namespace {

using models::TokenId;

TokenId mask_of(const models::Model& model) {
  if (!model.spec.masks) {
    throw Error(Code::failed_precondition,
                fmt::format("{} has no head that fills in masks", model.name),
                "choose a model that was published for fill-mask, as a folder: GGUF files have no "
                "such head");
  }
  const TokenId mask = model.tokenizer->special_ids().mask;
  if (mask >= 0) return mask;
  throw Error(Code::failed_precondition,
              fmt::format("the vocabulary of {} has no mask token", model.name),
              "name it as mask_token in the model's tokenizer_config.json");
}

}  // namespace

MaskEncoder::MaskEncoder(const models::Model& model, const MaskWish& wish)
    : model_(model),
      mask_(mask_of(model)),
      spelling_(model.tokenizer->decode(std::span(&mask_, 1), true)),
      rules_(std::make_shared<inference::GuessRules>()) {
  if (spelling_.empty()) {
    throw Error(Code::failed_precondition,
                fmt::format("the mask token of {} reads as no text, so that none can be written",
                            model.name));
  }
  rules_->n = wish.top_k;
  if (!wish.targets.empty()) {
    read_targets(wish.targets);
    return;
  }
  if (wish.top_k <= model.spec.n_vocab) return;
  throw Error(Code::invalid_argument, fmt::format("top_k is {}, the vocabulary has {} tokens",
                                                  wish.top_k, model.spec.n_vocab));
}

// As transformers' pipeline takes them (pipelines/fill_mask.py): what is no token counts as the
// first one of its text.
void MaskEncoder::read_targets(const std::vector<std::string>& targets) {
  std::set<TokenId> ids;
  size_t n_unknown = 0, n_empty = 0;
  for (const std::string& target : targets) {
    if (const TokenId id = model_.tokenizer->find(target); id >= 0) {
      ids.insert(id);
      continue;
    }
    const std::vector<TokenId> first = model_.tokenizer->encode_text(target);
    ++(first.empty() ? n_empty : n_unknown);
    if (!first.empty()) ids.insert(first.front());
  }
  if (ids.empty()) {
    throw Error(Code::invalid_argument, fmt::format("none of the {} targets has a token of {}",
                                                    targets.size(), model_.name));
  }
  rules_->targets.assign(ids.begin(), ids.end());
  if (n_unknown + n_empty == 0) return;
  notice_ = fmt::format(
      "of {} targets {} are not in the vocabulary and count as the first token of their text, {} "
      "have no token and are left out",
      targets.size(), n_unknown, n_empty);
}

// Nothing but the mask is taken for a control token.
models::MarkedText MaskEncoder::with_masks(const std::string& text) const {
  models::MarkedText marked{text, {}};
  size_t begin = 0;
  for (size_t at = text.find(spelling_); at != std::string::npos;
       at = text.find(spelling_, begin)) {
    if (at > begin) marked.untrusted.push_back({begin, at});
    begin = at + spelling_.size();
  }
  if (begin < text.size()) marked.untrusted.push_back({begin, text.size()});
  return marked;
}

void MaskEncoder::count(const inference::EmbeddingInput& input) {
  const size_t wanted = static_cast<size_t>(rules_->n);
  const size_t a_mask = rules_->targets.empty() ? wanted : std::min(rules_->targets.size(), wanted);
  n_guesses_ += input.masks.size() * a_mask;
  n_written_ += static_cast<int64_t>(input.masks.size() * a_mask * input.ids.size());
  if (n_guesses_ <= kMaxGuesses && n_written_ <= kMaxFilledTokens) return;
  throw Error(Code::invalid_argument,
              fmt::format("an answer has at most {} guesses, whose texts have at most {} tokens",
                          kMaxGuesses, kMaxFilledTokens),
              "ask for a smaller top_k, or send fewer texts");
}

inference::EmbeddingInput MaskEncoder::encode(const std::string& text) {
  inference::EmbeddingInput input{
      model_.tokenizer->with_bos_eos(model_.tokenizer->encode(with_masks(text)))};
  for (size_t i = 0; i < input.ids.size(); ++i) {
    if (input.ids[i] == mask_) input.masks.push_back(static_cast<int32_t>(i));
  }
  if (input.masks.empty()) {
    throw Error(Code::invalid_argument, "a text has no mask",
                fmt::format("write {} where a token is to be guessed", spelling_));
  }
  input.rules = rules_;
  if (input.masks.size() <= inference::kMaxMasks) count(input);  // else the engine refuses it
  return input;
}

}  // namespace strata::api
