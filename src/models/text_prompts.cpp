#include "models/text_prompts.h"

#include <algorithm>
#include <array>
#include <span>

#include "core/error.h"
#include "core/utf8.h"
#include "models/format/gguf_part.h"
#include "models/tokenizer/pipeline/characters.h"

namespace strata::models {
namespace {

// What Cohere, Jina, Voyage and Sentence Transformers' models call the two sides of a search.
constexpr std::array<std::string_view, 5> kQuery{"query", "search_query", "retrieval.query",
                                                 "retrieval_query", "Retrieval-query"};
constexpr std::array<std::string_view, 7> kDocument{
    "document",          "search_document",    "passage",           "corpus",
    "retrieval.passage", "retrieval_document", "Retrieval-document"};

const TextPrompt* find(const TextPrompts& prompts, std::string_view name) {
  const auto found = std::ranges::find(prompts.named, name, &TextPrompt::name);
  return found == prompts.named.end() ? nullptr : &*found;
}

const TextPrompt* find_alike(const TextPrompts& prompts, std::string_view name) {
  for (const std::span<const std::string_view> names :
       {std::span<const std::string_view>(kQuery), std::span<const std::string_view>(kDocument)}) {
    if (std::ranges::find(names, name) == names.end()) continue;
    for (const std::string_view other : names) {
      if (const TextPrompt* prompt = find(prompts, other)) return prompt;
    }
  }
  return nullptr;
}

[[noreturn]] void refuse(const TextPrompts& prompts, std::string_view name) {
  std::string names;
  for (const TextPrompt& prompt : prompts.named) {
    names += names.empty() ? "" : ", ";
    names += printable(prompt.name);
  }
  throw Error(Code::invalid_argument, fmt::format("the model has no prompt '{}'", printable(name)),
              names.empty() ? "it has none: leave it out, or write it into the text"
                            : "its prompts are: " + names);
}

}  // namespace

TextPrompts text_prompts(const ModelFile& file) {
  TextPrompts prompts;
  if (file.find(kPromptNames) == nullptr) return prompts;
  const auto names = file.texts(kPromptNames);
  const auto texts = file.texts(kPromptTexts);
  if (!names || !texts || names->size() != texts->size()) {
    throw Error(Code::invalid_argument,
                fmt::format("{} and {} are not texts of one number", kPromptNames, kPromptTexts));
  }
  for (size_t i = 0; i < names->size(); ++i) {
    prompts.named.push_back({std::string((*names)[i]), std::string((*texts)[i])});
  }
  prompts.default_name = file.text(kPromptDefault).value_or("");
  if (!prompts.default_name.empty() && find(prompts, prompts.default_name) == nullptr) {
    refuse(prompts, prompts.default_name);
  }
  return prompts;
}

TextReading text_reading(const ModelFile& file) {
  TextReading reading;
  reading.most_tokens = file.integer(kTextLimit).value_or(0);
  if (reading.most_tokens < 0) {
    throw Error(Code::invalid_argument,
                fmt::format("{} is {}, no number of tokens", kTextLimit, reading.most_tokens));
  }
  reading.lower_case = file.boolean(kTextLower).value_or(false);
  return reading;
}

std::string lower_case(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) append_lower(out, next_code_point(text, at));
  return out;
}

std::vector<std::string> score_labels(const ModelFile& file) {
  const std::string architecture(file.text("general.architecture").value_or(""));
  const auto labels = file.texts(architecture + ".classifier.output_labels");
  if (!labels) return {};
  return {labels->begin(), labels->end()};
}

std::string_view prompt_text(const TextPrompts& prompts, const std::optional<std::string>& name) {
  const std::string_view wanted = name ? std::string_view(*name) : prompts.default_name;
  if (wanted.empty()) return {};
  const TextPrompt* prompt = find(prompts, wanted);
  if (prompt == nullptr) prompt = find_alike(prompts, wanted);
  if (prompt == nullptr) refuse(prompts, wanted);
  return prompt->text;
}

}  // namespace strata::models
