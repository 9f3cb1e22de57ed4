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

}  // namespace strata::modify
