// The small files of a folder in Hugging Face's layout: what a GGUF file's metadata become there.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "models/format/model_file.h"

namespace strata::modify {

// tokenizer.json, tokenizer_config.json, generation_config.json, chat_template.jinja, README.md
// with the licence, and strata.json with every value that none of them and config.json hold; the
// keys of these. `config` also gets the ids of the first and the last token.
std::vector<std::string> write_small_files(const std::shared_ptr<const models::ModelFile>& file,
                                           const std::filesystem::path& folder,
                                           json::object& config);

// Of a model that is such a folder already: all files of `from` but weights and config.json, as
// they are. `from` may hold links.
void copy_small_files(const std::filesystem::path& from, const std::filesystem::path& folder);
// Fields of `source` that `config` does not have come to it: numbers, texts, lists, and where the
// class's own programs are (auto_map); but those of the weights' types.
void keep_fields(const json::object& source, json::object& config);

}  // namespace strata::modify
