// Special tokens that swallow white space beside them. GGUF does not carry this property, so that
// it is known by the vocabulary's name, as llama.cpp does (llama-vocab.cpp, b11434).
#include <algorithm>
#include <initializer_list>

#include "core/ascii.h"
#include "models/tokenizer/vocabulary_tokenizer.h"

namespace strata::models {
namespace {

struct Rule {
  std::string_view key;                              // of the file's metadata
  std::initializer_list<std::string_view> contains;  // one of these, in lower case
  std::string_view left_token;                       // this one strips to the left
  bool right_all = false;                            // all special tokens strip to the right
  std::initializer_list<std::string_view> right_except;
  std::string_view right_also;
};

const Rule kRules[] = {
    {"tokenizer.ggml.pre", {"jina-v2-de", "jina-v2-es", "jina-v2-code"}, "<mask>", false, {}, {}},
    {"general.name", {"phi-3", "phi3"}, {}, true, {"<unk>", "<s>", "<|endoftext|>"}, "</s>"},
    {"general.name", {"modern-bert"}, "[MASK]", false, {}, {}},
};

bool applies(const Rule& rule, const ModelFile& file) {
  const MetaValue* value = file.find(rule.key);
  if (value == nullptr || value->type != MetaType::string) return false;
  const std::string name = lower_case(*file.text(rule.key));
  return std::any_of(rule.contains.begin(), rule.contains.end(),
                     [&](std::string_view part) { return name.find(part) != std::string::npos; });
}

void set(const Vocabulary& vocabulary, std::string_view token, bool value, std::vector<bool>& out) {
  const TokenId id = token.empty() ? -1 : vocabulary.table.find(token);
  if (id >= 0) out[static_cast<size_t>(id)] = value;
}

bool is_special(TokenKind kind) {
  return kind == TokenKind::control || kind == TokenKind::unknown ||
         kind == TokenKind::user_defined;
}

}  // namespace

StripRules strip_rules(const Vocabulary& vocabulary) {
  const auto rule = std::find_if(std::begin(kRules), std::end(kRules),
                                 [&](const Rule& r) { return applies(r, *vocabulary.file); });
  if (rule == std::end(kRules)) return {};
  StripRules strip{std::vector<bool>(vocabulary.size()), std::vector<bool>(vocabulary.size())};
  set(vocabulary, rule->left_token, true, strip.left);
  if (rule->right_all) {
    for (size_t i = 0; i < vocabulary.size(); ++i) strip.right[i] = is_special(vocabulary.kinds[i]);
  }
  for (const std::string_view token : rule->right_except)
    set(vocabulary, token, false, strip.right);
  set(vocabulary, rule->right_also, true, strip.right);
  return strip;
}

}  // namespace strata::models
