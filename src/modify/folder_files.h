// The small files of a folder in Hugging Face's layout: what a GGUF file's metadata become there.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "models/family/spec.h"
#include "models/format/model_file.h"

namespace strata::modify {

// JSON by its path in the folder.
void write_json_files(const std::map<std::string, json::value>& files,
                      const std::filesystem::path& folder);

// tokenizer.json, tokenizer_config.json, generation_config.json, chat_template.jinja, README.md
// with the licence, and strata.json with every value that none of them and config.json hold; the
// keys of these. `config` also gets the ids of the first, the last and the padding token.
std::vector<std::string> write_small_files(const std::shared_ptr<const models::ModelFile>& file,
                                           const models::ModelSpec& spec,
                                           const std::filesystem::path& folder,
                                           json::object& config);

// Of a model that is such a folder already: all files of `from` but weights and config.json, as
// they are; and of the folders in it that modules.json names, all files but weights. Files may be
// links, these folders may not.
void copy_small_files(const std::filesystem::path& from, const std::filesystem::path& folder);
// Fields of `source` that `config` does not have come to it: numbers, texts, lists, and where the
// class's own programs are (auto_map); but those of the weights' types.
void keep_fields(const json::object& source, json::object& config);

}  // namespace strata::modify
