#include "models/tokenizer/pre_tokenizer.h"

#include <algorithm>

#include "core/error.h"

namespace strata::models {
namespace {

void split_piece(const SplitStep& step, std::string_view text, size_t begin, size_t end,
                 Ends& out) {
  switch (step.kind) {
    case SplitKind::words:
      return split_words(text, begin, end, step.rules, out);
    case SplitKind::gpt2:
      return split_gpt2(text, begin, end, out);
    case SplitKind::digits:
      return split_digits(text, begin, end, out);
    case SplitKind::digit_groups:
      return split_digit_groups(text, begin, end, out);
    case SplitKind::ascii_digit_groups:
      return split_ascii_digit_groups(text, begin, end, out);
    case SplitKind::lines:
      return split_lines(text, begin, end, out);
    case SplitKind::regex:
      break;  // all pieces at once, below
  }
}

std::string pattern_of(const WordRules& rules) {
  const std::string letters = rules.marks_are_letters ? R"(\p{L}\p{M})" : R"(\p{L})";
  const std::string word = rules.marks_are_letters ? "[" + letters + "]+" : letters + "+";
  std::string out;
  if (rules.contractions == Contractions::lower_case) out = "'s|'t|'re|'ve|'m|'ll|'d|";
  if (rules.contractions == Contractions::any_case) out = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|";
  std::string digits = R"(\p{N})";
  if (rules.max_digits == 0) digits += '+';
  if (rules.max_digits > 1) digits += fmt::format("{{1,{}}}", rules.max_digits);
  return out + R"([^\r\n\p{L}\p{N}]?)" + word + "|" + digits + R"(| ?[^\s)" + letters +
         R"(\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}

}  // namespace

std::string pattern_of(const SplitStep& step) {
  if (step.kind == SplitKind::words) return pattern_of(step.rules);
  return step.kind == SplitKind::regex ? step.pattern : "";
}

const PreTokenizerSpec& find_pre_tokenizer(std::string_view name) {
  std::string known;
  for (const PreTokenizerSpec& spec : pre_tokenizer_table()) {
    if (std::find(spec.names.begin(), spec.names.end(), name) != spec.names.end()) return spec;
    for (const std::string_view other : spec.names) known += fmt::format(" {}", other);
  }
  throw Error(Code::unimplemented,
              fmt::format("tokenizer.ggml.pre: pre-tokenizer '{}' is not known", name),
              "known are:" + known);
}

PreTokenizer::PreTokenizer(const PreTokenizerSpec& spec) : spec_(&spec) {
  for (const SplitStep& step : spec.steps) {
    const bool regex = step.kind == SplitKind::regex;
    regexes_.push_back(regex ? std::make_unique<SplitRegex>(step.pattern) : nullptr);
  }
}

Ends PreTokenizer::split(std::string_view text, size_t begin, size_t end) const {
  Ends pieces = {static_cast<uint32_t>(end)};
  size_t index = 0;
  for (const SplitStep& step : spec_->steps) {
    const SplitRegex* regex = regexes_[index++].get();
    if (regex != nullptr) {
      pieces = regex->split(text, begin, pieces);
      continue;
    }
    Ends cut;
    cut.reserve(std::max((end - begin) / 4, pieces.size()) + 16);
    size_t from = begin;
    for (const size_t to : pieces) {
      split_piece(step, text, from, to, cut);
      from = to;
    }
    pieces = std::move(cut);
  }
  return pieces;
}

}  // namespace strata::models
