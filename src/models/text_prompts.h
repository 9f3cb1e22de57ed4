// Words around vectors and scores: texts that a model wants in front of what it reads, by name
// ("query", "document"), and what its scores are called.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/format/model_file.h"

namespace strata::models {

// Our keys of a GGUF file; others know none. Names and texts belong together by their place.
constexpr std::string_view kPromptNames = "embedding.prompt_names";
constexpr std::string_view kPromptTexts = "embedding.prompt_texts";
constexpr std::string_view kPromptDefault = "embedding.default_prompt_name";

// How texts are read that vectors are made of, as sentence_bert_config.json says.
constexpr std::string_view kTextLimit = "embedding.max_tokens";
constexpr std::string_view kTextLower = "embedding.lower_case";

struct TextReading {
  int64_t most_tokens = 0;  // of a text with what stands around it; 0: the model's context
  bool lower_case = false;
};
TextReading text_reading(const ModelFile& file);  // Error{invalid_argument} with the key
std::string lower_case(std::string_view text);

struct TextPrompt {
  std::string name;
  std::string text;
};

struct TextPrompts {
  std::vector<TextPrompt> named;
  std::string default_name;  // empty: nothing goes in front unless it is asked for
};

// Error{invalid_argument} with the key: names without texts, a default that is not there.
TextPrompts text_prompts(const ModelFile& file);

// What goes in front of a text: of the prompt with this name, or, where there is none, with one
// that means the same to others (search_query, retrieval.query, query; passage, document, …);
// without a name the model's own default; with an empty one nothing. Error{invalid_argument} with
// the names that there are.
std::string_view prompt_text(const TextPrompts& prompts, const std::optional<std::string>& name);

// What a classifier's scores are called, in their order; empty where the file does not say.
std::vector<std::string> score_labels(const ModelFile& file);

}  // namespace strata::models
