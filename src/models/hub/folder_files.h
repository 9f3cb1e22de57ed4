// Which files of a folder or repository in Hugging Face's layout make up the model.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata::models {

// `paths`: of all files there, '/' between folders. The tensors (safetensors), configuration,
// tokenizer, template, pooling and licence; config.json first. Empty: no such folder.
std::vector<std::string> folder_files(std::span<const std::string> paths);

// A path that stays in the folder: one or two plain names.
bool is_folder_path(std::string_view path);

}  // namespace strata::models
