// Tokens that are known by their name: converters often leave their role out of the file. The lists
// are those that llama.cpp keeps (llama-vocab.cpp, b11434).
#include <algorithm>
#include <initializer_list>

#include "models/tokenizer/vocabulary.h"

namespace strata::models {
namespace {

using Names = std::initializer_list<std::string_view>;

constexpr std::string_view kDeepSeekEnd = "<｜end▁of▁sentence｜>";

const Names kEndOfTurn = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>",     "<|end_of_text|>",
    "<EOT>",      "_<EOT>",     "[EOT]",   kDeepSeekEnd,    "<end_of_utterance>"};
const Names kEndOfMessage = {"<|eom_id|>"};
const Names kFillPrefix = {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>",    "<｜fim▁begin｜>",
                           "<PRE>",          "▁<PRE>",       "<|code_prefix|>", "<|prefix|>"};
const Names kFillSuffix = {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>",    "<｜fim▁hole｜>",
                           "<SUF>",          "▁<SUF>",       "<|code_suffix|>", "<|suffix|>"};
const Names kFillMiddle = {"<|fim_middle|>", "<fim-middle>", "<fim_middle>",    "<｜fim▁end｜>",
                           "<MID>",          "▁<MID>",       "<|code_middle|>", "<|middle|>"};
const Names kFillPad = {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"};
const Names kFillRepo = {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"};
const Names kFillSeparator = {"<|file_sep|>"};
const Names kEndNames = {"<|eot_id|>",
                         "<|im_end|>",
                         "<|end|>",
                         "<|return|>",
                         "<|call|>",
                         "<|flush|>",
                         "<|calls|>",
                         "<end_of_turn>",
                         "<|endoftext|>",
                         "</s>",
                         "<|eom_id|>",
                         "<EOT>",
                         "_<EOT>",
                         "[EOT]",
                         "[EOS]",
                         "<|end_of_text|>",
                         "<end_of_utterance>",
                         "<eos>",
                         "<turn|>",
                         "<|tool_response>",
                         kDeepSeekEnd,
                         "[e~["};

// The token of this name, which is or becomes a control token; -1: none.
TokenId take(Vocabulary& vocabulary, std::string_view name, NamedTokens which) {
  const TokenId id = vocabulary.table.find(name);
  if (id < 0) return -1;
  TokenKind& kind = vocabulary.kinds[static_cast<size_t>(id)];
  if (which == NamedTokens::control_only && kind != TokenKind::control) return -1;
  kind = TokenKind::control;
  return id;
}

void remove_end(Vocabulary& vocabulary, std::string_view name) {
  std::erase(vocabulary.end_ids, vocabulary.table.find(name));
}

bool has_end(const Vocabulary& vocabulary, std::string_view name) {
  const TokenId id = vocabulary.table.find(name);
  return id >= 0 && std::count(vocabulary.end_ids.begin(), vocabulary.end_ids.end(), id) > 0;
}

// Some vocabularies use a name of the list otherwise.
void apply_exceptions(Vocabulary& vocabulary) {
  const bool harmony = has_end(vocabulary, "<|return|>") && has_end(vocabulary, "<|call|>");
  const bool solar = has_end(vocabulary, "<|calls|>") && has_end(vocabulary, "<|flush|>");
  if (harmony || solar) remove_end(vocabulary, "<|end|>");
  const bool plain_s =
      has_end(vocabulary, "<|tool_response>") || has_end(vocabulary, "<|plamo:eos|>");
  if (plain_s && has_end(vocabulary, "</s>")) {
    remove_end(vocabulary, "</s>");
    vocabulary.kinds[static_cast<size_t>(vocabulary.table.find("</s>"))] = TokenKind::normal;
  }
}

}  // namespace

void assign_roles_by_name(Vocabulary& vocabulary, NamedTokens which) {
  SpecialIds& ids = vocabulary.ids;
  // `id` unless the file named it already: the first of `names` that the vocabulary has.
  const auto find_role = [&](TokenId& id, const Names& names) {
    for (const std::string_view name : names) {
      if (id < 0) id = take(vocabulary, name, which);
    }
  };
  find_role(ids.end_of_turn, kEndOfTurn);
  find_role(ids.end_of_message, kEndOfMessage);
  find_role(ids.fill_prefix, kFillPrefix);
  find_role(ids.fill_suffix, kFillSuffix);
  find_role(ids.fill_middle, kFillMiddle);
  find_role(ids.fill_pad, kFillPad);
  find_role(ids.fill_repo, kFillRepo);
  find_role(ids.fill_separator, kFillSeparator);

  for (const std::string_view name : kEndNames) {
    const TokenId id = take(vocabulary, name, which);
    if (id >= 0) vocabulary.end_ids.push_back(id);
  }
  for (const TokenId id : {ids.eos, ids.end_of_turn, ids.end_of_message, ids.fill_pad,
                           ids.fill_repo, ids.fill_separator}) {
    if (id >= 0) vocabulary.end_ids.push_back(id);
  }
  apply_exceptions(vocabulary);
  std::sort(vocabulary.end_ids.begin(), vocabulary.end_ids.end());
  const auto last = std::unique(vocabulary.end_ids.begin(), vocabulary.end_ids.end());
  vocabulary.end_ids.erase(last, vocabulary.end_ids.end());
}

}  // namespace strata::models
