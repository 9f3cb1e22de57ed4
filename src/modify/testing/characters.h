// For test programs: a vocabulary of as many tokens as a tiny model has.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "models/format/made_file.h"

namespace strata::modify {

// Characters as tokens; the whole tokenizer.json that a file may carry need not be more. `kind`:
// "bert", or one with scores.
inline void set_characters(models::MadeFile& file, int32_t n_vocab,
                           std::string_view kind = "llama") {
  std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
  json::object vocab;
  while (tokens.size() < static_cast<size_t>(n_vocab)) {
    tokens.push_back(std::string(1, static_cast<char>(' ' + tokens.size() % 90)) +
                     std::to_string(tokens.size()));
  }
  for (size_t i = 0; i < tokens.size(); ++i) vocab[tokens[i]] = i;
  file.set_text("tokenizer.ggml.model", kind);
  file.set_texts("tokenizer.ggml.tokens", tokens);
  file.set_numbers("tokenizer.ggml.scores", std::vector<float>(tokens.size()));
  file.set_integer("tokenizer.ggml.unknown_token_id", 0);
  if (kind == "bert") {
    file.set_integer("tokenizer.ggml.cls_token_id", 1);
    file.set_integer("tokenizer.ggml.seperator_token_id", 2);
  }
  file.set_text("tokenizer.huggingface.json",
                to_json(json::object{{"model", json::object{{"type", "WordLevel"},
                                                            {"vocab", vocab},
                                                            {"unk_token", "<unk>"}}}}));
}

}  // namespace strata::modify
